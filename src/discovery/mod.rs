//! Service discovery with Consul: services that are registered as they are, and
//! watches that see a change when it happens (SPEC §9, §10).
//!
//! The event loop says what it wants and goes on; nothing here makes it wait.
//! For each service there is a wanted state and a known one, and a thread that
//! brings the second to the first, however often that takes. Each watch has a
//! thread of its own. What they find out is told to the event loop.
//!
//! Stopping never waits either: a request that is under way is interrupted, and
//! its thread ends on its own.

mod backoff;
mod consul;
mod failure;
#[cfg(any(test, fuzzing))]
pub mod fuzzing;
mod link;
mod reconcile;
mod resolve;
#[cfg(feature = "tls")]
mod secure;
mod services;
mod watch;
mod wire;

use std::fmt;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::Builder;
use std::time::{Duration, Instant};

use log::warn;
use ureq::Agent;

use self::consul::Client;
use self::link::Link;
use self::services::{Order, Services};
use self::watch::Watcher;
use crate::config::{ConsulSpec, WatchSpec};
use crate::inbox::{Sender, inbox as channel};
use crate::message::{Message, WatchId, Wish};
use crate::sorted::SortedMap;
use crate::telemetry::metrics::ConsulRequests;

/// Room for a name lookup through the C library and a TLS handshake.
const STACK: usize = 256 * 1024;

/// How long the withdrawals of a predecessor go before our own requests.
const PRECEDENCE: Duration = Duration::from_secs(1);

/// The event loop's handle to everything that talks to one Consul.
///
/// Dropping it ends its threads without waiting for them, and leaves registered
/// what is registered; see [`give_way`](Self::give_way).
pub struct Discovery {
    spec: ConsulSpec,
    requests: ConsulRequests,
    inbox: Sender<Message>,
    link: Arc<Link>,
    orders: Sender<Order>,
    services: Stop,
    watches: SortedMap<WatchId, Watch>,
}

impl fmt::Debug for Discovery {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Discovery")
            .field("spec", &self.spec)
            .finish_non_exhaustive()
    }
}

impl Discovery {
    /// Starts the thread that looks after the services; it connects when there
    /// is something to ask. Facts go to `inbox`.
    ///
    /// # Errors
    /// No thread to be had.
    pub fn start(
        spec: &ConsulSpec,
        requests: &ConsulRequests,
        inbox: &Sender<Message>,
    ) -> io::Result<Self> {
        let client = Client::new(spec, requests.clone());
        let link = Link::new(&spec.address, inbox.clone());
        let (orders, new_orders) = channel();
        let services = Stop::of(&client);
        let thread = Services {
            client,
            party: link.join("the services".to_owned()),
            loop_inbox: inbox.clone(),
            inbox: new_orders,
            is_stopped: Arc::clone(&services.is_stopped),
            busy: None,
            open: None,
            resume_at: None,
            unstarted: Vec::new(),
        };
        spawn("consul", move || thread.run())?;
        Ok(Self {
            spec: spec.clone(),
            requests: requests.clone(),
            inbox: inbox.clone(),
            link,
            orders,
            services,
            watches: SortedMap::new(),
        })
    }

    /// Brings the catalog to what is wanted. [`Message::Withdrawn`] answers a
    /// withdrawal, unless another wish for the same service comes first.
    pub fn wish(&self, wish: Wish) {
        self.order(Order::Wish(wish));
    }

    fn order(&self, order: Order) {
        // A thread that has ended has said so.
        let _ended = self.orders.send(order);
    }

    /// Observes a service; [`Message::Watched`] answers whenever it changes.
    pub fn watch(&mut self, id: WatchId, spec: Arc<WatchSpec>) {
        let (watcher, watch) = self.watcher(id, spec);
        self.watches.insert(id, watch);
        if let Some((watcher, cause)) = start(watcher) {
            warn!(
                "cannot start a thread for {}, trying again: {cause}",
                watcher.party.name()
            );
            self.order(Order::Start(Box::new(watcher)));
        }
    }

    fn watcher(&self, id: WatchId, spec: Arc<WatchSpec>) -> (Watcher, Watch) {
        let name = format!("watch \"{}\"", spec.name);
        let client = Client::new(&self.spec, self.requests.clone());
        let (open, stopped) = channel();
        let stop = Stop::of(&client);
        let watcher = Watcher {
            spec,
            id,
            client,
            party: self.link.join(name),
            inbox: self.inbox.clone(),
            is_stopped: Arc::clone(&stop.is_stopped),
            stopped,
        };
        let watch = Watch {
            _stop: stop,
            _open: open,
        };
        (watcher, watch)
    }

    /// Observes it no longer.
    pub fn unwatch(&mut self, id: WatchId) {
        self.watches.remove(&id);
    }

    /// Makes way for a successor, for a reload that moves to another Consul:
    /// withdraws every service and ends when that is done, or after `within` at
    /// the latest. A successor at the same address takes over what is registered;
    /// one at another waits a moment for the withdrawals, because that may be
    /// the same agent by another name.
    pub fn give_way(mut self, successor: Option<&Self>, within: Duration) {
        let end = Instant::now() + within;
        let is_same = |other: &Self| other.spec.address == self.spec.address;
        match successor {
            Some(successor) if is_same(successor) => self.order(Order::HandOver(end)),
            Some(successor) => {
                let (busy, done) = channel();
                successor.order(Order::Await(done, Instant::now() + PRECEDENCE));
                self.order(Order::Retire(end, Some(busy)));
            }
            None => self.order(Order::Retire(end, None)),
        }
        self.services.agent = None;
    }
}

/// A running watch; dropping it ends it without waiting. The request first, then
/// the pause: the thread is in one of them.
struct Watch {
    _stop: Stop,
    _open: Sender<()>,
}

/// Ends a thread that may be in the middle of a request.
struct Stop {
    is_stopped: Arc<AtomicBool>,
    agent: Option<Agent>,
}

impl Stop {
    fn of(client: &Client) -> Self {
        Self {
            is_stopped: Arc::default(),
            agent: Some(client.interrupter()),
        }
    }
}

impl Drop for Stop {
    fn drop(&mut self) {
        if let Some(agent) = self.agent.take() {
            // In this order, so that the thread knows why its request failed.
            self.is_stopped.store(true, Ordering::Release);
            agent.shutdown();
        }
    }
}

/// Starts the thread of a watch, or gives it back if there is none to be had.
fn start(watcher: Watcher) -> Option<(Watcher, io::Error)> {
    let (giver, taker) = channel();
    let thread = format!("watch {}", watcher.spec.name);
    let run = move || {
        // Dropped if the kernel refuses the thread.
        let watcher = taker.recv();
        watcher.into_iter().for_each(Watcher::run);
    };
    match spawn(&thread, run) {
        Ok(()) => {
            // It waits for this.
            let _taken = giver.send(watcher);
            None
        }
        Err(cause) => Some((watcher, cause)),
    }
}

fn spawn(thread: &str, run: impl FnOnce() + Send + 'static) -> io::Result<()> {
    let builder = Builder::new().name(thread.to_owned()).stack_size(STACK);
    builder.spawn(run).map(drop)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn a_watch_that_was_refused_a_thread_begins_when_there_is_one() {
        let (inbox, told) = channel();
        let nobody = ConsulSpec {
            address: "127.0.0.1:1".to_owned(),
            tls: None,
            token: None,
        };
        let discovery = Discovery::start(&nobody, &ConsulRequests::default(), &inbox).unwrap();
        let spec = WatchSpec {
            name: "upstream".into(),
            interval: Duration::from_secs(1),
            tag: None,
            datacenter: None,
        };
        let spec = Arc::new(spec);
        // One that is no longer wanted meanwhile is not started.
        for is_wanted in [false, true] {
            let (watcher, watch) = discovery.watcher(WatchId(1), Arc::clone(&spec));
            let watch = is_wanted.then_some(watch);
            discovery.order(Order::Start(Box::new(watcher)));
            let patience = Duration::from_secs(if is_wanted { 30 } else { 0 });
            let answer = told.recv_timeout(patience).ok();
            let has_asked = matches!(answer, Some(Message::Reachable(Err(_))));
            assert_eq!(has_asked, is_wanted, "{answer:?}");
            drop(watch);
        }
    }
}
