//! Makes the sources of the program that are to be modelled ready for it: what
//! they use of the standard library to synchronise, to wait and to tell the time
//! comes from this package instead, and large limits become small ones, so that
//! they are reached. Nothing else is changed, and tests are left out.

use std::path::{Path, PathBuf};
use std::{env, fs};

/// What is replaced in a source: every piece must be there.
type Changes = &'static [(&'static str, &'static str)];

const SOURCES: [(&str, Changes); 7] = [
    ("ring.rs", &[]),
    ("sorted.rs", &[]),
    (
        "handoff.rs",
        &[
            ("std::sync::", "crate::sync::"),
            ("std::time::", "crate::time::"),
        ],
    ),
    (
        "feed.rs",
        &[
            ("std::sync::", "crate::sync::"),
            (
                "pub(crate) const fn new(limits: Limits) -> Self {\n        Self {\n            state: Mutex",
                "pub(crate) fn new(limits: Limits) -> Self {\n        Self {\n            state: Mutex",
            ),
        ],
    ),
    (
        "logging/queue.rs",
        &[
            ("std::sync::", "crate::sync::"),
            ("std::time::", "crate::time::"),
            (
                "const CHILDREN: usize = 128 << 10;",
                "const CHILDREN: usize = 2;",
            ),
            ("const FULL: usize = 320 << 10;", "const FULL: usize = 3;"),
        ],
    ),
    (
        "process/workers.rs",
        &[
            ("std::sync::", "crate::sync::"),
            ("std::time::", "crate::time::"),
            ("use std::thread;", "use crate::thread;"),
        ],
    ),
    (
        "process/children.rs",
        &[
            (
                "use std::io;",
                "use super::kernel::{is_child, leads_its_group, libc, look_at_all, peek_one, release};\nuse std::io;",
            ),
            ("peek(libc::P_ALL, 0)", "look_at_all()"),
        ],
    ),
];

fn main() {
    let root = Path::new(&env::var_os("CARGO_MANIFEST_DIR").unwrap()).join("../../src");
    let out = PathBuf::from(env::var_os("OUT_DIR").unwrap());
    for (name, changes) in SOURCES {
        let path = root.join(name);
        println!("cargo::rerun-if-changed={}", path.display());
        let source = fs::read_to_string(&path).unwrap();
        let (mut code, _tests) = source.split_once("#[cfg(test)]\nmod tests").unwrap();
        if name == "process/children.rs" {
            // The rest asks the kernel.
            code = code
                .split_once("/// Sends `signal` to the process group")
                .unwrap()
                .0;
        }
        let mut code = code.replace("//!", "//");
        for (from, to) in changes {
            assert!(code.contains(from), "{name} has no {from:?} any more");
            code = code.replace(from, to);
        }
        fs::write(out.join(name.replace('/', "_")), code).unwrap();
    }
}
