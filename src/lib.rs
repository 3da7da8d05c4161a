//! ContainerPilot: an init and process supervisor.

pub mod cli;
pub mod client;
pub mod config;
pub mod control;
pub mod discovery;
pub mod environment;
pub mod event;
pub mod http;
pub mod logging;
mod main_loop;
pub mod message;
pub mod preparation;
pub mod process;
pub mod signals;
pub mod supervise;
pub mod supervisor;
pub mod telemetry;
pub mod tls;
pub mod unix_socket;

/// The version, as `-version` tells it.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");

/// The commit this was built from, if the build was told.
pub const GIT_HASH: &str = match option_env!("CONTAINERPILOT_GIT_HASH") {
    Some(hash) => hash,
    None => "unknown",
};
