//! Two hosts with an agent and a supervisor each: what happens on one is seen on
//! the other, and what happens to the cable is not.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test that cannot set up its world must fail loudly"
)]

mod support;

use std::net::Ipv4Addr;

use support::consul::Start;
use support::network::Cable;
use support::{Supervisor, jobs};

/// A supervisor on a host, next to the agent there.
fn supervisor(host: (&str, Ipv4Addr), jobs_text: &str, setting: &str) -> Supervisor {
    jobs(jobs_text)
        .setting(&format!("consul: \"{}:8500\"", host.1))
        .setting(setting)
        .through(&["ip", "netns", "exec", host.0])
        .ready()
}

/// A healthy service `db`, without a heartbeat for two seconds at most.
fn database(host: (&str, Ipv4Addr)) -> Supervisor {
    let job = format!(
        r#"{{ name: "db", exec: "sleep 1000", port: 5432, interfaces: "static:{}",
            health: {{ exec: "true", interval: 1, ttl: 2 }} }}"#,
        host.1
    );
    supervisor(host, &job, "stopTimeout: 5")
}

/// Writes down every event of the watch.
fn observer(host: (&str, Ipv4Addr)) -> Supervisor {
    let on = |event: &str| {
        format!(
            r#"{{ name: "on-{event}", exec: ["sh", "-c", "echo {event} >>$FACTS"], when: {{ source: "watch.db", each: "{event}" }} }}"#
        )
    };
    let jobs = ["changed", "healthy", "unhealthy"].map(on).join(",\n");
    supervisor(host, &jobs, r#"watches: [{ name: "db", interval: 2 }]"#)
}

#[test]
fn a_watch_follows_a_service_of_another_host_through_everything() {
    let Some(cable) = Cable::new() else { return };
    let (left, right) = (cable.host(0), cable.host(1));
    let server = Start::server(1).at(left.1).in_network(left.0);
    let Some(_server) = server.ready() else {
        return;
    };
    let client = Start::client().at(right.1).in_network(right.0);
    let _client = client.join(&[left.1]).ready().unwrap();

    let mut observer = observer(right);
    observer.facts.expect(&["unhealthy"]);
    let mut stopped = database(left);
    observer.facts.expect_set(&["changed", "healthy"]);
    assert_eq!(stopped.terminate(), 0);
    observer.facts.expect_set(&["changed", "unhealthy"]);

    let killed = database(left);
    observer.facts.expect_set(&["changed", "healthy"]);
    killed.signal(libc::SIGKILL);
    observer.facts.expect_set(&["changed", "unhealthy"]);

    let mut survivor = database(left);
    observer.facts.expect_set(&["changed", "healthy"]);
    cable.plug(false);
    let complaints = ["cannot reach consul", "consul refuses watch"];
    observer.stdout.wait_for_any(&complaints);
    cable.plug(true);
    observer.stdout.wait_for("again");
    assert_eq!(survivor.terminate(), 0);
    observer.facts.expect_set(&["changed", "unhealthy"]);
    assert_eq!(observer.terminate(), 0);
    assert_eq!(observer.facts.rest(), [""; 0]);
}
