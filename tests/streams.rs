//! The streams of the control plane, seen from outside: what readers get, and
//! that no reader, however many and however slow, is anybody's trouble.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test that cannot set up its world must fail loudly"
)]

mod support;

use std::io::{Read as _, Write as _};
use std::net::Shutdown;
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;
use support::http::{Response, connect};
use support::streams::{Reader, follow};
use support::{Supervisor, deadline, jobs, processes};

/// A job that runs at SIGHUP and says so.
const ON_HUP: &str = r#"{ name: "hup", when: { source: "SIGHUP" }, exec: ["sh", "-c", "echo ran; echo ran >>$FACTS"] }"#;

fn events(supervisor: &Supervisor, query: &str) -> Reader {
    follow(supervisor.socket(), &format!("/v3/events{query}"))
}

fn logs(supervisor: &Supervisor, query: &str) -> Response {
    supervisor.http("GET", &format!("/v3/logs{query}"), "")
}

/// `CODE SOURCE` of an event.
fn event(line: &str) -> String {
    let value: Value = serde_json::from_str(line).unwrap();
    let text = |key: &str| {
        value[key]
            .as_str()
            .unwrap_or_else(|| panic!("{line}"))
            .to_owned()
    };
    assert!(text("time").contains('T'), "{line}");
    format!("{} {}", text("code"), text("source"))
}

fn sequence(line: &str) -> u64 {
    let value: Value = serde_json::from_str(line).unwrap();
    value["sequence"]
        .as_u64()
        .unwrap_or_else(|| panic!("{line}"))
}

/// Waits until the supervisor has no more threads and descriptors than before.
/// It may have fewer: the thread that started its jobs leaves after a while.
#[track_caller]
fn wait_until_no_more_than(supervisor: &Supervisor, before: (u64, usize)) {
    let deadline = deadline();
    // Nothing tells from outside that a thread has ended: each look is preceded by
    // a request, which needs one itself.
    let (threads, files) = before;
    while {
        let now = spent(supervisor);
        now.0 > threads || now.1 > files
    } {
        assert!(
            Instant::now() < deadline,
            "{before:?} {:?}",
            spent(supervisor)
        );
    }
}

/// The threads and descriptors of a supervisor that has answered a request.
fn spent(supervisor: &Supervisor) -> (u64, usize) {
    assert_eq!(supervisor.http("GET", "/v3/ping", "").body, "ok");
    let pid = supervisor.pid();
    (
        processes::status_field(pid, "Threads"),
        processes::open_files(pid),
    )
}

#[test]
fn events_are_shown_as_they_happen_and_the_last_one_is_that_it_has_stopped() {
    let mut supervisor = jobs(ON_HUP).ready();
    let mut new = events(&supervisor, "");
    assert_eq!(new.status, 200);
    assert!(
        new.head.contains("content-type: application/x-ndjson\r\n"),
        "{}",
        new.head
    );
    supervisor.signal(libc::SIGHUP);
    let seen: Vec<String> = (0..3).map(|_| event(&new.line().unwrap())).collect();
    assert_eq!(seen, ["signal SIGHUP", "started hup", "exitSuccess hup"]);
    let mut all = events(&supervisor, "?since=0");
    let first = all.line().unwrap();
    assert_eq!(
        (event(&first).as_str(), sequence(&first)),
        ("startup global", 1)
    );
    assert_eq!(supervisor.terminate(), 0);
    let end: Vec<String> = new.rest().iter().map(|line| event(line)).collect();
    assert_eq!(
        end,
        [
            "shutdown global",
            "stopping hup",
            "stopped hup",
            "stopped global"
        ]
    );
    let numbers: Vec<u64> = all.rest().iter().map(|line| sequence(line)).collect();
    assert_eq!(numbers, (2..=8).collect::<Vec<u64>>());
}

#[test]
fn a_reader_goes_on_where_it_has_stopped_and_is_told_what_is_gone() {
    let mut supervisor = jobs(
        r#"{ name: "go", exec: ["sh", "-c", "read go <$GATE"] },
           { name: "many", when: { source: "go", once: "exitSuccess" }, restarts: 999, exec: "true" },
           { name: "after", when: { source: "many", once: "stopped" }, exec: ["sh", "-c", "echo done >>$FACTS; exec sleep 1000"] }"#,
    )
    .ready();
    let last = events(&supervisor, "?since=0").line().unwrap();
    assert_eq!(sequence(&last), 1);
    supervisor.gate.release();
    supervisor.facts.expect(&["done"]);
    let mut reader = events(&supervisor, "?since=1");
    let gap: Value = serde_json::from_str(&reader.line().unwrap()).unwrap();
    let next = gap["gap"]["next"].as_u64().unwrap();
    assert_eq!(gap["gap"]["after"], 1);
    assert!(next > 900, "{gap}");
    assert_eq!(sequence(&reader.line().unwrap()), next);
    // As if the supervisor had been another one then.
    let mut reader = events(&supervisor, "?since=1000000");
    let gap: Value = serde_json::from_str(&reader.line().unwrap()).unwrap();
    assert_eq!(gap["gap"]["after"], 1_000_000);
    assert_eq!(
        Some(sequence(&reader.line().unwrap())),
        gap["gap"]["next"].as_u64()
    );
    for path in ["/v3/events?since=x", "/v3/events?from=1"] {
        assert_eq!(supervisor.http("GET", path, "").status, 400);
    }
    assert_eq!(supervisor.terminate(), 0);
}

#[test]
fn the_last_lines_are_kept_and_told_apart_by_their_job() {
    let mut supervisor = jobs(
        r#"{ name: "a", exec: ["sh", "-c", "echo one; echo two; echo three; echo said >>$FACTS; exec sleep 1000"] },
           { name: "b", exec: ["sh", "-c", "echo a 17 four; echo said >>$FACTS; exec sleep 1000"] }"#,
    )
    .ready();
    supervisor.facts.expect(&["said", "said"]);
    supervisor.stdout.wait_for("three");
    let words = |response: &Response| {
        let lines = response.body.lines();
        let words = lines.map(|line| line.rsplit(' ').next().unwrap().to_owned());
        words.collect::<Vec<String>>()
    };
    let of_a = logs(&supervisor, "?job=a");
    assert_eq!(of_a.status, 200);
    assert_eq!(
        of_a.header("content-type"),
        Some("text/plain; charset=utf-8")
    );
    assert_eq!(words(&of_a), ["one", "two", "three"]);
    assert_eq!(
        words(&logs(&supervisor, "?job=a&lines=2")),
        ["two", "three"]
    );
    assert_eq!(logs(&supervisor, "?lines=0").body, "");
    for query in ["?job=aa", "?job=aa&follow"] {
        let unknown = logs(&supervisor, query);
        assert_eq!(unknown.status, 404);
        assert_eq!(unknown.body, "no such job: \"aa\"; did you mean \"a\"?\n");
    }
    assert_eq!(logs(&supervisor, "?job=a&line=2").status, 400);
    let mut reader = follow(supervisor.socket(), "/v3/logs?job=a&lines=1&follow");
    assert!(reader.line().unwrap().ends_with(" three"));
    assert_eq!(supervisor.terminate(), 0);
    assert_eq!(reader.rest(), [""; 0]);
}

#[test]
fn the_last_words_of_a_job_reach_who_follows_the_log() {
    let mut supervisor = jobs(
        r#"{ name: "app", exec: ["sh", "-c", "trap 'echo farewell; exit' TERM; sleep 1000 & echo up >>$FACTS; wait"] }"#,
    )
    .ready();
    supervisor.facts.expect(&["up"]);
    let mut reader = follow(supervisor.socket(), "/v3/logs?follow");
    assert_eq!(supervisor.terminate(), 0);
    reader.wait_for("farewell");
    let _rest = reader.rest();
}

#[test]
fn a_buffer_of_no_size_keeps_nothing_and_a_reload_changes_that() {
    let mut supervisor = jobs(ON_HUP).setting("logging: { buffer: 0 }").ready();
    let refused = logs(&supervisor, "");
    assert_eq!(refused.status, 409);
    assert_eq!(
        refused.body,
        "no lines of the log are kept: logging.buffer is 0\n"
    );
    supervisor.change_config("buffer: 0", "buffer: '4KiB'");
    assert_eq!(supervisor.http("POST", "/v3/reload", "").status, 200);
    assert_eq!(logs(&supervisor, "").body, "");
    let mut reader = follow(supervisor.socket(), "/v3/logs?follow");
    supervisor.signal(libc::SIGHUP);
    reader.wait_for(" ran");
    assert_eq!(supervisor.terminate(), 0);
}

#[test]
fn old_and_short_requests_are_answered_as_they_should_be() {
    let mut supervisor = jobs(ON_HUP).ready();
    let head = Response::parse(&support::http::raw(
        supervisor.socket(),
        b"HEAD /v3/events HTTP/1.1\r\nHost: a\r\n\r\n",
    ));
    assert_eq!((head.status, head.body.as_str()), (200, ""));
    assert_eq!(head.header("transfer-encoding"), Some("chunked"));
    assert_eq!(supervisor.http("POST", "/v3/events", "").status, 405);
    let mut old = connect(supervisor.socket());
    old.write_all(b"GET /v3/events HTTP/1.0\r\n\r\n").unwrap();
    // Who has said everything can still listen.
    old.shutdown(Shutdown::Write).unwrap();
    let mut new = events(&supervisor, "");
    supervisor.signal(libc::SIGHUP);
    new.wait_for("exitSuccess");
    assert_eq!(supervisor.terminate(), 0);
    let mut answer = String::new();
    old.read_to_string(&mut answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    assert!(
        !head.to_ascii_lowercase().contains("transfer-encoding"),
        "{head}"
    );
    let seen: Vec<String> = body.lines().map(event).collect();
    assert_eq!(
        seen.last().map(String::as_str),
        Some("stopped global"),
        "{body}"
    );
}

#[test]
fn readers_that_go_away_in_silence_leave_nothing_behind() {
    let mut supervisor =
        jobs(r#"{ name: "app", exec: ["sh", "-c", "echo up >>$FACTS; exec sleep 1000"] }"#).ready();
    supervisor.facts.expect(&["up"]);
    let before = spent(&supervisor);
    let deadline = deadline();
    // A place is free again as soon as somebody has noticed.
    let place = |number: usize| loop {
        let reader = match number % 2 {
            0 => events(&supervisor, ""),
            _ => follow(supervisor.socket(), "/v3/logs?follow"),
        };
        if reader.status == 200 {
            return reader;
        }
        assert_eq!(reader.status, 429);
        assert!(Instant::now() < deadline, "no place is free again");
    };
    for _ in 0..5 {
        let readers: Vec<Reader> = (0..16).map(place).collect();
        let refused = events(&supervisor, "");
        assert_eq!(refused.status, 429);
        let body = String::from_utf8(refused.raw_rest()).unwrap();
        assert_eq!(body, "16 streams are open already; end one of them first\n");
        drop(readers);
    }
    wait_until_no_more_than(&supervisor, before);
    assert_eq!(supervisor.terminate(), 0);
}

#[test]
fn a_stalled_reader_stalls_nobody_and_is_cut_off() {
    let mut supervisor = jobs(
        r#"{ name: "loud", when: { source: "SIGHUP" }, exec: ["sh", "-c", "seq 1 200000; echo said >>$FACTS"] }"#,
    )
    .ready();
    // It reads nothing of its answer.
    let mut stalled = connect(supervisor.socket());
    stalled
        .write_all(b"GET /v3/logs?follow HTTP/1.1\r\nHost: a\r\n\r\n")
        .unwrap();
    let mut other = follow(supervisor.socket(), "/v3/logs?follow");
    thread::scope(|scope| {
        let other = scope.spawn(|| other.wait_for(" 200000"));
        supervisor.signal(libc::SIGHUP);
        supervisor.facts.expect(&["said"]);
        assert_eq!(supervisor.http("GET", "/v3/ping", "").body, "ok");
        other.join().unwrap();
    });
    // The supervisor ends without it.
    assert_eq!(supervisor.terminate(), 0);
    let mut rest = Vec::new();
    let _reset = stalled.read_to_end(&mut rest);
    assert!(!rest.ends_with(b"0\r\n\r\n"));
}

#[test]
fn streams_end_cleanly_when_the_socket_moves() {
    let mut supervisor = jobs(ON_HUP).ready();
    let mut reader = events(&supervisor, "");
    let new = supervisor.directory().join("moved");
    let old = supervisor.socket().to_str().unwrap().to_owned();
    supervisor.change_config(&old, new.to_str().unwrap());
    assert_eq!(supervisor.http("POST", "/v3/reload", "").status, 200);
    assert_eq!(reader.rest(), [""; 0]);
    supervisor.socket_is(&new);
    let mut reader = events(&supervisor, "");
    supervisor.signal(libc::SIGHUP);
    reader.wait_for("exitSuccess");
    assert_eq!(supervisor.terminate(), 0);
}

#[test]
fn fifty_readers_during_a_thousand_restarts_are_served_or_refused_and_forgotten() {
    let mut supervisor = jobs(
        r#"{ name: "go", exec: ["sh", "-c", "read go <$GATE"] },
           { name: "again", when: { source: "go", once: "exitSuccess" }, restarts: 999, exec: ["echo", "here"] },
           { name: "after", when: { source: "again", once: "stopped" }, exec: ["sh", "-c", "echo done >>$FACTS; exec sleep 1000"] }"#,
    )
    .ready();
    let before = spent(&supervisor);
    let mut readers: Vec<Reader> = (0..50)
        .map(|n| match n % 2 {
            0 => events(&supervisor, ""),
            _ => follow(supervisor.socket(), "/v3/logs?follow&lines=0"),
        })
        .collect();
    readers.retain(|reader| reader.status != 429);
    assert_eq!(readers.len(), 16);
    let following: Vec<_> = readers
        .into_iter()
        .enumerate()
        .map(|(number, mut reader)| {
            thread::spawn(move || {
                // Some go away in the middle, the others stay until the end.
                let enough = if number < 4 { 100 } else { usize::MAX };
                let count = (0..enough).map_while(|_| reader.line()).count();
                assert!(count >= 100, "{count} lines");
            })
        })
        .collect();
    supervisor.gate.release();
    let deadline = deadline();
    // Each moment in which the restarts are not over it answers.
    let moment = Duration::from_millis(20);
    while supervisor.facts.next_by(Instant::now() + moment).is_none() {
        assert!(Instant::now() < deadline, "the restarts take too long");
        assert_eq!(supervisor.http("GET", "/v3/ping", "").body, "ok");
    }
    let now = spent(&supervisor);
    assert!(now.0 <= before.0 + 24, "{before:?} {now:?}");
    assert_eq!(supervisor.terminate(), 0);
    for reader in following {
        reader.join().unwrap();
    }
}
