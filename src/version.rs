//! What this build is.

/// The version, as `-version` tells it.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");

/// The commit this was built from, if the build was told.
pub const GIT_HASH: &str = match option_env!("CONTAINERPILOT_GIT_HASH") {
    Some(hash) => hash,
    None => "unknown",
};
