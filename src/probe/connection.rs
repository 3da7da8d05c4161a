//! Connections of which no wait outlasts the check: each read and each write gets
//! what is left of its time, so that a peer that sends a byte now and then gains
//! nothing.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{IpAddr, SocketAddr, TcpStream};
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

#[cfg(feature = "tls")]
use rustls::{ClientConnection, StreamOwned};

use crate::config::url::{HostPort, Place};
use crate::name_lookup::{ask, without_asking};
use crate::tls::Tls;
use crate::unix_socket;

/// The time that a check has.
#[derive(Clone, Copy, Debug)]
pub(super) struct Time {
    began: Instant,
    whole: Duration,
}

impl Time {
    /// So much from then on.
    pub(super) fn of(began: Instant, whole: Duration) -> Self {
        Self { began, whole }
    }

    /// How much of it has passed.
    pub(super) fn passed(self) -> Duration {
        self.began.elapsed()
    }

    /// How much there is in all.
    pub(super) fn whole(self) -> Duration {
        self.whole
    }

    /// What is left, which is never nothing: that would mean "for ever".
    fn left(self) -> io::Result<Duration> {
        let left = self.whole.saturating_sub(self.passed());
        match left.is_zero() {
            true => Err(ErrorKind::TimedOut.into()),
            false => Ok(left),
        }
    }
}

/// A connection to whom a check asks.
pub(super) enum Connection {
    /// As it is.
    Plain(Socket),
    /// Inside TLS.
    #[cfg(feature = "tls")]
    Tls(Box<StreamOwned<ClientConnection, Socket>>),
}

/// A connected socket and the time of its check.
pub(super) struct Socket {
    stream: Stream,
    time: Time,
}

enum Stream {
    Tcp(TcpStream),
    Unix(UnixStream),
}

/// Connects, to the first of a host's addresses that answers.
pub(super) fn connect(place: &Place, time: Time) -> Result<Socket, String> {
    let stream = match place {
        Place::Unix(path) => {
            let stream = time
                .left()
                .and_then(|left| unix_socket::connect(path, left));
            Stream::Unix(stream.map_err(|error| refused(place, &error, time))?)
        }
        Place::Tcp(address) => Stream::Tcp(connect_tcp(&addresses(address)?, time)?),
    };
    Ok(Socket { stream, time })
}

fn addresses(to: &HostPort) -> Result<Vec<SocketAddr>, String> {
    let HostPort { host, port } = to;
    let at_port = |ip: IpAddr| SocketAddr::new(ip, *port);
    if let Some(known) = without_asking(host) {
        return Ok(known.into_iter().map(at_port).collect());
    }
    ask(host, *port).map_err(|error| format!("cannot look up {host:?}: {error}"))
}

/// Tries one address after the other, each with its share of what time is left,
/// so that one that never answers does not stand in the way of the others. Of
/// several failures the first is told.
fn connect_tcp(addresses: &[SocketAddr], time: Time) -> Result<TcpStream, String> {
    let mut why = None;
    for (address, others) in addresses.iter().zip((1..=addresses.len()).rev()) {
        let share = time
            .left()
            .map(|left| left / u32::try_from(others).unwrap_or(1));
        let share = share.map(|share| share.max(Duration::from_millis(1)));
        let connected = share
            .and_then(|share| TcpStream::connect_timeout(address, share))
            .and_then(not_to_itself);
        match connected {
            Ok(stream) => return Ok(stream),
            Err(error) => why = why.or_else(|| Some(refused(address, &error, time))),
        }
    }
    Err(why.unwrap_or_else(|| "its name has no address".to_owned()))
}

/// Without a listener, a connection to a port that the kernel also gives to
/// clients may come from that very port, and then reaches nobody but itself.
fn not_to_itself(stream: TcpStream) -> io::Result<TcpStream> {
    match stream.local_addr()? == stream.peer_addr()? {
        true => Err(io::Error::from_raw_os_error(libc::ECONNREFUSED)),
        false => Ok(stream),
    }
}

fn refused(place: &impl std::fmt::Display, error: &io::Error, time: Time) -> String {
    match is_timeout(error) {
        true => format!("no connection to {place} within {:?}", time.whole()),
        false => format!("cannot connect to {place}: {error}"),
    }
}

/// Whether the check's time is over.
pub(super) fn is_timeout(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::TimedOut | ErrorKind::WouldBlock)
}

/// What is probably to be done about a handshake that has failed.
#[cfg(feature = "tls")]
fn hint(error: &io::Error) -> &'static str {
    let text = error.to_string();
    match text {
        _ if text.contains("InvalidContentType") => "; does it speak TLS?",
        _ if text.contains("certificate") => "; see health.http.tls",
        _ => "",
    }
}

impl Socket {
    /// Speaks TLS from now on; the other side must prove to be `host`.
    #[cfg(feature = "tls")]
    pub(super) fn secure(mut self, tls: &Tls, host: &str) -> Result<Connection, String> {
        let mut session = tls.session(host).map_err(|error| error.to_string())?;
        while session.is_handshaking() {
            if let Err(error) = session.complete_io(&mut self) {
                return Err(match is_timeout(&error) {
                    true => format!("no TLS handshake within {:?}", self.time.whole()),
                    false => format!("TLS handshake failed: {error}{}", hint(&error)),
                });
            }
        }
        let stream = StreamOwned::new(session, self);
        Ok(Connection::Tls(Box::new(stream)))
    }

    /// This build speaks no TLS.
    #[cfg(not(feature = "tls"))]
    pub(super) fn secure(self, tls: &Tls, _: &str) -> Result<Connection, String> {
        match *tls {}
    }

    /// Carries out one read or write; interruptions and elapsed waits lead to
    /// another look at the clock.
    fn attempt(
        &mut self,
        mut act: impl FnMut(&mut Stream, Duration) -> io::Result<usize>,
    ) -> io::Result<usize> {
        loop {
            let left = self.time.left()?;
            match act(&mut self.stream, left) {
                Err(error)
                    if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => {}
                done => return done,
            }
        }
    }
}

impl Read for Socket {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        self.attempt(|stream, left| match stream {
            Stream::Tcp(stream) => {
                stream.set_read_timeout(Some(left))?;
                stream.read(into)
            }
            Stream::Unix(stream) => {
                stream.set_read_timeout(Some(left))?;
                stream.read(into)
            }
        })
    }
}

impl Write for Socket {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.attempt(|stream, left| match stream {
            Stream::Tcp(stream) => {
                stream.set_write_timeout(Some(left))?;
                stream.write(bytes)
            }
            Stream::Unix(stream) => {
                stream.set_write_timeout(Some(left))?;
                stream.write(bytes)
            }
        })
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Read for Connection {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Plain(socket) => socket.read(into),
            #[cfg(feature = "tls")]
            Self::Tls(stream) => stream.read(into),
        }
    }
}

impl Write for Connection {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Plain(socket) => socket.write(bytes),
            #[cfg(feature = "tls")]
            Self::Tls(stream) => stream.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Plain(socket) => socket.flush(),
            #[cfg(feature = "tls")]
            Self::Tls(stream) => stream.flush(),
        }
    }
}
