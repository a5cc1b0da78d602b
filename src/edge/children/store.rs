//! What runs leave for the next one: `FDSTORE=1` of `sd_notify(3)`.

use super::message::Message;
use super::{Children, Key};
use crate::core::fact::{Refusal, Said};
use crate::edge::fd_store::{FdStore, Stored, name_of};
use rustix::event::epoll;
use std::os::fd::OwnedFd;
use std::sync::Arc;

/// Has what was left before this daemon began be waited for.
pub(super) fn watch(epoll: &OwnedFd, at: u16, store: &FdStore) {
    for stored in store.all().iter().filter(|stored| stored.is_polled()) {
        watch_one(epoll, at, store, &stored.descriptor);
    }
}

fn watch_one(epoll: &OwnedFd, at: u16, store: &FdStore, polled: &Arc<OwnedFd>) {
    let (key, none) = (Key::Stored(at).data(), epoll::EventFlags::empty());
    if epoll::add(epoll, polled, key, none).is_err() {
        store.is_not_polled(polled);
    }
}

impl Children {
    /// Puts in what came along, or takes out what is named.
    pub(super) fn change_store(&mut self, at: u16, message: &Message, fds: Vec<OwnedFd>) {
        if !message.store && !message.remove {
            return;
        }
        let slot = &self.slots[usize::from(at)];
        let (store, most) = (slot.child.store.clone(), slot.child.store_most);
        let before = store.count();
        let name = name_of(message.name.as_deref());
        if message.remove {
            // A name has to be given: to let go of everything is not what anybody means by it.
            let named = message.name.as_ref().map(|_| store.remove(name));
            self.let_go(named.unwrap_or_default());
        } else {
            for fd in fds {
                match store.put(most, name, fd, !message.unpolled) {
                    Ok(None) => {}
                    Ok(Some(polled)) => watch_one(&self.epoll, at, &store, &polled),
                    Err(_closed) => self.refuse(at, Refusal::Store),
                }
            }
        }
        self.tell_store(at, before);
    }

    /// The other end of something that was left is gone.
    pub(super) fn drop_dead(&mut self, at: u16) {
        let Some(slot) = self.slots.get(usize::from(at)) else {
            return;
        };
        let store = slot.child.store.clone();
        let before = store.count();
        self.let_go(store.remove_dead());
        self.tell_store(at, before);
    }

    /// The service is not to run any more.
    pub(super) fn empty_store(&mut self, at: u16) {
        if let Some(slot) = self.slots.get(usize::from(at)) {
            let all = slot.child.store.clear();
            self.let_go(all);
        }
    }

    fn tell_store(&mut self, at: u16, before: u16) {
        let now = self.slots[usize::from(at)].child.store.count();
        if now != before {
            self.say(at, Said::Kept(now));
        }
    }

    fn let_go(&self, stored: Vec<Stored>) {
        for stored in stored.iter().filter(|stored| stored.is_polled()) {
            let _gone = epoll::delete(&self.epoll, &stored.descriptor);
        }
    }
}
