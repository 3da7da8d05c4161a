//! `envFile`: files of environment variables, `NAME=value` a line.
//!
//! They are read as systemd reads an `EnvironmentFile` (systemd.exec(5)), which
//! also suits what is written for `docker run --env-file` unless a value has
//! quotes or backslashes. Values may be secrets: messages name the file and the
//! line, never what stands there.

use std::io::ErrorKind;
use std::path::Path as FilePath;

use super::findings::{Findings, Path};
use super::source::{self, cause};
use super::variables::{RESERVED, Variables, check_length, check_name, is_reserved};

/// The variables of the files of these names, later ones above earlier ones.
/// Names are relative to `directory`; a file whose name has a `-` in front may be
/// missing.
pub(crate) fn read(
    names: &[String],
    directory: &FilePath,
    at: &Path<'_>,
    findings: &mut Findings,
) -> Variables {
    let mut variables = Variables::default();
    for name in names {
        let (name, is_optional) = match name.strip_prefix('-') {
            Some(name) => (name, true),
            None => (name.as_str(), false),
        };
        let path = directory.join(name);
        match source::read_bytes(&path) {
            Ok(bytes) => add(&bytes, &path, &mut variables, at, findings),
            Err(error) if is_optional && error.kind() == ErrorKind::NotFound => {}
            Err(error) => {
                findings.error(at, format!("cannot read {path:?}: {}", cause(&error)));
            }
        }
    }
    variables
}

/// Adds what the file at `path` sets.
pub(super) fn add(
    bytes: &[u8],
    path: &FilePath,
    variables: &mut Variables,
    at: &Path<'_>,
    findings: &mut Findings,
) {
    let text = match std::str::from_utf8(bytes) {
        Ok(text) => text,
        Err(error) => {
            let before = bytes.get(..error.valid_up_to()).unwrap_or_default();
            let line = before.iter().filter(|byte| **byte == b'\n').count() + 1;
            findings.error(at, format!("{}:{line}: is not UTF-8", path.display()));
            return;
        }
    };
    let mut good = Vec::new();
    for (line, entry) in Entries::of(text) {
        let place = format!("{}:{line}", path.display());
        match entry {
            Ok((name, _)) if is_reserved(name) => {
                findings.warn(at, format!("{place}: {name} {RESERVED}"));
            }
            Ok((name, value)) => match check_length(name, &value) {
                Ok(()) => good.push((name.to_owned(), Some(value))),
                Err(why) => findings.error(at, format!("{place}: {name} {why}")),
            },
            Err(why) => findings.error(at, format!("{place}: {why}")),
        }
    }
    variables.set_all(good);
}

/// The entries of a file, each with its line.
struct Entries<'t> {
    rest: &'t str,
    line: usize,
}

type Entry<'t> = Result<(&'t str, String), String>;

impl<'t> Iterator for Entries<'t> {
    type Item = (usize, Entry<'t>);

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            match self.peek()? {
                '#' | ';' => self.skip_line(),
                c if c.is_whitespace() => self.skip(),
                _ => break,
            }
        }
        let line = self.line;
        Some((line, self.entry()))
    }
}

fn is_end(c: char) -> bool {
    matches!(c, '\n' | '\r')
}

impl<'t> Entries<'t> {
    fn of(text: &'t str) -> Self {
        let rest = text.strip_prefix('\u{feff}').unwrap_or(text);
        Self { rest, line: 1 }
    }

    fn peek(&self) -> Option<char> {
        self.rest.chars().next()
    }

    fn take(&mut self) -> Option<char> {
        let mut rest = self.rest.chars();
        let c = rest.next()?;
        self.rest = rest.as_str();
        self.line += usize::from(c == '\n');
        Some(c)
    }

    fn skip(&mut self) {
        let _skipped = self.take();
    }

    fn skip_line(&mut self) {
        while self.peek().is_some_and(|c| !is_end(c)) {
            self.skip();
        }
    }

    fn entry(&mut self) -> Entry<'t> {
        let line = self.rest.split(is_end).next().unwrap_or_default();
        let Some((name, _)) = line.split_once('=') else {
            self.skip_line();
            return Err("has no \"=\": write NAME=value".to_owned());
        };
        while self.take().is_some_and(|c| c != '=') {}
        let value = self.value()?;
        let name = name.trim_end();
        if name.starts_with("export ") {
            return Err("is read by no shell: write NAME=value without \"export\"".to_owned());
        }
        check_name(name).map_err(|why| format!("what stands before the \"=\" {why}"))?;
        match value.contains('\0') {
            true => Err("contains a NUL character, which no process can be given".to_owned()),
            false => Ok((name, value)),
        }
    }

    /// What follows the `=`: quoted parts, and then text up to the line's end.
    fn value(&mut self) -> Result<String, String> {
        let mut value = String::new();
        loop {
            match self.peek() {
                None => return Ok(value),
                Some(c) if is_end(c) => return Ok(value),
                Some(' ' | '\t') => self.skip(),
                Some(quote @ ('\'' | '"')) => {
                    self.skip();
                    self.quoted(quote, &mut value)?;
                }
                Some(_) => {
                    self.plain(&mut value);
                    return Ok(value);
                }
            }
        }
    }

    /// The rest of a line, or of several that end in a backslash. A backslash
    /// keeps what follows it as it is, also a blank at the end.
    fn plain(&mut self, value: &mut String) {
        let mut end = value.len();
        while let Some(c) = self.peek().filter(|c| !is_end(*c)) {
            self.skip();
            match c {
                '\\' => value.extend(self.escaped()),
                c => value.push(c),
            }
            if !matches!(c, ' ' | '\t') {
                end = value.len();
            }
        }
        value.truncate(end);
    }

    /// What a backslash keeps as it is; the end of a line it takes away.
    fn escaped(&mut self) -> Option<char> {
        match self.take()? {
            '\n' => None,
            '\r' => {
                if self.peek() == Some('\n') {
                    self.skip();
                }
                None
            }
            c => Some(c),
        }
    }

    /// What stands between quotes, which may be several lines. In double quotes a
    /// backslash escapes what a shell would need escaped.
    fn quoted(&mut self, quote: char, value: &mut String) -> Result<(), String> {
        while let Some(c) = self.take() {
            match c {
                c if c == quote => return Ok(()),
                '\\' if quote == '"' => match self.escaped() {
                    None => {}
                    Some(escaped @ ('"' | '\\' | '`' | '$')) => value.push(escaped),
                    Some(other) => value.extend(['\\', other]),
                },
                c => value.push(c),
            }
        }
        Err(format!("begins a value with {quote} that is not closed"))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn entries(text: &str) -> Vec<(usize, Entry<'_>)> {
        Entries::of(text).collect()
    }

    /// The values of `A` in a file.
    fn value(text: &str) -> String {
        let entries = entries(text);
        let [(1, Ok((name, value)))] = entries.as_slice() else {
            return format!("{entries:?}");
        };
        assert_eq!(*name, "A", "{text}");
        value.clone()
    }

    #[test]
    fn values_are_read_as_systemd_reads_them() {
        for (text, expected) in [
            ("A=b", "b"),
            ("A=", ""),
            ("A=b=c", "b=c"),
            ("A = b ", "b"),
            ("A=b c\t\n", "b c"),
            ("A=b\r\n", "b"),
            ("A=b # c", "b # c"),
            ("A=\"b \" ", "b "),
            ("A='b \"c\\n' # ", "b \"c\\n# ".trim_end()),
            ("A=\"b\"'c' \"d\"", "bcd"),
            ("A=b\"c\"", "b\"c\""),
            ("A=\"b\\\"\\\\\\$\\n\"", "b\"\\$\\n"),
            ("A=\"b\nc\"\n", "b\nc"),
            ("A='b\\\nc'", "b\\\nc"),
            ("A=\"b\\\nc\"", "bc"),
            ("A=b\\\nc", "bc"),
            ("A=b\\\r\nc", "bc"),
            ("A=b\\n\\ ", "bn "),
            ("A=b\\", "b"),
            ("\u{feff}A=ä", "ä"),
        ] {
            assert_eq!(value(text), expected, "{text:?}");
        }
    }

    #[test]
    fn comments_and_blank_lines_are_nothing() {
        let read = entries("# A=1\n\n ; B=2\r\n  C=3\n\t#\nD=4");
        let value = str::to_owned;
        assert_eq!(
            read,
            [(4, Ok(("C", value("3")))), (6, Ok(("D", value("4"))))]
        );
    }

    #[test]
    fn what_is_no_entry_is_an_error_that_tells_the_line_and_no_value() {
        let no_name = "what stands before the \"=\" is no name of a variable: ";
        for (text, line, error) in [
            (
                "A=1\nsecret\nB=2",
                2,
                "has no \"=\": write NAME=value".to_owned(),
            ),
            ("=secret", 1, format!("{no_name}it is empty")),
            (
                "\nsec ret=secret",
                2,
                format!("{no_name}it contains \"=\", a blank or a control character"),
            ),
            (
                "export A=secret",
                1,
                "is read by no shell: write NAME=value without \"export\"".to_owned(),
            ),
            (
                "A=1\nB=\"secret\n\n",
                2,
                "begins a value with \" that is not closed".to_owned(),
            ),
            (
                "A='sec\0ret'",
                1,
                "contains a NUL character, which no process can be given".to_owned(),
            ),
        ] {
            let found = entries(text);
            let found = found.iter().find(|(_, entry)| entry.is_err());
            assert_eq!(found, Some(&(line, Err(error))), "{text:?}");
        }
    }

    #[test]
    fn a_faulty_entry_does_not_hide_the_next_one() {
        let read = entries("nothing\nA=1\n=2\nB='3'\n");
        let lines: Vec<(usize, bool)> = read
            .iter()
            .map(|(line, entry)| (*line, entry.is_ok()))
            .collect();
        assert_eq!(lines, [(1, false), (2, true), (3, false), (4, true)]);
    }
}
