//! Real Consul agents, each on a loopback address of its own.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::Value;

use super::http::Response;
use super::lines::Lines;
use super::temporary::Temporary;
use super::{PATIENCE, command, deadline, free_address, run, skip};

/// What a test agent differs in from Consul's defaults: it opens only the ports
/// that are needed, elects fast, and asks nobody for updates.
const SETTINGS: &str = r#"{
    "ports": { "dns": -1, "grpc": -1, "serf_wan": -1 },
    "connect": { "enabled": false },
    "performance": { "raft_multiplier": 1 },
    "disable_update_check": true
}"#;

/// An agent that is about to start.
#[derive(Debug)]
pub(crate) struct Start {
    directory: Temporary,
    address: Ipv4Addr,
    network: Option<String>,
    arguments: Vec<String>,
}

impl Start {
    /// `consul agent -dev`: a server, client and catalog of its own.
    pub(crate) fn dev() -> Self {
        Self::with(&["-dev"])
    }

    /// One of `count` servers that elect a leader.
    pub(crate) fn server(count: usize) -> Self {
        Self::with(&["-server", "-bootstrap-expect", &count.to_string()]).keeping_data()
    }

    /// An agent without a catalog of its own; it must [`Start::join`] a server.
    pub(crate) fn client() -> Self {
        Self::with(&[]).keeping_data()
    }

    fn with(arguments: &[&str]) -> Self {
        let directory = Temporary::new();
        directory.write("base.json", SETTINGS);
        directory.write("more.json", "{}");
        Self {
            directory,
            address: free_address(),
            network: None,
            arguments: arguments.iter().map(|word| (*word).to_owned()).collect(),
        }
    }

    fn keeping_data(mut self) -> Self {
        let data = self.directory.join("data").to_str().unwrap().to_owned();
        self.arguments.extend(["-data-dir".to_owned(), data]);
        self
    }

    /// Joins the agents at these addresses.
    pub(crate) fn join(mut self, others: &[Ipv4Addr]) -> Self {
        for other in others {
            let words = ["-retry-join".to_owned(), other.to_string()];
            self.arguments.extend(words);
        }
        self
    }

    /// At this address instead of one of the loopback network.
    pub(crate) fn at(mut self, address: Ipv4Addr) -> Self {
        self.address = address;
        self
    }

    /// In a network namespace of this name.
    pub(crate) fn in_network(mut self, name: &str) -> Self {
        self.network = Some(name.to_owned());
        self
    }

    /// With more settings, in Consul's JSON; they may name files of `directory`.
    pub(crate) fn settings(self, settings: &str) -> Self {
        self.directory.write("more.json", settings);
        self
    }

    /// The address that it will have.
    pub(crate) fn address(&self) -> Ipv4Addr {
        self.address
    }

    /// The words that start it.
    pub(crate) fn words(&self) -> Option<Vec<String>> {
        let program = program()?.to_str().unwrap().to_owned();
        let address = self.address.to_string();
        let mut words = Vec::new();
        if let Some(network) = &self.network {
            words.extend(["ip", "netns", "exec", network].map(str::to_owned));
        }
        words.extend([program, "agent".to_owned()]);
        words.extend(["-node".to_owned(), format!("node-{address}")]);
        words.extend(["-log-level".to_owned(), "debug".to_owned()]);
        for flag in ["-bind", "-client"] {
            words.extend([flag.to_owned(), address.clone()]);
        }
        for file in ["base.json", "more.json"] {
            let file = self.directory.join(file).to_str().unwrap().to_owned();
            words.extend(["-config-file".to_owned(), file]);
        }
        words.extend(self.arguments.clone());
        Some(words)
    }

    /// Starts it; `None`, and said so, if Consul is not installed.
    pub(crate) fn start(self) -> Option<Agent> {
        let words = self.words()?;
        let (child, log) = spawn(&words, self.directory.path());
        Some(Agent {
            child,
            words,
            address: self.address,
            log,
            directory: self.directory,
        })
    }

    /// Starts it and waits until its catalog knows it.
    pub(crate) fn ready(self) -> Option<Agent> {
        let agent = self.start()?;
        agent.wait_until_ready();
        Some(agent)
    }
}

/// A running agent, killed when dropped.
#[derive(Debug)]
pub(crate) struct Agent {
    child: Child,
    words: Vec<String>,
    address: Ipv4Addr,
    log: Lines,
    directory: Temporary,
}

impl Agent {
    /// A `consul agent -dev` of which nothing special is wanted.
    pub(crate) fn dev() -> Option<Self> {
        Start::dev().ready()
    }

    /// Waits until the catalog knows this agent.
    #[track_caller]
    pub(crate) fn wait_until_ready(&self) {
        self.log.wait_for("Synced node info");
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
    #[track_caller]
    pub(crate) fn answered(&self, pattern: &str) -> usize {
        static MARKS: AtomicUsize = AtomicUsize::new(0);
        // It logs a request after its answer: these are logged after those that
        // have been answered before.
        for _ in 0..2 {
            let mark = MARKS.fetch_add(1, Ordering::Relaxed);
            self.get(&format!("/v1/agent/self?mark={mark}"));
            self.log
                .wait_to_have(&format!("/v1/agent/self?mark={mark} "));
        }
        let lines = self.log.all();
        let requests = lines
            .iter()
            .filter(|line| line.contains("Request finished"));
        requests.filter(|line| line.contains(pattern)).count()
    }

    /// Kills it. A dev agent keeps nothing, others keep what they know.
    pub(crate) fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Starts it again after [`Agent::kill`], as it was started before.
    pub(crate) fn revive(&mut self) {
        (self.child, self.log) = spawn(&self.words, self.directory.path());
        self.wait_until_ready();
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

/// Starts an agent; whoever needs its catalog waits for that.
fn spawn(words: &[String], directory: &Path) -> (Child, Lines) {
    let mut child = command::command(&words[0])
        .args(&words[1..])
        .env("HOME", directory)
        .current_dir(directory)
        .stdout(Stdio::piped())
        .stderr(fs::File::create(directory.join("stderr")).unwrap())
        .spawn()
        .unwrap();
    let log = Lines::collect(child.stdout.take().unwrap());
    (child, log)
}

/// A loopback address at which nobody listens.
pub(crate) fn nobody() -> SocketAddr {
    (free_address(), 8500).into()
}
