//! The pump: one child's output, line by line, into the log.
//!
//! Stdout and stderr of a child share one pipe, so one wait serves both and
//! their order is kept. The worker of an execution calls [`pump`] and stays in
//! it until every holder of the pipe's other end is gone, or the log is closing
//! and the pipe empty. A pump that has nothing to do holds no buffer. It knows
//! nothing of the process itself: exits are reported elsewhere.

use std::io::{self, ErrorKind, Read};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
use std::time::Duration;

use log::Level;

use crate::logging::{Block, Fields, Frame, Moment, Source, find_newline};
use crate::message::{Label, Pid};

/// The longest line that is one entry; longer ones are split (SPEC §13).
const LINE: usize = 64 << 10;

/// How much is read at most at once: what a pipe holds.
const READ: usize = 64 << 10;

/// The buffer of a child that prints now and then.
const SMALL: usize = 4 << 10;

/// Entries are handed to the log when they are this long together, at the
/// latest.
const BLOCK: usize = 128 << 10;

/// How long the buffers of a child that printed a lot outlive its last output.
const LINGER: Duration = Duration::from_secs(1);

/// Logs every line of `pipe` as an entry at INFO with `label` and `pid`.
/// Returns at the end of the pipe, or, when the log is closing, as soon as the
/// pipe is empty. A last line without a newline counts. While the log can take
/// no more, this waits and the child is held back at the pipe; when the level
/// shows no output, it is read and thrown away.
pub fn pump(pipe: impl Read + AsFd, label: &Label, pid: Pid, log: &Source) {
    let fields = Fields {
        level: Level::Info,
        label: Some(label),
        pid: Some(pid),
    };
    let pump = Pump {
        pipe,
        log,
        fields,
        input: Vec::new(),
        filled: 0,
        frame: Frame::default(),
        block: Block::default(),
    };
    pump.run();
}

/// What a wait was ended by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Wait {
    /// There is something to read, or the end of it.
    Readable,
    /// Nobody waits for more than there is, and there is nothing.
    Closing,
    /// Time.
    TimedOut,
}

struct Pump<'a, P> {
    pipe: P,
    log: &'a Source,
    fields: Fields<'a>,
    /// The read buffer, all of it initialised; empty while nothing comes.
    input: Vec<u8>,
    /// How much of it is the beginning of a line whose end has not come yet.
    filled: usize,
    frame: Frame,
    /// Entries for the log.
    block: Block,
}

impl<P: Read + AsFd> Pump<'_, P> {
    fn run(mut self) {
        while self.wait() == Wait::Readable {
            let space = self.input.get_mut(self.filled..).unwrap_or_default();
            let limit = space.len().min(READ);
            match self.pipe.read(space.get_mut(..limit).unwrap_or_default()) {
                Ok(0) => break,
                Ok(count) => self.received(count),
                Err(error) => match error.kind() {
                    ErrorKind::Interrupted | ErrorKind::WouldBlock => {}
                    _ => {
                        self.report(&error);
                        break;
                    }
                },
            }
        }
        self.end();
    }

    /// Waits for output without holding memory for it, and then has a buffer.
    fn wait(&mut self) -> Wait {
        let lingers = self.input.len() > SMALL;
        let mut wait = Wait::TimedOut;
        if lingers {
            wait = self.poll(Some(LINGER));
        }
        if wait == Wait::TimedOut {
            if lingers || self.filled == 0 {
                self.release();
            }
            wait = self.poll(None);
        }
        // Reading into no room would look like the end of the pipe.
        if self.input.len() <= self.filled {
            self.enlarge(SMALL);
        }
        wait
    }

    /// Waits until reading will not block.
    fn poll(&self, timeout: Option<Duration>) -> Wait {
        let timeout = timeout.map_or(-1, |timeout| timeout.as_millis().try_into().unwrap_or(-1));
        let watch = |fd: BorrowedFd<'_>| libc::pollfd {
            fd: fd.as_raw_fd(),
            events: libc::POLLIN,
            revents: 0,
        };
        loop {
            let mut watched = [watch(self.pipe.as_fd()), watch(self.log.closing())];
            // SAFETY: the pointer is to two valid pollfds, and the count says so.
            let ready = unsafe { libc::poll(watched.as_mut_ptr(), 2, timeout) };
            let [pipe, _] = watched;
            match ready {
                0 => return Wait::TimedOut,
                1.. if pipe.revents == 0 => return Wait::Closing,
                1.. => return Wait::Readable,
                _ if io::Error::last_os_error().kind() == ErrorKind::Interrupted => {}
                // Reading will tell the reason.
                _ => return Wait::Readable,
            }
        }
    }

    /// Gives all memory back but that of an unfinished line.
    fn release(&mut self) {
        self.input.truncate(self.filled);
        self.input.shrink_to_fit();
        self.block = Block::default();
        self.frame = Frame::default();
    }

    /// Makes room for `space` bytes after the unfinished line. The new buffer
    /// comes zeroed from the allocator, which costs nothing until it is used.
    fn enlarge(&mut self, space: usize) {
        let mut larger = vec![0; self.filled + space];
        let unfinished = self.input.get(..self.filled).unwrap_or_default();
        if let Some(start) = larger.get_mut(..unfinished.len()) {
            start.copy_from_slice(unfinished);
        }
        self.input = larger;
    }

    /// Logs the lines that `count` more bytes complete.
    fn received(&mut self, count: usize) {
        let known = self.filled;
        self.filled = self.input.len().min(known + count);
        let is_full = self.filled == self.input.len();
        if self.log.is_shown() {
            self.log_lines(known);
        } else {
            self.filled = 0;
        }
        if is_full && self.input.len() < LINE + READ {
            self.enlarge(LINE + READ - self.filled);
        }
    }

    /// Logs the lines in the buffer, the first `known` bytes of which contain
    /// no newline, and keeps what is left.
    fn log_lines(&mut self, known: usize) {
        let format = self.log.format();
        self.frame.set(format, &Moment::now(), &self.fields);
        let input = std::mem::take(&mut self.input);
        let received = input.get(..self.filled).unwrap_or_default();
        let logged = self.lines(received, known);
        self.input = input;
        self.hand_over();
        self.input.copy_within(logged..self.filled, 0);
        self.filled -= logged;
    }

    /// Makes entries of the lines in `bytes`, and of what is too long to wait
    /// for its end, and returns how much that was. `known` spares a line that
    /// comes byte by byte from being searched from its start each time.
    fn lines(&mut self, bytes: &[u8], known: usize) -> usize {
        let mut rest = bytes;
        let has_line = find_newline(rest.get(known..).unwrap_or_default()).is_some();
        loop {
            let line = if has_line {
                self.frame.write_line(window(rest), &mut self.block)
            } else {
                None
            };
            let taken = match line {
                Some(taken) => taken,
                None if is_too_long(rest) => self.piece(rest),
                None => return bytes.len() - rest.len(),
            };
            rest = rest.get(taken..).unwrap_or_default();
            if self.block.len() >= BLOCK {
                self.hand_over();
            }
        }
    }

    /// Makes an entry of the beginning of a line that is too long, and returns
    /// how much that was.
    fn piece(&mut self, line: &[u8]) -> usize {
        let end = cut(line);
        let piece = line.get(..end).unwrap_or_default();
        self.frame.write(piece, &mut self.block);
        end
    }

    fn hand_over(&mut self) {
        if self.block.len() > 0 {
            self.log.push(self.block.as_slice());
            self.block.truncate(0);
        }
    }

    /// Logs a last line that has no newline.
    fn end(mut self) {
        if self.filled == 0 {
            return;
        }
        self.frame
            .set(self.log.format(), &Moment::now(), &self.fields);
        let line = self.input.get(..self.filled).unwrap_or_default();
        let message = line.strip_suffix(b"\r").unwrap_or(line);
        self.frame.write(message, &mut self.block);
        self.hand_over();
    }

    fn report(&self, error: &io::Error) {
        let fields = Fields {
            level: Level::Error,
            ..self.fields
        };
        let text = format!("cannot read its output: {error}");
        self.log.entry(&fields, &text);
    }
}

/// The bytes in which a line that is one entry must end.
fn window(bytes: &[u8]) -> &[u8] {
    let end = match bytes.get(LINE..) {
        Some([b'\r', b'\n', ..]) => LINE + 2,
        _ => LINE + 1,
    };
    bytes.get(..end).unwrap_or(bytes)
}

/// Whether a line without an end in its [`window`] cannot become one entry any
/// more, whatever comes.
fn is_too_long(line: &[u8]) -> bool {
    match line.get(LINE..) {
        None | Some([] | [b'\r']) => false,
        Some(_) => true,
    }
}

/// Where to cut a line that is too long: at [`LINE`] bytes, or up to three
/// before, so that no character of valid UTF-8 is cut in two.
fn cut(line: &[u8]) -> usize {
    let is_boundary = |at: usize| line.get(at).is_none_or(|byte| byte & 0xc0 != 0x80);
    let mut ends = (LINE - 3..=LINE).rev();
    ends.find(|at| is_boundary(*at)).unwrap_or(LINE)
}

#[cfg(test)]
mod tests;
