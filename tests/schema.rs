//! `-schema`, judged by a real JSON Schema validator.
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
use std::fs;
use std::path::{Path, PathBuf};

use containerpilot::config::{self, Host};
use containerpilot::environment::Environment;
use serde_json::{Value, json};
use support::command::command;
use support::{binary, run, validation};

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
    validation::validate(&schema(), instances)
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

/// One value for a configuration, by its path, and whether the decoder takes it.
fn with(path: &str, value: &Value) -> Value {
    let mut config = json!({
        "consul": "localhost:8500",
        "jobs": [{ "name": "app", "exec": "app", "port": 80, "interfaces": "static:10.0.0.1",
                   "health": { "exec": "true", "interval": 1, "ttl": 5 } }],
        "watches": [{ "name": "db", "interval": 3 }],
        "telemetry": { "interfaces": "static:127.0.0.1", "metrics": [{ "namespace": "a", "name": "b", "help": "c", "type": "counter" }] },
    });
    let mut place = &mut config;
    for key in path.split('/') {
        place = match key.parse::<usize>() {
            Ok(index) => &mut place[index],
            Err(_) => &mut place[key],
        };
    }
    *place = value.clone();
    config
}

#[test]
fn the_schema_takes_the_same_weak_types_as_the_decoder() {
    let scalars = [
        json!("8000"),
        json!(8000),
        json!(" 8000"),
        json!("0x10"),
        json!(-1),
        json!("-1"),
        json!(0),
        json!("0"),
        json!(70000),
        json!(1.5),
        json!("1.5"),
        json!(true),
        json!("true"),
        json!("TRUE"),
        json!("yes"),
        json!(false),
        json!(""),
        json!("5s"),
        json!("1h30m"),
        json!("5x"),
        json!("warning"),
        json!("Warning"),
        json!("unlimited"),
        json!("never"),
        json!("SIGINT"),
        json!("sigRtMin+2"),
        json!("rtmax"),
        json!("INFO"),
        json!("json"),
        json!(null),
        json!([]),
        json!(["a"]),
        json!(["a", 1, true]),
        json!([[]]),
        json!([""]),
        json!({}),
        json!({ "what": 1 }),
    ];
    let paths = [
        "stopTimeout",
        "logging/level",
        "logging/format",
        "logging",
        "control/socket",
        "consul",
        "telemetry/port",
        "telemetry/tags",
        "telemetry/metrics/0/type",
        "telemetry/metrics/0/help",
        "watches/0/interval",
        "watches/0/tag",
        "jobs/0/exec",
        "jobs/0/port",
        "jobs/0/restarts",
        "jobs/0/timeout",
        "jobs/0/stopTimeout",
        "jobs/0/killTimeout",
        "jobs/0/stopSignal",
        "jobs/0/essential",
        "jobs/0/backoff",
        "jobs/0/tags",
        "jobs/0/initial_status",
        "jobs/0/health/interval",
        "jobs/0/health/ttl",
        "jobs/0/health/timeout",
        "jobs/0/health/exec",
        "jobs/0/consul/enableTagOverride",
        "jobs/0/consul/deregisterCriticalServiceAfter",
        "jobs/0/logging/raw",
        "jobs/0/when",
        "jobs/0/when/interval",
        "jobs/0/when/once",
        "jobs",
    ];
    let mut instances = Vec::new();
    for path in paths {
        for value in &scalars {
            instances.push((format!("{path}: {value}"), with(path, value)));
        }
    }
    let Some(answers) = validate(&instances) else {
        return;
    };
    let mut wrong = Vec::new();
    let mut accepted = 0;
    for (name, instance) in &instances {
        // In this process: to start one for each of them would take a minute.
        let taken = config::parse(&instance.to_string(), &Environment::default(), &host());
        accepted += u32::from(taken.is_ok());
        match (taken.map_err(|errors| errors.to_string()), &answers[name]) {
            (Ok(_), Some(error)) => wrong.push(format!("{name} is taken, but: {error}")),
            (Err(errors), None) if !BEYOND.iter().any(|text| errors.contains(text)) => {
                wrong.push(format!(
                    "{name} is not taken, but the schema does: {errors}"
                ));
            }
            _ => {}
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    println!("{} values, {accepted} of them taken", instances.len());
}

/// What an error says that is about more than one key, or about an address.
const BEYOND: [&str; 2] = ["no discovery backend defined", "is no address"];

/// A host on which all addresses of the configuration are found.
fn host() -> Host {
    let address = ("lo".to_owned(), "127.0.0.1".parse().unwrap());
    Host::new("here", vec![address])
}

/// Every key of an object of the schema, by its path.
fn keys(schema: &Value) -> Vec<(String, &Value)> {
    let objects = schema["$defs"].as_object().unwrap().iter();
    let objects = objects.map(|(name, object)| (name.as_str(), object));
    let mut keys = Vec::new();
    for (section, object) in [("file", schema)].into_iter().chain(objects) {
        assert_eq!(object["type"], "object", "{section}");
        assert_eq!(object["additionalProperties"], false, "{section}");
        let properties = object["properties"].as_object().unwrap();
        keys.extend(
            properties
                .iter()
                .map(|(key, value)| (format!("{section}.{key}"), value)),
        );
    }
    keys
}

/// The values that an editor offers for one, which it finds however deep they are.
fn offers(value: &Value) -> Vec<Value> {
    let nested = value["anyOf"].as_array().into_iter().flatten();
    let own = value["enum"].as_array().into_iter().flatten().cloned();
    own.chain(nested.flat_map(offers)).collect()
}

#[test]
fn an_editor_finds_a_description_for_every_key_and_values_to_offer() {
    let schema = schema();
    let keys = keys(&schema);
    let descriptions: BTreeMap<&str, &str> = keys
        .iter()
        .map(|(key, value)| (key.as_str(), value["description"].as_str().unwrap()))
        .collect();
    for (key, description) in &descriptions {
        assert!(
            description.len() > 10 && description.ends_with('.'),
            "{key}: {description:?}"
        );
    }
    for (key, default) in [
        ("file.stopTimeout", json!("5s")),
        ("logging.level", json!("INFO")),
        ("telemetry.port", json!(9090)),
        ("job.essential", json!(false)),
    ] {
        let (_, value) = keys.iter().find(|(name, _)| name == key).unwrap();
        assert_eq!(value["default"], default, "{key}");
    }
    for (key, word) in [
        ("logging.format", "json"),
        ("job.initial_status", "critical"),
        ("job.when.once", "exitSuccess"),
        ("job.stopSignal", "SIGINT"),
        ("job.restarts", "unlimited"),
        ("telemetry.metrics.type", "histogram"),
    ] {
        let named = keys.iter().find(|(name, _)| name.ends_with(key));
        let (_, value) = named.unwrap_or_else(|| panic!("no {key} in {:?}", descriptions.keys()));
        let offered = offers(value);
        assert!(
            offered.contains(&json!(word)),
            "{key} does not offer {word}: {value:#}"
        );
    }
}

#[test]
fn the_examples_of_the_manual_are_as_the_schema_says() {
    let folder = repository().join("docs/examples");
    let examples = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path());
    let instances = examples.map(|path| {
        let rendered = run(command(binary()).args(["-template", "-config"]).arg(&path));
        let text = rendered.success().join("\n");
        (path.display().to_string(), json5::from_str(&text).unwrap())
    });
    let instances: Vec<(String, Value)> = instances.collect();
    assert!(!instances.is_empty());
    let Some(answers) = validate(&instances) else {
        return;
    };
    for (name, error) in answers {
        assert_eq!(error, None, "{name}");
    }
}
