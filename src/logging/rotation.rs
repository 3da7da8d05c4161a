//! Moving a log file away before it grows too large (SPEC §16, `logging.maxSize`
//! and `keep`): `log` becomes `log.1`, what was that `log.2`, and so on.
//!
//! Called by the sink between two lines. Every step is one rename(2): whenever
//! it stops, each line is in exactly one file. The renames come before the new
//! file, because on a full disk they are what makes room for it.

use std::ffi::OsString;
use std::fs::{self, File, OpenOptions, Permissions};
use std::io::{self, ErrorKind};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt, fchown};
use std::path::{Path, PathBuf};

use super::block::find_newline;

/// What was begun, and how far that got.
#[derive(Debug)]
pub(super) enum Begun {
    /// A new file, to which all goes from now on.
    New(File),
    /// None. The file that is open is one of the old ones already: nothing is to
    /// be moved at the next try.
    OnlyMoved(io::Error),
    /// Nothing.
    Nothing(io::Error),
}

/// Opens a log file, or makes one.
pub(super) fn open_file(path: &Path) -> io::Result<File> {
    open_or_make(path, 0o666)
}

/// Non-blocking, so that opening a FIFO that nobody reads is an error at once
/// instead of a start that hangs.
fn open_or_make(path: &Path, mode: u32) -> io::Result<File> {
    OpenOptions::new()
        .append(true)
        .create(true)
        .mode(mode)
        .custom_flags(libc::O_NONBLOCK | libc::O_NOCTTY)
        .open(path)
}

/// Moves the file at `path` away, if it is still the one that is open and has
/// not been moved before, and begins a new one like it. Of a symbolic link, what it
/// leads to.
pub(super) fn begin_anew(path: &Path, open: &File, keep: u32, is_moved: bool) -> Begun {
    let target = fs::canonicalize(path);
    let path = target.as_deref().unwrap_or(path);
    if !is_moved && let Err(error) = move_away(path, open, keep) {
        return Begun::Nothing(error);
    }
    // Until it is given to whom the old one belongs, nobody else may open it.
    match open_or_make(path, 0o600) {
        Ok(file) => {
            resemble(&file, open);
            Begun::New(file)
        }
        Err(error) => Begun::OnlyMoved(error),
    }
}

/// Others may have moved or removed the file, and perhaps put one of their own in
/// its place: that one is left where it is.
fn move_away(path: &Path, open: &File, keep: u32) -> io::Result<()> {
    let there = match fs::metadata(path) {
        Ok(there) => there,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error),
    };
    let ours = open.metadata()?;
    if (there.dev(), there.ino()) != (ours.dev(), ours.ino()) {
        return Ok(());
    }
    if keep == 0 {
        return fs::remove_file(path);
    }
    let is_free = |number: u32| match fs::symlink_metadata(numbered(path, number)) {
        Err(error) => error.kind() == ErrorKind::NotFound,
        Ok(_) => false,
    };
    // Only as many move as must; the last one is replaced.
    let last = (1..keep).find(|number| is_free(*number)).unwrap_or(keep);
    for number in (1..last).rev() {
        fs::rename(numbered(path, number), numbered(path, number + 1))?;
    }
    fs::rename(path, numbered(path, 1))
}

/// A new file has the owner and the mode of the one before, as far as it may: who
/// may not read that one may not read this one at any time.
fn resemble(new: &File, before: &File) {
    let (Ok(now), Ok(before)) = (new.metadata(), before.metadata()) else {
        return;
    };
    if now.len() > 0 {
        return;
    }
    let whole = fchown(new, Some(before.uid()), Some(before.gid()));
    let given = whole.or_else(|_not_root| fchown(new, None, Some(before.gid())));
    let kept = match given {
        Ok(()) => 0o7777,
        Err(_not_of_that_group) => 0o7707,
    };
    let mode = Permissions::from_mode(before.mode() & kept);
    let _not_ours = new.set_permissions(mode);
}

fn numbered(path: &Path, number: u32) -> PathBuf {
    let mut name = OsString::from(path);
    name.push(format!(".{number}"));
    name.into()
}

/// How many bytes of whole lines fit into `room`.
pub(super) fn fitting(lines: &[u8], room: u64) -> usize {
    let room = usize::try_from(room).unwrap_or(usize::MAX);
    match lines.get(..room) {
        None => lines.len(),
        Some(window) => {
            let last = window.iter().rposition(|byte| *byte == b'\n');
            last.map_or(0, |last| last + 1)
        }
    }
}

/// The length of the first line.
pub(super) fn first_line(lines: &[u8]) -> usize {
    find_newline(lines).map_or(lines.len(), |end| end + 1)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic)]

    use super::*;
    use crate::logging::tests::Directory;
    use std::os::unix::fs::symlink;

    /// A log whose text is `text`, moved away.
    fn rotate(directory: &Directory, text: &str, keep: u32) {
        let path = directory.join("log");
        fs::write(&path, text).unwrap();
        let open = open_file(&path).unwrap();
        match begin_anew(&path, &open, keep, false) {
            Begun::New(new) => assert_eq!(new.metadata().unwrap().len(), 0),
            other => panic!("{other:?}"),
        }
    }

    /// The files and their texts, in order.
    fn files(directory: &Directory) -> Vec<String> {
        let entries = fs::read_dir(&**directory).unwrap();
        let mut files: Vec<String> = entries
            .map(|entry| {
                let path = entry.unwrap().path();
                let name = path.file_name().unwrap().to_string_lossy().into_owned();
                format!("{name} {}", fs::read_to_string(path).unwrap())
            })
            .collect();
        files.sort();
        files
    }

    #[test]
    fn files_move_up_by_one_and_the_last_is_replaced() {
        let directory = Directory::new("chain");
        for text in ["a", "b", "c", "d"] {
            rotate(&directory, text, 2);
        }
        assert_eq!(files(&directory), ["log ", "log.1 d", "log.2 c"]);
        // A gap is filled, and nothing behind it moves.
        fs::remove_file(directory.join("log.1")).unwrap();
        rotate(&directory, "e", 3);
        assert_eq!(files(&directory), ["log ", "log.1 e", "log.2 c"]);
        rotate(&directory, "f", 0);
        assert_eq!(files(&directory), ["log ", "log.1 e", "log.2 c"]);
    }

    #[test]
    fn a_file_that_others_have_moved_removed_or_replaced_is_left_alone() {
        let directory = Directory::new("others");
        let path = directory.join("log");
        let open = open_file(&path).unwrap();
        fs::rename(&path, directory.join("moved")).unwrap();
        assert!(matches!(begin_anew(&path, &open, 3, false), Begun::New(_)));
        fs::write(&path, "theirs").unwrap();
        let Begun::New(new) = begin_anew(&path, &open, 3, false) else {
            panic!("no new file");
        };
        assert_eq!(new.metadata().unwrap().len(), 6);
        assert_eq!(files(&directory), ["log theirs", "moved "]);
    }

    #[test]
    fn a_new_file_has_the_mode_of_the_old_one() {
        let directory = Directory::new("mode");
        let path = directory.join("log");
        let open = open_file(&path).unwrap();
        for mode in [0o640, 0o666, 0o400] {
            open.set_permissions(Permissions::from_mode(mode)).unwrap();
            assert!(matches!(begin_anew(&path, &open, 1, true), Begun::New(_)));
            assert_eq!(fs::metadata(&path).unwrap().mode() & 0o7777, mode);
            fs::remove_file(&path).unwrap();
        }
    }

    #[test]
    fn of_a_link_the_file_that_it_leads_to_is_moved_and_the_link_stays() {
        let directory = Directory::new("link");
        fs::create_dir(directory.join("disk")).unwrap();
        let (path, real) = (directory.join("log"), directory.join("disk/real"));
        symlink("disk/real", &path).unwrap();
        for text in ["a", "b", "c"] {
            let open = open_file(&path).unwrap();
            fs::write(&real, text).unwrap();
            assert!(matches!(begin_anew(&path, &open, 1, false), Begun::New(_)));
        }
        assert_eq!(fs::read_link(&path).unwrap(), Path::new("disk/real"));
        assert_eq!(fs::read_to_string(&real).unwrap(), "");
        let old = directory.join("disk/real.1");
        assert_eq!(fs::read_to_string(old).unwrap(), "c");
        assert_eq!(fs::read_dir(directory.join("disk")).unwrap().count(), 2);
    }

    #[test]
    fn what_cannot_be_moved_or_begun_is_told_apart() {
        let directory = Directory::new("stuck");
        let path = directory.join("log");
        let open = open_file(&path).unwrap();
        fs::create_dir_all(directory.join("log.1/in the way")).unwrap();
        let begun = begin_anew(&path, &open, 1, false);
        assert!(matches!(begun, Begun::Nothing(_)), "{begun:?}");
        fs::remove_file(&path).unwrap();
        fs::create_dir(&path).unwrap();
        let begun = begin_anew(&path, &open, 1, true);
        assert!(matches!(begun, Begun::OnlyMoved(_)), "{begun:?}");
    }

    #[test]
    fn as_many_lines_fit_as_there_is_room_for() {
        for (room, fit) in [(0, 0), (1, 0), (2, 2), (4, 2), (5, 5), (6, 6), (99, 6)] {
            assert_eq!(fitting(b"a\nbb\n\n", room), fit, "{room}");
        }
        assert_eq!((first_line(b"a\nb\n"), first_line(b"")), (2, 0));
    }
}
