//! The command line without a supervisor: usage, versions, templates, and where
//! a subcommand looks for the socket.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test that cannot set up its world must fail loudly"
)]

mod support;

use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::process::Stdio;

use support::command::{Outcome, command};
use support::{NOBODY, Temporary, binary, is_root, programs, run, skip};

const TEMPLATE: &str = "{ control: { socket: '{{ .SOCKET }}' }, jobs: 'of no matter here' }\n";

/// Runs the binary with these arguments and, in the environment, these.
fn outcome(arguments: &[&str], environment: &[(&str, &str)]) -> Outcome {
    let mut command = command(binary());
    run(command.args(arguments).envs(environment.iter().copied()))
}

#[test]
fn help_goes_to_stdout_and_is_no_failure() {
    let usage = outcome(&["-help"], &[]).success();
    assert_eq!(usage[0], format!("Usage of {}:", binary().display()));
    assert!(usage.contains(&"  -putmetric value".to_owned()));
    for flag in ["-h", "--help", "--h"] {
        assert_eq!(outcome(&[flag], &[]).success(), usage);
    }
}

#[test]
fn a_usage_error_is_told_first_and_followed_by_the_usage() {
    let usage = outcome(&["-help"], &[]).success();
    for (arguments, expected) in [
        (&["-nope"][..], "flag provided but not defined: -nope"),
        (&["-config"], "flag needs an argument: -config"),
        (&["-putenv", "A=1", "B=2"], "unexpected argument: B=2"),
    ] {
        let outcome = outcome(arguments, &[]);
        assert_eq!(outcome.code, 2, "{outcome}");
        assert!(outcome.stdout.is_empty(), "{outcome}");
        assert_eq!(outcome.stderr[0], expected);
        assert_eq!(outcome.stderr[1..], usage);
    }
}

#[test]
fn the_version_is_two_lines() {
    let lines = outcome(&["-version"], &[]).success();
    let version = format!("Version: {}", env!("CARGO_PKG_VERSION"));
    assert_eq!(lines[0], version);
    assert!(lines[1].starts_with("GitHash: "), "{lines:?}");
    assert_eq!(lines.len(), 2);
}

#[test]
fn a_template_is_rendered_to_stdout_or_to_a_file() {
    let directory = Temporary::new();
    let config = directory.write("config", TEMPLATE);
    let config = config.to_str().unwrap();
    let out = directory.join("out");
    let environment = [("SOCKET", "/a b")];
    let rendered = TEMPLATE.replace("{{ .SOCKET }}", "/a b");
    for arguments in [
        &["-template", "-config", config][..],
        &["-config", config, "-template", "-out", "-"],
    ] {
        let lines = outcome(arguments, &environment).success();
        assert_eq!(lines, [rendered.trim_end()]);
    }
    let arguments = [
        "-template",
        "-config",
        config,
        "-out",
        out.to_str().unwrap(),
    ];
    assert_eq!(outcome(&arguments, &environment).success(), [""; 0]);
    assert_eq!(fs::read_to_string(&out).unwrap(), rendered);
}

#[test]
fn a_template_that_cannot_be_had_is_an_error_and_leaves_the_old_file() {
    let directory = Temporary::new();
    let config = directory.write("config", "{{ if }}");
    let out = directory.write("out", "old");
    let (config, out_path) = (config.to_str().unwrap(), out.to_str().unwrap());
    let outcome = outcome(&["-template", "-config", config, "-out", out_path], &[]);
    assert_eq!(outcome.code, 1, "{outcome}");
    assert!(
        outcome.stderr[0].starts_with("containerpilot: 1:"),
        "{outcome}"
    );
    assert_eq!(fs::read_to_string(&out).unwrap(), "old");
}

#[test]
fn a_rendered_file_stays_whose_it_is() {
    if !is_root() {
        return skip("only root can give a file away");
    }
    let directory = Temporary::new();
    let everybody = fs::Permissions::from_mode(0o1777);
    fs::set_permissions(directory.path(), everybody).unwrap();
    let config = directory.write("config", "new");
    fs::set_permissions(&config, fs::Permissions::from_mode(0o644)).unwrap();
    let out = directory.write("out", "old");
    fs::set_permissions(&out, fs::Permissions::from_mode(0o666)).unwrap();
    chown(&out, Some(1234), Some(4321)).unwrap();
    // Nobody may not look into the directory where the binary was built.
    let copy = directory.join("containerpilot");
    programs::install(&binary(), &copy);
    let mut nobody = command(NOBODY[0]);
    nobody.args(&NOBODY[1..]).arg(&copy);
    let inode = fs::metadata(&out).unwrap().ino();
    // Who may not replace the file writes into it; root replaces it.
    for (mut program, is_kept) in [(nobody, true), (command(&copy), false)] {
        program.args(["-template", "-config"]).arg(&config);
        let none = run(program.arg("-out").arg(&out)).success();
        assert_eq!(none, [""; 0]);
        assert_eq!(fs::read_to_string(&out).unwrap(), "new");
        let file = fs::metadata(&out).unwrap();
        assert_eq!(
            (file.uid(), file.gid(), file.mode() & 0o7777),
            (1234, 4321, 0o666)
        );
        assert_eq!(file.ino() == inode, is_kept);
        let left = fs::read_dir(directory.path()).unwrap();
        let left = left.filter(|left| left.as_ref().unwrap().file_name().as_bytes()[0] == b'.');
        assert_eq!(left.count(), 0);
        fs::write(&out, "old").unwrap();
    }
}

#[test]
fn output_that_nobody_reads_is_no_failure_and_output_that_is_lost_is() {
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let status = command(binary()).arg("-help").stdout(writer).status();
    assert_eq!(status.unwrap().code(), Some(0));
    let full = fs::File::options().write(true).open("/dev/full").unwrap();
    let mut child = command(binary());
    let child = child.arg("-help").stdout(full).stderr(Stdio::piped());
    let output = child.output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    let error = String::from_utf8(output.stderr).unwrap();
    assert!(
        error.starts_with("cannot write to standard output: "),
        "{error}"
    );
}

/// Arguments, environment variables, and what the error line must contain.
type Use<'a> = (&'a [&'a str], &'a [(&'a str, &'a str)], &'a str);

#[test]
fn a_subcommand_looks_for_the_socket_in_flags_before_variables() {
    let directory = Temporary::new();
    let config = directory.write("config", TEMPLATE);
    let config = config.to_str().unwrap();
    let (rendered, variable, file) = (
        ("SOCKET", "/rendered"),
        ("CONTAINERPILOT_SOCKET", "/variable"),
        ("CONTAINERPILOT", config),
    );
    let uses: [Use<'_>; 6] = [
        (
            &["-socket", "/flag", "-config", config],
            &[variable, rendered],
            "/flag",
        ),
        (&["-config", config], &[variable, rendered], "/rendered"),
        (&[], &[variable, file, rendered], "/variable"),
        (
            &[],
            &[("CONTAINERPILOT_SOCKET", ""), file, rendered],
            "/rendered",
        ),
        (&["-config", "/none"], &[variable], "/none"),
        (&[], &[], "-config flag is required, or -socket"),
    ];
    for (arguments, environment, expected) in uses {
        let arguments = [arguments, &["-ping"]].concat();
        let outcome = outcome(&arguments, environment);
        assert_eq!(outcome.code, 1, "{outcome}");
        let line = outcome.error_line();
        assert!(
            line.starts_with("-ping: ") && line.contains(expected),
            "{line}"
        );
    }
}

#[test]
fn a_configuration_that_cannot_be_read_costs_a_subcommand_one_line() {
    let directory = Temporary::new();
    let config = directory.write("config", "{ control: [\n}");
    let outcome = outcome(&["-reload", "-config", config.to_str().unwrap()], &[]);
    let line = outcome.error_line();
    assert!(
        line.starts_with("-reload: cannot find the control socket in "),
        "{line}"
    );
    assert!(line.contains(": 2:1: "), "{line}");
}

#[test]
fn the_first_subcommand_that_fails_ends_it() {
    let outcome = outcome(&["-socket", "/none", "-reload", "-ping"], &[]);
    assert_eq!(outcome.code, 1);
    assert!(outcome.error_line().starts_with("-reload: "), "{outcome}");
}

#[test]
fn arguments_that_are_no_flags_are_ignored_with_a_word() {
    let outcome = outcome(&["-config", "/none", "nginx", "-g"], &[]);
    assert_eq!(outcome.code, 1);
    assert_eq!(
        outcome.stderr,
        [
            "containerpilot: ignoring \"nginx\" and what follows: the configuration says what to run",
            "containerpilot: cannot read \"/none\": there is no such file"
        ]
    );
}
