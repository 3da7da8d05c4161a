//! Service discovery against the real Consul, and against servers that only
//! pretend to be one.
//!
//! Drives the module in this process: what the event loop would wish for is
//! called here, and the facts that it would be told arrive in a channel.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test that cannot set up its world must fail loudly"
)]

#[path = "../support/mod.rs"]
mod support;

mod cluster;
mod faults;
mod log;
mod services;
#[cfg(feature = "tls")]
mod tls;
mod watches;
mod world;
