//! What is exported without being configured: every family with its name, help
//! and type (SPEC §11, §16).
//!
//! Pure data, read by the rendering; [`config::series_names`] reserves the names.
//! Those of the original stay as they are; new ones follow Prometheus'
//! conventions.
//!
//! [`config::series_names`]: crate::config::series_names

use super::exposition::Kind;
use crate::config::MetricKind;

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

/// The type of the family of a user's metric.
pub(super) fn kind_of(kind: MetricKind) -> Kind {
    match kind {
        MetricKind::Counter => Kind::Counter,
        MetricKind::Gauge => Kind::Gauge,
        MetricKind::Histogram => Kind::Histogram,
        MetricKind::Summary => Kind::Summary,
    }
}
