//! What runs leave behind in their process groups: something of each that is not
//! killed.

use super::{JobId, Pid, Process, Sim};

/// What is left of a run.
#[derive(Clone, Debug)]
struct Leftover {
    group: Pid,
    job: JobId,
    name: String,
    /// It is of the job's last run. To those of earlier ones nobody has promised an
    /// end.
    is_last: bool,
}

/// What is left of all runs.
#[derive(Clone, Debug, Default)]
pub(super) struct Leftovers(Vec<Leftover>);

impl Leftovers {
    /// A run has ended that led this group.
    pub(super) fn leave(&mut self, group: Pid, name: &str, process: &Process) {
        self.0.push(Leftover {
            group,
            job: process.job,
            name: name.to_owned(),
            is_last: true,
        });
    }

    /// A run of the job has begun.
    pub(super) fn follow(&mut self, job: JobId) {
        let leftovers = self.0.iter_mut();
        let its = leftovers.filter(|leftover| leftover.job == job);
        its.for_each(|leftover| leftover.is_last = false);
    }

    /// Whether something of a job's last run is left.
    pub(super) fn are_there(&self) -> bool {
        self.0.iter().any(|leftover| leftover.is_last)
    }
}

impl Sim {
    /// A group gets SIGKILL whose leader is gone.
    pub(super) fn end_group(&mut self, group: Pid) {
        let mut leftovers = self.leftovers.0.iter();
        let Some(place) = leftovers.position(|leftover| leftover.group == group) else {
            return;
        };
        let leftover = self.leftovers.0.remove(place);
        if self.shows_leftovers {
            self.note("end what is left of", &leftover.name);
        }
    }
}
