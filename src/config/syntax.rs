//! Text of a file into values, and what is wrong with a text that has none.
//!
//! The JSON5 parser says little about errors; what it says is put into an
//! operator's words, with the line, a caret and the likely cause.

use json5::{ErrorCode, Position};

use super::finding::Errors;
use super::positions::line_col;
use super::scan::{Context, Scan};
use super::secrets;
use super::value::{DEEPEST, TOO_DEEP, Value};

#[cfg(test)]
mod tests;

/// So many characters of a line are shown on either side of an error.
const SHOWN: usize = 60;

/// The value of a text.
///
/// # Errors
/// One error, which shows `line:col`, the line, a caret and the likely cause.
pub(crate) fn read(text: &str) -> Result<Value<'_>, Errors> {
    if text.trim().is_empty() {
        return Err(Errors::file("the file renders to nothing"));
    }
    json5::from_str(text).map_err(|error| explain(text, &error))
}

/// What the parser says, in an operator's words.
fn explain(text: &str, error: &json5::Error) -> Errors {
    let offset = error.position().map(|position| offset_of(text, position));
    let offset = offset.unwrap_or(text.len());
    if error.code().is_none() && error.to_string().starts_with(TOO_DEEP) {
        let message = format!("objects and lists are nested more than {DEEPEST} deep");
        return refuse(text, line_col(text, offset), &message);
    }
    let rest = text.get(offset..).unwrap_or_default();
    // What has no code the standard library refused: an escape, or a number.
    let code = error.code().unwrap_or(match rest.starts_with('\\') {
        true => ErrorCode::InvalidEscapeSequence,
        false => ErrorCode::ExpectedNumber,
    });
    let offset = match is_end(code) {
        // The parser gives the opening bracket, or nothing.
        true => text.trim_end().len(),
        false => word_start(text, offset, code),
    };
    let fault = Fault::at(text, offset, code);
    refuse(text, line_col(text, offset), &fault.message())
}

/// Whether the text ended too early.
fn is_end(code: ErrorCode) -> bool {
    matches!(
        code,
        ErrorCode::EofParsingArray
            | ErrorCode::EofParsingBool
            | ErrorCode::EofParsingComment
            | ErrorCode::EofParsingEscapeSequence
            | ErrorCode::EofParsingIdentifier
            | ErrorCode::EofParsingNull
            | ErrorCode::EofParsingNumber
            | ErrorCode::EofParsingObject
            | ErrorCode::EofParsingString
            | ErrorCode::EofParsingValue
    )
}

/// The parser notices `nope` at its `o`, because it might have been `null`, and
/// `/bin/app` at its `b`, because it might have been a comment.
fn word_start(text: &str, offset: usize, code: ErrorCode) -> usize {
    let before = text.get(..offset).unwrap_or_default();
    match code {
        ErrorCode::ExpectedNull | ErrorCode::ExpectedBool | ErrorCode::ExpectedNumber => {
            before.trim_end_matches(is_word).len()
        }
        ErrorCode::ExpectedComment => before.len().saturating_sub(1),
        _ => offset,
    }
}

fn is_word(c: char) -> bool {
    c.is_ascii_alphanumeric() || !c.is_ascii() || matches!(c, '_' | '$' | '-' | '+' | '.')
}

/// An error of the parser with what surrounds it.
struct Fault<'t> {
    text: &'t str,
    offset: usize,
    code: ErrorCode,
    /// The state of brackets, strings and comments where it is.
    before: Scan,
}

impl<'t> Fault<'t> {
    fn at(text: &'t str, offset: usize, code: ErrorCode) -> Self {
        // The end of the file may be in a comment or a string that spaces end.
        let before = if is_end(code) {
            Some(text)
        } else {
            text.get(..offset)
        };
        Self {
            text,
            offset,
            code,
            before: Scan::of(before.unwrap_or(text)),
        }
    }

    /// The likely cause, or what the parser expected.
    fn message(&self) -> String {
        match self.code {
            code if is_end(code) => return self.end_of_file(),
            ErrorCode::LineTerminatorInString => return self.end_of_line(),
            ErrorCode::LeadingZero => {
                return format!("a number begins with 0: put {} in quotes", self.shown());
            }
            _ => {}
        }
        match self.rest().chars().next() {
            Some(close @ ('}' | ']')) if !self.before.is_closed_by(close) => {
                self.wrong_bracket(close)
            }
            Some(',' | '}' | ']') if self.before.last_is(b':') => self.no_value(),
            Some(',') => "there is a comma too many".to_owned(),
            Some('#') => "a comment begins with //".to_owned(),
            Some('“' | '”' | '‘' | '’' | '„') => {
                "this is a typographic quote; use \" or '".to_owned()
            }
            next => self.message_by_code(next),
        }
    }

    fn message_by_code(&self, next: Option<char>) -> String {
        let word = self.word();
        let quoted_key =
            "a key of other characters than letters, digits, _ and $ must be in quotes";
        let message = match self.code {
            ErrorCode::ExpectedColon if next == Some('=') => {
                "write \"key: value\", not \"key = value\""
            }
            ErrorCode::ExpectedColon if self.touches_word() => quoted_key,
            ErrorCode::ExpectedColon => "expected a colon after the key",
            ErrorCode::ExpectedIdentifier if next.is_some_and(|c| c.is_ascii_digit()) => quoted_key,
            ErrorCode::ExpectedIdentifier | ErrorCode::InvalidKey => "expected a key",
            ErrorCode::ExpectedComma if self.touches_word() => {
                let shown = self.shown();
                return format!("a value with letters must be in quotes: \"{shown}\"");
            }
            ErrorCode::ExpectedComma => {
                "expected a comma or a closing bracket; is one missing after the value before it?"
            }
            ErrorCode::TrailingCharacters => {
                "the file goes on after its object; everything belongs into one, { … }"
            }
            ErrorCode::InvalidEscapeSequence => "unknown escape in a string",
            ErrorCode::OverflowParsingNumber => "the number is too large",
            _ if self.before.open.is_empty() => {
                "the file must be one object: does it begin with { and end with }?"
            }
            _ if next == Some(':') => "there is a colon too many",
            _ => return bare_word(word, &self.shown()),
        };
        message.to_owned()
    }

    fn end_of_file(&self) -> String {
        let (what, begin) = match (self.before.context, self.before.open.last()) {
            (Context::Text(begin), _) => ("quote", begin),
            (Context::Comment(begin), _) => ("comment", begin),
            (Context::Plain, Some((b'{', begin))) => ("{", *begin),
            (Context::Plain, Some((_, begin))) => ("[", *begin),
            (Context::Plain, None) => return "the file has no value".to_owned(),
        };
        let begin = self.line_col(begin);
        format!("the file ends too early: the {what} of {begin} is not closed")
    }

    fn end_of_line(&self) -> String {
        match self.before.context {
            Context::Text(begin) => {
                let begin = self.line_col(begin);
                format!("the quote of {begin} is not closed on its line")
            }
            Context::Plain | Context::Comment(_) => "the line ends within a string".to_owned(),
        }
    }

    fn wrong_bracket(&self, close: char) -> String {
        match self.before.open.last() {
            Some((open, begin)) => {
                let (open, begin) = (char::from(*open), self.line_col(*begin));
                format!("{close} does not close the {open} of {begin}")
            }
            None => format!("there is a {close} too many"),
        }
    }

    fn no_value(&self) -> String {
        let colon = self.before.last.map_or(0, |(_, offset)| offset);
        let before = self.text.get(..colon).unwrap_or_default().trim_end();
        let unquoted = before.trim_end_matches(['"', '\'']);
        let key = unquoted
            .rsplit(|c: char| !is_word(c))
            .next()
            .unwrap_or_default();
        format!("{key:?} has no value; did an environment variable render to nothing?")
    }

    /// The text from the error on.
    fn rest(&self) -> &'t str {
        self.text.get(self.offset..).unwrap_or_default()
    }

    /// `line:col` of a byte, for a message.
    fn line_col(&self, offset: usize) -> String {
        let (line, column) = line_col(self.text, offset);
        format!("{line}:{column}")
    }

    /// Whether the error is in the middle of a word, as at the `s` of `10s`.
    fn touches_word(&self) -> bool {
        let before = self.text.get(..self.offset).unwrap_or_default();
        let joins = |c| is_word(c) || c == ':' || c == '/';
        before.ends_with(is_word) && self.rest().starts_with(joins)
    }

    /// What was written without quotes where the error is.
    fn word(&self) -> &'t str {
        let from = self.text.get(self.word_begin()..).unwrap_or_default();
        let end = from.find(|c| !is_part(c)).unwrap_or(from.len());
        from.get(..end).unwrap_or_default()
    }

    /// The same as the line of the error shows it, which may not tell a secret.
    fn shown(&self) -> String {
        let before = self.text.get(..self.word_begin()).unwrap_or_default();
        let start = before.rfind('\n').map_or(0, |end| end + 1);
        let column = before.get(start..).unwrap_or_default().chars().count();
        let line = self.text.get(start..).unwrap_or_default().lines().next();
        let line = secrets::masked(line.unwrap_or_default());
        let length = self.word().chars().count();
        line.chars().skip(column).take(length).collect()
    }

    fn word_begin(&self) -> usize {
        let before = self.text.get(..self.offset).unwrap_or_default();
        match self.touches_word() {
            true => before.trim_end_matches(is_part).len(),
            false => self.offset,
        }
    }
}

/// Whether a word without quotes that was meant as a text may have this.
fn is_part(c: char) -> bool {
    is_word(c) || ":/@%~".contains(c)
}

/// What to say of text where a value should be, `shown` as it may be.
fn bare_word(word: &str, shown: &str) -> String {
    let lower = word.to_ascii_lowercase();
    match lower.as_str() {
        "true" | "false" | "null" => format!("write {lower}, in lower case"),
        "" => "expected a value".to_owned(),
        _ => format!("a text must be in quotes: \"{shown}\""),
    }
}

/// The byte at a position of the parser's, which counts characters and lines
/// from 0, and lines as ECMAScript does.
fn offset_of(text: &str, position: Position) -> usize {
    let mut line = 0;
    let mut start = 0;
    let mut chars = text.char_indices().peekable();
    while line < position.line {
        let Some((offset, c)) = chars.next() else {
            return text.len();
        };
        if !json5::char::is_json5_line_terminator(c) {
            continue;
        }
        start = offset + c.len_utf8();
        if c == '\r' && chars.peek().is_some_and(|(_, next)| *next == '\n') {
            chars.next();
            start += 1;
        }
        line += 1;
    }
    let from = text.get(start..).unwrap_or_default();
    let column = from.char_indices().nth(position.column);
    column.map_or(text.len(), |(offset, _)| start + offset)
}

/// The error at a line and a column of a text: `line:col: message`, the line,
/// and a caret below the character. Both count from 1, columns in characters.
pub(crate) fn refuse(text: &str, position: (usize, usize), message: &str) -> Errors {
    Errors::at(position, message, excerpt(text, position))
}

/// The line of a place, cut if it is long, and a caret below the place.
fn excerpt(text: &str, (line, column): (usize, usize)) -> String {
    let content = text.split('\n').nth(line.saturating_sub(1));
    let content = secrets::masked(content.unwrap_or_default());
    let first = column.saturating_sub(SHOWN + 1);
    let shown: String = content
        .chars()
        .skip(first)
        .take(2 * SHOWN)
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect();
    let margin = format!("{line:>5} | ");
    let indent = margin.len() + column - first;
    format!("{margin}{}\n{:>indent$}", shown.trim_end(), '^')
}
