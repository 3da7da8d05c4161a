//! Cuts a template into tokens.
//!
//! A [`Lexer`] is a position: copying it and putting the copy back is how the
//! parser looks ahead.

use super::Fault;
use super::value::{brief, excerpt};

/// What begins an action.
const OPEN: &str = "{{";
const CLOSE: &str = "}}";

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// The end of the file.
    End,
    Text,
    Open,
    Close,
    Space,
    Dot,
    Field,
    Variable,
    /// The name of a function.
    Name,
    Keyword,
    Bool,
    Nil,
    Number,
    Complex,
    Character,
    Quoted,
    Raw,
    Pipe,
    Assign,
    Declare,
    LeftParen,
    RightParen,
    /// A character that has no meaning in an action, or a comma.
    Other,
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Token<'a> {
    pub(super) kind: Kind,
    pub(super) text: &'a str,
    pub(super) at: usize,
}

impl Token<'_> {
    /// The beginning of the text, for messages.
    pub(super) fn brief(&self) -> String {
        brief(self.text)
    }

    /// The error that it stands where nothing of its kind may.
    pub(super) fn unexpected(&self, context: &str) -> Fault {
        let what = match self.kind {
            Kind::End => "the end of the file".to_owned(),
            _ => excerpt(self.text.as_bytes()),
        };
        Fault::new(self.at, format!("unexpected {what} in {context}"))
    }
}

/// A position in a template.
#[derive(Clone, Copy, Debug)]
pub(super) struct Lexer<'a> {
    input: &'a str,
    at: usize,
    /// Where the action began that the position is in.
    action: Option<usize>,
}

impl<'a> Lexer<'a> {
    pub(super) fn new(input: &'a str) -> Self {
        let (at, action) = (0, None);
        Self { input, at, action }
    }

    /// The next token; at the end of the file, `End` again and again.
    pub(super) fn next(&mut self) -> Result<Token<'a>, Fault> {
        match self.action {
            Some(start) => self.inside(start),
            None => self.outside(),
        }
    }

    /// The next token that is not white space.
    pub(super) fn next_word(&mut self) -> Result<Token<'a>, Fault> {
        self.skip_space();
        self.next()
    }

    /// Passes over white space in an action.
    pub(super) fn skip_space(&mut self) {
        self.at += self.spaces();
    }

    /// Where the next token begins.
    pub(super) fn position(&self) -> usize {
        self.at
    }

    /// The first byte of what comes next.
    pub(super) fn peek_byte(&self) -> Option<u8> {
        self.rest().as_bytes().first().copied()
    }

    /// Whether an operand may end here.
    pub(super) fn is_at_separator(&self) -> bool {
        let rest = self.rest().as_bytes();
        matches!(
            rest.first(),
            Some(b' ' | b'\t' | b'\r' | b'\n' | b'|' | b')')
        ) || closing(rest).is_some()
    }

    fn rest(&self) -> &'a str {
        self.input.get(self.at..).unwrap_or_default()
    }

    /// The next `length` bytes as a token.
    fn take(&mut self, kind: Kind, length: usize) -> Token<'a> {
        let at = self.at;
        let text = self.rest().get(..length).unwrap_or_default();
        self.at += text.len();
        Token { kind, text, at }
    }

    /// The length of the white space in an action that comes next, without the
    /// space that belongs to the end of the action.
    fn spaces(&self) -> usize {
        let rest = self.rest().as_bytes();
        let spaces = rest.iter().take_while(|byte| is_space(byte)).count();
        let last = rest.get(spaces.saturating_sub(1)..).unwrap_or_default();
        spaces - usize::from(spaces > 0 && closing(last).is_some())
    }

    /// A piece of text, or what begins an action. Comments are passed over.
    fn outside(&mut self) -> Result<Token<'a>, Fault> {
        loop {
            let rest = self.rest();
            let Some(length) = find_open(rest) else {
                let kind = if rest.is_empty() {
                    Kind::End
                } else {
                    Kind::Text
                };
                return Ok(self.take(kind, rest.len()));
            };
            let (text, action) = rest.as_bytes().split_at(length);
            let trims = matches!(action, [_, _, b'-', space, ..] if is_space(space));
            let spaces = text.iter().rev().take_while(|byte| is_space(byte)).count();
            let kept = if trims { length - spaces } else { length };
            if kept > 0 {
                let token = self.take(Kind::Text, kept);
                self.at += length - kept;
                return Ok(token);
            }
            self.at += length;
            let marker = if trims { 2 } else { 0 };
            let inner = self.input.get(self.at + OPEN.len() + marker..);
            if let Some(comment) = inner.and_then(|inner| inner.strip_prefix("/*")) {
                self.comment(comment)?;
                continue;
            }
            self.action = Some(self.at);
            let token = self.take(Kind::Open, OPEN.len());
            self.at += marker;
            return Ok(token);
        }
    }

    /// Passes over a comment, given what follows its beginning. The position is
    /// before its braces.
    fn comment(&mut self, comment: &'a str) -> Result<(), Fault> {
        let Some((_, rest)) = comment.split_once("*/") else {
            let message = "the comment is never closed: \"*/\" is missing";
            return Err(Fault::new(self.at, message));
        };
        self.at = self.input.len() - rest.len();
        let Some(length) = closing(rest.as_bytes()) else {
            let message = "\"}}\" or \" -}}\" must follow the comment directly after \"*/\"";
            return Err(Fault::new(self.at, message));
        };
        self.close(length);
        Ok(())
    }

    /// Takes the end of an action, `length` bytes, and what a `-` in it trims.
    fn close(&mut self, length: usize) -> Token<'a> {
        let token = self.take(Kind::Close, length);
        if length > CLOSE.len() {
            let rest = self.rest().as_bytes().iter();
            self.at += rest.take_while(|byte| is_space(byte)).count();
        }
        self.action = None;
        token
    }

    fn inside(&mut self, start: usize) -> Result<Token<'a>, Fault> {
        let rest = self.rest();
        if let Some(length) = closing(rest.as_bytes()) {
            return Ok(self.close(length));
        }
        let (first, second) = match rest.as_bytes() {
            [] => {
                let message = "the action is never closed: \"}}\" is missing";
                return Err(Fault::new(start, message));
            }
            [first] => (*first, b' '),
            [first, second, ..] => (*first, *second),
        };
        match (first, second) {
            (b' ' | b'\t' | b'\r' | b'\n', _) => Ok(self.take(Kind::Space, self.spaces())),
            (b'=', _) => Ok(self.take(Kind::Assign, 1)),
            (b':', b'=') => Ok(self.take(Kind::Declare, 2)),
            (b':', _) => Err(Fault::new(self.at, "\"=\" must follow \":\"")),
            (b'|', _) => Ok(self.take(Kind::Pipe, 1)),
            (b'(', _) => Ok(self.take(Kind::LeftParen, 1)),
            (b')', _) => Ok(self.take(Kind::RightParen, 1)),
            (b'"', _) => self.quoted(Kind::Quoted, b'"', "string"),
            (b'\'', _) => self.quoted(Kind::Character, b'\'', "character constant"),
            (b'`', _) => self.raw(),
            (b'$', _) => self.word(Kind::Variable, Kind::Variable),
            (b'+' | b'-' | b'0'..=b'9', _) | (b'.', b'0'..=b'9') => self.number(),
            (b'.', _) => self.word(Kind::Field, Kind::Dot),
            _ => match rest.chars().next().unwrap_or_default() {
                c if is_word(c) => self.word(Kind::Name, Kind::Name),
                c if c.is_ascii_graphic() => Ok(self.take(Kind::Other, 1)),
                c => {
                    let message = format!("unexpected character {c:?} in an action");
                    Err(Fault::new(self.at, message))
                }
            },
        }
    }

    fn quoted(&mut self, kind: Kind, quote: u8, what: &str) -> Result<Token<'a>, Fault> {
        let mut is_escaped = false;
        for (at, byte) in self.rest().bytes().enumerate().skip(1) {
            match byte {
                b'\n' => break,
                _ if is_escaped => is_escaped = false,
                b'\\' => is_escaped = true,
                _ if byte == quote => return Ok(self.take(kind, at + 1)),
                _ => {}
            }
        }
        let line = self.rest().lines().next().unwrap_or_default();
        let (piece, quote) = (excerpt(line.as_bytes()), char::from(quote));
        let message = format!("the {what} {piece} is never closed: {quote} is missing");
        Err(Fault::new(self.at, message))
    }

    fn raw(&mut self) -> Result<Token<'a>, Fault> {
        let inner = self
            .rest()
            .strip_prefix('`')
            .and_then(|inner| inner.find('`'));
        match inner {
            Some(length) => Ok(self.take(Kind::Raw, length + 2)),
            None => {
                let message = "the raw string is never closed: ` is missing";
                Err(Fault::new(self.at, message))
            }
        }
    }

    /// A name and the character before it, or `alone` if only that is there.
    fn word(&mut self, kind: Kind, alone: Kind) -> Result<Token<'a>, Fault> {
        let rest = self.rest();
        let length = word_length(rest);
        let (word, after) = rest.split_at_checked(length).unwrap_or((rest, ""));
        let is_ended = match after.as_bytes().first() {
            None | Some(b'.' | b',' | b'|' | b':' | b'(' | b')') => true,
            Some(byte) => is_space(byte) || closing(after.as_bytes()).is_some(),
        };
        if !is_ended {
            let c = after.chars().next().unwrap_or_default();
            let hint = match c {
                '-' => ": a \"-\" that trims needs a space before it, as in \" -}}\"",
                '=' => ": a space must stand before \"=\"",
                _ => "",
            };
            let message = format!("unexpected character {c:?} after {}{hint}", brief(word));
            return Err(Fault::new(self.at + length, message));
        }
        let kind = match word {
            _ if kind != Kind::Name && length == 1 => alone,
            _ if kind != Kind::Name => kind,
            "block" | "break" | "continue" | "define" | "else" | "end" | "if" | "range"
            | "template" | "with" => Kind::Keyword,
            "true" | "false" => Kind::Bool,
            "nil" => Kind::Nil,
            _ => Kind::Name,
        };
        Ok(self.take(kind, length))
    }

    fn number(&mut self) -> Result<Token<'a>, Fault> {
        let rest = self.rest();
        let (length, is_number) = scan_number(rest);
        let after = rest.get(length..).unwrap_or_default();
        if is_number && !after.starts_with(['+', '-']) {
            return Ok(self.take(Kind::Number, length));
        }
        // A complex constant such as 1+2i has no spaces.
        let (more, is_pair) = if is_number {
            scan_number(after)
        } else {
            (0, false)
        };
        let text = rest.get(..length + more).unwrap_or_default();
        if is_pair && text.ends_with('i') {
            return Ok(self.take(Kind::Complex, text.len()));
        }
        let is_letter = |c: char| is_word(c) && !c.is_ascii_digit();
        let word = text.strip_prefix('-').unwrap_or_default();
        let hint = match word.starts_with(is_letter) {
            true => ": a \"-\" that trims needs a space after it, as in \"{{- \"",
            false => "",
        };
        let message = format!("{} is not a number{hint}", brief(text));
        Err(Fault::new(self.at, message))
    }
}

/// Where the first action begins in `text`.
pub(super) fn find_open(text: &str) -> Option<usize> {
    let mut start = 0;
    loop {
        // Finding one character is much faster than finding two.
        let rest = text.get(start..)?;
        let at = start + rest.find('{')?;
        if text.as_bytes().get(at + 1) == Some(&b'{') {
            return Some(at);
        }
        start = at + 1;
    }
}

/// The length of the end of an action that `text` begins with, if it does.
fn closing(text: &[u8]) -> Option<usize> {
    match text {
        [b'}', b'}', ..] => Some(2),
        [space, b'-', b'}', b'}', ..] if is_space(space) => Some(4),
        _ => None,
    }
}

/// The length of a name with the one character before it.
fn word_length(text: &str) -> usize {
    let is_ascii_word = |byte: &u8| byte.is_ascii_alphanumeric() || *byte == b'_';
    let rest = text.bytes().skip(1);
    let length = 1 + rest.take_while(is_ascii_word).count();
    if text.as_bytes().get(length).is_none_or(u8::is_ascii) {
        return length;
    }
    let after = text.char_indices().skip(1).find(|(_, c)| !is_word(*c));
    after.map_or(text.len(), |(at, _)| at)
}

/// The length of what looks like a number, and whether it ends there; if not,
/// the length includes the first character that is too much.
fn scan_number(text: &str) -> (usize, bool) {
    const DECIMAL: &str = "0123456789_";
    let bytes = text.as_bytes();
    let run = |from: usize, set: &str| {
        let rest = bytes.iter().skip(from);
        rest.take_while(|byte| set.as_bytes().contains(byte))
            .count()
    };
    let one = |from, set| run(from, set).min(1);
    let mut end = one(0, "+-");
    let (mut digits, mut exponent) = (DECIMAL, "eE");
    if one(end, "0") == 1 {
        end += 1;
        (digits, exponent) = match bytes.get(end) {
            Some(b'x' | b'X') => ("0123456789abcdefABCDEF_", "pP"),
            Some(b'o' | b'O') => ("01234567_", ""),
            Some(b'b' | b'B') => ("01_", ""),
            _ => (DECIMAL, "eE"),
        };
        end += usize::from(exponent != "eE");
    }
    end += run(end, digits);
    if one(end, ".") == 1 {
        end += 1 + run(end + 1, digits);
    }
    if one(end, exponent) == 1 {
        end += 1 + one(end + 1, "+-");
        end += run(end, DECIMAL);
    }
    end += one(end, "i");
    match text.get(end..).and_then(|rest| rest.chars().next()) {
        Some(c) if is_word(c) => (end + c.len_utf8(), false),
        _ => (end, true),
    }
}

fn is_space(byte: &u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\r' | b'\n')
}

fn is_word(c: char) -> bool {
    c == '_' || c.is_alphanumeric()
}
