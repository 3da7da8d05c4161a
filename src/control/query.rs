//! The queries of endpoints that take one: text in, a whole valid [`Request`] or
//! a refusal out.
//!
//! Called by the control server through the endpoint table. A word that nobody
//! knows is refused: `?dry-rum` must not reload.

use std::time::Duration;

use super::path;
use super::request::{Asked, OPERATION_WITHIN, Operation, Reload, Reply, Request, Verb};

const BAD_REQUEST: u16 = 400;

/// `/v3/reload`: `verbose` and `dry-run`, each by itself or with `=true` or
/// `=false`.
pub(super) fn reload(query: &str) -> Result<Request, Reply> {
    let mut how = Reload::default();
    for parameter in query.split('&').filter(|parameter| !parameter.is_empty()) {
        let (name, value) = parameter.split_once('=').unwrap_or((parameter, ""));
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
            "" | "true" | "1" => true,
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

/// `/v3/jobs/{name}/start` and its like: `timeout=DURATION`, in the words of the
/// configuration.
pub(super) fn operation(verb: Verb, asked: &Asked<'_>) -> Result<Request, Reply> {
    let mut within = OPERATION_WITHIN;
    let parameters = asked.query.split('&');
    for parameter in parameters.filter(|parameter| !parameter.is_empty()) {
        let value = parameter.strip_prefix("timeout=").ok_or_else(|| {
            let name = parameter.split('=').next().unwrap_or_default();
            refuse(format!("unknown parameter {name:?} (known: timeout)"))
        })?;
        let text = path::decode(value).unwrap_or_default();
        within = duration(&text).ok_or_else(|| {
            refuse(format!(
                "timeout: {value:?} is no time from 1ms to 24h, such as \"90s\""
            ))
        })?;
    }
    Ok(Request::Operate(Operation {
        verb,
        job: asked.name.to_owned(),
        within,
    }))
}

/// A time to wait, in the words of the configuration.
fn duration(text: &str) -> Option<Duration> {
    const SHORTEST: Duration = Duration::from_millis(1);
    const LONGEST: Duration = Duration::from_secs(86_400);
    let duration = crate::config::duration::parse_setting(text).ok()?;
    (SHORTEST..=LONGEST).contains(&duration).then_some(duration)
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
            ("verbose=", true, false),
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
    fn an_operation_may_say_how_long_to_wait() {
        let asked = |query| Asked {
            name: "app",
            query,
            ..Asked::default()
        };
        for (query, within) in [
            ("", OPERATION_WITHIN),
            ("timeout=2m", Duration::from_secs(120)),
            ("timeout=90", Duration::from_secs(90)),
            ("timeout=1.5s", Duration::from_millis(1500)),
        ] {
            let operation = Operation {
                verb: Verb::Stop,
                job: "app".to_owned(),
                within,
            };
            let request = Request::Operate(operation);
            assert_eq!(super::operation(Verb::Stop, &asked(query)), Ok(request));
        }
        for (query, message) in [
            ("timeout", "unknown parameter \"timeout\" (known: timeout)"),
            ("wait=1s", "unknown parameter \"wait\" (known: timeout)"),
            (
                "timeout=0",
                "timeout: \"0\" is no time from 1ms to 24h, such as \"90s\"",
            ),
            (
                "timeout=25h",
                "timeout: \"25h\" is no time from 1ms to 24h, such as \"90s\"",
            ),
        ] {
            let refusal = refuse(message.to_owned());
            assert_eq!(super::operation(Verb::Stop, &asked(query)), Err(refusal));
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
