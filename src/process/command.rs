//! From what a job or a check says of its command to the start of its process.

use std::borrow::Cow;
use std::ffi::OsStr;
use std::io;

use super::launch::{Launch, Streams};
use super::variables::{Kept, Variables};
use crate::environment::Environment;
use crate::message::{Pid, Spawn, StartError};

/// Starts the process with these streams.
pub(super) fn start(spawn: &Spawn, kept: &Kept, streams: &Streams<'_>) -> Result<Pid, StartError> {
    let name = spawn.command.name();
    let refused = |cause| StartError::new(&format!("cannot execute {name:?}"), &cause);
    let (path, variables) = environment(spawn, kept).map_err(refused)?;
    let launch = Launch::new(&spawn.command, path.as_deref(), variables, streams);
    launch.map_err(refused)?.start()
}

/// The search path and all variables of the process.
fn environment<'s>(
    spawn: &'s Spawn,
    kept: &Kept,
) -> io::Result<(Option<Cow<'s, OsStr>>, Variables)> {
    let given = &spawn.environment;
    let is_given = spawn.pids.iter().any(|(name, _)| given.contains(name));
    if spawn.command.context.is_none() && !is_given {
        let variables = kept.with_pids(given, &spawn.pids)?;
        return Ok((given.get_os("PATH").map(Cow::Borrowed), variables));
    }
    let environment = changed(spawn);
    let path = environment.get_os("PATH").map(OsStr::to_owned);
    Ok((path.map(Cow::Owned), Variables::of(&environment)?))
}

/// The supervisor's environment with the changes of the command's context, and
/// the pids of the running jobs.
fn changed(spawn: &Spawn) -> Environment {
    let mut environment = (*spawn.environment).clone();
    if let Some(context) = &spawn.command.context {
        context.apply(&mut environment);
    }
    for (variable, pid) in &spawn.pids {
        environment.set(&**variable, pid.to_string());
    }
    environment
}
