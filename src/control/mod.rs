//! The control plane: the HTTP API on a Unix socket (SPEC §8).

mod access;
pub mod api;
mod body;
mod notice;
mod offences;
mod path;
pub mod place;
mod query;
pub mod request;
pub mod server;
mod socket;
pub mod status;
pub mod streams;

pub use socket::Error as SocketError;
