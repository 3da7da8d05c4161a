//! Objects whose keys the file is free to choose: names with texts, such as the
//! headers of a request.

use super::decode::{Decode, mismatch};
use super::findings::{Findings, Path};
use super::table::Shape;
use super::value::Value;
use crate::hash::HashMap;

/// Names with texts, in the order of the file; `null` is a name without one.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Pairs(pub(crate) Vec<(String, Option<String>)>);

impl Decode for Pairs {
    const SHAPE: Shape = Shape::Pairs;

    fn decode(value: Value<'_>, at: &Path<'_>, findings: &mut Findings) -> Option<Self> {
        const WANTED: &str = "an object of strings ({NAME: \"…\"})";
        let entries = match value {
            Value::Object(entries) => entries,
            // It may be `NAME=secret`.
            Value::Text(text) if !text.is_empty() => {
                findings.error(at, format!("a string is not {WANTED}"));
                return None;
            }
            value => return mismatch(&value, WANTED, at, findings),
        };
        let count = entries.len();
        let mut pairs: Vec<(String, Option<String>)> = Vec::with_capacity(count);
        let mut places = HashMap::default();
        let mut decoded = 0;
        for (name, value) in entries {
            let text = match value {
                Value::Null => None,
                value => match String::decode(value, &at.key(&name), findings) {
                    None => continue,
                    text => text,
                },
            };
            decoded += 1;
            let known = places.get(&name).and_then(|place| pairs.get_mut(*place));
            match known {
                Some((_, before)) => {
                    findings.warn(&at.key(&name), "comes twice; the last one counts");
                    *before = text;
                }
                None => {
                    places.insert(name.clone(), pairs.len());
                    pairs.push((name.into_owned(), text));
                }
            }
        }
        (decoded == count).then_some(Self(pairs))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn pairs(text: &str) -> (Option<Pairs>, Findings) {
        let mut findings = Findings::default();
        let value = json5::from_str(text).unwrap();
        let pairs = Pairs::decode(value, &Path::Root.key("headers"), &mut findings);
        (pairs, findings)
    }

    #[test]
    fn every_name_has_one_text_or_none() {
        let (read, findings) = pairs("{a: 'x', b: 5, c: null, d: '', a: true}");
        let expected = [
            ("a", Some("true")),
            ("b", Some("5")),
            ("c", None),
            ("d", Some("")),
        ];
        let expected = expected.map(|(name, text)| (name.to_owned(), text.map(str::to_owned)));
        assert_eq!(read.unwrap().0, expected);
        let warnings = findings.finish("").unwrap();
        assert_eq!(
            warnings.first().unwrap().to_string(),
            "headers.a: comes twice; the last one counts"
        );
    }

    #[test]
    fn a_number_that_is_not_what_was_written_is_a_warning() {
        let text = "{a: 12345678901234567890, b: '12345678901234567890', c: 1234567890123456789}";
        let warnings = pairs(text).1.finish("").unwrap();
        let warnings: Vec<String> = warnings.iter().map(ToString::to_string).collect();
        let message = "is a number too large to be kept exactly: write it in quotes";
        assert_eq!(warnings, [format!("headers.a: {message}")]);
    }

    #[test]
    fn there_may_be_any_number_of_names() {
        let names = |values: &str| {
            let pair = |number| format!("'{}': {values},", (number * 7_919) % 20_000);
            (0..20_000).map(pair).collect::<String>()
        };
        let text = format!("{{{}{}}}", names("'before'"), names("'now'"));
        let (read, findings) = pairs(&text);
        let read = read.unwrap().0;
        assert_eq!(read.len(), 20_000);
        assert!(read.iter().all(|(_, text)| text.as_deref() == Some("now")));
        assert_eq!(findings.finish(&text).unwrap().len(), 20_000);
    }

    #[test]
    fn what_is_no_text_is_an_error() {
        for (text, error) in [
            (
                "['a: b']",
                "headers: a list is not an object of strings ({NAME: \"…\"})",
            ),
            (
                "'TOKEN=hunter2'",
                "headers: a string is not an object of strings ({NAME: \"…\"})",
            ),
            ("{a: []}", "headers.a: a list is not a string"),
            ("{a: {}, b: 'x'}", "headers.a: an object is not a string"),
        ] {
            let (read, findings) = pairs(text);
            assert_eq!(read, None, "{text}");
            assert_eq!(findings.finish("").unwrap_err().to_string(), error);
        }
    }
}
