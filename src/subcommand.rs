//! What the binary does instead of supervising: it tells something about itself,
//! renders a template, and asks a running supervisor (SPEC §2).
//!
//! Starts no thread and keeps nothing. Every failure is one text for standard
//! error, which the caller prints.

mod following;
#[cfg(any(test, fuzzing))]
pub mod fuzzing;
mod layout;
mod rendered_file;
mod status;
mod terminal;

use std::env;
use std::ffi::OsString;
use std::io::{self, ErrorKind, Write};
use std::path::{Path, PathBuf};

use crate::cli::{Manner, Subcommand, Task};
use crate::client::{self, Cause};
use crate::config::{self, Host};
use crate::environment::Environment;
use terminal::Terminal;

/// The variable with the path of the configuration file.
const CONFIG: &str = "CONTAINERPILOT";

/// The variable with the path of the control socket, which every job has.
const SOCKET: &str = "CONTAINERPILOT_SOCKET";

/// The path of the configuration file: `-config`, else the environment.
///
/// # Errors
/// If neither says it.
pub fn config_path(flag: Option<PathBuf>) -> Result<PathBuf, String> {
    flag.or_else(|| variable(CONFIG))
        .ok_or_else(|| "-config flag is required".to_owned())
}

/// Renders the template of the configuration file to `out`, else to standard
/// output. Neither needs to be a valid configuration.
///
/// # Errors
/// If the file cannot be read, rendered or written.
pub fn template(config: Option<PathBuf>, out: Option<&Path>) -> Result<(), String> {
    let path = config_path(config)?;
    let text = config::render_file(&path, &Environment::inherited())
        .map_err(|errors| errors.to_string())?;
    match out {
        Some(path) => rendered_file::write(path, text.as_bytes())
            .map_err(|error| format!("cannot write {path:?}: {error}")),
        None => print(&text),
    }
}

/// Looks at the configuration file and prints everything that is wrong or odd
/// with it, for programs if `json`. Returns whether it is good.
///
/// # Errors
/// If there is nothing to look at.
pub fn check(config: Option<PathBuf>, json: bool) -> Result<bool, String> {
    let path = config_path(config)?;
    let host = this_host()?;
    let checked = config::check::check(&path, &Environment::inherited(), &host);
    let text = if json {
        checked.json(&path)
    } else {
        checked.report()
    };
    print(&text).map(|()| checked.is_good())
}

/// Prints the jobs of the configuration file and what starts them as a graph.
///
/// # Errors
/// Everything that is wrong with the file.
pub fn graph(config: Option<PathBuf>) -> Result<(), String> {
    let path = config_path(config)?;
    let config = config::load(&path, &Environment::inherited(), &this_host()?);
    print(&config::graph::dot(
        &config.map_err(|errors| errors.to_string())?,
    ))
}

fn this_host() -> Result<Host, String> {
    Host::current().map_err(|error| format!("cannot find out the name of this host: {error}"))
}

/// Asks the supervisor at a socket for one thing after the other, until all is
/// done or one of them fails. Returns whether all is well, for which some
/// subcommands ask.
///
/// # Errors
/// One line that names the flag and says why it failed.
pub fn ask(
    socket: Option<PathBuf>,
    config: Option<PathBuf>,
    subcommands: &[Subcommand],
    manner: Manner,
) -> Result<bool, String> {
    let named = |flag: &str, error: &str| format!("{flag}: {error}");
    let first = subcommands.first().map_or("", |subcommand| subcommand.flag);
    let socket = find_socket(socket, config).map_err(|error| named(first, &error))?;
    for Subcommand { flag, task } in subcommands {
        let answer = perform(task, &socket, manner);
        let answer = answer.map_err(|error| named(flag, &explain(task, &error)))?;
        print(&answer.text)?;
        if !answer.is_well {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Why a task was not done, in one line; what is wrong with a configuration has
/// lines of its own.
fn explain(task: &Task, error: &client::Error) -> String {
    match (task, &error.cause) {
        (Task::Reload(_), Cause::Status { status, message }) if message.contains('\n') => {
            let socket = &error.socket;
            format!("the supervisor at {socket:?} answered {status}:\n{message}")
        }
        _ => error.to_string(),
    }
}

/// What has become of a task that did not fail.
#[derive(Debug)]
struct Answer {
    /// What to print.
    text: String,
    /// Whether that is good news.
    is_well: bool,
}

impl Answer {
    /// That it is not well, which has been told already.
    fn bad() -> Self {
        let (text, is_well) = (String::new(), false);
        Self { text, is_well }
    }
}

impl From<String> for Answer {
    /// An answer that is printed with a newline behind it, if it is not empty.
    fn from(mut text: String) -> Self {
        if !text.is_empty() {
            text.push('\n');
        }
        let is_well = true;
        Self { text, is_well }
    }
}

fn perform(task: &Task, socket: &Path, manner: Manner) -> Result<Answer, client::Error> {
    match task {
        Task::Ping => return client::ping(socket).map(Answer::from),
        Task::Reload(how) => return client::reload(socket, *how).map(Answer::from),
        Task::Status(job) => {
            let answer = client::jobs::status(socket, job.as_deref())?;
            return Ok(match manner.json {
                true => answer,
                false => status::table(&answer, &Terminal::of_stdout()),
            }
            .into());
        }
        Task::Names => {
            let answer = client::jobs::status(socket, None)?;
            return Ok(status::names(&answer).join("\n").into());
        }
        Task::Health(job) => {
            return health(client::jobs::health(socket, job.as_deref()), manner);
        }
        Task::Events => return following::show_events(socket, manner),
        Task::Logs(job) => return following::show_logs(socket, job.as_deref(), manner),
        Task::Wait(wanted) => return following::wait_for(socket, wanted, manner),
        Task::Operate(verb, jobs) => {
            for job in jobs {
                let answer = client::jobs::operate(socket, *verb, job, manner.timeout)?;
                // At once: the next one may fail.
                if manner.json
                    && let Err(error) = print(&format!("{answer}\n"))
                {
                    complain(&format!("{error}\n"));
                    return Ok(Answer::bad());
                }
            }
        }
        Task::Signal(pairs) => {
            for (job, signal) in pairs {
                client::jobs::signal(socket, job, signal)?;
            }
        }
        Task::Maintenance(enable) => {
            client::maintenance(socket, *enable)?;
        }
        Task::PowerOff => client::power_off(socket)?,
        Task::Reboot => client::reboot(socket)?,
        Task::PutEnv(pairs) => {
            let pairs = pairs.iter();
            client::put_env(
                socket,
                pairs.map(|(name, value)| (name.as_str(), value.as_deref())),
            )?;
        }
        Task::PutMetric(pairs) => {
            let pairs = pairs.iter();
            client::put_metric(
                socket,
                pairs.map(|(name, value)| (name.as_str(), value.as_str())),
            )?;
        }
    }
    Ok(Answer::from(String::new()))
}

/// That something is not well is no failure of the question.
fn health(answer: Result<String, client::Error>, manner: Manner) -> Result<Answer, client::Error> {
    const NOT_WELL: u16 = 503;
    let (answer, is_well) = match answer {
        Ok(answer) => (answer, true),
        Err(error) => match error.cause {
            Cause::Status {
                status: NOT_WELL,
                ref message,
            } if status::reasons(message).is_some() => (message.clone(), false),
            _ => return Err(error),
        },
    };
    let text = match manner.json {
        true => answer,
        false if is_well => "healthy".to_owned(),
        false => status::reasons(&answer).unwrap_or_default().join("\n"),
    };
    Ok(Answer {
        is_well,
        ..text.into()
    })
}

/// Where the supervisor listens. A flag counts more than a variable, and within
/// these the socket's more than the configuration file's: a job's script that
/// names another configuration means another supervisor than its own.
fn find_socket(socket: Option<PathBuf>, config: Option<PathBuf>) -> Result<PathBuf, String> {
    if let Some(socket) = socket {
        return Ok(socket);
    }
    if config.is_none()
        && let Some(socket) = variable(SOCKET)
    {
        return Ok(socket);
    }
    let path = config_path(config).map_err(|error| format!("{error}, or -socket"))?;
    config::control_socket(&path, &Environment::inherited())
        .map_err(|errors| in_one_line(&path, &errors.to_string()))
}

/// A subcommand tells its failure in one line, however many the error has.
fn in_one_line(path: &Path, error: &str) -> String {
    let first = error.lines().next().unwrap_or_default();
    if first.contains(&format!("{path:?}")) {
        return first.to_owned();
    }
    format!("cannot find the control socket in {path:?}: {first}")
}

/// The path in an environment variable; an empty one is none.
fn variable(name: &str) -> Option<PathBuf> {
    let value: Option<OsString> = env::var_os(name);
    value.filter(|value| !value.is_empty()).map(PathBuf::from)
}

/// Prints to standard output. Whoever closed it early has seen enough.
///
/// # Errors
/// If it cannot be written for any other reason.
pub fn print(text: &str) -> Result<(), String> {
    let mut out = io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => {
            Err(format!("cannot write to standard output: {error}"))
        }
        _ => Ok(()),
    }
}

/// Prints to standard error. Nobody is left to be told if that fails.
pub fn complain(text: &str) {
    let _unheard = io::stderr().write_all(text.as_bytes());
}
