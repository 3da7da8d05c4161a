//! The start itself of one process: by posix_spawn(3), or with its context by a
//! [`Launch`].

use std::io::PipeWriter;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::process::CommandExt;
use std::process::Command;

use super::launch::{Launch, Streams};
use super::program;
use crate::config::ContextSpec;
use crate::environment::Environment;
use crate::message::{Pid, Spawn, StartError};
use crate::search_path;

/// Starts the process with these streams; without `output`, with the supervisor's.
pub(super) fn start(
    spawn: &Spawn,
    stdin: OwnedFd,
    output: Option<PipeWriter>,
) -> Result<Pid, StartError> {
    let name = spawn.command.name();
    let refused = |cause| StartError::new(&format!("cannot execute {name:?}"), &cause);
    let context = spawn.command.context.as_deref();
    let changed = context.map(|context| changed(spawn, context));
    let environment = changed.as_ref().unwrap_or(&spawn.environment);
    if let Some(context) = context.filter(|context| context.is_more_than_environment()) {
        let streams = Streams {
            stdin: stdin.as_fd(),
            output: output.as_ref().map(AsFd::as_fd),
        };
        let argv = &spawn.command.argv;
        let launch = Launch::new(argv, context, environment, &streams);
        return launch.map_err(refused)?.start();
    }
    let path = environment.get("PATH");
    let program = search_path::find(name, path.as_deref()).map_err(refused)?;
    let mut command = Command::new(&program);
    command
        .arg0(name)
        .args(spawn.command.argv.iter().skip(1))
        .env_clear()
        .envs(environment.iter())
        .envs(
            spawn
                .pids
                .iter()
                .map(|(variable, pid)| (&**variable, pid.to_string())),
        )
        .stdin(stdin)
        .process_group(0);
    if let Some(writer) = output {
        command
            .stdout(writer.try_clone().map_err(refused)?)
            .stderr(writer);
    }
    let child = command
        .spawn()
        .map_err(|cause| program::explain(name, &program, &cause))?;
    Ok(child.id().cast_signed())
}

/// The environment of a process with a context: the supervisor's with its
/// changes, and the pids of the running jobs.
fn changed(spawn: &Spawn, context: &ContextSpec) -> Environment {
    let mut environment = (*spawn.environment).clone();
    context.apply(&mut environment);
    for (variable, pid) in &spawn.pids {
        environment.set(&**variable, pid.to_string());
    }
    environment
}
