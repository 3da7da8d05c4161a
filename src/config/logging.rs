//! `logging`: what is logged, how and where to (SPEC §13).

use std::path::PathBuf;

use super::decode::{Bytes, Integer, Word};
use super::findings::{Findings, Path};
use super::table::{Preset, object};

/// The most that may be kept in memory.
const LARGEST_BUFFER: u64 = 16 << 20;

/// The least size of a file that is worth being rotated.
const SMALLEST_FILE: u64 = 4 << 10;

/// How many old files are kept unless something else is said.
const KEPT: i64 = 3;

/// The supervisor's log.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LoggingSpec {
    /// The least severe level that is logged.
    pub level: Level,
    /// How an entry looks.
    pub format: Format,
    /// Where entries go.
    pub output: LogOutput,
    /// When a new file is begun, if the output is a file that may not grow for
    /// ever.
    pub rotation: Option<Rotation>,
    /// How many bytes of the last lines are kept in memory; 0 for none.
    pub buffer: usize,
}

/// When a log file is moved away, and for how long it is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rotation {
    /// The file does not grow beyond so many bytes.
    pub max_size: u64,
    /// How many old files there may be.
    pub keep: u32,
}

/// The levels of the configuration, which are logrus's.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Level {
    /// Everything.
    Debug,
    /// What an operator wants to know.
    #[default]
    Info,
    /// What may need attention.
    Warn,
    /// What failed.
    Error,
    /// Only what ends the supervisor.
    Fatal,
    /// As [`Level::Fatal`].
    Panic,
}

/// How an entry looks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Format {
    /// `TIME job pid message`.
    #[default]
    Default,
    /// logrus's `key=value` pairs.
    Text,
    /// One JSON object a line.
    Json,
}

/// Where entries go.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum LogOutput {
    /// The supervisor's standard output.
    #[default]
    Stdout,
    /// The supervisor's standard error.
    Stderr,
    /// A file, opened for appending and again on SIGUSR1.
    File(PathBuf),
}

impl Format {
    /// The format whose number this is, as `format as u8` gives it.
    pub(crate) fn from_number(number: u8) -> Self {
        let mut formats = Self::WORDS.iter().map(|(_, format)| *format);
        formats
            .find(|format| *format as u8 == number)
            .unwrap_or_default()
    }
}

impl Word for Level {
    const WORDS: &'static [(&'static str, Self)] = &[
        ("DEBUG", Self::Debug),
        ("INFO", Self::Info),
        ("WARN", Self::Warn),
        ("WARNING", Self::Warn),
        ("ERROR", Self::Error),
        ("FATAL", Self::Fatal),
        ("PANIC", Self::Panic),
    ];
}

impl Word for Format {
    const WORDS: &'static [(&'static str, Self)] = &[
        ("default", Self::Default),
        ("text", Self::Text),
        ("json", Self::Json),
    ];
}

object! {
    /// The supervisor's log, as the file has it.
    RawLogging in "logging" {
        level: Level = "level", Preset::Text("INFO"),
            "The least severe level that is logged; what jobs write is logged at INFO.";
        format: Format = "format", Preset::Text("default"),
            "How an entry looks: `TIME [job] [pid] message`, logrus's `key=value` pairs, or one JSON object a line.";
        output: String = "output", Preset::Text("stdout"),
            "`stdout`, `stderr`, or the path of a file, which is opened again at SIGUSR1.";
        max_size: Bytes<SMALLEST_FILE, { u64::MAX }> = "maxSize", Preset::Absent,
            "A file that would grow beyond this is renamed to `FILE.1`, what was that to `FILE.2` and so on, and a new one begun.";
        keep: Integer<0, 999> = "keep", Preset::Integer(KEPT),
            "How many of these old files are kept.";
        buffer: Bytes<0, LARGEST_BUFFER> = "buffer", Preset::Text("64KiB"),
            "How much of the end of the log is kept in memory for `-logs`; `0` for nothing.";
    }
}

impl RawLogging {
    /// The supervisor's log.
    pub(crate) fn into_spec(self, at: &Path<'_>, findings: &mut Findings) -> LoggingSpec {
        let output = self.output.unwrap_or_default();
        let output = if output.eq_ignore_ascii_case("stdout") {
            LogOutput::Stdout
        } else if output.eq_ignore_ascii_case("stderr") {
            LogOutput::Stderr
        } else {
            LogOutput::File(output.into())
        };
        let keep = self.keep.unwrap_or_default().0;
        let rotation = self.max_size.map(|Bytes(max_size)| Rotation {
            max_size,
            keep: u32::try_from(keep).unwrap_or_default(),
        });
        if rotation.is_some() && !matches!(output, LogOutput::File(_)) {
            let message = "is without effect: only a file is rotated, and the output is none";
            findings.warn(&at.key("maxSize"), message);
        }
        let max_size = at.key("maxSize");
        if rotation.is_none() && keep != KEPT && !findings.is_refused(&max_size) {
            let message = "has no effect without \"maxSize\": no file is rotated";
            findings.warn(&at.key("keep"), message);
        }
        LoggingSpec {
            level: self.level.unwrap_or_default(),
            format: self.format.unwrap_or_default(),
            output,
            rotation,
            buffer: self.buffer.unwrap_or_default().0 as usize,
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::super::decode::Decode;
    use super::*;

    #[test]
    fn what_rotates_nothing_is_a_warning() {
        for (text, warning) in [
            ("{}", None),
            ("{output: '/log', maxSize: '4KiB', keep: 9}", None),
            (
                "{maxSize: '4KiB'}",
                Some(
                    "logging.maxSize: is without effect: only a file is rotated, and the output is none",
                ),
            ),
            (
                "{output: '/log', keep: 9}",
                Some("logging.keep: has no effect without \"maxSize\": no file is rotated"),
            ),
        ] {
            let mut findings = Findings::default();
            let at = Path::Root.key("logging");
            let raw = RawLogging::decode(json5::from_str(text).unwrap(), &at, &mut findings);
            raw.unwrap().into_spec(&at, &mut findings);
            let warnings = findings.finish("").unwrap().into_iter();
            let shown: Vec<String> = warnings.map(|warning| warning.to_string()).collect();
            assert_eq!(shown, Vec::from_iter(warning), "{text}");
        }
    }

    #[test]
    fn a_size_that_is_refused_is_not_called_missing() {
        let mut findings = Findings::default();
        let at = Path::Root.key("logging");
        let text = json5::from_str("{output: '/log', maxSize: 'x', keep: 9}").unwrap();
        let raw = RawLogging::decode(text, &at, &mut findings);
        raw.unwrap().into_spec(&at, &mut findings);
        assert_eq!(findings.finish("").unwrap_err().into_all().len(), 1);
    }
}
