//! The manual on reloading: what keeps its process, what is replaced, and that a
//! refused file changes nothing.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test that cannot set up its world must fail loudly"
)]

mod support;

use std::fs;
use std::io::Write as _;
use std::thread;
use std::time::Instant;

use support::{Supervisor, deadline, jobs, processes};

/// Two jobs that tell their pids, and a clock that fences.
const WORLD: &str = r#"
    { name: "one", exec: ["sh", "-c", "echo one $$ >>$FACTS; exec sleep 1000"] },
    { name: "two", exec: ["sh", "-c", "trap 'echo two ends >>$FACTS; exit 0' TERM; sleep 1000 & echo two $$ >>$FACTS; wait"] },
    { name: "hup", when: { source: "SIGHUP" }, exec: ["sh", "-c", "echo hup >>$FACTS"] },
"#;

/// The world, its two pids, and that it has begun.
fn world() -> (Supervisor, i32, i32) {
    let mut supervisor = jobs(WORLD).ready();
    let mut pids: Vec<String> = (0..2).map(|_| supervisor.facts.next()).collect();
    pids.sort();
    let pid = |fact: &str| fact.rsplit(' ').next().unwrap().parse().unwrap();
    let (one, two) = (pid(&pids[0]), pid(&pids[1]));
    (supervisor, one, two)
}

#[track_caller]
fn reload(supervisor: &Supervisor) {
    let response = supervisor.http("POST", "/v3/reload", "");
    assert_eq!((response.status, response.body.as_str()), (200, ""));
}

/// Fails if anything was told before the next SIGHUP is.
#[track_caller]
fn assert_nothing_happens(supervisor: &mut Supervisor) {
    supervisor.signal(libc::SIGHUP);
    supervisor.facts.expect(&["hup"]);
}

#[test]
fn an_unchanged_file_touches_nothing() {
    let (mut supervisor, one, two) = world();
    for _ in 0..3 {
        reload(&supervisor);
    }
    assert_nothing_happens(&mut supervisor);
    assert!(processes::is_alive(one) && processes::is_alive(two));
    assert_eq!(supervisor.terminate(), 0);
}

#[test]
fn only_the_job_whose_command_changed_is_replaced_and_never_runs_twice_at_a_time() {
    let (mut supervisor, one, two) = world();
    supervisor.change_config("echo two $$", "echo new two $$");
    reload(&supervisor);
    supervisor.facts.expect(&["two ends"]);
    let new = supervisor.facts.pid("new two");
    assert_ne!(new, two);
    assert!(processes::is_alive(one) && !processes::is_alive(two));
    assert_eq!(supervisor.terminate(), 0);
}

#[test]
fn a_removed_job_is_stopped_and_an_added_one_begins() {
    let (mut supervisor, one, two) = world();
    supervisor.change_config(r#"name: "two""#, r#"name: "three""#);
    supervisor.change_config("echo two", "echo three");
    reload(&supervisor);
    let mut facts = [supervisor.facts.next(), supervisor.facts.next()];
    facts.sort();
    assert!(facts[0].starts_with("three "), "{facts:?}");
    assert_eq!(facts[1], "two ends");
    // It says so right before it does.
    processes::wait_for_death(two);
    assert!(processes::is_alive(one));
}

#[test]
fn a_health_check_is_changed_without_touching_the_process() {
    let (mut supervisor, one, _) = world();
    supervisor.change_config(
        r#"name: "one","#,
        r#"name: "one", health: { exec: ["sh", "-c", "echo check >>$FACTS"], interval: 1, ttl: 5 },"#,
    );
    reload(&supervisor);
    supervisor.facts.expect(&["check"]);
    assert!(processes::is_alive(one));
    supervisor.change_config("echo check", "echo other check");
    reload(&supervisor);
    supervisor.facts.until("other check");
    assert!(processes::is_alive(one));
}

#[test]
fn a_refused_file_changes_nothing_and_every_error_is_told() {
    let (mut supervisor, one, two) = world();
    let good = fs::read_to_string(supervisor.config()).unwrap();
    let bad = [
        (good.replace("name:", "nam:"), "nam"),
        (good.replace("jobs:", "jobs:["), ":"),
        ("{{ if }}".to_owned(), "1:"),
        (String::new(), ""),
    ];
    for (text, reason) in bad {
        fs::write(supervisor.config(), &text).unwrap();
        let response = supervisor.http("POST", "/v3/reload", "");
        assert_eq!(response.status, 422, "{response:?}");
        assert!(response.body.contains(reason), "{response:?}");
    }
    fs::remove_file(supervisor.config()).unwrap();
    let response = supervisor.http("POST", "/v3/reload", "");
    assert_eq!(response.status, 422, "{response:?}");
    assert_nothing_happens(&mut supervisor);
    assert!(processes::is_alive(one) && processes::is_alive(two));
    fs::write(supervisor.config(), good).unwrap();
    reload(&supervisor);
    assert_nothing_happens(&mut supervisor);
}

#[test]
fn templates_see_what_putenv_has_changed() {
    let mut supervisor = jobs(
        r#"{ name: "app", exec: ["sh", "-c", "echo {{ .WORD | default "nothing" }} >>$FACTS; exec sleep 1000"] }"#,
    )
    .ready();
    supervisor.facts.expect(&["nothing"]);
    let response = supervisor.http("POST", "/v3/env", r#"{"WORD": "something"}"#);
    assert_eq!(response.status, 200);
    reload(&supervisor);
    supervisor.facts.expect(&["something"]);
}

#[test]
fn a_job_that_comes_late_starts_on_a_condition_that_holds_already() {
    let mut supervisor = jobs(
        r#"{ name: "setup", exec: "true" },
           { name: "app", when: { source: "setup", once: "exitSuccess" }, exec: ["sh", "-c", "echo app >>$FACTS; exec sleep 1000"] }"#,
    )
    .ready();
    supervisor.facts.expect(&["app"]);
    supervisor.change_config(
        "{ name: \"app\"",
        r#"{ name: "late", when: { source: "setup", once: "exitSuccess" }, exec: ["sh", "-c", "echo late >>$FACTS"] },
           { name: "app""#,
    );
    reload(&supervisor);
    supervisor.facts.expect(&["late"]);
}

#[test]
fn the_control_socket_moves_when_it_is_told_to() {
    let (mut supervisor, one, _) = world();
    let old = supervisor.socket().to_owned();
    let new = supervisor.directory().join("elsewhere/socket");
    supervisor.change_config(old.to_str().unwrap(), new.to_str().unwrap());
    reload(&supervisor);
    supervisor.socket_is(&new);
    supervisor.wait_until_ready();
    assert_eq!(supervisor.client(&["-ping"]).success(), ["ok"]);
    assert!(processes::is_alive(one));
    assert_eq!(supervisor.terminate(), 0);
    assert!(!old.exists() && !new.exists());
}

#[test]
fn the_log_moves_when_it_is_told_to() {
    let (mut supervisor, ..) = world();
    supervisor.change_config("jobs: [", "logging: { output: '@DIR@/log' }, jobs: [");
    let directory = supervisor.directory().path().to_str().unwrap().to_owned();
    supervisor.change_config("@DIR@", &directory);
    reload(&supervisor);
    assert_eq!(supervisor.terminate(), 0);
    let log = fs::read_to_string(supervisor.directory().join("log")).unwrap();
    assert!(log.contains("shutting down"), "{log}");
    let stdout = supervisor.stdout.wait_for_end().join("\n");
    assert!(!stdout.contains("shutting down"), "{stdout}");
}

#[test]
fn a_log_that_cannot_be_opened_is_refused() {
    let (mut supervisor, one, two) = world();
    supervisor.change_config("jobs: [", "logging: { output: '/no/such/log' }, jobs: [");
    let response = support::http::request(supervisor.socket(), "POST", "/v3/reload", "");
    assert_eq!(response.status, 422, "{response:?}");
    assert!(response.body.contains("/no/such/log"), "{response:?}");
    assert!(processes::is_alive(one) && processes::is_alive(two));
    assert_eq!(supervisor.terminate(), 0);
}

#[test]
fn many_reloads_at_once_are_all_answered() {
    let (mut supervisor, one, two) = world();
    let socket = supervisor.socket();
    std::thread::scope(|scope| {
        for _ in 0..20 {
            scope.spawn(|| {
                let response = support::http::request(socket, "POST", "/v3/reload", "");
                assert_eq!(response.status, 200, "{response:?}");
            });
        }
    });
    assert_nothing_happens(&mut supervisor);
    assert!(processes::is_alive(one) && processes::is_alive(two));
    assert_eq!(supervisor.terminate(), 0);
}

/// Whether a thread of the supervisor prepares a reload.
fn is_preparing(supervisor: &Supervisor) -> bool {
    let threads = fs::read_dir(format!("/proc/{}/task", supervisor.pid())).unwrap();
    let name = |thread: fs::DirEntry| fs::read_to_string(thread.path().join("comm"));
    let mut names = threads.map(|thread| name(thread.unwrap()).unwrap_or_default());
    names.any(|name| name.trim_end() == "reload")
}

#[test]
fn a_reload_that_sigterm_overtakes_leaves_no_socket_behind() {
    let mut supervisor = jobs(
        r#"{ name: "app", exec: ["sh", "-c", "trap 'echo told >>$FACTS; read go <$GATE; exit 0' TERM; sleep 1000 & echo up >>$FACTS; wait"] }"#,
    )
    .setting("stopTimeout: 60")
    .ready();
    supervisor.facts.expect(&["up"]);
    let (old, new) = (
        supervisor.socket().to_owned(),
        supervisor.directory().join("new"),
    );
    let text = fs::read_to_string(supervisor.config()).unwrap();
    let text = text.replace(old.to_str().unwrap(), new.to_str().unwrap());
    fs::remove_file(supervisor.config()).unwrap();
    let config = supervisor.directory().fifo("config.json5");
    let asked = old.clone();
    let answer =
        thread::spawn(move || support::http::request(&asked, "POST", "/v3/reload", "").status);
    // Opening it tells that it is being read.
    let mut to_reload = fs::File::options().write(true).open(&config).unwrap();
    // Nobody else needs it: a test that fails shows the file.
    fs::remove_file(&config).unwrap();
    fs::write(&config, &text).unwrap();
    supervisor.signal(libc::SIGTERM);
    assert_eq!(answer.join().unwrap(), 503);
    to_reload.write_all(text.as_bytes()).unwrap();
    drop(to_reload);
    supervisor.facts.expect(&["told"]);
    let deadline = deadline();
    while is_preparing(&supervisor) {
        assert!(Instant::now() < deadline, "it is still being read");
        thread::yield_now();
    }
    assert!(new.exists(), "it has been opened");
    supervisor.gate.release();
    assert_eq!(supervisor.wait_exit(), 0);
    assert!(!old.exists() && !new.exists());
}

#[test]
fn sigterm_during_a_reload_is_obeyed() {
    let (mut supervisor, ..) = world();
    supervisor.change_config("echo two $$", "echo never $$");
    // The job that is to be replaced takes its time to end.
    supervisor.change_config("trap 'echo two ends", "trap 'echo other ends");
    reload(&supervisor);
    assert_eq!(supervisor.terminate(), 0);
    supervisor.facts.expect(&["two ends"]);
}
