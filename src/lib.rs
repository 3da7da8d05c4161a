//! ContainerPilot: an init and process supervisor.

pub mod cli;
pub mod client;
pub mod config;
pub mod control;
pub mod discovery;
pub mod environment;
pub mod event;
pub mod http;
pub mod logging;
mod main_loop;
pub mod message;
pub mod preparation;
pub mod process;
pub mod signals;
pub mod subcommand;
pub mod supervise;
pub mod supervisor;
pub mod telemetry;
pub mod tls;
pub mod unix_socket;

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::ExitCode;

use cli::Invocation;

/// The version, as `-version` tells it.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");

/// The commit this was built from, if the build was told.
pub const GIT_HASH: &str = match option_env!("CONTAINERPILOT_GIT_HASH") {
    Some(hash) => hash,
    None => "unknown",
};

/// What a usage error exits with, as Go's `flag` package does.
const USAGE: u8 = 2;

/// Does what the arguments say, the first of which is the program's name. This
/// is the one place that prints the error which ends the program.
pub fn run(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    let mut arguments = arguments.into_iter();
    let program = arguments.next().unwrap_or_else(|| "containerpilot".into());
    let usage = || cli::usage(&program.to_string_lossy());
    let done = match cli::parse(arguments) {
        Err(error) => {
            subcommand::complain(&format!("{error}\n{}", usage()));
            return ExitCode::from(USAGE);
        }
        Ok(Invocation::Help) => subcommand::print(&usage()),
        Ok(Invocation::Version) => {
            subcommand::print(&format!("Version: {VERSION}\nGitHash: {GIT_HASH}\n"))
        }
        Ok(Invocation::Template { config, out }) => {
            subcommand::template(config, out.as_deref()).map_err(|error| named(&error))
        }
        Ok(Invocation::Client {
            config,
            socket,
            tasks,
        }) => subcommand::ask(socket, config, &tasks),
        Ok(Invocation::Supervise { config, ignored }) => {
            supervise(config, &ignored).map_err(|error| named(&error))
        }
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            subcommand::complain(&format!("{error}\n"));
            ExitCode::FAILURE
        }
    }
}

fn supervise(config: Option<PathBuf>, ignored: &[OsString]) -> Result<(), String> {
    let path = subcommand::config_path(config)?;
    if let Some(first) = ignored.first() {
        let first = first.to_string_lossy();
        let text =
            format!("ignoring {first:?} and what follows: the configuration says what to run\n");
        subcommand::complain(&named(&text));
    }
    supervise::supervise(&path).map_err(|error| error.to_string())
}

/// The error of something that no flag names.
fn named(error: &str) -> String {
    format!("containerpilot: {error}")
}
