//! SPEC §17: signals that are passed on to a command.

use super::sim::Sim;
use super::specs::job;
use crate::event::Code;
use crate::message::Signal;

#[test]
fn a_signal_is_passed_on_and_means_nothing_else() {
    let mut sim = Sim::new(vec![job("main").essential()]);
    sim.take_record();
    for signal in [
        libc::SIGTERM,
        libc::SIGINT,
        libc::SIGUSR1,
        40,
        libc::SIGTERM,
    ] {
        sim.signal(Signal::ToPassOn(signal));
    }
    sim.expect(
        "0 pass on 15 to 101
         0 pass on 2 to 101
         0 pass on 10 to 101
         0 pass on 40 to 101
         0 pass on 15 to 101",
    );
    assert!(!sim.is_shutting_down());
    sim.exit("main", 3);
    assert_eq!(sim.supervisor.exit_code(), 3);
    sim.expect_done();
}

#[test]
fn signals_that_come_before_the_command_has_started_wait_for_that() {
    let mut sim = Sim::with_manual_starts(vec![job("main").essential()]);
    sim.signal(Signal::ToPassOn(libc::SIGHUP));
    sim.signal(Signal::ToPassOn(libc::SIGTERM));
    sim.take_record();
    sim.start("main");
    sim.expect(
        "0 pass on 1 to 101
         0 pass on 15 to 101",
    );
    sim.exit("main", 0);
    sim.expect_done();
}

#[test]
fn without_a_command_those_that_end_programs_end_the_supervisor() {
    for signal in [libc::SIGTERM, libc::SIGINT, libc::SIGQUIT, libc::SIGHUP] {
        let mut sim = Sim::new(vec![job("main").each(Code::Signal, "SIGHUP")]);
        sim.signal(Signal::ToPassOn(libc::SIGUSR1));
        sim.signal(Signal::ToPassOn(libc::SIGWINCH));
        assert!(!sim.is_shutting_down());
        sim.signal(Signal::ToPassOn(signal));
        sim.expect_done();
    }
}
