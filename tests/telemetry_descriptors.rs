//! The telemetry server without file descriptors; in a process of its own, since
//! the limit is the process's.

#![allow(
    clippy::unwrap_used,
    reason = "a test that cannot set up its world must fail loudly"
)]

use std::fs::File;
use std::io::{self, Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::os::fd::{AsRawFd as _, FromRawFd as _};
use std::time::{Duration, Instant};

use containerpilot::telemetry::metrics::Metrics;
use containerpilot::telemetry::question::Answer;
use containerpilot::telemetry::server::{Outside, Telemetry};

/// How long anything may take before the test fails.
const PATIENCE: Duration = Duration::from_secs(40);

const SCRAPE: &[u8] = b"GET /metrics HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";

/// A server whose every answer is that nothing has happened yet.
fn server() -> Telemetry {
    let outside = Outside {
        version: "4.0.0",
        revision: "c7fef99",
        ask: Box::new(|_, to| {
            let snapshot = Metrics::default().snapshot(Instant::now());
            to.send(Answer::Metrics(Box::new(snapshot)));
        }),
        log_lines_dropped: Box::new(|| 0),
    };
    Telemetry::start((Ipv4Addr::LOCALHOST, 0).into(), outside).unwrap()
}

fn limit_descriptors(limit: libc::rlim_t) {
    let limit = libc::rlimit {
        rlim_cur: limit,
        rlim_max: limit,
    };
    // SAFETY: the pointer is to a live rlimit, which is only read.
    let set = unsafe { libc::setrlimit(libc::RLIMIT_NOFILE, &raw const limit) };
    assert_eq!(set, 0, "{}", io::Error::last_os_error());
}

/// A socket that is not connected yet, so that connecting takes no descriptor.
fn socket() -> TcpStream {
    // SAFETY: socket takes no pointers.
    let fd = unsafe { libc::socket(libc::AF_INET, libc::SOCK_STREAM | libc::SOCK_CLOEXEC, 0) };
    assert!(fd >= 0, "{}", io::Error::last_os_error());
    // SAFETY: the kernel just gave us this descriptor.
    let stream = unsafe { TcpStream::from_raw_fd(fd) };
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream
}

fn connect(stream: &TcpStream, server: SocketAddr) {
    let address = libc::sockaddr_in {
        sin_family: libc::AF_INET as libc::sa_family_t,
        sin_port: server.port().to_be(),
        sin_addr: libc::in_addr {
            s_addr: u32::from(Ipv4Addr::LOCALHOST).to_be(),
        },
        sin_zero: [0; 8],
    };
    // SAFETY: the pointer is to a live address of the length given.
    let connected = unsafe {
        libc::connect(
            stream.as_raw_fd(),
            (&raw const address).cast(),
            size_of::<libc::sockaddr_in>() as libc::socklen_t,
        )
    };
    assert_eq!(connected, 0, "{}", io::Error::last_os_error());
}

fn answer(stream: &mut TcpStream) -> String {
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

#[test]
fn without_descriptors_scrapes_wait_and_go_on_by_themselves() {
    let telemetry = server();
    limit_descriptors(64);
    let mut known = socket();
    connect(&known, telemetry.address());
    // Once it has heard of the server it has certainly been accepted.
    known
        .write_all(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        .unwrap();
    known.read_exact(&mut [0]).unwrap();
    let mut waiting: Vec<TcpStream> = (0..20).map(|_| socket()).collect();
    let mut files = Vec::new();
    let shortage = loop {
        match File::open("/dev/null") {
            Ok(file) => files.push(file),
            Err(error) => break error,
        }
    };
    assert_eq!(shortage.raw_os_error(), Some(libc::EMFILE));

    // A connection from before is served, but /proc can't be read.
    known.write_all(SCRAPE).unwrap();
    let scraped = answer(&mut known);
    assert!(scraped.contains("HTTP/1.1 200 OK\r\n"), "{scraped}");
    assert!(!scraped.contains("process_open_fds"), "{scraped}");
    assert!(scraped.contains("containerpilot_build_info"), "{scraped}");

    for stream in &mut waiting {
        connect(stream, telemetry.address());
        stream.write_all(SCRAPE).unwrap();
    }
    drop(files);
    for stream in &mut waiting {
        let scraped = answer(stream);
        assert!(scraped.starts_with("HTTP/1.1 200 OK\r\n"), "{scraped}");
    }
}
