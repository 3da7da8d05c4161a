//! From a command's first word to the file that is executed.
//!
//! Names are looked up here and not by the C library, because `std` leaves
//! `posix_spawn` for a slower way when it has to search a `PATH` of the child's.

use std::ffi::{CString, OsStr};
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

/// Where programs are looked for if `PATH` is not set, as shells do.
const DEFAULT_PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// The file that `name` means: itself if it has a slash, else the first
/// executable of that name along the search path (execvp(3)).
///
/// # Errors
/// There is none, or what there is cannot be executed.
pub fn find(name: &str, search_path: Option<&OsStr>) -> io::Result<PathBuf> {
    if name.contains('/') {
        return Ok(name.into());
    }
    let mut refusal = None;
    for candidate in along(name, search_path) {
        if candidate.is_file() {
            match check_executable(&candidate) {
                Ok(()) => return Ok(candidate),
                Err(error) => refusal = Some(error),
            }
        }
    }
    Err(refusal.unwrap_or_else(not_found))
}

/// Where `name` is looked for along the search path, whose directories may have any
/// bytes in their names.
pub fn along(name: &str, search_path: Option<&OsStr>) -> impl Iterator<Item = PathBuf> {
    let search_path = search_path.unwrap_or(OsStr::new(DEFAULT_PATH));
    let directories = search_path.as_bytes().split(|byte| *byte == b':');
    directories.map(move |directory| {
        // An empty entry means the working directory.
        let directory = if directory.is_empty() {
            b"."
        } else {
            directory
        };
        Path::new(OsStr::from_bytes(directory)).join(name)
    })
}

/// That there is no such program along the search path.
pub fn not_found() -> io::Error {
    io::Error::new(io::ErrorKind::NotFound, "not found in PATH")
}

/// Whether this process may execute the file, access(2).
///
/// # Errors
/// Why it may not.
pub fn check_executable(path: &Path) -> io::Result<()> {
    let path = CString::new(path.as_os_str().as_bytes())?;
    // SAFETY: path is a valid C string for the duration of the call.
    match unsafe { libc::access(path.as_ptr(), libc::X_OK) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_directory_is_searched_in_its_order_whatever_its_name() {
        let found: Vec<PathBuf> = along("app", Some(OsStr::from_bytes(b"/a::/b\xff:c"))).collect();
        let expected: [&[u8]; 4] = [b"/a/app", b"./app", b"/b\xff/app", b"c/app"];
        let expected = expected.map(|path| PathBuf::from(OsStr::from_bytes(path)));
        assert_eq!(found, expected);
        let usual: Vec<PathBuf> = along("app", None).collect();
        assert_eq!(usual.len(), 6);
        assert_eq!(usual.last(), Some(&PathBuf::from("/bin/app")));
    }
}
