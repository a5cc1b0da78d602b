//! What the keeper of a service thinks of it while it runs: its readiness and its liveness, by an eye
//! that is not ours.
//!
//! | says | what follows |
//! |---|---|
//! | nothing | it is as well as our own probes find it |
//! | that it has yet to find out | what requires it waits; what only comes after it does not |
//! | well | nothing |
//! | ill | it cannot be used; it is ended as one that hangs, where its owner wants that |

use super::{Readiness, Service, State, StopCause, Turn};
use crate::core::action::Signal;
use crate::core::fact::Health;
use crate::core::note::{KeeperNote, Note};

impl Service {
    /// What its keeper thinks of it, while it runs.
    pub fn health(&self) -> Health {
        let runs = matches!(
            self.state,
            State::Up { .. } | State::Starting { pid: Some(_), .. }
        );
        let kept = self.kept.as_ref().filter(|_| runs);
        kept.map_or(Health::Untold, |kept| kept.health)
    }

    /// Whether it can be used, if it is up.
    pub fn readiness(&self) -> Readiness {
        match (self.health(), self.probed_readiness()) {
            (Health::Ill, _) => Readiness::Lost,
            (Health::Awaited, Readiness::Ready) => Readiness::Awaited,
            (Health::Untold | Health::Awaited | Health::Well, own) => own,
        }
    }

    /// Takes in what its keeper thinks of the life that is known.
    pub(super) fn heed(&mut self, health: Health, turn: &mut Turn) {
        let Some(kept) = &mut self.kept else {
            return;
        };
        let before = std::mem::replace(&mut kept.health, health);
        match (before, health) {
            (Health::Ill, Health::Well) => {
                turn.out.note(Note::Keeper(self.id, KeeperNote::Healthy));
            }
            (Health::Untold | Health::Awaited | Health::Well, Health::Ill) => self.fall_ill(turn),
            (Health::Untold | Health::Awaited | Health::Well, _)
            | (Health::Ill, Health::Untold | Health::Awaited | Health::Ill) => {}
        }
    }

    fn fall_ill(&mut self, turn: &mut Turn) {
        let (State::Up { since, pid, .. }
        | State::Starting {
            since,
            pid: Some(pid),
        }) = self.state
        else {
            return;
        };
        if self.must_stop() {
            return;
        }
        let ended = turn
            .s
            .keeper
            .as_ref()
            .is_some_and(|keeper| keeper.ends_ill());
        turn.out
            .note(Note::Keeper(self.id, KeeperNote::Unhealthy { ended }));
        if ended {
            let (run, cause) = ((since, Some(pid)), StopCause::Fault);
            self.tell_to_end(turn.s, turn.now, run, cause, Signal::Stop, turn.out);
        }
    }
}
