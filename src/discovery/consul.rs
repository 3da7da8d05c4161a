//! Consul's HTTP API: one request, one answer, with a deadline.
//!
//! Blocks, so only the discovery threads call it. Knows what Consul's answers
//! mean, but neither when to ask nor what to do about it.

use std::io::{self, BufReader, Read};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, Instant};

use serde::Serialize;
use serde::de::DeserializeOwned;
use ureq::config::Config;
use ureq::http::{HeaderMap, Response};
#[cfg(not(fuzzing))]
use ureq::unversioned::transport::TcpConnector;
use ureq::{Agent, Body, Error, Timeout};

use super::failure::{Failure, SHOWN, is_unknown};
#[cfg(fuzzing)]
use super::fuzzing::Canned as TcpConnector;
use super::reconcile::{Call, Outcome};
use super::resolve::Names;
use super::wire::{Instances, PASSING, Registered, Registration, escape, health_path};
use crate::config::{ConsulSpec, InitialStatus, ServiceSpec, WatchSpec};
use crate::message::Instance;
use crate::telemetry::metrics::{ConsulOp, ConsulRequests};
use crate::tls::Tls;

/// From the name to an open connection, TLS included.
const CONNECT: Duration = Duration::from_secs(2);

/// From the beginning to the last byte of the answer, for all that the agent
/// knows itself.
const ANSWER: Duration = Duration::from_secs(5);

/// The same for what it must ask its servers: it holds a query for up to 7 s
/// while they elect a leader (`rpc_hold_timeout`).
const CATALOG: Duration = Duration::from_secs(10);

/// A connection that is cut within this time is worth a second try at once.
const RETRY: Duration = Duration::from_secs(1);

/// For what is received; the whole head of an answer must fit.
const INPUT: usize = 8 * 1024;

/// For what is sent; the longest header, which may be a token, must fit.
const OUTPUT: usize = 4 * 1024;

/// What the JSON parser, which reads byte by byte, is given at a time.
const CHUNK: usize = 2 * 1024;

/// The largest answer that is taken in: some thousands of instances.
const LARGEST: u64 = 8 * 1024 * 1024;

/// How much of an answer that does not matter is read in order to use its
/// connection again.
const WORTH_DRAINING: u64 = 64 * 1024;

/// One connection's worth of client.
pub(super) struct Client {
    agent: Agent,
    names: Names,
    base: String,
    token: Option<String>,
    requests: ConsulRequests,
}

/// The instances of a service, and where in its history they belong.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Health {
    pub(super) instances: Vec<Instance>,
    /// The header `X-Consul-Index`, if it is there and a number.
    pub(super) index: Option<u64>,
}

impl Client {
    /// A client for the agent that `spec` names; connects when it is used.
    pub(super) fn new(spec: &ConsulSpec, requests: ConsulRequests) -> Self {
        let names = Names::default();
        let scheme = if spec.tls.is_some() { "https" } else { "http" };
        Self {
            agent: agent(spec.tls.as_ref(), names.clone()),
            names,
            base: format!("{scheme}://{}", spec.address),
            token: spec.token.clone(),
            requests,
        }
    }

    /// Lets another thread end the request that is under way, and all later ones.
    pub(super) fn interrupter(&self) -> Agent {
        self.agent.clone()
    }

    /// Carries out one request for a service; the second value is the reason if
    /// there was no answer.
    pub(super) fn perform(&self, call: &Call) -> (Outcome, Option<String>) {
        let result = match call {
            Call::Register(spec, status) => self.register(spec, *status),
            Call::Deregister(id) => self.deregister(id),
            Call::Heartbeat(spec) => self.heartbeat(spec),
            Call::Verify(spec) => self.verify(spec),
        };
        match result {
            Ok(outcome) => (outcome, None),
            Err(Failure::Refused(status, text)) if is_unknown(status, &text) => {
                (Outcome::Unknown, None)
            }
            Err(Failure::Refused(status, text)) => (Outcome::Refused(status, text), None),
            Err(Failure::Unreachable(why)) => (Outcome::Unreachable, Some(why)),
        }
    }

    /// A request for a service has ended so, and not because it was interrupted.
    pub(super) fn was_performed(&self, call: &Call, outcome: &Outcome) {
        let op = match call {
            Call::Register(..) => ConsulOp::Register,
            Call::Deregister(_) => ConsulOp::Deregister,
            Call::Heartbeat(_) => ConsulOp::Heartbeat,
            Call::Verify(_) => ConsulOp::Verify,
        };
        self.requests.answered(op, succeeded(op, outcome));
    }

    fn register(&self, spec: &ServiceSpec, status: InitialStatus) -> Result<Outcome, Failure> {
        let body = json(&Registration::of(spec, status))?;
        self.put("/v1/agent/service/register", &body)
    }

    fn deregister(&self, id: &str) -> Result<Outcome, Failure> {
        self.put(&format!("/v1/agent/service/deregister/{}", escape(id)), &[])
    }

    fn heartbeat(&self, spec: &ServiceSpec) -> Result<Outcome, Failure> {
        let path = format!("/v1/agent/check/update/service:{}", escape(&spec.id));
        self.put(&path, &json(&PASSING)?)
    }

    fn verify(&self, spec: &ServiceSpec) -> Result<Outcome, Failure> {
        let path = format!("/v1/agent/service/{}", escape(&spec.id));
        let (found, _): (Registered, _) = self.get(&path, ANSWER)?;
        Ok(if found.is(spec) {
            Outcome::Done
        } else {
            Outcome::Differs
        })
    }

    /// A query of a watch has ended, and not because the watch was stopped.
    pub(super) fn was_watched(&self, succeeded: bool) {
        self.requests.answered(ConsulOp::Watch, succeeded);
    }

    /// The healthy instances of a watched service. With `blocking`, an index and
    /// how long to wait, Consul answers when there is something newer than that
    /// index.
    pub(super) fn health(
        &self,
        watch: &WatchSpec,
        blocking: Option<(u64, Duration)>,
    ) -> Result<Health, Failure> {
        let (Instances(mut instances), headers) = self.get(
            &health_path(watch, blocking),
            // Consul adds up to a sixteenth to the time it was told to wait.
            blocking.map_or(CATALOG, |(_, wait)| CATALOG + wait + wait / 16),
        )?;
        instances.sort_unstable();
        instances.dedup();
        let index = headers.get("x-consul-index");
        Ok(Health {
            instances,
            index: index.and_then(|value| value.to_str().ok()?.parse().ok()),
        })
    }

    fn put(&self, path: &str, body: &[u8]) -> Result<Outcome, Failure> {
        self.exchange(ANSWER, || {
            let mut request = self.agent.put(format!("{}{path}", self.base));
            if let Some(token) = &self.token {
                request = request.header("X-Consul-Token", token);
            }
            let mut response = request
                .config()
                .timeout_global(Some(ANSWER))
                .build()
                .send(body)?;
            let refusal = Failure::of_answer(&mut response);
            drain(&mut response);
            Ok(refusal.map_or(Ok(Outcome::Done), Err))
        })
    }

    fn get<T: DeserializeOwned>(
        &self,
        path: &str,
        deadline: Duration,
    ) -> Result<(T, HeaderMap), Failure> {
        self.exchange(deadline, || {
            let mut request = self.agent.get(format!("{}{path}", self.base));
            if let Some(token) = &self.token {
                request = request.header("X-Consul-Token", token);
            }
            let mut response = request
                .config()
                .timeout_global(Some(deadline))
                .build()
                .call()?;
            if let Some(refusal) = Failure::of_answer(&mut response) {
                drain(&mut response);
                return Ok(Err(refusal));
            }
            let (head, body) = response.into_parts();
            let reader = body.into_with_config().limit(LARGEST).reader();
            let parsed = serde_json::from_reader(BufReader::with_capacity(CHUNK, reader));
            let value = parsed.map_err(|error| {
                if error.is_io() {
                    Error::from(io::Error::from(error))
                } else {
                    Error::Other(Box::new(error))
                }
            })?;
            Ok(Ok((value, head.headers)))
        })
    }

    /// Runs one exchange and turns whatever goes wrong into a failure. A panic
    /// of the HTTP library over something that it was sent is one, too: it must
    /// not end the supervisor.
    fn exchange<T>(
        &self,
        deadline: Duration,
        run: impl Fn() -> Result<Result<T, Failure>, Error>,
    ) -> Result<T, Failure> {
        let start = Instant::now();
        let attempt = || catch_unwind(AssertUnwindSafe(&run));
        let mut ended = attempt();
        // A connection that was kept may have been closed just now, which says
        // nothing of Consul. All requests may be sent twice (RFC 9110, 9.2.2).
        if matches!(&ended, Ok(Err(error)) if was_cut(error)) && start.elapsed() < RETRY {
            ended = attempt();
        }
        let result = match ended {
            Ok(Ok(result)) => result,
            Ok(Err(error)) => Err(Failure::Unreachable(reason(&error, deadline))),
            Err(panic) => Err(Failure::of_panic(panic.as_ref())),
        };
        if let Err(Failure::Unreachable(_)) = result {
            self.names.forget();
        }
        result.map_err(|failure| failure.without(self.token.as_deref()))
    }
}

/// Whether an answer was of use. That there is no such service is one, unless it
/// was to take a heartbeat.
fn succeeded(op: ConsulOp, outcome: &Outcome) -> bool {
    match outcome {
        Outcome::Done | Outcome::Differs => true,
        Outcome::Unknown => op != ConsulOp::Heartbeat,
        Outcome::Refused(..) | Outcome::Unreachable => false,
    }
}

/// An HTTP client, with TLS or without.
fn agent(tls: Option<&Tls>, names: Names) -> Agent {
    match tls {
        #[cfg(feature = "tls")]
        Some(tls) => super::secure::agent(tls, config(), names),
        #[cfg(not(feature = "tls"))]
        Some(tls) => match *tls {},
        None => Agent::with_parts(config(), TcpConnector::default(), names),
    }
}

fn config() -> Config {
    Config::builder()
        .http_status_as_error(false)
        // Only what is configured: an environment's proxy is not meant for the
        // agent of this very host.
        .proxy(None)
        .max_redirects(0)
        .timeout_connect(Some(CONNECT))
        .input_buffer_size(INPUT)
        .output_buffer_size(OUTPUT)
        .max_response_header_size(INPUT)
        .max_idle_connections(1)
        .max_idle_connections_per_host(1)
        .user_agent(concat!("containerpilot/", env!("CARGO_PKG_VERSION")))
        .build()
}

fn json(body: &impl Serialize) -> Result<Vec<u8>, Failure> {
    serde_json::to_vec(body)
        .map_err(|error| Failure::Unreachable(format!("cannot write the request: {error}")))
}

/// Reads what is left of an answer, so that its connection can be used again.
fn drain(response: &mut Response<Body>) {
    let mut rest = response.body_mut().as_reader().take(WORTH_DRAINING);
    // If it can not be read, the connection is closed, which is all right.
    let _broken = io::copy(&mut rest, &mut io::sink());
}

/// Whether the other side has closed the connection under the exchange.
fn was_cut(error: &Error) -> bool {
    use io::ErrorKind::{BrokenPipe, ConnectionReset, UnexpectedEof};
    matches!(error, Error::Io(cause)
        if matches!(cause.kind(), BrokenPipe | ConnectionReset | UnexpectedEof))
}

/// What went wrong, for people.
fn reason(error: &Error, deadline: Duration) -> String {
    match error {
        Error::Timeout(Timeout::Connect | Timeout::Resolve) => {
            format!("no connection within {CONNECT:?}")
        }
        Error::Timeout(_) => format!("no answer within {deadline:?}"),
        Error::HostNotFound => "unknown host".to_owned(),
        Error::Protocol(_) => format!("the answer is not HTTP ({error})"),
        Error::BodyExceedsLimit(_) => format!("the answer is larger than {LARGEST} bytes"),
        Error::Other(cause) => {
            // It quotes the answer.
            let cause: String = cause.to_string().chars().take(SHOWN as usize).collect();
            format!("the answer makes no sense: {cause}")
        }
        Error::Io(cause) => {
            let text = cause.to_string();
            let is_tls = ["certificate", "alert"].iter().any(|it| text.contains(it));
            text + if is_tls { "; see consul.tls" } else { "" }
        }
        error => error.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_that_makes_no_sense_is_not_quoted_at_length() {
        let answer = format!("{:?}", "é".repeat(10_000));
        let error = serde_json::from_str::<Instances>(&answer);
        let error = error.map_or_else(
            |error| Error::Other(Box::new(error)),
            |_| Error::HostNotFound,
        );
        let reason = reason(&error, ANSWER);
        assert!(reason.starts_with("the answer makes no sense: invalid type: string \"éé"));
        assert!(reason.chars().count() < 300, "{reason}");
    }

    fn client(address: &str, token: Option<&str>) -> Client {
        let spec = ConsulSpec {
            address: address.to_owned(),
            tls: None,
            token: token.map(str::to_owned),
        };
        Client::new(&spec, ConsulRequests::default())
    }

    #[test]
    fn an_address_that_is_none_is_a_failure_of_each_request() {
        for (address, token) in [
            ("consul:8500:8501", None),
            ("", None),
            ("consul:99999", None),
            ("127.0.0.1:1", Some("a\nb")),
        ] {
            let call = Call::Deregister("app".to_owned());
            let (outcome, why) = client(address, token).perform(&call);
            assert_eq!(outcome, Outcome::Unreachable, "{address}");
            let why = why.unwrap_or_default();
            assert!(!why.is_empty() && !why.contains("a\nb"), "{address}: {why}");
        }
    }

    #[test]
    fn a_panic_below_is_a_failure() {
        let client = client("127.0.0.1:1", None);
        let odd = || std::panic::resume_unwind(Box::new("odd"));
        let result: Result<(), Failure> = client.exchange(ANSWER, odd);
        let expected = "the HTTP library gave up: odd".to_owned();
        assert_eq!(result, Err(Failure::Unreachable(expected)));
    }
}
