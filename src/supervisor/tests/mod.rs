//! The supervisor in a simulated world, in virtual time.
//!
//! [`sim`] is the world; the other files are a page of the manual each, [`worlds`]
//! enumerates every short schedule of small configurations, and [`pairs`] every
//! reload from one of them to another.

#![allow(clippy::unwrap_used, clippy::panic)]

mod askers;
mod backoff;
mod conditions;
mod conditions_reload;
mod ending;
mod essential;
mod forwarding;
mod health;
mod jobs;
mod operations;
mod operations_reload;
mod operator;
mod pairs;
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
mod variants;
mod world;
mod worlds;
