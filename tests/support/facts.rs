//! What jobs tell the test: lines in a FIFO, and the end of all who hold one.
//!
//! A line shorter than `PIPE_BUF` is written in one piece, so that lines of many
//! processes never mix, and the FIFO keeps the order in which they were written.

use std::fs::{File, OpenOptions};
use std::io::{Read as _, Write as _};
use std::os::fd::{AsRawFd as _, RawFd};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::time::Instant;

use super::deadline;

/// Lines that the scripts of jobs write with `echo … >>$FACTS`.
#[derive(Debug)]
pub(crate) struct Facts {
    fifo: File,
    pending: Vec<u8>,
    seen: Vec<String>,
}

impl Facts {
    /// Reads from a FIFO. It is open for writing too, so that it never ends.
    pub(crate) fn open(path: &Path) -> Self {
        let fifo = OpenOptions::new()
            .read(true)
            .write(true)
            .custom_flags(libc::O_NONBLOCK)
            .open(path)
            .unwrap();
        Self {
            fifo,
            pending: Vec::new(),
            seen: Vec::new(),
        }
    }

    /// The next fact.
    pub(crate) fn next(&mut self) -> String {
        self.next_by(deadline())
            .unwrap_or_else(|| panic!("no fact came; so far: {:#?}", self.seen))
    }

    /// The next fact, if one comes before `deadline`.
    pub(crate) fn next_by(&mut self, deadline: Instant) -> Option<String> {
        loop {
            if let Some(end) = self.pending.iter().position(|byte| *byte == b'\n') {
                let line: Vec<u8> = self.pending.drain(..=end).collect();
                let line = String::from_utf8_lossy(&line).trim_end().to_owned();
                self.seen.push(line.clone());
                return Some(line);
            }
            if poll(self.fifo.as_raw_fd(), libc::POLLIN, deadline) == 0 {
                return None;
            }
            let mut chunk = [0; 65536];
            let length = self.fifo.read(&mut chunk).unwrap();
            self.pending.extend_from_slice(&chunk[..length]);
        }
    }

    /// The facts that have already been written and not been read.
    pub(crate) fn rest(&mut self) -> Vec<String> {
        std::iter::from_fn(|| self.next_by(Instant::now())).collect()
    }

    /// Expects exactly these facts next, in this order.
    #[track_caller]
    pub(crate) fn expect(&mut self, expected: &[&str]) {
        for (index, want) in expected.iter().enumerate() {
            let got = self.next();
            assert_eq!(
                got, *want,
                "fact {index} of {expected:?}; all: {:#?}",
                self.seen
            );
        }
    }

    /// Expects exactly these facts next, in any order.
    #[track_caller]
    pub(crate) fn expect_set(&mut self, expected: &[&str]) {
        let mut got: Vec<String> = expected.iter().map(|_| self.next()).collect();
        let mut want = expected.to_vec();
        got.sort();
        want.sort_unstable();
        assert_eq!(got, want);
    }

    /// Reads until the fact `wanted` and returns those before it.
    #[track_caller]
    pub(crate) fn until(&mut self, wanted: &str) -> Vec<String> {
        let mut before = Vec::new();
        loop {
            let fact = self.next();
            if fact == wanted {
                return before;
            }
            before.push(fact);
        }
    }

    /// The next fact that begins with the word `key`: what follows it.
    #[track_caller]
    pub(crate) fn value(&mut self, key: &str) -> String {
        loop {
            let fact = self.next();
            if let Some(value) = fact
                .strip_prefix(key)
                .and_then(|rest| rest.strip_prefix(' '))
            {
                return value.to_owned();
            }
        }
    }

    /// The next fact that begins with the word `key`: the pid that follows it.
    #[track_caller]
    pub(crate) fn pid(&mut self, key: &str) -> i32 {
        self.value(key).parse().unwrap()
    }

    /// Everything read so far, for the report of a failure.
    pub(crate) fn seen(&self) -> &[String] {
        &self.seen
    }
}

/// A FIFO at which processes wait (`read go <$GATE`) until the test lets one of
/// them pass.
#[derive(Debug)]
pub(crate) struct Gate {
    fifo: File,
}

impl Gate {
    /// A gate at which nobody waits yet. It is open for reading too, so that
    /// neither side ever waits for the other one to open it.
    pub(crate) fn open(path: &Path) -> Self {
        let fifo = OpenOptions::new()
            .read(true)
            .write(true)
            .open(path)
            .unwrap();
        Self { fifo }
    }

    /// Lets one process pass: one that waits, or the next one that comes.
    pub(crate) fn release(&mut self) {
        self.fifo.write_all(b"go\n").unwrap();
    }
}

/// A FIFO that processes hold open (`exec 9>>$LIFELINE`) and that tells when the
/// last of them is dead.
#[derive(Debug)]
pub(crate) struct Lifeline {
    fifo: File,
}

impl Lifeline {
    /// Watches a FIFO that nobody has opened for writing yet.
    pub(crate) fn open(path: &Path) -> Self {
        let fifo = OpenOptions::new()
            .read(true)
            .custom_flags(libc::O_NONBLOCK)
            .open(path)
            .unwrap();
        Self { fifo }
    }

    /// Waits until every process that held it is dead. At least one must have
    /// opened it before.
    #[track_caller]
    pub(crate) fn wait_for_end(&self) {
        let happened = poll(self.fifo.as_raw_fd(), 0, deadline());
        assert_ne!(happened & libc::POLLHUP, 0, "somebody is still alive");
    }

    /// Whether some process holds it now.
    pub(crate) fn is_held(&self) -> bool {
        poll(self.fifo.as_raw_fd(), 0, Instant::now()) & libc::POLLHUP == 0
    }
}

/// Waits for `events` on `fd`; 0 if none came before `deadline`.
pub(crate) fn poll(fd: RawFd, events: i16, deadline: Instant) -> i16 {
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        let milliseconds = i32::try_from(left.as_micros().div_ceil(1000)).unwrap();
        let mut entry = libc::pollfd {
            fd,
            events,
            revents: 0,
        };
        // SAFETY: `entry` is one live pollfd.
        let ready = unsafe { libc::poll(&raw mut entry, 1, milliseconds) };
        if ready > 0 {
            return entry.revents;
        }
        if ready == 0 && Instant::now() >= deadline {
            return 0;
        }
    }
}
