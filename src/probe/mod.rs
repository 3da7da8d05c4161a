//! Health checks that are built in (SPEC §15): a request or a connection instead
//! of a process, on a worker thread of its own for each.
//!
//! A worker has one deadline over everything that it does, and reports exactly
//! once, even if it panics. The one thing that it cannot interrupt is a name
//! lookup of the C library; the supervisor does not wait for that. It keeps
//! nothing from one check to the next: no connection, no address, no session.

mod connection;
#[cfg(any(test, fuzzing))]
pub mod fuzzing;
mod http;
mod response;

use std::panic::{self, AssertUnwindSafe};
use std::thread;
use std::time::{Duration, Instant};

use self::connection::{Time, connect};
use crate::bug;
use crate::config::ProbeSpec;
use crate::config::url::Place;
use crate::inbox::Sender;
use crate::message::{Message, Probe};
use crate::name_lookup::without_asking;

/// For an exchange in plain HTTP with an address, which takes 16 KiB of it without
/// any optimization.
const STACK: usize = 64 * 1024;

/// For a TLS handshake, which takes 56 KiB so, and for whatever the C library's
/// modules need for a name lookup.
const LARGE_STACK: usize = 256 * 1024;

/// Begins a check on a worker of its own; [`Message::Probed`] answers.
pub fn start(probe: Probe, inbox: &Sender<Message>) {
    let exec = probe.exec;
    let thread = thread::Builder::new()
        .name("check".to_owned())
        .stack_size(stack(&probe.spec));
    let report_to = inbox.clone();
    let started = thread.spawn(move || {
        let result = panic::catch_unwind(AssertUnwindSafe(|| {
            bug::on_demand("check");
            run(&probe.spec, probe.timeout)
        }));
        let panicked = |_| Err("internal error: the check panicked".to_owned());
        // The loop ends last; if it has ended, nobody needs the report.
        let _gone = report_to.send(Message::Probed(exec, result.unwrap_or_else(panicked)));
    });
    if let Err(cause) = started {
        let why = format!("cannot start a thread for it: {cause}");
        let _as_above = inbox.send(Message::Probed(exec, Err(why)));
    }
}

/// What was seen within `timeout`, or why the check failed.
///
/// # Errors
/// A sentence for the log.
pub fn run(spec: &ProbeSpec, timeout: Duration) -> Result<String, String> {
    let began = Instant::now();
    let time = Time::of(began, timeout);
    match spec {
        ProbeSpec::Http(spec) => http::check(spec, time),
        ProbeSpec::Connect(place) => {
            drop(connect(place, time)?);
            Ok(format!("connected after {:.1?}", began.elapsed()))
        }
    }
}

fn stack(spec: &ProbeSpec) -> usize {
    let (place, leads_elsewhere) = match spec {
        ProbeSpec::Http(spec) => (&spec.url.place, spec.tls.is_some() || spec.redirects > 0),
        ProbeSpec::Connect(place) => (place, false),
    };
    let is_asked_for = match place {
        Place::Tcp(address) => without_asking(&address.host).is_none(),
        Place::Unix(_) => false,
    };
    match leads_elsewhere || is_asked_for {
        true => LARGE_STACK,
        false => STACK,
    }
}
