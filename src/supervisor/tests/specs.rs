//! Configurations of the simulated world, in the words of the file.

use std::sync::Arc;
use std::time::Duration;

use crate::config::logging::Level;
use crate::config::url::Place;
use crate::config::{
    Backoff, CheckSpec, Condition, Config, ControlSpec, ExecSpec, HealthSpec, JobSpec, LoggingSpec,
    ProbeSpec, Restarts, Start, When,
};
use crate::event::{Code, Event, GLOBAL};

/// A job that runs `NAME` once, at startup.
pub(super) fn job(name: &str) -> JobSpec {
    JobSpec {
        name: name.into(),
        exec: Some(exec(name)),
        when: When::default(),
        restarts: Restarts::Limited(0),
        backoff: Some(Backoff::default()),
        essential: false,
        timeout: None,
        stop_timeout: None,
        stop_signal: libc::SIGTERM,
        kill_timeout: None,
        health: None,
        service: None,
    }
}

pub(super) fn exec(name: &str) -> Arc<ExecSpec> {
    Arc::new(ExecSpec {
        argv: vec![name.into()],
        raw: false,
        context: None,
    })
}

/// Changes to a job, in the words of the configuration.
impl JobSpec {
    pub(super) fn once(mut self, code: Code, source: &str) -> Self {
        self.when.start = Start::once(Event::new(code, source));
        self
    }

    pub(super) fn each(mut self, code: Code, source: &str) -> Self {
        self.when.start = Start::each(Event::new(code, source));
        self
    }

    /// `when.all`
    pub(super) fn all(mut self, events: &[(Code, &str)]) -> Self {
        let events = events.iter();
        let events = events.map(|(code, source)| Event::new(*code, *source));
        self.when.start = Start::All(events.collect());
        self
    }

    /// `when.any`: `true` is `each`, `false` is `once`.
    pub(super) fn any(mut self, conditions: &[(bool, Code, &str)]) -> Self {
        let conditions = conditions.iter();
        let conditions = conditions.map(|(each, code, source)| Condition {
            event: Event::new(*code, *source),
            each: *each,
        });
        self.when.start = Start::Any(conditions.collect());
        self
    }

    pub(super) fn on_shutdown(self) -> Self {
        self.once(Code::Shutdown, GLOBAL)
    }

    pub(super) fn every(mut self, ms: u64) -> Self {
        self.when.start = Start::Every(Duration::from_millis(ms));
        self.restarts = Restarts::Unlimited;
        self.timeout = Some(Duration::from_millis(ms));
        self
    }

    pub(super) fn waits_at_most(mut self, ms: u64) -> Self {
        self.when.timeout = Some(Duration::from_millis(ms));
        self
    }

    pub(super) fn restarts(mut self, restarts: u64) -> Self {
        self.restarts = Restarts::Limited(restarts);
        self
    }

    pub(super) fn forever(mut self) -> Self {
        self.restarts = Restarts::Unlimited;
        self
    }

    pub(super) fn without_backoff(mut self) -> Self {
        self.backoff = None;
        self
    }

    pub(super) fn essential(mut self) -> Self {
        self.essential = true;
        self
    }

    pub(super) fn timeout(mut self, ms: u64) -> Self {
        self.timeout = Some(Duration::from_millis(ms));
        self
    }

    pub(super) fn stop_timeout(mut self, ms: u64) -> Self {
        self.stop_timeout = Some(Duration::from_millis(ms));
        self
    }

    pub(super) fn stops_on(mut self, signal: i32) -> Self {
        self.stop_signal = signal;
        self
    }

    pub(super) fn kill_timeout(mut self, ms: u64) -> Self {
        self.kill_timeout = Some(Duration::from_millis(ms));
        self
    }

    pub(super) fn checked_every(mut self, interval_ms: u64, timeout_ms: u64) -> Self {
        self.health = Some(HealthSpec {
            check: Some(CheckSpec::Exec(exec("check"))),
            interval: Duration::from_millis(interval_ms),
            timeout: Duration::from_millis(timeout_ms),
            healthy_after: 1,
            unhealthy_after: 1,
            start_period: Duration::ZERO,
            restart_after: None,
        });
        self
    }

    /// As [`Self::checked_every`], with a check that is built in.
    pub(super) fn probed_every(self, interval_ms: u64, timeout_ms: u64) -> Self {
        let place = Place::Unix("/run/app.socket".into());
        let probe = Arc::new(ProbeSpec::Connect(place));
        self.checked_every(interval_ms, timeout_ms)
            .health(|health| health.check = Some(CheckSpec::Probe(Arc::clone(&probe))))
    }

    /// A change of a checked job.
    pub(super) fn health(mut self, change: impl Fn(&mut HealthSpec)) -> Self {
        self.health.iter_mut().for_each(change);
        self
    }

    pub(super) fn restarts_after(self, failures: u32) -> Self {
        self.health(|health| health.restart_after = Some(failures))
    }

    pub(super) fn runs(mut self, program: &str) -> Self {
        self.exec = Some(exec(program));
        self
    }

    pub(super) fn without_exec(mut self) -> Self {
        self.exec = None;
        self
    }
}

pub(super) fn config(jobs: Vec<JobSpec>) -> Config {
    Config {
        consul: None,
        logging: LoggingSpec {
            level: Level::Debug,
            ..LoggingSpec::default()
        },
        stop_timeout: Duration::from_secs(5),
        control: Some(ControlSpec::at("/run/test.socket")),
        end_leftovers: false,
        init: None,
        jobs,
        watches: Vec::new(),
        telemetry: None,
        included_from: Vec::new(),
        warnings: Vec::new(),
    }
}
