//! Maps and sets for what a running daemon has a few dozen of: lists that are kept in order.
//!
//! The ordered maps of the standard library bring 4 to 6 KiB of code for each kind of key and value,
//! and what a daemon may need stays in memory (`link/daemon.ld`). With some thousand entries of some
//! dozen bytes an insertion still takes less than the system call that it goes with
//! (docs/decisions/0017-small-code.md).

use std::borrow::Borrow;

/// A map whose keys are in order.
pub type Map<K, V> = litemap::LiteMap<K, V>;

/// A set whose members are in order.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Set<T>(Map<T, ()>);

impl<T> Default for Set<T> {
    fn default() -> Set<T> {
        Set::new()
    }
}

impl<T> Set<T> {
    /// One without members.
    pub const fn new() -> Set<T> {
        Set(Map::new())
    }

    /// It has no members.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The least.
    pub fn first(&self) -> Option<&T> {
        self.0.first().map(|(member, ())| member)
    }
}

impl<T: Ord> Set<T> {
    /// Takes one in. Returns whether it was not there.
    pub fn insert(&mut self, member: T) -> bool {
        self.0.insert(member, ()).is_none()
    }

    /// Takes one out. Returns whether it was there.
    pub fn remove<Q: Ord + ?Sized>(&mut self, member: &Q) -> bool
    where
        T: Borrow<Q>,
    {
        self.0.remove(member).is_some()
    }

    /// It is there.
    pub fn contains<Q: Ord + ?Sized>(&self, member: &Q) -> bool
    where
        T: Borrow<Q>,
    {
        self.0.contains_key(member)
    }
}

impl<T> IntoIterator for Set<T> {
    type Item = T;
    type IntoIter = std::iter::Map<std::vec::IntoIter<(T, ())>, fn((T, ())) -> T>;

    fn into_iter(self) -> Self::IntoIter {
        self.0
            .into_tuple_vec()
            .into_iter()
            .map(|(member, ())| member)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A set of the standard library, which does the same.
    #[test]
    fn a_set_is_a_set() {
        let (mut ours, mut theirs) = (Set::new(), std::collections::BTreeSet::new());
        for number in (0..200_u32).map(|n| n * 37 % 64) {
            assert_eq!(ours.first(), theirs.first());
            assert_eq!(ours.contains(&number), theirs.contains(&number));
            match number % 3 {
                0 => assert_eq!(ours.remove(&(number / 2)), theirs.remove(&(number / 2))),
                _ => assert_eq!(ours.insert(number), theirs.insert(number)),
            }
            assert_eq!(ours.is_empty(), theirs.is_empty());
        }
        assert!(ours.into_iter().eq(theirs));
    }
}
