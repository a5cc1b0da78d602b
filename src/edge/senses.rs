//! The threads that look at the machine from time to time: vitals, and file systems.
//!
//! They are two, because a look at a file system may wait for its card for minutes, and temperature
//! must not wait with it.

use super::clock;
use super::inbox::Inbox;
use super::pulse::Pulse;
use crate::core::fact::{Fact, Reading, Source};
use crate::units::Mono;
use crossbeam_channel::{Receiver, RecvTimeoutError};
use std::sync::Arc;
use std::time::Duration;

/// What a look has found, and when the next one is due.
pub struct Look {
    /// Facts for the core that were not told on the way; none, if there is nothing to tell.
    pub facts: Vec<Fact>,
    /// Time until the next look.
    pub next: Duration,
}

/// Looks at once and then as often as each look wants, until `quit` is closed. A look that may hang
/// halfway tells what it sees as it sees it.
pub fn watch(
    pulse: &Arc<Pulse>,
    inbox: &Inbox,
    quit: &Receiver<()>,
    mut look: impl FnMut(&Inbox) -> Look,
) {
    // The first look is due now: if it never ends, that has to be noticed too.
    pulse.sleep_until(clock::now());
    loop {
        let Look { facts, next } = look(inbox);
        if !facts.is_empty() {
            inbox.send_all(facts);
        }
        pulse.sleep_until(clock::now().after(next));
        match quit.recv_timeout(clock::wait(next)) {
            Err(RecvTimeoutError::Timeout) => {}
            Ok(()) | Err(RecvTimeoutError::Disconnected) => return,
        }
    }
}

/// Time between two looks at the throttle flags, if that is less than the interval of the vitals.
/// As often as the kernel's own driver looks and clears what has occurred: less often, and a brief
/// under-voltage would mostly be cleared before we see it. Each costs a machine that has such flags
/// a wake-up of one thread; machines without them have none of these looks.
const GLANCE: Duration = Duration::from_secs(2);

/// When the vitals are read whole, and when only the throttle flags are looked at.
pub struct Rhythm {
    every: Duration,
    /// When the next whole sample is due; at once, in the beginning.
    due: Option<Mono>,
    /// What the core knows of the flags; a look that finds the same is not worth waking it.
    told: Option<Fact>,
}

impl Rhythm {
    /// A whole sample every so often, the first at once.
    pub fn new(every: Duration) -> Rhythm {
        Rhythm {
            every,
            due: None,
            told: None,
        }
    }

    /// One look: a whole sample if that is due, otherwise a glance at the flags.
    pub fn look(&mut self, now: Mono, vitals: &mut impl VitalSigns) -> Look {
        let facts = match self.due {
            Some(due) if now < due => self.glance(vitals),
            Some(_) | None => {
                let facts = vitals.sample();
                self.due = Some(now.after(self.every));
                self.told = facts.iter().find(|f| is_about_flags(f)).cloned();
                facts
            }
        };
        let whole = self.due.map_or(self.every, |due| due.since(now));
        let next = match self.told {
            Some(_) => whole.min(GLANCE),
            None => whole,
        };
        Look { facts, next }
    }

    fn glance(&mut self, vitals: &mut impl VitalSigns) -> Vec<Fact> {
        let fact = vitals.glance();
        if fact.is_none() || fact == self.told {
            return Vec::new();
        }
        self.told.clone_from(&fact);
        fact.into_iter().collect()
    }
}

/// Whoever reads vital signs.
pub trait VitalSigns {
    /// All of them.
    fn sample(&mut self) -> Vec<Fact>;
    /// The throttle flags alone, on machines that have any.
    fn glance(&mut self) -> Option<Fact>;
}

fn is_about_flags(fact: &Fact) -> bool {
    matches!(
        fact,
        Fact::Seen(Reading::Throttle(_))
            | Fact::Lost {
                source: Source::Throttle,
                ..
            }
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::fact::{Pulse as How, Thread, ThrottleFlags};
    use crate::edge::inbox::inbox;
    use crossbeam_channel::bounded;

    /// A card that hangs at the very first look is noticed like one that hangs later.
    #[test]
    fn a_first_look_that_does_not_end_is_late() {
        let limit = Duration::from_secs(60);
        let pulse = Arc::new(Pulse::new(Thread::Disk, limit));
        let (ours, quit) = bounded(0);
        drop(ours);
        let during = pulse.clone();
        let (inbox, mut facts) = inbox();
        let look = |inbox: &Inbox| {
            let now = clock::now();
            assert_eq!(during.judge(now), How::OnTime);
            assert!(matches!(during.judge(now.after(limit)), How::Late { .. }));
            // What it has seen is there before it ends, if it ever does.
            inbox.send(Fact::Tick);
            assert_eq!(facts.take(), Some(Fact::Tick));
            Look {
                facts: Vec::new(),
                next: Duration::from_secs(10),
            }
        };
        watch(&pulse, &inbox, &quit, look);
    }

    /// A machine whose flags are what the test says.
    struct Machine {
        flags: Option<u32>,
        samples: u32,
    }

    impl VitalSigns for Machine {
        fn sample(&mut self) -> Vec<Fact> {
            self.samples += 1;
            let load = Fact::Seen(Reading::Load { centi_per_cpu: 10 });
            [Some(load), self.glance()].into_iter().flatten().collect()
        }

        fn glance(&mut self) -> Option<Fact> {
            let flags = ThrottleFlags(self.flags?);
            Some(Fact::Seen(Reading::Throttle(flags)))
        }
    }

    /// Between two samples only changed flags are told, and the samples keep their interval.
    #[test]
    fn flags_are_glanced_at_and_told_when_they_change() {
        let every = Duration::from_secs(15);
        let mut machine = Machine {
            flags: Some(0),
            samples: 0,
        };
        let mut rhythm = Rhythm::new(every);
        let mut now = Mono(1_000);
        let mut told = Vec::new();
        while now < Mono(32_000) {
            machine.flags = Some(if now < Mono(10_000) { 0 } else { 0x50005 });
            let look = rhythm.look(now, &mut machine);
            told.push((now.0 / 1000, look.facts.len()));
            assert!(look.next <= GLANCE && !look.next.is_zero());
            now = now.after(look.next);
        }
        let heard: Vec<_> = told.into_iter().filter(|(_, facts)| *facts > 0).collect();
        assert_eq!(heard, [(1, 2), (11, 1), (16, 2), (31, 2)]);
        assert_eq!(machine.samples, 3);
    }

    /// A machine without such flags is not woken for them.
    #[test]
    fn no_flags_no_glances() {
        let every = Duration::from_secs(15);
        let mut machine = Machine {
            flags: None,
            samples: 0,
        };
        let mut rhythm = Rhythm::new(every);
        assert_eq!(rhythm.look(Mono(0), &mut machine).next, every);
        assert_eq!(rhythm.look(Mono(15_000), &mut machine).next, every);
        assert_eq!(machine.samples, 2);
    }
}
