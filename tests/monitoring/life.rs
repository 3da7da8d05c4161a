//! The life of a supervisor and its jobs in figures: every family shows what has
//! happened, no more and no less.

use std::net::SocketAddr;
use std::time::{SystemTime, UNIX_EPOCH};

use crate::scrape::{Scrape, get, somewhere, telemetry};
use crate::support::prometheus::Tools;
use crate::support::{Gate, Supervisor, Temporary, binary, jobs, processes, run};

const DEBUG: &str = "logging: { level: 'DEBUG' }";

fn seconds_since_epoch() -> f64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap()
        .as_secs_f64()
}

const JOBS: &str = r#"
    { name: "app", restarts: 3, exec: ["sh", "-c", "echo pid $$ >>$FACTS; read go <$GATE; exit 7"],
      health: { interval: 1, ttl: 5, timeout: "60s",
                exec: ["sh", "-c", "read go <$DIR/checks; test -e $DIR/well"] } },
    { name: "denied", exec: "/etc/passwd" },
    { name: "done", exec: "true" },
    { name: "late", exec: ["sleep", "1000"], when: { source: "SIGUSR2" } },
    { name: "missing", exec: "/no/such/program", restarts: 2 },
    { name: "outside", health: { exec: ["sleep", "0.3"], interval: 1, ttl: 5 } },
"#;

/// Lets the jobs of [`JOBS`] live: `app` exits with 7, is killed by hand, and
/// then found unhealthy once and healthy twice.
fn live(address: SocketAddr) -> Supervisor {
    let start = jobs(JOBS).setting(DEBUG).setting(&telemetry(address, ""));
    let mut checks = Gate::open(&start.directory().fifo("checks"));
    let mut supervisor = start.ready();
    supervisor.stdout.wait_for("event: {Stopped, missing}");
    supervisor.facts.pid("pid");
    supervisor.gate.release();
    let second = supervisor.facts.pid("pid");
    processes::signal(second, libc::SIGKILL);
    supervisor.facts.pid("pid");
    checks.release();
    supervisor.stdout.wait_for("event: {StatusUnhealthy, app}");
    supervisor.directory().write("well", "");
    for _ in 0..2 {
        checks.release();
        supervisor.stdout.wait_for("event: {StatusHealthy, app}");
    }
    supervisor
}

/// What [`live`] has brought about.
fn assert_lived(scrape: &Scrape) {
    let names = |values: [f64; 5]| {
        let names = ["app", "denied", "done", "late", "missing"];
        let labels = names.map(|name| format!("{{name=\"{name}\"}}"));
        labels.into_iter().zip(values)
    };
    let families = [
        ("containerpilot_job_up", [1.0, 0.0, 0.0, 0.0, 0.0]),
        ("containerpilot_job_starts_total", [3.0, 1.0, 1.0, 0.0, 3.0]),
        (
            "containerpilot_job_restarts_total",
            [2.0, 0.0, 0.0, 0.0, 2.0],
        ),
    ];
    for (family, values) in families {
        let expected: Vec<_> = names(values).collect();
        let expected: Vec<_> = expected
            .iter()
            .map(|(labels, value)| (labels.as_str(), *value))
            .collect();
        scrape.expect(family, &expected);
    }
    let codes = [
        ("{name=\"app\"}", 137.0),
        ("{name=\"denied\"}", 126.0),
        ("{name=\"done\"}", 0.0),
        ("{name=\"missing\"}", 127.0),
    ];
    scrape.expect("containerpilot_job_last_exit_code", &codes);
    let healthy = [("{name=\"app\"}", 1.0), ("{name=\"outside\"}", 1.0)];
    scrape.expect("containerpilot_job_health", &healthy);
    let checks = scrape.value("containerpilot_job_check_duration_seconds_count{name=\"app\"}");
    assert_eq!(checks, 3.0);
    for (event, count) in [
        (r#"code="ExitFailed",source="app""#, 2.0),
        (r#"code="ExitFailed",source="check.app""#, 1.0),
        (r#"code="ExitSuccess",source="check.app""#, 2.0),
        (r#"code="StatusUnhealthy",source="app""#, 1.0),
        (r#"code="StatusHealthy",source="app""#, 2.0),
        (r#"code="ExitSuccess",source="done""#, 1.0),
        (r#"code="Stopping",source="done""#, 1.0),
        (r#"code="Stopped",source="done""#, 1.0),
        (r#"code="ExitFailed",source="missing""#, 3.0),
        (r#"code="Startup",source="global""#, 1.0),
    ] {
        let series = format!("containerpilot_events{{{event}}}");
        assert_eq!(scrape.value(&series), count, "{series}");
    }
}

#[test]
fn runs_exits_and_checks_of_jobs_are_counted_and_survive_a_reload() {
    let (address, began) = (somewhere(), seconds_since_epoch());
    let supervisor = live(address);
    let scrape = Scrape::of(address);
    assert_lived(&scrape);
    let starts = scrape.family("containerpilot_job_start_time_seconds");
    let names: Vec<_> = starts.iter().map(|(labels, _)| *labels).collect();
    assert_eq!(names, ["{name=\"app\"}", "{name=\"done\"}"]);
    for (job, start) in starts {
        let now = seconds_since_epoch();
        assert!(began - 1.0 < start && start < now + 1.0, "{job} {start}");
    }
    // Each check of this job sleeps for 0.3 s.
    let check = |what: &str| {
        scrape.value(&format!(
            "containerpilot_job_check_duration_seconds{what}}}"
        ))
    };
    let (count, sum) = (
        check("_count{name=\"outside\""),
        check("_sum{name=\"outside\""),
    );
    assert!(count >= 1.0 && sum >= 0.3 * count, "{count} in {sum} s");
    assert_eq!(check("_bucket{name=\"outside\",le=\"0.25\""), 0.0);
    assert_eq!(check("_bucket{name=\"outside\",le=\"+Inf\""), count);

    supervisor.client(&["-reload"]).success();
    let scrape = Scrape::of(address);
    assert_lived(&scrape);
    supervisor.signal(libc::SIGUSR2);
    supervisor.stdout.wait_for(" late started with pid ");
    let scrape = Scrape::of(address);
    assert_eq!(scrape.value("containerpilot_job_up{name=\"late\"}"), 1.0);
}

#[test]
fn the_control_plane_reloads_signals_and_turns_are_counted() {
    let address = somewhere();
    let supervisor = jobs(r#"{ name: "app", exec: ["sleep", "1000"] }"#)
        .setting(DEBUG)
        .setting(&telemetry(address, ""))
        .start();
    supervisor.stdout.wait_for("control plane listens");
    supervisor.stdout.wait_for(" app started with pid ");
    let ask = |method: &str, path: &str, body: &str| supervisor.http(method, path, body).status;
    assert_eq!(ask("GET", "/v3/ping", ""), 200);
    assert_eq!(ask("POST", "/v3/ping", ""), 405);
    assert_eq!(ask("POST", "/v3/env", "{}"), 200);
    assert_eq!(ask("POST", "/v3/metric", "{"), 422);
    assert_eq!(ask("POST", "/v3/metric", r#"{"no": 1}"#), 400);
    assert_eq!(ask("GET", "/favicon.ico", ""), 404);
    for _ in 0..2 {
        assert_eq!(ask("POST", "/v3/maintenance/enable", ""), 200);
    }
    assert_eq!(ask("POST", "/v3/maintenance/disable", ""), 200);
    for _ in 0..2 {
        assert_eq!(ask("POST", "/v3/reload", ""), 200);
    }
    supervisor.change_config("name: \"app\"", "nam: \"app\"");
    assert_eq!(ask("POST", "/v3/reload", ""), 422);
    for _ in 0..3 {
        supervisor.signal(libc::SIGHUP);
        supervisor.stdout.wait_for("event: {Signal, SIGHUP}");
    }

    let scrape = Scrape::of(address);
    scrape.expect(
        "containerpilot_control_http_requests",
        &[
            (r#"{code="200",path="/v3/env"}"#, 1.0),
            (r#"{code="200",path="/v3/maintenance/disable"}"#, 1.0),
            (r#"{code="200",path="/v3/maintenance/enable"}"#, 2.0),
            (r#"{code="200",path="/v3/ping"}"#, 1.0),
            (r#"{code="200",path="/v3/reload"}"#, 2.0),
            (r#"{code="400",path="/v3/metric"}"#, 1.0),
            (r#"{code="404",path="other"}"#, 1.0),
            (r#"{code="405",path="/v3/ping"}"#, 1.0),
            (r#"{code="422",path="/v3/metric"}"#, 1.0),
            (r#"{code="422",path="/v3/reload"}"#, 1.0),
        ],
    );
    scrape.expect(
        "containerpilot_reloads_total",
        &[
            (r#"{result="success"}"#, 2.0),
            (r#"{result="failure"}"#, 1.0),
        ],
    );
    scrape.expect(
        "containerpilot_events",
        &[
            (r#"{code="EnterMaintenance",source="global"}"#, 1.0),
            (r#"{code="ExitMaintenance",source="global"}"#, 1.0),
            (r#"{code="Startup",source="global"}"#, 1.0),
            (r#"{code="Signal",source="SIGHUP"}"#, 3.0),
        ],
    );
    assert_turns(&scrape, &Scrape::of(address));
    assert_is_this_process(&supervisor, &scrape);
    assert_is_this_build(&scrape);
    // Without a backend there is nothing to tell of it.
    assert!(!scrape.text().contains("consul"), "{}", scrape.text());
    assert!(!scrape.text().contains("watch"), "{}", scrape.text());
}

/// A scrape is a turn of the event loop, and turns are short.
fn assert_turns(first: &Scrape, second: &Scrape) {
    let turns = |scrape: &Scrape| scrape.value("containerpilot_loop_turn_seconds_count");
    assert!(turns(second) > turns(first));
    let short = "containerpilot_loop_turn_seconds_bucket{le=\"0.01\"}";
    assert!(second.value(short) > turns(second) / 2.0);
    assert!(second.value("containerpilot_loop_turn_seconds_sum") > 0.0);
}

/// The process that is described is the supervisor's.
fn assert_is_this_process(supervisor: &Supervisor, scrape: &Scrape) {
    let pid = supervisor.pid();
    let near = |figure: &str, expected: f64, tolerance: f64| {
        let value = scrape.value(figure);
        let is_near = (value - expected).abs() <= tolerance;
        assert!(is_near, "{figure} is {value}, not {expected}");
    };
    let status = |field: &str| processes::status_field(pid, field) as f64;
    // Connections and their threads come and go.
    near("process_threads", status("Threads"), 4.0);
    near("process_open_fds", processes::open_files(pid) as f64, 6.0);
    let memory = status("VmRSS") * 1024.0;
    near("process_resident_memory_bytes", memory, memory / 4.0);
    let memory = status("VmSize") * 1024.0;
    near("process_virtual_memory_bytes", memory, memory / 4.0);
    near("process_start_time_seconds", seconds_since_epoch(), 60.0);
    assert!(scrape.value("process_max_fds") >= scrape.value("process_open_fds"));
    assert!(scrape.value("process_cpu_seconds_total") < 60.0);
    assert!(scrape.value("process_virtual_memory_max_bytes") > memory);
}

fn assert_is_this_build(scrape: &Scrape) {
    let mut version = crate::support::command::command(binary());
    let lines = run(version.arg("-version")).success();
    let build = format!(
        "{{version=\"{}\",revision=\"{}\"}}",
        lines[0].strip_prefix("Version: ").unwrap(),
        lines[1].strip_prefix("GitHash: ").unwrap()
    );
    scrape.expect("containerpilot_build_info", &[(build.as_str(), 1.0)]);
}

#[test]
fn log_lines_that_nobody_reads_are_counted_while_nobody_reads_them() {
    let address = somewhere();
    let mut supervisor = jobs(r#"{ name: "app", exec: ["sleep", "1000"] }"#)
        .setting(&telemetry(address, ""))
        .with_stalled_stdout()
        .ready();
    let dropped = || Scrape::of(address).value("containerpilot_log_lines_dropped_total");
    assert_eq!(dropped(), 0.0);
    // Each of these is told in the log, with all that is wrong.
    let unknown: String = (0..1000).map(|n| format!("unknown{n}: 0,\n")).collect();
    supervisor.change_config("{\ncontrol", &format!("{{\n{unknown}control"));
    while dropped() < 3.0 {
        assert_eq!(supervisor.http("POST", "/v3/reload", "").status, 422);
    }
    let count = dropped();
    supervisor.read_stdout();
    let told = supervisor.stdout.wait_for(" entries of the supervisor: ");
    assert!(
        told.contains(&format!(" dropped {count} entries ")),
        "{told}"
    );
    assert_eq!(dropped(), count);
}

#[test]
fn promtool_and_pythons_client_find_nothing_wrong_with_it() {
    let Some(tools) = Tools::find() else { return };
    let address = somewhere();
    let supervisor = live(address);
    let directory = Temporary::new();
    let exposition = directory.write("text", Scrape::of(address).text());
    let found = tools.promtool(&["check", "metrics"], Some(&exposition));
    let expected = [
        "containerpilot_control_http_requests counter metrics should have \"_total\" suffix",
        "containerpilot_events counter metrics should have \"_total\" suffix",
    ];
    assert_eq!(found.stderr, expected, "the names are the original's");
    let lines = tools.read_exposition("text", &exposition).success();
    let bits = format!("{:016x}", 137f64.to_bits());
    let code = format!(r#"["containerpilot_job_last_exit_code", {{"name": "app"}}, "{bits}"]"#);
    assert!(lines.contains(&code), "{lines:#?}");

    let accept = "Accept: application/openmetrics-text; version=1.0.0\r\n";
    let exposition = directory.write("open", &get(address, "/metrics", accept).body);
    let lines = tools.read_exposition("openmetrics", &exposition).success();
    assert!(lines.contains(&code), "{lines:#?}");
    drop(supervisor);
}
