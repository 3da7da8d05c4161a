//! Operators in the simulated world: what they ask for, and what is so when they
//! are answered.

use std::time::Duration;

use super::super::specs::config;
use super::{Sim, has_namesakes};
use crate::config::{Config, JobSpec};
use crate::control::request::{Operation, Reload, Reply, Request, Verb};
use crate::handoff::handoff;
use crate::message::{Message, ReplyTo};

/// An answered operation.
#[derive(Clone, Debug)]
pub(in crate::supervisor::tests) struct Answered {
    pub(in crate::supervisor::tests) operation: Operation,
    pub(in crate::supervisor::tests) reply: Reply,
    /// Whether a process of the job was alive at that moment, or on its way.
    pub(in crate::supervisor::tests) is_running: bool,
    /// Whether it had started.
    pub(in crate::supervisor::tests) has_started: bool,
}

impl Sim {
    /// An accepted configuration with these jobs takes over.
    pub(in crate::supervisor::tests) fn reload(&mut self, jobs: Vec<JobSpec>) {
        self.reload_to(config(jobs));
    }

    /// An accepted configuration takes over.
    pub(in crate::supervisor::tests) fn reload_to(&mut self, config: Config) {
        self.namesakes |= has_namesakes(&config.jobs);
        let answer = self.ask(Request::Reload(Reload::default()));
        self.send(Message::ConfigLoaded(Ok(Box::new(config))));
        assert_eq!(answer.try_recv().ok(), Some(Reply::Plan(String::new())));
    }

    /// An operator asks for something that is done to a job.
    pub(in crate::supervisor::tests) fn operate(&mut self, verb: Verb, job: &str) {
        let operation = Operation {
            verb,
            job: job.to_owned(),
            within: Duration::from_secs(60),
        };
        // Whoever asked has gone away: only the record shows the answer.
        let (giver, _gone) = handoff();
        let reply_to = ReplyTo::new(giver);
        self.operations.push((reply_to.clone(), operation.clone()));
        let request = Request::Operate(operation);
        self.facts.push_back(Message::Request(request, reply_to));
        self.settle();
    }

    /// What operators have been answered since the last look.
    pub(in crate::supervisor::tests) fn take_answers(&mut self) -> Vec<Answered> {
        std::mem::take(&mut self.answers)
    }

    /// How many operations have no answer yet.
    pub(in crate::supervisor::tests) fn unanswered(&self) -> usize {
        self.operations.len()
    }

    pub(super) fn reply(&mut self, to: ReplyTo, reply: Reply) {
        let mut operations = self.operations.iter();
        if let Some(index) = operations.position(|(asker, _)| asker.is(&to)) {
            let (_, operation) = self.operations.remove(index);
            self.answers.push(Answered {
                reply: reply.clone(),
                is_running: self.is_running(&operation.job),
                has_started: self.has_started(&operation.job),
                operation,
            });
        }
        to.send(reply);
    }
}
