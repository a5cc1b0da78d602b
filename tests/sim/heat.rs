//! The ladder of temperature, and what is wished because of it: the invariants H1 to H3.
//!
//! They are told from the facts that the core has heard, and know nothing of how it decides.

use crate::checks::View;
use fieldwarden::core::HeatLevel;
use fieldwarden::core::fact::{Fact, Reading};
use fieldwarden::core::picture::Shed;
use fieldwarden::core::settings::Heat;
use fieldwarden::units::MilliCelsius;

/// Degrees below a limit at which a level can be left, in thousandths.
const MARGIN: i32 = 3_000;
/// Time on the highest level before anything is wished. In milliseconds.
const SHED_AFTER: u64 = 30_000;

/// What was heard of the temperature in this life.
#[derive(Default)]
pub struct Felt {
    level: Option<HeatLevel>,
    /// When each limit was last reached, as far as its release point.
    held: [Option<u64>; 3],
    /// Since when the highest level is stood on.
    critical: Option<u64>,
}

impl Felt {
    /// Takes a step in, and says what is wrong after it.
    pub fn heat_is_judged(&mut self, v: &View, limits: Heat) -> Result<(), String> {
        let before = self.level;
        let after = v.core.heat_level();
        self.level = after;
        let released = self.held;
        let reading = match v.fact {
            Fact::Seen(Reading::Temperature(t)) => Some(*t),
            _ => None,
        };
        if let Some(t) = reading {
            for (held, limit) in self.held.iter_mut().zip(of(limits)) {
                if t.0 >= limit.0.saturating_sub(MARGIN) {
                    *held = Some(v.now);
                }
            }
        }
        match after {
            Some(HeatLevel::Critical) => drop(self.critical.get_or_insert(v.now)),
            _ => self.critical = None,
        }
        let settle = u64::try_from(limits.settle.as_millis()).unwrap_or(u64::MAX);
        let too_low = reading.is_some_and(|t| {
            let reached = of(limits).iter().filter(|l| t >= **l).count();
            after.map(height) < Some(reached)
        });
        let left = before.map(height) > after.map(height);
        let left_early = left && {
            let level = before.map_or(0, height);
            released[level - 1].is_some_and(|at| v.now < at + settle)
        };
        let wished = v.core.picture().shed_for_heat != Shed::Nothing;
        let early = self.critical.is_none_or(|since| v.now < since + SHED_AFTER);
        for (wrong, what) in [
            (
                too_low,
                "H1: a limit was reached and its level is not stood on",
            ),
            (
                before != after && reading.is_none(),
                "H1: a level changed without a reading",
            ),
            (
                left_early,
                "H2: a level was left before it was cooler for long",
            ),
            (
                wished && early,
                "H3: services are to stop and it is not critical for long",
            ),
        ] {
            if wrong {
                return Err(format!("{what} ({before:?} to {after:?}, {reading:?})"));
            }
        }
        Ok(())
    }
}

fn of(limits: Heat) -> [MilliCelsius; 3] {
    [limits.warn, limits.hot, limits.critical]
}

fn height(level: HeatLevel) -> usize {
    match level {
        HeatLevel::Cool => 0,
        HeatLevel::Warm => 1,
        HeatLevel::Hot => 2,
        HeatLevel::Critical => 3,
    }
}
