//! The values of all metrics, owned by the supervisor on the event loop.
//!
//! Nothing here blocks, locks, reads a clock or prints: a scrape takes a
//! [`Snapshot`], plain data, and another thread renders it.

mod built_in;
mod consul;
mod histogram;
mod push_error;
mod quantiles;
mod requests;
mod results;
mod summary;

use std::sync::Arc;
use std::time::Instant;

use crate::config::{Config, JobSpec, MetricKind, MetricSpec};

pub(super) use built_in::JobValues;
pub use built_in::{BuiltIn, Subjects};
pub use consul::{ConsulOp, ConsulRequests};
pub use histogram::{DEFAULT_BOUNDS, Histogram};
pub use push_error::PushError;
use push_error::{LISTED, PushProblem};
pub use requests::Requests;
pub(super) use results::Results;
pub use summary::{Recent, Summary};

/// Every metric and its value.
#[derive(Clone, Debug, Default)]
pub struct Metrics {
    /// What users push, by name.
    user: Vec<UserMetric>,
    /// What the supervisor counts itself.
    pub built_in: BuiltIn,
}

#[derive(Clone, Debug)]
struct UserMetric {
    spec: Arc<MetricSpec>,
    value: Value,
}

#[derive(Clone, Debug)]
enum Value {
    Counter(f64),
    Gauge(f64),
    Histogram(Histogram),
    Summary(Summary),
}

impl Value {
    fn new(kind: MetricKind) -> Self {
        match kind {
            MetricKind::Counter => Self::Counter(0.0),
            MetricKind::Gauge => Self::Gauge(0.0),
            MetricKind::Histogram => Self::Histogram(Histogram::new(DEFAULT_BOUNDS)),
            MetricKind::Summary => Self::Summary(Summary::default()),
        }
    }

    fn push(&mut self, value: f64, now: Instant) {
        match self {
            Self::Counter(total) => *total += value,
            Self::Gauge(current) => *current = value,
            Self::Histogram(histogram) => histogram.observe(value),
            Self::Summary(summary) => summary.observe(value, now),
        }
    }
}

/// The values of all metrics at one moment.
#[derive(Clone, Debug, PartialEq)]
pub struct Snapshot {
    /// The moment.
    pub taken: Instant,
    pub(super) user: Vec<(Arc<MetricSpec>, View)>,
    pub(super) built_in: BuiltIn,
}

/// The value of a user's metric at one moment.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum View {
    Number(f64),
    Histogram(Histogram),
    Summary(Recent),
}

impl Metrics {
    /// Follows the configuration, at start and at reload. A user's metric
    /// keeps its value if its name and type are unchanged (SPEC §11).
    /// `jobs` are those of `config`, wherever they are.
    pub fn configure<'a>(&mut self, config: &Config, jobs: impl Iterator<Item = &'a JobSpec>) {
        let specs = config.telemetry.as_ref().map(|spec| &spec.metrics[..]);
        self.configure_user(specs.unwrap_or_default());
        self.built_in.configure(&Subjects {
            jobs: jobs
                .map(|job| (job.name.clone(), job.exec.is_some()))
                .collect(),
            watches: config
                .watches
                .iter()
                .map(|watch| watch.name.clone())
                .collect(),
            consul: config.consul.is_some(),
        });
    }

    /// Follows the user's part of the configuration.
    pub fn configure_user(&mut self, specs: &[MetricSpec]) {
        let mut before = std::mem::take(&mut self.user);
        for spec in specs {
            let is_same =
                |old: &UserMetric| old.spec.name == spec.name && old.spec.kind == spec.kind;
            let value = match before.iter().position(is_same) {
                Some(index) => before.swap_remove(index).value,
                None => Value::new(spec.kind),
            };
            let spec = Arc::new(spec.clone());
            let place = self
                .user
                .partition_point(|other| other.spec.name < spec.name);
            self.user.insert(place, UserMetric { spec, value });
        }
    }

    /// Pushes each value to the metric of that exported name, in order.
    ///
    /// # Errors
    /// If a name is unknown or a value does not fit its metric: then nothing
    /// is changed, and the error tells all that is wrong (SPEC §8).
    pub fn push(&mut self, values: &[(String, f64)], now: Instant) -> Result<(), PushError> {
        let mut places = Vec::with_capacity(values.len());
        let (mut problems, mut unlisted) = (Vec::new(), 0);
        for (name, value) in values {
            match self.place(name, *value) {
                Ok(place) => places.push((place, *value)),
                Err(_) if problems.len() == LISTED => unlisted += 1,
                Err(misfit) => problems.push(self.problem(name, *value, misfit)),
            }
        }
        if !problems.is_empty() {
            return Err(PushError { problems, unlisted });
        }
        for (place, value) in places {
            if let Some(metric) = self.user.get_mut(place) {
                metric.value.push(value, now);
            }
        }
        Ok(())
    }

    /// Where the metric is to which this value can be pushed.
    fn place(&self, name: &str, value: f64) -> Result<usize, Misfit> {
        let place = self
            .user
            .binary_search_by(|metric| metric.spec.name.as_str().cmp(name))
            .map_err(|_| Misfit::Name)?;
        let kind = self.user.get(place).map(|metric| metric.spec.kind);
        let fits = match kind {
            Some(MetricKind::Counter) => value.is_finite() && value >= 0.0,
            Some(MetricKind::Histogram | MetricKind::Summary) => value.is_finite(),
            Some(MetricKind::Gauge) | None => true,
        };
        let is_counter = kind == Some(MetricKind::Counter);
        fits.then_some(place).ok_or(Misfit::Value { is_counter })
    }

    fn problem(&self, name: &str, value: f64, misfit: Misfit) -> PushProblem {
        match misfit {
            Misfit::Name => self.unknown(name),
            Misfit::Value { is_counter } => PushProblem::Unfit {
                name: name.to_owned(),
                value,
                is_counter,
            },
        }
    }

    /// The usual mistake is to leave out namespace and subsystem.
    fn unknown(&self, name: &str) -> PushProblem {
        let is_end_of = |full: &str| {
            full.strip_suffix(name)
                .is_some_and(|start| start.ends_with('_'))
        };
        let meant = self.user.iter().find(|metric| is_end_of(&metric.spec.name));
        PushProblem::Unknown {
            name: name.to_owned(),
            meant: meant.map(|metric| metric.spec.name.clone()),
        }
    }

    /// All values as they are now, to be rendered elsewhere.
    pub fn snapshot(&self, now: Instant) -> Snapshot {
        let view = |metric: &UserMetric| {
            let value = match &metric.value {
                Value::Counter(number) | Value::Gauge(number) => View::Number(*number),
                Value::Histogram(histogram) => View::Histogram(histogram.clone()),
                Value::Summary(summary) => View::Summary(summary.recent(now)),
            };
            (metric.spec.clone(), value)
        };
        Snapshot {
            taken: now,
            user: self.user.iter().map(view).collect(),
            built_in: self.built_in.clone(),
        }
    }
}

/// What of a value is wrong.
#[derive(Clone, Copy)]
enum Misfit {
    /// No metric has this name.
    Name,
    /// The metric cannot take it.
    Value { is_counter: bool },
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic)]

    use super::*;
    use crate::telemetry::random::Random;
    use std::time::Duration;

    use MetricKind::{Counter, Gauge, Histogram as HistogramKind, Summary as SummaryKind};

    fn specs(list: &[(&str, MetricKind)]) -> Vec<MetricSpec> {
        list.iter()
            .map(|(name, kind)| MetricSpec {
                name: (*name).to_owned(),
                help: String::new(),
                kind: *kind,
            })
            .collect()
    }

    fn metrics(list: &[(&str, MetricKind)]) -> Metrics {
        let mut metrics = Metrics::default();
        metrics.configure_user(&specs(list));
        metrics
    }

    fn values(list: &[(&str, f64)]) -> Vec<(String, f64)> {
        list.iter()
            .map(|(name, value)| ((*name).to_owned(), *value))
            .collect()
    }

    fn number(metrics: &Metrics, name: &str) -> f64 {
        let snapshot = metrics.snapshot(Instant::now());
        let (_, view) = snapshot
            .user
            .iter()
            .find(|(spec, _)| spec.name == name)
            .unwrap();
        match view {
            View::Number(number) => *number,
            View::Histogram(_) | View::Summary(_) => panic!("{name} is not a number"),
        }
    }

    #[test]
    fn a_counter_adds_and_a_gauge_is_set() {
        let mut metrics = metrics(&[("b", Gauge), ("a", Counter)]);
        let pushed = values(&[("a", 2.0), ("b", 5.0), ("a", 0.5), ("b", -1.0)]);
        metrics.push(&pushed, Instant::now()).unwrap();
        assert_eq!(number(&metrics, "a"), 2.5);
        assert_eq!(number(&metrics, "b"), -1.0);
        metrics
            .push(&values(&[("b", f64::NEG_INFINITY)]), Instant::now())
            .unwrap();
        assert_eq!(number(&metrics, "b"), f64::NEG_INFINITY);
    }

    #[test]
    fn a_push_is_refused_whole_and_names_all_that_is_wrong() {
        let mut metrics = metrics(&[
            ("ns_sub_hits", Counter),
            ("level", Gauge),
            ("sizes", HistogramKind),
            ("times", SummaryKind),
        ]);
        let before = metrics.snapshot(Instant::now()).user;
        let pushed = values(&[
            ("level", 1.0),
            ("hits", 1.0),
            ("Level", 1.0),
            ("ns_sub_hits", -1.0),
            ("ns_sub_hits", f64::NAN),
            ("sizes", f64::NAN),
            ("times", f64::INFINITY),
            ("sizes", 1.0),
        ]);
        let error = metrics.push(&pushed, Instant::now()).unwrap_err();
        assert_eq!(
            error.to_string(),
            "unknown metric \"hits\": did you mean \"ns_sub_hits\"?; \
             unknown metric \"Level\": not in telemetry.metrics; \
             cannot add -1 to counter \"ns_sub_hits\": must be a number that is not negative; \
             cannot add NaN to counter \"ns_sub_hits\": must be a number that is not negative; \
             metric \"sizes\" cannot observe NaN: must be finite; \
             metric \"times\" cannot observe inf: must be finite"
        );
        assert_eq!(metrics.snapshot(Instant::now()).user, before);
    }

    #[test]
    fn nothing_pushed_changes_nothing() {
        assert_eq!(Metrics::default().push(&[], Instant::now()), Ok(()));
    }

    #[test]
    fn a_reload_keeps_values_of_the_same_name_and_type() {
        let mut metrics = metrics(&[("a", Counter), ("b", Counter), ("c", Counter)]);
        let pushed = values(&[("a", 1.0), ("b", 2.0), ("c", 3.0)]);
        metrics.push(&pushed, Instant::now()).unwrap();
        metrics.configure_user(&specs(&[("d", Counter), ("c", Counter), ("b", Gauge)]));
        assert_eq!(number(&metrics, "b"), 0.0);
        assert_eq!(number(&metrics, "c"), 3.0);
        assert_eq!(number(&metrics, "d"), 0.0);
        assert!(
            metrics
                .push(&values(&[("a", 1.0)]), Instant::now())
                .is_err()
        );
        metrics.configure_user(&specs(&[("a", Counter)]));
        assert_eq!(number(&metrics, "a"), 0.0);
    }

    /// What the metrics of [`any_sequence_of_pushes_gives_what_a_plain_model_gives`]
    /// should hold, kept in the plainest way.
    #[derive(Default)]
    struct Model {
        counter: f64,
        gauge: f64,
        sizes: Vec<f64>,
        times: Vec<f64>,
    }

    impl Model {
        fn accepts(name: &str, value: f64) -> bool {
            match name {
                "counter" => value.is_finite() && value >= 0.0,
                "gauge" => true,
                "sizes" | "times" => value.is_finite(),
                _ => false,
            }
        }

        fn push(&mut self, name: &str, value: f64) {
            match name {
                "counter" => self.counter += value,
                "gauge" => self.gauge = value,
                "sizes" => self.sizes.push(value),
                _ => self.times.push(value),
            }
        }

        fn check(&self, snapshot: &Snapshot, seed: u64) {
            for (spec, view) in &snapshot.user {
                match (spec.name.as_str(), view) {
                    ("counter", View::Number(number)) => {
                        assert_eq!(number.to_bits(), self.counter.to_bits(), "seed {seed}");
                    }
                    ("gauge", View::Number(number)) => {
                        assert_eq!(number.to_bits(), self.gauge.to_bits(), "seed {seed}");
                    }
                    ("sizes", View::Histogram(histogram)) => {
                        let sum = self.sizes.iter().fold(0.0, |sum, value| sum + value);
                        assert_eq!(histogram.sum().to_bits(), f64::to_bits(sum), "seed {seed}");
                        assert_eq!(histogram.count(), self.sizes.len() as u64, "seed {seed}");
                        for (bound, count) in histogram.buckets() {
                            let within = self.sizes.iter().filter(|value| **value <= bound);
                            assert_eq!(count, within.count() as u64, "seed {seed}: {bound}");
                        }
                    }
                    ("times", View::Summary(recent)) => {
                        let sum = self.times.iter().fold(0.0, |sum, value| sum + value);
                        assert_eq!(recent.sum.to_bits(), f64::to_bits(sum), "seed {seed}");
                        assert_eq!(recent.count, self.times.len() as u64, "seed {seed}");
                    }
                    (name, view) => panic!("seed {seed}: {name} is {view:?}"),
                }
            }
        }
    }

    fn random_value(random: &mut Random) -> f64 {
        match random.below(12) {
            0 => DEFAULT_BOUNDS[random.below(DEFAULT_BOUNDS.len() as u64) as usize],
            1 => -random.unit(),
            2 => random.unit() * 1e300,
            3 => random.unit() * 1e-300,
            4 => [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, -0.0][random.below(4) as usize],
            5..=7 => random.below(20) as f64,
            _ => random.unit() * 12.0,
        }
    }

    #[test]
    fn any_sequence_of_pushes_gives_what_a_plain_model_gives() {
        const NAMES: [&str; 5] = ["counter", "gauge", "sizes", "times", "unknown"];
        for seed in 0..200 {
            let mut random = Random::new(seed);
            let mut now = Instant::now();
            let mut model = Model::default();
            let mut metrics = metrics(&[
                ("counter", Counter),
                ("gauge", Gauge),
                ("sizes", HistogramKind),
                ("times", SummaryKind),
            ]);
            for _ in 0..100 {
                // Mostly names and values that fit, or nothing would be accepted.
                let mut batch: Vec<(String, f64)> = Vec::new();
                for _ in 0..random.below(6) {
                    let unknown = u64::from(random.below(20) == 0);
                    let name = NAMES[random.below(4 + unknown) as usize];
                    let value = random_value(&mut random);
                    if Model::accepts(name, value) || random.below(10) == 0 {
                        batch.push((name.to_owned(), value));
                    }
                }
                let accepted = batch
                    .iter()
                    .all(|(name, value)| Model::accepts(name, *value));
                assert_eq!(metrics.push(&batch, now).is_ok(), accepted, "seed {seed}");
                if accepted {
                    for (name, value) in &batch {
                        model.push(name, *value);
                    }
                }
                now += Duration::from_millis(random.below(30_000));
                model.check(&metrics.snapshot(now), seed);
            }
        }
    }
}
