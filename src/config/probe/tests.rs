//! Built-in checks as files have them, with what becomes of them.

#![allow(clippy::unwrap_used, clippy::panic)]

use super::super::health::{CheckSpec, RawHealth};
use super::*;

/// The built-in check of a `health` with this in it, and what was found.
fn health(text: &str) -> (Option<ProbeSpec>, Findings) {
    let text = format!("{{interval: 5, ttl: 10, {text}}}");
    let mut findings = Findings::default();
    let at = Path::Root.key("health");
    let raw = RawHealth::decode(json5::from_str(&text).unwrap(), &at, &mut findings);
    let spec = raw.and_then(|raw| raw.into_spec(false, &at, &mut findings));
    let probe = match spec.and_then(|(spec, _)| spec.check) {
        Some(CheckSpec::Probe(probe)) => Some((*probe).clone()),
        Some(CheckSpec::Exec(_)) | None => None,
    };
    (probe, findings)
}

#[track_caller]
fn good(text: &str) -> ProbeSpec {
    let (probe, findings) = health(text);
    assert_eq!(findings.finish("").unwrap(), Vec::new(), "{text}");
    probe.unwrap()
}

#[track_caller]
fn http(text: &str) -> HttpSpec {
    match good(text) {
        ProbeSpec::Http(spec) => spec,
        other @ ProbeSpec::Connect(_) => panic!("{other:?}"),
    }
}

#[test]
fn connections_are_made_to_a_port_or_a_socket() {
    for (text, place) in [
        ("tcp: 'db:5432'", "db:5432"),
        ("tcp: 8080", "127.0.0.1:8080"),
        ("tcp: ':8080'", "127.0.0.1:8080"),
        ("tcp: '[::1]:80'", "[::1]:80"),
        ("unix: '/run/app.socket'", "\"/run/app.socket\""),
    ] {
        match good(text) {
            ProbeSpec::Connect(to) => assert_eq!(to.to_string(), place, "{text}"),
            other @ ProbeSpec::Http(_) => panic!("{other:?}"),
        }
    }
}

#[test]
fn a_url_alone_is_an_object_with_nothing_else() {
    let url = "'http://localhost:8080/health'";
    let short = http(&format!("http: {url}"));
    assert_eq!(short, http(&format!("http: {{url: {url}}}")));
    assert_eq!(short.url.to_string(), "http://localhost:8080/health");
    assert_eq!(short.method, Method::Get);
    assert_eq!(short.headers, []);
    assert_eq!(short.status, Statuses::default());
    assert_eq!((short.contains, short.redirects), (None, 0));
    assert_eq!(short.tls, None);
}

#[test]
fn every_part_of_a_request_can_be_said() {
    let spec = http(
        "http: {url: 'unix:/s:/x', method: 'head', headers: {Host: 'shop', 'X-Key': 7, Gone: null}, \
         status: ['200-299', 401], redirects: '3'}",
    );
    assert_eq!(spec.url.to_string(), "unix:/s:/x");
    assert_eq!(spec.method.as_str(), "HEAD");
    let headers = spec
        .headers
        .iter()
        .map(|header| (header.name.as_str(), header.value.as_str()));
    assert_eq!(
        headers.collect::<Vec<_>>(),
        [("Host", "shop"), ("X-Key", "7")]
    );
    assert!(!format!("{spec:?}").contains("shop"), "values are secrets");
    assert_eq!(spec.redirects, 3);
    for (status, is_good) in [(200, true), (299, true), (300, false), (401, true)] {
        assert_eq!(spec.status.contain(status), is_good, "{status}");
    }
    assert_eq!(spec.status.to_string(), "200-299 or 401");
}

#[test]
fn an_empty_option_is_as_if_it_were_left_out() {
    let plain = http("http: 'http://a/'");
    let empty = "method: '', headers: null, status: '', contains: '', tls: null";
    assert_eq!(http(&format!("http: {{url: 'http://a/', {empty}}}")), plain);
}

#[test]
fn what_can_not_be_is_an_error() {
    for (text, errors) in [
        (
            "exec: 'true', http: 'http://a/'",
            "health.http: can't go with \"exec\": a job has one check",
        ),
        (
            "http: 'http://a/', tcp: 80, unix: '/s'",
            "health.tcp: can't go with \"http\": a job has one check\n\
             health.unix: can't go with \"http\": a job has one check",
        ),
        (
            "http: ''",
            "health.http: must be the address of something, but it is empty: did an environment variable render to nothing?",
        ),
        (
            "tcp: ''",
            "health.tcp: must be the address of something, but it is empty: did an environment variable render to nothing?",
        ),
        (
            "http: 'localhost:80'",
            "health.http: \"localhost:80\" is no URL; did you mean \"http://localhost:80\"?",
        ),
        (
            "http: 'me:hunter2@localhost:80/x'",
            "health.http: a URL with a user is not taken; put it into headers: {Authorization: \"…\"}",
        ),
        (
            "http: 'h/?token=hunter2'",
            "health.http: \"h/?token=*******\" is no URL; did you mean \"http://h/?token=*******\"?",
        ),
        (
            "tcp: 'me:hunter2@localhost:80'",
            "health.tcp: an address with a user is not taken; write HOST:PORT",
        ),
        (
            "tcp: 'postgres://me:hunter2@db:5432'",
            "health.tcp: an address with a user is not taken; write HOST:PORT",
        ),
        (
            "tcp: 'postgres://db:5432/?password=hunter2'",
            "health.tcp: \"postgres://db:5432/?password=*******\" is a URL; write HOST:PORT",
        ),
        (
            "tcp: 'db:5432?password=hunter2'",
            "health.tcp: the port of \"db:5432?password=*******\" must be 1 to 65535",
        ),
        (
            "tcp: 'db?password=hunter2'",
            "health.tcp: \"db?password=*******\" has no port; write \"db?password=*******:PORT\"",
        ),
        (
            "tcp: 'db?password=hunter2:5432'",
            "health.tcp: \"db?password=*******\" is no host name",
        ),
        (
            "http: 'http:/me:hunter2@db/x'",
            "health.http: is no URL, and not shown: what stands before a @ may be a password",
        ),
        (
            "http: '//me:hunter2@db/x'",
            "health.http: is no URL, and not shown: what stands before a @ may be a password",
        ),
        (
            "http: 'http://me:hun/ter2@db/x'",
            "health.http: is no URL, and not shown: what stands before a @ may be a password",
        ),
        (
            "http: 'unix:me:hunter2@db/x'",
            "health.http: is no URL, and not shown: what stands before a @ may be a password",
        ),
        (
            "unix: 'unix://me:hunter2@x'",
            "health.unix: an address with a user is not taken; write an absolute path",
        ),
        ("unix: '@app'", "health.unix: \"@app\" is no absolute path"),
        ("http: {}", "health.http.url: is required"),
        (
            "http: {url: 'x'}",
            "health.http.url: \"x\" is no URL; did you mean \"http://x\"?",
        ),
        (
            "tcp: 'localhost:0'",
            "health.tcp: the port of \"localhost:0\" must be 1 to 65535",
        ),
        ("unix: 's'", "health.unix: \"s\" is no absolute path"),
        (
            "http: {url: 'http://a/', method: 'GRAB'}",
            "health.http.method: \"GRAB\" is not one of GET, HEAD, OPTIONS, POST, PUT",
        ),
        (
            "http: {url: 'http://a/', method: 'HEAD', contains: 'x'}",
            "health.http.contains: can't be found: the answer to HEAD has no body",
        ),
        (
            "http: {url: 'http://a/', redirects: 11}",
            "health.http.redirects: 11 is not between 0 and 10",
        ),
        (
            "http: {url: 'http://a/', headers: {'a b': 'x', 'content-length': 5, ok: 'a\\nb'}}",
            "health.http.headers.a b: \"a b\" is no name of a header\n\
             health.http.headers.content-length: can't be set: it is up to the check\n\
             health.http.headers.ok: has a line break or another control character",
        ),
        (
            "http: {url: 'http://a/', expect: 200}",
            "health.http.expect: unknown key; it is \"status\", or \"contains\" for the body",
        ),
    ] {
        let why = health(text).1.finish("").unwrap_err().to_string();
        assert_eq!(why, errors, "{text}");
    }
    for status in ["199", "600", "'300-200'", "'2xx'", "[]", "'200-'", "'+200'"] {
        let text = format!("http: {{url: 'http://a/', status: {status}}}");
        let why = health(&text).1.finish("").unwrap_err().to_string();
        let expected = "health.http.status: is no status (200)";
        assert!(why.starts_with(expected), "{status}: {why}");
    }
}

fn warnings(text: &str) -> Vec<String> {
    let warnings = health(text).1.finish("").unwrap();
    warnings.iter().map(ToString::to_string).collect()
}

#[test]
fn what_has_no_effect_is_a_warning() {
    let warning = "health.logging: has no effect: a check by \"tcp\" prints nothing";
    assert_eq!(warnings("tcp: 80, logging: {raw: true}"), [warning]);
}

#[cfg(feature = "tls")]
#[test]
fn certificates_without_tls_are_a_warning() {
    let warning = "health.http.tls: has no effect without the scheme \"https\"";
    let text = "http: {url: 'http://a/', tls: {verify: false}}";
    assert_eq!(warnings(text), [warning]);
}

#[cfg(feature = "tls")]
#[test]
fn https_trusts_whom_it_is_told_to() {
    let blind = "tls: {verify: false, servername: 'app'}";
    let spec = http(&format!("http: {{url: 'https://a/', {blind}}}"));
    assert!(spec.tls.is_some());
    let redirected = http(&format!(
        "http: {{url: 'http://a/', redirects: 1, {blind}}}"
    ));
    assert_eq!(redirected.tls, spec.tls);
    let why = health("http: {url: 'https://a/', tls: {cafile: '/nowhere', servername: 'a b'}}");
    let why = why.1.finish("").unwrap_err().to_string();
    assert!(why.contains("health.http.tls.cafile: cannot read"), "{why}");
    assert!(why.contains("health.http.tls.servername: "), "{why}");
}

#[cfg(not(feature = "tls"))]
#[test]
fn a_build_without_tls_says_so() {
    for text in ["'https://a/'", "{url: 'http://a/', tls: {}}"] {
        let why = health(&format!("http: {text}")).1.finish("").unwrap_err();
        let why = why.to_string();
        assert!(why.contains("this build has no TLS"), "{why}");
    }
}
