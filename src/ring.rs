//! The last records of a long row, in one buffer that never grows beyond a
//! limit: the oldest make room for new ones.
//!
//! Pure. A record is any bytes. It is known by its number, which counts from 1,
//! and found by where it begins in the row of all bytes that ever were, so that
//! going on where one has stopped costs no search. Nothing is allocated before
//! the first record.

use std::collections::VecDeque;

/// The bytes in front of each record that tell its length.
const HEADER: usize = 4;

/// The first allocation.
const SMALL: usize = 1 << 10;

/// See the module.
#[derive(Debug)]
pub(crate) struct Ring {
    bytes: VecDeque<u8>,
    oldest: Position,
    next: Position,
    limits: Limits,
}

/// What a ring may hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Limits {
    /// Bytes, with four for each record.
    pub(crate) bytes: usize,
    /// Records.
    pub(crate) records: u64,
}

/// The place of a record in the row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Position {
    /// The number of the record.
    pub(crate) number: u64,
    /// How many bytes came before it.
    offset: u64,
}

impl Ring {
    pub(crate) const fn new(limits: Limits) -> Self {
        let start = Position {
            number: 1,
            offset: 0,
        };
        Self {
            bytes: VecDeque::new(),
            oldest: start,
            next: start,
            limits,
        }
    }

    /// Appends the record that `parts` are together. One that is larger than the
    /// limit has a number and is lost.
    pub(crate) fn push(&mut self, parts: &[&[u8]]) {
        let length: usize = parts.iter().map(|part| part.len()).sum();
        let size = HEADER.saturating_add(length);
        let fits = size <= self.limits.bytes && u32::try_from(length).is_ok();
        let room = if fits { size } else { self.limits.bytes };
        self.make_room(room);
        self.next.number += 1;
        if !fits || self.limits.records == 0 {
            self.oldest = self.next;
            return;
        }
        self.grow(size);
        self.bytes.extend((length as u32).to_ne_bytes());
        for part in parts {
            self.bytes.extend(*part);
        }
        self.next.offset += size as u64;
    }

    /// Holds this much from now on.
    pub(crate) fn limit(&mut self, limits: Limits) {
        self.limits = limits;
        self.make_room(0);
        if self.bytes.capacity() > limits.bytes.max(SMALL) {
            self.bytes.shrink_to(limits.bytes);
        }
    }

    /// Where the oldest record is.
    pub(crate) fn oldest(&self) -> Position {
        self.oldest
    }

    /// Where the next record will be.
    pub(crate) fn next(&self) -> Position {
        self.next
    }

    /// Where the record of this number is, or the one that is nearest to it.
    pub(crate) fn find(&self, number: u64) -> Position {
        let mut position = self.oldest;
        while position.number < number && position.number < self.next.number {
            position = self.after(position);
        }
        position
    }

    /// Appends to `out` the records from `from` on and before `to`, each with its
    /// length in front, until there are `enough` bytes, and returns where the
    /// rest begins. What is there no longer is left out.
    pub(crate) fn read(
        &self,
        from: Position,
        to: Position,
        enough: usize,
        out: &mut Vec<u8>,
    ) -> Position {
        let mut end = if from.number < self.oldest.number {
            self.oldest
        } else {
            from
        };
        let begin = self.place(end);
        while end.offset < to.offset && self.place(end) - begin < enough {
            end = self.after(end);
        }
        let length = self.place(end) - begin;
        let (front, back) = self.bytes.as_slices();
        let in_front = front.get(begin..).unwrap_or_default();
        let in_front = in_front.get(..length).unwrap_or(in_front);
        out.extend_from_slice(in_front);
        let begin = begin.saturating_sub(front.len());
        let rest = length - in_front.len();
        out.extend_from_slice(back.get(begin..begin + rest).unwrap_or_default());
        end
    }

    /// Where the record is in the buffer.
    fn place(&self, position: Position) -> usize {
        (position.offset - self.oldest.offset) as usize
    }

    /// The position of the record after one that is there.
    fn after(&self, position: Position) -> Position {
        let place = self.place(position);
        let mut header = [0; HEADER];
        for (at, byte) in header.iter_mut().enumerate() {
            *byte = self.bytes.get(place + at).copied().unwrap_or_default();
        }
        Position {
            number: position.number + 1,
            offset: position.offset + HEADER as u64 + u64::from(u32::from_ne_bytes(header)),
        }
    }

    /// Drops the oldest records until one more of `size` bytes fits in.
    fn make_room(&mut self, size: usize) {
        let mut oldest = self.oldest;
        let limits = self.limits;
        let is_over = |oldest: Position| {
            let kept = (self.next.offset - oldest.offset) as usize;
            let count = self.next.number - oldest.number + u64::from(size > 0);
            kept + size > limits.bytes || count > limits.records
        };
        while oldest.number < self.next.number && is_over(oldest) {
            oldest = self.after(oldest);
        }
        self.bytes.drain(..self.place(oldest));
        self.oldest = oldest;
    }

    /// Twice as large as before is enough for a while; never beyond the limit.
    fn grow(&mut self, size: usize) {
        let needed = self.bytes.len() + size;
        if needed > self.bytes.capacity() {
            let capacity = needed.next_power_of_two().max(SMALL);
            let capacity = capacity.min(self.limits.bytes).max(needed);
            self.bytes.reserve_exact(capacity - self.bytes.len());
        }
    }
}

/// The records in what [`Ring::read`] has appended.
pub(crate) fn records(mut bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
    std::iter::from_fn(move || {
        let (header, rest) = bytes.split_first_chunk::<HEADER>()?;
        let (record, rest) = rest.split_at_checked(u32::from_ne_bytes(*header) as usize)?;
        bytes = rest;
        Some(record)
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn ring(bytes: usize, records: u64) -> Ring {
        Ring::new(Limits { bytes, records })
    }

    /// The records from a position on, and the number of the first.
    fn all(ring: &Ring, from: Position, enough: usize) -> (u64, Vec<String>) {
        let mut found = Vec::new();
        let first = from.number.max(ring.oldest().number);
        let mut position = from;
        loop {
            let mut out = Vec::new();
            position = ring.read(position, ring.next(), enough, &mut out);
            if out.is_empty() {
                return (first, found);
            }
            let texts = records(&out).map(|record| String::from_utf8(record.to_vec()).unwrap());
            found.extend(texts);
        }
    }

    #[test]
    fn it_holds_the_last_records_whatever_their_sizes_and_limits() {
        for (bytes, most) in [(0, 9), (3, 9), (40, 9), (100, 3), (100, 0), (1000, 1000)] {
            let mut ring = ring(bytes, most);
            let mut model: Vec<String> = Vec::new();
            for number in 0..500_usize {
                let text = format!("{number}").repeat(number % 7);
                ring.push(&[text.as_bytes(), b"", b"."]);
                model.push(text + ".");
                if model.last().unwrap().len() + HEADER > bytes {
                    model.clear();
                }
                let size = |model: &[String]| model.iter().map(|r| r.len() + HEADER).sum::<usize>();
                while model.len() as u64 > most || size(&model) > bytes {
                    model.remove(0);
                }
                let first = number as u64 + 2 - model.len() as u64;
                for enough in [1, 30, 10_000] {
                    let found = all(&ring, ring.oldest(), enough);
                    assert_eq!(found, (first, model.clone()), "{bytes} {most} {number}");
                }
            }
            assert!(ring.bytes.capacity() <= bytes.max(SMALL), "{bytes}");
        }
    }

    #[test]
    fn records_are_found_by_their_number_and_what_is_gone_is_left_out() {
        let mut ring = ring(1000, 5);
        let start = ring.next();
        for number in 1..=9 {
            ring.push(&[format!("{number}").as_bytes()]);
        }
        for (number, first) in [(0, 5), (4, 5), (5, 5), (7, 7), (10, 10), (99, 10)] {
            assert_eq!(ring.find(number).number, first);
        }
        assert_eq!(all(&ring, start, 1).1, ["5", "6", "7", "8", "9"]);
        assert_eq!(all(&ring, ring.find(8), 100).1, ["8", "9"]);
    }

    #[test]
    fn a_lower_limit_drops_the_oldest_and_gives_memory_back() {
        let mut ring = ring(64 << 10, u64::MAX);
        for _ in 0..2000 {
            ring.push(&[&[b'x'; 96]]);
        }
        let (bytes, records) = (4 << 10, u64::MAX);
        ring.limit(Limits { bytes, records });
        assert_eq!(ring.next().number - ring.oldest().number, 40);
        assert!(ring.bytes.capacity() <= 4 << 10);
        ring.limit(Limits { bytes: 0, records });
        assert_eq!(ring.oldest(), ring.next());
    }

    #[test]
    fn nothing_is_allocated_before_the_first_record() {
        let mut ring = ring(64 << 10, 10);
        assert_eq!(ring.bytes.capacity(), 0);
        ring.push(&[b"x"]);
        assert!(ring.bytes.capacity() <= SMALL);
    }
}
