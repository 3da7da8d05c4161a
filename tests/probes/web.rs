//! A web server that does what the path of a request says, be it wrong.

use std::io::{self, BufRead, BufReader, ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::thread;
use std::time::Duration;

use crossbeam_channel::{Receiver, Sender, unbounded};

use crate::support::PATIENCE;
use crate::support::network::reset_when_closed;

/// A connection as a server sees it.
pub(crate) trait Peer: Read + Write {
    /// Lets the next read wait no longer than this.
    fn wait_at_most(&self, time: Duration);
    /// Says goodbye, or not even that.
    fn close(&self, roughly: bool);
}

impl Peer for TcpStream {
    fn wait_at_most(&self, time: Duration) {
        self.set_read_timeout(Some(time)).unwrap();
    }

    fn close(&self, roughly: bool) {
        if roughly {
            reset_when_closed(self);
        } else {
            // The client may have closed before.
            let _gone = self.shutdown(Shutdown::Write);
        }
    }
}

impl Peer for UnixStream {
    fn wait_at_most(&self, time: Duration) {
        self.set_read_timeout(Some(time)).unwrap();
    }

    fn close(&self, _: bool) {
        let _gone = self.shutdown(Shutdown::Write);
    }
}

/// The server. Its threads end with the tests.
pub(crate) struct Web {
    address: Option<SocketAddr>,
    requests: Receiver<String>,
}

impl Web {
    /// At an address of this host, with a port that is free.
    pub(crate) fn start(host: &str) -> io::Result<Self> {
        let listener = TcpListener::bind((host, 0))?;
        let address = listener.local_addr()?;
        let (tell, requests) = unbounded();
        thread::spawn(move || {
            for stream in listener.incoming() {
                let (stream, tell) = (stream.unwrap(), tell.clone());
                thread::spawn(move || serve(stream, &tell));
            }
        });
        Ok(Self {
            address: Some(address),
            requests,
        })
    }

    /// At a Unix socket.
    pub(crate) fn start_at(path: &Path) -> Self {
        let listener = UnixListener::bind(path).unwrap();
        let (tell, requests) = unbounded();
        thread::spawn(move || {
            for stream in listener.incoming() {
                let (stream, tell) = (stream.unwrap(), tell.clone());
                thread::spawn(move || serve(stream, &tell));
            }
        });
        Self {
            address: None,
            requests,
        }
    }

    /// On 127.0.0.1.
    pub(crate) fn local() -> Self {
        Self::start("127.0.0.1").unwrap()
    }

    /// The port, for URLs.
    pub(crate) fn port(&self) -> u16 {
        self.address.unwrap().port()
    }

    /// The URL of a path.
    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address.unwrap())
    }

    /// Waits for the next request: its head.
    #[track_caller]
    pub(crate) fn next(&self) -> String {
        self.requests.recv_timeout(PATIENCE).unwrap()
    }

    /// A request that has come already.
    pub(crate) fn try_next(&self) -> Option<String> {
        self.requests.try_recv().ok()
    }

    /// Waits for so many requests.
    #[track_caller]
    pub(crate) fn wait_for(&self, count: usize) {
        for _ in 0..count {
            self.next();
        }
    }
}

fn serve(stream: impl Peer, tell: &Sender<String>) {
    let mut reader = BufReader::new(stream);
    let Some(head) = read_head(&mut reader) else {
        return;
    };
    // The test may be over.
    let _gone = tell.send(head.clone());
    answer(&head, reader.into_inner());
}

/// The head of a request; none if the client only looked in.
pub(crate) fn read_head(reader: &mut impl BufRead) -> Option<String> {
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        if reader.read_line(&mut head).ok()? == 0 {
            return None;
        }
    }
    Some(head)
}

/// The path of a request.
pub(crate) fn path(head: &str) -> &str {
    head.split(' ').nth(1).unwrap()
}

/// Answers as the path says. A client that goes away is no error.
pub(crate) fn answer(head: &str, mut stream: impl Peer) {
    let (path, parameter) = path(head).split_once('?').unwrap_or((path(head), ""));
    let _gone = match path {
        "/ok" => say(&mut stream, &full(200, "ready\n")),
        "/status" => say(&mut stream, &full(parameter.parse().unwrap(), "")),
        "/echo" => say(&mut stream, &full(200, head)),
        "/interim" => say(
            &mut stream,
            "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Hints\r\nLink: <x>\r\n\r\nHTTP/1.1 204 No\r\n\r\n",
        ),
        "/chunked" => pieces(
            &mut stream,
            &[
                "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
                "3;x=y\r\nrea",
                "\r\n",
                "2\r\ndy\r\n",
                "0\r\nTrailer: x\r\n\r\n",
            ],
        ),
        "/until-closed" => pieces(&mut stream, &["HTTP/1.0 200 OK\r\n\r\n", "rea", "dy"]),
        "/redirect" => redirect(&mut stream, parameter),
        "/loop" => say(
            &mut stream,
            "HTTP/1.1 302 Found\r\nLocation: /loop\r\nContent-Length: 0\r\n\r\n",
        ),
        "/silent" => Ok(()),
        "/half" => say(
            &mut stream,
            "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nrea",
        ),
        "/cut" => {
            let half = "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nready";
            say(&mut stream, half).map(|()| stream.close(false))
        }
        "/nothing" => {
            stream.close(false);
            Ok(())
        }
        "/reset" => {
            stream.close(true);
            return;
        }
        "/garbage" => say(&mut stream, "SSH-2.0-OpenSSH_9.2\r\n"),
        "/trickle" => trickle(&mut stream),
        "/endless" => flood(&mut stream, "HTTP/1.1 200 OK\r\n\r\nready", "x"),
        "/endless-chunks" => flood(
            &mut stream,
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
            "5\r\nready\r\n",
        ),
        "/endless-head" => flood(&mut stream, "HTTP/1.1 200 OK\r\n", "X-Header: x\r\n"),
        "/endless-line" => flood(&mut stream, "HTTP/1.1 200 OK\r\nX-Header: ", "x"),
        other => panic!("what is {other}?"),
    };
    wait_for_close(&mut stream);
}

fn full(status: u16, body: &str) -> String {
    let length = body.len();
    format!("HTTP/1.1 {status} Odd\r\nContent-Length: {length}\r\n\r\n{body}")
}

fn say(stream: &mut impl Peer, text: &str) -> io::Result<()> {
    stream.write_all(text.as_bytes())?;
    stream.flush()
}

fn pieces(stream: &mut impl Peer, pieces: &[&str]) -> io::Result<()> {
    for piece in pieces {
        say(stream, piece)?;
    }
    stream.close(false);
    Ok(())
}

/// `N` more redirects, then `/ok`; or a URL.
fn redirect(stream: &mut impl Peer, to: &str) -> io::Result<()> {
    let to = match to.parse() {
        Ok(0) => "/ok".to_owned(),
        Ok(more) => format!("redirect?{}", more - 1),
        Err::<u32, _>(_) => to.to_owned(),
    };
    let text = format!("HTTP/1.1 302 Found\r\nLocation: {to}\r\nContent-Length: 0\r\n\r\n");
    say(stream, &text)
}

/// A byte now and then, for as long as the client has patience.
fn trickle(stream: &mut impl Peer) -> io::Result<()> {
    say(stream, "HTTP/1.1 200 OK\r\nX-Slow: ")?;
    stream.wait_at_most(Duration::from_millis(20));
    loop {
        say(stream, "x")?;
        match stream.read(&mut [0]) {
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {}
            _ => return Ok(()),
        }
    }
}

/// Words without end, but no more than 100 MB.
fn flood(stream: &mut impl Peer, first: &str, words: &str) -> io::Result<()> {
    say(stream, first)?;
    let block = words.repeat(1000);
    for _ in 0..100_000_000 / block.len() {
        stream.write_all(block.as_bytes())?;
    }
    Ok(())
}

/// The client has had enough, or has gone.
fn wait_for_close(stream: &mut impl Peer) {
    let _gone = stream.flush();
    while stream.read(&mut [0; 4096]).is_ok_and(|count| count > 0) {}
}
