//! Is the battery low? Two signs must agree.
//!
//! Terms: a *sign* is one observation that speaks for a low battery. Two of them are about its level
//! (charge, voltage), three about its being in use (mains gone, voltage falling, current out of it).
//!
//! One sign alone is a gauge that lies or a sag under load. Two signs of use are an outage, not a low
//! battery. So a level takes part always, and where nobody tells that mains are gone, one of use.

use super::gauge::Gauge;
use super::trend::Course;
use crate::core::settings::{Battery, Power};
use crate::units::{Milliamps, Millivolts, Permille};
use std::time::Duration;

/// Current out of the battery that counts as use; less in either direction is rest. A charger that
/// is done and the error of a gauge stay below it, the smallest Pi takes more.
pub(super) const DEAD_BAND: Milliamps = Milliamps(50);

/// What speaks for a low battery.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Signs {
    /// Mains are believed to be gone.
    pub lost: bool,
    /// The charge is at its low limit.
    pub charge: bool,
    /// The voltage is at its low limit.
    pub voltage: bool,
    /// The voltage has been falling all the time.
    pub falling: bool,
    /// Current flows out of the battery.
    pub draining: bool,
    /// Different things that were measured to know all this: the line or the current for mains,
    /// charge, voltage, current.
    pub sources: u8,
}

/// Nothing flows worth mentioning; never where that is not known. Exactly zero is what a chip says
/// that has lost its calibration.
pub(super) fn at_rest(gauge: Gauge) -> bool {
    gauge
        .current
        .is_some_and(|c| c.0 != 0 && c.0.abs() <= DEAD_BAND.0)
}

fn at_most<T: PartialOrd>(value: Option<T>, limit: Option<T>) -> bool {
    value
        .zip(limit)
        .is_some_and(|(value, limit)| value <= limit)
}

/// How long, and in how many readings, the signs must agree.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Proof {
    pub lasting: Duration,
    pub readings: u32,
}

impl Signs {
    /// What speaks for it now. `lost`: mains are believed to be gone. `line`: something tells of them
    /// alone.
    pub(super) fn of(
        gauge: Gauge,
        course: Option<Course>,
        lost: bool,
        line: bool,
        limits: &Limits,
    ) -> Signs {
        let known = [
            line,
            gauge.charge.is_some(),
            gauge.voltage.is_some(),
            gauge.current.is_some(),
        ];
        Signs {
            lost,
            charge: at_most(gauge.charge, limits.charge),
            voltage: at_most(gauge.voltage, limits.voltage),
            // At rest a full battery relaxes, which is no use of it.
            falling: course == Some(Course::Falling) && !at_rest(gauge),
            // Out of a battery whose voltage rises all the time: the sign is wrong.
            draining: gauge.current.is_some_and(|c| c.0 < -DEAD_BAND.0)
                && course != Some(Course::Rising),
            // At most four.
            sources: known.into_iter().map(u8::from).sum(),
        }
    }

    /// The battery is at a low level, whatever else holds.
    pub(super) fn level(self) -> bool {
        self.charge || self.voltage
    }

    /// The signs agree.
    pub(super) fn agree(self) -> bool {
        let signs = [
            self.lost,
            self.charge,
            self.voltage,
            self.falling,
            self.draining,
        ];
        let used = self.lost || self.falling || self.draining;
        self.level() && used && signs.into_iter().filter(|s| *s).count() >= 2
    }

    /// How long they must.
    pub(super) fn proof(self) -> Proof {
        match self.sources {
            0 | 1 => Proof {
                lasting: Duration::from_secs(30),
                readings: 10,
            },
            2.. => Proof {
                lasting: Duration::from_secs(5),
                readings: 3,
            },
        }
    }
}

/// From where on a level is low.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) struct Limits {
    pub charge: Option<Permille>,
    pub voltage: Option<Millivolts>,
}

impl Limits {
    /// A battery that was low on mains is no more, by a margin.
    pub fn recovered(&self, gauge: Gauge) -> bool {
        let charge = self.charge.map(|limit| Permille(limit.0 + 50));
        let voltage = self.voltage.map(|limit| Millivolts(limit.0 + limit.0 / 50));
        !at_most(gauge.charge, charge) && !at_most(gauge.voltage, voltage)
    }

    /// The battery is low by all that can be told of its level, and by its voltage at least.
    pub fn all(&self, gauge: Gauge) -> bool {
        let charge = gauge.charge.is_none() || at_most(gauge.charge, self.charge);
        charge && at_most(gauge.voltage, self.voltage)
    }

    /// What the configuration says, or else the board.
    pub fn of(power: &Power, battery: Option<&Battery>) -> Limits {
        Limits {
            charge: power.low_charge.or(battery.and_then(|b| b.low_charge)),
            voltage: battery.map(|b| b.low),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: Limits = Limits {
        charge: Some(Permille(150)),
        voltage: Some(Millivolts(3_300)),
    };

    fn gauge(charge: u16, voltage: u32, current: i32) -> Gauge {
        Gauge {
            charge: Some(Permille(charge)),
            voltage: Some(Millivolts(voltage)),
            current: Some(Milliamps(current)),
        }
    }

    /// Every set of signs: a level takes part, one of use takes part, and two there are.
    #[test]
    fn every_set_of_signs() {
        let mut agreed = 0;
        for bits in 0..32u8 {
            let bit = |n: u8| bits & (1 << n) != 0;
            let signs = Signs {
                lost: bit(0),
                charge: bit(1),
                voltage: bit(2),
                falling: bit(3),
                draining: bit(4),
                sources: 2,
            };
            let level = bit(1) || bit(2);
            let used = bit(0) || bit(3) || bit(4);
            assert_eq!(signs.agree(), level && used, "{signs:?}");
            agreed += u8::from(signs.agree());
        }
        assert_eq!(agreed, 21);
    }

    /// What is read becomes a sign at its limit, not above it; what is not read is none.
    #[test]
    fn signs_at_their_limits() {
        let of = |g, course| Signs::of(g, course, true, true, &LIMITS);
        let at = of(gauge(150, 3_300, -51), Some(Course::Falling));
        assert!(at.charge && at.voltage && at.falling && at.draining && at.lost);
        assert_eq!(at.sources, 4);
        let above = of(gauge(151, 3_301, -50), Some(Course::Steady));
        assert!(!above.charge && !above.voltage && !above.falling && !above.draining);
        let nothing = of(Gauge::default(), None);
        assert!(!nothing.level() && !nothing.agree());
        assert_eq!(nothing.sources, 1);
        // A current that the voltage denies is no sign.
        assert!(!of(gauge(150, 3_300, -51), Some(Course::Rising)).draining);
    }

    /// One source has to say it for longer.
    #[test]
    fn one_source_needs_more_proof() {
        let one = Signs::of(gauge(100, 3_200, 0), None, false, false, &LIMITS);
        assert_eq!(one.proof().readings, 3);
        let voltage = Gauge {
            voltage: Some(Millivolts(3_200)),
            ..Gauge::default()
        };
        let one = Signs::of(voltage, Some(Course::Falling), false, false, &LIMITS);
        assert!(one.agree());
        assert_eq!((one.sources, one.proof().readings), (1, 10));
        assert_eq!(one.proof().lasting, Duration::from_secs(30));
    }

    /// A charge that is told has to agree with the voltage; a voltage has to be told.
    #[test]
    fn low_by_all_that_is_told() {
        for (charge, voltage, low) in [
            (Some(150), Some(3_300), true),
            (Some(151), Some(3_300), false),
            (Some(150), Some(3_301), false),
            (None, Some(3_300), true),
            (Some(150), None, false),
        ] {
            let gauge = Gauge {
                charge: charge.map(Permille),
                voltage: voltage.map(Millivolts),
                current: None,
            };
            assert_eq!(LIMITS.all(gauge), low, "{gauge:?}");
        }
    }

    /// A battery that charges is low no more only some way above the limits.
    #[test]
    fn recovery_has_a_margin() {
        assert!(!LIMITS.recovered(gauge(200, 3_500, 500)));
        assert!(!LIMITS.recovered(gauge(300, 3_366, 500)));
        assert!(LIMITS.recovered(gauge(201, 3_367, 500)));
    }
}
