//! Writes one value under a verb of `printf`, with its flags.

use super::decimal;
use super::text::{Buffer, is_printable, runes};
use super::value::Value;

/// What stands between the `%` and the verb.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Flags {
    pub(super) width: Option<usize>,
    pub(super) precision: Option<usize>,
    pub(super) minus: bool,
    pub(super) plus: bool,
    pub(super) sharp: bool,
    pub(super) space: bool,
    pub(super) zero: bool,
    /// `%#v`: as Go source has it.
    pub(super) go_syntax: bool,
}

/// Writes values.
pub(super) struct Printer {
    pub(super) out: Buffer,
    pub(super) flags: Flags,
}

impl Printer {
    pub(super) fn new(out: Buffer) -> Self {
        let flags = Flags::default();
        Self { out, flags }
    }

    /// Writes `value` under `verb`, or why that does not fit.
    pub(super) fn value(&mut self, value: &Value<'_>, verb: char) {
        match (value, verb) {
            (Value::Nil, 'v' | 'T') => self.pad(b"<nil>"),
            (Value::Nil, _) => self.misfit(value, verb),
            (_, 'T') => self.string(value.kind().as_bytes()),
            (Value::Bool(value), 't' | 'v') => self.pad(value.to_string().as_bytes()),
            (Value::Int(number), _) => {
                self.integer(value, number.unsigned_abs(), *number < 0, verb);
            }
            (Value::Byte(number), 'v') if self.flags.go_syntax => {
                let sharp = std::mem::replace(&mut self.flags.sharp, true);
                self.integer(value, u64::from(*number), false, 'x');
                self.flags.sharp = sharp;
            }
            (Value::Byte(number), _) => self.integer(value, u64::from(*number), false, verb),
            (Value::Float(number), _) if is_float_verb(verb) => self.float(*number, verb),
            (Value::Complex(real, imaginary), _) if is_float_verb(verb) => {
                self.out.push(b"(");
                self.float(*real, verb);
                let plus = std::mem::replace(&mut self.flags.plus, true);
                self.float(*imaginary, verb);
                self.flags.plus = plus;
                self.out.push(b"i)");
            }
            (Value::String(text), 'v') if self.flags.go_syntax => self.quoted(text),
            (Value::String(text), 's' | 'v') => self.string(text),
            (Value::String(text), 'q') => self.quoted(text),
            (Value::String(text), 'x' | 'X') => self.hexadecimal(text, verb == 'X'),
            (Value::Strings(_) | Value::Ints(_) | Value::Environment(_), _)
                if !matches!(verb, 'p' | 'w') =>
            {
                self.list(value, verb);
            }
            _ => self.misfit(value, verb),
        }
    }

    /// `%!verb(kind=value)`.
    fn misfit(&mut self, value: &Value<'_>, verb: char) {
        self.out.push(b"%!");
        self.out.push_char(verb);
        self.out.push(b"(");
        self.kind_and_value(value);
        self.out.push(b")");
    }

    /// `kind=value`.
    pub(super) fn kind_and_value(&mut self, value: &Value<'_>) {
        if matches!(value, Value::Nil) {
            return self.out.push(b"<nil>");
        }
        self.out.push(value.kind().as_bytes());
        self.out.push(b"=");
        self.value(value, 'v');
    }

    fn list(&mut self, list: &Value<'_>, verb: char) {
        let is_map = matches!(list, Value::Environment(_));
        let (open, separator, close) = match self.flags.go_syntax {
            true => ("{", ", ", "}"),
            false => ("[", " ", "]"),
        };
        let name = match (self.flags.go_syntax, is_map) {
            (true, _) => list.kind(),
            (false, true) => "map",
            (false, false) => "",
        };
        self.out.push(name.as_bytes());
        self.out.push(open.as_bytes());
        for turn in 0..list.length().unwrap_or(0) {
            let Some((key, element)) = list.entry(turn).filter(|_| !self.out.is_full()) else {
                break;
            };
            if turn > 0 {
                self.out.push(separator.as_bytes());
            }
            if is_map {
                self.value(&key, verb);
                self.out.push(b":");
            }
            self.value(&element, verb);
        }
        self.out.push(close.as_bytes());
    }

    /// Writes `bytes` with what the width lacks.
    fn pad(&mut self, bytes: &[u8]) {
        let width = self.flags.width.filter(|width| *width > 0);
        let missing = width.map_or(0, |width| width.saturating_sub(runes(bytes).count()));
        let filler = if self.flags.zero { b'0' } else { b' ' };
        if self.flags.minus {
            self.out.push(bytes);
            self.out.fill(filler, missing);
        } else {
            self.out.fill(filler, missing);
            self.out.push(bytes);
        }
    }

    /// Writes what contains its zeros already.
    fn pad_with_spaces(&mut self, bytes: &[u8]) {
        let zero = std::mem::replace(&mut self.flags.zero, false);
        self.pad(bytes);
        self.flags.zero = zero;
    }

    /// As much of `text` as the precision allows.
    fn truncated<'t>(&self, text: &'t [u8]) -> &'t [u8] {
        let Some(precision) = self.flags.precision else {
            return text;
        };
        let end = runes(text).nth(precision).map_or(text.len(), |(at, ..)| at);
        text.get(..end).unwrap_or(text)
    }

    fn string(&mut self, text: &[u8]) {
        self.pad(self.truncated(text));
    }

    fn quoted(&mut self, text: &[u8]) {
        let text = self.truncated(text);
        let is_raw = |text: &str| {
            let spoils = |c: char| c != '\t' && c.is_ascii_control() || c == '`' || c == '\u{FEFF}';
            !text.contains(spoils)
        };
        if self.flags.sharp && std::str::from_utf8(text).is_ok_and(is_raw) {
            self.pad(&[b"`", text, b"`"].concat());
        } else {
            self.pad(&quote(text, '"', self.flags.plus));
        }
    }

    fn hexadecimal(&mut self, text: &[u8], capitals: bool) {
        let text = text
            .get(..self.flags.precision.unwrap_or(text.len()))
            .unwrap_or(text);
        let prefix = match (self.flags.sharp, capitals) {
            (false, _) => "",
            (true, false) => "0x",
            (true, true) => "0X",
        };
        let mut digits = String::with_capacity(2 * text.len() + prefix.len());
        for (index, byte) in text.iter().enumerate() {
            if index > 0 && self.flags.space {
                digits.push(' ');
            }
            if index == 0 || self.flags.space {
                digits.push_str(prefix);
            }
            digits.push_str(&match capitals {
                true => format!("{byte:02X}"),
                false => format!("{byte:02x}"),
            });
        }
        self.pad(digits.as_bytes());
    }

    fn integer(&mut self, value: &Value<'_>, number: u64, is_negative: bool, verb: char) {
        let (digits, prefix) = match verb {
            'd' | 'v' => (number.to_string(), ""),
            'b' => (format!("{number:b}"), "0b"),
            'o' => (format!("{number:o}"), "0"),
            'O' => (format!("{number:o}"), "0o0"),
            'x' => (format!("{number:x}"), "0x"),
            'X' => (format!("{number:X}"), "0X"),
            'c' | 'q' | 'U' => return self.character(number, is_negative, verb),
            _ => return self.misfit(value, verb),
        };
        let prefix = match verb {
            _ if self.flags.sharp => prefix,
            'O' => "0o",
            _ => "",
        };
        self.digits(&digits, prefix, is_negative);
    }

    /// Writes the character with that code: as it is, quoted, or as `U+0041`.
    fn character(&mut self, code: u64, is_negative: bool, verb: char) {
        let found = u32::try_from(code).ok().filter(|_| !is_negative);
        let found = found.and_then(char::from_u32);
        let text = found.unwrap_or(char::REPLACEMENT_CHARACTER).to_string();
        match verb {
            'c' => self.pad(text.as_bytes()),
            'q' => self.pad(&quote(text.as_bytes(), '\'', self.flags.plus)),
            _ => {
                let code = if is_negative {
                    code.wrapping_neg()
                } else {
                    code
                };
                let least = self.flags.precision.unwrap_or(0).max(4);
                let digits = format!("{code:X}");
                let zeros = "0".repeat(least.saturating_sub(digits.len()));
                let shown = found.filter(|c| self.flags.sharp && is_printable(*c));
                let shown = shown.map_or(String::new(), |c| format!(" '{c}'"));
                self.pad_with_spaces(format!("U+{zeros}{digits}{shown}").as_bytes());
            }
        }
    }

    fn sign(&self, is_negative: bool) -> &'static str {
        match (is_negative, self.flags.plus, self.flags.space) {
            (true, ..) => "-",
            (_, true, _) => "+",
            (_, _, true) => " ",
            _ => "",
        }
    }

    /// Writes an integer: sign, prefix, zeros up to the precision, digits.
    fn digits(&mut self, digits: &str, prefix: &str, is_negative: bool) {
        let sign = self.sign(is_negative);
        let least = match self.flags.precision {
            Some(0) if digits == "0" => return self.pad_with_spaces(b""),
            Some(precision) => precision,
            None if self.flags.zero => self.flags.width.unwrap_or(0).saturating_sub(sign.len()),
            None => 0,
        };
        let digits = format!("{}{digits}", "0".repeat(least.saturating_sub(digits.len())));
        // A zero that is there already serves as the mark of octal numbers.
        let prefix = match prefix {
            "0" | "0o0" if digits.starts_with('0') => prefix.get(..prefix.len() - 1),
            _ => Some(prefix),
        };
        let text = format!("{sign}{}{digits}", prefix.unwrap_or_default());
        self.pad_with_spaces(text.as_bytes());
    }

    fn float(&mut self, number: f64, verb: char) {
        let verb = match verb {
            'v' => 'g',
            'F' => 'f',
            other => other,
        };
        let usual = matches!(verb, 'e' | 'E' | 'f').then_some(6);
        let precision = self.flags.precision.or(usual);
        let mut digits = decimal::format(number.abs(), verb, precision);
        if self.flags.sharp && verb != 'b' {
            digits = with_point(&digits, verb, precision);
        }
        let sign = self.sign(number.is_sign_negative());
        let width = self.flags.width.unwrap_or(0);
        if self.flags.zero && !sign.is_empty() && width > sign.len() + digits.len() {
            let zeros = "0".repeat(width - sign.len() - digits.len());
            self.out.push(format!("{sign}{zeros}{digits}").as_bytes());
        } else {
            self.pad(format!("{sign}{digits}").as_bytes());
        }
    }
}

fn is_float_verb(verb: char) -> bool {
    matches!(
        verb,
        'v' | 'b' | 'g' | 'G' | 'x' | 'X' | 'f' | 'F' | 'e' | 'E'
    )
}

/// What `#` adds to a floating-point number: a decimal point, and for `g` and `x`
/// the zeros up to the precision.
fn with_point(number: &str, verb: char, precision: Option<usize>) -> String {
    let is_hexadecimal = matches!(verb, 'x' | 'X');
    let tail = match is_hexadecimal {
        true => number.find(['p', 'P']),
        false => number.find(['e', 'E']),
    };
    let (digits, tail) = number.split_at(tail.unwrap_or(number.len()));
    let wanted = match verb {
        'g' | 'G' | 'x' => precision.unwrap_or(6),
        _ => 0,
    };
    let significant = digits
        .trim_start_matches(['0', '.'])
        .chars()
        .filter(|c| *c != '.')
        .count();
    let has_point = digits.contains('.');
    let point = if has_point { "" } else { "." };
    let used = if digits == "0" { 1 } else { significant };
    let zeros = "0".repeat(wanted.saturating_sub(used));
    format!("{digits}{point}{zeros}{tail}")
}

/// `text` in quotes, as Go's strconv escapes it.
fn quote(text: &[u8], mark: char, only_ascii: bool) -> Vec<u8> {
    let mut quoted = String::with_capacity(text.len() + 2);
    quoted.push(mark);
    for (_, c, bytes) in runes(text) {
        let is_invalid = c == char::REPLACEMENT_CHARACTER && bytes.len() == 1;
        let is_plain = is_printable(c) && (c.is_ascii() || !only_ascii);
        let code = u32::from(c);
        match c {
            _ if is_invalid => {
                let byte = bytes.first().copied().unwrap_or_default();
                quoted.push_str(&format!("\\x{byte:02x}"));
            }
            '\\' => quoted.push_str("\\\\"),
            _ if c == mark => quoted.extend(['\\', c]),
            _ if is_plain => quoted.push(c),
            '\x07' => quoted.push_str("\\a"),
            '\x08' => quoted.push_str("\\b"),
            '\x0C' => quoted.push_str("\\f"),
            '\n' => quoted.push_str("\\n"),
            '\r' => quoted.push_str("\\r"),
            '\t' => quoted.push_str("\\t"),
            '\x0B' => quoted.push_str("\\v"),
            '\0'..'\x20' | '\x7F' => quoted.push_str(&format!("\\x{code:02x}")),
            '\0'..='\u{FFFF}' => quoted.push_str(&format!("\\u{code:04x}")),
            _ => quoted.push_str(&format!("\\U{code:08x}")),
        }
    }
    quoted.push(mark);
    quoted.into_bytes()
}
