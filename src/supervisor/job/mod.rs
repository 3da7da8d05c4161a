//! One job: its runs, one after the other, and its way to completion (SPEC §5).
//!
//! A job sees only its own inputs, each a method named for what happened, and
//! answers through [`Effects`]. What concerns several jobs (who is subscribed to
//! an event, who must complete before whom) is the supervisor's. What starts it is
//! in [`start`], its runs are in [`run`], what comes between them in [`restart`],
//! what the log says of those that fail in [`failures`], its way to completion in
//! [`completion`], what a reload changes of it in [`update`], what an operator does
//! to it in [`operation`], and what is known of
//! it in [`history`].

mod completion;
mod failures;
mod history;
mod operation;
mod restart;
mod run;
mod start;
mod update;

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Instant;

use super::JobId;
use super::effects::Effects;
use super::health::{Health, Status};
use super::service::Service;
use super::timers::Timer;
use crate::config::{JobSpec, Start};
use crate::event::{Code, Event};
use crate::message::{ExecId, Label, Pid};
use crate::printable::printable;
use crate::sorted::SortedSet;
use failures::Row;
use history::History;
use restart::Owed;
use run::Run;

/// The status word of what has ended for good.
pub(super) const COMPLETED: &str = "completed";

/// The exit code of an essential job that gave up waiting to start.
const NEVER_RAN: u8 = 1;

/// Where a job is in its life.
#[derive(Debug)]
#[cfg_attr(test, derive(Clone))]
enum State {
    /// For its `when`.
    Waiting,
    /// A process of it is starting or alive.
    Running(Run),
    /// It has started and has no command: it is only checked and advertised.
    Present,
    /// Between two runs, for the next event or tick.
    Idle,
    /// Between two runs, for the time until it is restarted.
    BackingOff(Owed),
    /// On its way to completion, perhaps with a process still alive.
    Stopping(Option<Run>, Step),
    /// Nothing of it is alive, and nothing will start.
    Complete,
}

/// How far a completing job is.
#[derive(Debug, PartialEq)]
#[cfg_attr(test, derive(Clone))]
enum Step {
    /// `stopping` is published; not every job has seen it yet.
    Announced,
    /// It waits for these stop hooks to complete.
    Hooks(SortedSet<JobId>),
    /// Its process was told to terminate.
    Terminating,
}

/// One job.
#[derive(Debug)]
#[cfg_attr(test, derive(Clone))]
pub(super) struct Job {
    id: JobId,
    spec: JobSpec,
    label: Label,
    pid_variable: Arc<str>,
    state: State,
    /// The events that have started the job, or help to, and do so only once.
    met: SortedSet<Event>,
    /// Restarts so far; `restarts` says how many there may be.
    restarts_used: u64,
    /// How the last run ended: [`Code::ExitSuccess`] or [`Code::ExitFailed`].
    last_exit: Option<Code>,
    /// The exit code of the last run; that of a job that never ran says so.
    last_code: u8,
    /// The configuration in force does not have the job, or has another
    /// process in its place: it completes.
    retired: bool,
    /// An operator has stopped the job: it stays complete until it is told to
    /// start.
    held: bool,
    /// Runs that events or a tick asked for while one was alive.
    owed: u64,
    /// The last run that has ended and the group that it led, if something of it may
    /// be left there.
    left: Option<(ExecId, Pid)>,
    row: Row,
    history: History,
    health: Option<Health>,
    service: Option<Service>,
}

impl Job {
    pub(super) fn new(id: JobId, spec: JobSpec, now: Instant) -> Self {
        let health = spec
            .health
            .clone()
            .map(|health| Health::new(id, &spec.name, health, now));
        Self {
            id,
            label: Label::Job(Arc::clone(&spec.name)),
            pid_variable: pid_variable(&spec.name),
            state: State::Waiting,
            met: SortedSet::new(),
            restarts_used: 0,
            last_exit: None,
            last_code: NEVER_RAN,
            retired: false,
            held: false,
            owed: 0,
            left: None,
            row: Row::default(),
            history: History::new(now),
            health,
            service: spec.service.clone().map(Service::new),
            spec,
        }
    }

    /// What the configuration says of the job.
    pub(super) fn spec(&self) -> &JobSpec {
        &self.spec
    }

    /// The name of the job, which is the source of its events.
    pub(super) fn name(&self) -> &Arc<str> {
        &self.spec.name
    }

    /// The name, as people are told it.
    pub(super) fn shown_name(&self) -> Cow<'_, str> {
        printable(&self.spec.name)
    }

    /// Whether the job is retired and nothing of it is left.
    pub(super) fn is_gone(&self) -> bool {
        let busy = self.health.as_ref().is_some_and(Health::is_busy);
        self.retired && self.is_complete() && !busy
    }

    pub(super) fn is_retired(&self) -> bool {
        self.retired
    }

    /// Whether `event` describes how the job stands now, so that a condition
    /// that waits for it once has nothing to wait for.
    pub(super) fn holds(&self, code: Code) -> bool {
        match code {
            Code::ExitSuccess | Code::ExitFailed => self.last_exit == Some(code),
            Code::Healthy | Code::Unhealthy => self
                .health
                .as_ref()
                .is_some_and(|health| health.holds(code)),
            _ => false,
        }
    }

    pub(super) fn is_complete(&self) -> bool {
        matches!(self.state, State::Complete)
    }

    /// Whether the job has completed or has begun to.
    pub(super) fn is_stopping(&self) -> bool {
        matches!(self.state, State::Stopping(..) | State::Complete)
    }

    /// The status word of `/status` (SPEC §7).
    pub(super) fn status(&self, fx: &Effects) -> &'static str {
        match &self.health {
            _ if self.is_complete() => COMPLETED,
            _ if fx.maintenance => Status::Maintenance.as_str(),
            Some(health) => health.status().as_str(),
            None => Status::Unknown.as_str(),
        }
    }

    /// The process of the live run, if it has started.
    pub(super) fn pid(&self) -> Option<Pid> {
        match &self.state {
            State::Running(run) | State::Stopping(Some(run), _) => run.pid,
            _ => None,
        }
    }

    // What happens to a job that is to run.

    /// The next run of a periodic job is due.
    pub(super) fn on_tick(&mut self, deadline: Instant, fx: &mut Effects) {
        let Start::Every(interval) = self.spec.when.start else {
            return;
        };
        fx.next_beat(Timer::Tick(self.id), deadline, interval);
        if matches!(self.state, State::Running(_) | State::Idle) {
            self.owed = 1;
        }
        if matches!(self.state, State::Idle) && self.is_due_again(fx) {
            self.start(true, fx);
        }
    }

    /// The run has taken longer than the job allows.
    pub(super) fn on_run_timeout(&mut self, fx: &mut Effects) {
        let Some(run) = self.current_run() else {
            return;
        };
        run.timed_out = true;
        let (again, took) = (run.again, fx.since(run.began));
        let timeout = self.spec.timeout.unwrap_or_default();
        let text = format!("timed out after {timeout:?}, killing it");
        self.log_failure(text, again && !self.lasted(took), fx);
        if let Some(run) = self.current_run() {
            run.send(libc::SIGKILL, fx);
        }
    }

    /// The next health check is due.
    pub(super) fn on_check_tick(&mut self, deadline: Instant, fx: &mut Effects) {
        let verdict = self
            .health
            .as_mut()
            .and_then(|health| health.on_tick(deadline, fx));
        self.judged(verdict, fx);
    }

    /// The health check has taken longer than it may.
    pub(super) fn on_check_timeout(&mut self, fx: &mut Effects) {
        let verdict = self
            .health
            .as_mut()
            .and_then(|health| health.on_timeout(fx));
        self.judged(verdict, fx);
    }

    /// A built-in health check ended.
    pub(super) fn did_probe(
        &mut self,
        exec: ExecId,
        result: Result<String, String>,
        fx: &mut Effects,
    ) {
        let health = self.health.as_mut().filter(|health| health.owns(exec));
        let verdict = health.and_then(|health| health.did_probe(result, fx));
        self.judged(verdict, fx);
    }

    /// A health check may have had a result: the service follows it.
    fn judged(&mut self, verdict: Option<bool>, fx: &mut Effects) {
        match (verdict, &mut self.service) {
            (Some(true), Some(service)) => service.passed(fx),
            (Some(false), Some(service)) => service.failed(fx),
            _ => {}
        }
        let failures = self.health.as_ref().and_then(Health::failed_too_often);
        if let Some(failures) = failures {
            self.fail_run(failures, fx);
        }
    }

    /// Takes the job's service out of the catalog; its id, if it may be there.
    pub(super) fn withdraw(&mut self, fx: &mut Effects) -> Option<String> {
        self.service
            .as_mut()
            .and_then(|service| service.withdraw(fx))
    }

    /// The catalog is another one: a service that was found healthy is listed
    /// there at once.
    pub(super) fn move_over(&mut self, fx: &mut Effects) {
        if self.is_stopping() || self.retired {
            return;
        }
        let healthy = self.known_health();
        if let Some(service) = &mut self.service {
            service.move_over(healthy, fx);
        }
    }

    /// Whether the job is healthy, if that is known.
    fn known_health(&self) -> Option<bool> {
        match [Code::Healthy, Code::Unhealthy].map(|code| self.holds(code)) {
            [true, _] => Some(true),
            [_, true] => Some(false),
            _ => None,
        }
    }

    // Maintenance mode.

    pub(super) fn enter_maintenance(&mut self, fx: &mut Effects) {
        self.withdraw(fx);
        if let Some(health) = &mut self.health {
            health.pause(fx);
        }
    }

    pub(super) fn exit_maintenance(&mut self, fx: &mut Effects) {
        if let Some(health) = &mut self.health {
            health.resume(fx);
        }
    }

    fn begin_checks(&mut self, fx: &mut Effects) {
        if let Some(health) = &mut self.health {
            health.begin(fx);
        }
    }
}

/// `CONTAINERPILOT_{JOB}_PID`: the name in upper case, each run of other
/// characters than letters and digits as one `_` (SPEC §5).
fn pid_variable(name: &str) -> Arc<str> {
    let mut variable = String::from("CONTAINERPILOT_");
    for c in name.chars() {
        if c.is_ascii_alphanumeric() {
            variable.push(c.to_ascii_uppercase());
        } else if !variable.ends_with('_') || variable.len() == "CONTAINERPILOT_".len() {
            variable.push('_');
        }
    }
    variable.push_str("_PID");
    variable.into()
}
