//! SPEC §9 and §10: when a job is advertised, and what a watch's answer means.

use std::time::Duration;

use super::sim::Sim;
use super::specs::{config, job};
use crate::config::{Config, InitialStatus, JobSpec, ServiceSpec, TelemetrySpec, WatchSpec};
use crate::control::request::Request;
use crate::event::Code;
use crate::message::{Instance, Message, Signal, WatchId};

fn service(name: &str) -> ServiceSpec {
    ServiceSpec {
        id: format!("{name}-host"),
        name: name.into(),
        address: [10, 0, 0, 1].into(),
        port: 80,
        tags: Vec::new(),
        ttl: Duration::from_secs(10),
        initial_status: None,
        enable_tag_override: false,
        deregister_critical_after: None,
    }
}

fn advertised(name: &str) -> JobSpec {
    let mut spec = job(name).checked_every(1000, 500);
    spec.service = Some(service(name));
    spec
}

fn watching(jobs: Vec<JobSpec>) -> Config {
    let mut config = config(jobs);
    config.watches = vec![WatchSpec {
        name: "db".into(),
        interval: Duration::from_secs(10),
        tag: None,
        datacenter: None,
    }];
    config
}

fn instance(id: &str) -> Instance {
    Instance {
        id: id.to_owned(),
        address: "10.0.0.9".to_owned(),
        port: 5432,
    }
}

#[test]
fn a_service_is_advertised_from_its_first_passing_check_to_its_end() {
    let mut sim = Sim::new(vec![advertised("web")]);
    sim.ignores_sigterm("web");
    sim.advance(1000);
    sim.exit("check.web", 1);
    sim.advance(1000);
    sim.exit("check.web", 0);
    sim.advance(1000);
    sim.exit("check.web", 1);
    sim.expect(
        "0 event {Startup, global}
         0 spawn web
         1000 spawn check.web
         1000 warn web is unhealthy: check exited with code 1
         1000 event {StatusUnhealthy, web}
         2000 spawn check.web
         2000 info web is healthy
         2000 event {StatusHealthy, web}
         2000 heartbeat web-host
         3000 spawn check.web
         3000 warn web is unhealthy: check exited with code 1
         3000 event {StatusUnhealthy, web}
         3000 unhealthy web-host",
    );
    sim.exit("web", 0);
    sim.expect(
        "3000 event {ExitSuccess, web}
         3000 event {Stopping, web}
         3000 withdraw web-host
         3000 event {Stopped, web}
         3000 info all jobs are complete, shutting down
         3000 event {Shutdown, global}",
    );
    sim.expect_done();
}

#[test]
fn an_initial_status_is_advertised_as_soon_as_the_job_exists() {
    let mut spec = advertised("web").once(Code::ExitSuccess, "setup");
    spec.service.as_mut().unwrap().initial_status = Some(InitialStatus::Warning);
    let mut sim = Sim::new(vec![job("setup"), spec]);
    assert_eq!(sim.take_record()[0], "0 register Warning web-host");
}

#[test]
fn shutdown_withdraws_every_service_before_anything_is_terminated() {
    let mut sim = Sim::new(vec![
        advertised("web"),
        advertised("api"),
        job("agent").forever(),
    ]);
    sim.advance(1000);
    sim.exit("check.web", 0);
    sim.exit("check.api", 0);
    sim.take_record();
    sim.signal(Signal::Terminate);
    sim.expect(
        "1000 info shutting down
         1000 withdraw web-host
         1000 withdraw api-host",
    );
    sim.send(Message::Withdrawn("web-host".to_owned(), true));
    sim.expect("");
    sim.send(Message::Withdrawn("api-host".to_owned(), true));
    assert_eq!(sim.take_record()[0], "1000 event {Shutdown, global}");
    sim.expect_done();
}

#[test]
fn a_backend_that_does_not_answer_delays_shutdown_by_a_quarter_of_the_grace_time() {
    let mut sim = Sim::new(vec![advertised("web")]);
    sim.advance(1000);
    sim.exit("check.web", 0);
    sim.signal(Signal::Terminate);
    sim.take_record();
    sim.advance(2000);
    sim.expect(
        "2000 spawn check.web
         2250 event {Shutdown, global}
         2250 kill check.web
         2250 event {Stopping, web}
         2250 terminate web
         2250 event {ExitFailed, web}
         2250 event {Stopped, web}",
    );
    sim.expect_done();
}

#[test]
fn a_second_sigterm_does_not_wait_for_the_backend() {
    let mut sim = Sim::new(vec![advertised("web")]);
    sim.advance(1000);
    sim.exit("check.web", 0);
    sim.signal(Signal::Terminate);
    sim.signal(Signal::Terminate);
    sim.expect_done();
}

#[test]
fn in_maintenance_nothing_is_advertised() {
    let mut spec = advertised("web").once(Code::ExitSuccess, "setup");
    spec.service.as_mut().unwrap().initial_status = Some(InitialStatus::Passing);
    let mut sim = Sim::new(vec![job("setup"), spec.clone()]);
    sim.request(Request::Maintenance(true));
    sim.exit("setup", 0);
    sim.take_record();
    sim.reload(vec![job("setup"), spec.runs("v2")]);
    sim.advance(5000);
    let record = sim.take_record().join("\n");
    assert!(
        !record.contains("register") && !record.contains("heartbeat"),
        "{record}"
    );
    sim.request(Request::Maintenance(false));
    sim.advance(1000);
    sim.take_record();
    sim.exit("check.web", 0);
    sim.expect(
        "6000 info web is healthy
         6000 event {StatusHealthy, web}
         6000 heartbeat web-host",
    );
}

#[test]
fn a_reload_changes_what_is_advertised_without_touching_the_process() {
    let mut sim = Sim::new(vec![advertised("web")]);
    sim.advance(1000);
    sim.exit("check.web", 0);
    sim.take_record();
    let mut moved = advertised("web");
    moved.service.as_mut().unwrap().port = 8080;
    sim.reload(vec![moved]);
    sim.expect(
        "1000 info reload: update job[web]: port
         1000 info reload: 3 kept, 1 changed
         1000 heartbeat web-host",
    );
    sim.reload(vec![job("web").checked_every(1000, 500)]);
    sim.expect(
        "1000 info reload: update job[web]: port
         1000 info reload: update environment: CONTAINERPILOT_WEB_IP
         1000 info reload: 2 kept, 2 changed
         1000 withdraw web-host",
    );
    assert!(sim.is_running("web"));
}

#[test]
fn a_reload_of_what_starts_a_job_leaves_its_service_as_it_is() {
    let web = || {
        let mut spec = advertised("web");
        spec.service.as_mut().unwrap().initial_status = Some(InitialStatus::Critical);
        spec
    };
    let keeper = || job("keeper");
    let mut sim = Sim::new(vec![web().each(Code::Signal, "SIGHUP"), keeper()]);
    sim.signal(Signal::Hangup);
    sim.exit("web", 0);
    sim.advance(1000);
    sim.exit("check.web", 0);
    sim.take_record();
    let once = || web().once(Code::Signal, "SIGHUP");
    sim.reload(vec![once(), keeper()]);
    sim.expect(
        "1000 info reload: update job[web]: when
         1000 info reload: 4 kept, 1 changed",
    );
    sim.reload(vec![once().waits_at_most(200), keeper()]);
    sim.expect(
        "1000 info reload: update job[web]: when
         1000 info reload: 4 kept, 1 changed",
    );
    sim.advance(200);
    let gave_up = "1200 warn web gave up waiting to start; not seen: SIGHUP";
    assert_eq!(sim.take_record()[0], gave_up);
}

#[test]
fn a_job_that_is_given_an_initial_status_is_listed_unless_it_is_known_to_be_unhealthy() {
    let plain = || job("web").checked_every(1000, 500);
    let with = |status| {
        let mut spec = plain();
        spec.service = Some(service("web"));
        spec.service.as_mut().unwrap().initial_status = status;
        spec
    };
    let listed = || with(Some(InitialStatus::Warning));
    for (before, check, wish) in [
        (plain(), None, Some("register Warning web-host")),
        (plain(), Some(0), Some("heartbeat web-host")),
        (plain(), Some(1), None),
        (with(None), None, Some("register Warning web-host")),
        (with(None), Some(1), None),
    ] {
        let mut sim = Sim::new(vec![before]);
        if let Some(code) = check {
            sim.advance(1000);
            sim.exit("check.web", code);
        }
        sim.take_record();
        sim.reload(vec![listed()]);
        let is_wish = |line: &&String| !line.contains("reload");
        let wishes = sim.take_record();
        let wishes: Vec<_> = wishes.iter().filter(is_wish).collect();
        let is_it = |line: &str| wish.is_some_and(|wish| line.ends_with(wish));
        assert_eq!(wishes.len(), usize::from(wish.is_some()), "{wishes:?}");
        assert!(wishes.iter().all(|line| is_it(line)), "{wishes:?}");
    }
    let mut sim = Sim::new(vec![plain(), job("keeper")]);
    sim.exit("web", 0);
    sim.reload(vec![listed(), job("keeper")]);
    let record = sim.take_record();
    let is_listed = record.iter().any(|line| line.contains(" register "));
    assert!(!is_listed, "it has completed: {record:?}");
}

#[test]
fn telemetry_is_advertised_from_startup_and_kept_alive() {
    let mut measured = config(vec![job("app")]);
    measured.telemetry = Some(TelemetrySpec {
        address: [10, 0, 0, 1].into(),
        port: 9090,
        tags: Vec::new(),
        metrics: Vec::new(),
        service: Some(service("containerpilot")),
    });
    let mut sim = Sim::with_config(measured);
    sim.advance(11_000);
    sim.request(Request::Maintenance(true));
    sim.advance(5_000);
    let record = sim.take_record();
    let about: Vec<_> = record
        .iter()
        .filter(|line| line.contains("containerpilot"))
        .collect();
    assert_eq!(
        about,
        [
            "0 heartbeat containerpilot-host",
            "0 event {StatusHealthy, containerpilot}",
            "5000 heartbeat containerpilot-host",
            "5000 event {StatusHealthy, containerpilot}",
            "10000 heartbeat containerpilot-host",
            "10000 event {StatusHealthy, containerpilot}",
            "11000 withdraw containerpilot-host",
        ]
    );
}

#[test]
fn any_change_of_a_watch_is_changed_and_then_healthy_or_unhealthy() {
    let mut sim = Sim::with_config(watching(vec![job("app")]));
    sim.take_record();
    let watch = WatchId(1);
    let mut answer = |instances: &[Instance]| {
        sim.send(Message::Watched(watch, instances.to_vec()));
        sim.take_record().join("; ")
    };
    assert_eq!(answer(&[]), "0 event {StatusUnhealthy, watch.db}");
    assert_eq!(answer(&[]), "");
    let both = "0 event {StatusChanged, watch.db}; 0 event {StatusHealthy, watch.db}";
    assert_eq!(answer(&[instance("a")]), both);
    assert_eq!(answer(&[instance("a")]), "");
    assert_eq!(answer(&[instance("a"), instance("b")]), both);
    assert_eq!(
        answer(&[]),
        "0 event {StatusChanged, watch.db}; 0 event {StatusUnhealthy, watch.db}"
    );
    sim.send(Message::Watched(WatchId(9), vec![instance("x")]));
    sim.expect("");
}

#[test]
fn a_first_answer_with_instances_is_a_change() {
    let mut sim = Sim::with_config(watching(vec![
        job("app"),
        job("on-change").each(Code::Changed, "watch.db"),
    ]));
    sim.take_record();
    sim.send(Message::Watched(WatchId(1), vec![instance("a")]));
    sim.expect(
        "0 event {StatusChanged, watch.db}
         0 event {StatusHealthy, watch.db}
         0 spawn on-change",
    );
}

#[test]
fn an_unchanged_watch_goes_on_over_a_reload() {
    let mut sim = Sim::with_config(watching(vec![job("app")]));
    sim.send(Message::Watched(WatchId(1), vec![instance("a")]));
    sim.take_record();
    sim.reload_to(watching(vec![
        job("app"),
        job("late").once(Code::Healthy, "watch.db"),
    ]));
    sim.expect(
        "0 info reload: start job[late]
         0 info reload: 5 kept, 1 changed
         0 spawn late",
    );
    sim.reload_to(config(vec![job("app")]));
    sim.expect(
        "0 info reload: stop job[late]
         0 info reload: stop watch[db]
         0 info reload: 4 kept, 2 changed
         0 unwatch 1
         0 event {Stopping, late}
         0 terminate late
         0 event {ExitFailed, late}
         0 event {Stopped, late}",
    );
}

#[test]
fn another_consul_is_told_at_once_what_is_healthy() {
    let jobs = || {
        let unchecked = |name| {
            let second = Duration::from_secs(1);
            advertised(name).health(|health| health.interval = 10 * second)
        };
        let (new, mut listed) = (unchecked("new"), unchecked("listed"));
        listed.service.as_mut().unwrap().initial_status = Some(InitialStatus::Warning);
        vec![advertised("web"), advertised("sick"), new, listed]
    };
    let at = |address: &str| {
        let mut config = config(jobs());
        config.consul = Some(crate::config::ConsulSpec {
            address: address.to_owned(),
            tls: None,
            token: None,
        });
        config
    };
    let mut sim = Sim::with_config(at("one:8500"));
    sim.advance(1000);
    sim.exit("check.web", 0);
    sim.exit("check.sick", 0);
    sim.advance(1000);
    sim.exit("check.sick", 1);
    sim.take_record();
    sim.reload_to(at("two:8500"));
    sim.expect(
        "2000 info reload: update consul: address
         2000 info reload: 7 kept, 1 changed
         2000 heartbeat web-host
         2000 register Warning listed-host",
    );
    sim.reload_to(at("two:8500"));
    sim.request(Request::Maintenance(true));
    sim.take_record();
    sim.reload_to(at("three:8500"));
    sim.expect(
        "2000 info reload: update consul: address
         2000 info reload: 7 kept, 1 changed",
    );
}
