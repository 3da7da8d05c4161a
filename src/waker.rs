//! What ends a wait in poll(2): a descriptor that any thread can make readable.
//!
//! A thread that waits for a socket and for news at once has one, and hands
//! clones of it to whoever has news. Waking never waits, and is remembered when
//! nobody waits yet.

use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, BorrowedFd, FromRawFd, OwnedFd};
use std::sync::Arc;

/// See the module. The descriptor is closed with the last clone.
#[derive(Clone, Debug)]
pub struct Waker(Arc<File>);

impl Waker {
    /// A waker that nobody has woken.
    ///
    /// # Errors
    /// There is no descriptor to be had.
    pub fn new() -> io::Result<Self> {
        // SAFETY: a call without pointers.
        let fd = unsafe { libc::eventfd(0, libc::EFD_CLOEXEC | libc::EFD_NONBLOCK) };
        if fd < 0 {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: the descriptor is new and nobody else owns it.
        let owned = unsafe { OwnedFd::from_raw_fd(fd) };
        Ok(Self(Arc::new(owned.into())))
    }

    /// Ends the wait, or the next one.
    pub fn wake(&self) {
        // It fails only when it has been woken 2^64 times, and so is awake.
        let _awake = (&*self.0).write(&1_u64.to_ne_bytes());
    }

    /// Forgets that it was woken.
    pub(crate) fn reset(&self) {
        // Fails if nobody has woken it.
        let _asleep = (&*self.0).read(&mut [0; 8]);
    }

    /// Readable from [`Waker::wake`] to [`Waker::reset`].
    pub(crate) fn fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }

    /// Whether both are clones of one.
    pub(crate) fn is(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use std::os::fd::AsRawFd;

    fn is_readable(waker: &Waker) -> bool {
        let mut poll = libc::pollfd {
            fd: waker.fd().as_raw_fd(),
            events: libc::POLLIN,
            revents: 0,
        };
        // SAFETY: one valid pollfd, and no waiting.
        unsafe { libc::poll(&raw mut poll, 1, 0) == 1 }
    }

    #[test]
    fn waking_is_remembered_until_it_is_reset() {
        let waker = Waker::new().unwrap();
        let other = waker.clone();
        assert!(!is_readable(&waker));
        other.wake();
        other.wake();
        assert!(is_readable(&waker));
        waker.reset();
        assert!(!is_readable(&waker));
        waker.reset();
        assert!(waker.is(&other) && !waker.is(&Waker::new().unwrap()));
    }
}
