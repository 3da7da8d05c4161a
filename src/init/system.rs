//! The system calls of an init that std does not offer, as functions that fail
//! with an [`io::Error`]. No decision is made here.

use std::ffi::CString;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::time::Duration;

/// What `reboot(2)` is to do.
pub(super) type Command = libc::c_int;

/// sethostname(2)
pub(super) fn set_hostname(name: &str) -> io::Result<()> {
    // SAFETY: the bytes are valid for the length that is told.
    check(unsafe { libc::sethostname(name.as_ptr().cast(), name.len()) })
}

/// reboot(2): that Ctrl-Alt-Del is a signal to PID 1. A container may not.
pub(super) fn catch_ctrl_alt_del() -> io::Result<()> {
    match reboot(libc::RB_DISABLE_CAD) {
        Err(error) if matches!(error.raw_os_error(), Some(libc::EPERM | libc::EINVAL)) => Ok(()),
        result => result,
    }
}

/// reboot(2)
pub(super) fn reboot(command: Command) -> io::Result<()> {
    // SAFETY: reboot takes no memory.
    check(unsafe { libc::reboot(command) })
}

/// sync(2), which waits until everything is written.
pub(super) fn sync() {
    // SAFETY: sync takes nothing and cannot fail.
    unsafe { libc::sync() };
}

/// mount(2)
pub(super) fn mount(
    source: &str,
    target: &Path,
    kind: &str,
    flags: libc::c_ulong,
    options: &str,
) -> io::Result<()> {
    let (source, target) = (CString::new(source)?, text(target)?);
    let (kind, options) = (CString::new(kind)?, CString::new(options)?);
    // SAFETY: all four are strings that end in NUL and live until the end.
    check(unsafe {
        libc::mount(
            source.as_ptr(),
            target.as_ptr(),
            kind.as_ptr(),
            flags,
            options.as_ptr().cast(),
        )
    })
}

/// umount2(2), without following a link.
pub(super) fn unmount(target: &Path) -> io::Result<()> {
    let target = text(target)?;
    // SAFETY: the path ends in NUL and lives until the end.
    check(unsafe { libc::umount2(target.as_ptr(), libc::UMOUNT_NOFOLLOW) })
}

/// swapoff(2)
pub(super) fn stop_swapping(to: &Path) -> io::Result<()> {
    let path = text(to)?;
    // SAFETY: the path ends in NUL and lives until the end.
    check(unsafe { libc::swapoff(path.as_ptr()) })
}

/// That a write to standard error never waits. For the end of the machine: nobody
/// else writes there any more.
pub(super) fn never_wait_for_stderr() {
    // SAFETY: calls without pointers; a descriptor that is closed has no flags.
    unsafe { libc::fcntl(libc::STDERR_FILENO, libc::F_SETFL, libc::O_NONBLOCK) };
}

/// Whether there is room to write to standard error, after so long at most.
pub(super) fn wait_for_stderr(patience: Duration) -> bool {
    let mut stderr = libc::pollfd {
        fd: libc::STDERR_FILENO,
        events: libc::POLLOUT,
        revents: 0,
    };
    let milliseconds = libc::c_int::try_from(patience.as_millis()).unwrap_or(libc::c_int::MAX);
    // SAFETY: one initialised pollfd, and the count says so.
    unsafe { libc::poll(&raw mut stderr, 1, milliseconds) == 1 }
}

fn text(path: &Path) -> io::Result<CString> {
    Ok(CString::new(path.as_os_str().as_bytes())?)
}

/// The error of a system call that returned `result`.
pub(super) fn check(result: libc::c_int) -> io::Result<()> {
    match result {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}
