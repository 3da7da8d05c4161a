//! Why a request to Consul has come to nothing, in words for the log: one line, not
//! long, and never the token.
//!
//! Owns the texts and nothing else. Called by the client, which reads its answers.

use std::any::Any;
use std::io::Read;

use ureq::Body;
use ureq::http::Response;

use crate::bug;

/// How much of what was answered is shown.
pub(super) const SHOWN: u64 = 200;

/// Why there is no answer that can be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Failure {
    /// A complete answer that says no: the HTTP status and its text.
    Refused(u16, String),
    /// No answer, or nonsense.
    Unreachable(String),
}

impl Failure {
    /// The failure that an answer's status means, with the beginning of its text.
    pub(super) fn of_answer(response: &mut Response<Body>) -> Option<Self> {
        let status = response.status().as_u16();
        if (200..300).contains(&status) {
            return None;
        }
        let mut text = Vec::new();
        // A text that breaks off is still worth showing.
        let _broken = response
            .body_mut()
            .as_reader()
            .take(SHOWN)
            .read_to_end(&mut text);
        Some(Self::Refused(status, one_line(&text)))
    }

    /// The HTTP library has panicked over something that it was sent.
    pub(super) fn of_panic(panic: &(dyn Any + Send)) -> Self {
        Self::Unreachable(format!(
            "the HTTP library gave up: {}",
            bug::words(panic).unwrap_or("no reason given")
        ))
    }

    /// The same without the token, which who answers may repeat: something that shows
    /// what it was asked, for instance.
    pub(super) fn without(self, token: Option<&str>) -> Self {
        match self {
            Self::Refused(status, text) => Self::Refused(status, without(text, token)),
            Self::Unreachable(why) => Self::Unreachable(without(why, token)),
        }
    }
}

/// What stands in the place of a token.
const HIDDEN: &str = "*****";

/// So much of a token tells nothing.
const HARMLESS: usize = 3;

/// Nor does it end with the beginning of one, where it was cut.
fn without(text: String, token: Option<&str>) -> String {
    let Some(token) = token.filter(|token| !token.is_empty()) else {
        return text;
    };
    let hidden = text.replace(token, HIDDEN);
    let cut = token
        .char_indices()
        .map(|(end, _)| &token[..end])
        .rfind(|begun| begun.len() > HARMLESS && hidden.ends_with(begun));
    match cut.and_then(|begun| hidden.strip_suffix(begun)) {
        Some(before) => format!("{before}{HIDDEN}"),
        None => hidden,
    }
}

/// Whether this refusal only says that Consul knows no such service or check
/// (measured with 1.8; since 1.12 it is a 404).
pub(super) fn is_unknown(status: u16, text: &str) -> bool {
    let says = [
        "does not have associated TTL",
        "Unknown check",
        "Unknown service",
    ];
    status == 404 || status == 500 && says.iter().any(|says| text.contains(says))
}

fn one_line(text: &[u8]) -> String {
    let text = String::from_utf8_lossy(text);
    let words: Vec<_> = text
        .split(|c: char| c.is_whitespace() || c.is_control())
        .collect();
    let line = words.join(" ");
    let line = line.trim();
    if line.is_empty() {
        "(no reason given)".to_owned()
    } else {
        line.to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn knows_when_consul_knows_nothing() {
        for (status, text, expected) in [
            (404, "unknown service ID: app", true),
            (404, "", true),
            (
                500,
                "CheckID \"service:app\" does not have associated TTL",
                true,
            ),
            (500, "Unknown check \"service:app\"", true),
            (500, "Unknown service \"app\"", true),
            (500, "No cluster leader", false),
            (403, "Permission denied", false),
            (403, "Unknown check", false),
        ] {
            assert_eq!(is_unknown(status, text), expected, "{status} {text}");
        }
    }

    #[test]
    fn a_refusal_is_one_printable_line() {
        for (text, expected) in [
            (&b"Permission denied\n"[..], "Permission denied"),
            (b"<html>\r\n <b>no</b>\x1b[31m", "<html>   <b>no</b> [31m"),
            (b"\xff\xfe", "\u{fffd}\u{fffd}"),
            (b" \n", "(no reason given)"),
            (b"", "(no reason given)"),
        ] {
            assert_eq!(one_line(text), expected);
        }
    }

    #[test]
    fn a_token_that_is_repeated_is_not_shown_even_in_parts() {
        for (text, token, expected) in [
            (
                "you sent abcd-1, yes abcd-1",
                Some("abcd-1"),
                "you sent *****, yes *****",
            ),
            (
                "X-Consul-Token: abcd-",
                Some("abcd-1"),
                "X-Consul-Token: *****",
            ),
            ("none of it: abc", Some("abcd-1"), "none of it: abc"),
            ("as it is", None, "as it is"),
            ("as it is", Some(""), "as it is"),
            ("aéééé", Some("éééééé"), "a*****"),
            ("abcd", Some("abcd-1"), "*****"),
        ] {
            assert_eq!(without(text.to_owned(), token), expected, "{text}");
        }
    }
}
