//! Text of a configuration file, from its template to its specs.
//!
//! Whatever it is: it is accepted or refused in the same way by a start and by
//! `-check`, every place that is told is in the text, and what was accepted can
//! be shown.
#![no_main]

use containerpilot::config::{self, Errors, Finding, fuzzing, graph, template};
use containerpilot_fuzz::{assert_place, environment, host};
use libfuzzer_sys::fuzz_target;

fn assert_places(text: &str, findings: &[Finding]) {
    for finding in findings {
        assert!(!finding.message.is_empty());
        let is_one_line = |text: &str| !text.contains(char::is_control);
        assert!(is_one_line(&finding.message), "{finding:?}");
        assert!(is_one_line(&finding.path), "{finding:?}");
        if let Some((line, column)) = finding.position {
            assert_place(text, line, column);
        }
    }
}

fn refused(text: &str, errors: Errors) {
    assert!(!errors.findings().is_empty());
    assert!(!errors.to_string().is_empty());
    assert_places(text, &errors.into_all());
}

fuzz_target!(|text: &str| {
    let (environment, host) = (environment(), host());
    let text = match template::render(text, &environment) {
        Ok(text) => text,
        Err(error) => return assert_place(text, error.line, error.column),
    };
    let started = config::parse(&text, &environment, &host);
    let checked = fuzzing::check(&text, &environment, &host);
    match (started, checked) {
        (Ok(started), Ok(checked)) => {
            let warnings = started.warnings.len();
            assert!(warnings <= checked.warnings.len());
            assert_places(&text, &checked.warnings);
            assert!(graph::dot(&checked).starts_with("digraph"));
            assert!(!format!("{checked:?}").is_empty());
            assert!(checked.advertised_ips().len() <= checked.jobs.len());
        }
        (Err(started), Err(checked)) => {
            assert_eq!(started.to_string(), checked.to_string());
            refused(&text, checked);
        }
        (started, checked) => panic!("{started:?} and {checked:?} for {text:?}"),
    }
});
