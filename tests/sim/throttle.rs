//! The firmware's throttle flags, whoever clears them, and what the verdict on them must be: the
//! invariants T1 to T5.
//!
//! They are told from the facts that the core has heard, and know nothing of how it decides.

use crate::checks::View;
use crate::faults::Kind;
use crate::plan::Plan;
use crate::rng::Rng;
use crate::world::{Event, World};
use fieldwarden::core::fact::{
    Errno, Fact, Fault, Pulse, Reading, Source, Thread, ThrottleFlag, ThrottleFlags,
};
use fieldwarden::core::note::Note;
use fieldwarden::core::picture::Verdict;

/// A flag that was clear for this long has ended its episode. In milliseconds, as all here.
const QUIET: u64 = 30_000;

/// The firmware.
pub struct Firmware {
    /// There is one at all.
    pub there: bool,
    flags: ThrottleFlags,
    silent_until: u64,
    /// The kernel's driver clears what has occurred.
    cleared: bool,
}

impl Firmware {
    pub fn of(plan: &Plan, rng: &mut Rng) -> Firmware {
        let wanted = [Kind::Sag, Kind::BriefSag, Kind::FlagsUnseen];
        Firmware {
            there: wanted.iter().any(|k| plan.faults.contains(k)) || rng.chance(50),
            flags: ThrottleFlags(rng.pick(&[0, 0, 0x5_0000])),
            silent_until: 0,
            cleared: rng.chance(50),
        }
    }

    pub fn heal(&mut self, now: u64) {
        self.flags = ThrottleFlags(self.flags.0 & !0xffff);
        self.silent_until = now;
    }

    fn read(&mut self, now: u64) -> Fact {
        if now < self.silent_until {
            return Fact::Lost {
                source: Source::Throttle,
                why: Fault::Errno(Errno(5)),
            };
        }
        let flags = self.flags;
        if self.cleared {
            // What is now occurs again at once.
            self.flags = ThrottleFlags((flags.0 & 0xf) * 0x1_0001);
        }
        Fact::Seen(Reading::Throttle(flags))
    }
}

impl World {
    /// Some of the flags are set for a while; the firmware is free in which.
    pub fn sag(&mut self) {
        let now = self.rng.range(1, 15);
        self.firmware.flags = ThrottleFlags(self.firmware.flags.0 | (now as u32 * 0x1_0001));
        let until = self.rng.range(500, 60_000);
        self.after(until, Event::VoltageBack);
    }

    /// They are set and clear again before anybody looks.
    pub fn sag_briefly(&mut self) {
        let was = self.rng.range(1, 15);
        self.firmware.flags = ThrottleFlags(self.firmware.flags.0 | (was as u32) << 16);
    }

    pub fn blind_flags(&mut self) {
        self.firmware.silent_until = self.now + self.rng.range(1_000, 90_000);
    }

    pub fn voltage_back(&mut self) {
        self.firmware.flags = ThrottleFlags(self.firmware.flags.0 & !0xffff);
    }

    pub fn read_flags(&mut self) {
        if self.firmware.there {
            let fact = self.firmware.read(self.now);
            self.send(Thread::Vitals, fact);
        }
    }
}

/// What was heard of the flags in this life.
#[derive(Default)]
pub struct Flags {
    any: bool,
    /// The latest reading, while it stands.
    latest: Option<ThrottleFlags>,
    /// When each flag was last heard to be set, or to have been since the reading before.
    found: [Option<u64>; 4],
    /// Each bit of what has occurred, as it was read last.
    trace: [Option<bool>; 4],
    /// An episode of each was told to have begun, and not to have ended.
    told: [bool; 4],
}

impl Flags {
    /// Takes a step in, and says what is wrong with the verdict after it.
    pub fn flags_are_judged(&mut self, v: &View) -> Result<(), String> {
        let before = self.found;
        self.hear(v);
        self.notes_make_sense(v, before)?;
        let verdict = v.core.picture().throttle;
        let recent = self.found.iter().flatten().any(|at| v.now < at + QUIET);
        let set = |flags: ThrottleFlags| ThrottleFlag::ALL.iter().any(|f| flags.now(*f));
        for (wrong, what) in [
            (
                verdict.is_some() != self.any,
                "T1: a verdict on flags without news of them, or news without a verdict",
            ),
            (
                self.latest.is_some_and(set) && verdict != Some(Verdict::Warn),
                "T2: a flag is set, and that is not told",
            ),
            (
                verdict == Some(Verdict::Ok) && (self.latest.is_none() || recent),
                "T3: all is fine though a flag was found a moment ago, or nobody looks",
            ),
        ] {
            if wrong {
                return Err(format!("{what} ({verdict:?}, {:?})", self.latest));
            }
        }
        Ok(())
    }

    /// T4: an episode begins once, with a reading that found the flag, and ends once, when it was
    /// clear for long. T5: so nothing is told more often than twice in the quiet time.
    fn notes_make_sense(&mut self, v: &View, before: [Option<u64>; 4]) -> Result<(), String> {
        for note in v.notes {
            let (flag, good) = match *note {
                Note::ThrottleBegan { flag, .. } => {
                    let told = &mut self.told[flag.bit() as usize];
                    let now = self.latest.is_some_and(|flags| flags.now(flag));
                    (flag, !std::mem::replace(told, true) && now)
                }
                Note::ThrottleEnded { flag, .. } => {
                    self.told[flag.bit() as usize] = false;
                    let last = before[flag.bit() as usize];
                    let quiet = last.is_some_and(|at| v.now >= at + QUIET);
                    let clear = self.latest.is_some_and(|flags| !flags.now(flag));
                    (flag, quiet && clear)
                }
                Note::ThrottleBrief { flag, .. } => {
                    let last = before[flag.bit() as usize];
                    let fresh = last.is_none_or(|at| v.now >= at + QUIET);
                    (flag, fresh && self.latest.is_some_and(|f| !f.now(flag)))
                }
                _ => continue,
            };
            if !good {
                return Err(format!(
                    "T4: {note:?} of {flag:?}: {before:?}, {:?}",
                    self.latest
                ));
            }
        }
        Ok(())
    }

    fn hear(&mut self, v: &View) {
        match v.fact {
            Fact::Seen(Reading::Throttle(flags)) => {
                self.any = true;
                self.latest = Some(*flags);
                for (at, flag) in ThrottleFlag::ALL.into_iter().enumerate() {
                    let was = self.trace[at].replace(flags.occurred(flag));
                    let missed = flags.occurred(flag) && was == Some(false);
                    if flags.now(flag) || missed {
                        self.found[at] = Some(v.now);
                    }
                }
            }
            Fact::Lost {
                source: Source::Throttle,
                ..
            } => {
                self.any = true;
                self.latest = None;
            }
            Fact::Thread {
                thread: Thread::Vitals,
                pulse: Pulse::Late { .. },
            } => self.latest = None,
            _ => {}
        }
    }
}
