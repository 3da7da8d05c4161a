//! `env`: what a configuration changes of the environment of processes (SPEC
//! §15).
//!
//! The values may be secrets. They leave this module for the environment of a
//! process and for nothing else: no message, log line or debug output has them.

use std::fmt;

use crate::environment::Environment;
use crate::sorted::SortedMap;

use super::findings::{Findings, Path};
use super::pairs::Pairs;

/// Variables with the values that they get, or that they are unset.
#[derive(Clone, Default, PartialEq, Eq, Hash)]
pub struct Variables(SortedMap<String, Option<String>>);

impl fmt::Debug for Variables {
    /// The names alone.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

impl Variables {
    /// Those that an `env` sets, without what it may not set.
    pub(crate) fn of(pairs: Pairs, at: &Path<'_>, findings: &mut Findings) -> Self {
        let mut good = Vec::new();
        for (name, value) in pairs.0 {
            match check_name(&name) {
                Ok(()) if is_reserved(&name) => findings.warn(&at.key(&name), RESERVED),
                Ok(()) => match check_length(&name, value.as_deref().unwrap_or_default()) {
                    Ok(()) => good.push((name, value)),
                    Err(why) => findings.error(&at.key(&name), why),
                },
                Err(why) => findings.error(&at.key(&name), why),
            }
        }
        let mut variables = Self::default();
        variables.set_all(good);
        variables
    }

    /// Sets a variable, or has it unset.
    pub(crate) fn set(&mut self, name: impl Into<String>, value: Option<String>) {
        self.0.insert(name.into(), value);
    }

    /// Sets them or has them unset; of a name that comes twice the last one counts.
    pub(crate) fn set_all(&mut self, mut list: Vec<(String, Option<String>)>) {
        // In their order each of thousands is put at the end, and none is moved.
        list.sort_by(|(one, _), (other, _)| one.cmp(other));
        for (name, value) in list {
            self.set(name, value);
        }
    }

    /// Whether nothing is changed.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Changes `environment` so.
    pub fn apply(&self, environment: &mut Environment) {
        for (name, value) in self.0.iter() {
            match value {
                Some(value) => environment.set(name, value),
                None => environment.unset(name),
            }
        }
    }
}

/// What is said of a variable that [`is_reserved`].
pub(crate) const RESERVED: &str = "has no effect: the supervisor sets this variable itself";

/// Whether the supervisor sets this variable for every child itself (SPEC §5).
pub(crate) fn is_reserved(name: &str) -> bool {
    let Some(rest) = name.strip_prefix("CONTAINERPILOT_") else {
        return false;
    };
    matches!(rest, "PID" | "SOCKET") || rest.ends_with("_IP") || rest.ends_with("_PID")
}

/// The longest argument and the longest `NAME=value` that the kernel gives to a
/// process (execve(2), 32 pages less the NUL): with a longer one nothing starts.
pub(crate) const LONGEST: usize = 32 * 4096 - 1;

/// Whether a process can have a variable of this length.
///
/// # Errors
/// Why not, without the value.
pub(crate) fn check_length(name: &str, value: &str) -> Result<(), String> {
    let length = name.len() + "=".len() + value.len();
    match length <= LONGEST {
        true => Ok(()),
        false => Err(format!(
            "has {length} bytes with its name, and a variable of a process at most {LONGEST}"
        )),
    }
}

/// Whether a process can have a variable of this name, and a shell could be told
/// of it: dots and dashes are some programs' own.
///
/// # Errors
/// Why not, without the name.
pub(crate) fn check_name(name: &str) -> Result<(), &'static str> {
    let is_bad = |c: char| c == '=' || c.is_whitespace() || c.is_control();
    match name {
        "" => Err("is no name of a variable: it is empty"),
        name if name.contains(is_bad) => {
            Err("is no name of a variable: it contains \"=\", a blank or a control character")
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::super::decode::Decode;
    use super::*;

    fn variables(text: &str) -> (Variables, Findings) {
        let mut findings = Findings::default();
        let at = Path::Root.key("env");
        let pairs = Pairs::decode(json5::from_str(text).unwrap(), &at, &mut findings);
        let variables = Variables::of(pairs.unwrap_or_default(), &at, &mut findings);
        (variables, findings)
    }

    #[test]
    fn variables_are_set_replaced_and_unset() {
        let (variables, findings) = variables("{A: 'x=y', B: 5, C: null, D: '', 'e.f-g': true}");
        assert!(findings.finish("").unwrap().is_empty());
        let mut environment: Environment = [("A", "old"), ("C", "old"), ("K", "kept")]
            .into_iter()
            .collect();
        variables.apply(&mut environment);
        let expected = [
            ("A", "x=y"),
            ("B", "5"),
            ("D", ""),
            ("K", "kept"),
            ("e.f-g", "true"),
        ];
        assert_eq!(environment, expected.into_iter().collect());
    }

    #[test]
    fn values_are_shown_nowhere() {
        let (variables, findings) =
            variables("{TOKEN: 'hunter2', 'a b': 'hunter2', X: ['hunter2']}");
        let shown = format!("{variables:?} {findings:?}");
        assert!(!shown.contains("hunter2"), "{shown}");
        let (variables, _) = super::tests::variables("{TOKEN: 'hunter2'}");
        assert_eq!(format!("{variables:?}"), "{\"TOKEN\"}");
    }

    #[test]
    fn names_that_no_process_can_be_given_are_errors() {
        let bad = "is no name of a variable: it contains \"=\", a blank or a control character";
        for (text, error) in [
            ("{'A=B': 1}", format!("env.A=B: {bad}")),
            ("{'A B': 1}", format!("env.A B: {bad}")),
            ("{'A\\0': 1}", format!("env.A\\u{{0}}: {bad}")),
            (
                "{'': 1}",
                "env.: is no name of a variable: it is empty".to_owned(),
            ),
            (
                "{A: '\\0'}",
                "env.A: contains a NUL character, which no process can be given".to_owned(),
            ),
        ] {
            let errors = variables(text).1.finish("").unwrap_err();
            assert_eq!(errors.to_string(), error, "{text}");
        }
    }

    #[test]
    fn what_no_process_can_be_given_is_an_error() {
        let long = |length: usize| format!("{{AB: '{}'}}", "x".repeat(length));
        assert!(variables(&long(LONGEST - 3)).1.finish("").is_ok());
        let errors = variables(&long(LONGEST - 2)).1.finish("").unwrap_err();
        assert_eq!(
            errors.to_string(),
            "env.AB: has 131072 bytes with its name, and a variable of a process at most 131071"
        );
    }

    #[test]
    fn what_the_supervisor_sets_itself_is_left_to_it() {
        let (variables, findings) = variables(
            "{CONTAINERPILOT_PID: 1, CONTAINERPILOT_SOCKET: null, CONTAINERPILOT_DB_IP: 1,
              CONTAINERPILOT_DB_PID: 1, CONTAINERPILOT: '/x', CONTAINERPILOT_LEVEL: 2}",
        );
        assert_eq!(findings.finish("").unwrap().len(), 4);
        assert_eq!(
            format!("{variables:?}"),
            "{\"CONTAINERPILOT\", \"CONTAINERPILOT_LEVEL\"}"
        );
    }
}
