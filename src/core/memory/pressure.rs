//! Want of memory as those feel it who wait for it, and what is shed for that.
//!
//! Terms: *pressure* is the share of time in which every process that could run waits for memory (PSI,
//! `full`); the machine *thrashes* while as much is read back from swap as is written to it: then it
//! works for its swap and for nothing else.
//!
//! Silence takes nothing back.

use super::super::Pass;
use super::super::fact::{Fault, Source, Swap};
use super::super::level::{Worse, judge};
use super::super::note::{GuardNote, Note};
use super::super::picture::{Shed, Verdict};
use super::super::sense::Last;
use super::super::settings::Limits;
use crate::units::{Mono, Permille};
use std::time::Duration;

/// In KiB a second, both to and from swap. A machine that puts away what nobody needs only writes; one
/// that wakes up only reads.
const THRASH: u32 = 512;

/// Readings in a row that show it, and that do not, before that counts.
const READINGS: u8 = 2;

/// Time in want after which optional services are to stop, and then normal ones. Shorter: the start of
/// a large program stops others. Longer: nothing that is left can be reached.
const OPTIONAL_AFTER: Duration = Duration::from_secs(30);
/// See [`OPTIONAL_AFTER`].
const NORMAL_AFTER: Duration = Duration::from_secs(90);

/// Time without want after which one class may run again: what comes back needs memory, too.
const RELEASE_AFTER: Duration = Duration::from_secs(120);

/// State of it.
#[derive(Default)]
pub(crate) struct Want {
    pressure: Last<Permille>,
    verdict: Verdict,
    swap: Last<Swap>,
    thrashes: bool,
    /// Readings in a row that speak against it as it stands.
    against: u8,
    shed: Shed,
    /// In want since then, or without since then.
    since: Option<(bool, Mono)>,
}

impl Want {
    pub fn feel(&mut self, full: Permille, pass: &mut Pass) {
        self.pressure.see(full, Source::Pressure, pass);
        let limits = pass.settings.pressure;
        let half = |p: Permille| Permille(p.0 / 2);
        let release = Limits {
            warn: half(limits.warn),
            critical: half(limits.critical),
        };
        let verdict = judge(self.verdict, full, limits, release, Worse::Higher);
        if verdict != self.verdict && (verdict, self.verdict) != (Verdict::Ok, Verdict::Unknown) {
            let note = GuardNote::MemoryPressure { verdict, full };
            pass.out.note(Note::Guard(note));
        }
        self.verdict = verdict;
    }

    pub fn swapped(&mut self, swap: Swap, pass: &mut Pass) {
        self.swap.see(swap, Source::Swap, pass);
        let shows = swap.read >= THRASH && swap.written >= THRASH;
        if shows == self.thrashes {
            self.against = 0;
            return;
        }
        self.against += 1;
        if self.against < READINGS {
            return;
        }
        (self.thrashes, self.against) = (shows, 0);
        pass.out.note(Note::Guard(match shows {
            true => GuardNote::Thrashing {
                on_disk: swap.on_disk,
            },
            false => GuardNote::ThrashingOver,
        }));
    }

    pub fn lose(&mut self, source: Source, why: &Fault, pass: &mut Pass) {
        if source == Source::Swap {
            self.swap.lose(source, why, pass);
        } else {
            self.pressure.lose(source, why, pass);
            self.verdict = self.verdict.unseen();
        }
    }

    /// Its thread is stuck.
    pub fn distrust(&mut self) {
        self.swap.distrust();
        if self.pressure != Last::Never {
            self.pressure.distrust();
            self.verdict = self.verdict.unseen();
        }
    }

    /// Asks for less to run, or takes that back, after a reading. `scarce`: little memory is left.
    pub fn shed(&mut self, scarce: bool, pass: &mut Pass) {
        let want = scarce || self.thrashes || self.verdict == Verdict::Critical;
        let since = match self.since {
            Some((before, since)) if before == want => since,
            Some(_) | None => pass.now,
        };
        self.since = Some((want, since));
        if !pass.settings.shed_for_memory {
            return;
        }
        let lasted = pass.now.since(since);
        let shed = match (want, self.shed) {
            (true, _) if lasted >= NORMAL_AFTER => Shed::Normal,
            (true, before) if lasted >= OPTIONAL_AFTER => before.max(Shed::Optional),
            (false, Shed::Normal) if lasted >= RELEASE_AFTER => Shed::Optional,
            (false, Shed::Optional) if lasted >= RELEASE_AFTER => Shed::Nothing,
            (_, before) => before,
        };
        if shed == self.shed {
            return;
        }
        if shed < self.shed {
            // One class at a time: the next waits as long again.
            self.since = Some((false, pass.now));
        }
        self.shed = shed;
        pass.out
            .note(Note::Guard(GuardNote::MemoryShedding { shed }));
    }

    /// Pressure, swap, whether the machine thrashes, and what is thought of it.
    pub fn latest(&self) -> (Option<Permille>, Option<Swap>, bool, Verdict) {
        let (pressure, swap) = (self.pressure.value(), self.swap.value());
        (pressure, swap, self.thrashes, self.verdict())
    }

    pub fn verdict(&self) -> Verdict {
        let told = self.pressure != Last::Never || self.verdict >= Verdict::Warn;
        let pressure = if told { self.verdict } else { Verdict::Ok };
        match self.thrashes {
            true => pressure.max(Verdict::Warn),
            false => pressure,
        }
    }

    pub fn wish(&self) -> Shed {
        self.shed
    }
}
