//! The queries of endpoints that take one: text in, a whole valid [`Request`] or
//! a refusal out.
//!
//! Called by the control server through the endpoint table. A word that nobody
//! knows is refused: `?dry-rum` must not reload.

use super::api::{Reload, Reply, Request};
use super::path;

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

/// `/v3/health`: `job=NAME`, percent-encoded; without it all jobs.
pub(super) fn health(query: &str) -> Result<Request, Reply> {
    let mut job = None;
    for parameter in query.split('&').filter(|parameter| !parameter.is_empty()) {
        let value = parameter.strip_prefix("job=").ok_or_else(|| {
            let name = parameter.split('=').next().unwrap_or_default();
            refuse(format!("unknown parameter {name:?} (known: job)"))
        })?;
        let name = path::decode(value).filter(|name| !name.is_empty());
        job = Some(name.ok_or_else(|| refuse(format!("job: {value:?} is no name")))?);
    }
    Ok(Request::Health(job))
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
    fn health_is_asked_of_all_jobs_or_of_one() {
        for (query, job) in [
            ("", None),
            ("job=app", Some("app")),
            ("job=%2Fbin%2Fapp", Some("/bin/app")),
            ("job=a&job=b", Some("b")),
        ] {
            let request = Request::Health(job.map(str::to_owned));
            assert_eq!(health(query), Ok(request), "{query}");
        }
        for (query, message) in [
            ("job", "unknown parameter \"job\" (known: job)"),
            ("job=", "job: \"\" is no name"),
            ("job=%zz", "job: \"%zz\" is no name"),
            ("jbo=app", "unknown parameter \"jbo\" (known: job)"),
        ] {
            assert_eq!(health(query), Err(refuse(message.to_owned())), "{query}");
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
