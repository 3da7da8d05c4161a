//! Answers as servers send them, in pieces of every size, and those that no
//! server should send.

#![allow(clippy::unwrap_used, clippy::panic)]

use super::*;

/// A peer that says `text` so many bytes at a time, then `rest` without end, and
/// then ends as it is told.
struct Peer<'t> {
    text: &'t [u8],
    step: usize,
    rest: Option<u8>,
    end: Option<ErrorKind>,
    taken: usize,
}

impl<'t> Peer<'t> {
    fn saying(text: &'t str, step: usize) -> Self {
        Self {
            text: text.as_bytes(),
            step,
            rest: None,
            end: None,
            taken: 0,
        }
    }

    fn then_for_ever(mut self, byte: u8) -> Self {
        self.rest = Some(byte);
        self
    }

    fn then(mut self, end: ErrorKind) -> Self {
        self.end = Some(end);
        self
    }
}

impl Read for Peer<'_> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let count = self.text.len().min(self.step).min(into.len());
        if count > 0 {
            let (now, later) = self.text.split_at(count);
            into[..count].copy_from_slice(now);
            self.text = later;
        } else if let Some(byte) = self.rest {
            into.fill(byte);
            self.taken += into.len();
            return Ok(into.len());
        } else if let Some(end) = self.end {
            return Err(end.into());
        }
        self.taken += count;
        Ok(count)
    }
}

fn said(text: &str, step: usize, has_body: bool) -> Result<(u16, String), String> {
    let mut peer = Peer::saying(text, step);
    match read(&mut peer, has_body) {
        Ok(Response { status, body, .. }) => Ok((status, String::from_utf8(body).unwrap())),
        Err(fault) => Err(format!("{fault:?}")),
    }
}

#[test]
fn a_body_ends_where_its_framing_says_however_it_is_cut() {
    for (text, status, body) in [
        ("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", 200, "ok"),
        (
            "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok more",
            200,
            "ok",
        ),
        ("HTTP/1.0 200 OK\r\n\r\nto the end", 200, "to the end"),
        ("HTTP/1.1 200 OK\n\nbare line feeds", 200, "bare line feeds"),
        ("HTTP/1.1 503\r\ncontent-length:0\r\n\r\n", 503, ""),
        (
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nre\r\n3;x\r\nady\r\n0\r\nA: b\r\n\r\n",
            200,
            "ready",
        ),
        (
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, Chunked\r\nContent-Length: 9\r\n\r\n1\r\nx\r\n0\r\n\r\n",
            200,
            "x",
        ),
        (
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\nabc",
            200,
            "abc",
        ),
        ("HTTP/1.1 204 No\r\nContent-Length: 5\r\n\r\n", 204, ""),
        ("HTTP/1.1 304 No\r\n\r\n", 304, ""),
        (
            "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Hints\r\nA: b\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n!",
            200,
            "!",
        ),
        (
            "HTTP/1.1 200 OK\r\nnonsense\r\nContent-Length: 1\r\n\r\n!",
            200,
            "!",
        ),
    ] {
        for step in [1, 2, 3, 7, text.len()] {
            let expected = Ok((status, body.to_owned()));
            assert_eq!(said(text, step, true), expected, "{text:?} by {step}");
        }
    }
}

#[test]
fn the_answer_to_head_has_no_body_whatever_it_says() {
    for framing in ["Content-Length: 5", "Transfer-Encoding: chunked", "X: y"] {
        let text = format!("HTTP/1.1 200 OK\r\n{framing}\r\n\r\n");
        assert_eq!(said(&text, 9, false), Ok((200, String::new())), "{framing}");
    }
}

#[test]
fn half_an_answer_and_what_is_none_are_told_apart() {
    for (text, fault) in [
        ("", "CutOff"),
        ("HTT", "CutOff"),
        ("HTTP/1.1 200 OK\r\n", "CutOff"),
        ("HTTP/1.1 100 Continue\r\n\r\n", "CutOff"),
        ("HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nok", "CutOff"),
        (
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nok",
            "CutOff",
        ),
        (
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\n!\r\n",
            "CutOff",
        ),
        (
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
            "NotHttp",
        ),
        ("HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n", "NotHttp"),
        ("HTTP/1.1 20 OK\r\n\r\n", "NotHttp"),
        ("HTTP/1.1 2000 OK\r\n\r\n", "NotHttp"),
        ("HTTP/1.1 +20 OK\r\n\r\n", "NotHttp"),
        ("HTTP/1.1\r\n\r\n", "NotHttp"),
        ("HTTP/2 200 OK\r\n\r\n", "NotHttp"),
        ("SSH-2.0-OpenSSH_9\r\n", "NotHttp"),
        ("\x15\x03\x03\0\x02", "Secure"),
    ] {
        let said = said(text, 64, true);
        assert_eq!(said, Err(fault.to_owned()), "{text:?}");
    }
}

#[test]
fn silence_and_slowness_are_told_apart() {
    let head = "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n";
    for (text, fault) in [
        ("", "Silent"),
        ("HTTP/1.1 2", "Unfinished"),
        (head, "Unfinished"),
        ("HTTP/1.1 200 OK\r\n\r\n", "Unfinished"),
    ] {
        for end in [ErrorKind::TimedOut, ErrorKind::WouldBlock] {
            let why = read(&mut Peer::saying(text, 64).then(end), true).unwrap_err();
            assert_eq!(format!("{why:?}"), fault, "{text:?}");
        }
    }
    let mut peer = Peer::saying(head, 64).then(ErrorKind::ConnectionReset);
    assert!(matches!(read(&mut peer, true), Err(Fault::Io(_))));
    // TLS that ends without its goodbye.
    let mut peer = Peer::saying("HTTP/1.1 200 OK\r\n\r\nok", 64).then(ErrorKind::UnexpectedEof);
    assert_eq!(read(&mut peer, true).unwrap().body, b"ok");
}

#[test]
fn no_more_is_read_than_is_looked_at() {
    let endless = [
        ("HTTP/1.1 200 OK\r\n\r\n", b'x'),
        (
            "HTTP/1.1 200 OK\r\nContent-Length: 18446744073709551615\r\n\r\n",
            b'x',
        ),
        (
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n7fffffffffffffff\r\n",
            b'x',
        ),
    ];
    for (text, byte) in endless {
        let mut peer = Peer::saying(text, 999).then_for_ever(byte);
        let answer = read(&mut peer, true).unwrap();
        assert_eq!((answer.status, answer.body.len()), (200, BODY), "{text}");
        assert!(peer.taken <= BODY + 2 * PIECE, "{} bytes", peer.taken);
    }
    for text in [
        "HTTP/1.1 200 OK\r\nA: ",
        "HTTP/1.1 ",
        "HTTP/1.1 200 OK\r\nA: b",
    ] {
        let mut peer = Peer::saying(text, 999).then_for_ever(b'x');
        assert!(matches!(read(&mut peer, true), Err(Fault::HeadTooLarge)));
        assert!(peer.taken <= HEAD + 2 * PIECE, "{} bytes", peer.taken);
    }
    // Interim answers are part of what a head may have.
    let interim = "HTTP/1.1 103 Hints\r\nA: b\r\n\r\n".repeat(1000);
    let mut peer = Peer::saying(&interim, 4096);
    assert!(matches!(read(&mut peer, true), Err(Fault::HeadTooLarge)));
}

#[test]
fn the_place_of_a_redirect_is_found() {
    let text = "HTTP/1.1 302 Found\r\nLOCATION:  /login?x \r\nContent-Length: 0\r\n\r\n";
    let answer = read(&mut Peer::saying(text, 5), true).unwrap();
    assert_eq!(answer.location.as_deref(), Some("/login?x"));
}
