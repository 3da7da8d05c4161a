//! The release in an image that holds nothing but busybox and a configuration:
//! PID 1 of namespaces of its own, in a root directory without `/proc`, `/dev`,
//! `/var` or `/tmp`.
//!
//! The binary is the one that `CONTAINERPILOT_TEST_BINARY` names if that is
//! static, else the one that `scripts/release` has left.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test that cannot set up its world must fail loudly"
)]

mod support;

use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::process::Stdio;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;

use support::command::{exit_code, wait};
use support::consul::nobody;
use support::image::{Image, OF_ITS_OWN, READ_ONLY, said};
use support::{PATIENCE, deadline, is_root, run, skip};

const SCRIPT: &str = r#"
set -e
containerpilot -ping
containerpilot -version | sed 's/: .*/ is told/'
containerpilot -help | head -n 1
containerpilot -template -out /rendered && grep -c MARK /rendered
containerpilot -putenv GREETING=hello -putenv SECOND=world
containerpilot -putmetric image_script_runs=2
containerpilot -putmetric image_script_runs=3
wget -q -O - "http://$ADDRESS:9090/metrics" | grep ^image_script_runs
containerpilot -maintenance enable && echo enabled
containerpilot -maintenance disable && echo disabled
containerpilot -reload && echo reloaded
containerpilot -socket /nowhere -ping 2>&1 || echo "failed with $?"
containerpilot -unknown 2>&1 | head -n 1
"#;

#[test]
fn scripts_of_busybox_sh_run_every_subcommand() {
    let address = nobody().ip();
    let configuration = format!(
        r#"{{ // MARK
            telemetry: {{ port: 9090, interfaces: ["static:{address}"], metrics: [
                {{ namespace: "image", subsystem: "script", name: "runs", help: "runs", type: "counter" }},
            ] }},
            jobs: [
                {{ name: "script", exec: ["sh", "/etc/script"], logging: {{ raw: true }} }},
                {{ name: "greet", when: {{ source: "script", once: "exitSuccess" }},
                  exec: ["sh", "-c", "echo $GREETING $SECOND"], logging: {{ raw: true }} }},
            ],
        }}"#
    );
    let script = SCRIPT.replace("$ADDRESS", &address.to_string());
    let Some(image) = Image::new(&configuration) else {
        return;
    };
    let outcome = image.file("etc/script", &script).run("", "");
    assert_eq!(
        said(&outcome),
        [
            "ok",
            "Version is told",
            "GitHash is told",
            "Usage of containerpilot:",
            "1",
            "image_script_runs 5",
            "enabled",
            "disabled",
            "reloaded",
            "-ping: cannot reach the control socket \"/nowhere\": no such socket",
            "failed with 1",
            "flag provided but not defined: -unknown",
            "hello world",
        ],
        "{outcome}"
    );
    assert_eq!((outcome.code, outcome.stderr.len()), (0, 0), "{outcome}");
}

const FOLLOW: &str = r#"
set -e
containerpilot -wait app=running
containerpilot -wait app=healthy -timeout 100ms 2>&1 || echo "not after $?"
containerpilot -wait app=healthy
containerpilot -events >/events & follower=$!
kill -9 $follower; wait $follower || echo "killed by $(($? - 128))"
containerpilot -logs app | sed -n 's|.* 2000$|the last of 2000|p'
containerpilot -logs nobody 2>&1 | sed 's/.* answered/answered/'
containerpilot -events -since 0 | head -n 1 | sed 's/"time":"[^"]*",//'
ls -l /run/pilot/socket | cut -c 1-10
"#;

#[test]
fn scripts_of_busybox_sh_follow_what_happens() {
    let configuration = r#"{
        control: { socket: "/run/pilot/socket", mode: "0666", group: "ops" },
        logging: { output: "/log", maxSize: "4KiB", keep: 1 },
        jobs: [
            { name: "app", exec: ["sh", "-c", "seq 1 2000; exec sleep 1000"],
              health: { exec: ["test", "-e", "/ready"], interval: 1, ttl: 5 } },
            { name: "ready", when: { source: "app", once: "unhealthy" }, exec: ["touch", "/ready"] },
            { name: "script", exec: ["sh", "/etc/script"], logging: { raw: true }, essential: true },
        ],
    }"#;
    let Some(image) = Image::new(configuration) else {
        return;
    };
    let image = image
        .file("etc/script", FOLLOW)
        .file("etc/group", "ops:x:0:\n");
    let outcome = image.run("", "");
    let said = said(&outcome);
    assert_eq!(
        said,
        [
            "-wait: app is not healthy after 0.1 s: it is running, unknown",
            "not after 1",
            "killed by 9",
            "the last of 2000",
            "answered 404: no such job: \"nobody\"",
            r#"{"sequence":1,"code":"startup","source":"global"}"#,
            "srw-rw-rw-",
        ],
        "{outcome}"
    );
    assert_eq!(outcome.code, 0, "{outcome}");
    let read = |name: &str| fs::read_to_string(image.root.join(name)).unwrap();
    let (log, old) = (read("log"), read("log.1"));
    assert!(
        log.len() <= 4096 && old.len() <= 4096 && old.len() > 3900,
        "{}",
        old.len()
    );
}

/// One job that asks for its supervisor.
const PING: &str = r#"jobs: [
    { name: "ping", exec: ["containerpilot", "-ping"], logging: { raw: true } },
]"#;

#[test]
fn an_image_needs_nothing_else() {
    if let Some(image) = Image::from_scratch(&format!("{{ {PING} }}")) {
        let outcome = image.run("", "");
        assert_eq!((outcome.code, said(&outcome)), (0, vec!["ok"]), "{outcome}");
    }
}

#[test]
fn a_missing_var_run_is_made() {
    if let Some(image) = Image::new(&format!("{{ {PING} }}")) {
        let outcome = image.run("", "");
        assert_eq!((outcome.code, said(&outcome)), (0, vec!["ok"]), "{outcome}");
        assert!(image.root.join("var/run").is_dir());
    }
}

#[test]
fn on_a_read_only_root_it_says_what_it_cannot_write() {
    if let Some(image) = Image::new(&format!("{{ {PING} }}")) {
        let outcome = image.run(&format!("{OF_ITS_OWN}; {READ_ONLY}"), "");
        assert_eq!(outcome.code, 1, "{outcome}");
        assert_eq!(
            outcome.error_line(),
            "containerpilot: cannot create the control socket's directory \"/var/run\": Read-only file system (os error 30); \
             set control.socket to a path where this user can write"
        );
    }
}

#[test]
fn a_read_only_root_needs_one_writable_directory() {
    let configuration = format!(r#"{{ control: {{ socket: "/run/pilot/socket" }}, {PING} }}"#);
    if let Some(image) = Image::new(&configuration) {
        let mounts = format!("{OF_ITS_OWN}; mount -t tmpfs none run; {READ_ONLY}");
        let outcome = image.run(&mounts, "");
        assert_eq!((outcome.code, said(&outcome)), (0, vec!["ok"]), "{outcome}");
    }
}

#[test]
fn another_user_than_root_needs_one_writable_directory() {
    if !is_root() {
        return skip("only root can become another user");
    }
    let user = "--userspec=4711:4711";
    if let Some(image) = Image::new(&format!("{{ {PING} }}")) {
        let outcome = image.run("", user);
        assert_eq!(outcome.code, 1, "{outcome}");
        assert_eq!(
            outcome.error_line(),
            "containerpilot: cannot create the control socket's directory \"/var/run\": Permission denied (os error 13); \
             set control.socket to a path where this user can write"
        );
    }
    let configuration = format!(r#"{{ control: {{ socket: "/run/socket" }}, {PING} }}"#);
    if let Some(image) = Image::new(&configuration) {
        let outcome = image.run("chown 4711 \"$0/run\"", user);
        assert_eq!((outcome.code, said(&outcome)), (0, vec!["ok"]), "{outcome}");
    }
}

#[test]
fn a_command_without_a_file_needs_nothing_at_all() {
    let Some(image) = Image::from_scratch("") else {
        return;
    };
    // The only other program there is: the same one.
    let words = ["/bin/containerpilot", "--", "containerpilot", "-version"];
    for (mounts, options) in [
        ("".to_owned(), ""),
        (format!("{OF_ITS_OWN}; {READ_ONLY}"), ""),
        ("".to_owned(), "--userspec=4711:4711"),
    ] {
        if !options.is_empty() && !is_root() {
            skip("only root can become another user");
            continue;
        }
        let outcome = run(&mut image.command(&mounts, options, &words));
        assert_eq!((outcome.code, outcome.stderr.len()), (0, 0), "{outcome}");
        assert!(outcome.stdout[0].starts_with("Version: "), "{outcome}");
    }
    let words = ["/bin/containerpilot", "--", "no-such-program"];
    let outcome = run(&mut image.command("", "", &words));
    assert_eq!(outcome.code, 127, "{outcome}");
    assert!(
        outcome.error_line().contains("not found in PATH"),
        "{outcome}"
    );
}

#[test]
fn without_dev_a_job_has_an_empty_stdin() {
    let configuration = r#"{ jobs: [
        { name: "read", exec: ["sh", "-c", "read line || echo nothing to read"], logging: { raw: true } },
    ] }"#;
    if let Some(image) = Image::new(configuration) {
        let outcome = image.run("", "");
        assert_eq!(said(&outcome), ["nothing to read"], "{outcome}");
        assert_eq!(outcome.code, 0, "{outcome}");
    }
}

/// A Consul that knows nothing and forgets everything: the first line of each
/// request, and what host it is meant for.
fn consul(address: SocketAddr) -> Receiver<(String, String)> {
    let listener = TcpListener::bind(address).unwrap();
    let (sender, requests) = channel();
    // Ends with the tests.
    thread::spawn(move || {
        for stream in listener.incoming() {
            answer(stream.unwrap(), &sender);
        }
    });
    requests
}

fn answer(mut stream: TcpStream, requests: &Sender<(String, String)>) {
    let mut head = BufReader::new(&stream).lines().map_while(Result::ok);
    let Some(first) = head.next() else { return };
    let host = head.take_while(|line| !line.is_empty()).find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("host")
            .then(|| value.trim().to_owned())
    });
    let reply = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}";
    // The supervisor may have ended meanwhile, and the test with it.
    if stream.write_all(reply).is_ok() {
        let _ = requests.send((first, host.unwrap_or_default()));
    }
}

/// A job that is advertised in a Consul of this name as long as it runs, which
/// is until a line comes through `/etc/gate`.
fn advertised(consul: &str) -> String {
    format!(
        r#"{{ consul: "{consul}", jobs: [
            {{ name: "web", port: 80, interfaces: ["static:192.0.2.1"], health: {{ exec: "true", interval: 1, ttl: 10 }},
              exec: ["sh", "-c", "read line </etc/gate"] }},
        ] }}"#
    )
}

/// Runs the supervisor until Consul, asked for by its name, has been told of the job.
#[track_caller]
fn wait_for_registration(image: &Image, requests: &Receiver<(String, String)>, host: &str) {
    let mut gate = fs::File::options()
        .read(true)
        .write(true)
        .open(image.root.fifo("etc/gate"))
        .unwrap();
    let mut command = image.supervisor("", "");
    let mut child = command.stdout(Stdio::inherit()).spawn().unwrap();
    loop {
        let (request, to) = requests.recv_timeout(PATIENCE).unwrap();
        assert_eq!(to, host);
        if request.starts_with("PUT /v1/agent/service/register") {
            break;
        }
    }
    gate.write_all(b"\n").unwrap();
    let status = wait(&mut child, deadline()).unwrap();
    assert_eq!(exit_code(status), 0);
}

#[test]
fn consul_is_found_in_the_hosts_file() {
    let address = nobody();
    let Some(image) = Image::new(&advertised("consul.test:8500")) else {
        return;
    };
    let image = image.file("etc/hosts", &format!("{} consul.test\n", address.ip()));
    wait_for_registration(&image, &consul(address), "consul.test:8500");
}

#[test]
fn consul_is_found_through_a_name_server() {
    if !is_root() {
        return skip("only root can be a name server");
    }
    let address = nobody();
    let Some(image) = Image::new(&advertised("consul.test:8500")) else {
        return;
    };
    let IpAddr::V4(ip) = address.ip() else {
        panic!("{address} is not of version 4")
    };
    serve_names(ip);
    let image = image.file("etc/resolv.conf", &format!("nameserver {ip}\n"));
    wait_for_registration(&image, &consul(address), "consul.test:8500");
}

/// A name server at `ip` that knows one address for every name, `ip`; RFC 1035, 4.1.
fn serve_names(ip: Ipv4Addr) {
    let socket = UdpSocket::bind((ip, 53)).unwrap();
    // Ends with the tests.
    thread::spawn(move || {
        let mut packet = [0; 512];
        loop {
            let (length, from) = socket.recv_from(&mut packet).unwrap();
            let mut reply = packet[..length].to_vec();
            // The type of the question is followed by its class only.
            let is_a = reply[length - 4..length - 2] == [0, 1];
            // A response, recursion available, no error.
            reply[2..4].copy_from_slice(&[0x81, 0x80]);
            // One answer at most, and nothing of what else was sent along.
            reply[6..12].copy_from_slice(&[0, u8::from(is_a), 0, 0, 0, 0]);
            if is_a {
                // The name is that of the question; A, IN, a minute, four bytes.
                reply.extend([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4]);
                reply.extend(ip.octets());
            }
            socket.send_to(&reply, from).unwrap();
        }
    });
}

/// As a kernel starts an init when there is no console.
#[test]
fn without_standard_streams_and_anything_to_open_for_them_it_works_as_well() {
    let configuration = r#"{ jobs: [{ name: "app", exec: ["sh", "-c", "echo ran >/run/out"] }] }"#;
    let Some(image) = Image::new(configuration) else {
        return;
    };
    let outcome = image.run("exec 0<&- 1>&- 2>&-", "");
    assert_eq!(outcome.code, 0, "{outcome}");
    let out = fs::read_to_string(image.root.join("run/out")).unwrap();
    assert_eq!(out, "ran\n");
}
