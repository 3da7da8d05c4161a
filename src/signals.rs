//! Signals to messages.
//!
//! A signal that arrives is noted and wakes the event loop's thread, which makes
//! a message of it; what that means is the supervisor's to say (SPEC §12). There
//! is no thread between the kernel and the loop: two more wake-ups would be half
//! of what a shutdown takes.

use std::io;
use std::ptr;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread::{self, Thread};

use libc::{SIGCHLD, SIGHUP, SIGINT, SIGIO, SIGTERM, SIGUSR1, SIGUSR2};

use crate::message::{Message, Signal};

/// The signals that the supervisor knows.
const KNOWN: [libc::c_int; 7] = [SIGCHLD, SIGTERM, SIGINT, SIGHUP, SIGUSR1, SIGUSR2, SIGIO];

/// Those that have arrived, a bit each. As with the kernel's own note of them, one
/// that arrives twice before it is looked at has arrived once.
static ARRIVED: AtomicU32 = AtomicU32::new(0);

/// The thread that is woken.
static READER: OnceLock<Thread> = OnceLock::new();

/// Notes signals from now on, and wakes the calling thread for each. Before that,
/// whatever mask and ignored signals were inherited are set back to the defaults:
/// children must not inherit them, and a blocked SIGTERM would make the
/// supervisor deaf.
///
/// # Errors
/// The kernel refuses a handler.
pub fn start() -> io::Result<()> {
    let _already = READER.set(thread::current());
    restore_defaults();
    KNOWN.iter().try_for_each(|signal| handle(*signal))
}

/// The messages that those signals mean which have arrived since the last call.
pub fn arrived() -> impl Iterator<Item = Message> {
    let mut arrived = 0;
    // Mostly there is none, and then nothing is written.
    if ARRIVED.load(Ordering::Relaxed) != 0 {
        arrived = ARRIVED.swap(0, Ordering::Acquire);
    }
    let is_there = move |signal: &libc::c_int| arrived & bit(*signal) != 0;
    KNOWN.into_iter().filter(is_there).map(message)
}

fn bit(signal: libc::c_int) -> u32 {
    1_u32.wrapping_shl(signal.cast_unsigned())
}

fn message(signal: libc::c_int) -> Message {
    match signal {
        SIGTERM => Message::Signal(Signal::Terminate),
        SIGINT => Message::Signal(Signal::Interrupt),
        SIGHUP => Message::Signal(Signal::Hangup),
        SIGUSR1 => Message::Signal(Signal::ReopenLog),
        SIGUSR2 => Message::Signal(Signal::User2),
        SIGIO => Message::SocketTouched,
        _ => Message::ChildrenExited,
    }
}

/// What any thread does when a signal interrupts it.
extern "C" fn note(signal: libc::c_int) {
    // SAFETY: every thread has its own, for as long as it lives.
    let errno = unsafe { libc::__errno_location() };
    // SAFETY: as above.
    let before = unsafe { *errno };
    ARRIVED.fetch_or(bit(signal), Ordering::Release);
    // To unpark is an exchange and a call of the kernel: it takes no lock.
    if let Some(reader) = READER.get() {
        reader.unpark();
    }
    // SAFETY: as above. What is interrupted must not see another error.
    unsafe { *errno = before };
}

fn handle(signal: libc::c_int) -> io::Result<()> {
    // SAFETY: sigaction is plain data for which all zeros is valid.
    let mut action: libc::sigaction = unsafe { std::mem::zeroed() };
    action.sa_sigaction = note as extern "C" fn(libc::c_int) as libc::sighandler_t;
    action.sa_flags = libc::SA_RESTART;
    // SAFETY: the handler does nothing that must not be done in one: it allocates
    // nothing, takes no lock and cannot panic.
    match unsafe { libc::sigaction(signal, &raw const action, ptr::null_mut()) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

/// Unblocks every signal and gives ignored ones their default action again.
/// SIGPIPE stays ignored here; `std` resets it in children.
fn restore_defaults() {
    for signal in 1..libc::SIGRTMAX() {
        // SAFETY: sigaction is plain data for which all zeros is valid.
        let mut action: libc::sigaction = unsafe { std::mem::zeroed() };
        // SAFETY: action is valid for writing; a null new action only asks.
        let known = unsafe { libc::sigaction(signal, ptr::null(), &raw mut action) } == 0;
        if known && signal != libc::SIGPIPE && action.sa_sigaction == libc::SIG_IGN {
            // SAFETY: the default action runs no code of ours.
            unsafe { libc::signal(signal, libc::SIG_DFL) };
        }
    }
    // SAFETY: sigset_t is plain data, initialised by sigemptyset before use.
    let mut none: libc::sigset_t = unsafe { std::mem::zeroed() };
    // SAFETY: none is valid for writing.
    unsafe { libc::sigemptyset(&raw mut none) };
    // SAFETY: none is initialised; a null old mask is allowed.
    unsafe { libc::pthread_sigmask(libc::SIG_SETMASK, &raw const none, ptr::null_mut()) };
}
