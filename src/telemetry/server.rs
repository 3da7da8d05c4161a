//! The telemetry server: `GET /metrics` and `GET /status` over TCP (SPEC §11).
//!
//! Owns the listener and the threads behind it. It keeps no values: every
//! request is a question to the supervisor, whose answer is rendered here, on
//! the connection's thread. Started, moved and stopped by the main loop.

use std::fmt;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use crossbeam_channel::RecvTimeoutError;

use super::metrics::Snapshot;
use super::negotiation;
use super::process::ProcessStats;
use super::question::{Answer, AnswerTo, Question};
use super::render::{Surroundings, render};
use super::status::Status;
use crate::clock::Clock;
use crate::handoff::handoff;
use crate::http::{self, Limits, Listener, Method, Response, Server};

/// How long the supervisor may take to answer; half of what Prometheus waits for
/// a scrape unless told otherwise.
const PATIENCE: Duration = Duration::from_secs(5);

/// How many connections are served at once, if there are descriptors for them.
const CONNECTIONS: usize = 64;

/// Nothing that is served here reads a body.
const BODY_BYTES: usize = 4096;

/// Why the telemetry server could not be started.
#[derive(Debug)]
pub enum StartError {
    /// The address cannot be listened on.
    Listen(SocketAddr, io::Error),
    /// There is no thread to be had.
    Thread(io::Error),
}

impl fmt::Display for StartError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Listen(address, error) => {
                write!(f, "telemetry cannot listen on {address}: {error}")?;
                match error.kind() {
                    io::ErrorKind::AddrInUse => f.write_str("; set another telemetry.port"),
                    io::ErrorKind::AddrNotAvailable => {
                        f.write_str("; set telemetry.interfaces to one of this host's")
                    }
                    _ => Ok(()),
                }
            }
            Self::Thread(error) => write!(f, "cannot start a thread for telemetry: {error}"),
        }
    }
}

impl std::error::Error for StartError {}

/// What the server needs to know and cannot ask the supervisor.
pub struct Outside {
    /// The supervisor's version.
    pub version: &'static str,
    /// The commit that it was built from.
    pub revision: &'static str,
    /// Delivers a question to the supervisor; must not block.
    pub ask: Box<dyn Fn(Question, AnswerTo) + Send + Sync>,
    /// How many lines of the supervisor's log were dropped so far.
    pub log_lines_dropped: Box<dyn Fn() -> u64 + Send + Sync>,
}

/// A running telemetry server. Dropping it stops it without any patience.
#[derive(Debug)]
pub struct Telemetry {
    address: SocketAddr,
    server: Server,
}

impl Telemetry {
    /// Listens on `address`; port 0 stands for any that is free.
    ///
    /// # Errors
    /// If the address cannot be listened on, or no thread can be started.
    pub fn start(address: SocketAddr, outside: Outside) -> Result<Self, StartError> {
        let failed = |error| StartError::Listen(address, error);
        let listener = TcpListener::bind(address).map_err(failed)?;
        let address = listener.local_addr().map_err(failed)?;
        let limits = Limits {
            connections: connections(descriptors()),
            body_bytes: BODY_BYTES,
            ..Limits::default()
        };
        let pages = Pages {
            outside,
            patience: PATIENCE,
            clock: Mutex::new(Clock::now()),
        };
        let listener = Listener::Tcp(listener);
        let server = Server::start("telemetry", listener, limits, Arc::new(pages))
            .map_err(StartError::Thread)?;
        Ok(Self { address, server })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Accepts nobody any more. Whoever is connected is served until it is stopped.
    pub fn refuse(&self) {
        self.server.refuse();
    }

    /// Accepts nobody any more and lets the requests in flight be answered until
    /// `deadline`.
    pub fn stop(self, deadline: Instant) {
        self.server.stop(deadline);
    }

    /// Like [`stop`](Self::stop), when another server has taken the place of this
    /// one: whoever is connected may still ask. `left` is called once the place is
    /// free for others.
    pub fn give_way(self, deadline: Instant, left: impl FnOnce()) {
        self.server.give_way(deadline, left);
    }
}

/// A quarter of the descriptors at most: whoever connects must not take away
/// what jobs need to start.
fn connections(descriptors: libc::rlim_t) -> usize {
    let quarter = usize::try_from(descriptors / 4).unwrap_or(CONNECTIONS);
    quarter.clamp(1, CONNECTIONS)
}

/// The soft limit of open files.
fn descriptors() -> libc::rlim_t {
    let mut limit = libc::rlimit {
        rlim_cur: 0,
        rlim_max: 0,
    };
    // SAFETY: the pointer is to a live rlimit, which is only written.
    match unsafe { libc::getrlimit(libc::RLIMIT_NOFILE, &raw mut limit) } {
        0 => limit.rlim_cur,
        _ => libc::RLIM_INFINITY,
    }
}

/// What answers on the telemetry port.
struct Pages {
    outside: Outside,
    patience: Duration,
    clock: Mutex<Clock>,
}

impl http::Handler for Pages {
    fn handle(&self, request: http::Request) -> Response {
        let question = match request.path.as_str() {
            "/metrics" => Question::Metrics,
            "/status" => Question::Status,
            path => {
                let message = format!("no such page: {path:?}; there are /metrics and /status");
                return Response::text(404, &message);
            }
        };
        if !matches!(request.method, Method::Get | Method::Head) {
            let message = format!("{} is asked with GET, HEAD", request.path);
            return Response::text(405, &message).with_header("Allow", "GET, HEAD");
        }
        match self.ask(question) {
            Ok(Answer::Metrics(snapshot)) => self.metrics(&snapshot, &request.accept),
            Ok(Answer::Status(status)) => page(&status),
            Err(RecvTimeoutError::Timeout) => {
                Response::text(503, "the supervisor did not answer in time")
            }
            Err(RecvTimeoutError::Disconnected) => Response::text(503, "the supervisor has ended"),
        }
    }
}

fn page(status: &Status) -> Response {
    match status.to_json() {
        Ok(json) => Response::with_body(200, Status::CONTENT_TYPE, json.into_bytes()),
        Err(error) => Response::text(500, &error.to_string()),
    }
}

impl Pages {
    /// Asks the supervisor and waits for the answer.
    fn ask(&self, question: Question) -> Result<Answer, RecvTimeoutError> {
        let (giver, answer) = handoff();
        (self.outside.ask)(question, AnswerTo::new(giver));
        answer.recv_timeout(self.patience)
    }

    fn metrics(&self, snapshot: &Snapshot, accept: &str) -> Response {
        let clock = self.clock();
        let surroundings = Surroundings {
            version: self.outside.version,
            revision: self.outside.revision,
            process: ProcessStats::read(Path::new("/proc"), &clock),
            log_lines_dropped: (self.outside.log_lines_dropped)(),
            clock,
        };
        let format = negotiation::choose(accept);
        let text = render(snapshot, &surroundings, format);
        Response::with_body(200, format.content_type(), text.into_bytes())
    }

    fn clock(&self) -> Clock {
        let mut clock = self.clock.lock().unwrap_or_else(PoisonError::into_inner);
        clock.follow(Clock::now());
        *clock
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::panic)]

    use super::*;
    use crate::http::{Body, Handler as _};
    use crossbeam_channel::unbounded;

    fn pages(ask: impl Fn(Question, AnswerTo) + Send + Sync + 'static) -> Pages {
        Pages {
            outside: Outside {
                version: "4.0.0",
                revision: "c7fef99",
                ask: Box::new(ask),
                log_lines_dropped: Box::new(|| 0),
            },
            patience: Duration::from_millis(1),
            clock: Mutex::new(Clock::now()),
        }
    }

    fn get(pages: &Pages, path: &str) -> (u16, String) {
        let response = pages.handle(http::Request {
            method: Method::Get,
            path: path.to_owned(),
            query: String::new(),
            host: String::new(),
            accept: String::new(),
            body: Vec::new(),
            client: http::Client::default(),
        });
        let body = match response.body {
            Body::Bytes(bytes) => String::from_utf8_lossy(&bytes).into_owned(),
            Body::Stream(_) => "a stream".to_owned(),
        };
        (response.status, body)
    }

    #[test]
    fn a_supervisor_that_does_not_answer_is_unavailable() {
        let (inbox, unread) = unbounded();
        let silent = pages(move |question, to| {
            let _sent = inbox.send((question, to));
        });
        let gone = pages(|_, _| ());
        for path in ["/metrics", "/status"] {
            let late = "the supervisor did not answer in time\n".to_owned();
            assert_eq!(get(&silent, path), (503, late));
            let ended = "the supervisor has ended\n".to_owned();
            assert_eq!(get(&gone, path), (503, ended));
        }
        assert_eq!(unread.len(), 2);
    }

    #[test]
    fn nothing_else_is_asked_of_the_supervisor() {
        let asked = pages(|question, _| panic!("{question:?}"));
        for path in ["/", "/metrics/", "/Metrics", "/v3/ping", "*"] {
            assert_eq!(get(&asked, path).0, 404, "{path}");
        }
    }

    #[test]
    fn few_descriptors_mean_few_connections() {
        let table = [
            (0, 1),
            (20, 5),
            (255, 63),
            (1024, 64),
            (libc::RLIM_INFINITY, 64),
        ];
        for (limit, expected) in table {
            assert_eq!(connections(limit), expected, "{limit}");
        }
    }

    #[test]
    fn an_address_that_cannot_be_had_says_what_to_change() {
        let address = SocketAddr::from(([127, 0, 0, 1], 9090));
        let table = [
            (
                io::ErrorKind::AddrInUse,
                "telemetry cannot listen on 127.0.0.1:9090: address in use; \
                 set another telemetry.port",
            ),
            (
                io::ErrorKind::AddrNotAvailable,
                "telemetry cannot listen on 127.0.0.1:9090: address not available; \
                 set telemetry.interfaces to one of this host's",
            ),
            (
                io::ErrorKind::PermissionDenied,
                "telemetry cannot listen on 127.0.0.1:9090: permission denied",
            ),
        ];
        for (kind, text) in table {
            let error = StartError::Listen(address, kind.into());
            assert_eq!(error.to_string(), text);
        }
    }
}
