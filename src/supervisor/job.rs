//! One job: its runs, one after the other, and its way to completion (SPEC §5).
//!
//! A job sees only its own inputs, each a method named for what happened, and
//! answers through [`Effects`]. What concerns several jobs (who is subscribed to
//! an event, who must complete before whom) is the supervisor's.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Instant;

use log::Level;

use super::JobId;
use super::effects::{Effects, Phase};
use super::health::{Health, Status};
use super::timers::Timer;
use crate::config::{JobSpec, Restarts, Start};
use crate::event::Code;
use crate::message::{ExecId, ExitStatus, Label, Pid, StartError};

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
    Hooks(BTreeSet<JobId>),
    /// Its process was told to terminate.
    Terminating,
}

/// One execution of the job's command.
#[derive(Debug)]
#[cfg_attr(test, derive(Clone))]
struct Run {
    exec: ExecId,
    /// Unknown until the process has started.
    pid: Option<Pid>,
    /// Sent before the process had started: it is passed on as soon as it has.
    signal: Option<i32>,
    timed_out: bool,
}

impl Run {
    fn send(&mut self, signal: i32, fx: &mut Effects) {
        match self.pid {
            Some(pid) => fx.signal(pid, signal),
            None => self.signal = Some(signal),
        }
    }
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
    restarts_left: Restarts,
    /// Runs that events or a tick asked for while one was alive.
    owed: u64,
    health: Option<Health>,
}

impl Job {
    pub(super) fn new(id: JobId, spec: JobSpec) -> Self {
        let health = spec
            .health
            .clone()
            .map(|health| Health::new(id, &spec.name, health));
        Self {
            id,
            label: Label::Job(Arc::clone(&spec.name)),
            pid_variable: pid_variable(&spec.name),
            state: State::Waiting,
            restarts_left: spec.restarts,
            owed: 0,
            health,
            spec,
        }
    }

    /// The name of the job, which is the source of its events.
    pub(super) fn name(&self) -> &Arc<str> {
        &self.spec.name
    }

    /// What starts the job.
    pub(super) fn start(&self) -> &Start {
        &self.spec.when.start
    }

    /// Whether the job runs because something ends: only such a job may start
    /// during shutdown, and it keeps nothing up while it waits.
    pub(super) fn is_stop_hook(&self) -> bool {
        match &self.spec.when.start {
            Start::Once(event) | Start::Each(event) => {
                matches!(event.code, Code::Stopping | Code::Stopped | Code::Shutdown)
            }
            Start::Every(_) => false,
        }
    }

    pub(super) fn is_complete(&self) -> bool {
        matches!(self.state, State::Complete)
    }

    /// Whether the job has completed or has begun to.
    pub(super) fn is_stopping(&self) -> bool {
        matches!(self.state, State::Stopping(..) | State::Complete)
    }

    /// Whether nothing of the job is alive and it only waits for its event.
    pub(super) fn is_dormant(&self) -> bool {
        matches!(self.state, State::Waiting | State::Idle)
    }

    /// The status word of `/status`.
    pub(super) fn status(&self) -> &'static str {
        match (&self.state, &self.health) {
            (State::Complete, _) => "completed",
            (_, Some(health)) => health.status().as_str(),
            (_, None) => Status::Unknown.as_str(),
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

    /// The job is subscribed: from now on it waits for its event.
    pub(super) fn did_subscribe(&mut self, fx: &mut Effects) {
        if let Some(timeout) = self.spec.when.timeout {
            fx.set_timer(Timer::When(self.id), timeout);
        }
    }

    /// An event came that starts the job.
    pub(super) fn on_start_event(&mut self, fx: &mut Effects) {
        if !self.may_start(fx) {
            return;
        }
        match (&self.state, &self.spec.when.start) {
            (State::Waiting, Start::Every(interval)) => {
                fx.set_timer(Timer::Tick(self.id), *interval);
                self.run(fx);
            }
            (State::Waiting, _) => {
                fx.timers.cancel(Timer::When(self.id));
                self.run(fx);
            }
            (State::Idle, Start::Each(_)) => self.run(fx),
            (State::Running(_), Start::Each(_)) => self.owed += 1,
            _ => {}
        }
    }

    /// No event came that starts the job.
    pub(super) fn on_when_timeout(&mut self, fx: &mut Effects) {
        fx.log(
            Level::Warn,
            Some(&self.label),
            format!("{} gave up waiting to start", self.spec.name),
        );
        fx.publish(Code::TimerExpired, &self.spec.name);
        self.complete(fx);
    }

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
            self.run(fx);
        }
    }

    /// The run has taken longer than the job allows.
    pub(super) fn on_run_timeout(&mut self, fx: &mut Effects) {
        let (State::Running(run) | State::Stopping(Some(run), _)) = &mut self.state else {
            return;
        };
        let timeout = self.spec.timeout.unwrap_or_default();
        fx.log(
            Level::Error,
            Some(&self.label),
            format!("{} timed out after {timeout:?}, killing it", self.spec.name),
        );
        run.timed_out = true;
        run.send(libc::SIGKILL, fx);
    }

    /// The next health check is due.
    pub(super) fn on_check_tick(&mut self, deadline: Instant, fx: &mut Effects) {
        if let Some(health) = &mut self.health {
            health.on_tick(deadline, fx);
        }
    }

    /// The health check has taken longer than it may.
    pub(super) fn on_check_timeout(&mut self, fx: &mut Effects) {
        if let Some(health) = &mut self.health {
            health.on_timeout(fx);
        }
    }

    // What workers and the kernel report.

    /// An execution of this job runs.
    pub(super) fn did_start(&mut self, exec: ExecId, pid: Pid, fx: &mut Effects) {
        if let Some(health) = self.health.as_mut().filter(|health| health.owns(exec)) {
            health.did_start(pid, fx);
            return;
        }
        let Some(run) = self.live_run(exec) else {
            return;
        };
        run.pid = Some(pid);
        if let Some(signal) = run.signal.take() {
            fx.signal(pid, signal);
        }
        fx.set_running(self.id, &self.pid_variable, Some(pid));
        fx.log(
            Level::Debug,
            Some(&self.label),
            format!("{} started with pid {pid}", self.spec.name),
        );
        if matches!(self.state, State::Running(_)) {
            self.begin_checks(fx);
        }
    }

    /// An execution of this job could not be started.
    pub(super) fn did_fail_to_start(&mut self, exec: ExecId, error: &StartError, fx: &mut Effects) {
        if let Some(health) = self.health.as_mut().filter(|health| health.owns(exec)) {
            health.did_fail_to_start(error, fx);
            return;
        }
        if self.live_run(exec).is_some() {
            let text = format!("{} could not be started: {error}", self.spec.name);
            fx.log(Level::Error, Some(&self.label), text);
            self.run_ended(false, fx);
        }
    }

    /// The process of an execution of this job ended. It is not reaped before
    /// the actions of this turn are carried out, so that its process group can
    /// still be signalled without fear of a recycled pid.
    pub(super) fn did_exit(&mut self, exec: ExecId, status: ExitStatus, fx: &mut Effects) {
        if let Some(health) = self.health.as_mut().filter(|health| health.owns(exec)) {
            health.did_exit(status, fx);
            return;
        }
        let Some(run) = self.live_run(exec) else {
            return;
        };
        let (pid, timed_out) = (run.pid, run.timed_out);
        let success = status.is_success() && !timed_out;
        let expected =
            success || timed_out || matches!(self.state, State::Stopping(_, Step::Terminating));
        let level = if expected { Level::Debug } else { Level::Error };
        fx.log(
            level,
            Some(&self.label),
            format!("{} {status}", self.spec.name),
        );
        self.run_ended(success, fx);
        if let Some(pid) = pid.filter(|_| self.is_stopping()) {
            fx.signal(pid, libc::SIGKILL);
        }
    }

    // Maintenance mode.

    pub(super) fn enter_maintenance(&mut self, fx: &mut Effects) {
        if let Some(health) = &mut self.health {
            health.pause(fx);
        }
    }

    pub(super) fn exit_maintenance(&mut self, fx: &mut Effects) {
        if let Some(health) = &mut self.health {
            health.resume(fx);
        }
    }

    // The way to completion.

    /// The job is told to complete, or has nothing left to do.
    pub(super) fn complete(&mut self, fx: &mut Effects) {
        if self.is_stopping() {
            return;
        }
        let run = match std::mem::replace(&mut self.state, State::Waiting) {
            State::Running(run) => Some(run),
            _ => None,
        };
        self.state = State::Stopping(run, Step::Announced);
        fx.timers.cancel(Timer::When(self.id));
        fx.timers.cancel(Timer::Tick(self.id));
        if let Some(health) = &mut self.health {
            health.end(fx);
        }
        fx.publish(Code::Stopping, &self.spec.name);
    }

    /// Every job has seen that this one is stopping; these run because of it
    /// and come first.
    pub(super) fn wait_for_hooks(&mut self, hooks: BTreeSet<JobId>, fx: &mut Effects) {
        let State::Stopping(_, step @ Step::Announced) = &mut self.state else {
            return;
        };
        if hooks.is_empty() || fx.phase >= Phase::Killing {
            self.terminate(fx);
            return;
        }
        *step = Step::Hooks(hooks);
        if let Some(timeout) = self.spec.stop_timeout {
            fx.set_timer(Timer::Hooks(self.id), timeout);
        }
    }

    /// A stop hook of this or another job completed.
    pub(super) fn hook_completed(&mut self, hook: JobId, fx: &mut Effects) {
        let State::Stopping(_, Step::Hooks(hooks)) = &mut self.state else {
            return;
        };
        if hooks.remove(&hook) && hooks.is_empty() {
            self.terminate(fx);
        }
    }

    /// The stop hooks have had their time.
    pub(super) fn on_hooks_timeout(&mut self, fx: &mut Effects) {
        let text = format!(
            "{} does not wait any longer for the jobs that run before it stops",
            self.spec.name
        );
        fx.log(Level::Warn, Some(&self.label), text);
        self.terminate(fx);
    }

    /// The process was told to terminate and has had its time.
    pub(super) fn on_kill_timeout(&mut self, fx: &mut Effects) {
        let text = format!(
            "{} did not terminate within {:?}, killing it",
            self.spec.name, fx.stop_timeout
        );
        fx.log(Level::Warn, Some(&self.label), text);
        self.kill(fx);
    }

    /// The grace time is over: whatever is left of the job gets SIGKILL.
    pub(super) fn kill(&mut self, fx: &mut Effects) {
        match &mut self.state {
            State::Stopping(Some(run), Step::Terminating) => run.send(libc::SIGKILL, fx),
            State::Stopping(_, Step::Hooks(_)) => self.terminate(fx),
            _ => self.complete(fx),
        }
    }

    fn terminate(&mut self, fx: &mut Effects) {
        fx.timers.cancel(Timer::Hooks(self.id));
        let State::Stopping(run, step) = &mut self.state else {
            return;
        };
        let Some(run) = run else {
            self.finish(fx);
            return;
        };
        *step = Step::Terminating;
        if fx.phase >= Phase::Killing {
            run.send(libc::SIGKILL, fx);
            return;
        }
        run.send(libc::SIGTERM, fx);
        // During shutdown the one deadline of all jobs comes no later.
        if fx.phase == Phase::Running {
            fx.set_timer(Timer::Kill(self.id), fx.stop_timeout);
        }
    }

    fn finish(&mut self, fx: &mut Effects) {
        self.state = State::Complete;
        fx.came_to_rest = true;
        fx.publish(Code::Stopped, &self.spec.name);
    }

    // Runs.

    /// The live run, if that is what `exec` is.
    fn live_run(&mut self, exec: ExecId) -> Option<&mut Run> {
        match &mut self.state {
            State::Running(run) | State::Stopping(Some(run), _) if run.exec == exec => Some(run),
            _ => None,
        }
    }

    fn may_start(&self, fx: &Effects) -> bool {
        match fx.phase {
            Phase::Running => true,
            Phase::Withdrawing | Phase::Stopping => self.is_stop_hook(),
            Phase::Killing | Phase::Done => false,
        }
    }

    fn run(&mut self, fx: &mut Effects) {
        let Some(command) = self.spec.exec.clone() else {
            self.state = State::Present;
            self.begin_checks(fx);
            return;
        };
        let exec = fx.spawn(self.id, &command, self.label.clone());
        self.state = State::Running(Run {
            exec,
            pid: None,
            signal: None,
            timed_out: false,
        });
        if let Some(timeout) = self.spec.timeout {
            fx.set_timer(Timer::Run(self.id), timeout);
        }
    }

    fn run_ended(&mut self, success: bool, fx: &mut Effects) {
        fx.timers.cancel(Timer::Run(self.id));
        fx.timers.cancel(Timer::Kill(self.id));
        fx.set_running(self.id, &self.pid_variable, None);
        fx.publish(
            if success {
                Code::ExitSuccess
            } else {
                Code::ExitFailed
            },
            &self.spec.name,
        );
        match &mut self.state {
            State::Running(_) => self.after_run(fx),
            State::Stopping(run, Step::Terminating) => {
                *run = None;
                self.finish(fx);
            }
            State::Stopping(run, _) => *run = None,
            State::Waiting | State::Present | State::Idle | State::Complete => {}
        }
    }

    /// What follows a run: another one, a pause, or completion.
    fn after_run(&mut self, fx: &mut Effects) {
        self.state = State::Idle;
        if self.is_due_again(fx) {
            self.run(fx);
        } else if self.has_starts_left() {
            fx.came_to_rest = true;
        } else {
            self.complete(fx);
        }
    }

    /// Whether the next run follows at once: a restart, or one that is owed.
    fn is_due_again(&mut self, fx: &Effects) -> bool {
        if matches!(self.spec.when.start, Start::Every(_)) {
            return std::mem::take(&mut self.owed) > 0 && self.take_restart();
        }
        if fx.phase == Phase::Running && self.take_restart() {
            return true;
        }
        let owed = self.owed > 0 && self.may_start(fx);
        self.owed -= u64::from(owed);
        owed
    }

    /// Whether an event or a tick can still start a run.
    fn has_starts_left(&self) -> bool {
        match self.spec.when.start {
            Start::Every(_) => self.restarts_left != Restarts::Limited(0),
            Start::Each(_) => true,
            Start::Once(_) => false,
        }
    }

    fn take_restart(&mut self) -> bool {
        match &mut self.restarts_left {
            Restarts::Unlimited => true,
            Restarts::Limited(0) => false,
            Restarts::Limited(left) => {
                *left -= 1;
                true
            }
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
