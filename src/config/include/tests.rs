//! Files that include others: which ones, in which order, and what they say
//! together.

#![allow(clippy::unwrap_used)]

use super::*;
use crate::config::tests::directory::Directory;
use crate::config::{Config, Errors, Host, load, load_again};

/// A directory with these files, of which the first is the configuration.
fn files(name: &str, files: &[(&str, &str)]) -> Directory {
    let directory = Directory::new(name);
    for (name, text) in files {
        let path = directory.join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    directory
}

fn load_first(directory: &Directory, files: &[(&str, &str)]) -> Result<Config, Errors> {
    let host = Host::new(
        "here",
        vec![("eth0".to_owned(), "10.0.0.1".parse().unwrap())],
    );
    let environment = [("NAME", "rendered")].into_iter().collect();
    let (main, _) = files.first().unwrap();
    load(&directory.join(main), &environment, &host)
}

/// The configuration of these files, which is without fault.
fn good(name: &str, texts: &[(&str, &str)]) -> Config {
    let directory = files(name, texts);
    let config = load_first(&directory, texts);
    let config = config.map_err(|errors| errors.to_string()).unwrap();
    assert_eq!(config.warnings, Vec::new());
    config
}

/// What is said of these files, with `DIR` for their directory.
fn errors(name: &str, texts: &[(&str, &str)]) -> String {
    let directory = files(name, texts);
    let errors = load_first(&directory, texts).unwrap_err().to_string();
    errors.replace(directory.join("").to_str().unwrap(), "DIR/")
}

fn names(config: &Config) -> Vec<&str> {
    config.jobs.iter().map(|job| &*job.name).collect()
}

#[test]
fn jobs_watches_and_metrics_are_appended_in_the_order_of_the_names() {
    let config = good(
        "appended",
        &[
            (
                "main.json5",
                "{ consul: 'c:1', include: ['conf.d/*.json5'], jobs: [{ exec: 'main' }],
                   telemetry: { metrics: [{ name: 'one', type: 'gauge' }] } }",
            ),
            (
                "conf.d/20-b.json5",
                "{ jobs: [{ exec: 'b' }, { exec: 'c' }] }",
            ),
            (
                "conf.d/10-a.json5",
                "{ jobs: [{ exec: '{{ .NAME }}' }], watches: [{ name: 'db', interval: 1 }],
                   telemetry: { port: 9000, metrics: [{ name: 'two', type: 'gauge' }] } }",
            ),
            ("conf.d/.hidden.json5", "nonsense"),
            ("conf.d/10-a.json5~", "nonsense"),
            ("conf.d/sub.json5/file", "nonsense"),
        ],
    );
    assert_eq!(names(&config), ["main", "rendered", "b", "c"]);
    assert_eq!(config.watches.len(), 1);
    let telemetry = config.telemetry.unwrap();
    assert_eq!(telemetry.port, 9000);
    let metrics: Vec<&str> = telemetry
        .metrics
        .iter()
        .map(|metric| &*metric.name)
        .collect();
    assert_eq!(metrics, ["one", "two"]);
}

#[test]
fn patterns_count_in_their_order_and_a_file_only_once() {
    let config = good(
        "patterns",
        &[
            ("a.json5", "{ include: ['z.json5', '?.json5', './x/*'] }"),
            ("b.json5", "{ jobs: [{ exec: 'b' }] }"),
            (
                "z.json5",
                "{ jobs: [{ exec: 'z' }], stopTimeout: null, control: null }",
            ),
            ("x/anything", "{ jobs: [{ exec: 'x' }], stopTimeout: 7 }"),
        ],
    );
    assert_eq!(names(&config), ["z", "b", "x"]);
    assert_eq!(config.stop_timeout.as_secs(), 7);
}

#[test]
fn one_string_is_one_pattern_and_an_empty_directory_is_fine() {
    let config = good(
        "one",
        &[
            (
                "main.json5",
                "{ include: 'conf.d/*.json5', jobs: [{ exec: 'a' }] }",
            ),
            ("conf.d/README", "put files here"),
        ],
    );
    assert_eq!(names(&config), ["a"]);
}

#[test]
fn a_directory_that_is_not_there_is_a_warning_and_a_missing_file_an_error() {
    let texts = [("main.json5", "{ include: ['conf.d/*.json5'] }")];
    let directory = files("nodir", &texts);
    let config = load_first(&directory, &texts).unwrap();
    let warning = config.warnings.first().unwrap().located().to_string();
    let conf_d = directory.join("conf.d");
    assert_eq!(
        warning,
        format!("1:13: include[0]: cannot look into {conf_d:?}: there is no such file")
    );
    assert_eq!(
        errors("nofile", &[("main.json5", "{ include: 'more.json5' }")]),
        "DIR/more.json5: cannot read \"DIR/more.json5\": there is no such file"
    );
}

#[test]
fn a_directory_that_has_given_files_must_be_there_at_a_reload() {
    let texts = [
        (
            "main.json5",
            "{ include: ['conf.d/*', 'none.d/*', './conf.d/?.part', 'a.part', 'gone.d/*'],
               jobs: [{ exec: 'main' }] }",
        ),
        ("conf.d/b.part", "{ jobs: [{ exec: 'b' }] }"),
        ("none.d/.hidden", ""),
        ("a.part", "{ jobs: [{ exec: 'a' }] }"),
    ];
    let directory = files("again", &texts);
    let first = load_first(&directory, &texts).unwrap();
    assert_eq!(names(&first), ["main", "b", "a"]);
    let conf_d = directory.join("conf.d");
    assert_eq!(first.included_from, [conf_d.clone(), conf_d.clone()]);

    let host = Host::new("here", Vec::new());
    let again = |text: &str, from: &[PathBuf]| {
        let main = directory.join("main.json5");
        fs::write(&main, text).unwrap();
        load_again(&main, from, &Environment::default(), &host)
    };
    let whole = texts.first().unwrap().1;
    // What gave nothing may go.
    fs::remove_dir_all(directory.join("none.d")).unwrap();
    let config = again(whole, &first.included_from).unwrap();
    assert_eq!(names(&config), ["main", "b", "a"]);
    assert_eq!(config.included_from, first.included_from);

    fs::remove_dir_all(&conf_d).unwrap();
    let said = again(whole, &first.included_from).unwrap_err().to_string();
    let lost = format!(
        "1:13: include[0]: cannot look into {conf_d:?}: there is no such file, but what runs has files from there; \
         bring the directory back (empty, if nothing is to be included from it) or take the pattern out of \"include\""
    );
    assert_eq!(said.lines().next(), Some(lost.as_str()));
    assert_eq!(said.lines().count(), 2, "each pattern is told: {said}");
    // At a start, or if the file does not ask for it, nothing is missed.
    assert_eq!(names(&again(whole, &[]).unwrap()), ["main", "a"]);
    let without = "{ include: 'a.part' }";
    assert_eq!(names(&again(without, &first.included_from).unwrap()), ["a"]);
    // That it is there is enough.
    fs::create_dir(&conf_d).unwrap();
    let config = again(whole, &first.included_from).unwrap();
    assert_eq!(names(&config), ["main", "a"]);
    assert_eq!(config.included_from, Vec::<PathBuf>::new());
}

#[test]
fn a_pattern_that_means_too_many_files_is_refused_at_once() {
    let texts = [("main.json5", "{ include: ['?*.part', 'a*.part'] }")];
    let directory = files("many", &texts);
    for number in 0..MOST {
        fs::write(directory.join(format!("a{number}.part")), "{}").unwrap();
    }
    assert!(load_first(&directory, &texts).is_ok());
    for number in 0..4000 {
        fs::write(directory.join(format!("b{number}.part")), "{}").unwrap();
    }
    let said = load_first(&directory, &texts).unwrap_err().to_string();
    assert_eq!(
        said,
        "1:3: include: names more than 1000 files, the most allowed"
    );
}

#[test]
fn patterns_that_make_no_sense_are_errors() {
    for (pattern, error) in [
        (
            "'*/a.json5'",
            "1:12: include[0]: \"*/a.json5\": only the name of the file may have wildcards",
        ),
        ("['a/..']", "1:13: include[0]: \"a/..\" names no file"),
        ("[{}]", "1:13: include[0]: an object is not a string"),
        ("{}", "1:3: include: an object is not a string"),
    ] {
        let text = format!("{{ include: {pattern} }}");
        let said = errors("senseless", &[("main.json5", &text)]);
        let said = said.replace("1:3: include[0]", "1:12: include[0]");
        assert_eq!(said, error, "{pattern}");
    }
}

#[test]
fn what_is_set_twice_names_both_places() {
    let said = errors(
        "twice",
        &[
            (
                "main.json5",
                "{\n  include: '*.part',\n  stopTimeout: 1,\n  logging: { level: 'INFO' },\n  jobs: [],\n}",
            ),
            ("a.part", "{ stopTimeout: 2 }"),
            (
                "b.part",
                "{\n  logging: {\n    format: 'json', level: 'DEBUG' } }",
            ),
            ("c.part", "{ jobs: 'none', consul: 'c:1' }"),
            ("d.part", "{ consul: { address: 'c:2' } }"),
        ],
    );
    let only = "only jobs, watches, telemetry.metrics may be in several files";
    assert_eq!(
        said,
        format!(
            "3:3: stopTimeout: is set here and at DIR/a.part:1:3; {only}\n\
             4:14: logging.level: is set here and at DIR/b.part:3:21; {only}\n\
             5:3: jobs: is a list here and \"none\" at DIR/c.part:1:3; lists can be joined\n\
             DIR/c.part:1:17: consul: is set here and at DIR/d.part:1:3; {only}"
        )
    );
}

#[test]
fn faults_of_included_files_are_told_with_their_place_there() {
    let said = errors(
        "places",
        &[
            (
                "main.json5",
                "{ include: '*.part', jobs: [{ exec: 'a', prot: 1 }] }",
            ),
            (
                "a.part",
                "{ jobs: [\n  { exec: 'a' },\n  { exec: 'b',\n    restrats: 1 },\n] }",
            ),
            ("b.part", "{ jobs: [ }"),
            ("c.part", "{{ if }}"),
            ("d.part", "{ control: {}, include: [], tasks: [] }"),
            ("e.part", "[]"),
            (
                "f.part",
                "{ unknown: 1, jobs: [{ name: 'x', port: 70000 }] }",
            ),
        ],
    );
    for expected in [
        "DIR/c.part:1:",
        "\nDIR/b.part:1:11: } does not close the [ of 1:9\n    1 | { jobs: [ }\n                  ^\n",
        "\nDIR/d.part: this is a version 2 file (it has tasks); ",
        "\nDIR/d.part:1:16: include: an included file can't include others\n",
        "\nDIR/d.part:1:3: control: belongs in the configuration file itself: subcommands look there for the socket\n",
        "\nDIR/e.part: the file must be one object, { … }\n",
        "\n1:42: jobs[0].prot: unknown key; did you mean \"port\"?\n",
        "\nDIR/a.part:4:5: jobs[2].restrats: unknown key; did you mean \"restarts\"?\n",
        "\nDIR/f.part:1:3: unknown: unknown key (known here: ",
        "\nDIR/f.part:1:35: job[x].port: 70000 is not between 0 and 65535",
    ] {
        let said = format!("\n{said}\n");
        let found = said.contains(expected);
        assert!(found, "{expected}\nis not in{said}");
    }
}

#[test]
fn a_text_without_a_directory_includes_nothing() {
    let parse = |text| {
        let host = Host::new("here", Vec::new());
        crate::config::parse(text, &Environment::default(), &host)
    };
    assert_eq!(
        parse("{ include: 'a' }").unwrap_err().to_string(),
        "1:3: include: there is no directory to which it could be relative"
    );
    assert!(parse("{ include: [] }").is_ok());
    assert!(parse("{ include: null }").is_ok());
}

#[test]
fn stars_and_question_marks_are_wildcards() {
    for (pattern, name, expected) in [
        ("*", "", true),
        ("*", "a", true),
        ("?", "", false),
        ("?", "a", true),
        ("a*", "ab", true),
        ("a*", "ba", false),
        ("*.json5", "a.json5", true),
        ("*.json5", ".json5", true),
        ("*.json5", "a.json5~", false),
        ("*.json5", "a.json", false),
        ("a*b*c", "a-b-b-c", true),
        ("a*b*c", "a-b-b-", false),
        ("*a*", "bab", true),
        ("**", "x", true),
        ("??-*.json5", "10-a.json5", true),
        ("??-*.json5", "1-a.json5", false),
    ] {
        let found = matches(pattern.as_bytes(), name.as_bytes());
        assert_eq!(found, expected, "{pattern} {name}");
    }
}
