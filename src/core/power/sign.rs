//! What the battery's current says of mains, where nothing else does.
//!
//! ```text
//!   out of the battery ──► gone      at rest, or into it ──► there      exactly zero ──► nothing
//! ```
//!
//! Two readings in a row must agree. A current that contradicts the voltage says nothing: a battery
//! that is charged does not fall all the time, one that is used does not rise. That is what the wrong
//! sign in a board file looks like, and a chip that lost its calibration reads zero.
//!
//! Terms: the *cut* is the moment at which current and voltage give way together. Nothing else does
//! that but a load that the battery takes over.

use super::gauge::{Gauge, STALE};
use super::low::DEAD_BAND;
use super::trend::Course;
use crate::units::Mono;
use std::time::Duration;

/// A charge that is less by this much than when the outage began has been used: 1%.
pub(super) const CHARGE_LOST: u16 = 10;

/// Current that the battery takes over at a cut, at least, in milliamperes. The smallest Pi takes it.
const TAKEN_OVER: i32 = 120;

/// By how much the voltage of a cell gives way then, at least, in millivolts. Twice the steps of the
/// coarsest gauge.
const GIVES_WAY: u32 = 8;

/// Time between a cut and the moment at which it was first seen, at most: two readings on mains.
const NEAR: Duration = Duration::from_secs(12);

/// What the current has said.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) struct Sign {
    /// What the latest reading said.
    latest: Option<bool>,
    /// When two in a row said the same.
    at: Option<Mono>,
    /// They have been silent since, and that was noticed.
    silent: bool,
    /// Current and voltage of the latest reading that had both.
    before: Option<(i32, u32)>,
    cut: Option<Mono>,
}

impl Sign {
    /// Takes a believed reading in; says whether there are mains, if it does.
    pub fn see(
        &mut self,
        now: Mono,
        gauge: Gauge,
        course: Option<Course>,
        cells: u8,
    ) -> Option<bool> {
        self.look_for_cut(now, gauge, cells);
        let current = gauge.current?.0;
        let denied = match course {
            Some(Course::Falling) => current > DEAD_BAND.0,
            Some(Course::Rising) => current < -DEAD_BAND.0,
            Some(Course::Steady) | None => false,
        };
        if current == 0 || denied {
            return None;
        }
        let present = current >= -DEAD_BAND.0;
        let agreed = self.latest.replace(present) == Some(present);
        if !agreed {
            return None;
        }
        self.at = Some(now);
        self.silent = false;
        Some(present)
    }

    fn look_for_cut(&mut self, now: Mono, gauge: Gauge, cells: u8) {
        let Some((current, voltage)) = gauge.current.zip(gauge.voltage) else {
            return;
        };
        if let Some((i, v)) = self.before.replace((current.0, voltage.0)) {
            let way = GIVES_WAY * u32::from(cells.max(1));
            // Both are bounded by what is plausible.
            let taken = i.saturating_sub(current.0);
            if taken >= TAKEN_OVER && v.saturating_sub(voltage.0) >= way {
                self.cut = Some(now);
            }
        }
    }

    /// It has said nothing for long. True once.
    pub fn falls_silent(&mut self, now: Mono) -> bool {
        let old = self.at.is_some_and(|at| now.since(at) >= STALE);
        let news = old && !self.silent;
        self.silent |= old;
        news
    }

    /// When it said something last.
    pub fn at(&self) -> Option<Mono> {
        self.at
    }

    /// The outage that began at `since` began with a cut.
    pub fn cut_near(&self, since: Mono) -> bool {
        self.cut
            .is_some_and(|cut| cut.after(NEAR) >= since && since.after(NEAR) >= cut)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::units::{Milliamps, Millivolts};

    fn gauge(current: i32, millivolts: u32) -> Gauge {
        Gauge {
            voltage: Some(Millivolts(millivolts)),
            charge: None,
            current: Some(Milliamps(current)),
        }
    }

    /// Two readings in a row count; rest is mains, zero is nothing, and so is what the voltage denies.
    #[test]
    fn what_a_current_says() {
        use Course::{Falling, Rising, Steady};
        for (current, course, said) in [
            (500, None, Some(true)),
            (51, Some(Rising), Some(true)),
            (51, Some(Falling), None),
            (50, Some(Falling), Some(true)),
            (1, None, Some(true)),
            (0, None, None),
            (-1, Some(Rising), Some(true)),
            (-50, None, Some(true)),
            (-51, None, Some(false)),
            (-51, Some(Falling), Some(false)),
            (-51, Some(Steady), Some(false)),
            (-51, Some(Rising), None),
        ] {
            let mut sign = Sign::default();
            let first = sign.see(Mono(0), gauge(current, 4_000), course, 1);
            let second = sign.see(Mono(1_000), gauge(current, 4_000), course, 1);
            assert_eq!((first, second), (None, said), "{current} mA, {course:?}");
        }
        let mut sign = Sign::default();
        for (current, said) in [
            (400, None),
            (-400, None),
            (400, None),
            (410, Some(true)),
            (0, None),
            (390, Some(true)),
            (-390, None),
            (-400, Some(false)),
        ] {
            let heard = sign.see(Mono(1_000), gauge(current, 4_000), None, 1);
            assert_eq!(heard, said, "{current} mA");
        }
    }

    /// Silence is told once, and again after it spoke again.
    #[test]
    fn silence() {
        let mut sign = Sign::default();
        assert!(!sign.falls_silent(Mono(u64::MAX)));
        for at in [0, 1_000, 100_000, 101_000] {
            sign.see(Mono(at), gauge(300, 4_000), None, 1);
        }
        assert!(!sign.falls_silent(Mono(115_999)));
        assert!(sign.falls_silent(Mono(116_000)));
        assert!(!sign.falls_silent(Mono(500_000)));
        sign.see(Mono(500_000), gauge(300, 4_000), None, 1);
        assert!(sign.falls_silent(Mono(515_000)));
    }

    /// A cut is current and voltage that give way together, near the beginning of the outage. Seen
    /// with the wrong sign, no change of the load looks like one.
    #[test]
    fn cuts() {
        let cut = |before: Gauge, after: Gauge, cells| {
            let mut sign = Sign::default();
            sign.see(Mono(95_000), before, None, cells);
            sign.see(Mono(100_000), after, None, cells);
            sign.cut_near(Mono(100_000))
        };
        assert!(cut(gauge(500, 4_150), gauge(-800, 4_020), 1));
        assert!(cut(gauge(0, 4_150), gauge(-120, 4_142), 1));
        assert!(!cut(gauge(0, 4_150), gauge(-119, 4_100), 1));
        assert!(!cut(gauge(500, 4_150), gauge(-800, 4_143), 1));
        assert!(!cut(gauge(500, 8_300), gauge(-800, 8_285), 2));
        assert!(cut(gauge(500, 8_300), gauge(-800, 8_284), 2));
        // The wrong sign: more load, less load, a real cut, a real return.
        for (before, after) in [
            (gauge(-500, 4_150), gauge(-100, 4_120)),
            (gauge(-100, 4_120), gauge(-500, 4_150)),
            (gauge(-500, 4_150), gauge(800, 4_020)),
            (gauge(800, 4_020), gauge(-500, 4_150)),
        ] {
            assert!(!cut(before, after, 1), "{before:?}, {after:?}");
        }
        let mut sign = Sign::default();
        sign.see(Mono(0), gauge(500, 4_150), None, 1);
        sign.see(Mono(5_000), gauge(-800, 4_020), None, 1);
        assert!(sign.cut_near(Mono(10_000)));
        assert!(!sign.cut_near(Mono(17_001)));
    }
}
