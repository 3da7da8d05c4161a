//! The HTTP server with a handler whose every answer a test knows, and clients
//! that speak in raw bytes.

#![allow(dead_code, unreachable_pub, clippy::unwrap_used, clippy::panic)]

use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant};

use containerpilot::http::{
    Body, Handler, Limits, Listener, Request, Response, Server, StreamWriter,
};

/// How long anything may take before a test fails; nothing waits this long when
/// all is well.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// A door that requests to `/wait` stand before until it is opened.
#[derive(Default)]
pub struct Gate {
    state: Mutex<(usize, bool)>,
    changed: Condvar,
}

impl Gate {
    fn pass(&self) {
        let mut state = self.state.lock().unwrap();
        state.0 += 1;
        self.changed.notify_all();
        while !state.1 {
            state = self.changed.wait(state).unwrap();
        }
    }

    /// Returns when `count` requests stand there.
    pub fn await_arrivals(&self, count: usize) {
        let mut state = self.state.lock().unwrap();
        while state.0 < count {
            let (next, elapsed) = self.changed.wait_timeout(state, PATIENCE).unwrap();
            assert!(!elapsed.timed_out(), "{} of {count} arrived", next.0);
            state = next;
        }
    }

    pub fn open(&self) {
        self.state.lock().unwrap().1 = true;
        self.changed.notify_all();
    }
}

/// Answers by the path; counts what it is told of.
#[derive(Default)]
pub struct Known {
    pub gate: Gate,
    pub handled: AtomicUsize,
    pub answered: Mutex<Vec<(String, u16)>>,
}

impl Handler for Known {
    fn handle(&self, request: Request) -> Response {
        self.handled.fetch_add(1, Ordering::SeqCst);
        match request.path.as_str() {
            "/ok" => Response::with_body(200, "text/plain", b"ok".to_vec()),
            "/echo" => {
                let head = format!(
                    "{} {}?{} @{}|",
                    request.method, request.path, request.query, request.host
                );
                let mut body = head.into_bytes();
                body.extend(request.body);
                Response::with_body(200, "text/plain", body)
            }
            "/nothing" => Response::empty(204),
            "/panic" => panic!("the handler was told to"),
            "/panic-in-stream" => stream(|to| {
                to.write_all(b"begun")?;
                to.flush()?;
                panic!("the stream was told to")
            }),
            "/wait" => {
                self.gate.pass();
                Response::text(200, "waited")
            }
            "/big" => Response::with_body(200, "text/plain", vec![b'x'; 8 << 20]),
            "/stream" => stream(|to| {
                write!(to, "one {}", 1)?;
                to.flush()?;
                to.write_all(b"two")
            }),
            "/endless" => stream(|to| {
                loop {
                    to.write_all(&[b'x'; 1000])?;
                    to.flush()?;
                }
            }),
            _ => Response::text(404, "no such page"),
        }
    }

    fn answered(&self, path: &str, status: u16) {
        self.answered
            .lock()
            .unwrap()
            .push((path.to_owned(), status));
    }
}

fn stream(
    source: impl FnOnce(&mut StreamWriter<'_>) -> io::Result<()> + Send + 'static,
) -> Response {
    let mut response = Response::empty(200);
    response.body = Body::Stream(Box::new(source));
    response
}

/// A running server and how to reach it.
pub struct Fixture {
    pub known: Arc<Known>,
    pub server: Option<Server>,
    address: Address,
}

enum Address {
    Unix(PathBuf),
    Tcp(SocketAddr),
}

impl Fixture {
    pub fn unix(limits: Limits) -> Self {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let number = COUNT.fetch_add(1, Ordering::SeqCst);
        let path = std::env::temp_dir().join(format!("cp-http-{}-{number}", std::process::id()));
        let listener = Listener::Unix(UnixListener::bind(&path).unwrap());
        Self::start(listener, Address::Unix(path), limits)
    }

    pub fn tcp(limits: Limits) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        Self::start(Listener::Tcp(listener), Address::Tcp(address), limits)
    }

    /// The same test on both kinds of sockets.
    pub fn both(limits: &Limits) -> [Self; 2] {
        [Self::unix(limits.clone()), Self::tcp(limits.clone())]
    }

    fn start(listener: Listener, address: Address, limits: Limits) -> Self {
        let known = Arc::new(Known::default());
        let server = Server::start("test", listener, limits, known.clone()).unwrap();
        Self {
            known,
            server: Some(server),
            address,
        }
    }

    pub fn connect(&self) -> Client {
        self.try_connect().unwrap()
    }

    pub fn try_connect(&self) -> io::Result<Client> {
        let client = match &self.address {
            Address::Unix(path) => Client::Unix(UnixStream::connect(path)?),
            Address::Tcp(address) => Client::Tcp(TcpStream::connect(address)?),
        };
        client.set_read_timeout(PATIENCE);
        Ok(client)
    }

    /// Sends `bytes`, ends its own side, and returns all that comes back.
    pub fn talk(&self, bytes: &[u8]) -> String {
        let mut client = self.connect();
        client.send(bytes);
        client.end();
        client.rest()
    }

    /// Asks for a page on a connection of its own; the status line and the body.
    pub fn get(&self, path: &str) -> (String, String) {
        let answer = self.talk(
            format!("GET {path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n").as_bytes(),
        );
        let (head, body) = answer.split_once("\r\n\r\n").unwrap_or((&answer, ""));
        (
            head.lines().next().unwrap_or_default().to_owned(),
            body.to_owned(),
        )
    }

    pub fn assert_serves(&self) {
        assert_eq!(
            self.get("/ok"),
            ("HTTP/1.1 200 OK".to_owned(), "ok".to_owned())
        );
    }

    /// The path of the socket of a server on a Unix socket.
    pub fn socket(&self) -> &Path {
        match &self.address {
            Address::Unix(path) => path,
            Address::Tcp(address) => panic!("{address} is no path"),
        }
    }

    pub fn stop(&mut self, deadline: Instant) {
        self.server.take().unwrap().stop(deadline);
    }
}

impl Drop for Fixture {
    fn drop(&mut self) {
        self.known.gate.open();
        if let Address::Unix(path) = &self.address {
            let _best_effort = std::fs::remove_file(path);
        }
    }
}

/// One connection of a client.
pub enum Client {
    Unix(UnixStream),
    Tcp(TcpStream),
}

impl Client {
    pub fn set_read_timeout(&self, timeout: Duration) {
        match self {
            Self::Unix(stream) => stream.set_read_timeout(Some(timeout)).unwrap(),
            Self::Tcp(stream) => stream.set_read_timeout(Some(timeout)).unwrap(),
        }
    }

    pub fn send(&mut self, bytes: &[u8]) {
        self.write_all(bytes).unwrap();
    }

    pub fn end(&self) {
        // The server may have closed already.
        let _ended = match self {
            Self::Unix(stream) => stream.shutdown(Shutdown::Write),
            Self::Tcp(stream) => stream.shutdown(Shutdown::Write),
        };
    }

    /// Everything until the server closes.
    pub fn rest(&mut self) -> String {
        let mut bytes = Vec::new();
        self.read_to_end(&mut bytes).unwrap();
        String::from_utf8(bytes).unwrap()
    }

    /// Reads until what came ends with `end`.
    pub fn until(&mut self, end: &str) -> String {
        let mut text = Vec::new();
        let mut byte = [0];
        while !text.ends_with(end.as_bytes()) {
            self.read_exact(&mut byte).unwrap_or_else(|error| {
                panic!("{error} after {:?}", String::from_utf8_lossy(&text))
            });
            text.push(byte[0]);
        }
        String::from_utf8(text).unwrap()
    }

    /// Lets about this much time pass, waiting for an answer that does not come;
    /// `false` if something did, or the connection ended.
    pub fn hears_nothing_for(&mut self, time: Duration) -> bool {
        self.set_read_timeout(time);
        let result = self.read(&mut [0]);
        self.set_read_timeout(PATIENCE);
        result.is_err_and(|error| error.kind() == io::ErrorKind::WouldBlock)
    }
}

impl Read for Client {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Unix(stream) => stream.read(buffer),
            Self::Tcp(stream) => stream.read(buffer),
        }
    }
}

impl Write for Client {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Unix(stream) => stream.write(bytes),
            Self::Tcp(stream) => stream.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
