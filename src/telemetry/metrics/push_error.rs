//! Why values were not pushed, in words.

use std::fmt;

/// So many values that are wrong are listed: the event loop has more to do.
pub(super) const LISTED: usize = 100;

/// Why values were not pushed.
#[derive(Clone, Debug, PartialEq)]
pub struct PushError {
    pub(super) problems: Vec<PushProblem>,
    /// How many more there are.
    pub(super) unlisted: usize,
}

/// Why one value was not pushed.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum PushProblem {
    /// No metric has this name; perhaps another one was meant.
    Unknown { name: String, meant: Option<String> },
    /// The metric cannot take it.
    Unfit {
        name: String,
        value: f64,
        is_counter: bool,
    },
}

impl fmt::Display for PushError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, problem) in self.problems.iter().enumerate() {
            if index > 0 {
                f.write_str("; ")?;
            }
            problem.fmt(f)?;
        }
        match self.unlisted {
            0 => Ok(()),
            more => write!(f, "; {more} more are not listed"),
        }
    }
}

impl fmt::Display for PushProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unknown { name, meant: None } => {
                write!(f, "unknown metric {name:?}: not in telemetry.metrics")
            }
            Self::Unknown {
                name,
                meant: Some(meant),
            } => write!(f, "unknown metric {name:?}: did you mean {meant:?}?"),
            Self::Unfit {
                name,
                value,
                is_counter: true,
            } => write!(
                f,
                "cannot add {value} to counter {name:?}: must be a number that is not negative"
            ),
            Self::Unfit { name, value, .. } => {
                write!(f, "metric {name:?} cannot observe {value}: must be finite")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::Metrics;
    use super::*;
    use std::time::Instant;

    #[test]
    fn values_that_are_wrong_are_told_but_never_without_end() {
        let values: Vec<(String, f64)> = (0..LISTED + 7)
            .map(|number| (format!("m{number}"), 1.0))
            .collect();
        let refused = Metrics::default().push(&values, Instant::now());
        let told = refused.map_or_else(|error| error.to_string(), |()| String::new());
        assert!(told.starts_with("unknown metric \"m0\": "), "{told}");
        assert!(told.ends_with("; 7 more are not listed"), "{told}");
        assert_eq!(told.matches("unknown metric").count(), LISTED);
    }
}
