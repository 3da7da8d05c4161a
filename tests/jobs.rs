//! The page on jobs and events: when jobs start, what they are given, how their
//! runs follow each other and end.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test that cannot set up its world must fail loudly"
)]

mod support;

use support::jobs;
use support::{processes, programs};

#[test]
fn jobs_run_in_the_order_of_their_events() {
    let mut supervisor = jobs(
        r#"{ name: "last", when: { source: "main", once: "exitSuccess" }, exec: ["sh", "-c", "echo last >>$FACTS"] },
           { name: "main", when: { source: "setup", once: "exitSuccess" }, exec: ["sh", "-c", "echo main >>$FACTS"] },
           { name: "never", when: { source: "setup", once: "exitFailed" }, exec: ["sh", "-c", "echo never >>$FACTS"] },
           { name: "setup", exec: ["sh", "-c", "echo setup >>$FACTS"] },
           { name: "stop-never", when: { source: "last", once: "exitSuccess" },
             exec: ["sh", "-c", 'echo stop >>$FACTS; kill -TERM "$CONTAINERPILOT_PID"'] }"#,
    )
    .start();
    supervisor.facts.expect(&["setup", "main", "last", "stop"]);
    assert_eq!(supervisor.wait_exit(), 0);
    assert_eq!(supervisor.facts.rest(), Vec::<String>::new());
}

#[test]
fn the_supervisor_ends_when_every_job_is_complete() {
    let mut supervisor =
        jobs(r#"{ name: "a", exec: "true" }, { name: "b", exec: "false" }"#).start();
    assert_eq!(supervisor.wait_exit(), 0);
}

#[test]
fn without_any_job_it_says_so_and_ends() {
    let mut supervisor = jobs("").start();
    assert_eq!(supervisor.wait_exit(), 0);
    assert_ne!(supervisor.stdout.wait_for_end(), Vec::<String>::new());
}

#[test]
fn restarts_count_the_runs_after_the_first() {
    for (restarts, runs) in [("0", 1), ("3", 4), ("'2'", 3), ("'never'", 1)] {
        let job = format!(
            r#"{{ name: "a", exec: ["sh", "-c", "echo run >>$FACTS"], restarts: {restarts} }}"#
        );
        let mut supervisor = jobs(&job).start();
        assert_eq!(supervisor.wait_exit(), 0);
        assert_eq!(
            supervisor.facts.rest(),
            vec!["run"; runs],
            "restarts: {restarts}"
        );
    }
}

#[test]
fn unlimited_restarts_go_on_until_shutdown() {
    let mut supervisor =
        jobs(r#"{ name: "a", exec: ["sh", "-c", "echo run >>$FACTS"], restarts: "unlimited" }"#)
            .start();
    for _ in 0..100 {
        supervisor.facts.expect(&["run"]);
    }
    assert_eq!(supervisor.terminate(), 0);
}

#[test]
fn each_starts_one_run_for_every_event_even_of_those_during_a_run() {
    let mut supervisor = jobs(
        r#"{ name: "source", exec: "true", restarts: 9 },
           { name: "each", when: { source: "source", each: "exitSuccess" },
             exec: ["sh", "-c", "echo run >>$FACTS; read go <$GATE"] },
           { name: "keeper", exec: ["sleep", "1000"] }"#,
    )
    .start();
    for _ in 0..10 {
        supervisor.facts.expect(&["run"]);
        supervisor.gate.release();
    }
    assert_eq!(supervisor.terminate(), 0);
    assert_eq!(
        supervisor.facts.rest(),
        Vec::<String>::new(),
        "ten events, ten runs"
    );
}

#[test]
fn there_are_never_two_processes_of_one_job() {
    let mut supervisor = jobs(
        r#"{ name: "a", when: { interval: "10ms" }, timeout: "30s",
             exec: ["sh", "-c", "mkdir $DIR/lock || echo overlap >>$FACTS; echo run >>$FACTS; rmdir $DIR/lock"] }"#,
    )
    .start();
    for _ in 0..50 {
        supervisor.facts.expect(&["run"]);
    }
    assert_eq!(supervisor.terminate(), 0);
}

#[test]
fn an_interval_with_a_number_of_restarts_ends() {
    let mut supervisor = jobs(
        r#"{ name: "a", when: { interval: "20ms" }, restarts: 2, timeout: "30s",
             exec: ["sh", "-c", "echo run >>$FACTS"] }"#,
    )
    .start();
    assert_eq!(supervisor.wait_exit(), 0);
    assert_eq!(supervisor.facts.rest(), ["run"; 3]);
}

#[test]
fn a_job_that_waits_in_vain_completes_with_timer_expired() {
    let mut supervisor = jobs(
        r#"{ name: "quiet", exec: ["sleep", "1000"] },
           { name: "waits", when: { source: "quiet", once: "exitSuccess", timeout: "50ms" },
             exec: ["sh", "-c", "echo never >>$FACTS"] },
           { name: "notices", when: { source: "waits", once: "timerExpired" },
             exec: ["sh", "-c", "echo expired >>$FACTS"] },
           { name: "sees-it-end", when: { source: "waits", once: "stopped" },
             exec: ["sh", "-c", "echo stopped >>$FACTS"] }"#,
    )
    .start();
    supervisor.facts.expect_set(&["expired", "stopped"]);
    assert_eq!(supervisor.terminate(), 0);
}

#[test]
fn signals_run_the_jobs_that_wait_for_them_each_time() {
    let mut supervisor = jobs(
        r#"{ name: "hup", when: { source: "SIGHUP" }, exec: ["sh", "-c", "echo hup >>$FACTS"] },
           { name: "usr2", when: { source: "SIGUSR2" }, exec: ["sh", "-c", "echo usr2 >>$FACTS"] }"#,
    )
    .ready();
    for _ in 0..3 {
        supervisor.signal(libc::SIGHUP);
        supervisor.facts.expect(&["hup"]);
        supervisor.signal(libc::SIGUSR2);
        supervisor.facts.expect(&["usr2"]);
    }
    assert_eq!(supervisor.terminate(), 0);
}

#[test]
fn a_timeout_kills_the_whole_process_group_and_fails_the_run() {
    let mut supervisor = jobs(
        r#"{ name: "a", timeout: "200ms", exec: ["sh", "-c",
             "exec 9>>$LIFELINE; trap '' TERM; sleep 1000 & echo child $! >>$FACTS; wait; sleep 1000"] },
           { name: "failed", when: { source: "a", once: "exitFailed" },
             exec: ["sh", "-c", "echo failed >>$FACTS"] }"#,
    )
    .start();
    let child = supervisor.facts.pid("child");
    supervisor.facts.expect(&["failed"]);
    supervisor.lifeline.wait_for_end();
    processes::wait_for_death(child);
    assert_eq!(supervisor.wait_exit(), 0);
    let log = supervisor.stdout.wait_for_end().join("\n");
    assert!(
        log.contains("timeout") || log.contains("timed out"),
        "{log}"
    );
}

#[test]
fn what_is_left_of_a_jobs_group_dies_with_it() {
    let mut supervisor = jobs(
        r#"{ name: "a", exec: ["sh", "-c",
             "exec 9>>$LIFELINE; sleep 1000 >/dev/null 2>&1 & echo left $! >>$FACTS"] },
           { name: "keeper", exec: ["sleep", "1000"] }"#,
    )
    .start();
    supervisor.facts.pid("left");
    supervisor.lifeline.wait_for_end();
    supervisor.assert_running();
}

#[test]
fn what_the_last_run_has_left_dies_with_a_job_that_rests_between_two_runs() {
    let daemon = "exec 9>>$LIFELINE; sleep 1000 >/dev/null 2>&1 & echo left >>$FACTS";
    let jobs = jobs(&format!(
        r#"{{ name: "hourly", exec: ["sh", "-c", "{daemon}"], when: {{ interval: "1h" }} }},
           {{ name: "failing", exec: ["sh", "-c", "mkdir $DIR/tried && exit 1; {daemon}; exit 1"],
             restarts: "unlimited", backoff: {{ initial: "1h", max: "1h" }} }},
           {{ name: "keeper", exec: ["sleep", "1000"] }}"#,
    ));
    let mut supervisor = jobs.ready();
    supervisor.facts.expect(&["left", "left"]);
    let rest = ["-wait", "hourly=idle", "-wait", "failing=backoff"];
    supervisor.client(&rest).success();
    assert!(supervisor.lifeline.is_held());
    supervisor
        .client(&["-stop", "hourly", "-stop", "failing"])
        .success();
    supervisor.lifeline.wait_for_end();
    supervisor.client(&["-start", "hourly"]).success();
    supervisor.facts.expect(&["left"]);
    supervisor.client(&["-wait", "hourly=idle"]).success();
    assert!(supervisor.lifeline.is_held());
    assert_eq!(supervisor.terminate(), 0);
    supervisor.lifeline.wait_for_end();
}

#[test]
fn a_grandchild_that_holds_the_pipe_delays_nothing_and_is_still_logged() {
    let mut supervisor = jobs(
        r#"{ name: "a", exec: ["sh", "-c",
             "mkfifo $DIR/away; setsid sh -c 'echo away >$DIR/away; read go <$GATE; echo from the grandchild' & read word <$DIR/away"] },
           { name: "b", when: { source: "a", once: "stopped" }, exec: ["sh", "-c", "echo next >>$FACTS"] },
           { name: "keeper", exec: ["sleep", "1000"] }"#,
    )
    .start();
    supervisor.facts.expect(&["next"]);
    supervisor.gate.release();
    supervisor.stdout.wait_for("from the grandchild");
}

#[test]
fn what_cannot_be_started_is_told_and_counts_as_failed() {
    let cases = [
        ("no such file", "/no/such/program", "No such file"),
        (
            "not in the path",
            "no-such-program-anywhere",
            "not found in PATH",
        ),
        ("not executable", "@DIR@/plain", "Permission denied"),
        ("a directory", "/tmp", "Permission denied"),
        ("bad interpreter", "@DIR@/bad-interpreter", "No such file"),
        ("no known format", "@DIR@/garbage", "Exec format"),
    ];
    for (name, program, reason) in cases {
        let start = jobs(&format!(
            r#"{{ name: "a", exec: "{program}" }},
               {{ name: "b", when: {{ source: "a", once: "exitFailed" }}, exec: ["sh", "-c", "echo failed >>$FACTS"] }}"#
        ));
        let directory = start.directory();
        directory.write("plain", "x");
        for (file, text) in [
            ("bad-interpreter", "#!/no/such/shell\n"),
            ("garbage", "\u{1}\u{2}x"),
        ] {
            let draft = directory.write("draft", text);
            programs::install(&draft, &directory.join(file));
        }
        let program = program.replace("@DIR@", directory.path().to_str().unwrap());
        let mut supervisor = start.start();
        supervisor.facts.expect(&["failed"]);
        assert_eq!(supervisor.wait_exit(), 0, "{name}");
        let log = supervisor.stdout.wait_for_end();
        let told = |line: &String| line.contains(&program) && line.contains(reason);
        assert!(
            log.iter().any(told),
            "{name}: {program:?} and {reason:?} expected: {log:#?}"
        );
    }
}

#[test]
fn an_argument_list_that_is_too_long_is_told_and_counts_as_failed() {
    // More in all than the kernel takes under any limit on stacks, 6 MiB (execve(2));
    // none of them too long by itself, which would be refused before.
    let words = format!(r#""{}", "#, "x".repeat(100_000)).repeat(70);
    let mut supervisor = jobs(&format!(
        r#"{{ name: "a", exec: ["true", {words}] }},
           {{ name: "b", when: {{ source: "a", once: "exitFailed" }}, exec: ["sh", "-c", "echo failed >>$FACTS"] }}"#,
    ))
    .start();
    supervisor.facts.expect(&["failed"]);
    assert_eq!(supervisor.wait_exit(), 0);
    supervisor.stdout.wait_for("Argument list too long");
}

/// What a job prints that runs `exec`.
fn output(exec: &str) -> Vec<String> {
    let mut supervisor = jobs(&format!(
        r#"{{ name: "a", exec: {exec}, logging: {{ raw: true }} }}"#
    ))
    .through(&["sh", "-c", "exec 7</dev/null 8>&1; exec \"$@\"", "sh"])
    .start();
    assert_eq!(supervisor.wait_exit(), 0);
    supervisor.stdout.wait_for_end()
}

#[test]
fn an_exec_string_is_split_at_spaces_and_nothing_else() {
    let lines = output(r#""echo  a 'b c'   $HOME *""#);
    assert!(lines.contains(&"a 'b c' $HOME *".to_owned()), "{lines:#?}");
}

#[test]
fn a_run_leads_a_process_group_with_nothing_on_stdin_and_no_descriptor_too_many() {
    let lines = output(
        r#"["sh", "-c", 'read -r _ _ _ _ group _ </proc/$$/stat; [ $group = $$ ] && echo leader; readlink /proc/$$/fd/0']"#,
    );
    assert!(lines.contains(&"leader".to_owned()), "{lines:#?}");
    assert!(lines.contains(&"/dev/null".to_owned()), "{lines:#?}");
    // 3 is the directory that ls reads.
    let lines = output(r#"["ls", "/proc/self/fd"]"#);
    let is_number = |line: &&String| line.parse::<u32>().is_ok();
    let open: Vec<_> = lines.iter().filter(is_number).collect();
    assert_eq!(open, ["0", "1", "2", "3"]);
}

#[test]
fn a_run_has_no_signal_blocked_or_ignored_whatever_the_supervisor_inherited() {
    let mut supervisor =
        jobs(r#"{ name: "a", exec: ["cat", "/proc/self/status"], logging: { raw: true } }"#)
            .through(&[
                "sh",
                "-c",
                "trap '' HUP INT TERM USR1 CHLD; exec \"$@\"",
                "sh",
            ])
            .start();
    assert_eq!(supervisor.wait_exit(), 0);
    let lines = supervisor.stdout.wait_for_end();
    for field in ["SigBlk", "SigIgn", "SigCgt"] {
        let value = lines
            .iter()
            .find_map(|line| line.strip_prefix(field))
            .unwrap();
        let set = u64::from_str_radix(value.trim_start_matches(':').trim(), 16).unwrap();
        // From 32 on: the C library's own, which it sets aside for itself.
        assert_eq!(set & 0x7fff_ffff, 0, "{field} {set:x}");
    }
}

#[test]
fn a_supervisor_that_inherited_blocked_signals_obeys_them_and_its_runs_have_none_blocked() {
    let mut supervisor = jobs(
        r#"{ name: "a", exec: ["sh", "-c", "grep SigBlk /proc/self/status >>$FACTS; exec sleep 1000"] }"#,
    )
    .through(&["env", "--block-signal=HUP,INT,TERM,CHLD"])
    .start();
    supervisor.facts.expect(&["SigBlk:\t0000000000000000"]);
    assert_eq!(supervisor.terminate(), 0);
}

#[test]
fn a_supervisor_that_inherited_ignored_signals_obeys_them_all_the_same() {
    let mut supervisor =
        jobs(r#"{ name: "a", exec: ["sh", "-c", "echo up >>$FACTS; exec sleep 1000"] }"#)
            .through(&[
                "sh",
                "-c",
                "trap '' HUP INT TERM USR1 CHLD; exec \"$@\"",
                "sh",
            ])
            .start();
    supervisor.facts.expect(&["up"]);
    assert_eq!(supervisor.terminate(), 0);
}

#[test]
fn a_run_is_told_whose_child_it_is_and_where_to_talk() {
    let mut supervisor = jobs(
        r#"{ name: "my-app", exec: ["sh", "-c", "echo pid $$ >>$FACTS; read go <$GATE"] },
           { name: "ended", when: { source: "my-app", once: "exitSuccess" }, exec: ["sh", "-c", "echo ended >>$FACTS"] },
           { name: "asks", when: { source: "SIGHUP" }, exec: ["sh", "-c",
             'echo "$CONTAINERPILOT_PID $CONTAINERPILOT_SOCKET ${CONTAINERPILOT_MY_APP_PID-none} ${CONTAINERPILOT_ASKS_PID-none}" >>$FACTS'] }"#,
    )
    .ready();
    let app = supervisor.facts.pid("pid");
    let pid = supervisor.pid();
    let socket = supervisor.socket().display().to_string();
    supervisor.signal(libc::SIGHUP);
    supervisor
        .facts
        .expect(&[&format!("{pid} {socket} {app} none")]);
    supervisor.gate.release();
    supervisor.facts.expect(&["ended"]);
    supervisor.signal(libc::SIGHUP);
    supervisor
        .facts
        .expect(&[&format!("{pid} {socket} none none")]);
}

#[test]
fn jobs_of_the_same_name_all_answer_to_it() {
    let mut supervisor = jobs(
        r#"{ name: "twin", exec: ["sh", "-c", "echo one >>$FACTS"] },
           { name: "twin", exec: ["sh", "-c", "echo two >>$FACTS"] },
           { name: "each", when: { source: "twin", each: "exitSuccess" }, exec: ["sh", "-c", "echo seen >>$FACTS"] },
           { name: "keeper", exec: ["sleep", "1000"] }"#,
    )
    .start();
    supervisor.facts.expect_set(&["one", "two", "seen", "seen"]);
    assert_eq!(supervisor.terminate(), 0);
    assert!(
        supervisor
            .stdout
            .wait_for_end()
            .iter()
            .any(|line| line.contains("twin")),
        "a warning"
    );
}

#[test]
fn a_run_is_told_the_addresses_of_advertised_jobs() {
    let mut supervisor = jobs(
        r#"{ name: "my-web", port: 80, interfaces: ["static:192.0.2.7"], exec: ["sleep", "1000"],
             health: { exec: "false", interval: 60, ttl: 90 } },
           { name: "asks", exec: ["sh", "-c", 'echo "$CONTAINERPILOT_MY_WEB_IP" >>$FACTS'] }"#,
    )
    .setting(r#"consul: "127.0.0.1:1""#)
    .start();
    supervisor.facts.expect(&["192.0.2.7"]);
    assert_eq!(supervisor.terminate(), 0);
}

#[test]
fn bytes_of_the_environment_that_are_no_text_reach_the_runs_unchanged() {
    let mut supervisor =
        jobs(r#"{ name: "asks", exec: ["sh", "-c", 'printf %s "$ODD" | od -An -tx1 >>$FACTS'] }"#)
            .through(&["sh", "-c", "ODD=$(printf 'a\\377b') exec \"$@\"", "sh"])
            .start();
    supervisor.facts.expect(&[" 61 ff 62"]);
}
