//! The one way for facts to reach the core.

use super::clock;
use super::queue::{Giver, Taker, queue};
use crate::core::fact::Fact;
use crate::units::Mono;
use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};
use std::time::Duration;

/// Parcels that may wait. Far more than a storm of services brings at once (each of 1,000 services
/// ending in the same instant); small enough that a stuck core stops the edges at once.
const CAPACITY: usize = 1024;

/// How long to wait when nothing is planned: any long time does.
const AGES: Duration = Duration::from_secs(3600);

/// What travels: the facts of one look at the machine go together, so that they cost one wake-up.
enum Parcel {
    One(Fact),
    Many(Vec<Fact>),
}

/// Where edges put facts.
#[derive(Clone)]
pub struct Inbox {
    parcels: Giver<Parcel>,
    /// When the core will wake by itself, in milliseconds; zero while it is awake.
    wakes: Arc<AtomicU64>,
}

/// Where the core takes them from.
pub struct Facts {
    parcels: Taker<Parcel>,
    opened: VecDeque<Fact>,
    wakes: Arc<AtomicU64>,
}

/// A new inbox and its outlet.
pub fn inbox() -> (Inbox, Facts) {
    let (giver, parcels) = queue(CAPACITY);
    let wakes = Arc::new(AtomicU64::new(0));
    (
        Inbox {
            parcels: giver,
            wakes: wakes.clone(),
        },
        Facts {
            parcels,
            opened: VecDeque::new(),
            wakes,
        },
    )
}

impl Inbox {
    /// Hands a fact to the core; waits while the inbox is full. After the core has ended facts
    /// vanish: there is nobody left whom they could concern.
    pub fn send(&self, fact: Fact) {
        let _ = self.parcels.give(Parcel::One(fact));
    }

    /// Hands a fact to the core without waiting. False if there is no room for it.
    pub fn offer(&self, fact: Fact) -> bool {
        self.parcels.try_give(Parcel::One(fact)).is_ok()
    }

    /// Hands over several facts at once, as [`Inbox::send`] does.
    pub fn send_all(&self, facts: Vec<Fact>) {
        let _ = self.parcels.give(Parcel::Many(facts));
    }

    /// Hands over a fact that the core need not have before `by`: if it wakes by itself until then, it
    /// is not woken.
    pub fn send_by(&self, fact: Fact, by: Mono) {
        self.leave(Parcel::One(fact), by);
    }

    /// Hands over several facts at once, as [`Inbox::send_by`] does.
    pub fn send_all_by(&self, facts: Vec<Fact>, by: Mono) {
        self.leave(Parcel::Many(facts), by);
    }

    fn leave(&self, parcel: Parcel, by: Mono) {
        let _ = self.parcels.leave(parcel);
        // After it was left. The core says when it will wake before it looks for the last time: so
        // either it finds this, or that was its latest word.
        if self.wakes.load(SeqCst) > by.0 {
            self.parcels.wake();
        }
    }
}

impl Facts {
    /// The next fact, or `None` when the deadline came first or nobody can send any more.
    pub fn wait_until(&mut self, now: Mono, deadline: Option<Mono>) -> Option<Fact> {
        if let Some(fact) = self.opened.pop_front() {
            return Some(fact);
        }
        let wait = clock::wait(deadline.map_or(AGES, |d| d.since(now)));
        let wakes = deadline.unwrap_or_else(|| now.after(AGES));
        self.wakes.store(wakes.0, SeqCst);
        let parcel = self.parcels.take_within(wait);
        self.wakes.store(0, SeqCst);
        self.open(parcel.ok()?)
    }

    /// The next fact, if one is there already.
    pub fn take(&mut self) -> Option<Fact> {
        self.opened.pop_front().or_else(|| {
            let parcel = self.parcels.try_take().ok()?;
            self.open(parcel)
        })
    }

    fn open(&mut self, parcel: Parcel) -> Option<Fact> {
        match parcel {
            Parcel::One(fact) => Some(fact),
            Parcel::Many(facts) => {
                self.opened.extend(facts);
                self.opened.pop_front()
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A core that wakes in time by itself is left asleep; one that would not is woken, and so is one
    /// that has nothing planned.
    #[test]
    fn facts_that_can_wait_wake_nobody() {
        let (inbox, mut facts) = inbox();
        let sleeping = |facts: &mut Facts, until: Option<Mono>| {
            // As if it slept: the time is what it says before it does.
            facts.wakes.store(until.map_or(u64::MAX, |at| at.0), SeqCst);
        };
        let soon = Mono(1_000);
        sleeping(&mut facts, Some(soon));
        inbox.send_by(Fact::Tick, soon);
        assert_eq!(facts.take(), Some(Fact::Tick));

        let late = clock::now().after(AGES);
        let asleep = std::thread::spawn(move || {
            let woken = facts.wait_until(clock::now(), Some(late));
            let again = facts.wait_until(clock::now(), None);
            (woken, again)
        });
        while inbox.wakes.load(SeqCst) != late.0 {
            std::thread::yield_now();
        }
        inbox.send_all_by(vec![Fact::Tick], late);
        // It is there, and nobody has woken for it; this does.
        inbox.send_by(Fact::Tick, Mono(0));
        assert_eq!(asleep.join().unwrap(), (Some(Fact::Tick), Some(Fact::Tick)));
    }
}
