//! Signals to messages.
//!
//! One thread waits for every signal the supervisor knows and reports it; what
//! a signal means is the supervisor's to say (SPEC §12).

use std::io;
use std::thread;

use crossbeam_channel::Sender;
use signal_hook::consts::{SIGCHLD, SIGHUP, SIGINT, SIGIO, SIGTERM, SIGUSR1, SIGUSR2};
use signal_hook::iterator::Signals;

use crate::message::{Message, Signal};

const STACK: usize = 32 * 1024;

/// Starts the thread. Before that, whatever mask and ignored signals were
/// inherited are set back to the defaults: children must not inherit them, and
/// a blocked SIGTERM would make the supervisor deaf.
pub fn start(inbox: Sender<Message>) -> io::Result<()> {
    restore_defaults();
    let known = [SIGCHLD, SIGTERM, SIGINT, SIGHUP, SIGUSR1, SIGUSR2, SIGIO];
    let mut signals = Signals::new(known)?;
    let inbox = Guard(inbox);
    let work = move || {
        for signal in signals.forever() {
            if inbox.0.send(message(signal)).is_err() {
                return;
            }
        }
    };
    thread::Builder::new()
        .name("signals".to_owned())
        .stack_size(STACK)
        .spawn(work)?;
    Ok(())
}

/// Reports the end of the thread, which nobody asks for while there is a loop.
struct Guard(Sender<Message>);

impl Drop for Guard {
    fn drop(&mut self) {
        let _gone = self.0.send(Message::WorkerEnded("signals"));
    }
}

fn message(signal: i32) -> Message {
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

/// Unblocks every signal and gives ignored ones their default action again.
/// SIGPIPE stays ignored here; `std` resets it in children.
fn restore_defaults() {
    for signal in 1..libc::SIGRTMAX() {
        // SAFETY: sigaction is plain data for which all zeros is valid.
        let mut action: libc::sigaction = unsafe { std::mem::zeroed() };
        // SAFETY: action is valid for writing; a null new action only asks.
        let known = unsafe { libc::sigaction(signal, std::ptr::null(), &raw mut action) } == 0;
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
    unsafe { libc::pthread_sigmask(libc::SIG_SETMASK, &raw const none, std::ptr::null_mut()) };
}
