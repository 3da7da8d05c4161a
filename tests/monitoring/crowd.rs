//! Many clients that mean no good: scrapes go on, and nothing grows.

use std::fmt::Write as _;
use std::io::{ErrorKind, Read as _, Write as _};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use crate::scrape::{Scrape, connect, somewhere, telemetry};
use crate::support::{deadline, jobs, processes};

/// What a server may have at once: 64 connections and one that waits for room.
const MOST: u64 = 65;

/// One that is silent, or one that has begun a request and never ends it.
fn lingerer(address: std::net::SocketAddr, number: usize) -> TcpStream {
    let mut stream = connect(address);
    if number.is_multiple_of(2) {
        // The server may have closed it already to make room.
        let _gone = stream.write_all(b"GET /metrics HTTP/1.1\r\nX: ");
    }
    stream
}

#[test]
fn a_scrape_of_more_than_a_thousand_series_holds_up_the_loop_for_less_than_a_millisecond() {
    let address = somewhere();
    let mut metrics = String::new();
    for number in 0..250 {
        for (kind, letter) in [("counter", 'c'), ("gauge", 'g'), ("summary", 's')] {
            let _done = write!(metrics, "{{ name: '{letter}{number}', type: '{kind}' }}, ");
        }
    }
    let supervisor = jobs(r#"{ name: "app", exec: ["sleep", "1000"] }"#)
        .setting(&telemetry(address, &metrics))
        .ready();
    let first = Scrape::of(address);
    let lines = first.text().lines();
    let series = lines.filter(|line| !line.starts_with('#')).count();
    assert!(series > 1_500, "{series}");
    let mut last = Scrape::of(address);
    for _ in 0..50 {
        last = Scrape::of(address);
    }
    // Nothing else has happened between the first and the last.
    let turns = |what: &str| {
        let series = format!("containerpilot_loop_turn_seconds_{what}");
        last.value(&series) - first.value(&series)
    };
    let (all, short) = (turns("count"), turns("bucket{le=\"0.001\"}"));
    let mean = Duration::from_secs_f64(turns("sum") / all);
    println!("{series} series: {short} of {all} turns within 1 ms, mean {mean:?}");
    // The others may have been interrupted by whatever else runs here.
    assert!(all >= 50.0 && short > all / 2.0, "{short} of {all}");
    drop(supervisor);
}

#[test]
fn silent_and_slow_clients_hold_up_no_scrape_and_end_by_themselves() {
    let address = somewhere();
    let mut supervisor =
        jobs(r#"{ name: "app", exec: ["sh", "-c", "echo up >>$FACTS; exec sleep 1000"] }"#)
            .setting(&telemetry(address, ""))
            .ready();
    supervisor.facts.expect(&["up"]);
    let pid = supervisor.pid();
    let resident = || processes::status_field(pid, "VmRSS");
    let threads = || processes::status_field(pid, "Threads");
    let files = || processes::open_files(pid) as u64;
    Scrape::of(address);
    let before = (threads(), files(), resident());

    let mut crowd: Vec<_> = (0..400).map(|number| lingerer(address, number)).collect();
    let (mut slowest, mut most) = (Duration::ZERO, before);
    for round in 0..20 {
        crowd.extend((0..10).map(|number| lingerer(address, number)));
        for stream in &mut crowd {
            // Another byte of the request, if it is one that sends any.
            let _gone = stream.write_all(b"x");
        }
        let begin = Instant::now();
        let scrape = Scrape::of(address);
        slowest = slowest.max(begin.elapsed());
        let up = scrape.value("containerpilot_job_up{name=\"app\"}");
        assert_eq!(up, 1.0, "round {round}");
        most = (
            most.0.max(threads()),
            most.1.max(files()),
            most.2.max(resident()),
        );
    }
    assert_eq!(supervisor.http("GET", "/v3/ping", "").body, "ok");
    println!("threads, files and KiB: {before:?}, then {most:?}; slowest scrape: {slowest:?}");
    assert!(most.0 <= before.0 + MOST, "threads");
    assert!(most.1 <= before.1 + MOST + 1, "files");
    assert!(most.2 <= before.2 + 4096, "memory");

    // The last of them are not closed to make room: their time is over.
    let begin = Instant::now();
    for stream in &mut crowd {
        let end = stream.read_to_end(&mut Vec::new());
        // It is a reset if the server closed before it had read all.
        let timed_out = end.is_err_and(|error| error.kind() == ErrorKind::WouldBlock);
        assert!(!timed_out, "a connection outlives its time");
    }
    println!("all were closed {:?} later", begin.elapsed());
    assert!(begin.elapsed() < Duration::from_secs(30));
    let deadline = deadline();
    while files() > before.1 || threads() > before.0 + 8 {
        Scrape::of(address);
        assert!(Instant::now() < deadline, "{} files", files());
    }
}
