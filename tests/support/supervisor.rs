//! The real binary as a supervisor, in a temporary directory of its own.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use super::command::{self, Outcome, run};
use super::facts::{Facts, Gate, Lifeline};
use super::http::{self, Response};
use super::lines::Lines;
use super::temporary::Temporary;
use super::{NOBODY, binary, deadline, is_root, namespace, processes, programs};

/// A supervisor that is about to start.
#[derive(Debug)]
pub(crate) struct Start {
    directory: Temporary,
    settings: String,
    jobs: String,
    environment: Vec<(String, String)>,
    socket: String,
    through: Vec<String>,
    program: PathBuf,
    arguments: Option<Vec<String>>,
    is_pid1: bool,
    reads_stdout: bool,
}

/// A supervisor with these jobs, written as in a configuration file:
/// `{ name: "a", exec: "true" }, …`. `@DIR@` in it becomes the directory of the
/// test, for commands that no shell expands.
pub(crate) fn jobs(jobs: &str) -> Start {
    Start {
        directory: Temporary::new(),
        settings: String::new(),
        jobs: jobs.to_owned(),
        environment: Vec::new(),
        socket: "socket".to_owned(),
        through: Vec::new(),
        program: binary(),
        arguments: None,
        is_pid1: false,
        reads_stdout: true,
    }
}

/// A supervisor that is given these arguments instead of a configuration file, such
/// as a command. `@DIR@` in them becomes the directory of the test.
pub(crate) fn arguments(words: &[&str]) -> Start {
    Start {
        arguments: Some(words.iter().map(ToString::to_string).collect()),
        ..jobs("")
    }
}

impl Start {
    /// More top-level settings, e.g. `stopTimeout: 1`.
    pub(crate) fn setting(mut self, setting: &str) -> Self {
        self.settings.push_str(setting);
        self.settings.push_str(",\n");
        self
    }

    /// One more variable in the supervisor's environment.
    pub(crate) fn env(mut self, name: &str, value: &str) -> Self {
        self.environment.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Another socket than `$DIR/socket`: relative to that directory, or absolute.
    pub(crate) fn socket(mut self, path: &str) -> Self {
        path.clone_into(&mut self.socket);
        self
    }

    /// Started by a command that ends in `exec "$@"` or its like.
    pub(crate) fn through(mut self, words: &[&str]) -> Self {
        self.through = words.iter().map(ToString::to_string).collect();
        self
    }

    /// Another binary than the one under test.
    pub(crate) fn binary(mut self, path: &str) -> Self {
        self.program = path.into();
        self
    }

    /// As nobody, if the tests run as root.
    pub(crate) fn unprivileged(mut self) -> Self {
        if is_root() {
            let everybody = fs::Permissions::from_mode(0o777);
            fs::set_permissions(self.directory.path(), everybody).unwrap();
            // Nobody may not look into the directory where the binary was built.
            self.program = self.directory.join("containerpilot");
            programs::install(&binary(), &self.program);
            self = self.through(&NOBODY);
        }
        self
    }

    /// The directory of this test, `$DIR` in its scripts.
    pub(crate) fn directory(&self) -> &Temporary {
        &self.directory
    }

    /// As PID 1 of a PID namespace; ask [`namespace::available`] first.
    pub(crate) fn in_namespace(mut self) -> Self {
        self.is_pid1 = true;
        self
    }

    /// With a reader of stdout that does not read until told to.
    pub(crate) fn with_stalled_stdout(mut self) -> Self {
        self.reads_stdout = false;
        self
    }

    /// Starts, and waits until the control plane answers and the first jobs run.
    #[track_caller]
    pub(crate) fn ready(self) -> Supervisor {
        let mut supervisor = self.start();
        supervisor.wait_until_ready();
        supervisor
    }

    /// Starts.
    #[track_caller]
    pub(crate) fn start(self) -> Supervisor {
        let socket = self.directory.join(&self.socket);
        let Self { settings, jobs, .. } = &self;
        let text =
            format!("{{\ncontrol: {{ socket: {socket:?} }},\n{settings}jobs: [\n{jobs}\n]\n}}\n");
        let text = text.replace("@DIR@", self.directory.path().to_str().unwrap());
        let config = self.directory.write("config.json5", &text);
        let facts = Facts::open(&self.directory.fifo("facts"));
        let lifeline = Lifeline::open(&self.directory.fifo("lifeline"));
        let gate = Gate::open(&self.directory.fifo("gate"));
        let mut child = self.command(&config).spawn().unwrap();
        let stderr = Lines::collect(child.stderr.take().unwrap());
        let unread = child.stdout.take().unwrap();
        let (stdout, unread) = if self.reads_stdout {
            (Lines::collect(unread), None)
        } else {
            (Lines::default(), Some(unread))
        };
        Supervisor {
            child,
            code: None,
            is_pid1: self.is_pid1,
            directory: self.directory,
            config,
            socket,
            facts,
            lifeline,
            gate,
            stdout,
            stderr,
            unread,
        }
    }

    fn command(&self, config: &Path) -> Command {
        let mut words = self.through.clone();
        words.push(self.program.to_str().unwrap().to_owned());
        if self.is_pid1 {
            words.splice(..0, namespace::arguments());
        }
        let mut command = command::command(&words[0]);
        command.args(&words[1..]);
        let directory = self.directory.path().to_str().unwrap();
        match &self.arguments {
            Some(words) => command.args(words.iter().map(|word| word.replace("@DIR@", directory))),
            None => command.arg("-config").arg(config),
        };
        command
            .env("FACTS", self.directory.join("facts"))
            .env("LIFELINE", self.directory.join("lifeline"))
            .env("GATE", self.directory.join("gate"))
            .env("DIR", self.directory.path())
            .envs(self.environment.iter().map(|(name, value)| (name, value)))
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .process_group(0);
        command
    }
}

/// A supervisor that runs, or has run.
#[derive(Debug)]
pub(crate) struct Supervisor {
    child: Child,
    code: Option<i32>,
    is_pid1: bool,
    directory: Temporary,
    config: PathBuf,
    socket: PathBuf,
    /// What the jobs' scripts wrote to `$FACTS`.
    pub(crate) facts: Facts,
    /// Who holds `$LIFELINE`.
    pub(crate) lifeline: Lifeline,
    /// Where scripts wait that read a line from `$GATE`.
    pub(crate) gate: Gate,
    /// The lines of its stdout.
    pub(crate) stdout: Lines,
    /// The lines of its stderr.
    pub(crate) stderr: Lines,
    unread: Option<ChildStdout>,
}

impl Supervisor {
    /// Waits until the control plane answers. Nothing tells from outside that a
    /// socket is being listened on, so that this looks again after each moment in
    /// which the supervisor did not end.
    #[track_caller]
    pub(crate) fn wait_until_ready(&mut self) {
        let deadline = deadline();
        let moment = Duration::from_millis(2);
        while UnixStream::connect(&self.socket).is_err() {
            assert!(Instant::now() < deadline, "no control plane");
            if let Some(status) = command::wait(&mut self.child, Instant::now() + moment) {
                self.code = Some(command::exit_code(status));
                panic!("the supervisor has ended: {status}");
            }
        }
        assert_eq!(self.http("GET", "/v3/ping", "").status, 200);
        // Workers start the first jobs meanwhile; each look follows a request.
        while self
            .http("GET", "/v3/status", "")
            .body
            .contains(r#""state":"starting""#)
        {
            assert!(Instant::now() < deadline, "a job is not started");
        }
    }

    /// The directory of this test, `$DIR` in its scripts.
    pub(crate) fn directory(&self) -> &Temporary {
        &self.directory
    }

    /// Tells that the control socket has moved.
    pub(crate) fn socket_is(&mut self, path: &Path) {
        path.clone_into(&mut self.socket);
    }

    /// The control socket.
    pub(crate) fn socket(&self) -> &Path {
        &self.socket
    }

    /// The configuration file.
    pub(crate) fn config(&self) -> &Path {
        &self.config
    }

    /// The id of the supervisor's process, as this process sees it.
    pub(crate) fn pid(&self) -> i32 {
        let started = i32::try_from(self.child.id()).unwrap();
        if !self.is_pid1 {
            return started;
        }
        let children = processes::children(started);
        children
            .first()
            .map(|process| process.pid)
            .expect("PID 1 runs")
    }

    /// Sends the supervisor a signal.
    pub(crate) fn signal(&self, signal: i32) {
        processes::signal(self.pid(), signal);
    }

    /// Replaces text in the configuration file.
    #[track_caller]
    pub(crate) fn change_config(&self, from: &str, to: &str) {
        let text = fs::read_to_string(&self.config).unwrap();
        assert!(text.contains(from), "{from:?} is not in the configuration");
        fs::write(&self.config, text.replace(from, to)).unwrap();
    }

    /// Runs the binary as a client of this supervisor, which it finds in the
    /// configuration file.
    #[track_caller]
    pub(crate) fn client(&self, arguments: &[&str]) -> Outcome {
        run(command::command(binary())
            .env("CONTAINERPILOT", &self.config)
            .env("DIR", self.directory.path())
            .args(arguments))
    }

    /// One request to the control plane.
    #[track_caller]
    pub(crate) fn http(&self, method: &str, path: &str, body: &str) -> Response {
        http::request(&self.socket, method, path, body)
    }

    /// Runs curl with these arguments against the control socket.
    #[track_caller]
    pub(crate) fn curl(&self, arguments: &[&str]) -> Outcome {
        run(command::command("curl")
            .args([
                "--silent",
                "--show-error",
                "--max-time",
                "30",
                "--unix-socket",
            ])
            .arg(&self.socket)
            .args(arguments))
    }

    /// Begins to read stdout if it was stalled.
    pub(crate) fn read_stdout(&mut self) {
        if let Some(unread) = self.unread.take() {
            self.stdout = Lines::collect(unread);
        }
    }

    /// Closes a stdout that was stalled: its reader goes away.
    pub(crate) fn close_stdout(&mut self) {
        self.unread = None;
    }

    /// Waits for the end of the supervisor: its exit code, or 128 + the signal.
    #[track_caller]
    pub(crate) fn wait_exit(&mut self) -> i32 {
        if let Some(code) = self.code {
            return code;
        }
        let status = command::wait(&mut self.child, deadline()).expect("the supervisor ends");
        *self.code.insert(command::exit_code(status))
    }

    /// Asks for shutdown and waits for the end.
    #[track_caller]
    pub(crate) fn terminate(&mut self) -> i32 {
        self.signal(libc::SIGTERM);
        self.wait_exit()
    }

    /// Fails if the supervisor has ended.
    #[track_caller]
    pub(crate) fn assert_running(&mut self) {
        if let Some(status) = self.child.try_wait().unwrap() {
            self.code = Some(command::exit_code(status));
            panic!("the supervisor has ended: {status}");
        }
    }

    fn report(&self) {
        let config = fs::read_to_string(&self.config).unwrap_or_default();
        let config: Vec<_> = config.lines().map(str::to_owned).collect();
        print_end("configuration", &config);
        print_end("facts", self.facts.seen());
        print_end("stdout", &self.stdout.all());
        print_end("stderr", &self.stderr.all());
        eprintln!("--- exit code: {:?}", self.code);
    }
}

/// Prints what is most likely to matter of many lines: the last ones.
fn print_end(title: &str, lines: &[String]) {
    const MOST: usize = 100;
    eprintln!("--- {title} ({} lines)", lines.len());
    for line in &lines[lines.len().saturating_sub(MOST)..] {
        eprintln!("{line}");
    }
}

impl Drop for Supervisor {
    /// Leaves no process behind, and tells everything if the test has failed.
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.report();
        }
        if self.code.is_none() {
            let _ended = self.child.kill();
            let _reaped = self.child.wait();
        }
        // Its own group is not enough: every job leads another one.
        processes::kill_marked(&format!("DIR={}", self.directory.path().display()));
    }
}
