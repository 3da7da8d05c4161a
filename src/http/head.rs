//! The head of a request: bytes in, its meaning or the reason for refusing it out
//! (RFC 9112).
//!
//! Pure. Called by the connection whenever there may be more to see.

use std::str::FromStr;

use httparse::Status;
use tiny_http::{HTTPVersion, Method};

/// The most headers that a request may have.
const HEADERS: usize = 64;

/// Why a request is refused by the server itself; the connection ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Fault {
    pub(super) status: u16,
    pub(super) reason: &'static str,
}

impl Fault {
    pub(super) const BODY_TOO_LARGE: Self = Self::new(413, "the body is too large");
    pub(super) const NO_MEMORY: Self = Self::new(503, "there is no memory for the body now");
    pub(super) const HEAD_TOO_LARGE: Self = Self::new(431, "the head of the request is too large");
    pub(super) const CUT_OFF: Self = Self::bad("the request ended before it was complete");
    pub(super) const TOO_SLOW: Self = Self::new(408, "the request did not arrive in time");

    pub(super) const fn new(status: u16, reason: &'static str) -> Self {
        Self { status, reason }
    }

    /// A request that breaks the rules.
    pub(super) const fn bad(reason: &'static str) -> Self {
        Self::new(400, reason)
    }
}

/// How the end of a request's body is found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Framing {
    /// After this many bytes; 0 if there is no body.
    Length(u64),
    Chunked,
}

/// What the head of a request says.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Head {
    /// How many bytes the head took, with what was skipped before it.
    pub(super) length: usize,
    pub(super) method: Method,
    pub(super) path: String,
    pub(super) query: String,
    pub(super) host: String,
    pub(super) accept: String,
    pub(super) version: HTTPVersion,
    pub(super) framing: Framing,
    /// Whether the client wants to go on with this connection.
    pub(super) keep_alive: bool,
    /// Whether the client waits for `100 Continue` before it sends the body.
    pub(super) expects_continue: bool,
}

/// The head at the beginning of `bytes`, or `None` if it is not complete.
pub(super) fn parse(bytes: &[u8]) -> Result<Option<Head>, Fault> {
    let mut headers = [httparse::EMPTY_HEADER; HEADERS];
    let mut request = httparse::Request::new(&mut headers);
    let length = match request.parse(bytes) {
        Ok(Status::Complete(length)) => length,
        Ok(Status::Partial) => return Ok(None),
        Err(error) => return Err(syntax_fault(error, bytes)),
    };
    let (Some(method), Some(target), Some(minor)) = (request.method, request.path, request.version)
    else {
        return Ok(None);
    };
    let version = HTTPVersion(1, minor);
    let headers = Headers(request.headers);
    let method = Method::from_str(method).map_err(|()| Fault::bad("the method is not a name"))?;
    let target = Target::parse(&method, target)?;
    let host = match target.host {
        Some(host) => host,
        None => headers.host(&version)?,
    };
    Ok(Some(Head {
        length,
        path: target.path.to_owned(),
        query: target.query.to_owned(),
        host: host.to_owned(),
        accept: headers.accept(),
        framing: headers.framing(&version)?,
        keep_alive: headers.keep_alive(&version),
        expects_continue: headers.expects_continue(&version)?,
        method,
        version,
    }))
}

/// What a failure of the parser means for the client.
fn syntax_fault(error: httparse::Error, bytes: &[u8]) -> Fault {
    match error {
        httparse::Error::TooManyHeaders => Fault::new(431, "the request has too many headers"),
        httparse::Error::Version if names_a_version(bytes) => {
            Fault::new(505, "only HTTP/1.0 and HTTP/1.1 are spoken here")
        }
        httparse::Error::HeaderName => Fault::bad("the name of a header is malformed"),
        httparse::Error::HeaderValue => Fault::bad("the value of a header is malformed"),
        _ => Fault::bad("the request line is malformed"),
    }
}

/// Whether the request line has its three words, and the last is the name of some
/// version of HTTP.
fn names_a_version(bytes: &[u8]) -> bool {
    let line = bytes
        .split(|byte| *byte == b'\n' || *byte == b'\r')
        .find(|line| !line.is_empty())
        .unwrap_or_default();
    let mut words = line.split(|byte| *byte == b' ').skip(2);
    let (version, rest) = (words.next().unwrap_or_default(), words.next());
    let number = version.strip_prefix(b"HTTP/").and_then(<[u8]>::first);
    rest.is_none() && number.is_some_and(u8::is_ascii_digit)
}

/// The parts of a request's target (RFC 9112 §3.2).
struct Target<'a> {
    path: &'a str,
    query: &'a str,
    host: Option<&'a str>,
}

impl<'a> Target<'a> {
    fn parse(method: &Method, target: &'a str) -> Result<Self, Fault> {
        if *method == Method::Connect {
            return Err(Fault::new(501, "this server is no proxy"));
        }
        if target == "*" && *method == Method::Options {
            return Ok(Self {
                path: target,
                query: "",
                host: None,
            });
        }
        let (host, rest) = match without_scheme(target) {
            Some(rest) => {
                let end = rest.find(['/', '?']).unwrap_or(rest.len());
                let (host, rest) = rest.split_at(end);
                (Some(host), rest)
            }
            None if target.starts_with('/') => (None, target),
            None => return Err(Fault::bad("the target is neither a path nor an http URL")),
        };
        if host.is_some_and(|host| host.is_empty() || !is_host(host.as_bytes())) {
            return Err(Fault::bad("the host in the target is malformed"));
        }
        let (path, query) = rest.split_once('?').unwrap_or((rest, ""));
        let path = if path.is_empty() { "/" } else { path };
        Ok(Self { path, query, host })
    }
}

fn without_scheme(target: &str) -> Option<&str> {
    let (scheme, rest) = target.split_once("://")?;
    (scheme.eq_ignore_ascii_case("http") || scheme.eq_ignore_ascii_case("https")).then_some(rest)
}

/// Whether these are the characters of `host[:port]` (RFC 3986 §3.2).
fn is_host(value: &[u8]) -> bool {
    value
        .iter()
        .all(|byte| byte.is_ascii_alphanumeric() || b"-._~!$&'()*+,;=%:[]".contains(byte))
}

/// The headers of a request, with what they mean together.
struct Headers<'a>(&'a [httparse::Header<'a>]);

impl<'a> Headers<'a> {
    /// The values of all headers of this name.
    fn all(&self, name: &'static str) -> impl Iterator<Item = &'a [u8]> {
        self.0
            .iter()
            .filter(move |header| header.name.eq_ignore_ascii_case(name))
            .map(|header| header.value.trim_ascii())
    }

    /// The elements of all headers of this name, which are comma-separated lists.
    fn list(&self, name: &'static str) -> impl Iterator<Item = &'a [u8]> {
        self.all(name)
            .flat_map(|value| value.split(|byte| *byte == b','))
            .map(<[u8]>::trim_ascii)
    }

    /// RFC 9112 §3.2: one in HTTP/1.1, at most one before.
    fn host(&self, version: &HTTPVersion) -> Result<&'a str, Fault> {
        let mut hosts = self.all("host");
        let host = match hosts.next() {
            Some(host) => host,
            None if *version == (1, 0) => b"",
            None => return Err(Fault::bad("the Host header is missing")),
        };
        if hosts.next().is_some() {
            return Err(Fault::bad("there is more than one Host header"));
        }
        match str::from_utf8(host) {
            Ok(text) if is_host(host) => Ok(text),
            _ => Err(Fault::bad("the Host header is malformed")),
        }
    }

    /// RFC 9110 §12.5.1; several headers are one list (§5.3).
    fn accept(&self) -> String {
        let values: Vec<_> = self.all("accept").map(String::from_utf8_lossy).collect();
        values.join(",")
    }

    /// RFC 9112 §6.1 to §6.3.
    fn framing(&self, version: &HTTPVersion) -> Result<Framing, Fault> {
        let mut codings = self.list("transfer-encoding").peekable();
        let lengths = self.list("content-length");
        if codings.peek().is_none() {
            return content_length(lengths).map(Framing::Length);
        }
        if self.all("content-length").next().is_some() {
            return Err(Fault::bad(
                "there are both Content-Length and Transfer-Encoding",
            ));
        }
        if *version == (1, 0) {
            return Err(Fault::bad("HTTP/1.0 has no Transfer-Encoding"));
        }
        let is_chunked = |coding: &[u8]| coding.eq_ignore_ascii_case(b"chunked");
        let first = codings.next().unwrap_or_default();
        match codings.last() {
            None if is_chunked(first) => Ok(Framing::Chunked),
            Some(last) if is_chunked(last) && !is_chunked(first) => Err(Fault::new(
                501,
                "the only transfer coding understood is chunked",
            )),
            _ => Err(Fault::bad(
                "the last transfer coding is not chunked, or chunked comes twice",
            )),
        }
    }

    /// RFC 9112 §9.3.
    fn keep_alive(&self, version: &HTTPVersion) -> bool {
        let has = |option: &[u8]| {
            self.list("connection")
                .any(|token| token.eq_ignore_ascii_case(option))
        };
        !has(b"close") && (*version >= (1, 1) || has(b"keep-alive"))
    }

    /// RFC 9110 §10.1.1: HTTP/1.0 has no expectations.
    fn expects_continue(&self, version: &HTTPVersion) -> Result<bool, Fault> {
        let mut expectations = self
            .list("expect")
            .filter(|value| !value.is_empty())
            .peekable();
        if *version == (1, 0) || expectations.peek().is_none() {
            return Ok(false);
        }
        if expectations.all(|value| value.eq_ignore_ascii_case(b"100-continue")) {
            return Ok(true);
        }
        Err(Fault::new(417, "the only expectation met is 100-continue"))
    }
}

/// The one length that all the values say; 0 if there are none.
fn content_length<'a>(mut values: impl Iterator<Item = &'a [u8]>) -> Result<u64, Fault> {
    let Some(first) = values.next() else {
        return Ok(0);
    };
    let length = number(first)?;
    if values.all(|value| number(value) == Ok(length)) {
        return Ok(length);
    }
    Err(Fault::bad("the Content-Length headers differ"))
}

/// Digits and nothing else, in contrast to what std parses.
fn number(digits: &[u8]) -> Result<u64, Fault> {
    str::from_utf8(digits)
        .ok()
        .filter(|text| text.bytes().all(|byte| byte.is_ascii_digit()))
        .and_then(|text| text.parse().ok())
        .ok_or(Fault::bad("the Content-Length is not a number"))
}

#[cfg(test)]
mod tests;
