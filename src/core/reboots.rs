//! Restarts of the machine that are brought about on purpose, for the sake of services or for a drill,
//! and resets that nobody meant; and how many more there may be: one budget for all, kept over boots.
//!
//! Time counts only while a daemon lives. A machine that was off has rested, but no clock can vouch
//! for how long: what is not known wipes out nothing.
//!
//! Never more than [`Settings::most`] of them within its window, nor than [`MOST`] within [`LONG`].
//! Where it is not known how many there were, there were as many as there may be.

use super::settings::Reboots as Settings;
use std::time::Duration;

/// Restarts within [`LONG`], whatever the window allows. More: a board whose services never come up
/// again would be restarted for ever, if only once in a while.
pub const MOST: usize = 6;

/// The window of [`MOST`].
pub const LONG: Duration = Duration::from_secs(7 * 24 * 3600);

/// What ages are counted in. Shorter: more is written for it. Longer: more is counted that lies back.
pub const STEP: Duration = Duration::from_secs(600);

/// The restarts that were made, each by its age in [`STEP`]s, youngest first.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Reboots {
    ages: [Option<u16>; MOST],
}

impl Reboots {
    /// As many as there may be, and all of them just now.
    pub const UNKNOWN: Reboots = Reboots {
        ages: [Some(0); MOST],
    };

    /// Restarts of these ages. `None` if there are too many of them.
    pub fn of(mut given: Vec<u16>) -> Option<Reboots> {
        given.sort_unstable();
        let mut ages = [None; MOST];
        for (at, age) in given.iter().enumerate() {
            *ages.get_mut(at)? = Some(*age);
        }
        Some(Reboots { ages })
    }

    /// Their ages, youngest first.
    pub fn ages(&self) -> impl Iterator<Item = u16> {
        self.ages.into_iter().flatten()
    }

    /// The same after this time.
    pub fn after(&self, time: Duration) -> Reboots {
        let steps = steps(time);
        let older = self.ages().map(|age| age.saturating_add(steps));
        let kept: Vec<u16> = older.filter(|age| *age < steps_of(LONG)).collect();
        Reboots::of(kept).unwrap_or(Reboots::UNKNOWN)
    }

    /// The same and one more, just now.
    pub fn and_one(&self) -> Reboots {
        let mut ages = [None; MOST];
        let all = std::iter::once(0).chain(self.ages());
        for (place, age) in ages.iter_mut().zip(all) {
            *place = Some(age);
        }
        Reboots { ages }
    }

    /// There are some of them that these, grown older, cannot be.
    pub fn are_more_than(&self, these: &Reboots) -> bool {
        let younger = |(ours, theirs): (&Option<u16>, &Option<u16>)| {
            ours.unwrap_or(u16::MAX) < theirs.unwrap_or(u16::MAX)
        };
        self.ages.iter().zip(&these.ages).any(younger)
    }

    /// The restarts within a window, and that window, if no other one may be made.
    pub fn used_up(&self, s: &Settings) -> Option<(u32, Duration)> {
        let within = |window: Duration| {
            let young = self.ages().filter(|age| *age < steps_of(window)).count();
            u32::try_from(young).unwrap_or(u32::MAX)
        };
        let most = u32::try_from(MOST).unwrap_or(u32::MAX);
        [(s.most, s.window), (most, LONG)]
            .into_iter()
            .find(|(most, window)| within(*window) >= *most)
    }
}

/// Whole steps within a time.
fn steps(time: Duration) -> u16 {
    u16::try_from(time.as_secs() / STEP.as_secs()).unwrap_or(u16::MAX)
}

/// Steps that a window has, the last one whole.
fn steps_of(window: Duration) -> u16 {
    u16::try_from(window.as_secs().div_ceil(STEP.as_secs())).unwrap_or(u16::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const S: Settings = Settings {
        most: 3,
        window: Duration::from_secs(6 * 3600),
        uptime: STEP,
    };

    fn hours(n: u64) -> Duration {
        Duration::from_secs(n * 3600)
    }

    /// Thirty days of a machine that wants to be restarted all the time: never more than three within
    /// any six hours, nor than six within any seven days.
    #[test]
    fn a_month_of_escalation() {
        let mut reboots = Reboots::default();
        let mut made = Vec::new();
        for minute in (0..30 * 24 * 60).step_by(10) {
            if reboots.used_up(&S).is_none() {
                made.push(minute);
                reboots = reboots.and_one();
            }
            reboots = reboots.after(STEP);
        }
        let within = |from: i64, time: i64| {
            let within = |at: &&i64| (from..from + time).contains(*at);
            made.iter().filter(within).count()
        };
        for from in &made {
            assert!(within(*from, 6 * 60) <= 3, "{made:?}");
            assert!(within(*from, 7 * 24 * 60) <= 6, "{made:?}");
        }
        assert!(made.len() > 20, "{made:?}");
    }

    /// What is not known allows none, and grows old like everything else.
    #[test]
    fn what_is_not_known_allows_none() {
        let unknown = Reboots::UNKNOWN;
        assert_eq!(unknown.used_up(&S), Some((3, S.window)));
        assert_eq!(unknown.after(hours(6)).used_up(&S), Some((6, LONG)));
        assert_eq!(unknown.after(hours(7 * 24)), Reboots::default());
        assert_eq!(unknown.and_one(), unknown);
        assert_eq!(Reboots::of(vec![0; MOST + 1]), None);
    }

    /// One more is told from the same ones that have grown older.
    #[test]
    fn one_more_is_not_older_ones() {
        let of = |ages: &[u16]| Reboots::of(ages.to_vec()).unwrap();
        for (these, more) in [
            (&[][..], &[0][..]),
            (&[0], &[0, 0]),
            (&[5], &[0, 5]),
            (&[0, 1007], &[0, 0]),
            (&[3, 1007], &[0, 4]),
        ] {
            assert!(of(more).are_more_than(&of(these)), "{these:?} {more:?}");
        }
        for (these, older) in [
            (&[][..], &[][..]),
            (&[0], &[0]),
            (&[0, 3], &[36, 39]),
            (&[0, 1007], &[1]),
            (&[1007], &[]),
        ] {
            assert!(!of(older).are_more_than(&of(these)), "{these:?} {older:?}");
        }
    }

    /// Less than a step wipes out nothing, however often.
    #[test]
    fn short_lives_wipe_out_nothing() {
        let mut reboots = Reboots::default().and_one();
        for _ in 0..1_000 {
            reboots = reboots.after(STEP - Duration::from_secs(1));
        }
        assert_eq!(reboots, Reboots::default().and_one());
        assert!(Reboots::default().used_up(&S).is_none());
    }
}
