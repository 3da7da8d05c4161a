//! Where telemetry listens: from the start, and from one configuration to the
//! next.

use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Instant;

use crate::scrape::{Client, Scrape, get, somewhere, telemetry};
use crate::support::{Supervisor, deadline, jobs, processes};

const APP: &str = r#"{ name: "app", exec: ["sh", "-c", "echo pid $$ >>$FACTS; exec sleep 1000"] }"#;

/// Gives telemetry another address in the configuration.
fn move_to(supervisor: &Supervisor, from: SocketAddr, to: SocketAddr) {
    let (from, to) = (from.ip(), to.ip());
    supervisor.change_config(&format!("static:{from}'"), &format!("static:{to}'"));
}

/// The one line of the error. What the kernel said is between its ends, in the
/// words of the C library.
#[track_caller]
fn assert_cannot_listen(supervisor: &mut Supervisor, address: SocketAddr, end: &str) {
    let lines = supervisor.stderr.wait_for_end();
    let beginning = format!("containerpilot: telemetry cannot listen on {address}: ");
    let expected = lines.len() == 1 && lines[0].starts_with(&beginning) && lines[0].ends_with(end);
    assert!(expected, "{lines:?}");
}

#[test]
fn an_address_that_is_taken_fails_the_start_and_nothing_is_started() {
    let address = somewhere();
    let _taken = TcpListener::bind(address).unwrap();
    let mut supervisor = jobs(APP).setting(&telemetry(address, "")).start();
    assert_eq!(supervisor.wait_exit(), 1);
    assert_cannot_listen(
        &mut supervisor,
        address,
        "(os error 98); set another telemetry.port",
    );
    assert_eq!(supervisor.stdout.wait_for_end(), [""; 0]);
    assert_eq!(supervisor.facts.rest(), [""; 0]);
    assert!(!supervisor.socket().exists(), "the control socket is gone");
}

#[test]
fn an_address_of_another_host_fails_the_start() {
    let address = SocketAddr::from(([192, 0, 2, 1], 9090));
    let mut supervisor = jobs(APP).setting(&telemetry(address, "")).start();
    assert_eq!(supervisor.wait_exit(), 1);
    let hint = "(os error 99); set telemetry.interfaces to one of this host's";
    assert_cannot_listen(&mut supervisor, address, hint);
    assert_eq!(supervisor.facts.rest(), [""; 0]);
}

#[test]
fn an_address_that_is_taken_refuses_the_reload_and_the_old_one_stays() {
    let (old, new) = (somewhere(), somewhere());
    let mut supervisor = jobs(APP).setting(&telemetry(old, "")).ready();
    let app = supervisor.facts.pid("pid");
    let mut client = Client::connect(old);
    client.ask("/status");
    client.answer();
    let taken = TcpListener::bind(new).unwrap();
    move_to(&supervisor, old, new);
    let answer = supervisor.http("POST", "/v3/reload", "");
    assert_eq!(answer.status, 422);
    let message = format!("telemetry cannot listen on {new}: ");
    assert!(answer.body.starts_with(&message), "{answer:?}");
    let refused = supervisor.client(&["-reload"]);
    assert_eq!(refused.code, 1);
    assert!(refused.error_line().contains(&message), "{refused}");
    client.ask("/metrics");
    let body = client.answer().body;
    assert!(
        body.contains("\ncontainerpilot_reloads_total{result=\"failure\"} 2\n"),
        "{body}"
    );
    assert_eq!(get(old, "/status", "").status, 200);
    assert!(processes::is_alive(app), "nothing else has changed");

    drop(taken);
    // A process that another test is about to execute may have a copy of it.
    let deadline = deadline();
    while supervisor.client(&["-reload"]).code != 0 {
        assert!(Instant::now() < deadline, "{new} is taken for ever");
    }
    client.wait_for_end();
    assert_eq!(get(new, "/status", "").status, 200);
    assert!(processes::is_alive(app));
}

#[test]
fn a_move_loses_no_request_that_was_sent_before() {
    let addresses = [somewhere(), somewhere()];
    let supervisor = jobs(APP).setting(&telemetry(addresses[0], "")).ready();
    for round in 0..10 {
        let (old, new) = (addresses[round % 2], addresses[(round + 1) % 2]);
        move_to(&supervisor, old, new);
        let mut clients: Vec<_> = (0..32).map(|_| Client::connect(old)).collect();
        for client in &mut clients {
            client.ask("/status");
            client.answer();
        }
        for client in &mut clients {
            client.ask("/metrics");
        }
        assert_eq!(supervisor.http("POST", "/v3/reload", "").status, 200);
        for client in &mut clients {
            let answer = client.answer();
            let up = "\ncontainerpilot_job_up{name=\"app\"} 1\n";
            assert!(answer.body.contains(up), "{answer:?}");
            client.wait_for_end();
        }
        TcpStream::connect(old).unwrap_err();
        assert_eq!(get(new, "/metrics", "").status, 200);
    }
    let scrape = Scrape::of(addresses[0]);
    let reloads = "containerpilot_reloads_total{result=\"success\"}";
    assert_eq!(scrape.value(reloads), 10.0);
}

#[test]
fn a_reload_that_does_not_move_it_disturbs_no_scrape() {
    let address = somewhere();
    let supervisor = jobs(APP).setting(&telemetry(address, "")).ready();
    let is_over = AtomicBool::new(false);
    thread::scope(|scope| {
        let scraper = scope.spawn(|| {
            let (mut client, mut scrapes) = (Client::connect(address), 0);
            while !is_over.load(Ordering::Relaxed) {
                client.ask("/metrics");
                assert_eq!(client.answer().status, 200);
                assert_eq!(get(address, "/metrics", "").status, 200);
                scrapes += 2;
            }
            scrapes
        });
        for round in 0..20 {
            let metric = format!("metrics: [{{ name: 'm{round}', type: 'gauge' }}, ");
            supervisor.change_config("metrics: [", &metric);
            assert_eq!(supervisor.http("POST", "/v3/reload", "").status, 200);
        }
        is_over.store(true, Ordering::Relaxed);
        let scrapes = scraper.join().unwrap();
        println!("{scrapes} scrapes during 20 reloads");
    });
    assert_eq!(Scrape::of(address).value("m19"), 0.0);
}

#[test]
fn telemetry_comes_and_goes_with_a_reload() {
    let address = somewhere();
    let supervisor = jobs(APP).ready();
    TcpStream::connect(address).unwrap_err();
    let section = telemetry(address, "{ name: 'pushed', type: 'counter' }");
    let section = format!("{section},\n");
    supervisor.change_config("jobs: [", &format!("{section}jobs: ["));
    supervisor.client(&["-reload"]).success();
    supervisor.client(&["-putmetric", "pushed=2"]).success();
    let mut client = Client::connect(address);
    client.ask("/metrics");
    let body = client.answer().body;
    assert!(body.contains("\npushed 2\n"), "{body}");
    // What happened before there was anybody to ask has been counted.
    let series = "containerpilot_job_starts_total{name=\"app\"} 1\n";
    assert!(body.contains(series), "{body}");
    supervisor.change_config(&section, "");
    supervisor.client(&["-reload"]).success();
    client.wait_for_end();
    TcpStream::connect(address).unwrap_err();
}
