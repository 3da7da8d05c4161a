//! The values of a JSON5 text, as they were written.
//!
//! Unlike a value of `serde_json` this keeps NaN and the infinities, the
//! difference between integers and fractions, the order of keys and keys that
//! come twice, so that the decoder can say what is wrong with them. Texts are
//! borrowed from the file where they have no escapes.

use std::borrow::Cow;
use std::fmt;

use serde::de::{Deserialize, DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};

/// Objects and lists are refused below this depth. No sensible file reaches it;
/// the parser recurses, and every thread's stack bears so much.
pub(crate) const DEEPEST: usize = 64;

/// The parser's error about a value that is too deep begins so.
pub(crate) const TOO_DEEP: &str = "nested too deep";

/// A text in a message is cut after so many characters.
const SHOWN: usize = 60;

/// A value of a JSON5 text.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Value<'t> {
    Null,
    Bool(bool),
    /// A number without fraction and exponent that fits.
    Integer(i64),
    /// Any other number.
    Float(f64),
    Text(Cow<'t, str>),
    List(Vec<Value<'t>>),
    /// Keys and values in the order of the file; a key may come twice.
    Object(Vec<(Cow<'t, str>, Value<'t>)>),
}

impl Value<'_> {
    /// Whether this is the text without characters, which an environment
    /// variable that is not set leaves behind.
    pub(crate) fn is_empty_text(&self) -> bool {
        matches!(self, Self::Text(text) if text.is_empty())
    }

    /// The integer that this is, also as `5.0` or `1e3`.
    pub(crate) fn as_integer(&self) -> Option<i64> {
        match self {
            Self::Integer(integer) => Some(*integer),
            Self::Float(float) if float.fract() == 0.0 && !self.is_inexact() => Some(*float as i64),
            _ => None,
        }
    }

    /// Whether this is a number so great, beyond 2^53, that it no longer tells which
    /// integer was meant.
    pub(crate) fn is_inexact(&self) -> bool {
        matches!(self, Self::Float(float) if float.is_finite() && float.abs() > 9.0e15)
    }

    /// The text that a scalar stands for where a text is expected, e.g. `80`.
    pub(crate) fn scalar_text(self) -> Result<String, Self> {
        match self {
            Self::Text(text) => Ok(text.into_owned()),
            Self::Integer(integer) => Ok(integer.to_string()),
            Self::Float(float) if float.is_finite() => Ok(float.to_string()),
            Self::Bool(bool) => Ok(bool.to_string()),
            other => Err(other),
        }
    }
}

impl fmt::Display for Value<'_> {
    /// As a message shows it: scalars as they are, the rest by its kind.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Null => f.write_str("null"),
            Self::Bool(bool) => write!(f, "{bool}"),
            Self::Integer(integer) => write!(f, "{integer}"),
            Self::Float(float) => write!(f, "{float}"),
            Self::Text(text) => match text.char_indices().nth(SHOWN) {
                Some((end, _)) => write!(f, "{:?}…", text.get(..end).unwrap_or_default()),
                None => write!(f, "{text:?}"),
            },
            Self::List(_) => f.write_str("a list"),
            Self::Object(_) => f.write_str("an object"),
        }
    }
}

impl<'de> Deserialize<'de> for Value<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        AnyValue { depth: 0 }.deserialize(deserializer)
    }
}

/// Takes whatever the JSON5 parser finds at a depth.
#[derive(Clone, Copy)]
struct AnyValue {
    depth: usize,
}

impl AnyValue {
    /// Takes what is in the object or list that is found here.
    fn inner<E: Error>(self) -> Result<Self, E> {
        let depth = self.depth + 1;
        match depth <= DEEPEST {
            true => Ok(Self { depth }),
            false => Err(E::custom(TOO_DEEP)),
        }
    }
}

impl<'de> DeserializeSeed<'de> for AnyValue {
    type Value = Value<'de>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value<'de>, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for AnyValue {
    type Value = Value<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_unit<E>(self) -> Result<Self::Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, bool: bool) -> Result<Self::Value, E> {
        Ok(Value::Bool(bool))
    }

    fn visit_i64<E>(self, integer: i64) -> Result<Self::Value, E> {
        Ok(Value::Integer(integer))
    }

    fn visit_u64<E>(self, integer: u64) -> Result<Self::Value, E> {
        Ok(i64::try_from(integer).map_or(Value::Float(integer as f64), Value::Integer))
    }

    fn visit_f64<E>(self, float: f64) -> Result<Self::Value, E> {
        Ok(Value::Float(float))
    }

    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Self::Value, E> {
        Ok(Value::Text(Cow::Borrowed(text)))
    }

    fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
        Ok(Value::Text(Cow::Owned(text.to_owned())))
    }

    fn visit_string<E>(self, text: String) -> Result<Self::Value, E> {
        Ok(Value::Text(Cow::Owned(text)))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
        let inner = self.inner()?;
        let mut list = Vec::new();
        while let Some(value) = seq.next_element_seed(inner)? {
            list.push(value);
        }
        Ok(Value::List(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let inner = self.inner()?;
        let mut entries = Vec::new();
        // A key is read as a value because serde's own texts are never borrowed.
        while let Some((key, value)) = map.next_entry_seed(inner, inner)? {
            if let Value::Text(key) = key {
                entries.push((key, value));
            }
        }
        Ok(Value::Object(entries))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic)]

    use super::*;

    fn read(text: &str) -> Value<'_> {
        json5::from_str(text).unwrap()
    }

    #[test]
    fn numbers_keep_what_they_are() {
        assert_eq!(read("80"), Value::Integer(80));
        assert_eq!(read("-0x10"), Value::Integer(-16));
        assert_eq!(read("5.0"), Value::Float(5.0));
        assert_eq!(read("Infinity"), Value::Float(f64::INFINITY));
        assert_eq!(read("18446744073709551615"), Value::Float(u64::MAX as f64));
        assert!(matches!(read("NaN"), Value::Float(nan) if nan.is_nan()));
    }

    #[test]
    fn only_numbers_without_fraction_are_integers() {
        assert_eq!(read("5.0").as_integer(), Some(5));
        assert_eq!(read("1e3").as_integer(), Some(1000));
        assert_eq!(read("-9223372036854775808").as_integer(), Some(i64::MIN));
        for text in ["5.5", "NaN", "Infinity", "1e300", "'5'", "true", "[5]"] {
            assert_eq!(read(text).as_integer(), None, "{text}");
        }
    }

    #[test]
    fn numbers_that_are_not_what_was_written_are_known() {
        for (text, is_inexact) in [
            ("9223372036854775807", false),
            ("9223372036854775808", true),
            ("-12345678901234567890", true),
            ("1e21", true),
            ("1e15", false),
            ("1.5", false),
            ("Infinity", false),
            ("'12345678901234567890'", false),
        ] {
            assert_eq!(read(text).is_inexact(), is_inexact, "{text}");
        }
    }

    #[test]
    fn objects_keep_order_and_keys_that_come_twice() {
        let Value::Object(entries) = read("{b: 1, a: 2, b: 3}") else {
            panic!("no object");
        };
        let keys: Vec<&str> = entries.iter().map(|(key, _)| key.as_ref()).collect();
        assert_eq!(keys, ["b", "a", "b"]);
        let borrowed = entries
            .iter()
            .all(|(key, _)| matches!(key, Cow::Borrowed(_)));
        assert!(borrowed, "keys without escapes are not copied");
    }

    #[test]
    fn messages_show_scalars_and_cut_long_texts() {
        for (text, shown) in [
            ("null", "null"),
            ("1.50", "1.5"),
            ("'a\\\"b'", "\"a\\\"b\""),
            ("[1]", "a list"),
            ("{}", "an object"),
        ] {
            assert_eq!(read(text).to_string(), shown, "{text}");
        }
        let long = Value::Text("ä".repeat(SHOWN + 1).into());
        assert_eq!(long.to_string(), format!("\"{}\"…", "ä".repeat(SHOWN)));
    }

    #[test]
    fn scalars_become_texts_and_nothing_else_does() {
        for (text, expected) in [
            ("80", "80"),
            ("1.5", "1.5"),
            ("true", "true"),
            ("1e21", "1000000000000000000000"),
        ] {
            assert_eq!(read(text).scalar_text().unwrap(), expected);
        }
        for text in ["null", "[]", "{}", "NaN"] {
            assert!(read(text).scalar_text().is_err(), "{text}");
        }
    }
}
