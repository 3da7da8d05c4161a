//! `consul`: how to reach the discovery backend (SPEC §9).

use std::path::PathBuf;

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
