//! The client side of the control plane: one HTTP/1.1 exchange over the Unix
//! socket per subcommand, in small and plain code.
//!
//! Every exchange has one total deadline over connecting, writing and reading,
//! and a bounded answer. Called by the command line's subcommands; prints
//! nothing, starts no thread, reads no configuration.

pub mod jobs;
pub mod stream;
pub mod wait;

use std::fmt;
use std::fs;
use std::io::{self, ErrorKind, Read, Write};
use std::os::unix::fs::FileTypeExt;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use serde_json::{Map, Value};

use crate::control::api::{self, Endpoint};
use crate::control::request::Reload;
use crate::unix_socket;

/// The largest answer that is read, head included.
const MAX_ANSWER: usize = 16 << 20;

/// The longest head of an answer.
const MAX_HEAD: usize = 64 << 10;

/// Why a subcommand failed, and at which socket.
#[derive(Debug)]
pub struct Error {
    /// The control socket.
    pub socket: PathBuf,
    /// What went wrong there.
    pub cause: Cause,
}

/// What can go wrong in an exchange.
#[derive(Debug)]
pub enum Cause {
    /// There is no file at the path.
    NoSocket,
    /// There is a file, but it is not a socket.
    NotASocket,
    /// There is a socket, but no process accepts on it.
    NobodyListens,
    /// The socket's mode, or that of a directory above, forbids it.
    PermissionDenied,
    /// The total deadline, given here, passed.
    TimedOut(Duration),
    /// The other side closed before the answer was complete.
    CutOff,
    /// The answer is larger than this client reads.
    TooLarge,
    /// What came back is no HTTP answer.
    NotHttp,
    /// The supervisor answered, but not with 2xx.
    Status {
        /// The HTTP status.
        status: u16,
        /// What the supervisor said, without a final newline.
        message: String,
    },
    /// Something else that the kernel said.
    Io(io::Error),
}

impl fmt::Display for Error {
    /// One line: where, and why.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let socket = &self.socket;
        match &self.cause {
            Cause::Status { status, message } => {
                write!(f, "the supervisor at {socket:?} answered {status}")?;
                let mut separator = ": ";
                for line in message
                    .lines()
                    .map(str::trim)
                    .filter(|line| !line.is_empty())
                {
                    write!(f, "{separator}{line}")?;
                    separator = "; ";
                }
                Ok(())
            }
            Cause::CutOff => write!(
                f,
                "the supervisor at {socket:?} closed the connection before its answer was complete"
            ),
            Cause::TooLarge => write!(
                f,
                "the answer from {socket:?} is larger than {} MiB",
                MAX_ANSWER >> 20
            ),
            Cause::NotHttp => write!(f, "what listens on {socket:?} does not answer in HTTP"),
            Cause::NoSocket => write!(
                f,
                "cannot reach the control socket {socket:?}: no such socket"
            ),
            Cause::NotASocket => write!(
                f,
                "cannot reach the control socket {socket:?}: not a socket"
            ),
            Cause::NobodyListens => write!(
                f,
                "cannot reach the control socket {socket:?}: nobody is listening"
            ),
            Cause::PermissionDenied => write!(
                f,
                "cannot reach the control socket {socket:?}: permission denied; be its owner, or let others connect with control.mode, control.owner and control.group"
            ),
            Cause::TimedOut(after) => {
                write!(
                    f,
                    "cannot reach the control socket {socket:?}: timed out after {} s",
                    after.as_secs_f32()
                )
            }
            Cause::Io(error) => write!(f, "cannot reach the control socket {socket:?}: {error}"),
        }
    }
}

impl std::error::Error for Error {}

/// `-ping`: what the supervisor says, which is `ok`.
pub fn ping(socket: &Path) -> Result<String, Error> {
    call(socket, &api::PING, "")
}

/// `-reload`: returns when the new configuration has been accepted, with the
/// plan if one is wanted.
pub fn reload(socket: &Path, how: Reload) -> Result<String, Error> {
    let query = match how {
        Reload { dry_run: true, .. } => "?dry-run",
        Reload { verbose: true, .. } => "?verbose",
        Reload { .. } => "",
    };
    let endpoint = &api::RELOAD;
    let target = format!("{}{query}", endpoint.path);
    exchange(socket, endpoint.method, &target, "", endpoint.deadline)
}

/// `-maintenance enable` and `disable`: the supervisor's answer, a JSON object
/// whose `updated` says whether anything changed.
pub fn maintenance(socket: &Path, enable: bool) -> Result<String, Error> {
    let endpoint = if enable {
        &api::MAINTENANCE_ENABLE
    } else {
        &api::MAINTENANCE_DISABLE
    };
    call(socket, endpoint, "")
}

/// `-poweroff`
pub fn power_off(socket: &Path) -> Result<(), Error> {
    call(socket, &api::POWEROFF, "").map(drop)
}

/// `-reboot`
pub fn reboot(socket: &Path) -> Result<(), Error> {
    call(socket, &api::REBOOT, "").map(drop)
}

/// `-putenv`: sets each variable, or unsets it where there is no value. Of a name
/// that comes twice the last one counts.
pub fn put_env<'a>(
    socket: &Path,
    pairs: impl IntoIterator<Item = (&'a str, Option<&'a str>)>,
) -> Result<(), Error> {
    let object = pairs
        .into_iter()
        .map(|(name, value)| (name.to_owned(), value.map_or(Value::Null, Value::from)));
    call(socket, &api::ENV, &json(object)).map(drop)
}

/// `-putmetric`: pushes each value, a number as text, to the metric of that name.
/// Of a name that comes twice the last one counts.
pub fn put_metric<'a>(
    socket: &Path,
    pairs: impl IntoIterator<Item = (&'a str, &'a str)>,
) -> Result<(), Error> {
    let object = pairs
        .into_iter()
        .map(|(name, value)| (name.to_owned(), Value::from(value)));
    call(socket, &api::METRIC, &json(object)).map(drop)
}

fn json(pairs: impl Iterator<Item = (String, Value)>) -> String {
    Value::Object(pairs.collect::<Map<_, _>>()).to_string()
}

/// Asks one endpoint; its answer's body, if the status is 2xx.
fn call(socket: &Path, endpoint: &Endpoint, body: &str) -> Result<String, Error> {
    exchange(
        socket,
        endpoint.method,
        endpoint.path,
        body,
        endpoint.deadline,
    )
}

/// One exchange, about a path and a query; its answer's body, if the status is
/// 2xx.
fn exchange(
    socket: &Path,
    method: &str,
    target: &str,
    body: &str,
    allowed: Duration,
) -> Result<String, Error> {
    exchange_bytes(socket, method, target, body, allowed).map(|body| text(&body))
}

/// As [`exchange`]; the body as it is.
fn exchange_bytes(
    socket: &Path,
    method: &str,
    target: &str,
    body: &str,
    allowed: Duration,
) -> Result<Vec<u8>, Error> {
    let request = format!(
        "{method} {target} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        body.len(),
    );
    let failed = |cause| Error {
        socket: socket.to_owned(),
        cause,
    };
    let exchange = Exchange::start(socket, allowed);
    let answer = exchange
        .and_then(|exchange| exchange.finish(request.as_bytes()))
        .map_err(failed)?;
    match answer.status {
        200..=299 => Ok(answer.body),
        status => Err(failed(Cause::Status {
            status,
            message: text(&answer.body),
        })),
    }
}

/// A body for people, without its final newline.
fn text(body: &[u8]) -> String {
    String::from_utf8_lossy(body).trim_end().to_owned()
}

/// A connection and what is left of its time.
struct Exchange {
    stream: UnixStream,
    allowed: Duration,
    end: Instant,
}

impl Exchange {
    fn start(socket: &Path, allowed: Duration) -> Result<Self, Cause> {
        let end = Instant::now() + allowed;
        let stream = unix_socket::connect(socket, allowed).map_err(|error| match error.kind() {
            ErrorKind::NotFound => Cause::NoSocket,
            ErrorKind::ConnectionRefused if is_no_socket(socket) => Cause::NotASocket,
            ErrorKind::ConnectionRefused => Cause::NobodyListens,
            ErrorKind::PermissionDenied => Cause::PermissionDenied,
            ErrorKind::WouldBlock => Cause::TimedOut(allowed),
            _ => Cause::Io(error),
        })?;
        Ok(Self {
            stream,
            allowed,
            end,
        })
    }

    fn finish(mut self, request: &[u8]) -> Result<Answer, Cause> {
        let mut answer = Vec::new();
        let mut piece = [0; 4096];
        // A server that has heard enough answers and closes: read its answer.
        let sent = self.send(request)?;
        loop {
            let count = match self.receive(&mut piece)? {
                Some(count) => count,
                None if answer.is_empty() && !sent => return Err(Cause::CutOff),
                None => 0,
            };
            answer.extend_from_slice(piece.get(..count).unwrap_or_default());
            if answer.len() > MAX_ANSWER {
                return Err(Cause::TooLarge);
            }
            match Answer::parse(&answer, count == 0)? {
                Some(answer) => return Ok(answer),
                None if count == 0 => return Err(Cause::CutOff),
                None => {}
            }
        }
    }

    /// Sends everything; `false` if the other side stopped listening before.
    fn send(&mut self, mut bytes: &[u8]) -> Result<bool, Cause> {
        while !bytes.is_empty() {
            self.stream
                .set_write_timeout(Some(self.remaining()?))
                .map_err(Cause::Io)?;
            match self.stream.write(bytes) {
                Ok(count) => bytes = bytes.get(count..).unwrap_or_default(),
                Err(error) if is_hangup(&error) => return Ok(false),
                Err(error) => self.tolerate(error)?,
            }
        }
        Ok(true)
    }

    /// The next bytes; none when the other side has closed in a rough way.
    fn receive(&mut self, piece: &mut [u8]) -> Result<Option<usize>, Cause> {
        loop {
            self.stream
                .set_read_timeout(Some(self.remaining()?))
                .map_err(Cause::Io)?;
            match self.stream.read(piece) {
                Ok(count) => return Ok(Some(count)),
                Err(error) if is_hangup(&error) => return Ok(None),
                Err(error) => self.tolerate(error)?,
            }
        }
    }

    /// Interruptions and elapsed timeouts lead to another look at the clock.
    fn tolerate(&self, error: io::Error) -> Result<(), Cause> {
        match error.kind() {
            ErrorKind::Interrupted | ErrorKind::WouldBlock => Ok(()),
            _ => Err(Cause::Io(error)),
        }
    }

    fn remaining(&self) -> Result<Duration, Cause> {
        let left = self.end.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(Cause::TimedOut(self.allowed));
        }
        Ok(left)
    }
}

fn is_hangup(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::BrokenPipe | ErrorKind::ConnectionReset
    )
}

fn is_no_socket(path: &Path) -> bool {
    fs::metadata(path).is_ok_and(|metadata| !metadata.file_type().is_socket())
}

/// An HTTP answer, its transfer coding removed.
#[derive(Debug, PartialEq)]
struct Answer {
    status: u16,
    body: Vec<u8>,
}

impl Answer {
    /// The answer in `bytes`, or `None` if more must be read first.
    fn parse(mut bytes: &[u8], closed: bool) -> Result<Option<Self>, Cause> {
        loop {
            let Some((head, rest)) = head(bytes)? else {
                return Ok(None);
            };
            let status = status(head).ok_or(Cause::NotHttp)?;
            if status >= 200 {
                let body = body(head, rest, closed)?;
                return Ok(body.map(|body| Self { status, body }));
            }
            // An interim answer, such as 100; the real one follows.
            bytes = rest;
        }
    }
}

/// The head and what follows it, or `None` if it is not complete yet.
fn head(bytes: &[u8]) -> Result<Option<(&str, &[u8])>, Cause> {
    const BEGINNING: &[u8] = b"HTTP/1.";
    let known = bytes.len().min(BEGINNING.len());
    if bytes.get(..known) != BEGINNING.get(..known) {
        return Err(Cause::NotHttp);
    }
    let searched = bytes.get(..MAX_HEAD).unwrap_or(bytes);
    match split(searched, b"\r\n\r\n") {
        Some((head, _)) => {
            let rest = bytes.get(head.len() + 4..).unwrap_or_default();
            let head = str::from_utf8(head).map_err(|_| Cause::NotHttp)?;
            Ok(Some((head, rest)))
        }
        None if searched.len() == MAX_HEAD => Err(Cause::NotHttp),
        None => Ok(None),
    }
}

/// The body in `rest` by the rules of RFC 9112 §6.3, or `None` if it is not
/// complete yet.
fn body(head: &str, rest: &[u8], closed: bool) -> Result<Option<Vec<u8>>, Cause> {
    if header(head, "transfer-encoding").is_some() {
        // The server was asked to close, so the end is not looked for before.
        return if closed {
            dechunk(rest).map(Some)
        } else {
            Ok(None)
        };
    }
    let Some(length) = header(head, "content-length") else {
        return Ok(closed.then(|| rest.to_vec()));
    };
    let length: usize = length.parse().map_err(|_| Cause::NotHttp)?;
    if length > MAX_ANSWER {
        return Err(Cause::TooLarge);
    }
    Ok(rest.get(..length).map(<[u8]>::to_vec))
}

/// The status of a line such as `HTTP/1.1 200 OK`.
fn status(head: &str) -> Option<u16> {
    let code = head.split(['\r', ' ']).nth(1)?;
    let status = code.parse().ok()?;
    (code.len() == 3 && (100..=599).contains(&status)).then_some(status)
}

/// The value of a header; the name in lower case.
fn header<'a>(head: &'a str, name: &str) -> Option<&'a str> {
    head.split("\r\n").skip(1).find_map(|line| {
        let (key, value) = line.split_once(':')?;
        key.eq_ignore_ascii_case(name).then(|| value.trim())
    })
}

/// A complete chunked body without its framing.
fn dechunk(mut rest: &[u8]) -> Result<Vec<u8>, Cause> {
    let mut body = Vec::new();
    loop {
        let (line, after) = split(rest, b"\r\n").ok_or(Cause::CutOff)?;
        let line = str::from_utf8(line).map_err(|_| Cause::NotHttp)?;
        let digits = line.split(';').next().unwrap_or(line).trim();
        let size = usize::from_str_radix(digits, 16).map_err(|_| Cause::NotHttp)?;
        if size == 0 {
            return Ok(body);
        }
        let (data, after) = after.split_at_checked(size).ok_or(Cause::CutOff)?;
        body.extend_from_slice(data);
        rest = after.strip_prefix(b"\r\n").ok_or(Cause::CutOff)?;
    }
}

/// What is before and after the first `separator`.
fn split<'a>(bytes: &'a [u8], separator: &[u8]) -> Option<(&'a [u8], &'a [u8])> {
    let at = bytes
        .windows(separator.len())
        .position(|window| window == separator)?;
    Some((bytes.get(..at)?, bytes.get(at + separator.len()..)?))
}

#[cfg(test)]
mod tests;
