//! SPEC §12: what shutdown ends, what it still runs, and when it is over.

use super::sim::Sim;
use super::specs::{config, job};
use crate::config::{MetricSpec, TelemetrySpec, WatchSpec};
use crate::event::Code;
use crate::message::{Message, Signal};

#[test]
fn sigterm_completes_every_job_and_shutdown_ends_with_the_last_process() {
    let mut sim = Sim::new(vec![
        job("app").forever(),
        job("tick").every(100),
        job("late").once(Code::Healthy, "app"),
    ]);
    sim.ignores_sigterm("app");
    sim.exit("tick", 0);
    sim.advance(50);
    sim.take_record();
    sim.signal(Signal::Terminate);
    sim.expect(
        "50 info shutting down
         50 event {Shutdown, global}
         50 event {Stopping, app}
         50 event {Stopping, tick}
         50 event {Stopping, late}
         50 terminate app
         50 event {Stopped, tick}
         50 event {Stopped, late}",
    );
    sim.advance(30);
    sim.exit("app", 3);
    sim.expect(
        "80 event {ExitFailed, app}
         80 event {Stopped, app}",
    );
    sim.expect_done();
}

#[test]
fn what_is_left_when_the_grace_time_is_over_is_killed() {
    let mut sim = Sim::new(vec![job("app"), job("other")]);
    sim.ignores_sigterm("app");
    sim.take_record();
    sim.signal(Signal::Terminate);
    sim.take_record();
    sim.advance(10_000);
    sim.expect(
        "5000 warn still there after 5s, killing: app (pid 101)
         5000 kill app
         5000 event {ExitFailed, app}
         5000 event {Stopped, app}",
    );
    sim.expect_done();
}

#[test]
fn a_second_sigterm_kills_at_once() {
    let mut sim = Sim::new(vec![job("app"), job("pre").once(Code::Stopping, "app")]);
    sim.ignores_sigterm("app");
    sim.signal(Signal::Terminate);
    sim.advance(10);
    sim.take_record();
    sim.signal(Signal::Terminate);
    sim.expect(
        "10 warn told to shut down again: killing what is left
         10 kill app
         10 event {Stopping, pre}
         10 kill pre
         10 event {ExitFailed, app}
         10 event {Stopped, app}
         10 event {ExitFailed, pre}
         10 event {Stopped, pre}",
    );
    sim.expect_done();
}

#[test]
fn jobs_that_wait_for_the_end_of_others_still_run() {
    let jobs = vec![
        job("app"),
        job("pre").once(Code::Stopping, "app"),
        job("post").once(Code::Stopped, "app"),
        job("last").on_shutdown(),
        job("never").once(Code::ExitSuccess, "post"),
    ];
    let mut sim = Sim::new(jobs);
    sim.take_record();
    sim.signal(Signal::Terminate);
    sim.expect(
        "0 info shutting down
         0 event {Shutdown, global}
         0 spawn last
         0 event {Stopping, app}
         0 event {Stopping, never}
         0 spawn pre
         0 event {Stopped, never}",
    );
    sim.exit("last", 0);
    sim.exit("pre", 1);
    assert!(
        !sim.is_running("app"),
        "terminated once its hook is complete"
    );
    sim.exit("post", 0);
    sim.expect_done();
}

#[test]
fn stop_hooks_are_not_restarted_during_shutdown() {
    let mut sim = Sim::new(vec![
        job("app"),
        job("post").once(Code::Stopped, "app").forever(),
    ]);
    sim.signal(Signal::Terminate);
    sim.exit("post", 1);
    sim.expect_done();
}

#[test]
fn a_hook_that_runs_already_is_left_to_finish() {
    let mut sim = Sim::new(vec![
        job("app"),
        job("other").forever(),
        job("post").once(Code::Stopped, "app"),
    ]);
    sim.exit("app", 0);
    sim.signal(Signal::Terminate);
    assert!(sim.is_running("post"));
    sim.exit("post", 0);
    sim.expect_done();
}

#[test]
fn hooks_of_each_other_do_not_keep_shutdown_waiting() {
    let jobs = vec![
        job("a").once(Code::Stopped, "b"),
        job("b").once(Code::Stopped, "a"),
        job("self").once(Code::Stopping, "self"),
        job("ghost").each(Code::Stopped, "nobody"),
    ];
    let mut sim = Sim::new(jobs);
    // Nothing but hooks: nothing will ever start them, so shutdown begins at once.
    sim.advance(1);
    while let Some(name) = sim.live().first().cloned() {
        sim.exit(&name, 0);
    }
    sim.expect_done();
    assert_eq!(sim.ms(), 1);
}

#[test]
fn jobs_that_wait_for_the_end_of_others_keep_nothing_up() {
    let jobs = vec![
        job("app"),
        job("last").on_shutdown(),
        job("each").each(Code::Stopped, "app"),
    ];
    let mut sim = Sim::new(jobs);
    sim.exit("app", 0);
    assert!(!sim.is_running("last"));
    sim.exit("each", 0);
    assert!(
        sim.is_running("last"),
        "shutdown began when only hooks were left"
    );
    sim.exit("last", 0);
    sim.expect_done();
}

#[test]
fn a_process_that_is_still_starting_is_terminated_as_soon_as_it_has_started() {
    let mut sim = Sim::with_manual_starts(vec![job("app")]);
    sim.signal(Signal::Terminate);
    sim.take_record();
    sim.advance(40);
    sim.start("app");
    sim.expect(
        "40 terminate app
         40 event {ExitFailed, app}
         40 event {Stopped, app}",
    );
    sim.expect_done();
}

#[test]
fn a_process_that_starts_after_the_grace_time_is_killed() {
    let mut sim = Sim::with_manual_starts(vec![job("app")]);
    sim.signal(Signal::Terminate);
    sim.advance(5100);
    sim.take_record();
    sim.start("app");
    sim.expect(
        "5100 kill app
         5100 event {ExitFailed, app}
         5100 event {Stopped, app}",
    );
    sim.expect_done();
}

#[test]
fn what_sigkill_does_not_end_is_left_behind() {
    let mut sim = Sim::with_manual_starts(vec![job("app")]);
    sim.signal(Signal::Terminate);
    sim.advance(10_000);
    assert!(sim.is_done());
    let record = sim.take_record();
    assert_eq!(
        record.last().unwrap(),
        "5500 error leaving processes behind that SIGKILL does not end: app"
    );
}

#[test]
fn a_check_in_flight_is_killed_and_waited_for() {
    let mut sim = Sim::new(vec![job("app").checked_every(1000, 5000)]);
    sim.advance(1000);
    sim.take_record();
    sim.signal(Signal::Terminate);
    sim.expect(
        "1000 info shutting down
         1000 event {Shutdown, global}
         1000 kill check.app
         1000 event {Stopping, app}
         1000 terminate app
         1000 event {ExitFailed, app}
         1000 event {Stopped, app}",
    );
    sim.expect_done();
}

#[test]
fn nothing_to_run_is_said_and_ends_unless_something_else_is_served() {
    let mut sim = Sim::new(vec![]);
    sim.expect(
        "0 event {Startup, global}
         0 info there is nothing to run, shutting down
         0 event {Shutdown, global}",
    );
    sim.expect_done();

    let mut watching = config(vec![]);
    let name = "db".into();
    watching.watches.push(WatchSpec {
        name,
        interval: std::time::Duration::from_secs(1),
        tag: None,
        datacenter: None,
    });
    let mut sim = Sim::with_config(watching);
    assert!(!sim.is_done());
    sim.signal(Signal::Terminate);
    sim.expect_done();

    let mut measured = config(vec![job("app")]);
    let metrics: Vec<MetricSpec> = Vec::new();
    let address = [127, 0, 0, 1].into();
    measured.telemetry = Some(TelemetrySpec {
        address,
        port: 9090,
        tags: Vec::new(),
        metrics,
        service: None,
    });
    let mut sim = Sim::with_config(measured);
    sim.exit("app", 0);
    sim.expect_done();
}

#[test]
fn a_thread_that_ends_unasked_brings_about_an_orderly_shutdown() {
    let mut sim = Sim::new(vec![job("app")]);
    sim.take_record();
    sim.send(Message::WorkerEnded("signals"));
    let record = sim.take_record();
    assert_eq!(
        record[0],
        "0 error internal error: the signals thread ended; shutting down"
    );
    sim.expect_done();
    assert_eq!(sim.supervisor.exit_code(), 70);
}
