//! Silence is never good news: the invariant Q1.

use crate::checks::View;
use fieldwarden::core::fact::{Fact, Pulse, Thread};
use fieldwarden::core::picture::{Picture, Verdict};

/// What the machine was thought to be before this step.
#[derive(Default)]
pub struct Before(Option<[Verdict; 5]>);

impl Before {
    /// Q1: the loss of a reading, or a stuck thread, takes no bad verdict back and leaves no good one.
    pub fn silence_is_no_repair(&mut self, v: &View) -> Result<(), String> {
        let after = verdicts(v.core.picture());
        let before = self.0.replace(after);
        let silent = match v.fact {
            Fact::Lost { .. } => true,
            Fact::Thread { thread, pulse } => {
                let reads = matches!(thread, Thread::Vitals | Thread::Disk);
                reads && matches!(pulse, Pulse::Late { .. })
            }
            _ => false,
        };
        match before {
            Some(before) if silent && before.iter().zip(&after).any(|(b, a)| a < b) => Err(
                format!("Q1: {:?} made {before:?} better: {after:?}", v.fact),
            ),
            Some(_) | None => Ok(()),
        }
    }
}

/// Clocks, temperature, memory and load, file systems, throttle flags.
fn verdicts(picture: &Picture) -> [Verdict; 5] {
    [
        picture.clock,
        picture.thermal,
        picture.memory,
        picture.storage,
        picture.throttle.unwrap_or_default(),
    ]
}
