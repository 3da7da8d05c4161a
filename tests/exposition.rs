//! What others read out of the exposition: Prometheus' promtool and its Python
//! client, which is stricter than any server.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that cannot set up its world must fail loudly"
)]

mod support;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use containerpilot::clock::Clock;
use containerpilot::config::{MetricKind, MetricSpec};
use containerpilot::event::{Code, Event};
use containerpilot::telemetry::exposition::Format;
use containerpilot::telemetry::metrics::{DEFAULT_BOUNDS, Metrics};
use containerpilot::telemetry::process::ProcessStats;
use containerpilot::telemetry::render::{Surroundings, render};
use serde_json::{Value, json};
use support::Temporary;
use support::prometheus::Tools;

/// Pseudo-random numbers (SplitMix64), so that a failure can be repeated.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, bound: usize) -> usize {
        (self.next() % bound as u64) as usize
    }

    /// Any number of at least 0, of any magnitude.
    fn positive(&mut self) -> f64 {
        match self.below(8) {
            0 => 0.0,
            1 => f64::MIN_POSITIVE,
            2 => 5e-324,
            3 => 1e21,
            4 => DEFAULT_BOUNDS[self.below(DEFAULT_BOUNDS.len())],
            5 => self.below(2_000_000) as f64,
            // Exponents small enough for sums of some of them.
            _ => f64::from_bits(self.next() & !(1 << 63) & !(1 << 62)),
        }
    }

    /// Any number at all.
    fn any(&mut self) -> f64 {
        match self.below(6) {
            0 => f64::NAN,
            1 => f64::INFINITY,
            2 => f64::NEG_INFINITY,
            3 => f64::MAX,
            _ => -self.positive(),
        }
    }

    fn text(&mut self) -> String {
        const PIECES: [&str; 12] = [
            "a",
            "\\",
            "\"",
            "\n",
            "é",
            "{",
            "}",
            "=",
            ",",
            " # ",
            "\\n",
            "\u{1f4a1}",
        ];
        // Python's client strips blanks around a help text.
        let inner: String = (0..self.below(8)).map(|_| PIECES[self.below(12)]).collect();
        format!("<{inner}>")
    }
}

/// What should be read, by name and labels: the bits of the value, or type and
/// help of a family.
#[derive(Debug, Default, PartialEq)]
struct Expected {
    samples: BTreeMap<String, String>,
    families: BTreeMap<String, (String, String)>,
}

impl Expected {
    fn sample(&mut self, name: &str, labels: &Value, value: f64) {
        // Every NaN is written as the same one.
        let value = if value.is_nan() {
            f64::NAN
        } else {
            value + 0.0
        };
        let bits = format!("{:016x}", value.to_bits());
        let twice = self.samples.insert(format!("{name} {labels}"), bits);
        assert_eq!(twice, None, "{name} {labels}");
    }

    fn family(&mut self, name: &str, kind: &str, help: &str) {
        let twice = self
            .families
            .insert(name.to_owned(), (kind.to_owned(), help.to_owned()));
        assert_eq!(twice, None, "{name}");
    }

    /// Reads what read_exposition.py printed, leaving out what the expected one
    /// does not name.
    fn read(lines: &[String], wanted: &Self) -> Self {
        let mut read = Self::default();
        for line in lines {
            let line: Value = serde_json::from_str(line).unwrap();
            let text = |index: usize| line[index].as_str().unwrap().to_owned();
            if line[1].is_object() {
                let series = format!("{} {}", text(0), line[1]);
                if wanted.samples.contains_key(&series) {
                    assert_eq!(read.samples.insert(series, text(2)), None, "{line}");
                }
            } else if wanted.families.contains_key(&text(0)) {
                let twice = read.families.insert(text(0), (text(1), text(2)));
                assert_eq!(twice, None, "{line}");
            }
        }
        read
    }
}

/// The text of a number as a label value.
fn label(value: f64, format: Format) -> String {
    let whole = value.is_finite() && value.fract() == 0.0;
    match format {
        _ if value.is_infinite() => "+Inf".to_owned(),
        Format::OpenMetrics if whole => format!("{value}.0"),
        Format::Text | Format::OpenMetrics => value.to_string(),
    }
}

/// One value for each type of metric and each label, made up at random.
struct World {
    random: Random,
    metrics: Metrics,
    format: Format,
    expected: Expected,
    now: Instant,
}

impl World {
    fn new(seed: u64, format: Format) -> Self {
        Self {
            random: Random(seed),
            metrics: Metrics::default(),
            format,
            expected: Expected::default(),
            now: Instant::now(),
        }
    }

    fn fill(&mut self) {
        let kinds = [
            ("user_total", MetricKind::Counter),
            ("user_count_of_things", MetricKind::Counter),
            ("user:gauge", MetricKind::Gauge),
            ("user_sizes", MetricKind::Histogram),
            ("user_times", MetricKind::Summary),
            ("_unused", MetricKind::Summary),
        ];
        let specs: Vec<MetricSpec> = kinds
            .iter()
            .map(|(name, kind)| MetricSpec {
                name: (*name).to_owned(),
                help: self.random.text(),
                kind: *kind,
            })
            .collect();
        self.metrics.configure_user(&specs);
        self.describe(&specs);
        self.push_numbers();
        self.push_sizes();
        self.push_times();
        self.label_values();
    }

    /// The families as the client names them: a counter without `_total`.
    fn describe(&mut self, specs: &[MetricSpec]) {
        for spec in specs {
            let name = spec.name.trim_end_matches("_total");
            let kind = match spec.kind {
                // There is no counter without `_total` in OpenMetrics.
                MetricKind::Counter if name == spec.name && self.format == Format::OpenMetrics => {
                    "unknown"
                }
                MetricKind::Counter => "counter",
                MetricKind::Gauge => "gauge",
                MetricKind::Histogram => "histogram",
                MetricKind::Summary => "summary",
            };
            self.expected.family(name, kind, &spec.help);
        }
    }

    fn push(&mut self, name: &str, value: f64) {
        let pushed = [(name.to_owned(), value)];
        assert_eq!(self.metrics.push(&pushed, self.now), Ok(()));
    }

    fn push_numbers(&mut self) {
        let (a, b) = (self.random.positive(), self.random.positive());
        self.push("user_total", a);
        self.push("user_total", b);
        self.expected.sample("user_total", &json!({}), a + b);
        let count = self.random.positive();
        self.push("user_count_of_things", count);
        // The client shows every counter of the text format with `_total`.
        let name = match self.format {
            Format::Text => "user_count_of_things_total",
            Format::OpenMetrics => "user_count_of_things",
        };
        self.expected.sample(name, &json!({}), count);
        let gauge = self.random.any();
        self.push("user:gauge", gauge);
        self.expected.sample("user:gauge", &json!({}), gauge);
    }

    fn push_sizes(&mut self) {
        let sizes: Vec<f64> = (0..20).map(|_| self.random.positive()).collect();
        for size in &sizes {
            self.push("user_sizes", *size);
        }
        for bound in DEFAULT_BOUNDS.iter().copied().chain([f64::INFINITY]) {
            let count = sizes.iter().filter(|size| **size <= bound).count();
            let labels = json!({"le": label(bound, self.format)});
            self.expected
                .sample("user_sizes_bucket", &labels, count as f64);
        }
        let sum = sizes.iter().fold(0.0, |sum, size| sum + size);
        self.expected.sample("user_sizes_sum", &json!({}), sum);
        self.expected.sample("user_sizes_count", &json!({}), 20.0);
    }

    /// Few enough for the quantiles to be exact.
    fn push_times(&mut self) {
        let count = self.random.below(10) + 1;
        let mut times: Vec<f64> = (0..count).map(|_| self.random.positive()).collect();
        for time in &times {
            self.push("user_times", *time);
        }
        let sum = times.iter().fold(0.0, |sum, time| sum + time);
        times.sort_by(f64::total_cmp);
        for quantile in [0.5, 0.9, 0.99] {
            let rank = (quantile * count as f64).ceil() as usize;
            let labels = json!({"quantile": quantile.to_string()});
            self.expected.sample("_unused", &labels, f64::NAN);
            self.expected.sample("user_times", &labels, times[rank - 1]);
        }
        self.expected.sample("user_times_sum", &json!({}), sum);
        self.expected
            .sample("user_times_count", &json!({}), count as f64);
        self.expected.sample("_unused_sum", &json!({}), 0.0);
        self.expected.sample("_unused_count", &json!({}), 0.0);
    }

    fn label_values(&mut self) {
        let (source, service) = (self.random.text(), self.random.text());
        let values = &mut self.metrics.built_in;
        let event = Event::new(Code::ExitFailed, source.as_str());
        for _ in 0..1_000_000 {
            values.event_published(&event);
        }
        values.instances_seen(&Arc::from(service.as_str()), 3);
        values.requests.answered(404, "other");
        values.turn_ended(Duration::from_millis(20));
        let total = match self.format {
            Format::Text => "_total",
            Format::OpenMetrics => "",
        };
        self.expected.sample(
            &format!("containerpilot_events{total}"),
            &json!({"code": "ExitFailed", "source": source}),
            1e6,
        );
        self.expected.sample(
            &format!("containerpilot_control_http_requests{total}"),
            &json!({"code": "404", "path": "other"}),
            1.0,
        );
        let labels = json!({"service": service});
        self.expected
            .sample("containerpilot_watch_instances", &labels, 3.0);
        self.expected
            .sample("containerpilot_loop_turn_seconds_sum", &json!({}), 0.02);
    }

    fn render(&self) -> String {
        let surroundings = Surroundings {
            version: "4.0.0",
            revision: "unknown",
            process: ProcessStats::read("/proc".as_ref(), &Clock::now()),
            log_lines_dropped: 0,
            clock: Clock::now(),
        };
        render(&self.metrics.snapshot(self.now), &surroundings, self.format)
    }
}

#[test]
fn pythons_client_reads_every_value_back_bit_for_bit() {
    let Some(tools) = Tools::find() else { return };
    let directory = Temporary::new();
    for seed in 0..6 {
        for (name, format) in [("text", Format::Text), ("openmetrics", Format::OpenMetrics)] {
            let mut world = World::new(seed, format);
            world.fill();
            let exposition = directory.write("exposition", &world.render());
            let lines = tools.read_exposition(name, &exposition).success();
            let read = Expected::read(&lines, &world.expected);
            assert_eq!(read, world.expected, "seed {seed}, {name}");
        }
    }
}

#[test]
fn promtool_finds_nothing_but_the_names_of_the_original() {
    let Some(tools) = Tools::find() else { return };
    let directory = Temporary::new();
    let exposition = include_str!("data/exposition.txt").replace(" START\n", " 1.7e+09\n");
    let exposition = directory.write("exposition", &exposition);
    let found = tools.promtool(&["check", "metrics"], Some(&exposition));
    assert_eq!(
        found.stderr,
        [
            "containerpilot_control_http_requests counter metrics should have \"_total\" suffix",
            "containerpilot_events counter metrics should have \"_total\" suffix",
        ],
        "{found}"
    );
    assert!(found.stdout.is_empty(), "{found}");
}

#[test]
fn alerts_fire_when_they_should_and_at_no_other_time() {
    let Some(tools) = Tools::find() else { return };
    let rules = "docs/prometheus-alerts.yml";
    let checked = tools.promtool(&["check", "rules", rules], None);
    checked.success();
    let tests = "tests/data/prometheus-alerts.test.yml";
    let tested = tools.promtool(&["test", "rules", tests], None);
    assert_eq!(tested.code, 0, "{tested}");
    let tests = include_str!("data/prometheus-alerts.test.yml");
    for line in include_str!("../docs/prometheus-alerts.yml").lines() {
        if let Some((_, alert)) = line.split_once("- alert: ") {
            let tested = format!("alertname: {alert}\n        exp_alerts:");
            assert!(tests.contains(&tested), "{alert} is not tested");
        }
    }
}
