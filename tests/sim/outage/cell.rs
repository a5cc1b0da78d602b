//! A battery of one cell: what is in it, and what its terminals show under a load.
//!
//! Whole numbers: charge in milliampere-milliseconds, so that a millisecond of a milliampere counts.

use crate::rng::Rng;

/// Terminal voltage at which the board switches off, in millivolts.
pub const EMPTY: i64 = 3_000;

/// How a cell gives way.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Kind {
    /// A straight line from full to empty; no real cell, but the easiest to be wrong about.
    Linear,
    /// A healthy lithium cell: flat in the middle, a knee at the end.
    Healthy,
    /// One with much inner resistance, more of it near the end.
    Sagging,
    /// One with little left of its capacity, and much resistance.
    Old,
}

/// Open voltage in millivolts at a state of charge in thousandths.
const HEALTHY: [(i64, i64); 8] = [
    (0, 3_000),
    (50, 3_350),
    (100, 3_500),
    (200, 3_620),
    (400, 3_720),
    (600, 3_850),
    (800, 4_000),
    (1_000, 4_190),
];
const LINEAR: [(i64, i64); 2] = [(0, 3_000), (1_000, 4_190)];

/// The cell.
#[derive(Clone, Debug)]
pub struct Cell {
    pub kind: Kind,
    /// What it holds, in milliampere-milliseconds.
    full: i64,
    charge: i64,
    /// Inner resistance in milliohms.
    resistance: i64,
    /// Current into it now, in milliamperes.
    pub current: i64,
}

impl Cell {
    pub fn of(rng: &mut Rng) -> Cell {
        Cell::sized(rng, (1_500, 5_000), (350, 1_000))
    }

    /// A small one, so that minutes empty it, and often with little left in it.
    pub fn small(rng: &mut Rng) -> Cell {
        let charge = rng.pick(&[(50, 300), (200, 1_000)]);
        Cell::sized(rng, (100, 400), charge)
    }

    /// One with so many milliampere-hours by its label, and so much left of it, in thousandths.
    fn sized(rng: &mut Rng, label: (u64, u64), charge: (u64, u64)) -> Cell {
        let kind = rng.pick(&[Kind::Linear, Kind::Healthy, Kind::Sagging, Kind::Old]);
        let label = rng.range(label.0, label.1).cast_signed();
        let (share, resistance) = match kind {
            Kind::Linear | Kind::Healthy => (1_000, rng.range(40, 90)),
            Kind::Sagging => (900, rng.range(120, 180)),
            Kind::Old => (400, rng.range(100, 160)),
        };
        let full = label * share / 1_000 * 3_600_000;
        Cell {
            kind,
            full,
            charge: full * rng.range(charge.0, charge.1).cast_signed() / 1_000,
            resistance: resistance.cast_signed(),
            current: 0,
        }
    }

    /// Holds so many times less.
    pub fn wear(&mut self, times: i64) {
        (self.full, self.charge) = (self.full / times, self.charge / times);
    }

    /// State of charge in thousandths.
    pub fn share(&self) -> i64 {
        (self.charge * 1_000 / self.full).clamp(0, 1_000)
    }

    /// Milliseconds until it is empty under this load.
    pub fn lasts(&self, load: i64) -> u64 {
        (self.charge / load.max(1)).max(0).cast_unsigned()
    }

    /// Milliamperes that empty it in this many minutes, and that it can carry: a quarter of a volt is
    /// lost inside at most, and less than half a volt when the load wanders.
    pub fn drain_of(&self, minutes: u64) -> i64 {
        (self.full / 60_000 / minutes.cast_signed()).min(250_000 / self.resistance)
    }

    /// Voltage at the terminals.
    pub fn voltage(&self) -> i64 {
        let table: &[(i64, i64)] = match self.kind {
            Kind::Linear => &LINEAR,
            Kind::Healthy | Kind::Sagging | Kind::Old => &HEALTHY,
        };
        let share = self.share();
        let open = table
            .windows(2)
            .find(|pair| share <= pair[1].0)
            .map_or(4_190, |pair| {
                let ((a, from), (b, to)) = (pair[0], pair[1]);
                from + (to - from) * (share - a) / (b - a)
            });
        // While it is charged its voltage rises all the time, as that of all cells.
        let worse = match self.kind {
            Kind::Sagging if share < 150 && self.current < 0 => 2,
            Kind::Linear | Kind::Healthy | Kind::Sagging | Kind::Old => 1,
        };
        open + self.current * self.resistance * worse / 1_000
    }

    pub fn is_empty(&self) -> bool {
        self.charge <= 0 || self.voltage() <= EMPTY
    }

    /// Lets time pass: on mains it is charged until it is full, else it carries the load.
    pub fn pass(&mut self, ms: u64, mains: bool, load: i64, noise: i64) {
        let room = self.full - self.charge;
        self.current = match mains {
            // Constant current, then less and less, then rest.
            true if room > self.full / 10 => (self.full / 3_600_000 / 2).min(1_000),
            true if room > self.full / 500 => self.full / 3_600_000 / 10,
            true => noise,
            false => -load,
        };
        self.charge = (self.charge + self.current * ms.cast_signed()).clamp(0, self.full);
    }
}
