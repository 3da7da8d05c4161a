//! The log as a whole, over real files and pipes.
#![allow(clippy::unwrap_used)]

use super::*;
use std::fs::{self, File};
use std::io::Read;
use std::ops::Deref;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicUsize;
use std::thread;
use std::time::Duration;

use crate::config::logging::LogOutput;

/// A directory for one test, removed at its end.
pub(crate) struct Directory(PathBuf);

impl Directory {
    pub(crate) fn new(test: &str) -> Self {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("containerpilot-{}-{test}-{number}", std::process::id());
        let path = std::env::temp_dir().join(name);
        fs::create_dir(&path).unwrap();
        Self(path)
    }
}

impl Deref for Directory {
    type Target = Path;
    fn deref(&self) -> &Path {
        &self.0
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        fs::remove_dir_all(&self.0).unwrap();
    }
}

fn spec(level: Level, format: Format, output: LogOutput) -> LoggingSpec {
    LoggingSpec {
        level,
        format,
        output,
        ..LoggingSpec::default()
    }
}

/// A log as [`init`] makes it, but for the macros.
pub(crate) fn open(spec: &LoggingSpec) -> Log {
    let log = Log::new(spec).unwrap();
    let sink = Sink::open(&spec.output, spec.rotation).unwrap();
    writer::start(Arc::clone(&log.0), sink).unwrap();
    log
}

/// A log in a file, in the default format.
fn open_file(path: &Path, level: Level) -> Log {
    open(&spec(level, Format::Default, LogOutput::File(path.into())))
}

fn flush(log: &Log) {
    assert!(log.flush(Instant::now() + Duration::from_secs(30)));
}

/// The messages of a log in the default format.
fn messages(path: &Path) -> Vec<String> {
    let text = fs::read_to_string(path).unwrap();
    let message = |line: &str| line.split_once(' ').unwrap().1.to_owned();
    text.lines().map(message).collect()
}

#[test]
fn entries_reach_a_file_with_their_fields() {
    let directory = Directory::new("fields");
    let path = directory.join("log");
    let log = open_file(&path, Level::Info);
    let app = Label::Job("app".into());
    log.entry(log::Level::Info, Some(&app), Some(17), "one");
    log.entry(log::Level::Error, None, None, "two");
    log.entry(log::Level::Debug, None, None, "three");
    flush(&log);
    assert_eq!(messages(&path), ["app 17 one", "two"]);
}

#[test]
fn a_level_shows_itself_and_what_is_worse() {
    let directory = Directory::new("levels");
    let levels = [
        Level::Debug,
        Level::Info,
        Level::Warn,
        Level::Error,
        Level::Fatal,
        Level::Panic,
    ];
    for (index, level) in levels.into_iter().enumerate() {
        let path = directory.join(index.to_string());
        let log = open_file(&path, level);
        for record in [
            log::Level::Debug,
            log::Level::Info,
            log::Level::Warn,
            log::Level::Error,
        ] {
            log.entry(record, None, None, record.as_str());
        }
        flush(&log);
        let all = ["DEBUG", "INFO", "WARN", "ERROR"];
        assert_eq!(messages(&path), all.get(index..).unwrap_or_default());
        assert_eq!(log.source().is_shown(), index < 2);
    }
}

#[test]
fn a_new_configuration_applies_to_what_is_logged_after_it() {
    let directory = Directory::new("configure");
    let (old, new) = (directory.join("old"), directory.join("new"));
    let log = open_file(&old, Level::Info);
    log.entry(log::Level::Info, None, None, "before");
    log.configure(&spec(
        Level::Warn,
        Format::Text,
        LogOutput::File(new.clone()),
    ));
    log.entry(log::Level::Info, None, None, "below");
    log.entry(log::Level::Warn, None, None, "after");
    flush(&log);
    assert_eq!(messages(&old), ["before"]);
    assert_eq!(messages(&new), ["level=warning msg=after"]);
}

#[test]
fn a_destination_that_cannot_be_opened_leaves_the_old_one_in_use() {
    let directory = Directory::new("refused");
    let path = directory.join("log");
    let log = open_file(&path, Level::Info);
    let missing = directory.join("no/log");
    log.configure(&spec(
        Level::Info,
        Format::Default,
        LogOutput::File(missing.clone()),
    ));
    log.entry(log::Level::Info, None, None, "after");
    flush(&log);
    let reason = format!(
        "cannot open log file {missing:?}: No such file or directory (os error 2): the log goes on as before"
    );
    assert_eq!(messages(&path), [&reason, "after"]);
    let missing = missing.to_str().unwrap();
    assert_in_manual(&reason, &[(missing, "/gone/containerpilot.log")]);
}

#[test]
fn reopening_replaces_a_file_that_was_moved_away() {
    let directory = Directory::new("reopen");
    let (path, moved) = (directory.join("log"), directory.join("log.1"));
    let log = open_file(&path, Level::Info);
    log.entry(log::Level::Info, None, None, "one");
    flush(&log);
    fs::rename(&path, &moved).unwrap();
    log.entry(log::Level::Info, None, None, "two");
    log.reopen();
    flush(&log);
    log.entry(log::Level::Info, None, None, "three");
    flush(&log);
    assert_eq!(messages(&moved), ["one", "two"]);
    assert_eq!(messages(&path), ["three"]);
}

#[test]
fn reopening_that_fails_keeps_the_old_file_and_says_why() {
    let directory = Directory::new("reopen-fails");
    let inner = directory.join("inner");
    fs::create_dir(&inner).unwrap();
    let (path, moved) = (inner.join("log"), directory.join("log"));
    let log = open_file(&path, Level::Info);
    fs::rename(&path, &moved).unwrap();
    fs::remove_dir(&inner).unwrap();
    log.reopen();
    flush(&log);
    log.entry(log::Level::Info, None, None, "after");
    flush(&log);
    let messages = messages(&moved);
    assert!(
        messages[0].starts_with("cannot open log file"),
        "{messages:?}"
    );
    assert_eq!(messages[1], "after");
}

#[test]
fn lines_lost_to_a_full_disk_are_counted_and_told_when_it_works_again() {
    let directory = Directory::new("full");
    let path = directory.join("log");
    let log = open_file(Path::new("/dev/full"), Level::Info);
    for _ in 0..3 {
        log.entry(log::Level::Info, None, None, "lost");
        flush(&log);
    }
    assert_eq!(log.dropped_lines(), 3);
    log.configure(&spec(
        Level::Info,
        Format::Default,
        LogOutput::File(path.clone()),
    ));
    flush(&log);
    log.entry(log::Level::Info, None, None, "kept");
    flush(&log);
    let notice = "lost 3 lines of the log: cannot write to log file \"/dev/full\": No space left on device (os error 28)";
    assert_eq!(messages(&path), ["kept", notice]);
    let manuals = [
        (" 3 ", " 340 "),
        ("/dev/full", "/var/log/containerpilot.log"),
    ];
    assert_in_manual(notice, &manuals);
}

/// A log in a FIFO, and its reader, which has not read anything.
fn open_stalled(directory: &Directory) -> (Log, File) {
    let path = directory.join("fifo");
    let name = std::ffi::CString::new(path.to_str().unwrap()).unwrap();
    // SAFETY: `name` is a string with its NUL.
    assert_eq!(unsafe { libc::mkfifo(name.as_ptr(), 0o600) }, 0);
    // For reading and writing, because that does not wait for the other side.
    let reader = File::options().read(true).write(true).open(&path).unwrap();
    (open_file(&path, Level::Info), reader)
}

/// Reads lines from a FIFO up to one that ends with `last`, which is left out.
fn read_until(mut reader: File, last: &str) -> Vec<String> {
    let mut text = Vec::new();
    let mut block = vec![0; 65_536];
    while !text.ends_with(format!("{last}\n").as_bytes()) {
        let count = reader.read(&mut block).unwrap();
        text.extend_from_slice(&block[..count]);
    }
    let mut lines: Vec<_> = String::from_utf8(text)
        .unwrap()
        .lines()
        .map(str::to_owned)
        .collect();
    lines.pop();
    lines
}

#[test]
fn a_stalled_reader_never_holds_up_the_supervisor() {
    let directory = Directory::new("stalled");
    let (log, reader) = open_stalled(&directory);
    let sent = 20_000;
    for number in 0..sent {
        log.entry(
            log::Level::Info,
            None,
            None,
            &format!("entry {number:0100}"),
        );
    }
    assert!(!log.flush(Instant::now()), "nobody has read anything");
    let counted = log.dropped_lines();
    assert!(counted > 10_000, "counted while it is stalled: {counted}");
    let reading = thread::spawn(move || read_until(reader, "end"));
    flush(&log);
    log.entry(log::Level::Info, None, None, "end");
    let lines = reading.join().unwrap();
    let (notices, entries): (Vec<_>, Vec<_>) =
        lines.iter().partition(|line| line.contains(" dropped "));
    let number = |entry: &&String| entry.rsplit_once(' ').unwrap().1.parse::<usize>().unwrap();
    let arrived: Vec<_> = entries.iter().map(number).collect();
    assert!(
        arrived.is_sorted() && arrived.len() > 1000,
        "{}",
        arrived.len()
    );
    let dropped = sent - arrived.len();
    assert_eq!(log.dropped_lines(), dropped as u64);
    let told = |notice: &&String| notice.split(' ').nth(2).unwrap().parse::<usize>().unwrap();
    assert_eq!(notices.iter().map(told).sum::<usize>(), dropped);
    let end = " entries of the supervisor: whoever reads the log is too slow";
    assert!(
        notices.iter().all(|notice| notice.ends_with(end)),
        "{notices:?}"
    );
    assert_in_manual(&format!("dropped 12{end}"), &[]);
}

#[test]
fn a_stalled_reader_holds_back_childrens_output_without_loss() {
    let directory = Directory::new("held-back");
    let (log, reader) = open_stalled(&directory);
    let pushing = {
        let source = log.source();
        thread::spawn(move || {
            for number in 0..20_000 {
                source.push(None, format!("line {number:0100}\n").as_bytes());
            }
            source.push(None, b"end\n");
        })
    };
    let lines = read_until(reader, "end");
    pushing.join().unwrap();
    assert_eq!(lines.len(), 20_000);
    for (number, line) in lines.iter().enumerate() {
        assert_eq!(*line, format!("line {number:0100}"));
    }
    assert_eq!(log.dropped_lines(), 0);
}

#[test]
fn lines_of_many_sources_are_never_torn() {
    let directory = Directory::new("sources");
    let path = directory.join("log");
    let log = open(&spec(
        Level::Info,
        Format::Json,
        LogOutput::File(path.clone()),
    ));
    let sources: Vec<_> = (0..4)
        .map(|source| {
            let (log, output) = (log.clone(), log.source());
            thread::spawn(move || {
                for number in 0..500 {
                    log.entry(
                        log::Level::Info,
                        None,
                        Some(source),
                        &format!("{number} \"x\""),
                    );
                    output.push(None, b"{\"pid\":9}\n");
                }
            })
        })
        .collect();
    for source in sources {
        source.join().unwrap();
    }
    flush(&log);
    let dropped = usize::try_from(log.dropped_lines()).unwrap();
    let mut lines = 0;
    for line in fs::read_to_string(&path).unwrap().lines() {
        let entry: serde_json::Value = serde_json::from_str(line).unwrap();
        lines += usize::from(entry.get("pid").is_some());
    }
    assert_eq!(lines + dropped, 4000);
}

/// The messages that the manual shows, each with its numbers and its path
/// replaced by those of `like`.
fn assert_in_manual(like: &str, differences: &[(&str, &str)]) {
    let page = fs::read_to_string("docs/logging.md").unwrap();
    let shown = differences
        .iter()
        .fold(like.to_owned(), |text, (ours, manuals)| {
            assert!(text.contains(ours), "{ours:?} in {text:?}");
            text.replace(ours, manuals)
        });
    let block = format!("<!-- message -->\n```text\n{shown}\n```\n");
    assert!(page.contains(&block), "{block}");
}
