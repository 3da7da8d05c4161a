//! A real Consul agent, on a loopback address of its own.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::sync::OnceLock;

use serde_json::Value;

use super::http::Response;
use super::lines::Lines;
use super::temporary::Temporary;
use super::{PATIENCE, command, deadline, free_address, run, skip};

/// What a test agent differs in from `consul agent -dev`: it opens only the ports
/// that are needed and asks nobody for updates.
const SETTINGS: &str = r#"{
    "ports": { "dns": -1, "grpc": -1, "serf_wan": -1 },
    "connect": { "enabled": false },
    "disable_update_check": true
}"#;

/// A running `consul agent -dev`, killed when dropped.
#[derive(Debug)]
pub(crate) struct Agent {
    child: Child,
    address: Ipv4Addr,
    log: Lines,
    directory: Temporary,
}

impl Agent {
    /// Starts an agent and waits until its catalog answers; `None`, and said so,
    /// if Consul is not installed.
    pub(crate) fn start() -> Option<Self> {
        Self::start_with("{}")
    }

    /// An agent with more settings, in Consul's JSON.
    pub(crate) fn start_with(settings: &str) -> Option<Self> {
        Self::start_in(Temporary::new(), settings)
    }

    /// An agent whose settings may name files in `directory`.
    pub(crate) fn start_in(directory: Temporary, settings: &str) -> Option<Self> {
        let program = program()?;
        directory.write("base.json", SETTINGS);
        directory.write("more.json", settings);
        let address = free_address();
        let (child, log) = spawn(program, address, directory.path());
        Some(Self {
            child,
            address,
            log,
            directory,
        })
    }

    /// `host:port` of its HTTP interface.
    pub(crate) fn http(&self) -> String {
        format!("{}:8500", self.address)
    }

    /// Its IP address.
    pub(crate) fn address(&self) -> Ipv4Addr {
        self.address
    }

    /// Its files.
    pub(crate) fn directory(&self) -> &Temporary {
        &self.directory
    }

    /// The lines of its log.
    pub(crate) fn log(&self) -> &Lines {
        &self.log
    }

    /// How many requests it has answered whose method and URL contain this.
    pub(crate) fn answered(&self, pattern: &str) -> usize {
        let lines = self.log.all();
        let requests = lines
            .iter()
            .filter(|line| line.contains("Request finished"));
        requests.filter(|line| line.contains(pattern)).count()
    }

    /// Kills it; it keeps nothing.
    pub(crate) fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Starts it again after [`Agent::kill`], empty, at the same address.
    pub(crate) fn revive(&mut self) {
        (self.child, self.log) = spawn(program().unwrap(), self.address, self.directory.path());
    }

    /// One request with a token, if not empty.
    #[track_caller]
    pub(crate) fn request(&self, method: &str, path: &str, token: &str, body: &str) -> Response {
        let mut stream = TcpStream::connect((self.address, 8500)).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        // HTTP/1.0, so that the answer ends with the connection.
        write!(
            stream,
            "{method} {path} HTTP/1.0\r\nX-Consul-Token: {token}\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        )
        .unwrap();
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).unwrap();
        Response::parse(&answer)
    }

    /// The JSON at a path.
    #[track_caller]
    pub(crate) fn get(&self, path: &str) -> Value {
        let answer = self.request("GET", path, "", "");
        assert_eq!(answer.status, 200, "{path}: {}", answer.body);
        serde_json::from_str(&answer.body).unwrap()
    }

    /// A PUT that must succeed.
    #[track_caller]
    pub(crate) fn put(&self, path: &str, body: &str) {
        let answer = self.request("PUT", path, "", body);
        assert_eq!(answer.status, 200, "{path}: {}", answer.body);
    }

    /// Waits, with blocking queries, until the JSON at a path is as wanted.
    #[track_caller]
    pub(crate) fn wait_until(&self, path: &str, is_wanted: impl Fn(&Value) -> bool) -> Value {
        let deadline = deadline();
        let separator = if path.contains('?') { '&' } else { '?' };
        let mut index = "0".to_owned();
        loop {
            let blocking = format!("{path}{separator}index={index}&wait=20s");
            let answer = self.request("GET", &blocking, "", "");
            let value = serde_json::from_str(&answer.body).unwrap_or(Value::Null);
            if answer.status == 200 && is_wanted(&value) {
                return value;
            }
            assert!(
                std::time::Instant::now() < deadline,
                "{path} stays {value:#}\nlog:\n{}",
                self.log.all().join("\n")
            );
            index = answer.header("x-consul-index").unwrap_or("0").to_owned();
        }
    }

    /// Waits until the catalog's check of a service has a status (`None`: the
    /// service is not there).
    #[track_caller]
    pub(crate) fn wait_for_status(&self, service: &str, status: Option<&str>) {
        self.wait_until(&format!("/v1/health/checks/{service}"), |checks| {
            checks[0]["Status"].as_str() == status
        });
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("--- log of consul at {}", self.address);
            for line in self.log.all() {
                eprintln!("{line}");
            }
        }
        self.kill();
    }
}

/// The installed Consul, if there is one.
pub(crate) fn program() -> Option<&'static Path> {
    static PROGRAM: OnceLock<Result<PathBuf, String>> = OnceLock::new();
    let program = PROGRAM.get_or_init(|| {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts/install-consul");
        let mut command = command::command(script);
        command.arg("--path");
        for name in ["HOME", "XDG_CACHE_HOME", "CONTAINERPILOT_TEST_CACHE"] {
            if let Some(value) = std::env::var_os(name) {
                command.env(name, value);
            }
        }
        let outcome = run(&mut command);
        match &outcome.stdout[..] {
            [path] if outcome.code == 0 => Ok(path.into()),
            _ => Err(outcome.to_string()),
        }
    });
    if let Err(reason) = program {
        skip(&format!(
            "there is no Consul (scripts/install-consul installs it): {reason}"
        ));
    }
    program.as_deref().ok()
}

/// Starts an agent and waits until it has entered itself in its catalog.
fn spawn(program: &Path, address: Ipv4Addr, directory: &Path) -> (Child, Lines) {
    let mut command = command::command(program);
    command
        .args(["agent", "-dev", "-node", "test"])
        .args(["-bind", &address.to_string()])
        .args(["-client", &address.to_string()]);
    for file in ["base.json", "more.json"] {
        command.arg("-config-file").arg(directory.join(file));
    }
    let mut child = command
        .env("HOME", directory)
        .current_dir(directory)
        .stdout(Stdio::piped())
        .stderr(fs::File::create(directory.join("stderr")).unwrap())
        .spawn()
        .unwrap();
    let log = Lines::collect(child.stdout.take().unwrap());
    log.wait_for("Synced node info");
    (child, log)
}

/// A loopback address at which nobody listens.
pub(crate) fn nobody() -> SocketAddr {
    (free_address(), 8500).into()
}
