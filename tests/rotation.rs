//! Rotation of the log file, seen from outside: no line is lost or cut, whatever
//! is done to the file meanwhile.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test that cannot set up its world must fail loudly"
)]

mod support;

use std::fs;
use std::path::Path;
use std::time::Instant;

use support::{is_root, jobs, skip};

/// The texts of the log, the oldest first.
fn texts(log: &Path) -> Vec<String> {
    let old = (1..=999)
        .map_while(|number| fs::read_to_string(format!("{}.{number}", log.display())).ok());
    let mut texts: Vec<String> = old.collect();
    texts.reverse();
    texts.push(fs::read_to_string(log).unwrap());
    texts
}

/// The numbers that the job `many` has printed, in order.
fn numbers(texts: &[String]) -> Vec<u32> {
    assert!(
        texts
            .iter()
            .all(|text| text.is_empty() || text.ends_with('\n'))
    );
    let lines = texts.iter().flat_map(|text| text.lines());
    let said = lines.filter_map(|line| line.split_once(" many ")?.1.split_once(' '));
    said.map(|(_pid, number)| number.parse().unwrap()).collect()
}

#[test]
fn every_line_is_in_one_file_whatever_signals_and_reloads_come_meanwhile() {
    let mut supervisor = jobs(
        r#"{ name: "many", exec: ["sh", "-c", "for n in 1 2 3 4; do seq $((n * 10000 + 1)) $((n * 10000 + 10000)); echo part >>$FACTS; done; echo done >>$FACTS; exec sleep 1000"] }"#,
    )
    .setting("logging: { output: '@DIR@/log', maxSize: '16KiB', keep: 999 }")
    .ready();
    supervisor.facts.expect(&["part"]);
    supervisor.signal(libc::SIGUSR1);
    supervisor.change_config("16KiB", "32KiB");
    assert_eq!(supervisor.http("POST", "/v3/reload", "").status, 200);
    supervisor.signal(libc::SIGUSR1);
    supervisor.facts.until("done");
    // Shutdown waits for the last lines, but not for long. Each look follows a request.
    let (log, deadline) = (supervisor.directory().join("log"), support::deadline());
    while !fs::read_to_string(&log).is_ok_and(|text| text.contains(" 50000\n")) {
        assert_eq!(supervisor.http("GET", "/v3/ping", "").body, "ok");
        assert!(Instant::now() < deadline, "the last line is not written");
    }
    assert_eq!(supervisor.terminate(), 0);
    let texts = texts(&log);
    assert!(texts.iter().all(|text| text.len() <= 32 << 10));
    assert!(texts.len() > 40, "{}", texts.len());
    let expected: Vec<u32> = (10_001..=50_000).collect();
    assert!(numbers(&texts) == expected, "{}", numbers(&texts).len());
}

#[test]
fn a_file_that_somebody_takes_away_is_replaced_at_the_next_rotation() {
    let mut supervisor = jobs(
        r#"{ name: "many", when: { source: "SIGHUP" }, exec: ["sh", "-c", "seq 1 1000; echo done >>$FACTS"] }"#,
    )
    .setting("logging: { output: '@DIR@/log', maxSize: '8KiB', keep: 2 }")
    .ready();
    let log = supervisor.directory().join("log");
    fs::remove_file(&log).unwrap();
    supervisor.signal(libc::SIGHUP);
    supervisor.facts.expect(&["done"]);
    assert_eq!(supervisor.terminate(), 0);
    let texts = texts(&log);
    assert_eq!(texts.len(), 3);
    assert_eq!(numbers(&texts).last(), Some(&1000));
}

#[test]
fn a_full_disk_stops_nothing_and_what_it_cost_is_told() {
    if !is_root() {
        return skip("only root can mount a disk that is full");
    }
    let mut supervisor = jobs(
        r#"{ name: "full", exec: ["sh", "-c", "head -c 1000000 /dev/zero >$DIR/disk/filler 2>/dev/null; echo full >>$FACTS; read go <$GATE; rm $DIR/disk/filler; echo room >>$FACTS; exec sleep 1000"] },
           { name: "many", when: { source: "SIGHUP" }, exec: ["sh", "-c", "seq 1 50000; echo done >>$FACTS"] }"#,
    )
    .setting("logging: { output: '@DIR@/disk/log', maxSize: '8KiB', keep: 1, buffer: '8MiB' }")
    .through(&[
        "unshare",
        "--mount",
        "sh",
        "-c",
        "mkdir $DIR/disk; mount -t tmpfs -o size=64k none $DIR/disk; exec \"$@\"",
        "sh",
    ])
    .ready();
    supervisor.facts.expect(&["full"]);
    supervisor.signal(libc::SIGHUP);
    // It prints more than its pipe and the log's queue hold: by now some is lost.
    supervisor.facts.expect(&["done"]);
    assert_eq!(supervisor.http("GET", "/v3/ping", "").body, "ok");
    supervisor.gate.release();
    supervisor.facts.expect(&["room"]);
    supervisor.signal(libc::SIGHUP);
    supervisor.facts.expect(&["done"]);
    // The log itself lies where only the supervisor sees it.
    let mut lines = support::streams::follow(supervisor.socket(), "/v3/logs?follow");
    lines.wait_for(" of the log: cannot write to log file");
    assert_eq!(supervisor.terminate(), 0);
}
