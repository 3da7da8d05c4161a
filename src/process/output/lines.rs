//! From what a pipe gives to entries of the log: lines whole, or split if they
//! are too long (SPEC §13).
//!
//! Its buffers serve all pipes in turn. What belongs to one of them is only the
//! beginning of a line whose end has not come yet. It reads nothing and knows no
//! thread; the pump calls it.

use std::time::Duration;

use log::Level;

use crate::logging::{Block, Fields, Frame, Moment, Source, find_newline};
use crate::message::{Label, Pid};
use crate::tail::Tail;

/// The longest line that is one entry; longer ones are split.
pub(super) const LINE: usize = 64 << 10;

/// How much is read at most at once: what a pipe holds.
const READ: usize = 64 << 10;

/// The room before what is read, for the longest unfinished line, to whose end
/// a carriage return may belong. Round, because the kernel copies faster to
/// there.
const HEADROOM: usize = LINE + 64;

/// Entries are handed to the log when they are this long together, at the
/// latest.
const BLOCK: usize = 128 << 10;

/// Whoever prints no more than this at once does so now and then: buffers are
/// given back before the next wait.
const LITTLE: usize = 4 << 10;

/// How long the buffers otherwise outlive the last output.
const LINGER: Duration = Duration::from_secs(1);

/// Whose output it is, and the beginning of a line of it.
#[derive(Debug)]
pub(super) struct Stream {
    pub(super) label: Label,
    pub(super) pid: Pid,
    pub(super) log: Source,
    pub(super) tail: Option<Tail>,
    /// Contains no newline and is no longer than [`HEADROOM`].
    pub(super) unfinished: Vec<u8>,
}

impl Stream {
    /// What its entries say besides their message.
    pub(super) fn fields(&self, level: Level) -> Fields<'_> {
        Fields {
            level,
            label: Some(&self.label),
            pid: Some(self.pid),
        }
    }
}

/// The buffers.
#[derive(Default)]
pub(super) struct Lines {
    /// [`HEADROOM`], and then [`READ`] bytes for what is read; empty while
    /// nothing comes. It comes zeroed from the kernel, which costs nothing for
    /// what is not used of it.
    input: Vec<u8>,
    frame: Frame,
    /// Entries for the log.
    block: Block,
    /// Whether somebody printed more than [`LITTLE`] since there are buffers.
    is_busy: bool,
}

impl Lines {
    /// Where the next output is to be read to.
    pub(super) fn space(&mut self) -> &mut [u8] {
        if self.input.is_empty() {
            self.input = vec![0; HEADROOM + READ];
        }
        self.input.get_mut(HEADROOM..).unwrap_or_default()
    }

    /// Before a wait: how long it may last until [`Lines::release`] is due.
    pub(super) fn linger(&mut self) -> Option<Duration> {
        if self.is_busy {
            return Some(LINGER);
        }
        self.release();
        None
    }

    /// Gives the buffers back.
    pub(super) fn release(&mut self) {
        *self = Self::default();
    }

    /// Logs the lines that `count` more bytes complete, and keeps in `stream`
    /// what is left. When the level shows no output, all is thrown away.
    pub(super) fn received(&mut self, stream: &mut Stream, count: usize) {
        self.is_busy |= count > LITTLE;
        let received = HEADROOM..HEADROOM + count;
        let new = self.input.get(received).unwrap_or_default();
        if let Some(tail) = &stream.tail {
            tail.push(new);
        }
        if !stream.log.is_shown() {
            stream.unfinished = Vec::new();
            return;
        }
        let known = stream.unfinished.len();
        let has_line = find_newline(new).is_some();
        if !has_line && known + new.len() <= LINE {
            stream.unfinished.extend_from_slice(new);
            return;
        }
        let all = HEADROOM - known.min(HEADROOM)..HEADROOM + count;
        if let Some(begin) = self.input.get_mut(all.start..HEADROOM) {
            begin.copy_from_slice(&stream.unfinished);
        }
        self.frame.set(
            stream.log.format(),
            &Moment::now(),
            &stream.fields(Level::Info),
        );
        let input = std::mem::take(&mut self.input);
        let rest = self.lines(input.get(all).unwrap_or_default(), has_line, stream);
        stream.unfinished = rest.to_vec();
        self.input = input;
        self.hand_over(stream);
    }

    /// Makes entries of the lines in `bytes`, and of what is too long to wait
    /// for its end, and returns the rest.
    fn lines<'b>(&mut self, bytes: &'b [u8], has_line: bool, stream: &Stream) -> &'b [u8] {
        let mut rest = bytes;
        loop {
            let line = if has_line {
                self.frame.write_line(window(rest), &mut self.block)
            } else {
                None
            };
            let taken = match line {
                Some(taken) => taken,
                None if is_too_long(rest) => self.piece(rest),
                None => return rest,
            };
            rest = rest.get(taken..).unwrap_or_default();
            if self.block.len() >= BLOCK {
                self.hand_over(stream);
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

    fn hand_over(&mut self, stream: &Stream) {
        if self.block.len() > 0 {
            let label = Some(&stream.label);
            stream.log.push(label, self.block.as_slice());
            self.block.truncate(0);
        }
    }

    /// Logs a last line that has no newline.
    pub(super) fn ended(&mut self, stream: &Stream) {
        let line = stream.unfinished.as_slice();
        if line.is_empty() {
            return;
        }
        self.frame.set(
            stream.log.format(),
            &Moment::now(),
            &stream.fields(Level::Info),
        );
        let message = line.strip_suffix(b"\r").unwrap_or(line);
        self.frame.write(message, &mut self.block);
        self.hand_over(stream);
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
