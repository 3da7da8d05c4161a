//! The control plane's server: HTTP on the control socket in, questions to the
//! supervisor out, its replies back (SPEC §8).
//!
//! Owns the socket, its file and the threads behind it. It decides nothing but
//! what is not worth a question: unknown paths, wrong methods, bodies that say
//! nothing valid. Started, moved and stopped by the main loop.

use std::borrow::Cow;
use std::fmt;
use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use crossbeam_channel::RecvTimeoutError;

use super::api::{self, Endpoint};
use super::place::Place;
use super::request::{Asked, Reply, Request};
use super::socket::{self, SocketFile};
use super::status;
use super::streams::{self, Sources};
use crate::clock::Clock;
use crate::config::ControlSpec;
use crate::handoff::{handoff, handoff_waking};
use crate::http::{self, Body, Client, Limits, Listener, Method, Response, Server};
use crate::message::{Message, ReplyTo};
use crate::waker::Waker;

/// The prefix of every path, which the seed's own curl lines put where a URL has
/// its host.
const VERSION: &str = "v3";

/// The path in metrics of everything that is no endpoint.
pub const OTHER: &str = "other";

/// What is observed of a request whose client has not waited for the answer, as
/// other servers call it too; nobody is sent it.
const CLIENT_LEFT: u16 = 499;

/// How long to wait for an answer that can be done without.
const SHORT_PATIENCE: Duration = Duration::from_secs(1);

/// Why the control plane could not be started.
#[derive(Debug)]
pub enum StartError {
    /// The socket cannot be listened on.
    Socket(socket::Error),
    /// There is no thread to be had.
    Thread(io::Error),
}

impl fmt::Display for StartError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Socket(error) => error.fmt(f),
            Self::Thread(error) => {
                write!(f, "cannot start a thread for the control plane: {error}")
            }
        }
    }
}

impl std::error::Error for StartError {}

/// A running control plane. Dropping it removes the socket's file and stops it
/// without any patience.
#[derive(Debug)]
pub struct Control {
    place: Place,
    server: Server,
}

impl Control {
    /// Listens on the socket of `spec`.
    ///
    /// `sources` is what streams read; `inbox` delivers a message
    /// to the supervisor and must not block; `observe` is told of every answer,
    /// with the endpoint's path or [`OTHER`], and its status.
    ///
    /// # Errors
    /// If the socket is taken or cannot be made, or no thread can be started.
    pub fn start(
        spec: &ControlSpec,
        sources: Sources,
        inbox: impl Fn(Message) + Send + Sync + 'static,
        observe: impl Fn(&'static str, u16) + Send + Sync + 'static,
    ) -> Result<Self, StartError> {
        let (file, listener) = SocketFile::listen(spec).map_err(StartError::Socket)?;
        let endpoints = Endpoints {
            sources,
            inbox: Box::new(inbox),
            observe: Box::new(observe),
            clock: Mutex::new(Clock::now()),
        };
        let listener = Listener::Unix(listener);
        let server = Server::start("control", listener, Limits::default(), Arc::new(endpoints));
        let server = server.map_err(StartError::Thread)?;
        let place = Place::new(spec, file, server.entrance());
        Ok(Self { place, server })
    }

    /// Where it is found.
    pub fn place(&self) -> &Place {
        &self.place
    }

    /// Accepts nobody any more. Whoever is connected is served until it is stopped.
    pub fn refuse(&self) {
        self.server.refuse();
    }

    /// Removes the socket's file, if it is still ours, and lets the requests in
    /// flight be answered until `deadline`.
    pub fn stop(self, deadline: Instant) {
        self.place.leave();
        self.server.stop(deadline);
    }

    /// Like [`stop`](Self::stop), when another socket has taken the place of this
    /// one: whoever is connected may still ask. `left` is called once the place is
    /// free for others.
    pub fn give_way(self, deadline: Instant, left: impl FnOnce()) {
        self.place.leave();
        self.server.give_way(deadline, left);
    }
}

impl Drop for Control {
    fn drop(&mut self) {
        // The file is recognised as ours while the server's listener lives.
        self.place.leave();
    }
}

/// What answers on the control socket.
struct Endpoints {
    sources: Sources,
    inbox: Box<dyn Fn(Message) + Send + Sync>,
    observe: Box<dyn Fn(&'static str, u16) + Send + Sync>,
    /// Tells the same moment the same way in every answer.
    clock: Mutex<Clock>,
}

impl http::Handler for Endpoints {
    fn handle(&self, request: http::Request) -> Response {
        let path = versioned(&request.host, &request.path);
        let (name, response) = match api::endpoint(&path) {
            Some((endpoint, name)) => (endpoint.path, self.call(endpoint, &name, &request)),
            None => match streams::stream(&path) {
                Some(endpoint) => (endpoint.path, self.stream(endpoint, &request)),
                None => (
                    OTHER,
                    Response::text(404, &format!("no such endpoint: {path:?}")),
                ),
            },
        };
        if matches!(response.body, Body::Bytes(_)) {
            (self.observe)(name, response.status);
        }
        response
    }

    fn answered(&self, path: &str, status: u16) {
        // All others have been observed with what is known of them.
        if path.is_empty() {
            (self.observe)(OTHER, status);
        }
    }

    fn streamed(&self, path: &str, status: u16) {
        let stream = streams::stream(&versioned(VERSION, path));
        (self.observe)(stream.map_or(OTHER, |stream| stream.path), status);
    }
}

impl Endpoints {
    fn call(&self, endpoint: &Endpoint, name: &str, request: &http::Request) -> Response {
        let allowed = match endpoint.method {
            "GET" => "GET, HEAD",
            method => method,
        };
        let is_head_of_get = request.method == Method::Head && endpoint.method == "GET";
        if request.method.as_str() != endpoint.method && !is_head_of_get {
            return wrong_method(endpoint.path, allowed);
        }
        let asked = Asked {
            name,
            query: &request.query,
            body: &request.body,
        };
        let reply = match (endpoint.parse)(&asked) {
            Ok(asked) => {
                let patience = endpoint.patience(&asked);
                match asked {
                    Request::Operate(_) => self.operate(asked, patience, &request.client),
                    _ => self.ask(asked, patience),
                }
            }
            Err(refusal) => refusal,
        };
        respond(reply, || self.clock())
    }

    fn clock(&self) -> Clock {
        // No invariant of a clock spans a call that could panic.
        let mut clock = self.clock.lock().unwrap_or_else(PoisonError::into_inner);
        clock.follow(Clock::now());
        *clock
    }

    fn stream(&self, endpoint: &streams::Endpoint, request: &http::Request) -> Response {
        if !matches!(request.method, Method::Get | Method::Head) {
            return wrong_method(endpoint.path, "GET, HEAD");
        }
        let unknown = |job: &str| self.unknown(job);
        let answer = self.sources.answer(endpoint, &request.query, unknown);
        answer.unwrap_or_else(|refusal| respond(refusal, || self.clock()))
    }

    /// What a name is refused with that no job has. If that cannot be told, nobody
    /// is refused: the log is wanted most when the supervisor does not answer.
    fn unknown(&self, job: &str) -> Option<Reply> {
        let reply = self.ask(Request::Job(job.to_owned()), SHORT_PATIENCE);
        let is_unknown = matches!(reply, Reply::Refused { status: 404, .. });
        is_unknown.then_some(reply)
    }

    /// Asks the supervisor and waits for its reply.
    fn ask(&self, request: Request, patience: Duration) -> Reply {
        let (giver, reply) = handoff();
        (self.inbox)(Message::Request(request, ReplyTo::new(giver)));
        let reply = reply.recv_timeout(patience);
        reply.unwrap_or_else(|error| unanswered(error, patience))
    }

    /// Asks the supervisor for what may take long, and waits for its reply as long
    /// as the client does.
    fn operate(&self, request: Request, patience: Duration, client: &Client) -> Reply {
        let Ok(waker) = Waker::new() else {
            // Without a descriptor it does not see the client leave.
            return self.ask(request, patience);
        };
        let (giver, reply) = handoff_waking(waker.clone());
        (self.inbox)(Message::Request(request, ReplyTo::new(giver)));
        let deadline = Instant::now() + patience;
        if client.stays(&waker, deadline) {
            let left = deadline.saturating_duration_since(Instant::now());
            let reply = reply.recv_timeout(left);
            return reply.unwrap_or_else(|error| unanswered(error, patience));
        }
        drop(reply);
        (self.inbox)(Message::AskerLeft);
        Reply::Refused {
            status: CLIENT_LEFT,
            message: "the client has gone away".to_owned(),
        }
    }
}

/// What is answered for a supervisor that does not.
fn unanswered(error: RecvTimeoutError, patience: Duration) -> Reply {
    let message = match error {
        RecvTimeoutError::Timeout => {
            let seconds = patience.as_secs();
            format!("the supervisor did not answer within {seconds} s")
        }
        RecvTimeoutError::Disconnected => "the supervisor has ended".to_owned(),
    };
    let status = 503;
    Reply::Refused { status, message }
}

/// The path that is meant: in `http:/v3/env`, which the seed's curl lines use,
/// curl takes `v3` for the host and `/env` for the path.
fn versioned<'a>(host: &str, path: &'a str) -> Cow<'a, str> {
    let has_version = path
        .strip_prefix('/')
        .and_then(|path| path.strip_prefix(VERSION))
        .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
    if host.eq_ignore_ascii_case(VERSION) && !has_version {
        return Cow::Owned(format!("/{VERSION}{path}"));
    }
    Cow::Borrowed(path)
}

fn wrong_method(path: &str, allowed: &'static str) -> Response {
    let message = format!("{path} is asked with {allowed}");
    Response::text(405, &message).with_header("Allow", allowed)
}

fn respond(reply: Reply, clock: impl FnOnce() -> Clock) -> Response {
    match reply {
        Reply::Done => Response::empty(200),
        Reply::Pong => Response {
            body: Body::Bytes(b"ok".to_vec()),
            ..Response::empty(200)
        },
        Reply::Updated(updated) => json(200, format!("{{\n  \"updated\": {updated}\n}}")),
        Reply::Status(status) => json(200, status.to_json(&clock())),
        Reply::Jobs(now, jobs) => json(200, status::jobs_to_json(now, &jobs, &clock())),
        Reply::Health(reasons) => {
            let status = if reasons.is_empty() { 200 } else { 503 };
            json(status, status::health_to_json(&reasons))
        }
        Reply::Plan(text) if text.is_empty() => Response::with_body(200, streams::TEXT, Vec::new()),
        Reply::Plan(text) => Response::text(200, text.trim_end()),
        Reply::Refused { status, message } => Response::text(status, &message),
    }
}

fn json(status: u16, body: String) -> Response {
    Response::with_body(status, "application/json", body.into_bytes())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crossbeam_channel::unbounded;

    #[test]
    fn the_version_may_stand_where_curl_sees_the_host() {
        let table = [
            ("localhost", "/v3/env", "/v3/env"),
            ("localhost", "/env", "/env"),
            ("v3", "/env", "/v3/env"),
            ("V3", "/maintenance/enable", "/v3/maintenance/enable"),
            ("v3", "/v3/env", "/v3/env"),
            ("v3", "/v3", "/v3"),
            ("v3", "/v3env", "/v3/v3env"),
            ("v3", "/", "/v3/"),
            ("v3.example", "/env", "/env"),
            ("", "/env", "/env"),
        ];
        for (host, path, expected) in table {
            assert_eq!(versioned(host, path), expected, "{host} {path}");
        }
    }

    #[test]
    fn a_supervisor_that_does_not_answer_in_time_is_503() {
        let (inbox, messages) = unbounded();
        let endpoints = Endpoints {
            sources: Sources::default(),
            inbox: Box::new(move |message| inbox.send(message).unwrap()),
            observe: Box::new(|_, _| ()),
            clock: Mutex::new(Clock::now()),
        };
        let expected = Reply::Refused {
            status: 503,
            message: "the supervisor did not answer within 1 s".to_owned(),
        };
        assert_eq!(
            endpoints.ask(Request::Ping, Duration::from_secs(1)),
            expected
        );
        assert!(matches!(
            messages.try_recv(),
            Ok(Message::Request(Request::Ping, _))
        ));
    }
}
