//! Certificates and keys from files, read and checked together.

use std::fmt;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::SignatureScheme;
use rustls::client::Resumption;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, ring};
use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::{ClientConfig, ClientConnection, DigitallySignedStruct, RootCertStore};

use super::{Problem, Reader, TlsSpec};

/// Where distributions keep the certificates that the whole system trusts.
const SYSTEM_BUNDLES: [&str; 6] = [
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/pki/tls/cacert.pem",
    "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
    "/etc/ssl/cert.pem",
];

/// Loaded and checked certificates and keys. Two are equal if the contents of
/// their files and their settings are, so that a reload notices a renewed
/// certificate of the same path.
#[derive(Clone)]
pub struct Tls {
    config: Arc<ClientConfig>,
    server_name: Option<ServerName<'static>>,
    fingerprint: u64,
}

impl PartialEq for Tls {
    fn eq(&self, other: &Self) -> bool {
        self.fingerprint == other.fingerprint
    }
}

impl Eq for Tls {}

impl Hash for Tls {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.fingerprint.hash(state);
    }
}

impl fmt::Debug for Tls {
    /// Shows no key.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tls")
            .field("server_name", &self.server_name)
            .finish_non_exhaustive()
    }
}

/// Reads and checks every file that `spec` names, by `read`.
///
/// # Errors
/// Everything that is wrong, with the key that it is about.
pub fn load(spec: &TlsSpec, read: Reader) -> Result<Tls, Vec<Problem>> {
    let mut hasher = DefaultHasher::new();
    // The roots are looked at even if they are not used, so that turning the
    // verification on again finds them good.
    let needs_roots = spec.verify || spec.ca_file.is_some() || spec.ca_path.is_some();
    let roots = needs_roots
        .then(|| roots(spec, read, &mut hasher))
        .transpose();
    let client = client_certificate(spec, read, &mut hasher);
    let name = spec.server_name.as_deref().map(server_name).transpose();
    let (roots, client, server_name) = match (roots, client, name) {
        (Ok(roots), Ok(client), Ok(name)) => (roots, client, name),
        (roots, client, name) => {
            let problems = [roots.err(), client.err(), name.err()];
            return Err(problems.into_iter().flatten().collect());
        }
    };
    (spec.verify, &spec.server_name).hash(&mut hasher);
    let config = config(roots.filter(|_| spec.verify), client).map_err(|it| vec![it])?;
    Ok(Tls {
        config: Arc::new(config),
        server_name,
        fingerprint: hasher.finish(),
    })
}

/// Lets all that are the same be one: those that a whole system trusts take 100 KiB.
pub fn share<'t>(all: impl Iterator<Item = &'t mut Tls>) {
    let mut known: Vec<Tls> = Vec::new();
    for tls in all {
        match known.iter().find(|known| **known == *tls) {
            Some(same) => tls.clone_from(same),
            None => known.push(tls.clone()),
        }
    }
}

/// What rustls makes of it; without roots, everybody is trusted.
fn config(
    roots: Option<RootCertStore>,
    client: Option<ClientCertificate>,
) -> Result<ClientConfig, Problem> {
    let provider = Arc::new(ring::default_provider());
    let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .map_err(|error| Problem::new("verify", error.to_string()))?;
    let builder = match roots {
        Some(roots) => builder.with_root_certificates(roots),
        None => builder
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(Anyone(provider))),
    };
    let mut config = match client {
        None => builder.with_no_client_auth(),
        Some((chain, key)) => builder.with_client_auth_cert(chain, key).map_err(|error| {
            Problem::new(
                "clientkey",
                format!("does not fit the certificate of \"clientcert\": {error}"),
            )
        })?,
    };
    config.resumption = Resumption::in_memory_sessions(4);
    Ok(config)
}

fn server_name(name: &str) -> Result<ServerName<'static>, Problem> {
    ServerName::try_from(name.to_owned())
        .map_err(|_| Problem::new("servername", format!("{name:?} is no host name")))
}

/// The certificates to trust: those of the given file and directory, or the
/// system's if neither is given.
fn roots(
    spec: &TlsSpec,
    read: Reader,
    hasher: &mut DefaultHasher,
) -> Result<RootCertStore, Problem> {
    let mut store = RootCertStore::empty();
    let mut add = |key: &'static str, path: &Path| -> Result<(), Problem> {
        for certificate in certificates(key, path, read)? {
            certificate.hash(hasher);
            store.add(certificate).map_err(|error| {
                let text = format!("a certificate of {path:?} is malformed: {error}");
                Problem::new(key, text)
            })?;
        }
        Ok(())
    };
    if let Some(file) = &spec.ca_file {
        add("cafile", file)?;
    }
    if let Some(folder) = &spec.ca_path {
        for file in certificate_files(folder, read)? {
            add("capath", &file)?;
        }
    }
    if spec.ca_file.is_none() && spec.ca_path.is_none() {
        let certificates = system_certificates()?;
        certificates.hash(hasher);
        // One that is too odd for rustls must not take the others with it.
        store.add_parsable_certificates(certificates);
    }
    Ok(store)
}

fn certificates(
    key: &'static str,
    path: &Path,
    read: Reader,
) -> Result<Vec<CertificateDer<'static>>, Problem> {
    let text = bytes(key, path, read)?;
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&text).collect();
    match found {
        Ok(found) if !found.is_empty() => Ok(found),
        Ok(_) => Err(malformed(
            key,
            path,
            "certificate",
            &pem::Error::NoItemsFound,
        )),
        Err(error) => Err(malformed(key, path, "certificate", &error)),
    }
}

fn bytes(key: &'static str, path: &Path, read: Reader) -> Result<Vec<u8>, Problem> {
    read(path).map_err(|error| cannot_read(key, &format!("{path:?}"), error))
}

fn cannot_read(key: &'static str, what: &str, error: io::Error) -> Problem {
    Problem {
        key,
        message: format!("cannot read {what}"),
        cause: Some(error),
    }
}

/// What is wrong with a file, by kind: the error itself shows what the file holds,
/// which may be a key.
fn malformed(key: &'static str, path: &Path, what: &str, error: &pem::Error) -> Problem {
    let fault = match error {
        pem::Error::NoItemsFound => {
            return Problem::new(key, format!("{path:?} holds no {what} in PEM"));
        }
        pem::Error::MissingSectionEnd { .. } => {
            "a section has no END line (were the line breaks lost?)"
        }
        pem::Error::IllegalSectionStart { .. } => {
            "a BEGIN line does not end as it must (were the line breaks lost?)"
        }
        pem::Error::Base64Decode(_) => "what is between BEGIN and END is no base64",
        pem::Error::SectionTooLarge => "a section is too large",
        _ => "it cannot be read",
    };
    Problem::new(key, format!("{path:?} is malformed PEM: {fault}"))
}

/// The files of a directory that hold certificates, in the order of their names.
/// Links count, since that is how `c_rehash` lays such a directory out.
fn certificate_files(folder: &Path, read: Reader) -> Result<Vec<PathBuf>, Problem> {
    let key = "capath";
    let cannot_read = |error| cannot_read(key, &format!("the directory {folder:?}"), error);
    let mut files = Vec::new();
    for item in std::fs::read_dir(folder).map_err(cannot_read)? {
        let path = item.map_err(cannot_read)?.path();
        if path.is_file() && holds_certificate(&bytes(key, &path, read)?) {
            files.push(path);
        }
    }
    if files.is_empty() {
        let text = format!("no file in {folder:?} holds a certificate in PEM");
        return Err(Problem::new(key, text));
    }
    files.sort();
    Ok(files)
}

fn holds_certificate(text: &[u8]) -> bool {
    let begin: &[u8] = b"-----BEGIN CERTIFICATE-----";
    text.windows(begin.len()).any(|window| window == begin)
}

fn system_certificates() -> Result<Vec<CertificateDer<'static>>, Problem> {
    for bundle in SYSTEM_BUNDLES {
        if let Ok(text) = std::fs::read(bundle) {
            return Ok(CertificateDer::pem_slice_iter(&text)
                .filter_map(Result::ok)
                .collect());
        }
    }
    let text = "needed, since this system has no certificates of its own (no ca-certificates)";
    Err(Problem::new("cafile", text))
}

type ClientCertificate = (Vec<CertificateDer<'static>>, PrivateKeyDer<'static>);

fn client_certificate(
    spec: &TlsSpec,
    read: Reader,
    hasher: &mut DefaultHasher,
) -> Result<Option<ClientCertificate>, Problem> {
    let (certificate, key) = match (&spec.client_cert, &spec.client_key) {
        (None, None) => return Ok(None),
        (Some(certificate), Some(key)) => (certificate, key),
        (Some(_), None) => {
            let text = "needed, because there is a \"clientcert\"";
            return Err(Problem::new("clientkey", text));
        }
        (None, Some(_)) => {
            let text = "needed, because there is a \"clientkey\"";
            return Err(Problem::new("clientcert", text));
        }
    };
    let chain = certificates("clientcert", certificate, read)?;
    let text = bytes("clientkey", key, read)?;
    let kind = "private key (PKCS #8, PKCS #1 or SEC 1, not encrypted)";
    let key = PrivateKeyDer::from_pem_slice(&text)
        .map_err(|error| malformed("clientkey", key, kind, &error))?;
    chain.hash(hasher);
    key.secret_der().hash(hasher);
    Ok(Some((chain, key)))
}

/// Accepts every certificate, for `verify: false`.
#[derive(Debug)]
struct Anyone(Arc<CryptoProvider>);

impl ServerCertVerifier for Anyone {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}

impl Tls {
    /// The same, but every session proves anew who is who: for a check, that the
    /// other side's certificate is still good is part of what is asked.
    #[must_use]
    pub fn without_resumption(mut self) -> Self {
        let mut config = (*self.config).clone();
        config.resumption = Resumption::disabled();
        self.config = Arc::new(config);
        self
    }

    /// A new session with the agent at `host`, whose certificate must be for that
    /// host, or for the configured name.
    pub(crate) fn session(&self, host: &str) -> Result<ClientConnection, rustls::Error> {
        let name = match &self.server_name {
            Some(name) => name.clone(),
            None => expected_name(host)?,
        };
        ClientConnection::new(Arc::clone(&self.config), name)
    }
}

fn expected_name(host: &str) -> Result<ServerName<'static>, rustls::Error> {
    let bare = host.trim_matches(['[', ']']);
    if let Ok(ip) = bare.parse::<IpAddr>() {
        return Ok(ServerName::from(ip));
    }
    ServerName::try_from(bare.to_owned())
        .map_err(|_| rustls::Error::General(format!("{bare:?} is no host name")))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn blind(server_name: &str) -> Tls {
        let spec = TlsSpec {
            ca_file: None,
            ca_path: None,
            client_cert: None,
            client_key: None,
            server_name: Some(server_name.to_owned()),
            verify: false,
        };
        load(&spec, |path| std::fs::read(path)).unwrap()
    }

    #[test]
    fn what_is_the_same_is_kept_once() {
        let mut all = [blind("a"), blind("b"), blind("a")];
        share(all.iter_mut());
        let [one, other, again] = all;
        assert!(Arc::ptr_eq(&one.config, &again.config));
        assert!(!Arc::ptr_eq(&one.config, &other.config));
        assert_ne!(one, other);
    }
}
