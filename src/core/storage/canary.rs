//! Canaries: small files that are written, synced and read back past the cache, so that a card that
//! only pretends is found out.
//!
//! One that fails tells what no table of mounts tells: between Linux 6.12 and 6.14 an ext4 that has
//! stopped writing looks like one that has not.

use super::super::Pass;
use super::super::fact::{CanaryId, Fault};
use super::super::note::{GuardNote, Note};
use super::super::picture::Verdict;
use super::super::sense::Last;
use std::time::Duration;

/// A card that takes this long for 4 KiB is not well. A worn card pauses for a second or two now and
/// then; a file system that is busy with other writes takes longer than an idle one.
const SLOW: Duration = Duration::from_secs(5);

/// Samples from which percentiles are made. At the usual hour between two, a day and a half.
const SAMPLES: usize = 36;

/// How one canary stands.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct CanaryView {
    /// Which.
    pub canary: CanaryId,
    /// What is thought of it.
    pub verdict: Verdict,
    /// How long the latest one took: writing, syncing and reading back.
    pub latest: Option<Duration>,
    /// Half of the latest ones took no longer, and nineteen of twenty did not; the longest of all.
    pub percentiles: Option<[Duration; 3]>,
}

/// What is known of one.
#[derive(Default)]
pub(super) struct Canary {
    last: Last<Duration>,
    verdict: Verdict,
    /// Milliseconds, the latest at `next - 1`.
    samples: Vec<u32>,
    next: usize,
}

impl Canary {
    pub fn see(&mut self, canary: CanaryId, took: Duration, pass: &mut Pass) {
        // Told below, with its own words.
        self.last = Last::At(took);
        self.keep(took);
        let limit = if self.verdict == Verdict::Warn {
            SLOW / 2
        } else {
            SLOW
        };
        let verdict = match took >= limit {
            true => Verdict::Warn,
            false => Verdict::Ok,
        };
        let before = std::mem::replace(&mut self.verdict, verdict);
        match (before, verdict) {
            (Verdict::Warn, Verdict::Warn) => {}
            (_, Verdict::Warn) => guard(GuardNote::CanarySlow { canary, took }, pass),
            (Verdict::Warn | Verdict::Critical, _) => guard(GuardNote::CanaryWell { canary }, pass),
            (Verdict::Ok | Verdict::Unknown, _) => {}
        }
    }

    pub fn lose(&mut self, canary: CanaryId, why: &Fault, pass: &mut Pass) {
        self.last = Last::Gone;
        if self.verdict != Verdict::Critical {
            let why = why.clone();
            guard(GuardNote::CanaryFailed { canary, why }, pass);
        }
        self.verdict = Verdict::Critical;
    }

    /// Its thread is stuck: what it found no longer stands.
    pub fn distrust(&mut self) {
        self.last.distrust();
        self.verdict = self.verdict.unseen();
    }

    fn keep(&mut self, took: Duration) {
        let took = u32::try_from(took.as_millis()).unwrap_or(u32::MAX);
        match self.samples.get_mut(self.next) {
            Some(oldest) => *oldest = took,
            None => self.samples.push(took),
        }
        self.next = (self.next + 1) % SAMPLES;
    }

    pub fn verdict(&self) -> Verdict {
        self.verdict
    }

    pub fn view(&self, canary: CanaryId) -> CanaryView {
        CanaryView {
            canary,
            verdict: self.verdict,
            latest: self.last.value(),
            percentiles: percentiles(&self.samples),
        }
    }
}

fn guard(note: GuardNote, pass: &mut Pass) {
    pass.out.note(Note::Guard(note));
}

/// By the nearest rank.
fn percentiles(samples: &[u32]) -> Option<[Duration; 3]> {
    let mut sorted = samples.to_vec();
    sorted.sort_unstable();
    let at = |share: usize| {
        let rank = (sorted.len() * share).div_ceil(100).max(1);
        let millis = sorted.get(rank - 1)?;
        Some(Duration::from_millis(u64::from(*millis)))
    };
    Some([at(50)?, at(95)?, at(100)?])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_by_the_nearest_rank() {
        let ms = Duration::from_millis;
        assert_eq!(percentiles(&[]), None);
        assert_eq!(percentiles(&[7]), Some([ms(7); 3]));
        let all: Vec<u32> = (1..=20).rev().collect();
        assert_eq!(percentiles(&all), Some([ms(10), ms(19), ms(20)]));
    }

    /// Only the latest ones count.
    #[test]
    fn old_samples_go() {
        let mut canary = Canary::default();
        for took in 0..100 {
            canary.keep(Duration::from_millis(took));
        }
        assert_eq!(canary.samples.len(), SAMPLES);
        assert_eq!(canary.samples.iter().min(), Some(&64));
    }
}
