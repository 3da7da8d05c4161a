//! Descriptors that whoever started the supervisor left open, or did not.

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

/// Opens what there is for standard streams that are closed, as they are for an init
/// without a console: `/dev/null`, or where that is not there either, a directory,
/// which nothing can be read from or written to. Nothing else that is opened then gets
/// their numbers.
pub extern "C" fn fill_standard_streams() {
    for fd in 0..FIRST.cast_signed() {
        // SAFETY: F_GETFD takes nothing; a closed descriptor is refused.
        let is_open = unsafe { libc::fcntl(fd, libc::F_GETFD) } >= 0;
        // The lowest number that is free is this one.
        // SAFETY: the path is a string that ends with a NUL.
        if !is_open && unsafe { libc::open(c"/dev/null".as_ptr(), libc::O_RDWR) } < 0 {
            // SAFETY: as above.
            unsafe { libc::open(c"/".as_ptr(), libc::O_RDONLY) };
        }
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
