//! The manual on users, limits and environments: what `/proc` says of a job's
//! process is what its configuration asked for, or nothing runs.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test that cannot set up its world must fail loudly"
)]

mod support;

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use support::{NOBODY, Start, Supervisor, is_root, jobs, namespace, processes, programs, skip};

/// Whether jobs can be started as others. If not, says so, and fails in continuous
/// integration.
fn may_change_users() -> bool {
    if !is_root() {
        skip("only root can start jobs as other users");
    }
    is_root()
}

/// A process as `/proc` has it.
struct Seen(i32);

impl Seen {
    /// The process that has logged a line which ends so: it does nothing more.
    fn by_line(supervisor: &Supervisor, line: &str) -> Self {
        let line = supervisor.stdout.wait_for(line);
        let mut words = line.split(' ').skip(2);
        Self(words.next().unwrap().parse().unwrap())
    }

    fn file(&self, name: &str) -> String {
        let bytes = fs::read(format!("/proc/{}/{name}", self.0)).unwrap();
        String::from_utf8(bytes).unwrap().trim_end().to_owned()
    }

    /// A field of `status`.
    fn status(&self, field: &str) -> String {
        let status = self.file("status");
        let mut lines = status.lines();
        let value = lines.find_map(|line| line.strip_prefix(field)?.strip_prefix(':'));
        let words: Vec<&str> = value.unwrap().split_whitespace().collect();
        words.join(" ")
    }

    /// A line of `limits`: the soft and the hard bound.
    fn limit(&self, name: &str) -> String {
        let limits = self.file("limits");
        let line = limits.lines().find(|line| line.starts_with(name)).unwrap();
        let mut words = line[name.len()..].split_whitespace();
        format!("{} {}", words.next().unwrap(), words.next().unwrap())
    }

    fn environment(&self) -> BTreeMap<String, String> {
        let environ = self.file("environ");
        let variables = environ.split('\0').filter_map(|line| line.split_once('='));
        variables
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect()
    }

    fn link(&self, name: &str) -> String {
        let target = fs::read_link(format!("/proc/{}/{name}", self.0)).unwrap();
        target.to_str().unwrap().to_owned()
    }

    /// Its open descriptors.
    fn descriptors(&self) -> Vec<String> {
        let entries = fs::read_dir(format!("/proc/{}/fd", self.0)).unwrap();
        let mut names: Vec<String> = entries
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    /// The nice value.
    fn nice(&self) -> i32 {
        // SAFETY: getpriority takes integers alone.
        unsafe { libc::getpriority(libc::PRIO_PROCESS, self.0.cast_unsigned()) }
    }
}

/// Fails unless a process is as every job is started.
#[track_caller]
fn assert_clean(seen: &Seen, supervisor: &Supervisor) {
    // Until then the signal by which it stops is pending.
    let state = || processes::process(seen.0).map(|process| process.state);
    processes::wait_until("stopping", || state() == Some('T'));
    let process = processes::process(seen.0).unwrap();
    assert_eq!(process.group, seen.0, "leads a group of its own");
    assert_eq!(process.parent, supervisor.pid(), "is its child");
    assert_eq!(seen.descriptors(), ["0", "1", "2"]);
    assert_eq!(seen.link("fd/0"), "/dev/null");
    for set in ["SigBlk", "SigIgn", "SigPnd", "ShdPnd"] {
        assert_eq!(seen.status(set), "0000000000000000", "{set}");
    }
}

/// Tells that it runs and changes no more: a program that is being executed, or
/// has libraries to open, would look different from one moment to the next.
const STILL: &str = r#"exec: ["sh", "-c", "echo runs; kill -STOP $$"], stopSignal: "KILL""#;

/// A job that can be looked at.
fn lasting(settings: &str) -> Start {
    jobs(&format!(r#"{{ name: "a", {STILL}, {settings} }}"#))
}

#[test]
fn a_process_has_all_that_is_asked_for() {
    if !may_change_users() {
        return;
    }
    let start = lasting(
        r#"user: "65534:65533", groups: [7, 65532], cwd: "/usr", umask: "0027", nice: 7,
        oomScoreAdj: 321, limits: { nofile: [100, 200], core: 0, stack: [1048576, "unlimited"] },
        noNewPrivileges: true, env: { OWN: "o", BOTH: "o", NONE: null }, envFile: "secrets.env""#,
    );
    start.directory().write("secrets.env", "FILE=f\nBOTH=f\n");
    let mut supervisor = start
        .setting(r#"env: { COMMON: "c", NONE: "c", BOTH: "c" }"#)
        .env("HOME", "/root")
        .env("USER", "root")
        .ready();
    let seen = Seen::by_line(&supervisor, " runs");
    assert_clean(&seen, &supervisor);
    for (field, value) in [
        ("Uid", "65534 65534 65534 65534"),
        ("Gid", "65533 65533 65533 65533"),
        ("Groups", "7 65532"),
        ("NoNewPrivs", "1"),
        ("Umask", "0027"),
        ("CapInh", "0000000000000000"),
        ("CapPrm", "0000000000000000"),
        ("CapEff", "0000000000000000"),
        ("CapAmb", "0000000000000000"),
    ] {
        assert_eq!(seen.status(field), value, "{field}");
    }
    assert_eq!(seen.link("cwd"), "/usr");
    assert_eq!(seen.file("oom_score_adj"), "321");
    assert_eq!(seen.nice(), 7);
    assert_eq!(seen.limit("Max open files"), "100 200");
    assert_eq!(seen.limit("Max core file size"), "0 0");
    assert_eq!(seen.limit("Max stack size"), "1048576 unlimited");
    let command = ["sh", "-c", "echo runs; kill -STOP $$", ""].join("\0");
    assert_eq!(seen.file("cmdline"), command);
    let environment = seen.environment();
    let value = |name: &str| environment.get(name).map(String::as_str);
    for (name, expected) in [
        ("COMMON", Some("c")),
        ("FILE", Some("f")),
        ("BOTH", Some("o")),
        ("OWN", Some("o")),
        ("NONE", None),
    ] {
        assert_eq!(value(name), expected, "{name}");
    }
    let pid = supervisor.pid().to_string();
    assert_eq!(value("CONTAINERPILOT_PID"), Some(pid.as_str()));
    // What is left of this user's account, if it has one, is not the supervisor's.
    assert_ne!(value("USER"), Some("root"));
    assert_ne!(value("HOME"), Some("/root"));
    assert_eq!(supervisor.terminate(), 0);
}

#[test]
fn the_init_of_a_namespace_starts_jobs_as_others() {
    if !may_change_users() || !namespace::available() {
        return;
    }
    let mut supervisor = lasting(r#"user: "65534:65533", noNewPrivileges: true, cwd: "/""#)
        .in_namespace()
        .ready();
    supervisor.stdout.wait_for(" runs");
    let children = processes::children(supervisor.pid());
    let seen = Seen(children.first().unwrap().pid);
    assert_clean(&seen, &supervisor);
    assert_eq!(seen.status("Uid"), "65534 65534 65534 65534");
    assert_eq!(seen.status("Groups"), "65533");
    assert_eq!(seen.status("NoNewPrivs"), "1");
    assert_eq!(supervisor.terminate(), 0);
}

#[test]
fn a_user_has_the_groups_and_the_home_of_its_account() {
    if !may_change_users() {
        return;
    }
    let mut supervisor = lasting(r#"user: "root:65533""#)
        .env("HOME", "/elsewhere")
        .ready();
    let seen = Seen::by_line(&supervisor, " runs");
    assert_eq!(seen.status("Uid"), "0 0 0 0");
    assert_eq!(seen.status("Gid"), "65533 65533 65533 65533");
    assert!(seen.status("Groups").split(' ').any(|gid| gid == "65533"));
    let environment = seen.environment();
    assert_eq!(environment["USER"], "root");
    assert_eq!(environment["LOGNAME"], "root");
    assert_ne!(environment["HOME"], "/elsewhere");
    assert_eq!(supervisor.terminate(), 0);
}

#[test]
fn an_ordinary_user_may_name_itself_and_restrict_its_jobs() {
    // SAFETY: geteuid only reads a property of this process.
    let own = unsafe { libc::geteuid() };
    let user = if is_root() { 65534 } else { own };
    let start = lasting(&format!(
        r#"user: "{user}", cwd: "/", nice: 19, oomScoreAdj: 1000,
        limits: {{ nofile: 64, core: 0 }}, noNewPrivileges: true"#
    ));
    let mut supervisor = start.unprivileged().ready();
    let seen = Seen::by_line(&supervisor, " runs");
    assert_clean(&seen, &supervisor);
    assert_eq!(seen.status("Uid"), format!("{user} {user} {user} {user}"));
    assert_eq!(seen.limit("Max open files"), "64 64");
    assert_eq!(seen.nice(), 19);
    assert_eq!(seen.status("NoNewPrivs"), "1");
    assert_eq!(supervisor.terminate(), 0);
}

/// How the only job of a supervisor of an ordinary user could not be started, and
/// what that ended with.
fn refused(settings: &str) -> (String, i32) {
    let start = jobs(&format!(r#"{{ name: "a", essential: true, {settings} }}"#));
    let mut words = vec!["sh", "-c", "ulimit -n 100; exec \"$@\"", "sh"];
    if is_root() {
        words.extend(NOBODY);
    }
    let mut supervisor = start.unprivileged().through(&words).start();
    let line = supervisor.stdout.wait_for("could not be started: ");
    let (_, why) = line.split_once("could not be started: ").unwrap();
    (why.to_owned(), supervisor.wait_exit())
}

#[test]
fn what_an_ordinary_user_may_not_do_fails_the_run_and_names_the_setting() {
    for (settings, why) in [
        (
            r#"exec: "true", user: "0:0", groups: [0, 1]"#,
            "cannot apply \"groups\" (the groups [0, 1]) (the supervisor is not root, or \
             lacks CAP_SETUID and CAP_SETGID): ",
        ),
        (
            r#"exec: "true", nice: -20"#,
            "cannot apply \"nice\" (-20) (only root, with CAP_SYS_NICE, may lower it): ",
        ),
        (
            r#"exec: "true", oomScoreAdj: -1000"#,
            "cannot apply \"oomScoreAdj\" (-1000) (only root, with CAP_SYS_RESOURCE, may lower it): ",
        ),
        (
            r#"exec: "true", limits: { nofile: [50, 200] }"#,
            "cannot apply \"limits.nofile\" ([50, 200]) (only root, with CAP_SYS_RESOURCE, may raise \
             a hard bound): ",
        ),
        (
            r#"exec: "true", cwd: "/no/such""#,
            "cannot apply \"cwd\" (\"/no/such\"): ",
        ),
        (
            r#"exec: "true", cwd: "/etc/passwd""#,
            "cannot apply \"cwd\" (\"/etc/passwd\"): ",
        ),
    ] {
        let (told, code) = refused(settings);
        assert!(told.starts_with(why), "{settings}: {told}");
        assert!(told.contains("(os error "), "{told}");
        assert_eq!(code, 126, "{settings}");
    }
}

#[test]
fn what_can_not_be_executed_is_told_as_without_a_context() {
    for (exec, code) in [
        (r#""no-such-program""#, 127),
        (r#""/no/such/program""#, 127),
        (r#""./no-such-program""#, 127),
        (r#""/etc/passwd""#, 126),
        (r#""/etc""#, 126),
        (r#""@DIR@/script""#, 127),
        (r#""@DIR@/neither""#, 126),
    ] {
        let told = |settings: &str| {
            let start = jobs(&format!(
                r#"{{ name: "a", essential: true, exec: {exec} {settings} }}"#
            ));
            for (name, text) in [("script", "#!/no/such/shell\n"), ("neither", "text\n")] {
                let draft = start.directory().write("draft", text);
                programs::install(&draft, &start.directory().join(name));
            }
            let directory = start.directory().path().to_str().unwrap().to_owned();
            let mut supervisor = start.start();
            let line = supervisor.stdout.wait_for("could not be started: ");
            assert_eq!(supervisor.wait_exit(), code, "{exec} {settings}");
            let (_, why) = line.split_once("could not be started: ").unwrap();
            why.replace(&directory, "DIR")
        };
        let plain = told("");
        assert!(plain.starts_with("cannot execute "), "{plain}");
        assert_eq!(told(r#", umask: "0077""#), plain);
    }
}

#[test]
fn a_program_is_looked_for_as_its_user_along_its_path_and_from_its_directory() {
    if !may_change_users() {
        return;
    }
    let start = jobs(
        r#"
        { name: "found", exec: "tool", user: 65534, env: { PATH: "@DIR@/closed:@DIR@/open" } },
        { name: "relative", exec: "./tool", cwd: "@DIR@/open", user: 65534 },
        "#,
    );
    let directory = start.directory().path().to_owned();
    fs::set_permissions(&directory, fs::Permissions::from_mode(0o755)).unwrap();
    for (name, mode) in [("closed", 0o700), ("open", 0o755)] {
        fs::create_dir(directory.join(name)).unwrap();
        let text = format!("#!/bin/sh\necho from {name} $0\n");
        let draft = start.directory().write("draft", &text);
        programs::install(&draft, &directory.join(name).join("tool"));
        let mode = fs::Permissions::from_mode(mode);
        fs::set_permissions(directory.join(name), mode).unwrap();
    }
    let mut supervisor = start.start();
    assert_eq!(supervisor.wait_exit(), 0);
    let lines = supervisor.stdout.wait_for_end();
    let found = format!("from open {}", directory.join("open/tool").display());
    for (job, end) in [
        (" found ", found.as_str()),
        (" relative ", "from open ./tool"),
    ] {
        let is_told = |line: &&String| line.contains(job) && line.ends_with(end);
        assert_eq!(lines.iter().filter(is_told).count(), 1, "{lines:#?}");
    }
}

#[test]
fn a_health_check_has_the_context_of_its_job() {
    let settings = r#"env: { WHO: "me" }, umask: "0070",
        health: { exec: ["sh", "-c", "echo $WHO $(umask)"], interval: "10ms", ttl: 10 }"#;
    let mut supervisor = lasting(settings).ready();
    let line = supervisor.stdout.wait_for(" me 0070");
    assert!(line.contains(" check.a "), "{line}");
    assert_eq!(supervisor.terminate(), 0);
}

/// The plan of a reload that is carried out.
fn reload(supervisor: &Supervisor) -> Vec<String> {
    let response = supervisor.http("POST", "/v3/reload?verbose", "");
    assert_eq!(response.status, 200, "{}", response.body);
    let lines = response.body.lines();
    let jobs = lines.filter(|line| line.contains(" job["));
    jobs.map(str::to_owned).collect()
}

#[test]
fn a_changed_context_replaces_the_process_and_no_value_is_told() {
    let start = jobs(&format!(
        r#"
        {{ name: "a", {STILL}, env: {{ TOKEN: "hunter1" }}, envFile: ["@DIR@/a.env"] }},
        {{ name: "b", {STILL} }},
        "#
    ));
    start.directory().write("a.env", "KEY=hunter2\n");
    let mut supervisor = start.setting(r#"logging: { level: "DEBUG" }"#).ready();
    supervisor.stdout.wait_for(" runs");
    supervisor.stdout.wait_for(" runs");
    assert_eq!(reload(&supervisor), ["keep job[a]", "keep job[b]"]);

    supervisor.directory().write("a.env", "KEY=hunter3\n");
    let plan = reload(&supervisor);
    assert_eq!(plan, ["replace job[a]: envFile", "keep job[b]"]);
    let seen = Seen::by_line(&supervisor, " runs");
    assert_eq!(seen.environment()["KEY"], "hunter3");

    supervisor.change_config("hunter1", "hunter4");
    assert_eq!(reload(&supervisor)[0], "replace job[a]: env");
    let seen = Seen::by_line(&supervisor, " runs");
    assert_eq!(seen.environment()["TOKEN"], "hunter4");

    supervisor.change_config("{ name: \"b\",", "{ name: \"b\", umask: 77, cwd: \"/\",");
    assert_eq!(reload(&supervisor)[1], "replace job[b]: cwd, umask");
    supervisor.stdout.wait_for(" runs");

    supervisor.change_config("jobs: [", "env: { ALL: \"hunter5\" }, jobs: [");
    let plan = reload(&supervisor);
    assert_eq!(plan, ["replace job[a]: env", "replace job[b]: env"]);

    supervisor.directory().write("a.env", "KEY='hunter6\n");
    let response = supervisor.http("POST", "/v3/reload", "");
    assert_eq!(response.status, 422);
    assert!(
        response.body.contains("a.env:1: begins a value with '"),
        "{}",
        response.body
    );

    assert_eq!(supervisor.terminate(), 0);
    let told = supervisor.stdout.wait_for_end().join("\n") + &response.body;
    assert!(!told.contains("hunter"), "{told}");
}

#[test]
fn what_is_put_into_the_environment_comes_before_what_the_file_says() {
    let mut supervisor = lasting(r#"env: { OURS: "file" }, restarts: "unlimited""#).ready();
    supervisor
        .client(&["-putenv", "OURS=put", "-putenv", "THEIRS=put"])
        .success();
    let first = Seen::by_line(&supervisor, " runs");
    processes::signal(first.0, libc::SIGKILL);
    let environment = Seen::by_line(&supervisor, " runs").environment();
    assert_eq!(environment["OURS"], "file");
    assert_eq!(environment["THEIRS"], "put");
    assert_eq!(supervisor.terminate(), 0);
}
