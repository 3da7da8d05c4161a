//! Readers of the control plane's streams, seen chunk by chunk.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::path::Path;

use super::http::connect;

/// Somebody who follows something.
#[derive(Debug)]
pub(crate) struct Reader {
    /// The status of the answer.
    pub(crate) status: u16,
    /// The head of the answer, in lower case.
    pub(crate) head: String,
    stream: BufReader<UnixStream>,
    /// What has come of which not all lines were handed out.
    text: String,
    /// Where the next line begins in it.
    begin: usize,
    /// Whether the last chunk has come.
    is_complete: bool,
}

/// Asks for a stream and reads the head of the answer.
#[track_caller]
pub(crate) fn follow(socket: &Path, path: &str) -> Reader {
    let mut stream = connect(socket);
    let request = format!("GET {path} HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).unwrap();
    let mut stream = BufReader::new(stream);
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        let count = stream.read_line(&mut head).unwrap();
        assert!(count > 0, "the connection ended in the head: {head:?}");
    }
    let head = head.to_ascii_lowercase();
    Reader {
        status: head.split(' ').nth(1).unwrap().parse().unwrap(),
        head,
        stream,
        text: String::new(),
        begin: 0,
        is_complete: false,
    }
}

impl Reader {
    /// The next line, without its end; `None` at the clean end of the stream.
    #[track_caller]
    pub(crate) fn line(&mut self) -> Option<String> {
        loop {
            if let Some((line, _)) = self.text[self.begin..].split_once('\n') {
                self.begin += line.len() + 1;
                return Some(line.to_owned());
            }
            self.text.drain(..self.begin);
            self.begin = 0;
            if self.is_complete {
                assert_eq!(self.text, "", "the last line has no end");
                return None;
            }
            self.chunk();
        }
    }

    #[track_caller]
    fn chunk(&mut self) {
        let mut size = String::new();
        self.stream.read_line(&mut size).unwrap();
        let size = usize::from_str_radix(size.trim_end(), 16)
            .unwrap_or_else(|_| panic!("cut off in the middle: {size:?} after {:?}", self.text));
        let mut chunk = vec![0; size + 2];
        self.stream.read_exact(&mut chunk).unwrap();
        chunk.truncate(size);
        self.is_complete = size == 0;
        self.text.push_str(&String::from_utf8(chunk).unwrap());
    }

    /// Waits for a line with this in it.
    #[track_caller]
    pub(crate) fn wait_for(&mut self, part: &str) -> String {
        let mut seen = Vec::new();
        while let Some(line) = self.line() {
            if line.contains(part) {
                return line;
            }
            seen.push(line);
        }
        panic!("no line with {part:?}: {seen:#?}");
    }

    /// All lines up to the clean end.
    #[track_caller]
    pub(crate) fn rest(&mut self) -> Vec<String> {
        std::iter::from_fn(|| self.line()).collect()
    }

    /// Everything that comes until the server closes the connection, framing and
    /// all, however it ends.
    pub(crate) fn raw_rest(mut self) -> Vec<u8> {
        let mut rest = Vec::new();
        let _reset = self.stream.read_to_end(&mut rest);
        rest
    }
}
