//! Where in the text the keys and items are that something was found about.
//!
//! The JSON5 parser gives values without places, so the text is walked once
//! more if there is anything to say. Keys with escapes are not found; the place
//! of the object around them is given then.

use super::scan::{Token, Tokens};

/// Ends each step of a location.
const END: char = '\u{1f}';

/// The steps from the file's object to a value, as one text: keys, and places in
/// lists counted from 0.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Location(String);

impl Location {
    /// Goes on to the value of a key.
    pub(crate) fn key(mut self, key: &str) -> Self {
        self.0.push_str(key);
        self.0.push(END);
        self
    }

    /// Whether this is `other` or something inside it.
    pub(crate) fn is_in(&self, other: &Self) -> bool {
        self.0.starts_with(&other.0)
    }

    /// Goes on to an item of a list.
    pub(crate) fn index(self, index: usize) -> Self {
        self.key(&index.to_string())
    }

    fn truncate(&mut self, steps: usize) {
        let end = self.0.match_indices(END).nth(steps.wrapping_sub(1));
        self.0.truncate(end.map_or(0, |(end, _)| end + 1));
    }

    /// The location as it is when what is at the beginning of it, `around`, is at
    /// `instead`.
    pub(crate) fn moved(&self, around: &str, instead: &Self) -> Self {
        let rest = self.0.strip_prefix(around).unwrap_or_default();
        Self(format!("{}{rest}", instead.0))
    }

    /// Its steps as one text, each with its end.
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }

    /// This location and those of what is around it, the innermost first.
    pub(crate) fn outwards(&self) -> impl Iterator<Item = &str> {
        let whole = std::iter::once(self.0.as_str());
        let around = self.0.rmatch_indices(END).skip(1);
        whole.chain(around.filter_map(|(end, _)| self.0.get(..=end)))
    }
}

/// The offsets in `text` of the keys and items at `locations`, or of the nearest
/// around them that the text has.
pub(crate) fn find(text: &str, locations: &[&Location]) -> Vec<Option<usize>> {
    let wanted = locations.iter().flat_map(|location| location.outwards());
    let mut found: Vec<(&str, Option<usize>)> = wanted.map(|wanted| (wanted, None)).collect();
    found.sort_unstable();
    found.dedup();
    let at = |found: &[(&str, Option<usize>)], location: &str| {
        found
            .binary_search_by(|(wanted, _)| (*wanted).cmp(location))
            .ok()
    };
    walk(text, |location, offset| {
        // Of a key that comes twice the last one counts.
        let slot = at(&found, &location.0).and_then(|index| found.get_mut(index));
        if let Some((_, slot)) = slot {
            *slot = Some(offset);
        }
    });
    let place = |location: &str| found.get(at(&found, location)?)?.1;
    let places = locations
        .iter()
        .map(|location| location.outwards().find_map(place));
    places.collect()
}

/// What a bracket has opened, and where in it the walk is.
enum Within {
    /// In an object, before a key, or before a value.
    Object { before_key: bool },
    /// In a list, before or behind its item of this index.
    List { index: usize, before_item: bool },
}

/// Calls `visit` with the location and the offset of each key of each object and
/// each item of each list, in the order of the text.
fn walk(text: &str, mut visit: impl FnMut(&Location, usize)) {
    let mut around: Vec<Within> = Vec::new();
    let mut here = Location::default();
    for (token, place) in Tokens::of(text) {
        let depth = around.len();
        let word = text.get(place.clone()).unwrap_or_default();
        match (token, around.last_mut()) {
            (Token::Mark(b'}' | b']'), _) => {
                around.pop();
                continue;
            }
            (Token::Mark(b','), Some(Within::Object { before_key })) => *before_key = true,
            (Token::Mark(b','), Some(Within::List { index, before_item })) => {
                (*index, *before_item) = (*index + 1, true);
            }
            (Token::Mark(b':' | b','), _) => {}
            (Token::Text | Token::Word, Some(Within::Object { before_key })) if *before_key => {
                *before_key = false;
                here.truncate(depth - 1);
                here = here.key(key(token, word));
                visit(&here, place.start);
            }
            (_, Some(Within::List { index, before_item })) if *before_item => {
                *before_item = false;
                here.truncate(depth - 1);
                here = here.index(*index);
                visit(&here, place.start);
            }
            _ => {}
        }
        match token {
            Token::Mark(b'{') => around.push(Within::Object { before_key: true }),
            Token::Mark(b'[') => around.push(Within::List {
                index: 0,
                before_item: true,
            }),
            Token::Mark(_) | Token::Text | Token::Word => {}
        }
    }
}

/// What a token that is a key says, but for its escapes.
fn key(token: Token, word: &str) -> &str {
    match token {
        Token::Text => word.get(1..word.len() - 1).unwrap_or_default(),
        Token::Word | Token::Mark(_) => word,
    }
}

/// Line and column of a byte, counted from 1; columns count characters.
pub(crate) fn line_col(text: &str, offset: usize) -> (usize, usize) {
    let before = text.get(..offset).unwrap_or(text);
    let line = before.matches('\n').count() + 1;
    let start = before.rfind('\n').map_or(0, |newline| newline + 1);
    let column = before.get(start..).unwrap_or_default().chars().count() + 1;
    (line, column)
}

/// As [`line_col`] of many bytes, in one walk: a text may have thousands of faults,
/// all of them in one line.
pub(crate) fn lines_cols(text: &str, offsets: &[Option<usize>]) -> Vec<Option<(usize, usize)>> {
    let mut found: Vec<Option<(usize, usize)>> = vec![None; offsets.len()];
    let mut order: Vec<(usize, usize)> = Vec::with_capacity(offsets.len());
    for (index, offset) in offsets.iter().enumerate() {
        order.extend(offset.map(|offset| (offset, index)));
    }
    order.sort_unstable();
    let (mut from, mut line, mut column) = (0, 1, 1);
    for (offset, index) in order {
        let passed = text.get(from..offset).unwrap_or_default();
        match passed.rsplit_once('\n') {
            Some((lines, rest)) => {
                line += lines.matches('\n').count() + 1;
                column = rest.chars().count() + 1;
            }
            None => column += passed.chars().count(),
        }
        from = offset;
        if let Some(found) = found.get_mut(index) {
            *found = Some((line, column));
        }
    }
    found
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::config::value::Value;

    const TEXT: &str = "// first\n{a: 1, 'b': {c: [10, {d: 'x,y'}, [1, 2]], /* c: */ \"e\": 2}, a: 3, f: [{}, {g: {h: 1}}]}";

    /// The text from the key or item on whose steps are given.
    fn from(steps: &[&str]) -> Option<&'static str> {
        let mut location = Location::default();
        for step in steps {
            location = location.key(step);
        }
        let found = find(TEXT, &[&location]);
        TEXT.get(found.first().unwrap().as_ref().copied()?..)
    }

    #[test]
    fn keys_and_items_are_found() {
        for (steps, begin) in [
            (&["b"] as &[&str], "'b': {"),
            (&["b", "c"], "c: [10"),
            (&["b", "c", "0"], "10, {d"),
            (&["b", "c", "1"], "{d: "),
            (&["b", "c", "1", "d"], "d: 'x,y'"),
            (&["b", "c", "2"], "[1, 2]"),
            (&["b", "c", "2", "1"], "2]"),
            (&["b", "e"], "\"e\": 2"),
            (&["f", "0"], "{}, {g"),
            (&["f", "1", "g", "h"], "h: 1"),
        ] {
            let found = from(steps).unwrap();
            assert!(found.starts_with(begin), "{steps:?}: {found}");
        }
    }

    #[test]
    fn of_a_key_that_comes_twice_the_last_is_found() {
        assert!(from(&["a"]).unwrap().starts_with("a: 3"));
    }

    #[test]
    fn what_is_not_there_is_found_around_it() {
        for (steps, begin) in [
            (&["f", "1", "g", "z"] as &[&str], "g: {h"),
            (&["f", "7", "g"], "f: [{}"),
            (&["b", "z", "z", "z"], "'b': {"),
        ] {
            let found = from(steps).unwrap();
            assert!(found.starts_with(begin), "{steps:?}: {found}");
        }
        assert_eq!(from(&["z"]), None);
        assert_eq!(from(&[]), None);
    }

    #[test]
    fn comments_spaces_and_quotes_are_those_of_json5() {
        for (text, steps, begin) in [
            ("{a/*}*/:1,b//c\n:2}", &["b"] as &[&str], "b//c"),
            ("{a:1//}\n,b:2}", &["b"], "b:2"),
            ("{a:[1/*,*/,2]}", &["a", "1"], "2]"),
            ("\u{feff}{\u{a0}a\u{2028}:\u{3000}1}", &["a"], "a\u{2028}"),
            ("{'\"a\"': 1}", &["\"a\""], "'\"a\"'"),
            ("{\"'\": {'': 1}}", &["'", ""], "'': 1"),
        ] {
            let steps = steps.iter();
            let location = steps.fold(Location::default(), |place, step| place.key(step));
            let found = find(text, &[&location]).first().unwrap().unwrap();
            let found = text.get(found..).unwrap();
            assert!(found.starts_with(begin), "{text}: {found}");
        }
    }

    /// Every key and item of a value, in the order of the file, with its name if
    /// it is a key.
    fn everything<'v>(
        value: &'v Value<'_>,
        at: &Location,
        found: &mut Vec<(Location, Option<&'v str>)>,
    ) {
        match value {
            Value::Object(entries) => {
                for (key, value) in entries {
                    let at = at.clone().key(key);
                    found.push((at.clone(), Some(key)));
                    everything(value, &at, found);
                }
            }
            Value::List(items) => {
                for (index, value) in items.iter().enumerate() {
                    let at = at.clone().index(index);
                    found.push((at.clone(), None));
                    everything(value, &at, found);
                }
            }
            _ => {}
        }
    }

    #[test]
    fn every_key_and_item_of_real_files_is_found() {
        let files = std::fs::read_dir("../shared/corpus/golden").unwrap();
        let files = files.map(|file| file.unwrap().path());
        let rendered = files.filter(|path| path.extension().is_some_and(|end| end == "rendered"));
        let mut count = 0;
        for path in rendered {
            let text = std::fs::read_to_string(&path).unwrap();
            let Ok(value) = crate::config::syntax::read(&text) else {
                continue;
            };
            let mut sought = Vec::new();
            everything(&value, &Location::default(), &mut sought);
            let locations: Vec<&Location> = sought.iter().map(|(location, _)| location).collect();
            let mut last = None;
            for ((location, key), offset) in sought.iter().zip(find(&text, &locations)) {
                let offset = offset.unwrap();
                let rest = text.get(offset..).unwrap();
                let here = || format!("{}: {location:?}: {rest:.20}", path.display());
                let is_here = match key {
                    Some(key) => rest.trim_start_matches(['"', '\'']).starts_with(key),
                    None => !rest.starts_with([' ', '\n', ',', ']', '}', '/']),
                };
                // Of a key that comes twice the last one is found.
                let twice = sought.iter().filter(|(other, _)| other == location).count() > 1;
                assert!(is_here && (twice || last < Some(offset)), "{}", here());
                last = last.max(Some(offset));
                count += 1;
            }
        }
        assert!(count > 3000, "{count}");
    }

    #[test]
    fn lines_and_columns_of_many_are_those_of_each() {
        for text in ["", "a", "\n", "a\nbä\u{1F600}c\r\n\n  d\n", "ä\n\né"] {
            let boundaries = (0..=text.len()).filter(|offset| text.is_char_boundary(*offset));
            // In no order, some twice, and with gaps.
            let offsets = boundaries.clone().rev().map(Some).chain([None]);
            let offsets: Vec<_> = offsets.chain(boundaries.map(Some)).collect();
            let alone = offsets
                .iter()
                .map(|offset| Some(line_col(text, (*offset)?)));
            assert_eq!(lines_cols(text, &offsets), alone.collect::<Vec<_>>());
        }
    }

    #[test]
    fn many_are_found_in_one_walk() {
        let text = format!("[{}]", "{a: 1}, ".repeat(10_000));
        let locations: Vec<Location> = (0..10_000)
            .map(|i| Location::default().index(i).key("a"))
            .collect();
        let found = find(&text, &locations.iter().collect::<Vec<_>>());
        for (index, offset) in found.iter().enumerate() {
            assert_eq!(*offset, Some(index * "{a: 1}, ".len() + 2));
        }
        let places = lines_cols(&text, &found);
        assert_eq!(
            places.last(),
            Some(&Some((1, 9_999 * "{a: 1}, ".len() + 3)))
        );
    }
}
