//! Habits as tests: what every file of the repository keeps to.
//!
//! Reads text only; it neither builds nor runs anything.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test that cannot read the repository must fail loudly"
)]

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

/// The longest file, tests included, in lines.
const LONGEST_FILE: usize = 500;
/// The longest file, without tests, comments and blank lines, in lines.
const LONGEST_CODE: usize = 400;

/// The modules from the bottom up. A module imports only from itself and from
/// rows above its own; modules of one row know nothing of each other.
const LAYERS: &[&[&str]] = &[
    &["bug", "hash", "printable", "sorted", "waker"],
    &[
        "clock",
        "environment",
        "event",
        "handoff",
        "inbox",
        "memory",
        "name_lookup",
        "ring",
        "search_path",
        "tail",
        "tls",
        "unix_socket",
        "version",
    ],
    &["config", "control::status", "feed", "http"],
    &[
        "control::request",
        "telemetry::metrics",
        "telemetry::status",
    ],
    &["control::api", "telemetry::question"],
    &["message", "cli"],
    &["logging", "signals"],
    &[
        "supervisor",
        "process",
        "probe",
        "client",
        "init",
        "journal",
    ],
    &["control", "discovery", "telemetry"],
    &["preparation"],
    &["main_loop"],
    &["supervise", "subcommand"],
    &["lib"],
    &["main"],
];

/// A source file: where it is and what it says.
struct Source {
    path: PathBuf,
    text: String,
}

impl Source {
    /// The lines before the tests.
    fn code(&self) -> impl Iterator<Item = (usize, &str)> {
        let lines = self.text.lines().enumerate();
        lines.take_while(|(_, line)| *line != "#[cfg(test)]")
    }

    /// `config::job` for `src/config/job.rs`, `config` for `src/config/mod.rs`.
    fn module(&self) -> String {
        let path = self.path.strip_prefix(repository().join("src")).unwrap();
        let path = path.with_extension("");
        let path = path.strip_suffix_component("mod");
        path.to_str().unwrap().replace('/', "::")
    }

    fn is_test(&self) -> bool {
        self.path.file_stem().is_some_and(|stem| stem == "tests")
            || self.path.iter().any(|part| part == "tests")
    }
}

/// Drops the last component of a path if it is a given one.
trait StripSuffixComponent {
    fn strip_suffix_component(&self, last: &str) -> &Path;
}

impl StripSuffixComponent for PathBuf {
    fn strip_suffix_component(&self, last: &str) -> &Path {
        if self.ends_with(last) {
            self.parent().unwrap()
        } else {
            self
        }
    }
}

fn repository() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Every file below `directory` whose name ends in one of `endings`.
fn files(directory: &str, endings: &[&str]) -> Vec<Source> {
    let mut found = Vec::new();
    let mut directories = vec![repository().join(directory)];
    while let Some(directory) = directories.pop() {
        for entry in fs::read_dir(&directory).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                directories.push(path);
            } else if endings
                .iter()
                .any(|ending| path.to_str().unwrap().ends_with(ending))
            {
                // The seeds of fuzz targets are any bytes.
                let text = String::from_utf8_lossy(&fs::read(&path).unwrap()).into_owned();
                found.push(Source { path, text });
            }
        }
    }
    found.sort_by(|a, b| a.path.cmp(&b.path));
    found
}

/// Fails with all `offences`, one a line.
#[track_caller]
fn assert_none(offences: &[String]) {
    assert!(offences.is_empty(), "\n{}\n", offences.join("\n"));
}

/// `path:line: what`, as editors understand it.
fn offence(source: &Source, line: usize, what: &str) -> String {
    let path = source.path.strip_prefix(repository()).unwrap();
    format!("{}:{}: {what}", path.display(), line + 1)
}

#[test]
fn every_source_file_says_first_what_it_is_for() {
    let mut offences = Vec::new();
    for source in files("src", &[".rs"])
        .iter()
        .chain(&files("tests", &[".rs"]))
    {
        if !source.text.starts_with("//! ") {
            offences.push(offence(source, 0, "does not open with //!"));
        }
    }
    assert_none(&offences);
}

#[test]
fn files_stay_short() {
    let mut offences = Vec::new();
    for source in files("src", &[".rs"])
        .iter()
        .chain(&files("tests", &[".rs"]))
    {
        let length = source.text.lines().count();
        let is_code = |line: &str| !line.trim().is_empty() && !line.trim().starts_with("//");
        let code = source.code().filter(|(_, line)| is_code(line)).count();
        if length > LONGEST_FILE {
            offences.push(offence(
                source,
                length,
                &format!("{length} lines, more than {LONGEST_FILE}"),
            ));
        }
        if code > LONGEST_CODE {
            offences.push(offence(
                source,
                code,
                &format!("{code} lines of code, more than {LONGEST_CODE}"),
            ));
        }
    }
    assert_none(&offences);
}

#[test]
fn imports_point_down() {
    let mut offences = Vec::new();
    for source in files("src", &[".rs"]) {
        let module = source.module();
        let own = layer(&module).unwrap_or_else(|| panic!("{module} stands in no layer"));
        for (number, line) in source.code() {
            for imported in imports(line) {
                let allowed = layer(&imported).is_some_and(|(height, name)| {
                    height < own.0 || name == own.1 || name.starts_with(&format!("{}::", own.1))
                });
                if !allowed {
                    offences.push(offence(
                        &source,
                        number,
                        &format!("{module} imports {imported}"),
                    ));
                }
            }
        }
    }
    assert_none(&offences);
}

/// The height of a module and the entry of [`LAYERS`] that it belongs to: the
/// longest one that is a prefix of it.
fn layer(module: &str) -> Option<(usize, &'static str)> {
    let rows = LAYERS.iter().enumerate();
    rows.flat_map(|(height, row)| row.iter().map(move |name| (height, *name)))
        .filter(|(_, name)| module == *name || module.starts_with(&format!("{name}::")))
        .max_by_key(|(_, name)| name.len())
}

/// The modules that a line names as `crate::…`.
fn imports(line: &str) -> Vec<String> {
    let line = line.split("//").next().unwrap_or_default();
    let mut modules = Vec::new();
    for path in line.split("crate::").skip(1) {
        let is_path = |c: char| c.is_ascii_lowercase() || c == '_' || c == ':';
        let end = path.find(|c| !is_path(c)).unwrap_or(path.len());
        modules.push(path[..end].trim_end_matches(':').to_owned());
    }
    // What belongs to the crate itself, such as its version, is nobody's.
    modules.retain(|module| !module.is_empty());
    modules
}

#[test]
fn words_that_promise_or_hide_something_stay_out() {
    // In pieces, so that this file does not contain them itself.
    let everywhere = [
        ["TO", "DO"].concat(),
        ["FIX", "ME"].concat(),
        ["XX", "X"].concat(),
        ["thread::", "sleep"].concat(),
        ["crates", ".io"].concat(),
        ["deb.debian", ".org"].concat(),
        ["pypi", ".org"].concat(),
        ["npmjs", ".org"].concat(),
    ];
    let in_code = [".unwrap()", ".expect(", "panic!(", "unreachable!("];
    let mut offences = Vec::new();
    let sources = files("src", &[".rs"]);
    let others = ["tests", "docs", "scripts", ".ci"].map(|directory| files(directory, &[""]));
    // What cargo writes, as it does beside Cargo.toml.
    let is_ours = |source: &&Source| !source.path.ends_with("Cargo.lock");
    let others = others.iter().flatten().filter(is_ours);
    for source in sources.iter().chain(others) {
        for (number, line) in source.text.lines().enumerate() {
            for word in everywhere
                .iter()
                .filter(|word| line.contains(word.as_str()))
            {
                offences.push(offence(source, number, word));
            }
        }
    }
    for source in sources.iter().filter(|source| !source.is_test()) {
        for (number, line) in source
            .code()
            .filter(|(_, line)| !line.trim().starts_with("//"))
        {
            for word in in_code.iter().filter(|word| line.contains(**word)) {
                offences.push(offence(source, number, word));
            }
        }
    }
    assert_none(&offences);
}

#[test]
fn the_manual_is_linked_from_the_readme_and_its_links_lead_somewhere() {
    let mut offences = Vec::new();
    let mut pages = files("docs", &[".md"]);
    let path = repository().join("README.md");
    let text = fs::read_to_string(&path).unwrap();
    for page in &pages {
        let link = page
            .path
            .strip_prefix(repository())
            .unwrap()
            .to_str()
            .unwrap();
        if !text.contains(&format!("({link})")) {
            offences.push(format!("README.md does not link {link}"));
        }
    }
    pages.push(Source { path, text });
    for page in &pages {
        for (number, line) in page.text.lines().enumerate() {
            for target in links(line).filter(|target| !target.contains("://")) {
                let file = target.split('#').next().unwrap_or_default();
                if !page.path.parent().unwrap().join(file).exists() {
                    offences.push(offence(page, number, &format!("no such file: {target}")));
                }
            }
        }
    }
    assert_none(&offences);
}

/// The targets of a line's Markdown links.
fn links(line: &str) -> impl Iterator<Item = &str> {
    line.split("](")
        .skip(1)
        .filter_map(|rest| rest.split(')').next())
}

#[test]
fn scripts_can_be_run_and_stop_at_the_first_error() {
    let mut offences = Vec::new();
    for script in files("scripts", &[""]).iter().chain(&files(".ci", &[""])) {
        let name = script.path.strip_prefix(repository()).unwrap().display();
        let mode = fs::metadata(&script.path).unwrap().permissions().mode();
        let is_program = script.text.starts_with("#!");
        if is_program && mode & 0o111 != 0o111 {
            offences.push(format!("{name} is not executable"));
        }
        if script.text.starts_with("#!/usr/bin/env bash")
            && !script.text.contains("\nset -euo pipefail\n")
        {
            offences.push(format!("{name} lacks set -euo pipefail"));
        }
    }
    assert_none(&offences);
}

#[test]
fn every_layer_has_a_module() {
    let modules: Vec<String> = files("src", &[".rs"]).iter().map(Source::module).collect();
    let missing: Vec<String> = LAYERS
        .iter()
        .flat_map(|row| row.iter())
        .filter(|name| !modules.iter().any(|module| module == *name))
        .map(|name| format!("no module {name}"))
        .collect();
    assert_none(&missing);
}

#[test]
fn the_clock_on_the_wall_is_only_shown() {
    // Timers follow the monotonic clock, so that nothing happens when it is set.
    let shown = ["src/clock.rs", "src/journal.rs", "src/logging/time.rs"];
    let mut offences = Vec::new();
    for source in files("src", &[".rs"]) {
        let path = source.path.strip_prefix(repository()).unwrap();
        let asks = |line: &str| line.contains("SystemTime::now") || line.contains("CLOCK_REALTIME");
        for (number, line) in source.code().filter(|(_, line)| asks(line)) {
            if !shown.iter().any(|shown| path.ends_with(shown)) {
                offences.push(offence(&source, number, line.trim()));
            }
        }
    }
    assert_none(&offences);
}

#[test]
fn unsafe_code_has_its_reason_and_stands_only_where_the_manual_says() {
    let page = fs::read_to_string(repository().join("docs/security.md")).unwrap();
    let (_, table) = page.split_once("<!-- unsafe -->\n").unwrap();
    let rows = table.lines().take_while(|line| line.starts_with('|'));
    let cells = rows.filter_map(|row| row.split('`').nth(1));
    let named: Vec<PathBuf> = cells.map(PathBuf::from).collect();
    let (mut offences, mut found, mut blocks) = (Vec::new(), Vec::new(), 0);
    for source in files("src", &[".rs"]).iter().filter(|it| !it.is_test()) {
        let path = source.path.strip_prefix(repository()).unwrap();
        let lines: Vec<_> = source.code().collect();
        for (number, line) in &lines {
            let code = line.split("//").next().unwrap_or_default();
            if !code.contains("unsafe ") || code.contains("unsafe fn") {
                continue;
            }
            blocks += 1;
            // A statement may begin some lines before its block.
            let near = &lines[number.saturating_sub(8)..*number];
            if !near.iter().any(|(_, line)| line.contains("// SAFETY:")) {
                offences.push(offence(source, *number, "unsafe without a reason"));
            }
            found.push(path.to_owned());
        }
    }
    found.dedup();
    println!("{blocks} blocks of unsafe code in {} files", found.len());
    for path in found.iter().filter(|path| !named.contains(path)) {
        offences.push(format!(
            "{}: docs/security.md does not name it",
            path.display()
        ));
    }
    for path in named.iter().filter(|path| !found.contains(path)) {
        offences.push(format!("docs/security.md: {} has none", path.display()));
    }
    assert_none(&offences);
}
