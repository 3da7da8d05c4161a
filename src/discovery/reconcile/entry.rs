//! One service: what is wanted of it, what is known of it, and what an answer
//! tells.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;

use log::Level;

use super::{Call, Effect, Outcome};
use crate::config::{InitialStatus, ServiceSpec};
use crate::discovery::backoff::{Backoff, CAP};

/// What the supervisor wants of a service.
#[derive(Debug)]
pub(super) enum Wanted {
    Absent,
    Registered {
        spec: Arc<ServiceSpec>,
        /// The status to register with, until that has been done.
        status: Option<InitialStatus>,
        /// When the check passed whose heartbeat is to be delivered.
        passed: Option<Instant>,
    },
}

/// What Consul has told of a service.
#[derive(Debug, PartialEq)]
pub(super) enum Known {
    /// Anything may be registered: nothing was asked yet, or the answer is lost.
    Nothing,
    Absent,
    Registered(Arc<ServiceSpec>),
    /// Registered, and seen to be so since the last heartbeat was wished for.
    Verified(Arc<ServiceSpec>),
}

/// In which way Consul last disagreed; each is logged when it begins, not each
/// time that it is met.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Trouble {
    None,
    Lost,
    Differed,
    Refused(u16),
}

/// The slot of one service.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) wanted: Wanted,
    pub(super) known: Known,
    trouble: Trouble,
    pub(super) backoff: Backoff,
    /// No request before this time.
    pub(super) not_before: Option<Instant>,
    pub(super) last_try: Option<Instant>,
    /// The fields whose registering was logged last.
    announced: Option<Arc<ServiceSpec>>,
    /// Whether we registered it and it has not been seen absent since.
    is_ours: bool,
    /// Whether somebody waits to hear that it is withdrawn.
    pub(super) is_awaited: bool,
    /// Rises with each wish, so that the one that waits longest goes first.
    pub(super) turn: u64,
}

impl Entry {
    /// A slot of which nothing is known.
    pub(super) fn new(wanted: Wanted) -> Self {
        Self {
            wanted,
            known: Known::Nothing,
            trouble: Trouble::None,
            backoff: Backoff::new(CAP),
            not_before: None,
            last_try: None,
            announced: None,
            is_ours: false,
            is_awaited: false,
            turn: 0,
        }
    }

    /// The request that brings the known state nearer to the wanted one.
    pub(super) fn call(&self, id: &str) -> Option<Call> {
        match &self.wanted {
            Wanted::Absent if self.known == Known::Absent => None,
            Wanted::Absent => Some(Call::Deregister(id.to_owned())),
            Wanted::Registered {
                spec,
                passed: Some(_),
                ..
            } => Some(match &self.known {
                Known::Verified(known) if known == spec => Call::Heartbeat(Arc::clone(spec)),
                Known::Registered(known) if known == spec => Call::Verify(Arc::clone(spec)),
                _ => Call::Register(Arc::clone(spec), InitialStatus::Passing),
            }),
            Wanted::Registered { spec, status, .. } => {
                status.map(|status| Call::Register(Arc::clone(spec), status))
            }
        }
    }

    /// Forgets a heartbeat that the TTL has overtaken: delivered now, it would
    /// call healthy what nobody has found healthy for that long.
    pub(super) fn expire(&mut self, now: Instant) {
        if let Wanted::Registered { spec, passed, .. } = &mut self.wanted
            && passed.is_some_and(|at| now.saturating_duration_since(at) > spec.ttl)
        {
            *passed = None;
        }
    }

    /// Logs a disagreement if it is not the one that was met last.
    fn meet(&mut self, trouble: Trouble, effects: &mut Vec<Effect>, line: impl FnOnce() -> String) {
        if self.trouble != trouble {
            self.trouble = trouble;
            self.announced = None;
            effects.push(Effect::Log(Level::Warn, line()));
        }
    }

    /// A complete answer that says no.
    pub(super) fn refused(
        &mut self,
        now: Instant,
        call: &Call,
        (status, why): (u16, &str),
        effects: &mut Vec<Effect>,
    ) {
        if let Call::Verify(spec) = call {
            // Who may not look can still send the heartbeat.
            self.known = Known::Verified(Arc::clone(spec));
            return;
        }
        self.not_before = Some(now + self.backoff.delay());
        self.meet(Trouble::Refused(status), effects, || {
            let hint = match status {
                401 | 403 => "; does consul.token allow it?",
                300..=399 => "; is consul.address an agent's?",
                _ => "",
            };
            format!(
                "consul refuses to {} service \"{}\": {status} {why}{hint}",
                call.verb(),
                call.id()
            )
        });
        if std::mem::take(&mut self.is_awaited) {
            effects.push(Effect::Withdrawn(call.id().to_owned(), false));
        }
    }

    /// An outcome that tells what is registered.
    pub(super) fn settle(&mut self, call: &Call, outcome: &Outcome, effects: &mut Vec<Effect>) {
        match (call, outcome) {
            (Call::Register(spec, _), _) => self.registered(spec, effects),
            (Call::Deregister(id), _) => self.deregistered(id, effects),
            (Call::Verify(spec), Outcome::Done) => {
                self.known = Known::Verified(Arc::clone(spec));
                if self.trouble == Trouble::Differed {
                    self.trouble = Trouble::None;
                }
            }
            (Call::Heartbeat(_), Outcome::Done) => {
                self.delivered();
                if let Trouble::Refused(_) = self.trouble {
                    let line = format!("consul accepts service \"{}\" again", call.id());
                    effects.push(Effect::Log(Level::Info, line));
                }
                self.trouble = Trouble::None;
            }
            (Call::Verify(spec), Outcome::Differs) => {
                self.known = Known::Nothing;
                self.meet(Trouble::Differed, effects, || {
                    format!(
                        "service \"{}\" was registered with other fields: correcting it",
                        spec.id
                    )
                });
            }
            (Call::Verify(spec) | Call::Heartbeat(spec), _) => {
                self.known = Known::Absent;
                self.is_ours = false;
                self.meet(Trouble::Lost, effects, || {
                    format!(
                        "consul no longer knows service \"{}\": registering it again",
                        spec.id
                    )
                });
            }
        }
    }

    fn registered(&mut self, new: &Arc<ServiceSpec>, effects: &mut Vec<Effect>) {
        self.known = Known::Registered(Arc::clone(new));
        self.is_ours = true;
        self.delivered();
        if let Wanted::Registered { status, .. } = &mut self.wanted {
            *status = None;
        }
        if let Trouble::Refused(_) = self.trouble {
            self.trouble = Trouble::None;
        }
        if self.announced.as_ref() != Some(new) {
            self.announced = Some(Arc::clone(new));
            let address = SocketAddr::new(new.address, new.port);
            let line = format!("registered service \"{}\" at {address}", new.id);
            effects.push(Effect::Log(Level::Info, line));
        }
    }

    fn deregistered(&mut self, id: &str, effects: &mut Vec<Effect>) {
        self.known = Known::Absent;
        if std::mem::take(&mut self.is_ours) {
            let line = format!("deregistered service \"{id}\"");
            effects.push(Effect::Log(Level::Info, line));
        }
        if std::mem::take(&mut self.is_awaited) {
            effects.push(Effect::Withdrawn(id.to_owned(), true));
        }
    }

    fn delivered(&mut self) {
        if let Wanted::Registered { passed, .. } = &mut self.wanted {
            *passed = None;
        }
    }
}
