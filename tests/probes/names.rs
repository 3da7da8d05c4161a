//! Names of hosts, and lookups of them that hang in the C library.

use std::net::UdpSocket;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;

use crate::support::{Start, free_address, is_root, jobs, skip};
use crate::web::Web;
use crate::{OFTEN, PATIENT, expect, passed};

/// A name server that keeps its answers back until it is told to, and then says
/// that there is no such name.
struct NameServer {
    address: std::net::Ipv4Addr,
    open: Sender<()>,
    asked: Receiver<()>,
}

impl NameServer {
    fn start() -> Self {
        let address = free_address();
        let socket = UdpSocket::bind((address, 53)).unwrap();
        let (open, opened) = channel();
        let (ask, asked) = channel();
        let replies = socket.try_clone().unwrap();
        let (hand_over, queue) = channel::<(Vec<u8>, std::net::SocketAddr)>();
        thread::spawn(move || {
            let mut packet = [0; 1500];
            while let Ok((length, client)) = socket.recv_from(&mut packet) {
                let _test_is_over = ask.send(());
                let _as_above = hand_over.send((packet[..length].to_vec(), client));
            }
        });
        thread::spawn(move || {
            let Ok(()) = opened.recv() else { return };
            for (mut packet, client) in queue {
                // A response, recursion available, no such name (RFC 1035, 4.1.1).
                packet[2] |= 0x80;
                packet[3] = 0x83;
                // A client that is gone needs no answer.
                let _gone = replies.send_to(&packet, client);
            }
        });
        Self {
            address,
            open,
            asked,
        }
    }
}

/// In a place with these hosts, whose one name server this is.
fn among(start: Start, hosts: &str, server: &NameServer) -> Start {
    let directory = start.directory();
    directory.write("hosts", hosts);
    let address = server.address;
    directory.write(
        "resolv.conf",
        &format!("nameserver {address}\noptions timeout:30 attempts:5\n"),
    );
    directory.write("nsswitch.conf", "hosts: files dns\n");
    let files = ["hosts", "resolv.conf", "nsswitch.conf"];
    let binds = files.map(|file| {
        let from = directory.join(file);
        format!(
            "touch /etc/{file}; mount --bind {} /etc/{file}; ",
            from.display()
        )
    });
    let script = format!("{}exec \"$@\"", binds.concat());
    start.through(&["unshare", "--mount", "sh", "-ec", &script, "sh"])
}

#[test]
fn names_of_the_hosts_file_are_known() {
    if !is_root() {
        return skip("a mount namespace needs root");
    }
    let (web, server) = (Web::local(), NameServer::start());
    let port = web.port();
    let start = jobs(&format!(
        "{{ name: 'http', health: {{ http: 'http://shop.test:{port}/ok', {PATIENT} }} }},
         {{ name: 'tcp', health: {{ tcp: 'shop.test:{port}', {PATIENT} }} }}"
    ));
    let mut supervisor = among(start, "127.0.0.1 shop.test\n", &server).start();
    expect(
        &supervisor,
        &[("http", &passed(200)), ("tcp", "is healthy: connected")],
    );
    assert_eq!(supervisor.terminate(), 0);
}

#[test]
fn a_lookup_that_hangs_fails_every_check_and_holds_nothing_up() {
    if !is_root() {
        return skip("a mount namespace needs root");
    }
    let (web, server) = (Web::local(), NameServer::start());
    let port = web.port();
    let start = jobs(&format!(
        "{{ name: 'lost', health: {{ http: 'http://shop.test:1/', timeout: '50ms', {OFTEN} }} }},
         {{ name: 'bad', when: {{ source: 'lost', each: 'unhealthy' }}, exec: ['sh', '-c', 'echo bad >>$FACTS'] }},
         {{ name: 'fine', health: {{ tcp: {port}, {PATIENT} }} }}"
    ))
    .setting("logging: { level: 'DEBUG' }");
    let mut supervisor = among(start, "", &server).ready();
    server.asked.recv().unwrap();
    supervisor
        .stdout
        .wait_for("lost is unhealthy: no result within 50ms");
    supervisor
        .stdout
        .wait_for("lost is unhealthy: the check before still hangs in a name lookup");
    supervisor.facts.expect(&["bad"; 3]);
    assert_eq!(supervisor.http("GET", "/v3/ping", "").body, "ok");
    // When it ends, the next check asks anew.
    server.open.send(()).unwrap();
    supervisor
        .stdout
        .wait_for("lost is unhealthy: cannot look up \"shop.test\": ");
    assert_eq!(supervisor.terminate(), 0);
}

#[test]
fn shutdown_does_not_wait_for_a_lookup() {
    if !is_root() {
        return skip("a mount namespace needs root");
    }
    let server = NameServer::start();
    let start = jobs(&format!(
        "{{ name: 'lost', health: {{ tcp: 'shop.test:1', timeout: '10m', {OFTEN} }} }}"
    ));
    let mut supervisor = among(start, "", &server).start();
    server.asked.recv().unwrap();
    // The lookup would take minutes.
    assert_eq!(supervisor.terminate(), 0);
}
