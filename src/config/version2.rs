//! Recognises files of version 2, so that their owners are told what to do
//! instead of being told of unknown keys.

use std::borrow::Cow;

use super::findings::{Findings, Path};
use super::value::Value;

/// Keys of the file that only version 2 (and 1) knew, and what each became.
const KEYS: &[(&str, &str)] = &[
    (
        "services",
        "each service a job with \"port\" and \"health\"",
    ),
    (
        "coprocesses",
        "each coprocess a job with restarts: \"unlimited\"",
    ),
    ("tasks", "each task a job with \"when.interval\""),
    (
        "backends",
        "each backend a watch, and its onChange a job with when: {source: \"watch.NAME\", each: \"changed\"}",
    ),
    ("onStart", "onStart a job that others wait for"),
    (
        "preStart",
        "preStart a job that others wait for with once: \"exitSuccess\"",
    ),
    (
        "preStop",
        "preStop a job with when: {source: NAME, once: \"stopping\"}",
    ),
    (
        "postStop",
        "postStop a job with when: {source: NAME, once: \"stopped\"}",
    ),
    ("pollTime", "pollTime the \"interval\" of \"health\""),
];

/// Takes the keys of version 2 out of the file's object and adds one error about
/// all of them.
pub(crate) fn refuse(entries: &mut Vec<(Cow<'_, str>, Value<'_>)>, findings: &mut Findings) {
    let mut found = Vec::new();
    entries.retain(
        |(key, _)| match KEYS.iter().find(|(known, _)| known == key) {
            Some(known) => {
                found.push(known);
                false
            }
            None => true,
        },
    );
    if found.is_empty() {
        return;
    }
    let names: Vec<&str> = found.iter().map(|(name, _)| *name).collect();
    let steps: Vec<&str> = found.iter().map(|(_, step)| *step).collect();
    let message = format!(
        "this is a version 2 file (it has {}); make {} (docs/configuration.md, \"From version 2\")",
        names.join(", "),
        steps.join("; ")
    );
    findings.error(&Path::Root, message);
}
