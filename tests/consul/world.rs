//! The event loop's side of service discovery, as a test plays it.

use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use containerpilot::config::{ConsulSpec, InitialStatus, ServiceSpec, WatchSpec};
use containerpilot::discovery::Discovery;
use containerpilot::inbox::{Inbox, inbox};
use containerpilot::message::{Instance, Message, WatchId, Wish};
use containerpilot::telemetry::metrics::{ConsulOp, ConsulRequests};
use crossbeam_channel::RecvTimeoutError;

use crate::log;
use crate::support::PATIENCE;

/// A [`Discovery`] and the facts that it tells.
pub(crate) struct World {
    pub(crate) discovery: Discovery,
    pub(crate) facts: Facts,
    requests: ConsulRequests,
    last_watch: u64,
}

/// Facts, in the order in which they were told.
pub(crate) struct Facts(Inbox<Message>);

/// Plain HTTP to an agent, without a token.
pub(crate) fn plain(address: &str) -> ConsulSpec {
    ConsulSpec {
        address: address.to_owned(),
        tls: None,
        token: None,
    }
}

impl World {
    /// Talks to the agent at `host:port`.
    pub(crate) fn at(address: &str) -> Self {
        Self::with(&plain(address))
    }

    pub(crate) fn with(spec: &ConsulSpec) -> Self {
        log::collect();
        let (inbox, facts) = self::inbox();
        let requests = ConsulRequests::default();
        Self {
            discovery: Discovery::start(spec, &requests, &inbox).unwrap(),
            facts: Facts(facts),
            requests,
            last_watch: 0,
        }
    }

    pub(crate) fn beat(&self, service: &Arc<ServiceSpec>) {
        self.discovery.wish(Wish::Heartbeat(Arc::clone(service)));
    }

    pub(crate) fn register(&self, service: &Arc<ServiceSpec>, status: InitialStatus) {
        let wish = Wish::Register(Arc::clone(service), status);
        self.discovery.wish(wish);
    }

    pub(crate) fn withdraw(&self, service: &ServiceSpec) {
        self.discovery.wish(Wish::Withdraw(service.id.clone()));
    }

    pub(crate) fn watch(&mut self, name: &str) -> WatchId {
        self.watch_as(&watch(name))
    }

    pub(crate) fn watch_as(&mut self, spec: &WatchSpec) -> WatchId {
        self.last_watch += 1;
        let id = WatchId(self.last_watch);
        self.discovery.watch(id, Arc::new(spec.clone()));
        id
    }

    /// How many requests of an operation succeeded.
    pub(crate) fn succeeded(&self, op: ConsulOp) -> u64 {
        self.requests.ended(op, true)
    }

    /// Ends everything and waits until no thread of it is left.
    #[track_caller]
    pub(crate) fn end(self) -> Duration {
        let start = Instant::now();
        drop(self.discovery);
        self.facts.wait_for_end();
        start.elapsed()
    }
}

impl Facts {
    #[track_caller]
    fn next(&self) -> Message {
        self.0.recv_timeout(PATIENCE).unwrap()
    }

    /// The next answer of a watch.
    #[track_caller]
    pub(crate) fn watched(&self) -> (WatchId, Vec<Instance>) {
        loop {
            if let Message::Watched(id, instances) = self.next() {
                return (id, instances);
            }
        }
    }

    /// The instances in the next answer of a watch.
    #[track_caller]
    pub(crate) fn instances(&self) -> Vec<Instance> {
        self.watched().1
    }

    /// The next answer to a withdrawal: which, and whether it is confirmed.
    #[track_caller]
    pub(crate) fn withdrawn(&self) -> (String, bool) {
        loop {
            if let Message::Withdrawn(service, is_confirmed) = self.next() {
                return (service, is_confirmed);
            }
        }
    }

    /// The next change of whether Consul can be reached.
    #[track_caller]
    pub(crate) fn reachable(&self) -> Result<(), String> {
        loop {
            if let Message::Reachable(result) = self.next() {
                return result;
            }
        }
    }

    /// Fails if anything was told that was not read yet.
    #[track_caller]
    pub(crate) fn assert_no_more(&self) {
        let more: Vec<_> = std::iter::from_fn(|| self.0.try_recv().ok()).collect();
        assert!(more.is_empty(), "{more:#?}");
    }

    /// Waits until nobody is left who could tell anything.
    #[track_caller]
    pub(crate) fn wait_for_end(&self) {
        let deadline = Instant::now() + PATIENCE;
        loop {
            match self.0.recv_deadline(deadline) {
                Ok(_) => {}
                Err(RecvTimeoutError::Disconnected) => return,
                Err(RecvTimeoutError::Timeout) => panic!("a thread is left"),
            }
        }
    }
}

/// A service `NAME-host` at 127.0.0.1:80 with a TTL of 30 s.
pub(crate) fn service(name: &str) -> ServiceSpec {
    ServiceSpec {
        id: format!("{name}-host"),
        name: name.into(),
        address: Ipv4Addr::LOCALHOST.into(),
        port: 80,
        tags: Vec::new(),
        ttl: Duration::from_secs(30),
        initial_status: None,
        enable_tag_override: false,
        deregister_critical_after: None,
    }
}

/// A watch that looks at least every 30 s.
pub(crate) fn watch(name: &str) -> WatchSpec {
    WatchSpec {
        name: name.into(),
        interval: Duration::from_secs(30),
        tag: None,
        datacenter: None,
    }
}

/// An instance at 127.0.0.1.
pub(crate) fn instance(id: &str, port: u16) -> Instance {
    Instance {
        id: id.to_owned(),
        address: Ipv4Addr::LOCALHOST.to_string(),
        port,
    }
}
