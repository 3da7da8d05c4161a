//! What the control plane answers without the supervisor: streams, which end when
//! their reader goes away or the supervisor stops (SPEC §16).
//!
//! Owns the table of these endpoints and how they read their queries. A stream
//! runs on a thread of the server that nothing else needs; it reads what others
//! have written down, and never makes them wait.

use std::io::{self, Write};

use super::api;
use super::path;
use super::request::Reply;
use crate::feed::{Found, Reader};
use crate::http::{Body, Response, StreamWriter};
use crate::journal::{self, Journal};
use crate::logging::{Buffer, lines_of};
use crate::ring::records;

/// One thing that can be followed.
#[derive(Debug)]
pub struct Endpoint {
    /// The path, which is also its name in metrics. The method is `GET`, and
    /// `HEAD` works too.
    pub path: &'static str,
    /// What it does, for the manual.
    pub summary: &'static str,
    /// What a query means.
    parse: fn(&str) -> Result<Query, Reply>,
}

/// `GET /v3/events`
pub static EVENTS: Endpoint = Endpoint {
    path: api::EVENTS,
    summary: "shows events as they happen, one JSON object a line",
    parse: events_query,
};

/// `GET /v3/logs`
pub static LOGS: Endpoint = Endpoint {
    path: api::LOGS,
    summary: "shows the last lines of the log, and what follows if that is wanted",
    parse: logs_query,
};

/// Every stream, in the order of the manual.
pub static STREAMS: [&Endpoint; 2] = [&EVENTS, &LOGS];

/// The stream of this path.
pub fn stream(path: &str) -> Option<&'static Endpoint> {
    STREAMS.into_iter().find(|endpoint| endpoint.path == path)
}

/// What somebody wants to follow.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Query {
    /// Events, from now on or those after a number.
    Events(Option<u64>),
    /// The log.
    Logs(Lines),
}

/// Which lines of the log.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Lines {
    /// Those of this job; all, if it is nobody's.
    job: Option<String>,
    /// The last ones of what there is.
    last: Option<u64>,
    /// And those that follow.
    follow: bool,
}

/// What streams read.
#[derive(Clone, Debug, Default)]
pub struct Sources {
    /// The events.
    pub journal: Journal,
    /// The last lines of the log.
    pub log: Buffer,
}

impl Endpoint {
    /// What a query is refused with, if it is.
    pub fn refusal_of(&self, query: &str) -> Option<Reply> {
        (self.parse)(query).err()
    }
}

impl Sources {
    /// The answer to a request for a stream; `unknown` refuses a name that no job
    /// has.
    pub(super) fn answer(
        &self,
        endpoint: &Endpoint,
        query: &str,
        unknown: impl FnOnce(&str) -> Option<Reply>,
    ) -> Result<Response, Reply> {
        match (endpoint.parse)(query)? {
            Query::Events(since) => Ok(events(&self.journal, since)),
            Query::Logs(lines) if self.log.is_on() => logs(&self.log, lines, unknown),
            Query::Logs(_) => Err(Reply::Refused {
                status: 409,
                message: "no lines of the log are kept: logging.buffer is 0".to_owned(),
            }),
        }
    }
}

/// `since=N`: those after the event of this number.
fn events_query(query: &str) -> Result<Query, Reply> {
    let mut since = None;
    for parameter in parameters(query) {
        match parameter {
            ("since", value) => since = Some(number("since", value)?),
            (name, _) => return Err(unknown(name, "since")),
        }
    }
    Ok(Query::Events(since))
}

/// `job=NAME`, percent-encoded, `lines=N` and `follow`.
fn logs_query(query: &str) -> Result<Query, Reply> {
    let mut lines = Lines::default();
    for (name, value) in parameters(query) {
        match (name, value) {
            ("job", value) => {
                let job = path::decode(value).filter(|name| !name.is_empty());
                lines.job = Some(job.ok_or_else(|| refuse(format!("job: {value:?} is no name")))?);
            }
            ("lines", value) => lines.last = Some(number("lines", value)?),
            ("follow", "" | "true" | "1") => lines.follow = true,
            ("follow", "false" | "0") => lines.follow = false,
            ("follow", value) => {
                let message = format!("follow: {value:?} is neither true nor false");
                return Err(refuse(message));
            }
            (name, _) => return Err(unknown(name, "job, lines, follow")),
        }
    }
    Ok(Query::Logs(lines))
}

/// The names and values of a query.
fn parameters(query: &str) -> impl Iterator<Item = (&str, &str)> {
    let parameters = query.split('&').filter(|parameter| !parameter.is_empty());
    parameters.map(|parameter| parameter.split_once('=').unwrap_or((parameter, "")))
}

fn number(name: &str, value: &str) -> Result<u64, Reply> {
    let digits = !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_digit());
    let number = value.parse().ok().filter(|_| digits);
    number.ok_or_else(|| refuse(format!("{name}: {value:?} is no number")))
}

fn unknown(name: &str, known: &str) -> Reply {
    refuse(format!("unknown parameter {name:?} (known: {known})"))
}

fn refuse(message: String) -> Reply {
    let status = 400;
    Reply::Refused { status, message }
}

/// Events as lines of JSON. What a reader asked for and is not there any more is
/// a line too; one that falls behind by more than the journal holds is told so,
/// and its stream ends.
fn events(journal: &Journal, since: Option<u64>) -> Response {
    let mut reader = journal.reader(since);
    let mut expected = since.map_or(reader.next_number(), |since| since.saturating_add(1));
    let mut has_begun = false;
    let source = move |out: &mut StreamWriter<'_>| {
        follow(&mut reader, out, |first, batch, out| {
            if first != expected && has_begun {
                let lost = first - expected;
                writeln!(out, r#"{{"end":"too slow: {lost} events are lost"}}"#)?;
                return Ok(false);
            }
            if first != expected {
                let after = expected - 1;
                writeln!(out, r#"{{"gap":{{"after":{after},"next":{first}}}}}"#)?;
            }
            has_begun = true;
            for (number, record) in (first..).zip(records(batch)) {
                journal::write_line(number, record, out)?;
                expected = number + 1;
            }
            Ok(true)
        })
    };
    Response {
        body: Body::Stream(Box::new(source)),
        ..Response::with_body(200, "application/x-ndjson", Vec::new())
    }
}

/// Lines as the log has them. A reader that falls behind goes on with what there
/// is, after a line that says so. A job may be gone whose lines are still there.
fn logs(
    log: &Buffer,
    lines: Lines,
    unknown: impl FnOnce(&str) -> Option<Reply>,
) -> Result<Response, Reply> {
    let mut reader = log.reader();
    let there = backlog(&mut reader, &lines);
    if there.is_empty()
        && let Some(refusal) = lines.job.as_deref().and_then(unknown)
    {
        return Err(refusal);
    }
    if !lines.follow {
        return Ok(Response::with_body(200, TEXT, there));
    }
    let log = log.clone();
    let source = move |out: &mut StreamWriter<'_>| {
        // Piece by piece, of which the writer makes copies.
        for piece in there.chunks(PIECE) {
            out.write_all(piece)?;
        }
        drop(there);
        let mut expected = reader.next_number();
        follow(&mut reader, out, |first, batch, out| {
            if first != expected {
                out.write_all(&log.notice("lines are left out: who follows the log is too slow"))?;
            }
            expected = first;
            for record in records(batch) {
                expected += 1;
                out.write_all(lines_of(record, lines.job.as_deref()).unwrap_or_default())?;
            }
            Ok(true)
        })
    };
    Ok(Response {
        body: Body::Stream(Box::new(source)),
        ..Response::with_body(200, TEXT, Vec::new())
    })
}

/// How much of what is there is handed over at once.
const PIECE: usize = 8 << 10;

/// The media type of lines for people.
pub(super) const TEXT: &str = "text/plain; charset=utf-8";

/// The lines that are there now.
fn backlog(reader: &mut Reader, lines: &Lines) -> Vec<u8> {
    let (mut text, mut batch) = (Vec::new(), Vec::new());
    let end = reader.newest_number();
    while reader.next_number() <= end
        && let Found::Records(_) = reader.read(&mut batch, None)
    {
        let wanted = records(&batch).filter_map(|record| lines_of(record, lines.job.as_deref()));
        wanted.for_each(|lines| text.extend_from_slice(lines));
    }
    if let Some(last) = lines.last {
        text.drain(..start_of_last(&text, last));
    }
    text
}

/// Where the last lines begin, so many of them.
fn start_of_last(text: &[u8], count: u64) -> usize {
    let newlines = text.iter().enumerate().rev();
    let mut newlines = newlines.filter(|(_, byte)| **byte == b'\n');
    let count = usize::try_from(count).unwrap_or(usize::MAX);
    newlines.nth(count).map_or(0, |(at, _)| at + 1)
}

/// Hands over what the reader finds, with the number of the first record, until
/// there is nothing more to come or `take` wants no more.
fn follow(
    reader: &mut Reader,
    out: &mut StreamWriter<'_>,
    mut take: impl FnMut(u64, &[u8], &mut StreamWriter<'_>) -> io::Result<bool>,
) -> io::Result<()> {
    let mut batch = Vec::new();
    loop {
        if out.is_stopping() {
            reader.end_here();
        }
        let waker = out.waker().clone();
        match reader.read(&mut batch, Some(&waker)) {
            Found::Records(first) => {
                if !take(first, &batch, out)? {
                    return Ok(());
                }
            }
            Found::Nothing => {
                // Silence may be long: it shall not hold memory.
                batch = Vec::new();
                out.wait()?;
            }
            Found::End => return Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn queries_say_what_is_wanted_or_are_refused() {
        for (query, since) in [("", None), ("since=0", Some(0)), ("&since=17&", Some(17))] {
            assert_eq!(events_query(query), Ok(Query::Events(since)), "{query}");
        }
        for (query, message) in [
            ("since", "since: \"\" is no number"),
            ("since=-1", "since: \"-1\" is no number"),
            ("since=+1", "since: \"+1\" is no number"),
            (
                "since=99999999999999999999",
                "since: \"99999999999999999999\" is no number",
            ),
            ("sinc=1", "unknown parameter \"sinc\" (known: since)"),
        ] {
            assert_eq!(events_query(query), Err(refuse(message.to_owned())));
        }
    }

    #[test]
    fn logs_are_wanted_of_one_job_or_all_so_many_lines_and_those_that_follow() {
        for (query, job, last, follow) in [
            ("", None, None, false),
            ("job=app&lines=5&follow", Some("app"), Some(5), true),
            ("follow=1&job=%2Fbin%2Fapp", Some("/bin/app"), None, true),
            ("follow=true&follow=false&lines=0", None, Some(0), false),
        ] {
            let job = job.map(str::to_owned);
            let lines = Lines { job, last, follow };
            assert_eq!(logs_query(query), Ok(Query::Logs(lines)), "{query}");
        }
        for (query, message) in [
            ("job=", "job: \"\" is no name"),
            ("job=%f", "job: \"%f\" is no name"),
            ("lines=all", "lines: \"all\" is no number"),
            ("follow=yes", "follow: \"yes\" is neither true nor false"),
            (
                "line=1",
                "unknown parameter \"line\" (known: job, lines, follow)",
            ),
        ] {
            assert_eq!(logs_query(query), Err(refuse(message.to_owned())));
        }
    }

    #[test]
    fn the_last_lines_are_found_from_the_end() {
        for (count, start) in [(0, 6), (1, 5), (2, 2), (3, 0), (9, 0), (u64::MAX, 0)] {
            assert_eq!(start_of_last(b"a\nbb\n\n", count), start, "{count}");
        }
        assert_eq!(start_of_last(b"", 1), 0);
    }

    #[test]
    fn every_path_leads_to_its_stream_and_to_no_endpoint_of_the_supervisors() {
        for endpoint in STREAMS {
            let found = stream(endpoint.path).map(|found| found.path);
            assert_eq!(found, Some(endpoint.path));
            assert!(api::endpoint(endpoint.path).is_none());
        }
        assert!(stream("/v3/event").is_none());
    }
}
