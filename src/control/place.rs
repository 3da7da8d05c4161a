//! The place where the control plane is found, kept for as long as it runs: what
//! becomes of it when somebody deletes the socket's file, moves it, or puts another
//! one there.
//!
//! Somebody looks, on a thread of its own, when the kernel tells that something came
//! to or went from the directory ([`Notice`]), at SIGUSR1, and after a reload. A
//! place that is empty is taken again at once. What others have put there is not
//! touched, but told of; a dead socket makes room only for who asks, as at a start:
//! it may be one that its maker does not listen on yet. Called by the control server
//! and the main loop.

use std::io::ErrorKind;
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use super::notice::Notice;
use super::socket::{Error, SocketFile};
use crate::bug;
use crate::config::ControlSpec;
use crate::http::{Entrance, Listener};

const STACK: usize = 64 << 10;

/// How often to try again when the directory goes in the very moment in which the
/// socket is made.
const TRIES: usize = 3;

/// After so many panics nobody looks after the file any more, until somebody asks.
const PANICS: usize = 3;

/// How long after a look that found nothing to do the next one may follow: others
/// may be busy in the directory.
const LULL: Duration = Duration::from_secs(1);

/// What is still to be done, as bits: somebody looks already; the file was touched;
/// somebody asks for it.
const LOOKING: u8 = 1;
const TOUCHED: u8 = 2;
const ASKED: u8 = 4;

/// Why to look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Why {
    /// The kernel says that the file was touched.
    Touched,
    /// Somebody wants the place to be taken, if it can be.
    Asked,
}

/// The place of one control plane; clones are the same one.
#[derive(Clone, Debug)]
pub struct Place(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    wanted: AtomicU8,
    entrance: Entrance,
    held: Mutex<Held>,
    /// There is a reason to look sooner, or none to look any more.
    changed: Condvar,
}

#[derive(Debug)]
struct Held {
    spec: ControlSpec,
    /// None once the place has been left.
    file: Option<SocketFile>,
    notice: Option<Notice>,
    /// What the log says last, unless all is well.
    told: Option<String>,
    /// When the last look has found nothing to do.
    idle_look: Option<Instant>,
    /// The last look has made the file.
    was_made: bool,
}

impl Place {
    pub(super) fn new(spec: &ControlSpec, file: SocketFile, entrance: Entrance) -> Self {
        let held = Held {
            spec: spec.clone(),
            file: Some(file),
            notice: None,
            told: None,
            idle_look: None,
            was_made: false,
        };
        let place = Self(Arc::new(Shared {
            wanted: AtomicU8::new(0),
            entrance,
            held: Mutex::new(held),
            changed: Condvar::new(),
        }));
        let is_to_look_again = place.0.look(Why::Touched);
        // That was none of those that others cause.
        place.0.held().idle_look = None;
        if is_to_look_again {
            place.look_after(Why::Touched);
        }
        place
    }

    /// Where it is, and for whom.
    pub fn spec(&self) -> ControlSpec {
        self.0.held().spec.clone()
    }

    /// Whether this path leads to it, too, as one through a link does.
    pub fn is_at(&self, path: &Path) -> bool {
        let held = self.0.held();
        held.file.as_ref().is_some_and(|file| file.is_at(path))
    }

    /// Lets those connect who may by `spec`, which names the same path. A file that
    /// is not there gets it when it is again.
    ///
    /// # Errors
    /// If the file cannot be changed so.
    pub fn set_access(&self, spec: &ControlSpec) -> Result<(), Error> {
        let mut held = self.0.held();
        if held.file.as_ref().is_some_and(SocketFile::is_there) {
            super::socket::set_access(spec)?;
        }
        held.spec = spec.clone();
        Ok(())
    }

    /// Looks whether the file is still there, and makes it again if not. Returns at
    /// once; a thread does it, which ends when it has.
    pub fn look_after(&self, why: Why) {
        let bit = match why {
            Why::Touched => TOUCHED,
            Why::Asked => ASKED,
        };
        if self.0.wanted.fetch_or(bit | LOOKING, Ordering::AcqRel) & LOOKING != 0 {
            self.0.changed.notify_all();
            return;
        }
        let shared = Arc::clone(&self.0);
        let thread = thread::Builder::new().name("socket".to_owned());
        let started = thread.stack_size(STACK).spawn(move || {
            let who = "who looks after the control socket";
            for _try in 0..PANICS {
                if bug::caught(who, || shared.work()).is_some() {
                    return;
                }
                shared.wanted.fetch_or(ASKED, Ordering::AcqRel);
            }
            // Whoever asks next begins anew.
            shared.wanted.store(0, Ordering::Release);
        });
        if let Err(error) = started {
            self.0.wanted.store(0, Ordering::Release);
            log::warn!("cannot start a thread to look after the control socket: {error}");
        }
    }

    /// Removes the file, if it is still ours; it is not made again.
    pub(super) fn leave(&self) {
        let mut held = self.0.held();
        held.notice = None;
        held.file = None;
        self.0.changed.notify_all();
    }
}

impl Shared {
    fn held(&self) -> MutexGuard<'_, Held> {
        // No invariant spans a call that could panic.
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Looks until nothing has been wanted meanwhile.
    fn work(&self) {
        loop {
            let wanted = self.wanted.swap(LOOKING, Ordering::AcqRel) & !LOOKING;
            let is_to_look_again = match wanted {
                0 if self.is_finished() => return,
                0 => false,
                TOUCHED => {
                    self.wait_for_calm();
                    self.look(Why::Touched)
                }
                _ => self.look(Why::Asked),
            };
            if is_to_look_again {
                self.wanted.fetch_or(TOUCHED, Ordering::AcqRel);
            }
        }
    }

    /// Lets some time pass since a look that found nothing to do, unless somebody
    /// asks for one.
    fn wait_for_calm(&self) {
        let mut held = self.held();
        let until = held.idle_look.map(|last| last + LULL);
        while let Some(left) = until.and_then(|at| at.checked_duration_since(Instant::now())) {
            let is_asked = self.wanted.load(Ordering::Acquire) & ASKED != 0;
            if left.is_zero() || is_asked || held.file.is_none() {
                return;
            }
            let waited = self.changed.wait_timeout(held, left);
            (held, _) = waited.unwrap_or_else(PoisonError::into_inner);
        }
    }

    fn is_finished(&self) -> bool {
        let (done, order) = (0, Ordering::AcqRel);
        let exchanged = self
            .wanted
            .compare_exchange(LOOKING, done, order, Ordering::Acquire);
        exchanged.is_ok()
    }

    /// Whether to look again, because it was touched meanwhile.
    fn look(&self, why: Why) -> bool {
        bug::on_demand("socket");
        let mut held = self.held();
        let path = held.spec.socket.clone();
        let found = held.look(why, &self.entrance);
        let is_idle = !matches!(found, Ok(Found::Missing));
        // After one that made the file the kernel tells of just that.
        let was_made = std::mem::replace(&mut held.was_made, !is_idle);
        held.idle_look = (is_idle && !was_made).then(Instant::now);
        match found {
            Ok(Found::Missing) => {
                held.told = None;
                log::warn!("the control socket {path:?} was gone; it is there again");
                return !held.is_there();
            }
            Ok(Found::There) => {
                if held.told.take().is_some() {
                    log::info!("the control socket {path:?} is there again");
                }
            }
            Err(error) => {
                let text = format!(
                    "the control socket {path:?} is gone, no client reaches this supervisor: {error}"
                );
                if held.told.as_ref() != Some(&text) {
                    log::error!("{text}");
                }
                held.told = Some(text);
            }
        }
        false
    }
}

/// What has been found at the place, which is ours now.
enum Found {
    There,
    Missing,
}

impl Held {
    /// Makes the file again if it is gone.
    fn look(&mut self, why: Why, entrance: &Entrance) -> Result<Found, Error> {
        // First, so that nothing is missed that happens from now on.
        self.take_notice();
        if self.is_there() {
            return Ok(Found::There);
        }
        let (file, listener) = self.make(why)?;
        // What is left of the old one is recognised while its listener lives.
        self.file = Some(file);
        self.take_notice();
        let replaced = entrance.replace(Listener::Unix(listener));
        replaced.map_err(|error| Error::Io(self.spec.socket.clone(), error))?;
        Ok(Found::Missing)
    }

    /// Whether the file is where it is wanted.
    fn is_there(&self) -> bool {
        self.file.as_ref().is_none_or(SocketFile::is_there)
    }

    fn take_notice(&mut self) {
        let path = &self.spec.socket;
        self.notice = match Notice::of(path) {
            Ok(notice) => Some(notice),
            Err(error) => {
                log::debug!("not told what becomes of the control socket {path:?}: {error}");
                None
            }
        };
    }

    fn make(&self, why: Why) -> Result<(SocketFile, UnixListener), Error> {
        let mut tries = TRIES;
        loop {
            let made = match why {
                Why::Asked => SocketFile::listen(&self.spec),
                Why::Touched => SocketFile::listen_where_nothing_is(&self.spec),
            };
            match made {
                Err(Error::Io(_, error)) if error.kind() == ErrorKind::NotFound && tries > 1 => {
                    tries -= 1;
                }
                made => return made,
            }
        }
    }
}
