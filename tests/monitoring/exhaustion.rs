//! The real binary without file descriptors: it waits, and is back by itself.

use std::net::TcpStream;
use std::time::Instant;

use crate::scrape::{Client, Scrape, connect, somewhere, telemetry};
use crate::support::processes::{limit_descriptors, lowest_free_descriptor};
use crate::support::{jobs, processes};

#[test]
fn without_descriptors_scrapes_wait_and_go_on_by_themselves() {
    let address = somewhere();
    let supervisor = jobs(r#"{ name: "app", exec: ["sleep", "1000"] }"#)
        .setting(&telemetry(address, ""))
        .ready();
    let mut known = Client::connect(address);
    known.ask("/status");
    known.answer();
    let pid = supervisor.pid();
    let before = limit_descriptors(pid, lowest_free_descriptor(pid));

    // A connection from before is served, but /proc cannot be read.
    known.ask("/metrics");
    let body = known.answer().body;
    assert!(
        body.contains("\ncontainerpilot_job_up{name=\"app\"} 1\n"),
        "{body}"
    );
    assert!(!body.contains("process_open_fds"), "{body}");

    let mut waiting: Vec<_> = (0..20).map(|_| Client::connect(address)).collect();
    for client in &mut waiting {
        client.ask("/metrics");
    }
    let line = supervisor.stdout.wait_for("cannot accept a connection");
    assert!(
        line.contains("telemetry: cannot accept a connection, trying again: "),
        "{line}"
    );
    assert!(line.contains("os error 24"), "{line}");
    limit_descriptors(pid, before);
    let begin = Instant::now();
    for client in &mut waiting {
        assert_eq!(client.answer().status, 200);
    }
    println!("20 scrapes {:?} after the want was over", begin.elapsed());
    let scrape = Scrape::of(address);
    assert!(scrape.value("process_open_fds") > 0.0);
    assert_eq!(supervisor.http("GET", "/v3/ping", "").body, "ok");
}

#[test]
fn a_crowd_takes_no_descriptor_that_a_job_needs() {
    let address = somewhere();
    let mut supervisor = jobs(
        r#"{ name: "app", exec: ["sleep", "1000"] },
           { name: "told", when: { source: "SIGHUP" }, exec: ["sh", "-c", "echo told >>$FACTS"] }"#,
    )
    .setting(&telemetry(address, ""))
    .through(&["sh", "-c", "ulimit -n 64; exec \"$@\"", "sh"])
    .ready();
    let _crowd: Vec<TcpStream> = (0..200).map(|_| connect(address)).collect();
    for _ in 0..10 {
        assert_eq!(Scrape::of(address).value("process_max_fds"), 64.0);
        supervisor.signal(libc::SIGHUP);
        supervisor.facts.expect(&["told"]);
        let files = processes::open_files(supervisor.pid());
        assert!(files < 50, "{files} files are open");
    }
}
