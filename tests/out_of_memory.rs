//! No memory: a supervisor waits for some, and says so; what is asked for by its
//! size is refused; and if none comes, the jobs end before it does. Only builds for
//! debugging want memory on demand.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test that cannot set up its world must fail loudly"
)]

mod support;

use support::supervisor::Start;
use support::{Supervisor, jobs, namespace, processes};

/// A job that says goodbye, and one that does not listen.
const JOBS: &str = r#"
    { name: "polite", exec: ["sh", "-c", "trap 'echo bye >>$FACTS; exit 0' TERM; echo polite >>$FACTS; while :; do read x <$GATE; done"] },
    { name: "deaf", exec: ["sh", "-c", "trap '' TERM; exec 9>>$LIFELINE; echo deaf >>$FACTS; while :; do sleep 1000; done"], restarts: "unlimited" },
"#;

/// Needs so many bytes at each signal.
fn hungry(bytes: u64) -> Option<Start> {
    let start = jobs(JOBS)
        .binary(env!("CARGO_BIN_EXE_containerpilot"))
        .env("CONTAINERPILOT_ALLOCATE_AT_SIGNAL", &bytes.to_string());
    cfg!(debug_assertions).then_some(start)
}

/// More than any machine has.
const TOO_MUCH: u64 = 1 << 46;

fn assert_ends(mut supervisor: Supervisor) {
    supervisor.facts.expect_set(&["polite", "deaf"]);
    supervisor.signal(libc::SIGUSR2);
    assert_eq!(supervisor.wait_exit(), 70);
    supervisor
        .stderr
        .wait_for("out of memory; waiting for some");
    supervisor
        .stderr
        .wait_for("memory allocation of 70368744177664 bytes failed");
    supervisor
        .stderr
        .wait_for("cannot go on (see above); ending all jobs");
    supervisor.facts.expect(&["bye"]);
    supervisor.lifeline.wait_for_end();
    assert_eq!(
        supervisor.facts.rest(),
        Vec::<String>::new(),
        "nothing was restarted"
    );
}

#[test]
fn without_memory_all_jobs_end_and_the_exit_code_is_70() {
    if let Some(start) = hungry(TOO_MUCH) {
        assert_ends(start.ready());
    }
}

#[test]
fn pid_1_without_memory_is_no_hang() {
    if let Some(start) = hungry(TOO_MUCH)
        && namespace::available()
    {
        assert_ends(start.in_namespace().ready());
    }
}

/// Lets a process have so many bytes of addresses beyond those that it has.
fn limit(pid: i32, bytes: Option<u64>) {
    let has = processes::status_field(pid, "VmSize") * 1024;
    let limit = libc::rlimit {
        rlim_cur: bytes.map_or(libc::RLIM_INFINITY, |bytes| has + bytes),
        rlim_max: libc::RLIM_INFINITY,
    };
    // SAFETY: the limit lives as long as the call; the old one is not asked for.
    let result =
        unsafe { libc::prlimit(pid, libc::RLIMIT_AS, &raw const limit, std::ptr::null_mut()) };
    assert_eq!(result, 0, "{}", std::io::Error::last_os_error());
}

#[test]
fn memory_that_comes_back_is_waited_for() {
    let Some(start) = hungry(256 << 20) else {
        return;
    };
    let mut supervisor = start.ready();
    supervisor.facts.expect_set(&["polite", "deaf"]);
    let pid = supervisor.pid();
    limit(pid, Some(16 << 20));
    supervisor.signal(libc::SIGUSR2);
    supervisor
        .stderr
        .wait_for("out of memory; waiting for some");
    limit(pid, None);
    supervisor.stderr.wait_for("there is memory again");
    assert_eq!(supervisor.http("GET", "/v3/ping", "").body, "ok");
    supervisor.signal(libc::SIGTERM);
    supervisor.facts.until("bye");
    supervisor.signal(libc::SIGTERM);
    assert_eq!(supervisor.wait_exit(), 0);
}

#[test]
fn a_large_request_is_refused_for_want_of_memory_and_a_small_one_is_not() {
    // GNU's library else has addresses in store for each thread.
    let mut supervisor = jobs(r#"{ name: "app", exec: ["sleep", "1000"] }"#)
        .env("MALLOC_ARENA_MAX", "1")
        .ready();
    let pid = supervisor.pid();
    let large = format!("{{\"A\": \"b\"{}}}", " ".repeat(900 << 10));
    limit(pid, Some(2 << 20));
    let refused = supervisor.http("POST", "/v3/env", &large);
    assert_eq!(refused.status, 503, "{refused:?}");
    assert!(
        refused.body.contains("no memory for the body"),
        "{refused:?}"
    );
    assert_eq!(
        supervisor.http("POST", "/v3/env", "{\"A\": \"c\"}").status,
        200
    );
    limit(pid, None);
    assert_eq!(supervisor.http("POST", "/v3/env", &large).status, 200);
    assert_eq!(supervisor.terminate(), 0);
}
