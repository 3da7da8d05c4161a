//! `-check`: everything that can be said of a configuration without running it
//! (SPEC §17).
//!
//! The errors are those for which a start or a reload would refuse the file, in
//! the same words; what those tolerate for the original's sake is an error here;
//! and what the machine lacks on which the check runs is a warning, because the
//! configuration may be meant for another one.

use std::path::Path as FilePath;

use crate::environment::Environment;

use super::finding::{Finding, Severity};
use super::host::Host;
use super::include::Main;
use super::{machine, read, render_file};

/// What was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checked(Vec<Finding>);

/// Looks at the file at `path` and what it includes.
pub fn check(path: &FilePath, environment: &Environment, host: &Host) -> Checked {
    let look = |config: &_, findings: &mut _| machine::check(config, environment, findings);
    let before = &[];
    let main = Some(Main { path, before });
    let config =
        render_file(path, environment).and_then(|text| read(&text, main, environment, host, look));
    Checked(match config {
        Ok(config) => config.warnings,
        Err(errors) => errors.into_all(),
    })
}

impl Checked {
    /// Whether nothing was found but warnings.
    pub fn is_good(&self) -> bool {
        !self.0.iter().any(is_error)
    }

    /// One finding after the other, and how many there are: first what is wrong,
    /// in the words in which a reload would refuse it, then the warnings.
    pub fn report(&self) -> String {
        let mut text = String::new();
        let (errors, warnings) = self.by_severity();
        for error in &errors {
            text.push_str(&format!("{}\n", error.located()));
        }
        for warning in &warnings {
            text.push_str(&format!("warning: {}\n", warning.located()));
        }
        let count = |count: usize, what: &str| match count {
            0 => format!("no {what}s"),
            1 => format!("1 {what}"),
            _ => format!("{count} {what}s"),
        };
        let errors = count(errors.len(), "error");
        text.push_str(&format!("{errors}, {}\n", count(warnings.len(), "warning")));
        text
    }

    /// The findings as one JSON object, for programs.
    pub fn json(&self, path: &FilePath) -> String {
        let (errors, warnings) = self.by_severity();
        let findings = errors.into_iter().chain(warnings).map(|finding| {
            let severity = if is_error(finding) {
                "error"
            } else {
                "warning"
            };
            let file = finding.file.as_deref();
            let (line, column) = finding.position.unzip();
            serde_json::json!({
                "severity": severity,
                "file": file.map_or_else(|| path.to_string_lossy(), Into::into),
                "line": line,
                "column": column,
                "path": finding.path,
                "message": finding.message,
                "excerpt": finding.excerpt,
            })
        });
        let findings: Vec<serde_json::Value> = findings.collect();
        format!(
            "{}\n",
            serde_json::json!({ "ok": self.is_good(), "findings": findings })
        )
    }

    fn by_severity(&self) -> (Vec<&Finding>, Vec<&Finding>) {
        self.0.iter().partition(|finding| is_error(finding))
    }
}

fn is_error(finding: &Finding) -> bool {
    finding.severity != Severity::Warning
}
