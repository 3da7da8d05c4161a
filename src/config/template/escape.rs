//! `html`, `js`, `urlquery`: a string for the inside of something else.

use super::call::{Answer, Call, string};
use super::printf;
use super::text::{Buffer, Text, is_printable, runes};
use super::value::Value;

/// `html`: for the text of a page and the attributes of its elements.
pub(super) fn html<'a>(call: &Call<'_, 'a>) -> Answer<'a> {
    escape(call, |made, _, bytes| match bytes {
        b"\0" => made.push("\u{FFFD}".as_bytes()),
        b"\"" => made.push(b"&#34;"),
        b"'" => made.push(b"&#39;"),
        b"&" => made.push(b"&amp;"),
        b"<" => made.push(b"&lt;"),
        b">" => made.push(b"&gt;"),
        _ => made.push(bytes),
    })
}

/// `js`: for the inside of a JavaScript string.
pub(super) fn js<'a>(call: &Call<'_, 'a>) -> Answer<'a> {
    escape(call, |made, rune, bytes| match rune {
        '\\' | '\'' | '"' => {
            made.push(b"\\");
            made.push(bytes);
        }
        '<' | '>' | '&' | '=' | '\0'..' ' => {
            made.push(format!("\\u{:04X}", u32::from(rune)).as_bytes());
        }
        '\x7F' => made.push(bytes),
        _ if is_printable(rune) => made.push(bytes),
        _ => made.push(format!("\\u{:04X}", u32::from(rune)).as_bytes()),
    })
}

/// `urlquery`: for a name or value in the query of a URL.
pub(super) fn urlquery<'a>(call: &Call<'_, 'a>) -> Answer<'a> {
    escape(call, |made, _, bytes| {
        for byte in bytes {
            match byte {
                b' ' => made.push(b"+"),
                b'-' | b'_' | b'.' | b'~' => made.push(&[*byte]),
                _ if byte.is_ascii_alphanumeric() => made.push(&[*byte]),
                _ => made.push(format!("%{byte:02X}").as_bytes()),
            }
        }
    })
}

/// The arguments as `print` prints them, character by character through `each`.
fn escape<'a>(call: &Call<'_, 'a>, each: impl Fn(&mut Buffer, char, &[u8])) -> Answer<'a> {
    let printed: Text<'a> = match call.arguments {
        [Value::String(text)] => text.clone(),
        arguments => {
            let named = arguments.iter().map(|argument| match argument {
                Value::Nil => Value::String(printf::NO_VALUE.into()),
                other => other.clone(),
            });
            printf::print(&named.collect::<Vec<_>>())?.into()
        }
    };
    let mut made = Buffer::default();
    for (_, rune, bytes) in runes(&printed) {
        each(&mut made, rune, bytes);
    }
    string(made.finish())
}
