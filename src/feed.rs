//! A [`Ring`] that many threads write to and many follow.
//!
//! Writing is a copy under a lock and, if somebody waits for it, a wake-up:
//! nobody who writes ever waits for who reads. A reader that falls behind is told
//! how much it has missed. The journal of events and the last lines of the log
//! are feeds; their readers are the streams of the control plane.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::ring::{Limits, Position, Ring};
use crate::waker::Waker;

/// About how much a reader is given at once.
const ENOUGH: usize = 8 << 10;

/// See the module.
#[derive(Debug)]
pub(crate) struct Feed {
    state: Mutex<State>,
    /// The limit of the ring, to be seen without a lock.
    bytes: AtomicUsize,
}

#[derive(Debug)]
struct State {
    ring: Ring,
    /// Readers that have found nothing and wait.
    asleep: Vec<Waker>,
    is_closed: bool,
}

impl Feed {
    pub(crate) const fn new(limits: Limits) -> Self {
        Self {
            state: Mutex::new(State {
                ring: Ring::new(limits),
                asleep: Vec::new(),
                is_closed: false,
            }),
            bytes: AtomicUsize::new(limits.bytes),
        }
    }

    /// How many bytes it may hold; 0 if it is off.
    pub(crate) fn limit(&self) -> usize {
        self.bytes.load(Ordering::Relaxed)
    }

    /// Holds this much from now on.
    pub(crate) fn set_limits(&self, limits: Limits) {
        self.bytes.store(limits.bytes, Ordering::Relaxed);
        self.lock().ring.limit(limits);
    }

    /// Appends the record that `parts` are together.
    pub(crate) fn push(&self, parts: &[&[u8]]) {
        self.change(|state| state.ring.push(parts));
    }

    /// Nothing will follow: readers end when they have read what there is.
    pub(crate) fn close(&self) {
        self.change(|state| state.is_closed = true);
    }

    /// A reader of what is appended from now on.
    pub(crate) fn from_now_on(self: &Arc<Self>) -> Reader {
        let next = self.lock().ring.next();
        self.reader(next)
    }

    /// A reader that begins with the oldest record.
    pub(crate) fn from_the_oldest(self: &Arc<Self>) -> Reader {
        let oldest = self.lock().ring.oldest();
        self.reader(oldest)
    }

    /// A reader that begins with the record after `number`. If that is not there,
    /// it begins with the one that is nearest, or, if there was no such number
    /// yet, with the oldest.
    pub(crate) fn after(self: &Arc<Self>, number: u64) -> Reader {
        let state = self.lock();
        let is_known = number < state.ring.next().number;
        let wanted = if is_known { number + 1 } else { 0 };
        let position = state.ring.find(wanted);
        drop(state);
        self.reader(position)
    }

    fn reader(self: &Arc<Self>, at: Position) -> Reader {
        Reader {
            feed: Arc::clone(self),
            at,
            end: None,
            waits: None,
        }
    }

    fn change(&self, change: impl FnOnce(&mut State)) {
        let mut state = self.lock();
        change(&mut state);
        let asleep = std::mem::take(&mut state.asleep);
        drop(state);
        for waker in asleep {
            waker.wake();
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // A ring is never left half changed by anything that could panic.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What a reader has found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Found {
    /// Records, the first of which has this number. If that is not the one it
    /// was waiting for, it has missed some.
    Records(u64),
    /// Nothing; the waker is woken when there is something.
    Nothing,
    /// Nothing, and there will be nothing.
    End,
}

/// Somebody who reads a feed from some record on.
#[derive(Debug)]
pub(crate) struct Reader {
    feed: Arc<Feed>,
    at: Position,
    /// Where it ends, if it does not follow.
    end: Option<Position>,
    /// The waker that the feed has of it.
    waits: Option<Waker>,
}

impl Reader {
    /// The number of the record that is next.
    pub(crate) fn next_number(&self) -> u64 {
        self.at.number
    }

    /// The number of the last record there is.
    pub(crate) fn newest_number(&self) -> u64 {
        self.feed.lock().ring.next().number - 1
    }

    /// Ends before whatever is appended from now on.
    pub(crate) fn end_here(&mut self) {
        let next = self.feed.lock().ring.next();
        self.end.get_or_insert(next);
    }

    /// Takes records, which [`records`](crate::ring::records) tells apart, into
    /// `out`, which is emptied before. Without any, and with a waker, it will be
    /// woken.
    pub(crate) fn read(&mut self, out: &mut Vec<u8>, waker: Option<&Waker>) -> Found {
        out.clear();
        self.leave();
        let mut state = self.feed.lock();
        let next = state.ring.next();
        let end = self.end.unwrap_or(next);
        let after = state.ring.read(self.at, end, ENOUGH, out);
        if !out.is_empty() {
            let first = self.at.number.max(state.ring.oldest().number);
            self.at = after;
            return Found::Records(first);
        }
        if state.is_closed || self.end.is_some() {
            return Found::End;
        }
        if let Some(waker) = waker {
            state.asleep.push(waker.clone());
            drop(state);
            self.waits = Some(waker.clone());
        }
        Found::Nothing
    }

    /// Wants no wake-up any more.
    fn leave(&mut self) {
        if let Some(waker) = self.waits.take() {
            self.feed.lock().asleep.retain(|other| !other.is(&waker));
        }
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        self.leave();
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::ring::records;

    fn feed(bytes: usize) -> Arc<Feed> {
        let records = u64::MAX;
        Arc::new(Feed::new(Limits { bytes, records }))
    }

    fn push(feed: &Feed, text: &str) {
        feed.push(&[text.as_bytes()]);
    }

    /// All that is there, as `NUMBER TEXT`.
    fn read(reader: &mut Reader) -> Vec<String> {
        let (mut out, mut found) = (Vec::new(), Vec::new());
        while let Found::Records(first) = reader.read(&mut out, None) {
            let texts = records(&out).map(|record| String::from_utf8_lossy(record));
            found.extend(texts.zip(first..).map(|(text, n)| format!("{n} {text}")));
        }
        found
    }

    #[test]
    fn readers_begin_where_they_want_to() {
        let feed = feed(1000);
        push(&feed, "a");
        push(&feed, "b");
        let mut new = feed.from_now_on();
        push(&feed, "c");
        assert_eq!(read(&mut new), ["3 c"]);
        assert_eq!(read(&mut feed.from_the_oldest()), ["1 a", "2 b", "3 c"]);
        assert_eq!(read(&mut feed.after(0)), ["1 a", "2 b", "3 c"]);
        assert_eq!(read(&mut feed.after(2)), ["3 c"]);
        assert_eq!(read(&mut feed.after(3)), [""; 0]);
        // That one was of a supervisor before.
        assert_eq!(read(&mut feed.after(4)), ["1 a", "2 b", "3 c"]);
        push(&feed, "d");
        assert_eq!(read(&mut new), ["4 d"]);
    }

    #[test]
    fn who_falls_behind_goes_on_with_what_there_is() {
        let feed = feed(20);
        push(&feed, "a");
        let mut reader = feed.from_the_oldest();
        for text in ["b", "c", "d", "e", "f"] {
            push(&feed, text);
        }
        assert_eq!(reader.next_number(), 1);
        assert_eq!(read(&mut reader), ["3 c", "4 d", "5 e", "6 f"]);
        let mut after = feed.after(1);
        assert_eq!(after.next_number(), 3);
        assert_eq!(read(&mut after), ["3 c", "4 d", "5 e", "6 f"]);
    }

    #[test]
    fn a_reader_ends_where_it_is_told_to_or_when_the_feed_is_closed() {
        let feed = feed(1000);
        push(&feed, "a");
        let (mut one, mut all) = (feed.from_the_oldest(), feed.from_the_oldest());
        one.end_here();
        push(&feed, "b");
        one.end_here();
        let mut out = Vec::new();
        assert_eq!(read(&mut one), ["1 a"]);
        assert_eq!(one.read(&mut out, None), Found::End);
        feed.close();
        assert_eq!(read(&mut all), ["1 a", "2 b"]);
        assert_eq!(all.read(&mut out, None), Found::End);
    }

    #[test]
    fn who_found_nothing_is_woken_once_and_who_has_left_is_forgotten() {
        let feed = feed(1000);
        let (waker, mut out) = (Waker::new().unwrap(), Vec::new());
        let mut reader = feed.from_now_on();
        let asleep = || feed.lock().asleep.len();
        for _ in 0..3 {
            assert_eq!(reader.read(&mut out, Some(&waker)), Found::Nothing);
            assert_eq!(asleep(), 1);
        }
        push(&feed, "a");
        assert_eq!(asleep(), 0);
        assert_eq!(reader.read(&mut out, Some(&waker)), Found::Records(1));
        assert_eq!(reader.read(&mut out, Some(&waker)), Found::Nothing);
        drop(reader);
        assert_eq!(asleep(), 0);
    }

    #[test]
    fn a_feed_of_no_bytes_holds_nothing() {
        let feed = feed(0);
        push(&feed, "a");
        assert_eq!(read(&mut feed.from_the_oldest()), [""; 0]);
        assert_eq!(feed.limit(), 0);
        let (bytes, records) = (100, u64::MAX);
        feed.set_limits(Limits { bytes, records });
        push(&feed, "b");
        assert_eq!(read(&mut feed.from_the_oldest()), ["2 b"]);
    }
}
