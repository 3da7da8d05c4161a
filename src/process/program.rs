//! From a command's first word to the file that is executed, and from the
//! kernel's refusal to what it means.
//!
//! Names are looked up here and not by the C library, because `std` leaves
//! `posix_spawn` for a slower way when it has to search a `PATH` of the child's.

use std::ffi::CString;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use crate::message::StartError;

/// Where programs are looked for if `PATH` is not set, as shells do.
const DEFAULT_PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// The file that `name` means: itself if it has a slash, else the first
/// executable of that name along the search path (execvp(3)).
pub(super) fn find(name: &str, search_path: Option<&str>) -> io::Result<PathBuf> {
    if name.contains('/') {
        return Ok(name.into());
    }
    let mut refusal = None;
    for directory in search_path.unwrap_or(DEFAULT_PATH).split(':') {
        // An empty entry means the working directory.
        let candidate = Path::new(if directory.is_empty() { "." } else { directory }).join(name);
        if candidate.is_file() {
            match check_executable(&candidate) {
                Ok(()) => return Ok(candidate),
                Err(error) => refusal = Some(error),
            }
        }
    }
    Err(refusal.unwrap_or_else(|| io::Error::new(io::ErrorKind::NotFound, "not found in PATH")))
}

fn check_executable(path: &Path) -> io::Result<()> {
    let path = CString::new(path.as_os_str().as_bytes())?;
    // SAFETY: path is a valid C string for the duration of the call.
    match unsafe { libc::access(path.as_ptr(), libc::X_OK) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

/// Says what the kernel's refusal to execute `program` most likely means.
pub(super) fn explain(name: &str, program: &Path, cause: &io::Error) -> StartError {
    let hint = match cause.raw_os_error() {
        Some(libc::ENOENT) if program.exists() => {
            " (the interpreter or loader it names does not exist)"
        }
        Some(libc::ENOEXEC) => " (neither a program for this machine nor a script with a #! line)",
        Some(libc::EACCES) if program.is_dir() => " (it is a directory)",
        Some(libc::EACCES) => {
            " (not executable, or its directory or file system does not allow it)"
        }
        Some(libc::E2BIG) => " (its arguments and environment are too large)",
        Some(libc::EAGAIN) => " (a limit on processes is reached)",
        Some(libc::ETXTBSY) => " (the file is open for writing)",
        _ => "",
    };
    StartError::new(&format!("cannot execute {name:?}{hint}"), cause)
}
