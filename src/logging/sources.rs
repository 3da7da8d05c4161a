//! Those who log children's output, so that the end of the supervisor waits
//! for what children wrote before their end, and for nothing else.
//!
//! A pipe can outlive the child it was made for: whoever the child left behind
//! may hold it for ever. So a source does not wait for the end of its pipe once
//! the log is closing, only until the pipe is empty.

use std::io::{self, PipeReader, PipeWriter};
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

/// See the module.
#[derive(Debug)]
pub(super) struct Sources {
    state: Mutex<State>,
    none_left: Condvar,
    /// Its other end is closed when the log is closing, which poll(2) tells
    /// every source at once.
    closing: PipeReader,
}

#[derive(Debug)]
struct State {
    count: usize,
    open: Option<PipeWriter>,
}

impl Sources {
    pub(super) fn new() -> io::Result<Self> {
        let (closing, open) = io::pipe()?;
        let open = Some(open);
        Ok(Self {
            state: Mutex::new(State { count: 0, open }),
            none_left: Condvar::new(),
            closing,
        })
    }

    /// Readable, without anything to read, once the log is closing.
    pub(super) fn closing(&self) -> BorrowedFd<'_> {
        self.closing.as_fd()
    }

    pub(super) fn add(&self) {
        self.lock().count += 1;
    }

    pub(super) fn remove(&self) {
        let mut state = self.lock();
        state.count = state.count.saturating_sub(1);
        if state.count == 0 {
            self.none_left.notify_all();
        }
    }

    /// Tells all sources to end and waits until they have; `false` if some have
    /// not by `deadline`.
    pub(super) fn close(&self, deadline: Instant) -> bool {
        let mut state = self.lock();
        if state.count > 0 {
            // Where nobody is to be told, a thread would be woken for nothing.
            state.open = None;
        }
        while state.count > 0 {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return false;
            }
            let woken = self.none_left.wait_timeout(state, left);
            (state, _) = woken.unwrap_or_else(PoisonError::into_inner);
        }
        true
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // A count is never left half changed.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
