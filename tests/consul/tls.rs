//! HTTPS to the real Consul: who is trusted, who is not, and bad files.

use std::net::TcpListener;
use std::path::PathBuf;
use std::sync::Arc;

use containerpilot::config::ConsulSpec;
use containerpilot::tls::{self, Problem, Tls, TlsSpec};

use crate::log;
use crate::support::certificates::{EC, authority, issue, openssl};
use crate::support::consul::{Agent, Start, nobody};
use crate::support::{SOON, Temporary};
use crate::world::{World, instance, plain, service};

fn load(spec: &TlsSpec) -> Result<Tls, Vec<Problem>> {
    tls::load(spec, |path| std::fs::read(path))
}

/// What the configuration says if it says nothing.
fn nothing() -> TlsSpec {
    TlsSpec {
        ca_file: None,
        ca_path: None,
        client_cert: None,
        client_key: None,
        server_name: None,
        verify: true,
    }
}

/// Two authorities, `good` and `bad`; the agent's certificate is by `good` for
/// `names`, ours by each of them.
fn certificates(names: &str, key: &str) -> Temporary {
    let folder = Temporary::new();
    let path = folder.path();
    authority(path, "good");
    authority(path, "bad");
    issue(path, "good", "agent", names, key);
    issue(path, "good", "client", "DNS:client", EC);
    issue(path, "bad", "stranger", "DNS:client", EC);
    std::fs::create_dir(folder.join("folder")).unwrap();
    std::fs::copy(folder.join("good.pem"), folder.join("folder/good.pem")).unwrap();
    std::fs::write(folder.join("folder/README"), "no certificate").unwrap();
    folder
}

/// An agent that speaks HTTPS too, on port 8501.
fn https_agent(folder: &Temporary, incoming: bool) -> Option<Agent> {
    let file = |name: &str| folder.join(name);
    let settings = format!(
        r#"{{"ports":{{"https":8501}},"ca_file":{:?},"cert_file":{:?},"key_file":{:?},"verify_incoming_https":{incoming}}}"#,
        file("good.pem"),
        file("agent.pem"),
        file("agent.key"),
    );
    Start::dev().settings(&settings).ready()
}

fn world(agent: &Agent, tls: &TlsSpec) -> World {
    let spec = ConsulSpec {
        tls: Some(load(tls).unwrap()),
        ..plain(&format!("{}:8501", agent.address()))
    };
    World::with(&spec)
}

#[track_caller]
fn assert_works(agent: &Agent, name: &str, tls: &TlsSpec) {
    let mut world = world(agent, tls);
    world.watch(name);
    assert_eq!(world.facts.instances(), []);
    world.beat(&Arc::new(service(name)));
    assert_eq!(
        world.facts.instances(),
        [instance(&format!("{name}-host"), 80)]
    );
    world.end();
}

#[track_caller]
fn assert_refused(agent: &Agent, tls: &TlsSpec, reason: &str) {
    let world = world(agent, tls);
    world.beat(&Arc::new(service("never")));
    let why = world.facts.reachable().unwrap_err();
    assert!(why.contains(reason), "{why}");
    world.end();
    agent.wait_for_status("never", None);
}

#[test]
fn an_agent_is_trusted_by_file_by_directory_or_blindly_and_not_otherwise() {
    let address = "IP:127.0.0.1";
    for key in [EC, "rsa:2048"] {
        let folder = certificates(address, key);
        let file = |name: &str| Some(folder.join(name));
        let (good, bad, dir) = (file("good.pem"), file("bad.pem"), file("folder"));
        let Some(agent) = https_agent(&folder, false) else {
            return;
        };
        // The certificate is for 127.0.0.1, the agent is elsewhere.
        let named = TlsSpec {
            server_name: Some("127.0.0.1".to_owned()),
            ..nothing()
        };
        let trusting = |ca_file: &Option<PathBuf>, ca_path: &Option<PathBuf>| TlsSpec {
            ca_file: ca_file.clone(),
            ca_path: ca_path.clone(),
            ..named.clone()
        };
        assert_works(&agent, "by-file", &trusting(&good, &None));
        assert_works(&agent, "by-path", &trusting(&None, &dir));
        assert_works(&agent, "by-both", &trusting(&bad, &dir));
        assert_refused(
            &agent,
            &trusting(&bad, &None),
            "UnknownIssuer; see consul.tls",
        );
        assert_refused(&agent, &named, "UnknownIssuer");
        let nameless = TlsSpec {
            server_name: None,
            ..trusting(&good, &None)
        };
        assert_refused(&agent, &nameless, "not valid for name");
        let blind = TlsSpec {
            verify: false,
            ..nothing()
        };
        assert_works(&agent, "blind", &blind);
    }
}

#[test]
fn an_agent_that_wants_a_client_certificate_gets_it() {
    let folder = certificates("DNS:server.dc1.consul", EC);
    let file = |name: &str| Some(folder.join(name));
    let base = TlsSpec {
        ca_file: file("good.pem"),
        server_name: Some("server.dc1.consul".to_owned()),
        ..nothing()
    };
    let with = |name: &str| TlsSpec {
        client_cert: file(&format!("{name}.pem")),
        client_key: file(&format!("{name}.key")),
        ..base.clone()
    };
    let (client, stranger) = (with("client"), with("stranger"));
    let Some(agent) = https_agent(&folder, true) else {
        return;
    };
    assert_works(&agent, "client", &client);
    assert_refused(&agent, &base, "alert: BadCertificate; see consul.tls");
    assert_refused(&agent, &stranger, "alert: BadCertificate; see consul.tls");
}

#[test]
fn http_to_an_https_port_is_explained_by_consul() {
    let folder = certificates("DNS:consul", EC);
    let Some(agent) = https_agent(&folder, false) else {
        return;
    };
    let world = World::at(&format!("{}:8501", agent.address()));
    world.beat(&Arc::new(service("plain")));
    let lines = log::wait_for("\"plain-host\"", 1);
    let expected = "400 Client sent an HTTP request to an HTTPS server.";
    assert!(lines[0].contains(expected), "{lines:#?}");
}

#[test]
fn a_handshake_that_hangs_is_given_up_and_interrupted() {
    // Connections are made by the kernel; nobody ever accepts one.
    let listener = TcpListener::bind(nobody()).unwrap();
    let blind = TlsSpec {
        verify: false,
        ..nothing()
    };
    let spec = ConsulSpec {
        tls: Some(load(&blind).unwrap()),
        ..plain(&listener.local_addr().unwrap().to_string())
    };
    let world = World::with(&spec);
    world.beat(&Arc::new(service("hanging")));
    let why = world.facts.reachable().unwrap_err();
    assert!(why.contains("no connection within 2s"), "{why}");
    // The next handshake is under way or about to be.
    world.beat(&Arc::new(service("hanging")));
    assert!(world.end() < SOON);
}

#[test]
fn bad_files_are_named_with_the_key_that_names_them() {
    let folder = certificates("DNS:consul", EC);
    folder.write("empty", "");
    let torn = "-----BEGIN CERTIFICATE-----\nAAAA\n";
    folder.write("torn.pem", torn);
    let junk = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    folder.write("junk.pem", junk);
    // As one becomes that goes through a variable of the environment.
    let line = "-----BEGIN PRIVATE KEY-----IIII-----END PRIVATE KEY-----";
    folder.write("line.key", line);
    folder.write("lines.key", &format!("{line}\nIIII\n"));
    folder.write("begin.key", "-----BEGIN PRIVATE KEY----IIII\n");
    std::fs::create_dir(folder.join("void")).unwrap();
    openssl(
        folder.path(),
        "pkcs8 -topk8 -in client.key -out locked.key -passout pass:x",
    );
    let file = |name: &str| Some(folder.join(name));
    let ca_file = |name: &str| TlsSpec {
        ca_file: file(name),
        ..nothing()
    };
    let ca_path = |name: &str| TlsSpec {
        ca_path: file(name),
        ..nothing()
    };
    let client = |certificate: Option<&str>, key: Option<&str>| TlsSpec {
        client_cert: certificate.map(|name| folder.join(name)),
        client_key: key.map(|name| folder.join(name)),
        ..ca_file("good.pem")
    };
    let named = |name: &str| TlsSpec {
        server_name: Some(name.to_owned()),
        ..ca_file("good.pem")
    };
    for (spec, key, message) in [
        (ca_file("nowhere"), "cafile", "cannot read"),
        (ca_file("empty"), "cafile", "holds no certificate in PEM"),
        (ca_file("torn.pem"), "cafile", "malformed PEM"),
        (ca_file("junk.pem"), "cafile", "is malformed"),
        (ca_file("good.key"), "cafile", "holds no certificate in PEM"),
        (ca_path("nowhere"), "capath", "cannot read the directory"),
        (ca_path("void"), "capath", "no file in"),
        (ca_path("good.pem"), "capath", "cannot read the directory"),
        (client(Some("client.pem"), None), "clientkey", "needed"),
        (client(None, Some("client.key")), "clientcert", "needed"),
        (
            client(Some("client.pem"), Some("agent.key")),
            "clientkey",
            "does not fit",
        ),
        (
            client(Some("client.pem"), Some("locked.key")),
            "clientkey",
            "not encrypted",
        ),
        (
            client(Some("client.pem"), Some("client.pem")),
            "clientkey",
            "holds no private key",
        ),
        (
            client(Some("client.key"), Some("client.key")),
            "clientcert",
            "holds no certificate",
        ),
        (
            client(Some("client.pem"), Some("line.key")),
            "clientkey",
            "were the line breaks lost?",
        ),
        (
            client(Some("client.pem"), Some("lines.key")),
            "clientkey",
            "were the line breaks lost?",
        ),
        (
            client(Some("client.pem"), Some("begin.key")),
            "clientkey",
            "were the line breaks lost?",
        ),
        (named("no name"), "servername", "is no host name"),
    ] {
        match load(&spec) {
            Ok(_) => panic!("{spec:?} must be refused"),
            Err(problems) => match &problems[..] {
                [problem] => {
                    assert_eq!(problem.key, key, "{problem:?}");
                    assert!(problem.message.contains(message), "{problem:?}");
                    // Nothing of what the file holds, in no form.
                    let shown = format!("{problem:?}");
                    assert!(!shown.contains("II") && !shown.contains("73"), "{shown}");
                }
                problems => panic!("one problem expected: {problems:#?}"),
            },
        }
    }
    let all = TlsSpec {
        client_cert: file("nowhere"),
        client_key: file("client.key"),
        server_name: Some(String::new()),
        ..ca_file("empty")
    };
    let keys: Vec<_> = load(&all)
        .unwrap_err()
        .into_iter()
        .map(|Problem { key, .. }| key)
        .collect();
    assert_eq!(keys, ["cafile", "clientcert", "servername"]);
}

#[test]
fn a_renewed_certificate_of_the_same_path_is_a_different_configuration() {
    let folder = certificates("DNS:consul", EC);
    let spec = TlsSpec {
        ca_file: Some(folder.join("good.pem")),
        client_cert: Some(folder.join("client.pem")),
        client_key: Some(folder.join("client.key")),
        ..nothing()
    };
    let before = load(&spec).unwrap();
    assert_eq!(load(&spec).unwrap(), before);
    issue(folder.path(), "good", "client", "DNS:client", EC);
    let after = load(&spec).unwrap();
    assert_ne!(after, before);
    let blind = TlsSpec {
        verify: false,
        ..spec
    };
    assert_ne!(load(&blind).unwrap(), after);
    assert!(!format!("{after:?}").contains("BEGIN"), "no key is shown");
}
