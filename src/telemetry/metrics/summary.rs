//! Quantiles of what was observed lately: a window that slides in steps.
//!
//! Five streams take every observation and are emptied in turn, one every two
//! minutes. The one that was emptied longest ago answers; it covers the last
//! eight to ten minutes (SPEC §11, as the original's client did). Time comes in
//! as a parameter. Owned by metrics, on the event loop: observing is cheap, and
//! asking for quantiles is left to whoever holds a [`Recent`].

use std::time::{Duration, Instant};

use super::quantiles::{Stream, TARGETS};

/// How many streams share the window.
const AGES: u64 = 5;

/// How long one stream answers before the next one does.
const AGE: Duration = Duration::from_secs(10 * 60 / AGES);

/// How many observations wait before they go into the streams together, which
/// costs a fraction of adding them one by one.
const BATCH: usize = 128;

/// Observations: all of them as sum and count, those of the last minutes as
/// quantiles.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Summary {
    sum: f64,
    count: u64,
    has_negative: bool,
    /// Nothing is kept for a summary that was never used.
    window: Option<Box<Window>>,
}

impl Summary {
    /// Counts one observation, which is not NaN.
    pub fn observe(&mut self, value: f64, now: Instant) {
        self.sum += value;
        self.count += 1;
        self.has_negative |= value < 0.0;
        self.window
            .get_or_insert_with(|| Box::new(Window::new(now)))
            .observe(value, now);
    }

    /// The values as they are now; the quantiles are still to be computed.
    pub fn recent(&self, now: Instant) -> Recent {
        let (stream, waiting) = self
            .window
            .as_ref()
            .and_then(|window| window.recent(now))
            .unwrap_or_default();
        Recent {
            sum: self.sum,
            count: self.count,
            grows: !self.has_negative,
            stream,
            waiting,
        }
    }
}

/// The values of a summary at one moment.
#[derive(Clone, Debug, PartialEq)]
pub struct Recent {
    /// All observations ever, added up in the order in which they came.
    pub sum: f64,
    /// How many there were.
    pub count: u64,
    /// Whether the sum only grows: none of them was below zero.
    pub grows: bool,
    stream: Stream,
    waiting: Vec<f64>,
}

impl Recent {
    /// Each target quantile and its value: NaN if nothing was observed lately.
    pub fn quantiles(&self) -> [(f64, f64); TARGETS.len()] {
        let mut stream = self.stream.clone();
        stream.insert(&self.waiting);
        TARGETS.map(|(quantile, _)| (quantile, stream.quantile(quantile)))
    }
}

/// The streams and which of them answers.
#[derive(Clone, Debug, PartialEq)]
struct Window {
    /// When age 0 began.
    origin: Instant,
    /// The age of the latest observation, counted from the origin.
    age: u64,
    /// In age n the stream n modulo [`AGES`] answers; it is emptied at the end
    /// of that age.
    streams: [Stream; AGES as usize],
    /// Observations of this age that are in none of the streams yet, in
    /// ascending order.
    waiting: Vec<f64>,
}

impl Window {
    fn new(now: Instant) -> Self {
        Self {
            origin: now,
            age: 0,
            streams: Default::default(),
            waiting: Vec::new(),
        }
    }

    fn age_at(&self, now: Instant) -> u64 {
        now.saturating_duration_since(self.origin).as_secs() / AGE.as_secs()
    }

    fn observe(&mut self, value: f64, now: Instant) {
        self.advance(self.age_at(now));
        let place = self.waiting.partition_point(|other| *other <= value);
        self.waiting.insert(place, value);
        if self.waiting.len() >= BATCH {
            self.flush();
        }
    }

    /// Empties the streams of the ages that are over.
    fn advance(&mut self, age: u64) {
        if age <= self.age {
            return;
        }
        self.flush();
        for over in self.age..age.min(self.age + AGES) {
            if let Some(stream) = self.streams.get_mut((over % AGES) as usize) {
                stream.clear();
            }
        }
        self.age = age;
    }

    fn flush(&mut self) {
        for stream in &mut self.streams {
            stream.insert(&self.waiting);
        }
        self.waiting.clear();
    }

    /// The stream that answers now and what is still to go into it; `None` if
    /// all of it is too old.
    fn recent(&self, now: Instant) -> Option<(Stream, Vec<f64>)> {
        let age = self.age_at(now).max(self.age);
        if age - self.age >= AGES {
            return None;
        }
        let stream = self.streams.get((age % AGES) as usize)?;
        Some((stream.clone(), self.waiting.clone()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::telemetry::random::Random;

    fn minutes(minutes: f64) -> Duration {
        Duration::from_secs_f64(minutes * 60.0)
    }

    fn median(summary: &Summary, now: Instant) -> f64 {
        summary.recent(now).quantiles()[0].1
    }

    #[test]
    fn an_observation_is_seen_for_eight_to_ten_minutes() {
        let start = Instant::now();
        let mut summary = Summary::default();
        summary.observe(7.0, start);
        assert_eq!(median(&summary, start), 7.0);
        assert_eq!(median(&summary, start + minutes(9.9)), 7.0);
        assert!(median(&summary, start + minutes(10.0)).is_nan());

        let mut summary = Summary::default();
        summary.observe(7.0, start);
        summary.observe(8.0, start + minutes(1.9));
        summary.observe(9.0, start + minutes(9.9));
        assert_eq!(median(&summary, start + minutes(9.9)), 8.0);
        assert_eq!(median(&summary, start + minutes(10.1)), 9.0);
    }

    #[test]
    fn sum_and_count_are_of_all_time() {
        let start = Instant::now();
        let mut summary = Summary::default();
        summary.observe(7.0, start);
        summary.observe(0.5, start + minutes(60.0));
        let recent = summary.recent(start + minutes(120.0));
        assert_eq!((recent.sum, recent.count), (7.5, 2));
        assert!(recent.quantiles().iter().all(|(_, value)| value.is_nan()));
    }

    #[test]
    fn a_clock_that_seems_to_go_back_loses_nothing() {
        let start = Instant::now();
        let mut summary = Summary::default();
        summary.observe(1.0, start + minutes(9.0));
        summary.observe(2.0, start);
        assert_eq!(median(&summary, start), 1.0);
        assert_eq!(summary.recent(start).quantiles()[1].1, 2.0);
    }

    /// What the window holds in age n: all that came in the ages from n - 4.
    fn in_window(observed: &[(Duration, f64)], now: Duration) -> Vec<f64> {
        let age = |at: Duration| at.as_secs() / AGE.as_secs();
        let mut values: Vec<f64> = observed
            .iter()
            .filter(|(at, _)| age(*at) + AGES > age(now))
            .map(|(_, value)| *value)
            .collect();
        values.sort_by(f64::total_cmp);
        values
    }

    #[test]
    fn quantiles_are_those_of_the_window_within_their_errors() {
        for seed in 0..40 {
            let mut random = Random::new(seed);
            let longest_pause = [50, 2_000, 60_000, 900_000][seed as usize % 4];
            let start = Instant::now();
            let mut now = Duration::ZERO;
            let mut summary = Summary::default();
            let mut observed = Vec::new();
            for _ in 0..2_000 {
                if !observed.is_empty() {
                    now += Duration::from_millis(random.below(longest_pause));
                }
                let value = now.as_secs_f64() * random.unit() - 100.0;
                summary.observe(value, start + now);
                observed.push((now, value));
                if random.below(50) == 0 {
                    let later = now + Duration::from_millis(random.below(700_000));
                    compare(&summary, start, &observed, later, seed);
                }
            }
        }
    }

    fn compare(
        summary: &Summary,
        start: Instant,
        observed: &[(Duration, f64)],
        now: Duration,
        seed: u64,
    ) {
        let exact = in_window(observed, now);
        let recent = summary.recent(start + now);
        assert_eq!(recent.count, observed.len() as u64);
        for ((quantile, error), (_, answer)) in TARGETS.iter().zip(recent.quantiles()) {
            if exact.is_empty() {
                assert!(answer.is_nan(), "seed {seed} at {now:?}");
                continue;
            }
            let total = exact.len() as f64;
            let rank = exact.partition_point(|value| *value < answer) as f64 + 1.0;
            let off = (rank - (quantile * total).ceil()).abs();
            assert!(off <= error * total, "seed {seed} at {now:?}: off by {off}");
            assert!(exact.contains(&answer), "seed {seed} at {now:?}");
        }
    }
}
