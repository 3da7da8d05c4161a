//! The benchmark still works. What it measures is nobody's business here: a test
//! that asserts times fails when the machine is busy.

#![allow(
    clippy::unwrap_used,
    reason = "a test that cannot set up its world must fail loudly"
)]

mod support;

use std::fs;
use std::process::Command;

use serde_json::Value;
use support::command::command;
use support::{Temporary, binary, run};

fn bench() -> Command {
    let mut bench = command(concat!(env!("CARGO_MANIFEST_DIR"), "/scripts/bench"));
    bench.arg("--no-peers");
    bench
}

#[test]
fn the_benchmark_measures_rows_beside_their_floors() {
    let directory = Temporary::new();
    let file = directory.join("measured.json");
    let mut bench = bench();
    bench.args(["--quick", "--only", "^(ping|stop-1)$"]);
    bench.arg("--json").arg(&file).arg("--binary").arg(binary());
    let outcome = run(&mut bench);
    assert_eq!(outcome.code, 0, "{outcome}");
    let measured: Value = serde_json::from_str(&fs::read_to_string(file).unwrap()).unwrap();
    let rows = measured["rows"].as_array().unwrap();
    let keys: Vec<_> = rows.iter().map(|row| &row["key"]).collect();
    assert_eq!(keys, ["ping", "stop-1"]);
    for row in rows {
        for who in ["containerpilot", "floor"] {
            let median = row["contestants"][who]["median"].as_f64();
            assert!(median > Some(0.0), "{who}: {row}");
        }
    }
}

#[test]
fn the_benchmark_lists_the_rows_of_every_subject() {
    let listed = run(bench().arg("--list")).success();
    let keys = [
        "ping",
        "start",
        "memory-1000",
        "restart",
        "reload",
        "ping-readers",
        "output-json",
        "orphans-burst",
        "load",
        "watch",
        "scale-stop",
    ];
    for key in keys {
        let has_it = |line: &String| line.split_whitespace().next() == Some(key);
        assert!(listed.iter().any(has_it), "no {key}: {listed:?}");
    }
}
