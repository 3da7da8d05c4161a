//! Which names metrics export their series under, so that no two metrics claim
//! the same one (SPEC §11).
//!
//! Pure; called for the metrics of the file, in its order.

use std::fmt;

use super::MetricKind;

use crate::sorted::SortedMap;

/// What the supervisor exports itself, in the order of the exposition.
pub const BUILT_IN: &[(&str, MetricKind)] = &[
    ("containerpilot_build_info", MetricKind::Gauge),
    ("containerpilot_events", MetricKind::Counter),
    ("containerpilot_control_http_requests", MetricKind::Counter),
    ("containerpilot_watch_instances", MetricKind::Gauge),
    ("containerpilot_job_up", MetricKind::Gauge),
    ("containerpilot_job_starts_total", MetricKind::Counter),
    ("containerpilot_job_restarts_total", MetricKind::Counter),
    ("containerpilot_job_last_exit_code", MetricKind::Gauge),
    ("containerpilot_job_start_time_seconds", MetricKind::Gauge),
    ("containerpilot_job_health", MetricKind::Gauge),
    (
        "containerpilot_job_check_duration_seconds",
        MetricKind::Histogram,
    ),
    ("containerpilot_reloads_total", MetricKind::Counter),
    ("containerpilot_loop_turn_seconds", MetricKind::Histogram),
    (
        "containerpilot_log_lines_dropped_total",
        MetricKind::Counter,
    ),
    ("containerpilot_consul_requests_total", MetricKind::Counter),
    ("process_cpu_seconds_total", MetricKind::Counter),
    ("process_start_time_seconds", MetricKind::Gauge),
    ("process_threads", MetricKind::Gauge),
    ("process_virtual_memory_bytes", MetricKind::Gauge),
    ("process_virtual_memory_max_bytes", MetricKind::Gauge),
    ("process_resident_memory_bytes", MetricKind::Gauge),
    ("process_open_fds", MetricKind::Gauge),
    ("process_max_fds", MetricKind::Gauge),
];

/// The series that are taken, and by which metric.
#[derive(Debug)]
pub struct SeriesNames(SortedMap<String, String>);

impl SeriesNames {
    /// Those of the built-in metrics.
    pub fn built_in() -> Self {
        let mut names = Self(SortedMap::new());
        for (name, kind) in BUILT_IN {
            let _first = names.claim(name, *kind);
        }
        names
    }

    /// Takes the series of a metric of this exported name.
    ///
    /// # Errors
    /// If another metric exports one of them; nothing is taken then.
    pub fn claim(&mut self, name: &str, kind: MetricKind) -> Result<(), Taken> {
        let series: Vec<String> = suffixes(kind)
            .iter()
            .map(|suffix| [name, suffix].concat())
            .collect();
        for wanted in &series {
            if let Some(owner) = self.0.get(wanted) {
                return Err(Taken {
                    series: wanted.clone(),
                    owner: owner.clone(),
                });
            }
        }
        for wanted in series {
            self.0.insert(wanted, name.to_owned());
        }
        Ok(())
    }
}

fn suffixes(kind: MetricKind) -> &'static [&'static str] {
    match kind {
        MetricKind::Counter | MetricKind::Gauge => &[""],
        MetricKind::Histogram => &["", "_bucket", "_sum", "_count"],
        MetricKind::Summary => &["", "_sum", "_count"],
    }
}

/// A series that another metric exports already.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Taken {
    series: String,
    owner: String,
}

impl fmt::Display for Taken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { series, owner } = self;
        if series == owner {
            write!(f, "another metric is exported as {series:?}")
        } else {
            write!(f, "metric {owner:?} exports {series:?} too")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_two_metrics_export_one_series() {
        use MetricKind::{Counter, Gauge, Histogram, Summary};
        let table = [
            ("containerpilot_app_some_counter", Counter, Ok(())),
            (
                "containerpilot_events",
                Gauge,
                Err("another metric is exported as \"containerpilot_events\""),
            ),
            ("a", Histogram, Ok(())),
            ("a", Counter, Err("another metric is exported as \"a\"")),
            (
                "a_count",
                Counter,
                Err("metric \"a\" exports \"a_count\" too"),
            ),
            ("a_buckets", Counter, Ok(())),
            ("b_sum", Gauge, Ok(())),
            ("b", Summary, Err("another metric is exported as \"b_sum\"")),
            ("b", Counter, Ok(())),
            (
                "containerpilot_loop_turn_seconds_count",
                Counter,
                Err("metric \"containerpilot_loop_turn_seconds\" exports \
                     \"containerpilot_loop_turn_seconds_count\" too"),
            ),
        ];
        let mut names = SeriesNames::built_in();
        for (name, kind, expected) in table {
            let claimed = names.claim(name, kind).map_err(|taken| taken.to_string());
            assert_eq!(claimed, expected.map_err(str::to_owned), "{name}");
        }
    }
}
