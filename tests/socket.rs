//! The control socket's file while the supervisor runs: deleted, moved, replaced,
//! its directory gone. It comes back, or the log says why not.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test that cannot set up its world must fail loudly"
)]

mod support;

use std::fs;
use std::io::{Read as _, Write as _};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::thread;
use std::time::Instant;

use support::http::connect;
use support::{Supervisor, deadline, jobs, processes, streams};

const JOB: &str = r#"{ name: "app", exec: ["sleep", "1000"] }"#;

/// What the log says when the socket was gone and is there again.
const BACK: &str = "was gone; it is there again";

/// Its socket has a mode and a directory of its own.
fn ready() -> Supervisor {
    jobs(JOB)
        .setting("control: { socket: '@DIR@/run/socket', mode: '0640' }")
        .socket("run/socket")
        .ready()
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

#[track_caller]
fn assert_is_there(supervisor: &Supervisor) {
    assert_eq!(supervisor.http("GET", "/v3/ping", "").body, "ok");
    assert_eq!(mode(supervisor.socket()), 0o640);
}

#[test]
fn a_deleted_socket_comes_back_by_itself_with_its_mode() {
    let mut supervisor = ready();
    for _ in 0..3 {
        fs::remove_file(supervisor.socket()).unwrap();
        supervisor.stdout.wait_for(BACK);
        assert_is_there(&supervisor);
    }
    assert_eq!(supervisor.terminate(), 0);
    assert!(!supervisor.socket().exists());
}

#[test]
fn a_socket_that_was_moved_comes_back_and_so_does_its_directory() {
    let mut supervisor = ready();
    let socket = supervisor.socket().to_owned();
    fs::rename(&socket, supervisor.directory().join("moved")).unwrap();
    supervisor.stdout.wait_for(BACK);
    assert_is_there(&supervisor);
    // The directory goes with it, or, if the socket has come back in between, stays.
    let run = socket.parent().unwrap();
    for _ in 0..20 {
        let _has_come_back = fs::remove_dir_all(run);
        supervisor.wait_until_ready();
    }
    assert_eq!(supervisor.terminate(), 0);
}

/// A connection that has had an answer and may ask again, for half a minute.
fn kept_connection(supervisor: &Supervisor) -> UnixStream {
    let mut stream = connect(supervisor.socket());
    let ping = b"GET /v3/ping HTTP/1.1\r\nHost: test\r\n\r\n";
    stream.write_all(ping).unwrap();
    let mut answer = Vec::new();
    while !answer.ends_with(b"\r\n\r\nok") {
        let mut byte = [0];
        stream.read_exact(&mut byte).unwrap();
        answer.extend(byte);
    }
    stream
}

/// The last request on a connection.
#[track_caller]
fn post(mut stream: UnixStream, path: &str) {
    let request = format!(
        "POST {path} HTTP/1.1\r\nHost: test\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"
    );
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
}

#[test]
fn whoever_is_connected_when_the_socket_goes_stays_so() {
    let mut supervisor = ready();
    let mut events = streams::follow(supervisor.socket(), "/v3/events");
    let kept = kept_connection(&supervisor);
    fs::remove_file(supervisor.socket()).unwrap();
    supervisor.stdout.wait_for(BACK);
    post(kept, "/v3/maintenance/enable");
    events.wait_for("enterMaintenance");
    assert_eq!(supervisor.terminate(), 0);
}

#[test]
fn what_another_puts_there_is_left_alone_until_it_goes() {
    let mut supervisor = ready();
    let socket = supervisor.socket().to_owned();
    // In the place of ours in one step: it is never empty.
    let other = supervisor.directory().join("other");
    let listener = UnixListener::bind(&other).unwrap();
    fs::rename(&other, &socket).unwrap();
    let theirs = fs::symlink_metadata(&socket).unwrap().ino();
    supervisor
        .stdout
        .wait_for("another file is in its place; remove that, or send SIGUSR1");
    // Asked, it takes no socket that somebody listens on.
    supervisor.signal(libc::SIGUSR1);
    supervisor
        .stdout
        .wait_for("another containerpilot is listening on");
    assert_eq!(fs::symlink_metadata(&socket).unwrap().ino(), theirs);
    fs::remove_file(&socket).unwrap();
    supervisor.stdout.wait_for(BACK);
    assert_is_there(&supervisor);
    drop(listener);
    assert_eq!(supervisor.terminate(), 0);
}

#[test]
fn sigusr1_takes_the_place_of_a_socket_that_nobody_listens_on_and_of_nothing_else() {
    let mut supervisor = ready();
    let socket = supervisor.socket().to_owned();
    let other = supervisor.directory().join("other");
    fs::write(&other, "precious").unwrap();
    fs::rename(&other, &socket).unwrap();
    supervisor.stdout.wait_for("another file is in its place");
    supervisor.signal(libc::SIGUSR1);
    supervisor
        .stdout
        .wait_for("there is a file that is not a socket");
    assert_eq!(fs::read(&socket).unwrap(), b"precious");
    drop(UnixListener::bind(&other).unwrap());
    fs::rename(&other, &socket).unwrap();
    supervisor.stdout.wait_for("another file is in its place");
    supervisor.signal(libc::SIGUSR1);
    supervisor.stdout.wait_for(BACK);
    assert_is_there(&supervisor);
    assert_eq!(supervisor.terminate(), 0);
}

#[test]
fn a_socket_that_is_deleted_hundreds_of_times_leaves_nothing_behind() {
    let mut supervisor = ready();
    let pid = supervisor.pid();
    let lose = |times: usize| {
        for _ in 0..times {
            fs::remove_file(supervisor.socket()).unwrap();
            supervisor.stdout.wait_for(BACK);
        }
        assert_is_there(&supervisor);
    };
    lose(1);
    // All that is there is used by then; a thread may still be about to end.
    let before = processes::open_files(pid);
    lose(500);
    let deadline = deadline();
    while processes::open_files(pid) > before || processes::status_field(pid, "Threads") > 16 {
        assert!(Instant::now() < deadline, "{}", processes::open_files(pid));
        thread::yield_now();
    }
    assert_eq!(supervisor.terminate(), 0);
}

#[test]
fn a_reload_gives_a_socket_that_is_not_there_its_new_mode_when_it_comes_back() {
    let mut supervisor = ready();
    let socket = supervisor.socket().to_owned();
    let kept = kept_connection(&supervisor);
    let other = supervisor.directory().join("other");
    fs::write(&other, "").unwrap();
    fs::rename(&other, &socket).unwrap();
    supervisor.stdout.wait_for("another file is in its place");
    supervisor.change_config("0640", "0660");
    post(kept, "/v3/reload");
    assert_ne!(mode(&socket), 0o660, "it is not ours");
    fs::remove_file(&socket).unwrap();
    supervisor.stdout.wait_for(BACK);
    assert_eq!(mode(&socket), 0o660);
    assert_eq!(supervisor.terminate(), 0);
}

#[test]
fn what_is_not_ours_stays_there_at_the_end() {
    let mut supervisor = ready();
    let socket = supervisor.socket().to_owned();
    let other = supervisor.directory().join("other");
    let _theirs = UnixListener::bind(&other).unwrap();
    fs::rename(&other, &socket).unwrap();
    supervisor.stdout.wait_for("another file is in its place");
    supervisor.signal(libc::SIGTERM);
    assert_eq!(supervisor.wait_exit(), 0);
    assert!(socket.exists());
}

#[test]
fn a_fifo_where_its_directory_was_keeps_nobody_waiting() {
    let mut supervisor = ready();
    let run = supervisor.socket().parent().unwrap().to_owned();
    fs::rename(&run, supervisor.directory().join("moved")).unwrap();
    supervisor.directory().fifo("run");
    supervisor.signal(libc::SIGUSR1);
    supervisor
        .stdout
        .wait_for("cannot create the control socket's directory");
    supervisor.signal(libc::SIGTERM);
    assert_eq!(supervisor.wait_exit(), 0);
}
