//! The wall-clock time of moments on the monotonic clock.
//!
//! Owned by the servers of telemetry and the control plane, since the event loop
//! knows no wall clock.

use std::time::{Duration, Instant, SystemTime};

/// The two clocks keep their distance until somebody sets the wall clock; less
/// than this is the time between reading the one and the other.
const STEP: Duration = Duration::from_millis(500);

/// One moment on both clocks.
///
/// It is kept for as long as it holds, so that the time of a past moment is the
/// same number at every scrape. A box without a battery-backed clock starts in
/// 1970 and is set later: then the moments before are told in the new time.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    monotonic: Instant,
    wall: SystemTime,
}

impl Clock {
    /// Reads both clocks.
    pub fn now() -> Self {
        Self {
            monotonic: Instant::now(),
            wall: SystemTime::now(),
        }
    }

    /// A moment so many milliseconds after the beginning of 1970.
    #[cfg(test)]
    pub(crate) fn at(monotonic: Instant, unix_millis: u64) -> Self {
        Self {
            monotonic,
            wall: SystemTime::UNIX_EPOCH + Duration::from_millis(unix_millis),
        }
    }

    /// Takes over a newer reading if the wall clock was set since this one.
    pub fn follow(&mut self, newer: Self) {
        let expected = self.wall + newer.monotonic.saturating_duration_since(self.monotonic);
        let off = match newer.wall.duration_since(expected) {
            Ok(ahead) => ahead,
            Err(error) => error.duration(),
        };
        if off > STEP {
            *self = newer;
        }
    }

    /// The time of a moment in seconds since the epoch, to the millisecond.
    pub fn unix_seconds(&self, moment: Instant) -> f64 {
        let epoch = SystemTime::UNIX_EPOCH;
        let wall = self.wall.duration_since(epoch).unwrap_or_default();
        let after = moment.saturating_duration_since(self.monotonic);
        let before = self.monotonic.saturating_duration_since(moment);
        let seconds = wall.as_secs_f64() + after.as_secs_f64() - before.as_secs_f64();
        (seconds * 1000.0).round() / 1000.0
    }

    /// The time of a moment in UTC as RFC 3339 writes it, to the millisecond:
    /// `2026-01-02T03:04:05.678Z`. A time before 1970 is told as 1970.
    pub fn rfc3339(&self, moment: Instant) -> String {
        // No clock is set so far ahead that the number does not fit.
        let milliseconds = (self.unix_seconds(moment).max(0.0) * 1000.0).round() as u64;
        let (seconds, milliseconds) = (milliseconds / 1000, milliseconds % 1000);
        let (hour, minute, second) = (seconds / 3600 % 24, seconds / 60 % 60, seconds % 60);
        let (year, month, day) = date(seconds / 86_400);
        format!(
            "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{milliseconds:03}Z"
        )
    }
}

/// Year, month and day so many days after 1970-01-01, in the Gregorian calendar.
/// Years are counted from March, so that the leap day is the last of its year.
fn date(days: u64) -> (u64, u64, u64) {
    // 719468 days lie between 0000-03-01 and 1970-01-01, 146097 in 400 years.
    let days = days + 719_468;
    let (era, day_of_era) = (days / 146_097, days % 146_097);
    let leaps = day_of_era / 1460 + day_of_era / 146_096 - day_of_era / 36_524;
    let year_of_era = (day_of_era - leaps) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    // Months from March on have 153 days in each group of five.
    let month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month + 2) / 5 + 1;
    let (month, next_year) = if month < 10 {
        (month + 3, 0)
    } else {
        (month - 9, 1)
    };
    (400 * era + year_of_era + next_year, month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_have_the_same_time_at_every_scrape() {
        let start = Instant::now();
        let later = start + Duration::from_secs(60);
        let mut kept = Clock::at(start, 1_700_000_000_250);
        let first = kept.unix_seconds(start + Duration::from_millis(1_500));
        assert_eq!(first, 1_700_000_001.75);
        assert_eq!(
            kept.unix_seconds(start - Duration::from_secs(1)),
            1_699_999_999.25
        );
        kept.follow(Clock::at(later, 1_700_000_060_253));
        assert_eq!(kept.unix_seconds(start), 1_700_000_000.25);
    }

    #[test]
    fn moments_are_written_as_rfc_3339_has_them() {
        let start = Instant::now();
        for (unix_millis, expected) in [
            (0, "1970-01-01T00:00:00.000Z"),
            (951_782_399_999, "2000-02-28T23:59:59.999Z"),
            (951_782_400_000, "2000-02-29T00:00:00.000Z"),
            (951_868_800_000, "2000-03-01T00:00:00.000Z"),
            (1_704_067_199_001, "2023-12-31T23:59:59.001Z"),
            (1_709_164_800_250, "2024-02-29T00:00:00.250Z"),
            (4_107_542_400_000, "2100-03-01T00:00:00.000Z"),
        ] {
            assert_eq!(Clock::at(start, unix_millis).rfc3339(start), expected);
        }
        assert_eq!(
            Clock::at(start, 500).rfc3339(start - Duration::from_secs(1)),
            "1970-01-01T00:00:00.000Z"
        );
    }

    #[test]
    fn moments_follow_a_clock_that_is_set() {
        let start = Instant::now();
        let later = start + Duration::from_secs(60);
        let mut kept = Clock::at(start, 5_000);
        kept.follow(Clock::at(later, 1_700_000_060_000));
        assert_eq!(kept.unix_seconds(start), 1_700_000_000.0);
        kept.follow(Clock::at(later, 1_600_000_060_000));
        assert_eq!(kept.unix_seconds(start), 1_600_000_000.0);
    }
}
