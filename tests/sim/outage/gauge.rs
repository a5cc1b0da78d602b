//! The battery's gauge, and what may be wrong with it.

use super::cell::Cell;
use crate::rng::Rng;
use fieldwarden::chip::{self, Sample};
use fieldwarden::core::fact::{Errno, Fact, Fault, Source};
use fieldwarden::edge;
use fieldwarden::units::{Milliamps, Millivolts, Permille};

/// What a gauge does wrong for a while.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Wrong {
    /// The charge is zero.
    StuckEmpty,
    /// The charge is all there is.
    StuckFull,
    /// All registers are zero.
    Zeros,
    /// All registers are ones.
    Ones,
    /// The current has the other sign.
    SignFlip,
    /// The bytes of each word change places.
    ByteSwap,
    /// Most transfers are not acknowledged.
    NakBurst,
    /// No transfer comes back at all.
    LockUp,
    /// The registers do not change any more.
    Frozen,
    /// A current of zero: the calibration was lost.
    NoCurrent,
}

impl Wrong {
    pub const ALL: [Wrong; 10] = [
        Wrong::StuckEmpty,
        Wrong::StuckFull,
        Wrong::Zeros,
        Wrong::Ones,
        Wrong::SignFlip,
        Wrong::ByteSwap,
        Wrong::NakBurst,
        Wrong::LockUp,
        Wrong::Frozen,
        Wrong::NoCurrent,
    ];

    /// The voltage that is read is still the battery's.
    pub fn spares_voltage(self) -> bool {
        matches!(
            self,
            Wrong::StuckEmpty | Wrong::StuckFull | Wrong::SignFlip | Wrong::NoCurrent
        )
    }
}

/// What it measures, and how well.
#[derive(Clone, Debug)]
pub struct Gauge {
    pub charge: bool,
    pub current: bool,
    /// Steps of its voltage in millivolts.
    step: i64,
    /// It says this much more or less charge than there is, in thousandths.
    bias: i64,
    /// What it said before, as long as it was well.
    before: Option<[u16; 3]>,
}

impl Gauge {
    pub fn of(rng: &mut Rng) -> Gauge {
        let (charge, current) = rng.pick(&[(true, false), (false, true), (true, true)]);
        Gauge {
            charge,
            current,
            step: rng.pick(&[1, 1, 4]),
            bias: rng.range(0, 80).cast_signed() - 40,
            before: None,
        }
    }

    /// What a poll brings, `None` if it does not come back; and whether that is not the truth. `dip`:
    /// so much less charge than it would say otherwise, because of a load.
    pub fn read(
        &mut self,
        cell: &Cell,
        (wrong, dip): (Option<Wrong>, i64),
        rng: &mut Rng,
    ) -> (Option<Fact>, bool) {
        let noise = rng.range(0, 6).cast_signed() - 3;
        let volts = (cell.voltage() + noise) / self.step * self.step;
        let charge = (cell.share() + self.bias - dip).clamp(0, 1_000);
        let current = cell.current + noise;
        let word = |n: i64| u16::try_from(n.clamp(0, 65_535)).unwrap_or(0);
        // As registers, each a word: volts in 1.25 mV/16, charge in 1/256 %, current with an offset.
        let truth = [
            word(volts * 16 * 4 / 5),
            word(charge * 256 / 10),
            word(current + 32_768),
        ];
        let words = match wrong {
            Some(Wrong::NakBurst) if rng.chance(90) => {
                let nobody_answers = Fact::Lost {
                    source: Source::Gauge,
                    why: Fault::Errno(Errno(121)),
                };
                return (Some(nobody_answers), true);
            }
            Some(Wrong::LockUp) => return (None, true),
            Some(Wrong::Frozen) => self.before.unwrap_or(truth),
            Some(Wrong::Zeros) => [0, 0, 32_768],
            Some(Wrong::Ones) => [65_535, 65_535, 32_767],
            Some(Wrong::ByteSwap) => truth.map(u16::swap_bytes),
            Some(Wrong::StuckEmpty) => [truth[0], 0, truth[2]],
            Some(Wrong::StuckFull) => [truth[0], 25_600, truth[2]],
            Some(Wrong::SignFlip) => [truth[0], truth[1], word(32_768 - current)],
            Some(Wrong::NoCurrent) => [truth[0], truth[1], 32_768],
            Some(Wrong::NakBurst) | None => truth,
        };
        if wrong.is_none() {
            self.before = Some(words);
        }
        let said = self.sample(words);
        (Some(told(said)), said != self.sample(truth))
    }

    fn sample(&self, [volts, charge, current]: [u16; 3]) -> Sample {
        Sample {
            voltage: Some(Millivolts(u32::from(volts) * 5 / 4 / 16)),
            charge: self
                .charge
                .then(|| Permille(u16::try_from(u32::from(charge) * 10 / 256).unwrap_or(u16::MAX))),
            current: self.current.then(|| Milliamps(i32::from(current) - 32_768)),
        }
    }
}

/// What becomes of a sample on its way to the core: what no battery says does not get there.
fn told(sample: Sample) -> Fact {
    edge::gauge::told(chip::judge(sample, 1).map_err(|_| Fault::Implausible))
}
