//! Many clients that mean no good: scrapes go on, and nothing grows.

use std::io::{Read as _, Write as _};
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
fn silent_and_slow_clients_hold_up_no_scrape_and_end_by_themselves() {
    let address = somewhere();
    let supervisor = jobs(r#"{ name: "app", exec: ["sleep", "1000"] }"#)
        .setting(&telemetry(address, ""))
        .ready();
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

    // The last of them were not closed to make room: their time is over.
    for mut stream in crowd {
        let mut rest = Vec::new();
        // The server may have closed before it had read all.
        let _reset = stream.read_to_end(&mut rest);
    }
    let deadline = deadline();
    while files() > before.1 || threads() > before.0 + 8 {
        Scrape::of(address);
        assert!(Instant::now() < deadline, "{} files", files());
    }
}
