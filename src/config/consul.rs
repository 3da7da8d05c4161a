//! `consul`: how to reach the discovery backend (SPEC §9).
//!
//! Certificate files are looked at here, because a bad one is an error of the
//! configuration; what is in them is the discovery's concern.

use std::fs;
use std::path::{Path as FilePath, PathBuf};

use crate::environment::Environment;

use super::decode::{Decode, Word, parse_bool};
use super::findings::{Findings, Path};
use super::source::cause;
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
    /// Whether to speak TLS (`scheme: "https"`).
    pub tls: Option<TlsSpec>,
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

/// How the agent proves who it is, and we to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsSpec {
    /// A file of certificates to trust.
    pub ca_file: Option<PathBuf>,
    /// A directory of certificates to trust.
    pub ca_path: Option<PathBuf>,
    /// Our certificate.
    pub client_cert: Option<PathBuf>,
    /// The key of our certificate.
    pub client_key: Option<PathBuf>,
    /// The name the agent's certificate must carry, if not the address's host.
    pub server_name: Option<String>,
    /// Whether the agent's certificate is verified at all.
    pub verify: bool,
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

impl RawConsul {
    /// How to reach the agent, or `None` after an error was added.
    pub(crate) fn into_spec(
        self,
        environment: &Environment,
        at: &Path<'_>,
        findings: &mut Findings,
    ) -> Option<ConsulSpec> {
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
        Some(ConsulSpec {
            address: address.with_port(port),
            tls,
            token: variable(environment, "CONSUL_HTTP_TOKEN").or(raw.token),
        })
    }
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
        if let Some(odd) = rest
            .chars()
            .find(|c| c.is_whitespace() || c.is_control() || "/?#@,".contains(*c))
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
    check_files(&spec, at, findings);
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

fn check_files(spec: &TlsSpec, at: &Path<'_>, findings: &mut Findings) {
    const CERTIFICATE: &str = "CERTIFICATE-----";
    for (key, file, kind) in [
        ("cafile", &spec.ca_file, CERTIFICATE),
        ("clientcert", &spec.client_cert, CERTIFICATE),
        ("clientkey", &spec.client_key, "PRIVATE KEY-----"),
    ] {
        if let Some(file) = file
            && let Err(message) = check_pem(file, kind)
        {
            findings.error(&at.key(key), message);
        }
    }
    if let Some(directory) = &spec.ca_path
        && let Err(message) = check_directory(directory, CERTIFICATE)
    {
        findings.error(&at.key("capath"), message);
    }
    if spec.client_cert.is_some() != spec.client_key.is_some() {
        findings.error(at, "\"clientcert\" and \"clientkey\" need each other");
    }
}

/// Whether a file holds a PEM block whose first line ends with `kind`.
fn check_pem(file: &FilePath, kind: &str) -> Result<(), String> {
    let bytes =
        fs::read(file).map_err(|error| format!("cannot read {file:?}: {}", cause(&error)))?;
    let text = String::from_utf8_lossy(&bytes);
    let found = text
        .lines()
        .any(|line| line.starts_with("-----BEGIN ") && line.trim_end().ends_with(kind));
    match found {
        true => Ok(()),
        false => Err(format!(
            "{file:?} is no PEM file of the kind -----BEGIN … {kind}"
        )),
    }
}

/// Whether any file of a directory is such a PEM file.
fn check_directory(directory: &FilePath, kind: &str) -> Result<(), String> {
    let cannot = |error| format!("cannot read the directory {directory:?}: {}", cause(&error));
    for entry in fs::read_dir(directory).map_err(cannot)? {
        let path = entry.map_err(cannot)?.path();
        if path.is_file() && check_pem(&path, kind).is_ok() {
            return Ok(());
        }
    }
    Err(format!(
        "{directory:?} has no PEM file of the kind -----BEGIN … {kind}"
    ))
}
