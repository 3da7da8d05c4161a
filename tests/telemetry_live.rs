//! Telemetry of the real binary: pushed metrics, what is counted by itself, and
//! the status page.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test that cannot set up its world must fail loudly"
)]

mod support;

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::{AtomicU8, Ordering};

use serde_json::Value;
use support::http::Response;
use support::supervisor::Start;
use support::{PATIENCE, Supervisor, jobs};

/// A world with one metric of each type.
fn world() -> Start {
    // Of all the loopback addresses, one that no other test uses.
    let [_, high, middle, low] = std::process::id().to_be_bytes();
    static NEXT: AtomicU8 = AtomicU8::new(1);
    let next = NEXT.fetch_add(1, Ordering::Relaxed);
    let address = format!("127.{}.{middle}.{low}", high.wrapping_add(next));
    jobs(
        r#"{ name: "app", exec: ["sleep", "1000"], health: { exec: "true", interval: 1, ttl: 5 } },
           { name: "setup", exec: "true" },
           { name: "ready", when: { source: "app", once: "healthy" }, exec: ["sh", "-c", "echo healthy >>$FACTS"] }"#,
    )
    .setting(
        &r#"telemetry: { port: 9090, interfaces: ["static:ADDRESS"], metrics: [
             { namespace: "my", name: "hits", help: "hits", type: "counter" },
             { namespace: "my", name: "depth", help: "depth", type: "gauge" },
             { namespace: "my", name: "size", help: "size", type: "histogram" },
             { namespace: "my", name: "delay", help: "delay", type: "summary" } ] }"#
            .replace("ADDRESS", &address),
    )
}

/// Where telemetry listens, as the log says.
#[track_caller]
fn address(supervisor: &Supervisor) -> SocketAddr {
    let line = supervisor.stdout.wait_for("telemetry listens on ");
    line.rsplit(' ').next().unwrap().parse().unwrap()
}

#[track_caller]
fn get(address: SocketAddr, path: &str) -> String {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    write!(
        stream,
        "GET {path} HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n"
    )
    .unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).unwrap();
    let response = Response::parse(&answer);
    assert_eq!(response.status, 200, "{response:?}");
    response.body
}

/// Fails unless every one of `lines` is a line of the page.
#[track_caller]
fn assert_lines(page: &str, lines: &[&str]) {
    for line in lines {
        assert!(
            page.lines().any(|other| other == *line),
            "{line:?} expected:\n{page}"
        );
    }
}

#[test]
fn pushed_values_are_exported_by_their_type() {
    let supervisor = world().ready();
    let address = address(&supervisor);
    let first = r#"{"my_hits": 2, "my_depth": 42.42, "my_size": 0.3, "my_delay": 7}"#;
    assert_eq!(supervisor.http("POST", "/v3/metric", first).status, 200);
    let outcome = supervisor.client(&["-putmetric", "my_hits=3", "-putmetric=my_depth=1.5"]);
    assert_eq!(outcome.success(), Vec::<String>::new());
    assert_lines(
        &get(address, "/metrics"),
        &[
            "# TYPE my_hits counter",
            "my_hits 5",
            "my_depth 1.5",
            "my_size_bucket{le=\"0.25\"} 0",
            "my_size_bucket{le=\"0.5\"} 1",
            "my_size_count 1",
            "my_delay{quantile=\"0.99\"} 7",
            "my_delay_sum 7",
        ],
    );
}

#[test]
fn a_refused_push_changes_nothing_at_all() {
    let supervisor = world().ready();
    let address = address(&supervisor);
    let bodies = [
        r#"{"my_hits": 1, "unknown_one": 1, "unknown_two": 1}"#,
        r#"{"my_hits": 1, "my_depth": "deep"}"#,
        r#"{"my_hits": -1, "my_depth": 1}"#,
        r#"{"my_depth": 1, "my_hits": null}"#,
    ];
    for body in bodies {
        let response = supervisor.http("POST", "/v3/metric", body);
        assert_eq!(response.status, 400, "{body}: {response:?}");
        assert_ne!(response.body, "");
    }
    let response = supervisor.http("POST", "/v3/metric", bodies[0]);
    assert!(response.body.contains("unknown_one") && response.body.contains("unknown_two"));
    assert_lines(&get(address, "/metrics"), &["my_hits 0", "my_depth 0"]);
}

#[test]
fn values_survive_a_reload_and_the_port_stays_open() {
    let supervisor = world().ready();
    let address = address(&supervisor);
    supervisor.http("POST", "/v3/metric", r#"{"my_hits": 2, "my_depth": 3}"#);
    supervisor.change_config(r#"{ name: "setup", exec: "true" },"#, "");
    assert_eq!(supervisor.http("POST", "/v3/reload", "").status, 200);
    assert_lines(&get(address, "/metrics"), &["my_hits 2", "my_depth 3"]);
}

#[test]
fn events_and_requests_are_counted() {
    let mut supervisor = world().ready();
    let address = address(&supervisor);
    supervisor.facts.expect(&["healthy"]);
    supervisor.http("GET", "/nowhere", "");
    supervisor.http("POST", "/v3/maintenance/enable", "");
    supervisor.http("POST", "/v3/maintenance/enable", "");
    assert_lines(
        &get(address, "/metrics"),
        &[
            "containerpilot_events{code=\"Startup\",source=\"global\"} 1",
            "containerpilot_events{code=\"ExitSuccess\",source=\"setup\"} 1",
            "containerpilot_events{code=\"EnterMaintenance\",source=\"global\"} 1",
            "containerpilot_control_http_requests{code=\"404\",path=\"other\"} 1",
            "containerpilot_control_http_requests{code=\"200\",path=\"/v3/maintenance/enable\"} 2",
        ],
    );
}

#[test]
fn the_status_page_shows_every_job() {
    let mut supervisor = world().ready();
    let address = address(&supervisor);
    supervisor.facts.expect(&["healthy"]);
    let page: Value = serde_json::from_str(&get(address, "/status")).unwrap();
    let version = supervisor.client(&["-version"]).success();
    assert_eq!(
        version[0],
        format!("Version: {}", page["Version"].as_str().unwrap())
    );
    let jobs = page["Jobs"].as_array().unwrap();
    let app = jobs.iter().find(|job| job["Name"] == "app").unwrap();
    assert_eq!(app["Status"], "healthy");
    let setup = jobs.iter().find(|job| job["Name"] == "setup").unwrap();
    assert_eq!(setup["Status"], "completed");
    supervisor.http("POST", "/v3/maintenance/enable", "");
    let page: Value = serde_json::from_str(&get(address, "/status")).unwrap();
    let jobs = page["Jobs"].as_array().unwrap();
    let app = jobs.iter().find(|job| job["Name"] == "app").unwrap();
    assert_eq!(app["Status"], "maintenance");
}
