//! What really happens to the machine's power, and what must follow from it: zero spurious halts, zero
//! missed ones. Told from the truth, not from what the core has heard.
//!
//! Terms: a span is *clear* while nothing keeps the daemon from seeing mains and from acting: it lives,
//! does not stand still, and what tells of mains works. Only clear spans count for anything.

use crate::battery::Battery;
use crate::by_current::{self, ByCurrent};
use crate::faults::Kind;
use crate::mains::{BACK_AFTER, LOST_AFTER};
use crate::plan::{Card, Plan, millis};
use crate::rng::Rng;
use crate::world::{EVER, World};
use fieldwarden::core::fact::{HaltKind, Thread};
use fieldwarden::core::intent::Intent;
use fieldwarden::core::note::{HaltNote, Note};
use fieldwarden::core::picture::{Ending, HaltCause, Halting, Rung};

/// Time between two looks at a line that has edges.
pub const LOOK: u64 = 5_000;

/// News of threads that nobody needs are late by so much at most, and threads have a latency.
const LATE: u64 = 5_000 + 1_000;

/// All rungs up to the one on which init was asked, beside the time of the services: killing,
/// recording, syncing, and threads on their way.
const TO_INIT: u64 = 5_000 + 3_000 + 10_000 + 1_000;

/// An interrupted halt is looked at for so long before it goes on.
const LOOKING: u64 = 10_000;

/// Boots in a row that try to finish a halt.
const ATTEMPTS: u8 = 3;

/// For so long must a low level be told before it is acted upon: fifteen readings that agree on a leap,
/// five seconds of agreement, and another reading.
const LOW_TOLD: u64 = 40_000;

/// A gauge that has been well for so long is believed, whatever it said before.
const WELL: u64 = 90_000;

/// More than this, in thousandths and in millivolts, is no low battery on any board.
const PLENTY: (i64, i64) = (250, 3_400);

/// By so much at most time goes backwards from one fact to the next.
pub const BACKWARDS: u64 = 10_000;

/// What is true of power.
pub struct Truth {
    pub battery: Option<Battery>,
    /// Mains have been as they are now since then.
    pub turned: u64,
    /// Since when mains have been gone, but for returns that nobody could see for certain.
    away: Option<u64>,
    /// Since when the voltage has been low, on battery.
    pub low: Option<u64>,
    /// The machine is off until mains are back, or somebody switches it on.
    pub off: bool,
    /// The daemon was told of an interrupted halt, which it is to finish.
    left: bool,
    /// In this boot mains were plainly seen gone, since then, and have not been back.
    seen_gone: Option<(u32, u64)>,
    ride: Option<u64>,
    /// Where the current tells of mains, what is known of that.
    pub by_current: ByCurrent,
}

impl Truth {
    pub fn of(plan: &Plan, rng: &mut Rng) -> Truth {
        Truth {
            battery: Battery::of(plan, rng),
            turned: 0,
            away: None,
            low: None,
            off: false,
            left: false,
            seen_gone: None,
            ride: plan.settings.power.ride_through.map(millis),
            by_current: ByCurrent::default(),
        }
    }

    pub fn heal(&mut self, now: u64) {
        if let Some(battery) = &mut self.battery {
            battery.heal(now);
        }
    }
}

impl World {
    /// The thread that tells of mains.
    pub fn watches_mains(&self) -> Thread {
        self.plan.settings.board.mains_by
    }

    fn interval(&self) -> u64 {
        match self.watches_mains() {
            Thread::Line => LOOK,
            Thread::Bus if self.by_current() => by_current::INTERVAL,
            Thread::Bus => LOOK,
            _ => self.plan.vitals_every,
        }
    }

    /// Since when nothing has kept the daemon from seeing mains; `None` while something does.
    pub fn clear_since(&self) -> Option<u64> {
        let life = self.life.as_ref().filter(|_| self.mains.sensor)?;
        let hand = life
            .hands
            .iter()
            .find(|h| h.thread == self.watches_mains())?;
        let ends = [
            life.born,
            life.frozen_until,
            life.frozen_since,
            hand.stuck_until,
            self.mains.silent_until(),
            self.current_is_believed_from(),
            self.register_is_read_from(),
        ];
        ends.into_iter().max().filter(|at| *at <= self.now)
    }

    /// A register that tells of mains was last out of reach, or nonsense, then.
    fn register_is_read_from(&self) -> u64 {
        let battery = self.truth.battery.as_ref();
        let by_register = battery.filter(|_| self.plan.by_register());
        by_register.map_or(0, |battery| battery.ailed)
    }

    /// For how long mains have been there, or gone, in the clear.
    pub fn plainly(&self, present: bool) -> u64 {
        let so = self.mains.is_present() == present;
        let since = self.clear_since().filter(|_| so);
        since.map_or(0, |since| self.now - since.max(self.truth.turned))
    }

    /// What must be true after each step of the core.
    pub fn judge_power(&mut self, before: Option<Halting>, notes: &[Note]) {
        if self.are_plainly_back() {
            self.truth.away = None;
        }
        let Some(life) = &self.life else { return };
        let picture = life.core.picture();
        let (halting, ending) = (picture.halting, picture.ending);
        let by_mains = |h: &Halting| h.cause.ends_with_mains();
        for note in notes {
            match note {
                Note::Halt(HaltNote::HaltGivenUp { .. }) => self.truth.left = false,
                Note::Halt(HaltNote::HaltCancelled { cause }) => {
                    self.truth.left = false;
                    self.runs_on();
                    let gone = self.plainly(false);
                    // One that is for the sake of services is taken back because they are gone.
                    let for_mains = cause.ends_with_mains() || *cause == HaltCause::BatterySinks;
                    if for_mains && gone > self.interval() + LATE {
                        self.fail(format!(
                            "zero missed: a halt is taken back, mains plainly gone for {gone} ms"
                        ));
                    }
                }
                _ => {}
            }
        }
        let on = |h: Option<Halting>| h.map(|h| h.rung);
        if let Some(h) = halting.filter(by_mains)
            && on(before) != on(halting)
            && matches!(h.rung, Rung::Stopping | Rung::Asked | Rung::Forced)
        {
            let late = h.kind == HaltKind::PowerOff && !self.remains.cut;
            let off = h.rung == Rung::Stopping || late;
            if h.rung == Rung::Stopping && before.is_none() {
                self.has_its_cause(h.cause);
            }
            if off && self.are_plainly_back() {
                let plain = self.plainly(true);
                self.fail(format!(
                    "zero spurious: {h:?} though mains have been plainly there for {plain} ms"
                ));
            }
        }
        let parting = matches!(ending, Ending::Parting { .. });
        if halting.is_none() && !parting {
            self.nothing_is_missed();
        }
        self.belief_follows_current();
    }

    /// A ride-through lasts as long as it is to last. Where the current tells, the outage may have
    /// begun with a gauge that was wrong.
    fn ride_through_is_over(&self) -> bool {
        let lasted = self.truth.away.map_or(0, |since| self.now - since);
        let lied = self.truth.battery.as_ref().is_some_and(|b| b.lied > 0);
        let unsure = self.by_current() && lied;
        // Where time goes backwards, the outage may seem to have begun earlier.
        let slack = match self.plan.faults.contains(&Kind::TimeBackwards) {
            true => BACKWARDS,
            false => 0,
        };
        unsure || self.truth.ride.is_some_and(|ride| lasted + slack >= ride)
    }

    /// What a halt is begun for is true of the battery, where its gauge has long been telling the
    /// truth.
    fn has_its_cause(&mut self, cause: HaltCause) {
        if cause == HaltCause::RideThrough && !self.ride_through_is_over() {
            let (away, ride) = (self.truth.away, self.truth.ride);
            self.fail(format!(
                "zero spurious: {cause:?}, mains gone since {away:?}, ride-through {ride:?}"
            ));
        }
        let stuck = self.hand(Thread::Bus).map_or(EVER, |h| h.stuck_until);
        let (now, need) = (
            self.now,
            millis(self.plan.settings.stop_budget) * 2 + 30_000,
        );
        let Some(life) = &self.life else { return };
        let since = life
            .born
            .max(life.frozen_until)
            .max(life.frozen_since)
            .max(stuck);
        let Some(battery) = &self.truth.battery else {
            return;
        };
        let well = now.saturating_sub(since.max(battery.ailed));
        let (share, volts) = (battery.cell.share(), battery.cell.voltage());
        let lasts = battery.cell.lasts(battery.load);
        let charged = share > PLENTY.0 && volts > PLENTY.1 && lasts > 5 * need;
        let wrong = match cause {
            HaltCause::LowBattery => charged,
            HaltCause::GaugeSilent => true,
            HaltCause::BatterySinks => charged || self.mains.is_present(),
            HaltCause::RideThrough
            | HaltCause::Services
            | HaltCause::Network
            | HaltCause::Drill { .. }
            | HaltCause::Asked { .. } => false,
        };
        let nothing = self.there_was_no_outage(cause, charged);
        if wrong && well > WELL || nothing {
            self.fail(format!(
                "zero spurious: {cause:?}, with {share} thousandths, {volts} mV, {lasts} ms left"
            ));
        }
    }

    fn are_plainly_back(&self) -> bool {
        self.plainly(true) > self.surely_back()
    }

    /// The first reading of a return may be late, and so may be the one that bears it out.
    fn surely_back(&self) -> u64 {
        BACK_AFTER + 2 * self.interval() + 2 * LATE
    }

    /// Mains are back, or gone. They were plainly there for so long before.
    pub fn mains_turn(&mut self, there: u64) {
        let began = std::mem::replace(&mut self.truth.turned, self.now);
        self.truth.seen_gone = None;
        if there > self.surely_back() {
            self.truth.away = None;
        }
        if !self.mains.is_present() {
            self.truth.away.get_or_insert(self.now);
        }
        self.current_turns(there, began);
    }

    /// For how long an outage has lasted that must be known: whichever daemon of this boot has
    /// plainly seen it, and whatever has kept the daemon from seeing it since, as long as it is
    /// plainly seen now.
    fn outage_lasts(&mut self) -> u64 {
        let gone = self.plainly(false);
        if gone <= LOST_AFTER + self.interval() + LATE {
            return gone;
        }
        let now = self.now;
        let keeps = self
            .hand(Thread::Halt)
            .is_some_and(|h| h.stuck_until + LATE <= now);
        let boot = self.remains.boot;
        let before = self.truth.seen_gone.filter(|(of, _)| *of == boot);
        let since = before.map_or(self.now - gone, |(_, since)| since);
        if keeps {
            self.truth.seen_gone = Some((boot, since));
        }
        self.now - since
    }

    /// An outage that outlasts the ride-through leads to a halt, and one that was interrupted goes on.
    fn nothing_is_missed(&mut self) {
        let gone = self.outage_lasts();
        let known = LOST_AFTER + self.interval() + LATE;
        let doubted = self
            .life
            .as_ref()
            .is_some_and(|l| l.core.picture().mains_doubted);
        let borne_out = self.borne_out_after();
        if let Some(ride) = self.truth.ride.filter(|_| !doubted)
            && gone > ride + known + borne_out
            && (borne_out == 0 || self.plainly(false) > known + borne_out)
        {
            self.fail(format!(
                "zero missed: mains have been plainly gone for {gone} ms, ride-through {ride} ms"
            ));
        }
        if self.truth.left && gone > LOOKING + known {
            self.fail(format!(
                "zero missed: a halt that was interrupted is not gone on with after {gone} ms"
            ));
        }
    }

    /// A daemon is told what the one before it has left.
    pub fn remember_left(&mut self) {
        // What does not outlive a boot is no word of the one before.
        let stale = self.plan.card == Card::Stale;
        let marker = match self.remains.here {
            None if stale => None,
            Some(_) | None => self.remains.marker(),
        };
        self.truth.left = marker.is_some_and(|marker| {
            let halt = match marker.intent {
                Intent::Halt { kind, cause, .. } => {
                    kind == HaltKind::PowerOff && cause.ends_with_mains()
                }
                _ => false,
            };
            halt && marker.attempts < ATTEMPTS
        });
    }

    /// The machine is turned off because of mains: they must not be plainly there, or nothing would
    /// start it again but a board that cuts its power.
    pub fn turned_off(&mut self) {
        let by_mains = self
            .remains
            .marker()
            .is_some_and(|marker| match marker.intent {
                Intent::Halt { cause, .. } => cause.ends_with_mains(),
                _ => false,
            });
        if by_mains && !self.board.cuts() && self.are_plainly_back() {
            self.fail("S8: a machine with mains is turned off because of mains");
        }
        self.tally.power.off_by_mains += u64::from(by_mains);
    }

    /// S7: the battery is empty. A halt must have come as far as init, if that was fair to ask.
    pub fn ran_empty(&mut self) {
        self.tally.power.empty += 1;
        let halting = self
            .life
            .as_ref()
            .and_then(|l| l.core.picture().halting)
            .map(|h| h.rung);
        let down = self.life.is_none() || halting >= Some(Rung::Asked);
        let need = millis(self.plan.settings.stop_budget) + TO_INIT;
        let known = LOST_AFTER + self.interval() + LATE;
        let gone = self.outage_lasts();
        let ailed = self.truth.battery.as_ref().map_or(EVER, |b| b.ailed);
        let stuck = self.hand(Thread::Bus).map_or(EVER, |h| h.stuck_until);
        let told = self.truth.low.map_or(0, |since| {
            let clear = since.max(ailed).max(stuck).max(self.now - gone);
            self.now.saturating_sub(clear)
        });
        let borne_out = self.borne_out_after();
        let here = self.plainly(false);
        let shown = borne_out == 0 || here > known + need + borne_out;
        let by_time = self
            .truth
            .ride
            .is_some_and(|r| shown && gone > r + known + need + borne_out);
        let by_level = told > LOW_TOLD.max(borne_out) + known + need;
        if !down && (by_time || by_level) {
            self.fail(format!(
                "zero missed (S7): empty after {gone} ms in the clear, low for {told} ms, on {halting:?}"
            ));
        }
        self.tally.power.empty_in_halt += u64::from(halting.is_some());
        self.truth.off = true;
        let now = self.now;
        if let Some(battery) = &mut self.truth.battery {
            battery.chips.lose_power(now);
        }
        self.power_gone();
    }

    /// What the sensor of mains says, if the machine has one.
    pub fn read_mains(&mut self) {
        if self.mains.sensor && !self.by_current() && !self.plan.by_register() {
            let fact = self.mains.fact(self.now);
            let thread = self.watches_mains();
            self.send(thread, fact);
        }
    }

    /// A line that has edges tells of a change at once, if its thread listens.
    pub fn edge(&mut self) {
        let now = self.now;
        let free = self
            .hand(Thread::Line)
            .is_some_and(|h| h.stuck_until <= now);
        if self.watches_mains() == Thread::Line && free {
            self.read_mains();
        }
    }
}
