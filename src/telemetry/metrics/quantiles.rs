//! Quantiles of a stream of numbers, within set errors and in little memory.
//!
//! The algorithm is that of Cormode, Korn, Muthukrishnan and Srivastava,
//! "Effective computation of biased quantiles over data streams" (ICDE 2005),
//! for targeted quantiles. A stream is summarised by samples in ascending
//! order; each stands for a run of observations, and may stand for more of them
//! the less its rank matters to the targets. Pure; owned by summaries.

/// The quantiles that are asked for, each with the error of rank that is
/// allowed, as fractions of the number of observations (the original's; SPEC
/// §11).
pub(super) const TARGETS: [(f64, f64); 3] = [(0.5, 0.05), (0.9, 0.01), (0.99, 0.001)];

/// Many times what common orders of arrival need (about 100). Some, such as
/// ever smaller swings about one value, would need a share of all observations;
/// they get coarser samples instead.
const MAX_SAMPLES: usize = 2048;

/// By how much samples get coarser at a time. Small steps cost accuracy only
/// where it was hardly needed: the targets were still met in every order tried.
const COARSER: f64 = 1.1;

/// A run of observations, up to and including `value`.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Sample {
    value: f64,
    /// How much the lowest possible rank of `value` is above that of the
    /// sample before it (the paper's g).
    width: u64,
    /// By how much the rank of `value` may be higher (the paper's Δ).
    slack: u64,
}

/// The summary of a stream.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Stream {
    samples: Vec<Sample>,
    observations: u64,
}

impl Stream {
    /// Forgets everything, but keeps the memory for what comes.
    pub(super) fn clear(&mut self) {
        self.samples.clear();
        self.observations = 0;
    }

    /// Adds observations, which are in ascending order and hold no NaN.
    pub(super) fn insert(&mut self, ascending: &[f64]) {
        self.merge(ascending);
        self.observations += ascending.len() as u64;
        let mut tolerance = 1.0;
        self.compress(tolerance);
        while self.samples.len() > MAX_SAMPLES {
            tolerance *= COARSER;
            self.compress(tolerance);
        }
    }

    /// Puts the new observations between the samples, from the greatest down,
    /// so that each sample moves once and no second list is needed.
    fn merge(&mut self, ascending: &[f64]) {
        let mut old = self.samples.len();
        let mut new = ascending.len();
        let unset = Sample {
            value: 0.0,
            width: 1,
            slack: 0,
        };
        self.samples.resize(old + new, unset);
        // The rank of what is put between two samples is as uncertain as the
        // upper one leaves it; a new maximum and a new minimum are certain.
        let mut above: Option<Sample> = None;
        while let Some(&value) = new.checked_sub(1).and_then(|last| ascending.get(last)) {
            let below = old.checked_sub(1).and_then(|last| self.samples.get(last));
            let moved = below.copied().filter(|sample| sample.value > value);
            let slack = match above {
                Some(above) if below.is_some() => above.width + above.slack - 1,
                _ => 0,
            };
            let place = old + new - 1;
            let sample = moved.unwrap_or(Sample {
                value,
                width: 1,
                slack,
            });
            if let Some(to) = self.samples.get_mut(place) {
                *to = sample;
            }
            if moved.is_some() {
                above = moved;
                old -= 1;
            } else {
                new -= 1;
            }
        }
    }

    /// Joins neighbours where the targets allow it, from the greatest down.
    fn compress(&mut self, tolerance: f64) {
        let mut kept = self.samples.len();
        let Some(mut last) = self.samples.pop() else {
            return;
        };
        let mut rank = self.observations - last.width;
        for index in (0..self.samples.len()).rev() {
            let Some(&sample) = self.samples.get(index) else {
                break;
            };
            rank -= sample.width;
            let joined = last.width + sample.width;
            let reach = joined + last.slack;
            if reach as f64 <= tolerance * self.allowance(rank, rank + reach) {
                last.width = joined;
            } else {
                kept -= 1;
                self.put(kept, last);
                last = sample;
            }
        }
        kept -= 1;
        self.put(kept, last);
        self.samples.drain(..kept);
    }

    /// Writes a sample that [`compress`](Self::compress) keeps; the place of
    /// the one it took off the end is one past the end.
    fn put(&mut self, place: usize, sample: Sample) {
        match self.samples.get_mut(place) {
            Some(to) => *to = sample,
            None => self.samples.push(sample),
        }
    }

    /// How many ranks one sample may reach over that begins after the rank
    /// `low` and may extend to the rank `high` (the paper's f).
    ///
    /// Where the paper takes f at `low` alone, this takes it at the rank
    /// that is nearest to the target: what is below a target may be moved
    /// onto it by later observations, and must then be within its error.
    fn allowance(&self, low: u64, high: u64) -> f64 {
        let total = self.observations as f64;
        let (low, high) = (low as f64, high as f64);
        TARGETS
            .iter()
            .map(|(quantile, error)| {
                let target = quantile * total;
                let distance = if high < target {
                    (total - high) / (1.0 - quantile)
                } else if low > target {
                    low / quantile
                } else {
                    total
                };
                2.0 * error * distance
            })
            .fold(f64::INFINITY, f64::min)
    }

    /// An observation whose rank is that of the quantile, within the target's
    /// error; NaN if there are no observations.
    pub(super) fn quantile(&self, quantile: f64) -> f64 {
        let wanted = (quantile * self.observations as f64).ceil();
        let mut rank = 0;
        let mut best = (f64::INFINITY, f64::NAN);
        for sample in &self.samples {
            rank += sample.width;
            let too_low = wanted - rank as f64;
            let too_high = (rank + sample.slack) as f64 - wanted;
            let error = too_low.max(too_high);
            if error < best.0 {
                best = (error, sample.value);
            }
        }
        best.1
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::telemetry::random::Random;

    /// Streams `values` in batches and returns the stream with the greatest
    /// number of samples it ever held.
    fn streamed(values: &[f64], batch: usize) -> (Stream, usize) {
        let mut stream = Stream::default();
        let mut most = 0;
        for chunk in values.chunks(batch) {
            let mut ascending = chunk.to_vec();
            ascending.sort_by(f64::total_cmp);
            stream.insert(&ascending);
            most = most.max(stream.samples.len());
        }
        (stream, most)
    }

    /// How far the rank of the answer is from the wanted one; equal values
    /// share their ranks.
    fn rank_error(values: &[f64], quantile: f64, answer: f64) -> f64 {
        let below = values.iter().filter(|value| **value < answer).count() as f64;
        let up_to = values.iter().filter(|value| **value <= answer).count() as f64;
        assert!(up_to > below, "{answer} was never observed");
        let wanted = (quantile * values.len() as f64).ceil();
        (below + 1.0 - wanted).max(wanted - up_to).max(0.0)
    }

    fn orders(total: usize, seed: u64) -> Vec<(&'static str, Vec<f64>)> {
        let mut random = Random::new(seed);
        let ascending: Vec<f64> = (0..total).map(|value| value as f64).collect();
        let descending = ascending.iter().rev().copied().collect();
        let inwards = (0..total)
            .map(|at| if at % 2 == 0 { at } else { 2 * total - at } as f64)
            .collect();
        let outwards = (0..total)
            .map(|at| if at % 2 == 0 { at as f64 } else { -(at as f64) })
            .collect();
        vec![
            ("ascending", ascending),
            ("descending", descending),
            ("inwards", inwards),
            ("outwards", outwards),
            ("uniform", (0..total).map(|_| random.unit()).collect()),
            (
                "latencies",
                (0..total).map(|_| -random.unit().ln()).collect(),
            ),
            (
                "heavy tail",
                (0..total).map(|_| 1.0 / random.unit().powi(3)).collect(),
            ),
            (
                "few values",
                (0..total).map(|_| random.below(5) as f64).collect(),
            ),
            ("all equal", vec![3.5; total]),
            ("signed", (0..total).map(|_| random.unit() - 0.5).collect()),
        ]
    }

    #[test]
    fn every_target_is_met_for_every_order_of_arrival() {
        for (total, batch) in [
            (99, 1),
            (500, 1),
            (500, 7),
            (1_000, 1),
            (5_000, 128),
            (30_000, 500),
        ] {
            for (order, values) in orders(total, total as u64) {
                let (stream, _) = streamed(&values, batch);
                for (quantile, error) in TARGETS {
                    let answer = stream.quantile(quantile);
                    let off = rank_error(&values, quantile, answer);
                    assert!(
                        off <= error * total as f64,
                        "{order} {total} by {batch}: {quantile} is off by {off}"
                    );
                }
            }
        }
    }

    #[test]
    fn quantiles_of_few_observations_are_exact() {
        for total in 1..=10 {
            for (order, values) in orders(total, 3) {
                let (stream, _) = streamed(&values, 128);
                for (quantile, _) in TARGETS {
                    let answer = stream.quantile(quantile);
                    let off = rank_error(&values, quantile, answer);
                    assert_eq!(off, 0.0, "{order} {total}: {quantile}");
                }
            }
        }
    }

    #[test]
    fn memory_does_not_grow_with_the_stream() {
        for (order, values) in orders(100_000, 11) {
            let (stream, most) = streamed(&values, 128);
            let enough = match order {
                "inwards" => MAX_SAMPLES,
                _ => 300,
            };
            assert!(most <= enough, "{order} took {most} samples");
            for (quantile, error) in TARGETS {
                let off = rank_error(&values, quantile, stream.quantile(quantile));
                assert!(
                    off <= error * values.len() as f64,
                    "{order}: {quantile} is off by {off}"
                );
            }
        }
    }

    #[test]
    fn nothing_observed_has_no_quantile() {
        assert!(Stream::default().quantile(0.5).is_nan());
        let mut stream = Stream::default();
        stream.insert(&[]);
        stream.insert(&[1.0]);
        stream.clear();
        assert!(stream.quantile(0.5).is_nan());
    }
}
