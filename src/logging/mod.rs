//! The log: formats, destinations and the thread that writes (SPEC §13).
//!
//! ```text
//! log::info!  ─ env_logger ─┐
//! Log::entry  ──────────────┼─ queue ─ writer thread ─ stdout, stderr, file
//! pumps       ──────────────┘
//! ```
//!
//! Whoever reads the log may be slow or gone; that concerns nobody but the
//! pumps. The supervisor's own entries never wait: when the queue is full they
//! are dropped, counted, and the count is logged when there is room again.
//! Children's output waits in its pump, so that the child is held back at its
//! pipe. The supervisor calls [`init`] once; a client never does, and so has
//! neither a thread nor a buffer.

mod block;
mod buffer;
mod escape;
mod format;
mod queue;
mod rotation;
mod sink;
mod sources;
mod time;
mod writer;

use std::fmt;
use std::io::{self, Write};
use std::os::fd::BorrowedFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};
use std::time::Instant;

use log::LevelFilter;

pub(crate) use block::{Block, find_newline};
pub use buffer::Buffer;
pub(crate) use buffer::lines_of;
pub(crate) use format::{Fields, Frame};
pub use sink::OpenError;
use sink::Sink;
pub(crate) use time::Moment;

use crate::config::LoggingSpec;
use crate::config::logging::{Format, Level, LogOutput};
use crate::message::{Label, Pid};
use queue::{Command, Queue};
use sources::Sources;

/// Why there is no log.
#[derive(Debug)]
pub enum InitError {
    /// Its destination cannot be opened.
    Open(OpenError),
    /// What it needs of the kernel cannot be had: a pipe or a thread.
    Resources(io::Error),
    /// There is one already.
    Again,
}

impl fmt::Display for InitError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Open(error) => error.fmt(f),
            Self::Resources(error) => write!(f, "cannot start the log: {error}"),
            Self::Again => f.write_str("the log is open already"),
        }
    }
}

impl std::error::Error for InitError {}

/// The log, to be cloned to whoever writes to it.
#[derive(Clone, Debug)]
pub struct Log(Arc<Shared>);

/// What all clones and the writer share.
#[derive(Debug)]
struct Shared {
    queue: Queue,
    sources: Sources,
    buffer: Buffer,
    /// A [`Format`] and a [`LevelFilter`], as numbers: they are read for every
    /// entry and must not need a lock.
    format: AtomicU8,
    level: AtomicU8,
    dropped: AtomicU64,
}

/// Opens the log and makes it the destination of the `log` macros.
///
/// Other packages' entries are shown from warnings on, whatever the level:
/// what they say below that is about themselves.
///
/// # Errors
/// The destination cannot be opened, the writer cannot be started, or this was
/// called before.
pub fn init(spec: &LoggingSpec) -> Result<Log, InitError> {
    let sink = Sink::open(&spec.output, spec.rotation).map_err(InitError::Open)?;
    let log = Log::new(spec).map_err(InitError::Resources)?;
    let (formatting, pipe) = (log.clone(), OwnEntries(log.clone()));
    env_logger::Builder::new()
        .filter_level(LevelFilter::Warn)
        .filter_module(env!("CARGO_PKG_NAME"), LevelFilter::Trace)
        .target(env_logger::Target::Pipe(Box::new(pipe)))
        .format(move |out, record| {
            let message = record.args().to_string();
            let line = formatting.0.line(record.level(), None, None, &message);
            out.write_all(line.unwrap_or_default().as_slice())
        })
        .try_init()
        .map_err(|_| InitError::Again)?;
    writer::start(Arc::clone(&log.0), sink).map_err(InitError::Resources)?;
    log::set_max_level(log.0.level());
    Ok(log)
}

/// Whether the log could go to `output` now.
///
/// # Errors
/// Why it cannot be opened.
pub fn try_open(output: &LogOutput) -> Result<(), OpenError> {
    Sink::open(output, None).map(drop)
}

/// What env_logger writes to: it hands over one entry at a time.
struct OwnEntries(Log);

impl Write for OwnEntries {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        if !line.is_empty() {
            self.0.0.offer(None, line);
        }
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Log {
    fn new(spec: &LoggingSpec) -> io::Result<Self> {
        let log = Self(Arc::new(Shared {
            queue: Queue::default(),
            sources: Sources::new()?,
            buffer: Buffer::default(),
            format: AtomicU8::new(0),
            level: AtomicU8::new(0),
            dropped: AtomicU64::new(0),
        }));
        log.0.set(spec);
        Ok(log)
    }

    /// Logs as `spec` says from now on. What was logged before still goes where
    /// it would have gone. If the new destination cannot be opened, the log
    /// says so and stays where it is. Never waits.
    pub fn configure(&self, spec: &LoggingSpec) {
        self.0.set(spec);
        log::set_max_level(self.0.level());
        let output = spec.output.clone();
        self.0.queue.command(Command::Output(output, spec.rotation));
    }

    /// Opens the log file again (SIGUSR1), so that another program can move it
    /// away. If that fails, the log says so and goes on with the old one. Never
    /// waits.
    pub fn reopen(&self) {
        self.0.queue.command(Command::Reopen);
    }

    /// Logs one entry of the supervisor's with its fields. Never waits.
    pub fn entry(&self, level: log::Level, label: Option<&Label>, pid: Option<Pid>, message: &str) {
        if let Some(line) = self.0.line(level, label, pid, message) {
            self.0.offer(label, line.as_slice());
        }
    }

    /// The same for the event loop, which calls [`Log::wake`] before it waits: those
    /// of one turn are written together.
    pub(crate) fn note(&self, level: log::Level, label: Option<&Label>, message: &str) {
        if let Some(line) = self.0.line(level, label, None, message) {
            self.0.buffer.push(label, line.as_slice());
            let is_taken = self.0.queue.leave(line.as_slice());
            self.0.count_dropped(u64::from(!is_taken));
        }
    }

    /// Has written what was noted.
    pub(crate) fn wake(&self) {
        self.0.queue.wake();
    }

    /// The last lines, for those who follow them.
    pub fn buffer(&self) -> &Buffer {
        &self.0.buffer
    }

    /// Waits until all that was logged before this call is written, or
    /// `deadline` has come. Returns whether it is.
    #[must_use]
    pub fn flush(&self, deadline: Instant) -> bool {
        self.0.queue.wait_settled(deadline)
    }

    /// How many lines never reached the log since the start, because whoever
    /// reads it was too slow or it could not be written.
    pub fn dropped_lines(&self) -> u64 {
        self.0.dropped.load(Ordering::Relaxed)
    }

    /// A new source of children's output. Made before the child is, so that
    /// [`Log::close`] waits for what it writes.
    #[must_use]
    pub fn source(&self) -> Source {
        self.0.sources.add();
        Source(self.clone())
    }

    /// Readable once nobody waits for more of children's output than there is.
    pub(crate) fn closing(&self) -> BorrowedFd<'_> {
        self.0.sources.closing()
    }

    /// Takes no more of children's output than is in their pipes by now, waits
    /// until that is logged, and then like [`Log::flush`]. Returns whether all
    /// of it is written.
    #[must_use]
    pub fn close(&self, deadline: Instant) -> bool {
        let complete = self.close_sources(deadline);
        self.flush(deadline) && complete
    }

    /// Takes no more of children's output than is in their pipes by now, and waits
    /// until that is in the queue and in the buffer. Returns whether it is.
    #[must_use]
    pub fn close_sources(&self, deadline: Instant) -> bool {
        self.0.sources.close(deadline)
    }
}

/// Where the output of one child goes.
#[derive(Debug)]
pub struct Source(Log);

impl Source {
    /// Whether children's output is logged at all.
    pub(crate) fn is_shown(&self) -> bool {
        self.0.0.level() >= LevelFilter::Info
    }

    /// How entries look now.
    pub(crate) fn format(&self) -> Format {
        self.0.0.format()
    }

    /// Queues whole lines of one child; waits while the log cannot take more.
    pub(crate) fn push(&self, label: Option<&Label>, lines: &[u8]) {
        // First where nobody waits: what has been written is in the buffer too.
        self.0.0.buffer.push(label, lines);
        self.0.0.queue.push(lines);
    }

    /// Logs an entry of the supervisor's about the child.
    pub(crate) fn entry(&self, fields: &Fields<'_>, message: &str) {
        self.0
            .entry(fields.level, fields.label, fields.pid, message);
    }
}

impl Drop for Source {
    fn drop(&mut self) {
        self.0.0.sources.remove();
    }
}

impl Shared {
    fn set(&self, spec: &LoggingSpec) {
        self.format.store(spec.format as u8, Ordering::Relaxed);
        let level = level_filter(spec.level) as usize as u8;
        self.level.store(level, Ordering::Relaxed);
        self.buffer.set(spec);
    }

    fn format(&self) -> Format {
        Format::from_number(self.format.load(Ordering::Relaxed))
    }

    fn level(&self) -> LevelFilter {
        let level = self.level.load(Ordering::Relaxed);
        LevelFilter::iter()
            .find(|filter| *filter as usize as u8 == level)
            .unwrap_or(LevelFilter::Off)
    }

    /// The entry as a line, if the level lets it through.
    fn line(
        &self,
        level: log::Level,
        label: Option<&Label>,
        pid: Option<Pid>,
        message: &str,
    ) -> Option<Block> {
        if level > self.level() {
            return None;
        }
        let fields = Fields { level, label, pid };
        let mut line = Block::default();
        Frame::new(self.format(), &Moment::now(), &fields).write(message.as_bytes(), &mut line);
        Some(line)
    }

    /// Queues an entry of the supervisor's, or counts it as dropped at once: the
    /// writer may be held up for long.
    fn offer(&self, label: Option<&Label>, line: &[u8]) {
        self.buffer.push(label, line);
        if !self.queue.offer(line) {
            self.count_dropped(1);
        }
    }

    fn count_dropped(&self, lines: u64) {
        self.dropped.fetch_add(lines, Ordering::Relaxed);
    }
}

/// The least severe level of ours that a configured level shows. Nothing of
/// ours is as bad as FATAL: what ends the supervisor goes to standard error.
fn level_filter(level: Level) -> LevelFilter {
    match level {
        Level::Debug => LevelFilter::Debug,
        Level::Info => LevelFilter::Info,
        Level::Warn => LevelFilter::Warn,
        Level::Error => LevelFilter::Error,
        Level::Fatal | Level::Panic => LevelFilter::Off,
    }
}

#[cfg(test)]
pub(crate) mod tests;
