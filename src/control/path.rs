//! Names in paths: `/v3/jobs/{name}` and what is asked under it.
//!
//! A job may have any name, also one with a slash in it, so names are
//! percent-encoded (RFC 3986, 2.1). Called through the endpoint table.

/// Where the name stands in the path of an endpoint.
const PLACE: &str = "{name}";

/// The name that stands in `path`, if it is one of `endpoint`: empty if the
/// endpoint has no place for one.
pub(super) fn name_in(endpoint: &str, path: &str) -> Option<String> {
    let Some((before, after)) = endpoint.split_once(PLACE) else {
        return (endpoint == path).then(String::new);
    };
    let name = path.strip_prefix(before)?.strip_suffix(after)?;
    if name.contains('/') {
        return None;
    }
    decode(name).filter(|name| !name.is_empty())
}

/// The path of `endpoint` with this name.
pub(super) fn with_name(endpoint: &str, name: &str) -> String {
    endpoint.replace(PLACE, &encode(name))
}

/// Percent-encodes everything but what RFC 3986 calls unreserved.
pub(super) fn encode(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                encoded.push(char::from(byte));
            }
            _ => encoded.push_str(&format!("%{byte:02X}")),
        }
    }
    encoded
}

/// Undoes percent-encoding; nothing if that leaves no text.
pub(super) fn decode(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        if byte != b'%' {
            bytes.push(byte);
            continue;
        }
        let mut digit = || char::from(rest.next()?).to_digit(16);
        let value = digit()? * 16 + digit()?;
        bytes.push(u8::try_from(value).ok()?);
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_found_where_the_endpoint_has_a_place_for_them() {
        for (endpoint, path, name) in [
            ("/v3/ping", "/v3/ping", Some("")),
            ("/v3/ping", "/v3/pong", None),
            ("/v3/jobs/{name}", "/v3/jobs/app", Some("app")),
            ("/v3/jobs/{name}", "/v3/jobs/%2Fbin%2fapp", Some("/bin/app")),
            ("/v3/jobs/{name}", "/v3/jobs/%C3%BC", Some("ü")),
            ("/v3/jobs/{name}", "/v3/jobs/app/stop", None),
            ("/v3/jobs/{name}", "/v3/jobs/", None),
            ("/v3/jobs/{name}", "/v3/jobs", None),
            ("/v3/jobs/{name}/stop", "/v3/jobs/app/stop", Some("app")),
            ("/v3/jobs/{name}/stop", "/v3/jobs/stop/stop", Some("stop")),
            ("/v3/jobs/{name}/stop", "/v3/jobs/stop", None),
            ("/v3/jobs/{name}", "/v3/jobs/%", None),
            ("/v3/jobs/{name}", "/v3/jobs/%1", None),
            ("/v3/jobs/{name}", "/v3/jobs/%+1", None),
            ("/v3/jobs/{name}", "/v3/jobs/%ff", None),
        ] {
            let expected = name.map(str::to_owned);
            assert_eq!(name_in(endpoint, path), expected, "{endpoint} {path}");
        }
    }

    #[test]
    fn every_name_survives_its_path() {
        for name in [
            "app", "/bin/app", "a b", "%41", "ü", "\n", "a?b#c", "{name}",
        ] {
            let path = with_name("/v3/jobs/{name}/stop", name);
            let found = name_in("/v3/jobs/{name}/stop", &path);
            assert_eq!(found.as_deref(), Some(name), "{path}");
        }
    }
}
