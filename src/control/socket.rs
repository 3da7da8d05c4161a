//! The control socket's file: made without stealing a live one, removed only
//! while it is still ours (SPEC §8).
//!
//! Called by the control server. Never connects to its own socket.
//!
//! Looking whether somebody listens, removing a stale file and making a new one
//! are three steps; so are looking and removing at the end. Two supervisors that
//! start at once must not step between each other's, so every supervisor holds a
//! lock on the directory meanwhile: flock(2), which leaves no file behind and ends
//! with its process.

use std::fmt;
use std::fs::{self, File, Metadata};
use std::io::{self, ErrorKind};
use std::os::fd::AsRawFd;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use super::access;
use super::notice::open_directory;
use crate::config::ControlSpec;
use crate::inbox::inbox;
use crate::unix_socket::{self, Pinned};

/// Only the supervisor's own user may ask until all that is wanted is set.
const MODE: u32 = 0o600;

/// How long to wait for the lock. Others hold it for a moment; should a stranger
/// hold it for good, going on without is better than not starting.
const LOCK_PATIENCE: Duration = Duration::from_secs(2);

/// The same at the end, which nobody may hold up.
const LAST_PATIENCE: Duration = Duration::from_millis(100);

/// Enough for who waits for the lock.
const STACK: usize = 64 << 10;

/// How long somebody who listens may take to be connected.
const PROBE_PATIENCE: Duration = Duration::from_secs(1);

/// Why the control socket cannot be listened on.
#[derive(Debug)]
pub enum Error {
    /// Somebody accepts connections there.
    Taken(PathBuf),
    /// Somebody else has put a file there.
    Replaced(PathBuf),
    /// There is a file, but it is no socket.
    NotASocket(PathBuf),
    /// The path does not fit into a socket's address.
    TooLong(PathBuf),
    /// The directory is not there and cannot be made.
    Directory(PathBuf, io::Error),
    /// Its file cannot be given to whom it shall belong.
    Access(access::Error),
    /// What else the kernel said.
    Io(PathBuf, io::Error),
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Taken(path) => write!(
                f,
                "another containerpilot is listening on {}",
                path.display()
            ),
            Self::Replaced(_) => f.write_str(
                "another file is in its place; remove that, or send SIGUSR1 if it is a socket on which nobody listens",
            ),
            Self::NotASocket(path) => {
                write!(
                    f,
                    "cannot listen on {path:?}: there is a file that is not a socket; remove it or set another control.socket"
                )
            }
            Self::TooLong(path) => write!(
                f,
                "cannot listen on {path:?}: the path has {} bytes, a socket's may have {} at most; set a shorter control.socket",
                path.as_os_str().len(),
                unix_socket::MAX_PATH
            ),
            Self::Directory(path, error) => write!(
                f,
                "cannot create the control socket's directory {path:?}: {error}{}",
                way_out(error)
            ),
            Self::Access(error) => error.fmt(f),
            Self::Io(path, error) => {
                write!(f, "cannot listen on {path:?}: {error}{}", way_out(error))
            }
        }
    }
}

/// What helps on a read-only root, and a user who is not root.
fn way_out(error: &io::Error) -> &'static str {
    match error.kind() {
        ErrorKind::ReadOnlyFilesystem | ErrorKind::PermissionDenied => {
            "; set control.socket to a path where this user can write"
        }
        _ => "",
    }
}

impl std::error::Error for Error {}

/// The file of a socket that this process listens on; removed on drop, unless
/// somebody has put another one in its place.
#[derive(Debug)]
pub(super) struct SocketFile {
    path: PathBuf,
    /// Device and inode. The inode's number is not given to another file as long
    /// as the listener lives, so this must be dropped before that.
    identity: (u64, u64),
}

impl SocketFile {
    /// Listens on a path, whose directory is made if it is missing. A socket on
    /// which nobody accepts is replaced.
    pub(super) fn listen(spec: &ControlSpec) -> Result<(Self, UnixListener), Error> {
        Self::make(spec, remove_stale)
    }

    /// The same, but whatever is there stays.
    pub(super) fn listen_where_nothing_is(
        spec: &ControlSpec,
    ) -> Result<(Self, UnixListener), Error> {
        let made = Self::make(spec, |path| match fs::symlink_metadata(path) {
            Ok(_) => Err(Error::Replaced(path.to_owned())),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
            Err(error) => Err(Error::Io(path.to_owned(), error)),
        });
        made.map_err(|error| match error {
            Error::Taken(path) => Error::Replaced(path),
            error => error,
        })
    }

    fn make(
        spec: &ControlSpec,
        make_room: impl FnOnce(&Path) -> Result<(), Error>,
    ) -> Result<(Self, UnixListener), Error> {
        let path = spec.socket.as_path();
        if path.as_os_str().as_bytes().len() > unix_socket::MAX_PATH {
            return Err(Error::TooLong(path.to_owned()));
        }
        let directory = directory(path);
        fs::create_dir_all(directory)
            .map_err(|error| Error::Directory(directory.to_owned(), error))?;
        let _lock = lock(directory, LOCK_PATIENCE);
        make_room(path)?;
        let failed = |error: io::Error| match error.kind() {
            // Only without a lock: somebody else has been faster.
            ErrorKind::AddrInUse => Error::Taken(path.to_owned()),
            _ => Error::Io(path.to_owned(), error),
        };
        let listener = unix_socket::bind(path, MODE).map_err(failed)?;
        let made = Pinned::at(path).map_err(failed)?;
        // Removed again if its access cannot be set.
        let file = Self {
            path: path.to_owned(),
            identity: identity(made.metadata()),
        };
        access::set(&made, path, spec.access).map_err(Error::Access)?;
        Ok((file, listener))
    }

    /// Whether the path still leads to it.
    pub(super) fn is_there(&self) -> bool {
        self.is_at(&self.path)
    }

    /// Whether this path leads to it, too.
    pub(super) fn is_at(&self, path: &Path) -> bool {
        let there = fs::symlink_metadata(path);
        there.is_ok_and(|there| identity(&there) == self.identity)
    }
}

/// Lets those connect who may by `spec`, on a socket that is there.
///
/// # Errors
/// If its file cannot be changed so.
pub(super) fn set_access(spec: &ControlSpec) -> Result<(), Error> {
    let path = &spec.socket;
    let file = Pinned::at(path).map_err(|error| Error::Io(path.clone(), error))?;
    access::set(&file, path, spec.access).map_err(Error::Access)
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        let _lock = lock(directory(&self.path), LAST_PATIENCE);
        if self.is_there()
            && let Err(error) = fs::remove_file(&self.path)
        {
            log::warn!("cannot remove the control socket {:?}: {error}", self.path);
        }
    }
}

pub(super) fn directory(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if parent != Path::new("") => parent,
        _ => Path::new("."),
    }
}

fn identity(file: &Metadata) -> (u64, u64) {
    (file.dev(), file.ino())
}

/// Makes the path free, if nothing that is alive or not ours is there.
fn remove_stale(path: &Path) -> Result<(), Error> {
    let failed = |error| Error::Io(path.to_owned(), error);
    match fs::symlink_metadata(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(failed(error)),
        Ok(metadata) if !metadata.file_type().is_socket() => {
            return Err(Error::NotASocket(path.to_owned()));
        }
        Ok(_) => {}
    }
    match unix_socket::connect(path, PROBE_PATIENCE).map_err(|error| (error.kind(), error)) {
        // WouldBlock: it listens, but has no time.
        Ok(_) | Err((ErrorKind::WouldBlock, _)) => Err(Error::Taken(path.to_owned())),
        Err((ErrorKind::ConnectionRefused, _)) => fs::remove_file(path).map_err(failed),
        Err((ErrorKind::NotFound, _)) => Ok(()),
        Err((_, error)) => Err(failed(error)),
    }
}

/// The lock on a directory, held until the file is dropped; none if there is no
/// getting it so soon, or at all because the file system knows no locks.
fn lock(directory: &Path, patience: Duration) -> Option<File> {
    let file = open_directory(directory).ok()?;
    if flock(&file, libc::LOCK_EX | libc::LOCK_NB).is_ok() {
        return Some(file);
    }
    // flock knows no timeout, so a thread waits. Should it come too late, the
    // file is dropped and the lock with it.
    let (sender, receiver) = inbox();
    let waiter = thread::Builder::new().name("lock".to_owned());
    let wait = move || match flock(&file, libc::LOCK_EX) {
        Ok(()) => drop(sender.send(file)),
        Err(error) => log::debug!("cannot lock the control socket's directory: {error}"),
    };
    waiter.stack_size(STACK).spawn(wait).ok()?;
    receiver.recv_timeout(patience).ok()
}

fn flock(file: &File, operation: libc::c_int) -> io::Result<()> {
    // SAFETY: a call without pointers on a descriptor that is open.
    match unsafe { libc::flock(file.as_raw_fd(), operation) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

#[cfg(test)]
mod tests;
