//! Who is concerned by what: from events and names to jobs.
//!
//! Kept up to date as jobs come and go, so that an event costs no more than its
//! subscribers.

use std::hash::Hash;
use std::sync::Arc;

use super::JobId;
use crate::config::JobSpec;
use crate::event::Event;
use crate::hash::HashMap;
use crate::sorted::SortedSet;

/// The relations between the jobs.
#[derive(Debug, Default)]
#[cfg_attr(test, derive(Clone))]
pub(super) struct Index {
    subscribers: HashMap<Event, Vec<JobId>>,
    names: HashMap<Arc<str>, Vec<JobId>>,
    stop_hooks: SortedSet<JobId>,
}

impl Index {
    pub(super) fn add(&mut self, id: JobId, spec: &JobSpec) {
        for event in spec.when.start.subscriptions() {
            insert(&mut self.subscribers, event, id);
        }
        insert(&mut self.names, Arc::clone(&spec.name), id);
        if spec.when.start.is_by_an_end() {
            self.stop_hooks.insert(id);
        }
    }

    /// Undoes [`Index::add`] with the same spec.
    pub(super) fn remove(&mut self, id: JobId, spec: &JobSpec) {
        for event in spec.when.start.subscriptions() {
            remove(&mut self.subscribers, &event, id);
        }
        remove(&mut self.names, &spec.name, id);
        self.stop_hooks.remove(&id);
    }

    /// The jobs that wait for `event`, in the order in which they came.
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

    /// Whether any job may start because something ends.
    pub(super) fn has_stop_hooks(&self) -> bool {
        !self.stop_hooks.is_empty()
    }
}

fn insert<K: Eq + Hash>(map: &mut HashMap<K, Vec<JobId>>, key: K, id: JobId) {
    let ids = map.entry(key).or_default();
    let at = ids.partition_point(|other| *other < id);
    ids.insert(at, id);
}

fn remove<K: Eq + Hash>(map: &mut HashMap<K, Vec<JobId>>, key: &K, id: JobId) {
    if let Some(ids) = map.get_mut(key) {
        if let Ok(at) = ids.binary_search(&id) {
            ids.remove(at);
        }
        if ids.is_empty() {
            map.remove(key);
        }
    }
}
