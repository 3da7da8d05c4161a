//! The HTTP server among clients that are slow, silent, many, or mad, and how it
//! stops.

#![allow(clippy::unwrap_used, clippy::panic)]

#[path = "support/http_server.rs"]
mod http_server;

use std::io::{Read, Write};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use containerpilot::http::Limits;
use http_server::{Fixture, PATIENCE};

const OK: &str = "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 2\r\n\r\nok";

/// An answer of the server itself, after which it closes.
fn refusal(status: &str, reason: &str) -> String {
    let length = reason.len() + 1;
    format!(
        "HTTP/1.1 {status}\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{reason}\n"
    )
}

fn short(milliseconds: u64) -> Limits {
    let timeout = Duration::from_millis(milliseconds);
    Limits {
        head_timeout: timeout,
        body_timeout: timeout,
        idle_timeout: timeout,
        write_timeout: timeout,
        ..Limits::default()
    }
}

#[test]
fn silent_clients_are_closed_and_slow_ones_told_why() {
    let too_slow = refusal("408 Request Timeout", "the request did not arrive in time");
    let table = [
        ("", ""),
        ("GET /ok HTTP/1.1\r\nHost: a\r\n\r\n", OK),
        ("G", &too_slow),
        ("GET /ok HTTP/1.1\r\nHost: a\r\n", &too_slow),
        (
            "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nab",
            &too_slow,
        ),
        (
            "POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nab",
            &too_slow,
        ),
    ];
    for fixture in Fixture::both(&short(100)) {
        for (request, expected) in table {
            let mut client = fixture.connect();
            client.send(request.as_bytes());
            assert_eq!(client.rest(), expected, "{request:?}");
        }
        fixture.assert_serves();
    }
}

#[test]
fn a_client_that_drips_gains_no_time() {
    for fixture in Fixture::both(&short(300)) {
        for request in [
            "GET /ok HTTP/1.1\r\nX: ",
            "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 9999\r\n\r\n",
        ] {
            let started = Instant::now();
            let mut client = fixture.connect();
            client.send(request.as_bytes());
            while client.hears_nothing_for(Duration::from_millis(20)) {
                let _may_be_closed_by_now = client.write(b"x");
                assert!(started.elapsed() < PATIENCE);
            }
            assert!(
                started.elapsed() >= Duration::from_millis(300),
                "{:?}",
                started.elapsed()
            );
        }
    }
}

#[test]
fn a_client_that_takes_nothing_is_cut_off_and_holds_up_nobody() {
    for fixture in Fixture::both(&short(300)) {
        let mut client = fixture.connect();
        client.send(b"GET /big HTTP/1.1\r\nHost: a\r\n\r\n");
        let head = client.until("\r\n\r\n");
        assert!(head.contains("Content-Length: 8388608\r\n"), "{head}");
        fixture.assert_serves();
        // Dripping in the other direction gains no time either.
        let started = Instant::now();
        let mut taken = 0;
        let mut piece = [0; 64];
        while let Ok(count @ 1..) = client.read(&mut piece) {
            taken += count;
            assert!(started.elapsed() < PATIENCE);
            if started.elapsed() < Duration::from_secs(1) {
                fixture.assert_serves();
            }
        }
        assert!(taken < 8 << 20, "{taken} bytes were delivered");
    }
}

#[test]
fn large_answers_arrive_whole() {
    for fixture in Fixture::both(&Limits::default()) {
        let (status, body) = fixture.get("/big");
        assert_eq!((status.as_str(), body.len()), ("HTTP/1.1 200 OK", 8 << 20));
    }
}

#[test]
fn silent_connections_in_any_number_lock_nobody_out() {
    for fixture in Fixture::both(&Limits::default()) {
        let silent: Vec<_> = (0..500).map(|_| fixture.connect()).collect();
        let started = Instant::now();
        for _ in 0..20 {
            fixture.assert_serves();
        }
        assert!(
            started.elapsed() < Duration::from_secs(5),
            "{:?}",
            started.elapsed()
        );
        drop(silent);
    }
}

#[test]
fn at_the_limit_the_one_that_has_waited_longest_makes_room() {
    let limits = Limits {
        connections: 2,
        ..Limits::default()
    };
    for fixture in Fixture::both(&limits) {
        let mut first = fixture.connect();
        first.send(b"GET /ok HTTP/1.1\r\nHost: a\r\n\r\n");
        first.until("\r\n\r\nok");
        let mut second = fixture.connect();
        second.send(b"GET /ok HTTP/1.1\r\nHost: a\r\n\r\n");
        second.until("\r\n\r\nok");
        // Now the first one is the more recent of the two.
        first.send(b"GET /ok HTTP/1.1\r\nHost: a\r\n\r\n");
        first.until("\r\n\r\nok");
        fixture.assert_serves();
        assert_eq!(second.rest(), "");
        first.send(b"GET /ok HTTP/1.1\r\nHost: a\r\n\r\n");
        assert_eq!(first.until("\r\n\r\nok"), OK);
    }
}

#[test]
fn busy_connections_are_not_evicted_but_end_when_others_wait() {
    let limits = Limits {
        connections: 2,
        ..Limits::default()
    };
    for fixture in Fixture::both(&limits) {
        let mut waiting = [fixture.connect(), fixture.connect()];
        for client in &mut waiting {
            client.send(b"GET /wait HTTP/1.1\r\nHost: a\r\n\r\n");
        }
        fixture.known.gate.await_arrivals(2);
        let mut newcomer = fixture.connect();
        newcomer.send(b"GET /ok HTTP/1.1\r\nHost: a\r\n\r\n");
        assert!(
            newcomer.hears_nothing_for(Duration::from_millis(300)),
            "there was no room"
        );
        fixture.known.gate.open();
        assert!(
            newcomer
                .until("\r\n\r\nok")
                .starts_with("HTTP/1.1 200 OK\r\n")
        );
        let answers = waiting.map(|mut client| client.until("waited\n"));
        assert!(
            answers
                .iter()
                .any(|answer| answer.contains("Connection: close\r\n")),
            "{answers:?}"
        );
    }
}

#[test]
fn five_hundred_clients_at_once_are_all_answered() {
    for fixture in Fixture::both(&Limits::default()) {
        thread::scope(|scope| {
            for _ in 0..500 {
                scope.spawn(|| fixture.assert_serves());
            }
        });
        assert_eq!(fixture.known.handled.load(Ordering::SeqCst), 500);
    }
}

#[test]
fn ten_thousand_connections_one_after_the_other_are_answered() {
    for fixture in Fixture::both(&Limits::default()) {
        for _ in 0..10_000 {
            fixture.assert_serves();
        }
    }
}

#[test]
fn busy_kept_connections_lock_nobody_out() {
    let limits = Limits {
        connections: 4,
        ..Limits::default()
    };
    let fixture = Fixture::unix(limits);
    let ended = AtomicBool::new(false);
    thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                while !ended.load(Ordering::SeqCst) {
                    let mut client = fixture.connect();
                    let mut answer = OK.to_owned();
                    while answer == OK && !ended.load(Ordering::SeqCst) {
                        // One that was slow may have had to make room meanwhile.
                        if client
                            .write_all(b"GET /ok HTTP/1.1\r\nHost: a\r\n\r\n")
                            .is_err()
                        {
                            break;
                        }
                        answer = client.until("\r\n\r\nok");
                    }
                }
            });
        }
        for _ in 0..200 {
            fixture.assert_serves();
        }
        ended.store(true, Ordering::SeqCst);
    });
}

#[test]
fn panics_of_the_handler_cost_no_thread() {
    for fixture in Fixture::both(&Limits::default()) {
        for _ in 0..200 {
            assert_eq!(
                fixture.get("/panic").0,
                "HTTP/1.1 500 Internal Server Error"
            );
        }
        fixture.assert_serves();
    }
}

#[test]
fn streams_have_a_limit_of_their_own_and_end_with_their_client() {
    let limits = Limits {
        streams: 2,
        ..Limits::default()
    };
    for fixture in Fixture::both(&limits) {
        let mut streaming = [fixture.connect(), fixture.connect()];
        for client in &mut streaming {
            client.send(b"GET /endless HTTP/1.1\r\nHost: a\r\n\r\n");
            client.until("\r\n\r\n3e8\r\nx");
        }
        assert_eq!(
            fixture.get("/stream"),
            (
                "HTTP/1.1 429 Too Many Requests".to_owned(),
                "2 streams are open already; end one of them first\n".to_owned()
            )
        );
        fixture.assert_serves();
        drop(streaming);
        // The places are free as soon as the server has noticed.
        let started = Instant::now();
        while fixture.get("/stream").0 != "HTTP/1.1 200 OK" {
            assert!(started.elapsed() < PATIENCE);
        }
    }
}

#[test]
fn stopping_finishes_answers_in_flight_and_closes_the_idle() {
    for mut fixture in Fixture::both(&Limits::default()) {
        let mut idle = fixture.connect();
        idle.send(b"GET /ok HTTP/1.1\r\nHost: a\r\n\r\n");
        idle.until("\r\n\r\nok");
        let mut busy = fixture.connect();
        busy.send(b"GET /wait HTTP/1.1\r\nHost: a\r\n\r\n");
        fixture.known.gate.await_arrivals(1);
        let known = fixture.known.clone();
        let reader = thread::spawn(move || {
            assert_eq!(idle.rest(), "");
            // Only now, when the idle one has been closed, the busy one goes on.
            known.gate.open();
            busy.rest()
        });
        let started = Instant::now();
        fixture.stop(Instant::now() + PATIENCE);
        assert!(started.elapsed() < PATIENCE);
        let answer = reader.join().unwrap();
        assert!(
            answer.starts_with("HTTP/1.1 200 OK\r\n") && answer.contains("Connection: close\r\n"),
            "{answer}"
        );
        assert!(answer.ends_with("\r\n\r\nwaited\n"), "{answer}");
        assert_eq!(
            fixture.try_connect().err().unwrap().kind(),
            std::io::ErrorKind::ConnectionRefused
        );
    }
}

#[test]
fn stopping_answers_everybody_who_had_been_connected_and_had_asked() {
    let one_at_a_time = Limits {
        connections: 1,
        ..Limits::default()
    };
    for mut fixture in Fixture::both(&one_at_a_time) {
        let mut busy = fixture.connect();
        busy.send(b"GET /wait HTTP/1.1\r\nHost: a\r\n\r\n");
        fixture.known.gate.await_arrivals(1);
        let mut waiting: Vec<_> = (0..20).map(|_| fixture.connect()).collect();
        for client in &mut waiting {
            client.send(b"GET /ok HTTP/1.1\r\nHost: a\r\n\r\n");
        }
        let server = fixture.server.take().unwrap();
        let stopping = thread::spawn(move || server.stop(Instant::now() + PATIENCE));
        // Whoever is refused knows that the end has begun.
        while fixture.try_connect().is_ok() {}
        fixture.known.gate.open();
        for client in waiting.iter_mut().chain([&mut busy]) {
            let answer = client.rest();
            assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer:?}");
        }
        stopping.join().unwrap();
    }
}

#[test]
fn whoever_gives_way_hears_those_who_have_not_asked_yet() {
    for mut fixture in Fixture::both(&Limits::default()) {
        let mut idle = fixture.connect();
        idle.send(b"GET /ok HTTP/1.1\r\nHost: a\r\n\r\n");
        idle.until("\r\n\r\nok");
        let (mut silent, mut slow) = (fixture.connect(), fixture.connect());
        slow.send(b"GET /ok HT");
        let server = fixture.server.take().unwrap();
        let stopping = thread::spawn(move || server.give_way(Instant::now() + PATIENCE, || ()));
        // The end of the idle one tells that it has begun.
        assert_eq!(idle.rest(), "");
        silent.send(b"GET /ok HTTP/1.1\r\nHost: a\r\n\r\n");
        slow.send(b"TP/1.1\r\nHost: a\r\n\r\n");
        for client in [&mut silent, &mut slow] {
            let answer = client.rest();
            assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer:?}");
        }
        stopping.join().unwrap();
    }
}

#[test]
fn stopping_cuts_off_at_the_deadline() {
    for mut fixture in Fixture::both(&Limits::default()) {
        let mut busy = fixture.connect();
        busy.send(b"GET /wait HTTP/1.1\r\nHost: a\r\n\r\n");
        let mut streaming = fixture.connect();
        streaming.send(b"GET /endless HTTP/1.1\r\nHost: a\r\n\r\n");
        streaming.until("\r\n\r\n");
        fixture.known.gate.await_arrivals(1);
        let started = Instant::now();
        fixture.stop(started + Duration::from_millis(100));
        assert!((Duration::from_millis(100)..Duration::from_secs(10)).contains(&started.elapsed()));
        assert_eq!(busy.rest(), "");
        let mut rest = Vec::new();
        streaming.read_to_end(&mut rest).unwrap();
    }
}

#[test]
fn stopping_without_connections_is_immediate_and_removes_no_file() {
    let mut fixture = Fixture::unix(Limits::default());
    fixture.assert_serves();
    let started = Instant::now();
    fixture.stop(started + PATIENCE);
    assert!(
        started.elapsed() < Duration::from_secs(5),
        "{:?}",
        started.elapsed()
    );
    assert_eq!(
        fixture.try_connect().err().unwrap().kind(),
        std::io::ErrorKind::ConnectionRefused
    );
}
