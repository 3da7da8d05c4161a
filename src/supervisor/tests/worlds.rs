//! Every short schedule of small worlds: whatever happens in whatever order,
//! the supervisor keeps its promises.

use super::specs::job;
use super::world::{World, walk};
use crate::event::{Code, GLOBAL};

#[test]
fn every_short_schedule_of_small_worlds_keeps_the_promises() {
    let worlds = [
        vec![
            job("a").restarts(1).timeout(300),
            job("b").once(Code::ExitFailed, "a"),
        ],
        vec![
            job("a").checked_every(1000, 700).forever(),
            job("hup").each(Code::Signal, "SIGHUP"),
        ],
        vec![
            job("a").timeout(900).kill_timeout(600),
            job("pre").once(Code::Stopping, "a").timeout(400),
            job("post").once(Code::Stopped, "a"),
        ],
        vec![
            job("tick").every(200),
            job("b").once(Code::ExitFailed, "tick").waits_at_most(500),
        ],
        vec![
            job("a").checked_every(1000, 2000),
            job("b").each(Code::Unhealthy, "a"),
            job("last").once(Code::Shutdown, GLOBAL),
        ],
        vec![
            job("a").once(Code::Stopped, "b").stop_timeout(100),
            job("b").once(Code::Stopping, "a"),
            job("m").each(Code::EnterMaintenance, GLOBAL),
        ],
        vec![
            job("hup").each(Code::Signal, "SIGHUP").timeout(250),
            job("b").each(Code::ExitFailed, "hup"),
        ],
        vec![
            job("a").probed_every(1000, 2500).forever(),
            job("b").once(Code::Healthy, "a"),
        ],
    ];
    let worlds = worlds.into_iter().map(|jobs| World::new(vec![jobs]));
    let schedules: u32 = worlds.map(|world| walk(&world, 6)).sum();
    println!("{schedules} schedules");
    assert!(schedules >= 100_000, "only {schedules} schedules");
}

#[test]
fn every_short_schedule_of_failures_keeps_the_promises() {
    let worlds = [
        (
            6,
            vec![
                job("a").essential().restarts(2).timeout(300),
                job("b").essential().once(Code::ExitFailed, "a"),
                job("pre").once(Code::Stopping, "a"),
            ],
        ),
        (
            5,
            vec![
                job("a")
                    .checked_every(1000, 700)
                    .forever()
                    .restarts_after(1),
                job("pre").once(Code::Stopping, "a"),
            ],
        ),
        (
            7,
            vec![job("a").probed_every(1000, 700).forever().restarts_after(1)],
        ),
        (
            6,
            vec![
                job("a").forever(),
                job("post").once(Code::Stopped, "a").restarts(2),
            ],
        ),
    ];
    let worlds = worlds
        .into_iter()
        .map(|(depth, jobs)| (World::new(vec![jobs]), depth));
    let schedules: u32 = worlds.map(|(world, depth)| walk(&world, depth)).sum();
    println!("{schedules} schedules");
    assert!(schedules >= 10_000, "only {schedules} schedules");
}

#[test]
fn every_short_schedule_of_conditions_keeps_the_promises() {
    let each = true;
    let a_and_b = [(Code::ExitSuccess, "a"), (Code::ExitFailed, "b")];
    let ends = |code| [(code, "a"), (code, "b")];
    let worlds = [
        (
            5,
            vec![
                job("a").restarts(1),
                job("b"),
                job("all").all(&a_and_b).waits_at_most(500),
            ],
        ),
        (
            6,
            vec![
                job("a").restarts(1).timeout(300),
                job("any").any(&[
                    (!each, Code::ExitFailed, "a"),
                    (each, Code::ExitSuccess, "a"),
                    (each, Code::Signal, "SIGHUP"),
                ]),
            ],
        ),
        (
            5,
            vec![
                job("a"),
                job("b").timeout(400),
                job("pre").all(&ends(Code::Stopping)),
                job("post").all(&[
                    (Code::Stopped, "a"),
                    (Code::ExitFailed, "b"),
                    (Code::Signal, "SIGHUP"),
                ]),
            ],
        ),
        (
            5,
            vec![
                job("a"),
                job("b").once(Code::Signal, "SIGHUP"),
                job("pre").any(&ends(Code::Stopping).map(|(code, name)| (!each, code, name))),
                job("post").any(&[
                    (!each, Code::Stopped, "a"),
                    (!each, Code::ExitSuccess, "b"),
                    (!each, Code::Shutdown, GLOBAL),
                ]),
            ],
        ),
    ];
    let worlds = worlds
        .into_iter()
        .map(|(depth, jobs)| (World::new(vec![jobs]), depth));
    let schedules: u32 = worlds.map(|(world, depth)| walk(&world, depth)).sum();
    println!("{schedules} schedules");
    assert!(schedules >= 10_000, "only {schedules} schedules");
}

#[test]
fn every_short_schedule_with_reloads_keeps_the_promises() {
    let pre = || job("pre").once(Code::Stopping, "a");
    let worlds = [
        // Changed process, changed rest, removed, hooks that come and go.
        vec![
            vec![job("a").forever().kill_timeout(200), pre()],
            vec![job("a").runs("v2").forever(), pre()],
            vec![job("a").restarts(1).timeout(300)],
            vec![pre()],
        ],
        // Another condition, renamed, reordered.
        vec![
            vec![job("a"), job("b").once(Code::ExitSuccess, "a")],
            vec![job("b").once(Code::ExitFailed, "a"), job("a")],
            vec![job("a"), job("c").each(Code::ExitSuccess, "a")],
            vec![job("b").every(200), job("d").runs("v2")],
        ],
        // One condition, all of several, any of them.
        vec![
            vec![job("a"), job("b").once(Code::ExitSuccess, "a")],
            vec![
                job("a"),
                job("b").all(&[(Code::ExitSuccess, "a"), (Code::Signal, "SIGHUP")]),
            ],
            vec![
                job("a").runs("v2"),
                job("b").any(&[(false, Code::Stopped, "a"), (true, Code::Signal, "SIGHUP")]),
            ],
            vec![
                job("a"),
                job("b").all(&[(Code::Stopping, "a"), (Code::ExitFailed, "a")]),
            ],
        ],
        // Health checks and clocks that come and go.
        vec![
            vec![job("a").checked_every(500, 700)],
            vec![job("a").probed_every(300, 100).forever()],
            vec![job("a").every(400)],
            vec![
                job("a").each(Code::Unhealthy, "a").stop_timeout(50),
                job("post").once(Code::Stopped, "a"),
            ],
        ],
    ];
    let worlds = worlds.into_iter().map(World::new);
    let schedules: u32 = worlds.map(|world| walk(&world, 5)).sum();
    println!("{schedules} schedules");
    assert!(schedules >= 30_000, "only {schedules} schedules");
}
