//! What the fuzz targets (`tests/fuzz`) need to see of this module besides its
//! interface. Compiled for them, and with the tests, so that it keeps up; it adds
//! no behaviour.

use crate::feed::{Found, Reader};
use crate::logging::{Log, lines_of};
use crate::message::Label;
use crate::ring::records;

use super::lines::{Lines, Stream};

/// Makes entries of output, and reads them back from the log's buffer.
pub struct Splitter {
    log: Log,
    reader: Reader,
}

impl Splitter {
    /// Into a log whose buffer holds all that one output makes.
    pub fn new(log: Log) -> Self {
        let reader = log.buffer().reader();
        Self { log, reader }
    }

    /// The entries of the job `app` with the pid 17 that prints these pieces.
    pub fn split<'p>(&mut self, pieces: impl Iterator<Item = &'p [u8]>) -> Vec<u8> {
        let (mut lines, mut entries) = (Lines::default(), Vec::new());
        let mut stream = Stream {
            label: Label::Job("app".into()),
            pid: 17,
            log: self.log.source(),
            tail: None,
            unfinished: Vec::new(),
        };
        for piece in pieces {
            for part in piece.chunks(lines.space().len()) {
                if let Some(space) = lines.space().get_mut(..part.len()) {
                    space.copy_from_slice(part);
                }
                lines.received(&mut stream, part.len());
                self.collect(&mut entries);
            }
        }
        lines.ended(&stream);
        self.collect(&mut entries);
        entries
    }

    fn collect(&mut self, entries: &mut Vec<u8>) {
        let mut out = Vec::new();
        while let Found::Records(_) = self.reader.read(&mut out, None) {
            for record in records(&out) {
                entries.extend_from_slice(lines_of(record, None).unwrap_or_default());
            }
        }
    }
}
