//! What an operator sees.

use super::*;

const STATUS: &str = r#"{"supervisor":{"version":"4.0.0","pid":1,"state":"running",
    "started":"2001-09-09T01:46:40.000Z","uptimeSeconds":90061.2,"maintenance":false,
    "config":"/etc/containerpilot.json5","lastReload":null,"consul":null},
  "jobs":[
    {"name":"web","state":"running","since":"x","sinceSeconds":11520.4,"pid":1017,"runs":2,
     "restartsLeft":null,"essential":true,
     "lastExit":{"code":137,"cause":"signal","message":"was killed by signal 9","secondsAgo":11520.9},
     "health":{"status":"healthy","lastCheck":null},"nextStart":null,"address":null,"port":null},
    {"name":"setup","state":"completed","since":"x","sinceSeconds":59.6,"pid":null,"runs":1,
     "restartsLeft":0,"essential":false,"lastExit":{"code":0},"health":null,"nextStart":null}
  ],"watches":[]}"#;

fn plain(width: usize) -> Terminal {
    Terminal::new(width, false)
}

#[track_caller]
fn expect(answer: &str, terminal: &Terminal, expected: &[&str]) {
    let shown = table(answer, terminal);
    assert_eq!(shown.lines().collect::<Vec<_>>(), expected, "\n{shown}");
}

#[test]
fn all_jobs_are_shown_a_line_each() {
    expect(
        STATUS,
        &plain(80),
        &[
            "supervisor   4.0.0, pid 1, up 1d1h",
            "config       /etc/containerpilot.json5",
            "",
            "JOB    STATE      FOR    PID   RUNS  EXIT  HEALTH",
            "web    running    3h12m  1017  2     137   healthy",
            "setup  completed  1m     -     1     0     -",
        ],
    );
}

#[test]
fn a_reload_consul_watches_and_maintenance_are_told() {
    let answer = r#"{"supervisor":{"version":"4.0.0","pid":1,"state":"stopping","uptimeSeconds":1,
        "maintenance":true,"config":"/c",
        "lastReload":{"accepted":false,"secondsAgo":62,"reason":"jobs[0]: no\njobs[1]: no"},
        "consul":{"reachable":false,"sinceSeconds":3,"reason":"refused"}},
        "jobs":[],"watches":[{"name":"db","instances":2},{"name":"mq","instances":null}]}"#;
    expect(
        answer,
        &plain(80),
        &[
            "supervisor   4.0.0, pid 1, up 1s, shutting down",
            "config       /c",
            "reload       refused 1m2s ago: jobs[0]: no jobs[1]: no",
            "consul       unreachable for 3s: refused",
            "watches      db (2), mq (-)",
            "maintenance  nothing is checked or advertised",
            "",
            "There are no jobs.",
        ],
    );
}

/// A job of this name with everything as long as it gets.
fn long(name: &str) -> String {
    format!(
        r#"{{"supervisor":{{"version":"4.0.0","pid":1,"config":"/{}"}},"watches":[],"jobs":[
        {{"name":"{name}","state":"completed","sinceSeconds":86399,"pid":4194304,"runs":123456,
         "lastExit":{{"code":137}},"health":{{"status":"maintenance"}},"nextStart":{{"inSeconds":86399}}}}]}}"#,
        "x".repeat(100)
    )
}

#[test]
fn a_table_fits_the_terminal_and_a_long_name_keeps_both_its_ends() {
    let answer = long("a-very-long-name-of-a-job-that-somebody-generated-worker-17");
    for width in [80, 100, 200] {
        let shown = table(&answer, &plain(width));
        let fits = shown.lines().all(|line| super::width(line) <= width);
        assert!(fits, "{width}:\n{shown}");
    }
    let shown = table(&answer, &plain(80));
    let row = shown.lines().last().unwrap_or_default();
    assert_eq!(
        row,
        "a-very-lon..er-17  completed  23h59m  4194304  123456  137   maintenance  23h59m"
    );
}

#[test]
fn one_job_is_shown_with_all_that_is_known() {
    let answer = r#"{"jobs":[{"name":"web","state":"backoff","since":"2001-09-09T01:46:40.000Z",
        "sinceSeconds":2,"pid":null,"runs":3,"restartsLeft":4,"essential":true,
        "lastExit":{"code":1,"cause":"exit","message":"exited with code 1","secondsAgo":2},
        "health":{"status":"unhealthy","lastCheck":{"passed":false,"secondsAgo":7,
          "tookSeconds":0.012,"reason":"check exited with code 1",
          "output":"no answer from\u001b[31m 127.0.0.1\n\nretry later, or perhaps not at all, as this is a long line\n"}},
        "nextStart":{"at":"x","inSeconds":8},"address":"192.0.2.1","port":80}]}"#;
    expect(
        answer,
        &plain(60),
        &[
            "job          web",
            "state        backoff for 2s, since 2001-09-09T01:46:40.000Z",
            "next start   in 8s",
            "runs         3, 4 restarts left",
            "last exit    exited with code 1 2s ago",
            "health       unhealthy",
            "last check   failed: check exited with code 1 7s ago, took",
            "             12 ms",
            "             no answer from?[31m 127.0.0.1",
            "             retry later, or perhaps not at all, as this is",
            "             a long line",
            "advertised   192.0.2.1 port 80",
            "essential    yes",
        ],
    );
}

#[test]
fn words_are_coloured_where_colours_are_of_use() {
    let shown = table(STATUS, &Terminal::new(80, true));
    assert!(
        shown.contains("web    \x1b[32mrunning\x1b[0m    3h12m"),
        "{shown:?}"
    );
    assert!(shown.ends_with("completed  1m     -     1     0     -"));
    assert!(!table(STATUS, &plain(80)).contains('\x1b'));
}

#[test]
fn times_have_their_two_largest_units() {
    for (seconds, expected) in [
        (0.0, "0s"),
        (0.4, "0s"),
        (59.4, "59s"),
        (60.0, "1m"),
        (61.0, "1m1s"),
        (3600.0, "1h"),
        (3661.0, "1h1m"),
        (86_400.0, "1d"),
        (200_000.0, "2d7h"),
    ] {
        let value = serde_json::json!({ "t": seconds });
        assert_eq!(ago(&value, "t"), expected);
    }
}

#[test]
fn what_cannot_be_read_is_shown_as_it_is() {
    expect("no JSON", &plain(80), &["no JSON"]);
    assert_eq!(names(STATUS), ["web", "setup"]);
    assert_eq!(reasons("the supervisor has ended"), None);
    assert_eq!(
        reasons(r#"{"reasons":["a\u0007b"]}"#),
        Some(vec!["a?b".to_owned()])
    );
}
