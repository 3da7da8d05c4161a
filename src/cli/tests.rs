//! The command line as a table: what was typed, and what it means.
#![allow(clippy::unwrap_used, clippy::panic, clippy::type_complexity)]

mod commands;
mod streams;

use super::*;

fn parsed(arguments: &[&str]) -> Result<Invocation, String> {
    parse(arguments.iter().map(OsString::from)).map_err(|error| error.to_string())
}

/// The tasks of a client, and the flags they came from.
fn tasks(arguments: &[&str]) -> Vec<(&'static str, Task)> {
    match parsed(arguments) {
        Ok(Invocation::Client { tasks, .. }) => tasks
            .into_iter()
            .map(|Subcommand { flag, task }| (flag, task))
            .collect(),
        other => panic!("{arguments:?} is {other:?}"),
    }
}

fn variable(name: &str, value: Option<&str>) -> (String, Option<String>) {
    (name.to_owned(), value.map(str::to_owned))
}

fn metric(name: &str, value: &str) -> (String, String) {
    (name.to_owned(), value.to_owned())
}

#[test]
fn help_shows_what_the_manual_of_the_control_plane_shows() {
    let page = std::fs::read_to_string("../shared/seed-37-control-plane.txt").unwrap();
    let start = page.find("Usage of ./containerpilot:").unwrap();
    let end = page.find("PutEnv POST /v3/env").unwrap();
    let page = &page[start..end];
    // What is an addition has a paragraph of its own.
    let usage = usage("./containerpilot").replace("\n  -", "\0  -");
    let known = |paragraph: &&str| {
        let first = paragraph.lines().next().unwrap();
        page.lines().any(|line| line == first)
    };
    let known: Vec<&str> = usage.split('\0').filter(known).collect();
    assert_eq!(known.join("\n").trim_end(), page.trim_end());
}

#[test]
fn the_manual_shows_the_usage_as_it_is() {
    let page = std::fs::read_to_string("docs/command-line.md").unwrap();
    let block = format!("<!-- usage -->\n```text\n{}```\n", usage("containerpilot"));
    assert!(page.contains(&block), "{block}");
}

#[test]
fn the_flags_stand_in_the_order_of_the_alphabet() {
    assert!(FLAGS.iter().map(|flag| flag.key).is_sorted());
}

#[test]
fn without_a_subcommand_it_supervises() {
    let cases: [(&[&str], Option<&str>, &[&str]); 6] = [
        (&[], None, &[]),
        (&["-config", "a"], Some("a"), &[]),
        (&["--config=a", "-config", "b"], Some("b"), &[]),
        (&["-config="], None, &[]),
        (
            &["-config", "a", "nginx", "-ping"],
            Some("a"),
            &["nginx", "-ping"],
        ),
        (&["-ping=false"], None, &[]),
    ];
    for (arguments, config, ignored) in cases {
        let expected = Invocation::Supervise {
            config: config.map(PathBuf::from),
            ignored: ignored.iter().map(OsString::from).collect(),
        };
        assert_eq!(parsed(arguments), Ok(expected), "{arguments:?}");
    }
}

#[test]
fn a_configuration_can_be_explained_without_a_supervisor() {
    let config = || Some("a".into());
    let cases: [(&[&str], Invocation); 5] = [
        (
            &["-check", "-config", "a"],
            Invocation::Check {
                config: config(),
                json: false,
            },
        ),
        (
            &["-json", "--config=a", "--check"],
            Invocation::Check {
                config: config(),
                json: true,
            },
        ),
        (
            &["-graph", "-config", "a"],
            Invocation::Graph { config: config() },
        ),
        (&["-graph"], Invocation::Graph { config: None }),
        (&["-schema", "-ping"], Invocation::Schema),
    ];
    for (arguments, expected) in cases {
        assert_eq!(parsed(arguments), Ok(expected), "{arguments:?}");
    }
}

#[test]
fn templates_go_to_a_file_or_to_stdout() {
    let cases: [(&[&str], Option<&str>); 5] = [
        (&["-template", "-config", "a"], None),
        (&["-config", "a", "-template", "-out", "-"], None),
        (&["-config", "a", "-template", "-out="], None),
        (&["--out", "b", "-config", "a", "--template"], Some("b")),
        (
            &["-template=true", "-config=a", "-out=b", "-ping"],
            Some("b"),
        ),
    ];
    for (arguments, out) in cases {
        let expected = Invocation::Template {
            config: Some("a".into()),
            out: out.map(PathBuf::from),
        };
        assert_eq!(parsed(arguments), Ok(expected), "{arguments:?}");
    }
}

#[test]
fn help_wins_over_version_and_version_over_the_rest() {
    for (arguments, expected) in [
        (&["-version"][..], Invocation::Version),
        (
            &["-ping", "-template", "--version", "-config", "a"],
            Invocation::Version,
        ),
        (&["-version", "-h"], Invocation::Help),
        (&["-help"], Invocation::Help),
        (&["-config", "a", "--help"], Invocation::Help),
    ] {
        assert_eq!(parsed(arguments), Ok(expected), "{arguments:?}");
    }
}

#[test]
fn a_client_knows_where_the_socket_is_said_to_be() {
    for (arguments, config, socket) in [
        (&["-ping"][..], None, None),
        (&["-ping", "-config", "a"], Some("a"), None),
        (
            &["-socket=s", "-ping", "-config", "a"],
            Some("a"),
            Some("s"),
        ),
    ] {
        let expected = Invocation::Client {
            config: config.map(PathBuf::from),
            socket: socket.map(PathBuf::from),
            tasks: vec![Subcommand {
                flag: "-ping",
                task: Task::Ping,
            }],
            manner: Manner::default(),
        };
        assert_eq!(parsed(arguments), Ok(expected), "{arguments:?}");
    }
}

#[test]
fn subcommands_carry_their_values() {
    let cases: [(&[&str], &str, Task); 9] = [
        (
            &["-v", "-reload"],
            "-reload",
            Task::Reload(Reload {
                verbose: true,
                dry_run: false,
            }),
        ),
        (
            &["-reload", "--dry-run"],
            "-reload",
            Task::Reload(Reload {
                verbose: false,
                dry_run: true,
            }),
        ),
        (&["-reload"], "-reload", Task::Reload(Reload::default())),
        (
            &["-maintenance", "enable"],
            "-maintenance",
            Task::Maintenance(true),
        ),
        (
            &["--maintenance=disable"],
            "-maintenance",
            Task::Maintenance(false),
        ),
        (
            &[
                "-putenv",
                "B=2=3",
                "--putenv=A",
                "-putenv",
                "C=",
                "-putenv=B=4",
            ],
            "-putenv",
            Task::PutEnv(vec![
                variable("B", Some("2=3")),
                variable("A", None),
                variable("C", Some("")),
                variable("B", Some("4")),
            ]),
        ),
        (
            &["-putenv", "-ping"],
            "-putenv",
            Task::PutEnv(vec![variable("-ping", None)]),
        ),
        (
            &["-putmetric", "m=2", "-putmetric=g=42.42"],
            "-putmetric",
            Task::PutMetric(vec![metric("m", "2"), metric("g", "42.42")]),
        ),
        (&["-ping", "--ping"], "-ping", Task::Ping),
    ];
    for (arguments, flag, task) in cases {
        assert_eq!(tasks(arguments), [(flag, task)], "{arguments:?}");
    }
}

#[test]
fn several_subcommands_keep_the_order_in_which_they_were_given() {
    let set = |value| Task::PutEnv(vec![variable("A", Some(value))]);
    assert_eq!(
        tasks(&["-putenv", "A=1", "-reload", "-ping"]),
        [
            ("-putenv", set("1")),
            ("-reload", Task::Reload(Reload::default())),
            ("-ping", Task::Ping)
        ]
    );
    assert_eq!(
        tasks(&["-reload", "-config", "c", "-putenv", "A=-reload"]),
        [
            ("-reload", Task::Reload(Reload::default())),
            ("-putenv", set("-reload"))
        ]
    );
}

#[test]
fn what_makes_no_sense_is_refused_in_one_line() {
    let cases: [(&[&str], &str); 15] = [
        (&["-nonsense"], "flag provided but not defined: -nonsense"),
        (&["-v"], "-v is of use with -reload only"),
        (
            &["-dry-run", "-ping"],
            "-dry-run is of use with -reload only",
        ),
        (
            &["-json", "-template"],
            "-json is of use with -check, -health, -restart, -start, -status, -stop only",
        ),
        (&["-check", "a"], "unexpected argument: a"),
        (&["-config"], "flag needs an argument: -config"),
        (
            &["-maintenance", "on"],
            r#"invalid value for -maintenance: "on" is neither "enable" nor "disable""#,
        ),
        (
            &["-maintenance="],
            r#"invalid value for -maintenance: "" is neither "enable" nor "disable""#,
        ),
        (
            &["-putmetric", "m"],
            r#"invalid value for -putmetric: "m" is not in the format "key=value""#,
        ),
        (&["-putenv", "A=1", "B=2"], "unexpected argument: B=2"),
        (&["-out", "b"], "-out is of use with -template only"),
        (
            &["-socket", "s"],
            "-socket is of use with a subcommand or a command (-- COMMAND) only; otherwise a supervisor listens where its configuration says",
        ),
        (
            &["-config", "a", "-logging", "json", "--", "b"],
            "-logging is of use with a command (-- COMMAND) only; otherwise the configuration says how to log",
        ),
        (
            &["-logging", "xml", "--", "b"],
            r#"invalid value for -logging: "xml" is neither "default", "text" nor "json""#,
        ),
        (&["-ping", "--", "b"], "unexpected argument: b"),
    ];
    for (arguments, expected) in cases {
        assert_eq!(parsed(arguments), Err(expected.to_owned()), "{arguments:?}");
    }
}

#[test]
fn values_that_are_sent_must_be_utf8() {
    use std::os::unix::ffi::OsStringExt;
    let odd = OsString::from_vec(b"A=\xff".to_vec());
    let error = parse(["-putenv".into(), odd]).unwrap_err();
    assert_eq!(
        error.to_string(),
        r#"invalid value for -putenv: "A=\xFF" is no UTF-8"#
    );
}

#[test]
fn jobs_are_asked_about_and_told_what_to_do() {
    let words = |words: &[&str]| -> Vec<String> { words.iter().map(ToString::to_string).collect() };
    let cases: [(&[&str], &[(&str, Task)]); 8] = [
        (&["-status"], &[("-status", Task::Status(None))]),
        (
            &["-status", "app", "-json"],
            &[("-status", Task::Status(Some("app".to_owned())))],
        ),
        (&["-health="], &[("-health", Task::Health(None))]),
        (
            &["-health", "app"],
            &[("-health", Task::Health(Some("app".to_owned())))],
        ),
        (
            &["-stop", "a", "-start", "c", "-stop", "b", "-timeout", "2m"],
            &[
                ("-stop", Task::Operate(Verb::Stop, words(&["a", "b"]))),
                ("-start", Task::Operate(Verb::Start, words(&["c"]))),
            ],
        ),
        (
            &["-restart=a"],
            &[("-restart", Task::Operate(Verb::Restart, words(&["a"])))],
        ),
        (
            &["-signal", "a=b=HUP", "-signal", "c=9"],
            &[(
                "-signal",
                Task::Signal(vec![
                    ("a=b".to_owned(), "HUP".to_owned()),
                    ("c".to_owned(), "9".to_owned()),
                ]),
            )],
        ),
        (
            &["-status", "-health"],
            &[
                ("-status", Task::Status(None)),
                ("-health", Task::Health(None)),
            ],
        ),
    ];
    for (arguments, expected) in cases {
        assert_eq!(tasks(arguments), expected, "{arguments:?}");
    }
}

#[test]
fn how_subcommands_are_carried_out_is_said_once_for_all() {
    let manner = |arguments: &[&str]| match parsed(arguments) {
        Ok(Invocation::Client { manner, .. }) => Ok(manner),
        Ok(other) => panic!("{other:?}"),
        Err(error) => Err(error),
    };
    let seconds = |seconds| Some(Duration::from_secs(seconds));
    let with = |json, timeout| {
        Ok(Manner {
            json,
            timeout,
            ..Manner::default()
        })
    };
    assert_eq!(manner(&["-status"]), with(false, None));
    assert_eq!(manner(&["-json", "-stop", "a"]), with(true, None));
    assert_eq!(
        manner(&["-stop", "a", "-timeout", "90"]),
        with(false, seconds(90))
    );
    assert_eq!(
        manner(&["-stop=a", "-timeout=2m"]),
        with(false, seconds(120))
    );
    for timeout in ["", "0", "-1s", "soon"] {
        let text = format!(
            "invalid value for -timeout: {timeout:?} is no time to wait, such as \"90s\" or \"2m\""
        );
        assert_eq!(manner(&["-stop=a", "-timeout", timeout]), Err(text));
    }
}

#[test]
fn what_is_missing_for_a_job_is_a_usage_error() {
    for (arguments, expected) in [
        (
            &["-stop="][..],
            "invalid value for -stop: the name of a job is missing",
        ),
        (
            &["-signal", "app"],
            "invalid value for -signal: \"app\" is not in the format \"name=HUP\"",
        ),
        (
            &["-signal", "=HUP"],
            "invalid value for -signal: \"=HUP\" is not in the format \"name=HUP\"",
        ),
        (&["-status", "-json", "app"], "unexpected argument: app"),
        (
            &["-ping", "-timeout", "5s"],
            "-timeout is of use with -restart, -start, -stop, -wait only",
        ),
    ] {
        assert_eq!(parsed(arguments), Err(expected.to_owned()), "{arguments:?}");
    }
}
