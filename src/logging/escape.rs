//! Messages as the inside of a JSON string and as a logrus value.
//!
//! Nearly every line a program prints is plain ASCII, and one copy. From the
//! first byte on that is not ASCII, what remains is checked to be UTF-8 and
//! copied in runs; only what needs an escape is looked at one by one.

use super::block::{Block, Json, JsonText, Quoted, QuotedText, Special};

/// Appends `message` as it stands between the quotes of a JSON string
/// (RFC 8259, section 7). What is no UTF-8 becomes U+FFFD.
pub(crate) fn push_json(out: &mut Block, message: &[u8]) {
    let rest = push_ascii::<Json>(out, message, push_json_char);
    for chunk in rest.utf8_chunks() {
        push_text::<JsonText>(out, chunk.valid(), push_json_char);
        if !chunk.invalid().is_empty() {
            push_char(out, char::REPLACEMENT_CHARACTER);
        }
    }
}

/// Appends `value` as logrus's text format shows a value: bare if it consists
/// of nothing but letters, digits and `-._/@^+`, else quoted.
pub(crate) fn push_value(out: &mut Block, value: &[u8]) {
    if is_bare(value) {
        out.append(value);
        return;
    }
    out.push(b'"');
    push_quoted(out, value);
    out.push(b'"');
}

/// Whether logrus shows a value without quotes.
pub(crate) fn is_bare(value: &[u8]) -> bool {
    let mut bytes = value.iter();
    bytes.all(|byte| byte.is_ascii_alphanumeric() || b"-._/@^+".contains(byte))
}

/// Appends `value` as it stands between the quotes of a Go string. Invisible
/// characters and what is no UTF-8 become escapes.
fn push_quoted(out: &mut Block, value: &[u8]) {
    let rest = push_ascii::<Quoted>(out, value, push_quoted_char);
    for chunk in rest.utf8_chunks() {
        push_text::<QuotedText>(out, chunk.valid(), push_quoted_char);
        for byte in chunk.invalid() {
            push_hex(out, b'x', (*byte).into(), 2);
        }
    }
}

/// Appends the ASCII at the beginning of `bytes` and returns the rest.
fn push_ascii<'a, S: Special>(
    out: &mut Block,
    mut bytes: &'a [u8],
    escape: fn(&mut Block, char),
) -> &'a [u8] {
    loop {
        let copied = out.copy::<S>(bytes);
        bytes = bytes.get(copied..).unwrap_or_default();
        match bytes.split_first() {
            Some((first, rest)) if first.is_ascii() => {
                escape(out, char::from(*first));
                bytes = rest;
            }
            _ => return bytes,
        }
    }
}

/// Appends `text`.
fn push_text<S: Special>(out: &mut Block, text: &str, escape: fn(&mut Block, char)) {
    let mut rest = text;
    while !rest.is_empty() {
        // Special bytes begin characters, so this cannot cut one.
        let copied = out.copy::<S>(rest.as_bytes());
        let mut characters = rest.get(copied..).unwrap_or_default().chars();
        if let Some(character) = characters.next() {
            escape(out, character);
        }
        rest = characters.as_str();
    }
}

/// Appends a character that JSON strings cannot hold as it is.
fn push_json_char(out: &mut Block, character: char) {
    let short = match character {
        '"' | '\\' => character as u8,
        '\n' => b'n',
        '\r' => b'r',
        '\t' => b't',
        _ => return push_hex(out, b'u', character.into(), 4),
    };
    out.push(b'\\');
    out.push(short);
}

/// Appends a character as Go's `strconv.Quote` does.
fn push_quoted_char(out: &mut Block, character: char) {
    let short = match character {
        '"' | '\\' => character as u8,
        '\x07' => b'a',
        '\x08' => b'b',
        '\t' => b't',
        '\n' => b'n',
        '\x0b' => b'v',
        '\x0c' => b'f',
        '\r' => b'r',
        _ if character.is_ascii_control() => return push_hex(out, b'x', character.into(), 2),
        _ if is_visible(character) => return push_char(out, character),
        _ if character > '\u{ffff}' => return push_hex(out, b'U', character.into(), 8),
        _ => return push_hex(out, b'u', character.into(), 4),
    };
    out.push(b'\\');
    out.push(short);
}

/// Whether a character shows as itself. Not so are controls, spaces other than
/// the common one, and the marks that change direction, join letters or tag
/// text: they would let a line look like what it is not. [`QuotedText`] must
/// stop at the first byte of each.
fn is_visible(character: char) -> bool {
    let hidden = character.is_control()
        || character.is_whitespace() && character != ' '
        || matches!(character,
            '\u{ad}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}'
            | '\u{e0000}'..='\u{e0fff}');
    !hidden
}

fn push_char(out: &mut Block, character: char) {
    for byte in character.encode_utf8(&mut [0; 4]).bytes() {
        out.push(byte);
    }
}

/// Appends an escape of this kind: `value` in `width` hexadecimal digits.
fn push_hex(out: &mut Block, kind: u8, value: u32, width: u32) {
    out.push(b'\\');
    out.push(kind);
    for digit in (0..width).rev() {
        let nibble = (value >> (4 * digit)) & 0xf;
        let digit = char::from_digit(nibble, 16).map_or(b'0', |digit| digit as u8);
        out.push(digit);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn json(message: &[u8]) -> String {
        let mut out = Block::default();
        push_json(&mut out, message);
        String::from_utf8(out.as_slice().to_vec()).unwrap_or_else(|error| error.to_string())
    }

    fn value(message: &[u8]) -> String {
        let mut out = Block::default();
        push_value(&mut out, message);
        String::from_utf8(out.as_slice().to_vec()).unwrap_or_else(|error| error.to_string())
    }

    #[test]
    fn json_strings_escape_what_json_forbids_and_nothing_else() {
        let cases: [(&[u8], &str); 9] = [
            (b"", ""),
            (b"plain, <b>&amp;</b> /path", "plain, <b>&amp;</b> /path"),
            (b"say \"hi\" to C:\\x", r#"say \"hi\" to C:\\x"#),
            (b"tab\tcr\rlf\n", r"tab\tcr\rlf\n"),
            (
                b"nul\0 bell\x07 esc\x1b[0m del\x7f",
                "nul\\u0000 bell\\u0007 esc\\u001b[0m del\x7f",
            ),
            ("grüße 日本 🙂".as_bytes(), "grüße 日本 🙂"),
            (b"bad \xff\xfe end", "bad \u{fffd}\u{fffd} end"),
            (b"cut \xe6\x97", "cut \u{fffd}"),
            (
                b"0123456789012345678901234567890\"",
                r#"0123456789012345678901234567890\""#,
            ),
        ];
        for (message, expected) in cases {
            assert_eq!(json(message), expected);
        }
    }

    #[test]
    fn values_are_quoted_as_logrus_quotes_them() {
        let cases: [(&[u8], &str); 12] = [
            (b"", ""),
            (b"listening", "listening"),
            (b"a-b.c_d/e@f^g+H9", "a-b.c_d/e@f^g+H9"),
            (b"two words", r#""two words""#),
            (b"k=v", r#""k=v""#),
            (b"say \"hi\" \\ ok", r#""say \"hi\" \\ ok""#),
            (b"\x07\x08\t\n\x0b\x0c\r", r#""\a\b\t\n\v\f\r""#),
            (b"\0\x1b[0m\x7f", r#""\x00\x1b[0m\x7f""#),
            ("grüße 日本 🙂".as_bytes(), "\"grüße 日本 🙂\""),
            (b"bad \xff\xfe", r#""bad \xff\xfe""#),
            (
                "\u{e0041}\u{10000}é".as_bytes(),
                "\"\\U000e0041\u{10000}é\"",
            ),
            (
                "\u{85}\u{a0}\u{202e}\u{feff}".as_bytes(),
                r#""\u0085\u00a0\u202e\ufeff""#,
            ),
        ];
        for (message, expected) in cases {
            assert_eq!(value(message), expected);
        }
    }

    #[test]
    fn the_copy_of_text_stops_at_every_invisible_character() {
        for character in (0..=0x0010_ffff).filter_map(char::from_u32) {
            let mut text = [0; 4];
            let text = character.encode_utf8(&mut text).as_bytes();
            if Block::default().copy::<QuotedText>(text) > 0 {
                assert!(is_visible(character), "{character:?}");
            }
        }
    }

    #[test]
    fn what_serde_reads_back_is_what_was_printed() {
        let mut message = String::new();
        for code in (0..0x300).chain([0x2028, 0x2029, 0xfeff, 0x1f642]) {
            message.extend(char::from_u32(code));
        }
        let quoted = format!("\"{}\"", json(message.as_bytes()));
        assert_eq!(serde_json::from_str::<String>(&quoted).ok(), Some(message));
    }
}
