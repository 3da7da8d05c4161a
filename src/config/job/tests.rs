//! Jobs as files have them, with what becomes of them.

#![allow(clippy::unwrap_used)]

use std::net::IpAddr;

use super::*;
use crate::event::{Code, Event};

/// The job of a text, with the findings about it.
fn job(text: &str) -> (Option<JobSpec>, Findings) {
    let mut findings = Findings::default();
    let jobs = Path::Root.key("jobs");
    let at = Path::Named(&jobs, 0, "job", "app");
    let raw = RawJob::decode(json5::from_str(text).unwrap(), &at, &mut findings);
    let host = Host::new(
        "here",
        vec![("eth0".to_owned(), IpAddr::from([10, 0, 0, 1]))],
    );
    let around = Surroundings {
        users: &host.users,
        directory: std::path::Path::new(""),
        common: Arc::default(),
    };
    let spec = raw.unwrap().into_spec(&host, &around, &at, &mut findings);
    (spec, findings)
}

/// The job of a text in which nothing is wrong or odd.
fn good(text: &str) -> JobSpec {
    let (spec, findings) = job(text);
    let warnings = findings
        .finish("")
        .map_err(|errors| format!("{text}: {errors}"));
    assert_eq!(warnings, Ok(Vec::new()), "{text}");
    spec.unwrap()
}

fn errors(text: &str) -> String {
    job(text).1.finish("").unwrap_err().to_string()
}

fn warnings(text: &str) -> Vec<String> {
    job(text)
        .1
        .finish("")
        .unwrap()
        .iter()
        .map(ToString::to_string)
        .collect()
}

const HEALTH: &str = "health: {interval: 5, ttl: 10}";

#[test]
fn a_job_runs_once_at_startup_unless_told_otherwise() {
    let spec = good("{name: 'app', exec: '/bin/app -v'}");
    assert_eq!(&*spec.name, "app");
    assert_eq!(spec.exec.unwrap().argv, ["/bin/app", "-v"]);
    assert_eq!(spec.when.start, Start::once(Event::global(Code::Startup)));
    assert_eq!(spec.restarts, Restarts::Limited(0));
    assert_eq!((spec.timeout, spec.stop_timeout), (None, None));
    assert_eq!((spec.health, spec.service), (None, None));
}

#[test]
fn the_name_is_the_programs_if_there_is_none() {
    for (text, name) in [
        ("{exec: '/bin/app -v'}", "/bin/app"),
        ("{exec: ['app', 1]}", "app"),
        ("{name: null, exec: 'app'}", "app"),
        ("{name: 80, exec: 'app'}", "80"),
        ("{name: 'My Job_1', exec: 'app'}", "My Job_1"),
        ("{name: 'x'}", "x"),
    ] {
        assert_eq!(&*good(text).name, name, "{text}");
    }
}

#[test]
fn a_job_without_program_or_with_a_port_needs_a_name() {
    for (text, error) in [
        (
            "{}".to_owned(),
            "job[app].name: is required because the job has no exec",
        ),
        (
            format!("{{exec: 'app', port: 80, {HEALTH}}}"),
            "job[app].name: is required because the job has a port",
        ),
        (
            "{name: '', exec: 'app'}".to_owned(),
            "job[app].name: must be a name, but it is empty: did an environment variable render to nothing?",
        ),
        (
            format!("{{name: 'My_App', port: 80, {HEALTH}}}"),
            "job[app].name: \"My_App\" can't be a service's name: that is a lower-case letter followed by \
             letters, digits and \"-\"",
        ),
    ] {
        assert_eq!(errors(&text), error, "{text}");
    }
}

#[test]
fn restarts_are_a_number_or_a_word() {
    for (text, restarts) in [
        ("restarts: 0", Restarts::Limited(0)),
        ("restarts: 3", Restarts::Limited(3)),
        ("restarts: '3'", Restarts::Limited(3)),
        ("restarts: 3.0", Restarts::Limited(3)),
        ("restarts: 'never'", Restarts::Limited(0)),
        ("restarts: 'unlimited'", Restarts::Unlimited),
        ("restarts: null", Restarts::Limited(0)),
        ("when: {interval: 1}", Restarts::Unlimited),
        ("when: {interval: 1}, restarts: 3", Restarts::Limited(3)),
        (
            "when: {interval: 1}, restarts: 'never'",
            Restarts::Limited(0),
        ),
        (
            "when: {interval: 1}, restarts: 'unlimited'",
            Restarts::Unlimited,
        ),
        (
            "when: {source: 'a', once: 'healthy'}, restarts: 'unlimited'",
            Restarts::Unlimited,
        ),
        (
            "when: {source: 'a', each: 'healthy'}, restarts: 3",
            Restarts::Limited(3),
        ),
        (
            "when: {source: 'SIGHUP'}, restarts: 'unlimited'",
            Restarts::Unlimited,
        ),
    ] {
        let spec = good(&format!("{{exec: 'app', {text}}}"));
        assert_eq!(spec.restarts, restarts, "{text}");
    }
}

#[test]
fn other_restarts_are_errors() {
    let allowed = "is not an integer of at least 0, \"unlimited\" or \"never\"";
    for (text, error) in [
        ("-1", format!("job[app].restarts: -1 {allowed}")),
        ("'-1'", format!("job[app].restarts: \"-1\" {allowed}")),
        ("1.5", format!("job[app].restarts: 1.5 {allowed}")),
        ("NaN", format!("job[app].restarts: NaN {allowed}")),
        ("true", format!("job[app].restarts: true {allowed}")),
        ("''", format!("job[app].restarts: \"\" {allowed}")),
        (
            "'always'",
            format!("job[app].restarts: \"always\" {allowed}"),
        ),
        (
            "'unlimted'",
            format!("job[app].restarts: \"unlimted\" {allowed}; did you mean \"unlimited\"?"),
        ),
        ("[1]", format!("job[app].restarts: a list {allowed}")),
    ] {
        assert_eq!(
            errors(&format!("{{exec: 'app', restarts: {text}}}")),
            error,
            "{text}"
        );
    }
    assert_eq!(
        errors("{exec: 'app', when: {source: 'a', each: 'changed'}, restarts: 'unlimited'}"),
        "job[app].restarts: \"unlimited\" can't go with \"when.each\": every event would add a run that never ends"
    );
}

#[test]
fn a_run_of_an_interval_may_take_the_interval() {
    let seconds = |seconds| Some(Duration::from_secs(seconds));
    for (text, timeout) in [
        ("when: {interval: '5s'}", seconds(5)),
        ("when: {interval: '5s'}, timeout: '1m'", seconds(60)),
        ("timeout: 7", seconds(7)),
        ("timeout: '7'", seconds(7)),
        ("timeout: ''", None),
        ("timeout: '1ms'", Some(Duration::from_millis(1))),
    ] {
        assert_eq!(
            good(&format!("{{exec: 'app', {text}}}")).timeout,
            timeout,
            "{text}"
        );
    }
    assert_eq!(
        errors("{exec: 'app', timeout: '0s'}"),
        "job[app].timeout: \"0s\" is shorter than 1ms, the least allowed"
    );
    assert_eq!(
        good("{exec: 'app', stopTimeout: '1m'}").stop_timeout,
        seconds(60)
    );
}

#[test]
fn output_is_logged_or_written_raw() {
    for (text, raw) in [
        ("", false),
        ("logging: {}", false),
        ("logging: {raw: false}", false),
        ("logging: {raw: true}", true),
        ("logging: {raw: 'true'}", true),
        ("logging: {raw: 1}", true),
    ] {
        assert_eq!(
            good(&format!("{{exec: 'app', {text}}}")).exec.unwrap().raw,
            raw,
            "{text}"
        );
    }
}

#[test]
fn a_port_advertises_the_job() {
    let spec = good(
        "{name: 'app', port: '8000', tags: ['a', 1], initial_status: 'warning', interfaces: 'static:192.0.2.1',
          health: {interval: 5, ttl: 10}, consul: {enableTagOverride: true, deregisterCriticalServiceAfter: '10m'}}",
    );
    assert_eq!(
        spec.service.unwrap(),
        ServiceSpec {
            id: "app-here".to_owned(),
            name: "app".into(),
            address: IpAddr::from([192, 0, 2, 1]),
            port: 8000,
            tags: vec!["a".to_owned(), "1".to_owned()],
            ttl: Duration::from_secs(10),
            initial_status: Some(InitialStatus::Warning),
            enable_tag_override: true,
            deregister_critical_after: Some("10m".to_owned()),
        }
    );
}

#[test]
fn one_tag_is_a_list_and_the_address_has_a_default() {
    let service = good(&format!("{{name: 'app', port: 80, tags: 'one', {HEALTH}}}"))
        .service
        .unwrap();
    assert_eq!(service.tags, ["one"]);
    assert_eq!(service.address, IpAddr::from([10, 0, 0, 1]));
    for interfaces in ["[]", "''", "null"] {
        let text = format!("{{name: 'app', port: 80, interfaces: {interfaces}, {HEALTH}}}");
        assert_eq!(
            good(&text).service.unwrap().address,
            service.address,
            "{text}"
        );
    }
}

#[test]
fn port_0_is_no_port() {
    for port in ["0", "'0'", "null"] {
        assert_eq!(
            good(&format!("{{name: 'App_1', port: {port}}}")).service,
            None
        );
    }
}

#[test]
fn everything_that_is_wrong_with_a_service_is_told_at_once() {
    let text = "{name: 'App', port: 80, interfaces: 'eth1', initial_status: 'fine',
                 consul: {deregisterCriticalServiceAfter: 'soon'}}";
    let errors = errors(text);
    let lines: Vec<&str> = errors.lines().collect();
    assert_eq!(
        lines,
        [
            "job[app].name: \"App\" can't be a service's name: that is a lower-case letter followed by letters, \
             digits and \"-\"",
            "job[app].health: is required because the job has a port",
            "job[app].initial_status: \"fine\" is not one of passing, warning, critical",
            "job[app].consul.deregisterCriticalServiceAfter: \"soon\" is no duration: there is no number",
            "job[app].interfaces: eth1 matches no address of this host (eth0 10.0.0.1)",
        ]
    );
}

#[test]
fn what_only_a_service_uses_is_a_warning_without_a_port() {
    assert_eq!(
        warnings(
            "{name: 'app', tags: ['a'], interfaces: 'nosuch', initial_status: 'invalid',
              consul: {deregisterCriticalServiceAfter: 'nope'}}"
        ),
        ["interfaces", "tags", "initial_status", "consul"]
            .map(|key| format!("job[app].{key}: has no effect without \"port\""))
    );
    assert!(warnings("{name: 'app', tags: [], consul: {}}").is_empty());
}

#[test]
fn what_is_refused_is_not_called_missing_as_well() {
    for (text, refused) in [
        ("{name: 'app', port: 'x', tags: ['a']}", "port"),
        ("{name: 'app', exec: 'a', port: 80, health: 5}", "health"),
        ("{name: 'app', exec: {}, essential: true, nice: 5}", "exec"),
        (
            "{name: 'app', exec: {}, health: {exec: 'a', interval: 5, ttl: 9, restartAfter: 2}}",
            "exec",
        ),
        ("{exec: {}}", "exec"),
        (
            "{name: {}, port: 80, health: {interval: 5, ttl: 10}}",
            "name",
        ),
    ] {
        let found = job(text).1.finish("").unwrap_err().into_all();
        let shown: Vec<String> = found.iter().map(ToString::to_string).collect();
        let expected = format!("job[app].{refused}: ");
        assert!(
            matches!(shown.as_slice(), [only] if only.starts_with(&expected)),
            "{shown:?}"
        );
    }
}

#[test]
fn a_job_without_exec_checks_and_advertises() {
    let spec = good(&format!("{{name: 'app', port: 80, {HEALTH}}}"));
    assert_eq!(spec.exec, None);
    assert!(spec.health.is_some_and(|health| health.check.is_none()));
}
