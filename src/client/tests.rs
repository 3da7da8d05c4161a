//! The client against tables of answers and against servers that misbehave.

#![allow(clippy::unwrap_used, clippy::panic)]

use std::os::unix::net::UnixListener;
use std::thread;

use super::*;

/// A directory of its own for one test.
struct Scratch(PathBuf);

impl Scratch {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("cp-client-{}-{name}", std::process::id()));
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    fn socket(&self) -> PathBuf {
        self.0.join("s")
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _best_effort = fs::remove_dir_all(&self.0);
    }
}

/// Serves one connection with `answer` and returns the request it got.
fn serve_once(socket: &Path, answer: &'static [u8]) -> thread::JoinHandle<String> {
    let listener = UnixListener::bind(socket).unwrap();
    thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut request = Vec::new();
        let mut piece = [0; 4096];
        while !complete(&request) {
            let count = stream.read(&mut piece).unwrap();
            request.extend_from_slice(&piece[..count]);
        }
        stream.write_all(answer).unwrap();
        String::from_utf8(request).unwrap()
    })
}

fn complete(request: &[u8]) -> bool {
    let Some((head, body)) = split(request, b"\r\n\r\n") else {
        return false;
    };
    let head = str::from_utf8(head).unwrap();
    let length: usize = header(head, "content-length").unwrap().parse().unwrap();
    body.len() == length
}

#[test]
fn each_subcommand_sends_one_plain_request() {
    let dir = Scratch::new("requests");
    type Act = fn(&Path);
    let ask: [(&str, &str, Act); 8] = [
        ("GET /v3/ping", "", |socket| {
            assert_eq!(ping(socket).unwrap(), "ok");
        }),
        ("POST /v3/reload", "", |socket| {
            assert_eq!(reload(socket, Reload::default()).unwrap(), "ok");
        }),
        ("POST /v3/reload?verbose", "", |socket| {
            let (verbose, dry_run) = (true, false);
            assert_eq!(reload(socket, Reload { verbose, dry_run }).unwrap(), "ok");
        }),
        ("POST /v3/reload?dry-run", "", |socket| {
            let (verbose, dry_run) = (true, true);
            assert_eq!(reload(socket, Reload { verbose, dry_run }).unwrap(), "ok");
        }),
        ("POST /v3/maintenance/enable", "", |socket| {
            assert_eq!(maintenance(socket, true).unwrap(), "ok");
        }),
        ("POST /v3/maintenance/disable", "", |socket| {
            assert_eq!(maintenance(socket, false).unwrap(), "ok");
        }),
        (
            "POST /v3/env",
            r#"{"A":"x=\"y\"\n","B":"","C":null}"#,
            |socket| {
                put_env(
                    socket,
                    [
                        ("C", None),
                        ("A", Some("1")),
                        ("A", Some("x=\"y\"\n")),
                        ("B", Some("")),
                    ],
                )
                .unwrap();
            },
        ),
        ("POST /v3/metric", r#"{"a":"2","b":"ü"}"#, |socket| {
            put_metric(socket, [("a", "2"), ("b", "ü")]).unwrap();
        }),
    ];
    for (line, body, act) in ask {
        let server = serve_once(
            &dir.socket(),
            b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok",
        );
        act(&dir.socket());
        let expected = format!(
            "{line} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        );
        assert_eq!(server.join().unwrap(), expected);
        fs::remove_file(dir.socket()).unwrap();
    }
}

#[test]
fn answers_are_understood_in_every_framing() {
    let ok = |status, body: &str| {
        Some(Answer {
            status,
            body: body.as_bytes().to_vec(),
        })
    };
    let table: [(&str, bool, Option<Answer>); 16] = [
        ("", false, None),
        ("HTT", false, None),
        ("HTTP/1.1 200 OK\r\n", false, None),
        ("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\no", false, None),
        (
            "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok",
            false,
            ok(200, "ok"),
        ),
        (
            "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nokx",
            false,
            ok(200, "ok"),
        ),
        (
            "HTTP/1.0 200 OK\r\ncontent-length:0\r\n\r\n",
            false,
            ok(200, ""),
        ),
        (
            "HTTP/1.1 422\r\nContent-Length: 1\r\n\r\nx",
            false,
            ok(422, "x"),
        ),
        ("HTTP/1.1 200 OK\r\n\r\nok", false, None),
        ("HTTP/1.1 200 OK\r\n\r\nok", true, ok(200, "ok")),
        ("HTTP/1.1 100 Continue\r\n\r\n", false, None),
        (
            "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 204 x\r\nContent-Length: 0\r\n\r\n",
            false,
            ok(204, ""),
        ),
        (
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n",
            false,
            None,
        ),
        (
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
            true,
            ok(200, ""),
        ),
        (
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\nA ;x=y\r\n0123456789\r\n0\r\nT: x\r\n\r\n",
            true,
            ok(200, "ok0123456789"),
        ),
        ("HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nok", true, None),
    ];
    for (bytes, closed, expected) in table {
        assert_eq!(
            Answer::parse(bytes.as_bytes(), closed).unwrap(),
            expected,
            "{bytes:?}"
        );
    }
}

#[test]
fn answers_that_are_wrong_are_told_from_those_that_are_cut_off() {
    let table = [
        ("SSH-2.0-x", "NotHttp"),
        ("HTTP/2 200 OK\r\n\r\n", "NotHttp"),
        ("HTTP/1.1 2000 OK\r\n\r\n", "NotHttp"),
        ("HTTP/1.1 abc OK\r\n\r\n", "NotHttp"),
        ("HTTP/1.1\r\n\r\n", "NotHttp"),
        ("HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n", "NotHttp"),
        (
            "HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999\r\n\r\n",
            "NotHttp",
        ),
        (
            "HTTP/1.1 200 OK\r\nContent-Length: 1152921504606846976\r\n\r\n",
            "TooLarge",
        ),
        (
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\no",
            "CutOff",
        ),
        (
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n",
            "CutOff",
        ),
        (
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffff\r\nok\r\n",
            "CutOff",
        ),
        (
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nx\r\nok\r\n",
            "NotHttp",
        ),
    ];
    for (bytes, expected) in table {
        let cause = Answer::parse(bytes.as_bytes(), true).unwrap_err();
        assert_eq!(format!("{cause:?}"), expected, "{bytes:?}");
    }
}

/// The error of a ping, with the path of the socket replaced by `PATH`.
fn ping_error(socket: &Path) -> String {
    let error = ping(socket).unwrap_err().to_string();
    assert!(!error.contains('\n'), "{error}");
    error.replace(&format!("{socket:?}"), "PATH")
}

#[test]
fn errors_name_the_socket_and_the_reason_in_one_line() {
    let dir = Scratch::new("errors");
    let socket = dir.socket();
    assert_eq!(
        ping_error(&socket),
        "cannot reach the control socket PATH: no such socket"
    );
    fs::write(&socket, "").unwrap();
    assert_eq!(
        ping_error(&socket),
        "cannot reach the control socket PATH: not a socket"
    );
    fs::remove_file(&socket).unwrap();
    drop(UnixListener::bind(&socket).unwrap());
    assert_eq!(
        ping_error(&socket),
        "cannot reach the control socket PATH: nobody is listening"
    );
    let long = dir.0.join("x".repeat(120));
    assert!(
        ping_error(&long).contains("a socket's path has 1 to 107 bytes"),
        "{}",
        ping_error(&long)
    );
}

#[test]
fn the_servers_refusals_and_failures_are_told_in_one_line() {
    let table: [(&[u8], &str); 5] = [
        (
            b"HTTP/1.1 422 x\r\nContent-Length: 18\r\n\r\njobs[0]: a\n\n  b c\n",
            "the supervisor at PATH answered 422: jobs[0]: a; b c",
        ),
        (
            b"HTTP/1.1 503 x\r\nContent-Length: 0\r\n\r\n",
            "the supervisor at PATH answered 503",
        ),
        (
            b"",
            "the supervisor at PATH closed the connection before its answer was complete",
        ),
        (
            b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nok",
            "the supervisor at PATH closed the connection before its answer was complete",
        ),
        (
            b"220 mail.example\r\n",
            "what listens on PATH does not answer in HTTP",
        ),
    ];
    let dir = Scratch::new("refusals");
    for (answer, expected) in table {
        let server = serve_once(&dir.socket(), answer);
        assert_eq!(ping_error(&dir.socket()), expected);
        server.join().unwrap();
        fs::remove_file(dir.socket()).unwrap();
    }
}

#[test]
fn an_early_refusal_is_read_although_the_request_could_not_be_sent() {
    let dir = Scratch::new("early");
    let listener = UnixListener::bind(dir.socket()).unwrap();
    let server = thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        stream
            .write_all(b"HTTP/1.1 413 x\r\nContent-Length: 4\r\n\r\nlong")
            .unwrap();
        // Unread data make the client's next write fail.
    });
    let huge = "x".repeat(8 << 20);
    let error = put_env(&dir.socket(), [("A", Some(huge.as_str()))]).unwrap_err();
    server.join().unwrap();
    assert!(
        matches!(error.cause, Cause::Status { status: 413, .. }),
        "{error}"
    );
}

#[test]
fn a_wait_that_was_too_slow_for_the_events_goes_on() {
    fn stream(lines: &str) -> String {
        let head = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
        format!("{head}{:x}\r\n{lines}\r\n0\r\n\r\n", lines.len())
    }
    let status = |state: &str| {
        let body = format!(r#"{{"jobs":[{{"state":"{state}"}}]}}"#);
        format!(
            "HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        )
    };
    let lost = stream("{\"end\":\"too slow: 5 events are lost\"}\n");
    let ended = stream("{\"sequence\":1,\"code\":\"shutdown\",\"source\":\"global\"}\n");
    let idle = status("idle");
    for (answers, expected) in [
        (
            vec![&lost, &idle, &lost, &status("running")],
            wait::Waited::Holds,
        ),
        (
            vec![&lost, &idle, &ended, &idle, &idle],
            wait::Waited::Ended,
        ),
    ] {
        let dir = Scratch::new("slow");
        let listener = UnixListener::bind(dir.socket()).unwrap();
        let answers: Vec<String> = answers.into_iter().cloned().collect();
        let server = thread::spawn(move || {
            for answer in answers {
                let (mut stream, _) = listener.accept().unwrap();
                let mut request = Vec::new();
                let mut piece = [0; 4096];
                while split(&request, b"\r\n\r\n").is_none() {
                    let count = stream.read(&mut piece).unwrap();
                    request.extend_from_slice(&piece[..count]);
                }
                stream.write_all(answer.as_bytes()).unwrap();
            }
        });
        let waited = wait::wait(&dir.socket(), "app", "running", wait::PATIENCE).unwrap();
        assert_eq!(waited, expected);
        server.join().unwrap();
    }
}

#[test]
fn logs_are_handed_over_as_they_are() {
    let dir = Scratch::new("logs");
    let answer = b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\na\xff \t\n\n";
    let listener = UnixListener::bind(dir.socket()).unwrap();
    thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        stream.write_all(answer).unwrap();
        // Until the client has read the answer and gone.
        let _request = stream.read_to_end(&mut Vec::new());
    });
    let lines = stream::logs(&dir.socket(), stream::Lines::default()).unwrap();
    assert_eq!(lines, b"a\xff \t\n\n");
}

#[test]
fn the_deadline_is_total_even_if_the_answer_drips() {
    let dir = Scratch::new("drip");
    let listener = UnixListener::bind(dir.socket()).unwrap();
    let server = thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n").unwrap();
        stream
            .set_read_timeout(Some(Duration::from_millis(10)))
            .unwrap();
        let mut request = [0; 4096];
        // Each wait lets some time pass; only the client's deadline ends this.
        while stream.write_all(b"x").is_ok() {
            let _waited = stream.read(&mut request);
        }
    });
    let started = Instant::now();
    let allowed = Duration::from_millis(200);
    let error = exchange(&dir.socket(), "GET", api::PING.path, "", allowed).unwrap_err();
    let took = started.elapsed();
    assert!(matches!(error.cause, Cause::TimedOut(_)), "{error}");
    assert!(
        error.to_string().ends_with(": timed out after 0.2 s"),
        "{error}"
    );
    assert!(
        (Duration::from_millis(200)..Duration::from_secs(5)).contains(&took),
        "{took:?}"
    );
    server.join().unwrap();
}

#[test]
fn heads_and_interim_answers_without_end_are_given_up() {
    let line = "x: y\r\n".repeat(20_000);
    let head = format!("HTTP/1.1 200 OK\r\n{line}");
    assert!(matches!(
        Answer::parse(head.as_bytes(), false),
        Err(Cause::NotHttp)
    ));
    let interim = "HTTP/1.1 100 Continue\r\n\r\n".repeat(500_000);
    assert!(matches!(Answer::parse(interim.as_bytes(), false), Ok(None)));
}

#[test]
fn an_endless_answer_is_not_kept() {
    let dir = Scratch::new("endless");
    let listener = UnixListener::bind(dir.socket()).unwrap();
    let server = thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n").unwrap();
        while stream.write_all(&[b'x'; 65536]).is_ok() {}
    });
    let error = ping(&dir.socket()).unwrap_err();
    assert!(matches!(error.cause, Cause::TooLarge), "{error}");
    server.join().unwrap();
}
