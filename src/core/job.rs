//! What is known of a job's runs, over daemons and boots, and how old that makes its last good one.
//!
//! Terms: a *good run* ended cleanly by itself; its *age* is the time since it began, because what
//! it has saved is as old as that. A *stamp* is a moment, told by the time of this boot, by wall
//! time that could be trusted then, or by both; one of an earlier boot without a trusted time is a
//! moment that nobody can find again.

use super::picture::Verdict;
use crate::units::{Mono, Wall};
use std::time::Duration;

/// A moment.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Stamp {
    /// In the time of this boot, if it was in this boot.
    pub at: Option<Mono>,
    /// By a clock that could be trusted.
    pub wall: Option<Wall>,
}

/// How a run ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Outcome {
    /// Cleanly, by itself.
    Good,
    /// In any other way that nobody asked for.
    Failed,
    /// It was stopped.
    Stopped,
}

/// What is known of a job's runs.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct JobPast {
    /// Since when it is watched.
    pub first: Stamp,
    /// When its last good run began.
    pub good: Option<Stamp>,
    /// When its latest run began.
    pub latest: Option<Stamp>,
    /// How that ended; `None` while it lasts, and if nobody saw its end.
    pub outcome: Option<Outcome>,
    /// The latest run that ended by itself, or for too long did not, has failed.
    pub failing: bool,
    /// The latest run repeats one that the end of a boot cut short.
    pub repeats: bool,
    /// Times of its calendar up to this one are done with.
    pub slot: Option<Wall>,
}

impl JobPast {
    /// The same in a later boot, whose time is another one.
    #[must_use]
    pub fn of_earlier_boot(self) -> JobPast {
        let earlier = |stamp: Stamp| Stamp { at: None, ..stamp };
        JobPast {
            first: earlier(self.first),
            good: self.good.map(earlier),
            latest: self.latest.map(earlier),
            ..self
        }
    }
}

/// How long ago something was.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Age {
    /// So long.
    Known(Duration),
    /// So long or longer: it was before this boot, and how long before nobody can tell. Counted
    /// from the beginning of the daemon.
    AtLeast(Duration),
}

impl Age {
    /// So long or longer.
    pub fn least(self) -> Duration {
        match self {
            Age::Known(age) | Age::AtLeast(age) => age,
        }
    }
}

/// What a job sees when it looks up.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct Sight {
    pub now: Mono,
    /// What the clock shows, if it can be trusted.
    pub trusted: Option<Wall>,
    /// What it shows, trusted or not.
    pub shown: Option<Wall>,
    /// When the daemon began.
    pub begun: Mono,
}

impl Sight {
    /// This moment.
    pub fn stamp(&self) -> Stamp {
        Stamp {
            at: Some(self.now),
            wall: self.trusted,
        }
    }

    /// How long ago this was.
    pub fn age(&self, stamp: Stamp) -> Age {
        if let Some(at) = stamp.at {
            return Age::Known(self.now.since(at));
        }
        let known = |(now, then): (Wall, Wall)| now.beyond(then);
        // What is to come was told by a clock that was wrong then, or is now.
        match self.trusted.zip(stamp.wall).and_then(known) {
            // It was before this daemon began.
            Some(age) => Age::Known(age.max(self.now.since(self.begun))),
            None => Age::AtLeast(self.now.since(self.begun)),
        }
    }

    /// The time that the clock would have shown then, had it been trusted as it is now; unless that
    /// is known.
    pub fn date(&self, stamp: &mut Stamp) -> bool {
        let (None, Some(at), Some(wall)) = (stamp.wall, stamp.at, self.trusted) else {
            return false;
        };
        stamp.wall = wall.earlier(self.now.since(at));
        stamp.wall.is_some()
    }
}

/// What there is to think of a job: the age of its last good run, and how the latest ended.
///
/// | last good run | latest run good | latest run failed |
/// |---|---|---|
/// | not older than `within` | ok | warn |
/// | older than that | warn | critical |
/// | older than twice that | critical | critical |
/// | nobody can tell how old, or none | unknown | warn |
pub(crate) fn freshness(past: &JobPast, within: Option<Duration>, age: Age) -> Verdict {
    let failed = past.failing;
    let Some(within) = within else {
        return match failed {
            true => Verdict::Warn,
            false => Verdict::Ok,
        };
    };
    let known = matches!(age, Age::Known(_)) && past.good.is_some();
    match (age.least(), failed) {
        (least, _) if least > within.saturating_mul(2) => Verdict::Critical,
        (least, true) if least > within => Verdict::Critical,
        (least, false) if least > within => Verdict::Warn,
        (_, true) => Verdict::Warn,
        (_, false) if known => Verdict::Ok,
        (_, false) => Verdict::Unknown,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sight(now: u64, trusted: Option<i64>) -> Sight {
        let trusted = trusted.and_then(Wall::new);
        Sight {
            now: Mono(now * 1000),
            trusted,
            shown: trusted,
            begun: Mono(0),
        }
    }

    fn seconds(age: u64) -> Duration {
        Duration::from_secs(age)
    }

    /// In one boot its time counts, whatever the clock shows; over boots a trusted clock does, and
    /// otherwise it is known only that it was before this boot. A moment to come is one that nobody
    /// can find.
    #[test]
    fn how_old_something_is() {
        let here = Stamp {
            at: Some(Mono(10_000)),
            wall: Wall::new(9_999),
        };
        for clock in [None, Some(5), Some(1_000_000)] {
            assert_eq!(sight(70, clock).age(here), Age::Known(seconds(60)));
        }
        let before = Stamp { at: None, ..here };
        assert_eq!(
            sight(70, Some(19_999)).age(before),
            Age::Known(seconds(10_000))
        );
        assert_eq!(sight(70, None).age(before), Age::AtLeast(seconds(70)));
        assert_eq!(
            sight(70, Some(9_000)).age(before),
            Age::AtLeast(seconds(70))
        );
        // It cannot be younger than the boot.
        assert_eq!(sight(70, Some(10_000)).age(before), Age::Known(seconds(70)));
        let nowhere = Stamp::default();
        assert_eq!(
            sight(70, Some(10_000)).age(nowhere),
            Age::AtLeast(seconds(70))
        );
    }

    /// A clock that comes to be trusted dates what was before, once, and what cannot be dated it
    /// leaves.
    #[test]
    fn a_clock_that_comes_late_dates_what_was() {
        let mut stamp = Stamp {
            at: Some(Mono(10_000)),
            wall: None,
        };
        assert!(!sight(70, None).date(&mut stamp));
        assert!(sight(70, Some(1_000)).date(&mut stamp));
        assert_eq!(stamp.wall, Wall::new(940));
        assert!(!sight(80, Some(5_000)).date(&mut stamp));
        assert_eq!(stamp.wall, Wall::new(940));
        let mut nowhere = Stamp::default();
        assert!(!sight(70, Some(1_000)).date(&mut nowhere));
    }

    /// The table, at its edges.
    #[test]
    fn what_there_is_to_think_of_it() {
        use Verdict::{Critical, Ok, Unknown, Warn};
        let within = Some(seconds(100));
        let good = JobPast {
            good: Some(Stamp::default()),
            outcome: Some(Outcome::Good),
            ..JobPast::default()
        };
        let failed = JobPast {
            outcome: Some(Outcome::Failed),
            failing: true,
            ..good
        };
        let never = JobPast::default();
        let known = |age| Age::Known(seconds(age));
        let least = |age| Age::AtLeast(seconds(age));
        for (past, age, verdict) in [
            (good, known(100), Ok),
            (good, known(101), Warn),
            (good, known(200), Warn),
            (good, known(201), Critical),
            (failed, known(100), Warn),
            (failed, known(101), Critical),
            (good, least(0), Unknown),
            (good, least(101), Warn),
            (good, least(201), Critical),
            (failed, least(0), Warn),
            (never, known(0), Unknown),
            (never, known(100), Unknown),
            (never, known(101), Warn),
            (never, known(201), Critical),
        ] {
            assert_eq!(freshness(&past, within, age), verdict, "{past:?} {age:?}");
        }
        assert_eq!(freshness(&good, None, known(1_000_000)), Ok);
        assert_eq!(freshness(&failed, None, known(0)), Warn);
        assert_eq!(freshness(&never, None, least(0)), Ok);
    }
}
