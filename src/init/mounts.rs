//! The kernel's file systems, which a machine that starts has none of, and what
//! is mounted at its end.

use std::ffi::OsString;
use std::fs;
use std::io;
use std::os::unix::ffi::OsStringExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use log::Level;

use super::Notes;
use super::system;

/// A file system of the kernel's.
struct Mount {
    target: &'static str,
    kind: &'static str,
    flags: libc::c_ulong,
    options: &'static str,
}

const BARE: libc::c_ulong = libc::MS_NOSUID | libc::MS_NOEXEC | libc::MS_NODEV;

/// In the order in which they are mounted; the options are those of the File
/// Hierarchy Standard's systems: group 5 is `tty`.
const MOUNTS: &[Mount] = &[
    Mount {
        target: "/proc",
        kind: "proc",
        flags: BARE,
        options: "",
    },
    Mount {
        target: "/sys",
        kind: "sysfs",
        flags: BARE,
        options: "",
    },
    Mount {
        target: "/dev",
        kind: "devtmpfs",
        flags: libc::MS_NOSUID,
        options: "mode=0755",
    },
    Mount {
        target: "/dev/pts",
        kind: "devpts",
        flags: libc::MS_NOSUID | libc::MS_NOEXEC,
        options: "gid=5,mode=0620,ptmxmode=0666",
    },
    Mount {
        target: "/run",
        kind: "tmpfs",
        flags: libc::MS_NOSUID | libc::MS_NODEV,
        options: "mode=0755",
    },
];

/// Mounts what is not mounted.
pub(super) fn mount_missing(notes: &mut Notes) {
    for mount in MOUNTS {
        let target = Path::new(mount.target);
        if is_mounted(target) {
            continue;
        }
        let result = make_directory(target).and_then(|()| {
            system::mount(mount.kind, target, mount.kind, mount.flags, mount.options)
        });
        notes.push(match result {
            Ok(()) => (Level::Info, format!("init: mounted {}", mount.target)),
            Err(error) => (
                Level::Error,
                format!("init: cannot mount {}: {error}", mount.target),
            ),
        });
    }
}

fn make_directory(path: &Path) -> io::Result<()> {
    match fs::create_dir(path) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(error),
        _ => Ok(()),
    }
}

/// Whether a directory is on another device than the one it lies in.
fn is_mounted(path: &Path) -> bool {
    let device = |path: &Path| fs::metadata(path).map(|about| about.dev()).ok();
    let parent = path.parent().unwrap_or(path);
    device(path).is_some_and(|own| device(parent).is_some_and(|outer| own != outer))
}

/// Where something is mounted, in the order of mounting, without `/` and what
/// only shows the kernel.
pub(super) fn mounted() -> io::Result<Vec<PathBuf>> {
    Ok(targets(&fs::read("/proc/self/mountinfo")?))
}

/// The mount points in a `mountinfo`, see proc_pid_mountinfo(5). Names have any
/// bytes.
fn targets(table: &[u8]) -> Vec<PathBuf> {
    let target = |line: &[u8]| {
        let mut words = line.split(|byte| *byte == b' ');
        let target = unescaped(words.nth(4)?);
        let kind = words.skip_while(|word| *word != b"-").nth(1)?;
        let is_kernels = matches!(kind, b"proc" | b"sysfs" | b"devtmpfs" | b"devpts");
        (target != Path::new("/") && !is_kernels).then_some(target)
    };
    lines(table).filter_map(target).collect()
}

fn lines(table: &[u8]) -> impl Iterator<Item = &[u8]> {
    table.split(|byte| *byte == b'\n')
}

/// Blanks and the like stand there as three octal digits.
fn unescaped(word: &[u8]) -> PathBuf {
    let mut rest = word;
    let mut name = Vec::with_capacity(word.len());
    while let Some((first, after)) = rest.split_first() {
        let digits = after.get(..3).filter(|_| *first == b'\\');
        let code = digits.and_then(|digits| {
            let digits = str::from_utf8(digits).ok()?;
            u8::from_str_radix(digits, 8).ok()
        });
        name.push(code.unwrap_or(*first));
        let read = if code.is_some() { 4 } else { 1 };
        rest = rest.get(read..).unwrap_or_default();
    }
    OsString::from_vec(name).into()
}

/// The files and devices that memory is swapped to; none if the kernel cannot swap.
pub(super) fn swaps() -> io::Result<Vec<PathBuf>> {
    let table = match fs::read("/proc/swaps") {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        table => table?,
    };
    let rows = lines(&table).skip(1);
    let names = rows.filter_map(|row| row.split(|byte| b" \t".contains(byte)).next());
    let swaps = names.filter(|name| !name.is_empty()).map(unescaped);
    Ok(swaps.collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mount_points_are_read_from_the_kernels_table() {
        let table = b"\
22 1 0:2 / / rw shared:1 - rootfs rootfs rw
23 22 0:21 / /proc rw,nosuid - proc proc rw
24 22 0:5 / /dev rw - devtmpfs devtmpfs rw
25 24 0:22 / /dev/shm rw - tmpfs tmpfs rw
26 22 254:1 / /mnt/my\\040disk rw,relatime shared:4 master:2 - ext4 /dev/vda1 rw
27 22 254:1 /a /back\\134slash rw - ext4 /dev/vda1 rw
28 22 254:1 /b /mnt/\xe9t\xe9 rw - vfat /dev/sda1 rw
29 22 254:1 /c /cut\\04 rw - vfat /dev/sda1 rw
";
        let expected: [&[u8]; 5] = [
            b"/dev/shm",
            b"/mnt/my disk",
            b"/back\\slash",
            b"/mnt/\xe9t\xe9",
            b"/cut\\04",
        ];
        let expected = expected.map(|name| PathBuf::from(OsString::from_vec(name.to_vec())));
        assert_eq!(targets(table), expected);
    }

    #[test]
    fn what_is_mounted_is_told_from_a_plain_directory() {
        assert!(is_mounted(Path::new("/proc")));
        assert!(!is_mounted(Path::new("/etc")));
        assert!(!is_mounted(Path::new("/does/not/exist")));
        assert!(!is_mounted(Path::new("/")));
    }
}
