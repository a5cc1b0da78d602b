//! What the machine runs on, in the terms of Network UPS Tools.
//!
//! ```text
//!             ┌────────────── silence ───────────────┐
//!             ▼                                      │
//! unknown ──seen──► on line ──gone for 2 s──► on battery ──signs agree──► low battery
//!    │                 ▲                         │  ▲◄──they do not any more──┤
//!    │                 └──back for 5 s───────────┤  │                         │
//!    └──used and low, for long──► forced shutdown ◄─┴──it is time, it lasts───┘
//! ```
//!
//! Terms: mains are *failing* when they were seen gone and that is not believed yet, and
//! *returning* when they were seen back and that is not believed yet.
//!
//! Silence takes back neither a failure nor a battery, and interrupts a return. Every number of an
//! outage counts from `since`, which is new in each outage: nothing of an earlier one can come due
//! in a later one.

use crate::core::note::Note;
use crate::core::picture::HaltCause;
use crate::units::Mono;
use std::time::Duration;

/// Mains that are seen gone for this long are believed to be. Shorter: every flicker of the grid is
/// told. Longer: a small battery is half empty before anybody knows.
pub(super) const GONE_FOR: Duration = Duration::from_secs(2);

/// Mains that are seen back for this long are believed to be. Shorter: mains that come and go tell
/// a new cut each time. Longer: a battery is spared that is charging again.
pub(super) const BACK_FOR: Duration = Duration::from_secs(5);

/// What the machine runs on.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Supply {
    /// Nobody can tell.
    Unknown {
        /// When they were first seen gone, if they are failing.
        failing: Option<Mono>,
    },
    /// Mains.
    OnLine {
        /// When they were first seen gone, if they are failing.
        failing: Option<Mono>,
    },
    /// Its battery.
    OnBattery {
        /// When mains were first seen gone.
        since: Mono,
        /// When they were first seen back, if they are returning.
        returning: Option<Mono>,
    },
    /// Its battery, which is low by enough of its signs. If that lasts, the machine is halted.
    LowBattery {
        /// When mains were first seen gone.
        since: Mono,
        /// When the signs began to agree.
        low: Mono,
        /// When mains were first seen back, if they are returning.
        returning: Option<Mono>,
    },
    /// Its battery, and a halt has been asked for. Only mains that are back lead out of it.
    ForcedShutdown {
        /// When mains were first seen gone; of a battery that ran low while nobody could tell of
        /// mains, when the halt was asked for.
        since: Mono,
        /// When the halt was asked for.
        asked: Mono,
        /// Why.
        cause: HaltCause,
        /// When mains were first seen back, if they are returning.
        returning: Option<Mono>,
    },
}

use Supply::{ForcedShutdown, LowBattery, OnBattery, OnLine, Unknown};

impl Supply {
    /// What follows from news about mains, or from silence about them (`None`).
    pub(super) fn hear(self, mains: Option<bool>, now: Mono) -> Supply {
        match (self, mains) {
            (Unknown { .. } | OnLine { .. }, Some(true)) => OnLine { failing: None },
            (Unknown { failing }, Some(false)) => Unknown {
                failing: failing.or(Some(now)),
            },
            (OnLine { failing }, Some(false)) => OnLine {
                failing: failing.or(Some(now)),
            },
            (Unknown { failing } | OnLine { failing }, None) => Unknown { failing },
            (OnBattery { .. } | LowBattery { .. } | ForcedShutdown { .. }, Some(false) | None) => {
                self.returned(None)
            }
            (OnBattery { .. } | LowBattery { .. } | ForcedShutdown { .. }, Some(true)) => {
                match self.returning() {
                    Some(back) if now.since(back) >= BACK_FOR => OnLine { failing: None },
                    Some(back) => self.returned(Some(back)),
                    None => self.returned(Some(now)),
                }
            }
        }
    }

    /// What follows from time alone: a failure that nobody took back is believed. A return is not,
    /// without a reading.
    pub(super) fn wait(self, now: Mono) -> Supply {
        match self.failing() {
            Some(since) if now >= since.after(GONE_FOR) => OnBattery {
                since,
                returning: None,
            },
            Some(_) | None => self,
        }
    }

    /// The signs of a low battery agree, or do not any more.
    pub(super) fn lower(self, agree: bool, now: Mono) -> Supply {
        match (self, agree) {
            (OnBattery { since, returning }, true) => LowBattery {
                since,
                low: now,
                returning,
            },
            (
                LowBattery {
                    since, returning, ..
                },
                false,
            ) => OnBattery { since, returning },
            (OnBattery { .. }, false)
            | (LowBattery { .. }, true)
            | (Unknown { .. } | OnLine { .. } | ForcedShutdown { .. }, _) => self,
        }
    }

    /// It is time to halt. Never while mains are believed to be there.
    pub(super) fn force(self, cause: HaltCause, now: Mono) -> Supply {
        let (since, returning) = match self {
            OnLine { .. } | ForcedShutdown { .. } => return self,
            Unknown { .. } => (now, None),
            OnBattery { since, returning }
            | LowBattery {
                since, returning, ..
            } => (since, returning),
        };
        ForcedShutdown {
            since,
            asked: now,
            cause,
            returning,
        }
    }

    /// The same, with mains returning or not.
    fn returned(self, back: Option<Mono>) -> Supply {
        match self {
            Unknown { .. } | OnLine { .. } => self,
            OnBattery { since, .. } => OnBattery {
                since,
                returning: back,
            },
            LowBattery { since, low, .. } => LowBattery {
                since,
                low,
                returning: back,
            },
            ForcedShutdown {
                since,
                asked,
                cause,
                ..
            } => ForcedShutdown {
                since,
                asked,
                cause,
                returning: back,
            },
        }
    }

    /// When mains were first seen gone, if that is not believed yet.
    pub(super) fn failing(self) -> Option<Mono> {
        match self {
            Unknown { failing } | OnLine { failing } => failing,
            OnBattery { .. } | LowBattery { .. } | ForcedShutdown { .. } => None,
        }
    }

    /// When mains were first seen back, if that is not believed yet.
    pub(super) fn returning(self) -> Option<Mono> {
        match self {
            Unknown { .. } | OnLine { .. } => None,
            OnBattery { returning, .. }
            | LowBattery { returning, .. }
            | ForcedShutdown { returning, .. } => returning,
        }
    }

    /// When the outage began, if there is one.
    pub fn outage(self) -> Option<Mono> {
        match self {
            Unknown { .. } | OnLine { .. } => None,
            OnBattery { since, .. } | LowBattery { since, .. } | ForcedShutdown { since, .. } => {
                Some(since)
            }
        }
    }

    /// What is believed of mains.
    pub(super) fn mains(self) -> Option<bool> {
        match self {
            Unknown { .. } => None,
            OnLine { .. } => Some(true),
            OnBattery { .. } | LowBattery { .. } | ForcedShutdown { .. } => Some(false),
        }
    }

    /// The gauge is to be read every second.
    pub(super) fn closely(self) -> bool {
        self.failing().is_some() || self.outage().is_some()
    }

    /// What there is to tell about a change to `after`.
    pub(super) fn news(self, after: Supply) -> Option<Note> {
        match (self.outage(), after.outage(), after) {
            (None, Some(_), OnBattery { .. }) => Some(Note::MainsLost),
            // Nobody could tell of mains, then or now; the halt has its own words.
            (None, Some(_), Unknown { .. } | OnLine { .. })
            | (None, Some(_), LowBattery { .. } | ForcedShutdown { .. })
            | (None, None, _)
            | (Some(_), Some(_), _) => None,
            (Some(since), None, _) => Some(Note::MainsBack {
                lasted: self.returning().unwrap_or(since).since(since),
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const YES: Option<bool> = Some(true);
    const NO: Option<bool> = Some(false);
    const NOW: Mono = Mono(10_000);

    fn unknown(failing: Option<u64>) -> Supply {
        Unknown {
            failing: failing.map(Mono),
        }
    }

    fn line(failing: Option<u64>) -> Supply {
        OnLine {
            failing: failing.map(Mono),
        }
    }

    fn battery(returning: Option<u64>) -> Supply {
        OnBattery {
            since: Mono(1_000),
            returning: returning.map(Mono),
        }
    }

    fn low(returning: Option<u64>) -> Supply {
        LowBattery {
            since: Mono(1_000),
            low: Mono(4_000),
            returning: returning.map(Mono),
        }
    }

    fn forced(returning: Option<u64>) -> Supply {
        ForcedShutdown {
            since: Mono(1_000),
            asked: Mono(4_000),
            cause: HaltCause::RideThrough,
            returning: returning.map(Mono),
        }
    }

    /// Every state with every reading, at 10 s.
    #[test]
    fn states_and_readings() {
        for (state, yes, no, silence) in [
            (
                unknown(None),
                line(None),
                unknown(Some(10_000)),
                unknown(None),
            ),
            (
                unknown(Some(9_000)),
                line(None),
                unknown(Some(9_000)),
                unknown(Some(9_000)),
            ),
            (line(None), line(None), line(Some(10_000)), unknown(None)),
            (
                line(Some(9_000)),
                line(None),
                line(Some(9_000)),
                unknown(Some(9_000)),
            ),
        ] {
            assert_eq!(state.hear(YES, NOW), yes, "{state:?}, present");
            assert_eq!(state.hear(NO, NOW), no, "{state:?}, gone");
            assert_eq!(state.hear(None, NOW), silence, "{state:?}, silent");
        }
        for of in [battery, low, forced] {
            for (before, yes) in [
                (None, of(Some(10_000))),
                (Some(5_001), of(Some(5_001))),
                (Some(5_000), line(None)),
            ] {
                let state = of(before);
                assert_eq!(state.hear(YES, NOW), yes, "{state:?}, present");
                assert_eq!(state.hear(NO, NOW), of(None), "{state:?}, gone");
                assert_eq!(state.hear(None, NOW), of(None), "{state:?}, silent");
            }
        }
    }

    /// Nothing more is ever heard: a failure becomes a battery after its wait, and nothing else
    /// changes, however long it takes.
    #[test]
    fn nothing_more_is_ever_heard() {
        let since = Mono(8_001);
        let on_battery = OnBattery {
            since,
            returning: None,
        };
        for state in [unknown(Some(8_001)), line(Some(8_001))] {
            assert_eq!(state.wait(NOW), state);
            assert_eq!(state.wait(Mono(10_001)), on_battery);
            assert_eq!(state.wait(Mono(u64::MAX)), on_battery);
        }
        for state in [
            unknown(None),
            line(None),
            battery(None),
            battery(Some(2_000)),
            low(None),
            low(Some(2_000)),
            forced(None),
            forced(Some(2_000)),
        ] {
            assert_eq!(state.wait(Mono(u64::MAX)), state);
        }
    }

    /// A battery is low or not; mains that are there, and a halt that was asked for, do not care.
    #[test]
    fn low_and_forced() {
        let low_now = LowBattery {
            since: Mono(1_000),
            low: NOW,
            returning: Some(Mono(9_000)),
        };
        assert_eq!(battery(Some(9_000)).lower(true, NOW), low_now);
        assert_eq!(low(Some(9_000)).lower(true, NOW), low(Some(9_000)));
        assert_eq!(low(Some(9_000)).lower(false, NOW), battery(Some(9_000)));
        for state in [unknown(None), line(None), line(Some(9_000)), forced(None)] {
            assert_eq!(state.lower(true, NOW), state);
            assert_eq!(state.lower(false, NOW), state);
        }
        let cause = HaltCause::LowBattery;
        let forced_now = |since| ForcedShutdown {
            since,
            asked: NOW,
            cause,
            returning: None,
        };
        assert_eq!(battery(None).force(cause, NOW), forced_now(Mono(1_000)));
        assert_eq!(low(None).force(cause, NOW), forced_now(Mono(1_000)));
        assert_eq!(unknown(None).force(cause, NOW), forced_now(NOW));
        for state in [line(None), line(Some(9_000)), forced(None)] {
            assert_eq!(state.force(cause, NOW), state);
        }
    }

    /// A cut lasts from the first reading without mains to the first with them, and is told once.
    #[test]
    fn what_is_told() {
        let lasted = Duration::from_secs(4);
        for of in [battery, low, forced] {
            let back = of(Some(5_000));
            assert_eq!(back.news(line(None)), Some(Note::MainsBack { lasted }));
            assert_eq!(of(None).news(of(Some(2))), None);
        }
        for before in [unknown(Some(1_000)), line(Some(1_000))] {
            assert_eq!(before.news(battery(None)), Some(Note::MainsLost));
        }
        for (before, after) in [
            (unknown(None), line(None)),
            (line(None), unknown(None)),
            (line(None), line(Some(1))),
            (battery(None), low(None)),
            (low(None), battery(None)),
            (low(None), forced(None)),
            (unknown(None), forced(None)),
        ] {
            assert_eq!(before.news(after), None, "{before:?}, {after:?}");
        }
    }
}
