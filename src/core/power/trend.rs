//! Where a quantity of the battery is going: a slope over a bounded window, in whole numbers.
//!
//! Terms: a *window* is the latest samples, none closer together than [`SPACING`] and none older
//! than [`LONGEST`]; its *course* is steady unless all four quarters of it agree on a direction.
//!
//! A battery's voltage jumps when the load changes and creeps when the battery fills or drains. Only
//! the creep is looked for: what is older than a jump is moved by the height of it. A jump that was
//! not noticed can set apart two neighbouring quarters, and two more if it falls into one of them, but
//! not all four; only a creep does that. What changes in a silence beside a current, or while the gauge
//! stands still, is left out as well: mains may have been gone meanwhile.
//!
//! Never looks at a limit: what a fall means is not known here.

use super::gauge::STALE;
use crate::units::Mono;
use std::collections::VecDeque;
use std::time::Duration;

/// Least time between two samples that are kept. Shorter: the window needs more memory. Longer: a
/// battery that lasts minutes has too few samples.
const SPACING: Duration = Duration::from_secs(2);

/// Age at which a sample is dropped. Longer: a change of course is seen late. Shorter: a slow
/// discharge disappears between the steps of a coarse gauge.
const LONGEST: Duration = Duration::from_secs(600);

/// Samples that a window holds at most.
const MOST: usize = 300;

/// Shortest span of which anything is said. Shorter: the jump at the cut would be all of it.
const SHORTEST: Duration = Duration::from_secs(60);

/// Fewest samples of which anything is said: three for each quarter.
const FEWEST: usize = 12;

/// A change of the current that makes the voltage jump, in milliamperes.
const LOAD_CHANGES: u32 = 100;

/// A change of a cell's voltage that is a jump where no current is told, in millivolts.
const JUMPS: u32 = 20;

/// The voltage of a battery, without its jumps.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(super) struct Creep {
    window: Window,
    /// When the latest reading was taken, its voltage, and its current.
    before: Option<(Mono, u32, Option<i32>)>,
}

impl Creep {
    /// Takes a reading in. `stood`: what was said before it had stood still.
    pub fn see(
        &mut self,
        now: Mono,
        (voltage, current): (u32, Option<i32>),
        stood: bool,
        cells: u8,
        grain: i64,
    ) {
        let cells = u32::from(cells.max(1));
        if let Some((at, v, i)) = self.before.replace((now, voltage, current)) {
            let jumps = match i.zip(current) {
                Some((before, now)) => before.abs_diff(now) >= LOAD_CHANGES,
                None => v.abs_diff(voltage) >= JUMPS * cells,
            };
            // Nobody knows what the battery went through in a silence, and whether it is over; nor
            // while its gauge said the same all the time.
            let silent = i.is_some() && now.since(at) >= STALE;
            if jumps || silent || stood {
                self.window.shift(i64::from(voltage) - i64::from(v));
            }
        }
        self.window
            .see(now, i64::from(voltage), grain * i64::from(cells));
    }

    /// It rose all the time, and is now lower by a jump.
    pub fn gives_way(&self, voltage: u32, cells: u8) -> bool {
        let rose = self.trend().is_some_and(|t| t.course == Course::Rising);
        let before = self.before.map_or(0, |(_, v, _)| v);
        rose && before.saturating_sub(voltage) >= JUMPS * u32::from(cells.max(1))
    }

    /// Forgets all samples.
    pub fn forget(&mut self) {
        self.window.forget();
    }

    /// What is left without the jumps.
    pub fn trend(&self) -> Option<Trend> {
        self.window.trend()
    }
}

/// The samples of one quantity.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(super) struct Window {
    samples: VecDeque<(Mono, i64)>,
    /// What they show, counted once for each new sample.
    trend: Option<Trend>,
}

/// Where it is going.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Course {
    /// All of the window goes down.
    Falling,
    /// It goes nowhere, or not all the time.
    Steady,
    /// All of the window goes up.
    Rising,
}

/// What a window shows.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Trend {
    /// Change in an hour along the straight line that fits best.
    pub per_hour: i64,
    /// The direction on which all of the window agrees.
    pub course: Course,
}

impl Window {
    /// Takes a sample in. One that comes too soon after the one before is left out. `grain` is the
    /// least difference between two quarters that counts as one.
    pub fn see(&mut self, now: Mono, value: i64, grain: i64) {
        if let Some((last, _)) = self.samples.back()
            && now < last.after(SPACING)
        {
            return;
        }
        while self
            .samples
            .front()
            .is_some_and(|(at, _)| now.since(*at) > LONGEST)
            || self.samples.len() >= MOST
        {
            self.samples.pop_front();
        }
        self.samples.push_back((now, value));
        self.trend = self.count(grain);
    }

    /// Moves all samples by this much.
    pub fn shift(&mut self, by: i64) {
        for (_, value) in &mut self.samples {
            *value = value.saturating_add(by);
        }
    }

    /// Forgets all samples: what comes belongs to another story.
    pub fn forget(&mut self) {
        *self = Window::default();
    }

    /// What the window shows; `None` while it is too short.
    pub fn trend(&self) -> Option<Trend> {
        self.trend
    }

    fn count(&self, grain: i64) -> Option<Trend> {
        let (first, last) = (self.samples.front()?.0, self.samples.back()?.0);
        if self.samples.len() < FEWEST || last.since(first) < SHORTEST {
            return None;
        }
        Some(Trend {
            per_hour: self.per_hour(first)?,
            course: self.course(grain),
        })
    }

    /// Least squares: a slope in thousandths would do, an hour has 3.6 million milliseconds.
    fn per_hour(&self, first: Mono) -> Option<i64> {
        let n = i128::try_from(self.samples.len()).ok()?;
        let (mut t, mut v, mut tt, mut tv) = (0i128, 0i128, 0i128, 0i128);
        for (at, value) in &self.samples {
            let x = i128::from(at.0.saturating_sub(first.0));
            let y = i128::from(*value);
            t += x;
            v += y;
            tt += x * x;
            tv += x * y;
        }
        let below = n * tt - t * t;
        let slope = (n * tv - t * v) * 3_600_000;
        i64::try_from(slope.checked_div(below)?).ok()
    }

    fn course(&self, grain: i64) -> Course {
        let quarters = self.quarters();
        let apart = |way: i64| {
            quarters
                .windows(2)
                .all(|pair| (pair[1] - pair[0]) * way >= grain)
        };
        if apart(-1) {
            Course::Falling
        } else if apart(1) {
            Course::Rising
        } else {
            Course::Steady
        }
    }

    /// Means of the four quarters, by number of samples.
    fn quarters(&self) -> [i64; 4] {
        let n = self.samples.len();
        [0, 1, 2, 3].map(|quarter| {
            let (from, to) = (n * quarter / 4, n * (quarter + 1) / 4);
            let sum: i64 = self.samples.range(from..to).map(|(_, v)| v).sum();
            // Never empty: there are at least twelve samples.
            sum / i64::try_from(to - from).unwrap_or(1).max(1)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A window with one sample in each of `every` seconds.
    fn window(every: u64, values: impl IntoIterator<Item = i64>) -> Window {
        let mut window = Window::default();
        for (n, value) in (0..).zip(values) {
            window.see(Mono(n * every * 1000), value, 2);
        }
        window
    }

    /// A straight line has its own slope, whatever its direction and its place.
    #[test]
    fn slope_of_a_line() {
        for step in [-7, -1, 1, 30] {
            let trend = window(5, (0..60).map(|n| 4_000 + n * step)).trend();
            let trend = trend.expect("long enough");
            assert_eq!(trend.per_hour, step * 720);
            let course = if step < 0 {
                Course::Falling
            } else {
                Course::Rising
            };
            assert_eq!(trend.course, course, "step {step}");
        }
    }

    /// Nothing is said of few samples, nor of a short time.
    #[test]
    fn short_windows_say_nothing() {
        assert_eq!(window(5, [4_000; 11]).trend(), None);
        assert_eq!(window(5, [4_000; 12]).trend(), None);
        let steady = Trend {
            per_hour: 0,
            course: Course::Steady,
        };
        assert_eq!(window(5, [4_000; 13]).trend(), Some(steady));
        // Samples that come faster are left out, not squeezed in.
        let mut fast = Window::default();
        for ms in 0..59_999 {
            fast.see(Mono(ms), 4_000, 2);
        }
        assert_eq!(fast.trend(), None);
        assert!(fast.samples.len() <= 30);
    }

    /// A jump of any height at any place is no course; a creep with a jump in it is.
    #[test]
    fn a_jump_is_no_course() {
        for at in 0..60 {
            for height in [-300, -20, 20, 300] {
                let values = (0..60).map(|n| if n < at { 4_000 } else { 4_000 + height });
                let trend = window(5, values).trend().expect("long enough");
                assert_eq!(trend.course, Course::Steady, "{height} at {at}");
            }
        }
        let falling = window(5, (0..60).map(|n| 4_000 - n - if n < 30 { 0 } else { 100 }));
        assert_eq!(falling.trend().map(|t| t.course), Some(Course::Falling));
    }

    /// A gauge in steps of 4 mV with a bit of noise still shows 1 mV in 10 s.
    #[test]
    fn coarse_gauges_show_a_creep() {
        let values = (0..120).map(|n: i64| (4_000 - n / 2 + n * 7 % 3) / 4 * 4);
        let trend = window(5, values).trend().expect("long enough");
        assert_eq!(trend.course, Course::Falling);
        assert!((-400..-320).contains(&trend.per_hour), "{trend:?}");
    }

    /// Old samples go, and there are never more than the bound.
    #[test]
    fn the_window_is_bounded() {
        let mut window = window(2, 0..10_000);
        assert!(window.samples.len() <= MOST);
        let (first, last) = (window.samples[0].0, window.samples.back().unwrap().0);
        assert!(last.since(first) <= LONGEST);
        window.see(Mono(u64::MAX), i64::MAX, 2);
        assert_eq!(window.samples.len(), 1);
        assert_eq!(window.trend(), None);
    }

    /// Whatever the values are, nothing overflows.
    #[test]
    fn extremes_do_no_harm() {
        for values in [[i64::from(i32::MIN); 20], [i64::from(u32::MAX); 20]] {
            assert!(window(30, values).trend().is_some());
        }
    }

    /// What rose all the time and is lower by a jump gives way; what did not rise, or comes down by
    /// less, does not.
    #[test]
    fn a_rise_that_gives_way() {
        for (slope, cells, fall, wanted) in [
            (1, 1, 20, true),
            (1, 1, 19, false),
            (1, 2, 39, false),
            (1, 2, 40, true),
            (0, 1, 300, false),
            (-1, 1, 300, false),
        ] {
            let mut creep = Creep::default();
            assert!(!creep.gives_way(0, cells), "nothing was heard yet");
            let mut voltage = 7_000;
            for n in 0..24 {
                voltage = u32::try_from(7_000 + n * slope).unwrap();
                let at = Mono(u64::try_from(n).unwrap() * 5_000);
                creep.see(at, (voltage, None), false, cells, 1);
            }
            let gives_way = creep.gives_way(voltage - fall, cells);
            assert_eq!(gives_way, wanted, "{slope}, {cells} cells, {fall} mV");
            assert!(!creep.gives_way(voltage + fall, cells), "a jump upwards");
        }
    }

    /// What changes in a silence beside a current is no creep; between two readings it is, and so is
    /// what follows.
    #[test]
    fn a_silence_is_no_creep() {
        let course = |silence: u64, slope: i32| {
            let mut creep = Creep::default();
            let mut at = 0;
            for n in 0..48i32 {
                at += if n > 0 && n % 12 == 0 { silence } else { 5_000 };
                let voltage = u32::try_from(3_940 - n / 12 * 20 + n % 12 * slope).unwrap();
                creep.see(Mono(at), (voltage, Some(66)), false, 1, 2);
            }
            creep.trend().expect("long enough").course
        };
        assert_eq!(course(14_999, 0), Course::Falling);
        assert_eq!(course(15_000, 0), Course::Steady);
        assert_eq!(course(15_000, 1), Course::Rising);
        assert_eq!(course(15_000, -1), Course::Falling);
    }

    /// What changes at the end of a stand-still is no creep; what changes after it is.
    #[test]
    fn a_stand_still_is_no_creep() {
        let course = |stands: bool, slope: i32| {
            let mut creep = Creep::default();
            for n in 0..48i32 {
                let at = Mono(u64::from(n.unsigned_abs()) * 5_000);
                let voltage = u32::try_from(3_940 - n / 12 * 20 + n % 12 * slope).unwrap();
                let stood = stands && n > 0 && n % 12 == 0;
                creep.see(at, (voltage, Some(66)), stood, 1, 2);
            }
            creep.trend().expect("long enough").course
        };
        assert_eq!(course(false, 0), Course::Falling);
        assert_eq!(course(true, 0), Course::Steady);
        assert_eq!(course(true, 1), Course::Rising);
        assert_eq!(course(true, -1), Course::Falling);
    }

    /// A battery that drains goes down whatever its load does, with a current beside it and without.
    #[test]
    fn jumps_are_left_out() {
        for (told, height) in [(true, 3), (true, 300), (false, 300)] {
            let mut creep = Creep::default();
            for n in 0..120i32 {
                // A load that comes down in steps, and a voltage that goes up with it.
                let steps = n / 20;
                let voltage = u32::try_from(3_600 - n + steps * height).unwrap();
                let current = told.then_some(-2_000 + steps * 300);
                let at = Mono(u64::from(n.unsigned_abs()) * 5_000);
                creep.see(at, (voltage, current), false, 1, 2);
            }
            let trend = creep.trend().expect("long enough");
            assert_eq!(trend.course, Course::Falling, "{told}, {height}");
            assert!((-800..-650).contains(&trend.per_hour), "{trend:?}");
        }
    }
}
