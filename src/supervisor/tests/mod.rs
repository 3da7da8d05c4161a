//! The supervisor in a simulated world, in virtual time.
//!
//! [`sim`] is the world; the other files are a page of the manual each, and
//! [`worlds`] enumerates every short schedule of small configurations.

#![allow(clippy::unwrap_used, clippy::panic)]

mod backoff;
mod conditions;
mod conditions_reload;
mod ending;
mod essential;
mod health;
mod jobs;
mod operator;
mod plan;
mod probes;
mod reload;
mod requests;
mod services;
mod shutdown;
mod sim;
mod specs;
mod starts;
mod status;
mod stopping;
mod thresholds;
mod world;
mod worlds;
