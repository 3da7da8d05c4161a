//! Values and expressions.

use std::fmt;

use super::Scope;

/// A value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    Text(String),
    Integer(i64),
    Bool(bool),
    Texts(Vec<String>),
    Integers(Vec<i64>),
}

/// What is known of a value before there is one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Text,
    Integer,
    Bool,
    Texts,
    Integers,
}

impl Value {
    /// Whether it is not the zero value of its kind.
    pub fn is_true(&self) -> bool {
        match self {
            Self::Text(text) => !text.is_empty(),
            Self::Integer(integer) => *integer != 0,
            Self::Bool(bool) => *bool,
            Self::Texts(list) => !list.is_empty(),
            Self::Integers(list) => !list.is_empty(),
        }
    }

    /// The items of a list.
    pub fn items(self) -> Vec<Self> {
        match self {
            Self::Texts(list) => list.into_iter().map(Self::Text).collect(),
            Self::Integers(list) => list.into_iter().map(Self::Integer).collect(),
            other => panic!("{other:?} is no list"),
        }
    }

    fn text(&self) -> &str {
        match self {
            Self::Text(text) => text,
            other => panic!("{other:?} is no text"),
        }
    }

    fn integer(&self) -> i64 {
        match self {
            Self::Integer(integer) => *integer,
            other => panic!("{other:?} is no integer"),
        }
    }
}

/// The bytes of a text and the items of a list, at most: some of them in each other
/// soon need all the memory there is.
const LARGEST: usize = 10_000;

impl Value {
    /// Cuts it if it is too large, and tells so.
    fn cut(&mut self) -> bool {
        let length = match self {
            Self::Text(text) => text.len(),
            Self::Texts(texts) => texts.iter().map(|text| text.len() + 1).sum(),
            Self::Integers(list) => list.len(),
            Self::Integer(_) | Self::Bool(_) => 0,
        };
        let is_large = length > LARGEST;
        if is_large {
            match self {
                Self::Text(text) => text.clear(),
                Self::Texts(texts) => texts.clear(),
                Self::Integers(list) => list.clear(),
                Self::Integer(_) | Self::Bool(_) => {}
            }
        }
        is_large
    }
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let list = |items: Vec<String>| format!("[{}]", items.join(" "));
        match self {
            Self::Text(text) => f.write_str(text),
            Self::Integer(integer) => write!(f, "{integer}"),
            Self::Bool(bool) => write!(f, "{bool}"),
            Self::Texts(texts) => f.write_str(&list(texts.clone())),
            Self::Integers(integers) => {
                f.write_str(&list(integers.iter().map(i64::to_string).collect()))
            }
        }
    }
}

/// What stands in an action.
#[derive(Debug)]
pub enum Expression {
    Literal(Value),
    Variable(String),
    Local(String),
    Dot,
    /// A function and its arguments, which are right for it.
    Call(&'static str, Vec<Expression>),
}

impl Expression {
    /// What it is here.
    pub fn value(&self, scope: &Scope<'_>) -> Value {
        match self {
            Self::Literal(value) => value.clone(),
            Self::Variable(name) => {
                let value = scope.variables.get(name);
                Value::Text(value.cloned().unwrap_or_default())
            }
            Self::Local(name) => {
                let mut locals = scope.locals.iter().rev();
                let local = locals.find(|(known, _)| known == name);
                local.expect("a declared variable").1.clone()
            }
            Self::Dot => scope.dot.clone(),
            Self::Call(name, arguments) => {
                let arguments = arguments.iter().map(|it| it.value(scope));
                let mut value = call(name, &arguments.collect::<Vec<_>>());
                if value.cut() {
                    scope.outgrown.set(true);
                }
                value
            }
        }
    }
}

fn call(name: &str, arguments: &[Value]) -> Value {
    match (name, arguments) {
        ("not", [value]) => Value::Bool(!value.is_true()),
        ("and", values) => decide(values, |value| !value.is_true()),
        ("or", values) => decide(values, Value::is_true),
        ("eq", [first, rest @ ..]) => Value::Bool(rest.contains(first)),
        ("ne", [one, other]) => Value::Bool(one != other),
        ("lt" | "le" | "gt" | "ge", [one, other]) => Value::Bool(compare(name, one, other)),
        ("len", [value]) => Value::Integer(match value {
            Value::Text(text) => text.len(),
            Value::Texts(list) => list.len(),
            Value::Integers(list) => list.len(),
            other => panic!("the length of {other:?}"),
        } as i64),
        ("default", [value, text]) => match text.text() {
            "" => Value::Text(value.to_string()),
            text => Value::Text(text.to_owned()),
        },
        ("split", [separator, text]) => Value::Texts(split(separator.text(), text.text())),
        ("join", [separator, Value::Texts(texts)]) => Value::Text(texts.join(separator.text())),
        ("replaceAll", [from, to, text]) => {
            Value::Text(text.text().replace(from.text(), to.text()))
        }
        ("loop", [end]) => Value::Integers(count(0, end.integer())),
        ("loop", [begin, end]) => Value::Integers(count(begin.integer(), end.integer())),
        ("print", values) => Value::Text(print(values)),
        ("printf", [format, value]) => Value::Text(printf(format.text(), value)),
        (name, arguments) => panic!("{name} of {arguments:?}"),
    }
}

/// The first value that decides, or else the last.
fn decide(values: &[Value], decides: fn(&Value) -> bool) -> Value {
    let found = values.iter().find(|value| decides(value));
    found.or(values.last()).expect("an argument").clone()
}

fn compare(name: &str, one: &Value, other: &Value) -> bool {
    let order = match (one, other) {
        (Value::Text(one), Value::Text(other)) => one.as_bytes().cmp(other.as_bytes()),
        (one, other) => one.integer().cmp(&other.integer()),
    };
    match name {
        "lt" => order.is_lt(),
        "le" => order.is_le(),
        "gt" => order.is_gt(),
        _ => order.is_ge(),
    }
}

fn split(separator: &str, text: &str) -> Vec<String> {
    match (text.trim(), separator) {
        ("", _) => Vec::new(),
        (text, "") => text.chars().map(String::from).collect(),
        (text, separator) => text.split(separator).map(str::to_owned).collect(),
    }
}

fn count(begin: i64, end: i64) -> Vec<i64> {
    if begin <= end {
        (begin..end).collect()
    } else {
        (end + 1..=begin).rev().collect()
    }
}

/// A space goes between two values of which neither is a text.
fn print(values: &[Value]) -> String {
    let mut out = String::new();
    let mut before: Option<&Value> = None;
    for value in values {
        let is_text = |value: &Value| matches!(value, Value::Text(_));
        if before.is_some_and(|before| !is_text(before)) && !is_text(value) {
            out.push(' ');
        }
        out.push_str(&value.to_string());
        before = Some(value);
    }
    out
}

fn printf(format: &str, value: &Value) -> String {
    match format {
        "%d" | "%s" | "%v" => value.to_string(),
        "<%6s>" | "<%6d>" => format!("<{:>6}>", value.to_string()),
        "<%-6s>" | "<%-6d>" => format!("<{:<6}>", value.to_string()),
        "%04d" => format!("{:04}", value.integer()),
        "%x" => match value.integer() {
            integer @ ..0 => format!("-{:x}", -integer),
            integer => format!("{integer:x}"),
        },
        format => panic!("{format:?}"),
    }
}
