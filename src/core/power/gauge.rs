//! What is believed of the battery's gauge.
//!
//! Terms: a reading is *plausible* if a battery of this kind can have it; it is *believed* if it is
//! plausible and lies within a step of what was believed before, or if enough readings in a row
//! agree on it. The *level* of the battery is what its voltage or its charge says.
//!
//! A gauge that fails tends to say nothing, all zeros, all ones, its bytes in the wrong order, or the
//! same for ever. None of these is a full battery or an empty one: it is a gauge that was not heard.
//!
//! Never decides what a level means.

use super::low::DEAD_BAND;
use crate::core::fact::Fault;
use crate::core::settings::{Battery, CELL_LEAST, CELL_MOST};
use crate::units::{Milliamps, Millivolts, Mono, Permille};
use std::time::Duration;

/// A battery that was not heard of for this long is not known any more. Five readings on battery,
/// three on mains. Longer: it drains unseen. Shorter: a bus that recovers is news.
pub(super) const STALE: Duration = Duration::from_secs(15);

/// On battery, readings that do not change in the least for this long are those of a gauge that
/// stands still. The coarsest (4 mV) shows a discharge of 10 hours within 6 minutes.
const FROZEN: Duration = Duration::from_secs(600);

/// A battery that is said to fill is not believed to, once nothing of what its gauge says, a current
/// among it, has changed for this long: no current is quite the same thirty times in a row, and a gauge
/// that stands still says it for ever. Shorter: one that measures rarely seems to stand still. Longer:
/// the battery drains for so much longer if mains are gone.
const STILL: Duration = Duration::from_secs(30);

/// A step of a cell's voltage that needs no second reading, in millivolts. An old cell gives way by
/// a third of a volt when it takes over a busy board.
const CELL_STEP: u32 = 150;

/// A step of the charge that needs no second reading. Half an hour's drain of a busy board in ten
/// seconds.
pub(super) const CHARGE_STEP: u16 = 30;

/// Readings in a row that must agree on a larger step.
const AGREE: u8 = 4;

/// A change of a cell's voltage that no load makes, in millivolts: a bus or a chip that went wrong, or
/// another battery.
const CELL_LEAP: u32 = 600;

/// Readings in a row that must agree on such a leap.
const AGREE_ON_LEAP: u8 = 15;

/// Readings in a row that are believed again after one that was not. A gauge that talks nonsense hits
/// upon something plausible now and then.
const REGAIN: u8 = 3;

/// Readings in a row that make a gauge sound enough to put off what a line says.
const SOUND: u32 = 5;

/// Gauges of the MAX1704x family go beyond 100% on a battery that was just filled
/// (hardware-facts: "can exceed 100, clamp").
const CHARGE_MOST: u16 = 1_100;

/// Most current that the path of a HAT carries, in milliamperes: 27 W for a Pi 5 out of an empty cell.
const CURRENT_MOST: u32 = 10_000;

/// What the battery's gauge says. What it cannot tell is `None`.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Gauge {
    /// Voltage of the pack.
    pub voltage: Option<Millivolts>,
    /// What is left of a full battery.
    pub charge: Option<Permille>,
    /// Current into the battery.
    pub current: Option<Milliamps>,
}

/// How far a source can be relied on.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Quality {
    /// It was never heard of.
    Absent,
    /// Heard a short while ago, and believed.
    Good,
    /// Not heard for long.
    Stale,
    /// Heard, but what it says cannot be true.
    Implausible,
}

/// One quantity: what is believed, since when, and what would replace it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Belief<T> {
    believed: Option<(Mono, T)>,
    /// A value that is not believed yet, and how many readings in a row were close to it.
    other: Option<(T, u8)>,
    /// What it said since then could not be, or was a jump.
    shaken: bool,
}

impl<T> Default for Belief<T> {
    fn default() -> Self {
        Belief {
            believed: None,
            other: None,
            shaken: false,
        }
    }
}

impl<T: Copy> Belief<T> {
    /// Takes a plausible value in; says whether it is believed. `near`: a step needs no proof.
    fn see(&mut self, now: Mono, value: T, near: impl Fn(T, T) -> bool, leap: bool) -> bool {
        let steps = self.believed.map(|(_, before)| near(before, value));
        let count = match self.other {
            Some((other, count)) if near(other, value) => count + 1,
            Some(_) | None => 1,
        };
        let wanted = match steps {
            None => 1,
            Some(true) if !self.shaken => 1,
            Some(true) => REGAIN,
            Some(false) if leap => AGREE_ON_LEAP,
            Some(false) => AGREE,
        };
        if count >= wanted {
            self.believed = Some((now, value));
            self.other = None;
            self.shaken = false;
            return true;
        }
        self.other = Some((value, count));
        self.shaken |= steps == Some(false);
        false
    }

    /// Takes in that it said something which cannot be.
    fn shake(&mut self) {
        self.shaken = self.believed.is_some();
        self.other = None;
    }

    fn young(&self, now: Mono) -> Option<T> {
        let (at, value) = self.believed?;
        (now.since(at) < STALE).then_some(value)
    }

    fn at(&self) -> Option<Mono> {
        self.believed.map(|(at, _)| at)
    }
}

/// The gauge, as far as it is believed.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(super) struct Believed {
    voltage: Belief<u32>,
    charge: Belief<u16>,
    current: Belief<i32>,
    /// The latest reading and since when it has been exactly the same.
    same: Option<(Mono, Gauge)>,
    /// Two readings in a row were not the same.
    varied: bool,
    /// Readings in a row that were believed in all of their parts.
    in_a_row: u32,
    /// From when on its level counts as not known if it is never heard of.
    expected: Option<Mono>,
    /// Something was heard of it, be it a failure.
    pub heard: bool,
    /// The latest reading said something that cannot be true.
    pub doubtful: bool,
    /// It said what no battery says, or what no load makes of this one.
    pub nonsense: bool,
    /// It said what no battery says.
    pub impossible: bool,
    /// Why the latest reading failed, if it did.
    pub fault: Option<Fault>,
}

impl Believed {
    /// Takes a reading in. Says which of its parts are believed.
    pub fn see(&mut self, now: Mono, said: Gauge, battery: Option<&Battery>) -> Gauge {
        self.heard = true;
        self.fault = None;
        self.varied |= self.same.is_some_and(|(_, before)| before != said);
        self.same = match self.same {
            Some((since, before)) if before == said => Some((since, before)),
            Some(_) | None => Some((now, said)),
        };
        self.impossible = is_impossible(said, battery);
        self.nonsense = self.impossible || said.voltage.is_some_and(|v| self.leaps(v, battery));
        let voltage = said
            .voltage
            .filter(|v| self.voltage_holds(now, *v, battery));
        // Zeros, ones and swapped bytes come in all registers at once, and a current has no step of its
        // own: at a cut it turns about. So both count only with their voltage, where that is told.
        let settled = said.voltage.is_none() || voltage.is_some();
        let charge = said.charge.filter(|_| settled);
        let charge = charge.and_then(|c| self.charge_holds(now, c, battery));
        // A voltage of swapped bytes may happen to be one that the battery has; a charge beside it that
        // cannot be gives the reading away.
        let settled = settled && said.charge.is_none_or(|c| c.0 <= CHARGE_MOST);
        let current = said.current.filter(|c| {
            let possible = c.0.unsigned_abs() <= CURRENT_MOST;
            settled && possible && self.current.see(now, c.0, |_, _| true, false)
        });
        let believed = Gauge {
            voltage,
            charge,
            current,
        };
        let parts = |g: &Gauge| {
            let known = [g.voltage.is_some(), g.charge.is_some(), g.current.is_some()];
            known.into_iter().filter(|k| *k).count()
        };
        self.doubtful = parts(&believed) < parts(&said);
        self.in_a_row = match self.doubtful {
            true => 0,
            false => self.in_a_row.saturating_add(1),
        };
        believed
    }

    /// The level is not known from then on if it is never heard of.
    pub fn expect(&mut self, dark: Mono) {
        self.expected = Some(dark);
    }

    /// From when on the level is not known if it is never heard of, where that was left.
    pub fn expected(&self) -> Option<Mono> {
        self.expected
    }

    /// A reading failed. What was believed grows old by itself. One that the driver of the chip refused
    /// was nonsense, as one that is refused here.
    pub fn lose(&mut self, why: &Fault) {
        self.heard = true;
        self.fault = Some(why.clone());
        self.nonsense = *why == Fault::Implausible;
        self.impossible = self.nonsense;
        if self.nonsense {
            self.voltage.shake();
            // Beside a voltage the charge waits for it anyway.
            if self.voltage.believed.is_none() {
                self.charge.shake();
            }
            self.in_a_row = 0;
        }
    }

    fn leaps(&self, v: Millivolts, battery: Option<&Battery>) -> bool {
        let before = self.voltage.believed.map_or(v.0, |(_, before)| before);
        before.abs_diff(v.0) > CELL_LEAP * cells(battery)
    }

    fn voltage_holds(&mut self, now: Mono, v: Millivolts, battery: Option<&Battery>) -> bool {
        let step = CELL_STEP * cells(battery);
        if !possible(v, battery) {
            self.voltage.shake();
            return false;
        }
        let leap = self.leaps(v, battery);
        self.voltage
            .see(now, v.0, |a, b| a.abs_diff(b) <= step, leap)
    }

    fn charge_holds(
        &mut self,
        now: Mono,
        said: Permille,
        battery: Option<&Battery>,
    ) -> Option<Permille> {
        if said.0 > CHARGE_MOST {
            self.charge.shake();
            return None;
        }
        let charge = said.0.min(1000);
        let volts = self.voltage.young(now);
        if volts
            .zip(battery)
            .is_some_and(|(v, b)| denied(charge, v, b))
        {
            return None;
        }
        // Zero without a voltage beside it: believed only at the end of a way down.
        let before = self.charge.believed.map(|(_, c)| c);
        if charge == 0 && volts.is_none() && before.is_none_or(|c| c > CHARGE_STEP) {
            return None;
        }
        let holds = self
            .charge
            .see(now, charge, |a, b| a.abs_diff(b) <= CHARGE_STEP, false);
        holds.then_some(Permille(charge))
    }

    /// What is believed and young enough to act on.
    pub fn now(&self, now: Mono) -> Gauge {
        Gauge {
            voltage: self.voltage.young(now).map(Millivolts),
            charge: self.charge.young(now).map(Permille),
            current: self.current.young(now).map(Milliamps),
        }
    }

    /// What was believed last, however old.
    pub fn last(&self) -> Gauge {
        Gauge {
            voltage: self.voltage.believed.map(|(_, v)| Millivolts(v)),
            charge: self.charge.believed.map(|(_, c)| Permille(c)),
            current: self.current.believed.map(|(_, c)| Milliamps(c)),
        }
    }

    /// When the level was heard last and believed.
    pub fn level_at(&self) -> Option<Mono> {
        self.voltage.at().max(self.charge.at())
    }

    /// When the current was heard last and believed.
    pub fn current_at(&self) -> Option<Mono> {
        self.current.at()
    }

    /// Current flows into the battery, by a gauge that is sound and moves.
    pub fn charges(&self, now: Mono) -> bool {
        let into = self.now(now).current.is_some_and(|c| c.0 > DEAD_BAND.0);
        into && !self.stands_still(now) && self.sound()
    }

    /// Nothing of what it says has changed for long, though a current is part of it.
    pub fn stands_still(&self, now: Mono) -> bool {
        self.still_from().is_some_and(|at| now >= at)
    }

    /// From when on that is so, if it goes on saying the same; `None` while no current flows.
    pub fn still_from(&self) -> Option<Mono> {
        let (since, said) = self.same?;
        let flows = said
            .current
            .is_some_and(|c| c.0.unsigned_abs() > DEAD_BAND.0.unsigned_abs());
        // Who goes on with the outage of another daemon does not wait for it anew: with one daemon
        // after the other that would have no end.
        let inherited = self.expected.is_some() && !self.varied;
        let wait = if inherited { Duration::ZERO } else { STILL };
        flows.then(|| since.after(wait))
    }

    /// What it says has to be looked at again before it is believed.
    pub fn unsettled(&self) -> bool {
        self.voltage.shaken || self.charge.shaken
    }

    /// All of what it said of late was believed.
    pub fn sound(&self) -> bool {
        self.in_a_row >= SOUND
    }

    /// It has said something new after this time.
    pub fn changed_after(&self, then: Mono) -> bool {
        self.same.is_some_and(|(since, _)| since > then)
    }

    /// From when on a gauge whose readings never changed since `from` counts as standing still.
    pub fn frozen_from(&self, from: Mono) -> Option<Mono> {
        let (since, _) = self.same?;
        Some(since.max(from).after(FROZEN))
    }

    /// How far it can be relied on.
    pub fn quality(&self, now: Mono) -> Quality {
        let young = self.level_at().is_some_and(|at| now.since(at) < STALE);
        match (self.heard, young) {
            (false, _) => Quality::Absent,
            (true, true) => Quality::Good,
            (true, false) if self.doubtful && self.fault.is_none() => Quality::Implausible,
            (true, false) => Quality::Stale,
        }
    }
}

fn cells(battery: Option<&Battery>) -> u32 {
    battery.map_or(4, |b| u32::from(b.cells.max(1)))
}

/// No battery of this kind says that.
fn is_impossible(said: Gauge, battery: Option<&Battery>) -> bool {
    let voltage = said.voltage.is_some_and(|v| !possible(v, battery));
    let charge = said.charge.is_some_and(|c| c.0 > CHARGE_MOST);
    let current = said.current;
    voltage || charge || current.is_some_and(|c| c.0.unsigned_abs() > CURRENT_MOST)
}

/// A pack of these cells can have this voltage.
fn possible(v: Millivolts, battery: Option<&Battery>) -> bool {
    let (least, most) = match battery {
        Some(b) => (u32::from(b.cells), u32::from(b.cells)),
        None => (1, 4),
    };
    (CELL_LEAST * least..=CELL_MOST * most).contains(&v.0)
}

/// The voltage says that this charge is wrong: nearly empty far above the low voltage, or nearly full
/// at it.
fn denied(charge: u16, volts: u32, battery: &Battery) -> bool {
    let (low, full) = (battery.low.0, battery.full.0);
    let third = low + full.saturating_sub(low) / 3;
    charge <= 50 && volts >= third || charge >= 950 && volts <= low
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE_CELL: Battery = Battery {
        cells: 1,
        empty: Millivolts(3_000),
        low: Millivolts(3_300),
        full: Millivolts(4_200),
        low_charge: Some(Permille(150)),
        current: true,
    };

    fn said(millivolts: u32, permille: u16) -> Gauge {
        Gauge {
            voltage: Some(Millivolts(millivolts)),
            charge: Some(Permille(permille)),
            current: None,
        }
    }

    /// Takes readings in, a second apart, and gives the last that is believed then.
    fn after(readings: &[Gauge]) -> (Gauge, Believed) {
        let mut gauge = Believed::default();
        for (second, reading) in (0..).zip(readings) {
            gauge.see(Mono(second * 1000), *reading, Some(&ONE_CELL));
        }
        (gauge.last(), gauge)
    }

    /// What gauges and buses say when they are broken is not believed, first thing or later.
    #[test]
    fn traps() {
        let nothing = Gauge::default();
        let usual = said(3_900, 800);
        for (trap, wanted) in [
            (said(0, 0), nothing),
            // All ones, as MAX1704x and INA219 give them.
            (said(5_120, 2_559), nothing),
            (said(32_760, 2_559), nothing),
            // The bytes of 3.9 V in the wrong order.
            (said(1_602, 800), nothing),
            (said(2_399, 800), nothing),
            (said(4_501, 800), nothing),
        ] {
            assert_eq!(after(&[trap; 20]).0, wanted, "{trap:?}");
            let (last, gauge) = after(&[usual, trap, trap, trap, trap, trap]);
            assert_eq!(last, usual, "{trap:?}");
            assert!(gauge.doubtful, "{trap:?}");
        }
        // Without a voltage beside it, a zero is believed only at the end of a way down.
        let only = |permille| Gauge {
            charge: Some(Permille(permille)),
            ..nothing
        };
        assert_eq!(after(&[only(0); 20]).0, nothing);
        assert_eq!(
            after(&[only(500), only(0), only(0), only(0), only(0)]).0,
            only(500)
        );
        assert_eq!(after(&[only(30), only(0)]).0, only(0));
    }

    /// A charge that the voltage denies is not believed, however often it is said.
    #[test]
    fn a_charge_that_the_voltage_denies() {
        let volts = |v| Some(Millivolts(v));
        for (millivolts, permille, believed) in [
            (3_600, 0, false),
            (3_600, 50, false),
            (3_599, 50, true),
            (3_600, 51, true),
            (3_300, 950, false),
            (3_300, 1000, false),
            (3_301, 950, true),
            (3_300, 949, true),
            (3_100, 0, true),
            (4_200, 1000, true),
        ] {
            let (last, _) = after(&[said(millivolts, permille); 10]);
            let charge = believed.then_some(Permille(permille));
            let wanted = Gauge {
                voltage: volts(millivolts),
                charge,
                current: None,
            };
            assert_eq!(last, wanted, "{permille} at {millivolts} mV");
        }
        // A little more than all of it is all of it.
        assert_eq!(after(&[said(4_200, 1_018)]).0, said(4_200, 1000));
    }

    /// A step is believed at once, a jump when four readings in a row agree on it.
    #[test]
    fn steps_and_jumps() {
        let (old, new) = (said(3_900, 800), said(3_600, 800));
        assert_eq!(after(&[old, said(3_750, 770)]).0, said(3_750, 770));
        assert_eq!(after(&[old, new, new, new]).0, old);
        assert_eq!(after(&[old, new, new, new, new]).0, new);
        // No load makes a cell leap.
        let leap = [said(4_100, 800); 1];
        let (short, long) = ([said(3_450, 800); 14], [said(3_450, 800); 15]);
        assert_eq!(after(&[&leap[..], &short].concat()).0, leap[0]);
        assert_eq!(after(&[&leap[..], &long].concat()).0, long[0]);
        // They must be in a row, and agree with each other.
        assert_eq!(after(&[old, new, new, new, old, new]).0, old);
        let wild = [3_600, 4_200, 3_600, 4_200, 3_600, 4_200].map(|v| said(v, 800));
        assert_eq!(after(&[&[old][..], &wild].concat()).0.voltage, old.voltage);
        let jump = said(3_900, 700);
        assert_eq!(after(&[old, jump, jump, jump]).0.charge, old.charge);
        assert_eq!(after(&[old, jump, jump, jump, jump]).0.charge, jump.charge);
    }

    /// After nonsense, what is plausible is believed again when three readings in a row are.
    #[test]
    fn trust_is_regained() {
        let (usual, nonsense) = (said(3_900, 800), said(1_602, 800));
        let near = said(3_890, 800);
        assert_eq!(after(&[usual, nonsense, near, near]).0, usual);
        assert_eq!(after(&[usual, nonsense, near, near, near]).0, near);
        let now_and_then = [usual, nonsense, near, nonsense, near, near, nonsense, near];
        let (last, gauge) = after(&now_and_then);
        assert_eq!(last, usual);
        assert!(gauge.unsettled());
        assert!(!after(&[usual, nonsense, near, near, near]).1.unsettled());
        // A reading that fails is no nonsense, unless the chip's driver found it to be.
        for (why, wanted) in [(Fault::Absent, near), (Fault::Implausible, usual)] {
            let mut gauge = Believed::default();
            gauge.see(Mono(0), usual, Some(&ONE_CELL));
            gauge.lose(&why);
            for at in [1, 2] {
                gauge.see(Mono(at), near, Some(&ONE_CELL));
                assert_eq!(gauge.last(), wanted, "{why:?}");
            }
            assert_eq!(gauge.see(Mono(3), near, Some(&ONE_CELL)), near, "{why:?}");
        }
    }

    /// What was believed grows old by itself; failures and nonsense make it no younger.
    #[test]
    fn old_readings_are_not_acted_upon() {
        let mut gauge = Believed::default();
        assert_eq!(gauge.quality(Mono(0)), Quality::Absent);
        gauge.see(Mono(1_000), said(3_900, 800), Some(&ONE_CELL));
        assert_eq!(gauge.now(Mono(15_999)), said(3_900, 800));
        assert_eq!(gauge.quality(Mono(15_999)), Quality::Good);
        gauge.lose(&Fault::Absent);
        assert_eq!(gauge.quality(Mono(15_999)), Quality::Good);
        assert_eq!(gauge.now(Mono(16_000)), Gauge::default());
        assert_eq!(gauge.quality(Mono(16_000)), Quality::Stale);
        gauge.see(Mono(16_000), said(0, 0), Some(&ONE_CELL));
        assert_eq!(gauge.quality(Mono(16_000)), Quality::Implausible);
        assert_eq!(gauge.level_at(), Some(Mono(1_000)));
        assert_eq!(gauge.last(), said(3_900, 800));
        let mut never = Believed::default();
        never.lose(&Fault::Absent);
        assert_eq!(never.quality(Mono(0)), Quality::Stale);
    }

    /// Packs of several cells have several times the range and the step; without a board any pack may.
    #[test]
    fn packs_of_several_cells() {
        let two = Battery {
            cells: 2,
            low: Millivolts(6_600),
            full: Millivolts(8_400),
            ..ONE_CELL
        };
        let mut gauge = Believed::default();
        let mut holds = |at, v, b| gauge.see(Mono(at), said(v, 500), b).voltage.is_some();
        assert!(!holds(0, 3_900, Some(&two)));
        assert!(holds(1, 7_800, Some(&two)));
        assert!(holds(2, 7_500, Some(&two)));
        assert!(!holds(3, 7_199, Some(&two)));
        for (v, wanted) in [
            (2_399, false),
            (2_400, true),
            (18_000, true),
            (18_001, false),
        ] {
            let heard = Believed::default().see(Mono(0), said(v, 500), None);
            assert_eq!(heard.voltage.is_some(), wanted, "{v} mV");
        }
    }

    /// A battery is charged as long as something of its readings changes every half a minute.
    #[test]
    fn what_counts_as_charging() {
        let reading = |millivolts, permille, milliamps| Gauge {
            current: Some(Milliamps(milliamps)),
            ..said(millivolts, permille)
        };
        let mut gauge = Believed::default();
        let mut charges = |second: u64, reading: Gauge| {
            gauge.see(Mono(second * 1000), reading, Some(&ONE_CELL));
            gauge.charges(Mono(second * 1000))
        };
        // Five readings in a row make it sound.
        for second in 0..34 {
            let new = reading(3_900 + u32::from(second < 4), 800, 51);
            assert_eq!(charges(second, new), second >= 4, "{second} s");
        }
        assert!(!charges(34, reading(3_900, 800, 51)));
        assert!(charges(35, reading(3_900, 800, 52)));
        assert!(!charges(36, reading(3_900, 800, 50)));
        assert!(charges(37, reading(3_900, 800, 51)));
        assert_eq!(gauge.still_from(), Some(Mono(67_000)));
    }

    /// A gauge that measures a current stands still after half a minute. A level alone may be the same
    /// for longer, and so may what is at rest.
    #[test]
    fn a_current_that_stands_still() {
        for (current, wanted) in [
            (Some(51), true),
            (Some(-51), true),
            (Some(50), false),
            (Some(-50), false),
            (Some(0), false),
            (None, false),
        ] {
            let reading = Gauge {
                current: current.map(Milliamps),
                ..said(3_900, 800)
            };
            let (_, gauge) = after(&[reading; 40]);
            assert_eq!(gauge.stands_still(Mono(30_000)), wanted, "{current:?}");
            assert!(!gauge.stands_still(Mono(29_999)), "{current:?}");
        }
    }

    /// In an outage that was inherited, what tells of a current stands still until it has moved once.
    #[test]
    fn an_heir_waits_for_no_current_that_stands_still() {
        let reading = |milliamps| Gauge {
            current: Some(Milliamps(milliamps)),
            ..said(3_900, 800)
        };
        let mut gauge = Believed::default();
        gauge.expect(Mono(15_000));
        for (now, milliamps, still) in [
            (1_000, 900, true),
            (2_000, 900, true),
            (3_000, 901, false),
            (32_999, 901, false),
            (33_000, 901, true),
        ] {
            gauge.see(Mono(now), reading(milliamps), Some(&ONE_CELL));
            assert_eq!(gauge.stands_still(Mono(now)), still, "{now}");
        }
    }

    /// Swapped bytes may make a voltage that the battery has. A charge beside it that cannot be takes
    /// the current along, so that it says nothing of mains.
    #[test]
    fn a_charge_that_cannot_be_takes_the_current_along() {
        let reading = |millivolts, permille, milliamps| Gauge {
            current: Some(Milliamps(milliamps)),
            ..said(millivolts, permille)
        };
        let usual = reading(4_140, 990, 121);
        for (permille, believed) in [(990, true), (1_100, true), (1_101, false), (1_793, false)] {
            let (last, gauge) = after(&[usual, reading(4_096, permille, -2_688)]);
            let current = if believed { -2_688 } else { 121 };
            assert_eq!(last.current, Some(Milliamps(current)), "{permille}");
            assert_eq!(gauge.doubtful, !believed, "{permille}");
        }
    }

    /// Readings that are exactly the same for ten minutes of an outage are those of a gauge that stands
    /// still; before the outage they are not counted.
    #[test]
    fn a_gauge_that_stands_still() {
        let mut gauge = Believed::default();
        assert_eq!(gauge.frozen_from(Mono(0)), None);
        gauge.see(Mono(1_000), said(3_900, 800), Some(&ONE_CELL));
        gauge.see(Mono(9_000), said(3_900, 800), Some(&ONE_CELL));
        assert_eq!(gauge.frozen_from(Mono(0)), Some(Mono(601_000)));
        assert_eq!(gauge.frozen_from(Mono(5_000)), Some(Mono(605_000)));
        gauge.see(Mono(10_000), said(3_899, 800), Some(&ONE_CELL));
        assert_eq!(gauge.frozen_from(Mono(5_000)), Some(Mono(610_000)));
    }
}
