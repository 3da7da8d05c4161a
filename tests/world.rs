//! The test world itself: a harness that cannot fail proves nothing.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test that cannot set up its world must fail loudly"
)]

mod support;

use std::process::Stdio;

use support::command::{command, run, wait};
use support::lines::Lines;
use support::{Facts, Gate, Lifeline, Temporary, deadline, namespace, probe, processes};

/// A shell that runs `script` in `directory`'s world.
fn shell(directory: &Temporary, script: &str) -> std::process::Command {
    let mut shell = command("sh");
    shell
        .args(["-c", script])
        .env("FACTS", directory.join("facts"))
        .env("LIFELINE", directory.join("lifeline"))
        .env("GATE", directory.join("gate"))
        .env("DIR", directory.path());
    shell
}

#[test]
fn facts_keep_the_order_in_which_processes_wrote_them() {
    let directory = Temporary::new();
    let mut facts = Facts::open(&directory.fifo("facts"));
    let script = "for i in 1 2 3; do sh -c \"echo fact $i >>$FACTS\"; done; echo pid $$ >>$FACTS";
    run(&mut shell(&directory, script)).success();
    facts.expect(&["fact 1", "fact 2", "fact 3"]);
    assert!(facts.pid("pid") > 1);
    assert_eq!(facts.rest(), Vec::<String>::new());
}

#[test]
fn a_lifeline_ends_with_its_last_holder() {
    let directory = Temporary::new();
    let mut facts = Facts::open(&directory.fifo("facts"));
    let mut gate = Gate::open(&directory.fifo("gate"));
    let lifeline = Lifeline::open(&directory.fifo("lifeline"));
    let script = "exec 9>>$LIFELINE; (echo held >>$FACTS; read go <$GATE) >/dev/null 2>&1 &";
    run(&mut shell(&directory, script)).success();
    facts.expect(&["held"]);
    assert!(lifeline.is_held());
    gate.release();
    lifeline.wait_for_end();
}

#[test]
fn an_outcome_has_the_exit_code_and_the_lines_of_both_streams() {
    let directory = Temporary::new();
    let outcome = run(&mut shell(
        &directory,
        "echo out; echo err >&2; printf rest; exit 7",
    ));
    assert_eq!(outcome.code, 7);
    assert_eq!(outcome.stdout, ["out", "rest"]);
    assert_eq!(outcome.error_line(), "err");
    let killed = run(&mut shell(&directory, "kill -9 $$"));
    assert_eq!(killed.code, 137);
}

#[test]
fn lines_are_found_one_after_the_other() {
    let directory = Temporary::new();
    let mut child = shell(&directory, "echo one; echo two; echo one")
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = Lines::collect(child.stdout.take().unwrap());
    assert_eq!(lines.wait_for("one"), "one");
    assert_eq!(lines.wait_for_any(&["one", "three"]), "one");
    assert_eq!(lines.wait_for_end(), ["one", "two", "one"]);
    assert!(wait(&mut child, deadline()).unwrap().success());
}

#[test]
fn what_a_test_left_behind_is_found_by_its_environment_and_killed() {
    let directory = Temporary::new();
    let mut facts = Facts::open(&directory.fifo("facts"));
    let lifeline = Lifeline::open(&directory.fifo("lifeline"));
    let script =
        "exec 9>>$LIFELINE; setsid sh -c 'echo pid $$ >>$FACTS; exec sleep 1000' >/dev/null 2>&1 &";
    run(&mut shell(&directory, script)).success();
    let pid = facts.pid("pid");
    assert!(processes::is_alive(pid));
    processes::kill_marked(&format!("DIR={}", directory.path().display()));
    lifeline.wait_for_end();
    assert!(!processes::is_alive(pid));
}

#[test]
fn zombies_are_seen_until_they_are_reaped() {
    let directory = Temporary::new();
    let mut child = shell(&directory, "exit 0").spawn().unwrap();
    let pid = i32::try_from(child.id()).unwrap();
    processes::wait_for_death(pid);
    let me = i32::try_from(std::process::id()).unwrap();
    assert!(
        processes::zombies(me)
            .iter()
            .any(|zombie| zombie.pid == pid)
    );
    child.wait().unwrap();
    assert_eq!(processes::process(pid), None);
}

#[test]
fn a_pid_namespace_starts_at_pid_1_and_passes_the_exit_code_on() {
    if namespace::available() {
        let outcome = run(&mut namespace::inside(&["sh", "-c", "echo pid $$; exit 5"]));
        assert_eq!(outcome.stdout, ["pid 1"]);
        assert_eq!(outcome.code, 5);
    }
}

#[test]
fn orphans_of_the_probe_are_all_dead_when_it_ends() {
    let outcome = run(command(probe::probe("orphans")).args(["100", "0"]));
    outcome.success();
}
