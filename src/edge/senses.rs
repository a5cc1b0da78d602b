//! The threads that look at the machine from time to time: vitals, and file systems.
//!
//! They are two, because a look at a file system may wait for its card for minutes, and temperature
//! must not wait with it.

use super::clock;
use super::inbox::Inbox;
use super::pulse::Pulse;
use crate::core::fact::{Fact, Reading, Source, ThrottleFlag};
use crate::units::Mono;
use crossbeam_channel::{Receiver, never, select};
use std::sync::Arc;
use std::time::Duration;

/// What a look has found, and when the next one is due.
pub struct Look {
    /// Facts for the core that were not told on the way; none, if there is nothing to tell.
    pub facts: Vec<Fact>,
    /// Time until the next look.
    pub next: Duration,
}

/// Looks take place at full multiples of their interval, as pets do, but so much earlier: then the core
/// finds what they saw when it wakes for the pet. Longer than a look takes; far shorter than what any
/// reading is about.
pub const AHEAD: Duration = Duration::from_millis(100);

/// When the next of the looks is due that take place at this interval.
pub fn just_before(now: Mono, interval: Duration) -> Mono {
    let next = now.after(AHEAD).next_multiple(interval);
    Mono(next.0.saturating_sub(Mono(0).after(AHEAD).0))
}

/// Looks at once and then as often as each look wants, or when `bell` is rung, until `quit` is closed.
/// A look that may hang halfway tells what it sees as it sees it.
pub fn watch(
    pulse: &Arc<Pulse>,
    inbox: &Inbox,
    (quit, mut bell): (&Receiver<()>, Receiver<()>),
    mut look: impl FnMut(&Inbox) -> Look,
) {
    // The first look is due now: if it never ends, that has to be noticed too.
    pulse.sleep_until(clock::now());
    loop {
        let Look { facts, next } = look(inbox);
        if !facts.is_empty() {
            inbox.send_all_by(facts, clock::now().after(AHEAD));
        }
        pulse.sleep_until(clock::now().after(next));
        select! {
            recv(quit) -> _ => return,
            recv(bell) -> rung => if rung.is_err() {
                // Nobody is left to ring it.
                bell = never();
            },
            default(clock::wait(next)) => {}
        }
    }
}

/// Time between two looks at the throttle flags in and after an episode, or where what they say of
/// the past fades. As often as the kernel's own driver looks and clears what has occurred: less often,
/// and a brief under-voltage would mostly be cleared before we see it.
const GLANCE: Duration = Duration::from_secs(2);

/// The same while all is well, and under-voltage is told of by that driver or kept by the firmware.
/// The flags of heat and frequency, which that driver clears too, go with seconds of load. Each look
/// costs a machine that has such flags a wake-up of one thread; machines without have none of them.
const CALM: Duration = Duration::from_millis(7_500);

/// For how long an episode's flags are looked at often after they were last seen to change: longer than
/// the core waits for its end.
const AFTERMATH: Duration = Duration::from_secs(40);

/// Time between two looks at the kernel's power supplies while they say that mains are gone, or have
/// just come back. Longer: mains that are back are seen only when the machine is on its way down.
/// Shorter: wake-ups on battery. On mains there are none of these looks.
const CLOSELY: Duration = Duration::from_secs(1);

/// For how long mains that are back are looked at closely. The core believes them after five seconds,
/// by a reading that is as old as that.
const SETTLED: Duration = Duration::from_secs(7);

/// Time between two looks for the network while there is none. Longer: whoever needs one starts late.
/// Shorter: wake-ups of a machine that never has one.
const FIND: Duration = Duration::from_secs(5);

/// When the vitals are read whole, and when only the throttle flags, mains and the network are looked
/// at.
pub struct Rhythm {
    every: Duration,
    /// When the next whole sample is due; at once, in the beginning.
    due: Option<Mono>,
    /// What the core knows of the flags; a look that finds the same is not worth waking it.
    told: Option<Fact>,
    /// Until then they are looked at often.
    lively: Mono,
    mains: Mains,
    /// There is no network, and somebody needs one: when it is looked for next.
    find: Option<Mono>,
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
            lively: Mono(0),
            mains: Mains::Calm,
            find: None,
        }
    }

    /// One look: a whole sample if that is due, otherwise a glance at the flags, at mains and at the
    /// network.
    pub fn look(&mut self, now: Mono, vitals: &mut impl VitalSigns) -> Look {
        let facts = match self.due {
            Some(due) if now < due => {
                let mut facts = self.glance(now, vitals);
                facts.extend(self.glance_at_mains(now, vitals));
                facts.extend(self.find_network(now, vitals));
                facts
            }
            Some(_) | None => {
                let facts = vitals.sample();
                self.due = Some(just_before(now, self.every));
                let flags = facts.iter().find(|f| is_about_flags(f)).cloned();
                self.note(now, flags);
                let mains = facts.iter().find(|f| is_about_mains(f));
                self.mains = self.mains.see(now, mains);
                self.find = facts.iter().any(no_network).then(|| just_before(now, FIND));
                facts
            }
        };
        let whole = self.due.map_or(self.every, |due| due.since(now));
        let next = match self.told {
            Some(_) if now < self.lively || vitals.flags_fade() => whole.min(GLANCE),
            Some(_) => whole.min(CALM),
            None => whole,
        };
        let next = match self.mains {
            Mains::Calm => next,
            Mains::Gone { .. } | Mains::Back(_) => next.min(CLOSELY),
        };
        let find = self.find.map_or(next, |at| at.since(now));
        Look {
            facts,
            next: next.min(find),
        }
    }

    /// The network, if there was none and there is one now.
    fn find_network(&mut self, now: Mono, vitals: &mut impl VitalSigns) -> Option<Fact> {
        self.find.filter(|at| *at <= now)?;
        let fact = vitals.network();
        let none = fact.as_ref().is_none_or(no_network);
        self.find = none.then(|| just_before(now, FIND));
        fact.filter(|_| !none)
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

    fn glance(&mut self, now: Mono, vitals: &mut impl VitalSigns) -> Vec<Fact> {
        if self.told.is_none() {
            return Vec::new();
        }
        let fact = vitals.glance();
        if fact.is_none() || !self.note(now, fact.clone()) {
            return Vec::new();
        }
        fact.into_iter().collect()
    }

    /// Keeps what was seen of the flags; returns whether that is new.
    fn note(&mut self, now: Mono, seen: Option<Fact>) -> bool {
        let new = seen != self.told;
        let begun = self.told.is_some();
        if new && begun || seen.as_ref().is_some_and(shows_one) {
            self.lively = now.after(AFTERMATH);
        }
        self.told = seen;
        new
    }
}

/// Whoever reads vital signs.
pub trait VitalSigns {
    /// All of them.
    fn sample(&mut self) -> Vec<Fact>;
    /// The throttle flags alone, on machines that have any.
    fn glance(&mut self) -> Option<Fact>;
    /// What those say of the past is cleared by somebody, and nothing tells when.
    fn flags_fade(&self) -> bool;
    /// Mains alone, where the kernel's power supplies tell of them.
    fn mains(&mut self) -> Option<Fact>;
    /// The way out of the machine alone, where somebody needs one.
    fn network(&mut self) -> Option<Fact>;
}

/// There is no network, or it cannot be told.
fn no_network(fact: &Fact) -> bool {
    matches!(
        fact,
        Fact::Seen(Reading::Network { up: false })
            | Fact::Lost {
                source: Source::Network,
                ..
            }
    )
}

/// Some flag is set now.
fn shows_one(fact: &Fact) -> bool {
    let Fact::Seen(Reading::Throttle(flags)) = fact else {
        return false;
    };
    ThrottleFlag::ALL.into_iter().any(|flag| flags.now(flag))
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
        watch(&pulse, &inbox, (&quit, never()), look);
    }

    /// A machine whose flags are what the test says.
    struct Machine {
        flags: Option<u32>,
        fades: bool,
        samples: u32,
        mains: Option<bool>,
        network: Option<bool>,
    }

    impl VitalSigns for Machine {
        fn sample(&mut self) -> Vec<Fact> {
            self.samples += 1;
            let load = Fact::Seen(Reading::Load { centi_per_cpu: 10 });
            let facts = [Some(load), self.mains(), self.glance(), self.network()];
            facts.into_iter().flatten().collect()
        }

        fn glance(&mut self) -> Option<Fact> {
            let flags = ThrottleFlags(self.flags?);
            Some(Fact::Seen(Reading::Throttle(flags)))
        }

        fn flags_fade(&self) -> bool {
            self.fades
        }

        fn mains(&mut self) -> Option<Fact> {
            let present = self.mains?;
            Some(Fact::Seen(Reading::Mains { present }))
        }

        fn network(&mut self) -> Option<Fact> {
            let up = self.network?;
            Some(Fact::Seen(Reading::Network { up }))
        }
    }

    /// Times in tenths of a second, and how many facts were told then, from 1 s until `end`.
    fn looks(machine: &mut Machine, flags: impl Fn(u64) -> u32, end: u64) -> Vec<(u64, usize)> {
        let mut rhythm = Rhythm::new(Duration::from_secs(15));
        let (mut now, mut looks) = (Mono(1_000), Vec::new());
        while now < Mono(end) {
            machine.flags = Some(flags(now.0));
            let look = rhythm.look(now, machine);
            looks.push((now.0 / 100, look.facts.len()));
            now = now.after(look.next);
        }
        looks
    }

    /// Where they fade, flags are looked at every 2 s. Between two samples only changed ones are told,
    /// and the samples keep their interval.
    #[test]
    fn flags_that_fade_are_glanced_at_often_and_told_when_they_change() {
        let mut machine = Machine {
            flags: Some(0),
            fades: true,
            samples: 0,
            mains: None,
            network: None,
        };
        let flags = |at| if at < 10_000 { 0 } else { 0x50005 };
        let looks = looks(&mut machine, flags, 32_000);
        let heard = looks.iter().filter(|(_, facts)| *facts > 0);
        let heard: Vec<_> = heard.copied().collect();
        assert_eq!(heard, [(10, 2), (110, 1), (149, 2), (299, 2)]);
        let gaps = looks.windows(2).map(|pair| pair[1].0 - pair[0].0);
        assert!(gaps.max() <= Some(20), "{looks:?}");
        assert_eq!(machine.samples, 3);
    }

    /// Otherwise they are looked at often only in an episode and for some time after it.
    #[test]
    fn flags_that_last_are_glanced_at_often_in_an_episode() {
        let mut machine = Machine {
            flags: Some(0),
            fades: false,
            samples: 0,
            mains: None,
            network: None,
        };
        let flags = |at| match at {
            20_000..30_000 => 0x50005,
            30_000.. => 0x50000,
            _ => 0,
        };
        let looks = looks(&mut machine, flags, 120_000);
        assert_eq!(looks[..4], [(10, 2), (85, 0), (149, 2), (224, 1)]);
        let after = |at: &(u64, usize)| at.0 >= 224 && at.0 < 319 + 400;
        let often: Vec<u64> = looks.iter().filter(|l| after(l)).map(|l| l.0).collect();
        assert!(
            often.windows(2).all(|pair| pair[1] - pair[0] <= 20),
            "{looks:?}"
        );
        assert_eq!(looks.iter().find(|l| l.0 == 319), Some(&(319, 1)));
        let calm: Vec<u64> = looks.iter().map(|l| l.0).filter(|at| *at >= 740).collect();
        assert_eq!(calm[1..], [824, 899, 974, 1049, 1124, 1199]);
    }

    /// Mains that are gone are looked at every second until they have been back for some seconds,
    /// however long the interval is; what is told is only what is new, and each look at a return.
    #[test]
    fn mains_that_are_gone_are_looked_at_closely() {
        let mut machine = Machine {
            flags: None,
            fades: true,
            samples: 0,
            mains: Some(true),
            network: None,
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
        let closely: Vec<u64> = [0].into_iter().chain(59..=104).collect();
        assert_eq!(looks, [&closely[..], &[119, 179]].concat());
        let returns: Vec<u64> = (90..=94).chain(97..=104).collect();
        assert_eq!(told, [&[0, 59], &returns[..], &[119, 179]].concat());
    }

    /// A machine without such flags, and on mains, is not woken for them.
    #[test]
    fn no_flags_no_glances() {
        let every = Duration::from_secs(15);
        let mut machine = Machine {
            flags: None,
            fades: true,
            samples: 0,
            mains: Some(true),
            network: None,
        };
        let mut rhythm = Rhythm::new(every);
        for now in [Mono(0), Mono(15_000)] {
            assert_eq!(rhythm.look(now, &mut machine).next, every - AHEAD);
        }
        assert_eq!(machine.samples, 2);
    }

    /// A network that somebody needs is looked for every 5 s while there is none; that it is there now
    /// is told at once, everything else with the samples.
    #[test]
    fn a_network_is_looked_for_while_there_is_none() {
        let mut machine = Machine {
            flags: None,
            fades: true,
            samples: 0,
            mains: None,
            network: None,
        };
        let mut rhythm = Rhythm::new(Duration::from_secs(60));
        let (mut now, mut looks, mut told) = (Mono(0), Vec::new(), Vec::new());
        while now < Mono(200_000) {
            machine.network = Some((22_000..70_000).contains(&now.0));
            let look = rhythm.look(now, &mut machine);
            looks.push(now.0 / 100);
            let network = |fact: &Fact| match fact {
                Fact::Seen(Reading::Network { up }) => Some(*up),
                _ => None,
            };
            let seen = look.facts.iter().find_map(network);
            told.extend(seen.map(|up| (now.0 / 100, up)));
            now = now.after(look.next);
        }
        let early = [0, 49, 99, 149, 199, 249];
        let late: Vec<u64> = (0..=16).map(|at| 1199 + 50 * at).collect();
        assert_eq!(looks, [&early[..], &[599], &late].concat());
        assert_eq!(
            told,
            [
                (0, false),
                (249, true),
                (599, true),
                (1199, false),
                (1799, false)
            ]
        );
    }
}
