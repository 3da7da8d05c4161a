//! Every reload from one small configuration to another, in every state that the
//! jobs of the first can be in (SPEC §14).
//!
//! The states are found by moving the world in every way for a few moves; two
//! that differ in numbers only are one. After each reload the world obeys: what
//! was told to end does, stop hooks succeed, and nothing else moves. Then it must
//! have come to exactly what the new file says, with no run lost or doubled.

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use super::variants::{REPLACED, WITHOUT, configs};
use super::world::{Configs, Move, World};
use crate::config::{JobSpec, Start};
use crate::event::Code;
use crate::message::ExecId;
use crate::supervisor::JobId;
use crate::supervisor::job::Job;

/// How many moves lead to a state; of the first configuration, to which all kinds
/// of changes are made, one more.
const DEPTH: usize = 3;
const DEEPEST: usize = 4;

/// A job as it stands, without any number.
fn shape(job: &Job) -> String {
    let text = format!("{job:?}");
    text.chars().filter(|c| !c.is_ascii_digit()).collect()
}

/// The world as it stands, without any number.
fn shape_of(world: &World) -> Vec<String> {
    let supervisor = &world.sim.supervisor;
    let mut shape: Vec<String> = supervisor.jobs.values().map(shape).collect();
    let successors = supervisor.successors.values();
    shape.extend(successors.map(|successor| format!("{:?}", successor.spec)));
    shape.push(format!("{}", supervisor.fx.maintenance));
    shape
}

/// What the world can do next on the way to a state.
fn moves(world: &World, first: usize) -> Vec<Move> {
    let mut moves = Vec::new();
    for name in world.sim.live() {
        if world.sim.has_started(&name) {
            moves.extend([Move::Exit(name.clone(), 0), Move::Exit(name, 1)]);
        } else {
            moves.extend([Move::Start(name.clone()), Move::FailToStart(name)]);
        }
    }
    if world.sim.supervisor.next_deadline().is_some() {
        moves.push(Move::Deadline);
    }
    if !world.sim.supervisor.fx.maintenance {
        moves.push(Move::Maintenance(true));
    }
    if is_hangup(&world.configs[first]) {
        moves.push(Move::Hangup);
    }
    if world.config == first && first == 0 {
        moves.extend([Move::Reload(WITHOUT), Move::Reload(REPLACED)]);
    }
    moves
}

fn is_hangup(jobs: &[JobSpec]) -> bool {
    jobs.iter().any(|job| kind(job) == Kind::Signal)
}

/// What starts a job, as far as it matters here.
#[derive(Clone, Copy, PartialEq)]
enum Kind {
    Startup,
    Clock,
    Signal,
    /// What other jobs do.
    Others,
}

fn kind(job: &JobSpec) -> Kind {
    if matches!(job.when.start, Start::Every(_)) {
        return Kind::Clock;
    }
    let is = |code| job.when.start.events().all(|event| event.code == code);
    match [is(Code::Startup), is(Code::Signal)] {
        [true, _] => Kind::Startup,
        [_, true] => Kind::Signal,
        _ => Kind::Others,
    }
}

/// Every state that a configuration comes to within so many moves, each by the
/// shortest way.
fn states(configs: &Configs, first: usize) -> Vec<World> {
    let mut world = World::beginning(configs, first);
    world.sim.catalog_obeys = true;
    world.sim.ignores_sigterm("a");
    let mut known = BTreeSet::from([shape_of(&world)]);
    let mut found = vec![world];
    let depth = if first == 0 { DEEPEST } else { DEPTH };
    let mut next = 0;
    while let Some(world) = found.get(next).cloned() {
        next += 1;
        if world.moves.len() == depth {
            continue;
        }
        for next in moves(&world, first) {
            let mut world = world.clone();
            world.make(&next);
            if !world.sim.is_shutting_down() && known.insert(shape_of(&world)) {
                found.push(world);
            }
        }
    }
    found
}

/// One reload: the world before and after it, and after everybody has obeyed.
struct Reload {
    before: World,
    after: World,
    settled: World,
}

impl Reload {
    fn to(before: &World, config: usize) -> Self {
        let mut after = before.clone();
        after.make(&Move::Reload(config));
        let mut settled = after.clone();
        obey(&mut settled);
        Self {
            before: before.clone(),
            after,
            settled,
        }
    }

    fn wanted(&self) -> &[JobSpec] {
        &self.after.configs[self.after.config]
    }

    /// What has happened since.
    fn history(&self) -> &[String] {
        &self.settled.history[self.before.history.len()..]
    }

    fn count(&self, fact: &str) -> usize {
        let lines = self.history().iter();
        lines
            .filter(|line| line.split_once(' ').unwrap().1 == fact)
            .count()
    }

    fn at(&self, fact: &str) -> Option<usize> {
        let mut lines = self.history().iter();
        lines.position(|line| line.split_once(' ').unwrap().1 == fact)
    }

    fn check(&self) {
        self.check_that_processes_stay();
        if self.settled.sim.is_shutting_down() {
            return;
        }
        self.check_that_all_is_as_wanted();
        if !self.settled.sim.namesakes {
            for spec in self.wanted() {
                self.check_runs(spec);
            }
            self.check_stops();
            self.check_hook();
            self.check_next_event();
        }
    }

    /// A job that is unchanged is not touched; one whose process is keeps it.
    fn check_that_processes_stay(&self) {
        let jobs = &self.before.sim.supervisor.jobs;
        let is_same =
            |before: &JobSpec, now: &JobSpec| before.name == now.name && before.exec == now.exec;
        let now = self.after.sim.execs();
        for (name, (exec, id)) in self.before.sim.execs() {
            let job = jobs.get(&id).unwrap();
            let is_kept = self.wanted().iter().any(|spec| is_same(job.spec(), spec));
            if job.is_retired() || job.is_stopping() || !is_kept {
                continue;
            }
            if self.after.sim.namesakes && !self.is_left_over(job) {
                continue;
            }
            let health = self.wanted().iter().find(|spec| spec.name == *job.name());
            if name.starts_with("check.") && job.spec().health != health.unwrap().health {
                continue;
            }
            assert_eq!(now.get(&name), Some(&(exec, id)), "{name}: {self}");
        }
    }

    /// Whether the new file has as many jobs just like this one as the old one.
    fn is_left_over(&self, job: &Job) -> bool {
        let alike = |jobs: &[JobSpec]| jobs.iter().filter(|spec| *spec == job.spec()).count();
        alike(self.wanted()) >= alike(&self.before.configs[self.before.config])
    }

    /// The jobs that are there are those of the new file, and no others.
    fn check_that_all_is_as_wanted(&self) {
        let supervisor = &self.settled.sim.supervisor;
        let there = supervisor.jobs.values().map(Job::spec);
        let mut wanted: Vec<&JobSpec> = self.wanted().iter().collect();
        for spec in there {
            let at = wanted.iter().position(|wanted| *wanted == spec);
            wanted.remove(at.unwrap_or_else(|| panic!("{spec:#?} is not wanted: {self}")));
        }
        assert_eq!(wanted, [] as [&JobSpec; 0], "{self}");
        assert!(supervisor.successors.is_empty(), "{self}");
        assert!(!supervisor.jobs.values().any(Job::is_retired), "{self}");
    }

    /// The job of this name before the reload, if it had begun and was to stay.
    fn job(&self, name: &str) -> Option<&Job> {
        let mut jobs = self.before.sim.supervisor.jobs.values();
        jobs.find(|job| &**job.name() == name && !job.is_retired())
    }

    /// A job that begins runs once, and one that goes on does not run again.
    fn check_runs(&self, spec: &JobSpec) {
        let runs = self.count(&format!("spawn {}", spec.name));
        let begins = match kind(spec) {
            Kind::Startup | Kind::Clock => 1..=1,
            Kind::Signal => 0..=0,
            // Whether it is met already, or by how another job ends.
            Kind::Others => 0..=1,
        };
        let begins = if spec.exec.is_some() { begins } else { 0..=0 };
        let expected = match self.job(&spec.name) {
            None => begins,
            Some(before) if before.spec().exec != spec.exec => begins,
            Some(before) if before.spec().when.start != spec.when.start => {
                let state = shape(before);
                let is_waiting = state.contains("state: Waiting");
                let is_once = matches!(spec.when.start, Start::All(_));
                let is_idle = is_once && state.contains("state: Idle");
                match before.is_stopping() || is_waiting || is_idle {
                    true => begins,
                    false => 0..=0,
                }
            }
            Some(_) if kind(spec) == Kind::Others => 0..=1,
            Some(_) => 0..=0,
        };
        assert!(
            expected.contains(&runs),
            "{runs} runs of {}: {self}",
            spec.name
        );
    }

    /// Who is replaced or removed stops once and in order; nobody else stops.
    fn check_stops(&self) {
        for job in self.before.sim.supervisor.jobs.values() {
            if job.is_retired() || job.is_stopping() {
                continue;
            }
            let name = job.name();
            let now = self.wanted().iter().find(|spec| spec.name == *name);
            let ends = now.is_none_or(|now| now.exec != job.spec().exec);
            let stopping = self.count(&format!("event {{Stopping, {name}}}"));
            let stopped = self.count(&format!("event {{Stopped, {name}}}"));
            if ends {
                assert_eq!((stopping, stopped), (1, 1), "{name}: {self}");
                let stopped = self.at(&format!("event {{Stopped, {name}}}"));
                let run = self.at(&format!("spawn {name}"));
                let is_early = run.is_some_and(|run| Some(run) < stopped);
                assert!(!is_early || job.is_stop_hook(), "{name}: {self}");
            } else if now.is_some_and(|now| {
                [now, job.spec()]
                    .iter()
                    .all(|job| kind(job) == Kind::Startup)
            }) {
                assert_eq!((stopping, stopped), (0, 0), "{name}: {self}");
            }
        }
    }

    /// What is to run before `a` stops has run before it is told to terminate.
    fn check_hook(&self) {
        let is_there = |name: &str| self.wanted().iter().find(|spec| &*spec.name == name);
        let (Some(a), Some(pre)) = (self.job("a"), self.job("pre")) else {
            return;
        };
        let stays = match (is_there("a"), is_there("pre")) {
            (None, None) => true,
            (now, Some(hook)) => {
                hook == pre.spec() && now.is_none_or(|a_now| a_now.exec != a.spec().exec)
            }
            _ => false,
        };
        if !stays || a.is_stopping() || !pre.is_dormant() {
            return;
        }
        let facts = ["event {Stopping, a}", "spawn pre", "event {Stopped, pre}"];
        let order = facts.map(|fact| self.at(fact));
        assert!(order[0].is_some() && order.is_sorted(), "{self}");
        let end = self.at("terminate a").or(self.at("event {Stopped, a}"));
        assert!(end > order[2], "{self}");
        assert_eq!(self.count("spawn pre"), 1, "{self}");
    }

    /// An event that comes afterwards leads to one run of who waits for it.
    fn check_next_event(&self) {
        let mut world = self.settled.clone();
        if !is_hangup(self.wanted()) || world.sim.is_running("a") {
            return;
        }
        let is_idle = |job: &Job| &**job.name() == "a" && job.is_dormant();
        if !world.sim.supervisor.jobs.values().any(is_idle) {
            return;
        }
        world.make(&Move::Hangup);
        assert!(world.sim.is_running("a"), "{self}");
    }
}

impl std::fmt::Display for Reload {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        writeln!(f, "{:?}", self.settled.moves)?;
        write!(f, "{}", self.history().join("\n"))
    }
}

/// Lets everything end that was told to, stop hooks first and with success.
fn obey(world: &mut World) {
    for _ in 0..100 {
        let owners = owners(world);
        let is_hook = |name: &&String| matches!(owner(name), "pre" | "post");
        let hook = owners.keys().find(is_hook).cloned();
        let ending = owners.iter().find(|(_, ends)| **ends);
        let Some(name) = hook.or(ending.map(|(name, _)| name.clone())) else {
            return;
        };
        match world.sim.has_started(&name) {
            true => world.make(&Move::Exit(name, 0)),
            false => world.make(&Move::Start(name)),
        }
    }
    panic!("it goes on and on: {:?}", world.moves);
}

fn owner(process: &str) -> &str {
    process.split('@').next().unwrap()
}

/// The live processes, and whether each belongs to a job that ends or is a check
/// of one.
fn owners(world: &World) -> BTreeMap<String, bool> {
    let jobs = &world.sim.supervisor.jobs;
    let execs: BTreeMap<String, (ExecId, JobId)> = world.sim.execs();
    execs
        .into_iter()
        .map(|(name, (_, id))| (name, jobs.get(&id).is_none_or(Job::is_stopping)))
        .collect()
}

/// Makes every reload; returns how many there were, and from what states.
fn reload_all(first: impl Iterator<Item = usize>) -> (u32, BTreeSet<String>) {
    let configs: Configs = Rc::new(configs());
    let mut reloads = 0;
    let mut seen = BTreeSet::new();
    for first in first {
        let states = states(&configs, first);
        for state in &states {
            seen.extend(shape_of(state));
            for second in 0..configs.len() {
                let reload = Reload::to(state, second);
                reload.check();
                if first == 0 {
                    reload.after.check_stubborn_end();
                    reload.settled.check_obedient_end();
                }
                reloads += 1;
            }
        }
    }
    (reloads, seen)
}

#[test]
fn every_reload_in_every_state_comes_to_what_the_new_file_says() {
    let (reloads, seen) = reload_all(0..configs().len());
    println!("{reloads} reloads");
    let is_seen = |what: &[&str]| {
        seen.iter()
            .any(|shape| what.iter().all(|what| shape.contains(what)))
    };
    for state in [
        &["state: Waiting"][..],
        &["state: Running(", "pid: None"],
        &["state: Running(", "pid: Some"],
        &["state: Running(", "timed_out: true"],
        &["state: Running(", "unhealthy: true"],
        &["state: Present"],
        &["state: Idle"],
        &["state: BackingOff"],
        &["state: Stopping(Some(", "Hooks("],
        &["state: Stopping(None", "Hooks("],
        &["state: Stopping(Some(", "Terminating"],
        &["state: Stopping(Some(", "pid: None"],
        &["state: Complete", "last_exit: Some(ExitSuccess)"],
        &["state: Complete", "last_exit: Some(ExitFailed)"],
        &["status: Healthy"],
        &["status: Unhealthy"],
        &["status: Maintenance"],
        &["check: Some(Check"],
    ] {
        assert!(is_seen(state), "no state {state:?}");
    }
    assert!(reloads >= 10_000, "only {reloads} reloads");
}

#[test]
fn a_reload_during_another_comes_to_what_the_last_file_says() {
    let configs: Configs = Rc::new(configs());
    let mut world = World::beginning(&configs, 0);
    world.sim.catalog_obeys = true;
    world.sim.ignores_sigterm("a");
    world.make(&Move::Start("a".to_owned()));
    for second in 0..configs.len() {
        let between = Reload::to(&world, second).after;
        if between.sim.is_shutting_down() {
            continue;
        }
        for third in 0..configs.len() {
            let reload = Reload::to(&between, third);
            reload.check();
            reload.after.clone().check_stubborn_end();
            reload.settled.check_obedient_end();
        }
    }
}
