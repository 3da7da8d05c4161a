//! Configurations and their graphs.

#![allow(clippy::unwrap_used)]

use super::*;
use crate::config::{Host, parse};
use crate::environment::Environment;

fn graph(text: &str) -> String {
    let address = ("eth0".to_owned(), "10.0.0.1".parse().unwrap());
    let host = Host::new("here", vec![address]);
    dot(&parse(text, &Environment::default(), &host).unwrap())
}

#[test]
fn every_way_to_start_has_its_arrow() {
    let text = "{ consul: 'c:1', watches: [{ name: 'db', interval: 1 }, { name: 'idle', interval: 1 }], jobs: [
        { name: 'setup', exec: ['/bin/setup', 'x'] },
        { name: 'app', exec: 'app', port: 80, health: { interval: 1, ttl: 2 },
          when: { source: 'setup', once: 'exitSuccess', timeout: '1m' } },
        { name: 'tick', exec: 'x', when: { interval: '5s' } },
        { name: 'change', exec: 'x', when: { source: 'watch.db', each: 'changed' } },
        { name: 'hup', exec: 'x', when: { source: 'SIGHUP' } },
        { name: 'sign', when: { each: 'enterMaintenance' } },
        { name: 'lost', exec: 'x', when: { source: 'nobody', once: 'stopped' } },
    ] }";
    assert_eq!(
        graph(text),
        r#"digraph containerpilot {
  rankdir=LR;
  node [shape=box];
  "SIGHUP" [shape=diamond];
  "enterMaintenance" [shape=plaintext];
  "startup" [shape=plaintext];
  "unknown nobody" [label="nobody", style=dotted, color=red];
  "watch.db" [shape=ellipse];
  "watch.idle" [shape=ellipse];
  job0 [label="setup\n/bin/setup"];
  job1 [label="app\nport 80"];
  job2 [label="tick\nx"];
  job3 [label="change\nx"];
  job4 [label="hup\nx"];
  job5 [label="sign", style=dotted];
  job6 [label="lost\nx"];
  "startup" -> job0 [label="startup"];
  job0 -> job1 [label="exitSuccess\nwithin 1m0s"];
  "startup" -> job2 [label="every 5s", style=dashed];
  "watch.db" -> job3 [label="changed", style=dashed];
  "SIGHUP" -> job4 [label="signal", style=dashed];
  "enterMaintenance" -> job5 [label="enterMaintenance", style=dashed];
  "unknown nobody" -> job6 [label="stopped"];
}
"#
    );
}

#[test]
fn what_must_all_happen_meets_and_what_may_leads_there_by_itself() {
    let text = "{ jobs: [
        { name: 'a', exec: 'a' },
        { name: 'all', exec: 'all', when: { timeout: 5, all: [{ source: 'a', once: 'exitSuccess' }, { source: 'SIGHUP' }] } },
        { name: 'any', exec: 'any', when: { any: [{ source: 'a', each: 'exitSuccess' }, { source: 'all', once: 'stopped' }] } },
    ] }";
    let graph = graph(text);
    let drawn = graph.lines().skip_while(|line| !line.contains("job0"));
    assert_eq!(
        drawn.collect::<Vec<_>>().join("\n"),
        r#"  job0 [label="a"];
  job1 [label="all"];
  all1 [label="all", shape=circle];
  job2 [label="any"];
  "startup" -> job0 [label="startup"];
  job0 -> all1 [label="exitSuccess"];
  "SIGHUP" -> all1 [label="signal"];
  all1 -> job1 [label="within 5s"];
  job0 -> job2 [label="exitSuccess", style=dashed];
  job1 -> job2 [label="stopped"];
}"#
    );
}

#[test]
fn names_may_have_any_character_and_come_twice() {
    let text = r#"{ jobs: [
        { name: 'a"b\\c\nd', exec: 'x' },
        { name: 'e' }, { name: 'e' },
        { name: 'f', when: { source: 'e', once: 'stopped' } },
    ] }"#;
    let graph = graph(text);
    for line in [
        r#"  job0 [label="a\"b\\c\nd\nx"];"#,
        r#"  job1 -> job3 [label="stopped"];"#,
        r#"  job2 -> job3 [label="stopped"];"#,
    ] {
        assert!(graph.lines().any(|known| known == line), "{line}\n{graph}");
    }
}

#[test]
fn a_source_that_nobody_is_is_no_other_node() {
    let text = "{ jobs: [
        { name: 'a', exec: 'x', when: { source: 'job1', once: 'stopped' } },
        { name: 'b', exec: 'x' },
        { name: 'c', exec: 'x', when: { source: 'startup', once: 'stopped' } },
        { name: 'd', exec: 'x', when: { source: 'watch.e', once: 'healthy' } },
    ] }";
    let graph = graph(text);
    for line in [
        r#"  "unknown job1" [label="job1", style=dotted, color=red];"#,
        r#"  "unknown job1" -> job0 [label="stopped"];"#,
        r#"  "startup" -> job1 [label="startup"];"#,
        r#"  "unknown startup" -> job2 [label="stopped"];"#,
        r#"  "unknown watch.e" -> job3 [label="healthy"];"#,
    ] {
        assert!(graph.lines().any(|known| known == line), "{line}\n{graph}");
    }
}
