//! Being told that somebody has touched a file, without a thread that waits for it:
//! inotify(7) with signal-driven I/O, which sends this process SIGIO.
//!
//! Watches the file itself, not its directory, in which others may be busy. What
//! has happened is not said: whoever is told has to look. Used by the place of the
//! control socket; the signal's way is that of all others.

use std::ffi::CString;
use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

/// Its directory entry is gone (a change of its link count is an attribute's) or has
/// another name.
const TOUCHED: u32 = libc::IN_ATTRIB | libc::IN_MOVE_SELF | libc::IN_DELETE_SELF;

/// While it lives, SIGIO tells that the file was touched. One tells of the first
/// time surely, of others perhaps: a new one must be made before each look.
#[derive(Debug)]
pub(super) struct Notice {
    _inotify: OwnedFd,
}

impl Notice {
    /// Of the file at `path`, whatever it is.
    ///
    /// # Errors
    /// There is no such file, it may not be read, or the kernel has no more of these
    /// to give (fs.inotify.max_user_instances) or none at all.
    pub(super) fn of(path: &Path) -> io::Result<Self> {
        let path = CString::new(path.as_os_str().as_bytes())?;
        // SAFETY: a call without pointers.
        let fd = check(unsafe { libc::inotify_init1(libc::IN_CLOEXEC | libc::IN_NONBLOCK) })?;
        // SAFETY: the descriptor is new and nobody else owns it.
        let inotify = unsafe { OwnedFd::from_raw_fd(fd) };
        // SAFETY: a call without pointers.
        let own = unsafe { libc::getpid() };
        // SAFETY: a call without pointers on a descriptor that is open.
        check(unsafe { libc::fcntl(fd, libc::F_SETOWN, own) })?;
        let flags = libc::O_ASYNC | libc::O_NONBLOCK;
        // SAFETY: a call without pointers on a descriptor that is open.
        check(unsafe { libc::fcntl(inotify.as_raw_fd(), libc::F_SETFL, flags) })?;
        let mask = TOUCHED | libc::IN_DONT_FOLLOW;
        // SAFETY: the path ends with NUL and lives as long as the call.
        check(unsafe { libc::inotify_add_watch(fd, path.as_ptr(), mask) })?;
        Ok(Self { _inotify: inotify })
    }
}

fn check(result: libc::c_int) -> io::Result<libc::c_int> {
    match result {
        0.. => Ok(result),
        _ => Err(io::Error::last_os_error()),
    }
}
