//! What the constants of a template stand for.

use std::str::Chars;

use super::decimal;
use super::lexer::{Kind, Token};
use super::text::Text;
use super::value::Value;

/// The string that a quoted or raw token stands for.
pub(super) fn string<'a>(token: &Token<'a>) -> Result<Text<'a>, String> {
    let inner = token.text.get(1..token.text.len() - 1).unwrap_or_default();
    if token.kind == Kind::Raw {
        return Ok(match inner.contains('\r') {
            true => inner.replace('\r', "").into_bytes().into(),
            false => inner.into(),
        });
    }
    if !inner.contains('\\') {
        return Ok(inner.into());
    }
    let mut bytes = Vec::with_capacity(inner.len());
    let mut rest = inner.chars();
    while let Some(c) = rest.next() {
        match c {
            '\\' => match escape(&mut rest, '"') {
                Some(Escape::Byte(byte)) => bytes.push(byte),
                Some(Escape::Char(c)) => {
                    bytes.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
                }
                None => return Err(bad_escape(token, inner.len() - rest.as_str().len())),
            },
            _ => bytes.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes()),
        }
    }
    Ok(bytes.into())
}

/// Quotes the escape sequence that ends at or after `end` within the quotes.
fn bad_escape(token: &Token<'_>, end: usize) -> String {
    let before = token.text.get(..1 + end).unwrap_or_default();
    let escape = before
        .get(before.rfind('\\').unwrap_or(0)..)
        .unwrap_or_default();
    let whole = token.brief();
    let hint = "; in a raw string, `…`, a backslash stands for itself";
    format!("unknown escape sequence {escape} in {whole}{hint}")
}

/// The code of a character constant.
pub(super) fn character(token: &Token<'_>) -> Result<Value<'static>, String> {
    let inner = token.text.get(1..token.text.len() - 1).unwrap_or_default();
    let mut rest = inner.chars();
    let code = match rest.next() {
        Some('\\') => escape(&mut rest, '\'').map(|escape| match escape {
            Escape::Byte(byte) => i64::from(byte),
            Escape::Char(c) => i64::from(u32::from(c)),
        }),
        first => first.map(|c| i64::from(u32::from(c))),
    };
    match code {
        Some(code) if rest.as_str().is_empty() => Ok(Value::Int(code)),
        _ => {
            let piece = token.brief();
            let hint = "strings are in double quotes";
            Err(format!("{piece} is not one character; {hint}"))
        }
    }
}

enum Escape {
    Byte(u8),
    Char(char),
}

/// What follows a backslash.
fn escape(rest: &mut Chars<'_>, quote: char) -> Option<Escape> {
    let byte = match rest.next()? {
        'a' => 0x07,
        'b' => 0x08,
        'f' => 0x0C,
        'n' => b'\n',
        'r' => b'\r',
        't' => b'\t',
        'v' => 0x0B,
        '\\' => b'\\',
        'x' => u8::try_from(digits(rest, 2, 16)?).ok()?,
        'u' => return char::from_u32(digits(rest, 4, 16)?).map(Escape::Char),
        'U' => return char::from_u32(digits(rest, 8, 16)?).map(Escape::Char),
        c @ '0'..='7' => {
            let code = c.to_digit(8)? * 64 + digits(rest, 2, 8)?;
            u8::try_from(code).ok()?
        }
        c if c == quote => return Some(Escape::Char(c)),
        _ => return None,
    };
    Some(Escape::Byte(byte))
}

fn digits(rest: &mut Chars<'_>, count: u32, base: u32) -> Option<u32> {
    (0..count).try_fold(0_u32, |value, _| {
        let digit = rest.next()?.to_digit(base)?;
        value.checked_mul(base)?.checked_add(digit)
    })
}

/// The value of a numeric constant, typed as Go types it.
pub(super) fn number(token: &Token<'_>) -> Result<Value<'static>, String> {
    let text = token.text;
    let not_a_number = || format!("{} is not a number", token.brief());
    if token.kind == Kind::Complex {
        let (real, imaginary) = parts(text).ok_or_else(not_a_number)?;
        return Ok(Value::Complex(real, imaginary));
    }
    if let Some(imaginary) = text.strip_suffix('i') {
        let imaginary = decimal::parse(imaginary).ok_or_else(not_a_number)?;
        return Ok(Value::Complex(0.0, imaginary));
    }
    let is_fraction = text.contains(['.', 'e', 'E', 'p', 'P']);
    match integer(text) {
        // Go's quirk: -0x1e has an e and no 0x at its beginning.
        Some(Ok(value)) if is_fraction && !text.starts_with("0x") && !text.starts_with("0X") => {
            Ok(Value::Float(value as f64))
        }
        Some(Ok(value)) => Ok(Value::Int(value)),
        Some(Err(())) => Err(format!("{} does not fit 64 bits", token.brief())),
        None if is_fraction => decimal::parse(text)
            .map(Value::Float)
            .ok_or_else(not_a_number),
        None => Err(not_a_number()),
    }
}

/// Real and imaginary part of a constant such as `1+2i`.
fn parts(text: &str) -> Option<(f64, f64)> {
    let text = text.strip_suffix('i')?;
    let is_sign = |(at, c): &(usize, char)| {
        let before = text.get(..*at).unwrap_or_default();
        *at > 0 && matches!(c, '+' | '-') && !before.ends_with(['e', 'E', 'p', 'P'])
    };
    let (at, _) = text.char_indices().rfind(is_sign)?;
    let (real, imaginary) = text.split_at(at);
    Some((decimal::parse(real)?, decimal::parse(imaginary)?))
}

/// An integer in Go's syntax, with or without a base; `Some(Err)` if it is one
/// but too big.
fn integer(text: &str) -> Option<Result<i64, ()>> {
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
    let prefix = unsigned.get(..2).unwrap_or_default().to_ascii_lowercase();
    let (digits, base) = match prefix.as_str() {
        "0x" => (unsigned.get(2..)?, 16),
        "0o" => (unsigned.get(2..)?, 8),
        "0b" => (unsigned.get(2..)?, 2),
        _ if unsigned.len() > 1 && unsigned.starts_with('0') => (unsigned.get(1..)?, 8),
        _ => (unsigned, 10),
    };
    if !decimal::has_good_underscores(unsigned) {
        return None;
    }
    let digits = digits.replace('_', "");
    if digits.is_empty() || !digits.chars().all(|c| c.is_digit(base)) {
        return None;
    }
    let sign = if text.starts_with('-') { "-" } else { "" };
    Some(i64::from_str_radix(&format!("{sign}{digits}"), base).map_err(|_too_big| ()))
}
