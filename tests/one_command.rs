//! A command instead of a configuration file: `containerpilot -- COMMAND`, in the place
//! of tini.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test that cannot set up its world must fail loudly"
)]

mod support;

use std::ffi::OsStr;
use std::fs;
use std::io::Write as _;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Stdio;

use support::command::{command, exit_code, wait};
use support::supervisor::Start;
use support::{
    Outcome, Supervisor, Temporary, Terminal, arguments, binary, deadline, namespace, probe,
    processes, run,
};

/// What becomes of a command.
#[track_caller]
fn outcome(words: &[&str]) -> Outcome {
    run(command(binary()).arg("--").args(words))
}

/// What becomes of a script.
#[track_caller]
fn script(text: &str) -> Outcome {
    outcome(&["sh", "-c", text])
}

#[test]
fn the_exit_code_and_the_output_are_the_commands() {
    for (text, code) in [
        ("exit 0", 0),
        ("exit 7", 7),
        ("exit 255", 255),
        ("kill -TERM $$", 128 + libc::SIGTERM),
        ("kill -KILL $$", 128 + libc::SIGKILL),
    ] {
        let ended = script(&format!("echo out; echo err >&2; {text}"));
        let said = (ended.stdout.join("\n"), ended.stderr.join("\n"));
        assert_eq!((ended.code, said), (code, ("out".into(), "err".into())));
    }
}

#[test]
fn a_command_that_cannot_be_executed_is_told_as_shells_do() {
    let directory = Temporary::new();
    let plain = directory.write("plain", "text");
    for (program, code, text) in [
        ("no-such-program", 127, "not found in PATH"),
        ("/no/such/program", 127, "os error 2"),
        (plain.to_str().unwrap(), 126, "not executable"),
        ("/etc", 126, "it is a directory"),
    ] {
        let ended = outcome(&[program, "-v"]);
        let line = ended.error_line();
        assert_eq!((ended.code, ended.stdout.len()), (code, 0), "{ended}");
        assert!(line.contains(text) && line.contains(program), "{line}");
    }
    let empty = outcome(&[""]);
    assert_eq!(empty.code, 1, "{empty}");
    let line = empty.error_line();
    assert!(line.contains("job[main].exec: names no program"), "{line}");
}

#[test]
fn a_directory_of_path_is_searched_whatever_its_name() {
    let directory = Temporary::new();
    let path = directory.join("bin").into_os_string();
    let path = [&path, OsStr::from_bytes(b"\xff")].join(OsStr::new(""));
    fs::create_dir(&path).unwrap();
    symlink(binary(), Path::new(&path).join("program")).unwrap();
    let mut program = command(binary());
    program.args(["--", "program", "--", "/bin/sh", "-c", "exit 6"]);
    assert_eq!(run(program.env("PATH", &path)).code, 6);
}

#[test]
fn the_command_has_the_stdin_the_arguments_and_the_descriptors_that_it_was_given() {
    let mut child = command("sh")
        .args(["-c", r#"exec "$@" 7</etc/hostname"#, "-"])
        .arg(binary())
        .args(["--", "sh", "-c", r#"cat - /proc/self/fd/7; echo "$@""#])
        .args(["-", "-ping", "--", "a  b", "", "$HOME {{ .X }}"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    stdin.write_all(b"line\n").unwrap();
    drop(stdin);
    let output = support::lines::Lines::collect(child.stdout.take().unwrap()).wait_for_end();
    assert_eq!(output.first().unwrap(), "line");
    assert_eq!(output.last().unwrap(), "-ping -- a  b  $HOME {{ .X }}");
    assert_eq!(output.len(), 3, "and a file: {output:?}");
    assert_eq!(exit_code(wait(&mut child, deadline()).unwrap()), 0);
}

#[test]
fn no_file_is_read_and_no_socket_made() {
    let variable = |name| script(&format!("echo \"${name}\"")).success();
    assert_eq!(variable("CONTAINERPILOT_SOCKET"), [""]);
    // One that is set for another supervisor is none of its business.
    let outcome = run(command(binary())
        .args(["--", "true"])
        .env("CONTAINERPILOT", "/no/such/file"));
    assert!(outcome.success().is_empty());
    // A file that is asked for says what to run.
    let outcome = run(command(binary()).args(["-config", "/no/such/file", "--", "true"]));
    assert_eq!((outcome.code, outcome.stderr.len()), (1, 2), "{outcome}");
    let ignoring = "containerpilot: ignoring \"true\" and what follows: ";
    assert!(outcome.stderr[0].starts_with(ignoring), "{outcome}");
}

#[test]
fn its_lines_are_logged_when_a_format_is_given() {
    let mut json = command(binary());
    json.args([
        "-logging",
        "json",
        "--",
        "sh",
        "-c",
        "echo a; echo b >&2; exit 3",
    ]);
    let outcome = run(&mut json);
    assert_eq!((outcome.code, outcome.stderr.len()), (3, 0), "{outcome}");
    for line in [r#""msg":"a""#, r#""msg":"b""#, "with exit code 3"] {
        let is_there = outcome.stdout.iter().any(|shown| shown.contains(line));
        assert!(is_there, "{line}: {outcome}");
    }
}

/// Says when it is told something; ends with 5 when it is told to end. What it has
/// started hears nothing of it.
const LISTENER: &str = r#"
    for signal in HUP QUIT USR1 ALRM URG PROF WINCH INT 40 64; do
        trap "echo $signal >>$FACTS" $signal
    done
    trap 'echo TERM >>$FACTS; exit 5' TERM
    sh -c 'trap "echo overheard >>$FACTS" USR1; trap "echo asked >>$FACTS" USR2
           echo child >>$FACTS; while :; do sleep 1000 & wait; done' &
    trap "echo USR2 >>$FACTS; kill -USR2 $!" USR2
    echo up >>$FACTS
    while :; do wait; done"#;

#[track_caller]
fn expect_all_signals(start: Start) {
    let mut supervisor = start.start();
    supervisor.facts.expect_set(&["child", "up"]);
    for (signal, name) in [
        (libc::SIGHUP, "HUP"),
        (libc::SIGQUIT, "QUIT"),
        (libc::SIGINT, "INT"),
        (libc::SIGUSR1, "USR1"),
        (libc::SIGALRM, "ALRM"),
        (libc::SIGURG, "URG"),
        (libc::SIGPROF, "PROF"),
        (libc::SIGWINCH, "WINCH"),
        (40, "40"),
        (64, "64"),
        (libc::SIGINT, "INT"),
    ] {
        supervisor.signal(signal);
        supervisor.facts.expect(&[name]);
    }
    // A child that had heard of the first would say so first.
    supervisor.signal(libc::SIGUSR2);
    supervisor.facts.expect(&["USR2", "asked"]);
    supervisor.signal(libc::SIGTERM);
    supervisor.facts.expect(&["TERM"]);
    assert_eq!(supervisor.wait_exit(), 5);
    assert!(supervisor.stdout.wait_for_end().is_empty());
    assert!(supervisor.stderr.wait_for_end().is_empty());
}

#[test]
fn every_signal_is_passed_on_to_the_command_alone() {
    expect_all_signals(arguments(&["--", "sh", "-c", LISTENER]));
}

#[test]
fn as_pid_1_every_signal_is_passed_on_too() {
    if namespace::available() {
        expect_all_signals(arguments(&["--", "sh", "-c", LISTENER]).in_namespace());
    }
}

/// Starts orphans, and ends with 7 when it may.
fn orphanage() -> Start {
    let text = "$ORPHANS 1000 3; echo done >>$FACTS; read go <$GATE; exit 7";
    let probe = probe::probe("orphans");
    arguments(&["-socket", "@DIR@/socket", "--", "sh", "-c", text])
        .env("ORPHANS", probe.to_str().unwrap())
}

#[track_caller]
fn expect_reaping(mut supervisor: Supervisor) {
    supervisor.facts.expect(&["done"]);
    let deadline = deadline();
    while !processes::zombies(supervisor.pid()).is_empty() {
        assert!(std::time::Instant::now() < deadline);
        assert_eq!(supervisor.http("GET", "/v3/ping", "").status, 200);
    }
    supervisor.gate.release();
    assert_eq!(supervisor.wait_exit(), 7);
}

#[test]
fn orphans_are_reaped() {
    expect_reaping(orphanage().ready());
}

#[test]
fn as_pid_1_orphans_are_reaped_and_nothing_outlives_the_command() {
    if namespace::available() {
        expect_reaping(orphanage().in_namespace().ready());
        let text = "(exec 9>>$LIFELINE; setsid sleep 1000 & echo up >>$FACTS; wait) & read go <$GATE; exit 7";
        let mut supervisor = arguments(&["--", "sh", "-c", text]).in_namespace().start();
        supervisor.facts.expect(&["up"]);
        supervisor.gate.release();
        assert_eq!(supervisor.wait_exit(), 7);
        supervisor.lifeline.wait_for_end();
    }
}

#[test]
fn with_a_socket_it_is_driven_as_any_other() {
    let text = "echo up $MODE >>$FACTS; exec sleep 1000";
    let arguments = arguments(&["-socket", "@DIR@/socket", "--", "sh", "-c", text]);
    let mut supervisor = arguments.ready();
    supervisor.facts.expect(&["up"]);
    supervisor.client(&["-health", "main"]).success();
    let status = supervisor.client(&["-status"]).success();
    assert!(
        status.iter().any(|line| line.starts_with("main")),
        "{status:?}"
    );
    assert!(
        !status.iter().any(|line| line.starts_with("config")),
        "{status:?}"
    );
    supervisor.client(&["-putenv", "MODE=again"]).success();
    supervisor.client(&["-reload"]).success();
    supervisor.client(&["-restart", "main"]).success();
    supervisor.facts.expect(&["up again"]);
    // Without a command there is nobody to pass it on to.
    supervisor.client(&["-stop", "main"]).success();
    supervisor.signal(libc::SIGTERM);
    assert_eq!(supervisor.wait_exit(), 0);
}

/// The words of a command on a terminal, which is its session's.
fn on_a_terminal(text: &str) -> Terminal {
    let binary = binary();
    Terminal::run(&[
        "setsid",
        "-c",
        binary.to_str().unwrap(),
        "--",
        "sh",
        "-c",
        text,
    ])
}

/// As PID 1, as a container engine starts it.
fn in_a_container(words: &[&str]) -> Terminal {
    let binary = binary();
    let namespace = namespace::arguments();
    let mut all: Vec<&str> = namespace.iter().map(String::as_str).collect();
    all.extend(["setsid", "-c", binary.to_str().unwrap(), "--"]);
    all.extend(words);
    Terminal::run(&all)
}

#[test]
fn the_keys_and_the_window_of_a_terminal_are_the_commands() {
    let mut terminal = on_a_terminal(
        r#"trap 'stty size' WINCH; trap 'echo told; exit 4' INT
           read line; echo "got $line"
           while :; do sleep 1000 & wait; done"#,
    );
    terminal.type_in("hello\n");
    terminal.wait_for("got hello");
    terminal.resize(33, 99);
    terminal.wait_for("33 99");
    terminal.type_in("\x03");
    terminal.wait_for("told");
    assert_eq!(terminal.wait_exit(), 4);
}

/// Says when it runs, and when it goes on.
const SLEEPER: &str =
    "sh -c 'trap \"echo go\"\"es on\" CONT; echo run\"\"ning; while :; do sleep 1000 & wait; done'";

/// What somebody does in a shell that has job control and runs a [`SLEEPER`] by this
/// line; it exits with 9.
#[track_caller]
fn work_in(mut shell: Terminal, line: &str) {
    shell.type_in(line);
    shell.wait_for("running");
    shell.type_in("\x03");
    shell.type_in("echo code $?\n");
    shell.wait_for("code 130");
    shell.type_in(line);
    shell.wait_for("running");
    shell.type_in("\x1a");
    shell.wait_for("Stopped");
    shell.type_in("fg\n");
    // By then it has the terminal.
    shell.wait_for("goes on");
    shell.type_in("\x03");
    shell.type_in("echo code $?\n");
    shell.wait_for("code 130");
    shell.type_in("exit 9\n");
    assert_eq!(shell.wait_exit(), 9);
    assert!(!shell.shown().contains("job control"), "{}", shell.shown());
}

#[test]
fn an_interactive_shell_has_job_control() {
    let binary = binary();
    let command = ["setsid", "-c", binary.to_str().unwrap(), "--", "sh", "-i"];
    work_in(Terminal::run(&command), &format!("{SLEEPER}\n"));
}

#[test]
fn in_a_container_an_interactive_shell_has_job_control() {
    if namespace::available() {
        work_in(in_a_container(&["sh", "-i"]), &format!("{SLEEPER}\n"));
    }
}

#[test]
fn in_a_container_nobody_is_stopped_for_good() {
    if namespace::available() {
        let text =
            r#"trap 'echo goes on; exit 6' CONT; echo up; while :; do sleep 1000 & wait; done"#;
        let mut terminal = in_a_container(&["sh", "-c", text]);
        terminal.wait_for("up");
        terminal.type_in("\x1a");
        terminal.wait_for("goes on");
        assert_eq!(terminal.wait_exit(), 6);
    }
}

/// A shell with job control in which `$C` runs a command.
fn shell() -> Terminal {
    let binary = binary();
    let text = format!("C='{} --'; export C; exec sh -i", binary.display());
    Terminal::run(&["setsid", "-c", "sh", "-c", &text])
}

#[test]
fn under_a_shell_it_stops_and_goes_on_with_the_command() {
    work_in(shell(), &format!("$C {SLEEPER}\n"));
}

#[test]
fn in_the_background_it_leaves_the_terminal_alone_until_it_is_fetched() {
    let mut shell = shell();
    shell.type_in("$C sh -c 'echo run''ning; read line; echo got $line' &\n");
    shell.wait_for("running");
    shell.type_in("echo still he''re\n");
    shell.wait_for("still here");
    // It wants to read, and is stopped for that (128 + SIGTSTP).
    shell.type_in("wait %1; echo code $?\n");
    shell.wait_for("code 148");
    shell.type_in("fg\n");
    shell.wait_for("read line");
    shell.type_in("hello\n");
    shell.wait_for("got hello");
    shell.type_in("exit 9\n");
    assert_eq!(shell.wait_exit(), 9);
}

#[test]
fn the_terminal_is_given_back_in_the_end() {
    let directory = Temporary::new();
    let plain = directory.write("plain", "text");
    for (command, code) in [
        ("true", 0),
        ("no-such-program", 127),
        ("/no/such/program", 127),
        (plain.to_str().unwrap(), 126),
    ] {
        let text = format!(
            "{} -- {command}; echo code $?; read line; echo got $line; exit 3",
            binary().display()
        );
        let mut terminal = Terminal::run(&["setsid", "-c", "sh", "-c", &text]);
        terminal.wait_for(&format!("code {code}"));
        terminal.type_in("hello\n");
        terminal.wait_for("got hello");
        assert_eq!(terminal.wait_exit(), 3);
    }
}

#[test]
fn without_a_terminal_a_command_that_stops_leaves_it_running() {
    let text = "sh -c 'sleep 1000 & echo $! >>$FACTS'; echo $$ >>$FACTS; kill -TSTP $$; exit 3";
    let mut supervisor = arguments(&["--", "sh", "-c", text]).start();
    let mut next_pid = || supervisor.facts.next().parse().unwrap();
    let (orphan, command): (i32, i32) = (next_pid(), next_pid());
    let state_of = |pid| processes::process(pid).map(|process| process.state);
    processes::wait_until("stopping", || state_of(command) == Some('T'));
    // It looks after what has stopped before it reaps.
    processes::signal(orphan, libc::SIGKILL);
    processes::wait_until("reaping", || state_of(orphan).is_none());
    assert_ne!(state_of(supervisor.pid()), Some('T'));
    processes::signal(command, libc::SIGCONT);
    assert_eq!(supervisor.wait_exit(), 3);
}
