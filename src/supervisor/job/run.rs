//! The runs of a job: one process after the other, never two at a time.

use std::time::{Duration, Instant};

use super::{Job, State, Step};
use crate::config::Start;
use crate::control::status::Cause;
use crate::event::Code;
use crate::message::{Action, ExecId, ExitStatus, Pid, StartError};
use crate::supervisor::effects::{Effects, Outcome};
use crate::supervisor::timers::Timer;

/// One execution of the job's command.
#[derive(Debug)]
#[cfg_attr(test, derive(Clone))]
pub(super) struct Run {
    exec: ExecId,
    /// Unknown until the process has started.
    pub(super) pid: Option<Pid>,
    /// Sent before the process had started: it is passed on as soon as it has.
    signal: Option<i32>,
    /// Likewise, to the process alone and not to its group.
    forwarded: Vec<i32>,
    /// When it was asked for; its timeout counts from here.
    pub(super) began: Instant,
    pub(super) timed_out: bool,
    /// Its checks have failed too often: it is being stopped, and has failed.
    unhealthy: bool,
    /// It follows a run of the same start, and not a clock.
    pub(super) again: bool,
}

impl Run {
    pub(super) fn send(&mut self, signal: i32, fx: &mut Effects) {
        match self.pid {
            Some(pid) => fx.signal(pid, signal),
            // What is to be killed is not asked to end instead.
            None if self.signal == Some(libc::SIGKILL) => {}
            None => self.signal = Some(signal),
        }
    }
}

impl Job {
    /// An execution of this job runs.
    pub(in crate::supervisor) fn did_start(&mut self, exec: ExecId, pid: Pid, fx: &mut Effects) {
        if let Some(health) = self.health.as_mut().filter(|health| health.owns(exec)) {
            health.did_start(pid, fx);
            return;
        }
        let Some(run) = self.live_run(exec) else {
            return;
        };
        run.pid = Some(pid);
        let forwarded = std::mem::take(&mut run.forwarded).into_iter();
        fx.actions
            .extend(forwarded.map(|signal| Action::Signal(pid, signal)));
        if let Some(signal) = run.signal.take() {
            fx.signal(pid, signal);
        }
        self.left = None;
        self.note_start(fx);
        fx.outcomes.push((self.id, Outcome::Up));
        fx.set_running(self.id, &self.pid_variable, Some(pid));
        fx.metrics.built_in.run_started(&self.spec.name, fx.now);
        fx.run_started(&self.spec.name);
        fx.debug(Some(&self.label), || format!("started with pid {pid}"));
        if matches!(self.state, State::Running(_)) {
            if let Some(health) = &mut self.health {
                health.run_began(fx);
            }
            self.begin_checks(fx);
        }
    }

    /// Passes a signal on to the process of the live run alone. Returns whether
    /// there is a run.
    pub(in crate::supervisor) fn forward(&mut self, signal: i32, fx: &mut Effects) -> bool {
        let Some(run) = self.current_run() else {
            return false;
        };
        match run.pid {
            Some(pid) => fx.actions.push(Action::Signal(pid, signal)),
            None => run.forwarded.push(signal),
        }
        true
    }

    /// So many checks of the live run have failed that it is stopped.
    pub(super) fn fail_run(&mut self, failures: u32, fx: &mut Effects) {
        let State::Running(run) = &mut self.state else {
            return;
        };
        // Until a run has started, checks are about the one before it.
        if run.pid.is_none() || std::mem::replace(&mut run.unhealthy, true) {
            return;
        }
        let (again, took) = (run.again, fx.since(run.began));
        let again = again && !self.lasted(took);
        let text = format!("is stopped: {failures} health checks in a row have failed");
        self.log_failure(text, again, fx);
        let signal = self.spec.stop_signal;
        if let Some(run) = self.current_run() {
            run.send(signal, fx);
        }
        fx.set_timer(Timer::Kill(self.id), self.kill_timeout(fx));
    }

    /// From the stop signal to SIGKILL.
    pub(super) fn kill_timeout(&self, fx: &Effects) -> Duration {
        self.spec.kill_timeout.unwrap_or(fx.stop_timeout)
    }

    /// An execution of this job could not be started.
    pub(in crate::supervisor) fn did_fail_to_start(
        &mut self,
        exec: ExecId,
        error: &StartError,
        fx: &mut Effects,
    ) {
        if let Some(health) = self.health.as_mut().filter(|health| health.owns(exec)) {
            let verdict = health.did_fail_to_start(error, fx);
            self.judged(verdict, fx);
            return;
        }
        if let Some(run) = self.live_run(exec) {
            let again = run.again;
            let text = format!("could not be started: {error}");
            self.log_failure(text, again, fx);
            fx.metrics
                .built_in
                .run_failed_to_start(&self.spec.name, error.exit_code());
            self.last_code = exit_code(error.exit_code());
            self.note_no_start(error, fx);
            fx.outcomes
                .push((self.id, Outcome::Down(error.to_string())));
            self.run_ended(exec, false, Duration::ZERO, fx);
        }
    }

    /// The process of an execution of this job ended. It is not reaped before
    /// the actions of this turn are carried out, so that its process group can
    /// still be signalled without fear of a recycled pid.
    pub(in crate::supervisor) fn did_exit(
        &mut self,
        exec: ExecId,
        status: ExitStatus,
        fx: &mut Effects,
    ) {
        if let Some(health) = self.health.as_mut().filter(|health| health.owns(exec)) {
            let verdict = health.did_exit(status, fx);
            self.judged(verdict, fx);
            return;
        }
        let Some(run) = self.live_run(exec) else {
            return;
        };
        let (pid, timed_out, again) = (run.pid, run.timed_out, run.again);
        let unhealthy = run.unhealthy;
        let took = fx.since(run.began);
        let success = status.is_success() && !timed_out && !unhealthy;
        let told = timed_out || unhealthy;
        let expected = success
            || told
            || matches!(self.state, State::Stopping(_, Step::Terminating))
            // Whoever sees its output sees its exit code.
            || self.is_foreground();
        if expected {
            fx.debug(Some(&self.label), || status.to_string());
        } else {
            self.log_failure(status.to_string(), again && !self.lasted(took), fx);
        }
        fx.metrics
            .built_in
            .run_ended(&self.spec.name, status.exit_code());
        // A run that took too long counts as killed, and one that was unhealthy as
        // failed, whatever they still say.
        let code = match status.exit_code() {
            _ if timed_out => ExitStatus::Signal(libc::SIGKILL).exit_code(),
            0 if unhealthy => 1,
            code => code,
        };
        self.last_code = exit_code(code);
        let cause = match (timed_out, unhealthy) {
            (true, _) => Some(Cause::Timeout),
            (_, true) => Some(Cause::Unhealthy),
            _ => None,
        };
        self.note_exit(status, cause, fx);
        self.run_ended(exec, success, took, fx);
        match pid {
            Some(pid) if unhealthy || self.is_stopping() => fx.signal(pid, libc::SIGKILL),
            pid => self.left = pid.map(|pid| (exec, pid)),
        }
    }

    /// Whether the job has the supervisor's terminal.
    fn is_foreground(&self) -> bool {
        let exec = self.spec.exec.as_ref();
        let context = exec.and_then(|exec| exec.context.as_ref());
        context.is_some_and(|context| context.foreground)
    }

    /// The live run.
    pub(super) fn current_run(&mut self) -> Option<&mut Run> {
        match &mut self.state {
            State::Running(run) | State::Stopping(Some(run), _) => Some(run),
            _ => None,
        }
    }

    /// The live run, if that is what `exec` is.
    fn live_run(&mut self, exec: ExecId) -> Option<&mut Run> {
        self.current_run().filter(|run| run.exec == exec)
    }

    /// Starts a run; `again` if it is a restart.
    pub(super) fn start(&mut self, again: bool, fx: &mut Effects) {
        let Some(command) = self.spec.exec.clone() else {
            self.enter(State::Present, fx);
            self.begin_checks(fx);
            return;
        };
        fx.metrics.built_in.run_asked(&self.spec.name, again);
        let exec = fx.spawn(self.id, &command, self.label.clone(), None);
        self.history.runs += 1;
        let run = Run {
            exec,
            pid: None,
            signal: None,
            forwarded: Vec::new(),
            began: fx.now,
            timed_out: false,
            unhealthy: false,
            again: again && !matches!(self.spec.when.start, Start::Every(_)),
        };
        self.enter(State::Running(run), fx);
        if let Some(timeout) = self.spec.timeout {
            fx.set_timer(Timer::Run(self.id), timeout);
        }
    }

    fn run_ended(&mut self, exec: ExecId, success: bool, took: Duration, fx: &mut Effects) {
        fx.timers.cancel(Timer::Run(self.id));
        fx.timers.cancel(Timer::Kill(self.id));
        fx.set_running(self.id, &self.pid_variable, None);
        let code = if success {
            Code::ExitSuccess
        } else {
            Code::ExitFailed
        };
        self.last_exit = Some(code);
        self.note_end(success, took, fx);
        if let Some(health) = self.health.as_mut().filter(|_| !success) {
            health.run_failed(fx);
        }
        fx.publish(code, &self.spec.name);
        match &mut self.state {
            State::Running(_) => self.after_run(success, exec, fx),
            State::Stopping(run, Step::Terminating) => {
                *run = None;
                self.finish(fx);
            }
            State::Stopping(run, _) => *run = None,
            State::Waiting
            | State::Present
            | State::Idle
            | State::BackingOff(_)
            | State::Complete => {}
        }
    }
}

/// As the kernel passes it on: the exit codes of processes fit.
fn exit_code(code: i32) -> u8 {
    u8::try_from(code).unwrap_or(u8::MAX)
}
