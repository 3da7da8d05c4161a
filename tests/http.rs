//! The HTTP server from outside: raw bytes in, raw bytes out, and clients that
//! are slow, silent, many, or mad.

#![allow(clippy::unwrap_used, clippy::panic)]

#[path = "support/http_server.rs"]
mod http_server;

use std::io::{Read, Write};
use std::sync::atomic::Ordering;
use std::thread;
use std::time::{Duration, Instant};

use containerpilot::http::Limits;
use http_server::{Fixture, PATIENCE};

const OK: &str = "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 2\r\n\r\nok";
const OK_CLOSE: &str = "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok";

/// An answer of the server itself, after which it closes.
fn refusal(status: &str, reason: &str) -> String {
    let length = reason.len() + 1;
    format!(
        "HTTP/1.1 {status}\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{reason}\n"
    )
}

fn echo(what: &str) -> String {
    format!(
        "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: {}\r\n\r\n{what}",
        what.len()
    )
}

#[test]
fn raw_requests_get_exactly_these_answers() {
    let bad = |reason| refusal("400 Bad Request", reason);
    let line = "the request line is malformed";
    let table: Vec<(&str, String)> = vec![
        ("", String::new()),
        ("GET /ok HTTP/1.1\r\nHost: a\r\n\r\n", OK.into()),
        ("\r\n\r\nGET /ok HTTP/1.1\nHost: a\n\n", OK.into()),
        ("GET /ok HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\nGET /ok HTTP/1.1\r\n", OK_CLOSE.into()),
        ("GET /ok HTTP/1.0\r\n\r\n", OK_CLOSE.into()),
        (
            "GET /ok HTTP/1.0\r\nConnection: keep-alive\r\n\r\nGET /ok HTTP/1.0\r\n\r\n",
            format!("{}{OK_CLOSE}", OK.replace("\r\n\r\n", "\r\nConnection: keep-alive\r\n\r\n")),
        ),
        ("HEAD /ok HTTP/1.1\r\nHost: a\r\n\r\nGET /ok HTTP/1.1\r\nHost: a\r\n\r\n", format!("{}{OK}", &OK[..OK.len() - 2])),
        ("GET /nothing HTTP/1.1\r\nHost: a\r\n\r\n", "HTTP/1.1 204 No Content\r\n\r\n".into()),
        (
            "POST /echo?x=y HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabcGET /ok HTTP/1.1\r\nHost: a\r\n\r\n",
            format!("{}{OK}", echo("POST /echo?x=y @a|abc")),
        ),
        (
            "PUT http://b:1/echo HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n2;x\r\nab\r\n1\r\nc\r\n0\r\nT: x\r\n\r\nGET /ok HTTP/1.1\r\nHost: a\r\n\r\n",
            format!("{}{OK}", echo("PUT /echo? @b:1|abc")),
        ),
        (
            "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nExpect: 100-continue\r\n\r\nx",
            echo("POST /echo? @a|x"),
        ),
        ("GET /other HTTP/1.1\r\nHost: a\r\n\r\n", "HTTP/1.1 404 Not Found\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: 13\r\n\r\nno such page\n".into()),
        ("GET /stream HTTP/1.1\r\nHost: a\r\n\r\n", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n5\r\none 1\r\n3\r\ntwo\r\n0\r\n\r\n".into()),
        ("GET /stream HTTP/1.0\r\n\r\n", "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\none 1two".into()),
        ("HEAD /stream HTTP/1.1\r\nHost: a\r\n\r\n", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n".into()),
        ("GET /panic HTTP/1.1\r\nHost: a\r\n\r\n", refusal("500 Internal Server Error", "this request met a bug in the supervisor")),
        ("GET /panic-in-stream HTTP/1.1\r\nHost: a\r\n\r\n", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n5\r\nbegun\r\n".into()),
        ("GET /ok HTTP/1.1\r\n\r\n", bad("the Host header is missing")),
        ("GET /ok HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", bad("there is more than one Host header")),
        ("GET /ok HTTP/1.1\r\nHost: a b\r\n\r\n", bad("the Host header is malformed")),
        ("GET ok HTTP/1.1\r\nHost: a\r\n\r\n", bad("the target is neither a path nor an http URL")),
        ("GET /ok HTTP/1.1\r\nHost: a\r\n folded\r\n\r\n", bad("the name of a header is malformed")),
        ("GET /ok HTTP/1.1\r\nHost: a\r\nX: \0\r\n\r\n", bad("the value of a header is malformed")),
        ("GET /ok\r\n\r\n", bad(line)),
        ("hello", bad("the request ended before it was complete")),
        ("hello\r\n", bad(line)),
        ("\x16\x03\x01", bad(line)),
        ("GET /ok HTTP/2.0\r\nHost: a\r\n\r\n", refusal("505 HTTP Version Not Supported", "only HTTP/1.0 and HTTP/1.1 are spoken here")),
        ("CONNECT a:1 HTTP/1.1\r\nHost: a\r\n\r\n", refusal("501 Not Implemented", "this server is no proxy")),
        ("GET /ok HTTP/1.1\r\nHost: a\r\nExpect: x\r\n\r\n", refusal("417 Expectation Failed", "the only expectation met is 100-continue")),
        ("POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nxx", bad("the Content-Length headers differ")),
        ("POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: +1\r\n\r\nx", bad("the Content-Length is not a number")),
        ("POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\nx", bad("there are both Content-Length and Transfer-Encoding")),
        ("POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip, chunked\r\n\r\nx", refusal("501 Not Implemented", "the only transfer coding understood is chunked")),
        ("POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 1152921504606846976\r\n\r\nx", refusal("413 Payload Too Large", "the body is too large")),
        ("POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 18446744073709551615\r\nExpect: 100-continue\r\n\r\n", refusal("413 Payload Too Large", "the body is too large")),
        ("POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nfffffffffffffff\r\n", refusal("413 Payload Too Large", "the body is too large")),
        ("POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1\nx", bad("a line of the chunked body does not end with CRLF")),
        ("POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nxx\r\n", bad("a chunk is longer than its size says")),
        ("GET /ok HTTP/1.1\r\nHost: a\r\n", bad("the request ended before it was complete")),
        ("POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nabc", bad("the request ended before it was complete")),
        ("POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nabc", bad("the request ended before it was complete")),
        ("GET /ok HTTP/1.1\r\nHost: a\r\n\r\nnonsense\r\n\r\n", format!("{OK}{}", bad(line))),
    ];
    for fixture in Fixture::both(&Limits::default()) {
        for (request, expected) in &table {
            assert_eq!(fixture.talk(request.as_bytes()), *expected, "{request:?}");
        }
        fixture.assert_serves();
    }
}

#[test]
fn requests_are_the_same_however_they_are_cut() {
    let fixture = Fixture::unix(Limits::default());
    let request = "POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\nGET /ok HTTP/1.1\r\nHost: a\r\n\r\n";
    let expected = format!("{}{OK}", echo("POST /echo? @a|abc"));
    for step in [1, 2, 3, 5, 7, 40] {
        let mut client = fixture.connect();
        for piece in request.as_bytes().chunks(step) {
            client.send(piece);
        }
        client.end();
        assert_eq!(client.rest(), expected, "by {step}");
    }
}

#[test]
fn a_connection_serves_many_requests_pipelined_or_not() {
    for fixture in Fixture::both(&Limits::default()) {
        let request = "GET /ok HTTP/1.1\r\nHost: a\r\n\r\n";
        let mut client = fixture.connect();
        for _ in 0..100 {
            client.send(request.as_bytes());
            assert_eq!(client.until("\r\n\r\nok"), OK);
        }
        client.send(request.repeat(500).as_bytes());
        client.end();
        assert_eq!(client.rest(), OK.repeat(500));
    }
}

#[test]
fn a_client_that_waits_for_100_continue_gets_it() {
    for fixture in Fixture::both(&Limits::default()) {
        let mut client = fixture.connect();
        client.send(
            b"POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\n",
        );
        assert_eq!(client.until("\r\n\r\n"), "HTTP/1.1 100 Continue\r\n\r\n");
        client.send(b"abc");
        client.end();
        assert_eq!(client.rest(), echo("POST /echo? @a|abc"));
    }
}

#[test]
fn bodies_up_to_the_limit_come_through_whole_and_larger_ones_are_refused() {
    for fixture in Fixture::both(&Limits::default()) {
        let full = "x".repeat(1 << 20);
        let head = "POST /echo HTTP/1.1\r\nHost: a\r\n";
        let plain = format!("{head}Content-Length: 1048576\r\n\r\n{full}");
        assert_eq!(
            fixture.talk(plain.as_bytes()),
            echo(&format!("POST /echo? @a|{full}"))
        );
        let chunked =
            format!("{head}Transfer-Encoding: chunked\r\n\r\n100000\r\n{full}\r\n0\r\n\r\n");
        assert_eq!(
            fixture.talk(chunked.as_bytes()),
            echo(&format!("POST /echo? @a|{full}"))
        );

        let expected = refusal("413 Payload Too Large", "the body is too large");
        let beyond = format!("{head}Transfer-Encoding: chunked\r\n\r\n100000\r\n{full}\r\n1\r\n");
        assert_eq!(fixture.talk(beyond.as_bytes()), expected);
        // The whole body is on its way before the client looks: it must see the
        // answer, not a reset.
        let mut client = fixture.connect();
        client.send(format!("{head}Content-Length: 4194304\r\n\r\n").as_bytes());
        client.send(&vec![b'x'; 4 << 20]);
        client.end();
        assert_eq!(client.rest(), expected);
    }
}

#[test]
fn heads_up_to_the_limit_are_read_and_larger_ones_are_refused() {
    for fixture in Fixture::both(&Limits::default()) {
        let frame = "GET /ok HTTP/1.1\r\nHost: a\r\nX: \r\n\r\n".len();
        let head = |length: usize| {
            format!(
                "GET /ok HTTP/1.1\r\nHost: a\r\nX: {}\r\n\r\n",
                "x".repeat(length - frame)
            )
        };
        assert_eq!(fixture.talk(head(16 << 10).as_bytes()), OK);
        let expected = refusal(
            "431 Request Header Fields Too Large",
            "the head of the request is too large",
        );
        assert_eq!(fixture.talk(head((16 << 10) + 1).as_bytes()), expected);
        assert_eq!(fixture.talk(head(1 << 20).as_bytes()), expected);
        assert_eq!(
            fixture.talk("x".repeat(1 << 20).as_bytes()),
            refusal(
                "431 Request Header Fields Too Large",
                "the head of the request is too large"
            )
        );
        let many = "A: b\r\n".repeat(64);
        let answer = fixture.talk(format!("GET /ok HTTP/1.1\r\nHost: a\r\n{many}\r\n").as_bytes());
        assert_eq!(
            answer,
            refusal(
                "431 Request Header Fields Too Large",
                "the request has too many headers"
            )
        );
    }
}

fn short(milliseconds: u64) -> Limits {
    let timeout = Duration::from_millis(milliseconds);
    Limits {
        head_timeout: timeout,
        body_timeout: timeout,
        idle_timeout: timeout,
        write_timeout: timeout,
        ..Limits::default()
    }
}

#[test]
fn silent_clients_are_closed_and_slow_ones_told_why() {
    let too_slow = refusal("408 Request Timeout", "the request did not arrive in time");
    let table = [
        ("", ""),
        ("GET /ok HTTP/1.1\r\nHost: a\r\n\r\n", OK),
        ("G", &too_slow),
        ("GET /ok HTTP/1.1\r\nHost: a\r\n", &too_slow),
        (
            "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nab",
            &too_slow,
        ),
        (
            "POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nab",
            &too_slow,
        ),
    ];
    for fixture in Fixture::both(&short(100)) {
        for (request, expected) in table {
            let mut client = fixture.connect();
            client.send(request.as_bytes());
            assert_eq!(client.rest(), expected, "{request:?}");
        }
        fixture.assert_serves();
    }
}

#[test]
fn a_client_that_drips_gains_no_time() {
    for fixture in Fixture::both(&short(300)) {
        for request in [
            "GET /ok HTTP/1.1\r\nX: ",
            "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 9999\r\n\r\n",
        ] {
            let started = Instant::now();
            let mut client = fixture.connect();
            client.send(request.as_bytes());
            while client.hears_nothing_for(Duration::from_millis(20)) {
                let _may_be_closed_by_now = client.write(b"x");
                assert!(started.elapsed() < PATIENCE);
            }
            assert!(
                started.elapsed() >= Duration::from_millis(300),
                "{:?}",
                started.elapsed()
            );
        }
    }
}

#[test]
fn a_client_that_takes_nothing_is_cut_off_and_holds_up_nobody() {
    for fixture in Fixture::both(&short(300)) {
        let mut client = fixture.connect();
        client.send(b"GET /big HTTP/1.1\r\nHost: a\r\n\r\n");
        let head = client.until("\r\n\r\n");
        assert!(head.contains("Content-Length: 8388608\r\n"), "{head}");
        fixture.assert_serves();
        // Dripping in the other direction gains no time either.
        let started = Instant::now();
        let mut taken = 0;
        let mut piece = [0; 64];
        while let Ok(count @ 1..) = client.read(&mut piece) {
            taken += count;
            assert!(started.elapsed() < PATIENCE);
            if started.elapsed() < Duration::from_secs(1) {
                fixture.assert_serves();
            }
        }
        assert!(taken < 8 << 20, "{taken} bytes were delivered");
    }
}

#[test]
fn large_answers_arrive_whole() {
    for fixture in Fixture::both(&Limits::default()) {
        let (status, body) = fixture.get("/big");
        assert_eq!((status.as_str(), body.len()), ("HTTP/1.1 200 OK", 8 << 20));
    }
}

#[test]
fn silent_connections_in_any_number_lock_nobody_out() {
    for fixture in Fixture::both(&Limits::default()) {
        let silent: Vec<_> = (0..500).map(|_| fixture.connect()).collect();
        let started = Instant::now();
        for _ in 0..20 {
            fixture.assert_serves();
        }
        assert!(
            started.elapsed() < Duration::from_secs(5),
            "{:?}",
            started.elapsed()
        );
        drop(silent);
    }
}

#[test]
fn at_the_limit_the_one_that_has_waited_longest_makes_room() {
    let limits = Limits {
        connections: 2,
        ..Limits::default()
    };
    for fixture in Fixture::both(&limits) {
        let mut first = fixture.connect();
        first.send(b"GET /ok HTTP/1.1\r\nHost: a\r\n\r\n");
        first.until("\r\n\r\nok");
        let mut second = fixture.connect();
        second.send(b"GET /ok HTTP/1.1\r\nHost: a\r\n\r\n");
        second.until("\r\n\r\nok");
        // Now the first one is the more recent of the two.
        first.send(b"GET /ok HTTP/1.1\r\nHost: a\r\n\r\n");
        first.until("\r\n\r\nok");
        fixture.assert_serves();
        assert_eq!(second.rest(), "");
        first.send(b"GET /ok HTTP/1.1\r\nHost: a\r\n\r\n");
        assert_eq!(first.until("\r\n\r\nok"), OK);
    }
}

#[test]
fn busy_connections_are_not_evicted_but_end_when_others_wait() {
    let limits = Limits {
        connections: 2,
        ..Limits::default()
    };
    for fixture in Fixture::both(&limits) {
        let mut waiting = [fixture.connect(), fixture.connect()];
        for client in &mut waiting {
            client.send(b"GET /wait HTTP/1.1\r\nHost: a\r\n\r\n");
        }
        fixture.known.gate.await_arrivals(2);
        let mut newcomer = fixture.connect();
        newcomer.send(b"GET /ok HTTP/1.1\r\nHost: a\r\n\r\n");
        assert!(
            newcomer.hears_nothing_for(Duration::from_millis(300)),
            "there was no room"
        );
        fixture.known.gate.open();
        assert!(
            newcomer
                .until("\r\n\r\nok")
                .starts_with("HTTP/1.1 200 OK\r\n")
        );
        let answers = waiting.map(|mut client| client.until("waited\n"));
        assert!(
            answers
                .iter()
                .any(|answer| answer.contains("Connection: close\r\n")),
            "{answers:?}"
        );
    }
}

#[test]
fn five_hundred_clients_at_once_are_all_answered() {
    for fixture in Fixture::both(&Limits::default()) {
        thread::scope(|scope| {
            for _ in 0..500 {
                scope.spawn(|| fixture.assert_serves());
            }
        });
        assert_eq!(fixture.known.handled.load(Ordering::SeqCst), 500);
    }
}

#[test]
fn ten_thousand_connections_one_after_the_other_are_answered() {
    for fixture in Fixture::both(&Limits::default()) {
        for _ in 0..10_000 {
            fixture.assert_serves();
        }
    }
}

#[test]
fn busy_kept_connections_lock_nobody_out() {
    let limits = Limits {
        connections: 4,
        ..Limits::default()
    };
    let fixture = Fixture::unix(limits);
    let ended = std::sync::atomic::AtomicBool::new(false);
    thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                while !ended.load(Ordering::SeqCst) {
                    let mut client = fixture.connect();
                    let mut answer = OK.to_owned();
                    while answer == OK && !ended.load(Ordering::SeqCst) {
                        client.send(b"GET /ok HTTP/1.1\r\nHost: a\r\n\r\n");
                        answer = client.until("\r\n\r\nok");
                    }
                }
            });
        }
        for _ in 0..200 {
            fixture.assert_serves();
        }
        ended.store(true, Ordering::SeqCst);
    });
}

#[test]
fn panics_of_the_handler_cost_no_thread() {
    for fixture in Fixture::both(&Limits::default()) {
        for _ in 0..200 {
            assert_eq!(
                fixture.get("/panic").0,
                "HTTP/1.1 500 Internal Server Error"
            );
        }
        fixture.assert_serves();
    }
}

#[test]
fn garbage_from_a_fixed_seed_is_survived() {
    let mut state = 0x2545_f491_4f6c_dd1d_u64;
    let mut random = move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state
    };
    let fixture = Fixture::unix(Limits::default());
    let words: [&[u8]; 8] = [
        b"GET / HTTP/1.1\r\n",
        b"Host: a\r\n",
        b"\r\n",
        b"Content-Length: 5\r\n",
        b"Transfer-Encoding: chunked\r\n",
        b"5\r\n",
        b"hello",
        b"Expect: 100-continue\r\n",
    ];
    for round in 0..2_000 {
        let mut bytes = Vec::new();
        for _ in 0..random() % 12 {
            match random() % 3 {
                0 => bytes.extend(random().to_ne_bytes()),
                _ => bytes.extend(words[(random() % 8) as usize]),
            }
        }
        let mut client = fixture.connect();
        let _may_be_refused_early = client.write_all(&bytes);
        client.end();
        let mut answer = Vec::new();
        // A reset is fair to whom sends more than was wanted.
        if client.read_to_end(&mut answer).is_ok() && !answer.is_empty() {
            assert!(
                answer.starts_with(b"HTTP/1.1 "),
                "round {round}: {:?}",
                String::from_utf8_lossy(&bytes)
            );
        }
    }
    fixture.assert_serves();
}

#[test]
fn every_answer_is_told_of_once() {
    let fixture = Fixture::unix(Limits::default());
    fixture.talk(b"GET /ok HTTP/1.1\r\nHost: a\r\n\r\nHEAD /none HTTP/1.1\r\nHost: a\r\n\r\nx\r\n");
    fixture.get("/stream");
    fixture.get("/panic");
    let expected = [
        ("/ok", 200),
        ("/none", 404),
        ("", 400),
        ("/stream", 200),
        ("", 500),
    ];
    let expected: Vec<_> = expected
        .into_iter()
        .map(|(path, status)| (path.to_owned(), status))
        .collect();
    assert_eq!(*fixture.known.answered.lock().unwrap(), expected);
}

#[test]
fn streams_have_a_limit_of_their_own_and_end_with_their_client() {
    let limits = Limits {
        streams: 2,
        ..Limits::default()
    };
    for fixture in Fixture::both(&limits) {
        let mut streaming = [fixture.connect(), fixture.connect()];
        for client in &mut streaming {
            client.send(b"GET /endless HTTP/1.1\r\nHost: a\r\n\r\n");
            client.until("\r\n\r\n3e8\r\nx");
        }
        assert_eq!(
            fixture.get("/stream"),
            (
                "HTTP/1.1 429 Too Many Requests".to_owned(),
                "too many streams are open already\n".to_owned()
            )
        );
        fixture.assert_serves();
        drop(streaming);
        // The places are free as soon as the server has noticed.
        let started = Instant::now();
        while fixture.get("/stream").0 != "HTTP/1.1 200 OK" {
            assert!(started.elapsed() < PATIENCE);
        }
    }
}

#[test]
fn stopping_finishes_answers_in_flight_and_closes_the_idle() {
    for mut fixture in Fixture::both(&Limits::default()) {
        let mut idle = fixture.connect();
        idle.send(b"GET /ok HTTP/1.1\r\nHost: a\r\n\r\n");
        idle.until("\r\n\r\nok");
        let mut busy = fixture.connect();
        busy.send(b"GET /wait HTTP/1.1\r\nHost: a\r\n\r\n");
        fixture.known.gate.await_arrivals(1);
        let known = fixture.known.clone();
        let reader = thread::spawn(move || {
            assert_eq!(idle.rest(), "");
            // Only now, when the idle one has been closed, the busy one goes on.
            known.gate.open();
            busy.rest()
        });
        let started = Instant::now();
        fixture.stop(Instant::now() + PATIENCE);
        assert!(started.elapsed() < PATIENCE);
        let answer = reader.join().unwrap();
        assert!(
            answer.starts_with("HTTP/1.1 200 OK\r\n") && answer.contains("Connection: close\r\n"),
            "{answer}"
        );
        assert!(answer.ends_with("\r\n\r\nwaited\n"), "{answer}");
        assert_eq!(
            fixture.try_connect().err().unwrap().kind(),
            std::io::ErrorKind::ConnectionRefused
        );
    }
}

#[test]
fn stopping_cuts_off_at_the_deadline() {
    for mut fixture in Fixture::both(&Limits::default()) {
        let mut busy = fixture.connect();
        busy.send(b"GET /wait HTTP/1.1\r\nHost: a\r\n\r\n");
        let mut streaming = fixture.connect();
        streaming.send(b"GET /endless HTTP/1.1\r\nHost: a\r\n\r\n");
        fixture.known.gate.await_arrivals(1);
        let started = Instant::now();
        fixture.stop(started + Duration::from_millis(100));
        assert!((Duration::from_millis(100)..Duration::from_secs(10)).contains(&started.elapsed()));
        assert_eq!(busy.rest(), "");
        let mut rest = Vec::new();
        streaming.read_to_end(&mut rest).unwrap();
    }
}

#[test]
fn stopping_without_connections_is_immediate_and_removes_no_file() {
    let mut fixture = Fixture::unix(Limits::default());
    fixture.assert_serves();
    let started = Instant::now();
    fixture.stop(started + PATIENCE);
    assert!(
        started.elapsed() < Duration::from_secs(5),
        "{:?}",
        started.elapsed()
    );
    assert_eq!(
        fixture.try_connect().err().unwrap().kind(),
        std::io::ErrorKind::ConnectionRefused
    );
}
