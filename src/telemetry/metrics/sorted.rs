//! A small map as a sorted list.
//!
//! The maps of metrics grow to some hundred entries, are copied for every scrape
//! and hardly ever lose one: a list is quicker to copy than a tree, and takes a
//! tenth of its code.

use std::borrow::Borrow;

/// Keys, in order, and their values.
#[derive(Clone, Debug, PartialEq)]
pub(in super::super) struct Sorted<K, V>(Vec<(K, V)>);

impl<K, V> Default for Sorted<K, V> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<K: Ord, V> Sorted<K, V> {
    fn find<Q: Ord + ?Sized>(&self, key: &Q) -> Result<usize, usize>
    where
        K: Borrow<Q>,
    {
        self.0
            .binary_search_by(|(known, _)| known.borrow().cmp(key))
    }

    /// The value of a key that is there.
    pub(super) fn get_mut<Q: Ord + ?Sized>(&mut self, key: &Q) -> Option<&mut V>
    where
        K: Borrow<Q>,
    {
        let place = self.find(key).ok()?;
        self.0.get_mut(place).map(|(_, value)| value)
    }

    /// Gives a key that is not there this value.
    pub(super) fn insert(&mut self, key: K, value: V) {
        if let Err(place) = self.find(&key) {
            self.0.insert(place, (key, value));
        }
    }

    /// Forgets the entries that are not to be kept.
    pub(super) fn retain(&mut self, keep: impl Fn(&K, &V) -> bool) {
        self.0.retain(|(key, value)| keep(key, value));
    }

    /// Every entry, by key.
    pub(in super::super) fn iter(&self) -> impl Iterator<Item = (&K, &V)> {
        self.0.iter().map(|(key, value)| (key, value))
    }

    /// Every value, by key, to be changed.
    pub(super) fn values_mut(&mut self) -> impl Iterator<Item = &mut V> {
        self.0.iter_mut().map(|(_, value)| value)
    }

    /// Whether there is no entry.
    pub(in super::super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_stay_in_order() {
        let mut map: Sorted<String, u32> = Sorted::default();
        for (key, value) in [("b", 2), ("c", 3), ("a", 1), ("b", 9)] {
            map.insert(key.to_owned(), value);
        }
        if let Some(value) = map.get_mut("c") {
            *value = 7;
        }
        assert_eq!(map.get_mut("d"), None);
        let entries: Vec<_> = map
            .iter()
            .map(|(key, value)| (key.as_str(), *value))
            .collect();
        assert_eq!(entries, [("a", 1), ("b", 2), ("c", 7)]);
        map.retain(|key, _| key == "b");
        assert_eq!(map.iter().count(), 1);
        assert!(!map.is_empty());
    }
}
