//! Telemetry as the supervisor sees it: a service of its own, and what is true
//! now (SPEC §11).

use std::time::Duration;

use super::Supervisor;
use super::effects::Phase;
use super::health::Status::{Healthy, Maintenance, Unknown};
use super::job::COMPLETED;
use super::service::Service;
use super::timers::Timer;
use crate::config::{JobSpec, ServiceSpec};
use crate::event::Code;
use crate::message::Action;
use crate::telemetry::question::{Answer, AnswerTo, Question};
use crate::telemetry::status::{JobStatus, ServiceStatus, Status};
use crate::version::VERSION;

/// From one heartbeat of the telemetry service to the next.
const HEARTBEAT: Duration = Duration::from_secs(5);

impl Supervisor {
    /// Advertises the telemetry server of the configuration in force, if it is
    /// to be.
    pub(super) fn advertise_telemetry(&mut self) {
        let wanted = self
            .config
            .telemetry
            .as_ref()
            .and_then(|telemetry| telemetry.service.clone());
        match (&mut self.telemetry, wanted) {
            (Some(service), Some(spec)) if service.is(&spec) => {}
            (Some(service), Some(spec)) => service.update(spec, true, &mut self.fx),
            (None, Some(spec)) => {
                self.telemetry = Some(Service::new(spec));
                self.on_telemetry_beat();
            }
            (Some(service), None) => {
                service.withdraw(&mut self.fx);
                self.telemetry = None;
                self.fx.timers.cancel(Timer::TelemetryBeat);
            }
            (None, None) => {}
        }
    }

    /// The telemetry server is there, so it is well.
    pub(super) fn on_telemetry_beat(&mut self) {
        let Some(service) = &mut self.telemetry else {
            return;
        };
        self.fx.set_timer(Timer::TelemetryBeat, HEARTBEAT);
        if !self.fx.maintenance {
            service.passed(&mut self.fx);
            self.fx.publish(Code::Healthy, &"containerpilot".into());
        }
    }

    /// Telemetry asks; it renders the answer on a thread of its own.
    pub(super) fn on_question(&mut self, question: Question, to: AnswerTo) {
        let answer = match question {
            Question::Metrics => Answer::Metrics(Box::new(self.fx.metrics.snapshot(self.fx.now))),
            Question::Status => Answer::Status(Box::new(self.status())),
        };
        self.fx.actions.push(Action::Answer(to, answer));
    }

    /// What is true now, for `GET /status`.
    fn status(&self) -> Status {
        let mut status = Status {
            version: VERSION,
            jobs: Vec::new(),
            services: Vec::new(),
            watches: Vec::new(),
        };
        for job in self.jobs.values().filter(|job| !job.is_retired()) {
            list(&mut status, job.spec(), job.status(&self.fx));
        }
        // Those whose predecessor is still on its way out.
        let maintenance = self.fx.maintenance;
        let waiting = if maintenance { Maintenance } else { Unknown };
        for successor in self.successors.values() {
            list(&mut status, &successor.spec, waiting.as_str());
        }
        status.services.extend(self.own_service());
        let names = self.watches.iter().map(|watch| watch.name().to_string());
        status.watches.extend(names);
        status
    }

    /// The telemetry server among the services, if it is to be advertised: who
    /// reads this sees that it is well.
    fn own_service(&self) -> Option<ServiceStatus> {
        let telemetry = self.config.telemetry.as_ref()?;
        let status = match self.fx.phase {
            Phase::Running if self.fx.maintenance => Maintenance.as_str(),
            Phase::Running => Healthy.as_str(),
            Phase::Withdrawing | Phase::Stopping | Phase::Killing | Phase::Done => COMPLETED,
        };
        telemetry.service.as_ref().map(|spec| service(spec, status))
    }
}

/// Adds a job where it belongs.
fn list(to: &mut Status, job: &JobSpec, status: &'static str) {
    match &job.service {
        Some(spec) => to.services.push(service(spec, status)),
        None => to.jobs.push(JobStatus {
            name: job.name.to_string(),
            status,
        }),
    }
}

fn service(spec: &ServiceSpec, status: &'static str) -> ServiceStatus {
    ServiceStatus {
        name: spec.name.to_string(),
        address: spec.address,
        port: spec.port,
        status,
    }
}
