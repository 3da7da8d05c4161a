//! The manual on health checks: what is healthy, when checks run, and that a bad
//! one disturbs nobody else.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test that cannot set up its world must fail loudly"
)]

mod support;

use std::fs;

use support::{jobs, processes};

#[test]
fn the_exit_code_of_a_check_decides_and_every_result_is_an_event() {
    let mut supervisor = jobs(
        r#"{ name: "app", exec: ["sleep", "1000"],
             health: { exec: ["test", "-e", "@DIR@/well"], interval: 1, ttl: 5 } },
           { name: "good", when: { source: "app", each: "healthy" }, exec: ["sh", "-c", "echo healthy >>$FACTS"] },
           { name: "bad", when: { source: "app", each: "unhealthy" }, exec: ["sh", "-c", "echo unhealthy >>$FACTS"] }"#,
    )
    .start();
    supervisor.facts.expect(&["unhealthy", "unhealthy"]);
    supervisor.directory().write("well", "");
    supervisor.facts.until("healthy");
    supervisor.facts.expect(&["healthy"]);
    fs::remove_file(supervisor.directory().join("well")).unwrap();
    supervisor.facts.until("unhealthy");
    supervisor.facts.expect(&["unhealthy"]);
    assert_eq!(supervisor.terminate(), 0);
}

#[test]
fn an_unhealthy_job_is_left_alone() {
    let mut supervisor = jobs(
        r#"{ name: "app", exec: ["sh", "-c", "echo pid $$ >>$FACTS; exec sleep 1000"],
             health: { exec: "false", interval: 1, ttl: 5 } },
           { name: "bad", when: { source: "app", each: "unhealthy" }, exec: ["sh", "-c", "echo unhealthy >>$FACTS"] }"#,
    )
    .start();
    let app = supervisor.facts.pid("pid");
    supervisor.facts.expect(&["unhealthy", "unhealthy"]);
    assert!(processes::is_alive(app));
}

#[test]
fn a_check_that_takes_too_long_is_killed_with_its_group_and_counts_as_unhealthy() {
    let mut supervisor = jobs(
        r#"{ name: "app", exec: ["sleep", "1000"], health: { interval: 1, ttl: 5, timeout: "100ms",
             exec: ["sh", "-c", "exec 9>>$LIFELINE; trap '' TERM; sleep 1000 & echo checking >>$FACTS; wait; sleep 1000"] } },
           { name: "bad", when: { source: "app", once: "unhealthy" }, exec: ["sh", "-c", "echo unhealthy >>$FACTS"] }"#,
    )
    .start();
    supervisor.facts.expect(&["checking", "unhealthy"]);
    supervisor.http("POST", "/v3/maintenance/enable", "");
    supervisor.lifeline.wait_for_end();
    assert_eq!(supervisor.terminate(), 0);
}

#[test]
fn a_check_that_cannot_be_started_counts_as_unhealthy_and_is_told() {
    let mut supervisor = jobs(
        r#"{ name: "app", exec: ["sleep", "1000"], health: { exec: "/no/such/check", interval: 1, ttl: 5 } },
           { name: "bad", when: { source: "app", once: "unhealthy" }, exec: ["sh", "-c", "echo unhealthy >>$FACTS"] }"#,
    )
    .start();
    supervisor.facts.expect(&["unhealthy"]);
    supervisor.stdout.wait_for("/no/such/check");
}

#[test]
fn checks_wait_for_the_first_run_of_their_job() {
    let mut supervisor = jobs(
        r#"{ name: "app", when: { source: "SIGHUP" }, exec: ["sh", "-c", "echo app >>$FACTS; sleep 1000"],
             health: { exec: ["sh", "-c", "echo check >>$FACTS"], interval: 1, ttl: 5 } },
           { name: "other", exec: ["sleep", "1000"],
             health: { exec: ["sh", "-c", "echo other >>$FACTS"], interval: 1, ttl: 5 } }"#,
    )
    .start();
    // The checks of the other job are the clock of this one.
    supervisor.facts.expect(&["other", "other"]);
    supervisor.signal(libc::SIGHUP);
    let before = supervisor.facts.until("app");
    assert!(!before.contains(&"check".to_owned()), "{before:?}");
    supervisor.facts.until("check");
}

#[test]
fn a_job_without_exec_is_checked_from_startup_on() {
    let mut supervisor = jobs(
        r#"{ name: "outside", health: { exec: ["sh", "-c", "echo check >>$FACTS"], interval: 1, ttl: 5 } },
           { name: "good", when: { source: "outside", once: "healthy" }, exec: ["sh", "-c", "echo healthy >>$FACTS"] }"#,
    )
    .start();
    supervisor.facts.expect(&["check", "healthy"]);
    assert_eq!(supervisor.terminate(), 0);
}

#[test]
fn no_check_runs_in_maintenance() {
    let mut supervisor = jobs(
        r#"{ name: "app", exec: ["sleep", "1000"], health: { exec: ["sh", "-c", "echo check >>$FACTS"], interval: 1, ttl: 5 } },
           { name: "clock", when: { interval: "1s" }, exec: ["sh", "-c", "echo tick >>$FACTS"] }"#,
    )
    .start();
    supervisor.facts.until("check");
    supervisor.http("POST", "/v3/maintenance/enable", "");
    // A check that was on its way may still tell; then the clock fences.
    supervisor.facts.until("tick");
    for _ in 0..3 {
        let between = supervisor.facts.until("tick");
        assert_eq!(between, Vec::<String>::new(), "no check in maintenance");
    }
    supervisor.http("POST", "/v3/maintenance/disable", "");
    supervisor.facts.until("check");
}

#[test]
fn a_hanging_check_delays_no_other_check() {
    let mut supervisor = jobs(
        r#"{ name: "stuck", exec: ["sleep", "1000"],
             health: { exec: ["sleep", "1000"], interval: 1, ttl: 5, timeout: "30s" } },
           { name: "fine", exec: ["sleep", "1000"],
             health: { exec: ["sh", "-c", "echo check >>$FACTS"], interval: 1, ttl: 5 } }"#,
    )
    .setting("stopTimeout: 1")
    .start();
    supervisor.facts.expect(&["check"; 4]);
    assert_eq!(supervisor.http("GET", "/v3/ping", "").body, "ok");
    assert_eq!(supervisor.terminate(), 0);
}

#[test]
fn what_a_check_prints_is_logged_with_the_name_of_the_check() {
    let supervisor = jobs(
        r#"{ name: "app", exec: ["sleep", "1000"],
             health: { exec: ["echo", "looks", "good"], interval: 1, ttl: 5 } }"#,
    )
    .start();
    let line = supervisor.stdout.wait_for("looks good");
    assert!(line.contains("check.app"), "{line}");
}

#[test]
fn a_run_whose_checks_fail_too_often_is_stopped_and_restarted() {
    let mut supervisor = jobs(
        r#"{ name: "app", restarts: "unlimited",
             exec: ["sh", "-c", "trap 'echo told >>$FACTS; exit 0' TERM; sleep 1000 & echo run >>$FACTS; wait"],
             health: { exec: "false", interval: "20ms", ttl: 10, restartAfter: 2, startPeriod: "50ms" } },
           { name: "failed", when: { source: "app", each: "exitFailed" }, exec: ["sh", "-c", "echo failed >>$FACTS"] }"#,
    )
    .start();
    supervisor.facts.expect(&["run", "told"]);
    // The next run may have begun, and more, before the other job tells.
    if !supervisor.facts.until("failed").contains(&"run".to_owned()) {
        supervisor.facts.until("run");
    }
    supervisor.signal(libc::SIGTERM);
    assert_eq!(supervisor.wait_exit(), 0);
}

/// A check that tells what it finds: whether there is a file `well`.
const CHECK: &str = r#"exec: ["sh", "-c", "if test -e @DIR@/well; then echo passed; else echo failed; false; fi >>$FACTS"], interval: "20ms", ttl: 10"#;

/// How many of these facts are `wanted`.
fn count(facts: &[String], wanted: &str) -> usize {
    facts.iter().filter(|fact| *fact == wanted).count()
}

#[test]
fn a_change_of_health_takes_as_many_results_as_are_asked_for() {
    let mut supervisor = jobs(&format!(
        r#"{{ name: "app", exec: ["sleep", "1000"], health: {{ {CHECK}, unhealthyAfter: 4, healthyAfter: 3 }} }},
           {{ name: "good", when: {{ source: "app", once: "healthy" }}, exec: ["sh", "-c", "echo healthy >>$FACTS"] }},
           {{ name: "bad", when: {{ source: "app", once: "unhealthy" }}, exec: ["sh", "-c", "echo unhealthy >>$FACTS"] }}"#
    ))
    .start();
    let before = supervisor.facts.until("unhealthy");
    assert!(count(&before, "failed") >= 4, "{before:?}");
    supervisor.directory().write("well", "");
    let before = supervisor.facts.until("healthy");
    assert!(count(&before, "passed") >= 3, "{before:?}");
    assert_eq!(supervisor.terminate(), 0);
}

#[test]
fn in_the_start_period_of_a_run_failures_do_not_count_until_a_check_has_passed() {
    let mut supervisor = jobs(&format!(
        r#"{{ name: "app", restarts: "unlimited", exec: ["sh", "-c", "echo run >>$FACTS; exec sleep 1000"],
             health: {{ {CHECK}, startPeriod: "1h", restartAfter: 2 }} }},
           {{ name: "good", when: {{ source: "app", once: "healthy" }}, exec: ["sh", "-c", "echo healthy >>$FACTS"] }}"#
    ))
    .start();
    supervisor.facts.until("run");
    supervisor
        .facts
        .expect(&["failed", "failed", "failed", "failed"]);
    supervisor.directory().write("well", "");
    supervisor.facts.until("healthy");
    fs::remove_file(supervisor.directory().join("well")).unwrap();
    let before = supervisor.facts.until("run");
    assert!(count(&before, "failed") >= 2, "{before:?}");
    // The next run has a start period of its own.
    supervisor
        .facts
        .expect(&["failed", "failed", "failed", "failed"]);
    assert_eq!(supervisor.terminate(), 0);
}
