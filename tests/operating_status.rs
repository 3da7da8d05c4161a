//! The operating page of the manual: `-status` tells why a job does not start and
//! what its failed check has to say.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test that cannot set up its world must fail loudly"
)]

mod support;

use std::time::Instant;

use serde_json::{Value, json};
use support::streams::follow;
use support::{Supervisor, deadline, jobs};

#[track_caller]
fn status(supervisor: &Supervisor, name: &str) -> Value {
    let answer = supervisor.client(&["-status", name, "-json"]).success();
    let answer: Value = serde_json::from_str(&answer.join("\n")).unwrap();
    answer["jobs"][0].clone()
}

/// What is told of the last check.
#[track_caller]
fn last_check(supervisor: &Supervisor) -> Value {
    status(supervisor, "app")["health"]["lastCheck"].clone()
}

/// The lines of `-status app` from the one that begins so, to the next field.
#[track_caller]
fn field(supervisor: &Supervisor, name: &str, field: &str) -> Vec<String> {
    let lines = supervisor.client(&["-status", name]).success();
    assert!(
        lines.iter().all(|line| line.chars().count() <= 80),
        "{lines:#?}"
    );
    let mut lines = lines
        .into_iter()
        .skip_while(|line| !line.starts_with(field));
    let first = lines.next().unwrap_or_default();
    let more = lines.take_while(|line| line.starts_with(' '));
    std::iter::once(first).chain(more).collect()
}

/// Waits for two lines of the log, in any order.
#[track_caller]
fn both(supervisor: &Supervisor, lines: [&str; 2]) {
    for _ in lines {
        supervisor.stdout.wait_for_any(&lines);
    }
}

#[test]
fn a_failed_check_tells_the_last_lines_that_it_has_printed() {
    // Each check waits until it may go on.
    let mut supervisor = jobs(
        r#"{ name: "app", exec: ["sleep", "1000"], health: { interval: "50ms", ttl: 50, timeout: "50s",
             exec: ["sh", "-c", "read go <$GATE; . $DIR/check"] } },"#,
    )
    .ready();
    supervisor.directory().write(
        "check",
        r"seq 1 1000; printf '\033[31mno db:5432\033[0m\n' >&2; echo end of check one; exit 3",
    );
    supervisor.gate.release();
    both(&supervisor, ["is unhealthy", "end of check one"]);
    let check_one = last_check(&supervisor);
    assert_eq!(check_one["reason"], "check exited with code 3");
    let output = check_one["output"].as_str().unwrap();
    assert!(output.len() <= 512, "{output}");
    let mut lines = output.lines().rev();
    assert_eq!(lines.next(), Some("end of check one"));
    assert_eq!(lines.next(), Some("\u{1b}[31mno db:5432\u{1b}[0m"));
    assert!(
        lines
            .zip((1..=1000).rev())
            .all(|(line, n)| line == n.to_string()),
        "{output}"
    );
    let shown = field(&supervisor, "app", "last check");
    assert!(
        shown[0].starts_with("last check   failed: check exited with code 3 "),
        "{shown:#?}"
    );
    assert!(
        shown.contains(&"             ?[31mno db:5432?[0m".to_owned()),
        "{shown:#?}"
    );
    assert_eq!(shown.last().unwrap(), "             end of check one");

    // One that passes has nothing to tell, whatever it prints.
    supervisor
        .directory()
        .write("check", "echo end of check two");
    supervisor.gate.release();
    both(&supervisor, ["is healthy", "end of check two"]);
    assert_eq!(last_check(&supervisor)["output"], Value::Null);

    supervisor.directory().write("check", "exit 4");
    supervisor.gate.release();
    supervisor
        .stdout
        .wait_for("is unhealthy: check exited with code 4");
    let silent = last_check(&supervisor);
    assert_eq!(
        (&silent["passed"], &silent["output"]),
        (&json!(false), &Value::Null)
    );
}

#[test]
fn a_check_that_takes_too_long_tells_what_it_has_printed_even_if_the_log_does_not() {
    let supervisor = jobs(
        r#"{ name: "app", exec: ["sleep", "1000"], health: { interval: "50ms", ttl: 5, timeout: "200ms",
             exec: ["sh", "-c", "echo still waiting; exec sleep 1000"] } },"#,
    )
    .setting(r#"logging: { level: "ERROR" }"#)
    .ready();
    let deadline = deadline();
    // On a busy machine the first ones may have no time to print anything.
    while last_check(&supervisor)["output"] != "still waiting" {
        assert!(Instant::now() < deadline, "{}", status(&supervisor, "app"));
    }
    let check = last_check(&supervisor);
    assert_eq!(check["passed"], false);
}

#[test]
fn a_job_that_waits_tells_for_what() {
    let mut supervisor = jobs(
        r#"{ name: "db", exec: ["sh", "-c", "echo up >>$FACTS; exec sleep 1000"] },
           { name: "setup", exec: "true", when: { source: "SIGHUP" } },
           { name: "app", exec: ["sleep", "1000"],
             when: { all: [{ source: "db", once: "stopped" }, { source: "setup", once: "exitSuccess" }] } },
           { name: "any", exec: ["sleep", "1000"],
             when: { any: [{ source: "db", once: "stopped" }, { source: "SIGUSR2" }] } },"#,
    )
    .ready();
    supervisor.facts.expect(&["up"]);
    let stopped = json!({ "code": "stopped", "source": "db" });
    let success = json!({ "code": "exitSuccess", "source": "setup" });
    let user2 = json!({ "code": "signal", "source": "SIGUSR2" });
    let waits_for = |name| status(&supervisor, name)["waitsFor"].clone();
    assert_eq!(waits_for("db"), Value::Null);
    assert_eq!(
        waits_for("app"),
        json!({ "all": true, "events": [stopped, success] })
    );
    assert_eq!(
        waits_for("any"),
        json!({ "all": false, "events": [stopped, user2] })
    );
    assert_eq!(
        field(&supervisor, "app", "waits for"),
        ["waits for    stopped of db, exitSuccess of setup"]
    );
    assert_eq!(
        field(&supervisor, "any", "waits for"),
        ["waits for    any of stopped of db, SIGUSR2"]
    );
    let mut events = follow(supervisor.socket(), "/v3/events");
    supervisor.signal(libc::SIGHUP);
    events.wait_for(r#""code":"exitSuccess","source":"setup""#);
    assert_eq!(
        waits_for("app"),
        json!({ "all": true, "events": [stopped] })
    );
    assert_eq!(supervisor.client(&["-stop", "db"]).code, 0);
    assert_eq!(waits_for("app"), Value::Null);
    assert_eq!(supervisor.terminate(), 0);
}
