//! The event loop's side of service discovery, as a test plays it.

use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use containerpilot::config::{ConsulSpec, InitialStatus, ServiceSpec, WatchSpec};
use containerpilot::discovery::{Discovery, RequestCounts, Watch};
use containerpilot::message::{Fact, Instance, WatchId, Wish};
use crossbeam_channel::{Receiver, RecvTimeoutError, unbounded};

use crate::log;
use crate::support::PATIENCE;

/// A [`Discovery`] and the facts that it tells.
pub(crate) struct World {
    pub(crate) discovery: Discovery,
    pub(crate) facts: Facts,
    pub(crate) counts: Arc<RequestCounts>,
}

/// Facts, in the order in which they were told.
pub(crate) struct Facts(Receiver<Fact>);

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
        let (sender, facts) = unbounded();
        let counts = Arc::new(RequestCounts::default());
        let notify = Arc::new(move |fact| sender.send(fact).unwrap_or_default());
        let discovery = Discovery::start(spec, Arc::clone(&counts), notify).unwrap();
        Self {
            discovery,
            facts: Facts(facts),
            counts,
        }
    }

    pub(crate) fn beat(&self, service: &Arc<ServiceSpec>) {
        self.discovery.wish(Wish::Heartbeat(Arc::clone(service)));
    }

    pub(crate) fn register(&self, service: &Arc<ServiceSpec>, status: InitialStatus) {
        self.discovery
            .wish(Wish::Register(Arc::clone(service), status));
    }

    /// Watches `name` as the only watch of the first configuration.
    pub(crate) fn watch(&self, name: &str) -> Watch {
        self.watch_as(&watch(name))
    }

    pub(crate) fn watch_as(&self, spec: &WatchSpec) -> Watch {
        self.discovery
            .watch(WatchId(1), &Arc::new(spec.clone()))
            .unwrap()
    }

    /// How many requests of an operation ended so.
    pub(crate) fn requests(&self, op: &str, result: &str) -> u64 {
        let counts = self.counts.snapshot();
        let found = counts.iter().find(|(o, r, _)| (*o, *r) == (op, result));
        found.map_or(0, |(_, _, count)| *count)
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
    pub(crate) fn next(&self) -> Fact {
        self.0.recv_timeout(PATIENCE).unwrap()
    }

    /// The next answer of a watch.
    #[track_caller]
    pub(crate) fn instances(&self) -> Vec<Instance> {
        loop {
            if let Fact::Watched { instances, .. } = self.next() {
                return instances;
            }
        }
    }

    /// The next answer to a withdrawal: which, and whether it is confirmed.
    #[track_caller]
    pub(crate) fn withdrawn(&self) -> (String, bool) {
        loop {
            if let Fact::Withdrawn {
                service,
                is_confirmed,
            } = self.next()
            {
                return (service, is_confirmed);
            }
        }
    }

    /// The next change of whether Consul can be reached.
    #[track_caller]
    pub(crate) fn reachable(&self) -> Result<(), String> {
        loop {
            if let Fact::Reachable(result) = self.next() {
                return result;
            }
        }
    }

    /// What was told and not read yet.
    pub(crate) fn rest(&self) -> Vec<Fact> {
        self.0.try_iter().collect()
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
