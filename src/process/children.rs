//! The children of this process: who they are, how they ended, and signals to
//! them.
//!
//! Reaping and killing belong to one owner, the main loop: a zombie keeps its
//! pid reserved, so as long as nobody else reaps, a signal sent to a child that
//! is not reaped yet can never hit a stranger. The same code serves PID 1, a
//! sub-reaper and a plain supervisor: whatever is not ours is an orphan, and is
//! reaped too.

use std::io;

use crate::message::{ExecId, ExitStatus, Pid};
use crate::sorted::{SortedMap, SortedSet};

/// The live children that were started as an execution.
#[derive(Debug, Default)]
pub struct Children {
    execs: SortedMap<Pid, ExecId>,
    /// Executions whose start is not reported yet.
    starting: SortedSet<ExecId>,
    /// Zombies that may be one of those, each with the youngest execution that
    /// was starting when it was first seen. They stay zombies until that is
    /// clear: once reaped, their pid could belong to another child at once.
    doubtful: SortedMap<Pid, ExecId>,
}

/// A child that has ended and is not reaped yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ended {
    /// Its process id, still reserved.
    pub pid: Pid,
    /// How it ended.
    pub status: ExitStatus,
    /// Which execution it was; an orphan is none.
    pub exec: Option<ExecId>,
}

impl Children {
    /// A worker was told to start an execution.
    pub fn will_start(&mut self, exec: ExecId) {
        self.starting.insert(exec);
    }

    /// An execution runs, or has ended since. Returns false if there is no such
    /// child: it was killed in the middle of its start, before it led its group,
    /// and was reaped as an orphan.
    #[must_use]
    pub fn did_start(&mut self, exec: ExecId, pid: Pid) -> bool {
        self.starting.remove(&exec);
        let is_there = is_child(pid);
        if is_there {
            self.execs.insert(pid, exec);
        }
        is_there
    }

    /// An execution could not be started.
    pub fn did_fail_to_start(&mut self, exec: ExecId) {
        self.starting.remove(&exec);
        // The C library itself reaps a child that cannot execute its program: the
        // pid is free again, and may be that of the next execution.
        self.doubtful.retain(|pid, _| is_child(*pid));
    }

    /// A child that has ended, if there is one and it is clear whose it is. It
    /// stays a zombie, and its pid reserved, until [`Children::reap`].
    ///
    /// The kernel shows one zombie at a time; behind a doubtful one only those
    /// are found that are known. The report that ends the doubt is on its way,
    /// unless a start hangs in execve(2), and then only orphans wait for it.
    pub fn next_ended(&mut self) -> Option<Ended> {
        let (pid, status) = peek(libc::P_ALL, 0)?;
        let exec = self.exec(pid);
        let is_unclear = exec.is_none() && !self.starting.is_empty();
        if is_unclear && leads_its_group(pid) && self.is_doubtful(pid) {
            return self.next_known();
        }
        Some(Ended { pid, status, exec })
    }

    fn next_known(&self) -> Option<Ended> {
        self.execs.iter().find_map(|(pid, exec)| {
            let (pid, status) = peek_one(*pid)?;
            let exec = Some(*exec);
            Some(Ended { pid, status, exec })
        })
    }

    /// Whether an unknown zombie may be an execution whose start is not reported
    /// yet. Those that began to start after it had ended are not meant.
    fn is_doubtful(&mut self, pid: Pid) -> bool {
        let (Some(oldest), Some(youngest)) = (self.starting.first(), self.starting.last()) else {
            return false;
        };
        let seen = self.doubtful.or_insert_with(pid, || *youngest);
        seen.is_some_and(|youngest| oldest <= youngest)
    }

    /// Which execution a child is that is not reaped yet.
    pub fn exec(&self, pid: Pid) -> Option<ExecId> {
        self.execs.get(&pid).copied()
    }

    /// The processes of the executions that run.
    pub fn pids(&self) -> impl Iterator<Item = Pid> {
        self.execs.keys().copied()
    }

    /// Whether no execution runs or is about to.
    pub fn is_empty(&self) -> bool {
        self.execs.is_empty() && self.starting.is_empty()
    }

    /// Lets go of a child that has ended.
    pub fn reap(&mut self, ended: Ended) {
        release(ended.pid);
        self.execs.remove(&ended.pid);
        self.doubtful.remove(&ended.pid);
    }
}

/// Sends `signal` to the process group that `pid` leads. A group that is gone
/// already needs no signal; any other refusal is returned.
pub fn signal_group(pid: Pid, signal: i32) -> io::Result<()> {
    // A negative pid names a process group.
    send(-pid, signal)
}

/// Whether a process group is there that its leader, who is reaped, has left to us.
///
/// As long as a group has a member its number goes to nobody else: who has it as a
/// pid leads another group. And a member that is a child of ours stays one until it
/// is reaped, so that the group can be signalled.
pub fn is_left_over(group: Pid) -> bool {
    let has_child = |id| look(libc::P_PGID, id, libc::WEXITED).is_some();
    libc::id_t::try_from(group).is_ok_and(has_child) && !is_anybody(group)
}

/// Whether there is a process with this pid, be it a zombie or a stranger.
fn is_anybody(pid: Pid) -> bool {
    // SAFETY: kill takes no pointers; without a signal it only looks.
    let refused = unsafe { libc::kill(pid, 0) } != 0;
    !(refused && io::Error::last_os_error().raw_os_error() == Some(libc::ESRCH))
}

/// Sends `signal` to one child. One that is gone already needs no signal; any
/// other refusal is returned.
pub fn signal_process(pid: Pid, signal: i32) -> io::Result<()> {
    send(pid, signal)
}

fn send(whom: Pid, signal: i32) -> io::Result<()> {
    // SAFETY: kill takes no pointers.
    if unsafe { libc::kill(whom, signal) } == 0 {
        return Ok(());
    }
    let error = io::Error::last_os_error();
    match error.raw_os_error() {
        Some(libc::ESRCH) => Ok(()),
        _ => Err(error),
    }
}

/// Sends `signal` to every process there is, but for the kernel's and this one.
///
/// # Errors
/// If this is not PID 1, whose right that alone is.
pub fn signal_everyone(signal: i32) -> io::Result<()> {
    if std::process::id() != 1 {
        return Err(io::ErrorKind::PermissionDenied.into());
    }
    // That names every process but PID 1.
    send(-1, signal)
}

/// Reaps every child that has ended, whosever it was. Returns whether there are
/// others.
pub fn reap_all() -> bool {
    loop {
        // SAFETY: a null status pointer is allowed; nobody needs the status.
        match unsafe { libc::waitpid(-1, std::ptr::null_mut(), libc::WNOHANG) } {
            0 => return true,
            -1 => return false,
            _reaped => {}
        }
    }
}

/// Makes this process the one that inherits orphaned descendants, as PID 1 is
/// by nature (prctl(2), PR_SET_CHILD_SUBREAPER). A kernel that does not know it
/// leaves orphans to its own init, which is no error.
pub fn adopt_orphans() {
    // SAFETY: prctl with this option takes one integer and no pointers.
    unsafe { libc::prctl(libc::PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) };
}

/// One child of ours that has ended, and how, left as it is.
fn peek_one(pid: Pid) -> Option<(Pid, ExitStatus)> {
    peek(libc::P_PID, libc::id_t::try_from(pid).ok()?)
}

/// The first zombie among the children that are meant and how it ended, left as
/// it is (waitid(2) with WNOWAIT).
fn peek(which: libc::idtype_t, id: libc::id_t) -> Option<(Pid, ExitStatus)> {
    let info = look(which, id, libc::WEXITED)?;
    // SAFETY: waitid filled the SIGCHLD fields in, or left them zero.
    let pid = unsafe { info.si_pid() };
    if pid == 0 {
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

/// Whether this is a child of ours, dead or alive, that is not reaped.
fn is_child(pid: Pid) -> bool {
    let ended = |id| look(libc::P_PID, id, libc::WEXITED);
    libc::id_t::try_from(pid).is_ok_and(|id| ended(id).is_some())
}

/// The signal that has stopped a child of ours, if one has.
pub(super) fn stopped_by(pid: Pid) -> Option<i32> {
    let info = look(libc::P_PID, libc::id_t::try_from(pid).ok()?, libc::WSTOPPED)?;
    // SAFETY: waitid filled the SIGCHLD fields in, or left them zero.
    let found = unsafe { info.si_pid() };
    // SAFETY: as above.
    let signal = unsafe { info.si_status() };
    (found == pid).then_some(signal)
}

/// What waitid(2) says without waiting or reaping: nothing if there is no such
/// child, and zeros if what is looked for has happened to none.
fn look(which: libc::idtype_t, id: libc::id_t, what: libc::c_int) -> Option<libc::siginfo_t> {
    // SAFETY: siginfo_t is plain data for which all zeros is valid.
    let mut info: libc::siginfo_t = unsafe { std::mem::zeroed() };
    let options = what | libc::WNOHANG | libc::WNOWAIT;
    // SAFETY: info is valid for writing.
    let result = unsafe { libc::waitid(which, id, &raw mut info, options) };
    (result == 0).then_some(info)
}

/// Whether a process, dead or alive, is the leader of its process group.
fn leads_its_group(pid: Pid) -> bool {
    // SAFETY: getpgid takes no pointers.
    unsafe { libc::getpgid(pid) == pid }
}

/// Reaps one zombie whose status is known.
fn release(pid: Pid) {
    // SAFETY: a null status pointer is allowed; the status is known already.
    unsafe { libc::waitpid(pid, std::ptr::null_mut(), libc::WNOHANG) };
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::os::unix::process::CommandExt as _;
    use std::process::{Child, Command, Stdio};

    use super::*;

    const ONE: ExecId = ExecId(1);
    const TWO: ExecId = ExecId(2);
    const THREE: ExecId = ExecId(3);

    /// A child that is not reaped before its end.
    struct Cat(Child);

    impl Cat {
        /// One that leads a group of its own.
        fn new() -> Self {
            Self::of_group(0)
        }

        fn of_group(leader: Pid) -> Self {
            let mut command = Command::new("cat");
            command.stdin(Stdio::piped()).stdout(Stdio::null());
            Self(command.process_group(leader).spawn().unwrap())
        }

        fn pid(&self) -> Pid {
            Pid::try_from(self.0.id()).unwrap()
        }
    }

    impl Drop for Cat {
        fn drop(&mut self) {
            // Closes its stdin before it waits.
            let _ended = self.0.wait();
        }
    }

    #[test]
    fn without_a_start_in_flight_an_unknown_zombie_is_an_orphan() {
        let mut children = Children::default();
        assert!(!children.is_doubtful(7));
        children.will_start(ONE);
        children.did_fail_to_start(ONE);
        assert!(!children.is_doubtful(7));
    }

    #[test]
    fn an_unknown_zombie_is_in_doubt_until_all_starts_are_reported_that_it_may_be() {
        let (old, new) = (Cat::new(), Cat::new());
        let mut children = Children::default();
        children.will_start(ONE);
        children.will_start(TWO);
        assert!(children.is_doubtful(old.pid()));
        children.will_start(THREE);
        children.did_fail_to_start(TWO);
        assert!(children.is_doubtful(old.pid()));
        children.did_fail_to_start(ONE);
        let is_doubtful = children.is_doubtful(old.pid());
        assert!(!is_doubtful, "the third began after its end");
        let is_doubtful = children.is_doubtful(new.pid());
        assert!(is_doubtful, "one that is seen now may be it");
    }

    #[test]
    fn a_zombie_that_the_c_library_has_reaped_puts_nobody_else_with_its_pid_out_of_doubt() {
        let gone = Pid::MAX;
        let mut children = Children::default();
        children.will_start(ONE);
        // Hangs in execve(2), so that there is always a start in flight.
        children.will_start(TWO);
        assert!(children.is_doubtful(gone));
        children.did_fail_to_start(ONE);
        assert!(children.doubtful.is_empty());
        children.did_fail_to_start(TWO);
        children.will_start(THREE);
        assert!(children.is_doubtful(gone));
    }

    #[test]
    fn a_child_that_is_gone_before_it_is_known_is_told() {
        let mut children = Children::default();
        children.will_start(ONE);
        let nobody = Pid::MAX;
        assert!(!children.did_start(ONE, nobody));
        assert_eq!(peek_one(nobody), None);
    }

    #[test]
    fn a_group_is_left_over_from_the_end_of_its_leader_to_that_of_its_last_member() {
        let leader = Cat::new();
        let group = leader.pid();
        let member = Cat::of_group(group);
        assert!(!is_left_over(group), "somebody has its number as a pid");
        drop(leader);
        assert!(is_left_over(group));
        drop(member);
        assert!(!is_left_over(group));
    }
}
