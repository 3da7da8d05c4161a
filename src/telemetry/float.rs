//! Numbers as Go's `strconv.FormatFloat(v, 'g', -1, 64)` prints them, which is
//! what every consumer of Prometheus' text format has been tested against.
//!
//! Pure; called by the exposition alone.

use std::fmt::Write as _;

/// Appends the shortest text that reads back as exactly this value.
///
/// Decimal between 0.0001 and 999999.9…, scientific with a signed exponent of
/// at least two digits beyond; `NaN`, `+Inf` and `-Inf` by these names. Negative
/// zero is `0`, as in Prometheus' own client.
pub(super) fn write_float(out: &mut String, value: f64) {
    let magnitude = value.abs();
    if value.is_nan() {
        out.push_str("NaN");
    } else if value.is_infinite() {
        out.push_str(if value > 0.0 { "+Inf" } else { "-Inf" });
    } else if value == 0.0 {
        out.push('0');
    } else if (1e-4..1e6).contains(&magnitude) {
        write_display(out, value);
    } else {
        write_scientific(out, value);
    }
}

/// Appends `value` as a label value of OpenMetrics, which wants whole numbers
/// with a decimal point there: `1.0`, but `1e+06` and `+Inf`.
pub(super) fn write_canonical_float(out: &mut String, value: f64) {
    let start = out.len();
    write_float(out, value);
    let is_whole = |text: &str| {
        text.bytes()
            .all(|byte| byte.is_ascii_digit() || byte == b'-')
    };
    if out.get(start..).is_some_and(is_whole) {
        out.push_str(".0");
    }
}

/// Appends a count.
pub(super) fn write_count(out: &mut String, value: u64) {
    write_display(out, value);
}

fn write_display(out: &mut String, value: impl std::fmt::Display) {
    let _infallible = write!(out, "{value}");
}

fn write_scientific(out: &mut String, value: f64) {
    let text = format!("{value:e}");
    let (mantissa, exponent) = text.split_once('e').unwrap_or((&text, "0"));
    let (sign, digits) = match exponent.strip_prefix('-') {
        Some(digits) => ('-', digits),
        None => ('+', exponent),
    };
    out.push_str(mantissa);
    out.push('e');
    out.push(sign);
    if digits.len() < 2 {
        out.push('0');
    }
    out.push_str(digits);
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn float(value: f64) -> String {
        let mut out = String::new();
        write_float(&mut out, value);
        out
    }

    fn canonical(value: f64) -> String {
        let mut out = String::from("7");
        write_canonical_float(&mut out, value);
        out.split_off(1)
    }

    #[test]
    fn numbers_print_as_go_prints_them() {
        let table = [
            (0.0, "0"),
            (-0.0, "0"),
            (1.0, "1"),
            (-1.0, "-1"),
            (42.42, "42.42"),
            (0.1 + 0.2, "0.30000000000000004"),
            (100_000.0, "100000"),
            (999_999.0, "999999"),
            (999_999.999_999_999_9, "999999.9999999999"),
            (1_000_000.0, "1e+06"),
            (1_234_567.0, "1.234567e+06"),
            (-1_234_567.5, "-1.2345675e+06"),
            (15_093_504.0, "1.5093504e+07"),
            (1e10, "1e+10"),
            (1e100, "1e+100"),
            (1e-4, "0.0001"),
            (0.000_123, "0.000123"),
            (0.000_099_9, "9.99e-05"),
            (1e-5, "1e-05"),
            (-1e-7, "-1e-07"),
            (1e-10, "1e-10"),
            (5e-324, "5e-324"),
            (f64::MIN_POSITIVE, "2.2250738585072014e-308"),
            (f64::MAX, "1.7976931348623157e+308"),
            (f64::MIN, "-1.7976931348623157e+308"),
            (9_007_199_254_740_993.0, "9.007199254740992e+15"),
            (18_446_744_073_709_551_615.0, "1.8446744073709552e+19"),
            (f64::NAN, "NaN"),
            (-f64::NAN, "NaN"),
            (f64::INFINITY, "+Inf"),
            (f64::NEG_INFINITY, "-Inf"),
        ];
        for (value, text) in table {
            assert_eq!(float(value), text, "{value:e}");
        }
    }

    #[test]
    fn every_finite_number_reads_back_as_itself() {
        let mut random = crate::telemetry::random::Random::new(7);
        for _ in 0..100_000 {
            let value = f64::from_bits(random.next());
            if value.is_finite() && value != 0.0 {
                let text = float(value);
                let back: f64 = text.parse().unwrap();
                assert_eq!(back.to_bits(), value.to_bits(), "{text}");
            }
        }
    }

    #[test]
    fn label_values_of_openmetrics_have_a_point_or_an_exponent() {
        let table = [
            (1.0, "1.0"),
            (10.0, "10.0"),
            (-3.0, "-3.0"),
            (0.0, "0.0"),
            (0.005, "0.005"),
            (1e6, "1e+06"),
            (f64::INFINITY, "+Inf"),
            (f64::NAN, "NaN"),
        ];
        for (value, text) in table {
            assert_eq!(canonical(value), text);
        }
    }
}
