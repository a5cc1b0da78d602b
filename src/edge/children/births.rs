//! How the spawner brings a new run to this thread, without waking it.
//!
//! A start is the time at which waking somebody costs most: the processors are needed for what is being
//! started. So the spawner tells the core itself and has the new process watched; the thread finds out
//! when it has a reason to wake up, and the first may be the end of that very run.

use super::{ChildOrder, Children, Key, Run};
use crate::core::fact::{Change, Exit, Fact, RunId, ServiceId};
use crate::edge::clock;
use crate::edge::inbox::Inbox;
use crate::edge::orders::Orders;
use crate::edge::run_record::RunRecord;
use rustix::event::epoll;
use rustix::process;
use std::os::fd::OwnedFd;
use std::sync::Arc;

/// Where the spawner puts new runs.
pub struct Births {
    epoll: Arc<OwnedFd>,
    orders: Orders<ChildOrder>,
    inbox: Inbox,
}

impl Births {
    pub(super) fn new(epoll: Arc<OwnedFd>, orders: Orders<ChildOrder>, inbox: Inbox) -> Births {
        Births {
            epoll,
            orders,
            inbox,
        }
    }

    /// A run has come into being. `speaks`: it has a notify socket, and may have used it already.
    pub fn tell(&self, service: ServiceId, record: RunRecord, pidfd: OwnedFd, speaks: bool) {
        let (run, pid) = (record.run, record.pid);
        // Before anybody can tell the core more of it.
        let change = Change::Started { pid };
        self.inbox.send(Fact::Child {
            service,
            run,
            change,
        });
        let pidfd = Arc::new(pidfd);
        self.orders.leave(ChildOrder::Born {
            service,
            record,
            pidfd: pidfd.clone(),
        });
        // After it was left: its end may wake the thread at once, which must know then whose it is.
        match watch(&self.epoll, service, &pidfd) {
            true if speaks => self.orders.knock(),
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
        let Key::Run(at) = key else {
            return false;
        };
        let slot = self.slots.get(usize::from(at));
        slot.is_some_and(|slot| slot.run.is_none())
    }

    pub(super) fn adopt(&mut self, service: ServiceId, record: RunRecord, pidfd: OwnedFd) {
        let (number, watched) = (record.run, watch(&self.epoll, service, &pidfd));
        let run = Run {
            record,
            pidfd: Arc::new(pidfd),
            adopted: true,
        };
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
        slot.run = Some(run);
        slot.beat = None;
        for heard in std::mem::take(&mut slot.early) {
            self.heed(service, heard);
        }
    }

    /// A run was killed because it could not be watched: its end will not be seen.
    pub(super) fn lose(&mut self, service: ServiceId, run: RunId) {
        let slot = self.slots.get_mut(usize::from(service.0));
        let lost = slot.and_then(|slot| slot.run.take_if(|live| live.record.run == run));
        if lost.is_some() {
            self.tell(service, run, Change::Exited(Exit::Unknown));
        }
    }
}

/// Has the end of a run wake the thread. Out of kernel memory the run is killed: one that nobody
/// watches is worse than none.
fn watch(epoll: &OwnedFd, service: ServiceId, pidfd: &OwnedFd) -> bool {
    let key = Key::Run(service.0).data();
    let watched = epoll::add(epoll, pidfd, key, epoll::EventFlags::IN).is_ok();
    if !watched {
        let _ = process::pidfd_send_signal(pidfd, process::Signal::KILL);
    }
    watched
}
