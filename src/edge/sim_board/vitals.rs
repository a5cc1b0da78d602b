//! The simulated body of the board: slow heat, a little noise, and whatever the knobs say.
//!
//! All in whole numbers, and every deviation is computed from seed and time alone, so it does not
//! matter how often somebody looks.

use crate::core::fact::{MountId, Reading, Shown, ThrottleFlag, ThrottleFlags};
use crate::units::{MilliCelsius, Milliamps, Millivolts, Mono, Permille, Wall};
use jiff::Timestamp;
use std::time::Duration;

/// Length of one step of the thermal model, in milliseconds. Shorter costs time, longer shows
/// stairs.
const STEP: u64 = 100;

/// Steps in which 63% of a difference in temperature are gone: 20 s, as on a bare board.
const INERTIA: i64 = 200;

/// Steps after which the temperature has arrived wherever it was going; bounds the work after a
/// long pause. 600 s.
const ARRIVED: u64 = 6_000;

/// Temperature of an idle board in a room, in millionths of a degree Celsius.
const IDLE: i64 = 42_000_000;

/// What one hundredth of load adds, in millionths of a degree: 25 degrees for a busy processor.
const HEAT_OF_LOAD: i64 = 250_000;

/// Hottest that the processor gets, in millionths of a degree: at 85 degrees a Pi's firmware slows it
/// down (raspberrypi.com/documentation, frequency management), and that is enough in any case.
const HOTTEST: i64 = 88_000_000;

/// Farthest that the room's temperature drifts, in millionths of a degree.
const DRIFT: u64 = 1_500_000;

/// From here on the firmware caps the frequency, in millionths of a degree (Raspberry Pi
/// documentation, frequency management).
const SOFT_LIMIT: i64 = 80_000_000;

/// From here on it throttles as much as it can.
const HARD_LIMIT: i64 = 85_000_000;

/// Time between two turns of the drift, in milliseconds.
const DRIFT_TURN: u64 = 64_000;

/// Farthest that one reading lies from the truth, in thousandths of a degree.
const NOISE: u64 = 150;

/// What the clock shows when the board is switched on, in seconds of the epoch: noon of some day,
/// so that it is seen to be none of the machine's own.
const SWITCHED_ON: i64 = 1_767_268_800;

/// Time in which the battery runs the board from full to empty: two hours, as two cells do.
const RUN: Duration = Duration::from_secs(7_200);

/// Time in which it charges from empty to full.
const CHARGE: Duration = Duration::from_secs(14_400);

/// A whole battery, in millionths.
const FULL: u64 = 1_000_000;

/// Voltage of an empty cell, and what a full one has more, in millivolts. The way between them is a
/// straight line here; that of a real cell is none.
const EMPTY: u64 = 3_000;
const RISE: u64 = 1_200;

/// What the voltage falls while the cell runs the board, in millivolts.
const SAG: u64 = 60;

/// Current out of the battery, and into it, in milliamperes.
const DRAWN: i32 = -1_400;
const FED: i32 = 700;

/// Kinds of deviation, so that they differ from each other.
mod stream {
    pub const DRIFT: u64 = 1;
    pub const TEMPERATURE: u64 = 2;
    pub const MEMORY: u64 = 3;
    pub const LOAD: u64 = 4;
}

/// The vital signs and what they follow.
#[derive(Debug)]
pub struct Body {
    seed: u64,
    /// When it was switched on, and how late it is.
    since: Mono,
    now: Mono,
    /// Number of the thermal step that the body has reached.
    step: u64,
    /// Temperature of the processor, in millionths of a degree Celsius.
    micro: i64,
    pub heat: MilliCelsius,
    pub load: u32,
    pub memory: Permille,
    pub space: Permille,
    pub read_only: bool,
    pub synced: bool,
    /// By how much the clock was set ahead of the true time.
    pub ahead: Duration,
    mains: bool,
    /// What was left in the battery when mains last came or went, in millionths.
    charge: u64,
    /// When that was.
    turned: Mono,
    under_voltage: bool,
    /// What the firmware says, with what has occurred.
    throttle: ThrottleFlags,
}

impl Body {
    pub fn new(seed: u64, now: Mono) -> Body {
        let mut body = Body {
            seed,
            since: now,
            now,
            step: now.0 / STEP,
            micro: 0,
            heat: MilliCelsius(0),
            load: 12,
            memory: Permille(640),
            space: Permille(710),
            read_only: false,
            synced: true,
            ahead: Duration::ZERO,
            mains: true,
            charge: FULL,
            turned: now,
            under_voltage: false,
            throttle: ThrottleFlags::default(),
        };
        body.micro = body.target(body.step);
        body
    }

    /// Lets time pass.
    pub fn pass(&mut self, now: Mono) {
        self.now = now;
        let until = now.0 / STEP;
        if until.saturating_sub(self.step) > ARRIVED {
            self.micro = self.target(until).min(HOTTEST);
            self.step = until;
        }
        while self.step < until {
            self.step += 1;
            self.micro += (self.target(self.step) - self.micro) / INERTIA;
            self.micro = self.micro.min(HOTTEST);
        }
        self.watch_itself();
    }

    /// The firmware looks at voltage and temperature. Everything that it finds has occurred.
    fn watch_itself(&mut self) {
        let hot = self.micro >= SOFT_LIMIT;
        let very_hot = self.micro >= HARD_LIMIT;
        let found = [
            (ThrottleFlag::UnderVoltage, self.under_voltage),
            (ThrottleFlag::FrequencyCapped, hot || self.under_voltage),
            (ThrottleFlag::Throttled, very_hot || self.under_voltage),
            (ThrottleFlag::SoftLimit, hot),
        ];
        let history = ThrottleFlags(self.throttle.0 & !0xffff);
        let set = found.into_iter().filter(|(_, found)| *found);
        self.throttle = set.fold(history, |flags, (flag, _)| flags.with_now(flag));
    }

    pub fn set_under_voltage(&mut self, low: bool) {
        self.under_voltage = low;
        self.watch_itself();
    }

    pub fn clear_throttle_history(&mut self) {
        self.throttle = ThrottleFlags(self.throttle.0 & 0xffff);
        self.watch_itself();
    }

    pub fn throttle(&self) -> Reading {
        Reading::Throttle(self.throttle)
    }

    pub fn temperature(&self) -> Reading {
        let noise = self.deviation(stream::TEMPERATURE, self.step, NOISE);
        let milli = (self.micro / 1000 + noise).clamp(-40_000, 150_000);
        // In range by the line above.
        Reading::Temperature(MilliCelsius(i32::try_from(milli).unwrap_or(0)))
    }

    pub fn memory(&self) -> Reading {
        let noise = self.deviation(stream::MEMORY, self.step, 2);
        let permille = (i64::from(self.memory.0) + noise).clamp(0, 1000);
        // In range by the line above.
        let available = Permille(u16::try_from(permille).unwrap_or(0));
        Reading::Memory { available }
    }

    pub fn load(&self) -> Reading {
        let noise = self.deviation(stream::LOAD, self.step, 2);
        let load = (i64::from(self.load) + noise).max(0);
        Reading::Load {
            centi_per_cpu: u32::try_from(load).unwrap_or(u32::MAX),
        }
    }

    pub fn clock(&self) -> Reading {
        let time = Wall::new(self.wall().as_second());
        Reading::Clock {
            synced: self.synced,
            shown: time.map(|time| Shown { time, at: self.now }),
        }
    }

    pub fn mains(&self) -> Reading {
        let present = self.mains;
        Reading::Mains { present }
    }

    pub fn set_mains(&mut self, present: bool) {
        self.charge = self.charge();
        self.turned = self.now;
        self.mains = present;
    }

    pub fn set_charge(&mut self, left: Permille) {
        self.charge = u64::from(left.0.min(1000)) * FULL / 1000;
        self.turned = self.now;
    }

    /// What is left in the battery now, in millionths.
    fn charge(&self) -> u64 {
        let passed = self.now.since(self.turned).as_millis();
        let share = |whole: Duration| {
            let share = passed * u128::from(FULL) / whole.as_millis();
            u64::try_from(share).unwrap_or(u64::MAX)
        };
        match self.mains {
            true => self.charge.saturating_add(share(CHARGE)).min(FULL),
            false => self.charge.saturating_sub(share(RUN)),
        }
    }

    pub fn gauge(&self) -> Reading {
        let sag = if self.mains { 0 } else { SAG };
        let charge = self.charge();
        let millivolts = EMPTY + RISE * charge / FULL - sag;
        let current = match (self.mains, charge) {
            (false, _) => DRAWN,
            (true, FULL) => 0,
            (true, _) => FED,
        };
        Reading::Gauge {
            voltage: u32::try_from(millivolts).ok().map(Millivolts),
            charge: u16::try_from(charge * 1000 / FULL).ok().map(Permille),
            current: Some(Milliamps(current)),
        }
    }

    /// What the clock shows.
    pub fn wall(&self) -> Timestamp {
        let passed = self.now.since(self.since).saturating_add(self.ahead);
        // Far in the future a clock stands still: no board runs that long.
        let start = Timestamp::from_second(SWITCHED_ON).unwrap_or(Timestamp::MAX);
        start.checked_add(passed).unwrap_or(Timestamp::MAX)
    }

    pub fn mount(&self, mount: MountId) -> Reading {
        Reading::Mount {
            mount,
            space: self.space,
            inodes: Some(Permille(900)),
            read_only: self.read_only,
            errors: 0,
        }
    }

    /// The temperature that the processor would arrive at, in millionths of a degree.
    fn target(&self, step: u64) -> i64 {
        IDLE + self.drift(step.saturating_mul(STEP))
            + i64::from(self.load) * HEAT_OF_LOAD
            + i64::from(self.heat.0) * 1000
    }

    /// The room's deviation: straight lines between turns.
    fn drift(&self, millis: u64) -> i64 {
        let turn = millis / DRIFT_TURN;
        let from = self.deviation(stream::DRIFT, turn, DRIFT);
        let to = self.deviation(stream::DRIFT, turn + 1, DRIFT);
        // Both fit: a turn is 64000 ms long.
        let [along, whole] = [millis % DRIFT_TURN, DRIFT_TURN].map(u64::cast_signed);
        from + (to - from) * along / whole
    }

    /// A number between `-most` and `most` that depends on the seed, a stream and an index alone.
    fn deviation(&self, stream: u64, index: u64, most: u64) -> i64 {
        let mixed = mix(self.seed ^ mix(stream) ^ mix(index.wrapping_mul(2).wrapping_add(1)));
        // Both are far below 2^63.
        (mixed % (2 * most + 1)).cast_signed() - most.cast_signed()
    }
}

/// Makes unlike numbers of like ones: the finalizer of the `SplitMix64` generator.
fn mix(number: u64) -> u64 {
    let mut z = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}
