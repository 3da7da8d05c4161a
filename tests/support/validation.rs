//! JSON, judged by a real JSON Schema validator.

use std::collections::BTreeMap;
use std::fs::File;
use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};

use super::command::{command, run};
use super::{Temporary, skip};

/// What is wrong with each of these, by their names; nothing if there is no
/// validator here.
pub(crate) fn validate(
    schema: &Value,
    instances: &[(String, Value)],
) -> Option<BTreeMap<String, Option<String>>> {
    let repository = Path::new(env!("CARGO_MANIFEST_DIR"));
    // With the environment as it is: it says where the cache is.
    let python = run(&mut Command::new(
        repository.join("scripts/install-jsonschema"),
    ));
    let [python] = &python.stdout[..] else {
        skip(&format!("there is no JSON Schema validator: {python}"));
        return None;
    };
    let directory = Temporary::new();
    let schema = directory.write("schema.json", &schema.to_string());
    let lines = instances
        .iter()
        .map(|instance| format!("{}\n", json!(instance)));
    let lines = directory.write("instances", &lines.collect::<String>());
    let answer = run(command(python)
        .arg(repository.join("tests/support/validate.py"))
        .arg(schema)
        .stdin(File::open(lines).unwrap()));
    let answers = answer.success();
    assert_eq!(answers.len(), instances.len());
    let answers = answers
        .iter()
        .map(|line| serde_json::from_str::<(String, Option<String>)>(line).unwrap());
    Some(answers.collect())
}
