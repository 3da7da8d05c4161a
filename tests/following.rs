//! `-events`, `-logs` and `-wait`, as scripts and operators use them.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test that cannot set up its world must fail loudly"
)]

mod support;

use std::process::{Child, Stdio};

use support::command::{command, exit_code, wait};
use support::lines::Lines;
use support::{Supervisor, binary, deadline, jobs};

/// The binary as a client that goes on, and its lines.
fn follow(supervisor: &Supervisor, arguments: &[&str]) -> (Child, Lines) {
    let mut client = command(binary())
        .arg("-socket")
        .arg(supervisor.socket())
        .args(arguments)
        .stdout(Stdio::piped())
        .stderr(Stdio::inherit())
        .spawn()
        .unwrap();
    let lines = Lines::collect(client.stdout.take().unwrap());
    (client, lines)
}

#[track_caller]
fn exit(mut client: Child) -> i32 {
    exit_code(wait(&mut client, deadline()).unwrap())
}

const HUP: &str = r#"{ name: "hup", when: { source: "SIGHUP" }, exec: ["sh", "-c", "echo one; echo two; echo ran >>$FACTS"] }"#;

#[test]
fn events_and_logs_are_printed_as_they_come_until_the_supervisor_ends() {
    let mut supervisor = jobs(HUP).ready();
    let (events, event_lines) = follow(&supervisor, &["-events", "-since", "0"]);
    let (logs, log_lines) = follow(&supervisor, &["-logs", "hup", "-follow"]);
    event_lines.wait_for("\"startup\"");
    supervisor.signal(libc::SIGHUP);
    event_lines.wait_for("\"code\":\"started\",\"source\":\"hup\"");
    log_lines.wait_for(" one");
    log_lines.wait_for(" two");
    let now = supervisor
        .client(&["-logs", "hup", "-lines", "1"])
        .success();
    assert!(now.len() == 1 && now[0].ends_with(" two"), "{now:?}");
    assert_eq!(supervisor.terminate(), 0);
    assert_eq!((exit(events), exit(logs)), (0, 0));
    let last = event_lines.wait_for_end().pop().unwrap();
    assert!(
        last.contains("\"code\":\"stopped\",\"source\":\"global\""),
        "{last}"
    );
    assert_eq!(log_lines.wait_for_end().len(), 2);
}

#[test]
fn a_client_whose_reader_has_gone_ends_and_one_that_is_killed_is_forgotten() {
    let mut supervisor = jobs(HUP).ready();
    let (mut killed, lines) = follow(&supervisor, &["-events", "-since", "0"]);
    lines.wait_for("startup");
    killed.kill().unwrap();
    killed.wait().unwrap();
    let mut deaf = command(binary())
        .arg("-socket")
        .arg(supervisor.socket())
        .arg("-events")
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    // It ends in silence, too.
    drop(deaf.stdout.take());
    assert_eq!(exit_code(wait(&mut deaf, deadline()).unwrap()), 0);
    assert_eq!(supervisor.terminate(), 0);
}

#[test]
fn a_supervisor_that_is_killed_is_no_clean_end() {
    let supervisor = jobs(HUP).ready();
    let (client, lines) = follow(&supervisor, &["-events", "-since", "0"]);
    lines.wait_for("startup");
    supervisor.signal(libc::SIGKILL);
    assert_eq!(exit(client), 1);
}

#[test]
fn waiting_ends_when_the_state_holds_whenever_that_comes() {
    let mut supervisor = jobs(
        r#"{ name: "go", exec: ["sh", "-c", "read go <$GATE"] },
           { name: "app", when: { source: "go", once: "exitSuccess" }, exec: ["sleep", "1000"],
             health: { exec: "true", interval: 1, ttl: 5 } },
           { name: "short", when: { source: "go", once: "exitSuccess" }, exec: "true" }"#,
    )
    .ready();
    supervisor
        .client(&["-wait", "go=running", "-wait", "app=waiting"])
        .success();
    let all = ["app=running", "app=healthy", "go=completed", "short=exited"];
    let waiting: Vec<Child> = all
        .iter()
        .map(|wanted| follow(&supervisor, &["-wait", wanted]).0)
        .collect();
    // Whoever asks later than that finds the state as it is then.
    supervisor.gate.release();
    for (client, wanted) in waiting.into_iter().zip(all) {
        assert_eq!(exit(client), 0, "{wanted}");
    }
    assert_eq!(supervisor.terminate(), 0);
}

#[test]
fn waiting_in_vain_says_what_there_is_instead() {
    let mut supervisor = jobs(
        r#"{ name: "app", exec: ["sleep", "1000"] },
           { name: "e\u001b[31mvil\nx", exec: "true", when: { source: "app", once: "healthy" } }"#,
    )
    .ready();
    supervisor.client(&["-wait", "app=running"]).success();
    let outcome = supervisor.client(&["-wait", "e\u{1b}[31mvil\nx=running", "-timeout", "100ms"]);
    assert_eq!(outcome.code, 1, "{outcome}");
    let said = outcome.error_line();
    assert!(
        said.starts_with(r"-wait: e\u{1b}[31mvil\nx is not running"),
        "{said}"
    );
    let outcome = supervisor.client(&["-wait", "app=healthy", "-timeout", "100ms"]);
    assert_eq!(outcome.code, 1, "{outcome}");
    assert_eq!(
        outcome.error_line(),
        "-wait: app is not healthy after 0.1 s: it is running"
    );
    let outcome = supervisor.client(&["-wait", "ap=healthy"]);
    assert_eq!(outcome.code, 1, "{outcome}");
    assert!(outcome.error_line().contains("404"), "{outcome}");
    let (waiting, _lines) = follow(&supervisor, &["-wait", "app=healthy"]);
    let (events, lines) = follow(&supervisor, &["-events", "-since", "0"]);
    lines.wait_for("started");
    assert_eq!(supervisor.terminate(), 0);
    assert_eq!((exit(waiting), exit(events)), (1, 0));
    let outcome = supervisor.client(&["-wait", "app=fine"]);
    assert_eq!(outcome.code, 2, "{outcome}");
}
