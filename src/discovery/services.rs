//! The thread that keeps Consul's view of our services as the supervisor wants
//! it: takes wishes, sends the reconciler's requests, tells what came of them.
//!
//! It owns no rule; those are the reconciler's. It lives until its inbox closes,
//! or, once it is retiring, until everything is withdrawn.

use std::mem;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use crossbeam_channel::{RecvTimeoutError, TryRecvError};
use log::log;

use super::backoff::{self, Backoff};
use super::consul::Client;
use super::link::Party;
use super::reconcile::{Call, Effect, Next, Reconciler};
use super::start;
use super::watch::Watcher;
use crate::bug;
use crate::inbox::{Inbox, Sender, inbox};
use crate::message::{Message, Wish};

/// How long to wait before a thread is asked for again.
const NEXT_START: Duration = Duration::from_secs(1);

/// What the thread is told.
pub(super) enum Order {
    /// A new wanted state.
    Wish(Wish),
    /// Start the thread of this watch, for which there was none to be had.
    Start(Box<Watcher>),
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
    /// When to go on after a bug.
    pub(super) resume_at: Option<Instant>,
    /// Watches that have no thread as yet.
    pub(super) unstarted: Vec<Watcher>,
}

impl Services {
    /// Reconciles until it is told to end, also after a bug in that.
    pub(super) fn run(mut self) {
        let mut reconciler = Reconciler::new();
        let mut retire_at = None;
        let mut backoff = Backoff::new(backoff::CAP);
        let what = "who registers services";
        while bug::caught(what, || self.reconcile(&mut reconciler, &mut retire_at)).is_none() {
            self.resume_at = Some(Instant::now() + backoff.delay());
        }
    }

    fn reconcile(&mut self, reconciler: &mut Reconciler, retire_at: &mut Option<Instant>) {
        loop {
            if !self.take_orders(reconciler, retire_at) {
                return;
            }
            let now = Instant::now();
            if retire_at.is_some_and(|at| now >= at || reconciler.is_empty()) {
                return;
            }
            self.start_watches();
            let pause = self.resume_at.filter(|at| now < *at);
            let next = pause.map_or_else(|| reconciler.next(now), Next::Wait);
            let begins_at = match next {
                Next::Call(call) => {
                    if !self.carry_out(reconciler, &call) {
                        return;
                    }
                    continue;
                }
                Next::Wait(at) => Some(at),
                Next::Idle => None,
            };
            let starts_at = (!self.unstarted.is_empty()).then(|| now + NEXT_START);
            let wait_until = [begins_at, starts_at, *retire_at].into_iter().flatten();
            let order = match wait_until.min() {
                Some(at) => self.inbox.recv_deadline(at),
                None => self.inbox.recv(),
            };
            match order {
                Ok(order) => self.take(order, reconciler, retire_at),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) if retire_at.is_some() => self.expect_nothing(),
                Err(RecvTimeoutError::Disconnected) => return,
            }
        }
    }

    /// Starts those that are still wanted, as far as there are threads now.
    fn start_watches(&mut self) {
        let mut unstarted = mem::take(&mut self.unstarted);
        unstarted.retain(|watcher| !watcher.is_stopped.load(Ordering::Acquire));
        for watcher in unstarted {
            if let Some((watcher, _as_before)) = start(watcher) {
                self.unstarted.push(watcher);
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
            Order::Start(watcher) => self.unstarted.push(*watcher),
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
        bug::on_demand("services");
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
