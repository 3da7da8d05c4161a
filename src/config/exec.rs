//! `exec`: a command, and `logging.raw`: how its output is treated (SPEC §3,
//! §13).

use std::sync::Arc;

use super::context::ContextSpec;
use super::decode::{Decode, mismatch};
use super::findings::{Findings, Path};
use super::table::{Preset, Shape, object};
use super::value::Value;
use super::variables::LONGEST;

/// A command and how its output is treated.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ExecSpec {
    /// The program and its arguments; never empty.
    pub argv: Vec<String>,
    /// Whether the child writes to the supervisor's own stdout and stderr
    /// instead of through its log.
    pub raw: bool,
    /// As whom, where and with what it is executed, if not as the supervisor.
    pub context: Option<Arc<ContextSpec>>,
}

impl ExecSpec {
    /// The program as the file has it, which it is told as its own name.
    pub fn name(&self) -> &str {
        self.argv.first().map(String::as_str).unwrap_or_default()
    }
}

object! {
    /// How the output of a job or a health check is treated, as the file has it.
    RawOutput in "job.logging" {
        raw: bool = "raw", Preset::Bool(false),
            "The process writes to the supervisor's own stdout and stderr instead of through its log.";
    }
}

/// The program and its arguments; never empty.
#[derive(Debug)]
pub(crate) struct Exec(Vec<String>);

impl Exec {
    /// The program.
    pub(crate) fn program(&self) -> Option<&str> {
        self.0.first().map(String::as_str)
    }

    /// The command, with what the file says about its output, without a context.
    pub(crate) fn into_spec(self, output: Option<&RawOutput>) -> ExecSpec {
        ExecSpec {
            argv: self.0,
            raw: output.and_then(|output| output.raw).unwrap_or_default(),
            context: None,
        }
    }
}

impl Decode for Exec {
    const SHAPE: Shape = Shape::Command;

    fn decode(value: Value<'_>, at: &Path<'_>, findings: &mut Findings) -> Option<Self> {
        if matches!(value, Value::Object(_)) {
            return mismatch(&value, "a string or a list of strings", at, findings);
        }
        let one_text = matches!(value, Value::Text(_));
        let mut argv = Vec::<String>::decode(value, at, findings)?;
        if one_text {
            argv = argv.iter().flat_map(|text| split(text)).collect();
        }
        if argv.first().is_none_or(String::is_empty) {
            let example = r#"e.g. "/bin/app -v" or ["/bin/app", "-v"]"#;
            findings.error(at, format!("names no program ({example})"));
            return None;
        }
        if let Some(word) = argv.iter().find(|word| word.len() > LONGEST) {
            let message = format!(
                "has an argument of {} bytes, and no program can be given more than {LONGEST} in one",
                word.len()
            );
            findings.error(at, message);
        }
        if one_text && let Some(syntax) = argv.iter().find_map(|word| shell_syntax(word)) {
            findings.warn(
                at,
                format!(
                    "is split at spaces and read by no shell, so `{syntax}` is passed on as it is; \
                     write [\"sh\", \"-c\", \"…\"] for a shell, or a list for arguments with spaces"
                ),
            );
        }
        Some(Self(argv))
    }
}

/// The words of a command that is one string.
fn split(text: &str) -> impl Iterator<Item = String> {
    text.split_ascii_whitespace().map(str::to_owned)
}

/// What a shell would not pass on as it is of a word. Not the word: it may be a
/// password.
fn shell_syntax(word: &str) -> Option<&'static str> {
    let find = |all: &[&'static str], is_it: &dyn Fn(&str) -> bool| {
        all.iter().copied().find(|syntax| is_it(syntax))
    };
    let redirection = word.trim_start_matches(['1', '2', '&']);
    find(&["&&", "||", "|", ";", "&", "<"], &|all| word == all)
        .or_else(|| find(&[">>", ">"], &|begin| redirection.starts_with(begin)))
        .or_else(|| find(&["\"", "'", "`", "$("], &|part| word.contains(part)))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn decode(text: &str) -> (Option<Vec<String>>, Findings) {
        let mut findings = Findings::default();
        let value = json5::from_str(text).unwrap();
        let exec = Exec::decode(value, &Path::Root.key("exec"), &mut findings);
        (exec.map(|exec| exec.0), findings)
    }

    #[test]
    fn a_command_is_a_string_split_at_spaces_or_a_list() {
        for (text, argv) in [
            ("'/bin/app'", &["/bin/app"] as &[&str]),
            ("'/bin/app -v x'", &["/bin/app", "-v", "x"]),
            ("'  /bin/app   -v\\t x '", &["/bin/app", "-v", "x"]),
            ("['/bin/app', 'a b', '']", &["/bin/app", "a b", ""]),
            ("['sleep', 5, 1.5, true]", &["sleep", "5", "1.5", "true"]),
        ] {
            let (decoded, findings) = decode(text);
            assert_eq!(decoded.unwrap(), argv, "{text}");
            assert!(findings.finish("").unwrap().is_empty(), "{text}");
        }
    }

    #[test]
    fn an_argument_that_no_program_can_be_given_is_an_error() {
        let long = |length: usize| format!("['sh', '-c', '{}']", "x".repeat(length));
        assert!(decode(&long(LONGEST)).1.finish("").is_ok());
        let errors = decode(&long(LONGEST + 1)).1.finish("").unwrap_err();
        assert_eq!(
            errors.to_string(),
            "exec: has an argument of 131072 bytes, and no program can be given more than 131071 in one"
        );
    }

    #[test]
    fn a_command_without_program_is_an_error() {
        let no_program = r#"exec: names no program (e.g. "/bin/app -v" or ["/bin/app", "-v"])"#;
        for (text, error) in [
            ("''", no_program),
            ("'  '", no_program),
            ("[]", no_program),
            ("['']", no_program),
            ("{}", "exec: an object is not a string or a list of strings"),
            ("['a', ['b']]", "exec[1]: a list is not a string"),
            ("['a', null]", "exec[1]: null is not a string"),
            (
                "'a\\0b'",
                "exec: contains a NUL character, which no process can be given",
            ),
        ] {
            let (decoded, findings) = decode(text);
            assert_eq!(decoded, None, "{text}");
            assert_eq!(
                findings.finish("").unwrap_err().to_string(),
                error,
                "{text}"
            );
        }
    }

    #[test]
    fn shell_syntax_in_a_string_is_a_warning() {
        for (text, syntax) in [
            ("'consul info | grep leader'", "|"),
            ("'acme init && check'", "&&"),
            ("'app > /tmp/out'", ">"),
            ("'app 2>&1'", ">"),
            ("'app >>/tmp/out'", ">>"),
            ("\"echo 'hello world'\"", "'"),
            ("'curl -H \"HOST: x\"'", "\""),
            ("'kill $(cat pid)'", "$("),
            ("'kill `cat pid`'", "`"),
            ("\"app --password=hunter2'x\"", "'"),
        ] {
            let warnings = decode(text).1.finish("").unwrap();
            let warning = warnings.first().unwrap().to_string();
            assert!(
                warning.contains(&format!("so `{syntax}` is passed on")),
                "{warning}"
            );
            assert!(!warning.contains("hunter2"), "{warning}");
        }
        for text in [
            "'app --x=a>b http://h/?a=1&b=2'",
            "['sh', '-c', 'a && b']",
            "'a;b'",
        ] {
            assert!(decode(text).1.finish("").unwrap().is_empty(), "{text}");
        }
    }
}
