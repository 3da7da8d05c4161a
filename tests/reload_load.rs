//! The manual on reloading, under load: a thousand reloads in a row interfere with
//! nothing, and what moves loses neither a request nor a line.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test that cannot set up its world must fail loudly"
)]

mod support;

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs;
use std::io::{self, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use support::consul::Agent;
use support::http::{self, Response};
use support::{PATIENCE, Supervisor, free_address, jobs, processes};

/// How many reloads follow each other.
const RELOADS: usize = 1000;

#[track_caller]
fn reload(socket: &Path) -> Duration {
    let begin = Instant::now();
    let response = http::request(socket, "POST", "/v3/reload", "");
    assert_eq!((response.status, response.body.as_str()), (200, ""));
    begin.elapsed()
}

/// Resident KiB, descriptors and threads.
fn footprint(pid: i32) -> (u64, usize, u64) {
    (
        processes::status_field(pid, "VmRSS"),
        processes::open_files(pid),
        processes::status_field(pid, "Threads"),
    )
}

/// When a process began, in ticks since the boot: field 22 of /proc/PID/stat.
fn began(pid: i32) -> String {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    let fields = stat.rsplit_once(')').unwrap().1;
    fields.split_whitespace().nth(19).unwrap().to_owned()
}

/// Says that it is over when it is left, by a panic too.
struct Over<'a>(&'a AtomicBool);

impl Drop for Over<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Does something again and again beside `work`, at least once, and counts.
fn beside(work: impl FnOnce(), load: impl Fn() + Sync) -> usize {
    let (is_over, count) = (AtomicBool::new(false), AtomicUsize::new(0));
    thread::scope(|scope| {
        scope.spawn(|| {
            while !is_over.load(Ordering::Relaxed) {
                load();
                count.fetch_add(1, Ordering::Relaxed);
            }
        });
        let _over = Over(&is_over);
        work();
    });
    count.into_inner()
}

#[test]
fn a_thousand_reloads_interfere_with_nothing() {
    let Some(agent) = Agent::dev() else { return };
    let mut supervisor = jobs(
        r#"{ name: "web", exec: ["sh", "-c", "echo web $$ >>$FACTS; exec sleep 1000"], restarts: "unlimited",
             port: 80, interfaces: "static:192.0.2.1", tags: ["a"],
             health: { exec: "true", interval: 1, ttl: 5 } },
           { name: "again", exec: ["sh", "-c", "echo again $$ >>$FACTS; exec sleep 1000"], restarts: 5 },"#,
    )
    .setting(&format!("consul: '{}'", agent.http()))
    .setting(&format!("telemetry: {{ interfaces: 'static:{}' }}", free_address()))
    .ready();
    let mut pids: Vec<String> = (0..2).map(|_| supervisor.facts.next()).collect();
    pids.sort();
    let pid = |fact: &str| fact.rsplit(' ').next().unwrap().parse::<i32>().unwrap();
    // One restart, which must not be forgotten.
    processes::signal(pid(&pids[0]), libc::SIGKILL);
    let again = supervisor.facts.pid("again");
    let web = pid(&pids[1]);
    let before = [web, again].map(|pid| (pid, began(pid)));
    agent.wait_for_status("web", Some("passing"));
    let status = |supervisor: &Supervisor| -> serde_json::Value {
        let response = supervisor.http("GET", "/v3/status", "");
        serde_json::from_str(&response.body).unwrap()
    };
    let jobs_before = status(&supervisor)["jobs"].clone();
    let socket = supervisor.socket().to_owned();
    let own = supervisor.pid();
    for _ in 0..RELOADS / 10 {
        reload(&socket);
    }
    let (mut times, mut halves) = (Vec::new(), Vec::new());
    let pings = beside(
        || {
            for _ in 0..2 {
                for _ in 0..RELOADS / 2 {
                    times.push(reload(&socket));
                }
                halves.push(footprint(own));
            }
        },
        || assert_eq!(http::request(&socket, "GET", "/v3/ping", "").body, "ok"),
    );
    times.sort_unstable();
    println!(
        "{RELOADS} reloads: median {:?}, slowest {:?}; {pings} pings; resident KiB, descriptors, threads {halves:?}",
        times[RELOADS / 2],
        times[RELOADS - 1]
    );
    // A check may be under way, or a connection of the load's.
    assert!(halves[1].0 <= halves[0].0 + 1024, "{halves:?}");
    assert!(halves[1].1 <= halves[0].1 + 8, "{halves:?}");
    assert!(halves[1].2 <= halves[0].2 + 8, "{halves:?}");
    let after = [web, again].map(|pid| (pid, began(pid)));
    assert_eq!(after, before);
    let jobs_after = status(&supervisor)["jobs"].clone();
    for key in ["name", "pid", "runs", "restartsLeft", "status"] {
        let of = |jobs: &serde_json::Value| -> Vec<serde_json::Value> {
            jobs.as_array()
                .unwrap()
                .iter()
                .map(|job| job[key].clone())
                .collect()
        };
        assert_eq!(of(&jobs_after), of(&jobs_before), "{key}");
    }
    // A check after the first has been delivered, and nothing else was.
    agent.log().wait_for("check/update/service:web");
    agent.wait_for_status("web", Some("passing"));
    assert_eq!(agent.answered("/v1/agent/service/deregister"), 0);
    assert_eq!(
        agent.answered("method=PUT url=/v1/agent/service/register"),
        2,
        "web and containerpilot"
    );
    assert_eq!(supervisor.terminate(), 0);
}

#[test]
fn a_reload_of_a_hundred_jobs_is_answered_soon() {
    let mut text = String::new();
    for number in 0..100 {
        writeln!(
            text,
            r#"{{ name: "job{number}", exec: ["sleep", "1000"], restarts: "unlimited",
                  health: {{ exec: "true", interval: 10, ttl: 20 }} }},"#
        )
        .unwrap();
    }
    let mut supervisor = jobs(&text).setting("stopTimeout: 30").ready();
    let socket = supervisor.socket().to_owned();
    let mut times: Vec<Duration> = (0..100).map(|_| reload(&socket)).collect();
    times.sort_unstable();
    println!(
        "a reload of 100 jobs: median {:?}, slowest {:?}",
        times[50], times[99]
    );
    assert_eq!(supervisor.terminate(), 0);
}

/// Replaces text in the configuration in one step, as an editor does.
fn change(config: &Path, from: &str, to: &str) {
    let text = fs::read_to_string(config).unwrap();
    assert!(text.contains(from), "{from:?}");
    let new = config.with_extension("new");
    fs::write(&new, text.replace(from, to)).unwrap();
    fs::rename(new, config).unwrap();
}

#[test]
fn the_control_socket_moves_without_losing_a_request() {
    const MOVES: usize = 50;
    let mut supervisor = jobs(r#"{ name: "app", exec: ["sleep", "1000"] }"#).ready();
    let config = supervisor.config().to_owned();
    let places = [
        supervisor.socket().to_owned(),
        supervisor.directory().join("elsewhere"),
    ];
    let (asked, moved) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let is_over = AtomicBool::new(false);
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                while !is_over.load(Ordering::Relaxed) {
                    ask_somewhere(&places);
                    asked.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
        let _over = Over(&is_over);
        for number in 0..MOVES {
            let [from, to] = [number % 2, 1 - number % 2].map(|at| &places[at]);
            let quoted = |path: &Path| format!("socket: {path:?}");
            change(&config, &quoted(from), &quoted(to));
            reload(from);
            moved.fetch_add(1, Ordering::Relaxed);
        }
    });
    println!("{asked:?} requests during {moved:?} moves");
    assert_eq!(supervisor.terminate(), 0);
}

/// Asks at the place that there is. Whoever has been connected gets an answer; who
/// is not finds the other place.
fn ask_somewhere(places: &[PathBuf; 2]) {
    let deadline = support::deadline();
    for place in places.iter().cycle() {
        assert!(Instant::now() < deadline, "nobody listens");
        let Ok(mut stream) = UnixStream::connect(place) else {
            continue;
        };
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let request = b"GET /v3/ping HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";
        stream.write_all(request).unwrap();
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).unwrap();
        assert_eq!(Response::parse(&answer).body, "ok");
        return;
    }
}

#[test]
fn the_log_moves_without_losing_a_line() {
    const LINES: usize = 20_000;
    const HALF: usize = LINES / 2;
    const MOVES: usize = 40;
    // A pipe does not hold half of the lines: some are logged before the first move.
    let count = "while [ $i -lt $most ]; do i=$((i+1)); echo line $i end; done";
    let mut supervisor = jobs(&format!(
        r#"{{ name: "loud", exec: ["sh", "-c", "i=0; most={HALF}; {count}; echo half >>$FACTS; read go <$GATE; most={LINES}; {count}; echo all >>$FACTS; exec sleep 1000"] }},"#
    ))
    .setting("logging: { output: '@DIR@/log0' }")
    .ready();
    let config = supervisor.config().to_owned();
    let socket = supervisor.socket().to_owned();
    supervisor.facts.expect(&["half"]);
    for number in 0..MOVES {
        change(
            &config,
            &format!("log{number}'"),
            &format!("log{}'", number + 1),
        );
        reload(&socket);
        if number == 0 {
            supervisor.gate.release();
        }
    }
    supervisor.facts.expect(&["all"]);
    assert_eq!(supervisor.terminate(), 0);
    let mut seen = Vec::new();
    let mut files = 0;
    for number in 0..=MOVES {
        let log = fs::read_to_string(supervisor.directory().join(&format!("log{number}"))).unwrap();
        let lines = log.lines().filter_map(|line| {
            let line = line.split_once(" line ")?.1.strip_suffix(" end")?;
            line.parse::<usize>().ok()
        });
        let before = seen.len();
        seen.extend(lines);
        files += usize::from(seen.len() > before);
    }
    println!("{} lines in {files} files", seen.len());
    assert!(seen.iter().copied().eq(1..=LINES), "{} lines", seen.len());
    assert!(files > 1, "all lines in one file");
}

fn scrape(address: SocketAddr) -> io::Result<String> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.write_all(b"GET /metrics HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    match answer.ends_with('\n') {
        true => Ok(answer),
        false => Err(io::ErrorKind::UnexpectedEof.into()),
    }
}

#[test]
fn telemetry_moves_without_a_moment_without_it_and_keeps_what_it_counts() {
    const MOVES: usize = 30;
    let address = free_address();
    let ports = [9090, 9091].map(|port| SocketAddr::from((address, port)));
    let mut supervisor = jobs(r#"{ name: "app", exec: ["sleep", "1000"] }"#)
        .setting(&format!(
            "telemetry: {{ port: {}, interfaces: 'static:{address}', metrics: [{{ namespace: '', subsystem: '', name: 'pushed', help: 'h', type: 'counter' }}] }}",
            ports[0].port()
        ))
        .ready();
    let config = supervisor.config().to_owned();
    let socket = supervisor.socket().to_owned();
    let port = |at: usize| format!("port: {},", ports[at].port());
    let scrapes = beside(
        || {
            for number in 0..MOVES {
                let pushed = http::request(&socket, "POST", "/v3/metric", r#"{"pushed": 1}"#);
                assert_eq!(pushed.status, 200, "{pushed:?}");
                change(&config, &port(number % 2), &port(1 - number % 2));
                reload(&socket);
            }
        },
        || {
            // Who is told that a server has gone finds the other one there.
            let answer = (0..10).find_map(|at| scrape(ports[at % 2]).ok());
            let answer = answer.unwrap_or_else(|| panic!("no telemetry"));
            assert!(answer.contains("containerpilot_build_info"), "{answer}");
        },
    );
    let answer = scrape(ports[MOVES % 2]).unwrap();
    assert!(answer.contains(&format!("pushed {MOVES}\n")), "{answer}");
    println!("{scrapes} scrapes during {MOVES} moves");
    assert_eq!(supervisor.terminate(), 0);
}

#[test]
fn maintenance_survives_a_reload_and_new_services_wait_for_its_end() {
    let Some(agent) = Agent::dev() else { return };
    let job = |name: &str| {
        format!(
            r#"{{ name: "{name}", exec: ["sleep", "1000"], port: 80, interfaces: "static:192.0.2.1",
                  health: {{ exec: ["sh", "-c", "echo {name} >>$FACTS"], interval: 1, ttl: 5 }} }},"#
        )
    };
    let mut supervisor = jobs(&(job("web") + "// more"))
        .setting(&format!("consul: '{}'", agent.http()))
        .ready();
    agent.wait_for_status("web", Some("passing"));
    let on = supervisor.http("POST", "/v3/maintenance/enable", "");
    assert!(on.body.contains("true"));
    agent.wait_for_status("web", None);
    let registered = agent.answered("method=PUT url=/v1/agent/service/register");
    supervisor.facts.rest();
    supervisor.change_config("// more", &job("new"));
    supervisor.change_config("echo web", "echo changed");
    reload(supervisor.socket());
    let status = supervisor.http("GET", "/v3/status", "");
    assert!(status.body.contains("maintenance"), "{status:?}");
    let off = supervisor.http("POST", "/v3/maintenance/disable", "");
    assert!(off.body.contains("true"), "still in maintenance: {off:?}");
    let first: BTreeSet<String> = (0..2).map(|_| supervisor.facts.next()).collect();
    assert_eq!(first, ["changed", "new"].map(str::to_owned).into());
    for name in ["web", "new"] {
        agent.wait_for_status(name, Some("passing"));
    }
    assert_eq!(
        agent.answered("method=PUT url=/v1/agent/service/register"),
        registered + 2
    );
    assert_eq!(supervisor.terminate(), 0);
}
