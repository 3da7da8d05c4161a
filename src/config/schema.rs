//! `-schema`: what a configuration file may say, as JSON Schema 2020-12 (SPEC
//! §17), made from the decoder's own tables.
//!
//! It accepts the weak types that the decoder accepts, with the exact values
//! first, which is what editors offer. What several keys mean together it does
//! not say: that is `-check`'s.

use serde_json::{Map, Value, json};

use super::table::{Key, Preset, Shape, Table};

/// A duration of Go's, a number of seconds, and the same with anything but
/// zeros in it.
const DURATION: &str = r"^\+?([0-9]+|(([0-9]+(\.[0-9]*)?|\.[0-9]+)(ns|us|µs|μs|ms|s|m|h))+)$";
const LONGER_THAN_ZERO: &str = r"[1-9]";

/// A number of bytes, or of a unit of them.
const SIZE: &str = r"^[0-9]+(\.[0-9]*)? *([KkMmGg]([Ii]?[Bb])?|[Bb])?$";

/// The longest duration in seconds.
const LONGEST: i64 = (i64::MAX as u64 / 1_000_000_000) as i64;

/// The spellings of a bool as a string, as Go's `strconv.ParseBool` has them.
const BOOLS: [&str; 12] = [
    "true", "false", "1", "0", "t", "f", "T", "F", "TRUE", "FALSE", "True", "False",
];

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
    let mut object = json!({
        "type": "object",
        "properties": properties,
        "required": required,
        "additionalProperties": false,
    });
    let advertised = advertised(table);
    if table.keys.iter().any(|row| row.name == "port")
        && !advertised.is_empty()
        && let Value::Object(object) = &mut object
    {
        let no_port = json!({ "enum": [0, "0", "", null] });
        let has_port =
            json!({ "required": ["port"], "properties": { "port": { "not": no_port } } });
        object.insert("if".to_owned(), has_port);
        object.insert("then".to_owned(), json!({ "properties": advertised }));
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
            shapes.extend([json!({ "const": "" }), json!({ "type": "null" })]);
            Some((row.name.to_owned(), json!({ "anyOf": shapes })))
        }
        Shape::Object(inner) => {
            let inner = advertised(inner);
            let properties = (!inner.is_empty()).then(|| json!({ "properties": inner }));
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
        alternatives = vec![json!({ "anyOf": alternatives, "not": { "const": "" } })];
    } else {
        if is_absent_when_empty(&row.shape) {
            alternatives.push(json!({ "const": "" }));
        }
        alternatives.push(json!({ "type": "null" }));
    }
    let (default, sentence) = match row.preset {
        Preset::Required | Preset::Absent => (None, None),
        Preset::Text(text) => (Some(text.into()), None),
        Preset::Integer(integer) => (Some(integer.into()), None),
        Preset::Bool(bool) => (Some(bool.into()), None),
        Preset::Empty => (Some(json!({})), None),
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
        Shape::Text => vec![scalar()],
        Shape::Name => vec![json!({ "type": "string", "minLength": 1 }), no_string()],
        Shape::Bool => vec![
            json!({ "type": "boolean" }),
            json!({ "enum": [0, 1] }),
            json!({ "enum": BOOLS }),
        ],
        Shape::Integer { min, max } => vec![
            json!({ "type": "integer", "minimum": min, "maximum": max }),
            json!({ "type": "string", "pattern": digits(*min, *max) }),
        ],
        Shape::Octal { max } => octal(*max),
        Shape::Limit => limit(),
        Shape::Duration { min } => duration(*min),
        // Of a string it can only be said that it looks like a size.
        Shape::Size { min, max } => vec![
            json!({ "type": "string", "pattern": SIZE }),
            json!({ "type": "integer", "minimum": min, "maximum": max }),
        ],
        Shape::Words(words) => {
            let words = words();
            let any_case: Vec<String> = words.iter().map(|word| in_any_case(word)).collect();
            let any_case = format!("^({})$", any_case.join("|"));
            vec![
                json!({ "enum": words }),
                json!({ "type": "string", "pattern": any_case }),
            ]
        }
        Shape::Vocabulary(_, words) => vec![json!({ "enum": words() })],
        Shape::Texts => vec![scalar(), json!({ "type": "array", "items": scalar() })],
        Shape::Command => vec![
            json!({ "type": "string", "pattern": r"[^ \t\n\f\r]" }),
            no_string(),
            json!({
                "type": "array",
                "items": scalar(),
                "minItems": 1,
                "prefixItems": [{ "allOf": [scalar()], "not": { "const": "" } }],
            }),
        ],
        Shape::Signal(names) => signal(&names()),
        Shape::Pairs => {
            let text = json!({ "type": ["string", "number", "boolean", "null"] });
            vec![json!({ "type": "object", "additionalProperties": text })]
        }
        Shape::Object(table) => vec![reference(table)],
        Shape::Objects(table) => vec![json!({ "type": "array", "items": reference(table) })],
        Shape::Either(shapes) => shapes.iter().flat_map(alternatives).collect(),
        Shape::Advertised(shape) => {
            let mut shapes = alternatives(shape);
            shapes.push(scalar());
            shapes
        }
    }
}

fn reference(table: &Table) -> Value {
    json!({ "$ref": format!("#/$defs/{}", table.section) })
}

/// A signal: those with a name are offered, each may be written in several ways.
fn signal(names: &[&str]) -> Vec<Value> {
    let offered: Vec<String> = names.iter().map(|name| format!("SIG{name}")).collect();
    let any_case: Vec<String> = names.iter().map(|name| in_any_case(name)).collect();
    let pattern = format!(
        r"^({})?({}|{}(\+[0-9]+)?|{}(-[0-9]+)?)$",
        in_any_case("SIG"),
        any_case.join("|"),
        in_any_case("RTMIN"),
        in_any_case("RTMAX"),
    );
    vec![
        json!({ "enum": offered }),
        json!({ "type": "string", "pattern": pattern }),
    ]
}

/// What stands for a string.
fn scalar() -> Value {
    json!({ "type": ["string", "number", "boolean"] })
}

/// What stands for a string but is none.
fn no_string() -> Value {
    json!({ "type": ["number", "boolean"] })
}

/// A duration of at least so many milliseconds; of a string it can only be said
/// whether it is longer than nothing.
fn duration(min: u64) -> Vec<Value> {
    let mut text = json!({ "type": "string", "pattern": DURATION });
    if min > 0
        && let Value::Object(text) = &mut text
    {
        let longer = json!([{ "pattern": LONGER_THAN_ZERO }]);
        text.insert("allOf".to_owned(), longer);
    }
    let seconds = json!({ "type": "integer", "minimum": min.div_ceil(1000), "maximum": LONGEST });
    vec![text, seconds]
}

/// An octal number: of the digits of a number it can only be said how many they
/// are.
fn octal(max: u32) -> Vec<Value> {
    let digits = format!("{max:o}");
    let text = format!("^(0o)?0*[0-7]{{1,{}}}$", digits.len());
    let most: u32 = digits.parse().unwrap_or(max);
    vec![
        json!({ "type": "string", "pattern": text }),
        json!({ "type": "integer", "minimum": 0, "maximum": most }),
    ]
}

/// A resource limit: one bound, or the soft and the hard one.
fn limit() -> Vec<Value> {
    let mut bounds = alternatives(&Shape::Integer {
        min: 0,
        max: i64::MAX,
    });
    bounds.extend(alternatives(&Shape::Words(super::limits::words)));
    let both = json!({
        "type": "array",
        "items": { "anyOf": bounds },
        "minItems": 2,
        "maxItems": 2,
    });
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
