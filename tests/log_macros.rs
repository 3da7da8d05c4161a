//! The `log` macros, which need a process of their own: there is one logger in
//! each.

#![allow(
    clippy::unwrap_used,
    reason = "a test that cannot set up its world must fail loudly"
)]

use std::fs;
use std::time::{Duration, Instant};

use containerpilot::config::LoggingSpec;
use containerpilot::config::logging::{Format, Level, LogOutput};
use containerpilot::logging::{InitError, init};

#[test]
fn the_macros_follow_the_configuration() {
    let path = std::env::temp_dir().join(format!("cp-macros-{}", std::process::id()));
    let spec = |level, format| LoggingSpec {
        level,
        format,
        output: LogOutput::File(path.clone()),
        ..LoggingSpec::default()
    };
    let log = init(&spec(Level::Info, Format::Default)).unwrap();
    let ours = "containerpilot::supervise";
    log::info!(target: ours, "shown {}", 1);
    log::debug!(target: ours, "too little");
    log::info!(target: "some_package", "of no interest");
    log::warn!(target: "some_package", "of interest");
    log.configure(&spec(Level::Debug, Format::Text));
    log::debug!(target: ours, "shown 2");
    log.configure(&spec(Level::Error, Format::Json));
    log::warn!(target: ours, "too little");
    log::error!(target: ours, "shown \"3\"");
    let again = init(&spec(Level::Info, Format::Default));
    assert!(log.close(Instant::now() + Duration::from_secs(30)));

    let text = fs::read_to_string(&path).unwrap();
    fs::remove_file(&path).unwrap();
    let lines: Vec<_> = text.lines().collect();
    assert_eq!(lines.len(), 4, "{text}");
    assert!(lines[0].ends_with(" shown 1"), "{text}");
    assert!(lines[1].ends_with(" of interest"), "{text}");
    assert!(lines[2].ends_with(" level=debug msg=\"shown 2\""), "{text}");
    let json = "{\"level\":\"error\",\"msg\":\"shown \\\"3\\\"\",\"time\":\"";
    assert!(lines[3].starts_with(json), "{text}");
    assert!(matches!(again, Err(InitError::Again)), "{again:?}");
}
