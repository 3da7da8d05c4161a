//! Bugs: a panic ends one piece of work and is told once; the supervisor goes on.
//! One in the event loop ends the jobs in order, and the supervisor with a code of its
//! own. Only builds for debugging have a bug on demand.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test that cannot set up its world must fail loudly"
)]

mod support;

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, TcpStream};

use support::fake_consul::{Fake, Mood};
use support::http::Response;
use support::supervisor::Start;
use support::{PATIENCE, Supervisor, free_address, jobs, namespace};

/// A job that says goodbye, one that does not listen, and one that has left a
/// process in its group.
const JOBS: &str = r#"
    { name: "polite", exec: ["sh", "-c", "trap 'echo bye >>$FACTS; exit 0' TERM; echo polite >>$FACTS; while :; do read x <$GATE; done"] },
    { name: "deaf", exec: ["sh", "-c", "trap '' TERM; exec 9>>$LIFELINE; echo deaf >>$FACTS; while :; do sleep 1000; done"] },
    { name: "again", exec: ["sh", "-c", "sleep 1000 & echo again >>$FACTS; wait"], restarts: "unlimited" },
"#;

/// Tells of each SIGHUP.
const HUP: &str =
    r#"{ name: "hup", when: { source: "SIGHUP" }, exec: ["sh", "-c", "echo hup >>$FACTS"] },"#;

/// With the build for debugging, whatever is under test otherwise.
fn world(text: &str) -> Option<Start> {
    let start = jobs(text).binary(env!("CARGO_BIN_EXE_containerpilot"));
    let bugs = start.directory().join("bugs");
    fs::create_dir(&bugs).unwrap();
    let start = start.env("CONTAINERPILOT_BUGS", bugs.to_str().unwrap());
    cfg!(debug_assertions).then_some(start)
}

/// Lets the next who comes by this place have a bug.
fn plant(supervisor: &Supervisor, place: &str) {
    supervisor
        .directory()
        .write(&format!("bugs/{place}"), "on demand");
}

/// Waits until the log tells of the bug, and then of what is said of it on stderr.
#[track_caller]
fn wait_for_bug(supervisor: &Supervisor, told: &str) {
    supervisor
        .stdout
        .wait_for(&format!("internal error: {told}"));
    supervisor
        .stderr
        .wait_for("containerpilot: internal error: src/bug.rs:");
}

/// Ends it, and fails if there was more to tell than so many bugs.
#[track_caller]
fn assert_bugs(mut supervisor: Supervisor, bugs: usize) {
    assert_eq!(supervisor.terminate(), 0);
    for lines in [&supervisor.stdout, &supervisor.stderr] {
        lines.wait_for_end();
        let told = lines.all();
        let told = told.iter().filter(|line| line.contains("internal error"));
        assert_eq!(told.count(), bugs);
    }
}

#[test]
fn after_a_panic_of_the_loop_all_jobs_end_and_the_exit_code_is_70() {
    let Some(start) = world(JOBS) else { return };
    let mut supervisor = start.setting("stopTimeout: '300ms'").ready();
    supervisor.facts.expect_set(&["polite", "deaf", "again"]);
    plant(&supervisor, "signal");
    supervisor.signal(libc::SIGUSR2);
    assert_eq!(supervisor.wait_exit(), 70);
    supervisor.facts.expect(&["bye"]);
    supervisor.lifeline.wait_for_end();
    wait_for_bug(&supervisor, "the event loop has panicked");
    supervisor.stdout.wait_for("ending all jobs");
    assert_eq!(
        supervisor.facts.rest(),
        Vec::<String>::new(),
        "nothing was restarted"
    );
}

#[test]
fn a_panic_of_pid_1_is_no_hang() {
    let Some(start) = world(JOBS).filter(|_| namespace::available()) else {
        return;
    };
    let start = start.setting("stopTimeout: '300ms'");
    let mut supervisor = start.in_namespace().ready();
    supervisor.facts.expect_set(&["polite", "deaf", "again"]);
    plant(&supervisor, "signal");
    supervisor.signal(libc::SIGHUP);
    assert_eq!(supervisor.wait_exit(), 70);
    supervisor.lifeline.wait_for_end();
}

#[test]
fn a_panic_while_all_jobs_end_after_a_panic_keeps_none_of_them_alive() {
    let Some(start) = world(JOBS) else { return };
    let mut supervisor = start.ready();
    supervisor.facts.expect_set(&["polite", "deaf", "again"]);
    plant(&supervisor, "ending");
    plant(&supervisor, "signal");
    supervisor.signal(libc::SIGUSR2);
    assert_eq!(supervisor.wait_exit(), 70);
    supervisor
        .stderr
        .wait_for("cannot go on (see above); ending all jobs");
    supervisor.facts.expect(&["bye"]);
    supervisor.lifeline.wait_for_end();
}

#[test]
fn a_panic_with_a_stderr_that_nobody_reads_is_no_hang() {
    let Some(start) = world(JOBS) else { return };
    // A pipe that is full. Whoever fills it has opened it for itself: only that one
    // must not wait.
    let fill = r#"dd if=/dev/zero of="$DIR/full" bs=4096 oflag=nonblock 2>/dev/null; exec "$@""#;
    let fill = format!(r#"exec 2<>"$DIR/full"; {fill}"#);
    start.directory().fifo("full");
    let start = start.setting("stopTimeout: '300ms'");
    let mut supervisor = start.through(&["sh", "-c", &fill, "sh"]).ready();
    supervisor.facts.expect_set(&["polite", "deaf", "again"]);
    plant(&supervisor, "signal");
    supervisor.signal(libc::SIGUSR2);
    assert_eq!(supervisor.wait_exit(), 70);
    supervisor
        .stdout
        .wait_for("internal error: the event loop has panicked");
}

#[test]
fn after_a_panic_of_its_writer_the_log_goes_on() {
    let talks = r#"{ name: "talks", when: { source: "SIGHUP" }, exec: ["sh", "-c", "echo I say so; echo said >>$FACTS"] }"#;
    let Some(start) = world(talks) else { return };
    let mut supervisor = start.ready();
    for _ in 0..3 {
        plant(&supervisor, "log");
        supervisor.signal(libc::SIGUSR1);
        wait_for_bug(&supervisor, "the writer of the log has panicked");
        supervisor.signal(libc::SIGHUP);
        supervisor.facts.expect(&["said"]);
        supervisor.stdout.wait_for("I say so");
    }
    assert_bugs(supervisor, 3);
}

#[test]
fn a_reload_that_panics_is_refused_and_the_next_one_is_not() {
    let Some(start) = world(HUP) else { return };
    let mut supervisor = start.ready();
    plant(&supervisor, "reload");
    let refused = supervisor.http("POST", "/v3/reload", "");
    assert_eq!(refused.status, 422, "{refused:?}");
    assert!(refused.body.contains("internal error"), "{refused:?}");
    supervisor.stdout.wait_for("internal error");
    assert_eq!(supervisor.http("POST", "/v3/reload", "").status, 200);
    supervisor.signal(libc::SIGHUP);
    supervisor.facts.expect(&["hup"]);
    assert_bugs(supervisor, 1);
}

#[test]
fn a_server_that_panics_on_its_way_out_has_left_its_place() {
    let Some(start) = world(HUP) else { return };
    let (one, other) = (free_address(), free_address());
    let listens = |address| format!("telemetry: {{ interfaces: ['static:{address}'] }}");
    let mut supervisor = start.setting(&listens(one)).ready();
    for (from, to) in [(one, other), (other, one), (one, other)] {
        plant(&supervisor, "retire");
        supervisor.change_config(&listens(from), &listens(to));
        assert_eq!(supervisor.http("POST", "/v3/reload", "").status, 200);
        wait_for_bug(&supervisor, "a server on its way out has panicked");
        assert_eq!(scrape(to).status, 200);
    }
    supervisor.signal(libc::SIGHUP);
    supervisor.facts.expect(&["hup"]);
    assert_bugs(supervisor, 3);
}

#[test]
fn a_request_that_panics_is_answered_with_500_and_the_next_one_as_ever() {
    let Some(start) = world(HUP) else { return };
    let address = free_address();
    let start = start.setting(&format!(
        "telemetry: {{ interfaces: ['static:{address}'] }}"
    ));
    let supervisor = start.ready();
    for _ in 0..3 {
        plant(&supervisor, "control");
        assert_eq!(supervisor.http("GET", "/v3/ping", "").status, 500);
        assert_eq!(supervisor.http("GET", "/v3/ping", "").status, 200);
        wait_for_bug(&supervisor, "control: a request has panicked");
        plant(&supervisor, "telemetry");
        assert_eq!(scrape(address).status, 500);
        assert_eq!(scrape(address).status, 200);
        wait_for_bug(&supervisor, "telemetry: a request has panicked");
    }
    assert_bugs(supervisor, 6);
}

fn scrape(address: Ipv4Addr) -> Response {
    let mut stream = TcpStream::connect((address, 9090)).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.write_all(b"GET /metrics HTTP/1.0\r\n\r\n").unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).unwrap();
    Response::parse(&answer)
}

#[test]
fn a_socket_that_goes_comes_back_although_who_looks_after_it_panics() {
    let Some(start) = world(HUP) else { return };
    let supervisor = start.ready();
    plant(&supervisor, "socket");
    fs::remove_file(supervisor.socket()).unwrap();
    supervisor.stdout.wait_for("was gone; it is there again");
    assert_eq!(supervisor.http("GET", "/v3/ping", "").status, 200);
    supervisor
        .stderr
        .wait_for("containerpilot: internal error: src/bug.rs:");
    assert_bugs(supervisor, 1);
}

#[test]
fn a_start_that_panics_has_failed_and_the_next_one_works() {
    let Some(start) = world(HUP) else { return };
    let mut supervisor = start.ready();
    plant(&supervisor, "exec");
    supervisor.signal(libc::SIGHUP);
    supervisor
        .stdout
        .wait_for("hup could not be started: internal error");
    supervisor.signal(libc::SIGHUP);
    supervisor.facts.expect(&["hup"]);
    assert_bugs(supervisor, 1);
}

#[test]
fn a_check_that_panics_has_failed_and_the_next_one_passes() {
    let checked = r#"
        { name: "checked", exec: ["sleep", "1000"], health: { unix: "@DIR@/socket", interval: "100ms", ttl: 5 } },
        { name: "sick", when: { source: "checked", each: "unhealthy" }, exec: ["sh", "-c", "echo sick >>$FACTS"] },
        { name: "well", when: { source: "checked", each: "healthy" }, exec: ["sh", "-c", "echo well >>$FACTS"] },
    "#;
    let Some(start) = world(checked) else { return };
    let mut supervisor = start.ready();
    supervisor.facts.expect(&["well"]);
    for _ in 0..3 {
        plant(&supervisor, "check");
        supervisor.facts.until("sick");
        wait_for_bug(&supervisor, "the check panicked");
        supervisor.facts.until("well");
    }
    assert_bugs(supervisor, 3);
}

#[test]
fn output_is_not_lost_when_who_reads_it_panics() {
    let talks = r#"{ name: "talks", when: { source: "SIGHUP" }, exec: ["sh", "-c", "echo I say so; echo said >>$FACTS"] }"#;
    let Some(start) = world(talks) else { return };
    let mut supervisor = start.ready();
    for _ in 0..3 {
        plant(&supervisor, "output");
        supervisor.signal(libc::SIGHUP);
        wait_for_bug(&supervisor, "who reads the output of jobs has panicked");
        supervisor.stdout.wait_to_have("I say so");
        supervisor.facts.expect(&["said"]);
    }
    let said = |line: &&String| line.contains("I say so");
    supervisor.signal(libc::SIGHUP);
    supervisor.facts.expect(&["said"]);
    assert_eq!(supervisor.terminate(), 0);
    supervisor.stdout.wait_for_end();
    assert_eq!(supervisor.stdout.all().iter().filter(said).count(), 4);
}

#[test]
fn watches_and_registrations_go_on_after_a_panic() {
    let registered = r#"
        { name: "web", port: 80, interfaces: ["static:192.0.2.1"], exec: ["sleep", "1000"], health: { exec: "true", interval: 1, ttl: 5 } },
        { name: "none", when: { source: "watch.upstream", once: "unhealthy" }, exec: ["sh", "-c", "echo none >>$FACTS"] },
    "#;
    let Some(start) = world(registered) else {
        return;
    };
    let consul = Fake::start(Mood::Well);
    for place in ["watch", "services"] {
        start.directory().write(&format!("bugs/{place}"), "");
    }
    let start = start
        .setting(&format!("consul: '{}'", consul.http()))
        .setting("watches: [{ name: 'upstream', interval: 1 }]");
    let mut supervisor = start.ready();
    consul.wait_for("PUT /v1/agent/service/register");
    supervisor.facts.expect(&["none"]);
    supervisor
        .stdout
        .wait_to_have("internal error: watch \"upstream\" has panicked");
    supervisor
        .stdout
        .wait_to_have("internal error: who registers services has panicked");
    assert_bugs(supervisor, 2);
}
