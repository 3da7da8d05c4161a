//! ContainerPilot: an init and process supervisor.

pub mod config;
pub mod environment;
pub mod event;
