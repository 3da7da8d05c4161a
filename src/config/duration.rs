//! Durations as Go writes them: `300ms`, `1.5h`, `1h2m3s` (SPEC §3).
//!
//! Grammar, limits and texts are those of Go's `time.ParseDuration` and
//! `Duration.String`, because existing files were written for them. Pure; the
//! decoder calls it and other modules use [`format()`] for their messages.

use std::time::Duration;

/// Units with their length in nanoseconds. The micro sign comes in two code
/// points, and Go takes both.
const UNITS: [(&str, u64); 8] = [
    ("ns", 1),
    ("us", 1_000),
    ("\u{b5}s", 1_000),
    ("\u{3bc}s", 1_000),
    ("ms", 1_000_000),
    ("s", 1_000_000_000),
    ("m", 60_000_000_000),
    ("h", 3_600_000_000_000),
];

/// The limit of Go's type: 2^63 nanoseconds, a little over 292 years.
const LIMIT: u64 = 1 << 63;

/// What is wrong with a duration.
const TOO_LONG: &str = "longer than 2562047h47m16.854775807s";

/// Reads what a file may have for a duration: Go's format, or an integer of
/// seconds.
///
/// # Errors
/// Says why `text` is neither, e.g. `"x" is no unit (…)`.
pub fn parse_setting(text: &str) -> Result<Duration, String> {
    match text.parse::<i64>() {
        Ok(seconds) => from_seconds(seconds),
        Err(_) => parse(text),
    }
}

/// An integer of seconds.
///
/// # Errors
/// Says that it is negative or too long.
pub fn from_seconds(seconds: i64) -> Result<Duration, String> {
    let seconds = u64::try_from(seconds).map_err(|_| "it is negative".to_owned())?;
    if seconds > (LIMIT - 1) / 1_000_000_000 {
        return Err(TOO_LONG.to_owned());
    }
    Ok(Duration::from_secs(seconds))
}

/// Reads Go's format.
///
/// # Errors
/// Says why `text` is none, or that it is negative.
pub fn parse(text: &str) -> Result<Duration, String> {
    let (negative, mut rest) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    if rest == "0" {
        return Ok(Duration::ZERO);
    }
    if rest.is_empty() {
        return Err("there is no number".to_owned());
    }
    let mut total: u64 = 0;
    while !rest.is_empty() {
        let nanoseconds;
        (nanoseconds, rest) = term(rest)?;
        total = total
            .checked_add(nanoseconds)
            .filter(|total| *total <= LIMIT)
            .ok_or(TOO_LONG)?;
    }
    match (negative, total) {
        (true, 1..) => Err("it is negative".to_owned()),
        (false, LIMIT) => Err(TOO_LONG.to_owned()),
        _ => Ok(Duration::from_nanos(total)),
    }
}

/// One number and its unit, in nanoseconds, and what follows them.
fn term(text: &str) -> Result<(u64, &str), String> {
    let (whole, rest) = split_digits(text);
    let (fraction, rest) = match rest.strip_prefix('.') {
        Some(rest) => split_digits(rest),
        None => ("", rest),
    };
    if whole.is_empty() && fraction.is_empty() {
        return Err("there is no number".to_owned());
    }
    let end = rest.find(|c: char| c == '.' || c.is_ascii_digit());
    let (name, rest) = rest.split_at(end.unwrap_or(rest.len()));
    if name.is_empty() {
        return Err("a unit is missing (ns, us, ms, s, m, h)".to_owned());
    }
    let unit = UNITS.iter().find(|(known, _)| *known == name);
    let (_, unit) = unit.ok_or_else(|| format!("{name:?} is no unit (ns, us, ms, s, m, h)"))?;
    let nanoseconds = in_nanoseconds(whole, fraction, *unit).ok_or(TOO_LONG)?;
    Ok((nanoseconds, rest))
}

/// The digits at the beginning of `text`, and the rest.
fn split_digits(text: &str) -> (&str, &str) {
    let end = text.find(|c: char| !c.is_ascii_digit());
    text.split_at(end.unwrap_or(text.len()))
}

/// `None` if it is longer than [`LIMIT`].
fn in_nanoseconds(whole: &str, fraction: &str, unit: u64) -> Option<u64> {
    let whole = match whole {
        "" => 0,
        digits => digits.parse::<u64>().ok()?,
    };
    // Go, too, forgets the digits that no longer fit, and rounds by way of a
    // float: 0.1ns is 0.
    let (mut digits, mut scale) = (0_u64, 1.0_f64);
    for digit in fraction.bytes().map(|byte| u64::from(byte - b'0')) {
        match digits
            .checked_mul(10)
            .and_then(|ten| ten.checked_add(digit))
        {
            Some(next) if next <= LIMIT => digits = next,
            _ => break,
        }
        scale *= 10.0;
    }
    let part = (digits as f64 * (unit as f64 / scale)) as u64;
    let sum = whole.checked_mul(unit)?.checked_add(part)?;
    (sum <= LIMIT).then_some(sum)
}

/// The duration as Go prints it: `1h0m0s`, `1.5s`, `100ms`.
pub fn format(duration: Duration) -> String {
    let nanoseconds = duration.as_nanos();
    match nanoseconds {
        0 => "0s".to_owned(),
        1..1_000 => format!("{nanoseconds}ns"),
        1_000..1_000_000 => decimal(nanoseconds, 1_000) + "µs",
        1_000_000..1_000_000_000 => decimal(nanoseconds, 1_000_000) + "ms",
        _ => {
            let minutes = nanoseconds / 60_000_000_000;
            let seconds = decimal(nanoseconds % 60_000_000_000, 1_000_000_000);
            match (minutes / 60, minutes % 60) {
                (0, 0) => format!("{seconds}s"),
                (0, minutes) => format!("{minutes}m{seconds}s"),
                (hours, minutes) => format!("{hours}h{minutes}m{seconds}s"),
            }
        }
    }
}

/// `count` in units of `unit` (a power of ten), without trailing zeros.
fn decimal(count: u128, unit: u128) -> String {
    let (whole, rest) = (count / unit, count % unit);
    if rest == 0 {
        return whole.to_string();
    }
    let width = unit.ilog10() as usize;
    let text = format!("{whole}.{rest:0width$}");
    text.trim_end_matches('0').to_owned()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    /// Values and errors as Go 1.22 gives them (negative ones apart, which no
    /// setting allows).
    #[test]
    fn gos_grammar_is_read_exactly() {
        for (text, nanoseconds) in [
            ("0", 0),
            ("+0", 0),
            ("-0", 0),
            ("0s", 0),
            ("-0s", 0),
            ("5s", 5_000_000_000),
            ("+5s", 5_000_000_000),
            ("30s", 30_000_000_000),
            ("1478s", 1_478_000_000_000),
            ("5.0s", 5_000_000_000),
            ("5.6s", 5_600_000_000),
            ("5.s", 5_000_000_000),
            (".5s", 500_000_000),
            ("1.00s", 1_000_000_000),
            ("1.004s", 1_004_000_000),
            ("1.0040s", 1_004_000_000),
            ("100.00100s", 100_001_000_000),
            ("10ns", 10),
            ("11us", 11_000),
            ("12\u{b5}s", 12_000),
            ("12\u{3bc}s", 12_000),
            ("13ms", 13_000_000),
            ("14s", 14_000_000_000),
            ("15m", 900_000_000_000),
            ("16h", 57_600_000_000_000),
            ("3h30m", 12_600_000_000_000),
            ("10.5s4m", 250_500_000_000),
            ("1h15m30.918273645s", 4_530_918_273_645),
            ("39h9m14.425s", 140_954_425_000_000),
            ("52763797000ns", 52_763_797_000),
            ("0.3333333333333333333h", 1_200_000_000_000),
            ("0.100000000000000000000h", 360_000_000_000),
            ("0.830103483285477580700h", 2_988_372_539_827),
            ("0.1ns", 0),
            ("9007199254740993ns", 9_007_199_254_740_993),
            ("9223372036854775807ns", 9_223_372_036_854_775_807),
            ("9223372036854775.807us", 9_223_372_036_854_775_807),
            ("9223372036s854ms775us807ns", 9_223_372_036_854_775_807),
        ] {
            assert_eq!(parse(text), Ok(Duration::from_nanos(nanoseconds)), "{text}");
        }
    }

    #[test]
    fn what_go_refuses_is_refused_with_the_reason() {
        let number = "there is no number";
        let unit = "a unit is missing (ns, us, ms, s, m, h)";
        for (text, message) in [
            ("", number),
            ("3", unit),
            ("-", number),
            ("s", number),
            (".", number),
            ("-.", number),
            (".s", number),
            ("+.s", number),
            ("1d", "\"d\" is no unit (ns, us, ms, s, m, h)"),
            ("1S", "\"S\" is no unit (ns, us, ms, s, m, h)"),
            ("1 s", "\" s\" is no unit (ns, us, ms, s, m, h)"),
            ("5s ", "\"s \" is no unit (ns, us, ms, s, m, h)"),
            ("1h30", unit),
            ("1.2.3s", unit),
            ("-5s", "it is negative"),
            ("-9223372036854775808ns", "it is negative"),
            ("9223372036854775808ns", TOO_LONG),
            ("9223372036854775.808us", TOO_LONG),
            ("9223372036854ms775us808ns", TOO_LONG),
            ("3000000h", TOO_LONG),
            ("99999999999999999999s", TOO_LONG),
            ("\u{85}85s", number),
        ] {
            assert_eq!(parse(text), Err(message.to_owned()), "{text}");
        }
    }

    #[test]
    fn integers_are_seconds() {
        assert_eq!(parse_setting("90"), Ok(Duration::from_secs(90)));
        assert_eq!(parse_setting("0"), Ok(Duration::ZERO));
        assert_eq!(parse_setting("90s"), Ok(Duration::from_secs(90)));
        assert_eq!(parse_setting("-1"), Err("it is negative".to_owned()));
        assert_eq!(
            from_seconds(9_223_372_036),
            Ok(Duration::from_secs(9_223_372_036))
        );
        assert_eq!(from_seconds(9_223_372_037), Err(TOO_LONG.to_owned()));
        assert_eq!(from_seconds(i64::MAX), Err(TOO_LONG.to_owned()));
        assert_eq!(from_seconds(-1), Err("it is negative".to_owned()));
    }

    #[test]
    fn durations_print_as_go_prints_them() {
        for (nanoseconds, text) in [
            (0, "0s"),
            (1, "1ns"),
            (1_100, "1.1µs"),
            (2_200_000, "2.2ms"),
            (100_000_000, "100ms"),
            (1_000_000_000, "1s"),
            (1_500_000_000, "1.5s"),
            (3_300_000_000, "3.3s"),
            (60_000_000_000, "1m0s"),
            (245_000_000_000, "4m5s"),
            (245_001_000_000, "4m5.001s"),
            (600_000_000_000, "10m0s"),
            (3_600_000_000_000, "1h0m0s"),
            (18_367_001_000_000, "5h6m7.001s"),
            (480_000_000_001, "8m0.000000001s"),
            (i64::MAX as u64, "2562047h47m16.854775807s"),
        ] {
            let duration = Duration::from_nanos(nanoseconds);
            assert_eq!(format(duration), text);
            assert_eq!(parse(text), Ok(duration), "what is printed can be read");
        }
    }
}
