//! Services and watches as an operator sees them: the real binary and the real
//! Consul.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test that cannot set up its world must fail loudly"
)]

mod support;

use std::fs;
use std::time::{Duration, Instant};

use serde_json::json;
use support::consul::{Agent, Start};
use support::{Supervisor, jobs};

/// A job that is well while `$DIR/well` exists: checked every second, with a TTL
/// of two.
const APP: &str = r#"{
    name: "app", exec: "sleep 1000", port: 8000, interfaces: "static:10.1.2.3", tags: ["blue"],
    health: { exec: ["test", "-e", "${WELL}"], interval: 1, ttl: 2 },
}"#;

/// `APP`, with a supervisor's own file for its health.
fn app(agent: &Agent, more: &str) -> Supervisor {
    let well = agent.directory().join("well");
    let job = APP.replace("${WELL}", well.to_str().unwrap());
    jobs(&format!("{job},\n{more}"))
        .setting(&format!("consul: \"{}\"", agent.http()))
        .ready()
}

fn set_well(agent: &Agent, is_well: bool) {
    let file = agent.directory().join("well");
    if is_well {
        fs::write(file, "").unwrap();
    } else {
        fs::remove_file(file).unwrap();
    }
}

fn host() -> String {
    let name = fs::read_to_string("/proc/sys/kernel/hostname").unwrap();
    name.trim().to_owned()
}

#[test]
fn a_service_follows_the_health_of_its_job_and_leaves_before_it() {
    let Some(agent) = Agent::dev() else { return };
    let mut supervisor = app(&agent, "");
    set_well(&agent, true);
    agent.wait_for_status("app", Some("passing"));
    let services = agent.get("/v1/agent/services");
    let id = format!("app-{}", host());
    let found = &services[&id];
    assert_eq!(found["Service"], "app");
    assert_eq!(found["Address"], "10.1.2.3");
    assert_eq!(found["Port"], 8000);
    assert_eq!(found["Tags"], json!(["blue"]));

    let ill = Instant::now();
    set_well(&agent, false);
    agent.wait_for_status("app", Some("critical"));
    let took = ill.elapsed();
    // The last heartbeat was up to an interval before.
    assert!(took > Duration::from_millis(950), "critical after {took:?}");
    assert!(took < Duration::from_secs(4), "critical after {took:?}");
    set_well(&agent, true);
    agent.wait_for_status("app", Some("passing"));

    let told = Instant::now();
    supervisor.signal(libc::SIGTERM);
    agent.wait_for_status("app", None);
    let took = told.elapsed();
    assert!(took < Duration::from_secs(1), "withdrawn after {took:?}");
    assert_eq!(supervisor.wait_exit(), 0);
}

#[test]
fn a_job_that_completes_is_withdrawn_before_it_is_terminated() {
    let Some(agent) = Agent::dev() else { return };
    let script = r#"trap 'echo terminated >>$FACTS; read go <$DIR/leave; exit 0' TERM; echo up >>$FACTS; while :; do sleep 1000 & wait; done"#;
    let mut supervisor = jobs(&format!(
        r#"{{ name: "slow", exec: ["sh", "-c", {script:?}], port: 1, interfaces: "static:10.1.2.3",
            initial_status: "passing", health: {{ interval: 1, ttl: 60 }} }}"#
    ))
    .setting(&format!("consul: \"{}\"", agent.http()))
    .setting("stopTimeout: 30")
    .ready();
    let leave = supervisor.directory().fifo("leave");
    supervisor.facts.expect(&["up"]);
    agent.wait_for_status("slow", Some("passing"));
    supervisor.signal(libc::SIGTERM);
    supervisor.facts.expect(&["terminated"]);
    assert_eq!(agent.get("/v1/catalog/service/slow"), json!([]));
    fs::write(leave, "go\n").unwrap();
    assert_eq!(supervisor.wait_exit(), 0);
}

#[test]
fn an_agent_restarted_empty_knows_the_service_again_within_an_interval_and_a_second() {
    let Some(mut agent) = Agent::dev() else {
        return;
    };
    let mut supervisor = app(&agent, "");
    set_well(&agent, true);
    agent.wait_for_status("app", Some("passing"));
    agent.kill();
    supervisor.stdout.wait_for("cannot reach consul at ");
    agent.revive();
    let back = Instant::now();
    agent.wait_for_status("app", Some("passing"));
    let took = back.elapsed();
    assert!(took < Duration::from_secs(2), "registered after {took:?}");
    supervisor.stdout.wait_for("can be reached again");
    let lines = supervisor.stdout.all();
    let outages = lines.iter().filter(|line| line.contains("reach"));
    assert_eq!(outages.count(), 2, "{lines:#?}");
    assert_eq!(supervisor.terminate(), 0);
}

#[test]
fn what_an_operator_did_to_it_is_undone_at_the_next_check() {
    let Some(agent) = Agent::dev() else { return };
    let _supervisor = app(&agent, "");
    set_well(&agent, true);
    agent.wait_for_status("app", Some("passing"));
    let id = format!("app-{}", host());
    agent.put(&format!("/v1/agent/service/deregister/{id}"), "");
    agent.wait_for_status("app", Some("passing"));
    let body = format!(r#"{{"ID":"{id}","Name":"app","Port":1,"Address":"10.9.9.9"}}"#);
    agent.put("/v1/agent/service/register", &body);
    let found = agent.wait_until("/v1/catalog/service/app", |found| {
        found[0]["ServicePort"] == 8000
    });
    assert_eq!(found[0]["ServiceAddress"], "10.1.2.3");
}

#[test]
fn in_maintenance_nothing_is_registered_and_afterwards_everything_again() {
    let Some(agent) = Agent::dev() else { return };
    let eager = r#"{
        name: "eager", exec: ["sh", "-c", "echo run >>$FACTS; sleep 0.2"], restarts: "unlimited", port: 1,
        interfaces: "static:10.1.2.3", initial_status: "passing", health: { interval: 1, ttl: 60 },
    }"#;
    let mut supervisor = app(&agent, eager);
    set_well(&agent, true);
    for service in ["app", "eager"] {
        agent.wait_for_status(service, Some("passing"));
    }
    let answer = supervisor.client(&["-maintenance", "enable"]).success();
    assert!(answer.is_empty(), "{answer:?}");
    for service in ["app", "eager"] {
        agent.wait_for_status(service, None);
    }
    let registered = agent.answered("url=/v1/agent/service/register");
    supervisor.facts.rest();
    for _ in 0..5 {
        supervisor.facts.expect(&["run"]);
    }
    assert_eq!(agent.answered("url=/v1/agent/service/register"), registered);
    supervisor.client(&["-maintenance", "disable"]).success();
    for service in ["app", "eager"] {
        agent.wait_for_status(service, Some("passing"));
    }
}

#[test]
fn a_watch_turns_changes_into_events() {
    let Some(agent) = Agent::dev() else { return };
    let on = |event: &str| {
        format!(
            r#"{{ name: "on-{event}", exec: ["sh", "-c", "echo {event} >>$FACTS"], when: {{ source: "watch.db", each: "{event}" }} }}"#
        )
    };
    let mut supervisor = jobs(&["changed", "healthy", "unhealthy"].map(on).join(",\n"))
        .setting(&format!("consul: \"{}\"", agent.http()))
        .setting(r#"watches: [{ name: "db", interval: 30 }]"#)
        .ready();
    supervisor.facts.expect(&["unhealthy"]);
    let enter = |port: u16| {
        let body = format!(r#"{{"ID":"db-1","Name":"db","Port":{port}}}"#);
        agent.put("/v1/agent/service/register", &body);
    };
    for port in [1, 2] {
        enter(port);
        supervisor.facts.expect_set(&["changed", "healthy"]);
    }
    enter(2);
    agent.put("/v1/agent/service/deregister/db-1", "");
    supervisor.facts.expect_set(&["changed", "unhealthy"]);
    assert_eq!(supervisor.terminate(), 0);
    assert_eq!(supervisor.facts.rest(), [""; 0]);
}

#[test]
fn an_agent_that_is_itself_a_job_is_told_before_it_is_terminated() {
    let Some(server) = Start::server(1).ready() else {
        return;
    };
    // It would take its node out of the catalog when it is terminated.
    let agent = Start::client()
        .join(&[server.address()])
        .settings(r#"{"leave_on_terminate":false}"#);
    let http = format!("{}:8500", agent.address());
    let words = agent.words().unwrap();
    let job = r#"{ name: "app", exec: "sleep 1000", port: 1, interfaces: "static:10.1.2.3", health: { interval: 1, ttl: 60 } }"#;
    let mut supervisor = jobs(&format!("{{ name: \"consul\", exec: {words:?} }},\n{job}"))
        .setting(&format!("consul: \"{http}\""))
        .ready();
    server.wait_for_status("app", Some("passing"));
    let told = Instant::now();
    supervisor.signal(libc::SIGTERM);
    server.wait_for_status("app", None);
    let took = told.elapsed();
    assert!(took < Duration::from_secs(1), "withdrawn after {took:?}");
    assert_eq!(supervisor.wait_exit(), 0);
    assert_eq!(server.get("/v1/catalog/service/app"), json!([]));
}

#[test]
fn telemetry_is_a_service_too() {
    let Some(agent) = Agent::dev() else { return };
    let mut supervisor = jobs(r#"{ name: "a", exec: "sleep 1000" }"#)
        .setting(&format!("consul: \"{}\"", agent.http()))
        .setting(&format!(
            r#"telemetry: {{ port: 9090, interfaces: "static:{}", tags: ["t"] }}"#,
            agent.address()
        ))
        .ready();
    agent.wait_for_status("containerpilot", Some("passing"));
    let found = &agent.get("/v1/catalog/service/containerpilot")[0];
    assert_eq!(found["ServicePort"], 9090);
    assert_eq!(found["ServiceAddress"], agent.address().to_string());
    assert_eq!(
        found["ServiceTags"],
        json!(["t", env!("CARGO_PKG_VERSION")])
    );
    assert_eq!(supervisor.terminate(), 0);
    agent.wait_for_status("containerpilot", None);
}

#[test]
fn a_reload_to_another_consul_moves_everything_there() {
    let Some(one) = Agent::dev() else { return };
    let Some(two) = Agent::dev() else { return };
    let mut supervisor = app(&one, "");
    set_well(&one, true);
    one.wait_for_status("app", Some("passing"));
    let text = fs::read_to_string(supervisor.config()).unwrap();
    let text = text.replace(&one.http(), &two.http());
    fs::write(supervisor.config(), text).unwrap();
    supervisor.client(&["-reload"]).success();
    two.wait_for_status("app", Some("passing"));
    one.wait_for_status("app", None);
    assert_eq!(supervisor.terminate(), 0);
    two.wait_for_status("app", None);
}
