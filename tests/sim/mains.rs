//! Mains, the sensor that sees them, and what the verdict on them must be: the invariants P1 to P4.
//!
//! The invariants are told from the facts that the core has heard, and know nothing of how it decides.
//! What is true of power is judged in `truth.rs`.

use crate::by_current::Said;
use crate::checks::View;
use crate::faults::Kind;
use crate::plan::Plan;
use crate::rng::Rng;
use crate::world::{Event, World};
use fieldwarden::core::Supply;
use fieldwarden::core::fact::{Errno, Fact, Fault, Pulse, Reading, Source};
use fieldwarden::core::picture::{HaltCause, Verdict};

/// Mains that were seen gone for this long, and never back, are lost. In milliseconds, as all here.
pub const LOST_AFTER: u64 = 2_000;
/// Mains that were seen for this long, and nothing else, are back.
pub const BACK_AFTER: u64 = 5_000;

/// Mains and their sensor.
pub struct Mains {
    /// There is a sensor at all.
    pub sensor: bool,
    present: bool,
    silent_until: u64,
}

impl Mains {
    pub fn of(plan: &Plan, rng: &mut Rng) -> Mains {
        let wanted = [
            Kind::MainsCut,
            Kind::MainsFlap,
            Kind::MainsOut,
            Kind::MainsUnseen,
        ];
        let wanted = wanted.iter().any(|k| plan.faults.contains(k));
        Mains {
            sensor: wanted || plan.board.battery.is_some() || rng.chance(50),
            present: true,
            silent_until: 0,
        }
    }

    pub fn heal(&mut self, now: u64) {
        self.silent_until = self.silent_until.min(now);
    }

    pub fn silent_until(&self) -> u64 {
        self.silent_until
    }

    pub fn is_present(&self) -> bool {
        self.present
    }

    /// What the sensor sees; `None`: it does not answer.
    pub fn seen(&self, now: u64) -> Option<bool> {
        (now >= self.silent_until).then_some(self.present)
    }

    /// What it says.
    pub fn fact(&self, now: u64) -> Fact {
        match self.seen(now) {
            None => Fact::Lost {
                source: Source::Mains,
                why: Fault::Errno(Errno(5)),
            },
            Some(present) => Fact::Seen(Reading::Mains { present }),
        }
    }
}

impl World {
    pub fn cut_mains(&mut self) {
        self.turn_mains(false);
        let until = self.rng.range(500, 60_000);
        self.after(until, Event::Mains(true));
    }

    pub fn lose_mains(&mut self) {
        self.turn_mains(false);
        let until = self.rng.range(30_000, 600_000);
        self.after(until, Event::Mains(true));
    }

    /// They come and go a few times.
    pub fn flap_mains(&mut self) {
        let mut at = 0;
        for _ in 0..self.rng.range(1, 6) {
            self.after(at, Event::Mains(false));
            at += self.rng.range(100, 4_000);
            self.after(at, Event::Mains(true));
            at += self.rng.range(100, 8_000);
        }
    }

    pub fn blind_mains(&mut self) {
        let until = self.now + self.rng.range(1_000, 90_000);
        match self.by_current() {
            true => self.silence_gauge(until),
            false => self.mains.silent_until = until,
        }
    }

    pub fn turn_mains(&mut self, present: bool) {
        let present = present || self.calm;
        if self.mains.present == present {
            return;
        }
        self.drain();
        let there = self.plainly(true);
        self.mains.present = present;
        self.mains_turn(there);
        self.edge();
        if present && !self.board.holds && std::mem::take(&mut self.truth.off) {
            self.switch_on();
        }
    }
}

/// What was heard of mains in this life.
#[derive(Default)]
pub struct Heard {
    any: bool,
    /// Seen gone since then, and not back.
    gone: Option<u64>,
    /// Seen since then, without a gap.
    back: Option<u64>,
    /// An earlier daemon has left an outage, and it has not been seen to go on yet.
    inherited: bool,
    /// The verdict after the step before, and whether mains were believed to be gone.
    verdict: Option<Verdict>,
    lost: bool,
    /// What the current has said, where that tells.
    current: Said,
}

impl Heard {
    /// Takes a step in, and says what is wrong with the verdict after it.
    pub fn mains_are_judged(&mut self, v: &View) -> Result<(), String> {
        if v.core.settings().board.dead_band.is_some() {
            return self.current.mains_are_judged(v);
        }
        let (gone, before) = (self.gone, self.verdict);
        self.inherited &= gone.is_none_or(|since| v.now < since + LOST_AFTER);
        let inherited = self.inherited;
        self.hear(v);
        let verdict = v.core.picture().power;
        self.verdict = verdict;
        let lost = v.core.picture().mains == Some(false);
        let was_lost = std::mem::replace(&mut self.lost, lost);
        // With mains, a battery may be low, or say what cannot be.
        let battery = v.core.settings().board.battery.is_some();
        let fits = match verdict {
            Some(Verdict::Critical) => lost,
            Some(Verdict::Warn) => lost || battery,
            Some(Verdict::Ok | Verdict::Unknown) | None => !lost,
        };
        let aged = |since: Option<u64>, age| since.is_some_and(|s| v.now >= s + age);
        let seen = matches!(v.fact, Fact::Seen(Reading::Mains { present: true }));
        for (wrong, what) in [
            (
                verdict.is_some() != self.any,
                "P1: a verdict on mains without news of them, or news without a verdict",
            ),
            (
                !fits,
                "P2: the verdict and what is believed of mains differ",
            ),
            (
                aged(self.gone, LOST_AFTER) && !lost,
                "P2: mains are gone for long, and that is not told",
            ),
            (
                self.gone.is_some() && !lost && !self.looks_again(v),
                "P2: mains are gone, and the core does not look again in time",
            ),
            (
                lost && !was_lost
                    && !(aged(gone, LOST_AFTER) || self.inherited || self.is_low_unseen(v)),
                "P2: mains count as lost and were not gone for long",
            ),
            (
                was_lost && !lost && !(seen && (aged(self.back, BACK_AFTER) || inherited)),
                "P3: mains count as back and were not seen for long",
            ),
            (
                lost && seen && aged(self.back, BACK_AFTER),
                "P3: mains are back for long, and that is not told",
            ),
            (
                verdict == Some(Verdict::Ok) && self.back.is_none() && self.gone.is_none(),
                "P4: mains are fine though nobody sees them",
            ),
        ] {
            if wrong {
                return Err(format!("{what} ({before:?}, now {verdict:?})"));
            }
        }
        Ok(())
    }

    /// Nobody sees mains, and the battery is low or not heard of: that is why the machine is halted.
    fn is_low_unseen(&self, v: &View) -> bool {
        let battery = v.core.settings().board.battery.is_some();
        battery && is_halted_by_battery(v) && self.back.is_none()
    }

    fn looks_again(&self, v: &View) -> bool {
        let by = self.gone.map(|since| since + LOST_AFTER);
        v.deadline.is_some_and(|at| Some(at.0) <= by)
    }

    fn hear(&mut self, v: &View) {
        match v.fact {
            Fact::Seen(Reading::Marker(left)) => {
                let outage = left.marker.mains == Some(false) && left.marker.outage.is_some();
                self.inherited = left.same_boot && outage;
                self.any |= self.inherited;
            }
            Fact::Seen(Reading::Mains { present: true }) => {
                self.any = true;
                self.inherited = false;
                self.gone = None;
                self.back.get_or_insert(v.now);
            }
            Fact::Seen(Reading::Mains { present: false }) => {
                self.any = true;
                self.gone.get_or_insert(v.now);
                self.back = None;
            }
            Fact::Lost {
                source: Source::Mains,
                ..
            } => {
                self.any = true;
                self.back = None;
            }
            Fact::Thread {
                thread,
                pulse: Pulse::Late { .. },
            } if *thread == v.core.settings().board.mains_by => self.back = None,
            _ => {}
        }
    }
}

/// The machine is halted because its battery is low or not heard of.
pub fn is_halted_by_battery(v: &View) -> bool {
    matches!(
        v.core.supply(),
        Some(Supply::ForcedShutdown {
            cause: HaltCause::LowBattery | HaltCause::GaugeSilent,
            ..
        })
    )
}
