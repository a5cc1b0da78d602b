//! Failures that are put down to the machine: they wait like others and count towards nothing.

use super::{Service, State, Turn};
use crate::core::note::Note;
use crate::core::picture::Strain;
use crate::units::Mono;

impl Service {
    /// The machine was strained when it failed.
    pub(super) fn put_down_to(&mut self, strain: Strain, turn: &mut Turn) {
        self.excuses = self.excuses.saturating_add(1);
        turn.out.note(Note::ServiceExcused {
            service: self.id,
            strain,
        });
    }

    /// It turns out that the machine was strained already when it was restarted from `since` on.
    pub fn excuse(&mut self, strain: Strain, since: Mono, turn: &mut Turn) {
        let mut restarts = self.backoff.excuse(since);
        let waits =
            self.again || matches!(self.state, State::Backoff { .. } | State::GaveUp { .. });
        if waits && !self.excused && self.failed.is_some_and(|at| at >= since) {
            // The restart that it waits for is one of them.
            self.excused = true;
            restarts += 1;
        }
        if restarts == 0 {
            return;
        }
        self.excuses = self.excuses.saturating_add(restarts);
        turn.out.note(Note::RestartsExcused {
            service: self.id,
            strain,
            restarts,
        });
        // What it was given up for does not count any more.
        if let State::GaveUp { .. } = self.state {
            let delay = self.backoff.delay(&turn.s.backoff, turn.jitter);
            self.wait(delay, turn);
        }
    }

    /// Its latest failure was put down to the machine.
    pub fn is_excused(&self) -> bool {
        self.excused
    }

    /// It is restarted with its group, which is a fresh start for the count of failures.
    pub fn rise_with_group(&mut self) {
        self.backoff.forgive();
        if matches!(self.state, State::Backoff { .. } | State::GaveUp { .. }) {
            self.come_back();
            self.excused = true;
        }
    }

    /// Its group was restarted too often: it waits at least as long.
    pub fn give_up(&mut self, until: Mono) {
        let until = match self.state {
            State::GaveUp { until: own } => until.max(own),
            State::Down { .. }
            | State::Starting { .. }
            | State::Up { .. }
            | State::Stopping { .. }
            | State::Backoff { .. } => until,
        };
        self.state = State::GaveUp { until };
        self.due = Some(until);
    }
}
