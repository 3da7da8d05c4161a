//! Several servers: what one agent says, and what the cluster makes of it.

use std::sync::Arc;

use containerpilot::config::WatchSpec;
use serde_json::json;
use std::time::Duration;

use crate::log;
use crate::support::consul::{Agent, Start};
use crate::world::{World, instance, service, watch};

/// Three servers with a leader.
fn servers() -> Option<Vec<Agent>> {
    let starts: Vec<_> = (0..3).map(|_| Start::server(3)).collect();
    let addresses: Vec<_> = starts.iter().map(Start::address).collect();
    let servers: Option<Vec<_>> = starts
        .into_iter()
        .map(|start| start.join(&addresses).start())
        .collect();
    let servers = servers?;
    for server in &servers {
        server.wait_until_ready();
    }
    Some(servers)
}

/// The place of the leader among the servers, as `asked` knows it.
fn leader(servers: &[Agent], asked: &Agent) -> usize {
    let leader = asked.get("/v1/status/leader");
    let leader = leader.as_str().unwrap();
    let is_leader = |server: &Agent| leader == format!("{}:8300", server.address());
    servers.iter().position(is_leader).unwrap()
}

#[test]
fn losing_the_leader_changes_no_watch_and_no_registration() {
    let Some(mut servers) = servers() else { return };
    let addresses: Vec<_> = servers.iter().map(Agent::address).collect();
    let agent = Start::client().join(&addresses).ready().unwrap();
    let mut world = World::at(&agent.http());
    let app = Arc::new(service("elected"));
    world.beat(&app);
    agent.wait_for_status("elected", Some("passing"));
    world.watch_as(&WatchSpec {
        interval: Duration::from_secs(1),
        ..watch("elected")
    });
    assert_eq!(world.facts.instances(), [instance("elected-host", 80)]);

    let leader = leader(&servers, &agent);
    servers[leader].kill();
    // Without a leader the catalog cannot be read, and it is said so.
    log::wait_for("refuses watch \"elected\"", 1);
    world.beat(&app);
    log::wait_for("answers watch \"elected\" again", 1);
    servers[leader].revive();
    world.beat(&app);
    agent.wait_for_status("elected", Some("passing"));
    world.facts.assert_no_more();

    world.withdraw(&app);
    assert_eq!(world.facts.instances(), []);
    log::wait_for("deregistered service \"elected-host\"", 1);
    let lines = log::about("\"elected-host\"");
    assert_eq!(lines.len(), 2, "registered once, removed once: {lines:#?}");
}

#[test]
fn what_is_withdrawn_is_out_of_the_servers_catalog_before_the_agent_can_die() {
    let Some(server) = Start::server(1).ready() else {
        return;
    };
    let join = [server.address()];
    let mut agent = Start::client().join(&join).ready().unwrap();
    let world = World::at(&agent.http());
    for round in 0..10 {
        let app = Arc::new(service(&format!("last{round}")));
        world.beat(&app);
        server.wait_for_status(&app.name, Some("passing"));
        world.withdraw(&app);
        assert_eq!(world.facts.withdrawn(), (app.id.clone(), true));
        agent.kill();
        let path = format!("/v1/catalog/service/{}", app.name);
        assert_eq!(server.get(&path), json!([]), "round {round}");
        agent.revive();
    }
}
