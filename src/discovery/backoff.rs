//! How long to wait before something that failed is tried again.
//!
//! Pure: no clock and no sleeping; the callers add the delay to their own now.

use std::hash::{BuildHasher, Hasher, RandomState};
use std::time::Duration;

/// The delay after the first failure.
const FIRST: Duration = Duration::from_millis(250);

/// The longest delay, so that recovery is noticed this soon after it happened
/// even if nobody asks for anything meanwhile.
pub(super) const CAP: Duration = Duration::from_secs(15);

/// A row of delays that double up to a cap, each shortened by up to a quarter at
/// random, so that many machines do not return to a recovering agent together.
#[derive(Debug)]
pub(super) struct Backoff {
    cap: Duration,
    next: Duration,
    random: u64,
}

impl Backoff {
    /// A row that never waits longer than `cap` nor than [`CAP`].
    pub(super) fn new(cap: Duration) -> Self {
        Self::seeded(cap, RandomState::new().build_hasher().finish())
    }

    fn seeded(cap: Duration, seed: u64) -> Self {
        let cap = cap.min(CAP);
        Self {
            cap,
            next: FIRST.min(cap),
            // Zero is the one state that xorshift cannot leave.
            random: seed | 1,
        }
    }

    /// The delay that follows one more failure.
    pub(super) fn delay(&mut self) -> Duration {
        let whole = self.next;
        self.next = (whole * 2).min(self.cap);
        whole - whole / 4 * self.random_below(1000) / 1000
    }

    /// Starts the row again; called after a success.
    pub(super) fn reset(&mut self) {
        self.next = FIRST.min(self.cap);
    }

    /// A number below `bound`, from Marsaglia's xorshift64.
    fn random_below(&mut self, bound: u32) -> u32 {
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        let high = (self.random >> 32) as u32;
        high % bound
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn delays_double_up_to_the_cap_and_lose_at_most_a_quarter() {
        for seed in [1, 7, 0xdead_beef, u64::MAX] {
            let mut backoff = Backoff::seeded(CAP, seed);
            for whole in [250, 500, 1000, 2000, 4000, 8000, 15_000, 15_000] {
                let delay = backoff.delay().as_millis();
                assert!(delay <= whole, "{delay} of {whole}, seed {seed}");
                assert!(delay >= whole * 3 / 4, "{delay} of {whole}, seed {seed}");
            }
        }
    }

    #[test]
    fn a_success_starts_the_row_again() {
        let mut backoff = Backoff::seeded(CAP, 3);
        for _ in 0..6 {
            backoff.delay();
        }
        backoff.reset();
        assert!(backoff.delay() <= FIRST);
    }

    #[test]
    fn a_small_cap_holds_from_the_first_delay_on() {
        let mut backoff = Backoff::seeded(Duration::from_millis(100), 3);
        for _ in 0..3 {
            assert!(backoff.delay() <= Duration::from_millis(100));
        }
    }

    #[test]
    fn two_rows_differ() {
        let row = |seed| {
            let mut backoff = Backoff::seeded(CAP, seed);
            (0..8).map(|_| backoff.delay()).collect::<Vec<_>>()
        };
        assert_ne!(row(11), row(12));
    }
}
