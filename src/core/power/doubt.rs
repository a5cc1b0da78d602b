//! Doubt about what tells that mains are gone: it was acted upon too often, and nothing came of it.
//!
//! Terms: a halt is *in vain* as long as mains have not been seen since, because the machine runs
//! again all the same. What tells of mains is *doubted* after three of them in a row. A line that is
//! stuck at "lost" while mains are there does that; a true outage does not, unless somebody starts the
//! machine three times without mains.
//!
//! What is doubted ends no ride-through, and sheds nothing by time: only the battery does, by its
//! level, and not while it fills. Where no level is known, nothing can tell a stuck line from a true
//! outage. Then the machine is halted after a wait that grows with each halt that was in vain, so
//! that it comes to one halt in a day; a true outage may meanwhile empty the battery.
//!
//! Only mains that are seen end it: a level that rises says that they are there, and so that what
//! denies them is wrong.

use super::supply::{BACK_FOR, Supply};
use crate::core::intent::{FoundMarker, Intent};
use crate::core::settings::Settings;
use crate::units::Mono;
use std::time::Duration;

/// Halts in vain after which the line is doubted. Fewer: mains that come back for a minute and fail
/// again, twice, are no outage any more. More: a stuck line turns the machine off that often.
pub const IN_VAIN: u8 = 3;

/// Shortest ride-through that is doubled: a shorter one is chosen for a battery that is known.
const LEAST: Duration = Duration::from_secs(60);

/// Longest wait where no level is known. Longer: a true outage is never halted for.
const MOST: Duration = Duration::from_secs(24 * 3600);

/// What is known of halts in vain.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) struct Doubt {
    /// Halts since mains were seen last, over all boots.
    halts: u8,
    /// Since when mains have been there.
    there: Option<Mono>,
    /// The battery has been seen to be used up since mains are said to be gone.
    used: bool,
    told: bool,
}

impl Doubt {
    /// What an earlier daemon has left.
    pub fn take_up(&mut self, left: &FoundMarker) {
        let under_way = match left.marker.intent {
            // It goes on, and is counted when it is written down.
            Intent::Halt { cause, .. } => left.same_boot && cause.ends_with_mains(),
            Intent::Run | Intent::Exit | Intent::Leave | Intent::Withhold { .. } => false,
        };
        self.halts = left.marker.in_vain.saturating_sub(u8::from(under_way));
    }

    /// Takes in what the machine runs on. Mains count as seen once they have been there for as long as
    /// a return takes.
    pub fn see(&mut self, supply: Supply, falling: bool, now: Mono) {
        self.there = match supply {
            Supply::OnLine { failing: None } => Some(self.there.unwrap_or(now)),
            Supply::OnLine { failing: Some(_) }
            | Supply::Unknown { .. }
            | Supply::OnBattery { .. }
            | Supply::LowBattery { .. }
            | Supply::ForcedShutdown { .. } => None,
        };
        if self.there.is_some_and(|since| now >= since.after(BACK_FOR)) {
            *self = Doubt {
                there: self.there,
                ..Doubt::default()
            };
        }
        self.used = supply.outage().is_some() && (self.used || falling);
    }

    /// When mains count as seen, if nothing changes, and something follows from it.
    pub fn due(&self) -> Option<Mono> {
        let since = self.there.filter(|_| self.halts > 0);
        since.map(|since| since.after(BACK_FOR))
    }

    /// Halts since mains were seen last.
    pub fn halts(&self) -> u8 {
        self.halts
    }

    /// What tells of mains is doubted.
    pub fn stands(&self) -> bool {
        self.halts >= IN_VAIN
    }

    /// It has to be told: once in an outage.
    pub fn tells(&mut self, outage: bool) -> bool {
        let now = outage && self.stands();
        now && !std::mem::replace(&mut self.told, now)
    }

    /// For how long the level may be unknown; `None` if that is as usual, because nothing is doubted or
    /// because the battery was seen to be used up.
    pub fn wait(&self, settings: &Settings) -> Option<Duration> {
        if !self.stands() || self.used {
            return None;
        }
        let ride = settings.power.ride_through.unwrap_or(LEAST).max(LEAST);
        let doublings = u32::from(self.halts - IN_VAIN) + 1;
        let factor = 1u32.checked_shl(doublings).unwrap_or(u32::MAX);
        Some(ride.saturating_mul(factor).min(MOST.max(ride)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::fact::HaltKind;
    use crate::core::intent::{CutTold, HaltPhase, Marker};
    use crate::core::picture::HaltCause;

    fn left(in_vain: u8, cause: Option<HaltCause>, same_boot: bool) -> FoundMarker {
        let intent = cause.map_or(Intent::Run, |cause| Intent::Halt {
            kind: HaltKind::PowerOff,
            cause,
            phase: HaltPhase::Committed,
        });
        FoundMarker {
            lasts: true,
            marker: Marker {
                reboots: crate::core::reboots::Reboots::default(),
                intent,
                mains: Some(false),
                attempts: 0,
                in_vain,
                sunk: 0,
                outage: None,
                cut: CutTold::No,
                before: None,
                ..Marker::default()
            },
            same_boot,
            reset: None,
            ..FoundMarker::default()
        }
    }

    fn after(in_vain: u8) -> Doubt {
        let mut doubt = Doubt::default();
        doubt.take_up(&left(in_vain, Some(HaltCause::RideThrough), false));
        doubt
    }

    /// A halt that is still under way is counted once, by whoever writes it down next.
    #[test]
    fn what_is_taken_up() {
        let ours = Some(HaltCause::RideThrough);
        for (marker, halts) in [
            (left(2, None, false), 2),
            (left(2, ours, false), 2),
            (left(2, ours, true), 1),
            (left(2, None, true), 2),
            (left(0, ours, true), 0),
            (left(u8::MAX, ours, false), u8::MAX),
        ] {
            let mut doubt = Doubt::default();
            doubt.take_up(&marker);
            assert_eq!(doubt.halts(), halts, "{marker:?}");
        }
        assert!(!after(IN_VAIN - 1).stands());
        assert!(after(IN_VAIN).stands());
    }

    /// Only mains that are there for five seconds end it, and neither a flicker nor silence.
    #[test]
    fn what_ends_it() {
        let there = Supply::OnLine { failing: None };
        let gone = Supply::OnBattery {
            since: Mono(0),
            returning: None,
        };
        let mut doubt = after(3);
        for (supply, at) in [
            (there, 1_000),
            (gone, 5_000),
            (there, 6_000),
            (Supply::Unknown { failing: None }, 10_000),
            (there, 11_000),
            (there, 15_999),
        ] {
            doubt.see(supply, false, Mono(at));
            assert!(doubt.stands(), "at {at}");
        }
        assert_eq!(doubt.due(), Some(Mono(16_000)));
        doubt.see(there, false, Mono(16_000));
        assert_eq!((doubt.halts(), doubt.due()), (0, None));
    }

    /// The wait doubles with each halt, to a day; a battery that is used up, and a line that is not
    /// doubted, need none.
    #[test]
    fn waits() {
        let minutes = |settings: &Settings| {
            [2, 3, 4, 10, 40, u8::MAX]
                .map(|halts| after(halts).wait(settings).map(|w| w.as_secs() / 60))
        };
        let mut settings = Settings::nothing();
        let usual = [None, Some(2), Some(4), Some(256), Some(1440), Some(1440)];
        for ride in [Some(60), Some(5), None] {
            settings.power.ride_through = ride.map(Duration::from_secs);
            assert_eq!(minutes(&settings), usual, "{ride:?}");
        }
        let mut doubt = after(5);
        let gone = Supply::OnBattery {
            since: Mono(0),
            returning: None,
        };
        doubt.see(gone, true, Mono(1_000));
        assert_eq!(doubt.wait(&settings), None);
        assert!(doubt.stands());
    }

    /// It is told once in an outage, and only then.
    #[test]
    fn told_once() {
        let mut doubt = after(3);
        assert!(!doubt.tells(false));
        assert!(doubt.tells(true));
        assert!(!doubt.tells(true));
        assert!(!after(2).tells(true));
    }
}
