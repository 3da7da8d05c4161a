//! Being told that names in a directory have come or gone, without a thread that waits
//! for it: `F_NOTIFY` of fcntl(2), which sends this process SIGIO.
//!
//! Not inotify(7): the kernel lets nobody close one in less than ten or twenty
//! milliseconds, thirty times as long as everything else of a shutdown takes, and
//! has but 128 of them for all processes of a user. What has happened is not said:
//! whoever is told has to look. Used by the place of the control socket; the
//! signal's way is that of all others.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

/// `DN_CREATE`, `DN_DELETE` and `DN_RENAME` of <linux/fcntl.h>: a name in it came,
/// went, or was given to another file.
const TOUCHED: libc::c_int = 0x4 | 0x8 | 0x10;

/// While it lives, SIGIO tells that the directory was touched, once: a new one must
/// be made before each look.
#[derive(Debug)]
pub(super) struct Notice {
    _directory: File,
}

impl Notice {
    /// Of the directory that the file at `path` is in.
    ///
    /// # Errors
    /// There is no such directory, it may not be read, or the kernel does not tell.
    pub(super) fn of(path: &Path) -> io::Result<Self> {
        let directory = open_directory(super::socket::directory(path))?;
        let fd = directory.as_raw_fd();
        // The process, not the thread that happens to ask.
        // SAFETY: a call without pointers.
        let own = unsafe { libc::getpid() };
        // SAFETY: a call without pointers on a descriptor that is open.
        check(unsafe { libc::fcntl(fd, libc::F_SETOWN, own) })?;
        // SAFETY: as above.
        check(unsafe { libc::fcntl(fd, libc::F_NOTIFY, TOUCHED) })?;
        Ok(Self {
            _directory: directory,
        })
    }
}

/// Opens a directory, and nothing else: what somebody has put in its place may be a
/// FIFO that nobody ever opens from the other side.
pub(super) fn open_directory(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    let options = options.read(true);
    options.custom_flags(libc::O_DIRECTORY).open(path)
}

fn check(result: libc::c_int) -> io::Result<libc::c_int> {
    match result {
        0.. => Ok(result),
        _ => Err(io::Error::last_os_error()),
    }
}
