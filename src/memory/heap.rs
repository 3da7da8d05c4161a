//! Where memory comes from: what is small out of one heap of the program's own, what
//! is large from the system's allocator, which gives it back at once.
//!
//! musl's allocator asks the kernel for pages for each size that is new to it, and
//! gives them back as soon as nothing is in them: of a start, where every size is
//! new, that is a seventh, and of loading a thousand jobs a fifth. This one takes 64
//! KiB at a time, the first of them from the program itself, and keeps them. Called by
//! the allocator alone.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::UnsafeCell;
use std::mem::MaybeUninit;
use std::ptr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use dlmalloc::{Allocator, Dlmalloc};

/// What is as large is the system's: most of it is asked for rarely, used in parts,
/// and zero.
const LARGE: usize = 32 << 10;

/// What the heap grows by, and begins with.
const STEP: usize = 64 << 10;

/// Tells the heap that a part is not to be released, nor joined with others.
const EXTERN: u32 = 1;

/// The heap, and behind it the system's allocator.
pub(super) struct Heap(Mutex<Dlmalloc<Kernel>>);

// SAFETY: both parts keep what `GlobalAlloc` asks for, and the size alone, which is
// the same when memory is given back, says whose it is.
unsafe impl GlobalAlloc for Heap {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        if layout.size() >= LARGE {
            // SAFETY: the caller's promises are those that are asked for.
            return unsafe { System.alloc(layout) };
        }
        // SAFETY: the size is not zero, as the caller promises.
        unsafe { self.lock().malloc(layout.size(), layout.align()) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        if layout.size() >= LARGE {
            // SAFETY: the caller's promises are those that are asked for.
            return unsafe { System.alloc_zeroed(layout) };
        }
        // SAFETY: the size is not zero, as the caller promises.
        unsafe { self.lock().calloc(layout.size(), layout.align()) }
    }

    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        if layout.size() >= LARGE {
            // SAFETY: it is the system's, as its size says.
            return unsafe { System.dealloc(memory, layout) };
        }
        // SAFETY: it is the heap's, as its size says.
        unsafe { self.lock().free(memory, layout.size(), layout.align()) };
    }

    unsafe fn realloc(&self, memory: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        match (layout.size() >= LARGE, size >= LARGE) {
            // SAFETY: it is the heap's, and stays so.
            (false, false) => unsafe {
                self.lock()
                    .realloc(memory, layout.size(), layout.align(), size)
            },
            // SAFETY: it is the system's, and stays so.
            (true, true) => unsafe { System.realloc(memory, layout, size) },
            // SAFETY: the caller's promises are those that are asked for.
            _ => unsafe { self.move_over(memory, layout, size) },
        }
    }
}

impl Heap {
    pub(super) const fn new() -> Self {
        Self(Mutex::new(Dlmalloc::new_with_allocator(Kernel)))
    }

    fn lock(&self) -> MutexGuard<'_, Dlmalloc<Kernel>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Another size for what is then no longer whose it was.
    ///
    /// # Safety
    /// As [`GlobalAlloc::realloc`].
    unsafe fn move_over(&self, memory: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        // SAFETY: the caller promises that the size is allowed with this alignment.
        let wanted = unsafe { Layout::from_size_align_unchecked(size, layout.align()) };
        // SAFETY: the caller promises that the size is not zero.
        let moved = unsafe { self.alloc(wanted) };
        if !moved.is_null() {
            // SAFETY: both are at least as long, and the new one is nobody else's.
            unsafe { moved.copy_from_nonoverlapping(memory, layout.size().min(size)) };
            // SAFETY: it was allocated with this layout, and nobody uses it any more.
            unsafe { self.dealloc(memory, layout) };
        }
        moved
    }
}

/// What the heap begins with.
#[repr(C, align(4096))]
struct First(UnsafeCell<[MaybeUninit<u8>; STEP]>);

// SAFETY: nothing here reads or writes it, and it is given away once.
unsafe impl Sync for First {}

static FIRST: First = First(UnsafeCell::new([MaybeUninit::uninit(); STEP]));
static IS_TAKEN: AtomicBool = AtomicBool::new(false);

/// Who gives the heap its parts: the program's own memory first, then the kernel.
struct Kernel;

// SAFETY: each part is given away once, and is as long as it is said to be.
unsafe impl Allocator for Kernel {
    fn alloc(&self, size: usize) -> (*mut u8, usize, u32) {
        if size <= STEP && !IS_TAKEN.swap(true, Ordering::Relaxed) {
            return (FIRST.0.get().cast(), STEP, EXTERN);
        }
        let (access, kind) = (
            libc::PROT_READ | libc::PROT_WRITE,
            libc::MAP_PRIVATE | libc::MAP_ANONYMOUS,
        );
        // SAFETY: the kernel chooses a place where nothing is.
        match unsafe { libc::mmap(ptr::null_mut(), size, access, kind, -1, 0) } {
            libc::MAP_FAILED => (ptr::null_mut(), 0, 0),
            memory => (memory.cast(), size, 0),
        }
    }

    fn remap(&self, _: *mut u8, _: usize, _: usize, _: bool) -> *mut u8 {
        // Only what is larger than anything here is mapped alone.
        ptr::null_mut()
    }

    fn free_part(&self, memory: *mut u8, size: usize, left: usize) -> bool {
        // SAFETY: the heap gives back what it does not use.
        unsafe { libc::munmap(memory.wrapping_add(left).cast(), size - left) == 0 }
    }

    fn free(&self, memory: *mut u8, size: usize) -> bool {
        self.free_part(memory, size, 0)
    }

    fn can_release_part(&self, flags: u32) -> bool {
        flags & EXTERN == 0
    }

    fn allocates_zeros(&self) -> bool {
        true
    }

    fn page_size(&self) -> usize {
        4096
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::thread;

    use super::*;

    static HEAP: Heap = Heap::new();

    fn layout(size: usize, align: usize) -> Layout {
        Layout::from_size_align(size, align).unwrap()
    }

    /// Memory of so many bytes, all of which are this one.
    struct Filled(*mut u8, Layout, u8);

    impl Filled {
        fn new(layout: Layout, byte: u8) -> Self {
            // SAFETY: it has a size.
            let memory = unsafe { HEAP.alloc(layout) };
            assert!(!memory.is_null() && memory.addr().is_multiple_of(layout.align()));
            // SAFETY: it is as long.
            unsafe { memory.write_bytes(byte, layout.size()) };
            Self(memory, layout, byte)
        }

        fn resize(mut self, size: usize) -> Self {
            let kept = self.1.size().min(size);
            // SAFETY: it was allocated with this layout.
            self.0 = unsafe { HEAP.realloc(self.0, self.1, size) };
            assert!(!self.0.is_null());
            self.1 = layout(size, self.1.align());
            assert_eq!(bytes(self.0, kept).find(|byte| *byte != self.2), None);
            // SAFETY: it is as long.
            unsafe { self.0.write_bytes(self.2, size) };
            self
        }

        fn free(self) {
            let changed = bytes(self.0, self.1.size()).find(|byte| *byte != self.2);
            assert_eq!(changed, None, "{:?}", self.1);
            // SAFETY: it was allocated with this layout.
            unsafe { HEAP.dealloc(self.0, self.1) };
        }
    }

    fn bytes(memory: *mut u8, size: usize) -> impl Iterator<Item = u8> {
        // SAFETY: the tests ask for no more than they have and wrote.
        (0..size).map(move |at| unsafe { memory.wrapping_add(at).read() })
    }

    #[test]
    fn what_is_allocated_is_aligned_and_stays_as_it_is_in_any_size() {
        let sizes = [1, 7, 8, 100, 4096, LARGE - 1, LARGE, LARGE + 1, 1 << 20];
        let aligns = [1, 8, 16, 64, 4096];
        let layouts = sizes.map(|size| aligns.map(|align| layout(size, align)));
        let all: Vec<Filled> = (1..)
            .zip(layouts.as_flattened())
            .map(|(byte, layout)| Filled::new(*layout, byte))
            .collect();
        all.into_iter().for_each(Filled::free);
    }

    #[test]
    fn what_grows_or_shrinks_keeps_what_is_in_it_whosever_it_becomes() {
        for align in [1, 16, 64] {
            let path = [10, 5, 3000, LARGE, 2 * LARGE, LARGE - 1, 1 << 20, 1];
            let memory = Filled::new(layout(path[0], align), 7);
            let grown = path
                .iter()
                .fold(memory, |memory, size| memory.resize(*size));
            grown.free();
        }
    }

    #[test]
    fn what_was_used_before_is_zero_if_that_is_asked_for() {
        for size in [1, 64, 5000, LARGE - 1, LARGE] {
            let layout = layout(size, 8);
            Filled::new(layout, 0xff).free();
            // SAFETY: it has a size.
            let memory = unsafe { HEAP.alloc_zeroed(layout) };
            assert_eq!(bytes(memory, size).find(|byte| *byte != 0), None);
            // SAFETY: it was allocated with this layout.
            unsafe { HEAP.dealloc(memory, layout) };
        }
    }

    #[test]
    fn what_nobody_has_is_refused() {
        let layout = layout(isize::MAX as usize / 2, 1);
        // SAFETY: it has a size.
        assert!(unsafe { HEAP.alloc(layout) }.is_null());
        let small = Filled::new(self::layout(10, 1), 3);
        // SAFETY: it was allocated with this layout.
        assert!(unsafe { HEAP.realloc(small.0, small.1, layout.size()) }.is_null());
        small.free();
    }

    #[test]
    fn nobody_gets_what_another_thread_has() {
        thread::scope(|scope| {
            for byte in 1..5_u8 {
                scope.spawn(move || {
                    for turn in 1..300 {
                        let all = [1, 3, 40].map(|factor| {
                            let layout = layout(turn * factor * usize::from(byte), 8);
                            Filled::new(layout, byte)
                        });
                        all.into_iter().for_each(Filled::free);
                    }
                });
            }
        });
    }
}
