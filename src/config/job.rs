//! `jobs`: what to run, when, how to check it and how to advertise it
//! (SPEC §3, §5, §7, §9).

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use crate::event::Event;

/// One job, decoded and validated.
#[derive(Clone, Debug, PartialEq)]
pub struct JobSpec {
    /// The name that its events, its log lines and the API use.
    pub name: Arc<str>,
    /// What a run executes; a job without one only checks and advertises.
    pub exec: Option<Arc<ExecSpec>>,
    /// When the job starts.
    pub when: When,
    /// How often a run that has ended may be followed by another.
    pub restarts: Restarts,
    /// The longest a run may take before its process group is killed.
    pub timeout: Option<Duration>,
    /// How long a completing job waits for the jobs that run on its
    /// `stopping`; `None` waits for as long as shutdown lets it.
    pub stop_timeout: Option<Duration>,
    /// How its health is found out.
    pub health: Option<HealthSpec>,
    /// How it is advertised, if it has a port.
    pub service: Option<ServiceSpec>,
}

/// A command and how its output is treated.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExecSpec {
    /// The program and its arguments; never empty.
    pub argv: Vec<String>,
    /// Whether the child writes to the supervisor's own stdout and stderr
    /// instead of through its log.
    pub raw: bool,
}

/// What starts a job.
#[derive(Clone, Debug, PartialEq)]
pub struct When {
    /// The event or the clock that starts it.
    pub start: Start,
    /// How long to wait for the first matching event.
    pub timeout: Option<Duration>,
}

/// The event or the clock that starts a job.
#[derive(Clone, Debug, PartialEq)]
pub enum Start {
    /// The first such event.
    Once(Event),
    /// Every such event.
    Each(Event),
    /// At startup, then at every such interval.
    Every(Duration),
}

/// How often a run that has ended may be followed by another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Restarts {
    /// At most this often over the life of the job.
    Limited(u64),
    /// For as long as the job is not told to complete.
    Unlimited,
}

/// How the health of a job is found out.
#[derive(Clone, Debug, PartialEq)]
pub struct HealthSpec {
    /// The check; without one, every interval counts as a passing check.
    pub exec: Option<Arc<ExecSpec>>,
    /// From one check to the next.
    pub interval: Duration,
    /// The longest a check may take before its process group is killed.
    pub timeout: Duration,
}

/// How a job is advertised in the catalog.
#[derive(Clone, Debug, PartialEq)]
pub struct ServiceSpec {
    /// `NAME-HOSTNAME`, the catalog's key for this instance.
    pub id: String,
    /// The name under which other services find it.
    pub name: Arc<str>,
    /// The address that others connect to.
    pub address: IpAddr,
    /// The port that others connect to.
    pub port: u16,
    /// Tags, in the order of the file.
    pub tags: Vec<String>,
    /// How long the catalog waits for a heartbeat before it calls the service
    /// critical, in whole seconds.
    pub ttl: Duration,
    /// The status to register with before the first check.
    pub initial_status: Option<InitialStatus>,
    /// Whether other agents may change the tags.
    pub enable_tag_override: bool,
    /// The catalog removes the service after it was critical for so long, as
    /// the file has it (Go's duration syntax, which is also Consul's).
    pub deregister_critical_after: Option<String>,
}

/// The status with which a service is registered before its first check.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InitialStatus {
    /// `passing`
    Passing,
    /// `warning`
    Warning,
    /// `critical`
    Critical,
}
