//! TLS around ureq's connections.
//!
//! With the configuration that was loaded and checked before: ureq's own
//! connector would build one itself, and panics on a key that does not fit its
//! certificate.

use std::fmt;
use std::io::{self, Read, Write};
use std::sync::Arc;

use rustls::{ClientConnection, StreamOwned};
use ureq::config::Config;
use ureq::unversioned::transport::{
    Buffers, ConnectionDetails, Connector, LazyBuffers, NextTimeout, TcpConnector, Transport,
    TransportAdapter,
};
use ureq::{Agent, Error};

use super::resolve::Names;
use crate::tls::Tls;

/// An HTTP client that speaks TLS on every connection.
pub(super) fn agent(tls: &Tls, config: Config, names: Names) -> Agent {
    let connector = TcpConnector::default().chain(Wrap(tls.clone()));
    Agent::with_parts(config, connector, names)
}

/// Wraps each new connection in TLS.
#[derive(Debug)]
struct Wrap(Tls);

impl<In: Transport> Connector<In> for Wrap {
    type Out = Wrapped<In>;

    fn connect(
        &self,
        details: &ConnectionDetails<'_>,
        chained: Option<In>,
    ) -> Result<Option<Self::Out>, Error> {
        let Some(plain) = chained else {
            return Ok(None);
        };
        let host = details.uri.host().unwrap_or_default();
        let mut session = self
            .0
            .session(host)
            .map_err(|error| Error::from(unusable(error)))?;
        let mut socket = TransportAdapter::new(plain, Arc::clone(&details.current_time));
        socket.set_timeout(details.timeout);
        while session.is_handshaking() {
            session.complete_io(&mut socket)?;
        }
        let buffers = LazyBuffers::new(
            details.config.input_buffer_size(),
            details.config.output_buffer_size(),
        );
        Ok(Some(Wrapped {
            stream: StreamOwned::new(session, socket),
            buffers,
        }))
    }
}

/// A connection inside TLS.
struct Wrapped<In: Transport> {
    stream: StreamOwned<ClientConnection, TransportAdapter<In>>,
    buffers: LazyBuffers,
}

impl<In: Transport> fmt::Debug for Wrapped<In> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Wrapped")
            .field(self.stream.sock.get_ref())
            .finish()
    }
}

impl<In: Transport> Wrapped<In> {
    /// What the other side said before it hung up. In TLS 1.3 it refuses our
    /// certificate only after the handshake, so that writing fails first.
    fn parting_word(&mut self) -> Option<io::Error> {
        let StreamOwned { conn, sock } = &mut self.stream;
        while matches!(conn.read_tls(sock), Ok(read) if read > 0) {
            if let Err(error) = conn.process_new_packets() {
                return Some(unusable(error));
            }
        }
        None
    }
}

fn unusable(error: rustls::Error) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, error)
}

impl<In: Transport> Transport for Wrapped<In> {
    fn buffers(&mut self) -> &mut dyn Buffers {
        &mut self.buffers
    }

    fn transmit_output(&mut self, amount: usize, timeout: NextTimeout) -> Result<(), Error> {
        self.stream.sock.set_timeout(timeout);
        let output = self.buffers.output();
        let ready = output.get(..amount).unwrap_or(output);
        let sent = self
            .stream
            .write_all(ready)
            .and_then(|()| self.stream.flush());
        sent.map_err(|error| Error::from(self.parting_word().unwrap_or(error)))
    }

    fn await_input(&mut self, timeout: NextTimeout) -> Result<bool, Error> {
        self.stream.sock.set_timeout(timeout);
        let read = self.stream.read(self.buffers.input_append_buf())?;
        self.buffers.input_appended(read);
        Ok(read > 0)
    }

    fn is_open(&mut self) -> bool {
        self.stream.sock.get_mut().is_open()
    }

    fn is_tls(&self) -> bool {
        true
    }
}
