//! Certificates that the file names: they are loaded when it is read, because a
//! bad one is an error of the configuration.

use crate::tls::{self, Tls, TlsSpec};

use super::findings::{Findings, Path};
use super::source::{self, cause};

/// What is in the files, or `None` after errors were added.
pub(crate) fn load(spec: &TlsSpec, at: &Path<'_>, findings: &mut Findings) -> Option<Tls> {
    let problems = match tls::load(spec, source::read_bytes) {
        Ok(tls) => return Some(tls),
        Err(problems) => problems,
    };
    for problem in problems {
        let message = match &problem.cause {
            Some(error) => format!("{}: {}", problem.message, cause(error)),
            None => problem.message,
        };
        match problem.key {
            "" => findings.error(at, message),
            key => findings.error(&at.key(key), message),
        }
    }
    None
}
