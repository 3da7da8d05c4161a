//! Unix stream sockets as the control plane needs them and std does not offer:
//! a connect that gives up, and a bind whose file is never open wider than told.
//!
//! Owns the raw socket calls and nothing else: no lock, no probing, no removal.
//! Called by the client and by the control server.

use std::fs::{File, Permissions};
use std::io;
use std::mem::{offset_of, size_of};
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::time::{Duration, Instant};

pub use pinned::Pinned;

mod pinned;

/// The longest path of a socket in bytes: `sun_path` of unix(7) less its NUL.
pub const MAX_PATH: usize = 107;

/// How many clients may wait to be accepted; the kernel lowers it to
/// `net.core.somaxconn`.
const BACKLOG: libc::c_int = 1024;

/// Connects to the socket at `path`, giving up with `WouldBlock` after `timeout`.
///
/// A non-blocking connect is of no use here: with a full backlog it fails at
/// once, and poll(2) does not tell when there is room. A blocking one waits as
/// long as SO_SNDTIMEO allows.
pub fn connect(path: &Path, timeout: Duration) -> io::Result<UnixStream> {
    let (address, length) = socket_address(path)?;
    let end = Instant::now() + timeout;
    let stream = UnixStream::from(create()?);
    loop {
        stream.set_write_timeout(Some(remaining(end)))?;
        // SAFETY: the address is an initialised sockaddr_un of at least `length`
        // bytes, and the descriptor is open as long as `stream` lives.
        let result =
            unsafe { libc::connect(stream.as_raw_fd(), (&raw const address).cast(), length) };
        match check(result) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            other => return other.map(|_zero| stream),
        }
    }
}

/// Binds a new socket file with these permission bits, less those of the umask, and
/// listens.
///
/// Linux takes the mode of the file from the socket's own inode, so that
/// changing that first leaves no moment in which others could connect. The
/// process's umask, which other threads rely on, stays as it is.
pub fn bind(path: &Path, mode: u32) -> io::Result<UnixListener> {
    let (address, length) = socket_address(path)?;
    let socket = File::from(create()?);
    socket.set_permissions(Permissions::from_mode(mode))?;
    // SAFETY: the address is an initialised sockaddr_un of at least `length`
    // bytes, and the descriptor is open as long as `socket` lives.
    let bound = unsafe { libc::bind(socket.as_raw_fd(), (&raw const address).cast(), length) };
    check(bound)?;
    // SAFETY: a call without pointers on a descriptor that is open.
    check(unsafe { libc::listen(socket.as_raw_fd(), BACKLOG) })?;
    Ok(UnixListener::from(OwnedFd::from(socket)))
}

/// Waits until there is something to read, or the end; `false` if before that nobody
/// is left who reads `output`, which nothing has been written to that would fail.
pub fn has_more_for(stream: &UnixStream, output: BorrowedFd<'_>) -> bool {
    let fds = [(stream.as_raw_fd(), libc::POLLIN), (output.as_raw_fd(), 0)];
    let mut polls = fds.map(|(fd, events)| libc::pollfd {
        fd,
        events,
        revents: 0,
    });
    // SAFETY: two initialised pollfds, and the count says so.
    let told = unsafe { libc::poll(polls.as_mut_ptr(), 2, -1) };
    let [stream, output] = polls;
    // What cannot be told is found out by reading and writing.
    told <= 0 || stream.revents != 0 || output.revents & (libc::POLLERR | libc::POLLHUP) == 0
}

/// A stream socket that no child inherits.
fn create() -> io::Result<OwnedFd> {
    // SAFETY: a call without pointers.
    let fd =
        check(unsafe { libc::socket(libc::AF_UNIX, libc::SOCK_STREAM | libc::SOCK_CLOEXEC, 0) })?;
    // SAFETY: the descriptor is new and nobody else owns it.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

/// The path as the kernel wants it.
fn socket_address(path: &Path) -> io::Result<(libc::sockaddr_un, libc::socklen_t)> {
    let bytes = path.as_os_str().as_bytes();
    if bytes.is_empty() || bytes.contains(&0) || bytes.len() > MAX_PATH {
        return Err(io::Error::new(
            io::ErrorKind::InvalidInput,
            format!(
                "a socket's path has 1 to {MAX_PATH} bytes and no NUL; this one has {} bytes",
                bytes.len()
            ),
        ));
    }
    let mut address = libc::sockaddr_un {
        sun_family: libc::AF_UNIX as libc::sa_family_t,
        sun_path: [0; size_of::<libc::sockaddr_un>() - offset_of!(libc::sockaddr_un, sun_path)],
    };
    for (slot, byte) in address.sun_path.iter_mut().zip(bytes) {
        *slot = *byte as libc::c_char;
    }
    let length = offset_of!(libc::sockaddr_un, sun_path) + bytes.len() + 1;
    Ok((address, length as libc::socklen_t))
}

/// What is left until `end`, but never zero, which would mean "for ever".
fn remaining(end: Instant) -> Duration {
    end.saturating_duration_since(Instant::now())
        .max(Duration::from_millis(1))
}

fn check(result: libc::c_int) -> io::Result<libc::c_int> {
    if result < 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(result)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use std::os::unix::fs::MetadataExt;

    struct Scratch(std::path::PathBuf);

    impl Scratch {
        fn new(name: &str) -> Self {
            let path = std::env::temp_dir().join(format!("cp-unix-{}-{name}", std::process::id()));
            std::fs::create_dir_all(&path).unwrap();
            Self(path)
        }
    }

    impl Drop for Scratch {
        fn drop(&mut self) {
            let _best_effort = std::fs::remove_dir_all(&self.0);
        }
    }

    #[test]
    fn a_bound_socket_accepts_and_is_never_open_wider_than_told() {
        let dir = Scratch::new("mode");
        for mode in [0o600, 0o660, 0o666] {
            let path = dir.0.join(format!("{mode:o}"));
            let listener = bind(&path, mode).unwrap();
            assert_eq!(std::fs::metadata(&path).unwrap().mode() & 0o777 & !mode, 0);
            let _client = connect(&path, Duration::from_secs(10)).unwrap();
            listener.accept().unwrap();
        }
    }

    #[test]
    fn a_full_backlog_makes_connect_give_up_in_time() {
        let dir = Scratch::new("backlog");
        let path = dir.0.join("s");
        let listener = bind(&path, 0o600).unwrap();
        // SAFETY: a call without pointers on a descriptor that is open.
        check(unsafe { libc::listen(listener.as_raw_fd(), 0) }).unwrap();
        let _fills_the_backlog = connect(&path, Duration::from_secs(10)).unwrap();
        let started = Instant::now();
        let error = connect(&path, Duration::from_millis(60)).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::WouldBlock);
        let took = started.elapsed();
        assert!(took >= Duration::from_millis(50), "{took:?}");
        assert!(took < Duration::from_secs(10), "{took:?}");
    }

    #[test]
    fn paths_that_cannot_be_a_socket_are_refused_with_their_length() {
        for (path, length) in [
            (String::new(), 0),
            ("x".repeat(108), 108),
            ("a\0b".to_owned(), 3),
        ] {
            let error = connect(Path::new(&path), Duration::from_secs(1)).unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::InvalidInput);
            assert!(
                error.to_string().contains(&format!("has {length} bytes")),
                "{error}"
            );
        }
        assert!(socket_address(Path::new(&"x".repeat(107))).is_ok());
    }
}
