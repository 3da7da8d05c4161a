//! The page on jobs and events: restarts of a job that fails again and again.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test that cannot set up its world must fail loudly"
)]

mod support;

use std::time::{Duration, Instant};

use support::jobs;

#[test]
fn a_failing_job_is_restarted_at_once_and_then_waits() {
    let mut supervisor = jobs(
        r#"{ name: "app", exec: ["sh", "-c", "echo run >>$FACTS; exit 1"], restarts: "unlimited",
             backoff: { initial: "300ms", factor: 1 } }"#,
    )
    .start();
    supervisor.facts.expect(&["run", "run"]);
    let second = Instant::now();
    supervisor.facts.expect(&["run", "run"]);
    let took = second.elapsed();
    assert!(took >= Duration::from_millis(2 * 260), "{took:?}");
    assert_eq!(supervisor.terminate(), 0);
}

#[test]
fn a_missing_program_is_tried_ever_less_often_and_logged_less_often_still() {
    let mut supervisor = jobs(
        r#"{ name: "app", exec: "/does/not/exist", restarts: 8, essential: true,
             backoff: { initial: "1ms" } }"#,
    )
    .start();
    assert_eq!(supervisor.wait_exit(), 127);
    let log = supervisor.stdout.wait_for_end();
    let failures = log
        .iter()
        .filter(|line| line.contains("could not be started"));
    let failures: Vec<&String> = failures.collect();
    assert_eq!(
        failures.len(),
        5,
        "1, 2, 4 and 8 times, and 9 in all: {log:#?}"
    );
    assert!(failures[4].contains("(9 times"), "{}", failures[4]);
}

#[test]
fn without_back_off_restarts_are_at_once_and_the_log_is_still_short() {
    let mut supervisor =
        jobs(r#"{ name: "app", exec: "false", restarts: 200, essential: true, backoff: "none" }"#)
            .start();
    assert_eq!(supervisor.wait_exit(), 1);
    let log = supervisor.stdout.wait_for_end();
    let failures = log
        .iter()
        .filter(|line| line.contains("exited with code 1"));
    // A machine that is busy adds how long that took.
    let times = failures.filter_map(|line| line.split_once('(')?.1.split_once(" times"));
    let times: Vec<&str> = times.map(|(count, _)| count).collect();
    assert_eq!(times, ["2", "4", "8", "16", "32", "64", "128", "201"]);
}

#[test]
fn shutdown_does_not_wait_for_a_restart() {
    let mut supervisor = jobs(
        r#"{ name: "app", exec: ["sh", "-c", "echo run >>$FACTS; exit 1"], restarts: "unlimited",
             backoff: { initial: "1h", max: "1h" } }"#,
    )
    .setting("stopTimeout: '1h'")
    .ready();
    supervisor.facts.expect(&["run", "run"]);
    assert_eq!(supervisor.terminate(), 0);
    assert_eq!(supervisor.facts.rest(), Vec::<String>::new());
}
