//! What a reload says that it does, and a dry run that does nothing (SPEC §14).

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use super::super::JobId;
use super::super::plan::{self, Change};
use super::sim::Sim;
use super::specs::{config, job};
use crate::config::context::Identity;
use crate::config::limits::{Limit, Resource};
use crate::config::logging::{Level, LogOutput};
use crate::config::variables::Variables;
use crate::config::{
    Config, ConsulSpec, ContextSpec, ControlSpec, InitialStatus, JobSpec, MetricKind, MetricSpec,
    ServiceSpec, TelemetrySpec, WatchSpec,
};
use crate::control::request::{Reload, Reply, Request};
use crate::message::{Message, Signal};

const DRY: Reload = Reload {
    verbose: false,
    dry_run: true,
};
const VERBOSE: Reload = Reload {
    verbose: true,
    dry_run: false,
};

/// The answer to a reload that reads `config`.
fn answer(sim: &mut Sim, how: Reload, config: Config) -> Reply {
    let answer = sim.ask(Request::Reload(how));
    sim.send(Message::ConfigLoaded(Ok(Box::new(config))));
    answer.try_recv().unwrap()
}

#[track_caller]
fn expect_plan(reply: &Reply, expected: &str) {
    let lines = expected.lines().map(str::trim);
    let expected: Vec<&str> = lines.filter(|line| !line.is_empty()).collect();
    let Reply::Plan(plan) = reply else {
        panic!("{reply:?}");
    };
    assert_eq!(plan.lines().collect::<Vec<_>>(), expected, "\n{plan}");
}

fn service(port: u16) -> Option<ServiceSpec> {
    Some(ServiceSpec {
        id: "web-here".to_owned(),
        name: "web".into(),
        address: IpAddr::from([10, 0, 0, 1]),
        port,
        tags: Vec::new(),
        ttl: Duration::from_secs(10),
        initial_status: None,
        enable_tag_override: false,
        deregister_critical_after: None,
    })
}

fn watch(name: &str, interval: u64) -> WatchSpec {
    WatchSpec {
        name: name.into(),
        interval: Duration::from_secs(interval),
        tag: None,
        datacenter: None,
    }
}

fn consul(address: &str) -> Option<ConsulSpec> {
    Some(ConsulSpec {
        address: address.to_owned(),
        tls: None,
        token: None,
    })
}

fn telemetry(port: u16, metric: &str) -> Option<TelemetrySpec> {
    Some(TelemetrySpec {
        address: IpAddr::from([10, 0, 0, 1]),
        port,
        tags: Vec::new(),
        metrics: vec![MetricSpec {
            name: metric.to_owned(),
            help: String::new(),
            kind: MetricKind::Gauge,
        }],
        service: None,
    })
}

#[test]
fn a_verbose_reload_tells_the_plan_and_carries_it_out() {
    let mut sim = Sim::new(vec![job("keep"), job("old"), job("app"), job("more")]);
    let wanted = config(vec![
        job("keep"),
        job("new"),
        job("app").runs("v2").timeout(5000),
        job("more").restarts(3),
    ]);
    let reply = answer(&mut sim, VERBOSE, wanted);
    expect_plan(
        &reply,
        "stop job[old]
         keep job[keep]
         start job[new]
         replace job[app]: exec, timeout
         update job[more]: restarts
         keep control
         keep logging
         keep environment",
    );
    assert_eq!(sim.live(), ["app", "keep", "more", "new"]);
}

#[test]
fn a_plan_names_every_setting_that_changes() {
    let mut before = config(vec![
        job("web").checked_every(1000, 500),
        job("hook").each(crate::event::Code::Signal, "SIGHUP"),
    ]);
    before.jobs[0].service = service(80);
    before.watches = vec![watch("same", 1), watch("changed", 1), watch("gone", 1)];
    before.consul = consul("c:1");
    before.telemetry = telemetry(9090, "a");
    let mut now = before.clone();
    let mut sim = Sim::with_config(before);
    expect_plan(
        &answer(&mut sim, DRY, now.clone()),
        "keep job[web]
         keep job[hook]
         keep watch[same]
         keep watch[changed]
         keep watch[gone]
         keep telemetry
         keep consul
         keep control
         keep logging
         keep environment",
    );
    let web = &mut now.jobs[0];
    web.health.as_mut().unwrap().interval = Duration::from_secs(2);
    web.health.as_mut().unwrap().check = None;
    web.essential = true;
    web.stop_timeout = Some(Duration::from_secs(1));
    let service = web.service.as_mut().unwrap();
    service.port = 81;
    service.tags.push("v2".to_owned());
    service.ttl = Duration::from_secs(20);
    service.initial_status = Some(InitialStatus::Passing);
    service.address = IpAddr::from([10, 0, 0, 2]);
    service.enable_tag_override = true;
    now.jobs[1].exec = Some(Arc::new(crate::config::ExecSpec {
        argv: vec!["hook".to_owned()],
        raw: true,
        context: None,
    }));
    now.watches = vec![watch("same", 1), watch("new", 1), watch("changed", 2)];
    now.consul = consul("c:2");
    now.telemetry = telemetry(9091, "b");
    now.control = Some(ControlSpec::at("/run/other.socket"));
    now.logging.level = Level::Warn;
    now.logging.output = LogOutput::Stderr;
    now.stop_timeout = Duration::from_secs(9);
    expect_plan(
        &answer(&mut sim, DRY, now.clone()),
        "update job[web]: essential, stopTimeout, health.exec, health.interval, health.ttl, port, initial_status, \
         interfaces, tags, consul
         replace job[hook]: logging
         stop watch[gone]
         update watch[same]: consul
         start watch[new]
         replace watch[changed]: interval
         update telemetry: port, metrics
         update consul: address
         move control: /run/other.socket
         update logging: level, output
         update stopTimeout
         update environment: CONTAINERPILOT_SOCKET, CONTAINERPILOT_WEB_IP",
    );
    now.jobs[0].service = None;
    now.jobs[0].health = None;
    now.watches.clear();
    (now.consul, now.telemetry) = (None, None);
    let reply = answer(&mut sim, DRY, now);
    let Reply::Plan(plan) = reply else {
        panic!("{reply:?}");
    };
    for line in [
        "update job[web]: essential, stopTimeout, health, port",
        "stop watch[same]",
        "stop telemetry",
        "stop consul",
    ] {
        assert!(plan.lines().any(|known| known == line), "{line}\n{plan}");
    }
}

#[test]
fn a_dry_run_changes_nothing() {
    let mut sim = Sim::new(vec![job("app"), job("other")]);
    sim.take_record();
    let wanted = || config(vec![job("app").runs("v2"), job("new")]);
    let reply = answer(&mut sim, DRY, wanted());
    expect_plan(
        &reply,
        "stop job[other]
         replace job[app]: exec
         start job[new]
         keep control
         keep logging
         keep environment",
    );
    sim.advance(60_000);
    sim.expect("");
    assert_eq!(sim.live(), ["app", "other"]);

    let refused = sim.ask(Request::Reload(DRY));
    sim.send(Message::ConfigLoaded(Err("1:1: no".to_owned())));
    let (status, message) = (422, "1:1: no".to_owned());
    assert_eq!(
        refused.try_recv().ok(),
        Some(Reply::Refused { status, message })
    );
    sim.expect("");

    // It was told the truth.
    sim.reload_to(wanted());
    assert_eq!(sim.live(), ["app", "new"]);
}

#[test]
fn dry_runs_and_reloads_wait_for_each_other() {
    let mut sim = Sim::new(vec![job("app")]);
    let answers: Vec<_> = [DRY, VERBOSE, DRY, Reload::default()]
        .map(|how| sim.ask(Request::Reload(how)))
        .into();
    for name in ["a", "b", "c"] {
        let wanted = config(vec![job("app"), job(name)]);
        sim.send(Message::ConfigLoaded(Ok(Box::new(wanted))));
    }
    assert_eq!(sim.live(), ["app", "b"], "only the second was no dry run");
    for (answer, plan) in answers.iter().zip([
        "keep job[app]\nstart job[a]\n",
        "keep job[app]\nstart job[b]\n",
        "stop job[b]\nkeep job[app]\nstart job[c]\n",
    ]) {
        let Ok(Reply::Plan(text)) = answer.try_recv() else {
            panic!("no plan like {plan}");
        };
        assert!(text.starts_with(plan), "{text}");
    }
    sim.signal(Signal::Terminate);
    let refused = answers[3].try_recv();
    assert!(matches!(refused, Ok(Reply::Refused { status: 503, .. })));
}

/// A context in which every setting is another one than the default.
fn context() -> ContextSpec {
    let mut secret = Variables::default();
    secret.set("TOKEN", Some("hunter2".to_owned()));
    ContextSpec {
        user: Some(Identity {
            uid: 1,
            gid: 2,
            groups: vec![2],
        }),
        groups: Some(vec![3]),
        cwd: Some("/srv".into()),
        umask: Some(0o77),
        nice: Some(1),
        oom_score_adj: Some(1),
        limits: vec![Limit {
            resource: Resource::Core,
            soft: 0,
            hard: 0,
        }],
        no_new_privileges: true,
        foreground: true,
        login: secret.clone(),
        common: Arc::new(secret.clone()),
        files: secret.clone(),
        own: secret,
    }
}

fn in_context(name: &str, context: ContextSpec) -> JobSpec {
    let mut job = job(name);
    let exec = job.exec.as_mut().unwrap();
    Arc::make_mut(exec).context = Some(Arc::new(context));
    job
}

#[test]
fn a_changed_context_replaces_the_process_and_its_plan_names_keys_alone() {
    let other_file = ContextSpec {
        files: Variables::default(),
        ..context()
    };
    let before = [
        job("all"),
        in_context("file", context()),
        in_context("same", context()),
    ];
    let mut sim = Sim::new(before.into());
    let now = vec![
        in_context("all", context()),
        in_context("file", other_file),
        in_context("same", context()),
    ];
    expect_plan(
        &answer(&mut sim, VERBOSE, config(now)),
        "replace job[all]: user, groups, cwd, umask, env, envFile, nice, oomScoreAdj, limits, noNewPrivileges
         replace job[file]: envFile
         keep job[same]
         keep control
         keep logging
         keep environment",
    );
}

#[test]
fn a_changed_context_of_a_check_is_told_once_and_by_its_own_keys() {
    let mut before = job("a").checked_every(1000, 500);
    let mut sim = Sim::new(vec![before.clone()]);
    let check = before.health.as_mut().unwrap().exec_mut().unwrap();
    Arc::make_mut(check).context = Some(Arc::new(context()));
    before.exec = in_context("a", context()).exec;
    let reply = answer(&mut sim, DRY, config(vec![before]));
    expect_plan(
        &reply,
        "replace job[a]: user, groups, cwd, umask, env, envFile, nice, oomScoreAdj, limits, noNewPrivileges
         keep control
         keep logging
         keep environment",
    );
}

/// So many that their squares would take minutes.
const MANY: u64 = 30_000;

#[test]
fn thousands_of_jobs_of_one_name_are_compared_in_time() {
    let many = |change: fn(JobSpec, u64) -> JobSpec| -> Vec<JobSpec> {
        (0..MANY).map(|number| change(job("a"), number)).collect()
    };
    let ids = 0..;
    for (before, now, change) in [
        (
            many(|job, number| job.runs(&format!("v1 {number}"))),
            many(|job, number| job.runs(&format!("v2 {number}"))),
            "replace job[a]: exec",
        ),
        (
            many(|job, _| job),
            many(|job, _| job.timeout(5000)),
            "update job[a]: timeout",
        ),
        (
            many(JobSpec::timeout),
            many(|job, number| job.timeout(MANY + number)),
            "update job[a]: timeout",
        ),
    ] {
        let current = ids.clone().map(JobId).zip(&before);
        let steps = plan::of_jobs(current, now);
        assert_eq!(steps.len(), before.len());
        for (step, id) in steps.iter().zip(ids.clone()) {
            assert_eq!(step.item.to_string(), change);
            let (Change::Update(of) | Change::Replace(of)) = step.change else {
                panic!("{step:?}");
            };
            assert_eq!(of, JobId(id), "in their order");
        }
    }
}

#[test]
fn thousands_of_watches_are_compared_in_time() {
    let with = |interval| {
        let mut config = config(Vec::new());
        config.watches = (0..MANY)
            .map(|number| watch("a", interval + number))
            .collect();
        config
    };
    let (before, mut now) = (with(1), with(1 + MANY));
    let items = plan::of_settings(&before, &now);
    let told = |what: &str| items.iter().filter(|item| item.to_string() == what).count();
    assert_eq!(told("replace watch[a]: interval"), before.watches.len());
    now.watches.reverse();
    let mut sim = Sim::with_config(before);
    sim.take_record();
    sim.reload_to(now);
}

#[test]
fn thousands_of_addresses_are_compared_in_time() {
    let variables = |first: u32| -> Vec<(String, IpAddr)> {
        let last = first + u32::try_from(MANY).unwrap();
        let address = |number: u32| (format!("CONTAINERPILOT_A{number}_IP"), number.to_be_bytes());
        let all = (first..last).map(address);
        all.map(|(name, address)| (name, IpAddr::from(address)))
            .collect()
    };
    let before = variables(0);
    let mut now = before.clone();
    now.reverse();
    let item = plan::of_environment(false, &before, &now);
    assert_eq!(item.to_string(), "keep environment");
    now.pop();
    let item = plan::of_environment(false, &before, &now);
    assert_eq!(item.to_string(), "update environment: CONTAINERPILOT_A0_IP");
    let item = plan::of_environment(false, &before, &variables(u32::MAX / 2));
    assert!(item.to_string().contains("CONTAINERPILOT_A17_IP, "));
}
