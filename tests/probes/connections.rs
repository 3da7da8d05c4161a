//! TCP and Unix sockets: a connection that can be made is all that is asked for.

use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::fd::AsRawFd as _;
use std::os::unix::net::{UnixListener, UnixStream};
use std::time::Duration;

use crate::support::consul::{Agent, nobody};
use crate::support::{Temporary, is_root, jobs, skip};
use crate::{PATIENT, checking, expect};

const CONNECTED: &str = "is healthy: connected after ";

#[test]
fn a_port_at_which_somebody_listens_is_healthy() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let refused = nobody();
    let checks = [
        ("address", format!("tcp: '127.0.0.1:{port}'")),
        ("name", format!("tcp: 'localhost:{port}'")),
        ("colon", format!("tcp: ':{port}'")),
        ("number", format!("tcp: {port}")),
        ("refused", format!("tcp: '{refused}'")),
    ];
    let checks = checks
        .each_ref()
        .map(|(name, check)| (*name, check.as_str()));
    let supervisor = checking(&checks);
    let why = format!("is unhealthy: cannot connect to {refused}: ");
    expect(
        &supervisor,
        &[
            ("address", CONNECTED),
            ("name", CONNECTED),
            ("colon", CONNECTED),
            ("number", CONNECTED),
            ("refused", &why),
        ],
    );
}

#[test]
fn ipv6_is_written_in_brackets() {
    let Ok(listener) = TcpListener::bind("[::1]:0") else {
        return skip("there is no IPv6 here");
    };
    let port = listener.local_addr().unwrap().port();
    let supervisor = checking(&[("app", &format!("tcp: '[::1]:{port}'"))]);
    expect(&supervisor, &[("app", CONNECTED)]);
}

#[test]
fn a_socket_at_which_somebody_listens_is_healthy_and_a_left_over_file_is_not() {
    let directory = Temporary::new();
    let _listener = UnixListener::bind(directory.join("alive")).unwrap();
    drop(UnixListener::bind(directory.join("dead")).unwrap());
    directory.write("file", "");
    let checks = ["alive", "dead", "file", "none"];
    let checks = checks.map(|name| (name, format!("unix: {:?}", directory.join(name))));
    let checks = checks
        .each_ref()
        .map(|(name, check)| (*name, check.as_str()));
    let supervisor = checking(&checks);
    expect(
        &supervisor,
        &[
            ("alive", CONNECTED),
            ("dead", "(os error 111)"),
            ("file", "(os error 111)"),
            ("none", "(os error 2)"),
        ],
    );
}

#[test]
fn a_connection_that_reaches_only_itself_is_none() {
    if !is_root() {
        return skip("a network namespace needs root");
    }
    // A host that has no other port for its clients than the one they ask for.
    let script = "ip link set lo up; exec 9>/proc/sys/net/ipv4/ip_local_port_range; \
        echo '40000 40000' >&9; exec 9>&-; exec \"$@\"";
    let start = jobs(&format!(
        "{{ name: 'app', health: {{ tcp: 40000, {PATIENT} }} }}"
    ));
    let words = ["unshare", "--net", "sh", "-ec", script, "sh"];
    let mut supervisor = start.through(&words).start();
    let line = supervisor.stdout.wait_for("app is ");
    let refused = "app is unhealthy: cannot connect to 127.0.0.1:40000: ";
    assert!(line.contains(refused), "{line}");
    assert_eq!(supervisor.terminate(), 0);
}

/// Makes a listener's queue as short as can be.
fn shorten(listener: &impl std::os::fd::AsFd) {
    // SAFETY: a call without pointers on a descriptor that is open.
    let result = unsafe { libc::listen(listener.as_fd().as_raw_fd(), 0) };
    assert_eq!(result, 0);
}

#[test]
fn a_connection_that_is_not_made_in_time_is_unhealthy() {
    let directory = Temporary::new();
    let unix = UnixListener::bind(directory.join("full")).unwrap();
    shorten(&unix);
    let _waiting = UnixStream::connect(directory.join("full")).unwrap();
    let tcp = TcpListener::bind("127.0.0.1:0").unwrap();
    shorten(&tcp);
    let address = tcp.local_addr().unwrap();
    let _waiting = fill(address);
    let unix = format!("unix: {:?}, timeout: '200ms'", directory.join("full"));
    let tcp = format!("tcp: '{address}', timeout: '200ms'");
    let supervisor = checking(&[("unix", &unix), ("tcp", &tcp)]);
    let late = " within 200ms";
    expect(&supervisor, &[("unix", late), ("tcp", late)]);
}

/// Connects until nobody can any more.
fn fill(address: SocketAddr) -> Vec<TcpStream> {
    let connect = || TcpStream::connect_timeout(&address, Duration::from_millis(300)).ok();
    std::iter::from_fn(connect).collect()
}

const APP: &str = "
import socket, sys
server = socket.socket(socket.AF_UNIX)
server.bind(sys.argv[1])
server.listen()
while True:
    server.accept()
";

#[test]
fn a_job_that_begins_to_listen_becomes_healthy_and_starts_who_waits_for_it() {
    let start = jobs(&format!(
        r#"{{ name: "app", exec: ["sh", "-c", "read go <$GATE; exec python3 $DIR/app.py $DIR/app.socket"],
              health: {{ unix: "@DIR@/app.socket", {PATIENT} }} }},
           {{ name: "next", when: {{ source: "app", once: "healthy" }}, exec: ["sh", "-c", "echo next >>$FACTS"] }}"#
    ));
    start.directory().write("app.py", APP);
    let mut supervisor = start.start();
    supervisor.stdout.wait_for("app is unhealthy: ");
    supervisor.gate.release();
    supervisor.stdout.wait_for("app is healthy: ");
    supervisor.facts.expect(&["next"]);
    assert_eq!(supervisor.terminate(), 0);
}

#[test]
fn a_service_is_registered_for_as_long_as_somebody_listens() {
    let Some(agent) = Agent::dev() else { return };
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let mut supervisor = jobs(&format!(
        "{{ name: 'app', exec: 'sleep 1000', port: 8000, interfaces: 'static:10.1.2.3',
            health: {{ tcp: '{address}', interval: '100ms', ttl: 1, timeout: '20s' }} }}"
    ))
    .setting(&format!("consul: '{}'", agent.http()))
    .start();
    agent.wait_for_status("app", Some("passing"));
    drop(listener);
    supervisor
        .stdout
        .wait_for("app is unhealthy: cannot connect to ");
    agent.wait_for_status("app", Some("critical"));
    let _again = TcpListener::bind(address).unwrap();
    agent.wait_for_status("app", Some("passing"));
    assert_eq!(supervisor.terminate(), 0);
    agent.wait_for_status("app", None);
}
