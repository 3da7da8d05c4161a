//! What a reload does with each job: a pure comparison of two configurations
//! (SPEC §14).

use std::collections::{HashMap, VecDeque};
use std::fmt;
use std::sync::Arc;

use super::JobId;
use crate::config::JobSpec;

/// What a reload does with one job.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Change {
    /// Nothing: it is as before.
    Keep(JobId),
    /// Its process stays; the rest of it follows the new configuration.
    Update(JobId),
    /// It completes, and begins by its new rules once it has.
    Replace(JobId),
    /// It begins.
    Start,
    /// It completes.
    Stop(JobId),
}

/// One job of a plan.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Step {
    /// What is done.
    pub(super) change: Change,
    /// The job, as the new configuration has it; as the old one has it if it is
    /// to stop.
    pub(super) spec: JobSpec,
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let verb = match self.change {
            Change::Keep(_) => "keep",
            Change::Update(_) => "update",
            Change::Replace(_) => "replace",
            Change::Start => "start",
            Change::Stop(_) => "stop",
        };
        write!(f, "{verb} {}", self.spec.name)
    }
}

/// From the jobs that are there to those that are wanted. Jobs are the same by
/// their name; several of one name are paired in their order. What stops comes
/// first.
pub(super) fn plan<'a>(
    current: impl Iterator<Item = (JobId, &'a JobSpec)>,
    wanted: Vec<JobSpec>,
) -> Vec<Step> {
    let mut by_name: HashMap<Arc<str>, VecDeque<(JobId, &JobSpec)>> = HashMap::new();
    for (id, spec) in current {
        by_name
            .entry(Arc::clone(&spec.name))
            .or_default()
            .push_back((id, spec));
    }
    let mut steps = Vec::with_capacity(wanted.len());
    for spec in wanted {
        let before = by_name.get_mut(&spec.name).and_then(VecDeque::pop_front);
        let change = before.map_or(Change::Start, |(id, before)| compare(id, before, &spec));
        steps.push(Step { change, spec });
    }
    let mut gone: Vec<(JobId, &JobSpec)> = by_name.into_values().flatten().collect();
    gone.sort_unstable_by_key(|(id, _)| *id);
    let stops = gone.into_iter().map(|(id, spec)| Step {
        change: Change::Stop(id),
        spec: spec.clone(),
    });
    stops.chain(steps).collect()
}

/// What shapes the process is compared apart from the rest: only a change of
/// the former is worth a restart.
fn compare(id: JobId, before: &JobSpec, now: &JobSpec) -> Change {
    if before == now {
        Change::Keep(id)
    } else if before.exec == now.exec {
        Change::Update(id)
    } else {
        Change::Replace(id)
    }
}
