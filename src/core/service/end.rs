//! Ends a run: asks its process to end, or kills all of it.

use super::{Service, State, StopCause};
use crate::core::action::{Action, Actions, Reach, Signal};
use crate::core::budget::Took;
use crate::core::fact::Pid;
use crate::core::note::Note;
use crate::core::settings::Service as Settings;
use crate::units::Mono;
use std::time::Duration;

/// Time between two KILLs for a process that does not go. It is in uninterruptible sleep; only the
/// device it waits for can free it, so there is no hurry and nothing to be gained by giving up.
pub(super) const KILL_AGAIN: Duration = Duration::from_secs(30);

impl Service {
    /// Asks its process to end. Does nothing where there is none, and waits where one is about to
    /// be.
    pub fn stop(&mut self, s: &Settings, now: Mono, out: &mut Actions) {
        if !self.alive() {
            return;
        }
        match self.state {
            State::Starting { pid: None, .. } if !self.can_be_told_early() => {}
            State::Starting { since, .. } | State::Up { since, .. } => {
                out.note(Note::ServiceStopping { service: self.id });
                let run = (since, self.main());
                self.tell_to_end(s, now, run, StopCause::Asked, Signal::Stop, out);
            }
            State::Stopping {
                since, pid, cause, ..
            } if self.must_not_return() => {
                self.tell_to_end(s, now, (since, pid), cause, Signal::Stop, out);
            }
            State::Down { .. }
            | State::Stopping { .. }
            | State::Backoff { .. }
            | State::GaveUp { .. } => {}
        }
    }

    /// Kills whatever there is of it, without further waiting.
    pub fn kill(&mut self, now: Mono, out: &mut Actions) {
        if !self.alive() {
            return;
        }
        match self.state {
            State::Starting { pid: None, .. } if !self.can_be_told_early() => {}
            State::Starting { since, .. } | State::Up { since, .. } => {
                self.kill_run(now, since, self.main(), now, StopCause::Asked, out);
            }
            State::Stopping {
                since,
                pid,
                told,
                cause,
                killed,
            } if !killed || self.must_not_return() => {
                self.kill_run(now, since, pid, told, cause, out);
            }
            State::Stopping { .. }
            | State::Down { .. }
            | State::Backoff { .. }
            | State::GaveUp { .. } => {}
        }
    }

    /// How long it took to end, if it was being stopped before and is not any more.
    pub fn stop_took(&self, before: State, now: Mono) -> Option<Took> {
        match (before, self.state) {
            (
                State::Stopping {
                    told,
                    cause: StopCause::Asked,
                    killed,
                    ..
                },
                State::Down { .. }
                | State::Starting { .. }
                | State::Up { .. }
                | State::Backoff { .. }
                | State::GaveUp { .. },
            ) => Some((!killed).then(|| now.since(told))),
            (
                State::Stopping { .. }
                | State::Down { .. }
                | State::Starting { .. }
                | State::Up { .. }
                | State::Backoff { .. }
                | State::GaveUp { .. },
                _,
            ) => None,
        }
    }

    /// It gets no more than this from the time that it was told to end: the battery is short.
    ///
    /// A last call is left as it is: it comes after the deadline, and has an end of its own.
    pub fn hurry(&mut self, most: Duration) {
        let called = self.last_call.map(|(call, _)| call);
        if let Some((told, due)) = self.ends_by().filter(|(_, due)| Some(*due) != called) {
            self.due = Some(due.min(told.after(most)));
        }
    }

    /// The machine goes down while it ends already: what its keeper would give it beside its deadline
    /// is over.
    pub fn go_down(&mut self, s: &Settings, now: Mono) {
        if let Some((_, due)) = self.ends_by()
            && self.kept.is_some()
        {
            self.due = Some(due.min(now.after(s.stop_timeout)));
        }
    }

    /// It gets all of its time to end: the battery is short no more.
    pub fn stop_at_ease(&mut self, s: &Settings) {
        if let Some((told, _)) = self.ends_by() {
            let own = told.after(self.patience(s));
            self.due = self.account.extended.max(Some(own));
        }
    }

    /// When it was told to end, so that somebody has heard it, and when it is killed if it has not.
    fn ends_by(&self) -> Option<(Mono, Mono)> {
        match self.state {
            State::Stopping {
                told,
                killed: false,
                ..
            } if self.unsent.is_none() => Some((self.heard.unwrap_or(told), self.due?)),
            State::Stopping { .. }
            | State::Down { .. }
            | State::Starting { .. }
            | State::Up { .. }
            | State::Backoff { .. }
            | State::GaveUp { .. } => None,
        }
    }

    pub(super) fn kill_run(
        &mut self,
        now: Mono,
        since: Mono,
        pid: Option<Pid>,
        told: Mono,
        cause: StopCause,
        out: &mut Actions,
    ) {
        out.note(Note::ServiceKilled {
            service: self.id,
            waited: now.since(told),
        });
        self.signal(self.last_signal(), Reach::All, out);
        self.state = State::Stopping {
            since,
            pid,
            told,
            cause,
            killed: true,
        };
        self.due = Some(now.after(KILL_AGAIN));
    }

    pub(super) fn tell_to_end(
        &mut self,
        s: &Settings,
        now: Mono,
        (since, pid): (Mono, Option<Pid>),
        cause: StopCause,
        signal: Signal,
        out: &mut Actions,
    ) {
        self.state = State::Stopping {
            since,
            pid,
            told: now,
            cause,
            killed: false,
        };
        self.account.extended = None;
        self.account.reloading = None;
        self.heard = None;
        let signal = match cause {
            StopCause::Fault => self.how_to_fail(s, now, signal),
            StopCause::Asked | StopCause::Own => signal,
        };
        self.said = signal;
        if s.stop_timeout.is_zero() {
            self.kill_run(now, since, pid, now, cause, out);
            return;
        }
        self.signal(signal, Reach::Main, out);
        self.due = Some(now.after(self.patience(s)));
    }

    /// Its main process, as far as it has one.
    pub fn main(&self) -> Option<Pid> {
        match self.state {
            State::Starting { pid, .. } | State::Stopping { pid, .. } => pid,
            State::Up { pid, .. } => Some(pid),
            State::Down { .. } | State::Backoff { .. } | State::GaveUp { .. } => None,
        }
    }

    pub(super) fn signal(&mut self, signal: Signal, reach: Reach, out: &mut Actions) {
        self.unsent = None;
        self.said = signal;
        self.order = Some(out.push(Action::Signal {
            service: self.id,
            run: self.run,
            signal,
            reach,
        }));
    }
}
