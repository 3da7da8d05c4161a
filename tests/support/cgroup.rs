//! Control groups of a test's own, of either version.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use super::{deadline, skip};

/// A group that is removed when dropped; what is in it must have ended by then.
#[derive(Debug)]
pub(crate) struct Cgroup(PathBuf);

impl Cgroup {
    /// A group that limits the number of processes and threads; `None`, and said so,
    /// if no group can be made here.
    pub(crate) fn of_pids() -> Option<Self> {
        static NEXT: AtomicUsize = AtomicUsize::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let name = format!("cp-test-{}-{number}", std::process::id());
        for parent in ["/sys/fs/cgroup/pids", "/sys/fs/cgroup"] {
            let path = Path::new(parent).join(&name);
            if fs::create_dir(&path).is_err() {
                continue;
            }
            let group = Self(path);
            // In version 2 a group has what its parent hands on.
            let _handed_on = fs::write(format!("{parent}/cgroup.subtree_control"), "+pids");
            if group.0.join("pids.max").exists() {
                return Some(group);
            }
        }
        skip("no cgroup that limits processes can be made here");
        None
    }

    /// Moves a process, with all its threads, into it.
    #[track_caller]
    pub(crate) fn take(&self, pid: i32) {
        fs::write(self.0.join("cgroup.procs"), pid.to_string()).unwrap();
    }

    /// How many processes and threads there may be, or `max`.
    #[track_caller]
    pub(crate) fn limit(&self, pids: &str) {
        fs::write(self.0.join("pids.max"), pids).unwrap();
    }
}

impl Drop for Cgroup {
    fn drop(&mut self) {
        // What has been reaped leaves its group a moment later.
        let deadline = deadline();
        while fs::remove_dir(&self.0).is_err() && self.0.exists() && Instant::now() < deadline {
            std::thread::yield_now();
        }
    }
}
