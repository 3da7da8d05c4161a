//! The configuration file: text and environment in, a validated [`Config`] or
//! every error at once out (SPEC §3).
//!
//! The way of a file: its text ([`source`]) is rendered as a template, read as
//! JSON5 ([`syntax`], [`value`]), decoded by the tables of its keys
//! ([`table`], [`decode`]), and turned into specs by the modules that are named
//! as the pages of the manual. Nothing here knows the running supervisor: a
//! reload reads the file with the very same functions as the start.

pub mod backoff;
mod certificates;
pub mod check;
pub mod command;
pub mod consul;
pub mod context;
pub mod control;
pub(crate) mod decode;
pub mod duration;
mod env_file;
pub mod exec;
mod finding;
pub mod findings;
#[cfg(any(test, fuzzing))]
pub mod fuzzing;
pub mod graph;
pub mod health;
pub mod host;
mod include;
pub mod init;
pub mod interfaces;
pub mod job;
pub mod limits;
pub mod logging;
mod machine;
mod octal;
mod origins;
mod pairs;
mod positions;
pub mod probe;
mod reach;
mod references;
mod scan;
pub mod schema;
mod secrets;
pub mod series_names;
pub mod service;
pub mod size;
mod source;
mod sources;
pub(crate) mod stop_signal;
mod suggest;
mod syntax;
pub mod table;
pub mod telemetry;
pub mod template;
#[cfg(test)]
mod tests;
pub mod url;
pub mod user_database;
pub(crate) mod value;
pub mod variables;
mod version2;
pub mod watch;
pub mod when;

use std::borrow::Cow;
use std::net::IpAddr;
use std::path::{Path as FilePath, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use crate::environment::Environment;
use crate::tls;

pub use backoff::Backoff;
pub use command::Command;
pub use consul::ConsulSpec;
pub use context::ContextSpec;
pub use control::ControlSpec;
pub use exec::ExecSpec;
pub use finding::{Errors, Finding, Severity};
pub use health::{CheckSpec, HealthSpec};
pub use host::Host;
pub use init::InitSpec;
pub use job::{JobSpec, Restarts};
pub use logging::LoggingSpec;
pub use probe::ProbeSpec;
pub use service::{InitialStatus, ServiceSpec};
pub(crate) use suggest::quick_hint as did_you_mean;
pub use telemetry::{MetricKind, MetricSpec, TelemetrySpec};
pub use watch::WatchSpec;
pub use when::{Condition, Start, When};

use consul::RawConsul;
use context::Surroundings;
use control::RawControl;
use decode::{Decode, Items, Span};
use findings::{Findings, Path};
use include::Main;
use init::RawInit;
use job::RawJob;
use logging::RawLogging;
use origins::Origins;
use pairs::Pairs;
use table::{Preset, Table, object};
use telemetry::RawTelemetry;
use value::Value;
use variables::Variables;
use watch::RawWatch;

/// A whole configuration, decoded and validated.
#[derive(Clone, Debug, PartialEq)]
pub struct Config {
    /// How to reach the discovery backend, if there is one.
    pub consul: Option<ConsulSpec>,
    /// The supervisor's log.
    pub logging: LoggingSpec,
    /// From the beginning of shutdown to SIGKILL for whatever is left.
    pub stop_timeout: Duration,
    /// Where the control plane listens; every file says it, a command need not.
    pub control: Option<ControlSpec>,
    /// Whether a start ends what an earlier supervisor has left behind.
    pub end_leftovers: bool,
    /// The duties of the init of a machine, where the supervisor is one.
    pub init: Option<InitSpec>,
    /// The jobs, in the order of the file.
    pub jobs: Vec<JobSpec>,
    /// The watches, in the order of the file.
    pub watches: Vec<WatchSpec>,
    /// The telemetry server, if one is configured.
    pub telemetry: Option<TelemetrySpec>,
    /// The directories in which patterns of `include` have found files.
    pub included_from: Vec<PathBuf>,
    /// What is accepted but is probably not meant.
    pub warnings: Vec<Finding>,
}

impl Config {
    /// `CONTAINERPILOT_{JOB}_IP` of every advertised job with its address, for
    /// the environment of children; of jobs of one name the last counts.
    pub fn advertised_ips(&self) -> Vec<(String, IpAddr)> {
        let services = self.jobs.iter().filter_map(|job| job.service.as_ref());
        services
            .map(|service| {
                let name = service.name.to_ascii_uppercase().replace('-', "_");
                (format!("CONTAINERPILOT_{name}_IP"), service.address)
            })
            .collect()
    }
}

object! {
    /// A whole configuration, as the file has it.
    RawConfig in "file" {
        #[allow(dead_code, reason = "what it names is joined before anything is decoded")]
        include: Vec<String> = "include", Preset::Absent,
            "Further files, relative to this one; `*` and `?` in a name stand for any text and any character.";
        consul: RawConsul = "consul", Preset::Absent,
            "The discovery backend: the agent's `[scheme://]host:port`, or an object. Needed if a job has a `port`, or for `watches`.";
        logging: RawLogging = "logging", Preset::Empty,
            "The supervisor's log.";
        stop_timeout: Span<1> = "stopTimeout", Preset::Text("5s"),
            "From the beginning of shutdown to SIGKILL for whatever is left.";
        control: RawControl = "control", Preset::Empty,
            "Where the control plane listens.";
        end_leftovers: bool = "endLeftovers", Preset::Bool(false),
            "Whether a start ends the processes of an earlier supervisor at the same `control.socket` that was killed.";
        init: RawInit = "init", Preset::Depends("none: no init of a machine"),
            "The duties of the init of a machine; of effect for PID 1 only.";
        jobs: Items<RawJob> = "jobs", Preset::Absent,
            "What to run.";
        env: Pairs = "env", Preset::Absent,
            "Environment variables to set for all jobs; `null` unsets one.";
        watches: Items<RawWatch> = "watches", Preset::Absent,
            "Services of Consul's catalog to observe.";
        telemetry: RawTelemetry = "telemetry", Preset::Depends("none: no telemetry server"),
            "The HTTP server of metrics and status.";
    }
}

/// The tables of all objects of the file, the file's own first.
pub fn tables() -> Vec<&'static Table> {
    RawConfig::TABLE.with_inner()
}

/// Reads, renders and validates the file at `path` and what it includes.
///
/// # Errors
/// Everything that is wrong with it, or why it can't be read.
pub fn load(path: &FilePath, environment: &Environment, host: &Host) -> Result<Config, Errors> {
    load_again(path, &[], environment, host)
}

/// As [`load`], for a reload: `included_from` is that of the configuration which
/// runs, and none of these directories may be missing now.
///
/// # Errors
/// Everything that is wrong with it, or why it can't be read.
pub fn load_again(
    path: &FilePath,
    included_from: &[PathBuf],
    environment: &Environment,
    host: &Host,
) -> Result<Config, Errors> {
    let text = render_file(path, environment)?;
    let before = included_from;
    let main = Some(Main { path, before });
    read(&text, main, environment, host, |_, _| ())
}

/// The rendered text of the file at `path`.
///
/// # Errors
/// Why it can't be read, or what is wrong with its template.
pub fn render_file(path: &FilePath, environment: &Environment) -> Result<String, Errors> {
    let text = source::read(path)?;
    template::render(&text, environment)
        .map_err(|error| syntax::refuse(&text, (error.line, error.column), &error.message))
}

/// Where the control plane of the file at `path` listens. Nothing of the file
/// needs to be valid but `control`: a broken job must not stop an operator from
/// reaching the supervisor.
///
/// # Errors
/// Why the file can't be read or rendered, that it is no JSON5, or what is wrong
/// with `control`.
pub fn control_socket(path: &FilePath, environment: &Environment) -> Result<PathBuf, Errors> {
    parse_control_socket(&render_file(path, environment)?)
}

fn parse_control_socket(text: &str) -> Result<PathBuf, Errors> {
    let mut findings = Findings::default();
    let control = only("control", text, &mut findings)?.and_then(|raw| raw.control);
    let at = Path::Root.key("control");
    let socket = control.unwrap_or_default().into_socket(&at, &mut findings);
    findings.finish(text)?;
    Ok(socket)
}

/// The duties of an init in the file at `path`. Nothing else of the file needs
/// to be valid: a machine must get as far as it can with a broken job.
///
/// # Errors
/// Why the file can't be read or rendered, that it is no JSON5, or what is wrong
/// with `init`.
pub fn init_duties(path: &FilePath, environment: &Environment) -> Result<Option<InitSpec>, Errors> {
    let text = render_file(path, environment)?;
    let mut findings = Findings::default();
    let init = only("init", &text, &mut findings)?.and_then(|raw| raw.init);
    let spec = init.map(|raw| raw.into_spec(&Path::Root.key("init"), &mut findings));
    findings.finish(&text)?;
    Ok(spec)
}

/// A file as if it had no other key than this one.
fn only(key: &str, text: &str, findings: &mut Findings) -> Result<Option<RawConfig>, Errors> {
    let mut entries = object(text)?;
    entries.retain(|(name, _)| name == key);
    Ok(RawConfig::decode(
        Value::Object(entries),
        &Path::Root,
        findings,
    ))
}

const NO_OBJECT: &str = "the file must be one object, { … }";

/// The entries of the object that a text is.
fn object(text: &str) -> Result<Vec<(Cow<'_, str>, Value<'_>)>, Errors> {
    match syntax::read(text)? {
        Value::Object(entries) => Ok(entries),
        _ => Err(Errors::file(NO_OBJECT)),
    }
}

/// Validates a rendered text that includes nothing. Pure but for the certificate
/// files that it names, which must exist.
///
/// # Errors
/// Everything that is wrong with it.
pub fn parse(text: &str, environment: &Environment, host: &Host) -> Result<Config, Errors> {
    read(text, None, environment, host, |_, _| ())
}

/// Validates the rendered text of a file and what it includes. `look` looks
/// closer at what has no error.
fn read(
    text: &str,
    main: Option<Main<'_>>,
    environment: &Environment,
    host: &Host,
    look: impl FnOnce(&Config, &mut Findings),
) -> Result<Config, Errors> {
    let mut findings = Findings::default();
    let mut entries = object(text)?;
    version2::refuse(&mut entries, &mut findings);
    let included = include::read(&entries, main, environment, &mut findings);
    let mut origins = Origins::of(text);
    include::join(
        &mut entries,
        &included.fragments,
        &mut origins,
        &mut findings,
    );
    let backend = entries.iter().rev().find(|(key, _)| key == "consul");
    let backend = backend.is_some_and(|(_, value)| *value != Value::Null);
    let raw = RawConfig::decode(Value::Object(entries), &Path::Root, &mut findings);
    let directory = main.and_then(|main| main.path.parent());
    let directory = directory.unwrap_or(FilePath::new(""));
    let outside = (environment, host, directory);
    let config = raw.map(|raw| raw.into_config(outside, backend, &mut findings));
    if let Some(config) = &config
        && findings.error_count() == 0
    {
        look(config, &mut findings);
    }
    let warnings = findings.finish_in(&origins)?;
    let mut config = config.ok_or_else(|| Errors::file(NO_OBJECT))?;
    config.included_from = included.from;
    config.warnings = warnings;
    Ok(config)
}

impl RawConfig {
    /// What the settings mean together; incomplete if an error was added.
    ///
    /// `outside` is what it may refer to: the supervisor's environment, the host,
    /// and the directory of the file. `backend` is whether the file has a
    /// discovery backend, be it a faulty one.
    fn into_config(
        self,
        outside: (&Environment, &Host, &FilePath),
        backend: bool,
        findings: &mut Findings,
    ) -> Config {
        let (environment, host, directory) = outside;
        let root = Path::Root;
        let common = self.env.unwrap_or_default();
        let around = Surroundings {
            users: &host.users,
            directory,
            common: Arc::new(Variables::of(common, &root.key("env"), findings)),
        };
        let mut needs_backend = Vec::new();
        let mut jobs = Vec::new();
        self.jobs
            .unwrap_or_default()
            .each(&root.key("jobs"), |raw, at| {
                if raw.is_advertised() {
                    needs_backend.push(at.key("port").to_string());
                }
                jobs.extend(raw.into_spec(host, &around, at, findings));
            });
        let checks = jobs
            .iter_mut()
            .filter_map(|job: &mut JobSpec| job.health.as_mut());
        tls::share(checks.filter_map(HealthSpec::tls_mut));
        let mut watches = Vec::new();
        self.watches
            .unwrap_or_default()
            .each(&root.key("watches"), |raw, at| {
                needs_backend.push(at.to_string());
                watches.extend(raw.into_spec(at, findings));
            });
        if !backend {
            references::refuse_without_backend(&needs_backend, findings);
        }
        let consul = self.consul;
        let consul =
            consul.and_then(|raw| raw.into_spec(environment, &root.key("consul"), findings));
        let telemetry = self.telemetry;
        let telemetry = telemetry
            .and_then(|raw| raw.into_spec(host, backend, &root.key("telemetry"), findings));
        let control = self.control.unwrap_or_default();
        let config = Config {
            consul,
            logging: self
                .logging
                .unwrap_or_default()
                .into_spec(&root.key("logging"), findings),
            stop_timeout: self.stop_timeout.unwrap_or_default().0,
            control: Some(control.into_spec(&host.users, &root.key("control"), findings)),
            end_leftovers: self.end_leftovers.unwrap_or_default(),
            init: self
                .init
                .map(|raw| raw.into_spec(&root.key("init"), findings)),
            jobs,
            watches,
            telemetry,
            included_from: Vec::new(),
            warnings: Vec::new(),
        };
        references::check(&config, findings);
        config
    }
}
