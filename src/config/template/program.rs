//! A compiled template: what the parser makes and the evaluator runs.

use super::functions::Function;
use super::text::Text;
use super::value::Value;

use crate::sorted::SortedMap;

/// One operation on the machine of the evaluator. Targets are indexes into the
/// code of the same body.
#[derive(Debug)]
pub(super) enum Op<'a> {
    /// Writes a piece of the template.
    Write(&'a str),
    /// Pushes a constant.
    Push(Value<'a>),
    /// Pushes the dot.
    Dot,
    /// Pushes the variable in that slot; its name is for messages.
    Load(usize, &'a str),
    /// Replaces the topmost value by its field.
    Field(&'a str),
    /// Replaces the arguments by the result. The value that was piped in lies
    /// below the others and is the last argument.
    Call {
        function: &'static Function,
        count: usize,
        is_piped: bool,
    },
    /// `and` (stops on false) and `or` (stops on true), after each argument but
    /// the last: leaves the deciding argument as the result, or drops it.
    Decide {
        stops_on: bool,
        is_piped: bool,
        scope: usize,
        target: usize,
    },
    /// Copies the topmost value into that slot.
    Store(usize),
    /// Drops the topmost value.
    Drop,
    /// Writes the topmost value.
    Print,
    Jump(usize),
    /// Takes a value and goes on only if it is true.
    JumpUnless(usize),
    /// Takes a value and makes it the dot if it is true.
    With(usize),
    /// Ends what `With` began.
    EndWith,
    /// Takes what to iterate over; jumps if that is empty.
    Range(usize),
    /// Begins the next turn, or jumps if there is none.
    Next {
        key: Option<usize>,
        element: Option<usize>,
        target: usize,
    },
    /// Leaves the innermost loop.
    Break(usize),
    /// Takes a value and calls the template of that name with it.
    Template(Text<'a>),
    /// A mistake that counts only where it is reached.
    Fail(String),
}

/// An operation and where in the text it stands.
#[derive(Debug)]
pub(super) struct Step<'a> {
    pub(super) op: Op<'a>,
    pub(super) at: usize,
}

/// The bodies of all templates of a text; the text itself is the one without a
/// name.
#[derive(Debug, Default)]
pub(super) struct Program<'a> {
    pub(super) bodies: Vec<Vec<Step<'a>>>,
    /// For each name the index of its body, and whether that is blank.
    pub(super) names: SortedMap<Vec<u8>, (usize, bool)>,
}
