//! Messages from many threads to one, in the order in which they come.
//!
//! It has no bound: whoever sends never waits. The reader sleeps at once, without
//! looking many times before, as that would be time taken from those it waits
//! for; and it can be woken without a message, so that one thread can wait for
//! messages and for [signals](crate::signals) at once.

use std::collections::VecDeque;
use std::sync::mpsc::{RecvTimeoutError, SendError, TryRecvError};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, Thread};
use std::time::{Duration, Instant};

/// How many messages an empty inbox keeps room for.
const IDLE: usize = 32;

/// The two ends of a new inbox.
pub fn inbox<T>() -> (Sender<T>, Inbox<T>) {
    let shared = Arc::new(Shared(Mutex::new(State {
        messages: VecDeque::new(),
        senders: 1,
        reader: None,
        is_closed: false,
    })));
    (Sender(Arc::clone(&shared)), Inbox(shared))
}

#[derive(Debug)]
struct Shared<T>(Mutex<State<T>>);

#[derive(Debug)]
struct State<T> {
    messages: VecDeque<T>,
    senders: usize,
    /// The reader, if it is to be woken.
    reader: Option<Thread>,
    /// Nobody will read any more.
    is_closed: bool,
}

impl<T> Shared<T> {
    fn lock(&self) -> MutexGuard<'_, State<T>> {
        // What it guards is never left half changed.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Wakes the reader, if it sleeps.
fn wake<T>(mut state: MutexGuard<'_, State<T>>) {
    let reader = state.reader.take();
    drop(state);
    if let Some(reader) = reader {
        reader.unpark();
    }
}

/// The end that messages are sent from, to be cloned.
#[derive(Debug)]
pub struct Sender<T>(Arc<Shared<T>>);

impl<T> Sender<T> {
    /// Sends a message. Never waits.
    ///
    /// # Errors
    /// Nobody will read it: it is given back.
    pub fn send(&self, message: T) -> Result<(), SendError<T>> {
        let mut state = self.0.lock();
        if state.is_closed {
            return Err(SendError(message));
        }
        state.messages.push_back(message);
        wake(state);
        Ok(())
    }
}

impl<T> Clone for Sender<T> {
    fn clone(&self) -> Self {
        self.0.lock().senders += 1;
        Self(Arc::clone(&self.0))
    }
}

impl<T> Drop for Sender<T> {
    fn drop(&mut self) {
        let mut state = self.0.lock();
        state.senders -= 1;
        if state.senders == 0 {
            wake(state);
        }
    }
}

/// The end that messages are read from, by one thread at a time.
#[derive(Debug)]
pub struct Inbox<T>(Arc<Shared<T>>);

impl<T> Inbox<T> {
    /// The next message, if there is one.
    ///
    /// # Errors
    /// There is none yet, or will be none.
    pub fn try_recv(&self) -> Result<T, TryRecvError> {
        let mut state = self.0.lock();
        state.reader = None;
        let none = match state.senders {
            0 => TryRecvError::Disconnected,
            _ => TryRecvError::Empty,
        };
        state.messages.pop_front().ok_or(none)
    }

    /// The next message, waiting for it.
    ///
    /// # Errors
    /// There will be none.
    pub fn recv(&self) -> Result<T, RecvTimeoutError> {
        self.recv_until(None)
    }

    /// The next message, waiting for it until `deadline`.
    ///
    /// # Errors
    /// There was none in time, or will be none.
    pub fn recv_deadline(&self, deadline: Instant) -> Result<T, RecvTimeoutError> {
        self.recv_until(Some(deadline))
    }

    /// The next message, waiting for it for `patience` at most.
    ///
    /// # Errors
    /// There was none in time, or will be none.
    pub fn recv_timeout(&self, patience: Duration) -> Result<T, RecvTimeoutError> {
        // What is beyond the end of time never comes.
        self.recv_until(Instant::now().checked_add(patience))
    }

    fn recv_until(&self, deadline: Option<Instant>) -> Result<T, RecvTimeoutError> {
        loop {
            match self.try_recv() {
                Ok(message) => return Ok(message),
                Err(TryRecvError::Disconnected) => return Err(RecvTimeoutError::Disconnected),
                Err(TryRecvError::Empty) => {}
            }
            if !self.wait(deadline) {
                return Err(RecvTimeoutError::Timeout);
            }
        }
    }

    /// Waits until there may be a message, or somebody wakes this thread. False if
    /// `deadline` has come before.
    pub(crate) fn wait(&self, deadline: Option<Instant>) -> bool {
        let mut state = self.0.lock();
        if !state.messages.is_empty() || state.senders == 0 {
            return true;
        }
        state.messages.shrink_to(IDLE);
        state.reader = Some(thread::current());
        drop(state);
        // A thread that is woken before it sleeps does not sleep.
        let Some(deadline) = deadline else {
            thread::park();
            return true;
        };
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return false;
        }
        thread::park_timeout(left);
        true
    }
}

impl<T> Drop for Inbox<T> {
    fn drop(&mut self) {
        let mut state = self.0.lock();
        state.is_closed = true;
        let unread = std::mem::take(&mut state.messages);
        drop(state);
        // It may be the last to know other senders of this very inbox.
        drop(unread);
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn messages_of_many_come_in_each_ones_order() {
        let (sender, inbox) = inbox();
        let senders: Vec<_> = (0..4)
            .map(|who| {
                let sender = sender.clone();
                thread::spawn(move || {
                    for number in 0..1000 {
                        sender.send((who, number)).unwrap();
                    }
                })
            })
            .collect();
        drop(sender);
        let mut next = [0; 4];
        while let Ok((who, number)) = inbox.recv() {
            let expected: &mut i32 = next.get_mut(who).unwrap();
            assert_eq!(number, *expected);
            *expected += 1;
        }
        assert_eq!(next, [1000; 4]);
        for sender in senders {
            sender.join().unwrap();
        }
    }

    #[test]
    fn the_reader_learns_that_nothing_will_come_after_what_was_sent() {
        let (sender, inbox) = inbox();
        assert_eq!(inbox.try_recv(), Err(TryRecvError::Empty));
        let other = sender.clone();
        sender.send(1).unwrap();
        drop(sender);
        other.send(2).unwrap();
        drop(other);
        assert_eq!((inbox.recv(), inbox.recv()), (Ok(1), Ok(2)));
        assert_eq!(inbox.try_recv(), Err(TryRecvError::Disconnected));
        assert_eq!(inbox.recv(), Err(RecvTimeoutError::Disconnected));
        assert!(inbox.wait(None), "there is nothing to wait for");
    }

    #[test]
    fn a_reader_that_sleeps_is_woken_by_a_message_and_by_the_last_end() {
        let (sender, inbox) = inbox();
        let (answers, told) = self::inbox();
        let reader = thread::spawn(move || {
            while let Ok(message) = inbox.recv() {
                answers.send(message).unwrap();
            }
        });
        for number in 0..1000 {
            sender.send(number).unwrap();
            assert_eq!(told.recv(), Ok(number));
        }
        drop(sender);
        reader.join().unwrap();
        assert_eq!(told.recv(), Err(RecvTimeoutError::Disconnected));
    }

    #[test]
    fn patience_ends() {
        let (sender, inbox) = inbox::<u8>();
        let timeout = Err(RecvTimeoutError::Timeout);
        assert_eq!(inbox.recv_timeout(Duration::from_millis(1)), timeout);
        assert_eq!(inbox.recv_deadline(Instant::now()), timeout);
        drop(sender);
    }

    #[test]
    fn whoever_wakes_the_thread_ends_the_wait_also_before_it_begins() {
        let (_sender, inbox) = inbox::<u8>();
        thread::current().unpark();
        assert!(inbox.wait(None));
        assert_eq!(inbox.try_recv(), Err(TryRecvError::Empty));
    }

    #[test]
    fn what_nobody_will_read_is_given_back_or_dropped() {
        let (sender, inbox) = inbox();
        let value = Arc::new(7);
        sender.send(Arc::clone(&value)).unwrap();
        drop(inbox);
        assert_eq!(Arc::strong_count(&value), 1);
        let refused = sender.send(value).unwrap_err();
        assert_eq!(*refused.0, 7);
    }

    #[test]
    fn much_at_once_leaves_no_room_behind() {
        let (sender, inbox) = inbox();
        for number in 0..10_000 {
            sender.send(number).unwrap();
        }
        while inbox.try_recv().is_ok() {}
        assert!(!inbox.wait(Some(Instant::now())));
        assert!(inbox.0.lock().messages.capacity() <= 2 * IDLE);
    }
}
