//! Failures that are put down to the machine, or to whoever works on it: they wait like others and
//! count towards nothing.

use super::{Service, State, Turn};
use crate::core::note::Note;
use crate::core::picture::{Excuse, Strain};
use crate::units::Mono;

impl Service {
    /// It failed, and that is excused.
    pub(super) fn put_down_to(&mut self, excuse: Excuse, turn: &mut Turn) {
        self.excuses = self.excuses.saturating_add(1);
        turn.out.note(Note::ServiceExcused {
            service: self.id,
            excuse,
        });
    }

    /// Whatever it has failed counts no more; and neither does the restart that it may wait for.
    pub fn begin_anew(&mut self) {
        self.backoff.forgive();
        self.excused = true;
        if let Some(fall) = &mut self.fell {
            fall.excused = true;
        }
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
}
