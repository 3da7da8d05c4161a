//! What becomes of a built-in check when its job, or the supervisor, is told
//! something else meanwhile; and that nothing is left of any.

use crate::support::{Start, command, jobs, processes};
use crate::web::Web;
use crate::{OFTEN, PATIENT, expect, passed};

/// A job that is only checked, by asking for a path with a lot of patience.
fn asking(web: &Web, path: &str) -> Start {
    let url = web.url(path);
    jobs(&format!(
        "{{ name: 'app', health: {{ http: {url:?}, timeout: '10m', {OFTEN} }} }}"
    ))
}

#[test]
fn a_check_that_hangs_holds_nothing_up() {
    let web = Web::local();
    let mut supervisor = asking(&web, "/silent").ready();
    web.next();
    assert_eq!(supervisor.http("GET", "/v3/ping", "").body, "ok");
    supervisor.http("POST", "/v3/maintenance/enable", "");
    supervisor.http("POST", "/v3/maintenance/disable", "");
    // Shutdown, too: the check has ten minutes.
    assert_eq!(supervisor.terminate(), 0);
}

#[test]
fn a_check_that_hangs_delays_no_other() {
    let web = Web::local();
    let (silent, fine) = (web.url("/silent"), web.url("/ok"));
    let mut supervisor = jobs(&format!(
        "{{ name: 'stuck', health: {{ http: {silent:?}, timeout: '10m', {OFTEN} }} }},
         {{ name: 'fine', health: {{ http: {fine:?}, {PATIENT} }} }},
         {{ name: 'good', when: {{ source: 'fine', each: 'healthy' }}, exec: ['sh', '-c', 'echo good >>$FACTS'] }}"
    ))
    .start();
    supervisor.facts.expect(&["good"; 5]);
    assert_eq!(supervisor.terminate(), 0);
}

#[test]
fn nobody_is_asked_in_maintenance() {
    let web = Web::local();
    let url = web.url("/ok");
    let mut supervisor = jobs(&format!(
        "{{ name: 'app', health: {{ http: {url:?}, {PATIENT} }} }},
         {{ name: 'clock', when: {{ interval: '50ms' }}, exec: ['sh', '-c', 'echo tick >>$FACTS'] }}"
    ))
    .ready();
    web.wait_for(3);
    supervisor.http("POST", "/v3/maintenance/enable", "");
    // One that was on its way may still arrive; then the clock fences.
    supervisor.facts.rest();
    supervisor.facts.expect(&["tick"; 4]);
    while web.try_next().is_some() {}
    supervisor.facts.expect(&["tick"; 4]);
    assert_eq!(web.try_next(), None);
    supervisor.http("POST", "/v3/maintenance/disable", "");
    web.next();
    assert_eq!(supervisor.terminate(), 0);
}

#[test]
fn a_reload_changes_the_check_of_a_running_job() {
    let web = Web::local();
    let url = web.url("/status?500");
    let mut supervisor = jobs(&format!(
        "{{ name: 'app', exec: ['sh', '-c', 'echo run >>$FACTS; exec sleep 1000'],
            health: {{ http: {url:?}, {PATIENT} }} }}"
    ))
    .ready();
    supervisor.facts.expect(&["run"]);
    expect(&supervisor, &[("app", "answered 500")]);
    supervisor.change_config("500", "201");
    let plan = supervisor.client(&["-reload", "-v"]).success();
    assert!(
        plan.contains(&"update job[app]: health.http".to_owned()),
        "{plan:?}"
    );
    expect(&supervisor, &[("app", &passed(201))]);
    assert_eq!(supervisor.facts.rest(), Vec::<String>::new());
    assert_eq!(supervisor.terminate(), 0);
}

#[test]
fn a_job_whose_checks_fail_is_restarted() {
    let web = Web::local();
    let url = web.url("/status?503");
    let mut supervisor = jobs(&format!(
        "{{ name: 'app', restarts: 'unlimited', exec: ['sh', '-c', 'echo run >>$FACTS; exec sleep 1000'],
            health: {{ http: {url:?}, {PATIENT}, restartAfter: 3 }} }}"
    ))
    .start();
    supervisor.facts.expect(&["run", "run"]);
    assert_eq!(supervisor.terminate(), 0);
}

#[test]
fn the_last_answer_is_in_the_status_and_every_one_in_the_metrics() {
    let web = Web::local();
    let (good, bad) = (web.url("/ok"), web.url("/status?500"));
    let address = crate::support::free_address();
    let mut supervisor = jobs(&format!(
        "{{ name: 'good', health: {{ http: {good:?}, {PATIENT} }} }},
         {{ name: 'bad', health: {{ http: {bad:?}, {PATIENT} }} }}"
    ))
    .setting(&format!("telemetry: {{ interfaces: 'static:{address}' }}"))
    .ready();
    expect(
        &supervisor,
        &[("good", &passed(200)), ("bad", "answered 500")],
    );
    let status = supervisor.http("GET", "/v3/jobs/bad", "").body;
    assert!(
        status.contains("\"reason\":\"answered 500 after "),
        "{status}"
    );
    let status = supervisor.http("GET", "/v3/jobs/good", "").body;
    assert!(
        status.contains("\"reason\":\"answered 200 after "),
        "{status}"
    );
    let url = format!("http://{address}:9090/metrics");
    let metrics = crate::support::run(command::command("curl").args(["-sS", &url])).success();
    for line in [
        "containerpilot_job_health{name=\"good\"} 1",
        "containerpilot_job_health{name=\"bad\"} 0",
    ] {
        assert!(metrics.iter().any(|it| it == line), "{metrics:#?}");
    }
    let count = "containerpilot_job_check_duration_seconds_count{name=\"good\"}";
    assert!(
        metrics.iter().any(|it| it.starts_with(count)),
        "{metrics:#?}"
    );
    assert_eq!(supervisor.terminate(), 0);
}

#[test]
fn thousands_of_checks_leave_no_descriptor_and_no_thread_behind() {
    const PATHS: [&str; 9] = [
        "/ok",
        "/chunked",
        "/redirect?2",
        "/cut",
        "/nothing",
        "/reset",
        "/garbage",
        "/silent",
        "/endless-head",
    ];
    let web = Web::local();
    let checks = PATHS.map(|path| {
        let url = web.url(path);
        format!(
            "{{ name: {path:?}, health: {{ interval: '1ms', ttl: 5, timeout: '5ms', \
                http: {{ url: {url:?}, redirects: 3 }} }} }},\n"
        )
    });
    let refused = crate::support::consul::nobody();
    let more =
        format!("{{ name: 'refused', health: {{ tcp: '{refused}', interval: '1ms', ttl: 5 }} }}");
    let mut supervisor = jobs(&(checks.concat() + &more)).ready();
    let pid = supervisor.pid();
    web.wait_for(100);
    let (files, threads) = (
        processes::open_files(pid),
        processes::status_field(pid, "Threads"),
    );
    web.wait_for(5000);
    // Each job has at most one check under way at either look.
    let jobs = PATHS.len() + 1;
    let (after, threads_after) = (
        processes::open_files(pid),
        processes::status_field(pid, "Threads"),
    );
    assert!(after <= files + jobs, "{files} descriptors, then {after}");
    assert!(
        threads_after <= threads + jobs as u64,
        "{threads} threads, then {threads_after}"
    );
    assert_eq!(supervisor.terminate(), 0);
}
