//! What comes between the runs of a job: nothing, or a wait that grows while it
//! fails (SPEC §15).

use std::time::{Duration, Instant};

use log::Level;

use super::{Job, State};
use crate::config::{Restarts, Start};
use crate::message::ExecId;
use crate::supervisor::effects::{Effects, Phase};
use crate::supervisor::timers::Timer;

/// A restart that is owed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Owed {
    /// When the run ended that it follows.
    since: Instant,
    /// What the jitter of the wait is made from.
    exec: ExecId,
}

impl Job {
    /// What follows a run: another one, now or later, a pause, or completion.
    pub(super) fn after_run(&mut self, success: bool, ended: ExecId, fx: &mut Effects) {
        let owed = Owed {
            since: fx.now,
            exec: ended,
        };
        let wait = if success {
            Duration::ZERO
        } else {
            self.wait(owed)
        };
        if wait.is_zero() || !self.is_restart_due(fx) {
            self.rest(fx);
            return;
        }
        self.enter(State::BackingOff(owed), fx);
        fx.set_timer(Timer::Restart(self.id), wait);
        if self.row.is_said() {
            let text = format!("waits {wait:.1?} before it starts again");
            fx.log(Level::Info, Some(&self.label), text);
        }
    }

    /// The wait before a restart is over.
    pub(in crate::supervisor) fn on_restart(&mut self, fx: &mut Effects) {
        if matches!(self.state, State::BackingOff(_)) {
            self.rest(fx);
        }
    }

    /// Nothing is restarted any more: a job that waits for it does so no longer.
    pub(in crate::supervisor) fn give_up_restart(&mut self, fx: &mut Effects) {
        fx.timers.cancel(Timer::Restart(self.id));
        self.on_restart(fx);
    }

    /// Another wait holds from now on; what has passed of it counts.
    pub(super) fn rearm_restart(&mut self, fx: &mut Effects) {
        if let State::BackingOff(owed) = self.state {
            match owed.since.checked_add(self.wait(owed)) {
                Some(at) => fx.timers.set(Timer::Restart(self.id), at),
                None => fx.timers.cancel(Timer::Restart(self.id)),
            }
        }
    }

    /// Between two runs: a restart follows now, or what an event asked for, or
    /// nothing yet, or nothing ever.
    fn rest(&mut self, fx: &mut Effects) {
        self.enter(State::Idle, fx);
        if self.is_due_again(fx) {
            self.start(true, fx);
        } else if self.is_owed_a_run(fx) {
            self.start(false, fx);
        } else if self.has_starts_left() {
            fx.came_to_rest = true;
        } else {
            self.complete_for_good(fx);
        }
    }

    /// Whether a restart follows at once.
    pub(super) fn is_due_again(&mut self, fx: &Effects) -> bool {
        let due = match self.spec.when.start {
            Start::Every(_) => std::mem::take(&mut self.owed) > 0 && self.may_restart(),
            Start::All(_) | Start::Any(_) => self.is_restart_due(fx),
        };
        self.restarts_used += u64::from(due);
        due
    }

    /// Whether a restart follows the end of a run, now or after a wait. Runs of a
    /// clock follow its beat and nothing else.
    fn is_restart_due(&self, fx: &Effects) -> bool {
        let clock = matches!(self.spec.when.start, Start::Every(_));
        !clock && fx.phase == Phase::Running && self.may_restart()
    }

    /// Whether an event that came during the run asks for another.
    fn is_owed_a_run(&mut self, fx: &Effects) -> bool {
        let owed = self.owed > 0 && self.may_start(fx);
        self.owed -= u64::from(owed);
        owed
    }

    /// Whether an event or a tick can still start a run.
    fn has_starts_left(&self) -> bool {
        match self.spec.when.start {
            Start::Every(_) => self.may_restart(),
            Start::All(_) | Start::Any(_) => self.awaited().next().is_some(),
        }
    }

    fn may_restart(&self) -> bool {
        match self.spec.restarts {
            Restarts::Unlimited => true,
            Restarts::Limited(limit) => self.restarts_used < limit,
        }
    }

    /// How long a restart waits after the failures so far.
    fn wait(&self, owed: Owed) -> Duration {
        let backoff = self.spec.backoff.as_ref();
        let wait = backoff.map_or(Duration::ZERO, |backoff| backoff.wait(self.row.failures()));
        with_jitter(wait, owed.exec)
    }

    /// Whether a run that took so long is none of a row of failures.
    pub(super) fn lasted(&self, took: Duration) -> bool {
        took >= self.spec.backoff.unwrap_or_default().reset
    }

    /// Takes note of how a run ended that took so long.
    pub(super) fn note_end(&mut self, success: bool, took: Duration, fx: &mut Effects) {
        if success {
            self.end_row(fx);
        } else {
            self.row.failed(self.lasted(took));
        }
    }
}

/// A wait that is up to a tenth shorter or longer, so that jobs that failed
/// together are not restarted together. The same run always waits as long.
fn with_jitter(wait: Duration, exec: ExecId) -> Duration {
    // The finalizer of SplitMix64: every id gives another number.
    let mut hash = exec.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
    hash = (hash ^ (hash >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    hash = (hash ^ (hash >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    let permille = 900 + (hash ^ (hash >> 31)) % 201;
    let nanoseconds = wait.as_nanos() * u128::from(permille) / 1000;
    u64::try_from(nanoseconds).map_or(wait, Duration::from_nanos)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn jitter_is_at_most_a_tenth_and_spreads() {
        let waits = (0..1000).map(|id| with_jitter(Duration::from_secs(1), ExecId(id)).as_millis());
        let waits: std::collections::BTreeSet<u128> = waits.collect();
        assert!(waits.first() >= Some(&900) && waits.last() <= Some(&1100));
        assert!(waits.len() > 150, "{}", waits.len());
        assert_eq!(with_jitter(Duration::MAX, ExecId(1)), Duration::MAX);
        assert_eq!(with_jitter(Duration::ZERO, ExecId(1)), Duration::ZERO);
    }
}
