//! SPEC §8: what the control plane is answered; §14: reload.

use super::sim::Sim;
use super::specs::{config, job};
use crate::control::request::{Reload, Reply, Request};
use crate::event::Code;
use crate::message::{Message, Signal};

fn refused(status: u16, message: &str) -> Option<Reply> {
    Some(Reply::Refused {
        status,
        message: message.to_owned(),
    })
}

#[test]
fn ping_is_answered_also_during_shutdown() {
    let mut sim = Sim::new(vec![job("app")]);
    sim.ignores_sigterm("app");
    assert_eq!(sim.request(Request::Ping), Some(Reply::Pong));
    sim.signal(Signal::Terminate);
    assert_eq!(sim.request(Request::Ping), Some(Reply::Pong));
}

#[test]
fn put_env_takes_effect_for_processes_of_the_future() {
    let mut sim = Sim::new(vec![
        job("first"),
        job("second").once(Code::ExitSuccess, "first"),
    ]);
    let changes = vec![
        ("NEW".to_owned(), Some("1".to_owned())),
        ("HOME".to_owned(), None),
    ];
    assert_eq!(sim.request(Request::PutEnv(changes)), Some(Reply::Done));
    sim.exit("first", 0);
    let names = |job: &str| -> Vec<String> {
        sim.environment[job]
            .iter()
            .map(|(name, _)| name.clone())
            .collect()
    };
    assert!(names("first").contains(&"HOME".to_owned()));
    assert_eq!(
        names("second"),
        ["CONTAINERPILOT_PID", "CONTAINERPILOT_SOCKET", "NEW", "PATH"]
    );
}

/// With more than the kernel gives a process no job could start any more.
#[test]
fn put_env_leaves_room_for_arguments() {
    let mut sim = Sim::new(vec![job("app")]);
    let put = |names: std::ops::Range<u32>, value: Option<&str>| {
        let name = |number| format!("N{number:03}");
        let changes = names.map(|number| (name(number), value.map(str::to_owned)));
        Request::PutEnv(changes.collect())
    };
    let value = "x".repeat(100_000);
    assert_eq!(sim.request(put(0..10, Some(&value))), Some(Reply::Done));
    for names in [10..11, 100..104] {
        let refused = sim.request(put(names, Some(&value)));
        let Some(Reply::Refused { status, message }) = refused else {
            panic!("not refused");
        };
        let told = message.contains(" bytes, and 1048576 are allowed");
        assert!(status == 400 && told, "{message}");
    }
    // Nothing of it was taken, and what is there can be replaced and unset.
    assert_eq!(sim.request(put(0..10, Some(&value))), Some(Reply::Done));
    assert_eq!(sim.request(put(0..1, None)), Some(Reply::Done));
    assert_eq!(sim.request(put(10..11, Some(&value))), Some(Reply::Done));
}

#[test]
fn a_metric_that_is_not_configured_is_refused() {
    let mut sim = Sim::new(vec![job("app")]);
    let metrics = vec![("a".to_owned(), 1.0), ("b".to_owned(), 2.0)];
    let Some(Reply::Refused {
        status: 400,
        message,
    }) = sim.request(Request::PutMetric(metrics))
    else {
        panic!("not refused");
    };
    assert!(
        message.contains("\"a\"") && message.contains("\"b\""),
        "{message}"
    );
}

#[test]
fn a_refused_configuration_leaves_everything_running() {
    let mut sim = Sim::new(vec![job("app")]);
    sim.take_record();
    let answer = sim.ask(Request::Reload(Reload::default()));
    sim.send(Message::ConfigLoaded(Err(
        "jobs[0].exec is empty".to_owned()
    )));
    assert_eq!(
        answer.try_recv().ok(),
        refused(422, "jobs[0].exec is empty")
    );
    sim.expect("0 error reload refused, the running configuration stays: jobs[0].exec is empty");
    assert!(sim.is_running("app"));
}

#[test]
fn reloads_are_serialized() {
    let mut sim = Sim::new(vec![job("app")]);
    let first = sim.ask(Request::Reload(Reload::default()));
    let second = sim.ask(Request::Reload(Reload::default()));
    sim.take_record();
    sim.send(Message::ConfigLoaded(Err("no".to_owned())));
    sim.expect("0 error reload refused, the running configuration stays: no");
    assert_eq!(first.try_recv().ok(), refused(422, "no"));
    assert!(second.try_recv().is_err());
    sim.send(Message::ConfigLoaded(Ok(Box::new(config(vec![job(
        "app",
    )])))));
    assert_eq!(second.try_recv().ok(), Some(Reply::Plan(String::new())));
}

#[test]
fn sigterm_during_a_reload_is_obeyed() {
    let mut sim = Sim::new(vec![job("app")]);
    sim.ignores_sigterm("app");
    let first = sim.ask(Request::Reload(Reload::default()));
    sim.send(Message::ConfigLoaded(Ok(Box::new(config(vec![job(
        "new",
    )])))));
    assert_eq!(first.try_recv().ok(), Some(Reply::Plan(String::new())));
    let second = sim.ask(Request::Reload(Reload::default()));
    sim.signal(Signal::Terminate);
    assert_eq!(
        second.try_recv().ok(),
        refused(503, "the supervisor is shutting down")
    );
    sim.exit("app", 0);
    sim.expect_done();
    assert_eq!(
        sim.request(Request::Reload(Reload::default())),
        refused(503, "the supervisor is shutting down")
    );
}
