//! What stands in for TLS in a build without it: a clear configuration error.

use super::{Problem, Reader, TlsSpec};

/// Never exists in this build.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Tls {}

/// Refuses: this build cannot speak TLS.
///
/// # Errors
/// Always.
pub fn load(_: &TlsSpec, _: Reader) -> Result<Tls, Vec<Problem>> {
    Err(vec![Problem::new(
        "",
        "this build has no TLS: use the scheme \"http\", or a build with the feature \"tls\"",
    )])
}

impl Tls {
    /// The same, but every session proves anew who is who.
    #[must_use]
    pub fn without_resumption(self) -> Self {
        self
    }
}

/// There are none to share.
pub fn share<'t>(_: impl Iterator<Item = &'t mut Tls>) {}
