//! The control plane from outside: curl's own requests, exact answers, and a
//! supervisor that is a thread of the test.

#![allow(clippy::unwrap_used, clippy::panic)]

#[path = "support/control_plane.rs"]
mod control_plane;

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use containerpilot::client;
use containerpilot::config::ControlSpec;
use containerpilot::control::request::{Reload, Request};
use containerpilot::control::server::Control;
use containerpilot::control::streams::Sources;
use control_plane::{PATIENCE, Plane};

fn text(status: &str, message: &str) -> String {
    let length = message.len() + 1;
    format!(
        "HTTP/1.1 {status}\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: {length}\r\n\r\n{message}\n"
    )
}

const DONE: &str = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";

#[test]
fn answers_are_exact() {
    let plane = Plane::start();
    let get = |path: &str| plane.talk(&format!("GET {path} HTTP/1.1\r\nHost: a\r\n\r\n"));
    assert_eq!(
        get("/v3/ping"),
        "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
    );
    assert_eq!(
        plane.talk("HEAD /v3/ping HTTP/1.1\r\nHost: a\r\n\r\n"),
        "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n"
    );
    let updated = |value: &str, length: usize| {
        format!(
            "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\r\n{{\n  \"updated\": {value}\n}}"
        )
    };
    assert_eq!(
        plane.post("/v3/maintenance/enable", ""),
        updated("true", 21)
    );
    assert_eq!(
        plane.post("/v3/maintenance/enable", ""),
        updated("false", 22)
    );
    assert_eq!(
        plane.post("/v3/maintenance/disable", ""),
        updated("true", 21)
    );
    assert_eq!(
        plane.post("/v3/env", r#"{"A": "b", "B": 1, "C": null}"#),
        DONE
    );
    assert_eq!(plane.post("/v3/environ", "{}"), DONE);
    assert_eq!(plane.post("/v3/metric", r#"{"known": "1.5"}"#), DONE);
    assert_eq!(
        plane.asked(),
        [
            Request::Ping,
            Request::Ping,
            Request::Maintenance(true),
            Request::Maintenance(true),
            Request::Maintenance(false),
            Request::PutEnv(vec![
                ("A".into(), Some("b".into())),
                ("B".into(), Some("1".into())),
                ("C".into(), None)
            ]),
            Request::PutEnv(vec![]),
            Request::PutMetric(vec![("known".into(), 1.5)]),
        ]
    );
}

#[test]
fn refusals_are_exact_and_the_supervisor_is_asked_only_what_is_valid() {
    let plane = Plane::start();
    let get = |path: &str| plane.talk(&format!("GET {path} HTTP/1.1\r\nHost: a\r\n\r\n"));
    assert_eq!(
        get("/v3/nope"),
        text("404 Not Found", "no such endpoint: \"/v3/nope\"")
    );
    assert_eq!(
        get("/ping"),
        text("404 Not Found", "no such endpoint: \"/ping\"")
    );
    assert_eq!(
        plane.post("/v3/maintenance/on", ""),
        text("404 Not Found", "no such endpoint: \"/v3/maintenance/on\"")
    );
    let wrong_method = |path: &str, allow: &str| {
        let message = format!("{path} is asked with {allow}");
        let length = message.len() + 1;
        format!(
            "HTTP/1.1 405 Method Not Allowed\r\nContent-Type: text/plain; charset=utf-8\r\nAllow: {allow}\r\nContent-Length: {length}\r\n\r\n{message}\n"
        )
    };
    assert_eq!(
        plane.post("/v3/ping", ""),
        wrong_method("/v3/ping", "GET, HEAD")
    );
    for path in [
        "/v3/env",
        "/v3/metric",
        "/v3/reload",
        "/v3/maintenance/enable",
        "/v3/maintenance/disable",
    ] {
        assert_eq!(get(path), wrong_method(path, "POST"));
    }
    let bad_json = plane.post("/v3/env", "nonsense");
    assert!(
        bad_json.starts_with("HTTP/1.1 422 Unprocessable Entity\r\n"),
        "{bad_json}"
    );
    assert_eq!(
        plane.post("/v3/env", r#"{"A": "x\u0000"}"#),
        text("400 Bad Request", "the value of \"A\" contains a NUL")
    );
    assert_eq!(
        plane.post("/v3/metric", r#"{"known": "x"}"#),
        text(
            "400 Bad Request",
            "the value of \"known\" is no number: \"x\""
        )
    );
    let too_large = plane.post("/v3/env", &"x".repeat((1 << 20) + 1));
    assert!(
        too_large.starts_with("HTTP/1.1 413 Payload Too Large\r\n"),
        "{too_large}"
    );
    assert_eq!(plane.asked(), []);

    assert_eq!(
        plane.post("/v3/metric", r#"{"unknown": 1}"#),
        text("400 Bad Request", "no such metric")
    );
    assert_eq!(
        plane.post("/v3/reload", ""),
        text("422 Unprocessable Entity", "jobs[0]: bad\njobs[1]: worse")
    );
}

#[test]
fn every_answer_is_observed_with_a_known_path() {
    let plane = Plane::start();
    plane.talk("GET /v3/ping HTTP/1.1\r\nHost: a\r\n\r\nGET /ping HTTP/1.1\r\nHost: v3\r\n\r\nGET /x HTTP/1.1\r\nHost: a\r\n\r\n?\r\n");
    plane.post("/v3/environ", "[]");
    let expected = [
        ("/v3/ping", 200),
        ("/v3/ping", 200),
        ("other", 404),
        ("other", 400),
        ("/v3/env", 422),
    ];
    assert_eq!(*plane.observed.lock().unwrap(), expected);
}

/// Runs curl with these words; what it printed.
fn curl(socket: &Path, words: &[&str]) -> String {
    let output = Command::new("curl")
        .args([
            "--silent",
            "--show-error",
            "--fail",
            "--include",
            "--unix-socket",
        ])
        .arg(socket)
        .args(words)
        .output()
        .unwrap_or_else(|error| panic!("this test needs curl: {error}"));
    assert!(
        output.status.success(),
        "{words:?}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn the_manuals_curl_lines_work_as_printed() {
    let plane = Plane::start();
    let env = r#"{"ENV1": "value1", "ENV2": "value2", "ENV_TO_CLEAR": ""}"#;
    assert_eq!(
        curl(&plane.socket, &["-XPOST", "-d", env, "http:/v3/env"]),
        DONE
    );
    let metric = r#"{"my_counter_metric": 2, "my_gauge_metric": 42.42}"#;
    assert_eq!(
        curl(&plane.socket, &["-XPOST", "-d", metric, "http:/v3/environ"]),
        DONE
    );
    assert_eq!(
        curl(
            &plane.socket,
            &["-XPOST", "-d", r#"{"known": 1}"#, "http:/v3/metric"]
        ),
        DONE
    );
    assert_eq!(
        curl(&plane.socket, &["-XPOST", "http:/v3/maintenance/enable"]),
        "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 21\r\n\r\n{\n  \"updated\": true\n}"
    );
    assert_eq!(
        curl(&plane.socket, &["http:/v3/ping"]),
        "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
    );
    assert_eq!(
        curl(&plane.socket, &["http://localhost/v3/ping"]),
        "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
    );
    let some = |text: &str| Some(text.to_owned());
    assert_eq!(
        plane.asked(),
        [
            Request::PutEnv(vec![
                ("ENV1".into(), some("value1")),
                ("ENV2".into(), some("value2")),
                ("ENV_TO_CLEAR".into(), None)
            ]),
            Request::PutEnv(vec![
                ("my_counter_metric".into(), some("2")),
                ("my_gauge_metric".into(), some("42.42"))
            ]),
            Request::PutMetric(vec![("known".into(), 1.0)]),
            Request::Maintenance(true),
            Request::Ping,
            Request::Ping,
        ]
    );
}

#[test]
fn the_subcommands_client_and_the_server_understand_each_other() {
    let plane = Plane::start();
    assert_eq!(client::ping(&plane.socket).unwrap(), "ok");
    assert_eq!(
        client::maintenance(&plane.socket, true).unwrap(),
        "{\n  \"updated\": true\n}"
    );
    client::put_env(
        &plane.socket,
        [("A", Some("b=c\n\"ü\"")), ("B", None), ("C", Some(""))],
    )
    .unwrap();
    client::put_metric(&plane.socket, [("known", "1e3")]).unwrap();
    assert_eq!(
        plane.asked(),
        [
            Request::Ping,
            Request::Maintenance(true),
            Request::PutEnv(vec![
                ("A".into(), Some("b=c\n\"ü\"".into())),
                ("B".into(), None),
                ("C".into(), None)
            ]),
            Request::PutMetric(vec![("known".into(), 1000.0)]),
        ]
    );
    let error = |result: Result<(), client::Error>| {
        let text = result.unwrap_err().to_string();
        text.replace(&format!("{:?}", plane.socket), "PATH")
    };
    assert_eq!(
        error(client::reload(&plane.socket, Reload::default()).map(drop)),
        "the supervisor at PATH answered 422: jobs[0]: bad; jobs[1]: worse"
    );
    assert_eq!(
        error(client::put_env(
            &plane.socket,
            [("1", Some("x")), ("a b", None)]
        )),
        "the supervisor at PATH answered 400: \"1\" is not the name of an environment variable (letters, digits and _, no digit first); \"a b\" is not the name of an environment variable (letters, digits and _, no digit first)"
    );
    assert_eq!(
        error(client::put_metric(&plane.socket, [("known", "many")])),
        "the supervisor at PATH answered 400: the value of \"known\" is no number: \"many\""
    );
    assert_eq!(
        error(client::put_env(
            &plane.socket,
            [("A", Some("x".repeat(2 << 20).as_str()))]
        )),
        "the supervisor at PATH answered 413: the body is too large"
    );
}

#[test]
fn stopping_removes_the_socket_and_answers_what_is_in_flight() {
    let mut plane = Plane::start();
    client::ping(&plane.socket).unwrap();
    let started = Instant::now();
    plane.control.take().unwrap().stop(started + PATIENCE);
    assert!(
        started.elapsed() < Duration::from_secs(5),
        "{:?}",
        started.elapsed()
    );
    assert!(!plane.socket.exists());
    let error = client::ping(&plane.socket).unwrap_err();
    assert!(matches!(error.cause, client::Cause::NoSocket), "{error}");
}

#[test]
fn a_second_control_plane_on_the_same_socket_is_refused_and_the_first_goes_on() {
    let plane = Plane::start();
    let error = Control::start(
        &ControlSpec::at(&plane.socket),
        Sources::default(),
        |_| (),
        |_, _| (),
    )
    .unwrap_err();
    assert_eq!(
        error.to_string(),
        format!(
            "another containerpilot is listening on {}",
            plane.socket.display()
        )
    );
    assert_eq!(client::ping(&plane.socket).unwrap(), "ok");
}

#[test]
fn a_supervisor_that_has_ended_is_503() {
    let directory = std::env::temp_dir().join(format!("cp-plane-ended-{}", std::process::id()));
    let socket = directory.join("s");
    let control = Control::start(
        &ControlSpec::at(&socket),
        Sources::default(),
        drop,
        |_, _| (),
    )
    .unwrap();
    let error = client::ping(&socket).unwrap_err().to_string();
    assert!(
        error.ends_with("answered 503: the supervisor has ended"),
        "{error}"
    );
    drop(control);
    fs::remove_dir(directory).unwrap();
}
