//! Everything of a configuration that can fail, done before it is accepted.
//!
//! The start and a reload prepare in the same way: the file is read, rendered
//! and validated, and what it needs of the outside world is opened beside what
//! is already open. So a refused configuration has changed nothing, and an
//! accepted one takes over in one step.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use crate::config::logging::LogOutput;
use crate::config::{self, Command, Config, ConsulSpec, ControlSpec, Errors, Host, TelemetrySpec};
use crate::control::SocketError;
use crate::control::place::Place;
use crate::control::server::{self, Control};
use crate::control::streams::Sources;
use crate::discovery::Discovery;
use crate::environment::Environment;
use crate::inbox::Sender;
use crate::journal::Journal;
use crate::logging::{self, Log, OpenError};
use crate::message::Message;
use crate::signals::Addressee;
use crate::telemetry::metrics::{ConsulRequests, Requests};
use crate::telemetry::server::{self as telemetry, Outside, Telemetry};
use crate::version::{GIT_HASH, VERSION};

/// A configuration and what was opened for it.
#[derive(Debug)]
pub struct Prepared {
    /// The configuration.
    pub config: Box<Config>,
    /// The control plane, if it is not to stay where it is.
    pub control: Option<Control>,
    /// The telemetry server, or that there is to be none, if it is not to stay
    /// as it is.
    pub telemetry: Option<Option<Telemetry>>,
    /// Service discovery, or that there is to be none, if it is not to stay as
    /// it is.
    pub discovery: Option<Option<Discovery>>,
}

impl Prepared {
    /// A configuration for which nothing was opened.
    pub fn nothing_for(config: Box<Config>) -> Self {
        Self {
            config,
            control: None,
            telemetry: None,
            discovery: None,
        }
    }
}

/// What is open already.
#[derive(Clone, Debug, Default)]
pub struct Current {
    /// Where the control plane listens.
    pub control: Option<Place>,
    /// Where telemetry listens.
    pub telemetry: Option<SocketAddr>,
    /// The backend of service discovery.
    pub consul: Option<ConsulSpec>,
    /// Where log entries go.
    pub log: Option<LogOutput>,
    /// The directories from which patterns of `include` have given files.
    pub included_from: Vec<PathBuf>,
}

/// What every configuration of one supervisor has in common.
#[derive(Clone, Debug)]
pub struct Common {
    /// Leads to the event loop.
    pub inbox: Sender<Message>,
    /// Where answers of the control plane are counted.
    pub requests: Requests,
    /// Where requests to Consul are counted.
    pub consul_requests: ConsulRequests,
    /// What those read who follow events.
    pub journal: Journal,
}

/// Why a configuration cannot be run.
#[derive(Debug)]
pub enum Error {
    /// What is wrong with the file.
    Config(Errors),
    /// The name of this host cannot be found out.
    Host(io::Error),
    /// The log cannot go where it is to go.
    Log(OpenError),
    /// The control plane cannot listen.
    Control(server::StartError),
    /// The control plane listens there already, by another path.
    SameSocket(PathBuf, PathBuf),
    /// The control plane's socket cannot be given to whom it shall belong.
    Access(SocketError),
    /// Telemetry cannot listen.
    Telemetry(telemetry::StartError),
    /// Service discovery cannot run.
    Discovery(io::Error),
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Config(errors) => errors.fmt(f),
            Self::Host(error) => {
                write!(f, "cannot find out the name of this host: {error}")
            }
            Self::Log(error) => error.fmt(f),
            Self::Control(error) => error.fmt(f),
            Self::SameSocket(path, known) => write!(
                f,
                "cannot move the control socket to {path:?}: that leads to {known:?}, where this supervisor listens already; write control.socket as before"
            ),
            Self::Access(error) => error.fmt(f),
            Self::Telemetry(error) => error.fmt(f),
            Self::Discovery(error) => {
                write!(f, "cannot start a thread for service discovery: {error}")
            }
        }
    }
}

impl std::error::Error for Error {}

/// Where a configuration comes from, at the start and at each reload.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// The file at this path.
    File(PathBuf),
    /// A command of the command line, which stays what it is.
    Command(Command),
}

impl Origin {
    /// The configuration file, if there is one.
    pub fn file(&self) -> Option<&Path> {
        match self {
            Self::File(path) => Some(path),
            Self::Command(_) => None,
        }
    }

    /// Whose the signals are that arrive.
    pub fn addressee(&self) -> Addressee {
        match self {
            Self::File(_) => Addressee::Supervisor,
            Self::Command(_) => Addressee::Command,
        }
    }
}

/// Reads and validates a configuration that takes the place of the `current` one.
///
/// # Errors
/// Everything that is wrong with it.
pub fn load(
    origin: &Origin,
    current: &Current,
    environment: &Environment,
) -> Result<Box<Config>, Error> {
    let host = Host::current().map_err(Error::Host)?;
    let before = &current.included_from;
    let config = match origin {
        Origin::File(path) => config::load_again(path, before, environment, &host),
        Origin::Command(command) => command.config(environment, &host),
    };
    config.map(Box::new).map_err(Error::Config)
}

/// Opens what `config` needs and `current` does not have.
///
/// # Errors
/// Whatever stands in the way; then nothing new stays open.
pub fn open(
    config: Box<Config>,
    current: &Current,
    common: &Common,
    log: &Log,
) -> Result<Prepared, Error> {
    // The writer opens it for itself later, between two entries.
    if current.log.as_ref() != Some(&config.logging.output) {
        logging::try_open(&config.logging.output).map_err(Error::Log)?;
    }
    let wanted = config.control.as_ref();
    let is_here =
        |place: &&Place| wanted.is_some_and(|wanted| place.spec().socket == wanted.socket);
    let place = current.control.as_ref().filter(is_here);
    let moved = wanted.filter(|_| place.is_none());
    let control = moved.map(|spec| listen(spec, common, log)).transpose();
    let control = control.map_err(|error| refused(error, current))?;
    let wanted = config.telemetry.as_ref().map(address);
    let telemetry = if wanted == current.telemetry {
        None
    } else {
        let server = wanted.map(|address| Telemetry::start(address, outside(common, log)));
        Some(server.transpose().map_err(Error::Telemetry)?)
    };
    let discovery = if config.consul == current.consul {
        None
    } else {
        let Common {
            inbox,
            consul_requests,
            ..
        } = common;
        let consul = config.consul.as_ref();
        let started = consul.map(|spec| Discovery::start(spec, consul_requests, inbox));
        Some(started.transpose().map_err(Error::Discovery)?)
    };
    // Last, because it changes what is there.
    if let (Some(place), Some(wanted)) = (place, &config.control)
        && place.spec() != *wanted
    {
        place.set_access(wanted).map_err(Error::Access)?;
    }
    Ok(Prepared {
        config,
        control,
        telemetry,
        discovery,
    })
}

/// Where telemetry listens.
pub fn address(telemetry: &TelemetrySpec) -> SocketAddr {
    SocketAddr::new(telemetry.address, telemetry.port)
}

/// Why the control plane cannot listen: perhaps because it does so already.
fn refused(error: server::StartError, current: &Current) -> Error {
    if let server::StartError::Socket(SocketError::Taken(path)) = &error
        && let Some(place) = &current.control
        && place.is_at(path)
    {
        return Error::SameSocket(path.clone(), place.spec().socket);
    }
    Error::Control(error)
}

fn listen(spec: &ControlSpec, common: &Common, log: &Log) -> Result<Control, server::StartError> {
    let Common {
        inbox,
        requests,
        journal,
        ..
    } = common.clone();
    let deliver = move |message| {
        // Once the loop has ended, the asker finds out by the missing answer.
        let _gone = inbox.send(message);
    };
    let sources = Sources {
        journal,
        log: log.buffer().clone(),
    };
    Control::start(spec, sources, deliver, move |path, status| {
        requests.answered(status, path);
    })
}

fn outside(common: &Common, log: &Log) -> Outside {
    let (inbox, log) = (common.inbox.clone(), log.clone());
    Outside {
        version: VERSION,
        revision: GIT_HASH,
        ask: Box::new(move |question, to| {
            let _gone = inbox.send(Message::Question(question, to));
        }),
        log_lines_dropped: Box::new(move || log.dropped_lines()),
    }
}
