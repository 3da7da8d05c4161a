//! The wall-clock time of moments on the monotonic clock.
//!
//! Owned by the telemetry server, since the event loop knows no wall clock.

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
}

#[cfg(test)]
mod tests {
    use super::*;

    fn clock(monotonic: Instant, unix_millis: u64) -> Clock {
        Clock {
            monotonic,
            wall: SystemTime::UNIX_EPOCH + Duration::from_millis(unix_millis),
        }
    }

    #[test]
    fn moments_have_the_same_time_at_every_scrape() {
        let start = Instant::now();
        let later = start + Duration::from_secs(60);
        let mut kept = clock(start, 1_700_000_000_250);
        let first = kept.unix_seconds(start + Duration::from_millis(1_500));
        assert_eq!(first, 1_700_000_001.75);
        assert_eq!(
            kept.unix_seconds(start - Duration::from_secs(1)),
            1_699_999_999.25
        );
        kept.follow(clock(later, 1_700_000_060_253));
        assert_eq!(kept.unix_seconds(start), 1_700_000_000.25);
    }

    #[test]
    fn moments_follow_a_clock_that_is_set() {
        let start = Instant::now();
        let later = start + Duration::from_secs(60);
        let mut kept = clock(start, 5_000);
        kept.follow(clock(later, 1_700_000_060_000));
        assert_eq!(kept.unix_seconds(start), 1_700_000_000.0);
        kept.follow(clock(later, 1_600_000_060_000));
        assert_eq!(kept.unix_seconds(start), 1_600_000_000.0);
    }
}
