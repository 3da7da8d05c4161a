//! One small configuration and what each kind of change makes of it.

use std::net::IpAddr;
use std::time::Duration;

use super::specs::job;
use crate::config::{JobSpec, ServiceSpec};
use crate::event::Code;

/// Where [`configs`] has the configuration without the job `a`, and the one where
/// it has another process.
pub(super) const WITHOUT: usize = 1;
pub(super) const REPLACED: usize = 2;

/// The configurations: a job, what runs before it stops, and what runs after it
/// has succeeded; and what each kind of change makes of them.
pub(super) fn configs() -> Vec<Vec<JobSpec>> {
    let a = || job("a").restarts(2);
    let (b, c) = (|| job("b").once(Code::ExitSuccess, "a"), || job("c"));
    let pre = || job("pre").once(Code::Stopping, "a");
    let checked = || a().checked_every(500, 700);
    let with = |a: JobSpec| vec![a, pre(), b()];
    vec![
        with(a()),
        vec![pre(), b()],
        with(a().runs("v2")),
        // A key of each class.
        with(a().forever()),
        with(a().without_backoff()),
        with(a().essential()),
        with(a().timeout(300)),
        with(a().stop_timeout(100).kill_timeout(200)),
        with(a().stops_on(libc::SIGINT)),
        with(checked()),
        with(a().checked_every(300, 100).restarts_after(1)),
        with(listed(checked(), 80)),
        with(listed(checked(), 81)),
        with(a().without_exec().checked_every(500, 700)),
        // What starts it.
        with(a().each(Code::Signal, "SIGHUP")),
        with(a().every(400)),
        vec![c(), a().once(Code::ExitSuccess, "c"), pre(), b()],
        vec![
            c(),
            a().once(Code::ExitSuccess, "c").waits_at_most(300),
            b(),
        ],
        // Renamed, reordered, duplicated.
        vec![job("z").runs("a").restarts(2), pre(), b()],
        vec![b(), pre(), a()],
        vec![a(), a().runs("v2"), pre(), b()],
        vec![a(), a()],
        // What depends on it.
        vec![a(), b()],
        vec![a(), pre().runs("v2"), b()],
        vec![a(), job("post").once(Code::Stopped, "a"), b()],
        vec![a(), pre(), job("b").once(Code::ExitFailed, "a")],
        vec![a(), pre(), job("b").once(Code::ExitSuccess, "c"), c()],
        vec![a(), pre(), job("b").each(Code::ExitFailed, "a")],
        vec![
            c(),
            a(),
            pre(),
            job("b").all(&[(Code::ExitSuccess, "a"), (Code::ExitSuccess, "c")]),
        ],
        vec![
            c(),
            a(),
            pre(),
            job("b").any(&[
                (true, Code::ExitFailed, "a"),
                (false, Code::Signal, "SIGHUP"),
            ]),
        ],
        vec![c()],
        vec![],
    ]
}

fn listed(mut job: JobSpec, port: u16) -> JobSpec {
    job.service = Some(ServiceSpec {
        id: "a-here".to_owned(),
        name: "a".into(),
        address: IpAddr::from([10, 0, 0, 1]),
        port,
        tags: Vec::new(),
        ttl: Duration::from_secs(10),
        initial_status: None,
        enable_tag_override: false,
        deregister_critical_after: None,
    });
    job
}
