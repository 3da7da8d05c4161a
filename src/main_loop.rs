//! The shell of the supervisor: the only place that reads the clock, waits,
//! reaps and kills.
//!
//! It carries out actions, waits for the next message or deadline, and hands it
//! on. Nothing in it blocks but the wait: files, sockets and starting processes
//! are the workers'.

use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, Sender};

use crate::environment::Environment;
use crate::logging::Log;
use crate::message::{Action, Message};
use crate::process;
use crate::process::children::{Children, signal_group};
use crate::supervisor::Supervisor;

/// A turn that takes longer delays every job: it is worth a line in the log.
const SLOW_TURN: Duration = Duration::from_millis(50);

/// Reads the configuration again on behalf of a reload; runs on a thread of its
/// own and answers with the text of all errors.
pub type Load =
    Arc<dyn Fn(&Environment) -> Result<Box<crate::config::Config>, String> + Send + Sync>;

/// The supervisor and everything it commands.
pub struct MainLoop {
    supervisor: Supervisor,
    inbox: Receiver<Message>,
    sender: Sender<Message>,
    children: Children,
    log: Log,
    load: Load,
}

impl MainLoop {
    /// A loop around `supervisor`, fed by `inbox`, whose other end is `sender`.
    pub fn new(
        supervisor: Supervisor,
        inbox: Receiver<Message>,
        sender: Sender<Message>,
        log: Log,
        load: Load,
    ) -> Self {
        Self {
            supervisor,
            inbox,
            sender,
            children: Children::default(),
            log,
            load,
        }
    }

    /// Runs until there is nothing left to supervise.
    pub fn run(&mut self) {
        self.perform();
        while !self.supervisor.is_done() {
            let message = self.next_message();
            let began = Instant::now();
            let what = message.as_ref().map(Message::kind);
            if let Some(message) = message {
                self.turn(message);
            }
            self.supervisor.expire(Instant::now());
            self.perform();
            let took = began.elapsed();
            self.supervisor.turn_ended(took);
            if took > SLOW_TURN {
                log::warn!(
                    "a turn of the event loop took {took:?}: {}",
                    what.unwrap_or("timer")
                );
            }
        }
    }

    /// Waits for a message until the next deadline.
    fn next_message(&self) -> Option<Message> {
        let Some(deadline) = self.supervisor.next_deadline() else {
            // The loop holds a sender itself: the inbox never closes.
            return self.inbox.recv().ok();
        };
        self.inbox.recv_deadline(deadline).ok()
    }

    fn turn(&mut self, message: Message) {
        match message {
            Message::ChildrenExited => self.reap(),
            Message::DidStart(exec, pid) => {
                let early = self.children.did_start(exec, pid);
                self.supervisor.handle(Instant::now(), message);
                if let Some(status) = early {
                    self.perform();
                    self.supervisor
                        .handle(Instant::now(), Message::DidExit(exec, status));
                }
            }
            Message::DidFailToStart(..) => {
                self.children.did_fail_to_start();
                self.supervisor.handle(Instant::now(), message);
            }
            message => self.supervisor.handle(Instant::now(), message),
        }
    }

    /// Reaps every child that has ended. One of ours is reaped only after all
    /// that follows from its end is done, so that its group can be signalled.
    fn reap(&mut self) {
        while let Some(ended) = self.children.next_ended() {
            if let Some(exec) = ended.exec {
                self.supervisor
                    .handle(Instant::now(), Message::DidExit(exec, ended.status));
                self.perform();
            }
            self.children.reap(ended);
        }
    }

    fn perform(&mut self) {
        for action in self.supervisor.take_actions() {
            match action {
                Action::Spawn(spawn) => {
                    self.children.will_start();
                    process::start(spawn, &self.sender, &self.log);
                }
                Action::SignalGroup(pid, signal) => {
                    if let Err(error) = signal_group(pid, signal) {
                        log::error!("cannot send signal {signal} to process group {pid}: {error}");
                    }
                }
                Action::Log(level, label, text) => {
                    self.log.entry(level, label.as_ref(), None, &text);
                }
                Action::ReopenLog => self.log.reopen(),
                Action::ConfigureLogging(spec) => self.log.configure(&spec),
                Action::Reply(to, reply) => to.send(reply),
                Action::TakeOver => {}
                Action::LoadConfig(environment) => self.load_config(environment),
            }
        }
    }

    fn load_config(&self, environment: Arc<Environment>) {
        let (load, sender) = (Arc::clone(&self.load), self.sender.clone());
        let work = move || {
            let _gone = sender.send(Message::ConfigLoaded(load(&environment)));
        };
        if let Err(error) = thread::Builder::new().name("reload".to_owned()).spawn(work) {
            let refusal = format!("cannot start a thread to read the configuration: {error}");
            let _gone = self.sender.send(Message::ConfigLoaded(Err(refusal)));
        }
    }
}
