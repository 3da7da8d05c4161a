//! The tables of keys: what the objects of the file may hold, what it means and
//! what holds if it is left out.
//!
//! A table is written once, with [`object!`], and everything is made from it:
//! the raw struct and its decoder, the errors about unknown keys, the manual's
//! tables (a test compares them) and the JSON schema. So none of them can say
//! anything else than the others.

use std::fmt;

use super::size;

/// An object of the file.
#[derive(Debug)]
pub struct Table {
    /// Where it stands, as the manual heads it: `job`, `job.health`.
    pub section: &'static str,
    /// Its keys, in the order of the manual.
    pub keys: &'static [Key],
}

/// A key of an object.
#[derive(Debug)]
pub struct Key {
    /// As the file has it.
    pub name: &'static str,
    /// What its value may be.
    pub shape: Shape,
    /// What holds if it is left out.
    pub preset: Preset,
    /// What it does, in one sentence.
    pub about: &'static str,
}

/// What a value may be.
#[derive(Clone, Copy, Debug)]
pub enum Shape {
    /// A string.
    Text,
    /// A string with characters.
    Name,
    /// A list of strings, or one string that is split; the first names a program.
    Command,
    /// `true` or `false`.
    Bool,
    /// An integer from `min` to `max`.
    Integer {
        /// The least.
        min: i64,
        /// The greatest.
        max: i64,
    },
    /// An octal number from 0 to `max`, as a string or as the digits of a number.
    Octal {
        /// The greatest.
        max: u32,
    },
    /// A resource limit.
    Limit,
    /// A duration of at least so many milliseconds.
    Duration {
        /// The shortest, in milliseconds.
        min: u64,
    },
    /// A size of at least and at most so many bytes.
    Size {
        /// The least.
        min: u64,
        /// The greatest.
        max: u64,
    },
    /// One of a few words.
    Words(fn() -> Vec<&'static str>),
    /// One of many words, which go by a name of their own in the manual.
    Vocabulary(&'static str, fn() -> Vec<&'static str>),
    /// A signal, by these names or as a real-time one, with or without `SIG`.
    Signal(fn() -> Vec<&'static str>),
    /// A list of strings, or one string.
    Texts,
    /// An object of strings whose keys are free.
    Pairs,
    /// An object.
    Object(&'static Table),
    /// A list of objects.
    Objects(&'static Table),
    /// Any of several.
    Either(&'static [Self]),
    /// This if the job has a port, else any text, which counts for nothing.
    Advertised(&'static Self),
}

impl fmt::Display for Shape {
    /// As the manual has it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text | Self::Name => f.write_str("string"),
            Self::Bool => f.write_str("bool"),
            Self::Integer { min, max: i64::MAX } => write!(f, "integer ≥ {min}"),
            Self::Integer { min, max } => write!(f, "integer, {min} to {max}"),
            Self::Octal { max } => write!(f, "octal number, 0 to {max:o}"),
            Self::Limit => f.write_str("integer ≥ 0, `unlimited` or `[soft, hard]`"),
            Self::Duration { min: 0 } => f.write_str("duration"),
            Self::Duration { min } => {
                let min = std::time::Duration::from_millis(*min);
                write!(f, "duration ≥ {}", super::duration::format(min))
            }
            Self::Size { min: 0, max } => write!(f, "size ≤ {}", size::format(*max)),
            Self::Size { min, max: u64::MAX } => write!(f, "size ≥ {}", size::format(*min)),
            Self::Size { min, max } => {
                write!(f, "size, {} to {}", size::format(*min), size::format(*max))
            }
            Self::Words(words) => {
                let words: Vec<String> = words().iter().map(|word| format!("`{word}`")).collect();
                f.write_str(&words.join(", "))
            }
            Self::Vocabulary(name, _) => f.write_str(name),
            Self::Signal(_) => f.write_str("signal, such as `SIGINT` or `RTMIN+3`"),
            Self::Texts | Self::Command => f.write_str("string or list of strings"),
            Self::Pairs => f.write_str("object of strings"),
            Self::Object(_) => f.write_str("object"),
            Self::Objects(_) => f.write_str("list of objects"),
            Self::Advertised(shape) => shape.fmt(f),
            Self::Either(shapes) => {
                for (index, shape) in shapes.iter().enumerate() {
                    let or = if index == 0 { "" } else { " or " };
                    write!(f, "{or}{shape}")?;
                }
                Ok(())
            }
        }
    }
}

/// What holds if a key is left out, or is an empty string where a string
/// without characters would mean nothing.
#[derive(Clone, Copy, Debug)]
pub enum Preset {
    /// The file is refused.
    Required,
    /// Nothing; the feature is off.
    Absent,
    /// This value.
    Text(&'static str),
    /// This value.
    Integer(i64),
    /// This value.
    Bool(bool),
    /// An object in which every key is left out.
    Empty,
    /// What this sentence says; it depends on other keys.
    Depends(&'static str),
}

impl fmt::Display for Preset {
    /// As the manual has it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Required => f.write_str("required"),
            Self::Absent => f.write_str("none"),
            Self::Text(text) => write!(f, "`{text}`"),
            Self::Integer(integer) => write!(f, "`{integer}`"),
            Self::Bool(bool) => write!(f, "`{bool}`"),
            Self::Empty => f.write_str("`{}`"),
            Self::Depends(sentence) => f.write_str(sentence),
        }
    }
}

impl Table {
    /// This table and those of the objects in it, each once, in the order of
    /// the manual.
    pub fn with_inner(&'static self) -> Vec<&'static Self> {
        let mut tables = vec![self];
        for key in self.keys {
            key.shape.collect(&mut tables);
        }
        tables
    }
}

impl Shape {
    fn collect(&self, tables: &mut Vec<&'static Table>) {
        match self {
            Self::Object(table) | Self::Objects(table) => {
                for inner in table.with_inner() {
                    if !tables.iter().any(|known| known.section == inner.section) {
                        tables.push(inner);
                    }
                }
            }
            Self::Either(shapes) => shapes.iter().for_each(|shape| shape.collect(tables)),
            Self::Advertised(shape) => shape.collect(tables),
            Self::Text
            | Self::Name
            | Self::Command
            | Self::Bool
            | Self::Integer { .. }
            | Self::Octal { .. }
            | Self::Limit
            | Self::Duration { .. }
            | Self::Size { .. }
            | Self::Words(_)
            | Self::Vocabulary(..)
            | Self::Signal(_)
            | Self::Texts
            | Self::Pairs => {}
        }
    }
}

/// Keys that people write out of habit, from version 2 of the file and from
/// other supervisors, by section, with what to write instead.
const FORMER: &[(&str, &str, &str)] = &[
    ("job", "command", "the command is \"exec\""),
    ("job", "poll", "it is \"interval\" in \"health\""),
    ("job", "ttl", "it belongs in \"health\""),
    ("job", "frequency", "it is \"interval\" in \"when\""),
    (
        "job",
        "interval",
        "it belongs in \"when\" (to run again) or \"health\" (to check)",
    ),
    ("job", "source", "it belongs in \"when\""),
    ("job", "once", "it belongs in \"when\""),
    ("job", "each", "it belongs in \"when\""),
    (
        "job",
        "args",
        "put the arguments into \"exec\": [\"program\", \"argument\"]",
    ),
    ("job", "enableTagOverride", "it belongs in \"consul\""),
    (
        "job",
        "deregisterCriticalServiceAfter",
        "it belongs in \"consul\"",
    ),
    (
        "job.when",
        "event",
        "name the event with \"once\" or \"each\"",
    ),
    ("job.when", "frequency", "it is \"interval\" now"),
    (
        "job.when.all",
        "each",
        "a job starts once when all has happened: write \"once\"",
    ),
    ("job.health", "poll", "it is \"interval\" now"),
    ("job.health", "url", "it belongs in \"http\""),
    (
        "job.health.http",
        "expect",
        "it is \"status\", or \"contains\" for the body",
    ),
    (
        "telemetry",
        "sensors",
        "a sensor of version 2 is a job with \"when.interval\" that calls containerpilot -putmetric, \
         and its metric goes into \"metrics\"",
    ),
    ("watch", "poll", "it is \"interval\" now"),
    (
        "watch",
        "onChange",
        "a job with when: {source: \"watch.NAME\", each: \"changed\"} does that",
    ),
];

/// Why `name` is unknown in `table`, and what was probably meant.
pub(crate) fn unknown_key(table: &Table, name: &str) -> String {
    let mut former = FORMER.iter();
    let former = former.find(|(section, key, _)| *section == table.section && *key == name);
    if let Some((.., advice)) = former {
        return format!("unknown key; {advice}");
    }
    let names = || table.keys.iter().map(|key| key.name);
    let hint = super::suggest::hint(name, names());
    if hint.is_empty() {
        let known: Vec<&str> = names().collect();
        return format!("unknown key (known here: {})", known.join(", "));
    }
    format!("unknown key{hint}")
}

/// Writes a table of keys, the struct of what a file had for them, and its
/// decoder.
///
/// Each row is `field: Type = "key", preset, "what it does";`. A field is `None`
/// if the key is left out and no value holds for it then, or if its value was
/// refused.
macro_rules! object {
    (
        $(#[$meta:meta])*
        $name:ident in $section:literal {
            $($(#[$row:meta])* $field:ident: $type:ty = $key:literal, $preset:expr, $about:literal;)*
        }
    ) => {
        $(#[$meta])*
        #[derive(Debug, Default)]
        pub(crate) struct $name {
            $(#[doc = $about] $(#[$row])* pub(crate) $field: Option<$type>,)*
            /// Whether an error was found in it.
            #[allow(dead_code, reason = "not every object asks")]
            pub(crate) faulty: bool,
        }

        impl $name {
            /// Its keys.
            pub(crate) const TABLE: &'static $crate::config::table::Table =
                &$crate::config::table::Table {
                    section: $section,
                    keys: &[$($crate::config::table::Key {
                        name: $key,
                        shape: <$type as $crate::config::decode::Decode>::SHAPE,
                        preset: $preset,
                        about: $about,
                    }),*],
                };
        }

        impl $crate::config::decode::Object for $name {
            fn table() -> &'static $crate::config::table::Table {
                Self::TABLE
            }
        }

        impl $crate::config::decode::Decode for $name {
            const SHAPE: $crate::config::table::Shape =
                $crate::config::table::Shape::Object(Self::TABLE);

            fn decode(
                value: $crate::config::value::Value<'_>,
                at: &$crate::config::findings::Path<'_>,
                findings: &mut $crate::config::findings::Findings,
            ) -> Option<Self> {
                let mut fields =
                    $crate::config::decode::Fields::of(value, Self::TABLE, at, findings)?;
                // Fields are taken in the order of the table, which is this one.
                $(let $field = fields.take();)*
                Some(Self { $($field,)* faulty: fields.faulty() })
            }
        }
    };
}
pub(crate) use object;

#[cfg(test)]
mod tests {
    use super::*;

    fn words() -> Vec<&'static str> {
        vec!["on", "off"]
    }

    const INNER: Table = Table {
        section: "job.when",
        keys: &[],
    };

    const TABLE: Table = Table {
        section: "job",
        keys: &[
            Key {
                name: "name",
                shape: Shape::Text,
                preset: Preset::Required,
                about: "",
            },
            Key {
                name: "when",
                shape: Shape::Either(&[Shape::Text, Shape::Object(&INNER)]),
                preset: Preset::Absent,
                about: "",
            },
            Key {
                name: "whens",
                shape: Shape::Objects(&INNER),
                preset: Preset::Absent,
                about: "",
            },
        ],
    };

    #[test]
    fn shapes_and_presets_read_like_the_manual() {
        for (shape, text) in [
            (Shape::Integer { min: 0, max: 65535 }, "integer, 0 to 65535"),
            (
                Shape::Integer {
                    min: 1,
                    max: i64::MAX,
                },
                "integer ≥ 1",
            ),
            (Shape::Duration { min: 0 }, "duration"),
            (Shape::Duration { min: 1 }, "duration ≥ 1ms"),
            (
                Shape::Size {
                    min: 0,
                    max: 1 << 10,
                },
                "size ≤ 1KiB",
            ),
            (
                Shape::Size {
                    min: 1 << 20,
                    max: u64::MAX,
                },
                "size ≥ 1MiB",
            ),
            (Shape::Words(words), "`on`, `off`"),
            (Shape::Vocabulary("switch", words), "switch"),
            (
                Shape::Either(&[Shape::Bool, Shape::Texts]),
                "bool or string or list of strings",
            ),
        ] {
            assert_eq!(shape.to_string(), text);
        }
        for (preset, text) in [
            (Preset::Required, "required"),
            (Preset::Absent, "none"),
            (Preset::Text("INFO"), "`INFO`"),
            (Preset::Integer(5), "`5`"),
            (Preset::Bool(false), "`false`"),
            (Preset::Empty, "`{}`"),
            (Preset::Depends("the interval"), "the interval"),
        ] {
            assert_eq!(preset.to_string(), text);
        }
    }

    #[test]
    fn a_table_leads_to_every_inner_one_once() {
        let sections: Vec<&str> = TABLE_STATIC
            .with_inner()
            .iter()
            .map(|t| t.section)
            .collect();
        assert_eq!(sections, ["job", "job.when"]);
    }

    static TABLE_STATIC: Table = TABLE;

    #[test]
    fn unknown_keys_are_answered_with_what_was_meant() {
        for (name, message) in [
            ("Name", "unknown key; did you mean \"name\"?"),
            ("command", "unknown key; the command is \"exec\""),
            ("zzzzz", "unknown key (known here: name, when, whens)"),
        ] {
            assert_eq!(unknown_key(&TABLE, name), message);
        }
    }
}
