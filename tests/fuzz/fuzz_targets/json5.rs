//! JSON5 texts: what the program makes of them is what the parser by itself
//! makes of them, and keys are where a second way through the text finds them.
#![no_main]

use std::collections::BTreeMap;

use containerpilot::config::fuzzing;
use containerpilot_fuzz::{assert_place, walk};
use libfuzzer_sys::fuzz_target;
use serde_json::{Number, Value};

/// All numbers as floats, as far as JSON has them.
fn plain(value: Value) -> Value {
    match value {
        Value::Number(number) => {
            let float = number.as_f64().and_then(Number::from_f64);
            float.map_or(Value::Null, Value::Number)
        }
        Value::Array(list) => Value::Array(list.into_iter().map(plain).collect()),
        Value::Object(object) => {
            let entries = object.into_iter();
            Value::Object(entries.map(|(key, value)| (key, plain(value))).collect())
        }
        other => other,
    }
}

fn depth(value: &Value) -> usize {
    let inner = match value {
        Value::Array(list) => list.iter().map(depth).max(),
        Value::Object(object) => object.values().map(depth).max(),
        _ => return 0,
    };
    1 + inner.unwrap_or(0)
}

/// Every key that `places` has, and every item, is found where it begins; of a
/// key that comes twice the last one. Everything below such a key is left out:
/// its places may be those of any of the two.
fn assert_positions(text: &str) {
    let mut all: BTreeMap<Vec<String>, (usize, bool)> = BTreeMap::new();
    for (steps, at) in walk::places(text) {
        let known = all.entry(steps).or_insert((at, false));
        *known = (at, known.0 != at);
    }
    let is_plain = |steps: &[String]| {
        (1..steps.len()).all(|count| all.get(&steps[..count]).is_some_and(|(_, twice)| !twice))
    };
    let wanted: Vec<_> = all
        .keys()
        .filter(|steps| is_plain(steps))
        .cloned()
        .collect();
    let found = fuzzing::positions(text, &wanted);
    for (steps, found) in wanted.iter().zip(found) {
        assert_eq!(found, Some(all[steps].0), "{steps:?} in {text:?}");
    }
}

fuzz_target!(|text: &str| {
    let ours = fuzzing::value(text);
    // The parser recurses: what is too deep for it is not shown to it.
    if text.bytes().filter(|byte| b"[{".contains(byte)).count() > 500 {
        assert!(ours.is_ok_and(|value| depth(&value) <= 64) || !text.is_empty());
        return;
    }
    let theirs = json5::from_str::<Value>(text).map(plain);
    match (ours, theirs) {
        (Ok(ours), Ok(theirs)) => {
            assert_eq!(ours, theirs);
            assert!(depth(&ours) <= 64);
            assert_positions(text);
        }
        (Err(_), Ok(theirs)) => assert!(depth(&theirs) > 64, "{text:?}"),
        (Ok(ours), Err(error)) => panic!("{ours:?}, but {error} in {text:?}"),
        (Err(errors), Err(_)) => {
            let mut findings = errors.into_all().into_iter();
            let finding = findings.next().expect("an error");
            assert!(findings.next().is_none());
            if let Some((line, column)) = finding.position {
                assert_place(text, line, column);
                assert!(
                    finding
                        .excerpt
                        .is_some_and(|excerpt| excerpt.ends_with('^'))
                );
            }
        }
    }
});
