//! `logging`: what is logged, how and where to (SPEC §13).

use std::path::PathBuf;

use super::decode::Word;
use super::table::{Preset, object};

/// The supervisor's log.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LoggingSpec {
    /// The least severe level that is logged.
    pub level: Level,
    /// How an entry looks.
    pub format: Format,
    /// Where entries go.
    pub output: LogOutput,
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
    }
}

impl RawLogging {
    /// The supervisor's log.
    pub(crate) fn into_spec(self) -> LoggingSpec {
        let output = self.output.unwrap_or_default();
        LoggingSpec {
            level: self.level.unwrap_or_default(),
            format: self.format.unwrap_or_default(),
            output: if output.eq_ignore_ascii_case("stdout") {
                LogOutput::Stdout
            } else if output.eq_ignore_ascii_case("stderr") {
                LogOutput::Stderr
            } else {
                LogOutput::File(output.into())
            },
        }
    }
}
