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

/// Time between two looks at the kernel's power supplies while they say that mains are gone, or have
/// just come back. Longer: mains that are back are seen only when the machine is on its way down.
/// Shorter: wake-ups on battery. On mains there are none of these looks.
const CLOSELY: Duration = Duration::from_secs(1);

/// For how long mains that are back are looked at closely. The core believes them after five seconds,
/// by a reading that is as old as that.
const SETTLED: Duration = Duration::from_secs(7);

/// When the vitals are read whole, and when only the throttle flags and mains are looked at.
pub struct Rhythm {
    every: Duration,
    /// When the next whole sample is due; at once, in the beginning.
    due: Option<Mono>,
    /// What the core knows of the flags; a look that finds the same is not worth waking it.
    told: Option<Fact>,
    mains: Mains,
}

/// What the kernel's power supplies said last.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Mains {
    /// Mains, for long; or nothing, ever.
    Calm,
    /// No mains; whether that was the latest, or the supplies have fallen silent since.
    Gone { silent: bool },
    /// Mains again, since then.
    Back(Mono),
}

impl Mains {
    /// What follows from a look; `None`: nothing tells of mains.
    fn see(self, now: Mono, fact: Option<&Fact>) -> Mains {
        match (fact, self) {
            (Some(Fact::Seen(Reading::Mains { present: false })), _) => {
                Mains::Gone { silent: false }
            }
            (Some(Fact::Seen(Reading::Mains { present: true })), Mains::Gone { .. }) => {
                Mains::Back(now)
            }
            (Some(Fact::Seen(Reading::Mains { present: true })), Mains::Back(since))
                if now < since.after(SETTLED) =>
            {
                Mains::Back(since)
            }
            (Some(Fact::Seen(Reading::Mains { present: true })), Mains::Back(_) | Mains::Calm) => {
                Mains::Calm
            }
            // Silence takes back no outage.
            (Some(_) | None, Mains::Gone { .. } | Mains::Back(_)) => Mains::Gone { silent: true },
            (Some(_) | None, Mains::Calm) => Mains::Calm,
        }
    }
}

impl Rhythm {
    /// A whole sample every so often, the first at once.
    pub fn new(every: Duration) -> Rhythm {
        Rhythm {
            every,
            due: None,
            told: None,
            mains: Mains::Calm,
        }
    }

    /// One look: a whole sample if that is due, otherwise a glance at the flags and at mains.
    pub fn look(&mut self, now: Mono, vitals: &mut impl VitalSigns) -> Look {
        let facts = match self.due {
            Some(due) if now < due => {
                let mut facts = self.glance(vitals);
                facts.extend(self.glance_at_mains(now, vitals));
                facts
            }
            Some(_) | None => {
                let facts = vitals.sample();
                self.due = Some(now.after(self.every));
                self.told = facts.iter().find(|f| is_about_flags(f)).cloned();
                let mains = facts.iter().find(|f| is_about_mains(f));
                self.mains = self.mains.see(now, mains);
                facts
            }
        };
        let whole = self.due.map_or(self.every, |due| due.since(now));
        let next = match self.told {
            Some(_) => whole.min(GLANCE),
            None => whole,
        };
        let next = match self.mains {
            Mains::Calm => next,
            Mains::Gone { .. } | Mains::Back(_) => next.min(CLOSELY),
        };
        Look { facts, next }
    }

    /// What is new about mains. While they come back each look is told, because the core believes them
    /// by readings and not by time.
    fn glance_at_mains(&mut self, now: Mono, vitals: &mut impl VitalSigns) -> Option<Fact> {
        if self.mains == Mains::Calm {
            return None;
        }
        let fact = vitals.mains();
        let before = self.mains;
        self.mains = before.see(now, fact.as_ref());
        let same = before == self.mains && !matches!(before, Mains::Back(_));
        fact.filter(|_| !same)
    }

    fn glance(&mut self, vitals: &mut impl VitalSigns) -> Vec<Fact> {
        if self.told.is_none() {
            return Vec::new();
        }
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
    /// Mains alone, where the kernel's power supplies tell of them.
    fn mains(&mut self) -> Option<Fact>;
}

fn is_about_mains(fact: &Fact) -> bool {
    matches!(
        fact,
        Fact::Seen(Reading::Mains { .. })
            | Fact::Lost {
                source: Source::Mains,
                ..
            }
    )
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
        mains: Option<bool>,
    }

    impl VitalSigns for Machine {
        fn sample(&mut self) -> Vec<Fact> {
            self.samples += 1;
            let load = Fact::Seen(Reading::Load { centi_per_cpu: 10 });
            let facts = [Some(load), self.mains(), self.glance()];
            facts.into_iter().flatten().collect()
        }

        fn glance(&mut self) -> Option<Fact> {
            let flags = ThrottleFlags(self.flags?);
            Some(Fact::Seen(Reading::Throttle(flags)))
        }

        fn mains(&mut self) -> Option<Fact> {
            let present = self.mains?;
            Some(Fact::Seen(Reading::Mains { present }))
        }
    }

    /// Between two samples only changed flags are told, and the samples keep their interval.
    #[test]
    fn flags_are_glanced_at_and_told_when_they_change() {
        let every = Duration::from_secs(15);
        let mut machine = Machine {
            flags: Some(0),
            samples: 0,
            mains: None,
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

    /// Mains that are gone are looked at every second until they have been back for some seconds,
    /// however long the interval is; what is told is only what is new, and each look at a return.
    #[test]
    fn mains_that_are_gone_are_looked_at_closely() {
        let mut machine = Machine {
            flags: None,
            samples: 0,
            mains: Some(true),
        };
        let mut rhythm = Rhythm::new(Duration::from_secs(60));
        let mut now = Mono(0);
        let mut looks = Vec::new();
        let mut told = Vec::new();
        while now < Mono(200_000) {
            machine.mains = match now.0 {
                30_000..90_000 => Some(false),
                95_000..97_000 => None,
                _ => Some(true),
            };
            let look = rhythm.look(now, &mut machine);
            looks.push(now.0 / 1000);
            if look.facts.iter().any(is_about_mains) {
                told.push(now.0 / 1000);
            }
            now = now.after(look.next);
        }
        // The whole samples; while mains are gone; their return, its gap, and their return again.
        let closely: Vec<u64> = [0].into_iter().chain(60..=104).collect();
        assert_eq!(looks, [&closely[..], &[120, 180]].concat());
        let returns: Vec<u64> = (90..=94).chain(97..=104).collect();
        assert_eq!(told, [&[0, 60], &returns[..], &[120, 180]].concat());
    }

    /// A machine without such flags, and on mains, is not woken for them.
    #[test]
    fn no_flags_no_glances() {
        let every = Duration::from_secs(15);
        let mut machine = Machine {
            flags: None,
            samples: 0,
            mains: Some(true),
        };
        let mut rhythm = Rhythm::new(every);
        assert_eq!(rhythm.look(Mono(0), &mut machine).next, every);
        assert_eq!(rhythm.look(Mono(15_000), &mut machine).next, every);
        assert_eq!(machine.samples, 2);
    }
}
