//! The ledger: how the core's passes reach the thread that writes them down.
//!
//! The core must not wait for it and should not wake it up for every tick, so passes gather until
//! one of them matters: at once for an urgent note or an answer to an operator, a little later for
//! any other note, and without a note only when there are many. So a start of all services is written
//! down in a few batches, after it and not beside it.

use super::pulse::Pulse;
use crate::core::action::{Action, Actions, Order};
use crate::core::fact::Fact;
use crate::core::note::Trust;
use crate::journal::urgent;
use crate::units::Mono;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, TryLockError};
use std::time::Duration;

/// Passes without a note that may gather before the recorder is woken.
const GATHER: usize = 64;

/// Time from a note that is not urgent until it is written down: too short to be noticed by a person
/// who follows the log, and long enough for the starts of dozens of services to become one batch.
/// Such a note may be lost in a power cut for minutes anyway (see [`crate::journal::DELAY`]).
const SOON: Duration = Duration::from_millis(100);

/// Passes that are kept while the recorder is stuck; older ones are counted and dropped. At the
/// usual pace of a machine in trouble this holds some minutes.
const MOST: usize = 4096;

/// One pass of the core: what it was told, and what came of it.
#[derive(Debug)]
pub struct Entry {
    /// When.
    pub now: Mono,
    /// The fact.
    pub fact: Fact,
    /// What was ordered and what was said.
    pub answer: Actions,
    /// How far wall time can be trusted after it.
    pub trust: Trust,
}

/// When the passes that wait are to be written down.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default)]
enum Haste {
    /// With the next that matter.
    #[default]
    None,
    /// Within [`SOON`].
    Soon,
    /// Now: it is urgent, or an operator got an answer and will look for what came of it.
    Now,
}

impl Haste {
    fn of(entry: &Entry) -> Haste {
        let is_answer = |order: &Order| matches!(order.action, Action::Reply { .. });
        if entry.answer.notes.iter().any(urgent) || entry.answer.orders.iter().any(is_answer) {
            return Haste::Now;
        }
        match entry.answer.notes.is_empty() {
            true => Haste::None,
            false => Haste::Soon,
        }
    }
}

#[derive(Default)]
struct Pages {
    entries: Vec<Entry>,
    haste: Haste,
    dropped: u64,
    /// Roll calls that are to be answered.
    calls: u64,
    closed: bool,
}

#[derive(Default)]
struct Shared {
    pages: Mutex<Pages>,
    wake: Condvar,
}

/// The core's end. Entries that find the other end busy wait here.
pub struct Ledger {
    shared: Arc<Shared>,
    held_back: Vec<Entry>,
    /// Roll calls that wait here with them, and how many entries were dropped.
    calls: u64,
    dropped: u64,
    pulse: Arc<Pulse>,
    watched: bool,
}

/// The recorder's end.
pub struct Reader {
    shared: Arc<Shared>,
    soon: Duration,
    pulse: Arc<Pulse>,
}

/// What the recorder finds when it looks.
pub struct Batch {
    /// Passes, oldest first.
    pub entries: Vec<Entry>,
    /// Passes that were dropped before these.
    pub dropped: u64,
    /// The daemon ends: nothing comes after this batch.
    pub last: bool,
}

/// A new ledger and its reader. `watched`: somebody wants to see each pass at once.
pub fn ledger(pulse: Arc<Pulse>, watched: bool) -> (Ledger, Reader) {
    let shared = Arc::new(Shared::default());
    let reader = Reader {
        shared: shared.clone(),
        soon: SOON,
        pulse: pulse.clone(),
    };
    (
        Ledger {
            shared,
            held_back: Vec::new(),
            calls: 0,
            dropped: 0,
            pulse,
            watched,
        },
        reader,
    )
}

impl Ledger {
    /// Enters a pass. Never waits.
    pub fn enter(&mut self, entry: Entry) {
        self.held_back.push(entry);
        self.pass_on();
    }

    /// Asks the recorder to show that it is there.
    pub fn call(&mut self, now: Mono) {
        self.pulse.give(now);
        self.calls += 1;
        self.pass_on();
    }

    /// Lets the recorder finish.
    pub fn close(self) {
        let mut pages = lock(&self.shared.pages);
        pages.entries.extend(self.held_back);
        pages.dropped += self.dropped;
        pages.closed = true;
        self.shared.wake.notify_one();
    }

    fn pass_on(&mut self) {
        let mut pages = match self.shared.pages.try_lock() {
            Ok(pages) => pages,
            Err(TryLockError::Poisoned(e)) => e.into_inner(),
            Err(TryLockError::WouldBlock) => {
                // The recorder holds the lock for as long as it takes to swap a list. Unless it was
                // stopped right there, it is free at the next pass.
                let excess = self.held_back.len().saturating_sub(MOST);
                self.held_back.drain(..excess);
                self.dropped += excess as u64;
                return;
            }
        };
        let told = self.held_back.iter().map(Haste::of).max();
        pages.entries.append(&mut self.held_back);
        let called = self.calls > 0;
        pages.calls += std::mem::take(&mut self.calls);
        pages.dropped += std::mem::take(&mut self.dropped);
        let excess = pages.entries.len().saturating_sub(MOST);
        pages.dropped += excess as u64;
        pages.entries.drain(..excess);
        let many = pages.entries.len() >= GATHER;
        let haste = match called || self.watched {
            true => Haste::Now,
            false => told.max(many.then_some(Haste::Soon)).unwrap_or_default(),
        };
        if haste > pages.haste {
            pages.haste = haste;
            self.shared.wake.notify_one();
        }
    }
}

impl Reader {
    /// Waits until there is something worth writing, or until `wait` is over.
    pub fn wait(&self, wait: Duration) -> Batch {
        let pages = lock(&self.shared.pages);
        let pages = self.wait_for(Haste::Soon, pages, wait);
        let mut pages = match pages.haste {
            Haste::Soon => self.wait_for(Haste::Now, pages, self.soon),
            Haste::None | Haste::Now => pages,
        };
        pages.haste = Haste::None;
        let calls = std::mem::take(&mut pages.calls);
        let batch = Batch {
            entries: std::mem::take(&mut pages.entries),
            dropped: std::mem::take(&mut pages.dropped),
            last: pages.closed,
        };
        drop(pages);
        for _ in 0..calls {
            self.pulse.finish(super::clock::now());
        }
        batch
    }

    fn wait_for<'a>(
        &self,
        haste: Haste,
        pages: MutexGuard<'a, Pages>,
        wait: Duration,
    ) -> MutexGuard<'a, Pages> {
        let waiting = |pages: &mut Pages| pages.haste < haste && !pages.closed;
        let outcome = self.shared.wake.wait_timeout_while(pages, wait, waiting);
        outcome.unwrap_or_else(PoisonError::into_inner).0
    }
}

fn lock(pages: &Mutex<Pages>) -> MutexGuard<'_, Pages> {
    pages.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::fact::{Asker, Pulse as How, Thread};
    use crate::core::note::Note;

    const LIMIT: Duration = Duration::from_secs(60);

    fn new() -> (Ledger, Reader, Arc<Pulse>) {
        let pulse = Arc::new(Pulse::new(Thread::Recorder, LIMIT));
        let (ledger, reader) = ledger(pulse.clone(), false);
        (ledger, reader, pulse)
    }

    fn owes_nothing(pulse: &Pulse) -> bool {
        pulse.judge(Mono(u64::MAX)) == How::OnTime
    }

    /// A card may hold the recorder up over several roll calls; one look at them answers all.
    #[test]
    fn a_recorder_that_was_held_up_catches_up_with_every_roll_call() {
        let (mut ledger, reader, pulse) = new();
        for minute in 1..4 {
            ledger.call(Mono(minute * 60_000));
        }
        assert!(!owes_nothing(&pulse));
        reader.wait(Duration::ZERO);
        assert!(owes_nothing(&pulse));
    }

    /// A roll call that finds the recorder at the list is not lost, nor is the count of what had to
    /// be dropped meanwhile.
    #[test]
    fn what_finds_the_recorder_busy_is_passed_on_later() {
        let (mut ledger, reader, pulse) = new();
        let shared = ledger.shared.clone();
        let busy = lock(&shared.pages);
        ledger.call(Mono(1_000));
        for at in 0..MOST as u64 + 7 {
            ledger.enter(tick(at));
        }
        drop(busy);
        ledger.enter(tick(99_999));
        let batch = reader.wait(Duration::ZERO);
        assert!(owes_nothing(&pulse));
        assert_eq!(batch.entries.len() as u64 + batch.dropped, MOST as u64 + 8);
    }

    fn tick(at: u64) -> Entry {
        Entry {
            now: Mono(at),
            fact: Fact::Tick,
            answer: Actions::default(),
            trust: Trust::Unset,
        }
    }

    fn told(note: Note) -> Entry {
        let mut entry = tick(0);
        entry.answer.note(note);
        entry
    }

    /// Notes that can wait gather until the time for it is over; what is urgent takes them along at
    /// once. Passes without a note wake nobody.
    #[test]
    fn waits_as_long_as_it_may() {
        let (ages, moment) = (Duration::from_secs(3600), Duration::from_millis(1));
        let (mut ledger, mut reader, _) = new();
        reader.soon = moment;
        ledger.enter(tick(0));
        assert_eq!(lock(&reader.shared.pages).haste, Haste::None);
        ledger.enter(told(Note::ClockSynced));
        assert_eq!(reader.wait(ages).entries.len(), 2);

        reader.soon = ages;
        ledger.enter(told(Note::ClockSynced));
        ledger.enter(told(Note::ClockSynced));
        let by = Asker::Signal(15);
        let urgent = std::thread::spawn(move || ledger.enter(told(Note::Ending { by })));
        assert_eq!(reader.wait(ages).entries.len(), 3);
        urgent.join().unwrap();
        assert_eq!(lock(&reader.shared.pages).haste, Haste::None);
    }
}
