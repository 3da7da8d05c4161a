//! A command instead of a file: what `containerpilot -- COMMAND` runs (SPEC §17).
//!
//! It becomes the values of a file that nobody has written, so that everything
//! from there on is as it is for any other, defaults and errors included. What no
//! file can say is added: there may be no control socket, and the job is the
//! foreground one of the supervisor's terminal.

use std::borrow::Cow;
use std::path::Path as FilePath;
use std::sync::Arc;

use super::decode::Decode as _;
use super::finding::Errors;
use super::findings::{Findings, Path};
use super::logging::Format;
use super::value::Value;
use super::{Config, Host, NO_OBJECT, RawConfig};
use crate::environment::Environment;

/// What its job is called.
const NAME: &str = "main";

/// A command, and how it is run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Command {
    /// The program and its arguments.
    pub argv: Vec<String>,
    /// Where the control plane listens, if it does.
    pub socket: Option<String>,
    /// How its lines are logged, if it is not to write to the supervisor's stdout
    /// and stderr itself.
    pub format: Option<Format>,
}

impl Command {
    /// The configuration of one essential job that is this command.
    ///
    /// # Errors
    /// What is wrong with the command or the socket.
    pub fn config(&self, environment: &Environment, host: &Host) -> Result<Config, Errors> {
        let mut findings = Findings::default();
        let raw = RawConfig::decode(self.file(), &Path::Root, &mut findings);
        let outside = (environment, host, FilePath::new(""));
        let config = raw.map(|raw| raw.into_config(outside, false, &mut findings));
        findings.finish("")?;
        let mut config = config.ok_or_else(|| Errors::file(NO_OBJECT))?;
        if self.socket.is_none() {
            config.control = None;
        }
        if let Some(format) = self.format {
            config.logging.format = format;
        }
        for exec in config.jobs.iter_mut().filter_map(|job| job.exec.as_mut()) {
            let context = Arc::make_mut(exec).context.get_or_insert_default();
            Arc::make_mut(context).foreground = true;
        }
        Ok(config)
    }

    /// The file that says so.
    fn file(&self) -> Value<'_> {
        let argv = self.argv.iter().map(|word| text(word)).collect();
        let job = object([
            ("name", text(NAME)),
            ("essential", Value::Bool(true)),
            ("exec", Value::List(argv)),
            ("logging", object([("raw", Value::Bool(self.is_raw()))])),
        ]);
        let mut file = vec![(Cow::from("jobs"), Value::List(vec![job]))];
        if let Some(socket) = &self.socket {
            file.push(("control".into(), object([("socket", text(socket))])));
        }
        if self.is_raw() {
            // Its stdout is the command's, and nobody has asked for a log.
            let quiet = object([("output", text("stderr")), ("level", text("WARN"))]);
            file.push(("logging".into(), quiet));
        }
        Value::Object(file)
    }

    fn is_raw(&self) -> bool {
        self.format.is_none()
    }
}

fn text(text: &str) -> Value<'_> {
    Value::Text(text.into())
}

fn object<'t, const N: usize>(entries: [(&'static str, Value<'t>); N]) -> Value<'t> {
    let entries = entries.into_iter();
    Value::Object(entries.map(|(key, value)| (key.into(), value)).collect())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::super::logging::{Level, LogOutput};
    use super::super::{ControlSpec, Restarts};
    use super::*;

    fn command(argv: &[&str]) -> Command {
        Command {
            argv: argv.iter().map(ToString::to_string).collect(),
            socket: None,
            format: None,
        }
    }

    fn config(command: &Command) -> Result<Config, String> {
        let config = command.config(&Environment::default(), &Host::new("here", Vec::new()));
        config.map_err(|errors| errors.to_string())
    }

    #[test]
    fn a_command_is_one_essential_job_in_the_foreground_and_nothing_else() {
        let config = config(&command(&["a b", "-c", "", "$X"])).unwrap();
        assert_eq!(config.control, None);
        let logging = (config.logging.level, &config.logging.output);
        assert_eq!(logging, (Level::Warn, &LogOutput::Stderr));
        let [job] = &config.jobs[..] else {
            unreachable!("one job")
        };
        assert_eq!((&*job.name, job.essential), ("main", true));
        assert_eq!(job.restarts, Restarts::Limited(0));
        let exec = job.exec.as_ref().unwrap();
        assert_eq!(exec.argv, ["a b", "-c", "", "$X"]);
        assert!(exec.raw);
        assert!(exec.context.as_ref().unwrap().foreground);
        assert!(config.warnings.is_empty());
    }

    #[test]
    fn a_socket_and_a_log_are_there_when_they_are_asked_for() {
        let config = config(&Command {
            socket: Some("/run/a.socket".to_owned()),
            format: Some(Format::Json),
            ..command(&["a"])
        });
        let config = config.unwrap();
        assert_eq!(config.control, Some(ControlSpec::at("/run/a.socket")));
        let logging = (config.logging.level, config.logging.format);
        assert_eq!(logging, (Level::Info, Format::Json));
        assert_eq!(config.logging.output, LogOutput::Stdout);
        assert!(!config.jobs[0].exec.as_ref().unwrap().raw);
    }

    #[test]
    fn what_a_file_is_refused_for_a_command_is_too() {
        let error = config(&command(&[""])).unwrap_err();
        assert!(
            error.contains("job[main].exec: names no program"),
            "{error}"
        );
        let long = Command {
            socket: Some("/".repeat(200)),
            ..command(&["a"])
        };
        let error = config(&long).unwrap_err();
        assert!(
            error.contains("control.socket: is 200 bytes long"),
            "{error}"
        );
    }
}
