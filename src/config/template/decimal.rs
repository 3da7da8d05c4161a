//! Floating-point numbers as text, in both directions, as Go's strconv does it.

/// The number that a decimal or hexadecimal constant with optional sign stands
/// for; none if it is malformed or too big.
pub(super) fn parse(text: &str) -> Option<f64> {
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
    if !has_good_underscores(unsigned) {
        return None;
    }
    let clean = unsigned.replace('_', "").to_ascii_lowercase();
    let value = match clean.strip_prefix("0x") {
        Some(digits) => parse_hexadecimal(digits)?,
        None => clean.parse().ok()?,
    };
    let value: f64 = if text.starts_with('-') { -value } else { value };
    value.is_finite().then_some(value)
}

/// Whether each underscore stands between digits, or between the base and a
/// digit.
pub(super) fn has_good_underscores(unsigned: &str) -> bool {
    let base = match unsigned.as_bytes() {
        [b'0', letter @ (b'b' | b'B' | b'o' | b'O' | b'x' | b'X'), ..] => *letter,
        _ => b' ',
    };
    let is_based = base != b' ';
    let is_hexadecimal = base.eq_ignore_ascii_case(&b'x');
    let is_digit = |c: char| c.is_ascii_digit() || is_hexadecimal && c.is_ascii_hexdigit();
    let digits = if is_based {
        unsigned.get(1..)
    } else {
        Some(unsigned)
    };
    let mut pieces = digits.unwrap_or_default().split('_').peekable();
    let mut is_first = true;
    while let Some(piece) = pieces.next() {
        let starts_well = is_first || piece.starts_with(is_digit);
        let is_base = is_first && is_based && piece.len() == 1;
        let ends_well = pieces.peek().is_none() || piece.ends_with(is_digit) || is_base;
        if !starts_well || !ends_well {
            return false;
        }
        is_first = false;
    }
    true
}

/// `1.8p3`: hexadecimal digits and the mandatory power of two.
fn parse_hexadecimal(text: &str) -> Option<f64> {
    let (digits, exponent) = text.split_once('p')?;
    let mut exponent: i32 = exponent.parse().ok()?;
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    if whole.is_empty() && fraction.is_empty() {
        return None;
    }
    let mut mantissa = 0_u64;
    for digit in whole.chars().chain(fraction.chars()) {
        let digit = u64::from(digit.to_digit(16)?);
        if mantissa >> 60 == 0 {
            mantissa = mantissa << 4 | digit;
        } else {
            // Too small to count by itself, but it can break a tie.
            mantissa |= u64::from(digit != 0);
            exponent = exponent.saturating_add(4);
        }
    }
    let places = i32::try_from(fraction.len()).ok()?.checked_mul(4)?;
    exponent = exponent.saturating_sub(places);
    let step = if exponent < 0 { 0.5 } else { 2.0 };
    let steps = exponent.unsigned_abs().min(2_300);
    Some((0..steps).fold(mantissa as f64, |value, _| value * step))
}

/// `value`, which is finite and not negative, formatted for the verb `e`, `f`,
/// `g`, `x` or `b` (`E`, `G`, `X` in capitals). Without a precision: as many
/// digits as tell it from its neighbours.
pub(super) fn format(value: f64, verb: char, precision: Option<usize>) -> String {
    let text = match verb.to_ascii_lowercase() {
        'e' => scientific(value, precision),
        'g' => general(value, precision),
        'x' => hexadecimal(value, precision),
        'b' => binary(value),
        _ => fixed(value, precision),
    };
    match verb.is_ascii_uppercase() {
        true => text.to_ascii_uppercase(),
        false => text,
    }
}

/// More digits than any number has; the formatting of the standard library
/// panics on a very large precision.
const MOST_DIGITS: usize = 1_100;

fn fixed(value: f64, precision: Option<usize>) -> String {
    let Some(precision) = precision else {
        return format!("{value}");
    };
    let digits = precision.min(MOST_DIGITS);
    let mut text = format!("{value:.digits$}");
    text.extend(std::iter::repeat_n('0', precision - digits));
    text
}

fn scientific(value: f64, precision: Option<usize>) -> String {
    let digits = precision.map(|precision| precision.min(MOST_DIGITS));
    let text = match digits {
        Some(digits) => format!("{value:.digits$e}"),
        None => format!("{value:e}"),
    };
    let (mantissa, exponent) = text.split_once('e').unwrap_or((&text, "0"));
    let zeros = precision.unwrap_or(0) - digits.unwrap_or(0);
    let exponent: i32 = exponent.parse().unwrap_or(0);
    let zeros = "0".repeat(zeros);
    let sign = if exponent < 0 { '-' } else { '+' };
    format!("{mantissa}{zeros}e{sign}{:02}", exponent.unsigned_abs())
}

fn general(value: f64, precision: Option<usize>) -> String {
    let text = match precision {
        Some(precision) => format!("{value:.*e}", precision.clamp(1, MOST_DIGITS) - 1),
        None => format!("{value:e}"),
    };
    let (mantissa, exponent) = text.split_once('e').unwrap_or((&text, "0"));
    let exponent: i64 = exponent.parse().unwrap_or(0);
    // The number of digits that count, and where the point stands among them.
    let digits = mantissa.replace('.', "").trim_end_matches('0').len().max(1) as i64;
    let point = exponent + 1;
    let limit = match precision {
        None => 6,
        Some(precision) if precision.max(1) as i64 > digits && digits >= point => digits,
        Some(precision) => precision.max(1) as i64,
    };
    let decimals = |count: i64| Some(usize::try_from(count).unwrap_or(0));
    match exponent < -4 || exponent >= limit {
        true => scientific(value, decimals(digits - 1)),
        false => fixed(value, decimals(digits - point)),
    }
}

/// The bits of the fraction and the power of two that they count.
fn bits(value: f64) -> (u64, i32) {
    let bits = value.to_bits();
    let fraction = bits & ((1 << 52) - 1);
    match (bits >> 52) as i32 & 0x7FF {
        0 => (fraction, -1074),
        exponent => (fraction | 1 << 52, exponent - 1075),
    }
}

fn binary(value: f64) -> String {
    let (mantissa, exponent) = bits(value);
    format!("{mantissa}p{exponent:+}")
}

fn hexadecimal(value: f64, precision: Option<usize>) -> String {
    let (mantissa, exponent) = bits(value);
    // The leading one goes to bit 60, before fifteen digits.
    let shift = mantissa.leading_zeros().saturating_sub(3);
    let mut mantissa = mantissa << shift.min(60);
    let mut exponent = exponent + 60 - shift as i32;
    if mantissa == 0 {
        exponent = 0;
    }
    if let Some(precision) = precision.filter(|precision| *precision < 15) {
        let kept = 60 - 4 * precision as u32;
        let extra = mantissa & ((1 << kept) - 1);
        let half = 1 << (kept - 1);
        mantissa >>= kept;
        if extra > half || extra == half && mantissa & 1 == 1 {
            mantissa += 1;
        }
        mantissa <<= kept;
        if mantissa >> 61 != 0 {
            mantissa >>= 1;
            exponent += 1;
        }
    }
    let digits = format!("{:015x}", mantissa & ((1 << 60) - 1));
    let digits = match precision {
        None => digits.trim_end_matches('0').to_owned(),
        Some(precision) => format!(
            "{digits:0<precision$.precision$}",
            precision = precision.min(MOST_DIGITS)
        ),
    };
    let point = if digits.is_empty() { "" } else { "." };
    let zeros = "0".repeat(precision.unwrap_or(0).saturating_sub(MOST_DIGITS));
    let sign = if exponent < 0 { '-' } else { '+' };
    let power = exponent.unsigned_abs();
    format!(
        "0x{}{point}{digits}{zeros}p{sign}{power:02}",
        mantissa >> 60
    )
}
