//! With a real Consul: what the original's integration test shows, and that
//! telemetry is found, counted on, and gone at the end.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use serde_json::json;

use crate::scrape::{Scrape, get, somewhere, telemetry};
use crate::support::consul::Agent;
use crate::support::{Supervisor, binary, jobs, run};

const COUNTER: &str = "{ namespace: 'containerpilot', subsystem: 'app', name: 'some_counter', help: 'help', type: 'counter' }";

/// The supervisor of the original's test: an application, a sensor, a watch.
fn app_and_sensor(address: SocketAddr, agent: &Agent) -> Supervisor {
    jobs(
        r#"{ name: "app", port: 8000, interfaces: "static:10.1.2.3", exec: ["sleep", "1000"],
             health: { exec: "true", interval: 1, ttl: 5 } },
           { name: "sensor", when: { interval: "1s" }, restarts: 2,
             exec: ["sh", "-c", '"$PROGRAM" -putmetric containerpilot_app_some_counter=14 && echo pushed >>$FACTS'] }"#,
    )
    .env("PROGRAM", binary().to_str().unwrap())
    .setting("logging: { level: 'DEBUG' }")
    .setting(&format!("consul: '{}'", agent.http()))
    .setting("watches: [{ name: 'app', interval: 1 }]")
    .setting(&telemetry(address, COUNTER))
    .ready()
}

/// The id of the service as which telemetry is advertised.
fn own_id() -> String {
    let name = run(&mut crate::support::command::command("hostname")).success();
    format!("containerpilot-{}", name[0])
}

#[test]
fn the_originals_integration_test() {
    let Some(agent) = Agent::dev() else { return };
    let address = somewhere();
    let mut supervisor = app_and_sensor(address, &agent);
    supervisor.facts.expect(&["pushed"; 3]);
    supervisor
        .stdout
        .wait_for("event: {StatusHealthy, watch.app}");
    let scrape = Scrape::of(address);
    assert_eq!(scrape.value("containerpilot_app_some_counter"), 42.0);
    let watched = "containerpilot_watch_instances{service=\"app\"}";
    assert_eq!(scrape.value(watched), 1.0);
    let pushes = "containerpilot_control_http_requests{code=\"200\",path=\"/v3/metric\"}";
    assert_eq!(scrape.value(pushes), 3.0);
    let exits = "containerpilot_events{code=\"ExitSuccess\",source=\"sensor\"}";
    assert!(scrape.value(exits) >= 2.0);
    let metric = scrape.family("containerpilot_events");
    assert!(!metric.iter().any(|(event, _)| event.contains("\"Metric\"")));
    for family in [
        "containerpilot_events counter",
        "containerpilot_control_http_requests counter",
        "containerpilot_watch_instances gauge",
        "containerpilot_app_some_counter counter",
    ] {
        let line = format!("# TYPE {family}\n");
        assert!(scrape.text().contains(&line), "{family}");
    }
    supervisor.stdout.wait_for("event: {Stopped, sensor}");
    let status: serde_json::Value =
        serde_json::from_str(&get(address, "/status", "").body).unwrap();
    let (version, ip) = (env!("CARGO_PKG_VERSION"), address.ip());
    assert_eq!(
        status,
        json!({
            "Version": version,
            "Jobs": [{ "Name": "sensor", "Status": "completed" }],
            "Services": [
                { "Name": "app", "Address": "10.1.2.3", "Port": 8000, "Status": "healthy" },
                { "Name": "containerpilot", "Address": ip, "Port": 9090, "Status": "healthy" },
            ],
            "Watches": ["app"],
        })
    );

    let service = agent.get(&format!("/v1/agent/service/{}", own_id()));
    assert_eq!(service["Service"], "containerpilot");
    assert_eq!(service["Tags"], json!(["op", version]));
    assert_eq!(service["Address"], json!(ip));
    assert_eq!(service["Port"], 9090);
    let checks = agent.get("/v1/health/checks/containerpilot");
    assert_eq!(checks[0]["Status"], "passing");
    let notes = "TTL for containerpilot set by containerpilot";
    assert_eq!(checks[0]["Notes"], notes);

    assert_eq!(supervisor.terminate(), 0);
    assert_eq!(agent.get("/v1/agent/services"), json!({}));
}

#[test]
fn a_move_is_told_to_consul_without_a_moment_in_which_it_is_not_there() {
    let Some(agent) = Agent::dev() else { return };
    let (old, new) = (somewhere(), somewhere());
    let mut supervisor = app_and_sensor(old, &agent);
    agent.wait_for_status("containerpilot", Some("passing"));
    let (from, to) = (old.ip().to_string(), new.ip().to_string());
    supervisor.change_config(&from, &to);
    supervisor.client(&["-reload"]).success();
    let catalog = "/v1/catalog/service/containerpilot";
    agent.wait_until(catalog, |found| found[0]["ServiceAddress"] == to.as_str());
    agent.wait_for_status("containerpilot", Some("passing"));
    assert_eq!(agent.answered("/v1/agent/service/deregister/"), 0);
    assert_eq!(supervisor.terminate(), 0);
    agent.log().wait_for("/v1/agent/service/deregister/");
}

#[test]
fn a_heartbeat_every_5_seconds_keeps_it_passing_and_its_ttl_is_15_seconds() {
    let Some(agent) = Agent::dev() else { return };
    let address = somewhere();
    let supervisor = jobs(r#"{ name: "app", exec: ["sleep", "1000"] }"#)
        .setting(&format!("consul: '{}'", agent.http()))
        .setting(&telemetry(address, ""))
        .ready();
    let beat = format!("url=/v1/agent/check/update/service:{}", own_id());
    agent.wait_for_status("containerpilot", Some("passing"));
    agent.log().wait_for(&beat);
    let first = Instant::now();
    agent.log().wait_for(&beat);
    let second = Instant::now();
    let apart = second.duration_since(first);
    // Stopped, it cannot tell that it is well, as if it had crashed.
    supervisor.signal(libc::SIGSTOP);
    agent.wait_for_status("containerpilot", Some("critical"));
    let ttl = second.elapsed();
    supervisor.signal(libc::SIGCONT);
    agent.wait_for_status("containerpilot", Some("passing"));
    println!("heartbeats {apart:?} apart, critical after {ttl:?}");
    let second = Duration::from_secs(1);
    assert!(apart > 3 * second && apart < 12 * second, "{apart:?}");
    assert!(ttl > 12 * second && ttl < 25 * second, "{ttl:?}");
}

/// The values of `containerpilot_consul_requests_total` of one result.
fn requests(scrape: &Scrape, result: &str) -> Vec<f64> {
    ["register", "deregister", "verify", "heartbeat", "watch"]
        .map(|op| {
            let labels = format!("{{op=\"{op}\",result=\"{result}\"}}");
            scrape.value(&format!("containerpilot_consul_requests_total{labels}"))
        })
        .to_vec()
}

#[test]
fn requests_to_consul_are_counted_as_consul_counts_them() {
    let Some(mut agent) = Agent::dev() else {
        return;
    };
    let address = somewhere();
    let supervisor = app_and_sensor(address, &agent);
    supervisor
        .stdout
        .wait_for("event: {StatusHealthy, watch.app}");
    // From here on nothing is registered and no heartbeat comes.
    supervisor.client(&["-maintenance", "enable"]).success();
    let ends = [
        "deregistered service",
        "event: {StatusUnhealthy, watch.app}",
    ];
    for _both_services_and_the_watch in 0..3 {
        supervisor.stdout.wait_for_any(&ends);
    }
    for _service in 0..2 {
        agent.log().wait_for("/v1/agent/service/deregister/");
    }
    let scrape = Scrape::of(address);
    let answered =
        |method: &str, path: &str| agent.answered(&format!("method={method} url={path}")) as f64;
    let counted = requests(&scrape, "success");
    assert_eq!(counted[0], answered("PUT", "/v1/agent/service/register"));
    assert_eq!(counted[1], answered("PUT", "/v1/agent/service/deregister/"));
    assert_eq!(counted[1], 2.0);
    assert_eq!(counted[2], answered("GET", "/v1/agent/service/"));
    assert_eq!(counted[3], answered("PUT", "/v1/agent/check/update/"));
    assert!(counted[4] >= 2.0, "{counted:?}");
    assert_eq!(requests(&scrape, "failure"), [0.0; 5]);
    assert_eq!(
        scrape.value("containerpilot_watch_instances{service=\"app\"}"),
        0.0
    );

    agent.kill();
    supervisor.client(&["-maintenance", "disable"]).success();
    supervisor.stdout.wait_for("cannot reach consul");
    let failed = requests(&Scrape::of(address), "failure");
    assert!(failed.iter().sum::<f64>() >= 1.0, "{failed:?}");
    assert_eq!(failed[1], 0.0, "nothing was to be deregistered");
    agent.revive();
    supervisor.stdout.wait_for("can be reached again");
    agent.wait_for_status("containerpilot", Some("passing"));
    agent.wait_for_status("app", Some("passing"));

    // A watch that ends with a reload has not failed.
    let failed = requests(&Scrape::of(address), "failure")[4];
    supervisor.change_config("name: 'app', interval: 1", "name: 'db', interval: 1");
    supervisor.client(&["-reload"]).success();
    supervisor
        .stdout
        .wait_for("event: {StatusUnhealthy, watch.db}");
    let scrape = Scrape::of(address);
    assert_eq!(requests(&scrape, "failure")[4], failed);
    scrape.expect(
        "containerpilot_watch_instances",
        &[("{service=\"db\"}", 0.0)],
    );
}
