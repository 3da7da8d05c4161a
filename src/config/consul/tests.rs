//! Agents as files and environments have them.

#![allow(clippy::unwrap_used)]

use super::*;

/// The settings of a text, with the findings about it; no file is read.
fn consul(text: &str, variables: &[(&str, &str)]) -> (Option<Settings>, Findings) {
    decoded(text, |raw, at, findings| {
        raw.into_settings(&variables.iter().copied().collect(), at, findings)
    })
}

/// The agent of a text, with the findings about it; certificates are loaded.
fn loaded(text: &str, variables: &[(&str, &str)]) -> (Option<ConsulSpec>, Findings) {
    decoded(text, |raw, at, findings| {
        raw.into_spec(&variables.iter().copied().collect(), at, findings)
    })
}

fn decoded<T>(
    text: &str,
    into: impl FnOnce(RawConsul, &Path<'_>, &mut Findings) -> Option<T>,
) -> (Option<T>, Findings) {
    let mut findings = Findings::default();
    let at = Path::Root.key("consul");
    let raw = RawConsul::decode(json5::from_str(text).unwrap(), &at, &mut findings);
    let result = raw.and_then(|raw| into(raw, &at, &mut findings));
    (result, findings)
}

fn errors(text: &str, variables: &[(&str, &str)]) -> String {
    consul(text, variables)
        .1
        .finish("")
        .unwrap_err()
        .to_string()
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
        assert!(findings.finish("").unwrap().is_empty(), "{text}");
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
        let warnings = findings.finish("").unwrap();
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
            "'http://me:hunter2@consul:8500'",
            "consul: an address with a user is not taken; write [scheme://]host:port, and \"token\" to authenticate"
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
        let (spec, _) = loaded(text, &[("CONSUL_HTTP_TOKEN", variable)]);
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
fn a_token_that_no_header_can_carry_is_an_error_and_not_shown() {
    for token in ["a\nb", "a\u{7f}b", "aüb"] {
        assert_eq!(
            errors("'c:1'", &[("CONSUL_HTTP_TOKEN", token)]),
            "consul.token: has characters that no HTTP header can carry"
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
        let warnings = findings.finish("").unwrap();
        assert_eq!(warnings.is_empty(), verify, "{tls} {variable}");
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
        findings.finish("").unwrap().first().unwrap().to_string(),
        "consul.tls: has no effect without the scheme \"https\""
    );
    let (_, findings) = consul("'c:1'", &[("CONSUL_CACERT", "/no/such/file")]);
    assert!(findings.finish("").unwrap().is_empty());
}

#[test]
fn certificate_files_come_from_the_file_or_the_environment() {
    let text = "{scheme: 'https', tls: {cafile: 'ca', clientcert: 'cert', clientkey: 'key', servername: 'a'}}";
    let (settings, findings) = consul(text, &[]);
    assert!(findings.finish("").unwrap().is_empty());
    let tls = settings.unwrap().tls.unwrap();
    assert_eq!(tls.ca_file, Some("ca".into()));
    assert_eq!(tls.client_key, Some("key".into()));
    assert_eq!((tls.ca_path, tls.server_name.as_deref()), (None, Some("a")));

    let variables = [
        ("CONSUL_CACERT", "env/ca"),
        ("CONSUL_CAPATH", "env/trusted"),
        ("CONSUL_CLIENT_CERT", "env/cert"),
        ("CONSUL_CLIENT_KEY", "env/key"),
        ("CONSUL_TLS_SERVER_NAME", "b"),
    ];
    for text in ["'https://c:1'", text] {
        let (settings, findings) = consul(text, &variables);
        assert!(findings.finish("").unwrap().is_empty());
        let tls = settings.unwrap().tls.unwrap();
        assert_eq!(tls.ca_file, Some("env/ca".into()));
        assert_eq!(tls.ca_path, Some("env/trusted".into()));
        assert_eq!(tls.client_cert, Some("env/cert".into()));
        assert_eq!(tls.client_key, Some("env/key".into()));
        assert_eq!(tls.server_name.as_deref(), Some("b"));
    }
}

#[cfg(not(feature = "tls"))]
#[test]
fn https_needs_a_build_with_tls() {
    let (_, findings) = loaded("'https://c:1'", &[]);
    let error = findings.finish("").unwrap_err().to_string();
    assert!(
        error.starts_with("consul.tls: this build has no TLS"),
        "{error}"
    );
}

#[cfg(feature = "tls")]
mod files;
