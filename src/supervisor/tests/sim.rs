//! A world for the supervisor: virtual time, processes that obey, and a record
//! of all that it does, one line each: `ms verb subject`.

mod expectations;
mod leftovers;
mod operators;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::{Duration, Instant};

use super::specs::config;
use crate::config::{Config, JobSpec};
use crate::control::request::{Operation, Reply, Request};
use crate::environment::Environment;
use crate::handoff::{Taker, handoff};
use crate::message::{
    Action, ExecId, ExitStatus, Label, Message, Pid, Probe, ReplyTo, Signal, Spawn, StartError,
    Wish,
};
use crate::supervisor::effects::Phase;
use crate::supervisor::{Identity, JobId, Supervisor};
use crate::telemetry::metrics::{ConsulRequests, Requests};
use leftovers::Leftovers;
pub(super) use operators::Answered;

/// A live process of the world.
#[derive(Clone, Debug)]
struct Process {
    exec: ExecId,
    job: JobId,
    pid: Option<Pid>,
}

/// A built-in check under way, which nothing can end but its own deadline.
#[derive(Clone, Debug)]
struct Asking {
    exec: ExecId,
    end: Instant,
}

/// The world.
#[derive(Clone)]
pub(super) struct Sim {
    pub(super) supervisor: Supervisor,
    start: Instant,
    now: Instant,
    record: Vec<String>,
    /// Live processes by `JOB` or `check.JOB`.
    processes: BTreeMap<String, Process>,
    /// Built-in checks under way by `probe.JOB`.
    probes: BTreeMap<String, Asking>,
    /// Name lookups hang: built-in checks do not even end in time.
    pub(super) lookups_hang: bool,
    next_pid: Pid,
    /// Processes that do not end on SIGTERM.
    stubborn: Vec<String>,
    /// Jobs share a name: the second process of a name is called `NAME@PID`.
    pub(super) namesakes: bool,
    /// What is withdrawn from the catalog is gone at once, and said to be.
    pub(super) catalog_obeys: bool,
    /// Processes start only when told to.
    pub(super) manual_starts: bool,
    leftovers: Leftovers,
    /// The record shows the end of what runs have left behind.
    pub(super) shows_leftovers: bool,
    facts: VecDeque<Message>,
    /// Operations that are not answered yet.
    operations: Vec<(ReplyTo, Operation)>,
    /// Those that are, and whether the job's process had started by then.
    answers: Vec<Answered>,
    pub(super) environment: BTreeMap<String, Vec<(String, String)>>,
}

impl Sim {
    pub(super) fn new(jobs: Vec<JobSpec>) -> Self {
        Self::with_config(config(jobs))
    }

    pub(super) fn with_config(config: Config) -> Self {
        Self::build(config, false)
    }

    pub(super) fn with_manual_starts(jobs: Vec<JobSpec>) -> Self {
        Self::build(config(jobs), true)
    }

    fn build(config: Config, manual_starts: bool) -> Self {
        let start = Instant::now();
        let namesakes = has_namesakes(&config.jobs);
        let environment: Environment = [("PATH", "/bin"), ("HOME", "/")].into_iter().collect();
        let requests = Requests::default();
        let identity = Identity {
            init: config.init.clone(),
            requests,
            consul_requests: ConsulRequests::default(),
            pid: 1,
            config: Some("/etc/test.json5".into()),
            environment,
        };
        let mut sim = Self {
            supervisor: Supervisor::new(start, config, identity),
            start,
            now: start,
            record: Vec::new(),
            processes: BTreeMap::new(),
            probes: BTreeMap::new(),
            lookups_hang: false,
            next_pid: 100,
            stubborn: Vec::new(),
            namesakes,
            catalog_obeys: false,
            manual_starts,
            leftovers: Leftovers::default(),
            shows_leftovers: false,
            facts: VecDeque::new(),
            operations: Vec::new(),
            answers: Vec::new(),
            environment: BTreeMap::new(),
        };
        sim.settle();
        sim
    }

    /// This job's process (or `check.JOB`) does not end on SIGTERM.
    pub(super) fn ignores_sigterm(&mut self, name: &str) {
        self.stubborn.push(name.to_owned());
    }

    pub(super) fn ms(&self) -> u128 {
        self.now.duration_since(self.start).as_millis()
    }

    pub(super) fn is_done(&self) -> bool {
        self.supervisor.is_done()
    }

    pub(super) fn is_shutting_down(&self) -> bool {
        self.supervisor.fx.phase != Phase::Running
    }

    pub(super) fn is_running(&self, name: &str) -> bool {
        self.processes.contains_key(name) || self.probes.contains_key(name)
    }

    pub(super) fn live(&self) -> Vec<String> {
        let names = self.processes.keys().chain(self.probes.keys());
        names.cloned().collect()
    }

    /// The execution that each live process is, and the job whose it is.
    pub(super) fn execs(&self) -> BTreeMap<String, (ExecId, JobId)> {
        let processes = self.processes.iter();
        processes
            .map(|(name, process)| (name.clone(), (process.exec, process.job)))
            .collect()
    }

    pub(super) fn has_started(&self, name: &str) -> bool {
        let process = self.processes.get(name);
        process.is_some_and(|process| process.pid.is_some()) || self.probes.contains_key(name)
    }

    // Moves.

    /// A process exits, or a built-in check is answered: well, if this is 0.
    pub(super) fn exit(&mut self, name: &str, code: i32) {
        if self.probes.contains_key(name) {
            let result = match code {
                0 => Ok("answered".to_owned()),
                code => Err(format!("answered {code}")),
            };
            self.did_probe(name, result);
        } else {
            self.end(name, ExitStatus::Code(code));
        }
        self.settle();
    }

    /// A process that was told to start does.
    pub(super) fn start(&mut self, name: &str) {
        self.did_start(name);
        self.settle();
    }

    /// A process that was told to start cannot.
    pub(super) fn fail_to_start(&mut self, name: &str) {
        let process = self
            .processes
            .remove(name)
            .unwrap_or_else(|| panic!("{name} is not starting"));
        assert!(process.pid.is_none(), "{name} has started");
        let error = StartError::new("no", &std::io::ErrorKind::NotFound.into());
        self.facts
            .push_back(Message::DidFailToStart(process.exec, error));
        self.settle();
    }

    /// The process of a job is ended by a signal of its own making.
    pub(super) fn die(&mut self, name: &str, signal: i32) {
        self.end(name, ExitStatus::Signal(signal));
        self.settle();
    }

    pub(super) fn signal(&mut self, signal: Signal) {
        self.facts.push_back(Message::Signal(signal));
        self.settle();
    }

    pub(super) fn send(&mut self, message: Message) {
        self.facts.push_back(message);
        self.settle();
    }

    /// A request and its answer, if it came at once.
    pub(super) fn request(&mut self, request: Request) -> Option<Reply> {
        self.ask(request).try_recv().ok()
    }

    /// A request whose answer comes later.
    pub(super) fn ask(&mut self, request: Request) -> Taker<Reply> {
        let (giver, answer) = handoff();
        self.facts
            .push_back(Message::Request(request, ReplyTo::new(giver)));
        self.settle();
        answer
    }

    /// Lets time pass, deadline by deadline.
    pub(super) fn advance(&mut self, ms: u64) {
        let end = self.now + Duration::from_millis(ms);
        while self.next_deadline().is_some_and(|at| at <= end) {
            self.advance_to_deadline();
        }
        self.now = end;
    }

    /// Lets time pass to the next deadline, be it one of the supervisor's or of a
    /// built-in check; false if there is none.
    pub(super) fn advance_to_deadline(&mut self) -> bool {
        let Some(deadline) = self.next_deadline() else {
            return false;
        };
        self.now = deadline.max(self.now);
        while let Some((_, name)) = self.next_probe().filter(|(end, _)| *end <= self.now) {
            self.did_probe(&name, Err("no answer in time".to_owned()));
        }
        self.settle();
        self.supervisor.expire(self.now);
        self.settle();
        true
    }

    /// When something is due.
    pub(super) fn next_deadline(&self) -> Option<Instant> {
        let probe = self.next_probe().map(|(end, _)| end);
        self.supervisor
            .next_deadline()
            .into_iter()
            .chain(probe)
            .min()
    }

    /// The built-in check that will give up first, unless none ever does.
    fn next_probe(&self) -> Option<(Instant, String)> {
        let probes = self.probes.iter().filter(|_| !self.lookups_hang);
        probes
            .map(|(name, asking)| (asking.end, name.clone()))
            .min()
    }

    // The world's side.

    fn settle(&mut self) {
        loop {
            for action in self.supervisor.take_actions() {
                self.perform(action);
            }
            let Some(fact) = self.facts.pop_front() else {
                return;
            };
            self.supervisor.handle(self.now, fact);
        }
    }

    fn perform(&mut self, action: Action) {
        match action {
            Action::Spawn(spawn) => self.spawn(&spawn),
            Action::Probe(probe) => self.probe(&probe),
            Action::SignalGroup(pid, signal) => self.signal_group(pid, signal),
            Action::EndGroup(_, pid) => self.end_group(pid),
            Action::Signal(pid, signal) => self.note("pass on", &format!("{signal} to {pid}")),
            Action::Log(log::Level::Debug, None, text) => {
                let event = text.strip_prefix("event: ");
                event
                    .into_iter()
                    .for_each(|event| self.note("event", event));
            }
            Action::Log(log::Level::Debug, ..) => {}
            Action::Log(level, label, text) => {
                let about = match &label {
                    Some(Label::Job(name) | Label::Check(name)) => format!("{name} "),
                    None => String::new(),
                };
                self.note(&level.to_string().to_lowercase(), &format!("{about}{text}"));
            }
            Action::ReopenLog => self.note("reopen", "log"),
            Action::KeepSocket => self.note("keep", "socket"),
            Action::FeedWatchdog => self.note("feed", "watchdog"),
            Action::ConfigureLogging(_) => self.note("configure", "logging"),
            Action::Reply(to, reply) => self.reply(to, reply),
            Action::Answer(to, answer) => to.send(answer),
            Action::Discover(wish) => {
                let (verb, id) = match &wish {
                    Wish::Register(service, status) => {
                        (format!("register {status:?}"), service.id.clone())
                    }
                    Wish::Heartbeat(service) => ("heartbeat".to_owned(), service.id.clone()),
                    Wish::Unhealthy(id) => ("unhealthy".to_owned(), id.clone()),
                    Wish::Withdraw(id) => ("withdraw".to_owned(), id.clone()),
                };
                self.note(&verb, &id);
                if self.catalog_obeys && matches!(wish, Wish::Withdraw(_)) {
                    self.facts.push_back(Message::Withdrawn(id, true));
                }
            }
            Action::Watch(id, spec) => self.note("watch", &format!("{} as {}", spec.name, id.0)),
            Action::Unwatch(id) => self.note("unwatch", &id.0.to_string()),
            Action::Publish(_) | Action::TakeOver | Action::LoadConfig(..) => {}
        }
    }

    fn spawn(&mut self, spawn: &Spawn) {
        let (Label::Job(name) | Label::Check(name)) = &spawn.label;
        self.note("spawn", name);
        let process = Process {
            exec: spawn.exec,
            job: *self.supervisor.fx.live.get(&spawn.exec).unwrap(),
            pid: None,
        };
        let mut name = name.to_string();
        if self.processes.contains_key(&name) {
            let is_same = |other: &Process| other.job == process.job;
            let one_job = |key: &String| key.split('@').next() == name.split('@').next();
            let doubled = self.processes.iter();
            let mut doubled = doubled.filter(|(key, other)| one_job(key) && is_same(other));
            assert!(
                self.namesakes && doubled.next().is_none(),
                "two processes of {name} at {} ms",
                self.ms()
            );
            name = format!("{name}@{}", spawn.exec.0);
        }
        self.processes.insert(name.clone(), process);
        let mut environment: Vec<_> = spawn
            .environment
            .iter()
            .map(|(name, value)| {
                (
                    name.to_string_lossy().into_owned(),
                    value.to_string_lossy().into_owned(),
                )
            })
            .collect();
        environment.extend(
            spawn
                .pids
                .iter()
                .map(|(name, pid)| (name.to_string(), pid.to_string())),
        );
        self.environment.insert(name.clone(), environment);
        if !self.manual_starts {
            self.did_start(&name);
        }
    }

    fn probe(&mut self, probe: &Probe) {
        let job = self.supervisor.fx.probes.get(&probe.exec).unwrap();
        let name = format!("probe.{}", self.supervisor.jobs.get(job).unwrap().name());
        self.note("ask", &name);
        let asking = Asking {
            exec: probe.exec,
            end: self.now + probe.timeout,
        };
        let before = self.probes.insert(name.clone(), asking);
        assert!(before.is_none(), "{name} twice at {} ms", self.ms());
    }

    /// A built-in check hangs on, but nobody cares any more.
    pub(super) fn forget_probe(&mut self, name: &str) {
        assert!(
            self.probes.remove(name).is_some(),
            "{name} is not under way"
        );
    }

    fn did_probe(&mut self, name: &str, result: Result<String, String>) {
        let asking = self.probes.remove(name).unwrap();
        let fact = Message::Probed(asking.exec, result);
        self.facts.push_back(fact);
    }

    fn did_start(&mut self, name: &str) {
        let process = self
            .processes
            .get_mut(name)
            .unwrap_or_else(|| panic!("{name} is not starting"));
        assert!(process.pid.is_none(), "{name} has started");
        self.next_pid += 1;
        process.pid = Some(self.next_pid);
        if is_run(name) {
            self.leftovers.follow(process.job);
        }
        self.facts
            .push_back(Message::DidStart(process.exec, self.next_pid));
    }

    fn signal_group(&mut self, pid: Pid, signal: i32) {
        let name = self
            .processes
            .iter()
            .find(|(_, process)| process.pid == Some(pid))
            .map(|(name, _)| name.clone());
        // A group whose leader is gone gets SIGKILL for its leftovers, no more.
        let Some(name) = name else {
            assert_eq!(signal, libc::SIGKILL, "signal {signal} to a dead process");
            self.end_group(pid);
            return;
        };
        match signal {
            libc::SIGKILL => self.note("kill", &name),
            libc::SIGTERM => self.note("terminate", &name),
            other => self.note(&format!("signal-{other}"), &name),
        }
        let own_name = name.split('@').next().unwrap_or_default();
        if signal == libc::SIGKILL || !self.stubborn.iter().any(|stubborn| stubborn == own_name) {
            self.end(&name, ExitStatus::Signal(signal));
        }
    }

    fn end(&mut self, name: &str, status: ExitStatus) {
        let process = self
            .processes
            .remove(name)
            .unwrap_or_else(|| panic!("{name} is not alive"));
        let pid = process.pid;
        let pid = pid.unwrap_or_else(|| panic!("{name} has not started"));
        if is_run(name) && status != ExitStatus::Signal(libc::SIGKILL) {
            self.leftovers.leave(pid, name, &process);
        }
        self.facts.push_back(Message::DidExit(process.exec, status));
    }

    fn note(&mut self, verb: &str, subject: &str) {
        self.record.push(format!("{} {verb} {subject}", self.ms()));
    }
}

/// Whether this is a process of a job, and not of its check.
fn is_run(name: &str) -> bool {
    !name.starts_with("check.")
}

/// Whether several jobs share a name.
fn has_namesakes(jobs: &[JobSpec]) -> bool {
    let names: BTreeSet<&str> = jobs.iter().map(|job| &*job.name).collect();
    names.len() < jobs.len()
}
