//! Starting processes: one worker thread for each execution, from its start to
//! the end of its output.
//!
//! A worker reports its start, or why there was none, exactly once, even if it
//! panics. It neither waits for its child nor signals it: that is the main
//! loop's alone ([`children`]).

pub mod children;
pub mod descriptors;
pub mod output;
mod program;
mod stack;

use std::fs::File;
use std::io::{self, PipeReader};
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};
use std::thread;

use crossbeam_channel::{Sender, bounded};

use crate::logging::{Log, Source};
use crate::message::{ExecId, Message, Pid, Spawn, StartError};
use crate::search_path;

/// What a worker needs: the frames of `std`'s process spawning and of the pump.
const STACK: usize = 64 * 1024;

/// Starts an execution on a worker of its own; [`Message::DidStart`] or
/// [`Message::DidFailToStart`] answers.
pub fn start(spawn: Box<Spawn>, inbox: &Sender<Message>, log: &Log) {
    let source = log.source();
    let report = Report::new(spawn.exec, inbox.clone());
    // Handed over behind the start, so that it is still here if there is none.
    let (hand_over, handed) = bounded(1);
    let worker = thread::Builder::new()
        .name("exec".to_owned())
        .stack_size(STACK);
    let started = worker.spawn(move || {
        let report = handed.recv();
        drop(handed);
        if let Ok(report) = report {
            work(spawn, report, &source);
        }
    });
    match started {
        // A worker that has died already drops the report, which then tells.
        Ok(_worker) => drop(hand_over.send(report)),
        Err(cause) => {
            report.did_fail_to_start(StartError::new("cannot start a thread for it", &cause));
        }
    }
}

fn work(spawn: Box<Spawn>, report: Report, source: &Source) {
    match execute(&spawn) {
        Ok((pid, None)) => report.did_start(pid),
        Ok((pid, Some(output))) => {
            report.did_start(pid);
            // A pump may live for months, and there may be thousands: it keeps
            // nothing of what only the start needed.
            let label = spawn.label.clone();
            drop(spawn);
            stack::release();
            output::pump(output, &label, pid, source);
        }
        Err(error) => report.did_fail_to_start(error),
    }
}

/// Starts the process: leader of a group of its own, nothing on its stdin, no
/// descriptor of ours, no signal blocked (SPEC §5).
fn execute(spawn: &Spawn) -> Result<(Pid, Option<PipeReader>), StartError> {
    let name = spawn
        .command
        .argv
        .first()
        .map(String::as_str)
        .unwrap_or_default();
    let refused = |cause| StartError::new(&format!("cannot execute {name:?}"), &cause);
    let path = spawn.environment.get("PATH");
    let program = search_path::find(name, path.as_deref()).map_err(refused)?;
    let mut command = Command::new(&program);
    command
        .arg0(name)
        .args(spawn.command.argv.iter().skip(1))
        .env_clear()
        .envs(spawn.environment.iter())
        .envs(
            spawn
                .pids
                .iter()
                .map(|(variable, pid)| (&**variable, pid.to_string())),
        )
        .stdin(nothing().map_err(refused)?)
        .process_group(0);
    let mut output = None;
    if !spawn.command.raw {
        // One pipe for both, so that the order of what the child wrote is kept.
        let (reader, writer) = io::pipe().map_err(refused)?;
        command
            .stdout(writer.try_clone().map_err(refused)?)
            .stderr(writer);
        output = Some(reader);
    }
    let child = command
        .spawn()
        .map_err(|cause| program::explain(name, &program, &cause))?;
    Ok((child.id().cast_signed(), output))
}

/// An input that is at its end; a pipe without a writer where there is no
/// `/dev/null`.
fn nothing() -> io::Result<Stdio> {
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
