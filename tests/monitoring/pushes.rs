//! What jobs push: all of a request or nothing of it, and kept over a reload.

use std::net::SocketAddr;

use crate::scrape::{Scrape, somewhere, telemetry};
use crate::support::prometheus::{Prometheus, Tools};
use crate::support::{Supervisor, Temporary, jobs};

const METRICS: &str = r#"
    { namespace: 'shop', subsystem: 'orders', name: 'total', help: 'Orders.', type: 'counter' },
    { namespace: 'shop', name: 'items', help: 'A "quoted" \\ text.', type: 'gauge' },
    { name: 'pay_seconds', help: 'Payments.', type: 'histogram' },
    { name: 'page_bytes', help: 'Pages.', type: 'summary' },
"#;

fn shop(address: SocketAddr) -> Supervisor {
    jobs(r#"{ name: "app", exec: ["sleep", "1000"] }"#)
        .setting(&telemetry(address, METRICS))
        .ready()
}

/// The numbers of the four metrics of [`METRICS`].
fn numbers(address: SocketAddr) -> [f64; 6] {
    let scrape = Scrape::of(address);
    [
        "shop_orders_total",
        "shop_items",
        "pay_seconds_sum",
        "pay_seconds_count",
        "page_bytes_sum",
        "page_bytes_count",
    ]
    .map(|series| scrape.value(series))
}

#[test]
fn every_type_takes_what_is_pushed_by_flag_and_by_request() {
    let address = somewhere();
    let supervisor = shop(address);
    let push = |flags: &[&str]| {
        let arguments: Vec<_> = flags.iter().flat_map(|flag| ["-putmetric", flag]).collect();
        assert_eq!(supervisor.client(&arguments).success(), [""; 0]);
    };
    push(&["shop_orders_total=40", "shop_items=-1.5"]);
    let one_word = supervisor.client(&["--putmetric=pay_seconds=0.3", "-putmetric=page_bytes=1e3"]);
    assert_eq!(one_word.success(), [""; 0]);
    let body =
        r#"{"shop_orders_total": "2", "shop_items": 7, "pay_seconds": 20, "page_bytes": 3000}"#;
    let answer = supervisor.http("POST", "/v3/metric", body);
    assert_eq!((answer.status, answer.body.as_str()), (200, ""));
    assert_eq!(numbers(address), [42.0, 7.0, 20.3, 2.0, 4000.0, 2.0]);
    let scrape = Scrape::of(address);
    for (series, value) in [
        ("pay_seconds_bucket{le=\"0.25\"}", 0.0),
        ("pay_seconds_bucket{le=\"0.5\"}", 1.0),
        ("pay_seconds_bucket{le=\"10\"}", 1.0),
        ("pay_seconds_bucket{le=\"+Inf\"}", 2.0),
        ("page_bytes{quantile=\"0.5\"}", 1000.0),
        ("page_bytes{quantile=\"0.99\"}", 3000.0),
    ] {
        assert_eq!(scrape.value(series), value, "{series}");
    }
    let help = "# HELP shop_items A \"quoted\" \\\\ text.\n# TYPE shop_items gauge\n";
    assert!(scrape.text().contains(help), "{}", scrape.text());
    for (pushed, shown) in [
        ("+Inf", f64::INFINITY),
        ("-inf", f64::NEG_INFINITY),
        ("5e-324", 5e-324),
        ("-1.7976931348623157e308", f64::MIN),
    ] {
        push(&[&format!("shop_items={pushed}")]);
        assert_eq!(numbers(address)[1], shown);
    }
    push(&["shop_items=NaN"]);
    assert!(Scrape::of(address).text().contains("\nshop_items NaN\n"));
}

#[test]
fn a_push_with_anything_wrong_in_it_is_refused_whole_and_told_why() {
    let address = somewhere();
    let supervisor = shop(address);
    let before = numbers(address);
    let refused = |status: u16, body: &str| {
        let answer = supervisor.http("POST", "/v3/metric", body);
        assert_eq!(answer.status, status, "{body}: {answer:?}");
        assert_eq!(numbers(address), before, "{body}");
        answer.body
    };
    let message = refused(400, r#"{"shop_items": 3, "orders_total": 1, "nope": 1}"#);
    assert_eq!(
        message,
        "unknown metric \"nope\": not in telemetry.metrics; \
         unknown metric \"orders_total\": did you mean \"shop_orders_total\"?\n"
    );
    let message = refused(400, r#"{"shop_items": 3, "shop_orders_total": -1}"#);
    assert!(message.contains("\"shop_orders_total\""), "{message}");
    let message = refused(400, r#"{"shop_items": 3, "pay_seconds": "fast"}"#);
    assert!(message.contains("\"pay_seconds\""), "{message}");
    let message = refused(400, r#"{"shop_items": 3, "page_bytes": "NaN"}"#);
    assert!(message.contains("\"page_bytes\""), "{message}");
    for body in [r#"{"shop_items": 3"#, r#"["shop_items"]"#, ""] {
        refused(422, body);
    }
    let failed = supervisor.client(&["-putmetric", "shop_items=3", "-putmetric", "nope=1"]);
    assert_eq!(failed.code, 1);
    let line = failed.error_line();
    for part in ["-putmetric", "400", "\"nope\""] {
        assert!(line.contains(part), "{line}");
    }
    assert_eq!(numbers(address), before);
}

#[test]
fn values_outlive_a_reload_if_name_and_type_stay() {
    let address = somewhere();
    let supervisor = shop(address);
    let body = r#"{"shop_orders_total": 3, "shop_items": 4, "pay_seconds": 5, "page_bytes": 6}"#;
    assert_eq!(supervisor.http("POST", "/v3/metric", body).status, 200);
    supervisor.change_config("'Orders.'", "'Orders that were placed.'");
    supervisor.change_config("type: 'gauge'", "type: 'counter'");
    supervisor.change_config("{ name: 'page_bytes'", "{ name: 'other_bytes'");
    supervisor.client(&["-reload"]).success();
    let scrape = Scrape::of(address);
    assert_eq!(scrape.value("shop_orders_total"), 3.0);
    assert_eq!(scrape.value("shop_items"), 0.0, "it has another type");
    assert_eq!(scrape.value("pay_seconds_bucket{le=\"5\"}"), 1.0);
    assert_eq!(scrape.value("other_bytes_count"), 0.0);
    assert_eq!(scrape.get("page_bytes_count"), None);
    assert!(scrape.text().contains("Orders that were placed."));

    supervisor.change_config("{ name: 'other_bytes'", "{ name: 'page_bytes'");
    supervisor.client(&["-reload"]).success();
    let scrape = Scrape::of(address);
    assert_eq!(scrape.value("shop_orders_total"), 3.0);
    assert_eq!(scrape.value("page_bytes_count"), 0.0, "it was gone");
}

#[test]
fn a_real_prometheus_stores_what_jobs_push() {
    let Some(tools) = Tools::find() else { return };
    let address = somewhere();
    let supervisor = shop(address);
    let body =
        r#"{"shop_orders_total": 42, "shop_items": -0.1, "pay_seconds": 0.3, "page_bytes": 5}"#;
    assert_eq!(supervisor.http("POST", "/v3/metric", body).status, 200);
    let directory = Temporary::new();
    let prometheus = Prometheus::start(&tools, &directory, address);
    let one = |expression: &str| {
        let samples = prometheus.wait_for(expression, |samples| samples.len() == 1);
        samples[0].1
    };
    assert_eq!(one("shop_orders_total"), 42.0);
    assert_eq!(one("shop_items"), -0.1);
    assert_eq!(one("pay_seconds_bucket{le=\"0.5\"}"), 1.0);
    assert_eq!(one("page_bytes{quantile=\"0.9\"}"), 5.0);
    assert_eq!(one("containerpilot_job_up{name=\"app\"}"), 1.0);
    assert_eq!(one("up{job=\"containerpilot\"}"), 1.0);
    supervisor
        .client(&["-putmetric", "shop_orders_total=8"])
        .success();
    prometheus.wait_for("shop_orders_total == 50", |samples| samples.len() == 1);
}
