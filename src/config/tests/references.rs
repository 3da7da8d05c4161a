//! What the parts of a file say about each other.

#![allow(clippy::unwrap_used)]

use std::net::IpAddr;

use super::{errors, good, warnings};

#[test]
fn only_ports_and_watches_need_a_discovery_backend() {
    let service = "name: 'app', port: 80, health: {interval: 5, ttl: 10}";
    good("{jobs: [{name: 'app', health: {interval: 5, ttl: 10}}]}");
    good("{telemetry: {}}");
    good(&format!("{{consul: 'c:1', jobs: [{{{service}}}]}}"));
    for (text, error) in [
        (
            format!("{{jobs: [{{{service}}}]}}"),
            "no discovery backend defined; job[app].port needs \"consul\"",
        ),
        (
            format!(
                "{{consul: null, jobs: [{{{service}}}], watches: [{{name: 'db', interval: 1}}]}}"
            ),
            "no discovery backend defined; job[app].port and 1 more need \"consul\"",
        ),
        (
            "{watches: [{name: 'db', interval: 1}]}".to_owned(),
            "no discovery backend defined; watch[db] needs \"consul\"",
        ),
        (
            // A faulty one is one, so this is the only error.
            format!("{{consul: 'c:x', jobs: [{{{service}}}]}}"),
            "consul: \"c:x\" is no address: its port must be 1 to 65535",
        ),
    ] {
        assert_eq!(errors(&text), [error], "{text}");
    }
}

#[test]
fn telemetry_is_advertised_only_with_a_discovery_backend() {
    assert_eq!(good("{telemetry: {}}").telemetry.unwrap().service, None);
    let service = good("{consul: 'c:1', telemetry: {}}")
        .telemetry
        .unwrap()
        .service;
    assert_eq!(service.unwrap().id, "containerpilot-here");
}

#[test]
fn names_that_come_twice_are_warnings() {
    assert_eq!(
        warnings(
            "{consul: 'c:1', jobs: [{name: 'a'}, {name: 'b'}, {name: 'a'}],
              watches: [{name: 'db', interval: 1}, {name: 'db', interval: 1, tag: 'x'}]}"
        ),
        [
            "job[a]: another job has this name; events and commands by name concern both",
            "watch[db]: another watch has this name; their events can't be told apart",
        ]
    );
}

#[test]
fn a_job_that_is_called_like_a_watch_is_a_warning() {
    let told = warnings("{jobs: [{name: 'watch.db', exec: 'x'}, {name: 'watch', exec: 'x'}]}");
    assert_eq!(
        told,
        ["job[watch.db].name: begins with \"watch.\": as a source, this is a watch"]
    );
}

#[test]
fn waiting_for_what_never_comes_is_a_warning() {
    let checked = "name: 'checked', health: {interval: 1, ttl: 2}";
    let timed = "name: 'timed', when: {source: 'checked', once: 'healthy', timeout: 1}";
    let check = |when: &str| {
        let text = format!(
            "{{consul: 'c:1', watches: [{{name: 'db', interval: 1}}],
               jobs: [{{{checked}, exec: 'app'}}, {{{timed}, exec: 'app'}}, {{name: 'none', when: {when}}}]}}"
        );
        let prefix = "job[none].when: waits for what never comes: ";
        let warnings = warnings(&text);
        warnings
            .iter()
            .map(|warning| warning.replace(prefix, ""))
            .collect::<Vec<_>>()
            .join("\n")
    };
    for when in [
        "{}",
        "{once: 'shutdown'}",
        "{each: 'enterMaintenance'}",
        "{source: 'SIGHUP'}",
        "{source: 'checked', once: 'exitSuccess'}",
        "{source: 'checked', each: 'exitFailed'}",
        "{source: 'checked', once: 'healthy'}",
        "{source: 'checked', each: 'unhealthy'}",
        "{source: 'timed', once: 'stopping'}",
        "{source: 'timed', once: 'stopped'}",
        "{source: 'timed', once: 'timerExpired'}",
        "{source: 'watch.db', each: 'changed'}",
        "{source: 'watch.db', once: 'healthy'}",
        "{source: 'watch.db', once: 'unhealthy'}",
        "{interval: 1}",
    ] {
        assert_eq!(check(when), "", "{when}");
    }
    for (when, warning) in [
        (
            "{source: 'nobody', once: 'healthy'}",
            "no job is called \"nobody\"",
        ),
        (
            "{source: 'chekced', once: 'healthy'}",
            "no job is called \"chekced\"; did you mean \"checked\"?",
        ),
        (
            "{source: 'sighup', once: 'healthy'}",
            "no job is called \"sighup\"; did you mean \"SIGHUP\"?",
        ),
        (
            "{source: 'db', each: 'changed'}",
            "no job is called \"db\"; did you mean \"watch.db\"?",
        ),
        (
            "{source: 'watch.dbs', each: 'changed'}",
            "no watch is called \"dbs\"; did you mean \"db\"?",
        ),
        (
            "{source: 'watch.db', once: 'exitSuccess'}",
            "a watch is changed, healthy or unhealthy, never \"exitSuccess\"",
        ),
        (
            "{source: 'timed', once: 'healthy'}",
            "job[timed] has no health check",
        ),
        (
            "{source: 'none', once: 'exitSuccess'}",
            "job[none] has no exec",
        ),
        (
            "{source: 'checked', once: 'timerExpired'}",
            "job[checked] has no when.timeout",
        ),
        (
            "{source: 'checked', once: 'changed'}",
            "job[checked] never emits \"changed\"",
        ),
        (
            "{source: 'checked', once: 'shutdown'}",
            "the source of \"shutdown\" is \"global\", not \"checked\"",
        ),
        (
            "{source: 'global', once: 'healthy'}",
            "no job is called \"global\"",
        ),
    ] {
        assert_eq!(check(when), warning, "{when}");
    }
}

#[test]
fn jobs_that_can_never_start_are_told_why() {
    for (jobs, expected) in [
        (
            "{name: 'a', exec: 'x', when: {source: 'a', once: 'exitSuccess'}}",
            "a: it waits for itself",
        ),
        (
            "{name: 'a', exec: 'x', when: {source: 'b', once: 'exitSuccess'}},
             {name: 'b', exec: 'x', when: {source: 'c', each: 'exitFailed'}},
             {name: 'c', exec: 'x', health: {interval: 1, ttl: 2}, when: {source: 'a', once: 'exitFailed'}},
             {name: 'd', exec: 'x', when: {source: 'c', once: 'healthy'}},
             {name: 'e', exec: 'x', when: {source: 'd', once: 'exitSuccess'}}",
            "a: it waits for job[b], which waits for job[c], which waits for job[a]
             b: it waits for job[c], which waits for job[a], which waits for job[b]
             c: it waits for job[a], which waits for job[b], which waits for job[c]
             d: it waits for job[c], which can never start
             e: it waits for job[d], which can never start",
        ),
        (
            // The circle can be entered.
            "{name: 'a', exec: 'x', when: {source: 'b', once: 'exitSuccess'}},
             {name: 'b', exec: 'x', when: {source: 'a', each: 'exitSuccess'}},
             {name: 'b', exec: 'x'}",
            "",
        ),
        (
            // What never starts stops all the same, and its wait can time out.
            "{name: 'a', exec: 'x', when: {source: 'a', once: 'exitSuccess', timeout: 1}},
             {name: 'b', exec: 'x', when: {source: 'a', once: 'stopped'}},
             {name: 'c', exec: 'x', when: {source: 'a', once: 'timerExpired'}}",
            "a: it waits for itself",
        ),
        (
            "{name: 'app', exec: 'x'},
             {name: 'pre', exec: 'x', when: {source: 'app', once: 'stopping'}},
             {name: 'prepre', exec: 'x', when: {source: 'pre', once: 'stopping'}},
             {name: 'a', exec: 'x', when: {source: 'b', once: 'stopping'}},
             {name: 'b', exec: 'x', when: {source: 'a', once: 'stopped'}}",
            "a: it waits for job[b], which waits for job[a]
             b: it waits for job[a], which waits for job[b]",
        ),
        (
            "{name: 'a', exec: 'x', when: {source: 'nobody', once: 'exitSuccess'}},
             {name: 'b', exec: 'x', when: {source: 'a', once: 'exitSuccess'}}",
            "job[a].when: waits for what never comes: no job is called \"nobody\"
             b: it waits for job[a], which can never start",
        ),
        (
            // All has to come, and of any one thing.
            "{name: 'a', exec: 'x'},
             {name: 'all', exec: 'x', when: {all: [{source: 'a', once: 'exitSuccess'}, {source: 'last', once: 'exitSuccess'}]}},
             {name: 'any', exec: 'x', when: {any: [{source: 'last', each: 'exitFailed'}, {source: 'a', once: 'exitSuccess'}]}},
             {name: 'none', exec: 'x', when: {any: [{source: 'all', once: 'exitSuccess'}, {source: 'last', each: 'exitFailed'}]}},
             {name: 'late', exec: 'x', when: {all: [{source: 'any', once: 'exitSuccess'}, {once: 'startup'}, {source: 'SIGHUP'}]}},
             {name: 'last', exec: 'x', when: {source: 'all', once: 'exitSuccess'}}",
            "all: it waits for job[last], which waits for job[all]
             none: it waits for job[all], which can never start
             last: it waits for job[all], which waits for job[last]",
        ),
        (
            "{name: 'a', exec: 'x'},
             {name: 'b', exec: 'x', when: {all: [{source: 'a', once: 'exitSuccess'}, {source: 'nobody', once: 'stopped'}, {source: 'a', once: 'healthy'}]}},
             {name: 'c', exec: 'x', when: {any: [{source: 'a', once: 'exitSuccess'}, {source: 'nobody', once: 'stopped'}]}},
             {name: 'd', exec: 'x', when: {all: [{source: 'b', once: 'exitSuccess'}, {source: 'c', once: 'exitSuccess'}]}}",
            "job[b].when.all[1]: waits for what never comes: no job is called \"nobody\"
             job[b].when.all[2]: waits for what never comes: job[a] has no health check
             job[c].when.any[1]: waits for what never comes: no job is called \"nobody\"
             d: it waits for job[b], which can never start",
        ),
    ] {
        let told = warnings(&format!("{{jobs: [{jobs}]}}"));
        let told = told
            .iter()
            .filter(|warning| !warning.contains("has this name"));
        let told: Vec<String> = told
            .map(|warning| match warning.split_once(".when: can never start") {
                Some((job, why)) => format!("{}{why}", job.replace("job[", "").replace(']', "")),
                None => warning.clone(),
            })
            .collect();
        let expected: Vec<&str> = expected.lines().map(str::trim).collect();
        assert_eq!(told, expected, "{jobs}");
    }
}

#[test]
fn any_number_of_jobs_may_wait_for_each_other() {
    let count = 5_000;
    let mut text = "{jobs: [".to_owned();
    for index in (1..count).rev() {
        let when = format!("{{source: '{}', once: 'exitSuccess'}}", index - 1);
        text += &format!("{{name: '{index}', exec: 'x', when: {when}}},");
    }
    good(&format!("{text}{{name: '0', exec: 'x'}}]}}"));
    let circle = format!(
        "{text}{{name: '0', exec: 'x', when: {{source: '{}', once: 'exitSuccess'}}}}]}}",
        count - 1
    );
    assert_eq!(warnings(&circle).len(), count);
    let names = (0..count).map(|index| format!("{{source: '{index}', once: 'stopped'}}"));
    let names: Vec<String> = names.collect();
    let names = names.join(",");
    let all = format!("{{name: 'all', exec: 'x', when: {{all: [{names}]}}}}");
    good(&format!("{text}{{name: '0', exec: 'x'}}, {all}]}}"));
}

/// Each anew with all the others would be half a minute.
#[test]
fn any_number_of_jobs_may_wait_for_what_can_not_start() {
    let count = 4_000;
    let job = |name: &str, when: &str| format!("{{name: '{name}', exec: 'x', when: {{{when}}}}},");
    let mut waiting = String::new();
    let mut events = String::new();
    for number in 0..count {
        waiting += &job(&format!("w{number}"), "source: 'all', once: 'exitSuccess'");
        events += &format!("{{source: 'w{number}', once: 'stopped'}},");
    }
    let events = format!("all: [{events} {{source: 'itself', once: 'healthy'}}]");
    let all = job("all", &events)
        + "{name: 'itself', exec: 'x', when: {source: 'itself', once: 'healthy'}, health: {exec: 'x', interval: 1, ttl: 5}}";
    let told = warnings(&format!("{{jobs: [{waiting} {all}]}}"));
    assert_eq!(told.len(), count + 2);
    let namesakes = job("a", "source: 'a', once: 'exitSuccess'").repeat(count);
    let told = warnings(&format!("{{jobs: [{namesakes}]}}"));
    assert_eq!(told.len(), 2 * count - 1);
}

/// Ten thousand names against ten thousand others would be minutes.
#[test]
fn any_number_of_jobs_may_wait_for_nobody() {
    let jobs = (0..10_000).map(|number| {
        let when = format!("{{ source: 'jab{number}', once: 'healthy' }}");
        format!("{{ name: 'job{number}', exec: 'a', when: {when} }},\n")
    });
    let text = format!("{{ jobs: [{}] }}", jobs.collect::<String>());
    let told = warnings(&text);
    assert_eq!(told.len(), 10_000);
    let lacks = "when: waits for what never comes: no job is called";
    let first = format!("job[job0].{lacks} \"jab0\"; did you mean \"job0\"?");
    assert_eq!(told.first(), Some(&first));
    let last = format!("job[job9999].{lacks} \"jab9999\"");
    assert_eq!(told.last(), Some(&last));
}

#[test]
fn an_advertised_telemetry_server_is_a_source() {
    let job = "{name: 'a', exec: 'x', when: {source: 'containerpilot', each: 'healthy'}}";
    good(&format!(
        "{{consul: 'c:1', telemetry: {{}}, jobs: [{job}]}}"
    ));
    assert_eq!(
        warnings(&format!("{{telemetry: {{}}, jobs: [{job}]}}")).len(),
        1
    );
}

#[test]
fn of_several_jobs_of_a_name_one_that_emits_is_enough() {
    let text = "{jobs: [{name: 'a'}, {name: 'a', exec: 'x'}, {name: 'b', when: {source: 'a', once: 'exitSuccess'}}]}";
    assert_eq!(warnings(text).len(), 1, "the name that comes twice");
}

#[test]
fn files_of_version_2_are_told_what_to_do() {
    let text = "{
      consul: 'localhost:8500',
      preStart: '/bin/setup',
      services: [{name: 'app', port: 80, poll: 5, ttl: 10}],
      backends: [{name: 'db', poll: 5, onChange: '/bin/reload'}],
    }";
    assert_eq!(
        errors(text),
        [
            "this is a version 2 file (it has preStart, services, backends); make preStart a job that others wait for \
          with once: \"exitSuccess\"; each service a job with \"port\" and \"health\"; each backend a watch, and its \
          onChange a job with when: {source: \"watch.NAME\", each: \"changed\"} (docs/configuration.md, \
          \"From version 2\")"
        ]
    );
    for key in [
        "services",
        "coprocesses",
        "tasks",
        "backends",
        "onStart",
        "preStart",
        "preStop",
        "postStop",
        "pollTime",
    ] {
        let errors = errors(&format!("{{{key}: []}}"));
        assert_eq!(errors.len(), 1, "{errors:?}");
        let error = errors.first().unwrap();
        assert!(
            error.starts_with(&format!("this is a version 2 file (it has {key}); ")),
            "{error}"
        );
    }
}

#[test]
fn advertised_jobs_have_their_address_in_the_environment() {
    let config = good(
        "{consul: 'c:1', telemetry: {}, jobs: [
            {name: 'my-app', port: 80, health: {interval: 5, ttl: 10}},
            {name: 'plain', exec: 'x'},
            {name: 'aB2', port: 81, interfaces: 'lo', health: {interval: 5, ttl: 10}},
        ]}",
    );
    let ip = |a, b, c, d| IpAddr::from([a, b, c, d]);
    assert_eq!(
        config.advertised_ips(),
        [
            ("CONTAINERPILOT_MY_APP_IP".to_owned(), ip(10, 0, 0, 1)),
            ("CONTAINERPILOT_AB2_IP".to_owned(), ip(127, 0, 0, 1)),
        ]
    );
}
