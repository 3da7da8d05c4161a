//! Requests to Consul, counted where they are made.
//!
//! Like the answers of the control plane, they do not go through the event loop:
//! they would wake it for nothing but counting.

use std::sync::{Arc, Mutex, PoisonError};

use super::results::Results;

/// What was asked of Consul.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConsulOp {
    /// To register a service.
    Register,
    /// To remove a service.
    Deregister,
    /// To tell how a service is registered.
    Verify,
    /// To take the result of a health check.
    Heartbeat,
    /// To tell the instances of a watched service.
    Watch,
}

impl ConsulOp {
    /// Every operation and its name in metrics, in the order of the type.
    pub(in super::super) const NAMES: [(Self, &'static str); 5] = [
        (Self::Register, "register"),
        (Self::Deregister, "deregister"),
        (Self::Verify, "verify"),
        (Self::Heartbeat, "heartbeat"),
        (Self::Watch, "watch"),
    ];
}

/// Counts by operation and result; clones share them.
#[derive(Clone, Debug, Default)]
pub struct ConsulRequests(Arc<Mutex<Counts>>);

pub(in super::super) type Counts = [Results; ConsulOp::NAMES.len()];

impl ConsulRequests {
    /// Consul answered as wished, or not, or not at all.
    pub fn answered(&self, op: ConsulOp, succeeded: bool) {
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(results) = counts.get_mut(op as usize) {
            results.count(succeeded);
        }
    }

    /// How many requests of an operation have ended so.
    pub fn ended(&self, op: ConsulOp, succeeded: bool) -> u64 {
        let counts = self.counts();
        let results = counts.get(op as usize);
        results.map_or(0, |results| match succeeded {
            true => results.success,
            false => results.failure,
        })
    }

    /// The counts now, in the order of [`ConsulOp::NAMES`].
    pub(in super::super) fn counts(&self) -> Counts {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl PartialEq for ConsulRequests {
    fn eq(&self, other: &Self) -> bool {
        self.counts() == other.counts()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_operation_and_result_is_counted_apart() {
        let requests = ConsulRequests::default();
        for (times, (op, _)) in ConsulOp::NAMES.iter().enumerate() {
            for _ in 0..=times {
                requests.clone().answered(*op, true);
            }
            requests.answered(*op, false);
        }
        for (times, (op, name)) in ConsulOp::NAMES.iter().enumerate() {
            assert_eq!(requests.ended(*op, true), times as u64 + 1, "{name}");
            assert_eq!(requests.ended(*op, false), 1, "{name}");
        }
    }
}
