//! What runs leave for the next one: `FDSTORE=1` of `sd_notify(3)`.

use super::message::Message;
use super::{Children, Key};
use crate::core::fact::Said;
use crate::edge::fd_store::{FdStore, Stored, name_of};
use crate::edge::foreign::Foreign;
use rustix::event::epoll;
use std::os::fd::OwnedFd;

/// Has what was left before this daemon began be waited for.
pub(super) fn watch(epoll: &OwnedFd, at: u16, store: &FdStore) {
    for stored in store.all().iter().filter(|stored| stored.is_polled()) {
        watch_one(epoll, at, store, &stored.descriptor);
    }
}

pub(super) fn watch_one(epoll: &OwnedFd, at: u16, store: &FdStore, polled: &Foreign) {
    let (key, none) = (Key::Stored(at).data(), epoll::EventFlags::empty());
    if epoll::add(epoll, polled, key, none).is_err() {
        store.is_not_polled(polled);
    }
}

impl Children {
    /// Takes out what is named. What came along is put in when it is here.
    pub(super) fn change_store(&mut self, at: u16, message: &Message) {
        // A name has to be given: to let go of everything is not what anybody means by it.
        let Some(name) = message.name.as_deref().filter(|_| message.remove) else {
            return;
        };
        let store = self.slots[usize::from(at)].child.store.clone();
        let before = store.count();
        self.let_go(store.remove(name_of(Some(name))));
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
            // Nor is what a thread still has in hand kept for it.
            self.customs.keep_nothing(at);
        }
    }

    pub(super) fn tell_store(&mut self, at: u16, before: u16) {
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
