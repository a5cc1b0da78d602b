//! A board that is told ahead of a halt to cut the power, and does so some time later: what it has
//! really taken, and what must follow. It does not answer now and then, where anything goes wrong.
//!
//! Until it cuts, it keeps a machine powered that is off: nothing but a hand starts that one. After the
//! cut it gives power again as soon as mains are there.
//!
//! Invariant: a machine that was restarted on purpose, or whose halt was taken back, does not lose its
//! power by a cut; one that is being halted does not lose it before the kernel was told to halt.

use crate::daemon::Life;
use crate::plan::Card;
use crate::verdict::How;
use crate::world::{Event, World};
use fieldwarden::core::fact::{Errno, Fault, OrderId, Thread};
use fieldwarden::core::intent::{CutTold, Intent};
use fieldwarden::core::picture::{Ending, Rung};

/// A daemon that finds a halt and a board that is about to cut the power needs so much time to save
/// what is to be saved, in milliseconds: a sync, and a margin for threads on their way.
const RESCUED: u64 = 5_000 + 1_000;

/// A daemon has a board forget what it was told before a reset in so much time, in milliseconds, though
/// the board is deaf now and then: it is told every three seconds.
const FORGETS: u64 = 45_000;

/// What the board does.
#[derive(Default)]
pub struct Board {
    /// When it cuts the power, and by which of its orders.
    cuts: Option<(u64, u32)>,
    orders: u32,
    /// The life of the daemon that told it, and for how long that had stood still.
    frozen: (u32, u64),
    /// The daemon of this boot has ended in a halt that init had taken: it was told to, as init does.
    /// Where init does nothing after that, nobody is left who could.
    left_to_init: Option<u32>,
    /// Something has come between the order and the cut that nobody can make up for: the daemon was
    /// killed, or the machine was switched on by hand.
    excused: bool,
    /// The machine was reset between the order and the cut: its next daemon is to make up for it.
    reset: bool,
    /// It gives power to a machine that is off.
    pub holds: bool,
}

impl Board {
    /// It cuts the power, unless it is told otherwise.
    pub fn cuts(&self) -> bool {
        self.cuts.is_some()
    }

    /// The daemon of this boot ends, and leaves the rest of a halt to init.
    pub fn leave_to_init(&mut self, boot: u32) {
        self.left_to_init = Some(boot);
    }

    /// Nobody is to blame for what comes of the cut that is under way.
    pub fn excuse(&mut self) {
        self.excused = true;
    }

    /// The machine is reset: what it was told before that has to be taken back.
    pub fn is_reset(&mut self) {
        self.reset = self.cuts();
    }

    /// It has lost its own power, and forgets everything.
    pub fn goes_dark(&mut self) {
        (self.cuts, self.holds) = (None, false);
    }
}

impl World {
    /// A board is told ahead of a halt.
    pub fn has_ahead(&self) -> bool {
        self.plan.settings.board.cut_ahead.is_some()
    }

    /// The board is told to cut the power, or to forget that; says whether it hears it.
    pub fn board_hears(&mut self, cut: bool) -> bool {
        let Some(ahead) = self.plan.settings.board.cut_ahead else {
            return false;
        };
        if !self.plan.faults.is_empty() && self.rng.chance(20) {
            self.tally.power.deaf += 1;
            return false;
        }
        self.board.orders += 1;
        self.board.cuts = cut.then(|| {
            let delay = crate::plan::millis(ahead.delay);
            (self.now + delay, self.board.orders)
        });
        if let Some((at, order)) = self.board.cuts {
            (self.board.excused, self.board.reset) = (false, false);
            let frozen = self.life.as_ref().map(|life| (life.no, life.frozen_for));
            self.board.frozen = frozen.unwrap_or_default();
            self.at(at, Event::BoardCuts(order));
        }
        true
    }

    /// The daemon's order, carried out by the thread of the bus.
    pub fn tell_board(&mut self, order: OrderId, cut: bool) {
        let heard = self.board_hears(cut);
        if cut != heard {
            self.remains.cut = false;
        }
        let outcome = match heard {
            true => Ok(()),
            false => Err(Fault::Errno(Errno(121))),
        };
        self.done(Thread::Bus, order, outcome);
    }

    /// The board cuts the power, and gives it again if mains are there.
    pub fn board_cuts(&mut self, order: u32) {
        if self.board.cuts.is_none_or(|(_, by)| by != order) {
            return;
        }
        self.board.cuts = None;
        self.tally.power.cuts += 1;
        if !self.truth.off {
            self.cut_while_it_runs();
        }
        self.board.holds = false;
        self.truth.off = !self.mains.is_present();
        self.reboot(How::BoardCut);
    }

    /// The machine is reset. Where its board forgets nothing, or the next boot finds nothing that tells
    /// of the cut, nobody can make up for it.
    pub fn board_sees_a_reset(&mut self) {
        let ahead = self.plan.settings.board.cut_ahead;
        let forgets = ahead.is_some_and(|ahead| ahead.can_be_cancelled);
        let found = self
            .remains
            .there
            .is_some_and(|(_, m)| m.cut != CutTold::No);
        if !forgets || !found || self.plan.card != Card::Keeps {
            self.board.excuse();
        }
        self.board.is_reset();
    }

    /// The daemon that follows a reset has not had the time to make up for it, or its bus is stuck.
    fn is_still_forgetting(&self, life: &Life) -> bool {
        let bus = life.hands.iter().filter(|hand| hand.thread == Thread::Bus);
        let free = bus.map(|hand| hand.stuck_until).max().unwrap_or(0);
        self.board.reset && life.born.max(free).saturating_add(FORGETS) > self.now
    }

    /// A machine whose services are down and whose file systems are synced may lose its power in the
    /// unmount: that takes as long as it takes.
    fn cut_while_it_runs(&mut self) {
        self.tally.power.cut_short += 1;
        let unmounts = self.life.is_none() && self.remains.asked.is_some();
        let Some(life) = self.life.as_ref().filter(|_| !unmounts) else {
            let left = self.board.left_to_init == Some(self.remains.boot);
            // After a reset, its next daemon has not started yet.
            if !unmounts && !left && !self.board.excused && !self.board.reset {
                self.fail("S8: the board cuts the power of a machine that starts");
            }
            return;
        };
        let picture = life.core.picture();
        let parting = matches!(picture.ending, Ending::Parting { .. });
        let rung = picture.halting.map(|halting| halting.rung);
        let before = match self.board.frozen {
            (no, frozen) if no == life.no => frozen,
            (_, _) => 0,
        };
        let stood_still = life.frozen_for > before || life.frozen_until > self.now;
        let excused = stood_still || self.board.excused || life.born + RESCUED > self.now;
        let excused = excused || self.is_still_forgetting(life);
        if !parting && rung < Some(Rung::Forced) && !excused {
            self.fail(format!(
                "S8: the board cuts the power, and the halt stands on {rung:?}"
            ));
        }
    }

    /// The hook lets the machine be turned off because of mains, and sees them: then its board must cut
    /// the power, or nothing would ever start it.
    pub fn nothing_else_starts_it(&mut self, hook_sees_mains: bool) {
        let intent = self.remains.here.map(|marker| marker.intent);
        let by_mains =
            matches!(intent, Some(Intent::Halt { cause, .. }) if cause.ends_with_mains());
        if by_mains && hook_sees_mains && !self.board.cuts() {
            self.fail("S8: a machine with mains is turned off, and its board cuts no power");
        }
    }

    /// The machine goes on on purpose: nothing may cut its power.
    pub fn runs_on(&mut self) {
        if self.board.cuts() && !self.board.excused && !self.board.reset {
            self.fail("S8: a machine runs on, and its board cuts the power");
        }
    }

    /// Somebody comes to a machine that is off although it has power, and presses its button.
    pub fn button(&mut self, boot: u32) {
        if boot == self.remains.boot && self.truth.off {
            self.board.excuse();
            self.board.holds = false;
            self.truth.off = false;
            self.switch_on();
        }
    }
}
