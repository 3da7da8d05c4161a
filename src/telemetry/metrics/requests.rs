//! Answers of the control plane, counted where they are given.
//!
//! The one family that does not live on the event loop: telling the loop of
//! every answer would wake it once more for each request.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::sorted::SortedMap;

/// Counts by status and path; clones share them.
#[derive(Clone, Debug, Default)]
pub struct Requests(Arc<Mutex<Counts>>);

type Counts = SortedMap<(u16, &'static str), u64>;

impl Requests {
    /// A request was answered with this HTTP status. The path is that of an
    /// endpoint, or `other`.
    pub fn answered(&self, status: u16, path: &'static str) {
        let mut counts = self.lock();
        if let Some(count) = counts.or_insert_with((status, path), || 0) {
            *count += 1;
        }
    }

    /// The counts now.
    pub(in super::super) fn counts(&self) -> Counts {
        self.lock().clone()
    }

    fn lock(&self) -> MutexGuard<'_, Counts> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl PartialEq for Requests {
    fn eq(&self, other: &Self) -> bool {
        self.counts() == other.counts()
    }
}
