//! Telemetry as the supervisor sees it: a service of its own, and what is true
//! now (SPEC §11).

use std::time::Duration;

use super::Supervisor;
use super::service::Service;
use super::timers::Timer;
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
            .and_then(|telemetry| telemetry.service.as_ref());
        match (&self.telemetry, wanted) {
            (Some(service), Some(spec)) if service.is(spec) => return,
            _ => {}
        }
        let wanted = wanted.cloned();
        if let Some(mut before) = self.telemetry.take() {
            before.withdraw(&mut self.fx);
        }
        self.fx.timers.cancel(Timer::TelemetryBeat);
        if let Some(spec) = wanted {
            self.telemetry = Some(Service::new(spec));
            self.on_telemetry_beat();
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
        let current = || self.jobs.values().filter(|job| !job.is_retired());
        let services = current().filter_map(|job| {
            let service = job.spec().service.as_ref()?;
            Some(ServiceStatus {
                name: job.name().to_string(),
                address: service.address,
                port: service.port,
                status: job.status(),
            })
        });
        let jobs = current().filter(|job| job.spec().service.is_none());
        let jobs = jobs.map(|job| JobStatus {
            name: job.name().to_string(),
            status: job.status(),
        });
        Status {
            version: VERSION,
            jobs: jobs.collect(),
            services: services.collect(),
            watches: self
                .watches
                .iter()
                .map(|watch| watch.name().to_string())
                .collect(),
        }
    }
}
