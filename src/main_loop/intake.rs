//! What the event loop takes next: signals and messages in one line, and when it
//! sleeps.
//!
//! Whoever always has something to say keeps nobody waiting: after a row of
//! messages the loop does what it does before it sleeps.

use std::cell::Cell;
use std::time::{Duration, Instant};

use crate::inbox::{Inbox, Sender};
use crate::logging::Log;
use crate::message::Message;
use crate::signals::{self, Addressee};

/// The kernel goes through all children to find that none has ended. Where that
/// takes as long as this, there are thousands, and who ends within so many times
/// that is looked for together.
const LONG_LOOK: Duration = Duration::from_micros(50);
const LONGEST_LOOK: Duration = Duration::from_micros(250);
const LULL: u32 = 4;

/// So many messages make a row.
const ROW: u32 = 64;

/// The reading end of the loop's inbox, and what ends its sleep besides.
pub(super) struct Intake {
    inbox: Inbox<Message>,
    /// The other end of it, for signals.
    own: Sender<Message>,
    addressee: Addressee,
    log: Log,
    /// Until when not to look for children that have ended.
    lull: Cell<Option<Instant>>,
    /// How many messages have come without a sleep.
    row: Cell<u32>,
}

impl Intake {
    pub(super) fn new(
        inbox: Inbox<Message>,
        own: Sender<Message>,
        addressee: Addressee,
        log: Log,
    ) -> Self {
        Self {
            inbox,
            own,
            addressee,
            log,
            lull: Cell::new(None),
            row: Cell::new(0),
        }
    }

    /// Waits for a message until `deadline`. Signals line up behind what is there
    /// already, so that none of both can keep the other waiting.
    pub(super) fn next(&self, deadline: Option<Instant>) -> Option<Message> {
        loop {
            for message in signals::arrived(self.addressee) {
                // This holds the reader: it is there.
                let _taken = self.own.send(message);
            }
            if self.row.get() < ROW
                && let Ok(message) = self.inbox.try_recv()
            {
                self.row.update(|row| row + 1);
                return Some(message);
            }
            self.log.wake();
            if self.row.replace(0) >= ROW {
                signals::listening(|| ());
                continue;
            }
            let lull = self.lull.take();
            let lull = lull.filter(|until| deadline.is_none_or(|deadline| *until < deadline));
            if lull.is_some() {
                let _any = self.inbox.wait(lull);
                continue;
            }
            if !signals::listening(|| self.inbox.wait(deadline)) {
                return None;
            }
        }
    }

    /// To look for children that have ended has taken that long the last time, when
    /// there was none. Where that is long, the next look waits a little.
    pub(super) fn has_looked(&self, took: Duration) {
        let lull = took.min(LONGEST_LOOK) * LULL;
        let lull = (took >= LONG_LOOK).then(|| Instant::now() + lull);
        self.lull.set(lull);
    }
}

#[cfg(test)]
mod tests;
