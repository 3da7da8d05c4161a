//! Maintenance mode: nothing is checked and nothing is advertised (SPEC §8).

use log::Level;

use super::Supervisor;
use super::job::Job;
use crate::control::request::Reply;
use crate::event::{Code, Event};

impl Supervisor {
    /// Everybody knows: checks cease, and the catalog forgets every service.
    pub(super) fn enter_maintenance(&mut self) {
        self.for_each_job(Job::enter_maintenance);
        if let Some(service) = &mut self.telemetry {
            service.withdraw(&mut self.fx);
        }
    }

    /// Checks begin anew, and telemetry is advertised again at once.
    pub(super) fn exit_maintenance(&mut self) {
        self.for_each_job(Job::exit_maintenance);
        self.on_telemetry_beat();
    }

    /// Turns maintenance mode on or off; asking twice changes nothing.
    pub(super) fn set_maintenance(&mut self, wanted: bool) -> Reply {
        let updated = self.fx.maintenance != wanted;
        if updated {
            self.fx.maintenance = wanted;
            let (code, text) = if wanted {
                (Code::EnterMaintenance, "entering maintenance mode")
            } else {
                (Code::ExitMaintenance, "leaving maintenance mode")
            };
            self.fx.log(Level::Info, None, text.to_owned());
            self.fx.publish_event(Event::global(code));
        }
        Reply::Updated(updated)
    }
}
