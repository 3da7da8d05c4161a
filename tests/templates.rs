//! The template engine against the original: its cases, real configurations,
//! what Go itself answers, and the page of the manual.
//!
//! Black box: text and environment in, text or error out. The corpus lies beside
//! the repository; what is missing of it is a failure.

#![allow(clippy::unwrap_used, clippy::panic, missing_docs)]

use std::fs;
use std::path::Path;

use containerpilot::config::template::render;
use containerpilot::environment::Environment;
use serde_json::Value;

fn read(path: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn environment(object: &Value) -> Environment {
    let variables = object.as_object().unwrap().iter();
    variables
        .map(|(name, value)| (name, value.as_str().unwrap()))
        .collect()
}

/// Renders `template`; an offence if that is not `expected` (none: an error).
fn check(
    name: &str,
    template: &str,
    environment: &Environment,
    expected: Option<&str>,
) -> Vec<String> {
    let rendered = render(template, environment);
    match (&rendered, expected) {
        (Ok(text), Some(expected)) if text == expected => Vec::new(),
        (Err(_), None) => Vec::new(),
        _ => vec![format!(
            "{name}: {template}\n  is {rendered:?}\n  not {expected:?}"
        )],
    }
}

#[track_caller]
fn assert_none(offences: &[String]) {
    assert!(offences.is_empty(), "\n{}\n", offences.join("\n"));
}

#[test]
fn every_case_is_rendered_or_refused_as_by_the_original() {
    // SPEC §4: the original cut a value at its second `=`.
    let fixed = [
        ("env/value-url-query", "http://h/?a=1&b=2|http://h/?a=1&b=2"),
        ("env/value-ends-equals", "[=]"),
    ];
    let cases: Value = serde_json::from_str(&read("../shared/corpus/template-cases.json")).unwrap();
    let cases = cases.as_array().unwrap();
    let mut offences = Vec::new();
    for case in cases {
        let name = case["name"].as_str().unwrap();
        let expected = match fixed.iter().find(|(fixed, _)| *fixed == name) {
            Some((_, expected)) => Some(*expected),
            None => case["ok"]
                .as_bool()
                .unwrap()
                .then(|| case["output"].as_str().unwrap()),
        };
        let template = case["template"].as_str().unwrap();
        offences.extend(check(name, template, &environment(&case["env"]), expected));
    }
    assert_none(&offences);
    assert_eq!(cases.len(), 246);
}

/// Every file of the corpus: name and text.
fn files() -> Vec<(String, String)> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/corpus/files");
    let entries = fs::read_dir(&directory);
    let entries = entries.unwrap_or_else(|error| panic!("{}: {error}", directory.display()));
    let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut files: Vec<_> = names
        .map(|name| {
            let text = read(&format!("../shared/corpus/files/{name}"));
            (name, text)
        })
        .collect();
    files.sort();
    files
}

#[test]
fn real_configurations_are_rendered_byte_for_byte() {
    let mut offences = Vec::new();
    let files = files();
    for (name, text) in &files {
        let variables = read(&format!("../shared/corpus/env/{name}.env"));
        let variables = variables.lines().filter_map(|line| line.split_once('='));
        let variants = [
            (variables.collect(), "rendered"),
            (Environment::default(), "rendered-empty"),
        ];
        for (environment, variant) in variants {
            let expected = read(&format!("../shared/corpus/golden/{name}.{variant}"));
            offences.extend(check(name, text, &environment, Some(&expected)));
        }
    }
    assert_none(&offences);
    assert_eq!(files.len(), 83);
}

#[test]
fn go_itself_answers_the_same() {
    // Recorded from the text/template of Go 1.19 with ContainerPilot's functions:
    // the environment, then template and result (null: an error), one a line.
    let recorded = read("tests/data/go-templates.jsonl");
    let mut lines = recorded
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap());
    let environment = environment(&lines.next().unwrap());
    let (mut count, mut offences) = (0, Vec::new());
    for line in lines {
        let template = line[0].as_str().unwrap();
        offences.extend(check("Go", template, &environment, line[1].as_str()));
        count += 1;
    }
    assert_none(&offences);
    assert_eq!(count, 519);
}

/// The cells of the rows of `page` whose first cell is code.
fn rows(page: &str) -> Vec<Vec<String>> {
    let rows = page.lines().filter(|line| line.starts_with("| `"));
    let cells = |row: &str| {
        let row = row.replace("\\|", "\0");
        let cells = row.trim_matches('|').split('|');
        cells.map(|cell| cell.trim().replace('\0', "|")).collect()
    };
    rows.map(cells).collect()
}

/// The text of a cell that is one code span.
fn code(cell: &str) -> String {
    let inner = cell.trim_start_matches('`');
    let fence = &cell[..cell.len() - inner.len()];
    inner
        .strip_suffix(fence)
        .unwrap_or_else(|| panic!("{cell}"))
        .replace('⏎', "\n")
}

#[test]
fn the_page_of_the_manual_is_true() {
    const FUNCTIONS: &str = "and default env eq ge gt html index join js le len loop lt ne not or \
                             print printf println regexReplaceAll replaceAll slice split urlquery";
    let page = read("docs/templates.md");
    let (mut examples, mut errors, mut offences) = (Vec::new(), 0, Vec::new());
    for row in rows(&page) {
        match row.as_slice() {
            [template, variables, result] => {
                let variables = variables.split('`').filter_map(|span| span.split_once('='));
                let (template, environment) = (code(template), variables.collect());
                offences.extend(check(
                    "example",
                    &template,
                    &environment,
                    Some(&code(result)),
                ));
                examples.push(template);
            }
            [template, error] => {
                let found = render(&code(template), &Environment::default());
                let found = found.map_err(|error| error.to_string());
                if found != Err(code(error)) {
                    offences.push(format!("{template}: {found:?} is not {error}"));
                }
                errors += 1;
            }
            _ => panic!("{row:?}"),
        }
    }
    assert_none(&offences);
    let words: Vec<&str> = examples
        .iter()
        .flat_map(|text| text.split([' ', '(', '|']))
        .collect();
    for function in FUNCTIONS.split_whitespace() {
        assert!(words.contains(&function), "no example of {function}");
    }
    assert!(
        examples.len() >= 45 && errors >= 8,
        "{} and {errors}",
        examples.len()
    );
}

/// A small generator of pseudo-random numbers (xorshift64).
struct Random(u64);

impl Random {
    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % limit as u64).unwrap()
    }

    /// `text` with a few pieces removed, moved or put in.
    fn mutate(&mut self, text: &str) -> String {
        const PIECES: &[&str] = &[
            "{{",
            "}}",
            "{{- ",
            " -}}",
            "{{end}}",
            "{{else}}",
            "{{range loop 3}}",
            "{{if .A}}",
            "{{with .}}",
            "{{break}}",
            "{{define \"t\"}}",
            "{{template \"t\" .}}",
            "{{block \"b\" .}}",
            "{{/*",
            "*/}}",
            "(",
            ")",
            "|",
            "\"",
            "`",
            "'",
            "\\",
            "$x",
            ":=",
            "=",
            ",",
            ".",
            " ",
            "\n",
            "nil",
            "-",
            "0x1p-2",
            "1i",
            "é",
            "\0",
            "%[2]*.3v",
            "printf ",
            "index ",
            "slice ",
            "split \"\" ",
            "and ",
            "regexReplaceAll \"(a*)*\" \"$1\" ",
            "999999999",
        ];
        let mut characters: Vec<char> = text.chars().collect();
        for _ in 0..=self.below(4) {
            let at = self.below(characters.len() + 1);
            let end = (at + self.below(12)).min(characters.len());
            match self.below(4) {
                0 => drop(characters.drain(at..end)),
                1 => {
                    let copy: Vec<char> = characters[at..end].to_vec();
                    let to = self.below(characters.len() + 1);
                    drop(characters.splice(to..to, copy));
                }
                _ => {
                    let piece = PIECES[self.below(PIECES.len())];
                    drop(characters.splice(at..at, piece.chars()));
                }
            }
        }
        characters.into_iter().collect()
    }
}

#[test]
fn no_mutation_of_a_template_does_harm() {
    let cases: Value = serde_json::from_str(&read("../shared/corpus/template-cases.json")).unwrap();
    let cases = cases.as_array().unwrap().iter();
    let mut seeds: Vec<String> = cases
        .map(|case| case["template"].as_str().unwrap().to_owned())
        .collect();
    seeds.extend(files().into_iter().map(|(_, text)| text));
    let environment: Environment = [("A", "alpha"), ("LIST", "a,b,c"), ("N", "3")]
        .into_iter()
        .collect();
    let mut random = Random(0x5EED_1234_5678_9ABC);
    let (mut rendered, mut refused) = (0, 0);
    for _ in 0..40_000 {
        let seed = random.below(seeds.len());
        let text = random.mutate(&seeds[seed]);
        match render(&text, &environment) {
            Ok(_) => rendered += 1,
            Err(error) => {
                let line = text.split('\n').nth(error.line - 1);
                let length = line
                    .unwrap_or_else(|| panic!("{error}: {text}"))
                    .chars()
                    .count();
                assert!((1..=length + 1).contains(&error.column), "{error}: {text}");
                assert!(!error.message.is_empty());
                refused += 1;
            }
        }
    }
    assert!(
        rendered > 1_000 && refused > 1_000,
        "{rendered} and {refused}"
    );
}
