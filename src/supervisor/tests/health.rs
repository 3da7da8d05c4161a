//! SPEC §7: health checks, and §8: maintenance mode.

use super::sim::Sim;
use super::specs::job;
use crate::config::JobSpec;
use crate::control::request::{Reply, Request};
use crate::event::{Code, Event, GLOBAL};
use crate::message::Signal;

fn checked() -> JobSpec {
    job("app").forever().checked_every(1000, 500)
}

#[test]
fn the_first_check_is_one_interval_after_the_first_start_then_every_interval() {
    let mut sim = Sim::new(vec![checked()]);
    sim.advance(1000);
    sim.advance(100);
    sim.exit("check.app", 0);
    sim.advance(900);
    sim.exit("check.app", 1);
    sim.advance(1000);
    sim.exit("check.app", 2);
    sim.advance(1000);
    sim.exit("check.app", 0);
    sim.expect(
        "0 event {Startup, global}
         0 spawn app
         1000 spawn check.app
         1100 info app is healthy
         1100 event {StatusHealthy, app}
         2000 spawn check.app
         2000 warn app is unhealthy: check exited with code 1
         2000 event {StatusUnhealthy, app}
         3000 spawn check.app
         3000 event {StatusUnhealthy, app}
         4000 spawn check.app
         4000 info app is healthy
         4000 event {StatusHealthy, app}",
    );
}

#[test]
fn a_check_that_takes_too_long_is_killed_and_fails_at_its_deadline() {
    let mut sim = Sim::new(vec![checked()]);
    sim.advance(1600);
    sim.expect(
        "0 event {Startup, global}
         0 spawn app
         1000 spawn check.app
         1500 kill check.app
         1500 warn app is unhealthy: no result within 500ms, killed
         1500 event {StatusUnhealthy, app}",
    );
}

#[test]
fn there_are_never_two_checks_at_once() {
    let mut sim = Sim::new(vec![job("app").checked_every(1000, 2500)]);
    sim.advance(3400);
    sim.take_record();
    sim.advance(600);
    sim.expect(
        "3500 kill check.app
         3500 warn app is unhealthy: no result within 2.5s, killed
         3500 event {StatusUnhealthy, app}
         4000 spawn check.app",
    );
}

#[test]
fn a_check_that_cannot_be_started_fails() {
    let mut sim = Sim::with_manual_starts(vec![checked()]);
    sim.start("app");
    sim.advance(1000);
    sim.take_record();
    sim.fail_to_start("check.app");
    sim.expect(
        "1000 warn app is unhealthy: no: entity not found
         1000 event {StatusUnhealthy, app}",
    );
}

#[test]
fn a_job_that_never_started_is_not_checked() {
    let mut sim = Sim::with_manual_starts(vec![checked().restarts(1)]);
    sim.fail_to_start("app");
    sim.advance(5000);
    assert!(!sim.is_running("check.app"));
    sim.start("app");
    sim.advance(1000);
    assert!(sim.is_running("check.app"));
}

#[test]
fn checks_go_on_between_runs_and_end_with_the_job() {
    let mut sim = Sim::new(vec![
        job("app").restarts(1).checked_every(1000, 500),
        job("other"),
    ]);
    sim.advance(500);
    sim.exit("app", 1);
    sim.advance(500);
    assert!(sim.is_running("check.app"));
    sim.take_record();
    sim.exit("app", 1);
    sim.advance(5000);
    sim.expect(
        "1000 error app exited with code 1 (2 times)
         1000 kill check.app
         1000 event {ExitFailed, app}
         1000 event {Stopping, app}
         1000 event {Stopped, app}",
    );
}

#[test]
fn a_job_without_exec_is_checked_from_startup_on() {
    let mut sim = Sim::new(vec![job("db").without_exec().checked_every(1000, 500)]);
    sim.advance(1000);
    sim.exit("check.db", 0);
    sim.expect(
        "0 event {Startup, global}
         1000 spawn check.db
         1000 info db is healthy
         1000 event {StatusHealthy, db}",
    );
    sim.signal(Signal::Terminate);
    sim.expect_done();
}

#[test]
fn health_without_exec_passes_at_every_interval() {
    let mut spec = checked();
    spec.health.as_mut().unwrap().check = None;
    let mut sim = Sim::new(vec![spec]);
    sim.advance(2000);
    sim.expect(
        "0 event {Startup, global}
         0 spawn app
         1000 info app is healthy
         1000 event {StatusHealthy, app}
         2000 event {StatusHealthy, app}",
    );
}

#[test]
fn healthy_starts_the_jobs_that_wait_for_it_at_every_result() {
    let mut sim = Sim::new(vec![checked(), job("each").each(Code::Healthy, "app")]);
    for _ in 0..3 {
        sim.advance(1000);
        sim.exit("check.app", 0);
        sim.exit("each", 0);
    }
}

#[test]
fn in_maintenance_nothing_is_checked_and_jobs_go_on() {
    let jobs = vec![
        checked(),
        job("on-enter").each(Code::EnterMaintenance, GLOBAL),
        job("on-exit").each(Code::ExitMaintenance, GLOBAL),
    ];
    let mut sim = Sim::new(jobs);
    sim.advance(1000);
    sim.take_record();
    assert_eq!(
        sim.request(Request::Maintenance(true)),
        Some(Reply::Updated(true))
    );
    assert_eq!(
        sim.request(Request::Maintenance(true)),
        Some(Reply::Updated(false))
    );
    sim.exit("app", 0);
    sim.advance(5000);
    assert_eq!(
        sim.request(Request::Maintenance(false)),
        Some(Reply::Updated(true))
    );
    assert_eq!(
        sim.request(Request::Maintenance(false)),
        Some(Reply::Updated(false))
    );
    sim.advance(1000);
    sim.expect(
        "1000 info entering maintenance mode
         1000 event {EnterMaintenance, global}
         1000 spawn on-enter
         1000 kill check.app
         1000 event {ExitSuccess, app}
         1000 spawn app
         6000 info leaving maintenance mode
         6000 event {ExitMaintenance, global}
         6000 spawn on-exit
         7000 spawn check.app",
    );
}

#[test]
fn a_job_that_starts_during_maintenance_is_checked_after_it() {
    let mut sim = Sim::new(vec![
        job("first"),
        checked().once(Code::ExitSuccess, "first"),
    ]);
    sim.request(Request::Maintenance(true));
    sim.exit("first", 0);
    sim.advance(5000);
    assert!(!sim.is_running("check.app"));
    sim.request(Request::Maintenance(false));
    sim.advance(1000);
    assert!(sim.is_running("check.app"));
}

#[test]
fn maintenance_does_not_stand_in_the_way_of_shutdown() {
    let mut sim = Sim::new(vec![checked()]);
    sim.request(Request::Maintenance(true));
    sim.signal(Signal::Terminate);
    sim.expect_done();
    assert_eq!(Event::global(Code::Shutdown).source.as_ref(), GLOBAL);
}
