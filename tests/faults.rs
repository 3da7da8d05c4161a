//! Faults of the world around the supervisor: it says what it misses, and goes on.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test that cannot set up its world must fail loudly"
)]

mod support;

use std::fs;
use std::os::fd::AsRawFd as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::time::Instant;

use support::command::command;
use support::{Supervisor, arguments, jobs, processes, run};

/// A job for each SIGHUP, which fences.
const HUP: &str =
    r#"{ name: "hup", when: { source: "SIGHUP" }, exec: ["sh", "-c", "echo hup >>$FACTS"] },"#;

/// The end of a pseudo terminal that an emulator holds, and the path of the other.
fn terminal() -> (fs::File, String) {
    let keyboard = fs::OpenOptions::new()
        .read(true)
        .write(true)
        .custom_flags(libc::O_NOCTTY)
        .open("/dev/ptmx")
        .unwrap();
    let (mut number, unlocked): (libc::c_uint, libc::c_int) = (0, 0);
    let fd = keyboard.as_raw_fd();
    // SAFETY: the integer lives as long as the call.
    let unlock = unsafe { libc::ioctl(fd, libc::TIOCSPTLCK, &raw const unlocked) };
    // SAFETY: the integer lives as long as the call.
    let number_of = unsafe { libc::ioctl(fd, libc::TIOCGPTN, &raw mut number) };
    assert_eq!((unlock, number_of), (0, 0));
    (keyboard, format!("/dev/pts/{number}"))
}

/// It still runs jobs, answers, and ends in order.
#[track_caller]
fn assert_well(mut supervisor: Supervisor) {
    supervisor.signal(libc::SIGHUP);
    supervisor.facts.expect(&["hup"]);
    assert_eq!(supervisor.http("GET", "/v3/ping", "").body, "ok");
    assert_eq!(supervisor.terminate(), 0);
}

#[test]
fn a_log_on_a_full_disk_costs_lines_and_is_told_when_there_is_room_again() {
    // A file system of 64 KiB that only the supervisor and this test's helper see.
    let script = r#"mount -t tmpfs -o size=64k tmpfs "$DIR/disk" && exec "$@""#;
    let start = jobs(&(HUP.to_owned()
        + r#"{ name: "loud", when: { source: "SIGUSR2" }, exec: ["sh", "-c", "head -c 200000 /dev/zero | tr '\\0' x | fold -w 100; echo loud >>$FACTS; read go <$GATE; echo the end"] },"#))
    .setting("logging: { output: '@DIR@/disk/log' }");
    if run(command("unshare").args(["--mount", "true"])).code != 0 {
        support::skip("no mount namespace can be made (root is needed)");
        return;
    }
    fs::create_dir(start.directory().join("disk")).unwrap();
    let mut supervisor = start
        .through(&["unshare", "--mount", "sh", "-c", script, "sh"])
        .ready();
    let disk = |path: &str| format!("/proc/{}/root{path}", supervisor.pid());
    let log = disk(supervisor.directory().join("disk/log").to_str().unwrap());
    supervisor.signal(libc::SIGUSR2);
    supervisor.facts.expect(&["loud"]);
    assert_eq!(supervisor.http("GET", "/v3/ping", "").body, "ok");
    // What is before its last line is on its way to the file by then. Each look
    // follows a request.
    supervisor.gate.release();
    let deadline = support::deadline();
    let last_line = || supervisor.http("GET", "/v3/logs?job=loud&lines=1", "").body;
    while !last_line().contains("the end") {
        assert!(Instant::now() < deadline, "a line is not logged");
    }
    assert!(fs::metadata(&log).unwrap().len() <= 65536);
    // As a log rotation does: the old file goes, and SIGUSR1 tells.
    fs::remove_file(&log).unwrap();
    supervisor.signal(libc::SIGUSR1);
    supervisor.signal(libc::SIGHUP);
    supervisor.facts.expect(&["hup"]);
    // Whatever is logged next says what has been lost before.
    let on = supervisor.http("POST", "/v3/maintenance/enable", "");
    assert!(on.body.contains("true"));
    assert_eq!(supervisor.http("POST", "/v3/reload", "").status, 200);
    supervisor.signal(libc::SIGHUP);
    supervisor.facts.expect(&["hup"]);
    // Nothing tells from outside that the file is open again.
    let hold = loop {
        assert_eq!(supervisor.http("GET", "/v3/ping", "").body, "ok");
        match fs::File::open(&log) {
            Ok(file) => break file,
            Err(error) => assert!(Instant::now() < deadline, "{error}"),
        }
    };
    assert_eq!(supervisor.terminate(), 0);
    let text = std::io::read_to_string(hold).unwrap();
    assert!(
        text.contains("lost ") && text.contains("os error 28"),
        "{text}"
    );
    assert!(text.contains("shutting down"), "{text}");
}

#[test]
fn a_log_that_takes_nothing_stops_nothing() {
    let supervisor = jobs(HUP)
        .setting("logging: { output: '/dev/full' }")
        .ready();
    assert_well(supervisor);
}

#[test]
fn a_log_file_that_cannot_be_written_to_stops_nothing() {
    // Of a file system without a disk behind it the kernel says the same: EIO.
    // Nothing is at the address at which this one is written to.
    let mut supervisor = jobs(HUP)
        .setting("logging: { output: '/proc/self/mem' }")
        .ready();
    supervisor.signal(libc::SIGHUP);
    supervisor.facts.expect(&["hup"]);
    let log = supervisor.directory().join("log");
    supervisor.change_config("/proc/self/mem", log.to_str().unwrap());
    assert_eq!(supervisor.http("POST", "/v3/reload", "").status, 200);
    assert_eq!(supervisor.terminate(), 0);
    // What has been lost is told in the new place.
    let text = fs::read_to_string(log).unwrap();
    assert!(
        text.contains("lost ") && text.contains("os error 5"),
        "{text}"
    );
}

#[test]
fn a_terminal_that_goes_away_stops_nothing() {
    let (keyboard, screen) = terminal();
    let script = format!("exec \"$@\" >{screen}");
    let mut supervisor = jobs(HUP).through(&["sh", "-c", &script, "sh"]).ready();
    supervisor.signal(libc::SIGHUP);
    supervisor.facts.expect(&["hup"]);
    // Whatever is written to it from now on is EIO.
    drop(keyboard);
    assert_well(supervisor);
}

#[test]
fn a_supervisor_that_is_stopped_goes_on_where_it_was() {
    let mut supervisor = jobs(&(HUP.to_owned()
        + r#"{ name: "quick", exec: ["sh", "-c", "read go <$GATE; echo gone >>$FACTS"] },
             { name: "then", when: { source: "quick", once: "stopped" }, exec: ["sh", "-c", "echo then >>$FACTS"] },"#))
    .ready();
    supervisor.signal(libc::SIGSTOP);
    supervisor.gate.release();
    supervisor.facts.expect(&["gone"]);
    // These wait for it.
    supervisor.signal(libc::SIGHUP);
    supervisor.signal(libc::SIGHUP);
    supervisor.signal(libc::SIGCONT);
    supervisor.facts.expect_set(&["then", "hup"]);
    assert_well(supervisor);
}

#[test]
fn a_child_that_is_stopped_and_goes_on_has_not_ended() {
    let mut supervisor = jobs(&(HUP.to_owned()
        + r#"{ name: "sleeps", exec: ["sh", "-c", "echo pid $$ >>$FACTS; read go <$GATE"] },
             { name: "then", when: { source: "sleeps", once: "exitSuccess" }, exec: ["sh", "-c", "echo then >>$FACTS"] },"#))
    .ready();
    let pid = supervisor.facts.pid("pid");
    for _ in 0..1000 {
        processes::signal(pid, libc::SIGSTOP);
        processes::signal(pid, libc::SIGCONT);
    }
    supervisor.signal(libc::SIGHUP);
    supervisor.facts.expect(&["hup"]);
    supervisor.gate.release();
    supervisor.facts.expect(&["then"]);
    assert_well(supervisor);
}

#[test]
fn a_child_that_is_stopped_is_ended_by_its_timeout_and_by_shutdown() {
    let mut supervisor = jobs(&(HUP.to_owned()
        + r#"{ name: "stops", exec: ["sh", "-c", "echo stops >>$FACTS; kill -STOP $$"], timeout: "300ms" },
             { name: "then", when: { source: "stops", once: "exitFailed" }, exec: ["sh", "-c", "echo then >>$FACTS"] },
             { name: "sleeps", exec: ["sh", "-c", "echo pid $$ >>$FACTS; kill -STOP $$"] },"#))
    .setting("stopTimeout: 1")
    .start();
    let mut facts = Vec::new();
    while facts.len() < 3 {
        facts.push(supervisor.facts.next());
    }
    assert!(facts.contains(&"then".to_owned()), "{facts:?}");
    let pid = facts
        .iter()
        .find_map(|fact| fact.strip_prefix("pid "))
        .unwrap();
    supervisor.wait_until_ready();
    // Stopped, it cannot hear SIGTERM, but SIGKILL needs no ear.
    assert_eq!(supervisor.terminate(), 0);
    assert!(!processes::is_alive(pid.parse().unwrap()));
}

#[test]
fn a_configuration_directory_that_is_gone_is_missed_only_by_a_reload() {
    let main = r#"{
        control: { socket: "@DIR@/socket" },
        include: "conf.d/*.json5",
        jobs: [{ name: "keeper", exec: ["sh", "-c", "echo keeper >>$FACTS; exec sleep 1000"] }],
    }"#;
    let start = arguments(&["-config", "@DIR@/etc/main.json5"]);
    let directory = start.directory().path().to_str().unwrap().to_owned();
    fs::create_dir_all(start.directory().join("etc/conf.d")).unwrap();
    let files = start.directory();
    files.write("etc/main.json5", &main.replace("@DIR@", &directory));
    files.write("etc/conf.d/hup.json5", &format!("{{ jobs: [{HUP}] }}"));
    let (etc, gone) = (files.join("etc"), files.join("gone"));
    let mut supervisor = start.ready();
    supervisor.facts.expect(&["keeper"]);
    for _ in 0..3 {
        fs::rename(&etc, &gone).unwrap();
        let refused = supervisor.http("POST", "/v3/reload", "");
        assert_eq!(refused.status, 422, "{refused:?}");
        let told = refused.body.contains("etc/main.json5");
        assert!(
            told && refused.body.contains("there is no such file"),
            "{refused:?}"
        );
        supervisor.signal(libc::SIGHUP);
        supervisor.facts.expect(&["hup"]);
        fs::rename(&gone, &etc).unwrap();
        assert_eq!(supervisor.http("POST", "/v3/reload", "").status, 200);
    }
    // Whoever runs has not been started again meanwhile.
    assert_well(supervisor);
}

#[test]
fn a_directory_of_included_files_that_is_gone_stops_none_of_their_jobs() {
    let main = r#"{
        control: { socket: "@DIR@/socket" },
        include: ["conf.d/*.json5", "none.d/*.json5"],
        jobs: [{ name: "main", exec: ["sleep", "1000"] }],
    }"#;
    let start = arguments(&["-config", "@DIR@/main.json5"]);
    let files = start.directory();
    let (conf_d, away) = (files.join("conf.d"), files.join("away"));
    fs::create_dir(&conf_d).unwrap();
    let directory = files.path().to_str().unwrap().to_owned();
    files.write("main.json5", &main.replace("@DIR@", &directory));
    let keeper =
        r#"{ name: "keeper", exec: ["sh", "-c", "echo keeper $$ >>$FACTS; exec sleep 1000"] }"#;
    files.write(
        "conf.d/keeper.json5",
        &format!("{{ jobs: [{keeper}, {HUP}] }}"),
    );
    let mut supervisor = start.ready();
    let keeper = supervisor.facts.pid("keeper");
    let socket = supervisor.socket().to_str().unwrap().to_owned();
    let lost = format!("cannot look into {conf_d:?}: there is no such file, but what runs has");
    for _ in 0..3 {
        fs::rename(&conf_d, &away).unwrap();
        for dry_run in [&["-dry-run"] as &[&str], &[]] {
            let refused = supervisor.client(&[&["-socket", &socket, "-reload"], dry_run].concat());
            assert_eq!(refused.code, 1, "{refused}");
            let told = refused.stderr.join("\n");
            assert!(
                told.contains("include[0]: ") && told.contains(&lost),
                "{told}"
            );
        }
        supervisor.signal(libc::SIGHUP);
        supervisor.facts.expect(&["hup"]);
        fs::rename(&away, &conf_d).unwrap();
        assert_eq!(supervisor.http("POST", "/v3/reload", "").status, 200);
    }
    assert!(processes::is_alive(keeper));
    // Whoever means it says so.
    fs::remove_dir_all(&conf_d).unwrap();
    fs::create_dir(&conf_d).unwrap();
    assert_eq!(supervisor.http("POST", "/v3/reload", "").status, 200);
    processes::wait_for_death(keeper);
    fs::remove_dir(&conf_d).unwrap();
    assert_eq!(supervisor.http("POST", "/v3/reload", "").status, 200);
    assert_eq!(supervisor.terminate(), 0);
}

#[test]
fn a_configuration_file_that_is_gone_is_missed_only_by_a_reload() {
    let supervisor = jobs(HUP).ready();
    let moved = supervisor.config().with_extension("moved");
    fs::rename(supervisor.config(), &moved).unwrap();
    let refused = supervisor.http("POST", "/v3/reload", "");
    assert_eq!(refused.status, 422);
    assert!(
        refused.body.contains("there is no such file"),
        "{refused:?}"
    );
    fs::rename(moved, supervisor.config()).unwrap();
    assert_eq!(supervisor.http("POST", "/v3/reload", "").status, 200);
    assert_well(supervisor);
}

#[test]
fn a_storm_of_signals_is_weathered() {
    const SIGNALS: u32 = 100_000;
    let mut supervisor = jobs(
        r#"{ name: "each", when: { source: "SIGHUP" }, exec: "true" },
           { name: "app", exec: ["sleep", "1000"] }"#,
    )
    .setting("logging: { output: '@DIR@/log' }")
    .ready();
    let pid = supervisor.pid();
    let before = processes::status_field(pid, "VmRSS");
    let begin = Instant::now();
    // SIGHUP starts a run each time, SIGUSR1 opens the log again.
    for signal in [libc::SIGCHLD, libc::SIGUSR1, libc::SIGUSR2, libc::SIGHUP] {
        for _ in 0..SIGNALS {
            processes::signal(pid, signal);
        }
    }
    assert_eq!(supervisor.http("GET", "/v3/ping", "").body, "ok");
    let took = begin.elapsed();
    let after = processes::status_field(pid, "VmRSS");
    println!("4 x {SIGNALS} signals in {took:?}; {before} KiB before, {after} after");
    assert!(after < before + 4096, "{before} KiB, then {after}");
    assert_eq!(supervisor.terminate(), 0);
}

#[test]
fn without_proc_jobs_run_all_the_same() {
    if run(command("unshare").args(["--mount", "true"])).code != 0 {
        support::skip("no mount namespace can be made (root is needed)");
        return;
    }
    let hidden = r#"mount -t tmpfs tmpfs /proc && exec "$@""#;
    let supervisor = jobs(HUP)
        .through(&["unshare", "--mount", "sh", "-c", hidden, "sh"])
        .ready();
    assert_well(supervisor);
}

#[test]
fn ten_thousand_short_runs_a_minute_leave_nothing_behind() {
    const CLOCKS: usize = 20;
    const RUNS: usize = 1000;
    let clocks = (0..CLOCKS).map(|number| {
        format!(
            "{{ name: \"clock{number}\", when: {{ interval: \"100ms\" }}, timeout: \"30s\", exec: [\"sh\", \"-c\", \"echo tick >>$FACTS\"] }},\n"
        )
    });
    let mut supervisor = jobs(&clocks.collect::<String>()).ready();
    let pid = supervisor.pid();
    let mut resident = Vec::new();
    let begin = Instant::now();
    for _ in 0..3 {
        supervisor.facts.expect(&["tick"; RUNS]);
        resident.push(processes::status_field(pid, "VmRSS"));
    }
    let rate = 3.0 * RUNS as f64 * 60.0 / begin.elapsed().as_secs_f64();
    println!("{rate:.0} runs a minute; resident KiB {resident:?}");
    assert!(resident[2] <= resident[0] + 2048, "{resident:?}");
    assert_eq!(supervisor.http("GET", "/v3/ping", "").body, "ok");
    assert_eq!(supervisor.terminate(), 0);
    assert_eq!(processes::zombies(pid), []);
}
