//! SPEC §15: how many checks make a job healthy or unhealthy, when they begin to
//! count, and when they end a run.

use std::time::Duration;

use super::sim::Sim;
use super::specs::job;
use crate::config::JobSpec;
use crate::event::Code;
use crate::message::Signal;

fn checked() -> JobSpec {
    job("app").forever().checked_every(1000, 500)
}

/// Lets the next checks pass (`+`) or fail (`-`); returns the event of each: `H`,
/// `U`, or `.` for none.
fn check(sim: &mut Sim, results: &str) -> String {
    let mut seen = String::new();
    for result in results.chars() {
        while !sim.is_running("check.app") {
            assert!(sim.advance_to_deadline());
        }
        sim.take_record();
        sim.exit("check.app", i32::from(result == '-'));
        let told = |code: &str| {
            let event = format!("event {{Status{code}, app}}");
            sim.record().iter().any(|line| line.ends_with(&event))
        };
        seen.push(match (told("Healthy"), told("Unhealthy")) {
            (true, false) => 'H',
            (false, true) => 'U',
            (false, false) => '.',
            (true, true) => panic!("{:?}", sim.record()),
        });
    }
    seen
}

#[test]
fn a_change_takes_as_many_results_in_a_row_as_are_asked_for() {
    for (healthy_after, unhealthy_after, results, events) in [
        (1, 1, "+-+--", "HUHUU"),
        (1, 3, "+--+---+", "H..H..UH"),
        (1, 2, "-+--", ".H.U"),
        (3, 1, "++++-+++", "..HHU..H"),
        (2, 2, "+-+-++-+--++", ".....H.H.U.H"),
        (2, 1, "+-++", ".U.H"),
    ] {
        let mut sim = Sim::new(vec![checked().health(|health| {
            health.healthy_after = healthy_after;
            health.unhealthy_after = unhealthy_after;
        })]);
        let seen = check(&mut sim, results);
        assert_eq!(seen, events, "{healthy_after}/{unhealthy_after} {results}");
    }
}

#[test]
fn failures_of_the_start_period_do_not_count_until_a_check_has_passed() {
    let spec = || {
        checked()
            .restarts_after(1)
            .health(|health| health.start_period = Duration::from_millis(3500))
    };
    let mut sim = Sim::new(vec![spec()]);
    assert_eq!(check(&mut sim, "---"), "...");
    assert!(sim.is_running("app"));
    assert_eq!(check(&mut sim, "-"), "U", "the period is over");

    let mut sim = Sim::new(vec![spec().health(|health| health.restart_after = None)]);
    assert_eq!(check(&mut sim, "-+-"), ".HU", "it had started");
}

#[test]
fn every_run_has_a_start_period_of_its_own() {
    let spec = checked().health(|health| health.start_period = Duration::from_millis(1500));
    let mut sim = Sim::new(vec![spec]);
    assert_eq!(check(&mut sim, "+-"), "HU");
    sim.exit("app", 0);
    assert_eq!(check(&mut sim, "--"), ".U");
}

#[test]
fn a_run_whose_checks_fail_too_often_is_stopped_and_has_failed() {
    let mut sim = Sim::new(vec![checked().restarts_after(2)]);
    assert_eq!(check(&mut sim, "-+-"), "UHU");
    sim.take_record();
    assert_eq!(check(&mut sim, "-"), "U");
    sim.expect(
        "4000 event {StatusUnhealthy, app}
         4000 error app is stopped: 2 health checks in a row have failed
         4000 terminate app
         4000 event {ExitFailed, app}
         4000 spawn app",
    );
}

#[test]
fn one_that_exits_with_0_when_it_is_stopped_has_failed_all_the_same() {
    let jobs = vec![
        job("app")
            .essential()
            .checked_every(1000, 500)
            .restarts_after(1),
    ];
    let mut sim = Sim::new(jobs);
    sim.ignores_sigterm("app");
    check(&mut sim, "-");
    sim.exit("app", 0);
    sim.expect_done();
    assert_eq!(sim.supervisor.exit_code(), 1);
}

#[test]
fn one_that_does_not_stop_is_killed_and_checked_on_without_effect() {
    let mut sim = Sim::new(vec![checked().restarts_after(1).kill_timeout(2500)]);
    sim.ignores_sigterm("app");
    check(&mut sim, "---");
    sim.take_record();
    sim.advance(500);
    sim.expect(
        "3500 warn app did not terminate within 2.5s, killing it
         3500 kill app
         3500 event {ExitFailed, app}
         3500 spawn app",
    );
}

#[test]
fn unhealthy_runs_back_off_like_any_that_fail() {
    let mut sim = Sim::new(vec![checked().restarts_after(1)]);
    check(&mut sim, "-");
    assert!(sim.is_running("app"));
    check(&mut sim, "-");
    assert!(!sim.is_running("app"));
    sim.advance(110);
    assert!(sim.is_running("app"));
}

#[test]
fn a_check_of_the_run_before_does_not_stop_the_next_one() {
    let mut sim = Sim::new(vec![checked().restarts_after(1)]);
    sim.advance(1000);
    sim.exit("app", 0);
    sim.take_record();
    sim.exit("check.app", 1);
    sim.expect(
        "1000 warn app is unhealthy: check exited with code 1
         1000 event {StatusUnhealthy, app}",
    );
    assert!(sim.is_running("app"));
    check(&mut sim, "-");
    assert!(has_spawned(&sim), "this one was of its own");
}

fn has_spawned(sim: &Sim) -> bool {
    sim.record().iter().any(|line| line.ends_with(" spawn app"))
}

#[test]
fn a_check_of_the_run_before_does_not_end_the_start_period_of_the_next_one() {
    let spec = checked().restarts_after(1);
    let spec = spec.health(|health| health.start_period = Duration::from_secs(20));
    let mut sim = Sim::new(vec![spec]);
    sim.advance(1000);
    sim.exit("app", 0);
    assert_eq!(check(&mut sim, "+-"), "H.");
    assert!(sim.is_running("app"));
    assert_eq!(check(&mut sim, "+-"), "HU");
    assert!(has_spawned(&sim));
}

#[test]
fn a_check_of_a_run_that_has_failed_has_no_result() {
    for (spec, check) in [
        (checked(), "check.app"),
        (job("app").forever().probed_every(1000, 500), "probe.app"),
    ] {
        let spec = spec.restarts_after(1);
        let spec = spec.health(|health| health.start_period = Duration::from_secs(20));
        let mut sim = Sim::new(vec![spec]);
        sim.advance(1000);
        assert!(sim.is_running(check));
        sim.exit("app", 1);
        // A command is killed; who is asked may still answer.
        if sim.is_running(check) {
            sim.exit(check, 0);
        }
        sim.advance(1000);
        sim.exit(check, 1);
        let record = sim.take_record();
        let told = record.iter().any(|line| line.contains("event {Status"));
        assert!(!told && sim.is_running("app"), "{check}: {record:?}");
    }
}

#[test]
fn a_check_that_ends_before_the_next_run_has_started_does_not_stop_it() {
    let spec = checked().restarts_after(1);
    let mut sim = Sim::with_manual_starts(vec![spec]);
    sim.start("app");
    sim.advance(1000);
    sim.start("check.app");
    sim.exit("check.app", 1);
    sim.advance(1000);
    sim.start("check.app");
    assert!(sim.is_running("app") && !sim.has_started("app"));
    sim.take_record();
    sim.exit("check.app", 1);
    sim.start("app");
    sim.expect("2000 event {StatusUnhealthy, app}");
}

#[test]
fn without_restarts_left_the_job_completes() {
    let mut sim = Sim::new(vec![job("app").checked_every(1000, 500).restarts_after(1)]);
    check(&mut sim, "-");
    sim.expect_done();
}

#[test]
fn a_shutdown_takes_over_a_run_that_is_being_stopped() {
    let mut sim = Sim::new(vec![
        checked().restarts_after(1).kill_timeout(300),
        job("pre").once(Code::Stopping, "app"),
    ]);
    sim.ignores_sigterm("app");
    check(&mut sim, "-");
    sim.signal(Signal::Terminate);
    sim.take_record();
    sim.advance(300);
    sim.expect(
        "1300 warn app did not terminate within 300ms, killing it
         1300 kill app
         1300 event {ExitFailed, app}",
    );
    sim.exit("pre", 0);
    sim.expect_done();
}
