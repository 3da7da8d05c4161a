//! HTTP: which answers are good ones, and what is said of the others.

use std::net::TcpListener;

use crate::support::{Temporary, jobs};
use crate::web::Web;
use crate::{PATIENT, checking, expect, passed};

/// Checks one path each; what follows it goes into the object, and what the log
/// must say stands at the end.
#[track_caller]
fn check_paths(web: &Web, cases: &[(&str, &str, &str)]) {
    let checks: Vec<(String, String)> = cases
        .iter()
        .enumerate()
        .map(|(index, (path, more, _))| {
            let url = web.url(path);
            let check = format!("http: {{ url: {url:?}, {more} }}");
            (format!("job{index}"), check)
        })
        .collect();
    let checks: Vec<_> = checks
        .iter()
        .map(|(a, b)| (a.as_str(), b.as_str()))
        .collect();
    let mut supervisor = checking(&checks);
    let names = checks.iter().map(|(name, _)| *name);
    let said = cases.iter().map(|(_, _, said)| *said);
    expect(&supervisor, &names.zip(said).collect::<Vec<_>>());
    assert_eq!(supervisor.terminate(), 0);
}

#[test]
fn the_status_decides() {
    let web = Web::local();
    check_paths(
        &web,
        &[
            ("/ok", "", &passed(200)),
            ("/status?204", "", &passed(204)),
            ("/status?399", "", &passed(399)),
            ("/status?400", "", "s, not 200-399"),
            ("/status?500", "", "is unhealthy: answered 500 after "),
            ("/status?500", "status: ['200-299', 500]", &passed(500)),
            ("/ok", "status: 204", "s, not 204"),
            ("/interim", "status: 204", &passed(204)),
        ],
    );
}

#[test]
fn the_body_is_looked_into_however_it_comes() {
    let web = Web::local();
    let ready = "contains: 'ready'";
    let lacks = "but without \"ready\"";
    check_paths(
        &web,
        &[
            ("/ok", ready, &passed(200)),
            ("/chunked", ready, &passed(200)),
            ("/until-closed", ready, &passed(200)),
            ("/endless", ready, &passed(200)),
            ("/endless-chunks", ready, &passed(200)),
            ("/status?200", ready, lacks),
            ("/ok", "contains: 'Ready'", "but without \"Ready\""),
            ("/endless", "contains: 'gone'", "but without \"gone\""),
        ],
    );
}

#[test]
fn redirects_are_followed_as_far_as_is_asked_for() {
    let web = Web::local();
    let away = format!("/redirect?{}", web.url("/status?201"));
    check_paths(
        &web,
        &[
            ("/redirect?2", "", &passed(302)),
            ("/redirect?2", "status: 200", "answered 302"),
            ("/redirect?2", "redirects: 2, status: 200", "answered 302"),
            ("/redirect?2", "redirects: 3, status: 200", &passed(200)),
            (&away, "redirects: 1, status: 201", &passed(201)),
            (
                "/loop",
                "redirects: 10, status: 200",
                "(redirected to http://127.0.0.1:",
            ),
            (
                "/redirect?https://127.0.0.1:1/x",
                "redirects: 1",
                "redirects to \"https://127.0.0.1:1/x\", which needs certificates: give it \"tls\"",
            ),
            (
                "/redirect?ftp://127.0.0.1/x",
                "redirects: 1",
                "redirects to \"ftp://127.0.0.1/x\": unknown scheme \"ftp\"",
            ),
            (
                "/redirect?unix:/run/app.socket:/x?://",
                "redirects: 1",
                "redirects to \"unix:/run/app.socket:/x\": unknown scheme \"unix\"",
            ),
        ],
    );
}

#[test]
fn no_secret_of_a_redirect_is_logged() {
    let web = Web::local();
    let done = "/redirect?/ok?token=hunter2";
    let user = "/redirect?http://me:hunter2@127.0.0.1/";
    let mut supervisor = checking(&[
        (
            "query",
            &format!("http: {{ url: {:?}, redirects: 1 }}", web.url(done)),
        ),
        (
            "user",
            &format!("http: {{ url: {:?}, redirects: 1 }}", web.url(user)),
        ),
    ]);
    expect(
        &supervisor,
        &[
            ("query", "(redirected to http://127.0.0.1:"),
            ("user", "redirects to \"…\": a URL with a user is not taken"),
        ],
    );
    assert_eq!(supervisor.terminate(), 0);
    let log = supervisor.stdout.wait_for_end();
    assert_eq!(log.iter().find(|line| line.contains("hunter2")), None);
}

#[test]
fn what_is_no_complete_answer_fails_and_says_why() {
    let web = Web::local();
    let cut = "the connection was closed before the answer was complete";
    let large = "the head of the answer is larger than 16 KiB";
    check_paths(
        &web,
        &[
            ("/cut", "", cut),
            ("/cut", "contains: 'ready'", cut),
            ("/nothing", "", cut),
            ("/reset", "", "is unhealthy: no answer: "),
            ("/garbage", "", "the answer is not HTTP"),
            ("/endless-head", "", large),
            ("/endless-line", "", large),
        ],
    );
}

#[test]
fn nothing_that_a_server_does_keeps_a_check_beyond_its_time() {
    let web = Web::local();
    // The kernel takes connections there, and nobody accepts any.
    let deaf = TcpListener::bind("127.0.0.1:0").unwrap();
    let checks = [
        ("silent", web.url("/silent")),
        ("half", web.url("/half")),
        ("trickle", web.url("/trickle")),
        ("deaf", format!("http://{}/", deaf.local_addr().unwrap())),
    ];
    let checks = checks.map(|(name, url)| (name, format!("http: {url:?}, timeout: '300ms'")));
    let checks = checks
        .each_ref()
        .map(|(name, check)| (*name, check.as_str()));
    let supervisor = checking(&checks);
    // A loaded machine may be too late for the exact reason.
    let late = " within 300ms";
    expect(&supervisor, &checks.map(|(name, _)| (name, late)));
}

#[test]
fn a_request_is_what_was_asked_for() {
    let web = Web::local();
    let url = web.url("/echo?a=b");
    let text = format!(
        "{{ name: 'app', health: {{ {PATIENT}, http: {{ url: {url:?}, method: 'put', \
           headers: {{ Host: 'shop', 'X-Key': 'secret' }}, contains: 'X-Key: secret' }} }} }}"
    );
    let mut supervisor = jobs(&text).start();
    supervisor.stdout.wait_for(&passed(200));
    let head = web.next();
    let mut lines: Vec<&str> = head.trim_end().split("\r\n").collect();
    assert_eq!(lines.remove(0), "PUT /echo?a=b HTTP/1.1");
    lines.sort_unstable();
    let agent = lines.pop().unwrap();
    assert_eq!(agent, "X-Key: secret");
    assert!(
        lines
            .pop()
            .unwrap()
            .starts_with("User-Agent: containerpilot/")
    );
    let rest = [
        "Accept: */*",
        "Connection: close",
        "Content-Length: 0",
        "Host: shop",
    ];
    assert_eq!(lines, rest);
    assert_eq!(supervisor.terminate(), 0);
}

#[test]
fn head_is_answered_without_a_body() {
    let web = Web::local();
    check_paths(&web, &[("/ok", "method: 'HEAD'", &passed(200))]);
    assert!(web.next().starts_with("HEAD /ok "));
}

#[test]
fn http_goes_over_unix_sockets_and_ipv6_too() {
    let directory = Temporary::new();
    let path = directory.join("web.socket");
    let _web = Web::start_at(&path);
    let unix = format!(
        "http: {{ url: 'unix:{}:/ok', contains: 'ready' }}",
        path.display()
    );
    let gone = format!("http: 'unix:{}:/ok'", directory.join("gone").display());
    let supervisor = checking(&[("unix", &unix), ("gone", &gone)]);
    expect(
        &supervisor,
        &[("unix", &passed(200)), ("gone", "os error 2")],
    );
    let Ok(web) = Web::start("::1") else {
        return crate::support::skip("there is no IPv6 here");
    };
    let ipv6 = format!("http: {:?}", web.url("/ok"));
    // The other address of the name is nobody's.
    let name = format!("http: 'http://localhost:{}/ok'", web.port());
    let supervisor = checking(&[("ipv6", &ipv6), ("name", &name)]);
    let passed = passed(200);
    expect(&supervisor, &[("ipv6", &passed), ("name", &passed)]);
}
