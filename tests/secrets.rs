//! Secrets planted wherever a configuration or a client can have them: they reach
//! those whom they are for, and nothing that is logged, answered or printed.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test that cannot set up its world must fail loudly"
)]

mod support;

use support::{Supervisor, jobs};

/// Part of every secret.
const SECRET: &str = "hunter2";

/// The check of a job below.
const CHECK: &str =
    r#"http: { url: "http://127.0.0.1:1/", headers: { Authorization: "Bearer hunter2-header" } }"#;

const JOBS: &str = r#"
    { name: "app", exec: ["sh", "-c", "echo $TOP $DB_PASSWORD $FILE_KEY $API_KEY >>$FACTS; exec sleep 1000", "hunter2-argument"],
      env: { DB_PASSWORD: "hunter2-env" }, envFile: "@DIR@/secrets.env", port: 1,
      interfaces: "static:127.0.0.1",
      health: { http: { url: "http://127.0.0.1:1/", headers: { Authorization: "Bearer hunter2-header" } }, interval: "100ms", ttl: 5 } },
    { name: "missing", exec: ["/no/such/program", "hunter2-argument"] },
    { name: "quoting", exec: "true --password=hunter2-'quote --key=hunter2-`tick" },
    { name: "told", when: { source: "SIGHUP" }, exec: ["sh", "-c", "echo $TOLD_TOKEN >>$FACTS"] },
    { name: "unhealthy", when: { source: "app", once: "unhealthy" }, exec: ["sh", "-c", "echo unhealthy >>$FACTS"] },
"#;

fn supervisor() -> Supervisor {
    let start = jobs(JOBS)
        .setting("logging: { level: 'DEBUG' }")
        .setting("env: { TOP: 'hunter2-top' }")
        .setting("consul: { address: '127.0.0.1:1', token: \"hunter2-{{ .API_KEY }}\" }")
        .env("API_KEY", "hunter2-inherited")
        .env("CONSUL_HTTP_TOKEN", "hunter2-consul");
    start
        .directory()
        .write("secrets.env", "FILE_KEY=hunter2-file\n");
    start.ready()
}

/// Collects what was shown, and where.
#[derive(Default)]
struct Shown(Vec<(String, String)>);

impl Shown {
    fn add(&mut self, place: &str, text: &str) {
        self.0.push((place.to_owned(), text.to_owned()));
    }

    fn request(&mut self, supervisor: &Supervisor, method: &str, path: &str, body: &str) {
        let answer = supervisor.http(method, path, body);
        let place = format!("{method} {path}: {}", answer.status);
        self.add(&place, &answer.body);
    }

    fn client(&mut self, supervisor: &Supervisor, arguments: &[&str]) {
        let outcome = supervisor.client(arguments);
        self.add(&format!("{arguments:?}"), &outcome.to_string());
    }

    /// Everything that tells of the supervisor.
    fn everything(&mut self, supervisor: &Supervisor) {
        for path in [
            "/v3/status",
            "/v3/jobs/app",
            "/v3/jobs/missing",
            "/v3/health",
            "/v3/logs",
        ] {
            self.request(supervisor, "GET", path, "");
        }
        let flags: [&[&str]; 7] = [
            &["-status"],
            &["-status", "app"],
            &["-status", "-json"],
            &["-health"],
            &["-check"],
            &["-graph"],
            &["-reload", "-dry-run"],
        ];
        for flag in flags {
            self.client(supervisor, flag);
        }
    }
}

#[test]
fn no_secret_is_logged_answered_or_printed() {
    let mut supervisor = supervisor();
    supervisor.facts.expect_set(&[
        "hunter2-top hunter2-env hunter2-file hunter2-inherited",
        "unhealthy",
    ]);
    let mut shown = Shown::default();
    shown.everything(&supervisor);
    // Clients that set secrets, well and badly.
    for body in [
        r#"{"TOLD_TOKEN": "hunter2-told"}"#,
        r#"{"TOLD_TOKEN": ["hunter2-list"]}"#,
        r#"{"TOLD_TOKEN": "hunter2-nul\u0000"}"#,
        r#"{"TOLD TOKEN": "hunter2-space"}"#,
        r#"{"TOLD_TOKEN": "hunter2-cut"#,
    ] {
        shown.request(&supervisor, "POST", "/v3/env", body);
    }
    supervisor.signal(libc::SIGHUP);
    supervisor.facts.expect(&["hunter2-told"]);
    // Reloads with other secrets, and with mistakes beside them.
    supervisor.change_config("hunter2-env", "hunter2-another");
    shown.client(&supervisor, &["-reload", "-v"]);
    supervisor
        .facts
        .expect(&["hunter2-top hunter2-another hunter2-file hunter2-inherited"]);
    for (right, wrong) in [
        (
            "token: \"hunter2-{{ .API_KEY }}\"",
            "token: \"hunter2-{{ .API_KEY }}\" oops",
        ),
        (
            "DB_PASSWORD: \"hunter2-another\"",
            "DB_PASSWORD: \"hunter2-another",
        ),
        (
            "headers: { Authorization: \"Bearer hunter2-header\" }",
            "headers: { Authorization: \"Bearer hunter2-header\" ]",
        ),
        (
            "DB_PASSWORD: \"hunter2-another\"",
            "DB_PASSWORD: [\"hunter2-another\"]",
        ),
        ("port: 1,", "port: 'one',"),
        (CHECK, "tcp: 'postgres://me:hunter2-tcp@db:5432'"),
        (CHECK, "http: 'http:/me:hunter2-http@db/'"),
        (CHECK, "unix: 'unix://me:hunter2-unix@db'"),
    ] {
        supervisor.change_config(right, wrong);
        shown.client(&supervisor, &["-reload", "-v"]);
        shown.everything(&supervisor);
        supervisor.change_config(wrong, right);
    }
    supervisor.signal(libc::SIGTERM);
    assert_eq!(supervisor.wait_exit(), 0);
    shown.add("stdout", &supervisor.stdout.wait_for_end().join("\n"));
    shown.add("stderr", &supervisor.stderr.wait_for_end().join("\n"));
    let refused = shown
        .0
        .iter()
        .filter(|(_, text)| text.contains("reload refused"));
    assert!(refused.count() > 0, "the mistakes were noticed");
    let shows = |part: &str| shown.0.iter().any(|(_, text)| text.contains(part));
    assert!(
        shows("token: \"***") && shows("DB_PASSWORD: \"***"),
        "lines are quoted"
    );
    for (place, text) in &shown.0 {
        let line = text.lines().find(|line| line.contains(SECRET));
        assert_eq!(line, None, "{place}");
    }
}
