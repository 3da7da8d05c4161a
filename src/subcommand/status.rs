//! `-status`: the answer of the supervisor as tables for people (SPEC §16).
//!
//! Pure: JSON in, text out. What a supervisor of another version says in another
//! way is left out, not an error.

use serde_json::Value;

use super::layout::{printable, shortened, width, wrapped};
use super::terminal::{Colour, Terminal};

/// What stands for a value that there is none of.
const NONE: &str = "-";
/// Between two columns.
const GAP: &str = "  ";
/// The narrowest column of names.
const NARROWEST_NAME: usize = 8;

/// Tables of `answer`: of the supervisor and all jobs, or all about some jobs.
/// An answer that is no JSON is shown as it is.
pub(super) fn table(answer: &str, terminal: &Terminal) -> String {
    let Ok(answer) = serde_json::from_str::<Value>(answer) else {
        return answer.to_owned();
    };
    let mut lines = Vec::new();
    let jobs = list(&answer, "jobs");
    match answer.get("supervisor") {
        Some(supervisor) => {
            about_supervisor(supervisor, &answer, terminal, &mut lines);
            lines.push(String::new());
            overview(jobs, terminal, &mut lines);
        }
        None => {
            for job in jobs {
                about_job(job, terminal, &mut lines);
            }
        }
    }
    lines.join("\n")
}

/// What speaks against it that all is well, by an answer of `/v3/health`.
pub(super) fn reasons(answer: &str) -> Option<Vec<String>> {
    let answer: Value = serde_json::from_str(answer).ok()?;
    let reasons = answer.get("reasons")?.as_array()?.iter();
    Some(
        reasons
            .filter_map(|reason| reason.as_str().map(printable))
            .collect(),
    )
}

/// The names of the jobs in an answer of `/v3/status`.
pub(super) fn names(answer: &str) -> Vec<String> {
    let answer: Value = serde_json::from_str(answer).unwrap_or_default();
    let names = list(&answer, "jobs").iter().map(|job| text(job, "name"));
    names.collect()
}

fn about_supervisor(
    supervisor: &Value,
    answer: &Value,
    terminal: &Terminal,
    lines: &mut Vec<String>,
) {
    let mut add = |key: &str, value: String| {
        let room = terminal.width.saturating_sub(FIELD);
        lines.push(format!("{key:<FIELD$}{}", shortened(&value, room)));
    };
    let up = ago(supervisor, "uptimeSeconds");
    let mut first = format!(
        "{}, pid {}, up {up}",
        text(supervisor, "version"),
        text(supervisor, "pid")
    );
    if text(supervisor, "state") == "stopping" {
        first.push_str(", shutting down");
    }
    add("supervisor", first);
    if supervisor
        .get("config")
        .is_some_and(|config| !config.is_null())
    {
        add("config", text(supervisor, "config"));
    }
    if let Some(reload) = object(supervisor, "lastReload") {
        let age = ago(reload, "secondsAgo");
        add(
            "reload",
            match flag(reload, "accepted") {
                true => format!("accepted {age} ago"),
                false => format!("refused {age} ago: {}", text(reload, "reason")),
            },
        );
    }
    if let Some(consul) = object(supervisor, "consul") {
        let since = ago(consul, "sinceSeconds");
        add(
            "consul",
            match consul.get("reachable").and_then(Value::as_bool) {
                None => "not tried yet".to_owned(),
                Some(true) => format!("reachable for {since}"),
                Some(false) => format!("unreachable for {since}: {}", text(consul, "reason")),
            },
        );
    }
    let watches = list(answer, "watches").iter();
    let watches: Vec<String> = watches
        .map(|watch| format!("{} ({})", text(watch, "name"), text(watch, "instances")))
        .collect();
    if !watches.is_empty() {
        add("watches", watches.join(", "));
    }
    if flag(supervisor, "maintenance") {
        add("maintenance", "nothing is checked or advertised".to_owned());
    }
}

/// A column: its heading, and what it shows of a job.
type Column = (&'static str, fn(&Value) -> (String, Colour));

const COLUMNS: [Column; 8] = [
    ("JOB", |job| (text(job, "name"), Colour::Plain)),
    ("STATE", |job| {
        let state = text(job, "state");
        let colour = colour_of(&state);
        (state, colour)
    }),
    ("FOR", |job| (ago(job, "sinceSeconds"), Colour::Plain)),
    ("PID", |job| (text(job, "pid"), Colour::Plain)),
    ("RUNS", |job| (text(job, "runs"), Colour::Plain)),
    ("EXIT", |job| {
        let exit = object(job, "lastExit");
        (
            exit.map_or(NONE.to_owned(), |exit| text(exit, "code")),
            Colour::Plain,
        )
    }),
    ("HEALTH", |job| {
        let health = object(job, "health");
        let status = health.map_or(NONE.to_owned(), |health| text(health, "status"));
        let colour = colour_of(&status);
        (status, colour)
    }),
    ("NEXT", |job| {
        let next = object(job, "nextStart");
        (
            next.map_or(NONE.to_owned(), |next| ago(next, "inSeconds")),
            Colour::Plain,
        )
    }),
];

/// One line for each job.
fn overview(jobs: &[Value], terminal: &Terminal, lines: &mut Vec<String>) {
    if jobs.is_empty() {
        lines.push("There are no jobs.".to_owned());
        return;
    }
    let rows: Vec<Vec<(String, Colour)>> = jobs
        .iter()
        .map(|job| COLUMNS.iter().map(|(_, show)| show(job)).collect())
        .collect();
    // What has nothing to show for any job takes no room.
    let shown: Vec<(usize, usize)> = (0..COLUMNS.len())
        .filter_map(|at| {
            let cells = rows.iter().filter_map(|row| row.get(at));
            let widest = cells.clone().map(|(cell, _)| width(cell)).max()?;
            let heading = COLUMNS.get(at).map_or(0, |(heading, _)| heading.len());
            let is_empty = cells.clone().all(|(cell, _)| cell == NONE);
            (!is_empty).then_some((at, widest.max(heading)))
        })
        .collect();
    let others: usize = shown
        .iter()
        .skip(1)
        .map(|(_, width)| width + GAP.len())
        .sum();
    let room = terminal.width.saturating_sub(others).max(NARROWEST_NAME);
    let line = |cell: &dyn Fn(usize) -> (String, Colour)| {
        let cells = shown.iter().map(|(at, wide)| {
            let (value, colour) = cell(*at);
            let wide = if *at == 0 { (*wide).min(room) } else { *wide };
            let value = shortened(&value, wide);
            let padding = wide.saturating_sub(width(&value));
            terminal.paint(&value, colour) + &" ".repeat(padding)
        });
        let cells: Vec<String> = cells.collect();
        cells.join(GAP).trim_end().to_owned()
    };
    let heading = |at: usize| COLUMNS.get(at).map_or("", |(heading, _)| *heading);
    lines.push(line(&|at| (heading(at).to_owned(), Colour::Plain)));
    for row in &rows {
        lines.push(line(&|at| {
            row.get(at)
                .cloned()
                .unwrap_or((String::new(), Colour::Plain))
        }));
    }
}

/// Where the values of a list of fields begin.
const FIELD: usize = 13;

/// All about one job, a field on each line.
fn about_job(job: &Value, terminal: &Terminal, lines: &mut Vec<String>) {
    let mut add = |key: &str, value: &str, colour: Colour, rest: &str| {
        let room = terminal.width.saturating_sub(FIELD);
        let mut begin = format!("{key:<FIELD$}");
        for (number, line) in wrapped(&format!("{value}{rest}"), room).iter().enumerate() {
            let painted = match line.strip_prefix(value) {
                Some(rest) if number == 0 => terminal.paint(value, colour) + rest,
                _ => line.clone(),
            };
            lines.push(begin + &painted);
            begin = " ".repeat(FIELD);
        }
    };
    let state = text(job, "state");
    let since = format!(
        " for {}, since {}",
        ago(job, "sinceSeconds"),
        text(job, "since")
    );
    add("job", &text(job, "name"), Colour::Plain, "");
    add("state", &state, colour_of(&state), &since);
    if let Some(waits_for) = object(job, "waitsFor") {
        add("waits for", &events(waits_for), Colour::Plain, "");
    }
    if let Some(next) = object(job, "nextStart") {
        let inside = format!("in {}", ago(next, "inSeconds"));
        add("next start", &inside, Colour::Plain, "");
    }
    if job.get("pid").is_some_and(Value::is_u64) {
        add("pid", &text(job, "pid"), Colour::Plain, "");
    }
    let left = match text(job, "restartsLeft") {
        left if left == NONE => "any number of".to_owned(),
        left => left,
    };
    let restarts = format!(", {left} restarts left");
    add("runs", &text(job, "runs"), Colour::Plain, &restarts);
    if let Some(exit) = object(job, "lastExit") {
        let age = format!(" {} ago", ago(exit, "secondsAgo"));
        add("last exit", &text(exit, "message"), Colour::Plain, &age);
    }
    if let Some(health) = object(job, "health") {
        let status = text(health, "status");
        add("health", &status, colour_of(&status), "");
        if let Some(check) = object(health, "lastCheck") {
            about_check(check, &mut add);
        }
    }
    if job.get("port").is_some_and(Value::is_u64) {
        let address = format!("{} port {}", text(job, "address"), text(job, "port"));
        add("advertised", &address, Colour::Plain, "");
    }
    if flag(job, "essential") {
        add("essential", "yes", Colour::Plain, "");
    }
    lines.push(String::new());
}

/// Events in words, as the log has them.
fn events(waits_for: &Value) -> String {
    let events = list(waits_for, "events").iter().map(|event| {
        let (code, source) = (text(event, "code"), text(event, "source"));
        match (code.as_str(), source.as_str()) {
            (_, "global") => code,
            ("signal", _) => source,
            _ => format!("{code} of {source}"),
        }
    });
    let events: Vec<String> = events.collect();
    let all = flag(waits_for, "all") || events.len() < 2;
    match all {
        true => events.join(", "),
        false => format!("any of {}", events.join(", ")),
    }
}

fn about_check(check: &Value, add: &mut impl FnMut(&str, &str, Colour, &str)) {
    let verdict = match flag(check, "passed") {
        true => "passed".to_owned(),
        false => format!("failed: {}", text(check, "reason")),
    };
    let milliseconds = check
        .get("tookSeconds")
        .and_then(Value::as_f64)
        .unwrap_or(0.0)
        * 1000.0;
    let age = format!(
        " {} ago, took {milliseconds:.0} ms",
        ago(check, "secondsAgo")
    );
    add("last check", &verdict, Colour::Plain, &age);
    if let Some(output) = check.get("output").and_then(Value::as_str) {
        for line in output.lines().filter(|line| !line.trim().is_empty()) {
            add("", &printable(line), Colour::Plain, "");
        }
    }
}

fn colour_of(word: &str) -> Colour {
    match word {
        "running" | "present" | "healthy" => Colour::Green,
        "starting" | "backoff" | "stopping" | "maintenance" => Colour::Yellow,
        "stopped" | "unhealthy" => Colour::Red,
        _ => Colour::Plain,
    }
}

fn list<'a>(value: &'a Value, key: &str) -> &'a [Value] {
    let list = value.get(key).and_then(Value::as_array);
    list.map(Vec::as_slice).unwrap_or_default()
}

fn object<'a>(value: &'a Value, key: &str) -> Option<&'a Value> {
    value.get(key).filter(|value| value.is_object())
}

fn flag(value: &Value, key: &str) -> bool {
    value.get(key).and_then(Value::as_bool).unwrap_or(false)
}

/// A value as it is shown.
fn text(value: &Value, key: &str) -> String {
    match value.get(key) {
        None | Some(Value::Null) => NONE.to_owned(),
        Some(Value::String(text)) => printable(text),
        Some(other) => other.to_string(),
    }
}

/// A time in seconds, in the two largest units that it has.
fn ago(value: &Value, key: &str) -> String {
    let Some(seconds) = value.get(key).and_then(Value::as_f64) else {
        return NONE.to_owned();
    };
    // Nobody waits for longer than what fits.
    let seconds = seconds.max(0.0).round() as u64;
    let units = [(86_400, "d"), (3600, "h"), (60, "m"), (1, "s")];
    let largest = units.iter().position(|(unit, _)| seconds >= *unit);
    let shown = units
        .iter()
        .skip(largest.unwrap_or(units.len() - 1))
        .take(2);
    let mut rest = seconds;
    let mut text = String::new();
    for (unit, name) in shown {
        let count = rest / unit;
        rest %= unit;
        if count > 0 || text.is_empty() {
            text.push_str(&format!("{count}{name}"));
        }
    }
    text
}

#[cfg(test)]
mod tests;
