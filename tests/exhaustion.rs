//! When the kernel has no more processes or descriptors to give: what cannot be
//! started is told and has failed, and the supervisor goes on.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test that cannot set up its world must fail loudly"
)]

mod support;

use support::cgroup::Cgroup;
use support::command::command;
use support::{NOBODY, is_root, jobs, run};

/// A job for each SIGHUP, and who notices how it ended.
const WORLD: &str = r#"
    { name: "hup", when: { source: "SIGHUP" }, exec: ["sh", "-c", "echo hup >>$FACTS"] },
    { name: "keeper", exec: ["sleep", "1000"], health: { exec: "true", interval: 1, ttl: 5 } }
"#;

/// Sets a limit of a running process of nobody's, or of this user's.
#[track_caller]
fn limit(pid: i32, limit: &str) {
    let mut words = vec![
        "prlimit".to_owned(),
        format!("--pid={pid}"),
        format!("--{limit}"),
    ];
    if is_root() {
        // Only its own user may, where root lacks CAP_SYS_RESOURCE.
        words.splice(..0, NOBODY.map(str::to_owned));
    }
    run(command(&words[0]).args(&words[1..])).success();
}

#[test]
fn without_descriptors_a_run_fails_is_told_and_the_next_one_works() {
    let mut supervisor = jobs(WORLD).unprivileged().ready();
    let pid = supervisor.pid();
    limit(pid, "nofile=3:");
    supervisor.signal(libc::SIGHUP);
    // The words differ between C libraries, the number does not.
    supervisor.stdout.wait_for("os error 24");
    limit(pid, "nofile=1024:");
    supervisor.signal(libc::SIGHUP);
    supervisor.facts.expect(&["hup"]);
    assert_eq!(supervisor.http("GET", "/v3/ping", "").body, "ok");
    assert_eq!(supervisor.terminate(), 0);
}

#[test]
fn without_processes_a_run_fails_is_told_and_the_next_one_works() {
    // Root is exempt from this limit.
    let mut supervisor = jobs(WORLD).unprivileged().ready();
    let pid = supervisor.pid();
    limit(pid, "nproc=0:");
    supervisor.signal(libc::SIGHUP);
    let line = supervisor.stdout.wait_for("hup could not be started");
    assert!(line.contains("Resource temporarily unavailable"), "{line}");
    limit(pid, "nproc=1000:");
    supervisor.signal(libc::SIGHUP);
    supervisor.facts.expect(&["hup"]);
    assert_eq!(supervisor.http("GET", "/v3/ping", "").body, "ok");
    assert_eq!(supervisor.terminate(), 0);
}

#[test]
fn without_a_place_in_its_cgroup_a_run_fails_is_told_and_the_next_one_works() {
    let Some(group) = Cgroup::of_pids() else {
        return;
    };
    let mut supervisor = jobs(WORLD).ready();
    group.take(supervisor.pid());
    // It has more threads than that, and keeps them.
    group.limit("1");
    for _ in 0..3 {
        supervisor.signal(libc::SIGHUP);
        let line = supervisor.stdout.wait_for("hup could not be started");
        assert!(line.contains("os error 11"), "{line}");
        assert_eq!(supervisor.http("GET", "/v3/ping", "").body, "ok");
    }
    group.limit("max");
    supervisor.signal(libc::SIGHUP);
    supervisor.facts.expect(&["hup"]);
    group.limit("1");
    assert_eq!(supervisor.terminate(), 0);
}

/// Needs more memory than there is, with each SIGHUP; one who tells of that; and one
/// who needs none.
const GLUTTON: &str = r#"
    { name: "glutton", when: { source: "SIGHUP" }, exec: ["sh", "-c", "echo eats >>$FACTS; exec tail /dev/zero"] },
    { name: "heir", when: { source: "glutton", each: "exitFailed" }, exec: ["sh", "-c", "echo dead >>$FACTS"] },
    { name: "modest", exec: ["sleep", "1000"], health: { exec: "true", interval: 1, ttl: 5 } },
"#;

#[test]
fn without_memory_in_its_cgroup_a_job_is_killed_and_the_others_and_the_supervisor_go_on() {
    let Some(group) = Cgroup::of_memory() else {
        return;
    };
    group.forbid_swapping();
    group.limit("67108864");
    // Who is in the group starts whoever else is.
    let script = format!("echo $$ >{:?}; exec \"$@\"", group.members());
    let mut supervisor = jobs(GLUTTON).through(&["sh", "-c", &script, "sh"]).ready();
    let modest = supervisor.http("GET", "/v3/jobs/modest", "").body;
    for _ in 0..3 {
        supervisor.signal(libc::SIGHUP);
        supervisor.facts.expect(&["eats", "dead"]);
        let line = supervisor.stdout.wait_for("glutton");
        assert!(line.contains("killed by signal 9"), "{line}");
        assert_eq!(supervisor.http("GET", "/v3/ping", "").body, "ok");
    }
    let after = supervisor.http("GET", "/v3/jobs/modest", "").body;
    let pid = |body: &str| {
        body.split(r#""pid":"#)
            .nth(1)
            .map(|rest| rest.split(',').next().unwrap().to_owned())
    };
    assert!(
        pid(&modest).is_some() && pid(&modest) == pid(&after),
        "{modest} {after}"
    );
    assert_eq!(supervisor.terminate(), 0);
}

#[test]
fn shutdown_needs_neither_processes_nor_descriptors() {
    let mut supervisor = jobs(WORLD).unprivileged().ready();
    let pid = supervisor.pid();
    limit(pid, "nproc=0:");
    limit(pid, "nofile=3:");
    assert_eq!(supervisor.terminate(), 0);
}
