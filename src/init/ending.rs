//! The end of a machine: nothing runs any more, everything is written, nothing
//! is mounted, and the kernel does the rest.
//!
//! There is no log any more; what there is to say goes to standard error, which
//! is the console.

use std::env;
use std::fs;
use std::io::{self, ErrorKind, Write};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use super::{Watchdog, mounts, system};
use crate::config::init::Ending;

/// The inode of the PID namespace that a kernel starts with: `PROC_PID_INIT_INO`
/// of linux/proc_ns.h.
const FIRST_NAMESPACE: u64 = 0xEFFF_FFFC;

/// How long the end waits for whoever reads the console.
const PATIENCE: Duration = Duration::from_millis(200);

/// Leaves the machine as `ending` says; every process but this one has gone.
/// Returns if that is to exit, or if the kernel does not let us: a container may
/// not be allowed to.
pub fn end(ending: Ending, mut watchdog: Option<Watchdog>) {
    let command = match ending {
        Ending::PowerOff => Some(("power off", libc::RB_POWER_OFF)),
        Ending::Reboot => Some(("reboot", libc::RB_AUTOBOOT)),
        Ending::Halt => Some(("halt", libc::RB_HALT_SYSTEM)),
        Ending::Exit => None,
    };
    if let Some((words, command)) = command {
        system::never_wait_for_stderr();
        // A container's file systems may be those of the machine below it, which
        // goes on; the kernel takes its mounts away with it.
        if is_machine() {
            unmount_all();
        }
        // A machine that is to stand still is not to be reset for that.
        if let Some(watchdog) = watchdog.take_if(|_| command == libc::RB_HALT_SYSTEM) {
            watchdog.disarm();
        }
        say(&format!("everything has ended: {words}"));
        if let Err(error) = leave(command) {
            say(&format!("cannot {words}: {error}"));
        }
    }
    // It has watched over the end itself.
    if let Some(watchdog) = watchdog {
        watchdog.disarm();
    }
}

/// Whether this is the init of a machine, not that of a container.
fn is_machine() -> bool {
    let namespace = fs::metadata("/proc/self/ns/pid").map(|about| about.ino());
    namespace.is_ok_and(|number| number == FIRST_NAMESPACE)
}

fn leave(command: system::Command) -> io::Result<()> {
    system::sync();
    system::reboot(command)?;
    // A machine that cannot be switched off at least stands still.
    system::reboot(libc::RB_HALT_SYSTEM)
}

/// Unmounts what can be unmounted, and makes the rest read-only.
fn unmount_all() {
    system::sync();
    // Nothing is to be busy because of us.
    let _stays = env::set_current_dir("/");
    match mounts::swaps() {
        Ok(swaps) => swaps.iter().for_each(|swap| {
            complain_of("stop swapping to", swap, system::stop_swapping(swap));
        }),
        Err(error) => say(&format!("cannot tell what is swapped to: {error}")),
    }
    match mounts::mounted() {
        Ok(mounted) => unmount(mounted),
        Err(error) => say(&format!("cannot tell what is mounted: {error}")),
    }
    make_read_only(Path::new("/"));
}

/// The last mounted goes first; one below another that was mounted later goes
/// when there is no other way.
fn unmount(mounted: Vec<PathBuf>) {
    let mut left = mounted;
    loop {
        let before = left.len();
        let mut busy = Vec::new();
        for target in left.into_iter().rev() {
            match system::unmount(&target) {
                Ok(()) => say(&format!("unmounted {}", target.display())),
                Err(_) => busy.push(target),
            }
        }
        busy.reverse();
        left = busy;
        if left.is_empty() || left.len() == before {
            break;
        }
    }
    for target in left.iter().rev() {
        make_read_only(target);
    }
}

fn make_read_only(target: &Path) {
    let flags = libc::MS_REMOUNT | libc::MS_RDONLY;
    let result = system::mount("", target, "", flags, "");
    complain_of("make read-only", target, result);
}

fn complain_of(what: &str, path: &Path, result: io::Result<()>) {
    if let Err(error) = result {
        say(&format!("cannot {what} {}: {error}", path.display()));
    }
}

/// Says it on the console. Who does not read that, as behind a Ctrl-S, holds up the
/// end once, for [`PATIENCE`], and then not any more.
fn say(text: &str) {
    static IS_READ: AtomicBool = AtomicBool::new(true);
    let line = format!("init: {text}\n");
    let mut rest = line.as_bytes();
    while !rest.is_empty() {
        match io::stderr().write(rest) {
            Ok(written @ 1..) => rest = rest.get(written..).unwrap_or_default(),
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error)
                if error.kind() == ErrorKind::WouldBlock && IS_READ.load(Ordering::Relaxed) =>
            {
                let has_room = system::wait_for_stderr(PATIENCE);
                IS_READ.store(has_room, Ordering::Relaxed);
            }
            // Nobody is left to be told.
            Ok(_) | Err(_) => return,
        }
    }
}
