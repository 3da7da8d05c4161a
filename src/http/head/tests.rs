//! Tables of request heads, and heads mutated at random from a fixed seed.

#![allow(clippy::unwrap_used, clippy::panic)]

use super::*;

/// Parses a head of HTTP/1.1 with these lines after `GET / HTTP/1.1`.
fn with_headers(lines: &str) -> Result<Head, u16> {
    whole(&format!("GET / HTTP/1.1\r\n{lines}\r\n"))
}

fn whole(text: &str) -> Result<Head, u16> {
    match parse(text.as_bytes()) {
        Ok(Some(head)) => Ok(head),
        Ok(None) => panic!("not complete: {text:?}"),
        Err(fault) => Err(fault.status),
    }
}

#[test]
fn a_plain_request_is_understood_whole() {
    let text = "POST /v3/env?a=b?c HTTP/1.1\r\nHost: localhost\r\nContent-Length: 12\r\n\r\n{\"A\": \"b\"}";
    let expected = Head {
        length: text.len() - 10,
        method: Method::Post,
        path: "/v3/env".to_owned(),
        query: "a=b?c".to_owned(),
        host: "localhost".to_owned(),
        accept: String::new(),
        version: HTTPVersion(1, 1),
        framing: Framing::Length(12),
        keep_alive: true,
        expects_continue: false,
    };
    assert_eq!(whole(text), Ok(expected));
}

#[test]
fn all_accept_headers_are_one_list() {
    let table = [
        ("", ""),
        ("Accept: text/plain;q=0.5, */*\r\n", "text/plain;q=0.5, */*"),
        ("accept:a\r\nACCEPT: \r\nAccept:  b \r\n", "a,,b"),
    ];
    for (lines, expected) in table {
        let head = with_headers(&format!("Host: a\r\n{lines}")).unwrap();
        assert_eq!(head.accept, expected);
    }
}

#[test]
fn every_beginning_of_a_request_is_incomplete_and_not_wrong() {
    let text = "\r\nPOST http://h:1/v3/env?x HTTP/1.1\r\nHost: localhost\r\nExpect: 100-continue\r\nTransfer-Encoding: chunked\r\n\r\n";
    for end in 0..text.len() {
        assert_eq!(
            parse(&text.as_bytes()[..end]),
            Ok(None),
            "{:?}",
            &text[..end]
        );
    }
    assert!(whole(text).is_ok());
}

#[test]
fn request_lines() {
    type Expected = Result<(&'static str, &'static str, &'static str), u16>;
    let table: [(&str, Expected); 36] = [
        ("GET / HTTP/1.1\r\nHost: a", Ok(("GET", "/", "a"))),
        ("GET / HTTP/1.1\nHost: a", Ok(("GET", "/", "a"))),
        ("\r\n\nGET / HTTP/1.1\r\nHost: a", Ok(("GET", "/", "a"))),
        ("get / HTTP/1.1\r\nHost: a", Ok(("get", "/", "a"))),
        (
            "M-SEARCH /x HTTP/1.1\r\nHost: a",
            Ok(("M-SEARCH", "/x", "a")),
        ),
        (
            "GET /%70ing;x HTTP/1.1\r\nHost: a",
            Ok(("GET", "/%70ing;x", "a")),
        ),
        ("GET //v3 HTTP/1.1\r\nHost: a", Ok(("GET", "//v3", "a"))),
        (
            "GET http://b/c?d HTTP/1.1\r\nHost: a",
            Ok(("GET", "/c", "b")),
        ),
        (
            "GET HTTPS://b:1 HTTP/1.1\r\nHost: a",
            Ok(("GET", "/", "b:1")),
        ),
        ("GET http://b?c HTTP/1.1\r\nX: y", Ok(("GET", "/", "b"))),
        ("OPTIONS * HTTP/1.1\r\nHost: a", Ok(("OPTIONS", "*", "a"))),
        ("GET / HTTP/1.0\r\nX: y", Ok(("GET", "/", ""))),
        ("GET / HTTP/1.0\r\nHost: a", Ok(("GET", "/", "a"))),
        ("GET * HTTP/1.1\r\nHost: a", Err(400)),
        ("GET x HTTP/1.1\r\nHost: a", Err(400)),
        ("GET ftp://b/c HTTP/1.1\r\nHost: a", Err(400)),
        ("GET http:/v3/ping HTTP/1.1\r\nHost: a", Err(400)),
        ("GET http:///c HTTP/1.1\r\nHost: a", Err(400)),
        ("GET http://u@b/c HTTP/1.1\r\nHost: a", Err(400)),
        ("CONNECT a:1 HTTP/1.1\r\nHost: a", Err(501)),
        ("GET / HTTP/2.0\r\nHost: a", Err(505)),
        ("GET / HTTP/1.2\r\nHost: a", Err(505)),
        ("GET / HTTP/0.9\r\nHost: a", Err(505)),
        ("PRI * HTTP/2.0\r\n\r\nSM", Err(505)),
        ("GET / HTTP/x.y\r\nHost: a", Err(400)),
        ("GET / http/1.1\r\nHost: a", Err(400)),
        ("GET / HTTP/1.1 \r\nHost: a", Err(400)),
        ("GET  / HTTP/1.1\r\nHost: a", Err(400)),
        ("GET /  HTTP/1.1\r\nHost: a", Err(400)),
        (" GET / HTTP/1.1\r\nHost: a", Err(400)),
        ("GET\t/ HTTP/1.1\r\nHost: a", Err(400)),
        ("GET / b HTTP/1.1\r\nHost: a", Err(400)),
        ("GET /\r\nHost: a", Err(400)),
        ("GET /\x01 HTTP/1.1\r\nHost: a", Err(400)),
        ("\x16\x03\x01\x02\x00\x01\x00\x01\u{fc}", Err(400)),
        ("SSH-2.0-OpenSSH_9.2\r\n", Err(400)),
    ];
    for (text, expected) in table {
        let found = whole(&format!("{text}\r\n\r\n"));
        let found = found
            .as_ref()
            .map(|head| (head.method.as_str(), head.path.as_str(), head.host.as_str()));
        assert_eq!(found, expected.as_ref().copied(), "{text:?}");
    }
}

#[test]
fn header_lines() {
    let many = "A: b\r\n".repeat(63);
    let too_many = "A: b\r\n".repeat(64);
    let table: [(&str, Option<u16>); 22] = [
        ("Host: a", None),
        ("host:a", None),
        ("HOST: \t a \t", None),
        ("Host:", None),
        ("Host: [::1]:80", None),
        ("Host: %2Frun%2Fs", None),
        ("Host: a\r\nX: \u{e4}\u{f6}", None),
        ("Host: a\r\nX:\ty z", None),
        (&format!("{many}Host: a"), None),
        (&format!("{too_many}Host: a"), Some(431)),
        ("X: y", Some(400)),
        ("Host: a\r\nHost: a", Some(400)),
        ("Host: a b", Some(400)),
        ("Host: a/b", Some(400)),
        ("Host: \u{e4}", Some(400)),
        ("Host : a", Some(400)),
        ("Host: a\r\n b", Some(400)),
        ("Host: a\r\n\tX: y", Some(400)),
        ("Host: a\r\nX", Some(400)),
        ("Host: a\r\n: y", Some(400)),
        ("Host: a\r\nX: y\rz", Some(400)),
        ("Host: a\r\nX: \x00", Some(400)),
    ];
    for (lines, expected) in table {
        let found = with_headers(&format!("{lines}\r\n"));
        assert_eq!(found.err(), expected, "{lines:?}");
    }
}

#[test]
fn the_framing_of_a_body_can_be_read_in_one_way_only() {
    let table: [(&str, Result<Framing, u16>); 34] = [
        ("", Ok(Framing::Length(0))),
        ("Content-Length: 0", Ok(Framing::Length(0))),
        ("Content-Length: 0005", Ok(Framing::Length(5))),
        (
            "Content-Length: 1152921504606846976",
            Ok(Framing::Length(1 << 60)),
        ),
        (
            "Content-Length: 18446744073709551615",
            Ok(Framing::Length(u64::MAX)),
        ),
        (
            "Content-Length: 5\r\nContent-Length: 5",
            Ok(Framing::Length(5)),
        ),
        ("Content-Length: 5, 5", Ok(Framing::Length(5))),
        ("Content-Length: 18446744073709551616", Err(400)),
        ("Content-Length: 5\r\nContent-Length: 6", Err(400)),
        ("Content-Length: 5, 6", Err(400)),
        ("Content-Length: 5,", Err(400)),
        ("Content-Length: +5", Err(400)),
        ("Content-Length: -5", Err(400)),
        ("Content-Length: 5.0", Err(400)),
        ("Content-Length: 0x5", Err(400)),
        ("Content-Length: 5 5", Err(400)),
        ("Content-Length:", Err(400)),
        ("Content-Length: \u{663}", Err(400)),
        ("Transfer-Encoding: chunked", Ok(Framing::Chunked)),
        ("Transfer-Encoding: CHUNKED", Ok(Framing::Chunked)),
        ("Transfer-Encoding: chunked\r\nContent-Length: 5", Err(400)),
        ("Content-Length: 5\r\nTransfer-Encoding: chunked", Err(400)),
        ("Transfer-Encoding: gzip, chunked", Err(501)),
        (
            "Transfer-Encoding: gzip\r\nTransfer-Encoding: chunked",
            Err(501),
        ),
        ("Transfer-Encoding: chunked, gzip", Err(400)),
        ("Transfer-Encoding: chunked, chunked", Err(400)),
        (
            "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked",
            Err(400),
        ),
        ("Transfer-Encoding: gzip", Err(400)),
        ("Transfer-Encoding: identity", Err(400)),
        ("Transfer-Encoding: xchunked", Err(400)),
        ("Transfer-Encoding: \"chunked\"", Err(400)),
        ("Transfer-Encoding:", Err(400)),
        ("Transfer-Encoding: chunked,", Err(400)),
        ("Transfer-Encoding: \x0bchunked", Err(400)),
    ];
    for (lines, expected) in table {
        let found = with_headers(&format!(
            "Host: a\r\n{lines}{}",
            if lines.is_empty() { "" } else { "\r\n" }
        ));
        assert_eq!(found.map(|head| head.framing), expected, "{lines:?}");
    }
    assert_eq!(
        whole("POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n"),
        Err(400)
    );
}

#[test]
fn connections_stay_open_as_both_sides_agree() {
    let table = [
        ("1.1", "", true),
        ("1.1", "Connection: close\r\n", false),
        ("1.1", "Connection: foo, CLOSE\r\n", false),
        (
            "1.1",
            "Connection: keep-alive\r\nConnection: close\r\n",
            false,
        ),
        ("1.1", "Connection: closed\r\n", true),
        ("1.0", "", false),
        ("1.0", "Connection: Keep-Alive\r\n", true),
        ("1.0", "Connection: keep-alive, close\r\n", false),
    ];
    for (version, lines, expected) in table {
        let head = whole(&format!("GET / HTTP/{version}\r\nHost: a\r\n{lines}\r\n")).unwrap();
        assert_eq!(head.keep_alive, expected, "{version} {lines:?}");
    }
}

#[test]
fn expectations() {
    let table = [
        ("1.1", "", Ok(false)),
        ("1.1", "Expect: 100-continue\r\n", Ok(true)),
        ("1.1", "Expect: 100-Continue\r\n", Ok(true)),
        ("1.1", "Expect:\r\n", Ok(false)),
        ("1.1", "Expect: 200-maybe\r\n", Err(417)),
        ("1.1", "Expect: 100-continue, x\r\n", Err(417)),
        ("1.0", "Expect: 100-continue\r\n", Ok(false)),
        ("1.0", "Expect: x\r\n", Ok(false)),
    ];
    for (version, lines, expected) in table {
        let head = whole(&format!("GET / HTTP/{version}\r\nHost: a\r\n{lines}\r\n"));
        assert_eq!(
            head.map(|head| head.expects_continue),
            expected,
            "{version} {lines:?}"
        );
    }
}

/// Numbers that look random and are the same in every run (xorshift64).
struct Dice(u64);

impl Dice {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % bound as u64) as usize
    }
}

#[test]
fn mutated_heads_are_refused_or_keep_every_promise() {
    let seeds = [
        &b"POST /v3/env HTTP/1.1\r\nHost: v3\r\nContent-Length: 20\r\nConnection: close\r\n\r\n"[..],
        b"GET http://h/v3/ping?x=y HTTP/1.0\r\nConnection: keep-alive\r\nExpect: 100-continue\r\n\r\n",
        b"PUT /x HTTP/1.1\r\nhost:a\r\nTransfer-Encoding: gzip, chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
    ];
    let pieces: [&[u8]; 12] = [
        b"\r\n",
        b"\n",
        b"\r",
        b" ",
        b":",
        b"\0",
        b"\xff",
        b",",
        b"Content-Length: 7\r\n",
        b"Transfer-Encoding: chunked\r\n",
        b"Host: b\r\n",
        b"99999999999999999999",
    ];
    let mut dice = Dice(0x9e37_79b9_7f4a_7c15);
    let (mut accepted, mut refused) = (0, 0);
    for _ in 0..200_000 {
        let mut bytes = seeds[dice.below(seeds.len())].to_vec();
        for _ in 0..=dice.below(4) {
            let at = dice.below(bytes.len());
            match dice.below(4) {
                0 => bytes[at] = dice.below(256) as u8,
                1 if bytes.len() > 1 => drop(bytes.remove(at)),
                2 => bytes.truncate(at + 1),
                _ => drop(bytes.splice(at..at, pieces[dice.below(pieces.len())].iter().copied())),
            }
        }
        match parse(&bytes) {
            Ok(None) => {}
            Ok(Some(head)) => {
                accepted += 1;
                promises(&head, &bytes);
            }
            Err(fault) => {
                refused += 1;
                assert!(
                    [400, 417, 431, 501, 505].contains(&fault.status),
                    "{fault:?}"
                );
            }
        }
    }
    assert!(
        accepted > 1_000 && refused > 1_000,
        "{accepted} accepted, {refused} refused"
    );
}

/// What holds for every accepted head, whatever it looks like.
fn promises(head: &Head, bytes: &[u8]) {
    let shown = String::from_utf8_lossy(bytes);
    assert!(head.length <= bytes.len(), "{shown:?}");
    assert!(bytes[..head.length].ends_with(b"\n"), "{shown:?}");
    assert!(head.path.starts_with('/') || head.path == "*", "{shown:?}");
    assert!(
        !head.path.contains(['?', ' ', '\r', '\n', '\0']),
        "{shown:?}"
    );
    assert!(is_host(head.host.as_bytes()), "{shown:?}");
    assert!(
        !head.host.is_empty()
            || shown.to_ascii_lowercase().contains("host:")
            || head.version == (1, 0),
        "{shown:?}"
    );
    // More input never changes the meaning of a complete head.
    let mut longer = bytes[..head.length].to_vec();
    longer.extend_from_slice(b"GET /other HTTP/1.1\r\nContent-Length: 3\r\n\r\n");
    assert_eq!(parse(&longer).unwrap().as_ref(), Some(head), "{shown:?}");
}
