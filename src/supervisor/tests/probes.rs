//! SPEC §15: health checks that are built in, which have no process and of which
//! nothing waits for the end.

use std::sync::Arc;
use std::time::Duration;

use super::sim::Sim;
use super::specs::job;
use crate::config::url::{HostPort, Place};
use crate::config::{CheckSpec, JobSpec, ProbeSpec};
use crate::control::request::Request;
use crate::event::Code;
use crate::message::{ExecId, Message, Signal};

fn probed() -> JobSpec {
    job("app").forever().probed_every(1000, 500)
}

#[test]
fn results_are_as_those_of_commands_and_say_what_was_seen() {
    let mut sim = Sim::new(vec![probed()]);
    sim.advance(1003);
    sim.exit("probe.app", 0);
    sim.advance(1000);
    sim.exit("probe.app", 503);
    sim.advance(1000);
    sim.exit("probe.app", 503);
    sim.advance(1000);
    sim.exit("probe.app", 0);
    sim.expect(
        "0 event {Startup, global}
         0 spawn app
         1000 ask probe.app
         1003 info app is healthy: answered
         1003 event {StatusHealthy, app}
         2000 ask probe.app
         2003 warn app is unhealthy: answered 503
         2003 event {StatusUnhealthy, app}
         3000 ask probe.app
         3003 event {StatusUnhealthy, app}
         4000 ask probe.app
         4003 info app is healthy: answered
         4003 event {StatusHealthy, app}",
    );
}

#[test]
fn one_that_gives_up_in_time_says_why() {
    let mut sim = Sim::new(vec![probed()]);
    sim.advance(1600);
    sim.expect(
        "0 event {Startup, global}
         0 spawn app
         1000 ask probe.app
         1500 warn app is unhealthy: no answer in time
         1500 event {StatusUnhealthy, app}",
    );
}

#[test]
fn one_that_hangs_has_failed_all_the_same_and_there_is_never_a_second() {
    let mut sim = Sim::new(vec![probed()]);
    sim.lookups_hang = true;
    sim.advance(3000);
    sim.expect(
        "0 event {Startup, global}
         0 spawn app
         1000 ask probe.app
         1600 warn app is unhealthy: no result within 500ms
         1600 event {StatusUnhealthy, app}
         2000 event {StatusUnhealthy, app}
         3000 event {StatusUnhealthy, app}",
    );
    // What it says after all is about long ago.
    sim.exit("probe.app", 0);
    sim.lookups_hang = false;
    sim.advance(1000);
    sim.exit("probe.app", 0);
    sim.expect(
        "4000 ask probe.app
         4000 info app is healthy: answered
         4000 event {StatusHealthy, app}",
    );
}

#[test]
fn beats_that_come_while_it_has_time_are_left_out() {
    let mut sim = Sim::new(vec![job("app").probed_every(1000, 2500)]);
    sim.advance(3400);
    sim.take_record();
    sim.advance(700);
    sim.expect(
        "3500 warn app is unhealthy: no answer in time
         3500 event {StatusUnhealthy, app}
         4000 ask probe.app",
    );
}

#[test]
fn thresholds_and_start_periods_hold() {
    let mut sim = Sim::new(vec![probed().health(|health| {
        health.healthy_after = 2;
        health.unhealthy_after = 2;
        health.start_period = Duration::from_millis(1500);
    })]);
    for code in [1, 0, 0, 1, 1] {
        sim.advance(1000);
        sim.exit("probe.app", code);
    }
    let events = sim.take_record();
    let events: Vec<_> = events
        .iter()
        .filter(|line| line.contains("Status"))
        .collect();
    assert_eq!(
        events,
        [
            "3000 event {StatusHealthy, app}",
            "5000 event {StatusUnhealthy, app}"
        ]
    );
}

#[test]
fn a_run_whose_checks_hang_too_often_is_stopped() {
    let mut sim = Sim::new(vec![probed().restarts_after(3)]);
    sim.lookups_hang = true;
    sim.advance(2999);
    sim.take_record();
    sim.advance(1);
    sim.expect(
        "3000 event {StatusUnhealthy, app}
         3000 error app is stopped: 3 health checks in a row have failed
         3000 terminate app
         3000 event {ExitFailed, app}
         3000 spawn app",
    );
}

#[test]
fn in_maintenance_nobody_is_asked_and_the_last_answer_is_dropped() {
    let mut sim = Sim::new(vec![probed()]);
    sim.advance(1000);
    sim.request(Request::Maintenance(true));
    sim.take_record();
    sim.exit("probe.app", 0);
    sim.advance(5000);
    sim.request(Request::Maintenance(false));
    sim.advance(1000);
    sim.exit("probe.app", 0);
    sim.expect(
        "6000 info leaving maintenance mode
         6000 event {ExitMaintenance, global}
         7000 ask probe.app
         7000 info app is healthy: answered
         7000 event {StatusHealthy, app}",
    );
}

#[test]
fn one_that_was_paused_is_not_taken_for_late() {
    let mut sim = Sim::new(vec![job("app").probed_every(1000, 5000)]);
    sim.advance(1000);
    sim.request(Request::Maintenance(true));
    sim.request(Request::Maintenance(false));
    sim.take_record();
    sim.advance(3000);
    sim.expect("");
    sim.exit("probe.app", 1);
    sim.advance(1000);
    sim.expect("5000 ask probe.app");
}

#[test]
fn one_that_was_paused_and_hangs_fails_when_its_time_is_over() {
    let mut sim = Sim::new(vec![probed()]);
    sim.lookups_hang = true;
    sim.advance(1000);
    sim.request(Request::Maintenance(true));
    sim.request(Request::Maintenance(false));
    sim.take_record();
    sim.advance(1000);
    sim.expect(
        "2000 warn app is unhealthy: the check before still hangs in a name lookup
         2000 event {StatusUnhealthy, app}",
    );
}

#[test]
fn shutdown_does_not_wait_for_an_answer() {
    for hangs in [false, true] {
        let mut sim = Sim::new(vec![probed()]);
        sim.lookups_hang = hangs;
        sim.advance(1000);
        sim.take_record();
        sim.signal(Signal::Terminate);
        sim.expect(
            "1000 info shutting down
             1000 event {Shutdown, global}
             1000 event {Stopping, app}
             1000 terminate app
             1000 event {ExitFailed, app}
             1000 event {Stopped, app}",
        );
        sim.expect_done();
        sim.exit("probe.app", 1);
        sim.expect("");
    }
}

#[test]
fn a_changed_check_takes_over_in_place_and_the_one_under_way_counts() {
    let mut sim = Sim::new(vec![probed()]);
    sim.advance(1000);
    sim.take_record();
    sim.reload(vec![job("app").forever().checked_every(1000, 500)]);
    sim.exit("probe.app", 0);
    sim.advance(1000);
    sim.expect(
        "1000 info reload: update job[app]: health.unix, health.exec
         1000 info reload: 3 kept, 1 changed
         1000 info app is healthy: answered
         1000 event {StatusHealthy, app}
         2000 spawn check.app",
    );
}

#[test]
fn a_check_that_was_mended_does_not_wait_for_the_one_that_hangs() {
    let mut sim = Sim::new(vec![probed()]);
    sim.lookups_hang = true;
    sim.advance(1700);
    let tcp = Place::Tcp(HostPort::parse("[::1]:80").unwrap());
    let check = CheckSpec::Probe(Arc::new(ProbeSpec::Connect(tcp)));
    let other = job("app").forever().checked_every(1000, 500);
    sim.reload(vec![
        other.health(|health| health.check = Some(check.clone())),
    ]);
    sim.forget_probe("probe.app");
    sim.take_record();
    sim.advance(300);
    sim.exit("probe.app", 0);
    sim.expect(
        "2000 ask probe.app
         2000 info app is healthy: answered
         2000 event {StatusHealthy, app}",
    );
}

#[test]
fn a_replaced_job_does_not_wait_for_an_answer() {
    let mut sim = Sim::new(vec![probed()]);
    sim.lookups_hang = true;
    sim.advance(1000);
    sim.take_record();
    sim.reload(vec![probed().runs("v2")]);
    sim.expect(
        "1000 info reload: replace job[app]: exec
         1000 info reload: 3 kept, 1 changed
         1000 event {Stopping, app}
         1000 terminate app
         1000 event {ExitFailed, app}
         1000 event {Stopped, app}
         1000 spawn app",
    );
    sim.exit("probe.app", 0);
    sim.expect("");
    sim.advance(1000);
    sim.expect("2000 ask probe.app");
}

#[test]
fn a_job_that_is_not_checked_any_more_has_no_result() {
    let mut sim = Sim::new(vec![probed()]);
    sim.advance(1000);
    sim.reload(vec![job("app").forever()]);
    sim.take_record();
    sim.exit("probe.app", 0);
    sim.advance(5000);
    sim.expect("");
}

#[test]
fn answers_to_questions_that_nobody_asked_are_dropped() {
    let mut sim = Sim::new(vec![probed()]);
    sim.advance(1000);
    sim.take_record();
    for id in [0, 1, 99] {
        sim.send(Message::Probed(ExecId(id), Ok("answered".to_owned())));
    }
    sim.expect("");
    assert!(sim.is_running("probe.app"));
}

#[test]
fn a_service_without_a_process_is_asked_from_startup_on() {
    let jobs = vec![
        job("db").without_exec().probed_every(1000, 500),
        job("app").once(Code::Healthy, "db"),
    ];
    let mut sim = Sim::new(jobs);
    sim.advance(1000);
    sim.exit("probe.db", 0);
    assert!(sim.is_running("app"));
}
