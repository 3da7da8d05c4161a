//! Addresses in every spelling, and where redirects lead.

#![allow(clippy::unwrap_used)]

use super::*;

#[test]
fn a_host_and_a_port_in_every_spelling() {
    for (text, expected) in [
        ("localhost:80", "localhost:80"),
        ("10.0.0.1:65535", "10.0.0.1:65535"),
        ("[::1]:8080", "[::1]:8080"),
        ("my_db-1.example.:5432", "my_db-1.example.:5432"),
        (":8080", "127.0.0.1:8080"),
        ("8080", "127.0.0.1:8080"),
    ] {
        let read = HostPort::parse(text).unwrap();
        assert_eq!(read.to_string(), expected, "{text}");
    }
    for (text, error) in [
        (
            "localhost",
            "\"localhost\" has no port; write \"localhost:PORT\"",
        ),
        ("[::1]", "\"[::1]\" has no port; write \"[::1]:PORT\""),
        (
            "localhost:0",
            "the port of \"localhost:0\" must be 1 to 65535",
        ),
        (
            "localhost:http",
            "the port of \"localhost:http\" must be 1 to 65535",
        ),
        ("0", "the port of \":0\" must be 1 to 65535"),
        ("db:+80", "the port of \"db:+80\" must be 1 to 65535"),
        ("65536", "the port of \":65536\" must be 1 to 65535"),
        (
            "::1:80",
            "\"::1\" is no host; write an IPv6 address in brackets",
        ),
        ("[::x]:80", "\"::x\" is no IPv6 address"),
        ("my db:80", "\"my db\" is no host name"),
        ("1.2.3:80", "\"1.2.3\" is no IPv4 address"),
        ("http://db:80", "\"http://db:80\" is a URL; write HOST:PORT"),
    ] {
        assert_eq!(HostPort::parse(text).unwrap_err(), error, "{text}");
    }
}

fn shown(url: &Url) -> String {
    let secure = if url.is_secure { "tls " } else { "" };
    format!("{secure}{} {} {}", url.place, url.authority(), url.target)
}

#[test]
fn urls_in_every_spelling() {
    for (text, expected) in [
        ("http://localhost", "localhost:80 localhost /"),
        ("http://localhost:80/", "localhost:80 localhost /"),
        (
            "HTTP://[::1]:8080/a/b?c=d",
            "[::1]:8080 [::1]:8080 /a/b?c=d",
        ),
        ("http://[::1]/", "[::1]:80 [::1] /"),
        ("https://db", "tls db:443 db /"),
        ("https://db:80?x", "tls db:80 db:80 /?x"),
        ("unix:/run/app.sock", "\"/run/app.sock\" localhost /"),
        (
            "unix:/run/app.sock:/health?x=:/y",
            "\"/run/app.sock\" localhost /health?x=:/y",
        ),
    ] {
        assert_eq!(shown(&Url::parse(text).unwrap()), expected, "{text}");
    }
}

#[test]
fn what_is_no_url_says_what_was_probably_meant() {
    for (text, error) in [
        (
            "localhost:80/x",
            "\"localhost:80/x\" is no URL; did you mean \"http://localhost:80/x\"?",
        ),
        (
            "/health",
            "\"/health\" is no URL; did you mean \"http://localhost:PORT/health\"?",
        ),
        ("", "\"\" is no URL; did you mean \"http://\"?"),
        (
            "localhost:80/x?u=http://y",
            "\"localhost:80/x?u=http://y\" is no URL; did you mean \"http://localhost:80/x?u=http://y\"?",
        ),
        ("ftp://db/", "unknown scheme \"ftp\" (allowed: http, https)"),
        (
            "http://:80/",
            "\"http://:80\" names no host; this one is \"localhost\"",
        ),
        ("http://db:0/", "the port of \"db:0\" must be 1 to 65535"),
        (
            "http://a:b@db/",
            "a URL with a user is not taken; put it into headers: {Authorization: \"…\"}",
        ),
        ("http://db/a b", "' ' must be percent-encoded in a URL"),
        ("http://db/ü", "'ü' must be percent-encoded in a URL"),
        (
            "http://db/#x",
            "a fragment (#…) is never sent; leave it out",
        ),
        ("unix:app.sock", "\"app.sock\" is no absolute path"),
    ] {
        assert_eq!(Url::parse(text).unwrap_err(), error, "{text}");
    }
    let long = format!("/{}", "x".repeat(107));
    let why = socket_path(&long).unwrap_err();
    assert_eq!(
        why,
        "the path has 108 bytes, and that of a socket at most 107"
    );
}

#[test]
fn redirects_lead_where_browsers_would_go() {
    for (from, location, expected) in [
        ("http://db:8/a/b?c", "/x?y", "db:8 db:8 /x?y"),
        ("http://db:8/a/b?c", "x", "db:8 db:8 /a/x"),
        ("http://db:8/a/b?c", "?x", "db:8 db:8 /a/b?x"),
        ("http://db:8/a", "x#y", "db:8 db:8 /x"),
        ("http://db/a", "//web:9/x", "web:9 web:9 /x"),
        ("https://db/a", "//web/x", "tls web:443 web /x"),
        ("http://db/a", "https://db/a", "tls db:443 db /a"),
        ("http://db/a", "HTTP://db/a", "db:80 db /a"),
        ("http://db/a", "/x?u=http://y/", "db:80 db /x?u=http://y/"),
        ("http://db/a/b", "x?u=http://y", "db:80 db /a/x?u=http://y"),
        ("http://db/a/b", "?u=unix:/s:/", "db:80 db /a/b?u=unix:/s:/"),
        ("http://db/a", "/x:y", "db:80 db /x:y"),
        ("unix:/s:/a", "/x", "\"/s\" localhost /x"),
        ("unix:/s:/a", "http://localhost/x", "\"/s\" localhost /x"),
        ("unix:/s:/a", "http://web/x", "web:80 web /x"),
    ] {
        let from = Url::parse(from).unwrap();
        assert_eq!(shown(&from.join(location).unwrap()), expected, "{location}");
    }
    for from in ["http://db/", "unix:/s:/"] {
        let from = Url::parse(from).unwrap();
        for (location, why) in [
            ("ftp://db/", "unknown scheme \"ftp\" (allowed: http, https)"),
            (
                "mailto:x",
                "unknown scheme \"mailto\" (allowed: http, https)",
            ),
            ("http:x", "names no host"),
            (
                "http://",
                "\"http://\" names no host; this one is \"localhost\"",
            ),
            ("/a b", "' ' must be percent-encoded in a URL"),
        ] {
            assert_eq!(from.join(location).unwrap_err(), why, "{location}");
        }
    }
}

#[test]
fn no_redirect_leads_to_a_socket_that_only_a_server_names() {
    for from in ["http://db/", "http://localhost/", "unix:/own:/"] {
        let from = Url::parse(from).unwrap();
        for location in [
            "unix:/s:/x",
            "unix:/s:/x?://",
            "unix:/s://x",
            "unix://s:/x",
            "UNIX:/s:/x",
            "//unix:/s:/x",
        ] {
            assert!(from.join(location).is_err(), "{location}");
        }
        // Whoever leads away from the socket can't lead back to it.
        let away = from.join("http://web/").unwrap();
        let back = away.join("http://localhost/").unwrap();
        assert_eq!(shown(&back), "localhost:80 localhost /");
    }
}
