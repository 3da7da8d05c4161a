//! One accepted connection, Unix or TCP, whose reads and writes end by a given
//! moment, and the listener it came from.
//!
//! Called by the pool (accept, shut down) and the connection (read, write).

use std::io::{self, ErrorKind, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::os::fd::{AsRawFd, BorrowedFd, RawFd};
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

use super::Listener;

/// How many clients may wait to be accepted; the kernel lowers it to
/// `net.core.somaxconn`.
const BACKLOG: libc::c_int = 1024;

/// As much as the kernel takes without waiting twice on one timeout.
const PIECE: usize = 16 << 10;

impl Listener {
    /// Waits for the next client.
    pub(super) fn accept(&self) -> io::Result<Stream> {
        match self {
            Self::Unix(listener) => Ok(Stream::Unix(listener.accept()?.0)),
            Self::Tcp(listener) => {
                let (stream, _peer) = listener.accept()?;
                // A peer that is gone already is found out by the first read.
                let _gone = stream.set_nodelay(true);
                Ok(Stream::Tcp(stream))
            }
        }
    }

    /// Lets accept wait, and a burst of clients wait in the kernel instead of
    /// being refused; std's own backlog is 128.
    pub(super) fn prepare(&self) -> io::Result<()> {
        match self {
            Self::Unix(listener) => listener.set_nonblocking(false)?,
            Self::Tcp(listener) => listener.set_nonblocking(false)?,
        }
        // SAFETY: a call without pointers on a descriptor that is open.
        match unsafe { libc::listen(self.fd(), BACKLOG) } {
            0 => Ok(()),
            _ => Err(io::Error::last_os_error()),
        }
    }

    /// The clients that wait to be accepted at this moment. Only for the end:
    /// accept does not wait any more afterwards.
    pub(super) fn accept_waiting(&self) -> Vec<Stream> {
        let is_set = match self {
            Self::Unix(listener) => listener.set_nonblocking(true),
            Self::Tcp(listener) => listener.set_nonblocking(true),
        };
        let waiting = std::iter::from_fn(|| self.accept().ok());
        if is_set.is_ok() {
            waiting.collect()
        } else {
            Vec::new()
        }
    }

    /// Refuses new clients and wakes every thread that waits in accept, with
    /// EINVAL. The address itself stays taken until the listener is dropped.
    pub(super) fn shut_down(&self) {
        // SAFETY: a call without pointers on a descriptor that is open. It can
        // only fail if the socket no longer listens, which is what is wanted.
        unsafe { libc::shutdown(self.fd(), libc::SHUT_RDWR) };
    }

    fn fd(&self) -> RawFd {
        match self {
            Self::Unix(listener) => listener.as_raw_fd(),
            Self::Tcp(listener) => listener.as_raw_fd(),
        }
    }
}

/// A connection to a client.
#[derive(Debug)]
pub(super) enum Stream {
    Unix(UnixStream),
    Tcp(TcpStream),
}

impl Stream {
    /// Reads what is there, or waits for it; 0 at the end, `TimedOut` at the
    /// deadline.
    pub(super) fn read(&self, buffer: &mut [u8], deadline: Instant) -> io::Result<usize> {
        retry(deadline, |left| match (left, self) {
            (None, _) => {
                let (start, length) = (buffer.as_mut_ptr().cast(), buffer.len());
                // SAFETY: the buffer is as long as is said, and the descriptor open.
                count(unsafe { libc::recv(self.fd(), start, length, libc::MSG_DONTWAIT) })
            }
            (left, Self::Unix(stream)) => {
                stream.set_read_timeout(left)?;
                (&*stream).read(buffer)
            }
            (left, Self::Tcp(stream)) => {
                stream.set_read_timeout(left)?;
                (&*stream).read(buffer)
            }
        })
    }

    /// Writes everything by the deadline, or fails with `TimedOut`.
    pub(super) fn write_all(&self, mut bytes: &[u8], deadline: Instant) -> io::Result<()> {
        while !bytes.is_empty() {
            let piece = bytes.get(..PIECE).unwrap_or(bytes);
            let written = retry(deadline, |left| match (left, self) {
                (None, _) => {
                    let (start, length) = (piece.as_ptr().cast(), piece.len());
                    let flags = libc::MSG_DONTWAIT | libc::MSG_NOSIGNAL;
                    // SAFETY: as above.
                    count(unsafe { libc::send(self.fd(), start, length, flags) })
                }
                (left, Self::Unix(stream)) => {
                    stream.set_write_timeout(left)?;
                    (&*stream).write(piece)
                }
                (left, Self::Tcp(stream)) => {
                    stream.set_write_timeout(left)?;
                    (&*stream).write(piece)
                }
            })?;
            bytes = bytes.get(written..).unwrap_or_default();
        }
        Ok(())
    }

    /// Ends one or both directions, which also wakes whoever waits in them.
    pub(super) fn shut_down(&self, how: Shutdown) {
        // It fails only if the peer has ended the connection already.
        let _ended = match self {
            Self::Unix(stream) => stream.shutdown(how),
            Self::Tcp(stream) => stream.shutdown(how),
        };
    }

    /// Whether the client has closed the connection. One that has only ended its
    /// own side may still read.
    pub(super) fn is_hung_up(&self) -> bool {
        let mut poll = poll_for(self.fd(), 0);
        // SAFETY: one initialised pollfd, and no waiting.
        unsafe { libc::poll(&raw mut poll, 1, 0) > 0 }
    }

    /// Waits until `news` can be read or the client has closed the connection,
    /// until `deadline` at the latest.
    pub(super) fn wait_for(
        &self,
        news: BorrowedFd<'_>,
        deadline: Option<Instant>,
    ) -> io::Result<Waited> {
        loop {
            let mut polls = [
                poll_for(self.fd(), 0),
                poll_for(news.as_raw_fd(), libc::POLLIN),
            ];
            // SAFETY: two initialised pollfds, and the count says so.
            let ready = unsafe { libc::poll(polls.as_mut_ptr(), 2, timeout(deadline)) };
            let [client, _] = polls;
            match ready {
                1.. if client.revents == 0 => return Ok(Waited::News),
                1.. => return Ok(Waited::Gone),
                0 if deadline.is_some_and(|deadline| deadline <= Instant::now()) => {
                    return Ok(Waited::Late);
                }
                0 => {}
                _ => match io::Error::last_os_error() {
                    error if error.kind() == ErrorKind::Interrupted => {}
                    error => return Err(error),
                },
            }
        }
    }

    fn fd(&self) -> RawFd {
        match self {
            Self::Unix(stream) => stream.as_raw_fd(),
            Self::Tcp(stream) => stream.as_raw_fd(),
        }
    }
}

/// What a wait for a client and for news has ended with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Waited {
    /// There is news.
    News,
    /// The client has closed the connection.
    Gone,
    /// The time is over.
    Late,
}

/// The time left in milliseconds, rounded up, or for ever.
fn timeout(deadline: Option<Instant>) -> libc::c_int {
    let left = deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
    left.map_or(-1, |left| {
        let milliseconds = left.as_micros().div_ceil(1000);
        milliseconds.try_into().unwrap_or(libc::c_int::MAX)
    })
}

/// For poll(2), where POLLHUP and POLLERR come unasked.
fn poll_for(fd: RawFd, events: libc::c_short) -> libc::pollfd {
    libc::pollfd {
        fd,
        events,
        revents: 0,
    }
}

/// What recv(2) or send(2) has returned.
fn count(result: libc::ssize_t) -> io::Result<usize> {
    usize::try_from(result).map_err(|_negative| io::Error::last_os_error())
}

/// Calls `act` until it succeeds, fails for a real reason, or no time is left: first
/// to do what can be done without waiting, which spares setting a timeout, then with
/// the time left.
fn retry(
    deadline: Instant,
    mut act: impl FnMut(Option<Duration>) -> io::Result<usize>,
) -> io::Result<usize> {
    let mut may_wait = false;
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(ErrorKind::TimedOut.into());
        }
        match act(std::mem::replace(&mut may_wait, true).then_some(left)) {
            Err(error)
                if matches!(error.kind(), ErrorKind::Interrupted | ErrorKind::WouldBlock) => {}
            result => return result,
        }
    }
}
