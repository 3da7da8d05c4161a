//! The examples of the README and the manual do what the text around them says.
//!
//! A comment on the line before a fenced block, which readers do not see, says
//! what it is:
//!
//! - `serve`: a command that starts a supervisor; it runs until the page ends.
//! - `run`: a script to run, with the variables that earlier ones have set.
//! - `prints`: exactly what the script before prints.
//! - `logs`: lines that the supervisor logs, in any order. Times and numbers in
//!   them stand for any others.
//! - `ends with`: lines that it logs when Ctrl-C ends it.
//! - `file`, `jobs`, `part of a job`: a configuration, or part of one, that is
//!   accepted.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test that cannot set up its world must fail loudly"
)]

mod support;

use std::fs;
use std::os::unix::fs::symlink;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use containerpilot::config::user_database::UserDatabase;
use containerpilot::config::{self, Host};
use containerpilot::environment::Environment;
use support::command::{command, exit_code, run, wait};
use support::lines::Lines;
use support::{SEARCH_PATH, Temporary, binary, deadline, processes};

/// A fenced block with a mark.
struct Block {
    mark: String,
    text: String,
    line: usize,
}

/// The marked blocks of a page: a mark belongs to the fence on the next line.
fn blocks(page: &str) -> Vec<Block> {
    let mut blocks: Vec<Block> = Vec::new();
    let mut mark = None;
    let mut inside = None;
    for (number, line) in page.lines().enumerate() {
        let is_fence = line.starts_with("```");
        match (&mut inside, is_fence) {
            (None, true) => {
                inside = Some(Block {
                    mark: mark.take().unwrap_or_default(),
                    text: String::new(),
                    line: number + 1,
                });
            }
            (None, false) => {
                let comment = line.strip_prefix("<!-- ");
                mark = comment.and_then(|rest| Some(rest.strip_suffix(" -->")?.to_owned()));
            }
            (Some(block), false) => {
                block.text.push_str(line);
                block.text.push('\n');
            }
            (Some(_), true) => blocks.extend(inside.take()),
        }
    }
    blocks.retain(|block| !block.mark.is_empty());
    blocks
}

/// A reader who types in what the page says, in a terminal at the root of the
/// repository.
struct Reader {
    directory: Temporary,
    server: Option<(Child, Lines)>,
    /// Assignments that later scripts still need.
    variables: String,
    printed: Vec<String>,
}

impl Reader {
    fn new() -> Self {
        let directory = Temporary::new();
        fs::create_dir(directory.join("bin")).unwrap();
        symlink(binary(), directory.join("bin/containerpilot")).unwrap();
        Self {
            directory,
            server: None,
            variables: String::new(),
            printed: Vec::new(),
        }
    }

    fn read(&mut self, page: &str) {
        for block in blocks(page) {
            eprintln!("{}: {}", block.line, block.mark);
            match block.mark.as_str() {
                "serve" => self.serve(&block.text),
                "run" => self.run(&block.text),
                "prints" => assert_eq!(self.printed, block.text.lines().collect::<Vec<_>>()),
                "logs" => self.expect_logs(&block.text),
                "ends with" => self.end(&block.text),
                "file" | "jobs" | "part of a job" => {}
                other => panic!("line {}: what is {other:?}?", block.line),
            }
        }
        if self.server.is_some() {
            self.end("");
        }
    }

    /// A shell that finds the binary wherever the page says it is.
    fn shell(&self, script: &str) -> Command {
        let script = script
            .replace("cargo run --release --", "containerpilot")
            .replace("target/release/containerpilot", "containerpilot");
        let path = format!("{}:{SEARCH_PATH}", self.directory.join("bin").display());
        let user = self.directory.path().file_name().unwrap();
        let mut shell = command("sh");
        shell
            .args(["-euc", &script])
            .env("PATH", path)
            .env("USER", user)
            .env("DIR", self.directory.path())
            .current_dir(env!("CARGO_MANIFEST_DIR"));
        shell
    }

    fn serve(&mut self, script: &str) {
        let mut shell = self.shell(&format!("exec {script}"));
        let mut child = shell
            .process_group(0)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = Lines::collect(child.stdout.take().unwrap());
        // The page's next command comes later than the first line of the log.
        lines.wait_for("");
        self.server = Some((child, lines));
    }

    fn run(&mut self, script: &str) {
        let complete = format!("{}{script}", self.variables);
        let outcome = run(&mut self.shell(&complete));
        assert_eq!(outcome.code, 0, "{script}: {outcome}");
        self.printed = outcome.stdout;
        for line in script.lines() {
            let assigns = line
                .split_once('=')
                .is_some_and(|(name, _)| !name.contains(['-', '$']));
            if assigns && !line.contains("curl") {
                self.variables.push_str(line);
                self.variables.push('\n');
            }
        }
    }

    fn expect_logs(&self, text: &str) {
        let (_, lines) = self.server.as_ref().unwrap();
        let mut expected: Vec<String> = text.lines().map(shape).collect();
        while !expected.is_empty() {
            let line = shape(&lines.wait_for(""));
            expected.retain(|shape| *shape != line);
        }
    }

    fn end(&mut self, text: &str) {
        let pid = i32::try_from(self.server.as_ref().unwrap().0.id()).unwrap();
        processes::signal(pid, libc::SIGINT);
        self.expect_logs(text);
        let (mut child, _) = self.server.take().unwrap();
        let status = wait(&mut child, deadline()).unwrap();
        assert_eq!(exit_code(status), 0);
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        if let Some((mut child, lines)) = self.server.take() {
            eprintln!("--- log\n{}", lines.all().join("\n"));
            let _ended = child.kill();
            let _reaped = child.wait();
        }
        processes::kill_marked(&format!("DIR={}", self.directory.path().display()));
        let user = self.directory.path().file_name().unwrap().to_str().unwrap();
        let socket = format!("/tmp/containerpilot-{user}");
        let _never_made = fs::remove_dir_all(socket);
    }
}

/// A line of the log with every time and number replaced by a word.
fn shape(line: &str) -> String {
    let shape = |word: &str| {
        let digits = word.bytes().filter(u8::is_ascii_digit).count();
        if digits > 0
            && word
                .bytes()
                .all(|byte| byte.is_ascii_digit() || b"-:.TZ".contains(&byte))
        {
            "0".to_owned()
        } else {
            word.to_owned()
        }
    };
    line.split(' ').map(shape).collect::<Vec<_>>().join(" ")
}

fn page(name: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(name)).unwrap()
}

#[test]
fn the_readme_shows_what_happens() {
    Reader::new().read(&page("README.md"));
}

#[test]
fn the_page_on_the_control_plane_shows_what_happens() {
    Reader::new().read(&page("docs/control-plane.md"));
}

#[test]
fn the_page_on_containers_shows_what_is_printed() {
    Reader::new().read(&page("docs/pid1.md"));
}

#[test]
fn the_page_on_operating_shows_what_happens() {
    Reader::new().read(&page("docs/operating.md"));
}

#[test]
fn the_page_on_checking_shows_what_is_printed() {
    Reader::new().read(&page("docs/check.md"));
}

#[test]
fn the_page_on_jobs_shows_what_happens() {
    Reader::new().read(&page("docs/jobs-and-events.md"));
}

#[test]
fn the_page_on_process_contexts_shows_what_is_printed() {
    Reader::new().read(&page("docs/process-context.md"));
}

#[test]
fn the_page_on_reloading_shows_what_is_printed() {
    Reader::new().read(&page("docs/reload.md"));
}

#[test]
fn the_quickstart_needs_nothing_but_busybox() {
    let mut reader = Reader::new();
    let busybox = reader.directory.join("busybox");
    fs::create_dir(&busybox).unwrap();
    run(command("busybox").arg("--install").arg("-s").arg(&busybox)).success();
    let script = format!(
        "PATH={}:{} containerpilot -config docs/examples/quickstart.json5",
        busybox.display(),
        reader.directory.join("bin").display(),
    );
    reader.serve(&format!("env {script}"));
    reader.expect_logs("2026-01-02T03:04:05Z first-customer 1 the shop is open: in I go");
    reader.end("2026-01-02T03:04:05Z post-stop 1 the lights are out");
}

/// Everything that is wrong with a configuration, and what it warns of.
fn findings(text: &str) -> Vec<String> {
    let users = UserDatabase::of("app:x:1000:1000::/srv/app:/bin/sh", "video:x:44:");
    let addresses = vec![("eth0".to_owned(), "192.0.2.1".parse().unwrap())];
    let host = Host::new("box", addresses).with_users(users);
    let directory = Temporary::new();
    let file = directory.write("containerpilot.json5", text);
    match config::load(&file, &Environment::default(), &host) {
        Ok(config) => config.warnings.iter().map(ToString::to_string).collect(),
        Err(errors) => vec![errors.to_string()],
    }
}

#[test]
fn every_configuration_in_the_manual_is_accepted_without_a_warning() {
    let mut checked = 0;
    for name in pages() {
        for block in blocks(&page(&name)) {
            let text = match block.mark.as_str() {
                "file" => block.text,
                "jobs" => format!("{{ jobs: [ {} ] }}", block.text),
                _ => continue,
            };
            assert_eq!(
                findings(&text),
                Vec::<String>::new(),
                "{name}:{}",
                block.line
            );
            checked += 1;
        }
    }
    assert!(checked > 5, "{checked} configurations");
}

#[test]
fn every_example_file_is_accepted_without_a_warning() {
    for name in names("docs/examples", ".json5") {
        assert_eq!(findings(&page(&name)), Vec::<String>::new(), "{name}");
    }
}

/// The README and the pages of the manual.
fn pages() -> Vec<String> {
    let mut pages = names("docs", ".md");
    pages.push("README.md".to_owned());
    pages
}

/// The files of a directory whose names end so.
fn names(directory: &str, ending: &str) -> Vec<String> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(directory);
    let entries = fs::read_dir(path).unwrap();
    let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let names = names.filter(|name| name.ends_with(ending));
    names.map(|name| format!("{directory}/{name}")).collect()
}
