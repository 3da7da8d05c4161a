//! From one configuration to the next without a restart of the supervisor
//! (SPEC §14).
//!
//! The new file is read and validated completely before anything of the old
//! one is touched; a refused file changes nothing.

use log::Level;

use super::Supervisor;
use super::index::Index;
use super::job::Job;
use super::{Event, JobId};
use crate::config::{Config, JobSpec};
use crate::control::api::Reply;
use crate::event::Code;
use crate::message::{Action, ReplyTo};
use std::sync::Arc;

impl Supervisor {
    /// Subscribes the jobs of a configuration and publishes startup.
    pub(super) fn adopt(&mut self, specs: Vec<JobSpec>) {
        self.serves = !self.config.watches.is_empty() || self.config.telemetry.is_some();
        self.advertised_ips = advertised_ips(&specs);
        self.refresh_environment();
        self.jobs.clear();
        for spec in specs {
            self.last_job += 1;
            let id = JobId(self.last_job);
            let mut job = Job::new(id, spec);
            job.did_subscribe(&mut self.fx);
            if self.fx.maintenance {
                job.enter_maintenance(&mut self.fx);
            }
            self.jobs.insert(id, job);
        }
        self.index = Index::new(self.jobs.iter());
        self.fx.publish_event(Event::global(Code::Startup));
        self.fx.came_to_rest = true;
    }

    /// Reloads are serialized: one that comes during another waits for its turn.
    pub(super) fn ask_for_reload(&mut self, reply_to: ReplyTo) {
        if self.fx.phase != super::Phase::Running {
            let message = "the supervisor is shutting down".to_owned();
            self.reply(
                reply_to,
                Reply::Refused {
                    status: 503,
                    message,
                },
            );
            return;
        }
        self.reloads.push(reply_to);
        if self.reloads.len() == 1 && self.successors.is_none() {
            self.load_config();
        }
    }

    /// The file was read: take it, or say what is wrong with it.
    pub(super) fn on_config_loaded(&mut self, result: Result<Box<Config>, String>) {
        if self.reloads.is_empty() {
            return;
        }
        let reply_to = self.reloads.remove(0);
        match result {
            Ok(config) => {
                self.reply(reply_to, Reply::Done);
                self.replace_config(*config);
            }
            Err(message) => {
                let text = format!("reload refused, the running configuration stays: {message}");
                self.fx.log(Level::Error, None, text);
                self.reply(
                    reply_to,
                    Reply::Refused {
                        status: 422,
                        message,
                    },
                );
                self.next_reload();
            }
        }
    }

    /// All jobs of the old configuration are complete: those of the new begin.
    pub(super) fn settle_reload(&mut self) {
        if self.jobs.values().all(Job::is_complete)
            && let Some(specs) = self.successors.take()
        {
            self.adopt(specs);
            self.next_reload();
        }
    }

    /// Shutdown comes first: nobody waits for a reload any more.
    pub(super) fn abandon_reload(&mut self) {
        self.successors = None;
        for reply_to in std::mem::take(&mut self.reloads) {
            let message = "the supervisor is shutting down".to_owned();
            self.reply(
                reply_to,
                Reply::Refused {
                    status: 503,
                    message,
                },
            );
        }
    }

    fn replace_config(&mut self, mut config: Config) {
        self.fx.log(
            Level::Info,
            None,
            "reloading: the new configuration is accepted".to_owned(),
        );
        self.successors = Some(std::mem::take(&mut config.jobs));
        if config.logging != self.config.logging {
            self.fx
                .actions
                .push(Action::ConfigureLogging(config.logging.clone()));
        }
        self.fx.stop_timeout = config.stop_timeout;
        self.config = config;
        self.for_each_job(Job::complete);
        self.fx.came_to_rest = true;
    }

    fn next_reload(&mut self) {
        if !self.reloads.is_empty() {
            self.load_config();
        }
    }

    fn load_config(&mut self) {
        self.fx.actions.push(Action::LoadConfig(Arc::new(
            self.identity.environment.clone(),
        )));
    }
}

/// `CONTAINERPILOT_{JOB}_IP` for each advertised job (SPEC §5).
fn advertised_ips(jobs: &[JobSpec]) -> Vec<(String, String)> {
    let services = jobs.iter().filter_map(|job| job.service.as_ref());
    services
        .map(|service| {
            let name = service.name.to_uppercase().replace('-', "_");
            (
                format!("CONTAINERPILOT_{name}_IP"),
                service.address.to_string(),
            )
        })
        .collect()
}
