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
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Place {
    /// A host, by name or address, and a port of it.
    Tcp(HostPort),
    /// A Unix socket.
    Unix(PathBuf),
}

/// A host, by name or address, and a port of it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct HostPort {
    /// An IPv6 address stands without brackets.
    pub host: String,
    /// Never 0.
    pub port: u16,
}

/// What an HTTP check asks for.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
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
    /// Without the query, which may be a secret.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path = self.path();
        match (&self.place, self.is_secure) {
            (Place::Unix(socket), _) => write!(f, "unix:{}:{path}", socket.display()),
            (Place::Tcp(_), true) => write!(f, "https://{}{path}", self.authority()),
            (Place::Tcp(_), false) => write!(f, "http://{}{path}", self.authority()),
        }
    }
}

impl HostPort {
    /// Reads `host:port`; without a host, this host itself is meant.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn parse(text: &str) -> Result<Self, String> {
        if text.contains('@') {
            return Err("an address with a user is not taken; write HOST:PORT".to_owned());
        }
        if text.contains("://") {
            let text = masked(text);
            return Err(format!("{text:?} is a URL; write HOST:PORT"));
        }
        let text = match text.bytes().all(|byte| byte.is_ascii_digit()) {
            true => &format!(":{text}"),
            false => text,
        };
        let (host, port) = split_port(text)?;
        let port = port.ok_or_else(|| {
            let text = masked(text);
            format!("{text:?} has no port; write \"{text}:PORT\"")
        })?;
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
        _ => Err(format!("the port of {:?} must be 1 to 65535", masked(text))),
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
        return Err(format!("{:?} is no host name", masked(text)));
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
        // What begins with the sign is an abstract address, and has no user.
        return Err(match text.find('@') {
            Some(1..) => "an address with a user is not taken; write an absolute path".to_owned(),
            Some(0) | None => format!("{:?} is no absolute path", masked(text)),
        });
    }
    if text.len() > MAX_PATH {
        return Err(format!(
            "the path has {} bytes, and that of a socket at most {MAX_PATH}",
            text.len()
        ));
    }
    Ok(text.into())
}

/// The scheme of a reference and what follows its colon (RFC 3986, 3.1).
fn scheme(text: &str) -> Option<(&str, &str)> {
    let (scheme, rest) = text.split_once(':')?;
    let is_part = |byte: u8| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte);
    let is_scheme =
        scheme.starts_with(|c: char| c.is_ascii_alphabetic()) && scheme.bytes().all(is_part);
    is_scheme.then_some((scheme, rest))
}

/// Whether such a scheme is the one with TLS.
fn is_secure(scheme: &str) -> Result<bool, String> {
    match scheme {
        _ if scheme.eq_ignore_ascii_case("http") => Ok(false),
        _ if scheme.eq_ignore_ascii_case("https") => Ok(true),
        _ => Err(format!("unknown scheme {scheme:?} (allowed: http, https)")),
    }
}

/// What is wrong with a URL; nothing of it is quoted that may be a password,
/// wherever it was cut.
fn wrong(url: &str, why: String) -> String {
    match url.contains('@') {
        true => "is no URL, and not shown: what stands before a @ may be a password".to_owned(),
        false => why,
    }
}

impl Url {
    /// Reads `http://host[:port]/path`, the same with `https`, or
    /// `unix:/socket:/path`.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn parse(text: &str) -> Result<Self, String> {
        match text.strip_prefix("unix:") {
            Some(socket) => Self::parse_unix(socket).map_err(|why| wrong(text, why)),
            None => Self::parse_web(text),
        }
    }

    /// Reads what a server may say, too: no socket of this machine.
    fn parse_web(text: &str) -> Result<Self, String> {
        let parts =
            scheme(text).and_then(|(scheme, rest)| Some((scheme, rest.strip_prefix("//")?)));
        let after = parts.map_or(text, |(_, rest)| rest);
        let authority = after.split(['/', '?', '#']).next().unwrap_or_default();
        if authority.contains('@') {
            return Err(
                "a URL with a user is not taken; put it into headers: {Authorization: \"…\"}"
                    .to_owned(),
            );
        }
        let read = match parts {
            Some((scheme, _)) => Self::with(scheme, authority, after),
            None => {
                let text = masked(text);
                let hint = match text.starts_with('/') {
                    true => format!("http://localhost:PORT{text}"),
                    false => format!("http://{text}"),
                };
                Err(format!("{text:?} is no URL; did you mean {hint:?}?"))
            }
        };
        read.map_err(|why| wrong(text, why))
    }

    /// What follows the slashes begins with the authority.
    fn with(scheme: &str, authority: &str, after: &str) -> Result<Self, String> {
        let is_secure = is_secure(scheme)?;
        let (host, port) = split_port(authority)?;
        if host.is_empty() {
            let whom = format!("{scheme}://{authority}");
            return Err(format!("{whom:?} names no host; this one is \"localhost\""));
        }
        let default = if is_secure { 443 } else { 80 };
        Ok(Self {
            is_secure,
            place: Place::Tcp(HostPort {
                host: self::host(host)?,
                port: port.unwrap_or(default),
            }),
            target: target(after.get(authority.len()..).unwrap_or_default())?,
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

    /// The path without the query.
    fn path(&self) -> &str {
        self.target.split('?').next().unwrap_or_default()
    }

    /// Where a redirect from here leads that says `location`. One to the host that
    /// was asked stays at the same socket; none leads to another socket of this
    /// machine, of whose names a server knows nothing.
    ///
    /// # Errors
    /// Why that can't be followed.
    pub fn join(&self, location: &str) -> Result<Self, String> {
        let own = if self.is_secure { "https:" } else { "http:" };
        let location = location.split('#').next().unwrap_or_default();
        let here = format!("{own}//{}", self.authority());
        let to = match scheme(location) {
            Some((other, rest)) => {
                is_secure(other)?;
                if !rest.starts_with("//") {
                    return Err("names no host".to_owned());
                }
                location.to_owned()
            }
            None if location.starts_with("//") => format!("{own}{location}"),
            None if location.starts_with('/') => format!("{here}{location}"),
            None => {
                let path = self.path();
                let directory = match location.starts_with('?') {
                    true => path,
                    false => path.rsplit_once('/').map_or("", |(before, _)| before),
                };
                let slash = if location.starts_with('?') { "" } else { "/" };
                format!("{here}{directory}{slash}{location}")
            }
        };
        let mut next = Self::parse_web(&to)?;
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
mod tests;
