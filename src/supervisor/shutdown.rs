//! The way out: what begins shutdown, what may still run, and what ends it
//! (SPEC §12).

use log::Level;

use super::effects::Phase;
use super::job::Job;
use super::timers::Timer;
use super::{JobId, Supervisor};
use crate::event::{Code, Event};
use crate::message::Action;

/// How long the kernel gets to carry out SIGKILL before the supervisor leaves
/// without the process: one that hangs in the kernel must not keep it up.
const KILL_GRACE: std::time::Duration = std::time::Duration::from_millis(500);

impl Supervisor {
    /// SIGTERM or SIGINT: the first begins shutdown, the second ends patience.
    pub(super) fn on_terminate(&mut self) {
        if self.fx.phase == Phase::Running {
            self.fx.log(Level::Info, None, "shutting down".to_owned());
            self.begin_shutdown();
        } else if self.fx.phase < Phase::Killing {
            self.fx.log(
                Level::Warn,
                None,
                "told to shut down again: killing what is left".to_owned(),
            );
            self.kill_all();
        }
    }

    /// Begins shutdown, unless it has begun.
    pub(super) fn begin_shutdown(&mut self) {
        if self.fx.phase != Phase::Running {
            return;
        }
        self.fx.phase = Phase::Withdrawing;
        self.fx.set_timer(Timer::Shutdown, self.fx.stop_timeout);
        self.abandon_reloads();
        self.abandon_operations();
        self.withdraw_all();
    }

    /// All services first, so that an agent that is itself a job still answers;
    /// but no longer than a quarter of the grace time.
    fn withdraw_all(&mut self) {
        self.fx.timers.cancel(Timer::TelemetryBeat);
        self.fx.actions.extend(
            self.watches
                .drain(..)
                .map(|watch| Action::Unwatch(watch.id())),
        );
        let ids = self
            .jobs
            .values_mut()
            .filter_map(|job| job.withdraw(&mut self.fx));
        self.withdrawing = ids.collect();
        let own = self
            .telemetry
            .take()
            .and_then(|mut service| service.withdraw(&mut self.fx));
        self.withdrawing.extend(own);
        if self.withdrawing.is_empty() {
            self.did_withdraw();
        } else {
            self.fx
                .set_timer(Timer::Withdrawal, self.fx.stop_timeout / 4);
        }
    }

    /// The catalog has forgotten a service, or cannot be told to.
    pub(super) fn on_withdrawn(&mut self, service: &str) {
        if self.withdrawing.remove(service) && self.withdrawing.is_empty() {
            self.did_withdraw();
        }
    }

    /// The services are out of the catalog, or have had their time: the jobs
    /// come next.
    pub(super) fn did_withdraw(&mut self) {
        if self.fx.phase == Phase::Withdrawing {
            self.fx.timers.cancel(Timer::Withdrawal);
            self.fx.phase = Phase::Stopping;
            self.fx.publish_event(Event::global(Code::Shutdown));
            self.fx.came_to_rest = true;
        }
    }

    /// Shutdown is published and its hooks run: everything else completes.
    pub(super) fn complete_all(&mut self) {
        for job in self.jobs.values_mut() {
            job.release();
            if job.is_stop_hook() {
                job.give_up_restart(&mut self.fx);
            } else {
                job.complete(&mut self.fx);
            }
        }
    }

    /// The grace time is over.
    pub(super) fn on_shutdown_timeout(&mut self) {
        let left = self.incomplete();
        let text = format!(
            "still there after {:?}, killing: {left}",
            self.fx.stop_timeout
        );
        self.fx.log(Level::Warn, None, text);
        self.kill_all();
    }

    fn kill_all(&mut self) {
        self.fx.phase = Phase::Killing;
        self.fx.timers.clear();
        self.feed_watchdog();
        self.fx.set_timer(Timer::GiveUp, KILL_GRACE);
        self.for_each_job(Job::kill);
        self.fx.came_to_rest = true;
    }

    /// SIGKILL has not ended everything: leave all the same.
    pub(super) fn give_up(&mut self) {
        let left = self.incomplete();
        let text = format!("leaving processes behind that SIGKILL does not end: {left}");
        self.fx.log(Level::Error, None, text);
        self.leave();
    }

    /// The names of the jobs that are not complete, with their pids.
    fn incomplete(&self) -> String {
        let incomplete = self.jobs.values().filter(|job| !job.is_complete());
        let named = incomplete.map(|job| match job.pid() {
            Some(pid) => format!("{} (pid {pid})", job.shown_name()),
            None => job.shown_name().into_owned(),
        });
        named.collect::<Vec<_>>().join(", ")
    }

    /// Something came to rest and no event is left: is there still something
    /// to wait for?
    pub(super) fn settle(&mut self) {
        self.release_hooked();
        if !self.fx.events.is_empty() {
            // Somebody is to see first that a job has stopped by that.
            return;
        }
        match self.fx.phase {
            Phase::Running => self.settle_running(),
            Phase::Withdrawing | Phase::Done => {}
            Phase::Stopping | Phase::Killing => self.settle_shutdown(),
        }
    }

    /// Whether an essential job has come to its own end, hooks and all.
    fn essential_is_complete(&mut self) -> bool {
        let Some((id, code)) = self.fx.essential else {
            return false;
        };
        let job = self.jobs.get(&id);
        let complete = job.is_none_or(Job::is_complete);
        if complete {
            let name = job.map(Job::shown_name).unwrap_or_default();
            let text =
                format!("essential job {name} is complete, shutting down with exit code {code}");
            self.fx.log(Level::Info, None, text);
        }
        complete
    }

    /// When only jobs are left that wait for the end of others, that is the end.
    fn settle_running(&mut self) {
        self.settle_retired();
        for id in self.exhausted() {
            self.with_job(id, Job::complete_for_good);
        }
        if self.essential_is_complete() {
            self.begin_shutdown();
            return;
        }
        let is_over = |event: &Event| self.is_over(event);
        // What an operator has stopped may be started again.
        let idle = |job: &Job| {
            (job.is_complete() && !job.is_held())
                || job.only_waits_for_an_end()
                || job.waits_in_vain(is_over)
        };
        let has_work = if self.jobs.is_empty() {
            !self.config.watches.is_empty() || self.config.telemetry.is_some()
        } else {
            !self.jobs.values().all(idle)
        };
        if has_work || !self.successors.is_empty() {
            return;
        }
        let what = if self.jobs.is_empty() {
            "there is nothing to run"
        } else {
            "all jobs are complete"
        };
        self.fx
            .log(Level::Info, None, format!("{what}, shutting down"));
        self.begin_shutdown();
    }

    /// Stop hooks that nothing can start any more complete; when everything is
    /// complete and no process is left, so is shutdown.
    fn settle_shutdown(&mut self) {
        // Then the end of what is alive is all that there is to wait for.
        if !self.index.has_stop_hooks() && !self.fx.live.is_empty() {
            return;
        }
        let futile = self.futile_hooks(|_| true);
        if !futile.is_empty() {
            for id in futile {
                self.with_job(id, Job::complete);
            }
            return;
        }
        if self.jobs.values().all(Job::is_complete) {
            if self.fx.live.is_empty() {
                self.leave();
            }
            return;
        }
        // Hooks of each other: none will ever start. The first in the file goes.
        let stuck = self
            .jobs
            .values()
            .all(|job| job.is_complete() || job.is_waiting_hook());
        let first = self
            .jobs
            .iter()
            .find(|(_, job)| !job.is_complete())
            .map(|(id, _)| *id);
        if let Some(id) = first.filter(|_| stuck) {
            self.with_job(id, Job::complete);
        }
    }

    /// Jobs that have run, and wait for nothing but what cannot come any more.
    fn exhausted(&self) -> Vec<JobId> {
        let is_over = |event: &Event| self.is_over(event);
        let is_exhausted = |job: &Job| job.has_run_and_waits() && job.awaited().all(is_over);
        let jobs = self.jobs.iter().filter(|(_, job)| is_exhausted(job));
        jobs.map(|(id, _)| *id).collect()
    }

    /// Whether an event cannot come any more, because the jobs are complete whose
    /// it is.
    fn is_over(&self, event: &Event) -> bool {
        let ids = self.index.named(&event.source);
        let mut jobs = ids.iter().filter_map(|id| self.jobs.get(id));
        let mut successors = self.successors.values();
        !ids.is_empty()
            && jobs.all(|job| !job.can_emit(event.code))
            && !successors.any(|successor| successor.spec.name == event.source)
    }

    /// Stop hooks among some jobs that wait for what cannot come from any of these
    /// any more, or never could.
    pub(super) fn futile_hooks(&self, among: impl Fn(&Job) -> bool) -> Vec<JobId> {
        let can_come = |event: &Event| {
            let sources = self.index.named(&event.source).iter();
            let mut sources = sources
                .filter_map(|id| self.jobs.get(id))
                .filter(|job| among(job));
            sources.any(|job| job.can_emit(event.code))
        };
        let is_futile = |job: &Job| among(job) && job.is_waiting_hook() && !job.can_start(can_come);
        self.jobs
            .iter()
            .filter(|(_, job)| is_futile(job))
            .map(|(id, _)| *id)
            .collect()
    }

    fn leave(&mut self) {
        self.fx.phase = Phase::Done;
        self.end_operations();
        self.fx.timers.clear();
    }
}
