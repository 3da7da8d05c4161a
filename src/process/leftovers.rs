//! What an earlier supervisor left behind when it was killed: its jobs' processes,
//! found and ended at the start of the next one, if the file says so.
//!
//! Every child has the control socket and the pid of its supervisor in its
//! environment, and so have its descendants. A process is taken for a leftover if
//! its socket is ours, which nobody else listens on, and its supervisor is gone; if
//! it lives in our namespaces, so that a container's is not mistaken for the host's;
//! and if we do not descend from it. All of that is read after a descriptor of the
//! process was opened, by which it is signalled, so that no pid can have gone to
//! another one meanwhile. Called once, by the life of the supervisor, which owns the
//! socket by then and has no children yet.

use std::ffi::OsStr;
use std::fs;
use std::io::{self, ErrorKind};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use crate::message::Pid;

/// How long what gets SIGKILL may take to go.
const LAST_BREATH: Duration = Duration::from_secs(2);

/// What became of them.
#[derive(Debug, Default)]
pub struct Ended {
    /// Those that are gone.
    pub gone: Vec<Pid>,
    /// Those that are still there, or that may not be signalled.
    pub left: Vec<Pid>,
}

/// Ends the leftovers of earlier supervisors at `socket`: SIGTERM, and SIGKILL for
/// what is there after `grace`, also for what was started meanwhile.
///
/// # Errors
/// Processes cannot be looked at (/proc is missing, the kernel is older than 5.3), or
/// the path of the socket may mean another one to them.
pub fn end(socket: &Path, grace: Duration) -> io::Result<Ended> {
    let mut all = find(socket)?;
    all.iter().for_each(|process| process.signal(libc::SIGTERM));
    wait(&all, grace);
    let known = |all: &[Leftover], pid| all.iter().any(|leftover: &Leftover| leftover.pid == pid);
    let late = find(socket)?.into_iter();
    let late: Vec<Leftover> = late.filter(|process| !known(&all, process.pid)).collect();
    all.extend(late);
    let alive = all.iter().filter(|process| !process.has_ended());
    alive.for_each(|process| process.signal(libc::SIGKILL));
    wait(&all, LAST_BREATH);
    let (gone, left): (Vec<_>, Vec<_>) = all.iter().partition(|process| process.has_ended());
    let pids = |processes: Vec<&Leftover>| processes.iter().map(|process| process.pid).collect();
    Ok(Ended {
        gone: pids(gone),
        left: pids(left),
    })
}

/// A process, and the descriptor that stands for it and no other.
#[derive(Debug)]
struct Leftover {
    pid: Pid,
    descriptor: OwnedFd,
}

impl Leftover {
    fn signal(&self, signal: libc::c_int) {
        let fd = self.descriptor.as_raw_fd();
        let no_info = std::ptr::null::<libc::siginfo_t>();
        // SAFETY: no pointer is followed, and the descriptor is open. Who may not be
        // signalled is found to be still there.
        unsafe { libc::syscall(libc::SYS_pidfd_send_signal, fd, signal, no_info, 0) };
    }

    fn has_ended(&self) -> bool {
        self.ends_by(Instant::now())
    }

    /// Waits for its end until `deadline`, whatever signals arrive meanwhile.
    fn ends_by(&self, deadline: Instant) -> bool {
        let mut end = libc::pollfd {
            fd: self.descriptor.as_raw_fd(),
            events: libc::POLLIN,
            revents: 0,
        };
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            let milliseconds = left.as_micros().div_ceil(1000);
            let milliseconds = libc::c_int::try_from(milliseconds).unwrap_or(libc::c_int::MAX);
            // SAFETY: one initialised pollfd, and the count says so.
            match unsafe { libc::poll(&raw mut end, 1, milliseconds) } {
                ..0 if io::Error::last_os_error().kind() == ErrorKind::Interrupted => {}
                ready => return ready > 0,
            }
        }
    }
}

/// Waits until all have ended, for `limit` at most.
fn wait(all: &[Leftover], limit: Duration) {
    let deadline = Instant::now() + limit;
    for process in all {
        process.ends_by(deadline);
    }
}

fn find(socket: &Path) -> io::Result<Vec<Leftover>> {
    if !socket.is_absolute() {
        return Err(io::Error::other("control.socket is a relative path"));
    }
    let here = Namespaces::of("self")?;
    let own = Pid::try_from(std::process::id()).unwrap_or_default();
    let ancestors: Vec<Pid> = std::iter::successors(Some(own), |pid| parent(*pid)).collect();
    let mut found = Vec::new();
    for entry in fs::read_dir("/proc")? {
        let name = entry?.file_name();
        let Some(pid) = name.to_str().and_then(|name| name.parse().ok()) else {
            continue;
        };
        let descriptor = match open(pid) {
            Ok(descriptor) => descriptor,
            Err(error) if error.raw_os_error() == Some(libc::ENOSYS) => return Err(error),
            Err(_gone) => continue,
        };
        if !ancestors.contains(&pid) && is_leftover(pid, socket, &here) {
            found.push(Leftover { pid, descriptor });
        }
    }
    Ok(found)
}

fn open(pid: Pid) -> io::Result<OwnedFd> {
    // SAFETY: a call without pointers.
    match unsafe { libc::syscall(libc::SYS_pidfd_open, pid, 0) } {
        ..0 => Err(io::Error::last_os_error()),
        // SAFETY: the descriptor is new and nobody else owns it.
        fd => Ok(unsafe { OwnedFd::from_raw_fd(fd as libc::c_int) }),
    }
}

fn is_leftover(pid: Pid, socket: &Path, here: &Namespaces) -> bool {
    let Ok(environment) = fs::read(format!("/proc/{pid}/environ")) else {
        return false;
    };
    let is_ours = variable(&environment, b"CONTAINERPILOT_SOCKET=") == Some(socket.as_os_str());
    let supervisor = variable(&environment, b"CONTAINERPILOT_PID=");
    let supervisor = supervisor.and_then(|pid| pid.to_str()?.parse().ok());
    is_ours
        && supervisor.is_some_and(|supervisor| is_without(pid, supervisor))
        && Namespaces::of(&pid.to_string()).is_ok_and(|its| its == *here)
}

fn variable<'e>(environment: &'e [u8], name: &[u8]) -> Option<&'e OsStr> {
    let mut variables = environment.split(|byte| *byte == 0);
    variables
        .find_map(|variable| variable.strip_prefix(name))
        .map(OsStr::from_bytes)
}

/// Whether the supervisor of a process is gone: nothing has its pid, or what has it
/// began later than the process.
fn is_without(pid: Pid, supervisor: Pid) -> bool {
    match (field(supervisor, START), field(pid, START)) {
        (None, _) => true,
        (Some(supervisor), Some(process)) => supervisor > process,
        (Some(_), None) => false,
    }
}

/// The parent and the time of the start among the fields after the name, see
/// proc_pid_stat(5).
const PARENT: usize = 1;
const START: usize = 19;

fn field(pid: Pid, index: usize) -> Option<u64> {
    let stat = fs::read(format!("/proc/{pid}/stat")).ok()?;
    let name_end = stat.iter().rposition(|byte| *byte == b')')?;
    let rest = std::str::from_utf8(stat.get(name_end + 1..)?).ok()?;
    rest.split_ascii_whitespace().nth(index)?.parse().ok()
}

fn parent(pid: Pid) -> Option<Pid> {
    let parent = field(pid, PARENT).and_then(|parent| Pid::try_from(parent).ok())?;
    (parent > 0).then_some(parent)
}

/// Those in which pids and paths mean what they mean here.
#[derive(PartialEq)]
struct Namespaces(PathBuf, PathBuf);

impl Namespaces {
    fn of(process: &str) -> io::Result<Self> {
        let namespace = |name| fs::read_link(format!("/proc/{process}/ns/{name}"));
        Ok(Self(namespace("pid")?, namespace("mnt")?))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn variables_are_found_by_their_whole_name() {
        let environment = b"XCONTAINERPILOT_PID=1\0CONTAINERPILOT_PID=17\0PATH=/bin\0";
        assert_eq!(
            variable(environment, b"CONTAINERPILOT_PID="),
            Some(OsStr::new("17"))
        );
        assert_eq!(variable(environment, b"CONTAINERPILOT_SOCKET="), None);
        assert_eq!(variable(b"", b"PATH="), None);
    }

    #[test]
    fn a_process_is_without_a_supervisor_that_is_gone_or_began_later() {
        let own = Pid::try_from(std::process::id()).unwrap();
        assert!(is_without(own, Pid::MAX));
        assert!(!is_without(own, parent(own).unwrap()));
        assert!(!is_without(own, own), "in doubt it is not");
        let mut child = std::process::Command::new("cat")
            .stdin(std::process::Stdio::piped())
            .spawn()
            .unwrap();
        let pid = Pid::try_from(child.id()).unwrap();
        assert!(!is_without(pid, own));
        child.kill().unwrap();
        child.wait().unwrap();
    }
}
