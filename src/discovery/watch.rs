//! One thread per watch: asks Consul for the healthy instances of a service and
//! tells when they are others than before.
//!
//! Uses blocking queries, so that a change arrives when it happens, with the
//! index rules of Consul's manual ("Blocking Queries"). It compares only in order
//! not to repeat itself: what a change means is for the supervisor to say.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use crossbeam_channel::RecvTimeoutError;
use log::{info, warn};

use super::backoff::Backoff;
use super::consul::{Client, Health};
use super::failure::Failure;
use super::link::Party;
use crate::bug;
use crate::config::WatchSpec;
use crate::inbox::{Inbox, Sender};
use crate::message::{Instance, Message, WatchId};

/// The shortest time from one query to the next.
const SPACING: Duration = Duration::from_millis(20);

/// Consul lets no query wait for longer, whatever it is told (the manual's "Blocking
/// Queries").
const LONGEST_WAIT: Duration = Duration::from_secs(600);

/// The longest pause after an answer with nothing new in it. In a busy catalog
/// Consul wakes the watches of services that did not change.
const LULL: Duration = Duration::from_secs(1);

/// When to ask next, and for what.
#[derive(Debug)]
struct Pace {
    interval: Duration,
    /// Consul's position in the history of the answer; 0 is none.
    index: u64,
    lull: Duration,
    backoff: Backoff,
}

impl Pace {
    fn new(interval: Duration) -> Self {
        Self {
            interval,
            index: 0,
            lull: SPACING,
            backoff: Backoff::new(interval),
        }
    }

    /// The index and the time to wait of the next query, if it may block.
    ///
    /// Consul lengthens the time by up to a sixteenth; with that it is still
    /// within the interval.
    fn blocking(&self) -> Option<(u64, Duration)> {
        (self.index > 0).then(|| (self.index, self.wait()))
    }

    /// For how long a query may wait.
    fn wait(&self) -> Duration {
        (self.interval * 16 / 17).min(LONGEST_WAIT)
    }

    /// How long to pause after an answer that took `took`.
    fn answered(&mut self, took: Duration, index: Option<u64>, is_news: bool) -> Duration {
        self.backoff.reset();
        let before = std::mem::replace(&mut self.index, 0);
        let index = index.unwrap_or(0);
        let is_early = took < self.wait() / 2;
        if index == 0 || (index == before && is_early) {
            // No blocking to be had here: look once in an interval.
            self.index = index;
            return self.interval.saturating_sub(took);
        }
        if index >= before {
            self.index = index;
        }
        self.lull = if is_news || !is_early {
            SPACING
        } else {
            (self.lull * 2).min(LULL).min(self.interval)
        };
        if before == 0 {
            // The first answer says where to begin; now the waiting can start.
            return Duration::ZERO;
        }
        self.lull.saturating_sub(took)
    }

    /// How long to pause after a query without an answer.
    ///
    /// Whoever answers next may have begun to count anew, and would keep a query
    /// with the old index waiting while its catalog changes.
    fn failed(&mut self) -> Duration {
        self.index = 0;
        self.backoff.delay()
    }
}

/// The thread's part of a watch.
pub(super) struct Watcher {
    /// What is watched.
    pub(super) spec: Arc<WatchSpec>,
    /// Whose answers these are.
    pub(super) id: WatchId,
    /// A client of its own, so that it can be stopped alone.
    pub(super) client: Client,
    /// Where outages are told.
    pub(super) party: Party,
    /// Where answers are told.
    pub(super) inbox: Sender<Message>,
    /// Set before the client is interrupted.
    pub(super) is_stopped: Arc<AtomicBool>,
    /// Closed in order to end a pause.
    pub(super) stopped: Inbox<()>,
}

impl Watcher {
    /// Watches until it is stopped, also after a bug in that.
    pub(super) fn run(self) {
        let mut backoff = Backoff::new(self.spec.interval);
        while bug::caught(self.party.name(), || self.watch()).is_none() {
            if self.is_stopped_within(backoff.delay()) {
                return;
            }
        }
    }

    fn watch(&self) {
        let mut pace = Pace::new(self.spec.interval);
        let mut last: Option<Vec<Instance>> = None;
        let mut refused: Option<u16> = None;
        loop {
            let start = Instant::now();
            bug::on_demand("watch");
            let result = self.client.health(&self.spec, pace.blocking());
            if self.is_stopped.load(Ordering::Acquire) {
                return;
            }
            self.client.was_watched(result.is_ok());
            let pause = match result {
                Ok(Health { instances, index }) => {
                    self.accepted(&mut refused);
                    let is_news = last.as_ref() != Some(&instances);
                    if is_news {
                        self.tell(instances.clone());
                        last = Some(instances);
                    }
                    pace.answered(start.elapsed(), index, is_news)
                }
                Err(failure) => {
                    self.complain(&failure, &mut refused);
                    pace.failed()
                }
            };
            if !pause.is_zero() && self.is_stopped_within(pause) {
                return;
            }
        }
    }

    fn is_stopped_within(&self, pause: Duration) -> bool {
        self.stopped.recv_timeout(pause) != Err(RecvTimeoutError::Timeout)
    }

    fn tell(&self, instances: Vec<Instance>) {
        // Without an event loop nobody wants to know.
        let _gone = self.inbox.send(Message::Watched(self.id, instances));
    }

    fn accepted(&self, refused: &mut Option<u16>) {
        self.party.works();
        if refused.take().is_some() {
            info!("consul answers {} again", self.party.name());
        }
    }

    /// Logs a refusal when it begins; an outage is told by all threads together.
    fn complain(&self, failure: &Failure, refused: &mut Option<u16>) {
        match failure {
            Failure::Unreachable(why) => self.party.failed(why),
            Failure::Refused(status, why) => {
                self.party.works();
                if refused.replace(*status) != Some(*status) {
                    let hint = if matches!(status, 401 | 403) {
                        "; does consul.token allow it?"
                    } else {
                        ""
                    };
                    warn!("consul refuses {}: {status} {why}{hint}", self.party.name());
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const INTERVAL: Duration = Duration::from_secs(10);
    const AT_ONCE: Duration = Duration::ZERO;

    /// A pace that has had a first answer with this index.
    fn from_index(index: u64) -> Pace {
        let mut pace = Pace::new(INTERVAL);
        assert_eq!(pace.blocking(), None, "the first query must not block");
        assert_eq!(pace.answered(AT_ONCE, Some(index), true), AT_ONCE);
        pace
    }

    fn index(pace: &Pace) -> Option<u64> {
        pace.blocking().map(|(index, _)| index)
    }

    #[test]
    fn waits_no_longer_than_the_interval_even_with_what_consul_adds() {
        for seconds in [1, 7, 600] {
            let interval = Duration::from_secs(seconds);
            let mut pace = Pace::new(interval);
            pace.answered(AT_ONCE, Some(7), true);
            let (index, wait) = pace.blocking().unwrap_or_default();
            assert_eq!(index, 7);
            assert!(wait + wait / 16 <= interval);
            assert!(wait > interval * 9 / 10);
        }
    }

    #[test]
    fn follows_the_index_and_asks_again_at_once_after_a_change() {
        let mut pace = from_index(7);
        let took = Duration::from_secs(3);
        assert_eq!(pace.answered(took, Some(9), true), AT_ONCE);
        assert_eq!(index(&pace), Some(9));
    }

    #[test]
    fn an_index_that_goes_backwards_starts_anew() {
        let mut pace = from_index(100);
        let took = Duration::from_secs(3);
        assert_eq!(pace.answered(took, Some(5), true), AT_ONCE);
        assert_eq!(index(&pace), None);
        assert_eq!(pace.answered(AT_ONCE, Some(5), false), AT_ONCE);
        assert_eq!(index(&pace), Some(5));
    }

    #[test]
    fn without_a_usable_index_it_looks_once_in_an_interval() {
        for absent in [None, Some(0)] {
            let mut pace = from_index(7);
            let took = Duration::from_secs(4);
            assert_eq!(pace.answered(took, absent, true), Duration::from_secs(6));
            assert_eq!(index(&pace), None);
        }
    }

    #[test]
    fn an_agent_that_does_not_block_is_asked_once_in_an_interval() {
        let mut pace = from_index(7);
        assert_eq!(pace.answered(AT_ONCE, Some(7), false), INTERVAL);
        assert_eq!(index(&pace), Some(7), "it may block next time");
    }

    #[test]
    fn waiting_in_vain_is_no_reason_to_pause() {
        let mut pace = from_index(7);
        assert_eq!(pace.answered(INTERVAL, Some(7), false), AT_ONCE);
    }

    #[test]
    fn an_interval_that_is_longer_than_consul_waits_makes_no_pause() {
        let (hour, longest) = (Duration::from_secs(3600), Duration::from_secs(600));
        let mut pace = Pace::new(hour);
        pace.answered(AT_ONCE, Some(7), true);
        assert_eq!(pace.blocking(), Some((7, longest)));
        assert_eq!(pace.answered(longest, Some(7), false), AT_ONCE);
        assert_eq!(pace.blocking(), Some((7, longest)));
        // One that does not block is asked once in an interval all the same.
        assert_eq!(pace.answered(AT_ONCE, Some(7), false), hour);
    }

    #[test]
    fn changes_in_a_row_are_seen_as_fast_as_it_may_ask() {
        let mut pace = from_index(7);
        for index in 8..100 {
            assert_eq!(pace.answered(AT_ONCE, Some(index), true), SPACING);
        }
    }

    #[test]
    fn being_woken_for_nothing_slows_it_down_until_something_changes() {
        let mut pace = from_index(7);
        let pauses: Vec<_> = (8..16)
            .map(|index| pace.answered(AT_ONCE, Some(index), false).as_millis())
            .collect();
        assert_eq!(pauses, [40, 80, 160, 320, 640, 1000, 1000, 1000]);
        assert_eq!(pace.answered(AT_ONCE, Some(16), true), SPACING);
    }

    #[test]
    fn failures_back_off_up_to_the_interval_and_forget_the_index() {
        let mut pace = from_index(7);
        for _ in 0..10 {
            assert!(pace.failed() <= INTERVAL);
        }
        assert!(pace.failed() >= INTERVAL * 3 / 4);
        assert_eq!(index(&pace), None);
        pace.answered(AT_ONCE, Some(8), true);
        assert!(pace.failed() <= Duration::from_millis(250));
    }
}
