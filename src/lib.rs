//! ContainerPilot: an init and process supervisor. This page is the map.
//!
//! One binary, two lives. [`run`] reads the command line ([`cli`]): as a client it
//! makes one exchange with a running supervisor ([`subcommand`], [`client`]) or
//! tells something about a file; without a subcommand it is the supervisor
//! ([`mod@supervise`]) of a file or of one command until all jobs are complete or it is told to stop.
//!
//! # The supervisor
//!
//! ```text
//!  signals ──────────┐                                 ┌── starts processes and built-in
//!  workers ──────────┤            the event loop       │   checks, a worker each
//!  control plane ────┤ message ┌───────────────────┐   ├── signals process groups, reaps
//!  telemetry ────────┼────────>│ main_loop         │───┤── replies to clients
//!  discovery ────────┤  one    │   supervisor      │   ├── wishes to discovery
//!  watches ──────────┤ inbox   │   (pure state)    │   └── log entries
//!  reload ───────────┘         └───────────────────┘ action
//! ```
//!
//! [`supervisor`] owns all state and does no I/O: [messages](message::Message) and
//! the time go in, [actions](message::Action) come out. The main loop around it is
//! the only place that reads the clock, waits, reaps and kills. Everything that
//! can block has a thread of its own and reports by a message: signals
//! ([`signals`]), starting processes and reading their output ([`process`]),
//! health checks that are built in ([`probe`]), the
//! control plane ([`control`]) and telemetry ([`telemetry`]) on the bounded server
//! of [`http`], service discovery and each watch ([`discovery`]), reading a
//! configuration ([`config`], [`preparation`]), writing the log ([`logging`]).
//!
//! # What always holds
//!
//! - **The loop never waits.** It opens no file, sends into no channel that can be
//!   full, and takes no lock but those of the log's queue and of the feeds that
//!   streams read ([`feed`]), which are held for a copy.
//! - **One inbox, one order.** Every fact arrives as one [`message::Message`]; every
//!   job sees every event in the same order; the same messages give the same run.
//! - **Only the loop reaps and only the loop kills.** A child's pid stays reserved
//!   until all that follows from its end is done, so no signal hits a stranger.
//! - **Ids are never reused.** What an old run, watch or configuration still has to
//!   say is recognised and dropped.
//! - **Never two processes of one job at a time**, and never two of its checks.
//! - **A worker reports its end exactly once**, also when it panics.
//! - **Everything that can fail is done before a configuration is accepted.** A
//!   refused one has changed nothing, at the start as at a reload.
//! - **Everything a client can claim is bounded**: bytes, time, connections, streams.
//!
//! # What is deliberately absent
//!
//! No async runtime: a blocked thread costs a few kilobytes and no explanation. No
//! broadcast bus: jobs are plain data behind one dispatcher, so there is nothing to
//! fill up or to lock. No polling and no sleeping: waits are for messages and
//! deadlines, and an idle supervisor does not wake up. No shutdown without a
//! deadline, and no wait that outlives the last process.
//!
//! # Where to look
//!
//! | question | module |
//! | --- | --- |
//! | what does a flag do? | [`cli`], then [`subcommand`] and [`client`] |
//! | what may a configuration say? | [`config`]: one file for each object of it |
//! | what happens when …? | [`supervisor`]: one file for each noun of the manual |
//! | how is a process started, its output read? | [`process`] |
//! | how are HTTP, TCP and Unix sockets checked? | [`probe`] |
//! | what does the API answer? | [`control`]: `api` is the table of endpoints |
//! | what is exported? | [`telemetry`] |
//! | who talks to Consul? | [`discovery`] |
//! | what does the init of a machine do? | [`mod@init`] |
//! | what becomes of a panic? | [`bug`] |

pub mod bug;
pub mod cli;
pub mod client;
pub mod clock;
pub mod config;
pub mod control;
pub mod discovery;
pub mod environment;
pub mod event;
mod feed;
pub mod handoff;
pub mod hash;
pub mod http;
pub mod inbox;
pub mod init;
pub mod journal;
pub mod logging;
mod main_loop;
mod memory;
pub mod message;
pub mod name_lookup;
pub mod preparation;
mod printable;
pub mod probe;
pub mod process;
mod ring;
pub mod search_path;
pub mod signals;
pub mod sorted;
pub mod subcommand;
pub mod supervise;
pub mod supervisor;
pub mod tail;
pub mod telemetry;
pub mod tls;
pub mod unix_socket;
pub mod version;
pub mod waker;

use std::convert::Infallible;
use std::ffi::OsString;
use std::path::PathBuf;
use std::process::ExitCode;

use cli::Invocation;
use preparation::Origin;
use version::{GIT_HASH, VERSION};

/// What a usage error exits with, as Go's `flag` package does.
const USAGE: u8 = 2;

/// Does what the arguments say, the first of which is the program's name. This
/// is the one place that prints the error which ends the program.
pub fn run(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    let mut arguments = arguments.into_iter();
    let program = arguments.next().unwrap_or_else(|| "containerpilot".into());
    let usage = || cli::usage(&program.to_string_lossy());
    let mut code = 0;
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
        Ok(Invocation::Check { config, json }) => subcommand::check(config, json)
            .map(|is_good| code = u8::from(!is_good))
            .map_err(|error| named(&error)),
        Ok(Invocation::Graph { config }) => {
            subcommand::graph(config).map_err(|error| named(&error))
        }
        Ok(Invocation::Completion(shell)) => subcommand::print(&cli::completion::script(shell)),
        Ok(Invocation::Manual) => subcommand::print(&cli::man::page()),
        Ok(Invocation::Schema) => subcommand::print(&config::schema::json()),
        Ok(Invocation::Client {
            config,
            socket,
            tasks,
            manner,
        }) => subcommand::ask(socket, config, &tasks, manner)
            .map(|all_is_well| code = u8::from(!all_is_well)),
        Ok(Invocation::Supervise { config, ignored }) => supervise(config, &ignored)
            .map(|never| match never {})
            .map_err(|error| named(&error)),
        Ok(Invocation::Run(command)) => supervise::supervise(Origin::Command(command))
            .map(|never| match never {})
            .map_err(|error| named(&error.to_string())),
    };
    match done {
        Ok(()) => ExitCode::from(code),
        Err(error) => {
            subcommand::complain(&format!("{error}\n"));
            ExitCode::FAILURE
        }
    }
}

fn supervise(config: Option<PathBuf>, ignored: &[OsString]) -> Result<Infallible, String> {
    let path = subcommand::config_path(config)?;
    if let Some(first) = ignored.first() {
        let first = first.to_string_lossy();
        let text =
            format!("ignoring {first:?} and what follows: the configuration says what to run\n");
        subcommand::complain(&named(&text));
    }
    supervise::supervise(Origin::File(path)).map_err(|error| error.to_string())
}

/// The error of something that no flag names.
fn named(error: &str) -> String {
    format!("containerpilot: {error}")
}
