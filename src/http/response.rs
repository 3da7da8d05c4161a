//! Answers: what a handler returns, and how its head looks on the wire.
//!
//! Pure but for [`StreamWriter`], which frames a streamed body. Called by the
//! handlers and the connection.

use std::borrow::Cow;
use std::fmt;
use std::io::{self, Write};
use std::mem;
use std::time::{Duration, Instant};

use tiny_http::StatusCode;

use super::stream::{Stream, Waited};
use crate::waker::Waker;

/// Writes a streamed body; returns when there is nothing more to say, or with the
/// error of a write or a wait when the client is gone.
///
/// What is written goes out when it is flushed or waited, or when there is much
/// of it. A source that has nothing to say for now calls [`StreamWriter::wait`]:
/// that is how it learns that the client has gone or the server stops.
pub type Source = Box<dyn FnOnce(&mut StreamWriter<'_>) -> io::Result<()> + Send>;

/// The body of an answer.
pub enum Body {
    /// All of it.
    Bytes(Vec<u8>),
    /// Made while it is sent: chunked, or until the connection closes if the
    /// client speaks HTTP/1.0.
    Stream(Source),
}

impl fmt::Debug for Body {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bytes(bytes) => write!(f, "{} bytes", bytes.len()),
            Self::Stream(_) => f.write_str("a stream"),
        }
    }
}

/// An answer to a request.
#[derive(Debug)]
pub struct Response {
    /// The HTTP status, 200 to 599.
    pub status: u16,
    /// Headers besides those of the framing, which the server adds: Connection,
    /// Content-Length and Transfer-Encoding.
    pub headers: Vec<(&'static str, Cow<'static, str>)>,
    /// The body.
    pub body: Body,
}

impl Response {
    /// An answer without a body.
    pub fn empty(status: u16) -> Self {
        Self {
            status,
            headers: Vec::new(),
            body: Body::Bytes(Vec::new()),
        }
    }

    /// An answer for people: one line (or several) of plain text, to which the
    /// final newline is added.
    pub fn text(status: u16, message: &str) -> Self {
        let mut text = String::with_capacity(message.len() + 1);
        text.push_str(message);
        text.push('\n');
        Self::with_body(status, "text/plain; charset=utf-8", text.into_bytes())
    }

    /// An answer with exactly this body.
    pub fn with_body(status: u16, content_type: &'static str, body: Vec<u8>) -> Self {
        Self {
            status,
            headers: vec![("Content-Type", Cow::Borrowed(content_type))],
            body: Body::Bytes(body),
        }
    }

    /// The same answer with one more header; its value must be one line.
    #[must_use]
    pub fn with_header(mut self, name: &'static str, value: impl Into<Cow<'static, str>>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    /// The body, which the answer has no more then.
    pub(super) fn take_body(&mut self) -> Body {
        mem::replace(&mut self.body, Body::Bytes(Vec::new()))
    }

    /// The head of this answer, up to and including the empty line.
    pub(super) fn head(&self, fate: Fate, framing: Framing) -> Vec<u8> {
        let mut head = Vec::with_capacity(256);
        push(
            &mut head,
            &["HTTP/1.1 ", decimal(self.status.into()).as_str(), " "],
        );
        push(
            &mut head,
            &[StatusCode(self.status).default_reason_phrase(), "\r\n"],
        );
        for (name, value) in &self.headers {
            push(&mut head, &[name, ": ", value, "\r\n"]);
        }
        match framing {
            Framing::None => {}
            Framing::Chunked => push(&mut head, &["Transfer-Encoding: chunked\r\n"]),
            Framing::Length(length) => {
                push(
                    &mut head,
                    &["Content-Length: ", decimal(length).as_str(), "\r\n"],
                );
            }
        }
        match fate {
            Fate::Close => push(&mut head, &["Connection: close\r\n\r\n"]),
            Fate::KeepAsAsked => push(&mut head, &["Connection: keep-alive\r\n\r\n"]),
            Fate::Keep => push(&mut head, &["\r\n"]),
        }
        head
    }
}

fn push(head: &mut Vec<u8>, parts: &[&str]) {
    for part in parts {
        head.extend_from_slice(part.as_bytes());
    }
}

fn decimal(number: usize) -> String {
    number.to_string()
}

/// What becomes of the connection after an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    /// It ends.
    Close,
    /// It stays, as is usual in HTTP/1.1.
    Keep,
    /// It stays, and a client that speaks HTTP/1.0 asked for it.
    KeepAsAsked,
}

/// How the end of an answer's body is marked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Framing {
    /// By the end of the connection, or there can be no body (204, 304).
    None,
    Length(usize),
    Chunked,
}

/// What a source writes to: collects, frames and sends.
pub struct StreamWriter<'a> {
    stream: &'a Stream,
    /// How long each flush may take.
    timeout: Duration,
    /// Whether to frame at all; HTTP/1.0 knows no chunks.
    chunked: bool,
    /// Whether the server stops.
    stopping: &'a dyn Fn() -> bool,
    /// Woken when there is news, or the server stops.
    waker: &'a Waker,
    pending: Vec<u8>,
}

impl<'a> StreamWriter<'a> {
    /// What is collected before it is sent without being flushed.
    const ENOUGH: usize = 8 << 10;

    pub(super) fn new(
        stream: &'a Stream,
        timeout: Duration,
        chunked: bool,
        stopping: &'a dyn Fn() -> bool,
        waker: &'a Waker,
    ) -> Self {
        Self {
            stream,
            timeout,
            chunked,
            stopping,
            waker,
            pending: Vec::new(),
        }
    }

    /// What ends a wait: for whoever has news.
    pub fn waker(&self) -> &Waker {
        self.waker
    }

    /// Whether the server stops: the source should come to its end.
    pub fn is_stopping(&self) -> bool {
        (self.stopping)()
    }

    /// Sends what there is, and waits until the waker is woken, which the server
    /// does when it stops. Costs nothing meanwhile.
    ///
    /// # Errors
    /// The client has gone, or does not take what is sent in time.
    pub fn wait(&mut self) -> io::Result<()> {
        self.send()?;
        // Silence may be long: it shall not hold memory.
        self.pending = Vec::new();
        match self.stream.wait_for(self.waker.fd(), None)? {
            Waited::News => {
                self.waker.reset();
                Ok(())
            }
            Waited::Gone | Waited::Late => Err(io::ErrorKind::BrokenPipe.into()),
        }
    }

    /// Sends what is left and marks the end.
    pub(super) fn finish(mut self) -> io::Result<()> {
        self.send()?;
        if self.chunked {
            self.write_now(b"0\r\n\r\n")?;
        }
        Ok(())
    }

    fn send(&mut self) -> io::Result<()> {
        if self.pending.is_empty() {
            return Ok(());
        }
        let data = mem::take(&mut self.pending);
        if !self.chunked {
            return self.write_now(&data);
        }
        let mut chunk = format!("{:x}\r\n", data.len()).into_bytes();
        chunk.extend_from_slice(&data);
        chunk.extend_from_slice(b"\r\n");
        self.write_now(&chunk)
    }

    fn write_now(&self, bytes: &[u8]) -> io::Result<()> {
        self.stream.write_all(bytes, Instant::now() + self.timeout)
    }
}

impl Write for StreamWriter<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.pending.extend_from_slice(bytes);
        if self.pending.len() >= Self::ENOUGH {
            self.send()?;
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        if self.is_stopping() || self.stream.is_hung_up() {
            return Err(io::ErrorKind::BrokenPipe.into());
        }
        self.send()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn head(response: &Response, fate: Fate, framing: Framing) -> String {
        String::from_utf8_lossy(&response.head(fate, framing)).into_owned()
    }

    #[test]
    fn heads_hold_what_is_needed_and_nothing_else() {
        assert_eq!(
            head(&Response::empty(200), Fate::Keep, Framing::Length(0)),
            "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"
        );
        assert_eq!(
            head(&Response::text(422, "no"), Fate::Close, Framing::Length(3)),
            "HTTP/1.1 422 Unprocessable Entity\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: 3\r\nConnection: close\r\n\r\n"
        );
        let allow = Response::empty(405).with_header("Allow", "GET, HEAD");
        assert_eq!(
            head(&allow, Fate::KeepAsAsked, Framing::Chunked),
            "HTTP/1.1 405 Method Not Allowed\r\nAllow: GET, HEAD\r\nTransfer-Encoding: chunked\r\nConnection: keep-alive\r\n\r\n"
        );
        assert_eq!(
            head(&Response::empty(204), Fate::Keep, Framing::None),
            "HTTP/1.1 204 No Content\r\n\r\n"
        );
    }

    #[test]
    fn text_gets_its_final_newline() {
        let response = Response::text(400, "wrong");
        assert!(matches!(response.body, Body::Bytes(bytes) if bytes == b"wrong\n"));
    }
}
