//! Watches of the real Consul: every change at once, once, and nothing else.

use std::sync::Arc;
use std::time::{Duration, Instant};

use containerpilot::config::{ServiceSpec, WatchSpec};
use containerpilot::message::Instance;

use crate::log;
use crate::support::consul::Agent;
use crate::world::{World, instance, service, watch};

/// Registers an instance without a check, which is healthy as long as its node.
fn enter(agent: &Agent, id: &str, name: &str, port: u16, tags: &str) {
    agent.put(
        "/v1/agent/service/register",
        &format!(
            r#"{{"ID":"{id}","Name":"{name}","Port":{port},"Address":"127.0.0.1","Tags":[{tags}]}}"#
        ),
    );
}

fn leave(agent: &Agent, id: &str) {
    agent.put(&format!("/v1/agent/service/deregister/{id}"), "");
}

#[test]
fn the_first_answer_comes_at_once_and_every_change_exactly_once() {
    let Some(agent) = Agent::dev() else { return };
    let mut world = World::at(&agent.http());
    world.watch("db");
    assert_eq!(world.facts.instances(), []);
    enter(&agent, "db-2", "db", 2, "");
    assert_eq!(world.facts.instances(), [instance("db-2", 2)]);
    enter(&agent, "db-1", "db", 1, "");
    let both = [instance("db-1", 1), instance("db-2", 2)];
    assert_eq!(world.facts.instances(), both, "in order");
    enter(&agent, "db-1", "db", 11, "");
    let moved = [instance("db-1", 11), instance("db-2", 2)];
    assert_eq!(world.facts.instances(), moved);
    leave(&agent, "db-1");
    assert_eq!(world.facts.instances(), [instance("db-2", 2)]);
    // The same again, and something else: no news.
    enter(&agent, "db-2", "db", 2, "");
    enter(&agent, "other-1", "other", 3, "");
    enter(&agent, "db-2", "db", 2, "\"tagged\"");
    leave(&agent, "db-2");
    assert_eq!(world.facts.instances(), []);
    world.facts.assert_no_more();
}

#[test]
fn only_passing_instances_count() {
    let Some(agent) = Agent::dev() else { return };
    let mut world = World::at(&agent.http());
    world.watch("checked");
    assert_eq!(world.facts.instances(), []);
    let app = Arc::new(ServiceSpec {
        ttl: Duration::from_secs(1),
        ..service("checked")
    });
    world.beat(&app);
    assert_eq!(world.facts.instances(), [instance("checked-host", 80)]);
    // Nobody sends another heartbeat.
    assert_eq!(world.facts.instances(), []);
    world.beat(&app);
    assert_eq!(world.facts.instances(), [instance("checked-host", 80)]);
}

#[test]
fn an_instance_without_an_address_is_at_its_node() {
    let Some(agent) = Agent::dev() else { return };
    let mut world = World::at(&agent.http());
    world.watch("bare");
    assert_eq!(world.facts.instances(), []);
    agent.put(
        "/v1/agent/service/register",
        r#"{"ID":"bare-1","Name":"bare","Port":7}"#,
    );
    let expected = Instance {
        address: agent.address().to_string(),
        ..instance("bare-1", 7)
    };
    assert_eq!(world.facts.instances(), [expected]);
}

#[test]
fn a_tag_and_a_datacenter_narrow_it() {
    let Some(agent) = Agent::dev() else { return };
    let mut world = World::at(&agent.http());
    enter(&agent, "t-1", "tagged", 1, "\"a\",\"b\"");
    enter(&agent, "t-2", "tagged", 2, "\"a\"");
    let spec = |tag: &str, datacenter: &str| WatchSpec {
        tag: Some(tag.to_owned()),
        datacenter: Some(datacenter.to_owned()),
        ..watch("tagged")
    };
    for (tag, expected) in [
        ("a", vec![instance("t-1", 1), instance("t-2", 2)]),
        ("b", vec![instance("t-1", 1)]),
        ("c", vec![]),
    ] {
        world.watch_as(&spec(tag, "dc1"));
        assert_eq!(world.facts.instances(), expected, "{tag}");
    }
}

#[test]
fn a_datacenter_that_does_not_exist_is_no_answer_and_said_once() {
    let Some(agent) = Agent::dev() else { return };
    let mut world = World::at(&agent.http());
    let spec = WatchSpec {
        interval: Duration::from_secs(1),
        datacenter: Some("mars".to_owned()),
        ..watch("marsian")
    };
    let refused = world.watch_as(&spec);
    for _ in 0..3 {
        agent.log().wait_for("No path to datacenter");
    }
    world.discovery.unwatch(refused);
    world.facts.assert_no_more();
    assert_eq!(
        log::about("\"marsian\""),
        ["WARN consul refuses watch \"marsian\": 500 No path to datacenter"]
    );
}

#[test]
fn a_change_is_told_within_100_ms() {
    let Some(agent) = Agent::dev() else { return };
    let mut world = World::at(&agent.http());
    world.watch("quick");
    assert_eq!(world.facts.instances(), []);
    let mut delays: Vec<_> = (1..=20)
        .map(|port| {
            let start = Instant::now();
            enter(&agent, "quick-1", "quick", port, "");
            assert_eq!(world.facts.instances(), [instance("quick-1", port)]);
            start.elapsed()
        })
        .collect();
    delays.sort();
    eprintln!("from the request that changes it to the fact: {delays:?}");
    assert!(delays[10] < Duration::from_millis(100), "{delays:?}");
}

#[test]
fn an_outage_is_no_change() {
    let Some(mut agent) = Agent::dev() else {
        return;
    };
    let mut world = World::at(&agent.http());
    enter(&agent, "steady-1", "steady", 1, "");
    world.watch("steady");
    assert_eq!(world.facts.instances(), [instance("steady-1", 1)]);
    agent.kill();
    assert!(world.facts.reachable().is_err());
    agent.revive();
    // An empty catalog is what the agent truly has now.
    assert_eq!(world.facts.instances(), []);
    enter(&agent, "steady-1", "steady", 1, "");
    assert_eq!(world.facts.instances(), [instance("steady-1", 1)]);
}

#[test]
fn fifty_watches_wait_instead_of_asking() {
    let Some(agent) = Agent::dev() else { return };
    let mut world = World::at(&agent.http());
    for n in 0..50 {
        world.watch(&format!("idle{n}"));
    }
    for _ in 0..50 {
        assert_eq!(world.facts.instances(), []);
    }
    // Something that takes its time: a TTL of two seconds that runs out.
    let app = Arc::new(ServiceSpec {
        ttl: Duration::from_secs(2),
        ..service("clock")
    });
    world.beat(&app);
    agent.wait_for_status("clock", Some("passing"));
    agent.wait_for_status("clock", Some("critical"));
    let answered = agent.answered("url=/v1/health/service/idle");
    eprintln!("50 watches: {answered} requests in two seconds");
    // One for the first answer; and absent services are woken by their like.
    assert!(
        answered <= 50 + 3 * 50,
        "{answered} requests in two seconds"
    );
    world.facts.assert_no_more();
}

#[test]
fn stopping_a_watch_interrupts_its_query_and_no_other() {
    let Some(agent) = Agent::dev() else { return };
    let mut world = World::at(&agent.http());
    let stopped = world.watch("stopped");
    assert_eq!(world.facts.instances(), []);
    let other = world.watch("other");
    assert_eq!(world.facts.instances(), []);
    let start = Instant::now();
    world.discovery.unwatch(stopped);
    assert!(start.elapsed() < Duration::from_millis(100));
    enter(&agent, "stopped-1", "stopped", 1, "");
    enter(&agent, "other-1", "other", 1, "");
    let expected = (other, vec![instance("other-1", 1)]);
    assert_eq!(world.facts.watched(), expected);
    world.discovery.unwatch(other);
    world.facts.assert_no_more();
    let took = world.end();
    assert!(took < Duration::from_secs(1), "threads lived for {took:?}");
    assert_eq!(log::about(&agent.http()), [""; 0], "stopping is no outage");
}
