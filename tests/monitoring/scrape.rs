//! Where telemetry listens in a test, and what it answers.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};

use crate::support::http::Response;
use crate::support::{PATIENCE, free_address};

/// An address for the telemetry server of one supervisor.
pub(crate) fn somewhere() -> SocketAddr {
    (free_address(), 9090).into()
}

/// The setting that makes telemetry listen there, with these user metrics.
pub(crate) fn telemetry(address: SocketAddr, metrics: &str) -> String {
    let (ip, port) = (address.ip(), address.port());
    format!(
        "telemetry: {{ interfaces: 'static:{ip}', port: {port}, tags: ['op'], metrics: [{metrics}] }}"
    )
}

/// Connects, with a deadline on every read.
#[track_caller]
pub(crate) fn connect(address: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream
}

/// The answer to a GET on a connection of its own.
#[track_caller]
pub(crate) fn get(address: SocketAddr, path: &str, headers: &str) -> Response {
    request(address, &format!("GET {path}"), headers)
}

/// The answer to a request on a connection of its own.
#[track_caller]
pub(crate) fn request(address: SocketAddr, line: &str, headers: &str) -> Response {
    let mut stream = connect(address);
    let text = format!("{line} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n{headers}\r\n");
    stream.write_all(text.as_bytes()).unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).unwrap();
    Response::parse(&answer)
}

/// A connection that serves one request after the other.
#[derive(Debug)]
pub(crate) struct Client(BufReader<TcpStream>);

impl Client {
    #[track_caller]
    pub(crate) fn connect(address: SocketAddr) -> Self {
        Self(BufReader::new(connect(address)))
    }

    /// Sends a GET; its answer is still to be read.
    #[track_caller]
    pub(crate) fn ask(&mut self, path: &str) {
        let text = format!("GET {path} HTTP/1.1\r\nHost: a\r\n\r\n");
        self.0.get_mut().write_all(text.as_bytes()).unwrap();
    }

    /// Reads one answer.
    #[track_caller]
    pub(crate) fn answer(&mut self) -> Response {
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            let length = self.0.read_line(&mut head).unwrap();
            assert!(length > 0, "the connection ended after {head:?}");
        }
        let mut response = Response::parse(head.as_bytes());
        let length = response.header("content-length").unwrap().parse().unwrap();
        let mut body = vec![0; length];
        self.0.read_exact(&mut body).unwrap();
        response.body = String::from_utf8(body).unwrap();
        response
    }

    /// Waits until the server has closed the connection; what comes before is no
    /// answer to anything.
    #[track_caller]
    pub(crate) fn wait_for_end(&mut self) {
        let mut rest = String::new();
        self.0.read_to_string(&mut rest).unwrap();
        assert_eq!(rest, "");
    }
}

/// One exposition in the text format.
#[derive(Debug)]
pub(crate) struct Scrape(String);

impl Scrape {
    #[track_caller]
    pub(crate) fn of(address: SocketAddr) -> Self {
        let response = get(address, "/metrics", "");
        assert_eq!(response.status, 200, "{response:?}");
        Self(response.body)
    }

    pub(crate) fn text(&self) -> &str {
        &self.0
    }

    /// The value of a series, written as in the exposition.
    pub(crate) fn get(&self, series: &str) -> Option<f64> {
        let mut values = self.0.lines().filter_map(|line| line.strip_prefix(series));
        let value = values.find_map(|rest| rest.strip_prefix(' '))?;
        Some(value.parse().unwrap())
    }

    /// The value of a series that must be there.
    #[track_caller]
    pub(crate) fn value(&self, series: &str) -> f64 {
        self.get(series)
            .unwrap_or_else(|| panic!("no {series} in\n{}", self.0))
    }

    /// Every series of a family and its value, without the family's name.
    pub(crate) fn family(&self, name: &str) -> Vec<(&str, f64)> {
        let samples = self.0.lines().filter_map(|line| line.strip_prefix(name));
        samples
            .filter(|rest| rest.starts_with('{'))
            .map(|rest| {
                let (labels, value) = rest.rsplit_once(' ').unwrap();
                (labels, value.parse().unwrap())
            })
            .collect()
    }

    /// Fails unless these are the series of a family that are there.
    #[track_caller]
    pub(crate) fn expect(&self, family: &str, expected: &[(&str, f64)]) {
        assert_eq!(self.family(family), expected, "{family}");
    }
}
