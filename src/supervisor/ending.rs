//! The supervisor as the init of a machine: what is to become of the machine in
//! the end, and the watchdog that it feeds until then (SPEC §18).

use std::time::Duration;

use super::Supervisor;
use super::effects::Phase;
use super::timers::Timer;
use crate::config::init::Ending;
use crate::control::request::Reply;
use crate::message::Action;

impl Supervisor {
    /// What is to become of the machine, if this is the init of one.
    pub fn ending(&self) -> Option<Ending> {
        self.identity.init.as_ref()?;
        let configured = self.config.init.as_ref();
        let configured = configured.map_or_else(Ending::default, |init| init.on_shutdown);
        Some(self.ending.unwrap_or(configured))
    }

    /// How long whatever is left after the jobs may take to end.
    pub fn grace_time(&self) -> Duration {
        self.fx.stop_timeout
    }

    /// SIGINT, which to the init of a machine is Ctrl-Alt-Del.
    pub(super) fn on_interrupt(&mut self) {
        if self.identity.init.is_some() {
            self.ending = Some(Ending::Reboot);
        }
        self.on_terminate();
    }

    /// A client wants the machine switched off or started again.
    pub(super) fn end_machine(&mut self, ending: Ending) -> Reply {
        if self.identity.init.is_none() {
            return Reply::Refused {
                status: 409,
                message: "this supervisor is not the init of a machine: it is not PID 1, or was started without \"init\" in its configuration; to end it alone, send it SIGTERM".to_owned(),
            };
        }
        self.ending = Some(ending);
        if self.fx.phase == Phase::Running {
            self.on_terminate();
        }
        Reply::Done
    }

    /// Feeds the watchdog now, and again in time.
    pub(super) fn feed_watchdog(&mut self) {
        let init = self.identity.init.as_ref();
        if let Some(watchdog) = init.and_then(|init| init.watchdog.as_ref()) {
            self.fx.actions.push(Action::FeedWatchdog);
            self.fx.set_timer(Timer::Watchdog, watchdog.period());
        }
    }
}
