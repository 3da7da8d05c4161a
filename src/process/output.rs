//! The pump: one child's output, line by line, into the log.
//!
//! Stdout and stderr of a child share one pipe, so one blocking wait serves
//! both and their order is kept. The worker of an execution calls [`pump`] and
//! stays in it until every holder of the pipe's other end is gone; a pump that
//! has nothing to do holds no buffer. It knows nothing of the process itself:
//! exits are reported elsewhere.

use std::io::{self, ErrorKind, Read};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
use std::time::Duration;

use log::Level;

use crate::logging::{Block, Fields, Frame, Log, Moment, find_newline};
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

/// Logs every line of `pipe` as an entry at INFO with `label` and `pid`, and
/// returns at its end. A last line without a newline counts. While the log can
/// take no more, this waits and the child is held back at the pipe; when the
/// level shows no output, it is read and thrown away.
pub fn pump(pipe: impl Read + AsFd, label: &Label, pid: Pid, log: &Log) {
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

struct Pump<'a, P> {
    pipe: P,
    log: &'a Log,
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
        loop {
            self.wait();
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
    fn wait(&mut self) {
        if self.input.len() > SMALL {
            if wait_readable(self.pipe.as_fd(), Some(LINGER)) {
                return;
            }
            self.release();
        }
        if self.filled == 0 {
            self.release();
        }
        wait_readable(self.pipe.as_fd(), None);
        if self.input.len() <= self.filled {
            self.enlarge(SMALL);
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
        let saturated = self.filled == self.input.len();
        if !self.log.shows_output() {
            self.filled = 0;
            return;
        }
        self.frame
            .set(self.log.format(), &Moment::now(), &self.fields);
        let input = std::mem::take(&mut self.input);
        let received = input.get(..self.filled).unwrap_or_default();
        let consumed = self.lines(received, known);
        self.input = input;
        self.hand_over();
        self.input.copy_within(consumed..self.filled, 0);
        self.filled -= consumed;
        if saturated && self.input.len() < LINE + READ {
            self.enlarge(LINE + READ - self.filled);
        }
    }

    /// Makes entries of the lines in `bytes`, and of what is too long to wait
    /// for its end. The first `known` bytes are known to contain no newline:
    /// a line that comes byte by byte is not searched from its start each
    /// time. Returns how many bytes are dealt with.
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
        let Fields { label, pid, .. } = self.fields;
        let text = format!("cannot read its output: {error}");
        self.log.entry(Level::Error, label, pid, &text);
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

/// Waits until reading will not block; `false` if that takes longer than
/// `timeout`.
fn wait_readable(pipe: BorrowedFd<'_>, timeout: Option<Duration>) -> bool {
    let timeout = timeout.map_or(-1, |timeout| timeout.as_millis().try_into().unwrap_or(-1));
    loop {
        let mut poll = libc::pollfd {
            fd: pipe.as_raw_fd(),
            events: libc::POLLIN,
            revents: 0,
        };
        // SAFETY: `poll` is one valid pollfd, and the count says so.
        let ready = unsafe { libc::poll(&raw mut poll, 1, timeout) };
        if ready >= 0 || io::Error::last_os_error().kind() != ErrorKind::Interrupted {
            // An error shows again, with its reason, in the read that follows.
            return ready != 0;
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::type_complexity)]
    use super::*;
    use std::fs;
    use std::io::Write;
    use std::thread;
    use std::time::Instant;

    use crate::config::LoggingSpec;
    use crate::config::logging::{Format, Level, LogOutput};
    use crate::logging::tests::{Directory, open};

    /// What the log holds after a child has written these pieces, one write
    /// each, and closed its pipe.
    fn logged(format: Format, level: Level, pieces: &[&[u8]]) -> Vec<u8> {
        let directory = Directory::new("pump");
        let path = directory.join("log");
        let output = LogOutput::File(path.clone());
        let log = open(&LoggingSpec {
            level,
            format,
            output,
        });
        let (reader, mut writer) = std::io::pipe().unwrap();
        thread::scope(|scope| {
            scope.spawn(|| pump(reader, &Label::Job("app".into()), 17, &log));
            for piece in pieces {
                writer.write_all(piece).unwrap();
            }
            drop(writer);
        });
        assert!(log.flush(Instant::now() + Duration::from_secs(30)));
        fs::read(path).unwrap()
    }

    /// The messages of a log in the default format.
    fn messages(pieces: &[&[u8]]) -> Vec<Vec<u8>> {
        let text = logged(Format::Default, Level::Info, pieces);
        let lines = text.split_inclusive(|byte| *byte == b'\n');
        lines
            .map(|line| {
                let line = line.strip_suffix(b"\n").unwrap();
                let mark = b" app 17 ";
                let at = line
                    .windows(mark.len())
                    .position(|window| window == mark)
                    .unwrap();
                line[at + mark.len()..].to_vec()
            })
            .collect()
    }

    #[test]
    fn every_line_is_an_entry_wherever_the_writes_end() {
        let cases: [(&[&[u8]], &[&[u8]]); 8] = [
            (&[], &[]),
            (&[b"one\ntwo\n"], &[b"one", b"two"]),
            (&[b"o", b"n", b"e\ntw", b"o\n"], &[b"one", b"two"]),
            (&[b"no newline"], &[b"no newline"]),
            (&[b"one\n", b"last"], &[b"one", b"last"]),
            (&[b"\n\n"], &[b"", b""]),
            (
                &[b"dos\r\n", b"bar\rfoo\r", b"\n\r"],
                &[b"dos", b"bar\rfoo", b""],
            ),
            (&[b"\xff\0\x1b[0m\n"], &[b"\xff\0\x1b[0m"]),
        ];
        for (pieces, expected) in cases {
            assert_eq!(messages(pieces), expected);
        }
    }

    #[test]
    fn structured_formats_carry_the_fields_and_escape_the_message() {
        let json = logged(Format::Json, Level::Info, &[b"bad \xff\0\n"]);
        let value: serde_json::Value = serde_json::from_slice(&json).unwrap();
        assert_eq!(value["job"], "app");
        assert_eq!(value["pid"], 17);
        assert_eq!(value["level"], "info");
        assert_eq!(value["msg"], "bad \u{fffd}\0");
        let text = logged(Format::Text, Level::Info, &[b"bad \xff\0\n"]);
        assert!(text.ends_with(
            br#" level=info msg="bad \xff\x00" job=app pid=17
"#
        ));
    }

    #[test]
    fn a_level_above_info_drains_the_pipe_and_logs_nothing() {
        let flood = b"line\n".repeat(100_000);
        assert_eq!(logged(Format::Default, Level::Warn, &[&flood, b"end"]), b"");
    }

    #[test]
    fn long_lines_are_split_and_nothing_is_lost() {
        let cases = [
            (LINE - 1, vec![LINE - 1]),
            (LINE, vec![LINE]),
            (LINE + 1, vec![LINE, 1]),
            (3 * LINE, vec![LINE; 3]),
            (3 * LINE + 5, vec![LINE, LINE, LINE, 5]),
        ];
        for (length, expected) in cases {
            let line = vec![b'x'; length];
            for end in [b"".as_slice(), b"\n", b"\r\n"] {
                let lengths: Vec<_> = messages(&[&line, end]).iter().map(Vec::len).collect();
                assert_eq!(lengths, expected, "{length} bytes and {end:?}");
            }
        }
    }

    #[test]
    fn a_split_falls_between_characters() {
        let line = "\u{65e5}".repeat(LINE);
        let pieces = messages(&[line.as_bytes()]);
        assert_eq!(pieces.concat(), line.as_bytes());
        for piece in pieces {
            assert!(std::str::from_utf8(&piece).is_ok());
        }
        // What is no UTF-8 is cut where it must be.
        let lengths: Vec<_> = messages(&[&[0x80; LINE + 1]])
            .iter()
            .map(Vec::len)
            .collect();
        assert_eq!(lengths, [LINE, 1]);
    }

    #[test]
    fn a_flood_arrives_complete_and_in_order() {
        let mut flood = Vec::new();
        let mut expected = Vec::new();
        for number in 0..50_000_usize {
            let line = format!("{number} {}", "x".repeat(number % 300));
            writeln!(flood, "{line}").unwrap();
            expected.push(line.into_bytes());
        }
        let pieces: Vec<_> = flood.chunks(7919).collect();
        assert!(messages(&pieces) == expected);
    }

    #[test]
    fn an_idle_pump_holds_no_memory() {
        let (reader, mut writer) = std::io::pipe().unwrap();
        let log = open(&LoggingSpec {
            output: LogOutput::File("/dev/null".into()),
            ..LoggingSpec::default()
        });
        let label = Label::Job("app".into());
        let mut pump = Pump {
            pipe: reader,
            log: &log,
            fields: Fields {
                level: log::Level::Info,
                label: Some(&label),
                pid: Some(1),
            },
            input: Vec::new(),
            filled: 0,
            frame: Frame::default(),
            block: Block::default(),
        };
        for (text, unfinished) in [("x".repeat(40_000), 40_000), ("\n".into(), 0)] {
            writer.write_all(text.as_bytes()).unwrap();
            while pump.filled != unfinished {
                pump.wait();
                let filled = pump.filled;
                let count = pump.pipe.read(&mut pump.input[filled..]).unwrap();
                pump.received(count);
            }
            pump.release();
            assert_eq!(pump.input.capacity(), unfinished);
            assert_eq!(pump.block.len(), 0);
        }
    }
}
