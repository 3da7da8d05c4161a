//! Servers that only pretend to be Consul.

use std::io::{BufRead as _, BufReader, Read as _, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

use crossbeam_channel::{Receiver, Sender, unbounded};

use super::PATIENCE;
use super::consul::nobody;
use super::network::reset_when_closed;

/// What becomes of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mood {
    /// As Consul would answer who knows nothing yet.
    Well,
    /// The same, but the connection is closed afterwards, without a warning; then
    /// there is a "request" called `closed`.
    Curt,
    /// Never answered.
    Silent,
    /// Answered with a TCP reset.
    Reset,
    /// Answered with this status and a short text.
    Status(u16),
    /// Answered with something that is not HTTP.
    Garbage,
    /// Answered with JSON that is something else.
    Nonsense,
    /// Answered with half of the announced body.
    Half,
    /// Answered with a list of instances that never ends.
    Endless,
    /// Answered with a list that never begins.
    Blank,
}

/// As little as there can be of an instance.
const INSTANCE: &str =
    r#"{"Node":{"Address":"10.0.0.1"},"Service":{"ID":"x","Address":"","Port":1}},"#;

/// A server whose mood can be changed.
pub(crate) struct Fake {
    address: SocketAddr,
    mood: Arc<Mutex<Mood>>,
    requests: Receiver<String>,
    endless: Receiver<usize>,
}

impl Fake {
    pub(crate) fn start(mood: Mood) -> Self {
        Self::start_at(nobody(), mood)
    }

    /// At an address where nobody has listened so far.
    pub(crate) fn start_at(address: SocketAddr, mood: Mood) -> Self {
        let listener = TcpListener::bind(address).unwrap();
        let mood = Arc::new(Mutex::new(mood));
        let (request, requests) = unbounded();
        let (written, endless) = unbounded();
        let seen = Arc::clone(&mood);
        // Ends with the tests.
        thread::spawn(move || {
            for stream in listener.incoming() {
                let session = Session {
                    stream: stream.unwrap(),
                    mood: Arc::clone(&seen),
                    requests: request.clone(),
                    endless: written.clone(),
                };
                thread::spawn(move || session.run());
            }
        });
        Self {
            address,
            mood,
            requests,
            endless,
        }
    }

    pub(crate) fn http(&self) -> String {
        self.address.to_string()
    }

    pub(crate) fn set(&self, mood: Mood) {
        *self.mood.lock().unwrap() = mood;
    }

    /// Waits for a request line that contains `pattern`.
    #[track_caller]
    pub(crate) fn wait_for(&self, pattern: &str) -> String {
        loop {
            let line = self.requests.recv_timeout(PATIENCE).unwrap();
            if line.contains(pattern) {
                return line;
            }
        }
    }

    /// How many requests have come since the last look.
    pub(crate) fn requests(&self) -> usize {
        self.requests.try_iter().count()
    }

    /// How much of an endless body was taken.
    #[track_caller]
    pub(crate) fn taken(&self) -> usize {
        self.endless.recv_timeout(PATIENCE).unwrap()
    }
}

/// One connection.
struct Session {
    stream: TcpStream,
    mood: Arc<Mutex<Mood>>,
    requests: Sender<String>,
    endless: Sender<usize>,
}

impl Session {
    fn run(mut self) {
        let mut reader = BufReader::new(self.stream.try_clone().unwrap());
        while let Some(line) = read_request(&mut reader) {
            let mood = *self.mood.lock().unwrap();
            self.requests.send(line.clone()).unwrap_or_default();
            if !self.answer(mood, &line) {
                return;
            }
        }
    }

    /// Whether the connection can be used again.
    fn answer(&mut self, mood: Mood, line: &str) -> bool {
        match mood {
            Mood::Well => self.answer_well(line),
            Mood::Curt => {
                self.answer_well(line);
                self.stream.shutdown(Shutdown::Both).unwrap_or_default();
                self.requests.send("closed".to_owned()).unwrap_or_default();
                false
            }
            Mood::Status(status) => self.say(&format!(
                "HTTP/1.1 {status} Odd\r\nLocation: http://127.0.0.1:9/\r\nContent-Length: 8\r\n\r\nbecause\n"
            )),
            Mood::Nonsense => {
                self.say("HTTP/1.1 200 OK\r\nX-Consul-Index: 5\r\nContent-Length: 12\r\n\r\n<html>no</h>")
            }
            Mood::Silent => {
                // Until the client gives up.
                let _closed = self.stream.read(&mut [0]);
                false
            }
            Mood::Reset => {
                reset_when_closed(&self.stream);
                false
            }
            Mood::Garbage => {
                self.say("\x16\x03\x01 SSH-2.0 what do you want\r\n\r\n");
                self.stream.shutdown(Shutdown::Both).unwrap_or_default();
                false
            }
            Mood::Half => {
                self.say("HTTP/1.1 200 OK\r\nX-Consul-Index: 5\r\nContent-Length: 100\r\n\r\n[{\"Node\":");
                self.stream.shutdown(Shutdown::Both).unwrap_or_default();
                false
            }
            Mood::Endless => self.flood(INSTANCE),
            Mood::Blank => self.flood("          "),
        }
    }

    fn answer_well(&mut self, line: &str) -> bool {
        if line.starts_with("GET /v1/agent/service/") {
            self.say("HTTP/1.1 404 Not Found\r\nContent-Length: 3\r\n\r\nno\n")
        } else if line.starts_with("GET ") {
            self.say("HTTP/1.1 200 OK\r\nX-Consul-Index: 5\r\nContent-Length: 2\r\n\r\n[]")
        } else {
            self.say("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
        }
    }

    fn say(&mut self, text: &str) -> bool {
        self.stream.write_all(text.as_bytes()).is_ok()
    }

    /// Writes until nobody takes any more, but no more than 100 MB.
    fn flood(&mut self, words: &str) -> bool {
        self.say("HTTP/1.1 200 OK\r\nX-Consul-Index: 5\r\nContent-Length: 1000000000\r\n\r\n[");
        let block = words.repeat(1000);
        let mut written = 0;
        while written < 100_000_000 && self.stream.write_all(block.as_bytes()).is_ok() {
            written += block.len();
        }
        self.endless.send(written).unwrap_or_default();
        false
    }
}

/// Reads a request whole and returns its first line.
fn read_request(reader: &mut BufReader<TcpStream>) -> Option<String> {
    let mut first = String::new();
    let mut length = 0;
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line).ok()? == 0 {
            return None;
        }
        let line = line.trim_end();
        if first.is_empty() {
            line.clone_into(&mut first);
        }
        if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
            length = value.trim().parse().ok()?;
        }
        if line.is_empty() {
            break;
        }
    }
    reader.read_exact(&mut vec![0; length]).ok()?;
    Some(first)
}
