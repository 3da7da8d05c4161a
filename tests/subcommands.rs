//! The subcommands of the control plane page: every spelling, output, exit code,
//! and the one line that tells why one failed.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test that cannot set up its world must fail loudly"
)]

mod support;

use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::thread::{self, JoinHandle};

use support::command::{Outcome, command};
use support::{NOBODY, Temporary, binary, is_root, jobs, programs, run};

const WORLD: &str = r#"
    { name: "app", exec: ["sleep", "1000"] },
    { name: "tell", when: { source: "SIGHUP" },
      exec: ["sh", "-c", 'echo "A=${A-unset} B=${B-unset}" >>$FACTS'] },
"#;

/// Every subcommand with the arguments of its shortest use.
const SUBCOMMANDS: [&[&str]; 6] = [
    &["-ping"],
    &["-reload"],
    &["-maintenance", "enable"],
    &["-maintenance=disable"],
    &["-putenv", "A=1"],
    &["-putmetric", "m=1"],
];

/// Runs the binary with `-socket PATH` in front.
#[track_caller]
fn client(socket: &Path, arguments: &[&str]) -> Outcome {
    run(command(binary()).arg("-socket").arg(socket).args(arguments))
}

/// Fails unless this is exit code 1 with one line that names the flag, the
/// socket and the reason.
#[track_caller]
fn assert_failed(outcome: &Outcome, flag: &str, socket: &Path, reason: &str) {
    assert_eq!(outcome.code, 1, "{outcome}");
    assert_eq!(outcome.stdout, Vec::<String>::new());
    let line = outcome.error_line();
    for part in [flag, socket.to_str().unwrap(), reason] {
        assert!(line.contains(part), "{part:?} expected in: {line}");
    }
}

/// Arguments, and additional environment variables.
type Use<'a> = (&'a [&'a str], &'a [(&'a str, &'a str)]);

#[test]
fn ping_prints_ok() {
    let supervisor = jobs(WORLD).ready();
    for flag in ["-ping", "--ping", "-ping=true", "--ping=true"] {
        assert_eq!(supervisor.client(&[flag]).success(), ["ok"], "{flag}");
    }
}

#[test]
fn the_socket_comes_from_the_flag_the_variable_or_the_configuration() {
    let supervisor = jobs(WORLD).ready();
    let socket = supervisor.socket().to_str().unwrap();
    let config = supervisor.config().to_str().unwrap();
    let uses: [Use<'_>; 7] = [
        (&["-socket", socket, "-ping"], &[]),
        (&["-ping", "--socket", socket], &[]),
        (&[&format!("-socket={socket}"), "-ping"], &[]),
        (&["-ping"], &[("CONTAINERPILOT_SOCKET", socket)]),
        (&["-config", config, "-ping"], &[]),
        (&[&format!("--config={config}"), "-ping"], &[]),
        (&["-ping"], &[("CONTAINERPILOT", config)]),
    ];
    for (arguments, environment) in uses {
        let mut command = command(binary());
        command.args(arguments).envs(environment.iter().copied());
        assert_eq!(
            run(&mut command).success(),
            ["ok"],
            "{arguments:?} {environment:?}"
        );
    }
}

#[test]
fn a_jobs_script_needs_no_configuration_to_be_a_client() {
    let mut supervisor = jobs(
        r#"{ name: "app", exec: ["sh", "-c", "env -u CONTAINERPILOT $BINARY -ping >>$FACTS; sleep 1000"] }"#,
    )
    .env("BINARY", binary().to_str().unwrap())
    .start();
    supervisor.facts.expect(&["ok"]);
}

#[test]
fn a_broken_job_does_not_stop_an_operator_from_pinging() {
    let supervisor = jobs(WORLD).ready();
    let text = fs::read_to_string(supervisor.config()).unwrap();
    fs::write(supervisor.config(), text.replace("exec:", "exce:")).unwrap();
    assert_eq!(supervisor.client(&["-ping"]).success(), ["ok"]);
}

#[test]
fn putenv_sets_and_clears_and_repeats() {
    let mut supervisor = jobs(WORLD).ready();
    let uses: [(&[&str], &str); 5] = [
        (
            &["-putenv", "A=x=y", "-putenv", "B=two words"],
            "A=x=y B=two words",
        ),
        (&["--putenv", "A=", "--putenv=B=2"], "A=unset B=2"),
        (&["-putenv=A=1", "-putenv", "B"], "A=1 B=unset"),
        (
            &["-putenv", "A=first", "-putenv", "A=last"],
            "A=last B=unset",
        ),
        (&["-putenv", "A"], "A=unset B=unset"),
    ];
    for (arguments, expected) in uses {
        assert_eq!(supervisor.client(arguments).success(), Vec::<String>::new());
        supervisor.signal(libc::SIGHUP);
        supervisor.facts.expect(&[expected]);
    }
}

#[test]
fn putenv_with_a_bad_name_tells_what_the_server_said() {
    let supervisor = jobs(WORLD).ready();
    let outcome = supervisor.client(&["-putenv", "1A=x"]);
    assert_failed(&outcome, "-putenv", supervisor.socket(), "400");
    assert!(outcome.error_line().contains("1A"), "{outcome}");
}

#[test]
fn putmetric_names_the_metric_that_is_not_configured() {
    let supervisor = jobs(WORLD).ready();
    for arguments in [
        &["-putmetric", "m=1"][..],
        &["--putmetric=m=1"],
        &["-putmetric", "m=1", "-putmetric", "n=2"],
    ] {
        let outcome = supervisor.client(arguments);
        assert_failed(&outcome, "-putmetric", supervisor.socket(), "400");
        assert!(outcome.error_line().contains('m'));
    }
}

#[test]
fn maintenance_is_enabled_and_disabled_in_every_spelling() {
    let mut supervisor = jobs(
        r#"{ name: "app", exec: ["sleep", "1000"] },
           { name: "in", exec: ["sh", "-c", "echo in >>$FACTS"], when: { each: "enterMaintenance" } },
           { name: "out", exec: ["sh", "-c", "echo out >>$FACTS"], when: { each: "exitMaintenance" } }"#,
    )
    .ready();
    for (enable, disable) in [
        (
            &["-maintenance", "enable"][..],
            &["-maintenance", "disable"][..],
        ),
        (&["-maintenance=enable"], &["-maintenance=disable"]),
        (&["--maintenance", "enable"], &["--maintenance=disable"]),
    ] {
        assert_eq!(supervisor.client(enable).success(), Vec::<String>::new());
        supervisor.facts.expect(&["in"]);
        assert_eq!(supervisor.client(disable).success(), Vec::<String>::new());
        supervisor.facts.expect(&["out"]);
    }
}

#[test]
fn maintenance_knows_two_words_only() {
    let supervisor = jobs(WORLD).ready();
    for word in ["on", "", "Enable", "enabled"] {
        let outcome = supervisor.client(&["-maintenance", word]);
        assert_ne!(outcome.code, 0, "{word:?}");
        let stderr = outcome.stderr.join("\n");
        assert!(
            stderr.contains("enable") && stderr.contains("disable"),
            "{outcome}"
        );
    }
    let response = supervisor.http("POST", "/v3/maintenance/disable", "");
    assert!(response.body.contains("false"), "nothing was changed");
}

#[test]
fn reload_runs_the_new_configuration() {
    let mut supervisor =
        jobs(r#"{ name: "app", exec: ["sh", "-c", "echo old >>$FACTS; sleep 1000"] }"#).start();
    supervisor.facts.expect(&["old"]);
    supervisor.wait_until_ready();
    supervisor.change_config("echo old", "echo new");
    assert_eq!(
        supervisor.client(&["-reload"]).success(),
        Vec::<String>::new()
    );
    supervisor.facts.expect(&["new"]);
    supervisor.change_config("echo new", "echo newer");
    assert_eq!(
        supervisor.client(&["--reload"]).success(),
        Vec::<String>::new()
    );
    supervisor.facts.expect(&["newer"]);
}

#[test]
fn a_refused_reload_prints_every_error_and_changes_nothing() {
    let mut supervisor =
        jobs(r#"{ name: "app", exec: ["sh", "-c", "echo up $$ >>$FACTS; sleep 1000"] }"#).start();
    let pid = supervisor.facts.pid("up");
    supervisor.wait_until_ready();
    let text = fs::read_to_string(supervisor.config()).unwrap();
    fs::write(
        supervisor.config(),
        text.replace("name:", "restarts: -1, nam:"),
    )
    .unwrap();
    let outcome = supervisor.client(&["-reload"]);
    assert_eq!(outcome.code, 1);
    let stderr = outcome.stderr.join("\n");
    for part in ["-reload", "422", "nam", "restarts"] {
        assert!(stderr.contains(part), "{part:?} expected: {outcome}");
    }
    assert_eq!(supervisor.http("GET", "/v3/ping", "").body, "ok");
    assert!(support::processes::is_alive(pid), "the job was not touched");
    assert_eq!(supervisor.facts.rest(), Vec::<String>::new());
}

#[test]
fn a_missing_socket_is_told() {
    let directory = Temporary::new();
    let socket = directory.join("nowhere");
    for arguments in SUBCOMMANDS {
        let flag = arguments[0].split('=').next().unwrap();
        assert_failed(&client(&socket, arguments), flag, &socket, "no such");
    }
}

#[test]
fn a_socket_that_nobody_listens_on_is_told() {
    let directory = Temporary::new();
    let socket = directory.join("dead");
    drop(UnixListener::bind(&socket).unwrap());
    for arguments in SUBCOMMANDS {
        let flag = arguments[0].split('=').next().unwrap();
        assert_failed(&client(&socket, arguments), flag, &socket, "nobody");
    }
}

#[test]
fn a_socket_that_may_not_be_used_is_told() {
    let supervisor = jobs(WORLD).ready();
    let socket = supervisor.socket();
    for arguments in SUBCOMMANDS {
        let flag = arguments[0].split('=').next().unwrap();
        let outcome = run(as_stranger(supervisor.directory())
            .arg("-socket")
            .arg(socket)
            .args(arguments));
        assert_failed(&outcome, flag, socket, "permission denied");
    }
}

/// The binary as somebody who may not use the socket: root becomes nobody, and
/// anybody else loses his own right.
fn as_stranger(directory: &Temporary) -> std::process::Command {
    if !is_root() {
        fs::set_permissions(directory.join("socket"), fs::Permissions::from_mode(0o000)).unwrap();
        return command(binary());
    }
    // Nobody may not look into the directory where the binary was built.
    let copy: PathBuf = directory.join("containerpilot");
    if !copy.exists() {
        programs::install(&binary(), &copy);
    }
    let mut stranger = command(NOBODY[0]);
    stranger.args(&NOBODY[1..]).arg(copy);
    stranger
}

/// Answers one request on `socket` with these bytes.
fn answer_once(socket: &Path, answer: &'static str) -> JoinHandle<String> {
    let listener = UnixListener::bind(socket).unwrap();
    thread::spawn(move || {
        let (stream, _) = listener.accept().unwrap();
        let mut reader = BufReader::new(stream);
        let mut first = String::new();
        reader.read_line(&mut first).unwrap();
        let mut length = 0;
        loop {
            let mut line = String::new();
            reader.read_line(&mut line).unwrap();
            let line = line.to_ascii_lowercase();
            if let Some(value) = line.strip_prefix("content-length:") {
                length = value.trim().parse().unwrap();
            }
            if line.trim().is_empty() {
                break;
            }
        }
        let mut body = vec![0; length];
        reader.read_exact(&mut body).unwrap();
        reader.get_mut().write_all(answer.as_bytes()).unwrap();
        format!("{} {}", first.trim_end(), String::from_utf8(body).unwrap())
    })
}

#[test]
fn an_error_answer_is_told_with_its_status_and_message() {
    let answer = "HTTP/1.1 503 Service Unavailable\r\nContent-Length: 13\r\n\r\nshutting down";
    for (number, arguments) in SUBCOMMANDS.iter().enumerate() {
        let directory = Temporary::new();
        let socket = directory.join(&format!("s{number}"));
        let server = answer_once(&socket, answer);
        let outcome = client(&socket, arguments);
        let flag = arguments[0].split('=').next().unwrap();
        assert_failed(&outcome, flag, &socket, "503");
        assert!(outcome.error_line().contains("shutting down"), "{outcome}");
        server.join().unwrap();
    }
}

#[test]
fn an_answer_that_is_no_http_is_told() {
    for answer in [
        "",
        "hello\r\n",
        "HTTP/1.1 200 OK\r\nContent-Le",
        "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nok",
    ] {
        let directory = Temporary::new();
        let socket = directory.join("odd");
        let server = answer_once(&socket, answer);
        assert_failed(&client(&socket, &["-ping"]), "-ping", &socket, "");
        server.join().unwrap();
    }
}

#[test]
fn each_subcommand_asks_for_what_the_manual_says() {
    let cases: [(&[&str], &str); 7] = [
        (&["-ping"], "GET /v3/ping HTTP/1.1 "),
        (&["-reload"], "POST /v3/reload HTTP/1.1 "),
        (
            &["-maintenance", "enable"],
            "POST /v3/maintenance/enable HTTP/1.1 ",
        ),
        (
            &["-maintenance", "disable"],
            "POST /v3/maintenance/disable HTTP/1.1 ",
        ),
        (
            &["-putenv", "A=1", "-putenv", "B"],
            r#"POST /v3/env HTTP/1.1 {"A":"1","B":null}"#,
        ),
        (
            &["-putmetric", "m=2"],
            r#"POST /v3/metric HTTP/1.1 {"m":"2"}"#,
        ),
        (
            &["-putmetric=m=42.42"],
            r#"POST /v3/metric HTTP/1.1 {"m":"42.42"}"#,
        ),
    ];
    for (arguments, request) in cases {
        let directory = Temporary::new();
        let socket = directory.join("s");
        let server = answer_once(&socket, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
        client(&socket, arguments).success();
        assert_eq!(server.join().unwrap(), request);
    }
}
