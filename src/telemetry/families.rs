//! What is exported without being configured: every family with its name, help
//! and type (SPEC §11, §16).
//!
//! Pure data, read by the rendering; the configuration asks what clashes with
//! it. The names of the original stay as they are; new ones follow Prometheus'
//! conventions.

use std::collections::BTreeMap;

use super::exposition::Kind;
use crate::config::{MetricKind, MetricSpec};

/// A family that is exported without being configured.
#[derive(Clone, Copy, Debug)]
pub(super) struct BuiltInFamily {
    pub(super) name: &'static str,
    pub(super) help: &'static str,
    pub(super) kind: Kind,
}

const fn counter(name: &'static str, help: &'static str) -> BuiltInFamily {
    let kind = Kind::Counter;
    BuiltInFamily { name, help, kind }
}

const fn gauge(name: &'static str, help: &'static str) -> BuiltInFamily {
    let kind = Kind::Gauge;
    BuiltInFamily { name, help, kind }
}

const fn histogram(name: &'static str, help: &'static str) -> BuiltInFamily {
    let kind = Kind::Histogram;
    BuiltInFamily { name, help, kind }
}

pub(super) const EVENTS: BuiltInFamily = counter(
    "containerpilot_events",
    "Events published, by code and source.",
);
pub(super) const REQUESTS: BuiltInFamily = counter(
    "containerpilot_control_http_requests",
    "Requests that the control plane answered, by HTTP status and endpoint.",
);
pub(super) const INSTANCES: BuiltInFamily = gauge(
    "containerpilot_watch_instances",
    "Passing instances of a watched service.",
);
pub(super) const JOB_UP: BuiltInFamily = gauge(
    "containerpilot_job_up",
    "Processes of the job that run now: 1 or 0, unless several jobs share a name.",
);
pub(super) const JOB_STARTS: BuiltInFamily = counter(
    "containerpilot_job_starts_total",
    "Runs of the job, including those that could not be started.",
);
pub(super) const JOB_RESTARTS: BuiltInFamily = counter(
    "containerpilot_job_restarts_total",
    "Runs that followed the end of another one by the job's restarts.",
);
pub(super) const JOB_LAST_EXIT_CODE: BuiltInFamily = gauge(
    "containerpilot_job_last_exit_code",
    "Exit code of the last run that ended; 128 and the signal if one ended it, \
     127 or 126 if it could not be started.",
);
pub(super) const JOB_START_TIME: BuiltInFamily = gauge(
    "containerpilot_job_start_time_seconds",
    "Start of the latest run since the epoch.",
);
pub(super) const JOB_HEALTH: BuiltInFamily = gauge(
    "containerpilot_job_health",
    "Whether the job is healthy (1) or not (0); missing while it is not known.",
);
pub(super) const JOB_CHECK_DURATION: BuiltInFamily = histogram(
    "containerpilot_job_check_duration_seconds",
    "Time that health checks of the job took.",
);
pub(super) const BUILD_INFO: BuiltInFamily = gauge(
    "containerpilot_build_info",
    "Always 1; the labels tell which build this is.",
);
pub(super) const RELOADS: BuiltInFamily = counter(
    "containerpilot_reloads_total",
    "Reloads of the configuration, by result.",
);
pub(super) const LOOP_TURN: BuiltInFamily = histogram(
    "containerpilot_loop_turn_seconds",
    "Time that turns of the event loop took, waiting not included.",
);
pub(super) const LOG_LINES_DROPPED: BuiltInFamily = counter(
    "containerpilot_log_lines_dropped_total",
    "Lines of the supervisor's own log that were dropped because nobody read it.",
);
pub(super) const CONSUL_REQUESTS: BuiltInFamily = counter(
    "containerpilot_consul_requests_total",
    "Requests to Consul, by operation and result.",
);
pub(super) const CPU: BuiltInFamily = counter(
    "process_cpu_seconds_total",
    "User and system CPU time of the supervisor itself.",
);
pub(super) const START_TIME: BuiltInFamily = gauge(
    "process_start_time_seconds",
    "Start of the supervisor since the epoch.",
);
pub(super) const THREADS: BuiltInFamily = gauge("process_threads", "Threads of the supervisor.");
pub(super) const VIRTUAL_MEMORY: BuiltInFamily = gauge(
    "process_virtual_memory_bytes",
    "Size of the supervisor's address space.",
);
pub(super) const VIRTUAL_MEMORY_MAX: BuiltInFamily = gauge(
    "process_virtual_memory_max_bytes",
    "Limit of the supervisor's address space.",
);
pub(super) const RESIDENT_MEMORY: BuiltInFamily = gauge(
    "process_resident_memory_bytes",
    "Resident memory of the supervisor.",
);
pub(super) const OPEN_FDS: BuiltInFamily = gauge(
    "process_open_fds",
    "Open file descriptors of the supervisor.",
);
pub(super) const MAX_FDS: BuiltInFamily = gauge(
    "process_max_fds",
    "Limit of the supervisor's open file descriptors.",
);

/// All of them, in the order in which they are exported.
pub(super) const BUILT_IN: [BuiltInFamily; 23] = [
    BUILD_INFO,
    EVENTS,
    REQUESTS,
    INSTANCES,
    JOB_UP,
    JOB_STARTS,
    JOB_RESTARTS,
    JOB_LAST_EXIT_CODE,
    JOB_START_TIME,
    JOB_HEALTH,
    JOB_CHECK_DURATION,
    RELOADS,
    LOOP_TURN,
    LOG_LINES_DROPPED,
    CONSUL_REQUESTS,
    CPU,
    START_TIME,
    THREADS,
    VIRTUAL_MEMORY,
    VIRTUAL_MEMORY_MAX,
    RESIDENT_MEMORY,
    OPEN_FDS,
    MAX_FDS,
];

/// The type of the family of a user's metric.
pub(super) fn kind_of(kind: MetricKind) -> Kind {
    match kind {
        MetricKind::Counter => Kind::Counter,
        MetricKind::Gauge => Kind::Gauge,
        MetricKind::Histogram => Kind::Histogram,
        MetricKind::Summary => Kind::Summary,
    }
}

/// What is wrong with these metrics taken together and with the built-in ones:
/// one sentence for each that would export a series which another exports too.
pub fn clashes(metrics: &[MetricSpec]) -> Vec<String> {
    let mut owners: BTreeMap<String, &str> = BTreeMap::new();
    for family in BUILT_IN {
        for name in series_names(family.name, family.kind) {
            owners.insert(name, family.name);
        }
    }
    let mut clashes = Vec::new();
    for metric in metrics {
        let names = series_names(&metric.name, kind_of(metric.kind));
        let taken = names
            .iter()
            .find_map(|name| Some((name, owners.get(name)?)));
        match taken {
            Some((name, owner)) => clashes.push(format!(
                "metric {:?} clashes with {owner:?}: both export {name:?}",
                metric.name
            )),
            None => owners.extend(names.into_iter().map(|name| (name, &*metric.name))),
        }
    }
    clashes
}

fn series_names(name: &str, kind: Kind) -> Vec<String> {
    let suffixes: &[&str] = match kind {
        Kind::Counter | Kind::Gauge => &[""],
        Kind::Histogram => &["", "_bucket", "_sum", "_count"],
        Kind::Summary => &["", "_sum", "_count"],
    };
    suffixes
        .iter()
        .map(|suffix| [name, suffix].concat())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn metric(name: &str, kind: MetricKind) -> MetricSpec {
        MetricSpec {
            name: name.to_owned(),
            help: String::new(),
            kind,
        }
    }

    #[test]
    fn metrics_that_export_one_series_clash() {
        let found = clashes(&[
            metric("containerpilot_app_some_counter", MetricKind::Counter),
            metric("containerpilot_events", MetricKind::Gauge),
            metric("a", MetricKind::Histogram),
            metric("a_count", MetricKind::Counter),
            metric("a_buckets", MetricKind::Counter),
            metric("b_sum", MetricKind::Gauge),
            metric("b", MetricKind::Summary),
            metric(
                "containerpilot_loop_turn_seconds_count",
                MetricKind::Counter,
            ),
        ]);
        assert_eq!(
            found,
            [
                "metric \"containerpilot_events\" clashes with \"containerpilot_events\": \
                 both export \"containerpilot_events\"",
                "metric \"a_count\" clashes with \"a\": both export \"a_count\"",
                "metric \"b\" clashes with \"b_sum\": both export \"b_sum\"",
                "metric \"containerpilot_loop_turn_seconds_count\" clashes with \
                 \"containerpilot_loop_turn_seconds\": \
                 both export \"containerpilot_loop_turn_seconds_count\"",
            ]
        );
    }
}
