//! A halt that a daemon before this one was making, of this boot or of the one before.

use super::halt::{Halt, cuts};
use super::ladder::limit;
use super::told::Told;
use super::{Shutdown, State};
use crate::core::Pass;
use crate::core::fact::HaltKind;
use crate::core::intent::{CutTold, FoundMarker, HaltPhase, Intent};
use crate::core::note::HaltNote;
use crate::core::picture::{HaltCause, Rung};

impl Shutdown {
    /// A daemon before this one was halting the machine.
    pub(super) fn take_up(&mut self, left: &FoundMarker, pass: &mut Pass) {
        self.forget_cut(left, pass);
        let (Intent::Halt { kind, cause, phase }, State::Running) =
            (left.marker.intent, self.state)
        else {
            return;
        };
        if matches!(cause, HaltCause::Drill { .. }) {
            // The daemon that let the watchdog go is gone, and another one pets it.
            return;
        }
        let rung = match (left.same_boot, phase) {
            (true, HaltPhase::Begun) => Rung::Stopping,
            // Telling the board once more does no harm. One that refused is left to the last words: it
            // could not be written down ahead any more.
            (true, HaltPhase::Committed)
                if left.marker.cut == CutTold::Maybe && cuts(kind, pass) =>
            {
                Rung::Cutting
            }
            (true, HaltPhase::Committed) => Rung::Asked,
            // Where nothing outlives a boot, this is left from long ago: nobody counts the boots that
            // set out to finish it, so that each of them would.
            (false, _) if !left.lasts => return,
            // Carried out, or interrupted by a reset: where mains end it, they tell which.
            (false, _) if cause.ends_with_mains() && kind == HaltKind::PowerOff => Rung::Looking,
            (false, _) => return,
        };
        pass.picture.ask_halt(cause);
        pass.tell(HaltNote::HaltTakenUp {
            kind,
            cause,
            same_boot: left.same_boot,
        });
        let halt = Halt {
            attempts: left.marker.attempts,
            carried_out: phase == HaltPhase::Committed && left.reset != Some(true),
            looks_until: (rung == Rung::Stopping && cause.ends_with_mains())
                .then(|| pass.now.after(limit(Rung::Looking, pass.settings))),
            board: Told::left(left, pass.now),
            ..Halt::new(kind, cause)
        };
        self.enter(rung, halt, pass);
    }
}
