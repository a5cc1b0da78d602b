//! The battery of a machine: how it drains and is charged, what is wrong with its chips, and when
//! they are looked at.

use crate::by_current::LEAST_LOAD;
use crate::chips::{Ails, Chips};
use crate::faults::Kind;
use crate::outage::cell::Cell;
use crate::plan::Plan;
use crate::rng::Rng;
use crate::world::{Event, World};
use fieldwarden::core::fact::{Fact, Thread};

/// Time between two looks at the gauge, as usual and closely. In milliseconds, as all here.
const USUALLY: u64 = 5_000;
const CLOSELY: u64 = 1_000;

/// What a reading of the voltage may be off by.
const OFF_BY: i64 = 8;

/// The battery and its chips.
pub struct Battery {
    pub cell: Cell,
    /// Voltage of a cell at which the battery is low, by the board file, in millivolts.
    low: i64,
    /// What the machine takes, in the mean and now, in milliamperes.
    mean: i64,
    pub load: i64,
    pub chips: Chips,
    ails: Option<(Ails, u64)>,
    /// The gauge was last wrong, or its bus stuck, at this time.
    pub ailed: u64,
    /// A reading of it was last wrong, or none, at this time.
    pub lied: u64,
    /// It was last looked at then.
    pub read: u64,
    /// Up to when its charge was told.
    passed: u64,
}

impl Battery {
    /// That of a board; `None` if it has none.
    pub fn of(plan: &Plan, rng: &mut Rng) -> Option<Battery> {
        let limits = plan.board.battery?;
        Chips::of(&plan.board, rng).map(|chips| {
            let cell = Cell::small(rng);
            let mut mean = cell.drain_of(rng.range(8, 30));
            if plan.settings.board.dead_band.is_some() {
                // Less than any Pi takes would be a battery at rest.
                mean = mean.max(LEAST_LOAD);
            }
            Battery {
                cell,
                low: i64::from(limits.low.0) / i64::from(limits.cells),
                mean,
                load: mean,
                chips,
                ails: None,
                ailed: 0,
                lied: 0,
                read: 0,
                passed: 0,
            }
        })
    }

    /// Nothing is wrong with it any more.
    pub fn heal(&mut self, now: u64) {
        self.ails = self.ails.map(|(ails, until)| (ails, until.min(now)));
    }

    /// It takes the machine over.
    pub fn carry(&mut self) {
        self.cell.pass(0, false, self.load, 0);
    }
}

impl World {
    /// Lets the cell carry the load, or be charged, up to now.
    pub fn drain(&mut self) {
        let (now, mains) = (self.now, self.mains.is_present());
        let runs = !self.truth.off;
        // What flows into a cell that is full, or out of it: the charger never rests quite.
        let rest = match self.by_current() {
            true => self.rng.range(0, 40).cast_signed() - 20,
            false => 0,
        };
        let Some(battery) = &mut self.truth.battery else {
            return;
        };
        let load = if runs { battery.load } else { 0 };
        let passed = now - battery.passed;
        battery.passed = now;
        battery.cell.pass(passed, mains, load, rest);
        let low = !mains && battery.cell.voltage() <= battery.low - OFF_BY;
        self.truth.low = match (self.truth.low, low) {
            (since, true) => since.or(Some(now)),
            (_, false) => None,
        };
    }

    /// Looks whether the battery is empty, every second.
    pub fn battery_looks(&mut self) {
        self.drain();
        self.load_wanders();
        self.after(1_000, Event::Drain);
        let empty = |b: &Battery| b.cell.is_empty();
        let is_empty = self.truth.battery.as_ref().is_some_and(empty);
        if !self.mains.is_present() && is_empty && !self.truth.off {
            self.ran_empty();
        }
    }

    /// Something is wrong with the gauge for a while.
    pub fn ail(&mut self, kind: Kind) {
        let until = self.now + self.rng.range(2_000, 120_000);
        let burst = self
            .rng
            .pick(&[Ails::Naks, Ails::Naks, Ails::Gone, Ails::Stretched]);
        let Some(battery) = &mut self.truth.battery else {
            return;
        };
        let lie = self.rng.pick(battery.chips.lies());
        let ails = match kind {
            Kind::GaugeLies => lie,
            Kind::GaugeNaks => burst,
            Kind::GaugeFreezes => Ails::Frozen,
            _ => return self.stick(Thread::Bus, until),
        };
        battery.ails = Some((ails, until));
    }

    /// Nobody hears of the battery until then.
    pub fn silence_gauge(&mut self, until: u64) {
        if let Some(battery) = &mut self.truth.battery {
            battery.ails = Some((Ails::Gone, until));
        }
    }

    /// What systemd's hook sees of the chips at the very end: this, three times.
    pub fn hook_sees(&mut self, of: &dyn Fn(&Fact) -> bool) -> bool {
        self.drain();
        let (now, mains) = (self.now, self.mains.seen(self.now));
        self.truth.battery.as_mut().is_some_and(|battery| {
            let ails = battery.ails.filter(|(_, until)| now < *until);
            let ails = ails.map(|(ails, _)| ails);
            battery.chips.open();
            (1..=3).all(|look| {
                let look = battery
                    .chips
                    .look(now + 50 * look, &battery.cell, ails, mains);
                look.facts.iter().any(of)
            })
        })
    }

    /// The load is never quite the same where its current is told.
    fn load_wanders(&mut self) {
        if self.by_current()
            && self.rng.chance(2)
            && let Some(battery) = &mut self.truth.battery
        {
            battery.load = battery.mean * self.rng.range(60, 140).cast_signed() / 100;
        }
    }

    /// The thread of the bus looks at the gauge.
    pub fn read_gauge(&mut self) {
        self.drain();
        let (now, mains) = (self.now, self.mains.seen(self.now));
        let Some(battery) = &mut self.truth.battery else {
            return;
        };
        battery.read = now;
        battery.ails = battery.ails.filter(|(_, until)| now < *until);
        let ails = battery.ails.map(|(ails, _)| ails);
        if ails.is_some_and(|ails| !ails.is_harmless()) {
            (battery.ailed, battery.lied) = (now, now);
        }
        let look = battery.chips.look(now, &battery.cell, ails, mains);
        let felt = battery.chips.felt() || ails == Some(Ails::Stretched);
        if let Some(ails) = ails.filter(|_| felt) {
            *self.tally.power.ails.entry(ails).or_default() += 1;
        }
        if let Some(life) = &mut self.life {
            life.doubtful = look.doubtful;
            if ails.is_some_and(Ails::contradicts) {
                self.truth.by_current.contradicted_in = life.no;
            }
        }
        for fact in look.facts {
            self.send(Thread::Bus, fact);
        }
        if ails == Some(Ails::Stretched) {
            let until = now + self.rng.range(200, 4_000);
            self.stick(Thread::Bus, until);
        }
    }

    /// Time between two looks at the gauge.
    pub fn gauge_every(&self) -> u64 {
        let closely = self.life.as_ref().is_some_and(|l| l.closely || l.doubtful);
        if closely { CLOSELY } else { USUALLY }
    }

    /// How closely the gauge is to be looked at.
    pub fn watch_gauge(&mut self, closely: bool) {
        let Some(life) = &mut self.life else { return };
        life.closely = closely;
        if closely && self.truth.battery.is_some() {
            self.plan_poll(Thread::Bus, CLOSELY);
        }
    }

    /// Another daemon opens the bus.
    pub fn open_bus(&mut self) {
        let now = self.now;
        if let Some(battery) = &mut self.truth.battery {
            battery.chips.open();
            // Its first readings are believed when they agree.
            battery.ailed = battery.ailed.max(now);
            self.plan_poll(Thread::Bus, 100);
        }
    }
}
