//! One connection from its first request to its last answer.
//!
//! Owns the order of things: head, body, handler, answer, and the deadlines of
//! each. Knows nothing of other connections. Called by the pool's threads, which
//! also catch what a handler panics with.

use std::io::{self, ErrorKind};
use std::net::Shutdown;
use std::time::{Duration, Instant};

use tiny_http::{HTTPVersion, Method};

use super::chunked::Decoder;
use super::head::{self, Fault, Framing, Head};
use super::pool::{HURRY, Pool, Visit};
use super::response::{Body, Fate, Framing as AnswerFraming, Response, Source, StreamWriter};
use super::stream::Stream;
use super::{Client, Limits, Request};
use crate::bug;
use crate::memory;
use crate::waker::Waker;

/// Bodies up to this length are taken as they come.
const SMALL: usize = 64 << 10;

/// How many times the length of a larger one must be there before it is taken: it
/// is read into a buffer that grows, decoded, and copied to where it is kept.
const NEED: usize = 8;

/// What is read at once.
const PIECE: usize = 4 << 10;

/// How long, and how much, is still read after a refusal, so that the client
/// sees the answer and not a reset.
const DRAIN_TIME: Duration = Duration::from_secs(1);
const DRAIN_BYTES: usize = 8 << 20;

/// A body up to this size is copied behind its head, in the room that a head has left.
const SHORT: usize = 64;

/// An answer up to this size goes out with its head in one write.
const ONE_WRITE: usize = 16 << 10;

/// A connection and what has been read of it but not been used.
pub(super) struct Connection<'a> {
    visit: &'a Visit,
    pool: &'a Pool,
    limits: &'a Limits,
    stream: &'a Stream,
    unread: Vec<u8>,
    /// Whether a request is with the handler and nothing has been answered.
    is_handling: bool,
}

/// By when a head must be there.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Start {
    /// By then, from the first byte to the last: a new connection.
    By(Instant),
    /// The first byte within the idle timeout, the last one within the head
    /// timeout after that: a connection that has been kept.
    AfterIdling,
}

/// Why a request did not become one.
enum Failure {
    /// The client is gone, or there is nothing that could be answered.
    Gone,
    /// The client is told.
    Refused(Fault),
}

impl From<Fault> for Failure {
    fn from(fault: Fault) -> Self {
        Self::Refused(fault)
    }
}

impl<'a> Connection<'a> {
    pub(super) fn new(visit: &'a Visit) -> Self {
        Self {
            visit,
            pool: &visit.pool,
            limits: &visit.pool.limits,
            stream: &visit.stream,
            unread: Vec::new(),
            is_handling: false,
        }
    }

    /// Answers one request after the other until either side ends it.
    pub(super) fn serve(&mut self) {
        let mut start = Start::By(self.visit.arrived + self.in_haste(self.limits.head_timeout));
        loop {
            match self.serve_one(start) {
                Ok(Fate::Keep | Fate::KeepAsAsked) => start = Start::AfterIdling,
                Ok(Fate::Close) => return self.close(),
                Err(Failure::Gone) => return,
                Err(Failure::Refused(fault)) => return self.refuse(fault),
            }
        }
    }

    /// After a panic: the client of a request that was being handled is told.
    pub(super) fn give_up(&mut self) {
        let fault = Fault::new(500, "this request met a bug in the supervisor");
        if self.is_handling && self.tell(fault).is_ok() {
            self.close();
        }
    }

    fn serve_one(&mut self, start: Start) -> Result<Fate, Failure> {
        let head = self.read_head(start)?;
        let body = self.read_body(&head)?;
        if !self.visit.begin() {
            return Err(Failure::Gone);
        }
        let asked = Asked {
            path: head.path.clone(),
            is_head: head.method == Method::Head,
            version: head.version,
            keep_alive: head.keep_alive,
        };
        self.is_handling = true;
        bug::on_demand(self.pool.name);
        let response = self.pool.handler.handle(Request {
            method: head.method,
            path: head.path,
            query: head.query,
            host: head.host,
            accept: head.accept,
            body,
            client: Client::of(&self.visit.stream),
        });
        self.is_handling = false;
        self.answer(response, &asked).map_err(|_gone| Failure::Gone)
    }

    /// Reads until a head is complete.
    fn read_head(&mut self, start: Start) -> Result<Head, Failure> {
        let mut deadline = match start {
            Start::By(deadline) => deadline,
            Start::AfterIdling if self.unread.is_empty() => {
                Instant::now() + self.in_haste(self.limits.idle_timeout)
            }
            Start::AfterIdling => Instant::now() + self.in_haste(self.limits.head_timeout),
        };
        let mut seen = 0;
        loop {
            // Only the end of a line can complete or spoil what was fine before.
            let news = self.unread.get(seen..).unwrap_or_default();
            let may_be_more = !self.unread.is_empty() && (seen == 0 || news.contains(&b'\n'));
            if may_be_more && let Some(head) = head::parse(&self.unread)? {
                self.unread.drain(..head.length);
                return Ok(head);
            }
            seen = self.unread.len();
            if seen >= self.limits.head_bytes {
                return Err(Fault::HEAD_TOO_LARGE.into());
            }
            match self.fill(deadline) {
                Err(_) | Ok(0) if seen == 0 => return Err(Failure::Gone),
                Err(error) if error.kind() == ErrorKind::TimedOut => {
                    return Err(Fault::TOO_SLOW.into());
                }
                Err(_) => return Err(Failure::Gone),
                Ok(0) => return Err(Fault::CUT_OFF.into()),
                Ok(_) if seen == 0 && start == Start::AfterIdling => {
                    deadline = Instant::now() + self.in_haste(self.limits.head_timeout);
                }
                Ok(_) => {}
            }
        }
    }

    fn read_body(&mut self, head: &Head) -> Result<Vec<u8>, Failure> {
        let limit = self.limits.body_bytes;
        let length = match head.framing {
            Framing::Length(0) => return Ok(Vec::new()),
            Framing::Length(length) if length > limit as u64 => {
                return Err(Fault::BODY_TOO_LARGE.into());
            }
            Framing::Length(length) => Some(length as usize),
            Framing::Chunked => None,
        };
        let has_memory = |length| length <= SMALL || memory::is_there(length * NEED);
        let limit = match length {
            Some(length) if !has_memory(length) => return Err(Fault::NO_MEMORY.into()),
            None if !has_memory(limit) => SMALL,
            _ => limit,
        };
        let deadline = Instant::now() + self.in_haste(self.limits.body_timeout);
        if head.expects_continue && self.unread.is_empty() {
            let sent = self
                .stream
                .write_all(b"HTTP/1.1 100 Continue\r\n\r\n", deadline);
            sent.map_err(|_gone| Failure::Gone)?;
        }
        match length {
            Some(length) => self.read_exactly(length, deadline),
            None => self.read_chunks(limit, deadline),
        }
    }

    fn read_exactly(&mut self, length: usize, deadline: Instant) -> Result<Vec<u8>, Failure> {
        let mut body = Vec::new();
        loop {
            let wanted = (length - body.len()).min(self.unread.len());
            body.extend(self.unread.drain(..wanted));
            if body.len() == length {
                return Ok(body);
            }
            self.fill_body(deadline)?;
        }
    }

    fn read_chunks(&mut self, limit: usize, deadline: Instant) -> Result<Vec<u8>, Failure> {
        let mut decoder = Decoder::new(limit);
        let mut body = Vec::new();
        loop {
            let used = decoder.decode(&self.unread, &mut body)?;
            self.unread.drain(..used);
            if decoder.is_done() {
                return Ok(body);
            }
            self.fill_body(deadline)?;
        }
    }

    fn fill_body(&mut self, deadline: Instant) -> Result<(), Failure> {
        match self.fill(deadline) {
            Ok(0) => Err(Fault::CUT_OFF.into()),
            Ok(_) => Ok(()),
            Err(error) if error.kind() == ErrorKind::TimedOut => Err(Fault::TOO_SLOW.into()),
            Err(_) => Err(Failure::Gone),
        }
    }

    /// Reads what there is; never more than a head may have is kept unused.
    fn fill(&mut self, deadline: Instant) -> io::Result<usize> {
        let mut piece = [0; PIECE];
        let room = self
            .limits
            .head_bytes
            .saturating_sub(self.unread.len())
            .min(PIECE);
        let count = self
            .stream
            .read(piece.get_mut(..room).unwrap_or_default(), deadline)?;
        self.unread
            .extend_from_slice(piece.get(..count).unwrap_or_default());
        Ok(count)
    }

    /// How long to wait for the client, less if nobody else can accept meanwhile.
    fn in_haste(&self, allowed: Duration) -> Duration {
        if self.pool.has_room() {
            allowed
        } else {
            allowed.min(HURRY)
        }
    }

    fn answer(&mut self, mut response: Response, asked: &Asked) -> io::Result<Fate> {
        match response.take_body() {
            Body::Bytes(body) => {
                self.pool.handler.answered(&asked.path, response.status);
                self.send(&response, body, asked)
            }
            Body::Stream(source) => match self.visit.streaming() {
                Ok(streaming) => {
                    self.pool.handler.streamed(&asked.path, response.status);
                    self.stream_out(&response, source, asked, streaming.waker())
                }
                Err((status, reason)) => {
                    self.pool.handler.streamed(&asked.path, status);
                    let body = [reason.as_bytes(), b"\n"].concat();
                    self.send(&Response::text(status, ""), body, asked)
                }
            },
        }
    }

    fn send(&self, response: &Response, mut body: Vec<u8>, asked: &Asked) -> io::Result<Fate> {
        let fate = match (
            asked.keep_alive && self.pool.has_room(),
            asked.version >= (1, 1),
        ) {
            (false, _) => Fate::Close,
            (true, true) => Fate::Keep,
            (true, false) => Fate::KeepAsAsked,
        };
        let framing = match response.status {
            204 | 304 => AnswerFraming::None,
            _ => AnswerFraming::Length(body.len()),
        };
        if asked.is_head || framing == AnswerFraming::None {
            body.clear();
        }
        let mut head = response.head(fate, framing);
        let deadline = Instant::now() + self.limits.write_timeout;
        self.visit.await_client();
        if body.len() <= SHORT {
            head.extend_from_slice(&body);
            body = head;
        } else if body.len() <= ONE_WRITE {
            // A large one often has room for the head, and is not copied elsewhere.
            drop(body.splice(..0, head));
        } else {
            self.stream.write_all(&head, deadline)?;
        }
        self.stream.write_all(&body, deadline)?;
        Ok(fate)
    }

    fn stream_out(
        &self,
        response: &Response,
        source: Source,
        asked: &Asked,
        waker: &Waker,
    ) -> io::Result<Fate> {
        let chunked = asked.version >= (1, 1);
        let framing = if chunked {
            AnswerFraming::Chunked
        } else {
            AnswerFraming::None
        };
        let head = response.head(Fate::Close, framing);
        self.stream
            .write_all(&head, Instant::now() + self.limits.write_timeout)?;
        if !asked.is_head {
            let stopping = || self.pool.is_stopping();
            let timeout = self.limits.write_timeout;
            let mut writer = StreamWriter::new(self.stream, timeout, chunked, &stopping, waker);
            source(&mut writer)?;
            writer.finish()?;
        }
        Ok(Fate::Close)
    }

    /// Tells why, and ends the connection so that the client can read it.
    fn refuse(&mut self, fault: Fault) {
        if self.tell(fault).is_ok() && fault != Fault::TOO_SLOW {
            self.drain();
        }
    }

    fn tell(&mut self, fault: Fault) -> io::Result<Fate> {
        let asked = Asked {
            path: String::new(),
            is_head: false,
            version: HTTPVersion(1, 1),
            keep_alive: false,
        };
        self.answer(Response::text(fault.status, fault.reason), &asked)
    }

    /// Ends the connection after an answer that said so.
    fn close(&self) {
        if !self.unread.is_empty() {
            self.drain();
        }
    }

    /// Says that nothing more comes, and reads for a while what the client may
    /// still be sending: closing with unread data would reset the connection and
    /// could take the answer with it (RFC 9112 §9.6).
    fn drain(&self) {
        self.stream.shut_down(Shutdown::Write);
        let deadline = Instant::now() + DRAIN_TIME;
        let mut piece = [0; PIECE];
        let mut left = DRAIN_BYTES;
        while let Ok(count @ 1..) = self.stream.read(&mut piece, deadline) {
            left = left.saturating_sub(count);
            if left == 0 {
                return;
            }
        }
    }
}

/// What the answer to a request depends on.
struct Asked {
    path: String,
    is_head: bool,
    version: HTTPVersion,
    keep_alive: bool,
}
