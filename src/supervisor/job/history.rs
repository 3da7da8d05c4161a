//! What is known of a job for whoever asks: where it is since when, and what has
//! become of its runs (SPEC §16).

use std::time::Instant;

use super::{Job, State, Step};
use crate::config::{Restarts, Start};
use crate::control::status::{self, Cause, JobStatus, LastExit};
use crate::message::{ExitStatus, StartError};
use crate::supervisor::effects::Effects;
use crate::supervisor::health::Health;
use crate::supervisor::timers::Timer;

/// What has become of a job so far.
#[derive(Debug)]
#[cfg_attr(test, derive(Clone))]
pub(super) struct History {
    /// When its state began.
    since: Instant,
    /// How many runs have begun.
    pub(super) runs: u64,
    /// How the last run ended.
    pub(super) last_exit: Option<LastExit>,
}

impl History {
    pub(super) fn new(now: Instant) -> Self {
        Self {
            since: now,
            runs: 0,
            last_exit: None,
        }
    }
}

impl Job {
    /// The one way from one state to the next.
    pub(super) fn enter(&mut self, state: State, fx: &Effects) -> State {
        self.history.since = fx.now;
        std::mem::replace(&mut self.state, state)
    }

    /// The process that was asked for is there.
    pub(super) fn note_start(&mut self, fx: &Effects) {
        if matches!(self.state, State::Running(_)) {
            self.history.since = fx.now;
        }
    }

    /// A run could not be started.
    pub(super) fn note_no_start(&mut self, error: &StartError, fx: &Effects) {
        self.history.last_exit = Some(LastExit {
            at: fx.now,
            code: self.last_code,
            cause: Cause::NoStart,
            message: format!("could not be started: {error}"),
        });
    }

    /// The process of the live run ended: for this cause, if it did not end by
    /// itself or by being told to stop.
    pub(super) fn note_exit(&mut self, status: ExitStatus, cause: Option<Cause>, fx: &Effects) {
        let told_to_stop = matches!(self.state, State::Stopping(_, Step::Terminating));
        let cause = cause.unwrap_or(match status {
            _ if told_to_stop => Cause::Stop,
            ExitStatus::Code(_) => Cause::Exit,
            ExitStatus::Signal(_) => Cause::Signal,
        });
        let message = match cause {
            Cause::Timeout => format!("took too long, {status}"),
            Cause::Unhealthy => format!("failed its health checks, {status}"),
            Cause::Stop => format!("was told to stop, {status}"),
            Cause::Exit | Cause::Signal | Cause::NoStart => status.to_string(),
        };
        self.history.last_exit = Some(LastExit {
            at: fx.now,
            code: self.last_code,
            cause,
            message,
        });
    }

    /// All there is to know.
    pub(in crate::supervisor) fn full_status(&self, fx: &Effects) -> JobStatus {
        let service = self.spec.service.as_ref();
        JobStatus {
            name: self.spec.name.clone(),
            state: self.state_word(),
            since: self.history.since,
            pid: self.pid(),
            runs: self.history.runs,
            restarts_left: match self.spec.restarts {
                Restarts::Unlimited => None,
                Restarts::Limited(limit) => Some(limit.saturating_sub(self.restarts_used)),
            },
            essential: self.spec.essential,
            waits_for: self.waits_for(),
            last_exit: self.history.last_exit.clone(),
            health: self.current_health().map(Health::full_status),
            next_start: self.next_start(fx),
            address: service.map(|service| (service.address, service.port)),
        }
    }

    /// The health of a job that is checked: one that was checked once keeps what
    /// was known.
    fn current_health(&self) -> Option<&Health> {
        self.health.as_ref().filter(|_| self.spec.health.is_some())
    }

    pub(in crate::supervisor) fn state_word(&self) -> status::State {
        match &self.state {
            State::Waiting => status::State::Waiting,
            State::Running(run) if run.pid.is_none() => status::State::Starting,
            State::Running(_) => status::State::Running,
            State::Present => status::State::Present,
            State::Idle => status::State::Idle,
            State::BackingOff(_) => status::State::BackingOff,
            State::Stopping(..) => status::State::Stopping,
            State::Complete if self.held => status::State::Stopped,
            State::Complete => status::State::Completed,
        }
    }

    /// When the clock starts the next run.
    fn next_start(&self, fx: &Effects) -> Option<Instant> {
        match (&self.state, &self.spec.when.start) {
            (State::BackingOff(_), _) => fx.timers.deadline(Timer::Restart(self.id)),
            (State::Running(_) | State::Idle, Start::Every(_)) => {
                fx.timers.deadline(Timer::Tick(self.id))
            }
            _ => None,
        }
    }

    /// Why the job is not well, if it is not: one that is checked must be
    /// healthy, and any other one must run if that matters.
    pub(in crate::supervisor) fn complaint(&self, must_run: bool) -> Option<String> {
        let name = &self.spec.name;
        if let Some(health) = self.current_health() {
            let told = health.complaint()?;
            let state = self.state_word();
            return Some(match self.is_up() {
                true => format!("{name} is {told}"),
                false => format!("{name} is {told} ({})", state.as_str()),
            });
        }
        let complains = must_run && !self.is_up();
        complains.then(|| format!("{name} is {}", self.state_word().as_str()))
    }

    /// Whether the job does what it is there for: it runs, or rests between two
    /// runs that both went well.
    fn is_up(&self) -> bool {
        match &self.state {
            State::Running(run) => run.pid.is_some(),
            State::Present | State::Idle => true,
            State::Waiting | State::BackingOff(_) | State::Stopping(..) | State::Complete => false,
        }
    }
}
