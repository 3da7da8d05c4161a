//! Starting processes on workers, and one pump for the output of all
//! ([`output`]).
//!
//! A worker reports each start, or why there was none, exactly once, even if it
//! panics. It neither waits for the child nor signals it: that is the main
//! loop's alone ([`children`]).

pub mod children;
mod command;
pub mod descriptors;
mod dumpable;
pub mod last_resort;
mod launch;
pub mod leftovers;
pub mod output;
mod program;
mod steps;
pub mod terminal;
mod variables;
mod workers;

use std::fs::File;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;

use crate::bug;
use crate::inbox::Sender;
use crate::logging::{Log, Source};
use crate::message::{ExecId, Message, Pid, Spawn, StartError};
use launch::Streams;
use output::{Place, Pump};
use variables::Kept;
use workers::Workers;

/// Starts executions, on threads of its own.
pub struct Starter {
    inbox: Sender<Message>,
    log: Log,
    pump: Pump,
    kept: Arc<Kept>,
    workers: Workers<Start>,
}

/// What is to be started, and who is told and where it prints.
struct Start {
    spawn: Box<Spawn>,
    report: Report,
    pump: Pump,
    source: Source,
    kept: Arc<Kept>,
}

impl Starter {
    /// Reports go to `inbox`, what children print to `log`.
    pub fn new(inbox: Sender<Message>, log: Log) -> Self {
        Self {
            pump: Pump::new(&log, inbox.clone()),
            inbox,
            log,
            kept: Arc::default(),
            workers: Workers::new(work),
        }
    }

    /// Starts an execution; [`Message::DidStart`] or [`Message::DidFailToStart`]
    /// answers.
    pub fn start(&self, spawn: Box<Spawn>) {
        let start = Start {
            report: Report::new(spawn.exec, self.inbox.clone()),
            pump: self.pump.clone(),
            source: self.log.source(),
            kept: Arc::clone(&self.kept),
            spawn,
        };
        if let Err((start, cause)) = self.workers.add(start) {
            let error = StartError::new("cannot start a thread for it", &cause);
            start.report.did_fail_to_start(error);
        }
    }
}

fn work(start: Start) {
    bug::on_demand("exec");
    let Start {
        spawn,
        report,
        pump,
        source,
        kept,
    } = start;
    match execute(&spawn, &kept, &pump, source) {
        Ok((pid, place)) => {
            // First of all: the report may be the last thing before the end of
            // the supervisor, which waits for the output that it knows of.
            if let Some(place) = place {
                place.fill(spawn.label, pid, spawn.tail);
            }
            report.did_start(pid);
        }
        Err(error) => report.did_fail_to_start(error),
    }
}

/// Starts the process: leader of a group of its own, nothing on its stdin (or the
/// supervisor's, if it is in the foreground), no
/// descriptor of ours, no signal blocked (SPEC §5).
fn execute(
    spawn: &Spawn,
    kept: &Kept,
    pump: &Pump,
    source: Source,
) -> Result<(Pid, Option<Place>), StartError> {
    let name = spawn.command.name();
    let refused = |cause| StartError::new(&format!("cannot execute {name:?}"), &cause);
    if last_resort::is_ending() {
        return Err(refused(io::Error::other("the supervisor is about to end")));
    }
    let unread = |cause| StartError::new(&format!("cannot read the output of {name:?}"), &cause);
    let context = spawn.command.context.as_ref();
    let null;
    let own = io::stdin();
    let stdin = match context.is_some_and(|context| context.foreground) {
        true => own.as_fd(),
        false => {
            null = nothing().map_err(refused)?;
            null.as_fd()
        }
    };
    if spawn.command.raw {
        let output = None;
        let pid = command::start(spawn, kept, &Streams { stdin, output })?;
        return Ok((pid, None));
    }
    // One pipe for both, so that the order of what the child wrote is kept.
    let (reader, writer) = io::pipe().map_err(refused)?;
    let output = pump.reserve(reader, source).map_err(unread)?;
    let streams = Streams {
        stdin,
        output: Some(writer.as_fd()),
    };
    let pid = command::start(spawn, kept, &streams)?;
    Ok((pid, Some(output)))
}

/// An input that is at its end; a pipe without a writer where there is no
/// `/dev/null`.
fn nothing() -> io::Result<OwnedFd> {
    match File::open("/dev/null") {
        Ok(null) => Ok(null.into()),
        Err(_) => io::pipe().map(|(reader, _closed)| reader.into()),
    }
}

/// The one report of how a start went.
struct Report {
    exec: ExecId,
    inbox: Option<Sender<Message>>,
}

impl Report {
    fn new(exec: ExecId, inbox: Sender<Message>) -> Self {
        Self {
            exec,
            inbox: Some(inbox),
        }
    }

    fn did_start(mut self, pid: Pid) {
        self.send(|exec| Message::DidStart(exec, pid));
    }

    fn did_fail_to_start(mut self, error: StartError) {
        self.send(|exec| Message::DidFailToStart(exec, error));
    }

    fn send(&mut self, message: impl FnOnce(ExecId) -> Message) {
        if let Some(inbox) = self.inbox.take() {
            // The loop ends last; if it has ended, nobody needs the report.
            let _gone = inbox.send(message(self.exec));
        }
    }
}

impl Drop for Report {
    fn drop(&mut self) {
        self.send(|exec| {
            let cause = io::Error::other("its thread ended early");
            Message::DidFailToStart(exec, StartError::new("internal error", &cause))
        });
    }
}
