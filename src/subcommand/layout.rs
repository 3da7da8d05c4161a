//! Texts on the lines of a terminal: how wide they are, how they fit, and without
//! what a terminal would obey.
//!
//! Pure; `-status` uses it. Widths are in columns: characters of East Asian scripts
//! and pictures take two (UAX #11), marks that belong to the one before none.

/// What marks the place where something was cut off.
const CUT: &str = "..";

/// Characters that are two columns wide, from and to. Of each block it is all,
/// also what is not assigned.
const WIDE: [(char, char); 9] = [
    ('\u{1100}', '\u{115f}'),
    ('\u{2e80}', '\u{a4cf}'),
    ('\u{a960}', '\u{a97f}'),
    ('\u{ac00}', '\u{d7a3}'),
    ('\u{f900}', '\u{faff}'),
    ('\u{fe30}', '\u{fe6f}'),
    ('\u{ff00}', '\u{ff60}'),
    ('\u{1f300}', '\u{1faff}'),
    ('\u{20000}', '\u{3fffd}'),
];

/// Characters that take no column of their own.
const MARKS: [(char, char); 4] = [
    ('\u{300}', '\u{36f}'),
    ('\u{1ab0}', '\u{1aff}'),
    ('\u{20d0}', '\u{20ff}'),
    ('\u{fe00}', '\u{fe0f}'),
];

/// Characters that change how others are shown: invisible, or the direction of
/// writing.
const ORDERS: [(char, char); 4] = [
    ('\u{200b}', '\u{200f}'),
    ('\u{2028}', '\u{202e}'),
    ('\u{2060}', '\u{2069}'),
    ('\u{feff}', '\u{feff}'),
];

fn is_among(c: char, ranges: &[(char, char)]) -> bool {
    c >= '\u{200}'
        && ranges
            .iter()
            .any(|(first, last)| (*first..=*last).contains(&c))
}

fn columns(c: char) -> usize {
    match c {
        _ if is_among(c, &MARKS) => 0,
        _ if is_among(c, &WIDE) => 2,
        _ => 1,
    }
}

/// How many columns a text takes.
pub(super) fn width(text: &str) -> usize {
    text.chars().map(columns).sum()
}

/// A text without what a terminal would obey: names and the output of checks are
/// anybody's.
pub(super) fn printable(text: &str) -> String {
    let shown = text.chars().map(|c| match c {
        '\n' | '\t' => ' ',
        c if c.is_control() || is_among(c, &ORDERS) => '?',
        c => c,
    });
    shown.collect()
}

/// Where the beginning of a text ends that fits into so many columns.
fn end_of_beginning(text: &str, room: usize) -> usize {
    let mut left = room;
    let too_much = text.char_indices().find(|(_, c)| {
        let fits = columns(*c) <= left;
        left = left.saturating_sub(columns(*c));
        !fits
    });
    too_much.map_or(text.len(), |(at, _)| at)
}

/// Where the end of a text begins that fits into so many columns.
fn beginning_of_end(text: &str, room: usize) -> usize {
    let mut used = 0;
    let characters = text.char_indices().rev();
    let fitting = characters.take_while(|(_, c)| {
        used += columns(*c);
        used <= room
    });
    fitting.last().map_or(text.len(), |(at, _)| at)
}

/// A text of at most `room` columns: what is too long loses its middle, since
/// names often differ at their end.
pub(super) fn shortened(text: &str, room: usize) -> String {
    if width(text) <= room {
        return text.to_owned();
    }
    let kept = room.saturating_sub(CUT.len());
    let tail = text
        .get(beginning_of_end(text, kept / 3)..)
        .unwrap_or_default();
    let head = end_of_beginning(text, kept - kept / 3);
    format!("{}{CUT}{tail}", text.get(..head).unwrap_or_default())
}

/// The words of a text on lines of at most `room` columns. A word that is longer
/// than that stands on several.
pub(super) fn wrapped(text: &str, room: usize) -> Vec<String> {
    let mut lines = Vec::new();
    let mut line = String::new();
    for mut word in text.split(' ') {
        loop {
            let gap = if line.is_empty() { "" } else { " " };
            if width(&line) + gap.len() + width(word) <= room {
                line.push_str(gap);
                line.push_str(word);
                break;
            }
            if !line.is_empty() {
                lines.push(std::mem::take(&mut line));
                continue;
            }
            // One character at least, however narrow the line.
            let first = word.chars().next().map_or(0, char::len_utf8);
            let (part, rest) = word.split_at(end_of_beginning(word, room).max(first));
            lines.push(part.to_owned());
            word = rest;
        }
    }
    lines.push(line);
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_as_wide_as_they_are_shown() {
        for (text, columns) in [
            ("", 0),
            ("app", 3),
            ("\u{fc}ber", 4),
            ("u\u{308}ber", 4),
            ("日本", 4),
            ("한글", 4),
            ("ｗ", 2),
            ("\u{1f680}", 2),
            ("…", 1),
        ] {
            assert_eq!(width(text), columns, "{text}");
        }
    }

    #[test]
    fn what_does_not_fit_loses_its_middle() {
        for (text, room, expected) in [
            ("a-name", 6, "a-name"),
            ("a-long-name-1", 8, "a-lo..-1"),
            ("日本語の名前", 12, "日本語の名前"),
            ("日本語の名前", 11, "日本語..前"),
            ("日本語の名前", 9, "日本..前"),
            ("abc", 1, ".."),
        ] {
            let shown = shortened(text, room);
            assert_eq!(shown, expected);
            assert!(width(&shown) <= room.max(2));
        }
    }

    #[test]
    fn words_go_to_the_next_line_and_long_ones_to_several() {
        for (text, lines) in [
            ("", &[""][..]),
            ("one two", &["one two"]),
            ("one two three", &["one two", "three"]),
            ("a verylongword", &["a", "verylong", "word"]),
            ("日本語の名前 x", &["日本語の", "名前 x"]),
        ] {
            assert_eq!(wrapped(text, 8), lines);
        }
        assert_eq!(wrapped("日本", 1), ["日", "本", ""]);
    }

    #[test]
    fn nothing_that_is_shown_gives_orders() {
        let text = "\u{1b}[31mred\nnext\tline\u{202e}back\u{200b}";
        assert_eq!(printable(text), "?[31mred next line?back?");
    }
}
