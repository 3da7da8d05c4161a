//! Small native programs for what a shell cannot do fast or exactly enough.
//!
//! Compiled once per content with the toolchain that runs the tests, and linked
//! statically, so that they start quickly and run in an empty root directory.

use std::collections::hash_map::DefaultHasher;
use std::env;
use std::fs;
use std::hash::{Hash as _, Hasher as _};
use std::path::{Path, PathBuf};
use std::process::Command;

use super::programs::install;
use super::run;
use super::temporary::Temporary;

/// The path of the compiled probe `tests/support/probes/NAME.rs`.
pub(crate) fn probe(name: &str) -> PathBuf {
    let source =
        Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/support/probes/{name}.rs"));
    let mut hasher = DefaultHasher::new();
    fs::read(&source).unwrap().hash(&mut hasher);
    let target = PathBuf::from(env!("CARGO_TARGET_TMPDIR"));
    let program = target.join(format!("{name}-{:016x}", hasher.finish()));
    if !program.exists() {
        compile(&source, &program);
    }
    program
}

/// Compiles in a directory of its own first: whoever else compiles the same probe
/// at this moment must neither run half of it nor share the compiler's files.
fn compile(source: &Path, program: &Path) {
    let directory = Temporary::new();
    let unfinished = directory.join("probe");
    fs::create_dir_all(program.parent().unwrap()).unwrap();
    let rustc = env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let mut command = Command::new(rustc);
    command
        .args([
            "--edition",
            "2024",
            "-O",
            "-C",
            "target-feature=+crt-static",
            "-o",
        ])
        .arg(&unfinished)
        .arg(source);
    let outcome = run(&mut command);
    assert_eq!(
        outcome.code,
        0,
        "cannot compile {}: {outcome}",
        source.display()
    );
    // A rename, also across file systems, so that the program appears whole.
    let here = program.with_extension(format!(
        "{}-{:?}",
        std::process::id(),
        std::thread::current().id()
    ));
    install(&unfinished, &here);
    fs::rename(&here, program).unwrap();
}
