//! Reads the configuration file, and what a configuration takes from others.
//!
//! The only place that opens it. Errors name the path and the cause.

use std::fs::{File, OpenOptions};
use std::io::{self, ErrorKind, Read};
use std::os::fd::AsRawFd;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::time::{Duration, Instant};

use super::finding::Errors;

/// A file of more bytes is taken for a mistake (a device, a log), not for a
/// configuration.
const LONGEST: u64 = 16 << 20;

/// How long whoever writes a pipe may take: a reload that waited for a FIFO that
/// nobody ever writes would keep all later ones waiting.
const PIPE_PATIENCE: Duration = Duration::from_secs(5);

/// The text of the file.
///
/// # Errors
/// Why it can't be read: missing, a directory, not allowed, not UTF-8, empty, too
/// large, or a pipe that does not end.
pub(crate) fn read(path: &Path) -> Result<String, Errors> {
    let refuse = |why: &str| Errors::file(format!("cannot read {path:?}: {why}"));
    let bytes = read_bytes(path).map_err(|error| refuse(&cause(&error)))?;
    let text = String::from_utf8(bytes).map_err(|error| {
        let offset = error.utf8_error().valid_up_to();
        refuse(&format!("it is not UTF-8 (at byte {offset})"))
    })?;
    if text.trim().is_empty() {
        return Err(refuse("it is empty"));
    }
    Ok(text)
}

/// The bytes of the file.
///
/// # Errors
/// `FileTooLarge` if there are more than [`LONGEST`], `TimedOut` if it is a pipe
/// that has not come to its end in time.
pub(crate) fn read_bytes(path: &Path) -> io::Result<Vec<u8>> {
    read_by(path, Instant::now() + PIPE_PATIENCE)
}

fn read_by(path: &Path, deadline: Instant) -> io::Result<Vec<u8>> {
    // Else open(2) waits for whoever writes a FIFO.
    let mut options = OpenOptions::new();
    let options = options.read(true).custom_flags(libc::O_NONBLOCK);
    let file = options.open(path)?;
    let mut bytes = Vec::new();
    // What it claims is enough: nobody needs to read it.
    if file.metadata()?.len() <= LONGEST {
        let file = Patient { file, deadline };
        file.take(LONGEST + 1).read_to_end(&mut bytes)?;
        if bytes.len() as u64 <= LONGEST {
            return Ok(bytes);
        }
    }
    Err(ErrorKind::FileTooLarge.into())
}

/// A file that is waited for if it is a pipe, until `deadline`.
struct Patient {
    file: File,
    deadline: Instant,
}

impl Read for Patient {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            // Before its first writer has come, a FIFO reads like one whose last
            // writer has gone; poll(2) tells them apart.
            self.wait()?;
            match self.file.read(buffer) {
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                result => return result,
            }
        }
    }
}

impl Patient {
    /// Waits until there is something to read, or the end.
    fn wait(&self) -> io::Result<()> {
        let mut poll = libc::pollfd {
            fd: self.file.as_raw_fd(),
            events: libc::POLLIN,
            revents: 0,
        };
        loop {
            let left = self.deadline.saturating_duration_since(Instant::now());
            let milliseconds = i32::try_from(left.as_micros().div_ceil(1000)).unwrap_or(i32::MAX);
            // SAFETY: one initialised pollfd, and the count says so.
            match unsafe { libc::poll(&raw mut poll, 1, milliseconds) } {
                0 => return Err(ErrorKind::TimedOut.into()),
                ready if ready > 0 => return Ok(()),
                _ => {}
            }
            let error = io::Error::last_os_error();
            if error.kind() != ErrorKind::Interrupted {
                return Err(error);
            }
        }
    }
}

/// Why a file can't be read.
pub(crate) fn cause(error: &io::Error) -> String {
    match error.kind() {
        ErrorKind::NotFound => "there is no such file".to_owned(),
        ErrorKind::IsADirectory => "it is a directory".to_owned(),
        ErrorKind::PermissionDenied => "permission denied".to_owned(),
        ErrorKind::FileTooLarge => format!("it is larger than {} MiB", LONGEST >> 20),
        ErrorKind::TimedOut => {
            let patience = PIPE_PATIENCE.as_secs();
            format!("it is a pipe that nobody has written and closed within {patience} s")
        }
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
        let huge = Sample::new("huge", b"");
        let file = File::options().write(true).open(&huge.0).unwrap();
        file.set_len(100 << 20).unwrap();
        assert_eq!(error(&huge.0), "it is larger than 16 MiB");
    }

    /// A FIFO, made in the place of a sample.
    fn fifo(name: &str) -> Sample {
        let sample = Sample::new(name, b"");
        std::fs::remove_file(&sample.0).unwrap();
        let path = std::ffi::CString::new(sample.0.to_str().unwrap()).unwrap();
        // SAFETY: the path is a string with its NUL.
        assert_eq!(unsafe { libc::mkfifo(path.as_ptr(), 0o600) }, 0);
        sample
    }

    #[test]
    fn a_fifo_is_read_once_its_writer_has_come_and_gone() {
        let fifo = fifo("fifo");
        let path = fifo.0.clone();
        let writer = std::thread::spawn(move || std::fs::write(path, "{jobs: []}"));
        assert_eq!(read(&fifo.0).unwrap(), "{jobs: []}");
        writer.join().unwrap().unwrap();
    }

    #[test]
    fn a_fifo_that_nobody_writes_or_closes_is_refused_in_time() {
        let fifo = fifo("silent");
        let error = || {
            let soon = Instant::now() + Duration::from_millis(20);
            read_by(&fifo.0, soon).unwrap_err().kind()
        };
        assert_eq!(error(), ErrorKind::TimedOut);
        let mut writer = File::options();
        let mut writer = writer.read(true).write(true).open(&fifo.0).unwrap();
        std::io::Write::write_all(&mut writer, b"{jobs").unwrap();
        assert_eq!(error(), ErrorKind::TimedOut);
    }
}
