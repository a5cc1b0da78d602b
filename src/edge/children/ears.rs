//! How much is listened to on a notify socket, so that nobody keeps this thread busy by talking.
//!
//! Nothing is read while there is no run that could have said it, and a run that says more than is of
//! use is read on only when the second is over: meanwhile the kernel keeps what fits into the socket
//! and lets the others wait. What does not come from the run is read and thrown away, so that nobody
//! else's flood keeps a heartbeat from arriving.

use super::{Children, Key};
use crate::core::fact::{Change, Refusal, ServiceId};
use crate::edge::clock;
use crate::units::Mono;
use rustix::event::epoll;
use std::time::Duration;

/// Messages of a run that are read in one second, as lines of its output are: a service that is in its
/// right mind sends a few.
const MOST: u32 = 200;

/// The time that they are counted for.
const SPAN: Duration = Duration::from_secs(1);

/// A refusal of the same kind is told again after this time, with the number of those between.
const QUIET: Duration = Duration::from_secs(60);

/// Kinds of refusals.
const KINDS: usize = 7;

/// What is listened to of one service.
#[derive(Default)]
pub(super) struct Ears {
    /// They are closed: no event of the socket wakes the thread.
    closed: bool,
    /// When the counting began.
    since: Mono,
    heard: u32,
    /// What was refused; nearly always nothing, and there may be a thousand of these.
    refused: Option<Box<Refused>>,
}

/// Of each kind of refusal: when one was told, and how many came since.
type Refused = [(Option<Mono>, u32); KINDS];

/// Ears that are closed for a while.
pub(super) struct Closed {
    until: Mono,
    service: ServiceId,
}

impl Closed {
    pub(super) fn is_of(&self, at: u16) -> bool {
        self.service.0 == at
    }
}

impl Ears {
    /// One more message of the run; whether it was one too many.
    fn counts(&mut self, now: Mono) -> bool {
        if now.since(self.since) >= SPAN {
            (self.since, self.heard) = (now, 0);
        }
        self.heard += 1;
        self.heard > MOST
    }

    /// As much was heard in this second as there may be.
    #[cfg(test)]
    pub(super) fn drown(&mut self) {
        (self.since, self.heard) = (clock::now(), MOST);
    }

    /// A refusal; how many there were of its kind, if they are to be told now.
    fn refuse(&mut self, why: Refusal, now: Mono) -> Option<u32> {
        let (told, since) = &mut self.refused.get_or_insert_default()[kind(why)];
        *since = since.saturating_add(1);
        if told.is_some_and(|told| now.since(told) < QUIET) {
            return None;
        }
        *told = Some(now);
        Some(std::mem::take(since))
    }
}

fn kind(why: Refusal) -> usize {
    match why {
        Refusal::Stranger { .. } => 0,
        Refusal::TooLong => 1,
        Refusal::Nul => 2,
        Refusal::Value(_) => 3,
        Refusal::Main(_) => 4,
        Refusal::Flood => 5,
        Refusal::Store => 6,
    }
}

impl Children {
    /// How long to wait for events at most.
    pub(super) fn patience(&self) -> Option<rustix::event::Timespec> {
        if self.heir.is_busy() {
            return Some(rustix::event::Timespec::default());
        }
        let next = self.closed.iter().map(|closed| closed.until).min()?;
        clock::wait(next.since(clock::now())).try_into().ok()
    }

    /// Counts a message of a run; returns whether it is one too many, and the rest has to wait.
    pub(super) fn is_too_much(&mut self, at: u16) -> bool {
        let now = clock::now();
        let ears = &mut self.slots[usize::from(at)].ears;
        if !ears.counts(now) {
            return false;
        }
        let until = ears.since.after(SPAN);
        self.rest_ears(at, until);
        self.refuse(at, Refusal::Flood);
        true
    }

    /// Lets no message of a service wake the thread until then.
    pub(super) fn rest_ears(&mut self, at: u16, until: Mono) {
        let service = ServiceId(at);
        self.closed.push(Closed { until, service });
        self.close_ears(at);
    }

    /// Lets no message of a service wake the thread any more.
    pub(super) fn close_ears(&mut self, at: u16) {
        self.set_ears(at, true);
    }

    /// Listens to a service again.
    pub(super) fn open_ears(&mut self, at: u16) {
        self.closed.retain(|closed| closed.service.0 != at);
        self.set_ears(at, false);
    }

    /// Opens ears whose time is over.
    pub(super) fn open_due_ears(&mut self) {
        if self.closed.is_empty() {
            return;
        }
        let now = clock::now();
        let due = |closed: &Closed| closed.until <= now;
        let services: Vec<_> = self.closed.iter().filter(|c| due(c)).collect();
        for at in services.iter().map(|c| c.service.0).collect::<Vec<_>>() {
            self.open_ears(at);
        }
    }

    fn set_ears(&mut self, at: u16, closed: bool) {
        let Some(slot) = self.slots.get_mut(usize::from(at)) else {
            return;
        };
        let Some(socket) = slot.child.notify.as_ref() else {
            return;
        };
        if slot.ears.closed == closed {
            return;
        }
        let events = match closed {
            true => epoll::EventFlags::empty(),
            false => epoll::EventFlags::IN,
        };
        // Fails for no socket that is watched; and one that is not cannot be told more often.
        if epoll::modify(&self.epoll, socket, Key::Notify(at).data(), events).is_ok() {
            slot.ears.closed = closed;
        }
    }

    /// Tells the core that something counts for nothing, unless the same was told lately.
    pub(super) fn refuse(&mut self, at: u16, why: Refusal) {
        let slot = &mut self.slots[usize::from(at)];
        let Some(run) = slot.run.as_ref().map(|run| run.record.run) else {
            return;
        };
        if let Some(times) = slot.ears.refuse(why, clock::now()) {
            self.tell(ServiceId(at), run, Change::Refused { why, times });
        }
    }
}
