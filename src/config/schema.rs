//! `-schema`: what a configuration file may say, as JSON Schema 2020-12 (SPEC
//! §17), made from the decoder's own tables.
//!
//! It accepts the weak types that the decoder accepts, with the exact values
//! first, which is what editors offer. What several keys mean together it does
//! not say: that is `-check`'s.

use serde_json::{Map, Value};

use super::table::{Key, Preset, Shape, Table};

/// A duration of Go's, a number of seconds, and the same with anything but
/// zeros in it.
const DURATION: &str = r"^\+?([0-9]+|(([0-9]+(\.[0-9]*)?|\.[0-9]+)(ns|us|µs|μs|ms|s|m|h))+)$";
const LONGER_THAN_ZERO: &str = r"[1-9]";

/// A number of bytes, or of a unit of them.
const SIZE: &str = r"^[0-9]+(\.[0-9]*)? *([KkMmGg]([Ii]?[Bb])?|[Bb])?$";

/// The longest duration in seconds.
const LONGEST: i64 = (i64::MAX as u64 / 1_000_000_000) as i64;

/// A bool, the numbers for it, and its spellings as a string, as Go's
/// `strconv.ParseBool` has them.
const BOOLS: &str = r#"[
    { "type": "boolean" },
    { "enum": [0, 1] },
    { "enum": ["true", "false", "1", "0", "t", "f", "T", "F", "TRUE", "FALSE", "True", "False"] }
]"#;

/// What stands for a string.
const SCALAR: &str = r#"{ "type": ["string", "number", "boolean"] }"#;

/// What stands for a string but is none.
const NO_STRING: &str = r#"{ "type": ["number", "boolean"] }"#;

/// A list whose first item names a program.
const COMMAND: &str = r#"{
    "type": "array",
    "items": { "type": ["string", "number", "boolean"] },
    "minItems": 1,
    "prefixItems": [
        { "allOf": [{ "type": ["string", "number", "boolean"] }], "not": { "const": "" } }
    ]
}"#;

/// Free keys and what stands for their strings.
const PAIRS: &str = r#"{
    "type": "object",
    "additionalProperties": { "type": ["string", "number", "boolean", "null"] }
}"#;

/// An object with a port.
const HAS_PORT: &str = r#"{
    "required": ["port"],
    "properties": { "port": { "not": { "enum": [0, "0", "", null] } } }
}"#;

/// What is as if the key were left out.
const EMPTY: &str = r#"{ "const": "" }"#;
const NULL: &str = r#"{ "type": "null" }"#;

/// A schema that is written here as text, which a test parses.
fn literal(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_default()
}

/// A schema of so many keywords.
fn schema<const N: usize>(keywords: [(&str, Value); N]) -> Value {
    collected(&mut keywords.into_iter())
}

fn collected(keywords: &mut dyn Iterator<Item = (&str, Value)>) -> Value {
    let mut schema = Map::new();
    for (name, value) in keywords {
        schema.insert(name.to_owned(), value);
    }
    schema.into()
}

/// A string that matches a pattern.
fn pattern(pattern: &str) -> Value {
    schema([("type", "string".into()), ("pattern", pattern.into())])
}

/// An integer within limits.
fn integer(min: impl Into<Value>, max: impl Into<Value>) -> Value {
    schema([
        ("type", "integer".into()),
        ("minimum", min.into()),
        ("maximum", max.into()),
    ])
}

/// One of these words.
fn one_of(words: &[&str]) -> Value {
    schema([("enum", words.into())])
}

/// Any of these.
fn any_of(schemas: Vec<Value>) -> Value {
    schema([("anyOf", schemas.into())])
}

/// The schema of the file, as text.
pub fn json() -> String {
    let mut definitions = Map::new();
    let tables = super::tables();
    let mut schema = tables.first().map_or(Value::Null, |file| object(file));
    for table in tables.iter().skip(1) {
        definitions.insert(table.section.to_owned(), object(table));
    }
    if let Value::Object(schema) = &mut schema {
        let dialect = "https://json-schema.org/draft/2020-12/schema";
        schema.insert("$schema".to_owned(), dialect.into());
        schema.insert("$defs".to_owned(), definitions.into());
        schema.insert("title".to_owned(), "ContainerPilot configuration".into());
    }
    format!("{schema:#}\n")
}

/// An object with a table of keys.
fn object(table: &Table) -> Value {
    let keys = table.keys.iter();
    let properties: Map<String, Value> = keys.map(|row| (row.name.to_owned(), key(row))).collect();
    let required = table.keys.iter();
    let required = required.filter(|row| matches!(row.preset, Preset::Required));
    let required: Vec<&str> = required.map(|row| row.name).collect();
    let mut object = schema([
        ("type", "object".into()),
        ("properties", properties.into()),
        ("required", required.into()),
        ("additionalProperties", false.into()),
    ]);
    let advertised = advertised(table);
    if table.keys.iter().any(|row| row.name == "port")
        && !advertised.is_empty()
        && let Value::Object(object) = &mut object
    {
        let then = schema([("properties", advertised.into())]);
        object.insert("if".to_owned(), literal(HAS_PORT));
        object.insert("then".to_owned(), then);
    }
    object
}

/// What an object may hold, beyond what its own schema says, if the job has a
/// port.
fn advertised(table: &Table) -> Map<String, Value> {
    let rows = table.keys.iter();
    let checked = rows.filter_map(|row| match row.shape {
        Shape::Advertised(shape) => {
            let mut shapes = alternatives(shape);
            shapes.extend([literal(EMPTY), literal(NULL)]);
            Some((row.name.to_owned(), any_of(shapes)))
        }
        Shape::Object(inner) => {
            let inner = advertised(inner);
            let properties = (!inner.is_empty()).then(|| schema([("properties", inner.into())]));
            properties.map(|properties| (row.name.to_owned(), properties))
        }
        _ => None,
    });
    checked.collect()
}

/// The value of a key. One that may be left out may be null as well, and an empty
/// string where a string without characters would mean nothing.
fn key(row: &Key) -> Value {
    let mut alternatives = alternatives(&row.shape);
    let is_required = matches!(row.preset, Preset::Required);
    if is_required {
        let given = schema([("anyOf", alternatives.into()), ("not", literal(EMPTY))]);
        alternatives = vec![given];
    } else {
        if is_absent_when_empty(&row.shape) {
            alternatives.push(literal(EMPTY));
        }
        alternatives.push(literal(NULL));
    }
    let (default, sentence) = match row.preset {
        Preset::Required | Preset::Absent => (None, None),
        Preset::Text(text) => (Some(text.into()), None),
        Preset::Integer(integer) => (Some(integer.into()), None),
        Preset::Bool(bool) => (Some(bool.into()), None),
        Preset::Empty => (Some(Map::new().into()), None),
        Preset::Depends(sentence) => (None, Some(sentence)),
    };
    let mut value = Map::new();
    let description = match sentence {
        Some(sentence) => format!("{} Default: {sentence}.", row.about),
        None => row.about.to_owned(),
    };
    value.insert("description".to_owned(), description.into());
    value.insert("anyOf".to_owned(), alternatives.into());
    if let Some(default) = default {
        value.insert("default".to_owned(), default);
    }
    value.into()
}

fn is_absent_when_empty(shape: &Shape) -> bool {
    match shape {
        Shape::Bool
        | Shape::Octal { .. }
        | Shape::Duration { .. }
        | Shape::Size { .. }
        | Shape::Words(_)
        | Shape::Vocabulary(..)
        | Shape::Signal(_)
        | Shape::Advertised(_) => true,
        // Any text is one of these anyway, or none may be empty.
        Shape::Text
        | Shape::Texts
        | Shape::Name
        | Shape::Command
        | Shape::Limit
        | Shape::Integer { .. }
        | Shape::Pairs
        | Shape::Object(_)
        | Shape::Objects(_)
        | Shape::Either(_) => false,
    }
}

/// What a value may be, the plainest first.
fn alternatives(shape: &Shape) -> Vec<Value> {
    match shape {
        Shape::Text => vec![literal(SCALAR)],
        Shape::Name => vec![
            literal(r#"{ "type": "string", "minLength": 1 }"#),
            literal(NO_STRING),
        ],
        Shape::Bool => match literal(BOOLS) {
            Value::Array(spellings) => spellings,
            other => vec![other],
        },
        Shape::Integer { min, max } => vec![integer(*min, *max), pattern(&digits(*min, *max))],
        Shape::Octal { max } => octal(*max),
        Shape::Limit => limit(),
        Shape::Duration { min } => duration(*min),
        // Of a string it can only be said that it looks like a size.
        Shape::Size { min, max } => vec![pattern(SIZE), integer(*min, *max)],
        Shape::Words(words) => {
            let words = words();
            let any_case: Vec<String> = words.iter().map(|word| in_any_case(word)).collect();
            let any_case = format!("^({})$", any_case.join("|"));
            vec![one_of(&words), pattern(&any_case)]
        }
        Shape::Vocabulary(_, words) => vec![one_of(&words())],
        Shape::Texts => vec![literal(SCALAR), list_of(literal(SCALAR))],
        Shape::Command => vec![
            pattern(r"[^ \t\n\f\r]"),
            literal(NO_STRING),
            literal(COMMAND),
        ],
        Shape::Signal(names) => signal(&names()),
        Shape::Pairs => vec![literal(PAIRS)],
        Shape::Object(table) => vec![reference(table)],
        Shape::Objects(table) => vec![list_of(reference(table))],
        Shape::Either(shapes) => shapes.iter().flat_map(alternatives).collect(),
        Shape::Advertised(shape) => {
            let mut shapes = alternatives(shape);
            shapes.push(literal(SCALAR));
            shapes
        }
    }
}

fn reference(table: &Table) -> Value {
    let place = format!("#/$defs/{}", table.section);
    schema([("$ref", place.into())])
}

fn list_of(items: Value) -> Value {
    schema([("type", "array".into()), ("items", items)])
}

/// A signal: those with a name are offered, each may be written in several ways.
fn signal(names: &[&str]) -> Vec<Value> {
    let offered: Vec<String> = names.iter().map(|name| format!("SIG{name}")).collect();
    let any_case: Vec<String> = names.iter().map(|name| in_any_case(name)).collect();
    let spelling = format!(
        r"^({})?({}|{}(\+[0-9]+)?|{}(-[0-9]+)?)$",
        in_any_case("SIG"),
        any_case.join("|"),
        in_any_case("RTMIN"),
        in_any_case("RTMAX"),
    );
    vec![schema([("enum", offered.into())]), pattern(&spelling)]
}

/// A duration of at least so many milliseconds; of a string it can only be said
/// whether it is longer than nothing.
fn duration(min: u64) -> Vec<Value> {
    let mut text = pattern(DURATION);
    if min > 0
        && let Value::Object(text) = &mut text
    {
        let longer = schema([("pattern", LONGER_THAN_ZERO.into())]);
        text.insert("allOf".to_owned(), vec![longer].into());
    }
    vec![text, integer(min.div_ceil(1000), LONGEST)]
}

/// An octal number: of the digits of a number it can only be said how many they
/// are.
fn octal(max: u32) -> Vec<Value> {
    let digits = format!("{max:o}");
    let text = format!("^(0o)?0*[0-7]{{1,{}}}$", digits.len());
    let most: u32 = digits.parse().unwrap_or(max);
    vec![pattern(&text), integer(0, most)]
}

/// A resource limit: one bound, or the soft and the hard one.
fn limit() -> Vec<Value> {
    let mut bounds = alternatives(&Shape::Integer {
        min: 0,
        max: i64::MAX,
    });
    bounds.extend(alternatives(&Shape::Words(super::limits::words)));
    let both = schema([
        ("type", "array".into()),
        ("items", any_of(bounds.clone())),
        ("minItems", 2.into()),
        ("maxItems", 2.into()),
    ]);
    bounds.push(both);
    bounds
}

/// A pattern of the integers from `min`, which is at most 1, to `max`.
fn digits(min: i64, max: i64) -> String {
    let zero = if min <= 0 { "|-?0+" } else { "" };
    let below = match min {
        0.. => String::new(),
        _ => format!("|-{}", up_to(min.saturating_neg())),
    };
    format!(r"^(\+?{}{zero}{below})$", up_to(max))
}

/// A pattern of the integers from 1 to `max`.
fn up_to(max: i64) -> String {
    let mut ranges: Vec<String> = Vec::new();
    let largest = max.to_string();
    if largest.len() > 1 {
        ranges.push(format!(
            "[1-9][0-9]{{0,{}}}",
            largest.len().saturating_sub(2)
        ));
    }
    // The largest, and those that are as long but smaller from some digit on.
    for (index, digit) in largest.char_indices() {
        let before = largest.get(..index).unwrap_or_default();
        let after = largest.len() - index - 1;
        let least = if index == 0 { '1' } else { '0' };
        if digit > least {
            let below = char::from_digit(digit.to_digit(10).unwrap_or(1).saturating_sub(1), 10);
            let below = below.unwrap_or('0');
            ranges.push(format!("{before}[{least}-{below}][0-9]{{{after}}}"));
        }
    }
    ranges.push(largest);
    format!("0*({})", ranges.join("|"))
}

/// A pattern of a word in upper and lower case.
fn in_any_case(word: &str) -> String {
    let both = |c: char| format!("[{}{}]", c.to_ascii_uppercase(), c.to_ascii_lowercase());
    word.chars()
        .map(|c| match c.is_ascii_alphabetic() {
            true => both(c),
            false => format!("[{c}]"),
        })
        .collect()
}
