//! Failures that are put down to the machine: the invariants X1 and X2.
//!
//! They are told from the facts that the core has heard, and know nothing of how it decides.

use crate::checks::View;
use fieldwarden::core::Supply;
use fieldwarden::core::fact::{Fact, Pulse, Reading, ServiceId, Source, Thread, ThrottleFlag};
use fieldwarden::core::note::Note;
use fieldwarden::core::picture::Excuse;

/// For so long after it was noticed to be over a strain excuses failures. In milliseconds.
pub const MARGIN: u64 = 30_000;

/// What strains the machine.
#[derive(Default)]
pub struct Strained {
    /// What the firmware said of having occurred, for each flag that counts.
    occurred: [Option<bool>; 2],
    flagged: bool,
    now: bool,
    past: Option<u64>,
}

impl Strained {
    /// X1: what failed under strain, or within the margin after it, is excused; X2: nothing else is.
    pub fn failures_are_put_down_rightly(&mut self, v: &View) -> Result<(), String> {
        self.hear(v);
        let lately = self.past.is_some_and(|at| v.now - at < MARGIN);
        let strained = self.now || lately;
        for note in v.notes {
            match note {
                Note::ServiceExcused {
                    excuse: Excuse::Strain(_),
                    ..
                }
                | Note::RestartsExcused { .. }
                    if !strained =>
                {
                    return Err("X2: a failure is excused, and nothing strains the machine".into());
                }
                Note::ServiceBackoff { service, .. } if strained && !excused(v, *service) => {
                    return Err("X1: a failure under strain is not excused".into());
                }
                Note::ServiceGaveUp { .. } if strained => {
                    return Err("X1: a service is given up while the machine is strained".into());
                }
                _ => {}
            }
        }
        Ok(())
    }

    fn hear(&mut self, v: &View) {
        match v.fact {
            Fact::Seen(Reading::Throttle(flags)) => {
                self.flagged = false;
                let counting = [ThrottleFlag::UnderVoltage, ThrottleFlag::Throttled];
                for (before, flag) in self.occurred.iter_mut().zip(counting) {
                    let occurred = flags.occurred(flag);
                    let missed = occurred && *before == Some(false);
                    self.flagged |= flags.now(flag) || missed;
                    *before = Some(occurred);
                }
            }
            Fact::Lost {
                source: Source::Throttle,
                ..
            }
            | Fact::Thread {
                thread: Thread::Vitals,
                pulse: Pulse::Late { .. },
            } => self.flagged = false,
            _ => {}
        }
        let battery = match v.core.supply() {
            None | Some(Supply::Unknown { .. } | Supply::OnLine { .. }) => false,
            Some(_) => true,
        };
        let now = self.flagged || battery;
        if self.now && !now {
            self.past = Some(v.now);
        }
        self.now = now;
    }
}

/// A failure of this service is excused in this step, or earlier ones are.
fn excused(v: &View, service: ServiceId) -> bool {
    v.notes.iter().any(|note| match note {
        Note::ServiceExcused { service: of, .. } | Note::RestartsExcused { service: of, .. } => {
            *of == service
        }
        _ => false,
    })
}
