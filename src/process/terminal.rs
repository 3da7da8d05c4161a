//! The terminal that a supervisor was started on: lent to a command, and taken
//! back.
//!
//! Whoever is not in the foreground process group of a terminal can neither read
//! from it nor change it, and gets none of the signals of its keys and of its
//! window's size (termios(3), credentials(7)). A command leads a group of its own,
//! which therefore must become that one, as tini does it; an interactive shell
//! goes on from there. For any other stdin there is nothing to do.
//!
//! Called by the child that becomes the command, and by the main loop.

use super::children;
use crate::message::Pid;

const TERMINAL: libc::c_int = libc::STDIN_FILENO;

/// The foreground group where there is no terminal.
const NONE: Pid = -1;

/// Makes the calling process's group, which it leads, the foreground one of the
/// terminal on stdin, if its parent's is. A supervisor in the background, as a
/// shell puts it there with `&`, leaves the terminal to whom it belongs.
///
/// Makes system calls and nothing else. SIGTTOU must be blocked or ignored.
pub(super) fn take_over() {
    // SAFETY: neither takes a pointer.
    let parent = unsafe { libc::getppid() };
    // SAFETY: as above.
    let parents = unsafe { libc::getpgid(parent) };
    // SAFETY: as above.
    let own = unsafe { libc::getpid() };
    if foreground() == parents {
        set_foreground(own);
    }
}

/// Makes this process's group the foreground one again, if that of a child is that
/// has ended or was stopped: for whoever comes after it.
///
/// SIGTTOU must be blocked or ignored.
pub fn take_back(child: Pid) {
    if foreground() == child {
        // SAFETY: getpgrp takes nothing.
        set_foreground(unsafe { libc::getpgrp() });
    }
}

/// Follows a child that the terminal has stopped, as Ctrl-Z does: stops too, so that
/// a shell which waits for this process gets its terminal back, and lets the child
/// go on when that shell lets this process go on. Where nobody could do so, as for
/// PID 1, the kernel does not stop it (setpgid(2), on orphaned groups), and the
/// child goes on at once. Without a terminal, whoever has stopped the child lets it
/// go on.
///
/// SIGTTOU must be blocked or ignored.
pub fn follow(child: Pid) {
    let Some(libc::SIGTSTP | libc::SIGTTIN | libc::SIGTTOU) = children::stopped_by(child) else {
        return;
    };
    let foreground_group = foreground();
    if foreground_group == NONE {
        return;
    }
    let was_lent = foreground_group == child;
    if !is_ours() {
        take_back(child);
        stop();
    }
    if was_lent || is_ours() {
        // A shell that lets it go on in the background keeps the terminal.
        if is_ours() {
            set_foreground(child);
        }
        // SAFETY: kill takes no pointer.
        unsafe { libc::kill(-child, libc::SIGCONT) };
    }
}

/// The foreground group of the terminal; [`NONE`] for any other stdin.
fn foreground() -> Pid {
    // SAFETY: tcgetpgrp takes no pointer.
    unsafe { libc::tcgetpgrp(TERMINAL) }
}

/// Whether that is this process's.
fn is_ours() -> bool {
    // SAFETY: getpgrp takes nothing.
    foreground() == unsafe { libc::getpgrp() }
}

/// Lends the terminal. One that has been hung up since is nobody's: who reads from
/// it finds that out.
fn set_foreground(group: Pid) {
    // SAFETY: tcsetpgrp takes no pointer.
    unsafe { libc::tcsetpgrp(TERMINAL, group) };
}

/// Stops this process until it is told to go on.
fn stop() {
    // SAFETY: sigaction is plain data for which all zeros is valid: the default.
    let default: libc::sigaction = unsafe { std::mem::zeroed() };
    // SAFETY: as above.
    let mut before: libc::sigaction = unsafe { std::mem::zeroed() };
    // SAFETY: both are valid, and the default action runs no code of ours.
    unsafe { libc::sigaction(libc::SIGTSTP, &raw const default, &raw mut before) };
    // SAFETY: raise takes no pointer.
    unsafe { libc::raise(libc::SIGTSTP) };
    // SAFETY: this is what was there before.
    unsafe { libc::sigaction(libc::SIGTSTP, &raw const before, std::ptr::null_mut()) };
}
