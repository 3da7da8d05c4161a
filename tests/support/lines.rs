//! The output of a process, collected line by line while it runs.

use std::io::{BufRead as _, BufReader, Read};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::thread;
use std::time::Instant;

use super::deadline;

/// The lines that a process has written so far.
#[derive(Clone, Debug, Default)]
pub(crate) struct Lines {
    shared: Arc<(Mutex<Collected>, Condvar)>,
}

#[derive(Debug, Default)]
struct Collected {
    lines: Vec<String>,
    /// Lines before this index were handed out by [`Lines::wait_for`].
    cursor: usize,
    ended: bool,
}

impl Lines {
    /// Collects what comes from `source` until it ends, on a thread of its own.
    pub(crate) fn collect(source: impl Read + Send + 'static) -> Self {
        let lines = Self::default();
        let collector = lines.clone();
        thread::spawn(move || {
            let mut reader = BufReader::new(source);
            let mut line = Vec::new();
            while reader
                .read_until(b'\n', &mut line)
                .is_ok_and(|length| length > 0)
            {
                let text = String::from_utf8_lossy(&line);
                let text = text.strip_suffix('\n').unwrap_or(&text).to_owned();
                collector.change(|collected| collected.lines.push(text));
                line.clear();
            }
            collector.change(|collected| collected.ended = true);
        });
        lines
    }

    /// Waits for a line that contains `pattern`, after the last one found so.
    #[track_caller]
    pub(crate) fn wait_for(&self, pattern: &str) -> String {
        self.wait_for_any(&[pattern])
    }

    /// Waits for a line that contains one of `patterns`, after the last one found so.
    #[track_caller]
    pub(crate) fn wait_for_any(&self, patterns: &[&str]) -> String {
        self.wait_by(patterns, deadline())
            .unwrap_or_else(|| panic!("no line contains {patterns:?}"))
    }

    /// As [`Lines::wait_for_any`]; `None` if none comes before `deadline`.
    pub(crate) fn wait_by(&self, patterns: &[&str], deadline: Instant) -> Option<String> {
        let mut collected = self.lock();
        loop {
            let fresh = &collected.lines[collected.cursor..];
            let found = fresh
                .iter()
                .position(|line| patterns.iter().any(|pattern| line.contains(pattern)));
            if let Some(offset) = found {
                collected.cursor += offset + 1;
                return Some(collected.lines[collected.cursor - 1].clone());
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if collected.ended || left.is_zero() {
                return None;
            }
            collected = self.shared.1.wait_timeout(collected, left).unwrap().0;
        }
    }

    /// Waits until there is a line that contains this, wherever it is.
    #[track_caller]
    pub(crate) fn wait_to_have(&self, pattern: &str) {
        let deadline = deadline();
        let mut collected = self.lock();
        while !collected.lines.iter().any(|line| line.contains(pattern)) {
            let left = deadline.saturating_duration_since(Instant::now());
            let is_over = collected.ended || left.is_zero();
            assert!(!is_over, "no line contains {pattern:?}");
            collected = self.shared.1.wait_timeout(collected, left).unwrap().0;
        }
    }

    /// Waits until the stream has ended and returns every line of it.
    #[track_caller]
    pub(crate) fn wait_for_end(&self) -> Vec<String> {
        let deadline = deadline();
        let mut collected = self.lock();
        while !collected.ended {
            let left = deadline.saturating_duration_since(Instant::now());
            assert!(!left.is_zero(), "the output has not ended");
            collected = self.shared.1.wait_timeout(collected, left).unwrap().0;
        }
        collected.lines.clone()
    }

    /// Every line so far.
    pub(crate) fn all(&self) -> Vec<String> {
        self.lock().lines.clone()
    }

    fn lock(&self) -> MutexGuard<'_, Collected> {
        self.shared
            .0
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    fn change(&self, change: impl FnOnce(&mut Collected)) {
        change(&mut self.lock());
        self.shared.1.notify_all();
    }
}
