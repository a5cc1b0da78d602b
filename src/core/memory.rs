//! Memory that programs can still have, and load.
//!
//! Never kills anything for want of memory: it reports, and asks for less to run where its owner wants
//! that; those after it read the verdict. Silence
//! takes nothing back: what was scarce stays so until a reading says otherwise.

mod pressure;

use super::fact::{Fact, Pulse, Reading, Source, Swap, Thread};
use super::level::{Worse, judge};
use super::note::Note;
use super::picture::Verdict;
use super::sense::Last;
use super::settings::Limits;
use super::{Pass, Policy};
use crate::units::{Mono, Permille};
use pressure::Want;

/// Share of memory above a limit at which its range is left again (2 %).
const MEMORY_MARGIN: u16 = 20;

/// Hundredths of a process per processor below a limit at which its range is left again. The load
/// average moves slowly by itself, so a small margin is enough.
const LOAD_MARGIN: u32 = 50;

/// State of the policy.
#[derive(Default)]
pub(crate) struct Memory {
    available: Last<Permille>,
    memory: Verdict,
    load: Last<u32>,
    pressure: Verdict,
    want: Want,
}

impl Memory {
    pub fn latest(&self) -> (Option<Permille>, Option<u32>) {
        (self.available.value(), self.load.value())
    }

    /// What is thought of memory, and of load.
    pub fn verdicts(&self) -> (Verdict, Verdict) {
        (self.memory.max(self.want.verdict()), self.pressure)
    }

    /// Pressure, swap, whether the machine thrashes, and what is thought of it.
    pub fn want(&self) -> (Option<Permille>, Option<Swap>, bool, Verdict) {
        self.want.latest()
    }

    fn judge_memory(&mut self, available: Permille, pass: &mut Pass) {
        let limits = pass.settings.memory;
        let above = |p: Permille| Permille(p.0.saturating_add(MEMORY_MARGIN));
        let release = Limits {
            warn: above(limits.warn),
            critical: above(limits.critical),
        };
        let verdict = judge(self.memory, available, limits, release, Worse::Lower);
        if verdict != self.memory && (verdict, self.memory) != (Verdict::Ok, Verdict::Unknown) {
            pass.out.note(Note::Memory { verdict, available });
        }
        self.memory = verdict;
    }

    fn judge_load(&mut self, centi_per_cpu: u32, pass: &mut Pass) {
        let limits = pass.settings.load;
        let below = |l: u32| l.saturating_sub(LOAD_MARGIN);
        let release = Limits {
            warn: below(limits.warn),
            critical: below(limits.critical),
        };
        let verdict = judge(self.pressure, centi_per_cpu, limits, release, Worse::Higher);
        if verdict != self.pressure && (verdict, self.pressure) != (Verdict::Ok, Verdict::Unknown) {
            pass.out.note(Note::Load {
                verdict,
                centi_per_cpu,
            });
        }
        self.pressure = verdict;
    }
}

impl Policy for Memory {
    fn step(&mut self, pass: &mut Pass) {
        match pass.fact {
            Fact::Seen(Reading::Memory { available }) => {
                self.available.see(*available, Source::Memory, pass);
                self.judge_memory(*available, pass);
            }
            Fact::Seen(Reading::Pressure { full }) => self.want.feel(*full, pass),
            Fact::Seen(Reading::Swap(swap)) => self.want.swapped(*swap, pass),
            Fact::Lost {
                source: source @ (Source::Pressure | Source::Swap),
                why,
            } => self.want.lose(*source, why, pass),
            Fact::Seen(Reading::Load { centi_per_cpu }) => {
                self.load.see(*centi_per_cpu, Source::Load, pass);
                self.judge_load(*centi_per_cpu, pass);
            }
            Fact::Lost {
                source: Source::Memory,
                why,
            } => {
                self.available.lose(Source::Memory, why, pass);
                self.memory = self.memory.unseen();
            }
            Fact::Lost {
                source: Source::Load,
                why,
            } => {
                self.load.lose(Source::Load, why, pass);
                self.pressure = self.pressure.unseen();
            }
            Fact::Thread {
                thread: Thread::Vitals,
                pulse: Pulse::Late { .. },
            } => {
                self.available.distrust();
                self.load.distrust();
                self.want.distrust();
                (self.memory, self.pressure) = (self.memory.unseen(), self.pressure.unseen());
            }
            Fact::Tick | Fact::Seen(_) | Fact::Lost { .. } | Fact::Thread { .. } => return,
            Fact::Child { .. } | Fact::Kept { .. } | Fact::Asked { .. } | Fact::Done { .. } => {
                return;
            }
        }
        if let Fact::Seen(_) = pass.fact {
            let scarce = self.memory == Verdict::Critical;
            self.want.shed(scarce, pass);
        }
        pass.picture.shed_for_memory = self.want.wish();
        pass.picture.memory = self.memory.max(self.pressure).max(self.want.verdict());
        // What nobody can tell any more keeps nothing from running.
        let told = self.available.value().is_some();
        pass.picture.memory_low = told && self.memory >= Verdict::Warn;
    }

    fn deadline(&self) -> Option<Mono> {
        None
    }
}
