//! What `GET /v3/status`, `/v3/jobs/NAME` and `/v3/health` answer (SPEC §16).
//!
//! The supervisor fills in what is true now, in moments of its own clock; this
//! only knows how it looks, and is rendered on the asker's thread. It has no
//! place for an environment, a command line or a token, so that no answer can
//! leak one.

mod json;

use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::clock::Clock;
use crate::event::Event;
use crate::tail::Tail;
use json::{Object, quoted};

/// Everything: the supervisor, its jobs in the order of the configuration (those
/// that a reload added or replaced behind the others), and its watches.
#[derive(Clone, Debug, PartialEq)]
pub struct Status {
    /// When this was true.
    pub now: Instant,
    /// The supervisor itself.
    pub supervisor: SupervisorStatus,
    /// The jobs, also those that a reload has removed and that are not gone yet.
    pub jobs: Vec<JobStatus>,
    /// The watched services.
    pub watches: Vec<WatchStatus>,
}

/// The supervisor itself.
#[derive(Clone, Debug, PartialEq)]
pub struct SupervisorStatus {
    /// Its version.
    pub version: &'static str,
    /// Its process.
    pub pid: u32,
    /// When it began to supervise.
    pub started: Instant,
    /// Whether it is on its way out.
    pub is_shutting_down: bool,
    /// Whether nothing is checked and nothing is advertised.
    pub maintenance: bool,
    /// The configuration file, if there is one.
    pub config: Option<PathBuf>,
    /// The last reload that was accepted or refused; dry runs do not count.
    pub last_reload: Option<Told>,
    /// Whether Consul can be reached, if it is configured; unknown until it was
    /// tried.
    pub consul: Option<Option<Told>>,
}

/// Something that went well, or did not, and why.
#[derive(Clone, Debug, PartialEq)]
pub struct Told {
    /// Since when that is so.
    pub at: Instant,
    /// How it went.
    pub result: Result<(), String>,
}

/// One job.
#[derive(Clone, Debug, PartialEq)]
pub struct JobStatus {
    /// Its name.
    pub name: Arc<str>,
    /// Where it is in its life.
    pub state: State,
    /// Since when.
    pub since: Instant,
    /// The process of the live run, once it has started.
    pub pid: Option<i32>,
    /// How many runs of it have begun.
    pub runs: u64,
    /// How many restarts it has left; none for any number.
    pub restarts_left: Option<u64>,
    /// Whether the supervisor ends with it.
    pub essential: bool,
    /// What it waits for to start.
    pub waits_for: Option<WaitsFor>,
    /// How the last run ended.
    pub last_exit: Option<LastExit>,
    /// Its health, if it has checks.
    pub health: Option<HealthStatus>,
    /// When it starts next, if the clock says so.
    pub next_start: Option<Instant>,
    /// Where it is advertised.
    pub address: Option<(IpAddr, u16)>,
}

/// The events that a job waits for to start.
#[derive(Clone, Debug, PartialEq)]
pub struct WaitsFor {
    /// Whether all of them must come, and not any.
    pub all: bool,
    /// Those that have not come yet.
    pub events: Vec<Event>,
}

/// Where a job is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// It waits for its `when`.
    Waiting,
    /// Its process has been asked for.
    Starting,
    /// Its process is alive.
    Running,
    /// It has started and has no command: it is only checked and advertised.
    Present,
    /// Between two runs, for the next event or tick.
    Idle,
    /// Between two runs, for the time until it is restarted.
    BackingOff,
    /// On its way to its end.
    Stopping,
    /// It was stopped by an operator, and stays so until it is started or changed
    /// by a reload.
    Stopped,
    /// It has come to its end.
    Completed,
}

impl State {
    /// The word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Starting => "starting",
            Self::Running => "running",
            Self::Present => "present",
            Self::Idle => "idle",
            Self::BackingOff => "backoff",
            Self::Stopping => "stopping",
            Self::Stopped => "stopped",
            Self::Completed => "completed",
        }
    }
}

/// How a run ended.
#[derive(Clone, Debug, PartialEq)]
pub struct LastExit {
    /// When.
    pub at: Instant,
    /// The exit code as shells report it.
    pub code: u8,
    /// What brought it about.
    pub cause: Cause,
    /// The same in words.
    pub message: String,
}

/// What brings a run to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    /// It exited.
    Exit,
    /// A signal killed it.
    Signal,
    /// It took longer than its `timeout`.
    Timeout,
    /// Its health checks have failed too often.
    Unhealthy,
    /// It was told to stop.
    Stop,
    /// It could not be started.
    NoStart,
}

impl Cause {
    /// The word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Exit => "exit",
            Self::Signal => "signal",
            Self::Timeout => "timeout",
            Self::Unhealthy => "unhealthy",
            Self::Stop => "stop",
            Self::NoStart => "noStart",
        }
    }
}

/// The health of a job.
#[derive(Clone, Debug, PartialEq)]
pub struct HealthStatus {
    /// A status word of SPEC §7.
    pub status: &'static str,
    /// The last check that had a result.
    pub last_check: Option<CheckStatus>,
}

/// A check that had a result.
#[derive(Clone, Debug, PartialEq)]
pub struct CheckStatus {
    /// When it had it.
    pub at: Instant,
    /// How long it took.
    pub took: Duration,
    /// What was seen when it passed, which is nothing of a command, or why it
    /// did not.
    pub result: Result<String, String>,
    /// What the command of one that failed has printed.
    pub output: Option<Tail>,
}

/// A watched service.
#[derive(Clone, Debug, PartialEq)]
pub struct WatchStatus {
    /// Its name.
    pub name: String,
    /// How many healthy instances it has, once that is known.
    pub instances: Option<usize>,
}

/// The moments of an answer: when it was true, and on the clock on the wall.
struct Times<'a> {
    now: Instant,
    clock: &'a Clock,
}

impl Times<'_> {
    /// A moment that has passed, and how long ago that was.
    fn past(&self, object: Object, keys: (&str, &str), moment: Instant) -> Object {
        object
            .text(keys.0, &self.clock.rfc3339(moment))
            .seconds(keys.1, self.now.saturating_duration_since(moment))
    }
}

/// Since when something lasts.
const SINCE: (&str, &str) = ("since", "sinceSeconds");
/// When something happened.
const AT: (&str, &str) = ("at", "secondsAgo");

impl Status {
    /// The body of `GET /v3/status`, one line.
    pub fn to_json(&self, clock: &Clock) -> String {
        let times = Times {
            now: self.now,
            clock,
        };
        let watches = self.watches.iter().map(|watch| {
            let instances = watch.instances.map(|count| count as u64);
            Object::default()
                .text("name", &watch.name)
                .number("instances", instances)
        });
        let object = Object::default()
            .object("supervisor", Some(self.supervisor.to_json(&times)))
            .list("jobs", self.jobs.iter().map(|job| job.to_json(&times)))
            .list("watches", watches);
        object.finish() + "\n"
    }
}

impl SupervisorStatus {
    fn to_json(&self, times: &Times<'_>) -> Object {
        let phase = match self.is_shutting_down {
            true => State::Stopping,
            false => State::Running,
        };
        let object = Object::default()
            .text("version", self.version)
            .number("pid", Some(self.pid))
            .text("state", phase.as_str());
        let reload = self.last_reload.as_ref().map(|told| {
            let object = Object::default().bool("accepted", told.result.is_ok());
            told.to_json(object, AT, times)
        });
        let consul = self.consul.as_ref().map(|told| match told {
            None => Object::default().raw("reachable", "null"),
            Some(told) => {
                let object = Object::default().bool("reachable", told.result.is_ok());
                told.to_json(object, SINCE, times)
            }
        });
        let config = self.config.as_deref().map(Path::to_string_lossy);
        times
            .past(object, ("started", "uptimeSeconds"), self.started)
            .bool("maintenance", self.maintenance)
            .optional_text("config", config.as_deref())
            .object("lastReload", reload)
            .object("consul", consul)
    }
}

impl Told {
    fn to_json(&self, object: Object, keys: (&str, &str), times: &Times<'_>) -> Object {
        let reason = self.result.as_ref().err().map(String::as_str);
        times
            .past(object, keys, self.at)
            .optional_text("reason", reason)
    }
}

impl JobStatus {
    fn to_json(&self, times: &Times<'_>) -> Object {
        let object = Object::default()
            .text("name", &self.name)
            .text("state", self.state.as_str());
        let last_exit = self.last_exit.as_ref().map(|exit| {
            let object = Object::default()
                .number("code", Some(exit.code))
                .text("cause", exit.cause.as_str())
                .text("message", &exit.message);
            times.past(object, AT, exit.at)
        });
        let health = self.health.as_ref().map(|health| health.to_json(times));
        let next_start = self.next_start.map(|at| {
            Object::default()
                .text("at", &times.clock.rfc3339(at))
                .seconds("inSeconds", at.saturating_duration_since(times.now))
        });
        let address = self.address.map(|(ip, _)| ip.to_string());
        times
            .past(object, SINCE, self.since)
            .number("pid", self.pid)
            .number("runs", Some(self.runs))
            .number("restartsLeft", self.restarts_left)
            .bool("essential", self.essential)
            .object("waitsFor", self.waits_for.as_ref().map(WaitsFor::to_json))
            .object("lastExit", last_exit)
            .object("health", health)
            .object("nextStart", next_start)
            .optional_text("address", address.as_deref())
            .number("port", self.address.map(|(_, port)| port))
    }
}

impl WaitsFor {
    fn to_json(&self) -> Object {
        let events = self.events.iter().map(|event| {
            Object::default()
                .text("code", event.code.stream_name())
                .text("source", &event.source)
        });
        Object::default()
            .bool("all", self.all)
            .list("events", events)
    }
}

impl HealthStatus {
    fn to_json(&self, times: &Times<'_>) -> Object {
        let last = self.last_check.as_ref().map(|check| {
            let object = Object::default().bool("passed", check.result.is_ok());
            let (Ok(reason) | Err(reason)) = &check.result;
            let reason = Some(reason.as_str()).filter(|reason| !reason.is_empty());
            let output = check.output.as_ref().and_then(Tail::lines);
            times
                .past(object, AT, check.at)
                .seconds("tookSeconds", check.took)
                .optional_text("reason", reason)
                .optional_text("output", output.as_deref())
        });
        Object::default()
            .text("status", self.status)
            .object("lastCheck", last)
    }
}

/// The body of `GET /v3/jobs/NAME`, one line: every job of that name, mostly one.
pub fn jobs_to_json(now: Instant, jobs: &[JobStatus], clock: &Clock) -> String {
    let times = Times { now, clock };
    let jobs = jobs.iter().map(|job| job.to_json(&times));
    Object::default().list("jobs", jobs).finish() + "\n"
}

/// The body of `GET /v3/health`, one line: what is not well, of which there may
/// be nothing.
pub fn health_to_json(reasons: &[String]) -> String {
    let list: Vec<String> = reasons.iter().map(|reason| quoted(reason)).collect();
    let object = Object::default()
        .bool("healthy", reasons.is_empty())
        .raw("reasons", &format!("[{}]", list.join(",")));
    object.finish() + "\n"
}

#[cfg(test)]
mod tests;
