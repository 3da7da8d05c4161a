//! `eq`, `ne`, `lt`, `le`, `gt`, `ge`.
//!
//! Values of different kinds are not compared, except integers with bytes, and
//! anything with nil, which is only equal to itself.

use std::cmp::Ordering;

use super::call::{Answer, Call};
use super::value::Value;

/// `eq a b c…`: whether `a` equals one of the others.
pub(super) fn eq<'a>(call: &Call<'_, 'a>) -> Answer<'a> {
    let first = call.value(0);
    if call.arguments.len() < 2 {
        return Err("there is nothing to compare with".to_owned());
    }
    for other in call.rest(1) {
        if equal(first, other)? {
            return Ok(Value::Bool(true));
        }
    }
    Ok(Value::Bool(false))
}

pub(super) fn ne<'a>(call: &Call<'_, 'a>) -> Answer<'a> {
    Ok(Value::Bool(!equal(call.value(0), call.value(1))?))
}

pub(super) fn lt<'a>(call: &Call<'_, 'a>) -> Answer<'a> {
    Ok(Value::Bool(
        order(call.value(0), call.value(1))? == Ordering::Less,
    ))
}

pub(super) fn le<'a>(call: &Call<'_, 'a>) -> Answer<'a> {
    Ok(Value::Bool(
        order(call.value(0), call.value(1))? != Ordering::Greater,
    ))
}

pub(super) fn gt<'a>(call: &Call<'_, 'a>) -> Answer<'a> {
    Ok(Value::Bool(
        order(call.value(0), call.value(1))? == Ordering::Greater,
    ))
}

pub(super) fn ge<'a>(call: &Call<'_, 'a>) -> Answer<'a> {
    Ok(Value::Bool(
        order(call.value(0), call.value(1))? != Ordering::Less,
    ))
}

fn equal(a: &Value<'_>, b: &Value<'_>) -> Result<bool, String> {
    match (a, b) {
        (Value::Nil, Value::Nil) => Ok(true),
        (Value::Nil, _) | (_, Value::Nil) => Ok(false),
        (Value::Bool(a), Value::Bool(b)) => Ok(a == b),
        (Value::Complex(a, b), Value::Complex(c, d)) => Ok((a, b) == (c, d)),
        _ => Ok(order(a, b)? == Ordering::Equal),
    }
}

fn order(a: &Value<'_>, b: &Value<'_>) -> Result<Ordering, String> {
    let order = match (a, b) {
        (Value::Int(a), Value::Int(b)) => Some(a.cmp(b)),
        (Value::Int(a), Value::Byte(b)) => Some(a.cmp(&i64::from(*b))),
        (Value::Byte(a), Value::Int(b)) => Some(i64::from(*a).cmp(b)),
        (Value::Byte(a), Value::Byte(b)) => Some(a.cmp(b)),
        (Value::Float(a), Value::Float(b)) => a.partial_cmp(b),
        (Value::String(a), Value::String(b)) => Some(a.cmp(b)),
        _ => None,
    };
    order.ok_or_else(|| format!("cannot compare {} with {}", a.describe(), b.describe()))
}
