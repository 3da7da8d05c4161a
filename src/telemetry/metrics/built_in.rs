//! What the supervisor counts about itself and its jobs (SPEC §11, §16).
//!
//! Plain values on the event loop, recorded by methods that are named for what
//! happened: no locks, no clock, no I/O. A name is looked up where it is
//! recorded (well below a microsecond), so that nobody holds an index that a
//! reload could make point at another job.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::consul::ConsulRequests;
use super::histogram::{DEFAULT_BOUNDS, Histogram};
use super::requests::Requests;
use super::results::Results;
use crate::event::{Code, Event, GLOBAL};
use crate::sorted::SortedMap;

/// The upper bounds for turns of the event loop in seconds: a usual turn takes
/// microseconds, one of more than 50 ms is logged.
const TURN_BOUNDS: &[f64] = &[0.000_01, 0.000_1, 0.001, 0.01, 0.05, 0.1, 0.5, 1.0];

/// The service as which telemetry itself is advertised; its heartbeats are
/// events of this source.
const OWN_SERVICE: &str = "containerpilot";

/// The values of one job, or of all jobs of one name.
#[derive(Clone, Debug, Default, PartialEq)]
pub(in super::super) struct JobValues {
    /// Whether the configuration has the job; one that is being stopped after
    /// it was removed is still counted.
    configured: bool,
    /// Whether there is anything to run; a job that only checks and advertises
    /// has no runs to tell of.
    pub(in super::super) has_exec: bool,
    pub(in super::super) running: u64,
    pub(in super::super) starts: u64,
    pub(in super::super) restarts: u64,
    pub(in super::super) last_exit_code: Option<i32>,
    pub(in super::super) started: Option<Instant>,
    pub(in super::super) healthy: Option<bool>,
    pub(in super::super) checks: Option<Histogram>,
}

/// Whom the configuration names.
#[derive(Clone, Debug, Default)]
pub struct Subjects {
    /// The names of the jobs, and whether they have anything to run.
    pub jobs: Vec<(Arc<str>, bool)>,
    /// The names of the watched services.
    pub watches: Vec<Arc<str>>,
    /// Whether there is a discovery backend.
    pub consul: bool,
}

/// The subjects in the order of their names, to look up thousands of them, and to
/// add each behind the last.
struct Names<'s> {
    jobs: Vec<&'s (Arc<str>, bool)>,
    watches: Vec<&'s str>,
}

impl<'s> Names<'s> {
    fn of(subjects: &'s Subjects) -> Self {
        let mut jobs: Vec<&(Arc<str>, bool)> = subjects.jobs.iter().collect();
        jobs.sort_unstable();
        let mut watches: Vec<&str> = subjects.watches.iter().map(|name| &**name).collect();
        watches.sort_unstable();
        Self { jobs, watches }
    }

    fn has_job(&self, name: &str) -> bool {
        let known = self.jobs.binary_search_by(|(known, _)| (**known).cmp(name));
        known.is_ok()
    }

    fn has_watch(&self, name: &str) -> bool {
        self.watches.binary_search(&name).is_ok()
    }

    /// Whether this event can still happen.
    fn emit(&self, event: &Event) -> bool {
        let source = &*event.source;
        // A health check is a source of its own.
        let source = source.strip_prefix("check.").unwrap_or(source);
        match source.strip_prefix("watch.") {
            Some(service) => self.has_watch(service),
            None => {
                source == GLOBAL
                    || source == OWN_SERVICE
                    || event.code == Code::Signal
                    || self.has_job(source)
            }
        }
    }
}

/// All values that are not pushed by users.
#[derive(Clone, Debug, PartialEq)]
pub struct BuiltIn {
    pub(in super::super) events: SortedMap<Event, u64>,
    /// Answers of the control plane; whoever gives them has a clone of this.
    pub requests: Requests,
    pub(in super::super) instances: SortedMap<Arc<str>, u64>,
    pub(in super::super) jobs: SortedMap<Arc<str>, JobValues>,
    pub(in super::super) reloads: Results,
    /// Whether there is a discovery backend.
    pub(in super::super) has_consul: bool,
    /// Requests to it; whoever makes them has a clone of this.
    pub consul: ConsulRequests,
    pub(in super::super) turns: Histogram,
}

impl Default for BuiltIn {
    fn default() -> Self {
        Self {
            events: SortedMap::default(),
            requests: Requests::default(),
            instances: SortedMap::default(),
            jobs: SortedMap::default(),
            reloads: Results::default(),
            has_consul: false,
            consul: ConsulRequests::default(),
            turns: Histogram::new(TURN_BOUNDS),
        }
    }
}

impl BuiltIn {
    /// Follows the configuration, at start and at reload: the values of what
    /// is still there go on, those of what is gone end, so that reloads with
    /// ever new names do not add up.
    pub fn configure(&mut self, subjects: &Subjects) {
        for values in self.jobs.values_mut() {
            values.configured = false;
            values.has_exec = false;
        }
        let names = Names::of(subjects);
        for (name, has_exec) in &names.jobs {
            let values = self.jobs.or_insert_with(name.clone(), JobValues::default);
            if let Some(values) = values {
                values.configured = true;
                values.has_exec |= has_exec;
            }
        }
        self.jobs
            .retain(|_, values| values.configured || values.running > 0);
        self.instances.retain(|name, _| names.has_watch(name));
        self.events.retain(|event, _| names.emit(event));
        self.has_consul = subjects.consul;
    }

    /// An event was published. Those of pushed metrics are not counted: they
    /// are counted by what they push.
    pub fn event_published(&mut self, event: &Event) {
        if event.code == Code::Metric {
            return;
        }
        if let Some(count) = self.events.or_insert_with(event.clone(), || 0) {
            *count += 1;
        }
    }

    /// The catalog told how many instances of a watched service pass.
    pub fn instances_seen(&mut self, service: &Arc<str>, instances: usize) {
        self.instances.insert(service.clone(), instances as u64);
    }

    /// A run of a job was asked for; `again` if it follows another by the
    /// job's restarts.
    pub fn run_asked(&mut self, job: &str, again: bool) {
        if let Some(values) = self.jobs.get_mut(job) {
            values.starts += 1;
            values.restarts += u64::from(again);
        }
    }

    /// The process of a run exists.
    pub fn run_started(&mut self, job: &str, now: Instant) {
        if let Some(values) = self.jobs.get_mut(job) {
            values.running += 1;
            values.started = Some(now);
        }
    }

    /// The process of a run is gone: its exit code, or 128 and the signal.
    pub fn run_ended(&mut self, job: &str, code: i32) {
        let Some(values) = self.jobs.get_mut(job) else {
            return;
        };
        values.running = values.running.saturating_sub(1);
        values.last_exit_code = Some(code);
        if !values.configured && values.running == 0 {
            self.jobs.retain(|name, _| **name != *job);
        }
    }

    /// A run could not be started: 127 if there is no such program, else 126.
    pub fn run_failed_to_start(&mut self, job: &str, code: i32) {
        if let Some(values) = self.jobs.get_mut(job) {
            values.last_exit_code = Some(code);
        }
    }

    /// A job became healthy, or unhealthy, or is no longer checked (`None`).
    pub fn health_known(&mut self, job: &str, healthy: Option<bool>) {
        if let Some(values) = self.jobs.get_mut(job) {
            values.healthy = healthy;
        }
    }

    /// A health check of a job ended, whatever its result, after so long.
    pub fn check_ended(&mut self, job: &str, took: Duration) {
        if let Some(values) = self.jobs.get_mut(job) {
            values
                .checks
                .get_or_insert_with(|| Histogram::new(DEFAULT_BOUNDS))
                .observe(took.as_secs_f64());
        }
    }

    /// A reload was accepted, or refused.
    pub fn reload_ended(&mut self, accepted: bool) {
        self.reloads.count(accepted);
    }

    /// A turn of the event loop took so long, waiting not included.
    pub fn turn_ended(&mut self, took: Duration) {
        self.turns.observe(took.as_secs_f64());
    }
}

#[cfg(test)]
mod tests {
    use super::super::ConsulOp;
    use super::*;

    fn subjects(jobs: &[&str], watches: &[&str]) -> Subjects {
        Subjects {
            jobs: jobs.iter().map(|name| (Arc::from(*name), true)).collect(),
            watches: watches.iter().map(|name| Arc::from(*name)).collect(),
            consul: true,
        }
    }

    fn configured(jobs: &[&str], watches: &[&str]) -> BuiltIn {
        let mut values = BuiltIn::default();
        values.configure(&subjects(jobs, watches));
        values
    }

    fn app(values: &BuiltIn) -> JobValues {
        let mut jobs = values.jobs.iter();
        let found = jobs.find(|(name, _)| ***name == *"app");
        found.map(|(_, values)| values.clone()).unwrap_or_default()
    }

    #[test]
    fn pushed_metrics_are_no_counted_events() {
        let mut values = BuiltIn::default();
        values.event_published(&Event::new(Code::Metric, "a|1"));
        values.event_published(&Event::global(Code::Startup));
        values.event_published(&Event::global(Code::Startup));
        let counts: Vec<_> = values.events.iter().collect();
        assert_eq!(counts, [(&Event::global(Code::Startup), &2)]);
    }

    #[test]
    fn jobs_of_one_name_share_their_values() {
        let mut values = configured(&["app", "app"], &[]);
        let now = Instant::now();
        values.run_started("app", now);
        values.run_started("app", now);
        values.run_ended("app", 3);
        assert_eq!(app(&values).running, 1);
        assert_eq!(app(&values).last_exit_code, Some(3));
    }

    #[test]
    fn jobs_in_any_order_are_put_in_in_time() {
        let names: Vec<String> = (0..200_000).map(|number| format!("{number:06}")).collect();
        let backwards: Vec<&str> = names.iter().rev().map(String::as_str).collect();
        // So many that their square would take minutes.
        let values = configured(&backwards, &[]);
        let known = values.jobs.keys().map(|name| &**name);
        assert!(known.eq(names.iter().map(String::as_str)));
    }

    #[test]
    fn a_reload_ends_the_values_of_what_is_gone() {
        let mut values = configured(&["app", "old"], &["db", "gone"]);
        let sources = [
            "app",
            "old",
            "check.app",
            "check.old",
            "watch.db",
            "watch.gone",
            "SIGHUP",
            "containerpilot",
        ];
        for source in sources {
            let code = if source == "SIGHUP" {
                Code::Signal
            } else {
                Code::Healthy
            };
            values.event_published(&Event::new(code, source));
        }
        values.event_published(&Event::global(Code::Startup));
        values.instances_seen(&"db".into(), 2);
        values.instances_seen(&"gone".into(), 1);
        values.run_asked("app", false);
        values.consul.answered(ConsulOp::Watch, false);

        values.configure(&subjects(&["app", "new"], &["db"]));

        let sources: Vec<&str> = values
            .events
            .iter()
            .map(|(event, _)| &*event.source)
            .collect();
        assert_eq!(
            sources,
            [
                "app",
                "check.app",
                "containerpilot",
                "watch.db",
                "global",
                "SIGHUP"
            ]
        );
        assert_eq!(
            values
                .instances
                .iter()
                .map(|(name, _)| &**name)
                .collect::<Vec<_>>(),
            ["db"]
        );
        assert_eq!(
            values
                .jobs
                .iter()
                .map(|(name, _)| &**name)
                .collect::<Vec<_>>(),
            ["app", "new"]
        );
        assert_eq!(app(&values).starts, 1);
        assert!(values.has_consul);
        assert_eq!(values.consul.ended(ConsulOp::Watch, false), 1);
    }

    #[test]
    fn a_removed_job_is_counted_until_its_process_is_gone() {
        let mut values = configured(&["app"], &[]);
        values.run_started("app", Instant::now());
        values.configure(&Subjects::default());
        assert_eq!(app(&values).running, 1);
        values.run_ended("app", 143);
        assert!(values.jobs.is_empty());
    }

    #[test]
    fn nobody_unknown_gets_values() {
        let mut values = BuiltIn::default();
        values.run_asked("app", true);
        values.run_started("app", Instant::now());
        values.run_ended("app", 0);
        values.run_failed_to_start("app", 127);
        values.health_known("app", Some(true));
        values.check_ended("app", Duration::from_secs(1));
        assert_eq!(values, BuiltIn::default());
    }

    #[test]
    fn operations_are_named_in_the_order_of_their_type() {
        for (index, (op, _)) in ConsulOp::NAMES.iter().enumerate() {
            assert_eq!(*op as usize, index);
        }
    }
}
