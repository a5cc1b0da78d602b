//! Whether anybody knows how a service stands that somebody else keeps, and heard what it was told.

use super::{Service, State, Turn};
use crate::core::action::Actions;
use crate::core::fact::{Errno, Fault};
use crate::core::note::KeeperNote;
use crate::core::settings::Service as Settings;
use crate::units::Mono;

/// `ETIMEDOUT`: told of an order that the keeper has not answered. It may have been carried out.
pub(super) const ETIMEDOUT: Errno = Errno(110);

impl Service {
    /// Nobody knows how it stands now, though that was known.
    pub fn is_out_of_sight(&self) -> bool {
        self.kept.as_ref().is_some_and(|k| k.silent || k.unasked)
    }

    pub(super) fn lose_sight(&mut self, why: &Fault, out: &mut Actions) {
        let Some(kept) = &mut self.kept else {
            return;
        };
        if !std::mem::replace(&mut kept.silent, true) {
            let why = why.clone();
            self.tell_kept(KeeperNote::KeeperSilent { why }, out);
        }
        self.go_unheard();
    }

    pub(super) fn regain_sight(&mut self, turn: &mut Turn) {
        let silent = self.kept.as_mut().map(|k| std::mem::take(&mut k.silent));
        if silent == Some(true) {
            self.tell_kept(KeeperNote::KeeperHeard, turn.out);
            self.be_seen(turn.s, turn.now);
        }
    }

    /// Whoever asks its keeper is stuck, or not any more.
    pub fn go_unasked(&mut self, unasked: bool, s: &Settings, now: Mono) {
        let Some(kept) = &mut self.kept else {
            return;
        };
        let was = std::mem::replace(&mut kept.unasked, unasked);
        match (was, unasked) {
            (false, true) => self.go_unheard(),
            (true, false) => self.be_seen(s, now),
            (false, false) | (true, true) => {}
        }
    }

    /// It gets all its time anew; what it was told it may not have heard.
    fn be_seen(&mut self, s: &Settings, now: Mono) {
        if self.is_out_of_sight() {
            return;
        }
        self.be_heard(s, now);
        if let State::Stopping { killed: false, .. } = self.state {
            self.unsent = Some(self.said);
            self.due = Some(now);
        }
    }

    /// An order of it was not carried out. Returns whether that is all that follows: nobody knows
    /// whether it was heard.
    pub(super) fn is_unanswered(&mut self, why: &Fault) -> bool {
        let Some(kept) = &mut self.kept else {
            return false;
        };
        let unanswered = matches!(why, Fault::Errno(ETIMEDOUT) | Fault::Absent);
        kept.unanswered |= unanswered;
        unanswered
    }
}
