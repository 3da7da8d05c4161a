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
use crate::signals;

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
/// what is there after `grace`, also for what was started meanwhile. Where there are
/// more of them than descriptors to be had, as many at a time as there are.
///
/// # Errors
/// Processes cannot be looked at (/proc is missing, the kernel is older than 5.3), or
/// the path of the socket may mean another one to them.
pub fn end(socket: &Path, grace: Duration) -> io::Result<Ended> {
    let search = Search::new(socket)?;
    let mut orders = Orders::default();
    let mut gone = Vec::new();
    loop {
        let mut all = Vec::new();
        let mut lack = search.find(&mut all)?;
        all.iter().for_each(|process| process.signal(libc::SIGTERM));
        wait(&all, grace, Some(&mut orders));
        lack = lack.or(search.find(&mut all)?);
        let alive = all.iter().filter(|process| !process.has_ended());
        alive.for_each(|process| process.signal(libc::SIGKILL));
        wait(&all, LAST_BREATH, None);
        let (ended, left): (Vec<_>, Vec<_>) = all.iter().partition(|it| it.has_ended());
        let is_stuck = ended.is_empty();
        gone.extend(ended.into_iter().map(|process| process.pid));
        match lack {
            Some(error) if is_stuck => return Err(error),
            // What has ended gives its descriptors back.
            Some(_) => {}
            None => {
                let left = left.into_iter().map(|process| process.pid).collect();
                return Ok(Ended { gone, left });
            }
        }
    }
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
        self.ends_by(Instant::now(), None)
    }

    /// Waits for its end until `deadline`, or until the orders are urgent.
    fn ends_by(&self, deadline: Instant, mut orders: Option<&mut Orders>) -> bool {
        let mut end = libc::pollfd {
            fd: self.descriptor.as_raw_fd(),
            events: libc::POLLIN,
            revents: 0,
        };
        loop {
            let left = match &orders {
                Some(orders) if orders.are_urgent() => Duration::ZERO,
                _ => deadline.saturating_duration_since(Instant::now()),
            };
            let milliseconds = left.as_micros().div_ceil(1000);
            let milliseconds = libc::c_int::try_from(milliseconds).unwrap_or(libc::c_int::MAX);
            // SAFETY: one initialised pollfd, and the count says so.
            match unsafe { libc::poll(&raw mut end, 1, milliseconds) } {
                ..0 if io::Error::last_os_error().kind() == ErrorKind::Interrupted => {
                    orders.iter_mut().for_each(|orders| orders.hear());
                }
                ready => return ready > 0,
            }
        }
    }
}

/// Waits until all have ended, for `limit` at most.
fn wait(all: &[Leftover], limit: Duration, mut orders: Option<&mut Orders>) {
    let deadline = Instant::now() + limit;
    orders.iter_mut().for_each(|orders| orders.hear());
    for process in all {
        process.ends_by(deadline, orders.as_deref_mut());
    }
}

/// The orders to end that this supervisor has got meanwhile. They stay for the event
/// loop; as there, the second one means at once.
#[derive(Debug, Default)]
struct Orders(u32);

impl Orders {
    fn hear(&mut self) {
        self.0 += u32::from(signals::take_order());
    }

    fn are_urgent(&self) -> bool {
        self.0 > 1
    }
}

impl Drop for Orders {
    fn drop(&mut self) {
        if self.0 > 0 {
            signals::give_back_order();
        }
    }
}

/// What tells a leftover from others.
struct Search<'s> {
    socket: &'s Path,
    here: Namespaces,
    /// This process and those that it descends from.
    own: Vec<Pid>,
}

impl<'s> Search<'s> {
    fn new(socket: &'s Path) -> io::Result<Self> {
        if !socket.is_absolute() {
            return Err(io::Error::other("control.socket is a relative path"));
        }
        let own = Pid::try_from(std::process::id()).unwrap_or_default();
        Ok(Self {
            socket,
            here: Namespaces::of("self")?,
            own: and_ancestors(own)?,
        })
    }

    /// Adds those that are not `found` yet; tells if there was no descriptor to look
    /// any further.
    fn find(&self, found: &mut Vec<Leftover>) -> io::Result<Option<io::Error>> {
        let entries = match fs::read_dir("/proc") {
            Err(error) if is_lack(&error) => return Ok(Some(error)),
            entries => entries?,
        };
        for entry in entries {
            let name = entry?.file_name();
            let Some(pid) = name.to_str().and_then(|name| name.parse().ok()) else {
                continue;
            };
            if self.own.contains(&pid) || found.iter().any(|known| known.pid == pid) {
                continue;
            }
            match self.look_at(pid) {
                Ok(leftover) => found.extend(leftover),
                Err(error) if is_lack(&error) => return Ok(Some(error)),
                Err(error) if error.raw_os_error() == Some(libc::ENOSYS) => return Err(error),
                // It is gone, or somebody else's.
                Err(_) => {}
            }
        }
        Ok(None)
    }

    /// The process of this id, if it is a leftover.
    fn look_at(&self, pid: Pid) -> io::Result<Option<Leftover>> {
        let descriptor = open(pid)?;
        let environment = fs::read(format!("/proc/{pid}/environ"))?;
        let socket = variable(&environment, b"CONTAINERPILOT_SOCKET=");
        let supervisor = variable(&environment, b"CONTAINERPILOT_PID=");
        let supervisor = supervisor.and_then(|pid| pid.to_str()?.parse().ok());
        let is_leftover = socket == Some(self.socket.as_os_str())
            && supervisor.map_or(Ok(false), |supervisor| is_without(pid, supervisor))?
            && Namespaces::of(&pid.to_string())? == self.here;
        Ok(is_leftover.then_some(Leftover { pid, descriptor }))
    }
}

/// Whether there is no descriptor to be had, or no memory for one.
fn is_lack(error: &io::Error) -> bool {
    let error = error.raw_os_error();
    matches!(error, Some(libc::EMFILE | libc::ENFILE | libc::ENOMEM))
}

fn open(pid: Pid) -> io::Result<OwnedFd> {
    // SAFETY: a call without pointers.
    match unsafe { libc::syscall(libc::SYS_pidfd_open, pid, 0) } {
        ..0 => Err(io::Error::last_os_error()),
        // SAFETY: the descriptor is new and nobody else owns it.
        fd => Ok(unsafe { OwnedFd::from_raw_fd(fd as libc::c_int) }),
    }
}

fn variable<'e>(environment: &'e [u8], name: &[u8]) -> Option<&'e OsStr> {
    let mut variables = environment.split(|byte| *byte == 0);
    variables
        .find_map(|variable| variable.strip_prefix(name))
        .map(OsStr::from_bytes)
}

/// Whether the supervisor of a process is gone: nothing has its pid, or what has it
/// began later than the process.
fn is_without(pid: Pid, supervisor: Pid) -> io::Result<bool> {
    match field(supervisor, START) {
        Err(error) if is_gone(&error) => Ok(true),
        began => Ok(began? > field(pid, START)?),
    }
}

/// A process and those that it descends from, as far as they can be seen.
fn and_ancestors(pid: Pid) -> io::Result<Vec<Pid>> {
    let (mut line, mut next) = (Vec::new(), pid);
    while next > 0 {
        line.push(next);
        next = match field(next, PARENT) {
            Err(error) if is_gone(&error) => 0,
            parent => Pid::try_from(parent?).unwrap_or_default(),
        };
    }
    Ok(line)
}

fn is_gone(error: &io::Error) -> bool {
    error.kind() == ErrorKind::NotFound || error.raw_os_error() == Some(libc::ESRCH)
}

/// The parent and the time of the start among the fields after the name, see
/// proc_pid_stat(5).
const PARENT: usize = 1;
const START: usize = 19;

fn field(pid: Pid, index: usize) -> io::Result<u64> {
    let stat = fs::read(format!("/proc/{pid}/stat"))?;
    // The name before it is any bytes.
    let stat = String::from_utf8_lossy(&stat);
    let rest = stat.rsplit_once(')').map(|(_, rest)| rest);
    let field = rest.and_then(|rest| rest.split_ascii_whitespace().nth(index)?.parse().ok());
    field.ok_or_else(|| ErrorKind::InvalidData.into())
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
        assert!(is_without(own, Pid::MAX).unwrap());
        let ancestors = and_ancestors(own).unwrap();
        assert_eq!(ancestors.first(), Some(&own));
        for pid in ancestors {
            assert!(!is_without(own, pid).unwrap(), "in doubt it is not");
        }
        let mut child = std::process::Command::new("cat")
            .stdin(std::process::Stdio::piped())
            .spawn()
            .unwrap();
        let pid = Pid::try_from(child.id()).unwrap();
        assert!(!is_without(pid, own).unwrap());
        child.kill().unwrap();
        child.wait().unwrap();
    }
}
