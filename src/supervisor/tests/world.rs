//! A world in which anything may happen that can, and the promises that the
//! supervisor keeps in it.
//!
//! A schedule is a sequence of moves of the world (a process starts, fails to
//! start, exits; a deadline passes; signals; maintenance; a reload). After the
//! last one the supervisor is told to shut down, in a world that obeys and in one
//! that ignores SIGTERM. What operators do is in [`operators`].

mod operators;

use std::collections::BTreeMap;
use std::rc::Rc;

use super::sim::Sim;
use super::starts::Starts;
use crate::config::{JobSpec, Restarts, Start};
use crate::control::request::{Reload, Request, Verb};
use crate::message::Signal;

/// One move of the world.
#[derive(Clone, Debug)]
pub(super) enum Move {
    Start(String),
    FailToStart(String),
    Exit(String, i32),
    Deadline,
    Hangup,
    Maintenance(bool),
    /// To one of the world's configurations.
    Reload(usize),
    /// Of an operator, on the job `a`.
    Operate(Verb),
    Terminate,
}

/// What is known of the jobs of one name from the record.
#[derive(Clone, Debug, Default)]
struct Entry {
    runs: u32,
    stopping: u32,
    stopped: u32,
    /// What the events were worth so far, if that can be told.
    starts: Option<Starts>,
}

/// The configurations that a reload can choose from.
pub(super) type Configs = Rc<Vec<Vec<JobSpec>>>;

/// A world and what its record has shown so far.
#[derive(Clone)]
pub(super) struct World {
    pub(super) sim: Sim,
    pub(super) configs: Configs,
    /// The configuration in force.
    pub(super) config: usize,
    /// Every line of the record.
    pub(super) history: Vec<String>,
    entries: BTreeMap<String, Entry>,
    hangups: u32,
    reloads: u32,
    /// Whether operators act in this world, and how often they have.
    has_operators: bool,
    operations: u32,
    /// The job `a` was stopped, and nothing has asked for its start since.
    stopped: bool,
    maintenance: bool,
    terminated: bool,
    /// How the last run of each job ended, as an exit code.
    codes: BTreeMap<String, u8>,
    /// What an essential job that has come to its own end has left.
    code: Option<u8>,
    /// The grace time after SIGKILL passed before everything had ended.
    gave_up: bool,
    pub(super) moves: Vec<Move>,
}

impl World {
    /// A world of the first of these configurations; a reload chooses another.
    pub(super) fn new(configs: Vec<Vec<JobSpec>>) -> Self {
        Self::beginning(&Rc::new(configs), 0)
    }

    /// A world that begins with one of the configurations.
    pub(super) fn beginning(configs: &Configs, config: usize) -> Self {
        let can_tell = |job: &&JobSpec| configs.len() == 1 && Starts::can_tell(job);
        let entry = |job| Entry {
            starts: Some(job).filter(can_tell).map(Starts::of),
            ..Entry::default()
        };
        let jobs = configs.iter().flatten();
        let entries = jobs.map(|job| (job.name.to_string(), entry(job))).collect();
        let sim = Sim::with_manual_starts(configs[config].clone());
        let mut world = Self {
            sim,
            configs: Rc::clone(configs),
            config,
            history: Vec::new(),
            entries,
            hangups: 0,
            reloads: 0,
            has_operators: false,
            operations: 0,
            stopped: false,
            maintenance: false,
            terminated: false,
            codes: BTreeMap::new(),
            code: None,
            gave_up: false,
            moves: Vec::new(),
        };
        world.check();
        world
    }

    fn possible(&self) -> Vec<Move> {
        let mut moves = Vec::new();
        for name in self.sim.live() {
            if self.sim.has_started(&name) {
                moves.extend([Move::Exit(name.clone(), 0), Move::Exit(name, 1)]);
            } else {
                moves.extend([Move::Start(name.clone()), Move::FailToStart(name)]);
            }
        }
        if self.sim.next_deadline().is_some() {
            moves.push(Move::Deadline);
        }
        if self.hangups < 2 && !self.terminated {
            moves.push(Move::Hangup);
        }
        if self.configs.len() == 1 {
            moves.push(Move::Maintenance(!self.maintenance));
        } else if self.reloads < 3 && !self.terminated {
            moves.extend((0..self.configs.len()).map(Move::Reload));
        }
        if self.has_operators && self.operations < 3 {
            moves.extend([Verb::Start, Verb::Stop, Verb::Restart].map(Move::Operate));
        }
        moves.push(Move::Terminate);
        moves
    }

    pub(super) fn make(&mut self, next: &Move) {
        self.moves.push(next.clone());
        let own_end = !self.sim.is_shutting_down()
            && !matches!(next, Move::Reload(_) | Move::Operate(_) | Move::Terminate)
            && !self.comes_back();
        match next {
            Move::Exit(name, code) => self.codes.insert(name.clone(), u8::from(*code != 0)),
            Move::FailToStart(name) => self.codes.insert(name.clone(), 127),
            _ => None,
        };
        match next {
            Move::Start(name) => self.sim.start(name),
            Move::FailToStart(name) => self.sim.fail_to_start(name),
            Move::Exit(name, code) => self.sim.exit(name, *code),
            Move::Deadline => assert!(self.sim.advance_to_deadline()),
            Move::Hangup => {
                self.hangups += 1;
                self.sim.signal(Signal::Hangup);
            }
            Move::Maintenance(wanted) => {
                self.maintenance = *wanted;
                assert!(self.sim.request(Request::Maintenance(*wanted)).is_some());
            }
            Move::Operate(verb) => {
                self.operations += 1;
                self.stopped = false;
                self.sim.operate(*verb, "a");
            }
            Move::Reload(config) => {
                self.reloads += 1;
                self.stopped = false;
                if self.sim.is_shutting_down() {
                    assert!(
                        self.sim
                            .request(Request::Reload(Reload::default()))
                            .is_some()
                    );
                } else {
                    self.config = *config;
                    self.sim.reload(self.configs[*config].clone());
                }
            }
            Move::Terminate => {
                self.terminated = true;
                self.sim.signal(Signal::Terminate);
            }
        }
        self.check_answers();
        self.check_essential(own_end);
        if let Move::Exit(name, 0) = next {
            self.check_success_does_not_wait(name);
        }
        self.check();
    }

    /// The exit code of the first essential job to end by itself is kept, from
    /// then to the end, and no other is made up.
    fn check_essential(&mut self, own_end: bool) {
        for line in self.sim.record() {
            if let Some((_, name)) = line.split_once(" kill ") {
                self.codes.insert(name.to_owned(), 137);
            }
            let ends = line.split_once(" event {Stopping, ");
            let name = ends.map_or("", |(_, name)| name.trim_end_matches('}'));
            let mut jobs = self.configs[self.config].iter();
            if own_end && jobs.any(|job| &*job.name == name && job.essential) {
                self.code
                    .get_or_insert(self.codes.get(name).copied().unwrap_or(1));
            }
        }
        if !self.comes_back() {
            let code = self.sim.supervisor.exit_code();
            assert_eq!(code, self.code.unwrap_or(0), "{:?}", self.moves);
        }
    }

    /// A job that runs forever and has succeeded runs again at once.
    fn check_success_does_not_wait(&self, name: &str) {
        let mut jobs = self.configs.iter().flatten();
        let forever = jobs.any(|job| {
            let clock = matches!(job.when.start, Start::Every(_));
            let health = job.health.as_ref();
            let stopped = health.is_some_and(|health| health.restart_after.is_some());
            &*job.name == name && job.restarts == Restarts::Unlimited && !clock && !stopped
        });
        if forever && !self.has_operators && self.configs.len() == 1 && !self.sim.is_shutting_down()
        {
            assert!(self.sim.is_running(name), "{:?}", self.moves);
        }
    }

    /// Each job stops once, before it has stopped, and never runs after that,
    /// unless a reload has given it a successor.
    /// (That no two runs of a job overlap is the simulation's own assertion.)
    fn check(&mut self) {
        let comes_back = self.comes_back();
        let record = self.sim.take_record();
        self.history.extend(record.iter().cloned());
        for line in record {
            let fact = line.split_once(' ').map_or("", |(_, fact)| fact);
            let stopping = fact
                .strip_prefix("event {Stopping, ")
                .map(|rest| (rest, true));
            let stopped = fact
                .strip_prefix("event {Stopped, ")
                .map(|rest| (rest, false));
            if let Some(event) = fact.strip_prefix("event ") {
                let starts = self.entries.values_mut();
                let starts = starts.filter_map(|entry| entry.starts.as_mut());
                starts.for_each(|starts| starts.saw(event));
            }
            self.gave_up |= fact.starts_with("error leaving processes behind");
            if let Some((name, is_stopping)) = stopping.or(stopped) {
                let entry = self.entries.get_mut(name.trim_end_matches('}')).unwrap();
                entry.stopping += u32::from(is_stopping);
                entry.stopped += u32::from(!is_stopping);
                let alternating =
                    entry.stopped <= entry.stopping && entry.stopping <= entry.stopped + 1;
                assert!(
                    self.sim.namesakes || alternating && (entry.stopping == 1 || comes_back),
                    "{line}: {:?}",
                    self.moves
                );
            } else if let Some(entry) = fact
                .strip_prefix("spawn ")
                .and_then(|name| self.entries.get_mut(name))
            {
                entry.runs += 1;
                let due = entry.starts.as_ref().map_or(u32::MAX, |starts| starts.due);
                assert!(entry.runs <= due, "{line} too early: {:?}", self.moves);
                assert!(
                    self.sim.namesakes
                        || entry.stopping == 0
                        || (comes_back && entry.stopping == entry.stopped),
                    "{line} after it was stopping: {:?}",
                    self.moves
                );
            }
        }
    }

    /// Whether a job that has stopped may run again.
    fn comes_back(&self) -> bool {
        self.reloads > 0 || self.operations > 0
    }

    /// Every event leads to as many runs as it is worth, once those before it
    /// have ended.
    fn check_no_event_is_lost(mut self) {
        if self.terminated || self.sim.is_shutting_down() {
            return;
        }
        let told = |world: &Self| {
            let mut live = world.sim.live().into_iter();
            live.find(|name| {
                let entry = world.entries.get(name);
                entry.is_some_and(|entry| entry.starts.is_some())
            })
        };
        while let Some(name) = told(&self).filter(|_| !self.sim.is_shutting_down()) {
            if self.sim.has_started(&name) {
                self.make(&Move::Exit(name, 0));
            } else {
                self.make(&Move::Start(name));
            }
        }
        for (name, entry) in &self.entries {
            let due = entry.starts.as_ref().filter(|_| entry.stopping == 0);
            let due = due.map_or(entry.runs, |starts| starts.due);
            assert_eq!(entry.runs, due, "{name}: {:?}", self.moves);
        }
    }

    /// Told to shut down, a world in which everything starts and exits as it
    /// should is done without any time passing.
    pub(super) fn check_obedient_end(mut self) {
        let before = self.sim.ms();
        if !self.sim.is_done() && !self.terminated {
            self.make(&Move::Terminate);
        }
        while let Some(name) = self.sim.live().first().cloned().filter(|_| !self.gave_up) {
            if self.sim.has_started(&name) {
                self.make(&Move::Exit(name, 0));
            } else {
                self.make(&Move::Start(name));
            }
        }
        assert_eq!(self.sim.ms(), before, "{:?}", self.moves);
        self.check_done();
    }

    /// Told to shut down, a world that ignores it is done when the grace time
    /// is over, and no later than SIGKILL takes.
    pub(super) fn check_stubborn_end(mut self) {
        for name in self.entries.keys().cloned().collect::<Vec<_>>() {
            self.sim.ignores_sigterm(&name);
            self.sim.ignores_sigterm(&format!("check.{name}"));
        }
        let before = self.sim.ms();
        if !self.sim.is_done() && !self.terminated {
            self.make(&Move::Terminate);
        }
        while !self.sim.is_done() {
            match self
                .sim
                .live()
                .iter()
                .find(|name| !self.sim.has_started(name))
            {
                Some(name) => self.make(&Move::Start(name.clone())),
                None => self.make(&Move::Deadline),
            }
        }
        assert!(self.sim.ms() - before <= 5500, "{:?}", self.moves);
        self.check_done();
    }

    fn check_done(&self) {
        if self.gave_up {
            assert!(self.sim.is_done(), "{:?}", self.moves);
            return;
        }
        self.sim.expect_done();
        for (name, entry) in &self.entries {
            assert_eq!(entry.stopping, entry.stopped, "{name}: {:?}", self.moves);
        }
    }
}

/// Walks every schedule of at most `depth` moves; returns how many there are.
pub(super) fn walk(world: &World, depth: u32) -> u32 {
    if depth == 0 || world.sim.is_done() {
        world.clone().check_no_event_is_lost();
        world.clone().check_obedient_end();
        world.clone().check_stubborn_end();
        return 1;
    }
    let mut schedules = 0;
    for next in world.possible() {
        let mut world = world.clone();
        world.make(&next);
        schedules += walk(&world, depth - 1);
    }
    schedules
}
