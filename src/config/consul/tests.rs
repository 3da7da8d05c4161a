//! Agents as files and environments have them.

#![allow(clippy::unwrap_used)]

use super::*;

/// The agent of a text, with the findings about it.
fn consul(text: &str, variables: &[(&str, &str)]) -> (Option<ConsulSpec>, Findings) {
    let mut findings = Findings::default();
    let at = Path::Root.key("consul");
    let raw = RawConsul::decode(json5::from_str(text).unwrap(), &at, &mut findings);
    let environment = variables.iter().copied().collect();
    let spec = raw.and_then(|raw| raw.into_spec(&environment, &at, &mut findings));
    (spec, findings)
}

fn errors(text: &str, variables: &[(&str, &str)]) -> String {
    consul(text, variables).1.finish().unwrap_err().to_string()
}

#[test]
fn an_address_is_a_host_and_a_port_with_a_scheme_before_it() {
    for (text, address, tls) in [
        ("'consul:8500'", "consul:8500", false),
        ("'http://consul:8500'", "consul:8500", false),
        ("'https://consul:8501'", "consul:8501", true),
        (
            "'https://consul.example.com'",
            "consul.example.com:443",
            true,
        ),
        ("'consul:8500/'", "consul:8500", false),
        ("'10.0.0.1:1'", "10.0.0.1:1", false),
        ("'[::1]:8500'", "[::1]:8500", false),
        ("{address: 'consul:8500'}", "consul:8500", false),
        (
            "{address: 'consul:8500', scheme: 'HTTPS'}",
            "consul:8500",
            true,
        ),
        (
            "{address: 'https://consul:8500', scheme: 'https'}",
            "consul:8500",
            true,
        ),
        ("{}", "127.0.0.1:8500", false),
        ("{address: ''}", "127.0.0.1:8500", false),
    ] {
        let (spec, findings) = consul(text, &[]);
        assert!(findings.finish().unwrap().is_empty(), "{text}");
        let spec = spec.unwrap();
        assert_eq!(
            (spec.address.as_str(), spec.tls.is_some()),
            (address, tls),
            "{text}"
        );
    }
}

#[test]
fn what_the_original_took_for_an_address_is_taken_with_a_warning() {
    for (text, address, warning) in [
        (
            "''",
            "127.0.0.1:8500",
            "\"\" names no host; the agent of this host (127.0.0.1) is used",
        ),
        (
            "':8501'",
            "127.0.0.1:8501",
            "\":8501\" names no host; the agent of this host (127.0.0.1) is used",
        ),
        (
            "'consul'",
            "consul:80",
            "\"consul\" has no port, so that of the scheme is used; Consul's own is 8500",
        ),
        (
            "'http://consul:8500:8501'",
            "consul:8500:8501",
            "\"http://consul:8500:8501\" has more than one port, so nothing can be reached there",
        ),
    ] {
        let (spec, findings) = consul(text, &[]);
        let warnings = findings.finish().unwrap();
        assert_eq!(
            warnings.first().unwrap().to_string(),
            format!("consul: {warning}"),
            "{text}"
        );
        assert_eq!(spec.unwrap().address, address, "{text}");
    }
}

#[test]
fn what_is_no_address_is_an_error() {
    let port = "its port must be 1 to 65535";
    for (text, error) in [
        (
            "'ftp://consul:8500'",
            "consul: unknown scheme \"ftp\" (allowed: http, https)".to_owned(),
        ),
        (
            "'consul:'",
            format!("consul: \"consul:\" is no address: {port}"),
        ),
        ("':'", format!("consul: \":\" is no address: {port}")),
        (
            "'consul:0'",
            format!("consul: \"consul:0\" is no address: {port}"),
        ),
        (
            "'consul:65536'",
            format!("consul: \"consul:65536\" is no address: {port}"),
        ),
        (
            "'consul:http'",
            format!("consul: \"consul:http\" is no address: {port}"),
        ),
        (
            "{address: 'consul:http'}",
            format!("consul: \"consul:http\" is no address: {port}"),
        ),
        (
            "'consul:8500/v1'",
            "consul: \"consul:8500/v1\" is no address: '/' is not allowed in [scheme://]host:port"
                .to_owned(),
        ),
        (
            "'con sul:8500'",
            "consul: \"con sul:8500\" is no address: ' ' is not allowed in [scheme://]host:port"
                .to_owned(),
        ),
        (
            "{address: 'https://c:1', scheme: 'http'}",
            "consul.scheme: contradicts the scheme of the address \"https://c:1\"".to_owned(),
        ),
        (
            "{scheme: 'htttp'}",
            "consul.scheme: \"htttp\" is not one of http, https; did you mean \"http\"?".to_owned(),
        ),
        (
            "['consul:8500']",
            "consul: a list is not a string".to_owned(),
        ),
    ] {
        assert_eq!(errors(text, &[]), error, "{text}");
    }
}

#[test]
fn the_environments_token_overrides_the_files() {
    for (text, variable, token) in [
        ("'c:1'", "", None),
        ("'c:1'", "secret", Some("secret")),
        ("{address: 'c:1', token: 'own'}", "", Some("own")),
        ("{address: 'c:1', token: 'own'}", "secret", Some("secret")),
    ] {
        let (spec, _) = consul(text, &[("CONSUL_HTTP_TOKEN", variable)]);
        let spec = spec.unwrap();
        assert_eq!(spec.token.as_deref(), token, "{text}");
        let shown = format!("{spec:?}");
        assert!(
            !shown.contains("secret") && !shown.contains("own"),
            "{shown}"
        );
    }
}

#[test]
fn certificates_are_verified_unless_file_or_environment_say_no() {
    for (tls, variable, verify) in [
        ("{}", "", true),
        ("{verify: false}", "", false),
        ("{verify: 'false'}", "", false),
        ("{}", "0", false),
        ("{}", "false", false),
        ("{verify: false}", "1", true),
        ("{verify: false}", "true", true),
    ] {
        let text = format!("{{address: 'c:1', scheme: 'https', tls: {tls}}}");
        let (spec, findings) = consul(&text, &[("CONSUL_HTTP_SSL_VERIFY", variable)]);
        assert!(findings.finish().is_ok());
        assert_eq!(
            spec.unwrap().tls.unwrap().verify,
            verify,
            "{tls} {variable}"
        );
    }
    assert_eq!(
        errors("'https://c:1'", &[("CONSUL_HTTP_SSL_VERIFY", "yes")]),
        "consul.tls.verify: the variable CONSUL_HTTP_SSL_VERIFY is \"yes\", which is not true or false"
    );
}

#[test]
fn certificates_without_tls_are_a_warning_and_not_looked_at() {
    let (spec, findings) = consul("{address: 'c:1', tls: {cafile: '/no/such/file'}}", &[]);
    assert_eq!(spec.unwrap().tls, None);
    assert_eq!(
        findings.finish().unwrap().first().unwrap().to_string(),
        "consul.tls: has no effect without the scheme \"https\""
    );
    let (_, findings) = consul("'c:1'", &[("CONSUL_CACERT", "/no/such/file")]);
    assert!(findings.finish().unwrap().is_empty());
}

/// A directory of files that is removed when the test ends.
struct Certificates(PathBuf);

impl Certificates {
    fn new(name: &str) -> Self {
        let name = format!("containerpilot-{}-{name}", std::process::id());
        let directory = std::env::temp_dir().join(name);
        fs::create_dir(&directory).unwrap();
        let certificates = Self(directory);
        let pem = |kind| format!("Some text\n-----BEGIN {kind}-----\nAAAA\n-----END {kind}-----\n");
        certificates.write("cert.pem", &pem("CERTIFICATE"));
        certificates.write("key.pem", &pem("EC PRIVATE KEY"));
        certificates.write("text.pem", "nothing of the kind");
        fs::create_dir(certificates.0.join("trusted")).unwrap();
        certificates.write("trusted/a.pem", &pem("CERTIFICATE"));
        fs::create_dir(certificates.0.join("empty")).unwrap();
        certificates
    }

    fn write(&self, name: &str, content: &str) {
        fs::write(self.0.join(name), content).unwrap();
    }

    fn path(&self, name: &str) -> String {
        self.0.join(name).to_str().unwrap().to_owned()
    }
}

impl Drop for Certificates {
    fn drop(&mut self) {
        fs::remove_dir_all(&self.0).unwrap();
    }
}

#[test]
fn certificate_files_come_from_the_file_or_the_environment() {
    let files = Certificates::new("good");
    let text = format!(
        "{{scheme: 'https', tls: {{cafile: '{}', clientcert: '{}', clientkey: '{}', servername: 'a'}}}}",
        files.path("cert.pem"),
        files.path("cert.pem"),
        files.path("key.pem")
    );
    let (spec, findings) = consul(&text, &[]);
    assert!(findings.finish().unwrap().is_empty());
    let tls = spec.unwrap().tls.unwrap();
    assert_eq!(tls.ca_file, Some(files.path("cert.pem").into()));
    assert_eq!(tls.client_key, Some(files.path("key.pem").into()));
    assert_eq!((tls.ca_path, tls.server_name.as_deref()), (None, Some("a")));

    let variables = [
        ("CONSUL_CACERT", &*files.path("trusted/a.pem")),
        ("CONSUL_CAPATH", &*files.path("trusted")),
        ("CONSUL_CLIENT_CERT", &*files.path("cert.pem")),
        ("CONSUL_CLIENT_KEY", &*files.path("key.pem")),
        ("CONSUL_TLS_SERVER_NAME", "b"),
    ];
    for text in ["'https://c:1'", text.as_str()] {
        let (spec, findings) = consul(text, &variables);
        assert!(findings.finish().unwrap().is_empty());
        let tls = spec.unwrap().tls.unwrap();
        assert_eq!(tls.ca_file, Some(files.path("trusted/a.pem").into()));
        assert_eq!(tls.ca_path, Some(files.path("trusted").into()));
        assert_eq!(tls.client_cert, Some(files.path("cert.pem").into()));
        assert_eq!(tls.server_name.as_deref(), Some("b"));
    }
}

#[test]
fn bad_certificate_files_are_errors() {
    let files = Certificates::new("bad");
    for (tls, error) in [
        (
            "cafile: '/no/such/file'".to_owned(),
            "consul.tls.cafile: cannot read \"/no/such/file\": there is no such file".to_owned(),
        ),
        (
            format!("cafile: '{}'", files.path("trusted")),
            format!("consul.tls.cafile: cannot read {:?}: it is a directory", files.path("trusted")),
        ),
        (
            format!("cafile: '{}'", files.path("text.pem")),
            format!(
                "consul.tls.cafile: {:?} is no PEM file of the kind -----BEGIN … CERTIFICATE-----",
                files.path("text.pem")
            ),
        ),
        (
            format!("clientcert: '{0}', clientkey: '{0}'", files.path("cert.pem")),
            format!(
                "consul.tls.clientkey: {:?} is no PEM file of the kind -----BEGIN … PRIVATE KEY-----",
                files.path("cert.pem")
            ),
        ),
        (
            format!("clientkey: '{}'", files.path("key.pem")),
            "consul.tls: \"clientcert\" and \"clientkey\" need each other".to_owned(),
        ),
        (
            "capath: '/no/such/directory'".to_owned(),
            "consul.tls.capath: cannot read the directory \"/no/such/directory\": there is no such file".to_owned(),
        ),
        (
            format!("capath: '{}'", files.path("empty")),
            format!(
                "consul.tls.capath: {:?} has no PEM file of the kind -----BEGIN … CERTIFICATE-----",
                files.path("empty")
            ),
        ),
    ] {
        let text = format!("{{scheme: 'https', tls: {{{tls}}}}}");
        assert_eq!(errors(&text, &[]), error, "{tls}");
    }
}
