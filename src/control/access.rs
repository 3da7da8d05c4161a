//! Who may connect to the control socket: the mode, owner and group of its file
//! (SPEC §16).
//!
//! A file is never open to anybody who may not connect both by what held before
//! and by what holds then: what is taken away goes first, what is given comes
//! last. Called when the socket is made, which is open to its maker alone until
//! then, and by a reload that leaves it where it is.

use std::fmt;
use std::io::{self, ErrorKind};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use crate::config::control::Access;
use crate::unix_socket::Pinned;

/// Why the file cannot be given what is wanted.
#[derive(Debug)]
pub struct Error {
    path: PathBuf,
    /// What was tried.
    what: String,
    cause: io::Error,
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { path, what, cause } = self;
        write!(f, "cannot give the control socket {path:?} {what}: {cause}")?;
        if cause.kind() == ErrorKind::PermissionDenied {
            f.write_str("; only root can give it away, others only to a group of their own")?;
        }
        Ok(())
    }
}

impl std::error::Error for Error {}

/// Gives the socket's `file`, found at `path`, the mode, the owner and the group of
/// `access`; who is not named there is this process's.
///
/// # Errors
/// What could not be given. The file may be open to fewer than before then.
pub(super) fn set(file: &Pinned, path: &Path, access: Access) -> Result<(), Error> {
    let failed = |what: String| {
        move |cause| Error {
            path: path.to_owned(),
            what,
            cause,
        }
    };
    let mode = access.mode;
    let to_mode = || failed(format!("mode {mode:04o}"));
    let now = file.metadata();
    let (owner, group) = (
        access.owner.unwrap_or_else(own_user),
        access.group.unwrap_or_else(own_group),
    );
    let mode_now = now.mode() & 0o7777;
    if mode_now & !mode != 0 {
        file.set_mode(mode_now & mode).map_err(to_mode())?;
    }
    if (now.uid(), now.gid()) != (owner, group) {
        let given = file.give(owner, group);
        given.map_err(failed(format!("to user {owner} and group {group}")))?;
    }
    if mode_now != mode {
        file.set_mode(mode).map_err(to_mode())?;
    }
    Ok(())
}

fn own_user() -> u32 {
    // SAFETY: geteuid only reads a property of this process.
    unsafe { libc::geteuid() }
}

fn own_group() -> u32 {
    // SAFETY: getegid only reads a property of this process.
    unsafe { libc::getegid() }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use std::fs;
    use std::os::unix::net::UnixListener;

    #[test]
    fn the_file_gets_what_is_wanted_and_nothing_else_does() {
        let directory = std::env::temp_dir().join(format!("cp-access-{}", std::process::id()));
        fs::create_dir_all(&directory).unwrap();
        let path = directory.join("s");
        let _listener = UnixListener::bind(&path).unwrap();
        let set = |access| set(&Pinned::at(&path).unwrap(), &path, access).unwrap();
        for mode in [0o600, 0o660, 0o606, 0o600] {
            set(Access {
                mode,
                ..Access::default()
            });
            assert_eq!(fs::metadata(&path).unwrap().mode() & 0o7777, mode);
        }
        if own_user() == 0 {
            set(Access {
                mode: 0o660,
                owner: Some(4711),
                group: Some(4712),
            });
            let file = fs::metadata(&path).unwrap();
            assert_eq!(
                (file.uid(), file.gid(), file.mode() & 0o777),
                (4711, 4712, 0o660)
            );
            set(Access::default());
            let file = fs::metadata(&path).unwrap();
            assert_eq!(
                (file.uid(), file.gid(), file.mode() & 0o777),
                (0, own_group(), 0o600)
            );
        }
        fs::remove_dir_all(directory).unwrap();
    }
}
