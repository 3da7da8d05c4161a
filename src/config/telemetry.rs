//! `telemetry`: where metrics are served, and which ones users push
//! (SPEC §11).

use std::net::IpAddr;

/// The telemetry server and its user metrics.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TelemetrySpec {
    /// The address to listen on.
    pub address: IpAddr,
    /// The port to listen on.
    pub port: u16,
    /// Tags of the `containerpilot` service, in the order of the file.
    pub tags: Vec<String>,
    /// Metrics that users push, in the order of the file.
    pub metrics: Vec<MetricSpec>,
}

/// A metric that users push.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MetricSpec {
    /// The exported name: the non-empty parts of namespace, subsystem and name
    /// joined by `_`.
    pub name: String,
    /// The help text of the exposition.
    pub help: String,
    /// What a pushed value does.
    pub kind: MetricKind,
}

/// What a pushed value does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MetricKind {
    /// Is added.
    Counter,
    /// Replaces the last one.
    Gauge,
    /// Is observed into fixed buckets.
    Histogram,
    /// Is observed into sliding quantiles.
    Summary,
}
