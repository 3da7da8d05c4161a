//! From one configuration to the next without interfering with the services
//! (SPEC §14).
//!
//! The new file is read and validated completely before anything of the old one
//! is touched; a refused file changes nothing. What is accepted is carried out
//! as a [`plan`]: a job whose process is unchanged keeps it.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use log::Level;

use super::effects::Phase;
use super::job::Job;
use super::plan::{self, Change, Plan, Step, socket};
use super::{JobId, Supervisor};
use crate::config::logging::Level as LogLevel;
use crate::config::{Config, JobSpec};
use crate::control::request::{Reload, Reply};
use crate::event::{Code, Event};
use crate::message::{Action, ReplyTo};

/// The jobs of the accepted configuration that begin once another has completed, by
/// that one. A tree: a reload that replaces thousands adds and removes each of them.
pub(super) type Successors = BTreeMap<JobId, Successor>;

/// A job that begins once another has completed.
#[derive(Debug)]
#[cfg_attr(test, derive(Clone))]
pub(super) struct Successor {
    pub(super) spec: JobSpec,
    /// An operator has stopped it before it could begin.
    pub(super) held: bool,
}

impl Supervisor {
    /// Subscribes the first jobs and publishes startup.
    pub(super) fn begin(&mut self, specs: Vec<JobSpec>) {
        self.refresh_environment();
        let watches = self.config.watches.clone();
        self.observe(watches, false);
        self.advertise_telemetry();
        for spec in specs {
            self.subscribe(spec);
        }
        self.fx.publish_event(Event::global(Code::Startup));
        self.fx.came_to_rest = true;
    }

    /// Reloads are serialized: one that comes during another waits for its turn.
    pub(super) fn ask_for_reload(&mut self, how: Reload, reply_to: ReplyTo) {
        if self.fx.phase != Phase::Running {
            self.refuse_reload(reply_to);
            return;
        }
        self.reloads.push_back((how, reply_to));
        if self.reloads.len() == 1 {
            self.load_config();
        }
    }

    /// The file was read: take it, or say what is wrong with it.
    pub(super) fn on_config_loaded(&mut self, result: Result<Box<Config>, String>) {
        // Shutdown has answered already.
        let Some((how, reply_to)) = self.reloads.pop_front() else {
            return;
        };
        if !how.dry_run {
            self.fx.metrics.built_in.reload_ended(result.is_ok());
            let told = result.as_ref().map(drop).map_err(Clone::clone);
            self.chronicle.reloaded(told, self.fx.now);
        }
        match result {
            Ok(config) => self.accept(*config, how, reply_to),
            Err(message) => self.refuse(message, how, reply_to),
        }
        if !self.reloads.is_empty() {
            self.load_config();
        }
    }

    fn accept(&mut self, mut config: Config, how: Reload, reply_to: ReplyTo) {
        let plan = self.plan(&mut config);
        if how.dry_run {
            self.reply(reply_to, Reply::Plan(plan.text()));
            return;
        }
        self.fx.actions.push(Action::TakeOver);
        let told = match how.verbose {
            true => plan.text(),
            false => String::new(),
        };
        self.take_over(config, plan);
        // Who is answered may rely on what has been taken over.
        self.reply(reply_to, Reply::Plan(told));
    }

    fn refuse(&mut self, message: String, how: Reload, reply_to: ReplyTo) {
        if !how.dry_run {
            let text = format!("reload refused, the running configuration stays: {message}");
            self.fx.log(Level::Error, None, text);
        }
        let status = 422;
        self.reply(reply_to, Reply::Refused { status, message });
    }

    /// Shutdown comes first: nothing begins any more, and nobody waits.
    pub(super) fn abandon_reloads(&mut self) {
        self.successors.clear();
        for (_, reply_to) in std::mem::take(&mut self.reloads) {
            self.refuse_reload(reply_to);
        }
    }

    fn refuse_reload(&mut self, reply_to: ReplyTo) {
        let message = "the supervisor is shutting down".to_owned();
        self.reply(
            reply_to,
            Reply::Refused {
                status: 503,
                message,
            },
        );
    }

    fn load_config(&mut self) {
        let Some((how, _)) = self.reloads.front() else {
            return;
        };
        let environment = Arc::new(self.identity.environment.clone());
        let load = Action::LoadConfig(environment, how.dry_run);
        self.fx.actions.push(load);
    }

    /// What it takes to get to `config`, whose jobs move into the plan.
    fn plan(&self, config: &mut Config) -> Plan {
        let mut settings = plan::of_settings(&self.config, config);
        let moved = socket(&config.control) != socket(&self.config.control);
        let ips = config.advertised_ips();
        settings.push(plan::of_environment(moved, &self.advertised_ips, &ips));
        let current = self.jobs.iter().filter(|(_, job)| !job.is_retired());
        let current = current.map(|(id, job)| (*id, job.spec()));
        let mut steps = plan::of_jobs(current, std::mem::take(&mut config.jobs));
        // What an operator has stopped begins anew, since it was changed.
        for step in &mut steps {
            if let Change::Update(id) = step.change
                && self.jobs.get(&id).is_some_and(Job::is_held)
            {
                step.replace(id);
            }
        }
        Plan {
            steps,
            settings,
            ips,
        }
    }

    fn take_over(&mut self, config: Config, plan: Plan) {
        self.tell(&config, &plan);
        self.fx.metrics.configure(&config, plan.jobs());
        self.advertised_ips = plan.ips;
        if config.logging != self.config.logging {
            self.fx
                .actions
                .push(Action::ConfigureLogging(config.logging.clone()));
        }
        self.fx.stop_timeout = config.stop_timeout;
        self.fx.verbose = config.logging.level == LogLevel::Debug;
        let new_backend = config.consul != self.config.consul;
        if new_backend {
            self.chronicle.forget_consul();
        }
        self.config = config;
        self.refresh_environment();
        self.observe(self.config.watches.clone(), new_backend);
        self.advertise_telemetry();

        // What waits to begin is not there yet; the new plan decides anew.
        let before = std::mem::take(&mut self.successors);
        for step in plan.steps {
            self.carry_out(step, &before);
        }
        if new_backend {
            self.move_over();
        }
        self.complete_retired();
        self.fx.came_to_rest = true;
    }

    /// Lists in another catalog what was found healthy, without waiting for the
    /// next check.
    fn move_over(&mut self) {
        self.for_each_job(Job::move_over);
        self.on_telemetry_beat();
    }

    /// Says what is done and what is odd, each in a line of its own.
    fn tell(&mut self, config: &Config, plan: &Plan) {
        let mut kept = 0;
        for item in plan.items() {
            if item.is_change() {
                self.fx.log(Level::Info, None, format!("reload: {item}"));
            } else {
                self.fx.debug(None, || format!("reload: {item}"));
                kept += 1;
            }
        }
        let text = format!(
            "reload: {kept} kept, {} changed",
            plan.items().count() - kept
        );
        self.fx.log(Level::Info, None, text);
        for warning in &config.warnings {
            let text = warning.located().to_string();
            self.fx.log(Level::Warn, None, text);
        }
    }

    /// `waiting` are those that had not begun before.
    fn carry_out(&mut self, step: Step, waiting: &Successors) {
        match step.change {
            Change::Keep(_) => {}
            Change::Update(id) => self.update(id, step.spec),
            Change::Replace(id) => {
                self.retire(id);
                self.follow(id, step.spec, waiting);
            }
            Change::Start => match self.predecessor(&step.spec.name) {
                Some(after) => self.follow(after, step.spec, waiting),
                None => drop(self.begin_one(step.spec)),
            },
            Change::Stop(id) => self.retire(id),
        }
    }

    /// A job begins once `after` is gone. One that waits for that already and was
    /// stopped stays so, if this is no other.
    fn follow(&mut self, after: JobId, spec: JobSpec, waiting: &Successors) {
        let before = waiting.get(&after).filter(|before| before.spec == spec);
        let held = before.is_some_and(|before| before.held);
        self.successors.insert(after, Successor { spec, held });
    }

    /// A job of this name that an earlier reload retired and that is still on
    /// its way out: never two processes of one job at a time.
    fn predecessor(&self, name: &str) -> Option<JobId> {
        let retired = |id: &JobId| self.jobs.get(id).is_some_and(Job::is_retired);
        self.index
            .named(name)
            .iter()
            .copied()
            .find(|id| retired(id) && !self.successors.contains_key(id))
    }

    fn update(&mut self, id: JobId, spec: JobSpec) {
        let Some(job) = self.jobs.get_mut(&id) else {
            return;
        };
        if job.is_stopping() && job.spec().when.start != spec.when.start {
            // It has nothing left to run by its old rules.
            self.retire(id);
            self.follow(id, spec, &Successors::new());
            return;
        }
        self.index.remove(id, job.spec());
        let new_when = job.update(spec, &mut self.fx);
        self.index.add(id, job.spec());
        if new_when {
            self.start_if_met(id);
        }
    }

    fn retire(&mut self, id: JobId) {
        if let Some(job) = self.jobs.get_mut(&id) {
            job.retire();
            self.operations_outlive(id);
        }
    }

    /// Retired jobs complete, but those that run because another one of them
    /// ends wait for that.
    fn complete_retired(&mut self) {
        for job in self.jobs.values_mut() {
            if job.is_retired() && !job.is_waiting_hook() {
                job.complete(&mut self.fx);
            }
        }
    }

    /// Something came to rest: retired jobs that are complete make room for
    /// their successors. All of them first: how the last run of one ended says
    /// nothing of its successor, for which that of another may wait.
    pub(super) fn settle_retired(&mut self) {
        let futile = self.futile_hooks(Job::is_retired);
        for id in futile {
            self.with_job(id, Job::complete);
        }
        let mut gone = Vec::new();
        let index = &mut self.index;
        self.jobs.retain(|id, job| {
            let is_gone = job.is_gone();
            if is_gone {
                index.remove(*id, job.spec());
                gone.push(*id);
            }
            !is_gone
        });
        for id in gone {
            match self.successors.remove(&id) {
                Some(successor) => self.begin_successor(id, successor),
                None => self.no_successor(id),
            }
        }
    }

    fn begin_successor(&mut self, before: JobId, Successor { spec, held }: Successor) {
        if held {
            let id = self.register(spec);
            if let Some(job) = self.jobs.get_mut(&id) {
                job.begin_stopped(&self.fx);
            }
            return;
        }
        self.rearm_hooks(&spec.name);
        let id = self.begin_one(spec);
        self.succeed(before, id);
    }

    /// Jobs that ran because one of this name ended will run again when it does
    /// once more.
    pub(super) fn rearm_hooks(&mut self, name: &Arc<str>) {
        for code in [Code::Stopping, Code::Stopped] {
            let event = Event::new(code, Arc::clone(name));
            for id in self.index.subscribers(&event) {
                if let Some(job) = self.jobs.get_mut(id).filter(|job| !job.is_retired()) {
                    job.wait_again(&event, &mut self.fx);
                }
            }
        }
    }

    /// A job of its own accord: it was not there at startup.
    fn begin_one(&mut self, spec: JobSpec) -> JobId {
        self.tell_of_end(&spec.name);
        let id = self.subscribe(spec);
        self.start_if_met(id);
        id
    }

    /// Shows a job what it waits for and has come already.
    fn start_if_met(&mut self, id: JobId) {
        let Some(job) = self.jobs.get_mut(&id) else {
            return;
        };
        let seen = job.take_seen();
        let mut events = job.spec().when.start.subscriptions();
        events.retain(|event| {
            let counts = self
                .jobs
                .get(&id)
                .is_some_and(|job| job.counts_if_held(event));
            seen.contains(event) || (counts && self.holds(event, id))
        });
        for event in events {
            self.with_job(id, |job, fx| job.on_event(&event, fx));
        }
    }

    /// Whether things stand as an event says that a job other than its source
    /// waits for. What a reload has stopped is none of the configuration's sources
    /// any more.
    fn holds(&self, event: &Event, subscriber: JobId) -> bool {
        let sources = self.index.named(&event.source).iter();
        let mut sources = sources
            .filter(|source| **source != subscriber)
            .filter_map(|source| self.jobs.get(source))
            .filter(|source| !source.is_retired());
        event.code == Code::Startup
            || sources.any(|source| source.holds(event.code))
            || self.watch_holds(&event.source, event.code)
    }

    fn subscribe(&mut self, spec: JobSpec) -> JobId {
        let id = self.register(spec);
        if let Some(job) = self.jobs.get_mut(&id) {
            job.did_subscribe(&mut self.fx);
            if self.fx.maintenance {
                job.enter_maintenance(&mut self.fx);
            }
        }
        id
    }

    fn register(&mut self, spec: JobSpec) -> JobId {
        self.last_job += 1;
        let id = JobId(self.last_job);
        self.index.add(id, &spec);
        self.jobs.insert(id, Job::new(id, spec, self.fx.now));
        id
    }
}

/// Requests for a reload that wait for their answer; the first is being worked
/// on.
pub(super) type Reloads = VecDeque<(Reload, ReplyTo)>;
