//! SPEC §16: what an operator is told of jobs.

use super::sim::Sim;
use super::specs::job;
use crate::control::request::{Reply, Request};
use crate::control::status::{Cause, JobStatus, State};
use crate::event::Code;
use crate::message::Signal;

fn status_of(sim: &mut Sim, name: &str) -> JobStatus {
    match sim.request(Request::Job(name.to_owned())) {
        Some(Reply::Jobs(_, mut jobs)) if jobs.len() == 1 => jobs.remove(0),
        other => panic!("{name}: {other:?}"),
    }
}

/// State, runs and restarts left of a job, and how its last run ended.
fn told(sim: &mut Sim, name: &str) -> String {
    let job = status_of(sim, name);
    let left = job
        .restarts_left
        .map_or("any".to_owned(), |left| left.to_string());
    let last = job.last_exit.map_or(String::new(), |exit| {
        format!("; {:?} {}: {}", exit.cause, exit.code, exit.message)
    });
    format!("{} {} {left}{last}", job.state.as_str(), job.runs)
}

#[test]
fn a_job_is_told_through_its_life() {
    let mut sim = Sim::with_manual_starts(vec![
        job("first").restarts(2).timeout(700),
        job("then").once(Code::ExitSuccess, "first"),
    ]);
    assert_eq!(told(&mut sim, "then"), "waiting 0 0");
    assert_eq!(told(&mut sim, "first"), "starting 1 2");
    assert_eq!(status_of(&mut sim, "first").pid, None);
    sim.start("first");
    assert_eq!(told(&mut sim, "first"), "running 1 2");
    assert_eq!(status_of(&mut sim, "first").pid, Some(101));
    sim.exit("first", 3);
    sim.fail_to_start("first");
    assert_eq!(
        told(&mut sim, "first"),
        "backoff 2 1; NoStart 127: could not be started: no: entity not found"
    );
    let next = status_of(&mut sim, "first").next_start;
    assert_eq!(next, sim.supervisor.next_deadline());
    sim.advance(200);
    sim.start("first");
    sim.advance(700);
    assert_eq!(
        told(&mut sim, "first"),
        "completed 3 0; Timeout 137: took too long, was killed by signal 9"
    );
}

#[test]
fn the_time_of_a_state_is_that_of_its_beginning() {
    let mut sim = Sim::with_manual_starts(vec![job("app").every(1000)]);
    let start = status_of(&mut sim, "app").since;
    sim.advance(30);
    sim.start("app");
    let since = |sim: &mut Sim| (status_of(sim, "app").since - start).as_millis();
    assert_eq!(since(&mut sim), 30);
    sim.advance(100);
    sim.exit("app", 0);
    sim.advance(100);
    assert_eq!(since(&mut sim), 130);
    assert_eq!(
        told(&mut sim, "app"),
        "idle 1 any; Exit 0: exited with code 0"
    );
    let next = status_of(&mut sim, "app").next_start.unwrap();
    assert_eq!((next - start).as_millis(), 1000);
}

#[test]
fn a_job_that_was_told_to_stop_says_so() {
    let mut sim = Sim::new(vec![job("app"), job("post").once(Code::Stopped, "app")]);
    sim.ignores_sigterm("app");
    sim.signal(Signal::Terminate);
    assert_eq!(status_of(&mut sim, "app").state, State::Stopping);
    sim.exit("app", 0);
    let exit = status_of(&mut sim, "app").last_exit.unwrap();
    assert_eq!(exit.cause, Cause::Stop);
    assert_eq!(exit.message, "was told to stop, exited with code 0");
}

#[test]
fn an_unknown_job_is_404_with_the_one_that_was_meant() {
    let mut sim = Sim::new(vec![job("web-server")]);
    let refused = |message: &str| {
        let (status, message) = (404, message.to_owned());
        Some(Reply::Refused { status, message })
    };
    let ask = |sim: &mut Sim, name: &str| sim.request(Request::Job(name.to_owned()));
    let expected = "no such job: \"web-sever\"; did you mean \"web-server\"?";
    assert_eq!(ask(&mut sim, "web-sever"), refused(expected));
    assert_eq!(ask(&mut sim, "x"), refused("no such job: \"x\""));
    let health = Request::Health(Some("x".to_owned()));
    assert_eq!(sim.request(health), refused("no such job: \"x\""));
}

/// What is not well: with all, or with one job.
fn complaints(sim: &mut Sim, name: Option<&str>) -> Vec<String> {
    match sim.request(Request::Health(name.map(str::to_owned))) {
        Some(Reply::Health(reasons)) => reasons,
        other => panic!("{other:?}"),
    }
}

#[test]
fn all_is_well_when_checked_jobs_are_healthy_and_essential_ones_run() {
    let mut sim = Sim::with_manual_starts(vec![
        job("web").checked_every(1000, 500),
        job("db").essential().forever(),
        job("setup"),
    ]);
    assert_eq!(
        complaints(&mut sim, None),
        [
            "web is not known to be healthy (starting)",
            "db is starting"
        ]
    );
    assert_eq!(complaints(&mut sim, Some("setup")), ["setup is starting"]);
    for name in ["web", "db", "setup"] {
        sim.start(name);
    }
    sim.exit("setup", 1);
    assert_eq!(
        complaints(&mut sim, None),
        ["web is not known to be healthy"]
    );
    assert!(complaints(&mut sim, Some("db")).is_empty());
    assert_eq!(complaints(&mut sim, Some("setup")), ["setup is completed"]);
    sim.advance(1000);
    sim.start("check.web");
    sim.exit("check.web", 0);
    assert!(complaints(&mut sim, None).is_empty());
    sim.advance(1000);
    sim.start("check.web");
    sim.exit("check.web", 2);
    let unhealthy = ["web is unhealthy: check exited with code 2"];
    assert_eq!(complaints(&mut sim, None), unhealthy);
    assert_eq!(complaints(&mut sim, Some("web")), unhealthy);
    assert!(sim.request(Request::Maintenance(true)).is_some());
    let maintenance = ["web is not checked in maintenance mode"];
    assert_eq!(complaints(&mut sim, None), maintenance);
    sim.signal(Signal::Terminate);
    assert_eq!(
        complaints(&mut sim, None)[0],
        "the supervisor is shutting down"
    );
}
