//! SPEC §18: what becomes of a machine whose init the supervisor is.

use std::time::Duration;

use super::sim::Sim;
use super::specs::{config, job};
use crate::config::InitSpec;
use crate::config::init::{Ending, WatchdogSpec};
use crate::control::request::{Reply, Request};
use crate::message::Signal;

fn init(spec: InitSpec) -> Sim {
    let mut config = config(vec![job("app").forever()]);
    config.init = Some(spec);
    Sim::with_config(config)
}

/// How somebody ends the machine.
type Way = fn(&mut Sim);

fn end(sim: &mut Sim, ending: Ending) {
    assert_eq!(sim.request(Request::End(ending)), Some(Reply::Done));
}

#[test]
fn the_file_says_what_becomes_of_the_machine_and_whoever_ends_it_may_say_otherwise() {
    let halts = || {
        init(InitSpec {
            on_shutdown: Ending::Halt,
            ..InitSpec::default()
        })
    };
    let ways: [(Way, Ending); 5] = [
        (|sim| sim.signal(Signal::Terminate), Ending::Halt),
        (|sim| sim.signal(Signal::Interrupt), Ending::Reboot),
        (|sim| end(sim, Ending::PowerOff), Ending::PowerOff),
        (|sim| end(sim, Ending::Reboot), Ending::Reboot),
        (
            |sim| {
                sim.ignores_sigterm("app");
                sim.signal(Signal::Terminate);
                end(sim, Ending::PowerOff);
                assert!(sim.is_running("app"), "a second wish is not impatience");
                sim.die("app", libc::SIGTERM);
            },
            Ending::PowerOff,
        ),
    ];
    for (way, ending) in ways {
        let mut sim = halts();
        way(&mut sim);
        sim.expect_done();
        assert_eq!(sim.supervisor.ending(), Some(ending));
    }
}

#[test]
fn who_is_no_init_leaves_the_machine_alone() {
    let mut sim = Sim::new(vec![job("app").forever()]);
    for ending in [Ending::PowerOff, Ending::Reboot] {
        match sim.request(Request::End(ending)) {
            Some(Reply::Refused { status: 409, .. }) => {}
            other => panic!("{other:?}"),
        }
    }
    assert!(!sim.is_shutting_down());
    sim.signal(Signal::Interrupt);
    sim.expect_done();
    assert_eq!(sim.supervisor.ending(), None);
}

#[test]
fn a_reload_may_change_what_becomes_of_the_machine() {
    let mut sim = init(InitSpec::default());
    let mut next = config(vec![job("app").forever()]);
    next.init = Some(InitSpec {
        on_shutdown: Ending::Reboot,
        ..InitSpec::default()
    });
    sim.reload_to(next);
    assert_eq!(sim.supervisor.ending(), Some(Ending::Reboot));
    sim.reload_to(config(vec![job("app").forever()]));
    assert_eq!(
        sim.supervisor.ending(),
        Some(Ending::PowerOff),
        "still an init"
    );
}

#[test]
fn the_watchdog_is_fed_twice_in_its_time_until_the_end() {
    let mut sim = init(InitSpec {
        watchdog: Some(WatchdogSpec {
            device: "/dev/watchdog".into(),
            timeout: Duration::from_secs(2),
        }),
        ..InitSpec::default()
    });
    sim.ignores_sigterm("app");
    let feeds = |sim: &mut Sim| {
        let record = sim.take_record();
        let feeds = record.iter().filter(|line| line.ends_with("feed watchdog"));
        feeds
            .map(|line| line.split(' ').next().unwrap().to_owned())
            .collect::<Vec<_>>()
    };
    sim.advance(2500);
    assert_eq!(feeds(&mut sim), ["0", "1000", "2000"]);
    sim.signal(Signal::Terminate);
    sim.advance(6000);
    assert_eq!(
        feeds(&mut sim),
        ["3000", "4000", "5000", "6000", "7000", "7500"],
        "also at the end of patience"
    );
    sim.expect_done();
}
