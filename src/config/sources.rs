//! What the jobs of a configuration can wait for: which events its jobs and watches
//! emit.

use crate::event::{Code, Event, GLOBAL};

use super::Config;
use super::job::JobSpec;
use super::suggest;
use super::telemetry;
use super::watch::WatchSpec;
use super::when::SIGNALS;

/// The prefix of a watch in the source of an event.
const WATCH: &str = "watch.";

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
    pub(super) fn check(&self, event: &Event) -> Result<(), String> {
        let source = &*event.source;
        if event.code == Code::Signal || (source == GLOBAL && event.code.is_global()) {
            return Ok(());
        }
        let code = config_name(event.code);
        if event.code.is_global() {
            return Err(format!(
                "the source of {code:?} is {GLOBAL:?}, not {source:?}"
            ));
        }
        if let Some(watch) = source.strip_prefix(WATCH) {
            return self.check_watch(watch, event.code);
        }
        match self.jobs_called(source) {
            jobs if jobs.iter().any(|job| emits(job.is, event.code)) => Ok(()),
            [_, ..] => Err(format!("job[{source}] {}", lack(event.code))),
            [] if self.telemetry && source == telemetry::SERVICE && event.code == Code::Healthy => {
                Ok(())
            }
            [] => Err(format!("no job is called {source:?}{}", self.hint(source))),
        }
    }

    fn check_watch(&self, name: &str, code: Code) -> Result<(), String> {
        if !self.has_watch(name) {
            let hint = suggest::hint(name, self.watches.iter().map(|watch| watch.name));
            return Err(format!("no watch is called {name:?}{hint}"));
        }
        match code {
            Code::Changed | Code::Healthy | Code::Unhealthy => Ok(()),
            other => {
                let code = config_name(other);
                Err(format!(
                    "a watch is changed, healthy or unhealthy, never {code:?}"
                ))
            }
        }
    }

    /// The source that was probably meant.
    fn hint(&self, source: &str) -> String {
        if self.has_watch(source) {
            return format!("; did you mean \"{WATCH}{source}\"?");
        }
        let known = self.jobs.iter().map(|job| job.name).chain(SIGNALS);
        suggest::hint(source, known)
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
