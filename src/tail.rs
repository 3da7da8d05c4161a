//! The last lines of what a process prints, kept for whoever wants to know why it
//! failed.
//!
//! Shared between the pump, which writes, and whoever shows them; nobody waits for
//! more of them. Empty it holds no memory, and never more than [`LONGEST`] bytes.

use std::sync::{Arc, Mutex, PoisonError};

/// How much is kept, in bytes.
const LONGEST: usize = 512;

/// See the module. Clones are of the same lines.
#[derive(Clone, Debug, Default)]
pub struct Tail(Arc<Mutex<Kept>>);

#[derive(Debug, Default)]
struct Kept {
    bytes: Vec<u8>,
    /// Whether there was more before them.
    is_cut: bool,
}

impl Tail {
    /// More has been printed.
    pub fn push(&self, printed: &[u8]) {
        // What it guards is never left half changed.
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let last = printed.len().saturating_sub(LONGEST);
        let printed = printed.get(last..).unwrap_or_default();
        let excess = (kept.bytes.len() + printed.len()).saturating_sub(LONGEST);
        kept.is_cut |= last > 0 || excess > 0;
        kept.bytes.drain(..excess);
        kept.bytes.extend_from_slice(printed);
    }

    /// The lines, without the one whose beginning is gone if there are others, and
    /// without blank ones at their end; `None` if there is nothing to show.
    pub fn lines(&self) -> Option<String> {
        let kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let text = String::from_utf8_lossy(&kept.bytes);
        let text = text.trim_end();
        let whole = match text.split_once('\n') {
            Some((_, whole)) if kept.is_cut => whole,
            // Of a character that was cut in two nothing can be shown.
            _ => text.trim_start_matches(char::REPLACEMENT_CHARACTER),
        };
        (!whole.trim().is_empty()).then(|| whole.to_owned())
    }
}

impl PartialEq for Tail {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0) || self.lines() == other.lines()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(printed: &[&str]) -> Option<String> {
        let tail = Tail::default();
        for piece in printed {
            tail.push(piece.as_bytes());
            let kept = tail.0.lock().unwrap_or_else(PoisonError::into_inner);
            assert!(kept.bytes.len() <= LONGEST && kept.bytes.capacity() <= 2 * LONGEST);
        }
        tail.lines()
    }

    #[test]
    fn little_is_kept_as_it_was_printed() {
        for (printed, expected) in [
            (&[][..], None),
            (&["\n", " \n"], None),
            (&["no"], Some("no")),
            (&["a\n", "b", "c\n\n"], Some("a\nbc")),
            (&["  indented\n"], Some("  indented")),
        ] {
            assert_eq!(lines(printed).as_deref(), expected, "{printed:?}");
        }
    }

    #[test]
    fn of_much_the_last_whole_lines_are_kept() {
        let long = "x".repeat(LONGEST);
        assert_eq!(lines(&[&long, "y"]), Some(format!("{}y", &long[1..])));
        assert_eq!(lines(&[&long, "\nlast\n"]), Some("last".to_owned()));
        let many: String = (0..1000).map(|n| format!("line {n}\n")).collect();
        for printed in [
            &[&*many][..],
            &many.split_inclusive("e ").collect::<Vec<_>>(),
        ] {
            let kept = lines(printed).unwrap_or_default();
            assert!(
                kept.starts_with("line 9") && kept.ends_with("line 999"),
                "{kept}"
            );
            assert!(kept.len() > LONGEST - "line 9xx\n".len() - 2, "{kept}");
        }
    }

    #[test]
    fn a_character_that_was_cut_is_not_shown() {
        let long = "ü".repeat(LONGEST);
        assert_eq!(
            lines(&["a", &long, "b"]).map(|kept| kept.len()),
            Some(LONGEST - 1)
        );
    }
}
