//! The bytes between those who log and the thread that writes.
//!
//! One buffer behind one lock, and the lock is held for a copy and nothing
//! else. Who may not wait ([`Queue::offer`]) is refused when the buffer is
//! full; who can ([`Queue::push`]) waits until the writer has taken it. Whole
//! lines go in at once, so that no line is torn between two sources.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::config::logging::{LogOutput, Rotation};

/// Children's output waits while this much is queued. One push may go beyond
/// it by its own size, so that a woken waiter always finds room enough.
const CHILDREN: usize = 128 << 10;

/// The supervisor's own entries are refused while this much is queued; what
/// lies above the children's share is theirs alone.
const FULL: usize = 320 << 10;

/// How much memory the idle queue may keep.
const IDLE: usize = 4 << 10;

/// How long it stays larger than that after the last entry.
const LINGER: Duration = Duration::from_secs(1);

/// What the writer is to do besides writing.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Command {
    /// Open the file again.
    Reopen,
    /// Write there from now on, and rotate it so.
    Output(LogOutput, Option<Rotation>),
}

/// What the writer takes out at once, besides the bytes.
#[derive(Debug, Default)]
pub(crate) struct Taken {
    /// What to do, in this order, and behind how many of the bytes.
    pub(crate) commands: Vec<(usize, Command)>,
    /// How many entries were refused since the last time.
    pub(crate) refused: u64,
    /// What [`Queue::settle`] wants to be told when all this is done.
    pub(crate) ticket: u64,
}

/// See the module.
#[derive(Debug, Default)]
pub(crate) struct Queue {
    state: Mutex<State>,
    /// There is something to take.
    filled: Condvar,
    /// There is room for children's output.
    emptied: Condvar,
    /// All that was taken has been dealt with.
    settled: Condvar,
}

#[derive(Debug, Default)]
struct State {
    bytes: Vec<u8>,
    commands: Vec<(usize, Command)>,
    refused: u64,
    /// How many pushes, offers and commands were accepted, ever.
    accepted: u64,
    /// Up to which of them all are dealt with.
    done: u64,
    /// How many wait in [`Queue::push`].
    waiting: usize,
    writer_waits: bool,
}

impl State {
    fn has_work(&self) -> bool {
        !self.bytes.is_empty() || !self.commands.is_empty() || self.refused > 0
    }
}

impl Queue {
    /// Appends whole lines, or says `false` when the buffer is full. Never
    /// waits for the writer.
    pub(crate) fn offer(&self, lines: &[u8]) -> bool {
        let mut state = self.lock();
        if state.bytes.len() + lines.len() > FULL {
            state.refused += 1;
            // One that is too large by itself finds the writer idle.
            self.rouse(&mut state);
            return false;
        }
        state.bytes.extend_from_slice(lines);
        self.accept(state);
        true
    }

    /// The same for somebody who wakes the writer later ([`Queue::wake`]), but for
    /// the entries of many: a wake-up costs as much as twenty of them.
    pub(crate) fn leave(&self, lines: &[u8]) -> bool {
        let mut state = self.lock();
        if state.bytes.len() >= IDLE {
            drop(state);
            return self.offer(lines);
        }
        state.bytes.extend_from_slice(lines);
        state.accepted += 1;
        true
    }

    /// Wakes the writer for what was left to it.
    pub(crate) fn wake(&self) {
        self.rouse(&mut self.lock());
    }

    fn rouse(&self, state: &mut State) {
        if state.has_work() && std::mem::take(&mut state.writer_waits) {
            self.filled.notify_one();
        }
    }

    /// Appends whole lines as soon as there is room for them.
    pub(crate) fn push(&self, lines: &[u8]) {
        let mut state = self.lock();
        while state.bytes.len() >= CHILDREN {
            state.waiting += 1;
            state = unpoisoned(self.emptied.wait(state));
            state.waiting -= 1;
        }
        state.bytes.extend_from_slice(lines);
        // The one that was woken wakes the next while there is room, instead
        // of all running for it at once.
        if state.waiting > 0 && state.bytes.len() < CHILDREN {
            self.emptied.notify_one();
        }
        self.accept(state);
    }

    /// Gives the writer something to do between what is queued so far and what
    /// comes later.
    pub(crate) fn command(&self, command: Command) {
        let mut state = self.lock();
        let position = state.bytes.len();
        state.commands.push((position, command));
        self.accept(state);
    }

    fn accept(&self, mut state: MutexGuard<'_, State>) {
        state.accepted += 1;
        let wake = std::mem::take(&mut state.writer_waits);
        drop(state);
        if wake {
            self.filled.notify_one();
        }
    }

    /// For the writer: waits for work and exchanges `batch`, which must be
    /// empty, for all the bytes. Gives memory back when there is no work for a
    /// while, and then waits without ever waking up.
    pub(crate) fn take(&self, batch: &mut Vec<u8>) -> Taken {
        let mut state = self.lock();
        while !state.has_work() {
            state.writer_waits = true;
            if batch.capacity() + state.bytes.capacity() <= IDLE {
                state = unpoisoned(self.filled.wait(state));
                continue;
            }
            let timed_out;
            (state, timed_out) = unpoisoned(self.filled.wait_timeout(state, LINGER));
            if timed_out.timed_out() && !state.has_work() {
                *batch = Vec::new();
                state.bytes = Vec::new();
            }
        }
        state.writer_waits = false;
        std::mem::swap(&mut state.bytes, batch);
        if state.waiting > 0 {
            self.emptied.notify_one();
        }
        Taken {
            commands: std::mem::take(&mut state.commands),
            refused: std::mem::take(&mut state.refused),
            ticket: state.accepted,
        }
    }

    /// For the writer: all up to `ticket` has been dealt with.
    pub(crate) fn settle(&self, ticket: u64) {
        self.lock().done = ticket;
        self.settled.notify_all();
    }

    /// Waits until all that was accepted before this call has been dealt with;
    /// `false` if that has not happened by `deadline`.
    pub(crate) fn wait_settled(&self, deadline: Instant) -> bool {
        let mut state = self.lock();
        let ticket = state.accepted;
        self.rouse(&mut state);
        while state.done < ticket {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return false;
            }
            (state, _) = unpoisoned(self.settled.wait_timeout(state, left));
        }
        true
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        unpoisoned(self.state.lock())
    }
}

/// The guard, whether or not a thread panicked with it: every change of the
/// state is complete before anything that could panic.
fn unpoisoned<T>(result: Result<T, PoisonError<T>>) -> T {
    result.unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use std::sync::Arc;
    use std::thread;

    const LINE: &[u8] = &[b'x'; 1024];

    #[test]
    fn what_is_queued_comes_out_in_order_and_at_once() {
        let queue = Queue::default();
        queue.push(b"one\n");
        assert!(queue.offer(b"two\n"));
        queue.command(Command::Reopen);
        queue.push(b"three\n");
        let mut batch = Vec::new();
        let taken = queue.take(&mut batch);
        assert_eq!(batch, b"one\ntwo\nthree\n");
        assert_eq!(taken.commands, [(8, Command::Reopen)]);
        assert_eq!((taken.refused, taken.ticket), (0, 4));
    }

    #[test]
    fn a_full_queue_refuses_and_counts_and_has_room_again_once_taken() {
        let queue = Queue::default();
        let accepted = (0..10_000).take_while(|_| queue.offer(LINE)).count();
        assert_eq!(accepted, FULL / LINE.len());
        assert!(!queue.offer(LINE));
        let mut batch = Vec::new();
        assert_eq!(queue.take(&mut batch).refused, 2);
        assert_eq!(batch.len(), accepted * LINE.len());
        assert!(queue.offer(LINE));
        batch.clear();
        assert_eq!(queue.take(&mut batch).refused, 0);
    }

    #[test]
    fn the_supervisors_own_share_stays_open_when_the_childrens_is_full() {
        let queue = Queue::default();
        queue.push(&vec![b'x'; CHILDREN]);
        assert!(queue.offer(LINE));
    }

    #[test]
    fn what_is_left_to_the_writer_keeps_its_order_and_is_refused_as_anything_is() {
        let queue = Queue::default();
        assert!(queue.leave(b"one\n") && queue.offer(b"two\n") && queue.leave(b"three\n"));
        queue.wake();
        let mut batch = Vec::new();
        assert_eq!(queue.take(&mut batch).ticket, 3);
        assert_eq!(batch, b"one\ntwo\nthree\n");
        while queue.leave(LINE) {}
        assert_eq!(queue.take(&mut Vec::new()).refused, 1);
    }

    #[test]
    fn pushes_wait_for_room_and_all_of_them_get_it() {
        let queue = Arc::new(Queue::default());
        let pushers: Vec<_> = (0..8)
            .map(|_| {
                let queue = Arc::clone(&queue);
                thread::spawn(move || (0..100).for_each(|_| queue.push(&[b'x'; 8192])))
            })
            .collect();
        let mut received = 0;
        let mut batch = Vec::new();
        while received < 8 * 100 * 8192 {
            queue.take(&mut batch);
            assert!(batch.len() < CHILDREN + 8192, "{}", batch.len());
            received += batch.len();
            batch.clear();
        }
        for pusher in pushers {
            pusher.join().unwrap();
        }
    }

    #[test]
    fn settled_is_what_was_accepted_before_the_question() {
        let queue = Queue::default();
        assert!(queue.wait_settled(Instant::now()));
        queue.push(b"x\n");
        assert!(!queue.wait_settled(Instant::now()));
        let taken = queue.take(&mut Vec::new());
        queue.push(b"later\n");
        queue.settle(taken.ticket);
        assert!(!queue.wait_settled(Instant::now()));
        let taken = queue.take(&mut Vec::new());
        queue.settle(taken.ticket);
        assert!(queue.wait_settled(Instant::now()));
    }
}
