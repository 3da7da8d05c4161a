//! A Consul that is away, slow or insane: said once, survived, and over as soon
//! as it is well again.

use std::net::TcpListener;
use std::sync::Arc;
use std::time::{Duration, Instant};

use containerpilot::config::WatchSpec;

use crate::log;
use crate::support::SOON;
use crate::support::consul::nobody;
use crate::support::fake_consul::{Fake, Mood};
use crate::world::{World, service, watch};

/// The longest that a recovery may take: the cap of the back-off, and one
/// request that began before it.
const RECOVERY: Duration = Duration::from_secs(15 + 5);

/// A service is wished for while a server has this mood; then it becomes well.
/// Returns how long it took to notice each, and the lines about the server.
fn suffer(mood: Mood, name: &str) -> Vec<String> {
    let fake = Fake::start(mood);
    let world = World::at(&fake.http());
    world.beat(&Arc::new(service(name)));
    let why = world.facts.reachable().unwrap_err();
    assert!(!why.is_empty());
    fake.set(Mood::Well);
    let start = Instant::now();
    assert_eq!(world.facts.reachable(), Ok(()));
    let took = start.elapsed();
    assert!(took < RECOVERY, "{mood:?}: recovered after {took:?}");
    log::wait_for(&format!("\"{name}-host\""), 1);
    assert_eq!(
        log::about(&format!("\"{name}-host\"")),
        [format!(
            "INFO registered service \"{name}-host\" at 127.0.0.1:80"
        )]
    );
    log::about(&fake.http())
}

#[track_caller]
fn assert_one_outage(lines: &[String], reason: &str) {
    assert_eq!(lines.len(), 2, "{lines:#?}");
    assert!(
        lines[0].starts_with("WARN cannot reach consul at "),
        "{lines:#?}"
    );
    assert!(lines[0].contains(reason), "{lines:#?}");
    assert!(lines[1].starts_with("INFO consul at "), "{lines:#?}");
    assert!(lines[1].ends_with(" can be reached again"), "{lines:#?}");
}

#[test]
fn one_that_never_answers() {
    let lines = suffer(Mood::Silent, "silent");
    assert_one_outage(&lines, "no answer within 5s");
}

#[test]
fn one_that_resets_connections() {
    let lines = suffer(Mood::Reset, "reset");
    assert_one_outage(&lines, "onnection reset by peer");
}

#[test]
fn one_that_does_not_speak_http() {
    let lines = suffer(Mood::Garbage, "garbage");
    assert_one_outage(&lines, "the answer is not HTTP");
}

#[test]
fn nobody_at_all() {
    let address = nobody();
    let world = World::at(&address.to_string());
    world.beat(&Arc::new(service("nobody")));
    let why = world.facts.reachable().unwrap_err();
    assert!(why.contains("onnection refused"), "{why}");
    let fake = Fake::start_at(address, Mood::Well);
    assert_eq!(world.facts.reachable(), Ok(()));
    fake.wait_for("PUT /v1/agent/service/register ");
}

#[test]
fn a_name_that_does_not_resolve() {
    let world = World::at("no-such-host.invalid:8500");
    world.beat(&Arc::new(service("nowhere")));
    assert!(world.facts.reachable().is_err());
    assert!(world.end() < SOON);
}

#[test]
fn refusals_of_every_kind_are_said_once_and_tried_again() {
    for status in [301, 400, 403, 429, 500, 503] {
        let fake = Fake::start(Mood::Status(status));
        let world = World::at(&fake.http());
        let name = format!("refused{status}");
        let app = Arc::new(service(&name));
        world.beat(&app);
        for _ in 0..3 {
            fake.wait_for("PUT /v1/agent/service/register ");
        }
        fake.set(Mood::Well);
        let lines = log::wait_for(&format!("\"{name}-host\""), 2);
        let refused =
            format!("WARN consul refuses to register service \"{name}-host\": {status} because");
        assert!(lines[0].starts_with(&refused), "{lines:#?}");
        let registered = format!("INFO registered service \"{name}-host\" at 127.0.0.1:80");
        assert_eq!(lines[1..], [registered]);
        assert_eq!(log::about(&fake.http()), [""; 0], "it could be reached");
    }
}

#[test]
fn nonsense_half_an_answer_and_too_much_of_one_change_no_watch() {
    for (mood, reason) in [
        (Mood::Nonsense, "the answer makes no sense"),
        (Mood::Half, "isconnected"),
        (Mood::Endless, "more than 10000 instances"),
        (Mood::Blank, "the answer is larger than 8388608 bytes"),
        (Mood::Silent, "no answer within 10s"),
        (Mood::Reset, "onnection reset"),
        (Mood::Garbage, "the answer is not HTTP"),
    ] {
        let fake = Fake::start(mood);
        let mut world = World::at(&fake.http());
        world.watch("faulty");
        let why = world.facts.reachable().unwrap_err();
        assert!(why.contains(reason), "{mood:?}: {why}");
        if matches!(mood, Mood::Endless | Mood::Blank) {
            let taken = fake.taken();
            assert!(taken < 16_000_000, "{taken} bytes were taken in");
        }
        world.facts.assert_no_more();
        fake.set(Mood::Well);
        assert_eq!(world.facts.reachable(), Ok(()), "{mood:?}");
        assert_eq!(world.facts.instances(), [], "{mood:?}");
    }
}

#[test]
fn an_endless_answer_to_a_heartbeat_is_cut_off() {
    let fake = Fake::start(Mood::Endless);
    let world = World::at(&fake.http());
    world.beat(&Arc::new(service("flooded")));
    let taken = fake.taken();
    assert!(taken < 16_000_000, "{taken} bytes were taken in");
}

#[test]
fn stopping_does_not_wait_for_a_silent_server() {
    let fake = Fake::start(Mood::Silent);
    let mut world = World::at(&fake.http());
    world.watch("stuck");
    fake.wait_for("GET /v1/health/service/stuck");
    world.beat(&Arc::new(service("stuck")));
    fake.wait_for("PUT /v1/agent/service/register");
    let start = Instant::now();
    let took = world.end();
    assert!(took < SOON, "threads lived for {took:?}");
    assert!(start.elapsed() < SOON);
    assert_eq!(log::about(&fake.http()), [""; 0], "stopping is no outage");
}

#[test]
fn withdrawing_from_a_server_known_to_be_silent_is_given_up_at_once() {
    let fake = Fake::start(Mood::Silent);
    let world = World::at(&fake.http());
    let app = Arc::new(service("gone"));
    world.beat(&app);
    assert!(world.facts.reachable().is_err());
    let start = Instant::now();
    world.withdraw(&app);
    assert_eq!(world.facts.withdrawn(), (app.id.clone(), false));
    // A try that was under way may come to its end first.
    assert!(start.elapsed() < 2 * SOON);
    fake.set(Mood::Well);
    fake.wait_for("PUT /v1/agent/service/deregister/gone-host ");
}

#[test]
fn many_services_come_back_together() {
    let fake = Fake::start(Mood::Reset);
    let world = World::at(&fake.http());
    let apps: Vec<_> = (0..50)
        .map(|n| Arc::new(service(&format!("many{n}"))))
        .collect();
    for app in &apps {
        world.beat(app);
    }
    assert!(world.facts.reachable().is_err());
    let tries = fake.requests();
    // A connection that is cut is tried twice.
    assert!(tries <= 4, "{tries} tries for one outage");
    fake.set(Mood::Well);
    for _ in &apps {
        fake.wait_for("PUT /v1/agent/service/register ");
    }
    let lines = log::about(&fake.http());
    assert_one_outage(&lines, "reset");
}

#[test]
fn a_server_that_does_not_block_is_asked_once_in_an_interval() {
    let fake = Fake::start(Mood::Well);
    let mut world = World::at(&fake.http());
    world.watch_as(&WatchSpec {
        interval: Duration::from_secs(1),
        ..watch("hot")
    });
    assert_eq!(world.facts.instances(), []);
    fake.wait_for("&index=5&");
    let start = Instant::now();
    fake.wait_for("&index=5&");
    let took = start.elapsed();
    assert!(
        took > Duration::from_millis(500),
        "asked again after {took:?}"
    );
}

#[test]
fn a_connection_that_the_server_closed_meanwhile_is_no_outage() {
    let fake = Fake::start(Mood::Curt);
    let world = World::at(&fake.http());
    let app = Arc::new(service("curt"));
    for _ in 0..3 {
        world.beat(&app);
        fake.wait_for("PUT /v1/agent/service/register ");
        fake.wait_for("closed");
    }
    world.facts.assert_no_more();
}

#[test]
fn an_ipv6_literal_and_localhost_are_reached() {
    let Ok(listener) = TcpListener::bind("[::1]:0") else {
        crate::support::skip("there is no IPv6");
        return;
    };
    let port = listener.local_addr().unwrap().port();
    drop(listener);
    let address = format!("[::1]:{port}").parse().unwrap();
    let fake = Fake::start_at(address, Mood::Well);
    for host in ["[::1]", "localhost"] {
        let world = World::at(&format!("{host}:{port}"));
        world.beat(&Arc::new(service("six")));
        fake.wait_for("PUT /v1/agent/service/register ");
    }
}
