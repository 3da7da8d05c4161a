//! Which keys of the file differ between two configurations, in the words of
//! the file: what a plan says of a change.
//!
//! Pure, and for people: what a reload does is decided by comparing whole
//! values, never here. Every struct is taken apart by all its fields, so that a
//! new one cannot be forgotten.

use std::sync::Arc;

use crate::config::control::Access;
use crate::config::logging::Rotation;
use crate::config::url::Place;
use crate::config::{
    CheckSpec, ConsulSpec, ContextSpec, ControlSpec, ExecSpec, HealthSpec, InitSpec, JobSpec,
    LoggingSpec, ProbeSpec, ServiceSpec, TelemetrySpec, WatchSpec,
};

/// The keys that were found to differ.
#[derive(Debug, Default)]
pub(super) struct Keys(Vec<&'static str>);

impl Keys {
    fn note(&mut self, key: &'static str, differs: bool) {
        if differs && !self.0.contains(&key) {
            self.0.push(key);
        }
    }

    /// `: a, b`, or nothing.
    pub(super) fn told(&self) -> String {
        match self.0.is_empty() {
            true => String::new(),
            false => format!(": {}", self.0.join(", ")),
        }
    }
}

/// The keys of a job.
pub(super) fn of_jobs(before: &JobSpec, now: &JobSpec) -> Keys {
    let JobSpec {
        name: _,
        exec,
        when,
        restarts,
        backoff,
        essential,
        timeout,
        stop_timeout,
        stop_signal,
        kill_timeout,
        health,
        service,
    } = before;
    let mut keys = Keys::default();
    of_execs(exec.as_ref(), now.exec.as_ref(), &mut keys);
    keys.note("when", *when != now.when);
    keys.note("restarts", *restarts != now.restarts);
    keys.note("backoff", *backoff != now.backoff);
    keys.note("essential", *essential != now.essential);
    keys.note("timeout", *timeout != now.timeout);
    keys.note("stopTimeout", *stop_timeout != now.stop_timeout);
    keys.note("stopSignal", *stop_signal != now.stop_signal);
    keys.note("killTimeout", *kill_timeout != now.kill_timeout);
    of_health(health.as_ref(), now.health.as_ref(), &mut keys);
    of_services(service.as_ref(), now.service.as_ref(), &mut keys);
    keys
}

fn of_execs(before: Option<&Arc<ExecSpec>>, now: Option<&Arc<ExecSpec>>, keys: &mut Keys) {
    let (Some(before), Some(now)) = (before, now) else {
        keys.note("exec", before.is_some() != now.is_some());
        return;
    };
    let ExecSpec { argv, raw, context } = &**before;
    keys.note("exec", *argv != now.argv);
    keys.note("logging", *raw != now.raw);
    of_contexts(context.as_ref(), now.context.as_ref(), keys);
}

/// The keys of a context. What a user's account or an environment file says now
/// is told by the key that names it; values are never told.
fn of_contexts(before: Option<&Arc<ContextSpec>>, now: Option<&Arc<ContextSpec>>, keys: &mut Keys) {
    let nothing = Arc::default();
    let (before, now) = (before.unwrap_or(&nothing), now.unwrap_or(&nothing));
    let ContextSpec {
        user,
        groups,
        cwd,
        umask,
        nice,
        oom_score_adj,
        limits,
        no_new_privileges,
        foreground: _,
        login,
        common,
        files,
        own,
    } = &**before;
    keys.note("user", *user != now.user || *login != now.login);
    keys.note("groups", *groups != now.groups);
    keys.note("cwd", *cwd != now.cwd);
    keys.note("umask", *umask != now.umask);
    keys.note("env", *common != now.common || *own != now.own);
    keys.note("envFile", *files != now.files);
    keys.note("nice", *nice != now.nice);
    keys.note("oomScoreAdj", *oom_score_adj != now.oom_score_adj);
    keys.note("limits", *limits != now.limits);
    keys.note(
        "noNewPrivileges",
        *no_new_privileges != now.no_new_privileges,
    );
}

fn of_health(before: Option<&HealthSpec>, now: Option<&HealthSpec>, keys: &mut Keys) {
    let (Some(before), Some(now)) = (before, now) else {
        keys.note("health", before.is_some() != now.is_some());
        return;
    };
    let HealthSpec {
        check,
        interval,
        timeout,
        healthy_after,
        unhealthy_after,
        start_period,
        restart_after,
    } = before;
    of_checks(check.as_ref(), now.check.as_ref(), keys);
    keys.note("health.interval", *interval != now.interval);
    keys.note("health.timeout", *timeout != now.timeout);
    keys.note("health.healthyAfter", *healthy_after != now.healthy_after);
    keys.note(
        "health.unhealthyAfter",
        *unhealthy_after != now.unhealthy_after,
    );
    keys.note("health.startPeriod", *start_period != now.start_period);
    keys.note("health.restartAfter", *restart_after != now.restart_after);
}

/// The keys of a check; the context of its command is the job's.
fn of_checks(before: Option<&CheckSpec>, now: Option<&CheckSpec>, keys: &mut Keys) {
    if let (Some(CheckSpec::Exec(before)), Some(CheckSpec::Exec(now))) = (before, now) {
        let ExecSpec { argv, raw, context } = &**before;
        keys.note("health.exec", *argv != now.argv || *raw != now.raw);
        of_contexts(context.as_ref(), now.context.as_ref(), keys);
    } else if before != now {
        for check in [before, now].into_iter().flatten() {
            keys.note(key_of_check(check), true);
        }
    }
}

/// The key that a check is written with.
fn key_of_check(check: &CheckSpec) -> &'static str {
    match check {
        CheckSpec::Exec(_) => "health.exec",
        CheckSpec::Probe(probe) => match &**probe {
            ProbeSpec::Http(_) => "health.http",
            ProbeSpec::Connect(Place::Tcp(_)) => "health.tcp",
            ProbeSpec::Connect(Place::Unix(_)) => "health.unix",
        },
    }
}

fn of_services(before: Option<&ServiceSpec>, now: Option<&ServiceSpec>, keys: &mut Keys) {
    let (Some(before), Some(now)) = (before, now) else {
        keys.note("port", before.is_some() != now.is_some());
        return;
    };
    let ServiceSpec {
        id: _,
        name: _,
        address,
        port,
        tags,
        ttl,
        initial_status,
        enable_tag_override,
        deregister_critical_after,
    } = before;
    keys.note("health.ttl", *ttl != now.ttl);
    keys.note("port", *port != now.port);
    keys.note("initial_status", *initial_status != now.initial_status);
    keys.note("interfaces", *address != now.address);
    keys.note("tags", *tags != now.tags);
    let consul = *enable_tag_override != now.enable_tag_override
        || *deregister_critical_after != now.deregister_critical_after;
    keys.note("consul", consul);
}

/// The keys of a watch.
pub(super) fn of_watches(before: &WatchSpec, now: &WatchSpec) -> Keys {
    let WatchSpec {
        name: _,
        interval,
        tag,
        datacenter,
    } = before;
    let mut keys = Keys::default();
    keys.note("interval", *interval != now.interval);
    keys.note("tag", *tag != now.tag);
    keys.note("dc", *datacenter != now.datacenter);
    keys
}

/// The keys of `telemetry`; its service follows from the others.
pub(super) fn of_telemetry(before: &TelemetrySpec, now: &TelemetrySpec) -> Keys {
    let TelemetrySpec {
        address,
        port,
        tags,
        metrics,
        service,
    } = before;
    let mut keys = Keys::default();
    keys.note("port", *port != now.port);
    keys.note("interfaces", *address != now.address);
    keys.note("tags", *tags != now.tags);
    keys.note("metrics", *metrics != now.metrics);
    keys.note("consul", service.is_some() != now.service.is_some());
    keys
}

/// The keys of `logging`.
pub(super) fn of_logging(before: &LoggingSpec, now: &LoggingSpec) -> Keys {
    let LoggingSpec {
        level,
        format,
        output,
        rotation,
        buffer,
    } = before;
    let mut keys = Keys::default();
    keys.note("level", *level != now.level);
    keys.note("format", *format != now.format);
    keys.note("output", *output != now.output);
    let size = |rotation: Option<Rotation>| rotation.map(|rotation| rotation.max_size);
    let keep = |rotation: Option<Rotation>| rotation.map(|rotation| rotation.keep);
    keys.note("maxSize", size(*rotation) != size(now.rotation));
    keys.note("keep", keep(*rotation) != keep(now.rotation));
    keys.note("buffer", *buffer != now.buffer);
    keys
}

/// The keys of `init`.
pub(super) fn of_init(before: &InitSpec, now: &InitSpec) -> Keys {
    let InitSpec {
        mounts,
        console,
        hostname,
        watchdog,
        on_shutdown,
    } = before;
    let mut keys = Keys::default();
    keys.note("mounts", *mounts != now.mounts);
    keys.note("console", *console != now.console);
    keys.note("hostname", *hostname != now.hostname);
    keys.note("watchdog", *watchdog != now.watchdog);
    keys.note("onShutdown", *on_shutdown != now.on_shutdown);
    keys
}

/// The keys of `control`, of a socket that stays where it is.
pub(super) fn of_control(before: &ControlSpec, now: &ControlSpec) -> Keys {
    let ControlSpec { socket: _, access } = before;
    let Access { mode, owner, group } = access;
    let mut keys = Keys::default();
    keys.note("mode", *mode != now.access.mode);
    keys.note("owner", *owner != now.access.owner);
    keys.note("group", *group != now.access.group);
    keys
}

/// The keys of `consul`.
pub(super) fn of_consul(before: &ConsulSpec, now: &ConsulSpec) -> Keys {
    let ConsulSpec {
        address,
        tls,
        token,
    } = before;
    let mut keys = Keys::default();
    keys.note("address", *address != now.address);
    keys.note("tls", *tls != now.tls);
    keys.note("token", *token != now.token);
    keys
}
