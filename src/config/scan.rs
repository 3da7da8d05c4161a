//! Tokens of a JSON5 text, without its grammar: what surrounds the place of an
//! error, and where keys are.
//!
//! Serves messages only. It never fails: a text that is no JSON5 gives some
//! tokens, too.

use std::ops::Range;

use json5::char::is_json5_whitespace;

/// A piece of a text that is neither space nor comment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Token {
    /// One of `{}[]:,`.
    Mark(u8),
    /// A string with its quotes; it ends with its line at the latest.
    Text,
    /// Anything else up to the next space, mark, string or comment.
    Word,
}

/// The tokens of a text with their places.
pub(crate) struct Tokens<'t> {
    text: &'t str,
    next: usize,
    /// What the text ended in, once there are no more tokens.
    pub(crate) end: Context,
}

/// What surrounds a place in a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Context {
    /// Nothing but brackets.
    Plain,
    /// A string that begins at this offset.
    Text(usize),
    /// A block comment that begins at this offset.
    Comment(usize),
}

impl<'t> Tokens<'t> {
    /// The tokens of `text`.
    pub(crate) fn of(text: &'t str) -> Self {
        Self {
            text,
            next: 0,
            end: Context::Plain,
        }
    }

    fn rest(&self) -> &'t [u8] {
        self.text.as_bytes().get(self.next..).unwrap_or_default()
    }

    /// The length of the white space here, as JSON5 has it, which is more than
    /// ASCII's.
    fn space(&self) -> usize {
        let rest = self.text.get(self.next..).unwrap_or_default();
        let c = rest.chars().next().filter(|c| is_json5_whitespace(*c));
        c.map_or(0, char::len_utf8)
    }

    fn skip_space_and_comments(&mut self) {
        loop {
            match self.rest() {
                _ if self.space() > 0 => self.next += self.space(),
                [b'/', b'/', ..] => self.skip_until(is_line_end),
                [b'/', b'*', ..] => {
                    let begin = self.next;
                    self.next += 2;
                    self.skip_until(|rest| rest.starts_with(b"*/"));
                    if self.rest().is_empty() {
                        self.end = Context::Comment(begin);
                    }
                    self.next += 2;
                }
                _ => return,
            }
        }
    }

    fn skip_until(&mut self, found: impl Fn(&[u8]) -> bool) {
        while !self.rest().is_empty() && !found(self.rest()) {
            self.next += 1;
        }
    }

    fn skip_text(&mut self, quote: u8) {
        let begin = self.next;
        self.next += 1;
        loop {
            match self.rest() {
                [] => {
                    self.end = Context::Text(begin);
                    return;
                }
                [b'\\', b'\r', b'\n', ..] => self.next += 3,
                [b'\\', _, ..] => self.next += 2,
                [byte, ..] => {
                    self.next += 1;
                    if *byte == quote || matches!(byte, b'\n' | b'\r') {
                        return;
                    }
                }
            }
        }
    }
}

impl Iterator for Tokens<'_> {
    type Item = (Token, Range<usize>);

    fn next(&mut self) -> Option<Self::Item> {
        self.skip_space_and_comments();
        let begin = self.next;
        let token = match *self.rest().first()? {
            mark @ (b'{' | b'}' | b'[' | b']' | b':' | b',') => {
                self.next += 1;
                Token::Mark(mark)
            }
            quote @ (b'"' | b'\'') => {
                self.skip_text(quote);
                Token::Text
            }
            _ => {
                self.next += 1;
                while !is_word_end(self.rest()) && self.space() == 0 {
                    self.next += 1;
                }
                Token::Word
            }
        };
        Some((token, begin..self.next.min(self.text.len())))
    }
}

/// Whether a word ends here if no white space ends it: also before a comment.
fn is_word_end(rest: &[u8]) -> bool {
    match rest {
        [] | [b'/', b'/' | b'*', ..] => true,
        [byte, ..] => b"{}[]:,\"'".contains(byte),
    }
}

/// Whether a line ends here, as ECMAScript has it.
fn is_line_end(rest: &[u8]) -> bool {
    matches!(rest, [b'\n' | b'\r', ..] | [0xE2, 0x80, 0xA8 | 0xA9, ..])
}

/// The state at a place in a text.
#[derive(Debug)]
pub(crate) struct Scan {
    /// The brackets that are open, with their offsets.
    pub(crate) open: Vec<(u8, usize)>,
    /// The last token before the place, with its offset.
    pub(crate) last: Option<(Token, usize)>,
    /// Whether the place is in a string or a comment.
    pub(crate) context: Context,
}

impl Scan {
    /// The state at the end of `text`.
    pub(crate) fn of(text: &str) -> Self {
        let mut scan = Self {
            open: Vec::new(),
            last: None,
            context: Context::Plain,
        };
        let mut tokens = Tokens::of(text);
        for (token, place) in tokens.by_ref() {
            match token {
                Token::Mark(open @ (b'{' | b'[')) => scan.open.push((open, place.start)),
                Token::Mark(b'}' | b']') => {
                    scan.open.pop();
                }
                Token::Mark(_) | Token::Text | Token::Word => {}
            }
            scan.last = Some((token, place.start));
        }
        scan.context = tokens.end;
        scan
    }

    /// Whether `close` closes the innermost open bracket.
    pub(crate) fn is_closed_by(&self, close: char) -> bool {
        let open = self.open.last().map(|(open, _)| *open);
        matches!((open, close), (Some(b'{'), '}') | (Some(b'['), ']'))
    }

    /// Whether the last token is this mark.
    pub(crate) fn last_is(&self, mark: u8) -> bool {
        matches!(self.last, Some((Token::Mark(last), _)) if last == mark)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    /// The tokens of a text, one a string.
    fn tokens(text: &str) -> Vec<&str> {
        Tokens::of(text)
            .map(|(_, place)| text.get(place).unwrap())
            .collect()
    }

    #[test]
    fn marks_strings_and_words_are_told_apart() {
        for (text, expected) in [
            ("", &[] as &[&str]),
            (
                "{a: 'b c', \"d\":[1,-2.5e3]}",
                &[
                    "{", "a", ":", "'b c'", ",", "\"d\"", ":", "[", "1", ",", "-2.5e3", "]", "}",
                ],
            ),
            ("a//b{\nc/*[*/d", &["a", "c", "d"]),
            ("a // b{\nc /*[*/ d", &["a", "c", "d"]),
            ("a // b\rc // d\u{2028}e", &["a", "c", "e"]),
            ("\u{feff}a\u{a0}b\u{b}c\u{3000}d/", &["a", "b", "c", "d/"]),
            (
                "'a\\'b' 'c\\\\' 'd\\\ne' 'f\\\r\ng'",
                &["'a\\'b'", "'c\\\\'", "'d\\\ne'", "'f\\\r\ng'"],
            ),
            ("'a\n'b'", &["'a\n", "'b'"]),
            ("/***/a/*/*/b/", &["a", "b/"]),
            ("é: 'ü'", &["é", ":", "'ü'"]),
        ] {
            assert_eq!(tokens(text), expected, "{text:?}");
        }
    }

    #[test]
    fn the_end_of_a_text_is_known() {
        for (text, end) in [
            ("{a: 1", Context::Plain),
            ("{a: 'x", Context::Text(4)),
            ("{a: 'x\\", Context::Text(4)),
            ("{a: /* x", Context::Comment(4)),
            ("{a: /* x *", Context::Comment(4)),
            ("{a: /* x */", Context::Plain),
            ("{a: // x", Context::Plain),
        ] {
            assert_eq!(Scan::of(text).context, end, "{text}");
        }
    }
}
