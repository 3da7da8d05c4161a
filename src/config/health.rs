//! `health`: how the health of a job is found out (SPEC §7).

use std::sync::Arc;
use std::time::Duration;

use super::decode::Span;
use super::duration;
use super::exec::{Exec, ExecSpec, RawOutput};
use super::findings::{Findings, Path};
use super::table::{Preset, object};

/// How the health of a job is found out.
#[derive(Clone, Debug, PartialEq)]
pub struct HealthSpec {
    /// The check; without one, every interval counts as a passing check.
    pub exec: Option<Arc<ExecSpec>>,
    /// From one check to the next.
    pub interval: Duration,
    /// The longest a check may take before its process group is killed.
    pub timeout: Duration,
}

object! {
    /// A health check, as the file has it.
    RawHealth in "job.health" {
        exec: Exec = "exec", Preset::Absent,
            "The check: exit code 0 means healthy. Without one, every interval counts as a passing check.";
        interval: Span<1000> = "interval", Preset::Required,
            "From one check to the next; the first comes one interval after the job's first start.";
        ttl: Span<1000> = "ttl", Preset::Required,
            "How long Consul waits for a passing check before it calls the service critical, in whole seconds.";
        timeout: Span<1> = "timeout", Preset::Depends("the interval"),
            "The longest a check may take; then its process group is killed and it counts as failed.";
        logging: RawOutput = "logging", Preset::Empty,
            "How the check's output is treated: as `logging` of the job.";
    }
}

impl RawHealth {
    /// The check, and the time to live of what it vouches for.
    pub(crate) fn into_spec(
        self,
        advertised: bool,
        at: &Path<'_>,
        findings: &mut Findings,
    ) -> Option<(HealthSpec, Duration)> {
        let exec = self
            .exec
            .map(|exec| Arc::new(exec.into_spec(self.logging.as_ref())));
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
            exec,
            interval,
            timeout: self.timeout.map_or(interval, |Span(timeout)| timeout),
        };
        Some((spec, ttl))
    }
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
            assert_eq!(spec.exec, None);
        }
    }

    #[test]
    fn the_command_keeps_how_its_output_is_treated() {
        let (spec, _) = health("{exec: 'check -v', logging: {raw: true}, interval: 5, ttl: 10}");
        let exec = spec.unwrap().0.exec.unwrap();
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
                "health.interval: 0 is shorter than 1s, the least allowed",
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
