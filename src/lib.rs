//! ContainerPilot: an init and process supervisor.

pub mod cli;
pub mod client;
pub mod config;
pub mod control;
pub mod environment;
pub mod event;
pub mod http;
pub mod logging;
pub mod main_loop;
pub mod message;
pub mod process;
pub mod signals;
pub mod supervisor;
pub mod telemetry;
pub mod unix_socket;
