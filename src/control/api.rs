//! The table of endpoints, which the server, the client and the manual read: what
//! the control plane can be asked, by which path, and how long that may take.
//!
//! What an endpoint's parser gives is told in [`super::request`]. Nothing here
//! does I/O.

use std::time::Duration;

use super::request::{Asked, OPERATION_WITHIN, Reply, Request, Verb};
use super::{body, path, query};
use crate::config::init::Ending;

/// Turns what a request says into what is asked, or into the refusal.
pub type Parse = fn(&Asked<'_>) -> Result<Request, Reply>;

/// One thing that the control plane can be asked.
#[derive(Debug)]
pub struct Endpoint {
    /// The HTTP method; where it is `GET`, `HEAD` works too.
    pub method: &'static str,
    /// The path, which is also its name in metrics. `{name}` stands for the name
    /// of a job, percent-encoded.
    pub path: &'static str,
    /// Another path that does the same.
    pub alias: Option<&'static str>,
    /// What it does, for the manual.
    pub summary: &'static str,
    /// How long a client waits for the answer, from before it connects; the
    /// server gives up [`SERVER_MARGIN`] earlier, so that it can say so.
    pub deadline: Duration,
    /// What a request means.
    pub parse: Parse,
}

/// By how much the server gives up before the client does.
pub const SERVER_MARGIN: Duration = Duration::from_secs(1);

const SHORT: Duration = Duration::from_secs(10);
const RELOAD_DEADLINE: Duration = Duration::from_secs(60);

/// By how much a client's own deadline comes after the time it gives to an
/// operation, so that it hears from the supervisor what is in the way.
pub const OPERATION_MARGIN: Duration = Duration::from_secs(5);

/// `GET /v3/ping`
pub static PING: Endpoint = Endpoint {
    method: "GET",
    path: "/v3/ping",
    alias: None,
    summary: "answers ok if the supervisor is up",
    deadline: SHORT,
    parse: |_| Ok(Request::Ping),
};

/// `POST /v3/env`
pub static ENV: Endpoint = Endpoint {
    method: "POST",
    path: "/v3/env",
    alias: Some("/v3/environ"),
    summary: "sets or unsets environment variables of all processes started from now on",
    deadline: SHORT,
    parse: |asked| body::put_env(asked.body),
};

/// `POST /v3/metric`
pub static METRIC: Endpoint = Endpoint {
    method: "POST",
    path: "/v3/metric",
    alias: None,
    summary: "pushes values to the metrics of the configuration",
    deadline: SHORT,
    parse: |asked| body::put_metric(asked.body),
};

/// `POST /v3/reload`
pub static RELOAD: Endpoint = Endpoint {
    method: "POST",
    path: "/v3/reload",
    alias: None,
    summary: "reads the configuration again; answers when it has been accepted or refused",
    deadline: RELOAD_DEADLINE,
    parse: |asked| query::reload(asked.query),
};

/// `POST /v3/maintenance/enable`
pub static MAINTENANCE_ENABLE: Endpoint = Endpoint {
    method: "POST",
    path: "/v3/maintenance/enable",
    alias: None,
    summary: "enters maintenance mode; answers whether that changed anything",
    deadline: SHORT,
    parse: |_| Ok(Request::Maintenance(true)),
};

/// `POST /v3/maintenance/disable`
pub static MAINTENANCE_DISABLE: Endpoint = Endpoint {
    method: "POST",
    path: "/v3/maintenance/disable",
    alias: None,
    summary: "leaves maintenance mode; answers whether that changed anything",
    deadline: SHORT,
    parse: |_| Ok(Request::Maintenance(false)),
};

/// `GET /v3/status`
pub static STATUS: Endpoint = Endpoint {
    method: "GET",
    path: "/v3/status",
    alias: None,
    summary: "tells all about the supervisor, its jobs and its watches",
    deadline: SHORT,
    parse: |_| Ok(Request::Status),
};

/// `GET /v3/health`
pub static HEALTH: Endpoint = Endpoint {
    method: "GET",
    path: "/v3/health",
    alias: None,
    summary: "tells whether all is well, or one job: 200, or 503 with what is not",
    deadline: SHORT,
    parse: |asked| query::health(asked.query),
};

/// `GET /v3/jobs/{name}`
pub static JOB: Endpoint = Endpoint {
    method: "GET",
    path: "/v3/jobs/{name}",
    alias: None,
    summary: "tells all about a job",
    deadline: SHORT,
    parse: |asked| Ok(Request::Job(asked.name.to_owned())),
};

/// `POST /v3/poweroff`
pub static POWEROFF: Endpoint = Endpoint {
    method: "POST",
    path: "/v3/poweroff",
    alias: None,
    summary: "shuts down and switches the machine off; answers when that has begun",
    deadline: SHORT,
    parse: |_| Ok(Request::End(Ending::PowerOff)),
};

/// `POST /v3/reboot`
pub static REBOOT: Endpoint = Endpoint {
    method: "POST",
    path: "/v3/reboot",
    alias: None,
    summary: "shuts down and starts the machine again; answers when that has begun",
    deadline: SHORT,
    parse: |_| Ok(Request::End(Ending::Reboot)),
};

/// `POST /v3/jobs/{name}/start`
pub static START: Endpoint = Endpoint {
    path: "/v3/jobs/{name}/start",
    summary: "starts a job; answers when its process runs or could not be started",
    parse: |asked| query::operation(Verb::Start, asked),
    ..OPERATION
};

/// `POST /v3/jobs/{name}/stop`
pub static STOP: Endpoint = Endpoint {
    path: "/v3/jobs/{name}/stop",
    summary: "stops a job until it is started; answers when its process is gone",
    parse: |asked| query::operation(Verb::Stop, asked),
    ..OPERATION
};

/// `POST /v3/jobs/{name}/restart`
pub static RESTART: Endpoint = Endpoint {
    path: "/v3/jobs/{name}/restart",
    summary: "stops a job and starts it; answers when its new process runs or could not be started",
    parse: |asked| query::operation(Verb::Restart, asked),
    ..OPERATION
};

/// `POST /v3/jobs/{name}/signal`
pub static SIGNAL: Endpoint = Endpoint {
    method: "POST",
    path: "/v3/jobs/{name}/signal",
    alias: None,
    summary: "sends a signal to the process group of a job",
    deadline: SHORT,
    parse: |asked| body::signal(asked),
};

/// What those endpoints have in common that do something to a job.
const OPERATION: Endpoint = Endpoint {
    method: "POST",
    path: "",
    alias: None,
    summary: "",
    deadline: OPERATION_WITHIN,
    parse: |_| Ok(Request::Ping),
};

/// Every endpoint, in the order of the manual.
pub static ENDPOINTS: &[&Endpoint] = &[
    &PING,
    &ENV,
    &METRIC,
    &RELOAD,
    &MAINTENANCE_ENABLE,
    &MAINTENANCE_DISABLE,
    &STATUS,
    &HEALTH,
    &JOB,
    &POWEROFF,
    &REBOOT,
    &START,
    &STOP,
    &RESTART,
    &SIGNAL,
];

/// The endpoint of this path, by its name or its alias, and what stands there for
/// `{name}`.
pub fn endpoint(path: &str) -> Option<(&'static Endpoint, String)> {
    ENDPOINTS.iter().find_map(|endpoint| {
        let name = path::name_in(endpoint.path, path);
        let alias = || endpoint.alias.and_then(|alias| path::name_in(alias, path));
        Some((*endpoint, name.or_else(alias)?))
    })
}

/// The stream of events.
pub const EVENTS: &str = "/v3/events";

/// The last lines of the log, and what follows.
pub const LOGS: &str = "/v3/logs";

/// What can be waited for: the states of a job, those of its health, and that a
/// run has ended.
pub const STATES: [&str; 13] = [
    "waiting",
    "starting",
    "running",
    "present",
    "idle",
    "backoff",
    "stopping",
    "stopped",
    "completed",
    "exited",
    "healthy",
    "unhealthy",
    "maintenance",
];

/// A name, percent-encoded as paths and queries need it.
pub fn encode(name: &str) -> String {
    path::encode(name)
}

impl Endpoint {
    /// How long the supervisor may take for its answer to this request.
    pub fn patience(&self, request: &Request) -> Duration {
        match request {
            Request::Operate(operation) => operation.within.saturating_add(SERVER_MARGIN),
            _ => self.deadline.saturating_sub(SERVER_MARGIN),
        }
    }

    /// The path of this endpoint for the job of this name.
    pub fn path_of(&self, name: &str) -> String {
        path::with_name(self.path, name)
    }
}

#[cfg(test)]
mod tests {
    use super::super::request::Reload;
    use super::*;

    #[test]
    fn every_path_and_alias_leads_to_its_endpoint_and_to_no_other() {
        for endpoint in ENDPOINTS {
            for path in [Some(endpoint.path), endpoint.alias].into_iter().flatten() {
                let found = super::endpoint(path).map(|(found, _)| found.path);
                assert_eq!(found, Some(endpoint.path), "{path}");
            }
            assert!(endpoint.deadline > SERVER_MARGIN);
        }
        for path in [
            "",
            "/",
            "/v3",
            "/v3/",
            "/v3/ping/",
            "/v3/maintenance",
            "/v3/maintenance/",
            "/v3/jobs/",
            "/v3/jobs/app/nonsense",
            "/ping",
        ] {
            assert!(endpoint(path).is_none(), "{path}");
        }
    }

    #[test]
    fn a_job_is_named_in_the_path() {
        for name in ["app", "/bin/app", "ü %", "stop", ".."] {
            let path = JOB.path_of(name);
            let found = endpoint(&path).map(|(found, name)| (found.path, name));
            assert_eq!(found, Some((JOB.path, name.to_owned())), "{path}");
        }
    }

    #[test]
    fn endpoints_without_a_body_ignore_what_is_sent() {
        for (endpoint, request) in [
            (&PING, Request::Ping),
            (&RELOAD, Request::Reload(Reload::default())),
            (&MAINTENANCE_ENABLE, Request::Maintenance(true)),
            (&MAINTENANCE_DISABLE, Request::Maintenance(false)),
            (&STATUS, Request::Status),
            (&HEALTH, Request::Health(None)),
            (&POWEROFF, Request::End(Ending::PowerOff)),
            (&REBOOT, Request::End(Ending::Reboot)),
        ] {
            for body in [&b""[..], b"{}", b"\xff"] {
                let asked = Asked {
                    body,
                    ..Asked::default()
                };
                assert_eq!((endpoint.parse)(&asked), Ok(request.clone()));
            }
        }
    }
}
