//! Contexts as jobs of a file have them, with what becomes of them.

#![allow(clippy::unwrap_used)]

use super::super::limits::Resource;
use super::super::tests::directory::Directory;
use super::super::{Config, ExecSpec, Host, load};
use super::*;

const PASSWD: &str = "\
root:x:0:0:root:/root:/bin/bash
app:x:1000:1001::/srv/app:/bin/ash
web:x:33:33:::/usr/sbin/nologin
bare:x:34:33
";

const GROUP: &str = "www:x:33:\nvideo:x:44:app,web\naudio:x:29:app\n";

fn host() -> Host {
    Host::new("here", Vec::new()).with_users(UserDatabase::of(PASSWD, GROUP))
}

/// What a file with these settings and this job is read to, or all its errors.
/// `app.env` and `bad.env` lie beside it.
fn read(settings: &str, job: &str) -> Result<Config, String> {
    let directory = Directory::new("context");
    let write = |name: &str, text: &str| std::fs::write(directory.join(name), text).unwrap();
    write("app.env", "FROM_FILE=1\nBOTH='file'\nHOME=/file\n");
    write(
        "bad.env",
        "A=1\nsecret\n'B'=2\nCONTAINERPILOT_PID=secret\nC C=secret\n",
    );
    write("latin1.env", "");
    std::fs::write(directory.join("latin1.env"), b"A=1\nB=\xe4\n").unwrap();
    write(
        "config",
        &format!("{{{settings} jobs: [{{name: 'app', {job}}}]}}"),
    );
    let config = load(&directory.join("config"), &Environment::default(), &host());
    config.map_err(|errors| {
        let errors = errors.to_string();
        errors.replace(directory.to_str().unwrap(), "DIR")
    })
}

fn warnings(job: &str) -> Vec<String> {
    let config = read("", job).unwrap();
    config.warnings.iter().map(ToString::to_string).collect()
}

/// The command of a job that executes something.
fn exec(settings: &str, job: &str) -> Arc<ExecSpec> {
    let config = read(settings, &format!("exec: 'app', {job}")).unwrap();
    assert_eq!(config.warnings, Vec::new(), "{job}");
    config.jobs.into_iter().next().unwrap().exec.unwrap()
}

fn context(job: &str) -> ContextSpec {
    (**exec("", job).context.as_ref().unwrap()).clone()
}

fn errors(job: &str) -> String {
    read("", &format!("exec: 'app',\n{job}")).unwrap_err()
}

/// What an environment becomes.
fn applied(exec: &ExecSpec) -> Vec<String> {
    let mut environment: Environment =
        [("HOME", "/root"), ("USER", "root"), ("SHELL", "/bin/bash")]
            .into_iter()
            .collect();
    exec.context.as_ref().unwrap().apply(&mut environment);
    environment
        .iter()
        .map(|(name, value)| format!("{}={}", name.display(), value.display()))
        .collect()
}

#[test]
fn a_job_that_says_nothing_has_no_context() {
    for job in [
        "",
        "limits: {}, noNewPrivileges: false, user: null, cwd: ''",
    ] {
        assert_eq!(exec("", job).context, None, "{job}");
        assert_eq!(exec("env: {},", job).context, None, "{job}");
    }
}

#[test]
fn every_setting_is_read() {
    let context = context(
        "user: 'app', groups: ['video', 7, 'video'], cwd: '/srv', umask: '0027', nice: -5,
         oomScoreAdj: '500', limits: {nofile: [1024, 4096]}, noNewPrivileges: true",
    );
    let expected = ContextSpec {
        user: Some(Identity {
            uid: 1000,
            gid: 1001,
            groups: vec![29, 44, 1001],
        }),
        groups: Some(vec![7, 44]),
        cwd: Some("/srv".into()),
        umask: Some(0o27),
        nice: Some(-5),
        oom_score_adj: Some(500),
        limits: vec![Limit {
            resource: Resource::OpenFiles,
            soft: 1024,
            hard: 4096,
        }],
        no_new_privileges: true,
        login: context.login.clone(),
        ..ContextSpec::default()
    };
    assert_eq!(context, expected);
}

#[test]
fn a_user_brings_its_groups_and_others_may_be_named() {
    for (job, uid, gid, groups) in [
        ("user: 'app'", 1000, 1001, vec![29, 44, 1001]),
        ("user: 1000", 1000, 1001, vec![29, 44, 1001]),
        ("user: 'app:www'", 1000, 33, vec![29, 33, 44]),
        ("user: 'app:5'", 1000, 5, vec![5, 29, 44]),
        ("user: '1000:www'", 1000, 33, vec![29, 33, 44]),
        ("user: '77'", 77, 77, vec![77]),
        ("user: '77:78'", 77, 78, vec![78]),
    ] {
        let context = context(job);
        assert_eq!(context.user, Some(Identity { uid, gid, groups }), "{job}");
        assert_eq!(context.groups, None, "{job}");
    }
    for (job, groups) in [
        ("user: 'web', groups: []", vec![]),
        ("user: 'web', groups: 'audio'", vec![29]),
        ("groups: ['www', 7]", vec![7, 33]),
    ] {
        assert_eq!(context(job).groups, Some(groups), "{job}");
    }
}

#[test]
fn a_user_has_its_own_home_name_and_shell() {
    for (user, expected) in [
        (
            "app",
            vec!["HOME=/srv/app", "LOGNAME=app", "SHELL=/bin/ash", "USER=app"],
        ),
        ("web", vec!["HOME=/", "LOGNAME=web", "USER=web"]),
        (
            "bare",
            vec!["HOME=/", "LOGNAME=bare", "SHELL=/bin/sh", "USER=bare"],
        ),
        ("77", vec!["HOME=/"]),
    ] {
        let exec = exec("", &format!("user: '{user}'"));
        assert_eq!(applied(&exec), expected, "{user}");
    }
}

#[test]
fn nearer_variables_win() {
    let exec = exec(
        "env: {COMMON: 'c', BOTH: 'c', HOME: '/c', SHELL: null, NONE: 'c'},",
        "user: 'app', env: {OWN: 'o', BOTH: 'o', NONE: null}, envFile: ['app.env', '-no-such.env']",
    );
    assert_eq!(
        applied(&exec),
        [
            "BOTH=o",
            "COMMON=c",
            "FROM_FILE=1",
            "HOME=/file",
            "LOGNAME=app",
            "OWN=o",
            "USER=app",
        ]
    );
    let debug = format!("{exec:?}");
    assert!(!debug.contains("/file"), "{debug}");
}

#[test]
fn a_health_check_has_the_context_of_its_job() {
    let config = read(
        "",
        "exec: 'app', user: 'web', health: {exec: 'check', interval: 5, ttl: 10}",
    );
    let job = config.unwrap().jobs.into_iter().next().unwrap();
    let health = job.health.unwrap();
    let check = health.exec().unwrap();
    assert_eq!(
        check.context.as_ref().unwrap().user,
        Some(Identity {
            uid: 33,
            gid: 33,
            groups: vec![33, 44]
        })
    );
    assert_eq!(check.context, job.exec.unwrap().context);
}

#[test]
fn who_or_what_is_not_there_is_an_error_with_its_place() {
    for (job, error) in [
        (
            "user: 'ap'",
            "2:1: job[app].user: there is no user \"ap\" in /etc/passwd; did you mean \"app\"?",
        ),
        (
            "user: 'app:wwww'",
            "2:1: job[app].user: there is no group \"wwww\" in /etc/group; did you mean \"www\"?",
        ),
        (
            "groups: ['audio', 'vidoe']",
            "2:19: job[app].groups[1]: there is no group \"vidoe\" in /etc/group; did you mean \"video\"?",
        ),
        (
            "groups: ''",
            "2:1: job[app].groups[0]: there is no group \"\" in /etc/group",
        ),
        (
            "user: ''",
            "2:1: job[app].user: must be a user or user:group, each a name or a number, \
             but it is empty: did an environment variable render to nothing?",
        ),
        (
            "user: 'app:'",
            "2:1: job[app].user: \"app:\" is not a user or user:group, each a name or a number",
        ),
        (
            "user: ':www'",
            "2:1: job[app].user: \":www\" is not a user or user:group, each a name or a number",
        ),
        (
            "cwd: 'srv'",
            "2:1: job[app].cwd: \"srv\" is not an absolute path, beginning with \"/\"",
        ),
        (
            "nice: 20",
            "2:1: job[app].nice: 20 is not between -20 and 19",
        ),
        (
            "oomScoreAdj: 1001",
            "2:1: job[app].oomScoreAdj: 1001 is not between -1000 and 1000",
        ),
        (
            "envFile: 'no.env'",
            "2:1: job[app].envFile: cannot read \"DIR/no.env\": there is no such file",
        ),
        (
            "envFile: '-bad.env'",
            "2:1: job[app].envFile: DIR/bad.env:2: has no \"=\": write NAME=value\n\
             2:1: job[app].envFile: DIR/bad.env:5: what stands before the \"=\" is no name of a \
             variable: it contains \"=\", a blank or a control character",
        ),
        (
            "envFile: 'latin1.env'",
            "2:1: job[app].envFile: DIR/latin1.env:2: is not UTF-8",
        ),
    ] {
        assert_eq!(errors(job), error, "{job}");
    }
    let error = read("env: {'A B': 'secret'},", "exec: 'app'").unwrap_err();
    assert!(
        error.starts_with("1:8: env.A B: is no name of a variable"),
        "{error}"
    );
}

#[test]
fn what_no_process_will_have_is_a_warning() {
    let health = "health: {interval: 5, ttl: 10}";
    assert_eq!(
        warnings(&format!("user: 'app', {health}")),
        ["job[app].user: has no effect: the job executes nothing"]
    );
    assert_eq!(warnings(health), Vec::<String>::new());
}
