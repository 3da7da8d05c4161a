//! `control`: where the control plane listens (SPEC §8).

use std::path::PathBuf;

/// Where the control plane listens by default.
pub const DEFAULT_SOCKET: &str = "/var/run/containerpilot.socket";

/// Where the control plane listens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ControlSpec {
    /// The path of the Unix socket.
    pub socket: PathBuf,
}
