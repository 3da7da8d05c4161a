//! Following a stream of the control plane: its bytes as they come, for as long
//! as it lasts (SPEC §16).
//!
//! What is kept is one chunk of the answer. Called by the subcommands, for which
//! it prints nothing.

use std::os::fd::BorrowedFd;
use std::path::Path;
use std::time::{Duration, Instant};

use super::{Answer, Cause, Error, Exchange, MAX_ANSWER, head, header, split, status};
use crate::control::api::{EVENTS, LOGS, encode};
use crate::unix_socket;

/// How long the answer to the question may take to begin.
const BEGINNING: Duration = Duration::from_secs(10);

/// No stream lasts longer.
const FOR_EVER: Duration = Duration::from_secs(3600 * 24 * 365 * 10);

/// A stream whose beginning has come: all that happens from now on will be in it.
pub struct Stream<'a> {
    socket: &'a Path,
    exchange: Exchange,
    /// What was read and not been handed over.
    unread: Vec<u8>,
}

/// `-events`: those from now on, or those after a number.
///
/// # Errors
/// If there is no such stream to be had.
pub fn events(socket: &Path, since: Option<u64>) -> Result<Stream<'_>, Error> {
    let query = since.map(|since| format!("?since={since}"));
    Stream::open(socket, EVENTS, &query.unwrap_or_default())
}

/// Which lines of the log.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Lines<'a> {
    /// Those of this job; all, if it is nobody's.
    pub job: Option<&'a str>,
    /// The last ones, so many of them; all that are there.
    pub last: Option<u64>,
}

impl Lines<'_> {
    fn target(self, follow: &str) -> String {
        let mut query = String::new();
        if let Some(job) = self.job {
            query += &format!("&job={}", encode(job));
        }
        if let Some(last) = self.last {
            query += &format!("&lines={last}");
        }
        format!("?{follow}{query}")
    }
}

/// `-logs`: the lines that are there now, byte by byte.
///
/// # Errors
/// If there are none to be had.
pub fn logs(socket: &Path, lines: Lines<'_>) -> Result<Vec<u8>, Error> {
    let target = format!("{LOGS}{}", lines.target(""));
    super::exchange_bytes(socket, "GET", &target, "", BEGINNING)
}

/// `-logs -follow`: the lines that are there now, and those that follow.
///
/// # Errors
/// If there is no such stream to be had.
pub fn follow_logs<'a>(socket: &'a Path, lines: Lines<'_>) -> Result<Stream<'a>, Error> {
    Stream::open(socket, LOGS, &lines.target("follow"))
}

impl<'a> Stream<'a> {
    fn open(socket: &'a Path, path: &str, query: &str) -> Result<Self, Error> {
        let failed = |cause| Error {
            socket: socket.to_owned(),
            cause,
        };
        let mut exchange = Exchange::start(socket, BEGINNING).map_err(failed)?;
        let request =
            format!("GET {path}{query} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
        let unread = begin(&mut exchange, request.as_bytes()).map_err(failed)?;
        exchange.end = Instant::now() + FOR_EVER;
        Ok(Self {
            socket,
            exchange,
            unread,
        })
    }

    /// Waits no longer than until `end` from now on, which is `allowed` in all.
    pub fn ends_by(&mut self, end: Instant, allowed: Duration) {
        self.exchange.end = end;
        self.exchange.allowed = allowed;
    }

    /// Waits for the next bytes, or the end; `false` if nobody is left before who
    /// reads `output`: silence may be long.
    pub fn has_more_for(&self, output: BorrowedFd<'_>) -> bool {
        if !matches!(chunk(&self.unread), Ok(None)) {
            return true;
        }
        unix_socket::has_more_for(&self.exchange.stream, output)
    }

    /// The next bytes; nothing at the end of the stream.
    ///
    /// # Errors
    /// If the stream is cut off, or its time is over.
    pub fn more(&mut self) -> Result<Option<Vec<u8>>, Error> {
        self.chunk().map_err(|cause| Error {
            socket: self.socket.to_owned(),
            cause,
        })
    }

    fn chunk(&mut self) -> Result<Option<Vec<u8>>, Cause> {
        loop {
            if let Some((data, used)) = chunk(&self.unread)? {
                let data = data.to_vec();
                self.unread.drain(..used);
                return Ok(Some(data).filter(|data| !data.is_empty()));
            }
            if !read_more(&mut self.exchange, &mut self.unread)? {
                return Err(Cause::CutOff);
            }
        }
    }
}

/// Asks, and reads the head of the answer; what came behind it. Any other answer
/// than a stream is an error.
fn begin(exchange: &mut Exchange, request: &[u8]) -> Result<Vec<u8>, Cause> {
    let _answered_before = exchange.send(request)?;
    let mut bytes = Vec::new();
    loop {
        let is_open = read_more(exchange, &mut bytes)?;
        if let Some((head, rest)) = head(&bytes)?
            && status(head) == Some(200)
        {
            let is_stream = header(head, "transfer-encoding").is_some();
            return is_stream.then(|| rest.to_vec()).ok_or(Cause::NotHttp);
        }
        if let Some(Answer { status, body }) = Answer::parse(&bytes, !is_open)? {
            let message = super::text(&body);
            return Err(Cause::Status { status, message });
        }
        if !is_open {
            return Err(Cause::CutOff);
        }
    }
}

/// Reads what there is; `false` at the end of the connection.
fn read_more(exchange: &mut Exchange, bytes: &mut Vec<u8>) -> Result<bool, Cause> {
    let mut piece = [0; 4096];
    let count = exchange.receive(&mut piece)?.unwrap_or(0);
    bytes.extend_from_slice(piece.get(..count).unwrap_or_default());
    if bytes.len() > MAX_ANSWER {
        return Err(Cause::TooLarge);
    }
    Ok(count > 0)
}

/// The data of the first chunk, which is none at the end of the stream, and how
/// long it is with its framing; nothing if it is not complete.
fn chunk(bytes: &[u8]) -> Result<Option<(&[u8], usize)>, Cause> {
    let Some((line, rest)) = split(bytes, b"\r\n") else {
        return Ok(None);
    };
    let line = str::from_utf8(line).map_err(|_| Cause::NotHttp)?;
    let size = usize::from_str_radix(line, 16).map_err(|_| Cause::NotHttp)?;
    if size > MAX_ANSWER {
        return Err(Cause::TooLarge);
    }
    match rest.get(..size + 2) {
        None => Ok(None),
        Some(framed) => match framed.strip_suffix(b"\r\n") {
            Some(data) => Ok(Some((data, bytes.len() - rest.len() + framed.len()))),
            None => Err(Cause::NotHttp),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_chunk_is_taken_when_it_is_complete() {
        for (bytes, expected) in [
            ("", None),
            ("3\r", None),
            ("3\r\nabc\r", None),
            ("3\r\nabc\r\n", Some(("abc", 8))),
            ("3\r\nabc\r\n0\r\n\r\n", Some(("abc", 8))),
            ("0\r\n\r\n", Some(("", 5))),
        ] {
            let found = chunk(bytes.as_bytes());
            let expected = expected.map(|(data, used)| (data.as_bytes(), used));
            assert_eq!(found.ok(), Some(expected), "{bytes:?}");
        }
        for bytes in ["x\r\n", "-1\r\n", "3\r\nabcde", "ffffffffffff\r\n"] {
            assert!(chunk(bytes.as_bytes()).is_err(), "{bytes:?}");
        }
    }

    #[test]
    fn queries_name_what_is_wanted() {
        let all = Lines::default();
        let some = Lines {
            job: Some("/bin/a"),
            last: Some(5),
        };
        assert_eq!(all.target("follow"), "?follow");
        assert_eq!(some.target(""), "?&job=%2Fbin%2Fa&lines=5");
    }
}
