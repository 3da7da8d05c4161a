//! Who is concerned by what: from events and names to jobs.
//!
//! Built when the jobs change, so that an event costs no more than its
//! subscribers.

use std::collections::HashMap;
use std::sync::Arc;

use super::JobId;
use super::job::Job;
use crate::config::Start;
use crate::event::{Code, Event};

/// The relations between the jobs.
#[derive(Debug, Default)]
#[cfg_attr(test, derive(Clone))]
pub(super) struct Index {
    subscribers: HashMap<Event, Vec<JobId>>,
    names: HashMap<Arc<str>, Vec<JobId>>,
    /// The jobs that a `once: "stopping"` job runs for, by that job.
    hooked: HashMap<JobId, Vec<JobId>>,
}

impl Index {
    pub(super) fn new<'a>(jobs: impl Iterator<Item = (&'a JobId, &'a Job)> + Clone) -> Self {
        let mut index = Self::default();
        for (id, job) in jobs.clone() {
            index
                .names
                .entry(Arc::clone(job.name()))
                .or_default()
                .push(*id);
            let event = match job.start() {
                Start::Once(event) | Start::Each(event) => event.clone(),
                Start::Every(_) => Event::global(Code::Startup),
            };
            index.subscribers.entry(event).or_default().push(*id);
        }
        for (id, job) in jobs {
            if let Start::Once(event) = job.start()
                && event.code == Code::Stopping
            {
                let hooked = index
                    .names
                    .get(&event.source)
                    .map(Vec::as_slice)
                    .unwrap_or_default();
                index.hooked.insert(
                    *id,
                    hooked
                        .iter()
                        .copied()
                        .filter(|hooked| hooked != id)
                        .collect(),
                );
            }
        }
        index
    }

    /// The jobs that `event` starts, in the order of the file.
    pub(super) fn subscribers(&self, event: &Event) -> &[JobId] {
        self.subscribers
            .get(event)
            .map(Vec::as_slice)
            .unwrap_or_default()
    }

    /// The jobs of this name; there can be several.
    pub(super) fn named(&self, name: &str) -> &[JobId] {
        self.names.get(name).map(Vec::as_slice).unwrap_or_default()
    }

    /// The jobs that run once because the job `id` of this name is stopping.
    pub(super) fn hooks_of(&self, name: &Arc<str>, id: JobId) -> impl Iterator<Item = JobId> {
        let event = Event::new(Code::Stopping, Arc::clone(name));
        let subscribers = self
            .subscribers
            .get(&event)
            .map(Vec::as_slice)
            .unwrap_or_default();
        subscribers
            .iter()
            .copied()
            .filter(move |hook| *hook != id && self.hooked.contains_key(hook))
    }

    /// The jobs that wait for `hook` before they stop.
    pub(super) fn hooked_by(&self, hook: JobId) -> &[JobId] {
        self.hooked
            .get(&hook)
            .map(Vec::as_slice)
            .unwrap_or_default()
    }
}
