//! The description of the API is that of the endpoints there are: of their paths,
//! methods, words and queries.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test that cannot read the repository must fail loudly"
)]

use std::collections::{BTreeMap, BTreeSet};

use containerpilot::control::api::ENDPOINTS;
use containerpilot::control::request::{Asked, Reply};
use containerpilot::control::streams::STREAMS;
use containerpilot::version::VERSION;
use serde_json::Value;

fn description() -> Value {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/openapi.json");
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

/// `METHOD PATH` of each operation, and what is said of it.
fn operations(description: &Value) -> BTreeMap<String, &Value> {
    let paths = description["paths"].as_object().unwrap().iter();
    let operations = paths.flat_map(|(path, operations)| {
        let operations = operations.as_object().unwrap().iter();
        operations.map(move |(method, about)| (format!("{} {path}", method.to_uppercase()), about))
    });
    operations.collect()
}

/// `METHOD PATH` of each endpoint by all its paths, and its summary.
fn endpoints() -> BTreeMap<String, &'static str> {
    let streams = STREAMS.iter();
    let streams = streams.map(|stream| (format!("GET {}", stream.path), stream.summary));
    let endpoints = ENDPOINTS.iter().flat_map(|endpoint| {
        let paths = [Some(endpoint.path), endpoint.alias].into_iter().flatten();
        paths.map(|path| (format!("{} {path}", endpoint.method), endpoint.summary))
    });
    endpoints.chain(streams).collect()
}

#[test]
fn every_endpoint_is_described_and_nothing_else() {
    let description = description();
    assert_eq!(description["info"]["version"], VERSION);
    let described: BTreeMap<String, String> = operations(&description)
        .iter()
        .map(|(name, about)| {
            (
                name.clone(),
                about["summary"].as_str().unwrap().to_lowercase(),
            )
        })
        .collect();
    let endpoints: BTreeMap<String, String> = endpoints()
        .into_iter()
        .map(|(name, summary)| (name, summary.to_lowercase()))
        .collect();
    assert_eq!(described, endpoints);
}

#[test]
fn operations_can_be_told_apart_by_their_ids() {
    let description = description();
    let operations = operations(&description);
    let ids: BTreeSet<&str> = operations
        .values()
        .map(|about| about["operationId"].as_str().unwrap())
        .collect();
    assert_eq!(ids.len(), operations.len());
}

/// The parameters of an operation that stand there, in the order of the text.
fn parameters<'a>(description: &'a Value, operation: &'a Value, place: &str) -> Vec<&'a str> {
    let parameters = operation["parameters"].as_array().into_iter().flatten();
    let parameters = parameters.map(|parameter| match parameter["$ref"].as_str() {
        Some(reference) => description
            .pointer(reference.strip_prefix('#').unwrap())
            .unwrap_or_else(|| panic!("{reference} leads nowhere")),
        None => parameter,
    });
    parameters
        .filter(|parameter| parameter["in"] == place)
        .map(|parameter| parameter["name"].as_str().unwrap())
        .collect()
}

/// The parameters that an endpoint knows, as its refusal of another one tells.
fn known(refusal: Option<Reply>) -> Vec<String> {
    let Some(Reply::Refused {
        status: 400,
        message,
    }) = refusal
    else {
        return Vec::new();
    };
    let (_, known) = message.split_once("(known: ").unwrap();
    let known = known.strip_suffix(')').unwrap().split(", ");
    known.map(str::to_owned).collect()
}

#[test]
fn the_parameters_of_queries_and_paths_are_those_that_are_understood() {
    let description = description();
    let operations = operations(&description);
    let described = |name: &str, place| parameters(&description, operations[name], place);
    for endpoint in ENDPOINTS {
        let asked = Asked {
            name: "app",
            query: "nonsense=1",
            body: b"{}",
        };
        let is_post_of_json = operations[&format!("{} {}", endpoint.method, endpoint.path)]
            .get("requestBody")
            .is_some();
        let refusal = (endpoint.parse)(&asked).err().filter(|_| !is_post_of_json);
        for path in [Some(endpoint.path), endpoint.alias].into_iter().flatten() {
            let name = format!("{} {path}", endpoint.method);
            assert_eq!(described(&name, "query"), known(refusal.clone()), "{name}");
            let in_path: &[&str] = if path.contains("{name}") {
                &["name"]
            } else {
                &[]
            };
            assert_eq!(described(&name, "path"), in_path, "{name}");
        }
    }
    for stream in STREAMS {
        let name = format!("GET {}", stream.path);
        let known = known(stream.refusal_of("nonsense=1"));
        assert_eq!(described(&name, "query"), known, "{name}");
    }
}
