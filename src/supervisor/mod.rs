//! The supervisor: the one owner of state, and it does no I/O.
//!
//! A pure state machine: messages and the time go in, actions come out. It has
//! no thread, clock, lock or system call, so that every sentence of the manual
//! about order and time can be tested exactly, in virtual time.
//!
//! A turn is one call of [`Supervisor::handle`] or [`Supervisor::expire`]: an
//! input changes some job, which publishes events; each event is shown to every
//! job that is subscribed to it, in the order of the file, before the next one;
//! the turn ends when no event is left.
//!
//! `handle` never fails: a failure is an input that changes state. A message
//! about an execution that is over is recognised by its id and dropped.

mod differences;
mod effects;
mod ending;
mod forwarding;
mod health;
mod index;
mod job;
mod maintenance;
mod operations;
mod pairing;
mod plan;
mod reload;
mod requests;
mod service;
mod shutdown;
mod status;
mod telemetry;
#[cfg(test)]
mod tests;
mod timers;
mod watch;

use std::net::IpAddr;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use log::Level;

use crate::bug;
use crate::config::init::Ending;
use crate::config::{Config, InitSpec};
use crate::environment::Environment;
use crate::event::{Code, Event};
use crate::message::{Action, ExecId, Message, Signal};
use crate::sorted::{SortedMap, SortedSet};
use crate::telemetry::metrics::{ConsulRequests, Requests};
use effects::{Effects, Phase};
use index::Index;
use job::Job;
use operations::Operations;
use reload::{Reloads, Successors};
use service::Service;
use status::Chronicle;
use timers::Timer;
use watch::Watch;

/// A job of this or an earlier configuration; never reused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
struct JobId(u32);

/// A request of an operator that is not answered yet; never reused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct OperationId(u64);

/// What the supervisor is told about the process it lives in.
#[derive(Clone, Debug)]
pub struct Identity {
    /// `CONTAINERPILOT_PID` of every child.
    pub pid: u32,
    /// The configuration file, if there is one.
    pub config: Option<PathBuf>,
    /// What it was started with as the init of a machine, if it is one.
    pub init: Option<InitSpec>,
    /// The environment the supervisor was started with.
    pub environment: Environment,
    /// Where answers of the control plane are counted.
    pub requests: Requests,
    /// Where requests to Consul are counted.
    pub consul_requests: ConsulRequests,
}

/// The state machine.
#[derive(Debug)]
#[cfg_attr(test, derive(Clone))]
pub struct Supervisor {
    fx: Effects,
    jobs: SortedMap<JobId, Job>,
    index: Index,
    last_job: u32,
    identity: Identity,
    /// The configuration in force, without its jobs.
    config: Config,
    /// `CONTAINERPILOT_{JOB}_IP` of each advertised job.
    advertised_ips: Vec<(String, IpAddr)>,
    reloads: Reloads,
    successors: Successors,
    watches: Vec<Watch>,
    last_watch: u64,
    /// The telemetry server as a service, if it is advertised.
    telemetry: Option<Service>,
    /// The services whose withdrawal shutdown waits for.
    withdrawing: SortedSet<String>,
    chronicle: Chronicle,
    /// What is to become of the machine, if somebody has said so.
    ending: Option<Ending>,
    operations: Operations,
    /// A thread that must live has ended.
    has_met_a_bug: bool,
}

impl Supervisor {
    /// A supervisor about to run `config`: its first turn, in which every job
    /// is subscribed and startup is published.
    pub fn new(now: Instant, mut config: Config, identity: Identity) -> Self {
        let mut fx = Effects::new(now, &config);
        fx.metrics.configure(&config, config.jobs.iter());
        fx.metrics.built_in.requests = identity.requests.clone();
        fx.metrics.built_in.consul = identity.consul_requests.clone();
        let advertised_ips = config.advertised_ips();
        let jobs = std::mem::take(&mut config.jobs);
        let mut supervisor = Self {
            fx,
            jobs: SortedMap::new(),
            index: Index::default(),
            last_job: 0,
            identity,
            advertised_ips,
            config,
            reloads: Reloads::new(),
            successors: Successors::new(),
            watches: Vec::new(),
            last_watch: 0,
            telemetry: None,
            withdrawing: SortedSet::new(),
            chronicle: Chronicle::new(now),
            ending: None,
            operations: Operations::default(),
            has_met_a_bug: false,
        };
        supervisor.feed_watchdog();
        supervisor.begin(jobs);
        supervisor.drain();
        supervisor
    }

    /// Takes note of a fact.
    pub fn handle(&mut self, now: Instant, message: Message) {
        self.fx.now = now;
        match message {
            Message::DidStart(exec, pid) => {
                self.with_owner(exec, |job, fx| job.did_start(exec, pid, fx));
            }
            Message::DidFailToStart(exec, error) => {
                self.with_owner(exec, |job, fx| job.did_fail_to_start(exec, &error, fx));
                self.forget(exec);
            }
            Message::DidExit(exec, status) => {
                self.with_owner(exec, |job, fx| job.did_exit(exec, status, fx));
                self.forget(exec);
            }
            Message::Probed(exec, result) => {
                if let Some(id) = self.fx.probes.remove(&exec) {
                    self.with_job(id, |job, fx| job.did_probe(exec, result, fx));
                }
            }
            Message::ChildrenExited | Message::SocketTouched => {}
            Message::Signal(signal) => self.on_signal(signal),
            Message::Request(request, reply_to) => self.on_request(request, reply_to),
            Message::AskerLeft => self.leave_operations(),
            Message::Question(question, to) => self.on_question(question, to),
            Message::ConfigLoaded(result) => self.on_config_loaded(result),
            Message::Withdrawn(service, _) => self.on_withdrawn(&service),
            Message::Watched(watch, instances) => self.did_watch(watch, instances),
            Message::Reachable(result) => self.chronicle.reachable(result, now),
            Message::WorkerEnded(name) => self.on_worker_ended(name),
        }
        self.drain();
    }

    /// Lets every deadline that has passed take effect, one after the other.
    pub fn expire(&mut self, now: Instant) {
        self.fx.now = now;
        while let Some((deadline, timer)) = self.fx.timers.pop_due(now) {
            self.on_timer(deadline, timer);
            self.drain();
        }
    }

    /// When [`Supervisor::expire`] has something to do.
    pub fn next_deadline(&self) -> Option<Instant> {
        self.fx.timers.next_deadline()
    }

    /// What has to be done, in order; the caller does it before the next turn.
    pub fn take_actions(&mut self) -> Vec<Action> {
        std::mem::take(&mut self.fx.actions)
    }

    /// Takes note of how long the caller's last turn took.
    pub fn turn_ended(&mut self, took: Duration) {
        self.fx.metrics.built_in.turn_ended(took);
    }

    /// Whether nothing is left to supervise: the main loop may return.
    pub fn is_done(&self) -> bool {
        self.fx.phase == Phase::Done
    }

    /// What the supervisor exits with: the exit code of the first essential job
    /// that completed by itself, else 0 (SPEC §15); unless a bug has ended it.
    pub fn exit_code(&self) -> u8 {
        match self.has_met_a_bug {
            true => bug::EXIT_CODE,
            false => self.fx.essential.map_or(0, |(_, code)| code),
        }
    }

    fn on_timer(&mut self, deadline: Instant, timer: Timer) {
        match timer {
            Timer::Tick(job) => self.with_job(job, |job, fx| job.on_tick(deadline, fx)),
            Timer::Restart(job) => self.with_job(job, Job::on_restart),
            Timer::When(job) => self.with_job(job, Job::on_when_timeout),
            Timer::Run(job) => self.with_job(job, Job::on_run_timeout),
            Timer::CheckTick(job) => self.with_job(job, |job, fx| job.on_check_tick(deadline, fx)),
            Timer::Check(job) => self.with_job(job, Job::on_check_timeout),
            Timer::Hooks(job) => self.with_job(job, Job::on_hooks_timeout),
            Timer::Kill(job) => self.with_job(job, Job::on_kill_timeout),
            Timer::Operation(id) => self.on_operation_timeout(id),
            Timer::TelemetryBeat => self.on_telemetry_beat(),
            Timer::Withdrawal => self.did_withdraw(),
            Timer::Shutdown => self.on_shutdown_timeout(),
            Timer::GiveUp => self.give_up(),
            Timer::Watchdog => self.feed_watchdog(),
        }
    }

    fn on_worker_ended(&mut self, name: &str) {
        let text = format!("internal error: the {name} thread ended; shutting down");
        self.fx.log(Level::Error, None, text);
        self.has_met_a_bug = true;
        self.begin_shutdown();
    }

    fn on_signal(&mut self, signal: Signal) {
        match signal {
            Signal::Terminate => self.on_terminate(),
            Signal::Interrupt => self.on_interrupt(),
            Signal::Hangup => self.fx.publish_event(Event::new(Code::Signal, "SIGHUP")),
            Signal::User2 => self.fx.publish_event(Event::new(Code::Signal, "SIGUSR2")),
            Signal::ReopenLog => {
                let actions = [Action::ReopenLog, Action::KeepSocket];
                self.fx.actions.extend(actions);
            }
            Signal::ToPassOn(signal) => self.forward(signal),
        }
    }

    /// Shows every event to whom it concerns, until there is none left and
    /// nothing more follows from what came to rest.
    fn drain(&mut self) {
        loop {
            while let Some(event) = self.fx.events.pop_front() {
                self.show(&event);
            }
            if self.settle_operations() {
                continue;
            }
            if !std::mem::take(&mut self.fx.came_to_rest) {
                return;
            }
            self.settle();
        }
    }

    /// First the jobs that the event starts, then what it means for the rest.
    fn show(&mut self, event: &Event) {
        for id in self.index.subscribers(event) {
            if let Some(job) = self.jobs.get_mut(id) {
                job.on_event(event, &mut self.fx);
            }
        }
        match event.code {
            Code::Stopping => self.everyone_saw_stopping(event),
            Code::Shutdown => self.complete_all(),
            Code::EnterMaintenance => self.enter_maintenance(),
            Code::ExitMaintenance => self.exit_maintenance(),
            Code::ExitSuccess
            | Code::ExitFailed
            | Code::Healthy
            | Code::Unhealthy
            | Code::Changed
            | Code::TimerExpired
            | Code::Error
            | Code::Quit
            | Code::Metric
            | Code::Startup
            | Code::Stopped
            | Code::Signal
            | Code::Started => {}
        }
    }

    /// Every subscriber of a job's `stopping` has started: the job waits for
    /// those of them that run once because of it.
    fn everyone_saw_stopping(&mut self, event: &Event) {
        let runs_before = |hook: &JobId| {
            let hook = self.jobs.get(hook);
            hook.is_some_and(|hook| hook.runs_before(event))
        };
        let subscribers = self.index.subscribers(event).iter().copied();
        let hooks: Vec<JobId> = subscribers.filter(runs_before).collect();
        for id in self.index.named(&event.source) {
            if let Some(job) = self.jobs.get_mut(id) {
                let hooks = hooks.iter().copied().filter(|hook| hook != id);
                job.wait_for_hooks(hooks.collect(), &mut self.fx);
            }
        }
    }

    /// Something came to rest: the jobs go on that have waited for it before they
    /// are terminated.
    fn release_hooked(&mut self) {
        let is_busy = |hook: &JobId| self.jobs.get(hook).is_some_and(Job::is_busy);
        let may_go_on = |job: &Job| job.hooks().is_some_and(|hooks| !hooks.iter().any(is_busy));
        let jobs = self.jobs.iter().filter(|(_, job)| may_go_on(job));
        let released: Vec<JobId> = jobs.map(|(id, _)| *id).collect();
        for id in released {
            self.with_job(id, Job::on_hooks_done);
        }
    }

    fn with_job(&mut self, id: JobId, act: impl FnOnce(&mut Job, &mut Effects)) {
        if let Some(job) = self.jobs.get_mut(&id) {
            act(job, &mut self.fx);
        }
    }

    fn with_owner(&mut self, exec: ExecId, act: impl FnOnce(&mut Job, &mut Effects)) {
        if let Some(id) = self.fx.live.get(&exec).copied() {
            self.with_job(id, act);
        }
    }

    fn for_each_job(&mut self, act: impl Fn(&mut Job, &mut Effects)) {
        for job in self.jobs.values_mut() {
            act(job, &mut self.fx);
        }
    }

    /// An execution is over: perhaps the last thing that was waited for.
    fn forget(&mut self, exec: ExecId) {
        let owner = self.fx.live.remove(&exec);
        if owner
            .and_then(|id| self.jobs.get(&id))
            .is_some_and(Job::is_complete)
        {
            self.fx.came_to_rest = true;
        }
    }
}
