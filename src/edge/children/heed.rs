//! Carries out what a run says on its notify socket: what concerns this thread, and what the core has
//! to know, each thing as often as it is news.

use super::customs::Heard;
use super::message::Message;
use super::notify::{self, Head, Sender};
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

impl Children {
    /// Reads a batch of messages.
    pub(super) fn hear(&mut self, at: u16) {
        let mut known = None;
        let read = |_: &usize| self.hear_knowing(at, &mut known) == Heard::One;
        let _batch = (0..BATCH).take_while(read).count();
    }

    /// Reads one.
    pub(super) fn hear_one(&mut self, at: u16) -> Heard {
        self.hear_knowing(at, &mut None)
    }

    fn hear_knowing(&mut self, at: u16, known: &mut Option<(Sender, bool)>) -> Heard {
        let Some(slot) = self.slots.get(usize::from(at)) else {
            return Heard::Nothing;
        };
        // What is said without a run is kept for whoever will have said it: a run can speak before it
        // is known here.
        if slot.run.is_none() || self.is_taken_in(at) {
            self.close_ears(at);
            return Heard::Later;
        }
        let Some(socket) = slot.child.notify.clone() else {
            return Heard::Nothing;
        };
        let Some(head) = notify::look(socket.as_fd()) else {
            return Heard::Nothing;
        };
        let stranger = !self.comes_from_run(at, head.sender, known);
        if head.brings && !self.can_take_in(at, stranger) {
            return Heard::Later;
        }
        match head.brings {
            false => notify::skip(socket.as_fd()),
            true => {
                if !stranger && head.message.as_ref().is_ok_and(|m| m.barrier) {
                    // Before its descriptor can be closed.
                    self.pass_news_on();
                }
                if !self.take_in(at, &head, stranger) {
                    return Heard::Later;
                }
            }
        }
        if stranger {
            let (pid, user) = (head.sender.pid, head.sender.uid);
            self.refuse(at, Refusal::Stranger { pid, user });
        } else {
            self.heed(at, &head);
        }
        match !stranger && self.is_too_much(at) {
            true => Heard::TooMuch,
            false if head.brings => Heard::Later,
            false => Heard::One,
        }
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

    fn heed(&mut self, at: u16, head: &Head) {
        let message = match &head.message {
            Ok(message) => message,
            Err(why) => return self.refuse(at, *why),
        };
        if message.barrier {
            // All that was said before reaches the core before anything that is asked afterwards: when
            // its descriptor is closed.
            return self.pass_news_on();
        }
        if let Some(key) = message.wrong {
            self.refuse(at, Refusal::Value(key));
        }
        if let Some(main) = message.main {
            self.change_main(at, main);
        }
        self.take_course(at, message);
        self.change_store(at, message);
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

    fn take_rest(&mut self, at: u16, message: &Message) {
        if let Some(text) = &message.status {
            let run = self.slots[usize::from(at)].run.as_mut();
            if let Some(run) = run.filter(|run| run.status.as_ref() != Some(text)) {
                run.status = Some(text.clone());
                self.say(at, Said::Status(text.clone()));
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

    pub(super) fn tell_of_run(&mut self, at: u16, change: Change) {
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

    pub(super) fn beat_is_news(&mut self, at: u16) -> bool {
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
