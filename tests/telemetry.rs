//! The telemetry server as a Prometheus and an operator see it.
//!
//! The event loop is a thread of this test that owns the metrics and answers the
//! server's questions as the supervisor does.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that cannot set up its world must fail loudly"
)]

mod support;

use std::collections::BTreeSet;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpStream};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use containerpilot::config::series_names::BUILT_IN;
use containerpilot::config::{MetricKind, MetricSpec};
use containerpilot::event::{Code, Event};
use containerpilot::telemetry::metrics::{ConsulOp, Metrics, Subjects};
use containerpilot::telemetry::question::{Answer, AnswerTo, Question};
use containerpilot::telemetry::server::{Outside, Telemetry};
use containerpilot::telemetry::status::{ServiceStatus, Status};
use crossbeam_channel::{Sender, unbounded};
use support::http::Response;
use support::prometheus::{Prometheus, Sample, Tools};
use support::{PATIENCE, Temporary};

/// What reaches the event loop of this test.
enum Input {
    Question(Question, AnswerTo),
    Change(Box<dyn FnOnce(&mut Metrics) + Send>),
}

/// A telemetry server and the event loop behind it.
struct World {
    inbox: Sender<Input>,
    telemetry: Telemetry,
}

impl World {
    fn new() -> Self {
        let (inbox, inputs) = unbounded();
        thread::spawn(move || {
            let mut metrics = Metrics::default();
            for input in inputs {
                match input {
                    Input::Change(change) => change(&mut metrics),
                    Input::Question(question, to) => to.send(answer(question, &metrics)),
                }
            }
        });
        let questions = inbox.clone();
        let outside = Outside {
            version: "4.0.0",
            revision: "c7fef99",
            ask: Box::new(move |question, to| {
                questions.send(Input::Question(question, to)).unwrap();
            }),
            log_lines_dropped: Box::new(|| 0),
        };
        let any_port = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let telemetry = Telemetry::start(any_port, outside).unwrap();
        Self { inbox, telemetry }
    }

    fn address(&self) -> SocketAddr {
        self.telemetry.address()
    }

    fn change(&self, change: impl FnOnce(&mut Metrics) + Send + 'static) {
        self.inbox.send(Input::Change(Box::new(change))).unwrap();
    }

    fn push(&self, name: &'static str, values: &'static [f64]) {
        self.change(move |metrics| {
            for value in values {
                let pushed = [(name.to_owned(), *value)];
                assert_eq!(metrics.push(&pushed, Instant::now()), Ok(()));
            }
        });
    }

    fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(self.address()).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream
    }

    /// One request on a connection of its own.
    #[track_caller]
    fn request(&self, line: &str, headers: &str) -> Response {
        let mut stream = self.connect();
        let request = format!("{line} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n{headers}\r\n");
        stream.write_all(request.as_bytes()).unwrap();
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).unwrap();
        Response::parse(&answer)
    }
}

fn answer(question: Question, metrics: &Metrics) -> Answer {
    match question {
        Question::Metrics => Answer::Metrics(Box::new(metrics.snapshot(Instant::now()))),
        Question::Status => Answer::Status(Box::new(Status {
            version: "4.0.0",
            jobs: Vec::new(),
            services: vec![ServiceStatus {
                name: "app".to_owned(),
                address: IpAddr::V4(Ipv4Addr::LOCALHOST),
                port: 80,
                status: "healthy",
            }],
            watches: vec!["db".to_owned()],
        })),
    }
}

fn specs() -> Vec<MetricSpec> {
    let kinds = [
        ("containerpilot_app_some_counter", MetricKind::Counter),
        ("app_level", MetricKind::Gauge),
        ("app_request_seconds", MetricKind::Histogram),
        ("app_size_bytes", MetricKind::Summary),
    ];
    let spec = |(name, kind): (&str, MetricKind)| MetricSpec {
        name: name.to_owned(),
        help: format!("A \"test\" of a {kind:?}\\n."),
        kind,
    };
    kinds.map(spec).to_vec()
}

/// The values of some samples by one of their labels.
fn by<'a>(samples: &'a [Sample], label: &str) -> Vec<(&'a str, f64)> {
    let mut values: Vec<_> = samples
        .iter()
        .map(|(labels, value)| (labels.get(label).map_or("", String::as_str), *value))
        .collect();
    values.sort_by(|a, b| a.partial_cmp(b).unwrap());
    values
}

#[test]
fn a_real_prometheus_stores_what_was_pushed() {
    let Some(tools) = Tools::find() else { return };
    let world = World::new();
    world.change(|metrics| metrics.configure_user(&specs()));
    world.push("containerpilot_app_some_counter", &[40.0, 2.0]);
    world.push("app_level", &[1.0, -0.1]);
    world.push("app_request_seconds", &[0.3, 0.3, 7.0, 11.0]);
    world.push("app_size_bytes", &[1.0, 2.0, 3.0, 4.0]);
    let directory = Temporary::new();
    let prometheus = Prometheus::start(&tools, &directory, world.address());

    let one = |expression: &str| {
        let samples = prometheus.wait_for(expression, |samples| samples.len() == 1);
        samples[0].1
    };
    assert_eq!(one("containerpilot_app_some_counter"), 42.0);
    assert_eq!(one("app_level"), -0.1);
    assert_eq!(one("app_request_seconds_sum"), 18.6);
    assert_eq!(one("app_request_seconds_count"), 4.0);
    assert_eq!(one("app_size_bytes_sum"), 10.0);
    let quantiles = prometheus.query("app_size_bytes");
    let expected = [("0.5", 2.0), ("0.9", 4.0), ("0.99", 4.0)];
    assert_eq!(by(&quantiles, "quantile"), expected);
    let buckets = prometheus.query("app_request_seconds_bucket > 0");
    let expected = [
        ("+Inf", 4.0),
        ("0.5", 2.0),
        ("1.0", 2.0),
        ("10.0", 3.0),
        ("2.5", 2.0),
        ("5.0", 2.0),
    ];
    assert_eq!(by(&buckets, "le"), expected);
    // It asked for OpenMetrics, and understands all that it got.
    let metadata = prometheus.get("/api/v1/targets/metadata", &[]);
    let types = metadata["data"].as_array().unwrap();
    let help = "A \"test\" of a Counter\\n.";
    assert!(
        types.iter().any(|family| family["help"] == help),
        "{metadata}"
    );
    let targets = prometheus.get("/api/v1/targets", &[]);
    for target in targets["data"]["activeTargets"].as_array().unwrap() {
        assert_eq!(target["lastError"], "", "{target}");
    }
}

/// Metrics to which everything happens that there are metrics for.
fn everything_happens(metrics: &mut Metrics) {
    let values = &mut metrics.built_in;
    values.configure(&Subjects {
        jobs: vec![(Arc::from("app"), true)],
        watches: vec![Arc::from("db")],
        consul: true,
    });
    values.event_published(&Event::new(Code::Healthy, "app"));
    values.requests.answered(200, "/v3/ping");
    values.requests.answered(503, "/v3/reload");
    values.instances_seen(&Arc::from("db"), 2);
    values.run_asked("app", false);
    values.run_started("app", Instant::now());
    values.run_ended("app", 1);
    values.run_asked("app", true);
    values.run_started("app", Instant::now());
    values.health_known("app", Some(true));
    values.check_ended("app", Duration::from_millis(20));
    values.reload_ended(true);
    values.consul.answered(ConsulOp::Heartbeat, true);
    values.turn_ended(Duration::from_micros(30));
}

/// Every expression of the dashboard's panels, its variables filled in.
fn dashboard_expressions() -> Vec<String> {
    let dashboard: serde_json::Value =
        serde_json::from_str(include_str!("../docs/grafana-dashboard.json")).unwrap();
    let panels = dashboard["panels"].as_array().unwrap();
    panels
        .iter()
        .filter_map(|panel| panel["targets"].as_array())
        .flatten()
        .map(|target| {
            let expression = target["expr"].as_str().unwrap();
            let expression = expression
                .replace("$job", ".*")
                .replace("$instance", ".*")
                .replace("$__rate_interval", "1m");
            assert!(!expression.contains('$'), "{expression}");
            expression
        })
        .collect()
}

/// Every series name of ours in an expression.
fn names(expression: &str) -> impl Iterator<Item = &str> {
    expression
        .split(|c: char| !c.is_ascii_alphanumeric() && c != '_')
        .filter(|word| word.starts_with("containerpilot_") || word.starts_with("process_"))
}

fn exported() -> BTreeSet<String> {
    let suffixes = |kind| match kind {
        MetricKind::Histogram => &["_bucket", "_sum", "_count"][..],
        MetricKind::Summary => &["", "_sum", "_count"][..],
        MetricKind::Counter | MetricKind::Gauge => &[""][..],
    };
    BUILT_IN
        .iter()
        .flat_map(|(name, kind)| {
            suffixes(*kind)
                .iter()
                .map(|suffix| [name, *suffix].concat())
        })
        .collect()
}

#[test]
fn every_expression_of_dashboard_and_alerts_works_on_a_real_prometheus() {
    let Some(tools) = Tools::find() else { return };
    let world = World::new();
    world.change(everything_happens);
    let directory = Temporary::new();
    let prometheus = Prometheus::start(&tools, &directory, world.address());
    prometheus.wait_for("count_over_time(process_open_fds[1m]) >= 2", |samples| {
        samples.len() == 1
    });

    let exported = exported();
    let dashboard = dashboard_expressions();
    assert!(dashboard.len() > 20, "{dashboard:?}");
    for expression in &dashboard {
        for name in names(expression) {
            assert!(exported.contains(name), "{name} in {expression}");
        }
        let samples = prometheus.query(expression);
        assert!(!samples.is_empty(), "{expression} yields nothing");
    }

    let rules = prometheus.get("/api/v1/rules", &[]);
    let groups = rules["data"]["groups"].as_array().unwrap();
    let alerts: Vec<_> = groups
        .iter()
        .flat_map(|group| group["rules"].as_array().unwrap())
        .collect();
    assert!(alerts.len() > 10, "{rules}");
    for alert in alerts {
        let expression = alert["query"].as_str().unwrap();
        assert!(names(expression).count() > 0, "{expression}");
        for name in names(expression) {
            assert!(exported.contains(name), "{name} in {expression}");
        }
        prometheus.query(expression);
    }
    // The panels and rules miss nothing that is exported, or it were not worth
    // exporting.
    let used: BTreeSet<&str> = dashboard
        .iter()
        .flat_map(|expression| names(expression))
        .collect();
    for name in &exported {
        let is_shown = used.contains(name.as_str());
        let is_part = name.ends_with("_sum") || name.ends_with("_count");
        let is_of_the_process = name.starts_with("process_virtual_memory");
        assert!(
            is_shown || is_part || is_of_the_process,
            "{name} is not shown"
        );
    }
}

#[test]
fn pages_methods_and_formats() {
    let world = World::new();
    let get = |path: &str| world.request(&format!("GET {path}"), "");
    let metrics = world.request("GET /metrics?x=1", "Accept-Encoding: gzip\r\n");
    assert_eq!(metrics.status, 200);
    assert_eq!(
        metrics.header("content-type"),
        Some("text/plain; version=0.0.4; charset=utf-8")
    );
    assert_eq!(metrics.header("content-encoding"), None);
    assert!(
        metrics.body.contains("\nprocess_open_fds "),
        "{}",
        metrics.body
    );
    let open = world.request("GET /metrics", "Accept: application/openmetrics-text\r\n");
    assert_eq!(
        open.header("content-type"),
        Some("application/openmetrics-text; version=1.0.0; charset=utf-8")
    );
    assert!(open.body.ends_with("\n# EOF\n"));

    let head = world.request("HEAD /metrics", "");
    assert_eq!((head.status, head.body.as_str()), (200, ""));
    let length: usize = head.header("content-length").unwrap().parse().unwrap();
    assert!(length > 1_000);

    let status = get("/status");
    assert_eq!(status.header("content-type"), Some("application/json"));
    let expected = concat!(
        r#"{"Version":"4.0.0","Jobs":[],"Services":[{"Name":"app","Address":"127.0.0.1","#,
        r#""Port":80,"Status":"healthy"}],"Watches":["db"]}"#,
        "\n"
    );
    assert_eq!(status.body, expected);

    for path in ["/", "/metrics/", "/favicon.ico"] {
        assert_eq!(get(path).status, 404);
    }
    for method in ["POST", "PUT", "DELETE", "OPTIONS"] {
        let refused = world.request(&format!("{method} /metrics"), "");
        assert_eq!(refused.status, 405, "{method}");
        assert_eq!(refused.header("allow"), Some("GET, HEAD"));
    }
}

#[test]
fn one_connection_serves_scrape_after_scrape() {
    let world = World::new();
    let mut stream = BufReader::new(world.connect());
    for _ in 0..3 {
        let request = b"GET /status HTTP/1.1\r\nHost: a\r\n\r\n";
        stream.get_mut().write_all(request).unwrap();
        let mut line = String::new();
        while !line.ends_with("}\n") {
            line.clear();
            assert!(stream.read_line(&mut line).unwrap() > 0);
            assert!(!line.starts_with("Connection: close"));
        }
    }
}

#[test]
fn hundreds_of_silent_and_slow_clients_do_not_hold_up_a_scrape() {
    let world = World::new();
    let clients: Vec<TcpStream> = (0..400)
        .map(|number| {
            let mut stream = world.connect();
            if number % 2 == 0 {
                // The server may have closed it to make room.
                let _gone = stream.write_all(b"GET /metrics HTTP/1.1\r\nHo");
            }
            stream
        })
        .collect();
    for _ in 0..20 {
        let scraped = world.request("GET /metrics", "");
        assert_eq!(scraped.status, 200);
        let threads = scraped.body.split("\nprocess_threads ").nth(1).unwrap();
        let threads: f64 = threads.lines().next().unwrap().parse().unwrap();
        assert!(threads < 200.0, "{threads} threads");
    }
    drop(clients);
}
