//! Service discovery with Consul: services that are registered as they are, and
//! watches that see a change when it happens (SPEC §9, §10).
//!
//! The event loop says what it wants and goes on; nothing here makes it wait.
//! For each service there is a wanted state and a known one, and a thread that
//! brings the second to the first, however often that takes. Each watch has a
//! thread of its own. What they find out comes back as [`Fact`]s.
//!
//! Stopping never waits either: a request that is under way is interrupted, and
//! its thread ends on its own.

mod backoff;
mod consul;
mod link;
mod reconcile;
mod requests;
mod resolve;
#[cfg(feature = "tls")]
mod secure;
mod services;
mod watch;
mod wire;

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::Builder;
use std::time::{Duration, Instant};

use crossbeam_channel::{Sender, bounded, unbounded};
use ureq::Agent;

use self::consul::Client;
use self::link::Link;
pub use self::requests::{Ending, Op, RequestCounts};
use self::services::{Order, Services};
use self::watch::Watcher;
use crate::config::{ConsulSpec, WatchSpec};
use crate::message::{Fact, WatchId, Wish};

/// Room for a name lookup through the C library and a TLS handshake.
const STACK: usize = 256 * 1024;

/// Where facts go; called by the discovery threads, and must not block.
pub type Notify = Arc<dyn Fn(Fact) + Send + Sync>;

/// The event loop's handle to everything that talks to one Consul.
///
/// Dropping it ends its threads without waiting for them, and leaves registered
/// what is registered; see [`retire`](Self::retire).
pub struct Discovery {
    spec: ConsulSpec,
    counts: Arc<RequestCounts>,
    notify: Notify,
    link: Arc<Link>,
    orders: Sender<Order>,
    services: Stop,
}

impl Discovery {
    /// Starts the thread that looks after the services.
    ///
    /// # Errors
    /// No thread to be had.
    pub fn start(
        spec: &ConsulSpec,
        counts: Arc<RequestCounts>,
        notify: Notify,
    ) -> io::Result<Self> {
        let client = Client::new(spec, Arc::clone(&counts));
        let link = Link::new(&spec.address, Arc::clone(&notify));
        let (orders, inbox) = unbounded();
        let services = Stop::of(&client);
        let thread = Services {
            client,
            party: link.join("the services".to_owned()),
            notify: Arc::clone(&notify),
            inbox,
            is_stopped: Arc::clone(&services.is_stopped),
        };
        spawn("consul", "consul", &notify, move || thread.run())?;
        Ok(Self {
            spec: spec.clone(),
            counts,
            notify,
            link,
            orders,
            services,
        })
    }

    /// Moves the catalog towards a wish, however often it takes. Never waits.
    pub fn wish(&self, wish: Wish) {
        self.order(Order::Wish(wish));
    }

    fn order(&self, order: Order) {
        // A thread that has ended has said so (`Fact::Ended`).
        let _ended = self.orders.send(order);
    }

    /// Withdraws every service and ends when that is done, or after `within` at
    /// the latest. For a reload that moves to another Consul.
    pub fn retire(mut self, within: Duration) {
        self.order(Order::Retire(Instant::now() + within));
        self.services.agent = None;
    }

    /// Watches a service until the returned handle is dropped. Answers carry the
    /// id, so that those of a watch that has ended can be told apart.
    ///
    /// # Errors
    /// No thread to be had.
    pub fn watch(&self, id: WatchId, spec: &Arc<WatchSpec>) -> io::Result<Watch> {
        let client = Client::new(&self.spec, Arc::clone(&self.counts));
        let (open, stopped) = bounded(0);
        let stop = Stop::of(&client);
        let watcher = Watcher {
            spec: Arc::clone(spec),
            id,
            client,
            party: self.link.join(format!("watch \"{}\"", spec.name)),
            notify: Arc::clone(&self.notify),
            is_stopped: Arc::clone(&stop.is_stopped),
            stopped,
        };
        spawn(
            &format!("watch {}", spec.name),
            "watch",
            &self.notify,
            move || watcher.run(),
        )?;
        Ok(Watch {
            _stop: stop,
            _open: open,
        })
    }
}

/// A running watch; dropping it ends it without waiting.
pub struct Watch {
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

/// Tells if a thread ends by a panic, which nobody asked for.
struct Guard {
    name: &'static str,
    notify: Notify,
}

impl Drop for Guard {
    fn drop(&mut self) {
        if std::thread::panicking() {
            (self.notify)(Fact::Ended(self.name));
        }
    }
}

fn spawn(
    thread: &str,
    name: &'static str,
    notify: &Notify,
    run: impl FnOnce() + Send + 'static,
) -> io::Result<()> {
    let guard = Guard {
        name,
        notify: Arc::clone(notify),
    };
    Builder::new()
        .name(thread.to_owned())
        .stack_size(STACK)
        .spawn(move || {
            let _guard = guard;
            run();
        })
        .map(drop)
}
