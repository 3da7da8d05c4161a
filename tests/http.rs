//! What the HTTP server answers: raw bytes in, raw bytes out.

#![allow(clippy::unwrap_used, clippy::panic)]

#[path = "support/http_server.rs"]
mod http_server;

use std::io::{Read, Write};

use containerpilot::http::Limits;
use http_server::Fixture;

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
