//! What a client asks of the supervisor and what it is answered, as values.
//!
//! The server turns HTTP into a [`Request`] and a [`Reply`] back into HTTP; the
//! supervisor sees only these. Nothing here does I/O.

use std::time::{Duration, Instant};

use super::status::{JobStatus, Status};
use crate::config::init::Ending;

/// What a client asks of the supervisor, completely validated.
#[derive(Clone, Debug, PartialEq)]
pub enum Request {
    /// `GET /v3/ping`
    Ping,
    /// `POST /v3/env`: set each variable, or unset it where there is no value.
    PutEnv(Vec<(String, Option<String>)>),
    /// `POST /v3/metric`: push each value to the metric of that exported name.
    PutMetric(Vec<(String, f64)>),
    /// `POST /v3/reload`
    Reload(Reload),
    /// `POST /v3/maintenance/enable` (`true`) and `/disable` (`false`).
    Maintenance(bool),
    /// `GET /v3/status`
    Status,
    /// `GET /v3/health`, of all jobs or of those of one name.
    Health(Option<String>),
    /// `GET /v3/jobs/NAME`
    Job(String),
    /// `POST /v3/poweroff` and `/v3/reboot`
    End(Ending),
    /// `POST /v3/jobs/NAME/start`, `/stop` and `/restart`
    Operate(Operation),
    /// `POST /v3/jobs/NAME/signal`
    Signal {
        /// The name of the job.
        job: String,
        /// The number of the signal.
        signal: i32,
    },
}

/// Something to be done to all jobs of a name, and to be answered once it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Operation {
    /// What.
    pub verb: Verb,
    /// The name.
    pub job: String,
    /// How long to wait for it; it is answered then at the latest.
    pub within: Duration,
}

/// How long a client waits for a job to start or to stop if it does not say. The
/// timeouts of the configuration bound that; this is for those that are long.
pub const OPERATION_WITHIN: Duration = Duration::from_secs(300);

/// What can be done to a job.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verb {
    /// To start it if it does not run.
    Start,
    /// To stop it until it is started.
    Stop,
    /// To stop it if it runs, and to start it.
    Restart,
}

impl Verb {
    /// The word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Start => "start",
            Self::Stop => "stop",
            Self::Restart => "restart",
        }
    }
}

/// What is wanted of a reload.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Reload {
    /// To be told the plan: what is kept and what is changed (`?verbose`).
    pub verbose: bool,
    /// Nothing but the plan: nothing is changed (`?dry-run`).
    pub dry_run: bool,
}

/// What the supervisor answers.
#[derive(Clone, Debug, PartialEq)]
pub enum Reply {
    /// 200 without a body.
    Done,
    /// 200 with the body `ok`.
    Pong,
    /// 200 with `{"updated": …}`.
    Updated(bool),
    /// 200 with what a reload does, one item a line.
    Plan(String),
    /// 200 with everything there is to know.
    Status(Box<Status>),
    /// 200 with what there is to know of the jobs of one name, at that moment.
    Jobs(Instant, Vec<JobStatus>),
    /// 200 if nothing speaks against it that all is well, else 503 with what does.
    Health(Vec<String>),
    /// The request was understood but not carried out; nothing has changed.
    Refused {
        /// The HTTP status, 4xx or 5xx.
        status: u16,
        /// Why, for people; one line, or one line per configuration error.
        message: String,
    },
}

/// What a request to a known endpoint says.
#[derive(Clone, Copy, Debug, Default)]
pub struct Asked<'a> {
    /// What stands in the path for `{name}`, decoded; empty if nothing does.
    pub name: &'a str,
    /// What follows the `?`.
    pub query: &'a str,
    /// The body.
    pub body: &'a [u8],
}
