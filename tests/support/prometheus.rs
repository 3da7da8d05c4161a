//! The real Prometheus, its promtool and its Python client.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::thread;

use crossbeam_channel::{Receiver, unbounded};
use serde_json::Value;

use super::command::{Outcome, command, run};
use super::http::Response;
use super::lines::Lines;
use super::temporary::Temporary;
use super::{PATIENCE, deadline, skip};

/// Where scripts/install-prometheus put the tools.
#[derive(Clone, Debug)]
pub(crate) struct Tools {
    folder: PathBuf,
}

impl Tools {
    /// The tools, installed now if they were not; `None`, with a word on why,
    /// if that cannot be done here.
    #[track_caller]
    pub(crate) fn find() -> Option<Self> {
        static FOUND: OnceLock<Result<PathBuf, String>> = OnceLock::new();
        let found = FOUND.get_or_init(|| {
            let script = repository().join("scripts/install-prometheus");
            // With the environment as it is: it says where the cache is.
            let outcome = run(&mut Command::new(script));
            match outcome.stdout.last() {
                Some(folder) if outcome.code == 0 => Ok(PathBuf::from(folder)),
                _ => Err(outcome.to_string()),
            }
        });
        match found {
            Ok(folder) => Some(Self {
                folder: folder.clone(),
            }),
            Err(reason) => {
                skip(&format!("no Prometheus: {reason}"));
                None
            }
        }
    }

    /// The path of a program of the package `prometheus`.
    pub(crate) fn program(&self, name: &str) -> PathBuf {
        self.folder.join("usr/bin").join(name)
    }

    /// Runs promtool, with a file on its standard input if there is one.
    pub(crate) fn promtool(&self, arguments: &[&str], input: Option<&Path>) -> Outcome {
        let mut promtool = command(self.program("promtool"));
        promtool.args(arguments).current_dir(repository());
        if let Some(input) = input {
            promtool.stdin(File::open(input).unwrap());
        }
        run(&mut promtool)
    }

    /// Has the Python client read an exposition; see read_exposition.py.
    pub(crate) fn read_exposition(&self, format: &str, exposition: &Path) -> Outcome {
        let mut python = command(self.folder.join("venv/bin/python"));
        python
            .arg(repository().join("tests/support/read_exposition.py"))
            .arg(format)
            .stdin(File::open(exposition).unwrap());
        run(&mut python)
    }
}

/// The root of the repository.
pub(crate) fn repository() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The labels of a series, its name among them, and its value.
pub(crate) type Sample = (BTreeMap<String, String>, f64);

/// A running Prometheus that scrapes once a second.
#[derive(Debug)]
pub(crate) struct Prometheus {
    child: Child,
    log: Lines,
    address: SocketAddr,
    ticks: Receiver<()>,
}

impl Prometheus {
    /// One with its data in `directory`, the rules of the manual, and one target
    /// of the job `containerpilot`.
    #[track_caller]
    pub(crate) fn start(tools: &Tools, directory: &Temporary, target: SocketAddr) -> Self {
        let (metronome, ticks) = metronome();
        let rules = repository().join("docs/prometheus-alerts.yml");
        let config = format!(
            "global: {{scrape_interval: 1s, scrape_timeout: 1s, evaluation_interval: 1s}}\n\
             rule_files: [{rules:?}]\n\
             scrape_configs:\n\
             - job_name: containerpilot\n  static_configs: [{{targets: [\"{target}\"]}}]\n\
             - job_name: metronome\n  static_configs: [{{targets: [\"{metronome}\"]}}]\n"
        );
        let config = directory.write("prometheus.yml", &config);
        let mut child = command(tools.program("prometheus"))
            .arg(format!("--config.file={}", config.display()))
            .arg(format!(
                "--storage.tsdb.path={}",
                directory.join("data").display()
            ))
            .arg("--web.listen-address=127.0.0.1:0")
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let log = Lines::collect(child.stderr.take().unwrap());
        let listening = log.wait_for("msg=\"Listening on\"");
        let address = listening.split_once("address=").unwrap().1;
        // It may come before the other one.
        log.wait_to_have("Server is ready to receive web requests");
        Self {
            child,
            log,
            address: address.parse().unwrap(),
            ticks,
        }
    }

    /// The samples that a PromQL expression yields now.
    #[track_caller]
    pub(crate) fn query(&self, expression: &str) -> Vec<Sample> {
        let answer = self.get("/api/v1/query", &[("query", expression)]);
        assert_eq!(answer["status"], "success", "{expression}: {answer}");
        let data = &answer["data"];
        if data["resultType"] == "scalar" {
            return vec![(BTreeMap::new(), number(&data["result"][1]))];
        }
        let samples = data["result"].as_array().unwrap().iter();
        samples
            .map(|sample| {
                let labels = serde_json::from_value(sample["metric"].clone()).unwrap();
                (labels, number(&sample["value"][1]))
            })
            .collect()
    }

    /// Asks after each scrape until the answer is as wished.
    #[track_caller]
    pub(crate) fn wait_for(
        &self,
        expression: &str,
        is_as_wished: impl Fn(&[Sample]) -> bool,
    ) -> Vec<Sample> {
        let deadline = deadline();
        loop {
            let samples = self.query(expression);
            if is_as_wished(&samples) {
                return samples;
            }
            let tick = self.ticks.recv_deadline(deadline);
            assert!(
                tick.is_ok(),
                "{expression} has become no more than {samples:?}"
            );
        }
    }

    /// The answer of Prometheus' HTTP API.
    #[track_caller]
    pub(crate) fn get(&self, path: &str, parameters: &[(&str, &str)]) -> Value {
        let query: Vec<String> = parameters
            .iter()
            .map(|(name, value)| format!("{name}={}", percent_encoded(value)))
            .collect();
        // HTTP/1.0, so that the body is not chunked.
        let request = format!("GET {path}?{} HTTP/1.0\r\n\r\n", query.join("&"));
        let mut stream = TcpStream::connect(self.address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.write_all(request.as_bytes()).unwrap();
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).unwrap();
        serde_json::from_str(&Response::parse(&answer).body).unwrap()
    }
}

impl Drop for Prometheus {
    fn drop(&mut self) {
        let _ended = self.child.kill();
        let _reaped = self.child.wait();
        if std::thread::panicking() {
            eprintln!("--- prometheus\n{}", self.log.all().join("\n"));
        }
    }
}

fn number(text: &Value) -> f64 {
    let text = text.as_str().unwrap();
    text.parse()
        .unwrap_or_else(|_| panic!("{text} is no number"))
}

fn percent_encoded(text: &str) -> String {
    text.bytes().map(|byte| format!("%{byte:02X}")).collect()
}

/// A target that has nothing to tell but that a scrape happens: each one is a
/// tick, at the pace of all scrapes.
fn metronome() -> (SocketAddr, Receiver<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let (sender, ticks) = unbounded();
    thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let mut request = [0; 4096];
            // Its request is small and comes at once; its content is known.
            let _length = stream.read(&mut request).unwrap();
            let answer = b"HTTP/1.0 200 OK\r\nContent-Type: text/plain\r\n\r\nticks 1\n";
            // A Prometheus that is being killed need not hear it.
            let _gone = stream.write_all(answer);
            if sender.send(()).is_err() {
                return;
            }
        }
    });
    (address, ticks)
}
