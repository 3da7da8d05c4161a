//! The manual's page of the configuration against the tables of its keys, and
//! every configuration that any page shows.

#![allow(clippy::unwrap_used, clippy::panic, missing_docs)]

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use containerpilot::config::table::Table;
use containerpilot::config::template::render;
use containerpilot::config::user_database::UserDatabase;
use containerpilot::config::{self, Host};
use containerpilot::environment::Environment;
use containerpilot::event::Code;

fn read(path: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// A table of keys as the manual has it.
fn in_markdown(table: &Table) -> String {
    let mut text =
        "| key | value | default | what it does |\n| --- | --- | --- | --- |\n".to_owned();
    for key in table.keys {
        let (name, shape, preset, about) = (key.name, key.shape, key.preset, key.about);
        text += &format!("| `{name}` | {shape} | {preset} | {about} |\n");
    }
    text
}

/// What follows each `<!-- KIND WORD -->` up to the next blank line, by WORD.
fn marked(page: &str, kind: &str) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    for part in page.split(&format!("<!-- {kind} ")).skip(1) {
        let (word, rest) = part.split_once(" -->\n").unwrap();
        let block = rest.split("\n\n").next().unwrap();
        let twice = found.insert(word.to_owned(), format!("{}\n", block.trim_end()));
        assert_eq!(twice, None, "{word} is marked twice");
    }
    found
}

#[test]
fn the_page_has_the_table_of_every_object_and_no_other() {
    let expected: BTreeMap<String, String> = config::tables()
        .iter()
        .map(|table| (table.section.to_owned(), in_markdown(table)))
        .collect();
    let found = marked(&read("docs/configuration.md"), "keys");
    assert!(expected.len() >= 13, "{}", expected.len());
    for (section, table) in &expected {
        let page = found.get(section).map_or("(nothing)", String::as_str);
        assert!(
            page == table,
            "docs/configuration.md must have:\n\n<!-- keys {section} -->\n{table}\nbut has:\n\n{page}"
        );
    }
    let unknown: Vec<&String> = found
        .keys()
        .filter(|section| !expected.contains_key(*section))
        .collect();
    assert!(unknown.is_empty(), "there are no such tables: {unknown:?}");
}

#[test]
fn every_key_says_what_it_does_in_sentences() {
    for table in config::tables() {
        for key in table.keys {
            let whole = key.about.ends_with('.') && !key.about.contains('|');
            assert!(whole, "{}.{}: {}", table.section, key.name, key.about);
        }
    }
}

#[test]
fn the_page_knows_every_event() {
    let page = read("docs/configuration.md");
    for name in Code::config_names() {
        assert!(page.contains(&format!("`{name}`")), "{name}");
    }
}

/// The JSON5 blocks of a page with the word of the comment before them.
fn examples(page: &str) -> Vec<(String, String)> {
    let mut found = Vec::new();
    let mut parts = page.split("```json5\n");
    let mut before = parts.next().unwrap();
    for part in parts {
        let (example, after) = part.split_once("\n```").unwrap();
        let marker = before.trim_end().rsplit('\n').next().unwrap();
        let marker = marker
            .strip_prefix("<!-- ")
            .and_then(|rest| rest.strip_suffix(" -->"));
        found.push((marker.unwrap_or("").to_owned(), example.to_owned()));
        before = after;
    }
    found
}

/// The whole file that an example stands for.
fn whole(marker: &str, example: &str) -> String {
    match marker {
        "file" => example.to_owned(),
        "jobs" => format!("{{consul: 'localhost:8500', jobs: [{example}]}}"),
        "part of the file" => format!("{{{example}}}"),
        "part of a job" => {
            format!("{{consul: 'localhost:8500', jobs: [{{name: 'app', {example}}}]}}")
        }
        other => panic!("an example is marked {other:?}: say of what it is an example"),
    }
}

#[test]
fn every_configuration_of_the_manual_is_a_good_one() {
    let users = UserDatabase::of("app:x:1000:1000::/srv/app:/bin/sh", "video:x:44:");
    let addresses = vec![("eth0".to_owned(), "10.0.0.7".parse().unwrap())];
    let host = Host::new("manual", addresses).with_users(users);
    let mut count = 0;
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs");
    let pages = fs::read_dir(directory)
        .unwrap()
        .map(|entry| entry.unwrap().path());
    let pages = pages.filter(|path| path.extension().is_some_and(|extension| extension == "md"));
    for page in pages {
        for (marker, example) in examples(&fs::read_to_string(&page).unwrap()) {
            let nothing = Environment::default();
            let text = render(&whole(&marker, &example), &nothing).unwrap();
            let config = config::parse(&text, &nothing, &host);
            let config =
                config.unwrap_or_else(|errors| panic!("{}: {text}\n{errors}", page.display()));
            assert_eq!(config.warnings, Vec::new(), "{}: {text}", page.display());
            count += 1;
        }
    }
    assert!(count >= 13, "{count}");
}

#[test]
fn every_example_file_is_a_good_one() {
    let host = Host::new("manual", Vec::new());
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/examples");
    let mut count = 0;
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        let config = config::load(&path, &Environment::default(), &host);
        let config = config.unwrap_or_else(|errors| panic!("{}: {errors}", path.display()));
        assert_eq!(config.warnings, Vec::new(), "{}", path.display());
        count += 1;
    }
    assert!(count > 0);
}
