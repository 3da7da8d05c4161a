//! Where a built-in health check goes: hosts with ports, sockets, and URLs
//! (RFC 3986, as far as HTTP needs it).
//!
//! Pure; names are looked up by whoever connects. Redirects are read with the
//! same functions as the file.

use std::fmt;
use std::net::{IpAddr, Ipv6Addr};
use std::path::PathBuf;

use super::secrets::masked;
use crate::unix_socket::MAX_PATH;

/// The longest name of a host (RFC 1035, 2.3.4, as text).
const LONGEST_HOST: usize = 253;

/// What listens there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// A host, by name or address, and a port of it.
    Tcp(HostPort),
    /// A Unix socket.
    Unix(PathBuf),
}

/// A host, by name or address, and a port of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostPort {
    /// An IPv6 address stands without brackets.
    pub host: String,
    /// Never 0.
    pub port: u16,
}

/// What an HTTP check asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Url {
    /// Whether to speak TLS there.
    pub is_secure: bool,
    /// Whom to ask.
    pub place: Place,
    /// The path and what follows it; begins with a slash.
    pub target: String,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(address) => address.fmt(f),
            Self::Unix(path) => write!(f, "{path:?}"),
        }
    }
}

impl fmt::Display for HostPort {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { host, port } = self;
        match host.contains(':') {
            true => write!(f, "[{host}]:{port}"),
            false => write!(f, "{host}:{port}"),
        }
    }
}

impl fmt::Display for Url {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            is_secure,
            place,
            target,
        } = self;
        match (place, is_secure) {
            (Place::Unix(path), _) => write!(f, "unix:{}:{target}", path.display()),
            (Place::Tcp(_), true) => write!(f, "https://{}{target}", self.authority()),
            (Place::Tcp(_), false) => write!(f, "http://{}{target}", self.authority()),
        }
    }
}

impl HostPort {
    /// Reads `host:port`; without a host, this host itself is meant.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn parse(text: &str) -> Result<Self, String> {
        if text.contains("://") {
            return Err(format!("{text:?} is a URL; write HOST:PORT"));
        }
        if text.contains('@') {
            return Err("an address with a user is not taken; write HOST:PORT".to_owned());
        }
        let text = match text.bytes().all(|byte| byte.is_ascii_digit()) {
            true => &format!(":{text}"),
            false => text,
        };
        let (host, port) = split_port(text)?;
        let port = port.ok_or_else(|| format!("{text:?} has no port; write \"{text}:PORT\""))?;
        let host = match host {
            "" => "127.0.0.1".to_owned(),
            host => self::host(host)?,
        };
        Ok(Self { host, port })
    }
}

/// Parts `host:port`; the port may be missing.
fn split_port(text: &str) -> Result<(&str, Option<u16>), String> {
    let (host, port) = match text.rfind(':') {
        Some(colon) if !text.ends_with(']') => text.split_at(colon),
        _ => return Ok((text, None)),
    };
    let port = port.trim_start_matches(':');
    match port.parse() {
        Ok(number) if number > 0 && !port.starts_with('+') => Ok((host, Some(number))),
        _ => Err(format!("the port of {text:?} must be 1 to 65535")),
    }
}

/// A host's name or address, without brackets.
fn host(text: &str) -> Result<String, String> {
    if let Some(address) = text.strip_prefix('[').and_then(|it| it.strip_suffix(']')) {
        return match address.parse::<Ipv6Addr>() {
            Ok(_) => Ok(address.to_owned()),
            Err(_) => Err(format!("{address:?} is no IPv6 address")),
        };
    }
    if text.contains(':') {
        let message = format!("{text:?} is no host; write an IPv6 address in brackets");
        return Err(message);
    }
    let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-._".contains(&byte);
    if text.is_empty() || text.len() > LONGEST_HOST || !text.bytes().all(is_allowed) {
        return Err(format!("{text:?} is no host name"));
    }
    // What is digits and dots was meant to be an address.
    let is_numeric = text
        .bytes()
        .all(|byte| byte.is_ascii_digit() || byte == b'.');
    if is_numeric && text.parse::<IpAddr>().is_err() {
        return Err(format!("{text:?} is no IPv4 address"));
    }
    Ok(text.to_owned())
}

/// A socket's path, which must be absolute and not too long for the kernel.
///
/// # Errors
/// What is wrong with it.
pub fn socket_path(text: &str) -> Result<PathBuf, String> {
    if !text.starts_with('/') {
        return Err(format!("{text:?} is no absolute path"));
    }
    if text.len() > MAX_PATH {
        return Err(format!(
            "the path has {} bytes, and that of a socket at most {MAX_PATH}",
            text.len()
        ));
    }
    Ok(text.into())
}

impl Url {
    /// Reads `http://host[:port]/path`, the same with `https`, or
    /// `unix:/socket:/path`.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn parse(text: &str) -> Result<Self, String> {
        if let Some(socket) = text.strip_prefix("unix:") {
            return Self::parse_unix(socket);
        }
        let has_user = |rest: &str| {
            rest.split(['/', '?', '#'])
                .next()
                .unwrap_or_default()
                .contains('@')
        };
        const NO_USER: &str =
            "a URL with a user is not taken; put it into headers: {Authorization: \"…\"}";
        let (is_secure, rest) = match text.split_once("://") {
            Some((_, rest)) if has_user(rest) => return Err(NO_USER.to_owned()),
            None if has_user(text) => return Err(NO_USER.to_owned()),
            Some((scheme, rest)) if scheme.eq_ignore_ascii_case("http") => (false, rest),
            Some((scheme, rest)) if scheme.eq_ignore_ascii_case("https") => (true, rest),
            Some((scheme, _)) => {
                return Err(format!("unknown scheme {scheme:?} (allowed: http, https)"));
            }
            None => {
                let text = masked(text);
                let hint = match text.starts_with('/') {
                    true => format!("http://localhost:PORT{text}"),
                    false => format!("http://{text}"),
                };
                return Err(format!("{text:?} is no URL; did you mean {hint:?}?"));
            }
        };
        let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
        let (authority, target) = rest.split_at(end);
        let (host, port) = split_port(authority)?;
        if host.is_empty() {
            let text = masked(text);
            return Err(format!("{text:?} names no host; this one is \"localhost\""));
        }
        let default = if is_secure { 443 } else { 80 };
        Ok(Self {
            is_secure,
            place: Place::Tcp(HostPort {
                host: self::host(host)?,
                port: port.unwrap_or(default),
            }),
            target: self::target(target)?,
        })
    }

    fn parse_unix(text: &str) -> Result<Self, String> {
        let (socket, path) = match text.split_once(":/") {
            Some((socket, path)) => (socket, format!("/{path}")),
            None => (text, String::new()),
        };
        Ok(Self {
            is_secure: false,
            place: Place::Unix(socket_path(socket)?),
            target: target(&path)?,
        })
    }

    /// What to write into `Host`: without the port of the scheme.
    pub fn authority(&self) -> String {
        let default = if self.is_secure { 443 } else { 80 };
        match &self.place {
            Place::Tcp(address) if address.port != default => address.to_string(),
            Place::Tcp(address) if address.host.contains(':') => format!("[{}]", address.host),
            Place::Tcp(address) => address.host.clone(),
            Place::Unix(_) => "localhost".to_owned(),
        }
    }

    /// Where a redirect from here leads that says `location`. One to the host that
    /// was asked stays at the same socket.
    ///
    /// # Errors
    /// Why that can't be followed.
    pub fn join(&self, location: &str) -> Result<Self, String> {
        let scheme = if self.is_secure { "https:" } else { "http:" };
        let location = location.split('#').next().unwrap_or_default();
        let here = format!("{scheme}//{}", self.authority());
        let to = match location {
            _ if location.starts_with("//") => format!("{scheme}{location}"),
            _ if location.contains("://") => location.to_owned(),
            _ if location.starts_with('/') => format!("{here}{location}"),
            _ => {
                let path = self.target.split('?').next().unwrap_or_default();
                let directory = match location.starts_with('?') {
                    true => path,
                    false => path.rsplit_once('/').map_or("", |(before, _)| before),
                };
                let slash = if location.starts_with('?') { "" } else { "/" };
                format!("{here}{directory}{slash}{location}")
            }
        };
        let mut next = Self::parse(&to)?;
        if next.is_secure == self.is_secure && next.authority() == self.authority() {
            next.place.clone_from(&self.place);
        }
        Ok(next)
    }
}

/// The path and query of a request.
fn target(text: &str) -> Result<String, String> {
    if let Some(odd) = text.chars().find(|c| !c.is_ascii_graphic() || *c == '#') {
        return Err(match odd {
            '#' => "a fragment (#…) is never sent; leave it out".to_owned(),
            odd => format!("{odd:?} must be percent-encoded in a URL"),
        });
    }
    Ok(match text.starts_with('/') {
        true => text.to_owned(),
        false => format!("/{text}"),
    })
}

#[cfg(test)]
mod tests {
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
            ("ftp://db/", "unknown scheme \"ftp\" (allowed: http, https)"),
            (
                "http://:80/",
                "\"http://:80/\" names no host; this one is \"localhost\"",
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
            ("unix:/s:/a", "/x", "\"/s\" localhost /x"),
            ("unix:/s:/a", "http://localhost/x", "\"/s\" localhost /x"),
            ("unix:/s:/a", "http://web/x", "web:80 web /x"),
        ] {
            let from = Url::parse(from).unwrap();
            assert_eq!(shown(&from.join(location).unwrap()), expected, "{location}");
        }
        let from = Url::parse("http://db/").unwrap();
        for location in ["ftp://db/", "http://", "/a b"] {
            assert!(from.join(location).is_err(), "{location}");
        }
    }
}
