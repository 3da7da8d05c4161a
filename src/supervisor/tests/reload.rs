//! SPEC §14: what a reload does to each job, in whatever state it is.

use super::sim::Sim;
use super::specs::job;
use crate::control::request::Request;
use crate::event::Code;
use crate::message::Signal;

#[test]
fn unchanged_jobs_notice_nothing() {
    let jobs = || {
        vec![
            job("setup"),
            job("app").forever().checked_every(1000, 500),
            job("tick").every(300),
        ]
    };
    let mut sim = Sim::new(jobs());
    sim.exit("setup", 0);
    sim.exit("tick", 0);
    sim.advance(1000);
    sim.exit("check.app", 0);
    sim.take_record();
    for _ in 0..3 {
        sim.reload(jobs());
    }
    sim.advance(200);
    sim.expect(
        "1000 info reload: 6 kept, 0 changed
         1000 info reload: 6 kept, 0 changed
         1000 info reload: 6 kept, 0 changed
         1200 error tick timed out after 300ms, killing it
         1200 kill tick
         1200 event {ExitFailed, tick}
         1200 spawn tick",
    );
}

#[test]
fn a_job_whose_command_changed_is_stopped_and_then_begins_anew() {
    let mut sim = Sim::new(vec![job("app"), job("pre").once(Code::Stopping, "app")]);
    sim.ignores_sigterm("app");
    sim.take_record();
    sim.reload(vec![
        job("app").runs("v2"),
        job("pre").once(Code::Stopping, "app"),
    ]);
    sim.advance(10);
    sim.exit("pre", 0);
    sim.advance(10);
    sim.exit("app", 0);
    sim.expect(
        "0 info reload: replace job[app]: exec
         0 info reload: 4 kept, 1 changed
         0 event {Stopping, app}
         0 spawn pre
         10 event {ExitSuccess, pre}
         10 event {Stopping, pre}
         10 event {Stopped, pre}
         10 terminate app
         20 event {ExitSuccess, app}
         20 event {Stopped, app}
         20 spawn app",
    );
    // The hook runs again at the end of the successor.
    sim.signal(Signal::Terminate);
    assert!(sim.is_running("pre"));
}

#[test]
fn a_job_that_ignores_sigterm_never_runs_beside_its_successor() {
    let mut sim = Sim::new(vec![job("app")]);
    sim.ignores_sigterm("app");
    sim.reload(vec![job("app").runs("v2")]);
    sim.reload(vec![job("app").runs("v3")]);
    sim.take_record();
    sim.advance(6000);
    sim.expect(
        "5000 warn app did not terminate within 5s, killing it
         5000 kill app
         5000 event {ExitFailed, app}
         5000 event {Stopped, app}
         5000 spawn app",
    );
    assert!(sim.is_running("app"));
}

#[test]
fn a_removed_job_is_stopped_with_the_hooks_that_are_removed_with_it() {
    let jobs = vec![
        job("keep"),
        job("app"),
        job("pre").once(Code::Stopping, "app"),
        job("post").once(Code::Stopped, "app"),
    ];
    let mut sim = Sim::new(jobs);
    sim.take_record();
    sim.reload(vec![job("keep")]);
    sim.exit("pre", 0);
    sim.exit("post", 0);
    sim.expect(
        "0 info reload: stop job[app]
         0 info reload: stop job[pre]
         0 info reload: stop job[post]
         0 info reload: 4 kept, 3 changed
         0 event {Stopping, app}
         0 spawn pre
         0 event {ExitSuccess, pre}
         0 event {Stopping, pre}
         0 event {Stopped, pre}
         0 terminate app
         0 event {ExitFailed, app}
         0 event {Stopped, app}
         0 spawn post
         0 event {ExitSuccess, post}
         0 event {Stopping, post}
         0 event {Stopped, post}",
    );
    sim.exit("keep", 0);
    sim.expect_done();
}

#[test]
fn a_hook_that_is_removed_without_its_job_just_goes() {
    let mut sim = Sim::new(vec![job("app"), job("pre").once(Code::Stopping, "app")]);
    sim.take_record();
    sim.reload(vec![job("app")]);
    sim.expect(
        "0 info reload: stop job[pre]
         0 info reload: 4 kept, 1 changed
         0 event {Stopping, pre}
         0 event {Stopped, pre}",
    );
}

#[test]
fn what_does_not_shape_the_process_changes_in_place() {
    let mut sim = Sim::new(vec![job("app").checked_every(1000, 500)]);
    sim.advance(500);
    sim.reload(vec![
        job("app")
            .checked_every(2000, 500)
            .restarts(1)
            .timeout(3000),
    ]);
    sim.take_record();
    sim.advance(1900);
    sim.expect("");
    sim.advance(100);
    sim.expect("2500 spawn check.app");
    sim.advance(500);
    sim.take_record();
    // The run has had 500 ms of its new timeout already.
    sim.expect("");
    sim.advance(100);
    assert!(sim.is_running("app"), "restarted once");
    sim.reload(vec![job("app")]);
    sim.advance(100_000);
    assert!(!sim.is_running("check.app"));
    assert!(sim.is_running("app"));
}

#[test]
fn restarts_that_were_used_count_after_a_reload() {
    let mut sim = Sim::new(vec![job("app").restarts(2), job("other")]);
    sim.exit("app", 1);
    sim.reload(vec![job("app").restarts(3), job("other")]);
    for _ in 0..3 {
        sim.exit("app", 1);
        sim.advance(1000);
    }
    assert!(!sim.is_running("app"));
}

#[test]
fn a_new_job_starts_when_its_condition_holds_already() {
    let mut sim = Sim::new(vec![job("setup"), job("app").checked_every(1000, 500)]);
    sim.exit("setup", 0);
    sim.advance(1000);
    sim.exit("check.app", 0);
    sim.reload(vec![
        job("setup"),
        job("app").checked_every(1000, 500),
        job("a").once(Code::ExitSuccess, "setup"),
        job("b").once(Code::Healthy, "app"),
        job("c").once(Code::ExitFailed, "setup"),
        job("d").once(Code::Unhealthy, "app"),
        job("e").each(Code::Healthy, "app"),
        job("f").every(100),
        job("g"),
    ]);
    let live = sim.live();
    assert_eq!(live, ["a", "app", "b", "f", "g"]);
}

#[test]
fn a_changed_when_counts_for_future_starts_only() {
    let mut sim = Sim::new(vec![
        job("setup"),
        job("app"),
        job("late")
            .once(Code::ExitFailed, "setup")
            .waits_at_most(9000),
        job("hook").each(Code::Signal, "SIGHUP"),
    ]);
    sim.exit("setup", 0);
    sim.take_record();
    sim.reload(vec![
        job("setup"),
        job("app").each(Code::Signal, "SIGUSR2"),
        job("late").once(Code::ExitSuccess, "setup"),
        job("hook").each(Code::Signal, "SIGUSR2"),
    ]);
    sim.expect(
        "0 info reload: update job[app]: when
         0 info reload: update job[late]: when
         0 info reload: update job[hook]: when
         0 info reload: 4 kept, 3 changed
         0 spawn late",
    );
    sim.signal(Signal::Hangup);
    assert!(!sim.is_running("hook"));
    sim.signal(Signal::User2);
    assert!(sim.is_running("hook"));
    sim.exit("app", 0);
    assert!(sim.is_running("app"), "its event came during its run");
}

#[test]
fn a_completed_job_that_is_unchanged_does_not_run_again_and_a_changed_one_does() {
    let mut sim = Sim::new(vec![job("setup"), job("app")]);
    sim.exit("setup", 0);
    sim.reload(vec![job("setup"), job("app")]);
    assert!(!sim.is_running("setup"));
    sim.reload(vec![job("setup").runs("v2"), job("app")]);
    assert!(sim.is_running("setup"));
}

#[test]
fn a_completed_job_with_another_when_begins_by_it() {
    let mut sim = Sim::new(vec![job("setup"), job("app")]);
    sim.exit("setup", 0);
    sim.take_record();
    sim.reload(vec![job("setup").every(300), job("app")]);
    sim.expect(
        "0 info reload: update job[setup]: when, restarts, timeout
         0 info reload: 4 kept, 1 changed
         0 spawn setup",
    );
    sim.exit("setup", 0);
    sim.advance(300);
    assert!(sim.is_running("setup"));
}

#[test]
fn of_jobs_of_the_same_name_those_that_are_unchanged_keep_their_process() {
    let mut sim = Sim::new(vec![job("a").runs("x"), job("b")]);
    sim.exit("a", 0);
    let both = || [job("a").runs("x").restarts(1), job("a").runs("y")];
    let [x, y] = both();
    sim.reload(vec![job("b"), x, y]);
    sim.take_record();
    let [x, y] = both();
    sim.reload(vec![y, job("b"), x.restarts(2)]);
    let [_, y] = both();
    sim.reload(vec![job("b"), y]);
    sim.expect(
        "0 info reload: update job[a]: restarts
         0 info reload: 5 kept, 1 changed
         0 info reload: stop job[a]
         0 info reload: 5 kept, 1 changed",
    );
}

#[test]
fn jobs_of_the_same_name_are_paired_in_their_order() {
    let mut sim = Sim::new(vec![job("a").runs("x"), job("b")]);
    sim.exit("a", 0);
    sim.take_record();
    sim.reload(vec![job("b"), job("a").runs("x"), job("a").runs("y")]);
    sim.expect(
        "0 info reload: start job[a]
         0 info reload: 5 kept, 1 changed
         0 spawn a",
    );
}

#[test]
fn maintenance_survives_a_reload() {
    let mut sim = Sim::new(vec![job("app").checked_every(1000, 500)]);
    sim.request(Request::Maintenance(true));
    sim.reload(vec![
        job("app").checked_every(700, 500),
        job("new").checked_every(1000, 500),
    ]);
    sim.advance(3000);
    assert!(!sim.is_running("check.app") && !sim.is_running("check.new"));
    sim.request(Request::Maintenance(false));
    sim.advance(1000);
    assert!(sim.is_running("check.app") && sim.is_running("check.new"));
}

#[test]
fn a_reload_to_nothing_ends_the_supervisor_in_order() {
    let mut sim = Sim::new(vec![job("app")]);
    sim.take_record();
    sim.reload(vec![]);
    sim.expect(
        "0 info reload: stop job[app]
         0 info reload: 3 kept, 1 changed
         0 event {Stopping, app}
         0 terminate app
         0 event {ExitFailed, app}
         0 event {Stopped, app}
         0 info there is nothing to run, shutting down
         0 event {Shutdown, global}",
    );
    sim.expect_done();
}

/// What the old one of a replaced job did says nothing of the new one.
#[test]
fn a_job_waits_for_the_successor_of_another_whatever_their_order() {
    let report = || job("report").once(Code::ExitSuccess, "setup");
    for setup_is_first in [true, false] {
        let both = |setup, report| match setup_is_first {
            true => vec![setup, report, job("app")],
            false => vec![report, setup, job("app")],
        };
        let mut sim = Sim::new(both(job("setup"), report()));
        sim.exit("setup", 0);
        sim.exit("report", 0);
        sim.take_record();
        sim.reload(both(job("setup").runs("v2"), report().runs("v2")));
        assert!(sim.is_running("setup"));
        assert!(!sim.is_running("report"), "{setup_is_first}");
        sim.exit("setup", 0);
        assert!(sim.is_running("report"), "{setup_is_first}");
    }
}

#[test]
fn a_job_does_not_take_one_that_is_being_replaced_for_its_successor() {
    for (code, source) in [
        (Code::ExitSuccess, job("source").forever()),
        (Code::Healthy, job("source").checked_every(1000, 500)),
    ] {
        let waiting = || job("waiting").once(code, "source");
        let mut sim = Sim::new(vec![source.clone(), waiting()]);
        match code {
            Code::Healthy => {
                sim.advance(1000);
                sim.exit("check.source", 0);
            }
            _ => sim.exit("source", 0),
        }
        assert!(sim.is_running("waiting"));
        sim.ignores_sigterm("source");
        sim.reload(vec![source.runs("v2"), waiting().runs("v2")]);
        // The one that waits is gone first.
        assert!(!sim.is_running("waiting"), "{code:?}");
    }
}
