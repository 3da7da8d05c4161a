//! The JSON bodies of `/v3/env` and `/v3/metric`: text in, a whole valid
//! [`Request`] or one refusal that names every offender out (SPEC §8).
//!
//! Called by the control server through the endpoint table. Does no I/O and, so
//! that nesting cannot exhaust a small stack, no recursion.

use std::collections::BTreeMap;

use serde_json::value::RawValue;

use super::offences::Offences;
use super::request::{Asked, Reply, Request};
use crate::config::stop_signal;
use crate::config::variables::check_length;

const BAD_REQUEST: u16 = 400;
const UNPROCESSABLE: u16 = 422;

/// A body as it was written; of a key that comes twice, the last one counts.
type Object<'a> = BTreeMap<String, &'a RawValue>;

/// `/v3/env`: `{"NAME": "value", …}`; null and the empty string unset.
pub(super) fn put_env(body: &[u8]) -> Result<Request, Reply> {
    let mut offences = Offences::default();
    let mut variables = Vec::new();
    for (name, raw) in object(body)? {
        if !is_variable_name(&name) {
            offences.add(
                BAD_REQUEST,
                format!("{name:?} is not the name of an environment variable (letters, digits and _, no digit first)"),
            );
        }
        match Scalar::of(raw) {
            Scalar::Null => variables.push((name, None)),
            Scalar::Text(text) if text.contains('\0') => {
                offences.add(BAD_REQUEST, format!("the value of {name:?} contains a NUL"));
            }
            Scalar::Text(text) if text.is_empty() => variables.push((name, None)),
            Scalar::Text(text) => add_variable(name, text, &mut variables, &mut offences),
            Scalar::Literal(text) => {
                add_variable(name, text.to_owned(), &mut variables, &mut offences);
            }
            Scalar::Compound => offences.add(
                UNPROCESSABLE,
                format!(
                    "the value of {name:?} is neither a string, a number, true, false nor null"
                ),
            ),
        }
    }
    offences.or(Request::PutEnv(variables))
}

fn add_variable(
    name: String,
    value: String,
    to: &mut Vec<(String, Option<String>)>,
    offences: &mut Offences,
) {
    match check_length(&name, &value) {
        Ok(()) => to.push((name, Some(value))),
        Err(why) => offences.add(BAD_REQUEST, format!("{:?} {why}", excerpt(&name))),
    }
}

/// `/v3/metric`: `{"name": 1.5, …}`; numbers may be written as strings, also
/// `NaN` and `Inf`, which JSON has no numbers for.
pub(super) fn put_metric(body: &[u8]) -> Result<Request, Reply> {
    let mut offences = Offences::default();
    let mut values = Vec::new();
    for (name, raw) in object(body)? {
        let value = match Scalar::of(raw) {
            Scalar::Text(text) => number(text.trim()),
            Scalar::Literal(text) => number(text),
            Scalar::Null | Scalar::Compound => None,
        };
        match value {
            Some(value) => values.push((name, value)),
            None => offences.add(
                BAD_REQUEST,
                format!("the value of {name:?} is no number: {}", excerpt(raw.get())),
            ),
        }
    }
    offences.or(Request::PutMetric(values))
}

/// `/v3/jobs/{name}/signal`: `{"signal": "HUP"}`, or its number.
pub(super) fn signal(asked: &Asked<'_>) -> Result<Request, Reply> {
    const KEY: &str = "signal";
    let mut object = object(asked.body)?;
    let raw = object.remove(KEY);
    if let Some((key, _)) = object.first_key_value() {
        return refuse(BAD_REQUEST, format!("unknown key {key:?} (known: {KEY})"));
    }
    let Some(raw) = raw else {
        return refuse(
            BAD_REQUEST,
            format!("the body lacks {KEY:?}, such as \"HUP\""),
        );
    };
    let signal = match Scalar::of(raw) {
        Scalar::Text(text) => by_name_or_number(&text),
        // To JSON, 9.0 is 9.
        Scalar::Literal(text) => by_name_or_number(text.strip_suffix(".0").unwrap_or(text)),
        Scalar::Null | Scalar::Compound => Err(String::new()),
    };
    match signal {
        Ok(signal) => Ok(Request::Signal {
            job: asked.name.to_owned(),
            signal,
        }),
        Err(hint) => {
            let shown = excerpt(raw.get());
            let text = format!("{shown} is no signal, such as \"HUP\" or \"USR1\"{hint}");
            refuse(BAD_REQUEST, text)
        }
    }
}

/// A signal, or a hint at the one that was meant.
fn by_name_or_number(text: &str) -> Result<i32, String> {
    match text.parse() {
        Ok(number) if (1..=libc::SIGRTMAX()).contains(&number) => Ok(number),
        Ok(_) => Err(String::new()),
        Err(_) => stop_signal::parse(text),
    }
}

fn refuse(status: u16, message: String) -> Result<Request, Reply> {
    Err(Reply::Refused { status, message })
}

/// A number, but none too large for one: only what is called infinite is.
fn number(text: &str) -> Option<f64> {
    let value: f64 = text.parse().ok()?;
    let has_digits = text.bytes().any(|byte| byte.is_ascii_digit());
    (value.is_finite() || !has_digits).then_some(value)
}

/// Whether this is a name as POSIX has it: `[A-Za-z_][A-Za-z0-9_]*`.
fn is_variable_name(name: &str) -> bool {
    let mut bytes = name.bytes();
    bytes
        .next()
        .is_some_and(|first| first.is_ascii_alphabetic() || first == b'_')
        && bytes.all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

fn object(body: &[u8]) -> Result<Object<'_>, Reply> {
    serde_json::from_slice(body).map_err(|error| Reply::Refused {
        status: UNPROCESSABLE,
        message: format!("the body is not a JSON object: {error}"),
    })
}

/// A JSON value as far as the control plane tells them apart.
enum Scalar<'a> {
    Null,
    /// A string, its escapes resolved.
    Text(String),
    /// A number or a bool, as it was written.
    Literal(&'a str),
    /// An array or an object.
    Compound,
}

impl<'a> Scalar<'a> {
    fn of(raw: &'a RawValue) -> Self {
        let text = raw.get();
        match text.bytes().next() {
            Some(b'"') => serde_json::from_str(text).map_or(Self::Compound, Self::Text),
            Some(b'[' | b'{') => Self::Compound,
            _ if text == "null" => Self::Null,
            _ => Self::Literal(text),
        }
    }
}

/// The beginning of what was sent, so that a message stays readable.
fn excerpt(text: &str) -> &str {
    const LONGEST: usize = 40;
    match text.char_indices().nth(LONGEST) {
        Some((end, _)) => text.get(..end).unwrap_or(text),
        None => text,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::panic, clippy::unwrap_used)]

    use super::*;

    #[test]
    fn env_values_are_rendered_as_text_and_empty_ones_unset() {
        type Pairs = &'static [(&'static str, Option<&'static str>)];
        let table: [(&str, Pairs); 9] = [
            ("{}", &[]),
            (" {\"A\" : \"x\"} \r\n", &[("A", Some("x"))]),
            (
                r#"{"A": "a=b", "_b9": "ü \n \u0041"}"#,
                &[("A", Some("a=b")), ("_b9", Some("ü \n A"))],
            ),
            (r#"{"A": "", "B": null}"#, &[("A", None), ("B", None)]),
            (
                r#"{"A": 8000, "B": -1.50, "C": 1e3}"#,
                &[
                    ("A", Some("8000")),
                    ("B", Some("-1.50")),
                    ("C", Some("1e3")),
                ],
            ),
            (
                r#"{"ID": 123456789012345678901234567890}"#,
                &[("ID", Some("123456789012345678901234567890"))],
            ),
            (
                r#"{"A": true, "B": false}"#,
                &[("A", Some("true")), ("B", Some("false"))],
            ),
            (r#"{"A": "1", "A": "2"}"#, &[("A", Some("2"))]),
            (r#"{"A": "null"}"#, &[("A", Some("null"))]),
        ];
        for (body, expected) in table {
            let expected = expected
                .iter()
                .map(|(name, value)| ((*name).to_owned(), value.map(str::to_owned)))
                .collect();
            assert_eq!(
                put_env(body.as_bytes()),
                Ok(Request::PutEnv(expected)),
                "{body}"
            );
        }
    }

    #[test]
    fn metric_values_are_numbers_or_numeric_strings() {
        let table: [(&str, &[(&str, f64)]); 5] = [
            ("{}", &[]),
            (r#"{"a": 2, "b": 42.42}"#, &[("a", 2.0), ("b", 42.42)]),
            (
                r#"{"a": "2", "b": " -1.5e3\n"}"#,
                &[("a", 2.0), ("b", -1500.0)],
            ),
            (r#"{"any name": 1, "any name": 2}"#, &[("any name", 2.0)]),
            (
                r#"{"a": "Inf", "b": "-infinity", "c": "1e-999"}"#,
                &[("a", f64::INFINITY), ("b", f64::NEG_INFINITY), ("c", 0.0)],
            ),
        ];
        for (body, expected) in table {
            let expected = expected
                .iter()
                .map(|(name, value)| ((*name).to_owned(), *value))
                .collect();
            assert_eq!(
                put_metric(body.as_bytes()),
                Ok(Request::PutMetric(expected)),
                "{body}"
            );
        }
    }

    #[test]
    fn nan_is_a_number_if_it_is_called_so() {
        let parsed = put_metric(br#"{"a": "NaN"}"#);
        let Ok(Request::PutMetric(values)) = parsed else {
            panic!("{parsed:?}");
        };
        assert!(values.iter().all(|(_, value)| value.is_nan()), "{values:?}");
        assert_eq!(refusal(put_metric(br#"{"a": NaN}"#)).0, 422);
    }

    fn refusal(result: Result<Request, Reply>) -> (u16, String) {
        match result {
            Err(Reply::Refused { status, message }) => (status, message),
            other => panic!("not refused: {other:?}"),
        }
    }

    #[test]
    fn a_signal_has_a_name_or_a_number() {
        let asked = |body| Asked {
            name: "app",
            body,
            ..Asked::default()
        };
        for (body, signal) in [
            (&br#"{"signal": "HUP"}"#[..], libc::SIGHUP),
            (br#"{"signal": "sigterm"}"#, libc::SIGTERM),
            (br#"{"signal": "RTMIN+1"}"#, 35),
            (br#"{"signal": 9}"#, libc::SIGKILL),
            (br#"{"signal": 9.0}"#, libc::SIGKILL),
            (br#"{"signal": "10"}"#, libc::SIGUSR1),
        ] {
            let job = "app".to_owned();
            let request = Request::Signal { job, signal };
            assert_eq!(super::signal(&asked(body)), Ok(request));
        }
        for (body, status, expected) in [
            (&b"{"[..], 422, "the body is not a JSON object"),
            (b"{}", 400, "the body lacks \"signal\", such as \"HUP\""),
            (
                br#"{"signal": "HUP", "pid": 1}"#,
                400,
                "unknown key \"pid\" (known: signal)",
            ),
            (
                br#"{"signal": "HPU"}"#,
                400,
                "\"HPU\" is no signal, such as \"HUP\" or \"USR1\"; did you mean \"HUP\"?",
            ),
            (br#"{"signal": 0}"#, 400, "0 is no signal, such as"),
            (br#"{"signal": 1.5}"#, 400, "1.5 is no signal, such as"),
            (br#"{"signal": null}"#, 400, "null is no signal, such as"),
        ] {
            let (found, message) = refusal(super::signal(&asked(body)));
            assert_eq!(found, status);
            assert!(message.starts_with(expected), "{message}");
        }
    }

    #[test]
    fn malformed_bodies_are_unprocessable_for_both() {
        let bodies: [&[u8]; 12] = [
            b"",
            b" ",
            b"{",
            b"{]",
            b"[]",
            b"[{}]",
            b"null",
            b"\"a\"",
            b"{\"A\": 1,}",
            b"{\"A\": 1} x",
            b"{\"A\": \"\xff\"}",
            b"{'A': 1}",
        ];
        for body in bodies {
            for parse in [put_env, put_metric] {
                let (status, message) = refusal(parse(body));
                assert_eq!(status, 422, "{}", String::from_utf8_lossy(body));
                assert!(
                    message.starts_with("the body is not a JSON object: "),
                    "{message}"
                );
            }
        }
    }

    #[test]
    fn a_variable_with_which_nothing_could_be_started_is_refused() {
        for value in ["x".repeat(131_069), "1".repeat(131_069)] {
            let quoted = format!(r#"{{"AB": "{value}"}}"#);
            let literal = format!(r#"{{"AB": {}}}"#, value.replace('x', "2"));
            for body in [quoted, literal] {
                let (status, message) = refusal(put_env(body.as_bytes()));
                let expected = "\"AB\" has 131072 bytes with its name, and a variable of a process at most 131071";
                assert_eq!((status, message.as_str()), (400, expected));
            }
        }
        let body = format!(r#"{{"AB": "{}"}}"#, "x".repeat(131_068));
        assert!(put_env(body.as_bytes()).is_ok());
    }

    #[test]
    fn env_refusals_name_every_offender_and_take_the_gravest_status() {
        let name =
            "is not the name of an environment variable (letters, digits and _, no digit first)";
        let kind = "is neither a string, a number, true, false nor null";
        let table = [
            (r#"{"": "x"}"#, 400, format!("\"\" {name}")),
            (
                r#"{"1A": "x", "A": "y", "a-b": null}"#,
                400,
                format!("\"1A\" {name}; \"a-b\" {name}"),
            ),
            (
                r#"{"Ä": "x", "A=B": "y"}"#,
                400,
                format!("\"A=B\" {name}; \"Ä\" {name}"),
            ),
            (
                r#"{"A": "x\u0000y"}"#,
                400,
                "the value of \"A\" contains a NUL".to_owned(),
            ),
            (
                r#"{"A": [], "B": {"x": 1}}"#,
                422,
                format!("the value of \"A\" {kind}; the value of \"B\" {kind}"),
            ),
            (
                r#"{"a b": {}, "A": "\u0000"}"#,
                422,
                format!(
                    "the value of \"A\" contains a NUL; \"a b\" {name}; the value of \"a b\" {kind}"
                ),
            ),
            (
                "{\"A\": \"\\ud800\"}",
                422,
                format!("the value of \"A\" {kind}"),
            ),
        ];
        for (body, status, message) in table {
            assert_eq!(
                refusal(put_env(body.as_bytes())),
                (status, message),
                "{body}"
            );
        }
    }

    #[test]
    fn metric_refusals_name_every_offender_with_what_was_sent() {
        let body = r#"{"a": "x", "b": true, "c": null, "d": [1], "e": 1, "f": "", "g": "1e999", "h": 1e999}"#;
        let expected = [
            "a\" is no number: \"x\"",
            "b\" is no number: true",
            "c\" is no number: null",
            "d\" is no number: [1]",
            "f\" is no number: \"\"",
            "g\" is no number: \"1e999\"",
            "h\" is no number: 1e999",
        ]
        .map(|offence| format!("the value of \"{offence}"))
        .join("; ");
        assert_eq!(refusal(put_metric(body.as_bytes())), (400, expected));
    }

    #[test]
    fn no_body_is_too_deep_for_the_stack_of_a_connection() {
        let deep = |open: &str, close: &str| open.repeat(100_000) + &close.repeat(100_000);
        let values = [
            deep("[", "]"),
            deep("{\"a\":", "}").replace(":}", ":1}"),
            deep("[{\"a\":", ""),
            deep("[", ""),
        ];
        let bodies = values.iter().flat_map(|value| {
            ["", "{\"A\": ", "{\"signal\": "].map(|before| format!("{before}{value}}}"))
        });
        let bodies: Vec<String> = bodies.collect();
        let ask_all = move || {
            for body in &bodies {
                let body = body.as_bytes();
                let asked = Asked {
                    body,
                    ..Asked::default()
                };
                for asked in [put_env(body), put_metric(body), signal(&asked)] {
                    assert!(matches!(refusal(asked).0, 400 | 422));
                }
            }
        };
        let thread = std::thread::Builder::new().stack_size(crate::http::STACK);
        thread.spawn(ask_all).unwrap().join().unwrap();
    }

    #[test]
    fn deep_nesting_costs_no_stack_and_long_values_no_screen() {
        let deep = format!("{{\"A\": {}{}}}", "[".repeat(100_000), "]".repeat(100_000));
        assert_eq!(refusal(put_env(deep.as_bytes())).0, 422);
        let (status, message) = refusal(put_metric(deep.as_bytes()));
        assert_eq!(
            (status, message.len()),
            (400, "the value of \"A\" is no number: ".len() + 40)
        );
    }
}
