//! How the spawner brings a new run to this thread, without waking it.
//!
//! A start is the time at which waking somebody costs most: the processors are needed for what is being
//! started. So the spawner tells the core itself and has the new process watched; the thread finds out
//! when it has a reason to wake up, and the first may be the end of that very run.

use super::heir::{Birth, Coming, Others};
use super::{ChildOrder, Children, Key, Run, Slot, end, newline};
use crate::core::action::{Reach, Signal};
use crate::core::fact::{Change, Exit, Fact, RunId, ServiceId};
use crate::edge::clock;
use crate::edge::inbox::Inbox;
use crate::edge::orders::Orders;
use crate::edge::run_record::RunRecord;
use rustix::event::epoll;
use rustix::process;
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::time::Duration;

/// The longest wait for a killed run that cannot be watched. Longer: a pet waits behind it. Shorter:
/// one that the kernel takes its time over is reaped by nobody.
const DYING: Duration = Duration::from_millis(100);

/// Where a spawner puts new runs.
#[derive(Clone)]
pub struct Births {
    epoll: Arc<OwnedFd>,
    orders: Orders<ChildOrder>,
    inbox: Inbox,
    awaited: Arc<[AtomicBool]>,
    coming: Arc<Coming>,
}

/// Runs of a predecessor are being handed over, until this is let go of.
pub struct Adopting(Births);

impl Drop for Adopting {
    fn drop(&mut self) {
        Birth::over(&self.0.coming, &self.0.orders);
    }
}

/// A signal for a run that was not known yet when it came: the core is told of a run first, and may
/// answer before the run is here.
#[derive(Clone, Copy)]
pub(super) struct Early {
    run: RunId,
    signal: Signal,
    reach: Reach,
}

impl Early {
    /// What remains to be sent after another one: nothing takes back that a run is to be killed, and
    /// with all that belongs to it.
    fn and(self, next: Early) -> Early {
        if self.run != next.run {
            return next;
        }
        let (signal, reach) = (self.signal, self.reach);
        Early {
            run: self.run,
            signal: if signal == Signal::Kill {
                signal
            } else {
                next.signal
            },
            reach: if reach == Reach::All {
                reach
            } else {
                next.reach
            },
        }
    }
}

impl Births {
    /// `awaited`: of each service, whether a signal waits for its next run.
    pub(super) fn new(
        epoll: Arc<OwnedFd>,
        orders: Orders<ChildOrder>,
        inbox: Inbox,
        awaited: Arc<[AtomicBool]>,
        coming: Arc<Coming>,
    ) -> Births {
        Births {
            epoll,
            orders,
            inbox,
            awaited,
            coming,
        }
    }

    /// Watching fails from now on, as it does when the kernel is out of memory.
    #[cfg(test)]
    pub(super) fn watch_nothing(&mut self) {
        let pipe = rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC);
        self.epoll = Arc::new(pipe.unwrap().0);
    }

    /// A run is about to come into being: held until it was told, or will not be.
    pub fn begin(&self) -> Birth<'_> {
        Birth::begin(&self.coming, &self.orders)
    }

    /// Runs of a predecessor are about to be handed over: held until they were. One of them that has
    /// ended is not taken for an orphan meanwhile.
    pub fn adopting(&self) -> Adopting {
        std::mem::forget(self.begin());
        Adopting(self.clone())
    }

    /// Where children are named that this thread is not to reap.
    pub fn others(&self) -> &Others {
        &self.coming.others
    }

    /// A run has come into being. `speaks`: it has a notify socket, and may have used it already.
    pub fn tell(&self, service: ServiceId, record: RunRecord, pidfd: OwnedFd, speaks: bool) {
        self.tell_with(service, record, pidfd, speaks, None);
    }

    /// The same; `newline`: where it writes one when it is ready.
    pub fn tell_with(
        &self,
        service: ServiceId,
        record: RunRecord,
        pidfd: OwnedFd,
        speaks: bool,
        newline: Option<OwnedFd>,
    ) {
        let (run, pid) = (record.run, record.pid);
        // Before anybody can tell the core more of it.
        let change = Change::Started { pid };
        self.inbox.send(Fact::Child {
            service,
            run,
            change,
        });
        let (pidfd, newline) = (Arc::new(pidfd), newline.map(Arc::new));
        self.orders.leave(ChildOrder::Born {
            service,
            record,
            pidfd: pidfd.clone(),
            newline: newline.clone(),
        });
        if let Some(fifo) = &newline {
            newline::watch(&self.epoll, service, fifo);
        }
        // After it was left. The thread says that it waits before it looks for what was left: so either
        // it finds this run, or it is found waiting here.
        let awaited = self.awaited.get(usize::from(service.0));
        let awaited = awaited.is_some_and(|awaited| awaited.swap(false, SeqCst));
        // After it was left: its end may wake the thread at once, which must know then whose it is.
        match watch(&self.epoll, service, &pidfd) {
            true if speaks || awaited => self.orders.knock(),
            true => {}
            false => {
                let order = ChildOrder::Unwatched { service, run };
                self.orders.hand(clock::now(), order);
            }
        }
    }
}

impl Children {
    /// A process of a service of which nothing is known here.
    pub(super) fn is_unheard_of(&self, key: Key) -> bool {
        let (Key::Run(at) | Key::Newline(at)) = key else {
            return false;
        };
        let slot = self.slots.get(usize::from(at));
        slot.is_some_and(|slot| slot.run.is_none())
    }

    pub(super) fn adopt(&mut self, service: ServiceId, record: RunRecord, pidfd: OwnedFd) {
        let (number, watched) = (record.run, watch(&self.epoll, service, &pidfd));
        let mut run = Run::new(record, Arc::new(pidfd), true);
        run.newline = self.find_newline(service, &run.record);
        self.begin(service, run);
        if !watched {
            self.lose(service, number);
        }
    }

    /// Takes up a run, of whose beginning the core was told before.
    pub(super) fn begin(&mut self, service: ServiceId, run: Run) {
        let Some(slot) = self.slots.get_mut(usize::from(service.0)) else {
            return;
        };
        let number = run.record.run;
        slot.run = Some(run);
        slot.beat = None;
        // One for another run came too late for that.
        let signal = slot.signal.take().filter(|early| early.run == number);
        // It may have said something already.
        self.open_ears(service.0);
        if let Some(Early { signal, reach, .. }) = signal {
            self.signal(service, number, signal, reach);
        }
    }

    /// Keeps a signal until its run is here. If that run is over already, it never will be.
    pub(super) fn await_run(
        &mut self,
        service: ServiceId,
        run: RunId,
        signal: Signal,
        reach: Reach,
    ) {
        let at = usize::from(service.0);
        let (Some(slot), Some(awaited)) = (self.slots.get_mut(at), self.awaited.get(at)) else {
            return;
        };
        let early = Early { run, signal, reach };
        slot.signal = Some(slot.signal.map_or(early, |before| before.and(early)));
        awaited.store(true, SeqCst);
    }

    /// A run was killed because it could not be watched: its end will wake nobody, so it is waited for.
    pub(super) fn lose(&mut self, service: ServiceId, number: RunId) {
        let slot = self.slots.get_mut(usize::from(service.0));
        let Some(Slot { child, run, .. }) = slot else {
            return;
        };
        let Some(run) = run.take_if(|live| live.record.run == number) else {
            return;
        };
        let exit = if end::comes_within(&run, DYING) {
            let exit = end::clear_up(&run, &child.name, self.pool.as_ref());
            self.table.strike_out(service, run.record.fingerprint);
            exit
        } else {
            // The kernel does not let go of it. Its record stays, for whoever may find it alive.
            log::warn!(
                "{}: a killed process does not end, and nobody watches it",
                child.name
            );
            end::kill_remains(&run, &child.name, self.pool.as_ref());
            Exit::Unknown
        };
        self.tell(service, number, Change::Exited(exit));
    }
}

/// Has the end of a run wake the thread; returns whether it does.
pub(super) fn watches(epoll: &OwnedFd, service: ServiceId, pidfd: &OwnedFd) -> bool {
    let key = Key::Run(service.0).data();
    epoll::add(epoll, pidfd, key, epoll::EventFlags::IN).is_ok()
}

/// Has the end of a run wake the thread. Out of kernel memory the run is killed: one that nobody
/// watches is worse than none.
fn watch(epoll: &OwnedFd, service: ServiceId, pidfd: &OwnedFd) -> bool {
    let watched = watches(epoll, service, pidfd);
    if !watched {
        let _ = process::pidfd_send_signal(pidfd, process::Signal::KILL);
    }
    watched
}
