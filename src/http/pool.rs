//! The threads of a server and who may have them.
//!
//! Every thread waits in accept itself, serves the connection it gets, and
//! returns: a leader and its followers, without a queue or a wake-up in between.
//! Before a thread serves, it makes sure that another one waits in accept; of
//! idle threads only a few stay. So an idle server sleeps in the kernel, and a
//! burst gets as many threads as it needs, up to the limit and one more, which
//! holds the newcomer for whom room must be made.
//!
//! Room is made at the cost of the connection that has waited longest for its
//! client. Where the kernel refuses descriptors or threads, the pool carries on
//! with what it has. Called by [`Server`](super::Server) and the connection.

mod trouble;
mod visit;

use std::fmt;
use std::io;
use std::net::Shutdown;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use log::{error, warn};

use super::connection::Connection;
use super::stream::Stream;
use super::{Handler, Limits, Listener};
use crate::waker::Waker;

use trouble::{is_news, is_the_clients};
pub(super) use visit::Visit;

/// Enough for parsing, a handler and a panic's message; the rest is on the heap.
pub(crate) const STACK: usize = 64 << 10;

/// Idle threads that stay when all is calm, and when it is not: starting a thread
/// costs as much as serving several requests.
const IDLE_THREADS: usize = 2;
const BUSY_IDLE_THREADS: usize = 8;

/// For how long after a thread had to be started all is not calm.
const CALM: Duration = Duration::from_secs(1);

/// How long a connection may keep a newcomer waiting before it is shut down: a
/// client that means well sends its request within this time.
const PATIENCE: Duration = Duration::from_millis(100);

/// How long a thread waits for a silent client when nobody else can accept.
pub(super) const HURRY: Duration = Duration::from_secs(1);

/// When to try again after the kernel had no descriptor or memory, unless one of
/// our own connections closes before.
const BACK_OFF: Duration = Duration::from_millis(100);

/// A listener, its threads and its connections.
pub(super) struct Pool {
    pub(super) name: &'static str,
    pub(super) limits: Limits,
    pub(super) handler: Arc<dyn Handler>,
    state: Mutex<State>,
    /// A connection or a thread has ended, or the server stops.
    changed: Condvar,
}

#[derive(Debug)]
struct State {
    listener: Arc<Listener>,
    threads: usize,
    /// Threads that wait in accept or are about to.
    accepting: usize,
    /// Threads that wait for `changed`.
    waiting: usize,
    /// Accepted connections for which there is no room yet.
    newcomers: usize,
    streams: usize,
    visits: Vec<Entry>,
    /// Connections that waited to be accepted when their listener went out of use.
    left_over: Vec<Stream>,
    next_id: u64,
    last_start: Option<Instant>,
    /// Nobody new is accepted.
    refusing: bool,
    /// The process is about to end, and its threads with it.
    is_last: bool,
    stopping: bool,
    /// The time for last answers is over.
    is_over: bool,
    /// Those who have not asked yet may still do so.
    is_patient: bool,
    /// When the want of threads and that of descriptors were last logged.
    told_of_threads: Option<Instant>,
    told_of_descriptors: Option<Instant>,
}

/// A connection that is being served.
#[derive(Debug)]
struct Entry {
    id: u64,
    stream: Arc<Stream>,
    /// Since when it waits for its client to say or take something.
    waits_since: Option<Instant>,
    /// It has had an answer: what it waits for is one more request.
    is_kept: bool,
    evicted: bool,
    /// Ends the wait of its stream.
    waker: Option<Waker>,
}

impl State {
    /// Of a pool whose first thread is about to accept.
    fn new(listener: Listener) -> Self {
        Self {
            listener: Arc::new(listener),
            threads: 1,
            accepting: 1,
            waiting: 0,
            newcomers: 0,
            streams: 0,
            visits: Vec::new(),
            left_over: Vec::new(),
            next_id: 0,
            last_start: None,
            refusing: false,
            is_last: false,
            stopping: false,
            is_over: false,
            is_patient: false,
            told_of_threads: None,
            told_of_descriptors: None,
        }
    }

    /// Lets nobody wait at the listener any more. Those who do have been connected:
    /// nobody told them that nobody listens.
    fn close_listener(&mut self) {
        self.left_over.extend(self.listener.accept_waiting());
        self.listener.shut_down();
    }

    fn refuse(&mut self) {
        if !self.refusing {
            self.refusing = true;
            self.close_listener();
        }
    }

    /// How many idle threads are worth keeping. Those that a burst leaves behind
    /// are not woken to end: they do when they have served the next requests.
    fn wanted_idle(&self) -> usize {
        let is_calm = || self.last_start.is_none_or(|start| start.elapsed() >= CALM);
        if self.accepting >= IDLE_THREADS && is_calm() {
            IDLE_THREADS
        } else {
            BUSY_IDLE_THREADS
        }
    }

    fn entry(&mut self, id: u64) -> Option<&mut Entry> {
        self.visits.iter_mut().find(|entry| entry.id == id)
    }

    /// Shuts down the connection that has waited longest for its client, if that
    /// is long enough; else tells how long to wait before looking again.
    fn evict(&mut self) -> Option<Duration> {
        let waiting = self.visits.iter_mut().filter(|entry| !entry.evicted);
        let longest = waiting
            .filter_map(|entry| entry.waits_since.map(|since| (since, entry)))
            .min_by_key(|(since, _)| *since);
        let Some((since, entry)) = longest else {
            return Some(PATIENCE);
        };
        let left = PATIENCE.saturating_sub(since.elapsed());
        if !left.is_zero() {
            return Some(left);
        }
        entry.evicted = true;
        entry.stream.shut_down(Shutdown::Both);
        None
    }
}

impl fmt::Debug for Pool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pool")
            .field("name", &self.name)
            .field("state", &self.state)
            .finish_non_exhaustive()
    }
}

impl Pool {
    /// Starts the first thread.
    pub(super) fn start(
        name: &'static str,
        listener: Listener,
        limits: Limits,
        handler: Arc<dyn Handler>,
    ) -> io::Result<Arc<Self>> {
        listener.prepare()?;
        let pool = Arc::new(Self {
            name,
            limits,
            handler,
            state: Mutex::new(State::new(listener)),
            changed: Condvar::new(),
        });
        pool.spawn()?;
        Ok(pool)
    }

    /// See [`Server::refuse`](super::Server::refuse).
    pub(super) fn refuse(&self) {
        let mut state = self.lock();
        state.is_last = true;
        state.refuse();
    }

    /// Accepts nobody any more, and lets those go who have had an answer. With
    /// `patience`, whoever has not asked yet may still do so.
    pub(super) fn close(&self, patience: bool) {
        let mut state = self.lock();
        if state.stopping {
            return;
        }
        state.stopping = true;
        state.is_patient = patience;
        state.refuse();
        for entry in &state.visits {
            if entry.waits_since.is_some() && (entry.is_kept || !patience) {
                // What has arrived can still be read; it gets its answer.
                entry.stream.shut_down(Shutdown::Read);
            }
            if let Some(waker) = &entry.waker {
                waker.wake();
            }
        }
        self.changed.notify_all();
    }

    /// Waits for the last answers, until `deadline`; cuts off what is left then.
    pub(super) fn finish(&self, deadline: Instant) {
        let mut state = self.lock();
        while state.threads > 0 {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                break;
            }
            state = self.wait(state, left);
        }
        state.is_over = true;
        state.left_over.clear();
        for entry in &state.visits {
            entry.stream.shut_down(Shutdown::Both);
        }
    }

    /// See [`Entrance::replace`](super::Entrance::replace).
    pub(super) fn listen_on(&self, listener: Listener) -> io::Result<()> {
        listener.prepare()?;
        let mut state = self.lock();
        if !state.refusing {
            state.close_listener();
            state.listener = Arc::new(listener);
        }
        Ok(())
    }

    /// Whether a connection may stay open for another request: nobody else is
    /// kept out by it.
    pub(super) fn has_room(&self) -> bool {
        let state = self.lock();
        !state.refusing && state.newcomers == 0 && state.accepting > 0
    }

    pub(super) fn is_stopping(&self) -> bool {
        self.lock().stopping
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // No invariant of the state spans a call that could panic.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until something changes, for `limit` at most.
    fn wait<'a>(&self, mut state: MutexGuard<'a, State>, limit: Duration) -> MutexGuard<'a, State> {
        state.waiting += 1;
        let (mut state, _elapsed) = self
            .changed
            .wait_timeout(state, limit)
            .unwrap_or_else(PoisonError::into_inner);
        state.waiting -= 1;
        state
    }

    /// Tells those who wait, and spares the system call if nobody does.
    fn notify(&self, state: &State) {
        if state.waiting > 0 {
            self.changed.notify_all();
        }
    }

    /// Starts a thread that has been counted already.
    fn spawn(self: &Arc<Self>) -> io::Result<()> {
        let pool = Arc::clone(self);
        let builder = thread::Builder::new()
            .name(self.name.to_owned())
            .stack_size(STACK);
        let work = move || {
            Worker(Arc::clone(&pool)).work();
            pool.rest();
        };
        builder.spawn(work).map(drop)
    }

    /// What a thread does that is no longer counted. Where all end with the process
    /// it stays: to give back its stack, the kernel would stop the other processors.
    fn rest(&self) {
        while self.lock().is_last {
            thread::park();
        }
    }

    /// The next connection, or `None` if this thread is not needed any more. The
    /// caller is counted as accepting.
    fn next_visit(self: &Arc<Self>) -> Option<Visit> {
        loop {
            let mut state = self.lock();
            if let Some(stream) = state.left_over.pop() {
                drop(state);
                return self.admit(stream);
            }
            if state.refusing {
                state.accepting -= 1;
                return None;
            }
            let listener = Arc::clone(&state.listener);
            drop(state);
            match listener.accept() {
                Ok(stream) => return self.admit(stream),
                Err(error) => self.tolerate(&error, &listener),
            }
        }
    }

    /// Gives a new connection its place, and makes sure that somebody else
    /// accepts while it is served.
    fn admit(self: &Arc<Self>, stream: Stream) -> Option<Visit> {
        let mut state = self.lock();
        state.accepting -= 1;
        let mut state = self.make_room(state);
        if state.is_over {
            return None;
        }
        let (id, stream, arrived) = (state.next_id, Arc::new(stream), Instant::now());
        if state.stopping && !state.is_patient {
            stream.shut_down(Shutdown::Read);
        }
        state.next_id += 1;
        state.visits.push(Entry {
            id,
            stream: Arc::clone(&stream),
            waits_since: Some(arrived),
            is_kept: false,
            evicted: false,
            waker: None,
        });
        let pool = Arc::clone(self);
        let visit = Visit {
            pool,
            id,
            stream,
            arrived,
        };
        let is_wanted = !state.refusing || !state.left_over.is_empty();
        if is_wanted && state.accepting == 0 && state.threads <= self.limits.connections {
            state.threads += 1;
            state.accepting += 1;
            state.last_start = Some(arrived);
            drop(state);
            self.reinforce();
        }
        Some(visit)
    }

    /// Starts one more thread, or carries on without.
    fn reinforce(self: &Arc<Self>) {
        let Err(error) = self.spawn() else { return };
        let mut state = self.lock();
        state.threads -= 1;
        state.accepting -= 1;
        if is_news(&mut state.told_of_threads) {
            warn!(
                "{}: cannot start a thread, going on with {}: {error}",
                self.name, state.threads
            );
        }
    }

    /// Waits until there is room for one more connection, and makes some.
    fn make_room<'a>(&self, mut state: MutexGuard<'a, State>) -> MutexGuard<'a, State> {
        state.newcomers += 1;
        while state.visits.len() >= self.limits.connections && !state.is_over {
            let leaving = state.visits.iter().any(|entry| entry.evicted);
            let look_again = if leaving { None } else { state.evict() };
            state = self.wait(state, look_again.unwrap_or(PATIENCE));
        }
        state.newcomers -= 1;
        state
    }

    /// Waits after this error if that helps, before the next try to accept.
    fn tolerate(&self, error: &io::Error, of: &Arc<Listener>) {
        let mut state = self.lock();
        let is_out_of_use = state.refusing || !Arc::ptr_eq(of, &state.listener);
        if is_out_of_use || is_the_clients(error) {
            return;
        }
        if is_news(&mut state.told_of_descriptors) {
            warn!(
                "{}: cannot accept a connection, trying again: {error}",
                self.name
            );
        }
        let _whether_or_not_it_helps = state.evict();
        drop(self.wait(state, BACK_OFF));
    }

    /// After a connection has ended: tells those who wait for that, and whether
    /// this thread shall wait in accept again; it is then counted so.
    fn keeps_me(&self) -> bool {
        let mut state = self.lock();
        self.notify(&state);
        let is_wanted = match state.refusing {
            true => !state.left_over.is_empty(),
            false => state.accepting < state.wanted_idle(),
        };
        if !is_wanted {
            return false;
        }
        state.accepting += 1;
        true
    }
}

/// A thread of the pool, counted as long as it exists.
struct Worker(Arc<Pool>);

impl Worker {
    fn work(self) {
        let pool = &self.0;
        while let Some(visit) = pool.next_visit() {
            let mut connection = Connection::new(&visit);
            if catch_unwind(AssertUnwindSafe(|| connection.serve())).is_err() {
                error!(
                    "internal error: {}: a request has panicked, its connection is closed",
                    pool.name
                );
                let _even_so = catch_unwind(AssertUnwindSafe(|| connection.give_up()));
            }
            drop(visit);
            if !pool.keeps_me() {
                return;
            }
        }
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        let mut state = self.0.lock();
        state.threads -= 1;
        self.0.notify(&state);
    }
}
