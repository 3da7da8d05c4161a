//! The configuration file: text and environment in, a validated [`Config`] or
//! every error at once out (SPEC §3).
//!
//! Nothing here knows the running supervisor: a reload reads the file with the
//! very same functions as the start.

pub mod consul;
pub mod control;
pub mod job;
pub mod logging;
pub mod series_names;
pub mod telemetry;
pub mod watch;

use std::time::Duration;

pub use consul::{ConsulSpec, TlsSpec};
pub use control::ControlSpec;
pub use job::{ExecSpec, HealthSpec, InitialStatus, JobSpec, Restarts, ServiceSpec, Start, When};
pub use logging::LoggingSpec;
pub use telemetry::{MetricKind, MetricSpec, TelemetrySpec};
pub use watch::WatchSpec;

/// A whole configuration, decoded and validated.
#[derive(Clone, Debug, PartialEq)]
pub struct Config {
    /// How to reach the discovery backend, if there is one.
    pub consul: Option<ConsulSpec>,
    /// The supervisor's log.
    pub logging: LoggingSpec,
    /// From the beginning of shutdown to SIGKILL for whatever is left.
    pub stop_timeout: Duration,
    /// Where the control plane listens.
    pub control: ControlSpec,
    /// The jobs, in the order of the file.
    pub jobs: Vec<JobSpec>,
    /// The watches, in the order of the file.
    pub watches: Vec<WatchSpec>,
    /// The telemetry server, if one is configured.
    pub telemetry: Option<TelemetrySpec>,
    /// What is accepted but is probably not meant, one sentence each.
    pub warnings: Vec<String>,
}
