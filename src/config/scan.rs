//! Brackets, strings and comments of a JSON5 text, without its grammar.
//!
//! Bounds the depth before a parser that recurses sees the text, and tells what
//! surrounds the place of an error. It never fails: a text that is no JSON5
//! gives some state, too.

/// What surrounds a place in a text.
#[derive(Debug)]
pub(crate) struct Scan {
    /// The brackets that are open, with their offsets.
    pub(crate) open: Vec<(u8, usize)>,
    /// The last byte that is neither space nor part of a comment.
    pub(crate) last: Option<(u8, usize)>,
    /// Whether the place is in a string or a comment.
    pub(crate) context: Context,
    /// Where the brackets become deeper than allowed; the scan ends there.
    pub(crate) too_deep: Option<usize>,
}

/// Where a scan ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Context {
    /// Between or in values.
    Plain,
    /// In a string that begins at this offset.
    Text(usize),
    /// In a block comment that begins at this offset.
    Comment(usize),
}

/// The state of `text` at the byte `end`.
pub(crate) fn scan(text: &str, end: usize, deepest: usize) -> Scan {
    let bytes = text.as_bytes().get(..end).unwrap_or(text.as_bytes());
    let mut scan = Scan {
        open: Vec::new(),
        last: None,
        context: Context::Plain,
        too_deep: None,
    };
    let mut index = 0;
    while let Some(&byte) = bytes.get(index) {
        let start = index;
        index += 1;
        match byte {
            b'"' | b'\'' => index = scan.skip_text(bytes, byte, index),
            b'/' if bytes.get(index) == Some(&b'/') => {
                index = find(bytes, index, |rest| rest.starts_with(b"\n"));
                continue;
            }
            b'/' if bytes.get(index) == Some(&b'*') => {
                let close = find(bytes, index + 1, |rest| rest.starts_with(b"*/"));
                if close == bytes.len() {
                    scan.context = Context::Comment(start);
                }
                index = close + 2;
                continue;
            }
            b'{' | b'[' => {
                scan.open.push((byte, start));
                if scan.open.len() > deepest {
                    scan.too_deep = Some(start);
                    return scan;
                }
            }
            b'}' | b']' => {
                scan.open.pop();
            }
            _ if byte.is_ascii_whitespace() => continue,
            _ => {}
        }
        scan.last = Some((byte, start));
    }
    scan
}

impl Scan {
    /// The index behind the string whose content begins at `index`. A string
    /// ends with its line, unless a backslash ends the line.
    fn skip_text(&mut self, bytes: &[u8], quote: u8, mut index: usize) -> usize {
        let begin = index - 1;
        while let Some(&byte) = bytes.get(index) {
            index += 1;
            match byte {
                b'\\' => index += 1,
                b'\n' => return index,
                _ if byte == quote => return index,
                _ => {}
            }
        }
        self.context = Context::Text(begin);
        index
    }
}

/// The first index from `index` on where `found` holds of the rest, or the end.
fn find(bytes: &[u8], index: usize, found: impl Fn(&[u8]) -> bool) -> usize {
    (index..bytes.len())
        .find(|&at| found(bytes.get(at..).unwrap_or_default()))
        .unwrap_or(bytes.len())
}

/// Whether `close` closes the bracket `open`.
pub(crate) fn closes(open: u8, close: char) -> bool {
    matches!((open, close), (b'{', '}') | (b'[', ']'))
}
