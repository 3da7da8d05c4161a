//! SPEC §15: how long the restarts of a failing job wait, and what the log says.

use super::sim::Sim;
use super::specs::job;
use crate::config::{Backoff, JobSpec};
use crate::event::Code;
use crate::message::Signal;

/// When a job that fails at once is started within some time.
fn starts(sim: &mut Sim, name: &str, until_ms: u128) -> Vec<u128> {
    let mut starts = Vec::new();
    while sim.ms() <= until_ms {
        if sim.is_running(name) {
            starts.push(sim.ms());
            sim.exit(name, 1);
        } else {
            assert!(sim.advance_to_deadline());
        }
    }
    starts
}

fn wait_for_restart(sim: &mut Sim) {
    while !sim.is_running("app") {
        assert!(sim.advance_to_deadline());
    }
}

fn crashing() -> JobSpec {
    job("app").forever()
}

#[test]
fn waits_grow_from_the_second_restart_on_up_to_the_longest() {
    let mut sim = Sim::new(vec![crashing()]);
    let starts = starts(&mut sim, "app", 200_000);
    assert_eq!(starts[..2], [0, 0], "the first restart is at once");
    let waits = starts.windows(2).skip(1).map(|pair| pair[1] - pair[0]);
    let ideal = [100, 200, 400, 800, 1600, 3200, 6400, 12_800, 25_600];
    let ideal = ideal.into_iter().chain(std::iter::repeat(30_000));
    for (wait, ideal) in waits.zip(ideal) {
        let jitter = wait.abs_diff(ideal);
        assert!(jitter <= ideal / 10 + 1, "{wait} ms instead of {ideal} ms");
    }
    assert!(starts.len() < 16, "{starts:?}");
}

#[test]
fn the_waits_are_as_configured_and_without_them_restarts_are_at_once() {
    let mut spec = crashing();
    spec.backoff = Some(Backoff {
        initial: std::time::Duration::from_secs(1),
        factor: 10,
        max: std::time::Duration::from_secs(20),
        ..Backoff::default()
    });
    let mut sim = Sim::new(vec![spec]);
    let starts = starts(&mut sim, "app", 60_000);
    let waits: Vec<u128> = starts.windows(2).map(|pair| pair[1] - pair[0]).collect();
    assert!(
        waits[0] == 0 && (900..=1100).contains(&waits[1]),
        "{waits:?}"
    );
    assert!((9000..=11_000).contains(&waits[2]), "{waits:?}");
    assert!((18_000..=22_000).contains(&waits[3]), "{waits:?}");

    let mut sim = Sim::new(vec![crashing().without_backoff()]);
    for _ in 0..1000 {
        sim.exit("app", 1);
    }
    assert!(sim.is_running("app"));
    assert_eq!(sim.ms(), 0);
}

#[test]
fn success_and_a_run_that_lasts_begin_the_row_anew() {
    let mut sim = Sim::new(vec![crashing()]);
    starts(&mut sim, "app", 5000);
    wait_for_restart(&mut sim);
    sim.exit("app", 0);
    assert!(sim.is_running("app"), "success is restarted at once");
    sim.exit("app", 1);
    assert!(
        sim.is_running("app"),
        "and so is the first failure after it"
    );
    sim.exit("app", 1);
    assert!(!sim.is_running("app"));
    wait_for_restart(&mut sim);
    sim.advance(9_999);
    sim.exit("app", 1);
    assert!(!sim.is_running("app"), "it lasted less than ten seconds");
    wait_for_restart(&mut sim);
    sim.advance(10_000);
    sim.exit("app", 1);
    assert!(sim.is_running("app"));
}

#[test]
fn a_program_that_cannot_be_started_backs_off_like_any_failure() {
    let mut sim = Sim::with_manual_starts(vec![crashing()]);
    sim.fail_to_start("app");
    sim.fail_to_start("app");
    assert!(!sim.is_running("app"));
    sim.advance(110);
    assert!(sim.is_running("app"));
}

/// What the log has said of `app` at ERROR since the last look, with the time.
fn failures(sim: &mut Sim) -> Vec<(u128, String)> {
    let record = sim.take_record().into_iter();
    let lines = record.filter_map(|line| {
        let (at, text) = line.split_once(" error app ")?;
        Some((at.parse().unwrap(), text.to_owned()))
    });
    lines.collect()
}

fn texts(sim: &mut Sim) -> Vec<String> {
    failures(sim).into_iter().map(|(_, text)| text).collect()
}

#[test]
fn what_happens_again_and_again_is_logged_ever_less_often() {
    let mut sim = Sim::new(vec![crashing().without_backoff()]);
    for _ in 0..1000 {
        sim.exit("app", 1);
    }
    sim.signal(Signal::Terminate);
    let lines = texts(&mut sim);
    assert_eq!(lines.len(), 11, "{lines:?}");
    assert_eq!(
        lines[..3],
        [
            "exited with code 1",
            "exited with code 1 (2 times)",
            "exited with code 1 (4 times)",
        ]
    );
    assert_eq!(
        lines[9..],
        [
            "exited with code 1 (512 times)",
            "exited with code 1 (1000 times)",
        ]
    );
}

#[test]
fn a_job_that_fails_for_a_day_costs_a_page_of_log_that_is_never_out_of_date() {
    const DAY: u128 = 24 * 3_600_000;
    let missing = |sim: &mut Sim| sim.fail_to_start("app");
    let failing = |sim: &mut Sim| {
        sim.start("app");
        sim.exit("app", 1);
    };
    let ways: [&dyn Fn(&mut Sim); 2] = [&missing, &failing];
    for fail in ways {
        let mut sim = Sim::with_manual_starts(vec![crashing().essential()]);
        let mut starts = 0;
        while sim.ms() < DAY {
            if sim.is_running("app") {
                fail(&mut sim);
                starts += 1;
            } else {
                assert!(sim.advance_to_deadline());
            }
        }
        assert!((2700..3300).contains(&starts), "{starts} starts");
        let waits = sim.record().iter();
        let waits = waits
            .filter(|line| line.contains("before it starts"))
            .count();
        let told = failures(&mut sim);
        assert!(told.len() < 40, "{} lines: {told:#?}", told.len());
        assert!(waits < told.len(), "{waits} lines");
        let silences = told.windows(2).map(|pair| pair[1].0 - pair[0].0);
        let longest = silences.max().unwrap();
        assert!(longest <= 3_600_000 + 33_000, "silent for {longest} ms");
        assert_eq!(told[3].1.split_once('(').unwrap().1, "8 times in 6s)");
        let last = &told.last().unwrap().1;
        assert!(last.contains("times in 23h"), "{told:#?}");
    }
}

#[test]
fn reasons_that_keep_changing_do_not_fill_the_log_either() {
    let mut sim = Sim::new(vec![crashing().without_backoff()]);
    for run in 0..10_000 {
        sim.exit("app", 1 + run % 2);
    }
    let lines = texts(&mut sim);
    assert!(lines.len() < 40, "{} lines", lines.len());
    assert_eq!(lines[0], "exited with code 1");
    assert_eq!(lines[16], "exited with code 1");
    assert_eq!(lines[17], "exited with code 2 (2 failures)");
    assert_eq!(lines.last().unwrap(), "exited with code 2 (8192 failures)");
    sim.exit("app", 0);
    sim.exit("app", 2);
    assert_eq!(
        texts(&mut sim),
        ["exited with code 2 (9984 failures)", "exited with code 2"],
        "a success begins anew"
    );
}

#[test]
fn another_failure_is_said_at_once_after_what_was_held_back() {
    let mut sim = Sim::new(vec![crashing().without_backoff()]);
    for code in [1, 1, 1, 2, 2, 0, 2] {
        sim.exit("app", code);
    }
    assert_eq!(
        texts(&mut sim),
        [
            "exited with code 1",
            "exited with code 1 (2 times)",
            "exited with code 1 (3 times)",
            "exited with code 2",
            "exited with code 2 (2 times)",
            "exited with code 2",
        ]
    );
}

#[test]
fn runs_of_a_clock_follow_its_beat_and_each_failure_is_logged() {
    let mut sim = Sim::new(vec![job("tick").every(1000)]);
    let starts = starts(&mut sim, "tick", 3500);
    assert_eq!(starts, [0, 1000, 2000, 3000]);
    let record = sim.take_record();
    let failures = record.iter().filter(|line| line.ends_with("with code 1"));
    assert_eq!(failures.count(), 4);
}

#[test]
fn events_during_a_wait_are_not_lost() {
    let mut sim = Sim::new(vec![
        job("app"),
        job("hup").each(Code::Signal, "SIGHUP").restarts(2),
    ]);
    sim.signal(Signal::Hangup);
    sim.exit("hup", 1);
    sim.exit("hup", 1);
    assert!(!sim.is_running("hup"));
    sim.signal(Signal::Hangup);
    assert!(!sim.is_running("hup"), "the restart comes first");
    sim.advance(110);
    sim.exit("hup", 0);
    assert!(sim.is_running("hup"));
    sim.exit("hup", 0);
    assert!(!sim.is_running("hup"));
}

#[test]
fn a_shutdown_does_not_wait_for_a_restart() {
    let hook = job("hook").once(Code::Stopped, "other").forever();
    let mut sim = Sim::new(vec![crashing(), job("other"), hook]);
    sim.exit("other", 0);
    for name in ["app", "hook", "app", "hook"] {
        sim.exit(name, 1);
    }
    assert_eq!(sim.live(), Vec::<String>::new());
    sim.signal(Signal::Terminate);
    sim.expect_done();
    assert_eq!(sim.ms(), 0);
}

#[test]
fn a_reload_changes_the_wait_ends_it_or_leaves_it_alone() {
    let waiting = || {
        let mut sim = Sim::new(vec![crashing(), job("other")]);
        sim.exit("app", 1);
        sim.exit("app", 1);
        assert!(!sim.is_running("app"));
        sim
    };
    let mut sim = waiting();
    sim.reload(vec![crashing(), job("other")]);
    assert!(!sim.is_running("app"));
    sim.advance(110);
    assert!(sim.is_running("app"), "kept");

    let mut sim = waiting();
    sim.reload(vec![crashing().without_backoff(), job("other")]);
    sim.advance(0);
    assert!(sim.is_running("app"), "restarts are at once now");

    let mut sim = waiting();
    sim.reload(vec![crashing().runs("v2"), job("other")]);
    assert!(sim.is_running("app"), "the new one has not failed yet");

    let mut sim = waiting();
    sim.reload(vec![job("app"), job("other")]);
    sim.advance(1000);
    assert!(!sim.is_running("app"), "it may not restart any more");

    let mut sim = waiting();
    sim.reload(vec![job("app").every(1000), job("other")]);
    sim.advance(999);
    assert!(!sim.is_running("app"));
    sim.advance(1);
    assert!(sim.is_running("app"), "the clock says when");

    let mut sim = waiting();
    sim.reload(vec![job("other")]);
    sim.exit("other", 0);
    sim.expect_done();
}
