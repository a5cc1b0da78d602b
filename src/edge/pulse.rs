//! Is a thread behind with its work? Told by counters that nobody has to wake up for.
//!
//! Terms: a thread *owes* when it was given an order it has not finished, or when a poll of its own
//! is past due. It is *late* when it has owed for longer than its limit. A thread that waits for
//! work owes nothing.

use crate::core::fact::{Pulse as Fact, Thread};
use crate::units::Mono;
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};
use std::time::Duration;

/// No poll is planned.
const NEVER: u64 = u64::MAX;

/// The counters of one thread, shared between it and whoever gives it orders.
#[derive(Debug)]
pub struct Pulse {
    thread: Thread,
    limit: Duration,
    given: AtomicU64,
    finished: AtomicU64,
    /// When it last began to owe, or last finished an order while owing more.
    since: AtomicU64,
    /// When its next poll of its own is due.
    due: AtomicU64,
}

impl Pulse {
    /// A thread that owes nothing. It is late after having owed for `limit`.
    pub fn new(thread: Thread, limit: Duration) -> Pulse {
        Pulse {
            thread,
            limit,
            given: AtomicU64::new(0),
            finished: AtomicU64::new(0),
            since: AtomicU64::new(0),
            due: AtomicU64::new(NEVER),
        }
    }

    /// Whose pulse this is.
    pub fn thread(&self) -> Thread {
        self.thread
    }

    /// An order is about to be handed over.
    pub fn give(&self, now: Mono) {
        if self.given.load(SeqCst) == self.finished.load(SeqCst) {
            self.since.store(now.0, SeqCst);
        }
        self.given.fetch_add(1, SeqCst);
    }

    /// The order could not be handed over after all.
    pub fn take_back(&self) {
        self.given.fetch_sub(1, SeqCst);
    }

    /// The thread finished an order, well or badly.
    pub fn finish(&self, now: Mono) {
        self.since.store(now.0, SeqCst);
        self.finished.fetch_add(1, SeqCst);
    }

    /// The thread goes to sleep and means to poll at this time.
    pub fn sleep_until(&self, due: Mono) {
        self.due.store(due.0, SeqCst);
    }

    /// When the thread begins to be late unless it does something before; `None` if it owes nothing
    /// and plans nothing.
    pub fn late_at(&self) -> Option<Mono> {
        let owing = self.given.load(SeqCst) != self.finished.load(SeqCst);
        let order = owing.then(|| Mono(self.since.load(SeqCst)));
        let due = self.due.load(SeqCst);
        let poll = (due != NEVER).then_some(Mono(due));
        [order, poll]
            .into_iter()
            .flatten()
            .min()
            .map(|since| since.after(self.limit))
    }

    /// How it stands at this time.
    pub fn judge(&self, now: Mono) -> Fact {
        match self.late_at() {
            Some(at) if at <= now => {
                let limit = u64::try_from(self.limit.as_millis()).unwrap_or(u64::MAX);
                Fact::Late {
                    since: Mono(at.0.saturating_sub(limit)),
                }
            }
            Some(_) | None => Fact::OnTime,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Waiting for work is never late; owing is, from the oldest order on; finishing pays.
    #[test]
    fn owes_only_what_was_given() {
        let p = Pulse::new(Thread::Spawner, Duration::from_secs(3));
        assert_eq!(p.judge(Mono(1_000_000)), Fact::OnTime);
        p.give(Mono(1_000));
        p.give(Mono(2_000));
        assert_eq!(p.late_at(), Some(Mono(4_000)));
        assert_eq!(p.judge(Mono(3_999)), Fact::OnTime);
        assert_eq!(p.judge(Mono(4_000)), Fact::Late { since: Mono(1_000) });
        p.finish(Mono(4_100));
        assert_eq!(p.judge(Mono(4_200)), Fact::OnTime);
        p.finish(Mono(4_300));
        assert_eq!(p.late_at(), None);
        p.give(Mono(9_000));
        p.take_back();
        assert_eq!(p.judge(Mono(99_000)), Fact::OnTime);
    }

    /// A poll that is past due makes late; the next sleep pays.
    #[test]
    fn polls_are_owed_too() {
        let p = Pulse::new(Thread::Vitals, Duration::from_secs(5));
        p.sleep_until(Mono(10_000));
        assert_eq!(p.judge(Mono(14_999)), Fact::OnTime);
        assert_eq!(
            p.judge(Mono(15_000)),
            Fact::Late {
                since: Mono(10_000)
            }
        );
        p.sleep_until(Mono(30_000));
        assert_eq!(p.judge(Mono(15_000)), Fact::OnTime);
    }
}
