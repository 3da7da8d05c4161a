//! `when`: what starts a job (SPEC §3, §5).

use std::time::Duration;

use crate::event::{Code, Event, GLOBAL};

use super::decode::{Decode, Span, mismatch};
use super::findings::{Findings, Path};
use super::suggest;
use super::table::{Preset, Shape, object};
use super::value::Value;

/// The sources of [`Code::Signal`].
pub(crate) const SIGNALS: [&str; 2] = ["SIGHUP", "SIGUSR2"];

/// What starts a job.
#[derive(Clone, Debug, PartialEq)]
pub struct When {
    /// The event or the clock that starts it.
    pub start: Start,
    /// How long to wait for the first matching event.
    pub timeout: Option<Duration>,
}

/// The event or the clock that starts a job.
#[derive(Clone, Debug, PartialEq)]
pub enum Start {
    /// The first such event.
    Once(Event),
    /// Every such event.
    Each(Event),
    /// At startup, then at every such interval.
    Every(Duration),
}

impl Start {
    /// The event that starts the job; the clock of an interval starts at
    /// startup.
    pub fn event(&self) -> Event {
        match self {
            Self::Once(event) | Self::Each(event) => event.clone(),
            Self::Every(_) => Event::global(Code::Startup),
        }
    }
}

impl Default for When {
    fn default() -> Self {
        Self {
            start: Start::Once(Event::global(Code::Startup)),
            timeout: None,
        }
    }
}

object! {
    /// What starts a job, as the file has it.
    RawWhen in "job.when" {
        interval: Span<1> = "interval", Preset::Absent,
            "Runs the job at startup and then every so often; a tick during a run waits for its end.";
        source: String = "source", Preset::Depends("`global` for events of the whole supervisor"),
            "Whose event to wait for: a job's name, `watch.NAME`, or the signals `SIGHUP` and `SIGUSR2`, which need no `once` or `each`.";
        once: EventName = "once", Preset::Absent,
            "Starts the job at the first such event of the source.";
        each: EventName = "each", Preset::Absent,
            "Runs the job at every such event of the source, one run after the other.";
        timeout: Span<1> = "timeout", Preset::Absent,
            "Gives up waiting for the first event after this time: `timerExpired`, and the job is complete.";
    }
}

/// The name of an event that a job can wait for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct EventName(Code);

fn event_names() -> Vec<&'static str> {
    Code::config_names().collect()
}

impl Decode for EventName {
    const SHAPE: Shape = Shape::Vocabulary("event", event_names);
    const EMPTY_IS_ABSENT: bool = true;

    fn decode(value: Value<'_>, at: &Path<'_>, findings: &mut Findings) -> Option<Self> {
        let Value::Text(name) = &value else {
            return mismatch(&value, "the name of an event", at, findings);
        };
        let code = Code::from_config(name);
        if code.is_none() {
            let hint = suggest::hint(name, Code::config_names());
            let known = event_names().join(", ");
            findings.error(at, format!("{value} is no event ({known}){hint}"));
        }
        code.map(Self)
    }
}

impl RawWhen {
    /// What the settings mean together; anything if an error was added.
    pub(crate) fn into_spec(self, at: &Path<'_>, findings: &mut Findings) -> When {
        if self.faulty {
            return When::default();
        }
        let timeout = self.timeout.map(|Span(timeout)| timeout);
        match self.start(at, findings) {
            Ok(Start::Every(interval)) => {
                if timeout.is_some() {
                    findings.warn(&at.key("timeout"), "has no effect with \"interval\"");
                }
                When {
                    start: Start::Every(interval),
                    timeout: None,
                }
            }
            Ok(start) => When { start, timeout },
            Err(message) => {
                findings.error(at, message);
                When::default()
            }
        }
    }

    fn start(self, at: &Path<'_>, findings: &mut Findings) -> Result<Start, String> {
        let (once, each, source) = (self.once, self.each, self.source);
        match (self.interval, once, each) {
            (Some(Span(interval)), None, None) => {
                if source.is_some() {
                    findings.warn(&at.key("source"), "has no effect with \"interval\"");
                }
                Ok(Start::Every(interval))
            }
            (None, once, each)
                if source
                    .as_deref()
                    .is_some_and(|name| SIGNALS.contains(&name)) =>
            {
                if once.is_some() || each.is_some() {
                    let message =
                        "a signal needs no \"once\" or \"each\": the job runs at every one";
                    findings.warn(at, message);
                }
                Ok(Start::Each(Event::new(
                    Code::Signal,
                    source.unwrap_or_default(),
                )))
            }
            (None, Some(EventName(code)), None) => event(code, source).map(Start::Once),
            (None, None, Some(EventName(code))) => event(code, source).map(Start::Each),
            (None, None, None) => match source {
                None => Ok(When::default().start),
                Some(name) => Err(format!(
                    "which event of {name:?} to wait for is missing: name it with \"once\" or \"each\""
                )),
            },
            _ => Err("\"interval\", \"once\" and \"each\" exclude each other".to_owned()),
        }
    }
}

/// The event of a code and a source; that of a global event may be left out.
fn event(code: Code, source: Option<String>) -> Result<Event, String> {
    match source {
        Some(source) => Ok(Event::new(code, source)),
        None if code.is_global() => Ok(Event::new(code, GLOBAL)),
        None => Err("\"source\" is missing: a job's name, \"watch.NAME\" or a signal".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn when(text: &str) -> (When, Findings) {
        let mut findings = Findings::default();
        let at = Path::Root.key("when");
        let raw = RawWhen::decode(json5::from_str(text).unwrap(), &at, &mut findings);
        (raw.unwrap().into_spec(&at, &mut findings), findings)
    }

    #[test]
    fn jobs_start_at_what_when_says() {
        let once = |code, source| Start::Once(Event::new(code, source));
        for (text, start) in [
            ("{}", once(Code::Startup, "global")),
            ("{source: '', once: ''}", once(Code::Startup, "global")),
            ("{source: null}", once(Code::Startup, "global")),
            ("{once: 'startup'}", once(Code::Startup, "global")),
            ("{once: 'shutdown'}", once(Code::Shutdown, "global")),
            (
                "{source: 'global', once: 'shutdown'}",
                once(Code::Shutdown, "global"),
            ),
            (
                "{source: 'a', once: 'exitSuccess'}",
                once(Code::ExitSuccess, "a"),
            ),
            ("{source: 'a', once: 'stopping'}", once(Code::Stopping, "a")),
            (
                "{source: 'watch.b', each: 'changed'}",
                Start::Each(Event::new(Code::Changed, "watch.b")),
            ),
            (
                "{each: 'enterMaintenance'}",
                Start::Each(Event::global(Code::EnterMaintenance)),
            ),
            (
                "{source: 'SIGHUP'}",
                Start::Each(Event::new(Code::Signal, "SIGHUP")),
            ),
            (
                "{source: 'SIGUSR2'}",
                Start::Each(Event::new(Code::Signal, "SIGUSR2")),
            ),
            ("{interval: '1h'}", Start::Every(Duration::from_secs(3600))),
            ("{interval: 1}", Start::Every(Duration::from_secs(1))),
            ("{interval: '1ms'}", Start::Every(Duration::from_millis(1))),
        ] {
            let (when, findings) = when(text);
            assert_eq!(when.start, start, "{text}");
            assert!(findings.finish("").unwrap().is_empty(), "{text}");
        }
    }

    #[test]
    fn the_timeout_bounds_the_wait_for_an_event() {
        let (given, _) = when("{source: 'a', once: 'healthy', timeout: '2m'}");
        assert_eq!(given.timeout, Some(Duration::from_secs(120)));
        let (periodic, findings) = when("{interval: '5s', timeout: '2m', source: 'a'}");
        assert_eq!(periodic.timeout, None);
        let warnings: Vec<String> = findings
            .finish("")
            .unwrap()
            .iter()
            .map(ToString::to_string)
            .collect();
        assert_eq!(
            warnings,
            [
                "when.source: has no effect with \"interval\"",
                "when.timeout: has no effect with \"interval\"",
            ]
        );
    }

    #[test]
    fn contradictions_are_errors() {
        let exclude = "when: \"interval\", \"once\" and \"each\" exclude each other";
        for (text, error) in [
            ("{source: 'a', once: 'healthy', each: 'healthy'}", exclude),
            ("{interval: 1, once: 'startup'}", exclude),
            ("{interval: 1, each: 'startup'}", exclude),
            (
                "{source: 'a'}",
                "when: which event of \"a\" to wait for is missing: name it with \"once\" or \"each\"",
            ),
            (
                "{once: 'exitSuccess'}",
                "when: \"source\" is missing: a job's name, \"watch.NAME\" or a signal",
            ),
            (
                "{interval: 0}",
                "when.interval: 0 is shorter than 1ms, the least allowed",
            ),
            (
                "{interval: '999us'}",
                "when.interval: \"999us\" is shorter than 1ms, the least allowed",
            ),
            (
                "{source: 'a', event: 'exitSuccess'}",
                "when.event: unknown key; name the event with \"once\" or \"each\"",
            ),
            (
                "{source: 'a', once: 3}",
                "when.once: 3 is not the name of an event",
            ),
        ] {
            let errors = when(text).1.finish("").unwrap_err().to_string();
            assert_eq!(errors, error, "{text}");
        }
    }

    #[test]
    fn an_unknown_event_is_answered_with_the_known_ones() {
        let error = when("{source: 'a', once: 'helthy'}")
            .1
            .finish("")
            .unwrap_err();
        assert_eq!(
            error.to_string(),
            "when.once: \"helthy\" is no event (exitSuccess, exitFailed, stopping, stopped, healthy, \
             unhealthy, changed, timerExpired, enterMaintenance, exitMaintenance, startup, shutdown); \
             did you mean \"healthy\"?"
        );
    }

    #[test]
    fn a_signal_with_an_event_runs_at_every_signal() {
        let (when, findings) = when("{source: 'SIGHUP', once: 'healthy'}");
        assert_eq!(when.start, Start::Each(Event::new(Code::Signal, "SIGHUP")));
        assert_eq!(findings.finish("").unwrap().len(), 1);
    }
}
