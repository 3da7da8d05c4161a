//! Programs that need nothing but a kernel: what images are made of.

use std::fs;
use std::path::{Path, PathBuf};

use super::command::command;
use super::{binary, run, skip};

/// Copies a program that is going to be executed. By another process: one that a
/// thread of this one starts meanwhile would hold the new file open for writing,
/// and such a file cannot be executed (ETXTBSY, execve(2)).
#[track_caller]
pub(crate) fn install(program: &Path, to: &Path) {
    let outcome = run(command("install").args(["-m", "755"]).arg(program).arg(to));
    assert_eq!(outcome.code, 0, "{outcome}");
}

/// The release, or a word about where to get one.
pub(crate) fn static_release() -> Option<PathBuf> {
    let released = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/target/release-artefacts/containerpilot-",
        env!("CARGO_PKG_VERSION"),
        "-x86_64-linux"
    );
    let found = [binary(), released.into()]
        .into_iter()
        .find(|path| is_static(path));
    if found.is_none() {
        skip("there is no static binary: run scripts/release first");
    }
    found
}

/// The system's static busybox, or a word about how to get one.
pub(crate) fn static_busybox() -> Option<PathBuf> {
    let found = ["/bin/busybox", "/usr/bin/busybox"].map(PathBuf::from);
    let found = found.into_iter().find(|path| is_static(path));
    if found.is_none() {
        skip("there is no static busybox: install busybox-static");
    }
    found
}

/// Whether a program exists and needs no loader: the path of one would stand
/// near the beginning of the file.
fn is_static(path: &Path) -> bool {
    let Ok(bytes) = fs::read(path) else {
        return false;
    };
    let head = &bytes[..bytes.len().min(4096)];
    !head.windows(4).any(|part| part == b"/ld-")
}
