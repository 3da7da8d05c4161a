//! What a configuration needs of the machine it runs on: programs, an address,
//! places for the log and the socket.
//!
//! Only `-check` looks for them. It changes nothing, so it can't be sure, and
//! the machine may be another one than the configuration is meant for: all this
//! is warnings.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, Read};
use std::net::{SocketAddr, TcpListener};
use std::os::unix::fs::{FileTypeExt, OpenOptionsExt};
use std::path::Path as FilePath;

use crate::environment::Environment;
use crate::search_path::{check_executable, find};

use super::Config;
use super::duration;
use super::exec::ExecSpec;
use super::findings::{Findings, Path};
use super::job::JobSpec;
use super::logging::LogOutput;
use super::source::cause;

#[cfg(test)]
mod tests;

/// The kernel reads so much of a script to find its interpreter (execve(2)).
const FIRST_LINE: u64 = 256;

/// Warns of what is not there, or can't be used.
pub(super) fn check(config: &Config, environment: &Environment, findings: &mut Findings) {
    let root = Path::Root;
    let jobs = root.key("jobs");
    for (index, job) in config.jobs.iter().enumerate() {
        let at = Path::Named(&jobs, index, "job", &job.name);
        check_job(job, environment, &at, findings);
    }
    if let LogOutput::File(path) = &config.logging.output
        && let Err(why) = check_log(path)
    {
        findings.warn(&root.key("logging").key("output"), why);
    }
    if let Some(control) = &config.control
        && let Err(why) = check_socket(&control.socket)
    {
        findings.warn(&root.key("control").key("socket"), why);
    }
    if let Some(telemetry) = &config.telemetry
        // Any port: its own may be in use by the supervisor that runs here.
        && let Err(error) = TcpListener::bind(SocketAddr::new(telemetry.address, 0))
    {
        let message = format!("cannot listen on {} here: {error}", telemetry.address);
        findings.warn(&root.key("telemetry").key("interfaces"), message);
    }
}

fn check_job(job: &JobSpec, environment: &Environment, at: &Path<'_>, findings: &mut Findings) {
    if let Some(exec) = &job.exec {
        check_exec(exec, environment, at, findings);
        if let Err(why) = check_directory(exec) {
            findings.warn(&at.key("cwd"), why);
        }
    }
    let Some(health) = &job.health else {
        return;
    };
    if let Some(exec) = health.exec() {
        check_exec(exec, environment, &at.key("health"), findings);
    }
    if health.timeout > health.interval {
        let message = format!(
            "{} is longer than the interval ({}): while a check takes so long, others are left out",
            duration::format(health.timeout),
            duration::format(health.interval)
        );
        findings.warn(&at.key("health").key("timeout"), message);
    }
}

fn check_exec(exec: &ExecSpec, environment: &Environment, at: &Path<'_>, findings: &mut Findings) {
    if let Err(why) = check_command(exec, environment) {
        let message = format!("cannot execute {:?} here: {why}", exec.name());
        findings.warn(&at.key("exec"), message);
    }
}

/// Why a command would not start, as far as that can be seen.
fn check_command(exec: &ExecSpec, environment: &Environment) -> Result<(), String> {
    let name = exec.name();
    let Some(context) = &exec.context else {
        return check_program(name, environment.get_os("PATH"));
    };
    let mut environment = environment.clone();
    context.apply(&mut environment);
    let path = environment.get_os("PATH");
    match (&context.cwd, FilePath::new(name)) {
        (Some(cwd), relative) if name.contains('/') && relative.is_relative() => {
            check_program(&cwd.join(relative).to_string_lossy(), None)
        }
        _ => check_program(name, path),
    }
}

/// Why a command could not be executed where it is to be.
fn check_directory(exec: &ExecSpec) -> Result<(), String> {
    let context = exec.context.as_ref();
    let Some(cwd) = context.and_then(|context| context.cwd.as_ref()) else {
        return Ok(());
    };
    let refuse = |why: &str| Err(format!("cannot enter {cwd:?} here: {why}"));
    match fs::metadata(cwd) {
        Ok(metadata) if metadata.is_dir() => Ok(()),
        Ok(_) => refuse("it is no directory"),
        Err(error) => refuse(&cause(&error)),
    }
}

/// Why a program would not start, as far as that can be seen.
fn check_program(name: &str, search_path: Option<&OsStr>) -> Result<(), String> {
    let program = find(name, search_path).map_err(|error| refusal(&error))?;
    check_file(&program)?;
    let Some(interpreter) = interpreter(&program) else {
        return Ok(());
    };
    check_file(FilePath::new(&interpreter))
        .map_err(|why| format!("its first line names {interpreter:?}: {why}"))
}

fn check_file(path: &FilePath) -> Result<(), String> {
    let metadata = fs::metadata(path).map_err(|error| cause(&error))?;
    if metadata.is_dir() {
        return Err("it is a directory".to_owned());
    }
    if !metadata.is_file() {
        return Err("it is no regular file".to_owned());
    }
    check_executable(path).map_err(|error| refusal(&error))
}

fn refusal(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::PermissionDenied => "it is not executable".to_owned(),
        _ => error.to_string(),
    }
}

/// What the `#!` line of a script names. What can't be read is no script.
fn interpreter(path: &FilePath) -> Option<String> {
    let mut line = Vec::new();
    // Whatever it has become since it was looked at, nobody waits for it.
    let mut options = File::options();
    let options = options.read(true).custom_flags(libc::O_NONBLOCK);
    let file = BufReader::new(options.open(path).ok()?.take(FIRST_LINE));
    let _length = { file }.read_until(b'\n', &mut line).ok()?;
    let line = line.strip_prefix(b"#!")?;
    let line = String::from_utf8_lossy(line);
    line.split_ascii_whitespace().next().map(str::to_owned)
}

/// Why a log file could not be opened, as far as that can be seen.
fn check_log(path: &FilePath) -> Result<(), String> {
    let refuse = |why: &str| Err(format!("cannot write {path:?} here: {why}"));
    if path.is_dir() {
        return refuse("it is a directory");
    }
    let directory = path
        .parent()
        .filter(|parent| !parent.as_os_str().is_empty());
    match directory.map(fs::metadata) {
        Some(Err(error)) if error.kind() == io::ErrorKind::NotFound => {
            refuse("there is no such directory")
        }
        Some(Err(error)) => refuse(&cause(&error)),
        _ => Ok(()),
    }
}

/// Why a socket could not be made, as far as that can be seen. Its directory is
/// made when it is missing.
fn check_socket(path: &FilePath) -> Result<(), String> {
    if fs::symlink_metadata(path).is_ok_and(|metadata| !metadata.file_type().is_socket()) {
        return Err(format!(
            "cannot listen on {path:?} here: there is a file that is not a socket"
        ));
    }
    let mut around = path.ancestors().skip(1);
    let nearest = around.find_map(|path| Some((path, fs::metadata(path).ok()?)));
    match nearest {
        Some((path, metadata)) if !metadata.is_dir() => Err(format!(
            "cannot make a directory below {path:?} here: it is a file"
        )),
        _ => Ok(()),
    }
}
