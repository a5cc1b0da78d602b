//! Carries out what a run says on its notify socket: what concerns this thread, and what the core has
//! to know, each thing as often as it is news.

use super::message::Message;
use super::notify::{self, Datagram, Sender};
use super::{Children, Run, Slot, end};
use crate::core::fact::{Change, Pid, Refusal, Said, ServiceId};
use crate::edge::clock;
use crate::edge::session;
use crate::edge::spawn::start_time;
use rustix::event::epoll;
use rustix::process::{self, PidfdFlags};
use std::os::fd::AsFd;
use std::sync::Arc;
use std::time::Duration;

/// Messages read from one socket before the others get their turn.
const BATCH: usize = 32;

/// Share of the heartbeat window within which a second heartbeat is not passed on. It makes a
/// service look older by at most this share, and a flood of heartbeats cheap.
const BEATS_PER_WINDOW: u32 = 20;

/// Batches of messages that are read of a run that has ended. The kernel keeps 10 messages for a
/// socket, systemd raises that to 512: all of them fit.
const LAST_WORDS: usize = 16;

impl Children {
    /// Reads what a run has said before it ended: the next run has not said it.
    pub(super) fn hear_last_words(&mut self, at: u16) {
        let mut heeded = true;
        for _ in 0..LAST_WORDS {
            if heeded && self.hear(at) {
                continue;
            }
            heeded = false;
            let slot = self.slots.get(usize::from(at));
            let Some(socket) = slot.and_then(|slot| slot.child.notify.as_ref()) else {
                return;
            };
            let thrown_away = (0..BATCH).map_while(|_| notify::receive(socket.as_fd()));
            if thrown_away.count() < BATCH {
                return;
            }
        }
    }

    /// Reads a batch of messages; returns whether there may be more that can be read now.
    pub(super) fn hear(&mut self, at: u16) -> bool {
        let mut known = None;
        for _ in 0..BATCH {
            let Some(slot) = self.slots.get(usize::from(at)) else {
                return false;
            };
            if slot.run.is_none() {
                // It is kept for whoever will have said it: a run can speak before it is known here.
                self.close_ears(at);
                return false;
            }
            let socket = slot.child.notify.as_ref();
            let Some(datagram) = socket.and_then(|socket| notify::receive(socket.as_fd())) else {
                return false;
            };
            if !self.comes_from_run(at, datagram.sender, &mut known) {
                let (pid, user) = (datagram.sender.pid, datagram.sender.uid);
                self.refuse(at, Refusal::Stranger { pid, user });
                continue;
            }
            self.heed(at, datagram);
            if self.is_too_much(at) {
                return false;
            }
        }
        true
    }

    /// Whether this sender is part of the run; asked once for all that it says in a row.
    fn comes_from_run(&self, at: u16, sender: Sender, known: &mut Option<(Sender, bool)>) -> bool {
        if let Some((_, is_of)) = known.filter(|(before, _)| *before == sender) {
            return is_of;
        }
        let slot = &self.slots[usize::from(at)];
        let is_of = |run| self.is_of(slot, run, sender);
        let is_of = slot.run.as_ref().is_some_and(is_of);
        *known = Some((sender, is_of));
        is_of
    }

    fn heed(&mut self, at: u16, datagram: Datagram) {
        let message = match datagram.message {
            Ok(message) => message,
            Err(why) => return self.refuse(at, why),
        };
        if message.barrier {
            // All that was said before reaches the core before anything that is asked afterwards.
            self.pass_news_on();
            return drop(datagram.descriptors);
        }
        if let Some(key) = message.wrong {
            self.refuse(at, Refusal::Value(key));
        }
        if let Some(main) = message.main {
            self.change_main(at, main);
        }
        self.take_course(at, &message);
        self.change_store(at, &message, datagram.descriptors);
        self.take_rest(at, message);
    }

    /// How far the run has come.
    fn take_course(&mut self, at: u16, message: &Message) {
        if message.reloading {
            let run = self.slots[usize::from(at)].run.as_mut();
            let news = run.filter(|run| run.record.ready && !run.reloading);
            if let Some(run) = news {
                run.reloading = true;
                let since = message.since;
                self.say(at, Said::Reloading { since });
            }
        }
        if message.ready {
            self.be_ready(at);
        }
        if message.stopping {
            let run = self.slots[usize::from(at)].run.as_mut();
            if let Some(run) = run.filter(|run| !run.stopping) {
                run.stopping = true;
                self.say(at, Said::Stopping);
            }
        }
    }

    fn take_rest(&mut self, at: u16, message: Message) {
        if let Some(text) = message.status {
            let run = self.slots[usize::from(at)].run.as_mut();
            if let Some(run) = run.filter(|run| run.status.as_ref() != Some(&text)) {
                run.status = Some(text.clone());
                self.say(at, Said::Status(text));
            }
        }
        if let Some(errno) = message.errno {
            self.say(at, Said::Errno(errno));
        }
        if let Some(window) = message.window {
            self.set_window(at, window);
        }
        if message.heartbeat && self.beat_is_news(at) {
            self.tell_of_run(at, Change::Heartbeat);
        }
        if let Some(time) = message.extend {
            self.say(at, Said::Extend(time));
        }
        if message.trigger {
            self.say(at, Said::Trigger);
        }
    }

    pub(super) fn say(&mut self, at: u16, said: Said) {
        self.tell_of_run(at, Change::Said(said));
    }

    fn tell_of_run(&mut self, at: u16, change: Change) {
        let run = self.slots[usize::from(at)].run.as_ref();
        if let Some(run) = run.map(|run| run.record.run) {
            self.tell(ServiceId(at), run, change);
        }
    }

    /// A run says that it is ready. It may say so again and again: only the first time is news, and the
    /// first after it has said that it reloads.
    pub(super) fn be_ready(&mut self, at: u16) {
        let run = self.slots[usize::from(at)].run.as_mut();
        let Some(run) = run.filter(|run| !run.record.ready || run.reloading) else {
            return;
        };
        run.reloading = false;
        if !std::mem::replace(&mut run.record.ready, true) {
            // Without the record a successor takes it for starting, and waits for a READY.
            self.record(at);
        }
        self.tell_of_run(at, Change::Ready);
    }

    fn set_window(&mut self, at: u16, window: Option<Duration>) {
        let slot = &mut self.slots[usize::from(at)];
        let Some(run) = slot.run.as_mut() else { return };
        if run.record.window != Some(window) {
            run.record.window = Some(window);
            slot.beat = None;
            // Without the record a successor goes by the configuration, and ends one that keeps to
            // what it has said.
            self.record(at);
        }
        self.say(at, Said::Window(window));
    }

    fn record(&self, at: u16) {
        let slot = &self.slots[usize::from(at)];
        if let Some(run) = &slot.run {
            let _ = self.table.store(ServiceId(at), &run.record);
        }
    }

    fn beat_is_news(&mut self, at: u16) -> bool {
        let slot = &mut self.slots[usize::from(at)];
        let own = slot.run.as_ref().and_then(|run| run.record.window);
        let Some(window) = own.unwrap_or(slot.child.heartbeat) else {
            return false;
        };
        let now = clock::now();
        let spacing = window / BEATS_PER_WINDOW;
        if slot.beat.is_some_and(|last| now.since(last) < spacing) {
            return false;
        }
        slot.beat = Some(now);
        true
    }

    /// Another process of the run is the main one from now on.
    fn change_main(&mut self, at: u16, main: Pid) {
        let slot = &self.slots[usize::from(at)];
        let Some(run) = &slot.run else { return };
        if main == run.record.pid {
            return;
        }
        match self.next_main(at, slot, run, main) {
            None => self.refuse(at, Refusal::Main(main)),
            Some(next) => {
                let before = self.slots[usize::from(at)].run.replace(next);
                if let Some(before) = before {
                    // Its end is none of the run.
                    let _gone = epoll::delete(&self.epoll, &before.pidfd);
                }
                self.record(at);
                self.say(at, Said::Main(main));
            }
        }
    }

    /// The run with this main process, which is watched already; `None` if it is none of the run, or
    /// gone.
    fn next_main(&self, at: u16, slot: &Slot, run: &Run, main: Pid) -> Option<Run> {
        let pidfd = process::pidfd_open(end::raw(main)?, PidfdFlags::empty()).ok()?;
        let pid = nix::unistd::Pid::from_raw(end::raw(main)?.as_raw_nonzero().get());
        let start = start_time(pid).ok()?;
        let of_run = match &self.pool {
            Some(pool) => pool.holds(&slot.child.name, run.record.pid, main) == Some(true),
            None => session::leader(main) == Some(run.record.leader().0),
        };
        // While it lives its number is its own: what was found out is about this process.
        if !of_run || end::has_ended(&pidfd) {
            return None;
        }
        let pidfd = Arc::new(pidfd);
        super::births::watches(&self.epoll, ServiceId(at), &pidfd).then_some(())?;
        let mut record = run.record.clone();
        (record.pid, record.start) = (main, start);
        let (leader, leader_start) = run.record.leader();
        let is_first = leader == main && leader_start == start;
        record.first = (!is_first).then_some((leader, leader_start));
        let first = match (is_first, &run.first) {
            (true, _) => None,
            (false, Some(first)) => Some(first.clone()),
            (false, None) if run.adopted => None,
            (false, None) => Some(run.pidfd.clone()),
        };
        Some(Run {
            record,
            pidfd,
            first,
            adopted: !is_first || run.first.is_none(),
            reloading: run.reloading,
            stopping: run.stopping,
            status: run.status.clone(),
            newline: run.newline.clone(),
        })
    }
}
