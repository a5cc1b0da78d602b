//! Boards without a line, on which the battery's current tells of mains: what the daemon can know in
//! time there, and what it may believe.
//!
//! From first principles: a current out of the battery means that mains are gone, one into it, or
//! none worth mentioning, that they are there. It is told by a reading every five seconds, two of which
//! must agree, and it is only as good as the gauge. So a span is *clear* there only if the gauge has
//! been telling the truth for a while, and if nothing in this life of the daemon has set its current
//! against its voltage: after that the sign is distrusted, rightly, until the voltage bears it out,
//! which a full battery never does.
//!
//! An outage that nothing but a current speaks for is acted upon when the battery *bears it out*. At a
//! cut that was plainly seen it does so at once; else its voltage has to be seen to fall.

use crate::checks::View;
use crate::mains::{BACK_AFTER, LOST_AFTER, is_halted_by_battery};
use crate::world::World;
use fieldwarden::core::fact::{Fact, Reading, Source};
use fieldwarden::core::picture::{HaltCause, Verdict};

/// A reading as usual, fifteen that agree on a leap, two on the sign, and all of that again after a
/// change of the load. In milliseconds, as all here.
pub const INTERVAL: u64 = 24_000;

/// A gauge that was wrong is believed again after this time: thirty readings, if it had leapt.
const REGAINED: u64 = 60_000;

/// A voltage that falls is seen to do so after this time: a minute of it, and some jumps of the load.
const FALLS: u64 = 180_000;

/// What is new of mains has been heard and believed: two readings as usual, and news that are late.
const BELIEVED: u64 = 2 * INTERVAL + 2 * 6_000;

/// The smallest load, in milliamperes, whose least is what the smallest Pi takes.
pub const LEAST_LOAD: i64 = 200;

/// Current and voltage that give way so much cannot be missed by anybody, in milliamperes and in
/// millivolts of a cell: twice what a cut is known by.
const PLAIN_CUT: (i64, i64) = (240, 40);

/// What was said before this time is no part of what is said now. After nonsense the next readings are
/// not believed, whatever they say, and one that was believed before it still counts.
const ONE_STORY: u64 = REGAINED;

/// A sign that has said nothing for so long is silent.
const SILENT: u64 = 15_000;

/// So many outages between two readings, in so much time, empty a battery that is charged by all that
/// is read of it: its voltage falls beside a current into it, and the sign is distrusted, as with one
/// that is wrong. The time is that of a trend.
const UNSEEN: (usize, u64) = (3, 600_000);

/// What is true of a board whose current tells.
#[derive(Default)]
pub struct ByCurrent {
    /// There has been an outage in this run.
    cut: bool,
    /// The latest one has begun with a cut that could not be missed.
    plain_cut: bool,
    /// In this life of the daemon a reading has set the current against the voltage.
    pub contradicted_in: u32,
    /// When outages ended that had begun after the latest reading.
    unseen: Vec<u64>,
}

impl World {
    /// Nothing but the current tells of mains.
    pub fn by_current(&self) -> bool {
        self.plan.settings.board.dead_band.is_some()
    }

    /// The sign has been set against the voltage in this life.
    pub fn is_contradicted(&self) -> bool {
        let here = |life: &crate::daemon::Life| life.no == self.truth.by_current.contradicted_in;
        self.by_current() && self.life.as_ref().is_some_and(here)
    }

    /// From when on what the gauge says of mains can be believed.
    pub fn current_is_believed_from(&self) -> u64 {
        if !self.by_current() {
            return 0;
        }
        if self.is_contradicted() {
            return crate::world::EVER;
        }
        let lied = self.truth.battery.as_ref().map_or(0, |b| b.lied);
        if lied == 0 { 0 } else { lied + REGAINED }
    }

    /// Mains are back, and no reading has met the outage that began then.
    fn was_it_seen(&mut self, began: u64) {
        let read = self
            .truth
            .battery
            .as_ref()
            .map_or(0, |battery| battery.read);
        let (most, time) = UNSEEN;
        let now = self.now;
        let unseen = &mut self.truth.by_current.unseen;
        unseen.retain(|at| at + time > now);
        if began > read {
            unseen.push(now);
        }
        if unseen.len() >= most
            && let Some(life) = &self.life
        {
            self.truth.by_current.contradicted_in = life.no;
        }
    }

    /// Mains have turned, after they were plainly there for so long. They had been as they were since
    /// then.
    pub fn current_turns(&mut self, there: u64, began: u64) {
        let present = self.mains.is_present();
        if present {
            self.was_it_seen(began);
        }
        self.truth.by_current.cut |= !present;
        let off = self.truth.off;
        let Some(battery) = self.truth.battery.as_mut().filter(|_| !present && !off) else {
            return;
        };
        let before = (battery.cell.current, battery.cell.voltage());
        battery.carry();
        let after = (battery.cell.current, battery.cell.voltage());
        let gives_way = before.0 - after.0 >= PLAIN_CUT.0 && before.1 - after.1 >= PLAIN_CUT.1;
        self.truth.by_current.plain_cut = there > BACK_AFTER + BELIEVED && gives_way;
    }

    /// How long it may take, beyond the rest, until the battery bears an outage out.
    pub fn borne_out_after(&self) -> u64 {
        let seen = self.truth.by_current.plain_cut
            && self
                .clear_since()
                .is_some_and(|since| since <= self.truth.turned);
        if self.by_current() && !seen { FALLS } else { 0 }
    }

    /// A board that never lost its mains is not halted for that, whatever its gauge says: only a
    /// battery that is really low, or of which nothing is known, may be taken for one in use.
    pub fn there_was_no_outage(&self, cause: HaltCause, charged: bool) -> bool {
        let possible = match cause {
            HaltCause::RideThrough | HaltCause::BatterySinks => false,
            HaltCause::LowBattery => !charged,
            HaltCause::GaugeSilent
            | HaltCause::Asked { .. }
            | HaltCause::Drill { .. }
            | HaltCause::Services
            | HaltCause::Network => true,
        };
        self.by_current() && !self.truth.by_current.cut && !possible
    }

    /// What is believed of mains follows the truth, where it can be seen.
    pub fn belief_follows_current(&mut self) {
        let Some(life) = self.life.as_ref().filter(|_| self.by_current()) else {
            return;
        };
        let mains = life.core.picture().mains;
        let (there, gone) = (self.plainly(true), self.plainly(false));
        if there > BACK_AFTER + BELIEVED && mains != Some(true) {
            self.fail(format!(
                "mains have plainly been there for {there} ms, believed {mains:?}"
            ));
        }
        if gone > LOST_AFTER + BELIEVED && mains != Some(false) {
            self.fail(format!(
                "mains have plainly been gone for {gone} ms, believed {mains:?}"
            ));
        }
    }
}

/// What the current has said in this life, as the core has heard it.
#[derive(Default)]
pub struct Said {
    /// Anything but "exactly zero", or an outage that was left.
    any: bool,
    /// Its gauge was lost.
    missed: bool,
    /// Since when it has said that mains are gone, how often, and when it did last.
    gone: Option<(u64, u32, u64)>,
    /// The same, with no reading in between that says otherwise.
    in_a_row: Option<(u64, u32)>,
    /// Since when it has said that they are there, and when it did last.
    there: Option<(u64, u64)>,
    /// An earlier daemon has left an outage.
    inherited: bool,
    lost: bool,
}

impl Said {
    /// The same as with a line, as far as it can be told: P1 to P4.
    pub fn mains_are_judged(&mut self, v: &View) -> Result<(), String> {
        let says = self.hear(v);
        let verdict = v.core.picture().power;
        let lost = v.core.picture().mains == Some(false);
        let was_lost = std::mem::replace(&mut self.lost, lost);
        let by_battery = is_halted_by_battery(v);
        let fits = match verdict {
            Some(Verdict::Critical) => lost,
            Some(Verdict::Warn) => true,
            Some(Verdict::Ok | Verdict::Unknown) | None => !lost,
        };
        let twice_gone = self
            .gone
            .is_some_and(|(since, times, _)| times >= 2 && v.now >= since + LOST_AFTER);
        let back = self
            .there
            .is_some_and(|(since, _)| v.now >= since + BACK_AFTER);
        let fresh = self.there.is_some_and(|(_, at)| v.now < at + SILENT);
        // What was seen to go on is an outage like any other; but a leap of the voltage is not believed
        // at once, and the current beside it neither.
        let goes_on = self
            .in_a_row
            .is_some_and(|(since, times)| times >= 2 && v.now >= since + INTERVAL);
        self.inherited &= !goes_on;
        let inherited = self.inherited;
        self.inherited &= lost;
        // That they are not known is told once its gauge was lost.
        let known = self.missed && verdict == Some(Verdict::Unknown);
        for (wrong, what) in [
            (
                verdict.is_some() && !known && !self.any && !by_battery,
                "P1: a verdict on mains, and no current was ever heard",
            ),
            (
                self.missed && verdict.is_none(),
                "P1: its gauge was lost, and nothing is told of mains",
            ),
            (
                !fits,
                "P2: the verdict and what is believed of mains differ",
            ),
            (
                lost && !was_lost && !(twice_gone || inherited || by_battery),
                "P2: mains count as lost, and no two readings said so",
            ),
            (
                was_lost && !lost && !(says == Some(true) && (back || inherited)),
                "P3: mains count as back and were not seen for long",
            ),
            (
                verdict == Some(Verdict::Ok) && !fresh && self.gone.is_none(),
                "P4: mains are fine though no current says so",
            ),
        ] {
            if wrong {
                return Err(format!("{what} (now {verdict:?})"));
            }
        }
        Ok(())
    }

    /// What this step says of mains.
    fn hear(&mut self, v: &View) -> Option<bool> {
        if let Fact::Seen(Reading::Marker(left)) = v.fact {
            let outage = left.marker.mains == Some(false) && left.marker.outage.is_some();
            self.inherited = left.same_boot && outage;
            self.any |= self.inherited;
        }
        if let Fact::Lost { source, .. } = v.fact {
            self.missed |= *source == Source::Gauge;
        }
        let Fact::Seen(Reading::Gauge {
            current: Some(current),
            ..
        }) = v.fact
        else {
            return None;
        };
        let band = v.core.settings().board.dead_band.map_or(0, |band| band.0);
        let there = current.0 >= -band;
        self.any = true;
        // One that says otherwise, once, ends nothing yet: it may not be believed.
        match there {
            true => {
                let since = self.there.map_or(v.now, |(since, _)| since);
                self.there = Some((since, v.now));
                self.in_a_row = None;
                self.gone = self.gone.filter(|(_, _, at)| v.now < at + ONE_STORY);
            }
            false => {
                let (since, times) = self.gone.map_or((v.now, 0), |(since, n, _)| (since, n));
                self.gone = Some((since, times + 1, v.now));
                let (since, times) = self.in_a_row.unwrap_or((v.now, 0));
                self.in_a_row = Some((since, times + 1));
                self.there = self.there.filter(|(_, at)| v.now < at + SILENT);
            }
        }
        Some(there)
    }
}
