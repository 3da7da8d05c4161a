//! What an operator asks of single jobs: to start, to stop, to restart, to get a
//! signal (SPEC §16).
//!
//! Such a request is answered when it has come true, or cannot any more. Until
//! then it is pending here, as what it waits for of each of its jobs; nothing
//! blocks for it. Of requests that contradict each other the last one wins, and
//! the others are told so.

mod pending;

use std::collections::BTreeMap;
use std::sync::Arc;

use log::Level;

use super::effects::{Outcome, Phase};
use super::job::Job;
use super::timers::Timer;
use super::{JobId, OperationId, Supervisor};
use crate::control::request::{Operation, Reply, Verb};
use crate::control::status::State;
use crate::event::{Code, Event};
use crate::message::ReplyTo;
use crate::printable::printable;
pub(super) use pending::Operations;
use pending::{Goal, Pending};

/// How many requests may be pending. Each holds a connection of the control
/// plane, whose other half stays free for those that are answered at once.
const MOST_PENDING: usize = 32;

const IMPOSSIBLE: u16 = 409;
const FAILED: u16 = 422;
const TOO_MANY: u16 = 429;
const TOO_SLOW: u16 = 504;

/// What is said of a start that a stop came in the way of.
const STOPPED_MEANWHILE: &str = "it was told to stop meanwhile";

impl Supervisor {
    /// Begins to do what is asked; it is answered here or later.
    pub(super) fn operate(&mut self, operation: Operation, reply_to: ReplyTo) {
        if let Err(refusal) = self.can_operate(&operation.job) {
            self.reply(reply_to, refusal);
            return;
        }
        let mut pending = Pending {
            operation,
            goals: BTreeMap::new(),
            failures: Vec::new(),
            reply_to,
        };
        let (verb, name) = (pending.operation.verb, pending.operation.job.clone());
        for id in self.present(&name) {
            match self.begin_operation(verb, id) {
                Ok(None) => {}
                Ok(Some(goal)) => drop(pending.goals.insert(id, goal)),
                Err(failure) => pending.failures.push(failure),
            }
        }
        for id in self.postpone_operation(verb, &name) {
            let goal = if verb == Verb::Stop {
                Goal::Gone
            } else {
                Goal::Anew
            };
            pending.goals.insert(id, goal);
        }
        self.operations.last += 1;
        let id = OperationId(self.operations.last);
        self.fx
            .set_timer(Timer::Operation(id), pending.operation.within);
        self.operations.pending.insert(id, pending);
        self.answer_operations();
    }

    fn can_operate(&self, name: &str) -> Result<(), Reply> {
        let refuse = |status, message: String| Err(Reply::Refused { status, message });
        let succeeds = || {
            self.successors
                .values()
                .any(|successor| *successor.spec.name == *name)
        };
        if self.present(name).is_empty() && !succeeds() {
            return Err(self.no_such_job(name));
        }
        if self.fx.phase != Phase::Running {
            return refuse(IMPOSSIBLE, "the supervisor is shutting down".to_owned());
        }
        if self.operations.pending.len() >= MOST_PENDING {
            let message = format!("{MOST_PENDING} such requests are waiting for their end");
            return refuse(TOO_MANY, message);
        }
        Ok(())
    }

    /// The jobs of this name that the configuration in force has and that have
    /// begun.
    fn present(&self, name: &str) -> Vec<JobId> {
        let ids = self.index.named(name).iter().copied();
        let is_present = |id: &JobId| self.jobs.get(id).is_some_and(|job| !job.is_retired());
        ids.filter(is_present).collect()
    }

    /// Does to one job what can be done at once. Returns what remains to be
    /// waited for.
    fn begin_operation(&mut self, verb: Verb, id: JobId) -> Result<Option<Goal>, (u16, String)> {
        if verb != Verb::Stop
            && self
                .fx
                .essential
                .is_some_and(|(essential, _)| essential == id)
        {
            let why = "it is essential and has ended: the supervisor ends with it";
            return Err((IMPOSSIBLE, why.to_owned()));
        }
        let Some(job) = self.jobs.get_mut(&id) else {
            return Ok(None);
        };
        match (verb, job.state_word()) {
            (Verb::Stop, State::Stopped | State::Completed) => return Ok(None),
            (Verb::Start, State::Running | State::Present) => return Ok(None),
            (Verb::Start, State::Starting) => return Ok(Some(Goal::Up)),
            _ => {}
        }
        let text = format!("is told to {}", verb.as_str());
        self.fx.log(Level::Info, Some(&job.label()), text);
        match (verb, job.state_word()) {
            (Verb::Stop, _) => {
                self.operations.give_up_start(id, STOPPED_MEANWHILE);
                job.stop(&mut self.fx);
                Ok(Some(Goal::Gone))
            }
            (_, State::Stopped | State::Completed) => {
                self.begin_anew(id);
                Ok(self.goal_of_start(id))
            }
            (_, State::Stopping) => Ok(Some(Goal::Anew)),
            (Verb::Start, _) => {
                job.start_now(&mut self.fx);
                Ok(self.goal_of_start(id))
            }
            (Verb::Restart, _) => {
                // Whoever waits for the run that ends now gets the next one.
                self.operations.expect_next_start(id);
                job.stop(&mut self.fx);
                Ok(Some(Goal::Anew))
            }
        }
    }

    /// A job was started: its process may still be on its way.
    fn goal_of_start(&self, id: JobId) -> Option<Goal> {
        let job = self.jobs.get(&id)?;
        (job.state_word() == State::Starting).then_some(Goal::Up)
    }

    /// Jobs of a reload that have not begun, because others are in their way, do
    /// so as they are told. Returns the others.
    fn postpone_operation(&mut self, verb: Verb, name: &str) -> Vec<JobId> {
        let mut after = Vec::new();
        for (before, successor) in &mut self.successors {
            if *successor.spec.name != *name {
                continue;
            }
            successor.held = verb == Verb::Stop;
            if successor.held {
                self.operations.give_up_start(*before, STOPPED_MEANWHILE);
            }
            let job = self.jobs.get(before);
            if !successor.held || job.is_some_and(|job| !job.is_complete()) {
                after.push(*before);
            }
        }
        if after
            .iter()
            .any(|id| self.jobs.get(id).is_some_and(Job::is_gone))
        {
            self.fx.came_to_rest = true;
        }
        after
    }

    /// A job of this name is about to begin again: who has asked for its end is told
    /// of it before.
    pub(super) fn tell_of_end(&mut self, name: &str) {
        self.operations.leave_hooks(name);
        self.answer_operations();
    }

    /// Starts a job that has ended, as if it had never run.
    fn begin_anew(&mut self, id: JobId) {
        let Some(name) = self.jobs.get(&id).map(|job| Arc::clone(job.name())) else {
            return;
        };
        self.tell_of_end(&name);
        self.rearm_hooks(&name);
        self.with_job(id, Job::begin_anew);
    }

    /// Takes note of what has become of jobs. Returns whether there was anything.
    pub(super) fn settle_operations(&mut self) -> bool {
        let outcomes = std::mem::take(&mut self.fx.outcomes);
        for (job, outcome) in &outcomes {
            match outcome {
                Outcome::Up => self.operations.achieve(*job, &[Goal::Up, Goal::Begun]),
                Outcome::Down(why) => {
                    self.operations.achieve(*job, &[Goal::Begun]);
                    self.operations.redirect(*job, |goal| match goal {
                        Goal::Up => Err((FAILED, why.clone())),
                        Goal::Gone | Goal::Anew | Goal::Begun => Ok(goal),
                    });
                }
                Outcome::Gone => self.job_is_gone(*job),
            }
        }
        if !outcomes.is_empty() {
            self.answer_operations();
        }
        !outcomes.is_empty()
    }

    /// Nothing of a job is left. Who waited for that also waits for the start of
    /// what runs because of it; then it begins anew, if that is wanted.
    fn job_is_gone(&mut self, id: JobId) {
        let Some(job) = self.jobs.get(&id) else {
            return;
        };
        let stopped = Event::new(Code::Stopped, Arc::clone(job.name()));
        let is_retired = job.is_retired();
        let is_starting = |hook: &&JobId| {
            let hook = self.jobs.get(hook);
            hook.is_some_and(|hook| hook.state_word() == State::Starting)
        };
        let hooks = self.index.subscribers(&stopped).iter();
        let hooks: Vec<JobId> = hooks.filter(is_starting).copied().collect();
        for pending in self.operations.pending.values_mut() {
            if pending.goals.get(&id) == Some(&Goal::Gone) {
                pending.goals.remove(&id);
                for hook in &hooks {
                    pending.goals.entry(*hook).or_insert(Goal::Begun);
                }
            }
        }
        // What a reload has retired begins anew as its successor.
        if !is_retired && self.operations.want_anew(id) {
            self.begin_anew(id);
            self.operations
                .has_begun(id, id, self.goal_of_start(id).is_some());
        }
    }

    /// The successor of a job that is gone begins, of its own accord or because
    /// somebody waits for that.
    pub(super) fn succeed(&mut self, before: JobId, now: JobId) {
        if self.operations.want_anew(before) {
            self.with_job(now, Job::start_now);
            let is_starting = self.goal_of_start(now).is_some();
            self.operations.has_begun(before, now, is_starting);
            self.answer_operations();
        }
    }

    /// A job is gone, and the configuration in force has no other in its place.
    pub(super) fn no_successor(&mut self, job: JobId) {
        self.operations
            .give_up_start(job, "a reload has removed it meanwhile");
        self.answer_operations();
    }

    /// A job is retired: who waits for its process waits for its successor's.
    pub(super) fn operations_outlive(&mut self, job: JobId) {
        self.operations.expect_next_start(job);
    }

    /// Shutdown has begun: nothing starts any more.
    pub(super) fn abandon_operations(&mut self) {
        self.operations.unattended.clear();
        for pending in self.operations.pending.values_mut() {
            let before = pending.goals.len();
            pending
                .goals
                .retain(|_, goal| matches!(goal, Goal::Gone | Goal::Begun));
            if pending.goals.len() < before {
                let why = "the supervisor is shutting down".to_owned();
                pending.failures.push((IMPOSSIBLE, why));
                pending.goals.clear();
            }
        }
        self.answer_operations();
    }

    /// The supervisor leaves: nobody waits any longer.
    pub(super) fn end_operations(&mut self) {
        for pending in self.operations.pending.values_mut() {
            if !pending.goals.is_empty() {
                let why = "the supervisor ends before it has happened".to_owned();
                pending.failures.push((IMPOSSIBLE, why));
                pending.goals.clear();
            }
        }
        self.answer_operations();
    }

    /// Somebody does not wait any more: what was asked for still happens.
    pub(super) fn leave_operations(&mut self) {
        let pending = self.operations.pending.iter();
        let abandoned = pending.filter(|(_, pending)| pending.reply_to.is_abandoned());
        let abandoned: Vec<OperationId> = abandoned.map(|(id, _)| *id).collect();
        for id in abandoned {
            self.operations.leave(id);
            self.fx.timers.cancel(Timer::Operation(id));
        }
    }

    /// A request has waited for as long as it may.
    pub(super) fn on_operation_timeout(&mut self, id: OperationId) {
        let Some(pending) = self.operations.leave(id) else {
            return;
        };
        let Operation { verb, job, within } = pending.operation;
        let jobs = pending.goals.keys().filter_map(|id| self.jobs.get(id));
        let states: Vec<String> = jobs
            .map(|job| format!("{} is {}", job.shown_name(), job.state_word().as_str()))
            .collect();
        let message = format!(
            "cannot {} {} within {within:?}, and goes on trying: {}",
            verb.as_str(),
            printable(&job),
            states.join(", ")
        );
        let status = TOO_SLOW;
        self.reply(pending.reply_to, Reply::Refused { status, message });
    }

    /// Answers every request that waits for nothing more.
    fn answer_operations(&mut self) {
        let is_over = |pending: &Pending| pending.goals.is_empty();
        let over = self.operations.pending.iter();
        let over: Vec<OperationId> = over
            .filter(|(_, pending)| is_over(pending))
            .map(|(id, _)| *id)
            .collect();
        for id in over {
            let Some(pending) = self.operations.pending.remove(&id) else {
                continue;
            };
            self.fx.timers.cancel(Timer::Operation(id));
            let Operation { verb, job, .. } = &pending.operation;
            let reply = match pending.failures.first() {
                // A reload may have removed what has stopped.
                None => Reply::Jobs(self.fx.now, self.statuses(job)),
                Some((status, _)) => {
                    let reasons: Vec<&str> =
                        pending.failures.iter().map(|(_, why)| &**why).collect();
                    let message = format!(
                        "cannot {} {}: {}",
                        verb.as_str(),
                        printable(job),
                        reasons.join("; ")
                    );
                    let status = *status;
                    Reply::Refused { status, message }
                }
            };
            self.reply(pending.reply_to, reply);
        }
    }

    /// Sends a signal to the process group of every live run of a name.
    pub(super) fn signal_jobs(&mut self, name: &str, signal: i32) -> Reply {
        let ids = self.index.named(name);
        if ids.is_empty() {
            return self.no_such_job(name);
        }
        let jobs = ids.iter().filter_map(|id| self.jobs.get(id));
        let live: Vec<&Job> = jobs.filter(|job| job.pid().is_some()).collect();
        if live.is_empty() {
            return Reply::Refused {
                status: IMPOSSIBLE,
                message: format!("{} has no process", printable(name)),
            };
        }
        for job in live {
            let text = format!("is sent signal {signal}");
            self.fx.log(Level::Info, Some(&job.label()), text);
            if let Some(pid) = job.pid() {
                self.fx.signal(pid, signal);
            }
        }
        Reply::Done
    }
}
