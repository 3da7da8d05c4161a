//! What a function of a template is given and what it gives back.

use std::cell::Cell;

use super::text::Text;
use super::value::{Value, Variables};

/// What a function makes, or why it cannot.
pub(super) type Answer<'a> = Result<Value<'a>, String>;

/// A call of a function, whose arguments have been evaluated.
pub(super) struct Call<'c, 'a> {
    pub(super) name: &'static str,
    pub(super) arguments: &'c [Value<'a>],
    pub(super) environment: Variables<'a>,
    pub(super) budget: &'c Budget,
}

impl<'c, 'a> Call<'c, 'a> {
    /// The argument at `index`, counted from 0.
    pub(super) fn value(&self, index: usize) -> &'c Value<'a> {
        self.arguments.get(index).unwrap_or(&Value::Nil)
    }

    /// The arguments from `index` on.
    pub(super) fn rest(&self, index: usize) -> &'c [Value<'a>] {
        self.arguments.get(index..).unwrap_or_default()
    }

    /// The argument at `index`, which must be a string.
    pub(super) fn text(&self, index: usize) -> Result<&'c Text<'a>, String> {
        match self.value(index) {
            Value::String(text) => Ok(text),
            other => Err(self.refuse(index, "a string", other)),
        }
    }

    /// The error that the argument at `index` is not what it must be.
    pub(super) fn refuse(&self, index: usize, wanted: &str, got: &Value<'_>) -> String {
        let number = index + 1;
        format!("argument {number} must be {wanted}, not {}", got.describe())
    }
}

/// A string that was made.
pub(super) fn string<'a>(bytes: Result<Vec<u8>, String>) -> Answer<'a> {
    Ok(Value::String(bytes?.into()))
}

/// The work that may still be done.
pub(super) struct Budget(Cell<u64>);

impl Budget {
    /// So many units of work.
    pub(super) fn new(units: u64) -> Self {
        Self(Cell::new(units))
    }

    /// Takes `units` of what is left.
    pub(super) fn spend(&self, units: u64) -> Result<(), String> {
        let left = self.0.get().checked_sub(units);
        self.0
            .set(left.ok_or("the template takes too much work: its loops are too large")?);
        Ok(())
    }
}
