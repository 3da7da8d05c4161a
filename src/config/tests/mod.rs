//! Whole files, with what becomes of them and everything that is said of them.

#![allow(clippy::unwrap_used)]

pub(in crate::config) mod directory;
mod files;
mod references;

use super::logging::{Format, Level, LogOutput};
use super::*;

fn host() -> Host {
    let address = |name: &str, ip: &str| (name.to_owned(), ip.parse().unwrap());
    Host::new(
        "here",
        vec![address("lo", "127.0.0.1"), address("eth0", "10.0.0.1")],
    )
}

fn parse(text: &str) -> Result<Config, Errors> {
    super::parse(text, &Environment::default(), &host())
}

fn good(text: &str) -> Config {
    let config = parse(text)
        .map_err(|errors| format!("{text}: {errors}"))
        .unwrap();
    assert_eq!(config.warnings, Vec::new(), "{text}");
    config
}

/// The errors without their places.
fn errors(text: &str) -> Vec<String> {
    let errors = parse(text).map(|_| text).unwrap_err();
    errors.findings().iter().map(ToString::to_string).collect()
}

fn warnings(text: &str) -> Vec<String> {
    let config = parse(text)
        .map_err(|errors| format!("{text}: {errors}"))
        .unwrap();
    config.warnings.iter().map(ToString::to_string).collect()
}

#[test]
fn an_empty_object_has_every_default() {
    for text in [
        "{}",
        "{jobs: []}",
        "{jobs: null, telemetry: null, consul: null}",
        "\u{feff}{}",
    ] {
        let config = good(text);
        assert_eq!(config.consul, None);
        let logging = LoggingSpec {
            buffer: 64 << 10,
            ..LoggingSpec::default()
        };
        assert_eq!(config.logging, logging);
        assert_eq!(config.stop_timeout, Duration::from_secs(5));
        assert_eq!(
            config.control.unwrap().socket,
            PathBuf::from("/var/run/containerpilot.socket")
        );
        assert!(config.jobs.is_empty() && config.watches.is_empty());
        assert_eq!(config.telemetry, None);
    }
}

#[test]
fn every_part_of_the_file_is_read() {
    let config = good(
        "{
          consul: 'localhost:8500',
          logging: {level: 'DEBUG', format: 'json', output: '/var/log/app.log'},
          stopTimeout: '1m',
          control: {socket: '/run/cp.sock'},
          jobs: [{name: 'app', exec: 'app'}, {name: 'other', exec: 'other'}],
          watches: [{name: 'db', interval: 3, tag: 'primary', dc: 'east'}],
          telemetry: {port: 9100},
        }",
    );
    assert_eq!(config.consul.unwrap().address, "localhost:8500");
    assert_eq!(
        config.logging.output,
        LogOutput::File("/var/log/app.log".into())
    );
    assert_eq!(config.stop_timeout, Duration::from_secs(60));
    assert_eq!(
        config.control.unwrap().socket,
        PathBuf::from("/run/cp.sock")
    );
    let names: Vec<&str> = config.jobs.iter().map(|job| &*job.name).collect();
    assert_eq!(names, ["app", "other"]);
    assert_eq!(
        config.watches,
        [WatchSpec {
            name: "db".into(),
            interval: Duration::from_secs(3),
            tag: Some("primary".to_owned()),
            datacenter: Some("east".to_owned()),
        }]
    );
    let telemetry = config.telemetry.unwrap();
    assert_eq!(telemetry.port, 9100);
    assert!(
        telemetry.service.is_some(),
        "there is somebody to advertise it to"
    );
}

#[test]
fn all_errors_of_a_file_are_told_at_once() {
    assert_eq!(
        errors(
            "{
              stopTimeout: 'soon', contrl: {}, logging: {level: 'LOUD'},
              jobs: [
                {name: 'app', exec: '', restrats: 1, health: {interval: 5}},
                {exec: 'x', port: 99999},
                {name: 'b', exec: 'b', when: {interval: 1, once: 'startup'}},
              ],
              watches: [{name: 'My', interval: 0}],
            }"
        ),
        [
            "contrl: unknown key; did you mean \"control\"?",
            "logging.level: \"LOUD\" is not one of DEBUG, INFO, WARN, WARNING, ERROR, FATAL, PANIC",
            "stopTimeout: \"soon\" is no duration: there is no number",
            "job[app].restrats: unknown key; did you mean \"restarts\"?",
            "job[app].exec: names no program (e.g. \"/bin/app -v\" or [\"/bin/app\", \"-v\"])",
            "job[app].health.ttl: is required",
            "jobs[1].port: 99999 is not between 0 and 65535",
            "watch[My].interval: 0 is shorter than 1s, the least allowed",
            "job[b].when: \"interval\", \"once\", \"each\", \"all\" and \"any\" exclude each other",
            "watch[My].name: \"My\" can't be a service's name: that is a lower-case letter followed by letters, \
             digits and \"-\"",
            "no discovery backend defined; watch[My] needs \"consul\"",
        ]
    );
}

#[test]
fn findings_know_their_place_in_the_text() {
    let text = "{
  jobs: [
    {name: 'a', exec: 'x | y', restrats: 1},
    {
      exec: 'b',
      when: {interval: 0},
      port: 80,
    },
  ],
  stopTimeout: -1,
}";
    let errors = parse(text).unwrap_err();
    let places: Vec<_> = errors
        .findings()
        .iter()
        .map(|finding| (&*finding.path, finding.position))
        .collect();
    assert_eq!(
        places,
        [
            ("stopTimeout", Some((10, 3))),
            ("job[a].restrats", Some((3, 32))),
            ("jobs[1].when.interval", Some((6, 14))),
            ("jobs[1].name", Some((4, 5))),
            ("jobs[1].health", Some((4, 5))),
            ("", None),
        ]
    );
    let warnings = parse("{jobs: [{name: 'a'},\n{name: 'a', exec: 'x | y'}]}")
        .unwrap()
        .warnings;
    let places: Vec<_> = warnings.iter().map(|finding| finding.position).collect();
    assert_eq!(places, [Some((2, 13)), Some((2, 1))]);
    let syntax = parse("{\n a: }").unwrap_err();
    assert_eq!(syntax.findings().first().unwrap().position, Some((2, 5)));
}

#[test]
fn the_shutdown_timeout_is_seconds_or_a_duration() {
    for (text, seconds) in [
        ("5", 5),
        ("'7'", 7),
        ("'1m30s'", 90),
        ("''", 5),
        ("null", 5),
    ] {
        let config = good(&format!("{{stopTimeout: {text}}}"));
        assert_eq!(config.stop_timeout, Duration::from_secs(seconds), "{text}");
    }
    assert_eq!(
        errors("{stopTimeout: 0}"),
        ["stopTimeout: 0 is shorter than 1ms, the least allowed"]
    );
}

#[test]
fn logging_words_are_known_in_any_case() {
    for (text, level) in [
        ("'debug'", Level::Debug),
        ("'Info'", Level::Info),
        ("'WARNING'", Level::Warn),
        ("'warn'", Level::Warn),
        ("'ERROR'", Level::Error),
        ("'fatal'", Level::Fatal),
        ("'panic'", Level::Panic),
        ("''", Level::Info),
    ] {
        assert_eq!(
            good(&format!("{{logging: {{level: {text}}}}}"))
                .logging
                .level,
            level,
            "{text}"
        );
    }
    for (text, format) in [
        ("'default'", Format::Default),
        ("'Text'", Format::Text),
        ("'JSON'", Format::Json),
        ("''", Format::Default),
    ] {
        assert_eq!(
            good(&format!("{{logging: {{format: {text}}}}}"))
                .logging
                .format,
            format,
            "{text}"
        );
    }
    for (text, output) in [
        ("'stdout'", LogOutput::Stdout),
        ("'STDERR'", LogOutput::Stderr),
        ("'log'", LogOutput::File("log".into())),
        ("''", LogOutput::Stdout),
    ] {
        assert_eq!(
            good(&format!("{{logging: {{output: {text}}}}}"))
                .logging
                .output,
            output,
            "{text}"
        );
    }
}

#[test]
fn a_socket_has_a_path_that_the_kernel_can_hold() {
    let longest = format!("/{}", "s".repeat(106));
    let config = good(&format!("{{control: {{socket: '{longest}'}}}}"));
    assert_eq!(config.control.unwrap().socket, PathBuf::from(&longest));
    assert_eq!(
        errors(&format!("{{control: {{socket: '{longest}s'}}}}")),
        ["control.socket: is 108 bytes long; the path of a Unix socket has at most 107"]
    );
    assert_eq!(
        good("{control: {socket: ''}}").control.unwrap().socket,
        PathBuf::from(control::DEFAULT_SOCKET)
    );
}

#[test]
fn the_socket_is_found_whatever_else_is_wrong() {
    for (text, socket) in [
        ("{control: {socket: '/run/cp.sock'}}", "/run/cp.sock"),
        (
            "{control: {socket: '/run/cp.sock'}, jobs: 'x', unknown: 1, services: []}",
            "/run/cp.sock",
        ),
        ("{jobs: [{port: 80}]}", control::DEFAULT_SOCKET),
        ("{control: {socket: 'a'}, control: {socket: 'b'}}", "b"),
    ] {
        assert_eq!(parse_control_socket(text), Ok(socket.into()), "{text}");
    }
    for (text, error) in [
        (
            "{control: {sockt: 'a'}}",
            "1:12: control.sockt: unknown key; did you mean \"socket\"?",
        ),
        (
            "{control: {socket: []}}",
            "1:12: control.socket: a list is not a string",
        ),
        ("[]", "the file must be one object, { … }"),
        ("", "the file renders to nothing"),
    ] {
        let errors = parse_control_socket(text).unwrap_err();
        assert_eq!(errors.to_string(), error, "{text}");
    }
}

#[test]
fn watches_are_services_by_name() {
    for (watch, error) in [
        ("{interval: 1}", "watches[0].name: is required"),
        ("{name: 'db'}", "watch[db].interval: is required"),
        (
            "{name: 'db', interval: '500ms'}",
            "watch[db].interval: \"500ms\" is shorter than 1s, the least allowed",
        ),
        (
            "{name: 'db', interval: 1, poll: 1}",
            "watch[db].poll: unknown key; it is \"interval\" now",
        ),
        (
            "{name: 'my_db', interval: 1}",
            "watch[my_db].name: \"my_db\" can't be a service's name: that is a lower-case letter followed by \
             letters, digits and \"-\"",
        ),
    ] {
        assert_eq!(
            errors(&format!("{{consul: 'c:1', watches: [{watch}]}}")),
            [error],
            "{watch}"
        );
    }
    let config = good("{consul: 'c:1', watches: [{name: 'db', interval: '1m', tag: '', dc: ''}]}");
    let watch = config.watches.first().unwrap();
    assert_eq!(
        (watch.interval, &watch.tag, &watch.datacenter),
        (Duration::from_secs(60), &None, &None)
    );
}

#[test]
fn keys_that_come_twice_are_warnings() {
    let config =
        parse("{jobs: [{name: 'a', when: {interval: 1}, exec: 'x', when: {interval: 2}}]}")
            .unwrap();
    let job = config.jobs.first().unwrap();
    assert_eq!(job.when.start, Start::Every(Duration::from_secs(2)));
    assert_eq!(
        config.warnings.first().unwrap().to_string(),
        "job[a].when: comes twice; the last one counts"
    );
}

#[test]
fn the_file_is_one_object() {
    for text in ["[]", "'a'", "3", "null", "true"] {
        assert_eq!(
            errors(text),
            ["the file must be one object, { … }"],
            "{text}"
        );
    }
    assert_eq!(
        errors("{jobs: {name: 'a', exec: 'a'}}"),
        ["jobs: an object is not a list of objects ([{…}, {…}])"]
    );
    assert_eq!(
        errors("{job: []}"),
        ["job: unknown key; did you mean \"jobs\"?"]
    );
}

#[test]
fn no_number_of_errors_is_too_many() {
    let text = format!("{{jobs: [{}]}}", "{x: 1},".repeat(10_000));
    let errors = errors(&text);
    assert_eq!(errors.len(), 101);
    assert_eq!(errors.last().unwrap(), "19900 more errors are not listed");
}
