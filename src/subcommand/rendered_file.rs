//! Writes a rendered template so that no reader ever sees half of it.
//!
//! The new text is complete beside the old one before it takes its place.
//! Where that is not to be had (a device, a file that is a mount of its own, a
//! directory that may not be changed), it is written into what is there.

use std::ffi::OsString;
use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Write};
use std::path::{Path, PathBuf};

/// Writes `text` to `path`, which is created or replaced; an existing file
/// keeps its mode, and a symbolic link its place.
///
/// # Errors
/// If it cannot be written; then what was there before is whole, unless it had
/// to be written into.
pub(super) fn write(path: &Path, text: &[u8]) -> io::Result<()> {
    let target = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    let existing = fs::metadata(&target).ok();
    let is_replaceable = match &existing {
        Some(metadata) => metadata.is_file(),
        // A symbolic link to nothing: what it names is to be created.
        None => fs::symlink_metadata(&target).is_err(),
    };
    if !is_replaceable {
        return write_into(&target, text);
    }
    let beside = beside(&target);
    let mut file = match OpenOptions::new()
        .write(true)
        .create_new(true)
        .open(&beside)
    {
        Ok(file) => file,
        Err(error) if existing.is_some() && is_forbidden(&error) => {
            return write_into(&target, text);
        }
        Err(error) => return Err(error),
    };
    let filled = fill(&mut file, text, existing.as_ref());
    let result = match filled.and_then(|()| fs::rename(&beside, &target)) {
        Ok(()) => return Ok(()),
        Err(error) if error.kind() == ErrorKind::ResourceBusy => write_into(&target, text),
        Err(error) => Err(error),
    };
    // The error to tell is the first.
    let _removed = fs::remove_file(&beside);
    result
}

/// Whether no file can be created there, whatever its name.
fn is_forbidden(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem
    )
}

/// The name of the new file until it is complete.
fn beside(target: &Path) -> PathBuf {
    let mut name = OsString::from(".");
    name.push(target.file_name().unwrap_or_default());
    name.push(format!(".{}", std::process::id()));
    target.with_file_name(name)
}

fn fill(file: &mut File, text: &[u8], existing: Option<&fs::Metadata>) -> io::Result<()> {
    if let Some(metadata) = existing {
        file.set_permissions(metadata.permissions())?;
    }
    file.write_all(text)?;
    file.sync_all()
}

fn write_into(target: &Path, text: &[u8]) -> io::Result<()> {
    let mut options = OpenOptions::new();
    let mut file = options
        .write(true)
        .create(true)
        .truncate(true)
        .open(target)?;
    file.write_all(text)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use std::io::Read;
    use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};

    use crate::logging::tests::Directory;

    /// The names in a directory, hidden ones included.
    fn names(directory: &Path) -> Vec<String> {
        let entries = fs::read_dir(directory).unwrap();
        let mut names: Vec<_> = entries
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    #[test]
    fn a_new_file_has_the_text_and_nothing_else_stays_behind() {
        let directory = Directory::new("new");
        let path = directory.join("out");
        write(&path, b"text").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"text");
        assert_eq!(names(&directory), ["out"]);
    }

    #[test]
    fn an_old_file_is_replaced_as_a_whole_and_keeps_its_mode() {
        let directory = Directory::new("old");
        let path = directory.join("out");
        fs::write(&path, "a longer text").unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
        let mut reader = File::open(&path).unwrap();
        let before = fs::metadata(&path).unwrap().ino();
        write(&path, b"new").unwrap();
        let after = fs::metadata(&path).unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"new");
        assert_eq!(after.mode() & 0o777, 0o640);
        assert_ne!(after.ino(), before);
        let mut text = String::new();
        reader.read_to_string(&mut text).unwrap();
        assert_eq!(text, "a longer text", "a reader keeps what it opened");
        assert_eq!(names(&directory), ["out"]);
    }

    #[test]
    fn a_link_stays_a_link() {
        let directory = Directory::new("link");
        let (link, file) = (directory.join("link"), directory.join("file"));
        symlink("file", &link).unwrap();
        for text in ["first", "second"] {
            write(&link, text.as_bytes()).unwrap();
            assert!(link.is_symlink());
            assert_eq!(fs::read_to_string(&file).unwrap(), text);
        }
        assert_eq!(names(&directory), ["file", "link"]);
    }

    #[test]
    fn a_device_is_written_to_and_not_replaced() {
        write(Path::new("/dev/null"), b"text").unwrap();
        assert!(!fs::metadata("/dev/null").unwrap().is_file());
        let error = write(Path::new("/dev/full"), b"text").unwrap_err();
        assert_eq!(error.raw_os_error(), Some(libc::ENOSPC));
    }

    #[test]
    fn a_directory_that_does_not_exist_is_an_error() {
        let directory = Directory::new("missing");
        let error = write(&directory.join("no/out"), b"text").unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::NotFound);
        assert!(names(&directory).is_empty());
    }
}
