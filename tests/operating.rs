//! The operating page of the manual: what clients are told is the truth when
//! they are told, and everybody is told something.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test that cannot set up its world must fail loudly"
)]

mod support;

use std::fs;
use std::io::Write as _;
use std::os::unix::net::UnixStream;
use std::thread;
use std::time::Instant;

use serde_json::Value;
use support::command::command;
use support::{Outcome, Supervisor, binary, deadline, jobs, processes, run};

/// An application that tells its pid, and when it is told to stop; then it waits
/// for a line from the gate if `gate` says so.
fn app(gate: bool) -> String {
    let stop = if gate { "read line <$GATE; " } else { "" };
    format!(
        r#"{{ name: "app", restarts: "unlimited", exec: ["sh", "-c", '\
            trap "echo stopping >>$FACTS; {stop}exit 0" TERM; \
            echo pid $$ >>$FACTS; \
            while :; do sleep 1000 & wait; done'] }},
        {{ name: "other", exec: ["sleep", "1000"] }},"#
    )
}

fn pid(fact: &str) -> i32 {
    fact.strip_prefix("pid ").unwrap().parse().unwrap()
}

/// Lets one process that waits for the gate go on.
fn open_gate(supervisor: &Supervisor) {
    let mut gate = fs::File::options();
    let gate = gate.write(true).open(supervisor.directory().join("gate"));
    gate.unwrap().write_all(b"\n").unwrap();
}

/// The only job in an answer.
#[track_caller]
fn job(outcome: &Outcome) -> Value {
    assert_eq!(outcome.code, 0, "{outcome}");
    let answer: Value = serde_json::from_str(&outcome.stdout.join("\n")).unwrap();
    let jobs = answer["jobs"].as_array().unwrap();
    assert_eq!(jobs.len(), 1, "{outcome}");
    jobs[0].clone()
}

#[track_caller]
fn state(supervisor: &Supervisor, name: &str) -> String {
    let job = job(&supervisor.client(&["-status", name, "-json"]));
    job["state"].as_str().unwrap().to_owned()
}

/// Fails unless the client failed with one line that ends so.
#[track_caller]
fn assert_refused(outcome: &Outcome, end: &str) {
    assert_eq!(outcome.code, 1, "{outcome}");
    assert!(outcome.error_line().ends_with(end), "{end:?}: {outcome}");
}

#[test]
fn a_job_is_gone_when_its_stop_is_answered_and_its_post_stop_jobs_run() {
    let hook = r#"{ name: "post", when: { source: "app", once: "stopped" },
        exec: ["sh", "-c", "echo post >>$FACTS"] },"#;
    let mut supervisor = jobs(&(app(false) + hook)).ready();
    let first = pid(&supervisor.facts.next());
    let stopped = job(&supervisor.client(&["-stop", "app", "-json"]));
    assert!(!processes::is_alive(first));
    assert_eq!(stopped["state"], "stopped");
    assert_eq!(stopped["pid"], Value::Null);
    assert_eq!(stopped["lastExit"]["cause"], "stop");
    assert_eq!(supervisor.facts.next(), "stopping");
    assert_eq!(supervisor.facts.next(), "post");
    let started = job(&supervisor.client(&["-start", "app", "-json"]));
    assert_eq!(started["state"], "running");
    assert_eq!(started["runs"], 2);
    let second = pid(&supervisor.facts.next());
    assert_eq!(started["pid"], second);
    let restarted = job(&supervisor.client(&["-restart", "app", "-json"]));
    assert!(!processes::is_alive(second));
    assert_eq!(restarted["state"], "running");
    assert_eq!(supervisor.facts.next(), "stopping");
    // The hook and the new run are started side by side.
    let mut facts = [supervisor.facts.next(), supervisor.facts.next()];
    facts.sort();
    assert_eq!(restarted["pid"], pid(&facts[0]));
    assert_eq!(facts[1], "post", "the hook runs each time");
}

#[test]
fn a_stopped_job_keeps_the_supervisor_up_and_a_reload_alone_does_not_start_it() {
    let mut supervisor = jobs(&app(false).replace("1000\"", "0\"")).ready();
    supervisor.facts.next();
    assert_eq!(supervisor.client(&["-stop", "app"]).code, 0);
    supervisor.facts.next();
    assert_eq!(supervisor.client(&["-reload"]).code, 0);
    assert_eq!(state(&supervisor, "app"), "stopped");
    supervisor.change_config("restarts: \"unlimited\"", "restarts: 5");
    assert_eq!(supervisor.client(&["-reload"]).code, 0);
    pid(&supervisor.facts.next());
    // What it prints may be read before the supervisor knows that it runs.
    assert_eq!(supervisor.client(&["-wait", "app=running"]).code, 0);
}

#[test]
fn what_was_done_before_a_failure_is_told() {
    let supervisor = jobs(
        r#"{ name: "app", exec: ["sleep", "1000"] },
           { name: "other", exec: ["sleep", "1000"] },"#,
    )
    .ready();
    for flag in ["-start", "-restart", "-stop"] {
        let arguments = ["-json", flag, "app", flag, "other", flag, "nosuch"];
        let outcome = supervisor.client(&arguments);
        assert_eq!(outcome.code, 1, "{outcome}");
        assert_eq!(outcome.stdout.len(), 2, "{outcome}");
        for (line, name) in outcome.stdout.iter().zip(["app", "other"]) {
            assert!(line.contains(&format!("\"name\":\"{name}\"")), "{outcome}");
        }
    }
}

#[test]
fn a_process_that_cannot_be_started_fails_the_client_with_the_reason() {
    let supervisor = jobs(
        r#"{ name: "app", exec: ["/no/such/program"], when: { source: "SIGHUP" } },
           { name: "other", exec: ["sleep", "1000"] },"#,
    )
    .ready();
    for flag in ["-start", "-restart"] {
        let outcome = supervisor.client(&[flag, "app"]);
        let verb = &flag[1..];
        let reason =
            format!("answered 422: cannot {verb} app: cannot execute \"/no/such/program\"");
        assert_eq!(outcome.code, 1, "{outcome}");
        assert!(outcome.error_line().contains(&reason), "{outcome}");
    }
}

#[test]
fn clients_that_contradict_each_other_are_all_answered() {
    let mut supervisor = jobs(&app(true)).ready();
    pid(&supervisor.facts.next());
    thread::scope(|scope| {
        let client = |flag: &'static str| {
            let supervisor = &supervisor;
            scope.spawn(move || supervisor.client(&[flag, "app"]))
        };
        let restart = client("-restart");
        // Pending, since the process waits for the gate.
        supervisor.stdout.wait_for("app is told to restart");
        let stop = client("-stop");
        let refused = restart.join().unwrap();
        assert_refused(
            &refused,
            "409: cannot restart app: it was told to stop meanwhile",
        );
        open_gate(&supervisor);
        assert_eq!(stop.join().unwrap().code, 0);
    });
    assert_eq!(state(&supervisor, "app"), "stopped");
}

#[test]
fn many_clients_and_reloads_at_once_leave_one_process_and_nobody_without_an_answer() {
    let supervisor = jobs(&app(false)).ready();
    thread::scope(|scope| {
        for flags in [
            ["-stop", "-start", "-restart"],
            ["-restart", "-stop", "-start"],
            ["-start", "-restart", "-stop"],
        ] {
            let supervisor = &supervisor;
            scope.spawn(move || {
                for flag in flags.repeat(4) {
                    let outcome = supervisor.client(&[flag, "app"]);
                    let is_answered = outcome.code == 0 || outcome.error_line().contains(" 409: ");
                    assert!(is_answered, "{outcome}");
                }
            });
        }
        for _ in 0..5 {
            assert_eq!(supervisor.client(&["-reload"]).code, 0);
        }
    });
    let started = job(&supervisor.client(&["-start", "app", "-json"]));
    let live: Vec<i32> = processes::children(supervisor.pid())
        .iter()
        .map(|process| process.pid)
        .collect();
    assert_eq!(live.len(), 2, "{live:?}");
    assert!(live.contains(&i32::try_from(started["pid"].as_i64().unwrap()).unwrap()));
}

#[test]
fn a_shutdown_answers_who_waits() {
    let mut supervisor = jobs(&app(true)).ready();
    pid(&supervisor.facts.next());
    thread::scope(|scope| {
        let restart = scope.spawn(|| supervisor.client(&["-restart", "app"]));
        supervisor.stdout.wait_for("app is told to restart");
        supervisor.signal(libc::SIGTERM);
        let refused = restart.join().unwrap();
        assert_refused(
            &refused,
            "409: cannot restart app: the supervisor is shutting down",
        );
    });
    open_gate(&supervisor);
    assert_eq!(supervisor.wait_exit(), 0);
}

/// The descriptors of a supervisor that has answered a request.
fn spent(supervisor: &Supervisor) -> usize {
    assert_eq!(supervisor.http("GET", "/v3/ping", "").body, "ok");
    processes::open_files(supervisor.pid())
}

#[test]
fn a_client_that_goes_away_leaves_its_wish_and_nothing_else() {
    let mut supervisor = jobs(&app(true)).setting("stopTimeout: 3600").ready();
    pid(&supervisor.facts.next());
    let before = spent(&supervisor);
    let clients: Vec<UnixStream> = (0..32)
        .map(|_| {
            let mut stream = UnixStream::connect(supervisor.socket()).unwrap();
            let request = b"POST /v3/jobs/app/stop HTTP/1.1\r\nHost: a\r\n\r\n";
            stream.write_all(request).unwrap();
            stream
        })
        .collect();
    for _ in &clients {
        supervisor.stdout.wait_for("app is told to stop");
    }
    let outcome = supervisor.client(&["-stop", "app"]);
    let end = "answered 429: 32 such requests are waiting for their end";
    assert_refused(&outcome, end);
    drop(clients);
    // Nothing tells when the last one was missed.
    let deadline = deadline();
    while supervisor
        .client(&["-stop", "app", "-timeout", "1ms"])
        .error_line()
        .contains(" 429: ")
    {
        assert!(Instant::now() < deadline, "there is no place for others");
    }
    while spent(&supervisor) > before {
        assert!(Instant::now() < deadline, "{before} {}", spent(&supervisor));
    }
    open_gate(&supervisor);
    assert_eq!(supervisor.client(&["-stop", "app"]).code, 0);
    assert_eq!(supervisor.client(&["-start", "app"]).code, 0);
}

#[test]
fn who_does_not_want_to_wait_is_told_what_the_job_is_at() {
    let mut supervisor = jobs(&app(true)).ready();
    pid(&supervisor.facts.next());
    let outcome = supervisor.client(&["-stop", "app", "-timeout", "10ms"]);
    let end = "504: cannot stop app within 10ms, and goes on trying: app is stopping";
    assert_refused(&outcome, end);
    open_gate(&supervisor);
    assert_eq!(supervisor.client(&["-stop", "app"]).code, 0);
}

#[test]
fn signals_reach_the_whole_process_group() {
    let mut supervisor = jobs(
        r#"{ name: "app", exec: ["sh", "-c", '\
            trap "echo parent >>$FACTS" USR1; \
            sh -c "$CHILD" & \
            while :; do wait; sleep 1000 & done'] },"#,
    )
    .env(
        "CHILD",
        "trap 'echo child >>$FACTS' USR1; echo ready >>$FACTS; while :; do sleep 1000 & wait; done",
    )
    .ready();
    assert_eq!(supervisor.facts.next(), "ready");
    assert_eq!(supervisor.client(&["-signal", "app=USR1"]).code, 0);
    let mut facts = [supervisor.facts.next(), supervisor.facts.next()];
    facts.sort();
    assert_eq!(facts, ["child", "parent"]);
    assert_refused(
        &supervisor.client(&["-signal", "app=USR"]),
        "400: \"USR\" is no signal, such as \"HUP\" or \"USR1\"; did you mean \"USR1\"?",
    );
    assert_refused(
        &supervisor.client(&["-signal", "ap=HUP"]),
        "did you mean \"app\"?",
    );
}

#[test]
fn health_is_an_exit_code_and_says_what_is_not_well() {
    let supervisor = jobs(
        r#"{ name: "app", exec: ["sleep", "1000"], essential: true,
             health: { exec: ["test", "-e", "@DIR@/well"], interval: 1, ttl: 5 } },
           { name: "later", exec: "true", when: { source: "SIGHUP" } },"#,
    )
    .ready();
    supervisor.stdout.wait_for("is unhealthy");
    let outcome = supervisor.client(&["-health"]);
    let unhealthy = "app is unhealthy: check exited with code 1";
    assert_eq!(
        (outcome.code, outcome.stdout),
        (1, vec![unhealthy.to_owned()])
    );
    let outcome = supervisor.client(&["-health", "later"]);
    assert_eq!(
        (outcome.code, &outcome.stdout[..]),
        (1, &["later is waiting".to_owned()][..])
    );
    supervisor.directory().write("well", "");
    supervisor.stdout.wait_for("is healthy");
    let outcome = supervisor.client(&["-health"]);
    assert_eq!(
        (outcome.code, outcome.stdout),
        (0, vec!["healthy".to_owned()])
    );
    let outcome = supervisor.client(&["-health", "app", "-json"]);
    assert_eq!(outcome.stdout, ["{\"healthy\":true,\"reasons\":[]}"]);
    assert_eq!(supervisor.http("HEAD", "/v3/health", "").status, 200);
    assert_eq!(supervisor.client(&["-maintenance", "enable"]).code, 0);
    assert_eq!(supervisor.http("GET", "/v3/health?job=app", "").status, 503);
    assert_refused(
        &supervisor.client(&["-health", "x"]),
        "404: no such job: \"x\"",
    );
}

#[test]
fn no_answer_has_a_command_an_environment_or_a_token_in_it() {
    let supervisor = jobs(
        r#"{ name: "app", exec: ["sh", "-c", "sleep 1000 # s3cret-argument"],
             health: { exec: ["sh", "-c", "exit 1 # s3cret-check"], interval: 1, ttl: 5 } },"#,
    )
    .setting("consul: { address: \"127.0.0.1:1\", token: \"s3cret-token\" }")
    .env("PASSWORD", "s3cret-variable")
    .ready();
    supervisor.stdout.wait_for("is unhealthy");
    for arguments in [
        &["-status"][..],
        &["-status", "app"],
        &["-status", "-json"],
        &["-status", "app", "-json"],
        &["-health", "-json"],
        &["-restart", "app", "-json"],
    ] {
        let outcome = supervisor.client(arguments);
        assert!(!outcome.stdout.is_empty(), "{outcome}");
        assert!(!outcome.stdout.concat().contains("s3cret"), "{outcome}");
    }
}

#[test]
fn a_refused_reload_is_told_until_the_next_one() {
    let supervisor = jobs(&app(false)).ready();
    let reload = |supervisor: &Supervisor| {
        let outcome = supervisor.client(&["-status", "-json"]);
        let answer: Value = serde_json::from_str(&outcome.stdout.join("")).unwrap();
        answer["supervisor"]["lastReload"].clone()
    };
    assert_eq!(reload(&supervisor), Value::Null);
    supervisor.change_config("restarts: \"unlimited\"", "restart: \"unlimited\"");
    assert_eq!(supervisor.client(&["-reload"]).code, 1);
    let refused = reload(&supervisor);
    assert_eq!(refused["accepted"], false);
    assert!(refused["reason"].as_str().unwrap().contains("restart"));
    supervisor.change_config("restart: \"unlimited\"", "restarts: \"unlimited\"");
    assert_eq!(supervisor.client(&["-reload"]).code, 0);
    assert_eq!(reload(&supervisor)["accepted"], true);
}

/// The status as a terminal gets it; script(1) makes one.
fn on_a_terminal(supervisor: &Supervisor, environment: &[(&str, &str)]) -> String {
    let mut shell = command("script");
    let program = binary();
    shell
        .args(["-q", "-e", "-c"])
        .arg(format!("stty cols 60; {} -status", program.display()))
        .arg("/dev/null")
        .env("CONTAINERPILOT", supervisor.config())
        .env("DIR", supervisor.directory().path())
        .envs(environment.iter().copied());
    run(&mut shell).success().join("\n")
}

#[test]
fn colours_are_for_terminals_that_want_them() {
    let long = r#"{ name: "a-job-with-a-name-that-is-longer-than-anybody-would-like-it-to-be-in-a-table-17",
        exec: ["sleep", "1000"] },"#;
    let mut supervisor = jobs(&(app(false) + long)).ready();
    supervisor.facts.next();
    let escape = '\u{1b}';
    assert!(
        on_a_terminal(&supervisor, &[("TERM", "xterm")]).contains("\u{1b}[32mrunning\u{1b}[0m")
    );
    for environment in [
        &[("TERM", "dumb")][..],
        &[("TERM", "xterm"), ("NO_COLOR", "1")],
        &[],
    ] {
        let shown = on_a_terminal(&supervisor, environment);
        assert!(!shown.contains(escape), "{environment:?}: {shown}");
        assert!(
            shown.lines().skip(4).all(|line| line.chars().count() <= 60),
            "{shown}"
        );
    }
    let outcome = supervisor.client(&["-status"]);
    assert!(
        outcome.stdout.iter().all(|line| line.len() <= 80),
        "{outcome}"
    );
    assert!(!outcome.stdout.concat().contains(escape));
    assert!(
        outcome.stdout.last().unwrap().starts_with("a-job-with-a"),
        "{outcome}"
    );
}
