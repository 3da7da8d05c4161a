//! The manual on reloading, when something is in the way: whatever the new file
//! is, the old configuration goes on, and whatever happens meanwhile is obeyed.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test that cannot set up its world must fail loudly"
)]

mod support;

use std::fs::{self, File};
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::Path;
use std::thread;

use support::command::command;
use support::http::{self, Response};
use support::lines::Lines;
use support::{NOBODY, Outcome, Supervisor, binary, is_root, jobs, processes, run};

const WORLD: &str = r#"
    { name: "app", exec: ["sh", "-c", "echo app $$ >>$FACTS; exec sleep 1000"] },
    { name: "hup", when: { source: "SIGHUP" }, exec: ["sh", "-c", "echo hup >>$FACTS"] },
"#;

/// A supervisor, the pid of its job, and its configuration.
fn world() -> (Supervisor, i32, String) {
    let mut supervisor = jobs(WORLD).ready();
    let app = supervisor.facts.pid("app");
    let good = fs::read_to_string(supervisor.config()).unwrap();
    (supervisor, app, good)
}

fn reload(socket: &Path) -> Response {
    http::request(socket, "POST", "/v3/reload", "")
}

/// Lets something else be the configuration file.
fn replace(path: &Path, make: impl FnOnce(&Path)) {
    let _missing = fs::remove_file(path);
    make(path);
}

fn fifo(path: &Path) {
    run(command("mkfifo").arg(path)).success();
}

/// The errors of a report of `-check`, without the warnings and the count.
fn errors(check: &Outcome) -> String {
    assert_eq!(check.code, 1, "{check}");
    let (count, report) = check.stdout.split_last().unwrap();
    assert!(count.contains(" error"), "{check}");
    let errors = report.iter().filter(|line| !line.starts_with("warning: "));
    errors.cloned().collect::<Vec<_>>().join("\n")
}

/// The file is refused with what `-check` says of it, the log says so as well, and
/// nothing else has happened.
#[track_caller]
fn assert_refused(supervisor: &mut Supervisor, app: i32, what: &str) {
    let check = run(command(binary())
        .args(["-check", "-config"])
        .arg(supervisor.config()));
    let errors = errors(&check);
    let response = reload(supervisor.socket());
    assert_eq!(
        (response.status, response.body.trim_end()),
        (422, errors.trim_end()),
        "{what}"
    );
    let first = errors.lines().next().unwrap();
    let told = format!("reload refused, the running configuration stays: {first}");
    supervisor.stdout.wait_for(&told);
    let status = supervisor.http("GET", "/v3/status", "").body;
    let status: serde_json::Value = serde_json::from_str(&status).unwrap();
    let last = &status["supervisor"]["lastReload"];
    assert_eq!(last["accepted"], false, "{what}: {last}");
    assert!(
        last["reason"].as_str().unwrap().contains(first),
        "{what}: {last}"
    );
    let socket = supervisor.socket().to_str().unwrap().to_owned();
    let client = supervisor.client(&["-socket", &socket, "-reload"]);
    assert_eq!(
        (client.code, client.stdout.len()),
        (1, 0),
        "{what}: {client}"
    );
    assert!(client.stderr.join("\n").contains(first), "{what}: {client}");
    supervisor.signal(libc::SIGHUP);
    supervisor.facts.expect(&["hup"]);
    assert!(processes::is_alive(app), "{what}");
}

#[test]
fn a_file_that_says_the_wrong_thing_is_refused_as_by_check() {
    let (mut supervisor, app, good) = world();
    let texts = [
        ("syntax", good.replace("jobs: [", "jobs: [ }")),
        (
            "an unknown key",
            good.replace("name: \"app\"", "name: \"app\", colour: \"red\""),
        ),
        ("several errors", good.replace("name:", "nam:")),
        ("a template error", "{{ if }}".to_owned()),
        ("a template that fails", "{{ index .HOME 7777 }}".to_owned()),
        ("nothing", String::new()),
        ("only space", " \n\t\n".to_owned()),
        ("no object", "[]".to_owned()),
        (
            "version 2",
            "{ services: [{ name: \"app\", port: 80 }] }".to_owned(),
        ),
        (
            "a log that cannot be",
            good.replace("jobs: [", "logging: { format: 'xml' }, jobs: ["),
        ),
    ];
    for (what, text) in texts {
        fs::write(supervisor.config(), text).unwrap();
        assert_refused(&mut supervisor, app, what);
    }
    fs::write(supervisor.config(), good).unwrap();
    assert_eq!(reload(supervisor.socket()).status, 200);
    assert!(processes::is_alive(app));
    assert_eq!(supervisor.terminate(), 0);
}

#[test]
fn a_file_that_is_half_written_is_refused_wherever_it_ends() {
    let (mut supervisor, app, good) = world();
    let good = good.trim_end();
    for end in 1..good.len() {
        fs::write(supervisor.config(), &good[..end]).unwrap();
        let response = reload(supervisor.socket());
        assert_eq!(response.status, 422, "{end}: {response:?}");
    }
    fs::write(supervisor.config(), &good[..good.len() / 2]).unwrap();
    assert_refused(&mut supervisor, app, "half of it");
    assert_eq!(supervisor.terminate(), 0);
}

#[test]
fn what_is_no_file_at_all_is_refused_as_by_check() {
    let (mut supervisor, app, good) = world();
    let path = supervisor.config().to_owned();
    replace(&path, |_| ());
    assert_refused(&mut supervisor, app, "no file");
    replace(&path, |path| symlink("/no/such/file", path).unwrap());
    assert_refused(&mut supervisor, app, "a dangling link");
    replace(&path, |path| symlink(path, path).unwrap());
    assert_refused(&mut supervisor, app, "a link to itself");
    replace(&path, |path| symlink("/dev/zero", path).unwrap());
    assert_refused(&mut supervisor, app, "what has no end");
    replace(&path, |path| symlink("/dev/null", path).unwrap());
    assert_refused(&mut supervisor, app, "what has nothing");
    replace(&path, |path| {
        let file = File::create(path).unwrap();
        file.set_len(100_000_000).unwrap();
    });
    let before = processes::status_field(supervisor.pid(), "VmRSS");
    assert_refused(&mut supervisor, app, "100 MB");
    let after = processes::status_field(supervisor.pid(), "VmRSS");
    assert!(after < before + 8192, "{before} KiB, then {after}");
    replace(&path, |path| fs::write(path, b"{ jobs: [] \xff }").unwrap());
    assert_refused(&mut supervisor, app, "not UTF-8");
    replace(&path, |path| fs::create_dir(path).unwrap());
    assert_refused(&mut supervisor, app, "a directory");
    fs::remove_dir(&path).unwrap();
    replace(&path, |path| fs::write(path, good).unwrap());
    assert_eq!(reload(supervisor.socket()).status, 200);
    assert_eq!(supervisor.terminate(), 0);
}

#[test]
fn its_own_socket_by_another_path_is_refused_as_what_it_is() {
    let (mut supervisor, app, good) = world();
    symlink(".", supervisor.directory().join("link")).unwrap();
    let socket = supervisor.socket().to_owned();
    let other = supervisor.directory().join("link/socket");
    supervisor.change_config(socket.to_str().unwrap(), other.to_str().unwrap());
    let answer = reload(&socket);
    let text = format!(
        "cannot move the control socket to {other:?}: that leads to {socket:?}, where this supervisor listens already; write control.socket as before"
    );
    assert_eq!((answer.status, answer.body.trim_end()), (422, &*text));
    fs::write(supervisor.config(), good).unwrap();
    assert_eq!(reload(&socket).status, 200);
    assert!(processes::is_alive(app));
    assert_eq!(supervisor.terminate(), 0);
    assert!(!socket.exists());
}

#[test]
fn a_fifo_that_nobody_writes_is_refused_and_keeps_nobody_waiting() {
    let (mut supervisor, app, good) = world();
    let path = supervisor.config().to_owned();
    replace(&path, fifo);
    let socket = supervisor.socket().to_owned();
    let answer = thread::spawn(move || reload(&socket));
    // Opening it tells that it is being read, and closing it that all is said.
    drop(File::options().write(true).open(&path).unwrap());
    assert_eq!(answer.join().unwrap().status, 422);
    let socket = supervisor.socket().to_owned();
    let answer = thread::spawn(move || reload(&socket));
    let silent = File::options().write(true).open(&path).unwrap();
    assert_eq!(supervisor.http("GET", "/v3/ping", "").body, "ok");
    supervisor.signal(libc::SIGHUP);
    supervisor.facts.expect(&["hup"]);
    let answer = answer.join().unwrap();
    drop(silent);
    assert_eq!(answer.status, 422);
    assert!(
        answer.body.contains("a pipe that nobody has written"),
        "{answer:?}"
    );
    replace(&path, |path| fs::write(path, good).unwrap());
    assert_eq!(reload(supervisor.socket()).status, 200);
    assert!(processes::is_alive(app));
}

#[test]
fn a_file_that_may_not_be_read_is_refused_as_by_check() {
    let mut supervisor = jobs(WORLD).unprivileged().ready();
    let app = supervisor.facts.pid("app");
    let forbidden = fs::Permissions::from_mode(0o000);
    fs::set_permissions(supervisor.config(), forbidden).unwrap();
    let mut words = vec![];
    let mut program = binary();
    if is_root() {
        words.extend(NOBODY);
        program = supervisor.directory().join("containerpilot");
    }
    words.push(program.to_str().unwrap());
    let check = run(command(words[0])
        .args(&words[1..])
        .args(["-check", "-config"])
        .arg(supervisor.config()));
    let response = reload(supervisor.socket());
    assert_eq!(response.status, 422);
    assert_eq!(response.body.trim_end(), errors(&check));
    assert!(response.body.contains("permission denied"), "{response:?}");
    assert!(processes::is_alive(app));
    assert_eq!(supervisor.terminate(), 0);
}

#[test]
fn a_reload_that_comes_during_another_reads_the_file_when_it_is_its_turn() {
    let (mut supervisor, app, good) = world();
    let path = supervisor.config().to_owned();
    replace(&path, fifo);
    let socket = supervisor.socket().to_owned();
    let first = thread::spawn(move || reload(&socket));
    let mut to_first = File::options().write(true).open(&path).unwrap();
    let socket = supervisor.socket().to_owned();
    let second = thread::spawn(move || reload(&socket));
    std::io::Write::write_all(&mut to_first, good.as_bytes()).unwrap();
    drop(to_first);
    assert_eq!(first.join().unwrap().status, 200);
    // The first has read to the end: whoever opens it now is the second.
    let changed = good.replace("echo app", "echo new");
    fs::write(&path, changed).unwrap();
    assert_eq!(second.join().unwrap().status, 200);
    let new = supervisor.facts.pid("new");
    assert!(processes::is_alive(new) && !processes::is_alive(app));
    assert_eq!(supervisor.terminate(), 0);
}

#[test]
fn sigterm_is_obeyed_while_a_reload_reads_its_file() {
    let (mut supervisor, app, _) = world();
    let path = supervisor.config().to_owned();
    replace(&path, fifo);
    let socket = supervisor.socket().to_owned();
    let answer = thread::spawn(move || reload(&socket));
    let _writer = File::options().write(true).open(&path).unwrap();
    assert_eq!(supervisor.terminate(), 0);
    assert_eq!(answer.join().unwrap().status, 503);
    assert!(!processes::is_alive(app));
}

#[test]
fn a_reload_during_shutdown_is_refused() {
    let mut supervisor = jobs(
        r#"{ name: "app", exec: ["sh", "-c", "trap 'echo told >>$FACTS; read go <$GATE; exit 0' TERM; echo up >>$FACTS; sleep 1000 & wait"] }"#,
    )
    .setting("stopTimeout: 60")
    .ready();
    supervisor.facts.expect(&["up"]);
    supervisor.signal(libc::SIGTERM);
    supervisor.facts.expect(&["told"]);
    supervisor.change_config("echo up", "echo new");
    let answer = reload(supervisor.socket());
    assert_eq!(answer.status, 503, "{answer:?}");
    supervisor.gate.release();
    assert_eq!(supervisor.wait_exit(), 0);
    assert_eq!(supervisor.facts.rest(), [""; 0]);
}

#[test]
fn a_reload_while_jobs_start_starts_each_of_them_once() {
    const JOBS: usize = 100;
    let text: String = (0..JOBS)
        .map(|number| {
            format!(
                "{{ name: \"job{number}\", exec: [\"sh\", \"-c\", \"echo job{number} >>$FACTS; exec sleep 1000\"] }},\n"
            )
        })
        .collect();
    let mut supervisor = jobs(&text).setting("stopTimeout: 30").ready();
    for _ in 0..10 {
        assert_eq!(reload(supervisor.socket()).status, 200);
    }
    let mut up: Vec<String> = (0..JOBS).map(|_| supervisor.facts.next()).collect();
    up.sort();
    up.dedup();
    assert_eq!(up.len(), JOBS);
    assert_eq!(processes::children(supervisor.pid()).len(), JOBS);
    assert_eq!(supervisor.terminate(), 0);
    assert_eq!(supervisor.facts.rest(), [""; 0]);
}

#[test]
fn sigkill_during_a_reload_leaves_nothing_that_a_restart_cannot_handle() {
    let (mut supervisor, app, good) = world();
    let path = supervisor.config().to_owned();
    let old = supervisor.socket().to_owned();
    let new = supervisor.directory().join("new");
    let moved = good.replace(old.to_str().unwrap(), new.to_str().unwrap());
    fs::write(&path, &moved).unwrap();
    let socket = supervisor.socket().to_owned();
    let answer = thread::spawn(move || reload(&socket));
    assert_eq!(answer.join().unwrap().status, 200);
    // The next one is killed in the middle.
    replace(&path, fifo);
    let socket = new.clone();
    let killed = thread::spawn(move || {
        let request = b"POST /v3/reload HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n";
        http::raw(&socket, request)
    });
    let writer = File::options().write(true).open(&path).unwrap();
    supervisor.signal(libc::SIGKILL);
    assert_eq!(supervisor.wait_exit(), 137);
    assert_eq!(killed.join().unwrap(), b"");
    drop(writer);
    assert!(new.exists(), "what SIGKILL leaves behind");
    assert!(processes::is_alive(app), "and whom");
    replace(&path, |path| fs::write(path, moved).unwrap());
    let mut successor = command(binary())
        .arg("-config")
        .arg(&path)
        .env("FACTS", supervisor.directory().join("facts"))
        .env("DIR", supervisor.directory().path())
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let log = Lines::collect(successor.stdout.take().unwrap());
    log.wait_for("control plane listens on");
    let again = supervisor.facts.pid("app");
    assert_ne!(again, app);
    assert_eq!(reload(&new).status, 200);
    processes::signal(i32::try_from(successor.id()).unwrap(), libc::SIGTERM);
    let status = support::command::wait(&mut successor, support::deadline()).unwrap();
    assert_eq!(support::command::exit_code(status), 0);
    assert!(!new.exists() && !processes::is_alive(again));
}
