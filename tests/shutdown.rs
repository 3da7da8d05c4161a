//! The page on signals and shutdown: what each signal does, the order in which
//! everything ends, its time limits and the exit codes.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test that cannot set up its world must fail loudly"
)]

mod support;

use std::time::{Duration, Instant};

use support::command::command;
use support::{binary, jobs, run};

/// A job that ignores SIGTERM, as does what it starts.
const DEAF: &str = r#"{ name: "deaf", exec: ["sh", "-c",
    "trap '' TERM; exec 9>>$LIFELINE; echo pid $$ >>$FACTS; while :; do sleep 1000; done"] }"#;

#[test]
fn sigterm_and_sigint_end_everything_with_code_0() {
    for signal in [libc::SIGTERM, libc::SIGINT] {
        let mut supervisor = jobs(
            r#"{ name: "a", exec: ["sh", "-c", "trap 'echo got TERM >>$FACTS; exit 3' TERM; sleep 1000 & echo up >>$FACTS; wait"] }"#,
        )
        .start();
        supervisor.facts.expect(&["up"]);
        supervisor.signal(signal);
        assert_eq!(supervisor.wait_exit(), 0);
        supervisor.facts.expect(&["got TERM"]);
    }
}

#[test]
fn sigterm_reaches_the_whole_process_group() {
    let mut supervisor = jobs(
        r#"{ name: "a", exec: ["sh", "-c",
             "exec 9>>$LIFELINE; sleep 1000 & sleep 1000 & echo up >>$FACTS; wait"] }"#,
    )
    .start();
    supervisor.facts.expect(&["up"]);
    assert_eq!(supervisor.terminate(), 0);
    supervisor.lifeline.wait_for_end();
}

#[test]
fn a_pre_stop_job_runs_before_and_a_post_stop_job_after_the_end() {
    let mut supervisor = jobs(
        r#"{ name: "app", exec: ["sh", "-c",
             "trap 'echo app told >>$FACTS; exit 0' TERM; sleep 1000 & echo app up >>$FACTS; wait"] },
           { name: "pre", when: { source: "app", once: "stopping" },
             exec: ["sh", "-c", "echo pre begins >>$FACTS; echo pre ends >>$FACTS"] },
           { name: "post", when: { source: "app", once: "stopped" }, exec: ["sh", "-c", "echo post >>$FACTS"] }"#,
    )
    .setting("stopTimeout: 30")
    .start();
    supervisor.facts.expect(&["app up"]);
    supervisor.signal(libc::SIGTERM);
    supervisor
        .facts
        .expect(&["pre begins", "pre ends", "app told", "post"]);
    assert_eq!(supervisor.wait_exit(), 0);
    assert_eq!(supervisor.facts.rest(), Vec::<String>::new());
}

#[test]
fn a_job_waits_for_its_pre_stop_job_no_longer_than_its_stop_timeout() {
    let mut supervisor = jobs(
        r#"{ name: "app", stopTimeout: "100ms", exec: ["sh", "-c",
             "trap 'echo app told >>$FACTS; exit 0' TERM; sleep 1000 & echo app up >>$FACTS; wait"] },
           { name: "pre", when: { source: "app", once: "stopping" },
             exec: ["sh", "-c", "echo pre begins >>$FACTS; read go <$GATE; echo pre ends >>$FACTS"] }"#,
    )
    .setting("stopTimeout: 30")
    .start();
    supervisor.facts.expect(&["app up"]);
    supervisor.signal(libc::SIGTERM);
    supervisor.facts.expect(&["pre begins", "app told"]);
    supervisor.gate.release();
    supervisor.facts.expect(&["pre ends"]);
    assert_eq!(supervisor.wait_exit(), 0);
}

#[test]
fn jobs_that_wait_for_shutdown_run() {
    let mut supervisor = jobs(
        r#"{ name: "app", exec: ["sh", "-c", "echo up >>$FACTS; exec sleep 1000"] },
           { name: "last", when: { once: "shutdown" }, exec: ["sh", "-c", "echo last >>$FACTS"] }"#,
    )
    .start();
    supervisor.facts.expect(&["up"]);
    assert_eq!(supervisor.terminate(), 0);
    supervisor.facts.expect(&["last"]);
}

#[test]
fn what_ignores_sigterm_is_killed_at_the_deadline_and_not_before() {
    let mut supervisor = jobs(DEAF).setting("stopTimeout: '700ms'").start();
    supervisor.facts.pid("pid");
    let begin = Instant::now();
    assert_eq!(supervisor.terminate(), 0);
    let took = begin.elapsed();
    assert!(
        took >= Duration::from_millis(700),
        "killed too early: {took:?}"
    );
    supervisor.lifeline.wait_for_end();
}

#[test]
fn a_second_sigterm_kills_at_once() {
    for (first, second) in [
        (libc::SIGTERM, libc::SIGTERM),
        (libc::SIGINT, libc::SIGTERM),
        (libc::SIGTERM, libc::SIGINT),
    ] {
        let mut supervisor = jobs(&format!(
            r#"{DEAF}, {{ name: "told", when: {{ once: "shutdown" }}, exec: ["sh", "-c", "echo told >>$FACTS"] }}"#
        ))
        .setting("stopTimeout: 1000")
        .start();
        supervisor.facts.pid("pid");
        supervisor.signal(first);
        supervisor.facts.expect(&["told"]);
        supervisor.signal(second);
        assert_eq!(supervisor.wait_exit(), 0);
        supervisor.lifeline.wait_for_end();
    }
}

#[test]
fn signals_that_nobody_waits_for_change_nothing() {
    let mut supervisor =
        jobs(r#"{ name: "a", exec: ["sh", "-c", "echo up >>$FACTS; exec sleep 1000"] }"#).ready();
    supervisor.facts.expect(&["up"]);
    for signal in [
        libc::SIGHUP,
        libc::SIGUSR1,
        libc::SIGUSR2,
        libc::SIGPIPE,
        libc::SIGCHLD,
    ] {
        supervisor.signal(signal);
        assert_eq!(supervisor.http("GET", "/v3/ping", "").body, "ok");
    }
    assert_eq!(supervisor.terminate(), 0);
    assert_eq!(supervisor.facts.rest(), Vec::<String>::new());
}

#[test]
fn a_job_that_a_signal_ended_counts_as_failed() {
    let mut supervisor = jobs(
        r#"{ name: "a", exec: ["sh", "-c", "kill -SEGV $$"] },
           { name: "failed", when: { source: "a", once: "exitFailed" }, exec: ["sh", "-c", "echo failed >>$FACTS"] }"#,
    )
    .start();
    supervisor.facts.expect(&["failed"]);
    assert_eq!(supervisor.wait_exit(), 0);
}

#[test]
fn a_wrong_configuration_is_exit_code_1_and_starts_nothing() {
    let mut supervisor = jobs(
        r#"{ name: "good", exec: ["sh", "-c", "echo started >>$FACTS"] },
           { name: "bad", exec: "true", restarts: "sometimes" },
           { name: "worse", exec: "true", when: { interval: "0s" } }"#,
    )
    .start();
    assert_eq!(supervisor.wait_exit(), 1);
    let stderr = supervisor.stderr.wait_for_end().join("\n");
    for part in ["bad", "sometimes", "worse", "interval"] {
        assert!(stderr.contains(part), "{part:?} expected: {stderr}");
    }
    assert_eq!(supervisor.facts.rest(), Vec::<String>::new());
}

#[test]
fn a_start_without_a_configuration_is_exit_code_1_and_an_unknown_flag_2() {
    let outcome = run(&mut command(binary()));
    assert_eq!(outcome.code, 1);
    assert!(
        outcome.error_line().contains("-config flag is required"),
        "{outcome}"
    );
    let outcome = run(command(binary()).arg("-confg").arg("x"));
    assert_eq!(outcome.code, 2);
    assert!(outcome.stderr.join("\n").contains("confg"), "{outcome}");
    let outcome = run(command(binary()).args(["-config", "/no/such/file"]));
    assert_eq!(outcome.code, 1);
    assert!(outcome.error_line().contains("/no/such/file"), "{outcome}");
}

#[test]
fn each_job_is_stopped_with_its_own_signal() {
    let script = |signal: &str| {
        format!(
            "trap 'echo {signal} >>$FACTS; exit 0' {signal}; sleep 1000 & echo up >>$FACTS; wait"
        )
    };
    let job = |signal: &str| {
        let script = script(signal);
        format!(
            r#"{{ name: "{signal}", exec: ["sh", "-c", {script:?}], stopSignal: "SIG{signal}" }}"#
        )
    };
    let mut supervisor = jobs(&[job("QUIT"), job("USR1"), job("TERM")].join(",\n")).start();
    supervisor.facts.expect(&["up"; 3]);
    supervisor.signal(libc::SIGTERM);
    supervisor.facts.expect_set(&["QUIT", "USR1", "TERM"]);
    assert_eq!(supervisor.wait_exit(), 0);
}

#[test]
fn a_job_with_a_kill_timeout_is_killed_before_the_grace_time_is_over() {
    let job = DEAF.replace("exec:", "killTimeout: '100ms', exec:");
    let mut supervisor = jobs(&job).setting("stopTimeout: '1h'").start();
    supervisor.facts.pid("pid");
    assert_eq!(supervisor.terminate(), 0);
    supervisor.lifeline.wait_for_end();
}
