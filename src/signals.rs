//! Signals to messages.
//!
//! A signal that arrives is noted and wakes the event loop's thread, which makes
//! a message of it; what that means is the supervisor's to say (SPEC §12). There
//! is no thread between the kernel and the loop: two more wake-ups would be half
//! of what a shutdown takes. For the sake of a command all that can be passed on
//! are taken (SPEC §17).

use std::io;
use std::ptr;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::{self, Thread};

use libc::{SIGCHLD, SIGHUP, SIGINT, SIGIO, SIGTERM, SIGUSR1, SIGUSR2};

use crate::message::{Message, Signal};

/// The signals that the supervisor knows.
const KNOWN: [libc::c_int; 7] = [SIGCHLD, SIGTERM, SIGINT, SIGHUP, SIGUSR1, SIGUSR2, SIGIO];

/// Those of them that it needs though the others are a command's.
const OWN: [libc::c_int; 2] = [SIGCHLD, SIGIO];

/// The last signal there is.
const LAST: libc::c_int = 64;

/// Those that have arrived, a bit each. As with the kernel's own note of them, one
/// that arrives twice before it is looked at has arrived once.
static ARRIVED: AtomicU64 = AtomicU64::new(0);

/// Those that have another action here than the default one, or may have, a bit
/// each.
static CHANGED: AtomicU64 = AtomicU64::new(u64::MAX);

/// The thread that is woken.
static READER: OnceLock<Thread> = OnceLock::new();

/// Whose signals these are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Addressee {
    /// The supervisor's, which knows a few.
    Supervisor,
    /// A command's: all but those that the supervisor needs itself.
    Command,
}

/// Notes signals from now on, and wakes the calling thread for each; for SIGCHLD
/// where it is [listening]. Before that,
/// whatever mask and ignored signals were inherited are set back to the defaults:
/// children must not inherit them, and a blocked SIGTERM would make the
/// supervisor deaf.
///
/// # Errors
/// The kernel refuses a handler.
pub fn start(addressee: Addressee) -> io::Result<()> {
    let _already = READER.set(thread::current());
    CHANGED.store(restore_defaults(), Ordering::Relaxed);
    match addressee {
        Addressee::Supervisor => KNOWN.into_iter().try_for_each(handle),
        Addressee::Command => {
            ignore_the_terminal();
            passed_on().chain(OWN).try_for_each(handle)
        }
    }
}

/// The signals that have another action than the default one, which a child is to
/// have, a bit each: all, before [`start`].
pub(crate) fn changed() -> u64 {
    CHANGED.load(Ordering::Relaxed)
}

/// The messages that those signals mean which have arrived since the last call.
pub fn arrived(addressee: Addressee) -> impl Iterator<Item = Message> {
    let mut arrived = 0;
    // Mostly there is none, and then nothing is written.
    if ARRIVED.load(Ordering::Relaxed) != 0 {
        arrived = ARRIVED.swap(0, Ordering::Acquire);
    }
    // First who has ended.
    let children = (arrived & bit(SIGCHLD) != 0).then_some(SIGCHLD);
    arrived &= !bit(SIGCHLD);
    let others = (1..).take_while(move |signal| *signal <= LAST && arrived >= bit(*signal));
    let others = others.filter(move |signal| arrived & bit(*signal) != 0);
    children
        .into_iter()
        .chain(others)
        .map(move |signal| match addressee {
            Addressee::Command if !OWN.contains(&signal) => {
                Message::Signal(Signal::ToPassOn(signal))
            }
            _ => message(signal),
        })
}

/// The bits of the signals that tell the supervisor to end.
fn orders() -> u64 {
    bit(SIGTERM) | bit(SIGINT)
}

/// Takes the order to end that has arrived, if there is one, for somebody who has to
/// know of the next one before the event loop runs.
pub(crate) fn take_order() -> bool {
    ARRIVED.fetch_and(!orders(), Ordering::Acquire) & orders() != 0
}

/// Gives back an order that was taken.
pub(crate) fn give_back_order() {
    note(SIGTERM);
}

/// Waits where SIGCHLD may end the wait. It is blocked everywhere else: it would go
/// to the thread that made the child, or interrupt the reaping of one child by the
/// end of the next, each time for one more look at all of them. So those that come
/// meanwhile are one.
pub(crate) fn listening<T>(wait: impl FnOnce() -> T) -> T {
    set_mask(libc::SIG_UNBLOCK);
    let result = wait();
    set_mask(libc::SIG_BLOCK);
    result
}

/// Changes by SIGCHLD, in the way that is named, which signals are blocked here.
fn set_mask(how: libc::c_int) {
    // SAFETY: sigset_t is plain data, initialised by sigemptyset before use.
    let mut set: libc::sigset_t = unsafe { std::mem::zeroed() };
    // SAFETY: the set is valid for writing.
    unsafe { libc::sigemptyset(&raw mut set) };
    // SAFETY: as above.
    unsafe { libc::sigaddset(&raw mut set, SIGCHLD) };
    // SAFETY: the set is initialised; a null old mask is allowed.
    unsafe { libc::pthread_sigmask(how, &raw const set, ptr::null_mut()) };
}

/// The bit of a signal, 1 to [`LAST`].
fn bit(signal: libc::c_int) -> u64 {
    1_u64.wrapping_shl(signal.wrapping_sub(1).cast_unsigned())
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
fn note(signal: libc::c_int) {
    ARRIVED.fetch_or(bit(signal), Ordering::Release);
    // To unpark is an exchange and a call of the kernel: it takes no lock.
    if let Some(reader) = READER.get() {
        reader.unpark();
    }
}

fn handle(signal: libc::c_int) -> io::Result<()> {
    CHANGED.fetch_or(bit(signal), Ordering::Relaxed);
    // SAFETY: what it does may be done in a handler: it allocates nothing, takes no
    // lock and cannot panic. The registry keeps errno.
    unsafe { signal_hook::low_level::register(signal, move || note(signal)) }.map(drop)
}

/// Every signal that somebody may send to a command: not those of faults, which are
/// our own, nor those that tell this process of its own files and its terminal.
fn passed_on() -> impl Iterator<Item = libc::c_int> {
    const OURS: [libc::c_int; 12] = [
        libc::SIGKILL,
        libc::SIGSTOP,
        libc::SIGILL,
        libc::SIGTRAP,
        libc::SIGABRT,
        libc::SIGBUS,
        libc::SIGFPE,
        libc::SIGSEGV,
        libc::SIGSYS,
        libc::SIGPIPE,
        libc::SIGTTIN,
        libc::SIGTTOU,
    ];
    // Between them are those that the C library keeps for itself.
    let all = (1..32).chain(libc::SIGRTMIN()..=libc::SIGRTMAX());
    all.filter(|signal| !OURS.contains(signal) && !OWN.contains(signal))
}

/// A command is in the foreground of the terminal and this process is not: it must
/// not be stopped for what it logs there.
fn ignore_the_terminal() {
    for signal in [libc::SIGTTIN, libc::SIGTTOU] {
        CHANGED.fetch_or(bit(signal), Ordering::Relaxed);
        // SAFETY: ignoring a signal runs no code of ours.
        unsafe { libc::signal(signal, libc::SIG_IGN) };
    }
}

/// Unblocks every signal but SIGCHLD and gives ignored ones their default action again.
/// SIGPIPE stays ignored here. Returns those that have another action then, a bit
/// each.
fn restore_defaults() -> u64 {
    let mut changed = 0;
    for signal in 1..=libc::SIGRTMAX() {
        // SAFETY: sigaction is plain data for which all zeros is valid.
        let mut action: libc::sigaction = unsafe { std::mem::zeroed() };
        // SAFETY: action is valid for writing; a null new action only asks.
        let known = unsafe { libc::sigaction(signal, ptr::null(), &raw mut action) } == 0;
        if known && signal != libc::SIGPIPE && action.sa_sigaction == libc::SIG_IGN {
            // SAFETY: the default action runs no code of ours.
            unsafe { libc::signal(signal, libc::SIG_DFL) };
        } else if !known || action.sa_sigaction != libc::SIG_DFL {
            changed |= bit(signal);
        }
    }
    // Threads that start from now on have the same mask.
    set_mask(libc::SIG_SETMASK);
    changed
}
