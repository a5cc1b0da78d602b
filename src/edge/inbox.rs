//! The one way for facts to reach the core.

use super::clock;
use super::queue::{Giver, Taker, queue};
use crate::core::fact::Fact;
use crate::units::Mono;
use std::collections::VecDeque;
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
pub struct Inbox(Giver<Parcel>);

/// Where the core takes them from.
pub struct Facts {
    parcels: Taker<Parcel>,
    opened: VecDeque<Fact>,
}

/// A new inbox and its outlet.
pub fn inbox() -> (Inbox, Facts) {
    let (giver, parcels) = queue(CAPACITY);
    (
        Inbox(giver),
        Facts {
            parcels,
            opened: VecDeque::new(),
        },
    )
}

impl Inbox {
    /// Hands a fact to the core; waits while the inbox is full. After the core has ended facts
    /// vanish: there is nobody left whom they could concern.
    pub fn send(&self, fact: Fact) {
        let _ = self.0.give(Parcel::One(fact));
    }

    /// Hands over several facts at once, as [`Inbox::send`] does.
    pub fn send_all(&self, facts: Vec<Fact>) {
        let _ = self.0.give(Parcel::Many(facts));
    }
}

impl Facts {
    /// The next fact, or `None` when the deadline came first or nobody can send any more.
    pub fn wait_until(&mut self, now: Mono, deadline: Option<Mono>) -> Option<Fact> {
        if let Some(fact) = self.opened.pop_front() {
            return Some(fact);
        }
        let wait = clock::wait(deadline.map_or(AGES, |d| d.since(now)));
        let parcel = self.parcels.take_within(wait).ok()?;
        self.open(parcel)
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
