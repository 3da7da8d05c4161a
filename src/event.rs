//! The documented vocabulary of events (SPEC §6): what jobs wait for and what
//! operators see.
//!
//! An event is a (code, source) pair. Everything else that moves between the
//! threads of the supervisor is a message or an action, never an event.

use std::fmt;
use std::sync::Arc;

use crate::printable::printable;

/// The source of startup, shutdown and the maintenance events.
pub const GLOBAL: &str = "global";

/// What happened, without where.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Code {
    /// A run ended with exit code 0.
    ExitSuccess,
    /// A run ended otherwise, was killed, or could not be started.
    ExitFailed,
    /// A job begins to complete.
    Stopping,
    /// A job has completed.
    Stopped,
    /// A health check passed, or a watched service has instances.
    Healthy,
    /// A health check failed, or a watched service has no instances.
    Unhealthy,
    /// The instances of a watched service changed.
    Changed,
    /// No matching event came within `when.timeout`.
    TimerExpired,
    /// Maintenance mode begins.
    EnterMaintenance,
    /// Maintenance mode ends.
    ExitMaintenance,
    /// An internal error was met.
    Error,
    /// One job was told to complete.
    Quit,
    /// A metric was pushed.
    Metric,
    /// Every job is subscribed; the first event of all.
    Startup,
    /// The supervisor begins to shut down.
    Shutdown,
    /// A signal that jobs can wait for arrived.
    Signal,
    /// The process of a run is there. It is shown to operators, and no job can
    /// wait for it.
    Started,
}

impl Code {
    /// Every code with its name in metrics and debug logs, and its name in the
    /// configuration if a `when` may wait for it.
    const NAMES: [(Self, &'static str, Option<&'static str>); 17] = [
        (Self::ExitSuccess, "ExitSuccess", Some("exitSuccess")),
        (Self::ExitFailed, "ExitFailed", Some("exitFailed")),
        (Self::Stopping, "Stopping", Some("stopping")),
        (Self::Stopped, "Stopped", Some("stopped")),
        (Self::Healthy, "StatusHealthy", Some("healthy")),
        (Self::Unhealthy, "StatusUnhealthy", Some("unhealthy")),
        (Self::Changed, "StatusChanged", Some("changed")),
        (Self::TimerExpired, "TimerExpired", Some("timerExpired")),
        (
            Self::EnterMaintenance,
            "EnterMaintenance",
            Some("enterMaintenance"),
        ),
        (
            Self::ExitMaintenance,
            "ExitMaintenance",
            Some("exitMaintenance"),
        ),
        (Self::Error, "Error", None),
        (Self::Quit, "Quit", None),
        (Self::Metric, "Metric", None),
        (Self::Startup, "Startup", Some("startup")),
        (Self::Shutdown, "Shutdown", Some("shutdown")),
        (Self::Signal, "Signal", None),
        (Self::Started, "Started", None),
    ];

    /// The name in metrics and debug logs, e.g. `StatusHealthy`.
    pub fn metric_name(self) -> &'static str {
        Self::NAMES
            .iter()
            .find(|(code, ..)| *code == self)
            .map_or("", |(_, name, _)| name)
    }

    /// The name in the stream of events: that of the configuration, if there is
    /// one.
    pub fn stream_name(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Quit => "quit",
            Self::Metric => "metric",
            Self::Signal => "signal",
            Self::Started => "started",
            _ => Self::NAMES
                .iter()
                .find(|(code, ..)| *code == self)
                .and_then(|(_, _, config)| *config)
                .unwrap_or_default(),
        }
    }

    /// The code whose number this is, as `code as u8` gives it.
    pub fn from_number(number: u8) -> Option<Self> {
        let mut codes = Self::NAMES.iter().map(|(code, ..)| *code);
        codes.find(|code| *code as u8 == number)
    }

    /// The code that a `when` names so, e.g. `exitSuccess`.
    pub fn from_config(name: &str) -> Option<Self> {
        Self::NAMES
            .iter()
            .find(|(_, _, config)| *config == Some(name))
            .map(|(code, ..)| *code)
    }

    /// The name that a `when` has for it, if it may wait for it.
    pub fn config_name(self) -> Option<&'static str> {
        Self::NAMES
            .iter()
            .find(|(code, ..)| *code == self)
            .and_then(|(_, _, name)| *name)
    }

    /// Every name that a `when` may use, in the order of the manual.
    pub fn config_names() -> impl Iterator<Item = &'static str> {
        Self::NAMES.iter().filter_map(|(_, _, config)| *config)
    }

    /// Whether something ends: only such events start jobs during shutdown.
    pub fn is_end(self) -> bool {
        matches!(self, Self::Stopping | Self::Stopped | Self::Shutdown)
    }

    /// Whether the source of this event is always [`GLOBAL`].
    pub fn is_global(self) -> bool {
        matches!(
            self,
            Self::Startup | Self::Shutdown | Self::EnterMaintenance | Self::ExitMaintenance
        )
    }
}

/// Something that happened, and where.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Event {
    /// What happened.
    pub code: Code,
    /// A job's name, `watch.NAME`, a signal's name, or [`GLOBAL`].
    pub source: Arc<str>,
}

impl Event {
    /// An event of one job, watch or signal.
    pub fn new(code: Code, source: impl Into<Arc<str>>) -> Self {
        Self {
            code,
            source: source.into(),
        }
    }

    /// An event of the whole supervisor.
    pub fn global(code: Code) -> Self {
        Self::new(code, GLOBAL)
    }
}

impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let source = printable(&self.source);
        write!(f, "{{{}, {source}}}", self.code.metric_name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_config_name_leads_back_to_its_code() {
        let names: Vec<_> = Code::config_names().collect();
        assert_eq!(names.len(), 12);
        for name in names {
            let code = Code::from_config(name);
            assert_eq!(code.and_then(Code::config_name), Some(name));
        }
        assert_eq!(Code::from_config("signal"), None);
        assert_eq!(
            Code::from_config("healthy").map(Code::metric_name),
            Some("StatusHealthy")
        );
    }

    #[test]
    fn every_code_has_a_number_and_a_name_in_the_stream() {
        let mut names = Vec::new();
        for (code, metric, config) in Code::NAMES {
            assert_eq!(Code::from_number(code as u8), Some(code));
            let name = code.stream_name();
            assert!(config.is_none_or(|config| config == name), "{metric}");
            assert!(!name.is_empty() && !names.contains(&name), "{metric}");
            names.push(name);
        }
        assert_eq!(Code::from_number(200), None);
    }

    #[test]
    fn events_print_as_the_debug_log_shows_them() {
        assert_eq!(
            Event::new(Code::ExitSuccess, "setup").to_string(),
            "{ExitSuccess, setup}"
        );
        assert_eq!(
            Event::global(Code::Startup).to_string(),
            "{Startup, global}"
        );
    }
}
