//! The small syntaxes: the first byte says which one, the rest is the text.
//!
//! What is printed of a value reads as that value; what is split into entries of
//! the log is what the child printed, and nothing else.
#![no_main]

use std::cell::RefCell;
use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;

use containerpilot::config::logging::{Format, Level, LogOutput};
use containerpilot::config::url::{HostPort, Url, socket_path};
use containerpilot::config::user_database::UserDatabase;
use containerpilot::config::{LoggingSpec, duration, fuzzing, size};
use containerpilot::process::output::fuzzing::Splitter;
use containerpilot::telemetry::negotiation;
use containerpilot::{cli, logging};
use containerpilot_fuzz::host;
use libfuzzer_sys::fuzz_target;

fn durations(text: &str) {
    if let Ok(duration) = duration::parse_setting(text) {
        let printed = duration::format(duration);
        assert_eq!(duration::parse(&printed), Ok(duration), "{printed}");
    }
    if let Ok(size) = size::parse(text) {
        assert_eq!(size::parse(&size::format(size)), Ok(size));
    }
}

fn urls(text: &str) {
    let (base, location) = text.split_once('\n').unwrap_or((text, "/"));
    let _refused = socket_path(base);
    if let Ok(place) = HostPort::parse(base) {
        assert_eq!(HostPort::parse(&place.to_string()).as_ref(), Ok(&place));
    }
    let Ok(url) = Url::parse(base) else { return };
    assert!(!url.authority().is_empty());
    assert!(!url.target.contains(['\r', '\n', ' ']), "{url:?}");
    if let Ok(to) = url.join(location) {
        assert!(!to.authority().contains(['\r', '\n', ' ']), "{to:?}");
        assert!(!to.target.contains(['\r', '\n', ' ']), "{to:?}");
    }
}

fn interfaces(text: &str) {
    let specifications: Vec<&str> = text.split('\n').collect();
    let host = host();
    let addresses = host.addresses().expect("what was given");
    match addresses.choose(&specifications) {
        Ok(address) => {
            let fixed = format!("static:{address}");
            assert_eq!(addresses.choose(&[fixed]), Ok(address));
        }
        Err(why) => assert!(!why.is_empty()),
    }
}

fn environment_files(bytes: &[u8]) {
    let (environment, errors) = fuzzing::env_file(bytes);
    let lines = bytes.split(|byte| matches!(byte, b'\n' | b'\r')).count();
    let set = environment.iter().count();
    assert!(set + errors <= lines, "{environment:?}");
    for (name, value) in environment.iter() {
        let name = name.as_encoded_bytes();
        assert!(!name.is_empty() && !name.contains(&b'=') && !name.contains(&0));
        assert!(!value.as_encoded_bytes().contains(&0));
    }
}

fn users(text: &str) {
    let (passwd, group) = text.split_once("\n\n").unwrap_or((text, text));
    let database = UserDatabase::of(passwd, group);
    let _nobody = database.group("log");
    for name in passwd.split([':', '\n']).take(8) {
        let Ok(user) = database.user(name) else {
            continue;
        };
        let groups = database.groups_of(&user, user.gid);
        assert_eq!(groups.expect("a readable file").first(), Some(&user.gid));
    }
}

fn arguments(bytes: &[u8]) {
    let arguments = bytes.split(|byte| *byte == b'\n');
    let arguments = arguments.map(|argument| OsString::from_vec(argument.to_vec()));
    if let Err(error) = cli::parse(arguments) {
        assert!(!error.to_string().is_empty());
    }
}

fn words(text: &str) {
    let _format = negotiation::choose(text);
    if let Ok(number) = fuzzing::signal(text) {
        assert!((1..=64).contains(&number));
    }
}

thread_local! {
    static SPLITTER: RefCell<Splitter> = RefCell::new(splitter());
}

fn splitter() -> Splitter {
    let spec = LoggingSpec {
        level: Level::Info,
        format: Format::Default,
        output: LogOutput::File("/dev/null".into()),
        buffer: 64 << 20,
        ..LoggingSpec::default()
    };
    Splitter::new(logging::init(&spec).expect("a log"))
}

/// A line that is longer is split.
const LONGEST: usize = 64 << 10;

/// The messages that the output of a child makes, found in the plainest way.
fn messages(output: &[u8]) -> Vec<&[u8]> {
    let mut messages = Vec::new();
    let mut lines: Vec<&[u8]> = output.split(|byte| *byte == b'\n').collect();
    let last = lines.pop().unwrap_or_default();
    let has_end = lines.iter().map(|line| (*line, true));
    let without = (!last.is_empty()).then_some((last, false));
    for (mut line, _) in has_end.chain(without) {
        while line.strip_suffix(b"\r").unwrap_or(line).len() > LONGEST {
            let is_boundary = |at: &usize| line[*at] & 0xc0 != 0x80;
            let end = (LONGEST - 3..=LONGEST).rev().find(is_boundary);
            let (piece, rest) = line.split_at(end.unwrap_or(LONGEST));
            messages.push(piece);
            line = rest;
        }
        messages.push(line.strip_suffix(b"\r").unwrap_or(line));
    }
    messages
}

/// What is printed in pieces of the length that comes first, some of it so often
/// that lines get too long.
fn output(input: &[u8]) {
    let [low, high, times, text @ ..] = input else {
        return;
    };
    let length = usize::from(u16::from_le_bytes([*low, *high])).max(1);
    let times = if text.len() > 4 {
        usize::from(*times)
    } else {
        1
    };
    let half = text.len() / 2;
    let printed = [
        &text[..half].repeat(times.pow(2).min(70_000 / text.len().max(1))),
        text,
    ]
    .concat();
    // Many tiny pieces of much take long and show nothing.
    let length = length.max(printed.len() / 500);
    let found = SPLITTER.with_borrow_mut(|splitter| splitter.split(printed.chunks(length)));
    let mut rest = found.as_slice();
    for message in messages(&printed) {
        // TIME app 17 MESSAGE
        let space = rest.iter().position(|byte| *byte == b' ').expect("a time");
        rest = &rest[space..];
        for part in [b" app 17 ".as_slice(), message, b"\n"] {
            let Some(after) = rest.strip_prefix(part) else {
                let [part, rest] = [part, rest].map(|it| it[..it.len().min(80)].escape_ascii());
                panic!("{rest} does not begin with {part}");
            };
            rest = after;
        }
    }
    assert!(rest.is_empty(), "{} more", rest.len());
}

fuzz_target!(|input: &[u8]| {
    let Some((which, rest)) = input.split_first() else {
        return;
    };
    let with_text = |read: fn(&str)| str::from_utf8(rest).map_or((), read);
    match which % 8 {
        0 => with_text(durations),
        1 => with_text(urls),
        2 => with_text(interfaces),
        3 => environment_files(rest),
        4 => with_text(users),
        5 => arguments(rest),
        6 => with_text(words),
        _ => output(rest),
    }
});
