//! `-schema` and `-graph`, judged by those who are to read them: a real JSON Schema
//! validator and the real Graphviz.
//!
//! The schema accepts what the decoder accepts of other people's configurations,
//! and refuses what it refuses but for what several keys mean together.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test that cannot set up its world must fail loudly"
)]

mod support;

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};
use support::command::command;
use support::{Temporary, binary, run, skip};

fn repository() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn corpus(path: &str) -> PathBuf {
    repository().join("../shared/corpus").join(path)
}

fn schema() -> Value {
    let text = run(command(binary()).arg("-schema")).success().join("\n");
    serde_json::from_str(&text).unwrap()
}

/// What a validator finds wrong with each instance; nothing if there is no
/// validator here.
fn validate(instances: &[(String, Value)]) -> Option<BTreeMap<String, Option<String>>> {
    // With the environment as it is: it says where the cache is.
    let python = run(&mut Command::new(
        repository().join("scripts/install-jsonschema"),
    ));
    let [python] = &python.stdout[..] else {
        skip(&format!("there is no JSON Schema validator: {python}"));
        return None;
    };
    let directory = Temporary::new();
    let schema = directory.write("schema.json", &schema().to_string());
    let lines = instances
        .iter()
        .map(|instance| format!("{}\n", json!(instance)));
    let lines = directory.write("instances", &lines.collect::<String>());
    let answer = run(command(python)
        .arg(repository().join("tests/support/validate.py"))
        .arg(schema)
        .stdin(File::open(lines).unwrap()));
    let answers = answer.success();
    assert_eq!(answers.len(), instances.len());
    let answers = answers
        .iter()
        .map(|line| serde_json::from_str(line).unwrap());
    Some(
        answers
            .collect::<Vec<(String, Option<String>)>>()
            .into_iter()
            .collect(),
    )
}

/// Files of the corpus that are JSON5 when they are rendered, by name and
/// variant, and whether the original accepts them.
fn files() -> Vec<(String, bool, Value)> {
    let verdicts = fs::read_to_string(corpus("verdicts.tsv")).unwrap();
    let rows = verdicts.lines().skip(1);
    let rows = rows.filter_map(|row| {
        let fields: Vec<&str> = row.split('\t').collect();
        let (file, variant) = (fields[0], fields[1]);
        let variables = match variant {
            "full" => fs::read_to_string(corpus(&format!("env/{file}.env"))).unwrap(),
            _ => String::new(),
        };
        let variables = variables.lines().filter_map(|line| line.split_once('='));
        let rendered = run(command(binary())
            .env_clear()
            .envs(variables)
            .args(["-template", "-config"])
            .arg(corpus(&format!("files/{file}"))));
        let value = json5::from_str(&rendered.success().join("\n")).ok()?;
        Some((format!("{file} {variant}"), fields[2] == "accepted", value))
    });
    rows.collect()
}

/// What the original refuses, but not for what a single key says.
const BEYOND_THE_SCHEMA: [&str; 4] = [
    // A certificate file that does not exist.
    "joyent__containerpilot__docs__30-configuration__33-consul.md__ex1.wrapped.json5 empty",
    "joyent__containerpilot__docs__30-configuration__33-consul.md__ex1.wrapped.json5 full",
    // A port without health.
    "joyent__containerpilot__docs__30-configuration__34-jobs.md__ex5.wrapped.json5 full",
    // Unlimited restarts of a job that runs each time.
    "yldio__copilot__packages__portal-api__etc__containerpilot.json5 full",
];

#[test]
fn the_schema_accepts_and_refuses_other_peoples_files_as_the_decoder_does() {
    let files = files();
    let instances: Vec<(String, Value)> = files
        .iter()
        .map(|(name, _, value)| (name.clone(), value.clone()))
        .collect();
    let Some(answers) = validate(&instances) else {
        return;
    };
    let mut wrong = Vec::new();
    let mut beyond = BTreeSet::new();
    let mut count = [0; 2];
    for (name, accepted, _) in &files {
        count[usize::from(*accepted)] += 1;
        match (accepted, &answers[name]) {
            (true, Some(error)) => wrong.push(format!("{name} is refused: {error}")),
            (false, None) => {
                beyond.insert(name.as_str());
            }
            (true, None) | (false, Some(_)) => {}
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert_eq!(beyond, BTreeSet::from(BEYOND_THE_SCHEMA));
    assert_eq!(count[1], 116, "accepted files");
    assert!(count[0] >= 20, "only {} refused files", count[0]);
}
