//! What a status LED can say: few states, each with a rhythm that a person can tell from the others
//! with one LED of any colour.
//!
//! Terms: a *flash* is *short* or *long*; a *rhythm* is what is repeated. There are three kinds of
//! rhythm: short flashes to be counted, then a pause (how well all is); one long flash before them
//! (power, or the watchdog); and even blinking without a pause (it begins or ends).
//!
//! No state is shown by an LED that is steadily lit or dark: nobody drives that one.

use std::time::Duration;

/// What a status LED shows, from best to worst: the worst one wins.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum LedState {
    /// As it should be.
    Well,
    /// Nothing bad is seen, and something cannot be seen.
    Unknown,
    /// Services are being started for the first time since the daemon began.
    Starting,
    /// Somebody should look some day.
    Degraded,
    /// Mains are gone.
    OnBattery,
    /// Something is broken now.
    Critical,
    /// The hardware watchdog cannot be had, or is about to reset the machine.
    Unguarded,
    /// Mains are gone and the battery is low.
    LowBattery,
    /// Services are being stopped. If the machine is to be halted, that can still be taken back.
    Stopping,
    /// The machine goes down: the point of no return is behind.
    Halting,
}

/// Lit for so long, then dark for so long, in milliseconds.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Flash {
    /// Time for which it is lit.
    pub lit: u16,
    /// Time for which it is dark afterwards.
    pub dark: u16,
}

/// Flashes that are repeated.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Rhythm(pub &'static [Flash]);

/// How a rhythm is told from others.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Figure {
    /// So many short flashes, then a pause.
    Short(u8),
    /// One long flash and so many short ones, then a pause.
    LongShort(u8),
    /// Lit as long as dark, without a pause.
    Even(Pace),
}

/// How fast an LED blinks.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Pace {
    /// Once in two seconds.
    Slow,
    /// Twice a second.
    Quick,
    /// Six times a second.
    Flicker,
}

/// A short flash among others. Shorter is missed in daylight, longer is not taken for a short one.
const SHORT: Flash = Flash {
    lit: 200,
    dark: 300,
};

/// The last short flash, with the pause. Shorter pauses are taken for one between two flashes.
const LAST: Flash = Flash {
    lit: 200,
    dark: 2_000,
};

/// A long flash: six times a short one.
const LONG: Flash = Flash {
    lit: 1_200,
    dark: 400,
};

/// Lit as long as dark, once in two seconds, twice and six times a second.
const SLOW: Flash = even(1_000);
const QUICK: Flash = even(250);
const FLICKER: Flash = even(80);

const fn even(half: u16) -> Flash {
    Flash {
        lit: half,
        dark: half,
    }
}

/// For how long an LED shows a state without being told again; then it is dark. Longer: the LED of a
/// machine whose daemon is gone says that all is well for longer. Shorter: it has to be told more
/// often.
pub const LASTS: Duration = Duration::from_secs(120);

impl LedState {
    /// All of them, from best to worst.
    pub const ALL: [LedState; 10] = [
        LedState::Well,
        LedState::Unknown,
        LedState::Starting,
        LedState::Degraded,
        LedState::OnBattery,
        LedState::Critical,
        LedState::Unguarded,
        LedState::LowBattery,
        LedState::Stopping,
        LedState::Halting,
    ];

    /// How it is told from the others.
    pub fn figure(self) -> Figure {
        match self {
            LedState::Well => Figure::Short(1),
            LedState::Unknown => Figure::Short(2),
            LedState::Degraded => Figure::Short(3),
            LedState::Critical => Figure::Short(4),
            LedState::OnBattery => Figure::LongShort(1),
            LedState::LowBattery => Figure::LongShort(2),
            LedState::Unguarded => Figure::LongShort(3),
            LedState::Starting => Figure::Even(Pace::Slow),
            LedState::Stopping => Figure::Even(Pace::Quick),
            LedState::Halting => Figure::Even(Pace::Flicker),
        }
    }

    /// The same in flashes.
    pub fn rhythm(self) -> Rhythm {
        Rhythm(match self {
            // Shown for months, by hand where no driver does it: two wake-ups in four seconds.
            LedState::Well => &[Flash {
                lit: 200,
                dark: 3_800,
            }],
            LedState::Unknown => &[SHORT, LAST],
            LedState::Degraded => &[SHORT, SHORT, LAST],
            LedState::Critical => &[SHORT, SHORT, SHORT, LAST],
            LedState::OnBattery => &[LONG, LAST],
            LedState::LowBattery => &[LONG, SHORT, LAST],
            LedState::Unguarded => &[LONG, SHORT, SHORT, LAST],
            LedState::Starting => &[SLOW],
            LedState::Stopping => &[QUICK],
            LedState::Halting => &[FLICKER],
        })
    }

    /// For how long it is shown without being told again; `None`: for ever. A machine that goes down
    /// takes the daemon with it, and what is shown then is to outlive it.
    pub fn lasts(self) -> Option<Duration> {
        match self {
            LedState::Halting => None,
            LedState::Well
            | LedState::Unknown
            | LedState::Starting
            | LedState::Degraded
            | LedState::OnBattery
            | LedState::Critical
            | LedState::Unguarded
            | LedState::LowBattery
            | LedState::Stopping => Some(LASTS),
        }
    }
}

impl Rhythm {
    /// The time after which it begins anew. Never zero.
    pub fn cycle(self) -> Duration {
        let flashes = self.0.iter();
        let sum = flashes.map(|f| u64::from(f.lit) + u64::from(f.dark)).sum();
        Duration::from_millis(sum)
    }

    /// The dark time at its end.
    pub fn pause(self) -> Duration {
        let last = self.0.last().map_or(0, |flash| flash.dark);
        Duration::from_millis(last.into())
    }
}

/// What an LED is told.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Light {
    /// Show this, for as long as it lasts.
    Show(LedState),
    /// Be again what it was before it was ours.
    Release,
}

#[cfg(test)]
mod tests {
    use super::*;

    /// No two states can be taken for each other, none needs more than four flashes to be counted, and
    /// the flashes are those that the figure promises.
    #[test]
    fn states_can_be_told_apart() {
        for (at, state) in LedState::ALL.into_iter().enumerate() {
            let others = &LedState::ALL[..at];
            let same = others.iter().find(|o| o.figure() == state.figure());
            assert_eq!(same, None, "{state:?}");
            assert!(others.iter().all(|other| *other < state), "{state:?}");
            let flashes = state.rhythm().0;
            let short = flashes.iter().filter(|f| f.lit == SHORT.lit).count();
            let (long, count) = match state.figure() {
                Figure::Short(n) => (0, n),
                Figure::LongShort(n) => (1, n),
                Figure::Even(_) => {
                    assert!(matches!(flashes, [f] if f.lit == f.dark), "{state:?}");
                    continue;
                }
            };
            assert_eq!(short, usize::from(count), "{state:?}");
            assert_eq!(flashes.len(), short + long, "{state:?}");
            assert_eq!(flashes[0].lit >= 3 * SHORT.lit, long == 1, "{state:?}");
            assert!(count <= 4, "{state:?}");
            assert!(
                state.rhythm().pause() >= 5 * Duration::from_millis(SHORT.dark.into()),
                "{state:?}"
            );
        }
    }

    /// By hand, an LED that shows that all is well needs at most one wake-up in two seconds.
    #[test]
    fn well_is_cheap() {
        let rhythm = LedState::Well.rhythm();
        let changes = u32::try_from(2 * rhythm.0.len()).unwrap();
        assert!(rhythm.cycle() / changes >= Duration::from_secs(2));
    }
}
