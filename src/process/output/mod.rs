//! The pump: all children's output, line by line, into the log.
//!
//! One thread reads every pipe. It starts with the first job whose output is
//! logged, sleeps in the kernel while nobody prints, and holds no buffer then.
//! Stdout and stderr of a child share one pipe, so that their order is kept. A
//! pipe is read until every holder of its other end is gone, or the log is
//! closing and the pipe empty. The pump knows nothing of the processes
//! themselves: exits are reported elsewhere.
//!
//! Nobody starves: whoever has something to say gets one read of at most what a
//! pipe holds, then the others have theirs. When the log takes no more, the pump
//! waits for it, and the children are held back at their pipes; nothing else
//! waits for the pump.

mod epoll;
#[cfg(any(test, fuzzing))]
pub mod fuzzing;
mod lines;

use std::fmt;
use std::io::{self, ErrorKind, PipeReader, Read};
use std::os::fd::{AsFd, AsRawFd, RawFd};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;

use log::Level;

use crate::bug;
use crate::inbox::Sender;
use crate::logging::{Log, Source};
use crate::message::{Label, Message, Pid};
use crate::tail::Tail;
use epoll::{Epoll, is_at_end};
use lines::{Lines, Stream};

/// Enough for reading, formatting an entry and the message of a panic.
const STACK: usize = 64 << 10;

/// After so many panics in a row the thread gives up: without one in between that
/// had none, the next will have one, too.
const PANICS: u32 = 10;

/// Where children's pipes are handed in. To be cloned to whoever starts them.
#[derive(Clone)]
pub struct Pump(Arc<Shared>);

struct Shared {
    log: Log,
    /// Is told if the thread ends, which nobody asks for before the log closes.
    inbox: Sender<Message>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// There once the thread is.
    epoll: Option<Arc<Epoll>>,
    /// Pipes that have not had anything to say yet.
    newcomers: Vec<Child>,
}

/// A pipe and whose output it is.
struct Child {
    pipe: PipeReader,
    stream: Stream,
}

impl fmt::Debug for Pump {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Pump")
    }
}

impl Pump {
    /// A pump into `log`, without a thread as yet; `inbox` leads to the loop.
    pub fn new(log: &Log, inbox: Sender<Message>) -> Self {
        Self(Arc::new(Shared {
            log: log.clone(),
            inbox,
            state: Mutex::default(),
        }))
    }

    /// Does all that can fail for the output of one more child, before there is
    /// one. `log` was made for it.
    ///
    /// # Errors
    /// The kernel has no more threads, descriptors or memory.
    pub fn reserve(&self, pipe: PipeReader, log: Source) -> io::Result<Place> {
        let epoll = self.epoll()?;
        // Whatever else may read the pipe, the pump never waits for one of them.
        set_nonblocking(&pipe)?;
        epoll.reserve(pipe.as_fd())?;
        Ok(Place {
            pump: self.clone(),
            epoll,
            pipe,
            log,
        })
    }

    fn epoll(&self) -> io::Result<Arc<Epoll>> {
        let mut state = self.0.lock();
        if let Some(epoll) = &state.epoll {
            return Ok(Arc::clone(epoll));
        }
        let pumping = Pumping::new(&self.0)?;
        let epoll = Arc::clone(&pumping.epoll);
        let worker = thread::Builder::new()
            .name("output".to_owned())
            .stack_size(STACK);
        worker.spawn(move || pumping.run())?;
        state.epoll = Some(Arc::clone(&epoll));
        Ok(epoll)
    }
}

/// A pipe that will be read once it is known whose output it is; or never, if
/// the child could not be started.
pub struct Place {
    pump: Pump,
    epoll: Arc<Epoll>,
    pipe: PipeReader,
    log: Source,
}

impl Place {
    /// From now on every line is logged as an entry at INFO with `label` and
    /// `pid`, and the last ones are kept in `tail`.
    pub fn fill(self, label: Label, pid: Pid, tail: Option<Tail>) {
        let stream = Stream {
            label,
            pid,
            log: self.log,
            tail,
            unfinished: Vec::new(),
        };
        let pipe = self.pipe;
        let mut state = self.pump.0.lock();
        // Only a set without this pipe is refused. Under the lock, as the pump
        // must not look for it before it can be found.
        let _watched = self.epoll.watch(pipe.as_fd());
        state.newcomers.push(Child { pipe, stream });
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        // What it guards is never left half changed.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What the thread has.
struct Pumping {
    shared: Arc<Shared>,
    epoll: Arc<Epoll>,
    /// By the number of their descriptors.
    children: Vec<Option<Child>>,
    lines: Lines,
    /// Readable once nobody waits for more output than there is.
    closing: RawFd,
    is_closing: bool,
}

impl Pumping {
    fn new(shared: &Arc<Shared>) -> io::Result<Self> {
        let epoll = Epoll::new()?;
        let closing = shared.log.closing();
        epoll.reserve(closing)?;
        epoll.watch(closing)?;
        Ok(Self {
            shared: Arc::clone(shared),
            epoll: Arc::new(epoll),
            children: Vec::new(),
            lines: Lines::default(),
            closing: closing.as_raw_fd(),
            is_closing: false,
        })
    }

    fn run(mut self) {
        let _end = End(Arc::clone(&self.shared));
        let mut panics = 0;
        while !self.is_closing && panics < PANICS {
            match bug::caught("who reads the output of jobs", || self.turn()) {
                Some(Ok(())) => panics = 0,
                Some(Err(error)) => {
                    log::error!("cannot wait for the output of jobs: {error}");
                    return;
                }
                None => panics += 1,
            }
        }
        self.drain();
    }

    /// Waits for output and reads once from everybody who has some.
    fn turn(&mut self) -> io::Result<()> {
        let timeout = self.lines.linger();
        let mut is_idle = true;
        for (fd, may_be_at_end) in self.epoll.wait(timeout)? {
            is_idle = false;
            if fd == self.closing {
                self.is_closing = true;
            } else {
                self.read(fd, may_be_at_end);
            }
        }
        if is_idle {
            self.lines.release();
        }
        Ok(())
    }

    fn read(&mut self, fd: RawFd, may_be_at_end: bool) {
        let number = fd.cast_unsigned() as usize;
        if !matches!(self.children.get(number), Some(Some(_))) {
            self.admit();
        }
        // The end is mostly all that is told, and needs no buffers. Between what was
        // told and now the descriptor may have become another one.
        let is_at_end = || match self.children.get(number) {
            Some(Some(child)) => is_at_end(child.pipe.as_fd()),
            Some(None) | None => false,
        };
        if (may_be_at_end && is_at_end()) || self.read_once(number) == Reading::Ended {
            self.end(number);
        }
    }

    /// Takes in those who have come since the last time.
    fn admit(&mut self) {
        let newcomers = std::mem::take(&mut self.shared.lock().newcomers);
        for child in newcomers {
            let number = child.pipe.as_raw_fd().cast_unsigned() as usize;
            if self.children.len() <= number {
                self.children.resize_with(number + 1, || None);
            }
            if let Some(place) = self.children.get_mut(number) {
                *place = Some(child);
            }
        }
    }

    fn read_once(&mut self, number: usize) -> Reading {
        bug::on_demand("output");
        match self.children.get_mut(number) {
            Some(Some(child)) => child.read(&mut self.lines),
            // Its child could not be started, or is told later.
            Some(None) | None => Reading::Pauses,
        }
    }

    fn end(&mut self, number: usize) {
        let place = self.children.get_mut(number);
        if let Some(child) = place.and_then(Option::take) {
            self.lines.ended(&child.stream);
            self.epoll.forget(child.pipe.as_fd());
        }
    }

    /// Reads what is in the pipes, and waits for no more.
    fn drain(&mut self) {
        self.admit();
        let mut left = true;
        while left {
            left = false;
            for number in 0..self.children.len() {
                match self.read_once(number) {
                    Reading::Goes => left = true,
                    Reading::Pauses | Reading::Ended => self.end(number),
                }
            }
        }
    }
}

/// What a read has told of a pipe.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Reading {
    /// There was something to read.
    Goes,
    /// There is nothing now.
    Pauses,
    /// Nothing will come any more.
    Ended,
}

impl Child {
    fn read(&mut self, lines: &mut Lines) -> Reading {
        match self.pipe.read(lines.space()) {
            Ok(0) => Reading::Ended,
            Ok(count) => {
                lines.received(&mut self.stream, count);
                Reading::Goes
            }
            Err(error) => match error.kind() {
                ErrorKind::Interrupted => Reading::Goes,
                ErrorKind::WouldBlock => Reading::Pauses,
                _ => {
                    let text = format!("cannot read its output: {error}");
                    let fields = self.stream.fields(Level::Error);
                    self.stream.log.entry(&fields, &text);
                    Reading::Ended
                }
            },
        }
    }
}

/// Tells that the thread ends, and lets the next child have a new one.
struct End(Arc<Shared>);

impl Drop for End {
    fn drop(&mut self) {
        let orphaned = std::mem::take(&mut *self.0.lock());
        drop(orphaned);
        // When the log closes, the loop has ended and nobody is told.
        let _gone = self.0.inbox.send(Message::WorkerEnded("output"));
    }
}

fn set_nonblocking(pipe: &PipeReader) -> io::Result<()> {
    // SAFETY: fcntl with this command takes an integer.
    let result = unsafe { libc::fcntl(pipe.as_raw_fd(), libc::F_SETFL, libc::O_NONBLOCK) };
    if result < 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(())
}

#[cfg(test)]
mod tests;
