//! The way of a job to its completion: announced, waited for, terminated,
//! stopped (SPEC §5).

use log::Level;

use super::{Job, State, Step};
use crate::event::Code;
use crate::message::Action;
use crate::sorted::SortedSet;
use crate::supervisor::JobId;
use crate::supervisor::effects::{Effects, Outcome, Phase};
use crate::supervisor::timers::Timer;

impl Job {
    /// The job has nothing left to run: it completes by itself, and if it is
    /// essential, the supervisor does with it. Told to complete, by a shutdown
    /// or a reload, it takes nothing with it.
    pub(in crate::supervisor) fn complete_for_good(&mut self, fx: &mut Effects) {
        let own_end = !self.is_stopping() && !self.retired && fx.phase == Phase::Running;
        if own_end && self.spec.essential && fx.essential.is_none() {
            fx.essential = Some((self.id, self.last_code));
        }
        self.complete(fx);
    }

    /// The job is told to complete, or has nothing left to do.
    pub(in crate::supervisor) fn complete(&mut self, fx: &mut Effects) {
        if self.is_stopping() {
            return;
        }
        self.end_row(fx);
        let stopping = State::Stopping(None, Step::Announced);
        if let (State::Running(live), State::Stopping(run, _)) =
            (self.enter(stopping, fx), &mut self.state)
        {
            *run = Some(live);
        }
        fx.timers.cancel(Timer::When(self.id));
        fx.timers.cancel(Timer::Tick(self.id));
        fx.timers.cancel(Timer::Restart(self.id));
        if let Some(health) = &mut self.health {
            health.end(fx);
        }
        fx.publish(Code::Stopping, &self.spec.name);
    }

    /// Every job has seen that this one is stopping; these run because of it
    /// and come first.
    pub(in crate::supervisor) fn wait_for_hooks(
        &mut self,
        hooks: SortedSet<JobId>,
        fx: &mut Effects,
    ) {
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

    /// The stop hooks that the job waits for.
    pub(in crate::supervisor) fn hooks(&self) -> Option<&SortedSet<JobId>> {
        match &self.state {
            State::Stopping(_, Step::Hooks(hooks)) => Some(hooks),
            _ => None,
        }
    }

    /// The stop hooks have done their work.
    pub(in crate::supervisor) fn on_hooks_done(&mut self, fx: &mut Effects) {
        if self.hooks().is_some() {
            self.terminate(fx);
        }
    }

    /// The stop hooks have had their time.
    pub(in crate::supervisor) fn on_hooks_timeout(&mut self, fx: &mut Effects) {
        let text = "does not wait any longer for the jobs that run before it stops".to_owned();
        fx.log(Level::Warn, Some(&self.label), text);
        self.terminate(fx);
    }

    /// The process was told to terminate and has had its time.
    pub(in crate::supervisor) fn on_kill_timeout(&mut self, fx: &mut Effects) {
        let timeout = self.kill_timeout(fx);
        let text = format!("did not terminate within {timeout:?}, killing it");
        fx.log(Level::Warn, Some(&self.label), text);
        if let Some(run) = self.current_run() {
            run.send(libc::SIGKILL, fx);
        }
    }

    /// The grace time is over: whatever is left of the job gets SIGKILL.
    pub(in crate::supervisor) fn kill(&mut self, fx: &mut Effects) {
        match &mut self.state {
            State::Stopping(Some(run), Step::Terminating) => run.send(libc::SIGKILL, fx),
            State::Stopping(_, Step::Hooks(_)) => self.terminate(fx),
            _ => self.complete(fx),
        }
    }

    fn terminate(&mut self, fx: &mut Effects) {
        fx.timers.cancel(Timer::Hooks(self.id));
        // Before the process ends, so that nobody is sent to it any more.
        self.withdraw(fx);
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
        run.send(self.spec.stop_signal, fx);
        // During shutdown the one deadline of all jobs comes no later.
        let timeout = self.spec.kill_timeout;
        let timeout = timeout.or((fx.phase == Phase::Running).then_some(fx.stop_timeout));
        if let Some(timeout) = timeout {
            fx.set_timer(Timer::Kill(self.id), timeout);
        }
    }

    pub(super) fn finish(&mut self, fx: &mut Effects) {
        if let Some((exec, pid)) = self.left.take() {
            fx.actions.push(Action::EndGroup(exec, pid));
        }
        self.enter(State::Complete, fx);
        fx.came_to_rest = true;
        fx.outcomes.push((self.id, Outcome::Gone));
        fx.publish(Code::Stopped, &self.spec.name);
    }
}
