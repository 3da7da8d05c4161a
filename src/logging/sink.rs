//! Where log entries go: standard output, standard error, or a file.
//!
//! Owned by the writer thread, the only one that ever blocks here. Nothing
//! that a destination does ends that thread: what cannot be written is counted,
//! and the next batch is tried again.

use std::fmt;
use std::fs::File;
use std::io::{self, ErrorKind, Write};
use std::os::fd::{AsFd, AsRawFd};

use super::rotation::{Begun, begin_anew, first_line, fitting, open_file};
use crate::config::logging::{LogOutput, Rotation};

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
    rotation: Option<Rotation>,
    growth: Growth,
}

/// How large a file is that is rotated.
#[derive(Debug, Default)]
struct Growth {
    size: u64,
    /// Not to grow beyond this.
    limit: u64,
    /// The file has been moved away, but no other could be begun.
    is_moved: bool,
    /// Why that failed, until it is told.
    trouble: Option<String>,
}

impl Sink {
    /// Opens `output`.
    pub(crate) fn open(output: &LogOutput, rotation: Option<Rotation>) -> Result<Self, OpenError> {
        let mut sink = Self {
            file: open(output)?,
            output: output.clone(),
            torn: false,
            loss: None,
            rotation,
            growth: Growth::default(),
        };
        sink.measure();
        Ok(sink)
    }

    /// Opens the file again, so that a file that was moved away is replaced by
    /// a new one. On failure the old one stays in use. Nothing to do for the
    /// standard streams.
    pub(crate) fn reopen(&mut self) -> Result<(), OpenError> {
        if matches!(self.output, LogOutput::File(_)) {
            self.file = open(&self.output)?;
            // In an empty file there is no line that was cut.
            let metadata = self.file.metadata();
            self.torn &= metadata.is_ok_and(|file| !file.is_file() || file.len() > 0);
            self.measure();
        }
        Ok(())
    }

    /// Writes to `output` from now on, and rotates it so. On failure the old one
    /// stays in use as it was.
    pub(crate) fn redirect(
        &mut self,
        output: &LogOutput,
        rotation: Option<Rotation>,
    ) -> Result<(), OpenError> {
        if self.output != *output {
            self.file = open(output)?;
            self.output = output.clone();
            self.torn = false;
            self.growth.is_moved = false;
        }
        self.rotation = rotation;
        self.measure();
        Ok(())
    }

    /// Looks how large the file is. Only regular files are rotated.
    fn measure(&mut self) {
        let is_moved = self.growth.is_moved;
        self.growth = Growth::default();
        let metadata = self.file.metadata().ok();
        if let (Some(rotation), Some(metadata)) = (self.rotation, metadata)
            && metadata.is_file()
        {
            self.growth.size = metadata.len();
            self.growth.limit = rotation.max_size;
            self.growth.is_moved = is_moved;
        }
    }

    /// Writes whole lines and returns how many of them were lost.
    pub(crate) fn write(&mut self, lines: &[u8]) -> u64 {
        let (mut lost, mut rest) = (0, lines);
        while !rest.is_empty() {
            let length = self.next_piece(rest);
            let (piece, after) = rest.split_at_checked(length).unwrap_or((rest, b""));
            lost += self.write_piece(piece);
            rest = after;
        }
        lost
    }

    /// How much of these lines goes into the file that is open, which may be a new
    /// one by then.
    fn next_piece(&mut self, lines: &[u8]) -> usize {
        let (Some(rotation), 1..) = (self.rotation, self.growth.limit) else {
            return lines.len();
        };
        let first = first_line(lines);
        for _again in 0..2 {
            let room = self.growth.limit.saturating_sub(self.growth.size);
            let fits = fitting(lines, room);
            // A line that is too long for any file has one of its own.
            if fits > 0 || self.growth.size == 0 {
                return fits.max(first);
            }
            self.rotate(rotation, first as u64);
        }
        first
    }

    /// Begins a new file because a line of this length is too much for the one
    /// that is open. If that fails, it may grow as much again before the next try.
    fn rotate(&mut self, rotation: Rotation, line: u64) {
        let LogOutput::File(path) = &self.output else {
            return;
        };
        // Somebody may have emptied it.
        let size = self
            .file
            .metadata()
            .map_or(self.growth.size, |now| now.len());
        if size + line <= self.growth.limit {
            self.growth.size = size;
            return;
        }
        let trouble = match begin_anew(path, &self.file, rotation.keep, self.growth.is_moved) {
            Begun::New(file) => {
                self.file = file;
                self.torn = false;
                self.growth.is_moved = false;
                self.measure();
                return;
            }
            Begun::OnlyMoved(error) => {
                self.growth.is_moved = true;
                error
            }
            Begun::Nothing(error) => error,
        };
        self.growth.size = size;
        self.growth.limit = size.saturating_add(rotation.max_size);
        let name = Name(&self.output);
        let text = format!("cannot rotate {name}: {trouble}: the log goes on as before");
        self.growth.trouble = Some(text);
    }

    /// Why a file could not be rotated; told once.
    pub(crate) fn trouble(&mut self) -> Option<String> {
        self.growth.trouble.take()
    }

    /// Writes whole lines where they fit and returns how many of them were lost.
    fn write_piece(&mut self, lines: &[u8]) -> u64 {
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

    /// What was lost could not be told either, which counts as nothing more.
    pub(crate) fn remember(&mut self, loss: Loss) {
        self.loss = Some(loss);
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
                    self.growth.size = self.growth.size.saturating_add(written as u64);
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
        LogOutput::File(path) => open_file(path),
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
mod tests;
