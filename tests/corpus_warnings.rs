//! What `-check` warns of in other people's configurations: commands that were
//! meant for a shell, which none reads.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test that cannot set up its world must fail loudly"
)]

mod support;

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use support::command::command;
use support::{binary, run};

/// The files whose commands have shell syntax, and how many of them. Of four more
/// that have some, three are no JSON5, and one has it in a comment.
const FOR_A_SHELL: [(&str, usize); 10] = [
    ("Eepa__nginx__examples__containerpilot.json5", 2),
    ("Thomanphan__nginx__examples__containerpilot.json5", 2),
    (
        "TritonDataCenter__rfd__rfd__0086__examples__service-reg-only.json5",
        1,
    ),
    (
        "autopilotpattern__ghost__nginx__etc__containerpilot.json5",
        2,
    ),
    ("autopilotpattern__nginx__examples__containerpilot.json5", 2),
    (
        "joyent__containerpilot__docs__30-configuration__examples__service-reg-only.json5",
        1,
    ),
    (
        "joyent__containerpilot__integration_tests__fixtures__app__containerpilot-with-file-log.json5",
        1,
    ),
    (
        "joyent__containerpilot__integration_tests__tests__test_sighup__containerpilot.json5",
        2,
    ),
    (
        "joyent__containerpilot__integration_tests__tests__test_sigterm__containerpilot.json5",
        2,
    ),
    ("tagshelfsrl__duckling__containerpilot.json5", 1),
];

#[test]
fn every_command_of_the_corpus_that_needs_a_shell_is_found() {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/corpus");
    let mut found = BTreeMap::new();
    for entry in fs::read_dir(corpus.join("files")).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        let variables = fs::read_to_string(corpus.join(format!("env/{name}.env"))).unwrap();
        let variables = variables.lines().filter_map(|line| line.split_once('='));
        let check = run(command(binary())
            .env_clear()
            .envs(variables)
            .args(["-check", "-config"])
            .arg(corpus.join("files").join(&name)));
        let warnings = check.stdout.iter();
        let warnings = warnings.filter(|line| line.contains("read by no shell"));
        match warnings.count() {
            0 => {}
            count => {
                found.insert(name, count);
            }
        }
    }
    let found: Vec<(&str, usize)> = found
        .iter()
        .map(|(name, count)| (name.as_str(), *count))
        .collect();
    assert_eq!(found, FOR_A_SHELL);
}
