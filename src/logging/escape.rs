//! Messages as the inside of a JSON string and as a logrus value.
//!
//! Nearly every line a program prints is plain ASCII. That case is one pass
//! over words of eight bytes and one copy; everything else takes the careful
//! path behind it.

/// Which bytes must not be copied as they are.
#[derive(Clone, Copy)]
struct Plain {
    /// Whether DEL needs an escape, as in Go's quoted strings.
    del: bool,
}

const JSON: Plain = Plain { del: false };
const QUOTED: Plain = Plain { del: true };

/// Appends `message` as it stands between the quotes of a JSON string
/// (RFC 8259, section 7). What is no UTF-8 becomes U+FFFD.
pub(crate) fn push_json(out: &mut Vec<u8>, message: &[u8]) {
    push_escaped(out, message, JSON, &|out, piece| match piece {
        Piece::Char('"') => out.extend_from_slice(br#"\""#),
        Piece::Char('\\') => out.extend_from_slice(br"\\"),
        Piece::Char('\n') => out.extend_from_slice(br"\n"),
        Piece::Char('\r') => out.extend_from_slice(br"\r"),
        Piece::Char('\t') => out.extend_from_slice(br"\t"),
        Piece::Char(other) if other < ' ' => push_hex(out, br"\u", other as u32, 4),
        Piece::Char(other) => push_char(out, other),
        Piece::Invalid(_) => push_char(out, char::REPLACEMENT_CHARACTER),
    });
}

/// Appends `value` as logrus's text format shows a value: bare if it consists
/// of nothing but letters, digits and `-._/@^+`, else as Go quotes a string.
/// Invisible characters and what is no UTF-8 become escapes.
pub(crate) fn push_value(out: &mut Vec<u8>, value: &[u8]) {
    if value.iter().all(|byte| is_bare(*byte)) {
        out.extend_from_slice(value);
        return;
    }
    out.push(b'"');
    push_escaped(out, value, QUOTED, &push_quoted);
    out.push(b'"');
}

/// Whether logrus leaves a value of such bytes without quotes.
fn is_bare(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-._/@^+".contains(&byte)
}

/// What the careful path meets.
#[derive(Clone, Copy)]
enum Piece {
    Char(char),
    Invalid(u8),
}

/// Appends one character as Go's `strconv.Quote` does.
fn push_quoted(out: &mut Vec<u8>, piece: Piece) {
    let character = match piece {
        Piece::Char(character) => character,
        Piece::Invalid(byte) => return push_hex(out, br"\x", byte.into(), 2),
    };
    let short = match character {
        '"' | '\\' => character as u8,
        '\x07' => b'a',
        '\x08' => b'b',
        '\t' => b't',
        '\n' => b'n',
        '\x0b' => b'v',
        '\x0c' => b'f',
        '\r' => b'r',
        _ if character.is_ascii_control() => return push_hex(out, br"\x", character as u32, 2),
        _ if is_visible(character) => return push_char(out, character),
        _ if character > '\u{ffff}' => return push_hex(out, br"\U", character as u32, 8),
        _ => return push_hex(out, br"\u", character as u32, 4),
    };
    out.extend_from_slice(&[b'\\', short]);
}

/// Whether a character shows as itself. Not so are controls, spaces other than
/// the common one, and the marks that change direction or join letters: they
/// would let a line look like what it is not.
fn is_visible(character: char) -> bool {
    let hidden = character.is_control()
        || character.is_whitespace() && character != ' '
        || matches!(character,
            '\u{ad}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}');
    !hidden
}

/// Copies what is plain and hands every other character to `escape`.
fn push_escaped(
    out: &mut Vec<u8>,
    message: &[u8],
    plain: Plain,
    escape: &dyn Fn(&mut Vec<u8>, Piece),
) {
    let (copied, rest) = message.split_at(plain_prefix(message, plain));
    out.extend_from_slice(copied);
    if rest.is_empty() {
        return;
    }
    for chunk in rest.utf8_chunks() {
        push_escaped_text(out, chunk.valid(), plain, escape);
        // JSON's replacement stands for the whole sequence, as it does
        // wherever text is decoded leniently; escapes stand for each byte.
        let invalid = chunk.invalid();
        let shown = if plain.del {
            invalid.len()
        } else {
            invalid.len().min(1)
        };
        for byte in invalid.iter().take(shown) {
            escape(out, Piece::Invalid(*byte));
        }
    }
}

fn push_escaped_text(
    out: &mut Vec<u8>,
    mut text: &str,
    plain: Plain,
    escape: &dyn Fn(&mut Vec<u8>, Piece),
) {
    loop {
        let (copied, rest) = text
            .split_at_checked(plain_prefix(text.as_bytes(), plain))
            .unwrap_or((text, ""));
        out.extend_from_slice(copied.as_bytes());
        let mut characters = rest.chars();
        match characters.next() {
            Some(character) => escape(out, Piece::Char(character)),
            None => return,
        }
        text = characters.as_str();
    }
}

/// How many bytes at the beginning are ASCII that needs no escape.
fn plain_prefix(bytes: &[u8], plain: Plain) -> usize {
    let mut words = bytes.chunks_exact(8);
    let mut length = 0;
    for word in words.by_ref() {
        // Always eight bytes; the conversion cannot fail.
        let word = word.try_into().map_or(u64::MAX, u64::from_ne_bytes);
        if has_special(word, plain) {
            break;
        }
        length += 8;
    }
    let rest = bytes.get(length..).unwrap_or_default();
    length
        + rest
            .iter()
            .take_while(|byte| is_plain(**byte, plain))
            .count()
}

fn is_plain(byte: u8, plain: Plain) -> bool {
    matches!(byte, b' '..=0x7f) && byte != b'"' && byte != b'\\' && !(plain.del && byte == 0x7f)
}

/// Whether any of the eight bytes is not plain. All eight are looked at in one
/// go; a byte's high bit says that it is not ASCII, and the subtractions carry
/// into the high bit exactly where a byte is below the one subtracted.
fn has_special(word: u64, plain: Plain) -> bool {
    const ONES: u64 = u64::MAX / 255;
    const HIGHS: u64 = ONES << 7;
    let zero_byte = |word: u64| word.wrapping_sub(ONES) & !word;
    let mut found = word | word.wrapping_sub(ONES * 0x20);
    found |= zero_byte(word ^ (ONES * b'"' as u64));
    found |= zero_byte(word ^ (ONES * b'\\' as u64));
    if plain.del {
        found |= zero_byte(word ^ (ONES * 0x7f));
    }
    found & HIGHS != 0
}

fn push_char(out: &mut Vec<u8>, character: char) {
    out.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
}

/// Appends `prefix` and `value` in `width` hexadecimal digits.
fn push_hex(out: &mut Vec<u8>, prefix: &[u8], value: u32, width: u32) {
    out.extend_from_slice(prefix);
    for digit in (0..width).rev() {
        let nibble = (value >> (4 * digit)) & 0xf;
        out.extend(char::from_digit(nibble, 16).map(|digit| digit as u8));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn json(message: &[u8]) -> String {
        let mut out = Vec::new();
        push_json(&mut out, message);
        String::from_utf8(out).unwrap_or_else(|error| error.to_string())
    }

    fn value(message: &[u8]) -> String {
        let mut out = Vec::new();
        push_value(&mut out, message);
        String::from_utf8(out).unwrap_or_else(|error| error.to_string())
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
        let cases: [(&[u8], &str); 11] = [
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
                "\u{85}\u{a0}\u{202e}\u{feff}".as_bytes(),
                r#""\u0085\u00a0\u202e\ufeff""#,
            ),
        ];
        for (message, expected) in cases {
            assert_eq!(value(message), expected);
        }
    }

    #[test]
    fn every_byte_is_judged_alike_alone_and_in_a_word() {
        for plain in [JSON, QUOTED] {
            for byte in 0..=u8::MAX {
                for position in 0..8 {
                    let mut bytes = [b'a'; 8];
                    bytes[position] = byte;
                    let expected = if is_plain(byte, plain) { 8 } else { position };
                    assert_eq!(
                        plain_prefix(&bytes, plain),
                        expected,
                        "byte {byte:#x} at {position}"
                    );
                    let special = has_special(u64::from_ne_bytes(bytes), plain);
                    assert_eq!(special, expected != 8, "byte {byte:#x} at {position}");
                }
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
