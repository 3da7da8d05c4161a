//! What an operator does to a job: stops it, and starts it again (SPEC §16).

use super::{Job, State};
use crate::config::Start;
use crate::message::Label;
use crate::supervisor::effects::Effects;
use crate::supervisor::timers::Timer;

impl Job {
    /// The job is to complete and to stay so until it is told to start. One that
    /// comes to its own end already does just that.
    pub(in crate::supervisor) fn stop(&mut self, fx: &mut Effects) {
        self.held |= !self.is_stopping();
        self.complete(fx);
    }

    /// Whether the job is complete, or completes, only because an operator has
    /// stopped it.
    pub(in crate::supervisor) fn is_held(&self) -> bool {
        self.held
    }

    /// The job that a reload brings was stopped before it could begin.
    pub(in crate::supervisor) fn begin_stopped(&mut self, fx: &Effects) {
        self.held = true;
        self.enter(State::Complete, fx);
    }

    /// A job that has ended starts as if it had never run.
    pub(in crate::supervisor) fn begin_anew(&mut self, fx: &mut Effects) {
        if self.is_complete() {
            self.met.clear();
            self.renew(fx);
        }
        self.start_now(fx);
    }

    /// Whoever has stopped the job has no say any more: a reload replaces it, or
    /// everything ends.
    pub(in crate::supervisor) fn release(&mut self) {
        self.held = false;
    }

    /// A job that has ended waits again, with all its restarts.
    pub(super) fn renew(&mut self, fx: &mut Effects) {
        self.end_row(fx);
        self.held = false;
        self.restarts_used = 0;
        self.owed = 0;
        self.enter(State::Waiting, fx);
        self.did_subscribe(fx);
    }

    /// The job starts without what it waits for, be it an event, a tick, or the
    /// time until its restart.
    pub(in crate::supervisor) fn start_now(&mut self, fx: &mut Effects) {
        match &self.state {
            State::Waiting => {
                fx.timers.cancel(Timer::When(self.id));
                if let Start::Every(interval) = self.spec.when.start {
                    fx.set_timer(Timer::Tick(self.id), interval);
                }
                self.need_no_more();
                self.start(false, fx);
            }
            State::Idle => self.start(false, fx),
            State::BackingOff(_) => {
                fx.timers.cancel(Timer::Restart(self.id));
                self.restarts_used = self.restarts_used.saturating_add(1);
                self.start(true, fx);
            }
            State::Running(_) | State::Present | State::Stopping(..) | State::Complete => {}
        }
    }

    /// What has to happen before the job starts counts as having happened. The end
    /// of another job is still to come, and the job runs then as well.
    fn need_no_more(&mut self) {
        if let Start::All(events) = &self.spec.when.start {
            let others = events.iter().filter(|event| !event.code.is_end());
            self.met.extend(others.cloned());
        }
    }

    /// Whom log entries about the job name.
    pub(in crate::supervisor) fn label(&self) -> Label {
        self.label.clone()
    }
}
