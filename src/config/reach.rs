//! Which jobs can start at all: a job that waits for an event of one that never
//! starts never starts either, and least of all one that waits for itself over
//! some others.

use crate::event::{Code, Event};
use crate::hash::HashMap;

use super::job::JobSpec;
use super::sources::{Sources, emits};
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
        let mut waiting: HashMap<&str, Vec<usize>> = HashMap::default();
        let mut reach = Self {
            jobs,
            sources,
            starts: vec![false; jobs.len()],
        };
        let mut started = Vec::new();
        for (index, job) in jobs.iter().enumerate() {
            if reach.find_out(index) {
                started.push(index);
                continue;
            }
            for event in job.when.start.events().filter(|event| is_of_a_job(event)) {
                waiting.entry(&*event.source).or_default().push(index);
            }
        }
        // What starts may be what others wait for.
        while let Some(index) = started.pop() {
            let Some(name) = jobs.get(index).map(|job| &*job.name) else {
                continue;
            };
            let mut hopeful = waiting.remove(name).unwrap_or_default();
            hopeful.retain(|index| {
                let starts = !reach.starts(*index) && reach.find_out(*index);
                started.extend(starts.then_some(*index));
                !reach.starts(*index)
            });
            waiting.insert(name, hopeful);
        }
        reach
    }

    /// Why the job at `index` never starts, if it does not.
    pub(super) fn obstacle(&self, index: usize) -> Option<String> {
        let next = |index: usize| self.awaited_in_vain(index);
        if self.starts(index) {
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

    fn starts(&self, index: usize) -> bool {
        self.starts.get(index).copied().unwrap_or(true)
    }

    /// Takes note of whether a job starts by itself, or by events that can come
    /// as far as is known.
    fn find_out(&mut self, index: usize) -> bool {
        let start = self.jobs.get(index).map(|job| &job.when.start);
        let starts = start.is_none_or(|start| match start {
            Start::Every(_) => true,
            Start::All(_) => start.events().all(|event| self.can_come(event)),
            Start::Any(_) => start.events().any(|event| self.can_come(event)),
        });
        if let Some(known) = self.starts.get_mut(index) {
            *known = starts;
        }
        starts
    }

    /// Whether an event can come as far as is known.
    fn can_come(&self, event: &Event) -> bool {
        if !is_of_a_job(event) {
            return true;
        }
        let jobs = self.sources.jobs_called(&event.source);
        if jobs.is_empty() {
            return self.sources.check(event).is_ok();
        }
        jobs.iter().any(|source| {
            let starts = self.starts(source.index);
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
        let mut events = self.jobs.get(index)?.when.start.events();
        events.find_map(|event| {
            let mut jobs = self.sources.jobs_called(&event.source).iter();
            let source = jobs.find(|source| emits(source.is, event.code));
            let source = source.filter(|_| !self.can_come(event));
            source.map(|source| source.index)
        })
    }
}

/// Whether a job or a watch has to cause the event.
fn is_of_a_job(event: &Event) -> bool {
    event.code != Code::Signal && !event.code.is_global()
}

/// Whether the job runs because another one ends.
fn is_stop_hook(job: &JobSpec) -> bool {
    let mut events = job.when.start.events();
    events.any(|event| matches!(event.code, Code::Stopping | Code::Stopped))
}
