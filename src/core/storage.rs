//! File systems: free space, free inodes, and whether writes can still succeed.
//!
//! Never writes and never deletes: it reports. A file system that was read-only when it was first
//! seen is meant to be; one that turns read-only later is broken. One that cannot be looked at any more
//! keeps what was bad about it: silence is no repair.

use super::fact::{Fact, Fault, MountId, Pulse, Reading, Source, Thread};
use super::level::{Worse, judge};
use super::note::Note;
use super::picture::Verdict;
use super::sense::Last;
use super::settings::{Limits, Settings};
use super::{Pass, Policy};
use crate::units::{Mono, Permille};

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
}

impl Mount {
    fn verdict(&self) -> Verdict {
        let known = match self.broken() {
            true => Verdict::Critical,
            false => self.space.max(self.inodes).max(self.errors),
        };
        match self.last {
            Last::At(_) => known,
            Last::Never | Last::Gone => known.unseen(),
        }
    }

    fn broken(&self) -> bool {
        self.read_only && self.writable_once == Some(true)
    }

    fn why(&self) -> Option<MountTrouble> {
        if self.broken() {
            Some(MountTrouble::ReadOnly)
        } else if self.errors >= Verdict::Warn {
            Some(MountTrouble::Errors)
        } else if self.space.max(self.inodes) < Verdict::Warn {
            None
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
            pass.out.note(match sample.read_only {
                true => Note::MountReadOnly { mount },
                false => Note::MountWritable { mount },
            });
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
}

impl Storage {
    pub fn new(settings: &Settings) -> Storage {
        Storage {
            mounts: settings.mounts.iter().map(|_| Mount::default()).collect(),
        }
    }

    pub fn views(&self) -> impl Iterator<Item = MountView> + '_ {
        (0u16..).zip(&self.mounts).map(|(at, m)| MountView {
            mount: MountId(at),
            latest: m.latest,
            stands: m.last.value().is_some(),
            why: m.why(),
            verdict: m.verdict(),
        })
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
            Fact::Thread {
                thread: Thread::Disk,
                pulse: Pulse::Late { .. },
            } => {
                self.mounts.iter_mut().for_each(|m| m.last.distrust());
            }
            Fact::Tick if self.mounts.is_empty() => {}
            Fact::Tick | Fact::Seen(_) | Fact::Lost { .. } | Fact::Thread { .. } => return,
            Fact::Child { .. } | Fact::Kept { .. } | Fact::Asked { .. } | Fact::Done { .. } => {
                return;
            }
        }
        let worst = self.mounts.iter().map(Mount::verdict).max();
        pass.picture.storage = worst.unwrap_or(Verdict::Ok);
    }

    fn deadline(&self) -> Option<Mono> {
        None
    }
}
