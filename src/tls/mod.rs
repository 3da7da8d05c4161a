//! TLS as a client: the files that prove who is who, and sessions made of them.
//!
//! The configuration loads them, so that a bad file is a configuration error; a
//! connection uses what was loaded then and never reads a file again. Without
//! the feature `tls` there is nothing to load.

#[cfg(not(feature = "tls"))]
mod absent;
#[cfg(feature = "tls")]
mod files;

use std::io;
use std::path::{Path, PathBuf};

#[cfg(not(feature = "tls"))]
pub use absent::{Tls, load, share};
#[cfg(feature = "tls")]
pub use files::{Tls, load, share};

/// What reads a whole file that the configuration names. It is given, because it
/// has bounds that are not of TLS: such a file may be a pipe, or have no end.
pub type Reader = fn(&Path) -> io::Result<Vec<u8>>;

/// How the other side proves who it is, and we to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsSpec {
    /// A file of certificates to trust.
    pub ca_file: Option<PathBuf>,
    /// A directory of certificates to trust.
    pub ca_path: Option<PathBuf>,
    /// Our certificate.
    pub client_cert: Option<PathBuf>,
    /// The key of our certificate.
    pub client_key: Option<PathBuf>,
    /// The name the other side's certificate must carry, if not that of the host.
    pub server_name: Option<String>,
    /// Whether the other side's certificate is verified at all.
    pub verify: bool,
}

/// What is wrong with one setting.
#[derive(Debug)]
pub struct Problem {
    /// The key within the object, e.g. `cafile`; empty for the object itself.
    pub key: &'static str,
    /// What is wrong, and with which file.
    pub message: String,
    /// Why the file could not be read, if that is what is wrong.
    pub cause: Option<io::Error>,
}

impl Problem {
    fn new(key: &'static str, message: impl Into<String>) -> Self {
        Self {
            key,
            message: message.into(),
            cause: None,
        }
    }
}
