//! What happens when there is no more memory: a supervisor waits a while for it,
//! because others may give it back, and says so; it does not simply die.
//!
//! The allocator is the system's; with musl, the program's own `heap`. What it
//! refuses is asked for again, with pauses that grow, up to [`PATIENCE`] in all: the
//! one place that sleeps, since nobody tells when memory is free. If there is still
//! none, `std` aborts, and what follows is [`crate::process::last_resort`]'s. A
//! client, which nobody depends on, fails at once.
//!
//! What is asked for by its size from outside is not waited for: see
//! [`is_there`].

#[cfg(any(test, target_env = "musl"))]
mod heap;

use std::alloc::{GlobalAlloc, Layout};
use std::ptr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use crate::bug;

/// For how long what is refused is asked for again.
const PATIENCE: Duration = Duration::from_secs(5);

/// The first and the longest pause, in milliseconds.
const FIRST_PAUSE: u64 = 1;
const LONGEST_PAUSE: u64 = 250;

static IS_PATIENT: AtomicBool = AtomicBool::new(false);

/// Whether a thread waits and has said so.
static IS_TOLD: AtomicBool = AtomicBool::new(false);

/// From now on what is refused is waited for: this is a supervisor.
pub(crate) fn be_patient() {
    IS_PATIENT.store(true, Ordering::Relaxed);
}

/// Whether so many bytes can be had now, without waiting for them. They are not
/// kept: what is allocated next will most likely find them.
pub(crate) fn is_there(bytes: usize) -> bool {
    let Ok(layout) = Layout::from_size_align(bytes.max(1), 1) else {
        return false;
    };
    // SAFETY: the layout has a size.
    let memory = unsafe { HEAP.alloc(layout) };
    if memory.is_null() {
        return false;
    }
    // SAFETY: it was allocated just now, with this layout.
    unsafe { HEAP.dealloc(std::hint::black_box(memory), layout) };
    true
}

/// The allocator, with patience.
struct Patient;

#[global_allocator]
static ALLOCATOR: Patient = Patient;

#[cfg(target_env = "musl")]
static HEAP: heap::Heap = heap::Heap::new();

/// What looks for faults of memory knows it, too.
#[cfg(not(target_env = "musl"))]
static HEAP: std::alloc::System = std::alloc::System;

// SAFETY: every call is passed on as it is, once or several times until it succeeds.
unsafe impl GlobalAlloc for Patient {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller's promises are those that are asked for.
        let ask = || unsafe { HEAP.alloc(layout) };
        or_later(ask(), ask)
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller's promises are those that are asked for.
        let ask = || unsafe { HEAP.alloc_zeroed(layout) };
        or_later(ask(), ask)
    }

    unsafe fn realloc(&self, memory: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        // SAFETY: the caller's promises are those that are asked for; what is
        // refused leaves the old memory as it is.
        let ask = || unsafe { HEAP.realloc(memory, layout, size) };
        or_later(ask(), ask)
    }

    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        // SAFETY: the caller's promises are those that are asked for.
        unsafe { HEAP.dealloc(memory, layout) };
    }
}

#[inline]
fn or_later(memory: *mut u8, ask: impl Fn() -> *mut u8) -> *mut u8 {
    match memory.is_null() {
        true => later(&ask),
        false => memory,
    }
}

/// Asks until there is memory, or patience is at its end.
#[cold]
fn later(ask: &dyn Fn() -> *mut u8) -> *mut u8 {
    let mut memory = ptr::null_mut();
    if !IS_PATIENT.load(Ordering::Relaxed) {
        return memory;
    }
    let tells = !IS_TOLD.swap(true, Ordering::Relaxed);
    if tells {
        // Past the log, which needs memory.
        bug::say(b"containerpilot: out of memory; waiting for some\n");
    }
    // A signal makes a pause shorter, not the patience.
    let (mut pause, deadline) = (FIRST_PAUSE, Instant::now() + PATIENCE);
    while memory.is_null() && Instant::now() < deadline {
        sleep(pause);
        pause = (pause * 2).min(LONGEST_PAUSE);
        memory = ask();
    }
    if tells {
        IS_TOLD.store(false, Ordering::Relaxed);
        if !memory.is_null() {
            bug::say(b"containerpilot: there is memory again\n");
        }
    }
    memory
}

fn sleep(milliseconds: u64) {
    // SAFETY: no descriptors, and so no pointer that is followed.
    unsafe { libc::poll(ptr::null_mut(), 0, milliseconds as libc::c_int) };
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::Cell;

    /// More than any machine has.
    const TOO_MUCH: usize = isize::MAX as usize / 2;

    #[test]
    fn what_can_be_had_is_there_and_what_cannot_is_not() {
        assert!(is_there(0) && is_there(1 << 20));
        assert!(!is_there(TOO_MUCH) && !is_there(usize::MAX));
    }

    #[test]
    fn an_allocation_may_be_refused_without_an_end() {
        // Nobody is patient in a test.
        assert!(Vec::<u8>::new().try_reserve(TOO_MUCH).is_err());
    }

    #[test]
    fn what_is_refused_is_asked_for_again_only_by_the_patient() {
        let tries = Cell::new(0);
        let mut byte = 0;
        let memory = &raw mut byte;
        let ask = || {
            tries.set(tries.get() + 1);
            if tries.get() < 3 {
                ptr::null_mut()
            } else {
                memory
            }
        };
        assert!(or_later(ask(), ask).is_null());
        assert_eq!(tries.get(), 1);
    }
}
