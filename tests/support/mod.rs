//! The black-box test world: the real binary, real processes, real sockets.
//!
//! A test writes a configuration, starts a [`Supervisor`] in a temporary
//! directory of its own and waits for facts: lines that the jobs' scripts write
//! to `$FACTS`, lines of the log, answers on the socket, exits. Nothing here
//! sleeps, and nothing here links the library: what is tested is what an
//! operator has. Deadlines are generous and only bound failure.
//!
//! The binary under test is the one cargo built, or the one that
//! `CONTAINERPILOT_TEST_BINARY` names (a release or a static build).

#![allow(
    dead_code,
    unused_imports,
    reason = "no test file uses all of the world"
)]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test that cannot set up its world must fail loudly"
)]

pub(crate) mod bridge;
pub(crate) mod certificates;
pub(crate) mod cgroup;
pub(crate) mod command;
pub(crate) mod consul;
pub(crate) mod facts;
pub(crate) mod fake_consul;
pub(crate) mod http;
pub(crate) mod image;
pub(crate) mod lines;
pub(crate) mod namespace;
pub(crate) mod network;
pub(crate) mod probe;
pub(crate) mod processes;
pub(crate) mod programs;
pub(crate) mod prometheus;
pub(crate) mod streams;
pub(crate) mod supervisor;
pub(crate) mod temporary;
pub(crate) mod terminal;
pub(crate) mod validation;

use std::net::Ipv4Addr;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::{Duration, Instant};

pub(crate) use command::{Outcome, run};
pub(crate) use facts::{Facts, Gate, Lifeline};
pub(crate) use supervisor::{Start, Supervisor, arguments, jobs};
pub(crate) use temporary::Temporary;
pub(crate) use terminal::Terminal;

/// How long anything may take before a test fails. Never a measure of speed:
/// the machine may be busy with other tests.
pub(crate) const PATIENCE: Duration = Duration::from_secs(40);

/// What is promised at once happens within this even on a machine that stands
/// still for a while; what goes wrong instead waits for a time-out or a deadline,
/// which are longer.
pub(crate) const SOON: Duration = Duration::from_secs(4);

/// The search path of everything that a test starts.
pub(crate) const SEARCH_PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// The binary under test.
pub(crate) fn binary() -> PathBuf {
    std::env::var_os("CONTAINERPILOT_TEST_BINARY").map_or_else(
        || env!("CARGO_BIN_EXE_containerpilot").into(),
        PathBuf::from,
    )
}

/// The moment at which a wait that begins now has failed.
pub(crate) fn deadline() -> Instant {
    Instant::now() + PATIENCE
}

/// An address of 127.0.0.0/8 that nothing else of the tests has, so that whatever
/// listens there can use its usual port.
pub(crate) fn free_address() -> Ipv4Addr {
    static NEXT: AtomicU8 = AtomicU8::new(1);
    let [.., high, low] = std::process::id().to_be_bytes();
    Ipv4Addr::new(127, high, low, NEXT.fetch_add(1, Ordering::Relaxed))
}

/// Whether this is continuous integration, where a test that cannot run is a
/// failure.
pub(crate) fn is_ci() -> bool {
    std::env::var_os("CI").is_some_and(|value| !value.is_empty() && value != "false")
}

/// Says that a test cannot run on this machine and why; fails it in continuous
/// integration.
pub(crate) fn skip(reason: &str) {
    assert!(
        !is_ci(),
        "cannot be skipped in continuous integration: {reason}"
    );
    eprintln!("SKIPPED: {reason}");
}

/// Whether the tests run as root.
pub(crate) fn is_root() -> bool {
    // SAFETY: geteuid only reads a property of this process.
    unsafe { libc::geteuid() == 0 }
}

/// What makes the following command run as nobody, if the tests run as root.
pub(crate) const NOBODY: [&str; 4] = [
    "setpriv",
    "--reuid=65534",
    "--regid=65534",
    "--clear-groups",
];
