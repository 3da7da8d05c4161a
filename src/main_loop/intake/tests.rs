//! What the loop takes next while somebody always has something to say.
#![allow(clippy::unwrap_used)]

use super::*;

use std::env;
use std::io::{self, BufRead, BufReader};
use std::os::fd::AsRawFd;
use std::process::Command;
use std::thread;

use crate::config::LoggingSpec;
use crate::config::logging::LogOutput;
use crate::inbox::inbox;
use crate::logging::tests::open;
use crate::message::Signal;

/// How long anything may take before a test fails.
const PATIENCE: Duration = Duration::from_secs(30);

/// Runs the test of this name once more, alone in a process, and `body` there: what
/// is done for signals is a process's.
fn alone(test: &str, body: impl FnOnce()) {
    const ALONE: &str = "CONTAINERPILOT_TEST_ALONE";
    if env::var_os(ALONE).is_some() {
        return body();
    }
    let name = format!("main_loop::intake::tests::{test}");
    let mut again = Command::new(env::current_exe().unwrap());
    again.args(["--exact", &name, "--nocapture"]);
    let output = again.env(ALONE, "1").output().unwrap();
    let told = [output.stdout, output.stderr].concat();
    let told = String::from_utf8_lossy(&told);
    assert!(output.status.success(), "{told}");
    assert!(told.contains("1 passed"), "{told}");
}

/// A log that goes to `output`.
fn log(output: LogOutput) -> Log {
    open(&LoggingSpec {
        output,
        ..LoggingSpec::default()
    })
}

/// What a loop takes that is asked anew as soon as it has taken something, by as
/// many as make `waiting` messages at a time.
struct Flooded {
    intake: Intake,
    own: Sender<Message>,
}

impl Flooded {
    fn new(log: Log, waiting: u32) -> Self {
        let (own, inbox) = inbox();
        for _ in 0..waiting {
            own.send(Message::AskerLeft).unwrap();
        }
        let intake = Intake::new(inbox, own.clone(), Addressee::Supervisor, log);
        Self { intake, own }
    }

    /// The next message that is not of the flood, and after how many of it; none
    /// among the next thousand.
    fn next_other(&self) -> Option<(u32, Message)> {
        for before in 0..1000 {
            match self.intake.next(None).unwrap() {
                Message::AskerLeft => self.own.send(Message::AskerLeft).unwrap(),
                other => return Some((before, other)),
            }
        }
        None
    }
}

#[test]
fn children_that_have_ended_wait_for_one_row_and_those_before_them() {
    alone(
        "children_that_have_ended_wait_for_one_row_and_those_before_them",
        || {
            signals::start(Addressee::Supervisor).unwrap();
            for waiting in [1, 3, ROW - 1, ROW, ROW + 1, 3 * ROW] {
                let flooded = Flooded::new(log(LogOutput::Stderr), waiting);
                for _ in 0..3 {
                    // SAFETY: a signal for this thread, which has a handler.
                    assert_eq!(unsafe { libc::raise(libc::SIGCHLD) }, 0);
                    let (before, other) = flooded.next_other().unwrap();
                    assert!(matches!(other, Message::ChildrenExited), "{other:?}");
                    assert!(
                        before <= ROW + waiting,
                        "{before} before, {waiting} waiting"
                    );
                }
            }
        },
    );
}

#[test]
fn a_signal_waits_for_those_before_it_alone() {
    alone("a_signal_waits_for_those_before_it_alone", || {
        signals::start(Addressee::Supervisor).unwrap();
        for waiting in [1, ROW, 3 * ROW] {
            let flooded = Flooded::new(log(LogOutput::Stderr), waiting);
            // SAFETY: a signal for this thread, which has a handler.
            assert_eq!(unsafe { libc::raise(libc::SIGTERM) }, 0);
            let (before, other) = flooded.next_other().unwrap();
            assert!(
                matches!(other, Message::Signal(Signal::Terminate)),
                "{other:?}"
            );
            assert_eq!(before, waiting);
        }
    });
}

#[test]
fn what_was_noted_in_a_row_is_written_after_it() {
    let (reader, writer) = io::pipe().unwrap();
    let log = log(LogOutput::File(
        format!("/dev/fd/{}", writer.as_raw_fd()).into(),
    ));
    let (found, lines) = inbox();
    thread::spawn(move || {
        for line in BufReader::new(reader).lines() {
            found.send(line.unwrap()).unwrap();
        }
    });
    let next_line = || lines.recv_timeout(PATIENCE).unwrap();
    let flooded = Flooded::new(log.clone(), 1);
    // The writer is there, and waits until it is woken.
    log.entry(log::Level::Info, None, None, "first");
    assert!(next_line().ends_with("first"));
    assert!(log.flush(Instant::now() + PATIENCE));
    for number in 0..3 {
        let text = format!("note {number}");
        log.note(log::Level::Info, None, &text);
        assert!(flooded.next_other().is_none());
        assert!(next_line().ends_with(&text));
    }
}
