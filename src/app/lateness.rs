//! Watches the pulses of the threads and tells the core when one falls behind or catches up.

use crate::core::fact::{Fact, Pulse as How};
use crate::edge::pulse::Pulse;
use crate::units::Mono;
use std::sync::Arc;
use std::time::Duration;

/// Time between two looks at a thread that is late. It only decides how soon its recovery is told.
const LOOK: Duration = Duration::from_secs(2);

/// By how much a thread may be late before that is looked at, if the core wakes then anyway. With the
/// usual timeout of 15 s and pets every 5 s, an essential thread that is stuck is told with the next
/// pet, 5 s before the hardware acts.
const PATIENCE: Duration = Duration::from_secs(2);

/// The pulses, and what was told of each.
pub(super) struct Lateness {
    threads: Vec<(Arc<Pulse>, bool)>,
}

impl Lateness {
    pub fn of(pulses: Vec<Arc<Pulse>>) -> Lateness {
        Lateness {
            threads: pulses.into_iter().map(|pulse| (pulse, false)).collect(),
        }
    }

    /// The threads that have fallen behind or caught up since the last look.
    pub fn changes(&mut self, now: Mono) -> Vec<Fact> {
        let mut changes = Vec::new();
        for (pulse, late) in &mut self.threads {
            let how = pulse.judge(now);
            if matches!(how, How::Late { .. }) != *late {
                *late = !*late;
                changes.push(Fact::Thread {
                    thread: pulse.thread(),
                    pulse: how,
                });
            }
        }
        changes
    }

    /// When the next look is due. `planned`: the core wakes then for reasons of its own, and if that is
    /// soon enough, it is not woken before. Every pet is an order that somebody owes for a moment.
    pub fn next_look(&self, now: Mono, planned: Option<Mono>) -> Option<Mono> {
        let next = |(pulse, late): &(Arc<Pulse>, bool)| match late {
            true => Some(now.after(LOOK)),
            false => pulse.late_at(),
        };
        let due = self.threads.iter().filter_map(next).min()?;
        let soon = planned.filter(|planned| (due..=due.after(PATIENCE)).contains(planned));
        Some(soon.unwrap_or(due))
    }
}
