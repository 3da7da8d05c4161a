//! Environment variables as execve(2) takes them.
//!
//! Mostly they are the same for one start after the other but for the pids of
//! running jobs, so those that are the same are kept. Called by the start itself,
//! on any thread.

use std::ffi::{CString, OsStr};
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::ptr;
use std::sync::{Arc, Mutex, PoisonError};

use crate::environment::Environment;
use crate::message::Pid;

/// `NAME=value` for each, and the list of them that ends with null.
pub(super) struct Variables {
    list: Vec<*const libc::c_char>,
    _kept: Arc<Vec<CString>>,
    _own: Vec<CString>,
}

impl Variables {
    /// What `environment` has.
    ///
    /// # Errors
    /// A NUL character in one of them.
    pub(super) fn of(environment: &Environment) -> io::Result<Self> {
        Ok(Self::new(Arc::new(strings(environment)?), Vec::new()))
    }

    fn new(kept: Arc<Vec<CString>>, own: Vec<CString>) -> Self {
        let pointers = kept.iter().chain(&own).map(|string| string.as_ptr());
        Self {
            list: pointers.chain([ptr::null()]).collect(),
            _kept: kept,
            _own: own,
        }
    }

    /// Valid as long as this is.
    pub(super) fn as_ptr(&self) -> *const *const libc::c_char {
        self.list.as_ptr()
    }
}

/// Those of the last environment that was asked for.
#[derive(Default)]
pub(super) struct Kept(Mutex<Option<Last>>);

struct Last {
    environment: Arc<Environment>,
    variables: Arc<Vec<CString>>,
}

impl Kept {
    /// What `environment` has, and these pids, none of which it may have a variable
    /// of.
    ///
    /// # Errors
    /// A NUL character in one of them.
    pub(super) fn with_pids(
        &self,
        environment: &Arc<Environment>,
        pids: &[(Arc<str>, Pid)],
    ) -> io::Result<Variables> {
        let own = pids
            .iter()
            .map(|(name, pid)| CString::new(format!("{name}={pid}")));
        let own = own.collect::<Result<_, _>>()?;
        Ok(Variables::new(self.of(environment)?, own))
    }

    fn of(&self, environment: &Arc<Environment>) -> io::Result<Arc<Vec<CString>>> {
        // What it guards is never left half changed.
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let is_same = |last: &&Last| Arc::ptr_eq(&last.environment, environment);
        if let Some(last) = kept.as_ref().filter(is_same) {
            return Ok(Arc::clone(&last.variables));
        }
        let variables = Arc::new(strings(environment)?);
        *kept = Some(Last {
            environment: Arc::clone(environment),
            variables: Arc::clone(&variables),
        });
        Ok(variables)
    }
}

fn strings(environment: &Environment) -> io::Result<Vec<CString>> {
    let strings = environment
        .iter()
        .map(|(name, value)| CString::new([name, value].join(OsStr::new("=")).as_bytes()));
    Ok(strings.collect::<Result<_, _>>()?)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use std::ffi::CStr;

    fn texts(variables: &Variables) -> Vec<&str> {
        let pointers = variables.list.iter().filter(|pointer| !pointer.is_null());
        pointers
            // SAFETY: they are strings that live as long as the variables.
            .map(|pointer| unsafe { CStr::from_ptr(*pointer) }.to_str().unwrap())
            .collect()
    }

    #[test]
    fn they_are_those_of_the_environment_that_is_asked_for_and_the_pids() {
        let kept = Kept::default();
        let one = Arc::new(Environment::from_iter([("A", "1"), ("B", "")]));
        let two = Arc::new(Environment::from_iter([("A", "2")]));
        let pids = [(Arc::from("CONTAINERPILOT_APP_PID"), 17)];
        for _ in 0..2 {
            let variables = kept.with_pids(&one, &[]).unwrap();
            assert_eq!(texts(&variables), ["A=1", "B="]);
            let variables = kept.with_pids(&one, &pids).unwrap();
            let expected = ["A=1", "B=", "CONTAINERPILOT_APP_PID=17"];
            assert_eq!(texts(&variables), expected);
            assert!(variables.list.last().unwrap().is_null());
            assert_eq!(texts(&kept.with_pids(&two, &[]).unwrap()), ["A=2"]);
        }
    }

    #[test]
    fn a_nul_character_is_refused_and_what_was_kept_stays() {
        let kept = Kept::default();
        let good = Arc::new(Environment::from_iter([("A", "1")]));
        let bad = Arc::new(Environment::from_iter([("A", "a\0b")]));
        assert!(kept.with_pids(&good, &[]).is_ok());
        assert!(kept.with_pids(&bad, &[]).is_err());
        assert!(Variables::of(&bad).is_err());
        assert_eq!(texts(&kept.with_pids(&good, &[]).unwrap()), ["A=1"]);
    }
}
