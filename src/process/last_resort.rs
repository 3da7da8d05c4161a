//! What becomes of the jobs when this process aborts: when there is no memory, a
//! stack has overflowed, or a panic met a panic. Then nothing of it can be trusted
//! any more, not even the heap, so that only the kernel is asked: all children get
//! SIGTERM, then SIGKILL, and the process ends with a code of its own. They would
//! live on without anybody to mind them; those of PID 1 the kernel would kill.
//!
//! A handler of SIGABRT does it. It takes no lock, allocates nothing and cannot
//! panic; it finds children in /proc, since the table of them belongs to a thread
//! that may be in the middle of changing it. Installed once, by the supervisor.

use std::ffi::CStr;
use std::ptr;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::bug;
use crate::message::Pid;

/// How often to look whether all are gone, after each signal: 2 s in all.
const LOOKS: usize = 200;
const PAUSE: libc::c_int = 10;

const LAST_WORDS: &[u8] = b"containerpilot: cannot go on (see above); ending all jobs\n";

static IS_ENDING: AtomicBool = AtomicBool::new(false);

/// Whether this process is about to end, and must not start another one.
pub(super) fn is_ending() -> bool {
    IS_ENDING.load(Ordering::Relaxed)
}

/// From now on this process does not abort without its children.
pub fn install() {
    // SAFETY: sigaction is plain data for which all zeros is valid.
    let mut action: libc::sigaction = unsafe { std::mem::zeroed() };
    action.sa_sigaction = on_abort as extern "C" fn(libc::c_int) as libc::sighandler_t;
    // The stack that has overflowed is of no use.
    action.sa_flags = libc::SA_ONSTACK;
    // SAFETY: the action is initialised and its handler only makes system calls.
    unsafe { libc::sigaction(libc::SIGABRT, &raw const action, ptr::null_mut()) };
}

extern "C" fn on_abort(_: libc::c_int) {
    if IS_ENDING.swap(true, Ordering::Relaxed) {
        // Another thread is at it, and will end this one, too.
        loop {
            // SAFETY: a call without arguments.
            unsafe { libc::pause() };
        }
    }
    bug::say(LAST_WORDS);
    end_children();
    // SAFETY: ends the process without running anything of it.
    unsafe { libc::_exit(bug::EXIT_CODE.into()) }
}

fn end_children() {
    for signal in [libc::SIGTERM, libc::SIGKILL] {
        for look in 0..LOOKS {
            // Those that were orphaned meanwhile have not been told.
            if look == 0 || signal == libc::SIGKILL {
                tell_children(signal);
            }
            if !has_children() {
                return;
            }
            // SAFETY: no descriptors, and so no pointer that is followed.
            unsafe { libc::poll(ptr::null_mut(), 0, PAUSE) };
        }
    }
}

/// Reaps those that have ended.
fn has_children() -> bool {
    loop {
        // SAFETY: a null status is allowed.
        match unsafe { libc::waitpid(-1, ptr::null_mut(), libc::WNOHANG) } {
            0 => return true,
            ..0 => return false,
            _ => {}
        }
    }
}

/// Sends a signal to each child and to the group that it may lead.
fn tell_children(signal: libc::c_int) {
    // SAFETY: calls without arguments.
    let own = unsafe { libc::getpid() };
    if own == 1 {
        // SAFETY: a call without pointers; to PID 1 this is everybody else.
        unsafe { libc::kill(-1, signal) };
        return;
    }
    each_process(|pid| {
        if parent(pid) == Some(own) {
            for whom in [-pid, pid] {
                // SAFETY: a call without pointers.
                unsafe { libc::kill(whom, signal) };
            }
        }
    });
}

/// Goes through the entries of /proc, one buffer of getdents64(2) after the other.
fn each_process(mut look: impl FnMut(Pid)) {
    let Some(directory) = Descriptor::open(c"/proc") else {
        return;
    };
    loop {
        let mut entries = [0_u8; 2048];
        let Descriptor(fd) = directory;
        let (start, length) = (entries.as_mut_ptr(), entries.len());
        // SAFETY: the buffer is as long as is said, and the descriptor is open.
        let count = unsafe { libc::syscall(libc::SYS_getdents64, fd, start, length) };
        let Ok(1..) = usize::try_from(count) else {
            return;
        };
        let mut rest = entries.get(..count as usize).unwrap_or_default();
        // Inode and offset of 8 bytes each, the length of the entry, its type, its name.
        while let Some(&[low, high]) = rest.get(16..18) {
            let length = usize::from(u16::from_ne_bytes([low, high]));
            let name = rest.get(19..length).unwrap_or_default();
            number(name).into_iter().for_each(&mut look);
            rest = rest.get(length.max(1)..).unwrap_or_default();
        }
    }
}

/// The parent of a process, the second field after its name in parentheses.
fn parent(pid: Pid) -> Option<Pid> {
    let mut path = [0_u8; 24];
    write_path(&mut path, pid)?;
    let file = Descriptor::open(CStr::from_bytes_until_nul(&path).ok()?)?;
    let mut text = [0_u8; 256];
    let (start, length) = (text.as_mut_ptr().cast(), text.len());
    // SAFETY: the buffer is as long as is said, and the descriptor is open.
    let count = unsafe { libc::read(file.0, start, length) };
    let text = text.get(..usize::try_from(count).ok()?)?;
    let name_end = text.iter().rposition(|byte| *byte == b')')?;
    // ") S 123 …"
    number(text.get(name_end + 4..)?)
}

/// `/proc/PID/stat`, and NUL.
fn write_path(path: &mut [u8; 24], pid: Pid) -> Option<()> {
    let mut digits = [0_u8; 10];
    let mut left = pid;
    let mut count = 0;
    while left > 0 {
        *digits.get_mut(count)? = b'0' + (left % 10) as u8;
        left /= 10;
        count += 1;
    }
    let digits = digits.get(..count)?.iter().rev();
    let bytes = b"/proc/".iter().chain(digits).chain(b"/stat");
    path.iter_mut()
        .zip(bytes)
        .for_each(|(to, from)| *to = *from);
    Some(())
}

/// The number at the beginning of a text, if there is one.
fn number(text: &[u8]) -> Option<Pid> {
    let digits = text.iter().take_while(|byte| byte.is_ascii_digit());
    let mut number: Option<Pid> = None;
    for digit in digits {
        let more = number.unwrap_or(0).checked_mul(10)?;
        number = Some(more.checked_add(Pid::from(digit - b'0'))?);
    }
    number
}

/// An open file or directory.
struct Descriptor(libc::c_int);

impl Descriptor {
    fn open(path: &CStr) -> Option<Self> {
        // SAFETY: the path ends with NUL and lives as long as the call.
        let fd = unsafe { libc::open(path.as_ptr(), libc::O_RDONLY | libc::O_CLOEXEC) };
        (fd >= 0).then_some(Self(fd))
    }
}

impl Drop for Descriptor {
    fn drop(&mut self) {
        // SAFETY: nobody else has it.
        unsafe { libc::close(self.0) };
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn processes_and_their_parents_are_found() {
        let own = Pid::try_from(std::process::id()).unwrap();
        let mut seen = Vec::new();
        each_process(|pid| seen.push(pid));
        assert!(seen.contains(&own), "{seen:?}");
        // SAFETY: a call without arguments.
        assert_eq!(parent(own), Some(unsafe { libc::getppid() }));
        assert_eq!(parent(Pid::MAX), None);
    }

    #[test]
    fn numbers_end_where_digits_do() {
        let table: [(&[u8], Option<Pid>); 6] = [
            (b"17\0", Some(17)),
            (b"0 x", Some(0)),
            (b"self", None),
            (b"", None),
            (b"2147483647", Some(Pid::MAX)),
            (b"2147483648", None),
        ];
        for (text, expected) in table {
            assert_eq!(number(text), expected, "{text:?}");
        }
    }
}
