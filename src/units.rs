//! Quantities with units. No floats, and no conversion between monotonic and wall time.

use std::fmt;
use std::time::Duration;

/// Milliseconds of monotonic time since an arbitrary start (the boot, for the real daemon).
///
/// The only time that the core can subtract. There is no conversion to or from wall time.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default, Hash)]
pub struct Mono(pub u64);

impl Mono {
    /// The time from `earlier` to `self`; zero if `earlier` is later.
    pub fn since(self, earlier: Mono) -> Duration {
        Duration::from_millis(self.0.saturating_sub(earlier.0))
    }

    /// The instant `d` after this one, never overflowing.
    #[must_use]
    pub fn after(self, d: Duration) -> Mono {
        Mono(
            self.0
                .saturating_add(u64::try_from(d.as_millis()).unwrap_or(u64::MAX)),
        )
    }

    /// The next instant after this one that is a multiple of `step` since the beginning of time: what
    /// repeats at such instants coincides with whatever else does. With steps below 1 ms, the next
    /// millisecond.
    #[must_use]
    pub fn next_multiple(self, step: Duration) -> Mono {
        let step = u64::try_from(step.as_millis()).unwrap_or(u64::MAX).max(1);
        Mono((self.0 / step).saturating_add(1).saturating_mul(step))
    }
}

impl fmt::Display for Mono {
    /// Seconds with milliseconds: `12.400`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{:03}", self.0 / 1000, self.0 % 1000)
    }
}

/// Wall time: whole seconds since the beginning of 1970, UTC.
///
/// What some clock showed, however wrong it was. Never counted from, and never turned into [`Mono`].
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Hash)]
pub struct Wall(u64);

impl Wall {
    /// The last time that can be written with a year of four digits everywhere: some hours before
    /// the end of the year 9999.
    pub const MAX: Wall = Wall(253_402_207_200);

    /// `None` before 1970 and after [`Wall::MAX`].
    pub fn new(seconds: i64) -> Option<Wall> {
        let wall = Wall(u64::try_from(seconds).ok()?);
        (wall <= Wall::MAX).then_some(wall)
    }

    /// Seconds since the beginning of 1970.
    pub fn seconds(self) -> i64 {
        // At most `MAX`.
        self.0.cast_signed()
    }

    /// The time `d` later, at most [`Wall::MAX`].
    #[must_use]
    pub fn later(self, d: Duration) -> Wall {
        Wall(self.0.saturating_add(d.as_secs())).min(Wall::MAX)
    }

    /// The time `d` earlier; `None` before 1970.
    pub fn earlier(self, d: Duration) -> Option<Wall> {
        self.0.checked_sub(d.as_secs()).map(Wall)
    }

    /// By how much this time is later than `other`; `None` if it is earlier.
    pub fn beyond(self, other: Wall) -> Option<Duration> {
        self.0.checked_sub(other.0).map(Duration::from_secs)
    }
}

/// Temperature in thousandths of a degree Celsius, as the kernel's thermal zones report it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct MilliCelsius(pub i32);

impl fmt::Display for MilliCelsius {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let tenths = self.0 / 100;
        let sign = if tenths < 0 { "-" } else { "" };
        write!(f, "{sign}{}.{}C", tenths.abs() / 10, tenths.abs() % 10)
    }
}

/// An electric potential in thousandths of a volt. Battery packs of Pis have up to 16800 (4 cells).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Millivolts(pub u32);

impl fmt::Display for Millivolts {
    /// In volts with two places: `3.91V`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let hundredths = self.0 / 10;
        write!(f, "{}.{:02}V", hundredths / 100, hundredths % 100)
    }
}

/// An electric current in thousandths of an ampere. At a battery, positive is charging.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Milliamps(pub i32);

impl fmt::Display for Milliamps {
    /// In amperes with two places: `-0.42A`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let hundredths = self.0 / 10;
        let sign = if hundredths < 0 { "-" } else { "" };
        let size = hundredths.unsigned_abs();
        write!(f, "{sign}{}.{:02}A", size / 100, size % 100)
    }
}

/// A share in thousandths: 0 is none, 1000 is all.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Permille(pub u16);

impl Permille {
    /// `part` of `whole`; all of nothing counts as zero, and more than all as all.
    pub fn of(part: u64, whole: u64) -> Permille {
        if whole == 0 {
            return Permille(0);
        }
        let p = u128::from(part) * 1000 / u128::from(whole);
        Permille(u16::try_from(p.min(1000)).unwrap_or(1000))
    }
}

impl fmt::Display for Permille {
    /// As a percentage: `14.5%`, `15%`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_multiple_of(10) {
            write!(f, "{}%", self.0 / 10)
        } else {
            write!(f, "{}.{}%", self.0 / 10, self.0 % 10)
        }
    }
}
