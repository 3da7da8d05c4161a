//! Which of the things that are wanted goes on as which of those that are there.
//!
//! Pure; called where a reload is planned and where watches are replaced. Things
//! of one name are usually few, and those are compared one by one. Of many, only
//! those are compared that have the same hash, so that even thousands of one name
//! do not hold the event loop.

use std::collections::VecDeque;
use std::hash::{Hash, Hasher};

use crate::hash::{Fnv, HashMap};

/// Up to so many comparisons are cheaper than hashes.
const FEW: usize = 64;

/// A way in which two things of one name may be alike.
pub(super) struct Likeness<T> {
    /// The same for two that are alike, and hardly ever for others.
    pub(super) hash: fn(&T) -> u64,
    /// Whether they are.
    pub(super) holds: fn(&T, &T) -> bool,
}

impl<T: Hash + PartialEq> Likeness<T> {
    /// They are the same in everything.
    pub(super) const SAME: Self = Self {
        hash: hash_of::<T>,
        holds: T::eq,
    };
}

impl<T> Likeness<T> {
    /// They have the same name.
    pub(super) const NAMESAKE: Self = Self {
        hash: |_| 0,
        holds: |_, _| true,
    };
}

/// The hash of what is compared.
pub(super) fn hash_of<T: Hash>(what: &T) -> u64 {
    let mut hash = Fnv::default();
    what.hash(&mut hash);
    hash.finish()
}

/// Places in the two lists that are paired.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Pairs {
    /// For each thing that is wanted, the one that is there.
    pub(super) before: Vec<Option<usize>>,
    /// Those that are there and not wanted, in their order.
    pub(super) left: Vec<usize>,
}

/// The things of one name that have no partner yet, and their places.
struct Namesakes<'a, T> {
    before: VecDeque<(usize, &'a T)>,
    now: Vec<(usize, &'a T)>,
}

/// Pairs things of one name: first those that are alike in the first way, then
/// those in the next, always in their order. The first way is to be
/// [`Likeness::SAME`].
pub(super) fn pair<T: PartialEq>(
    before: &[&T],
    now: &[&T],
    name: fn(&T) -> &str,
    likenesses: &[Likeness<T>],
) -> Pairs {
    let both = before.iter().zip(now);
    let unchanged = both.take_while(|(before, now)| before == now).count();
    let mut pairs: Vec<Option<usize>> = (0..unchanged).map(Some).collect();
    pairs.resize(now.len(), None);
    let mut by_name: HashMap<&str, Namesakes<'_, T>> = HashMap::default();
    for (at, thing) in before.iter().enumerate().skip(unchanged) {
        let known = by_name.entry(name(thing)).or_insert_with(Namesakes::new);
        known.before.push_back((at, thing));
    }
    for (at, thing) in now.iter().enumerate().skip(unchanged) {
        if let Some(known) = by_name.get_mut(name(thing)) {
            known.now.push((at, thing));
        }
    }
    let mut left = Vec::new();
    for mut namesakes in by_name.into_values() {
        for likeness in likenesses {
            namesakes.pair(likeness, &mut pairs);
        }
        left.extend(namesakes.before.into_iter().map(|(at, _)| at));
    }
    left.sort_unstable();
    Pairs {
        before: pairs,
        left,
    }
}

impl<'a, T> Namesakes<'a, T> {
    fn new() -> Self {
        Self {
            before: VecDeque::new(),
            now: Vec::new(),
        }
    }

    fn pair(&mut self, likeness: &Likeness<T>, pairs: &mut [Option<usize>]) {
        if self.before.len().saturating_mul(self.now.len()) <= FEW {
            let before = &mut self.before;
            self.now
                .retain(|now| !has_partner(before, *now, likeness, pairs));
            return;
        }
        let mut by_hash: HashMap<u64, VecDeque<(usize, &'a T)>> = HashMap::default();
        for (at, thing) in self.before.drain(..) {
            let alike = by_hash.entry((likeness.hash)(thing)).or_default();
            alike.push_back((at, thing));
        }
        self.now.retain(|now| {
            let before = by_hash.get_mut(&(likeness.hash)(now.1));
            !before.is_some_and(|before| has_partner(before, *now, likeness, pairs))
        });
        let mut left: Vec<(usize, &'a T)> = by_hash.into_values().flatten().collect();
        left.sort_unstable_by_key(|(at, _)| *at);
        self.before = left.into();
    }
}

/// Whether one of those that are there is alike; it is taken.
fn has_partner<T>(
    before: &mut VecDeque<(usize, &T)>,
    (place, now): (usize, &T),
    likeness: &Likeness<T>,
    pairs: &mut [Option<usize>],
) -> bool {
    let mut known = before.iter();
    let found = known.position(|(_, thing)| (likeness.holds)(thing, now));
    let taken = found.and_then(|found| before.remove(found));
    if let Some(pair) = pairs.get_mut(place) {
        *pair = taken.map(|(at, _)| at);
    }
    taken.is_some()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    /// A name, and two properties.
    type Thing = (String, u8, u8);

    const WAYS: [Likeness<Thing>; 3] = [
        Likeness::SAME,
        Likeness {
            hash: |thing| hash_of(&thing.1),
            holds: |before, now| before.1 == now.1,
        },
        Likeness::NAMESAKE,
    ];

    fn paired(before: &[Thing], now: &[Thing]) -> Pairs {
        let (before, now): (Vec<_>, Vec<_>) = (before.iter().collect(), now.iter().collect());
        pair(&before, &now, |thing| &thing.0, &WAYS)
    }

    /// The same in so many words.
    fn expected(before: &[Thing], now: &[Thing]) -> Pairs {
        let mut left: Vec<usize> = (0..before.len()).collect();
        let mut pairs = vec![None; now.len()];
        for way in WAYS {
            for (pair, now) in pairs.iter_mut().zip(now).filter(|(pair, _)| pair.is_none()) {
                let is_partner =
                    |at: &usize| before[*at].0 == now.0 && (way.holds)(&before[*at], now);
                let found = left.iter().position(is_partner);
                *pair = found.map(|found| left.remove(found));
            }
        }
        Pairs {
            before: pairs,
            left,
        }
    }

    /// Things out of the digits of a number.
    fn things(count: usize, mut number: usize, variety: usize) -> Vec<Thing> {
        let mut digit = |bound| {
            // Any sequence does that is not regular (Numerical Recipes).
            number = number.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (number >> 16) % bound
        };
        let mut property = |bound| u8::try_from(digit(bound)).unwrap();
        (0..count)
            .map(|_| {
                let name = char::from(b'a' + property(3));
                (name.to_string(), property(variety), property(variety))
            })
            .collect()
    }

    #[test]
    fn those_that_are_more_alike_come_first_and_then_those_that_come_first() {
        for seed in 0..3000 {
            let (before, now) = (seed % 47, seed % 53);
            let variety = 1 + seed % 7;
            let before = things(before, seed, variety);
            let mut now = things(now, seed + 1, variety);
            // Most of a file is unchanged, and in its order.
            for (now, before) in now.iter_mut().zip(&before).skip(seed % 11).step_by(2) {
                now.clone_from(before);
            }
            assert_eq!(paired(&before, &now), expected(&before, &now), "{seed}");
        }
    }

    #[test]
    fn an_unchanged_list_is_not_hashed() {
        let list = ["a", "b", "a"];
        let list: Vec<&&str> = list.iter().collect();
        let unhashed = [Likeness {
            hash: |_| unreachable!("nothing is left"),
            ..Likeness::SAME
        }];
        let pairs = pair(&list, &list, |name| name, &unhashed);
        assert_eq!(pairs.before, [Some(0), Some(1), Some(2)]);
        assert!(pairs.left.is_empty());
    }
}
