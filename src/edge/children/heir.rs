//! The heir of orphans. As the first process of a container the daemon is the parent of every process
//! whose own parent has ended, and reaps it: otherwise dead processes pile up until there is no number
//! left for another one.
//!
//! Never reaps a service: how that ended is for [`end`](super::end) to see.

use super::{ChildOrder, Children, Key};
use crate::edge::orders::{Orders, Work};
use crate::sorted::Set;
use rustix::event::epoll;
use rustix::process::{self, Pid, WaitId, WaitIdOptions};
use signal_hook::consts::SIGCHLD;
use std::io::{self, Read};
use std::os::unix::net::UnixStream;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering::SeqCst};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Orphans that are reaped at once. More wait for a turn of whatever else there is.
const AT_ONCE: usize = 64;

/// Children of this process that another thread of ours reaps.
#[derive(Clone, Default)]
pub struct Others(Arc<Mutex<Set<i32>>>);

impl Others {
    /// This process is one of them, until it is reaped.
    pub fn add(&self, pid: i32) {
        self.numbers().insert(pid);
    }

    /// It is reaped, or about to be.
    pub fn remove(&self, pid: i32) {
        self.numbers().remove(&pid);
    }

    fn has(&self, pid: i32) -> bool {
        self.numbers().contains(&pid)
    }

    fn numbers(&self) -> MutexGuard<'_, Set<i32>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Births that are under way: a process of ours that is there already, and that nobody was told of.
#[derive(Default)]
pub(super) struct Coming {
    count: AtomicU32,
    /// The thread waits until there are none.
    awaited: AtomicBool,
    /// What was born, and is not this thread's.
    pub others: Others,
}

impl Coming {
    fn any(&self) -> bool {
        if self.count.load(SeqCst) == 0 {
            return false;
        }
        self.awaited.store(true, SeqCst);
        // Said before it is looked at once more: either this sees that the last one is over, or that
        // one sees that it is awaited.
        self.count.load(SeqCst) > 0
    }
}

/// A birth that is under way, until this is let go of.
pub struct Birth<'a> {
    coming: &'a Coming,
    orders: &'a Orders<ChildOrder>,
}

impl<'a> Birth<'a> {
    pub(super) fn begin(coming: &'a Coming, orders: &'a Orders<ChildOrder>) -> Birth<'a> {
        coming.count.fetch_add(1, SeqCst);
        Birth { coming, orders }
    }

    /// One that was begun and forgotten is over.
    pub(super) fn over(coming: &'a Coming, orders: &'a Orders<ChildOrder>) {
        drop(Birth { coming, orders });
    }
}

impl Drop for Birth<'_> {
    fn drop(&mut self) {
        let last = self.coming.count.fetch_sub(1, SeqCst) == 1;
        if last && self.coming.awaited.swap(false, SeqCst) {
            self.orders.knock();
        }
    }
}

/// That there may be orphans to reap.
#[derive(Default)]
pub(super) struct Heir {
    /// Readable when a child of this process has ended; only where orphans are ours.
    ended: Option<UnixStream>,
    /// There may be some.
    due: bool,
    /// There are, and nothing else will wake the thread for them.
    more: bool,
}

impl Heir {
    /// There is more to do at once.
    pub fn is_busy(&self) -> bool {
        self.more
    }
}

impl Children {
    /// From now on this thread reaps the orphans that this process is given. For the first process of a
    /// container, and only if the process is ours alone: in another one they may be somebody else's.
    ///
    /// # Errors
    /// When the kernel does not tell of them.
    pub fn inherit(&mut self) -> io::Result<()> {
        let (ended, told) = UnixStream::pair()?;
        ended.set_nonblocking(true)?;
        signal_hook::low_level::pipe::register(SIGCHLD, told)?;
        let key = Key::Orphans.data();
        epoll::add(&self.epoll, &ended, key, epoll::EventFlags::IN)?;
        self.heir = Heir {
            ended: Some(ended),
            // What ended before.
            due: true,
            more: true,
        };
        Ok(())
    }

    /// A child of this process has ended, whoever that is.
    pub(super) fn hear_of_end(&mut self) {
        self.heir.due = true;
        if let Some(ended) = &mut self.heir.ended {
            // Emptied, or it would go on telling. It does not matter how often it was told.
            while matches!(ended.read(&mut [0; 64]), Ok(1..)) {}
        }
    }

    /// Reaps orphans that have ended. Returns whether the thread is to go on.
    pub(super) fn reap_orphans(&mut self, work: &Work<ChildOrder>) -> bool {
        self.heir.more = false;
        if !self.heir.due {
            return true;
        }
        for _ in 0..AT_ONCE {
            let Some(pid) = dead_child() else {
                self.heir.due = false;
                return true;
            };
            // It may be one that is being born: then the end of that wakes us.
            if self.coming.any() {
                return true;
            }
            // What was born is known once that is read.
            if !self.take_orders(work) {
                return false;
            }
            // The end of a service wakes us by its own descriptor, and takes it out of the way; that of
            // another thread's is taken away by that thread.
            if self.is_of_run(pid) || self.coming.others.has(pid.as_raw_nonzero().get()) {
                return true;
            }
            let flags = WaitIdOptions::EXITED | WaitIdOptions::NOHANG;
            let _ = process::waitid(WaitId::Pid(pid), flags);
        }
        self.heir.more = true;
        true
    }

    fn is_of_run(&self, pid: Pid) -> bool {
        let number = pid.as_raw_nonzero().get().unsigned_abs();
        let mut runs = self.slots.iter().filter_map(|slot| slot.run.as_ref());
        runs.any(|run| run.record.pid.number() == number)
    }
}

/// A child of this process that has ended, whoever that is; it stays as it is. By the C library's call:
/// those of the libraries do not say which it is, or fail for one that a real-time signal has ended.
fn dead_child() -> Option<Pid> {
    let flags = libc::WEXITED | libc::WNOHANG | libc::WNOWAIT;
    // SAFETY: a plain C structure, for which all zeroes is a valid value.
    let mut info: libc::siginfo_t = unsafe { std::mem::zeroed() };
    // SAFETY: the pointer is to a live structure of the right type, which the call only fills in.
    while unsafe { libc::waitid(libc::P_ALL, 0, &raw mut info, flags) } < 0 {
        if io::Error::last_os_error().kind() != io::ErrorKind::Interrupted {
            return None;
        }
    }
    // SAFETY: of a child that has ended this field is set, and it is zero if there is none.
    Pid::from_raw(unsafe { info.si_pid() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::fact::Thread;
    use crate::edge::orders::with_bell;
    use crate::edge::pulse::Pulse;
    use rustix::event::{PollFd, PollFlags, Timespec, poll};
    use std::time::Duration;

    /// Whoever waits for births is woken by the end of the last one, and by no other.
    #[test]
    fn the_last_birth_wakes_who_waits_for_it() {
        let pulse = Arc::new(Pulse::new(Thread::Children, Duration::from_secs(1)));
        let (orders, work) = with_bell(1, pulse).unwrap();
        let sounds = || {
            let bell = work.bell().unwrap();
            let mut watched = [PollFd::new(&bell, PollFlags::IN)];
            poll(&mut watched, Some(&Timespec::default())).unwrap() > 0
        };
        let coming = Coming::default();
        assert!(!coming.any());
        let (first, second) = (
            Birth::begin(&coming, &orders),
            Birth::begin(&coming, &orders),
        );
        assert!(coming.any());
        drop(first);
        assert!(!sounds() && coming.any());
        drop(second);
        assert!(sounds() && !coming.any());
        work.silence();
        drop(Birth::begin(&coming, &orders));
        assert!(!sounds(), "nobody waited");
    }
}
