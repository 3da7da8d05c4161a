//! The last lines of the log in memory, for boxes without a log collector (SPEC
//! §16, `logging.buffer`).
//!
//! Whoever logs copies its lines in here as well, in blocks as they come; whose
//! they are stands in front of each block, so that those of one job can be told
//! from all others whatever the format of the log. Nothing is allocated before
//! the first line, and nothing at all if the buffer is off.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

use log::Level;

use super::block::{Block, find_newline};
use super::format::{Fields, Frame};
use super::time::Moment;
use crate::config::logging::{Format, LoggingSpec};
use crate::feed::{Feed, Reader};
use crate::message::Label;
use crate::ring::Limits;

/// How much is kept or dropped at once.
const PIECE: usize = 4 << 10;

/// Whose lines a record has: the supervisor's own, or those of a run or a check.
const OWN: u8 = 0;
const JOB: u8 = 1;
const CHECK: u8 = 2;

/// The last lines, to be cloned to whoever writes or reads them.
#[derive(Clone, Debug)]
pub struct Buffer(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    feed: Arc<Feed>,
    /// Of the entries that are made for one reader.
    format: AtomicU8,
}

impl Default for Buffer {
    /// A buffer that is off.
    fn default() -> Self {
        Self(Arc::new(Shared {
            feed: Arc::new(Feed::new(limits(0))),
            format: AtomicU8::new(0),
        }))
    }
}

fn limits(bytes: usize) -> Limits {
    let records = u64::MAX;
    Limits { bytes, records }
}

impl Buffer {
    /// Keeps as much as `spec` says from now on.
    pub(super) fn set(&self, spec: &LoggingSpec) {
        self.0.format.store(spec.format as u8, Ordering::Relaxed);
        if self.0.feed.limit() != spec.buffer {
            self.0.feed.set_limits(limits(spec.buffer));
        }
    }

    /// Whether lines are kept at all.
    pub(crate) fn is_on(&self) -> bool {
        self.0.feed.limit() > 0
    }

    /// Keeps whole lines. Never waits.
    pub(super) fn push(&self, label: Option<&Label>, lines: &[u8]) {
        let limit = self.0.feed.limit();
        if limit == 0 {
            return;
        }
        let (kind, name) = match label {
            None => (OWN, ""),
            Some(Label::Job(name)) => (JOB, &**name),
            Some(Label::Check(name)) => (CHECK, &**name),
        };
        let Ok(length) = u16::try_from(name.len()) else {
            return;
        };
        let [low, high] = length.to_ne_bytes();
        let head = [kind, low, high];
        let longest = (limit / 4).saturating_sub(name.len());
        let mut rest = last_lines(lines, limit);
        while !rest.is_empty() {
            let (piece, end, after) = cut(rest, longest);
            self.0.feed.push(&[&head, name.as_bytes(), piece, end]);
            rest = after;
        }
    }

    /// Nothing will follow.
    pub(crate) fn close(&self) {
        self.0.feed.close();
    }

    /// Reads what there is, and what follows.
    pub(crate) fn reader(&self) -> Reader {
        self.0.feed.from_the_oldest()
    }

    /// An entry that only one reader gets to see.
    pub(crate) fn notice(&self, message: &str) -> Vec<u8> {
        let format = Format::from_number(self.0.format.load(Ordering::Relaxed));
        let fields = Fields {
            level: Level::Warn,
            label: None,
            pid: None,
        };
        let mut line = Block::default();
        Frame::new(format, &Moment::now(), &fields).write(message.as_bytes(), &mut line);
        line.as_slice().to_vec()
    }
}

/// The lines at the end that may still be there when all are in a ring of that
/// size.
fn last_lines(lines: &[u8], limit: usize) -> &[u8] {
    let (before, last) = lines.split_at(lines.len().saturating_sub(limit));
    if before.last().is_none_or(|byte| *byte == b'\n') {
        return last;
    }
    let end = find_newline(last).map_or(last.len(), |end| end + 1);
    last.get(end..).unwrap_or_default()
}

/// The first piece, what has to be appended to it, and the rest. A piece is whole
/// lines, or one line, which is cut if it is longer than `longest`.
fn cut(lines: &[u8], longest: usize) -> (&[u8], &[u8], &[u8]) {
    let window = lines.get(..PIECE.min(longest)).unwrap_or(lines);
    if window.len() == lines.len() {
        return (lines, b"", b"");
    }
    if let Some(last) = window.iter().rposition(|byte| *byte == b'\n') {
        let (piece, rest) = lines.split_at(last + 1);
        return (piece, b"", rest);
    }
    let end = find_newline(lines).map_or(lines.len(), |end| end + 1);
    let (line, rest) = lines.split_at(end);
    match line.get(..longest.saturating_sub(1)) {
        Some(start) if start.len() + 1 < line.len() => (start, b"\n", rest),
        _ => (line, b"", rest),
    }
}

/// The lines of a record, if they are of the job of this name or of one of its
/// checks, or if no name is wanted.
pub(crate) fn lines_of<'a>(record: &'a [u8], wanted: Option<&str>) -> Option<&'a [u8]> {
    let ([kind, low, high], rest) = record.split_first_chunk::<3>()?;
    let length = u16::from_ne_bytes([*low, *high]);
    let (name, lines) = rest.split_at_checked(length.into())?;
    let Some(wanted) = wanted else {
        return Some(lines);
    };
    let is_wanted = match *kind {
        JOB => name == wanted.as_bytes(),
        CHECK => name.strip_prefix(b"check.") == Some(wanted.as_bytes()),
        _ => false,
    };
    is_wanted.then_some(lines)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::feed::Found;
    use crate::ring::records;

    fn buffer(bytes: usize) -> Buffer {
        let buffer = Buffer::default();
        buffer.set(&LoggingSpec {
            buffer: bytes,
            ..LoggingSpec::default()
        });
        buffer
    }

    fn lines(buffer: &Buffer, wanted: Option<&str>) -> String {
        let (mut reader, mut text) = (buffer.reader(), Vec::new());
        let mut out = Vec::new();
        while let Found::Records(_) = reader.read(&mut out, None) {
            let lines = records(&out).filter_map(|record| lines_of(record, wanted));
            text.extend(lines.flatten());
        }
        String::from_utf8(text).unwrap()
    }

    #[test]
    fn lines_are_told_apart_by_whose_they_are_and_not_by_what_they_say() {
        let buffer = buffer(1000);
        let (job, other) = (Label::Job("app".into()), Label::Job("check.app".into()));
        buffer.push(Some(&job), b"one\ntwo\n");
        buffer.push(None, b"app 17 three\n");
        buffer.push(Some(&Label::Check("check.app".into())), b"four\n");
        buffer.push(Some(&other), b"five\n");
        assert_eq!(lines(&buffer, Some("app")), "one\ntwo\nfour\n");
        assert_eq!(lines(&buffer, Some("check.app")), "five\n");
        assert_eq!(lines(&buffer, Some("")), "");
        let all = "one\ntwo\napp 17 three\nfour\nfive\n";
        assert_eq!(lines(&buffer, None), all);
    }

    #[test]
    fn the_last_lines_are_there_however_they_come() {
        let (size, line) = (16 << 10, "x".repeat(99) + "\n");
        for at_once in [1, 7, 50, 1000] {
            let buffer = buffer(size);
            buffer.push(None, line.repeat(3).as_bytes());
            for _ in 0..(1000 / at_once) {
                buffer.push(None, line.repeat(at_once).as_bytes());
            }
            let kept = lines(&buffer, None);
            // Whole lines, and no more room than two pieces is wasted.
            assert_eq!(kept, line.repeat(kept.len() / line.len()));
            assert!(
                kept.len() <= size && kept.len() + 2 * PIECE > size,
                "{at_once}: {}",
                kept.len()
            );
        }
    }

    #[test]
    fn a_line_that_is_much_too_long_is_cut_and_those_around_it_are_not() {
        let buffer = buffer(64 << 10);
        let (medium, long) = ("m".repeat(4090), "l".repeat(20_000));
        buffer.push(None, format!("a\n{medium}\n{long}\nb\n").as_bytes());
        let kept = lines(&buffer, None);
        let kept: Vec<&str> = kept.lines().collect();
        let cut = long.get(..(16 << 10) - 1).unwrap();
        assert_eq!(kept, ["a", medium.as_str(), cut, "b"]);
    }

    #[test]
    fn a_buffer_that_is_off_keeps_nothing_and_can_be_set() {
        let buffer = buffer(0);
        buffer.push(None, b"one\n");
        assert!(!buffer.is_on());
        let spec = |buffer| LoggingSpec {
            buffer,
            format: Format::Json,
            ..LoggingSpec::default()
        };
        buffer.set(&spec(100));
        buffer.push(None, b"two\n");
        assert_eq!(lines(&buffer, None), "two\n");
        let notice = String::from_utf8(buffer.notice("words")).unwrap();
        assert!(notice.starts_with("{\"level\":\"warning\",\"msg\":\"words\""));
        buffer.set(&spec(0));
        assert_eq!(lines(&buffer, None), "");
    }
}
