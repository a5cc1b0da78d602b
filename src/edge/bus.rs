//! The bus thread: looks at the chips of the board from time to time, more often when it is told to.
//!
//! Every 5 s; every 1 s while the core wants it closely, and for as long as the chips make it doubtful
//! that there is power from outside, so that the core soon has more than one reading.

use super::clock;
use super::gauge::Look;
use super::inbox::Inbox;
use super::orders::{Next, Work};
use super::register::Write;
use super::senses;
use crate::core::fact::{Fact, Fault, OrderId};
use crate::units::Mono;
use std::time::Duration;

/// Time between two looks. Longer: a battery that falls fast is seen late. Shorter: wake-ups for a
/// value that changes in minutes.
const USUALLY: Duration = Duration::from_secs(5);

/// Time between two looks while the battery runs the machine.
const CLOSELY: Duration = Duration::from_secs(1);

/// What the bus thread can be told to do.
pub enum BusOrder {
    /// Look closely, or as usual.
    Watch {
        /// To be quoted in the outcome.
        order: OrderId,
        /// Every second.
        closely: bool,
    },
    /// Write a byte into a register.
    Write {
        /// To be quoted in the outcome.
        order: OrderId,
        /// Where, and what.
        write: Write,
    },
}

/// Looks until nobody can give orders any more.
pub fn run(
    work: &Work<BusOrder>,
    inbox: &Inbox,
    mut look: impl FnMut() -> Look,
    mut writer: impl FnMut(Write) -> Result<(), Fault>,
) {
    let mut closely = false;
    let mut doubtful = false;
    let mut due = clock::now();
    // The first look is due now: if it never ends, that has to be noticed too.
    work.pulse().sleep_until(due);
    loop {
        let now = clock::now();
        if now >= due {
            let seen = look();
            doubtful = seen.doubtful;
            let now = clock::now();
            match closely || doubtful {
                true => inbox.send_all(seen.facts),
                false => inbox.send_all_by(seen.facts, now.after(senses::AHEAD)),
            }
            due = next(now, closely, doubtful);
            work.pulse().sleep_until(due);
            continue;
        }
        match work.next_within(clock::wait(due.since(now))) {
            Next::Order(BusOrder::Watch { order, closely: c }) => {
                closely = c;
                let outcome = Ok(());
                inbox.send(Fact::Done { order, outcome });
                let now = clock::now();
                due = due.min(next(now, closely, doubtful));
                work.pulse().sleep_until(due);
                work.finish(now);
            }
            Next::Order(BusOrder::Write { order, write }) => {
                let outcome = writer(write);
                inbox.send(Fact::Done { order, outcome });
                work.finish(clock::now());
            }
            Next::Nothing => {}
            Next::Closed => return,
        }
    }
}

fn next(now: Mono, closely: bool, doubtful: bool) -> Mono {
    match closely || doubtful {
        true => now.after(CLOSELY),
        false => senses::just_before(now, USUALLY),
    }
}
