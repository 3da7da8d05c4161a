//! What clients of the control plane ask for (SPEC §8).

use std::sync::Arc;

use super::Supervisor;
use crate::control::request::{Reply, Request};
use crate::message::{Action, ReplyTo};

impl Supervisor {
    pub(super) fn on_request(&mut self, request: Request, reply_to: ReplyTo) {
        let reply = match request {
            Request::Ping => Reply::Pong,
            Request::PutEnv(changes) => self.put_env(changes),
            Request::PutMetric(values) => self.put_metric(&values),
            Request::Maintenance(wanted) => self.set_maintenance(wanted),
            Request::Status => Reply::Status(Box::new(self.full_status())),
            Request::Health(job) => self.health(job.as_deref()),
            Request::Job(name) => self.job_status(&name),
            Request::End(ending) => self.end_machine(ending),
            Request::Signal { job, signal } => self.signal_jobs(&job, signal),
            Request::Operate(operation) => {
                self.operate(operation, reply_to);
                return;
            }
            Request::Reload(how) => {
                self.ask_for_reload(how, reply_to);
                return;
            }
        };
        self.reply(reply_to, reply);
    }

    pub(super) fn reply(&mut self, reply_to: ReplyTo, reply: Reply) {
        self.fx.actions.push(Action::Reply(reply_to, reply));
    }

    /// Changes what children of the future and the next rendering of the
    /// template see.
    fn put_env(&mut self, changes: Vec<(String, Option<String>)>) -> Reply {
        // Children that are starting keep what they were given.
        let given = Arc::make_mut(&mut self.fx.environment);
        let mut hides_ours = false;
        for (name, value) in changes {
            hides_ours |= is_ours(&name);
            match value {
                Some(value) => {
                    given.set(name.as_str(), value.as_str());
                    self.identity.environment.set(name, value);
                }
                None => {
                    given.unset(&name);
                    self.identity.environment.unset(&name);
                }
            }
        }
        if hides_ours {
            self.refresh_environment();
        }
        Reply::Done
    }

    /// Takes all values, or none and says why.
    fn put_metric(&mut self, values: &[(String, f64)]) -> Reply {
        match self.fx.metrics.push(values, self.fx.now) {
            Ok(()) => Reply::Done,
            Err(error) => Reply::Refused {
                status: 400,
                message: error.to_string(),
            },
        }
    }

    /// Works out anew what every child is given.
    pub(super) fn refresh_environment(&mut self) {
        let mut environment = self.identity.environment.clone();
        environment.set("CONTAINERPILOT_PID", self.identity.pid.to_string());
        if let Some(control) = &self.config.control {
            environment.set("CONTAINERPILOT_SOCKET", control.socket.as_os_str());
        }
        for (name, address) in &self.advertised_ips {
            environment.set(name.as_str(), address.to_string());
        }
        self.fx.environment = Arc::new(environment);
    }
}

/// Whether a variable may be one that the supervisor sets itself, which nobody
/// can change.
fn is_ours(name: &str) -> bool {
    name.starts_with("CONTAINERPILOT_")
}
