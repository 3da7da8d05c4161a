//! What the state machines act on: the time of the turn, and the actions,
//! events and timers that a turn brings about.
//!
//! Jobs and health checks change the world only through here, which is what
//! keeps them free of clocks, threads and system calls.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use log::Level;

use super::JobId;
use super::timers::{Timer, Timers};
use crate::config::logging::Level as LogLevel;
use crate::config::{Config, ExecSpec, ProbeSpec};
use crate::environment::Environment;
use crate::event::{Code, Event};
use crate::message::{Action, ExecId, Label, Pid, Probe, Spawn};
use crate::sorted::SortedMap;
use crate::tail::Tail;
use crate::telemetry::metrics::Metrics;

/// How far the supervisor is on its way out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Phase {
    /// Not at all.
    Running,
    /// Services are taken out of the catalog before anything is terminated.
    Withdrawing,
    /// Jobs are completing; only stop hooks may start.
    Stopping,
    /// The grace time is over; nothing may start, and what starts is killed.
    Killing,
    /// The main loop may return.
    Done,
}

/// What has become of a job, for whoever has asked for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    /// The process of a run is there.
    Up,
    /// There is none, and why.
    Down(String),
    /// It has completed.
    Gone,
}

/// The world as one turn of the supervisor sees and changes it.
#[derive(Debug)]
#[cfg_attr(test, derive(Clone))]
pub(super) struct Effects {
    /// The time of this turn.
    pub(super) now: Instant,
    /// How far the supervisor is on its way out.
    pub(super) phase: Phase,
    /// Whether the log shows what is logged at DEBUG.
    pub(super) verbose: bool,
    /// Whether nothing is checked and nothing is advertised.
    pub(super) maintenance: bool,
    /// From SIGTERM to SIGKILL, for one job and for all.
    pub(super) stop_timeout: Duration,
    /// What children get besides the pids of the running jobs.
    pub(super) environment: Arc<Environment>,
    /// The first essential job that has nothing left to run, and the exit code
    /// of its last run: shutdown begins when it is complete.
    pub(super) essential: Option<(JobId, u8)>,
    /// Wishes for the main loop.
    pub(super) actions: Vec<Action>,
    /// Events that no job has seen yet.
    pub(super) events: VecDeque<Event>,
    /// What has been counted and measured.
    pub(super) metrics: Metrics,
    /// All deadlines.
    pub(super) timers: Timers,
    /// Whose execution each live one is.
    pub(super) live: SortedMap<ExecId, JobId>,
    /// Whose built-in check each one under way is. They have no process, so that
    /// nothing waits for their end.
    pub(super) probes: SortedMap<ExecId, JobId>,
    /// What has become of jobs in this turn.
    pub(super) outcomes: Vec<(JobId, Outcome)>,
    /// A job came to rest in this turn: there may be nothing left to wait for.
    pub(super) came_to_rest: bool,
    /// By the variable, which several jobs may share.
    running: SortedMap<(Arc<str>, JobId), Pid>,
    last_exec: u64,
}

impl Effects {
    pub(super) fn new(now: Instant, config: &Config) -> Self {
        Self {
            now,
            phase: Phase::Running,
            verbose: config.logging.level == LogLevel::Debug,
            maintenance: false,
            stop_timeout: config.stop_timeout,
            essential: None,
            environment: Arc::default(),
            actions: Vec::new(),
            events: VecDeque::new(),
            metrics: Metrics::default(),
            timers: Timers::default(),
            live: SortedMap::new(),
            probes: SortedMap::new(),
            outcomes: Vec::new(),
            came_to_rest: false,
            running: SortedMap::new(),
            last_exec: 0,
        }
    }

    /// Publishes an event of a job.
    pub(super) fn publish(&mut self, code: Code, source: &Arc<str>) {
        self.publish_event(Event::new(code, Arc::clone(source)));
    }

    /// Publishes an event: every job sees it, after all that came before it.
    pub(super) fn publish_event(&mut self, event: Event) {
        self.debug(None, || format!("event: {event}"));
        self.metrics.built_in.event_published(&event);
        self.actions.push(Action::Publish(event.clone()));
        self.events.push_back(event);
    }

    /// Shows operators that the process of a run of this job is there; to jobs
    /// that is no event.
    pub(super) fn run_started(&mut self, job: &Arc<str>) {
        let event = Event::new(Code::Started, Arc::clone(job));
        self.actions.push(Action::Publish(event));
    }

    /// Asks for a process on behalf of `job`.
    pub(super) fn spawn(
        &mut self,
        job: JobId,
        command: &Arc<ExecSpec>,
        label: Label,
        tail: Option<Tail>,
    ) -> ExecId {
        self.last_exec += 1;
        let exec = ExecId(self.last_exec);
        self.live.insert(exec, job);
        self.actions.push(Action::Spawn(Box::new(Spawn {
            exec,
            command: Arc::clone(command),
            environment: Arc::clone(&self.environment),
            pids: self.pids(),
            label,
            tail,
        })));
        exec
    }

    /// Asks for a built-in check on behalf of `job`.
    pub(super) fn probe(&mut self, job: JobId, spec: &Arc<ProbeSpec>, timeout: Duration) -> ExecId {
        self.last_exec += 1;
        let exec = ExecId(self.last_exec);
        self.probes.insert(exec, job);
        self.actions.push(Action::Probe(Probe {
            exec,
            spec: Arc::clone(spec),
            timeout,
        }));
        exec
    }

    /// Sends a signal to the process group that `pid` leads.
    pub(super) fn signal(&mut self, pid: Pid, signal: i32) {
        self.actions.push(Action::SignalGroup(pid, signal));
    }

    /// Makes the pid of a job's run known to later children, or forgets it.
    pub(super) fn set_running(&mut self, job: JobId, variable: &Arc<str>, pid: Option<Pid>) {
        let key = (Arc::clone(variable), job);
        match pid {
            Some(pid) => self.running.insert(key, pid),
            None => self.running.remove(&key),
        };
    }

    /// The pids of the running jobs by their variables; of jobs that share one, that
    /// of the last.
    fn pids(&self) -> Vec<(Arc<str>, Pid)> {
        let mut pids: Vec<(Arc<str>, Pid)> = Vec::with_capacity(self.running.len());
        for ((variable, _), pid) in self.running.iter() {
            match pids.last_mut() {
                Some((last, known)) if last == variable => *known = *pid,
                _ => pids.push((Arc::clone(variable), *pid)),
            }
        }
        pids
    }

    /// How long ago something was.
    pub(super) fn since(&self, then: Instant) -> Duration {
        self.now.saturating_duration_since(then)
    }

    /// Arms a timer `after` from now; one beyond the end of time never fires.
    pub(super) fn set_timer(&mut self, timer: Timer, after: Duration) {
        match self.now.checked_add(after) {
            Some(at) => self.timers.set(timer, at),
            None => self.timers.cancel(timer),
        }
    }

    /// Arms a periodic timer that fired for `deadline` again, on its own beat:
    /// beats that a late turn has missed are left out, not made up for.
    pub(super) fn next_beat(&mut self, timer: Timer, deadline: Instant, interval: Duration) {
        let late = self.now.saturating_duration_since(deadline).as_nanos();
        let missed = late.checked_rem(interval.as_nanos()).unwrap_or(0);
        let since_beat = u64::try_from(missed).map_or(Duration::ZERO, Duration::from_nanos);
        self.set_timer(timer, interval.saturating_sub(since_beat));
    }

    /// Logs an entry for whoever looks very closely; `text` is made only for them.
    pub(super) fn debug(&mut self, label: Option<&Label>, text: impl FnOnce() -> String) {
        if self.verbose {
            self.log(Level::Debug, label, text());
        }
    }

    /// Logs an entry about `label`, or about the supervisor itself.
    pub(super) fn log(&mut self, level: Level, label: Option<&Label>, text: String) {
        self.actions.push(Action::Log(level, label.cloned(), text));
    }
}
