//! A program that panics in many ways and must survive all of them. It uses
//! nothing of the library: `scripts/release` builds it as it builds the release,
//! with tables of frames that are rewritten, and runs it, because what is released
//! has no panic that could be had on demand.

use std::cell::RefCell;
use std::hint::black_box;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::process::ExitCode;
use std::thread;

/// So many frames lie between a panic and what catches it.
const DEPTH: u64 = 40;

/// What a panic passed by, in its order.
type Passed = RefCell<Vec<u64>>;

/// Something that is dropped while a panic passes, and that survives one itself
/// then.
struct Witness<'p> {
    depth: u64,
    passed: &'p Passed,
}

impl Drop for Witness<'_> {
    fn drop(&mut self) {
        let depth = self.depth;
        if depth.is_multiple_of(8) && catch_unwind(|| panic_with(depth)).is_ok() {
            return;
        }
        self.passed.borrow_mut().push(depth);
    }
}

fn panic_with(depth: u64) {
    // A panic in all but its message.
    resume_unwind(Box::new(depth));
}

/// Calls itself with so many values that no register stays free, through a pointer
/// and directly in turns, and panics at the end.
#[inline(never)]
fn descend(depth: u64, values: [u64; 5], passed: &Passed) -> u64 {
    let [a, b, c, d, e] = values.map(black_box);
    let _witness = Witness { depth, passed };
    let large = black_box([depth; 100]);
    let next = [b, c, d, e, a ^ depth];
    let below = match depth {
        0 => {
            panic_with(depth);
            0
        }
        _ if depth.is_multiple_of(3) => {
            let through: Box<dyn Fn(u64) -> u64 + '_> =
                Box::new(|depth| descend(depth, next, passed));
            black_box(through)(depth - 1)
        }
        _ => descend(depth - 1, next, passed),
    };
    below ^ a ^ b ^ c ^ d ^ e ^ large.iter().sum::<u64>()
}

/// Whether a panic was caught, everything on its way was dropped in order, and
/// what was in registers is there again.
fn survives(seed: u64) -> bool {
    let passed = Passed::default();
    let [a, b, c, d, e] = [1, 2, 3, 4, 5].map(|number| black_box(seed ^ number));
    let caught = catch_unwind(AssertUnwindSafe(|| {
        descend(DEPTH, [a, b, c, d, e], &passed)
    }));
    let is_unharmed = [a, b, c, d, e] == [1, 2, 3, 4, 5].map(|number| black_box(seed) ^ number);
    let payload = caught.err().and_then(|payload| payload.downcast().ok());
    let all: Vec<u64> = (0..=DEPTH).collect();
    is_unharmed && payload == Some(Box::new(0_u64)) && *passed.borrow() == all
}

fn main() -> ExitCode {
    let threads: Vec<_> = (0..4)
        .map(|seed| {
            thread::spawn(move || {
                let survived = (0..50).all(|run| survives(seed << 32 | run));
                // The last one is caught by nobody but the thread's own beginning.
                resume_unwind(Box::new(survived));
            })
        })
        .collect();
    let ends = threads.into_iter().map(thread::JoinHandle::join);
    let survived =
        ends.filter(|end| matches!(end, Err(payload) if payload.downcast_ref() == Some(&true)));
    match survived.count() {
        4 => ExitCode::SUCCESS,
        _ => ExitCode::FAILURE,
    }
}
