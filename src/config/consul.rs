//! `consul`: how to reach the discovery backend (SPEC §9).
//!
//! Certificates are loaded here, because a bad file is an error of the
//! configuration.

use std::path::PathBuf;

use crate::environment::Environment;
use crate::tls::{Tls, TlsSpec};

use super::certificates;
use super::decode::{Decode, Word, parse_bool};
use super::findings::{Findings, Path};
use super::table::{Preset, Shape, object};
use super::value::Value;

#[cfg(test)]
mod tests;

/// Where the agent listens if the file doesn't say it, as in Consul's own
/// client.
const LOCAL_AGENT: &str = "127.0.0.1:8500";

/// How to reach the Consul agent.
#[derive(Clone, PartialEq, Eq)]
pub struct ConsulSpec {
    /// `host:port`.
    pub address: String,
    /// With what to speak TLS (`scheme: "https"`), if so.
    pub tls: Option<Tls>,
    /// Sent as `X-Consul-Token`; never shown.
    pub token: Option<String>,
}

impl std::fmt::Debug for ConsulSpec {
    /// Shows everything but the token, which must reach no log.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ConsulSpec")
            .field("address", &self.address)
            .field("tls", &self.tls)
            .field("token", &self.token.as_ref().map(|_| "(set)"))
            .finish()
    }
}

/// Whether to speak TLS.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Scheme {
    Http,
    Https,
}

impl Word for Scheme {
    const WORDS: &'static [(&'static str, Self)] = &[("http", Self::Http), ("https", Self::Https)];
}

object! {
    /// How to reach the agent, as the file has it in an object.
    RawBackend in "consul" {
        address: String = "address", Preset::Text(LOCAL_AGENT),
            "The agent's `host:port`; a scheme before it is as good as `scheme`.";
        scheme: Scheme = "scheme", Preset::Depends("that of `address`, else `http`"),
            "`https` speaks TLS, as `tls` says.";
        token: String = "token", Preset::Absent,
            "The ACL token to send; the variable `CONSUL_HTTP_TOKEN` overrides it.";
        tls: RawTls = "tls", Preset::Absent,
            "Certificates, for the scheme `https`.";
    }
}

object! {
    /// Certificates, as the file has them.
    RawTls in "consul.tls" {
        ca_file: String = "cafile", Preset::Absent,
            "PEM file of the certificates to trust, instead of the system's; overridden by `CONSUL_CACERT`.";
        ca_path: String = "capath", Preset::Absent,
            "Directory of PEM files of certificates to trust; overridden by `CONSUL_CAPATH`.";
        client_cert: String = "clientcert", Preset::Absent,
            "PEM file of our certificate; needs `clientkey`; overridden by `CONSUL_CLIENT_CERT`.";
        client_key: String = "clientkey", Preset::Absent,
            "PEM file of our certificate's key; overridden by `CONSUL_CLIENT_KEY`.";
        server_name: String = "servername", Preset::Depends("the host of `address`"),
            "The name that the agent's certificate must carry; overridden by `CONSUL_TLS_SERVER_NAME`.";
        verify: bool = "verify", Preset::Bool(true),
            "Whether the agent's certificate is verified; overridden by `CONSUL_HTTP_SSL_VERIFY`.";
    }
}

/// How to reach the agent: an address, or an object.
#[derive(Debug)]
pub(crate) struct RawConsul(RawBackend);

impl Decode for RawConsul {
    const SHAPE: Shape = Shape::Either(&[Shape::Text, RawBackend::SHAPE]);

    fn decode(value: Value<'_>, at: &Path<'_>, findings: &mut Findings) -> Option<Self> {
        if matches!(value, Value::Object(_)) {
            return RawBackend::decode(value, at, findings).map(Self);
        }
        let address = String::decode(value, at, findings)?;
        Some(Self(RawBackend {
            address: Some(address),
            ..RawBackend::default()
        }))
    }
}

/// How to reach the agent, with the names of files instead of what is in them.
#[derive(Debug)]
struct Settings {
    address: String,
    tls: Option<TlsSpec>,
    token: Option<String>,
}

impl RawConsul {
    /// How to reach the agent, or `None` after an error was added.
    pub(crate) fn into_spec(
        self,
        environment: &Environment,
        at: &Path<'_>,
        findings: &mut Findings,
    ) -> Option<ConsulSpec> {
        let Settings {
            address,
            tls,
            token,
        } = self.into_settings(environment, at, findings)?;
        let tls = match tls {
            None => None,
            Some(spec) => Some(certificates::load(&spec, &at.key("tls"), findings)?),
        };
        Some(ConsulSpec {
            address,
            tls,
            token,
        })
    }

    fn into_settings(
        self,
        environment: &Environment,
        at: &Path<'_>,
        findings: &mut Findings,
    ) -> Option<Settings> {
        let Self(raw) = self;
        let given = raw.address.unwrap_or_default();
        let address = match Address::parse(&given) {
            Ok(address) => address,
            Err(message) => {
                findings.error(at, message);
                return None;
            }
        };
        if let Some(oddity) = &address.oddity {
            findings.warn(at, oddity.as_str());
        }
        if let (Some(one), Some(other)) = (address.scheme, raw.scheme)
            && one != other
        {
            let message = format!("contradicts the scheme of the address {given:?}");
            findings.error(&at.key("scheme"), message);
        }
        let scheme = address.scheme.or(raw.scheme).unwrap_or(Scheme::Http);
        let tls_at = at.key("tls");
        let tls = match (scheme, raw.tls) {
            (Scheme::Https, tls) => tls_spec(tls, environment, &tls_at, findings),
            (Scheme::Http, Some(_)) => {
                findings.warn(&tls_at, "has no effect without the scheme \"https\"");
                None
            }
            (Scheme::Http, None) => None,
        };
        let port = if tls.is_some() { 443 } else { 80 };
        let token = variable(environment, "CONSUL_HTTP_TOKEN").or(raw.token);
        if token.as_ref().is_some_and(|token| !is_header(token)) {
            let message = "has characters that no HTTP header can carry";
            findings.error(&at.key("token"), message);
        }
        Some(Settings {
            address: address.with_port(port),
            tls,
            token,
        })
    }
}

/// Whether a text can be the value of an HTTP header.
fn is_header(text: &str) -> bool {
    text.bytes().all(|byte| matches!(byte, b' '..=b'~'))
}

/// The value of a variable that is set to anything.
fn variable(environment: &Environment, name: &str) -> Option<String> {
    environment.get(name).filter(|value| !value.is_empty())
}

/// An address as the file has it.
#[derive(Debug, PartialEq, Eq)]
struct Address<'t> {
    scheme: Option<Scheme>,
    host: &'t str,
    /// The port and its colon, if there is one.
    port: Option<&'t str>,
    /// Why it is probably not what was meant.
    oddity: Option<String>,
}

impl<'t> Address<'t> {
    fn parse(text: &'t str) -> Result<Self, String> {
        let (scheme, rest) = match text.split_once("://") {
            None => (None, text),
            Some(("http", rest)) => (Some(Scheme::Http), rest),
            Some(("https", rest)) => (Some(Scheme::Https), rest),
            Some((other, _)) => {
                return Err(format!("unknown scheme {other:?} (allowed: http, https)"));
            }
        };
        let rest = rest.strip_suffix('/').unwrap_or(rest);
        if rest.contains('@') {
            let advice = "write [scheme://]host:port, and \"token\" to authenticate";
            return Err(format!("an address with a user is not taken; {advice}"));
        }
        if let Some(odd) = rest
            .chars()
            .find(|c| c.is_whitespace() || c.is_control() || "/?#,".contains(*c))
        {
            return Err(format!(
                "{text:?} is no address: {odd:?} is not allowed in [scheme://]host:port"
            ));
        }
        let (host, port) = match rest.rfind(':') {
            Some(colon) if !rest.ends_with(']') => {
                let (host, port) = rest.split_at(colon);
                (host, Some(port))
            }
            _ => (rest, None),
        };
        let number = port.map(|port| port.trim_start_matches(':').parse::<u16>());
        if matches!(number, Some(Err(_) | Ok(0))) {
            return Err(format!(
                "{text:?} is no address: its port must be 1 to 65535"
            ));
        }
        Ok(Self {
            scheme,
            host,
            port,
            oddity: oddity(text, host, port, scheme),
        })
    }

    /// `host:port`, with Consul's own agent for what is missing.
    fn with_port(&self, default: u16) -> String {
        match (self.host, self.port) {
            ("", None) => LOCAL_AGENT.to_owned(),
            ("", Some(port)) => format!("127.0.0.1{port}"),
            (host, Some(port)) => format!("{host}{port}"),
            (host, None) => format!("{host}:{default}"),
        }
    }
}

/// What the original took, but can't have been meant.
fn oddity(text: &str, host: &str, port: Option<&str>, scheme: Option<Scheme>) -> Option<String> {
    let bracketed = host.starts_with('[') && host.ends_with(']');
    if host.is_empty() {
        Some(format!(
            "{text:?} names no host; the agent of this host (127.0.0.1) is used"
        ))
    } else if host.contains(':') && !bracketed {
        Some(format!(
            "{text:?} has more than one port, so nothing can be reached there"
        ))
    } else if port.is_none() && scheme != Some(Scheme::Https) {
        Some(format!(
            "{text:?} has no port, so that of the scheme is used; Consul's own is 8500"
        ))
    } else {
        None
    }
}

/// The certificates of the file and the environment, which overrides it.
fn tls_spec(
    raw: Option<RawTls>,
    environment: &Environment,
    at: &Path<'_>,
    findings: &mut Findings,
) -> Option<TlsSpec> {
    // Without the object its defaults hold as if it were empty.
    let raw = match raw {
        Some(raw) => raw,
        None => RawTls::decode(Value::Object(Vec::new()), at, findings)?,
    };
    let path =
        |name, given: Option<String>| variable(environment, name).or(given).map(PathBuf::from);
    let spec = TlsSpec {
        ca_file: path("CONSUL_CACERT", raw.ca_file),
        ca_path: path("CONSUL_CAPATH", raw.ca_path),
        client_cert: path("CONSUL_CLIENT_CERT", raw.client_cert),
        client_key: path("CONSUL_CLIENT_KEY", raw.client_key),
        server_name: variable(environment, "CONSUL_TLS_SERVER_NAME").or(raw.server_name),
        verify: verify(environment, raw.verify.unwrap_or_default(), at, findings),
    };
    if !spec.verify {
        let message = "is false, so whoever answers is taken for Consul";
        findings.warn(&at.key("verify"), message);
    }
    Some(spec)
}

fn verify(environment: &Environment, given: bool, at: &Path<'_>, findings: &mut Findings) -> bool {
    let name = "CONSUL_HTTP_SSL_VERIFY";
    let Some(text) = variable(environment, name) else {
        return given;
    };
    parse_bool(&text).unwrap_or_else(|| {
        let message = format!("the variable {name} is {text:?}, which is not true or false");
        findings.error(&at.key("verify"), message);
        given
    })
}
