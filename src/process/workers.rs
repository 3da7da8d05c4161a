//! Threads that work off what may hang, one after the other.
//!
//! One thread works as long as there is something to do: two would only wait for
//! each other in the kernel and the C library. Another one watches, and takes over
//! from a thread that has been at one thing for too long. When there has been
//! nothing to do for a while, all of them leave. It knows nothing of processes.

use std::collections::VecDeque;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

/// What a thread needs: half of it may be the stack of a child that shares its
/// memory.
const STACK: usize = 64 * 1024;

/// How long one thing may take before others no longer wait for it.
const PATIENCE: Duration = Duration::from_millis(10);

/// How long a thread waits for something to do before it leaves.
const LINGER: Duration = Duration::from_secs(1);

/// Hands things to threads.
pub(super) struct Workers<T>(Arc<Shared<T>>);

struct Shared<T> {
    work: fn(T),
    state: Mutex<State<T>>,
    /// There is something to do.
    added: Condvar,
}

struct State<T> {
    waiting: VecDeque<T>,
    /// Threads that do nothing.
    idle: usize,
    /// The thread whose turn it is and since when it has been at one thing.
    active: Option<(usize, Instant)>,
    /// How many threads there ever were; they are numbered.
    threads: usize,
}

impl<T: Send + 'static> Workers<T> {
    /// No threads as yet.
    pub(super) fn new(work: fn(T)) -> Self {
        let state = State {
            waiting: VecDeque::new(),
            idle: 0,
            active: None,
            threads: 0,
        };
        Self(Arc::new(Shared {
            work,
            state: Mutex::new(state),
            added: Condvar::new(),
        }))
    }

    /// Has it done soon, and never waits for that. Given back if there is no
    /// thread to be had.
    pub(super) fn add(&self, thing: T) -> Result<(), (T, io::Error)> {
        let mut state = self.0.lock();
        state.waiting.push_back(thing);
        if state.idle > 0 {
            drop(state);
            self.0.added.notify_one();
            return Ok(());
        }
        let refused = self.0.add_thread(&mut state).err();
        // Without one more thread it waits for those that are busy.
        let refused = refused.filter(|_| state.active.is_none());
        match refused.and_then(|cause| Some((state.waiting.pop_back()?, cause))) {
            Some(refused) => Err(refused),
            None => Ok(()),
        }
    }
}

impl<T: Send + 'static> Shared<T> {
    fn lock(&self) -> MutexGuard<'_, State<T>> {
        // What it guards is never left half changed.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn add_thread(self: &Arc<Self>, state: &mut State<T>) -> io::Result<()> {
        let (shared, me) = (Arc::clone(self), state.threads);
        let thread = thread::Builder::new()
            .name("exec".to_owned())
            .stack_size(STACK);
        thread.spawn(move || shared.run(me))?;
        state.threads += 1;
        state.idle += 1;
        Ok(())
    }

    /// The thread of this number, which counts as idle.
    fn run(self: &Arc<Self>, me: usize) {
        let mut state = self.lock();
        loop {
            if let Some(thing) = state.take(me) {
                if state.idle == 0 && !state.waiting.is_empty() {
                    // Nobody watches then: the others wait for this one.
                    let _refused = self.add_thread(&mut state);
                }
                drop(state);
                // Whoever waits for it is told by what it drops.
                let _panicked = catch_unwind(AssertUnwindSafe(|| (self.work)(thing)));
                state = self.lock();
                state.finish(me);
                continue;
            }
            let wait = state.patience();
            let woken = self.added.wait_timeout(state, wait);
            let result;
            (state, result) = woken.unwrap_or_else(PoisonError::into_inner);
            if result.timed_out() && state.waiting.is_empty() {
                state.idle -= 1;
                return;
            }
        }
    }
}

impl<T> State<T> {
    /// The next thing, if it is this thread's turn.
    fn take(&mut self, me: usize) -> Option<T> {
        let is_turn = self
            .active
            .is_none_or(|(active, since)| active == me || since.elapsed() >= PATIENCE);
        let thing = is_turn.then(|| self.waiting.pop_front())??;
        self.active = Some((me, Instant::now()));
        self.idle -= 1;
        Some(thing)
    }

    /// This thread has done its thing. Another one may have taken over.
    fn finish(&mut self, me: usize) {
        self.idle += 1;
        self.active = self.active.filter(|(active, _)| *active != me);
    }

    /// How long to wait when there is nothing to do, or somebody at it.
    fn patience(&self) -> Duration {
        match self.active {
            Some((_, since)) if !self.waiting.is_empty() => {
                PATIENCE.saturating_sub(since.elapsed())
            }
            _ => LINGER,
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use crossbeam_channel::{Receiver, Sender, bounded, unbounded};

    use super::*;

    const DEADLINE: Duration = Duration::from_secs(30);

    /// Tells its number when it has begun and may go on.
    struct Thing {
        number: usize,
        begun: Sender<usize>,
        gate: Receiver<()>,
    }

    fn work(thing: Thing) {
        let Thing {
            number,
            begun,
            gate,
        } = thing;
        begun.send(number).unwrap();
        // Closed when it may go on.
        let _closed = gate.recv();
        assert!(number != 13, "an unlucky number");
    }

    #[test]
    fn things_are_done_in_order_on_one_thread_while_it_gets_on() {
        let workers = Workers::new(work);
        let (begun, beginnings) = unbounded();
        for number in 0..1000 {
            let (open, gate) = bounded(0);
            drop(open);
            let begun = begun.clone();
            let added = workers.add(Thing {
                number,
                begun,
                gate,
            });
            assert!(added.is_ok());
        }
        let order: Vec<_> = (0..1000)
            .map(|_| beginnings.recv_timeout(DEADLINE).unwrap())
            .collect();
        // A thread that was not scheduled for a while was overtaken.
        let threads = workers.0.lock().threads;
        assert!(threads < 100, "{threads}");
        assert!(threads > 2 || order.is_sorted());
    }

    #[test]
    fn nothing_waits_for_what_hangs() {
        let workers = Workers::new(work);
        let (begun, beginnings) = unbounded();
        let mut gates = Vec::new();
        for number in 0..5 {
            let (open, gate) = bounded(0);
            gates.push(open);
            let begun = begun.clone();
            let added = workers.add(Thing {
                number,
                begun,
                gate,
            });
            assert!(added.is_ok());
        }
        for number in 0..5 {
            assert_eq!(beginnings.recv_timeout(DEADLINE), Ok(number));
        }
    }

    #[test]
    fn a_panic_ends_one_thing_and_not_the_others() {
        let workers = Workers::new(work);
        let (begun, beginnings) = unbounded();
        for number in 12..15 {
            let (open, gate) = bounded(0);
            drop(open);
            let begun = begun.clone();
            assert!(
                workers
                    .add(Thing {
                        number,
                        begun,
                        gate
                    })
                    .is_ok()
            );
            assert_eq!(beginnings.recv_timeout(DEADLINE), Ok(number));
        }
    }
}
