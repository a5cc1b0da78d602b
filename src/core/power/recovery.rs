//! Recovery: after an outage that has used up the battery, only essential services run until it holds
//! enough for another one.
//!
//! Terms: the battery *recovers* from an outage that ended a boot, or that was over while the battery
//! was nearly empty; services that are stopped to save power *come back* after that.
//!
//! A grid that comes and goes would otherwise find all services running each time, with a battery that
//! was not recharged: a few short outages add up to a long one, and then nothing is left for an orderly
//! halt. A machine that somebody starts without mains holds back in the same way.
//!
//! Silence holds nothing back for long: who cannot tell of mains or of the battery gets its services
//! after the same time.

use super::supply::Supply;
use crate::core::picture::Shed;
use crate::core::settings;
use crate::units::Mono;

/// How far it has come.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) struct Recovery {
    holds: Option<Holds>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Holds {
    /// Which services wait.
    shed: Shed,
    /// Since when mains have been there; while nobody tells of them, since when it waits.
    since: Option<Mono>,
}

impl Recovery {
    /// These services wait from now on.
    pub fn begin(&mut self, shed: Shed, power: &settings::Power, now: Mono) {
        if shed > Shed::Nothing && !power.come_back_after.is_zero() {
            let since = Some(now);
            self.holds = Some(Holds { shed, since });
        }
    }

    /// Takes in what the machine runs on. `enough`: the battery holds what it is to hold; `None`:
    /// nobody knows. `doubted`: what says that there are no mains is not believed. Says whether the
    /// services have come back with this.
    pub fn see(
        &mut self,
        supply: Option<Supply>,
        (enough, doubted): (Option<bool>, bool),
        power: &settings::Power,
        now: Mono,
    ) -> bool {
        let Some(holds) = &mut self.holds else {
            return false;
        };
        holds.since = match supply.and_then(Supply::outage) {
            Some(_) if enough.is_some() => None,
            // Nobody knows what the battery holds: the plan of the outage is all there is.
            Some(_) | None => Some(holds.since.unwrap_or(now)),
        };
        let long = holds
            .since
            .is_some_and(|since| now >= since.after(power.come_back_after));
        let over = enough == Some(true) || long || doubted;
        if over {
            self.holds = None;
        }
        over
    }

    /// Which services wait.
    pub fn shed(&self) -> Shed {
        self.holds.map_or(Shed::Nothing, |holds| holds.shed)
    }

    /// The battery recovers.
    pub fn goes_on(&self) -> bool {
        self.holds.is_some()
    }

    /// When it is over, if nothing changes; `None` while mains are away, and if nobody waits.
    pub fn due(&self, power: &settings::Power) -> Option<Mono> {
        let since = self.holds?.since?;
        Some(since.after(power.come_back_after))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::settings::Power;
    use std::time::Duration;

    const POWER: Power = Power::DEFAULT;
    const NOW: Mono = Mono(100_000);

    fn begun() -> Recovery {
        let mut recovery = Recovery::default();
        recovery.begin(Shed::Normal, &POWER, NOW);
        recovery
    }

    fn at(seconds: u64) -> Mono {
        NOW.after(Duration::from_secs(seconds))
    }

    const THERE: Option<Supply> = Some(Supply::OnLine { failing: None });
    const UNKNOWN: Option<Supply> = Some(Supply::Unknown { failing: None });
    const GONE: Option<Supply> = Some(Supply::OnBattery {
        since: NOW,
        returning: None,
    });

    /// A battery that holds enough ends it at once, mains or not; one that does not, after the time
    /// with mains. Where nobody knows what it holds, time alone ends it.
    #[test]
    fn what_ends_it() {
        for (supply, enough, seconds, over) in [
            (THERE, Some(true), 0, true),
            (GONE, Some(true), 0, true),
            (None, Some(true), 0, true),
            (THERE, Some(false), 59, false),
            (THERE, Some(false), 60, true),
            (THERE, None, 59, false),
            (THERE, None, 60, true),
            (UNKNOWN, None, 59, false),
            (UNKNOWN, None, 60, true),
            (None, None, 60, true),
            (GONE, None, 59, false),
            (GONE, None, 60, true),
            (GONE, Some(false), 3_600, false),
        ] {
            let mut recovery = begun();
            let is = recovery.see(supply, (enough, false), &POWER, at(seconds));
            assert_eq!(is, over, "{supply:?} {enough:?} {seconds} s");
            assert_eq!(recovery.goes_on(), !over);
            assert_eq!(recovery.shed() == Shed::Normal, !over);
        }
        let mut doubted = begun();
        assert!(doubted.see(GONE, (None, true), &POWER, NOW));
    }

    /// Mains that go and come back have to stay for the whole time.
    #[test]
    fn a_return_counts_anew() {
        let mut recovery = begun();
        let mut see =
            |supply, seconds| recovery.see(supply, (Some(false), false), &POWER, at(seconds));
        assert!(!see(THERE, 50));
        assert!(!see(GONE, 55));
        assert!(!see(THERE, 100));
        assert!(!see(THERE, 159));
        assert!(see(THERE, 160));
        assert!(!see(THERE, 161), "it is over only once");
    }

    /// It knows when it is over, and who wants none of it has none.
    #[test]
    fn its_time() {
        let mut recovery = begun();
        assert_eq!(recovery.due(&POWER), Some(at(60)));
        recovery.see(GONE, (None, false), &POWER, at(1));
        assert_eq!(recovery.due(&POWER), Some(at(60)));
        recovery.see(GONE, (Some(false), false), &POWER, at(1));
        assert_eq!(recovery.due(&POWER), None);
        let never = Power {
            come_back_after: Duration::ZERO,
            ..POWER
        };
        let mut none = Recovery::default();
        none.begin(Shed::Normal, &never, NOW);
        assert!(!none.goes_on());
        none.begin(Shed::Nothing, &POWER, NOW);
        assert!(!none.goes_on());
    }
}
