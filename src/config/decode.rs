//! Values of the file into raw settings, weakly: `"8000"` is a number, `80` a
//! string, `"true"` a bool, and one scalar is a list of one (SPEC §3).
//!
//! A setting whose value can't be used is an error with its path and becomes
//! `None`; decoding goes on, so that all errors are found. What settings mean
//! together is decided by the modules of the manual's pages, never here.

use std::borrow::Cow;
use std::marker::PhantomData;
use std::time::Duration;

use super::duration;
use super::findings::{Findings, Path};
use super::size;
use super::suggest;
use super::table::{Preset, Shape, Table, unknown_key};
use super::value::Value;

#[cfg(test)]
mod tests;

/// What a template leaves behind for a variable that is not set.
const RENDERED_TO_NOTHING: &str = "it is empty: did an environment variable render to nothing?";

/// A setting that can be read from a value.
pub(crate) trait Decode: Sized {
    /// What its value may be.
    const SHAPE: Shape;

    /// Whether an empty string counts as if the key were left out, which makes
    /// `"{{ .NAME }}"` an optional setting.
    const EMPTY_IS_ABSENT: bool = false;

    /// The setting, or `None` after an error was added.
    fn decode(value: Value<'_>, at: &Path<'_>, findings: &mut Findings) -> Option<Self>;
}

/// A setting that is an object with a table of keys.
pub(crate) trait Object: Decode {
    /// Its keys.
    fn table() -> &'static Table;
}

/// The values of an object by the rows of its table.
pub(crate) struct Fields<'f, 't> {
    table: &'static Table,
    slots: std::vec::IntoIter<Option<Value<'t>>>,
    taken: usize,
    at: &'f Path<'f>,
    findings: &'f mut Findings,
    errors_before: usize,
}

impl<'f, 't> Fields<'f, 't> {
    /// Sorts the entries of an object into the rows of its table; what has no
    /// row is an error, what comes twice a warning.
    pub(crate) fn of(
        value: Value<'t>,
        table: &'static Table,
        at: &'f Path<'f>,
        findings: &'f mut Findings,
    ) -> Option<Self> {
        let errors_before = findings.error_count();
        let Value::Object(entries) = value else {
            let keys: Vec<&str> = table.keys.iter().map(|key| key.name).collect();
            let keys = keys.join(", ");
            findings.error(
                at,
                format!("{value} is no object ({{…}} with any of {keys})"),
            );
            return None;
        };
        let mut slots: Vec<Option<Value<'t>>> = table.keys.iter().map(|_| None).collect();
        for (key, value) in entries {
            let index = table.keys.iter().position(|row| row.name == key);
            let Some(slot) = index.and_then(|index| slots.get_mut(index)) else {
                findings.error(&at.key(&key), unknown_key(table, &key));
                continue;
            };
            if slot.replace(value).is_some() {
                findings.warn(&at.key(&key), "comes twice; the last one counts");
            }
        }
        Some(Self {
            table,
            slots: slots.into_iter(),
            taken: 0,
            at,
            findings,
            errors_before,
        })
    }

    /// Whether an error was found in the object so far.
    pub(crate) fn faulty(&self) -> bool {
        self.findings.error_count() > self.errors_before
    }

    /// Decodes the value of the table's next row.
    pub(crate) fn take<T: Decode>(&mut self) -> Option<T> {
        let (name, value) = self.next(T::EMPTY_IS_ABSENT)?;
        T::decode(value, &self.at.key(name), self.findings)
    }

    /// The next row's name and value, or what holds if it is left out.
    fn next(&mut self, empty_is_absent: bool) -> Option<(&'static str, Value<'t>)> {
        let row = self.table.keys.get(self.taken)?;
        self.taken += 1;
        let given = self.slots.next().flatten();
        let empty = empty_is_absent && given.as_ref().is_some_and(Value::is_empty_text);
        match given {
            Some(value) if value != Value::Null && !empty => return Some((row.name, value)),
            _ => {}
        }
        let value = match row.preset {
            Preset::Required => {
                let message = match empty {
                    true => format!("is required, but {RENDERED_TO_NOTHING}"),
                    false => "is required".to_owned(),
                };
                self.findings.error(&self.at.key(row.name), message);
                return None;
            }
            Preset::Absent | Preset::Depends(_) => return None,
            Preset::Text(text) => Value::Text(Cow::Borrowed(text)),
            Preset::Integer(integer) => Value::Integer(integer),
            Preset::Bool(bool) => Value::Bool(bool),
            Preset::Empty => Value::Object(Vec::new()),
        };
        Some((row.name, value))
    }
}

/// Adds the error that `value` is not what is wanted at `at`.
pub(crate) fn mismatch<T>(
    value: &Value<'_>,
    wanted: &str,
    at: &Path<'_>,
    findings: &mut Findings,
) -> Option<T> {
    let message = match value.is_empty_text() {
        true => format!("must be {wanted}, but {RENDERED_TO_NOTHING}"),
        false => format!("{value} is not {wanted}"),
    };
    findings.error(at, message);
    None
}

impl Decode for String {
    const SHAPE: Shape = Shape::Text;
    const EMPTY_IS_ABSENT: bool = true;

    fn decode(value: Value<'_>, at: &Path<'_>, findings: &mut Findings) -> Option<Self> {
        if value.is_inexact() {
            let message = "is a number too large to be kept exactly: write it in quotes";
            findings.warn(at, message);
        }
        match value.scalar_text() {
            Ok(text) if text.contains('\0') => {
                findings.error(
                    at,
                    "contains a NUL character, which no process can be given",
                );
                None
            }
            Ok(text) => Some(text),
            Err(value) => mismatch(&value, "a string", at, findings),
        }
    }
}

impl Decode for bool {
    const SHAPE: Shape = Shape::Bool;
    const EMPTY_IS_ABSENT: bool = true;

    fn decode(value: Value<'_>, at: &Path<'_>, findings: &mut Findings) -> Option<Self> {
        match &value {
            Value::Bool(bool) => Some(*bool),
            Value::Integer(0) => Some(false),
            Value::Integer(1) => Some(true),
            Value::Text(text) if parse_bool(text).is_some() => parse_bool(text),
            _ => mismatch(&value, "true or false", at, findings),
        }
    }
}

/// The spellings of a bool that Go's `strconv.ParseBool` takes.
pub(crate) fn parse_bool(text: &str) -> Option<bool> {
    match text {
        "1" | "t" | "T" | "true" | "TRUE" | "True" => Some(true),
        "0" | "f" | "F" | "false" | "FALSE" | "False" => Some(false),
        _ => None,
    }
}

/// An integer within limits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Integer<const MIN: i64, const MAX: i64>(pub(crate) i64);

impl<const MIN: i64, const MAX: i64> Decode for Integer<MIN, MAX> {
    const SHAPE: Shape = Shape::Integer { min: MIN, max: MAX };

    fn decode(value: Value<'_>, at: &Path<'_>, findings: &mut Findings) -> Option<Self> {
        integer(&value, MIN, MAX, at, findings).map(Self)
    }
}

fn integer(
    value: &Value<'_>,
    min: i64,
    max: i64,
    at: &Path<'_>,
    findings: &mut Findings,
) -> Option<i64> {
    let integer = match value {
        Value::Text(text) => text.parse().ok(),
        other => other.as_integer(),
    };
    match integer {
        Some(integer) if (min..=max).contains(&integer) => Some(integer),
        Some(_) if max == i64::MAX => mismatch(value, &format!("at least {min}"), at, findings),
        Some(_) => mismatch(value, &format!("between {min} and {max}"), at, findings),
        None => mismatch(value, "an integer", at, findings),
    }
}

/// A duration of at least `MIN` milliseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Span<const MIN: u64>(pub(crate) Duration);

impl<const MIN: u64> Decode for Span<MIN> {
    const SHAPE: Shape = Shape::Duration { min: MIN };
    const EMPTY_IS_ABSENT: bool = true;

    fn decode(value: Value<'_>, at: &Path<'_>, findings: &mut Findings) -> Option<Self> {
        span(&value, Duration::from_millis(MIN), at, findings).map(Self)
    }
}

fn span(
    value: &Value<'_>,
    min: Duration,
    at: &Path<'_>,
    findings: &mut Findings,
) -> Option<Duration> {
    let parsed = match value {
        Value::Text(text) => duration::parse_setting(text),
        other => match other.as_integer() {
            Some(seconds) => duration::from_seconds(seconds),
            None => Err("write \"300ms\", \"1.5h\" or an integer of seconds".to_owned()),
        },
    };
    match parsed {
        Ok(duration) if duration >= min => Some(duration),
        Ok(_) => {
            let min = duration::format(min);
            findings.error(
                at,
                format!("{value} is shorter than {min}, the least allowed"),
            );
            None
        }
        Err(why) => {
            findings.error(at, format!("{value} is no duration: {why}"));
            None
        }
    }
}

/// A size of `MIN` to `MAX` bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Bytes<const MIN: u64, const MAX: u64>(pub(crate) u64);

impl<const MIN: u64, const MAX: u64> Decode for Bytes<MIN, MAX> {
    const SHAPE: Shape = Shape::Size { min: MIN, max: MAX };
    const EMPTY_IS_ABSENT: bool = true;

    fn decode(value: Value<'_>, at: &Path<'_>, findings: &mut Findings) -> Option<Self> {
        let parsed = match &value {
            Value::Text(text) => size::parse(text),
            other => other
                .as_integer()
                .and_then(|bytes| u64::try_from(bytes).ok())
                .ok_or_else(|| "write \"64KiB\", \"10MiB\" or a number of bytes".to_owned()),
        };
        match parsed {
            Ok(bytes) if (MIN..=MAX).contains(&bytes) => return Some(Self(bytes)),
            Ok(bytes) if bytes < MIN => {
                let message = format!(
                    "{value} is less than {}, the least allowed",
                    size::format(MIN)
                );
                findings.error(at, message);
            }
            Ok(_) => {
                let message = format!(
                    "{value} is more than {}, the most allowed",
                    size::format(MAX)
                );
                findings.error(at, message);
            }
            Err(why) => findings.error(at, format!("{value} is no size: {why}")),
        }
        None
    }
}

/// A setting that is one of a few words, written in any case.
pub(crate) trait Word: Copy + 'static {
    /// The words with what they mean, in the order of the manual.
    const WORDS: &'static [(&'static str, Self)];
}

/// The words of `W`.
pub(crate) fn words<W: Word>() -> Vec<&'static str> {
    W::WORDS.iter().map(|(word, _)| *word).collect()
}

/// The index of `value` in `words`.
fn word(
    value: &Value<'_>,
    words: &[&str],
    at: &Path<'_>,
    findings: &mut Findings,
) -> Option<usize> {
    let Value::Text(text) = value else {
        return mismatch(value, &format!("one of {}", words.join(", ")), at, findings);
    };
    let index = words
        .iter()
        .position(|word| word.eq_ignore_ascii_case(text));
    if index.is_none() {
        let hint = suggest::hint(text, words.iter().copied());
        let words = words.join(", ");
        findings.error(at, format!("{value} is not one of {words}{hint}"));
    }
    index
}

impl<W: Word> Decode for W {
    const SHAPE: Shape = Shape::Words(words::<W>);
    const EMPTY_IS_ABSENT: bool = true;

    fn decode(value: Value<'_>, at: &Path<'_>, findings: &mut Findings) -> Option<Self> {
        let index = word(&value, &words::<W>(), at, findings)?;
        W::WORDS.get(index).map(|(_, meaning)| *meaning)
    }
}

/// A list of strings, for which one string may stand.
impl Decode for Vec<String> {
    const SHAPE: Shape = Shape::Texts;
    const EMPTY_IS_ABSENT: bool = true;

    fn decode(value: Value<'_>, at: &Path<'_>, findings: &mut Findings) -> Option<Self> {
        let Value::List(list) = value else {
            return String::decode(value, at, findings).map(|text| vec![text]);
        };
        let count = list.len();
        let mut texts = Vec::with_capacity(count);
        for (index, value) in list.into_iter().enumerate() {
            texts.extend(String::decode(value, &Path::Index(at, index), findings));
        }
        (texts.len() == count).then_some(texts)
    }
}

/// An object of a list, with what its path calls it.
#[derive(Debug)]
struct Item<T> {
    name: Option<String>,
    index: usize,
    raw: T,
}

/// A list of objects.
#[derive(Debug)]
pub(crate) struct Items<T>(Vec<Item<T>>);

impl<T> Default for Items<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<T: Object> Items<T> {
    /// Calls `f` with each object and its path in the list at `list`.
    pub(crate) fn each(self, list: &Path<'_>, mut f: impl FnMut(T, &Path<'_>)) {
        for item in self.0 {
            let raw = item.raw;
            at_item::<T, _>(list, item.name.as_deref(), item.index, |at| f(raw, at));
        }
    }
}

/// Calls `f` with the path of an item of the list at `list`.
///
/// An item with a name is told by it: `telemetry.metrics[up]`, or `job[app]` in
/// a list of the whole file. Any other is told by its place: `jobs[0]`.
fn at_item<T: Object, R>(
    list: &Path<'_>,
    name: Option<&str>,
    index: usize,
    f: impl FnOnce(&Path<'_>) -> R,
) -> R {
    match (list, name) {
        (Path::Key(Path::Root, _), Some(name)) => {
            f(&Path::Named(list, index, T::table().section, name))
        }
        (Path::Key(_, key), Some(name)) => f(&Path::Named(list, index, key, name)),
        _ => f(&Path::Index(list, index)),
    }
}

impl<T: Object> Decode for Items<T> {
    const SHAPE: Shape = match T::SHAPE {
        Shape::Object(table) => Shape::Objects(table),
        other => other,
    };

    fn decode(value: Value<'_>, at: &Path<'_>, findings: &mut Findings) -> Option<Self> {
        let Value::List(list) = value else {
            return mismatch(&value, "a list of objects ([{…}, {…}])", at, findings);
        };
        let mut items = Vec::with_capacity(list.len());
        for (index, value) in list.into_iter().enumerate() {
            let name = name_of(&value);
            let raw = at_item::<T, _>(at, name.as_deref(), index, |at| {
                T::decode(value, at, findings)
            });
            items.extend(raw.map(|raw| Item { name, index, raw }));
        }
        Some(Self(items))
    }
}

/// The text of the `name` of an object, if it has one.
fn name_of(value: &Value<'_>) -> Option<String> {
    let Value::Object(entries) = value else {
        return None;
    };
    let (_, name) = entries.iter().rev().find(|(key, _)| key == "name")?;
    name.clone()
        .scalar_text()
        .ok()
        .filter(|name| !name.is_empty())
}

/// The text of a setting that matters, and is checked, only if the job has a port.
#[derive(Debug)]
pub(crate) struct Unchecked<T> {
    /// As the file has it.
    pub(crate) text: String,
    wanted: PhantomData<T>,
}

impl<T: Decode> Unchecked<T> {
    /// The setting, or `None` after an error was added.
    pub(crate) fn check(&self, at: &Path<'_>, findings: &mut Findings) -> Option<T> {
        T::decode(Value::Text(Cow::Borrowed(&self.text)), at, findings)
    }
}

impl<T: Decode> Decode for Unchecked<T> {
    const SHAPE: Shape = Shape::Advertised(&T::SHAPE);
    const EMPTY_IS_ABSENT: bool = true;

    fn decode(value: Value<'_>, at: &Path<'_>, findings: &mut Findings) -> Option<Self> {
        let text = String::decode(value, at, findings)?;
        Some(Self {
            text,
            wanted: PhantomData,
        })
    }
}
