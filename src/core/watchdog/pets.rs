//! What is known of the pets so far.

use crate::units::Mono;
use std::time::Duration;

/// Pets since the daemon began.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Pets {
    /// Pets that have reached every guard; one that is on its way is not among them.
    pub arrived: u64,
    /// When the latest one was given out.
    pub last: Option<Mono>,
    /// The longest time between two that were given out one after the other.
    pub longest: Option<Duration>,
}

impl Pets {
    /// One is given out.
    pub(super) fn give(&mut self, now: Mono) {
        let gap = self.last.replace(now).map(|last| now.since(last));
        self.longest = self.longest.max(gap);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The longest gap is between two that follow each other, however many there are.
    #[test]
    fn the_longest_gap_is_kept() {
        let mut pets = Pets::default();
        pets.give(Mono(5_000));
        assert_eq!((pets.last, pets.longest), (Some(Mono(5_000)), None));
        for at in [10_000, 17_000, 21_000] {
            pets.give(Mono(at));
        }
        assert_eq!(pets.longest, Some(Duration::from_secs(7)));
        assert_eq!(pets.last, Some(Mono(21_000)));
    }
}
