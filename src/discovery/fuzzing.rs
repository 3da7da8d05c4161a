//! What the fuzz targets (`tests/fuzz`) need to see of this module besides its
//! interface. Compiled for them, and with the tests, so that it keeps up. In those
//! targets, the client's connections lead to nobody: what is answered on them is
//! given beforehand.
#![cfg_attr(
    not(fuzzing),
    allow(dead_code, reason = "only targets are without a network")
)]

use std::cell::RefCell;
use std::sync::Arc;
use std::time::Duration;

use ureq::Error;
use ureq::unversioned::transport::{
    Buffers, ConnectionDetails, Connector, LazyBuffers, NextTimeout, Transport,
};

use super::consul::Client;
use super::reconcile::{Call, Outcome};
use crate::config::{ConsulSpec, InitialStatus, ServiceSpec, WatchSpec};
use crate::telemetry::metrics::ConsulRequests;

/// The client for one Consul.
pub struct Asker(Client);

/// What an exchange came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// A watch found so many instances at this index.
    Instances(usize, Option<u64>),
    /// A service is as it should be, or there is something to do.
    Service,
    /// Consul said no, with this status and these words.
    Refused(u16, String),
    /// It was no answer.
    Nonsense(String),
}

impl Asker {
    /// A client for the agent at `host:port`.
    pub fn new(address: &str) -> Self {
        let spec = ConsulSpec {
            address: address.to_owned(),
            tls: None,
            token: Some("secret".to_owned()),
        };
        Self(Client::new(&spec, ConsulRequests::default()))
    }

    /// Makes the exchange of this number with who answers so on every connection.
    pub fn ask(&self, number: u8, answer: &[u8]) -> Answer {
        ANSWER.set(answer.to_vec());
        if number.is_multiple_of(2) {
            return self.watch(number);
        }
        let spec = Arc::new(service());
        let call = match number % 8 {
            1 => Call::Register(spec, InitialStatus::Passing),
            3 => Call::Verify(spec),
            5 => Call::Heartbeat(spec),
            _ => Call::Deregister(spec.id.clone()),
        };
        match self.0.perform(&call) {
            (Outcome::Refused(status, text), _) => Answer::Refused(status, text),
            (Outcome::Unreachable, why) => Answer::Nonsense(why.unwrap_or_default()),
            (Outcome::Done | Outcome::Differs | Outcome::Unknown, _) => Answer::Service,
        }
    }

    fn watch(&self, number: u8) -> Answer {
        let watch = WatchSpec {
            name: "db".into(),
            interval: Duration::from_secs(1),
            tag: None,
            datacenter: None,
        };
        let blocking = number.is_multiple_of(4);
        let blocking = blocking.then_some((7, Duration::from_secs(1)));
        match self.0.health(&watch, blocking) {
            Ok(health) => Answer::Instances(health.instances.len(), health.index),
            Err(super::failure::Failure::Refused(status, text)) => Answer::Refused(status, text),
            Err(super::failure::Failure::Unreachable(why)) => Answer::Nonsense(why),
        }
    }
}

fn service() -> ServiceSpec {
    ServiceSpec {
        id: "app-host".to_owned(),
        name: "app".into(),
        address: [10, 0, 0, 1].into(),
        port: 80,
        tags: vec!["a".to_owned()],
        ttl: Duration::from_secs(15),
        initial_status: None,
        enable_tag_override: false,
        deregister_critical_after: None,
    }
}

thread_local! {
    static ANSWER: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

/// Connects to whoever gives the canned answer.
#[derive(Debug, Default)]
pub(super) struct Canned;

impl<In: Transport> Connector<In> for Canned {
    type Out = Connection;

    fn connect(
        &self,
        details: &ConnectionDetails<'_>,
        _chained: Option<In>,
    ) -> Result<Option<Connection>, Error> {
        let (input, output) = (
            details.config.input_buffer_size(),
            details.config.output_buffer_size(),
        );
        Ok(Some(Connection {
            buffers: LazyBuffers::new(input, output),
            answer: ANSWER.with_borrow(Vec::clone),
            given: 0,
        }))
    }
}

/// Takes whatever is said, and answers until it has said everything.
#[derive(Debug)]
pub(super) struct Connection {
    buffers: LazyBuffers,
    answer: Vec<u8>,
    given: usize,
}

impl Transport for Connection {
    fn buffers(&mut self) -> &mut dyn Buffers {
        &mut self.buffers
    }

    fn transmit_output(&mut self, _amount: usize, _timeout: NextTimeout) -> Result<(), Error> {
        Ok(())
    }

    fn await_input(&mut self, _timeout: NextTimeout) -> Result<bool, Error> {
        let rest = self.answer.get(self.given..).unwrap_or_default();
        let room = self.buffers.input_append_buf();
        let count = rest.len().min(room.len());
        if let (Some(room), Some(part)) = (room.get_mut(..count), rest.get(..count)) {
            room.copy_from_slice(part);
        }
        self.buffers.input_appended(count);
        self.given += count;
        Ok(count > 0)
    }

    fn is_open(&mut self) -> bool {
        self.given < self.answer.len()
    }
}
