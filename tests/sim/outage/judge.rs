//! What must hold of every outage. Told from the truth, not from what the core knows.
//!
//! Fair means: what must be noticed can be. A halt cannot be asked for in time if nothing that tells of
//! mains or of the battery works, or if the cell is all but empty when the outage begins.

use super::gauge::Wrong;
use super::story::{Line, MOST_DIP, Story, millis};
use super::world::LOOK;
use fieldwarden::core::picture::HaltCause;
use fieldwarden::core::picture::Picture;
use fieldwarden::core::picture::Rung;
use fieldwarden::core::picture::Shed;
use std::time::Duration;

/// Mains have to be seen for this long before they count as back.
const BACK: u64 = 5_000;

/// A reading as usual, fifteen that agree on a leap, two on the sign, and all of that again after a
/// change of the load.
const BY_CURRENT: u64 = 24_000;

/// A gauge that was wrong is believed again after this time: thirty readings, if it had leapt.
const REGAINED: u64 = 60_000;

/// Above both of these a battery is not low by any gauge that tells the truth: the limits of the board,
/// and what a reading may be off by, a load among it.
const LOW_SHARE: i64 = 150 + 45 + MOST_DIP;
const LOW_VOLTS: i64 = 3_300 + 8;

/// So much less is low by a gauge that says too much, in thousandths.
const SUNK_SHARE: i64 = 150 - 45;

/// A battery that sinks has shown it after this time: a minute of it, two in which it must last, and a
/// percent that is used.
const SINKS: u64 = 240_000;

/// Longest wait of services on mains for a battery that recovers, in milliseconds.
const COME_BACK: u64 = 60_000;

/// A charge that no gauge takes for less than what services wait for, in thousandths.
const HALF_FULL: i64 = 500;

/// A cell that is charged has been seen to be for long after this time, by its charge alone: a trend
/// needs a minute where it is charged fast, and four quarters that differ by a thousandth where it is
/// charged slowly.
const CHARGED: u64 = 300_000;

/// A battery that was low a moment ago may be acted upon: signs that agreed for long enough count at
/// their instant, and the reading that ends them comes with it or after it.
const A_MOMENT: u64 = 10_000;

/// A battery that lasts for so many times what the machine needs to go down is no reason to hurry:
/// what is left is told as half of a straight line, and the load wanders.
const AT_EASE: u64 = 5;

/// The truth at one instant.
pub struct Now<'a> {
    pub at: u64,
    pub mains: bool,
    /// The line says that they are gone, whatever is true.
    pub stuck: bool,
    /// It says that they are there, and they are not.
    pub hidden: bool,
    pub wrong: Option<Wrong>,
    pub blind: bool,
    /// Milliseconds since the gauge last said something that is true of the battery's level.
    pub unheard: u64,
    /// The voltage is at its low limit, whatever a gauge says.
    pub low: bool,
    /// The cell is being charged, and that shows in what it holds.
    pub charging: bool,
    /// What the cell holds, in thousandths, what it shows, in millivolts, and for how long it lasts.
    pub share: i64,
    pub voltage: i64,
    pub lasts: u64,
    pub picture: &'a Picture,
}

/// What a halt keeps for itself of what the battery gives, and what services get in any case, in
/// milliseconds.
const RESERVE: u64 = 30_000;
const LEAST: u64 = 5_000;

/// What was seen of this life of the daemon.
pub struct Judge {
    /// What the stop of all services takes at most, in milliseconds, and what it really takes.
    most: u64,
    stops: u64,
    /// What is left of that by a halt that has to fit into what the battery gives.
    fitted: Option<u64>,
    ride: Option<u64>,
    pub born: u64,
    /// When this daemon was started.
    started: u64,
    /// It is not the first in this boot, or not in this outage.
    followed: bool,
    /// An outage began in this run, at this time.
    cut: Option<u64>,
    /// For how long mains have been there and could be seen, without a gap.
    plain: u64,
    /// Since when what tells of mains says that they are gone, but for returns that were too short.
    away: Option<u64>,
    /// For how long they have been gone and that could be seen, without a gap.
    gone: u64,
    /// So much of it was seen by this daemon.
    gone_here: u64,
    /// For how long the gauge has told of a low level that is the truth, without a gap.
    told: u64,
    /// For how long the line has hidden an outage while the battery was low in all respects, and
    /// its gauge told the truth.
    sinking: u64,
    /// For how long the battery has been above what is low, without a gap.
    full: u64,
    /// For how long a line that is stuck has said that mains are gone, while a gauge that is well told
    /// this daemon of a charge that rises.
    charged: u64,
    /// The current had the wrong sign in this outage.
    flipped: bool,
    /// It had once: from then on the board may be blind until the voltage bears the sign out.
    ever_flipped: bool,
    /// For how long they have been there, whoever could see that.
    there: u64,
    /// The latest outage is long over, and the core has seen that since.
    settled: bool,
    /// For how long the core has believed that mains are gone.
    believed: u64,
    /// For how long the gauge has been well.
    well: u64,
    /// Halts on mains by a stuck line, one life after the other.
    in_vain: u32,
    /// The line was stuck in this life.
    was_stuck: bool,
    /// The core doubts what tells of mains.
    pub doubted: bool,
    pub asked: Option<u64>,
}

impl Judge {
    pub fn new(story: &Story, born: u64) -> Judge {
        let stop = |s: &fieldwarden::core::settings::Service| millis(s.stop_timeout);
        Judge {
            most: story.settings.services.iter().map(stop).sum(),
            stops: story.truth.iter().sum(),
            fitted: None,
            ride: story.settings.power.ride_through.map(millis),
            born,
            started: born,
            followed: false,
            cut: None,
            plain: 0,
            away: None,
            gone: 0,
            gone_here: 0,
            told: 0,
            sinking: 0,
            full: 0,
            charged: 0,
            flipped: false,
            ever_flipped: false,
            well: REGAINED,
            there: 0,
            settled: false,
            believed: 0,
            in_vain: 0,
            was_stuck: false,
            doubted: false,
            asked: None,
        }
    }

    /// That of the next life.
    pub fn reborn(&self, story: &Story, born: u64) -> Judge {
        Judge {
            in_vain: self.in_vain,
            ..Judge::new(story, born)
        }
    }

    /// Another daemon follows in the same boot, after so many milliseconds. `same`: mains are as
    /// they were when the one before it was killed.
    pub fn restarted(&mut self, story: &Story, now: u64, away: u64, same: bool) {
        let seen = self.gone > Self::knows(story) && same;
        *self = Judge {
            born: self.born,
            cut: self.cut.filter(|_| same),
            away: self.away,
            well: self.well,
            gone: if seen { self.gone + away } else { 0 },
            followed: true,
            flipped: self.flipped,
            ever_flipped: self.ever_flipped,
            there: if same && self.there > 0 {
                self.there + away
            } else {
                0
            },
            settled: same && self.settled,
            believed: if same { self.believed } else { 0 },
            in_vain: self.in_vain,
            was_stuck: self.was_stuck,
            ..Judge::new(story, now)
        };
        self.started = now;
    }

    /// From the first reading without mains to the belief in it, and to what is kept of it.
    fn knows(story: &Story) -> u64 {
        2_000 + Self::interval(story) + 1_000
    }

    /// For how long the core has believed that mains are gone.
    pub fn believed(&self) -> u64 {
        self.believed
    }

    /// Time that the machine needs to go down.
    pub fn stops(&self) -> u64 {
        self.fitted.unwrap_or(self.stops)
    }

    /// Mains that are there for so long are seen to be back; for less, perhaps not.
    fn surely_back(story: &Story) -> u64 {
        BACK + 2 * Self::interval(story) + 1_000
    }

    fn interval(story: &Story) -> u64 {
        match story.line {
            Line::Gpio => 1_000,
            Line::Polled(every) => every,
            Line::None => BY_CURRENT,
        }
    }

    /// What tells of mains works.
    fn sees(&self, story: &Story, now: &Now) -> bool {
        match story.line {
            Line::Gpio | Line::Polled(_) => !(now.blind || now.stuck && now.mains || now.hidden),
            Line::None => self.well > REGAINED && !self.ever_flipped,
        }
    }

    /// Takes a moment of so many milliseconds in, and says what is wrong.
    pub fn see(&mut self, story: &Story, now: &Now, ms: u64) -> Result<(), String> {
        self.well = match now.wrong {
            Some(_) => 0,
            None => self.well + ms,
        };
        self.ever_flipped |= now.wrong == Some(Wrong::SignFlip);
        let sees = self.sees(story, now);
        self.plain = if now.mains && sees {
            self.plain + ms
        } else {
            0
        };
        self.gone = if !now.mains && sees {
            self.gone + ms
        } else {
            0
        };
        if self.gone > 0 {
            self.gone_here += ms;
        }
        if !now.mains || now.stuck {
            self.away.get_or_insert(now.at);
        } else if self.plain > Self::surely_back(story) {
            self.away = None;
            self.gone_here = 0;
        }
        self.was_stuck |= now.stuck;
        self.doubted = now.picture.mains_doubted;
        if self.plain > BACK {
            self.in_vain = 0;
        }
        self.there = if now.mains { self.there + ms } else { 0 };
        let seen = now.picture.mains == Some(true) && self.there > Self::surely_back(story);
        self.settled = now.mains && (self.settled || seen);
        let believed = now.picture.mains == Some(false);
        self.believed = if believed { self.believed + ms } else { 0 };
        if now.mains {
            self.cut = None;
            self.told = 0;
            self.flipped = false;
        } else {
            self.cut.get_or_insert(now.at);
            let readable = now.wrong.is_none_or(Wrong::spares_voltage) && story.gauge.is_some();
            // Where the line hides it, the battery has to be low in all respects: see `sinking`.
            let told = readable && now.low && !now.hidden;
            self.told = if told { self.told + ms } else { 0 };
            self.flipped |= now.wrong == Some(Wrong::SignFlip);
        }
        let low = now.low && now.share <= SUNK_SHARE && now.voltage <= LOW_VOLTS - 16;
        let sinking = now.hidden && low && self.well > REGAINED && story.gauge.is_some();
        self.sinking = if sinking { self.sinking + ms } else { 0 };
        let told = story.gauge.as_ref().is_some_and(|gauge| gauge.charge);
        let charged = told && now.stuck && now.charging && !now.blind && self.well > REGAINED;
        self.charged = if charged { self.charged + ms } else { 0 };
        let full = now.share > LOW_SHARE && now.voltage > LOW_VOLTS;
        self.full = if full { self.full + ms } else { 0 };
        // What an earlier boot has begun is looked at first.
        let looking = now.picture.halting.is_some_and(|h| h.rung == Rung::Looking);
        if self.asked.is_none() && now.picture.halt_ask.is_some() && !looking {
            self.asked = Some(now.at);
            let left = now
                .picture
                .hold_up
                .map(|left| millis(left).saturating_sub(RESERVE));
            self.fitted = left.map(|left| self.stops.min(left.max(LEAST)));
            self.nothing_spurious(story, now)?;
            self.bounded_in_vain(story, now)?;
            self.has_its_cause(story, now)?;
        }
        self.ride_through_ends(story, now)?;
        self.silence_counts_down(story, now)?;
        self.belief_follows(story, now)
    }

    /// No halt is asked for without an outage: none before the first one, and none after mains were
    /// seen to be back, whatever is wrong with the gauge.
    fn nothing_spurious(&self, story: &Story, now: &Now) -> Result<(), String> {
        let known = Self::surely_back(story);
        let ever = story.cuts.first().is_some_and(|c| c.0 <= now.at) && !self.settled;
        let why = now.picture.halt_ask;
        let ever = ever || self.was_stuck;
        match now.mains && (!ever || self.plain > known) {
            true => Err(format!(
                "zero spurious: {why:?} though mains have been plainly there for {} ms",
                self.plain
            )),
            false => Ok(()),
        }
    }

    /// What is told as the reason of a halt is true, where the gauge has long been telling the truth.
    fn has_its_cause(&self, story: &Story, now: &Now) -> Result<(), String> {
        // One that an earlier boot has begun has the cause that it had then.
        if now.picture.halting.is_some_and(|h| h.attempts > 0) {
            return Ok(());
        }
        let well = self.well > REGAINED && story.gauge.is_some();
        let lasted = self.away.map_or(0, |since| now.at - since);
        // A gauge that tells of a voltage alone is believed without a charge.
        let share = story.gauge.as_ref().is_some_and(|gauge| gauge.charge);
        let charged = now.voltage > LOW_VOLTS || share && now.share > LOW_SHARE;
        let wrong = match now.picture.halt_ask {
            // A current alone may have told of an outage before there was one.
            Some(HaltCause::RideThrough) => {
                let line = story.line != Line::None;
                line && self.ride.is_none_or(|ride| lasted < ride) || self.charged > CHARGED
            }
            Some(HaltCause::LowBattery) => {
                well && self.full > A_MOMENT && now.lasts > AT_EASE * (2 * self.most + 30_000)
            }
            Some(HaltCause::GaugeSilent) => well,
            Some(HaltCause::BatterySinks) => now.mains || well && (charged || !now.hidden),
            Some(
                HaltCause::Services
                | HaltCause::Network
                | HaltCause::Drill { .. }
                | HaltCause::Asked { .. },
            )
            | None => true,
        };
        match wrong {
            true => Err(format!(
                "zero spurious: {:?} after {lasted} ms, with {} thousandths, {} mV, {} ms left",
                now.picture.halt_ask, now.share, now.voltage, now.lasts
            )),
            false => Ok(()),
        }
    }

    /// A stuck line halts a machine on mains three times in a row. Then only a low battery does, or one
    /// of which nothing is known, after a wait that doubles each time.
    fn bounded_in_vain(&mut self, story: &Story, now: &Now) -> Result<(), String> {
        if !now.mains || !now.stuck {
            return Ok(());
        }
        self.in_vain += 1;
        let beyond = self.in_vain.saturating_sub(3);
        let ride = self.ride.unwrap_or(0).max(60_000);
        let wait = ride.saturating_mul(1 << beyond.min(20)).min(86_400_000);
        let lived = now.at - self.born;
        let known = story.gauge.is_some() && self.well > lived;
        match beyond > 0 && !now.low && (known || lived < wait) {
            true => Err(format!(
                "halts in vain: the {}th by a stuck line, after {lived} ms",
                self.in_vain
            )),
            false => Ok(()),
        }
    }

    /// An outage that outlasts the ride-through leads to a halt at once, where a line tells of it.
    fn ride_through_ends(&self, story: &Story, now: &Now) -> Result<(), String> {
        let Some(ride) = self.ride.filter(|_| story.line != Line::None) else {
            return Ok(());
        };
        let due = ride + Self::knows(story);
        // A daemon that follows another has to see first that mains are still gone.
        let looked = now.at - self.started > Self::knows(story);
        let expected = !self.flipped && !self.doubted && looked;
        match self.gone > due && self.asked.is_none() && expected {
            true => Err(format!(
                "zero missed: gone for {} ms, ride-through over",
                self.gone
            )),
            false => Ok(()),
        }
    }

    /// A level that is not heard of on battery leads to a halt.
    fn silence_counts_down(&self, story: &Story, now: &Now) -> Result<(), String> {
        let believed = now.picture.mains == Some(false);
        // Four readings must agree on a jump.
        let due = 45_000 + 15_000;
        let silent = story.gauge.is_some() && now.unheard.min(self.believed) > due;
        // A daemon that follows another gets the time of a silence.
        let listened = now.at - self.started > 16_000;
        match believed && silent && listened && self.asked.is_none() && !self.doubted {
            true => Err(format!(
                "zero missed: nothing heard of the level for {} ms",
                now.unheard
            )),
            false => Ok(()),
        }
    }

    /// What is believed follows the truth, where it can be seen.
    fn belief_follows(&self, story: &Story, now: &Now) -> Result<(), String> {
        let mains = now.picture.mains;
        // After a line was blind, its next look is what tells.
        let look = Self::interval(story).max(LOOK);
        let back = BACK + 2 * look + 2_000;
        let lost = 2_000 + Self::interval(story) + 2_000;
        // Supplies of the kernel are looked at every second once they were seen to be gone.
        let closely = self.gone_here > Self::interval(story);
        let back = match (story.line, mains) {
            (Line::Polled(_), Some(false)) if closely => BACK + 3_000,
            (Line::None | Line::Gpio | Line::Polled(_), _) => back,
        };
        if self.plain > back && mains != Some(true) {
            return Err(format!(
                "mains are back for {} ms, believed {mains:?}",
                self.plain
            ));
        }
        if self.gone > lost && mains != Some(false) {
            return Err(format!(
                "mains are gone for {} ms, believed {mains:?}",
                self.gone
            ));
        }
        match mains == Some(true) && now.picture.shed != Shed::Nothing {
            true => self.recovers(story, now, back),
            false => Ok(()),
        }
    }

    /// Services wait on mains: not for long, and not beside a battery that is plainly half full.
    fn recovers(&self, story: &Story, now: &Now, back: u64) -> Result<(), String> {
        if self.plain > back + COME_BACK {
            return Err(format!(
                "services are stopped to save power, and mains are back for {} ms",
                self.plain
            ));
        }
        let told = story.gauge.as_ref().is_some_and(|gauge| gauge.charge);
        match told && self.well > REGAINED && now.share > HALF_FULL {
            true => Err(format!(
                "services are stopped to save power, on mains, with {} thousandths",
                now.share
            )),
            false => Ok(()),
        }
    }

    /// The cell is empty: a halt must have been asked for in time, if that was fair to ask.
    pub fn ran_empty(&self, story: &Story, now: &Now) -> Result<(), String> {
        let Some(cut) = self.cut else { return Ok(()) };
        let lasted = match self.followed {
            true => self.gone,
            false => now.at - cut.max(self.born),
        };
        // Believing it, agreeing on it, going down. The current alone needs a voltage that falls.
        let line = self.gone > 60_000 + self.stops;
        let tells = match (story.line, &story.gauge) {
            (Line::None, _) => self.told > 210_000 + self.stops,
            (Line::Gpio | Line::Polled(_), Some(_)) => {
                line && !self.doubted && self.told > 15_000 + self.stops
                    || self.told > 150_000 + self.stops
            }
            // Time alone decides: the ride-through has to fit.
            (Line::Gpio | Line::Polled(_), None) => {
                line && !self.doubted
                    && self
                        .ride
                        .is_some_and(|ride| ride + 60_000 + self.stops < lasted)
            }
        };
        let in_time = |asked: u64| asked + self.stops() <= now.at;
        let tells = tells || self.sinking > SINKS + self.stops;
        match tells && !self.asked.is_some_and(in_time) {
            true => Err(format!(
                "zero missed (S7): empty after {:?}, asked {:?} ago",
                Duration::from_millis(lasted),
                self.asked
                    .map(|asked| Duration::from_millis(now.at - asked))
            )),
            false => Ok(()),
        }
    }
}
