//! A bounded queue of many givers and one taker, in which nobody spins.
//!
//! The queues of libraries yield the processor several times before they sleep, in the hope of a
//! message that is almost there. On a machine with few cores that are busy, which is when it matters,
//! each yield is a turn for somebody else before the next look. They also make all their slots at once,
//! in memory that is locked here; this one grows with what waits in it.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// Room that is kept when a queue has been emptied.
const KEPT: usize = 64;

struct Shared<T> {
    state: Mutex<State<T>>,
    capacity: usize,
    /// For the taker: there is something, or nobody is left who could give it.
    filled: Condvar,
    /// For givers: there is room, or nobody is left who could make it.
    emptied: Condvar,
    givers: AtomicUsize,
}

struct State<T> {
    waiting: VecDeque<T>,
    /// The taker sleeps.
    asleep: bool,
    /// Givers that sleep.
    blocked: usize,
    /// There is no taker any more.
    abandoned: bool,
}

/// The end that messages are put in at.
pub struct Giver<T>(Arc<Shared<T>>);

/// The end that they are taken out of.
pub struct Taker<T>(Arc<Shared<T>>);

/// Why a message was not taken up; it is given back.
#[derive(PartialEq, Eq, Debug)]
pub enum Refused<T> {
    /// There is no room.
    Full(T),
    /// There is nobody to take it.
    Abandoned(T),
}

/// Why there is no message.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Without {
    /// None has come yet.
    Yet,
    /// None is there, and nobody is left who could give one.
    Ever,
}

/// A queue in which this many messages may wait.
pub fn queue<T>(capacity: usize) -> (Giver<T>, Taker<T>) {
    let shared = Arc::new(Shared {
        state: Mutex::new(State {
            waiting: VecDeque::new(),
            asleep: false,
            blocked: 0,
            abandoned: false,
        }),
        capacity,
        filled: Condvar::new(),
        emptied: Condvar::new(),
        givers: AtomicUsize::new(1),
    });
    (Giver(shared.clone()), Taker(shared))
}

impl<T> Shared<T> {
    fn lock(&self) -> MutexGuard<'_, State<T>> {
        // Nothing in this file can panic while it holds the lock.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn put(&self, mut state: MutexGuard<'_, State<T>>, message: T) {
        state.waiting.push_back(message);
        self.wake(state);
    }

    fn wake(&self, mut state: MutexGuard<'_, State<T>>) {
        let wake = std::mem::take(&mut state.asleep);
        drop(state);
        // After the lock is let go, so that the taker does not wake up to wait for it.
        if wake {
            self.filled.notify_one();
        }
    }

    fn wait_for_room(&self) -> MutexGuard<'_, State<T>> {
        let mut state = self.lock();
        while state.waiting.len() >= self.capacity && !state.abandoned {
            // Nobody sleeps on a full queue, however quietly it was filled.
            state.blocked += 1;
            state = self
                .emptied
                .wait(state)
                .unwrap_or_else(PoisonError::into_inner);
            state.blocked -= 1;
        }
        state
    }
}

impl<T> Giver<T> {
    /// Puts a message in without waiting.
    ///
    /// # Errors
    /// It is given back when there is no room, or nobody to take it.
    pub fn try_give(&self, message: T) -> Result<(), Refused<T>> {
        let state = self.0.lock();
        if state.abandoned {
            return Err(Refused::Abandoned(message));
        }
        if state.waiting.len() >= self.0.capacity {
            return Err(Refused::Full(message));
        }
        self.0.put(state, message);
        Ok(())
    }

    /// Puts a message in, and waits for room where there is none.
    ///
    /// # Errors
    /// It is given back when there is nobody to take it.
    pub fn give(&self, message: T) -> Result<(), T> {
        let state = self.0.wait_for_room();
        if state.abandoned {
            return Err(message);
        }
        self.0.put(state, message);
        Ok(())
    }

    /// Puts a message in as [`give`](Giver::give) does, but wakes nobody: it is there when the taker
    /// looks next. One that fills the queue wakes the taker all the same.
    ///
    /// # Errors
    /// It is given back when there is nobody to take it.
    pub fn leave(&self, message: T) -> Result<(), T> {
        let mut state = self.0.wait_for_room();
        if state.abandoned {
            return Err(message);
        }
        state.waiting.push_back(message);
        if state.waiting.len() >= self.0.capacity {
            self.0.wake(state);
        }
        Ok(())
    }

    /// Wakes the taker, for what was left.
    pub fn wake(&self) {
        self.0.wake(self.0.lock());
    }
}

impl<T> Clone for Giver<T> {
    fn clone(&self) -> Self {
        self.0.givers.fetch_add(1, SeqCst);
        Giver(self.0.clone())
    }
}

impl<T> Drop for Giver<T> {
    fn drop(&mut self) {
        if self.0.givers.fetch_sub(1, SeqCst) == 1 {
            // With the lock, so that a taker that is about to sleep has seen it or is woken.
            let mut state = self.0.lock();
            state.asleep = false;
            drop(state);
            self.0.filled.notify_one();
        }
    }
}

impl<T> Taker<T> {
    /// The next message, if there is one.
    ///
    /// # Errors
    /// Why there is none.
    pub fn try_take(&self) -> Result<T, Without> {
        self.next(&mut self.0.lock())
    }

    /// The next message, waited for.
    ///
    /// # Errors
    /// Nobody is left who could give one.
    pub fn take(&self) -> Result<T, Without> {
        let sleeps = |state: &mut State<T>| self.sleeps(state);
        let state = self.0.filled.wait_while(self.0.lock(), sleeps);
        self.next(&mut state.unwrap_or_else(PoisonError::into_inner))
    }

    /// The next message, waited for so long.
    ///
    /// # Errors
    /// None has come in time, or nobody is left who could give one.
    pub fn take_within(&self, wait: Duration) -> Result<T, Without> {
        let sleeps = |state: &mut State<T>| self.sleeps(state);
        let woken = self
            .0
            .filled
            .wait_timeout_while(self.0.lock(), wait, sleeps);
        let mut state = woken.unwrap_or_else(PoisonError::into_inner).0;
        state.asleep = false;
        self.next(&mut state)
    }

    fn sleeps(&self, state: &mut State<T>) -> bool {
        state.asleep = state.waiting.is_empty() && self.0.givers.load(SeqCst) > 0;
        state.asleep
    }

    fn next(&self, state: &mut MutexGuard<'_, State<T>>) -> Result<T, Without> {
        let Some(message) = state.waiting.pop_front() else {
            return Err(match self.0.givers.load(SeqCst) {
                0 => Without::Ever,
                _ => Without::Yet,
            });
        };
        if state.waiting.is_empty() {
            state.waiting.shrink_to(KEPT);
        }
        if state.blocked > 0 {
            self.0.emptied.notify_one();
        }
        Ok(message)
    }
}

impl<T> Drop for Taker<T> {
    fn drop(&mut self) {
        let mut state = self.0.lock();
        state.abandoned = true;
        let left = std::mem::take(&mut state.waiting);
        drop(state);
        self.0.emptied.notify_all();
        // Outside the lock: a message may hold the other end of some queue.
        drop(left);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const AGES: Duration = Duration::from_secs(3600);

    /// Messages come out as they went in, and a full queue takes no more until one is out.
    #[test]
    fn is_in_order_and_bounded() {
        let (giver, taker) = queue(2);
        assert_eq!(taker.try_take(), Err(Without::Yet));
        assert_eq!(giver.try_give(1), Ok(()));
        assert_eq!(giver.give(2), Ok(()));
        assert_eq!(giver.try_give(3), Err(Refused::Full(3)));
        assert_eq!(taker.take(), Ok(1));
        assert_eq!(giver.try_give(4), Ok(()));
        assert_eq!([taker.take(), taker.take()], [Ok(2), Ok(4)]);
        assert_eq!(taker.take_within(Duration::ZERO), Err(Without::Yet));
    }

    /// What was left is found by a taker that wakes for another reason, and wakes it only when it fills
    /// the queue, or when it is told to.
    #[test]
    fn what_was_left_wakes_nobody() {
        let (giver, taker) = queue(3);
        let (ready, began) = std::sync::mpsc::channel();
        let waiting = std::thread::spawn(move || {
            ready.send(()).unwrap();
            (taker.take_within(AGES), taker)
        });
        began.recv().unwrap();
        while !giver.0.lock().asleep {
            std::thread::yield_now();
        }
        giver.leave(1).unwrap();
        giver.leave(2).unwrap();
        assert!(giver.0.lock().asleep);
        giver.leave(3).unwrap();
        let (first, taker) = waiting.join().unwrap();
        assert_eq!((first, taker.try_take()), (Ok(1), Ok(2)));
        assert_eq!(taker.try_take(), Ok(3));

        giver.leave(4).unwrap();
        let waiting = std::thread::spawn(move || (taker.take_within(AGES), taker));
        assert_eq!(waiting.join().unwrap().0, Ok(4));
    }

    /// A giver waits for room, and a taker for a message, for as long as it takes; nothing is lost, and
    /// what one giver gives stays in order.
    #[test]
    fn everybody_is_woken() {
        const EACH: u32 = 5_000;
        let (giver, taker) = queue(3);
        let givers: Vec<_> = (0..4u32)
            .map(|who| {
                let giver = giver.clone();
                std::thread::spawn(move || (0..EACH).all(|n| giver.give((who, n)).is_ok()))
            })
            .collect();
        drop(giver);
        let mut next = [0; 4];
        for at in 0..4 * EACH {
            let got = if at % 2 == 0 {
                taker.take()
            } else {
                taker.take_within(AGES)
            };
            let (who, n) = got.unwrap();
            assert_eq!(n, std::mem::replace(&mut next[who as usize], n + 1));
        }
        assert_eq!(taker.take(), Err(Without::Ever));
        assert!(givers.into_iter().all(|giver| giver.join().unwrap()));
    }

    /// Whoever waits for an end that is gone is told, sleeping or not.
    #[test]
    fn an_end_that_is_gone_is_noticed() {
        let (giver, taker) = queue::<u8>(1);
        let waiting = std::thread::spawn(move || (taker.take_within(AGES), taker));
        drop(giver);
        let (outcome, taker) = waiting.join().unwrap();
        assert_eq!(outcome, Err(Without::Ever));
        assert_eq!(taker.take(), Err(Without::Ever));

        let (giver, taker) = queue(1);
        giver.give(1).unwrap();
        let waiting = std::thread::spawn(move || (giver.give(2), giver));
        drop(taker);
        let (outcome, giver) = waiting.join().unwrap();
        assert_eq!(outcome, Err(2));
        assert_eq!(giver.try_give(3), Err(Refused::Abandoned(3)));
    }

    /// What has waited in a storm is not kept for the next one.
    #[test]
    fn room_is_given_back() {
        let (giver, taker) = queue(10_000);
        for n in 0..10_000 {
            giver.give(n).unwrap();
        }
        for n in 0..10_000 {
            assert_eq!(taker.try_take(), Ok(n));
        }
        assert!(taker.0.lock().waiting.capacity() <= 2 * KEPT);
    }
}
