//! `print`, `println`, `printf`: formats, and which argument goes where.
//!
//! How one value is written under a verb stands in `printer`.

use super::printer::{Flags, Printer};
use super::text::{Buffer, runes};
use super::value::Value;

/// What an action prints for nil.
pub(super) const NO_VALUE: &str = "<no value>";

/// A value beyond this cannot be a width or precision.
const WIDEST: i64 = 1_000_000;

/// Writes what an action without further ado prints.
pub(super) fn write_result(output: &mut Buffer, value: &Value<'_>) {
    match value {
        Value::Nil => output.push(NO_VALUE.as_bytes()),
        Value::String(text) => output.push(text),
        _ => {
            let mut printer = Printer::new(std::mem::take(output));
            printer.value(value, 'v');
            *output = printer.out;
        }
    }
}

/// The values with a space between two of which neither is a string.
pub(super) fn print(values: &[Value<'_>]) -> Result<Vec<u8>, String> {
    let mut printer = Printer::new(Buffer::default());
    let mut follows_string = true;
    for value in values {
        let is_string = matches!(value, Value::String(_));
        if !is_string && !follows_string {
            printer.out.push(b" ");
        }
        printer.value(value, 'v');
        follows_string = is_string;
    }
    printer.out.finish()
}

/// The values with spaces between them and a newline at the end.
pub(super) fn println(values: &[Value<'_>]) -> Result<Vec<u8>, String> {
    let mut printer = Printer::new(Buffer::default());
    for (index, value) in values.iter().enumerate() {
        if index > 0 {
            printer.out.push(b" ");
        }
        printer.value(value, 'v');
    }
    printer.out.push(b"\n");
    printer.out.finish()
}

/// The values as `format` has it. What is wrong with either shows in the text,
/// as `%!verb(…)`.
pub(super) fn printf(format: &[u8], values: &[Value<'_>]) -> Result<Vec<u8>, String> {
    let mut directives = Directives {
        rest: format,
        values,
        next: 0,
        is_reordered: false,
        is_good: true,
        printer: Printer::new(Buffer::default()),
    };
    while let Some(at) = directives.rest.iter().position(|byte| *byte == b'%') {
        let (literal, rest) = directives.rest.split_at(at);
        directives.printer.out.push(literal);
        directives.rest = rest.get(1..).unwrap_or_default();
        directives.directive();
        if directives.printer.out.is_full() {
            break;
        }
    }
    directives.printer.out.push(directives.rest);
    directives.extra();
    directives.printer.out.finish()
}

/// A format that is being worked off.
struct Directives<'f, 'v, 'a> {
    rest: &'f [u8],
    values: &'v [Value<'a>],
    /// The next value to be printed.
    next: usize,
    /// Whether an index such as `[2]` was used: then no value is too many.
    is_reordered: bool,
    /// Whether the directive names only values that exist.
    is_good: bool,
    printer: Printer,
}

impl Directives<'_, '_, '_> {
    /// One directive, of which the `%` has been taken.
    fn directive(&mut self) {
        self.is_good = true;
        let flags = self.flags();
        self.printer.flags = flags;
        let is_indexed = self.index();
        let is_indexed = self.width(is_indexed);
        let is_indexed = self.precision(is_indexed);
        if !is_indexed {
            self.index();
        }
        let start = self.rest.get(..4).unwrap_or(self.rest);
        let Some((_, verb, bytes)) = runes(start).next() else {
            self.printer.out.push(b"%!(NOVERB)");
            return;
        };
        self.rest = self.rest.get(bytes.len()..).unwrap_or_default();
        let value = self.values.get(self.next);
        match (verb, value) {
            ('%', _) => self.printer.out.push(b"%"),
            _ if !self.is_good => self.complain(verb, "(BADINDEX)"),
            (_, None) => self.complain(verb, "(MISSING)"),
            (_, Some(value)) => {
                let flags = &mut self.printer.flags;
                if verb == 'v' {
                    flags.go_syntax = std::mem::take(&mut flags.sharp);
                    flags.plus = false;
                }
                self.printer.value(value, verb);
                self.next += 1;
            }
        }
    }

    fn complain(&mut self, verb: char, what: &str) {
        self.printer.out.push(b"%!");
        self.printer.out.push_char(verb);
        self.printer.out.push(what.as_bytes());
    }

    fn flags(&mut self) -> Flags {
        let mut flags = Flags::default();
        while let Some((first, rest)) = self.rest.split_first() {
            match first {
                b'#' => flags.sharp = true,
                b'0' => flags.zero = !flags.minus,
                b'+' => flags.plus = true,
                b'-' => (flags.minus, flags.zero) = (true, false),
                b' ' => flags.space = true,
                _ => break,
            }
            self.rest = rest;
        }
        flags
    }

    /// `[2]`: makes the second value the next. Whether there was such an index.
    fn index(&mut self) -> bool {
        if self.rest.first() != Some(&b'[') {
            return false;
        }
        self.is_reordered = true;
        let end = self.rest.iter().position(|byte| *byte == b']');
        let Some(end) = end.filter(|_| self.rest.len() > 2) else {
            self.is_good = false;
            self.rest = self.rest.get(1..).unwrap_or_default();
            return false;
        };
        let (inside, rest) = self.rest.split_at(end);
        let (number, after) = number(inside.get(1..).unwrap_or_default());
        self.rest = rest.get(1..).unwrap_or_default();
        let number = number.filter(|_| after.is_empty());
        match number.and_then(|number| number.checked_sub(1)) {
            Some(index) if index < self.values.len() => self.next = index,
            _ => self.is_good = false,
        }
        number.is_some()
    }

    /// `5` or `*`. Whether an index remains that nothing has used.
    fn width(&mut self, is_indexed: bool) -> bool {
        if let Some((b'*', rest)) = self.rest.split_first() {
            self.rest = rest;
            let width = self.star();
            if width.is_none() {
                self.printer.out.push(b"%!(BADWIDTH)");
            }
            let flags = &mut self.printer.flags;
            if width.is_some_and(|width| width < 0) {
                (flags.minus, flags.zero) = (true, false);
            }
            flags.width = width.and_then(|width| usize::try_from(width.unsigned_abs()).ok());
            return false;
        }
        let (width, rest) = number(self.rest);
        self.printer.flags.width = width;
        self.rest = rest;
        if is_indexed && width.is_some() {
            self.is_good = false;
        }
        is_indexed
    }

    /// `.5` or `.*`. Whether an index remains that nothing has used.
    fn precision(&mut self, is_indexed: bool) -> bool {
        // A point at the end of the format is taken for the verb.
        let Some((b'.', rest @ [_, ..])) = self.rest.split_first() else {
            return is_indexed;
        };
        self.rest = rest;
        if is_indexed {
            self.is_good = false;
        }
        let is_indexed = self.index();
        if let Some((b'*', rest)) = self.rest.split_first() {
            self.rest = rest;
            let precision = self.star().and_then(|value| usize::try_from(value).ok());
            if precision.is_none() {
                self.printer.out.push(b"%!(BADPREC)");
            }
            self.printer.flags.precision = precision;
            return false;
        }
        let (precision, rest) = number(self.rest);
        self.printer.flags.precision = Some(precision.unwrap_or(0));
        self.rest = rest;
        is_indexed
    }

    /// The next value, as a width or a precision.
    fn star(&mut self) -> Option<i64> {
        let value = match self.values.get(self.next)? {
            Value::Int(value) => Some(*value),
            Value::Byte(value) => Some(i64::from(*value)),
            _ => None,
        };
        self.next += 1;
        value.filter(|value| (-WIDEST..=WIDEST).contains(value))
    }

    /// Shows the values that the format did not use.
    fn extra(&mut self) {
        let extra = self.values.get(self.next..).unwrap_or_default();
        if self.is_reordered || extra.is_empty() {
            return;
        }
        self.printer.flags = Flags::default();
        self.printer.out.push(b"%!(EXTRA ");
        for (index, value) in extra.iter().enumerate() {
            if index > 0 {
                self.printer.out.push(b", ");
            }
            self.printer.kind_and_value(value);
        }
        self.printer.out.push(b")");
    }
}

/// The decimal number that `text` begins with, and what follows it. One with too
/// many digits makes the rest of the format meaningless.
fn number(text: &[u8]) -> (Option<usize>, &[u8]) {
    let digits = text.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let (digits, rest) = text.split_at(digits);
    if digits.is_empty() {
        return (None, text);
    }
    let value = std::str::from_utf8(digits)
        .ok()
        .and_then(|digits| digits.parse().ok());
    match value.filter(|value| *value < 10 * WIDEST as usize + 10) {
        Some(value) => (Some(value), rest),
        None => (None, &[]),
    }
}
