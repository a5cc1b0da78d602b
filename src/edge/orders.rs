//! The queue of one edge thread: bounded, never waited for by the giver, counted by a
//! [`Pulse`](super::pulse::Pulse).
//!
//! A thread that must also listen to descriptors gets an eventfd beside its queue.

use super::pulse::Pulse;
use super::queue::{Giver, Refused, Taker, Without, queue};
use crate::core::fact::Fault;
use crate::units::Mono;
use rustix::event::{EventfdFlags, eventfd};
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::time::Duration;

/// Where orders for one thread are put.
pub struct Orders<T> {
    queue: Giver<T>,
    pulse: Arc<Pulse>,
    bell: Option<Arc<Bell>>,
}

impl<T> Clone for Orders<T> {
    fn clone(&self) -> Self {
        Orders {
            queue: self.queue.clone(),
            pulse: self.pulse.clone(),
            bell: self.bell.clone(),
        }
    }
}

/// Where the thread takes them from.
pub struct Work<T> {
    queue: Taker<T>,
    pulse: Arc<Pulse>,
    bell: Option<Arc<Bell>>,
}

/// What came of waiting for an order.
pub enum Next<T> {
    /// This one.
    Order(T),
    /// None in time.
    Nothing,
    /// None, and nobody can give any more.
    Closed,
}

/// An eventfd that is written to once, however many orders come before the thread wakes.
struct Bell {
    fd: OwnedFd,
    /// It was rung, and not silenced since.
    rung: AtomicBool,
}

/// A queue for a thread that does nothing but wait for orders.
pub fn plain<T>(capacity: usize, pulse: Arc<Pulse>) -> (Orders<T>, Work<T>) {
    let (giver, taker) = queue(capacity);
    let orders = Orders {
        queue: giver,
        pulse: pulse.clone(),
        bell: None,
    };
    (
        orders,
        Work {
            queue: taker,
            pulse,
            bell: None,
        },
    )
}

/// A queue for a thread that waits in `epoll`: see [`Work::bell`].
///
/// # Errors
/// When the kernel gives no eventfd.
pub fn with_bell<T>(capacity: usize, pulse: Arc<Pulse>) -> io::Result<(Orders<T>, Work<T>)> {
    let bell = Arc::new(Bell {
        fd: eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?,
        rung: AtomicBool::new(false),
    });
    let (giver, taker) = queue(capacity);
    let orders = Orders {
        queue: giver,
        pulse: pulse.clone(),
        bell: Some(bell.clone()),
    };
    Ok((
        orders,
        Work {
            queue: taker,
            pulse,
            bell: Some(bell),
        },
    ))
}

impl<T> Orders<T> {
    /// Hands an order over without waiting.
    ///
    /// # Errors
    /// [`Fault::Busy`] when the queue is full or the thread is gone.
    pub fn give(&self, now: Mono, order: T) -> Result<(), Fault> {
        self.pulse.give(now);
        match self.queue.try_give(order) {
            Ok(()) => {
                self.ring();
                Ok(())
            }
            Err(Refused::Full(_) | Refused::Abandoned(_)) => {
                self.pulse.take_back();
                Err(Fault::Busy)
            }
        }
    }

    /// Leaves an order for when the thread wakes next, for whatever reason; waits while the queue is
    /// full. The thread does not owe it, and must not [`finish`](Work::finish) it.
    pub fn leave(&self, order: T) {
        // It fails when the thread is gone, and with it whatever the order was for.
        let _ = self.queue.give(order);
    }

    /// Hands an order over, waiting while the queue is full. Only between edges, and only towards
    /// one that never waits for this one.
    pub fn hand(&self, now: Mono, order: T) {
        self.pulse.give(now);
        if self.queue.give(order).is_ok() {
            self.ring();
        } else {
            self.pulse.take_back();
        }
    }

    /// Wakes the thread for what was left for it.
    pub fn knock(&self) {
        self.ring();
    }

    fn ring(&self) {
        if let Some(bell) = &self.bell
            && !bell.rung.swap(true, SeqCst)
        {
            // It can only fail when the counter is full, and then the bell rings already.
            let _ = rustix::io::write(&bell.fd, &1u64.to_ne_bytes());
        }
    }

    /// The counters of the thread behind this queue.
    pub fn pulse(&self) -> &Arc<Pulse> {
        &self.pulse
    }
}

impl<T> Work<T> {
    /// Waits for the next order; `None` when nobody can give any more.
    pub fn wait(&self) -> Option<T> {
        self.queue.take().ok()
    }

    /// Waits for the next order for so long.
    pub fn next_within(&self, wait: Duration) -> Next<T> {
        match self.queue.take_within(wait) {
            Ok(order) => Next::Order(order),
            Err(Without::Yet) => Next::Nothing,
            Err(Without::Ever) => Next::Closed,
        }
    }

    /// The next order, if there is one.
    pub fn take(&self) -> Option<T> {
        self.queue.try_take().ok()
    }

    /// Readable while orders may be waiting. Silence it before taking them.
    pub fn bell(&self) -> Option<BorrowedFd<'_>> {
        self.bell.as_ref().map(|b| b.fd.as_fd())
    }

    /// Empties the bell; the next order rings it again.
    pub fn silence(&self) {
        if let Some(bell) = &self.bell {
            // Whatever `rung` says: who rings sets it first and writes then, and a bell that was
            // silenced in between would sound until somebody rings again.
            let _ = rustix::io::read(&bell.fd, &mut [0u8; 8]);
            // After the reading, so that a ring in between is not lost; before the orders are
            // taken, so that the order of whoever did not ring is seen.
            bell.rung.store(false, SeqCst);
        }
    }

    /// The order taken last is finished.
    pub fn finish(&self, now: Mono) {
        self.pulse.finish(now);
    }

    /// The counters of this thread.
    pub fn pulse(&self) -> &Pulse {
        &self.pulse
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::fact::Thread;
    use rustix::event::{PollFd, PollFlags, Timespec, poll};

    fn sounds<T>(work: &Work<T>) -> bool {
        let bell = work.bell().unwrap();
        let mut watched = [PollFd::new(&bell, PollFlags::IN)];
        poll(&mut watched, Some(&Timespec::default())).unwrap() > 0
    }

    /// A giver that is interrupted between its mark and its ringing leaves a bell that the next silence
    /// ends, and no order is lost.
    #[test]
    fn a_bell_that_is_rung_late_falls_silent() {
        let pulse = Arc::new(Pulse::new(Thread::Children, Duration::from_secs(1)));
        let (orders, work) = with_bell(4, pulse).unwrap();
        let bell = orders.bell.as_ref().unwrap();
        assert!(!bell.rung.swap(true, SeqCst));
        work.silence();
        rustix::io::write(&bell.fd, &1u64.to_ne_bytes()).unwrap();
        assert!(sounds(&work));
        work.silence();
        assert!(!sounds(&work));
        orders.give(Mono(1), 7).unwrap();
        assert!(sounds(&work));
        work.silence();
        assert_eq!((work.take(), sounds(&work)), (Some(7), false));
    }
}
