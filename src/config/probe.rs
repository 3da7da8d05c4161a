//! `health.http`, `health.tcp`, `health.unix`: checks that are built in (SPEC
//! §15).

use std::fmt;
use std::ops::RangeInclusive;
use std::path::PathBuf;

use crate::tls::{Tls, TlsSpec};

use super::certificates;
use super::decode::{Decode, Integer, Word, mismatch};
use super::findings::{Findings, Path};
use super::pairs::Pairs;
use super::table::{Preset, Shape, object};
use super::url::{HostPort, Place, Url, socket_path};
use super::value::Value;

/// Whom a built-in check asks, and what makes it pass.
#[derive(Clone, Debug, PartialEq, Hash)]
pub enum ProbeSpec {
    /// An HTTP exchange that is answered as is wanted.
    Http(HttpSpec),
    /// A connection that can be made.
    Connect(Place),
}

/// A request, and which answers are good ones.
#[derive(Clone, Debug, PartialEq, Hash)]
pub struct HttpSpec {
    /// Where to ask.
    pub url: Url,
    /// The method of the request.
    pub method: Method,
    /// More headers, of which some may replace those that are sent anyway.
    pub headers: Vec<Header>,
    /// Which statuses are good.
    pub status: Statuses,
    /// What the answer must contain.
    pub contains: Option<String>,
    /// How many redirects are followed.
    pub redirects: u32,
    /// With what to speak TLS where it is spoken.
    pub tls: Option<Tls>,
}

/// A header of a request.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Header {
    /// Its name, as the file has it.
    pub name: String,
    /// Its value, which may be a secret.
    pub value: String,
}

impl fmt::Debug for Header {
    /// Does not show the value, which must reach no log.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Header").field(&self.name).finish()
    }
}

/// The method of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Method {
    /// GET
    Get,
    /// HEAD, whose answer has no body.
    Head,
    /// OPTIONS
    Options,
    /// POST, with an empty body.
    Post,
    /// PUT, with an empty body.
    Put,
}

impl Word for Method {
    const WORDS: &'static [(&'static str, Self)] = &[
        ("GET", Self::Get),
        ("HEAD", Self::Head),
        ("OPTIONS", Self::Options),
        ("POST", Self::Post),
        ("PUT", Self::Put),
    ];
}

impl Method {
    /// As it is sent.
    pub fn as_str(self) -> &'static str {
        let mut words = Self::WORDS.iter();
        words
            .find(|(_, method)| *method == self)
            .map_or("", |(word, _)| word)
    }
}

/// Which statuses are good.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Statuses(Vec<RangeInclusive<u16>>);

impl Default for Statuses {
    /// What Kubernetes takes for good, too.
    fn default() -> Self {
        Self(vec![200..=399])
    }
}

impl Statuses {
    /// Whether this one is.
    pub fn contain(&self, status: u16) -> bool {
        self.0.iter().any(|range| range.contains(&status))
    }
}

impl fmt::Display for Statuses {
    /// As the file has them.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, range) in self.0.iter().enumerate() {
            let or = if index == 0 { "" } else { " or " };
            let (from, to) = (range.start(), range.end());
            match from == to {
                true => write!(f, "{or}{from}")?,
                false => write!(f, "{or}{from}-{to}")?,
            }
        }
        Ok(())
    }
}

impl Decode for Statuses {
    const SHAPE: Shape = Shape::Texts;
    const EMPTY_IS_ABSENT: bool = true;

    fn decode(value: Value<'_>, at: &Path<'_>, findings: &mut Findings) -> Option<Self> {
        let texts = Vec::<String>::decode(value, at, findings)?;
        let ranges: Option<Vec<_>> = texts.iter().map(|text| range(text)).collect();
        let ranges = ranges.filter(|ranges| !ranges.is_empty());
        if ranges.is_none() {
            let message = "is no status (200), range of them (\"200-399\") or list of these";
            findings.error(at, message);
        }
        ranges.map(Self)
    }
}

/// `200` or `200-399`: final statuses, since others never arrive.
fn range(text: &str) -> Option<RangeInclusive<u16>> {
    let is_plain = |text: &&str| text.bytes().all(|byte| byte.is_ascii_digit());
    let status = |text: &str| {
        let status: u16 = Some(text).filter(is_plain)?.parse().ok()?;
        (200..=599).contains(&status).then_some(status)
    };
    let (from, to) = text.split_once('-').unwrap_or((text, text));
    let (from, to) = (status(from.trim())?, status(to.trim())?);
    (from <= to).then_some(from..=to)
}

object! {
    /// An HTTP check, as the file has it in an object.
    RawRequest in "job.health.http" {
        url: Target = "url", Preset::Required,
            "Where to ask: `http://HOST[:PORT]/PATH`, the same with `https`, or `unix:/SOCKET:/PATH`.";
        method: Method = "method", Preset::Text("GET"),
            "The method of the request, which has no body.";
        headers: Pairs = "headers", Preset::Absent,
            "More headers; `Host`, `User-Agent` and `Accept` replace what is sent otherwise.";
        status: Statuses = "status", Preset::Text("200-399"),
            "The statuses that are good: one, a range (`\"200-299\"`), or a list of these.";
        contains: String = "contains", Preset::Absent,
            "What must stand in the first 64 KiB of the answer's body.";
        redirects: Integer<0, 10> = "redirects", Preset::Integer(0),
            "How many redirects are followed; the one after that is judged by its `status`.";
        tls: RawPeer = "tls", Preset::Absent,
            "Certificates, for `https`.";
    }
}

object! {
    /// Certificates of a check, as the file has them.
    RawPeer in "job.health.http.tls" {
        ca_file: String = "cafile", Preset::Absent,
            "PEM file of the certificates to trust, instead of the system's.";
        ca_path: String = "capath", Preset::Absent,
            "Directory of PEM files of certificates to trust.";
        client_cert: String = "clientcert", Preset::Absent,
            "PEM file of our certificate; needs `clientkey`.";
        client_key: String = "clientkey", Preset::Absent,
            "PEM file of our certificate's key.";
        server_name: String = "servername", Preset::Depends("the host of `url`"),
            "The name that the server's certificate must carry.";
        verify: bool = "verify", Preset::Bool(true),
            "Whether the server's certificate is verified.";
    }
}

/// Whom to ask. One that a template renders to nothing is an error: the job would
/// be healthy without being checked.
#[derive(Debug)]
pub(crate) struct Target(String);

impl Decode for Target {
    const SHAPE: Shape = Shape::Name;

    fn decode(value: Value<'_>, at: &Path<'_>, findings: &mut Findings) -> Option<Self> {
        if value.is_empty_text() {
            return mismatch(&value, "the address of something", at, findings);
        }
        String::decode(value, at, findings).map(Self)
    }
}

/// An HTTP check: a URL, or an object.
#[derive(Debug)]
pub(crate) struct RawHttp {
    request: RawRequest,
    is_object: bool,
}

impl Decode for RawHttp {
    const SHAPE: Shape = Shape::Either(&[Target::SHAPE, RawRequest::SHAPE]);

    fn decode(value: Value<'_>, at: &Path<'_>, findings: &mut Findings) -> Option<Self> {
        let is_object = matches!(value, Value::Object(_));
        let object = match value {
            Value::Object(_) => value,
            value => {
                let Target(url) = Target::decode(value, at, findings)?;
                Value::Object(vec![("url".into(), Value::Text(url.into()))])
            }
        };
        RawRequest::decode(object, at, findings).map(|request| Self { request, is_object })
    }
}

impl RawHttp {
    /// The check, or `None` after an error was added.
    pub(crate) fn into_spec(self, at: &Path<'_>, findings: &mut Findings) -> Option<ProbeSpec> {
        let Self {
            request: raw,
            is_object,
        } = self;
        let Integer(redirects) = raw.redirects.unwrap_or_default();
        let headers = headers(
            raw.headers.unwrap_or_default(),
            &at.key("headers"),
            findings,
        );
        let Target(url) = raw.url?;
        let url = Url::parse(&url).map_err(|message| match is_object {
            true => findings.error(&at.key("url"), message),
            false => findings.error(at, message),
        });
        let url = url.ok()?;
        let method = raw.method?;
        if method == Method::Head && raw.contains.is_some() {
            let message = "can't be found: the answer to HEAD has no body";
            findings.error(&at.key("contains"), message);
        }
        let tls = match raw.tls {
            None if !url.is_secure => None,
            given => {
                if given.is_some() && !url.is_secure && redirects == 0 {
                    let message = "has no effect without the scheme \"https\"";
                    findings.warn(&at.key("tls"), message);
                }
                Some(certificates::load(&peer(given), &at.key("tls"), findings)?)
            }
        };
        Some(ProbeSpec::Http(HttpSpec {
            url,
            method,
            headers: headers?,
            status: raw.status?,
            contains: raw.contains,
            redirects: u32::try_from(redirects).unwrap_or(0),
            tls: tls.map(Tls::without_resumption),
        }))
    }
}

/// Whom to trust; without the object, as if it were empty.
fn peer(raw: Option<RawPeer>) -> TlsSpec {
    let raw = raw.unwrap_or_default();
    let path = |given: Option<String>| given.map(PathBuf::from);
    TlsSpec {
        ca_file: path(raw.ca_file),
        ca_path: path(raw.ca_path),
        client_cert: path(raw.client_cert),
        client_key: path(raw.client_key),
        server_name: raw.server_name,
        verify: raw.verify.unwrap_or(true),
    }
}

/// What decides where the answer ends, or is not ours to say.
const RESERVED: [&str; 4] = [
    "connection",
    "content-length",
    "transfer-encoding",
    "upgrade",
];

fn headers(raw: Pairs, at: &Path<'_>, findings: &mut Findings) -> Option<Vec<Header>> {
    let errors_before = findings.error_count();
    let mut headers = Vec::new();
    for (name, value) in raw.0 {
        let Some(value) = value else { continue };
        let value = value.trim();
        let at = at.key(&name);
        if name.is_empty() || !name.bytes().all(is_token) {
            findings.error(&at, format!("{name:?} is no name of a header"));
        } else if RESERVED.iter().any(|word| word.eq_ignore_ascii_case(&name)) {
            findings.error(&at, "can't be set: it is up to the check");
        } else if value.chars().any(char::is_control) {
            findings.error(&at, "has a line break or another control character");
        }
        headers.push(Header {
            value: value.to_owned(),
            name,
        });
    }
    (findings.error_count() == errors_before).then_some(headers)
}

/// Whether a name may contain this (RFC 9110, 5.6.2).
fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

/// `tcp`: the check, or `None` after an error was added.
pub(crate) fn tcp(
    Target(text): &Target,
    at: &Path<'_>,
    findings: &mut Findings,
) -> Option<ProbeSpec> {
    let address = HostPort::parse(text).map_err(|message| findings.error(at, message));
    address.ok().map(Place::Tcp).map(ProbeSpec::Connect)
}

/// `unix`: the check, or `None` after an error was added.
pub(crate) fn unix(
    Target(text): &Target,
    at: &Path<'_>,
    findings: &mut Findings,
) -> Option<ProbeSpec> {
    let path = socket_path(text).map_err(|message| findings.error(at, message));
    path.ok().map(Place::Unix).map(ProbeSpec::Connect)
}

#[cfg(test)]
mod tests;
