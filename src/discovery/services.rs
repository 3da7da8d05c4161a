//! The thread that keeps Consul's view of our services as the supervisor wants
//! it: takes wishes, sends the reconciler's requests, tells what came of them.
//!
//! It owns no rule; those are the reconciler's. It lives until its inbox closes,
//! or, once it is retiring, until everything is withdrawn.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use crossbeam_channel::{RecvTimeoutError, TryRecvError};
use log::log;

use super::consul::Client;
use super::link::Party;
use super::reconcile::{Call, Effect, Next, Reconciler};
use crate::inbox::{Inbox, Sender, inbox};
use crate::message::{Message, Wish};

/// What the thread is told.
pub(super) enum Order {
    /// A new wanted state.
    Wish(Wish),
    /// End when everything is withdrawn, but not later than this, and then drop
    /// what somebody may wait for.
    Retire(Instant, Option<Sender<()>>),
    /// Another thread looks after what is registered: end when what is to be
    /// withdrawn is, but not later than this.
    HandOver(Instant),
    /// Ask for nothing before this has been dropped, or that moment has come.
    Await(Inbox<()>, Instant),
}

/// The thread's part of the services.
pub(super) struct Services {
    /// The one connection.
    pub(super) client: Client,
    /// Where outages are told.
    pub(super) party: Party,
    /// Where facts are told.
    pub(super) loop_inbox: Sender<Message>,
    /// Closed when the thread is to end at once.
    pub(super) inbox: Inbox<Order>,
    /// Set before the client is interrupted.
    pub(super) is_stopped: Arc<AtomicBool>,
    /// Dropped with the thread, for a successor that waits for its end.
    pub(super) busy: Option<Sender<()>>,
    /// What keeps the inbox open when nobody will send to it any more.
    pub(super) open: Option<Sender<Order>>,
}

impl Services {
    /// Reconciles until it is told to end.
    pub(super) fn run(mut self) {
        let mut reconciler = Reconciler::new();
        let mut retire_at = None;
        loop {
            if !self.take_orders(&mut reconciler, &mut retire_at) {
                return;
            }
            let now = Instant::now();
            if retire_at.is_some_and(|at| now >= at || reconciler.is_empty()) {
                return;
            }
            let wait_until = match reconciler.next(now) {
                Next::Call(call) => {
                    if !self.carry_out(&mut reconciler, &call) {
                        return;
                    }
                    continue;
                }
                Next::Wait(at) => Some(retire_at.map_or(at, |end: Instant| end.min(at))),
                Next::Idle => retire_at,
            };
            let order = match wait_until {
                Some(at) => self.inbox.recv_deadline(at),
                None => self.inbox.recv(),
            };
            match order {
                Ok(order) => self.take(order, &mut reconciler, &mut retire_at),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) if retire_at.is_some() => self.expect_nothing(),
                Err(RecvTimeoutError::Disconnected) => return,
            }
        }
    }

    /// Takes what has arrived meanwhile, so that the next request is for the
    /// newest wish. False: the inbox is closed and the thread is to end.
    fn take_orders(
        &mut self,
        reconciler: &mut Reconciler,
        retire_at: &mut Option<Instant>,
    ) -> bool {
        loop {
            match self.inbox.try_recv() {
                Ok(order) => self.take(order, reconciler, retire_at),
                Err(TryRecvError::Empty) => return true,
                Err(TryRecvError::Disconnected) if retire_at.is_some() => self.expect_nothing(),
                Err(TryRecvError::Disconnected) => return false,
            }
        }
    }

    /// The inbox is closed, and there is something to do all the same: only time
    /// passes from now on.
    fn expect_nothing(&mut self) {
        let (open, inbox) = inbox();
        self.inbox = inbox;
        self.open = Some(open);
    }

    fn take(&mut self, order: Order, reconciler: &mut Reconciler, retire_at: &mut Option<Instant>) {
        match order {
            Order::Wish(wish) => self.tell(reconciler.wish(Instant::now(), wish)),
            Order::Retire(at, busy) => {
                self.tell(reconciler.withdraw_all(Instant::now()));
                *retire_at = Some(at);
                self.busy = busy;
            }
            Order::HandOver(at) => {
                reconciler.keep_withdrawals();
                *retire_at = Some(at);
            }
            Order::Await(done, until) => {
                let _done_or_late = done.recv_deadline(until);
            }
        }
    }

    /// Sends one request. False: the thread was stopped meanwhile.
    fn carry_out(&self, reconciler: &mut Reconciler, call: &Call) -> bool {
        let (outcome, why) = self.client.perform(call);
        if self.is_stopped.load(Ordering::Acquire) {
            return false;
        }
        self.client.was_performed(call, &outcome);
        match &why {
            Some(why) => self.party.failed(why),
            None => self.party.works(),
        }
        self.tell(reconciler.outcome(Instant::now(), call, outcome));
        true
    }

    fn tell(&self, effects: Vec<Effect>) {
        for effect in effects {
            match effect {
                Effect::Log(level, line) => log!(level, "{line}"),
                Effect::Withdrawn(id, is_confirmed) => {
                    // Without an event loop nobody waits for it.
                    let _gone = self.loop_inbox.send(Message::Withdrawn(id, is_confirmed));
                }
            }
        }
    }
}
