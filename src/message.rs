//! What moves between the threads: facts to the event loop, wishes from it.
//!
//! A [`Message`] is a fact, in the past tense; a worker sends it and the
//! supervisor decides what it means. An [`Action`] is a wish of the
//! supervisor's, in the imperative; the main loop carries it out. Neither is an
//! [`Event`]: those are the documented vocabulary.

use std::fmt;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use crate::config::{
    Config, ExecSpec, InitialStatus, LoggingSpec, ProbeSpec, ServiceSpec, WatchSpec,
};
use crate::control::request::{Reply, Request};
use crate::environment::Environment;
use crate::event::Event;
use crate::handoff::Giver;
use crate::tail::Tail;
use crate::telemetry::question::{Answer, AnswerTo, Question};

/// One run of a job, or one health check of it.
///
/// Issued by the supervisor and never reused, so that a message about an
/// earlier execution can never be taken for one about the present.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ExecId(pub u64);

/// A process id; that of a child is also the id of its process group.
pub type Pid = i32;

/// One watch of a service, from its beginning to its end; never reused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct WatchId(pub u64);

/// One healthy instance of a watched service.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Instance {
    /// The service id.
    pub id: String,
    /// Where it is reached: the address of the service, or that of its node.
    pub address: String,
    /// The port on which it is reached.
    pub port: u16,
}

/// How a process ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExitStatus {
    /// It exited with this code, 0 to 255.
    Code(i32),
    /// It was ended by this signal.
    Signal(i32),
}

impl ExitStatus {
    /// The exit code by which shells report it: 128 and the number for a signal.
    pub fn exit_code(self) -> i32 {
        match self {
            Self::Code(code) => code,
            Self::Signal(signal) => 128 + signal,
        }
    }

    /// Whether this is exit code 0.
    pub fn is_success(self) -> bool {
        self == Self::Code(0)
    }
}

impl fmt::Display for ExitStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Code(code) => write!(f, "exited with code {code}"),
            Self::Signal(signal) => write!(f, "was killed by signal {signal}"),
        }
    }
}

/// Why a process could not be started.
#[derive(Clone, Debug)]
pub struct StartError {
    text: String,
    kind: io::ErrorKind,
}

impl StartError {
    /// What was tried, e.g. `cannot execute "/bin/app"`, and what the kernel
    /// said.
    pub fn new(what: &str, cause: &io::Error) -> Self {
        Self {
            text: format!("{what}: {cause}"),
            kind: cause.kind(),
        }
    }

    /// The exit code by which shells report it: 127 if there was nothing to
    /// execute, 126 if it could not be executed (POSIX.1-2024, 2.8.2).
    pub fn exit_code(&self) -> i32 {
        if self.kind == io::ErrorKind::NotFound {
            127
        } else {
            126
        }
    }
}

impl fmt::Display for StartError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// The signals that reach the supervisor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signal {
    /// SIGTERM: shut down.
    Terminate,
    /// SIGINT: shut down; to the init of a machine it is Ctrl-Alt-Del.
    Interrupt,
    /// SIGHUP: an event for the jobs that wait for it.
    Hangup,
    /// SIGUSR1: open the log file again.
    ReopenLog,
    /// SIGUSR2: an event for the jobs that wait for it.
    User2,
    /// Any, by its number, where a command is run: it is the command's.
    ToPassOn(i32),
}

/// Where the answer to a request goes; the asker waits there, so that the loop
/// never waits for it.
#[derive(Clone, Debug)]
pub struct ReplyTo(Giver<Reply>);

impl ReplyTo {
    /// The answer is handed to whoever waits at the other end.
    pub fn new(giver: Giver<Reply>) -> Self {
        Self(giver)
    }

    /// Whether answers to both go to the same asker.
    #[cfg(test)]
    pub(crate) fn is(&self, other: &Self) -> bool {
        self.0.is(&other.0)
    }

    /// Whether the asker has gone away.
    pub fn is_abandoned(&self) -> bool {
        self.0.is_abandoned()
    }

    /// Answers. An asker that has gone away needs no answer, so nothing is
    /// reported if it has.
    pub fn send(self, reply: Reply) {
        self.0.give(reply);
    }
}

/// A fact that reaches the supervisor.
#[derive(Clone, Debug)]
pub enum Message {
    /// An execution runs, as the leader of a process group of its own.
    DidStart(ExecId, Pid),
    /// An execution could not be started; it is over.
    DidFailToStart(ExecId, StartError),
    /// The process of an execution ended; it is over.
    DidExit(ExecId, ExitStatus),
    /// A built-in check has ended: what was seen, or why it has failed.
    Probed(ExecId, Result<String, String>),
    /// Children have ended and can be reaped. The main loop turns it into
    /// [`Message::DidExit`]; to the supervisor alone it means nothing.
    ChildrenExited,
    /// The file of the control socket was touched, perhaps removed. The main loop
    /// sees to it; to the supervisor it means nothing.
    SocketTouched,
    /// A signal arrived.
    Signal(Signal),
    /// A client of the control plane asks for something.
    Request(Request, ReplyTo),
    /// Somebody who waited for the answer to an operation has gone away.
    AskerLeft,
    /// Telemetry asks for what it shows.
    Question(Question, AnswerTo),
    /// The configuration that [`Action::LoadConfig`] asked for, or all that is
    /// wrong with it.
    ConfigLoaded(Result<Box<Config>, String>),
    /// The service of this id is out of the catalog, or, if `false`, Consul
    /// cannot be told so for now.
    Withdrawn(String, bool),
    /// The instances of a watched service, when there are others than before,
    /// and at the first answer; in order, without duplicates.
    Watched(WatchId, Vec<Instance>),
    /// Consul can be reached again, or, with the reason, no longer.
    Reachable(Result<(), String>),
    /// A thread that must live as long as the supervisor ended, by its name.
    WorkerEnded(&'static str),
}

impl Message {
    /// The name of the fact, for the log.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::DidStart(..) => "a process started",
            Self::DidFailToStart(..) => "a process could not be started",
            Self::DidExit(..) | Self::ChildrenExited => "processes ended",
            Self::Probed(..) => "a health check ended",
            Self::SocketTouched => "the control socket was touched",
            Self::Signal(_) => "a signal",
            Self::Request(..) | Self::AskerLeft => "a request",
            Self::Question(..) => "a question of telemetry's",
            Self::ConfigLoaded(_) => "a configuration was read",
            Self::Withdrawn(..) | Self::Watched(..) | Self::Reachable(_) => "service discovery",
            Self::WorkerEnded(_) => "a thread ended",
        }
    }
}

/// A process to start.
#[derive(Clone, Debug)]
pub struct Spawn {
    /// Who it is to the supervisor.
    pub exec: ExecId,
    /// The command.
    pub command: Arc<ExecSpec>,
    /// The environment that all children share.
    pub environment: Arc<Environment>,
    /// `CONTAINERPILOT_{JOB}_PID` of the jobs now running.
    pub pids: Vec<(Arc<str>, Pid)>,
    /// The field of its log entries: `job` or `check`, and the name.
    pub label: Label,
    /// Where the last lines of its output are kept, if somebody may want them.
    pub tail: Option<Tail>,
}

/// A built-in check to carry out.
#[derive(Clone, Debug)]
pub struct Probe {
    /// Who it is to the supervisor.
    pub exec: ExecId,
    /// Whom to ask.
    pub spec: Arc<ProbeSpec>,
    /// The longest it may take.
    pub timeout: Duration,
}

/// Whom a log entry is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Label {
    /// A run of the job of this name.
    Job(Arc<str>),
    /// A health check, by the name `check.JOB`.
    Check(Arc<str>),
}

/// What is wanted of the discovery backend for one service. The newest wish
/// for a service counts, and it is moved towards until it holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Wish {
    /// To be registered with this status, before any check.
    Register(Arc<ServiceSpec>, InitialStatus),
    /// To be registered so, and passing: a check has passed.
    Heartbeat(Arc<ServiceSpec>),
    /// Not to be vouched for: a check of the service of this id has failed.
    Unhealthy(String),
    /// Not to be registered; [`Message::Withdrawn`] answers.
    Withdraw(String),
}

/// A wish of the supervisor's, for the main loop to carry out.
#[derive(Clone, Debug)]
pub enum Action {
    /// Start a process; [`Message::DidStart`] or [`Message::DidFailToStart`]
    /// answers.
    Spawn(Box<Spawn>),
    /// Carry out a built-in check; [`Message::Probed`] answers.
    Probe(Probe),
    /// Send a signal to the process group that this pid leads.
    SignalGroup(Pid, i32),
    /// Kill what an execution that has ended, perhaps long ago, left behind in the
    /// process group that this pid led.
    EndGroup(ExecId, Pid),
    /// Send a signal to this one process.
    Signal(Pid, i32),
    /// Show an event to whoever follows them.
    Publish(Event),
    /// Log an entry.
    Log(log::Level, Option<Label>, String),
    /// Open the log file again.
    ReopenLog,
    /// Make the control socket's file again if it is gone.
    KeepSocket,
    /// Tell the watchdog that the loop turns.
    FeedWatchdog,
    /// Log as this says from now on.
    ConfigureLogging(LoggingSpec),
    /// Bring the catalog to what is wanted.
    Discover(Wish),
    /// Observe a service; [`Message::Watched`] answers whenever it changes.
    Watch(WatchId, Arc<WatchSpec>),
    /// Observe it no longer.
    Unwatch(WatchId),
    /// Answer a request.
    Reply(ReplyTo, Reply),
    /// Answer a question of telemetry's.
    Answer(AnswerTo, Answer),
    /// Read the configuration again with this environment, and open what it needs
    /// unless that is all (a dry run); [`Message::ConfigLoaded`] answers.
    LoadConfig(Arc<Environment>, bool),
    /// The configuration that was loaded last is accepted: what was made ready
    /// for it takes the place of what is there.
    TakeOver,
}
