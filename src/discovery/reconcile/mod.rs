//! For each service a wanted state and a known one, and which request brings the
//! second nearer to the first.
//!
//! Pure: the discovery thread hands in the supervisor's wishes and the outcome of
//! each request, with the time; it gets the next request or the time to wait
//! for. There is one slot per service, so that only the newest wish counts and
//! nothing queues up however long Consul is away.

mod entry;

use std::sync::Arc;
use std::time::{Duration, Instant};

use log::Level;

use self::entry::{Entry, Known, Wanted};
use super::backoff::{Backoff, CAP};
use crate::config::{InitialStatus, ServiceSpec};
use crate::message::Wish;
use crate::sorted::SortedMap;

/// The shortest time between two tries of the same failing request. A new wish
/// may cut a back-off short, but not below this.
const SPACING: Duration = Duration::from_millis(500);

/// One request to the Consul agent.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Call {
    /// Register, or replace what is registered under the same id.
    Register(Arc<ServiceSpec>, InitialStatus),
    /// Is it registered with these very fields?
    Verify(Arc<ServiceSpec>),
    /// Its check passes.
    Heartbeat(Arc<ServiceSpec>),
    /// Remove what is registered under this id.
    Deregister(String),
}

impl Call {
    fn id(&self) -> &str {
        match self {
            Self::Register(spec, _) | Self::Verify(spec) | Self::Heartbeat(spec) => &spec.id,
            Self::Deregister(id) => id,
        }
    }

    fn verb(&self) -> &'static str {
        match self {
            Self::Register(..) => "register",
            Self::Verify(_) => "look up",
            Self::Heartbeat(_) => "update",
            Self::Deregister(_) => "deregister",
        }
    }
}

/// How a request ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    /// As asked.
    Done,
    /// The agent knows no such service or check.
    Unknown,
    /// Something else is registered under our id.
    Differs,
    /// A complete answer that says no: the HTTP status, and why.
    Refused(u16, String),
    /// No answer, or none that can be used.
    Unreachable,
}

/// What the thread has to tell after a wish or an outcome.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Effect {
    /// A line for the log.
    Log(Level, String),
    /// The service of this id is not registered (`true`), or Consul can not be
    /// told so for now (`false`).
    Withdrawn(String, bool),
}

/// What to do next.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Next {
    /// Send this request and report its outcome before anything else.
    Call(Call),
    /// Nothing before this time, unless a wish arrives.
    Wait(Instant),
    /// Nothing, unless a wish arrives.
    Idle,
}

/// The wanted and the known state of every service.
#[derive(Debug)]
pub(super) struct Reconciler {
    services: SortedMap<String, Entry>,
    backoff: Backoff,
    /// While Consul can not be reached, no request before this time.
    not_before: Option<Instant>,
    last_try: Option<Instant>,
    turns: u64,
}

impl Reconciler {
    /// Knows of no service.
    pub(super) fn new() -> Self {
        Self {
            services: SortedMap::new(),
            backoff: Backoff::new(CAP),
            not_before: None,
            last_try: None,
            turns: 0,
        }
    }

    /// Whether nothing is registered any more and nothing is to be.
    pub(super) fn is_empty(&self) -> bool {
        self.services.is_empty()
    }

    /// Takes a wish; it replaces every earlier one for the same service.
    pub(super) fn wish(&mut self, now: Instant, wish: Wish) -> Vec<Effect> {
        let mut effects = Vec::new();
        match wish {
            Wish::Register(spec, status) => self.want_registered(now, spec, |_, initial| {
                *initial = Some(status);
            }),
            Wish::Heartbeat(spec) => self.want_registered(now, spec, |passed, _| {
                *passed = Some(now);
            }),
            Wish::Unhealthy(id) => self.forget_heartbeat(&id),
            Wish::Withdraw(id) => self.want_absent(now, id, &mut effects),
        }
        effects
    }

    /// Wants no service to be registered.
    pub(super) fn withdraw_all(&mut self, now: Instant) -> Vec<Effect> {
        let mut effects = Vec::new();
        let ids: Vec<_> = self.services.keys().cloned().collect();
        for id in ids {
            self.want_absent(now, id, &mut effects);
        }
        effects
    }

    /// Forgets every service but those that are to be withdrawn.
    pub(super) fn keep_withdrawals(&mut self) {
        self.services
            .retain(|_, entry| matches!(entry.wanted, Wanted::Absent));
    }

    fn want_registered(
        &mut self,
        now: Instant,
        new: Arc<ServiceSpec>,
        set: impl FnOnce(&mut Option<Instant>, &mut Option<InitialStatus>),
    ) {
        let absent = || Entry::new(Wanted::Absent);
        let Some(entry) = self.services.or_insert_with(new.id.clone(), absent) else {
            return;
        };
        if let Wanted::Absent = entry.wanted {
            entry.wanted = Wanted::Registered {
                spec: Arc::clone(&new),
                status: None,
                passed: None,
            };
            entry.is_awaited = false;
        }
        if let Wanted::Registered {
            spec,
            status,
            passed,
        } = &mut entry.wanted
        {
            *spec = new;
            set(passed, status);
        }
        // What was seen before this wish says nothing about the time after it.
        entry.known = match std::mem::replace(&mut entry.known, Known::Nothing) {
            Known::Verified(spec) => Known::Registered(spec),
            known => known,
        };
        self.turns += 1;
        entry.turn = self.turns;
        hasten(&mut entry.not_before, entry.last_try, now);
        hasten(&mut self.not_before, self.last_try, now);
    }

    fn forget_heartbeat(&mut self, id: &str) {
        if let Some(Entry {
            wanted: Wanted::Registered { passed, .. },
            ..
        }) = self.services.get_mut(id)
        {
            *passed = None;
        }
    }

    fn want_absent(&mut self, now: Instant, id: String, effects: &mut Vec<Effect>) {
        let is_unreachable = self.not_before.is_some();
        let absent = || Entry::new(Wanted::Absent);
        let Some(entry) = self.services.or_insert_with(id.clone(), absent) else {
            return;
        };
        entry.wanted = Wanted::Absent;
        self.turns += 1;
        entry.turn = self.turns;
        // Worth a try at once: whoever stops may not have time for a second.
        entry.not_before = None;
        self.not_before = self.not_before.map(|_| now);
        // Whoever waits for it must not wait for a Consul that is away.
        entry.is_awaited = !is_unreachable;
        if is_unreachable {
            effects.push(Effect::Withdrawn(id, false));
        }
    }

    /// The next request, or how long there is none.
    pub(super) fn next(&mut self, now: Instant) -> Next {
        let mut best: Option<(bool, u64, Call)> = None;
        let mut earliest: Option<Instant> = None;
        for (id, entry) in self.services.iter_mut() {
            entry.expire(now);
            let Some(call) = entry.call(id) else { continue };
            let ready = entry.not_before.max(self.not_before).unwrap_or(now);
            if ready > now {
                earliest = Some(earliest.map_or(ready, |at| at.min(ready)));
                continue;
            }
            let is_deregister = matches!(call, Call::Deregister(_));
            if best
                .as_ref()
                .is_none_or(|(first, turn, _)| (!is_deregister, entry.turn) < (!*first, *turn))
            {
                best = Some((is_deregister, entry.turn, call));
            }
        }
        match (best, earliest) {
            (Some((_, _, call)), _) => Next::Call(call),
            (None, Some(at)) => Next::Wait(at),
            (None, None) => Next::Idle,
        }
    }

    /// Takes the outcome of the request that [`next`](Self::next) answered last.
    pub(super) fn outcome(&mut self, now: Instant, call: &Call, outcome: Outcome) -> Vec<Effect> {
        let mut effects = Vec::new();
        self.last_try = Some(now);
        if outcome == Outcome::Unreachable {
            self.unreachable(now, call, &mut effects);
            return effects;
        }
        self.not_before = None;
        self.backoff.reset();
        let Some(entry) = self.services.get_mut(call.id()) else {
            return effects;
        };
        entry.last_try = Some(now);
        if let Outcome::Refused(status, why) = outcome {
            entry.refused(now, call, (status, &why), &mut effects);
            return effects;
        }
        entry.not_before = None;
        entry.backoff.reset();
        entry.settle(call, &outcome, &mut effects);
        if let (Wanted::Absent, Known::Absent) = (&entry.wanted, &entry.known) {
            self.services.remove(call.id());
        }
        effects
    }

    fn unreachable(&mut self, now: Instant, call: &Call, effects: &mut Vec<Effect>) {
        self.not_before = Some(now + self.backoff.delay());
        if let Some(entry) = self.services.get_mut(call.id())
            && let Call::Register(..) | Call::Deregister(_) = call
        {
            // The agent may have carried it out before the answer was lost.
            entry.known = Known::Nothing;
        }
        for (id, entry) in self.services.iter_mut() {
            if std::mem::take(&mut entry.is_awaited) {
                effects.push(Effect::Withdrawn(id.clone(), false));
            }
        }
    }
}

/// Lets a new wish cut a back-off short.
fn hasten(not_before: &mut Option<Instant>, last_try: Option<Instant>, now: Instant) {
    if let (Some(at), Some(last)) = (*not_before, last_try) {
        *not_before = Some(at.min((last + SPACING).max(now)));
    }
}

#[cfg(test)]
mod tests;
