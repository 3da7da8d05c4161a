//! Octal numbers, such as a `umask`.
//!
//! Their digits are octal however they are written: as a string, or as a number,
//! which JSON5 would take for a decimal one and which nobody means so.

use super::decode::{Decode, mismatch};
use super::findings::{Findings, Path};
use super::table::Shape;
use super::value::Value;

/// An octal number from 0 to `MAX`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Octal<const MAX: u32>(pub(crate) u32);

impl<const MAX: u32> Decode for Octal<MAX> {
    const SHAPE: Shape = Shape::Octal { max: MAX };
    const EMPTY_IS_ABSENT: bool = true;

    fn decode(value: Value<'_>, at: &Path<'_>, findings: &mut Findings) -> Option<Self> {
        let digits = match &value {
            Value::Text(text) => text.strip_prefix("0o").unwrap_or(text).to_owned(),
            other => other
                .as_integer()
                .map_or_else(String::new, |digits| digits.to_string()),
        };
        let is_plain = !digits.starts_with('+');
        match u32::from_str_radix(&digits, 8) {
            Ok(number) if number <= MAX && is_plain => Some(Self(number)),
            _ => {
                let wanted = format!("an octal number from 0 to {MAX:o}, such as \"0022\"");
                mismatch(&value, &wanted, at, findings)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn decode(text: &str) -> Result<u32, String> {
        let mut findings = Findings::default();
        let value = json5::from_str(text).unwrap();
        let octal = Octal::<0o777>::decode(value, &Path::Root.key("umask"), &mut findings);
        findings.finish("").map_err(|errors| errors.to_string())?;
        Ok(octal.unwrap().0)
    }

    #[test]
    fn the_digits_are_octal_however_they_are_written() {
        for (text, number) in [
            ("'0022'", 0o22),
            ("'22'", 0o22),
            ("'0o27'", 0o27),
            ("22", 0o22),
            ("77.0", 0o77),
            ("0", 0),
            ("'0777'", 0o777),
        ] {
            assert_eq!(decode(text), Ok(number), "{text}");
        }
    }

    #[test]
    fn what_is_no_octal_number_is_an_error() {
        for (text, shown) in [
            ("'0028'", "\"0028\""),
            ("18", "18"),
            ("1000", "1000"),
            ("'+22'", "\"+22\""),
            ("-1", "-1"),
            ("'u=rwx'", "\"u=rwx\""),
            ("true", "true"),
            ("[22]", "a list"),
        ] {
            let error =
                format!("umask: {shown} is not an octal number from 0 to 777, such as \"0022\"");
            assert_eq!(decode(text), Err(error), "{text}");
        }
    }
}
