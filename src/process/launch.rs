//! Starts a process, with its context if it has one: with settings that
//! posix_spawn(3) has no words for.
//!
//! As that function does, it makes a child that shares this process's memory and
//! holds its own thread until the child executes the program or ends (vfork(2)),
//! so that the cost does not grow with the supervisor. Everything is prepared
//! before; the child makes system calls and nothing else: it takes no lock,
//! allocates nothing, cannot panic, and runs with all signals blocked until none
//! has a handler. So no second program is executed that would have to be found
//! in a bare root, and a setting that fails is known before the start is reported.
//! What fails is told in the memory that both share, without a pipe.

use std::ffi::{CString, OsStr};
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsRawFd, BorrowedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::ptr;
use std::sync::atomic::{AtomicI32, AtomicUsize, Ordering};

use super::dumpable::Window;
use super::program;
use super::steps::{self, Step, done, last_error};
use super::terminal;
use super::variables::Variables;
use crate::config::{ContextSpec, ExecSpec};
use crate::message::{Pid, StartError};
use crate::search_path;
use crate::signals;

/// The child's stack: a few frames, of which a debug build makes large ones.
const STACK: usize = if cfg!(debug_assertions) {
    32 << 10
} else {
    8 << 10
};

/// What is aligned on a stack by every calling convention.
const ALIGNMENT: usize = 16;

/// Signals and the bytes of a set of them, as the kernel counts.
const SIGNALS: libc::c_int = 64;
const SET_SIZE: usize = 8;

/// As much as the kernel's `struct sigaction` is on any machine; all zeros is
/// the default action.
static DEFAULT_ACTION: [u64; 8] = [0; 8];

/// Where a child failed that did not fail at a step.
const NOWHERE: usize = usize::MAX;
const AT_STREAMS: usize = usize::MAX - 1;
const AT_SEARCH: usize = usize::MAX - 2;

/// A process that is ready to be started.
pub(super) struct Launch<'f> {
    name: &'f str,
    stdin: BorrowedFd<'f>,
    /// Stdout and stderr, if they are not the supervisor's.
    output: Option<BorrowedFd<'f>>,
    cwd: Option<&'f Path>,
    steps: Vec<Step>,
    /// The files that may be the program.
    programs: Vec<CString>,
    /// Whether the first good one of them is.
    is_search: bool,
    arguments: Strings,
    variables: Variables,
    /// Where the child failed: a step, a program after them, or one of the above.
    failed_at: AtomicUsize,
    /// The kernel's number of why.
    error: AtomicI32,
}

/// C strings, and the list of them that execve(2) takes.
struct Strings {
    list: Vec<*const libc::c_char>,
    _owned: Vec<CString>,
}

impl Strings {
    fn new(owned: Vec<CString>) -> Self {
        let pointers = owned.iter().map(|string| string.as_ptr());
        let list = pointers.chain([ptr::null()]).collect();
        Self {
            list,
            _owned: owned,
        }
    }
}

/// What a process is started with besides its context; without output, it has the
/// supervisor's.
pub(super) struct Streams<'f> {
    pub(super) stdin: BorrowedFd<'f>,
    pub(super) output: Option<BorrowedFd<'f>>,
}

impl<'f> Launch<'f> {
    /// Prepares to start a command; the program is looked for along `path`.
    pub(super) fn new(
        command: &'f ExecSpec,
        path: Option<&OsStr>,
        variables: Variables,
        streams: &Streams<'f>,
    ) -> io::Result<Self> {
        let context: Option<&ContextSpec> = command.context.as_deref();
        let name = command.name();
        let is_search = !name.contains('/');
        let programs: Vec<PathBuf> = match is_search {
            true => search_path::along(name, path).collect(),
            false => vec![name.into()],
        };
        let c_string = |path: &PathBuf| CString::new(path.as_os_str().as_bytes());
        let programs = programs.iter().map(c_string).collect::<Result<_, _>>()?;
        let arguments = command.argv.iter();
        let arguments = arguments.map(|word| CString::new(word.as_str()));
        Ok(Self {
            name,
            stdin: streams.stdin,
            output: streams.output,
            cwd: context.and_then(|context| context.cwd.as_deref()),
            steps: context.map(steps::of).transpose()?.unwrap_or_default(),
            programs,
            is_search,
            arguments: Strings::new(arguments.collect::<Result<_, _>>()?),
            variables,
            failed_at: AtomicUsize::new(NOWHERE),
            error: AtomicI32::new(0),
        })
    }

    /// Starts the process: leader of a group of its own, with these streams and
    /// no other descriptor of ours, no signal blocked or ignored (SPEC §5).
    ///
    /// A child that fails is left for the main loop to reap, without the terminal.
    pub(super) fn start(self) -> Result<Pid, StartError> {
        let changes_user = |step: &Step| matches!(step, Step::User(_));
        let window = self.steps.iter().any(changes_user).then(Window::open);
        let refused = |cause| program::explain(self.name, Path::new(""), &cause);
        let pid = self.clone_child().map_err(refused)?;
        drop(window);
        match self.failed_at.load(Ordering::Acquire) {
            NOWHERE => Ok(pid),
            place => {
                // The main loop does so only for what has started.
                terminal::take_back(pid);
                Err(self.explain(place, self.error.load(Ordering::Acquire)))
            }
        }
    }

    /// Returns when the child has executed the program, or has failed.
    fn clone_child(&self) -> io::Result<Pid> {
        // Part of this thread's own, which is there already.
        let mut stack = [MaybeUninit::<u8>::uninit(); STACK];
        let end = stack.as_mut_ptr().wrapping_add(STACK);
        let top = end.map_addr(|address| address - address % ALIGNMENT);
        let flags = libc::CLONE_VM | libc::CLONE_VFORK | libc::SIGCHLD;
        let argument = ptr::from_ref(self).cast_mut().cast();
        let mask = set_mask(u64::MAX);
        // SAFETY: the stack and the argument outlive the child's use of them, as
        // this thread waits for that; the child only makes system calls.
        let pid = unsafe { libc::clone(child, top.cast(), flags, argument) };
        let result = match pid {
            -1 => Err(io::Error::last_os_error()),
            pid => Ok(pid),
        };
        set_mask(mask);
        result
    }

    /// What the child does. Returns only if it fails: where, and the kernel's
    /// number of why.
    fn become_program(&self) -> (usize, i32) {
        reset_signals();
        if let Err(error) = self.take_streams() {
            return (AT_STREAMS, error);
        }
        for (place, step) in self.steps.iter().enumerate() {
            if let Err(error) = step.take() {
                return (place, error);
            }
        }
        set_mask(0);
        self.execute()
    }

    fn take_streams(&self) -> Result<(), i32> {
        // SAFETY: setpgid takes integers alone.
        done(unsafe { libc::setpgid(0, 0) } == 0)?;
        stand_in(self.stdin, libc::STDIN_FILENO)?;
        if let Some(output) = self.output {
            stand_in(output, libc::STDOUT_FILENO)?;
            stand_in(output, libc::STDERR_FILENO)?;
        }
        Ok(())
    }

    /// As [`search_path::find`], but seen as who the process is now.
    fn execute(&self) -> (usize, i32) {
        let mut refusal = 0;
        for (index, program) in self.programs.iter().enumerate() {
            let path = program.as_ptr();
            if self.is_search {
                match may_execute(path) {
                    Ok(true) => {}
                    Ok(false) => continue,
                    Err(error) => {
                        refusal = error;
                        continue;
                    }
                }
            }
            let arguments = self.arguments.list.as_ptr();
            // SAFETY: the path is a C string, and both lists are of such and end
            // with null.
            unsafe { libc::execve(path, arguments, self.variables.as_ptr()) };
            return (self.steps.len().wrapping_add(index), last_error());
        }
        (AT_SEARCH, refusal)
    }

    fn refused(&self, cause: &io::Error) -> StartError {
        StartError::new(&format!("cannot execute {:?}", self.name), cause)
    }

    /// What it means that the child failed there.
    fn explain(&self, place: usize, error: i32) -> StartError {
        let cause = io::Error::from_raw_os_error(error);
        match place {
            AT_SEARCH if error == 0 => self.refused(&search_path::not_found()),
            AT_SEARCH | AT_STREAMS => self.refused(&cause),
            place => match self.steps.get(place) {
                Some(step) => step.explain(error),
                None => {
                    let index = place.saturating_sub(self.steps.len());
                    let path = self.programs.get(index);
                    let path = path.map(|path| OsStr::from_bytes(path.to_bytes()));
                    let path = Path::new(path.unwrap_or_default());
                    let path = self.cwd.unwrap_or(Path::new("")).join(path);
                    program::explain(self.name, &path, &cause)
                }
            },
        }
    }
}

/// The child's whole life until it is the program.
extern "C" fn child(launch: *mut libc::c_void) -> libc::c_int {
    let launch: *const Launch<'_> = launch.cast_const().cast();
    // SAFETY: whoever made this child waits, and has given it a launch.
    if let Some(launch) = unsafe { launch.as_ref() } {
        let (place, error) = launch.become_program();
        launch.error.store(error, Ordering::Release);
        launch.failed_at.store(place, Ordering::Release);
    }
    // SAFETY: ends the child alone, without touching the memory that it shares.
    unsafe { libc::_exit(127) }
}

/// Makes `stream` the same file as `fd`, and open in the program.
fn stand_in(fd: BorrowedFd<'_>, stream: libc::c_int) -> Result<(), i32> {
    let fd = fd.as_raw_fd();
    if fd == stream {
        // SAFETY: F_SETFD takes an integer.
        return done(unsafe { libc::fcntl(fd, libc::F_SETFD, 0) } == 0);
    }
    // SAFETY: dup2 takes integers alone.
    done(unsafe { libc::dup2(fd, stream) } >= 0)
}

/// Gives every signal its default action. The library's own function takes a lock
/// for some of them.
fn reset_signals() {
    let changed = signals::changed();
    for signal in (1..=SIGNALS).filter(|signal| changed & bit(*signal) != 0) {
        let unread = ptr::null_mut::<u64>();
        let action = DEFAULT_ACTION.as_ptr();
        // SAFETY: the action is valid and at least as long as the kernel reads. It
        // refuses those that have no other one.
        unsafe { libc::syscall(libc::SYS_rt_sigaction, signal, action, unread, SET_SIZE) };
    }
}

fn bit(signal: libc::c_int) -> u64 {
    1_u64.wrapping_shl(signal.cast_unsigned() - 1)
}

/// Blocks these signals in this thread and no others, and returns those that were
/// blocked: all of them, also the library's own.
fn set_mask(mask: u64) -> u64 {
    let mut before = 0_u64;
    let (set, old) = (&raw const mask, &raw mut before);
    // SAFETY: both sets are as long as is said.
    unsafe {
        libc::syscall(
            libc::SYS_rt_sigprocmask,
            libc::SIG_SETMASK,
            set,
            old,
            SET_SIZE,
        )
    };
    before
}

/// Whether there is a file that this process may execute.
///
/// # Errors
/// There is one that it may not.
fn may_execute(path: *const libc::c_char) -> Result<bool, i32> {
    let mut status = MaybeUninit::<libc::stat>::uninit();
    // SAFETY: path is a C string, and there is room for the status.
    if unsafe { libc::stat(path, status.as_mut_ptr()) } != 0 {
        return Ok(false);
    }
    // SAFETY: stat has filled it in.
    let mode = unsafe { status.assume_init() }.st_mode;
    if mode & libc::S_IFMT != libc::S_IFREG {
        return Ok(false);
    }
    // SAFETY: path is a C string.
    done(unsafe { libc::access(path, libc::X_OK) } == 0).map(|()| true)
}
