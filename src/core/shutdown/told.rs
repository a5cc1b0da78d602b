//! What the board knows of a cut of its power, where it is told of that before init is.
//!
//! ```text
//! Nothing ──told──► Cut ──took it──► Taken
//!    ▲               │ │               │
//!    └────refused────┘ └──mains back───┴──► TakingBack ──took it──► Forgotten
//!                                               └──late, refused──► Stays ──late, took it──┘
//! ```
//!
//! An answer counts however late it comes: a board that heard it late cuts the power all the same.
//! What cannot be taken back for certain is not taken back: a machine that is off is better off than
//! one that loses its power while it runs. But where nobody knows that the board took the cut, and init
//! does nothing, the machine is restarted: it might stay off for ever.

use super::super::Pass;
use super::super::action::Action;
use super::super::fact::{Fact, Fault, HaltKind, OrderId};
use super::halt::Halt;
use super::ladder::{ASKED, AT_THE_END, CUTTING};
use super::{Shutdown, State};
use crate::core::comeback::{Ability, Answer, Event, Knows, Stage, answer};
use crate::core::intent::{CutTold, FoundMarker, Intent};
use crate::core::note::HaltNote;
use crate::core::picture::Rung;
use crate::units::Mono;
use std::time::Duration;

/// Time between two orders to forget a cut, to a board that has not taken it.
const TOLD_AGAIN: Duration = Duration::from_secs(3);

/// Time in which a board that forgets nothing is not told of: the bus may come up after the daemon.
const PATIENCE: Duration = Duration::from_secs(10);

/// What it knows.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) enum Told {
    /// It was not told, or did not take it.
    #[default]
    Nothing,
    /// It is being told, and may have heard it.
    Cut {
        /// The order.
        order: OrderId,
        /// Since when.
        since: Mono,
    },
    /// It took it: it cuts the power.
    Taken {
        /// When it was told, at the earliest.
        since: Mono,
    },
    /// It is being told to forget it.
    TakingBack {
        /// The order.
        order: OrderId,
        /// When it was told to cut the power, at the earliest.
        since: Mono,
        /// How long that may take.
        until: Mono,
        /// It had taken it, for certain.
        taken: bool,
    },
    /// It has not taken that back, as far as anybody knows.
    Stays {
        /// The order to forget it, if that was not refused.
        order: Option<OrderId>,
        /// When it was told to cut the power, at the earliest.
        since: Mono,
        /// It had taken it, for certain.
        taken: bool,
    },
    /// It took that back.
    Forgotten,
}

use Told::{Cut, Forgotten, Nothing, Stays, Taken, TakingBack};

impl Told {
    /// What is known of it from an earlier daemon of this boot.
    pub fn left(left: &FoundMarker, now: Mono) -> Told {
        match left.marker.cut {
            CutTold::Taken { since } if left.same_boot => Taken {
                since: since.min(now),
            },
            // It is told anew.
            CutTold::Taken { .. } | CutTold::Maybe | CutTold::No => Nothing,
        }
    }

    /// Takes an answer in, or that there is none in time.
    fn hear(self, fact: &Fact, now: Mono) -> (Told, Option<HaltNote>) {
        let answer = match (self, fact) {
            (
                Cut { order, .. }
                | TakingBack { order, .. }
                | Stays {
                    order: Some(order), ..
                },
                Fact::Done {
                    order: done,
                    outcome,
                },
            ) if order == *done => Some(outcome),
            (Nothing | Cut { .. } | Taken { .. } | TakingBack { .. }, _) => None,
            (Stays { .. } | Forgotten, _) => None,
        };
        let stays = |why: Option<&Fault>| Some(HaltNote::CutStays { why: why.cloned() });
        match (self, answer) {
            (Cut { since, .. }, Some(Ok(()))) => (Taken { since }, None),
            (Cut { .. }, Some(Err(_))) => (Nothing, None),
            (TakingBack { .. } | Stays { .. }, Some(Ok(()))) => (Forgotten, None),
            (TakingBack { .. }, Some(Err(why))) => (self.stays(None), stays(Some(why))),
            (TakingBack { order, until, .. }, None) if now >= until => {
                (self.stays(Some(order)), stays(None))
            }
            (Stays { .. }, Some(Err(_))) => (self.stays(None), None),
            (Nothing | Cut { .. } | Taken { .. } | TakingBack { .. }, _) => (self, None),
            (Stays { .. } | Forgotten, _) => (self, None),
        }
    }

    /// What becomes of it when the board does not take it back; an answer to this order may still come.
    fn stays(self, order: Option<OrderId>) -> Told {
        match self {
            TakingBack { since, taken, .. } | Stays { since, taken, .. } => Stays {
                order,
                since,
                taken,
            },
            Nothing | Cut { .. } | Taken { .. } | Forgotten => self,
        }
    }

    /// When the board was told, at the earliest, if it cuts the power or may do so.
    pub fn since(self) -> Option<Mono> {
        match self {
            Nothing | Forgotten => None,
            Cut { since, .. } | Taken { since } => Some(since),
            TakingBack { since, .. } | Stays { since, .. } => Some(since),
        }
    }

    /// It took the cut, for certain, and is not known to have forgotten it.
    fn is_certain(self) -> bool {
        match self {
            Taken { .. } | TakingBack { taken: true, .. } | Stays { taken: true, .. } => true,
            Nothing | Forgotten | Cut { .. } => false,
            TakingBack { taken: false, .. } | Stays { taken: false, .. } => false,
        }
    }

    /// The same, as far as it matters when mains are back.
    fn knows(self) -> Knows {
        match self {
            Nothing | Forgotten => Knows::Nothing,
            Cut { .. } => Knows::Maybe,
            Taken { .. } => Knows::Took,
            TakingBack { taken, .. } | Stays { taken, .. } => Knows::Keeps { certain: taken },
        }
    }

    /// When it should have answered.
    pub fn due(self) -> Option<Mono> {
        match self {
            TakingBack { until, .. } => Some(until),
            Nothing | Cut { .. } | Taken { .. } | Stays { .. } | Forgotten => None,
        }
    }
}

impl Halt {
    /// Tells the board to cut the power.
    pub(super) fn tell_board(&mut self, pass: &mut Pass) -> OrderId {
        let order = pass.out.push(Action::CutPower { cut: true });
        let since = pass.now;
        self.board = Cut { order, since };
        order
    }

    /// Takes in what the board has said, and acts upon mains that are back. Says whether the halt is
    /// to be taken back.
    pub(super) fn hear_board(&mut self, pass: &mut Pass) -> bool {
        let (told, note) = self.board.hear(pass.fact, pass.now);
        self.board = told;
        if let Some(note) = note {
            pass.tell(note);
        }
        // Mains were back when it was asked to forget.
        if told != Forgotten && !self.no_longer_holds(pass) {
            return false;
        }
        let (stage, ability) = (
            Stage::of(self.rung),
            Ability::of(pass.settings.board.cut_ahead),
        );
        match answer(Event::Back, stage, told.knows(), ability) {
            Answer::TakeBack | Answer::Resume => return true,
            Answer::Restart => {
                if told == Forgotten && self.kind == HaltKind::PowerOff && stage == Stage::Asked {
                    // The board does not press any more.
                    self.until = self.until.max(pass.now.after(ASKED));
                }
                self.turn_round(pass);
            }
            Answer::Forget { restart } => {
                self.have_it_forgotten(pass);
                if restart {
                    self.turn_round(pass);
                }
            }
            Answer::GoOn | Answer::Keep | Answer::Ride | Answer::Cut | Answer::Insist => {}
        }
        false
    }

    /// Tells the board, which may cut the power, to forget that.
    fn have_it_forgotten(&mut self, pass: &mut Pass) {
        let Some(since) = self.board.since() else {
            return;
        };
        let until = pass.now.after(CUTTING);
        self.board = TakingBack {
            order: pass.out.push(Action::CutPower { cut: false }),
            since,
            until,
            taken: self.board.is_certain(),
        };
        if self.rung == Rung::Cutting {
            self.until = until;
        }
    }

    /// Whether the board cuts the power, from the moment on in which that is written down ahead.
    /// `cuts`: it has to be told of this halt; `forgets`: it is still to forget an earlier one.
    pub(super) fn cut(&self, cuts: bool, forgets: bool) -> CutTold {
        let ahead = cuts && matches!(self.rung, Rung::Recording | Rung::Syncing);
        match self.board {
            Nothing if ahead || forgets => CutTold::Maybe,
            Nothing | Forgotten => CutTold::No,
            Taken { since }
            | Stays {
                taken: true, since, ..
            } => CutTold::Taken { since },
            Cut { .. } | TakingBack { .. } | Stays { taken: false, .. } => CutTold::Maybe,
        }
    }

    /// By when init must have begun to stop us: what follows has to fit in before the board cuts.
    pub(super) fn asked_by(&self, pass: &Pass) -> Option<Mono> {
        let ahead = pass.settings.board.cut_ahead?;
        let since = self.board.since().filter(|_| self.rung == Rung::Asked)?;
        Some(since.after(ahead.delay.saturating_sub(AT_THE_END)))
    }
}

/// A board that is to forget a cut of which the boot before has told it.
///
/// A reset came between that order and the cut, so what runs now would lose its power. The bus may not
/// be there yet when the daemon starts, and a chip may not answer now and then: it is told again until
/// it has taken it, or has cut the power, or has taken another cut because the halt is gone on with.
/// Until then the marker says that it may cut.
pub(super) struct Forgetting {
    /// The order, while it is not answered.
    order: Option<OrderId>,
    since: Mono,
    /// When it is told again.
    again: Mono,
    /// What it was told has happened by then, or never will.
    until: Mono,
    /// What became of the latest order.
    why: Option<Fault>,
    /// That it does not take it has been told.
    told: bool,
}

impl Forgetting {
    /// Whether it has to be told of at last that the board does not take it.
    fn tells(&self, now: Mono) -> bool {
        !self.told && now >= self.since.after(PATIENCE)
    }

    fn due(&self) -> Mono {
        let tells = (!self.told).then(|| self.since.after(PATIENCE));
        let again = self.order.is_none().then_some(self.again);
        let first = [tells, again].into_iter().flatten().min();
        first.map_or(self.until, |at| at.min(self.until))
    }
}

impl Shutdown {
    /// Has the board forget what the boot before has told it. A daemon before this one, in this boot,
    /// may not have come to the end of that.
    pub(super) fn forget_cut(&mut self, left: &FoundMarker, pass: &mut Pass) {
        let ahead = pass.settings.board.cut_ahead;
        let Some(ahead) = ahead.filter(|ahead| ahead.can_be_cancelled) else {
            return;
        };
        // Of its own halt a daemon before this one, in this boot, has told it: that is gone on with.
        let goes_on = left.same_boot && matches!(left.marker.intent, Intent::Halt { .. });
        match left.marker.cut {
            CutTold::No => return,
            CutTold::Taken { .. } if goes_on => return,
            CutTold::Taken { .. } | CutTold::Maybe => {}
        }
        self.forgetting = Some(Forgetting {
            order: (!goes_on).then(|| pass.out.push(Action::CutPower { cut: false })),
            since: pass.now,
            again: pass.now.after(TOLD_AGAIN),
            until: pass.now.after(ahead.delay),
            why: None,
            told: false,
        });
        pass.picture.forgets_cut = true;
    }

    /// Hears what the board says to that, and tells it again, unless it was told anew meanwhile.
    pub(super) fn go_on_forgetting(&mut self, pass: &mut Pass) {
        self.forgetting = self.still_to_forget(pass);
        pass.picture.forgets_cut = self.forgetting.is_some();
    }

    fn still_to_forget(&mut self, pass: &mut Pass) -> Option<Forgetting> {
        let mut board = self.forgetting.take()?;
        let told = match self.state {
            State::Halting(halt) => halt.board,
            State::Running | State::Stopping { .. } | State::Parting { .. } | State::Over => {
                Nothing
            }
        };
        let is_told = match told {
            Nothing => false,
            Cut { .. } => true,
            // What it was told before does not hold any more.
            Taken { .. } | TakingBack { .. } | Stays { .. } | Forgotten => return None,
        };
        if let Fact::Done { order, outcome } = pass.fact
            && Some(*order) == board.order
        {
            let Err(why) = outcome else { return None };
            board.order = None;
            board.why = Some(why.clone());
            board.again = pass.now.after(TOLD_AGAIN);
        }
        if pass.now >= board.until {
            return None;
        }
        if board.tells(pass.now) {
            let why = board.why.clone();
            pass.tell(HaltNote::CutStays { why });
            board.told = true;
        }
        if board.order.is_none() && pass.now >= board.again {
            match is_told {
                true => board.again = pass.now.after(TOLD_AGAIN),
                false => board.order = Some(pass.out.push(Action::CutPower { cut: false })),
            }
        }
        Some(board)
    }

    /// When the board has to be told again.
    pub(super) fn forgetting_due(&self) -> Option<Mono> {
        self.forgetting.as_ref().map(Forgetting::due)
    }
}
