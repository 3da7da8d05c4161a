//! `-wait`: until a job is in some state (SPEC §16).
//!
//! First it follows the events, then it looks at the job, then it looks again
//! after every event that can have changed it: so no change is missed, whenever
//! it comes. A state that has passed by while nobody looked, because a run was
//! short, counts too: its event has told of it.

use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::Value;

use super::stream::events;
use super::{Cause, Error, jobs};

/// How long to wait unless told otherwise.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// How a wait has ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Waited {
    /// The job is in that state, or has been meanwhile.
    Holds,
    /// The time is over, and the job is in these states.
    TooLong(String),
    /// The supervisor has ended, or its control socket has moved.
    Ended,
}

/// What a stream of events says next.
enum Next {
    /// The job can have changed.
    Look,
    /// The job has been in the state.
    Holds,
    /// Events are lost, as this side was too slow for them.
    Lost,
    /// The supervisor has ended.
    End,
}

/// Waits until the job is in a state of [`STATES`](crate::control::api::STATES).
///
/// # Errors
/// If the supervisor cannot be asked, or has no such job.
pub fn wait(socket: &Path, job: &str, state: &str, patience: Duration) -> Result<Waited, Error> {
    let end = Instant::now() + patience;
    let mut stream = events(socket, None)?;
    stream.ends_by(end, patience);
    let (mut text, mut is_known) = (Vec::new(), false);
    loop {
        let now = match jobs::status(socket, Some(job)) {
            Ok(now) => now,
            Err(error) if is_known && is_end(&error.cause) => return Ok(Waited::Ended),
            Err(error) => return Err(error),
        };
        is_known = true;
        let states = states(&now);
        if states.iter().any(|known| known == state) {
            return Ok(Waited::Holds);
        }
        match next_change(&mut stream, &mut text, job, state) {
            Ok(Next::Look) => {}
            Ok(Next::Holds) => return Ok(Waited::Holds),
            Ok(Next::Lost) => match events(socket, None) {
                Ok(anew) => {
                    stream = anew;
                    stream.ends_by(end, patience);
                    text.clear();
                }
                Err(error) if is_end(&error.cause) => return Ok(Waited::Ended),
                Err(error) => return Err(error),
            },
            Ok(Next::End) => return Ok(Waited::Ended),
            Err(error) if matches!(error.cause, Cause::TimedOut(_)) => {
                return Ok(Waited::TooLong(states.join(", ")));
            }
            Err(error) if is_end(&error.cause) => return Ok(Waited::Ended),
            Err(error) => return Err(error),
        }
    }
}

/// Whether this is what becomes of a supervisor that has answered before.
fn is_end(cause: &Cause) -> bool {
    matches!(
        cause,
        Cause::CutOff | Cause::NoSocket | Cause::NobodyListens
    )
}

/// Waits for an event that can have changed the job, or for the end of the stream.
fn next_change(
    stream: &mut super::stream::Stream<'_>,
    text: &mut Vec<u8>,
    job: &str,
    state: &str,
) -> Result<Next, Error> {
    loop {
        while let Some(end) = text.iter().position(|byte| *byte == b'\n') {
            let line: Vec<u8> = text.drain(..=end).collect();
            if is_lost(&line) {
                return Ok(Next::Lost);
            }
            match concerns(&line, job, state) {
                Some(true) => return Ok(Next::Holds),
                Some(false) => return Ok(Next::Look),
                None => {}
            }
        }
        match stream.more()? {
            Some(bytes) => text.extend_from_slice(&bytes),
            None => return Ok(Next::End),
        }
    }
}

/// Whether a line is the last one of a stream whose reader was too slow; that of a
/// supervisor that ends has none.
fn is_lost(line: &[u8]) -> bool {
    line.starts_with(br#"{"end":"#)
}

/// Whether a line of the stream tells that the job has been in the state;
/// nothing if it cannot have changed the job.
fn concerns(line: &[u8], job: &str, state: &str) -> Option<bool> {
    let event: Value = serde_json::from_slice(line).unwrap_or(Value::Null);
    let text = |key: &str| event.get(key).and_then(Value::as_str);
    match (text("source"), text("code")) {
        (Some(source), Some(code)) if source == job => Some(match code {
            "started" => state == "running",
            "exitSuccess" | "exitFailed" => state == "exited",
            "stopping" => state == "stopping",
            _ => false,
        }),
        (Some("global"), _) => Some(false),
        (Some(_), _) => None,
        // Something is missing: better look.
        (None, _) => Some(false),
    }
}

/// The states that an answer of `/v3/jobs/NAME` tells, of all jobs of that name.
fn states(answer: &str) -> Vec<String> {
    let answer: Value = serde_json::from_str(answer).unwrap_or(Value::Null);
    let jobs = answer.get("jobs").and_then(Value::as_array);
    let mut states = Vec::new();
    for job in jobs.into_iter().flatten() {
        let text = |value: Option<&Value>| value.and_then(Value::as_str).map(str::to_owned);
        let state = text(job.get("state"));
        let is_alive = matches!(state.as_deref(), Some("starting" | "running" | "stopping"));
        states.extend(state);
        let health = job.get("health").and_then(|health| health.get("status"));
        states.extend(text(health));
        let has_ended = job.get("lastExit").is_some_and(|exit| !exit.is_null());
        if has_ended && !is_alive {
            states.push("exited".to_owned());
        }
    }
    states
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn states_are_those_of_the_job_and_of_its_health() {
        for (answer, expected) in [
            (
                r#"{"jobs":[{"state":"running","health":{"status":"healthy"},"lastExit":{"code":1}}]}"#,
                "running healthy",
            ),
            (
                r#"{"jobs":[{"state":"backoff","lastExit":{"code":1}}]}"#,
                "backoff exited",
            ),
            (
                r#"{"jobs":[{"state":"waiting","lastExit":null}]}"#,
                "waiting",
            ),
            (
                r#"{"jobs":[{"state":"idle"},{"state":"completed"}]}"#,
                "idle completed",
            ),
            ("nonsense", ""),
        ] {
            assert_eq!(states(answer).join(" "), expected);
        }
    }

    #[test]
    fn only_events_of_the_job_or_of_all_are_a_reason_to_look() {
        let event = |code: &str, source: &str| {
            format!(r#"{{"sequence":1,"code":"{code}","source":"{source}"}}"#)
        };
        for (line, state, expected) in [
            (event("started", "app"), "running", Some(true)),
            (event("exitFailed", "app"), "exited", Some(true)),
            (event("exitFailed", "app"), "running", Some(false)),
            (event("healthy", "app"), "healthy", Some(false)),
            (event("healthy", "other"), "healthy", None),
            (event("exitMaintenance", "global"), "healthy", Some(false)),
            (
                r#"{"gap":{"after":1,"next":9}}"#.to_owned(),
                "healthy",
                Some(false),
            ),
        ] {
            assert_eq!(concerns(line.as_bytes(), "app", state), expected, "{line}");
        }
    }
}
