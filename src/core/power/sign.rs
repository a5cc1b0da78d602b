//! What the battery's current says of mains, where nothing else does.
//!
//! ```text
//!   out of the battery ──► gone      at rest, or into it ──► there
//!   exactly zero ──► at rest, if it just was; else nothing
//! ```
//!
//! Two readings in a row must agree. A current that contradicts the voltage says nothing: a battery
//! that is charged does not fall all the time, one that is used does not rise. That is what the wrong
//! sign in a board file looks like, and a chip that lost its calibration reads zero. A contradiction
//! that has lasted is remembered: the sign is *distrusted* until the voltage bears it out. Jumps count
//! as well: current and voltage jump the same way, whatever the load does, or the sign is wrong.
//!
//! Terms: the *cut* is the moment at which current and voltage give way together. Nothing else does
//! that but a load that the battery takes over.

use super::gauge::{Gauge, STALE};
use super::low::DEAD_BAND;
use super::trend::Course;
use crate::units::{Milliamps, Mono};
use std::time::Duration;

/// A charge that is less by this much than when the outage began has been used: 1%.
pub(super) const CHARGE_LOST: u16 = 10;

/// Current that the battery takes over at a cut, at least, in milliamperes. The smallest Pi takes it.
const TAKEN_OVER: i32 = 120;

/// By how much the voltage of a cell gives way then, at least, in millivolts. Less is the noise of a
/// coarse gauge, which a sign that turns about by itself may meet.
const GIVES_WAY: u32 = 20;

/// A contradiction, or its opposite, counts after this time.
const LASTING: Duration = Duration::from_secs(30);

/// Zeros are a battery at rest for this long after it was seen to be. Shorter: full batteries on mains
/// are unknown now and then. Longer: a chip that loses its calibration just then hides a cut.
const ZERO_RESTS: Duration = Duration::from_secs(600);

/// Times that current and voltage must jump apart for the same.
const APART: u8 = 2;

/// Time between a cut and the moment at which it was first seen, at most: two readings on mains.
const NEAR: Duration = Duration::from_secs(12);

/// What the current has said.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Sign {
    /// Current out of the battery that does not count.
    band: Milliamps,
    /// What the latest reading said, if it said anything.
    said: Option<bool>,
    /// What the latest reading said that said anything, and was not denied.
    latest: Option<bool>,
    /// When two in a row said the same.
    at: Option<Mono>,
    /// They have been silent since, and that was noticed.
    silent: bool,
    /// Since when the voltage denies it, or bears it out.
    against: Option<Mono>,
    along: Option<Mono>,
    /// When a current near zero, though not zero, was measured last, and nothing else since.
    rest: Option<Mono>,
    /// The latest voltage.
    voltage: Option<u32>,
    /// Jumps of current and voltage in opposite ways.
    apart: u8,
    /// The current before such a jump, which counts if the next reading does not take it back.
    odd: Option<i32>,
    /// It was denied for long, or by jumps, and not borne out since.
    distrusted: bool,
    /// Current and voltage of the latest reading that had both, and when that was.
    before: Option<(Mono, i32, u32)>,
    cut: Option<Mono>,
    /// When the gauge last said what no battery says.
    blurred: Option<Mono>,
}

impl Default for Sign {
    fn default() -> Self {
        Sign::new(DEAD_BAND)
    }
}

impl Sign {
    pub fn new(band: Milliamps) -> Sign {
        Sign {
            band,
            said: None,
            latest: None,
            at: None,
            silent: false,
            against: None,
            along: None,
            rest: None,
            voltage: None,
            apart: 0,
            odd: None,
            distrusted: false,
            before: None,
            cut: None,
            blurred: None,
        }
    }

    /// Takes a believed reading in; says whether there are mains, if it does. `sound`: the gauge has
    /// talked no nonsense of late.
    pub fn see(
        &mut self,
        now: Mono,
        gauge: Gauge,
        course: Option<Course>,
        cells: u8,
        sound: bool,
    ) -> Option<bool> {
        self.look_at_jump(now, gauge, cells, sound);
        let current = gauge.current?.0;
        let denied = self.compare(now, current, course);
        let rests = self.rests(now, current);
        if self.distrusted {
            // What it said before is not one of two in a row when it is believed again.
            self.latest = None;
            return None;
        }
        if current == 0 && !rests || denied {
            return None;
        }
        let present = current >= -self.band.0;
        let agreed = self.latest.replace(present) == Some(present);
        if !agreed {
            return None;
        }
        self.at = Some(now);
        self.silent = false;
        Some(present)
    }

    /// The battery is at rest. A zero says so only for a while after something near it was measured,
    /// and while the voltage stays where it is.
    fn rests(&mut self, now: Mono, current: i32) -> bool {
        if current != 0 {
            let rest = current.abs() <= self.band.0;
            self.rest = rest.then_some(now);
        }
        self.rests_still(now)
    }

    /// It was seen to be at rest a while ago, and nothing speaks against that.
    fn rests_still(&self, now: Mono) -> bool {
        self.rest.is_some_and(|at| now.since(at) < ZERO_RESTS)
    }

    /// Compares the current with the voltage; says whether they contradict each other now.
    fn compare(&mut self, now: Mono, current: i32, course: Option<Course>) -> bool {
        let (into, out) = (current > self.band.0, current < -self.band.0);
        let (against, along) = match course {
            Some(Course::Falling) => (into, out),
            Some(Course::Rising) => (out, into),
            Some(Course::Steady) | None => (false, false),
        };
        self.against = self.against.or(Some(now)).filter(|_| against);
        self.along = self.along.or(Some(now)).filter(|_| along);
        let lasts = |since: Option<Mono>| since.is_some_and(|s| now.since(s) >= LASTING);
        if lasts(self.against) {
            self.distrusted = true;
        } else if lasts(self.along) {
            self.trust();
        }
        against
    }

    fn trust(&mut self) {
        self.distrusted = false;
        self.apart = 0;
    }

    /// It has been denied by the voltage, and not borne out since.
    pub fn distrusted(&self) -> bool {
        self.distrusted
    }

    /// This reading says something else than the one before, or something after one that said nothing.
    pub fn turns(&mut self, gauge: Gauge) -> bool {
        let says = gauge
            .current
            .filter(|c| c.0 != 0)
            .map(|c| c.0 >= -self.band.0);
        let before = std::mem::replace(&mut self.said, says);
        says.is_some() && says != before
    }

    /// What the latest reading said.
    pub fn latest(&self) -> Option<bool> {
        self.latest
    }

    fn look_at_jump(&mut self, now: Mono, gauge: Gauge, cells: u8, sound: bool) {
        let way = GIVES_WAY * u32::from(cells.max(1));
        if let Some(v) = gauge.voltage {
            let before = self.voltage.replace(v.0);
            let gave_way = before.is_some_and(|b| b.saturating_sub(v.0) >= way);
            self.rest = self.rest.filter(|_| !gave_way);
        }
        let Some((current, voltage)) = gauge.current.zip(gauge.voltage) else {
            return;
        };
        // Exactly zero is what a chip says that has lost its calibration, and a full battery as well.
        let (i, v) = (current.0, voltage.0);
        let known = i != 0 || self.rests_still(now);
        let before = std::mem::replace(&mut self.before, known.then_some((now, i, v)));
        let before = before.filter(|(at, ..)| known && now.since(*at) < STALE);
        if let Some(was) = self.odd.take() {
            // One reading of which a bit was lost jumps there and back.
            if was.abs_diff(i) < TAKEN_OVER.unsigned_abs() {
                return;
            }
            self.apart = self.apart.saturating_add(1);
            self.distrusted |= self.apart >= APART;
        }
        if let Some((_, i, v)) = before {
            let (down, up) = (v.saturating_sub(voltage.0), voltage.0.saturating_sub(v));
            let (less, more) = (i.saturating_sub(current.0), current.0.saturating_sub(i));
            let (falls, rises) = (down >= way, up >= way);
            if falls && less >= TAKEN_OVER || rises && more >= TAKEN_OVER {
                self.trust();
                // Less of a charge is not a cut yet: after that the battery carries the load.
                let carries = falls && current.0 < -self.band.0;
                self.cut = if carries { Some(now) } else { self.cut };
            } else if sound && (falls && more >= TAKEN_OVER || rises && less >= TAKEN_OVER) {
                self.odd = Some(i);
            }
        }
    }

    /// The gauge talks nonsense: what it says next is not compared with what it said before, or bytes
    /// in the wrong order that happen to make sense would look like a cut.
    pub fn lose_sight(&mut self) {
        self.before = None;
        self.odd = None;
    }

    /// The gauge says what no battery says.
    pub fn blur(&mut self, now: Mono) {
        self.blurred = Some(now);
    }

    /// That was a moment ago: no outage is begun for the sake of a current.
    pub fn is_blurred(&self, now: Mono) -> bool {
        self.blurred.is_some_and(|at| now.since(at) < STALE)
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
    use crate::units::Millivolts;

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
            let first = sign.see(Mono(0), gauge(current, 4_000), course, 1, true);
            let second = sign.see(Mono(1_000), gauge(current, 4_000), course, 1, true);
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
            let heard = sign.see(Mono(1_000), gauge(current, 4_000), None, 1, true);
            assert_eq!(heard, said, "{current} mA");
        }
    }

    /// Silence is told once, and again after it spoke again.
    #[test]
    fn silence() {
        let mut sign = Sign::default();
        assert!(!sign.falls_silent(Mono(u64::MAX)));
        for at in [0, 1_000, 100_000, 101_000] {
            sign.see(Mono(at), gauge(300, 4_000), None, 1, true);
        }
        assert!(!sign.falls_silent(Mono(115_999)));
        assert!(sign.falls_silent(Mono(116_000)));
        assert!(!sign.falls_silent(Mono(500_000)));
        sign.see(Mono(500_000), gauge(300, 4_000), None, 1, true);
        assert!(sign.falls_silent(Mono(515_000)));
    }

    /// A cut is current and voltage that give way together, near the beginning of the outage. Seen
    /// with the wrong sign, no change of the load looks like one.
    #[test]
    fn cuts() {
        let cut = |before: Gauge, after: Gauge, cells| {
            let mut sign = Sign::default();
            sign.see(Mono(95_000), before, None, cells, true);
            sign.see(Mono(100_000), after, None, cells, true);
            sign.cut_near(Mono(100_000))
        };
        assert!(cut(gauge(500, 4_150), gauge(-800, 4_020), 1));
        assert!(cut(gauge(1, 4_150), gauge(-119, 4_130), 1));
        assert!(!cut(gauge(1, 4_150), gauge(-118, 4_100), 1));
        assert!(!cut(gauge(500, 4_150), gauge(-800, 4_131), 1));
        assert!(!cut(gauge(900, 4_150), gauge(200, 4_100), 1));
        assert!(!cut(gauge(900, 4_150), gauge(-50, 4_100), 1));
        assert!(cut(gauge(900, 4_150), gauge(-51, 4_100), 1));
        assert!(!cut(gauge(500, 8_300), gauge(-800, 8_261), 2));
        assert!(cut(gauge(500, 8_300), gauge(-800, 8_260), 2));
        assert!(!cut(gauge(0, 4_150), gauge(-800, 4_000), 1));
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
        sign.see(Mono(0), gauge(500, 4_150), None, 1, true);
        sign.see(Mono(5_000), gauge(-800, 4_020), None, 1, true);
        assert!(sign.cut_near(Mono(10_000)));
        assert!(!sign.cut_near(Mono(17_001)));
        // What follows nonsense is compared with nothing.
        let mut sign = Sign::default();
        sign.see(Mono(95_000), gauge(500, 4_150), None, 1, true);
        sign.lose_sight();
        assert!(!sign.is_blurred(Mono(95_000)));
        sign.blur(Mono(95_000));
        assert!(sign.is_blurred(Mono(109_999)) && !sign.is_blurred(Mono(110_000)));
        sign.see(Mono(100_000), gauge(-800, 4_020), None, 1, true);
        assert!(!sign.cut_near(Mono(100_000)));
    }

    /// A contradiction that lasts makes the sign distrusted, whatever comes between, until the voltage
    /// bears it out for as long.
    #[test]
    fn distrust() {
        use Course::{Falling, Steady};
        let mut sign = Sign::default();
        let mut see = |second: u64, current, course| {
            sign.see(
                Mono(second * 1000),
                gauge(current, 4_000),
                Some(course),
                1,
                true,
            );
            sign.distrusted()
        };
        assert!(!see(0, 500, Falling));
        assert!(!see(29, 500, Falling));
        assert!(!see(30, 500, Steady));
        assert!(!see(31, 500, Falling));
        assert!(see(61, 500, Falling));
        assert!(see(62, 500, Steady));
        assert!(see(6_000, 500, Steady));
        assert!(see(6_001, -500, Falling));
        assert!(see(6_030, -500, Falling));
        assert!(!see(6_031, -500, Falling));
    }

    /// What was said before a time without trust is not one of two in a row after it.
    #[test]
    fn trust_begins_with_nothing() {
        use Course::{Falling, Steady};
        let mut sign = Sign::default();
        let mut see = |second: u64, current, millivolts, course| {
            let now = Mono(second * 1000);
            sign.see(now, gauge(current, millivolts), Some(course), 1, true)
        };
        assert_eq!(see(0, -500, 4_000, Steady), None);
        assert_eq!(see(1, -500, 4_000, Steady), Some(false));
        for second in 2..40 {
            assert_eq!(see(second, 500, 4_000, Falling), None);
        }
        // Both give way together: it is believed again, and has said it once.
        assert_eq!(see(40, -500, 3_900, Steady), None);
        assert_eq!(see(41, -500, 3_900, Steady), Some(false));
    }

    /// Two jumps apart make it distrusted, one jump together trusted; neither is one where only one of
    /// the two jumps.
    #[test]
    fn jumps() {
        let mut sign = Sign::default();
        let mut see = |current, millivolts| {
            sign.see(Mono(0), gauge(current, millivolts), None, 1, true);
            sign.distrusted()
        };
        assert!(!see(-500, 4_100));
        assert!(!see(900, 3_950));
        assert!(!see(900, 4_100));
        assert!(!see(-500, 4_100));
        assert!(!see(-900, 4_120));
        assert!(see(-900, 4_000));
        assert!(!see(-500, 4_050));
        // It begins anew.
        assert!(!see(-900, 4_080));
        assert!(!see(-900, 4_080));
        assert!(!see(-500, 4_000));
        assert!(see(-500, 4_000));
    }

    /// One reading of which a bit was lost jumps there and back: that says nothing of the sign, however
    /// often it happens.
    #[test]
    fn an_odd_reading_is_no_jump() {
        let mut sign = Sign::default();
        for _ in 0..5 {
            for (current, millivolts) in [(20, 4_130), (21, 4_130), (3_028, 4_090), (20, 4_130)] {
                sign.see(Mono(0), gauge(current, millivolts), None, 1, true);
                assert!(!sign.distrusted(), "{current}");
            }
        }
        for (current, millivolts) in [(-900, 4_000), (-900, 4_000)] {
            sign.see(Mono(0), gauge(current, millivolts), None, 1, true);
        }
        assert!(sign.cut_near(Mono(0)), "what follows is seen as always");
    }

    /// A full battery may say exactly zero right before a cut: that is known by it as well. A zero
    /// that is no rest is compared with nothing.
    #[test]
    fn a_cut_out_of_a_rest_that_reads_zero() {
        let cut = |first, gives_way| {
            let mut sign = Sign::default();
            for (second, current, millivolts) in [
                (0, first, 4_180),
                (5, 0, gives_way),
                (10, 0, gives_way),
                (15, -800, 4_020),
            ] {
                sign.see(
                    Mono(second * 1_000),
                    gauge(current, millivolts),
                    None,
                    1,
                    true,
                );
            }
            sign.cut_near(Mono(15_000))
        };
        assert!(cut(7, 4_180));
        assert!(!cut(500, 4_180), "it was charged: the calibration is lost");
        assert!(!cut(7, 4_150), "the voltage gave way meanwhile: the same");
        assert!(!cut(0, 4_180), "never seen at rest");
    }

    /// Zeros go on resting for a while, unless the voltage gives way; after anything else they say
    /// nothing.
    #[test]
    fn zeros_after_rest() {
        let mut sign = Sign::default();
        let mut see = |second: u64, current, millivolts| {
            sign.see(
                Mono(second * 1000),
                gauge(current, millivolts),
                None,
                1,
                true,
            )
        };
        see(0, 7, 4_180);
        assert_eq!(see(5, -3, 4_180), Some(true));
        assert_eq!(see(10, 0, 4_180), Some(true));
        assert_eq!(see(604, 0, 4_180), Some(true));
        assert_eq!(see(605, 0, 4_180), None);
        assert_eq!(see(610, 2, 4_180), Some(true));
        assert_eq!(see(615, 0, 4_161), Some(true));
        assert_eq!(see(620, 0, 4_141), None);
        see(625, 400, 4_150);
        see(630, 400, 4_150);
        assert_eq!(see(635, 0, 4_150), None);
    }
}
