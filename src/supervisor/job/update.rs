//! What a reload changes of a job that keeps its process (SPEC §14).

use std::time::Duration;

use super::{Job, State};
use crate::config::{HealthSpec, JobSpec, ServiceSpec, Start};
use crate::event::Event;
use crate::sorted::SortedSet;
use crate::supervisor::effects::Effects;
use crate::supervisor::health::Health;
use crate::supervisor::service::Service;
use crate::supervisor::timers::Timer;

impl Job {
    /// The configuration in force does not have the job any more. One that runs
    /// because another retired job ends still does so.
    pub(in crate::supervisor) fn retire(&mut self) {
        self.retired = true;
        self.release();
    }

    /// The job whose end this was begins anew, or its successor does: its end is
    /// waited for again.
    pub(in crate::supervisor) fn wait_again(&mut self, end: &Event, fx: &mut Effects) {
        self.met.remove(end);
        if self.is_complete() && !self.held {
            self.renew(fx);
        }
    }

    /// Everything but the process is as `spec` says from now on. Returns whether
    /// other events start the job than before, which may have come already.
    pub(in crate::supervisor) fn update(&mut self, mut spec: JobSpec, fx: &mut Effects) -> bool {
        self.update_health(spec.health.take(), fx);
        spec.health = self.spec.health.clone();
        if self.spec.service != spec.service {
            self.update_service(spec.service.clone(), fx);
        }
        let before = std::mem::replace(&mut self.spec, spec);
        if before.timeout != self.spec.timeout {
            self.rearm_run_timeout(fx);
        }
        if before.backoff != self.spec.backoff {
            self.rearm_restart(fx);
        }
        let new_when = before.when != self.spec.when;
        if new_when {
            self.wait_anew(&before.when.start, fx);
        }
        new_when && !self.is_stopping()
    }

    /// What is known of the health stays known as long as it is checked. A job
    /// that is not checked any more keeps the memory of a check in flight, so
    /// that there are never two.
    fn update_health(&mut self, spec: Option<HealthSpec>, fx: &mut Effects) {
        if self.spec.health == spec {
            return;
        }
        self.spec.health.clone_from(&spec);
        match (&mut self.health, spec) {
            (None, None) => return,
            (Some(health), None) => health.end(fx),
            (Some(health), Some(spec)) => health.update(spec, fx),
            (None, Some(spec)) => {
                self.health = Some(Health::new(self.id, &self.spec.name, spec, fx.now));
            }
        }
        let started = matches!(
            self.state,
            State::Running(_) | State::Present | State::Idle | State::BackingOff(_)
        );
        if started && self.spec.health.is_some() {
            self.begin_checks(fx);
        }
    }

    fn update_service(&mut self, spec: Option<ServiceSpec>, fx: &mut Effects) {
        let healthy = self.known_health();
        match (&mut self.service, spec) {
            (Some(service), Some(spec)) => service.update(spec, healthy == Some(true), fx),
            (_, spec) => {
                self.withdraw(fx);
                self.service = spec.map(Service::new);
            }
        }
        let is_stopping = self.is_stopping();
        if let Some(service) = self.service.as_mut().filter(|_| !is_stopping) {
            service.introduce_late(healthy, fx);
        }
    }

    /// The time that the live run has taken already counts.
    fn rearm_run_timeout(&mut self, fx: &mut Effects) {
        let State::Running(run) = &self.state else {
            return;
        };
        match self
            .spec
            .timeout
            .and_then(|timeout| run.began.checked_add(timeout))
        {
            Some(at) => fx.timers.set(Timer::Run(self.id), at),
            None => fx.timers.cancel(Timer::Run(self.id)),
        }
    }

    /// Future starts follow the new `when`; a live run is not touched. What has
    /// come of what it waits for still counts.
    fn wait_anew(&mut self, before: &Start, fx: &mut Effects) {
        fx.timers.cancel(Timer::When(self.id));
        fx.timers.cancel(Timer::Tick(self.id));
        let start = &self.spec.when.start;
        let events: SortedSet<Event> = start.subscriptions().into_iter().collect();
        let is_any = |start: &Start| matches!(start, Start::Any(_));
        let goes_on = is_any(before) && before.events().all(|event| events.contains(event));
        if !(goes_on && is_any(start)) {
            self.owed = 0;
        }
        self.met
            .retain(|event| events.contains(event) && !start.repeats_at(event));
        match (&self.state, start) {
            (State::Stopping(..) | State::Complete, _) => {}
            (State::Waiting, _) => self.limit_wait(fx),
            (State::Idle, Start::All(_)) => {
                self.enter(State::Waiting, fx);
                self.limit_wait(fx);
            }
            // It has started already.
            (_, Start::All(_)) => self.met = events,
            (_, Start::Every(interval)) => {
                let interval = *interval;
                self.met = events;
                self.follow_clock(interval, fx);
            }
            (_, Start::Any(_)) => {}
        }
    }

    /// From now on the clock says when the job runs again.
    fn follow_clock(&mut self, interval: Duration, fx: &mut Effects) {
        if matches!(self.state, State::BackingOff(_)) {
            fx.timers.cancel(Timer::Restart(self.id));
            self.enter(State::Idle, fx);
        }
        if matches!(self.state, State::Running(_) | State::Idle) {
            fx.set_timer(Timer::Tick(self.id), interval);
        }
    }
}
