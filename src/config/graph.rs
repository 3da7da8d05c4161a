//! `-graph`: the jobs of a configuration and what starts them, as a graph in
//! Graphviz's DOT language (SPEC §17).
//!
//! A box is a job, an ellipse a watch, a diamond a signal; what happens to the
//! supervisor as a whole has no frame. An arrow leads from where an event
//! happens to the job that it starts: a line if it does so once, dashes if it
//! does each time. Events that must all have happened meet in a circle first.

use std::fmt::Write;
use std::time::Duration;

use crate::event::{Code, Event, GLOBAL};
use crate::sorted::SortedMap;

use super::Config;
use super::duration;
use super::job::JobSpec;
use super::sources;
use super::when::{Start, When};

#[cfg(test)]
mod tests;

/// The graph of a configuration.
pub fn dot(config: &Config) -> String {
    let mut graph = Graph::new(config);
    for (index, job) in config.jobs.iter().enumerate() {
        graph.add(index, job);
    }
    graph.into_text()
}

/// A graph that is being drawn.
struct Graph<'c> {
    /// The nodes of the jobs by name: several may have the same.
    jobs: SortedMap<&'c str, Vec<usize>>,
    /// The sources of events that are no jobs, with their attributes.
    sources: SortedMap<String, String>,
    nodes: String,
    edges: String,
}

impl<'c> Graph<'c> {
    fn new(config: &'c Config) -> Self {
        let mut jobs: SortedMap<&str, Vec<usize>> = SortedMap::new();
        for (index, job) in config.jobs.iter().enumerate() {
            if let Some(jobs) = jobs.or_insert_with(&*job.name, Vec::new) {
                jobs.push(index);
            }
        }
        let watches = config.watches.iter();
        let sources = watches.map(|watch| {
            (
                format!("{}{}", sources::WATCH, watch.name),
                WATCH.to_owned(),
            )
        });
        Self {
            jobs,
            sources: sources.collect(),
            nodes: String::new(),
            edges: String::new(),
        }
    }

    /// Draws a job and what starts it.
    fn add(&mut self, index: usize, job: &JobSpec) {
        let mut label = job.name.to_string();
        if let Some(exec) = &job.exec {
            let program = exec.argv.first().map(String::as_str).unwrap_or_default();
            if *program != *job.name {
                label = format!("{label}\n{program}");
            }
        }
        if let Some(service) = &job.service {
            label = format!("{label}\nport {}", service.port);
        }
        let style = if job.exec.is_none() {
            ", style=dotted"
        } else {
            ""
        };
        let label = quoted(&label);
        let _infallible = writeln!(self.nodes, "  job{index} [label={label}{style}];");
        self.lead_to(index, &job.when);
    }

    /// Draws the arrows that lead to a job.
    fn lead_to(&mut self, index: usize, when: &When) {
        let target = format!("job{index}");
        let start = &when.start;
        match start {
            Start::All(events) if events.len() > 1 => {
                let all = format!("all{index}");
                let _infallible = writeln!(self.nodes, "  {all} [label=\"all\", shape=circle];");
                for event in events {
                    self.arrows(event, name(event), &all, ONCE);
                }
                let label = within("", when.timeout);
                self.arrow(&all, &target, label.trim_start(), ONCE);
            }
            Start::Every(interval) => {
                let label = format!("every {}", duration::format(*interval));
                let startup = Event::global(Code::Startup);
                self.arrows(&startup, &label, &target, EACH);
            }
            Start::All(_) | Start::Any(_) => {
                for event in start.events() {
                    let style = if start.repeats_at(event) { EACH } else { ONCE };
                    let label = within(name(event), when.timeout);
                    self.arrows(event, &label, &target, style);
                }
            }
        }
    }

    /// Arrows from wherever an event happens.
    fn arrows(&mut self, event: &Event, label: &str, target: &str, style: &str) {
        for source in self.nodes_of(event) {
            self.arrow(&source, target, label, style);
        }
    }

    fn arrow(&mut self, source: &str, target: &str, label: &str, style: &str) {
        let label = quoted(label);
        let _infallible = writeln!(self.edges, "  {source} -> {target} [label={label}{style}];");
    }

    /// The nodes at which an event happens.
    fn nodes_of(&mut self, event: &Event) -> Vec<String> {
        let source = &*event.source;
        if source == GLOBAL && event.code.is_global() {
            let node = name(event).to_owned();
            self.sources.insert(node.clone(), WHOLE.to_owned());
            return vec![quoted(&node)];
        }
        if event.code == Code::Signal {
            self.sources.insert(source.to_owned(), SIGNAL.to_owned());
        } else if let Some(jobs) = self.jobs.get(source) {
            return jobs.iter().map(|index| format!("job{index}")).collect();
        } else if !source.starts_with(sources::WATCH) || !self.sources.contains_key(source) {
            // It may be called like a node of another kind.
            let node = format!("unknown {source}");
            let attributes = format!("label={}, {NOBODY}", quoted(source));
            self.sources.insert(node.clone(), attributes);
            return vec![quoted(&node)];
        }
        vec![quoted(source)]
    }

    fn into_text(self) -> String {
        let mut text = "digraph containerpilot {\n  rankdir=LR;\n  node [shape=box];\n".to_owned();
        for (source, attributes) in self.sources.iter() {
            let _infallible = writeln!(text, "  {} [{attributes}];", quoted(source));
        }
        text + &self.nodes + &self.edges + "}\n"
    }
}

const ONCE: &str = "";
const EACH: &str = ", style=dashed";
const WATCH: &str = "shape=ellipse";
const SIGNAL: &str = "shape=diamond";
const WHOLE: &str = "shape=plaintext";
/// A source that nobody is.
const NOBODY: &str = "style=dotted, color=red";

/// What the file calls an event.
fn name(event: &Event) -> &'static str {
    event.code.config_name().unwrap_or("signal")
}

/// A label and, in a line of its own, how long the job waits.
fn within(label: &str, timeout: Option<Duration>) -> String {
    match timeout {
        Some(timeout) => format!("{label}\nwithin {}", duration::format(timeout)),
        None => label.to_owned(),
    }
}

/// A text as DOT has it between quotes: a quote and a backslash are escaped, a line
/// ends with `\n`, and what looks like an entity of HTML would be taken for one.
fn quoted(text: &str) -> String {
    let mut quoted = String::with_capacity(text.len() + 2);
    quoted.push('"');
    for c in text.chars() {
        match c {
            '"' => quoted.push_str("\\\""),
            '\\' => quoted.push_str("\\\\"),
            '\n' => quoted.push_str("\\n"),
            '&' => quoted.push_str("&amp;"),
            c if c.is_control() => quoted.push(' '),
            c => quoted.push(c),
        }
    }
    quoted.push('"');
    quoted
}
