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

/// The exit code of a supervisor whose only essential job is this command.
fn ends_with(command: &str, as_pid_1: bool) -> i32 {
    let job = format!(
        r#"{{ name: "app", exec: {command}, essential: true }}, {{ name: "other", exec: ["sleep", "1000"] }}"#
    );
    let start = jobs(&job);
    let start = if as_pid_1 {
        start.in_namespace()
    } else {
        start
    };
    start.start().wait_exit()
}

/// Checks every case, two at a time.
fn check_all(cases: &[(String, i32)], as_pid_1: bool) {
    let next = AtomicUsize::new(0);
    let work = || {
        while let Some((script, code)) = cases.get(next.fetch_add(1, Ordering::Relaxed)) {
            let command = format!("['sh', '-c', {script:?}]");
            assert_eq!(ends_with(&command, as_pid_1), *code, "{script}");
        }
    };
    thread::scope(|scope| {
        scope.spawn(work);
        scope.spawn(work);
    });
}

/// All exit codes, and all signals that end a process.
fn cases() -> Vec<(String, i32)> {
    let spares = [
        libc::SIGCHLD,
        libc::SIGCONT,
        libc::SIGSTOP,
        libc::SIGTSTP,
        libc::SIGTTIN,
        libc::SIGTTOU,
        libc::SIGURG,
        libc::SIGWINCH,
    ];
    let codes = (0..=255).map(|code| (format!("exit {code}"), code));
    let signals = (1..=31).filter(|signal| !spares.contains(signal));
    let signals = signals.map(|signal| (format!("kill -{signal} $$"), 128 + signal));
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
        assert_eq!(ends_with(command, false), code, "{command}");
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
