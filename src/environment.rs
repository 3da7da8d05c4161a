//! Environment variables: the supervisor's own plus what `-putenv` changed.
//!
//! Owned by the supervisor; templates read it, children receive it. It never
//! touches the process's real environment.

use std::ffi::{OsStr, OsString};
use std::fmt;

use crate::sorted::SortedMap;

/// An ordered set of environment variables.
///
/// Values are kept as the bytes they are, because a child must receive exactly
/// what the supervisor was given, valid UTF-8 or not.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Environment {
    variables: SortedMap<OsString, OsString>,
}

impl fmt::Debug for Environment {
    /// The names alone: a value may be a secret.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set()
            .entries(self.iter().map(|(name, _)| name))
            .finish()
    }
}

impl Environment {
    /// The environment this process was started with.
    pub fn inherited() -> Self {
        Self {
            variables: std::env::vars_os().collect(),
        }
    }

    /// The value of `name` as text (invalid UTF-8 replaced), if it is set.
    pub fn get(&self, name: &str) -> Option<String> {
        let value = self.get_os(name)?;
        Some(value.to_string_lossy().into_owned())
    }

    /// The value of `name` as it is, if it is set.
    pub fn get_os(&self, name: &str) -> Option<&OsStr> {
        let value = self.variables.get(OsStr::new(name))?;
        Some(value)
    }

    /// Whether `name` is set.
    pub fn contains(&self, name: &str) -> bool {
        self.variables.contains_key(OsStr::new(name))
    }

    /// Sets `name`, replacing what was there.
    pub fn set(&mut self, name: impl Into<OsString>, value: impl Into<OsString>) {
        self.variables.insert(name.into(), value.into());
    }

    /// Removes `name`; an absent one stays absent.
    pub fn unset(&mut self, name: &str) {
        self.variables.remove(OsStr::new(name));
    }

    /// How much of what the kernel gives a process for them they take, in bytes
    /// (execve(2)): each as `NAME=value` with a NUL, and a pointer.
    pub fn size(&self) -> usize {
        let sizes = self
            .iter()
            .map(|(name, value)| Self::size_of(name.len(), value.len()));
        sizes.sum()
    }

    /// How much of it a variable takes whose name and value are so long.
    pub fn size_of(name: usize, value: usize) -> usize {
        name + value + "=\0".len() + size_of::<*const u8>()
    }

    /// All variables in the order of their names.
    pub fn iter(&self) -> impl Iterator<Item = (&OsStr, &OsStr)> {
        self.variables
            .iter()
            .map(|(name, value)| (name.as_os_str(), value.as_os_str()))
    }
}

impl<K: Into<OsString>, V: Into<OsString>> FromIterator<(K, V)> for Environment {
    fn from_iter<I: IntoIterator<Item = (K, V)>>(pairs: I) -> Self {
        let variables = pairs
            .into_iter()
            .map(|(name, value)| (name.into(), value.into()))
            .collect();
        Self { variables }
    }
}
