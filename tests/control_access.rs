//! Who may connect to the control socket, seen from outside: mode, owner and
//! group of its file, from the start and after a reload.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test that cannot set up its world must fail loudly"
)]

mod support;

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use support::command::command;
use support::{Outcome, Supervisor, binary, is_root, jobs, programs, run, skip};

const JOB: &str = r#"{ name: "app", exec: ["sleep", "1000"] }"#;

/// The mode, the owner and the group of a file.
fn access(path: &Path) -> (u32, u32, u32) {
    let file = fs::metadata(path).unwrap();
    (file.mode() & 0o7777, file.uid(), file.gid())
}

/// What a ping by this user and group comes to.
fn ping_as(supervisor: &Supervisor, user: u32, group: u32) -> Outcome {
    // Others may not look into the directory where the binary was built.
    let program = supervisor.directory().join("client");
    if !program.exists() {
        programs::install(&binary(), &program);
    }
    run(command("setpriv")
        .arg(format!("--reuid={user}"))
        .arg(format!("--regid={group}"))
        .arg("--clear-groups")
        .arg(&program)
        .arg("-ping")
        .arg("-socket")
        .arg(supervisor.socket()))
}

#[test]
fn the_mode_is_that_of_the_configuration_whatever_the_umask() {
    for umask in ["000", "077", "777"] {
        let mut supervisor = jobs(JOB)
            .setting("control: { socket: '@DIR@/socket', mode: '0640' }")
            .through(&["sh", "-c", &format!("umask {umask}; exec \"$@\""), "sh"])
            .start();
        supervisor.stdout.wait_for("control plane listens");
        assert_eq!(access(supervisor.socket()).0, 0o640, "{umask}");
        assert_eq!(supervisor.terminate(), 0);
    }
}

#[test]
fn those_may_connect_whom_the_configuration_names_and_a_reload_names_others() {
    if !is_root() {
        return skip("only root can give a socket away");
    }
    let mut supervisor = jobs(JOB)
        .setting("control: { socket: '@DIR@/socket', mode: '0660', group: 4711 }")
        .ready();
    let before = fs::metadata(supervisor.socket()).unwrap().ino();
    assert_eq!(access(supervisor.socket()), (0o660, 0, 4711));
    assert_eq!(ping_as(&supervisor, 65534, 4711).success(), ["ok"]);
    let outcome = ping_as(&supervisor, 65534, 4712);
    assert_eq!(outcome.code, 1, "{outcome}");
    let socket = supervisor.socket();
    assert_eq!(
        outcome.error_line(),
        format!(
            "-ping: cannot reach the control socket {socket:?}: permission denied; \
             be its owner, or let others connect with control.mode, control.owner and control.group"
        )
    );
    // Root asks all the while, and is always answered.
    let is_over = AtomicBool::new(false);
    thread::scope(|scope| {
        let asking = scope.spawn(|| {
            while !is_over.load(Ordering::Relaxed) {
                assert_eq!(supervisor.http("GET", "/v3/ping", "").body, "ok");
            }
        });
        supervisor.change_config("mode: '0660', group: 4711", "owner: 4713, mode: 606");
        let outcome = supervisor.client(&["-reload", "-v"]);
        assert!(
            outcome
                .success()
                .contains(&"update control: mode, owner, group".to_owned()),
        );
        is_over.store(true, Ordering::Relaxed);
        asking.join().unwrap();
    });
    assert_eq!(access(supervisor.socket()), (0o606, 4713, 0));
    assert_eq!(fs::metadata(supervisor.socket()).unwrap().ino(), before);
    assert_eq!(ping_as(&supervisor, 4713, 4713).success(), ["ok"]);
    supervisor.change_config("owner: 4713, mode: 606", "mode: '0600'");
    assert_eq!(supervisor.client(&["-reload"]).code, 0);
    assert_eq!(access(supervisor.socket()), (0o600, 0, 0));
    assert_eq!(supervisor.terminate(), 0);
}

#[test]
fn what_cannot_be_given_away_is_an_error_that_leaves_nothing_behind() {
    let mut supervisor = jobs(JOB)
        .setting("control: { socket: '@DIR@/socket', owner: 4711 }")
        .unprivileged()
        .start();
    assert_eq!(supervisor.wait_exit(), 1);
    let line = supervisor.stderr.wait_for("cannot give the control socket");
    assert!(line.contains("to user 4711 and group "), "{line}");
    assert!(line.contains("; only root can give it away"), "{line}");
    assert!(!supervisor.socket().exists());
}

#[test]
fn a_reload_that_names_nobody_known_is_refused_and_changes_nothing() {
    let mut supervisor = jobs(JOB)
        .setting("control: { socket: '@DIR@/socket', mode: '0600' }")
        .ready();
    supervisor.change_config("mode: '0600'", "mode: '0660', group: 'no such group'");
    let outcome = supervisor.client(&["-reload"]);
    assert_eq!(outcome.code, 1, "{outcome}");
    let text = outcome.to_string();
    assert!(
        text.contains("control.group") && text.contains("no such group"),
        "{text}"
    );
    assert_eq!(access(supervisor.socket()).0, 0o600);
    assert_eq!(supervisor.terminate(), 0);
}
