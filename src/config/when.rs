//! `when`: what starts a job (SPEC §3, §5, §15).

use std::time::Duration;

use crate::event::{Code, Event, GLOBAL};
use crate::sorted::SortedMap;

use super::decode::{Decode, Items, Object, Span, mismatch};
use super::findings::{Findings, Path};
use super::suggest;
use super::table::{Preset, Shape, object};
use super::value::Value;

#[cfg(test)]
mod tests;

/// The sources of [`Code::Signal`].
pub(crate) const SIGNALS: [&str; 2] = ["SIGHUP", "SIGUSR2"];

/// What starts a job.
#[derive(Clone, Debug, Default, PartialEq, Hash)]
pub struct When {
    /// The events or the clock that start it.
    pub start: Start,
    /// How long to wait for the first start.
    pub timeout: Option<Duration>,
}

/// The events or the clock that start a job. No list is empty, and none has an
/// event twice.
#[derive(Clone, Debug, PartialEq, Hash)]
pub enum Start {
    /// Once, when each of these has happened.
    All(Vec<Event>),
    /// At each of these.
    Any(Vec<Condition>),
    /// At startup, then at every such interval.
    Every(Duration),
}

/// An event that starts a job by itself.
#[derive(Clone, Debug, PartialEq, Hash)]
pub struct Condition {
    /// The event.
    pub event: Event,
    /// Whether it does so every time, and not only the first.
    pub each: bool,
}

impl Start {
    /// At the first such event.
    pub fn once(event: Event) -> Self {
        Self::All(vec![event])
    }

    /// At every such event.
    pub fn each(event: Event) -> Self {
        Self::Any(vec![Condition { event, each: true }])
    }

    /// At any of these. The first of only one event is all that is waited for.
    fn any(conditions: Vec<Condition>) -> Self {
        match <[Condition; 1]>::try_from(conditions) {
            Ok([Condition { event, each: false }]) => Self::once(event),
            Ok(only) => Self::Any(only.into()),
            Err(conditions) => Self::Any(conditions),
        }
    }

    /// The events that are waited for; a clock waits for none.
    pub fn events(&self) -> impl Iterator<Item = &Event> {
        let (all, any): (&[Event], &[Condition]) = match self {
            Self::All(events) => (events, &[]),
            Self::Any(conditions) => (&[], conditions),
            Self::Every(_) => (&[], &[]),
        };
        let any = any.iter().map(|condition| &condition.event);
        all.iter().chain(any)
    }

    /// Whether one of them is the end of something: a job that waits for it may start
    /// during shutdown.
    pub fn is_by_an_end(&self) -> bool {
        self.events().any(|event| event.code.is_end())
    }

    /// The events that the job has to be told of: a clock begins at startup.
    pub fn subscriptions(&self) -> Vec<Event> {
        match self {
            Self::All(_) | Self::Any(_) => self.events().cloned().collect(),
            Self::Every(_) => vec![Event::global(Code::Startup)],
        }
    }

    /// Whether `event` starts a run every time.
    pub fn repeats_at(&self, event: &Event) -> bool {
        let Self::Any(conditions) = self else {
            return false;
        };
        let mut each = conditions.iter().filter(|condition| condition.each);
        each.any(|condition| condition.event == *event)
    }
}

impl Default for Start {
    /// At startup.
    fn default() -> Self {
        Self::once(Event::global(Code::Startup))
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
        all: Items<RawRequirement> = "all", Preset::Absent,
            "Starts the job once, when each of these has happened, in whatever order.";
        any: Items<RawAlternative> = "any", Preset::Absent,
            "Runs the job at each of these, one run after the other.";
        timeout: Span<1> = "timeout", Preset::Absent,
            "Gives up waiting for the first start after this time: `timerExpired`, and the job is complete.";
    }
}

object! {
    /// One of several conditions that all must be met, as the file has it.
    RawRequirement in "job.when.all" {
        source: String = "source", Preset::Depends("`global` for events of the whole supervisor"),
            "Whose event to wait for, as in `when`.";
        once: EventName = "once", Preset::Depends("required, but for a signal"),
            "The event that must have happened, at least once.";
    }
}

object! {
    /// One of several conditions that each start a run, as the file has it.
    RawAlternative in "job.when.any" {
        source: String = "source", Preset::Depends("`global` for events of the whole supervisor"),
            "Whose event to wait for, as in `when`.";
        once: EventName = "once", Preset::Absent,
            "Runs the job at the first such event of the source.";
        each: EventName = "each", Preset::Absent,
            "Runs the job at every such event of the source.";
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
        let (interval, all, any) = (self.interval, self.all, self.any);
        let plain = RawAlternative {
            source: self.source,
            once: self.once,
            each: self.each,
            faulty: false,
        };
        let event = !plain.is_signal() && (plain.once.is_some() || plain.each.is_some());
        let ways = [interval.is_some(), event, all.is_some(), any.is_some()];
        if ways.iter().filter(|is_given| **is_given).count() > 1 {
            return Err(EXCLUDE.to_owned());
        }
        if let Some(Span(interval)) = interval {
            if plain.source.is_some() {
                findings.warn(&at.key("source"), "has no effect with \"interval\"");
            }
            return Ok(Start::Every(interval));
        }
        if let Some(start) = of_lists(all, any, at, findings) {
            let message = "\"source\" belongs into each of the conditions of \"all\" or \"any\"";
            return match plain.source {
                None => Ok(start),
                Some(_) => Err(message.to_owned()),
            };
        }
        if !event && plain.source.is_none() {
            return Ok(Start::default());
        }
        let condition = plain.into_condition(at, findings)?;
        Ok(Start::any(vec![condition]))
    }
}

/// What one of the two lists says, if there is one.
fn of_lists(
    all: Option<Items<RawRequirement>>,
    any: Option<Items<RawAlternative>>,
    at: &Path<'_>,
    findings: &mut Findings,
) -> Option<Start> {
    if let Some(all) = all {
        let (at, read) = (at.key("all"), RawRequirement::into_event);
        let events = meanings(all, &at, findings, read, |event| event);
        return Some(Start::All(events));
    }
    let (at, read) = (at.key("any"), RawAlternative::into_condition);
    let conditions = meanings(any?, &at, findings, read, |condition| &condition.event);
    Some(Start::any(conditions))
}

const EXCLUDE: &str = "\"interval\", \"once\", \"each\", \"all\" and \"any\" exclude each other";

impl RawAlternative {
    fn is_signal(&self) -> bool {
        self.source.as_deref().is_some_and(is_signal)
    }

    /// What starts a run, or what is missing or too much.
    fn into_condition(self, at: &Path<'_>, findings: &mut Findings) -> Result<Condition, String> {
        if self.is_signal() {
            if self.once.is_some() || self.each.is_some() {
                let message = "a signal needs no \"once\" or \"each\": the job runs at every one";
                findings.warn(at, message);
            }
            let event = Event::new(Code::Signal, self.source.unwrap_or_default());
            return Ok(Condition { event, each: true });
        }
        let each = self.each.is_some();
        match (self.once, self.each) {
            (Some(_), Some(_)) => Err(EXCLUDE.to_owned()),
            (Some(EventName(code)), None) | (None, Some(EventName(code))) => {
                let event = event(code, self.source)?;
                Ok(Condition { event, each })
            }
            (None, None) => Err(nameless(self.source, "with \"once\" or \"each\"")),
        }
    }
}

impl RawRequirement {
    /// What must have happened, or what is missing.
    fn into_event(self, at: &Path<'_>, findings: &mut Findings) -> Result<Event, String> {
        if self.source.as_deref().is_some_and(is_signal) {
            if self.once.is_some() {
                findings.warn(at, "a signal needs no \"once\"");
            }
            return Ok(Event::new(Code::Signal, self.source.unwrap_or_default()));
        }
        match self.once {
            Some(EventName(code)) => event(code, self.source),
            None => Err(nameless(self.source, "with \"once\"")),
        }
    }
}

fn is_signal(source: &str) -> bool {
    SIGNALS.contains(&source)
}

/// What to tell of a condition that names no event.
fn nameless(source: Option<String>, how: &str) -> String {
    let of = source.map_or(String::new(), |source| format!(" of {source:?}"));
    format!("which event{of} to wait for is missing: name it {how}")
}

/// What each item of a list means; one that means nothing is an error.
fn meanings<T: Object, M>(
    list: Items<T>,
    at: &Path<'_>,
    findings: &mut Findings,
    meaning: impl Fn(T, &Path<'_>, &mut Findings) -> Result<M, String>,
    event: impl Fn(&M) -> &Event,
) -> Vec<M> {
    let before = findings.error_count();
    let mut found = Vec::new();
    list.each(at, |raw, at| match meaning(raw, at, findings) {
        Ok(meaning) => found.push(meaning),
        Err(message) => findings.error(at, message),
    });
    if findings.error_count() == before {
        check_list(found.iter().map(event), at, findings);
    }
    found
}

/// A list that says nothing, or something twice, is not what was meant.
fn check_list<'e>(events: impl Iterator<Item = &'e Event>, at: &Path<'_>, findings: &mut Findings) {
    let mut seen: SortedMap<&Event, usize> = SortedMap::new();
    let mut count = 0;
    for (index, event) in events.enumerate() {
        count += 1;
        if let Some(first) = seen.insert(event, index) {
            let message = format!("is the event of [{first}], too: name it once");
            findings.error(&Path::Index(at, index), message);
        }
    }
    if count == 0 {
        let message = "is empty: name an event, or leave it out to start at startup";
        findings.error(at, message);
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
