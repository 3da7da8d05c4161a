//! One value from one thread to another that waits for it: an answer, mostly.
//!
//! A channel for one value would do as well, but its receiver looks many times
//! and yields before it sleeps: on one CPU that is time taken from the very
//! thread it waits for. This one sleeps at once.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crossbeam_channel::{RecvTimeoutError, TryRecvError};

use crate::waker::Waker;

/// The two ends of a new handoff.
pub fn handoff<T>() -> (Giver<T>, Taker<T>) {
    ends(None)
}

/// The same, for somebody who waits for other things as well: `waker` is woken when
/// the value is given, or will not be.
pub fn handoff_waking<T>(waker: Waker) -> (Giver<T>, Taker<T>) {
    ends(Some(waker))
}

fn ends<T>(waker: Option<Waker>) -> (Giver<T>, Taker<T>) {
    let shared = Arc::new(Shared {
        state: Mutex::new(State {
            value: None,
            givers: 1,
            is_abandoned: false,
        }),
        changed: Condvar::new(),
        waker,
    });
    (Giver(Arc::clone(&shared)), Taker(shared))
}

#[derive(Debug)]
struct Shared<T> {
    state: Mutex<State<T>>,
    changed: Condvar,
    waker: Option<Waker>,
}

#[derive(Debug)]
struct State<T> {
    value: Option<T>,
    /// Those who may still give it.
    givers: usize,
    /// Nobody is there to take it any more.
    is_abandoned: bool,
}

impl<T> Shared<T> {
    fn lock(&self) -> MutexGuard<'_, State<T>> {
        // Nothing that could panic is done with it.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The end that gives the value. When the last clone of it is dropped without
/// that, none will come.
#[derive(Debug)]
pub struct Giver<T>(Arc<Shared<T>>);

impl<T> Giver<T> {
    /// Gives the value. Never waits. Nobody may be there to take it any more.
    pub fn give(self, value: T) {
        self.0.lock().value = Some(value);
        // Dropping this end wakes the other.
    }

    /// Whether nobody is there to take the value any more.
    pub fn is_abandoned(&self) -> bool {
        self.0.lock().is_abandoned
    }

    /// Whether both are ends of one handoff.
    #[cfg(test)]
    pub(crate) fn is(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl<T> Clone for Giver<T> {
    fn clone(&self) -> Self {
        self.0.lock().givers += 1;
        Self(Arc::clone(&self.0))
    }
}

impl<T> Drop for Giver<T> {
    fn drop(&mut self) {
        let mut state = self.0.lock();
        state.givers -= 1;
        let is_news = state.givers == 0 || state.value.is_some();
        drop(state);
        if is_news {
            self.0.changed.notify_one();
            if let Some(waker) = &self.0.waker {
                waker.wake();
            }
        }
    }
}

/// The end that takes the value.
#[derive(Debug)]
pub struct Taker<T>(Arc<Shared<T>>);

impl<T> Taker<T> {
    /// The value, if it has been given.
    ///
    /// # Errors
    /// There is none yet, or will be none.
    pub fn try_recv(&self) -> Result<T, TryRecvError> {
        self.0.lock().take()
    }

    /// The value, waiting until it is given, for `patience` at most.
    ///
    /// # Errors
    /// There was none in time, or will be none.
    pub fn recv_timeout(&self, patience: Duration) -> Result<T, RecvTimeoutError> {
        let deadline = Instant::now() + patience;
        let mut state = self.0.lock();
        loop {
            match state.take() {
                Ok(value) => return Ok(value),
                Err(TryRecvError::Disconnected) => return Err(RecvTimeoutError::Disconnected),
                Err(TryRecvError::Empty) => {}
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Err(RecvTimeoutError::Timeout);
            }
            let waited = self.0.changed.wait_timeout(state, left);
            (state, _) = waited.unwrap_or_else(PoisonError::into_inner);
        }
    }
}

impl<T> Drop for Taker<T> {
    fn drop(&mut self) {
        self.0.lock().is_abandoned = true;
    }
}

impl<T> State<T> {
    fn take(&mut self) -> Result<T, TryRecvError> {
        self.value.take().ok_or(match self.givers {
            0 => TryRecvError::Disconnected,
            _ => TryRecvError::Empty,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::thread;

    const PATIENCE: Duration = Duration::from_secs(40);

    #[test]
    fn a_value_is_taken_once() {
        let (giver, taker) = handoff();
        assert_eq!(taker.try_recv(), Err(TryRecvError::Empty));
        giver.give(7);
        assert_eq!(taker.try_recv(), Ok(7));
        assert_eq!(taker.try_recv(), Err(TryRecvError::Disconnected));
    }

    #[test]
    fn whoever_waits_gets_the_value_or_learns_that_there_is_none() {
        for value in [Some(7), None] {
            let (giver, taker) = handoff();
            let giving = thread::spawn(move || match value {
                Some(value) => giver.give(value),
                None => drop(giver),
            });
            let expected = value.ok_or(RecvTimeoutError::Disconnected);
            assert_eq!(taker.recv_timeout(PATIENCE), expected);
            assert!(giving.join().is_ok());
        }
    }

    #[test]
    fn one_of_several_givers_is_enough() {
        let (giver, taker) = handoff();
        drop(giver.clone());
        assert_eq!(taker.try_recv(), Err(TryRecvError::Empty));
        giver.clone().give(7);
        assert_eq!(taker.try_recv(), Ok(7));
        drop(giver);
        assert_eq!(taker.try_recv(), Err(TryRecvError::Disconnected));
    }

    #[test]
    fn patience_ends() {
        let (giver, taker) = handoff::<u8>();
        let waited = taker.recv_timeout(Duration::from_millis(1));
        assert_eq!(waited, Err(RecvTimeoutError::Timeout));
        drop(giver);
    }

    #[test]
    fn a_value_that_nobody_takes_any_more_is_no_trouble() {
        let (giver, taker) = handoff();
        assert!(!giver.is_abandoned());
        drop(taker);
        assert!(giver.is_abandoned());
        giver.give(7);
    }
}
