//! Control groups of a test's own, of either version.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use super::{deadline, skip};

/// A group that is removed when dropped; what is in it must have ended by then.
#[derive(Debug)]
pub(crate) struct Cgroup {
    directory: PathBuf,
    /// The file with its limit.
    limit: PathBuf,
}

impl Cgroup {
    /// A group that limits the number of processes and threads; `None`, and said so,
    /// if no group can be made here.
    pub(crate) fn of_pids() -> Option<Self> {
        Self::of("pids", &["pids.max"])
    }

    /// The same for bytes of memory.
    pub(crate) fn of_memory() -> Option<Self> {
        Self::of("memory", &["memory.max", "memory.limit_in_bytes"])
    }

    /// A group with this controller, which has one of these files for its limit,
    /// depending on the version.
    fn of(controller: &str, limits: &[&str]) -> Option<Self> {
        static NEXT: AtomicUsize = AtomicUsize::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let name = format!("cp-test-{}-{number}", std::process::id());
        for parent in [&format!("/sys/fs/cgroup/{controller}"), "/sys/fs/cgroup"] {
            let directory = Path::new(parent).join(&name);
            if fs::create_dir(&directory).is_err() {
                continue;
            }
            let mut group = Self {
                limit: PathBuf::new(),
                directory,
            };
            // In version 2 a group has what its parent hands on.
            let handed_on = format!("{parent}/cgroup.subtree_control");
            let _version_1 = fs::write(handed_on, format!("+{controller}"));
            let mut limits = limits.iter().map(|name| group.directory.join(name));
            if let Some(limit) = limits.find(|limit| limit.exists()) {
                group.limit = limit;
                return Some(group);
            }
        }
        skip(&format!(
            "no cgroup with a limit on {controller} can be made here"
        ));
        None
    }

    /// Moves a process, with all its threads, into it.
    #[track_caller]
    pub(crate) fn take(&self, pid: i32) {
        fs::write(self.directory.join("cgroup.procs"), pid.to_string()).unwrap();
    }

    /// Where a process enters its id to be in the group.
    pub(crate) fn members(&self) -> PathBuf {
        self.directory.join("cgroup.procs")
    }

    /// How much there may be, or `max`.
    #[track_caller]
    pub(crate) fn limit(&self, most: &str) {
        fs::write(&self.limit, most).unwrap();
    }

    /// What is over the limit is not put aside on a disk.
    pub(crate) fn forbid_swapping(&self) {
        for (file, value) in [("memory.swap.max", "0"), ("memory.swappiness", "0")] {
            // The one of the other version is not there, nor any without swap.
            let _absent = fs::write(self.directory.join(file), value);
        }
    }
}

impl Drop for Cgroup {
    fn drop(&mut self) {
        // What has been reaped leaves its group a moment later.
        let deadline = deadline();
        while fs::remove_dir(&self.directory).is_err()
            && self.directory.exists()
            && Instant::now() < deadline
        {
            std::thread::yield_now();
        }
    }
}
