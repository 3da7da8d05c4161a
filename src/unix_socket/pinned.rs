//! The file of a socket, held as it was found: what others put in its place
//! meanwhile is not touched.
//!
//! Whoever may write to the directory of the control socket can swap its file for a
//! symbolic link between any two calls that take a path; chmod(2) would follow it
//! to any file of the system. Used wherever the file's mode or owner is set.

use std::ffi::CString;
use std::fs::{File, Metadata, Permissions};
use std::io::{self, ErrorKind};
use std::os::fd::{AsRawFd, FromRawFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt};
use std::path::Path;

/// fchmodat2(2), the same on all architectures since Linux 6.6. fchmod(2) takes no
/// descriptor of a file that cannot be opened.
const FCHMODAT2: libc::c_long = 452;

/// A socket's file.
#[derive(Debug)]
pub struct Pinned {
    file: File,
    metadata: Metadata,
}

impl Pinned {
    /// The one at `path`.
    ///
    /// # Errors
    /// There is none, or what is there is no socket, or one that has another name
    /// as well, which somebody may have given to a socket of others.
    pub fn at(path: &Path) -> io::Result<Self> {
        let file = open(path)?;
        let metadata = file.metadata()?;
        if !metadata.file_type().is_socket() {
            return Err(io::Error::other("it is no socket any more"));
        }
        if metadata.nlink() > 1 {
            return Err(io::Error::other("the file has more than one name"));
        }
        Ok(Self { file, metadata })
    }

    /// What it was when it was found.
    pub fn metadata(&self) -> &Metadata {
        &self.metadata
    }

    /// Gives it these permission bits.
    pub fn set_mode(&self, mode: u32) -> io::Result<()> {
        let fd = self.file.as_raw_fd();
        // SAFETY: the path is an empty string that ends with a NUL, the descriptor is
        // open, and the flag says that it is the file that is meant.
        let done = unsafe { libc::syscall(FCHMODAT2, fd, c"".as_ptr(), mode, libc::AT_EMPTY_PATH) };
        if done == 0 {
            return Ok(());
        }
        let error = io::Error::last_os_error();
        // An older kernel, or a sandbox of the time before that call.
        if !matches!(error.raw_os_error(), Some(libc::ENOSYS | libc::EPERM)) {
            return Err(error);
        }
        let descriptor = format!("/proc/self/fd/{fd}");
        match std::fs::set_permissions(descriptor, Permissions::from_mode(mode)) {
            Err(without) if without.kind() == ErrorKind::NotFound => Err(error),
            done => done,
        }
    }

    /// Gives it to a user and a group.
    pub fn give(&self, owner: u32, group: u32) -> io::Result<()> {
        let (fd, flags) = (self.file.as_raw_fd(), libc::AT_EMPTY_PATH);
        // SAFETY: as in `set_mode`.
        match unsafe { libc::fchownat(fd, c"".as_ptr(), owner, group, flags) } {
            0 => Ok(()),
            _ => Err(io::Error::last_os_error()),
        }
    }
}

/// Opens what is at a path without being able to do anything with it. With musl the
/// standard library takes O_PATH for a way to read or write, and leaves it out.
fn open(path: &Path) -> io::Result<File> {
    let path = CString::new(path.as_os_str().as_bytes())?;
    let flags = libc::O_PATH | libc::O_NOFOLLOW | libc::O_CLOEXEC;
    // SAFETY: the path is a string that ends with a NUL and lives until the end.
    match unsafe { libc::open(path.as_ptr(), flags) } {
        ..0 => Err(io::Error::last_os_error()),
        // SAFETY: the descriptor is new and nobody else owns it.
        fd => Ok(unsafe { File::from_raw_fd(fd) }),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use std::fs;
    use std::os::unix::fs::symlink;
    use std::os::unix::net::UnixListener;

    /// The mode of the file at a path.
    fn mode(path: &Path) -> u32 {
        fs::symlink_metadata(path).unwrap().mode() & 0o7777
    }

    #[test]
    fn what_is_put_in_its_place_meanwhile_is_not_touched() {
        let directory = std::env::temp_dir().join(format!("cp-pinned-{}", std::process::id()));
        fs::create_dir_all(&directory).unwrap();
        let (path, moved) = (directory.join("s"), directory.join("moved"));
        let victim = directory.join("victim");
        fs::write(&victim, "").unwrap();
        fs::set_permissions(&victim, Permissions::from_mode(0o644)).unwrap();
        let _listener = UnixListener::bind(&path).unwrap();

        let pinned = Pinned::at(&path).unwrap();
        fs::rename(&path, &moved).unwrap();
        symlink(&victim, &path).unwrap();
        pinned.set_mode(0o604).unwrap();
        let owner = pinned.metadata().uid();
        pinned.give(owner, pinned.metadata().gid()).unwrap();
        assert_eq!((mode(&moved), mode(&victim)), (0o604, 0o644));

        let error = |path: &Path| Pinned::at(path).unwrap_err().to_string();
        assert_eq!(error(&path), "it is no socket any more");
        assert_eq!(error(&victim), "it is no socket any more");
        fs::hard_link(&moved, directory.join("again")).unwrap();
        assert_eq!(error(&moved), "the file has more than one name");
        assert_eq!(mode(&moved), 0o604);
        fs::remove_dir_all(directory).unwrap();
    }
}
