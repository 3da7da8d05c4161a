//! Programs and places that are there, and such that are not.

#![allow(clippy::unwrap_used)]

use std::os::unix::fs::PermissionsExt;

use super::super::check::check;
use super::*;
use crate::config::Host;
use crate::config::tests::directory::Directory;

/// What `-check` says of a configuration in which `DIR` is a directory with
/// some files.
fn report(text: &str) -> String {
    let directory = Directory::new("machine");
    let dir = directory.to_str().unwrap();
    let file = |name: &str, text: &str, mode| {
        fs::write(directory.join(name), text).unwrap();
        fs::set_permissions(directory.join(name), fs::Permissions::from_mode(mode)).unwrap();
    };
    file("program", "#!/bin/sh\n", 0o755);
    file("data", "text", 0o644);
    file("script", "#! /no/such/shell -x\n", 0o755);
    file("binary", "\x7fELF", 0o755);
    let pipe = directory.join("pipe");
    let name = std::ffi::CString::new(pipe.to_str().unwrap()).unwrap();
    // SAFETY: the path is a string with its NUL.
    assert_eq!(unsafe { libc::mkfifo(name.as_ptr(), 0o700) }, 0);
    let pipe = pipe.display();
    file("piped", &format!("#!{pipe}\n"), 0o755);
    file("config", &text.replace("DIR", dir), 0o644);
    let environment = [("PATH", format!("/nowhere:{dir}"))].into_iter().collect();
    let host = Host::new("here", Vec::new());
    let checked = check(&directory.join("config"), &environment, &host);
    assert!(checked.is_good(), "all these are warnings");
    checked.report().replace(dir, "DIR")
}

fn job(exec: &str) -> String {
    format!("{{ control: {{ socket: 'DIR/run/s' }}, jobs: [{{ name: 'a', exec: {exec} }}] }}")
}

#[test]
fn programs_that_can_be_executed_are_fine() {
    for exec in [
        "'DIR/program -v'",
        "['program', 'x']",
        "'binary'",
        "'/bin/sh'",
    ] {
        assert_eq!(report(&job(exec)), "no errors, no warnings\n", "{exec}");
    }
}

#[test]
fn programs_that_can_not_are_warnings() {
    for (exec, warning) in [
        ("'no-such -v'", "\"no-such\" here: not found in PATH"),
        (
            "'DIR/no-such'",
            "\"DIR/no-such\" here: there is no such file",
        ),
        ("'DIR'", "\"DIR\" here: it is a directory"),
        ("'DIR/pipe'", "\"DIR/pipe\" here: it is no regular file"),
        (
            "'piped'",
            "\"piped\" here: its first line names \"DIR/pipe\": it is no regular file",
        ),
        ("'data'", "\"data\" here: it is not executable"),
        ("'DIR/data'", "\"DIR/data\" here: it is not executable"),
        (
            "'script'",
            "\"script\" here: its first line names \"/no/such/shell\": there is no such file",
        ),
    ] {
        let report = report(&job(exec));
        let (warning_line, count) = report.split_once('\n').unwrap();
        let (place, told) = warning_line.split_once(" cannot execute ").unwrap();
        assert_eq!(told, warning);
        assert!(place.ends_with("job[a].exec:"), "{place}");
        assert_eq!(count, "no errors, 1 warning\n");
    }
}

#[test]
fn health_checks_have_programs_and_deadlines() {
    let text = "{ control: { socket: 'DIR/s' }, jobs: [{
        name: 'a', health: { exec: 'no-such', interval: 1, ttl: 5, timeout: 2 } }] }";
    assert_eq!(
        report(text),
        "warning: 2:30: job[a].health.exec: cannot execute \"no-such\" here: not found in PATH\n\
         warning: 2:68: job[a].health.timeout: 2s is longer than the interval (1s): while a check takes so long, \
         others are left out\n\
         no errors, 2 warnings\n"
    );
}

#[test]
fn places_for_log_and_socket_are_looked_at() {
    for (log, socket, warnings) in [
        ("DIR/log", "DIR/new/dir/socket", ""),
        ("log", "socket", ""),
        (
            "DIR/no/log",
            "DIR/data",
            "logging.output: cannot write \"DIR/no/log\" here: there is no such directory
             control.socket: cannot listen on \"DIR/data\" here: there is a file that is not a socket",
        ),
        (
            "DIR",
            "DIR/data/x/socket",
            "logging.output: cannot write \"DIR\" here: it is a directory
             control.socket: cannot make a directory below \"DIR/data\" here: it is a file",
        ),
    ] {
        let text = format!("{{ logging: {{ output: '{log}' }}, control: {{ socket: '{socket}' }} }}");
        let report = report(&text);
        let told = report.lines().filter_map(|line| line.strip_prefix("warning: "));
        let told: Vec<&str> = told.map(|line| line.split_once(' ').unwrap().1).collect();
        let warnings: Vec<&str> = warnings.lines().map(str::trim).collect();
        assert_eq!(told, warnings, "{text}");
    }
}

#[test]
fn an_address_of_another_machine_is_a_warning() {
    let text = "{ telemetry: { interfaces: 'static:192.0.2.1' }, control: { socket: 'DIR/s' } }";
    let report = report(text);
    assert!(
        report
            .starts_with("warning: 1:16: telemetry.interfaces: cannot listen on 192.0.2.1 here: "),
        "{report}"
    );
}

#[test]
fn a_program_is_looked_for_where_its_job_runs() {
    let job = |settings: &str| {
        format!(
            "{{ control: {{ socket: 'DIR/run/s' }}, jobs: [{{ name: 'a', {settings} }}],
               env: {{ PATH: '/nowhere' }} }}"
        )
    };
    for (settings, expected) in [
        ("exec: './program', cwd: 'DIR'", "no errors, no warnings\n"),
        (
            "exec: 'program', env: { PATH: 'DIR' }",
            "no errors, no warnings\n",
        ),
        (
            "exec: 'program'",
            "warning: 1:55: job[a].exec: cannot execute \"program\" here: not found in PATH\n\
             no errors, 1 warning\n",
        ),
        (
            "exec: 'DIR/program', cwd: 'DIR/no'",
            "warning: 1:76: job[a].cwd: cannot enter \"DIR/no\" here: there is no such file\n\
             no errors, 1 warning\n",
        ),
        (
            "exec: 'DIR/program', cwd: 'DIR/data'",
            "warning: 1:76: job[a].cwd: cannot enter \"DIR/data\" here: it is no directory\n\
             no errors, 1 warning\n",
        ),
    ] {
        let told = report(&job(settings));
        let without_places = |text: &str| text.replace(|c: char| c.is_ascii_digit(), "");
        assert_eq!(
            without_places(&told),
            without_places(expected),
            "{settings}"
        );
    }
}
