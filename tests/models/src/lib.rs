//! Model checks, by loom: every order in which a few threads can do what the
//! program's threads do with each other is tried.
//!
//! The code is the program's own ([`build.rs`] fetches it). A lost wake-up is a
//! thread that waits for ever, which loom finds; waits end by their timeouts only
//! once a model says that the time is over. `scripts/model` runs them.
#![cfg(test)]
#![allow(
    dead_code,
    unused_imports,
    reason = "models use a part of what is included"
)]

mod kernel;
mod shims;

pub(crate) use shims::{config, message, sync, thread, time, waker};

pub(crate) mod ring {
    include!(concat!(env!("OUT_DIR"), "/ring.rs"));
}

pub(crate) mod sorted {
    include!(concat!(env!("OUT_DIR"), "/sorted.rs"));
}

mod children;
mod feed;
mod handoff;
mod queue;
mod workers;

/// Tries every order, up to so many switches away from a thread that could go on.
pub(crate) fn check(switches: usize, model: impl Fn() + Send + Sync + 'static) {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = Some(switches);
    builder.check(model);
}
