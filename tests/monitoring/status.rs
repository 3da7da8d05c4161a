//! `GET /status` of the real binary: true at every moment.

use serde_json::{Value, json};

use crate::scrape::{get, request, somewhere, telemetry};
use crate::support::consul::nobody;
use crate::support::{Gate, jobs, processes};

/// The status of every job and service, as `NAME: STATUS`.
#[track_caller]
fn statuses(address: std::net::SocketAddr) -> Value {
    let response = get(address, "/status", "");
    assert_eq!(response.status, 200, "{response:?}");
    let status: Value = serde_json::from_str(&response.body).unwrap();
    let lists = ["Jobs", "Services"].map(|list| status[list].as_array().unwrap());
    let all = lists.into_iter().flatten();
    all.map(|job| {
        let name = job["Name"].as_str().unwrap().to_owned();
        (name, job["Status"].clone())
    })
    .collect()
}

#[test]
fn every_change_of_a_job_shows_at_once() {
    let address = somewhere();
    let start = jobs(
        r#"{ name: "web", port: 8000, interfaces: "static:10.1.2.3", restarts: "unlimited",
             exec: ["sh", "-c", "echo web $$ >>$FACTS; exec sleep 1000"],
             health: { interval: 1, ttl: 5, timeout: "60s",
                       exec: ["sh", "-c", "read result <$DIR/checks; test $result = go"] } },
           { name: "once", exec: ["sh", "-c", "echo once $$ >>$FACTS; exec sleep 1000"] },
           { name: "done", exec: "true" },
           { name: "last", when: { source: "web", once: "stopped" }, exec: ["sh", "-c", "echo last >>$FACTS; read go <$GATE"] }"#,
    )
    .setting("logging: { level: 'DEBUG' }")
    .setting(&format!("consul: '{}'", nobody()))
    .setting("watches: [{ name: 'db', interval: 1 }]")
    .setting("stopTimeout: 60")
    .setting(&telemetry(address, ""));
    let mut checks = Gate::open(&start.directory().fifo("checks"));
    let mut supervisor = start.ready();
    let log = supervisor.stdout.clone();
    let expect = |web: &str, once: &str, last: &str, own: &str| {
        assert_eq!(
            statuses(address),
            json!({ "web": web, "once": once, "done": "completed", "last": last, "containerpilot": own })
        );
    };
    let mut told = [supervisor.facts.next(), supervisor.facts.next()];
    told.sort();
    let [once, web] = told.map(|fact| fact.split_once(' ').unwrap().1.parse().unwrap());
    log.wait_for("event: {Stopped, done}");
    expect("unknown", "unknown", "unknown", "healthy");
    checks.release();
    log.wait_for("event: {StatusHealthy, web}");
    expect("healthy", "unknown", "unknown", "healthy");

    // By hand: nobody told the supervisor.
    processes::signal(web, libc::SIGKILL);
    log.wait_for("event: {ExitFailed, web}");
    expect("unknown", "unknown", "unknown", "healthy");
    processes::signal(once, libc::SIGKILL);
    log.wait_for("event: {Stopped, once}");
    expect("unknown", "completed", "unknown", "healthy");
    checks.release();
    log.wait_for("event: {StatusHealthy, web}");
    expect("healthy", "completed", "unknown", "healthy");

    supervisor.client(&["-maintenance", "enable"]).success();
    expect("maintenance", "completed", "maintenance", "maintenance");
    supervisor.client(&["-maintenance", "disable"]).success();
    expect("unknown", "completed", "unknown", "healthy");

    supervisor.signal(libc::SIGTERM);
    supervisor.facts.until("last");
    expect("completed", "completed", "unknown", "completed");
    supervisor.gate.release();
    assert_eq!(supervisor.wait_exit(), 0);
}

#[test]
fn the_page_is_the_originals() {
    let address = somewhere();
    let supervisor = jobs(
        r#"{ name: "web", port: "8000", interfaces: "static:10.1.2.3",
             exec: ["sleep", "1000"], health: { exec: "true", interval: 60, ttl: 90 } },
           { name: "sensor", exec: ["sleep", "1000"] }"#,
    )
    .setting(&format!("consul: '{}'", nobody()))
    .setting("watches: [{ name: 'db', interval: 1 }, { name: 'cache', interval: 1 }]")
    .setting(&telemetry(address, ""))
    .ready();
    let response = get(address, "/status", "Accept-Encoding: gzip\r\n");
    assert_eq!(response.header("content-type"), Some("application/json"));
    assert_eq!(response.header("content-encoding"), None);
    let (version, ip) = (env!("CARGO_PKG_VERSION"), address.ip());
    assert_eq!(
        response.body,
        format!(
            r#"{{"Version":"{version}","Jobs":[{{"Name":"sensor","Status":"unknown"}}],"Services":[{{"Name":"web","Address":"10.1.2.3","Port":8000,"Status":"unknown"}},{{"Name":"containerpilot","Address":"{ip}","Port":9090,"Status":"healthy"}}],"Watches":["db","cache"]}}{}"#,
            "\n"
        )
    );
    drop(supervisor);
}

#[test]
fn there_are_two_pages_to_be_read_and_nothing_else() {
    let address = somewhere();
    let supervisor = jobs(r#"{ name: "app", exec: ["sleep", "1000"] }"#)
        .setting(&telemetry(address, ""))
        .ready();
    for path in ["/metrics", "/status"] {
        let head = request(address, &format!("HEAD {path}"), "");
        assert_eq!((head.status, head.body.as_str()), (200, ""), "{path}");
        assert_ne!(head.header("content-length"), Some("0"), "{path}");
        let refused = request(address, &format!("POST {path}"), "Content-Length: 0\r\n");
        assert_eq!(refused.status, 405, "{path}");
        assert_eq!(refused.header("allow"), Some("GET, HEAD"), "{path}");
    }
    let text = get(address, "/metrics", "Accept-Encoding: gzip\r\n");
    assert_eq!(text.header("content-encoding"), None);
    let format = "text/plain; version=0.0.4; charset=utf-8";
    assert_eq!(text.header("content-type"), Some(format));
    let open = get(
        address,
        "/metrics",
        "Accept: application/openmetrics-text\r\n",
    );
    let format = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    assert_eq!(open.header("content-type"), Some(format));
    for path in ["/", "/v3/ping", "/metrics/", "/Status"] {
        assert_eq!(get(address, path, "").status, 404, "{path}");
    }
    drop(supervisor);
}
