//! Telemetry of the real binary, as Prometheus, Consul and an operator see it.
//!
//! What happens is caused by the test, and what is scraped must be exactly that.
//! The log says that the supervisor has taken notice of something (at the level
//! DEBUG it names every event), so that no scrape comes too early.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that cannot set up its world must fail loudly"
)]

#[path = "../support/mod.rs"]
mod support;

mod advertised;
mod crowd;
mod exhaustion;
mod life;
mod listener;
mod pushes;
mod scrape;
mod status;
