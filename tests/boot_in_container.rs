//! The duties of an init in a container, where PID 1 is no machine's, and where some
//! of them cannot be done.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test that cannot set up its world must fail loudly"
)]

mod support;

use std::io::Write as _;

use support::command::{exit_code, wait};
use support::{Temporary, jobs, namespace, run};

/// How `reboot(2)` ends a PID namespace: the starter sees PID 1 killed by SIGINT
/// or SIGHUP (pid_namespaces(7)).
#[test]
fn in_a_container_power_off_and_reboot_end_the_container() {
    if !namespace::available() {
        return;
    }
    for (flag, signal) in [("-poweroff", libc::SIGINT), ("-reboot", libc::SIGHUP)] {
        let job = r#"{ name: "app", exec: ["sh", "-c", "setsid sleep 1000 & exec sleep 1000"] }"#;
        let mut supervisor = jobs(job)
            .setting("init: { onShutdown: 'exit' }")
            .in_namespace()
            .ready();
        supervisor.client(&[flag]).success();
        assert_eq!(supervisor.wait_exit(), 128 + signal, "{flag}");
    }
}

#[test]
fn nobody_who_reads_no_console_holds_up_the_end() {
    if !namespace::available() {
        return;
    }
    let directory = Temporary::new();
    let socket = directory.join("socket");
    let config = directory.write(
        "config",
        &format!(
            "{{ control: {{ socket: {socket:?} }}, init: {{ mounts: false, onShutdown: 'poweroff' }},
                jobs: [{{ name: 'app', exec: 'true' }}] }}"
        ),
    );
    let (_never_read, mut console) = std::io::pipe().unwrap();
    // As much as a pipe takes.
    console.write_all(&[b'x'; 65536]).unwrap();
    let mut command = namespace::inside(&[support::binary().to_str().unwrap(), "-config"]);
    let mut child = command.arg(config).stderr(console).spawn().unwrap();
    let ended = wait(&mut child, support::deadline()).unwrap();
    assert_eq!(exit_code(ended), 128 + libc::SIGINT);
}

#[test]
fn what_could_not_be_done_is_told_even_if_there_is_no_start() {
    if !namespace::available() {
        return;
    }
    let directory = Temporary::new();
    let start = |socket: &str, log: &str| {
        let config = directory.write(
            "config",
            &format!(
                "{{ control: {{ socket: '{socket}' }}, logging: {{ output: '{log}' }},
                    init: {{ mounts: false, console: '/dev/nothing' }},
                    jobs: [{{ name: 'app', exec: 'true' }}] }}"
            ),
        );
        let config = config.to_str().unwrap();
        run(&mut namespace::inside(&[
            support::binary().to_str().unwrap(),
            "-config",
            config,
        ]))
    };
    let console = "cannot use /dev/nothing as the console";
    let said = |lines: &[String], words: &str| lines.iter().any(|line| line.contains(words));
    let no_log = start("/run/nothing", "/nowhere/log");
    assert!(said(&no_log.stderr, console), "{no_log}");
    assert!(said(&no_log.stderr, "cannot open log file"), "{no_log}");
    let no_socket = start("/proc/cpuinfo", "stdout");
    assert!(said(&no_socket.stdout, console), "{no_socket}");
    assert!(said(&no_socket.stderr, "is not a socket"), "{no_socket}");
}

#[test]
fn who_is_not_pid_1_does_none_of_its_duties_and_says_so() {
    let mut supervisor = jobs(r#"{ name: "app", exec: ["sleep", "1000"] }"#)
        .setting("init: { hostname: 'pump-7' }")
        .ready();
    supervisor
        .stdout
        .wait_for("init: this is not PID 1, so none of its duties is done");
    let refused = supervisor.http("POST", "/v3/poweroff", "");
    assert_eq!(refused.status, 409);
    assert_eq!(supervisor.terminate(), 0);
}
