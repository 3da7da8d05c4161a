//! Names from outside as they are told to people: on one line, and without what a
//! terminal would obey.
//!
//! For the log, the errors of a configuration and the plan of a reload. What JSON and
//! the exposition of metrics need is theirs.

use std::borrow::Cow;

/// The text with its control characters as Rust writes them: `a\nb`, `\u{1b}[31m`.
pub(crate) fn printable(text: &str) -> Cow<'_, str> {
    let is_plain = text.bytes().all(|byte| matches!(byte, b' '..=b'~'));
    if is_plain || !text.contains(char::is_control) {
        return Cow::Borrowed(text);
    }
    let mut shown = String::with_capacity(text.len());
    for c in text.chars() {
        match c.is_control() {
            true => shown.extend(c.escape_default()),
            false => shown.push(c),
        }
    }
    Cow::Owned(shown)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_control_characters_are_changed() {
        for (text, expected) in [
            ("app \"1\" \\n", "app \"1\" \\n"),
            ("é\u{202f}猫", "é\u{202f}猫"),
            (
                "a\nb\r\t\u{1b}[31m\u{7f}\u{9b}é",
                r"a\nb\r\t\u{1b}[31m\u{7f}\u{9b}é",
            ),
            ("", ""),
        ] {
            assert_eq!(printable(text), expected);
        }
    }
}
