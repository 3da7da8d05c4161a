//! The children of this process: who they are, how they ended, and signals to
//! them.
//!
//! Reaping and killing belong to one owner, the main loop: a zombie keeps its
//! pid reserved, so as long as nobody else reaps, a signal sent to a child that
//! is not reaped yet can never hit a stranger. The same code serves PID 1, a
//! sub-reaper and a plain supervisor: whatever is not ours is an orphan, and is
//! reaped too.

use std::collections::HashMap;
use std::io;

use crate::message::{ExecId, ExitStatus, Pid};

/// The live children that were started as an execution.
#[derive(Debug, Default)]
pub struct Children {
    execs: HashMap<Pid, ExecId>,
    /// Executions whose start is not reported yet.
    starting: usize,
    /// Statuses reaped while starts were in flight: of a child that ended before
    /// its start was reported, or of an orphan.
    unclaimed: HashMap<Pid, ExitStatus>,
}

/// A child that has ended and is not reaped yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ended {
    /// Its process id, still reserved.
    pub pid: Pid,
    /// How it ended.
    pub status: ExitStatus,
    /// Which execution it was, if it was one.
    pub exec: Option<ExecId>,
}

impl Children {
    /// A worker was told to start an execution.
    pub fn will_start(&mut self) {
        self.starting += 1;
    }

    /// An execution runs. Returns its status if it has ended already.
    pub fn did_start(&mut self, exec: ExecId, pid: Pid) -> Option<ExitStatus> {
        let early = self.unclaimed.remove(&pid);
        if early.is_none() {
            self.execs.insert(pid, exec);
        }
        self.start_is_over();
        early
    }

    /// An execution could not be started.
    pub fn did_fail_to_start(&mut self) {
        self.start_is_over();
    }

    /// A child that has ended, if there is one. It stays a zombie, and its pid
    /// reserved, until [`Children::reap`].
    pub fn next_ended(&self) -> Option<Ended> {
        let (pid, status) = peek()?;
        Some(Ended {
            pid,
            status,
            exec: self.execs.get(&pid).copied(),
        })
    }

    /// Lets go of a child that has ended.
    pub fn reap(&mut self, ended: Ended) {
        release(ended.pid);
        if self.execs.remove(&ended.pid).is_none() && self.starting > 0 {
            self.unclaimed.insert(ended.pid, ended.status);
        }
    }

    fn start_is_over(&mut self) {
        self.starting = self.starting.saturating_sub(1);
        if self.starting == 0 {
            // Nobody is left who could claim them: they were orphans.
            self.unclaimed = HashMap::new();
        }
    }
}

/// Sends `signal` to the process group that `pid` leads. A group that is gone
/// already needs no signal; any other refusal is returned.
pub fn signal_group(pid: Pid, signal: i32) -> io::Result<()> {
    // SAFETY: kill takes no pointers; a negative pid names a process group.
    if unsafe { libc::kill(-pid, signal) } == 0 {
        return Ok(());
    }
    let error = io::Error::last_os_error();
    if error.raw_os_error() == Some(libc::ESRCH) {
        Ok(())
    } else {
        Err(error)
    }
}

/// Makes this process the one that inherits orphaned descendants, as PID 1 is
/// by nature (prctl(2), PR_SET_CHILD_SUBREAPER). A kernel that does not know it
/// leaves orphans to its own init, which is no error.
pub fn adopt_orphans() {
    // SAFETY: prctl with this option takes one integer and no pointers.
    unsafe { libc::prctl(libc::PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) };
}

/// The first zombie among the children and how it ended, left as it is
/// (waitid(2) with WNOWAIT).
fn peek() -> Option<(Pid, ExitStatus)> {
    // SAFETY: siginfo_t is plain data for which all zeros is valid.
    let mut info: libc::siginfo_t = unsafe { std::mem::zeroed() };
    let options = libc::WEXITED | libc::WNOHANG | libc::WNOWAIT;
    // SAFETY: info is valid for writing.
    let result = unsafe { libc::waitid(libc::P_ALL, 0, &raw mut info, options) };
    // SAFETY: waitid filled the SIGCHLD fields in, or left them zero.
    let pid = unsafe { info.si_pid() };
    if result != 0 || pid == 0 {
        return None;
    }
    // SAFETY: as above.
    let status = unsafe { info.si_status() };
    let status = match info.si_code {
        libc::CLD_EXITED => ExitStatus::Code(status),
        _ => ExitStatus::Signal(status),
    };
    Some((pid, status))
}

/// Reaps one zombie whose status is known.
fn release(pid: Pid) {
    // SAFETY: a null status pointer is allowed; the status is known already.
    unsafe { libc::waitpid(pid, std::ptr::null_mut(), libc::WNOHANG) };
}
