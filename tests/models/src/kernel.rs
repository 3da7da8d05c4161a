//! The kernel as far as children are concerned: pids, which are given again as
//! soon as they are free, zombies, and who reaps them.

use crate::message::{ExitStatus, Pid};
use crate::sync::{Mutex, MutexGuard, PoisonError};

/// Constants that nobody asks for here.
pub(crate) mod libc {}

/// A child.
#[derive(Clone, Debug)]
struct Child {
    pid: Pid,
    leads_its_group: bool,
    status: Option<ExitStatus>,
}

loom::lazy_static! {
    static ref CHILDREN: Mutex<Vec<Child>> = Mutex::new(Vec::new());
}

fn children() -> MutexGuard<'static, Vec<Child>> {
    CHILDREN.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A new child with the lowest pid that is free. One whose program is executed
/// leads its group.
pub(crate) fn fork(leads_its_group: bool) -> Pid {
    let mut children = children();
    let is_free = |pid: &Pid| children.iter().all(|child| child.pid != *pid);
    let pid = (2..).find(is_free).unwrap();
    children.push(Child {
        pid,
        leads_its_group,
        status: None,
    });
    pid
}

/// A child ends.
pub(crate) fn exit(pid: Pid, code: i32) {
    let mut children = children();
    let child = children.iter_mut().find(|child| child.pid == pid);
    child.unwrap().status = Some(ExitStatus::Code(code));
}

/// How many children there are, dead or alive.
pub(crate) fn count() -> usize {
    children().len()
}

pub(crate) fn look_at_all() -> Option<(Pid, ExitStatus)> {
    let children = children();
    children
        .iter()
        .find_map(|child| Some((child.pid, child.status?)))
}

pub(crate) fn peek_one(pid: Pid) -> Option<(Pid, ExitStatus)> {
    let children = children();
    let child = children.iter().find(|child| child.pid == pid)?;
    Some((pid, child.status?))
}

pub(crate) fn is_child(pid: Pid) -> bool {
    children().iter().any(|child| child.pid == pid)
}

pub(crate) fn leads_its_group(pid: Pid) -> bool {
    let children = children();
    let mut children = children.iter();
    children.any(|child| child.pid == pid && child.leads_its_group)
}

/// waitpid(2) for one child, without waiting.
pub(crate) fn release(pid: Pid) {
    children().retain(|child| child.pid != pid || child.status.is_none());
}
