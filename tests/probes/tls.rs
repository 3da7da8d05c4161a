//! HTTPS: whom a check trusts, and what it says of the others.

use std::io::{self, BufReader, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::path::Path;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use crossbeam_channel::{Receiver, unbounded};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{HandshakeKind, RootCertStore, ServerConfig, ServerConnection, StreamOwned};

use crate::support::certificates::{EC, authority, issue};
use crate::support::{PATIENCE, Temporary};
use crate::web::{Peer, Web, answer, read_head};
use crate::{checking, expect, passed};

type Stream = StreamOwned<ServerConnection, TcpStream>;

impl Peer for Stream {
    fn wait_at_most(&self, time: Duration) {
        self.sock.set_read_timeout(Some(time)).unwrap();
    }

    fn close(&self, _: bool) {
        let _gone = self.sock.shutdown(Shutdown::Write);
    }
}

/// As [`Web`], in TLS, on 127.0.0.1; tells how each handshake went.
struct Secure {
    port: u16,
    handshakes: Receiver<HandshakeKind>,
}

impl Secure {
    fn start(config: ServerConfig) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let (tell, handshakes) = unbounded();
        let config = Arc::new(config);
        thread::spawn(move || {
            for stream in listener.incoming() {
                let session = ServerConnection::new(Arc::clone(&config)).unwrap();
                let mut stream = StreamOwned::new(session, stream.unwrap());
                let tell = tell.clone();
                thread::spawn(move || {
                    if shake_hands(&mut stream).is_err() {
                        return;
                    }
                    // The test may be over.
                    let _gone = tell.send(stream.conn.handshake_kind().unwrap());
                    let mut reader = BufReader::new(stream);
                    if let Some(head) = read_head(&mut reader) {
                        answer(&head, reader.into_inner());
                    }
                });
            }
        });
        Self { port, handshakes }
    }

    fn check(&self, tls: &str) -> String {
        format!(
            "http: {{ url: 'https://127.0.0.1:{}/ok', contains: 'ready', tls: {{ {tls} }} }}",
            self.port
        )
    }
}

/// Says why, before it hangs up, if it refuses.
fn shake_hands(stream: &mut Stream) -> io::Result<()> {
    while stream.conn.is_handshaking() {
        if let Err(error) = stream.conn.complete_io(&mut stream.sock) {
            let _gone = stream.conn.write_tls(&mut stream.sock);
            let _gone = stream.sock.shutdown(Shutdown::Write);
            let _ignored = io::copy(&mut stream.sock, &mut io::sink());
            return Err(error);
        }
    }
    stream.flush()
}

/// The certificate `NAME.pem` in a folder with its key, and whose clients are
/// taken: everybody, or those of an authority.
fn config(folder: &Path, name: &str, clients: Option<&str>) -> ServerConfig {
    let pem = |name: &str| folder.join(format!("{name}.pem"));
    let chain = CertificateDer::pem_file_iter(pem(name)).unwrap();
    let chain = chain.map(Result::unwrap).collect();
    let key = PrivateKeyDer::from_pem_file(folder.join(format!("{name}.key"))).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ServerConfig::builder_with_provider(Arc::clone(&provider));
    let builder = builder.with_safe_default_protocol_versions().unwrap();
    let builder = match clients {
        None => builder.with_no_client_auth(),
        Some(name) => {
            let mut roots = RootCertStore::empty();
            let root = CertificateDer::from_pem_file(pem(name)).unwrap();
            roots.add(root).unwrap();
            let verifier =
                WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider).build();
            builder.with_client_cert_verifier(verifier.unwrap())
        }
    };
    builder.with_single_cert(chain, key).unwrap()
}

/// Authorities `good` and `bad`, certificates of servers `app` and `other`, and
/// one of a client.
fn certificates() -> Temporary {
    let folder = Temporary::new();
    authority(folder.path(), "good");
    authority(folder.path(), "bad");
    issue(
        folder.path(),
        "good",
        "app",
        "IP:127.0.0.1,DNS:localhost",
        EC,
    );
    issue(folder.path(), "good", "other", "DNS:other.test", EC);
    issue(folder.path(), "good", "client", "DNS:client", EC);
    folder
}

#[test]
fn a_server_is_trusted_if_its_certificate_is_for_it_and_by_somebody_who_is() {
    let folder = certificates();
    let path = |name: &str| folder.join(name).display().to_string();
    let app = Secure::start(config(folder.path(), "app", None));
    let other = Secure::start(config(folder.path(), "other", None));
    let (good, bad) = (path("good.pem"), path("bad.pem"));
    let (good, bad) = (format!("cafile: '{good}'"), format!("cafile: '{bad}'"));
    let unknown = "invalid peer certificate: UnknownIssuer; see health.http.tls";
    let cases = [
        ("good", app.check(&good), passed(200)),
        ("bad", app.check(&bad), unknown.to_owned()),
        ("blind", app.check("verify: false"), passed(200)),
        (
            "misnamed",
            other.check(&good),
            "not valid for name".to_owned(),
        ),
        (
            "named",
            other.check(&format!("{good}, servername: 'other.test'")),
            passed(200),
        ),
        ("both", other.check("verify: false"), passed(200)),
    ];
    let checks = cases
        .each_ref()
        .map(|(name, check, _)| (*name, check.as_str()));
    let mut supervisor = checking(&checks);
    let said = cases
        .each_ref()
        .map(|(name, _, said)| (*name, said.as_str()));
    expect(&supervisor, &said);
    assert_eq!(supervisor.terminate(), 0);
}

#[test]
fn a_server_that_wants_a_certificate_gets_it() {
    let folder = certificates();
    let path = |name: &str| folder.join(name).display().to_string();
    let app = Secure::start(config(folder.path(), "app", Some("good")));
    let good = format!("cafile: '{}'", path("good.pem"));
    let (pem, key) = (path("client.pem"), path("client.key"));
    let client = format!("{good}, clientcert: '{pem}', clientkey: '{key}'");
    let cases = [("client", app.check(&client)), ("nobody", app.check(&good))];
    let checks = cases
        .each_ref()
        .map(|(name, check)| (*name, check.as_str()));
    let supervisor = checking(&checks);
    expect(
        &supervisor,
        &[
            ("client", &passed(200)),
            ("nobody", "received fatal alert: CertificateRequired"),
        ],
    );
}

#[test]
fn every_check_looks_at_the_certificate_anew() {
    let folder = certificates();
    let app = Secure::start(config(folder.path(), "app", None));
    let good = format!("cafile: '{}'", folder.join("good.pem").display());
    let _supervisor = checking(&[("app", &app.check(&good))]);
    for _ in 0..4 {
        let kind = app.handshakes.recv_timeout(PATIENCE).unwrap();
        assert_ne!(kind, HandshakeKind::Resumed);
    }
}

#[test]
fn redirects_lead_into_tls_if_there_are_certificates() {
    let folder = certificates();
    let app = Secure::start(config(folder.path(), "app", None));
    let web = Web::local();
    let url = web.url(&format!("/redirect?https://localhost:{}/ok", app.port));
    let good = folder.join("good.pem").display().to_string();
    let check =
        format!("http: {{ url: {url:?}, redirects: 1, status: 200, tls: {{ cafile: '{good}' }} }}");
    let supervisor = checking(&[("app", &check)]);
    expect(&supervisor, &[("app", &passed(200))]);
}

#[test]
fn tls_where_there_is_none_and_none_where_there_is_are_explained() {
    let folder = certificates();
    let app = Secure::start(config(folder.path(), "app", None));
    let deaf = TcpListener::bind("127.0.0.1:0").unwrap();
    let blind = |port: u16| {
        format!("http: {{ url: 'https://127.0.0.1:{port}/ok', tls: {{ verify: false }} }}")
    };
    let port = deaf.local_addr().unwrap().port();
    let cases = [
        (
            "garbage",
            format!("http: {:?}", format!("http://127.0.0.1:{}/ok", app.port)),
        ),
        ("hung", blind(port) + ", timeout: '300ms'"),
        ("plain", blind(not_tls())),
    ];
    let checks = cases
        .each_ref()
        .map(|(name, check)| (*name, check.as_str()));
    let supervisor = checking(&checks);
    expect(
        &supervisor,
        &[
            ("garbage", "the answer is TLS: the scheme is \"https\""),
            ("hung", " within 300ms"),
            ("plain", "does it speak TLS?"),
        ],
    );
}

/// The port of a server that answers anything in plain HTTP.
fn not_tls() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let _some = stream.read(&mut [0; 4096]);
            let _gone = stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n");
            let _gone = stream.shutdown(Shutdown::Write);
            let _ignored = io::copy(&mut stream, &mut io::sink());
        }
    });
    port
}
