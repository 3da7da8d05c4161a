//! Certificates in files: loaded when the configuration is, or errors of it.

use std::fs;

use super::*;

/// A self-signed certificate.
const CERTIFICATE: &str = "\
-----BEGIN CERTIFICATE-----
MIIBbzCCARWgAwIBAgIUDB9q71z5ig+CUcuhLtusfMzZ6ZMwCgYIKoZIzj0EAwIw
DDEKMAgGA1UEAwwBdDAgFw0yNjExMjIxODU3NDlaGA8yMTI2MTAyOTE4NTc0OVow
DDEKMAgGA1UEAwwBdDBZMBMGByqGSM49AgEGCCqGSM49AwEHA0IABK6fw/7QqqgJ
z1YPgmFOTIJuIu9r87wazpZmlPkh3E/D8rl/jGid+CQIf038dWMAC7K9jmJz+PAH
paXwdPLnPOSjUzBRMB0GA1UdDgQWBBSnoel/DrTluOv1SgC3AgMiMbDVuzAfBgNV
HSMEGDAWgBSnoel/DrTluOv1SgC3AgMiMbDVuzAPBgNVHRMBAf8EBTADAQH/MAoG
CCqGSM49BAMCA0gAMEUCIHU3g0thXIs+rwjqe9IP5YfXccrDZ8Q4cuf6JF9TuF70
AiEA8okTTTAO7zGIhe1mA2o4cMtq2tTC0hl1xWoYgIELKkU=
-----END CERTIFICATE-----
";

/// Its key.
const KEY: &str = "\
-----BEGIN PRIVATE KEY-----
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgqVM4W3FURZ7mGpNC
MwgpOupzNl7iiWwAHdp2qk6Lga6hRANCAASun8P+0KqoCc9WD4JhTkyCbiLva/O8
Gs6WZpT5IdxPw/K5f4xonfgkCH9N/HVjAAuyvY5ic/jwB6Wl8HTy5zzk
-----END PRIVATE KEY-----
";

/// The key of another certificate.
const OTHER_KEY: &str = "\
-----BEGIN PRIVATE KEY-----
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQg7MeHyphjlgvRPZGc
BwQBk7Ibl3hvfNWsMDZ7OthULe2hRANCAASRnBulx4KCnVVoDmf1vknv/f1oyunK
QDPmiNNW7xyQKiFgBjX8HL6GnEMbAaTy0pQFG97jAvDPSMRCxSg81bdG
-----END PRIVATE KEY-----
";

/// A directory of files that is removed when the test ends.
struct Certificates(PathBuf);

impl Certificates {
    fn new(name: &str) -> Self {
        let name = format!("containerpilot-{}-{name}", std::process::id());
        let directory = std::env::temp_dir().join(name);
        fs::create_dir_all(directory.join("trusted")).unwrap();
        fs::create_dir(directory.join("empty")).unwrap();
        let certificates = Self(directory);
        certificates.write("cert.pem", CERTIFICATE);
        certificates.write("key.pem", KEY);
        certificates.write("other.pem", OTHER_KEY);
        certificates.write("text.pem", "nothing of the kind");
        certificates.write("trusted/a.pem", CERTIFICATE);
        let endless = fs::File::create(certificates.0.join("endless")).unwrap();
        endless.set_len(1 << 30).unwrap();
        certificates
    }

    fn write(&self, name: &str, content: &str) {
        fs::write(self.0.join(name), content).unwrap();
    }

    /// `template` with `@` for the directory.
    fn text(&self, template: &str) -> String {
        template.replace('@', self.0.to_str().unwrap())
    }
}

impl Drop for Certificates {
    fn drop(&mut self) {
        fs::remove_dir_all(&self.0).unwrap();
    }
}

#[test]
fn what_is_in_the_files_is_part_of_the_configuration() {
    let files = Certificates::new("good");
    let text = files.text(
        "{scheme: 'https', tls: {cafile: '@/cert.pem', capath: '@/trusted', \
         clientcert: '@/cert.pem', clientkey: '@/key.pem'}}",
    );
    let load = || {
        let (spec, findings) = loaded(&text, &[]);
        assert!(findings.finish("").unwrap().is_empty());
        spec.unwrap()
    };
    let before = load();
    assert_eq!(load(), before);
    files.write("trusted/b.pem", CERTIFICATE);
    assert_ne!(load(), before, "another file was trusted meanwhile");
}

#[test]
fn bad_files_are_errors() {
    let files = Certificates::new("bad");
    let pair = "cafile: '@/cert.pem', clientcert: '@/cert.pem', clientkey:";
    for (tls, error) in [
        (
            "cafile: '/no/such/file'",
            "consul.tls.cafile: cannot read \"/no/such/file\": there is no such file",
        ),
        (
            "cafile: '@/trusted'",
            "consul.tls.cafile: cannot read \"@/trusted\": it is a directory",
        ),
        (
            "cafile: '@/endless'",
            "consul.tls.cafile: cannot read \"@/endless\": it is larger than 16 MiB",
        ),
        (
            &format!("{pair} '@/endless'"),
            "consul.tls.clientkey: cannot read \"@/endless\": it is larger than 16 MiB",
        ),
        (
            "cafile: '@/text.pem'",
            "consul.tls.cafile: \"@/text.pem\" holds no certificate in PEM",
        ),
        (
            &format!("{pair} '@/cert.pem'"),
            "consul.tls.clientkey: \"@/cert.pem\" holds no private key (PKCS #8, PKCS #1 or SEC 1, \
             not encrypted) in PEM",
        ),
        (
            &format!("{pair} '@/other.pem'"),
            "consul.tls.clientkey: does not fit the certificate of \"clientcert\": keys may not be \
             consistent: KeyMismatch",
        ),
        (
            "cafile: '@/cert.pem', clientkey: '@/key.pem'",
            "consul.tls.clientcert: needed, because there is a \"clientkey\"",
        ),
        (
            "capath: '/no/such/directory'",
            "consul.tls.capath: cannot read the directory \"/no/such/directory\": there is no such file",
        ),
        (
            "capath: '@/empty'",
            "consul.tls.capath: no file in \"@/empty\" holds a certificate in PEM",
        ),
    ] {
        let text = files.text(&format!("{{scheme: 'https', tls: {{{tls}}}}}"));
        let (_, findings) = loaded(&text, &[]);
        let errors = findings.finish("").unwrap_err().to_string();
        assert_eq!(errors, files.text(error), "{tls}");
    }
}
