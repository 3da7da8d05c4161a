//! The control plane page of the manual: every endpoint, and every way in which
//! a request can fail, with status, headers and exact body.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test that cannot set up its world must fail loudly"
)]

mod support;

use std::fs;
use std::io::Write as _;
use std::os::unix::fs::{FileTypeExt as _, PermissionsExt as _};
use std::os::unix::net::UnixListener;

use support::command::command;
use support::http::{self, Response};
use support::{Supervisor, jobs, run};

/// A job that never ends by itself, and one that tells some variables each time
/// the supervisor gets SIGHUP.
const WORLD: &str = r#"
    { name: "app", exec: ["sleep", "1000"] },
    { name: "tell", when: { source: "SIGHUP" },
      exec: ["sh", "-c", 'echo "A=${A-unset} B=${B-unset} C=${C-unset}" >>$FACTS'] },
"#;

/// What a newly started job sees of the variables A, B and C.
#[track_caller]
fn variables(supervisor: &mut Supervisor) -> String {
    supervisor.signal(libc::SIGHUP);
    supervisor.facts.next()
}

/// Fails unless the answer is 200 without a body.
#[track_caller]
fn assert_done(response: &Response) {
    assert_eq!(response.status, 200, "{response:?}");
    assert_eq!(response.body, "");
    assert_eq!(response.header("content-length"), Some("0"));
}

/// Fails unless the answer has this status and one line that contains `reason`.
#[track_caller]
fn assert_refused(response: &Response, status: u16, reason: &str) {
    assert_eq!(response.status, status, "{response:?}");
    assert!(
        response.body.contains(reason),
        "{reason:?} expected: {response:?}"
    );
    assert_eq!(response.body.trim_end().lines().count(), 1, "{response:?}");
    let length = response.body.len().to_string();
    assert_eq!(response.header("content-length"), Some(length.as_str()));
}

#[test]
fn ping_answers_ok() {
    let supervisor = jobs(WORLD).ready();
    let response = supervisor.http("GET", "/v3/ping", "");
    assert_eq!(response.status, 200);
    assert_eq!(response.body, "ok");
    assert_eq!(response.header("content-length"), Some("2"));
    assert_eq!(supervisor.http("HEAD", "/v3/ping", "").body, "");
}

#[test]
fn env_sets_and_unsets_variables_of_future_processes_under_both_names() {
    let mut supervisor = jobs(WORLD).env("C", "from outside").ready();
    assert_eq!(variables(&mut supervisor), "A=unset B=unset C=from outside");
    let set = r#"{"A": "1=2", "B": "two", "C": ""}"#;
    assert_done(&supervisor.http("POST", "/v3/env", set));
    assert_eq!(variables(&mut supervisor), "A=1=2 B=two C=unset");
    let unset = r#"{"A": "again", "B": null, "C": "from inside"}"#;
    assert_done(&supervisor.http("POST", "/v3/environ", unset));
    assert_eq!(variables(&mut supervisor), "A=again B=unset C=from inside");
}

#[test]
fn env_takes_numbers_and_booleans_as_text() {
    let mut supervisor = jobs(WORLD).ready();
    let body = r#"{"A": 8000, "B": true, "C": 1.5}"#;
    assert_done(&supervisor.http("POST", "/v3/env", body));
    assert_eq!(variables(&mut supervisor), "A=8000 B=true C=1.5");
}

#[test]
fn env_reaches_health_checks_too() {
    let mut supervisor = jobs(
        r#"{ name: "app", exec: ["sleep", "1000"], health: {
        exec: ["sh", "-c", '[ "${A-}" = go ] && echo seen >>$FACTS'], interval: 1, ttl: 5 } }"#,
    )
    .ready();
    assert_done(&supervisor.http("POST", "/v3/env", r#"{"A": "go"}"#));
    supervisor.facts.expect(&["seen"]);
}

#[test]
fn env_refuses_what_is_no_name_of_a_variable_and_applies_nothing() {
    let mut supervisor = jobs(WORLD).ready();
    for key in ["", "1A", "A-B", "A B", "A=B", "Ä", "A\\u0000"] {
        let body = format!(r#"{{"A": "x", "{key}": "y", "B": "z"}}"#);
        for path in ["/v3/env", "/v3/environ"] {
            let response = supervisor.http("POST", path, &body);
            assert_refused(&response, 400, "environment variable");
        }
    }
    let nul = r#"{"A": "x", "B": "a\u0000b"}"#;
    assert_refused(&supervisor.http("POST", "/v3/env", nul), 400, "NUL");
    assert_eq!(variables(&mut supervisor), "A=unset B=unset C=unset");
}

#[test]
fn env_refuses_what_is_no_object_of_plain_values_and_applies_nothing() {
    let mut supervisor = jobs(WORLD).ready();
    let bodies = [
        "",
        "{",
        "{]",
        "not json",
        "[]",
        "\"A\"",
        "1",
        "null",
        r#"{"A": ["x"]}"#,
        r#"{"B": "y", "A": {"x": 1}}"#,
        r#"{"A": "x"} {"#,
        "A=x",
    ];
    for body in bodies {
        for path in ["/v3/env", "/v3/environ"] {
            let response = supervisor.http("POST", path, body);
            assert_refused(&response, 422, "");
            assert!(!response.body.is_empty());
        }
    }
    assert_eq!(variables(&mut supervisor), "A=unset B=unset C=unset");
}

#[test]
fn metric_refuses_what_is_not_configured_and_what_is_no_object() {
    let supervisor = jobs(WORLD).ready();
    let response = supervisor.http("POST", "/v3/metric", r#"{"one": 1, "two": 2}"#);
    assert_refused(&response, 400, "one");
    assert!(
        response.body.contains("two"),
        "every unknown metric is named: {response:?}"
    );
    for body in ["", "{", "[1]", "3"] {
        assert_refused(&supervisor.http("POST", "/v3/metric", body), 422, "");
    }
}

#[test]
fn maintenance_tells_whether_the_request_changed_anything() {
    let mut supervisor = jobs(
        r#"{ name: "app", exec: ["sleep", "1000"] },
           { name: "in", exec: ["sh", "-c", "echo in >>$FACTS"], when: { each: "enterMaintenance" } },
           { name: "out", exec: ["sh", "-c", "echo out >>$FACTS"], when: { each: "exitMaintenance" } }"#,
    )
    .ready();
    let changed = "{\n  \"updated\": true\n}\n".trim_end();
    let unchanged = "{\n  \"updated\": false\n}";
    let steps = [
        ("disable", unchanged),
        ("enable", changed),
        ("enable", unchanged),
        ("disable", changed),
        ("disable", unchanged),
    ];
    for (word, body) in steps {
        let response = supervisor.http("POST", &format!("/v3/maintenance/{word}"), "");
        assert_eq!(response.status, 200);
        assert_eq!(response.body, body, "{word}");
        assert_eq!(response.header("content-type"), Some("application/json"));
        if body == changed {
            assert_eq!(response.header("content-length"), Some("21"));
        }
    }
    supervisor.facts.expect_set(&["in", "out"]);
}

#[test]
fn the_control_plane_answers_in_maintenance() {
    let mut supervisor = jobs(WORLD).ready();
    supervisor.http("POST", "/v3/maintenance/enable", "");
    assert_eq!(supervisor.http("GET", "/v3/ping", "").body, "ok");
    assert_done(&supervisor.http("POST", "/v3/env", r#"{"A": "x"}"#));
    assert_eq!(variables(&mut supervisor), "A=x B=unset C=unset");
    assert_eq!(supervisor.terminate(), 0);
}

#[test]
fn the_control_plane_answers_until_the_end_of_shutdown() {
    let mut supervisor = jobs(
        r#"{ name: "slow", exec: ["sh", "-c",
             "trap 'echo asked >>$FACTS; read go <$GATE; exit 0' TERM; sleep 1000 & echo up >>$FACTS; wait"] }"#,
    )
    .setting("stopTimeout: 60")
    .start();
    supervisor.facts.expect(&["up"]);
    supervisor.signal(libc::SIGTERM);
    supervisor.facts.expect(&["asked"]);
    assert_eq!(supervisor.http("GET", "/v3/ping", "").body, "ok");
    supervisor.gate.release();
    assert_eq!(supervisor.wait_exit(), 0);
}

#[test]
fn a_wrong_method_is_405_and_says_which_is_allowed() {
    let supervisor = jobs(WORLD).ready();
    let posts = [
        "/v3/env",
        "/v3/environ",
        "/v3/metric",
        "/v3/reload",
        "/v3/maintenance/enable",
        "/v3/maintenance/disable",
    ];
    for path in posts {
        for method in ["GET", "PUT", "DELETE", "PATCH"] {
            let response = supervisor.http(method, path, "");
            assert_refused(&response, 405, "is asked with POST");
            assert_eq!(response.header("allow"), Some("POST"), "{method} {path}");
        }
    }
    for method in ["POST", "PUT", "DELETE"] {
        let response = supervisor.http(method, "/v3/ping", "");
        assert_eq!(response.status, 405);
        assert!(response.header("allow").unwrap().contains("GET"));
    }
}

#[test]
fn an_unknown_path_is_404() {
    let supervisor = jobs(WORLD).ready();
    for path in [
        "/",
        "/v3",
        "/v3/",
        "/v3/pin",
        "/v3/ping/",
        "/v4/ping",
        "/ping",
        "/v3/maintenance",
        "/v3/maintenance/on",
    ] {
        assert_refused(&supervisor.http("GET", path, ""), 404, path);
        assert_refused(&supervisor.http("POST", path, "{}"), 404, path);
    }
}

#[test]
fn a_body_over_1_mib_is_413_and_one_of_1_mib_is_not() {
    let mut supervisor = jobs(WORLD).ready();
    let body = |length: usize| format!("{{\"A\": \"x\"{}}}", " ".repeat(length - 10));
    assert_eq!(body(100).len(), 100);
    assert_done(&supervisor.http("POST", "/v3/env", &body(1024 * 1024)));
    assert_eq!(variables(&mut supervisor), "A=x B=unset C=unset");
    // The server may stop reading; what it says must arrive all the same.
    let request = format!(
        "POST /v3/env HTTP/1.1\r\nHost: x\r\nContent-Length: {}\r\n\r\n",
        1024 * 1024 + 1
    );
    let answer = http::raw(supervisor.socket(), request.as_bytes());
    assert_eq!(Response::parse(&answer).status, 413);
}

#[test]
fn the_curl_lines_of_the_manual_work_as_printed() {
    let mut supervisor = jobs(WORLD).ready();
    let curl = |line: &str| {
        let socket = supervisor.socket().to_str().unwrap();
        let line = line.replace("/var/containerpilot.sock", socket);
        let line = format!("{line} -sS -w '%{{http_code}}'");
        run(command("sh").args(["-c", &line])).success().join("\n")
    };
    let env = r#"curl -XPOST \
        -d '{"A": "value1", "B": "value2", "C": ""}' \
        --unix-socket /var/containerpilot.sock \
        http:/v3/env"#;
    assert_eq!(curl(env), "200");
    assert_eq!(curl(&env.replace("v3/env", "v3/environ")), "200");
    let metric = r#"curl -XPOST \
        -d '{"my_counter_metric": 2, "my_gauge_metric": 42.42}' \
        --unix-socket /var/containerpilot.sock \
        http:/v3/metric"#;
    assert!(
        curl(metric).ends_with("400"),
        "no such metric is configured"
    );
    let maintenance = r"curl -XPOST \
        --unix-socket /var/containerpilot.sock \
        http:/v3/maintenance/enable";
    assert_eq!(curl(maintenance), "{\n  \"updated\": true\n}200");
    let ping = r"curl --unix-socket /var/containerpilot.sock \
        http:/v3/ping";
    assert_eq!(curl(ping), "ok200");
    assert_eq!(variables(&mut supervisor), "A=value1 B=value2 C=unset");
    let reload = r"curl -XPOST \
        --unix-socket /var/containerpilot.sock \
        http:/v3/reload";
    let socket = supervisor.socket().to_str().unwrap().to_owned();
    let reload = reload.replace("/var/containerpilot.sock", &socket);
    let reload = format!("{reload} -sS -w '%{{http_code}}'");
    assert_eq!(run(command("sh").args(["-c", &reload])).success(), ["200"]);
}

#[test]
fn the_manuals_curl_line_for_metrics_posts_them_to_environ_as_variables() {
    let supervisor = jobs(
        r#"{ name: "tell", when: { source: "SIGHUP" },
             exec: ["sh", "-c", 'echo "$my_counter_metric $my_gauge_metric" >>$FACTS'] }"#,
    );
    let mut supervisor = supervisor.ready();
    let body = r#"{"my_counter_metric": 2, "my_gauge_metric": 42.42}"#;
    let outcome = supervisor.curl(&["-XPOST", "-d", body, "http:/v3/environ"]);
    assert_eq!(outcome.success(), Vec::<String>::new());
    supervisor.signal(libc::SIGHUP);
    supervisor.facts.expect(&["2 42.42"]);
}

#[test]
fn the_socket_is_private_in_a_directory_made_for_it_and_gone_at_the_end() {
    let mut supervisor = jobs(WORLD).socket("deep/er/socket").ready();
    let metadata = fs::metadata(supervisor.socket()).unwrap();
    assert!(metadata.file_type().is_socket());
    assert_eq!(metadata.permissions().mode() & 0o777, 0o600);
    assert_eq!(supervisor.terminate(), 0);
    assert!(!supervisor.socket().exists());
}

#[test]
fn a_socket_that_nobody_listens_on_is_replaced() {
    let start = jobs(WORLD);
    drop(UnixListener::bind(start.directory().join("socket")).unwrap());
    let mut supervisor = start.start();
    supervisor.wait_until_ready();
}

#[test]
fn a_socket_that_another_supervisor_listens_on_is_never_stolen() {
    let first = jobs(WORLD).ready();
    let socket = first.socket().to_str().unwrap();
    let mut second = jobs(r#"{ name: "never", exec: ["sh", "-c", "echo started >>$FACTS"] }"#)
        .socket(socket)
        .start();
    assert_eq!(second.wait_exit(), 1);
    let expected = format!("another containerpilot is listening on {socket}");
    second.stderr.wait_for(&expected);
    assert_eq!(second.facts.rest(), Vec::<String>::new());
    assert_eq!(first.http("GET", "/v3/ping", "").body, "ok");
}

#[test]
fn a_socket_that_cannot_be_made_is_told_and_nothing_is_started() {
    let mut supervisor = jobs(r#"{ name: "never", exec: ["sh", "-c", "echo started >>$FACTS"] }"#)
        .socket("/proc/no/such/socket")
        .start();
    assert_eq!(supervisor.wait_exit(), 1);
    supervisor.stderr.wait_for("/proc/no");
    assert_eq!(supervisor.facts.rest(), Vec::<String>::new());
}

#[test]
fn a_file_that_is_no_socket_is_not_touched() {
    let start = jobs(WORLD);
    let path = start.directory().write("socket", "precious");
    let mut supervisor = start.start();
    assert_eq!(supervisor.wait_exit(), 1);
    supervisor.stderr.wait_for(path.to_str().unwrap());
    assert_eq!(fs::read_to_string(path).unwrap(), "precious");
}

#[test]
fn silent_and_half_requests_keep_nobody_waiting() {
    let mut supervisor = jobs(WORLD).ready();
    let mut strangers = Vec::new();
    for part in [
        "",
        "G",
        "GET /v3/ping HTTP/1.1\r\nHo",
        "POST /v3/env HTTP/1.1\r\nContent-Length: 9\r\n\r\n{",
    ] {
        let mut stranger = http::connect(supervisor.socket());
        stranger.write_all(part.as_bytes()).unwrap();
        strangers.push(stranger);
        assert_eq!(supervisor.http("GET", "/v3/ping", "").body, "ok");
    }
    assert_eq!(supervisor.terminate(), 0);
}
