//! The queries of endpoints that take one: text in, a whole valid [`Request`] or
//! a refusal out.
//!
//! Called by the control server through the endpoint table. A word that nobody
//! knows is refused: `?dry-rum` must not reload.

use super::api::{Reload, Reply, Request};

const BAD_REQUEST: u16 = 400;

/// `/v3/reload`: `verbose` and `dry-run`, each by itself or with `=true` or
/// `=false`.
pub(super) fn reload(query: &str) -> Result<Request, Reply> {
    let mut how = Reload::default();
    for parameter in query.split('&').filter(|parameter| !parameter.is_empty()) {
        let (name, value) = parameter.split_once('=').unwrap_or((parameter, "true"));
        let switch = match name {
            "verbose" => &mut how.verbose,
            "dry-run" => &mut how.dry_run,
            _ => {
                return Err(refuse(format!(
                    "unknown parameter {name:?} (known: verbose, dry-run)"
                )));
            }
        };
        *switch = match value {
            "true" | "1" => true,
            "false" | "0" => false,
            _ => {
                return Err(refuse(format!(
                    "{name}: {value:?} is neither true nor false"
                )));
            }
        };
    }
    Ok(Request::Reload(how))
}

fn refuse(message: String) -> Reply {
    let status = BAD_REQUEST;
    Reply::Refused { status, message }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reload_may_be_verbose_or_dry() {
        for (query, verbose, dry_run) in [
            ("", false, false),
            ("verbose", true, false),
            ("dry-run", false, true),
            ("dry-run&verbose", true, true),
            ("verbose=true&&dry-run=1", true, true),
            ("verbose=false&dry-run=0", false, false),
        ] {
            let how = Reload { verbose, dry_run };
            assert_eq!(reload(query), Ok(Request::Reload(how)), "{query}");
        }
    }

    #[test]
    fn what_is_not_understood_reloads_nothing() {
        for (query, message) in [
            (
                "dryrun",
                "unknown parameter \"dryrun\" (known: verbose, dry-run)",
            ),
            (
                "verbose&x=1",
                "unknown parameter \"x\" (known: verbose, dry-run)",
            ),
            ("dry-run=yes", "dry-run: \"yes\" is neither true nor false"),
        ] {
            let refusal = refuse(message.to_owned());
            assert_eq!(reload(query), Err(refusal), "{query}");
        }
    }
}
