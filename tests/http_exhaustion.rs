//! The HTTP server's threads, and what it does when the kernel has none, or no
//! descriptors, for it. Each test runs in a process of its own, whose limits it
//! lowers and whose threads it counts.

#![allow(clippy::unwrap_used, clippy::panic)]

#[path = "support/http_server.rs"]
mod http_server;

use std::fs::File;
use std::io::{BufRead, BufReader, Lines, Read, Write};
use std::os::unix::net::UnixStream;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::Mutex;
use std::time::{Duration, Instant};

use containerpilot::http::Limits;
use http_server::{Fixture, PATIENCE};

/// Names, in the environment of such a process, the test it shall run.
const ALONE: &str = "HTTP_EXHAUSTION_TEST";

/// Whether this is the process of its own of the test of this name.
fn is_alone(name: &str) -> bool {
    std::env::var_os(ALONE).is_some_and(|wanted| wanted == name)
}

/// Runs the test of this name in a process of its own.
fn command(name: &str) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command
        .args(["--exact", name, "--nocapture", "--test-threads=1"])
        .env(ALONE, name);
    command
}

/// Runs the test of this name in a process of its own to its end.
fn passes_alone(name: &str) {
    let output = command(name).output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    let complained = String::from_utf8_lossy(&output.stderr);
    assert!(
        output.status.success() && said.contains("1 passed"),
        "{said}\n{complained}"
    );
}

/// What the server logs.
struct Log(Mutex<Vec<String>>);

static LOG: Log = Log(Mutex::new(Vec::new()));

impl Log {
    fn install() {
        log::set_logger(&LOG).unwrap();
        log::set_max_level(log::LevelFilter::Warn);
    }

    /// The lines since the last look.
    fn lines() -> Vec<String> {
        std::mem::take(&mut *LOG.0.lock().unwrap())
    }
}

impl log::Log for Log {
    fn enabled(&self, _metadata: &log::Metadata<'_>) -> bool {
        true
    }

    fn log(&self, record: &log::Record<'_>) {
        self.0.lock().unwrap().push(record.args().to_string());
    }

    fn flush(&self) {}
}

#[allow(
    clippy::useless_conversion,
    reason = "its type differs between C libraries"
)]
fn set_soft_limit(resource: libc::c_int, value: libc::rlim_t) {
    let mut limit = libc::rlimit {
        rlim_cur: 0,
        rlim_max: 0,
    };
    let resource = resource.try_into().unwrap();
    // SAFETY: the pointer is to an initialised rlimit.
    assert_eq!(unsafe { libc::getrlimit(resource, &raw mut limit) }, 0);
    limit.rlim_cur = value.min(limit.rlim_max);
    // SAFETY: as above.
    assert_eq!(unsafe { libc::setrlimit(resource, &raw const limit) }, 0);
}

/// A server in a process of its own that has no descriptor left, and clients in
/// this one, which has.
#[test]
fn without_descriptors_the_listener_stays_and_idle_connections_give_theirs() {
    const NAME: &str = "without_descriptors_the_listener_stays_and_idle_connections_give_theirs";
    if is_alone(NAME) {
        return serve_without_descriptors();
    }
    let mut server = Server::start(NAME);
    let socket = server.hears("socket ");
    let silent: Vec<_> = (0..20).map(|_| connect(&socket)).collect();
    // Answered behind the silent ones, so those have been accepted.
    assert_eq!(ask(&mut connect(&socket)), OK);
    server.say("fill");
    server.hears("full");

    // All ten at once, which takes more descriptors than the few that threads in
    // accept have reserved.
    let mut clients: Vec<_> = (0..10).map(|_| connect(&socket)).collect();
    for client in &mut clients {
        client.write_all(b"GET /wait HTTP/1.0\r\n\r\n").unwrap();
    }
    server.say("open");
    server.hears("opened");
    for client in &mut clients {
        assert!(rest(client).ends_with("\r\n\r\nwaited\n"));
    }
    let evicted = silent.into_iter().filter(has_ended).count();
    assert!(
        (1..=20).contains(&evicted),
        "{evicted} of 20 silent connections were evicted"
    );
    for _ in 0..100 {
        assert_eq!(ask(&mut connect(&socket)), OK);
    }

    server.say("free");
    let complaint = server.hears("logged ");
    assert!(
        complaint.starts_with("[\"test: cannot accept a connection, trying again: ")
            && complaint.matches("test:").count() == 1,
        "{complaint}"
    );
    drop(clients);
    server.say("end");
    server.ends_well();
}

/// Obeys on stdin and tells on stdout.
fn serve_without_descriptors() {
    // Ends this process if the test hangs.
    // SAFETY: a call without pointers.
    unsafe { libc::alarm(60) };
    Log::install();
    set_soft_limit(libc::RLIMIT_NOFILE as libc::c_int, 128);
    let fixture = Fixture::unix(Limits::default());
    println!("socket {}", fixture.socket().display());
    let mut fill = Vec::new();
    for line in std::io::stdin().lines() {
        match line.unwrap().as_str() {
            "fill" => {
                fill.extend(std::iter::from_fn(|| File::open("/dev/null").ok()));
                println!("full");
            }
            "open" => {
                fixture.known.gate.await_arrivals(10);
                fixture.known.gate.open();
                println!("opened");
            }
            "free" => {
                fill.clear();
                println!("logged {:?}", Log::lines());
            }
            _ => return,
        }
    }
}

const OK: &str = "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok";

fn connect(socket: &str) -> UnixStream {
    let stream = UnixStream::connect(socket).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream
}

fn ask(client: &mut UnixStream) -> String {
    let asked = client.write_all(b"GET /ok HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
    asked.unwrap();
    rest(client)
}

fn rest(client: &mut UnixStream) -> String {
    let mut answer = String::new();
    client.read_to_string(&mut answer).unwrap();
    answer
}

fn has_ended(client: &UnixStream) -> bool {
    client.set_nonblocking(true).unwrap();
    let mut client = client;
    matches!(client.read(&mut [0]), Ok(0))
}

/// The process of a test's server.
struct Server {
    process: Child,
    lines: Lines<BufReader<ChildStdout>>,
}

impl Server {
    fn start(name: &str) -> Self {
        let mut process = command(name)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(process.stdout.take().unwrap()).lines();
        Self { process, lines }
    }

    fn say(&mut self, what: &str) {
        writeln!(self.process.stdin.as_ref().unwrap(), "{what}").unwrap();
    }

    /// What follows these words in the next line that has them; the test harness
    /// may have put its own before.
    fn hears(&mut self, words: &str) -> String {
        let lines = self.lines.by_ref().map(Result::unwrap);
        let mut wanted =
            lines.filter_map(|line| line.split_once(words).map(|(_, rest)| rest.to_owned()));
        wanted
            .next()
            .unwrap_or_else(|| panic!("the server ended without {words:?}"))
    }

    fn ends_well(mut self) {
        assert!(self.process.wait().unwrap().success());
    }
}

#[test]
fn without_threads_the_one_there_is_serves_everybody_in_turn() {
    const NAME: &str = "without_threads_the_one_there_is_serves_everybody_in_turn";
    if is_alone(NAME) {
        serve_without_threads();
    } else {
        passes_alone(NAME);
    }
}

fn serve_without_threads() {
    Log::install();
    let fixture = Fixture::tcp(Limits::default());
    // Root's threads are not counted. If this fails we are somebody already.
    // SAFETY: a call without pointers.
    let _is_somebody_now = unsafe { libc::setuid(65534) };
    set_soft_limit(libc::RLIMIT_NPROC as libc::c_int, 1);

    let started = Instant::now();
    let mut silent = fixture.connect();
    for _ in 0..10 {
        fixture.assert_serves();
    }
    let took = started.elapsed();
    assert_eq!(silent.rest(), "");
    assert!(
        took < Duration::from_secs(4),
        "a silent client locked the others out for {took:?}"
    );
    assert_eq!(Log::lines().len(), 1, "told once");

    set_soft_limit(libc::RLIMIT_NPROC as libc::c_int, libc::rlim_t::MAX);
    let mut waiting = fixture.connect();
    waiting.send(b"GET /wait HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
    fixture.known.gate.await_arrivals(1);
    fixture.assert_serves();
    fixture.known.gate.open();
    assert!(waiting.rest().ends_with("waited\n"));
    assert!(started.elapsed() < PATIENCE);
}

#[test]
fn threads_come_with_the_load_and_go_when_it_is_calm() {
    const NAME: &str = "threads_come_with_the_load_and_go_when_it_is_calm";
    if is_alone(NAME) {
        count_threads();
    } else {
        passes_alone(NAME);
    }
}

fn count_threads() {
    let limits = Limits {
        connections: 20,
        ..Limits::default()
    };
    let fixture = Fixture::unix(limits);
    // A thread gives itself its name, so it may be seen a moment later.
    let started = Instant::now();
    while server_threads() != 1 {
        assert!(started.elapsed() < PATIENCE, "{} threads", server_threads());
    }
    let mut waiting: Vec<_> = (0..15).map(|_| fixture.connect()).collect();
    for client in &mut waiting {
        client.send(b"GET /wait HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
    }
    fixture.known.gate.await_arrivals(15);
    assert!(
        (15..=21).contains(&server_threads()),
        "{}",
        server_threads()
    );
    let silent: Vec<_> = (0..100).map(|_| fixture.connect()).collect();
    fixture.assert_serves();
    assert!(server_threads() <= 21, "{}", server_threads());
    drop(silent);
    fixture.known.gate.open();
    for client in &mut waiting {
        assert!(client.rest().ends_with("waited\n"));
    }
    let started = Instant::now();
    while server_threads() > 3 {
        fixture.assert_serves();
        assert!(
            started.elapsed() < PATIENCE,
            "{} threads are left",
            server_threads()
        );
    }
}

/// How many threads of this process have the server's name.
fn server_threads() -> usize {
    let tasks = std::fs::read_dir("/proc/self/task").unwrap();
    tasks
        .filter_map(|task| std::fs::read_to_string(task.unwrap().path().join("comm")).ok())
        .filter(|name| name == "test\n")
        .count()
}
