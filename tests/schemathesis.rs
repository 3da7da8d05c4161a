//! The API, tried by schemathesis with what its description allows and with what
//! it does not: every answer is one that is described, and none is a bug.
//!
//! What is tried follows from a fixed seed. `CONTAINERPILOT_API_SEED` is another
//! one, `CONTAINERPILOT_API_EXAMPLES` how much is tried of each operation.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test that cannot set up its world must fail loudly"
)]

mod support;

use std::env;
use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use serde_json::{Value, json};
use support::command::{command, run_within};
use support::{Temporary, bridge, free_address, jobs, run, skip};

/// Jobs of which each can be started, stopped and asked for in another way.
const JOBS: &str = r#"
    { name: "app", exec: ["/bin/sleep", "1000"], restarts: "unlimited", killTimeout: "50ms",
      health: { exec: "/bin/true", interval: 1, ttl: 5 } },
    { name: "batch", exec: ["/bin/true"], when: { source: "SIGHUP" } },
    { name: "broken", exec: ["/no/such/program"], when: { source: "SIGHUP" } },
    { name: "a job/with ünusual?%name", exec: ["/bin/sleep", "1000"], killTimeout: "50ms" },
    { name: "hook", exec: ["/bin/true"], when: { source: "app", each: "stopped" } },
"#;
const NAMES: [&str; 5] = ["app", "batch", "broken", "a job/with ünusual?%name", "hook"];

const METRIC: &str = "test_things";

/// What answers are as they should be that are not as they are elsewhere: that
/// something is not well, has not happened in time or could not be started, and
/// what the machine that runs the test has no part in.
const EXPECTATIONS: &str = r#"
[[operations]]
include-name = "GET /v3/health"
checks.not_a_server_error.expected-statuses = ["2xx", "4xx", "503"]

[[operations]]
include-path-regex = "/(start|stop|restart)$"
checks.not_a_server_error.expected-statuses = ["2xx", "4xx", "504"]
checks.positive_data_acceptance.expected-statuses = ["2xx", "404", "409", "422", "429", "504"]
"#;

/// How long all of it may take before it has failed; it takes seconds.
const LONG: Duration = Duration::from_secs(3600);

fn setting(name: &str, usual: &str) -> String {
    env::var(name).unwrap_or_else(|_| usual.to_owned())
}

/// The description, with what it cannot know: the names of jobs and of metrics.
fn description() -> Value {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/openapi.json");
    let mut description: Value = serde_json::from_slice(&fs::read(path).unwrap()).unwrap();
    let components = &mut description["components"];
    for parameter in ["Name", "Job"] {
        let schema = &mut components["parameters"][parameter]["schema"];
        *schema = json!({ "anyOf": [{ "enum": NAMES }, schema.take()] });
    }
    components["schemas"]["Values"]["propertyNames"] = json!({ "const": METRIC });
    description
}

#[test]
fn whatever_is_asked_the_answer_is_one_that_is_described() {
    // With the environment as it is: it says where the cache is.
    let install = concat!(env!("CARGO_MANIFEST_DIR"), "/scripts/install-schemathesis");
    let installed = run(&mut Command::new(install));
    let [program] = &installed.stdout[..] else {
        return skip(&format!("there is no schemathesis: {installed}"));
    };
    let telemetry = free_address();
    let mut supervisor = jobs(JOBS)
        .setting(&format!(
            r#"telemetry: {{ interfaces: "static:{telemetry}", metrics: [
                {{ name: "{METRIC}", help: "things", type: "gauge" }}] }}"#
        ))
        .ready();
    let address = bridge::to(supervisor.socket());
    let directory = Temporary::new();
    let description = directory.write("openapi.json", &description().to_string());
    let outcome = run_within(
        LONG,
        command(program)
            .current_dir(directory.path())
            .arg("--config-file")
            .arg(directory.write("schemathesis.toml", EXPECTATIONS))
            .arg("run")
            .arg(description)
            .args(["--url", &format!("http://{address}")])
            .args(["--seed", &setting("CONTAINERPILOT_API_SEED", "1")])
            .args([
                "--max-examples",
                &setting("CONTAINERPILOT_API_EXAMPLES", "25"),
            ])
            .args(["--generation-database", "none", "--no-shrink"])
            .args(["--continue-on-failure", "--request-timeout", "30"])
            .args(["--suppress-health-check", "all"]),
    );
    assert_eq!(outcome.code, 0, "{outcome}");
    supervisor.assert_running();
    assert_eq!(supervisor.http("GET", "/v3/ping", "").body, "ok");
    assert_eq!(supervisor.terminate(), 0);
}
