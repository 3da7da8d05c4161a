//! Collects what is wrong or odd in a configuration, and where: paths of keys.
//!
//! Everything that reads the configuration adds to one [`Findings`], so that an
//! operator sees all faults of a file at once. Nothing here decides what is a
//! fault.

use std::fmt;
use std::sync::Arc;

use super::finding::{Errors, Finding, Severity};
use super::origins::Origins;
use super::positions::Location;
use crate::printable::printable;

/// So many errors are listed; a file with more has one cause for most of them.
const LISTED: usize = 100;

/// Where a value stands in the file.
///
/// A chain of borrowed steps, so that the way to a value costs nothing unless
/// something is found there.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Path<'a> {
    /// The whole file.
    Root,
    /// The value of a key.
    Key(&'a Path<'a>, &'a str),
    /// An item of the list at this path, counted from 0.
    Index(&'a Path<'a>, usize),
    /// As [`Path::Index`], but shown by what the list's items are called and by
    /// the name of this one.
    Named(&'a Path<'a>, usize, &'a str, &'a str),
}

impl<'a> Path<'a> {
    /// The value of `key` in the object at this path.
    pub(crate) fn key(&'a self, key: &'a str) -> Self {
        Self::Key(self, key)
    }

    /// Where that is in the file, for positions.
    pub(crate) fn location(&self) -> Location {
        match self {
            Self::Root => Location::default(),
            Self::Key(parent, key) => parent.location().key(key),
            Self::Index(list, index) | Self::Named(list, index, ..) => {
                list.location().index(*index)
            }
        }
    }
}

impl fmt::Display for Path<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let dot = |f: &mut fmt::Formatter<'_>, parent: &Path<'_>| match parent {
            Path::Root => Ok(()),
            other => write!(f, "{other}."),
        };
        match self {
            Self::Root => Ok(()),
            Self::Key(parent, key) => {
                dot(f, parent)?;
                f.write_str(key)
            }
            Self::Named(list, _, label, name) => {
                if let Path::Key(parent, _) = list {
                    dot(f, parent)?;
                }
                write!(f, "{label}[{name}]")
            }
            Self::Index(list, index) => write!(f, "{list}[{index}]"),
        }
    }
}

/// Collects what is found while a configuration is read.
#[derive(Debug, Default)]
pub(crate) struct Findings {
    errors: Vec<(Option<Location>, Finding)>,
    unlisted: usize,
    others: Vec<(Option<Location>, Finding)>,
}

impl Findings {
    /// The configuration must be refused because of what is at `at`.
    pub(crate) fn error(&mut self, at: &Path<'_>, message: impl Into<String>) {
        self.add_error(finding(Severity::Error, at, &message.into()));
    }

    /// The configuration must be refused because of these errors of the included
    /// file of this name.
    pub(crate) fn errors_of(&mut self, file: &Arc<str>, errors: Errors) {
        for mut error in errors.errors {
            error.file = Some(Arc::clone(file));
            self.add_error((None, error));
        }
    }

    fn add_error(&mut self, error: (Option<Location>, Finding)) {
        if self.errors.len() < LISTED {
            self.errors.push(error);
        } else {
            self.unlisted += 1;
        }
    }

    /// How many errors were added.
    pub(crate) fn error_count(&self) -> usize {
        self.errors.len() + self.unlisted
    }

    /// Whether an error was found at `at` or inside it: what is there was given,
    /// so nothing else may be said to lack it.
    pub(crate) fn is_refused(&self, at: &Path<'_>) -> bool {
        if self.errors.is_empty() {
            return false;
        }
        let given = at.location();
        let mut refused = self.errors.iter().filter_map(|(place, _)| place.as_ref());
        refused.any(|refused| refused.is_in(&given))
    }

    /// What is at `at` is accepted, but is probably not meant.
    pub(crate) fn warn(&mut self, at: &Path<'_>, message: impl Into<String>) {
        let finding = finding(Severity::Warning, at, &message.into());
        self.others.push(finding);
    }

    /// What is at `at` is accepted, but can't be right.
    pub(crate) fn tolerate(&mut self, at: &Path<'_>, message: impl Into<String>) {
        let finding = finding(Severity::Tolerated, at, &message.into());
        self.others.push(finding);
    }

    /// The warnings about `text`, if nothing was found for which to refuse it.
    pub(crate) fn finish(self, text: &str) -> Result<Vec<Finding>, Errors> {
        self.finish_in(&Origins::of(text))
    }

    /// As [`Findings::finish`], for a configuration of these texts.
    pub(crate) fn finish_in(mut self, origins: &Origins<'_>) -> Result<Vec<Finding>, Errors> {
        let others = origins.locate(self.others);
        if self.errors.is_empty() {
            return Ok(others);
        }
        if self.unlisted > 0 {
            let more = format!("{} more errors are not listed", self.unlisted);
            let more = finding(Severity::Error, &Path::Root, &more);
            self.errors.push(more);
        }
        let errors = origins.locate(self.errors);
        Err(Errors { errors, others })
    }
}

fn finding(severity: Severity, at: &Path<'_>, message: &str) -> (Option<Location>, Finding) {
    let finding = Finding {
        severity,
        file: None,
        position: None,
        path: printable(&at.to_string()).into_owned(),
        message: printable(message).into_owned(),
        excerpt: None,
    };
    (Some(at.location()), finding)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn paths_print_as_operators_know_them() {
        let jobs = Path::Root.key("jobs");
        let job = Path::Named(&jobs, 2, "job", "app");
        let telemetry = Path::Root.key("telemetry");
        let exec = job.key("exec");
        assert_eq!(Path::Root.to_string(), "");
        assert_eq!(Path::Root.key("stopTimeout").to_string(), "stopTimeout");
        assert_eq!(
            job.key("health").key("ttl").to_string(),
            "job[app].health.ttl"
        );
        assert_eq!(Path::Index(&exec, 2).to_string(), "job[app].exec[2]");
        assert_eq!(
            Path::Named(&telemetry.key("metrics"), 0, "metrics", "up")
                .key("type")
                .to_string(),
            "telemetry.metrics[up].type"
        );
    }

    #[test]
    fn words_of_the_file_begin_no_line_and_steer_no_terminal() {
        let jobs = Path::Root.key("jobs");
        let job = Path::Named(&jobs, 0, "job", "é\n\u{1b}[31m\u{85}");
        let mut findings = Findings::default();
        findings.error(&job.key("a\rb"), "is no \t or \0");
        let shown = findings.finish("").unwrap_err().to_string();
        let expected = r"job[é\n\u{1b}[31m\u{85}].a\rb: is no \t or \u{0}";
        assert_eq!(shown, expected);
    }

    #[test]
    fn errors_print_one_a_line_and_never_without_end() {
        let mut findings = Findings::default();
        for index in 0..LISTED + 7 {
            let jobs = Path::Root.key("jobs");
            findings.error(&Path::Index(&jobs, index), "is wrong");
        }
        let text = findings.finish("").unwrap_err().to_string();
        assert_eq!(text.lines().count(), LISTED + 1);
        assert!(text.starts_with("jobs[0]: is wrong\njobs[1]: is wrong\n"));
        assert!(text.ends_with("7 more errors are not listed"), "{text}");
    }

    #[test]
    fn warnings_alone_do_not_refuse_a_file() {
        let mut findings = Findings::default();
        findings.warn(&Path::Root.key("jobs"), "is odd");
        let warnings = findings.finish("").unwrap();
        assert_eq!(warnings.len(), 1);
        assert_eq!(warnings.first().unwrap().to_string(), "jobs: is odd");
    }
}
