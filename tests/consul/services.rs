//! Services in the real Consul: registered as they are, and again and again.

use std::sync::Arc;
use std::time::{Duration, Instant};

use containerpilot::config::{InitialStatus, ServiceSpec};
use containerpilot::telemetry::metrics::ConsulOp;
use serde_json::json;

use crate::log;
use crate::support::consul::{Agent, Start};
use crate::world::{World, service};

/// Registered by somebody else under our id.
fn intrude(agent: &Agent, service: &ServiceSpec, port: u16, check: &str) {
    let (id, name) = (&service.id, &service.name);
    agent.put(
        "/v1/agent/service/register",
        &format!(r#"{{"ID":"{id}","Name":"{name}","Port":{port},"Address":"127.0.0.1"{check}}}"#),
    );
}

#[test]
fn a_service_appears_with_exactly_the_documented_fields() {
    let Some(agent) = Agent::dev() else { return };
    let world = World::at(&agent.http());
    world.beat(&Arc::new(ServiceSpec {
        address: [10, 1, 2, 3].into(),
        port: 8080,
        tags: vec!["b".to_owned(), "a".to_owned()],
        deregister_critical_after: Some("72h0m0s".to_owned()),
        ..service("fields")
    }));
    agent.wait_for_status("fields", Some("passing"));
    let mut found = agent.get("/v1/agent/service/fields-host");
    found.as_object_mut().unwrap().remove("ContentHash");
    let address = json!({ "Address": "10.1.2.3", "Port": 8080 });
    assert_eq!(
        found,
        json!({
            "ID": "fields-host",
            "Service": "fields",
            "Tags": ["b", "a"],
            "Meta": {},
            "Port": 8080,
            "Address": "10.1.2.3",
            "TaggedAddresses": { "lan_ipv4": address, "wan_ipv4": address },
            "Weights": { "Passing": 1, "Warning": 1 },
            "EnableTagOverride": false,
        })
    );
    let checks = agent.get("/v1/health/checks/fields");
    assert_eq!(checks.as_array().unwrap().len(), 1);
    let check = &checks[0];
    assert_eq!(check["CheckID"], "service:fields-host");
    assert_eq!(check["Name"], "Service 'fields' check");
    assert_eq!(check["Notes"], "TTL for fields set by containerpilot");
    assert_eq!(check["Type"], "ttl");
}

#[test]
fn a_check_stays_passing_with_heartbeats_and_is_critical_one_ttl_after_the_last() {
    let Some(agent) = Agent::dev() else { return };
    let world = World::at(&agent.http());
    let app = Arc::new(ServiceSpec {
        ttl: Duration::from_secs(1),
        ..service("ttl")
    });
    world.beat(&app);
    agent.wait_for_status("ttl", Some("passing"));
    let last = Instant::now();
    world.beat(&app);
    agent.wait_for_status("ttl", Some("critical"));
    let took = last.elapsed();
    assert!(took >= Duration::from_secs(1), "critical after {took:?}");
    assert!(took < Duration::from_secs(3), "critical after {took:?}");
    world.beat(&app);
    agent.wait_for_status("ttl", Some("passing"));
    let checks = agent.get("/v1/health/checks/ttl");
    assert_eq!(checks[0]["Output"], "ok");
}

#[test]
fn an_initial_status_is_registered_before_any_check() {
    let Some(agent) = Agent::dev() else { return };
    let world = World::at(&agent.http());
    for (name, status, word) in [
        ("init-a", InitialStatus::Critical, "critical"),
        ("init-b", InitialStatus::Warning, "warning"),
        ("init-c", InitialStatus::Passing, "passing"),
    ] {
        let app = Arc::new(service(name));
        world.register(&app, status);
        agent.wait_for_status(name, Some(word));
        world.beat(&app);
        agent.wait_for_status(name, Some("passing"));
    }
}

#[test]
fn an_agent_that_lost_everything_has_it_back_at_the_next_passing_check() {
    let Some(mut agent) = Agent::dev() else {
        return;
    };
    let world = World::at(&agent.http());
    let app = Arc::new(service("reborn"));
    world.beat(&app);
    agent.wait_for_status("reborn", Some("passing"));
    agent.kill();
    // As if the checks went on passing: the newest one counts.
    for _ in 0..20 {
        world.beat(&app);
    }
    assert!(world.facts.reachable().is_err());
    agent.revive();
    let back = Instant::now();
    world.beat(&app);
    agent.wait_for_status("reborn", Some("passing"));
    let took = back.elapsed();
    assert!(took < Duration::from_secs(1), "registered after {took:?}");
    assert_eq!(world.facts.reachable(), Ok(()));
    let lines = log::about(&agent.http());
    assert_eq!(lines.len(), 2, "one line per change of state: {lines:#?}");
    assert!(
        lines[0].starts_with("WARN cannot reach consul at "),
        "{lines:#?}"
    );
    assert!(lines[1].ends_with(" can be reached again"), "{lines:#?}");
}

#[test]
fn what_an_operator_deregistered_is_back_at_the_next_passing_check() {
    let Some(agent) = Agent::dev() else { return };
    let world = World::at(&agent.http());
    let app = Arc::new(service("operator"));
    world.beat(&app);
    agent.wait_for_status("operator", Some("passing"));
    agent.put("/v1/agent/service/deregister/operator-host", "");
    agent.wait_for_status("operator", None);
    world.beat(&app);
    agent.wait_for_status("operator", Some("passing"));
    agent.put("/v1/agent/check/deregister/service:operator-host", "");
    agent.wait_for_status("operator", None);
    world.beat(&app);
    agent.wait_for_status("operator", Some("passing"));
    let lines = log::about("\"operator-host\"");
    assert_eq!(
        lines[1],
        "WARN consul no longer knows service \"operator-host\": registering it again"
    );
}

#[test]
fn another_port_or_address_under_our_id_is_corrected() {
    let Some(agent) = Agent::dev() else { return };
    let world = World::at(&agent.http());
    let app = Arc::new(service("moved"));
    world.beat(&app);
    agent.wait_for_status("moved", Some("passing"));
    for check in ["", r#","Check":{"TTL":"30s","Status":"passing"}"#] {
        intrude(&agent, &app, 81, check);
        let catalog = "/v1/catalog/service/moved";
        agent.wait_until(catalog, |found| found[0]["ServicePort"] == 81);
        world.beat(&app);
        agent.wait_until(catalog, |found| found[0]["ServicePort"] == 80);
        agent.wait_for_status("moved", Some("passing"));
    }
}

#[test]
fn tags_that_were_changed_are_corrected_unless_others_may_change_them() {
    let Some(agent) = Agent::dev() else { return };
    let world = World::at(&agent.http());
    let ours = |name: &str, enable_tag_override| {
        Arc::new(ServiceSpec {
            tags: vec!["ours".to_owned()],
            enable_tag_override,
            ..service(name)
        })
    };
    let (strict, open) = (ours("strict", false), ours("open", true));
    for app in [&strict, &open] {
        world.beat(app);
        agent.wait_for_status(&app.name, Some("passing"));
        let flag = app.enable_tag_override;
        let extra = format!(r#","Tags":["theirs"],"EnableTagOverride":{flag}"#);
        intrude(&agent, app, 80, &extra);
        world.beat(app);
    }
    let path = |app: &ServiceSpec| format!("/v1/catalog/service/{}", app.name);
    agent.wait_until(&path(&strict), |found| found[0]["ServiceTags"][0] == "ours");
    // Both heartbeats were sent before this one, and they are sent in order.
    world.beat(&strict);
    agent.log().wait_for("check/update/service:open-host");
    assert_eq!(agent.get(&path(&open))[0]["ServiceTags"][0], "theirs");
}

#[test]
fn withdrawing_is_confirmed_when_the_catalog_has_it() {
    let Some(agent) = Agent::dev() else { return };
    let world = World::at(&agent.http());
    let apps: Vec<_> = (0..20)
        .map(|n| Arc::new(service(&format!("w{n}"))))
        .collect();
    for app in &apps {
        world.beat(app);
    }
    for app in &apps {
        agent.wait_for_status(&app.name, Some("passing"));
    }
    let start = Instant::now();
    for app in &apps {
        world.withdraw(app);
    }
    for app in &apps {
        assert_eq!(world.facts.withdrawn(), (app.id.clone(), true));
        assert_eq!(
            agent.get(&format!("/v1/catalog/service/{}", app.name)),
            json!([])
        );
    }
    let took = start.elapsed();
    assert!(took < Duration::from_secs(1), "20 services took {took:?}");
}

#[test]
fn a_heartbeat_after_a_withdrawal_registers_again() {
    let Some(agent) = Agent::dev() else { return };
    let world = World::at(&agent.http());
    let app = Arc::new(service("maintained"));
    for _ in 0..3 {
        world.beat(&app);
        agent.wait_for_status("maintained", Some("passing"));
        world.withdraw(&app);
        assert!(world.facts.withdrawn().1);
        agent.wait_for_status("maintained", None);
    }
}

#[test]
fn dropping_leaves_services_registered_and_retiring_does_not() {
    let Some(agent) = Agent::dev() else { return };
    let app = Arc::new(service("left"));
    let world = World::at(&agent.http());
    world.beat(&app);
    agent.wait_for_status("left", Some("passing"));
    let took = world.end();
    assert!(took < Duration::from_secs(1), "ended after {took:?}");
    agent.wait_for_status("left", Some("passing"));

    let world = World::at(&agent.http());
    world.beat(&app);
    world.discovery.give_way(None, Duration::from_secs(30));
    world.facts.wait_for_end();
    agent.wait_for_status("left", None);
}

#[test]
fn a_successor_at_the_same_address_takes_over_what_is_registered() {
    let Some(agent) = Agent::dev() else { return };
    let (kept, gone) = (Arc::new(service("kept")), Arc::new(service("gone")));
    let before = World::at(&agent.http());
    for app in [&kept, &gone] {
        before.beat(app);
        agent.wait_for_status(&app.name, Some("passing"));
    }
    let after = World::at(&agent.http());
    before.withdraw(&gone);
    before
        .discovery
        .give_way(Some(&after.discovery), Duration::from_secs(30));
    after.beat(&kept);
    before.facts.wait_for_end();
    agent.wait_for_status("gone", None);
    agent.wait_for_status("kept", Some("passing"));
    assert_eq!(
        agent.answered("method=PUT url=/v1/agent/service/deregister/gone-host"),
        1
    );
    assert_eq!(agent.answered("deregister/kept-host"), 0);
    after.withdraw(&kept);
    assert!(after.facts.withdrawn().1);
    agent.wait_for_status("kept", None);
}

#[test]
fn a_successor_that_calls_the_same_agent_by_another_name_comes_after_the_withdrawal() {
    let Some(agent) = Agent::dev() else { return };
    let app = Arc::new(service("moved"));
    let before = World::at(&agent.http());
    before.beat(&app);
    agent.wait_for_status("moved", Some("passing"));
    let after = World::at(&format!("[::ffff:{}]:8500", agent.address()));
    before
        .discovery
        .give_way(Some(&after.discovery), Duration::from_secs(30));
    after.beat(&app);
    agent.log().wait_for("deregister/moved-host");
    agent.log().wait_for("url=/v1/agent/service/register");
    agent.wait_for_status("moved", Some("passing"));
}

#[test]
fn every_request_is_counted_by_what_it_was_for() {
    let Some(agent) = Agent::dev() else { return };
    let world = World::at(&agent.http());
    let app = Arc::new(service("counted"));
    world.beat(&app);
    agent.wait_for_status("counted", Some("passing"));
    world.beat(&app);
    agent.log().wait_for("check/update/service:counted-host");
    agent.put("/v1/agent/service/deregister/counted-host", "");
    agent.wait_for_status("counted", None);
    world.beat(&app);
    agent.wait_for_status("counted", Some("passing"));
    world.withdraw(&app);
    assert!(world.facts.withdrawn().1);
    for (op, count) in [
        (ConsulOp::Register, 2),
        (ConsulOp::Verify, 2),
        (ConsulOp::Heartbeat, 1),
        (ConsulOp::Deregister, 1),
    ] {
        assert_eq!(world.succeeded(op), count, "{op:?}");
    }
}

#[test]
fn an_agent_with_acls_is_told_why_once_and_works_with_a_token() {
    let token = "11111111-2222-3333-4444-555555555555";
    let settings = format!(
        r#"{{"primary_datacenter":"dc1","acl":{{"enabled":true,"default_policy":"deny","tokens":{{"master":"{token}","agent":"{token}"}}}}}}"#
    );
    let Some(agent) = Start::dev().settings(&settings).ready() else {
        return;
    };
    let app = Arc::new(service("guarded"));
    let refused = World::at(&agent.http());
    for _ in 0..3 {
        refused.beat(&app);
        agent.log().wait_for("Permission denied");
    }
    let mut spec = crate::world::plain(&agent.http());
    spec.token = Some(token.to_owned());
    let mut world = World::with(&spec);
    world.watch("guarded");
    assert_eq!(world.facts.instances(), []);
    world.beat(&app);
    let expected = [crate::world::instance("guarded-host", 80)];
    assert_eq!(world.facts.instances(), expected);
    let lines = log::wait_for("\"guarded-host\"", 2);
    assert_eq!(
        lines,
        [
            "WARN consul refuses to register service \"guarded-host\": 403 Permission denied: \
             Missing service:write on guarded; does consul.token allow it?",
            "INFO registered service \"guarded-host\" at 127.0.0.1:80"
        ]
    );
}
