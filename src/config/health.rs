//! `health`: how the health of a job is found out (SPEC §7).

use std::sync::Arc;
use std::time::Duration;

use crate::tls::Tls;

use super::decode::{Integer, Span};
use super::duration;
use super::exec::{Exec, ExecSpec, RawOutput};
use super::findings::{Findings, Path};
use super::probe::{self, ProbeSpec, RawHttp, Target};
use super::table::{Preset, object};

/// How the health of a job is found out.
#[derive(Clone, Debug, PartialEq, Hash)]
pub struct HealthSpec {
    /// The check; without one, every interval counts as a passing check.
    pub check: Option<CheckSpec>,
    /// From one check to the next.
    pub interval: Duration,
    /// The longest a check may take before it has failed.
    pub timeout: Duration,
    /// How many checks must pass in a row to make the job healthy.
    pub healthy_after: u32,
    /// How many checks must fail in a row to make the job unhealthy.
    pub unhealthy_after: u32,
    /// How long after the start of a run failures do not count.
    pub start_period: Duration,
    /// How many checks of one run must fail in a row for it to be stopped.
    pub restart_after: Option<u32>,
}

/// What a check does.
#[derive(Clone, Debug, PartialEq, Hash)]
pub enum CheckSpec {
    /// Executes a command, whose exit code 0 is good.
    Exec(Arc<ExecSpec>),
    /// Asks somebody, without a process.
    Probe(Arc<ProbeSpec>),
}

impl HealthSpec {
    /// The command, if that is what a check is.
    pub fn exec(&self) -> Option<&Arc<ExecSpec>> {
        match &self.check {
            Some(CheckSpec::Exec(exec)) => Some(exec),
            Some(CheckSpec::Probe(_)) | None => None,
        }
    }

    /// The certificates of the check, while nobody else has it.
    pub(crate) fn tls_mut(&mut self) -> Option<&mut Tls> {
        match &mut self.check {
            Some(CheckSpec::Probe(probe)) => match Arc::get_mut(probe)? {
                ProbeSpec::Http(spec) => spec.tls.as_mut(),
                ProbeSpec::Connect(_) => None,
            },
            Some(CheckSpec::Exec(_)) | None => None,
        }
    }

    /// As [`HealthSpec::exec`], to change it.
    pub(crate) fn exec_mut(&mut self) -> Option<&mut Arc<ExecSpec>> {
        match &mut self.check {
            Some(CheckSpec::Exec(exec)) => Some(exec),
            Some(CheckSpec::Probe(_)) | None => None,
        }
    }
}

/// How many checks.
type Count = Integer<1, { i64::MAX }>;

object! {
    /// A health check, as the file has it.
    RawHealth in "job.health" {
        exec: Exec = "exec", Preset::Absent,
            "The check as a command: exit code 0 means healthy. Without any check, every interval counts as a passing one.";
        http: RawHttp = "http", Preset::Absent,
            "The check as an HTTP request: a URL, or an object.";
        tcp: Target = "tcp", Preset::Absent,
            "The check as a TCP connection to `HOST:PORT`; without a host, to this one.";
        unix: Target = "unix", Preset::Absent,
            "The check as a connection to the Unix socket of this path.";
        interval: Span<1> = "interval", Preset::Required,
            "From one check to the next; the first comes one interval after the job's first start.";
        ttl: Span<1000> = "ttl", Preset::Required,
            "How long Consul waits for a passing check before it calls the service critical, in whole seconds.";
        timeout: Span<1> = "timeout", Preset::Depends("the interval"),
            "The longest a check may take; then it has failed, and its process group, if it is a command, is killed.";
        healthy_after: Count = "healthyAfter", Preset::Integer(1),
            "How many checks in a row must pass to make the job healthy.";
        unhealthy_after: Count = "unhealthyAfter", Preset::Integer(1),
            "How many checks in a row must fail to make the job unhealthy.";
        start_period: Span<1> = "startPeriod", Preset::Absent,
            "For how long after the start of a run failed checks do not count, unless one has passed.";
        restart_after: Count = "restartAfter", Preset::Absent,
            "After so many failed checks in a row the run is stopped and counts as failed; whether another follows is up to `restarts`.";
        logging: RawOutput = "logging", Preset::Empty,
            "How the check's output is treated: as `logging` of the job.";
    }
}

impl RawHealth {
    /// The check, and the time to live of what it vouches for.
    pub(crate) fn into_spec(
        mut self,
        advertised: bool,
        at: &Path<'_>,
        findings: &mut Findings,
    ) -> Option<(HealthSpec, Duration)> {
        let check = self.check(at, findings);
        let (Span(interval), Span(ttl)) = (self.interval?, self.ttl?);
        if ttl.subsec_nanos() != 0 {
            let text = duration::format(ttl);
            findings.error(
                &at.key("ttl"),
                format!("{text} is not a whole number of seconds"),
            );
        } else if advertised && ttl <= interval {
            let swapped = match ttl < interval {
                true => "; are the two swapped?",
                false => "",
            };
            let message = format!(
                "{} is not longer than the interval ({}): the service turns critical between two checks{swapped}",
                duration::format(ttl),
                duration::format(interval)
            );
            findings.warn(&at.key("ttl"), message);
        }
        let spec = HealthSpec {
            check,
            interval,
            timeout: self.timeout.map_or(interval, |Span(timeout)| timeout),
            healthy_after: self.healthy_after.map_or(1, count),
            unhealthy_after: self.unhealthy_after.map_or(1, count),
            start_period: self.start_period.unwrap_or_default().0,
            restart_after: self.restart_after.map(count),
        };
        Some((spec, ttl))
    }

    /// The one check, if there is one; anything if an error was added.
    fn check(&mut self, at: &Path<'_>, findings: &mut Findings) -> Option<CheckSpec> {
        let kinds = [
            ("exec", self.exec.is_some()),
            ("http", self.http.is_some()),
            ("tcp", self.tcp.is_some()),
            ("unix", self.unix.is_some()),
        ];
        let mut given = kinds.iter().filter(|(_, given)| *given);
        let first = given.next().map_or("", |(key, _)| key);
        for (key, _) in given {
            let message = format!("can't go with {first:?}: a job has one check");
            findings.error(&at.key(key), message);
        }
        let raw = self.logging.as_ref().and_then(|logging| logging.raw);
        if raw == Some(true) && !matches!(first, "" | "exec") {
            let message = format!("has no effect: a check by {first:?} prints nothing");
            findings.warn(&at.key("logging"), message);
        }
        let http = self.http.take();
        let http = http.and_then(|http| http.into_spec(&at.key("http"), findings));
        let tcp = self.tcp.as_ref();
        let tcp = tcp.and_then(|tcp| probe::tcp(tcp, &at.key("tcp"), findings));
        let unix = self.unix.as_ref();
        let unix = unix.and_then(|unix| probe::unix(unix, &at.key("unix"), findings));
        match self.exec.take() {
            Some(exec) => {
                let exec = exec.into_spec(self.logging.as_ref());
                Some(CheckSpec::Exec(Arc::new(exec)))
            }
            None => {
                let probe = http.or(tcp).or(unix)?;
                Some(CheckSpec::Probe(Arc::new(probe)))
            }
        }
    }
}

/// Nobody waits for more checks than these.
fn count(Integer(count): Count) -> u32 {
    u32::try_from(count).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::super::decode::Decode;
    use super::*;

    fn health(text: &str) -> (Option<(HealthSpec, Duration)>, Findings) {
        let mut findings = Findings::default();
        let at = Path::Root.key("health");
        let raw = RawHealth::decode(json5::from_str(text).unwrap(), &at, &mut findings);
        let spec = raw.and_then(|raw| raw.into_spec(true, &at, &mut findings));
        (spec, findings)
    }

    #[test]
    fn a_check_has_an_interval_a_ttl_and_a_timeout() {
        let seconds = Duration::from_secs;
        for (text, interval, ttl, timeout) in [
            (
                "{interval: 5, ttl: 10}",
                seconds(5),
                seconds(10),
                seconds(5),
            ),
            (
                "{interval: '5', ttl: '10'}",
                seconds(5),
                seconds(10),
                seconds(5),
            ),
            (
                "{interval: '5s', ttl: '1m'}",
                seconds(5),
                seconds(60),
                seconds(5),
            ),
            (
                "{interval: '1.5s', ttl: 3.0}",
                Duration::from_millis(1500),
                seconds(3),
                Duration::from_millis(1500),
            ),
            (
                "{interval: 5, ttl: 10, timeout: '100ms'}",
                seconds(5),
                seconds(10),
                Duration::from_millis(100),
            ),
            (
                "{interval: '250ms', ttl: 10}",
                Duration::from_millis(250),
                seconds(10),
                Duration::from_millis(250),
            ),
            (
                "{interval: 5, ttl: 10, timeout: 60}",
                seconds(5),
                seconds(10),
                seconds(60),
            ),
            (
                "{interval: 5, ttl: 10, timeout: ''}",
                seconds(5),
                seconds(10),
                seconds(5),
            ),
        ] {
            let (spec, findings) = health(text);
            assert!(findings.finish("").unwrap().is_empty(), "{text}");
            let (spec, given) = spec.unwrap();
            assert_eq!(
                (spec.interval, given, spec.timeout),
                (interval, ttl, timeout),
                "{text}"
            );
            assert_eq!(spec.check, None);
        }
    }

    #[test]
    fn one_result_is_enough_unless_more_are_asked_for() {
        let (spec, _) = health("{interval: 5, ttl: 10}");
        let spec = spec.unwrap().0;
        assert_eq!((spec.healthy_after, spec.unhealthy_after), (1, 1));
        assert_eq!(
            (spec.start_period, spec.restart_after),
            (Duration::ZERO, None)
        );
        let (spec, _) = health(
            "{interval: 5, ttl: 10, healthyAfter: 2, unhealthyAfter: '3', startPeriod: '1m', restartAfter: 4}",
        );
        let spec = spec.unwrap().0;
        assert_eq!((spec.healthy_after, spec.unhealthy_after), (2, 3));
        assert_eq!(spec.start_period, Duration::from_secs(60));
        assert_eq!(spec.restart_after, Some(4));
    }

    #[test]
    fn the_command_keeps_how_its_output_is_treated() {
        let (spec, _) = health("{exec: 'check -v', logging: {raw: true}, interval: 5, ttl: 10}");
        let spec = spec.unwrap().0;
        let exec = spec.exec().unwrap();
        assert_eq!(exec.argv, ["check", "-v"]);
        assert!(exec.raw);
    }

    #[test]
    fn what_can_not_be_is_an_error() {
        for (text, errors) in [
            (
                "{}",
                "health.interval: is required\nhealth.ttl: is required",
            ),
            (
                "{interval: 0, ttl: 10}",
                "health.interval: 0 is shorter than 1ms, the least allowed",
            ),
            (
                "{interval: 5, ttl: '999ms'}",
                "health.ttl: \"999ms\" is shorter than 1s, the least allowed",
            ),
            (
                "{interval: 5, ttl: '1500ms'}",
                "health.ttl: 1.5s is not a whole number of seconds",
            ),
            (
                "{interval: -5, ttl: 10}",
                "health.interval: -5 is no duration: it is negative",
            ),
            (
                "{interval: 5, ttl: 10, timeout: 0}",
                "health.timeout: 0 is shorter than 1ms, the least allowed",
            ),
            (
                "{interval: 1.5, ttl: 10}",
                "health.interval: 1.5 is no duration: write \"300ms\", \"1.5h\" or an integer of seconds",
            ),
            (
                "{interval: '', ttl: 10}",
                "health.interval: is required, but it is empty: did an environment variable render to nothing?",
            ),
            (
                "{interval: 5, ttl: 10, healthyAfter: 0}",
                "health.healthyAfter: 0 is not at least 1",
            ),
            (
                "{interval: 5, ttl: 10, poll: 5}",
                "health.poll: unknown key; it is \"interval\" now",
            ),
        ] {
            assert_eq!(
                health(text).1.finish("").unwrap_err().to_string(),
                errors,
                "{text}"
            );
        }
    }

    #[test]
    fn a_ttl_that_expires_between_two_checks_is_a_warning() {
        for (ttl, swapped) in [(5, ""), (4, "; are the two swapped?")] {
            let text = format!("{{interval: 5, ttl: {ttl}}}");
            let warnings = health(&text).1.finish("").unwrap();
            assert_eq!(
                warnings.first().unwrap().to_string(),
                format!(
                    "health.ttl: {ttl}s is not longer than the interval (5s): \
                     the service turns critical between two checks{swapped}"
                )
            );
        }
    }
}
