//! The kernel's file systems, which a machine that starts has none of, and what
//! is mounted at its end.

use std::fs;
use std::io;
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
    let table = fs::read_to_string("/proc/self/mountinfo")?;
    Ok(targets(&table))
}

/// The mount points in a `mountinfo`, see proc_pid_mountinfo(5).
fn targets(table: &str) -> Vec<PathBuf> {
    let target = |line: &str| {
        let target = unescaped(line.split(' ').nth(4)?);
        let kind = line.split(" - ").nth(1)?.split(' ').next()?;
        let is_kernels = matches!(kind, "proc" | "sysfs" | "devtmpfs" | "devpts");
        (target != Path::new("/") && !is_kernels).then_some(target)
    };
    table.lines().filter_map(target).collect()
}

/// Blanks and the like stand there as three octal digits.
fn unescaped(word: &str) -> PathBuf {
    let mut parts = word.split('\\');
    let mut text = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let code = part
            .get(..3)
            .and_then(|digits| u8::from_str_radix(digits, 8).ok());
        match code {
            Some(code) => {
                text.push(char::from(code));
                text.push_str(part.get(3..).unwrap_or_default());
            }
            None => {
                text.push('\\');
                text.push_str(part);
            }
        }
    }
    text.into()
}

/// The files and devices that memory is swapped to.
pub(super) fn swaps() -> Vec<PathBuf> {
    let table = fs::read_to_string("/proc/swaps").unwrap_or_default();
    let rows = table.lines().skip(1);
    rows.filter_map(|row| row.split_ascii_whitespace().next())
        .map(unescaped)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mount_points_are_read_from_the_kernels_table() {
        let table = "\
22 1 0:2 / / rw shared:1 - rootfs rootfs rw
23 22 0:21 / /proc rw,nosuid - proc proc rw
24 22 0:5 / /dev rw - devtmpfs devtmpfs rw
25 24 0:22 / /dev/shm rw - tmpfs tmpfs rw
26 22 254:1 / /mnt/my\\040disk rw,relatime shared:4 master:2 - ext4 /dev/vda1 rw
27 22 254:1 /a /back\\134slash rw - ext4 /dev/vda1 rw
";
        let expected = ["/dev/shm", "/mnt/my disk", "/back\\slash"];
        assert_eq!(targets(table), expected.map(PathBuf::from));
    }

    #[test]
    fn what_is_mounted_is_told_from_a_plain_directory() {
        assert!(is_mounted(Path::new("/proc")));
        assert!(!is_mounted(Path::new("/etc")));
        assert!(!is_mounted(Path::new("/does/not/exist")));
        assert!(!is_mounted(Path::new("/")));
    }
}
