//! The requests of operators that are not answered yet, and what each waits for.

use std::collections::{BTreeMap, BTreeSet};

use super::IMPOSSIBLE;
use crate::control::request::Operation;
use crate::message::ReplyTo;
use crate::supervisor::{JobId, OperationId};

/// What a request waits for of one job.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Goal {
    /// That nothing of it is alive.
    Gone,
    /// That nothing of it is alive, and then that it runs anew.
    Anew,
    /// That its process runs.
    Up,
    /// That its process runs or cannot: it runs because another job has stopped.
    Begun,
}

/// A request that is not answered yet.
#[derive(Debug)]
#[cfg_attr(test, derive(Clone))]
pub(super) struct Pending {
    pub(super) operation: Operation,
    pub(super) goals: BTreeMap<JobId, Goal>,
    pub(super) failures: Vec<(u16, String)>,
    pub(super) reply_to: ReplyTo,
}

/// The requests that are not answered yet.
#[derive(Debug, Default)]
#[cfg_attr(test, derive(Clone))]
pub(in crate::supervisor) struct Operations {
    pub(super) pending: BTreeMap<OperationId, Pending>,
    /// Jobs that are to begin anew though nobody waits for that any more.
    pub(super) unattended: BTreeSet<JobId>,
    pub(super) last: u64,
}

impl Operations {
    /// Replaces what is waited for of a job by something else, or by the reason
    /// for which it does not come true.
    pub(super) fn redirect(
        &mut self,
        job: JobId,
        to: impl Fn(Goal) -> Result<Goal, (u16, String)>,
    ) {
        for pending in self.pending.values_mut() {
            let Some(goal) = pending.goals.get_mut(&job) else {
                continue;
            };
            match to(*goal) {
                Ok(next) => *goal = next,
                Err(failure) => {
                    pending.goals.remove(&job);
                    pending.failures.push(failure);
                }
            }
        }
    }

    /// A request is not waited for any more; jobs begin anew all the same.
    pub(super) fn leave(&mut self, id: OperationId) -> Option<Pending> {
        let pending = self.pending.remove(&id)?;
        let goals = pending.goals.iter();
        let anew = goals.filter(|(_, goal)| **goal == Goal::Anew);
        self.unattended.extend(anew.map(|(id, _)| *id));
        Some(pending)
    }

    /// Whether the job is to begin anew when it is gone.
    pub(super) fn want_anew(&self, job: JobId) -> bool {
        let mut pending = self.pending.values();
        self.unattended.contains(&job)
            || pending.any(|pending| pending.goals.get(&job) == Some(&Goal::Anew))
    }

    /// The job does not start any more.
    pub(super) fn give_up_start(&mut self, job: JobId, why: &str) {
        self.unattended.remove(&job);
        self.redirect(job, |goal| match goal {
            Goal::Gone | Goal::Begun => Ok(goal),
            Goal::Anew | Goal::Up => Err((IMPOSSIBLE, why.to_owned())),
        });
    }

    /// The live run of the job is not the one that counts: the next one is.
    pub(super) fn expect_next_start(&mut self, job: JobId) {
        self.redirect(job, |goal| match goal {
            Goal::Up => Ok(Goal::Anew),
            Goal::Gone | Goal::Anew | Goal::Begun => Ok(goal),
        });
    }

    /// Who waits for what runs because jobs of this name have stopped does so no
    /// longer.
    pub(super) fn leave_hooks(&mut self, name: &str) {
        for pending in self.pending.values_mut() {
            if pending.operation.job == name {
                pending.goals.retain(|_, goal| *goal != Goal::Begun);
            }
        }
    }

    /// What was waited for of the job has come true.
    pub(super) fn achieve(&mut self, job: JobId, goals: &[Goal]) {
        for pending in self.pending.values_mut() {
            if pending
                .goals
                .get(&job)
                .is_some_and(|goal| goals.contains(goal))
            {
                pending.goals.remove(&job);
            }
        }
    }

    /// Who waited for `before` to begin anew waits for the process of `now`, if it
    /// is not there yet.
    pub(super) fn has_begun(&mut self, before: JobId, now: JobId, is_starting: bool) {
        self.unattended.remove(&before);
        for pending in self.pending.values_mut() {
            if pending.goals.get(&before) == Some(&Goal::Anew) {
                pending.goals.remove(&before);
                if is_starting {
                    pending.goals.insert(now, Goal::Up);
                }
            }
        }
    }
}
