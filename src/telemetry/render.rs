//! How a snapshot becomes an exposition: which value goes into which family.
//!
//! Called on the telemetry thread; does no I/O.

use std::sync::Arc;

use super::exposition::{Exposition, Family, Format, Label};
use super::families::{self, BuiltInFamily};
use super::metrics::{BuiltIn, ConsulOp, JobValues, Results, Snapshot, View};
use super::process::ProcessStats;
use crate::clock::Clock;
use crate::config::series_names::BUILT_IN;
use crate::sorted::SortedMap;

/// The label that tells jobs apart. Not `job`: that one Prometheus sets itself,
/// and it would rename ours to `exported_job`.
const NAME: &str = "name";

/// What an exposition shows besides the values of the event loop.
#[derive(Clone, Debug)]
pub struct Surroundings {
    /// The supervisor's version.
    pub version: &'static str,
    /// The commit that it was built from.
    pub revision: &'static str,
    /// Its own process.
    pub process: ProcessStats,
    /// Lines of its log that were dropped so far.
    pub log_lines_dropped: u64,
    /// What tells wall-clock times.
    pub clock: Clock,
}

/// The whole exposition of a snapshot.
pub fn render(snapshot: &Snapshot, surroundings: &Surroundings, format: Format) -> String {
    let mut to = Exposition::new(format);
    let user = snapshot.user.iter();
    let user = user.map(|(spec, _)| (spec.name.as_str(), spec.kind));
    let names = user.chain(BUILT_IN.iter().copied());
    to.announce(names.map(|(name, kind)| (name, families::kind_of(kind))));
    for (spec, view) in &snapshot.user {
        let mut family = to.family(&spec.name, &spec.help, families::kind_of(spec.kind));
        match view {
            View::Number(number) => family.number(&[], *number),
            View::Histogram(histogram) => family.histogram(&[], histogram),
            View::Summary(recent) => family.summary(&[], recent),
        }
    }
    let values = &snapshot.built_in;
    build(&mut to, surroundings);
    published(&mut to, values);
    jobs(&mut to, &values.jobs, &surroundings.clock);
    supervisor(&mut to, values, surroundings.log_lines_dropped);
    process(&mut to, &surroundings.process);
    to.finish()
}

fn begin(to: &mut Exposition, family: BuiltInFamily) -> Family<'_> {
    to.family(family.name, family.help, family.kind)
}

fn build(to: &mut Exposition, surroundings: &Surroundings) {
    let labels = [
        ("version", surroundings.version),
        ("revision", surroundings.revision),
    ];
    begin(to, families::BUILD_INFO).number(&labels, 1.0);
}

/// The three families of the original.
fn published(to: &mut Exposition, values: &BuiltIn) {
    if !values.events.is_empty() {
        let mut family = begin(to, families::EVENTS);
        for (event, count) in values.events.iter() {
            let code = event.code.metric_name();
            family.number(&[("code", code), ("source", &event.source)], *count as f64);
        }
    }
    let requests = values.requests.counts();
    if !requests.is_empty() {
        let mut family = begin(to, families::REQUESTS);
        for ((status, path), count) in requests.iter() {
            let code = status.to_string();
            family.number(&[("code", &code), ("path", path)], *count as f64);
        }
    }
    if !values.instances.is_empty() {
        let mut family = begin(to, families::INSTANCES);
        for (service, instances) in values.instances.iter() {
            family.number(&[("service", service)], *instances as f64);
        }
    }
}

type Jobs = SortedMap<Arc<str>, JobValues>;

fn jobs(to: &mut Exposition, jobs: &Jobs, clock: &Clock) {
    // Of a job without an exec there are no runs to tell of.
    let runs = |job: &JobValues, value: u64| job.has_exec.then_some(value as f64);
    let mut each = |family, value: &dyn Fn(&JobValues) -> Option<f64>| {
        job_numbers(to, family, jobs, value);
    };
    each(families::JOB_UP, &|job| runs(job, job.running));
    each(families::JOB_STARTS, &|job| runs(job, job.starts));
    each(families::JOB_RESTARTS, &|job| runs(job, job.restarts));
    each(families::JOB_LAST_EXIT_CODE, &|job| {
        job.last_exit_code.map(f64::from)
    });
    each(families::JOB_START_TIME, &|job| {
        job.started.map(|started| clock.unix_seconds(started))
    });
    each(families::JOB_HEALTH, &|job| {
        job.healthy.map(|healthy| f64::from(u8::from(healthy)))
    });
    if jobs.iter().any(|(_, job)| job.checks.is_some()) {
        let mut family = begin(to, families::JOB_CHECK_DURATION);
        for (name, job) in jobs.iter() {
            if let Some(checks) = &job.checks {
                family.histogram(&[(NAME, name)], checks);
            }
        }
    }
}

fn job_numbers(
    to: &mut Exposition,
    family: BuiltInFamily,
    jobs: &Jobs,
    value: &dyn Fn(&JobValues) -> Option<f64>,
) {
    let mut samples = jobs
        .iter()
        .filter_map(|(name, job)| Some((name, value(job)?)))
        .peekable();
    if samples.peek().is_some() {
        let mut family = begin(to, family);
        for (name, value) in samples {
            family.number(&[(NAME, name)], value);
        }
    }
}

fn supervisor(to: &mut Exposition, values: &BuiltIn, log_lines_dropped: u64) {
    results(&mut begin(to, families::RELOADS), &[], values.reloads);
    begin(to, families::LOOP_TURN).histogram(&[], &values.turns);
    begin(to, families::LOG_LINES_DROPPED).number(&[], log_lines_dropped as f64);
    if values.has_consul {
        let mut family = begin(to, families::CONSUL_REQUESTS);
        for ((_, op), counts) in ConsulOp::NAMES.iter().zip(values.consul.counts()) {
            results(&mut family, &[("op", op)], counts);
        }
    }
}

/// The samples of successes and failures, behind these labels.
fn results(family: &mut Family<'_>, labels: &[Label<'_>], results: Results) {
    let counts = [("success", results.success), ("failure", results.failure)];
    for (result, count) in counts {
        let labels = [labels, &[("result", result)]].concat();
        family.number(&labels, count as f64);
    }
}

fn process(to: &mut Exposition, process: &ProcessStats) {
    let figures = [
        (families::CPU, process.cpu_seconds),
        (families::START_TIME, process.start_time_seconds),
        (families::THREADS, process.threads),
        (families::VIRTUAL_MEMORY, process.virtual_memory_bytes),
        (
            families::VIRTUAL_MEMORY_MAX,
            process.virtual_memory_max_bytes,
        ),
        (families::RESIDENT_MEMORY, process.resident_memory_bytes),
        (families::OPEN_FDS, process.open_fds),
        (families::MAX_FDS, process.max_fds),
    ];
    for (family, figure) in figures {
        if let Some(figure) = figure {
            begin(to, family).number(&[], figure);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::series_names::BUILT_IN;
    use crate::config::{MetricKind, MetricSpec};
    use crate::event::{Code, Event};
    use crate::telemetry::metrics::{Metrics, Subjects};
    use std::sync::Arc;
    use std::time::{Duration, Instant};

    fn surroundings(clock: Clock) -> Surroundings {
        Surroundings {
            version: "4.0.0",
            revision: "c7fef99",
            process: ProcessStats {
                cpu_seconds: Some(0.25),
                start_time_seconds: Some(1.7e9),
                threads: Some(6.0),
                virtual_memory_bytes: Some(3_145_728.0),
                virtual_memory_max_bytes: Some(u64::MAX as f64),
                resident_memory_bytes: Some(655_360.0),
                open_fds: Some(12.0),
                max_fds: Some(1024.0),
            },
            log_lines_dropped: 3,
            clock,
        }
    }

    /// Metrics to which everything has happened that is exported.
    fn eventful(now: Instant) -> Metrics {
        let mut metrics = Metrics::default();
        let values = &mut metrics.built_in;
        values.configure(&Subjects {
            jobs: vec![(Arc::from("app"), true), (Arc::from("registered"), false)],
            watches: vec![Arc::from("db")],
            consul: true,
        });
        values.event_published(&Event::global(Code::Startup));
        values.event_published(&Event::new(Code::Healthy, "app"));
        values.requests.answered(404, "other");
        values.requests.answered(200, "/v3/ping");
        values.instances_seen(&Arc::from("db"), 2);
        values.run_asked("app", false);
        values.run_started("app", now);
        values.run_ended("app", 1);
        values.run_asked("app", true);
        values.run_started("app", now);
        values.health_known("app", Some(true));
        values.health_known("registered", Some(false));
        values.check_ended("app", Duration::from_millis(20));
        values.reload_ended(false);
        values.consul.answered(ConsulOp::Heartbeat, true);
        values.turn_ended(Duration::from_micros(30));
        metrics
    }

    const EXPOSITION: &str = include_str!("../../tests/data/exposition.txt");

    #[test]
    fn the_exposition_shows_all_that_happened() {
        let clock = Clock::now();
        let now = Instant::now();
        let snapshot = eventful(now).snapshot(now);
        let text = render(&snapshot, &surroundings(clock), Format::Text);
        let start = format!("name=\"app\"}} {}", short(clock.unix_seconds(now)));
        assert!(text.contains(&start), "{start}\n{text}");
        let text = text.replace(&start, "name=\"app\"} START");
        assert_eq!(text, EXPOSITION);
    }

    fn short(value: f64) -> String {
        let mut out = String::new();
        super::super::float::write_float(&mut out, value);
        out
    }

    #[test]
    fn the_configuration_reserves_the_names_of_all_families() {
        let now = Instant::now();
        let snapshot = eventful(now).snapshot(now);
        let text = render(&snapshot, &surroundings(Clock::now()), Format::Text);
        let exported: Vec<_> = text
            .lines()
            .filter_map(|line| line.strip_prefix("# TYPE "))
            .collect();
        let reserved: Vec<_> = BUILT_IN
            .iter()
            .map(|(name, kind)| format!("{name} {kind:?}").to_lowercase())
            .collect();
        assert_eq!(exported, reserved);
    }

    #[test]
    fn what_never_happened_has_no_family() {
        let snapshot = Metrics::default().snapshot(Instant::now());
        let nothing_known = Surroundings {
            process: ProcessStats::default(),
            ..surroundings(Clock::now())
        };
        let text = render(&snapshot, &nothing_known, Format::OpenMetrics);
        let exported: Vec<&str> = text
            .lines()
            .filter_map(|line| line.strip_prefix("# TYPE "))
            .collect();
        assert_eq!(
            exported,
            [
                "containerpilot_build_info gauge",
                "containerpilot_reloads counter",
                "containerpilot_loop_turn_seconds histogram",
                "containerpilot_log_lines_dropped counter",
            ]
        );
    }

    fn metric(name: &str, kind: MetricKind) -> MetricSpec {
        MetricSpec {
            name: name.to_owned(),
            help: String::new(),
            kind,
        }
    }

    #[test]
    fn a_snapshot_of_a_thousand_series_takes_less_than_a_millisecond() {
        let now = Instant::now();
        let mut metrics = eventful(now);
        for job in 0..300 {
            for code in [Code::ExitFailed, Code::Stopping, Code::Stopped] {
                let event = Event::new(code, format!("a-job-of-some-length-{job}"));
                metrics.built_in.event_published(&event);
            }
        }
        let kinds = [
            (200, MetricKind::Counter),
            (200, MetricKind::Gauge),
            (20, MetricKind::Histogram),
            (100, MetricKind::Summary),
        ];
        let specs: Vec<MetricSpec> = kinds
            .iter()
            .flat_map(|(count, kind)| {
                (0..*count).map(move |index| metric(&format!("{kind:?}_{index}"), *kind))
            })
            .collect();
        metrics.configure_user(&specs);
        let values: Vec<(String, f64)> =
            specs.iter().map(|spec| (spec.name.clone(), 1.5)).collect();
        for _ in 0..300 {
            assert_eq!(metrics.push(&values, now), Ok(()));
        }
        let text = render(
            &metrics.snapshot(now),
            &surroundings(Clock::now()),
            Format::Text,
        );
        let series = text.lines().filter(|line| !line.starts_with('#')).count();
        assert!(series > 2_000, "{series}");
        // The quickest of many: the others were interrupted.
        let quickest = (0..100)
            .map(|_| {
                let start = Instant::now();
                let snapshot = metrics.snapshot(now);
                let took = start.elapsed();
                drop(snapshot);
                took
            })
            .min();
        println!("{series} series: {quickest:?}");
        assert!(quickest < Some(Duration::from_millis(1)), "{quickest:?}");
    }
}
