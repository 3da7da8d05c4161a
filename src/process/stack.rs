//! Gives back what a thread's stack has grown to.
//!
//! A page of a stack stays resident once it was touched. A worker needs most of
//! its own while it starts a process and next to nothing while it then waits for
//! output, for as long as the job runs. It is called there and nowhere else.

use std::mem::MaybeUninit;
use std::ptr;

/// What the frames of [`release`] and of the C library's `madvise` may take
/// below a variable of [`release`]; some hundred bytes would do.
const OWN_FRAMES: usize = 1024;

/// Gives the kernel the pages below the frames that are in use. Where that
/// fails, they stay, which does no harm.
#[inline(never)]
pub(super) fn release() {
    let here = 0u8;
    let here = ptr::from_ref(&here).addr();
    // SAFETY: sysconf takes an integer and no memory.
    let page = unsafe { libc::sysconf(libc::_SC_PAGESIZE) };
    let (Some(lowest), Ok(page)) = (lowest(), usize::try_from(page)) else {
        return;
    };
    let in_use = here.saturating_sub(OWN_FRAMES);
    let unused = (in_use - in_use % page.max(1)).saturating_sub(lowest.addr());
    // SAFETY: the range lies in this thread's stack, which grows down, below all
    // of its frames; nobody else knows an address in it.
    let _stays_resident = unsafe { libc::madvise(lowest, unused, libc::MADV_DONTNEED) };
}

/// The lowest address of this thread's stack.
fn lowest() -> Option<*mut libc::c_void> {
    let mut attributes = MaybeUninit::<libc::pthread_attr_t>::uninit();
    // SAFETY: a thread is itself for as long as it asks.
    let thread = unsafe { libc::pthread_self() };
    // SAFETY: there is room for the attributes of a thread that lives.
    if unsafe { libc::pthread_getattr_np(thread, attributes.as_mut_ptr()) } != 0 {
        return None;
    }
    let (mut lowest, mut size) = (ptr::null_mut(), 0);
    // SAFETY: the attributes are initialised, and both results have room.
    let known =
        unsafe { libc::pthread_attr_getstack(attributes.as_ptr(), &raw mut lowest, &raw mut size) };
    // SAFETY: they are initialised, and not used any more.
    unsafe { libc::pthread_attr_destroy(attributes.as_mut_ptr()) };
    (known == 0).then_some(lowest)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::release;

    /// Touches a good part of a small stack.
    #[inline(never)]
    fn grow(depth: u8) -> u64 {
        let frame = std::hint::black_box([depth; 4096]);
        let below = if depth == 0 { 0 } else { grow(depth - 1) };
        below + u64::from(frame[usize::from(depth)])
    }

    /// The resident kilobytes of the mapping that holds `address`.
    fn resident(address: usize) -> usize {
        let maps = std::fs::read_to_string("/proc/self/smaps").unwrap();
        let mut inside = false;
        for line in maps.lines() {
            let range = line.split(' ').next().and_then(|word| word.split_once('-'));
            if let Some((from, to)) = range {
                let parse = |text| usize::from_str_radix(text, 16).unwrap();
                inside = (parse(from)..parse(to)).contains(&address);
            } else if let Some(rest) = line.strip_prefix("Rss:")
                && inside
            {
                return rest.trim_end_matches("kB").trim().parse().unwrap();
            }
        }
        0
    }

    #[test]
    fn what_a_deep_call_has_touched_is_given_back() {
        let measured = std::thread::Builder::new()
            .stack_size(1024 * 1024)
            .spawn(|| {
                let here = 0u8;
                let here = std::ptr::from_ref(&here).addr();
                assert!(grow(20) > 0);
                let before = resident(here);
                release();
                (before, resident(here), grow(20))
            })
            .unwrap();
        let (before, after, sum) = measured.join().unwrap();
        assert!(before >= 80, "{before} KiB");
        assert!(after <= before - 60, "{before} -> {after} KiB");
        assert_eq!(sum, (1..=20).sum::<u64>());
    }
}
