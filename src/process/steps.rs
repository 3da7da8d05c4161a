//! What a process does to itself to get into its context, step by step, and what
//! is said of a step that fails.
//!
//! The order leaves no privilege behind: first what needs the supervisor's, then
//! the groups before the group before the user, then what holds for good. The
//! working directory comes last, because it may be one that only the user can
//! enter, as systemd has it. A step is taken by the child of [`super::launch`]
//! while it shares the supervisor's memory: it makes system calls and nothing
//! else.

use std::ffi::{CStr, CString};
use std::fmt;
use std::fs;
use std::io;
use std::os::unix::ffi::OsStrExt;

use super::terminal;
use crate::config::ContextSpec;
use crate::config::limits::{Limit, Resource, UNLIMITED};
use crate::message::StartError;

/// Ids are 32 bits wide, which the oldest calls of 32-bit machines are not.
#[cfg(any(target_arch = "arm", target_arch = "x86"))]
mod number {
    pub(super) use libc::SYS_setgroups32 as SET_GROUPS;
    pub(super) use libc::SYS_setresgid32 as SET_GID;
    pub(super) use libc::SYS_setresuid32 as SET_UID;
}
#[cfg(not(any(target_arch = "arm", target_arch = "x86")))]
mod number {
    pub(super) use libc::SYS_setgroups as SET_GROUPS;
    pub(super) use libc::SYS_setresgid as SET_GID;
    pub(super) use libc::SYS_setresuid as SET_UID;
}

/// Where the kernel is told how likely to kill a process, proc(5).
const OOM_SCORE_ADJ: &CStr = c"/proc/self/oom_score_adj";

/// The most open files that a kernel allows which does not say how many.
const DEFAULT_NR_OPEN: u64 = 1024 * 1024;

/// One setting of a context, ready to be applied without allocating.
#[derive(Debug)]
pub(super) enum Step {
    /// The score, and as `/proc` takes it.
    OomScoreAdj(i32, String),
    Nice(i32),
    Limit(Limit),
    Groups(Groups),
    Group(u32),
    User(u32),
    /// Capabilities that would stay with an ordinary user.
    NoCapabilities,
    NoNewPrivileges,
    Umask(u32),
    Directory(CString),
    Foreground,
}

/// Supplementary groups.
#[derive(Debug)]
pub(super) struct Groups {
    /// The key that has them set.
    key: &'static str,
    gids: Vec<u32>,
    /// Whether the supervisor's may stay, if they can't be set: they are the same
    /// ones, or the supervisor is this user itself.
    may_stay: bool,
}

/// The steps into a context, in their order.
pub(super) fn of(context: &ContextSpec) -> io::Result<Vec<Step>> {
    let mut steps = Vec::new();
    let score = context.oom_score_adj;
    steps.extend(score.map(|score| Step::OomScoreAdj(score, score.to_string())));
    steps.extend(context.nice.map(Step::Nice));
    steps.extend(context.limits.iter().copied().map(attainable));
    steps.extend(groups(context)?.map(Step::Groups));
    if let Some(user) = &context.user {
        steps.extend([Step::Group(user.gid), Step::User(user.uid)]);
        if user.uid != 0 {
            steps.push(Step::NoCapabilities);
        }
    }
    if context.no_new_privileges {
        steps.push(Step::NoNewPrivileges);
    }
    steps.extend(context.umask.map(Step::Umask));
    if let Some(cwd) = &context.cwd {
        let cwd = CString::new(cwd.as_os_str().as_bytes())?;
        steps.push(Step::Directory(cwd));
    }
    if context.foreground {
        steps.push(Step::Foreground);
    }
    Ok(steps)
}

fn groups(context: &ContextSpec) -> io::Result<Option<Groups>> {
    let user = context.user.as_ref();
    let (key, gids) = match (&context.groups, user) {
        (Some(gids), _) => ("groups", gids),
        (None, Some(user)) => ("user", &user.groups),
        (None, None) => return Ok(None),
    };
    // SAFETY: geteuid only reads a property of this process.
    let uid = unsafe { libc::geteuid() };
    // SAFETY: so does getegid.
    let gid = unsafe { libc::getegid() };
    let is_itself = user.is_some_and(|user| (user.uid, user.gid) == (uid, gid));
    let same = has_groups(gids, user.map(|user| user.gid))?;
    Ok(Some(Groups {
        key,
        gids: gids.clone(),
        may_stay: same || (is_itself && context.groups.is_none()),
    }))
}

/// A limit as the kernel takes it: open files are never unlimited.
fn attainable(limit: Limit) -> Step {
    if limit.resource != Resource::OpenFiles || limit.hard != UNLIMITED {
        return Step::Limit(limit);
    }
    let most = fs::read_to_string("/proc/sys/fs/nr_open");
    let most = most.ok().and_then(|text| text.trim().parse().ok());
    let most: u64 = most.unwrap_or(DEFAULT_NR_OPEN);
    Step::Limit(Limit {
        soft: limit.soft.min(most),
        hard: most,
        ..limit
    })
}

/// Whether this process is in these groups and no others, but for the primary
/// one, in which it is anyway.
fn has_groups(groups: &[u32], primary: Option<u32>) -> io::Result<bool> {
    // SAFETY: with no room for groups, none are written.
    let count = unsafe { libc::getgroups(0, std::ptr::null_mut()) };
    let mut held: Vec<libc::gid_t> = vec![0; usize::try_from(count).unwrap_or(0)];
    // SAFETY: there is room for as many groups as are said.
    let count = unsafe { libc::getgroups(count, held.as_mut_ptr()) };
    match usize::try_from(count) {
        Ok(count) => held.truncate(count),
        Err(_) => return Err(io::Error::last_os_error()),
    }
    let is_other = |gid: &&u32| Some(**gid) != primary;
    let wanted = groups.iter().filter(is_other);
    let mut given = held.iter().filter(is_other);
    Ok(wanted.clone().all(|gid| held.contains(gid)) && given.all(|gid| groups.contains(gid)))
}

/// What became of a system call: the kernel's number of why, if it failed.
pub(super) fn done(is_done: bool) -> Result<(), i32> {
    match is_done {
        true => Ok(()),
        false => Err(last_error()),
    }
}

/// The kernel's number of why the last system call failed.
pub(super) fn last_error() -> i32 {
    io::Error::last_os_error().raw_os_error().unwrap_or(0)
}

impl Step {
    /// Applies the setting to the calling process.
    ///
    /// # Errors
    /// The kernel's number of why not.
    pub(super) fn take(&self) -> Result<(), i32> {
        match self {
            Self::OomScoreAdj(_, text) => write(OOM_SCORE_ADJ, text.as_bytes()),
            Self::Nice(nice) => {
                // SAFETY: setpriority takes integers alone.
                done(unsafe { libc::setpriority(libc::PRIO_PROCESS, 0, *nice) } == 0)
            }
            Self::Limit(limit) => set_limit(limit),
            Self::Groups(groups) => match set_groups(&groups.gids) {
                Err(libc::EPERM) if groups.may_stay => Ok(()),
                result => result,
            },
            Self::Group(gid) => set_id(number::SET_GID, *gid),
            Self::User(uid) => set_id(number::SET_UID, *uid),
            Self::NoCapabilities => match prctl(libc::PR_CAP_AMBIENT, CLEAR_ALL) {
                // Kernels before 4.3 have none that would stay.
                Err(libc::EINVAL) => Ok(()),
                result => result,
            },
            Self::NoNewPrivileges => prctl(libc::PR_SET_NO_NEW_PRIVS, 1),
            Self::Umask(mask) => {
                // SAFETY: umask takes an integer and cannot fail.
                unsafe { libc::umask(*mask) };
                Ok(())
            }
            Self::Directory(path) => {
                // SAFETY: path is a C string.
                done(unsafe { libc::chdir(path.as_ptr()) } == 0)
            }
            Self::Foreground => {
                terminal::take_over();
                Ok(())
            }
        }
    }

    /// What is said of the setting that could not be applied.
    pub(super) fn explain(&self, error: i32) -> StartError {
        // Not one of the kinds that mean that there is no such program.
        let cause = io::Error::other(io::Error::from_raw_os_error(error));
        let hint = self.hint(error);
        StartError::new(&format!("cannot apply {self}{hint}"), &cause)
    }

    fn hint(&self, error: i32) -> &'static str {
        match (self, error) {
            (Self::Groups(..) | Self::Group(_) | Self::User(_), libc::EPERM) => {
                " (the supervisor is not root, or lacks CAP_SETUID and CAP_SETGID)"
            }
            (Self::User(_), libc::EAGAIN) => " (the user's limit on processes is reached)",
            (Self::Limit(_), libc::EPERM) => {
                " (only root, with CAP_SYS_RESOURCE, may raise a hard bound)"
            }
            (Self::Nice(_), libc::EACCES | libc::EPERM) => {
                " (only root, with CAP_SYS_NICE, may lower it)"
            }
            (Self::OomScoreAdj(..), libc::EACCES | libc::EPERM) => {
                " (only root, with CAP_SYS_RESOURCE, may lower it)"
            }
            (Self::OomScoreAdj(..), libc::ENOENT) => " (/proc is not mounted)",
            (Self::Directory(_), libc::EACCES) => " (its user may not enter it)",
            _ => "",
        }
    }
}

impl fmt::Display for Step {
    /// The setting as the file has it, and its value.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::OomScoreAdj(score, _) => write!(f, "\"oomScoreAdj\" ({score})"),
            Self::Nice(nice) => write!(f, "\"nice\" ({nice})"),
            Self::Limit(limit) => {
                let bound = |bound| match bound {
                    UNLIMITED => "unlimited".to_owned(),
                    bound => bound.to_string(),
                };
                let (soft, hard) = (bound(limit.soft), bound(limit.hard));
                write!(f, "\"limits.{}\" ([{soft}, {hard}])", limit.resource.name())
            }
            Self::Groups(Groups { key, gids, .. }) => write!(f, "{key:?} (the groups {gids:?})"),
            Self::Group(gid) => write!(f, "\"user\" (the group {gid})"),
            Self::User(uid) => write!(f, "\"user\" ({uid})"),
            Self::NoCapabilities => f.write_str("\"user\" (without capabilities)"),
            Self::NoNewPrivileges => f.write_str("\"noNewPrivileges\""),
            Self::Umask(mask) => write!(f, "\"umask\" ({mask:04o})"),
            Self::Directory(path) => write!(f, "\"cwd\" ({path:?})"),
            Self::Foreground => f.write_str("the terminal"),
        }
    }
}

/// `PR_CAP_AMBIENT_CLEAR_ALL`, prctl(2).
const CLEAR_ALL: libc::c_ulong = 4;

fn prctl(option: libc::c_int, value: libc::c_ulong) -> Result<(), i32> {
    let none: libc::c_ulong = 0;
    // SAFETY: these options take integers alone.
    done(unsafe { libc::prctl(option, value, none, none, none) } == 0)
}

fn set_limit(limit: &Limit) -> Result<(), i32> {
    let bounds: [u64; 2] = [limit.soft, limit.hard];
    let unread = std::ptr::null_mut::<u64>();
    // SAFETY: the kernel's struct of a limit is two integers of 64 bits.
    let result = unsafe {
        libc::syscall(
            libc::SYS_prlimit64,
            0,
            limit.resource.number(),
            bounds.as_ptr(),
            unread,
        )
    };
    done(result == 0)
}

/// Sets the real, the effective and the saved id. -1 would keep them all, those of
/// the supervisor, and be a success (setresuid(2)).
fn set_id(call: libc::c_long, id: u32) -> Result<(), i32> {
    if id == u32::MAX {
        return Err(libc::EINVAL);
    }
    // The library's own functions would tell all threads of the supervisor, whose
    // memory this child shares.
    // SAFETY: the call takes integers alone.
    done(unsafe { libc::syscall(call, id, id, id) } == 0)
}

fn set_groups(gids: &[u32]) -> Result<(), i32> {
    // SAFETY: there are as many groups as are said.
    let result = unsafe { libc::syscall(number::SET_GROUPS, gids.len(), gids.as_ptr()) };
    done(result == 0)
}

/// Writes to a file that is there.
fn write(path: &CStr, text: &[u8]) -> Result<(), i32> {
    // SAFETY: path is a C string.
    let file = unsafe { libc::open(path.as_ptr(), libc::O_WRONLY | libc::O_CLOEXEC) };
    done(file >= 0)?;
    // SAFETY: the text is as long as is said.
    let written = unsafe { libc::write(file, text.as_ptr().cast(), text.len()) };
    let result = done(written >= 0);
    // SAFETY: nobody else knows this descriptor.
    unsafe { libc::close(file) };
    result
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::config::context::Identity;

    fn told(context: &ContextSpec) -> Vec<String> {
        of(context)
            .unwrap()
            .iter()
            .map(ToString::to_string)
            .collect()
    }

    #[test]
    fn the_order_leaves_no_privilege_behind() {
        let context = ContextSpec {
            user: Some(Identity {
                uid: 1000,
                gid: 33,
                groups: vec![33],
            }),
            groups: Some(vec![29, 44]),
            cwd: Some("/srv/app".into()),
            umask: Some(0o27),
            nice: Some(-5),
            oom_score_adj: Some(-500),
            limits: vec![Limit {
                resource: Resource::Core,
                soft: 0,
                hard: UNLIMITED,
            }],
            no_new_privileges: true,
            ..ContextSpec::default()
        };
        assert_eq!(
            told(&context),
            [
                "\"oomScoreAdj\" (-500)",
                "\"nice\" (-5)",
                "\"limits.core\" ([0, unlimited])",
                "\"groups\" (the groups [29, 44])",
                "\"user\" (the group 33)",
                "\"user\" (1000)",
                "\"user\" (without capabilities)",
                "\"noNewPrivileges\"",
                "\"umask\" (0027)",
                "\"cwd\" (\"/srv/app\")",
            ]
        );
        let root = ContextSpec {
            user: Some(Identity {
                uid: 0,
                gid: 0,
                groups: vec![0, 5],
            }),
            ..ContextSpec::default()
        };
        assert_eq!(
            told(&root),
            [
                "\"user\" (the groups [0, 5])",
                "\"user\" (the group 0)",
                "\"user\" (0)",
            ]
        );
    }

    #[test]
    fn nobody_stays_who_the_supervisor_is_by_an_id_that_means_so() {
        for step in [Step::Group(u32::MAX), Step::User(u32::MAX)] {
            assert_eq!(step.take(), Err(libc::EINVAL), "{step}");
        }
    }

    #[test]
    fn a_step_that_fails_is_told_with_its_setting_value_and_cause() {
        for (step, error, text) in [
            (
                Step::User(1000),
                libc::EPERM,
                "cannot apply \"user\" (1000) (the supervisor is not root, or lacks CAP_SETUID \
                 and CAP_SETGID): ",
            ),
            (
                Step::Directory(c"/srv/app".to_owned()),
                libc::ENOENT,
                "cannot apply \"cwd\" (\"/srv/app\"): ",
            ),
            (
                Step::Nice(-5),
                libc::EACCES,
                "cannot apply \"nice\" (-5) (only root, with CAP_SYS_NICE, may lower it): ",
            ),
        ] {
            let told = step.explain(error);
            let begins = told.to_string().starts_with(text);
            assert!(begins, "{told}");
            assert!(
                told.to_string().ends_with(&format!("(os error {error})")),
                "{told}"
            );
            assert_eq!(told.exit_code(), 126, "{told}");
        }
    }

    #[test]
    fn open_files_have_a_bound_that_the_kernel_takes() {
        let unlimited = Limit {
            resource: Resource::OpenFiles,
            soft: UNLIMITED,
            hard: UNLIMITED,
        };
        let Step::Limit(limit) = attainable(unlimited) else {
            unreachable!("a limit stays one")
        };
        assert!(
            limit.hard < UNLIMITED && limit.soft == limit.hard,
            "{limit:?}"
        );
        let soft = Limit {
            soft: 5,
            ..unlimited
        };
        let Step::Limit(limit) = attainable(soft) else {
            unreachable!("a limit stays one")
        };
        assert_eq!(limit.soft, 5);
    }
}
