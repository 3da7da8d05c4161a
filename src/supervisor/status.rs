//! What the control plane is told of the supervisor and its jobs (SPEC §16).

use std::time::Instant;

use super::Supervisor;
use super::effects::Phase;
use super::job::Job;
use crate::control::request::Reply;
use crate::control::status::{JobStatus, Status, SupervisorStatus, Told, WatchStatus};
use crate::version::VERSION;

/// What has happened to the supervisor as a whole.
#[derive(Debug)]
#[cfg_attr(test, derive(Clone))]
pub(super) struct Chronicle {
    started: Instant,
    last_reload: Option<Told>,
    consul: Option<Told>,
}

impl Chronicle {
    pub(super) fn new(now: Instant) -> Self {
        Self {
            started: now,
            last_reload: None,
            consul: None,
        }
    }

    /// A reload was accepted, or refused and why.
    pub(super) fn reloaded(&mut self, result: Result<(), String>, now: Instant) {
        self.last_reload = Some(Told { at: now, result });
    }

    /// Consul can be reached, or no longer and why.
    pub(super) fn reachable(&mut self, result: Result<(), String>, now: Instant) {
        self.consul = Some(Told { at: now, result });
    }

    /// Another Consul is asked from now on.
    pub(super) fn forget_consul(&mut self) {
        self.consul = None;
    }
}

impl Supervisor {
    /// All there is to know.
    pub(super) fn full_status(&self) -> Status {
        let consul = self.config.consul.as_ref();
        let watches = self.watches.iter().map(|watch| WatchStatus {
            name: watch.name().to_string(),
            instances: watch.instances(),
        });
        Status {
            now: self.fx.now,
            supervisor: SupervisorStatus {
                version: VERSION,
                pid: self.identity.pid,
                started: self.chronicle.started,
                is_shutting_down: self.fx.phase != Phase::Running,
                maintenance: self.fx.maintenance,
                config: self.identity.config.clone(),
                last_reload: self.chronicle.last_reload.clone(),
                consul: consul.map(|_| self.chronicle.consul.clone()),
            },
            jobs: self
                .jobs
                .values()
                .map(|job| job.full_status(&self.fx))
                .collect(),
            watches: watches.collect(),
        }
    }

    /// The jobs of one name.
    pub(super) fn job_status(&self, name: &str) -> Reply {
        let jobs = self.statuses(name);
        match jobs.is_empty() {
            true => self.no_such_job(name),
            false => Reply::Jobs(self.fx.now, jobs),
        }
    }

    pub(super) fn statuses(&self, name: &str) -> Vec<JobStatus> {
        let jobs = self.named(name);
        jobs.map(|job| job.full_status(&self.fx)).collect()
    }

    /// Whether all is well: jobs that are checked are healthy, essential ones run;
    /// or whether those of one name are, or run if they are not checked.
    pub(super) fn health(&self, name: Option<&str>) -> Reply {
        if let Some(name) = name.filter(|name| self.named(name).next().is_none()) {
            return self.no_such_job(name);
        }
        let mut reasons = Vec::new();
        if self.fx.phase != Phase::Running {
            reasons.push("the supervisor is shutting down".to_owned());
        }
        let asked = |job: &&Job| !job.is_retired() && name.is_none_or(|name| **job.name() == *name);
        let jobs = self.jobs.values().filter(asked);
        reasons
            .extend(jobs.filter_map(|job| job.complaint(name.is_some() || job.spec().essential)));
        Reply::Health(reasons)
    }

    fn named<'a>(&'a self, name: &str) -> impl Iterator<Item = &'a Job> {
        let ids = self.index.named(name).iter();
        ids.filter_map(|id| self.jobs.get(id))
    }

    pub(super) fn no_such_job(&self, name: &str) -> Reply {
        let known = self.jobs.values().map(|job| &**job.name());
        let hint = crate::config::did_you_mean(name, known);
        Reply::Refused {
            status: 404,
            message: format!("no such job: {name:?}{hint}"),
        }
    }
}
