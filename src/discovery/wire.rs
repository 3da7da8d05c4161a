//! What goes over the wire to Consul and back: paths and JSON bodies.
//!
//! Pure; the client puts them into requests and takes them out of answers.

use std::fmt;
use std::net::IpAddr;
use std::time::Duration;

use serde::de::{Error, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};

use crate::config::{InitialStatus, ServiceSpec, WatchSpec};
use crate::message::Instance;

/// The most instances of one service that are taken in, so that nonsense can not
/// fill the memory. A real answer with so many is larger than is taken in, too.
const MOST: usize = 10_000;

/// The path that asks for the healthy instances of a watched service.
pub(super) fn health_path(watch: &WatchSpec, blocking: Option<(u64, Duration)>) -> String {
    let mut path = format!("/v1/health/service/{}?passing=1", escape(&watch.name));
    for (key, value) in [("tag", &watch.tag), ("dc", &watch.datacenter)] {
        if let Some(value) = value {
            path += &format!("&{key}={}", escape(value));
        }
    }
    if let Some((index, wait)) = blocking {
        path += &format!("&index={index}&wait={}ms", wait.as_millis());
    }
    path
}

/// Percent-encodes everything but RFC 3986's unreserved characters.
pub(super) fn escape(text: &str) -> String {
    text.bytes()
        .map(|byte| match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                char::from(byte).to_string()
            }
            _ => format!("%{byte:02X}"),
        })
        .collect()
}

/// The body of a registration (SPEC §9).
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Registration<'a> {
    #[serde(rename = "ID")]
    id: &'a str,
    name: &'a str,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    tags: &'a [String],
    port: u16,
    address: IpAddr,
    enable_tag_override: bool,
    check: Check<'a>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Check<'a> {
    #[serde(rename = "TTL")]
    ttl: String,
    status: &'static str,
    notes: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    deregister_critical_service_after: Option<&'a str>,
}

impl<'a> Registration<'a> {
    /// Registers `spec` with a TTL check of this status.
    pub(super) fn of(spec: &'a ServiceSpec, status: InitialStatus) -> Self {
        Self {
            id: &spec.id,
            name: &spec.name,
            tags: &spec.tags,
            port: spec.port,
            address: spec.address,
            enable_tag_override: spec.enable_tag_override,
            check: Check {
                ttl: go_duration(spec.ttl),
                status: word(status),
                notes: format!("TTL for {} set by containerpilot", spec.name),
                deregister_critical_service_after: spec.deregister_critical_after.as_deref(),
            },
        }
    }
}

/// A duration as Go reads it, in seconds where that is exact.
fn go_duration(time: Duration) -> String {
    if time.subsec_nanos() == 0 {
        format!("{}s", time.as_secs())
    } else {
        format!("{}ms", time.as_millis())
    }
}

fn word(status: InitialStatus) -> &'static str {
    match status {
        InitialStatus::Passing => "passing",
        InitialStatus::Warning => "warning",
        InitialStatus::Critical => "critical",
    }
}

/// A heartbeat.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Update {
    status: &'static str,
    output: &'static str,
}

/// The only heartbeat there is: a failing check sends none, and the TTL tells.
pub(super) const PASSING: Update = Update {
    status: "passing",
    output: "ok",
};

/// What the agent says is registered under an id.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Registered {
    service: String,
    tags: Option<Vec<String>>,
    port: i64,
    address: String,
    #[serde(default)]
    enable_tag_override: bool,
}

impl Registered {
    /// Whether this is what `spec` registers.
    pub(super) fn is(&self, spec: &ServiceSpec) -> bool {
        self.service == *spec.name
            && self.port == i64::from(spec.port)
            && self.address.parse() == Ok(spec.address)
            && self.enable_tag_override == spec.enable_tag_override
            && (spec.enable_tag_override || same_set(self.tags.as_deref(), &spec.tags))
    }
}

/// Tags have no order. Where others may override them, they are not ours to
/// compare.
fn same_set(found: Option<&[String]>, wanted: &[String]) -> bool {
    let found = found.unwrap_or_default();
    found.iter().all(|tag| wanted.contains(tag)) && wanted.iter().all(|tag| found.contains(tag))
}

/// The instances of a service, taken in one by one: what Consul tells about each
/// besides is many times as much.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Instances(pub(super) Vec<Instance>);

impl<'de> Deserialize<'de> for Instances {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(InstancesVisitor)
    }
}

struct InstancesVisitor;

impl<'de> Visitor<'de> for InstancesVisitor {
    type Value = Instances;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of instances")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut entries: A) -> Result<Instances, A::Error> {
        let mut instances = Vec::new();
        while let Some(entry) = entries.next_element::<HealthEntry>()? {
            if instances.len() == MOST {
                return Err(A::Error::custom(format!("more than {MOST} instances")));
            }
            instances.push(Instance::from(entry));
        }
        Ok(Instances(instances))
    }

    /// What Go makes of a list that was never made.
    fn visit_unit<E: Error>(self) -> Result<Instances, E> {
        Ok(Instances(Vec::new()))
    }
}

/// One instance with its node.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct HealthEntry {
    node: HealthNode,
    service: HealthService,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct HealthNode {
    address: String,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct HealthService {
    #[serde(rename = "ID")]
    id: String,
    address: String,
    port: i64,
}

impl From<HealthEntry> for Instance {
    fn from(entry: HealthEntry) -> Self {
        let HealthEntry { node, service } = entry;
        Self {
            id: service.id,
            // A service without an address of its own has its node's.
            address: if service.address.is_empty() {
                node.address
            } else {
                service.address
            },
            port: u16::try_from(service.port).unwrap_or(0),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::net::Ipv6Addr;

    use super::*;

    fn service() -> ServiceSpec {
        ServiceSpec {
            id: "app-host".to_owned(),
            name: "app".into(),
            address: [10, 0, 0, 1].into(),
            port: 80,
            tags: vec!["a".to_owned(), "b".to_owned()],
            ttl: Duration::from_secs(15),
            initial_status: None,
            enable_tag_override: false,
            deregister_critical_after: None,
        }
    }

    fn registration(spec: &ServiceSpec, status: InitialStatus) -> String {
        serde_json::to_string(&Registration::of(spec, status)).unwrap()
    }

    #[test]
    fn a_registration_has_the_documented_fields() {
        assert_eq!(
            registration(&service(), InitialStatus::Passing),
            r#"{"ID":"app-host","Name":"app","Tags":["a","b"],"Port":80,"Address":"10.0.0.1","EnableTagOverride":false,"Check":{"TTL":"15s","Status":"passing","Notes":"TTL for app set by containerpilot"}}"#
        );
    }

    #[test]
    fn what_is_not_set_is_left_out_and_what_is_set_is_passed_on() {
        let spec = ServiceSpec {
            tags: Vec::new(),
            address: Ipv6Addr::LOCALHOST.into(),
            ttl: Duration::from_millis(1500),
            enable_tag_override: true,
            deregister_critical_after: Some("10m".to_owned()),
            ..service()
        };
        assert_eq!(
            registration(&spec, InitialStatus::Critical),
            r#"{"ID":"app-host","Name":"app","Port":80,"Address":"::1","EnableTagOverride":true,"Check":{"TTL":"1500ms","Status":"critical","Notes":"TTL for app set by containerpilot","DeregisterCriticalServiceAfter":"10m"}}"#
        );
    }

    #[test]
    fn a_heartbeat_is_what_consul_documents() {
        assert_eq!(
            serde_json::to_string(&PASSING).unwrap(),
            r#"{"Status":"passing","Output":"ok"}"#
        );
    }

    #[test]
    fn only_the_very_same_service_counts_as_ours() {
        let same = r#"{"ID":"app-host","Service":"app","Tags":["b","a","a"],"Port":80,"Address":"10.0.0.1","EnableTagOverride":false,"Meta":{}}"#;
        let is = |json: &str, spec: &ServiceSpec| {
            serde_json::from_str::<Registered>(json).unwrap().is(spec)
        };
        assert!(is(same, &service()));
        for (from, to) in [
            ("\"app\"", "\"other\""),
            ("80", "81"),
            ("80", "-1"),
            ("10.0.0.1", "10.0.0.2"),
            ("10.0.0.1", ""),
            ("false", "true"),
            ("\"b\",", ""),
            ("\"b\",", "\"b\",\"c\","),
            ("[\"b\",\"a\",\"a\"]", "null"),
        ] {
            let other = same.replace(from, to);
            assert_ne!(other, same, "{from}");
            assert!(!is(&other, &service()), "{other}");
        }
    }

    #[test]
    fn tags_that_others_may_override_are_not_compared() {
        let spec = ServiceSpec {
            enable_tag_override: true,
            ..service()
        };
        let found = r#"{"Service":"app","Tags":["theirs"],"Port":80,"Address":"10.0.0.1","EnableTagOverride":true}"#;
        assert!(serde_json::from_str::<Registered>(found).unwrap().is(&spec));
    }

    #[test]
    fn an_instance_without_an_address_has_that_of_its_node() {
        let entry = |address: &str, port: i64| {
            let json = format!(
                r#"[{{"Node":{{"Node":"n","Address":"192.168.0.1"}},"Service":{{"ID":"db-1","Service":"db","Address":"{address}","Port":{port}}},"Checks":[]}}]"#
            );
            serde_json::from_str::<Instances>(&json).unwrap()
        };
        let instance = |address: &str, port| {
            Instances(vec![Instance {
                id: "db-1".to_owned(),
                address: address.to_owned(),
                port,
            }])
        };
        assert_eq!(entry("10.0.0.9", 5432), instance("10.0.0.9", 5432));
        assert_eq!(entry("", 5432), instance("192.168.0.1", 5432));
        assert_eq!(entry("", 99_999), instance("192.168.0.1", 0));
    }

    #[test]
    fn no_list_is_an_empty_one_and_a_list_has_a_limit() {
        let parse = |json: &str| serde_json::from_str::<Instances>(json);
        for empty in ["[]", "null", " [ ] "] {
            assert_eq!(parse(empty).unwrap(), Instances(Vec::new()), "{empty}");
        }
        let entry = r#"{"Node":{"Address":"a"},"Service":{"ID":"i","Address":"","Port":1}}"#;
        let list = |count| format!("[{}]", vec![entry; count].join(","));
        assert_eq!(parse(&list(MOST)).unwrap().0.len(), MOST);
        let why = parse(&list(MOST + 1)).unwrap_err().to_string();
        assert!(why.starts_with("more than 10000 instances"), "{why}");
        for odd in ["{}", "7", "[{}]", r#"[{"Node":{},"Service":{}}]"#] {
            assert!(parse(odd).is_err(), "{odd}");
        }
    }

    #[test]
    fn no_answer_is_too_deep_for_the_stack_of_a_thread() {
        let deep = |open: &str, close: &str| open.repeat(100_000) + &close.repeat(100_000);
        let values = [
            deep("[", "]"),
            deep("{\"Node\":", "}"),
            deep("[{\"Service\":", ""),
            deep("[", ""),
        ];
        let read_all = move || {
            for value in &values {
                let unknown = format!("{{\"Meta\": {value}, \"Tags\": {value}}}");
                for answer in [value, &format!("[{unknown}]"), &unknown] {
                    assert!(serde_json::from_reader::<_, Instances>(answer.as_bytes()).is_err());
                    assert!(serde_json::from_reader::<_, Registered>(answer.as_bytes()).is_err());
                }
            }
            let meta = format!("\"Meta\": {}", deep("[", "]"));
            let entry = format!(
                "[{{{meta},\"Node\":{{\"Address\":\"a\"}},\"Service\":{{\"ID\":\"i\",\"Address\":\"\",\"Port\":1,{meta}}}}}]"
            );
            let instances = serde_json::from_reader::<_, Instances>(entry.as_bytes());
            assert_eq!(instances.unwrap().0.len(), 1);
        };
        let thread = std::thread::Builder::new().stack_size(crate::discovery::STACK);
        thread.spawn(read_all).unwrap().join().unwrap();
    }

    #[test]
    fn paths_carry_every_setting_and_escape_it() {
        let plain = WatchSpec {
            name: "db".into(),
            interval: Duration::from_secs(10),
            tag: None,
            datacenter: None,
        };
        assert_eq!(health_path(&plain, None), "/v1/health/service/db?passing=1");
        let full = WatchSpec {
            tag: Some("a&b ü".to_owned()),
            datacenter: Some("dc-1".to_owned()),
            ..plain
        };
        assert_eq!(
            health_path(&full, Some((42, Duration::from_millis(9411)))),
            "/v1/health/service/db?passing=1&tag=a%26b%20%C3%BC&dc=dc-1&index=42&wait=9411ms"
        );
    }
}
