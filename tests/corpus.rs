//! The configurations of other people's repositories: accepted and refused as
//! the original does it, and decoded into the same values.
//!
//! Black box: rendered text in, [`Config`] or errors out. The files and the
//! original's results are in the corpus beside the repository; nothing of them
//! is ever executed.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use containerpilot::config::logging::{Format, Level, LogOutput};
use containerpilot::config::{
    self, Config, Host, InitialStatus, JobSpec, MetricKind, Restarts, ServiceSpec, Start, duration,
    template,
};
use containerpilot::environment::Environment;
use containerpilot::event::Code;
use serde_json::{Value, json};

fn corpus() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/corpus")
}

fn read(path: &str) -> String {
    let path = corpus().join(path);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The host on which the original gave its results.
fn host() -> Host {
    let address = |name: &str, ip: &str| (name.to_owned(), ip.parse().unwrap());
    let interfaces = vec![
        address("lo", "127.0.0.1"),
        address("eth0", "10.20.30.40"),
        address("eth1", "192.168.100.5"),
    ];
    Host::new("corpus-host", interfaces)
}

fn parse(text: &str) -> Result<Config, config::Errors> {
    config::parse(text, &Environment::default(), &host())
}

/// Every file with its variants: (file, variant, whether the original accepts
/// it).
fn verdicts() -> Vec<(String, String, bool)> {
    let table = read("verdicts.tsv");
    let rows = table.lines().skip(1);
    rows.map(|row| {
        let fields: Vec<&str> = row.split('\t').collect();
        let [file, variant, verdict, ..] = fields.as_slice() else {
            panic!("{row}");
        };
        (
            (*file).to_owned(),
            (*variant).to_owned(),
            *verdict == "accepted",
        )
    })
    .collect()
}

/// The file as the template engine renders it, which is as the original does.
fn rendered(file: &str, variant: &str) -> String {
    let (variables, suffix) = match variant {
        "full" => (read(&format!("env/{file}.env")), "rendered"),
        _ => (String::new(), "rendered-empty"),
    };
    let variables = variables.lines().filter_map(|line| line.split_once('='));
    let text = template::render(&read(&format!("files/{file}")), &variables.collect());
    let text = text.unwrap_or_else(|error| panic!("{file}: {error}"));
    assert_eq!(text, read(&format!("golden/{file}.{suffix}")), "{file}");
    text
}

#[test]
fn every_file_is_accepted_or_refused_as_by_the_original() {
    let mut wrong = Vec::new();
    let mut counts = BTreeMap::new();
    for (file, variant, accepted) in verdicts() {
        *counts.entry((variant.clone(), accepted)).or_insert(0) += 1;
        let ours = parse(&rendered(&file, &variant));
        if ours.is_ok() != accepted {
            let errors = ours
                .err()
                .map_or_else(String::new, |errors| errors.to_string());
            wrong.push(format!(
                "{file} ({variant}): accepted by the original: {accepted}; {errors}"
            ));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    let count = |variant: &str, accepted| counts[&(variant.to_owned(), accepted)];
    assert_eq!((count("full", true), count("full", false)), (63, 20));
    assert_eq!((count("empty", true), count("empty", false)), (53, 30));
}

#[test]
fn every_file_is_decoded_into_the_originals_values() {
    let mut differences = Vec::new();
    let (mut files, mut jobs) = (0, 0);
    for (file, variant, accepted) in verdicts() {
        if variant != "full" || !accepted {
            continue;
        }
        let golden: Value =
            serde_json::from_str(&read(&format!("golden/{file}.parsed.json"))).unwrap();
        let golden = theirs(golden["config"].clone());
        let ours = parse(&rendered(&file, &variant)).map(|config| ours(&config));
        let ours = ours.unwrap_or_else(|errors| panic!("{file}: {errors}"));
        jobs += ours["jobs"].as_array().unwrap().len();
        files += 1;
        compare(&file, &golden, &ours, &mut differences);
    }
    assert!(differences.is_empty(), "{}", differences.join("\n"));
    assert_eq!((files, jobs), (63, 231));
}

fn compare(path: &str, theirs: &Value, ours: &Value, differences: &mut Vec<String>) {
    match (theirs, ours) {
        (Value::Object(theirs), Value::Object(ours)) => {
            let keys: std::collections::BTreeSet<_> = theirs.keys().chain(ours.keys()).collect();
            for key in keys {
                let path = format!("{path}.{key}");
                let of = |object: &serde_json::Map<String, Value>| object.get(key).cloned();
                let missing = || json!("(missing)");
                compare(
                    &path,
                    &of(theirs).unwrap_or_else(missing),
                    &of(ours).unwrap_or_else(missing),
                    differences,
                );
            }
        }
        (Value::Array(theirs), Value::Array(ours)) if theirs.len() == ours.len() => {
            for (index, (theirs, ours)) in theirs.iter().zip(ours).enumerate() {
                compare(&format!("{path}[{index}]"), theirs, ours, differences);
            }
        }
        _ if theirs == ours => {}
        _ => differences.push(format!("{path}: {theirs} became {ours}")),
    }
}

/// The original's values where SPEC.md asks for the same thing in other words.
fn theirs(mut config: Value) -> Value {
    let version = env!("CARGO_PKG_VERSION");
    for (key, default) in [
        ("level", "INFO"),
        ("format", "default"),
        ("output", "stdout"),
    ] {
        let value = &mut config["logging"][key];
        if *value == json!("") {
            *value = json!(default);
        }
    }
    for list in ["jobs", "watches"] {
        if config[list].is_null() {
            config[list] = json!([]);
        }
    }
    for job in config["jobs"].as_array_mut().unwrap() {
        // SPEC §3: the source of global events is `global`, also if left out.
        if job["when_event"] == json!({"code": "shutdown", "source": ""}) {
            job["when_event"]["source"] = json!("global");
        }
        // The version is ours.
        if job["name"] == json!("containerpilot") {
            replace_version(&mut job["service"]["Tags"], version);
        }
        // The time to live of a job that is not advertised means nothing.
        if job["service"].is_null() {
            job["ttl"] = json!(0);
        }
    }
    if let Some(telemetry) = config["telemetry"].as_object_mut() {
        replace_version(&mut telemetry["tags"], version);
        if telemetry["metrics"].is_null() {
            telemetry["metrics"] = json!([]);
        }
        for metric in telemetry["metrics"].as_array_mut().unwrap() {
            // SPEC §11: the parts that are not empty, joined by `_`.
            let parts = ["namespace", "subsystem", "name"]
                .map(|part| metric[part].as_str().unwrap().to_owned());
            let parts: Vec<String> = parts.into_iter().filter(|part| !part.is_empty()).collect();
            *metric = json!({
                "fullName": parts.join("_"), "help": metric["help"], "type": metric["type"],
            });
        }
    }
    config
}

fn replace_version(tags: &mut Value, version: &str) {
    let last = tags.as_array_mut().unwrap().last_mut().unwrap();
    assert_eq!(*last, json!("3.8.0"));
    *last = json!(version);
}

/// Our values, laid out as the original's.
fn ours(config: &Config) -> Value {
    let mut jobs: Vec<Value> = config
        .jobs
        .iter()
        .map(|job| job_json(job, config))
        .collect();
    jobs.extend(telemetry_job(config));
    let watches = config.watches.iter().map(|watch| {
        json!({
            "name": format!("watch.{}", watch.name),
            "service": &*watch.name,
            "interval": watch.interval.as_secs(),
            "tag": watch.tag.as_deref().unwrap_or(""),
            "dc": watch.datacenter.as_deref().unwrap_or(""),
        })
    });
    json!({
        "jobs": jobs,
        "watches": watches.collect::<Vec<_>>(),
        "telemetry": telemetry_json(config),
        "logging": logging_json(config),
        "socket": config.control.as_ref().unwrap().socket,
        "stopTimeout": config.stop_timeout.as_secs(),
    })
}

fn job_json(job: &JobSpec, config: &Config) -> Value {
    let text = |duration: Option<Duration>| duration::format(duration.unwrap_or_default());
    let events = job.when.start.subscriptions();
    let [event] = events.as_slice() else {
        panic!("the original knows no more than one event: {events:?}");
    };
    let waiter = config.jobs.iter().find(|other| {
        matches!(&other.when.start, Start::All(events)
            if events.iter().any(|event| event.code == Code::Stopping && event.source == job.name))
    });
    let health = job.health.as_ref();
    let health_exec = health.and_then(|health| Some((health.exec()?, health.timeout)));
    let interval = match job.when.start {
        Start::Every(interval) => Some(interval),
        Start::All(_) | Start::Any(_) => None,
    };
    json!({
        "name": &*job.name,
        "exec": job.exec.as_ref().map(|exec| exec_json(exec, &job.name, job.timeout)),
        "exec_timeout": text(job.timeout),
        "health_exec": health_exec.map(|(exec, timeout)| {
            exec_json(exec, &format!("check.{}", job.name), Some(timeout))
        }),
        "heartbeat": text(health.map(|health| health.interval)),
        "interval": text(interval),
        "port": job.service.as_ref().map_or(0, |service| service.port),
        "restart_limit": match job.restarts {
            Restarts::Unlimited => -1,
            Restarts::Limited(limit) => i64::try_from(limit).unwrap(),
        },
        "service": job.service.as_ref().map(service_json),
        "stopping_timeout": text(job.stop_timeout),
        "stopping_wait_event": match waiter {
            Some(waiter) => json!({"code": "stopped", "source": &*waiter.name}),
            None => json!({"code": "none", "source": ""}),
        },
        "ttl": job.service.as_ref().map_or(0, |service| service.ttl.as_secs()),
        "when_event": {"code": code_name(event.code), "source": &*event.source},
        "when_starts_limit": if matches!(job.when.start, Start::Any(_)) { -1 } else { 1 },
        "when_timeout": text(job.when.timeout),
    })
}

fn exec_json(exec: &config::ExecSpec, name: &str, timeout: Option<Duration>) -> Value {
    let (program, args) = exec.argv.split_first().unwrap();
    json!({
        "exec": program,
        "args": if args.is_empty() { Value::Null } else { json!(args) },
        "name": name,
        "raw_logging": exec.raw,
        "timeout": duration::format(timeout.unwrap_or_default()),
    })
}

fn service_json(service: &ServiceSpec) -> Value {
    json!({
        "ID": service.id,
        "Name": &*service.name,
        "Port": service.port,
        "TTL": service.ttl.as_secs(),
        "Tags": if service.tags.is_empty() { Value::Null } else { json!(service.tags) },
        "IPAddress": service.address.to_string(),
        "InitialStatus": match service.initial_status {
            None => "",
            Some(InitialStatus::Passing) => "passing",
            Some(InitialStatus::Warning) => "warning",
            Some(InitialStatus::Critical) => "critical",
        },
        "EnableTagOverride": service.enable_tag_override,
        "DeregisterCriticalServiceAfter": service.deregister_critical_after.as_deref().unwrap_or(""),
    })
}

/// The original advertises its telemetry server by a job of its own.
fn telemetry_job(config: &Config) -> Option<Value> {
    let service = config.telemetry.as_ref()?.service.as_ref()?;
    let none = json!({"code": "none", "source": ""});
    Some(json!({
        "name": "containerpilot", "exec": null, "exec_timeout": "0s", "health_exec": null,
        "heartbeat": "5s", "interval": "0s", "port": service.port, "restart_limit": 0,
        "service": service_json(service), "stopping_timeout": "0s",
        "stopping_wait_event": none, "ttl": 15,
        "when_event": {"code": "startup", "source": "global"},
        "when_starts_limit": 1, "when_timeout": "0s",
    }))
}

fn telemetry_json(config: &Config) -> Value {
    let Some(telemetry) = &config.telemetry else {
        return Value::Null;
    };
    let metrics = telemetry.metrics.iter().map(|metric| {
        json!({
            "fullName": metric.name,
            "help": metric.help,
            "type": match metric.kind {
                MetricKind::Counter => "counter",
                MetricKind::Gauge => "gauge",
                MetricKind::Histogram => "histogram",
                MetricKind::Summary => "summary",
            },
        })
    });
    json!({
        "port": telemetry.port,
        "tags": telemetry.service.as_ref().map(|service| &service.tags),
        "metrics": metrics.collect::<Vec<_>>(),
    })
}

fn logging_json(config: &Config) -> Value {
    json!({
        "level": match config.logging.level {
            Level::Debug => "DEBUG",
            Level::Info => "INFO",
            Level::Warn => "WARN",
            Level::Error => "ERROR",
            Level::Fatal => "FATAL",
            Level::Panic => "PANIC",
        },
        "format": match config.logging.format {
            Format::Default => "default",
            Format::Text => "text",
            Format::Json => "json",
        },
        "output": match &config.logging.output {
            LogOutput::Stdout => "stdout".into(),
            LogOutput::Stderr => "stderr".into(),
            LogOutput::File(path) => path.to_string_lossy(),
        },
    })
}

fn code_name(code: Code) -> &'static str {
    let mut names = Code::config_names();
    names
        .find(|name| Code::from_config(name) == Some(code))
        .unwrap_or("signal")
}
