//! The pump, over real pipes into a real log.
#![allow(clippy::unwrap_used, clippy::type_complexity)]
use super::lines::LINE;
use super::*;
use std::fs;
use std::io::{PipeWriter, Write};
use std::time::{Duration, Instant};

use crate::config::LoggingSpec;
use crate::config::logging::{Format, Level, LogOutput};
use crate::logging::tests::{Directory, open};

/// A pump into a log file, with or without its thread.
struct World {
    directory: Directory,
    log: Log,
    pump: Pump,
    inbox: crate::inbox::Inbox<Message>,
}

impl World {
    fn new(format: Format, level: Level) -> Self {
        let directory = Directory::new("pump");
        let output = LogOutput::File(directory.join("log"));
        let log = open(&LoggingSpec {
            level,
            format,
            output,
            ..LoggingSpec::default()
        });
        let (sender, inbox) = crate::inbox::inbox();
        let pump = Pump::new(&log, sender);
        Self {
            directory,
            log,
            pump,
            inbox,
        }
    }

    /// The writing end of a child's pipe.
    fn child(&self, name: &str, pid: Pid) -> PipeWriter {
        let (reader, writer) = io::pipe().unwrap();
        let place = self.pump.reserve(reader, self.log.source()).unwrap();
        place.fill(Label::Job(name.into()), pid, None);
        writer
    }

    /// The pump's thread, for the test to be.
    fn pumping(&self) -> Pumping {
        let pumping = Pumping::new(&self.pump.0).unwrap();
        self.pump.0.lock().epoll = Some(Arc::clone(&pumping.epoll));
        pumping
    }

    /// Waits for what all children have to say; those that do not close their
    /// pipes end where it is empty.
    fn close(self) -> Vec<u8> {
        assert!(self.log.close(Instant::now() + Duration::from_secs(30)));
        self.written()
    }

    fn written(&self) -> Vec<u8> {
        assert!(self.log.flush(Instant::now() + Duration::from_secs(30)));
        fs::read(self.directory.join("log")).unwrap()
    }
}

/// What the log holds after a child has written these pieces, one write
/// each, and closed its pipe.
fn logged(format: Format, level: Level, pieces: &[&[u8]]) -> Vec<u8> {
    let world = World::new(format, level);
    let mut writer = world.child("app", 17);
    for piece in pieces {
        writer.write_all(piece).unwrap();
    }
    drop(writer);
    world.close()
}

/// The messages of a log in the default format.
fn messages(pieces: &[&[u8]]) -> Vec<Vec<u8>> {
    let text = logged(Format::Default, Level::Info, pieces);
    let lines = text.split_inclusive(|byte| *byte == b'\n');
    lines
        .map(|line| {
            let line = line.strip_suffix(b"\n").unwrap();
            let mark = b" app 17 ";
            let at = line
                .windows(mark.len())
                .position(|window| window == mark)
                .unwrap();
            line[at + mark.len()..].to_vec()
        })
        .collect()
}

#[test]
fn every_line_is_an_entry_wherever_the_writes_end() {
    let cases: [(&[&[u8]], &[&[u8]]); 8] = [
        (&[], &[]),
        (&[b"one\ntwo\n"], &[b"one", b"two"]),
        (&[b"o", b"n", b"e\ntw", b"o\n"], &[b"one", b"two"]),
        (&[b"no newline"], &[b"no newline"]),
        (&[b"one\n", b"last"], &[b"one", b"last"]),
        (&[b"\n\n"], &[b"", b""]),
        (
            &[b"dos\r\n", b"bar\rfoo\r", b"\n\r"],
            &[b"dos", b"bar\rfoo", b""],
        ),
        (&[b"\xff\0\x1b[0m\n"], &[b"\xff\0\x1b[0m"]),
    ];
    for (pieces, expected) in cases {
        assert_eq!(messages(pieces), expected);
    }
}

#[test]
fn structured_formats_carry_the_fields_and_escape_the_message() {
    let json = logged(Format::Json, Level::Info, &[b"bad \xff\0\n"]);
    let value: serde_json::Value = serde_json::from_slice(&json).unwrap();
    assert_eq!(value["job"], "app");
    assert_eq!(value["pid"], 17);
    assert_eq!(value["level"], "info");
    assert_eq!(value["msg"], "bad \u{fffd}\0");
    let text = logged(Format::Text, Level::Info, &[b"bad \xff\0\n"]);
    assert!(text.ends_with(
        br#" level=info msg="bad \xff\x00" job=app pid=17
"#
    ));
}

#[test]
fn a_level_above_info_drains_the_pipe_and_logs_nothing() {
    let flood = b"line\n".repeat(100_000);
    assert_eq!(logged(Format::Default, Level::Warn, &[&flood, b"end"]), b"");
}

#[test]
fn long_lines_are_split_and_nothing_is_lost() {
    let cases = [
        (LINE - 1, vec![LINE - 1]),
        (LINE, vec![LINE]),
        (LINE + 1, vec![LINE, 1]),
        (3 * LINE, vec![LINE; 3]),
        (3 * LINE + 5, vec![LINE, LINE, LINE, 5]),
    ];
    for (length, expected) in cases {
        let line = vec![b'x'; length];
        for end in [b"".as_slice(), b"\n", b"\r\n"] {
            let lengths: Vec<_> = messages(&[&line, end]).iter().map(Vec::len).collect();
            assert_eq!(lengths, expected, "{length} bytes and {end:?}");
        }
    }
}

#[test]
fn a_split_falls_between_characters() {
    let line = "\u{65e5}".repeat(LINE);
    let pieces = messages(&[line.as_bytes()]);
    assert_eq!(pieces.concat(), line.as_bytes());
    for piece in pieces {
        assert!(std::str::from_utf8(&piece).is_ok());
    }
    // What is no UTF-8 is cut where it must be.
    let lengths: Vec<_> = messages(&[&[0x80; LINE + 1]])
        .iter()
        .map(Vec::len)
        .collect();
    assert_eq!(lengths, [LINE, 1]);
}

#[test]
fn a_flood_arrives_complete_and_in_order() {
    let mut flood = Vec::new();
    let mut expected = Vec::new();
    for number in 0..50_000_usize {
        let line = format!("{number} {}", "x".repeat(number % 300));
        writeln!(flood, "{line}").unwrap();
        expected.push(line.into_bytes());
    }
    let pieces: Vec<_> = flood.chunks(7919).collect();
    assert!(messages(&pieces) == expected);
}

#[test]
fn a_flood_keeps_nobody_else_waiting() {
    let world = World::new(Format::Default, Level::Info);
    let mut pumping = world.pumping();
    let mut flood = world.child("flood", 1);
    let mut quiet: Vec<_> = (2..50).map(|pid| world.child("quiet", pid)).collect();
    let full = b"x\n".repeat(16 << 10);
    flood.write_all(&full).unwrap();
    for writer in &mut quiet {
        writer.write_all(b"a line\n").unwrap();
    }
    for _ in 0..2 {
        pumping.turn().unwrap();
        flood.write_all(&full).unwrap();
    }
    let text = String::from_utf8(world.written()).unwrap();
    let lines = text.lines().filter(|line| line.ends_with(" a line"));
    assert_eq!(lines.count(), quiet.len());
}

#[test]
fn an_idle_pump_holds_only_unfinished_lines() {
    let world = World::new(Format::Default, Level::Info);
    let mut pumping = world.pumping();
    let mut writer = world.child("app", 17);
    for (text, unfinished) in [("x".repeat(40_000), 40_000), ("\n".into(), 0)] {
        writer.write_all(text.as_bytes()).unwrap();
        pumping.turn().unwrap();
        let is_busy = unfinished > 0;
        assert_eq!(pumping.lines.linger().is_some(), is_busy);
        pumping.lines.release();
        let child = pumping.children.iter().flatten().next().unwrap();
        assert_eq!(child.stream.unfinished.len(), unfinished);
        assert_eq!(child.stream.unfinished.capacity(), unfinished);
    }
    drop(writer);
    pumping.turn().unwrap();
    assert!(pumping.children.iter().flatten().next().is_none());
}

#[test]
fn a_line_that_comes_byte_by_byte_is_one_entry() {
    let world = World::new(Format::Default, Level::Info);
    let mut pumping = world.pumping();
    let mut writer = world.child("app", 17);
    for byte in b"slow\r\nx" {
        writer.write_all(&[*byte]).unwrap();
        pumping.turn().unwrap();
    }
    let text = world.written();
    assert!(text.ends_with(b" app 17 slow\n"), "{text:?}");
}

#[test]
fn a_child_that_was_never_started_leaves_nothing_behind() {
    let world = World::new(Format::Default, Level::Info);
    let (reader, writer) = io::pipe().unwrap();
    let place = world.pump.reserve(reader, world.log.source()).unwrap();
    // Tells the pump the end of a pipe that it does not know.
    drop(writer);
    drop(place);
    let mut other = world.child("app", 17);
    other.write_all(b"x\n").unwrap();
    assert!(world.close().ends_with(b" app 17 x\n"));
}

#[test]
fn closing_the_log_waits_for_what_is_in_the_pipes_and_not_for_their_end() {
    let world = World::new(Format::Default, Level::Info);
    // Somebody holds the pipes and will not let go of them.
    let mut writers: Vec<_> = (0..3).map(|pid| world.child("app", pid)).collect();
    for writer in &mut writers {
        writer.write_all(&b"x\n".repeat(20_000)).unwrap();
        writer.write_all(b"unfinished").unwrap();
    }
    let silent = world.child("silent", 4);
    let text = String::from_utf8(world.close()).unwrap();
    assert_eq!(text.lines().count(), 3 * 20_001);
    for pid in 0..3 {
        let last = format!(" app {pid} unfinished");
        assert_eq!(text.lines().filter(|line| line.ends_with(&last)).count(), 1);
    }
    drop((writers, silent));
}

#[test]
fn closing_the_log_gives_up_at_the_deadline() {
    let log = open(&LoggingSpec {
        output: LogOutput::File("/dev/null".into()),
        ..LoggingSpec::default()
    });
    let source = log.source();
    assert!(!log.close(Instant::now()));
    drop(source);
    assert!(log.close(Instant::now() + Duration::from_secs(30)));
}

#[test]
fn the_end_of_the_thread_is_told_once_and_the_next_child_has_another() {
    let world = World::new(Format::Default, Level::Info);
    let pumping = world.pumping();
    let lost = world.child("app", 17);
    thread::spawn(move || {
        let _end = End(Arc::clone(&pumping.shared));
        std::panic::resume_unwind(Box::new("the pump panics"));
    })
    .join()
    .unwrap_err();
    let told: Vec<_> = std::iter::from_fn(|| world.inbox.try_recv().ok()).collect();
    assert!(
        matches!(told[..], [Message::WorkerEnded("output")]),
        "{told:?}"
    );
    drop(lost);
    let mut writer = world.child("app", 18);
    writer.write_all(b"goes on\n").unwrap();
    assert!(world.close().ends_with(b" app 18 goes on\n"));
}
