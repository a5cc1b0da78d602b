//! Watches the pulses of the threads and tells the core when one falls behind or catches up.

use crate::core::fact::{Fact, Pulse as How};
use crate::edge::pulse::Pulse;
use crate::units::Mono;
use std::sync::Arc;
use std::time::Duration;

/// Time between two looks at a thread that is late. It only decides how soon its recovery is told.
const LOOK: Duration = Duration::from_secs(2);

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

    /// When the next look is due.
    pub fn next_look(&self, now: Mono) -> Option<Mono> {
        let next = |(pulse, late): &(Arc<Pulse>, bool)| match late {
            true => Some(now.after(LOOK)),
            false => pulse.late_at(),
        };
        self.threads.iter().filter_map(next).min()
    }
}
