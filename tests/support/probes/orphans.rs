//! Makes orphans: `orphans COUNT CODE` double-forks COUNT processes, each of which
//! exits at once with CODE and a parent that is not its maker. Ends when all are
//! dead.

use std::io::Read as _;
use std::os::fd::FromRawFd as _;

unsafe extern "C" {
    fn fork() -> i32;
    fn pipe(ends: *mut i32) -> i32;
    fn close(fd: i32) -> i32;
    fn waitpid(pid: i32, status: *mut i32, options: i32) -> i32;
    fn _exit(code: i32) -> !;
}

fn main() {
    let numbers = std::env::args().skip(1).map(|word| word.parse().unwrap());
    let [count, code]: [i32; 2] = numbers.collect::<Vec<_>>().try_into().unwrap();
    let mut ends = [0; 2];
    // SAFETY: two integers have room for two descriptors.
    assert_eq!(unsafe { pipe(ends.as_mut_ptr()) }, 0);
    for _ in 0..count {
        orphan(code);
    }
    // Every orphan holds a copy of the writing end until it is dead.
    // SAFETY: this is our own descriptor, and it is not used again.
    unsafe { close(ends[1]) };
    // SAFETY: nobody else owns the reading end.
    let mut alive = unsafe { std::fs::File::from_raw_fd(ends[0]) };
    alive.read_to_end(&mut Vec::new()).unwrap();
}

/// Forks a child that forks a grandchild and dies before it.
fn orphan(code: i32) {
    // SAFETY: this program has one thread, and the children only fork and exit.
    let child = unsafe { fork() };
    assert!(child >= 0, "fork: {}", std::io::Error::last_os_error());
    if child > 0 {
        // SAFETY: a null status is allowed.
        unsafe { waitpid(child, std::ptr::null_mut(), 0) };
        return;
    }
    // SAFETY: as above; whichever process this is, it ends here.
    unsafe {
        fork();
        _exit(code)
    }
}
