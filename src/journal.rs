//! The journal: the last events, for whoever wants to see them as they happen
//! (SPEC §16).
//!
//! The main loop publishes, the streams of the control plane read. Each event
//! has a number, which counts from 1 as long as the supervisor lives, and the
//! time at which it was published. What is written down is a copy, so that the
//! journal keeps nothing else alive.

use std::io::{self, Write};
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::config::logging::Format;
use crate::event::{Code, Event};
use crate::feed::{Feed, Reader};
use crate::logging::{Block, Moment};
use crate::ring::Limits;

/// What is kept: enough for minutes of a busy supervisor. The bytes are what a
/// thousand events of names up to fifty letters need.
const KEPT: Limits = Limits {
    bytes: 64 << 10,
    records: 1000,
};

/// The journal, to be cloned to whoever publishes or reads.
#[derive(Clone, Debug)]
pub struct Journal(Arc<Feed>);

impl Default for Journal {
    /// A journal without any event.
    fn default() -> Self {
        Self(Arc::new(Feed::new(KEPT)))
    }
}

impl Journal {
    /// Writes an event down, and wakes those who wait for it. Never waits.
    pub fn publish(&self, event: &Event) {
        self.publish_at(SystemTime::now(), event);
    }

    fn publish_at(&self, time: SystemTime, event: &Event) {
        let since_epoch = time.duration_since(UNIX_EPOCH).unwrap_or_default();
        // In 64 bits until the year 2554.
        let time = (since_epoch.as_nanos() as u64).to_ne_bytes();
        let code = [event.code as u8];
        self.0.push(&[&time, &code, event.source.as_bytes()]);
    }

    /// Publishes the last event, that the supervisor has stopped; those who
    /// read it have come to the end.
    pub fn close(&self) {
        self.publish(&Event::global(Code::Stopped));
        self.0.close();
    }

    /// Reads what is published from now on, or what came after an event.
    pub(crate) fn reader(&self, after: Option<u64>) -> Reader {
        match after {
            Some(number) => self.0.after(number),
            None => self.0.from_now_on(),
        }
    }
}

/// Writes the event of this number, as [`Journal::publish`] has written it down,
/// as a line of JSON.
pub(crate) fn write_line(number: u64, record: &[u8], out: &mut dyn Write) -> io::Result<()> {
    let Some((time, rest)) = record.split_first_chunk::<8>() else {
        return Ok(());
    };
    let Some((code, source)) = rest.split_first() else {
        return Ok(());
    };
    let since_epoch = Duration::from_nanos(u64::from_ne_bytes(*time));
    let mut time = Block::default();
    Moment::at(UNIX_EPOCH + since_epoch).write(Format::Json, &mut time);
    let time = String::from_utf8_lossy(time.as_slice());
    let code = Code::from_number(*code).map_or("", Code::stream_name);
    let source = serde_json::Value::from(String::from_utf8_lossy(source));
    writeln!(
        out,
        r#"{{"sequence":{number},"time":"{time}","code":"{code}","source":{source}}}"#
    )
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::feed::Found;
    use crate::ring::records;

    fn lines(journal: &Journal, after: u64) -> Vec<serde_json::Value> {
        let (mut reader, mut text) = (journal.reader(Some(after)), Vec::new());
        let mut out = Vec::new();
        while let Found::Records(first) = reader.read(&mut out, None) {
            for (number, record) in (first..).zip(records(&out)) {
                write_line(number, record, &mut text).unwrap();
            }
        }
        let lines = text.split(|byte| *byte == b'\n');
        let lines = lines.filter(|line| !line.is_empty());
        lines
            .map(|line| serde_json::from_slice(line).unwrap())
            .collect()
    }

    #[test]
    fn an_event_is_a_line_with_its_number_and_time() {
        let journal = Journal::default();
        let time = UNIX_EPOCH + Duration::new(1_700_000_000, 5);
        journal.publish_at(time, &Event::new(Code::ExitFailed, "a \"b\"\n"));
        journal.publish(&Event::global(Code::Shutdown));
        let found = lines(&journal, 0);
        assert_eq!(found[0]["sequence"], 1);
        assert_eq!(found[0]["code"], "exitFailed");
        assert_eq!(found[0]["source"], "a \"b\"\n");
        let time = found[0]["time"].as_str().unwrap();
        assert!(time.contains(":20.000000005"), "{time}");
        assert_eq!(lines(&journal, 1), found[1..]);
    }

    #[test]
    fn the_last_thousand_are_kept_and_the_end_is_one_of_them() {
        let journal = Journal::default();
        for _ in 0..1999 {
            journal.publish(&Event::new(Code::Healthy, "app"));
        }
        journal.close();
        let found = lines(&journal, 0);
        assert_eq!(found.len(), 1000);
        assert_eq!(found[0]["sequence"], 1001);
        let last = &found[999];
        assert_eq!(
            (&last["code"], &last["source"]),
            (&"stopped".into(), &"global".into())
        );
    }
}
