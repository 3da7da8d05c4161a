//! The recipes of the manual do what they say: images are made as their Dockerfiles
//! tell, and run as an engine would, but for the engine.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test that cannot set up its world must fail loudly"
)]

mod support;

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use support::command::{command, exit_code, wait};
use support::consul::Agent;
use support::image::{Image, OF_ITS_OWN, READ_ONLY};
use support::lines::Lines;
use support::{Facts, Gate, Outcome, deadline, is_root, probe, processes, run, skip};

/// The fenced blocks of a section of a page, each with its language.
fn section(page: &str, title: &str) -> Vec<(String, String)> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("docs")
        .join(page);
    let text = fs::read_to_string(path).unwrap();
    let (_, after) = text.split_once(&format!("\n## {title}\n")).unwrap();
    let end = after.find("\n## ").unwrap_or(after.len());
    let fences: Vec<&str> = after[..end].split("```").collect();
    let blocks = fences.iter().skip(1).step_by(2);
    let parts = blocks.map(|block| block.split_once('\n').unwrap());
    parts
        .map(|(language, text)| (language.to_owned(), text.to_owned()))
        .collect()
}

/// The first block of a language.
fn block(blocks: &[(String, String)], language: &str) -> String {
    let block = blocks.iter().find(|(found, _)| found == language);
    block.unwrap().1.clone()
}

/// An image, and what an engine does with it.
struct Recipe {
    image: Image,
    environment: Vec<(String, String)>,
    entry_point: Vec<String>,
    health_check: Vec<String>,
}

impl Recipe {
    /// Makes one as a Dockerfile says; `sources` are the files beside it but for the
    /// binary and its configuration. `None` if this machine cannot run it.
    fn new(dockerfile: &str, configuration: &str, sources: &[(&str, &Path)]) -> Option<Self> {
        let is_bare = !dockerfile.contains("FROM busybox");
        let image = match is_bare {
            true => Image::from_scratch(configuration)?,
            false => Image::new(configuration)?,
        };
        let mut recipe = Self {
            image,
            environment: Vec::new(),
            entry_point: Vec::new(),
            health_check: Vec::new(),
        };
        for line in dockerfile.lines() {
            let (instruction, rest) = line.split_once(' ').unwrap();
            match instruction {
                "FROM" => assert!(["scratch", "busybox"].contains(&rest), "{line}"),
                "COPY" => recipe.copy(rest, sources),
                "ENV" => {
                    let (name, value) = rest.split_once('=').unwrap();
                    recipe.environment.push((name.into(), value.into()));
                }
                "ENTRYPOINT" | "CMD" => recipe.entry_point.extend(list(rest)),
                "HEALTHCHECK" => {
                    recipe.health_check = list(rest.strip_prefix("CMD ").unwrap());
                }
                _ => panic!("what is {line:?}?"),
            }
        }
        Some(recipe)
    }

    fn copy(&mut self, words: &str, sources: &[(&str, &Path)]) {
        let (names, to) = words.rsplit_once(' ').unwrap();
        for name in names.split(' ') {
            let to = match to.strip_suffix('/') {
                Some(directory) => format!("{directory}/{name}"),
                None => to.to_owned(),
            };
            let to = to.strip_prefix('/').unwrap();
            match sources.iter().find(|(source, _)| *source == name) {
                Some((_, from)) => support::programs::install(from, &self.image.root.join(to)),
                // The image has them already, just there.
                None => assert!(self.image.root.join(to).exists(), "{name} is no source"),
            }
        }
    }

    fn start(&self, preparation: &str, options: &str) -> Container {
        let words: Vec<&str> = self.entry_point.iter().map(String::as_str).collect();
        let mut command = self.image.command(preparation, options, &words);
        command.envs(self.environment.iter().map(|(name, value)| (name, value)));
        Container::run(command)
    }

    /// What an engine learns in the root directory of the running container.
    fn inside(&self, words: &[String]) -> Outcome {
        let mut words = words.to_vec();
        words.splice(
            ..0,
            [
                "chroot".into(),
                self.image.root.path().to_str().unwrap().into(),
            ],
        );
        if !is_root() {
            words.splice(
                ..0,
                ["unshare", "--user", "--map-root-user"].map(String::from),
            );
        }
        let variables = self.environment.iter().map(|(name, value)| (name, value));
        run(command(&words[0]).args(&words[1..]).envs(variables))
    }
}

/// The words of the list form.
fn list(text: &str) -> Vec<String> {
    serde_json::from_str(text).unwrap()
}

/// A container that runs.
struct Container {
    starter: Child,
    output: Lines,
}

impl Container {
    fn run(mut command: Command) -> Self {
        let mut starter = command.stdout(Stdio::piped()).spawn().unwrap();
        let output = Lines::collect(starter.stdout.take().unwrap());
        Self { starter, output }
    }

    /// PID 1 of it, as it is seen from outside, once something in it has run.
    fn pid(&self) -> i32 {
        let starter = i32::try_from(self.starter.id()).unwrap();
        processes::children(starter).first().unwrap().pid
    }

    /// Sends a signal to PID 1 and waits for the end.
    #[track_caller]
    fn end(&mut self, signal: i32) -> i32 {
        processes::signal(self.pid(), signal);
        let status = wait(&mut self.starter, deadline());
        let status = status.unwrap_or_else(|| panic!("it goes on: {:#?}", self.output.all()));
        exit_code(status)
    }
}

impl Drop for Container {
    fn drop(&mut self) {
        let _ended = self.starter.kill();
        let _reaped = self.starter.wait();
    }
}

fn client(words: &[&str]) -> Vec<String> {
    let mut all = vec!["/bin/containerpilot".to_owned()];
    all.extend(words.iter().map(ToString::to_string));
    all
}

#[test]
fn an_image_of_nothing_but_the_program() {
    let blocks = section("recipes.md", "An image of nothing but your program");
    let (dockerfile, file) = (block(&blocks, "dockerfile"), block(&blocks, "json5"));
    let app = probe::probe("app");
    let Some(recipe) = Recipe::new(&dockerfile, &file, &[("app", &app)]) else {
        return;
    };
    let mut container = recipe.start("", "");
    container.output.wait_for("serving serve");
    recipe.inside(&client(&["-wait", "app=healthy"])).success();
    recipe.inside(&recipe.health_check).success();
    assert_eq!(recipe.inside(&client(&["-ping"])).success(), ["ok"]);
    fs::remove_file(recipe.image.root.join("app.socket")).unwrap();
    recipe
        .inside(&client(&["-wait", "app=unhealthy"]))
        .success();
    let sick = recipe.inside(&recipe.health_check);
    assert_eq!(sick.code, 1, "{sick}");
    assert!(sick.stdout.join(" ").contains("app"), "{sick}");
    assert_eq!(recipe.inside(&client(&["-ping"])).success(), ["ok"]);
    assert_eq!(container.end(libc::SIGTERM), 0);
    let gone = recipe.inside(&recipe.health_check);
    assert_eq!(gone.code, 1, "{gone}");
}

#[test]
fn an_image_of_busybox() {
    let blocks = section("recipes.md", "An image of busybox");
    let (dockerfile, file) = (block(&blocks, "dockerfile"), block(&blocks, "json5"));
    let directory = support::Temporary::new();
    let migrate = directory.write("migrate", "#!/bin/sh\necho 7 >/schema\n");
    let app = directory.write("app", "#!/bin/sh\necho schema $SCHEMA\nexec sleep 1000\n");
    for script in [&migrate, &app] {
        fs::set_permissions(script, fs::Permissions::from_mode(0o755)).unwrap();
    }
    let sources: [(&str, &Path); 2] = [("migrate", &migrate), ("app", &app)];
    let Some(recipe) = Recipe::new(&dockerfile, &file, &sources) else {
        return;
    };
    let mut container = recipe.start("", "");
    container.output.wait_for("schema 7");
    recipe.inside(&recipe.health_check).success();
    assert_eq!(container.end(libc::SIGTERM), 0);
    assert_eq!(recipe.inside(&recipe.health_check).code, 1);
}

#[test]
fn a_read_only_root_and_another_user_than_root() {
    if !is_root() {
        return skip("only root can become another user");
    }
    let blocks = section("recipes.md", "A read-only root, and another user than root");
    let docker = block(&blocks, "sh");
    let wanted = ["--read-only", "--tmpfs /run:mode=1777", "--user 4711"];
    assert!(
        wanted.iter().all(|option| docker.contains(option)),
        "{docker}"
    );
    let Some(image) = Image::from_scratch(&block(&blocks, "json5")) else {
        return;
    };
    let image = image.program("bin/app", &probe::probe("app"));
    let mounts = format!("{OF_ITS_OWN}; mount -t tmpfs -o mode=1777 none run; {READ_ONLY}");
    let mut container = Container::run(image.supervisor(&mounts, "--userspec=4711:4711"));
    container
        .output
        .wait_for("control plane listens on /run/containerpilot.socket");
    container.output.wait_for("serving");
    assert_eq!(container.end(libc::SIGTERM), 0);
}

#[test]
fn an_image_with_one_command_and_no_file() {
    let blocks = section("pid1.md", "One command without a file");
    let dockerfile = block(&blocks, "dockerfile");
    let app = probe::probe("app");
    let Some(recipe) = Recipe::new(&dockerfile, "", &[]) else {
        return;
    };
    support::programs::install(&app, &recipe.image.root.join("bin/app"));
    fs::remove_file(recipe.image.root.join("etc/containerpilot.json5")).unwrap();
    let mut container = recipe.start("", "");
    assert_eq!(container.output.wait_for(""), "serving --verbose");
    assert_eq!(container.end(libc::SIGTERM), 128 + libc::SIGTERM);
}

/// A shop of the original's time: its script before the start, itself, which is its
/// own health check, and what it does when its database moves.
const SHOP: [(&str, &str); 3] = [
    ("prestart", "echo prepared >>/facts"),
    (
        "shop",
        r#"[ "$1" = --check ] && exec test -e /open
trap 'echo closed >>/facts; exit 0' TERM
echo open "$@" $ORDERS >>/facts
>/open
while :; do read order </gate; done"#,
    ),
    ("onchange", "echo moved >>/facts"),
];

/// What the supervisor tells Prometheus at the address of the agent.
fn metrics(agent: &Agent) -> String {
    let mut stream = TcpStream::connect((agent.address(), 9090)).unwrap();
    stream.write_all(b"GET /metrics HTTP/1.0\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

#[test]
fn the_go_containerpilot_is_replaced() {
    let blocks = section("recipes.md", "Instead of the Go ContainerPilot");
    let dockerfiles = blocks
        .iter()
        .filter(|(language, _)| language == "dockerfile");
    let dockerfiles: Vec<&String> = dockerfiles.map(|(_, text)| text).collect();
    let [before, after] = dockerfiles[..] else {
        panic!("{dockerfiles:?}");
    };
    // The third step, to the letter; the second is that the binary is another.
    let without_tini = before
        .replace("COPY tini ", "COPY ")
        .replace(r#""/bin/tini", "--", "#, "");
    assert_eq!(*after, without_tini);
    let Some(agent) = Agent::dev() else {
        return;
    };
    let directory = support::Temporary::new();
    let scripts =
        SHOP.map(|(name, text)| (name, directory.write(name, &format!("#!/bin/sh\n{text}\n"))));
    for (_, script) in &scripts {
        fs::set_permissions(script, fs::Permissions::from_mode(0o755)).unwrap();
    }
    let sources = scripts
        .each_ref()
        .map(|(name, script)| (*name, script.as_path()));
    let Some(mut recipe) = Recipe::new(after, &block(&blocks, "json5"), &sources) else {
        return;
    };
    for name in ["CONSUL", "POD_IP"] {
        let address = agent.address().to_string();
        recipe.environment.push((name.to_owned(), address));
    }
    let mut facts = Facts::open(&recipe.image.root.fifo("facts"));
    let _gate = Gate::open(&recipe.image.root.fifo("gate"));

    let checked = recipe.inside(&client(&["-check", "-config", "/etc/containerpilot.json5"]));
    assert_eq!(checked.success(), ["no errors, no warnings"]);
    let mut container = recipe.start("", "");
    facts.expect(&["prepared", "open --port 8000"]);
    agent.wait_for_status("shop", Some("passing"));
    agent.put(
        "/v1/agent/service/register",
        r#"{ "Name": "database", "Port": 5432 }"#,
    );
    facts.expect(&["moved"]);
    for words in [
        ["-maintenance", "enable"],
        ["-maintenance", "disable"],
        ["-putmetric", "shop_orders_total=3"],
        ["-putenv", "ORDERS=3"],
        ["-reload", ""],
    ] {
        let words: Vec<&str> = words.into_iter().filter(|word| !word.is_empty()).collect();
        recipe.inside(&client(&words)).success();
    }
    let metrics = metrics(&agent);
    for metric in [
        "shop_orders_total 3\n",
        "containerpilot_watch_instances{service=\"database\"} 1\n",
    ] {
        assert!(metrics.contains(metric), "{metrics}");
    }
    assert_eq!(container.end(libc::SIGTERM), 0);
    facts.expect(&["closed"]);
    agent.wait_for_status("shop", None);
}

/// The app of the inittab: is killed together with nobody when it may go on, and says
/// when it is told to end.
const APP: &str = r#"#!/bin/sh
trap 'echo told >>/facts; exit 0' TERM
echo up $CONTAINERPILOT_PID >>/facts
read go </gate
kill -KILL $CONTAINERPILOT_PID
while :; do sleep 1000 & wait; done
"#;

#[test]
fn lines_of_an_inittab() {
    let blocks = section("recipes.md", "A line of an inittab");
    let Some(image) = Image::new(&block(&blocks, "json5")) else {
        return;
    };
    let image = image
        .file("etc/inittab", &block(&blocks, "text"))
        .file("etc/stop-containerpilot", &block(&blocks, "sh"))
        .file("bin/app", APP);
    let root = &image.root;
    for script in ["etc/stop-containerpilot", "bin/app"] {
        fs::set_permissions(root.join(script), fs::Permissions::from_mode(0o755)).unwrap();
    }
    for directory in ["proc", "dev", "sbin"] {
        fs::create_dir(root.join(directory)).unwrap();
    }
    fs::write(root.join("dev/null"), "").unwrap();
    std::os::unix::fs::symlink("/bin/containerpilot", root.join("sbin/containerpilot")).unwrap();
    let mut facts = Facts::open(&root.fifo("facts"));
    let mut gate = Gate::open(&root.fifo("gate"));
    let mounts = "mount -t proc none \"$0/proc\"; mount --bind /dev/null \"$0/dev/null\"";
    let mut container = Container::run(image.command(mounts, "", &["/bin/init"]));
    let first = facts.pid("up");
    gate.release();
    // Its own app was left behind, and is ended before the next one starts.
    facts.expect(&["told"]);
    let second = facts.pid("up");
    assert_ne!(first, second);
    // Power off: the namespace ends as reboot(2) says.
    assert_eq!(container.end(libc::SIGUSR2), 128 + libc::SIGINT);
    facts.expect(&["told"]);
}
