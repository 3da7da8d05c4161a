//! The description of the API is that of the endpoints there are.

#![allow(
    clippy::unwrap_used,
    reason = "a test that cannot read the repository must fail loudly"
)]

use std::collections::BTreeSet;

use containerpilot::control::api::ENDPOINTS;
use containerpilot::control::streams::STREAMS;
use serde_json::Value;

#[test]
fn every_endpoint_is_described_and_nothing_else() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/openapi.json");
    let text = std::fs::read_to_string(path).unwrap();
    let description: Value = serde_json::from_str(&text).unwrap();
    let paths = description["paths"].as_object().unwrap().iter();
    let described: BTreeSet<(String, String)> = paths
        .flat_map(|(path, operations)| {
            let methods = operations.as_object().unwrap().keys();
            methods.map(|method| (path.clone(), method.to_uppercase()))
        })
        .collect();
    let mut endpoints: BTreeSet<(String, String)> = STREAMS
        .iter()
        .map(|stream| (stream.path.to_owned(), "GET".to_owned()))
        .collect();
    for endpoint in ENDPOINTS {
        for path in [Some(endpoint.path), endpoint.alias].into_iter().flatten() {
            endpoints.insert((path.to_owned(), endpoint.method.to_owned()));
        }
    }
    assert_eq!(described, endpoints);
}
