//! One thing that is wrong or odd in a configuration, and how an operator reads it.
//!
//! Nothing here decides what is a fault.

use std::fmt;
use std::sync::Arc;

use crate::printable::printable;

/// How bad a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Severity {
    /// The configuration is refused.
    Error,
    /// It is accepted, because the original accepts it, but it can't be right: a
    /// warning at a start, an error to `-check`.
    Tolerated,
    /// It is accepted, but is probably not meant.
    Warning,
}

/// One thing that is wrong or odd, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// How bad it is.
    pub severity: Severity,
    /// The included file that it is in, if it is not in the configuration file
    /// itself.
    pub file: Option<Arc<str>>,
    /// Line and column of the key in the rendered text, counted from 1, or of
    /// what is around it if the key is missing.
    pub position: Option<(usize, usize)>,
    /// The key it is about, e.g. `job[app].health.ttl`; empty if it is about
    /// the whole file.
    pub path: String,
    /// What is wrong with it and what is allowed.
    pub message: String,
    /// The line it is about and a caret below the place, if the file could not
    /// even be read as JSON5.
    pub excerpt: Option<String>,
}

impl Finding {
    /// The finding with its place in front: `[file:]line:column: `.
    pub fn located(&self) -> Located<'_> {
        Located(self)
    }
}

impl fmt::Display for Finding {
    /// Without the place.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.path.is_empty() {
            write!(f, "{}: ", self.path)?;
        }
        f.write_str(&self.message)?;
        match &self.excerpt {
            Some(excerpt) => write!(f, "\n{excerpt}"),
            None => Ok(()),
        }
    }
}

/// See [`Finding::located`].
#[derive(Clone, Copy, Debug)]
pub struct Located<'f>(&'f Finding);

impl fmt::Display for Located<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(finding) = self;
        if let Some(file) = &finding.file {
            write!(f, "{file}:")?;
        }
        if let Some((line, column)) = finding.position {
            write!(f, "{line}:{column}:")?;
        }
        if finding.file.is_some() || finding.position.is_some() {
            f.write_str(" ")?;
        }
        finding.fmt(f)
    }
}

/// Everything for which a configuration is refused; never without an error.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Errors {
    pub(super) errors: Vec<Finding>,
    /// What would not have been refused by itself.
    pub(super) others: Vec<Finding>,
}

impl Errors {
    /// One error about the whole file.
    pub fn file(message: impl Into<String>) -> Self {
        Self::one(None, &message.into(), None)
    }

    /// One error at a line and a column of the text, and the line.
    pub(crate) fn at(position: (usize, usize), message: &str, excerpt: String) -> Self {
        Self::one(Some(position), message, Some(excerpt))
    }

    fn one(position: Option<(usize, usize)>, message: &str, excerpt: Option<String>) -> Self {
        let error = Finding {
            severity: Severity::Error,
            file: None,
            position,
            path: String::new(),
            message: printable(message).into_owned(),
            excerpt,
        };
        Self {
            errors: vec![error],
            others: Vec::new(),
        }
    }

    /// The errors: first those of single values, then those of what they mean
    /// together, each in the order of the file.
    pub fn findings(&self) -> &[Finding] {
        &self.errors
    }

    /// The errors, and then what would not have been refused by itself.
    pub fn into_all(mut self) -> Vec<Finding> {
        self.errors.append(&mut self.others);
        self.errors
    }
}

impl fmt::Display for Errors {
    /// One error a line (a syntax error takes three, to show its line).
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, finding) in self.errors.iter().enumerate() {
            if index > 0 {
                f.write_str("\n")?;
            }
            finding.located().fmt(f)?;
        }
        Ok(())
    }
}

impl std::error::Error for Errors {}
