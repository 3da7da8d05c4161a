//! With a Consul that is away, slow or insane, everything else keeps its times.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test that cannot set up its world must fail loudly"
)]

mod support;

use std::time::{Duration, Instant};

use support::consul::nobody;
use support::fake_consul::{Fake, Mood};
use support::processes::status_field;
use support::{SOON, Supervisor, jobs};

/// Three services, a watch, and a job that ticks ten times a second.
fn world(address: &str) -> Supervisor {
    let service = |name: &str| {
        format!(
            r#"{{ name: "{name}", exec: "sleep 1000", port: 80, interfaces: "static:10.1.2.3",
                initial_status: "passing", health: {{ exec: "true", interval: 1, ttl: 60 }} }}"#
        )
    };
    let tick = r#"{ name: "tick", exec: ["sh", "-c", "echo tick >>$FACTS"], when: { interval: "100ms" } }"#;
    let services = ["one", "two", "three"].map(service).join(",\n");
    jobs(&format!("{services},\n{tick}"))
        .setting(&format!("consul: \"{address}\""))
        .setting(r#"watches: [{ name: "db", interval: 1 }]"#)
        .setting("stopTimeout: 8")
        .ready()
}

/// The supervisor does what it is there for, in time.
#[track_caller]
fn assert_lively(supervisor: &mut Supervisor) {
    supervisor.facts.rest();
    let start = Instant::now();
    for _ in 0..20 {
        supervisor.facts.expect(&["tick"]);
    }
    let took = start.elapsed();
    assert!(took < 2 * SOON, "20 ticks took {took:?}");
    for path in ["enable", "disable"] {
        let start = Instant::now();
        let answer = supervisor.http("POST", &format!("/v3/maintenance/{path}"), "");
        assert_eq!(answer.status, 200);
        let took = start.elapsed();
        assert!(took < SOON, "{path} took {took:?}");
    }
}

/// Shutdown waits a quarter of its eight seconds for Consul at most; the jobs
/// end at once.
#[track_caller]
fn assert_ends(supervisor: &mut Supervisor, within: Duration) {
    let start = Instant::now();
    assert_eq!(supervisor.terminate(), 0);
    let took = start.elapsed();
    assert!(took < within, "shutdown took {took:?}");
}

/// The lines that say that Consul is away or refuses, and which service or watch.
fn complaints(supervisor: &Supervisor) -> Vec<String> {
    let lines = supervisor.stdout.all();
    let complaints = lines.into_iter().filter(|line| line.contains("consul"));
    complaints.collect()
}

fn suffer(mood: Mood) -> Vec<String> {
    let fake = Fake::start(mood);
    let mut supervisor = world(&fake.http());
    fake.wait_for("register");
    assert_lively(&mut supervisor);
    assert_ends(&mut supervisor, Duration::from_secs(2) + SOON);
    complaints(&supervisor)
}

#[test]
fn silent() {
    let lines = suffer(Mood::Silent);
    assert!(lines.len() <= 1, "{lines:#?}");
}

#[test]
fn resetting() {
    assert_eq!(suffer(Mood::Reset).len(), 1);
}

#[test]
fn speaking_something_else() {
    assert_eq!(suffer(Mood::Garbage).len(), 1);
}

#[test]
fn answering_by_halves() {
    let lines = suffer(Mood::Half);
    // The watch, which wants the other half, ends first at shutdown; half an
    // answer is enough to deregister.
    assert!((1..=2).contains(&lines.len()), "{lines:#?}");
}

#[test]
fn refusing() {
    for status in [301, 403, 429, 500] {
        let lines = suffer(Mood::Status(status));
        // One for the watch, and for each service one about registering and one
        // about deregistering.
        assert!((4..=7).contains(&lines.len()), "{status}: {lines:#?}");
    }
}

#[test]
fn absent() {
    let mut supervisor = world(&nobody().to_string());
    supervisor.stdout.wait_for("cannot reach consul");
    assert_lively(&mut supervisor);
    assert_ends(&mut supervisor, SOON);
    let lines = complaints(&supervisor);
    assert_eq!(lines.len(), 1, "{lines:#?}");
}

#[test]
fn flooding_fills_no_memory() {
    for mood in [Mood::Endless, Mood::Blank] {
        let fake = Fake::start(mood);
        let mut supervisor = world(&fake.http());
        let pid = supervisor.pid();
        let before = status_field(pid, "VmRSS");
        for _ in 0..8 {
            fake.taken();
        }
        let most = status_field(pid, "VmHWM");
        eprintln!("{mood:?}: {before} KiB before, at most {most} KiB");
        assert!(most < before + 6 * 1024, "{before} grew to {most} KiB");
        assert_lively(&mut supervisor);
        assert_ends(&mut supervisor, Duration::from_secs(2) + SOON);
    }
}

#[test]
fn recovering_brings_everything_back() {
    let fake = Fake::start(Mood::Silent);
    let mut supervisor = world(&fake.http());
    supervisor.stdout.wait_for("cannot reach consul");
    fake.set(Mood::Well);
    let start = Instant::now();
    supervisor.stdout.wait_for("can be reached again");
    for _ in 0..3 {
        supervisor.stdout.wait_for("registered service");
    }
    let took = start.elapsed();
    assert!(
        took < Duration::from_secs(15) + SOON,
        "recovered after {took:?}"
    );
    assert_ends(&mut supervisor, SOON);
}
