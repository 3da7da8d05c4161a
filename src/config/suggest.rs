//! "Did you mean": the known word nearest to one that nobody knows.

/// What is longer, in bytes, is no word that somebody mistypes.
const LONGEST: usize = 64;

/// So many names are compared where somebody waits for the answer.
const QUICK: usize = 1_000;

/// The word of `known` that `word` is most likely a slip of, if one is near
/// enough: differing in case, or by a few letters.
pub(crate) fn nearest<'k>(word: &str, known: impl IntoIterator<Item = &'k str>) -> Option<&'k str> {
    let letters = |word: &str| -> Vec<char> { word.to_ascii_lowercase().chars().collect() };
    let word = letters(Some(word).filter(|word| word.len() <= LONGEST)?);
    let allowed = (word.len() / 3).clamp(1, 3);
    // Most are of another length, and there may be thousands.
    let of_like_length = |candidate: &&str| {
        let is_word = candidate.len() <= LONGEST;
        is_word && candidate.chars().count().abs_diff(word.len()) <= allowed
    };
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

/// As [`hint`], of the first of many names.
pub(crate) fn quick_hint<'k>(word: &str, known: impl IntoIterator<Item = &'k str>) -> String {
    hint(word, known.into_iter().take(QUICK))
}

/// How many letters must be inserted, removed, replaced or swapped with their
/// neighbour to make `a` of `b`; any figure above `limit` if it is more.
fn distance(a: &[char], b: &[char], limit: usize) -> usize {
    let far = limit + 1;
    // Rows of the usual matrix: two back, one back, and the one being made, which
    // is above the limit but near the diagonal.
    let mut older = vec![far; b.len() + 1];
    let mut old: Vec<usize> = (0..=b.len()).collect();
    let mut row = older.clone();
    let mut last_least = 0;
    for (i, &x) in a.iter().enumerate() {
        row.fill(far);
        if let Some(first) = row.first_mut() {
            *first = i + 1;
        }
        let mut least = i + 1;
        let diagonal = b.iter().enumerate().skip(i.saturating_sub(limit));
        for (j, &y) in diagonal.take(2 * limit + 1) {
            let at = |row: &[usize], column: usize| row.get(column).copied().unwrap_or(far);
            let mut cost = (at(&old, j) + usize::from(x != y))
                .min(at(&old, j + 1) + 1)
                .min(at(&row, j) + 1);
            let swapped = i > 0 && j > 0 && a.get(i - 1) == Some(&y) && b.get(j - 1) == Some(&x);
            if swapped {
                cost = cost.min(at(&older, j - 1) + 1);
            }
            if let Some(slot) = row.get_mut(j + 1) {
                *slot = cost;
            }
            least = least.min(cost);
        }
        // A swap goes on from the row before the last one.
        if least.min(last_least) > limit {
            return far;
        }
        last_least = least;
        std::mem::swap(&mut older, &mut old);
        std::mem::swap(&mut old, &mut row);
    }
    old.last().copied().unwrap_or(far)
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

    #[test]
    fn what_is_too_long_is_no_slip() {
        let long = "x".repeat(1 << 20);
        let longer = format!("{long}y");
        assert_eq!(nearest(&long, [longer.as_str()]), None);
        assert_eq!(nearest("x", [longer.as_str(), "y"]), Some("y"));
        let word = "x".repeat(LONGEST - 1);
        let like = format!("{word}y");
        assert_eq!(nearest(&word, [like.as_str()]), Some(like.as_str()));
    }

    #[test]
    fn of_many_names_the_first_ones_are_compared_where_somebody_waits() {
        let others = || std::iter::repeat_n("another", QUICK - 1);
        let first = others().chain(["zebra"]);
        assert_eq!(quick_hint("zebar", first), "; did you mean \"zebra\"?");
        let last = others().chain(["another", "zebra"]);
        assert_eq!(quick_hint("zebar", last.clone()), "");
        assert_eq!(hint("zebar", last), "; did you mean \"zebra\"?");
    }

    /// The distance by its definition, one letter after the other.
    fn defined(a: &[char], b: &[char]) -> usize {
        match (a, b) {
            ([], rest) | (rest, []) => rest.len(),
            ([x, a_rest @ ..], [y, b_rest @ ..]) => {
                let replaced = defined(a_rest, b_rest) + usize::from(x != y);
                let added = defined(a, b_rest).min(defined(a_rest, b)) + 1;
                let swapped = match (a_rest, b_rest) {
                    ([p, a_rest @ ..], [q, b_rest @ ..]) if (x, p) == (q, y) => {
                        defined(a_rest, b_rest) + 1
                    }
                    _ => usize::MAX,
                };
                replaced.min(added).min(swapped)
            }
        }
    }

    #[test]
    fn distances_up_to_the_limit_are_exact() {
        let words = |length: u32| (0..3_usize.pow(length)).map(move |n| word(n, length));
        fn word(n: usize, length: u32) -> Vec<char> {
            let letter = |place| ['a', 'b', 'c'].get(n / 3_usize.pow(place) % 3).copied();
            (0..length).filter_map(letter).collect()
        }
        let all: Vec<Vec<char>> = (0..=4).flat_map(words).collect();
        for a in &all {
            for b in &all {
                let exact = defined(a, b);
                for limit in 1..=3 {
                    let found = distance(a, b, limit);
                    let is_right = found == exact || found.min(exact) > limit;
                    assert!(is_right, "{a:?} {b:?} {limit}: {found}, {exact}");
                }
            }
        }
    }
}
