//! What shells make of the completions, and man of the manual page.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test that cannot set up its world must fail loudly"
)]

mod support;

use std::os::unix::fs::symlink;

use support::command::command;
use support::{SEARCH_PATH, Supervisor, Temporary, binary, jobs, run, skip};

/// Whether there is such a program; a word about it if not.
fn has(program: &str) -> bool {
    let mut look = command("sh");
    look.args(["-c", &format!("command -v {program}")]);
    let found = run(&mut look).code == 0;
    if !found {
        skip(&format!(
            "there is no {program}: run scripts/install-test-tools"
        ));
    }
    found
}

/// The lines that a shell's script prints; it can source `$DIR/completion`, and
/// finds the binary, which finds the supervisor.
#[track_caller]
fn lines(shell: &str, supervisor: &Supervisor, script: &str) -> Vec<String> {
    let directory = Temporary::new();
    symlink(binary(), directory.join("containerpilot")).unwrap();
    let completion = run(command(binary()).args(["-completion", shell])).success();
    directory.write("completion", &(completion.join("\n") + "\n"));
    let path = format!("{}:{SEARCH_PATH}", directory.path().display());
    let mut shell = command(shell);
    shell
        .args(["-c", script])
        .env("PATH", path)
        .env("HOME", directory.path())
        .env("TERM", "xterm")
        .env("DIR", directory.path())
        .env("CONTAINERPILOT", supervisor.config());
    run(&mut shell).success()
}

fn world() -> Supervisor {
    jobs(
        r#"{ name: "app", exec: ["sleep", "1000"] },
           { name: "app two", exec: ["sleep", "1000"] },"#,
    )
    .ready()
}

/// What bash offers for the last of the words, and what that has made.
fn bash(supervisor: &Supervisor, words: &str) -> Vec<String> {
    let script = format!(
        "source $DIR/completion; compopt() {{ :; }}; COMP_WORDS=({words}); \
             COMP_CWORD=$((${{#COMP_WORDS[@]}} - 1)); _containerpilot; printf '%s\\n' \"${{COMPREPLY[@]}}\"; \
             if [[ -e $DIR/bad ]]; then echo and a command was run; fi"
    );
    lines("bash", supervisor, &script)
}

#[test]
fn bash_completes_flags_words_jobs_and_signals() {
    let supervisor = world();
    let complete = |words: &str| bash(&supervisor, words);
    assert_eq!(complete("containerpilot -sta"), ["-start", "-status"]);
    assert_eq!(complete("containerpilot -maintenance e"), ["enable"]);
    assert_eq!(complete("containerpilot -stop a"), ["app", "app\\ two"]);
    assert_eq!(complete("containerpilot -stop 'app\\ t'"), ["app\\ two"]);
    assert_eq!(complete("containerpilot -stop '\"app t'"), ["app two"]);
    assert_eq!(
        complete("containerpilot -signal ap"),
        ["app=", "app\\ two="]
    );
    assert_eq!(complete("containerpilot -signal app = H"), ["HUP"]);
    let config = supervisor.config().display();
    let with_config = complete(&format!("containerpilot -config {config} -restart app"));
    assert_eq!(with_config, ["app", "app\\ two"]);
}

#[test]
fn bash_offers_names_that_look_like_commands_and_runs_none() {
    let supervisor = jobs(
        r#"{ name: "$(touch $DIR/bad)", exec: ["sleep", "1000"] },
           { name: "`touch $DIR/bad`", exec: ["sleep", "1000"] },
           { name: "it's", exec: ["sleep", "1000"] },"#,
    )
    .ready();
    for (flag, sign) in [("-stop", ""), ("-status", ""), ("-signal", "=")] {
        let mut offered = bash(&supervisor, &format!("containerpilot {flag} ''"));
        offered.sort_unstable();
        let names = [r"\$\(touch\ \$DIR/bad\)", r"\`touch\ \$DIR/bad\`", r"it\'s"];
        assert_eq!(offered, names.map(|name| format!("{name}{sign}")));
    }
    assert_eq!(bash(&supervisor, "containerpilot -stop 'it'"), [r"it\'s"]);
}

#[test]
fn fish_completes_flags_and_jobs() {
    if !has("fish") {
        return;
    }
    let supervisor = world();
    let complete = |line: &str| {
        let script = format!("source $DIR/completion; complete -C '{line}'");
        let found = lines("fish", &supervisor, &script);
        let words = found.iter().map(|line| line.split('\t').next().unwrap());
        words.map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(complete("containerpilot -sta"), ["-start", "-status"]);
    assert_eq!(complete("containerpilot -stop a"), ["app", "app two"]);
    assert_eq!(complete("containerpilot -status a"), ["app", "app two"]);
}

#[test]
fn zsh_completes_flags() {
    if !has("zsh") {
        return;
    }
    let supervisor = world();
    let script = r#"
        zmodload zsh/zpty
        zpty shell zsh -f -i
        zpty -w shell "autoload -U compinit; compinit -u -D; source $DIR/completion; print loa''ded"
        zpty -r -m shell said '*loaded*'
        zpty -w -n shell $'containerpilot -maint\t'
        zpty -r -m shell said '*-maintenance*'
        print completed
        zpty -d shell"#;
    assert_eq!(lines("zsh", &supervisor, script), ["completed"]);
}

#[test]
fn the_manual_page_is_good_roff() {
    let directory = Temporary::new();
    let page = run(command(binary()).arg("-man")).success().join("\n") + "\n";
    let path = directory.write("containerpilot.1", &page);
    if has("mandoc") {
        let mut lint = command("mandoc");
        lint.args(["-T", "lint", "-W", "error"]).arg(&path);
        assert_eq!(run(&mut lint).success(), Vec::<String>::new());
    }
    for flag in ["\\-status", "\\-completion", "\\-help"] {
        assert!(page.contains(flag), "{flag}");
    }
}
