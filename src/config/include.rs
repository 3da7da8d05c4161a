//! `include`: further files of a configuration (SPEC §17).
//!
//! Finds them, renders and reads each, and joins what they say with what the
//! file itself says: the lists of [`JOINED`] are put together, and nothing else
//! may be in two files. The decoder sees one object.

use std::borrow::Cow;
use std::ffi::OsStr;
use std::fs;
use std::io::{self, ErrorKind};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path as FilePath, PathBuf};
use std::sync::Arc;

use crate::environment::Environment;

use super::decode::Decode;
use super::findings::{Findings, Path};
use super::origins::Origins;
use super::source::cause;
use super::value::Value;
use super::{object, render_file, version2};

#[cfg(test)]
mod tests;

/// The entries of an object.
type Entries<'t> = Vec<(Cow<'t, str>, Value<'t>)>;

/// The lists that several files may add to.
const JOINED: [&str; 3] = ["jobs", "watches", "telemetry.metrics"];

/// What an included file may not say, and why.
const NOT_INCLUDED: [(&str, &str); 2] = [
    ("include", "an included file can't include others"),
    (
        "control",
        "belongs in the configuration file itself: subcommands look there for the socket",
    ),
];

/// More files are taken for a mistake in a pattern.
const MOST: usize = 1000;

/// Why a directory may not be missing at a reload: it may not have been mounted,
/// or be about to be replaced, and all that its files say would be stopped.
const WAS_THERE: &str = ", but what runs has files from there; bring the directory back \
     (empty, if nothing is to be included from it) or take the pattern out of \"include\"";

/// An included file.
#[derive(Debug)]
pub(crate) struct Fragment {
    /// Its path, as messages name it.
    name: Arc<str>,
    /// Its text, rendered.
    text: String,
}

/// A configuration file, and what is known of what it includes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Main<'a> {
    /// The file, to whose directory the included ones are relative.
    pub(crate) path: &'a FilePath,
    /// The directories from which the configuration that runs has included files
    /// by a pattern; none at a start.
    pub(crate) before: &'a [PathBuf],
}

/// What a file includes.
#[derive(Debug, Default)]
pub(crate) struct Included {
    /// The files, in their order.
    pub(crate) fragments: Vec<Fragment>,
    /// The directories in which patterns have found files.
    pub(crate) from: Vec<PathBuf>,
}

/// Reads the files that `include` of the object names, in their order.
pub(crate) fn read(
    entries: &Entries<'_>,
    main: Option<Main<'_>>,
    environment: &Environment,
    findings: &mut Findings,
) -> Included {
    let at = Path::Root.key("include");
    let patterns = patterns(entries);
    let Some(main) = main else {
        if !patterns.is_empty() {
            findings.error(&at, "there is no directory to which it could be relative");
        }
        return Included::default();
    };
    let mut paths: Vec<PathBuf> = Vec::new();
    let mut from = Vec::new();
    for (index, pattern) in patterns.iter().enumerate() {
        let at = Path::Index(&at, index);
        for path in find(pattern, main, &at, &mut from, findings) {
            if !paths.contains(&path) {
                paths.push(path);
            }
            if paths.len() > MOST {
                break;
            }
        }
    }
    if paths.len() > MOST {
        let message = format!("names more than {MOST} files, the most allowed");
        findings.error(&at, message);
        paths.clear();
    }
    let mut fragments = Vec::with_capacity(paths.len());
    for path in paths {
        let name: Arc<str> = path.to_string_lossy().into();
        match render_file(&path, environment) {
            Ok(text) => fragments.push(Fragment { name, text }),
            Err(errors) => findings.errors_of(&name, errors),
        }
    }
    Included { fragments, from }
}

/// The patterns of `include`; what is no pattern the decoder refuses.
fn patterns(entries: &Entries<'_>) -> Vec<String> {
    let last = entries.iter().rev().find(|(key, _)| key == "include");
    let Some((_, value)) = last.filter(|(_, value)| *value != Value::Null) else {
        return Vec::new();
    };
    let decoded = Vec::decode(value.clone(), &Path::Root, &mut Findings::default());
    decoded.unwrap_or_default()
}

/// The files that a pattern names, in the order of their names. A directory in
/// which it has found some is added to `from`.
///
/// A name without wildcards names a file that must be there. With wildcards it
/// may match none, but its directory must be there: a missing one is a warning,
/// unless what runs has files from there.
fn find(
    pattern: &str,
    main: Main<'_>,
    at: &Path<'_>,
    from: &mut Vec<PathBuf>,
    findings: &mut Findings,
) -> Vec<PathBuf> {
    let around = main.path.parent();
    let path = around.unwrap_or(FilePath::new("")).join(pattern);
    let (Some(name), Some(directory)) = (path.file_name(), path.parent()) else {
        findings.error(at, format!("{pattern:?} names no file"));
        return Vec::new();
    };
    let below = directory.strip_prefix(around.unwrap_or(directory));
    if is_pattern(below.unwrap_or(directory)) {
        let message = format!("{pattern:?}: only the name of the file may have wildcards");
        findings.error(at, message);
        return Vec::new();
    }
    if !is_pattern(FilePath::new(name)) {
        return vec![path];
    }
    match matches_in(directory, name) {
        Ok(mut paths) => {
            paths.retain(|path| !is_same(path, main.path));
            if !paths.is_empty() {
                from.push(directory.to_owned());
            }
            paths
        }
        Err(error) => {
            let message = format!("cannot look into {directory:?}: {}", cause(&error));
            let was_there = main.before.iter().any(|before| before == directory);
            match error.kind() {
                ErrorKind::NotFound if was_there => {
                    findings.error(at, format!("{message}{WAS_THERE}"));
                }
                ErrorKind::NotFound => findings.warn(at, message),
                _ => findings.error(at, message),
            }
            Vec::new()
        }
    }
}

/// The files of a directory whose names match.
fn matches_in(directory: &FilePath, pattern: &OsStr) -> io::Result<Vec<PathBuf>> {
    // A relative path without directory has the empty one.
    let listed = match directory.as_os_str().is_empty() {
        true => FilePath::new("."),
        false => directory,
    };
    let mut paths = Vec::new();
    for entry in fs::read_dir(listed)? {
        let name = entry?.file_name();
        let hidden = name.as_bytes().starts_with(b".") && !pattern.as_bytes().starts_with(b".");
        let path = directory.join(&name);
        if !hidden && matches(pattern.as_bytes(), name.as_bytes()) && !path.is_dir() {
            paths.push(path);
        }
    }
    paths.sort_unstable();
    Ok(paths)
}

fn is_pattern(path: &FilePath) -> bool {
    let bytes = path.as_os_str().as_bytes();
    bytes.iter().any(|byte| matches!(byte, b'*' | b'?'))
}

fn is_same(one: &FilePath, other: &FilePath) -> bool {
    let real = |path| fs::canonicalize(path).ok();
    real(one).is_some_and(|one| real(other) == Some(one))
}

/// Whether a name matches a pattern, in which `*` is any text and `?` any byte.
fn matches(pattern: &[u8], name: &[u8]) -> bool {
    let (mut at, mut next) = (0, 0);
    // Where the last star is, and how much of the name it has taken.
    let mut star = None;
    while next < name.len() {
        match pattern.get(at) {
            Some(b'*') => {
                star = Some((at, next));
                at += 1;
            }
            Some(byte) if *byte == b'?' || Some(byte) == name.get(next) => {
                at += 1;
                next += 1;
            }
            _ => {
                let Some((begin, taken)) = star else {
                    return false;
                };
                star = Some((begin, taken + 1));
                (at, next) = (begin + 1, taken + 1);
            }
        }
    }
    let rest = pattern.get(at..).unwrap_or_default();
    rest.iter().all(|byte| *byte == b'*')
}

/// Joins what the included files say with the entries of the file itself.
pub(crate) fn join<'t>(
    entries: &mut Entries<'t>,
    fragments: &'t [Fragment],
    origins: &mut Origins<'t>,
    findings: &mut Findings,
) {
    for fragment in fragments {
        match read_fragment(&fragment.text) {
            Ok(own) => {
                origins.add(Arc::clone(&fragment.name), &fragment.text);
                join_objects(entries, own, &Path::Root, origins, findings);
            }
            Err(errors) => findings.errors_of(&fragment.name, errors),
        }
    }
}

/// The entries of an included file, each key once.
fn read_fragment(text: &str) -> Result<Entries<'_>, super::Errors> {
    let mut entries = object(text)?;
    let mut findings = Findings::default();
    version2::refuse(&mut entries, &mut findings);
    for (key, why) in NOT_INCLUDED {
        let says = |(entry, value): &(_, _)| entry == key && *value != Value::Null;
        if entries.iter().any(says) {
            findings.error(&Path::Root.key(key), why);
        }
    }
    findings.finish(text)?;
    Ok(entries)
}

/// Joins the entries of an object that the last text has with those that are
/// there. What is null is as if it were left out.
fn join_objects<'t>(
    entries: &mut Entries<'t>,
    others: Entries<'t>,
    at: &Path<'_>,
    origins: &mut Origins<'t>,
    findings: &mut Findings,
) {
    // Of a key that comes twice in one file the last one counts.
    let before = entries.len();
    for (key, value) in others {
        let here = at.key(&key);
        let known = entries.iter_mut().take(before).rev();
        let mut known = known.filter(|(known, value)| *known == key && *value != Value::Null);
        match known.next() {
            _ if value == Value::Null => {}
            Some((_, known)) => join_values(known, value, &here, origins, findings),
            None => {
                let location = here.location();
                origins.moved(location.clone(), location);
                entries.push((key, value));
            }
        }
    }
}

fn join_values<'t>(
    known: &mut Value<'t>,
    value: Value<'t>,
    at: &Path<'_>,
    origins: &mut Origins<'t>,
    findings: &mut Findings,
) {
    let place = |origins: &Origins<'t>| origins.place(&at.location());
    let joined = JOINED.contains(&at.to_string().as_str());
    match (known, value) {
        (Value::Object(known), Value::Object(others)) => {
            join_objects(known, others, at, origins, findings);
        }
        (Value::List(known), Value::List(others)) if joined => {
            for (index, value) in others.into_iter().enumerate() {
                let to = at.location().index(known.len());
                origins.moved(at.location().index(index), to);
                known.push(value);
            }
        }
        (known, value) if joined => {
            let place = place(origins);
            let message = format!("is {known} here and {value} at {place}; lists can be joined");
            findings.error(at, message);
        }
        _ => {
            let lists = JOINED.join(", ");
            let place = place(origins);
            let message =
                format!("is set here and at {place}; only {lists} may be in several files");
            findings.error(at, message);
        }
    }
}
