//! `jobs`: what to run, when, how often, how to check it and how to advertise
//! it (SPEC §3, §5, §7, §9).

use std::sync::Arc;
use std::time::Duration;

use super::backoff::{Backoff, RawBackoff};
use super::context::{Nice, OomScoreAdj, RawContext, RawGroups, RawUser, Surroundings};
use super::decode::{Decode, Integer, Span, Unchecked, mismatch};
use super::exec::{Exec, ExecSpec, RawOutput};
use super::findings::{Findings, Path};
use super::health::{HealthSpec, RawHealth};
use super::host::Host;
use super::limits::RawLimits;
use super::octal::Octal;
use super::pairs::Pairs;
use super::service::{Advertising, InitialStatus, RawServiceOptions, ServiceSpec, check_name};
use super::stop_signal::StopSignal;
use super::suggest;
use super::table::{Preset, Shape, object};
use super::value::Value;
use super::when::{RawWhen, Start, When};
use crate::event::Code;

#[cfg(test)]
mod tests;

/// One job, decoded and validated.
#[derive(Clone, Debug, PartialEq, Hash)]
pub struct JobSpec {
    /// The name that its events, its log lines and the API use.
    pub name: Arc<str>,
    /// What a run executes; a job without one only checks and advertises.
    pub exec: Option<Arc<ExecSpec>>,
    /// When the job starts.
    pub when: When,
    /// How often a run that has ended may be followed by another.
    pub restarts: Restarts,
    /// How long restarts of failed runs wait; `None` restarts them at once.
    pub backoff: Option<Backoff>,
    /// Whether the supervisor ends with this job, and with its exit code.
    pub essential: bool,
    /// The longest a run may take before its process group is killed.
    pub timeout: Option<Duration>,
    /// How long a completing job waits for the jobs that run on its
    /// `stopping`; `None` waits for as long as shutdown lets it.
    pub stop_timeout: Option<Duration>,
    /// What tells its process group to stop.
    pub stop_signal: i32,
    /// From the stop signal to SIGKILL; `None` is as long as shutdown lets it.
    pub kill_timeout: Option<Duration>,
    /// How its health is found out.
    pub health: Option<HealthSpec>,
    /// How it is advertised, if it has a port.
    pub service: Option<ServiceSpec>,
}

/// How often a run that has ended may be followed by another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Restarts {
    /// At most this often over the life of the job.
    Limited(u64),
    /// For as long as the job is not told to complete.
    Unlimited,
}

fn restart_words() -> Vec<&'static str> {
    vec!["unlimited", "never"]
}

impl Decode for Restarts {
    const SHAPE: Shape = Shape::Either(&[
        Integer::<0, { i64::MAX }>::SHAPE,
        Shape::Words(restart_words),
    ]);

    fn decode(value: Value<'_>, at: &Path<'_>, findings: &mut Findings) -> Option<Self> {
        let integer = match &value {
            Value::Text(text) if text.eq_ignore_ascii_case("unlimited") => {
                return Some(Self::Unlimited);
            }
            Value::Text(text) if text.eq_ignore_ascii_case("never") => {
                return Some(Self::Limited(0));
            }
            Value::Text(text) => text.parse().ok(),
            other => other.as_integer(),
        };
        let limit = integer.and_then(|integer: i64| u64::try_from(integer).ok());
        if limit.is_none() {
            let hint = match &value {
                Value::Text(text) => suggest::hint(text, restart_words()),
                _ => String::new(),
            };
            let message =
                format!("{value} is not an integer of at least 0, \"unlimited\" or \"never\"");
            findings.error(at, message + &hint);
        }
        limit.map(Self::Limited)
    }
}

/// The name of a job. One that a template renders to nothing is an error, not
/// the program's name: the job would be another one than was meant.
#[derive(Debug)]
pub(crate) struct Name(String);

impl Decode for Name {
    const SHAPE: Shape = Shape::Name;

    fn decode(value: Value<'_>, at: &Path<'_>, findings: &mut Findings) -> Option<Self> {
        if value.is_empty_text() {
            mismatch::<()>(&value, "a name", at, findings);
            return Some(Self(String::new()));
        }
        String::decode(value, at, findings).map(Self)
    }
}

object! {
    /// A job, as the file has it.
    RawJob in "job" {
        name: Name = "name", Preset::Depends("the program of `exec`, if there is no `port`"),
            "What its events, its log lines and the API call it. With a `port` it is also the service's name: a lower-case letter followed by letters, digits and `-`.";
        exec: Exec = "exec", Preset::Absent,
            "The command: a list, or a string that is split at spaces and read by no shell. A job without one only checks and advertises.";
        logging: RawOutput = "logging", Preset::Empty,
            "How the output of its runs is treated.";
        when: RawWhen = "when", Preset::Empty,
            "What starts it; at startup if left out.";
        timeout: Span<1> = "timeout", Preset::Depends("`when.interval`, else none"),
            "The longest a run may take; then its process group is killed and the run counts as failed.";
        stop_timeout: Span<1> = "stopTimeout", Preset::Absent,
            "How long it waits, when it is to stop, for the jobs that run on its `stopping`.";
        stop_signal: StopSignal = "stopSignal", Preset::Text("SIGTERM"),
            "What its process group is sent when it is to stop.";
        kill_timeout: Span<1> = "killTimeout", Preset::Depends("the `stopTimeout` of the file"),
            "From the stop signal to SIGKILL; during a shutdown the end of its grace time comes no later.";
        restarts: Restarts = "restarts", Preset::Depends("`never`; `unlimited` with `when.interval`"),
            "How often a run that has ended is followed by another. `unlimited` is not allowed with `when.each`.";
        backoff: RawBackoff = "backoff", Preset::Empty,
            "How long restarts of failed runs wait; `none` restarts them at once.";
        essential: bool = "essential", Preset::Bool(false),
            "When it has completed by itself, the supervisor shuts down and exits with the exit code of its last run.";
        user: RawUser = "user", Preset::Depends("the supervisor's"),
            "As whom its processes run: `NAME`, `UID`, `NAME:GROUP` or `UID:GID`.";
        groups: RawGroups = "groups", Preset::Depends("those of `user`, else the supervisor's"),
            "Its supplementary groups, by name or number, instead of those that `/etc/group` gives `user`.";
        cwd: String = "cwd", Preset::Depends("the supervisor's"),
            "Its working directory, an absolute path.";
        umask: Octal<0o777> = "umask", Preset::Depends("the supervisor's"),
            "The permissions that files it makes do not get.";
        env: Pairs = "env", Preset::Absent,
            "Environment variables to set; `null` unsets one.";
        env_file: Vec<String> = "envFile", Preset::Absent,
            "Files of `NAME=value` lines, relative to the configuration file, to set variables from; one with a `-` in front may be missing.";
        nice: Nice = "nice", Preset::Depends("the supervisor's"),
            "Its nice value; the smaller, the more of the processor it gets.";
        oom_score_adj: OomScoreAdj = "oomScoreAdj", Preset::Depends("the supervisor's"),
            "How likely the kernel kills it when memory runs out, from never to first.";
        limits: RawLimits = "limits", Preset::Empty,
            "How much of the system's resources each of its processes may use.";
        no_new_privileges: bool = "noNewPrivileges", Preset::Bool(false),
            "Whether it can never gain privileges, as by a set-user-id program.";
        health: RawHealth = "health", Preset::Depends("none; required with `port`"),
            "How its health is found out.";
        port: Integer<0, 65535> = "port", Preset::Absent,
            "Advertises it in Consul at this port; 0 is as if left out. Needs `consul` and `health`.";
        initial_status: Unchecked<InitialStatus> = "initial_status", Preset::Absent,
            "Registers it with this status as soon as the job exists, not only at the first passing check.";
        interfaces: Vec<String> = "interfaces", Preset::Depends("`[\"eth0:inet\", \"inet\"]`"),
            "Which address is advertised: the first of these that matches one of the host's.";
        tags: Vec<String> = "tags", Preset::Absent,
            "Tags of the service in Consul.";
        consul: RawServiceOptions = "consul", Preset::Empty,
            "What Consul shall do with the service.";
    }
}

impl RawJob {
    /// Whether the job has a port, which may yet be one without meaning.
    pub(crate) fn is_advertised(&self) -> bool {
        self.port.is_some_and(|Integer(port)| port != 0)
    }

    /// What the settings mean together, or `None` after an error was added.
    pub(crate) fn into_spec(
        mut self,
        host: &Host,
        around: &Surroundings<'_>,
        at: &Path<'_>,
        findings: &mut Findings,
    ) -> Option<JobSpec> {
        let advertised = self.is_advertised();
        let program = self.exec.as_ref().and_then(Exec::program);
        let name = name(self.name.take(), program, advertised, at, findings);
        let when = self.when.take().unwrap_or_default();
        let when = when.into_spec(&at.key("when"), findings);
        let restarts = restarts(self.restarts, &when.start, &at.key("restarts"), findings);
        let (mut health, ttl) = self.health(&at.key("health"), findings);
        let restart_after = health.as_ref().and_then(|health| health.restart_after);
        let executes = self.exec.is_some() || findings.is_refused(&at.key("exec"));
        if restart_after.is_some() && !executes {
            let message = "has no effect: a job without \"exec\" has no run to stop";
            findings.warn(&at.key("health").key("restartAfter"), message);
        }
        let service = self.service(name.as_ref(), ttl, host, at, findings);
        let backoff = self.backoff.take().unwrap_or_default();
        let backoff = backoff.into_spec(&at.key("backoff"), findings);
        let essential = self.essential.unwrap_or_default();
        if essential && !executes {
            let message = "has no effect: a job without \"exec\" never completes by itself";
            findings.warn(&at.key("essential"), message);
        }
        let timeout = self.timeout.map(|Span(timeout)| timeout);
        let exec = self.exec.take();
        let mut exec = exec.map(|exec| Arc::new(exec.into_spec(self.logging.as_ref())));
        let check = health.as_mut().and_then(HealthSpec::exec_mut);
        self.context(exec.iter_mut().chain(check), around, at, findings);
        Some(JobSpec {
            name: name?,
            exec,
            timeout: match when.start {
                Start::Every(interval) => timeout.or(Some(interval)),
                Start::All(_) | Start::Any(_) => timeout,
            },
            when,
            restarts,
            backoff,
            essential,
            stop_timeout: self.stop_timeout.map(|Span(timeout)| timeout),
            stop_signal: self.stop_signal.unwrap_or_default().0,
            kill_timeout: self.kill_timeout.map(|Span(timeout)| timeout),
            health,
            service,
        })
    }

    /// Gives the job's commands its context.
    fn context<'e>(
        &mut self,
        commands: impl Iterator<Item = &'e mut Arc<ExecSpec>>,
        around: &Surroundings<'_>,
        at: &Path<'_>,
        findings: &mut Findings,
    ) {
        let raw = RawContext {
            user: self.user.take(),
            groups: self.groups.take(),
            cwd: self.cwd.take(),
            umask: self.umask,
            env: self.env.take(),
            env_file: self.env_file.take(),
            nice: self.nice,
            oom_score_adj: self.oom_score_adj,
            limits: self.limits.take(),
            no_new_privileges: self.no_new_privileges,
        };
        let mut commands = commands.peekable();
        if commands.peek().is_none() && !findings.is_refused(&at.key("exec")) {
            raw.warn_unused(at, findings);
        }
        let context = raw.into_spec(around, at, findings);
        for command in commands {
            Arc::make_mut(command).context.clone_from(&context);
        }
    }

    /// The health check, and for how long a passing one vouches for the job.
    fn health(&mut self, at: &Path<'_>, findings: &mut Findings) -> (Option<HealthSpec>, Duration) {
        let advertised = self.is_advertised();
        let Some(raw) = self.health.take() else {
            if advertised && !findings.is_refused(at) {
                findings.error(at, "is required because the job has a port");
            }
            return (None, Duration::ZERO);
        };
        raw.into_spec(advertised, at, findings)
            .map_or((None, Duration::ZERO), |(health, ttl)| (Some(health), ttl))
    }

    /// How the job is advertised, if it has a port.
    fn service(
        &mut self,
        name: Option<&Arc<str>>,
        ttl: Duration,
        host: &Host,
        at: &Path<'_>,
        findings: &mut Findings,
    ) -> Option<ServiceSpec> {
        let advertising = Advertising {
            interfaces: self.interfaces.take(),
            tags: self.tags.take().unwrap_or_default(),
            initial_status: self.initial_status.take(),
            options: self.consul.take().unwrap_or_default(),
        };
        let port = self.port.and_then(|Integer(port)| u16::try_from(port).ok());
        match port.filter(|port| *port != 0) {
            Some(port) => {
                // Without a name the file is refused; the rest is checked all the same.
                let name = name.cloned().unwrap_or_default();
                advertising.into_spec((&name, port, ttl), host, at, findings)
            }
            None => {
                if !findings.is_refused(&at.key("port")) {
                    advertising.warn_unused(at, findings);
                }
                None
            }
        }
    }
}

/// The job's name; `advertised` says whether it is a service's, too.
fn name(
    given: Option<Name>,
    program: Option<&str>,
    advertised: bool,
    at: &Path<'_>,
    findings: &mut Findings,
) -> Option<Arc<str>> {
    let exec_refused = findings.is_refused(&at.key("exec"));
    let at = at.key("name");
    match (given, program) {
        (Some(Name(name)), _) => {
            if advertised
                && !name.is_empty()
                && let Err(message) = check_name(&name)
            {
                findings.error(&at, message);
            }
            Some(name.into())
        }
        (None, Some(program)) if !advertised => Some(program.into()),
        (None, _) if findings.is_refused(&at) => None,
        (None, None) if exec_refused && !advertised => None,
        (None, _) => {
            findings.error(
                &at,
                match advertised {
                    true => "is required because the job has a port",
                    false => "is required because the job has no exec",
                },
            );
            None
        }
    }
}

/// How often the job runs again, given what starts it.
fn restarts(
    given: Option<Restarts>,
    start: &Start,
    at: &Path<'_>,
    findings: &mut Findings,
) -> Restarts {
    // A job that runs at every signal has no `each` in the file.
    let mut events = start.events().filter(|event| event.code != Code::Signal);
    let each = events.any(|event| start.repeats_at(event));
    match given {
        Some(Restarts::Unlimited) if each => {
            let message = "\"unlimited\" can't go with \"when.each\": every event would add a run that never ends";
            findings.error(at, message);
            Restarts::Limited(0)
        }
        Some(restarts) => restarts,
        None if matches!(start, Start::Every(_)) => Restarts::Unlimited,
        None => Restarts::Limited(0),
    }
}
