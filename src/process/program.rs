//! From the kernel's refusal to execute a program to what it means.

use std::io;
use std::path::Path;

use crate::message::StartError;

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
