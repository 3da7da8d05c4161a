//! Signals of the supervisor's that are the command's it was started with: each is
//! passed on to its process, as tini does, and means nothing else (SPEC §17).

use super::Supervisor;
use super::effects::Phase;

/// What ends a supervisor that has nobody to pass it on to.
const ENDING: [i32; 4] = [libc::SIGTERM, libc::SIGINT, libc::SIGQUIT, libc::SIGHUP];

impl Supervisor {
    /// Passes a signal on, to a process that is only starting as soon as it has.
    pub(super) fn forward(&mut self, signal: i32) {
        let mut is_passed_on = false;
        for job in self.jobs.values_mut() {
            is_passed_on |= job.forward(signal, &mut self.fx);
        }
        // An operator has stopped the command.
        if !is_passed_on && ENDING.contains(&signal) && self.fx.phase == Phase::Running {
            self.on_terminate();
        }
    }
}
