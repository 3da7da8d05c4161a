//! The variables that can be named where the compiler is.

use crate::sorted::SortedMap;

/// All variables of one template up to the current place.
pub(super) struct Scope<'a> {
    variables: Vec<Variable<'a>>,
    /// The slot of the innermost variable of each name.
    latest: SortedMap<&'a str, usize>,
}

struct Variable<'a> {
    name: &'a str,
    /// Whether it has a value here. One that has none, for example because only
    /// the other branch sets it, is an error where it is used, not before.
    is_set: bool,
    /// The slot of the variable that it hides.
    hidden: Option<usize>,
}

impl<'a> Scope<'a> {
    /// Only `$`, in slot 0.
    pub(super) fn new() -> Self {
        let mut scope = Self {
            variables: Vec::new(),
            latest: SortedMap::new(),
        };
        let root = scope.declare("$");
        scope.set(root);
        scope
    }

    /// Adds a variable that has no value yet; the answer is its slot.
    pub(super) fn declare(&mut self, name: &'a str) -> usize {
        let slot = self.variables.len();
        let hidden = self.latest.insert(name, slot);
        let is_set = false;
        self.variables.push(Variable {
            name,
            is_set,
            hidden,
        });
        slot
    }

    /// From here on, the variable in `slot` has a value.
    pub(super) fn set(&mut self, slot: usize) {
        if let Some(variable) = self.variables.get_mut(slot) {
            variable.is_set = true;
        }
    }

    /// How many variables there are.
    pub(super) fn len(&self) -> usize {
        self.variables.len()
    }

    /// From here on, the variables from slot `start` have no value.
    pub(super) fn unset_from(&mut self, start: usize) {
        let inner = self.variables.iter_mut().skip(start);
        inner.for_each(|variable| variable.is_set = false);
    }

    /// Forgets all variables but the first `length`.
    pub(super) fn truncate(&mut self, length: usize) {
        for variable in self.variables.drain(length..).rev() {
            match variable.hidden {
                Some(slot) => self.latest.insert(variable.name, slot),
                None => self.latest.remove(variable.name),
            };
        }
    }

    /// The slot of the innermost variable of that name that has a value.
    pub(super) fn find(&self, name: &str) -> Option<usize> {
        let mut next = self.latest.get(name).copied();
        while let Some(slot) = next {
            let variable = self.variables.get(slot)?;
            if variable.is_set {
                return Some(slot);
            }
            next = variable.hidden;
        }
        None
    }

    /// Whether there is a variable of that name, with or without a value.
    pub(super) fn knows(&self, name: &str) -> bool {
        self.latest.contains_key(name)
    }
}
