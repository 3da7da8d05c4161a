//! How a log entry looks (SPEC §13), pure: fields and a message in, a line out.
//!
//! An entry is a head, the message and a tail. For a child's output head and
//! tail are made once per read and shared by all its lines.

use log::Level;

use super::block::{Block, Json, Newline, Quoted, find_newline};
use super::escape::{is_bare, push_json, push_value};
use super::time::{Moment, push_padded};
use crate::config::logging::Format;
use crate::message::{Label, Pid};
use crate::printable::printable;

/// What an entry says besides its message.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Fields<'a> {
    /// How much it matters.
    pub(crate) level: Level,
    /// Whom it is about.
    pub(crate) label: Option<&'a Label>,
    /// The process that printed it.
    pub(crate) pid: Option<Pid>,
}

/// All of an entry but its message.
#[derive(Debug, Default)]
pub(crate) struct Frame {
    format: Format,
    head: Block,
    tail: Block,
}

impl Frame {
    /// The frame of entries with these fields at this time.
    pub(crate) fn new(format: Format, moment: &Moment, fields: &Fields<'_>) -> Self {
        let mut frame = Self::default();
        frame.set(format, moment, fields);
        frame
    }

    /// Becomes the frame of entries with these fields at this time; what was
    /// allocated is used again.
    pub(crate) fn set(&mut self, format: Format, moment: &Moment, fields: &Fields<'_>) {
        self.format = format;
        self.head.truncate(0);
        self.tail.truncate(0);
        match format {
            Format::Default => self.set_default(moment, fields),
            Format::Text => self.set_text(moment, fields),
            Format::Json => self.set_json(moment, fields),
        }
    }

    /// `TIME job pid message`, without what is not known.
    fn set_default(&mut self, moment: &Moment, fields: &Fields<'_>) {
        moment.write(Format::Default, &mut self.head);
        self.head.push(b' ');
        if let Some(label) = fields.label {
            // Whatever a job is called, an entry is one line.
            self.head.append(printable(label_parts(label).1).as_bytes());
            self.head.push(b' ');
        }
        if let Some(pid) = fields.pid {
            push_pid(&mut self.head, pid);
            self.head.push(b' ');
        }
    }

    /// `time="…" level=info msg="…" job=app pid=17`
    fn set_text(&mut self, moment: &Moment, fields: &Fields<'_>) {
        self.head.append(b"time=\"");
        moment.write(Format::Text, &mut self.head);
        self.head.append(b"\" level=");
        self.head.append(level_name(fields.level).as_bytes());
        if let Some(label) = fields.label {
            let (key, name) = label_parts(label);
            for part in [" ", key, "="] {
                self.tail.append(part.as_bytes());
            }
            push_value(&mut self.tail, name.as_bytes());
        }
        if let Some(pid) = fields.pid {
            self.tail.append(b" pid=");
            push_pid(&mut self.tail, pid);
        }
    }

    /// `{"job":"app","level":"info","msg":"…","pid":17,"time":"…"}`, keys in
    /// the order of the alphabet.
    fn set_json(&mut self, moment: &Moment, fields: &Fields<'_>) {
        self.head.push(b'{');
        if let Some(label) = fields.label {
            let (key, name) = label_parts(label);
            for part in ["\"", key, "\":\""] {
                self.head.append(part.as_bytes());
            }
            push_json(&mut self.head, name.as_bytes());
            self.head.append(b"\",");
        }
        for part in ["\"level\":\"", level_name(fields.level), "\",\"msg\":\""] {
            self.head.append(part.as_bytes());
        }
        self.tail.push(b'"');
        if let Some(pid) = fields.pid {
            self.tail.append(b",\"pid\":");
            push_pid(&mut self.tail, pid);
        }
        self.tail.append(b",\"time\":\"");
        moment.write(Format::Json, &mut self.tail);
        self.tail.append(b"\"}");
    }

    /// Appends the entry that says `message`.
    pub(crate) fn write(&self, message: &[u8], out: &mut Block) {
        out.append(self.head.as_slice());
        match self.format {
            Format::Default => out.append(message),
            // logrus leaves out what says nothing.
            Format::Text if message.is_empty() => {}
            Format::Text => {
                out.append(MSG);
                push_value(out, message);
            }
            Format::Json => push_json(out, message),
        }
        out.append(self.tail.as_slice());
        out.push(b'\n');
    }

    /// Appends the entry for the first line of `bytes` and returns the length
    /// of that line with its end, which is a newline, or as in the original a
    /// carriage return and a newline. Without a newline there is no entry.
    pub(crate) fn write_line(&self, bytes: &[u8], out: &mut Block) -> Option<usize> {
        let start = out.len();
        if let Some(end) = self.write_plain(bytes, out) {
            return Some(end + 1);
        }
        out.truncate(start);
        let end = find_newline(bytes)?;
        let line = bytes.get(..end).unwrap_or_default();
        self.write(line.strip_suffix(b"\r").unwrap_or(line), out);
        Some(end + 1)
    }

    /// Appends the entry for the first line and returns where its newline is,
    /// if that line needs no escape; otherwise what was appended is of no use.
    fn write_plain(&self, bytes: &[u8], out: &mut Block) -> Option<usize> {
        // Neither head nor tail contains a newline: this copies all of them.
        out.copy::<Newline>(self.head.as_slice());
        let end = match self.format {
            Format::Default => out.copy::<Newline>(bytes),
            Format::Json => out.copy::<Json>(bytes),
            Format::Text => {
                out.copy::<Newline>(MSG);
                out.push(b'"');
                out.copy::<Quoted>(bytes)
            }
        };
        let (line, rest) = bytes.split_at_checked(end)?;
        if rest.first() != Some(&b'\n') {
            return None;
        }
        match self.format {
            Format::Default if line.ends_with(b"\r") => out.truncate(out.len() - 1),
            // Then there are no quotes: not worth a way of its own.
            Format::Text if is_bare(line) => return None,
            Format::Text => out.push(b'"'),
            Format::Default | Format::Json => {}
        }
        out.copy::<Newline>(self.tail.as_slice());
        out.push(b'\n');
        Some(end)
    }
}

/// What stands before a message in the text format.
const MSG: &[u8] = b" msg=";

/// The key and the value of a label.
fn label_parts(label: &Label) -> (&'static str, &str) {
    match label {
        Label::Job(name) => ("job", name),
        Label::Check(name) => ("check", name),
    }
}

/// The names of logrus.
fn level_name(level: Level) -> &'static str {
    match level {
        Level::Error => "error",
        Level::Warn => "warning",
        Level::Info => "info",
        Level::Debug | Level::Trace => "debug",
    }
}

fn push_pid(out: &mut Block, pid: Pid) {
    push_padded(out, pid.unsigned_abs(), 1);
}

#[cfg(test)]
mod tests {
    #![allow(clippy::type_complexity)]
    use super::*;

    const MOMENT: Moment = Moment {
        year: 2026,
        month: 1,
        day: 2,
        hour: 3,
        minute: 4,
        second: 5,
        nanosecond: 123_456_789,
        offset: 0,
    };

    fn entry(format: Format, fields: &Fields<'_>, message: &[u8]) -> String {
        let mut out = Block::default();
        Frame::new(format, &MOMENT, fields).write(message, &mut out);
        String::from_utf8_lossy(out.as_slice()).into_owned()
    }

    fn job() -> Label {
        Label::Job("app".into())
    }

    #[test]
    fn the_default_format_is_time_job_pid_message() {
        let (job, check) = (job(), Label::Check("check.app".into()));
        let cases = [
            (
                Some(&job),
                Some(17),
                "2026-01-02T03:04:05.123456789Z app 17 listening\n",
            ),
            (
                Some(&check),
                Some(4_194_304),
                "2026-01-02T03:04:05.123456789Z check.app 4194304 listening\n",
            ),
            (
                Some(&job),
                None,
                "2026-01-02T03:04:05.123456789Z app listening\n",
            ),
            (None, None, "2026-01-02T03:04:05.123456789Z listening\n"),
        ];
        for (label, pid, expected) in cases {
            for level in [Level::Info, Level::Error] {
                let fields = Fields { level, label, pid };
                assert_eq!(entry(Format::Default, &fields, b"listening"), expected);
            }
        }
    }

    #[test]
    fn the_default_format_keeps_the_bytes_of_a_message() {
        let fields = Fields {
            level: Level::Info,
            label: None,
            pid: None,
        };
        let mut out = Block::default();
        Frame::new(Format::Default, &MOMENT, &fields).write(b"\xff\0\"\x1b[0m", &mut out);
        assert!(out.as_slice().ends_with(b"Z \xff\0\"\x1b[0m\n"));
    }

    #[test]
    fn the_text_format_is_that_of_logrus() {
        let (job, check) = (job(), Label::Check("check.app".into()));
        let spaced = Label::Job("my app".into());
        let cases: [(Level, Option<&Label>, Option<Pid>, &[u8], &str); 6] = [
            (
                Level::Info,
                Some(&job),
                Some(17),
                b"now listening",
                r#"level=info msg="now listening" job=app pid=17"#,
            ),
            (
                Level::Warn,
                Some(&check),
                Some(18),
                b"slow",
                r"level=warning msg=slow check=check.app pid=18",
            ),
            (
                Level::Error,
                Some(&spaced),
                None,
                b"x\ny",
                r#"level=error msg="x\ny" job="my app""#,
            ),
            (
                Level::Debug,
                None,
                None,
                b"{Startup, global}",
                r#"level=debug msg="{Startup, global}""#,
            ),
            (Level::Trace, None, None, b"x", "level=debug msg=x"),
            (
                Level::Info,
                Some(&job),
                Some(17),
                b"",
                "level=info job=app pid=17",
            ),
        ];
        for (level, label, pid, message, expected) in cases {
            let fields = Fields { level, label, pid };
            let expected = format!("time=\"2026-01-02T03:04:05Z\" {expected}\n");
            assert_eq!(entry(Format::Text, &fields, message), expected);
        }
    }

    #[test]
    fn a_json_entry_is_one_object_with_sorted_keys() {
        let time = r#""time":"2026-01-02T03:04:05.123456789Z"}"#;
        let check = Label::Check("check.\"a\"".into());
        let job = job();
        let cases: [(Option<&Label>, Option<Pid>, &[u8], &str); 4] = [
            (
                Some(&job),
                Some(17),
                b"listening",
                r#"{"job":"app","level":"info","msg":"listening","pid":17,"#,
            ),
            (
                Some(&check),
                Some(18),
                b"a \"b\"\n",
                r#"{"check":"check.\"a\"","level":"info","msg":"a \"b\"\n","pid":18,"#,
            ),
            (
                Some(&job),
                None,
                b"",
                r#"{"job":"app","level":"info","msg":"","#,
            ),
            (None, None, b"x", r#"{"level":"info","msg":"x","#),
        ];
        for (label, pid, message, expected) in cases {
            let fields = Fields {
                level: Level::Info,
                label,
                pid,
            };
            let line = entry(Format::Json, &fields, message);
            assert_eq!(line, format!("{expected}{time}\n"));
            let value: serde_json::Value = serde_json::from_str(&line).unwrap_or_default();
            let keys: Vec<_> = value
                .as_object()
                .into_iter()
                .flat_map(|object| object.keys())
                .collect();
            assert!(keys.is_sorted() && keys.len() > 2, "{line}");
        }
    }

    #[test]
    fn a_frame_that_is_set_again_keeps_nothing_of_what_it_was() {
        let job = job();
        let with = Fields {
            level: Level::Warn,
            label: Some(&job),
            pid: Some(17),
        };
        let without = Fields {
            level: Level::Info,
            label: None,
            pid: None,
        };
        let mut frame = Frame::new(Format::Json, &MOMENT, &with);
        for format in [Format::Text, Format::Default, Format::Json] {
            frame.set(format, &MOMENT, &without);
            let mut out = Block::default();
            frame.write(b"x", &mut out);
            assert_eq!(
                String::from_utf8_lossy(out.as_slice()),
                entry(format, &without, b"x")
            );
        }
    }

    #[test]
    fn lines_become_the_entries_of_their_messages() {
        let job = job();
        let fields = Fields {
            level: Level::Info,
            label: Some(&job),
            pid: Some(17),
        };
        let messages: [&[u8]; 12] = [
            b"",
            b"bare",
            b"two words",
            b"sixteen bytes = ",
            b"\r",
            b"carriage\rreturn",
            b"say \"hi\" \\",
            b"tab\t and \x1b[0m",
            "gr\u{fc}\u{df}e \u{65e5}\u{672c}".as_bytes(),
            b"bad \xff\xfe",
            b"\xff",
            b"nul \0",
        ];
        for format in [Format::Default, Format::Text, Format::Json] {
            let frame = Frame::new(format, &MOMENT, &fields);
            for message in messages {
                for end in [b"\n".as_slice(), b"\r\n"] {
                    let line = [message, end].concat();
                    let bytes = [line.as_slice(), b"more\n"].concat();
                    let mut out = Block::default();
                    out.append(b"before\n");
                    assert_eq!(frame.write_line(&bytes, &mut out), Some(line.len()));
                    let said = if message == b"\r" && end == b"\n" {
                        b""
                    } else {
                        message
                    };
                    let expected = entry(format, &fields, said);
                    let written = String::from_utf8_lossy(out.as_slice()).into_owned();
                    assert_eq!(written, format!("before\n{expected}"), "{message:?}");
                }
                let mut out = Block::default();
                assert_eq!(frame.write_line(message, &mut out), None);
                assert_eq!(out.len(), 0, "{message:?} is no line");
            }
        }
    }

    #[test]
    fn a_name_with_a_newline_tears_no_line() {
        let label = Label::Job("a\nb".into());
        let fields = Fields {
            level: Level::Info,
            label: Some(&label),
            pid: None,
        };
        for format in [Format::Default, Format::Text, Format::Json] {
            assert_eq!(entry(format, &fields, b"x").lines().count(), 1);
        }
    }

    #[test]
    fn the_manual_shows_entries_as_they_are() {
        let (job, check) = (job(), Label::Check("check.app".into()));
        let entries: [(Level, Option<&Label>, Option<Pid>, &[u8]); 3] = [
            (Level::Info, Some(&job), Some(17), b"listening on port 80"),
            (Level::Info, Some(&check), Some(18), b"\"ok\""),
            (Level::Warn, None, None, b"slow"),
        ];
        let page = std::fs::read_to_string("docs/logging.md").unwrap_or_default();
        for (name, format) in [
            ("default", Format::Default),
            ("text", Format::Text),
            ("json", Format::Json),
        ] {
            let mut expected = format!("<!-- entries: {name} -->\n```text\n");
            for (level, label, pid, message) in entries {
                expected += &entry(format, &Fields { level, label, pid }, message);
            }
            assert!(page.contains(&format!("{expected}```\n")), "{expected}");
        }
    }
}
