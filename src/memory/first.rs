//! Memory for what is allocated first: a part of the program's own, taken from one
//! end to the other.
//!
//! The system's allocator asks the kernel for a page or two for each size that is
//! new to it, and gives them back as soon as nothing is in them. At a start, where
//! every size is new, that is a seventh of the time. Here nothing is asked for.
//! What is given back is used again only if it was taken last, as is what grows;
//! when all is taken, the system's allocator does the rest. Called by the
//! allocator alone.

use std::alloc::Layout;
use std::cell::UnsafeCell;
use std::mem::MaybeUninit;
use std::ptr;
use std::sync::atomic::{AtomicUsize, Ordering};

/// What is larger is better off with the system, which can take it back.
const LARGEST: usize = 4 << 10;

/// What an allocation is aligned to at most.
const ALIGNMENT: usize = 16;

/// See the module. `SIZE` is in bytes.
#[repr(C, align(16))]
pub(super) struct First<const SIZE: usize> {
    memory: UnsafeCell<[MaybeUninit<u8>; SIZE]>,
    /// How much of it is taken.
    taken: AtomicUsize,
}

// SAFETY: nothing here reads or writes the memory; what is taken is no part of
// anything else that is.
unsafe impl<const SIZE: usize> Sync for First<SIZE> {}

impl<const SIZE: usize> First<SIZE> {
    pub(super) const fn new() -> Self {
        Self {
            memory: UnsafeCell::new([MaybeUninit::uninit(); SIZE]),
            taken: AtomicUsize::new(0),
        }
    }

    /// Memory as `layout` says, or null if there is none here.
    pub(super) fn take(&self, layout: Layout) -> *mut u8 {
        let mut taken = self.taken.load(Ordering::Relaxed);
        loop {
            // Which is a power of two: no division, in what every allocation does.
            let start = taken.wrapping_add(layout.align() - 1) & !(layout.align() - 1);
            let end = start.saturating_add(layout.size());
            if end > SIZE || layout.size() > LARGEST || layout.align() > ALIGNMENT {
                return ptr::null_mut();
            }
            match self.exchange(taken, end) {
                Ok(_) => return self.base().wrapping_add(start),
                Err(now) => taken = now,
            }
        }
    }

    /// Whether this was taken here.
    pub(super) fn has(&self, memory: *mut u8) -> bool {
        self.offset(memory) < SIZE
    }

    /// Makes what was taken here `wanted` bytes long, instead of `size`, if it can
    /// stay where it is.
    pub(super) fn resize(&self, memory: *mut u8, size: usize, wanted: usize) -> bool {
        let start = self.offset(memory);
        let (end, wanted_end) = (start + size, start.saturating_add(wanted));
        if wanted > LARGEST || wanted_end > SIZE {
            return false;
        }
        // What follows is free if this was taken last.
        self.exchange(end, wanted_end).is_ok() || wanted <= size
    }

    /// Takes back what was taken here.
    pub(super) fn give_back(&self, memory: *mut u8, size: usize) {
        self.resize(memory, size, 0);
    }

    /// Whoever takes it next sees what the one before has done with it.
    fn exchange(&self, from: usize, to: usize) -> Result<usize, usize> {
        let order = Ordering::AcqRel;
        self.taken
            .compare_exchange(from, to, order, Ordering::Relaxed)
    }

    fn base(&self) -> *mut u8 {
        self.memory.get().cast()
    }

    fn offset(&self, memory: *mut u8) -> usize {
        memory.addr().wrapping_sub(self.base().addr())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::thread;

    use super::*;

    fn layout(size: usize, align: usize) -> Layout {
        Layout::from_size_align(size, align).unwrap()
    }

    #[test]
    fn what_is_taken_is_aligned_and_its_own_until_there_is_no_more() {
        let first = First::<100>::new();
        let one = first.take(layout(3, 1));
        let two = first.take(layout(16, 16));
        assert_eq!((first.offset(one), first.offset(two)), (0, 16));
        assert!(first.take(layout(69, 1)).is_null());
        assert_eq!(first.offset(first.take(layout(68, 4))), 32);
        assert!(first.take(layout(1, 1)).is_null());
    }

    #[test]
    fn what_is_large_or_aligned_to_more_is_somebody_elses() {
        let first = First::<10_000>::new();
        assert!(first.take(layout(LARGEST + 1, 1)).is_null());
        assert!(first.take(layout(64, 2 * ALIGNMENT)).is_null());
        let memory = first.take(layout(LARGEST, 1));
        assert!(first.has(memory));
        assert!(!first.resize(memory, LARGEST, LARGEST + 1));
    }

    #[test]
    fn only_what_was_taken_last_can_grow_or_be_used_again() {
        let first = First::<100>::new();
        let one = first.take(layout(10, 1));
        let two = first.take(layout(10, 1));
        assert!(!first.resize(one, 10, 11));
        assert!(first.resize(one, 10, 9), "it stays where it is");
        assert!(first.resize(two, 10, 90) && !first.resize(two, 90, 91));
        first.give_back(one, 9);
        assert!(first.take(layout(1, 1)).is_null());
        first.give_back(two, 90);
        assert_eq!(first.take(layout(90, 1)), two);
    }

    #[test]
    fn it_knows_its_own() {
        let first = First::<100>::new();
        let mut other = 0_u8;
        assert!(first.has(first.take(layout(100, 1))));
        assert!(!first.has(&raw mut other) && !first.has(ptr::null_mut()));
    }

    #[test]
    fn nobody_gets_what_another_thread_has() {
        let first = First::<4096>::new();
        let worker = |byte: u8| {
            for _ in 0..1000 {
                let memory = first.take(layout(64, 8));
                assert!(!memory.is_null());
                // SAFETY: it is this thread's own, and 64 bytes long.
                unsafe { memory.write_bytes(byte, 64) };
                let whole = ptr::slice_from_raw_parts(memory, 64);
                // SAFETY: as above; all of it has been written.
                let seen = unsafe { whole.as_ref() }.unwrap();
                assert!(seen.iter().all(|seen| *seen == byte));
                first.give_back(memory, 64);
                // What was not taken last stays taken.
                if first.taken.load(Ordering::Relaxed) > 2048 {
                    return;
                }
            }
        };
        thread::scope(|scope| {
            for byte in 0..4 {
                scope.spawn(move || worker(byte));
            }
        });
    }
}
