//! Which jobs can start at all: a job that waits for an event of one that never
//! starts never starts either, and least of all one that waits for itself over
//! some others.

use std::collections::HashMap;

use crate::event::{Code, Event};

use super::job::JobSpec;
use super::references::{Sources, emits};
use super::when::Start;

/// So many jobs of a circle are named.
const NAMED: usize = 8;

/// Which jobs can start, by their places in the file.
pub(super) struct Reach<'c> {
    jobs: &'c [JobSpec],
    sources: &'c Sources<'c>,
    starts: Vec<bool>,
}

impl<'c> Reach<'c> {
    /// Which of `jobs` can start.
    pub(super) fn of(jobs: &'c [JobSpec], sources: &'c Sources<'c>) -> Self {
        let mut waiting: HashMap<&str, Vec<usize>> = HashMap::new();
        let mut reach = Self {
            jobs,
            sources,
            starts: vec![false; jobs.len()],
        };
        let mut started = Vec::new();
        for (index, job) in jobs.iter().enumerate() {
            if reach.is_met(job) {
                started.push(index);
            } else if let Some(event) = awaited(job) {
                waiting.entry(&*event.source).or_default().push(index);
            }
        }
        // What starts may be what others wait for.
        while let Some(index) = started.pop() {
            if let Some(starts) = reach.starts.get_mut(index) {
                *starts = true;
            }
            let Some(name) = jobs.get(index).map(|job| &*job.name) else {
                continue;
            };
            let Some(hopeful) = waiting.remove(name) else {
                continue;
            };
            let met = |index: &usize| jobs.get(*index).is_some_and(|job| reach.is_met(job));
            let (met, unmet): (Vec<usize>, Vec<usize>) = hopeful.into_iter().partition(met);
            started.extend(met);
            waiting.insert(name, unmet);
        }
        reach
    }

    /// Why the job at `index` never starts, if it does not.
    pub(super) fn obstacle(&self, index: usize) -> Option<String> {
        let next = |index: usize| self.awaited_in_vain(index);
        if self.starts.get(index).copied().unwrap_or(true) {
            return None;
        }
        let mut chain = vec![next(index)?];
        while let Some(last) = chain.last().copied()
            && last != index
        {
            match next(last).filter(|next| !chain.contains(next)) {
                Some(next) if chain.len() < NAMED => chain.push(next),
                // It waits for a circle, or for one that waits for nobody.
                _ => {
                    chain.truncate(1);
                    break;
                }
            }
        }
        let name = |index: &usize| self.jobs.get(*index).map_or("", |job| &*job.name);
        let names: Vec<String> = chain
            .iter()
            .map(|index| format!("job[{}]", name(index)))
            .collect();
        Some(match (names.as_slice(), chain.last() == Some(&index)) {
            ([_], true) => "can never start: it waits for itself".to_owned(),
            (names, true) => format!(
                "can never start: it waits for {}",
                names.join(", which waits for ")
            ),
            (names, false) => format!(
                "can never start: it waits for {}, which can never start",
                names.concat()
            ),
        })
    }

    /// Whether the job starts by itself, or by an event that can come as far as
    /// is known.
    fn is_met(&self, job: &JobSpec) -> bool {
        let Some(event) = awaited(job) else {
            return true;
        };
        let jobs = self.sources.jobs_called(&event.source);
        if jobs.is_empty() {
            return self.sources.check(event).is_ok();
        }
        jobs.iter().any(|source| {
            let starts = self.starts.get(source.index).copied().unwrap_or(false);
            match event.code {
                // Also what never starts stops at shutdown, but for the jobs
                // that wait for just that.
                Code::Stopping | Code::Stopped => starts || !is_stop_hook(source.is),
                Code::TimerExpired => emits(source.is, event.code),
                code => starts && emits(source.is, code),
            }
        })
    }

    /// The first job that would have to start for the one at `index`.
    fn awaited_in_vain(&self, index: usize) -> Option<usize> {
        let event = awaited(self.jobs.get(index)?)?;
        let jobs = self.sources.jobs_called(&event.source).iter();
        let mut jobs = jobs.filter(|source| emits(source.is, event.code));
        jobs.next().map(|source| source.index)
    }
}

/// The event of another job that the job waits for.
fn awaited(job: &JobSpec) -> Option<&Event> {
    match &job.when.start {
        Start::Once(event) | Start::Each(event) => {
            (event.code != Code::Signal && !event.code.is_global()).then_some(event)
        }
        Start::Every(_) => None,
    }
}

/// Whether the job runs because another one ends.
fn is_stop_hook(job: &JobSpec) -> bool {
    awaited(job).is_some_and(|event| matches!(event.code, Code::Stopping | Code::Stopped))
}
