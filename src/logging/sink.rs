//! Where log entries go: standard output, standard error, or a file.
//!
//! Owned by the writer thread, the only one that ever blocks here. Nothing
//! that a destination does ends that thread: what cannot be written is counted,
//! and the next batch is tried again.

use std::fmt;
use std::fs::{File, OpenOptions};
use std::io::{self, ErrorKind, Write};
use std::os::fd::{AsFd, AsRawFd};
use std::os::unix::fs::OpenOptionsExt;

use crate::config::logging::LogOutput;

/// A destination that could not be opened.
#[derive(Debug)]
pub struct OpenError {
    output: LogOutput,
    cause: io::Error,
}

impl fmt::Display for OpenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "cannot open {}: {}", Name(&self.output), self.cause)?;
        if self.cause.raw_os_error() == Some(libc::ENXIO) {
            // What open(2) says of a FIFO.
            f.write_str(": nobody reads from it")?;
        }
        Ok(())
    }
}

impl std::error::Error for OpenError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.cause)
    }
}

/// The name of a destination in messages.
struct Name<'a>(&'a LogOutput);

impl fmt::Display for Name<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            LogOutput::Stdout => f.write_str("standard output"),
            LogOutput::Stderr => f.write_str("standard error"),
            LogOutput::File(path) => write!(f, "log file {path:?}"),
        }
    }
}

/// Lines that could not be written.
#[derive(Debug)]
pub(crate) struct Loss {
    lines: u64,
    /// Where to and why, the first time.
    reason: String,
}

impl fmt::Display for Loss {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let lines = if self.lines == 1 { "line" } else { "lines" };
        write!(f, "lost {} {lines} of the log: {}", self.lines, self.reason)
    }
}

/// An open destination.
#[derive(Debug)]
pub(crate) struct Sink {
    output: LogOutput,
    file: File,
    /// Whether the last byte that arrived is in the middle of a line.
    torn: bool,
    /// What was lost since the last time that writing worked.
    loss: Option<Loss>,
}

impl Sink {
    /// Opens `output`.
    pub(crate) fn open(output: &LogOutput) -> Result<Self, OpenError> {
        Ok(Self {
            file: open(output)?,
            output: output.clone(),
            torn: false,
            loss: None,
        })
    }

    /// Opens the file again, so that a file that was moved away is replaced by
    /// a new one. On failure the old one stays in use. Nothing to do for the
    /// standard streams.
    pub(crate) fn reopen(&mut self) -> Result<(), OpenError> {
        if matches!(self.output, LogOutput::File(_)) {
            self.file = open(&self.output)?;
        }
        Ok(())
    }

    /// Writes to `output` from now on. On failure the old one stays in use.
    /// Nothing to do if it is the same.
    pub(crate) fn redirect(&mut self, output: &LogOutput) -> Result<(), OpenError> {
        if self.output != *output {
            self.file = open(output)?;
            self.output = output.clone();
            self.torn = false;
        }
        Ok(())
    }

    /// Writes whole lines and returns how many of them were lost.
    pub(crate) fn write(&mut self, lines: &[u8]) -> u64 {
        if self.torn {
            // Ends the line that an earlier failure cut, so that the cut stays
            // its own affair.
            match self.write_some(b"\n") {
                Ok(()) => self.torn = false,
                Err((_, cause)) => return self.lose(lines, &cause),
            }
        }
        match self.write_some(lines) {
            Ok(()) => 0,
            Err((written, cause)) => {
                let (arrived, rest) = lines.split_at_checked(written).unwrap_or((lines, b""));
                self.torn |= arrived.last().is_some_and(|last| *last != b'\n');
                self.lose(rest, &cause)
            }
        }
    }

    /// What was lost before a write that has worked by now; told once.
    pub(crate) fn recovered(&mut self) -> Option<Loss> {
        self.loss.take()
    }

    fn lose(&mut self, rest: &[u8], cause: &io::Error) -> u64 {
        let lines = rest.iter().filter(|byte| **byte == b'\n').count() as u64;
        let loss = self.loss.get_or_insert_with(|| Loss {
            lines: 0,
            reason: format!("cannot write to {}: {cause}", Name(&self.output)),
        });
        loss.lines += lines;
        lines
    }

    /// Writes all, or says how much was written before it failed.
    fn write_some(&mut self, bytes: &[u8]) -> Result<(), (usize, io::Error)> {
        let mut rest = bytes;
        while !rest.is_empty() {
            let error = match self.file.write(rest) {
                Ok(0) => ErrorKind::WriteZero.into(),
                Ok(written) => {
                    rest = rest.get(written..).unwrap_or_default();
                    continue;
                }
                Err(error) => error,
            };
            match error.kind() {
                ErrorKind::Interrupted => {}
                // The streams are shared with other processes, any of which may
                // have made them non-blocking.
                ErrorKind::WouldBlock => wait_writable(&self.file),
                _ => return Err((bytes.len() - rest.len(), error)),
            }
        }
        Ok(())
    }
}

fn open(output: &LogOutput) -> Result<File, OpenError> {
    let opened = match output {
        LogOutput::Stdout => io::stdout().as_fd().try_clone_to_owned().map(File::from),
        LogOutput::Stderr => io::stderr().as_fd().try_clone_to_owned().map(File::from),
        // Non-blocking, so that opening a FIFO that nobody reads is an error
        // at once instead of a start that hangs.
        LogOutput::File(path) => OpenOptions::new()
            .append(true)
            .create(true)
            .custom_flags(libc::O_NONBLOCK | libc::O_NOCTTY)
            .open(path),
    };
    opened.map_err(|cause| OpenError {
        output: output.clone(),
        cause,
    })
}

/// Waits until writing can go on, or fails for a reason that writing will name.
fn wait_writable(file: &File) {
    let mut poll = libc::pollfd {
        fd: file.as_raw_fd(),
        events: libc::POLLOUT,
        revents: 0,
    };
    // SAFETY: `poll` is one valid pollfd, and the count says so.
    unsafe { libc::poll(&raw mut poll, 1, -1) };
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use std::io::Read;
    use std::os::fd::OwnedFd;
    use std::path::Path;

    fn file(path: &str) -> LogOutput {
        LogOutput::File(path.into())
    }

    fn over(file: impl Into<OwnedFd>) -> Sink {
        Sink {
            output: LogOutput::Stdout,
            file: File::from(file.into()),
            torn: false,
            loss: None,
        }
    }

    #[test]
    fn a_file_that_cannot_be_opened_is_named_with_the_reason() {
        let error = Sink::open(&file("/proc/no/such/log")).unwrap_err();
        assert_eq!(
            error.to_string(),
            "cannot open log file \"/proc/no/such/log\": No such file or directory (os error 2)"
        );
    }

    #[test]
    fn a_full_disk_costs_the_lines_of_the_batch_and_is_told_once_it_works_again() {
        let mut sink = Sink::open(&file("/dev/full")).unwrap();
        assert_eq!(sink.write(b"one\ntwo\n"), 2);
        assert_eq!(sink.write(b"three\n"), 1);
        sink.redirect(&file("/dev/null")).unwrap();
        assert_eq!(sink.write(b"four\n"), 0);
        assert_eq!(
            sink.recovered().unwrap().to_string(),
            "lost 3 lines of the log: cannot write to log file \"/dev/full\": No space left on device (os error 28)"
        );
        assert!(sink.recovered().is_none());
    }

    #[test]
    fn a_reader_that_went_away_costs_lines_and_nothing_else() {
        let (reader, writer) = io::pipe().unwrap();
        let mut sink = over(writer);
        drop(reader);
        assert_eq!(sink.write(b"one\n"), 1);
        assert_eq!(sink.write(b"two\nthree\n"), 2);
        assert_eq!(
            sink.recovered().unwrap().to_string(),
            "lost 3 lines of the log: cannot write to standard output: Broken pipe (os error 32)"
        );
    }

    #[test]
    fn a_line_that_a_failure_cut_is_ended_before_the_next() {
        let (mut reader, writer) = io::pipe().unwrap();
        let mut sink = over(writer);
        sink.torn = true;
        assert_eq!(sink.write(b"next\n"), 0);
        drop(sink);
        let mut text = String::new();
        reader.read_to_string(&mut text).unwrap();
        assert_eq!(text, "\nnext\n");
    }

    #[test]
    fn a_destination_that_others_made_non_blocking_loses_nothing() {
        let (mut reader, writer) = io::pipe().unwrap();
        // SAFETY: plain fcntl on a descriptor that lives in `writer`.
        let result = unsafe { libc::fcntl(writer.as_raw_fd(), libc::F_SETFL, libc::O_NONBLOCK) };
        assert_eq!(result, 0);
        let lines = b"0123456\n".repeat(100_000);
        let expected = lines.clone();
        let writing = std::thread::spawn(move || over(writer).write(&lines));
        let mut received = Vec::new();
        reader.read_to_end(&mut received).unwrap();
        assert_eq!(writing.join().unwrap(), 0);
        assert!(received == expected);
    }

    #[test]
    fn a_fifo_without_a_reader_is_an_error_and_no_hang() {
        let directory = crate::logging::tests::Directory::new("fifo");
        let path = directory.join("log");
        let name = std::ffi::CString::new(path.to_str().unwrap()).unwrap();
        // SAFETY: `name` is a string with its NUL.
        assert_eq!(unsafe { libc::mkfifo(name.as_ptr(), 0o600) }, 0);
        let error = Sink::open(&LogOutput::File(path)).unwrap_err().to_string();
        assert!(error.ends_with("nobody reads from it"), "{error}");
    }

    #[test]
    fn the_standard_streams_are_never_opened_again() {
        let mut sink = Sink::open(&LogOutput::Stderr).unwrap();
        let before = sink.file.as_raw_fd();
        sink.reopen().unwrap();
        sink.redirect(&LogOutput::Stderr).unwrap();
        assert_eq!(sink.file.as_raw_fd(), before);
        assert!(Path::new("/proc/self/fd").join(before.to_string()).exists());
    }
}
