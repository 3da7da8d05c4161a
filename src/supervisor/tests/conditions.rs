//! SPEC §15: jobs that start when all of several things have happened, or at any
//! of them.

use super::sim::Sim;
use super::specs::job;
use crate::config::JobSpec;
use crate::event::{Code, GLOBAL};
use crate::message::Signal;

/// What has been spawned since the last look.
pub(super) fn spawned(sim: &mut Sim) -> Vec<String> {
    let record = sim.take_record();
    let spawned = record.iter().filter_map(|line| line.split_once(" spawn "));
    spawned.map(|(_, name)| name.to_owned()).collect()
}

/// `a` and `b` run, and this job waits for them.
fn with_sources(waiting: JobSpec) -> Sim {
    let mut sim = Sim::new(vec![
        job("a").forever().without_backoff(),
        job("b").forever().without_backoff(),
        waiting,
    ]);
    sim.take_record();
    sim
}

pub(super) fn both() -> JobSpec {
    job("app").all(&[(Code::ExitSuccess, "a"), (Code::ExitSuccess, "b")])
}

pub(super) fn either() -> JobSpec {
    let each = true;
    job("app").any(&[
        (!each, Code::ExitSuccess, "a"),
        (each, Code::ExitSuccess, "b"),
        (each, Code::Signal, "SIGHUP"),
    ])
}

#[test]
fn all_starts_once_when_each_has_happened_in_whatever_order() {
    for order in [["a", "b"], ["b", "a"]] {
        let mut sim = with_sources(both());
        sim.exit(order[0], 1);
        sim.exit(order[0], 0);
        sim.exit(order[0], 0);
        sim.exit(order[1], 1);
        assert!(!sim.is_running("app"), "{order:?}");
        sim.exit(order[1], 0);
        assert!(sim.is_running("app"), "{order:?}");
        sim.exit("a", 0);
        sim.exit("b", 0);
        sim.exit("app", 0);
        sim.exit("a", 0);
        sim.exit("b", 0);
        let runs = spawned(&mut sim);
        assert_eq!(runs.iter().filter(|name| *name == "app").count(), 1);
    }
}

#[test]
fn all_is_complete_after_its_run_as_a_job_of_one_event_is() {
    let mut sim = Sim::new(vec![job("a"), job("b"), both()]);
    sim.exit("a", 0);
    sim.exit("b", 0);
    sim.exit("app", 0);
    sim.expect_done();
}

#[test]
fn what_all_still_misses_is_told_when_it_gives_up() {
    let waiting = both().waits_at_most(500);
    let mut sim = with_sources(waiting.clone());
    sim.exit("b", 0);
    sim.take_record();
    sim.advance(500);
    sim.expect(
        "500 warn app gave up waiting to start; not seen: exitSuccess of a
         500 event {TimerExpired, app}
         500 event {Stopping, app}
         500 event {Stopped, app}",
    );
    sim.exit("a", 0);
    assert!(!sim.is_running("app"));

    let mut sim = with_sources(waiting);
    sim.exit("a", 0);
    sim.exit("b", 0);
    sim.advance(1000);
    assert!(sim.is_running("app"), "it had started in time");

    let either = either().waits_at_most(500);
    let mut sim = with_sources(either);
    sim.advance(500);
    let told = "500 warn app gave up waiting to start; \
                not seen: exitSuccess of a, exitSuccess of b, SIGHUP";
    assert_eq!(sim.take_record().first().map(String::as_str), Some(told));
}

#[test]
fn signals_and_events_of_the_supervisor_count_among_all() {
    let mut sim = Sim::new(vec![
        job("a"),
        job("app").all(&[
            (Code::Startup, GLOBAL),
            (Code::Signal, "SIGHUP"),
            (Code::EnterMaintenance, GLOBAL),
        ]),
    ]);
    sim.signal(Signal::Hangup);
    sim.signal(Signal::User2);
    assert!(!sim.is_running("app"));
    let maintenance = crate::control::request::Request::Maintenance(true);
    assert!(sim.request(maintenance).is_some());
    assert!(sim.is_running("app"));
}

#[test]
fn any_runs_at_the_first_of_once_and_at_every_of_each_and_loses_none() {
    let mut sim = with_sources(either());
    sim.exit("a", 0);
    assert!(sim.is_running("app"));
    // During the run: one that counts no more, and three that do.
    sim.exit("a", 0);
    sim.exit("b", 0);
    sim.signal(Signal::Hangup);
    sim.exit("b", 0);
    let mut runs = 0;
    while sim.is_running("app") {
        sim.exit("app", 0);
        runs += 1;
    }
    assert_eq!(runs, 4);
    sim.exit("a", 0);
    assert!(!sim.is_running("app"));
    sim.exit("b", 0);
    assert!(sim.is_running("app"));
}

#[test]
fn the_timeout_of_any_is_that_of_the_first_start() {
    let mut sim = with_sources(either().waits_at_most(500));
    sim.exit("b", 0);
    sim.exit("app", 0);
    sim.advance(1000);
    sim.exit("a", 0);
    assert!(sim.is_running("app"));
}

#[test]
fn restarts_follow_any_start_and_events_come_after_them() {
    let mut sim = with_sources(either().restarts(1).without_backoff());
    sim.exit("b", 0);
    sim.exit("b", 0);
    let mut codes = [1, 0, 0].into_iter();
    while sim.is_running("app") {
        sim.exit("app", codes.next().unwrap());
    }
    assert_eq!(codes.next(), None, "a restart and the second event");
}

#[test]
fn any_of_events_that_come_once_is_complete_when_none_can_come_any_more() {
    let once = || {
        job("app").any(&[
            (false, Code::ExitSuccess, "a"),
            (false, Code::ExitFailed, "a"),
            (false, Code::Stopped, "b"),
        ])
    };
    let mut sim = Sim::new(vec![job("a"), job("b"), once()]);
    sim.exit("a", 0);
    sim.exit("app", 0);
    assert!(!sim.is_done(), "b can still stop");
    sim.exit("b", 0);
    assert!(sim.is_running("app"));
    sim.exit("app", 0);
    sim.expect_done();

    // The last thing to happen is that nothing can happen any more.
    let mut sim = Sim::new(vec![job("a"), job("b"), once()]);
    sim.exit("b", 0);
    sim.exit("app", 0);
    assert!(!sim.is_done());
    sim.exit("a", 0);
    sim.exit("app", 7);
    sim.expect_done();

    let mut sim = Sim::new(vec![job("a"), job("b"), once().essential()]);
    sim.exit("b", 0);
    sim.exit("a", 0);
    sim.exit("app", 0);
    sim.exit("app", 7);
    sim.expect_done();
    assert_eq!(sim.supervisor.exit_code(), 7);
}

// Ends.

#[test]
fn all_of_several_ends_runs_on_the_way_out() {
    let mut sim = Sim::new(vec![
        job("a"),
        job("b"),
        job("last").all(&[(Code::Stopped, "a"), (Code::Stopped, "b")]),
    ]);
    sim.take_record();
    sim.signal(Signal::Terminate);
    sim.expect(
        "0 info shutting down
         0 event {Shutdown, global}
         0 event {Stopping, a}
         0 event {Stopping, b}
         0 terminate a
         0 terminate b
         0 event {ExitFailed, a}
         0 event {Stopped, a}
         0 event {ExitFailed, b}
         0 event {Stopped, b}
         0 spawn last",
    );
    sim.exit("last", 0);
    sim.expect_done();
}

#[test]
fn what_was_seen_before_counts_on_the_way_out() {
    let jobs = || {
        vec![
            job("a").checked_every(100, 50),
            job("log").all(&[(Code::Healthy, "a"), (Code::Stopped, "a")]),
        ]
    };
    let mut sim = Sim::new(jobs());
    sim.advance(100);
    sim.exit("check.a", 0);
    sim.signal(Signal::Terminate);
    assert!(sim.is_running("log"));
    sim.exit("log", 0);
    sim.expect_done();

    // It can never be healthy any more: nothing waits for that.
    let mut sim = Sim::new(jobs());
    sim.signal(Signal::Terminate);
    sim.expect_done();
    assert_eq!(sim.ms(), 0);

    // Nor does a job keep anything up that waits for the end of what is over.
    let mut sim = Sim::new(jobs());
    sim.exit("a", 0);
    sim.expect_done();
}

#[test]
fn all_that_misses_more_than_an_end_keeps_the_supervisor_up() {
    let waiting = job("app").all(&[(Code::Stopped, "a"), (Code::Signal, "SIGHUP")]);
    let mut sim = Sim::new(vec![job("a"), waiting]);
    sim.exit("a", 0);
    assert!(!sim.is_shutting_down());
    sim.signal(Signal::Hangup);
    assert!(sim.is_running("app"));
    sim.exit("app", 0);
    sim.expect_done();
}

#[test]
fn a_job_waits_for_those_that_its_stopping_has_started() {
    let pre = || job("pre").all(&[(Code::Stopping, "a"), (Code::Stopping, "b")]);
    let mut sim = Sim::new(vec![job("a"), job("b"), pre()]);
    sim.exit("a", 0);
    sim.take_record();
    sim.signal(Signal::Terminate);
    assert!(sim.is_running("b"), "pre runs before b, the last to stop");
    sim.exit("pre", 0);
    sim.expect_done();

    let pre = || {
        job("pre").any(&[
            (false, Code::Stopping, "a"),
            (false, Code::Stopping, "b"),
            (true, Code::Signal, "SIGHUP"),
        ])
    };
    let mut sim = Sim::new(vec![job("a").stop_timeout(300), job("b"), pre()]);
    sim.exit("a", 0);
    sim.exit("pre", 0);
    sim.exit("b", 0);
    sim.exit("pre", 0);
    let stops = sim.take_record().into_iter();
    let stops: Vec<String> = stops
        .filter(|line| line.contains("Stop") || line.contains("pre"))
        .collect();
    assert_eq!(
        stops,
        [
            "0 event {Stopping, a}",
            "0 spawn pre",
            "0 event {ExitSuccess, pre}",
            "0 event {Stopped, a}",
            "0 event {Stopping, b}",
            "0 spawn pre",
            "0 event {ExitSuccess, pre}",
            "0 event {Stopped, b}",
        ]
    );
    assert!(!sim.is_shutting_down(), "SIGHUP can still come");
    sim.signal(Signal::Terminate);
    sim.expect_done();
}

#[test]
fn of_any_only_ends_start_a_run_on_the_way_out() {
    let hook = || {
        job("hook").any(&[
            (true, Code::Stopped, "a"),
            (true, Code::Stopped, "b"),
            (true, Code::ExitFailed, "a"),
            (true, Code::Signal, "SIGHUP"),
        ])
    };
    let mut sim = Sim::new(vec![job("a"), job("b"), hook()]);
    sim.ignores_sigterm("b");
    sim.signal(Signal::Terminate);
    sim.signal(Signal::Hangup);
    sim.exit("hook", 0);
    assert!(!sim.is_running("hook"), "neither the failure nor SIGHUP");
    sim.exit("b", 0);
    assert!(sim.is_running("hook"));
    sim.exit("hook", 0);
    sim.expect_done();
}
