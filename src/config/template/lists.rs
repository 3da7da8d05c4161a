//! Functions that make lists, and those that look into lists and strings.

use std::rc::Rc;

use super::MAX_ITEMS;
use super::call::{Answer, Call, string};
use super::text::{Buffer, Text, occurrences};
use super::value::{Value, variable};

/// `split "," .X`: the pieces between the separators, after the white space at
/// both ends is gone; no piece if nothing remains.
pub(super) fn split<'a>(call: &Call<'_, 'a>) -> Answer<'a> {
    let (separator, text) = (call.text(0)?, call.text(1)?.trimmed());
    if text.is_empty() {
        return Ok(Value::Strings(Rc::new([])));
    }
    let mut pieces = Vec::new();
    let mut start = 0;
    for at in occurrences(&text, separator)? {
        // An empty separator occurs at both ends too, where it separates nothing.
        if !separator.is_empty() || at > 0 && at < text.len() {
            pieces.push(text.part(start, at));
            start = at + separator.len();
        }
    }
    pieces.push(text.part(start, text.len()));
    Ok(Value::Strings(pieces.into()))
}

/// `join ", " list`.
pub(super) fn join<'a>(call: &Call<'_, 'a>) -> Answer<'a> {
    let separator = call.text(0)?;
    let items: &[Text<'a>] = match call.value(1) {
        Value::Strings(items) => items,
        Value::Nil => &[],
        other => return Err(call.refuse(1, "a list of strings", other)),
    };
    let mut made = Buffer::default();
    for (index, item) in items.iter().enumerate() {
        if index > 0 {
            made.push(separator);
        }
        made.push(item);
    }
    string(made.finish())
}

/// `loop 3`, `loop 5 8`: the integers from the first (or 0) up or down to, but
/// without, the last.
pub(super) fn count<'a>(call: &Call<'_, 'a>) -> Answer<'a> {
    let integer = |index| match call.value(index) {
        Value::Int(value) => Ok(*value),
        value @ Value::String(text) => {
            let parsed = std::str::from_utf8(text)
                .ok()
                .and_then(|text| text.parse().ok());
            parsed.ok_or_else(|| format!("{} is not an integer", value.describe()))
        }
        other => Err(call.refuse(index, "an integer", other)),
    };
    let (start, stop): (i64, i64) = match call.arguments.len() {
        1 => (0, integer(0)?),
        _ => (integer(0)?, integer(1)?),
    };
    if start.abs_diff(stop) > MAX_ITEMS as u64 {
        let turns = start.abs_diff(stop);
        return Err(format!(
            "{turns} integers are more than the {MAX_ITEMS} allowed"
        ));
    }
    let items = match start <= stop {
        true => (start..stop).collect(),
        false => (stop..start).rev().map(|value| value + 1).collect(),
    };
    Ok(Value::Ints(items))
}

/// `len`: bytes of a string, elements of a list, variables of the environment.
pub(super) fn len<'a>(call: &Call<'_, 'a>) -> Answer<'a> {
    let value = call.value(0);
    match value.length() {
        Some(length) => Ok(Value::Int(length as i64)),
        None => Err(call.refuse(0, "a string, a list or the environment", value)),
    }
}

/// `index list 1`, `index . "NAME"`, `index "text" 0`.
pub(super) fn index<'a>(call: &Call<'_, 'a>) -> Answer<'a> {
    let mut item = call.value(0).clone();
    if matches!(item, Value::Nil) {
        return Err(call.refuse(0, "something with elements", &item));
    }
    for (number, key) in call.rest(1).iter().enumerate() {
        item = match (&item, key) {
            (Value::Environment(variables), Value::String(name)) => {
                Value::String(variable(variables, name))
            }
            (Value::Environment(_), key) => {
                return Err(call.refuse(number + 1, "a string", key));
            }
            (Value::String(text), key) => {
                let at = position(call, number + 1, key, text.len())?;
                Value::Byte(*text.get(at).ok_or_else(|| out_of_range(at, text.len()))?)
            }
            (Value::Strings(_) | Value::Ints(_), key) => {
                let length = item.length().unwrap_or(0);
                let at = position(call, number + 1, key, length)?;
                let entry = item.entry(at).map(|(_, element)| element);
                entry.ok_or_else(|| out_of_range(at, length))?
            }
            (other, _) => return Err(format!("{} has no elements", other.describe())),
        };
    }
    Ok(item)
}

/// `slice "text" 1 3`, `slice list 1`: from the first index up to, but without,
/// the second.
pub(super) fn slice<'a>(call: &Call<'_, 'a>) -> Answer<'a> {
    let item = call.value(0);
    let length = match item {
        Value::String(_) if call.arguments.len() > 3 => {
            return Err("a string takes two indexes, not three".to_owned());
        }
        Value::String(_) | Value::Strings(_) | Value::Ints(_) => item.length().unwrap_or(0),
        other => return Err(call.refuse(0, "a string or a list", other)),
    };
    let mut bounds = [0, length, length];
    for (number, (bound, key)) in bounds.iter_mut().zip(call.rest(1)).enumerate() {
        *bound = position(call, number + 1, key, length)?;
    }
    let [start, end, capacity] = bounds;
    if start > end || end > capacity {
        return Err(format!(
            "the indexes {start} {end} {capacity} are not in order"
        ));
    }
    Ok(match item {
        Value::Strings(items) => Value::Strings(items.get(start..end).unwrap_or_default().into()),
        Value::Ints(items) => Value::Ints(items.get(start..end).unwrap_or_default().into()),
        Value::String(text) => Value::String(text.part(start, end)),
        _ => Value::Nil,
    })
}

/// The argument `number` as an index into something of that length, or the
/// place behind its last element.
fn position(
    call: &Call<'_, '_>,
    number: usize,
    key: &Value<'_>,
    length: usize,
) -> Result<usize, String> {
    let value = match key {
        Value::Int(value) => *value,
        Value::Byte(value) => i64::from(*value),
        other => return Err(call.refuse(number, "an integer", other)),
    };
    match usize::try_from(value) {
        Ok(at) if at <= length => Ok(at),
        _ => Err(format!(
            "the index {value} is out of range: the length is {length}"
        )),
    }
}

fn out_of_range(at: usize, length: usize) -> String {
    format!("the index {at} is out of range: the length is {length}")
}
