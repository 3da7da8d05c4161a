//! The manual on health checks that are built in, against real servers.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test that cannot set up its world must fail loudly"
)]

#[path = "../support/mod.rs"]
mod support;

mod answers;
mod connections;
mod life;
mod names;
#[cfg(feature = "tls")]
mod tls;
mod web;

use support::{Supervisor, jobs};

/// A check that comes again so soon that no test waits for it.
const OFTEN: &str = "interval: '20ms', ttl: 5";

/// The same, with all the time that a loaded machine may need.
const PATIENT: &str = "interval: '20ms', ttl: 5, timeout: '20s'";

/// A supervisor of jobs that are only checked: each a name and its check.
fn checking(checks: &[(&str, &str)]) -> Supervisor {
    let text = checks.iter().map(|(name, check)| {
        let often = match check.contains("timeout") {
            true => OFTEN,
            false => PATIENT,
        };
        format!("{{ name: {name:?}, health: {{ {check}, {often} }} }},\n")
    });
    jobs(&text.collect::<String>()).start()
}

/// Waits until the log has said each of these once of a job, in any order.
#[track_caller]
fn expect(supervisor: &Supervisor, expected: &[(&str, &str)]) {
    let mut left = expected.to_vec();
    while !left.is_empty() {
        let line = supervisor.stdout.wait_for(" is ");
        left.retain(|(name, text)| {
            let told = line
                .split_once(' ')
                .and_then(|(_, rest)| rest.strip_prefix(name));
            let is_told = told.is_some_and(|rest| rest.starts_with(" is "));
            assert!(
                !is_told || line.contains(text),
                "{name}: {text:?} expected, but: {line}"
            );
            !is_told
        });
    }
}

/// What the log says of a job whose check is answered with this status.
fn passed(status: u16) -> String {
    format!("is healthy: answered {status} after ")
}
