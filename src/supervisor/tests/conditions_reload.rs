//! SPEC §14, §15: what a reload makes of the conditions that a job waits for.

use super::conditions::{both, either, spawned};
use super::sim::Sim;
use super::specs::job;
use crate::config::JobSpec;
use crate::event::Code;
use crate::message::Signal;

#[test]
fn a_new_job_counts_each_condition_that_holds_already() {
    let sources = || vec![job("a"), job("b"), job("c")];
    let mut sim = Sim::new(sources());
    sim.exit("a", 0);
    sim.exit("b", 1);
    let mut jobs = sources();
    jobs.extend([
        job("all").all(&[(Code::ExitSuccess, "a"), (Code::ExitFailed, "b")]),
        job("more").all(&[(Code::ExitSuccess, "a"), (Code::ExitSuccess, "c")]),
        job("any").any(&[
            (false, Code::ExitSuccess, "a"),
            (false, Code::ExitFailed, "b"),
            (true, Code::ExitSuccess, "c"),
        ]),
        job("each").any(&[
            (true, Code::ExitSuccess, "a"),
            (true, Code::ExitFailed, "b"),
        ]),
    ]);
    sim.take_record();
    sim.reload(jobs);
    assert_eq!(spawned(&mut sim), ["all", "any"]);
    sim.exit("any", 0);
    assert_eq!(spawned(&mut sim), ["any"], "both of the conditions");
    sim.exit("any", 0);
    sim.exit("c", 0);
    assert_eq!(spawned(&mut sim), ["more", "any"]);
}

#[test]
fn what_was_seen_stays_seen_over_a_reload_that_leaves_it_alone() {
    let others = || vec![job("a"), job("b").forever(), job("c").forever()];
    let waiting = |codes: &[(Code, &str)]| {
        let mut jobs = others();
        jobs.push(job("app").all(codes));
        jobs
    };
    let (a, b, c) = (
        (Code::ExitSuccess, "a"),
        (Code::ExitSuccess, "b"),
        (Code::ExitSuccess, "c"),
    );
    let mut sim = Sim::new(waiting(&[b, c]));
    // b fails afterwards, so that nothing but memory tells that it has succeeded.
    sim.exit("b", 0);
    sim.exit("b", 1);
    sim.reload(waiting(&[b, c]));
    sim.reload(waiting(&[a, b, c]));
    sim.exit("a", 0);
    assert!(!sim.is_running("app"));
    sim.exit("c", 0);
    assert!(sim.is_running("app"));

    // What is missing is not asked for any more.
    let mut sim = Sim::new(waiting(&[b, c]));
    sim.exit("b", 0);
    sim.exit("b", 1);
    sim.reload(waiting(&[b]));
    assert!(sim.is_running("app"));

    // What was seen of all starts a run of any; what was not seen does not.
    let mut sim = Sim::new(waiting(&[b, c]));
    sim.exit("b", 0);
    sim.exit("b", 1);
    let mut jobs = others();
    jobs.push(job("app").any(&[(false, b.0, b.1), (false, c.0, c.1)]));
    sim.reload(jobs);
    assert!(sim.is_running("app"));
    sim.exit("app", 0);
    assert!(!sim.is_running("app"));
    sim.exit("c", 0);
    assert!(sim.is_running("app"));
}

#[test]
fn other_conditions_of_a_running_job_count_for_its_next_start() {
    let with = |app: JobSpec| vec![job("a").forever(), job("b").forever(), app];
    let mut sim = Sim::new(with(job("app")));
    sim.reload(with(both()));
    sim.exit("a", 0);
    sim.exit("b", 0);
    sim.exit("app", 0);
    assert!(!sim.is_running("app"), "it has started once");

    let mut sim = Sim::new(with(job("app")));
    sim.reload(with(either()));
    sim.exit("a", 0);
    sim.exit("app", 0);
    assert!(sim.is_running("app"), "its event came during its run");

    let mut sim = Sim::new(with(either()));
    sim.exit("a", 0);
    sim.reload(with(job("app").every(1000)));
    sim.exit("app", 0);
    assert!(!sim.is_running("app"));
    sim.advance(1000);
    assert!(sim.is_running("app"), "the clock says when");
}

#[test]
fn the_end_of_a_successor_is_waited_for_again() {
    let with = |a: JobSpec| {
        vec![
            a,
            job("b").forever(),
            job("both").all(&[(Code::Stopped, "a"), (Code::ExitSuccess, "b")]),
            job("post").once(Code::Stopped, "a"),
        ]
    };
    let mut sim = Sim::new(with(job("a")));
    sim.exit("b", 0);
    sim.take_record();
    sim.reload(with(job("a").runs("v2")));
    assert_eq!(spawned(&mut sim), ["both", "post", "a"]);
    // One hook has ended when the successor does, the other has not.
    sim.exit("both", 0);
    sim.exit("a", 0);
    sim.exit("post", 0);
    assert_eq!(spawned(&mut sim), ["both", "post"]);
}

#[test]
fn runs_that_are_owed_stay_so_if_what_asked_for_them_still_does() {
    let hup = (true, Code::Signal, "SIGHUP");
    let user2 = (true, Code::Signal, "SIGUSR2");
    for (after, runs) in [(vec![hup, user2], 3), (vec![user2], 1)] {
        let with = |conditions: &[_]| vec![job("a").forever(), job("app").any(conditions)];
        let mut sim = Sim::new(with(&[hup]));
        for _ in 0..3 {
            sim.signal(Signal::Hangup);
        }
        sim.reload(with(&after));
        let mut ended = 0;
        while sim.is_running("app") {
            sim.exit("app", 0);
            ended += 1;
        }
        assert_eq!(ended, runs);
    }
}
