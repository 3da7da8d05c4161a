//! The texts that a configuration is made of, the file itself and what it
//! includes, and which of them says what.
//!
//! The decoder sees one object, in which the lists of all files are joined. Here
//! the way back is kept, so that a finding tells the file, the line and the
//! column in which an operator has to look.

use std::sync::Arc;

use super::finding::Finding;
use super::positions::{self, Location, line_col};

/// The texts of one configuration.
#[derive(Debug)]
pub(crate) struct Origins<'t> {
    /// That of the file itself first.
    texts: Vec<Text<'t>>,
    /// What is not of the file itself, in the order of its new locations.
    moved: Vec<Moved>,
}

/// One rendered text.
#[derive(Debug)]
struct Text<'t> {
    /// The name of an included file.
    file: Option<Arc<str>>,
    text: &'t str,
}

/// A value of an included file.
#[derive(Debug)]
struct Moved {
    /// Where it is in the joined object.
    to: Location,
    from: Origin,
}

/// Where something is in one of the texts.
#[derive(Clone, Debug)]
struct Origin {
    text: usize,
    location: Location,
}

impl<'t> Origins<'t> {
    /// A configuration of one text.
    pub(crate) fn of(text: &'t str) -> Self {
        let file = None;
        Self {
            texts: vec![Text { file, text }],
            moved: Vec::new(),
        }
    }

    /// Adds the text of an included file.
    pub(crate) fn add(&mut self, file: Arc<str>, text: &'t str) {
        let file = Some(file);
        self.texts.push(Text { file, text });
    }

    /// What is at `from` in the text that was added last is at `to` in the
    /// joined object.
    pub(crate) fn moved(&mut self, from: Location, to: Location) {
        let text = self.texts.len() - 1;
        let at = self.index_of(to.as_str());
        let location = from;
        let from = Origin { text, location };
        self.moved
            .insert(at.unwrap_or_else(|at| at), Moved { to, from });
    }

    /// `file:line:column` of a location in the text that was added last.
    pub(crate) fn place(&self, location: &Location) -> String {
        let Some(text) = self.texts.last() else {
            return String::new();
        };
        let file = text.file.as_deref().unwrap_or_default();
        let offset = positions::find(text.text, &[location]).pop().flatten();
        let (line, column) = line_col(text.text, offset.unwrap_or_default());
        format!("{file}:{line}:{column}")
    }

    /// The findings with their places; one without a location has its place.
    pub(crate) fn locate(&self, findings: Vec<(Option<Location>, Finding)>) -> Vec<Finding> {
        let mut located = Vec::with_capacity(findings.len());
        let mut sought: Vec<Vec<(usize, Location)>> = vec![Vec::new(); self.texts.len()];
        for (index, (location, finding)) in findings.into_iter().enumerate() {
            if let Some(location) = location {
                let Origin { text, location } = self.origin(location);
                if let Some(sought) = sought.get_mut(text) {
                    sought.push((index, location));
                }
            }
            located.push(finding);
        }
        for (text, sought) in self.texts.iter().zip(sought) {
            text.locate(&sought, &mut located);
        }
        located
    }

    /// Where a location of the joined object is in one of the texts.
    fn origin(&self, location: Location) -> Origin {
        let around = location.outwards().find_map(|around| {
            let moved = self.moved.get(self.index_of(around).ok()?)?;
            Some((around, &moved.from))
        });
        match around {
            Some((around, from)) => Origin {
                text: from.text,
                location: location.moved(around, &from.location),
            },
            None => Origin { text: 0, location },
        }
    }

    /// The index of what has moved to a location, or where it belongs.
    fn index_of(&self, to: &str) -> Result<usize, usize> {
        self.moved
            .binary_search_by(|moved| moved.to.as_str().cmp(to))
    }
}

impl Text<'_> {
    /// Writes the places of what is sought here into the findings of these
    /// indices.
    fn locate(&self, sought: &[(usize, Location)], findings: &mut [Finding]) {
        if sought.is_empty() {
            return;
        }
        let locations: Vec<&Location> = sought.iter().map(|(_, location)| location).collect();
        let offsets = positions::find(self.text, &locations);
        let places = positions::lines_cols(self.text, &offsets);
        for ((index, _), place) in sought.iter().zip(places) {
            if let Some(finding) = findings.get_mut(*index) {
                finding.file.clone_from(&self.file);
                finding.position = place;
            }
        }
    }
}
