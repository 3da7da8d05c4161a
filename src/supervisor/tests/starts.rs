//! How often a job should have started, worked out from nothing but the record:
//! what the supervisor is compared with in every schedule.

use std::collections::BTreeSet;

use crate::config::{JobSpec, Start};

/// The starts that the events so far are worth to one job.
#[derive(Clone, Debug)]
pub(super) struct Starts {
    start: Start,
    met: BTreeSet<String>,
    /// How many there should have been.
    pub(super) due: u32,
}

impl Starts {
    /// Of a job whose runs are not restarted.
    pub(super) fn of(job: &JobSpec) -> Self {
        Self {
            start: job.when.start.clone(),
            met: BTreeSet::new(),
            due: 0,
        }
    }

    /// Whether a job starts at nothing but events, and not again by itself.
    pub(super) fn can_tell(job: &JobSpec) -> bool {
        let clock = matches!(job.when.start, Start::Every(_));
        !clock && job.restarts == crate::config::Restarts::Limited(0) && job.health.is_none()
    }

    /// An event as the record has it.
    pub(super) fn saw(&mut self, event: &str) {
        let starts = match &self.start {
            Start::All(events) => {
                let is_one = events.iter().any(|one| one.to_string() == event);
                let is_new = is_one && self.met.insert(event.to_owned());
                is_new && events.iter().all(|one| self.met.contains(&one.to_string()))
            }
            Start::Any(conditions) => {
                let mut matching = conditions
                    .iter()
                    .filter(|condition| condition.event.to_string() == event);
                let condition = matching.next();
                condition
                    .is_some_and(|condition| condition.each || self.met.insert(event.to_owned()))
            }
            Start::Every(_) => false,
        };
        self.due += u32::from(starts);
    }
}
