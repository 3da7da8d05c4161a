//! What `/proc` says about the processes of a test.

use std::fs;
use std::io;

use super::facts::poll;
use super::{command, deadline};
use std::os::fd::AsRawFd as _;

/// One process, as `/proc/PID/stat` shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Process {
    /// Its id.
    pub(crate) pid: i32,
    /// Its name, at most 15 bytes.
    pub(crate) name: String,
    /// `Z` for a zombie.
    pub(crate) state: char,
    /// The id of its parent.
    pub(crate) parent: i32,
    /// The id of its process group.
    pub(crate) group: i32,
}

/// The process of this id, dead or alive, until it has been reaped.
pub(crate) fn process(pid: i32) -> Option<Process> {
    let stat = fs::read(format!("/proc/{pid}/stat")).ok()?;
    let stat = String::from_utf8_lossy(&stat);
    // The name stands in parentheses and may contain any character.
    let (before, rest) = stat.rsplit_once(')')?;
    let (_, name) = before.split_once('(')?;
    let mut fields = rest.split_whitespace();
    Some(Process {
        pid,
        name: name.to_owned(),
        state: fields.next()?.chars().next()?,
        parent: fields.next()?.parse().ok()?,
        group: fields.next()?.parse().ok()?,
    })
}

/// All processes.
pub(crate) fn all() -> Vec<Process> {
    fs::read_dir("/proc")
        .unwrap()
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
        .filter_map(process)
        .collect()
}

/// The children of a process, dead or alive.
pub(crate) fn children(parent: i32) -> Vec<Process> {
    let mut children = all();
    children.retain(|process| process.parent == parent);
    children
}

/// The children of a process that it has not reaped.
pub(crate) fn zombies(parent: i32) -> Vec<Process> {
    let mut zombies = children(parent);
    zombies.retain(|process| process.state == 'Z');
    zombies
}

/// Whether a process of this id runs (a zombie does not).
pub(crate) fn is_alive(pid: i32) -> bool {
    process(pid).is_some_and(|process| !matches!(process.state, 'Z' | 'X'))
}

/// Waits until the process of this id runs no more.
#[track_caller]
pub(crate) fn wait_for_death(pid: i32) {
    let Ok(pidfd) = command::pidfd(pid) else {
        return;
    };
    let ended = poll(pidfd.as_raw_fd(), libc::POLLIN, deadline());
    assert_ne!(ended, 0, "process {pid} is still alive");
}

/// Sends a signal to one process; one that is gone already is fine.
pub(crate) fn signal(pid: i32, signal: i32) {
    // SAFETY: kill takes two integers and no memory.
    unsafe { libc::kill(pid, signal) };
}

/// Kills every process whose environment contains `marker`, so that a failed
/// test leaves nothing behind, whatever sessions and groups it made.
pub(crate) fn kill_marked(marker: &str) {
    // What forks while we look is found at the next look.
    loop {
        let marked: Vec<_> = all()
            .into_iter()
            .filter(|process| is_marked(process, marker))
            .collect();
        for process in &marked {
            signal(process.pid, libc::SIGKILL);
            wait_for_death(process.pid);
        }
        if marked.is_empty() {
            return;
        }
    }
}

fn is_marked(process: &Process, marker: &str) -> bool {
    let environment = fs::read(format!("/proc/{}/environ", process.pid)).unwrap_or_default();
    let mut variables = environment.split(|byte| *byte == 0);
    variables.any(|variable| variable == marker.as_bytes())
}

/// The number in a field of `/proc/PID/status`, e.g. `Threads` or `VmRSS` (KiB).
#[track_caller]
pub(crate) fn status_field(pid: i32, field: &str) -> u64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let value = status
        .lines()
        .find_map(|line| line.strip_prefix(field)?.strip_prefix(':'))
        .unwrap_or_else(|| panic!("no field {field}"));
    value.split_whitespace().next().unwrap().parse().unwrap()
}

/// How many descriptors a process has open.
pub(crate) fn open_files(pid: i32) -> usize {
    fs::read_dir(format!("/proc/{pid}/fd")).unwrap().count()
}

/// Sets the soft limit of a process's descriptors; the one before.
pub(crate) fn limit_descriptors(pid: i32, limit: u64) -> u64 {
    let mut limits = libc::rlimit64 {
        rlim_cur: 0,
        rlim_max: 0,
    };
    let resource = libc::RLIMIT_NOFILE;
    // SAFETY: the pointers are null, or to a live rlimit64 that is written.
    let got = unsafe { libc::prlimit64(pid, resource, std::ptr::null(), &raw mut limits) };
    assert_eq!(got, 0, "{}", io::Error::last_os_error());
    let before = std::mem::replace(&mut limits.rlim_cur, limit);
    // SAFETY: the pointers are null, or to a live rlimit64 that is read.
    let set = unsafe { libc::prlimit64(pid, resource, &raw const limits, std::ptr::null_mut()) };
    assert_eq!(set, 0, "{}", io::Error::last_os_error());
    before
}

/// The lowest descriptor that a process has not opened.
pub(crate) fn lowest_free_descriptor(pid: i32) -> u64 {
    let entries = fs::read_dir(format!("/proc/{pid}/fd")).unwrap();
    let name = |entry: io::Result<fs::DirEntry>| entry.unwrap().file_name();
    let open: Vec<u64> = entries
        .map(|entry| name(entry).to_str().unwrap().parse().unwrap())
        .collect();
    (0..).find(|number| !open.contains(number)).unwrap()
}

/// Waits for what another process does, which nothing tells from outside.
#[track_caller]
pub(crate) fn wait_until(what: &str, mut is_so: impl FnMut() -> bool) {
    let deadline = super::deadline();
    while !is_so() {
        assert!(std::time::Instant::now() < deadline, "{what} in vain");
        std::thread::yield_now();
    }
}
