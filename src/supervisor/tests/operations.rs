//! SPEC §16: jobs that an operator starts, stops and restarts.

use super::sim::Sim;
use super::specs::job;
use crate::control::request::{Reply, Request, Verb};
use crate::event::Code;
use crate::message::Signal;
use Verb::{Restart, Start, Stop};

/// What operators have been answered since the last look, one a line: the verb,
/// and the job's states, or the status and the reason.
#[track_caller]
pub(super) fn answered(sim: &mut Sim, expected: &[&str]) {
    let answers = sim.take_answers().into_iter();
    let answers = answers.map(|answer| {
        let verb = answer.operation.verb.as_str();
        match answer.reply {
            Reply::Jobs(_, jobs) => {
                let states: Vec<&str> = jobs.iter().map(|job| job.state.as_str()).collect();
                format!("{verb}: {}", states.join(" "))
            }
            Reply::Refused { status, message } => format!("{verb}: {status} {message}"),
            other => format!("{verb}: {other:?}"),
        }
    });
    assert_eq!(answers.collect::<Vec<_>>(), expected);
}

pub(super) fn state(sim: &mut Sim, name: &str) -> &'static str {
    match sim.request(Request::Job(name.to_owned())) {
        Some(Reply::Jobs(_, jobs)) => jobs[0].state.as_str(),
        other => panic!("{name}: {other:?}"),
    }
}

#[test]
fn a_stop_is_answered_when_the_process_is_gone_and_its_post_stop_jobs_run() {
    let mut sim = Sim::with_manual_starts(vec![
        job("app").forever(),
        job("pre").once(Code::Stopping, "app"),
        job("post").once(Code::Stopped, "app"),
    ]);
    sim.ignores_sigterm("app");
    sim.start("app");
    sim.take_record();
    sim.operate(Stop, "app");
    sim.expect("0 info app is told to stop\n0 event {Stopping, app}\n0 spawn pre");
    sim.start("pre");
    sim.exit("pre", 0);
    sim.expect(
        "0 event {ExitSuccess, pre}
         0 event {Stopping, pre}
         0 event {Stopped, pre}
         0 terminate app",
    );
    answered(&mut sim, &[]);
    sim.advance(100);
    sim.exit("app", 0);
    answered(&mut sim, &[]);
    sim.start("post");
    answered(&mut sim, &["stop: stopped"]);
    sim.exit("post", 0);
    assert!(!sim.is_shutting_down(), "what is stopped may be started");
    assert_eq!(sim.supervisor.next_deadline(), None);
}

#[test]
fn a_process_that_does_not_stop_is_killed_and_the_stop_answered_then() {
    let mut sim = Sim::new(vec![job("app").kill_timeout(300)]);
    sim.ignores_sigterm("app");
    sim.operate(Stop, "app");
    sim.advance(299);
    answered(&mut sim, &[]);
    sim.advance(1);
    answered(&mut sim, &["stop: stopped"]);
}

#[test]
fn a_stopped_job_stays_so_until_it_is_started() {
    let mut sim = Sim::new(vec![
        job("app").each(Code::Signal, "SIGHUP"),
        job("tick").every(100),
        job("later").once(Code::ExitFailed, "x"),
    ]);
    for name in ["app", "tick", "later"] {
        sim.operate(Stop, name);
    }
    answered(&mut sim, &["stop: stopped"; 3]);
    sim.take_record();
    sim.signal(Signal::Hangup);
    sim.advance(1000);
    sim.expect("0 event {Signal, SIGHUP}");
    for name in ["app", "tick", "later"] {
        sim.operate(Start, name);
        assert!(sim.is_running(name));
    }
    answered(&mut sim, &["start: running"; 3]);
    sim.exit("app", 0);
    sim.signal(Signal::Hangup);
    assert!(sim.is_running("app"), "it waits for its events again");
    sim.exit("tick", 0);
    sim.advance(100);
    assert!(sim.is_running("tick"), "its clock runs again");
    sim.operate(Stop, "tick");
    sim.operate(Stop, "app");
    sim.exit("later", 0);
}

#[test]
fn what_is_so_already_is_answered_at_once() {
    let mut sim = Sim::new(vec![job("app"), job("done"), job("idle").without_exec()]);
    sim.exit("done", 0);
    sim.take_record();
    sim.operate(Start, "app");
    sim.operate(Start, "idle");
    sim.operate(Stop, "done");
    answered(
        &mut sim,
        &["start: running", "start: present", "stop: completed"],
    );
    sim.expect("");
    sim.operate(Stop, "app");
    sim.operate(Stop, "app");
    answered(&mut sim, &["stop: stopped", "stop: stopped"]);
}

#[test]
fn a_start_is_answered_when_the_process_runs_or_cannot() {
    let mut sim = Sim::with_manual_starts(vec![job("app"), job("b").once(Code::Healthy, "x")]);
    sim.operate(Start, "app");
    sim.operate(Start, "b");
    answered(&mut sim, &[]);
    sim.start("app");
    answered(&mut sim, &["start: running"]);
    sim.fail_to_start("b");
    answered(
        &mut sim,
        &["start: 422 cannot start b: no: entity not found"],
    );
    sim.exit("app", 0);
    assert!(sim.is_shutting_down());
}

#[test]
fn a_completed_job_starts_as_if_it_had_never_run() {
    let mut sim = Sim::new(vec![
        job("app").restarts(1).without_backoff(),
        job("up").forever(),
    ]);
    for code in [0, 1] {
        sim.exit("app", code);
    }
    assert_eq!(state(&mut sim, "app"), "completed");
    sim.operate(Start, "app");
    answered(&mut sim, &["start: running"]);
    sim.exit("app", 1);
    assert!(sim.is_running("app"), "it has its restarts again");
    sim.exit("app", 1);
    assert_eq!(state(&mut sim, "app"), "completed");
}

#[test]
fn a_start_does_not_wait_for_the_restart() {
    let mut sim = Sim::new(vec![job("app").forever()]);
    sim.exit("app", 1);
    sim.exit("app", 1);
    assert_eq!(state(&mut sim, "app"), "backoff");
    sim.operate(Start, "app");
    answered(&mut sim, &["start: running"]);
    sim.operate(Stop, "app");
    assert_eq!(sim.supervisor.next_deadline(), None);
}

#[test]
fn a_restart_is_answered_when_the_new_process_runs_and_runs_the_hooks_each_time() {
    let mut sim = Sim::with_manual_starts(vec![
        job("app").forever(),
        job("post").once(Code::Stopped, "app"),
    ]);
    sim.start("app");
    for _ in 0..3 {
        sim.take_record();
        sim.operate(Restart, "app");
        sim.expect(
            "0 info app is told to restart
             0 event {Stopping, app}
             0 terminate app
             0 event {ExitFailed, app}
             0 event {Stopped, app}
             0 spawn post
             0 spawn app",
        );
        answered(&mut sim, &[]);
        sim.start("app");
        answered(&mut sim, &["restart: running"]);
        sim.start("post");
        sim.exit("post", 0);
        assert_eq!(state(&mut sim, "post"), "idle");
    }
    sim.operate(Restart, "app");
    sim.fail_to_start("app");
    answered(
        &mut sim,
        &["restart: 422 cannot restart app: no: entity not found"],
    );
    assert!(sim.is_running("app"), "it restarts as after any failure");
}

#[test]
fn the_last_of_several_operators_wins_and_each_gets_an_answer() {
    let mut sim = Sim::with_manual_starts(vec![job("app").forever()]);
    sim.ignores_sigterm("app");
    sim.start("app");
    sim.operate(Stop, "app");
    sim.operate(Restart, "app");
    sim.operate(Start, "app");
    answered(&mut sim, &[]);
    sim.operate(Stop, "app");
    answered(
        &mut sim,
        &[
            "restart: 409 cannot restart app: it was told to stop meanwhile",
            "start: 409 cannot start app: it was told to stop meanwhile",
        ],
    );
    sim.exit("app", 0);
    answered(&mut sim, &["stop: stopped", "stop: stopped"]);
    sim.operate(Start, "app");
    sim.operate(Restart, "app");
    sim.start("app");
    answered(&mut sim, &[]);
    sim.exit("app", 0);
    sim.start("app");
    answered(&mut sim, &["start: running", "restart: running"]);
}

#[test]
fn a_start_after_a_stop_that_is_not_over_follows_it() {
    let mut sim = Sim::new(vec![job("app")]);
    sim.ignores_sigterm("app");
    sim.operate(Stop, "app");
    sim.operate(Start, "app");
    sim.exit("app", 0);
    answered(&mut sim, &["stop: stopped", "start: running"]);
}

#[test]
fn all_jobs_of_a_name_are_acted_on() {
    let mut sim = Sim::with_manual_starts(vec![job("app"), job("other")]);
    sim.start("app");
    sim.start("other");
    let twice = vec![
        job("other"),
        job("app"),
        job("app").once(Code::Healthy, "x"),
    ];
    sim.reload(twice);
    sim.operate(Stop, "app");
    answered(&mut sim, &["stop: stopped stopped"]);
}

#[test]
fn what_cannot_be_is_refused() {
    let mut sim = Sim::new(vec![
        job("app").essential(),
        job("pre").once(Code::Stopping, "app"),
    ]);
    sim.operate(Stop, "ap");
    answered(
        &mut sim,
        &["stop: 404 no such job: \"ap\"; did you mean \"app\"?"],
    );
    sim.exit("app", 3);
    sim.operate(Start, "app");
    sim.operate(Restart, "app");
    let reason = "it is essential and has ended: the supervisor ends with it";
    answered(
        &mut sim,
        &[
            &format!("start: 409 cannot start app: {reason}"),
            &format!("restart: 409 cannot restart app: {reason}"),
        ],
    );
    sim.ignores_sigterm("pre");
    sim.signal(Signal::Terminate);
    sim.operate(Stop, "app");
    answered(&mut sim, &["stop: 409 the supervisor is shutting down"]);
}

#[test]
fn an_essential_job_that_is_stopped_does_not_end_the_supervisor() {
    let mut sim = Sim::new(vec![job("app").essential(), job("other")]);
    sim.operate(Stop, "app");
    sim.exit("other", 0);
    assert!(!sim.is_shutting_down());
    sim.operate(Start, "app");
    sim.exit("app", 7);
    sim.expect_done();
    assert_eq!(sim.supervisor.exit_code(), 7);
}

#[test]
fn shutdown_answers_everybody() {
    let mut sim = Sim::with_manual_starts(vec![job("app"), job("b")]);
    sim.ignores_sigterm("app");
    sim.start("app");
    sim.operate(Restart, "app");
    sim.operate(Start, "b");
    sim.operate(Stop, "app");
    sim.operate(Start, "app");
    sim.take_answers();
    sim.signal(Signal::Terminate);
    answered(
        &mut sim,
        &[
            "start: 409 cannot start b: the supervisor is shutting down",
            "start: 409 cannot start app: the supervisor is shutting down",
        ],
    );
    sim.start("b");
    sim.advance(5000);
    answered(&mut sim, &["stop: completed"]);
    sim.expect_done();
    assert_eq!(sim.unanswered(), 0);
}

#[test]
fn a_process_that_nothing_ends_leaves_no_one_without_an_answer() {
    let mut sim = Sim::with_manual_starts(vec![job("app")]);
    sim.operate(Stop, "app");
    sim.signal(Signal::Terminate);
    sim.advance(10_000);
    answered(
        &mut sim,
        &["stop: 409 cannot stop app: the supervisor ends before it has happened"],
    );
}

#[test]
fn who_waits_too_long_is_told_so_and_what_was_asked_for_happens_all_the_same() {
    let mut sim = Sim::new(vec![job("app").kill_timeout(90_000)]);
    sim.ignores_sigterm("app");
    sim.operate(Restart, "app");
    sim.advance(60_000);
    answered(
        &mut sim,
        &["restart: 504 cannot restart app within 60s, and goes on trying: app is stopping"],
    );
    sim.exit("app", 0);
    assert!(sim.is_running("app"));
    sim.operate(Restart, "app");
    sim.advance(60_000);
    sim.operate(Stop, "app");
    sim.take_answers();
    sim.exit("app", 0);
    answered(&mut sim, &["stop: stopped"]);
    assert!(!sim.is_running("app"), "the last one wins");
}

#[test]
fn only_so_many_may_wait() {
    let mut sim = Sim::new(vec![job("app")]);
    sim.ignores_sigterm("app");
    for _ in 0..33 {
        sim.operate(Stop, "app");
    }
    let refusal = "stop: 429 32 such requests are waiting for their end";
    answered(&mut sim, &[refusal]);
    sim.exit("app", 0);
    answered(&mut sim, &["stop: stopped"; 32]);
}

#[test]
fn a_signal_goes_to_the_process_group_and_needs_one() {
    let mut sim = Sim::with_manual_starts(vec![job("app")]);
    let ask = |sim: &mut Sim, name: &str| {
        let (job, signal) = (name.to_owned(), libc::SIGHUP);
        sim.request(Request::Signal { job, signal })
    };
    let refused = |status, message: &str| {
        let message = message.to_owned();
        Some(Reply::Refused { status, message })
    };
    assert_eq!(ask(&mut sim, "app"), refused(409, "app has no process"));
    assert_eq!(ask(&mut sim, "x"), refused(404, "no such job: \"x\""));
    sim.ignores_sigterm("app");
    sim.start("app");
    sim.take_record();
    assert_eq!(ask(&mut sim, "app"), Some(Reply::Done));
    sim.expect("0 info app is sent signal 1\n0 signal-1 app");
}

#[test]
fn names_are_told_on_one_line_and_without_what_a_terminal_obeys() {
    let evil = "e\u{1b}[31mvil\nx";
    let waits = job("app").once(Code::ExitSuccess, evil).waits_at_most(100);
    let mut sim = Sim::with_manual_starts(vec![job(evil), waits, job("other")]);
    sim.fail_to_start(evil);
    sim.take_record();
    sim.advance(100);
    let told = r"100 warn app gave up waiting to start; not seen: exitSuccess of e\u{1b}[31mvil\nx";
    assert_eq!(sim.take_record().first().map(String::as_str), Some(told));
    sim.operate(Start, evil);
    sim.fail_to_start(evil);
    let refusal = r"start: 422 cannot start e\u{1b}[31mvil\nx: no: entity not found";
    answered(&mut sim, &[refusal]);
}
