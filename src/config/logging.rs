//! `logging`: what is logged, how and where to (SPEC §13).

use std::path::PathBuf;

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
