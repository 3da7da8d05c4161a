//! Sizes of memory and files: `64KiB`, `10MiB`, or a number of bytes (SPEC §16).
//!
//! Pure; the decoder calls it, and the manual and messages show sizes with
//! [`format()`].

/// Units with their size in bytes, the largest first. `K`, `M` and `G` alone are
/// those of logrotate, which counts in 1024 too.
const UNITS: [(&str, u64); 10] = [
    ("GiB", 1 << 30),
    ("MiB", 1 << 20),
    ("KiB", 1 << 10),
    ("G", 1 << 30),
    ("M", 1 << 20),
    ("K", 1 << 10),
    ("GB", 1_000_000_000),
    ("MB", 1_000_000),
    ("KB", 1_000),
    ("B", 1),
];

/// Reads a size, in any case of letters.
///
/// # Errors
/// Says why `text` is none.
pub fn parse(text: &str) -> Result<u64, String> {
    let end = text.find(|c: char| !c.is_ascii_digit() && c != '.');
    let (number, unit) = text.split_at(end.unwrap_or(text.len()));
    let unit = unit.trim_start();
    let mut units = UNITS.iter();
    let factor = match unit {
        "" => 1,
        unit => units
            .find(|(name, _)| name.eq_ignore_ascii_case(unit))
            .map(|(_, factor)| *factor)
            .ok_or_else(|| format!("{unit:?} is no unit (B, KiB, MiB, GiB, KB, MB, GB)"))?,
    };
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    if whole.is_empty() {
        return Err("there is no number; write \"64KiB\", \"10MiB\" or bytes".to_owned());
    }
    let too_large = || "it is too large".to_owned();
    let whole: u64 = whole.parse().map_err(|_| too_large())?;
    let part = match fraction {
        "" => 0.0,
        digits => format!("0.{digits}")
            .parse::<f64>()
            .map_err(|_| format!("{number:?} is no number"))?,
    };
    // Half a byte is none.
    let part = (part * factor as f64) as u64;
    let bytes = whole.checked_mul(factor).and_then(|b| b.checked_add(part));
    bytes.ok_or_else(too_large)
}

/// The size in the largest unit of 1024 that it is a multiple of.
pub fn format(bytes: u64) -> String {
    let mut units = UNITS.iter().take(3);
    match units.find(|(_, factor)| bytes > 0 && bytes.is_multiple_of(*factor)) {
        Some((name, factor)) => format!("{}{name}", bytes / factor),
        None => bytes.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_have_units_of_1024_and_of_1000() {
        for (text, bytes) in [
            ("0", 0),
            ("17", 17),
            ("17B", 17),
            ("64KiB", 64 << 10),
            ("64k", 64 << 10),
            ("10 MiB", 10 << 20),
            ("1.5mib", 3 << 19),
            ("1.G", 1 << 30),
            ("2KB", 2000),
            ("1.0001KB", 1000),
            ("18446744073709551615", u64::MAX),
        ] {
            assert_eq!(parse(text), Ok(bytes), "{text}");
        }
    }

    #[test]
    fn what_is_no_size_says_why() {
        for (text, why) in [
            (
                "",
                "there is no number; write \"64KiB\", \"10MiB\" or bytes",
            ),
            (
                "MiB",
                "there is no number; write \"64KiB\", \"10MiB\" or bytes",
            ),
            (
                ".5K",
                "there is no number; write \"64KiB\", \"10MiB\" or bytes",
            ),
            ("-1", "\"-1\" is no unit (B, KiB, MiB, GiB, KB, MB, GB)"),
            (
                "5 apples",
                "\"apples\" is no unit (B, KiB, MiB, GiB, KB, MB, GB)",
            ),
            ("1.2.3", "\"1.2.3\" is no number"),
            ("18446744073709551616", "it is too large"),
            ("18446744073709551615K", "it is too large"),
        ] {
            assert_eq!(parse(text), Err(why.to_owned()), "{text}");
        }
    }

    #[test]
    fn sizes_are_shown_in_the_largest_unit_that_fits() {
        for (bytes, text) in [
            (0, "0"),
            (1, "1"),
            (1000, "1000"),
            (1 << 10, "1KiB"),
            (1 << 20, "1MiB"),
            (3 << 29, "1536MiB"),
            (1 << 31, "2GiB"),
        ] {
            assert_eq!(format(bytes), text);
            assert_eq!(parse(text), Ok(bytes));
        }
    }
}
