//! Readiness the way of s6: a service writes something that ends in a newline to a descriptor that it
//! was given, and closes it. Nothing but the newline counts.
//!
//! The descriptor leads to a FIFO that the service holds open for reading too, so that the death of the
//! daemon breaks no pipe.

use super::{Children, Key};
use crate::core::fact::ServiceId;
use crate::edge::run_record::RunRecord;
use rustix::event::epoll;
use rustix::fs::{Mode, OFlags, open};
use rustix::io::{Errno, read};
use std::os::fd::OwnedFd;
use std::sync::Arc;

/// Reads of one FIFO before the others get their turn.
const READS: usize = 8;

/// Has the news of a service wake the thread. Out of kernel memory it never gets ready, and is stopped
/// for that when its time is over.
pub(super) fn watch(epoll: &OwnedFd, service: ServiceId, fifo: &OwnedFd) {
    let key = Key::Newline(service.0).data();
    let _ = epoll::add(epoll, fifo, key, epoll::EventFlags::IN);
}

impl Children {
    /// Where a run that was found has yet to write that it is ready: it holds that FIFO open.
    pub(super) fn find_newline(
        &self,
        service: ServiceId,
        record: &RunRecord,
    ) -> Option<Arc<OwnedFd>> {
        let child = &self.slots.get(usize::from(service.0))?.child;
        let path = child.newline.as_ref().filter(|_| !record.ready)?;
        let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NONBLOCK;
        let fifo = open(path, flags, Mode::empty()).ok()?;
        watch(&self.epoll, service, &fifo);
        Some(Arc::new(fifo))
    }

    /// Reads what a run has written to say that it is ready.
    pub(super) fn read_newline(&mut self, at: u16) {
        let slot = self.slots.get(usize::from(at));
        let run = slot.and_then(|slot| slot.run.as_ref());
        let Some(fifo) = run.and_then(|run| run.newline.clone()) else {
            return;
        };
        let mut bytes = [0; 512];
        for _ in 0..READS {
            let over = match read(&fifo, &mut bytes) {
                Ok(0) => true,
                Ok(length) if bytes[..length].contains(&b'\n') => {
                    self.be_ready(at);
                    true
                }
                Ok(_) | Err(Errno::INTR) => false,
                Err(Errno::AGAIN) => return,
                Err(_) => true,
            };
            if over {
                // It was closed without a newline: the run is up when it says so in another way, or
                // never.
                let run = self.slots[usize::from(at)].run.as_mut();
                let read = run.and_then(|run| run.newline.take());
                drop(fifo);
                return self.forget_newline(read);
            }
        }
    }

    /// Nothing more is expected of it. A child that is being started may hold a copy, so that closing
    /// alone would not do.
    pub(super) fn forget_newline(&mut self, fifo: Option<Arc<OwnedFd>>) {
        if let Some(fifo) = fifo {
            let _gone = epoll::delete(&self.epoll, &fifo);
        }
    }
}
