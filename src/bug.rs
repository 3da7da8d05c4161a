//! What becomes of a panic: it ends one piece of work, is told once, and never the
//! supervisor's life.
//!
//! A thread does its work by [`caught`] and has an answer ready for when there is
//! none. What the panic says goes to stderr ([`tell_on_stderr`]), past the log:
//! whatever has panicked may hold a lock of that.
//!
//! Builds for debugging can be told to have a bug, for the tests ([`on_demand`]); a
//! release cannot.

use std::any::Any;
use std::fmt::Write as _;
use std::panic::{self, AssertUnwindSafe, PanicHookInfo};

use log::error;

/// What the supervisor exits with after a bug in itself, or without memory:
/// `EX_SOFTWARE` of sysexits.h.
pub const EXIT_CODE: u8 = 70;

/// What a pipe takes in one piece, or not at all (POSIX, `PIPE_BUF`).
const LONGEST: usize = 512;

/// Does it. After a panic the log says that `what` has panicked, and what `what`
/// touches is as the panic has left it.
pub fn caught<T>(what: &str, work: impl FnOnce() -> T) -> Option<T> {
    let done = panic::catch_unwind(AssertUnwindSafe(work));
    if done.is_err() {
        error!("internal error: {what} has panicked");
    }
    done.ok()
}

/// What a panic says, if that is a text.
pub fn words(panic: &(dyn Any + Send)) -> Option<&str> {
    let text = panic.downcast_ref::<&str>().copied();
    text.or_else(|| panic.downcast_ref::<String>().map(String::as_str))
}

/// From now on what a panic says, and where it was, is written to stderr if there is
/// room for it: nobody waits for whoever reads that.
pub fn tell_on_stderr() {
    panic::set_hook(Box::new(tell));
}

fn tell(panic: &PanicHookInfo<'_>) {
    let mut line = Line([0; LONGEST], 0);
    // What does not fit is cut off.
    let _cut = write!(line, "containerpilot: internal error: ");
    if let Some(place) = panic.location() {
        let _cut = write!(line, "{}:{}: ", place.file(), place.line());
    }
    let text = words(panic.payload()).unwrap_or("a panic without words");
    let _cut = line.write_str(text);
    line.send();
}

/// A line without a heap, which may be what has failed.
struct Line([u8; LONGEST], usize);

impl std::fmt::Write for Line {
    fn write_str(&mut self, text: &str) -> std::fmt::Result {
        let Self(line, length) = self;
        // The last byte is for the end of the line.
        let room = line.get_mut(*length..LONGEST - 1).unwrap_or_default();
        for (to, from) in room.iter_mut().zip(text.bytes()) {
            *to = if from.is_ascii_control() { b' ' } else { from };
        }
        *length += room.len().min(text.len());
        Ok(())
    }
}

impl Line {
    fn send(mut self) {
        let Self(line, length) = &mut self;
        if let Some(end) = line.get_mut(*length) {
            *end = b'\n';
        }
        say(line.get(..=*length).unwrap_or_default());
    }
}

/// Writes a line, shorter than what a pipe takes in one piece, to stderr if there is
/// room for it. A handler of a signal may do it: it takes no lock and no memory.
pub fn say(line: &[u8]) {
    let mut stderr = libc::pollfd {
        fd: libc::STDERR_FILENO,
        events: libc::POLLOUT,
        revents: 0,
    };
    // SAFETY: one descriptor, which lives as long as the call; no time to wait.
    let has_room = unsafe { libc::poll(&raw mut stderr, 1, 0) } == 1;
    if has_room && stderr.revents & libc::POLLOUT != 0 {
        // SAFETY: the line is as long as is said, and lives as long as the call.
        unsafe { libc::write(libc::STDERR_FILENO, line.as_ptr().cast(), line.len()) };
    }
}

/// A bug at this place, if the file of its name is there in the directory that
/// `CONTAINERPILOT_BUGS` names: one each time that it is put there.
#[cfg(debug_assertions)]
#[expect(clippy::panic, reason = "that is what is asked for")]
pub fn on_demand(place: &str) {
    let Some(bugs) = std::env::var_os("CONTAINERPILOT_BUGS") else {
        return;
    };
    if std::fs::remove_file(std::path::Path::new(&bugs).join(place)).is_ok() {
        panic::panic_any("on demand");
    }
}

/// Nothing.
#[cfg(not(debug_assertions))]
#[inline(always)]
pub fn on_demand(_place: &str) {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn work_that_panics_has_no_result_and_other_work_has() {
        assert_eq!(caught("it", || 1), Some(1));
        let odd = || -> i32 { panic::resume_unwind(Box::new("odd")) };
        assert_eq!(caught("it", odd), None);
    }

    #[test]
    fn a_panic_is_told_by_its_words() {
        let table: [(Box<dyn Any + Send>, Option<&str>); 3] = [
            (Box::new("a text"), Some("a text")),
            (
                Box::new("one of its own".to_owned()),
                Some("one of its own"),
            ),
            (Box::new(7), None),
        ];
        for (panic, expected) in &table {
            assert_eq!(words(panic.as_ref()), *expected);
        }
    }

    #[test]
    fn a_line_is_one_line_and_is_cut_where_there_is_no_more_room() {
        let mut line = Line([0; LONGEST], 0);
        assert!(line.write_str("a\nb\x1b").is_ok());
        assert_eq!(line.0.get(..5), Some(&b"a b \0"[..]));
        assert!(line.write_str(&"x".repeat(2 * LONGEST)).is_ok());
        assert!(line.write_str("more").is_ok());
        assert_eq!(line.1, LONGEST - 1);
    }
}
