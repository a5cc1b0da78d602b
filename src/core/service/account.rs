//! What a run tells of itself beyond that it is ready and alive, and what follows from it.
//!
//! Its *account* is what it has told so far; the next run begins with an empty one. An account can
//! give a run more time, and never less than its owner has configured: except by heartbeats that it
//! promises at a shorter interval, and by calling itself broken.

use super::{Service, State, StopCause, Turn};
use crate::core::action::Signal;
use crate::core::fact::{Errno, Pid, Said};
use crate::core::note::{Note, NotifyNote};
use crate::core::settings::Service as Settings;
use crate::units::Mono;
use std::time::Duration;

/// What a run has told of itself.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Account {
    /// What it does, in its own words.
    pub status: Option<Box<str>>,
    /// What went wrong with it.
    pub errno: Option<Errno>,
    /// It reads its configuration anew: since when, and until when it should have.
    pub reloading: Option<Reload>,
    /// The interval of its heartbeats, where it has set one itself: `Some(None)` is none at all.
    pub window: Option<Option<Duration>>,
    /// So many of its descriptors are kept for its next run.
    pub kept: u16,
    /// It asked for time, and is not judged before this.
    pub extended: Option<Mono>,
}

/// A reload that is under way.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Reload {
    /// When it began.
    pub since: Mono,
    /// When it should be over: it gets the time of a start.
    pub due: Mono,
}

impl Account {
    /// That of the next run: what was left with the daemon is still there.
    pub(super) fn next(&self) -> Account {
        Account {
            kept: self.kept,
            ..Account::default()
        }
    }
}

impl Service {
    /// The longest silence that this run may keep.
    pub fn window(&self, s: &Settings) -> Option<Duration> {
        self.account.window.unwrap_or(s.heartbeat)
    }

    /// Takes in what its present run has said.
    pub(super) fn hear(&mut self, said: &Said, turn: &mut Turn) {
        match said {
            Said::Status(text) => {
                self.account.status = Some(text.clone()).filter(|text| !text.is_empty());
            }
            Said::Errno(errno) => self.note_errno(*errno, turn),
            Said::Reloading { since } => self.reload(*since, turn),
            Said::Stopping => self.end_by_itself(turn),
            Said::Trigger => self.be_broken(turn),
            Said::Window(window) => self.set_window(*window, turn),
            Said::Extend(time) => self.extend(*time, turn),
            Said::Main(pid) => self.change_main(*pid, turn),
            Said::Kept(count) => self.account.kept = *count,
        }
    }

    fn say(&self, note: NotifyNote, turn: &mut Turn) {
        turn.out.note(Note::Notify(self.id, note));
    }

    fn note_errno(&mut self, errno: Errno, turn: &mut Turn) {
        let errno = Some(errno).filter(|errno| errno.0 != 0);
        let before = std::mem::replace(&mut self.account.errno, errno);
        if let Some(errno) = errno.filter(|_| errno != before) {
            self.say(NotifyNote::ServiceErrno { errno }, turn);
        }
    }

    fn reload(&mut self, since: Option<Mono>, turn: &mut Turn) {
        if !matches!(self.state, State::Up { .. }) || self.account.reloading.is_some() {
            return;
        }
        let since = since.filter(|s| *s <= turn.now).unwrap_or(turn.now);
        let due = turn.now.after(turn.s.start_timeout);
        self.account.reloading = Some(Reload { since, due });
        self.say(NotifyNote::ServiceReloading, turn);
        self.due = self.up_due(turn.s);
    }

    /// It says that it is ready and was up before.
    pub(super) fn end_reload(&mut self, turn: &mut Turn) {
        if let Some(reload) = self.account.reloading.take() {
            let took = turn.now.since(reload.since);
            self.say(NotifyNote::ServiceReloaded { took }, turn);
            self.due = self.up_due(turn.s);
        }
    }

    /// A reload that is under way gets all its time anew.
    pub(super) fn renew_reload(&mut self, s: &Settings, now: Mono) {
        if let Some(reload) = &mut self.account.reloading {
            reload.due = reload.due.max(now.after(s.start_timeout));
        }
    }

    /// A reload that lasts too long is not waited for any more; the run goes on.
    pub(super) fn give_up_reload(&mut self, now: Mono) -> Option<Note> {
        let reload = self.account.reloading.take_if(|reload| reload.due <= now)?;
        let waited = now.since(reload.since);
        let note = NotifyNote::ServiceReloadOverran { waited };
        Some(Note::Notify(self.id, note))
    }

    /// It is about to end. It gets the time of an ordered stop for that, and how it went is told by
    /// the way it ends.
    fn end_by_itself(&mut self, turn: &mut Turn) {
        match self.state {
            State::Up { since, pid, .. }
            | State::Starting {
                since,
                pid: Some(pid),
            } => {
                self.say(NotifyNote::ServiceEnding, turn);
                self.state = State::Stopping {
                    since,
                    pid: Some(pid),
                    told: turn.now,
                    cause: StopCause::Own,
                    killed: false,
                };
                self.account.extended = None;
                self.account.reloading = None;
                self.unsent = None;
                self.said = Signal::Stop;
                self.due = Some(turn.now.after(turn.s.stop_timeout));
            }
            State::Starting { pid: None, .. }
            | State::Stopping { .. }
            | State::Down { .. }
            | State::Backoff { .. }
            | State::GaveUp { .. } => {}
        }
    }

    /// It has found itself broken: as if its heartbeat had ceased, whether it owes any or not.
    fn be_broken(&mut self, turn: &mut Turn) {
        match self.state {
            State::Up { since, pid, .. }
            | State::Starting {
                since,
                pid: Some(pid),
            } => {
                self.say(NotifyNote::ServiceTriggered, turn);
                let run = (since, Some(pid));
                let cause = StopCause::Fault;
                self.tell_to_end(turn.s, turn.now, run, cause, Signal::Abort, turn.out);
            }
            State::Starting { pid: None, .. }
            | State::Stopping { .. }
            | State::Down { .. }
            | State::Backoff { .. }
            | State::GaveUp { .. } => {}
        }
    }

    fn set_window(&mut self, window: Option<Duration>, turn: &mut Turn) {
        let before = self.window(turn.s);
        self.account.window = Some(window);
        if window != before {
            self.say(NotifyNote::ServiceWindow { window }, turn);
        }
        if let State::Up { beat, .. } = &mut self.state {
            // What it promises, it promises from now on.
            *beat = turn.now;
            self.due = self.up_due(turn.s);
        }
    }

    /// Its deadlines are put off to `time` from now, as far as they are not later anyway. One that is
    /// ended because it hangs has had its time.
    fn extend(&mut self, time: Duration, turn: &mut Turn) {
        // What has been said meanwhile is still on its way: less than its last call is no extension.
        let call = self.last_call.map(|(call, _)| call);
        let until = Some(turn.now.after(time)).max(call.filter(|call| self.due == Some(*call)));
        let (before, extended) = (self.due, self.account.extended);
        if let Some(reload) = &mut self.account.reloading {
            reload.due = reload.due.max(turn.now.after(time));
        }
        match self.state {
            // It has said all that it had to, and is judged by its probe.
            State::Starting { pid: Some(_), .. } if self.is_tried() => {}
            State::Starting { pid: Some(_), .. } => self.due = before.max(until),
            State::Stopping { killed: false, .. } => {
                if self.unsent.is_none() && self.said != Signal::Abort {
                    self.due = before.max(until);
                }
            }
            State::Up { .. } => {
                self.account.extended = until;
                self.due = self.up_due(turn.s);
            }
            State::Starting { pid: None, .. }
            | State::Stopping { killed: true, .. }
            | State::Down { .. }
            | State::Backoff { .. }
            | State::GaveUp { .. } => {}
        }
        // Less than what it has anyway changes nothing, and does not count.
        let moved = self.due > before;
        self.account.extended = if moved { until } else { extended };
        if moved && extended.is_none() {
            self.say(NotifyNote::ServiceExtended { time }, turn);
        }
    }

    fn change_main(&mut self, main: Pid, turn: &mut Turn) {
        let now = match &mut self.state {
            State::Starting { pid: Some(pid), .. }
            | State::Up { pid, .. }
            | State::Stopping { pid: Some(pid), .. } => pid,
            State::Starting { pid: None, .. }
            | State::Stopping { pid: None, .. }
            | State::Down { .. }
            | State::Backoff { .. }
            | State::GaveUp { .. } => return,
        };
        if *now != main {
            *now = main;
            self.say(NotifyNote::ServiceMain { pid: main }, turn);
        }
    }
}
