//! Counts of the requests to Consul, for the metrics and the status page.
//!
//! The discovery threads count; telemetry reads. The counts outlive a reload, so
//! they are owned by whoever starts [`Discovery`](super::Discovery).

use std::sync::atomic::{AtomicUsize, Ordering};

/// What a request was for; the label `op`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Op {
    /// Registering a service.
    Register,
    /// Removing a service.
    Deregister,
    /// Updating the check of a service.
    Heartbeat,
    /// Looking whether a service is registered as it should be.
    Verify,
    /// Asking for the instances of a watched service.
    Watch,
}

/// How a request ended; the label `result`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// With the answer that was hoped for.
    Ok,
    /// Consul knows no such service, or another one of the same id.
    Missing,
    /// With an HTTP status that says no.
    Refused,
    /// Without a usable answer.
    Failed,
}

const OPS: [(Op, &str); 5] = [
    (Op::Register, "register"),
    (Op::Deregister, "deregister"),
    (Op::Heartbeat, "heartbeat"),
    (Op::Verify, "verify"),
    (Op::Watch, "watch"),
];

const ENDINGS: [(Ending, &str); 4] = [
    (Ending::Ok, "ok"),
    (Ending::Missing, "missing"),
    (Ending::Refused, "refused"),
    (Ending::Failed, "failed"),
];

/// One counter for each operation and ending.
#[derive(Debug, Default)]
pub struct RequestCounts([[AtomicUsize; ENDINGS.len()]; OPS.len()]);

impl RequestCounts {
    pub(super) fn count(&self, op: Op, ending: Ending) {
        if let Some(counter) = self
            .0
            .get(op as usize)
            .and_then(|row| row.get(ending as usize))
        {
            counter.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Every (op, result, count) with a count, in a fixed order.
    pub fn snapshot(&self) -> Vec<(&'static str, &'static str, u64)> {
        let rows = OPS.iter().zip(&self.0);
        rows.flat_map(|((_, op), row)| {
            let cells = ENDINGS.iter().zip(row);
            cells.map(|((_, ending), count)| (*op, *ending, count.load(Ordering::Relaxed) as u64))
        })
        .filter(|(_, _, count)| *count > 0)
        .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_pair_has_a_counter_of_its_own_and_its_own_words() {
        let counts = RequestCounts::default();
        for (times, (op, _)) in OPS.iter().enumerate() {
            for (more, (ending, _)) in ENDINGS.iter().enumerate() {
                for _ in 0..=(10 * times + more) {
                    counts.count(*op, *ending);
                }
            }
        }
        let expected: Vec<_> = OPS
            .iter()
            .enumerate()
            .flat_map(|(times, (_, op))| {
                let row = ENDINGS.iter().enumerate();
                row.map(move |(more, (_, ending))| (*op, *ending, (10 * times + more + 1) as u64))
            })
            .collect();
        assert_eq!(counts.snapshot(), expected);
    }

    #[test]
    fn what_never_happened_is_not_listed() {
        let counts = RequestCounts::default();
        counts.count(Op::Watch, Ending::Failed);
        assert_eq!(counts.snapshot(), [("watch", "failed", 1)]);
    }
}
