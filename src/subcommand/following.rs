//! `-events`, `-logs` and `-wait`: what goes on until its end, printed as it comes
//! (SPEC §16).

use std::io::{ErrorKind, Write, stdout};
use std::os::fd::AsFd;
use std::path::Path;

use super::{Answer, complain};
use crate::cli::Manner;
use crate::client::Error;
use crate::client::stream::{Lines, Stream, events, follow_logs, logs};
use crate::client::wait::{PATIENCE, Waited, wait};
use crate::printable::printable;

/// Prints events until the supervisor ends.
pub(super) fn show_events(socket: &Path, manner: Manner) -> Result<Answer, Error> {
    show(events(socket, manner.since)?)
}

/// Prints the last lines of the log, and, if wanted, those that follow.
pub(super) fn show_logs(socket: &Path, job: Option<&str>, manner: Manner) -> Result<Answer, Error> {
    let last = manner.lines;
    let lines = Lines { job, last };
    if manner.follow {
        return show(follow_logs(socket, lines)?);
    }
    let lines = logs(socket, lines)?;
    Ok(match print_all(&lines) {
        Ok(_) => Answer::from(String::new()),
        Err(error) => {
            complain(&format!("{error}\n"));
            Answer::bad()
        }
    })
}

fn show(mut stream: Stream<'_>) -> Result<Answer, Error> {
    while stream.has_more_for(stdout().as_fd())
        && let Some(bytes) = stream.more()?
    {
        match print_all(&bytes) {
            Ok(true) => {}
            Ok(false) => break,
            Err(error) => {
                complain(&format!("{error}\n"));
                return Ok(Answer::bad());
            }
        }
    }
    Ok(Answer::from(String::new()))
}

/// Prints bytes of any kind; `false` if nobody reads them any more.
fn print_all(bytes: &[u8]) -> Result<bool, String> {
    let mut out = stdout().lock();
    match out.write_all(bytes).and_then(|()| out.flush()) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(false),
        Err(error) => Err(format!("cannot write to standard output: {error}")),
    }
}

/// Waits until each job is in its state.
pub(super) fn wait_for(
    socket: &Path,
    wanted: &[(String, String)],
    manner: Manner,
) -> Result<Answer, Error> {
    let patience = manner.timeout.unwrap_or(PATIENCE);
    for (job, state) in wanted {
        let shown = printable(job);
        let why = match wait(socket, job, state, patience)? {
            Waited::Holds => continue,
            Waited::TooLong(states) => {
                let seconds = patience.as_secs_f32();
                format!("{shown} is not {state} after {seconds} s: it is {states}")
            }
            Waited::Ended => {
                format!("{shown} was not {state} before the supervisor ended or its socket moved")
            }
        };
        complain(&format!("-wait: {why}\n"));
        return Ok(Answer::bad());
    }
    Ok(Answer::from(String::new()))
}
