//! What the library logs in this process, for all tests together.

use std::sync::{Condvar, Mutex, MutexGuard, Once, PoisonError};
use std::time::Instant;

use ::log::{LevelFilter, Log, Metadata, Record};

use crate::support::deadline;

struct Collector {
    lines: Mutex<Vec<String>>,
    changed: Condvar,
}

static COLLECTOR: Collector = Collector {
    lines: Mutex::new(Vec::new()),
    changed: Condvar::new(),
};

impl Collector {
    fn lock(&self) -> MutexGuard<'_, Vec<String>> {
        self.lines.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Log for Collector {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target().starts_with("containerpilot")
    }

    fn log(&self, record: &Record<'_>) {
        if self.enabled(record.metadata()) {
            let line = format!("{} {}", record.level(), record.args());
            self.lock().push(line);
            self.changed.notify_all();
        }
    }

    fn flush(&self) {}
}

/// Begins to collect, once.
pub(crate) fn collect() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        ::log::set_logger(&COLLECTOR).unwrap();
        ::log::set_max_level(LevelFilter::Info);
    });
}

/// Every line so far that contains `subject`: something that only one test has,
/// such as an address or the id of a service.
pub(crate) fn about(subject: &str) -> Vec<String> {
    let lines = COLLECTOR.lock();
    let found = lines.iter().filter(|line| line.contains(subject));
    found.cloned().collect()
}

/// Waits until there are `count` lines that contain `subject`.
#[track_caller]
pub(crate) fn wait_for(subject: &str, count: usize) -> Vec<String> {
    let deadline = deadline();
    let mut lines = COLLECTOR.lock();
    while lines.iter().filter(|line| line.contains(subject)).count() < count {
        let left = deadline.saturating_duration_since(Instant::now());
        assert!(
            !left.is_zero(),
            "no {count} lines about {subject}: {lines:#?}"
        );
        lines = COLLECTOR.changed.wait_timeout(lines, left).unwrap().0;
    }
    drop(lines);
    about(subject)
}
