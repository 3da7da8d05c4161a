//! What stands for the standard library, the kernel's descriptors and the
//! program's other modules.

pub(crate) mod sync {
    //! As `std::sync`.

    pub(crate) use loom::sync::{Mutex, MutexGuard};
    pub(crate) use std::sync::{Arc, LockResult, PoisonError};

    pub(crate) mod atomic {
        pub(crate) use loom::sync::atomic::{AtomicUsize, Ordering};
    }

    /// Waits until [`super::time::pass`] at the latest, if only for a limited time.
    #[derive(Debug, Default)]
    pub(crate) struct Condvar(loom::sync::Condvar);

    #[derive(Clone, Copy, Debug)]
    pub(crate) struct WaitTimeoutResult(bool);

    impl WaitTimeoutResult {
        pub(crate) fn timed_out(self) -> bool {
            self.0
        }
    }

    impl Condvar {
        pub(crate) fn new() -> Self {
            Self::default()
        }

        pub(crate) fn wait<'a, T>(
            &self,
            guard: MutexGuard<'a, T>,
        ) -> LockResult<MutexGuard<'a, T>> {
            self.0.wait(guard)
        }

        pub(crate) fn wait_timeout<'a, T>(
            &self,
            guard: MutexGuard<'a, T>,
            _limit: std::time::Duration,
        ) -> LockResult<(MutexGuard<'a, T>, WaitTimeoutResult)> {
            let begin = super::time::ages();
            let guard = self.0.wait(guard).unwrap_or_else(PoisonError::into_inner);
            Ok((guard, WaitTimeoutResult(super::time::ages() > begin)))
        }

        pub(crate) fn notify_one(&self) {
            self.0.notify_one();
        }

        pub(crate) fn notify_all(&self) {
            self.0.notify_all();
        }
    }
}

pub(crate) mod time {
    //! A time that stands still until an age passes, which is longer than any wait.

    use loom::sync::atomic::{AtomicU32, Ordering};
    use std::ops::Add;
    pub(crate) use std::time::Duration;

    const AGE: Duration = Duration::from_secs(1_000_000);

    loom::lazy_static! {
        static ref AGES: AtomicU32 = AtomicU32::new(0);
    }

    /// How many have passed.
    pub(crate) fn ages() -> u32 {
        AGES.load(Ordering::SeqCst)
    }

    /// One passes: the limited waits for `condvar` end. `lock` takes the lock that
    /// they hold before they wait, and releases it.
    pub(crate) fn pass(lock: impl FnOnce(), condvar: &super::sync::Condvar) {
        AGES.fetch_add(1, Ordering::SeqCst);
        lock();
        condvar.notify_all();
    }

    #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
    pub(crate) struct Instant(Duration);

    impl Instant {
        pub(crate) fn now() -> Self {
            Self(AGE * ages())
        }

        pub(crate) fn elapsed(self) -> Duration {
            Self::now().saturating_duration_since(self)
        }

        pub(crate) fn saturating_duration_since(self, earlier: Self) -> Duration {
            self.0.saturating_sub(earlier.0)
        }
    }

    impl Add<Duration> for Instant {
        type Output = Self;

        fn add(self, duration: Duration) -> Self {
            Self(self.0 + duration)
        }
    }
}

pub(crate) mod thread {
    //! As `std::thread`, and counts those that [`Builder`] starts.

    use loom::sync::atomic::{AtomicUsize, Ordering};
    pub(crate) use loom::thread::{JoinHandle, spawn, yield_now};

    loom::lazy_static! {
        static ref ALIVE: AtomicUsize = AtomicUsize::new(0);
    }

    /// How many of them have not ended.
    pub(crate) fn alive() -> usize {
        ALIVE.load(Ordering::SeqCst)
    }

    #[derive(Default)]
    pub(crate) struct Builder;

    impl Builder {
        pub(crate) fn new() -> Self {
            Self
        }

        pub(crate) fn name(self, _name: String) -> Self {
            self
        }

        pub(crate) fn stack_size(self, _bytes: usize) -> Self {
            self
        }

        pub(crate) fn spawn(
            self,
            work: impl FnOnce() + Send + 'static,
        ) -> std::io::Result<JoinHandle<()>> {
            ALIVE.fetch_add(1, Ordering::SeqCst);
            Ok(spawn(|| {
                work();
                ALIVE.fetch_sub(1, Ordering::SeqCst);
            }))
        }
    }
}

pub(crate) mod waker {
    //! As an eventfd: readable from the first wake-up to the next reset.

    use super::sync::{Arc, Condvar, Mutex, PoisonError};

    #[derive(Clone, Debug)]
    pub(crate) struct Waker(Arc<(Mutex<bool>, Condvar)>);

    impl Waker {
        pub(crate) fn new() -> Self {
            Self(Arc::new((Mutex::new(false), Condvar::new())))
        }

        pub(crate) fn wake(&self) {
            let (state, changed) = &*self.0;
            *state.lock().unwrap_or_else(PoisonError::into_inner) = true;
            changed.notify_all();
        }

        /// Waits, as in poll(2), and resets it.
        pub(crate) fn wait(&self) {
            let (state, changed) = &*self.0;
            let mut is_awake = state.lock().unwrap_or_else(PoisonError::into_inner);
            while !*is_awake {
                is_awake = changed
                    .wait(is_awake)
                    .unwrap_or_else(PoisonError::into_inner);
            }
            *is_awake = false;
        }

        pub(crate) fn is(&self, other: &Self) -> bool {
            Arc::ptr_eq(&self.0, &other.0)
        }
    }
}

pub(crate) mod config {
    pub(crate) mod logging {
        #[derive(Debug, PartialEq, Eq)]
        pub(crate) struct LogOutput;
        #[derive(Debug, PartialEq, Eq)]
        pub(crate) struct Rotation;
    }
}

pub(crate) mod message {
    pub(crate) type Pid = i32;

    #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
    pub(crate) struct ExecId(pub(crate) u64);

    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub(crate) enum ExitStatus {
        Code(i32),
        Signal(i32),
    }
}
