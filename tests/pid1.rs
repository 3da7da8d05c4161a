//! The page on containers: the supervisor as PID 1 of a real PID namespace.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test that cannot set up its world must fail loudly"
)]

mod support;

use support::supervisor::Start;
use support::{Supervisor, deadline, jobs, namespace, processes};

/// A world in which jobs can start `$ORPHANS COUNT`.
fn world(text: &str) -> Start {
    let probe = support::probe::probe("orphans");
    jobs(text).env("ORPHANS", probe.to_str().unwrap())
}

/// Waits until the supervisor has no dead child that it has not reaped. Each
/// look follows a request that has passed its event loop.
#[track_caller]
fn wait_for_no_zombies(supervisor: &Supervisor) {
    let deadline = deadline();
    let pid = supervisor.pid();
    while !processes::zombies(pid).is_empty() {
        assert!(
            std::time::Instant::now() < deadline,
            "{:?}",
            processes::zombies(pid)
        );
        assert_eq!(supervisor.http("GET", "/v3/ping", "").status, 200);
    }
}

/// Waits until nothing is left of a process that has ended. It may still be a
/// child of a job's shell that is about to end, and so no child of ours yet.
#[track_caller]
fn wait_for_reaping(supervisor: &Supervisor, pid: i32) {
    let deadline = deadline();
    while let Some(left) = processes::process(pid) {
        assert!(std::time::Instant::now() < deadline, "{left:?}");
        assert_eq!(supervisor.http("GET", "/v3/ping", "").status, 200);
    }
}

const ORPHANAGE: &str = r#"
    { name: "orphans", exec: ["sh", "-c", "$ORPHANS 10000 0"] },
    { name: "done", when: { source: "orphans", once: "exitSuccess" }, exec: ["sh", "-c", "echo done >>$FACTS"] },
    { name: "keeper", exec: ["sleep", "1000"] }
"#;

#[test]
fn as_pid_1_it_reaps_10000_orphans() {
    if namespace::available() {
        let mut supervisor = world(ORPHANAGE).in_namespace().ready();
        supervisor.facts.expect(&["done"]);
        wait_for_no_zombies(&supervisor);
        assert_eq!(supervisor.terminate(), 0);
    }
}

#[test]
fn elsewhere_it_reaps_10000_orphans_too() {
    let mut supervisor = world(ORPHANAGE).ready();
    supervisor.facts.expect(&["done"]);
    wait_for_no_zombies(&supervisor);
    assert_eq!(supervisor.terminate(), 0);
}

#[test]
fn no_status_is_lost_while_orphans_storm() {
    if !namespace::available() {
        return;
    }
    // Every run of `odd` fails and every run of `even` succeeds, 300 times each.
    let mut supervisor = world(
        r#"{ name: "storm", exec: ["sh", "-c", "$ORPHANS 2000 7"], restarts: "unlimited" },
           { name: "odd", when: { source: "even", each: "exitSuccess" }, exec: ["sh", "-c", "exit 3"] },
           { name: "even", when: { interval: "5ms" }, restarts: 299, timeout: "40s", exec: "true" },
           { name: "count", when: { source: "odd", each: "exitFailed" }, exec: ["sh", "-c", "echo seen >>$FACTS"] }"#,
    )
    .in_namespace()
    .ready();
    supervisor.facts.expect(&["seen"; 300]);
    assert_eq!(supervisor.terminate(), 0);
    assert_eq!(
        supervisor.facts.rest(),
        Vec::<String>::new(),
        "300 exits, 300 events"
    );
}

#[test]
fn as_pid_1_it_is_one_process_and_knows_its_pid() {
    if namespace::available() {
        let mut supervisor = jobs(
            r#"{ name: "a", exec: ["sh", "-c", "echo parent $PPID of $CONTAINERPILOT_PID >>$FACTS; exec sleep 1000"] }"#,
        )
        .in_namespace()
        .ready();
        supervisor.facts.expect(&["parent 1 of 1"]);
        let children = processes::children(supervisor.pid());
        assert_eq!(children.len(), 1, "{children:?}");
    }
}

#[test]
fn as_pid_1_it_obeys_every_signal() {
    if !namespace::available() {
        return;
    }
    for signal in [libc::SIGTERM, libc::SIGINT] {
        let mut supervisor = jobs(
            r#"{ name: "a", exec: ["sh", "-c", "trap 'echo told >>$FACTS; exit 0' TERM; sleep 1000 & echo up >>$FACTS; wait"] },
               { name: "hup", when: { source: "SIGHUP" }, exec: ["sh", "-c", "echo hup >>$FACTS"] }"#,
        )
        .in_namespace()
        .ready();
        supervisor.facts.expect(&["up"]);
        supervisor.signal(libc::SIGHUP);
        supervisor.facts.expect(&["hup"]);
        supervisor.signal(signal);
        supervisor.facts.expect(&["told"]);
        assert_eq!(supervisor.wait_exit(), 0);
    }
}

#[test]
fn as_pid_1_it_kills_what_ignores_sigterm() {
    if namespace::available() {
        let mut supervisor = jobs(
            r#"{ name: "deaf", exec: ["sh", "-c", "trap '' TERM; exec 9>>$LIFELINE; echo up >>$FACTS; while :; do sleep 1000; done"] }"#,
        )
        .setting("stopTimeout: '200ms'")
        .in_namespace()
        .ready();
        supervisor.facts.expect(&["up"]);
        assert_eq!(supervisor.terminate(), 0);
        supervisor.lifeline.wait_for_end();
    }
}

#[test]
fn as_pid_1_its_exit_codes_are_the_same() {
    if namespace::available() {
        let mut complete = jobs(r#"{ name: "a", exec: "false" }"#)
            .in_namespace()
            .start();
        assert_eq!(complete.wait_exit(), 0, "all jobs are complete");
        let mut wrong = jobs(r#"{ name: "a", exec: "false", restarts: -1 }"#)
            .in_namespace()
            .start();
        assert_eq!(wrong.wait_exit(), 1, "the configuration is wrong");
    }
}

#[test]
fn orphans_that_daemons_left_are_reaped_after_their_job_is_gone() {
    let mut supervisor = jobs(
        r#"{ name: "daemon", exec: ["sh", "-c", "mkfifo $DIR/away; setsid sh -c 'echo pid $$ >>$FACTS; echo away >$DIR/away; read go <$GATE' >/dev/null 2>&1 & read word <$DIR/away"] },
           { name: "keeper", exec: ["sleep", "1000"] }"#,
    )
    .ready();
    let daemon = supervisor.facts.pid("pid");
    supervisor.gate.release();
    processes::wait_for_death(daemon);
    wait_for_reaping(&supervisor, daemon);
}

#[test]
fn no_orphan_is_taken_for_a_run_that_got_its_recycled_pid() {
    // The kernel has 300 pids to give, and so each of them comes again soon.
    let few = [
        "sh",
        "-c",
        "echo 400 >/proc/sys/kernel/pid_max; exec \"$@\"",
        "sh",
    ];
    if !namespace::available() || !can_limit_pids() {
        return;
    }
    let mut supervisor = world(
        r#"{ name: "storm", exec: ["sh", "-c", "$ORPHANS 500 7"], restarts: "unlimited" },
           { name: "one", when: { interval: "3ms" }, timeout: "30s", exec: "true" },
           { name: "two", when: { interval: "3ms" }, timeout: "30s", exec: "true" },
           { name: "three", when: { interval: "3ms" }, timeout: "30s", restarts: 1000, exec: "true" },
           { name: "done", when: { source: "three", once: "stopped" }, exec: ["sh", "-c", "echo done >>$FACTS"] }"#,
    )
    .through(&few)
    .in_namespace()
    .ready();
    supervisor.facts.expect(&["done"]);
    assert_eq!(supervisor.terminate(), 0);
    // A run that finds no pid at all fails by right.
    let log = supervisor.stdout.wait_for_end();
    let wrong: Vec<_> = log
        .iter()
        .filter(|line| line.contains("with code 7"))
        .collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// Whether a PID namespace can have fewer pids than the machine.
fn can_limit_pids() -> bool {
    let script = "echo 400 >/proc/sys/kernel/pid_max";
    let outcome = support::run(&mut namespace::inside(&["sh", "-c", script]));
    let outside = std::fs::read_to_string("/proc/sys/kernel/pid_max").unwrap();
    if outcome.code != 0 || outside.trim() == "400" {
        eprintln!("SKIPPED: this kernel has no pid_max of a namespace's own (Linux 6.14)");
        return false;
    }
    true
}
