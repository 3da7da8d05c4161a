//! Waiting for many pipes at once (epoll(7)).
//!
//! Knows descriptors and nothing of what they are for. The kernel keeps the set,
//! so that a wait costs as much as there is to tell, however many are in it, and
//! any thread may add to it while another one waits.

use std::io::{self, ErrorKind};
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};
use std::time::Duration;

/// How many descriptors one wait tells at most. The kernel turns the others up
/// first the next time.
const BATCH: usize = 32;

/// A set of descriptors to wait for.
#[derive(Debug)]
pub(super) struct Epoll(OwnedFd);

impl Epoll {
    pub(super) fn new() -> io::Result<Self> {
        // SAFETY: epoll_create1 takes an integer.
        let fd = checked(unsafe { libc::epoll_create1(libc::EPOLL_CLOEXEC) })?;
        // SAFETY: the descriptor is new, and nobody else's.
        Ok(Self(unsafe { OwnedFd::from_raw_fd(fd) }))
    }

    /// Takes a descriptor into the set without waiting for what it has to read;
    /// all that can fail has been done then. Should it come to its end, one wait
    /// may tell.
    pub(super) fn reserve(&self, fd: BorrowedFd<'_>) -> io::Result<()> {
        self.control(libc::EPOLL_CTL_ADD, fd, libc::EPOLLET)
    }

    /// Every wait tells from now on whether it can be read, or is at its end.
    pub(super) fn watch(&self, fd: BorrowedFd<'_>) -> io::Result<()> {
        self.control(libc::EPOLL_CTL_MOD, fd, libc::EPOLLIN)
    }

    /// Takes a descriptor out, before it is closed: as long as a child that is
    /// about to be executed has a copy, the kernel would go on telling.
    pub(super) fn forget(&self, fd: BorrowedFd<'_>) {
        // There is nothing to refuse if it is in the set.
        let _absent = self.control(libc::EPOLL_CTL_DEL, fd, 0);
    }

    fn control(
        &self,
        operation: libc::c_int,
        fd: BorrowedFd<'_>,
        events: libc::c_int,
    ) -> io::Result<()> {
        let fd = fd.as_raw_fd();
        let mut event = libc::epoll_event {
            events: events.cast_unsigned(),
            u64: u64::from(fd.cast_unsigned()),
        };
        // SAFETY: the event is valid for the call.
        checked(unsafe { libc::epoll_ctl(self.0.as_raw_fd(), operation, fd, &raw mut event) })?;
        Ok(())
    }

    /// Waits until some descriptors can be read and tells which, and whether that
    /// may be their end. Nothing is told when the time is over.
    pub(super) fn wait(
        &self,
        timeout: Option<Duration>,
    ) -> io::Result<impl Iterator<Item = (RawFd, bool)> + use<>> {
        let timeout = timeout.map_or(-1, |timeout| timeout.as_millis().try_into().unwrap_or(-1));
        let mut events = [libc::epoll_event { events: 0, u64: 0 }; BATCH];
        let count = loop {
            let (set, first) = (self.0.as_raw_fd(), events.as_mut_ptr());
            // SAFETY: there is room for as many events as the count says.
            let told = checked(unsafe { libc::epoll_wait(set, first, BATCH as i32, timeout) });
            match told {
                Ok(count) => break count as usize,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        };
        Ok(events.into_iter().take(count).map(|event| {
            let is_readable = event.events & libc::EPOLLIN.cast_unsigned() != 0;
            (event.u64 as RawFd, !is_readable)
        }))
    }
}

/// Whether there is nothing to read from a pipe, and never will be.
pub(super) fn is_at_end(fd: BorrowedFd<'_>) -> bool {
    let mut poll = libc::pollfd {
        fd: fd.as_raw_fd(),
        events: libc::POLLIN,
        revents: 0,
    };
    // SAFETY: one valid pollfd, and no waiting.
    let told = unsafe { libc::poll(&raw mut poll, 1, 0) };
    told == 1 && poll.revents == libc::POLLHUP
}

fn checked(result: libc::c_int) -> io::Result<libc::c_int> {
    if result < 0 {
        Err(io::Error::last_os_error())
    } else {
        Ok(result)
    }
}
