//! Writes a rendered template so that no reader ever sees half of it.
//!
//! The new text is complete beside the old one before it takes its place.
//! Where that is not to be had (a device, a file that is a mount of its own or
//! somebody else's, a directory that may not be changed), it is written into what
//! is there.

use std::ffi::{OsStr, OsString};
use std::fs::{self, File, Metadata, OpenOptions};
use std::io::{self, ErrorKind, Write};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, fchown};
use std::path::{Path, PathBuf};

/// How much of a name the new file has in its own, in bytes: with what is added,
/// no more than the 255 that file systems have room for.
const NAME: usize = 200;

/// How many names the new file may have. One is taken for ever if a process dies
/// before its file is complete, and pids come again soon where there are few.
const NAMES: u32 = 100;

/// Writes `text` to `path`, which is created or replaced; an existing file
/// keeps its owner, group and mode, and a symbolic link its place.
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
    let written_into = || write_into(&target, text, existing.is_none());
    if !is_replaceable {
        return written_into();
    }
    let (mut file, beside) = match create(&target, existing.is_some()) {
        Ok(created) => created,
        Err(error) if existing.is_some() && is_forbidden(&error) => return written_into(),
        Err(error) => return Err(error),
    };
    let result = match &existing {
        // Nobody but its owner may put another file into its place.
        Some(old) if give(&file, old).is_err() => written_into(),
        _ => match fill(&mut file, text).and_then(|()| fs::rename(&beside, &target)) {
            Ok(()) => return Ok(()),
            Err(error) if existing.is_some() && is_held(&error) => written_into(),
            Err(error) => Err(error),
        },
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

/// Whether no other file can take the place of this one: it is a mount of its own,
/// or somebody else's in a directory in which everybody may create files.
fn is_held(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::ResourceBusy | ErrorKind::PermissionDenied
    )
}

/// Creates the new file. The text may be secret: until the file has the mode of an
/// existing one, nobody else can open it.
fn create(target: &Path, is_existing: bool) -> io::Result<(File, PathBuf)> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    if is_existing {
        options.mode(0o600);
    }
    let mut number = 0;
    loop {
        let beside = beside(target, number);
        match options.open(&beside) {
            Ok(file) => return Ok((file, beside)),
            Err(error) if error.kind() == ErrorKind::AlreadyExists && number < NAMES => number += 1,
            Err(error) => return Err(error),
        }
    }
}

/// A name of the new file until it is complete. No two containers that share the
/// directory may take one of them for their own, although their pids are the same.
fn beside(target: &Path, number: u32) -> PathBuf {
    let old = target.file_name().unwrap_or_default().as_bytes();
    let mut name = OsString::from(".");
    name.push(OsStr::from_bytes(old.get(..NAME).unwrap_or(old)));
    name.push(format!(".{}", std::process::id()));
    if number > 0 {
        name.push(format!(".{number}"));
    }
    target.with_file_name(name)
}

/// Gives a file the owner, the group and the mode of another.
fn give(file: &File, old: &Metadata) -> io::Result<()> {
    let new = file.metadata()?;
    if (new.uid(), new.gid()) != (old.uid(), old.gid()) {
        fchown(file, Some(old.uid()), Some(old.gid()))?;
    }
    file.set_permissions(old.permissions())
}

fn fill(file: &mut File, text: &[u8]) -> io::Result<()> {
    file.write_all(text)?;
    file.sync_all()
}

/// A file that exists must not be asked to be created: the kernel refuses that in
/// a directory of everybody's, unless it is one's own (`fs.protected_regular`).
fn write_into(target: &Path, text: &[u8], create: bool) -> io::Result<()> {
    let mut options = OpenOptions::new();
    let mut file = options
        .write(true)
        .create(create)
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
    fn nobody_else_can_read_a_file_that_is_not_complete() {
        let directory = Directory::new("secret");
        let (file, _) = create(&directory.join("out"), true).unwrap();
        assert_eq!(file.metadata().unwrap().mode() & 0o777, 0o600);
    }

    #[test]
    fn what_a_process_with_the_same_pid_has_left_behind_is_not_in_the_way() {
        let directory = Directory::new("left");
        let path = directory.join("out");
        let left: Vec<_> = (0..3).map(|number| beside(&path, number)).collect();
        for left in &left {
            fs::write(left, "half").unwrap();
        }
        for text in ["first", "second"] {
            write(&path, text.as_bytes()).unwrap();
            assert_eq!(fs::read_to_string(&path).unwrap(), text);
        }
        for left in &left {
            assert_eq!(fs::read_to_string(left).unwrap(), "half");
        }
        assert_eq!(names(&directory).len(), 4);
    }

    #[test]
    fn a_name_may_be_as_long_as_the_file_system_allows() {
        let directory = Directory::new("long");
        let path = directory.join("x".repeat(255));
        for text in ["first", "second"] {
            write(&path, text.as_bytes()).unwrap();
            assert_eq!(fs::read_to_string(&path).unwrap(), text);
        }
        assert_eq!(names(&directory).len(), 1);
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
