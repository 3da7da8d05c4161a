//! A check by HTTP: one request, its redirects as far as they are followed, and
//! what is thought of the answer.

use std::io::{self, ErrorKind, Write};

use super::connection::{Connection, Time, connect};
use super::response::{self, Fault, Response};
use crate::config::probe::{HttpSpec, Method};
use crate::config::url::{Place, Url};
use crate::version::VERSION;

/// Asks, and judges the last answer.
pub(super) fn check(spec: &HttpSpec, time: Time) -> Result<String, String> {
    let (mut url, mut method) = (spec.url.clone(), spec.method);
    let mut followed = 0;
    loop {
        let answer = exchange(spec, &url, method, time)?;
        let redirected = match followed {
            0 => String::new(),
            _ => format!(" (redirected to {url})"),
        };
        match &answer.location {
            Some(location) if followed < spec.redirects && is_redirect(answer.status) => {
                followed += 1;
                url = next(spec, &url, location)?;
                method = next_method(method, answer.status);
            }
            _ => return judge(spec, &answer, &redirected, time),
        }
    }
}

fn judge(
    spec: &HttpSpec,
    answer: &Response,
    redirected: &str,
    time: Time,
) -> Result<String, String> {
    let seen = format!(
        "answered {} after {:.1?}{redirected}",
        answer.status,
        time.passed()
    );
    if !spec.status.contain(answer.status) {
        return Err(format!("{seen}, not {}", spec.status));
    }
    if let Some(wanted) = &spec.contains
        && !contains(&answer.body, wanted.as_bytes())
    {
        return Err(format!("{seen}, but without {wanted:?}"));
    }
    Ok(seen)
}

fn contains(body: &[u8], wanted: &[u8]) -> bool {
    wanted.is_empty() || body.windows(wanted.len()).any(|window| window == wanted)
}

/// Whether this status sends on to somewhere else (RFC 9110, 15.4).
fn is_redirect(status: u16) -> bool {
    matches!(status, 301 | 302 | 303 | 307 | 308)
}

fn next(spec: &HttpSpec, from: &Url, location: &str) -> Result<Url, String> {
    let url = from.join(location);
    let location = shown(location);
    let url = url.map_err(|why| format!("redirects to {location:?}: {why}"))?;
    if url.is_secure && spec.tls.is_none() {
        let message = "which needs certificates: give it \"tls\"";
        return Err(format!("redirects to {location:?}, {message}"));
    }
    Ok(url)
}

/// What may be told of where a server leads: a user's password and a query may be
/// secrets, which are meant for who asks.
fn shown(location: &str) -> &str {
    match location.contains('@') {
        true => "…",
        false => location.split(['?', '#']).next().unwrap_or_default(),
    }
}

/// As browsers do it: only 307 and 308 keep a method that is not safe.
fn next_method(method: Method, status: u16) -> Method {
    match method {
        Method::Post | Method::Put if !matches!(status, 307 | 308) => Method::Get,
        method => method,
    }
}

fn exchange(spec: &HttpSpec, url: &Url, method: Method, time: Time) -> Result<Response, String> {
    let socket = connect(&url.place, time)?;
    let mut connection = match (&spec.tls, &url.place) {
        (Some(tls), Place::Tcp(address)) if url.is_secure => socket.secure(tls, &address.host)?,
        _ => Connection::Plain(socket),
    };
    let sent = connection
        .write_all(request(spec, url, method).as_bytes())
        .and_then(|()| connection.flush());
    match sent {
        // A server that has heard enough answers and closes: read its answer.
        Err(error) if is_hangup(&error) => {}
        Err(error) => return Err(failure(send_fault(error), time)),
        Ok(()) => {}
    }
    response::read(&mut connection, method != Method::Head).map_err(|fault| failure(fault, time))
}

fn send_fault(error: io::Error) -> Fault {
    match super::connection::is_timeout(&error) {
        true => Fault::Silent,
        false => Fault::Io(error),
    }
}

fn is_hangup(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::BrokenPipe | ErrorKind::ConnectionReset
    )
}

fn failure(fault: Fault, time: Time) -> String {
    match fault {
        Fault::Silent => format!("no answer within {:?}", time.whole()),
        Fault::Unfinished => format!("no complete answer within {:?}", time.whole()),
        Fault::CutOff => "the connection was closed before the answer was complete".to_owned(),
        Fault::NotHttp => "the answer is not HTTP".to_owned(),
        Fault::Secure => "the answer is TLS: the scheme is \"https\"".to_owned(),
        Fault::HeadTooLarge => "the head of the answer is larger than 16 KiB".to_owned(),
        Fault::Io(error) => format!("no answer: {error}"),
    }
}

/// The request. The headers of the configuration go only to the host that it
/// names: they may be secrets.
fn request(spec: &HttpSpec, url: &Url, method: Method) -> String {
    let headers = match url.place == spec.url.place && url.is_secure == spec.url.is_secure {
        true => spec.headers.as_slice(),
        false => &[],
    };
    let mut text = format!("{} {} HTTP/1.1\r\n", method.as_str(), url.target);
    let mut add = |name: &str, value: &str| text.push_str(&format!("{name}: {value}\r\n"));
    let is_given = |name: &str| {
        headers
            .iter()
            .any(|header| header.name.eq_ignore_ascii_case(name))
    };
    for (name, value) in [
        ("Host", url.authority().as_str()),
        ("User-Agent", &format!("containerpilot/{VERSION}")),
        ("Accept", "*/*"),
    ] {
        if !is_given(name) {
            add(name, value);
        }
    }
    for header in headers {
        add(&header.name, &header.value);
    }
    if matches!(method, Method::Post | Method::Put) {
        add("Content-Length", "0");
    }
    add("Connection", "close");
    text.push_str("\r\n");
    text
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::config::probe::{Header, Statuses};

    fn spec(url: &str, headers: &[(&str, &str)]) -> HttpSpec {
        let headers = headers.iter().map(|(name, value)| Header {
            name: (*name).to_owned(),
            value: (*value).to_owned(),
        });
        HttpSpec {
            url: Url::parse(url).unwrap(),
            method: Method::Get,
            headers: headers.collect(),
            status: Statuses::default(),
            contains: None,
            redirects: 1,
            tls: None,
        }
    }

    #[test]
    fn a_request_has_what_a_server_needs_and_what_was_asked_for() {
        let spec = spec("http://app:8080/health?full", &[]);
        let plain = format!(
            "GET /health?full HTTP/1.1\r\nHost: app:8080\r\nUser-Agent: containerpilot/{VERSION}\r\n\
             Accept: */*\r\nConnection: close\r\n\r\n"
        );
        assert_eq!(request(&spec, &spec.url, Method::Get), plain);
    }

    #[test]
    fn headers_replace_those_that_are_sent_anyway() {
        let headers = [
            ("host", "shop"),
            ("ACCEPT", "x/y"),
            ("X-A", "1"),
            ("X-A", "2"),
        ];
        let spec = spec("unix:/s:/", &headers);
        let text = request(&spec, &spec.url, Method::Post);
        let expected = format!(
            "POST / HTTP/1.1\r\nUser-Agent: containerpilot/{VERSION}\r\nhost: shop\r\nACCEPT: x/y\r\n\
             X-A: 1\r\nX-A: 2\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
        );
        assert_eq!(text, expected);
    }

    #[test]
    fn headers_stay_with_the_host_that_they_are_meant_for() {
        let spec = spec("http://app/a", &[("Authorization", "secret")]);
        for (location, told) in [
            ("/b", true),
            ("http://app:80/b", true),
            ("http://app:81/b", false),
            ("http://other/b", false),
        ] {
            let url = next(&spec, &spec.url, location).unwrap();
            let is_told = request(&spec, &url, Method::Get).contains("secret");
            assert_eq!(is_told, told, "{location}");
        }
        let why = next(&spec, &spec.url, "https://app/b").unwrap_err();
        assert!(why.ends_with("give it \"tls\""), "{why}");
    }

    #[test]
    fn what_may_be_a_secret_is_not_told_of_a_redirect() {
        let spec = spec("http://app/a", &[]);
        for (location, told) in [
            ("ftp://h/x?t=S3CRET", "redirects to \"ftp://h/x\": unknown"),
            (
                "http://u:S3CRET@h/",
                "redirects to \"…\": a URL with a user",
            ),
            ("http://u:S3/CRET@h", "redirects to \"…\": is no URL"),
            ("http:/u:S3CRET@h", "redirects to \"…\": names no host"),
            ("http:x?t=S3CRET", "redirects to \"http:x\": names no host"),
            (
                "http://:1/?t=S3CRET",
                "redirects to \"http://:1/\": \"http://:1\" names",
            ),
            (
                "https://h/?t=S3CRET",
                "redirects to \"https://h/\", which needs",
            ),
            ("//h:x/#S3CRET", "redirects to \"//h:x/\": the port"),
        ] {
            let why = next(&spec, &spec.url, location).unwrap_err();
            assert!(why.starts_with(told) && !why.contains("S3"), "{why}");
        }
        let url = next(&spec, &spec.url, "/b?token=S3CRET").unwrap();
        assert_eq!(
            (url.to_string(), url.target.as_str()),
            ("http://app/b".to_owned(), "/b?token=S3CRET")
        );
    }

    #[test]
    fn methods_change_as_in_browsers() {
        use Method::{Get, Head, Post, Put};
        for (before, status, after) in [
            (Get, 301, Get),
            (Head, 302, Head),
            (Post, 301, Get),
            (Put, 303, Get),
            (Post, 307, Post),
            (Put, 308, Put),
        ] {
            assert_eq!(next_method(before, status), after, "{before:?} {status}");
        }
    }

    #[test]
    fn text_is_found_wherever_it_stands() {
        for (body, wanted, found) in [
            ("ready", "ready", true),
            ("not ready", "ready", true),
            ("read", "ready", false),
            ("", "x", false),
            ("", "", true),
        ] {
            assert_eq!(
                contains(body.as_bytes(), wanted.as_bytes()),
                found,
                "{body}"
            );
        }
    }
}
