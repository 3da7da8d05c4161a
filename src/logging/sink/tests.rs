//! Destinations that are full, gone, slow or rotated.
#![allow(clippy::unwrap_used)]

use std::fs;
use std::io::Read;
use std::os::fd::OwnedFd;
use std::path::Path;

use super::*;

fn file(path: &str) -> LogOutput {
    LogOutput::File(path.into())
}

fn over(file: impl Into<OwnedFd>) -> Sink {
    Sink {
        output: LogOutput::Stdout,
        file: File::from(file.into()),
        torn: false,
        loss: None,
        rotation: None,
        growth: Growth::default(),
    }
}

#[test]
fn a_file_that_cannot_be_opened_is_named_with_the_reason() {
    let error = Sink::open(&file("/proc/no/such/log"), None).unwrap_err();
    assert_eq!(
        error.to_string(),
        "cannot open log file \"/proc/no/such/log\": No such file or directory (os error 2)"
    );
}

#[test]
fn a_full_disk_costs_the_lines_of_the_batch_and_is_told_once_it_works_again() {
    let mut sink = Sink::open(&file("/dev/full"), None).unwrap();
    assert_eq!(sink.write(b"one\ntwo\n"), 2);
    assert_eq!(sink.write(b"three\n"), 1);
    sink.redirect(&file("/dev/null"), None).unwrap();
    assert_eq!(sink.write(b"four\n"), 0);
    assert_eq!(
        sink.recovered().unwrap().to_string(),
        "lost 3 lines of the log: cannot write to log file \"/dev/full\": No space left on device (os error 28)"
    );
    assert!(sink.recovered().is_none());
}

#[test]
fn what_was_lost_is_not_forgotten_if_telling_it_fails_too() {
    let mut sink = Sink::open(&file("/dev/full"), None).unwrap();
    sink.write(b"one\ntwo\n");
    let loss = sink.recovered().unwrap();
    sink.write(b"lost 2 lines\n");
    sink.remember(loss);
    sink.write(b"three\n");
    let told = sink.recovered().unwrap().to_string();
    assert!(told.starts_with("lost 3 lines of the log: "), "{told}");
}

#[test]
fn a_reader_that_went_away_costs_lines_and_nothing_else() {
    let (reader, writer) = io::pipe().unwrap();
    let mut sink = over(writer);
    drop(reader);
    assert_eq!(sink.write(b"one\n"), 1);
    assert_eq!(sink.write(b"two\nthree\n"), 2);
    assert_eq!(
        sink.recovered().unwrap().to_string(),
        "lost 3 lines of the log: cannot write to standard output: Broken pipe (os error 32)"
    );
}

#[test]
fn a_line_that_a_failure_cut_is_ended_before_the_next() {
    let (mut reader, writer) = io::pipe().unwrap();
    let mut sink = over(writer);
    sink.torn = true;
    assert_eq!(sink.write(b"next\n"), 0);
    drop(sink);
    let mut text = String::new();
    reader.read_to_string(&mut text).unwrap();
    assert_eq!(text, "\nnext\n");
}

#[test]
fn a_line_that_was_cut_is_ended_in_its_own_file_and_not_in_the_next() {
    let directory = crate::logging::tests::Directory::new("cut");
    let path = directory.join("log");
    let mut sink = Sink::open(&LogOutput::File(path.clone()), None).unwrap();
    for (is_moved, expected) in [(false, "cu\nnext\n"), (true, "next\n")] {
        fs::write(&path, "cu").unwrap();
        sink.torn = true;
        if is_moved {
            fs::rename(&path, directory.join("old")).unwrap();
        }
        sink.reopen().unwrap();
        assert_eq!(sink.write(b"next\n"), 0);
        assert_eq!(fs::read_to_string(&path).unwrap(), expected);
    }
}

#[test]
fn a_destination_that_others_made_non_blocking_loses_nothing() {
    let (mut reader, writer) = io::pipe().unwrap();
    // SAFETY: plain fcntl on a descriptor that lives in `writer`.
    let result = unsafe { libc::fcntl(writer.as_raw_fd(), libc::F_SETFL, libc::O_NONBLOCK) };
    assert_eq!(result, 0);
    let lines = b"0123456\n".repeat(100_000);
    let expected = lines.clone();
    let writing = std::thread::spawn(move || over(writer).write(&lines));
    let mut received = Vec::new();
    reader.read_to_end(&mut received).unwrap();
    assert_eq!(writing.join().unwrap(), 0);
    assert!(received == expected);
}

#[test]
fn a_fifo_without_a_reader_is_an_error_and_no_hang() {
    let directory = crate::logging::tests::Directory::new("fifo");
    let path = directory.join("log");
    let name = std::ffi::CString::new(path.to_str().unwrap()).unwrap();
    // SAFETY: `name` is a string with its NUL.
    assert_eq!(unsafe { libc::mkfifo(name.as_ptr(), 0o600) }, 0);
    let error = Sink::open(&LogOutput::File(path), None)
        .unwrap_err()
        .to_string();
    assert!(error.ends_with("nobody reads from it"), "{error}");
}

#[test]
fn the_standard_streams_are_never_opened_again() {
    let mut sink = Sink::open(&LogOutput::Stderr, None).unwrap();
    let before = sink.file.as_raw_fd();
    sink.reopen().unwrap();
    sink.redirect(&LogOutput::Stderr, None).unwrap();
    assert_eq!(sink.file.as_raw_fd(), before);
    assert!(Path::new("/proc/self/fd").join(before.to_string()).exists());
}

/// A file that is rotated at this size, and two old ones kept.
fn rotating(path: &Path, max_size: u64) -> Sink {
    let rotation = Rotation { max_size, keep: 2 };
    Sink::open(&LogOutput::File(path.into()), Some(rotation)).unwrap()
}

fn text(path: &Path, suffix: &str) -> String {
    let path = format!("{}{suffix}", path.display());
    std::fs::read_to_string(path).unwrap_or_default()
}

#[test]
fn a_file_never_grows_beyond_its_limit_and_no_line_is_lost_or_cut() {
    let directory = crate::logging::tests::Directory::new("rotated");
    let path = directory.join("log");
    std::fs::write(&path, "before\n").unwrap();
    let mut sink = rotating(&path, 16);
    assert_eq!(sink.write(b"one\n"), 0);
    assert_eq!(text(&path, ""), "before\none\n");
    assert_eq!(sink.write(b"two\nthree\nfour\nfive\nsix\n"), 0);
    assert_eq!(text(&path, ".2"), "before\none\ntwo\n");
    assert_eq!(text(&path, ".1"), "three\nfour\nfive\n");
    assert_eq!(text(&path, ""), "six\n");
    let long = "x".repeat(40) + "\n";
    assert_eq!(sink.write(long.as_bytes()), 0);
    assert_eq!(sink.write(b"y\n"), 0);
    assert_eq!(text(&path, ".2"), "six\n");
    assert_eq!(text(&path, ".1"), long);
    assert_eq!(text(&path, ""), "y\n");
    assert!(sink.trouble().is_none());
}

#[test]
fn a_file_that_was_emptied_or_opened_again_is_measured_anew() {
    let directory = crate::logging::tests::Directory::new("measured");
    let path = directory.join("log");
    let mut sink = rotating(&path, 8);
    sink.write(b"1234567\n");
    std::fs::write(&path, "").unwrap();
    sink.write(b"one\n");
    assert_eq!(
        (text(&path, ""), text(&path, ".1")),
        ("one\n".into(), "".into())
    );
    std::fs::rename(&path, directory.join("log.1")).unwrap();
    sink.reopen().unwrap();
    sink.write(b"1234567\n");
    assert_eq!(
        (text(&path, ""), text(&path, ".1")),
        ("1234567\n".into(), "one\n".into())
    );
    let rotation = Rotation {
        max_size: 100,
        keep: 2,
    };
    sink.redirect(&LogOutput::File(path.clone()), Some(rotation))
        .unwrap();
    sink.write(b"more\n");
    assert_eq!(text(&path, ""), "1234567\nmore\n");
    sink.redirect(&LogOutput::File(path.clone()), None).unwrap();
    sink.write(&b"x\n".repeat(100));
    assert_eq!(text(&path, "").len(), 213);
}

#[test]
fn a_rotation_that_fails_is_told_loses_nothing_and_is_tried_again_later() {
    let directory = crate::logging::tests::Directory::new("untold");
    let path = directory.join("log");
    let mut sink = rotating(&path, 8);
    for number in [1, 2] {
        let in_the_way = directory.join(format!("log.{number}/in the way"));
        std::fs::create_dir_all(in_the_way).unwrap();
    }
    sink.write(b"1234567\n");
    assert_eq!(sink.write(b"abc\n"), 0);
    let trouble = sink.trouble().unwrap();
    assert!(
        trouble.starts_with(&format!("cannot rotate log file {path:?}: ")),
        "{trouble}"
    );
    assert!(
        trouble.ends_with(": the log goes on as before"),
        "{trouble}"
    );
    assert_eq!(sink.write(b"def\n"), 0);
    assert!(sink.trouble().is_none());
    std::fs::remove_dir_all(directory.join("log.2")).unwrap();
    std::fs::remove_dir_all(directory.join("log.1")).unwrap();
    assert_eq!(sink.write(b"ghi\n"), 0);
    assert_eq!(text(&path, ".1"), "1234567\nabc\ndef\n");
    assert_eq!(text(&path, ""), "ghi\n");
}

#[test]
fn what_is_no_file_is_not_rotated() {
    let mut sink = rotating(Path::new("/dev/null"), 8);
    assert_eq!(sink.write(&b"12345\n".repeat(10)), 0);
    assert!(sink.trouble().is_none());
}
