//! The real Prometheus, its promtool and its Python client.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use super::command::{Outcome, command, run};
use super::skip;

/// Where scripts/install-prometheus put the tools.
#[derive(Clone, Debug)]
pub(crate) struct Tools {
    folder: PathBuf,
}

impl Tools {
    /// The tools, installed now if they were not; `None`, with a word on why,
    /// if that cannot be done here.
    #[track_caller]
    pub(crate) fn find() -> Option<Self> {
        static FOUND: OnceLock<Result<PathBuf, String>> = OnceLock::new();
        let found = FOUND.get_or_init(|| {
            let script = repository().join("scripts/install-prometheus");
            // With the environment as it is: it says where the cache is.
            let outcome = run(&mut Command::new(script));
            match outcome.stdout.last() {
                Some(folder) if outcome.code == 0 => Ok(PathBuf::from(folder)),
                _ => Err(outcome.to_string()),
            }
        });
        match found {
            Ok(folder) => Some(Self {
                folder: folder.clone(),
            }),
            Err(reason) => {
                skip(&format!("no Prometheus: {reason}"));
                None
            }
        }
    }

    /// The path of a program of the package `prometheus`.
    pub(crate) fn program(&self, name: &str) -> PathBuf {
        self.folder.join("usr/bin").join(name)
    }

    /// Runs promtool, with a file on its standard input if there is one.
    pub(crate) fn promtool(&self, arguments: &[&str], input: Option<&Path>) -> Outcome {
        let mut promtool = command(self.program("promtool"));
        promtool.args(arguments).current_dir(repository());
        if let Some(input) = input {
            promtool.stdin(File::open(input).unwrap());
        }
        run(&mut promtool)
    }

    /// Has the Python client read an exposition; see read_exposition.py.
    pub(crate) fn read_exposition(&self, format: &str, exposition: &Path) -> Outcome {
        let mut python = command(self.folder.join("venv/bin/python"));
        python
            .arg(repository().join("tests/support/read_exposition.py"))
            .arg(format)
            .stdin(File::open(exposition).unwrap());
        run(&mut python)
    }
}

/// The root of the repository.
pub(crate) fn repository() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}
