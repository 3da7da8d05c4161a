//! The flags: how each is written, what it is for, and what it asks for.
//!
//! The one table behind the parser, `-help` and the manual. A further
//! subcommand is one more row, and one more [`Task`] for it to make.

use super::{Reload, Task, Verb};
use crate::control::api::STATES;

/// One flag.
#[derive(Debug)]
pub(super) struct Flag {
    /// How it is written in full, `--config`; any number of dashes from one to
    /// two will do.
    pub(super) key: &'static str,
    /// What follows it.
    pub(super) takes: Takes,
    /// What it does to the invocation.
    pub(super) role: Role,
    /// What `-help` says, one element a line.
    help: &'static [&'static str],
}

/// What follows a flag.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Takes {
    /// Nothing, or `=true` or `=false`.
    Nothing,
    /// One value; of several the last counts. `-help` calls it so.
    Value(&'static str),
    /// One value each time that the flag is given. `-help` calls it so.
    Values(&'static str),
    /// One value, or nothing if a flag or the end follows; of several the last
    /// counts. `-help` calls it so.
    Maybe(&'static str),
}

/// What a flag does to an invocation.
#[derive(Clone, Copy, Debug)]
pub(super) enum Role {
    /// Says where something is, or how it looks.
    Path,
    /// Does something that needs no running supervisor.
    Instead,
    /// Says how one of these other flags is to be carried out.
    With(&'static [&'static str]),
    /// Asks a running supervisor for what the values say; the error says what
    /// is wrong with one of them.
    Ask(fn(&[String]) -> Result<Task, String>),
}

impl Flag {
    /// How it is written in messages and in the manual: `-config`.
    pub(super) fn name(&self) -> &'static str {
        self.key.strip_prefix('-').unwrap_or(self.key)
    }

    /// What `-help` says of it, one element a line.
    pub(super) fn help(&self) -> &'static [&'static str] {
        self.help
    }

    /// Whether it is `-word` or `--word`.
    pub(super) fn is(&self, word: &[u8]) -> bool {
        self.key.as_bytes().strip_prefix(b"--") == Some(word)
    }
}

/// Every flag but `-help` and `-h`, in the order of the alphabet.
pub(super) const FLAGS: &[Flag] = &[
    Flag {
        key: "--check",
        takes: Takes::Nothing,
        role: Role::Instead,
        help: &[
            "Look for everything that is wrong or odd in the configuration file and quit.",
            "Exits with 1 if the file must not be used.",
        ],
    },
    Flag {
        key: "--completion",
        takes: Takes::Value("bash|zsh|fish"),
        role: Role::Instead,
        help: &["Print a script by which a shell completes these flags, and quit."],
    },
    Flag {
        key: "--config",
        takes: Takes::Value("string"),
        role: Role::Path,
        help: &["File path to JSON5 configuration file. Defaults to CONTAINERPILOT env var."],
    },
    Flag {
        key: "--dry-run",
        takes: Takes::Nothing,
        role: Role::With(&["-reload"]),
        help: &["With '-reload': say what it would do, and change nothing."],
    },
    Flag {
        key: "--events",
        takes: Takes::Nothing,
        role: Role::Ask(|_| Ok(Task::Events)),
        help: &["Show events as they happen, one JSON object a line."],
    },
    Flag {
        key: "--follow",
        takes: Takes::Nothing,
        role: Role::With(&["-logs"]),
        help: &["With '-logs': go on with the lines that follow."],
    },
    Flag {
        key: "--graph",
        takes: Takes::Nothing,
        role: Role::Instead,
        help: &["Print the jobs and their events as a graph, in Graphviz's DOT, and quit."],
    },
    Flag {
        key: "--health",
        takes: Takes::Maybe("name"),
        role: Role::Ask(|names| Ok(Task::Health(only(names)))),
        help: &[
            "Tell whether all jobs are well, or one of them; exits with 1 if not.",
            "Jobs with health checks must be healthy, essential ones must run.",
        ],
    },
    Flag {
        key: "--json",
        takes: Takes::Nothing,
        role: Role::With(&[
            "-check", "-health", "-restart", "-start", "-status", "-stop",
        ]),
        help: &["With '-check', '-status' and other flags that tell something: as JSON."],
    },
    Flag {
        key: "--lines",
        takes: Takes::Value("number"),
        role: Role::With(&["-logs"]),
        help: &["With '-logs': show no more than so many of the last lines."],
    },
    Flag {
        key: "--logging",
        takes: Takes::Value("default|text|json"),
        role: Role::Path,
        help: &[
            "With '-- command': log its output line by line in this format.",
            "Defaults to leaving it stdout and stderr as they are.",
        ],
    },
    Flag {
        key: "--logs",
        takes: Takes::Maybe("name"),
        role: Role::Ask(|names| Ok(Task::Logs(only(names)))),
        help: &["Show the last lines of the log that are in memory, of all or of one job."],
    },
    Flag {
        key: "--maintenance",
        takes: Takes::Value("string"),
        role: Role::Ask(maintenance),
        help: &[
            "Toggle maintenance mode for a ContainerPilot process through its control socket.",
            "Options: '-maintenance enable' or '-maintenance disable'",
        ],
    },
    Flag {
        key: "--man",
        takes: Takes::Nothing,
        role: Role::Instead,
        help: &["Print the manual page, for 'man -l -', and quit."],
    },
    Flag {
        key: "--out",
        takes: Takes::Value("string"),
        role: Role::Path,
        help: &[
            "File path where to save rendered config file when '-template' is used.",
            "Defaults to stdout ('-').",
        ],
    },
    Flag {
        key: "--ping",
        takes: Takes::Nothing,
        role: Role::Ask(|_| Ok(Task::Ping)),
        help: &["Check that the ContainerPilot control socket is up."],
    },
    Flag {
        key: "--poweroff",
        takes: Takes::Nothing,
        role: Role::Ask(|_| Ok(Task::PowerOff)),
        help: &[
            "Shut down the machine whose init the ContainerPilot process is, and switch it off.",
        ],
    },
    Flag {
        key: "--putenv",
        takes: Takes::Values("value"),
        role: Role::Ask(put_env),
        help: &[
            "Update environ of a ContainerPilot process through its control socket.",
            "Pass environment in the format: 'key=value'",
        ],
    },
    Flag {
        key: "--putmetric",
        takes: Takes::Values("value"),
        role: Role::Ask(put_metric),
        help: &[
            "Update metrics of a ContainerPilot process through its control socket.",
            "Pass metrics in the format: 'key=value'",
        ],
    },
    Flag {
        key: "--reboot",
        takes: Takes::Nothing,
        role: Role::Ask(|_| Ok(Task::Reboot)),
        help: &[
            "Shut down the machine whose init the ContainerPilot process is, and start it again.",
        ],
    },
    Flag {
        key: "--reload",
        takes: Takes::Nothing,
        role: Role::Ask(|_| Ok(Task::Reload(Reload::default()))),
        help: &["Reload a ContainerPilot process through its control socket."],
    },
    Flag {
        key: "--restart",
        takes: Takes::Values("name"),
        role: Role::Ask(|names| operate(Verb::Restart, names)),
        help: &["Stop a job, start it, and return when its new process runs."],
    },
    Flag {
        key: "--schema",
        takes: Takes::Nothing,
        role: Role::Instead,
        help: &["Print the JSON Schema of the configuration file and quit."],
    },
    Flag {
        key: "--signal",
        takes: Takes::Values("name=signal"),
        role: Role::Ask(signal),
        help: &["Send a signal, such as 'HUP', to the process group of a job."],
    },
    Flag {
        key: "--since",
        takes: Takes::Value("number"),
        role: Role::With(&["-events"]),
        help: &["With '-events': begin after the event of this sequence number."],
    },
    Flag {
        key: "--socket",
        takes: Takes::Value("string"),
        role: Role::Path,
        help: &[
            "File path to the control socket of a ContainerPilot process.",
            "Defaults to CONTAINERPILOT_SOCKET env var, or to that of the configuration file.",
            "With '-- command': where to listen. Defaults to having no control socket.",
        ],
    },
    Flag {
        key: "--start",
        takes: Takes::Values("name"),
        role: Role::Ask(|names| operate(Verb::Start, names)),
        help: &["Start a job, and return when its process runs."],
    },
    Flag {
        key: "--status",
        takes: Takes::Maybe("name"),
        role: Role::Ask(|names| Ok(Task::Status(only(names)))),
        help: &["Show the supervisor and its jobs, or all about one job."],
    },
    Flag {
        key: "--stop",
        takes: Takes::Values("name"),
        role: Role::Ask(|names| operate(Verb::Stop, names)),
        help: &["Stop a job until it is started, and return when its process is gone."],
    },
    Flag {
        key: "--template",
        takes: Takes::Nothing,
        role: Role::Instead,
        help: &["Render template and quit."],
    },
    Flag {
        key: "--timeout",
        takes: Takes::Value("duration"),
        role: Role::With(&["-restart", "-start", "-stop", "-wait"]),
        help: &[
            "With '-start', '-stop' and '-restart': how long to wait. Defaults to '5m'.",
            "With '-wait': likewise. Defaults to '1m'.",
        ],
    },
    Flag {
        key: "--v",
        takes: Takes::Nothing,
        role: Role::With(&["-reload"]),
        help: &["With '-reload': say what it does."],
    },
    Flag {
        key: "--version",
        takes: Takes::Nothing,
        role: Role::Instead,
        help: &["Show version identifier and quit."],
    },
    Flag {
        key: "--wait",
        takes: Takes::Values("name=state"),
        role: Role::Ask(wait),
        help: &["Wait until a job is 'healthy', 'running', 'completed', or in some other state."],
    },
];

/// What is said of a command in the place of a configuration file.
pub(super) const COMMAND: &str =
    "Run this command as the only job, without a configuration file, as tini would.";

/// What `-help` prints for the program called `program`.
pub fn usage(program: &str) -> String {
    let mut text = format!("Usage of {program}:\n");
    for flag in FLAGS {
        let argument = match flag.takes {
            Takes::Nothing => "",
            Takes::Value(word) | Takes::Values(word) => word,
            Takes::Maybe(word) => &format!("[{word}]"),
        };
        text.push_str("  ");
        text.push_str(flag.name());
        if !argument.is_empty() {
            text.push(' ');
            text.push_str(argument);
        }
        for line in flag.help {
            text.push_str("\n        ");
            text.push_str(line);
        }
        text.push('\n');
    }
    text.push_str("  -- command [argument ...]\n        ");
    text.push_str(COMMAND);
    text.push('\n');
    text
}

/// The value of a flag that may have none.
fn only(names: &[String]) -> Option<String> {
    names.last().filter(|name| !name.is_empty()).cloned()
}

fn operate(verb: Verb, names: &[String]) -> Result<Task, String> {
    if names.iter().any(String::is_empty) {
        return Err("the name of a job is missing".to_owned());
    }
    Ok(Task::Operate(verb, names.to_vec()))
}

fn signal(pairs: &[String]) -> Result<Task, String> {
    // A name may contain the sign, a signal does not.
    let pairs = pairs.iter().map(|pair| match pair.rsplit_once('=') {
        Some((name, signal)) if !name.is_empty() && !signal.is_empty() => {
            Ok((name.to_owned(), signal.to_owned()))
        }
        _ => Err(format!("{pair:?} is not in the format \"name=HUP\"")),
    });
    pairs.collect::<Result<_, _>>().map(Task::Signal)
}

fn wait(pairs: &[String]) -> Result<Task, String> {
    // A name may contain the sign, a state does not.
    let pairs = pairs.iter().map(|pair| match pair.rsplit_once('=') {
        Some((name, state)) if !name.is_empty() && STATES.contains(&state) => {
            Ok((name.to_owned(), state.to_owned()))
        }
        Some((name, state)) if !name.is_empty() => {
            let states = STATES.join(", ");
            Err(format!("{state:?} is no state ({states})"))
        }
        _ => Err(format!("{pair:?} is not in the format \"name=healthy\"")),
    });
    pairs.collect::<Result<_, _>>().map(Task::Wait)
}

fn maintenance(words: &[String]) -> Result<Task, String> {
    match words.last().map(String::as_str) {
        Some("enable") => Ok(Task::Maintenance(true)),
        Some("disable") => Ok(Task::Maintenance(false)),
        other => Err(format!(
            "{:?} is neither \"enable\" nor \"disable\"",
            other.unwrap_or_default()
        )),
    }
}

/// `KEY=VALUE` sets, and `KEY` alone clears.
fn put_env(pairs: &[String]) -> Result<Task, String> {
    let pairs = pairs.iter().map(|pair| match pair.split_once('=') {
        Some((key, value)) => (key.to_owned(), Some(value.to_owned())),
        None => (pair.clone(), None),
    });
    Ok(Task::PutEnv(pairs.collect()))
}

fn put_metric(pairs: &[String]) -> Result<Task, String> {
    let pairs = pairs.iter().map(|pair| match pair.split_once('=') {
        Some((key, value)) => Ok((key.to_owned(), value.to_owned())),
        None => Err(format!("{pair:?} is not in the format \"key=value\"")),
    });
    pairs.collect::<Result<_, _>>().map(Task::PutMetric)
}
