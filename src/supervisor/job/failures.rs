//! The failures of a job that follow each other, and how often the log says so:
//! the first ones in full, and what happens again and again ever less often
//! (SPEC §15). So a job that fails for days has a page of log, and the page says
//! since when.

use std::time::{Duration, Instant};

use log::Level;

use super::Job;
use crate::config::duration;
use crate::supervisor::effects::Effects;

/// A row that goes on is told of at least so often.
const REMINDER: Duration = Duration::from_secs(3600);

/// So many changes of the reason are told of in one row.
const CHANGES: u32 = 16;

/// The failed runs of a job that followed each other.
#[derive(Debug, Default)]
#[cfg_attr(test, derive(Clone))]
pub(super) struct Row {
    /// How many; a run that succeeds or lasts ends the row.
    failures: u32,
    /// What the log says of the last one, if anything.
    told: Option<Told>,
}

/// What the log says of failures that continue each other.
#[derive(Debug)]
#[cfg_attr(test, derive(Clone))]
struct Told {
    /// The reason of the last one.
    text: String,
    /// How many there were for this reason, or, after too many changes of it, for
    /// any,
    count: u64,
    /// and how many the log has told of.
    said: u64,
    /// When the first of them happened,
    since: Instant,
    /// and when the log last said so.
    said_at: Instant,
    /// How often the reason has changed.
    changes: u32,
}

impl Row {
    /// How many runs have failed in a row.
    pub(super) fn failures(&self) -> u32 {
        self.failures
    }

    /// Another run failed; if it had lasted, that is a row of its own.
    pub(super) fn failed(&mut self, lasted: bool) {
        let before = if lasted { 0 } else { self.failures };
        self.failures = before.saturating_add(1);
    }

    /// Whether the log has told of every failure.
    pub(super) fn is_said(&self) -> bool {
        let told = self.told.as_ref();
        told.is_none_or(|told| told.said == told.count)
    }
}

impl Told {
    fn new(text: String, changes: u32, now: Instant) -> Self {
        Self {
            text,
            count: 1,
            said: 1,
            since: now,
            said_at: now,
            changes,
        }
    }

    /// Another failure that is worth no more than to be counted, as far as its
    /// reason goes.
    fn counts(&mut self, text: &str) -> bool {
        let is_same = self.text == text;
        let is_one_of_many = self.changes >= CHANGES;
        if is_one_of_many && !is_same {
            text.clone_into(&mut self.text);
        }
        self.count += u64::from(is_same || is_one_of_many);
        is_same || is_one_of_many
    }

    /// Whether it is time to say how many there were: whenever there are twice as
    /// many, and now and then.
    fn is_due(&self, now: Instant) -> bool {
        let quiet = now.saturating_duration_since(self.said_at);
        self.count.is_power_of_two() || quiet >= REMINDER
    }

    /// `exited with code 1 (8 times in 13s)`
    fn say(&mut self, now: Instant) -> String {
        (self.said, self.said_at) = (self.count, now);
        let took = now.saturating_duration_since(self.since).as_secs();
        let times = match self.changes {
            CHANGES.. => "failures",
            _ => "times",
        };
        let within = match took {
            0 => String::new(),
            _ => format!(" in {}", duration::format(Duration::from_secs(took))),
        };
        format!("{} ({} {times}{within})", self.text, self.count)
    }
}

impl Job {
    /// Logs why a run failed, which continues a row or not.
    pub(super) fn log_failure(&mut self, text: String, continues: bool, fx: &mut Effects) {
        if continues
            && let Some(told) = &mut self.row.told
            && told.counts(&text)
        {
            if told.is_due(fx.now) {
                let text = told.say(fx.now);
                fx.log(Level::Error, Some(&self.label), text);
            }
            return;
        }
        let told = self.row.told.as_ref().filter(|_| continues);
        let changes = told.map_or(0, |told| told.changes + 1);
        self.flush_failures(fx);
        fx.log(Level::Error, Some(&self.label), text.clone());
        self.row.told = Some(Told::new(text, changes, fx.now));
    }

    /// The row is over.
    pub(super) fn end_row(&mut self, fx: &mut Effects) {
        self.flush_failures(fx);
        self.row = Row::default();
    }

    /// Says what has been held back.
    fn flush_failures(&mut self, fx: &mut Effects) {
        if !self.row.is_said()
            && let Some(told) = &mut self.row.told
        {
            let text = told.say(fx.now);
            fx.log(Level::Error, Some(&self.label), text);
        }
    }
}
