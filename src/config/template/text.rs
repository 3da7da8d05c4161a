//! Strings as Go has them: bytes that are usually, not always, UTF-8.
//!
//! [`Text`] is cheap to copy; [`Buffer`] is how every new one is made, and what
//! keeps it from growing without bound.

use std::ops::Deref;
use std::rc::Rc;

use super::{MAX_BYTES, MAX_ITEMS};

/// A string: a piece of the template or of the environment, or a new one.
#[derive(Clone, Debug)]
pub(super) enum Text<'a> {
    /// Lives in the template or in the environment.
    Borrowed(&'a [u8]),
    /// Was made while rendering.
    Shared(Rc<[u8]>),
}

impl Deref for Text<'_> {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match self {
            Self::Borrowed(bytes) => bytes,
            Self::Shared(bytes) => bytes,
        }
    }
}

impl<'a> From<&'a str> for Text<'a> {
    fn from(text: &'a str) -> Self {
        Self::Borrowed(text.as_bytes())
    }
}

impl From<Vec<u8>> for Text<'_> {
    fn from(bytes: Vec<u8>) -> Self {
        Self::Shared(bytes.into())
    }
}

impl Text<'_> {
    /// The bytes from `start` to `end`; none if that is no range of them.
    pub(super) fn part(&self, start: usize, end: usize) -> Self {
        match self {
            Self::Borrowed(bytes) => Self::Borrowed(bytes.get(start..end).unwrap_or_default()),
            Self::Shared(bytes) => Self::Shared(bytes.get(start..end).unwrap_or_default().into()),
        }
    }

    /// Without the white space at both ends.
    pub(super) fn trimmed(&self) -> Self {
        if let Ok(text) = std::str::from_utf8(self) {
            let start = text.len() - text.trim_start().len();
            return self.part(start, start + text.trim().len());
        }
        let mut kept: Option<(usize, usize)> = None;
        for (at, rune, bytes) in runes(self) {
            if !rune.is_whitespace() {
                kept = Some((kept.map_or(at, |(start, _)| start), at + bytes.len()));
            }
        }
        let (start, end) = kept.unwrap_or_default();
        self.part(start, end)
    }
}

/// The characters of `bytes` with their offsets and bytes. Each byte that does
/// not belong to a valid character counts as one U+FFFD, as in Go.
pub(super) fn runes(bytes: &[u8]) -> impl Iterator<Item = (usize, char, &[u8])> {
    let chunks = bytes.utf8_chunks().flat_map(|chunk| {
        let valid = chunk.valid();
        let valid = valid
            .char_indices()
            .map(|(at, c)| (c, valid.as_bytes().get(at..at + c.len_utf8())));
        let invalid = chunk.invalid().chunks(1);
        valid.chain(invalid.map(|byte| (char::REPLACEMENT_CHARACTER, Some(byte))))
    });
    chunks.scan(0, |end, (rune, bytes)| {
        let bytes = bytes.unwrap_or_default();
        let at = *end;
        *end += bytes.len();
        Some((at, rune, bytes))
    })
}

/// Whether Go's `unicode.IsPrint` holds: letters, marks, numbers, punctuation,
/// symbols and the ASCII space.
pub(super) fn is_printable(rune: char) -> bool {
    // `escape_debug` knows the table. It also escapes a mark that begins a
    // string, hence the letter before it, and quotes, which are ASCII.
    let mut buffer = [b'a'; 5];
    let length = 1 + rune.encode_utf8(&mut buffer[1..]).len();
    let text = std::str::from_utf8(buffer.get(..length).unwrap_or_default()).unwrap_or_default();
    match rune {
        ' '..='~' => true,
        _ => text.escape_debug().eq(text.chars()),
    }
}

/// Where `needle` occurs in `haystack`, from left to right without overlaps. An
/// empty needle occurs before each character and at the end.
pub(super) fn occurrences(haystack: &[u8], needle: &[u8]) -> Result<Vec<usize>, String> {
    let valid = (std::str::from_utf8(haystack), std::str::from_utf8(needle));
    let found: Vec<usize> = if let (Ok(haystack), Ok(needle)) = valid {
        let matches = haystack.match_indices(needle).map(|(at, _)| at);
        matches.take(MAX_ITEMS + 1).collect()
    } else if needle.is_empty() {
        let starts = runes(haystack).map(|(at, ..)| at).chain([haystack.len()]);
        starts.take(MAX_ITEMS + 1).collect()
    } else {
        let mut free_from = 0;
        let windows = haystack.windows(needle.len()).enumerate();
        let matches = windows.filter(|(at, window)| {
            let found = *at >= free_from && *window == needle;
            free_from = if found { at + needle.len() } else { free_from };
            found
        });
        matches.map(|(at, _)| at).take(MAX_ITEMS + 1).collect()
    };
    if found.len() > MAX_ITEMS {
        return Err(format!(
            "the text has more than {MAX_ITEMS} places to change"
        ));
    }
    Ok(found)
}

/// A string in the making, of at most [`MAX_BYTES`].
#[derive(Debug, Default)]
pub(super) struct Buffer {
    bytes: Vec<u8>,
    is_full: bool,
}

impl Buffer {
    /// Appends `bytes`; drops them, and everything later, if that is too much.
    pub(super) fn push(&mut self, bytes: &[u8]) {
        if self.has_room(bytes.len()) {
            self.bytes.extend_from_slice(bytes);
        }
    }

    /// Appends `count` times `byte`.
    pub(super) fn fill(&mut self, byte: u8, count: usize) {
        if self.has_room(count) {
            self.bytes.resize(self.bytes.len() + count, byte);
        }
    }

    /// Appends one character.
    pub(super) fn push_char(&mut self, rune: char) {
        self.push(rune.encode_utf8(&mut [0; 4]).as_bytes());
    }

    fn has_room(&mut self, count: usize) -> bool {
        self.is_full |= self.bytes.len().saturating_add(count) > MAX_BYTES;
        !self.is_full
    }

    /// Whether something had to be dropped.
    pub(super) fn is_full(&self) -> bool {
        self.is_full
    }

    /// The bytes, unless some had to be dropped.
    pub(super) fn finish(self) -> Result<Vec<u8>, String> {
        if self.is_full {
            return Err(format!(
                "the text would become longer than {MAX_BYTES} bytes"
            ));
        }
        Ok(self.bytes)
    }
}
