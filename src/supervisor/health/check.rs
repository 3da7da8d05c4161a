//! One health check, and where its result comes from.

use std::time::Instant;

use crate::message::{ExecId, Pid};
use crate::supervisor::effects::Effects;
use crate::tail::Tail;

/// A check in flight.
#[derive(Debug)]
#[cfg_attr(test, derive(Clone))]
pub(super) struct Check {
    pub(super) exec: ExecId,
    /// Of its process, once that has started.
    pub(super) pid: Option<Pid>,
    /// It is a built-in one, which has no process.
    pub(super) is_probe: bool,
    pub(super) origin: Origin,
    /// Its result does not count any more: it took too long, its run failed, or
    /// checking ended. Its process, if it has one, is being killed.
    pub(super) discarded: bool,
    /// When it has had its time, and the last word, too.
    pub(super) due: Option<Instant>,
}

impl Check {
    /// Whether it hangs: a built-in one ends in its time otherwise.
    pub(super) fn hangs(&self, now: Instant) -> bool {
        self.is_probe && self.due.is_some_and(|due| due <= now)
    }
}

/// Where a result comes from.
#[derive(Clone, Debug)]
pub(super) struct Origin {
    /// When the check began,
    pub(super) began: Instant,
    /// and whether that was before the present run, of which it says nothing.
    pub(super) is_stale: bool,
    /// What its process prints.
    pub(super) tail: Option<Tail>,
}

impl Origin {
    /// A check that begins now.
    pub(super) fn new(fx: &Effects) -> Self {
        Self {
            began: fx.now,
            is_stale: false,
            tail: None,
        }
    }
}
