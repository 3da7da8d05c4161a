//! What starts a job: the events that it waits for, all of them or any (SPEC §5,
//! §15), and which of them still count on the way out (SPEC §12).

use log::Level;

use super::{Job, State};
use crate::config::Start;
use crate::control::status::WaitsFor;
use crate::event::{Code, Event};
use crate::printable::printable;
use crate::sorted::SortedSet;
use crate::supervisor::effects::{Effects, Phase};
use crate::supervisor::timers::Timer;

impl Job {
    /// The job is subscribed: from now on it waits for its events.
    pub(in crate::supervisor) fn did_subscribe(&mut self, fx: &mut Effects) {
        self.limit_wait(fx);
        if let Some(service) = &mut self.service {
            service.introduce(fx);
        }
    }

    /// From now on the job waits no longer than it may.
    pub(super) fn limit_wait(&mut self, fx: &mut Effects) {
        if let Some(timeout) = self.spec.when.timeout {
            fx.set_timer(Timer::When(self.id), timeout);
        }
    }

    /// An event came that the job waits for.
    pub(in crate::supervisor) fn on_event(&mut self, event: &Event, fx: &mut Effects) {
        if self.is_stopping() || !self.may_start_at(event, fx) || !self.asks_for_a_run(event) {
            return;
        }
        match self.state {
            State::Waiting => {
                fx.timers.cancel(Timer::When(self.id));
                if let Start::Every(interval) = self.spec.when.start {
                    fx.set_timer(Timer::Tick(self.id), interval);
                }
                self.start(false, fx);
            }
            State::Idle => self.start(false, fx),
            State::Running(_) | State::BackingOff(_) => self.owed += 1,
            State::Present | State::Stopping(..) | State::Complete => {}
        }
    }

    /// Whether an event of the job's makes it run, now that it has come.
    fn asks_for_a_run(&mut self, event: &Event) -> bool {
        if self.spec.when.start.repeats_at(event) {
            return true;
        }
        let is_new = self.met.insert(event.clone());
        is_new
            && match &self.spec.when.start {
                Start::All(events) => self.met.len() == events.len(),
                Start::Any(_) | Start::Every(_) => true,
            }
    }

    /// The events that the job still waits for.
    pub(in crate::supervisor) fn awaited(&self) -> impl Iterator<Item = &Event> {
        let events = self.spec.when.start.events();
        events.filter(|event| !self.met.contains(event))
    }

    /// What a job that rests waits for to start.
    pub(in crate::supervisor) fn waits_for(&self) -> Option<WaitsFor> {
        let rests = matches!(self.state, State::Waiting | State::Idle);
        let waits_for = WaitsFor {
            all: matches!(self.spec.when.start, Start::All(_)),
            events: self.awaited().cloned().collect(),
        };
        (rests && !waits_for.events.is_empty()).then_some(waits_for)
    }

    /// No event came that starts the job.
    pub(in crate::supervisor) fn on_when_timeout(&mut self, fx: &mut Effects) {
        let missing: Vec<String> = self.awaited().map(in_words).collect();
        let text = format!("gave up waiting to start; not seen: {}", missing.join(", "));
        fx.log(Level::Warn, Some(&self.label), text);
        fx.publish(Code::TimerExpired, &self.spec.name);
        self.complete_for_good(fx);
    }

    /// What the job has seen of what it waits for, to be counted anew by other
    /// rules. What has started a run is used up.
    pub(in crate::supervisor) fn take_seen(&mut self) -> SortedSet<Event> {
        match self.state {
            State::Waiting => std::mem::take(&mut self.met),
            _ => SortedSet::new(),
        }
    }

    /// Whether what has begun before the job was there counts for it as well.
    pub(in crate::supervisor) fn counts_if_held(&self, event: &Event) -> bool {
        let is_new = matches!(self.state, State::Waiting);
        let repeats = self.spec.when.start.repeats_at(event);
        !repeats || (is_new && event.code == Code::Startup)
    }

    // How it starts because something ends.

    /// Whether the job runs because something ends: only such a job may start
    /// during shutdown.
    pub(in crate::supervisor) fn is_stop_hook(&self) -> bool {
        self.spec.when.start.is_by_an_end()
    }

    /// Whether it runs because something ends, and nothing of it is alive.
    pub(in crate::supervisor) fn is_waiting_hook(&self) -> bool {
        self.is_dormant() && self.is_stop_hook()
    }

    /// Whether the job waits for nothing but an end: it keeps nothing up.
    pub(in crate::supervisor) fn only_waits_for_an_end(&self) -> bool {
        let mut awaited = self.awaited().map(|event| event.code.is_end());
        let only = match self.spec.when.start {
            Start::All(_) => awaited.any(|is_end| is_end),
            Start::Any(_) => awaited.all(|is_end| is_end),
            Start::Every(_) => false,
        };
        self.is_dormant() && only
    }

    /// Whether the job, which runs because something ends, can still do so, given
    /// which events can still come.
    pub(in crate::supervisor) fn can_start(&self, can_come: impl Fn(&Event) -> bool) -> bool {
        let mut awaited = self.awaited();
        match self.spec.when.start {
            Start::All(_) => awaited.all(can_come),
            Start::Any(_) => awaited.any(|event| event.code.is_end() && can_come(event)),
            Start::Every(_) => false,
        }
    }

    /// Whether the job, which runs because something ends, misses what cannot come
    /// any more: it keeps nothing up, either.
    pub(in crate::supervisor) fn waits_in_vain(&self, is_over: impl Fn(&Event) -> bool) -> bool {
        let needs_all = matches!(self.spec.when.start, Start::All(_));
        needs_all && self.is_waiting_hook() && self.awaited().any(is_over)
    }

    /// Whether the job waits for none but events that have no more than one
    /// chance, after it has run.
    pub(in crate::supervisor) fn has_run_and_waits(&self) -> bool {
        let start = &self.spec.when.start;
        matches!((&self.state, start), (State::Idle, Start::Any(_)))
            && !self.awaited().any(|event| start.repeats_at(event))
    }

    /// Whether such an event of the job's can still come. What an operator has
    /// stopped may be started again.
    pub(in crate::supervisor) fn can_emit(&self, code: Code) -> bool {
        let is_alive = match code {
            Code::ExitSuccess | Code::ExitFailed | Code::Stopped => !self.is_complete(),
            Code::Healthy | Code::Unhealthy | Code::TimerExpired | Code::Stopping => {
                !self.is_stopping()
            }
            Code::Changed
            | Code::EnterMaintenance
            | Code::ExitMaintenance
            | Code::Error
            | Code::Quit
            | Code::Metric
            | Code::Startup
            | Code::Shutdown
            | Code::Started
            | Code::Signal => false,
        };
        is_alive || self.is_held()
    }

    /// Whether the job runs because of the `stopping` of another one, which waits
    /// for it before it is terminated.
    pub(in crate::supervisor) fn runs_before(&self, stopping: &Event) -> bool {
        self.is_busy() && self.met.contains(stopping)
    }

    /// Whether a run of the job is alive or due.
    pub(in crate::supervisor) fn is_busy(&self) -> bool {
        matches!(
            self.state,
            State::Running(_) | State::BackingOff(_) | State::Stopping(..)
        )
    }

    /// Whether nothing of the job is alive and it only waits for its events.
    pub(in crate::supervisor) fn is_dormant(&self) -> bool {
        matches!(self.state, State::Waiting | State::Idle)
    }

    /// Whether a run may start that was asked for before.
    pub(super) fn may_start(&self, fx: &Effects) -> bool {
        match fx.phase {
            Phase::Running => true,
            Phase::Withdrawing | Phase::Stopping => self.is_stop_hook(),
            Phase::Killing | Phase::Done => false,
        }
    }

    /// Whether `event` may help to start a run: on the way out, an end alone is a
    /// reason to run.
    fn may_start_at(&self, event: &Event, fx: &Effects) -> bool {
        let leaving = matches!(fx.phase, Phase::Withdrawing | Phase::Stopping);
        let other = matches!(self.spec.when.start, Start::Any(_)) && !event.code.is_end();
        self.may_start(fx) && !(leaving && other)
    }
}

/// `exitSuccess of setup`, or the name of an event of the whole supervisor.
fn in_words(event: &Event) -> String {
    let source = printable(&event.source);
    match event.code.config_name() {
        Some(name) if event.code.is_global() => name.to_owned(),
        Some(name) => format!("{name} of {source}"),
        None => source.into_owned(),
    }
}
