//! The operating page of the manual in an image that holds nothing but busybox: a
//! shell script sees and steers every job with the release alone.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test that cannot set up its world must fail loudly"
)]

mod support;

use support::image::{Image, said};

const CONFIGURATION: &str = r#"{
    control: { socket: "/run/socket" },
    jobs: [
        { name: "app", exec: ["sh", "/etc/app"], restarts: "unlimited",
          health: { exec: ["test", "-e", "/well", "-a", "-e", "/traps"], interval: 1, ttl: 5 } },
        { name: "later", exec: "true", when: { source: "app", once: "stopped" } },
        { name: "script", exec: ["sh", "/etc/script"], logging: { raw: true }, essential: true },
    ],
}"#;

/// A signal goes to the sleep, too, which ends by it.
const APP: &str = r#"
trap 'echo got HUP' HUP
trap 'echo got USR1' USR1
touch /traps
while :; do sleep 1000; done
"#;

const BEGIN: &str = r#"
set -e
told() { sed 's/.* answered/answered/'; }
follow() { containerpilot -logs app -follow | grep -m 1 -o "$1"; }
"#;

/// What it says, after each line that makes it do so.
const STEER: [(&str, &[&str]); 24] = [
    ("containerpilot -wait app=running", &[]),
    (
        r#"containerpilot -health >/reasons || echo "not well: $?, $(cut -c 1-7 /reasons)""#,
        &["not well: 1, app is "],
    ),
    (
        r#"containerpilot -health app -json | grep -o '"healthy":false'"#,
        &[r#""healthy":false"#],
    ),
    ("touch /well; containerpilot -wait app=healthy", &[]),
    ("containerpilot -health", &["healthy"]),
    (
        "containerpilot -health app -json",
        &[r#"{"healthy":true,"reasons":[]}"#],
    ),
    (
        r"containerpilot -status >/status; sed -n 's/  */ /g; /^JOB/p' /status",
        &["JOB STATE FOR PID RUNS HEALTH"],
    ),
    (
        r"sed -n 's/^\([a-z]*\)  *\([a-z]*ing\) .*/\1 \2/p' /status",
        &["app running", "later waiting", "script running"],
    ),
    ("awk 'length > 80' /status", &[]),
    (
        r#"containerpilot -status -json | grep -o '"state":"running","started"'"#,
        &[r#""state":"running","started""#],
    ),
    (
        "containerpilot -status later | grep '^waits'",
        &["waits for    stopped of app"],
    ),
    (
        "containerpilot -status latr 2>&1 | told",
        &["answered 404: no such job: \"latr\"; did you mean \"later\"?"],
    ),
    (
        "containerpilot -signal app=USR1; follow 'got USR1'",
        &["got USR1"],
    ),
    (
        "containerpilot -signal app=sighup; follow 'got HUP'",
        &["got HUP"],
    ),
    (
        "containerpilot -signal app=UP 2>&1 | told",
        &["answered 400: \"UP\" is no signal, such as \"HUP\" or \"USR1\"; did you mean \"HUP\"?"],
    ),
    (
        r#"containerpilot -stop app -json | grep -o '"state":"[a-z]*"'"#,
        &[r#""state":"stopped""#],
    ),
    (
        "containerpilot -stop app -wait app=stopped -wait later=exited && echo twice",
        &["twice"],
    ),
    (
        "containerpilot -signal app=HUP 2>&1 | told",
        &["answered 409: app has no process"],
    ),
    (
        r#"containerpilot -start app -json | grep -o '"runs":[0-9]*'"#,
        &[r#""runs":2"#],
    ),
    (
        r#"containerpilot -restart app -json | grep -o '"runs":[0-9]*'"#,
        &[r#""runs":3"#],
    ),
    (
        r#"containerpilot -events -since 0 | grep -m 1 -o '"code":"stopped","source":"app"'"#,
        &[r#""code":"stopped","source":"app""#],
    ),
    ("containerpilot -logs -lines 2 | wc -l", &["2"]),
    (
        "containerpilot -logs ap 2>&1 | told; containerpilot -logs ap 2>/errors || echo $?",
        &[
            "answered 404: no such job: \"ap\"; did you mean \"app\"?",
            "1",
        ],
    ),
    (
        "containerpilot -wait app=completed -timeout 100ms 2>/errors || echo $?; containerpilot -stop 2>/errors || echo $?",
        &["1", "2"],
    ),
];

#[test]
fn a_script_of_busybox_sh_sees_and_steers_every_job() {
    let Some(image) = Image::new(CONFIGURATION) else {
        return;
    };
    let lines: Vec<&str> = STEER.iter().map(|(line, _)| *line).collect();
    let script = format!("{BEGIN}{}\n", lines.join("\n"));
    let image = image.file("etc/app", APP).file("etc/script", &script);
    let outcome = image.run("", "");
    let expected: Vec<&str> = STEER
        .iter()
        .flat_map(|(_, says)| says.iter())
        .copied()
        .collect();
    assert_eq!(said(&outcome), expected, "{outcome}");
    assert_eq!((outcome.code, outcome.stderr.len()), (0, 0), "{outcome}");
}
