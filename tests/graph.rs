//! `-graph`, judged by the real Graphviz: what it draws is what the file says,
//! whatever the jobs are called.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test that cannot set up its world must fail loudly"
)]

mod support;

use std::collections::BTreeMap;
use std::fs::File;
use std::path::Path;

use support::command::command;
use support::{Temporary, binary, run, skip};

/// What Graphviz has drawn: the lines in each node, and on each arrow, by title.
#[derive(Debug)]
struct Drawing {
    nodes: BTreeMap<String, Vec<String>>,
    arrows: BTreeMap<String, Vec<String>>,
}

/// The drawing of a configuration; none if there is no Graphviz here.
fn draw(config: &Path) -> Option<Drawing> {
    let directory = Temporary::new();
    let graph = run(command(binary()).args(["-graph", "-config"]).arg(config));
    let graph = directory.write("graph", &graph.success().join("\n"));
    let is_there = run(command("sh").args(["-c", "command -v dot"])).code == 0;
    if !is_there {
        skip("there is no Graphviz (scripts/install-test-tools installs it)");
        return None;
    }
    let svg = run(command("dot")
        .args(["-Tsvg", "-Nfontname=Courier"])
        .stdin(File::open(graph).unwrap()));
    // Whatever it says of fonts is no fault of the graph's.
    assert_eq!(svg.code, 0, "{svg}");
    let svg = svg.stdout.join("\n");
    Some(Drawing {
        nodes: parts(&svg, "node"),
        arrows: parts(&svg, "edge"),
    })
}

/// The titles and texts of all parts of a class.
fn parts(svg: &str, class: &str) -> BTreeMap<String, Vec<String>> {
    let parts = svg.split("<g id=").skip(1);
    let parts = parts.filter(|part| part.contains(&format!("class=\"{class}\"")));
    parts
        .map(|part| {
            let title = texts(part, "title").remove(0);
            (title, texts(part, "text"))
        })
        .collect()
}

/// The texts of all elements of a name, as a reader of the picture sees them.
fn texts(svg: &str, element: &str) -> Vec<String> {
    let begin = format!("<{element}");
    svg.split(&begin)
        .skip(1)
        .map(|text| {
            let (_, text) = text.split_once('>').unwrap();
            let (text, _) = text.split_once(&format!("</{element}>")).unwrap();
            unescaped(text)
        })
        .collect()
}

fn unescaped(text: &str) -> String {
    let mut plain = String::new();
    let mut rest = text;
    while let Some((before, entity)) = rest.split_once('&') {
        let (entity, after) = entity.split_once(';').unwrap();
        plain.push_str(before);
        plain.push(match entity {
            "amp" => '&',
            "lt" => '<',
            "gt" => '>',
            "quot" => '"',
            number => {
                let number = number.strip_prefix('#').unwrap();
                char::from_u32(number.parse().unwrap()).unwrap()
            }
        });
        rest = after;
    }
    // So that spaces stay, Graphviz makes them hard where there are several.
    (plain + rest).replace('\u{a0}', " ")
}

fn quickstart() -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/examples/quickstart.json5")
}

#[test]
fn the_quickstart_is_drawn_with_every_job_and_every_arrow() {
    let Some(drawing) = draw(&quickstart()) else {
        return;
    };
    let mut names: Vec<&str> = drawing
        .nodes
        .values()
        .map(|lines| lines[0].as_str())
        .collect();
    names.sort_unstable();
    assert_eq!(
        names,
        [
            "SIGHUP",
            "app",
            "clock",
            "enterMaintenance",
            "exitMaintenance",
            "first-customer",
            "hang-sign",
            "new-prices",
            "post-stop",
            "pre-stop",
            "setup",
            "startup",
            "take-sign-down",
        ]
    );
    let name = |node: &str| drawing.nodes[node][0].clone();
    let arrows = drawing.arrows.iter().map(|(title, label)| {
        let (from, to) = title.split_once("->").unwrap();
        format!("{} -> {}: {}", name(from), name(to), label.join(" "))
    });
    let mut arrows: Vec<String> = arrows.collect();
    arrows.sort_unstable();
    assert_eq!(
        arrows,
        [
            "SIGHUP -> new-prices: signal",
            "app -> first-customer: healthy",
            "app -> post-stop: stopped",
            "app -> pre-stop: stopping",
            "enterMaintenance -> hang-sign: enterMaintenance",
            "exitMaintenance -> take-sign-down: exitMaintenance",
            "setup -> app: exitSuccess",
            "startup -> clock: every 5s",
            "startup -> setup: startup",
        ]
    );
}

#[test]
fn names_are_drawn_as_they_are_whatever_is_in_them() {
    let names = [
        r#"a "quoted" name"#,
        r"back\slash \N \G \l end\",
        "<b>bold</b> &amp; &lt;",
        "node",
        "label=\"x\"]; evil",
        "// no comment",
        "üñï → 木",
        "-> a",
        "# 1",
    ];
    let jobs = names
        .iter()
        .map(|name| serde_json::json!({ "name": name, "exec": "true" }));
    let mut jobs: Vec<serde_json::Value> = jobs.collect();
    for (name, number) in names.iter().zip(0..) {
        let when = serde_json::json!({ "source": name, "once": "stopped" });
        let name = format!("after {number}");
        jobs.push(serde_json::json!({ "name": name, "exec": "true", "when": when }));
        let when =
            serde_json::json!({ "source": format!("nobody {}", names[number]), "each": "healthy" });
        let name = format!("never {number}");
        jobs.push(serde_json::json!({ "name": name, "exec": "true", "when": when }));
    }
    let directory = Temporary::new();
    let config = serde_json::json!({ "jobs": jobs });
    let config = directory.write("config.json5", &config.to_string());
    let Some(drawing) = draw(&config) else {
        return;
    };
    for (index, name) in names.iter().enumerate() {
        assert_eq!(drawing.nodes[&format!("job{index}")], [name, "true"]);
        let sources = drawing
            .nodes
            .values()
            .filter(|lines| **lines == [format!("nobody {name}")]);
        assert_eq!(sources.count(), 1, "{name}: {drawing:#?}");
        let after = names.len() + 2 * index;
        assert_eq!(
            drawing.arrows[&format!("job{index}->job{after}")],
            ["stopped"]
        );
    }
    // One node for startup.
    assert_eq!(drawing.nodes.len(), 4 * names.len() + 1);
    assert_eq!(drawing.arrows.len(), 3 * names.len());
}
