//! Each answer that the description of the API has is given, and is as described:
//! its status, its media type and its body.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test that cannot set up its world must fail loudly"
)]

#[path = "support/control_plane.rs"]
mod control_plane;
mod support;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::{Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Instant;

use containerpilot::config::ControlSpec;
use containerpilot::control::server::Control;
use containerpilot::control::streams::Sources;
use control_plane::Plane;
use serde_json::{Map, Value, json};
use support::http::{Response, connect, raw, request};
use support::streams::{Reader, follow};
use support::{Supervisor, Temporary, deadline, free_address, jobs, processes, validation};

/// `METHOD PATH STATUS`, as the description has them.
type Key = String;

/// The answers that were given.
#[derive(Default)]
struct Answers(Vec<(Key, Response)>);

impl Answers {
    /// Takes note of an answer to a request of the operation with this path.
    #[track_caller]
    fn note(&mut self, operation: &str, status: u16, response: Response) {
        assert_eq!(response.status, status, "{operation}: {response:?}");
        self.0.push((format!("{operation} {status}"), response));
    }

    /// Asks, and takes note.
    #[track_caller]
    fn ask(&mut self, socket: &Path, operation: &str, asked: &str, body: &str, status: u16) {
        let (method, _) = operation.split_once(' ').unwrap();
        let response = request(socket, method, asked, body);
        self.note(operation, status, response);
    }
}

fn description() -> Value {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/openapi.json");
    serde_json::from_slice(&fs::read(path).unwrap()).unwrap()
}

/// `METHOD PATH` of all operations.
fn operations(description: &Value) -> Vec<String> {
    let paths = description["paths"].as_object().unwrap().iter();
    let operations = paths.flat_map(|(path, operations)| {
        let methods = operations.as_object().unwrap().keys();
        methods.map(move |method| format!("{} {path}", method.to_uppercase()))
    });
    operations.collect()
}

/// The schemas of all answers, by their key and then their media type.
fn described(description: &Value) -> BTreeMap<Key, Map<String, Value>> {
    let mut described = BTreeMap::new();
    for operation in operations(description) {
        let (method, path) = operation.split_once(' ').unwrap();
        let about = &description["paths"][path][method.to_lowercase()];
        for (status, response) in about["responses"].as_object().unwrap() {
            let response = match response["$ref"].as_str() {
                Some(reference) => description.pointer(&reference[1..]).unwrap(),
                None => response,
            };
            let content = response["content"].as_object().cloned().unwrap_or_default();
            let schemas = content.into_iter();
            let schemas = schemas.map(|(media, mut content)| (media, content["schema"].take()));
            described.insert(format!("{operation} {status}"), schemas.collect());
        }
    }
    described
}

/// A path with the name of a job in it.
fn with_name(operation: &str) -> String {
    let (_, path) = operation.split_once(' ').unwrap();
    path.replace("{name}", "app")
}

/// What every request can meet, however little of it has come.
fn what_every_request_can_meet(socket: &Path, operations: &[String], answers: &mut Answers) {
    let head = |operation: &str, headers: &str| {
        let (method, _) = operation.split_once(' ').unwrap();
        format!("{method} {} HTTP/1.1\r\n{headers}", with_name(operation))
    };
    let mut slow: Vec<(&String, UnixStream)> = Vec::new();
    for operation in operations {
        let mut stream = connect(socket);
        let half = head(operation, "Host: test\r\n");
        stream.write_all(half.as_bytes()).unwrap();
        slow.push((operation, stream));
    }
    for operation in operations {
        for (status, headers) in [
            (400, "\r\n".to_owned()),
            (
                413,
                "Host: test\r\nContent-Length: 1048577\r\n\r\n".to_owned(),
            ),
            (431, format!("Host: test\r\n{}\r\n", "A: b\r\n".repeat(64))),
        ] {
            let answer = raw(socket, head(operation, &headers).as_bytes());
            answers.note(operation, status, Response::parse(&answer));
        }
    }
    for (operation, mut stream) in slow {
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).unwrap();
        answers.note(operation, 408, Response::parse(&answer));
    }
}

/// What is answered when all is as it should be, and to what is wrong.
fn what_is_asked_every_day(supervisor: &Supervisor, answers: &mut Answers) {
    let socket = supervisor.socket();
    let mut ask = |operation: &str, asked: &str, body: &str, status| {
        answers.ask(socket, operation, asked, body, status);
    };
    ask("GET /v3/ping", "/v3/ping", "", 200);
    for path in ["/v3/env", "/v3/environ"] {
        let operation = format!("POST {path}");
        ask(&operation, path, r#"{"A": 1}"#, 200);
        ask(&operation, path, r#"{"1A": 1}"#, 400);
        ask(&operation, path, "[]", 422);
    }
    ask(
        "POST /v3/metric",
        "/v3/metric",
        r#"{"test_things": "1e3"}"#,
        200,
    );
    ask("POST /v3/metric", "/v3/metric", r#"{"things": 1}"#, 400);
    ask("POST /v3/metric", "/v3/metric", "[]", 422);
    for query in ["", "?verbose", "?dry-run=true&verbose=0"] {
        ask("POST /v3/reload", &format!("/v3/reload{query}"), "", 200);
    }
    ask("POST /v3/reload", "/v3/reload?dry-rum", "", 400);
    for what in ["enable", "disable"] {
        let path = format!("/v3/maintenance/{what}");
        ask(&format!("POST {path}"), &path, "", 200);
    }
    ask("GET /v3/status", "/v3/status", "", 200);
    ask("GET /v3/health", "/v3/health?job=app", "", 200);
    ask("GET /v3/health", "/v3/health?jbo=app", "", 400);
    ask("GET /v3/health", "/v3/health?job=nobody", "", 404);
    ask("GET /v3/health", "/v3/health?job=batch", "", 503);
    ask("GET /v3/jobs/{name}", "/v3/jobs/app", "", 200);
    ask("GET /v3/jobs/{name}", "/v3/jobs/nobody", "", 404);
    for what in ["poweroff", "reboot"] {
        let path = format!("/v3/{what}");
        ask(&format!("POST {path}"), &path, "", 409);
    }
    let signal = "POST /v3/jobs/{name}/signal";
    ask(signal, "/v3/jobs/app/signal", r#"{"signal": "WINCH"}"#, 200);
    ask(signal, "/v3/jobs/app/signal", r#"{"signal": "no"}"#, 400);
    ask(signal, "/v3/jobs/nobody/signal", r#"{"signal": 1}"#, 404);
    ask(signal, "/v3/jobs/batch/signal", r#"{"signal": 1}"#, 409);
    ask(signal, "/v3/jobs/app/signal", "[]", 422);
    for verb in ["stop", "start", "restart"] {
        let operation = format!("POST /v3/jobs/{{name}}/{verb}");
        ask(&operation, &format!("/v3/jobs/app/{verb}"), "", 200);
        ask(
            &operation,
            &format!("/v3/jobs/app/{verb}?timeout=0"),
            "",
            400,
        );
        ask(&operation, &format!("/v3/jobs/nobody/{verb}"), "", 404);
    }
    for verb in ["start", "restart"] {
        let operation = format!("POST /v3/jobs/{{name}}/{verb}");
        ask(&operation, &format!("/v3/jobs/broken/{verb}"), "", 422);
    }
    ask("GET /v3/events", "/v3/events?since=x", "", 400);
    ask("GET /v3/logs", "/v3/logs?lines=10", "", 200);
    ask("GET /v3/logs", "/v3/logs?lines=x", "", 400);
    ask("GET /v3/logs", "/v3/logs?job=nobody", "", 404);
}

/// The answer of a stream, up to the end of this line.
fn beginning(reader: &mut Reader) -> Response {
    let line = reader.line().unwrap();
    let head = format!("{}{line}\n", reader.head);
    Response::parse(head.as_bytes())
}

/// Streams, and what they cannot be had without: a place and a descriptor.
fn what_follows(supervisor: &Supervisor, answers: &mut Answers) {
    const STREAMS: [(&str, &str); 2] = [
        ("GET /v3/events", "/v3/events?since=0"),
        ("GET /v3/logs", "/v3/logs?follow"),
    ];
    let socket = supervisor.socket();
    let mut readers: Vec<Reader> = (0..16).map(|n| follow(socket, STREAMS[n % 2].1)).collect();
    for (reader, (operation, _)) in readers.iter_mut().zip(STREAMS) {
        answers.note(operation, 200, beginning(reader));
    }
    for (operation, path) in STREAMS {
        answers.ask(socket, operation, path, "", 429);
    }
    drop(readers);
    for (operation, path) in STREAMS {
        let response = without_descriptors(supervisor, path);
        answers.note(operation, 503, response);
    }
}

/// The answer to a request when there is one descriptor left, which the
/// connection takes.
fn without_descriptors(supervisor: &Supervisor, path: &str) -> Response {
    let pid = supervisor.pid();
    let deadline = deadline();
    loop {
        // Those who have gone may give theirs back in this very moment.
        let free = processes::lowest_free_descriptor(pid);
        let before = processes::limit_descriptors(pid, free + 1);
        let reader = follow(supervisor.socket(), path);
        processes::limit_descriptors(pid, before);
        if reader.status != 200 && reader.status != 429 {
            let rest = [reader.head.clone().into_bytes(), reader.raw_rest()].concat();
            return Response::parse(&rest);
        }
        assert!(Instant::now() < deadline, "{}", reader.head);
    }
}

/// A job that ends when a line comes from the gate.
const STUBBORN: &str = r#"{ name: "app", exec: ["sh", "-c", '\
    trap "read line <$GATE; exit 0" TERM; echo ready >>$FACTS; \
    while :; do sleep 1000 & wait; done'] }"#;

/// What is answered when it does not happen, or cannot any more.
fn what_comes_to_nothing(answers: &mut Answers) {
    let mut supervisor = jobs(STUBBORN)
        .setting("logging: { buffer: 0 }")
        .setting("stopTimeout: 3600")
        .ready();
    supervisor.facts.expect(&["ready"]);
    let socket = supervisor.socket().to_owned();
    answers.ask(&socket, "GET /v3/logs", "/v3/logs", "", 409);
    let operation = |verb: &str| format!("POST /v3/jobs/{{name}}/{verb}");
    let path = |verb: &str| format!("/v3/jobs/app/{verb}");
    const VERBS: [&str; 3] = ["stop", "start", "restart"];
    for verb in VERBS {
        let hasty = path(verb) + "?timeout=1ms";
        answers.ask(&socket, &operation(verb), &hasty, "", 504);
    }
    let asking = |_| {
        let mut stream = connect(&socket);
        let request = format!("POST {} HTTP/1.1\r\nHost: test\r\n\r\n", path("stop"));
        stream.write_all(request.as_bytes()).unwrap();
        stream
    };
    let pending: Vec<UnixStream> = (0..32).map(asking).collect();
    // The first one was the hasty client's.
    for _ in 0..=pending.len() {
        supervisor.stdout.wait_for("app is told to stop");
    }
    for verb in VERBS {
        answers.ask(&socket, &operation(verb), &path(verb), "", 429);
    }
    let mut events = follow(&socket, "/v3/events");
    supervisor.signal(libc::SIGTERM);
    events.wait_for("shutdown");
    for verb in VERBS {
        answers.ask(&socket, &operation(verb), &path(verb), "", 409);
    }
    answers.ask(&socket, "GET /v3/status", "/v3/status", "", 200);
    answers.ask(&socket, "GET /v3/health", "/v3/health", "", 503);
    answers.ask(&socket, "POST /v3/reload", "/v3/reload", "", 503);
    supervisor.gate.release();
    assert_eq!(supervisor.wait_exit(), 0);
    drop(pending);
}

/// What a machine would answer, and a supervisor that has ended.
fn what_cannot_be_had_here(operations: &[String], answers: &mut Answers) {
    let plane = Plane::start();
    for what in ["poweroff", "reboot"] {
        let path = format!("/v3/{what}");
        answers.ask(&plane.socket, &format!("POST {path}"), &path, "", 200);
    }
    let directory = Temporary::new();
    let socket = directory.join("socket");
    let spec = ControlSpec::at(&socket);
    let _control = Control::start(&spec, Sources::default(), drop, |_, _| ()).unwrap();
    let asks_the_supervisor =
        |operation: &&String| !operation.ends_with("/events") && !operation.ends_with("/logs");
    for operation in operations.iter().filter(asks_the_supervisor) {
        let body = match operation.ends_with("/signal") {
            true => r#"{"signal": 1}"#,
            false => "{}",
        };
        answers.ask(&socket, operation, &with_name(operation), body, 503);
    }
}

/// The description's schemas, closed: they say all that can come. A key for each
/// answer, by media type.
fn schema(mut description: Value, described: &BTreeMap<Key, Map<String, Value>>) -> Value {
    close(&mut description["components"]["schemas"]);
    let answers = described.iter().flat_map(|(key, schemas)| {
        let schemas = schemas.iter();
        schemas.map(move |(media, schema)| (format!("{key} {media}"), schema.clone()))
    });
    let mut properties: Map<String, Value> = answers.collect();
    let line = |name: &str| json!({ "$ref": format!("#/components/schemas/{name}") });
    let lines = ["Event", "Gap", "End"].map(line);
    properties.insert(LINE.to_owned(), json!({ "oneOf": lines }));
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "components": description["components"],
        "type": "object",
        "properties": properties,
        "additionalProperties": false,
    })
}

/// The key of a line of events.
const LINE: &str = "a line of events";

fn close(schema: &mut Value) {
    match schema {
        Value::Object(object) => {
            if object.contains_key("properties") {
                object.insert("additionalProperties".to_owned(), Value::Bool(false));
            }
            object.values_mut().for_each(close);
        }
        Value::Array(list) => list.iter_mut().for_each(close),
        _ => {}
    }
}

/// An answer as an instance of the schema.
fn instance(key: &str, response: &Response, schemas: &Map<String, Value>) -> Option<Value> {
    let media = response.header("content-type");
    let media = media.map(|media| media.split(';').next().unwrap());
    let Some(media) = media else {
        assert!(schemas.is_empty(), "{key} has no media type");
        return None;
    };
    assert!(schemas.contains_key(media), "{key} is {media}");
    let body = match media {
        "application/json" => serde_json::from_str(&response.body).unwrap(),
        _ => Value::String(response.body.clone()),
    };
    Some(json!({ format!("{key} {media}"): body }))
}

#[test]
fn every_answer_that_is_described_is_given_and_is_as_described() {
    let description = description();
    let operations = operations(&description);
    let described = described(&description);
    let mut answers = Answers::default();
    let telemetry = free_address();
    let supervisor = jobs(
        r#"{ name: "app", exec: ["sleep", "1000"] },
           { name: "batch", exec: "true", when: { source: "app", once: "changed" } },
           { name: "broken", exec: "/no/such/program", when: { source: "SIGHUP" } },
           { name: "ill", exec: ["sleep", "1000"],
             health: { exec: ["sh", "-c", "echo ill; exit 1"], interval: 1, ttl: 5 } },"#,
    )
    .setting(&format!(
        r#"telemetry: {{ interfaces: "static:{telemetry}", metrics: [
            {{ name: "test_things", help: "things", type: "gauge" }}] }}"#
    ))
    .ready();
    supervisor.stdout.wait_for("is unhealthy");
    what_is_asked_every_day(&supervisor, &mut answers);
    what_every_request_can_meet(supervisor.socket(), &operations, &mut answers);
    what_follows(&supervisor, &mut answers);
    supervisor.change_config("interval: 1,", "intervall: 1,");
    answers.ask(
        supervisor.socket(),
        "POST /v3/reload",
        "/v3/reload",
        "",
        422,
    );
    what_comes_to_nothing(&mut answers);
    what_cannot_be_had_here(&operations, &mut answers);

    let given: BTreeSet<&Key> = answers.0.iter().map(|(key, _)| key).collect();
    assert_eq!(given, described.keys().collect::<BTreeSet<&Key>>());
    let mut instances = Vec::new();
    for (key, response) in &answers.0 {
        if let Some(instance) = instance(key, response, &described[key]) {
            instances.push((format!("{key}: {}", response.body), instance));
        }
        if response.header("content-type") == Some("application/x-ndjson") {
            for line in response.body.lines() {
                let line: Value = serde_json::from_str(line).unwrap();
                instances.push((line.to_string(), json!({ LINE: line })));
            }
        }
    }
    let schema = schema(description, &described);
    let Some(verdicts) = validation::validate(&schema, &instances) else {
        return;
    };
    let wrong: Vec<_> = verdicts
        .iter()
        .filter(|(_, wrong)| wrong.is_some())
        .collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
}
