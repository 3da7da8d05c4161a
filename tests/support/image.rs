//! Root directories as images have them, and what runs in them as PID 1 of PID and
//! mount namespaces of its own.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Command;

use super::command::command;
use super::{Outcome, Temporary, is_root, namespace, programs, run};

/// The files of the image cannot be changed; what is mounted before on `$0/…` can.
pub(crate) const READ_ONLY: &str = "mount -o remount,ro,bind \"$0\"";
/// The root directory is a mount, which [`READ_ONLY`] needs.
pub(crate) const OF_ITS_OWN: &str = "mount --bind \"$0\" \"$0\"; cd \"$0\"";

/// A root directory.
pub(crate) struct Image {
    pub(crate) root: Temporary,
}

impl Image {
    /// One of busybox with this configuration; `None` if this machine cannot run it.
    pub(crate) fn new(configuration: &str) -> Option<Self> {
        let busybox = programs::static_busybox()?;
        let image = Self::from_scratch(configuration)?;
        let bin = image.root.join("bin");
        programs::install(&busybox, &bin.join("busybox"));
        for applet in run(command(busybox).arg("--list")).success() {
            if applet != "busybox" {
                symlink("busybox", bin.join(applet)).unwrap();
            }
        }
        Some(image)
    }

    /// One of nothing but the binary and this configuration.
    pub(crate) fn from_scratch(configuration: &str) -> Option<Self> {
        let binary = programs::static_release()?;
        if !namespace::available() {
            return None;
        }
        let root = Temporary::new();
        for directory in ["bin", "etc", "run"] {
            fs::create_dir(root.join(directory)).unwrap();
        }
        programs::install(&binary, &root.join("bin/containerpilot"));
        root.write("etc/containerpilot.json5", configuration);
        Some(Self { root })
    }

    /// With one more file.
    pub(crate) fn file(self, name: &str, text: &str) -> Self {
        self.root.write(name, text);
        self
    }

    /// With one more program.
    pub(crate) fn program(self, name: &str, from: &Path) -> Self {
        programs::install(from, &self.root.join(name));
        self
    }

    /// A program as PID 1. Before, a shell outside does `preparation`, in whose words
    /// `$0` is the root directory; `options` are those of chroot(1).
    pub(crate) fn command(&self, preparation: &str, options: &str, words: &[&str]) -> Command {
        let mut command = command("unshare");
        command.args(["--pid", "--mount", "--fork", "--kill-child"]);
        if !is_root() {
            command.args(["--user", "--map-root-user"]);
        }
        let script = format!("set -e; {preparation}\nexec chroot {options} \"$0\" \"$@\"");
        command
            .args(["--", "sh", "-c", &script])
            .arg(self.root.path())
            .args(words);
        command
    }

    /// The supervisor as PID 1.
    pub(crate) fn supervisor(&self, preparation: &str, options: &str) -> Command {
        let mut command = self.command(preparation, options, &["containerpilot"]);
        command.env("CONTAINERPILOT", "/etc/containerpilot.json5");
        command
    }

    /// What becomes of the supervisor and its jobs.
    #[track_caller]
    pub(crate) fn run(&self, preparation: &str, options: &str) -> Outcome {
        run(&mut self.supervisor(preparation, options))
    }
}

/// What jobs wrote in raw mode: the supervisor's own lines begin with the time.
pub(crate) fn said(outcome: &Outcome) -> Vec<&str> {
    let is_own = |line: &&str| line.starts_with("20");
    let lines = outcome.stdout.iter().map(String::as_str);
    lines.filter(|line| !is_own(line)).collect()
}
