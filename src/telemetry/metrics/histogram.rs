//! Counts of observations in fixed buckets.
//!
//! Plain data: no clock, no names. Metrics own them, the exposition reads them.

/// The upper bounds that the original gave every histogram (SPEC §11), in
/// whatever unit the user observes; durations are in seconds.
pub const DEFAULT_BOUNDS: &[f64] = &[
    0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0,
];

/// Observations, counted by size.
#[derive(Clone, Debug, PartialEq)]
pub struct Histogram {
    bounds: &'static [f64],
    /// One for each bound and one for what lies above them all; each counts
    /// its own observations only.
    counts: Vec<u64>,
    sum: f64,
    /// Whether one of them was below zero, so that the sum does not only grow.
    has_negative: bool,
}

impl Histogram {
    /// An empty one with these upper bounds, which are ascending and inclusive.
    pub fn new(bounds: &'static [f64]) -> Self {
        Self {
            bounds,
            counts: vec![0; bounds.len() + 1],
            sum: 0.0,
            has_negative: false,
        }
    }

    /// Counts one observation.
    pub fn observe(&mut self, value: f64) {
        let bucket = self.bounds.partition_point(|bound| *bound < value);
        if let Some(count) = self.counts.get_mut(bucket) {
            *count += 1;
        }
        self.sum += value;
        self.has_negative |= value < 0.0;
    }

    /// Every upper bound, `+Inf` last, with the number of observations up to
    /// it.
    pub fn buckets(&self) -> impl Iterator<Item = (f64, u64)> {
        let bounds = self.bounds.iter().copied().chain([f64::INFINITY]);
        let cumulative = self.counts.iter().scan(0, |total, count| {
            *total += count;
            Some(*total)
        });
        bounds.zip(cumulative)
    }

    /// How many there were.
    pub fn count(&self) -> u64 {
        self.counts.iter().sum()
    }

    /// All of them, added up in the order in which they came.
    pub fn sum(&self) -> f64 {
        self.sum
    }

    /// Whether the sum only grows.
    pub fn grows(&self) -> bool {
        !self.has_negative
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_upper_bound_belongs_to_its_bucket() {
        let mut histogram = Histogram::new(&[1.0, 2.0]);
        for value in [1.0, 1.5, 2.0, 2.000_001, -5.0] {
            histogram.observe(value);
        }
        let buckets: Vec<_> = histogram.buckets().collect();
        assert_eq!(buckets, [(1.0, 2), (2.0, 4), (f64::INFINITY, 5)]);
        assert_eq!(histogram.count(), 5);
        assert_eq!(histogram.sum(), 1.0 + 1.5 + 2.0 + 2.000_001 - 5.0);
    }
}
