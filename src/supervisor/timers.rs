//! All deadlines of the supervisor in one ordered map.
//!
//! A timer is named by what it is for, so there is at most one of each, setting
//! it again moves it, and cancelling one that is not armed does nothing. Nothing
//! here reads a clock.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Instant;

use super::{JobId, OperationId};

/// What a deadline is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Timer {
    /// The next run of a job with `when.interval` is due.
    Tick(JobId),
    /// The restart of a job that has failed before is due.
    Restart(JobId),
    /// `when.timeout`: no event came that starts the job.
    When(JobId),
    /// The job's run has taken longer than its `timeout`.
    Run(JobId),
    /// The next health check is due.
    CheckTick(JobId),
    /// The health check has taken longer than its `timeout`.
    Check(JobId),
    /// The job's `stopTimeout`: its stop hooks have had their time.
    Hooks(JobId),
    /// The job was told to terminate and has not.
    Kill(JobId),
    /// An operator's request has waited for as long as it may.
    Operation(OperationId),
    /// The next heartbeat of the telemetry service is due.
    TelemetryBeat,
    /// The discovery backend has had its share of the grace time.
    Withdrawal,
    /// The grace time of shutdown is over.
    Shutdown,
    /// What SIGKILL did not end within this time will not end.
    GiveUp,
    /// The watchdog of the machine is to be fed.
    Watchdog,
}

/// The armed timers.
#[derive(Debug, Default)]
#[cfg_attr(test, derive(Clone))]
pub(super) struct Timers {
    armed: BTreeMap<Timer, Instant>,
    order: BTreeSet<(Instant, Timer)>,
}

impl Timers {
    /// Arms `timer`, or moves it.
    pub(super) fn set(&mut self, timer: Timer, at: Instant) {
        self.cancel(timer);
        self.armed.insert(timer, at);
        self.order.insert((at, timer));
    }

    /// Disarms `timer` if it is armed.
    pub(super) fn cancel(&mut self, timer: Timer) {
        if let Some(at) = self.armed.remove(&timer) {
            self.order.remove(&(at, timer));
        }
    }

    /// When the next timer fires.
    pub(super) fn next_deadline(&self) -> Option<Instant> {
        self.order.first().map(|(at, _)| *at)
    }

    /// When `timer` fires, if it is armed.
    pub(super) fn deadline(&self, timer: Timer) -> Option<Instant> {
        self.armed.get(&timer).copied()
    }

    /// Disarms and returns the earliest timer due at `now`, with its deadline.
    pub(super) fn pop_due(&mut self, now: Instant) -> Option<(Instant, Timer)> {
        let first = self.order.first().copied().filter(|(at, _)| *at <= now)?;
        self.cancel(first.1);
        Some(first)
    }

    /// Disarms everything.
    pub(super) fn clear(&mut self) {
        self.armed.clear();
        self.order.clear();
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn timers_fire_in_order_once_and_can_be_moved_and_cancelled() {
        let start = Instant::now();
        let at = |ms| start + Duration::from_millis(ms);
        let mut timers = Timers::default();
        timers.set(Timer::Run(JobId(1)), at(30));
        timers.set(Timer::Tick(JobId(2)), at(10));
        timers.set(Timer::Shutdown, at(20));
        timers.set(Timer::Run(JobId(1)), at(5));
        timers.cancel(Timer::Shutdown);
        timers.cancel(Timer::Shutdown);
        assert_eq!(timers.next_deadline(), Some(at(5)));
        assert_eq!(timers.pop_due(at(4)), None);
        assert_eq!(timers.pop_due(at(50)), Some((at(5), Timer::Run(JobId(1)))));
        assert_eq!(
            timers.pop_due(at(50)),
            Some((at(10), Timer::Tick(JobId(2))))
        );
        assert_eq!(timers.pop_due(at(50)), None);
        assert_eq!(timers.next_deadline(), None);
    }
}
