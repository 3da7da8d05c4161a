//! The functions of templates: Go's built-in ones and ContainerPilot's.
//!
//! Their table and those that are short; how values are compared and printed, and
//! how lists are cut, stands in modules of its own.

use super::call::{Answer, Call, string};
use super::text::{Buffer, occurrences};
use super::value::{Value, brief, variable};
use super::{compare, escape, expression, lists, printf};

/// A function that templates can call.
#[derive(Debug)]
pub(super) struct Function {
    pub(super) name: &'static str,
    least: usize,
    most: usize,
    run: for<'c, 'a> fn(&Call<'c, 'a>) -> Answer<'a>,
}

const ANY: usize = usize::MAX;

/// All functions in the order of their names.
static FUNCTIONS: &[Function] = &[
    // The compiler turns `and` and `or` into jumps; only an empty call remains.
    function("and", 1, ANY, |call| Ok(call.value(0).clone())),
    function("call", 1, ANY, |call| {
        Err(format!("{} is no function", call.value(0).describe()))
    }),
    function("default", 2, 2, default),
    function("env", 1, 1, |call| {
        Ok(Value::String(variable(call.environment, call.text(0)?)))
    }),
    function("eq", 1, ANY, compare::eq),
    function("ge", 2, 2, compare::ge),
    function("gt", 2, 2, compare::gt),
    function("html", 0, ANY, escape::html),
    function("index", 1, ANY, lists::index),
    function("join", 2, 2, lists::join),
    function("js", 0, ANY, escape::js),
    function("le", 2, 2, compare::le),
    function("len", 1, 1, lists::len),
    function("loop", 1, 2, lists::count),
    function("lt", 2, 2, compare::lt),
    function("ne", 2, 2, compare::ne),
    function("not", 1, 1, |call| {
        Ok(Value::Bool(!call.value(0).is_true()))
    }),
    function("or", 1, ANY, |call| Ok(call.value(0).clone())),
    function("print", 0, ANY, |call| {
        string(printf::print(call.arguments))
    }),
    function("printf", 1, ANY, |call| {
        string(printf::printf(call.text(0)?, call.rest(1)))
    }),
    function("println", 0, ANY, |call| {
        string(printf::println(call.arguments))
    }),
    function("regexReplaceAll", 3, 3, expression::replace_all),
    function("replaceAll", 3, 3, replace_all),
    function("slice", 1, 4, lists::slice),
    function("split", 2, 2, lists::split),
    function("urlquery", 0, ANY, escape::urlquery),
];

const fn function(
    name: &'static str,
    least: usize,
    most: usize,
    run: for<'c, 'a> fn(&Call<'c, 'a>) -> Answer<'a>,
) -> Function {
    Function {
        name,
        least,
        most,
        run,
    }
}

/// The names of all functions.
#[cfg(test)]
pub(super) fn names() -> impl Iterator<Item = &'static str> {
    FUNCTIONS.iter().map(|function| function.name)
}

/// The function of that name, or an error that names what it may have meant.
pub(super) fn find(name: &str) -> Result<&'static Function, String> {
    let found = FUNCTIONS.binary_search_by(|function| function.name.cmp(name));
    if let Some(function) = found.ok().and_then(|index| FUNCTIONS.get(index)) {
        return Ok(function);
    }
    let brief = brief(name);
    let same = |function: &&Function| function.name.eq_ignore_ascii_case(name);
    Err(match FUNCTIONS.iter().find(same) {
        Some(Function { name: known, .. }) => {
            format!("there is no function {brief}; did you mean {known}?")
        }
        None => format!("there is no function {brief}; for a variable write .{brief}"),
    })
}

impl Function {
    /// Runs it; its errors get its name.
    pub(super) fn run<'a>(&self, call: &Call<'_, 'a>) -> Answer<'a> {
        let count = call.arguments.len();
        let name = call.name;
        if count < self.least || count > self.most {
            let wanted = match (self.least, self.most) {
                (least, ANY) => format!("at least {least}"),
                (least, most) if least == most => format!("{least}"),
                (least, most) if most == least + 1 => format!("{least} or {most}"),
                (least, most) => format!("{least} to {most}"),
            };
            let noun = if wanted.ends_with('1') {
                "argument"
            } else {
                "arguments"
            };
            return Err(format!("{name} takes {wanted} {noun}, not {count}"));
        }
        let weigh = |values: &[Value<'a>]| values.iter().map(Value::weight).sum::<u64>() / 8;
        call.budget.spend(weigh(call.arguments))?;
        let result = (self.run)(call).map_err(|message| format!("{name}: {message}"))?;
        call.budget.spend(weigh(std::slice::from_ref(&result)))?;
        Ok(result)
    }
}

/// `default "y" .X`: the second argument if it is a string that is not empty,
/// otherwise the first as a string.
fn default<'a>(call: &Call<'_, 'a>) -> Answer<'a> {
    match (call.value(0), call.value(1)) {
        (_, value @ Value::String(text)) if !text.is_empty() => Ok(value.clone()),
        (value @ Value::String(_), _) => Ok(value.clone()),
        (value, _) => string(printf::print(std::slice::from_ref(value))),
    }
}

/// `replaceAll "from" "to" .X`.
fn replace_all<'a>(call: &Call<'_, 'a>) -> Answer<'a> {
    let (from, to, text) = (call.text(0)?, call.text(1)?, call.text(2)?);
    let mut made = Buffer::default();
    let mut copied = 0;
    for at in occurrences(text, from)? {
        made.push(text.get(copied..at).unwrap_or_default());
        made.push(to);
        copied = at + from.len();
    }
    made.push(text.get(copied..).unwrap_or_default());
    string(made.finish())
}
