//! Every short schedule of worlds with operators: each of them is answered, with
//! the truth, and what was stopped stays so.

use super::super::specs::job;
use super::{Move, World, walk};
use crate::config::JobSpec;
use crate::control::request::{Reply, Verb};
use crate::event::Code;

impl World {
    fn with_operators(configs: Vec<Vec<JobSpec>>) -> Self {
        let mut world = Self::new(configs);
        world.has_operators = true;
        // What events are worth cannot be told when somebody else starts jobs, too.
        let entries = world.entries.values_mut();
        entries.for_each(|entry| entry.starts = None);
        world
    }

    /// An answer is the truth when it is given.
    pub(super) fn check_answers(&mut self) {
        for answer in self.sim.take_answers() {
            let is_done = matches!(answer.reply, Reply::Jobs(..));
            match answer.operation.verb {
                Verb::Stop if is_done => {
                    assert!(!answer.is_running, "{:?}", self.moves);
                    // A start that was asked for later may follow.
                    let last = self.moves.iter().rev().find_map(|last| match last {
                        Move::Operate(verb) => Some(*verb == Verb::Stop),
                        Move::Reload(_) => Some(false),
                        _ => None,
                    });
                    self.stopped = last == Some(true);
                }
                Verb::Start | Verb::Restart if is_done => {
                    // A run that has timed out before it could start is killed as
                    // soon as it does.
                    let mut record = self.sim.record().iter();
                    let is_killed = record.any(|line| line.ends_with(" kill a"));
                    assert!(answer.has_started || is_killed, "{:?}", self.moves);
                }
                _ => {}
            }
        }
        assert!(
            !self.stopped || !self.sim.is_running("a"),
            "{:?}",
            self.moves
        );
        assert!(
            !self.sim.is_done() || self.sim.unanswered() == 0,
            "{:?}",
            self.moves
        );
    }
}

#[test]
fn every_short_schedule_with_operators_keeps_the_promises() {
    let worlds = [
        // Hooks before and after, and a job that nothing ends but SIGKILL.
        vec![vec![
            job("a").forever().kill_timeout(200),
            job("pre").once(Code::Stopping, "a"),
            job("post").once(Code::Stopped, "a"),
        ]],
        // A job that ends by itself, and one that waits for that.
        vec![vec![
            job("a").essential().restarts(1),
            job("b").once(Code::ExitFailed, "a").waits_at_most(500),
        ]],
        // Checks and clocks.
        vec![vec![
            job("a").checked_every(300, 100).restarts_after(1).forever(),
        ]],
        vec![vec![job("a").every(200), job("b").each(Code::Stopped, "a")]],
        // Reloads between: replaced, updated, removed.
        vec![
            vec![job("a").forever(), job("post").once(Code::Stopped, "a")],
            vec![
                job("a").runs("v2").forever(),
                job("post").once(Code::Stopped, "a"),
            ],
            vec![job("a").restarts(1), job("post")],
            vec![job("post")],
        ],
    ];
    let depths = [4, 5, 4, 5, 4];
    let worlds = worlds.into_iter().map(World::with_operators).zip(depths);
    let schedules: u32 = worlds.map(|(world, depth)| walk(&world, depth)).sum();
    println!("{schedules} schedules");
    assert!(schedules >= 20_000, "only {schedules} schedules");
}
