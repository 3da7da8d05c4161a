//! Certificates of the tests' own, made by openssl.

use std::path::Path;

use super::{command, run};

/// Runs openssl in a folder.
#[track_caller]
pub(crate) fn openssl(folder: &Path, words: &str) {
    let mut openssl = command::command("openssl");
    openssl.current_dir(folder).args(words.split_whitespace());
    let outcome = run(&mut openssl);
    assert_eq!(outcome.code, 0, "openssl {words}: {outcome}");
}

/// A certification authority: `NAME.pem` and `NAME.key`.
pub(crate) fn authority(folder: &Path, name: &str) {
    openssl(
        folder,
        &format!(
            "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 \
             -keyout {name}.key -out {name}.pem -subj /CN={name}"
        ),
    );
}

/// A certificate for `names` (e.g. `DNS:consul,IP:127.0.0.1`) by an authority.
pub(crate) fn issue(folder: &Path, by: &str, name: &str, names: &str, key: &str) {
    let request =
        format!("req -newkey {key} -nodes -keyout {name}.key -out {name}.csr -subj /CN={name}");
    openssl(folder, &request);
    std::fs::write(
        folder.join("extensions"),
        format!("subjectAltName={names}\nextendedKeyUsage=serverAuth,clientAuth\n"),
    )
    .unwrap();
    openssl(
        folder,
        &format!(
            "x509 -req -in {name}.csr -CA {by}.pem -CAkey {by}.key -CAcreateserial -days 2 \
             -extfile extensions -out {name}.pem"
        ),
    );
}

/// What most keys are.
pub(crate) const EC: &str = "ec -pkeyopt ec_paramgen_curve:prime256v1";
