//! SPEC §16: operators who go away before they are answered.

use std::time::Duration;

use super::operations::state;
use super::sim::Sim;
use super::specs::job;
use crate::control::request::Verb::{Restart, Stop};
use crate::control::request::{Operation, Reply, Request};
use crate::message::Message;

#[test]
fn an_asker_that_has_gone_leaves_nothing_behind() {
    let mut sim = Sim::new(vec![job("app").kill_timeout(10)]);
    sim.ignores_sigterm("app");
    let operation = Operation {
        verb: Stop,
        job: "app".to_owned(),
        within: Duration::from_secs(1),
    };
    drop(sim.ask(Request::Operate(operation)));
    sim.advance(10);
    assert_eq!(sim.supervisor.next_deadline(), None);
    assert_eq!(state(&mut sim, "app"), "stopped");
}

#[test]
fn who_has_gone_makes_room_for_others_and_gets_what_was_asked_for() {
    let mut sim = Sim::new(vec![job("app").kill_timeout(10)]);
    sim.ignores_sigterm("app");
    let operation = |verb| {
        Request::Operate(Operation {
            verb,
            job: "app".to_owned(),
            within: Duration::from_secs(1),
        })
    };
    let stays = sim.ask(operation(Restart));
    let gone: Vec<_> = (0..31).map(|_| sim.ask(operation(Restart))).collect();
    let too_many = Some(Reply::Refused {
        status: 429,
        message: "32 such requests are waiting for their end".to_owned(),
    });
    assert_eq!(sim.ask(operation(Restart)).try_recv().ok(), too_many);
    drop(gone);
    sim.send(Message::AskerLeft);
    let late = sim.ask(operation(Restart));
    assert!(late.try_recv().is_err());
    drop(late);
    sim.send(Message::AskerLeft);
    assert!(stays.try_recv().is_err());
    sim.advance(10);
    assert!(matches!(stays.try_recv(), Ok(Reply::Jobs(..))));
    assert_eq!(state(&mut sim, "app"), "running");
}

#[test]
fn a_job_whose_only_asker_has_gone_begins_anew() {
    let mut sim = Sim::new(vec![job("app").kill_timeout(10)]);
    sim.ignores_sigterm("app");
    let operation = Operation {
        verb: Restart,
        job: "app".to_owned(),
        within: Duration::from_secs(1),
    };
    drop(sim.ask(Request::Operate(operation)));
    sim.send(Message::AskerLeft);
    sim.advance(10);
    assert_eq!(sim.supervisor.next_deadline(), None);
    assert_eq!(state(&mut sim, "app"), "running");
}
