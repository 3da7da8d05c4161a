//! What clients of the control plane ask for (SPEC §8).

use std::sync::Arc;

use super::Supervisor;
use crate::control::request::{Reply, Request};
use crate::environment::Environment;
use crate::message::{Action, ReplyTo};

/// Clients can make the environment so large, in bytes. It is half of what the
/// kernel gives a process for arguments and environment together where the limit of
/// the stack is the usual one (execve(2)).
const LARGEST: usize = 1 << 20;

impl Supervisor {
    pub(super) fn on_request(&mut self, request: Request, reply_to: ReplyTo) {
        let reply = match request {
            Request::Ping => Reply::Pong,
            Request::PutEnv(changes) => self.put_env(&changes),
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
    /// template see. Refused is what would leave them no room for arguments: no
    /// job could start any more.
    fn put_env(&mut self, changes: &[(String, Option<String>)]) -> Reply {
        if let Some(size) = self.too_large(changes) {
            let message = format!(
                "the environment would have {size} bytes, and {LARGEST} are allowed, so that jobs can still be started with it; unset what is not needed"
            );
            return Reply::Refused {
                status: 400,
                message,
            };
        }
        change(&mut self.identity.environment, changes);
        if changes.iter().any(|(name, _)| is_ours(name)) {
            self.refresh_environment();
        } else {
            // Children that are starting keep what they were given.
            change(Arc::make_mut(&mut self.fx.environment), changes);
        }
        Reply::Done
    }

    /// How large the changes would make the environment, if that is too large and
    /// larger than it is.
    fn too_large(&self, changes: &[(String, Option<String>)]) -> Option<usize> {
        let given = &self.identity.environment;
        let before = given.size();
        let added = changes.iter().filter_map(|(name, value)| {
            let value = value.as_ref()?;
            Some(Environment::size_of(name.len(), value.len()))
        });
        // Mostly even all of it beside what is there is not.
        if before + added.sum::<usize>() <= LARGEST {
            return None;
        }
        let mut changed = given.clone();
        change(&mut changed, changes);
        let size = changed.size();
        (size > LARGEST && size > before).then_some(size)
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

fn change(environment: &mut Environment, changes: &[(String, Option<String>)]) {
    for (name, value) in changes {
        match value {
            Some(value) => environment.set(name, value),
            None => environment.unset(name),
        }
    }
}

/// Whether a variable may be one that the supervisor sets itself, which nobody
/// can change.
fn is_ours(name: &str) -> bool {
    name.starts_with("CONTAINERPILOT_")
}
