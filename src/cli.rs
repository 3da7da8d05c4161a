//! The command line (SPEC §2): arguments in, an [`Invocation`] or what is wrong
//! with them out.
//!
//! Pure: it looks at no environment variable and no file. The flags are those
//! of the original, in Go's syntax; one table describes them all.

mod arguments;
pub mod completion;
mod flags;
pub mod man;

use std::convert::Infallible;
use std::ffi::{OsStr, OsString};
use std::fmt;
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;
use std::time::Duration;

use crate::config::decode::Word as _;
use crate::config::logging::Format;
use crate::config::{Command, duration};
pub use crate::control::request::{Reload, Verb};

use arguments::{Normal, normalise};
use completion::Shell;
use flags::{FLAGS, Flag, Role, Takes};

pub use flags::usage;

/// What the program was called for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Invocation {
    /// To run the jobs of a configuration file.
    Supervise {
        /// `-config`
        config: Option<PathBuf>,
        /// Arguments that are no flags. The original took no notice of them
        /// either; a container's image may well add some.
        ignored: Vec<OsString>,
    },
    /// To run one command without a configuration file.
    Run(Command),
    /// To render the template of a configuration file.
    Template {
        /// `-config`
        config: Option<PathBuf>,
        /// `-out`, if it is not `-`.
        out: Option<PathBuf>,
    },
    /// To look for what is wrong with a configuration file.
    Check {
        /// `-config`
        config: Option<PathBuf>,
        /// `-json`
        json: bool,
    },
    /// To draw a configuration file.
    Graph {
        /// `-config`
        config: Option<PathBuf>,
    },
    /// To tell what a configuration file may say.
    Schema,
    /// To tell a shell how to complete its flags.
    Completion(Shell),
    /// To tell its manual page.
    Manual,
    /// To tell its version.
    Version,
    /// To tell its flags.
    Help,
    /// To ask a running supervisor, one thing after the other.
    Client {
        /// `-config`
        config: Option<PathBuf>,
        /// `-socket`
        socket: Option<PathBuf>,
        /// The subcommands in the order in which they were first given.
        tasks: Vec<Subcommand>,
        /// How they are carried out.
        manner: Manner,
    },
}

/// One thing to ask a running supervisor for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subcommand {
    /// The flag as messages name it: `-ping`.
    pub flag: &'static str,
    /// What to ask for.
    pub task: Task,
}

/// What can be asked of a running supervisor.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Task {
    /// `-ping`
    Ping,
    /// `-reload`
    Reload(Reload),
    /// `-maintenance enable` (`true`) or `disable`.
    Maintenance(bool),
    /// `-putenv`: set each variable, or clear it where there is no value.
    PutEnv(Vec<(String, Option<String>)>),
    /// `-putmetric`: push each value, which is sent as it is written.
    PutMetric(Vec<(String, String)>),
    /// `-poweroff`
    PowerOff,
    /// `-reboot`
    Reboot,
    /// `-completion jobs`: the names of all jobs, for the shells.
    Names,
    /// `-status`, of all or of one job.
    Status(Option<String>),
    /// `-health`, of all or of one job.
    Health(Option<String>),
    /// `-start`, `-stop` or `-restart` of these jobs, one after the other.
    Operate(Verb, Vec<String>),
    /// `-signal`: to each of these jobs this signal.
    Signal(Vec<(String, String)>),
    /// `-events`
    Events,
    /// `-logs`, of all or of one job.
    Logs(Option<String>),
    /// `-wait`: until each of these jobs is in this state.
    Wait(Vec<(String, String)>),
}

/// How the subcommands of one invocation are carried out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Manner {
    /// `-json`: the answers are printed as they are.
    pub json: bool,
    /// `-timeout`: how long to wait for what takes its time.
    pub timeout: Option<Duration>,
    /// `-since`: the number of the event after which to begin.
    pub since: Option<u64>,
    /// `-lines`: how many of the last lines are wanted.
    pub lines: Option<u64>,
    /// `-follow`: and those that follow.
    pub follow: bool,
}

/// What is wrong with the arguments, in one line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UsageError(String);

impl fmt::Display for UsageError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for UsageError {}

/// Reads the arguments, without the program's name.
///
/// `-help`, `-version` and what else needs no supervisor win over everything
/// else. Otherwise all subcommands that were given are carried out.
///
/// # Errors
/// A flag that does not exist, a value that is missing or wrong, and arguments
/// that would be without effect.
pub fn parse(arguments: impl IntoIterator<Item = OsString>) -> Result<Invocation, UsageError> {
    let Normal {
        tokens,
        rest,
        is_command,
        help,
    } = normalise(arguments)?;
    if help {
        return Ok(Invocation::Help);
    }
    let order = tokens.clone();
    let mut given = Given(pico_args::Arguments::from_vec(tokens));
    let config = given.path("--config")?;
    let out = given.path("--out")?.filter(|path| path.as_os_str() != "-");
    let socket = given.path("--socket")?;
    let format = given.format()?;
    let mut tasks = given.tasks(&order)?;
    let manner = given.manner()?;
    if given.0.contains("--version") {
        return Ok(Invocation::Version);
    }
    refuse_loose(&order)?;
    match given.completion()? {
        Some(None) => tasks.push(Subcommand {
            flag: "-completion",
            task: Task::Names,
        }),
        Some(Some(shell)) => {
            return refuse_rest(&rest).map(|()| Invocation::Completion(shell));
        }
        None => {}
    }
    if let Some(invocation) = given.instead(config.clone(), out.clone(), manner) {
        return refuse_rest(&rest).map(|()| invocation);
    }
    if out.is_some() {
        return Err(UsageError("-out is of use with -template only".to_owned()));
    }
    if !tasks.is_empty() {
        return refuse_rest(&rest).map(|()| Invocation::Client {
            config,
            socket,
            tasks,
            manner,
        });
    }
    if is_command && config.is_none() && !rest.is_empty() {
        return command(rest, socket, format).map(Invocation::Run);
    }
    if format.is_some() {
        let text = "-logging is of use with a command (-- COMMAND) only; otherwise the configuration says how to log";
        return Err(UsageError(text.to_owned()));
    }
    if socket.is_some() {
        let text = "-socket is of use with a subcommand or a command (-- COMMAND) only; otherwise a supervisor listens where its configuration says";
        return Err(UsageError(text.to_owned()));
    }
    Ok(Invocation::Supervise {
        config,
        ignored: rest,
    })
}

/// The command that is the only job.
fn command(
    words: Vec<OsString>,
    socket: Option<PathBuf>,
    format: Option<Format>,
) -> Result<Command, UsageError> {
    let text = |word: OsString| {
        word.into_string()
            .map_err(|word| UsageError(format!("{word:?} is no UTF-8")))
    };
    Ok(Command {
        argv: words.into_iter().map(text).collect::<Result<_, _>>()?,
        socket: socket.map(OsString::from).map(text).transpose()?,
        format,
    })
}

/// Flags that say how another one is to be carried out mean nothing without it.
fn refuse_loose(tokens: &[OsString]) -> Result<(), UsageError> {
    for flag in FLAGS {
        let Role::With(others) = flag.role else {
            continue;
        };
        let given = |name: &str| {
            let mut tokens = tokens.iter().map(|token| token.as_bytes());
            tokens.any(|token| token.strip_prefix(b"-") == Some(name.as_bytes()))
        };
        if given(flag.name()) && !others.iter().any(|other| given(other)) {
            let (name, others) = (flag.name(), others.join(", "));
            return Err(UsageError(format!("{name} is of use with {others} only")));
        }
    }
    Ok(())
}

/// Arguments behind the flags have no meaning for a subcommand, and most likely
/// belong to one: `-putenv A=1 B=2`.
fn refuse_rest(rest: &[OsString]) -> Result<(), UsageError> {
    rest.first().map_or(Ok(()), |argument| {
        let argument = argument.to_string_lossy();
        Err(UsageError(format!("unexpected argument: {argument}")))
    })
}

/// The flags that were given.
struct Given(pico_args::Arguments);

impl Given {
    /// The values of a flag in their order.
    fn values(&mut self, key: &'static str) -> Result<Vec<OsString>, UsageError> {
        let value = |token: &OsStr| -> Result<OsString, Infallible> {
            let bytes = token.as_bytes();
            Ok(OsStr::from_bytes(bytes.strip_prefix(b"=").unwrap_or(bytes)).to_owned())
        };
        self.0
            .values_from_os_str(key, value)
            .map_err(|error| UsageError(error.to_string()))
    }

    /// The last path that was given; an empty one is none, as in the original.
    fn path(&mut self, key: &'static str) -> Result<Option<PathBuf>, UsageError> {
        let last = self.values(key)?.pop().map(PathBuf::from);
        Ok(last.filter(|path| !path.as_os_str().is_empty()))
    }

    /// How the output of a command is logged.
    fn format(&mut self) -> Result<Option<Format>, UsageError> {
        let Some(word) = self.values("--logging")?.pop() else {
            return Ok(None);
        };
        let format = Format::WORDS.iter().find(|(name, _)| word == *name);
        format.map(|(_, format)| Some(*format)).ok_or_else(|| {
            let text = format!("{word:?} is neither \"default\", \"text\" nor \"json\"");
            UsageError(format!("invalid value for -logging: {text}"))
        })
    }

    /// What is asked for that needs no supervisor.
    fn instead(
        &mut self,
        config: Option<PathBuf>,
        out: Option<PathBuf>,
        Manner { json, .. }: Manner,
    ) -> Option<Invocation> {
        if self.0.contains("--template") {
            Some(Invocation::Template { config, out })
        } else if self.0.contains("--check") {
            Some(Invocation::Check { config, json })
        } else if self.0.contains("--graph") {
            Some(Invocation::Graph { config })
        } else if self.0.contains("--schema") {
            Some(Invocation::Schema)
        } else if self.0.contains("--man") {
            Some(Invocation::Manual)
        } else {
            None
        }
    }

    /// The shell that is to complete the flags; none if only the names of jobs are
    /// wanted for that.
    fn completion(&mut self) -> Result<Option<Option<Shell>>, UsageError> {
        let last = self.values("--completion")?.pop();
        let shell = last.map(|word| match word.to_str() {
            Some("bash") => Ok(Some(Shell::Bash)),
            Some("zsh") => Ok(Some(Shell::Zsh)),
            Some("fish") => Ok(Some(Shell::Fish)),
            Some("jobs") => Ok(None),
            _ => {
                let text = format!("{word:?} is neither \"bash\", \"zsh\" nor \"fish\"");
                Err(UsageError(format!("invalid value for -completion: {text}")))
            }
        });
        shell.transpose()
    }

    /// How the subcommands are carried out.
    fn manner(&mut self) -> Result<Manner, UsageError> {
        let json = self.0.contains("--json");
        let timeout = self.values("--timeout")?.pop();
        let timeout = timeout.map(|text| {
            let text = text.to_string_lossy();
            duration::parse_setting(&text)
                .ok()
                .filter(|timeout| !timeout.is_zero())
                .ok_or_else(|| {
                    let text = format!("{text:?} is no time to wait, such as \"90s\" or \"2m\"");
                    UsageError(format!("invalid value for -timeout: {text}"))
                })
        });
        let timeout = timeout.transpose()?;
        Ok(Manner {
            json,
            timeout,
            since: self.number("--since")?,
            lines: self.number("--lines")?,
            follow: self.0.contains("--follow"),
        })
    }

    /// The last number that was given for a flag.
    fn number(&mut self, key: &'static str) -> Result<Option<u64>, UsageError> {
        let Some(text) = self.values(key)?.pop() else {
            return Ok(None);
        };
        let number = text.to_str().and_then(|text| text.parse().ok());
        number.map(Some).ok_or_else(|| {
            let name = key.strip_prefix('-').unwrap_or(key);
            UsageError(format!("invalid value for {name}: {text:?} is no number"))
        })
    }

    /// The subcommands in the order of `tokens`.
    fn tasks(&mut self, tokens: &[OsString]) -> Result<Vec<Subcommand>, UsageError> {
        let mut found = Vec::new();
        for flag in FLAGS {
            let Role::Ask(make) = flag.role else { continue };
            let Some(position) = tokens.iter().position(|token| token == flag.key) else {
                continue;
            };
            let mut task = make(&self.texts(flag)?).map_err(|cause| invalid(flag, &cause))?;
            if let Task::Reload(how) = &mut task {
                how.verbose = self.0.contains("--v");
                how.dry_run = self.0.contains("--dry-run");
            }
            let flag = flag.name();
            found.push((position, Subcommand { flag, task }));
        }
        found.sort_by_key(|(position, _)| *position);
        Ok(found.into_iter().map(|(_, task)| task).collect())
    }

    /// The values of a flag that takes text.
    fn texts(&mut self, flag: &Flag) -> Result<Vec<String>, UsageError> {
        if flag.takes == Takes::Nothing {
            self.0.contains(flag.key);
            return Ok(Vec::new());
        }
        let values = self.values(flag.key)?.into_iter();
        let texts = values.map(|value| {
            value
                .into_string()
                .map_err(|value| invalid(flag, &format!("{value:?} is no UTF-8")))
        });
        texts.collect()
    }
}

fn invalid(flag: &Flag, cause: &str) -> UsageError {
    UsageError(format!("invalid value for {}: {cause}", flag.name()))
}

#[cfg(test)]
mod tests;
