//! The pump, over real pipes into a real log.
#![allow(clippy::unwrap_used, clippy::type_complexity)]
use super::*;
use std::fs;
use std::io::Write;
use std::thread;
use std::time::Instant;

use crate::config::LoggingSpec;
use crate::config::logging::{Format, Level, LogOutput};
use crate::logging::tests::{Directory, open};

/// What the log holds after a child has written these pieces, one write
/// each, and closed its pipe.
fn logged(format: Format, level: Level, pieces: &[&[u8]]) -> Vec<u8> {
    let directory = Directory::new("pump");
    let path = directory.join("log");
    let output = LogOutput::File(path.clone());
    let log = open(&LoggingSpec {
        level,
        format,
        output,
    });
    let (reader, mut writer) = std::io::pipe().unwrap();
    thread::scope(|scope| {
        scope.spawn(|| pump(reader, &Label::Job("app".into()), 17, &log.source()));
        for piece in pieces {
            writer.write_all(piece).unwrap();
        }
        drop(writer);
    });
    assert!(log.flush(Instant::now() + Duration::from_secs(30)));
    fs::read(path).unwrap()
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
fn an_idle_pump_holds_no_memory() {
    let (reader, mut writer) = std::io::pipe().unwrap();
    let log = open(&LoggingSpec {
        output: LogOutput::File("/dev/null".into()),
        ..LoggingSpec::default()
    });
    let label = Label::Job("app".into());
    let source = log.source();
    let mut pump = Pump {
        pipe: reader,
        log: &source,
        fields: Fields {
            level: log::Level::Info,
            label: Some(&label),
            pid: Some(1),
        },
        input: Vec::new(),
        filled: 0,
        frame: Frame::default(),
        block: Block::default(),
    };
    for (text, unfinished) in [("x".repeat(40_000), 40_000), ("\n".into(), 0)] {
        writer.write_all(text.as_bytes()).unwrap();
        while pump.filled != unfinished {
            assert_eq!(pump.wait(), Wait::Readable);
            let filled = pump.filled;
            let count = pump.pipe.read(&mut pump.input[filled..]).unwrap();
            pump.received(count);
        }
        pump.release();
        assert_eq!(pump.input.capacity(), unfinished);
        assert_eq!(pump.block.len(), 0);
    }
}

#[test]
fn closing_the_log_waits_for_what_is_in_the_pipe_and_not_for_its_end() {
    let directory = Directory::new("closing");
    let path = directory.join("log");
    let log = open(&LoggingSpec {
        output: LogOutput::File(path.clone()),
        ..LoggingSpec::default()
    });
    let (reader, mut writer) = std::io::pipe().unwrap();
    let flood = b"x\n".repeat(20_000);
    writer.write_all(&flood).unwrap();
    writer.write_all(b"unfinished").unwrap();
    // Somebody holds the pipe and will not let go of it.
    let source = log.source();
    let worker = thread::spawn(move || {
        pump(reader, &Label::Job("app".into()), 17, &source);
    });
    assert!(log.close(Instant::now() + Duration::from_secs(30)));
    worker.join().unwrap();
    let text = fs::read_to_string(path).unwrap();
    assert_eq!(text.lines().count(), 20_001);
    assert!(text.ends_with(" app 17 unfinished\n"));
    drop(writer);
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
