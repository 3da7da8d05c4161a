//! What starts a job, as files say it.

#![allow(clippy::unwrap_used)]

use super::*;

fn when(text: &str) -> (When, Findings) {
    let mut findings = Findings::default();
    let at = Path::Root.key("when");
    let raw = RawWhen::decode(json5::from_str(text).unwrap(), &at, &mut findings);
    (raw.unwrap().into_spec(&at, &mut findings), findings)
}

#[test]
fn jobs_start_at_what_when_says() {
    let once = |code, source| Start::once(Event::new(code, source));
    for (text, start) in [
        ("{}", once(Code::Startup, "global")),
        ("{source: '', once: ''}", once(Code::Startup, "global")),
        ("{source: null}", once(Code::Startup, "global")),
        ("{once: 'startup'}", once(Code::Startup, "global")),
        ("{once: 'shutdown'}", once(Code::Shutdown, "global")),
        (
            "{source: 'global', once: 'shutdown'}",
            once(Code::Shutdown, "global"),
        ),
        (
            "{source: 'a', once: 'exitSuccess'}",
            once(Code::ExitSuccess, "a"),
        ),
        ("{source: 'a', once: 'stopping'}", once(Code::Stopping, "a")),
        (
            "{source: 'watch.b', each: 'changed'}",
            Start::each(Event::new(Code::Changed, "watch.b")),
        ),
        (
            "{each: 'enterMaintenance'}",
            Start::each(Event::global(Code::EnterMaintenance)),
        ),
        (
            "{source: 'SIGHUP'}",
            Start::each(Event::new(Code::Signal, "SIGHUP")),
        ),
        (
            "{source: 'SIGUSR2'}",
            Start::each(Event::new(Code::Signal, "SIGUSR2")),
        ),
        ("{interval: '1h'}", Start::Every(Duration::from_secs(3600))),
        ("{interval: 1}", Start::Every(Duration::from_secs(1))),
        ("{interval: '1ms'}", Start::Every(Duration::from_millis(1))),
    ] {
        let (when, findings) = when(text);
        assert_eq!(when.start, start, "{text}");
        assert!(findings.finish("").unwrap().is_empty(), "{text}");
    }
}

#[test]
fn several_events_start_a_job_together_or_each_for_itself() {
    let a = || Event::new(Code::Healthy, "a");
    let b = || Event::new(Code::ExitSuccess, "b");
    let hup = || Event::new(Code::Signal, "SIGHUP");
    let condition = |event, each| Condition { event, each };
    let (once_a, each_b) = (
        "{source: 'a', once: 'healthy'}",
        "{source: 'b', each: 'exitSuccess'}",
    );
    let once_b = "{source: 'b', once: 'exitSuccess'}";
    for (text, start) in [
        (format!("{{all: [{once_a}]}}"), Start::once(a())),
        (
            format!("{{all: [{once_a}, {once_b}]}}"),
            Start::All(vec![a(), b()]),
        ),
        (
            format!("{{all: [{{source: 'SIGHUP'}}, {once_a}, {{once: 'startup'}}], any: null}}"),
            Start::All(vec![hup(), a(), Event::global(Code::Startup)]),
        ),
        (format!("{{any: [{once_a}]}}"), Start::once(a())),
        (format!("{{any: [{each_b}]}}"), Start::each(b())),
        ("{any: [{source: 'SIGHUP'}]}".to_owned(), Start::each(hup())),
        (
            format!("{{any: [{once_a}, {each_b}, {{source: 'SIGHUP'}}], timeout: 1}}"),
            Start::Any(vec![
                condition(a(), false),
                condition(b(), true),
                condition(hup(), true),
            ]),
        ),
    ] {
        let (when, findings) = when(&text);
        assert!(findings.finish("").unwrap().is_empty(), "{text}");
        assert_eq!(when.start, start, "{text}");
        let events: Vec<Event> = when.start.events().cloned().collect();
        assert_eq!(when.start.subscriptions(), events, "{text}");
        assert!(!when.start.repeats_at(&a()), "{text}");
        assert_eq!(when.start.repeats_at(&b()), text.contains("each"), "{text}");
    }
}

#[test]
fn the_timeout_bounds_the_wait_for_an_event() {
    let (given, _) = when("{source: 'a', once: 'healthy', timeout: '2m'}");
    assert_eq!(given.timeout, Some(Duration::from_secs(120)));
    let (periodic, findings) = when("{interval: '5s', timeout: '2m', source: 'a'}");
    assert_eq!(periodic.timeout, None);
    let warnings: Vec<String> = findings
        .finish("")
        .unwrap()
        .iter()
        .map(ToString::to_string)
        .collect();
    assert_eq!(
        warnings,
        [
            "when.source: has no effect with \"interval\"",
            "when.timeout: has no effect with \"interval\"",
        ]
    );
}

#[test]
fn contradictions_are_errors() {
    let exclude = "when: \"interval\", \"once\", \"each\", \"all\" and \"any\" exclude each other";
    for (text, error) in [
        ("{source: 'a', once: 'healthy', each: 'healthy'}", exclude),
        ("{interval: 1, once: 'startup'}", exclude),
        ("{interval: 1, each: 'startup'}", exclude),
        (
            "{source: 'a'}",
            "when: which event of \"a\" to wait for is missing: name it with \"once\" or \"each\"",
        ),
        (
            "{once: 'exitSuccess'}",
            "when: \"source\" is missing: a job's name, \"watch.NAME\" or a signal",
        ),
        (
            "{interval: 0}",
            "when.interval: 0 is shorter than 1ms, the least allowed",
        ),
        (
            "{interval: '999us'}",
            "when.interval: \"999us\" is shorter than 1ms, the least allowed",
        ),
        (
            "{all: [{once: 'startup'}], any: [{once: 'startup'}]}",
            exclude,
        ),
        ("{all: [{once: 'startup'}], interval: 1}", exclude),
        ("{any: [{once: 'startup'}], once: 'startup'}", exclude),
        (
            "{any: [{source: 'a', once: 'healthy', each: 'healthy'}]}",
            &exclude.replace("when:", "when.any[0]:"),
        ),
        (
            "{source: 'a', any: [{once: 'startup'}]}",
            "when: \"source\" belongs into each of the conditions of \"all\" or \"any\"",
        ),
        (
            "{all: []}",
            "when.all: is empty: name an event, or leave it out to start at startup",
        ),
        (
            "{all: [{}]}",
            "when.all[0]: which event to wait for is missing: name it with \"once\"",
        ),
        (
            "{any: [{once: 'startup'}, {source: 'a'}]}",
            "when.any[1]: which event of \"a\" to wait for is missing: name it with \"once\" or \"each\"",
        ),
        (
            "{all: [{once: 'healthy'}]}",
            "when.all[0]: \"source\" is missing: a job's name, \"watch.NAME\" or a signal",
        ),
        (
            "{all: [{source: 'a', each: 'healthy'}]}",
            "when.all[0].each: unknown key; a job starts once when all has happened: write \"once\"",
        ),
        (
            "{any: [{source: 'a', once: 'healthy'}, {once: 'startup'}, {source: 'a', each: 'healthy'}]}",
            "when.any[2]: is the event of [0], too: name it once",
        ),
        (
            "{all: {source: 'a', once: 'healthy'}}",
            "when.all: an object is not a list of objects ([{…}, {…}])",
        ),
        (
            "{source: 'a', event: 'exitSuccess'}",
            "when.event: unknown key; name the event with \"once\" or \"each\"",
        ),
        (
            "{source: 'a', once: 3}",
            "when.once: 3 is not the name of an event",
        ),
    ] {
        let errors = when(text).1.finish("").unwrap_err().to_string();
        assert_eq!(errors, error, "{text}");
    }
}

#[test]
fn an_unknown_event_is_answered_with_the_known_ones() {
    let error = when("{source: 'a', once: 'helthy'}")
        .1
        .finish("")
        .unwrap_err();
    assert_eq!(
        error.to_string(),
        "when.once: \"helthy\" is no event (exitSuccess, exitFailed, stopping, stopped, healthy, \
         unhealthy, changed, timerExpired, enterMaintenance, exitMaintenance, startup, shutdown); \
         did you mean \"healthy\"?"
    );
}

#[test]
fn a_signal_with_an_event_runs_at_every_signal() {
    let (when, findings) = when("{source: 'SIGHUP', once: 'healthy'}");
    assert_eq!(when.start, Start::each(Event::new(Code::Signal, "SIGHUP")));
    assert_eq!(findings.finish("").unwrap().len(), 1);
}

#[test]
fn a_signal_is_an_event_without_a_name() {
    let (_, findings) = when("{all: [{source: 'SIGHUP', once: 'healthy'}, {once: 'startup'}]}");
    let warnings = findings.finish("").unwrap();
    let told: Vec<String> = warnings.iter().map(ToString::to_string).collect();
    assert_eq!(told, ["when.all[0]: a signal needs no \"once\""]);
}
