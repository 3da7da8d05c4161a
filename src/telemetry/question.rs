//! What the telemetry server asks the supervisor, and the answers.
//!
//! Plain values on their way from one thread to the other and back.

use super::metrics::Snapshot;
use super::status::Status;
use crate::handoff::Giver;

/// What is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Question {
    /// For `GET /metrics`: all values.
    Metrics,
    /// For `GET /status`: what the jobs do.
    Status,
}

/// What is answered.
#[derive(Clone, Debug, PartialEq)]
pub enum Answer {
    /// To [`Question::Metrics`].
    Metrics(Box<Snapshot>),
    /// To [`Question::Status`].
    Status(Box<Status>),
}

/// Where an answer goes; the asker waits there, so that the loop never waits
/// for it.
#[derive(Clone, Debug)]
pub struct AnswerTo(Giver<Answer>);

impl AnswerTo {
    /// The answer is handed to whoever waits at the other end.
    pub fn new(giver: Giver<Answer>) -> Self {
        Self(giver)
    }

    /// Answers. An asker that has gone away needs no answer, so nothing is
    /// reported if it has.
    pub fn send(self, answer: Answer) {
        self.0.give(answer);
    }
}
