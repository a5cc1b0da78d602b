//! The daemon's own threads: who is behind, and does it matter?
//!
//! Terms: a thread that waits for work is on time; one is *late* when an order or a poll of its own
//! is overdue. A *roll call* is an order that asks for nothing but an answer; it finds the thread
//! that is stuck although nobody wanted anything of it.
//!
//! Never judges a thread by silence alone.

use super::action::Action;
use super::fact::{Fact, Pulse, Thread};
use super::note::Note;
use super::picture::Verdict;
use super::{Pass, Policy};
use crate::sorted::Map;
use crate::units::Mono;
use std::time::Duration;

/// Time between two roll calls. Each costs a wake-up per thread; a non-essential thread that is
/// stuck is found within this time and its own limit.
const ROLL_CALL: Duration = Duration::from_secs(60);

/// Threads that have no poll of their own and may go without orders for days.
const CALLED: [Thread; 6] = [
    Thread::Spawner,
    Thread::SecondSpawner,
    Thread::Control,
    Thread::Recorder,
    Thread::Output,
    Thread::Signals,
];

/// State of the policy.
#[derive(Default)]
pub(crate) struct Threads {
    late: Map<Thread, Mono>,
    next_call: Option<Mono>,
}

impl Threads {
    pub fn late(&self) -> impl Iterator<Item = (Thread, Mono)> + '_ {
        self.late.iter().map(|(thread, since)| (*thread, *since))
    }

    fn verdict(&self) -> Verdict {
        if self.late.keys().any(|t| t.essential()) {
            Verdict::Critical
        } else if !self.late.is_empty() {
            Verdict::Warn
        } else {
            Verdict::Ok
        }
    }
}

impl Policy for Threads {
    fn step(&mut self, pass: &mut Pass) {
        if let Fact::Thread { thread, pulse } = *pass.fact {
            match pulse {
                Pulse::Late { since } => {
                    if self.late.insert(thread, since).is_none() {
                        let late = pass.now.since(since);
                        pass.out.note(Note::ThreadLate { thread, late });
                    }
                }
                Pulse::OnTime => {
                    if self.late.remove(&thread).is_some() {
                        pass.out.note(Note::ThreadOnTime { thread });
                    }
                }
            }
        }
        let due = *self.next_call.get_or_insert(pass.now.after(ROLL_CALL));
        if pass.now >= due {
            self.next_call = Some(pass.now.after(ROLL_CALL));
            for thread in CALLED {
                pass.out.push(Action::RollCall { thread });
            }
        }
        pass.picture.threads = self.verdict();
        pass.picture.late = self.late.keys().copied().next();
        pass.picture.stuck = self.late.keys().copied().find(|t| t.essential());
    }

    fn deadline(&self) -> Option<Mono> {
        self.next_call
    }
}
