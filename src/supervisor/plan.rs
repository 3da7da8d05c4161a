//! What a reload does, item by item: a pure comparison of two configurations
//! (SPEC §14).
//!
//! The steps of the jobs are carried out as they stand here. All the rest is
//! only told: it follows from comparing the settings as wholes.

use std::fmt;
use std::net::IpAddr;
use std::path::Path;

use super::JobId;
use super::differences::{self, Keys};
use super::pairing::{Likeness, hash_of, pair};
use crate::config::{Config, ControlSpec, JobSpec, WatchSpec};
use crate::printable::printable;

/// What a reload does with one job.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Change {
    /// Nothing: it is as before.
    Keep(JobId),
    /// Its process stays; the rest of it follows the new configuration.
    Update(JobId),
    /// It completes, and begins by its new rules once it has.
    Replace(JobId),
    /// It begins.
    Start,
    /// It completes.
    Stop(JobId),
}

/// One job of a plan.
#[derive(Clone, Debug)]
pub(super) struct Step {
    /// What is done.
    pub(super) change: Change,
    /// The job, as the new configuration has it; as the old one has it if it is
    /// to stop.
    pub(super) spec: JobSpec,
    /// What is told of it.
    pub(super) item: Item,
}

impl Step {
    /// The job begins anew even if it could have kept its process.
    pub(super) fn replace(&mut self, id: JobId) {
        self.change = Change::Replace(id);
        self.item.verb = REPLACE;
    }
}

/// What is told of one part of a configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Item {
    verb: &'static str,
    what: String,
}

impl Item {
    fn new(verb: &'static str, what: impl Into<String>) -> Self {
        let what = what.into();
        Self { verb, what }
    }

    /// Whether anything is done.
    pub(super) fn is_change(&self) -> bool {
        self.verb != KEEP
    }
}

const KEEP: &str = "keep";
const REPLACE: &str = "replace";

impl fmt::Display for Item {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.verb, self.what)
    }
}

/// What a reload does.
#[derive(Debug)]
pub(super) struct Plan {
    /// The jobs: first those that stop, then those of the new file in its order.
    pub(super) steps: Vec<Step>,
    /// Everything else.
    pub(super) settings: Vec<Item>,
    /// `CONTAINERPILOT_{JOB}_IP` of the new configuration.
    pub(super) ips: Vec<(String, IpAddr)>,
}

impl Plan {
    /// One item a line.
    pub(super) fn text(&self) -> String {
        let items = self.items().map(|item| format!("{item}\n"));
        items.collect()
    }

    /// The jobs of the new configuration.
    pub(super) fn jobs(&self) -> impl Iterator<Item = &JobSpec> {
        let wanted = self
            .steps
            .iter()
            .filter(|step| !matches!(step.change, Change::Stop(_)));
        wanted.map(|step| &step.spec)
    }

    /// Everything that there is to tell.
    pub(super) fn items(&self) -> impl Iterator<Item = &Item> {
        let jobs = self.steps.iter().map(|step| &step.item);
        jobs.chain(&self.settings)
    }
}

/// From the jobs that are there to those that are wanted. Jobs are the same by
/// their name; of several of one name, first those that are unchanged, then those
/// whose process is, then the others in their order. What stops comes first.
pub(super) fn of_jobs<'a>(
    current: impl Iterator<Item = (JobId, &'a JobSpec)>,
    wanted: Vec<JobSpec>,
) -> Vec<Step> {
    let current: Vec<(JobId, &JobSpec)> = current.collect();
    let known: Vec<&JobSpec> = current.iter().map(|(_, spec)| *spec).collect();
    let named: Vec<&JobSpec> = wanted.iter().collect();
    let pairs = pair(&known, &named, |spec| &spec.name, &JOBS);
    let steps = pairs.before.into_iter().zip(wanted);
    let steps = steps.map(|(before, now)| {
        let before = before.and_then(|at| current.get(at));
        step(before.copied(), now)
    });
    let gone = pairs.left.into_iter().filter_map(|at| current.get(at));
    let stops = gone.map(|(id, spec)| Step {
        change: Change::Stop(*id),
        spec: (*spec).clone(),
        item: Item::new("stop", job(spec)),
    });
    stops.chain(steps).collect()
}

/// How jobs of one name are alike.
const JOBS: [Likeness<JobSpec>; 3] = [
    Likeness::SAME,
    Likeness {
        hash: |spec| hash_of(&spec.exec),
        holds: |before, now| before.exec == now.exec,
    },
    Likeness::NAMESAKE,
];

fn job(spec: &JobSpec) -> String {
    format!("job[{}]", printable(&spec.name))
}

/// What shapes the process is compared apart from the rest: only a change of
/// the former is worth a restart.
fn step(before: Option<(JobId, &JobSpec)>, spec: JobSpec) -> Step {
    let (change, item) = match before {
        None => (Change::Start, Item::new("start", job(&spec))),
        Some((id, before)) if *before == spec => (Change::Keep(id), Item::new(KEEP, job(&spec))),
        Some((id, before)) => {
            let what = job(&spec) + &differences::of_jobs(before, &spec).told();
            match before.exec == spec.exec {
                true => (Change::Update(id), Item::new("update", what)),
                false => (Change::Replace(id), Item::new(REPLACE, what)),
            }
        }
    };
    Step { change, spec, item }
}

/// Where the control plane listens, if it does.
pub(super) fn socket(control: &Option<ControlSpec>) -> Option<&Path> {
    control.as_ref().map(|control| &*control.socket)
}

/// All but the jobs.
pub(super) fn of_settings(before: &Config, now: &Config) -> Vec<Item> {
    let Config {
        consul,
        logging,
        stop_timeout,
        control,
        // Of effect at a start alone.
        end_leftovers: _,
        init,
        jobs: _,
        watches,
        telemetry,
        included_from: _,
        warnings: _,
    } = now;
    let new_backend = *consul != before.consul;
    let mut items = of_watches(&before.watches, watches, new_backend);
    items.extend(of_option(
        "telemetry",
        before.telemetry.as_ref(),
        telemetry.as_ref(),
        differences::of_telemetry,
    ));
    items.extend(of_option(
        "consul",
        before.consul.as_ref(),
        consul.as_ref(),
        differences::of_consul,
    ));
    match socket(control).filter(|to| Some(*to) != socket(&before.control)) {
        Some(to) => items.push(Item::new("move", format!("control: {}", to.display()))),
        None => items.extend(of_option(
            "control",
            before.control.as_ref(),
            control.as_ref(),
            differences::of_control,
        )),
    }
    items.extend(of_option(
        "logging",
        Some(&before.logging),
        Some(logging),
        differences::of_logging,
    ));
    items.extend(of_option(
        "init",
        before.init.as_ref(),
        init.as_ref(),
        differences::of_init,
    ));
    if *stop_timeout != before.stop_timeout {
        items.push(Item::new("update", "stopTimeout"));
    }
    items
}

/// A part of the file that may be there before, afterwards, or both.
fn of_option<T: PartialEq>(
    what: &'static str,
    before: Option<&T>,
    now: Option<&T>,
    differences: fn(&T, &T) -> Keys,
) -> Option<Item> {
    match (before, now) {
        (None, None) => None,
        (None, Some(_)) => Some(Item::new("start", what)),
        (Some(_), None) => Some(Item::new("stop", what)),
        (Some(before), Some(now)) if before == now => Some(Item::new(KEEP, what)),
        (Some(before), Some(now)) => {
            let keys = differences(before, now).told();
            Some(Item::new("update", format!("{what}{keys}")))
        }
    }
}

/// An unchanged watch goes on; at another backend, with what it knows.
fn of_watches(before: &[WatchSpec], now: &[WatchSpec], new_backend: bool) -> Vec<Item> {
    let [known, named] = [before, now].map(|specs| specs.iter().collect::<Vec<_>>());
    let likenesses = [Likeness::SAME, Likeness::NAMESAKE];
    let pairs = pair(&known, &named, |spec| &spec.name, &likenesses);
    let watch = |at: usize| before.get(at);
    let items = pairs.before.into_iter().zip(now).map(|(before, spec)| {
        let name = format!("watch[{}]", spec.name);
        match before.and_then(watch) {
            Some(before) if before == spec && new_backend => {
                Item::new("update", format!("{name}: consul"))
            }
            Some(before) if before == spec => Item::new(KEEP, name),
            Some(before) => {
                let keys = differences::of_watches(before, spec).told();
                Item::new(REPLACE, name + &keys)
            }
            None => Item::new("start", name),
        }
    });
    let gone = pairs.left.into_iter().filter_map(watch);
    let gone = gone.map(|watch| Item::new("stop", format!("watch[{}]", watch.name)));
    gone.chain(items).collect()
}

/// What future children get besides their own: `CONTAINERPILOT_SOCKET` and the
/// addresses of the advertised jobs.
pub(super) fn of_environment(
    moved: bool,
    before: &[(String, IpAddr)],
    now: &[(String, IpAddr)],
) -> Item {
    let mut names = Vec::new();
    if before != now {
        let [known, wanted] = [before, now].map(|variables| {
            let mut variables: Vec<&(String, IpAddr)> = variables.iter().collect();
            variables.sort_unstable();
            variables
        });
        for (some, others) in [(&known, &wanted), (&wanted, &known)] {
            let only = some.iter();
            let only = only.filter(|variable| others.binary_search(variable).is_err());
            names.extend(only.map(|(name, _)| name.clone()));
        }
    }
    if moved {
        names.push("CONTAINERPILOT_SOCKET".to_owned());
    }
    names.sort_unstable();
    names.dedup();
    match names.is_empty() {
        true => Item::new(KEEP, "environment"),
        false => Item::new("update", format!("environment: {}", names.join(", "))),
    }
}
