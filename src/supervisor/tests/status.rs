//! SPEC §11: what `GET /status` shows, at every moment.

use super::sim::Sim;
use super::specs::{config, job};
use crate::config::{Config, JobSpec, ServiceSpec, TelemetrySpec};
use crate::control::request::Request;
use crate::event::Code;
use crate::handoff::handoff;
use crate::message::{Message, Signal};
use crate::telemetry::question::{Answer, AnswerTo, Question};

/// `jobs | services`, each as `name status`.
fn status(sim: &mut Sim) -> String {
    let (giver, answer) = handoff();
    sim.send(Message::Question(Question::Status, AnswerTo::new(giver)));
    let Ok(Answer::Status(status)) = answer.try_recv() else {
        panic!("no status");
    };
    let jobs = status.jobs.iter().map(|job| (&job.name, job.status));
    let services = status.services.iter();
    let services = services.map(|service| (&service.name, service.status));
    let list = |all: Vec<(&String, &str)>| {
        let words = all.iter().map(|(name, status)| format!("{name} {status}"));
        words.collect::<Vec<_>>().join(", ")
    };
    format!("{} | {}", list(jobs.collect()), list(services.collect()))
}

fn service(name: &str) -> ServiceSpec {
    ServiceSpec {
        id: format!("{name}-host"),
        name: name.into(),
        address: [10, 0, 0, 1].into(),
        port: 80,
        tags: Vec::new(),
        ttl: std::time::Duration::from_secs(15),
        initial_status: None,
        enable_tag_override: false,
        deregister_critical_after: None,
    }
}

fn advertised(name: &str) -> JobSpec {
    let mut spec = job(name).checked_every(1000, 500);
    spec.service = Some(service(name));
    spec
}

fn measured(jobs: Vec<JobSpec>) -> Config {
    let mut config = config(jobs);
    config.telemetry = Some(TelemetrySpec {
        address: [10, 0, 0, 1].into(),
        port: 9090,
        tags: Vec::new(),
        metrics: Vec::new(),
        service: Some(service("containerpilot")),
    });
    config
}

#[test]
fn jobs_with_a_port_and_telemetry_itself_are_services() {
    let mut sim = Sim::with_config(measured(vec![job("setup"), advertised("web")]));
    let at_first = "setup unknown | web unknown, containerpilot healthy";
    assert_eq!(status(&mut sim), at_first);
    sim.exit("setup", 0);
    sim.advance(1000);
    sim.exit("check.web", 0);
    let later = "setup completed | web healthy, containerpilot healthy";
    assert_eq!(status(&mut sim), later);
    sim.advance(1000);
    sim.exit("check.web", 1);
    let ill = "setup completed | web unhealthy, containerpilot healthy";
    assert_eq!(status(&mut sim), ill);
}

#[test]
fn telemetry_that_is_not_advertised_is_no_service() {
    let mut config = measured(vec![job("app")]);
    config.telemetry.as_mut().unwrap().service = None;
    assert_eq!(status(&mut Sim::with_config(config)), "app unknown | ");
}

#[test]
fn a_healthy_run_that_fails_leaves_nothing_known_of_the_next() {
    let mut sim = Sim::new(vec![advertised("web").forever()]);
    sim.advance(1000);
    sim.exit("check.web", 0);
    assert_eq!(status(&mut sim), " | web healthy");
    sim.exit("web", 137);
    assert_eq!(status(&mut sim), " | web unknown");
    sim.advance(1000);
    sim.exit("check.web", 0);
    assert_eq!(status(&mut sim), " | web healthy");
    sim.exit("web", 0);
    assert_eq!(status(&mut sim), " | web healthy");
}

#[test]
fn an_unhealthy_run_that_fails_is_no_better_off() {
    let mut sim = Sim::new(vec![advertised("web").restarts(1)]);
    sim.advance(1000);
    sim.exit("check.web", 1);
    sim.exit("web", 1);
    assert_eq!(status(&mut sim), " | web unhealthy");
    sim.exit("web", 1);
    assert_eq!(status(&mut sim), " | web completed");
}

#[test]
fn everything_that_is_not_complete_is_in_maintenance() {
    let mut sim = Sim::with_config(measured(vec![job("setup"), job("app"), advertised("web")]));
    sim.exit("setup", 0);
    sim.request(Request::Maintenance(true));
    let during = "setup completed, app maintenance | web maintenance, containerpilot maintenance";
    assert_eq!(status(&mut sim), during);
    sim.request(Request::Maintenance(false));
    let after = "setup completed, app unknown | web unknown, containerpilot healthy";
    assert_eq!(status(&mut sim), after);
}

#[test]
fn telemetry_is_advertised_again_as_soon_as_maintenance_ends() {
    let mut sim = Sim::with_config(measured(vec![job("app")]));
    sim.advance(1000);
    sim.request(Request::Maintenance(true));
    sim.advance(1000);
    sim.take_record();
    sim.request(Request::Maintenance(false));
    sim.expect(
        "2000 info leaving maintenance mode
         2000 event {ExitMaintenance, global}
         2000 heartbeat containerpilot-host
         2000 event {StatusHealthy, containerpilot}",
    );
    sim.advance(5000);
    sim.expect(
        "7000 heartbeat containerpilot-host
         7000 event {StatusHealthy, containerpilot}",
    );
}

#[test]
fn telemetry_that_moves_is_advertised_there_and_one_that_is_gone_not_at_all() {
    let mut sim = Sim::with_config(measured(vec![job("app")]));
    sim.advance(1000);
    sim.take_record();
    let mut moved = measured(vec![job("app")]);
    let telemetry = moved.telemetry.as_mut().unwrap();
    telemetry.service.as_mut().unwrap().port = 9091;
    sim.reload_to(moved);
    sim.expect(
        "1000 info reload: update telemetry
         1000 info reload: 4 kept, 1 changed
         1000 heartbeat containerpilot-host",
    );
    sim.advance(4000);
    sim.expect(
        "5000 heartbeat containerpilot-host
         5000 event {StatusHealthy, containerpilot}",
    );
    sim.reload(vec![job("app")]);
    sim.expect(
        "5000 info reload: stop telemetry
         5000 info reload: 4 kept, 1 changed
         5000 withdraw containerpilot-host",
    );
    assert_eq!(status(&mut sim), "app unknown | ");
    sim.advance(10_000);
    sim.expect("");
}

#[test]
fn a_job_that_waits_for_its_predecessor_to_end_is_there_already() {
    let mut sim = Sim::new(vec![job("app"), job("other")]);
    sim.ignores_sigterm("app");
    sim.reload(vec![job("app").runs("v2"), job("other")]);
    assert!(sim.is_running("app"));
    assert_eq!(status(&mut sim), "other unknown, app unknown | ");
    sim.exit("app", 0);
    assert_eq!(status(&mut sim), "other unknown, app unknown | ");
    sim.exit("app", 0);
    assert_eq!(status(&mut sim), "other unknown, app completed | ");
}

#[test]
fn shutdown_shows_what_is_complete_and_what_is_not_yet() {
    let jobs = vec![
        job("app").forever(),
        job("last").once(Code::Stopped, "app"),
        advertised("web"),
    ];
    let mut sim = Sim::with_config(measured(jobs));
    sim.advance(1000);
    sim.exit("check.web", 0);
    sim.signal(Signal::Terminate);
    let at_first = "app unknown, last unknown | web healthy, containerpilot completed";
    assert_eq!(status(&mut sim), at_first);
    // The catalog is given a quarter of the grace time.
    sim.advance(1250);
    let at_last = "app completed, last unknown | web completed, containerpilot completed";
    assert_eq!(status(&mut sim), at_last);
    sim.exit("last", 0);
    sim.expect_done();
}
