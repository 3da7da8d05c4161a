//! What is wrong or odd in a configuration, and where: paths of keys, errors
//! and warnings.
//!
//! Everything that reads the configuration adds to one [`Findings`], so that an
//! operator sees all faults of a file at once. Nothing here decides what is a
//! fault.

use std::fmt;

use super::positions::{self, Location};
use super::syntax::line_col;

/// So many errors are listed; a file with more has one cause for most of them.
const LISTED: usize = 100;

/// One thing that is wrong or odd, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// The key it is about, e.g. `job[app].health.ttl`; empty if it is about
    /// the whole file.
    pub path: String,
    /// What is wrong with it and what is allowed.
    pub message: String,
    /// Line and column of the key in the rendered text, counted from 1, or of
    /// what is around it if the key is missing.
    pub position: Option<(usize, usize)>,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.path.is_empty() {
            write!(f, "{}: ", self.path)?;
        }
        f.write_str(&self.message)
    }
}

/// Everything for which a configuration is refused; never empty.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Errors(Vec<Finding>);

impl Errors {
    /// One error about the whole file.
    pub fn file(message: impl Into<String>) -> Self {
        Self::one(message.into(), None)
    }

    /// One error at a line and a column of the text.
    pub(crate) fn at(position: (usize, usize), message: String) -> Self {
        Self::one(message, Some(position))
    }

    fn one(message: String, position: Option<(usize, usize)>) -> Self {
        Self(vec![Finding {
            path: String::new(),
            message,
            position,
        }])
    }

    /// The errors: first those of single values, then those of what they mean
    /// together, each in the order of the file.
    pub fn findings(&self) -> &[Finding] {
        &self.0
    }
}

impl fmt::Display for Errors {
    /// One error a line (a syntax error takes three, to show its line).
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, finding) in self.0.iter().enumerate() {
            if index > 0 {
                f.write_str("\n")?;
            }
            write!(f, "{finding}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Errors {}

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

    fn location(&self) -> Location {
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
    errors: Vec<(Location, Finding)>,
    unlisted: usize,
    warnings: Vec<(Location, Finding)>,
}

impl Findings {
    /// The configuration must be refused because of what is at `at`.
    pub(crate) fn error(&mut self, at: &Path<'_>, message: impl Into<String>) {
        if self.errors.len() >= LISTED {
            self.unlisted += 1;
            return;
        }
        self.errors.push(finding(at, message.into()));
    }

    /// How many errors were added.
    pub(crate) fn error_count(&self) -> usize {
        self.errors.len() + self.unlisted
    }

    /// What is at `at` is accepted, but is probably not meant.
    pub(crate) fn warn(&mut self, at: &Path<'_>, message: impl Into<String>) {
        self.warnings.push(finding(at, message.into()));
    }

    /// The warnings about `text`, if nothing was found for which to refuse it.
    pub(crate) fn finish(mut self, text: &str) -> Result<Vec<Finding>, Errors> {
        if self.errors.is_empty() {
            return Ok(located(self.warnings, text));
        }
        if self.unlisted > 0 {
            let more = format!("{} more errors are not listed", self.unlisted);
            self.errors.push(finding(&Path::Root, more));
        }
        Err(Errors(located(self.errors, text)))
    }
}

fn finding(at: &Path<'_>, message: String) -> (Location, Finding) {
    let finding = Finding {
        path: at.to_string(),
        message,
        position: None,
    };
    (at.location(), finding)
}

/// The findings with their positions in `text`.
fn located(findings: Vec<(Location, Finding)>, text: &str) -> Vec<Finding> {
    if findings.is_empty() {
        return Vec::new();
    }
    let locations: Vec<&Location> = findings.iter().map(|(location, _)| location).collect();
    let offsets = positions::find(text, &locations);
    findings
        .into_iter()
        .zip(offsets)
        .map(|((_, finding), offset)| Finding {
            position: offset.map(|offset| line_col(text, offset)),
            ..finding
        })
        .collect()
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
