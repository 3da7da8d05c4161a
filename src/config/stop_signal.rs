//! `stopSignal`: the signal that tells a job to stop (SPEC §15).

use std::ops::RangeInclusive;

use super::decode::{Decode, mismatch};
use super::findings::{Findings, Path};
use super::suggest;
use super::table::Shape;
use super::value::Value;

/// The signals by their names, without `SIG` (signal(7)).
const SIGNALS: [(&str, i32); 34] = [
    ("HUP", libc::SIGHUP),
    ("INT", libc::SIGINT),
    ("QUIT", libc::SIGQUIT),
    ("ILL", libc::SIGILL),
    ("TRAP", libc::SIGTRAP),
    ("ABRT", libc::SIGABRT),
    ("BUS", libc::SIGBUS),
    ("FPE", libc::SIGFPE),
    ("KILL", libc::SIGKILL),
    ("USR1", libc::SIGUSR1),
    ("SEGV", libc::SIGSEGV),
    ("USR2", libc::SIGUSR2),
    ("PIPE", libc::SIGPIPE),
    ("ALRM", libc::SIGALRM),
    ("TERM", libc::SIGTERM),
    ("CHLD", libc::SIGCHLD),
    ("CONT", libc::SIGCONT),
    ("STOP", libc::SIGSTOP),
    ("TSTP", libc::SIGTSTP),
    ("TTIN", libc::SIGTTIN),
    ("TTOU", libc::SIGTTOU),
    ("URG", libc::SIGURG),
    ("XCPU", libc::SIGXCPU),
    ("XFSZ", libc::SIGXFSZ),
    ("VTALRM", libc::SIGVTALRM),
    ("PROF", libc::SIGPROF),
    ("WINCH", libc::SIGWINCH),
    ("IO", libc::SIGIO),
    ("SYS", libc::SIGSYS),
    ("PWR", libc::SIGPWR),
    ("STKFLT", libc::SIGSTKFLT),
    ("IOT", libc::SIGIOT),
    ("CLD", libc::SIGCHLD),
    ("POLL", libc::SIGPOLL),
];

/// The real-time signals as glibc, Docker and systemd count them. Not `SIGRTMIN()`
/// of the C library that this program is linked with: musl keeps one more for itself,
/// and counts from 35.
const REAL_TIME: RangeInclusive<i32> = 34..=64;

/// The signal that tells a job to stop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct StopSignal(pub(crate) i32);

impl Default for StopSignal {
    fn default() -> Self {
        Self(libc::SIGTERM)
    }
}

/// Their names.
pub(crate) fn names() -> Vec<&'static str> {
    SIGNALS.iter().map(|(name, _)| *name).collect()
}

impl Decode for StopSignal {
    const SHAPE: Shape = Shape::Signal(names);
    const EMPTY_IS_ABSENT: bool = true;

    fn decode(value: Value<'_>, at: &Path<'_>, findings: &mut Findings) -> Option<Self> {
        let wanted = "the name of a signal, such as \"SIGINT\", \"QUIT\" or \"RTMIN+3\"";
        let Value::Text(text) = &value else {
            return mismatch(&value, wanted, at, findings);
        };
        match parse(text) {
            Ok(signal) => Some(Self(signal)),
            Err(hint) => mismatch(&value, &format!("{wanted}{hint}"), at, findings),
        }
    }
}

/// The number of a signal of this name, with or without `SIG`; else a hint at
/// what may have been meant.
pub(crate) fn parse(text: &str) -> Result<i32, String> {
    let upper = text.to_ascii_uppercase();
    let name = upper.strip_prefix("SIG").unwrap_or(&upper);
    by_name(name).ok_or_else(|| suggest::hint(name, names()))
}

/// The number of a signal: real-time ones are counted from either end.
fn by_name(name: &str) -> Option<i32> {
    if let Some((_, signal)) = SIGNALS.iter().find(|(known, _)| *known == name) {
        return Some(*signal);
    }
    let (first, last) = (*REAL_TIME.start(), *REAL_TIME.end());
    let signal = match (name.strip_prefix("RTMIN"), name.strip_prefix("RTMAX")) {
        (Some(""), _) => first,
        (_, Some("")) => last,
        (Some(offset), _) => first.checked_add(count(offset.strip_prefix('+')?)?)?,
        (_, Some(offset)) => last.checked_sub(count(offset.strip_prefix('-')?)?)?,
        (None, None) => return None,
    };
    REAL_TIME.contains(&signal).then_some(signal)
}

/// A number of digits alone: no second sign.
fn count(digits: &str) -> Option<i32> {
    let is_number = digits.bytes().all(|byte| byte.is_ascii_digit());
    digits.parse().ok().filter(|_| is_number)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn decode(text: &str) -> Result<i32, String> {
        let mut findings = Findings::default();
        let value = json5::from_str(text).unwrap();
        let signal = StopSignal::decode(value, &Path::Root.key("stopSignal"), &mut findings);
        findings.finish("").map_err(|errors| errors.to_string())?;
        Ok(signal.unwrap().0)
    }

    #[test]
    fn signals_go_by_their_names() {
        for (text, signal) in [
            ("'SIGTERM'", libc::SIGTERM),
            ("'TERM'", libc::SIGTERM),
            ("'sigquit'", libc::SIGQUIT),
            ("'winch'", libc::SIGWINCH),
            ("'sigpwr'", libc::SIGPWR),
            ("'STKFLT'", libc::SIGSTKFLT),
            ("'IOT'", libc::SIGABRT),
            ("'CLD'", libc::SIGCHLD),
            ("'POLL'", libc::SIGIO),
            ("'RTMIN'", 34),
            ("'SIGRTMIN+3'", 37),
            ("'RTMIN+30'", 64),
            ("'RTMAX'", 64),
            ("'RTMAX-1'", 63),
        ] {
            assert_eq!(decode(text), Ok(signal), "{text}");
        }
    }

    #[test]
    fn what_is_no_signal_is_an_error() {
        let wanted = "is not the name of a signal, such as \"SIGINT\", \"QUIT\" or \"RTMIN+3\"";
        for (text, shown, hint) in [
            ("'TREM'", "\"TREM\"", "; did you mean \"TERM\"?"),
            ("'RTMIN-1'", "\"RTMIN-1\"", ""),
            ("'RTMIN+'", "\"RTMIN+\"", ""),
            ("'RTMIN++3'", "\"RTMIN++3\"", ""),
            ("'RTMIN+-1'", "\"RTMIN+-1\"", ""),
            ("'RTMAX--1'", "\"RTMAX--1\"", ""),
            ("'RTMAX-31'", "\"RTMAX-31\"", ""),
            ("'RTMIN+99'", "\"RTMIN+99\"", ""),
            ("'RTMAX+1'", "\"RTMAX+1\"", ""),
            ("'SIG'", "\"SIG\"", ""),
            ("15", "15", ""),
        ] {
            let error = format!("stopSignal: {shown} {wanted}{hint}");
            assert_eq!(decode(text), Err(error), "{text}");
        }
    }
}
