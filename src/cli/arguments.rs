//! Arguments as Go's `flag` package reads them, brought into the one spelling
//! that pico-args knows.
//!
//! `-x`, `--x`, `-x v` and `-x=v` all become the token `--x`, followed by `=v`
//! if there is a value. The sign in front keeps a value from looking like a
//! flag: `-putenv -ping=1` sets a variable of an odd name.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt, OsStringExt};

use super::UsageError;
use super::flags::{FLAGS, Flag, Takes};

/// Arguments in one spelling.
#[derive(Debug, Default)]
pub(super) struct Normal {
    /// Flags and their values.
    pub(super) tokens: Vec<OsString>,
    /// What follows the first argument that is no flag, or `--`.
    pub(super) rest: Vec<OsString>,
    /// Whether it follows `--`, and so is a command.
    pub(super) is_command: bool,
    /// Whether `-help` or `-h` came before anything that is wrong.
    pub(super) help: bool,
}

/// Brings `arguments` (without the program's name) into one spelling.
///
/// # Errors
/// A flag that does not exist, lacks its value, or has a value that is no
/// boolean though it takes none.
pub(super) fn normalise(
    arguments: impl IntoIterator<Item = OsString>,
) -> Result<Normal, UsageError> {
    let mut normal = Normal::default();
    let mut arguments = arguments.into_iter().peekable();
    while let Some(argument) = arguments.next() {
        if argument == "--" {
            normal.is_command = true;
            break;
        }
        let Some(Spelled { word, value }) = split(&argument)? else {
            normal.rest.push(argument);
            break;
        };
        if word == b"help" || word == b"h" {
            normal.help = true;
            return Ok(normal);
        }
        let Some(flag) = FLAGS.iter().find(|flag| flag.is(word)) else {
            let word = String::from_utf8_lossy(word);
            return Err(UsageError(format!(
                "flag provided but not defined: -{word}"
            )));
        };
        match flag.takes {
            Takes::Nothing => normal.switch(flag, value)?,
            Takes::Value(_) | Takes::Values(_) => {
                let value = value.map(OsStr::to_owned).or_else(|| arguments.next());
                normal.set(flag, value)?;
            }
            Takes::Maybe(_) => {
                let is_value = |next: &OsString| !next.as_bytes().starts_with(b"-");
                let value = value.map(OsStr::to_owned);
                let value = value.or_else(|| arguments.next_if(is_value));
                normal.set(flag, value.or_else(|| Some(OsString::new())))?;
            }
        }
    }
    normal.rest.extend(arguments);
    Ok(normal)
}

/// A flag as it was typed.
struct Spelled<'a> {
    word: &'a [u8],
    /// What follows its `=`.
    value: Option<&'a OsStr>,
}

/// The parts of a flag; nothing if the argument is none.
fn split(argument: &OsStr) -> Result<Option<Spelled<'_>>, UsageError> {
    let Some(text) = argument.as_bytes().strip_prefix(b"-") else {
        return Ok(None);
    };
    if text.is_empty() {
        return Ok(None);
    }
    let text = text.strip_prefix(b"-").unwrap_or(text);
    if text.is_empty() || text.starts_with(b"-") || text.starts_with(b"=") {
        let argument = argument.to_string_lossy();
        return Err(UsageError(format!("bad flag syntax: {argument}")));
    }
    let mut parts = text.splitn(2, |byte| *byte == b'=');
    Ok(Some(Spelled {
        word: parts.next().unwrap_or_default(),
        value: parts.next().map(OsStr::from_bytes),
    }))
}

impl Normal {
    /// A flag that is on unless its value says otherwise; the last one counts.
    fn switch(&mut self, flag: &Flag, value: Option<&OsStr>) -> Result<(), UsageError> {
        let on = match value.map(OsStr::as_bytes) {
            None | Some(b"1" | b"t" | b"T" | b"true" | b"TRUE" | b"True") => true,
            Some(b"0" | b"f" | b"F" | b"false" | b"FALSE" | b"False") => false,
            Some(other) => {
                let (other, name) = (String::from_utf8_lossy(other), flag.name());
                let text = format!("invalid boolean value {other:?} for {name}: use true or false");
                return Err(UsageError(text));
            }
        };
        self.tokens.retain(|token| token != flag.key);
        if on {
            self.tokens.push(flag.key.into());
        }
        Ok(())
    }

    fn set(&mut self, flag: &Flag, value: Option<OsString>) -> Result<(), UsageError> {
        let Some(value) = value else {
            let name = flag.name();
            return Err(UsageError(format!("flag needs an argument: {name}")));
        };
        let mut marked = b"=".to_vec();
        marked.extend_from_slice(value.as_bytes());
        self.tokens.push(flag.key.into());
        self.tokens.push(OsString::from_vec(marked));
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    /// The tokens, a bar, and the rest.
    fn normal(arguments: &[&str]) -> String {
        match normalise(arguments.iter().map(OsString::from)) {
            Err(error) => error.to_string(),
            Ok(normal) if normal.help => "help".to_owned(),
            Ok(Normal {
                mut tokens, rest, ..
            }) => {
                tokens.push("|".into());
                tokens.extend(rest);
                tokens.join(OsStr::new(" ")).into_string().unwrap()
            }
        }
    }

    #[test]
    fn all_spellings_become_one() {
        let cases: [(&[&str], &str); 25] = [
            (&[], "|"),
            (&["-ping"], "--ping |"),
            (&["--ping"], "--ping |"),
            (&["-ping=true", "--ping=T"], "--ping |"),
            (&["-ping", "-ping=false"], "|"),
            (&["-ping=0", "-ping"], "--ping |"),
            (&["-config", "a"], "--config =a |"),
            (&["--config", "a"], "--config =a |"),
            (&["-config=a"], "--config =a |"),
            (&["--config=a", "-config="], "--config =a --config = |"),
            (&["-config", ""], "--config = |"),
            (
                &["-putenv", "A=b=c", "-putenv=D=e"],
                "--putenv =A=b=c --putenv =D=e |",
            ),
            (
                &["-putenv", "-ping", "--putenv", "--"],
                "--putenv =-ping --putenv =-- |",
            ),
            (&["-putenv", "\"x"], "--putenv =\"x |"),
            (&["-ping", "a", "-reload"], "--ping | a -reload"),
            (&["-status"], "--status = |"),
            (&["-status", "app", "-json"], "--status =app --json |"),
            (&["-status", "-json", "app"], "--status = --json | app"),
            (&["-status=-x", "--"], "--status =-x |"),
            (&["-status", "--", "app"], "--status = | app"),
            (&["-", "-ping"], "| - -ping"),
            (&["--", "-ping"], "| -ping"),
            (&["-ping", "--"], "--ping |"),
            (&["-ping", "-h", "-nonsense"], "help"),
            (&["--help=no"], "help"),
        ];
        for (arguments, expected) in cases {
            assert_eq!(normal(arguments), expected, "{arguments:?}");
        }
    }

    #[test]
    fn what_go_refuses_is_refused_in_its_words() {
        let cases: [(&[&str], &str); 8] = [
            (&["-nonsense"], "flag provided but not defined: -nonsense"),
            (&["--pin=1"], "flag provided but not defined: -pin"),
            (
                &["-nonsense", "-h"],
                "flag provided but not defined: -nonsense",
            ),
            (&["-config"], "flag needs an argument: -config"),
            (&["-ping", "--putenv"], "flag needs an argument: -putenv"),
            (&["---ping"], "bad flag syntax: ---ping"),
            (&["-=x"], "bad flag syntax: -=x"),
            (
                &["-ping=maybe"],
                "invalid boolean value \"maybe\" for -ping: use true or false",
            ),
        ];
        for (arguments, expected) in cases {
            assert_eq!(normal(arguments), expected, "{arguments:?}");
        }
    }

    #[test]
    fn a_path_need_not_be_utf8() {
        let path = OsString::from_vec(b"/\xff".to_vec());
        let normal = normalise(["-config".into(), path]).unwrap();
        assert_eq!(normal.tokens[1].as_bytes(), b"=/\xff");
    }
}
