//! What operators ask of jobs, as exchanges of their own (SPEC §16).

use std::path::Path;
use std::time::Duration;

use serde_json::json;

use super::{Error, call, exchange};
use crate::control::api::{self, OPERATION_MARGIN};
use crate::control::request::{OPERATION_WITHIN, Verb};

/// `-status`: all there is to know, of the supervisor or of one job, as JSON.
pub fn status(socket: &Path, job: Option<&str>) -> Result<String, Error> {
    match job {
        None => call(socket, &api::STATUS, ""),
        Some(name) => {
            let (target, deadline) = (api::JOB.path_of(name), api::JOB.deadline);
            exchange(socket, api::JOB.method, &target, "", deadline)
        }
    }
}

/// `-health`: that all is well, or one job, as JSON. That it is not is an error
/// whose message is JSON too.
pub fn health(socket: &Path, job: Option<&str>) -> Result<String, Error> {
    let endpoint = &api::HEALTH;
    let target = match job {
        None => endpoint.path.to_owned(),
        Some(name) => format!("{}?job={}", endpoint.path, api::encode(name)),
    };
    exchange(socket, endpoint.method, &target, "", endpoint.deadline)
}

/// `-start`, `-stop` and `-restart`: returns when it has happened, with what is
/// known of the job then, as JSON.
pub fn operate(
    socket: &Path,
    verb: Verb,
    job: &str,
    within: Option<Duration>,
) -> Result<String, Error> {
    let endpoint = match verb {
        Verb::Start => &api::START,
        Verb::Stop => &api::STOP,
        Verb::Restart => &api::RESTART,
    };
    let within = within.unwrap_or(OPERATION_WITHIN);
    let target = format!("{}?timeout={}ms", endpoint.path_of(job), within.as_millis());
    let deadline = within.saturating_add(OPERATION_MARGIN);
    exchange(socket, endpoint.method, &target, "", deadline)
}

/// `-signal`: sends a signal, by its name or number, to the process group of a
/// job.
pub fn signal(socket: &Path, job: &str, signal: &str) -> Result<(), Error> {
    let endpoint = &api::SIGNAL;
    let body = json!({ "signal": signal }).to_string();
    let target = endpoint.path_of(job);
    exchange(socket, endpoint.method, &target, &body, endpoint.deadline).map(drop)
}
