//! The answer to a check's request: as much of it as is needed to judge it, and
//! never more than a bounded part (RFC 9112).

use std::io::{self, ErrorKind, Read};

use super::connection::is_timeout;
use crate::http::chunked::Decoder;

/// The longest head that is read, with all interim answers before it.
const HEAD: usize = 16 << 10;

/// How much of a body is read; what comes after it is left where it is.
const BODY: usize = 64 << 10;

/// How much is read at a time.
const PIECE: usize = 4 << 10;

/// An answer.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Response {
    /// The status, which is a final one.
    pub(super) status: u16,
    /// Where it redirects to.
    pub(super) location: Option<String>,
    /// The beginning of its body, without any framing.
    pub(super) body: Vec<u8>,
}

/// Why there is no answer that can be judged.
#[derive(Debug)]
pub(super) enum Fault {
    /// Nothing came in time.
    Silent,
    /// What came in time has no end.
    Unfinished,
    /// Closed before the answer was complete.
    CutOff,
    /// What came is no HTTP answer.
    NotHttp,
    /// What came is TLS.
    Secure,
    /// Its head has no end.
    HeadTooLarge,
    /// The kernel or TLS says why.
    Io(io::Error),
}

/// How the end of a body is told (RFC 9112, 6.3).
#[derive(Debug, PartialEq, Eq)]
enum Framing {
    Length(u64),
    Chunked,
    UntilClosed,
}

/// What a head says that matters here.
#[derive(Debug, PartialEq, Eq)]
struct Head {
    status: u16,
    framing: Framing,
    location: Option<String>,
}

/// Reads an answer; `has_body` is false for the answer to HEAD.
pub(super) fn read(from: &mut impl Read, has_body: bool) -> Result<Response, Fault> {
    let mut input = Input {
        from,
        bytes: Vec::new(),
    };
    let mut allowed = HEAD;
    let head = loop {
        let length = input.head_length(allowed)?;
        allowed -= length;
        let text: Vec<u8> = input.bytes.drain(..length).collect();
        let head = head(&String::from_utf8_lossy(&text)).ok_or(Fault::NotHttp)?;
        // Others are interim answers, such as 100; the real one follows.
        if head.status >= 200 {
            break head;
        }
    };
    let body = match has_body && !matches!(head.status, 204 | 304) {
        true => input.body(&head.framing)?,
        false => Vec::new(),
    };
    Ok(Response {
        status: head.status,
        location: head.location,
        body,
    })
}

/// What has been received and not been understood yet.
struct Input<'s, S> {
    from: &'s mut S,
    bytes: Vec<u8>,
}

impl<S: Read> Input<'_, S> {
    /// Receives more; false at the end.
    fn more(&mut self) -> Result<bool, Fault> {
        let mut piece = [0; PIECE];
        let count = match self.from.read(&mut piece) {
            Ok(count) => count,
            // One that does not say goodbye has closed all the same.
            Err(error) if matches!(error.kind(), ErrorKind::UnexpectedEof) => 0,
            Err(error) if is_timeout(&error) && self.bytes.is_empty() => return Err(Fault::Silent),
            Err(error) if is_timeout(&error) => return Err(Fault::Unfinished),
            Err(error) => return Err(Fault::Io(error)),
        };
        self.bytes
            .extend_from_slice(piece.get(..count).unwrap_or_default());
        Ok(count > 0)
    }

    /// Receives a whole head; how long it is, the empty line included.
    fn head_length(&mut self, allowed: usize) -> Result<usize, Fault> {
        loop {
            if let Some(length) = length_of_head(&self.bytes) {
                return match length <= allowed {
                    true => Ok(length),
                    false => Err(Fault::HeadTooLarge),
                };
            }
            let beginning: &[u8] = b"HTTP/1.";
            let known = self.bytes.len().min(beginning.len());
            if self.bytes.get(..known) != beginning.get(..known) {
                // An alert, about a request that is none in TLS (RFC 8446, 5.1).
                return Err(match self.bytes.starts_with(&[0x15, 3]) {
                    true => Fault::Secure,
                    false => Fault::NotHttp,
                });
            }
            if self.bytes.len() > allowed {
                return Err(Fault::HeadTooLarge);
            }
            if !self.more()? {
                return Err(Fault::CutOff);
            }
        }
    }

    /// Receives the body, or as much of it as is read.
    fn body(mut self, framing: &Framing) -> Result<Vec<u8>, Fault> {
        let mut body = match framing {
            Framing::Chunked => return self.chunks(),
            Framing::UntilClosed => {
                while self.bytes.len() < BODY && self.unfinished()? {}
                self.bytes
            }
            Framing::Length(length) => {
                let length = usize::try_from(*length).unwrap_or(BODY).min(BODY);
                while self.bytes.len() < length {
                    if !self.unfinished()? {
                        return Err(Fault::CutOff);
                    }
                }
                self.bytes.truncate(length);
                self.bytes
            }
        };
        body.truncate(BODY);
        Ok(body)
    }

    fn chunks(&mut self) -> Result<Vec<u8>, Fault> {
        let mut decoder = Decoder::new(usize::MAX);
        let mut body = Vec::new();
        loop {
            let used = decoder.decode(&self.bytes, &mut body);
            self.bytes.drain(..used.map_err(|_| Fault::NotHttp)?);
            if decoder.is_done() || body.len() >= BODY {
                body.truncate(BODY);
                return Ok(body);
            }
            if !self.unfinished()? {
                return Err(Fault::CutOff);
            }
        }
    }

    /// As [`Input::more`], behind the head: silence is not the first word here.
    fn unfinished(&mut self) -> Result<bool, Fault> {
        self.more().map_err(|fault| match fault {
            Fault::Silent => Fault::Unfinished,
            other => other,
        })
    }
}

/// The length of the head in `bytes` with its empty line; a bare LF ends a line,
/// too (RFC 9112, 2.2).
fn length_of_head(bytes: &[u8]) -> Option<usize> {
    let mut at = 0;
    for line in bytes.split_inclusive(|byte| *byte == b'\n') {
        at += line.len();
        if line == b"\r\n" || line == b"\n" {
            return Some(at);
        }
    }
    None
}

/// What a head says, if it is one.
fn head(text: &str) -> Option<Head> {
    let mut lines = text.lines();
    let mut words = lines.next()?.split(' ');
    let is_http = words.next().is_some_and(|word| word.starts_with("HTTP/1."));
    let status = words.next().filter(|word| is_http && word.len() == 3)?;
    let mut head = Head {
        status: status
            .parse()
            .ok()
            .filter(|status| (100..=599).contains(status))?,
        framing: Framing::UntilClosed,
        location: None,
    };
    for line in lines {
        let Some((name, value)) = line.split_once(':') else {
            continue;
        };
        let (name, value) = (name.to_ascii_lowercase(), value.trim());
        match name.as_str() {
            "transfer-encoding" => {
                let chunked = value.to_ascii_lowercase().ends_with("chunked");
                head.framing = match chunked {
                    true => Framing::Chunked,
                    false => Framing::UntilClosed,
                };
            }
            "content-length" if head.framing != Framing::Chunked => {
                head.framing = Framing::Length(value.parse().ok()?);
            }
            "location" => head.location = Some(value.to_owned()),
            _ => {}
        }
    }
    Some(head)
}

#[cfg(test)]
mod tests;
