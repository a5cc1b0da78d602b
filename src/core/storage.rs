//! File systems: free space, free inodes, and whether writes can still succeed.
//!
//! Never writes, and deletes only what a cap says: it reports. A file system that was read-only when it
//! was first seen is meant to be; one that turns read-only later is broken. One that cannot be looked
//! at any more keeps what was bad about it: silence is no repair.

mod canary;
mod cap;

use super::action::Action;
use super::fact::{
    CanaryId, CapId, Fact, Fault, Freed, MountId, OrderId, Pulse, Reading, Source, Thread, Wear,
};
use super::level::{Worse, judge};
use super::note::{GuardNote, Note};
use super::picture::Verdict;
use super::sense::Last;
use super::settings::{Limits, Settings};
use super::{Pass, Policy};
use crate::units::{Mono, Permille};
use canary::Canary;
pub use canary::CanaryView;
use cap::Cap;
pub use cap::CapView;
use std::time::Duration;

/// Share above a limit at which its range is left again (2 %).
const MARGIN: u16 = 20;

/// How one file system stands.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct MountView {
    /// Which.
    pub mount: MountId,
    /// The latest reading, and when it was taken; `None` before the first.
    pub latest: Option<(MountSample, Mono)>,
    /// That reading stands: nothing has been lost since.
    pub stands: bool,
    /// What is wrong with it, the worst first.
    pub why: Option<MountTrouble>,
    /// The worst of its verdicts.
    pub verdict: Verdict,
    /// How worn its medium is, if that tells.
    pub wear: Option<Wear>,
}

/// What is wrong with a file system.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum MountTrouble {
    /// It could be written, and cannot any more.
    ReadOnly,
    /// Too little space.
    Space,
    /// Too few inodes.
    Inodes,
    /// It has recorded errors.
    Errors,
    /// Its medium is worn.
    Worn,
}

/// One reading of a file system.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct MountSample {
    /// Free space.
    pub space: Permille,
    /// Free inodes, where they are limited.
    pub inodes: Option<Permille>,
    /// No write can succeed.
    pub read_only: bool,
    /// Errors that it has recorded since it was last checked.
    pub errors: u32,
}

#[derive(Default)]
struct Mount {
    last: Last<MountSample>,
    /// The latest reading, whether it still stands or not.
    latest: Option<(MountSample, Mono)>,
    space: Verdict,
    inodes: Verdict,
    /// It could be written when it was first seen.
    writable_once: Option<bool>,
    read_only: bool,
    errors: Verdict,
    /// Errors that it had when it was first seen; what came since is about this boot.
    errors_before: Option<u32>,
    wear: Option<Wear>,
    worn: Verdict,
}

impl Mount {
    fn verdict(&self) -> Verdict {
        let known = match self.broken() {
            true => Verdict::Critical,
            false => self
                .space
                .max(self.inodes)
                .max(self.errors)
                .max(self.worn_out()),
        };
        match self.last {
            Last::At(_) => known,
            Last::Never | Last::Gone => known.unseen(),
        }
    }

    fn broken(&self) -> bool {
        self.read_only && self.writable_once == Some(true)
    }

    /// Nothing is said of a medium that does not tell.
    fn worn_out(&self) -> Verdict {
        self.wear.map_or(Verdict::Ok, |_| self.worn)
    }

    fn wear(&mut self, mount: MountId, wear: Wear, pass: &mut Pass) {
        let verdict = match (wear.life, wear.spare) {
            (11.., _) | (_, 3..) => Verdict::Critical,
            (10, _) | (_, 2) => Verdict::Warn,
            (0..10, 0..2) => Verdict::Ok,
        };
        self.wear = Some(wear);
        let before = std::mem::replace(&mut self.worn, verdict);
        if verdict != before && (verdict, before) != (Verdict::Ok, Verdict::Unknown) {
            let note = GuardNote::MediumWorn {
                verdict,
                mount,
                wear,
            };
            pass.out.note(Note::Guard(note));
        }
    }

    fn why(&self) -> Option<MountTrouble> {
        if self.broken() {
            Some(MountTrouble::ReadOnly)
        } else if self.errors >= Verdict::Warn {
            Some(MountTrouble::Errors)
        } else if self.space.max(self.inodes) < Verdict::Warn {
            (self.worn_out() >= Verdict::Warn).then_some(MountTrouble::Worn)
        } else if self.inodes > self.space {
            Some(MountTrouble::Inodes)
        } else {
            Some(MountTrouble::Space)
        }
    }

    fn see(&mut self, mount: MountId, sample: MountSample, pass: &mut Pass) {
        self.last.see(sample, Source::Mount(mount), pass);
        self.latest = Some((sample, pass.now));
        let writable_once = *self.writable_once.get_or_insert(!sample.read_only);
        if sample.read_only != self.read_only && writable_once {
            pass.out.note(Note::Guard(match sample.read_only {
                true => GuardNote::MountReadOnly { mount },
                false => GuardNote::MountWritable { mount },
            }));
        }
        if !sample.read_only {
            self.writable_once = Some(true);
        }
        self.read_only = sample.read_only;
        self.count_errors(mount, sample.errors, pass);
        if sample.read_only && !writable_once {
            // Made full by its maker (an image, a read-only root): no shortage of anything.
            (self.space, self.inodes) = (Verdict::Ok, Verdict::Ok);
            return;
        }
        self.judge(mount, sample, pass);
    }

    /// Errors that are new mean that the card fails now: ext4 may have stopped writing, and some
    /// kernels show that in no other way. Old ones want a check of the file system.
    fn count_errors(&mut self, mount: MountId, errors: u32, pass: &mut Pass) {
        let before = self.errors_before.map_or(errors, |b| b.min(errors));
        self.errors_before = Some(before);
        let verdict = match (errors > 0, errors > before) {
            (false, _) => Verdict::Ok,
            (true, false) => Verdict::Warn,
            (true, true) => Verdict::Critical,
        };
        if verdict != self.errors && (verdict, self.errors) != (Verdict::Ok, Verdict::Unknown) {
            pass.out.note(Note::MountErrors {
                verdict,
                mount,
                errors,
            });
        }
        self.errors = verdict;
    }

    fn judge(&mut self, mount: MountId, sample: MountSample, pass: &mut Pass) {
        let next = |before, value, limits: Limits<Permille>| {
            let above = |p: Permille| Permille(p.0.saturating_add(MARGIN));
            let release = Limits {
                warn: above(limits.warn),
                critical: above(limits.critical),
            };
            judge(before, value, limits, release, Worse::Lower)
        };
        let told = |verdict, before| {
            verdict != before && (verdict, before) != (Verdict::Ok, Verdict::Unknown)
        };
        let space = next(self.space, sample.space, pass.settings.space);
        if told(space, self.space) {
            pass.out.note(Note::Space {
                verdict: space,
                mount,
                free: sample.space,
            });
        }
        self.space = space;
        let inodes = match sample.inodes {
            Some(free) => {
                let verdict = next(self.inodes, free, pass.settings.inodes);
                if told(verdict, self.inodes) {
                    pass.out.note(Note::Inodes {
                        verdict,
                        mount,
                        free,
                    });
                }
                verdict
            }
            None => Verdict::Ok,
        };
        self.inodes = inodes;
    }
}

/// State of the policy.
pub(crate) struct Storage {
    mounts: Vec<Mount>,
    canaries: Vec<Canary>,
    caps: Vec<Cap>,
}

impl Storage {
    pub fn new(settings: &Settings) -> Storage {
        Storage {
            mounts: settings.mounts.iter().map(|_| Mount::default()).collect(),
            canaries: settings
                .canaries
                .iter()
                .map(|_| Canary::default())
                .collect(),
            caps: settings.caps.iter().map(|_| Cap::default()).collect(),
        }
    }

    pub fn views(&self) -> impl Iterator<Item = MountView> + '_ {
        (0u16..).zip(&self.mounts).map(|(at, m)| MountView {
            mount: MountId(at),
            latest: m.latest,
            stands: m.last.value().is_some(),
            why: m.why(),
            verdict: m.verdict(),
            wear: m.wear,
        })
    }

    pub fn canaries(&self) -> impl Iterator<Item = CanaryView> + '_ {
        (0u16..)
            .zip(&self.canaries)
            .map(|(at, c)| c.view(CanaryId(at)))
    }

    pub fn caps(&self) -> impl Iterator<Item = CapView> + '_ {
        (0u16..).zip(&self.caps).map(|(at, c)| c.view(CapId(at)))
    }

    fn see_wear(&mut self, mount: MountId, wear: Wear, pass: &mut Pass) {
        if let Some(known) = self.mounts.get_mut(usize::from(mount.0)) {
            known.wear(mount, wear, pass);
        }
    }

    fn see_canary(&mut self, id: CanaryId, took: Result<Duration, &Fault>, pass: &mut Pass) {
        match (self.canaries.get_mut(usize::from(id.0)), took) {
            (Some(known), Ok(took)) => known.see(id, took, pass),
            (Some(known), Err(why)) => known.lose(id, why, pass),
            (None, _) => {}
        }
    }

    fn see_cap(&mut self, cap: CapId, seen: Result<(u64, Option<Freed>), &Fault>, pass: &mut Pass) {
        match (self.caps.get_mut(usize::from(cap.0)), seen) {
            (Some(known), Ok((size, freed))) => {
                if known.see(cap, size, freed, pass) {
                    known.ordered(pass.out.push(Action::Trim { cap }), pass.now);
                }
            }
            (Some(known), Err(why)) => known.lose(cap, why, pass),
            (None, _) => {}
        }
    }

    fn verdict(&self) -> Verdict {
        let mounts = self.mounts.iter().map(Mount::verdict);
        let canaries = self.canaries.iter().map(Canary::verdict);
        let all = mounts
            .chain(canaries)
            .chain(self.caps.iter().map(Cap::verdict));
        all.max().unwrap_or(Verdict::Ok)
    }

    /// A thread is stuck: what it saw no longer stands.
    fn distrust(&mut self, thread: Thread) {
        match thread {
            Thread::Disk => {
                self.mounts.iter_mut().for_each(|m| m.last.distrust());
                self.caps.iter_mut().for_each(Cap::distrust);
            }
            Thread::Canary => self.canaries.iter_mut().for_each(Canary::distrust),
            Thread::Children
            | Thread::Watchdog
            | Thread::Spawner
            | Thread::SecondSpawner
            | Thread::Vitals
            | Thread::Control
            | Thread::Recorder
            | Thread::Marker
            | Thread::Sync
            | Thread::Halt
            | Thread::Bus
            | Thread::Line
            | Thread::Output
            | Thread::Signals
            | Thread::Log
            | Thread::Led
            | Thread::Prober
            | Thread::Keeper
            | Thread::Engine
            | Thread::Uplink
            | Thread::Health => {}
        }
    }

    fn done(&mut self, order: OrderId, outcome: &Result<(), Fault>, pass: &mut Pass) {
        for (at, cap) in (0u16..).zip(&mut self.caps) {
            cap.done(CapId(at), order, outcome, pass);
        }
    }

    fn lose(&mut self, id: MountId, why: &Fault, pass: &mut Pass) {
        if let Some(mount) = self.mounts.get_mut(usize::from(id.0)) {
            mount.last.lose(Source::Mount(id), why, pass);
        }
    }
}

impl Policy for Storage {
    fn step(&mut self, pass: &mut Pass) {
        match pass.fact {
            Fact::Seen(Reading::Mount {
                mount,
                space,
                inodes,
                read_only,
                errors,
            }) => {
                let sample = MountSample {
                    space: *space,
                    inodes: *inodes,
                    read_only: *read_only,
                    errors: *errors,
                };
                if let Some(known) = self.mounts.get_mut(usize::from(mount.0)) {
                    known.see(*mount, sample, pass);
                }
            }
            Fact::Lost {
                source: Source::Mount(mount),
                why,
            } => self.lose(*mount, why, pass),
            Fact::Seen(Reading::Wear { mount, wear }) => self.see_wear(*mount, *wear, pass),
            Fact::Seen(Reading::Canary { canary, took }) => {
                self.see_canary(*canary, Ok(*took), pass);
            }
            Fact::Lost {
                source: Source::Canary(canary),
                why,
            } => self.see_canary(*canary, Err(why), pass),
            Fact::Seen(Reading::Cap { cap, size, freed }) => {
                self.see_cap(*cap, Ok((*size, *freed)), pass);
            }
            Fact::Lost {
                source: Source::Cap(cap),
                why,
            } => self.see_cap(*cap, Err(why), pass),
            Fact::Done { order, outcome } => self.done(*order, outcome, pass),
            Fact::Thread {
                thread,
                pulse: Pulse::Late { .. },
            } => self.distrust(*thread),
            Fact::Tick if self.mounts.is_empty() => {}
            Fact::Tick | Fact::Seen(_) | Fact::Lost { .. } | Fact::Thread { .. } => return,
            Fact::Child { .. } | Fact::Kept { .. } | Fact::Asked { .. } => return,
        }
        pass.picture.storage = self.verdict();
    }

    fn deadline(&self) -> Option<Mono> {
        None
    }
}
