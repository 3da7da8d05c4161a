//! What the jobs of a configuration can wait for: which events its jobs and watches
//! emit.

use std::cell::Cell;

use crate::event::{Code, Event, GLOBAL};

use super::Config;
use super::job::JobSpec;
use super::suggest;
use super::telemetry;
use super::watch::WatchSpec;
use super::when::SIGNALS;

/// The prefix of a watch in the source of an event.
pub(super) const WATCH: &str = "watch.";

/// So many names are compared, in all, to tell what was meant: a file of thousands
/// of jobs that wait for nobody must not take minutes to read.
const COMPARISONS: usize = 200_000;

/// Something with a name and its place in the file.
pub(super) struct Named<'c, T> {
    pub(super) name: &'c str,
    pub(super) index: usize,
    pub(super) is: &'c T,
}

/// A list in the order of the names.
fn by_name<'c, T>(list: &'c [T], name: impl Fn(&'c T) -> &'c str) -> Vec<Named<'c, T>> {
    let named = list.iter().enumerate().map(|(index, is)| Named {
        name: name(is),
        index,
        is,
    });
    let mut named: Vec<Named<'c, T>> = named.collect();
    named.sort_unstable_by_key(|named| (named.name, named.index));
    named
}

/// What can be waited for.
pub(super) struct Sources<'c> {
    /// In the order of their names.
    pub(super) jobs: Vec<Named<'c, JobSpec>>,
    /// In the order of their names.
    pub(super) watches: Vec<Named<'c, WatchSpec>>,
    /// Whether the telemetry server is advertised, which is a source, too.
    telemetry: bool,
    /// How many of [`COMPARISONS`] are left.
    comparisons: Cell<usize>,
}

/// Why an event never comes.
pub(super) enum Absence<'e> {
    /// No job has this name.
    Job(&'e str),
    /// No watch has this name.
    Watch(&'e str),
    /// Who has the name has no such event.
    Event(String),
}

impl<'c> Sources<'c> {
    /// Those of a configuration.
    pub(super) fn of(config: &'c Config) -> Self {
        Self {
            jobs: by_name(&config.jobs, |job| &job.name),
            watches: by_name(&config.watches, |watch| &watch.name),
            telemetry: config
                .telemetry
                .as_ref()
                .is_some_and(|telemetry| telemetry.service.is_some()),
            comparisons: Cell::new(COMPARISONS),
        }
    }

    /// The jobs of this name.
    pub(super) fn jobs_called(&self, name: &str) -> &[Named<'c, JobSpec>] {
        let begin = self.jobs.partition_point(|job| job.name < name);
        let end = self.jobs.partition_point(|job| job.name <= name);
        self.jobs.get(begin..end).unwrap_or_default()
    }

    fn has_watch(&self, name: &str) -> bool {
        let found = self.watches.binary_search_by_key(&name, |watch| watch.name);
        found.is_ok()
    }

    /// Why the event never comes, if it doesn't.
    pub(super) fn check<'e>(&self, event: &'e Event) -> Result<(), Absence<'e>> {
        let source = &*event.source;
        if event.code == Code::Signal || (source == GLOBAL && event.code.is_global()) {
            return Ok(());
        }
        let code = config_name(event.code);
        if event.code.is_global() {
            let message = format!("the source of {code:?} is {GLOBAL:?}, not {source:?}");
            return Err(Absence::Event(message));
        }
        if let Some(watch) = source.strip_prefix(WATCH) {
            return self.check_watch(watch, event.code);
        }
        match self.jobs_called(source) {
            jobs if jobs.iter().any(|job| emits(job.is, event.code)) => Ok(()),
            [_, ..] => {
                let message = format!("job[{source}] {}", lack(event.code));
                Err(Absence::Event(message))
            }
            [] if self.telemetry && source == telemetry::SERVICE && event.code == Code::Healthy => {
                Ok(())
            }
            [] => Err(Absence::Job(source)),
        }
    }

    fn check_watch<'e>(&self, name: &'e str, code: Code) -> Result<(), Absence<'e>> {
        match code {
            _ if !self.has_watch(name) => Err(Absence::Watch(name)),
            Code::Changed | Code::Healthy | Code::Unhealthy => Ok(()),
            other => {
                let code = config_name(other);
                let message = format!("a watch is changed, healthy or unhealthy, never {code:?}");
                Err(Absence::Event(message))
            }
        }
    }

    /// What an operator is told of an event that never comes.
    pub(super) fn explain(&self, absence: Absence<'_>) -> String {
        match absence {
            Absence::Event(message) => message,
            Absence::Job(name) if self.has_watch(name) => {
                format!("no job is called {name:?}; did you mean \"{WATCH}{name}\"?")
            }
            Absence::Job(name) => {
                let known = self.jobs.iter().map(|job| job.name).chain(SIGNALS);
                format!("no job is called {name:?}{}", self.hint(name, known))
            }
            Absence::Watch(name) => {
                let known = self.watches.iter().map(|watch| watch.name);
                format!("no watch is called {name:?}{}", self.hint(name, known))
            }
        }
    }

    /// What was probably meant, while there are comparisons left.
    fn hint<'k>(&self, name: &str, known: impl Iterator<Item = &'k str>) -> String {
        let left = self.comparisons.get();
        let mut compared = 0;
        let hint = suggest::hint(name, known.take(left).inspect(|_| compared += 1));
        self.comparisons.set(left - compared);
        hint
    }
}

/// Whether a job can emit an event of its own.
pub(super) fn emits(job: &JobSpec, code: Code) -> bool {
    match code {
        Code::ExitSuccess | Code::ExitFailed => job.exec.is_some(),
        Code::Healthy | Code::Unhealthy => job.health.is_some(),
        Code::TimerExpired => job.when.timeout.is_some(),
        Code::Stopping | Code::Stopped => true,
        Code::Changed
        | Code::EnterMaintenance
        | Code::ExitMaintenance
        | Code::Error
        | Code::Quit
        | Code::Metric
        | Code::Started
        | Code::Startup
        | Code::Shutdown
        | Code::Signal => false,
    }
}

/// What a job lacks that can't emit such an event.
fn lack(code: Code) -> String {
    match code {
        Code::ExitSuccess | Code::ExitFailed => "has no exec".to_owned(),
        Code::Healthy | Code::Unhealthy => "has no health check".to_owned(),
        Code::TimerExpired => "has no when.timeout".to_owned(),
        other => format!("never emits {:?}", config_name(other)),
    }
}

fn config_name(code: Code) -> &'static str {
    code.config_name().unwrap_or_default()
}
