//! The life of the supervisor process: from a configuration to its end.

use std::convert::Infallible;
use std::fmt;
use std::io;
use std::mem::ManuallyDrop;
use std::path::Path;
use std::process;
use std::time::{Duration, Instant};

use log::Level;

use crate::bug;
use crate::config::{self, InitSpec};
use crate::environment::Environment;
use crate::inbox::inbox;
use crate::init::{self, Notes};
use crate::journal::Journal;
use crate::logging::{self, InitError, Log};
use crate::main_loop::MainLoop;
use crate::memory;
use crate::preparation::{self, Common, Current, Origin, load, open};
use crate::process::last_resort;
use crate::process::leftovers::{self, Ended};
use crate::process::{children, descriptors};
use crate::signals;
use crate::supervisor::Identity;
use crate::telemetry::metrics::{ConsulRequests, Requests};

/// How long the last answers and log lines may take to leave.
const FAREWELL: Duration = Duration::from_millis(500);

/// Why the supervisor could not be started; nothing was started then.
#[derive(Debug)]
pub enum Error {
    /// Signals cannot be received.
    Signals(io::Error),
    /// The configuration cannot be run.
    Preparation(preparation::Error),
    /// The log cannot be opened.
    Log(InitError),
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Signals(error) => write!(f, "cannot receive signals: {error}"),
            Self::Preparation(error) => error.fmt(f),
            Self::Log(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for Error {}

/// Runs a configuration until all its jobs are complete or the
/// supervisor is told to stop, and ends the process.
///
/// # Errors
/// If it cannot be started.
pub fn supervise(origin: Origin) -> Result<Infallible, Error> {
    memory::be_patient();
    bug::tell_on_stderr();
    last_resort::install();
    let file = origin.file().map(Path::to_owned);
    // A command gets what it would get without a supervisor.
    if file.is_some() {
        descriptors::close_on_exec();
    }
    let (sender, inbox) = inbox();
    // First of all: PID 1 does not even get the signals that nobody handles.
    signals::start(origin.addressee()).map_err(Error::Signals)?;
    children::adopt_orphans();

    let environment = Environment::inherited();
    let init = file.as_deref();
    let init = init.and_then(|path| init_duties(path, &environment));
    let notes = init.as_ref().map(init::prepare).unwrap_or_default();
    let config = load(&origin, &Current::default(), &environment).map_err(Error::Preparation);
    let logged = config.and_then(|config| {
        let log = logging::init(&config.logging).map_err(Error::Log)?;
        Ok((config, log))
    });
    // What could not be done may be why there is no configuration, or no log.
    let (config, log) = logged.inspect_err(|_| complain(&notes))?;
    for (level, note) in notes {
        log.entry(level, None, None, &note);
    }
    if init.is_none() && config.init.is_some() {
        log::warn!("init: this is not PID 1, so none of its duties is done");
    }
    for warning in &config.warnings {
        log::warn!("{warning}");
    }
    let common = Common {
        inbox: sender.clone(),
        requests: Requests::default(),
        consul_requests: ConsulRequests::default(),
        journal: Journal::default(),
    };
    let current = Current {
        log: Some(config.logging.output.clone()),
        ..Current::default()
    };
    let prepared = open(config, &current, &common, &log);
    let prepared = prepared.map_err(|error| {
        let _written = log.close(Instant::now() + FAREWELL);
        Error::Preparation(error)
    })?;
    let config = &prepared.config;
    if let Some(control) = config.control.as_ref().filter(|_| config.end_leftovers) {
        end_leftovers(&control.socket, config.stop_timeout);
    }

    let requests = common.requests.clone();
    let consul_requests = common.consul_requests.clone();
    let identity = Identity {
        pid: process::id(),
        config: file,
        init,
        environment,
        requests,
        consul_requests,
    };
    let main_loop = MainLoop::new(origin, prepared, common, identity, inbox, log.clone());
    // What is left of it in the end goes with the process, all at once: piece by
    // piece it would take as long as everything else of a shutdown.
    let mut main_loop = ManuallyDrop::new(main_loop);
    let ran = bug::caught("the event loop", || main_loop.run());
    if ran.is_none() {
        log::error!("ending all jobs");
        let ended = bug::caught("the end of all jobs", || main_loop.end_jobs());
        // What is left then needs nothing of the loop.
        ended.unwrap_or_else(|| process::abort());
    }
    let ending = main_loop.ending();
    let left = bug::caught("the way out", || {
        leave(&mut main_loop, &log, ending.is_some());
    });
    if let Some(ending) = ending {
        init::end(ending, main_loop.take_watchdog());
    }
    exit_at_once(match (ran, left) {
        (Some(()), Some(())) => main_loop.exit_code(),
        (None, _) | (_, None) => bug::EXIT_CODE,
    })
}

/// Says on stderr which duties of PID 1 could not be done.
fn complain(notes: &Notes) {
    for (_, note) in notes.iter().filter(|(level, _)| *level == Level::Error) {
        bug::say(format!("containerpilot: {note}\n").as_bytes());
    }
}

/// When nothing is supervised any more: last answers and last lines; and of a
/// machine, the last processes.
fn leave(main_loop: &mut MainLoop, log: &Log, is_of_a_machine: bool) {
    if is_of_a_machine {
        main_loop.end_everything();
    }
    let deadline = Instant::now() + FAREWELL;
    main_loop.refuse();
    // Those who follow the log get the last words too, unless they take too long.
    let _said = log.close_sources(Instant::now() + FAREWELL / 2);
    main_loop.close(deadline);
    // What is not written by then is held up by whoever reads the log.
    let _written = log.close(deadline);
}

/// Ends the process without what the standard library does first: nothing is
/// buffered, and to unmap a page of a process with several threads the kernel stops
/// the other processors.
fn exit_at_once(code: u8) -> ! {
    // SAFETY: a call without pointers that does not return.
    unsafe { libc::_exit(code.into()) }
}

/// Ends what an earlier supervisor has left, now that the socket is ours.
fn end_leftovers(socket: &Path, grace: Duration) {
    match leftovers::end(socket, grace) {
        Ok(Ended { gone, left }) => {
            if !gone.is_empty() {
                log::warn!("ended what an earlier supervisor had left: processes {gone:?}");
            }
            if !left.is_empty() {
                log::error!("cannot end what an earlier supervisor has left: processes {left:?}");
            }
        }
        Err(error) => {
            log::error!(
                "endLeftovers: cannot look for what an earlier supervisor has left: {error}"
            );
        }
    }
}

/// The duties of PID 1 as the init of a machine, if the file has any. What is
/// wrong with it, the file as a whole is refused for right after.
fn init_duties(path: &Path, environment: &Environment) -> Option<InitSpec> {
    let is_first = process::id() == 1;
    is_first.then(|| config::init_duties(path, environment).ok().flatten())?
}
