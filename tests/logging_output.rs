//! The manual on logging, seen from outside: formats, levels, outputs, and that
//! no line of a job is lost and no reader can stall the supervisor.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test that cannot set up its world must fail loudly"
)]

mod support;

use std::fs;
use std::time::Instant;

use support::{jobs, processes};

/// Whether this is a time as `2026-01-02T03:04:05.123456789Z` has it.
fn is_time(text: &str) -> bool {
    let shape: String = text
        .chars()
        .map(|c| if c.is_ascii_digit() { '9' } else { c })
        .collect();
    let Some(rest) = shape.strip_prefix("9999-99-99T99:99:99") else {
        return false;
    };
    let zone = rest.trim_start_matches('.').trim_start_matches('9');
    zone == "Z" || zone == "+99:99" || zone == "-99:99"
}

#[test]
fn the_default_format_is_time_job_pid_message() {
    let mut supervisor =
        jobs(r#"{ name: "app", exec: ["sh", "-c", "echo pid $$ >>$FACTS; echo 'two  words'"] }"#)
            .start();
    let pid = supervisor.facts.pid("pid");
    let line = supervisor.stdout.wait_for("two  words");
    let (time, rest) = line.split_once(' ').unwrap();
    assert!(is_time(time), "{time}");
    assert_eq!(rest, format!("app {pid} two  words"));
}

#[test]
fn the_text_format_is_that_of_logrus() {
    let mut supervisor = jobs(r#"{ name: "app", exec: ["sh", "-c", "echo pid $$ >>$FACTS; echo 'he said \"no\"'; echo plain"] }"#)
        .setting("logging: { format: 'text' }")
        .start();
    let pid = supervisor.facts.pid("pid");
    let line = supervisor.stdout.wait_for("he said");
    let rest = line.strip_prefix("time=\"").unwrap();
    let (time, rest) = rest.split_once('"').unwrap();
    assert!(is_time(time), "{time}");
    assert_eq!(
        rest,
        format!(r#" level=info msg="he said \"no\"" job=app pid={pid}"#)
    );
    let line = supervisor.stdout.wait_for("plain");
    assert!(
        line.ends_with(&format!(" level=info msg=plain job=app pid={pid}")),
        "{line}"
    );
}

#[test]
fn the_json_format_is_one_object_a_line_with_sorted_keys() {
    let mut supervisor = jobs(r#"{ name: "app", exec: ["sh", "-c", "echo pid $$ >>$FACTS; printf 'a \"b\" \\\\ \\t c\\n'"] }"#)
        .setting("logging: { format: 'json' }")
        .start();
    let pid = supervisor.facts.pid("pid");
    let line = supervisor.stdout.wait_for("\"job\":\"app\"");
    let expected =
        format!(r#"{{"job":"app","level":"info","msg":"a \"b\" \\ \t c","pid":{pid},"time":""#);
    let rest = line
        .strip_prefix(&expected)
        .unwrap_or_else(|| panic!("{expected} expected: {line}"));
    assert!(is_time(rest.strip_suffix("\"}").unwrap()), "{rest}");
    supervisor.wait_exit();
    for line in supervisor.stdout.wait_for_end() {
        serde_json::from_str::<serde_json::Value>(&line).unwrap();
    }
}

#[test]
fn both_streams_are_logged_and_a_last_line_without_newline_too() {
    let mut supervisor = jobs(
        r#"{ name: "out", exec: ["sh", "-c", "echo from stdout; echo from stderr >&2; printf unfinished"] }"#,
    )
    .start();
    assert_eq!(supervisor.wait_exit(), 0);
    let log = supervisor.stdout.wait_for_end().join("\n");
    for part in ["from stdout", "from stderr", "unfinished"] {
        assert!(log.contains(part), "{part:?} expected: {log}");
    }
}

#[test]
fn no_line_is_lost_or_out_of_order_even_at_the_very_end() {
    let mut supervisor = jobs(
        r#"{ name: "many", exec: ["sh", "-c", "trap 'seq 20001 30000; exit 0' TERM; seq 1 20000; sleep 1000 & echo up >>$FACTS; wait"] }"#,
    )
    .setting("stopTimeout: 30")
    .start();
    supervisor.facts.expect(&["up"]);
    assert_eq!(supervisor.terminate(), 0);
    let lines = supervisor.stdout.wait_for_end();
    let numbers: Vec<u32> = lines
        .iter()
        .filter(|line| line.contains(" many "))
        .filter_map(|line| line.rsplit(' ').next()?.parse().ok())
        .collect();
    let expected: Vec<u32> = (1..=30000).collect();
    assert!(numbers == expected, "{} lines of 30000", numbers.len());
}

#[test]
fn invalid_utf_8_stops_nothing() {
    let mut supervisor =
        jobs(r#"{ name: "odd", exec: ["sh", "-c", "printf 'a\\377b\\n'; echo after"] }"#).start();
    supervisor.stdout.wait_for("odd");
    supervisor.stdout.wait_for("after");
    assert_eq!(supervisor.wait_exit(), 0);
}

#[test]
fn lines_over_64_kib_are_split_and_nothing_of_them_is_lost() {
    let mut supervisor = jobs(
        r#"{ name: "long", exec: ["sh", "-c", "head -c 200000 /dev/zero | tr '\\0' x; echo; echo short"] }"#,
    )
    .start();
    assert_eq!(supervisor.wait_exit(), 0);
    let lines = supervisor.stdout.wait_for_end();
    let pieces: Vec<usize> = lines
        .iter()
        .filter(|line| line.ends_with("xx"))
        .map(|line| line.chars().filter(|c| *c == 'x').count())
        .collect();
    assert_eq!(pieces.iter().sum::<usize>(), 200_000, "{pieces:?}");
    assert!(
        pieces.len() > 1 && pieces.iter().all(|piece| *piece <= 64 * 1024),
        "{pieces:?}"
    );
    assert!(lines.iter().any(|line| line.ends_with(" short")));
}

#[test]
fn a_raw_job_writes_to_the_streams_of_the_supervisor_itself() {
    let mut supervisor = jobs(
        r#"{ name: "raw", logging: { raw: true }, exec: ["sh", "-c", "echo plain; echo broken >&2"] }"#,
    )
    .start();
    assert_eq!(supervisor.wait_exit(), 0);
    assert!(
        supervisor
            .stdout
            .wait_for_end()
            .contains(&"plain".to_owned())
    );
    assert!(
        supervisor
            .stderr
            .wait_for_end()
            .contains(&"broken".to_owned())
    );
}

#[test]
fn the_level_decides_what_is_logged() {
    let job = r#"{ name: "app", exec: ["echo", "info from the job"] }, { name: "bad", exec: "/no/such/file" }"#;
    let log = |level: &str| {
        let mut supervisor = jobs(job)
            .setting(&format!("logging: {{ level: '{level}' }}"))
            .start();
        assert_eq!(supervisor.wait_exit(), 0);
        supervisor.stdout.wait_for_end().join("\n")
    };
    assert!(log("DEBUG").contains("{ExitSuccess, app}"));
    let info = log("INFO");
    assert!(
        info.contains("info from the job") && !info.contains("{ExitSuccess, app}"),
        "{info}"
    );
    let error = log("ERROR");
    assert!(
        !error.contains("info from the job") && error.contains("/no/such/file"),
        "{error}"
    );
    assert_eq!(log("FATAL"), "");
}

#[test]
fn the_output_can_be_stderr() {
    let mut supervisor = jobs(r#"{ name: "app", exec: ["echo", "hello there"] }"#)
        .setting("logging: { output: 'stderr' }")
        .start();
    supervisor.stderr.wait_for("hello there");
    assert_eq!(supervisor.wait_exit(), 0);
    assert_eq!(supervisor.stdout.wait_for_end(), Vec::<String>::new());
}

#[test]
fn a_file_is_opened_again_on_sigusr1() {
    let mut supervisor = jobs(
        r#"{ name: "hup", when: { source: "SIGHUP" }, exec: ["sh", "-c", "echo line $(cat $DIR/n); echo logged >>$FACTS"] },
           { name: "after", when: { source: "hup", each: "exitSuccess" }, exec: ["sh", "-c", "echo after >>$FACTS"] }"#,
    )
    .setting("logging: { output: '@DIR@/log' }")
    .start();
    let log = supervisor.directory().join("log");
    let old = supervisor.directory().join("log.1");
    supervisor.directory().write("n", "one");
    supervisor.wait_until_ready();
    supervisor.signal(libc::SIGHUP);
    supervisor.facts.expect(&["logged", "after"]);
    // What a job prints may be written after its end. Each look follows a request.
    let deadline = support::deadline();
    while !fs::read_to_string(&log).unwrap().contains("line one") {
        assert!(Instant::now() < deadline, "nothing is logged");
        assert_eq!(supervisor.http("GET", "/v3/ping", "").body, "ok");
    }
    fs::rename(&log, &old).unwrap();
    supervisor.directory().write("n", "two");
    supervisor.signal(libc::SIGUSR1);
    // The kernel delivers the lower one of two signals first.
    while !log.exists() {
        assert!(Instant::now() < deadline, "no new file");
        assert_eq!(supervisor.http("GET", "/v3/ping", "").body, "ok");
    }
    supervisor.signal(libc::SIGHUP);
    supervisor.facts.expect(&["logged", "after"]);
    assert_eq!(supervisor.terminate(), 0);
    let (old, new) = (
        fs::read_to_string(old).unwrap(),
        fs::read_to_string(log).unwrap(),
    );
    assert!(
        old.contains("line one") && !old.contains("line two"),
        "{old}"
    );
    assert!(
        new.contains("line two") && !new.contains("line one"),
        "{new}"
    );
    assert_eq!(supervisor.stdout.wait_for_end(), Vec::<String>::new());
}

#[test]
fn a_stalled_reader_stalls_only_who_writes() {
    let mut supervisor = jobs(
        r#"{ name: "flood", exec: ["sh", "-c", "echo pid $$ >>$FACTS; exec yes something that fills every buffer there is"] },
           { name: "quiet", when: { interval: "20ms" }, exec: ["sh", "-c", "echo quiet >>$FACTS"] }"#,
    )
    .setting("stopTimeout: 20")
    .with_stalled_stdout()
    .ready();
    supervisor.facts.until("quiet");
    for round in 0..50 {
        assert_eq!(supervisor.http("GET", "/v3/ping", "").body, "ok", "{round}");
        supervisor.facts.until("quiet");
    }
    let memory = processes::status_field(supervisor.pid(), "VmRSS");
    assert!(memory < 64 * 1024, "{memory} KiB are not bounded");
    let word = supervisor.http("POST", "/v3/maintenance/enable", "");
    assert_eq!(word.status, 200);
    assert_eq!(supervisor.terminate(), 0);
}

#[test]
fn a_reader_that_has_gone_away_ends_nothing() {
    let mut supervisor = jobs(
        r#"{ name: "talk", when: { interval: "10ms" }, exec: ["sh", "-c", "echo words; echo said >>$FACTS"] }"#,
    )
    .with_stalled_stdout()
    .ready();
    supervisor.close_stdout();
    supervisor.facts.expect(&["said"; 20]);
    assert_eq!(supervisor.http("GET", "/v3/ping", "").body, "ok");
    assert_eq!(supervisor.terminate(), 0);
}

/// A name, as a file has it, that begins a line, steers a terminal and ends quotes.
const ODD: &str = r#"a\nb\u001b[31m\"\u0007\u009b"#;

#[test]
fn no_name_begins_a_line_or_steers_a_terminal() {
    let odd = format!(
        r#"{{ name: "{ODD}", exec: ["sleep", "1000"], health: {{ exec: "true", interval: 1, ttl: 5 }} }},
           {{ name: "gone{ODD}", exec: ["/does/not/exist"], essential: true, when: {{ source: "{ODD}", once: "healthy" }} }}"#
    );
    let mut supervisor = jobs(&odd).setting("logging: { level: 'DEBUG' }").start();
    supervisor.stdout.wait_for("shutting down with exit code");
    assert_eq!(supervisor.wait_exit(), 127);
    let shown = r#"a\nb\u{1b}[31m"\u{7}\u{9b}"#;
    let lines = supervisor.stdout.wait_for_end();
    for line in &lines {
        let (time, rest) = line.split_once(' ').unwrap();
        assert!(
            is_time(time) && !rest.contains(char::is_control),
            "{line:?}"
        );
    }
    for told in [
        format!("{shown} started with pid"),
        format!("event: {{StatusHealthy, {shown}}}"),
        format!("gone{shown} could not be started"),
        format!("essential job gone{shown} is complete"),
    ] {
        assert!(lines.iter().any(|line| line.contains(&told)), "{told}");
    }
}

#[test]
fn clients_show_an_odd_name_on_one_line() {
    let odd = format!(r#"{{ name: "{ODD}", exec: ["sleep", "1000"] }}"#);
    let mut supervisor = jobs(&odd).ready();
    let reply = supervisor.client(&["-reload", "-v"]);
    for words in [&["-status"][..], &["-health"], &["-graph"], &["-check"]] {
        let outcome = supervisor.client(words);
        let printed = outcome.stdout.iter().chain(&outcome.stderr);
        let is_odd = |line: &&String| line.contains(char::is_control);
        assert_eq!(printed.filter(is_odd).count(), 0, "{outcome}");
    }
    assert_eq!(
        reply.success()[0],
        r#"keep job[a\nb\u{1b}[31m"\u{7}\u{9b}]"#
    );
    assert_eq!(supervisor.terminate(), 0);
}
