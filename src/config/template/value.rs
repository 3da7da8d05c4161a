//! What an expression of a template can be.
//!
//! These are all kinds of values that the environment, constants and functions
//! can produce; nothing here prints or compares them.

use std::rc::Rc;

use super::text::Text;

/// The variables of the environment, by name in ascending order.
pub(super) type Variables<'a> = &'a [(&'a [u8], &'a [u8])];

/// One value.
#[derive(Clone, Debug)]
pub(super) enum Value<'a> {
    /// `nil`, or the dot of a template that was called without an argument.
    Nil,
    /// `true` or `false`.
    Bool(bool),
    /// Go's `int`; also character constants.
    Int(i64),
    /// Go's `uint8`: one byte of a string, as `index` gives it.
    Byte(u8),
    /// Go's `float64`.
    Float(f64),
    /// Go's `complex128`: real and imaginary part.
    Complex(f64, f64),
    /// Go's `string`.
    String(Text<'a>),
    /// Go's `[]string`, as `split` makes it.
    Strings(Rc<[Text<'a>]>),
    /// Go's `[]int`, as `loop` makes it.
    Ints(Rc<[i64]>),
    /// The environment: the dot at the beginning.
    Environment(Variables<'a>),
}

impl<'a> Value<'a> {
    /// The name of the type, as `printf "%T"` gives it.
    pub(super) fn kind(&self) -> &'static str {
        match self {
            Self::Nil => "nil",
            Self::Bool(_) => "bool",
            Self::Int(_) => "int",
            Self::Byte(_) => "uint8",
            Self::Float(_) => "float64",
            Self::Complex(..) => "complex128",
            Self::String(_) => "string",
            Self::Strings(_) => "[]string",
            Self::Ints(_) => "[]int",
            Self::Environment(_) => "template.Environment",
        }
    }

    /// What `if`, `with`, `and`, `or` and `not` take it for: zero and whatever
    /// is empty are false.
    pub(super) fn is_true(&self) -> bool {
        match self {
            Self::Nil => false,
            Self::Bool(value) => *value,
            Self::Int(value) => *value != 0,
            Self::Byte(value) => *value != 0,
            Self::Float(value) => *value != 0.0,
            Self::Complex(real, imaginary) => *real != 0.0 || *imaginary != 0.0,
            Self::String(_) | Self::Strings(_) | Self::Ints(_) | Self::Environment(_) => {
                self.length() != Some(0)
            }
        }
    }

    /// How many bytes, elements or variables it has, if it can have any.
    pub(super) fn length(&self) -> Option<usize> {
        match self {
            Self::String(text) => Some(text.len()),
            Self::Strings(items) => Some(items.len()),
            Self::Ints(items) => Some(items.len()),
            Self::Environment(variables) => Some(variables.len()),
            Self::Nil | Self::Bool(_) | Self::Int(_) | Self::Byte(_) => None,
            Self::Float(_) | Self::Complex(..) => None,
        }
    }

    /// What `range` gives at turn `turn`: key or index, and element.
    pub(super) fn entry(&self, turn: usize) -> Option<(Value<'a>, Value<'a>)> {
        let index = Value::Int(i64::try_from(turn).ok()?);
        match self {
            Self::Strings(items) => Some((index, Value::String(items.get(turn)?.clone()))),
            Self::Ints(items) => Some((index, Value::Int(*items.get(turn)?))),
            Self::Environment(variables) => {
                let (name, value) = variables.get(turn)?;
                let string = |bytes: &'a [u8]| Value::String(Text::Borrowed(bytes));
                Some((string(name), string(value)))
            }
            _ => None,
        }
    }

    /// The kind and, of small things, the value, for messages. The contents of
    /// strings may be secrets, which must not get into a log.
    pub(super) fn describe(&self) -> String {
        let kind = self.kind();
        match self {
            Self::Nil => kind.to_owned(),
            Self::Bool(value) => format!("{kind} {value}"),
            Self::Int(value) => format!("{kind} {value}"),
            Self::Byte(value) => format!("{kind} {value}"),
            Self::Float(value) => format!("{kind} {value}"),
            Self::Complex(real, imaginary) => format!("{kind} ({real}{imaginary:+}i)"),
            Self::String(text) if text.is_empty() => "an empty string".to_owned(),
            Self::String(text) => format!("a string of length {}", text.len()),
            Self::Strings(items) => format!("{kind} of length {}", items.len()),
            Self::Ints(items) => format!("{kind} of length {}", items.len()),
            Self::Environment(_) => "the environment".to_owned(),
        }
    }

    /// Roughly the bytes that a function reads or makes with it.
    pub(super) fn weight(&self) -> u64 {
        let items = self.length().unwrap_or(0) as u64;
        match self {
            Self::String(_) => items,
            _ => 16 * items,
        }
    }
}

/// The value of the variable `name`; empty if it is not set.
pub(super) fn variable<'a>(variables: Variables<'a>, name: &[u8]) -> Text<'a> {
    let found = variables.binary_search_by(|(other, _)| (*other).cmp(name));
    let value = found.ok().and_then(|index| variables.get(index));
    Text::Borrowed(value.map_or(b"", |(_, value)| value))
}

/// The beginning of `text`, for messages.
pub(super) fn brief(text: &str) -> String {
    const LONGEST: usize = 60;
    match text.char_indices().nth(LONGEST) {
        Some((end, _)) => text.get(..end).unwrap_or_default().to_owned() + "…",
        None => text.to_owned(),
    }
}

/// The beginning of `text` in quotes, for messages.
pub(super) fn excerpt(text: &[u8]) -> String {
    let start = String::from_utf8_lossy(text.get(..300).unwrap_or(text));
    format!("{:?}", brief(&start))
}
