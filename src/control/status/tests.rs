//! What the answers look like.

use super::*;
use crate::event::Code;

/// 2001-09-09T01:46:40Z on both clocks.
fn beginning() -> (Instant, Clock) {
    let start = Instant::now();
    (start, Clock::at(start, 1_000_000_000_000))
}

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn job(since: Instant) -> JobStatus {
    JobStatus {
        name: "app".into(),
        state: State::Waiting,
        since,
        pid: None,
        runs: 0,
        restarts_left: Some(0),
        essential: false,
        waits_for: None,
        last_exit: None,
        health: None,
        next_start: None,
        address: None,
    }
}

/// The lines of an object, a key on each, as one line.
fn one_line(lines: &[&str]) -> String {
    lines.concat() + "\n"
}

#[test]
fn a_job_that_nothing_is_known_of_yet_has_all_its_keys() {
    let (start, clock) = beginning();
    let expected = one_line(&[
        r#"{"jobs":[{"name":"app","state":"waiting","#,
        r#""since":"2001-09-09T01:46:40.000Z","sinceSeconds":1.500,"#,
        r#""pid":null,"runs":0,"restartsLeft":0,"essential":false,"waitsFor":null,"#,
        r#""lastExit":null,"health":null,"nextStart":null,"address":null,"port":null}]}"#,
    ]);
    let now = start + Duration::from_millis(1500);
    assert_eq!(jobs_to_json(now, &[job(start)], &clock), expected);
}

#[test]
fn a_job_tells_all_that_is_known_of_it() {
    let (start, clock) = beginning();
    let at = start + seconds(50);
    let output = Tail::default();
    output.push(b"a\nb\n");
    let job = JobStatus {
        name: "a \"b\"\n".into(),
        state: State::BackingOff,
        pid: Some(17),
        runs: 3,
        restarts_left: None,
        essential: true,
        waits_for: Some(WaitsFor {
            all: true,
            events: vec![
                Event::new(Code::Healthy, "db"),
                Event::new(Code::Signal, "SIGHUP"),
            ],
        }),
        last_exit: Some(LastExit {
            at,
            code: 137,
            cause: Cause::Timeout,
            message: "took too long, was killed by signal 9".to_owned(),
        }),
        health: Some(HealthStatus {
            status: "unhealthy",
            last_check: Some(CheckStatus {
                at,
                took: Duration::from_millis(12),
                result: Err("check exited with code 1".to_owned()),
                output: Some(output),
            }),
        }),
        next_start: Some(start + seconds(61)),
        address: Some((IpAddr::from([192, 0, 2, 1]), 80)),
        ..job(start)
    };
    let expected = one_line(&[
        r#"{"jobs":[{"name":"a \"b\"\n","state":"backoff","#,
        r#""since":"2001-09-09T01:46:40.000Z","sinceSeconds":60.000,"#,
        r#""pid":17,"runs":3,"restartsLeft":null,"essential":true,"#,
        r#""waitsFor":{"all":true,"events":[{"code":"healthy","source":"db"},"#,
        r#"{"code":"signal","source":"SIGHUP"}]},"#,
        r#""lastExit":{"code":137,"cause":"timeout","message":"took too long, was killed by signal 9","#,
        r#""at":"2001-09-09T01:47:30.000Z","secondsAgo":10.000},"#,
        r#""health":{"status":"unhealthy","lastCheck":{"passed":false,"#,
        r#""at":"2001-09-09T01:47:30.000Z","secondsAgo":10.000,"tookSeconds":0.012,"#,
        r#""reason":"check exited with code 1","output":"a\nb"}},"#,
        r#""nextStart":{"at":"2001-09-09T01:47:41.000Z","inSeconds":1.000},"#,
        r#""address":"192.0.2.1","port":80}]}"#,
    ]);
    assert_eq!(jobs_to_json(start + seconds(60), &[job], &clock), expected);
}

#[test]
fn the_supervisor_tells_what_has_become_of_it() {
    let (start, clock) = beginning();
    let refused = Told {
        at: start + seconds(30),
        result: Err("jobs[0]: no".to_owned()),
    };
    let reachable = Told {
        at: start + seconds(59),
        result: Ok(()),
    };
    let status = Status {
        now: start + seconds(60),
        supervisor: SupervisorStatus {
            version: "4.0.0",
            pid: 1,
            started: start,
            is_shutting_down: false,
            maintenance: true,
            config: Some("/etc/containerpilot.json5".into()),
            last_reload: Some(refused),
            consul: Some(Some(reachable)),
        },
        jobs: Vec::new(),
        watches: vec![WatchStatus {
            name: "db".to_owned(),
            instances: Some(2),
        }],
    };
    let expected = one_line(&[
        r#"{"supervisor":{"version":"4.0.0","pid":1,"state":"running","#,
        r#""started":"2001-09-09T01:46:40.000Z","uptimeSeconds":60.000,"maintenance":true,"#,
        r#""config":"/etc/containerpilot.json5","#,
        r#""lastReload":{"accepted":false,"at":"2001-09-09T01:47:10.000Z","secondsAgo":30.000,"#,
        r#""reason":"jobs[0]: no"},"#,
        r#""consul":{"reachable":true,"since":"2001-09-09T01:47:39.000Z","sinceSeconds":1.000,"#,
        r#""reason":null}},"#,
        r#""jobs":[],"watches":[{"name":"db","instances":2}]}"#,
    ]);
    assert_eq!(status.to_json(&clock), expected);
    let mut status = status;
    status.supervisor.is_shutting_down = true;
    status.supervisor.last_reload = None;
    status.supervisor.consul = Some(None);
    status.watches.clear();
    let expected = one_line(&[
        r#"{"supervisor":{"version":"4.0.0","pid":1,"state":"stopping","#,
        r#""started":"2001-09-09T01:46:40.000Z","uptimeSeconds":60.000,"maintenance":true,"#,
        r#""config":"/etc/containerpilot.json5","lastReload":null,"#,
        r#""consul":{"reachable":null}},"jobs":[],"watches":[]}"#,
    ]);
    assert_eq!(status.to_json(&clock), expected);
}

#[test]
fn health_names_everything_that_is_not_well() {
    let healthy = "{\"healthy\":true,\"reasons\":[]}\n";
    assert_eq!(health_to_json(&[]), healthy);
    let reasons = ["app is unhealthy".to_owned(), "db is \"so\"".to_owned()];
    let expected = r#"{"healthy":false,"reasons":["app is unhealthy","db is \"so\""]}"#;
    assert_eq!(health_to_json(&reasons), format!("{expected}\n"));
}
