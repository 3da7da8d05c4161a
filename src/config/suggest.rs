//! "Did you mean": the known word nearest to one that nobody knows.

/// The word of `known` that `word` is most likely a slip of, if one is near
/// enough: differing in case, or by a few letters.
pub(crate) fn nearest<'k>(word: &str, known: impl IntoIterator<Item = &'k str>) -> Option<&'k str> {
    let letters = |word: &str| -> Vec<char> { word.to_ascii_lowercase().chars().collect() };
    let word = letters(word);
    let allowed = (word.len() / 3).clamp(1, 3);
    // Most are of another length, and there may be thousands.
    let of_like_length =
        |candidate: &&str| candidate.chars().count().abs_diff(word.len()) <= allowed;
    known
        .into_iter()
        .filter(of_like_length)
        .map(|candidate| (distance(&word, &letters(candidate), allowed), candidate))
        .filter(|(distance, _)| *distance <= allowed)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

/// `; did you mean "word"?`, or nothing if no known word is near.
pub(crate) fn hint<'k>(word: &str, known: impl IntoIterator<Item = &'k str>) -> String {
    nearest(word, known).map_or_else(String::new, |near| format!("; did you mean {near:?}?"))
}

/// How many letters must be inserted, removed, replaced or swapped with their
/// neighbour to make `a` of `b`; any figure above `limit` if it is more.
fn distance(a: &[char], b: &[char], limit: usize) -> usize {
    // Rows of the usual matrix: two back, one back, and the one being made.
    let mut older = vec![0; b.len() + 1];
    let mut old: Vec<usize> = (0..=b.len()).collect();
    for (i, &x) in a.iter().enumerate() {
        let mut row = vec![i + 1];
        for (j, &y) in b.iter().enumerate() {
            let at = |row: &[usize], column: usize| row.get(column).copied().unwrap_or(limit + 1);
            let mut cost = (at(&old, j) + usize::from(x != y))
                .min(at(&old, j + 1) + 1)
                .min(at(&row, j) + 1);
            let swapped = i > 0 && j > 0 && a.get(i - 1) == Some(&y) && b.get(j - 1) == Some(&x);
            if swapped {
                cost = cost.min(at(&older, j - 1) + 1);
            }
            row.push(cost);
        }
        older = std::mem::replace(&mut old, row);
    }
    old.last().copied().unwrap_or(limit + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slips_lead_to_the_word_that_was_meant() {
        let keys = [
            "name",
            "exec",
            "restarts",
            "interfaces",
            "initial_status",
            "timeout",
        ];
        for (slip, meant) in [
            ("restart", Some("restarts")),
            ("Restarts", Some("restarts")),
            ("exce", Some("exec")),
            ("nmae", Some("name")),
            ("interface", Some("interfaces")),
            ("initialStatus", Some("initial_status")),
            ("timeuot", Some("timeout")),
            ("command", None),
            ("x", None),
            ("", None),
        ] {
            assert_eq!(nearest(slip, keys), meant, "{slip}");
        }
    }

    #[test]
    fn the_nearest_of_several_wins() {
        assert_eq!(
            nearest("stopped", ["stopping", "stopped", "startup"]),
            Some("stopped")
        );
        assert_eq!(nearest("stoped", ["stopping", "stopped"]), Some("stopped"));
        assert_eq!(
            hint("helthy", ["healthy", "unhealthy"]),
            "; did you mean \"healthy\"?"
        );
        assert_eq!(hint("zzz", ["healthy"]), "");
    }
}
