//! The init of a machine: what has to be done before the first job starts and
//! after the last process has gone (SPEC §18).
//!
//! Only PID 1 comes here, and only with `init` in its configuration. Nothing
//! that fails keeps the machine from starting: it is noted, and logged as soon
//! as there is a log. Called by [`supervise`](mod@crate::supervise).

mod devices;
mod ending;
mod mounts;
mod system;
pub mod watchdog;

use log::Level;

use crate::config::init::InitSpec;

pub use ending::end;
pub use watchdog::Watchdog;

/// What was done, or could not be, in words for the log.
pub type Notes = Vec<(Level, String)>;

/// Prepares the machine for its jobs.
pub fn prepare(spec: &InitSpec) -> Notes {
    let mut notes = Notes::new();
    if spec.mounts {
        mounts::mount_missing(&mut notes);
    }
    let mut attempt = |what: &str, result: std::io::Result<()>| {
        if let Err(error) = result {
            notes.push((Level::Error, format!("init: cannot {what}: {error}")));
        }
    };
    if let Some(path) = &spec.console {
        attempt(
            &format!("use {} as the console", path.display()),
            devices::use_console(path),
        );
    }
    if let Some(name) = &spec.hostname {
        attempt(
            &format!("name the host {name:?}"),
            system::set_hostname(name),
        );
    }
    attempt("bring up the loopback interface", devices::raise_loopback());
    // The kernel then sends SIGINT to PID 1 in the place of a reset.
    attempt("catch Ctrl-Alt-Del", system::catch_ctrl_alt_del());
    notes
}
