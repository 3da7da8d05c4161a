//! SPEC §14 and §16: reloads while operators start and stop jobs.

use super::operations::{answered, state};
use super::sim::Sim;
use super::specs::{config, job};
use crate::control::request::{Reload, Reply, Request, Verb};
use crate::event::Code;
use crate::message::Message;
use Verb::{Restart, Start, Stop};

#[test]
fn a_reload_leaves_a_stopped_job_alone_unless_it_changes_it() {
    let mut sim = Sim::new(vec![job("app"), job("up").forever()]);
    sim.operate(Stop, "app");
    sim.reload(vec![job("app"), job("up").forever()]);
    assert_eq!(state(&mut sim, "app"), "stopped");
    sim.reload(vec![job("app").restarts(1), job("up").forever()]);
    assert_eq!(state(&mut sim, "app"), "running");
    sim.operate(Stop, "app");
    sim.reload(vec![job("app").runs("v2"), job("up").forever()]);
    assert_eq!(state(&mut sim, "app"), "running");
}

#[test]
fn a_reload_says_that_it_starts_what_was_stopped() {
    let mut sim = Sim::new(vec![job("app")]);
    sim.operate(Stop, "app");
    let answer = sim.ask(Request::Reload(Reload {
        dry_run: true,
        verbose: true,
    }));
    let config = config(vec![job("app").restarts(1)]);
    sim.send(Message::ConfigLoaded(Ok(Box::new(config))));
    let Ok(Reply::Plan(plan)) = answer.try_recv() else {
        panic!("no plan")
    };
    assert!(plan.starts_with("replace job[app]: restarts\n"), "{plan}");
}

#[test]
fn a_reload_while_an_operation_is_pending_answers_for_what_follows() {
    // Replaced: the successor is what starts, though it waits for something else.
    let mut sim = Sim::with_manual_starts(vec![job("app"), job("up").forever()]);
    sim.ignores_sigterm("app");
    sim.start("app");
    sim.operate(Restart, "app");
    let next = job("app").runs("v2").once(Code::Healthy, "up");
    sim.reload(vec![next.clone(), job("up").forever()]);
    sim.exit("app", 0);
    answered(&mut sim, &[]);
    sim.start("app");
    answered(&mut sim, &["restart: running"]);
    // Removed.
    sim.operate(Restart, "app");
    sim.reload(vec![job("up").forever()]);
    sim.exit("app", 0);
    answered(
        &mut sim,
        &["restart: 409 cannot restart app: a reload has removed it meanwhile"],
    );
}

#[test]
fn a_job_that_a_reload_brings_can_be_stopped_before_it_begins() {
    let v2 = || vec![job("app").runs("v2"), job("up").forever()];
    let mut sim = Sim::new(vec![job("app"), job("up").forever()]);
    sim.ignores_sigterm("app");
    sim.reload(v2());
    sim.operate(Stop, "app");
    sim.reload(v2());
    sim.exit("app", 0);
    assert_eq!(state(&mut sim, "app"), "stopped");
    sim.operate(Start, "app");
    answered(&mut sim, &["stop: completed", "start: running"]);
}
