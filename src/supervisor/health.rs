//! The health of one job: when it is checked and what came of it (SPEC §7).
//!
//! Owned by its job, which says when checking begins and ends. Never two checks
//! at once: while one is in flight, beats are left out. A check by a command is
//! killed when it takes too long; a built-in one ends by itself, and if it does
//! not, because the C library hangs in a name lookup, it counts as failed all the
//! same, and so does every beat until it has ended.

mod check;

use std::sync::Arc;
use std::time::{Duration, Instant};

use log::Level;

use super::JobId;
use super::effects::Effects;
use super::timers::Timer;
use crate::config::{CheckSpec, HealthSpec};
use crate::control::status::{CheckStatus, HealthStatus};
use crate::event::{Code, Event};
use crate::message::{ExecId, ExitStatus, Label, Pid, StartError};
use crate::tail::Tail;
use check::{Check, Origin};

/// How long after its time a built-in check may still say what it waited for.
const LAST_WORD: Duration = Duration::from_millis(100);

/// What is known of a job's health, in the words of `/status`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Status {
    /// No check has ended since checking began, or since a healthy run failed.
    Unknown,
    /// The last check passed.
    Healthy,
    /// The last check failed.
    Unhealthy,
    /// Maintenance mode: nothing is checked.
    Maintenance,
}

/// Results that followed each other.
#[derive(Debug, Default)]
#[cfg_attr(test, derive(Clone))]
struct Row {
    /// Whether they are of checks that passed.
    passed: bool,
    /// How many of them agree.
    count: u32,
    /// How many checks of the present run have failed in a row.
    failures: u32,
}

/// The health of one job.
#[derive(Debug)]
#[cfg_attr(test, derive(Clone))]
pub(super) struct Health {
    job: JobId,
    name: Arc<str>,
    /// Of its checks.
    label: Label,
    /// Of the job, whose health it is.
    job_label: Label,
    spec: HealthSpec,
    status: Status,
    /// When the run began that is checked.
    since: Instant,
    /// A check of this run has passed: its start period is over.
    started: bool,
    row: Row,
    /// The last check that had a result.
    last: Option<CheckStatus>,
    /// Between the first start of the job and its completion.
    wanted: bool,
    check: Option<Check>,
}

impl Status {
    /// The word for it.
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Unknown => "unknown",
            Self::Healthy => "healthy",
            Self::Unhealthy => "unhealthy",
            Self::Maintenance => "maintenance",
        }
    }
}

impl Health {
    pub(super) fn new(job: JobId, name: &Arc<str>, spec: HealthSpec, now: Instant) -> Self {
        Self {
            job,
            name: Arc::clone(name),
            label: Label::Check(format!("check.{name}").into()),
            job_label: Label::Job(Arc::clone(name)),
            spec,
            status: Status::Unknown,
            since: now,
            started: false,
            row: Row::default(),
            last: None,
            wanted: false,
            check: None,
        }
    }

    /// What is known now.
    pub(super) fn status(&self) -> Status {
        self.status
    }

    /// All that is known now.
    pub(super) fn full_status(&self) -> HealthStatus {
        HealthStatus {
            status: self.status.as_str(),
            last_check: self.last.clone(),
        }
    }

    /// What is wrong with it, if it is not healthy.
    pub(super) fn complaint(&self) -> Option<String> {
        let reason = self
            .last
            .as_ref()
            .and_then(|last| last.result.as_ref().err());
        match (self.status, reason) {
            (Status::Healthy, _) => None,
            (Status::Unknown, _) => Some("not known to be healthy".to_owned()),
            (Status::Maintenance, _) => Some("not checked in maintenance mode".to_owned()),
            (Status::Unhealthy, None) => Some("unhealthy".to_owned()),
            (Status::Unhealthy, Some(reason)) => Some(format!("unhealthy: {reason}")),
        }
    }

    /// Whether the last check was this: [`Code::Healthy`] or
    /// [`Code::Unhealthy`].
    pub(super) fn holds(&self, code: Code) -> bool {
        match self.status {
            Status::Healthy => code == Code::Healthy,
            Status::Unhealthy => code == Code::Unhealthy,
            Status::Unknown | Status::Maintenance => false,
        }
    }

    /// Checks as `spec` says from now on. What is known stays known, and a
    /// check in flight counts.
    pub(super) fn update(&mut self, spec: HealthSpec, fx: &mut Effects) {
        let new_beat = spec.interval != self.spec.interval;
        if spec.check != self.spec.check {
            // One that hangs says nothing of another, and needs not be waited for.
            self.check.take_if(|check| check.hangs(fx.now));
        }
        self.spec = spec;
        if new_beat && self.wanted && !fx.maintenance {
            fx.set_timer(Timer::CheckTick(self.job), self.spec.interval);
        }
    }

    /// Whether `exec` is the check in flight.
    pub(super) fn owns(&self, exec: ExecId) -> bool {
        self.check.as_ref().is_some_and(|check| check.exec == exec)
    }

    /// The job has started for the first time: the first check is one interval
    /// from now.
    pub(super) fn begin(&mut self, fx: &mut Effects) {
        if self.wanted {
            return;
        }
        self.wanted = true;
        self.run_began(fx);
        if fx.maintenance {
            self.status = Status::Maintenance;
        } else {
            fx.set_timer(Timer::CheckTick(self.job), self.spec.interval);
        }
    }

    /// Whether the process of a check is there, be it only on its way out.
    pub(super) fn is_busy(&self) -> bool {
        self.check.as_ref().is_some_and(|check| !check.is_probe)
    }

    /// The job is completing, or is not checked any more.
    pub(super) fn end(&mut self, fx: &mut Effects) {
        self.wanted = false;
        self.status = Status::Unknown;
        fx.metrics.built_in.health_known(&self.name, None);
        self.cease(fx);
    }

    /// A run of the job has begun: what its checks say counts anew.
    pub(super) fn run_began(&mut self, fx: &Effects) {
        self.since = fx.now;
        self.started = false;
        self.row = Row::default();
        if let Some(check) = &mut self.check {
            check.origin.is_stale = true;
        }
    }

    /// The number of failed checks after which the run is to be stopped, if there
    /// have been so many.
    pub(super) fn failed_too_often(&self) -> Option<u32> {
        let limit = self.spec.restart_after?;
        (self.row.failures >= limit).then_some(self.row.failures)
    }

    /// The run that was healthy has failed: nothing is known of the next one, and the
    /// check in flight would not tell. What was unhealthy is not better off, and stays
    /// so.
    pub(super) fn run_failed(&mut self, fx: &mut Effects) {
        self.discard(fx);
        if self.status == Status::Healthy {
            self.status = Status::Unknown;
            fx.metrics.built_in.health_known(&self.name, None);
        }
    }

    /// Maintenance mode begins.
    pub(super) fn pause(&mut self, fx: &mut Effects) {
        self.cease(fx);
        self.status = Status::Maintenance;
        fx.metrics.built_in.health_known(&self.name, None);
    }

    /// Maintenance mode ends: the next check is one interval from now.
    pub(super) fn resume(&mut self, fx: &mut Effects) {
        self.status = Status::Unknown;
        if self.wanted {
            fx.set_timer(Timer::CheckTick(self.job), self.spec.interval);
        }
    }

    /// A check is due. Like every method that can bring a result, this returns
    /// whether the job was found healthy, if it did and the result counts.
    pub(super) fn on_tick(&mut self, deadline: Instant, fx: &mut Effects) -> Option<bool> {
        fx.next_beat(Timer::CheckTick(self.job), deadline, self.spec.interval);
        match &self.check {
            Some(check) if check.hangs(fx.now) => {
                let reason = "the check before still hangs in a name lookup".to_owned();
                self.judge(Err(reason), Origin::new(fx), fx)
            }
            Some(_) => None,
            None => self.start(fx),
        }
    }

    fn start(&mut self, fx: &mut Effects) -> Option<bool> {
        let timeout = self.spec.timeout;
        let mut origin = Origin::new(fx);
        let (exec, after) = match &self.spec.check {
            None => return self.judge(Ok(String::new()), origin, fx),
            Some(CheckSpec::Exec(command)) => {
                origin.tail = Some(Tail::default());
                let (job, label) = (self.job, self.label.clone());
                (fx.spawn(job, command, label, origin.tail.clone()), timeout)
            }
            Some(CheckSpec::Probe(spec)) => {
                let after = timeout.saturating_add(LAST_WORD);
                (fx.probe(self.job, spec, timeout), after)
            }
        };
        self.check = Some(Check {
            exec,
            pid: None,
            is_probe: matches!(self.spec.check, Some(CheckSpec::Probe(_))),
            origin,
            discarded: false,
            due: fx.now.checked_add(after),
        });
        fx.set_timer(Timer::Check(self.job), after);
        None
    }

    /// The check in flight has taken too long.
    pub(super) fn on_timeout(&mut self, fx: &mut Effects) -> Option<bool> {
        let check = self.check.as_ref()?;
        let (origin, is_probe) = (check.origin.clone(), check.is_probe);
        let timeout = self.spec.timeout;
        let reason = match is_probe {
            true => format!("no result within {timeout:?}"),
            false => format!("no result within {timeout:?}, killed"),
        };
        if is_probe {
            // It may hang for long, which says nothing of the one it asks.
            let took = fx.since(origin.began);
            fx.metrics.built_in.check_ended(&self.name, took);
        }
        self.discard(fx);
        self.judge(Err(reason), origin, fx)
    }

    /// The check in flight runs.
    pub(super) fn did_start(&mut self, pid: Pid, fx: &mut Effects) {
        let Some(check) = &mut self.check else { return };
        check.pid = Some(pid);
        if check.discarded {
            fx.signal(pid, libc::SIGKILL);
        }
    }

    /// The check in flight could not be started.
    pub(super) fn did_fail_to_start(
        &mut self,
        error: &StartError,
        fx: &mut Effects,
    ) -> Option<bool> {
        self.ended(Err(error.to_string()), fx)
    }

    /// The process of the check in flight ended.
    pub(super) fn did_exit(&mut self, status: ExitStatus, fx: &mut Effects) -> Option<bool> {
        let result = if status.is_success() {
            Ok(String::new())
        } else {
            Err(format!("check {status}"))
        };
        self.ended(result, fx)
    }

    /// The check in flight, which is a built-in one, ended.
    pub(super) fn did_probe(
        &mut self,
        result: Result<String, String>,
        fx: &mut Effects,
    ) -> Option<bool> {
        self.ended(result, fx)
    }

    fn ended(&mut self, result: Result<String, String>, fx: &mut Effects) -> Option<bool> {
        fx.timers.cancel(Timer::Check(self.job));
        let check = self.check.take()?;
        if !(check.discarded && check.hangs(fx.now)) {
            let took = fx.since(check.origin.began);
            fx.metrics.built_in.check_ended(&self.name, took);
        }
        if check.discarded {
            return None;
        }
        self.judge(result, check.origin, fx)
    }

    /// Takes the result of a check. Every one that counts is an event, a change is
    /// logged.
    fn judge(
        &mut self,
        result: Result<String, String>,
        origin: Origin,
        fx: &mut Effects,
    ) -> Option<bool> {
        self.last = Some(CheckStatus {
            at: fx.now,
            took: fx.since(origin.began),
            result: result.clone(),
            output: origin.tail.filter(|_| result.is_err()),
        });
        let passed = result.is_ok();
        let code = if passed {
            Code::ExitSuccess
        } else {
            Code::ExitFailed
        };
        let (Label::Job(check) | Label::Check(check)) = &self.label;
        fx.metrics
            .built_in
            .event_published(&Event::new(code, Arc::clone(check)));
        let (Ok(reason) | Err(reason)) = result;
        let counts = self.counts(passed, origin.is_stale, fx);
        let so_far = self.row.count;
        if !counts {
            let what = if passed { "passed" } else { "failed" };
            fx.debug(Some(&self.job_label), || {
                with_reason(&format!("check {what}, {so_far} in a row"), &reason)
            });
        } else {
            fx.metrics.built_in.health_known(&self.name, Some(passed));
            match passed {
                true => self.is_healthy(&reason, fx),
                false => self.is_unhealthy(&reason, fx),
            }
        }
        counts.then_some(passed)
    }

    /// Whether a result says something of the job: failures do not in the start
    /// period, and a change needs as many results as are asked for. That of a check
    /// that began before the run neither ends its start period nor is one of the
    /// failures that stop it.
    fn counts(&mut self, passed: bool, is_stale: bool, fx: &Effects) -> bool {
        if !passed && !self.started && fx.since(self.since) < self.spec.start_period {
            return false;
        }
        self.started |= passed && !is_stale;
        let count = if self.row.passed == passed {
            self.row.count.saturating_add(1)
        } else {
            1
        };
        let failures = match passed {
            true => 0,
            false => self.row.failures + u32::from(!is_stale),
        };
        self.row = Row {
            passed,
            count,
            failures,
        };
        let (same, after) = match passed {
            true => (self.status == Status::Healthy, self.spec.healthy_after),
            false => (self.status == Status::Unhealthy, self.spec.unhealthy_after),
        };
        same || count >= after
    }

    fn is_healthy(&mut self, reason: &str, fx: &mut Effects) {
        if self.status != Status::Healthy {
            let text = with_reason("is healthy", reason);
            fx.log(Level::Info, Some(&self.job_label), text);
        }
        self.status = Status::Healthy;
        fx.publish(Code::Healthy, &self.name);
    }

    fn is_unhealthy(&mut self, reason: &str, fx: &mut Effects) {
        let text = || with_reason("is unhealthy", reason);
        if self.status == Status::Unhealthy {
            fx.debug(Some(&self.job_label), text);
        } else {
            fx.log(Level::Warn, Some(&self.job_label), text());
        }
        self.status = Status::Unhealthy;
        fx.publish(Code::Unhealthy, &self.name);
    }

    /// Stops the beat and takes no notice of the check in flight any more.
    fn cease(&mut self, fx: &mut Effects) {
        fx.timers.cancel(Timer::CheckTick(self.job));
        self.discard(fx);
    }

    fn discard(&mut self, fx: &mut Effects) {
        fx.timers.cancel(Timer::Check(self.job));
        let Some(check) = &mut self.check else { return };
        if !check.discarded
            && let Some(pid) = check.pid
        {
            fx.signal(pid, libc::SIGKILL);
        }
        check.discarded = true;
    }
}

fn with_reason(what: &str, reason: &str) -> String {
    match reason {
        "" => what.to_owned(),
        reason => format!("{what}: {reason}"),
    }
}
