//! When things happen in an outage: instants, from its beginning and from what the battery says.
//!
//! The policy compares them with `now`; `fieldwarden power` shows how far off they are. So what is
//! shown is what will be done.
//!
//! Never acts.

use super::gauge::{Believed, STALE};
use super::supply::Supply;
use crate::core::budget::{StopSpan, longest};
use crate::core::picture::{HaltCause, Shed};
use crate::core::settings::Settings;
use crate::units::{Mono, Permille};
use std::time::Duration;

/// A battery whose level has not been known for this long, on battery, counts as a low one. Shorter:
/// a bus that has to be mended costs a halt. Longer: more of the battery drains unseen.
const UNSEEN: Duration = Duration::from_secs(30);

/// Voltage at which normal services are stopped where no charge is told: a quarter of the way from
/// low to full.
const QUARTER: u32 = 4;

/// Why the end of the ride-through is not acted upon.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Held {
    /// Mains are seen again; they count as back after five seconds of that.
    Returning,
    /// This daemon was not there for a while, or is new, and has not seen yet that mains are still
    /// gone.
    Looking,
    /// Mains are said to be gone, but the battery is being charged.
    Charging,
    /// Only the sign of the current says that mains are gone, and the battery gives no sign of it.
    Unconfirmed,
    /// Halts because of this were in vain too often.
    Doubted,
}

/// What is due in an outage, and when.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Plan {
    /// Optional services are stopped; `None` if only the level of the battery decides that.
    pub optional: Option<Mono>,
    /// Normal services are stopped; `None` if only the level of the battery decides that.
    pub normal: Option<Mono>,
    /// The halt is asked for because mains stayed away; `None` if that alone is no reason.
    pub ride: Option<Mono>,
    /// The halt is asked for because the level of the battery is not known any more; `None` where
    /// there is no gauge, and something else ends the outage.
    pub unseen: Option<Mono>,
    /// Why the end of the ride-through is not acted upon now.
    pub held: Option<Held>,
}

impl Plan {
    /// What is due in an outage that began at `since`.
    pub(super) fn of(
        since: Mono,
        gauge: &Believed,
        held: Option<Held>,
        settings: &Settings,
    ) -> Plan {
        let power = &settings.power;
        let optional = since.after(power.shed_optional);
        let half = power.ride_through.map(|ride| since.after(ride / 2));
        Plan {
            optional: Some(optional),
            normal: half.map(|half| half.max(optional)),
            ride: power.ride_through.map(|ride| since.after(ride)),
            unseen: unseen(since, gauge, settings),
            held,
        }
    }

    /// The same, where what tells of mains is doubted: only the level of the battery counts, and after
    /// `wait` that it is not known; `None` for the usual time.
    pub(super) fn doubted(self, since: Mono, gauge: &Believed, wait: Option<Duration>) -> Plan {
        let wait = wait.unwrap_or(UNSEEN).max(UNSEEN);
        Plan {
            optional: None,
            normal: None,
            ride: None,
            unseen: Some(dark(since, gauge).after(wait)),
            held: self.held.or(Some(Held::Doubted)),
        }
    }

    /// The services that are to be stopped now.
    pub(super) fn shed(&self, now: Mono, level: bool) -> Shed {
        let due = |at: Option<Mono>| at.is_some_and(|at| now >= at);
        let normal = due(self.normal) || level;
        // Without a time for it, the level alone decides.
        let optional = self.optional.map_or(level, |at| now >= at);
        match (optional, normal) {
            (false, _) => Shed::Nothing,
            (true, false) => Shed::Optional,
            (true, true) => Shed::Normal,
        }
    }

    /// The reason to halt that time alone has brought about.
    pub(super) fn halt(&self, now: Mono) -> Option<HaltCause> {
        let due = |at: Option<Mono>| at.is_some_and(|at| now >= at);
        match self.held {
            Some(Held::Returning | Held::Looking) => None,
            Some(Held::Charging | Held::Unconfirmed | Held::Doubted) | None if due(self.unseen) => {
                Some(HaltCause::GaugeSilent)
            }
            None if due(self.ride) => Some(HaltCause::RideThrough),
            Some(Held::Charging | Held::Unconfirmed | Held::Doubted) | None => None,
        }
    }

    /// What asks for a halt first, if nothing changes. `silent`: the gauge is not heard of.
    pub fn next_halt(&self, silent: bool) -> Option<(Mono, HaltCause)> {
        let ride = match self.held {
            None | Some(Held::Returning | Held::Looking) => self.ride,
            Some(Held::Charging | Held::Unconfirmed | Held::Doubted) => None,
        };
        let ride = ride.map(|at| (at, HaltCause::RideThrough));
        let unseen = self.unseen.filter(|_| silent);
        let unseen = unseen.map(|at| (at, HaltCause::GaugeSilent));
        [ride, unseen]
            .into_iter()
            .flatten()
            .min_by_key(|(at, _)| *at)
    }

    /// All instants, for whoever has to be woken at them.
    pub(super) fn instants(&self) -> impl Iterator<Item = Mono> + use<> {
        [self.optional, self.normal, self.ride, self.unseen]
            .into_iter()
            .flatten()
    }
}

/// When the level has been unknown for too long. A machine without any gauge is never in the dark
/// about one, unless nothing else would end the outage.
pub(super) fn unseen(since: Mono, gauge: &Believed, settings: &Settings) -> Option<Mono> {
    let expected = gauge.heard || settings.board.battery.is_some();
    if !expected && settings.power.ride_through.is_some() {
        return None;
    }
    Some(dark(since, gauge).after(UNSEEN))
}

/// From when on the level is not known to a daemon that follows another, if nothing is heard of it:
/// it gets the time of a silence to hear of it before it halts for that.
pub(super) fn inherited(dark: Option<Mono>, now: Mono) -> Mono {
    let at = now.after(STALE);
    // Millisecond constants of seconds always fit.
    let unseen = u64::try_from(UNSEEN.as_millis()).unwrap_or(0);
    dark.map_or(at, |dark| dark.max(Mono(at.0.saturating_sub(unseen))))
}

/// From when on the level is not known, if nothing more is heard of it.
pub(super) fn dark(since: Mono, gauge: &Believed) -> Mono {
    let level = match gauge.level_at() {
        Some(at) => at.after(STALE),
        None => gauge.expected().unwrap_or(since.after(STALE)),
    };
    let dark = gauge.frozen_from(since).map_or(level, |f| f.min(level));
    dark.max(since)
}

/// Why the end of the ride-through is not acted upon.
pub(super) fn held(
    supply: Supply,
    mains_at: Option<Mono>,
    gauge: &Believed,
    line: bool,
    (confirmed, rises, charges): (bool, bool, bool),
    now: Mono,
) -> Option<Held> {
    let since = supply.outage()?;
    // A return of which no more is heard is none. A current that has not moved since the cut is that
    // of a gauge that stands still, as is one that does not move any more later on, and one that talks
    // nonsense in between is none.
    let seen = mains_at.is_some_and(|at| now.since(at) < STALE);
    let charging = charges && gauge.current_at() > Some(since) && gauge.changed_after(since);
    if supply.returning().is_some() && seen {
        Some(Held::Returning)
    } else if line && (charging || rises) {
        Some(Held::Charging)
    } else if !line && !confirmed {
        Some(Held::Unconfirmed)
    } else {
        None
    }
}

/// The battery holds what it is to hold before services come back; `None`: nobody knows.
pub(super) fn enough(gauge: &Believed, settings: &Settings, now: Mono) -> Option<bool> {
    let level = gauge.now(now);
    let volts = level.voltage.zip(settings.board.battery);
    match (level.charge, volts) {
        (Some(charge), _) => Some(charge >= settings.power.come_back),
        (None, Some((v, b))) => Some(v.0 > b.low.0 + b.full.0.saturating_sub(b.low.0) / QUARTER),
        (None, None) => None,
    }
}

/// The level at which normal services are stopped, whatever the time.
pub(super) fn spare(gauge: &Believed, settings: &Settings, now: Mono) -> bool {
    let level = gauge.now(now);
    let volts = level.voltage.zip(settings.board.battery);
    match (level.charge, volts) {
        (Some(charge), _) => charge <= settings.power.shed_normal,
        (None, Some((v, b))) => v.0 <= b.low.0 + b.full.0.saturating_sub(b.low.0) / QUARTER,
        (None, None) => false,
    }
}

/// What is left to run on, at least: half of what the slower of charge and voltage allow in a
/// straight line. Both bend downwards in the end; the half is for that.
pub(super) fn remaining(
    charge: Option<(Permille, i64)>,
    volts: Option<(u32, u32, i64)>,
) -> Option<Duration> {
    let until = |left: i64, per_hour: i64| {
        let seconds = left.max(0).saturating_mul(3600) / per_hour.checked_neg()?.max(1);
        u64::try_from(seconds / 2).ok().map(Duration::from_secs)
    };
    let by_charge = charge.and_then(|(charge, slope)| until(i64::from(charge.0), slope));
    let by_volts =
        volts.and_then(|(now, empty, slope)| until(i64::from(now.saturating_sub(empty)), slope));
    [by_charge, by_volts].into_iter().flatten().min()
}

/// Runtime below which the halt has to begin, as long as it is not known what the services take that
/// run: with the deadlines of all.
pub(super) fn needed(settings: &Settings) -> Duration {
    let all = &settings.services;
    let most = longest(all, |at| all[at].stop_timeout);
    let span = StopSpan {
        expected: most,
        most,
    };
    span.runtime(settings.stop_budget)
}

/// What is to be stopped because the battery may not last for much longer than a halt needs.
pub(super) fn scarce(left: Option<Duration>, needed: Duration) -> Shed {
    match left {
        Some(left) if left <= needed * 2 => Shed::Normal,
        Some(left) if left <= needed * 3 => Shed::Optional,
        Some(_) | None => Shed::Nothing,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::power::gauge::Gauge;
    use crate::core::settings::{Battery, Board};
    use crate::units::Millivolts;

    fn settings(ride: Option<u64>) -> Settings {
        let mut settings = Settings::nothing();
        settings.power.ride_through = ride.map(Duration::from_secs);
        settings
    }

    const SINCE: Mono = Mono(100_000);

    fn after(seconds: u64) -> Mono {
        SINCE.after(Duration::from_secs(seconds))
    }

    /// Without a gauge only time counts; without an end of the ride-through, something else has to.
    #[test]
    fn times_of_an_outage() {
        let plan = Plan::of(SINCE, &Believed::default(), None, &settings(Some(60)));
        assert_eq!(plan.optional, Some(after(10)));
        assert_eq!(plan.normal, Some(after(30)));
        assert_eq!(plan.ride, Some(after(60)));
        assert_eq!(plan.unseen, None);
        assert_eq!(
            plan.next_halt(true),
            Some((after(60), HaltCause::RideThrough))
        );
        let never = Plan::of(SINCE, &Believed::default(), None, &settings(None));
        assert_eq!((never.normal, never.ride), (None, None));
        assert_eq!(
            never.next_halt(true),
            Some((after(45), HaltCause::GaugeSilent))
        );
        assert_eq!(never.next_halt(false), None);
        // A short ride-through does not stop normal services before optional ones.
        let short = Plan::of(SINCE, &Believed::default(), None, &settings(Some(8)));
        assert_eq!(short.normal, Some(after(10)));
        for (at, level, shed) in [
            (9, true, Shed::Nothing),
            (10, false, Shed::Optional),
            (10, true, Shed::Normal),
            (30, false, Shed::Normal),
        ] {
            assert_eq!(plan.shed(after(at), level), shed, "{at} s, {level}");
        }
    }

    /// Silence counts from the latest level, but never before the outage; a gauge that is there and
    /// was never heard is silent from its beginning on.
    #[test]
    fn silence_has_its_own_clock() {
        let mut gauge = Believed::default();
        let said = Gauge {
            voltage: Some(Millivolts(4_000)),
            ..Gauge::default()
        };
        gauge.see(Mono(10_000), said, None);
        let unseen = |gauge: &Believed| Plan::of(SINCE, gauge, None, &settings(None)).unseen;
        assert_eq!(unseen(&gauge), Some(after(30)));
        gauge.see(after(20), said, None);
        assert_eq!(unseen(&gauge), Some(after(65)));
        // It never changes: that is noticed after ten minutes of the outage.
        for second in (25..2_000).step_by(5) {
            gauge.see(after(second), said, None);
        }
        assert_eq!(unseen(&gauge), Some(after(630)));
        let mut with = settings(Some(60));
        with.board = Board {
            battery: Some(Battery {
                cells: 1,
                empty: Millivolts(3_000),
                low: Millivolts(3_300),
                full: Millivolts(4_200),
                low_charge: None,
                current: false,
            }),
            ..Board::NONE
        };
        let never_heard = Plan::of(SINCE, &Believed::default(), None, &with);
        assert_eq!(never_heard.unseen, Some(after(45)));
    }

    /// What is held is not acted upon; silence waits for nothing but a return.
    #[test]
    fn what_is_held() {
        let plan = |held| Plan::of(SINCE, &Believed::default(), held, &settings(Some(60)));
        assert_eq!(plan(None).halt(after(59)), None);
        assert_eq!(plan(None).halt(after(60)), Some(HaltCause::RideThrough));
        let silent = |held| Plan {
            unseen: Some(after(45)),
            ..plan(held)
        };
        for held in [
            Held::Returning,
            Held::Looking,
            Held::Charging,
            Held::Unconfirmed,
            Held::Doubted,
        ] {
            assert_eq!(plan(Some(held)).halt(after(600)), None, "{held:?}");
            let wanted = match held {
                Held::Returning | Held::Looking => None,
                Held::Charging | Held::Unconfirmed | Held::Doubted => Some(HaltCause::GaugeSilent),
            };
            assert_eq!(silent(Some(held)).halt(after(600)), wanted, "{held:?}");
        }
        assert_eq!(silent(None).halt(after(50)), Some(HaltCause::GaugeSilent));
    }

    /// What is doubted ends by the level alone, or after a longer wait for it; a level that is low
    /// sheds all that can be.
    #[test]
    fn what_is_doubted() {
        let wait = Duration::from_secs(120);
        let plan = Plan::of(SINCE, &Believed::default(), None, &settings(Some(60)));
        let doubted = plan.doubted(SINCE, &Believed::default(), Some(wait));
        assert_eq!(doubted.held, Some(Held::Doubted));
        assert_eq!((doubted.optional, doubted.ride), (None, None));
        assert_eq!(doubted.shed(after(600), false), Shed::Nothing);
        assert_eq!(doubted.shed(after(1), true), Shed::Normal);
        // Nothing is known of any level: 15 s later that is old, and then the wait begins.
        assert_eq!(doubted.halt(after(134)), None);
        assert_eq!(doubted.halt(after(135)), Some(HaltCause::GaugeSilent));
        let mut gauge = Believed::default();
        let said = Gauge {
            voltage: Some(Millivolts(4_000)),
            ..Gauge::default()
        };
        gauge.see(after(300), said, None);
        let known = plan.doubted(SINCE, &gauge, Some(wait));
        assert_eq!(known.halt(after(434)), None);
        assert_eq!(known.halt(after(435)), Some(HaltCause::GaugeSilent));
        // The battery was seen to be used up: silence counts as usual.
        let used = plan.doubted(SINCE, &gauge, None);
        assert_eq!(used.halt(after(345)), Some(HaltCause::GaugeSilent));
        let back = Plan::of(SINCE, &gauge, Some(Held::Returning), &settings(None));
        assert_eq!(back.doubted(SINCE, &gauge, None).halt(after(900)), None);
    }

    /// The lower bound is the least of what is known, and half of it; a battery that does not fall
    /// gives none.
    #[test]
    fn remaining_runtime() {
        let seconds = |s| Some(Duration::from_secs(s));
        // 50% at 25% an hour; 3.7 V at 0.7 V an hour.
        let charge = Some((Permille(500), -250));
        let volts = Some((3_700, 3_000, -700));
        assert_eq!(remaining(charge, None), seconds(3600));
        assert_eq!(remaining(None, volts), seconds(1800));
        assert_eq!(remaining(charge, volts), seconds(1800));
        assert_eq!(remaining(None, None), None);
        assert_eq!(remaining(Some((Permille(0), -1)), None), seconds(0));
        assert_eq!(remaining(None, Some((2_900, 3_000, -1))), seconds(0));
        assert_eq!(remaining(Some((Permille(1), i64::MIN)), None), None);
    }

    /// Class by class, and nothing where nobody knows how long the battery lasts.
    #[test]
    fn what_is_scarce() {
        let needed = Duration::from_secs(50);
        for (left, shed) in [
            (None, Shed::Nothing),
            (Some(151), Shed::Nothing),
            (Some(150), Shed::Optional),
            (Some(101), Shed::Optional),
            (Some(100), Shed::Normal),
            (Some(0), Shed::Normal),
        ] {
            assert_eq!(
                scarce(left.map(Duration::from_secs), needed),
                shed,
                "{left:?}"
            );
        }
    }
}
