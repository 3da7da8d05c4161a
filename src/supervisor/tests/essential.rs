//! SPEC §15: what the supervisor exits with, and which job ends it.

use super::sim::Sim;
use super::specs::{config, job};
use crate::event::Code;
use crate::message::Signal;

fn exit_code(sim: &Sim) -> u8 {
    sim.expect_done();
    sim.supervisor.exit_code()
}

#[test]
fn an_essential_job_takes_the_supervisor_with_it_in_order() {
    let mut sim = Sim::new(vec![
        job("app").essential(),
        job("log").forever(),
        job("pre").once(Code::Stopping, "app"),
        job("post").once(Code::Stopped, "app"),
    ]);
    sim.take_record();
    sim.exit("app", 7);
    sim.exit("pre", 0);
    sim.expect(
        "0 error app exited with code 7
         0 event {ExitFailed, app}
         0 event {Stopping, app}
         0 spawn pre
         0 event {ExitSuccess, pre}
         0 event {Stopping, pre}
         0 event {Stopped, pre}
         0 event {Stopped, app}
         0 spawn post
         0 info essential job app is complete, shutting down with exit code 7
         0 event {Shutdown, global}
         0 event {Stopping, log}
         0 terminate log
         0 event {ExitFailed, log}
         0 event {Stopped, log}",
    );
    sim.exit("post", 3);
    assert_eq!(exit_code(&sim), 7);
}

#[test]
fn every_exit_code_and_signal_is_passed_on() {
    for code in 0..=255 {
        let mut sim = Sim::new(vec![job("app").essential(), job("other").forever()]);
        sim.exit("app", code);
        assert_eq!(i32::from(exit_code(&sim)), code);
    }
    for signal in 1..=31 {
        let mut sim = Sim::new(vec![job("app").essential(), job("other").forever()]);
        sim.die("app", signal);
        assert_eq!(i32::from(exit_code(&sim)), 128 + signal);
    }
}

#[test]
fn a_job_that_cannot_be_started_is_passed_on_as_shells_do() {
    let mut sim = Sim::with_manual_starts(vec![job("app").essential()]);
    sim.fail_to_start("app");
    assert_eq!(exit_code(&sim), 127);
}

#[test]
fn only_the_last_run_of_an_essential_job_counts() {
    let mut sim = Sim::new(vec![job("app").essential().restarts(1)]);
    sim.exit("app", 7);
    assert!(!sim.is_shutting_down());
    sim.exit("app", 0);
    assert_eq!(exit_code(&sim), 0);
}

#[test]
fn a_run_that_took_too_long_was_killed() {
    let mut sim = Sim::new(vec![job("app").essential().timeout(100)]);
    sim.advance(100);
    assert_eq!(exit_code(&sim), 137);
}

#[test]
fn an_essential_job_that_gave_up_waiting_is_a_failure() {
    let late = job("late").once(Code::Healthy, "app").waits_at_most(500);
    let mut sim = Sim::new(vec![job("app").forever(), late.essential()]);
    sim.advance(500);
    assert_eq!(exit_code(&sim), 1);
}

#[test]
fn of_several_essential_jobs_the_first_counts() {
    let mut sim = Sim::new(vec![
        job("a").essential(),
        job("b").essential(),
        job("pre").once(Code::Stopping, "a"),
    ]);
    sim.exit("a", 3);
    sim.exit("b", 4);
    assert!(!sim.is_shutting_down(), "the hook of the first still runs");
    sim.exit("pre", 0);
    assert_eq!(exit_code(&sim), 3);
}

#[test]
fn a_requested_shutdown_is_no_failure_unless_an_essential_job_had_ended_before() {
    let jobs = || {
        vec![
            job("app").essential(),
            job("pre").once(Code::Stopping, "app"),
        ]
    };
    let mut sim = Sim::new(jobs());
    sim.signal(Signal::Terminate);
    sim.exit("pre", 0);
    assert_eq!(exit_code(&sim), 0, "it was told to end");

    let mut sim = Sim::new(jobs());
    sim.exit("app", 9);
    sim.signal(Signal::Terminate);
    sim.exit("pre", 0);
    assert_eq!(exit_code(&sim), 9);
}

#[test]
fn an_essential_job_that_a_reload_ends_takes_nothing_with_it() {
    let mut sim = Sim::new(vec![job("app").essential(), job("other")]);
    sim.reload(vec![job("app").runs("v2").essential(), job("other")]);
    assert!(sim.is_running("app"));
    sim.reload(vec![job("other")]);
    assert!(!sim.is_shutting_down());
    sim.exit("other", 5);
    assert_eq!(exit_code(&sim), 0);
}

#[test]
fn a_job_becomes_essential_in_place() {
    let mut sim = Sim::with_config(config(vec![job("app"), job("other")]));
    sim.reload(vec![job("app").essential(), job("other")]);
    sim.exit("app", 6);
    assert_eq!(exit_code(&sim), 6);
}
