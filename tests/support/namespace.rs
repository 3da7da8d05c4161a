//! PID namespaces, in which the supervisor is PID 1 as it is in a container.

use std::process::Command;
use std::sync::OnceLock;

use super::{command, is_root, run, skip};

/// What makes the following command PID 1 of a new PID namespace, with a
/// `/proc` of its own and the user's files. Dies with its starter.
pub(crate) fn arguments() -> Vec<String> {
    let user: &[&str] = if is_root() {
        &[]
    } else {
        &["--user", "--map-root-user"]
    };
    let pid = ["unshare", "--pid", "--fork", "--kill-child", "--mount-proc"];
    let words = pid.iter().chain(user).chain(&["--"]);
    words.map(ToString::to_string).collect()
}

/// Whether this machine lets us make PID namespaces. If not, says so, and fails
/// in continuous integration.
pub(crate) fn available() -> bool {
    static AVAILABLE: OnceLock<Result<(), String>> = OnceLock::new();
    let available = AVAILABLE.get_or_init(|| {
        let outcome = run(&mut inside(&["true"]));
        if outcome.code == 0 {
            Ok(())
        } else {
            Err(outcome.to_string())
        }
    });
    if let Err(reason) = available {
        skip(&format!(
            "no PID namespace can be made (root, or unprivileged user namespaces, are needed): {reason}"
        ));
    }
    available.is_ok()
}

/// A command that runs as PID 1 of a new PID namespace.
pub(crate) fn inside(words: &[&str]) -> Command {
    let unshare = arguments();
    let mut command = command::command(&unshare[0]);
    command.args(&unshare[1..]).args(words);
    command
}
