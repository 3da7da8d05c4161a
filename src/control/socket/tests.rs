//! The life of the socket's file, with rivals.

#![allow(clippy::unwrap_used)]

use std::os::unix::net::UnixDatagram;
use std::sync::Barrier;

use super::*;

/// A directory of its own for one test.
struct Scratch(PathBuf);

impl Scratch {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("cp-socket-{}-{name}", std::process::id()));
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    fn path(&self) -> PathBuf {
        self.0.join("s")
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _best_effort = fs::remove_dir_all(&self.0);
    }
}

/// The error of an attempt to listen, with the path replaced by `PATH`.
fn error(path: &Path) -> String {
    let error = SocketFile::listen(&ControlSpec::at(path))
        .unwrap_err()
        .to_string();
    error
        .replace(&format!("{path:?}"), "PATH")
        .replace(&path.display().to_string(), "PATH")
}

#[test]
fn the_directory_is_made_and_the_mode_is_private() {
    let dir = Scratch::new("made");
    let path = dir.0.join("a/b/c/s");
    let (file, _listener) = SocketFile::listen(&ControlSpec::at(&path)).unwrap();
    assert_eq!(fs::metadata(&path).unwrap().mode() & 0o777, 0o600);
    drop(file);
    assert!(!path.exists());
}

#[test]
fn a_stale_socket_is_replaced_and_a_live_one_is_not() {
    let dir = Scratch::new("stale");
    let path = dir.path();
    drop(UnixListener::bind(&path).unwrap());
    let (_file, _listener) = SocketFile::listen(&ControlSpec::at(&path)).unwrap();
    let there = || identity(&fs::symlink_metadata(&path).unwrap());
    let before = there();
    assert_eq!(error(&path), "another containerpilot is listening on PATH");
    assert_eq!(there(), before);
}

#[test]
fn a_live_socket_too_busy_to_accept_is_not_stolen() {
    let dir = Scratch::new("busy");
    let path = dir.path();
    let listener = UnixListener::bind(&path).unwrap();
    // SAFETY: a call without pointers on a descriptor that is open.
    assert_eq!(unsafe { libc::listen(listener.as_raw_fd(), 0) }, 0);
    let _fills_the_backlog = unix_socket::connect(&path, PROBE_PATIENCE).unwrap();
    assert_eq!(error(&path), "another containerpilot is listening on PATH");
}

#[test]
fn what_is_no_socket_is_left_alone() {
    let dir = Scratch::new("other");
    let path = dir.path();
    let not = "cannot listen on PATH: there is a file that is not a socket; remove it or set another control.socket";
    fs::write(&path, "precious").unwrap();
    assert_eq!(error(&path), not);
    assert_eq!(fs::read(&path).unwrap(), b"precious");
    fs::remove_file(&path).unwrap();
    std::os::unix::fs::symlink(dir.0.join("elsewhere"), &path).unwrap();
    assert_eq!(error(&path), not);
    fs::remove_file(&path).unwrap();
    fs::create_dir(&path).unwrap();
    assert_eq!(error(&path), not);
    fs::remove_dir(&path).unwrap();
    let _datagram = UnixDatagram::bind(&path).unwrap();
    assert!(
        error(&path).starts_with("cannot listen on PATH: Protocol wrong type for socket"),
        "{}",
        error(&path)
    );
}

#[test]
fn paths_that_cannot_be_listened_on_say_why() {
    let dir = Scratch::new("paths");
    let long = dir.0.join("x".repeat(200));
    let bytes = long.as_os_str().len();
    assert_eq!(
        error(&long),
        format!(
            "cannot listen on PATH: the path has {bytes} bytes, a socket's may have 107 at most; set a shorter control.socket"
        )
    );
    fs::write(dir.0.join("file"), "").unwrap();
    let below = dir.0.join("file/s");
    let parent = dir.0.join("file");
    assert!(
        error(&below).starts_with(&format!(
            "cannot create the control socket's directory {parent:?}: "
        )),
        "{}",
        error(&below)
    );
}

#[test]
fn only_our_own_file_is_removed() {
    let dir = Scratch::new("ours");
    let path = dir.path();
    let (file, _old) = SocketFile::listen(&ControlSpec::at(&path)).unwrap();
    fs::remove_file(&path).unwrap();
    let (_successor, _new) = SocketFile::listen(&ControlSpec::at(&path)).unwrap();
    drop(file);
    unix_socket::connect(&path, PROBE_PATIENCE).unwrap();

    let (file, _listener) = SocketFile::listen(&ControlSpec::at(dir.0.join("gone"))).unwrap();
    fs::remove_file(dir.0.join("gone")).unwrap();
    drop(file);
}

#[test]
fn of_many_that_start_at_once_over_a_stale_socket_one_wins() {
    let dir = Scratch::new("race");
    let path = dir.path();
    for round in 0..50 {
        drop(UnixListener::bind(&path).unwrap());
        let barrier = Barrier::new(8);
        let attempt = || {
            barrier.wait();
            SocketFile::listen(&ControlSpec::at(&path))
        };
        let results: Vec<_> = thread::scope(|scope| {
            let threads: Vec<_> = (0..8).map(|_| scope.spawn(attempt)).collect();
            threads
                .into_iter()
                .map(|thread| thread.join().unwrap())
                .collect()
        });
        let winners = results.iter().filter(|result| result.is_ok()).count();
        assert_eq!(winners, 1, "round {round}");
        assert!(
            results
                .iter()
                .flat_map(|result| result.as_ref().err())
                .all(|error| matches!(error, Error::Taken(_)))
        );
        unix_socket::connect(&path, PROBE_PATIENCE).unwrap();
        drop(results);
        assert!(!path.exists());
    }
}

#[test]
fn a_strangers_lock_delays_the_start_but_does_not_prevent_it() {
    let dir = Scratch::new("stranger");
    let stranger = File::open(&dir.0).unwrap();
    flock(&stranger, libc::LOCK_EX).unwrap();
    let (file, _listener) = SocketFile::listen(&ControlSpec::at(dir.path())).unwrap();
    // Nor the end.
    drop(file);
    assert!(!dir.path().exists());
    drop(stranger);
}

#[test]
fn what_is_no_directory_any_more_keeps_nobody_waiting() {
    let dir = Scratch::new("fifo");
    let fifo = dir.0.join("d");
    let made = std::process::Command::new("mkfifo").arg(&fifo).status();
    assert!(made.unwrap().success());
    assert!(lock(&fifo, PROBE_PATIENCE).is_none());
    let error = super::super::notice::Notice::of(&fifo.join("s")).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotADirectory);
}
