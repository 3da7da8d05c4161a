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

/// The codes of the events that jobs emit.
const OF_JOBS: [Code; 7] = [
    Code::ExitSuccess,
    Code::ExitFailed,
    Code::Healthy,
    Code::Unhealthy,
    Code::Stopping,
    Code::Stopped,
    Code::TimerExpired,
];

/// Which jobs can start, by their places in the file.
pub(super) struct Reach<'c> {
    jobs: &'c [JobSpec],
    sources: &'c Sources<'c>,
    starts: Vec<bool>,
    /// Which events can come of the jobs of a name as far as is known, a bit for
    /// each code: thousands may wait for one name, and have it.
    coming: HashMap<&'c str, u32>,
    /// The names of which more can come than what those who wait know of.
    news: Vec<&'c str>,
    /// Of each job that can't start, the first one that would have to start for it.
    awaited: Vec<Option<usize>>,
}

impl<'c> Reach<'c> {
    /// Which of `jobs` can start.
    pub(super) fn of(jobs: &'c [JobSpec], sources: &'c Sources<'c>) -> Self {
        let mut waiting: HashMap<&str, Vec<usize>> = HashMap::default();
        let mut coming: HashMap<&str, u32> = HashMap::default();
        for job in jobs {
            *coming.entry(&*job.name).or_default() |=
                codes(|code| comes_without_a_start(job, code));
        }
        let mut reach = Self {
            jobs,
            sources,
            starts: vec![false; jobs.len()],
            coming,
            news: Vec::new(),
            awaited: Vec::new(),
        };
        for (index, job) in jobs.iter().enumerate() {
            if reach.find_out(index) {
                continue;
            }
            for event in job.when.start.events().filter(|event| is_of_a_job(event)) {
                waiting.entry(&*event.source).or_default().push(index);
            }
        }
        // What starts may be what others wait for.
        while let Some(name) = reach.news.pop() {
            let mut hopeful = waiting.remove(name).unwrap_or_default();
            hopeful.retain(|index| !reach.starts(*index) && !reach.find_out(*index));
            waiting.insert(name, hopeful);
        }
        let never = |index| match reach.starts(index) {
            true => None,
            false => reach.awaited_in_vain(index),
        };
        reach.awaited = (0..jobs.len()).map(never).collect();
        reach
    }

    /// Why the job at `index` never starts, if it does not.
    pub(super) fn obstacle(&self, index: usize) -> Option<String> {
        let next = |index: usize| self.awaited.get(index).copied().flatten();
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
        let Some(job) = self.jobs.get(index) else {
            return false;
        };
        let start = &job.when.start;
        let starts = match start {
            Start::Every(_) => true,
            Start::All(_) => start.events().all(|event| self.can_come(event)),
            Start::Any(_) => start.events().any(|event| self.can_come(event)),
        };
        if starts {
            if let Some(known) = self.starts.get_mut(index) {
                *known = true;
            }
            let coming = self.coming.entry(&*job.name).or_default();
            let all = *coming | codes(|code| emits(job, code));
            if std::mem::replace(coming, all) != all {
                self.news.push(&job.name);
            }
        }
        starts
    }

    /// Whether an event can come as far as is known.
    fn can_come(&self, event: &Event) -> bool {
        if !is_of_a_job(event) {
            return true;
        }
        match self.coming.get(&*event.source) {
            Some(coming) => coming & bit(event.code) != 0,
            None => self.sources.check(event).is_ok(),
        }
    }

    /// The first job that would have to start for the one at `index`.
    fn awaited_in_vain(&self, index: usize) -> Option<usize> {
        let events = self.jobs.get(index)?.when.start.events();
        events
            .filter(|event| !self.can_come(event))
            .find_map(|event| {
                let mut jobs = self.sources.jobs_called(&event.source).iter();
                let source = jobs.find(|source| emits(source.is, event.code));
                source.map(|source| source.index)
            })
    }
}

/// Those of the codes of which it holds, a bit each.
fn codes(holds: impl Fn(Code) -> bool) -> u32 {
    let held = OF_JOBS.into_iter().filter(|code| holds(*code));
    held.fold(0, |bits, code| bits | bit(code))
}

fn bit(code: Code) -> u32 {
    1 << code as u32
}

/// Whether an event of a job comes even if the job never starts: it ends at
/// shutdown all the same, but for the jobs that wait for just that.
fn comes_without_a_start(job: &JobSpec, code: Code) -> bool {
    match code {
        Code::Stopping | Code::Stopped => !is_stop_hook(job),
        Code::TimerExpired => emits(job, code),
        _ => false,
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
