//! Messages from many threads to one, in the order in which they come.
//!
//! A channel of crossbeam's without a bound: whoever sends never waits. Only the
//! waiting is another: that channel's receiver looks many times and yields before
//! it sleeps, which is time taken from those it waits for, and nothing but a
//! message ends its sleep. This one sleeps at once; and it can be woken without a
//! message, so that one thread waits for messages and for
//! [signals](crate::signals).

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, Thread};
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, RecvTimeoutError, SendError, TryRecvError, unbounded};

/// The two ends of a new inbox.
pub fn inbox<T>() -> (Sender<T>, Inbox<T>) {
    let (sender, messages) = unbounded();
    let bell = Bell::default();
    let sender = Sender {
        messages: sender,
        bell: bell.clone(),
    };
    (sender, Inbox { messages, bell })
}

/// Wakes the reader. Rings when it is dropped, too.
#[derive(Clone, Debug, Default)]
struct Bell(Arc<Mutex<Option<Thread>>>);

impl Bell {
    /// The next ring is for this thread.
    fn set(&self, reader: Thread) {
        *self.lock() = Some(reader);
    }

    fn lock(&self) -> MutexGuard<'_, Option<Thread>> {
        // What it guards is never left half changed.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Wakes the reader, if it sleeps or is about to.
    fn ring(&self) {
        let reader = self.lock().take();
        if let Some(reader) = reader {
            reader.unpark();
        }
    }
}

impl Drop for Bell {
    fn drop(&mut self) {
        self.ring();
    }
}

/// The end that messages are sent from, to be cloned.
#[derive(Debug)]
pub struct Sender<T> {
    // In this order: the bell rings when this end is closed.
    messages: crossbeam_channel::Sender<T>,
    bell: Bell,
}

impl<T> Sender<T> {
    /// Sends a message. Never waits.
    ///
    /// # Errors
    /// Nobody will read it: it is given back.
    pub fn send(&self, message: T) -> Result<(), SendError<T>> {
        self.messages.send(message)?;
        self.bell.ring();
        Ok(())
    }
}

impl<T> Clone for Sender<T> {
    fn clone(&self) -> Self {
        Self {
            messages: self.messages.clone(),
            bell: self.bell.clone(),
        }
    }
}

/// The end that messages are read from, by one thread at a time.
#[derive(Debug)]
pub struct Inbox<T> {
    messages: Receiver<T>,
    bell: Bell,
}

impl<T> Inbox<T> {
    /// The next message, if there is one.
    ///
    /// # Errors
    /// There is none yet, or will be none.
    pub fn try_recv(&self) -> Result<T, TryRecvError> {
        self.messages.try_recv()
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
            let mut next = self.try_recv();
            if let Err(TryRecvError::Empty) = next {
                self.bell.set(thread::current());
                // Whoever was faster than that has rung for nobody.
                next = self.try_recv();
            }
            match next {
                Ok(message) => return Ok(message),
                Err(TryRecvError::Disconnected) => return Err(RecvTimeoutError::Disconnected),
                Err(TryRecvError::Empty) if sleep(deadline) => {}
                Err(TryRecvError::Empty) => return Err(RecvTimeoutError::Timeout),
            }
        }
    }

    /// Waits until there may be a message, or somebody wakes this thread. False if
    /// `deadline` has come before. For a reader that knows of a sender that stays.
    pub(crate) fn wait(&self, deadline: Option<Instant>) -> bool {
        self.bell.set(thread::current());
        let is_awake = !self.messages.is_empty() || sleep(deadline);
        // Who is awake need not be woken, least of all by what it sends itself: the
        // next sleep would end at once.
        let _reader = self.bell.lock().take();
        is_awake
    }
}

/// Sleeps until the thread is woken; not at all if that has happened since it slept
/// last. False if `deadline` has come before.
fn sleep(deadline: Option<Instant>) -> bool {
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
    fn the_last_end_that_closes_is_noticed_at_any_moment() {
        for _ in 0..1000 {
            let (sender, inbox) = inbox::<u8>();
            let closing = thread::spawn(move || drop(sender));
            assert_eq!(inbox.recv(), Err(RecvTimeoutError::Disconnected));
            closing.join().unwrap();
        }
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
}
