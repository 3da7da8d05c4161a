//! Telemetry: what a Prometheus server and an operator can see (SPEC §11, §16).
//!
//! The values ([`metrics`]) live on the event loop and are plain data. A scrape
//! takes a snapshot of them by a message; everything that costs time, from
//! quantiles to reading /proc, is done with the snapshot on the telemetry
//! thread. So a scrape holds the loop up for as long as copying takes.

pub mod exposition;
pub mod families;
mod float;
pub mod metrics;
pub mod negotiation;
pub mod process;
pub mod question;
#[cfg(test)]
mod random;
pub mod render;
pub mod server;
pub mod status;
