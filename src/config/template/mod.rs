//! Go's text/template over the environment (SPEC §4): the first step from the
//! text of a configuration file to a configuration.
//!
//! A template is compiled to a flat list of operations and run by a machine
//! whose stacks are on the heap: neither the nesting of a template nor its
//! recursion uses the thread's stack. Work, memory and output are bounded by the
//! constants below, so rendering always ends, with text or with one error.
//! Nothing here reads files, clocks or the real environment.

mod call;
mod compare;
mod decimal;
mod escape;
mod evaluator;
mod expression;
mod functions;
mod lexer;
mod lists;
mod literal;
mod parser;
mod pipeline;
mod printer;
mod printf;
mod program;
mod scope;
#[cfg(test)]
mod tests;
mod text;
mod value;

use std::fmt;
use std::os::unix::ffi::OsStrExt as _;

use crate::environment::Environment;

/// The most bytes that a rendered text, or any string made on the way, may have.
pub const MAX_BYTES: usize = 16 << 20;

/// The most elements that a list may have, hence the most turns of one `range`,
/// and the most places that one `replaceAll` may change.
pub const MAX_ITEMS: usize = 200_000;

/// How deep `{{template}}` may call itself or others. Go stops at 100,000.
pub const MAX_DEPTH: usize = 1_000;

/// How deep blocks, and parentheses within an action, may be nested.
pub const MAX_NESTING: usize = 1_000;

/// How much work one rendering may take: about one unit for each step of an
/// action, plus one for each 8 bytes that a function reads or makes. The
/// largest real configurations take some ten thousand.
pub const MAX_WORK: u64 = 50_000_000;

/// Why a text could not be rendered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TemplateError {
    /// The line of the offending piece, counted from 1.
    pub line: usize,
    /// The character in that line where the piece begins, counted from 1.
    pub column: usize,
    /// What is wrong, quoting the piece.
    pub message: String,
}

impl fmt::Display for TemplateError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.line, self.column, self.message)
    }
}

impl std::error::Error for TemplateError {}

/// An error that knows its place only as an offset in bytes.
#[derive(Debug)]
struct Fault {
    at: usize,
    message: String,
}

impl Fault {
    fn new(at: usize, message: impl Into<String>) -> Self {
        let message = message.into();
        Self { at, message }
    }

    /// Counts lines and characters, which only an error has to pay for.
    fn locate(self, text: &str) -> TemplateError {
        let before = text.as_bytes().get(..self.at).unwrap_or_default();
        let line_start = before.iter().rposition(|byte| *byte == b'\n');
        let line = before.get(line_start.map_or(0, |at| at + 1)..);
        let is_first_byte = |byte: &&u8| **byte & 0xC0 != 0x80;
        TemplateError {
            line: 1 + before.iter().filter(|byte| **byte == b'\n').count(),
            column: 1 + line
                .unwrap_or_default()
                .iter()
                .filter(is_first_byte)
                .count(),
            message: self.message,
        }
    }
}

/// Renders the template `text` with the variables of `environment`.
///
/// Values are inserted as they are: nothing is escaped. What is not valid UTF-8
/// in the result is replaced by U+FFFD.
///
/// # Errors
///
/// The first mistake in the syntax, anywhere in `text`; otherwise the first
/// action that fails when it is run.
pub fn render(text: &str, environment: &Environment) -> Result<String, TemplateError> {
    if lexer::find_open(text).is_none() {
        return Ok(text.to_owned());
    }
    let variables: Vec<_> = environment
        .iter()
        .map(|(name, value)| (name.as_bytes(), value.as_bytes()))
        .collect();
    let rendered = parser::parse(text).and_then(|program| evaluator::run(&program, &variables));
    let bytes = rendered.map_err(|fault| fault.locate(text))?;
    Ok(String::from_utf8(bytes)
        .unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned()))
}
