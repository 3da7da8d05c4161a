//! Descriptors that whoever started the supervisor left open.

use std::fs;

/// The first descriptor that is not stdin, stdout or stderr.
const FIRST: libc::c_uint = 3;

/// Keeps inherited descriptors out of children, which must get none but their
/// stdin, stdout and stderr (SPEC §5). Those that the supervisor opens itself
/// are closed on exec anyway.
pub fn close_on_exec() {
    // SAFETY: close_range(2) takes no pointers; this flag closes nothing now.
    let result = unsafe {
        libc::syscall(
            libc::SYS_close_range,
            FIRST,
            libc::c_uint::MAX,
            libc::CLOSE_RANGE_CLOEXEC,
        )
    };
    if result != 0 {
        mark_one_by_one();
    }
}

/// For kernels before 5.11.
fn mark_one_by_one() {
    let Ok(entries) = fs::read_dir("/proc/self/fd") else {
        return;
    };
    for entry in entries.flatten() {
        let Some(fd) = entry
            .file_name()
            .to_str()
            .and_then(|name| name.parse().ok())
        else {
            continue;
        };
        if fd >= FIRST.cast_signed() {
            // SAFETY: F_SETFD takes an integer; a closed descriptor is refused.
            unsafe { libc::fcntl(fd, libc::F_SETFD, libc::FD_CLOEXEC) };
        }
    }
}
