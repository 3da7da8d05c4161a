//! SPEC §15: the signal that stops a job, and the time it has to obey.

use super::sim::Sim;
use super::specs::job;
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
