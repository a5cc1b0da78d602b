//! A battery that sinks to its low level while a line says that mains are there.
//!
//! Such a line is stuck, its jumper is not fitted, or the supply is too weak: the machine runs on its
//! battery, and dies with it. Reasons and numbers: `docs/decisions/0012-line-stuck-at-present.md`.
//!
//! Terms: the battery is *sinking* while all that is told of its level is low, its voltage creeps down,
//! charge is lost, and no current denies it. It *sinks* once that has lasted.
//!
//! An old or a lying gauge must not end each boot: halts because of this are counted over boots, and
//! after three of them in a row, with no charging seen in between, it is only told.

use crate::core::intent::{FoundMarker, Intent};
use crate::core::picture::HaltCause;
use crate::units::Mono;
use std::time::Duration;

/// A battery that is sinking must do so for this long. Longer: a small one is empty before it is halted
/// for. Shorter: a few readings would decide.
const LASTING: Duration = Duration::from_secs(120);

/// And in so many readings: they come every 5 s on mains.
const READINGS: u32 = 20;

/// It must lose this much charge meanwhile, where that is told: 1%.
const LOST: u16 = 10;

/// A battery that has so much more again is charged, whatever its trend of minutes still says: 2%.
/// Less: the charge recovers by itself when services are stopped. More: mains that are back in a
/// halt are noticed when it is over.
const REGAINED: u16 = 20;

/// Halts in a row after which it is only told. Fewer: a line that is stuck for weeks costs a battery.
/// More: a gauge that lies turns the machine off that often.
const IN_VAIN: u8 = 3;

/// What one reading says.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Level {
    /// The battery is sinking.
    Sinking,
    /// It is charged: its level rises, or a current flows into it.
    Filling,
    /// Neither.
    Otherwise,
}

/// How far it has come.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
enum State {
    #[default]
    Afloat,
    /// Since when, in how many readings, and what was left then.
    Sinking {
        since: Mono,
        readings: u32,
        charge: Option<u16>,
    },
    /// That has lasted. The least that was left since, where that is told.
    Sinks { least: Option<u16> },
}

/// What is known of a battery that sinks.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) struct Sink {
    state: State,
    /// Halts because of it since the battery was seen to fill, over all boots.
    halts: u8,
    /// Once already a charge that was more again has ended it, and the battery did not fill.
    relieved: bool,
    told: bool,
}

impl Sink {
    /// What an earlier daemon has left.
    pub fn take_up(&mut self, left: &FoundMarker) {
        let under_way = match left.marker.intent {
            // It goes on, and is counted when it is written down.
            Intent::Halt { cause, .. } => left.same_boot && cause == HaltCause::BatterySinks,
            Intent::Run | Intent::Exit | Intent::Leave | Intent::Withhold { .. } => false,
        };
        self.halts = left.marker.sunk.saturating_sub(u8::from(under_way));
        if under_way {
            self.state = State::Sinks { least: None };
        }
    }

    /// Takes a reading in, and what it says is left of the battery.
    pub fn see(&mut self, level: Level, left: Option<u16>, now: Mono) {
        if level == Level::Filling {
            *self = Sink::default();
        }
        self.state = match (self.state, level) {
            (State::Sinks { least }, Level::Sinking | Level::Otherwise) => {
                let regained = least
                    .zip(left)
                    .is_some_and(|(least, left)| left >= least + REGAINED);
                // A gauge that goes by the voltage says more once services are stopped. If that
                // ended it each time, the battery would be empty after some rounds.
                let ends = regained && !self.relieved;
                self.relieved |= regained;
                match ends {
                    true => State::Afloat,
                    false => State::Sinks {
                        least: [least, left].into_iter().flatten().min(),
                    },
                }
            }
            (_, Level::Filling) | (State::Afloat | State::Sinking { .. }, Level::Otherwise) => {
                State::Afloat
            }
            (State::Afloat, Level::Sinking) => State::Sinking {
                since: now,
                readings: 1,
                charge: left,
            },
            (
                State::Sinking {
                    since,
                    readings,
                    charge,
                },
                Level::Sinking,
            ) => {
                let lost = match (charge, left) {
                    (Some(then), Some(left)) => left + LOST <= then,
                    (Some(_) | None, None) | (None, Some(_)) => true,
                };
                let readings = readings + 1;
                match now.since(since) >= LASTING && readings >= READINGS && lost {
                    true => State::Sinks { least: left },
                    false => State::Sinking {
                        since,
                        readings,
                        charge,
                    },
                }
            }
        };
    }

    /// It is sinking, or sinks.
    pub fn begins(&self) -> bool {
        self.state != State::Afloat
    }

    /// It sinks, whatever follows from it.
    pub fn sinks(&self) -> bool {
        matches!(self.state, State::Sinks { .. })
    }

    /// The machine is to be halted for it.
    pub fn halts_now(&self) -> bool {
        self.sinks() && self.halts < IN_VAIN
    }

    /// It sinks, and is only told of: once.
    pub fn tells(&mut self) -> Option<u8> {
        let now = self.sinks() && self.halts >= IN_VAIN;
        (now && !std::mem::replace(&mut self.told, now)).then_some(self.halts)
    }

    /// Halts because of it since the battery was seen to fill.
    pub fn halts(&self) -> u8 {
        self.halts
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::fact::HaltKind;
    use crate::core::intent::{CutTold, HaltPhase, Marker};

    fn left(sunk: u8, ours: bool, same_boot: bool) -> FoundMarker {
        FoundMarker {
            lasts: true,
            marker: Marker {
                reboots: crate::core::reboots::Reboots::default(),
                intent: match ours {
                    true => Intent::Halt {
                        kind: HaltKind::PowerOff,
                        cause: HaltCause::BatterySinks,
                        phase: HaltPhase::Committed,
                    },
                    false => Intent::Run,
                },
                mains: Some(true),
                attempts: 0,
                in_vain: 0,
                sunk,
                cut: CutTold::No,
                outage: None,
                before: None,
                ..Marker::default()
            },
            same_boot,
            reset: None,
            ..FoundMarker::default()
        }
    }

    /// Readings of a battery that is sinking, five seconds apart, with so much left in each.
    fn after(sink: &mut Sink, left: impl IntoIterator<Item = Option<u16>>) -> bool {
        for (at, left) in (0..).step_by(5_000).zip(left) {
            sink.see(Level::Sinking, left, Mono(at));
        }
        sink.sinks()
    }

    /// Time, readings and charge must all have passed; anything between begins it anew.
    #[test]
    fn what_counts_as_sinking() {
        let falling = |n: u16| (0..n).map(|i| Some(150 - i));
        let sinks = |left: &[Option<u16>]| after(&mut Sink::default(), left.iter().copied());
        let whole: Vec<_> = falling(25).collect();
        assert!(sinks(&whole));
        assert!(!sinks(&whole[..24]), "115 s");
        let slow: Vec<_> = (0..100).map(|i| Some(150 - i / 11)).collect();
        assert!(!sinks(&slow), "9 thousandths");
        assert!(sinks(&[None; 25]));
        let mut broken = Sink::default();
        after(&mut broken, falling(20));
        assert!(broken.begins());
        broken.see(Level::Otherwise, None, Mono(100_000));
        assert!(!broken.begins());
        // Few readings, far apart.
        let mut sink = Sink::default();
        for i in 0..19u16 {
            sink.see(Level::Sinking, Some(150 - i), Mono(u64::from(i) * 60_000));
        }
        assert!(!sink.sinks());
        sink.see(Level::Sinking, Some(120), Mono(20 * 60_000));
        assert!(sink.sinks());
    }

    /// Only a battery that fills ends it. Its trend ends the count of halts, too; a charge that is more
    /// again does not, because a gauge that lies may begin anew.
    #[test]
    fn what_ends_it() {
        let sinks = || {
            let mut sink = Sink::default();
            sink.take_up(&left(2, false, false));
            assert!(after(&mut sink, [Some(150), Some(100)].repeat(13)));
            sink.see(Level::Otherwise, None, Mono(900_000));
            sink.see(Level::Otherwise, Some(119), Mono(901_000));
            assert!(sink.halts_now());
            sink
        };
        let mut fills = sinks();
        fills.see(Level::Filling, Some(110), Mono(902_000));
        assert_eq!((fills.sinks(), fills.halts()), (false, 0));
        let mut more = sinks();
        more.see(Level::Otherwise, Some(120), Mono(902_000));
        assert_eq!((more.sinks(), more.halts()), (false, 2));
        // Not a second time: it was the load that went, and not mains that came.
        assert!(after(&mut more, [Some(119), Some(100)].repeat(13)));
        more.see(Level::Otherwise, Some(300), Mono(903_000));
        assert!(more.sinks());
        more.see(Level::Filling, Some(301), Mono(904_000));
        assert!(!more.sinks());
    }

    /// After three halts it is told, once, and nothing else. One that is under way is counted by
    /// whoever writes it down, and goes on.
    #[test]
    fn halts_are_counted() {
        for (halts, acts) in [(0, true), (2, true), (3, false), (u8::MAX, false)] {
            let mut sink = Sink::default();
            sink.take_up(&left(halts, false, false));
            assert_eq!(sink.tells(), None);
            after(&mut sink, [None; 25]);
            assert_eq!(sink.halts_now(), acts, "{halts}");
            assert_eq!(sink.tells(), (!acts).then_some(halts));
            assert_eq!(sink.tells(), None);
        }
        for (marker, halts, sinks) in [
            (left(1, true, false), 1, false),
            (left(1, true, true), 0, true),
            (left(1, false, true), 1, false),
        ] {
            let mut sink = Sink::default();
            sink.take_up(&marker);
            assert_eq!((sink.halts(), sink.sinks()), (halts, sinks), "{marker:?}");
        }
    }
}
