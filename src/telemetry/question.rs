//! What the telemetry server asks the supervisor, and the answers.
//!
//! Plain values on their way from one thread to the other and back: the
//! supervisor makes an [`Answer`] out of a [`Question`], the main loop sends it.

use crossbeam_channel::Sender;

use super::metrics::Snapshot;
use super::status::Status;

/// Where an answer goes; the asker waits there, so that the loop never waits
/// for it.
#[derive(Clone, Debug)]
pub struct AnswerTo<T>(Sender<T>);

impl<T> AnswerTo<T> {
    /// Answers go to `sender`, which must have room for one.
    pub fn new(sender: Sender<T>) -> Self {
        Self(sender)
    }

    fn send(self, answer: T) {
        // Who has gone away meanwhile needs no answer.
        let _gone = self.0.try_send(answer);
    }
}

/// What is asked, and where the answer goes.
#[derive(Clone, Debug)]
pub enum Question {
    /// For `GET /metrics`: all values.
    Metrics(AnswerTo<Snapshot>),
    /// For `GET /status`: what the jobs do.
    Status(AnswerTo<Status>),
}

/// What is answered, and to whom.
#[derive(Clone, Debug)]
pub enum Answer {
    /// To [`Question::Metrics`].
    Metrics(AnswerTo<Snapshot>, Box<Snapshot>),
    /// To [`Question::Status`].
    Status(AnswerTo<Status>, Box<Status>),
}

impl Answer {
    /// Hands the answer over, without waiting.
    pub fn send(self) {
        match self {
            Self::Metrics(to, snapshot) => to.send(*snapshot),
            Self::Status(to, status) => to.send(*status),
        }
    }
}
