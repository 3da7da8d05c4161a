//! The shell of the supervisor: the only place that reads the clock, waits,
//! reaps and kills.
//!
//! It carries out actions, waits for the next message or deadline, and hands it
//! on. Nothing in it blocks but the wait: files, sockets and starting processes
//! are the workers'.

mod intake;

use std::panic::{self, AssertUnwindSafe};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use crate::bug;
use crate::config::init::Ending;
use crate::control::place::Why;
use crate::control::server::Control;
use crate::discovery::Discovery;
use crate::environment::Environment;
use crate::handoff::{Taker, handoff};
use crate::inbox::{Inbox, inbox};
use crate::init::Watchdog;
use crate::logging::Log;
use crate::message::{Action, ExecId, ExitStatus, Message, Pid, Wish};
use crate::preparation::{Common, Current, Origin, Prepared, address, load, open};
use crate::probe;
use crate::process::children::{self, Children, signal_group, signal_process};
use crate::process::{Starter, terminal};
use crate::supervisor::{Identity, Supervisor};
use crate::telemetry::server::Telemetry;
use intake::Intake;

/// A turn that takes longer delays every job: it is worth a line in the log.
const SLOW_TURN: Duration = Duration::from_millis(50);

/// How long a server that is replaced may take to give its last answers.
const LAST_ANSWERS: Duration = Duration::from_secs(5);

/// How long such a server may take to leave its place.
const LEAVE_PATIENCE: Duration = Duration::from_secs(5);

/// How long what SIGKILL is to end may take.
const LAST_BREATH: Duration = Duration::from_secs(2);

/// How long a backend that is replaced may take to forget our services.
const LAST_WITHDRAWALS: Duration = Duration::from_secs(30);

/// The supervisor and everything it commands.
pub(crate) struct MainLoop {
    supervisor: Supervisor,
    intake: Intake,
    common: Common,
    children: Children,
    starter: Starter,
    log: Log,
    origin: Origin,
    control: Option<Control>,
    telemetry: Option<Telemetry>,
    discovery: Option<Discovery>,
    watchdog: Option<Watchdog>,
    current: Current,
    /// Where a reload leaves what it has made ready.
    prepared: Option<Inbox<Prepared>>,
    /// Places that servers which were replaced are about to leave.
    leaving: Vec<Taker<()>>,
}

impl MainLoop {
    /// A loop around a supervisor of what was prepared from `origin`.
    pub(crate) fn new(
        origin: Origin,
        prepared: Prepared,
        common: Common,
        identity: Identity,
        inbox: Inbox<Message>,
        log: Log,
    ) -> Self {
        let starter = Starter::new(common.inbox.clone(), log.clone());
        let init = identity.init.as_ref();
        let watchdog = init.and_then(|init| init.watchdog.clone());
        let watchdog = watchdog.map(Watchdog::new);
        let own = common.inbox.clone();
        let mut main_loop = Self {
            supervisor: Supervisor::new(Instant::now(), (*prepared.config).clone(), identity),
            intake: Intake::new(inbox, own, origin.addressee(), log.clone()),
            common,
            children: Children::default(),
            starter,
            log,
            origin,
            control: None,
            telemetry: None,
            discovery: None,
            watchdog,
            current: Current::default(),
            prepared: None,
            leaving: Vec::new(),
        };
        main_loop.install(prepared);
        main_loop
    }

    /// Runs until there is nothing left to supervise.
    pub(crate) fn run(&mut self) {
        self.perform();
        while !self.supervisor.is_done() {
            let message = self.intake.next(self.supervisor.next_deadline());
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

    /// What the supervisor exits with, once there is nothing left.
    pub(crate) fn exit_code(&self) -> u8 {
        self.supervisor.exit_code()
    }

    /// What is to become of the machine, if this is the init of one.
    pub(crate) fn ending(&self) -> Option<Ending> {
        self.supervisor.ending()
    }

    /// Ends every process that there still is: those that left their job's
    /// group and outlived it. For the init of a machine alone.
    pub(crate) fn end_everything(&mut self) {
        let grace = self.supervisor.grace_time();
        for (signal, time) in [(libc::SIGTERM, grace), (libc::SIGKILL, LAST_BREATH)] {
            if !children::reap_all() {
                return;
            }
            log::info!("sending signal {signal} to all processes that are left");
            if let Err(error) = children::signal_everyone(signal) {
                log::error!("cannot send signal {signal} to all processes: {error}");
            }
            self.reap_until(Instant::now() + time);
        }
    }

    fn reap_until(&mut self, deadline: Instant) {
        while children::reap_all() && Instant::now() < deadline {
            let look_again = self.feed_until(deadline);
            // Whatever arrives, all that counts now is who is left.
            let _any = self.intake.next(Some(look_again));
        }
    }

    /// Feeds the watchdog, and says when to do that again, `deadline` at the latest.
    fn feed_until(&mut self, deadline: Instant) -> Instant {
        self.watchdog.iter_mut().for_each(Watchdog::feed);
        let hungry = self.watchdog.as_ref().map_or(LAST_BREATH, Watchdog::period);
        deadline.min(Instant::now() + hungry)
    }

    /// Ends all jobs, without the supervisor: it has met a bug in itself, and what
    /// it believes may be wrong. Nothing is restarted, and no hook runs.
    pub(crate) fn end_jobs(&mut self) {
        bug::on_demand("ending");
        let grace = self.supervisor.grace_time();
        for (signal, time) in [(libc::SIGTERM, grace), (libc::SIGKILL, LAST_BREATH)] {
            for pid in self.children.pids() {
                tell(pid, signal);
            }
            let deadline = Instant::now() + time;
            while !self.children.is_empty() && Instant::now() < deadline {
                let look_again = self.feed_until(deadline);
                match self.intake.next(Some(look_again)) {
                    Some(Message::DidStart(exec, pid)) => {
                        let is_there = self.children.did_start(exec, pid);
                        is_there.then(|| tell(pid, signal));
                    }
                    Some(Message::DidFailToStart(exec, _)) => self.children.did_fail_to_start(exec),
                    _ => {}
                }
                while let Some(ended) = self.children.next_ended() {
                    // Of its group, nobody is left to outlive it.
                    tell(ended.pid, libc::SIGKILL);
                    self.children.reap(ended);
                }
            }
        }
    }

    /// The watchdog, which must not be dropped: that might disarm it.
    pub(crate) fn take_watchdog(&mut self) -> Option<Watchdog> {
        self.watchdog.take()
    }

    fn turn(&mut self, message: Message) {
        #[cfg(debug_assertions)]
        fail_on_demand(&message);
        match message {
            Message::ChildrenExited => self.reap(),
            Message::SocketTouched => self.keep_socket(Why::Touched),
            Message::DidStart(exec, pid) => {
                let is_there = self.children.did_start(exec, pid);
                self.supervisor.handle(Instant::now(), message);
                if !is_there {
                    let killed = ExitStatus::Signal(libc::SIGKILL);
                    let message = Message::DidExit(exec, killed);
                    self.supervisor.handle(Instant::now(), message);
                }
                // What has ended meanwhile may have waited for this.
                self.reap();
            }
            Message::DidFailToStart(exec, _) => {
                self.children.did_fail_to_start(exec);
                self.supervisor.handle(Instant::now(), message);
                self.reap();
            }
            message => self.supervisor.handle(Instant::now(), message),
        }
    }

    /// Reaps every child that has ended. One of ours is reaped only after all
    /// that follows from its end is done, so that its group can be signalled.
    fn reap(&mut self) {
        if let Origin::Command(_) = self.origin {
            self.children.pids().for_each(terminal::follow);
        }
        let mut began = Instant::now();
        while let Some(ended) = self.children.next_ended() {
            if let Some(exec) = ended.exec {
                if let Origin::Command(_) = self.origin {
                    terminal::take_back(ended.pid);
                }
                self.supervisor
                    .handle(Instant::now(), Message::DidExit(exec, ended.status));
                self.perform();
            }
            self.children.reap(ended);
            began = Instant::now();
        }
        self.intake.has_looked(began.elapsed());
    }

    fn perform(&mut self) {
        for action in self.supervisor.take_actions() {
            match action {
                Action::Spawn(spawn) => {
                    self.children.will_start(spawn.exec);
                    self.starter.start(spawn);
                }
                Action::Probe(probe) => probe::start(probe, &self.common.inbox),
                Action::SignalGroup(pid, signal) => tell(pid, signal),
                Action::EndGroup(exec, pid) => self.end_group(exec, pid),
                Action::Signal(pid, signal) => {
                    if let Err(error) = signal_process(pid, signal) {
                        log::error!("cannot send signal {signal} to process {pid}: {error}");
                    }
                }
                Action::Publish(event) => self.common.journal.publish(&event),
                Action::Log(level, label, text) => {
                    self.log.note(level, label.as_ref(), &text);
                }
                Action::ReopenLog => self.log.reopen(),
                Action::KeepSocket => self.keep_socket(Why::Asked),
                Action::FeedWatchdog => self.watchdog.iter_mut().for_each(Watchdog::feed),
                Action::ConfigureLogging(spec) => self.log.configure(&spec),
                Action::Reply(to, reply) => to.send(reply),
                Action::Answer(to, answer) => to.send(answer),
                Action::Discover(wish) => self.discover(wish),
                Action::Watch(id, spec) => {
                    if let Some(discovery) = &mut self.discovery {
                        discovery.watch(id, spec);
                    }
                }
                Action::Unwatch(id) => {
                    if let Some(discovery) = &mut self.discovery {
                        discovery.unwatch(id);
                    }
                }
                Action::TakeOver => self.take_over(),
                Action::LoadConfig(environment, dry_run) => self.load_config(environment, dry_run),
            }
        }
    }

    /// Once its leader is reaped, the number of a group that is gone may be another's.
    fn end_group(&self, exec: ExecId, pid: Pid) {
        let is_its = match self.children.exec(pid) {
            Some(owner) => owner == exec,
            None => children::is_left_over(pid),
        };
        if is_its {
            tell(pid, libc::SIGKILL);
        }
    }

    fn keep_socket(&self, why: Why) {
        if let Some(control) = &self.control {
            control.place().look_after(why);
        }
    }

    /// Without a backend there is nothing to bring about: what is to be withdrawn
    /// is.
    fn discover(&self, wish: Wish) {
        match (&self.discovery, wish) {
            (Some(discovery), wish) => discovery.wish(wish),
            (None, Wish::Withdraw(service)) => {
                let _gone = self.common.inbox.send(Message::Withdrawn(service, true));
            }
            (None, Wish::Register(..) | Wish::Heartbeat(_) | Wish::Unhealthy(_)) => {}
        }
    }

    /// Prepares to run the configuration as it is now, on a thread of its own; in a
    /// dry run only reads it.
    fn load_config(&mut self, environment: Arc<Environment>, dry_run: bool) {
        let (ready, prepared) = inbox();
        self.prepared = Some(prepared);
        let (origin, log) = (self.origin.clone(), self.log.clone());
        let (current, common) = (self.current.clone(), self.common.clone());
        let leaving = match dry_run {
            true => Vec::new(),
            false => std::mem::take(&mut self.leaving),
        };
        let work = move || {
            let prepare = || {
                bug::on_demand("reload");
                // What the last reload moved may be in the place of what this one
                // opens. Whoever takes longer is found there.
                for place in leaving {
                    let _left = place.recv_timeout(LEAVE_PATIENCE);
                }
                let config = load(&origin, &current, &environment)?;
                match dry_run {
                    true => Ok(Prepared::nothing_for(config)),
                    false => open(config, &current, &common, &log),
                }
            };
            // Whoever asked for the reload must get an answer.
            let prepared = panic::catch_unwind(AssertUnwindSafe(prepare));
            let prepared = match prepared {
                Ok(prepared) => prepared.map_err(|error| error.to_string()),
                Err(_) => Err("internal error: reading the configuration panicked".to_owned()),
            };
            let config = prepared.map(|prepared| {
                let config = prepared.config.clone();
                // The loop keeps the other end until the next reload.
                let _gone = ready.send(prepared);
                config
            });
            let _gone = common.inbox.send(Message::ConfigLoaded(config));
        };
        if let Err(error) = thread::Builder::new().name("reload".to_owned()).spawn(work) {
            let refusal = format!("cannot start a thread to read the configuration: {error}");
            let _gone = self.common.inbox.send(Message::ConfigLoaded(Err(refusal)));
        }
    }

    /// The supervisor has accepted what a reload has prepared.
    fn take_over(&mut self) {
        let prepared = self.prepared.take().and_then(|ready| ready.try_recv().ok());
        if let Some(prepared) = prepared {
            self.install(prepared);
        }
        self.keep_socket(Why::Asked);
    }

    /// Puts what was opened in the place of what was there; that gives its last
    /// answers on a thread of its own.
    fn install(&mut self, prepared: Prepared) {
        let Prepared {
            config,
            control,
            telemetry,
            discovery,
        } = prepared;
        self.current.log = Some(config.logging.output);
        self.current.included_from = config.included_from;
        if let Some(discovery) = discovery {
            self.current.consul = config.consul;
            let before = std::mem::replace(&mut self.discovery, discovery);
            if let Some(before) = before {
                before.give_way(self.discovery.as_ref(), LAST_WITHDRAWALS);
            }
        }
        if let Some(control) = control {
            let socket = control.place().spec().socket;
            log::info!("control plane listens on {}", socket.display());
            self.current.control = Some(control.place().clone());
            if let Some(before) = self.control.replace(control) {
                self.retire(move |deadline, left| before.give_way(deadline, left));
            }
        }
        if let Some(telemetry) = telemetry {
            self.current.telemetry = config.telemetry.as_ref().map(address);
            let before = std::mem::replace(&mut self.telemetry, telemetry);
            if let Some(server) = &self.telemetry {
                log::info!("telemetry listens on {}", server.address());
            }
            if let Some(before) = before {
                self.retire(move |deadline, left| before.give_way(deadline, left));
            }
        }
    }

    /// Lets a server leave its place and give its last answers in its own time; at
    /// once, if there is no thread for it.
    fn retire(&mut self, give_way: impl FnOnce(Instant, Box<dyn FnOnce()>) + Send + 'static) {
        let (giver, left) = handoff();
        self.leaving.push(left);
        let work = move || {
            // Its place is left then, too: whoever waits for that is told.
            let _left = bug::caught("a server on its way out", || {
                bug::on_demand("retire");
                let has_left = Box::new(move || giver.give(()));
                give_way(Instant::now() + LAST_ANSWERS, has_left);
            });
        };
        let _refused = thread::Builder::new().name("retire".to_owned()).spawn(work);
    }

    /// Lets no new client in. Threads that wait for one end meanwhile.
    pub(crate) fn refuse(&self) {
        self.control.iter().for_each(Control::refuse);
        self.telemetry.iter().for_each(Telemetry::refuse);
    }

    /// Tells those who follow events or the log that nothing will follow, and lets
    /// the servers give their last answers.
    pub(crate) fn close(&mut self, deadline: Instant) {
        // What a reload has opened that came too late goes with the inbox in which it
        // is, or with its thread that finds nobody there.
        self.prepared = None;
        self.common.journal.close();
        self.log.buffer().close();
        if let Some(control) = self.control.take() {
            control.stop(deadline);
        }
        if let Some(telemetry) = self.telemetry.take() {
            telemetry.stop(deadline);
        }
    }
}

fn tell(group: Pid, signal: i32) {
    if let Err(error) = signal_group(group, signal) {
        log::error!("cannot send signal {signal} to process group {group}: {error}");
    }
}

/// A bug, or a want of so many bytes of memory, for the tests of what becomes of
/// the jobs then. It is in no release.
#[cfg(debug_assertions)]
fn fail_on_demand(message: &Message) {
    if !matches!(message, Message::Signal(_)) {
        return;
    }
    bug::on_demand("signal");
    if let Ok(bytes) = std::env::var("CONTAINERPILOT_ALLOCATE_AT_SIGNAL") {
        let memory: Vec<u8> = Vec::with_capacity(bytes.parse().unwrap_or_default());
        drop(std::hint::black_box(memory));
    }
}
