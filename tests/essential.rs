//! The page on signals and shutdown: the exit codes of essential jobs, as PID 1
//! and elsewhere.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test that cannot set up its world must fail loudly"
)]

mod support;

use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use support::{jobs, namespace};

/// A job that ends only with the essential one.
const OTHER: &str = r#"{ name: "other", exec: ["sleep", "1000"] }"#;

/// A job that wakes the essential one if it has been stopped.
const WAKER: &str = r#"{ name: "waker", when: { interval: "20ms" },
    exec: ["sh", "-c", "kill -CONT $CONTAINERPILOT_APP_PID"] }"#;

/// The exit code of a supervisor whose only essential job is this command.
fn ends_with(command: &str, other: &str, as_pid_1: bool) -> i32 {
    let job = format!("{{ name: 'app', exec: {command}, essential: true }}, {other}");
    let start = jobs(&job);
    let start = if as_pid_1 {
        start.in_namespace()
    } else {
        start
    };
    start.start().wait_exit()
}

/// Checks every case, two at a time.
fn check_all(cases: &[Case], as_pid_1: bool) {
    let next = AtomicUsize::new(0);
    let work = || {
        while let Some(case) = cases.get(next.fetch_add(1, Ordering::Relaxed)) {
            let command = format!("['sh', '-c', {:?}]", case.script);
            let other = if case.stops { WAKER } else { OTHER };
            let code = ends_with(&command, other, as_pid_1);
            assert_eq!(code, case.code, "{}", case.script);
        }
    };
    thread::scope(|scope| {
        scope.spawn(work);
        scope.spawn(work);
    });
}

/// A way to end.
struct Case {
    script: String,
    code: i32,
    /// Whether it is stopped first, which is no end.
    stops: bool,
}

/// All exit codes, and all signals that a shell can send itself.
fn cases() -> Vec<Case> {
    let stop = [libc::SIGSTOP, libc::SIGTSTP, libc::SIGTTIN, libc::SIGTTOU];
    let pass = [libc::SIGCHLD, libc::SIGCONT, libc::SIGURG, libc::SIGWINCH];
    let codes = (0..=255).map(|code| Case {
        script: format!("exit {code}"),
        code,
        stops: false,
    });
    let signals = (1..=31).map(|signal| {
        let stops = stop.contains(&signal);
        let survives = stops || pass.contains(&signal);
        Case {
            script: format!("kill -{signal} $$; exit 7"),
            code: if survives { 7 } else { 128 + signal },
            stops,
        }
    });
    codes.chain(signals).collect()
}

#[test]
fn every_exit_code_and_signal_of_an_essential_job_is_the_supervisors() {
    check_all(&cases(), false);
}

#[test]
fn as_pid_1_every_exit_code_and_signal_is_the_same() {
    if namespace::available() {
        check_all(&cases(), true);
    }
}

#[test]
fn what_could_not_be_started_is_127_or_126() {
    for (command, code) in [
        ("'/does/not/exist'", 127),
        ("'no-such-program'", 127),
        ("'/etc/passwd'", 126),
        ("'/'", 126),
    ] {
        assert_eq!(ends_with(command, OTHER, false), code, "{command}");
    }
}

#[test]
fn the_others_are_ended_in_order_before_the_supervisor_ends() {
    let mut supervisor = jobs(
        r#"{ name: "app", exec: ["sh", "-c", "read go <$GATE; exit 3"], essential: true },
           { name: "other", restarts: "unlimited",
             exec: ["sh", "-c", "trap 'echo other told >>$FACTS; exit 0' TERM; sleep 1000 & echo up >>$FACTS; wait"] },
           { name: "post", when: { source: "app", once: "stopped" }, exec: ["sh", "-c", "echo post >>$FACTS"] }"#,
    )
    .start();
    supervisor.facts.expect(&["up"]);
    supervisor.gate.release();
    supervisor.facts.expect_set(&["other told", "post"]);
    assert_eq!(supervisor.wait_exit(), 3);
}
