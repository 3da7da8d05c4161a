//! SPEC §15: the signal that stops a job, and the time it has to obey.

use super::sim::Sim;
use super::specs::job;
use crate::control::request::Verb;
use crate::event::Code;
use crate::message::Signal;

#[test]
fn a_job_is_stopped_with_its_own_signal() {
    let quit = job("quit").stops_on(libc::SIGQUIT);
    let mut sim = Sim::new(vec![quit.clone(), job("term")]);
    sim.take_record();
    sim.reload(vec![job("term")]);
    sim.expect(
        "0 info reload: stop job[quit]
         0 info reload: 4 kept, 1 changed
         0 event {Stopping, quit}
         0 signal-3 quit
         0 event {ExitFailed, quit}
         0 event {Stopped, quit}",
    );
    sim.reload(vec![job("term").stops_on(libc::SIGINT)]);
    sim.take_record();
    sim.signal(Signal::Terminate);
    let record = sim.take_record();
    assert!(record.contains(&"0 signal-2 term".to_owned()), "{record:?}");
    sim.expect_done();
}

#[test]
fn a_job_that_does_not_obey_in_its_time_is_killed() {
    let mut sim = Sim::new(vec![job("app").kill_timeout(700), job("other")]);
    sim.ignores_sigterm("app");
    sim.reload(vec![job("other")]);
    sim.take_record();
    sim.advance(10_000);
    sim.expect(
        "700 warn app did not terminate within 700ms, killing it
         700 kill app
         700 event {ExitFailed, app}
         700 event {Stopped, app}",
    );
}

#[test]
fn outside_a_shutdown_a_job_may_take_longer_than_the_grace_time() {
    let mut sim = Sim::new(vec![job("app").kill_timeout(60_000), job("other")]);
    sim.ignores_sigterm("app");
    sim.reload(vec![job("other")]);
    sim.advance(59_999);
    assert!(sim.is_running("app"));
    sim.advance(1);
    assert!(!sim.is_running("app"));
}

#[test]
fn during_a_shutdown_a_job_may_be_killed_sooner_and_never_later() {
    let mut sim = Sim::new(vec![
        job("soon").kill_timeout(700),
        job("late").kill_timeout(60_000),
    ]);
    sim.ignores_sigterm("soon");
    sim.ignores_sigterm("late");
    sim.take_record();
    sim.signal(Signal::Terminate);
    sim.take_record();
    sim.advance(60_000);
    sim.expect(
        "700 warn soon did not terminate within 700ms, killing it
         700 kill soon
         700 event {ExitFailed, soon}
         700 event {Stopped, soon}
         5000 warn still there after 5s, killing: late (pid 102)
         5000 kill late
         5000 event {ExitFailed, late}
         5000 event {Stopped, late}",
    );
    sim.expect_done();
}

#[test]
fn the_time_to_obey_begins_with_the_signal_not_with_the_hooks() {
    let mut sim = Sim::new(vec![
        job("app").kill_timeout(300),
        job("pre").once(Code::Stopping, "app"),
    ]);
    sim.ignores_sigterm("app");
    sim.signal(Signal::Terminate);
    sim.advance(1000);
    assert!(sim.is_running("app"));
    sim.exit("pre", 0);
    sim.advance(299);
    assert!(sim.is_running("app"));
    sim.advance(1);
    sim.expect_done();
}

#[test]
fn a_signal_that_is_no_request_counts_as_one_all_the_same() {
    let mut sim = Sim::with_manual_starts(vec![job("app").stops_on(libc::SIGKILL)]);
    sim.signal(Signal::Terminate);
    sim.take_record();
    sim.start("app");
    sim.expect(
        "0 kill app
         0 event {ExitFailed, app}
         0 event {Stopped, app}",
    );
    sim.expect_done();
}

#[test]
fn what_the_last_run_has_left_ends_with_a_job_that_rests_between_its_runs() {
    let jobs = || {
        [
            job("idle").each(Code::Signal, "SIGHUP"),
            job("clock").every(60_000),
            job("failing").forever(),
        ]
    };
    let mut sim = Sim::new(jobs().into());
    sim.shows_leftovers = true;
    sim.signal(Signal::Hangup);
    sim.exit("idle", 0);
    sim.exit("clock", 0);
    // The first restart is at once, the next one waits.
    sim.exit("failing", 1);
    sim.exit("failing", 1);
    sim.take_record();
    let [idle, ..] = jobs();
    sim.reload(vec![idle]);
    sim.expect(
        "0 info reload: stop job[clock]
         0 info reload: stop job[failing]
         0 info reload: 4 kept, 2 changed
         0 event {Stopping, clock}
         0 event {Stopping, failing}
         0 end what is left of clock
         0 event {Stopped, clock}
         0 end what is left of failing
         0 event {Stopped, failing}",
    );
    sim.signal(Signal::Terminate);
    let record = sim.take_record();
    assert!(record.contains(&"0 end what is left of idle".to_owned()));
    sim.expect_done();
}

#[test]
fn what_a_run_has_left_may_stay_until_the_jobs_that_run_before_the_end_are_done() {
    let pre = job("pre").once(Code::Stopping, "daemon");
    let mut sim = Sim::new(vec![job("daemon").each(Code::Signal, "SIGHUP"), pre]);
    sim.shows_leftovers = true;
    sim.signal(Signal::Hangup);
    sim.exit("daemon", 0);
    sim.take_record();
    sim.operate(Verb::Stop, "daemon");
    sim.expect(
        "0 info daemon is told to stop
         0 event {Stopping, daemon}
         0 spawn pre",
    );
    sim.exit("pre", 0);
    let record = sim.take_record();
    let end = record.iter().position(|line| line.ends_with("of daemon"));
    let stopped = record.iter().position(|line| line.contains("Stopped, d"));
    assert!(end.is_some() && end < stopped, "{record:?}");
}

#[test]
fn a_run_that_could_not_be_started_is_none_that_has_left_something() {
    let mut sim = Sim::with_manual_starts(vec![job("app").restarts(3), job("other")]);
    sim.shows_leftovers = true;
    sim.start("app");
    sim.exit("app", 0);
    sim.fail_to_start("app");
    sim.take_record();
    sim.fail_to_start("app");
    sim.operate(Verb::Stop, "app");
    let record = sim.take_record();
    assert!(record.contains(&"0 end what is left of app".to_owned()));
}

#[test]
fn what_runs_before_the_last_have_left_is_not_touched() {
    let mut sim = Sim::new(vec![job("app").each(Code::Signal, "SIGHUP"), job("other")]);
    sim.shows_leftovers = true;
    for _ in 0..3 {
        sim.signal(Signal::Hangup);
        sim.exit("app", 0);
    }
    sim.take_record();
    sim.operate(Verb::Stop, "app");
    let record = sim.take_record();
    let ends = record.iter().filter(|line| line.contains("what is left"));
    assert_eq!(ends.count(), 1, "{record:?}");
}
