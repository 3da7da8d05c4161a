//! Reads the configuration file, and what a configuration takes from others.
//!
//! The only place that opens it. Errors name the path and the cause.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use super::findings::Errors;

/// A file of more bytes is taken for a mistake (a device, a log), not for a
/// configuration.
pub(crate) const LONGEST: u64 = 16 << 20;

/// The text of the file.
///
/// # Errors
/// Why it can't be read: missing, a directory, not allowed, not UTF-8, empty, or
/// too large.
pub(crate) fn read(path: &Path) -> Result<String, Errors> {
    let refuse = |why: &str| Errors::file(format!("cannot read {path:?}: {why}"));
    let bytes = read_bytes(path).map_err(|error| refuse(&cause(&error)))?;
    if bytes.len() as u64 > LONGEST {
        return Err(refuse(&format!("it is larger than {} MiB", LONGEST >> 20)));
    }
    let text = String::from_utf8(bytes).map_err(|error| {
        let offset = error.utf8_error().valid_up_to();
        refuse(&format!("it is not UTF-8 (at byte {offset})"))
    })?;
    if text.trim().is_empty() {
        return Err(refuse("it is empty"));
    }
    Ok(text)
}

/// The bytes of the file, or one more than allowed of them.
pub(crate) fn read_bytes(path: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    File::open(path)?
        .take(LONGEST + 1)
        .read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// Why a file can't be read.
pub(crate) fn cause(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::NotFound => "there is no such file".to_owned(),
        io::ErrorKind::IsADirectory => "it is a directory".to_owned(),
        io::ErrorKind::PermissionDenied => "permission denied".to_owned(),
        _ => error.to_string(),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::path::PathBuf;

    use super::*;

    /// A file that is removed when the test ends.
    struct Sample(PathBuf);

    impl Sample {
        fn new(name: &str, bytes: &[u8]) -> Self {
            let name = format!("containerpilot-{}-{name}", std::process::id());
            let path = std::env::temp_dir().join(name);
            std::fs::write(&path, bytes).unwrap();
            Self(path)
        }
    }

    impl Drop for Sample {
        fn drop(&mut self) {
            std::fs::remove_file(&self.0).unwrap();
        }
    }

    fn error(path: &Path) -> String {
        let text = read(path).unwrap_err().to_string();
        let begin = format!("cannot read {path:?}: ");
        text.strip_prefix(&begin).unwrap_or(&text).to_owned()
    }

    #[test]
    fn the_text_of_a_file_is_read_as_it_is() {
        let sample = Sample::new("text", "{jobs: [] /* ä */}\r\n".as_bytes());
        assert_eq!(read(&sample.0).unwrap(), "{jobs: [] /* ä */}\r\n");
    }

    #[test]
    fn errors_name_the_path_and_the_cause() {
        assert_eq!(error(Path::new("/no/such/file")), "there is no such file");
        assert_eq!(error(Path::new("/")), "it is a directory");
        let empty = Sample::new("empty", b" \n\t");
        assert_eq!(error(&empty.0), "it is empty");
        let binary = Sample::new("binary", b"{a: \"\xff\"}");
        assert_eq!(error(&binary.0), "it is not UTF-8 (at byte 5)");
    }

    #[test]
    fn a_file_without_end_is_refused() {
        assert_eq!(error(Path::new("/dev/zero")), "it is larger than 16 MiB");
    }
}
