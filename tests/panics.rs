//! A bug in the event loop: the jobs end, and so does the supervisor, with a code
//! of its own. Only builds for debugging have a bug on demand.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test that cannot set up its world must fail loudly"
)]

mod support;

use support::supervisor::Start;
use support::{jobs, namespace};

/// A job that says goodbye, one that does not listen, and one that has left a
/// process in its group.
const JOBS: &str = r#"
    { name: "polite", exec: ["sh", "-c", "trap 'echo bye >>$FACTS; exit 0' TERM; echo polite >>$FACTS; while :; do read x <$GATE; done"] },
    { name: "deaf", exec: ["sh", "-c", "trap '' TERM; exec 9>>$LIFELINE; echo deaf >>$FACTS; while :; do sleep 1000; done"] },
    { name: "again", exec: ["sh", "-c", "sleep 1000 & echo again >>$FACTS; wait"], restarts: "unlimited" },
"#;

fn world() -> Start {
    jobs(JOBS)
        .setting("stopTimeout: '300ms'")
        .binary(env!("CARGO_BIN_EXE_containerpilot"))
        .env("CONTAINERPILOT_PANIC_AT_SIGNAL", "1")
}

fn has_a_bug_on_demand() -> bool {
    cfg!(debug_assertions)
}

#[test]
fn after_a_panic_of_the_loop_all_jobs_end_and_the_exit_code_is_70() {
    if !has_a_bug_on_demand() {
        return;
    }
    let mut supervisor = world().ready();
    supervisor.facts.expect_set(&["polite", "deaf", "again"]);
    supervisor.signal(libc::SIGUSR2);
    assert_eq!(supervisor.wait_exit(), 70);
    supervisor.facts.expect(&["bye"]);
    supervisor.lifeline.wait_for_end();
    supervisor
        .stdout
        .wait_for("internal error: the event loop has panicked; ending all jobs");
    assert_eq!(
        supervisor.facts.rest(),
        Vec::<String>::new(),
        "nothing was restarted"
    );
}

#[test]
fn a_panic_of_pid_1_is_no_hang() {
    if !has_a_bug_on_demand() || !namespace::available() {
        return;
    }
    let mut supervisor = world().in_namespace().ready();
    supervisor.facts.expect_set(&["polite", "deaf", "again"]);
    supervisor.signal(libc::SIGHUP);
    assert_eq!(supervisor.wait_exit(), 70);
    supervisor.lifeline.wait_for_end();
}

#[test]
fn after_a_panic_of_its_writer_the_log_goes_on() {
    if !has_a_bug_on_demand() {
        return;
    }
    let mut supervisor = jobs(
        r#"{ name: "talks", when: { source: "SIGHUP" }, exec: ["sh", "-c", "echo I say so; echo said >>$FACTS"] }"#,
    )
    .binary(env!("CARGO_BIN_EXE_containerpilot"))
    .env("CONTAINERPILOT_PANIC_AT_REOPENING", "1")
    .ready();
    for _ in 0..3 {
        supervisor.signal(libc::SIGUSR1);
        supervisor
            .stdout
            .wait_for("internal error: the writer of the log has panicked");
        supervisor.signal(libc::SIGHUP);
        supervisor.facts.expect(&["said"]);
        supervisor.stdout.wait_for("I say so");
    }
    assert_eq!(supervisor.terminate(), 0);
}
