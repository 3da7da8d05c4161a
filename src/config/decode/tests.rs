//! Values of every kind against settings of every kind.

#![allow(clippy::unwrap_used)]

use super::super::table::object;
use super::*;

/// The setting of a value as the file has it, or the errors about it.
fn decode<T: Decode>(text: &str) -> Result<T, String> {
    let mut findings = Findings::default();
    let value = json5::from_str(text).unwrap();
    let decoded = T::decode(value, &Path::Root.key("key"), &mut findings);
    match findings.finish("") {
        Ok(_) => Ok(decoded.unwrap()),
        Err(errors) => Err(errors.to_string().replace("key: ", "")),
    }
}

#[test]
fn scalars_are_texts() {
    for (text, expected) in [
        ("'a b'", Ok("a b")),
        ("''", Ok("")),
        ("80", Ok("80")),
        ("-0x10", Ok("-16")),
        ("1.50", Ok("1.5")),
        ("true", Ok("true")),
        ("null", Err("null is not a string")),
        ("NaN", Err("NaN is not a string")),
        ("['a']", Err("a list is not a string")),
        ("{a: 1}", Err("an object is not a string")),
        (
            "'a\\0'",
            Err("contains a NUL character, which no process can be given"),
        ),
    ] {
        let expected = expected.map(str::to_owned).map_err(str::to_owned);
        assert_eq!(decode::<String>(text), expected, "{text}");
    }
}

#[test]
fn bools_are_read_as_go_reads_them() {
    for text in [
        "true", "1", "'true'", "'True'", "'TRUE'", "'t'", "'T'", "'1'",
    ] {
        assert_eq!(decode(text), Ok(true), "{text}");
    }
    for text in [
        "false", "0", "'false'", "'False'", "'FALSE'", "'f'", "'F'", "'0'",
    ] {
        assert_eq!(decode(text), Ok(false), "{text}");
    }
    for (text, error) in [
        ("2", "2 is not true or false"),
        ("'yes'", "\"yes\" is not true or false"),
        ("[]", "a list is not true or false"),
    ] {
        assert_eq!(decode::<bool>(text), Err(error.to_owned()), "{text}");
    }
}

#[test]
fn integers_are_numbers_or_texts_of_digits() {
    for (text, expected) in [
        ("8000", Ok(8000)),
        ("'8000'", Ok(8000)),
        ("0x1F90", Ok(8080)),
        ("8e3", Ok(8000)),
        ("8000.0", Ok(8000)),
        ("0", Ok(0)),
        ("65535", Ok(65535)),
        ("65536", Err("65536 is not between 0 and 65535")),
        ("-1", Err("-1 is not between 0 and 65535")),
        ("'-1'", Err("\"-1\" is not between 0 and 65535")),
        ("8000.5", Err("8000.5 is not an integer")),
        ("1e300", Err(&format!("{} is not an integer", 1e300))),
        ("NaN", Err("NaN is not an integer")),
        ("Infinity", Err("inf is not an integer")),
        ("' 80'", Err("\" 80\" is not an integer")),
        ("'80 '", Err("\"80 \" is not an integer")),
        ("'http'", Err("\"http\" is not an integer")),
        ("true", Err("true is not an integer")),
        ("[80]", Err("a list is not an integer")),
        (
            "''",
            Err(
                "must be an integer, but it is empty: did an environment variable render to nothing?",
            ),
        ),
    ] {
        let expected = expected.map(Integer).map_err(str::to_owned);
        assert_eq!(decode::<Integer<0, 65535>>(text), expected, "{text}");
    }
    let unlimited = decode::<Integer<1, { i64::MAX }>>("0");
    assert_eq!(unlimited, Err("0 is not at least 1".to_owned()));
}

#[test]
fn durations_are_gos_or_integers_of_seconds() {
    for (text, expected) in [
        ("5", Ok(5000)),
        ("'5'", Ok(5000)),
        ("'5s'", Ok(5000)),
        ("5.0", Ok(5000)),
        ("'1.5h'", Ok(5_400_000)),
        ("'300ms'", Ok(300)),
        ("'1ms'", Ok(1)),
        ("0", Err("0 is shorter than 1ms, the least allowed")),
        ("'0s'", Err("\"0s\" is shorter than 1ms, the least allowed")),
        (
            "'999us'",
            Err("\"999us\" is shorter than 1ms, the least allowed"),
        ),
        ("-5", Err("-5 is no duration: it is negative")),
        ("'-5s'", Err("\"-5s\" is no duration: it is negative")),
        (
            "1.5",
            Err("1.5 is no duration: write \"300ms\", \"1.5h\" or an integer of seconds"),
        ),
        (
            "true",
            Err("true is no duration: write \"300ms\", \"1.5h\" or an integer of seconds"),
        ),
        (
            "'1.5'",
            Err("\"1.5\" is no duration: a unit is missing (ns, us, ms, s, m, h)"),
        ),
        (
            "'5 s'",
            Err("\"5 s\" is no duration: \" s\" is no unit (ns, us, ms, s, m, h)"),
        ),
        (
            "9223372037",
            Err("9223372037 is no duration: longer than 2562047h47m16.854775807s"),
        ),
        (
            "'99999999999999999999'",
            Err("\"99999999999999999999\" is no duration: a unit is missing (ns, us, ms, s, m, h)"),
        ),
    ] {
        let expected = expected.map(Duration::from_millis).map(Span);
        assert_eq!(
            decode::<Span<1>>(text),
            expected.map_err(str::to_owned),
            "{text}"
        );
    }
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Light {
    Red,
    Green,
}

impl Word for Light {
    const WORDS: &'static [(&'static str, Self)] = &[("red", Self::Red), ("GREEN", Self::Green)];
}

#[test]
fn words_are_known_in_any_case() {
    for (text, light) in [
        ("'red'", Light::Red),
        ("'RED'", Light::Red),
        ("'green'", Light::Green),
    ] {
        assert_eq!(decode(text), Ok(light), "{text}");
    }
    for (text, error) in [
        (
            "'gren'",
            "\"gren\" is not one of red, GREEN; did you mean \"GREEN\"?",
        ),
        ("'blue'", "\"blue\" is not one of red, GREEN"),
        ("1", "1 is not one of red, GREEN"),
    ] {
        assert_eq!(decode::<Light>(text), Err(error.to_owned()), "{text}");
    }
}

#[test]
fn one_scalar_is_a_list_of_one() {
    for (text, expected) in [
        ("['a', 'b']", &["a", "b"] as &[&str]),
        ("'a b'", &["a b"]),
        ("80", &["80"]),
        ("[80, true, 1.5]", &["80", "true", "1.5"]),
        ("[]", &[]),
    ] {
        assert_eq!(decode::<Vec<String>>(text).unwrap(), expected, "{text}");
    }
    let errors = decode::<Vec<String>>("['a', null, {}]").unwrap_err();
    assert_eq!(
        errors,
        "key[1]: null is not a string\nkey[2]: an object is not a string"
    );
}

object! {
    /// An object with a row of every preset.
    RawLamp in "lamp" {
        name: String = "name", Preset::Required, "What it is.";
        light: Light = "light", Preset::Text("green"), "What it is.";
        count: Integer<0, 9> = "count", Preset::Integer(3), "What it is.";
        dim: bool = "dim", Preset::Bool(true), "What it is.";
        note: String = "note", Preset::Absent, "What it is.";
        pause: Span<1> = "pause", Preset::Depends("the count"), "What it is.";
        inner: RawBulb = "inner", Preset::Empty, "What it is.";
    }
}

object! {
    /// An object within another.
    RawBulb in "lamp.bulb" {
        watts: Integer<1, 100> = "watts", Preset::Integer(40), "What it is.";
    }
}

fn lamp(text: &str) -> (Option<RawLamp>, Findings) {
    let mut findings = Findings::default();
    let value = json5::from_str(text).unwrap();
    let lamp = RawLamp::decode(value, &Path::Root, &mut findings);
    (lamp, findings)
}

#[test]
fn what_is_left_out_null_or_empty_has_the_tables_value() {
    for text in [
        "{name: 'a'}",
        "{name: 'a', light: null, count: null, dim: null, note: null, pause: null, inner: null}",
        "{name: 'a', light: '', dim: '', note: '', pause: '', inner: {}}",
    ] {
        let (lamp, findings) = lamp(text);
        assert!(findings.finish("").unwrap().is_empty(), "{text}");
        let lamp = lamp.unwrap();
        assert_eq!(lamp.name.as_deref(), Some("a"), "{text}");
        assert_eq!(lamp.light, Some(Light::Green), "{text}");
        assert_eq!(lamp.count, Some(Integer(3)), "{text}");
        assert_eq!(lamp.dim, Some(true), "{text}");
        assert_eq!((lamp.note, lamp.pause), (None, None), "{text}");
        assert_eq!(lamp.inner.unwrap().watts, Some(Integer(40)), "{text}");
        assert!(!lamp.faulty);
    }
}

#[test]
fn every_error_of_an_object_is_found() {
    let (lamp, findings) =
        lamp("{lihgt: 'red', light: 'blue', count: 10, inner: {watts: 0, x: 1}, pause: 0}");
    assert!(lamp.unwrap().faulty);
    let errors = findings.finish("").unwrap_err().to_string();
    let lines: Vec<&str> = errors.lines().collect();
    assert_eq!(
        lines,
        [
            "lihgt: unknown key; did you mean \"light\"?",
            "name: is required",
            "light: \"blue\" is not one of red, GREEN",
            "count: 10 is not between 0 and 9",
            "pause: 0 is shorter than 1ms, the least allowed",
            "inner.x: unknown key (known here: watts)",
            "inner.watts: 0 is not between 1 and 100",
        ]
    );
}

#[test]
fn a_required_key_that_is_empty_says_why() {
    let errors = lamp("{name: ''}").1.finish("").unwrap_err();
    assert_eq!(
        errors.to_string(),
        "name: is required, but it is empty: did an environment variable render to nothing?"
    );
}

#[test]
fn of_a_key_that_comes_twice_the_last_one_counts() {
    let (lamp, findings) = lamp("{name: 'a', count: 1, count: 2, count: 4}");
    assert_eq!(lamp.unwrap().count, Some(Integer(4)));
    let warnings: Vec<String> = findings
        .finish("")
        .unwrap()
        .iter()
        .map(ToString::to_string)
        .collect();
    assert_eq!(warnings, ["count: comes twice; the last one counts"; 2]);
}

#[test]
fn a_scalar_is_no_object() {
    let errors = lamp("'a'").1.finish("").unwrap_err().to_string();
    assert_eq!(
        errors,
        "\"a\" is no object ({…} with any of name, light, count, dim, note, pause, inner)"
    );
}

#[test]
fn items_of_a_list_are_told_by_their_names() {
    for (text, paths) in [
        ("[{name: 'a', x: 1}]", &["lamp[a].x"] as &[&str]),
        ("[{name: 80, x: 1}]", &["lamp[80].x"]),
        ("[{x: 1, name: 'a', name: 'b'}]", &["lamp[b].x"]),
        ("[{name: 'a'}, {x: 1}]", &["lamps[1].x", "lamps[1].name"]),
        ("[{name: '', x: 1}]", &["lamps[0].x", "lamps[0].name"]),
        ("[{name: [], x: 1}]", &["lamps[0].x", "lamps[0].name"]),
        ("['a']", &["lamps[0]"]),
    ] {
        let mut findings = Findings::default();
        let value = json5::from_str(text).unwrap();
        Items::<RawLamp>::decode(value, &Path::Root.key("lamps"), &mut findings);
        let errors = findings.finish("").unwrap_err();
        let found: Vec<&str> = errors
            .findings()
            .iter()
            .map(|finding| finding.path.as_str())
            .collect();
        assert_eq!(found, paths, "{text}");
    }
    let error = decode::<Items<RawLamp>>("{name: 'a'}").unwrap_err();
    assert_eq!(error, "an object is not a list of objects ([{…}, {…}])");
}

#[test]
fn an_unchecked_setting_is_checked_when_it_matters() {
    let setting = decode::<Unchecked<Integer<0, 9>>>("'ten'").unwrap();
    assert_eq!(setting.text, "ten");
    let mut findings = Findings::default();
    assert_eq!(setting.check(&Path::Root.key("count"), &mut findings), None);
    let errors = findings.finish("").unwrap_err().to_string();
    assert_eq!(errors, "count: \"ten\" is not an integer");
}
