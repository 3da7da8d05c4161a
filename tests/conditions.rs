//! The manual on jobs and events: jobs that wait for all of several events, or for
//! any of them.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test that cannot set up its world must fail loudly"
)]

mod support;

use support::jobs;

#[test]
fn any_runs_at_each_event_one_run_after_the_other() {
    let mut supervisor = jobs(
        r#"{ name: "setup", exec: "true" },
           { name: "app", when: { any: [{ source: "setup", once: "exitSuccess" }, { source: "SIGHUP" }, { source: "SIGUSR2" }] },
             exec: ["sh", "-c", "echo begin >>$FACTS; read go <$GATE; echo end >>$FACTS"] }"#,
    )
    .start();
    supervisor.facts.expect(&["begin"]);
    supervisor.signal(libc::SIGHUP);
    supervisor.signal(libc::SIGUSR2);
    for _ in 0..2 {
        supervisor.gate.release();
        supervisor.facts.expect(&["end", "begin"]);
    }
    supervisor.gate.release();
    supervisor.facts.expect(&["end"]);
    assert_eq!(supervisor.terminate(), 0);
    assert_eq!(supervisor.facts.rest(), Vec::<String>::new());
}

#[test]
fn all_keeps_what_it_has_seen_over_a_reload_and_counts_what_holds() {
    let mut supervisor = jobs(
        r#"{ name: "keep", exec: ["sleep", "1000"] },
           { name: "setup", exec: ["sh", "-c", "echo set up >>$FACTS"] },
           { name: "hup", when: { source: "SIGHUP" }, exec: ["sh", "-c", "echo signal >>$FACTS"] },
           { name: "told", when: { source: "setup", once: "exitSuccess" }, exec: ["sh", "-c", "echo told >>$FACTS"] },
           { name: "app", exec: ["sh", "-c", "echo app >>$FACTS; exec sleep 1000"],
             when: { all: [{ source: "SIGHUP" }, { source: "keep", once: "stopped" }] } }"#,
    )
    .ready();
    supervisor.facts.expect(&["set up", "told"]);
    supervisor.signal(libc::SIGHUP);
    supervisor.facts.expect(&["signal"]);
    supervisor.change_config(
        r#"{ source: "keep", once: "stopped" }"#,
        r#"{ source: "setup", once: "exitSuccess" }"#,
    );
    supervisor.client(&["-reload"]).success();
    supervisor.facts.expect(&["app"]);
    assert_eq!(supervisor.terminate(), 0);
}

#[test]
fn what_all_misses_is_told() {
    let mut supervisor = jobs(
        r#"{ name: "setup", exec: "true" },
           { name: "app", exec: "true", when: { timeout: "100ms",
             all: [{ source: "setup", once: "exitSuccess" }, { source: "SIGHUP" }] } }"#,
    )
    .start();
    supervisor.stdout.wait_for("not seen: SIGHUP");
    assert_eq!(supervisor.wait_exit(), 0);
}
