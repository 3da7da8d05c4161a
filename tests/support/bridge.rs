//! A bridge from TCP to a control socket, for clients that know no Unix sockets.
//!
//! It carries what is said in both directions, and of a stream only the head:
//! most clients would wait for its end.

use std::io::{self, Read as _, Write as _};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::thread;

/// More than the head of any answer, which is written at once.
const PIECE: usize = 64 << 10;

/// Begins to listen, until the test ends; where.
#[track_caller]
pub(crate) fn to(socket: &Path) -> SocketAddr {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let address = listener.local_addr().unwrap();
    let socket = socket.to_owned();
    thread::spawn(move || {
        for client in listener.incoming().flatten() {
            let socket = socket.clone();
            // Whoever is at the other end sees what has come of it.
            thread::spawn(move || drop(carry(&client, &socket)));
        }
    });
    address
}

fn carry(client: &TcpStream, socket: &Path) -> io::Result<()> {
    let server = UnixStream::connect(socket)?;
    let (mut questions, mut asked) = (client.try_clone()?, server.try_clone()?);
    let asking = thread::spawn(move || {
        let asked_all = io::copy(&mut questions, &mut asked);
        asked_all.and_then(|_| asked.shutdown(Shutdown::Write))
    });
    let answered = answer(&server, client);
    let _gone = client.shutdown(Shutdown::Both);
    let _gone = server.shutdown(Shutdown::Both);
    drop(asking.join());
    answered
}

fn answer(mut server: &UnixStream, mut client: &TcpStream) -> io::Result<()> {
    let mut piece = vec![0; PIECE];
    loop {
        let count = server.read(&mut piece)?;
        let piece = &piece[..count];
        if count == 0 {
            return Ok(());
        }
        if let Some(head) = head_of_stream(piece) {
            client.write_all(head)?;
            return client.write_all(b"0\r\n\r\n");
        }
        client.write_all(piece)?;
    }
}

/// The head, if these bytes begin an answer that comes in chunks.
fn head_of_stream(piece: &[u8]) -> Option<&[u8]> {
    let end = piece.windows(4).position(|end| end == b"\r\n\r\n")? + 4;
    let head = str::from_utf8(&piece[..end]).ok()?;
    let is_stream = head.starts_with("HTTP/1.1 200 ") && head.contains("\r\nTransfer-Encoding: ");
    is_stream.then_some(&piece[..end])
}
