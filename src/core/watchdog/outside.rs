//! A watchdog in init's hands, as it looks from outside: nobody here opens it.
//!
//! ```text
//! Unseen ──runs──► Runs ◄──► Stopped: nobody guards the machine
//! ```
//!
//! Never takes init's word for it: the configuration says who is to pet the device, only the kernel
//! says whether it runs. Silence takes nothing back.

use super::super::Pass;
use super::super::fact::{Fact, Pulse, Reading, Source, Thread};
use super::super::note::Note;
use super::super::picture::Verdict;
use super::super::settings::WatchdogOwner;
use std::time::Duration;

/// What is seen of a watchdog that init is to pet.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Outside {
    /// Nothing, or nothing that still stands.
    #[default]
    Unseen,
    /// One runs.
    Runs {
        /// Its timeout, where the kernel shows it.
        timeout: Option<Duration>,
    },
    /// None runs.
    Stopped,
}

impl Outside {
    /// Takes a fact in. Only a watchdog that is init's is looked at.
    pub(super) fn step(&mut self, pass: &mut Pass) {
        match pass.settings.watchdog.owner {
            WatchdogOwner::Systemd => {}
            WatchdogOwner::Fieldwarden | WatchdogOwner::Nobody => return,
        }
        match pass.fact {
            Fact::Seen(Reading::WatchdogElsewhere { running, timeout }) => {
                let seen = match running {
                    true => Outside::Runs { timeout: *timeout },
                    false => Outside::Stopped,
                };
                self.turn(seen, pass);
            }
            Fact::Lost {
                source: Source::Watchdog,
                ..
            }
            | Fact::Thread {
                thread: Thread::Vitals,
                pulse: Pulse::Late { .. },
            } => self.distrust(),
            Fact::Tick | Fact::Seen(_) | Fact::Lost { .. } | Fact::Thread { .. } => {}
            Fact::Child { .. } | Fact::Kept { .. } | Fact::Asked { .. } | Fact::Done { .. } => {}
        }
    }

    fn turn(&mut self, seen: Outside, pass: &mut Pass) {
        if *self == seen {
            return;
        }
        match seen {
            Outside::Runs { timeout } => pass.out.note(Note::WatchdogRuns { timeout }),
            Outside::Stopped => pass.out.note(Note::WatchdogIdle),
            Outside::Unseen => {}
        }
        *self = seen;
    }

    fn distrust(&mut self) {
        match self {
            Outside::Runs { .. } => *self = Outside::Unseen,
            Outside::Unseen | Outside::Stopped => {}
        }
    }

    /// What to think of it, if init watches this daemon (`watched`) or does not.
    pub(super) fn verdict(self, watched: bool) -> Verdict {
        match self {
            Outside::Stopped => Verdict::Warn,
            Outside::Unseen | Outside::Runs { .. } if !watched => Verdict::Warn,
            Outside::Unseen => Verdict::Unknown,
            Outside::Runs { .. } => Verdict::Ok,
        }
    }
}
