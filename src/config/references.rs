//! What the parts of a configuration say about each other: names that come
//! twice, events that nothing can emit, jobs that can never start, and what
//! needs a discovery backend.

use super::Config;
use super::findings::{Findings, Path};
use super::reach::Reach;
use super::sources::{Named, Sources, WATCH};
use super::when::Start;

/// Refuses what needs a discovery backend, given by its paths.
pub(crate) fn refuse_without_backend(users: &[String], findings: &mut Findings) {
    let Some((first, others)) = users.split_first() else {
        return;
    };
    let needs = match others.len() {
        0 => format!("{first} needs"),
        more => format!("{first} and {more} more need"),
    };
    findings.error(
        &Path::Root,
        format!("no discovery backend defined; {needs} \"consul\""),
    );
}

/// Warns of names that come twice and of jobs that wait for what never comes.
pub(crate) fn check(config: &Config, findings: &mut Findings) {
    let sources = Sources::of(config);
    let (jobs, watches) = (Path::Root.key("jobs"), Path::Root.key("watches"));
    for (name, index) in repeated(&sources.jobs) {
        let message = "another job has this name; events and commands by name concern both";
        findings.warn(&Path::Named(&jobs, index, "job", name), message);
    }
    for (name, index) in repeated(&sources.watches) {
        let message = "another watch has this name; their events can't be told apart";
        findings.warn(&Path::Named(&watches, index, "watch", name), message);
    }
    let reach = Reach::of(&config.jobs, &sources);
    for (index, job) in config.jobs.iter().enumerate() {
        let at = Path::Named(&jobs, index, "job", &job.name);
        if job.name.starts_with(WATCH) {
            let message = format!("begins with {WATCH:?}: as a source, this is a watch");
            findings.warn(&at.key("name"), message);
        }
        let at = at.key("when");
        let all_come = check_events(&job.when.start, &sources, &at, findings);
        if let Some(message) = reach.obstacle(index).filter(|_| all_come) {
            findings.tolerate(&at, message);
        }
    }
}

/// Whether each event that starts a job can come, as far as its source goes.
fn check_events(
    start: &Start,
    sources: &Sources<'_>,
    when: &Path<'_>,
    findings: &mut Findings,
) -> bool {
    let (list, count) = match start {
        Start::All(events) => (when.key("all"), events.len()),
        Start::Any(conditions) => (when.key("any"), conditions.len()),
        Start::Every(_) => return true,
    };
    let mut all_come = true;
    for (index, event) in start.events().enumerate() {
        if let Err(absence) = sources.check(event) {
            let why = sources.explain(absence);
            // One event may stand in `when` itself, which is close enough.
            let one = Path::Index(&list, index);
            let at = if count == 1 { when } else { &one };
            findings.tolerate(at, format!("waits for what never comes: {why}"));
            all_come = false;
        }
    }
    all_come
}

/// What in a sorted list has its predecessor's name, too.
fn repeated<'s, 'c, T>(sorted: &'s [Named<'c, T>]) -> impl Iterator<Item = (&'c str, usize)> + 's {
    let pairs = sorted.iter().zip(sorted.iter().skip(1));
    pairs
        .filter(|(one, next)| one.name == next.name)
        .map(|(_, next)| (next.name, next.index))
}
