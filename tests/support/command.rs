//! Programs that are run to their end, within a deadline.

use std::fmt;
use std::io;
use std::os::fd::{AsRawFd as _, FromRawFd as _, OwnedFd};
use std::os::unix::process::ExitStatusExt as _;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use super::facts::poll;
use super::lines::Lines;
use super::{PATIENCE, SEARCH_PATH};

/// How a program ended and what it wrote.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Outcome {
    /// The exit code, or 128 + the signal that ended it.
    pub(crate) code: i32,
    /// Its lines on stdout.
    pub(crate) stdout: Vec<String>,
    /// Its lines on stderr.
    pub(crate) stderr: Vec<String>,
}

impl Outcome {
    /// The only line on stderr; fails if there is none or are more.
    #[track_caller]
    pub(crate) fn error_line(&self) -> &str {
        assert_eq!(self.stderr.len(), 1, "one line on stderr expected: {self}");
        &self.stderr[0]
    }

    /// Fails unless the exit code is 0 and stderr empty; returns stdout.
    #[track_caller]
    pub(crate) fn success(self) -> Vec<String> {
        assert!(
            self.code == 0 && self.stderr.is_empty(),
            "success expected: {self}"
        );
        self.stdout
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            code,
            stdout,
            stderr,
        } = self;
        write!(
            f,
            "exit code {code}\n--- stdout\n{}\n--- stderr\n{}",
            stdout.join("\n"),
            stderr.join("\n")
        )
    }
}

/// A command with a clean environment, and nothing on stdin.
pub(crate) fn command(program: impl AsRef<std::ffi::OsStr>) -> Command {
    let mut command = Command::new(program);
    command
        .env_clear()
        .env("PATH", SEARCH_PATH)
        .stdin(Stdio::null());
    command
}

/// Runs a command to its end.
#[track_caller]
pub(crate) fn run(command: &mut Command) -> Outcome {
    run_within(PATIENCE, command)
}

/// Runs a command that has more to do to its end.
#[track_caller]
pub(crate) fn run_within(patience: Duration, command: &mut Command) -> Outcome {
    let mut child = command
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap_or_else(|error| panic!("cannot start {command:?}: {error}"));
    let stdout = Lines::collect(child.stdout.take().unwrap());
    let stderr = Lines::collect(child.stderr.take().unwrap());
    let Some(status) = wait(&mut child, Instant::now() + patience) else {
        child.kill().unwrap();
        panic!("{command:?} has not ended after {patience:?}");
    };
    Outcome {
        code: exit_code(status),
        stdout: stdout.wait_for_end(),
        stderr: stderr.wait_for_end(),
    }
}

/// Waits for the end of a child; `None` if it has not ended by `deadline`.
pub(crate) fn wait(child: &mut Child, deadline: Instant) -> Option<ExitStatus> {
    let pid = i32::try_from(child.id()).unwrap();
    let pidfd = pidfd(pid).unwrap();
    if poll(pidfd.as_raw_fd(), libc::POLLIN, deadline) == 0 {
        return None;
    }
    Some(child.wait().unwrap())
}

/// The exit code, or 128 + the signal, as shells report it.
pub(crate) fn exit_code(status: ExitStatus) -> i32 {
    status
        .code()
        .or_else(|| status.signal().map(|signal| 128 + signal))
        .unwrap()
}

/// A descriptor that becomes readable when the process ends.
pub(crate) fn pidfd(pid: i32) -> io::Result<OwnedFd> {
    // SAFETY: pidfd_open takes two integers and no memory.
    let fd = unsafe { libc::syscall(libc::SYS_pidfd_open, pid, 0) };
    if fd < 0 {
        return Err(io::Error::last_os_error());
    }
    let fd = i32::try_from(fd).unwrap();
    // SAFETY: the kernel just gave us this descriptor.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}
