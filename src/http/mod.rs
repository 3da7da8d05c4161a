//! A bounded, blocking HTTP/1.1 server for a Unix or a TCP listener.
//!
//! Owns everything between a listening socket and a [`Handler`]: threads,
//! deadlines, limits, parsing and framing. It never binds, connects or unlinks
//! anything, and never trusts what a client claims. The control plane and
//! telemetry use it, and health checks its way to read a chunked body; only here are tiny_http (the vocabulary of HTTP) and
//! httparse (request heads) named.
//!
//! What it decides where RFC 9112 leaves a choice:
//! - A bare LF ends a line of the head (§2.2), empty lines before a request are
//!   skipped, folded headers are refused (§5.2). Chunk lines must end with CRLF.
//! - A body is framed by one Content-Length or by `chunked` alone; anything
//!   else that could be read in two ways is 400, and the connection closes (§6).
//! - Chunk extensions and trailers are bounded and ignored.
//! - `Date` is not sent: an init may well run before the clock is set
//!   (RFC 9110 §6.6.1). Nor is `Server`.
//! - A target in absolute form replaces the Host header, which may then be absent.

pub(crate) mod chunked;
mod connection;
mod head;
mod pool;
mod response;
mod stream;

use std::io;
use std::net::TcpListener;
use std::os::unix::net::UnixListener;
use std::sync::Arc;
use std::time::{Duration, Instant};

pub use tiny_http::Method;

use crate::waker::Waker;
use pool::Pool;
#[cfg(test)]
pub(crate) use pool::STACK;
pub use response::{Body, Response, Source, StreamWriter};
use stream::{Stream, Waited};

/// What a server may be made to spend; [`Limits::default`] suits both the control
/// plane and telemetry.
///
/// Every timeout is total: a client that sends a byte now and then gains nothing.
#[derive(Clone, Debug)]
pub struct Limits {
    /// Connections served at once, 64. When all are taken, the one that has
    /// waited longest for its client makes room for a new one.
    pub connections: usize,
    /// The longest head of a request in bytes, 16 KiB; it has at most 64 headers.
    pub head_bytes: usize,
    /// The longest body of a request in bytes, 1 MiB.
    pub body_bytes: usize,
    /// From the first byte of a head (or the connection's beginning) to its
    /// last, 5 s.
    pub head_timeout: Duration,
    /// From the end of the head to that of the body, 10 s.
    pub body_timeout: Duration,
    /// From an answer to the next request on the same connection, 30 s.
    pub idle_timeout: Duration,
    /// For the client to take a whole answer, or one flush of a stream, 10 s.
    pub write_timeout: Duration,
    /// Streamed answers at once, 16; more get 429.
    pub streams: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 64,
            head_bytes: 16 << 10,
            body_bytes: 1 << 20,
            head_timeout: Duration::from_secs(5),
            body_timeout: Duration::from_secs(10),
            idle_timeout: Duration::from_secs(30),
            write_timeout: Duration::from_secs(10),
            streams: 16,
        }
    }
}

/// A request whose body has been read completely.
#[derive(Debug)]
pub struct Request {
    /// The method; names are case-sensitive.
    pub method: Method,
    /// The path as it was sent, without the query, not percent-decoded.
    pub path: String,
    /// What follows the `?`, or nothing.
    pub query: String,
    /// The host and port the client thinks it talks to; empty if it does not say.
    pub host: String,
    /// The values of all Accept headers as one list; empty if there are none.
    pub accept: String,
    /// The body without its framing.
    pub body: Vec<u8>,
    /// Who waits for the answer.
    pub client: Client,
}

/// Who waits for the answer to a request; by default somebody who never goes away.
#[derive(Clone, Debug, Default)]
pub struct Client(Option<Arc<Stream>>);

impl Client {
    fn of(stream: &Arc<Stream>) -> Self {
        Self(Some(Arc::clone(stream)))
    }

    /// Waits until `news` is woken, until `deadline` at the latest; `false` if the
    /// client has gone before. For handlers that may take long: nobody else would
    /// notice. Where nothing can be told of the client, it returns at once.
    pub fn stays(&self, news: &Waker, deadline: Instant) -> bool {
        let Some(stream) = &self.0 else {
            return true;
        };
        let waited = stream.wait_for(news.fd(), Some(deadline));
        !matches!(waited, Ok(Waited::Gone))
    }
}

/// What answers requests. It runs on the connection's own small stack of 64 KiB,
/// may block, and is called from many threads at once.
pub trait Handler: Send + Sync + 'static {
    /// Answers one request. A panic is answered with 500. The answer to a HEAD
    /// is that to a GET; the server leaves out its body.
    fn handle(&self, request: Request) -> Response;

    /// Told of every answer before it is sent, also of those that the server
    /// gives by itself, where the path may be unknown and is then empty.
    fn answered(&self, _path: &str, _status: u16) {}

    /// Told instead of every answer that is a stream, with the status that it got:
    /// there may be no place for it.
    fn streamed(&self, path: &str, status: u16) {
        self.answered(path, status);
    }
}

/// Where clients come from.
#[derive(Debug)]
pub enum Listener {
    /// A bound and listening Unix socket.
    Unix(UnixListener),
    /// A bound and listening TCP socket.
    Tcp(TcpListener),
}

/// A running server. Dropping it stops it without any patience.
#[derive(Debug)]
pub struct Server {
    pool: Arc<Pool>,
}

impl Server {
    /// Starts to accept, with one thread; `name` (up to 15 bytes) is the name of
    /// its threads and of its log entries.
    ///
    /// # Errors
    /// If not even one thread can be started.
    pub fn start(
        name: &'static str,
        listener: Listener,
        limits: Limits,
        handler: Arc<dyn Handler>,
    ) -> io::Result<Self> {
        let pool = Pool::start(name, listener, limits, handler)?;
        Ok(Self { pool })
    }

    /// Accepts nobody any more, because the process is about to end. Whoever is
    /// connected is served as before.
    pub fn refuse(&self) {
        self.pool.refuse();
    }

    /// Accepts nobody any more, closes idle connections, and returns when the
    /// last answer has been given, at `deadline` at the latest. Answers that are
    /// not finished then are cut off.
    pub fn stop(&self, deadline: Instant) {
        self.pool.close(false);
        self.pool.finish(deadline);
    }

    /// Like [`stop`](Self::stop) for a server that has a successor elsewhere:
    /// whoever is connected and has not asked yet has until `deadline` to do so.
    /// `left` is called once nobody can connect any more.
    pub fn give_way(&self, deadline: Instant, left: impl FnOnce()) {
        self.pool.close(true);
        left();
        self.pool.finish(deadline);
    }

    /// Where its clients come in.
    pub fn entrance(&self) -> Entrance {
        Entrance(Arc::clone(&self.pool))
    }
}

/// Where the clients of a server come in; it neither keeps it running nor stops it.
#[derive(Clone, Debug)]
pub struct Entrance(Arc<Pool>);

impl Entrance {
    /// Accepts from this listener instead of the one before, whose clients are all
    /// served, also those that nobody has accepted yet. A server that has been
    /// stopped stays so.
    ///
    /// # Errors
    /// If it cannot be listened on; then nothing has changed.
    pub fn replace(&self, listener: Listener) -> io::Result<()> {
        self.0.listen_on(listener)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.pool.close(false);
        self.pool.finish(Instant::now());
    }
}
