//! `-graph`: the jobs of a configuration and what starts them, as a graph in
//! Graphviz's DOT language (SPEC §17).
//!
//! A box is a job, an ellipse a watch, a diamond a signal; what happens to the
//! supervisor as a whole has no frame. An arrow leads from where an event
//! happens to the job that it starts: a line if it does so once, dashes if it
//! does each time.

use std::collections::BTreeMap;
use std::fmt::Write;

use crate::event::{Code, Event, GLOBAL};

use super::Config;
use super::duration;
use super::job::JobSpec;
use super::when::Start;

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
    jobs: BTreeMap<&'c str, Vec<usize>>,
    /// The sources of events that are no jobs, with their attributes.
    sources: BTreeMap<String, &'static str>,
    nodes: String,
    edges: String,
}

impl<'c> Graph<'c> {
    fn new(config: &'c Config) -> Self {
        let mut jobs: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
        for (index, job) in config.jobs.iter().enumerate() {
            jobs.entry(&*job.name).or_default().push(index);
        }
        let watches = config.watches.iter();
        let sources = watches.map(|watch| (format!("watch.{}", watch.name), WATCH));
        Self {
            jobs,
            sources: sources.collect(),
            nodes: String::new(),
            edges: String::new(),
        }
    }

    /// Draws a job and the arrows that lead to it.
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
        let (event, often, style) = match &job.when.start {
            Start::Once(event) => (event.clone(), None, ""),
            Start::Each(event) => (event.clone(), None, ", style=dashed"),
            Start::Every(interval) => {
                let startup = job.when.start.event();
                (startup, Some(*interval), ", style=dashed")
            }
        };
        let mut label = name(&event).to_owned();
        if let Some(interval) = often {
            label = format!("every {}", duration::format(interval));
        }
        if let Some(timeout) = job.when.timeout {
            let timeout = duration::format(timeout);
            label = format!("{label}\nwithin {timeout}");
        }
        for source in self.nodes_of(&event) {
            let label = quoted(&label);
            let _infallible = writeln!(
                self.edges,
                "  {source} -> job{index} [label={label}{style}];"
            );
        }
    }

    /// The nodes at which an event happens.
    fn nodes_of(&mut self, event: &Event) -> Vec<String> {
        let source = &*event.source;
        if source == GLOBAL && event.code.is_global() {
            let node = name(event).to_owned();
            self.sources.insert(node.clone(), WHOLE);
            return vec![quoted(&node)];
        }
        if event.code == Code::Signal {
            self.sources.insert(source.to_owned(), SIGNAL);
        } else if let Some(jobs) = self.jobs.get(source) {
            return jobs.iter().map(|index| format!("job{index}")).collect();
        }
        self.sources.entry(source.to_owned()).or_insert(NOBODY);
        vec![quoted(source)]
    }

    fn into_text(self) -> String {
        let mut text = "digraph containerpilot {\n  rankdir=LR;\n  node [shape=box];\n".to_owned();
        for (source, attributes) in &self.sources {
            let _infallible = writeln!(text, "  {} [{attributes}];", quoted(source));
        }
        text + &self.nodes + &self.edges + "}\n"
    }
}

const WATCH: &str = "shape=ellipse";
const SIGNAL: &str = "shape=diamond";
const WHOLE: &str = "shape=plaintext";
/// A source that nobody is.
const NOBODY: &str = "style=dotted, color=red";

/// What the file calls an event.
fn name(event: &Event) -> &'static str {
    let mut names = Code::config_names();
    let found = names.find(|name| Code::from_config(name) == Some(event.code));
    found.unwrap_or("signal")
}

/// A text as DOT has it between quotes: only a quote and a backslash are escaped,
/// and a line ends with `\n`.
fn quoted(text: &str) -> String {
    let mut quoted = String::with_capacity(text.len() + 2);
    quoted.push('"');
    for c in text.chars() {
        match c {
            '"' => quoted.push_str("\\\""),
            '\\' => quoted.push_str("\\\\"),
            '\n' => quoted.push_str("\\n"),
            c if c.is_control() => quoted.push(' '),
            c => quoted.push(c),
        }
    }
    quoted.push('"');
    quoted
}
