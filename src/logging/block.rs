//! The buffer in which entries are put together, and the copy that stops at
//! what must not be copied.
//!
//! Copying and searching are one pass over sixteen bytes at a time. The usual
//! way, a search and three calls of memcpy for every line, takes several times
//! as long where memcpy is made for long copies, as musl's is.

/// Bytes that grow at the end.
#[derive(Debug, Default)]
pub(crate) struct Block {
    /// Initialised well beyond what is in use, so that a copy may overshoot.
    bytes: Vec<u8>,
    used: usize,
}

/// How many bytes a copy handles at a time, and how far it may overshoot.
const STEP: usize = 16;

impl Block {
    /// What is in it.
    pub(crate) fn as_slice(&self) -> &[u8] {
        self.bytes.get(..self.used).unwrap_or_default()
    }

    /// How much is in it.
    pub(crate) fn len(&self) -> usize {
        self.used
    }

    /// Forgets all but the first `length` bytes.
    pub(crate) fn truncate(&mut self, length: usize) {
        self.used = self.used.min(length);
    }

    /// Appends one byte.
    pub(crate) fn push(&mut self, byte: u8) {
        self.reserve(1);
        if let Some(place) = self.bytes.get_mut(self.used) {
            *place = byte;
            self.used += 1;
        }
    }

    /// Appends bytes of any kind.
    pub(crate) fn append(&mut self, bytes: &[u8]) {
        self.reserve(bytes.len());
        let end = self.used + bytes.len();
        if let Some(place) = self.bytes.get_mut(self.used..end) {
            place.copy_from_slice(bytes);
            self.used = end;
        }
    }

    /// Appends what stands before the first special byte, and returns how much
    /// that was.
    pub(crate) fn copy<S: Special>(&mut self, bytes: &[u8]) -> usize {
        self.reserve(bytes.len());
        let place = self.bytes.get_mut(self.used..).unwrap_or_default();
        let copied = copy::<S>(place, bytes);
        self.used += copied;
        copied
    }

    /// Makes room for `more` bytes and the overshoot of a copy.
    fn reserve(&mut self, more: usize) {
        let needed = self.used + more + STEP;
        if needed > self.bytes.len() {
            self.bytes.resize(needed.next_power_of_two(), 0);
        }
    }
}

/// Copies to `to`, which must be longer by [`STEP`], up to the first special
/// byte of `from`, and returns how much that was. More may be overwritten.
fn copy<S: Special>(to: &mut [u8], from: &[u8]) -> usize {
    let (steps, rest) = from.as_chunks::<STEP>();
    let (places, _) = to.as_chunks_mut::<STEP>();
    let mut number = 0;
    // Counted by hand: what a size-optimised build makes of zipped iterators
    // costs as much as the copy.
    while let (Some(step), Some(place)) = (steps.get(number), places.get_mut(number)) {
        *place = *step;
        let plain = S::prefix(step);
        if plain < STEP {
            return number * STEP + plain;
        }
        number += 1;
    }
    let mut last = [b'a'; STEP];
    for (place, byte) in last.iter_mut().zip(rest) {
        *place = *byte;
    }
    if let Some(place) = places.get_mut(number) {
        *place = last;
    }
    number * STEP + S::prefix(&last).min(rest.len())
}

/// The position of the first newline.
pub(crate) fn find_newline(bytes: &[u8]) -> Option<usize> {
    let (steps, rest) = bytes.as_chunks::<STEP>();
    let found = steps.iter().map(Newline::prefix).enumerate();
    if let Some((step, plain)) = found.into_iter().find(|(_, plain)| *plain < STEP) {
        return Some(step * STEP + plain);
    }
    let position = rest.iter().position(|byte| *byte == b'\n')?;
    Some(steps.len() * STEP + position)
}

/// A set of bytes at which a copy stops.
pub(crate) trait Special {
    /// A word in which the high bit of a byte is set if the byte is special,
    /// or if a byte below it is.
    fn mask(word: u64) -> u64;

    /// How many bytes stand before the first special one.
    #[inline(always)]
    fn prefix(step: &[u8; STEP]) -> usize {
        let (words, _) = step.as_chunks::<8>();
        let mut plain = 0;
        for word in words {
            let mask = Self::mask(u64::from_le_bytes(*word));
            if mask != 0 {
                return plain + mask.trailing_zeros() as usize / 8;
            }
            plain += 8;
        }
        plain
    }
}

/// The end of a line.
pub(crate) struct Newline;

/// What a JSON string cannot hold as it is, and all that is not ASCII.
pub(crate) struct Json;

/// The same in text that is known to be UTF-8.
pub(crate) struct JsonText;

/// What a string of Go's cannot hold as it is, and all that is not ASCII.
pub(crate) struct Quoted;

/// The same in text that is known to be UTF-8, where the first byte of every
/// character that might be invisible counts.
pub(crate) struct QuotedText;

impl Special for Newline {
    #[inline(always)]
    fn mask(word: u64) -> u64 {
        equal(word, b'\n')
    }
}

impl Special for Json {
    #[inline(always)]
    fn mask(word: u64) -> u64 {
        JsonText::mask(word) | (word & HIGHS)
    }
}

impl Special for JsonText {
    #[inline(always)]
    fn mask(word: u64) -> u64 {
        below(word, b' ') | equal(word, b'"') | equal(word, b'\\')
    }
}

impl Special for Quoted {
    #[inline(always)]
    fn mask(word: u64) -> u64 {
        Json::mask(word) | equal(word, 0x7f)
    }
}

impl Special for QuotedText {
    #[inline(always)]
    fn mask(word: u64) -> u64 {
        // U+0800 to U+3FFF begin with 0xe0 to 0xe3.
        let low_three = equal(word & splat(0xfc), 0xe0);
        let others = equal(word, 0xc2) | equal(word, 0xef) | equal(word, 0xf3);
        JsonText::mask(word) | equal(word, 0x7f) | low_three | others
    }
}

const ONES: u64 = u64::MAX / 255;
const HIGHS: u64 = ONES << 7;

#[inline(always)]
const fn splat(byte: u8) -> u64 {
    ONES * byte as u64
}

/// The bytes that are `byte`, as [`Special::mask`] tells them.
#[inline(always)]
const fn equal(word: u64, byte: u8) -> u64 {
    below(word ^ splat(byte), 1)
}

/// The bytes below `limit`, which must be ASCII. A byte borrows from the one
/// above it only if it is itself below.
#[inline(always)]
const fn below(word: u64, limit: u8) -> u64 {
    word.wrapping_sub(splat(limit)) & !word & HIGHS
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Fails unless `S` stops at exactly the bytes that `is_special` names,
    /// wherever they stand.
    fn assert_stops<S: Special>(is_special: impl Fn(u8) -> bool) {
        for byte in 0..=u8::MAX {
            for length in 1..=40 {
                for position in 0..length {
                    // What follows must not matter, nor what precedes.
                    let mut bytes = vec![b'~'; length];
                    for (place, odd) in bytes.iter_mut().skip(position).zip([byte, b'\n', 0, 0xff])
                    {
                        *place = odd;
                    }
                    let next = bytes
                        .iter()
                        .position(|byte| is_special(*byte))
                        .unwrap_or(length);
                    let mut block = Block::default();
                    block.append(b"before ");
                    assert_eq!(block.copy::<S>(&bytes), next, "byte {byte:#x}: {bytes:?}");
                    assert_eq!(block.as_slice().strip_prefix(b"before "), bytes.get(..next));
                }
            }
        }
    }

    #[test]
    fn copies_stop_at_special_bytes_and_nowhere_else() {
        let json = |byte: u8| byte < b' ' || byte == b'"' || byte == b'\\';
        let suspect = |byte| matches!(byte, 0xc2 | 0xe0..=0xe3 | 0xef | 0xf3);
        assert_stops::<Newline>(|byte| byte == b'\n');
        assert_stops::<Json>(|byte| json(byte) || byte > 0x7f);
        assert_stops::<JsonText>(json);
        assert_stops::<Quoted>(|byte| json(byte) || byte >= 0x7f);
        assert_stops::<QuotedText>(|byte| json(byte) || byte == 0x7f || suspect(byte));
    }

    #[test]
    fn newlines_are_found_wherever_they_are() {
        for length in 0..70 {
            let mut bytes = vec![b'\x0b'; length];
            assert_eq!(find_newline(&bytes), None);
            for position in (0..length).rev() {
                if let Some(byte) = bytes.get_mut(position) {
                    *byte = b'\n';
                }
                assert_eq!(find_newline(&bytes), Some(position));
            }
        }
    }

    #[test]
    fn a_block_holds_what_was_put_in() {
        let mut block = Block::default();
        let mut expected = Vec::new();
        for number in 0..1000_usize {
            let bytes = vec![number as u8; number % 50];
            block.append(&bytes);
            expected.extend_from_slice(&bytes);
            block.push(b'\n');
            expected.push(b'\n');
            if number % 7 == 0 {
                block.truncate(block.len().saturating_sub(20));
                expected.truncate(expected.len().saturating_sub(20));
            }
            block.truncate(usize::MAX);
        }
        assert_eq!(block.as_slice(), expected);
        assert_eq!(block.len(), expected.len());
    }
}
