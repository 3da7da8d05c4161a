//! SPEC §5: runs, restarts, events, timeouts and completion of a job.

use super::sim::Sim;
use super::specs::job;
use crate::control::request::Verb;
use crate::event::{Code, GLOBAL};
use crate::message::Signal;

#[test]
fn a_job_without_when_runs_at_startup_and_its_completion_ends_the_supervisor() {
    let mut sim = Sim::new(vec![job("app")]);
    sim.advance(1500);
    sim.exit("app", 0);
    sim.expect(
        "0 event {Startup, global}
         0 spawn app
         1500 event {ExitSuccess, app}
         1500 event {Stopping, app}
         1500 event {Stopped, app}
         1500 info all jobs are complete, shutting down
         1500 event {Shutdown, global}",
    );
    sim.expect_done();
}

#[test]
fn a_failed_run_is_restarted_at_once_as_often_as_restarts_say() {
    let mut sim = Sim::new(vec![job("app").restarts(2)]);
    sim.exit("app", 1);
    sim.exit("app", 0);
    sim.take_record();
    sim.exit("app", 1);
    sim.expect(
        "0 error app exited with code 1
         0 event {ExitFailed, app}
         0 event {Stopping, app}
         0 event {Stopped, app}
         0 info all jobs are complete, shutting down
         0 event {Shutdown, global}",
    );
    sim.expect_done();
}

#[test]
fn unlimited_restarts_end_only_with_the_supervisor() {
    let mut sim = Sim::new(vec![job("app").forever()]);
    for _ in 0..1000 {
        sim.exit("app", 0);
    }
    assert!(sim.is_running("app"));
    sim.signal(Signal::Terminate);
    sim.expect_done();
}

#[test]
fn a_run_that_cannot_be_started_is_exit_failed_and_is_restarted_like_any() {
    let mut sim = Sim::with_manual_starts(vec![job("app").restarts(1)]);
    sim.fail_to_start("app");
    sim.fail_to_start("app");
    sim.expect(
        "0 event {Startup, global}
         0 spawn app
         0 error app could not be started: no: entity not found
         0 event {ExitFailed, app}
         0 spawn app
         0 error app could not be started: no: entity not found (2 times)
         0 event {ExitFailed, app}
         0 event {Stopping, app}
         0 event {Stopped, app}
         0 info all jobs are complete, shutting down
         0 event {Shutdown, global}",
    );
    sim.expect_done();
}

#[test]
fn once_starts_at_the_first_matching_event_only() {
    let jobs = vec![
        job("setup").restarts(2),
        job("app").once(Code::ExitSuccess, "setup"),
    ];
    let mut sim = Sim::new(jobs);
    sim.exit("setup", 1);
    assert!(!sim.is_running("app"));
    sim.exit("setup", 0);
    assert!(sim.is_running("app"));
    sim.exit("app", 0);
    sim.take_record();
    sim.exit("setup", 0);
    sim.expect(
        "0 event {ExitSuccess, setup}
         0 event {Stopping, setup}
         0 event {Stopped, setup}
         0 info all jobs are complete, shutting down
         0 event {Shutdown, global}",
    );
}

#[test]
fn each_runs_once_for_every_event_one_after_the_other_none_lost() {
    let mut sim = Sim::new(vec![job("app"), job("hook").each(Code::Signal, "SIGHUP")]);
    sim.take_record();
    for _ in 0..3 {
        sim.signal(Signal::Hangup);
    }
    sim.signal(Signal::User2);
    sim.expect(
        "0 event {Signal, SIGHUP}
         0 spawn hook
         0 event {Signal, SIGHUP}
         0 event {Signal, SIGHUP}
         0 event {Signal, SIGUSR2}",
    );
    sim.exit("hook", 0);
    sim.exit("hook", 1);
    sim.exit("hook", 0);
    sim.expect(
        "0 event {ExitSuccess, hook}
         0 spawn hook
         0 error hook exited with code 1
         0 event {ExitFailed, hook}
         0 spawn hook
         0 event {ExitSuccess, hook}",
    );
    assert!(!sim.is_running("hook"));
}

#[test]
fn an_interval_job_runs_at_startup_and_then_on_its_beat() {
    let mut sim = Sim::new(vec![job("tick").every(100)]);
    sim.exit("tick", 0);
    sim.advance(250);
    sim.expect(
        "0 event {Startup, global}
         0 spawn tick
         0 event {ExitSuccess, tick}
         100 spawn tick
         200 error tick timed out after 100ms, killing it
         200 kill tick
         200 event {ExitFailed, tick}
         200 spawn tick",
    );
}

#[test]
fn numeric_restarts_of_an_interval_job_make_one_run_more_than_their_number() {
    let mut sim = Sim::new(vec![job("tick").every(100).restarts(2)]);
    sim.exit("tick", 1);
    sim.advance(100);
    sim.exit("tick", 1);
    sim.advance(100);
    sim.take_record();
    sim.exit("tick", 0);
    sim.expect(
        "200 event {ExitSuccess, tick}
         200 event {Stopping, tick}
         200 event {Stopped, tick}
         200 info all jobs are complete, shutting down
         200 event {Shutdown, global}",
    );
    sim.expect_done();
}

#[test]
fn ticks_during_a_run_are_remembered_as_one_run() {
    let mut sim = Sim::new(vec![job("tick").every(100).timeout(10_000)]);
    sim.advance(350);
    sim.take_record();
    sim.exit("tick", 0);
    sim.exit("tick", 0);
    sim.advance(50);
    sim.expect(
        "350 event {ExitSuccess, tick}
         350 spawn tick
         350 event {ExitSuccess, tick}
         400 spawn tick",
    );
}

#[test]
fn a_job_gives_up_waiting_after_its_when_timeout() {
    let jobs = vec![
        job("app").forever(),
        job("late").once(Code::Healthy, "app").waits_at_most(500),
        job("told").once(Code::TimerExpired, "late"),
    ];
    let mut sim = Sim::new(jobs);
    sim.take_record();
    sim.advance(1000);
    sim.expect(
        "500 warn late gave up waiting to start; not seen: healthy of app
         500 event {TimerExpired, late}
         500 event {Stopping, late}
         500 spawn told
         500 event {Stopped, late}",
    );
}

#[test]
fn a_run_that_takes_too_long_is_killed_and_counts_as_failed_whatever_it_says() {
    let mut sim = Sim::new(vec![job("app").timeout(200).restarts(1)]);
    sim.advance(200);
    sim.expect(
        "0 event {Startup, global}
         0 spawn app
         200 error app timed out after 200ms, killing it
         200 kill app
         200 event {ExitFailed, app}
         200 spawn app",
    );
    sim.exit("app", 0);
    sim.expect_done();
}

#[test]
fn a_timeout_before_the_process_has_started_kills_it_as_soon_as_it_has() {
    let mut sim = Sim::with_manual_starts(vec![job("app").timeout(200)]);
    sim.advance(300);
    sim.take_record();
    sim.start("app");
    sim.expect(
        "300 kill app
         300 event {ExitFailed, app}
         300 event {Stopping, app}
         300 event {Stopped, app}
         300 info all jobs are complete, shutting down
         300 event {Shutdown, global}",
    );
    sim.expect_done();
}

#[test]
fn a_run_that_timed_out_before_it_has_started_is_killed_even_if_it_is_told_to_stop() {
    let mut sim = Sim::with_manual_starts(vec![job("app").timeout(200), job("other")]);
    sim.advance(300);
    sim.operate(Verb::Stop, "app");
    sim.take_record();
    sim.start("app");
    sim.expect(
        "300 kill app
         300 event {ExitFailed, app}
         300 event {Stopped, app}",
    );
}

#[test]
fn a_completing_job_waits_for_the_jobs_that_run_once_on_its_stopping() {
    let jobs = vec![
        job("app"),
        job("pre").once(Code::Stopping, "app"),
        job("post").once(Code::Stopped, "app"),
    ];
    let mut sim = Sim::new(jobs);
    sim.advance(10);
    sim.take_record();
    sim.exit("app", 0);
    sim.advance(10);
    sim.exit("pre", 0);
    sim.expect(
        "10 event {ExitSuccess, app}
         10 event {Stopping, app}
         10 spawn pre
         20 event {ExitSuccess, pre}
         20 event {Stopping, pre}
         20 event {Stopped, pre}
         20 event {Stopped, app}
         20 spawn post",
    );
    sim.exit("post", 0);
    sim.expect_done();
}

#[test]
fn a_job_does_not_wait_for_its_stop_hooks_beyond_its_stop_timeout() {
    let jobs = vec![
        job("app").stop_timeout(300),
        job("pre").once(Code::Stopping, "app"),
    ];
    let mut sim = Sim::new(jobs);
    sim.exit("app", 0);
    sim.take_record();
    sim.advance(400);
    sim.expect(
        "300 warn app does not wait any longer for the jobs that run before it stops
         300 event {Stopped, app}",
    );
    sim.exit("pre", 0);
    sim.expect_done();
}

#[test]
fn jobs_of_the_same_name_share_events_and_complete_each_for_itself() {
    let jobs = vec![
        job("app"),
        job("app").once(Code::ExitFailed, "app"),
        job("pre").once(Code::Stopping, "app"),
    ];
    let mut sim = Sim::new(jobs);
    sim.exit("app", 1);
    // The first app waits for its hook; the second runs because the first failed.
    sim.exit("pre", 0);
    sim.exit("app", 0);
    sim.expect_done();
}

#[test]
fn children_are_told_who_else_runs() {
    let jobs = vec![
        job("my-app.v2"),
        job("setup"),
        job("late").once(Code::ExitSuccess, "setup"),
    ];
    let mut sim = Sim::new(jobs);
    sim.exit("setup", 0);
    let environment = &sim.environment["late"];
    let ours: Vec<String> = environment
        .iter()
        .map(|(name, value)| format!("{name}={value}"))
        .collect();
    assert_eq!(
        ours,
        [
            "CONTAINERPILOT_PID=1",
            "CONTAINERPILOT_SOCKET=/run/test.socket",
            "HOME=/",
            "PATH=/bin",
            "CONTAINERPILOT_MY_APP_V2_PID=101",
        ]
    );
}

#[test]
fn of_jobs_whose_pids_share_a_variable_the_last_that_runs_counts() {
    let jobs = vec![
        job("a-b"),
        job("other"),
        job("a.b"),
        job("a-b"),
        job("asks").each(Code::Signal, "SIGHUP"),
    ];
    let told = |sim: &mut Sim| -> Vec<String> {
        sim.signal(Signal::Hangup);
        sim.exit("asks", 0);
        let pids = sim.environment["asks"].iter();
        let pids = pids.filter(|(name, _)| name.ends_with("A_B_PID"));
        pids.map(|(_, pid)| pid.clone()).collect()
    };
    let mut sim = Sim::new(jobs);
    assert_eq!(told(&mut sim), ["104"]);
    sim.exit("a.b", 0);
    assert_eq!(told(&mut sim), ["104"]);
    sim.exit("a-b@4", 0);
    assert_eq!(told(&mut sim), ["101"]);
    sim.exit("a-b", 0);
    assert!(told(&mut sim).is_empty());
}

#[test]
fn a_job_waiting_for_startup_by_name_is_the_same_as_one_without_when() {
    let mut sim = Sim::new(vec![job("app").each(Code::Startup, GLOBAL)]);
    sim.exit("app", 0);
    assert!(!sim.is_done(), "an each job is never complete by itself");
    sim.signal(Signal::Terminate);
    sim.expect_done();
}
