//! Keeps a child that has other credentials and still shares our memory out of
//! the reach of its new user.
//!
//! While it changes them, the kernel makes the memory undumpable, so that no
//! process of that user can trace the child and thereby us (ptrace(2),
//! `PR_SET_DUMPABLE` in prctl(2)). That mark belongs to the memory and stays; an
//! operator could not look at the supervisor in `/proc` any more. So it is taken
//! back, but only when no such child is left.

use std::sync::{Mutex, MutexGuard, PoisonError};

/// How many such children there are, and what was before the first of them.
static CHILDREN: Mutex<(usize, bool)> = Mutex::new((0, false));

/// The time in which there is such a child.
#[derive(Debug)]
pub(super) struct Window(());

impl Window {
    /// There will be one.
    pub(super) fn open() -> Self {
        let mut children = children();
        if children.0 == 0 {
            children.1 = is_dumpable();
        }
        children.0 += 1;
        Self(())
    }
}

impl Drop for Window {
    /// It has memory of its own, or is gone.
    fn drop(&mut self) {
        let mut children = children();
        children.0 -= 1;
        if children.0 == 0 && children.1 {
            let yes: libc::c_ulong = 1;
            // SAFETY: prctl with this option takes one integer and no pointers.
            unsafe { libc::prctl(libc::PR_SET_DUMPABLE, yes) };
        }
    }
}

fn children() -> MutexGuard<'static, (usize, bool)> {
    // Nothing that holds it can panic.
    CHILDREN.lock().unwrap_or_else(PoisonError::into_inner)
}

fn is_dumpable() -> bool {
    // SAFETY: prctl with this option takes nothing.
    unsafe { libc::prctl(libc::PR_GET_DUMPABLE) == 1 }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What the kernel does when a child that shares our memory changes its user.
    fn change_credentials() {
        let no: libc::c_ulong = 0;
        // SAFETY: prctl with this option takes one integer and no pointers.
        unsafe { libc::prctl(libc::PR_SET_DUMPABLE, no) };
    }

    #[test]
    fn the_mark_is_taken_back_when_the_last_child_is_gone() {
        assert!(is_dumpable(), "nothing else of these tests changes it");
        let first = Window::open();
        change_credentials();
        let second = Window::open();
        drop(first);
        assert!(!is_dumpable(), "one child is left");
        drop(second);
        assert!(is_dumpable());
    }
}
