//! A supervisor that was killed with SIGKILL: what its children see, what it leaves,
//! and what the next one does about that.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test that cannot set up its world must fail loudly"
)]

mod support;

use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use support::command::{command, exit_code, wait};
use support::lines::Lines;
use support::{Supervisor, binary, deadline, jobs, processes};

/// One more supervisor of the same configuration.
struct Successor {
    child: Child,
    stdout: Lines,
}

impl Successor {
    fn start(of: &Supervisor) -> Self {
        Self::through(&mut command(binary()), of)
    }

    fn through(command: &mut Command, of: &Supervisor) -> Self {
        let mut child = command
            .arg("-config")
            .arg(of.config())
            .envs(["FACTS", "GATE", "LIFELINE"].map(|name| {
                let path = of.directory().join(&name.to_lowercase());
                (name, path)
            }))
            .env("DIR", of.directory().path())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let stdout = Lines::collect(child.stdout.take().unwrap());
        Self { child, stdout }
    }

    fn signal(&self, signal: i32) {
        processes::signal(i32::try_from(self.child.id()).unwrap(), signal);
    }

    /// Waits until it says that it has ended these leftovers, which is so then, and
    /// returns the line.
    #[track_caller]
    fn tells_of_the_end_of(&self, pids: &[i32]) -> String {
        let line = self
            .stdout
            .wait_for("ended what an earlier supervisor had left: processes [");
        for pid in pids {
            assert!(line.contains(&pid.to_string()), "{pid}: {line}");
            assert!(!processes::is_alive(*pid));
        }
        line
    }

    #[track_caller]
    fn terminate(mut self) {
        self.signal(libc::SIGTERM);
        let status = wait(&mut self.child, deadline()).unwrap();
        assert_eq!(exit_code(status), 0);
    }
}

#[track_caller]
fn kill(supervisor: &mut Supervisor) {
    supervisor.signal(libc::SIGKILL);
    assert_eq!(supervisor.wait_exit(), 137);
}

#[test]
fn its_children_live_on_without_a_reader_of_what_they_print_and_without_a_control_plane() {
    let mut supervisor = jobs(
        r#"{ name: "app", exec: ["sh", "-c", "trap '' PIPE; echo app $$ >>$FACTS; read go <$GATE; echo out 2>/dev/null || echo nobody reads >>$FACTS; $PILOT -ping 2>/dev/null; echo ping $? >>$FACTS; read go <$GATE"] }"#,
    )
    .env("PILOT", binary().to_str().unwrap())
    .ready();
    let app = supervisor.facts.pid("app");
    kill(&mut supervisor);
    assert!(processes::is_alive(app));
    supervisor.gate.release();
    supervisor.facts.expect(&["nobody reads", "ping 1"]);
    assert!(supervisor.socket().exists());
    supervisor.gate.release();
    processes::wait_for_death(app);
}

#[test]
fn its_successor_replaces_the_socket_and_leaves_the_processes_alone() {
    let mut supervisor = jobs(
        r#"{ name: "hup", when: { source: "SIGHUP" }, exec: ["sh", "-c", "echo hup >>$FACTS"] },
           { name: "app", exec: ["sh", "-c", "echo app $$ >>$FACTS; exec sleep 1000"] }"#,
    )
    .ready();
    let app = supervisor.facts.pid("app");
    kill(&mut supervisor);
    let successor = Successor::start(&supervisor);
    assert_ne!(supervisor.facts.pid("app"), app);
    successor.signal(libc::SIGHUP);
    supervisor.facts.expect(&["hup"]);
    assert_eq!(supervisor.http("GET", "/v3/ping", "").body, "ok");
    successor.terminate();
    assert!(processes::is_alive(app));
    assert!(!supervisor.socket().exists());
}

/// One that says goodbye, one that does not listen, and one that has left its group
/// and its parent.
const LEFTOVERS: &str = r#"
    { name: "polite", exec: ["sh", "-c", "trap 'echo bye >>$FACTS; exit 0' TERM; echo polite $$ >>$FACTS; while :; do read x <$GATE; done"] },
    { name: "deaf", exec: ["sh", "-c", "trap '' TERM; echo deaf $$ >>$FACTS; while :; do sleep 1000; done"] },
    { name: "daemon", exec: ["sh", "-c", "setsid sh -c 'echo daemon $$ >>$FACTS; exec sleep 1000' & wait"] },
"#;

#[test]
fn its_successor_ends_the_processes_if_asked_and_none_of_anybody_else() {
    let mut supervisor = jobs(LEFTOVERS)
        .setting("endLeftovers: true, stopTimeout: '500ms'")
        .ready();
    let mut pids: Vec<i32> = Vec::new();
    while pids.len() < 3 {
        let fact = supervisor.facts.next();
        let (_, pid) = fact.split_once(' ').unwrap();
        pids.push(pid.parse().unwrap());
    }
    let pid = supervisor.pid().to_string();
    kill(&mut supervisor);
    // An operator's, a child of a supervisor that lives (this process stands for it),
    // and one of another socket.
    let own = std::process::id().to_string();
    let strangers = [
        (supervisor.socket(), None),
        (supervisor.socket(), Some(&own)),
        (supervisor.config(), Some(&pid)),
    ];
    let mut strangers = strangers.map(|(socket, pid)| {
        let mut sleep = command("sleep");
        sleep.arg("1000").env("CONTAINERPILOT_SOCKET", socket);
        // Whatever happens, nothing of this test stays.
        sleep.env("DIR", supervisor.directory().path());
        sleep.envs(pid.map(|pid| ("CONTAINERPILOT_PID", pid)));
        sleep.spawn().unwrap()
    });
    let successor = Successor::start(&supervisor);
    let line = successor.tells_of_the_end_of(&pids);
    supervisor.facts.expect(&["bye"]);
    // Only then do the jobs begin.
    for _ in 0..3 {
        let fact = supervisor.facts.next();
        assert!(fact.contains(' '), "{fact}");
    }
    for stranger in &mut strangers {
        assert!(stranger.try_wait().unwrap().is_none(), "{line}");
        stranger.kill().unwrap();
        stranger.wait().unwrap();
    }
    successor.terminate();
}

#[test]
fn its_successor_ends_more_processes_than_it_may_have_descriptors() {
    const MANY: usize = 100;
    let script = format!(
        "i=0; while [ $i -lt {MANY} ]; do i=$((i+1)); sleep 1000 & echo leftover $! >>$FACTS; done; wait"
    );
    let mut supervisor = jobs(&format!(
        r#"{{ name: "many", exec: ["sh", "-c", "{script}"] }}"#
    ))
    .setting("endLeftovers: true, stopTimeout: 30")
    .ready();
    let pids: Vec<i32> = (0..MANY)
        .map(|_| supervisor.facts.pid("leftover"))
        .collect();
    kill(&mut supervisor);
    let mut few = command("sh");
    few.args(["-c", "ulimit -n 50; exec \"$@\"", "sh"])
        .arg(binary());
    let successor = Successor::through(&mut few, &supervisor);
    successor.tells_of_the_end_of(&pids);
    assert!(
        successor
            .stdout
            .all()
            .iter()
            .all(|line| !line.contains("cannot"))
    );
    successor.terminate();
}

#[test]
fn its_successor_can_be_hurried_while_it_ends_them() {
    let stubborn = r#"{ name: "stubborn", exec: ["sh", "-c", "trap 'echo told >>$FACTS' TERM; echo stubborn $$ >>$FACTS; while :; do read x <$GATE; done"] }"#;
    let mut supervisor = jobs(stubborn)
        .setting("endLeftovers: true, stopTimeout: '1h'")
        .ready();
    let pid = supervisor.facts.pid("stubborn");
    kill(&mut supervisor);
    let mut successor = Successor::start(&supervisor);
    supervisor.facts.expect(&["told"]);
    // The second order means at once, and so does each that follows.
    let end = deadline();
    let ended = loop {
        successor.signal(libc::SIGTERM);
        let soon = Instant::now() + Duration::from_millis(200);
        if let Some(status) = wait(&mut successor.child, soon) {
            break status;
        }
        assert!(soon < end, "it waits for what does not end");
    };
    assert_eq!(exit_code(ended), 0);
    assert!(!processes::is_alive(pid));
}
