//! What is wrong or odd in a configuration, and where: paths of keys, errors
//! and warnings.
//!
//! Everything that reads the configuration adds to one [`Findings`], so that an
//! operator sees all faults of a file at once. Nothing here decides what is a
//! fault.

use std::fmt;

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
        Self(vec![Finding {
            path: String::new(),
            message: message.into(),
        }])
    }

    /// The errors, in the order of the file.
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
    /// An element of the list of this name, by its own name.
    Named(&'a Path<'a>, &'a str, &'a str),
    /// An element of the list at this path, counted from 0.
    Index(&'a Path<'a>, usize),
}

impl<'a> Path<'a> {
    /// The value of `key` in the object at this path.
    pub(crate) fn key(&'a self, key: &'a str) -> Self {
        Self::Key(self, key)
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
            Self::Named(parent, list, name) => {
                dot(f, parent)?;
                write!(f, "{list}[{name}]")
            }
            Self::Index(list, index) => write!(f, "{list}[{index}]"),
        }
    }
}

/// Collects what is found while a configuration is read.
#[derive(Debug, Default)]
pub(crate) struct Findings {
    errors: Vec<Finding>,
    unlisted: usize,
    warnings: Vec<Finding>,
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

    /// The warnings, if nothing was found for which to refuse the file.
    pub(crate) fn finish(mut self) -> Result<Vec<Finding>, Errors> {
        if self.errors.is_empty() {
            return Ok(self.warnings);
        }
        if self.unlisted > 0 {
            let more = format!("{} more errors are not listed", self.unlisted);
            self.errors.push(finding(&Path::Root, more));
        }
        Err(Errors(self.errors))
    }
}

fn finding(at: &Path<'_>, message: String) -> Finding {
    Finding {
        path: at.to_string(),
        message,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn paths_print_as_operators_know_them() {
        let job = Path::Named(&Path::Root, "job", "app");
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
            Path::Named(&telemetry, "metrics", "up")
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
        let text = findings.finish().unwrap_err().to_string();
        assert_eq!(text.lines().count(), LISTED + 1);
        assert!(text.starts_with("jobs[0]: is wrong\njobs[1]: is wrong\n"));
        assert!(text.ends_with("7 more errors are not listed"), "{text}");
    }

    #[test]
    fn warnings_alone_do_not_refuse_a_file() {
        let mut findings = Findings::default();
        findings.warn(&Path::Root.key("jobs"), "is odd");
        let warnings = findings.finish().unwrap();
        assert_eq!(warnings.len(), 1);
        assert_eq!(warnings.first().unwrap().to_string(), "jobs: is odd");
    }
}
