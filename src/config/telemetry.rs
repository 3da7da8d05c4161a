//! `telemetry`: where metrics are served, and which ones users push
//! (SPEC §11).

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use super::decode::{Integer, Items, Word};
use super::findings::{Findings, Path};
use super::host::Host;
use super::series_names::SeriesNames;
use super::service::{ServiceSpec, address};
use super::table::{Preset, object};

/// The name under which the telemetry server is advertised.
pub(crate) const SERVICE: &str = "containerpilot";

/// How long the catalog waits for the server's heartbeat.
const TTL: Duration = Duration::from_secs(15);

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
    /// How the server is advertised, if there is a discovery backend; its tags
    /// end with the supervisor's version.
    pub service: Option<ServiceSpec>,
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

impl Word for MetricKind {
    const WORDS: &'static [(&'static str, Self)] = &[
        ("counter", Self::Counter),
        ("gauge", Self::Gauge),
        ("histogram", Self::Histogram),
        ("summary", Self::Summary),
    ];
}

object! {
    /// The telemetry server, as the file has it.
    RawTelemetry in "telemetry" {
        port: Integer<1, 65535> = "port", Preset::Integer(9090),
            "The port that `/metrics` and `/status` are served at.";
        interfaces: Vec<String> = "interfaces", Preset::Depends("`[\"eth0:inet\", \"inet\"]`"),
            "The address to listen on: the first of these that matches one of the host's.";
        tags: Vec<String> = "tags", Preset::Absent,
            "Tags of the service `containerpilot`, as which the server is advertised if there is a `consul`; the version is added to them.";
        metrics: Items<RawMetric> = "metrics", Preset::Absent,
            "Metrics that jobs push with `containerpilot -putmetric`.";
    }
}

object! {
    /// A metric that users push, as the file has it.
    RawMetric in "telemetry.metrics" {
        namespace: String = "namespace", Preset::Absent,
            "First part of the exported name, which is the parts that are not empty joined by `_`.";
        subsystem: String = "subsystem", Preset::Absent,
            "Second part of the exported name.";
        name: String = "name", Preset::Required,
            "Last part of the exported name. The whole must match `[a-zA-Z_:][a-zA-Z0-9_:]*` and be the only one of its name.";
        help: String = "help", Preset::Absent,
            "What the metric means, for those who read it.";
        kind: MetricKind = "type", Preset::Required,
            "What a pushed value does: it is added, replaces the last one, or is observed.";
    }
}

impl RawTelemetry {
    /// The server, or `None` after an error was added.
    pub(crate) fn into_spec(
        self,
        host: &Host,
        advertised: bool,
        at: &Path<'_>,
        findings: &mut Findings,
    ) -> Option<TelemetrySpec> {
        let mut metrics = Vec::new();
        let mut series = SeriesNames::built_in();
        self.metrics
            .unwrap_or_default()
            .each(&at.key("metrics"), |raw, at| {
                metrics.extend(raw.into_spec(&mut series, at, findings));
            });
        let address = address(
            self.interfaces.as_deref(),
            host,
            &at.key("interfaces"),
            findings,
        )?;
        let port = self
            .port
            .and_then(|Integer(port)| u16::try_from(port).ok())?;
        let tags = self.tags.unwrap_or_default();
        let service = advertised.then(|| service(host, address, port, &tags));
        Some(TelemetrySpec {
            address,
            port,
            tags,
            metrics,
            service,
        })
    }
}

fn service(host: &Host, address: IpAddr, port: u16, tags: &[String]) -> ServiceSpec {
    let version = env!("CARGO_PKG_VERSION").to_owned();
    ServiceSpec {
        id: format!("{SERVICE}-{}", host.name),
        name: Arc::from(SERVICE),
        address,
        port,
        tags: tags.iter().cloned().chain([version]).collect(),
        ttl: TTL,
        initial_status: None,
        enable_tag_override: false,
        deregister_critical_after: None,
    }
}

impl RawMetric {
    fn into_spec(
        self,
        series: &mut SeriesNames,
        at: &Path<'_>,
        findings: &mut Findings,
    ) -> Option<MetricSpec> {
        let kind = self.kind?;
        let parts = [self.namespace, self.subsystem, Some(self.name?)];
        let name = parts
            .into_iter()
            .flatten()
            .collect::<Vec<String>>()
            .join("_");
        if !is_metric_name(&name) {
            let message = format!(
                "{name:?} can't be a metric's name: that is letters, digits, \"_\" and \":\", with no digit first"
            );
            findings.error(&at.key("name"), message);
        } else if let Err(taken) = series.claim(&name, kind) {
            findings.error(&at.key("name"), taken.to_string());
        }
        Some(MetricSpec {
            name,
            help: self.help.unwrap_or_default(),
            kind,
        })
    }
}

/// Prometheus' rule: `[a-zA-Z_:][a-zA-Z0-9_:]*`.
fn is_metric_name(name: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b':');
    !name.is_empty() && name.bytes().all(allowed) && !name.starts_with(|c: char| c.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing)]

    use super::super::decode::Decode;
    use super::*;

    fn telemetry(text: &str, advertised: bool) -> (Option<TelemetrySpec>, Findings) {
        let mut findings = Findings::default();
        let at = Path::Root.key("telemetry");
        let raw = RawTelemetry::decode(json5::from_str(text).unwrap(), &at, &mut findings);
        let host = Host::new(
            "here",
            vec![("eth0".to_owned(), IpAddr::from([10, 0, 0, 1]))],
        );
        let spec = raw
            .unwrap()
            .into_spec(&host, advertised, &at, &mut findings);
        (spec, findings)
    }

    #[test]
    fn the_server_listens_at_9090_of_the_chosen_address() {
        let spec = telemetry("{}", false).0.unwrap();
        assert_eq!(
            (spec.address, spec.port),
            (IpAddr::from([10, 0, 0, 1]), 9090)
        );
        assert_eq!(spec.service, None, "nobody to advertise it to");
        let spec = telemetry("{port: '9100', interfaces: 'static:127.0.0.1'}", false)
            .0
            .unwrap();
        assert_eq!(
            (spec.address, spec.port),
            (IpAddr::from([127, 0, 0, 1]), 9100)
        );
    }

    #[test]
    fn the_server_is_advertised_with_its_version() {
        let spec = telemetry("{tags: ['op']}", true).0.unwrap();
        assert_eq!(spec.tags, ["op"]);
        let service = spec.service.unwrap();
        assert_eq!(service.id, "containerpilot-here");
        assert_eq!(service.ttl, Duration::from_secs(15));
        assert_eq!(service.tags, ["op", env!("CARGO_PKG_VERSION")]);
    }

    #[test]
    fn the_exported_name_has_the_parts_that_are_not_empty() {
        let text = "{metrics: [
            {namespace: 'a', subsystem: 'b', name: 'c', help: 'why', type: 'counter'},
            {namespace: '', subsystem: 'b', name: 'c', type: 'gauge'},
            {name: 'c:d_', type: 'histogram'},
            {namespace: 'a', name: 'c', type: 'Summary'},
        ]}";
        let metrics = telemetry(text, false).0.unwrap().metrics;
        let names: Vec<&str> = metrics.iter().map(|metric| metric.name.as_str()).collect();
        assert_eq!(names, ["a_b_c", "b_c", "c:d_", "a_c"]);
        assert_eq!(metrics[0].help, "why");
        assert_eq!(metrics[3].kind, MetricKind::Summary);
    }

    #[test]
    fn what_can_not_be_exported_is_an_error() {
        for (metric, error) in [
            ("{type: 'gauge'}", "telemetry.metrics[0].name: is required"),
            ("{name: 'a'}", "telemetry.metrics[a].type: is required"),
            (
                "{name: 'a', type: 'guage'}",
                "telemetry.metrics[a].type: \"guage\" is not one of counter, gauge, histogram, summary; \
                 did you mean \"gauge\"?",
            ),
            (
                "{name: 'a-b', type: 'gauge'}",
                "telemetry.metrics[a-b].name: \"a-b\" can't be a metric's name: that is letters, digits, \
                 \"_\" and \":\", with no digit first",
            ),
            (
                "{name: '1', type: 'gauge'}",
                "telemetry.metrics[1].name: \"1\" can't be a metric's name: that is letters, digits, \
                 \"_\" and \":\", with no digit first",
            ),
            (
                "{namespace: 'containerpilot', name: 'events', type: 'gauge'}",
                "telemetry.metrics[events].name: another metric is exported as \"containerpilot_events\"",
            ),
            (
                "{name: 'b_c', type: 'gauge'}, {namespace: 'b', name: 'c', type: 'gauge'}",
                "telemetry.metrics[c].name: another metric is exported as \"b_c\"",
            ),
            (
                "{name: 'b', type: 'summary'}, {name: 'b_sum', type: 'gauge'}",
                "telemetry.metrics[b_sum].name: metric \"b\" exports \"b_sum\" too",
            ),
        ] {
            let errors = telemetry(&format!("{{metrics: [{metric}]}}"), false)
                .1
                .finish("")
                .unwrap_err();
            assert_eq!(errors.to_string(), error, "{metric}");
        }
    }

    #[test]
    fn a_server_needs_a_port_and_an_address() {
        for (text, error) in [
            ("{port: 0}", "telemetry.port: 0 is not between 1 and 65535"),
            (
                "{port: 65536}",
                "telemetry.port: 65536 is not between 1 and 65535",
            ),
            (
                "{interfaces: 'eth7'}",
                "telemetry.interfaces: eth7 matches no address of this host (eth0 10.0.0.1)",
            ),
        ] {
            assert_eq!(
                telemetry(text, false).1.finish("").unwrap_err().to_string(),
                error,
                "{text}"
            );
        }
    }

    #[test]
    fn sensors_of_version_2_are_told_what_replaces_them() {
        let errors = telemetry("{sensors: []}", false)
            .1
            .finish("")
            .unwrap_err()
            .to_string();
        assert!(
            errors.starts_with("telemetry.sensors: unknown key; a sensor of version 2 is a job"),
            "{errors}"
        );
    }
}
