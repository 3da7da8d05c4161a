//! Cuts a template into tokens.
//!
//! A [`Lexer`] is a position: copying it and putting the copy back is how the
//! parser looks ahead.

use super::Fault;
use super::value::excerpt;

/// What begins an action.
pub(super) const OPEN: &str = "{{";
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
        loop {
            let token = self.next()?;
            if token.kind != Kind::Space {
                return Ok(token);
            }
        }
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

    /// A piece of text, or what begins an action. Comments are passed over.
    fn outside(&mut self) -> Result<Token<'a>, Fault> {
        loop {
            let rest = self.rest();
            let Some(length) = rest.find(OPEN) else {
                let kind = if rest.is_empty() {
                    Kind::End
                } else {
                    Kind::Text
                };
                return Ok(self.take(kind, rest.len()));
            };
            let (text, action) = rest.split_at(length);
            let inner = action.strip_prefix(OPEN).unwrap_or_default();
            let trims = inner.starts_with('-') && inner[1..].starts_with(is_space);
            let kept = if trims {
                text.trim_end_matches(is_space)
            } else {
                text
            };
            if !kept.is_empty() {
                let token = self.take(Kind::Text, kept.len());
                self.at += length - kept.len();
                return Ok(token);
            }
            self.at += length;
            let inner = if trims { &inner[2..] } else { inner };
            if inner.starts_with("/*") {
                self.comment(inner)?;
                continue;
            }
            self.action = Some(self.at);
            let token = self.take(Kind::Open, OPEN.len());
            self.at += if trims { 2 } else { 0 };
            return Ok(token);
        }
    }

    /// Passes over a comment; `inner` begins with it, the position is before its
    /// braces.
    fn comment(&mut self, inner: &'a str) -> Result<(), Fault> {
        let start = self.at;
        let Some((comment, _)) = inner.split_once("*/") else {
            return Err(Fault::new(
                start,
                "the comment is never closed: \"*/\" is missing",
            ));
        };
        self.at = self.input.len() - inner.len() + comment.len() + "*/".len();
        let Some(length) = closing(self.rest()) else {
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
            let rest = self.rest();
            self.at += rest.len() - rest.trim_start_matches(is_space).len();
        }
        self.action = None;
        token
    }

    fn inside(&mut self, start: usize) -> Result<Token<'a>, Fault> {
        let rest = self.rest();
        if let Some(length) = closing(rest) {
            return Ok(self.close(length));
        }
        let Some(first) = rest.chars().next() else {
            return Err(Fault::new(
                start,
                "the action is never closed: \"}}\" is missing",
            ));
        };
        let second = rest.chars().nth(1);
        match first {
            c if is_space(c) => {
                let spaces = rest.len() - rest.trim_start_matches(is_space).len();
                // The last space may belong to the end of the action.
                let is_last = closing(rest.get(spaces - 1..).unwrap_or_default()).is_some();
                Ok(self.take(Kind::Space, if is_last { spaces - 1 } else { spaces }))
            }
            '=' => Ok(self.take(Kind::Assign, 1)),
            ':' if second == Some('=') => Ok(self.take(Kind::Declare, 2)),
            ':' => Err(Fault::new(self.at, "\"=\" must follow \":\"")),
            '|' => Ok(self.take(Kind::Pipe, 1)),
            '(' => Ok(self.take(Kind::LeftParen, 1)),
            ')' => Ok(self.take(Kind::RightParen, 1)),
            '"' => self.quoted(Kind::Quoted, '"', "string"),
            '\'' => self.quoted(Kind::Character, '\'', "character constant"),
            '`' => self.raw(),
            '$' => self.word(Kind::Variable, Kind::Variable),
            '.' if !second.is_some_and(|c| c.is_ascii_digit()) => self.word(Kind::Field, Kind::Dot),
            '.' | '+' | '-' | '0'..='9' => self.number(),
            c if is_word(c) => self.word(Kind::Name, Kind::Name),
            c if c.is_ascii_graphic() => Ok(self.take(Kind::Other, 1)),
            c => Err(Fault::new(
                self.at,
                format!("unexpected character {c:?} in an action"),
            )),
        }
    }

    fn quoted(&mut self, kind: Kind, quote: char, what: &str) -> Result<Token<'a>, Fault> {
        let mut is_escaped = false;
        for (at, c) in self.rest().char_indices().skip(1) {
            match c {
                '\n' => break,
                _ if is_escaped => is_escaped = false,
                '\\' => is_escaped = true,
                _ if c == quote => return Ok(self.take(kind, at + 1)),
                _ => {}
            }
        }
        let line = self.rest().lines().next().unwrap_or_default();
        let piece = excerpt(line.as_bytes());
        let message = format!("the {what} {piece} is never closed: {quote} is missing");
        Err(Fault::new(self.at, message))
    }

    fn raw(&mut self) -> Result<Token<'a>, Fault> {
        match self.rest().char_indices().skip(1).find(|(_, c)| *c == '`') {
            Some((end, _)) => Ok(self.take(Kind::Raw, end + 1)),
            None => Err(Fault::new(
                self.at,
                "the raw string is never closed: ` is missing",
            )),
        }
    }

    /// A name and the character before it, or `alone` if only that is there.
    fn word(&mut self, kind: Kind, alone: Kind) -> Result<Token<'a>, Fault> {
        let rest = self.rest();
        let after = rest.char_indices().skip(1).find(|(_, c)| !is_word(*c));
        let length = after.map_or(rest.len(), |(at, _)| at);
        if let Some((at, c)) = after
            && !is_space(c)
            && !".,|:()".contains(c)
            && closing(rest.get(at..).unwrap_or_default()).is_none()
        {
            let word = rest.get(..at).unwrap_or_default();
            let hint = match c {
                '-' => ": a \"-\" that trims needs a space before it, as in \" -}}\"",
                '=' => ": a space must stand before \"=\"",
                _ => "",
            };
            let message = format!("unexpected character {c:?} after {word:?}{hint}");
            return Err(Fault::new(self.at + at, message));
        }
        let kind = match rest.get(..length).unwrap_or_default() {
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
        let is_trim = text
            .strip_prefix('-')
            .is_some_and(|word| word.starts_with(is_word));
        let hint = match is_trim && !text.starts_with(|c: char| c.is_ascii_digit()) {
            true => ": a \"-\" that trims needs a space after it, as in \"{{- \"",
            false => "",
        };
        let piece = excerpt(text.as_bytes());
        Err(Fault::new(
            self.at,
            format!("{piece} is not a number{hint}"),
        ))
    }
}

/// The length of the end of an action that `text` begins with, if it does.
fn closing(text: &str) -> Option<usize> {
    if text.starts_with(CLOSE) {
        return Some(CLOSE.len());
    }
    let trimming = text.strip_prefix(is_space)?.strip_prefix('-')?;
    trimming.starts_with(CLOSE).then_some(2 + CLOSE.len())
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

fn is_space(c: char) -> bool {
    matches!(c, ' ' | '\t' | '\r' | '\n')
}

fn is_word(c: char) -> bool {
    c == '_' || c.is_alphanumeric()
}
