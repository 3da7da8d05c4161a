//! `backoff`: how long the restarts of a failing job wait (SPEC §15).

use std::time::Duration;

use super::decode::{Decode, Integer, Span, mismatch};
use super::duration;
use super::findings::{Findings, Path};
use super::suggest;
use super::table::{Preset, Shape, object};
use super::value::Value;

/// How long the restarts of a failing job wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Backoff {
    /// Before the second restart of a row; the first is at once.
    pub initial: Duration,
    /// By how much each wait is longer than the one before.
    pub factor: u32,
    /// The longest wait.
    pub max: Duration,
    /// A run of at least this long is no part of the row.
    pub reset: Duration,
}

impl Default for Backoff {
    /// What holds if the file says nothing.
    fn default() -> Self {
        Self {
            initial: Duration::from_millis(100),
            factor: 2,
            max: Duration::from_secs(30),
            reset: Duration::from_secs(10),
        }
    }
}

impl Backoff {
    /// How long to wait after so many failed runs in a row, without jitter.
    pub fn wait(&self, failures: u32) -> Duration {
        let Some(doublings) = failures.checked_sub(2) else {
            return Duration::ZERO;
        };
        let factor = self.factor.checked_pow(doublings);
        let wait = factor.and_then(|factor| self.initial.checked_mul(factor));
        wait.unwrap_or(Duration::MAX).min(self.max)
    }
}

object! {
    /// The waits, as the file has them.
    RawWaits in "job.backoff" {
        initial: Span<1> = "initial", Preset::Text("100ms"),
            "The wait before the second restart in a row; the first restart is at once.";
        factor: Integer<1, 100> = "factor", Preset::Integer(2),
            "How many times as long each further wait is.";
        max: Span<1> = "max", Preset::Text("30s"),
            "The longest wait.";
        reset: Span<1> = "reset", Preset::Text("10s"),
            "A run of at least this long ends the row: the next restart is at once again.";
    }
}

fn words() -> Vec<&'static str> {
    vec!["none"]
}

/// The waits, or that there are none.
#[derive(Debug, Default)]
pub(crate) enum RawBackoff {
    /// Every restart is at once.
    #[default]
    None,
    /// Restarts of failed runs wait.
    Waits(RawWaits),
}

impl Decode for RawBackoff {
    const SHAPE: Shape = Shape::Either(&[RawWaits::SHAPE, Shape::Words(words)]);

    fn decode(value: Value<'_>, at: &Path<'_>, findings: &mut Findings) -> Option<Self> {
        match &value {
            Value::Text(text) if text.eq_ignore_ascii_case("none") => Some(Self::None),
            Value::Object(_) => RawWaits::decode(value, at, findings).map(Self::Waits),
            Value::Text(text) => {
                let hint = suggest::hint(text, words());
                mismatch(
                    &value,
                    &format!("an object or \"none\"{hint}"),
                    at,
                    findings,
                )
            }
            _ => mismatch(&value, "an object or \"none\"", at, findings),
        }
    }
}

impl RawBackoff {
    /// The waits, if there are any; anything if an error was added.
    pub(crate) fn into_spec(self, at: &Path<'_>, findings: &mut Findings) -> Option<Backoff> {
        let Self::Waits(raw) = self else {
            return None;
        };
        let (Span(initial), Span(max), Span(reset)) = (raw.initial?, raw.max?, raw.reset?);
        let Integer(factor) = raw.factor?;
        if initial > max {
            let (initial, max) = (duration::format(initial), duration::format(max));
            let message = format!("{initial} is longer than \"max\" ({max}): set both");
            findings.error(&at.key("initial"), message);
        }
        Some(Backoff {
            initial,
            factor: u32::try_from(factor).unwrap_or(u32::MAX),
            max,
            reset,
        })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn backoff(text: &str) -> (Option<Backoff>, Findings) {
        let mut findings = Findings::default();
        let at = Path::Root.key("backoff");
        let raw = RawBackoff::decode(json5::from_str(text).unwrap(), &at, &mut findings);
        let spec = raw.and_then(|raw| raw.into_spec(&at, &mut findings));
        (spec, findings)
    }

    #[test]
    fn what_is_left_out_is_as_the_default() {
        let default = Backoff::default();
        for (text, expected) in [
            ("{}", Some(default)),
            ("'none'", None),
            ("'NONE'", None),
            (
                "{initial: 1, factor: '3', max: '1m', reset: '1h'}",
                Some(Backoff {
                    initial: Duration::from_secs(1),
                    factor: 3,
                    max: Duration::from_secs(60),
                    reset: Duration::from_secs(3600),
                }),
            ),
            (
                "{max: '1s'}",
                Some(Backoff {
                    max: Duration::from_secs(1),
                    ..default
                }),
            ),
        ] {
            let (spec, findings) = backoff(text);
            assert!(findings.finish("").unwrap().is_empty(), "{text}");
            assert_eq!(spec, expected, "{text}");
        }
    }

    #[test]
    fn what_can_not_be_is_an_error() {
        for (text, error) in [
            (
                "{initial: '1m'}",
                "backoff.initial: 1m0s is longer than \"max\" (30s): set both",
            ),
            ("{factor: 0}", "backoff.factor: 0 is not between 1 and 100"),
            (
                "{initial: 0}",
                "backoff.initial: 0 is shorter than 1ms, the least allowed",
            ),
            (
                "'non'",
                "backoff: \"non\" is not an object or \"none\"; did you mean \"none\"?",
            ),
            ("5", "backoff: 5 is not an object or \"none\""),
        ] {
            let errors = backoff(text).1.finish("").unwrap_err();
            assert_eq!(errors.to_string(), error, "{text}");
        }
    }

    #[test]
    fn the_first_restart_is_at_once_and_no_wait_exceeds_the_longest() {
        let backoff = Backoff::default();
        let waits: Vec<u128> = (0..=12).map(|n| backoff.wait(n).as_millis()).collect();
        let doubled = [100, 200, 400, 800, 1600, 3200, 6400, 12_800, 25_600];
        assert_eq!(&waits[..2], &[0, 0]);
        assert_eq!(&waits[2..11], &doubled);
        assert_eq!(&waits[11..], &[30_000, 30_000]);
        assert_eq!(backoff.wait(u32::MAX), backoff.max);
    }
}
