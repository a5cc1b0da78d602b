//! Clock: does anybody discipline the kernel's clock?
//!
//! Never steps the clock and never uses wall time for a decision.

use super::fact::{Fact, Pulse, Reading, Source, Thread};
use super::note::Note;
use super::picture::Verdict;
use super::sense::Last;
use super::{Pass, Policy};
use crate::units::Mono;

/// State of the policy.
#[derive(Default)]
pub(crate) struct Clock {
    synced: Last<bool>,
    /// What was told last. A reading that was lost for a while is not a change of the clock.
    told: bool,
}

impl Clock {
    pub fn latest(&self) -> Option<bool> {
        self.synced.value()
    }
}

impl Policy for Clock {
    fn step(&mut self, pass: &mut Pass) {
        match pass.fact {
            Fact::Seen(Reading::Clock { synced }) => {
                self.synced.see(*synced, Source::Clock, pass);
                if *synced != std::mem::replace(&mut self.told, *synced) {
                    pass.out.note(match synced {
                        true => Note::ClockSynced,
                        false => Note::ClockUnsynced,
                    });
                }
            }
            Fact::Lost {
                source: Source::Clock,
                why,
            } => {
                self.synced.lose(Source::Clock, why, pass);
            }
            Fact::Thread {
                thread: Thread::Vitals,
                pulse: Pulse::Late { .. },
            } => {
                self.synced.distrust();
            }
            Fact::Tick | Fact::Seen(_) | Fact::Lost { .. } | Fact::Thread { .. } => return,
            Fact::Child { .. } | Fact::Asked { .. } | Fact::Done { .. } => return,
        }
        pass.picture.clock = match self.synced.value() {
            Some(true) => Verdict::Ok,
            Some(false) | None => Verdict::Unknown,
        };
    }

    fn deadline(&self) -> Option<Mono> {
        None
    }
}
