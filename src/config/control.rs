//! `control`: where the control plane listens (SPEC §8).

use std::path::PathBuf;

use super::findings::{Findings, Path};
use super::table::{Preset, object};

/// Where the control plane listens by default.
pub const DEFAULT_SOCKET: &str = "/var/run/containerpilot.socket";

/// The longest path of a Unix socket: `sun_path` less its NUL, see unix(7).
const LONGEST_PATH: usize = 107;

/// Where the control plane listens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ControlSpec {
    /// The path of the Unix socket.
    pub socket: PathBuf,
}

object! {
    /// Where the control plane listens, as the file has it.
    RawControl in "control" {
        socket: String = "socket", Preset::Text(DEFAULT_SOCKET),
            "The Unix socket of the control plane; its directory is made if there is none.";
    }
}

impl RawControl {
    /// Where the control plane listens.
    pub(crate) fn into_spec(self, at: &Path<'_>, findings: &mut Findings) -> ControlSpec {
        let socket = self.socket.unwrap_or_default();
        if socket.len() > LONGEST_PATH {
            let message = format!(
                "is {} bytes long; the path of a Unix socket has at most {LONGEST_PATH}",
                socket.len()
            );
            findings.error(&at.key("socket"), message);
        }
        ControlSpec {
            socket: socket.into(),
        }
    }
}
