//! What is wrong or odd in a configuration, and where: paths of keys, errors
//! and warnings.
//!
//! Everything that reads the configuration adds to one [`Findings`], so that an
//! operator sees all faults of a file at once. Nothing here decides what is a
//! fault.

use std::fmt;
use std::sync::Arc;

use super::origins::Origins;
use super::positions::Location;

/// So many errors are listed; a file with more has one cause for most of them.
const LISTED: usize = 100;

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
    errors: Vec<Finding>,
    others: Vec<Finding>,
}

impl Errors {
    /// One error about the whole file.
    pub fn file(message: impl Into<String>) -> Self {
        Self::one(None, message.into(), None)
    }

    /// One error at a line and a column of the text, and the line.
    pub(crate) fn at(position: (usize, usize), message: &str, excerpt: String) -> Self {
        Self::one(Some(position), message.to_owned(), Some(excerpt))
    }

    fn one(position: Option<(usize, usize)>, message: String, excerpt: Option<String>) -> Self {
        let error = Finding {
            severity: Severity::Error,
            file: None,
            position,
            path: String::new(),
            message: printable(message),
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
        self.add_error(finding(Severity::Error, at, message.into()));
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

    /// What is at `at` is accepted, but is probably not meant.
    pub(crate) fn warn(&mut self, at: &Path<'_>, message: impl Into<String>) {
        let finding = finding(Severity::Warning, at, message.into());
        self.others.push(finding);
    }

    /// What is at `at` is accepted, but can't be right.
    pub(crate) fn tolerate(&mut self, at: &Path<'_>, message: impl Into<String>) {
        let finding = finding(Severity::Tolerated, at, message.into());
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
            let more = finding(Severity::Error, &Path::Root, more);
            self.errors.push(more);
        }
        let errors = origins.locate(self.errors);
        Err(Errors { errors, others })
    }
}

fn finding(severity: Severity, at: &Path<'_>, message: String) -> (Option<Location>, Finding) {
    let finding = Finding {
        severity,
        file: None,
        position: None,
        path: printable(at.to_string()),
        message: printable(message),
        excerpt: None,
    };
    (Some(at.location()), finding)
}

/// What is said with words of the file in it, so that they begin no line and steer
/// no terminal.
fn printable(text: String) -> String {
    if !text.contains(char::is_control) {
        return text;
    }
    let mut shown = String::with_capacity(text.len());
    for c in text.chars() {
        match c.is_control() {
            true => shown.extend(c.escape_default()),
            false => shown.push(c),
        }
    }
    shown
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
